/* inner_loops.h: the inner loops of isa.h, written once in the vector words of the simd_*.h that the including file took
 * first. Included by exactly one file for each instruction set, which ends with ISA_TABLE.
 *
 * m rows of activations, n rows of weights, k elements of each. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/unroll.h"
#include "kernels/formats/half.h"
#include "kernels/formats/kv.h"
#include "kernels/formats/nf4_loops.h"

INLINE void source_values(enum kernels_format format, const void *from, size_t at, size_t n, float *out)
{
    size_t i = 0;

    switch (format) {
    case KERNELS_F32:
        memcpy(out, (const float *)from + at, n * sizeof(float));
        return;
    case KERNELS_F16:
        for (; i + LANES <= n; i += LANES) v_store(out + i, v_load_f16((const uint16_t *)from + at + i));
        for (; i < n; i++) out[i] = half_f16_to_f32(((const uint16_t *)from)[at + i]);
        return;
    case KERNELS_BF16:
        for (; i < n; i++) out[i] = half_bf16_to_f32(((const uint16_t *)from)[at + i]);
        return;
    default:
        for (; i < n; i++) out[i] = half_e4m3_to_f32(((const uint8_t *)from)[at + i]);
        return;
    }
}
#define SOURCE_VALUES source_values
#include "kernels/cpu/quantize_loops.h"

#define BLOCK_VECTORS (64u / LANES)

/* The last lanes of a row that is no multiple of the vector; zeros behind. */
INLINE vf load_part(enum kernels_format format, const void *from, size_t at, size_t n)
{
    float part[LANES] = {0};

    for (size_t i = 0; i < n; i++)
        part[i] = format == KERNELS_F32   ? ((const float *)from)[at + i]
                  : format == KERNELS_F16 ? half_f16_to_f32(((const uint16_t *)from)[at + i])
                                          : half_bf16_to_f32(((const uint16_t *)from)[at + i]);
    return v_load(part);
}

INLINE vf load_whole(enum kernels_format format, const void *from, size_t at)
{
    if (format == KERNELS_F32) return v_load((const float *)from + at);
    if (format == KERNELS_F16) return v_load_f16((const uint16_t *)from + at);
    return v_load_bf16((const uint16_t *)from + at);
}

/* Where blocks of one row begin, and what scales them. */
struct row_blocks {
    const uint8_t *codes;
    const float *absmax, *table;
    const uint16_t *scales, *zeros;
    float space[CPU_CHUNK / 64];
};

/* Scales of n blocks of 64 of a weight whose own blocks are 64 or larger, from block `first` of 64 on. */
INLINE const float *scales_of(const struct kernels_weight *weight, size_t first, size_t n, size_t ahead, float *space)
{
    unsigned shift = weight->block_shift;

    if (weight->absmax_codes) {
        __builtin_prefetch(weight->absmax_codes + ((first + ahead) >> shift));
        for (size_t i = 0; i < n; i++)
            nf4_loop_unnest(weight->absmax_codes, weight->nested_absmax, weight->nested_map, weight->nested_offset,
                            (first + i) >> shift, 1, space + i);
        return space;
    }
    __builtin_prefetch(weight->absmax + ((first + ahead) >> shift));
    if (shift == 0) return weight->absmax + first;
    for (size_t i = 0; i < n; i++) space[i] = weight->absmax[(first + i) >> shift];
    return space;
}

/* Blocks from element `at` of the weight on; those `ahead` blocks on are fetched for later. */
INLINE void find_blocks(const struct kernels_weight *weight, unsigned bits, size_t at, size_t n_blocks, size_t ahead,
                        struct row_blocks *row)
{
    row->codes = (const uint8_t *)weight->data + at / 64 * (8 * bits);
    if (weight->scales) {
        row->scales = weight->scales + at / 64;
        row->zeros = weight->zeros + at / 64;
        row->table = lowbit_steps;
        __builtin_prefetch(row->scales + ahead);
        return;
    }
    row->scales = NULL;
    row->table = weight->desc.format <= KERNELS_NF4_NESTED ? nf4_values : fp4_values;
    row->absmax = scales_of(weight, at / 64, n_blocks, ahead, row->space);
}

