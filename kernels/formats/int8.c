/* int8.c: rows of weights and activations as signed bytes. Knows neither threads nor vector units. */
#include "kernels/formats/int8.h"

#include "kernels/formats/int8_loops.h"

bool int8_quantize_row(const float *values, size_t n, int8_t *codes, float *absmax)
{
    struct nf4_finding found = nf4_find_absmax(values, n);

    *absmax = found.absmax;
    if (found.finite)
        int8_loop_codes(values, n, int8_factor(found.absmax), codes);
    else
        memset(codes, 0, n);
    return found.finite;
}

size_t int8_split_row(const float *x, size_t n, int16_t *codes, float *absmax, uint32_t *outliers)
{
    return int8_loop_split(x, n, codes, absmax, outliers);
}
