/* multiply_codes.cuh: products with NF4 and FP4 as their codes stand: the code's value in bf16 goes to the tensor core, the block's scale
 * multiplies the sum of the block's products. So a weight costs one look-up for two codes and no arithmetic.
 *
 * The order of every sum, whichever kernel makes it: blocks of 64 of k are each a chain of four mma from zero, in which lane t of four
 * has k = 16 t + 4 step; a slice of 8 blocks is the chain fma(block, scale, sum); slices are added in turn. Slices can be made apart,
 * by other warps, and the bits stay the same. */
#ifndef DOCKET_KERNELS_CUDA_MULTIPLY_CODES_CUH
#define DOCKET_KERNELS_CUDA_MULTIPLY_CODES_CUH

#include "kernels/cuda/tiles.cuh"

#include <mma.cuh>

namespace codes
{

constexpr uint32_t BLOCK = 64, STEPS = 4, SLICE_BLOCKS = 8, SLICE = SLICE_BLOCKS * BLOCK;

/* bf16 values of the two codes of a byte, the earlier low: COPIES of each side by side, so that with 32 of them every lane has its own
 * bank of shared memory. All threads come here; `table` is for them alone. */
template <uint32_t COPIES>
static __device__ __forceinline__ void fill_pairs(uint32_t *pairs, float *table, uint32_t format)
{
    decode_prepare(table, format);
    BLOCK_BARRIER(); /* the values are there */
    for (uint32_t i = threadIdx.x; i < 256 * COPIES; i += blockDim.x)
        pairs[i] = bf16_pair(table[i / COPIES >> 4], table[i / COPIES & 15]);
}

/* Which of the two codes' bytes of a lane's eight a step wants: bytes 2 step and 2 step + 1. */
static __device__ __forceinline__ uint32_t step_bytes(uint2 bytes, uint32_t step)
{
    return (step < 2 ? bytes.x : bytes.y) >> step % 2 * 16;
}

template <int FORMAT>
static __device__ __forceinline__ float block_scale(const weight_view &w, uint32_t row, uint32_t k)
{
    return decode_absmax<FORMAT>(w, ((size_t)row * w.cols + k) >> w.block_shift);
}

static __device__ __forceinline__ void store_codes(const multiply_args &a, uint32_t row, uint32_t column, float value)
{
    if (a.out16)
        a.out16[(size_t)row * a.n + column] = (uint16_t)bf16_pair(value, 0.0f);
    else
        store(a, row, column, value);
}

} // namespace codes

void cuda_multiply_codes_few(const multiply_args &args, cudaStream_t stream);

/* Tiles that groups of m rows together can have, `rows` in each: every group that has any adds at most one that is not full. */
static inline uint32_t tiles_at_most(const multiply_args &a, uint32_t rows)
{
    uint32_t groups = a.starts ? (a.n_groups < a.m ? a.n_groups : a.m) : 1;
    return (a.m - 1) / rows + groups;
}

#endif
