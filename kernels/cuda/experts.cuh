/* experts.cuh: which rows go to which expert, and their results back. */
#ifndef DOCKET_KERNELS_CUDA_EXPERTS_CUH
#define DOCKET_KERNELS_CUDA_EXPERTS_CUH

#include "kernels/cuda/decode.cuh"
#include "kernels/gpu_scratch.h"

/* The router: see struct kernels_route. logits [m, e] is scratch. */
void cuda_route(const float *logits, uint32_t n_rows, uint32_t n_experts, uint32_t top_k, bool renormalize,
                int32_t *ids, float *weights, cudaStream_t stream);

/* From ids [m, t]: starts [e + 1]; for each place behind it the row it comes from (rows), experts one after the other, rows ascending in
 * each; and where each pair went (places). *wrong is set where an id is no expert: such a pair has no place of its own. */
struct sort_args {
    const int32_t *ids;
    uint32_t *starts, *rows, *places, *counts, *wrong; /* counts: scratch */
    uint32_t n_rows, n_experts, top_k;
};
void cuda_sort_by_expert(const sort_args &args, cudaStream_t stream);

/* out[i] += sum over t, in order, of weight * results[place]. */
struct combine_args {
    const float *results, *weights; /* weights NULL: 1 */
    const uint32_t *places;         /* NULL: the result of row i is at i */
    float *out;
    uint32_t n_rows, top_k, cols;
};
void cuda_combine(const combine_args &args, cudaStream_t stream);

#endif
