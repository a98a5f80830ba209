/* lowbit.h: the definition of q8, q4, q2 and q1: blocks of 64 with scales in f16. Plain C, one thread.
 *
 * q8, q4: scale = (max - min) / largest code and zero = min, rounded to f16; code = round((x - zero) * (1 / scale)) within
 * 0 and the largest code. q2: the same, but scale and zero are fitted to the codes by least squares, round by round.
 * q1: the mean magnitude, and the sign of each value. */
#ifndef DOCKET_KERNELS_FORMATS_LOWBIT_H
#define DOCKET_KERNELS_FORMATS_LOWBIT_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/formats/half.h"
#include "kernels/formats/layout.h"

/* What may be wrong with a source; flags. */
#define LOWBIT_NOT_FINITE   1u
#define LOWBIT_OUT_OF_RANGE 2u /* a scale or zero beyond 65504 */

static inline float lowbit_value(unsigned code, uint16_t scale, uint16_t zero)
{
    return half_f16_to_f32(scale) * (float)code + half_f16_to_f32(zero); /* the product is exact */
}

extern const float lowbit_steps[16]; /* 0 to 15 */

/* bits: 8, 4, 2 or 1 of each code. zeros NULL for q1. Returns flags; if there are any the rest has no meaning. */
unsigned lowbit_quantize(unsigned bits, const float *source, size_t n_elements, uint8_t *codes, uint16_t *scales,
                         uint16_t *zeros);
/* Code of element i. */
unsigned lowbit_code(unsigned bits, const uint8_t *codes, size_t i);

#endif