/* The 64 values of a block: of 4 bits in packed order, else in their own. */
INLINE void block_values(unsigned bits, const struct row_blocks *row, size_t b, vf w[BLOCK_VECTORS])
{
    const uint8_t *codes = row->codes + b * (8 * bits);

    if (bits == 1)
        v_block1(codes, v_f16(row->scales[b]), w);
    else if (bits == 2)
        v_block2(codes, v_f16(row->scales[b]), v_f16(row->zeros[b]), w);
    else if (bits == 8) {
        vf scale = v_set(v_f16(row->scales[b])), zero = v_set(v_f16(row->zeros[b]));
        UNROLL for (size_t v = 0; v < BLOCK_VECTORS; v++) w[v] = v_fma(v_load_u8(codes + v * LANES), scale, zero);
    } else if (row->scales)
        v_block4(codes, row->table, v_f16(row->scales[b]), v_f16(row->zeros[b]), w);
    else
        v_block4(codes, row->table, row->absmax[b], 0, w);
}

/* sums[j][i] += x[i] . W[row + j] over [begin, end) of one chunk, for m rows of x and DOT_N or one row of W. */
INLINE void dot_blocks(const struct kernels_weight *weight, unsigned bits, size_t row, size_t begin, size_t end,
                       const float *x, size_t x_stride, size_t m, size_t n, vf sums[DOT_N][CPU_FEW_ROWS])
{
    struct row_blocks rows[DOT_N];
    size_t n_blocks = (end - begin) / 64,
           ahead = DOT_N * weight->desc.cols / 64; /* blocks to the rows that come next */

    UNROLL for (size_t j = 0; j < n; j++)
        find_blocks(weight, bits, (row + j) * weight->desc.cols + begin, n_blocks, ahead, &rows[j]);
    for (size_t b = 0; b < n_blocks; b++) {
        UNROLL for (size_t j = 0; j < n; j++)
        {
            vf w[BLOCK_VECTORS];
            __builtin_prefetch(rows[j].codes + (b + ahead) * (8 * bits));
            block_values(bits, &rows[j], b, w);
            UNROLL for (size_t v = 0; v < BLOCK_VECTORS; v++)
            {
                UNROLL for (size_t i = 0; i < m; i++) sums[j][i] =
                    v_fma(w[v], v_load(x + i * x_stride + begin + b * 64 + v * LANES), sums[j][i]);
            }
        }
    }
}

INLINE void dot_plain(const struct kernels_weight *weight, enum kernels_format format, size_t row, size_t begin,
                      size_t end, const float *x, size_t x_stride, size_t m, size_t n, vf sums[DOT_N][CPU_FEW_ROWS])
{
    size_t k = weight->desc.cols, c = begin;

    for (; c + LANES <= end; c += LANES) {
        UNROLL for (size_t j = 0; j < n; j++)
        {
            vf w = load_whole(format, weight->data, (row + j) * k + c);
            __builtin_prefetch((const char *)weight->data +
                               ((row + j + DOT_N) * k + c) * (format == KERNELS_F32 ? 4 : 2));
            UNROLL for (size_t i = 0; i < m; i++) sums[j][i] = v_fma(w, v_load(x + i * x_stride + c), sums[j][i]);
        }
    }
    if (c == end) return;
    UNROLL for (size_t j = 0; j < n; j++)
    {
        vf w = load_part(format, weight->data, (row + j) * k + c, end - c);
        UNROLL for (size_t i = 0; i < m; i++) sums[j][i] = v_fma(w, v_load(x + i * x_stride + c), sums[j][i]);
    }
}

