/* int8.h: the definition of LLM.int8: rows of weights and of activations as signed bytes with one absmax each, and how a
 * product of the two is put together. Plain C, one thread. */
#ifndef DOCKET_KERNELS_FORMATS_INT8_H
#define DOCKET_KERNELS_FORMATS_INT8_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/formats/inline.h"

#define INT8_OUTLIER 6.0f /* activations of this magnitude and above are not rounded */

/* What values are multiplied with before they are rounded; of rows that are almost or all zero the largest there is. */
FORMATS_INLINE float int8_factor(float absmax)
{
    float factor = 1.0f / absmax * 127.0f; /* in this order, as the library's own */

    return factor <= FLT_MAX ? factor : FLT_MAX;
}

/* The two roundings are bitsandbytes' own. */
FORMATS_INLINE float int8_value(int8_t code, float absmax)
{
    return (float)code * absmax * 0.007874015718698502f; /* 1 / 127 */
}

/* A row of weights. False if one is NaN or infinite; the codes are then all 0. */
bool int8_quantize_row(const float *values, size_t n, int8_t *codes, float *absmax);

/* A row of activations: codes [n] in 16 bits, 0 for the outliers, whose columns are listed in rising order. Returns how many
 * they are. What is not a number is one of them. */
size_t int8_split_row(const float *x, size_t n, int16_t *codes, float *absmax, uint32_t *outliers);

/* sum: of the products of codes, exact. apart: of the outliers with the weight's values, in f64 and rising order of columns. */
FORMATS_INLINE float int8_product(int64_t sum, float x_absmax, float weight_absmax, double apart)
{
    return (float)((double)sum * x_absmax * weight_absmax / (127.0 * 127.0) + apart);
}

#endif
