/* core_avx512_vnni.c: tiles times activations in int8 with sums of whole numbers over each block, by AVX-512's VPDPBUSD (and F,
 * BW, DQ, VL, VBMI), compiled with its flags; nothing here may be called before dispatch.c has seen that the processor and its
 * system have them.
 *
 * Activations become signed bytes, per row and block of 64: x * 127 / their largest magnitude, nearest, ties to even. Weights
 * become unsigned bytes: codes of q8, q4 and q2 as they are, values of nf4 and fp4 times 127, nearest, plus 128; signs of q1 as
 * 2 and 0. What was added is taken off through the sum of the activations, where the sums begin. */
#ifdef __AVX512VNNI__
#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/core_avx512.h"
#include "kernels/formats/fp4.h"
#include "kernels/formats/nf4.h"

#define STEPS     (TILE_BLOCK / 4)
#define ROWS_TILE 6u

#define DOT_FETCH_FROM 6u /* rows above which the processor's own reading ahead no longer keeps the first cache full */

enum form { FORM_4, FORM_2, FORM_1, FORM_8 };

INLINE unsigned bits_of(enum form form)
{
    return form == FORM_4 ? 4 : form == FORM_2 ? 2 : form == FORM_1 ? 1 : 8;
}

static enum form form_of(enum kernels_format format)
{
    return format == KERNELS_Q8 ? FORM_8 : format == KERNELS_Q2 ? FORM_2 : format == KERNELS_Q1 ? FORM_1 : FORM_4;
}

/* Bytes of all codes, repeated until 64 are full; what was added to them; what scales them back. */
struct coding {
    uint8_t bytes[64];
    int32_t added;
    float factor;
};

static struct coding coding_of(enum kernels_format format)
{
    struct coding c = {.added = 0, .factor = 1};
    const float *values = NULL;

    if (format == KERNELS_NF4 || format == KERNELS_NF4_NESTED) values = nf4_values;
    if (format == KERNELS_FP4 || format == KERNELS_FP4_NESTED) values = fp4_values;
    if (values) c.added = 128, c.factor = 1.0f / 127;
    if (format == KERNELS_Q1) c.added = 1;
    for (size_t i = 0; i < sizeof c.bytes; i++) {
        float scaled = values ? values[i % 16] * 127 : 0;
        c.bytes[i] = values                 ? (uint8_t)(128 + (int)(scaled + (scaled < 0 ? -0.5f : 0.5f)))
                     : format == KERNELS_Q1 ? (uint8_t)(i % 2 ? 0 : 2)
                     : format == KERNELS_Q2 ? (uint8_t)(i % 4)
                                            : (uint8_t)(i % 16);
    }
    return c;
}

/* The next step's bytes out of a vector of codes. */
INLINE __m512i next_step(enum form form, __m512i *codes, __m512i table)
{
    __m512i now = *codes;

    if (form == FORM_8) return now;
    *codes = form == FORM_4   ? _mm512_srli_epi16(now, 4)
             : form == FORM_2 ? _mm512_srli_epi16(now, 2)
                              : _mm512_srli_epi16(now, 1);
    return _mm512_permutexvar_epi8(now, table);
}

INLINE __m512i four_of(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Codes, then for each block what scales them back, then for each their sum. */
static size_t row_bytes(size_t cols)
{
    size_t n_blocks = core_n_blocks(cols);
    size_t lines = n_blocks + (n_blocks * (sizeof(float) + sizeof(int32_t)) + TILE_LINE - 1) / TILE_LINE;

    return (lines | 1) * TILE_LINE; /* odd: rows next to each other lie in different sets of the cache */
}

static void pack(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512 values[4];
    __m512i most = _mm512_setzero_si512(), sum = most;
    float absmax, factor;

    for (size_t v = 0; v < 4; v++) {
        values[v] = load_some(x, n, 16 * v);
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(values[v]), magnitude));
    }
    absmax = half_f32_from_bits((uint32_t)_mm512_reduce_max_epi32(most)); /* NaN is above all, and stays */
    factor = absmax > 0 ? 127 / absmax : 0;
    if (!(factor <= 3.0e38f)) factor = 3.0e38f; /* of subnormal rows */
    for (size_t v = 0; v < 4; v++) {
        __m512i codes = _mm512_cvtps_epi32(_mm512_mul_ps(values[v], _mm512_set1_ps(factor)));
        codes = _mm512_max_epi32(_mm512_set1_epi32(-127), _mm512_min_epi32(codes, _mm512_set1_epi32(127)));
        sum = _mm512_add_epi32(sum, codes);
        _mm_storeu_si128((void *)(row + block * TILE_BLOCK + 16 * v), _mm512_cvtepi32_epi8(codes));
    }
    int8_row_scales(row, cols)[block] = absmax > 0 ? 1 / factor : absmax;
    if (!(absmax <= 3.0e38f)) int8_row_scales(row, cols)[block] = absmax; /* NaN and infinity: not to be hidden */
    int8_row_sums(row, cols)[block] = _mm512_reduce_add_epi32(sum);
}