INLINE void dot_rows(const struct kernels_weight *weight, size_t row, const float *x, size_t x_stride, size_t m,
                     size_t n, float *out, size_t out_stride)
{
    const size_t k = weight->desc.cols;
    float total[CPU_FEW_ROWS][DOT_N] = {{0}};

    for (size_t begin = 0; begin < k; begin += CPU_CHUNK) {
        size_t end = begin + CPU_CHUNK < k ? begin + CPU_CHUNK : k;
        vf sums[DOT_N][CPU_FEW_ROWS];
        UNROLL for (size_t j = 0; j < DOT_N; j++)
        {
            UNROLL for (size_t i = 0; i < m; i++) sums[j][i] = v_set(0);
        }
        switch (weight->desc.format) {
        case KERNELS_F32:
            dot_plain(weight, KERNELS_F32, row, begin, end, x, x_stride, m, n, sums);
            break;
        case KERNELS_F16:
            dot_plain(weight, KERNELS_F16, row, begin, end, x, x_stride, m, n, sums);
            break;
        case KERNELS_BF16:
            dot_plain(weight, KERNELS_BF16, row, begin, end, x, x_stride, m, n, sums);
            break;
        case KERNELS_Q8:
            dot_blocks(weight, 8, row, begin, end, x, x_stride, m, n, sums);
            break;
        case KERNELS_Q2:
            dot_blocks(weight, 2, row, begin, end, x, x_stride, m, n, sums);
            break;
        case KERNELS_Q1:
            dot_blocks(weight, 1, row, begin, end, x, x_stride, m, n, sums);
            break;
        default:
            dot_blocks(weight, 4, row, begin, end, x, x_stride, m, n, sums);
            break;
        }
        UNROLL for (size_t i = 0; i < m; i++)
        {
            float part[4];
            v_sum4(sums[0][i], sums[1][i], sums[2][i], sums[3][i], part);
            UNROLL for (size_t j = 0; j < n; j++) total[i][j] = begin ? total[i][j] + part[j] : part[j];
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t j = 0; j < n; j++) out[i * out_stride + j] = total[i][j];
    }
}

_Static_assert(DOT_N == 4, "dot_rows adds four rows' lanes together");

#define DOT_OF(m)                                                                                                      \
    static void dot_##m(const struct kernels_weight *weight, size_t first, size_t n, const float *x, size_t x_stride,  \
                        float *out, size_t out_stride)                                                                 \
    {                                                                                                                  \
        size_t j = 0;                                                                                                  \
        for (; j + DOT_N <= n; j += DOT_N) dot_rows(weight, first + j, x, x_stride, m, DOT_N, out + j, out_stride);    \
        for (; j < n; j++) dot_rows(weight, first + j, x, x_stride, m, 1, out + j, out_stride);                        \
    }
DOT_OF(1)
DOT_OF(2)
DOT_OF(3)
DOT_OF(4)

static void dot(const struct kernels_weight *weight, size_t first, size_t n, const float *x, size_t x_stride, size_t m,
                float *out, size_t out_stride)
{
    switch (m) {
    case 1:
        dot_1(weight, first, n, x, x_stride, out, out_stride);
        break;
    case 2:
        dot_2(weight, first, n, x, x_stride, out, out_stride);
        break;
    case 3:
        dot_3(weight, first, n, x, x_stride, out, out_stride);
        break;
    default:
        dot_4(weight, first, n, x, x_stride, out, out_stride);
        break;
    }
}

static void expand_plain(const struct kernels_weight *weight, enum kernels_format format, size_t at, size_t n,
                         float *out)
{
    const size_t size = format == KERNELS_F32 ? 4 : 2, ahead = CPU_EXPANDED * weight->desc.cols;
    size_t c = 0;

    for (; c + LANES <= n; c += LANES) {
        __builtin_prefetch((const char *)weight->data + (at + c + ahead) * size);
        v_store(out + c, load_whole(format, weight->data, at + c));
    }
    if (c < n) v_store(out + c, load_part(format, weight->data, at + c, n - c));
}

