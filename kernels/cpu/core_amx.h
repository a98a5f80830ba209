/* core_amx.h: the cores that multiply with AMX tile registers, written once in the words of amx_real.h or amx_twin.h, which the
 * including file took first. Packing and panels are those of the cores for AVX-512, whose instructions every processor with AMX
 * has: a panel is what the second operand of a tile product wants. Includer defines CORE_AMX(what), what_amx or what_twin.
 *
 * All numbers of rows go through tiles: a tile product sums the even and the odd ones of 32 columns apart. */
#include <string.h>

#include "kernels/cpu/core_avx512.h"

#define AMX_ROWS 16u
#define AMX_FEW  4u /* rows that need no tile registers */

static size_t bf16_row_bytes(size_t cols)
{
    return cpu_core_avx512_bf16.row_bytes(cols);
}

static void bf16_pack(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    cpu_core_avx512_bf16.pack(x, n, cols, block, row);
}

static void bf16_expand(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                        struct core_panel *to)
{
    cpu_core_avx512_bf16.expand(weight, tile, n, begin, end, to);
}

static void bf16_expand_values(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    cpu_core_avx512_bf16.expand_values(values, tile, block, to);
}

static size_t int8_row_bytes(size_t cols)
{
    return cpu_core_avx512_vnni.row_bytes(cols);
}

static void int8_pack(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    cpu_core_avx512_vnni.pack(x, n, cols, block, row);
}

static void int8_expand(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                        struct core_panel *to)
{
    cpu_core_avx512_vnni.expand(weight, tile, n, begin, end, to);
}

static void int8_expand_values(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    cpu_core_avx512_vnni.expand_values(values, tile, block, to);
}

/* Few rows: sums of whole numbers are the same without tiles. */
static bool int8_dot(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    return m <= AMX_FEW && cpu_core_avx512_vnni.dot(weight, kind, tile, n, rows, first_row, m, sums);
}

static bool bf16_dot(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    (void)weight, (void)kind, (void)tile, (void)n, (void)rows, (void)first_row, (void)m, (void)sums;
    return false;
}

/* Tile registers: 0 and 1 sums of the first 16 rows with a pair of tiles, 2 and 3 of the next; 4 and 5 rows; 6 and 7 weights. */
struct amx_shape {
    size_t low, high; /* rows in each half */
};

static void configure(struct amx_shape *now, size_t m)
{
    struct amx_shape want = {m < AMX_ROWS ? m : AMX_ROWS, m <= AMX_ROWS ? 0 : m - AMX_ROWS};
    struct amx_config config = {.palette = 1};

    if (now->low == want.low && now->high == want.high) return;
    for (size_t t = 0; t < 8; t++) {
        size_t rows = t >= 6 ? AMX_ROWS : t == 4 || t < 2 ? want.low : want.high;
        config.rows[t] = (uint8_t)rows;
        config.row_bytes[t] = rows ? 64 : 0;
    }
    amx_configure(&config);
    *now = want;
}

/* One block of up to 32 rows with a pair of tiles, onto the sums in the registers. */
INLINE void bf16_block(const uint8_t *x, size_t stride, const uint8_t *w, bool high)
{
    for (size_t half = 0; half < 2; half++) {
        amx_load(4, x + half * 64, stride);
        amx_load(6, w, CORE_PAIR * 64);
        amx_load(7, w + 64, CORE_PAIR * 64);
        amx_bf16(0, 4, 6);
        amx_bf16(1, 4, 7);
        if (high) {
            amx_load(5, x + AMX_ROWS * stride + half * 64, stride);
            amx_bf16(2, 5, 6);
            amx_bf16(3, 5, 7);
        }
        w += AMX_ROWS * CORE_PAIR * 64;
    }
}

INLINE void int8_block(const uint8_t *x, size_t stride, const uint8_t *w, bool high)
{
    amx_load(4, x, stride);
    amx_load(6, w, CORE_PAIR * 64);
    amx_load(7, w + 64, CORE_PAIR * 64);
    amx_int8(0, 4, 6);
    amx_int8(1, 4, 7);
    if (high) {
        amx_load(5, x + AMX_ROWS * stride, stride);
        amx_int8(2, 5, 6);
        amx_int8(3, 5, 7);
    }
}

INLINE void clear_sums(bool high)
{
    amx_zero(0);
    amx_zero(1);
    if (high) {
        amx_zero(2);
        amx_zero(3);
    }
}

/* 32 rows of two tiles, each row 128 bytes. */
INLINE void store_sums(void *to, size_t stride, bool high)
{
    amx_store(0, to, stride);
    amx_store(1, (char *)to + 64, stride);
    if (high) {
        amx_store(2, (char *)to + AMX_ROWS * stride, stride);
        amx_store(3, (char *)to + AMX_ROWS * stride + 64, stride);
    }
}

INLINE void load_sums(const void *from, size_t stride, bool high)
{
    amx_load(0, from, stride);
    amx_load(1, (const char *)from + 64, stride);
    if (high) {
        amx_load(2, (const char *)from + AMX_ROWS * stride, stride);
        amx_load(3, (const char *)from + AMX_ROWS * stride + 64, stride);
    }
}

