/* not_finite.h: NaN and infinities among stored values, counted as they pass by. Knows types of numbers; not whose they are. */
#ifndef DOCKET_MODEL_NOT_FINITE_H
#define DOCKET_MODEL_NOT_FINITE_H

#include "worker/model/safetensors.h"

struct not_finite {
    uint64_t n_nan, n_infinite;
};

/* Adds those of n values of F32, F16, BF16 or F8_E4M3 (which has no infinity). values is aligned to the type. Others: none. */
void not_finite_count(struct not_finite *count, enum tensor_dtype dtype, const void *values, size_t n);

#endif
