/* core_loops.h: how the cores for AVX-512 cut rows and tiles into pieces whose sums fit the registers, written once. Includer has
 * multiply_tile, dot_tiles, enum form with form_of, and ROWS_TILE; this is made to stand in the middle of it. */

/* Tiles of rows as equal as can be: few sums at once would wait for each other. */
INLINE void multiply_pair(const struct core_panel *panel, size_t pair, size_t n, enum core_kind kind, size_t begin,
                          size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    for (size_t i = 0, some; i < m; i += some) {
        size_t left = m - i, n_tiles = (left + ROWS_TILE - 1) / ROWS_TILE;
        float *to = sums + i * CORE_OUTPUTS;
        some = (left + n_tiles - 1) / n_tiles;
        switch (some) {
        case 6:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 6, to);
            break;
        case 5:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 5, to);
            break;
        case 4:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 4, to);
            break;
        case 3:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 3, to);
            break;
        case 2:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 2, to);
            break;
        default:
            multiply_tile(panel, pair, n, kind, begin, end, rows, first_row + i, 1, to);
            break;
        }
    }
}

/* Enough sums at once to hide how long each takes: 4 to 8, which with as many of all blocks fit the registers. */
INLINE void dot_form(const struct kernels_weight *weight, enum form form, enum core_kind kind, size_t tile, size_t n,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    size_t t = 0;

    for (; m <= 2 && t + 4 <= n; t += 4)
        if (m == 1)
            dot_tiles(weight, form, kind, tile + t, 4, rows, first_row, 1, sums + t * TILE_ROWS);
        else
            dot_tiles(weight, form, kind, tile + t, 4, rows, first_row, 2, sums + t * TILE_ROWS);
    for (; m > 2 && t + 2 <= n; t += 2)
        if (m == 3)
            dot_tiles(weight, form, kind, tile + t, 2, rows, first_row, 3, sums + t * TILE_ROWS);
        else
            dot_tiles(weight, form, kind, tile + t, 2, rows, first_row, 4, sums + t * TILE_ROWS);
    for (; t < n; t++)
        for (size_t i = 0; i < m; i++)
            dot_tiles(weight, form, kind, tile + t, 1, rows, first_row + i, 1, sums + i * CORE_OUTPUTS + t * TILE_ROWS);
}

#define DOT_OF(name, form, kind)                                                                                       \
    static void name(const struct kernels_weight *weight, size_t tile, size_t n, const struct core_rows *rows,         \
                     size_t first_row, size_t m, float *sums)                                                          \
    {                                                                                                                  \
        dot_form(weight, form, kind, tile, n, rows, first_row, m, sums);                                               \
    }
DOT_OF(dot_4, FORM_4, CORE_SCALED)
DOT_OF(dot_4_from_zero, FORM_4, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_8, FORM_8, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_2, FORM_2, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_1, FORM_1, CORE_SCALED)

/* Few rows with a weight in codes; false for any other. */
static bool dot_codes(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                      const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    switch (form_of(weight->desc.format)) {
    case FORM_4:
        (kind == CORE_SCALED ? dot_4 : dot_4_from_zero)(weight, tile, n, rows, first_row, m, sums);
        return true;
    case FORM_8:
        dot_8(weight, tile, n, rows, first_row, m, sums);
        return true;
    case FORM_2:
        dot_2(weight, tile, n, rows, first_row, m, sums);
        return true;
    case FORM_1:
        dot_1(weight, tile, n, rows, first_row, m, sums);
        return true;
    default:
        return false;
    }
}