INLINE void expand_blocks(const struct kernels_weight *weight, unsigned bits, size_t at, size_t n, float *out)
{
    size_t ahead = CPU_EXPANDED * weight->desc.cols / 64; /* blocks to the rows that come next */
    struct row_blocks row;

    find_blocks(weight, bits, at, n / 64, ahead, &row);
    for (size_t b = 0; b < n / 64; b++) {
        vf w[BLOCK_VECTORS];
        __builtin_prefetch(row.codes + (b + ahead) * (8 * bits));
        block_values(bits, &row, b, w);
        UNROLL for (size_t v = 0; v < BLOCK_VECTORS; v++) v_store(out + b * 64 + v * LANES, w[v]);
    }
}

/* Rows that end inside a block, or the other order: rare shapes, no hurry. */
static void expand_slowly(const struct kernels_weight *weight, size_t at, size_t n, float *out)
{
    cpu_weight_values(weight, at, n, out);
    for (size_t c = n; c % LANES; c++) out[c] = 0;
}

static void expand(const struct kernels_weight *weight, bool permuted, size_t first, size_t n, size_t begin, size_t end,
                   float *out)
{
    for (size_t j = 0; j < n; j++, out += CPU_CHUNK) {
        size_t at = (first + j) * weight->desc.cols + begin;
        if (!cpu_is_whole(weight) || permuted != cpu_is_permuted(weight)) {
            expand_slowly(weight, at, end - begin, out);
            continue;
        }
        switch (weight->desc.format) {
        case KERNELS_F32:
            expand_plain(weight, KERNELS_F32, at, end - begin, out);
            break;
        case KERNELS_F16:
            expand_plain(weight, KERNELS_F16, at, end - begin, out);
            break;
        case KERNELS_BF16:
            expand_plain(weight, KERNELS_BF16, at, end - begin, out);
            break;
        case KERNELS_Q8:
            expand_blocks(weight, 8, at, end - begin, out);
            break;
        case KERNELS_Q2:
            expand_blocks(weight, 2, at, end - begin, out);
            break;
        case KERNELS_Q1:
            expand_blocks(weight, 1, at, end - begin, out);
            break;
        default:
            expand_blocks(weight, 4, at, end - begin, out);
            break;
        }
    }
}

/* sums[i][j] = x[i] . w[j] in whole numbers, exact: 65536 products of 127 and 128 fit 32 bits. */
INLINE void int8_tile(const int16_t *x, size_t x_stride, size_t m, const int8_t *w, size_t w_stride, size_t n, size_t k,
                      int64_t *sums, size_t stride)
{
    UNROLL for (size_t j = 0; j < n; j++)
    {
        UNROLL for (size_t i = 0; i < m; i++) sums[i * stride + j] = 0;
    }
    for (size_t begin = 0; begin < k; begin += 65536) {
        size_t end = k - begin < 65536 ? k : begin + 65536, c = begin;
        vi part[INT8_N][CPU_FEW_ROWS];
        UNROLL for (size_t j = 0; j < n; j++)
        {
            UNROLL for (size_t i = 0; i < m; i++) part[j][i] = v_zero_i32();
        }
        for (; c + INT8_LANES <= end; c += INT8_LANES) {
            UNROLL for (size_t j = 0; j < n; j++)
            {
                vi wide = v_widen_i8(w + j * w_stride + c);
                UNROLL for (size_t i = 0; i < m; i++) part[j][i] =
                    v_add_products(part[j][i], wide, x + i * x_stride + c);
            }
        }
        UNROLL for (size_t j = 0; c < end && j < n; j++)
        {
            int8_t rest[INT8_LANES] = {0};
            memcpy(rest, w + j * w_stride + c, end - c);
            UNROLL for (size_t i = 0; i < m; i++) part[j][i] =
                v_add_products(part[j][i], v_widen_i8(rest), x + i * x_stride + c);
        }
        UNROLL for (size_t j = 0; j < n; j++)
        {
            UNROLL for (size_t i = 0; i < m; i++) sums[i * stride + j] += v_sum_i32(part[j][i]);
        }
    }
}

