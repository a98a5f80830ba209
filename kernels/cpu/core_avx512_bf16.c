/* core_avx512_bf16.c: tiles times activations in bf16 with f32 sums, by AVX-512's VDPBF16PS (and F, BW, DQ, VL, VBMI), compiled
 * with its flags; nothing here may be called before dispatch.c has seen that the processor and its system have them.
 *
 * A step takes two columns: 16 pairs of weights, one a lane, times one pair of a row of activations. Codes become bf16 by one
 * look-up of 32 words, the scale comes after the block: codes of q8 to q1 and values of fp4, times 12, are exact in bf16;
 * those of nf4 are taken times NF4_STRETCH, which brings them nearest to what bf16 holds: within 2^-9 of each, 0.6 of the error
 * that they would have as they are. */
#ifdef __AVX512BF16__
#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/core_avx512.h"

#define NF4_STRETCH 1.437f
#define FP4_STRETCH 12.0f
#define STEPS       (TILE_BLOCK / 2)
#define ROWS_TILE                                                                                                      \
    6u /* with two tiles 12 sums of a block, 12 of all, 2 of weights, 1 of activations: 27 of 32 registers */

#define DOT_FETCH_FROM 2u /* rows above which the processor's own reading ahead no longer keeps the first cache full */

static const uint16_t nf4_words[16] = {0xbfb8, 0xbf80, 0xbf41, 0xbf11, 0xbed1, 0xbe88, 0xbe06, 0x0000,
                                       0x3dea, 0x3e6d, 0x3eb5, 0x3ef9, 0x3f22, 0x3f4f, 0x3f85, 0x3fb8};
static const uint16_t fp4_words[16] = {0x0000, 0x3d80, 0x4100, 0x4140, 0x4080, 0x40c0, 0x4000, 0x4040,
                                       0x8000, 0xbd80, 0xc100, 0xc140, 0xc080, 0xc0c0, 0xc000, 0xc040};
static const uint16_t whole_words[16] = {0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
                                         0x4100, 0x4110, 0x4120, 0x4130, 0x4140, 0x4150, 0x4160, 0x4170};
static const uint16_t sign_words[2] = {0x3f80, 0xbf80};

enum form { FORM_4, FORM_2, FORM_1, FORM_8, FORM_BF16, FORM_F16 };

INLINE unsigned bits_of(enum form form)
{
    return form == FORM_4 ? 4 : form == FORM_2 ? 2 : form == FORM_1 ? 1 : form == FORM_8 ? 8 : 16;
}

static enum form form_of(enum kernels_format format)
{
    switch (format) {
    case KERNELS_BF16:
        return FORM_BF16;
    case KERNELS_F16:
        return FORM_F16;
    case KERNELS_Q8:
        return FORM_8;
    case KERNELS_Q2:
        return FORM_2;
    case KERNELS_Q1:
        return FORM_1;
    default:
        return FORM_4;
    }
}

/* Values of all codes, repeated until 32 words are full. */
static __m512i table_of(enum kernels_format format)
{
    const uint16_t *from = whole_words;
    size_t n = 16;
    uint16_t words[32];

    if (format == KERNELS_Q1)
        from = sign_words, n = 2;
    else if (format == KERNELS_Q2)
        n = 4;
    else if (format == KERNELS_NF4 || format == KERNELS_NF4_NESTED)
        from = nf4_words;
    else if (format == KERNELS_FP4 || format == KERNELS_FP4_NESTED)
        from = fp4_words;
    for (size_t i = 0; i < 32; i++) words[i] = from[i % n];
    return _mm512_loadu_si512(words);
}

static float factor_of(enum kernels_format format)
{
    if (format == KERNELS_NF4 || format == KERNELS_NF4_NESTED) return 1 / NF4_STRETCH;
    return format == KERNELS_FP4 || format == KERNELS_FP4_NESTED ? 1 / FP4_STRETCH : 1;
}

/* f32 of whole numbers below 256 have nothing in their lower halves. */
INLINE __m512i bytes_as_bf16(__m512i words)
{
    __m512i low = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_and_si512(words, _mm512_set1_epi32(0xff))));
    __m512i high = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_srli_epi32(words, 16)));

    return _mm512_or_si512(_mm512_srli_epi32(low, 16), high);
}

INLINE __m512i halves_as_bf16(__m512i words)
{
    __m512 low = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
    __m512 high = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(words, 16)));
    __m512i of_low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
    __m512i of_high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));

    return _mm512_or_si512(of_low, _mm512_slli_epi32(of_high, 16));
}

