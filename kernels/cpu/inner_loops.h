/* inner_loops.h: the inner loops of isa.h, written once in the vector words of the simd_*.h that the including file took
 * first. Included by exactly one file for each instruction set, which ends with ISA_TABLE.
 *
 * m rows of activations, n rows of weights, k elements of each. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/isa.h"
#include "kernels/formats/half.h"
#include "kernels/formats/nf4_loops.h"

#define BLOCK_VECTORS (64u / LANES)
/* Instrumented builds keep the loops: unrolled, they take minutes to compile. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNROLL
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNROLL
#endif
#endif
#ifndef UNROLL
#define UNROLL _Pragma("GCC unroll 16")
#endif

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

/* Scales of blocks [first, first + n), n at most CPU_CHUNK / 64; those `ahead` blocks on are fetched for later. */
INLINE const float *scales(const struct kernels_weight *weight, size_t first, size_t n, size_t ahead, float *space)
{
    if (weight->desc.format == KERNELS_NF4) {
        __builtin_prefetch(weight->absmax + first + ahead);
        return weight->absmax + first;
    }
    __builtin_prefetch(weight->absmax_codes + first + ahead);
    nf4_loop_unnest(weight->absmax_codes, weight->nested_absmax, weight->nested_map, weight->nested_offset, first, n,
                    space);
    return space;
}