#define INT8_OF(m)                                                                                                     \
    static void int8_##m(const int16_t *x, size_t x_stride, const int8_t *w, size_t w_stride, size_t n, size_t k,      \
                         int64_t *sums, size_t stride)                                                                 \
    {                                                                                                                  \
        size_t j = 0;                                                                                                  \
        for (; j + INT8_N <= n; j += INT8_N)                                                                           \
            int8_tile(x, x_stride, m, w + j * w_stride, w_stride, INT8_N, k, sums + j, stride);                        \
        for (; j < n; j++) int8_tile(x, x_stride, m, w + j * w_stride, w_stride, 1, k, sums + j, stride);              \
    }
INT8_OF(1)
INT8_OF(2)
INT8_OF(3)
INT8_OF(4)

static void dot_int8(const int16_t *x, size_t x_stride, size_t m, const int8_t *w, size_t w_stride, size_t n, size_t k,
                     int64_t *sums, size_t stride)
{
    static void (*const of_rows[])(const int16_t *, size_t, const int8_t *, size_t, size_t, size_t, int64_t *,
                                   size_t) = {int8_1, int8_2, int8_3, int8_4};

    of_rows[m - 1](x, x_stride, w, w_stride, n, k, sums, stride);
}

static size_t split_int8(const float *x, size_t n, int16_t *codes, float *absmax, uint32_t *outliers)
{
    return int8_loop_split(x, n, codes, absmax, outliers);
}

/* TILE_N rows of w with m rows of x. x and w stream from the caches; each vector of w is used m times, each of x TILE_N times. */
INLINE void tile(const float *x, size_t x_stride, size_t m, const float *const w[TILE_N], size_t n, size_t k,
                 float *out, size_t out_stride, bool add)
{
    vf sums[TILE_N][4];

    UNROLL for (size_t j = 0; j < TILE_N; j++)
    {
        UNROLL for (size_t i = 0; i < 4; i++) sums[j][i] = v_set(0);
    }
    for (size_t c = 0; c < k; c += LANES) {
        vf of_x[TILE_M];
        UNROLL for (size_t i = 0; i < m; i++) of_x[i] = v_load(x + i * x_stride + c);
        UNROLL for (size_t j = 0; j < TILE_N; j++)
        {
            vf of_w = v_load(w[j] + c);
            UNROLL for (size_t i = 0; i < m; i++) sums[j][i] = v_fma(of_w, of_x[i], sums[j][i]);
        }
    }
    UNROLL for (size_t j = 0; j < TILE_N; j++)
    {
        float part[4];
        if (j >= n) return;
        v_sum4(sums[j][0], sums[j][1], sums[j][2], sums[j][3], part);
        UNROLL for (size_t i = 0; i < m; i++)
        {
            float *to = out + i * out_stride + j;
            *to = add ? *to + part[i] : part[i];
        }
    }
}

_Static_assert(TILE_M == 4, "tile adds four rows' lanes together");

static void multiply(const float *x, size_t x_stride, size_t m, const float *w, size_t w_stride, size_t n, size_t k,
                     float *out, size_t out_stride, bool add)
{
    for (size_t j = 0; j < n; j += TILE_N) {
        const float *rows[TILE_N];
        size_t some = n - j < TILE_N ? n - j : TILE_N, i = 0;
        /* A tile that sticks out reads its last row again and throws that away. */
        for (size_t t = 0; t < TILE_N; t++) rows[t] = w + (j + (t < some ? t : some - 1)) * w_stride;
        for (; i + TILE_M <= m; i += TILE_M)
            tile(x + i * x_stride, x_stride, 4, rows, some, k, out + i * out_stride + j, out_stride, add);
        switch (m - i) {
        case 1:
            tile(x + i * x_stride, x_stride, 1, rows, some, k, out + i * out_stride + j, out_stride, add);
            break;
        case 2:
            tile(x + i * x_stride, x_stride, 2, rows, some, k, out + i * out_stride + j, out_stride, add);
            break;
        case 3:
            tile(x + i * x_stride, x_stride, 3, rows, some, k, out + i * out_stride + j, out_stride, add);
            break;
        default:
            break;
        }
    }
}

/* exp within 2 ulp; below -87.4 it is 0 and above 88.3 it stays there. n whole powers of two, the rest, at most ln 2 / 2,
 * by the polynomial of Cephes' expf. NaN stays. */
