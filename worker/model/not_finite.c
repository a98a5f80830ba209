/* not_finite.c: plain loops over the bits without the sign, which the compiler makes wide: they run at the speed of memory. */
#include "worker/model/not_finite.h"

static void count_32(struct not_finite *count, const uint32_t *x, size_t n)
{
    const uint32_t infinity = 0x7f800000;
    size_t n_nan = 0, n_infinite = 0;
    for (size_t i = 0; i < n; i++) {
        n_nan += (x[i] & 0x7fffffff) > infinity;
        n_infinite += (x[i] & 0x7fffffff) == infinity;
    }
    count->n_nan += n_nan;
    count->n_infinite += n_infinite;
}

static void count_16(struct not_finite *count, const uint16_t *x, size_t n, uint16_t infinity)
{
    size_t n_nan = 0, n_infinite = 0;
    for (size_t i = 0; i < n; i++) {
        n_nan += (x[i] & 0x7fff) > infinity;
        n_infinite += (x[i] & 0x7fff) == infinity;
    }
    count->n_nan += n_nan;
    count->n_infinite += n_infinite;
}

static void count_f8(struct not_finite *count, const uint8_t *x, size_t n)
{
    size_t n_nan = 0;
    for (size_t i = 0; i < n; i++) n_nan += (x[i] & 0x7f) == 0x7f;
    count->n_nan += n_nan;
}

void not_finite_count(struct not_finite *count, enum tensor_dtype dtype, const void *values, size_t n)
{
    switch (dtype) {
    case DTYPE_F32:
        count_32(count, values, n);
        break;
    case DTYPE_F16:
        count_16(count, values, n, 0x7c00);
        break;
    case DTYPE_BF16:
        count_16(count, values, n, 0x7f80);
        break;
    case DTYPE_F8_E4M3:
        count_f8(count, values, n);
        break;
    default:
        break;
    }
}