/* --- panels --- */

/* As nf4: times 127 by the largest of each row's block. */
static void expand_values(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    uint8_t *out = panel_values(to, STEPS, tile, block);

    to->added = 128;
    for (size_t lane = 0; lane < TILE_ROWS; lane++) {
        float most = 0;
        for (size_t c = 0; c < TILE_BLOCK; c++) {
            float value = values[lane * TILE_BLOCK + c];
            most = value > most ? value : -value > most ? -value : most;
        }
        to->scales[panel_scales(tile, block) + lane] = most / 127;
        for (size_t c = 0; c < TILE_BLOCK; c++) {
            float scaled = most > 0 ? values[lane * TILE_BLOCK + c] / most * 127 : 0;
            out[c / 4 * CORE_PAIR * 64 + lane * 4 + c % 4] =
                (uint8_t)(128 + (int)(scaled + (scaled < 0 ? -0.5f : 0.5f)));
        }
    }
}

/* m rows with n tiles of one pair. */
INLINE void multiply_tile(const struct core_panel *panel, size_t pair, size_t n, enum core_kind kind, size_t begin,
                          size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    const uint8_t *row = rows->data + first_row * rows->stride;
    const uint8_t *w = panel_values(panel, STEPS, pair * CORE_PAIR, 0);
    const float *x_scales = int8_row_scales(row, rows->cols);
    const int32_t *x_sums = int8_row_sums(row, rows->cols);
    const size_t stride = rows->stride / sizeof(float);
    __m512 total[ROWS_TILE][CORE_PAIR];

    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t t = 0; t < n; t++) total[i][t] =
            begin ? _mm512_load_ps(sums + i * CORE_OUTPUTS + t * TILE_ROWS) : _mm512_setzero_ps();
    }
    for (size_t block = begin; block < end; block++) {
        const uint8_t *x = row + block * TILE_BLOCK;
        __m512i sum[ROWS_TILE][CORE_PAIR];
        UNROLL for (size_t i = 0; i < m; i++)
        {
            UNROLL for (size_t t = 0; t < n; t++) sum[i][t] =
                _mm512_set1_epi32(-panel->added * x_sums[i * stride + block]);
        }
        for (size_t step = 0; step < STEPS; step++) {
            __m512i of_w[CORE_PAIR];
            UNROLL for (size_t t = 0; t < n; t++) of_w[t] = _mm512_load_si512(w + t * 64);
            w += CORE_PAIR * 64;
            UNROLL for (size_t i = 0; i < m; i++)
            {
                __m512i of_x = four_of(x + i * rows->stride + step * 4);
                UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = _mm512_dpbusd_epi32(sum[i][t], of_w[t], of_x);
            }
        }
        UNROLL for (size_t t = 0; t < n; t++)
        {
            size_t at = panel_scales(pair * CORE_PAIR + t, block - begin);
            __m512 scale = _mm512_load_ps(panel->scales + at), zero = _mm512_setzero_ps();
            if (kind == CORE_SCALED_FROM_ZERO) zero = _mm512_load_ps(panel->zeros + at);
            UNROLL for (size_t i = 0; i < m; i++) total[i][t] =
                int8_add_block(total[i][t], sum[i][t], scale, kind == CORE_SCALED_FROM_ZERO ? &zero : NULL,
                               x_scales[i * stride + block], x_sums[i * stride + block]);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t t = 0; t < n; t++) _mm512_store_ps(sums + i * CORE_OUTPUTS + t * TILE_ROWS, total[i][t]);
    }
}