/* The next step's pairs out of a vector of codes. */
INLINE __m512i next_step(enum form form, __m512i *codes, __m512i table)
{
    __m512i now = *codes;

    if (form == FORM_BF16) return now;
    if (form == FORM_F16) return halves_as_bf16(now);
    if (form == FORM_8) {
        *codes = _mm512_srli_epi16(now, 8);
        return bytes_as_bf16(_mm512_and_si512(now, _mm512_set1_epi16(0xff)));
    }
    *codes = form == FORM_4   ? _mm512_srli_epi16(now, 4)
             : form == FORM_2 ? _mm512_srli_epi16(now, 2)
                              : _mm512_srli_epi16(now, 1);
    return _mm512_permutexvar_epi16(now, table);
}

INLINE __m512bh pair_of(const uint8_t *x)
{
    int32_t pair;

    memcpy(&pair, x, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

static size_t row_bytes(size_t cols)
{
    size_t n_blocks = core_n_blocks(cols);
    size_t lines = 2 * n_blocks + (n_blocks * sizeof(float) + TILE_LINE - 1) / TILE_LINE;

    return (lines | 1) * TILE_LINE; /* odd: rows next to each other lie in different sets of the cache */
}

static void pack(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    __m512 sum = _mm512_setzero_ps();
    float *sums = bf16_row_sums(row, cols);

    for (size_t c = 0; c < TILE_BLOCK; c += 32) {
        __m512 low = load_some(x, n, c), high = load_some(x, n, c + 16);
        __m512i pair = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_storeu_si512(row + (block * TILE_BLOCK + c) * 2, pair);
        sum = _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)));
        sum = _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000))));
    }
    sums[block] = _mm512_reduce_add_ps(sum);
}

/* --- panels --- */

static void expand_values(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    uint16_t *out = (uint16_t *)(void *)panel_values(to, STEPS, tile, block);

    for (size_t step = 0; step < STEPS; step++)
        for (size_t lane = 0; lane < TILE_ROWS; lane++)
            for (size_t i = 0; i < 2; i++)
                out[step * CORE_PAIR * 32 + lane * 2 + i] =
                    half_bf16_from_f32(values[lane * TILE_BLOCK + 2 * step + i]);
}

/* m rows with n tiles of one pair. */
INLINE void multiply_tile(const struct core_panel *panel, size_t pair, size_t n, enum core_kind kind, size_t begin,
                          size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    const uint8_t *row = rows->data + first_row * rows->stride;
    const uint8_t *w = panel_values(panel, STEPS, pair * CORE_PAIR, 0);
    __m512 total[ROWS_TILE][CORE_PAIR];

    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t t = 0; t < n; t++) total[i][t] =
            begin ? _mm512_load_ps(sums + i * CORE_OUTPUTS + t * TILE_ROWS) : _mm512_setzero_ps();
    }
    for (size_t block = begin; block < end; block++) {
        const uint8_t *x = row + block * TILE_BLOCK * 2;
        __m512 sum[ROWS_TILE][CORE_PAIR];
        UNROLL for (size_t i = 0; i < m; i++)
        {
            UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = kind == CORE_WHOLE ? total[i][t] : _mm512_setzero_ps();
        }
        for (size_t step = 0; step < STEPS; step++) {
            __m512bh of_w[CORE_PAIR];
            UNROLL for (size_t t = 0; t < n; t++) of_w[t] = (__m512bh)_mm512_load_si512(w + t * 64);
            w += CORE_PAIR * 64;
            UNROLL for (size_t i = 0; i < m; i++)
            {
                __m512bh of_x = pair_of(x + i * rows->stride + step * 4);
                UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = _mm512_dpbf16_ps(sum[i][t], of_w[t], of_x);
            }
        }
        UNROLL for (size_t t = 0; t < n; t++)
        {
            size_t at = panel_scales(pair * CORE_PAIR + t, block - begin);
            UNROLL for (size_t i = 0; i < m; i++)
            {
                total[i][t] = kind == CORE_WHOLE
                                  ? sum[i][t]
                                  : _mm512_fmadd_ps(sum[i][t], _mm512_load_ps(panel->scales + at), total[i][t]);
                if (kind == CORE_SCALED_FROM_ZERO)
                    total[i][t] =
                        _mm512_fmadd_ps(_mm512_set1_ps(bf16_row_sums(row + i * rows->stride, rows->cols)[block]),
                                        _mm512_load_ps(panel->zeros + at), total[i][t]);
            }
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
    const unsigned per_vector = 16 / bits_of(form);
    const size_t stride = dot->rows->stride, step = dot->step;
    const uint8_t *codes = dot->codes + t0 * TILE_LINE, *of_row = dot->rows->data + row * stride;
    const uint8_t *x = of_row + block * TILE_BLOCK * 2;
    const __m512i table = dot->table;
    __m512 sum[DOT_ROWS][CORE_TILES];

    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t t = 0; t < n; t++) sum[i][t] =
            kind == CORE_WHOLE ? _mm512_load_ps(sums + i * CORE_OUTPUTS + t * TILE_ROWS) : _mm512_setzero_ps();
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
            __m512bh of_w[CORE_TILES];
            UNROLL for (size_t t = 0; t < n; t++) of_w[t] = (__m512bh)next_step(form, &now[t], table);
            UNROLL for (size_t i = 0; i < m; i++)
            {
                __m512bh of_x = pair_of(x + i * stride + (v * per_vector + s) * 4);
                UNROLL for (size_t t = 0; t < n; t++) sum[i][t] = _mm512_dpbf16_ps(sum[i][t], of_w[t], of_x);
            }
        }
    }
    UNROLL for (size_t t = 0; t < n; t++)
    {
        UNROLL for (size_t i = 0; i < m; i++)
        {
            float *to = sums + i * CORE_OUTPUTS + t * TILE_ROWS;
            if (kind != CORE_WHOLE) sum[i][t] = _mm512_fmadd_ps(sum[i][t], dot->scales[t0 + t], _mm512_load_ps(to));
            if (kind == CORE_SCALED_FROM_ZERO)
                sum[i][t] = _mm512_fmadd_ps(_mm512_set1_ps(bf16_row_sums(of_row + i * stride, dot->rows->cols)[block]),
                                            dot->zeros[t0 + t], sum[i][t]);
            _mm512_store_ps(to, sum[i][t]);
        }
    }
}

