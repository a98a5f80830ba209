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

/* The same as product, cuda_route and cuda_sort_by_expert, to the bit, for few rows: at most SORT_CHUNK pairs, and as cuda_routes_few says. */
#define ROUTE_LEAST_EXPERTS 8u
struct route_few_args {
    const float *x; /* [m, k] at a multiple of 16 */
    weight_view weight;
    float *chains, *logits; /* scratch: [m, n_chains, e] and [m, e]; of one chain each logits may be chains */
    int32_t *ids;
    float *weights;
    uint32_t m, e, n_chains, top_k;
    bool renormalize;
    sort_args sort;
};
static inline bool cuda_routes_few(const float *x, const weight_view &w, size_t m, size_t top_k)
{
    const bool is_plain = w.format == KERNELS_F32 || w.format == KERNELS_F16 || w.format == KERNELS_BF16;
    return is_plain && m && m <= GPU_STEP_ROWS && m * top_k <= SORT_CHUNK && w.rows >= ROUTE_LEAST_EXPERTS &&
           w.cols % 8 == 0 && (uintptr_t)x % 16 == 0;
}
static inline uint32_t cuda_route_chains(const weight_view &w)
{
    return (w.cols + 1023) / 1024;
}
void cuda_route_few(const route_few_args &args, cudaStream_t stream);

/* out[i] += sum over t, in order, of weight * results[place]. */
struct combine_args {
    const float *results, *weights; /* weights NULL: 1 */
    const uint32_t *places;         /* NULL: the result of row i is at i */
    float *out;
    uint32_t n_rows, top_k, cols;
};
void cuda_combine(const combine_args &args, cudaStream_t stream);
/* And normed = the norm of out: see struct kernels_rmsnorm. To the bit as one after the other. */
void cuda_combine_norm(const combine_args &args, const weight_view &weight, float *normed, float eps, bool plus_one,
                       cudaStream_t stream);

#endif
