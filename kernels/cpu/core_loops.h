/* core_loops.h: how the cores for AVX-512 cut rows and tiles into pieces whose sums fit the registers, written once. Includer has
 * multiply_tile, dot_block, next_step, enum form with form_of and bits_of, STEPS, dot_start, ROWS_TILE, and DOT_FETCH_FROM; this is
 * made to stand in the middle of it. */

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

/* The tiles of a panel lie in one piece, block by block, and the panel that comes next lies behind it. */
INLINE void expand_form(const struct kernels_weight *weight, enum form form, size_t tile, size_t n, size_t begin,
                        size_t end, struct core_panel *to)
{
    const size_t n_vectors = 2 * bits_of(form), per_vector = STEPS / n_vectors, step = tile_step(weight, tile);
    const size_t group = tile_group(weight->desc.format);
    const size_t ahead = (size_t)(tile_codes(weight, tile, CORE_BLOCKS) - tile_codes(weight, tile, 0));
    struct core_dot dot;

    dot_start(&dot, weight);
    to->added = dot.added;
    for (size_t block = begin; block < end; block++) {
        const uint8_t *codes = tile_codes(weight, tile, block);
        uint8_t *out[CORE_TILES];
        for (size_t t = 0; t < n; t++) out[t] = panel_values(to, STEPS, t, block - begin);
        for (size_t v = 0; v < n_vectors; v++)
            for (size_t t = 0; t < n; t++) {
                __m512i now = _mm512_load_si512(codes + v * step + t * TILE_LINE);
                _mm_prefetch(codes + v * step + t * TILE_LINE + ahead, _MM_HINT_T1);
                UNROLL for (size_t s = 0; s < per_vector; s++)
                {
                    _mm512_store_si512(out[t], next_step(form, &now, dot.table));
                    out[t] += CORE_PAIR * 64;
                }
            }
    }
    for (size_t t = 0; group && t < n; t++) {
        struct scale_reader reader;
        scale_reader_start(&reader, weight, tile + t, dot.factor);
        for (size_t block = begin; block < end; block += group) {
            read_scales(&reader, block, tile_scales(weight, tile + t, block));
            for (size_t b = 0; b < group && block + b < end; b++) {
                _mm512_store_ps(to->scales + panel_scales(t, block + b - begin), reader.scales[b]);
                if (weight->has_zeros) _mm512_store_ps(to->zeros + panel_scales(t, block + b - begin), reader.zeros[b]);
            }
        }
    }
}

static void expand_codes(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                         struct core_panel *to)
{
    switch (form_of(weight->desc.format)) {
    case FORM_8:
        expand_form(weight, FORM_8, tile, n, begin, end, to);
        return;
    case FORM_2:
        expand_form(weight, FORM_2, tile, n, begin, end, to);
        return;
    case FORM_1:
        expand_form(weight, FORM_1, tile, n, begin, end, to);
        return;
    default:
        expand_form(weight, FORM_4, tile, n, begin, end, to);
    }
}

/* One block of n tiles times m rows, in pieces whose sums fit the registers and are enough to hide how long each takes. */
INLINE void dot_pieces(struct core_dot *dot, enum form form, enum core_kind kind, size_t block, size_t n,
                       size_t first_row, size_t m, float *sums)
{
    for (size_t i = 0, some; i < m; i += some) {
        size_t left = m - i, n_pieces = (left + DOT_ROWS - 1) / DOT_ROWS, t = 0, row = first_row + i;
        float *to = sums + i * CORE_OUTPUTS;
        some = (left + n_pieces - 1) / n_pieces;
        dot->fetch = i == 0 && m > DOT_FETCH_FROM;
        if (n == 4 && some <= 2) {
            if (some == 1)
                dot_block(dot, form, kind, block, 0, 4, row, 1, to);
            else
                dot_block(dot, form, kind, block, 0, 4, row, 2, to);
            continue;
        }
        for (; t + 2 <= n && some > 2; t += 2) switch (some) {
            case 3:
                dot_block(dot, form, kind, block, t, 2, row, 3, to + t * TILE_ROWS);
                break;
            case 4:
                dot_block(dot, form, kind, block, t, 2, row, 4, to + t * TILE_ROWS);
                break;
            case 5:
                dot_block(dot, form, kind, block, t, 2, row, 5, to + t * TILE_ROWS);
                break;
            case 6:
                dot_block(dot, form, kind, block, t, 2, row, 6, to + t * TILE_ROWS);
                break;
            case 7:
                dot_block(dot, form, kind, block, t, 2, row, 7, to + t * TILE_ROWS);
                break;
            default:
                dot_block(dot, form, kind, block, t, 2, row, 8, to + t * TILE_ROWS);
                break;
            }
        for (; t < n; t++)
            for (size_t j = 0; j < some; j++)
                dot_block(dot, form, kind, block, t, 1, row + j, 1, to + j * CORE_OUTPUTS + t * TILE_ROWS);
    }
}

/* Block by block: all rows meet its codes while they are in the first cache. */
INLINE void dot_form(const struct kernels_weight *weight, enum form form, enum core_kind kind, size_t tile, size_t n,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    const size_t n_blocks = weight->desc.cols / TILE_BLOCK,
                 group = kind == CORE_WHOLE ? 1 : tile_group(weight->desc.format);
    const size_t step = tile_step(weight, tile), block_bytes = 2 * bits_of(form) * step;
    const uint8_t *line = kind == CORE_WHOLE ? tile_codes(weight, tile, 0) : tile_scales(weight, tile, 0);
    struct core_dot dot;
    struct scale_reader readers[CORE_TILES];

    dot_start(&dot, weight);
    dot.rows = rows;
    dot.step = step;
    for (size_t t = 0; t < n; t++) {
        if (kind != CORE_WHOLE) scale_reader_start(&readers[t], weight, tile + t, dot.factor);
        for (size_t i = 0; i < m; i++) _mm512_store_ps(sums + i * CORE_OUTPUTS + t * TILE_ROWS, _mm512_setzero_ps());
    }
    for (size_t first = 0; first < n_blocks; first += group) {
        for (size_t t = 0; kind != CORE_WHOLE && t < n; t++) read_scales(&readers[t], first, line + t * TILE_LINE);
        if (kind != CORE_WHOLE) line += step;
        for (size_t b = 0; b < group && first + b < n_blocks; b++) {
            for (size_t t = 0; kind != CORE_WHOLE && t < n; t++) {
                dot.scales[t] = readers[t].scales[b];
                if (kind == CORE_SCALED_FROM_ZERO) dot.zeros[t] = readers[t].zeros[b];
            }
            dot.codes = line + b * block_bytes;
            dot_pieces(&dot, form, kind, first + b, n, first_row, m, sums);
        }
        line += group * block_bytes;
    }
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
