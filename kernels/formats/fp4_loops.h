/* fp4_loops.h: the loops of the definition of FP4, inline, so that each instruction set's file compiles them with its own
 * flags. Every step is one IEEE operation on one element: the bits are the same whatever the flags. */
#ifndef DOCKET_KERNELS_FORMATS_FP4_LOOPS_H
#define DOCKET_KERNELS_FORMATS_FP4_LOOPS_H

#include "kernels/formats/fp4.h"
#include "kernels/formats/nf4_loops.h"

/* One whole block. The codes of rising magnitudes are 0 1 6 7 4 5 2 3: the lowest bit stays, the two above run backwards. */
static inline bool fp4_loop_block(const float *values, uint8_t *codes, float *absmax)
{
    struct nf4_finding found = nf4_find_absmax(values, NF4_BLOCK);
    float reciprocal = 1.0f / (found.absmax > NF4_SMALLEST_ABSMAX ? found.absmax : NF4_SMALLEST_ABSMAX);
    float magnitude[NF4_BLOCK];
    int32_t wide[NF4_BLOCK], negative[NF4_BLOCK];

    *absmax = found.absmax;
    for (size_t i = 0; i < NF4_BLOCK; i++) {
        float x = values[i] * reciprocal;
        wide[i] = 0;
        negative[i] = x < 0;
        magnitude[i] = half_f32_from_bits(half_bits_from_f32(x) & 0x7fffffffu);
    }
    for (size_t t = 0; t < FP4_N_THRESHOLDS; t++)
        for (size_t i = 0; i < NF4_BLOCK; i++) wide[i] += magnitude[i] > fp4_thresholds[t];
    for (size_t i = 0; i < NF4_BLOCK; i++) wide[i] = (wide[i] & 1) | ((4 - (wide[i] >> 1)) & 3) << 1 | negative[i] << 3;
    for (size_t i = 0; i < NF4_BLOCK / 2; i++) codes[i] = (uint8_t)(wide[2 * i] << 4 | wide[2 * i + 1]);
    return found.finite;
}

#endif
