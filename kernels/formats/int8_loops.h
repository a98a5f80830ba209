/* int8_loops.h: the loops of the definition of int8, inline, so that each instruction set's file compiles them with its own
 * flags. Every step is one IEEE operation on one element: the bits are the same whatever the flags. */
#ifndef DOCKET_KERNELS_FORMATS_INT8_LOOPS_H
#define DOCKET_KERNELS_FORMATS_INT8_LOOPS_H

#include "kernels/formats/int8.h"
#include "kernels/formats/nf4_loops.h"

/* Adding and taking away 1.5 * 2^23 leaves a whole number, ties to even; |x| is at most 127 and a bit. */
FORMATS_INLINE int32_t int8_round(float x)
{
    return (int32_t)((x + 12582912.0f) - 12582912.0f);
}

static inline void int8_loop_codes(const float *values, size_t n, float factor, int8_t *codes)
{
    for (size_t i = 0; i < n; i++) codes[i] = (int8_t)int8_round(values[i] * factor);
}

static inline size_t int8_loop_split(const float *x, size_t n, int16_t *codes, float *absmax, uint32_t *outliers)
{
    int32_t largest = 0;
    size_t n_outliers = 0;
    float factor;

    for (size_t i = 0; i < n; i++) {
        int32_t magnitude = (int32_t)(half_bits_from_f32(x[i]) & 0x7fffffffu);
        magnitude = magnitude < 0x40c00000 ? magnitude : 0; /* the bits of 6 */
        largest = magnitude > largest ? magnitude : largest;
    }
    *absmax = half_f32_from_bits((uint32_t)largest);
    factor = int8_factor(*absmax);
    for (size_t i = 0; i < n; i++) {
        int32_t magnitude = (int32_t)(half_bits_from_f32(x[i]) & 0x7fffffffu);
        codes[i] = (int16_t)int8_round((magnitude < 0x40c00000 ? x[i] : 0.0f) * factor);
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) < INT8_OUTLIER)) outliers[n_outliers++] = (uint32_t)i;
    return n_outliers;
}

#endif