/* sums[j][i] += x[i] . W[row + j] over [begin, end) of one chunk, for m rows of x and DOT_N or one row of W. */
INLINE void dot_nf4(const struct kernels_weight *weight, size_t row, size_t begin, size_t end, const float *x,
                    size_t x_stride, size_t m, size_t n, vf sums[DOT_N][CPU_FEW_ROWS])
{
    float space[DOT_N][CPU_CHUNK / 64];
    const float *absmax[DOT_N];
    const uint8_t *codes[DOT_N];
    size_t n_blocks = (end - begin) / 64, ahead = DOT_N * weight->desc.cols / 2; /* bytes to the rows that come next */

    UNROLL for (size_t j = 0; j < n; j++)
    {
        size_t at = (row + j) * weight->desc.cols + begin;
        absmax[j] = scales(weight, at / 64, n_blocks, ahead / 32, space[j]);
        codes[j] = (const uint8_t *)weight->data + at / 2;
    }
    for (size_t b = 0; b < n_blocks; b++) {
        UNROLL for (size_t j = 0; j < n; j++)
        {
            vf w[BLOCK_VECTORS];
            __builtin_prefetch(codes[j] + b * 32 + ahead);
            v_nf4_block(codes[j] + b * 32, absmax[j][b], nf4_values, w);
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
        default:
            dot_nf4(weight, row, begin, end, x, x_stride, m, n, sums);
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

static void expand_nf4(const struct kernels_weight *weight, size_t at, size_t n, float *out)
{
    float space[CPU_CHUNK / 64];
    size_t ahead = CPU_EXPANDED * weight->desc.cols / 2; /* bytes to the rows that come next */
    const float *absmax = scales(weight, at / 64, n / 64, ahead / 32, space);
    const uint8_t *codes = (const uint8_t *)weight->data + at / 2;

    for (size_t b = 0; b < n / 64; b++) {
        vf w[BLOCK_VECTORS];
        __builtin_prefetch(codes + b * 32 + ahead);
        v_nf4_block(codes + b * 32, absmax[b], nf4_values, w);
        UNROLL for (size_t v = 0; v < BLOCK_VECTORS; v++) v_store(out + b * 64 + v * LANES, w[v]);
    }
}

static void expand(const struct kernels_weight *weight, bool permuted, size_t first, size_t n, size_t begin, size_t end,
                   float *out)
{
    for (size_t j = 0; j < n; j++, out += CPU_CHUNK) {
        size_t at = (first + j) * weight->desc.cols + begin;
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
        default:
            if (permuted) {
                expand_nf4(weight, at, end - begin, out);
            } else { /* rows that end inside a block: rare shapes, no hurry */
                cpu_weight_values(weight, at, end - begin, out);
                for (size_t c = end - begin; c % LANES; c++) out[c] = 0;
            }
        }
    }
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

static float soften(float *scores, size_t low, size_t high, float scale, float *largest, float *shrink)
{
    float before = *largest, now = before, lanes[LANES];
    vf most = v_set(before), sum = v_set(0);

    for (size_t j = 0; j < CPU_KEYS; j += LANES) v_store(scores + j, v_mul(v_load(scores + j), v_set(scale)));
    for (size_t j = 0; j < low; j++) scores[j] = -INFINITY;
    for (size_t j = high; j < CPU_KEYS; j++) scores[j] = -INFINITY;
    for (size_t j = 0; j < CPU_KEYS; j += LANES) most = v_max(v_load(scores + j), most);
    v_store(lanes, most);
    for (size_t l = 0; l < LANES; l++) now = lanes[l] > now ? lanes[l] : now;
    for (size_t j = 0; j < CPU_KEYS; j += LANES) {
        vf p = v_exp(v_sub(v_load(scores + j), v_set(now)));
        v_store(scores + j, p);
        sum = v_add(sum, p);
    }
    v_store(lanes, v_exp(v_set(before - now)));
    *shrink = lanes[0];
    *largest = now;
    v_sum4(sum, sum, sum, sum, lanes);
    return lanes[0];
}

INLINE void mix_some(float *sum, float shrink, const float *p, const float *values, size_t stride, size_t low,
                     size_t high, size_t n)
{
    vf sums[8];

    UNROLL for (size_t v = 0; v < n; v++) sums[v] = v_mul(v_load(sum + v * LANES), v_set(shrink));
    for (size_t j = low; j < high; j++) {
        vf weight = v_set(p[j]);
        UNROLL for (size_t v = 0; v < n; v++) sums[v] = v_fma(weight, v_load(values + j * stride + v * LANES), sums[v]);
    }
    UNROLL for (size_t v = 0; v < n; v++) v_store(sum + v * LANES, sums[v]);
}

static void mix(float *sum, float shrink, const float *p, const float *values, size_t stride, size_t low, size_t high,
                size_t d)
{
    size_t c = 0;

    for (; c + 8 * LANES <= d; c += 8 * LANES) mix_some(sum + c, shrink, p, values + c, stride, low, high, 8);
    for (; c + 2 * LANES <= d; c += 2 * LANES) mix_some(sum + c, shrink, p, values + c, stride, low, high, 2);
    for (; c < d; c += LANES) mix_some(sum + c, shrink, p, values + c, stride, low, high, 1);
}

static void widen(bool is_f16, const void *from, size_t at, size_t n, float *out)
{
    size_t c = 0;

    if (!is_f16) {
        memcpy(out, (const float *)from + at, n * sizeof(float));
        return;
    }
    for (; c + LANES <= n; c += LANES) v_store(out + c, v_load_f16((const uint16_t *)from + at + c));
    for (; c < n; c++) out[c] = half_f16_to_f32(((const uint16_t *)from)[at + c]);
}

/* The definition's own loops, here with this instruction set's flags. */
static bool quantize(enum kernels_format source_format, const void *source, size_t first, size_t n, uint8_t *codes,
                     float *absmax)
{
    switch (source_format) {
    case KERNELS_F32:
        return nf4_loop_f32((const float *)source + first, n, codes, absmax);
    case KERNELS_F16:
        return nf4_loop_f16((const uint16_t *)source + first, n, codes, absmax);
    default:
        return nf4_loop_bf16((const uint16_t *)source + first, n, codes, absmax);
    }
}

#define ISA_TABLE(of_name)                                                                                             \
    {                                                                                                                  \
        .name = of_name, .dot = dot, .expand = expand, .multiply = multiply, .activate = activate, .soften = soften,   \
        .mix = mix, .widen = widen, .quantize = quantize                                                               \
    }
