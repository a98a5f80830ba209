/* int8_rows.cuh: what is before and behind cuBLASLt's product of bytes, so that all of it is to the bit what kernels/formats/int8.h defines. */
#ifndef DOCKET_KERNELS_CUDA_INT8_ROWS_CUH
#define DOCKET_KERNELS_CUDA_INT8_ROWS_CUH

#include "kernels/cuda/decode.cuh"

/* Codes [m, k] and absmax [m] of x[rows[i]] (without rows x[i]); outliers are code 0. k: a multiple of 4. */
void cuda_int8_split_rows(const float *x, const uint32_t *rows, uint32_t m, uint32_t k, int8_t *codes, float *absmax,
                          cudaStream_t stream);

/* out[m, n] = (or +=) the product, from the sums [m, n] of codes; the outliers of x are multiplied here. */
struct int8_finish_args {
    const int32_t *sums;
    const float *x, *absmax;
    const uint32_t *rows; /* of x; NULL: its own */
    weight_view weight;
    float *out;
    uint32_t m;
    bool accumulate;
};
void cuda_int8_finish_rows(const int8_finish_args &args, cudaStream_t stream);

/* gate[i] = act(gate[i]) * up[i] */
void cuda_int8_gate(float *gate, const float *up, size_t n, enum kernels_activation activation, cudaStream_t stream);

#endif