/* --- few rows --- */

/* One block of n tiles that lie side by side, times m rows: codes go from memory through registers into the sums. */
INLINE void dot_block(const struct core_dot *dot, enum form form, enum core_kind kind, size_t block, size_t t0,
                      size_t n, size_t row, size_t m, float *sums)
{
    const unsigned per_vector = 8 / bits_of(form);
    const size_t stride = dot->rows->stride, step = dot->step, apart = stride / sizeof(float);
    const uint8_t *codes = dot->codes + t0 * TILE_LINE, *of_row = dot->rows->data + row * stride;
    const uint8_t *x = of_row + block * TILE_BLOCK;
    const float *x_scales = int8_row_scales(of_row, dot->rows->cols) + block;
    const int32_t *x_sums = int8_row_sums(of_row, dot->rows->cols) + block;
    const __m512i table = dot->table;
    __m512i sum[DOT_ROWS][CORE_TILES];

    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = _mm512_set1_epi32(-dot->added * x_sums[i * apart]);
    }
    for (size_t v = 0; v < STEPS / per_vector; v++) {
        __m512i now[CORE_TILES];
        UNROLL for (size_t t = 0; t < n; t++)
        {
            now[t] = _mm512_load_si512(codes + v * step + t * TILE_LINE);
            if (dot->fetch) _mm_prefetch(codes + v * step + t * TILE_LINE + CORE_FETCH, _MM_HINT_T0);
        }
        UNROLL for (size_t s = 0; s < per_vector; s++)
        {
            __m512i of_w[CORE_TILES];
            UNROLL for (size_t t = 0; t < n; t++) of_w[t] = next_step(form, &now[t], table);
            UNROLL for (size_t i = 0; i < m; i++)
            {
                __m512i of_x = four_of(x + i * stride + (v * per_vector + s) * 4);
                UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = _mm512_dpbusd_epi32(sum[i][t], of_w[t], of_x);
            }
        }
    }
    UNROLL for (size_t t = 0; t < n; t++)
    {
        UNROLL for (size_t i = 0; i < m; i++)
        {
            float *to = sums + i * CORE_OUTPUTS + t * TILE_ROWS;
            _mm512_store_ps(to, int8_add_block(_mm512_load_ps(to), sum[i][t], dot->scales[t0 + t],
                                               kind == CORE_SCALED_FROM_ZERO ? &dot->zeros[t0 + t] : NULL,
                                               x_scales[i * apart], x_sums[i * apart]));
        }
    }
}

INLINE void dot_start(struct core_dot *dot, const struct kernels_weight *weight)
{
    struct coding coding = coding_of(weight->desc.format);

    dot->factor = coding.factor;
    dot->added = coding.added;
    dot->table = _mm512_loadu_si512(coding.bytes);
}

#include "kernels/cpu/core_loops.h"

static void multiply(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    for (size_t t = 0; t < n_tiles; t += CORE_PAIR) {
        float *to = sums + t * TILE_ROWS;
        bool both = n_tiles - t >= CORE_PAIR;
        if (kind == CORE_SCALED && both)
            multiply_pair(panel, t / CORE_PAIR, 2, CORE_SCALED, begin, end, rows, first_row, m, to);
        else if (kind == CORE_SCALED)
            multiply_pair(panel, t / CORE_PAIR, 1, CORE_SCALED, begin, end, rows, first_row, m, to);
        else if (both)
            multiply_pair(panel, t / CORE_PAIR, 2, CORE_SCALED_FROM_ZERO, begin, end, rows, first_row, m, to);
        else
            multiply_pair(panel, t / CORE_PAIR, 1, CORE_SCALED_FROM_ZERO, begin, end, rows, first_row, m, to);
    }
}

const struct cpu_core cpu_core_avx512_vnni = {
    .name = "avx512_vnni",
    .arithmetic = "int8",
    .order = TILE_QUADS,
    .takes_plain = false,
    .kind_of_values = CORE_SCALED,
    .row_bytes = row_bytes,
    .pack = pack,
    .expand = expand_codes,
    .expand_values = expand_values,
    .multiply = multiply,
    .dot = dot_codes,
};
#endif
