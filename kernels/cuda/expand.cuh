/* expand.cuh: 16-bit forms of what cuBLASLt multiplies: activations, weights, and the experts' hidden values. bf16, or f16 where the
 * device has no bf16: then cut to what f16 holds. Each value is rounded once, as multiply_tiles.cuh does. */
#ifndef DOCKET_KERNELS_CUDA_EXPAND_CUH
#define DOCKET_KERNELS_CUDA_EXPAND_CUH

#include "kernels/cuda/decode.cuh"
#include "kernels/gpu_scratch.h"

/* to[i] = x[rows[i]], rows of k values, a multiple of 8; without rows x[i]. Here and in cuda_gate_rows below 2^35 values. */
void cuda_round_rows(const float *x, const uint32_t *rows, uint32_t m, uint32_t k, bool is_bf16, uint16_t *to,
                     cudaStream_t stream);

/* Weights `numbers` of `views` (on the device), all of one shape and format, one after the other to `to`. Columns: a multiple of 8. The
 * blocks are as many as n_multiprocessors hold: of all that there are, or of some, where others have to do beside it. */
struct expand_list {
    uint32_t n;
    uint16_t numbers[EXPAND_MOST_WEIGHTS];
};
void cuda_expand_weights(const weight_view *views, const expand_list &list, const weight_view &first, bool is_bf16,
                         uint16_t *to, unsigned n_multiprocessors, cudaStream_t stream);
void cuda_expand_weight(const weight_view &weight, bool is_bf16, uint16_t *to, unsigned n_multiprocessors,
                        cudaStream_t stream);

/* to[m, f] = act(gated[m, 0..f]) * gated[m, f..2f]. f: a multiple of 8. */
void cuda_gate_rows(const float *gated, uint32_t m, uint32_t f, enum kernels_activation activation, bool is_bf16,
                    uint16_t *to, cudaStream_t stream);

#endif
