/* nf4_loops.h: the loops of the definition of NF4, inline, so that each instruction set's file compiles them with its own
 * flags. Every step is one IEEE operation on one element: the bits are the same whatever the flags. */
#ifndef DOCKET_KERNELS_FORMATS_NF4_LOOPS_H
#define DOCKET_KERNELS_FORMATS_NF4_LOOPS_H

#include <string.h>

#include "kernels/formats/half.h"
#include "kernels/formats/nf4.h"

/* absmax below this is taken as this: keeps the reciprocal finite, and gives a block of zeros code 7. */
#define NF4_SMALLEST_ABSMAX 1e-38f

struct nf4_finding {
    float absmax;
    bool finite;
};

/* Compares magnitudes as integers: same order, and NaN and infinity come out on top. */
static inline struct nf4_finding nf4_find_absmax(const float *values, size_t n)
{
    int32_t largest = 0;
    struct nf4_finding found;

    for (size_t i = 0; i < n; i++) {
        int32_t magnitude = (int32_t)(half_bits_from_f32(values[i]) & 0x7fffffffu);
        largest = magnitude > largest ? magnitude : largest;
    }
    found.absmax = half_f32_from_bits((uint32_t)largest);
    found.finite = largest < 0x7f800000;
    return found;
}

/* One whole block. */
static inline bool nf4_loop_block(const float *values, uint8_t *codes, float *absmax)
{
    struct nf4_finding found = nf4_find_absmax(values, NF4_BLOCK);
    float reciprocal = 1.0f / (found.absmax > NF4_SMALLEST_ABSMAX ? found.absmax : NF4_SMALLEST_ABSMAX);
    float x[NF4_BLOCK];
    int32_t wide[NF4_BLOCK];

    *absmax = found.absmax;
    for (size_t i = 0; i < NF4_BLOCK; i++) wide[i] = 0, x[i] = values[i] * reciprocal;
    for (size_t t = 0; t < NF4_N_CODES - 1; t++)
        for (size_t i = 0; i < NF4_BLOCK; i++) wide[i] += x[i] > nf4_thresholds[t];
    for (size_t i = 0; i < NF4_BLOCK / 2; i++) codes[i] = (uint8_t)(wide[2 * i] << 4 | wide[2 * i + 1]);
    return found.finite;
}

/* The short last block: zeros behind it change neither its scale nor the codes before them, and are code 7. */
static inline bool nf4_loop_tail(const float *values, size_t n, uint8_t *codes, float *absmax)
{
    float whole[NF4_BLOCK] = {0};
    uint8_t bytes[NF4_BLOCK / 2];
    bool finite;

    memcpy(whole, values, n * sizeof *values);
    finite = nf4_loop_block(whole, bytes, absmax);
    memcpy(codes, bytes, nf4_code_bytes(n));
    return finite;
}

static inline bool nf4_loop_f32(const float *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    bool finite = true;
    size_t n_whole = n_elements / NF4_BLOCK, rest = n_elements % NF4_BLOCK;

    for (size_t b = 0; b < n_whole; b++)
        finite &= nf4_loop_block(source + b * NF4_BLOCK, codes + b * (NF4_BLOCK / 2), absmax + b);
    if (rest)
        finite &=
            nf4_loop_tail(source + n_whole * NF4_BLOCK, rest, codes + n_whole * (NF4_BLOCK / 2), absmax + n_whole);
    return finite;
}

static inline bool nf4_loop_bf16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    bool finite = true;

    for (size_t i = 0, b = 0; i < n_elements; i += NF4_BLOCK, b++) {
        float values[NF4_BLOCK];
        size_t n = n_elements - i < NF4_BLOCK ? n_elements - i : NF4_BLOCK;
        for (size_t j = 0; j < n; j++) values[j] = half_bf16_to_f32(source[i + j]);
        finite &= nf4_loop_f32(values, n, codes + b * (NF4_BLOCK / 2), absmax + b);
    }
    return finite;
}

static inline bool nf4_loop_f16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    bool finite = true;

    for (size_t i = 0, b = 0; i < n_elements; i += NF4_BLOCK, b++) {
        float values[NF4_BLOCK];
        size_t n = n_elements - i < NF4_BLOCK ? n_elements - i : NF4_BLOCK;
        for (size_t j = 0; j < n; j++) values[j] = half_f16_to_f32(source[i + j]);
        finite &= nf4_loop_f32(values, n, codes + b * (NF4_BLOCK / 2), absmax + b);
    }
    return finite;
}

/* Codes of one nested block, n at most NF4_NESTED_BLOCK: the number of middles between neighbours of the map that lie strictly below. */
static inline void nf4_loop_nest_block(const float *absmax, size_t n, float offset, const float *middles,
                                       uint8_t *absmax_codes, float *nested_absmax)
{
    float x[NF4_NESTED_BLOCK] = {0}, scale, reciprocal;
    int32_t below[NF4_NESTED_BLOCK] = {0};

    for (size_t i = 0; i < n; i++) x[i] = absmax[i] - offset;
    scale = nf4_find_absmax(x, n).absmax;
    reciprocal = 1.0f / (scale > NF4_SMALLEST_ABSMAX ? scale : NF4_SMALLEST_ABSMAX);
    for (size_t i = 0; i < NF4_NESTED_BLOCK; i++) x[i] *= reciprocal;
    for (int32_t step = NF4_MAP_SIZE / 2; step; step /= 2) /* all values at once, a step of the search at a time */
        for (size_t i = 0; i < NF4_NESTED_BLOCK; i++)
            below[i] += step & -(int32_t)(middles[below[i] + step - 1] < x[i]);
    for (size_t i = 0; i < n; i++) absmax_codes[i] = (uint8_t)below[i];
    *nested_absmax = scale;
}

static inline void nf4_loop_middles(float middles[NF4_MAP_SIZE])
{
    for (size_t i = 0; i + 1 < NF4_MAP_SIZE; i++)
        middles[i] = (half_f32_from_bits(nf4_nested_map[i]) + half_f32_from_bits(nf4_nested_map[i + 1])) / 2;
    middles[NF4_MAP_SIZE - 1] = 0; /* never asked for */
}

static inline void nf4_loop_nest(const float *absmax, size_t n_blocks, float offset, uint8_t *absmax_codes,
                                 float *nested_absmax)
{
    float middles[NF4_MAP_SIZE];

    nf4_loop_middles(middles);
    for (size_t begin = 0; begin < n_blocks; begin += NF4_NESTED_BLOCK) {
        size_t n = n_blocks - begin < NF4_NESTED_BLOCK ? n_blocks - begin : NF4_NESTED_BLOCK;
        nf4_loop_nest_block(absmax + begin, n, offset, middles, absmax_codes + begin,
                            nested_absmax + begin / NF4_NESTED_BLOCK);
    }
}

static inline void nf4_loop_unnest(const uint8_t *absmax_codes, const float *nested_absmax, const float *nested_map,
                                   float nested_offset, size_t first_block, size_t n_blocks, float *absmax)
{
    for (size_t i = 0; i < n_blocks; i++) {
        size_t block = first_block + i;
        absmax[i] = nested_map[absmax_codes[block]] * nested_absmax[block / NF4_NESTED_BLOCK] + nested_offset;
    }
}

#endif
