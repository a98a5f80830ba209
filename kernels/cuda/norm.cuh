/* norm.cuh: the norm of a row by one block: which thread has which values, and the order of the sum, are the same wherever it is made. */
#ifndef DOCKET_KERNELS_CUDA_NORM_CUH
#define DOCKET_KERNELS_CUDA_NORM_CUH

#include "kernels/cuda/decode.cuh"

constexpr uint32_t NORM_THREADS = 256, NORM_WARPS = NORM_THREADS / WARP_SIZE;

/* Of the thread's share of the squares, that of every 256th value in order: what the row is multiplied with, the same in each thread. */
static __device__ __forceinline__ float norm_scale(double sum, double *scratch, uint32_t cols, float eps)
{
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) sum += warp_across_f64(sum, mask);
    if (warp_lane() == 0) scratch[threadIdx.x / WARP_SIZE] = sum;
    BLOCK_BARRIER(); /* the warps' sums are there */
    sum = 0;
    for (uint32_t w = 0; w < NORM_WARPS; w++) sum += scratch[w];
    return (float)(1.0 / sqrt(sum / cols + eps));
}

/* Each thread reads and writes the values that it had before: to may be from. */
template <int FORMAT>
static __device__ __forceinline__ void norm_row(const float *from, const weight_view &weight, float *to, uint32_t cols,
                                                float scale, bool plus_one)
{
    for (uint32_t i = threadIdx.x; i < cols; i += NORM_THREADS) {
        float w = decode_one<FORMAT>(weight, nullptr, i);
        to[i] = from[i] * scale * (plus_one ? 1.0f + w : w);
    }
}

#endif