INLINE void dot_start(struct core_dot *dot, const struct kernels_weight *weight)
{
    dot->factor = factor_of(weight->desc.format);
    dot->added = 0;
    dot->table = table_of(weight->desc.format);
}

#include "kernels/cpu/core_loops.h"

static void multiply(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    for (size_t t = 0; t < n_tiles; t += CORE_PAIR) {
        float *to = sums + t * TILE_ROWS;
        bool both = n_tiles - t >= CORE_PAIR;
        if (kind == CORE_WHOLE && both)
            multiply_pair(panel, t / CORE_PAIR, 2, CORE_WHOLE, begin, end, rows, first_row, m, to);
        else if (kind == CORE_WHOLE)
            multiply_pair(panel, t / CORE_PAIR, 1, CORE_WHOLE, begin, end, rows, first_row, m, to);
        else if (kind == CORE_SCALED && both)
            multiply_pair(panel, t / CORE_PAIR, 2, CORE_SCALED, begin, end, rows, first_row, m, to);
        else if (kind == CORE_SCALED)
            multiply_pair(panel, t / CORE_PAIR, 1, CORE_SCALED, begin, end, rows, first_row, m, to);
        else if (both)
            multiply_pair(panel, t / CORE_PAIR, 2, CORE_SCALED_FROM_ZERO, begin, end, rows, first_row, m, to);
        else
            multiply_pair(panel, t / CORE_PAIR, 1, CORE_SCALED_FROM_ZERO, begin, end, rows, first_row, m, to);
    }
}

DOT_OF(dot_bf16, FORM_BF16, CORE_WHOLE)
DOT_OF(dot_f16, FORM_F16, CORE_WHOLE)

static void expand(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                   struct core_panel *to)
{
    switch (form_of(weight->desc.format)) {
    case FORM_BF16:
        expand_form(weight, FORM_BF16, tile, n, begin, end, to);
        return;
    case FORM_F16:
        expand_form(weight, FORM_F16, tile, n, begin, end, to);
        return;
    default:
        expand_codes(weight, tile, n, begin, end, to);
    }
}

static bool dot(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    switch (form_of(weight->desc.format)) {
    case FORM_BF16:
        dot_bf16(weight, tile, n, rows, first_row, m, sums);
        return true;
    case FORM_F16:
        dot_f16(weight, tile, n, rows, first_row, m, sums);
        return true;
    default:
        return dot_codes(weight, kind, tile, n, rows, first_row, m, sums);
    }
}

const struct cpu_core cpu_core_avx512_bf16 = {
    .name = "avx512_bf16",
    .arithmetic = "bf16",
    .order = TILE_PAIRS,
    .takes_plain = true,
    .kind_of_values = CORE_WHOLE,
    .row_bytes = row_bytes,
    .pack = pack,
    .expand = expand,
    .expand_values = expand_values,
    .multiply = multiply,
    .dot = dot,
};
#endif
