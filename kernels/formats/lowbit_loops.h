/* lowbit_loops.h: the loops of the definition of q8, q4, q2 and q1, inline, so that each instruction set's file compiles them
 * with its own flags. Sums have one order, sixteen lanes and a tree: the bits are the same whatever the flags. */
#ifndef DOCKET_KERNELS_FORMATS_LOWBIT_LOOPS_H
#define DOCKET_KERNELS_FORMATS_LOWBIT_LOOPS_H

#include <math.h>

#include "kernels/formats/lowbit.h"
#include "kernels/formats/nf4_loops.h"

#define LOWBIT_INLINE     FORMATS_INLINE __attribute__((always_inline)) /* with n a constant where it is one */
#define LOWBIT_LANES      16u
#define LOWBIT_FIT_ROUNDS 6u /* ten gain 0.05 % of error and take half as long again */

FORMATS_INLINE float lowbit_tree(const float *lanes)
{
    float a[LOWBIT_LANES / 2];

    for (size_t i = 0; i < 8; i++) a[i] = lanes[i] + lanes[i + 8];
    for (size_t i = 0; i < 4; i++) a[i] = a[i] + a[i + 4];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

/* Codes against a scale and a zero as they are stored, or being fitted. */
FORMATS_INLINE void lowbit_loop_codes(const float *x, float scale, float zero, float most, float *codes)
{
    float inverse = scale > 0 ? 1.0f / scale : 0.0f;

    for (size_t i = 0; i < LAYOUT_BLOCK; i++) {
        float code = (x[i] - zero) * inverse;
        code = code > 0.0f ? code : 0.0f;
        code = code < most ? code : most;
        codes[i] = (code + 12582912.0f) - 12582912.0f; /* nearest, ties to even */
    }
}

/* The line scale * code + zero nearest to x; false where the codes are all alike. */
LOWBIT_INLINE int lowbit_loop_fit(const float *x, size_t n, const float *codes, float *scale, float *zero)
{
    float of_x[LOWBIT_LANES] = {0}, of_c[LOWBIT_LANES] = {0}, of_cc[LOWBIT_LANES] = {0}, of_cx[LOWBIT_LANES] = {0};
    float count = (float)n, sx, sc, scc, scx, below;

    for (size_t i = 0; i < n; i += LOWBIT_LANES)
        for (size_t l = 0; l < LOWBIT_LANES; l++) {
            float c = codes[i + l];
            of_x[l] += x[i + l];
            of_c[l] += c;
            of_cc[l] += c * c;
            of_cx[l] += c * x[i + l];
        }
    sx = lowbit_tree(of_x), sc = lowbit_tree(of_c), scc = lowbit_tree(of_cc), scx = lowbit_tree(of_cx);
    below = count * scc - sc * sc; /* whole numbers below 2^24: exact */
    if (below <= 0) return 0;
    *scale = (count * scx - sc * sx) / below;
    *zero = (sx - *scale * sc) / count;
    return 1;
}

FORMATS_INLINE int lowbit_same(const float *a, const float *b)
{
    int different = 0;

    for (size_t i = 0; i < LAYOUT_BLOCK; i++) different |= a[i] != b[i];
    return !different;
}

/* The line for 2 bits. It starts where the best four even levels of a bell curve lie, 0.9957 deviations apart, which a few
 * rounds improve. x and codes hold zeros behind n, n a multiple of the lanes or the rest behind it all zero. */
LOWBIT_INLINE void lowbit_loop_fit2(const float *x, size_t n, float *scale, float *zero)
{
    float of_x[LOWBIT_LANES] = {0}, of_d[LOWBIT_LANES] = {0}, codes[2][LAYOUT_BLOCK], mean;

    for (size_t i = 0; i < n; i += LOWBIT_LANES)
        for (size_t l = 0; l < LOWBIT_LANES; l++) of_x[l] += x[i + l];
    mean = lowbit_tree(of_x) / (float)n;
    for (size_t i = 0; i < LAYOUT_BLOCK; i++) {
        float d = i < n ? x[i] - mean : 0.0f;
        of_d[i % LOWBIT_LANES] += d * d;
    }
    *scale = 0.9957f * sqrtf(lowbit_tree(of_d) / (float)n);
    *zero = mean - 1.5f * *scale;
    lowbit_loop_codes(x, *scale, *zero, 3, codes[0]);
    for (size_t i = n; i < LAYOUT_BLOCK; i++) codes[0][i] = 0;
    for (unsigned round = 0; round < LOWBIT_FIT_ROUNDS; round++) {
        float *now = codes[round % 2], *next = codes[(round + 1) % 2];
        if (!lowbit_loop_fit(x, n, now, scale, zero)) return;
        lowbit_loop_codes(x, *scale, *zero, 3, next);
        for (size_t i = n; i < LAYOUT_BLOCK; i++) next[i] = 0;
        if (lowbit_same(now, next)) return;
    }
}

FORMATS_INLINE void lowbit_loop_pack(unsigned bits, const float *codes, uint8_t *out)
{
    int32_t wide[LAYOUT_BLOCK];

    for (size_t i = 0; i < LAYOUT_BLOCK; i++) wide[i] = (int32_t)codes[i];
    if (bits == 8)
        for (size_t i = 0; i < 64; i++) out[i] = (uint8_t)wide[i];
    else if (bits == 4)
        for (size_t i = 0; i < 32; i++) out[i] = (uint8_t)(wide[2 * i] << 4 | wide[2 * i + 1]);
    else
        for (size_t i = 0; i < 16; i++)
            out[i] = (uint8_t)(wide[4 * i] | wide[4 * i + 1] << 2 | wide[4 * i + 2] << 4 | wide[4 * i + 3] << 6);
}

FORMATS_INLINE unsigned lowbit_loop_block1(const float *x, size_t n, uint8_t *codes, uint16_t *scale)
{
    float lanes[LOWBIT_LANES] = {0}, mean;

    for (size_t i = 0; i < LAYOUT_BLOCK; i += LOWBIT_LANES)
        for (size_t l = 0; l < LOWBIT_LANES; l++)
            lanes[l] += half_f32_from_bits(half_bits_from_f32(x[i + l]) & 0x7fffffffu);
    mean = lowbit_tree(lanes) / (float)n;
    for (size_t i = 0; i < LAYOUT_BLOCK; i += 32) {
        uint32_t word = 0;
        for (size_t l = 0; l < 32; l++) word |= (uint32_t)(x[i + l] < 0) << l;
        for (size_t j = 0; j < 4; j++) codes[i / 8 + j] = (uint8_t)(word >> 8 * j);
    }
    *scale = half_f16_from_f32(mean);
    return (*scale & 0x7c00u) == 0x7c00u ? LOWBIT_OUT_OF_RANGE : 0;
}

/* One block of n values, n at most 64, with zeros behind them. Writes all bytes of a whole block. */
FORMATS_INLINE unsigned lowbit_loop_block(unsigned bits, const float *x, size_t n, uint8_t *out, uint16_t *scale,
                                          uint16_t *zero)
{
    const float most = (float)((1u << bits) - 1);
    float codes[LAYOUT_BLOCK], a, b;
    uint32_t largest = 0;

    for (size_t i = 0; i < LAYOUT_BLOCK; i++) {
        uint32_t magnitude = half_bits_from_f32(x[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    if (largest >= 0x7f800000u) return LOWBIT_NOT_FINITE;
    if (bits == 1) return lowbit_loop_block1(x, n, out, scale);
    if (bits == 2) {
        if (n == LAYOUT_BLOCK)
            lowbit_loop_fit2(x, LAYOUT_BLOCK, &a, &b);
        else
            lowbit_loop_fit2(x, n, &a, &b);
    } else {
        float low[LOWBIT_LANES], high[LOWBIT_LANES];
        for (size_t l = 0; l < LOWBIT_LANES; l++) low[l] = high[l] = x[l < n ? l : 0];
        for (size_t i = 0; i < n; i += LOWBIT_LANES)
            for (size_t l = 0; l < LOWBIT_LANES; l++) {
                float value = n == LAYOUT_BLOCK || i + l < n ? x[i + l] : x[0];
                low[l] = value < low[l] ? value : low[l];
                high[l] = value > high[l] ? value : high[l];
            }
        for (size_t l = 1; l < LOWBIT_LANES; l++) {
            low[0] = low[l] < low[0] ? low[l] : low[0];
            high[0] = high[l] > high[0] ? high[l] : high[0];
        }
        a = (high[0] - low[0]) / most;
        b = low[0];
    }
    *scale = half_f16_from_f32(a);
    *zero = half_f16_from_f32(b);
    if ((*scale & 0x7c00u) == 0x7c00u || (*zero & 0x7c00u) == 0x7c00u) return LOWBIT_OUT_OF_RANGE;
    lowbit_loop_codes(x, half_f16_to_f32(*scale), half_f16_to_f32(*zero), most, codes);
    for (size_t i = n; i < LAYOUT_BLOCK; i++) codes[i] = 0;
    lowbit_loop_pack(bits, codes, out);
    return 0;
}

#endif