/* A last tile without partner is multiplied with what lies there, and that is thrown away. */
INLINE void multiply_rows(const struct core_panel *panel, enum core_kind kind, bool codes, size_t tile, size_t n,
                          size_t begin, size_t end, const struct core_rows *rows, size_t first_row, size_t m,
                          float *sums)
{
    float apart[2 * AMX_ROWS * CORE_PAIR * TILE_ROWS] __attribute__((aligned(64)));
    const size_t apart_stride = CORE_PAIR * TILE_ROWS * sizeof(float), sums_stride = CORE_OUTPUTS * sizeof(float);
    const uint8_t *row = rows->data + first_row * rows->stride;
    bool high = m > AMX_ROWS;

    if (kind == CORE_WHOLE && begin == 0) clear_sums(high);
    if (kind == CORE_WHOLE && begin) load_sums(sums, sums_stride, high);
    for (size_t block = begin; block < end; block++) {
        if (kind != CORE_WHOLE) clear_sums(high);
        if (codes)
            int8_block(row + block * TILE_BLOCK, rows->stride, panel_values(panel, TILE_BLOCK / 4, tile, block - begin),
                       high);
        else
            bf16_block(row + block * TILE_BLOCK * 2, rows->stride,
                       panel_values(panel, TILE_BLOCK / 2, tile, block - begin), high);
        if (kind == CORE_WHOLE) continue;
        store_sums(apart, apart_stride, high);
        for (size_t t = 0; t < n; t++) {
            size_t at = panel_scales(tile + t, block - begin);
            __m512 scale = _mm512_load_ps(panel->scales + at), zero = _mm512_setzero_ps();
            if (kind == CORE_SCALED_FROM_ZERO) zero = _mm512_load_ps(panel->zeros + at);
            for (size_t i = 0; i < m; i++) {
                const uint8_t *of = row + i * rows->stride;
                float *to = sums + i * CORE_OUTPUTS + t * TILE_ROWS;
                __m512 total = block ? _mm512_load_ps(to) : _mm512_setzero_ps();
                const float *sum = apart + (i * CORE_PAIR + t) * TILE_ROWS;
                if (codes) {
                    int32_t x_sum = int8_row_sums(of, rows->cols)[block];
                    total = int8_add_block(
                        total, _mm512_sub_epi32(_mm512_load_si512(sum), _mm512_set1_epi32(panel->added * x_sum)), scale,
                        kind == CORE_SCALED_FROM_ZERO ? &zero : NULL, int8_row_scales(of, rows->cols)[block], x_sum);
                } else {
                    total = _mm512_fmadd_ps(_mm512_load_ps(sum), scale, total);
                    if (kind == CORE_SCALED_FROM_ZERO)
                        total = _mm512_fmadd_ps(_mm512_set1_ps(bf16_row_sums(of, rows->cols)[block]), zero, total);
                }
                _mm512_store_ps(to, total);
            }
        }
    }
    if (kind == CORE_WHOLE) store_sums(sums, sums_stride, high);
}

INLINE void multiply(const struct core_panel *panel, enum core_kind kind, bool codes, size_t n_tiles, size_t begin,
                     size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    struct amx_shape shape = {0, 0};

    for (size_t i = 0; i < m; i += 2 * AMX_ROWS) {
        size_t some = m - i < 2 * AMX_ROWS ? m - i : 2 * AMX_ROWS;
        configure(&shape, some);
        for (size_t t = 0; t < n_tiles; t += CORE_PAIR)
            multiply_rows(panel, kind, codes, t, n_tiles - t < CORE_PAIR ? n_tiles - t : CORE_PAIR, begin, end, rows,
                          first_row + i, some, sums + i * CORE_OUTPUTS + t * TILE_ROWS);
    }
    amx_release();
}

static void bf16_multiply(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                          const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    multiply(panel, kind, false, n_tiles, begin, end, rows, first_row, m, sums);
}

static void int8_multiply(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                          const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    multiply(panel, kind, true, n_tiles, begin, end, rows, first_row, m, sums);
}

#define CORE_AMX_BF16(of_name)                                                                                         \
    {                                                                                                                  \
        .name = of_name, .arithmetic = "bf16", .order = TILE_PAIRS, .takes_plain = true, .kind_of_values = CORE_WHOLE, \
        .row_bytes = bf16_row_bytes, .pack = bf16_pack, .expand = bf16_expand, .expand_values = bf16_expand_values,    \
        .multiply = bf16_multiply, .dot = bf16_dot                                                                     \
    }
#define CORE_AMX_INT8(of_name)                                                                                         \
    {                                                                                                                  \
        .name = of_name, .arithmetic = "int8", .order = TILE_QUADS, .takes_plain = false,                              \
        .kind_of_values = CORE_SCALED, .row_bytes = int8_row_bytes, .pack = int8_pack, .expand = int8_expand,          \
        .expand_values = int8_expand_values, .multiply = int8_multiply, .dot = int8_dot                                \
    }