INLINE vf v_exp(vf x)
{
    vf n, p;

    x = v_max(v_set(-88.02f), v_min(v_set(88.3f), x));
    n = v_round(v_mul(x, v_set(1.44269504f)));
    x = v_fma(n, v_set(-0.693359375f), x); /* ln 2 in two pieces, the first exact */
    x = v_fma(n, v_set(2.12194440e-4f), x);
    p = v_set(1.9875691500e-4f);
    p = v_fma(p, x, v_set(1.3981999507e-3f));
    p = v_fma(p, x, v_set(8.3334519073e-3f));
    p = v_fma(p, x, v_set(4.1665795894e-2f));
    p = v_fma(p, x, v_set(1.6666665459e-1f));
    p = v_fma(p, x, v_set(5.0000001201e-1f));
    p = v_add(v_fma(p, v_mul(x, x), x), v_set(1));
    return v_mul(p, v_exp2_whole(n));
}

/* Both are x / (1 + exp(-z)): z = x, and for GELU z = 2 sqrt(2 / pi) (x + 0.044715 x^3), since 1 + tanh(z / 2) = 2 / (1 + exp(-z)). */
static void activate(enum kernels_activation activation, float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        vf x = v_load(gate + i), z = x;
        if (activation == KERNELS_GELU_TANH)
            z = v_mul(v_mul(v_set(1.5957691f), x), v_fma(v_mul(x, x), v_set(0.044715f), v_set(1)));
        x = v_div(x, v_add(v_set(1), v_exp(v_sub(v_set(0), z))));
        v_store(gate + i, v_mul(x, v_load(up + i)));
    }
}

#include "kernels/cpu/attend_loops.h"

#include "kernels/cpu/row_loops.h"

/* The definition's own loops, here with this instruction set's flags. */
static unsigned quantize(const struct kernels_weight *weight, const struct cpu_source *source, size_t first, size_t n)
{
    return quantize_elements(weight, source, first, n);
}

static unsigned quantize_to_tile(const struct kernels_weight *weight, const struct cpu_source *source, size_t end,
                                 size_t tile, size_t first, size_t n)
{
    return quantize_tile(weight, source, end, tile, first, n);
}

static void place(const struct kernels_weight *weight, size_t tile, size_t first, size_t n,
                  const struct tile_rows *from)
{
    tile_place(weight, tile, first, n, from);
}

static void nest(const float *absmax, size_t n_blocks, float offset, uint8_t *absmax_codes, float *nested_absmax)
{
#ifdef QUANTIZE_NEST_BLOCK /* an instruction set may have its own, of the same bits */
    float middles[NF4_MAP_SIZE];
    QUANTIZE_MIDDLES sorted;

    nf4_loop_middles(middles);
    QUANTIZE_FIND_MIDDLES(middles, &sorted);
    for (size_t i = 0; i < n_blocks; i += NF4_NESTED_BLOCK)
        QUANTIZE_NEST_BLOCK(absmax + i, n_blocks - i < NF4_NESTED_BLOCK ? n_blocks - i : NF4_NESTED_BLOCK, offset,
                            &sorted, absmax_codes + i, nested_absmax + i / NF4_NESTED_BLOCK);
#else
    nf4_loop_nest(absmax, n_blocks, offset, absmax_codes, nested_absmax);
#endif
}

#define ISA_TABLE(of_name)                                                                                             \
    {                                                                                                                  \
        .name = of_name, .dot = dot, .expand = expand, .multiply = multiply, .activate = activate, .score = score,     \
        .soften = soften, .mix = mix, .widen = widen, .narrow = narrow, .norm_row = norm_row, .rotate = rotate,        \
        .add_scaled = add_scaled, .scaled = scaled, .turn = turn, .exp_row = exp_row, .quantize = quantize,            \
        .quantize_tile = quantize_to_tile, .place = place, .nest = nest, .dot_int8 = dot_int8,                         \
        .split_int8 = split_int8                                                                                       \
    }
