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
 * bank of shared memory. A thread writes a byte's copies, sixteen bytes of them at a time, neighbours others of the eight: they meet no
 * bank twice. All threads come here; `table` is for them alone, and filled (decode_prepare). */
template <uint32_t COPIES> static __device__ __forceinline__ void fill_pairs(uint32_t *pairs, const float *table)
{
    static_assert(COPIES == 1 || COPIES == WARP_SIZE, "one, or one a lane");
    for (uint32_t byte = threadIdx.x; byte < 256; byte += blockDim.x) {
        const uint32_t pair = bf16_pair(table[byte >> 4], table[byte & 15]);
        if (COPIES == 1)
            pairs[byte] = pair;
        else
            UNROLL for (uint32_t i = 0; i < 8; i++)((uint4 *)pairs)[byte * 8 + (byte + i) % 8] =
                uint4{pair, pair, pair, pair};
    }
}

/* What a step of a lane's codes of 16 outputs is to the mma: `low` and `high` are its bytes of rows g and g + 8. own: the lane's copy of
 * the pairs; the look-ups are most of what these kernels do, two instructions and the load each. */
static __device__ __forceinline__ void step_values(uint32_t to[4], const uint32_t *own, uint2 low, uint2 high,
                                                   uint32_t step)
{
    const uint32_t of_low = step < 2 ? low.x : low.y, of_high = step < 2 ? high.x : high.y, first = step % 2 * 2;
    to[0] = load_column(own, byte_of(of_low, first));
    to[1] = load_column(own, byte_of(of_high, first));
    to[2] = load_column(own, byte_of(of_low, first + 1));
    to[3] = load_column(own, byte_of(of_high, first + 1));
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

/* out [m, n]: a.out, or that of a weight beside. */
static __device__ __forceinline__ void store_codes(const multiply_args &a, float *out, uint32_t n, uint32_t row,
                                                   uint32_t column, float value)
{
    const size_t at = (size_t)row * n + column;
    if (a.out16)
        a.out16[at] = (uint16_t)bf16_pair(value, 0.0f);
    else
        out[at] = a.accumulate ? out[at] + value : value;
}

static __device__ __forceinline__ void store_codes(const multiply_args &a, uint32_t row, uint32_t column, float value)
{
    store_codes(a, a.out, a.n, row, column, value);
}

} // namespace codes

void cuda_multiply_codes_few(const multiply_args &args, cudaStream_t stream);
cudaError_t
cuda_allow_codes_few(void); /* their shared memory, 58 KiB: every device from 7.5 on has as much for a block */

/* Of all weights of a launch. */
static inline uint64_t outputs_of(const multiply_args &a)
{
    uint64_t n = a.n;
    for (uint32_t i = 0; i < a.n_beside; i++) n += a.beside[i].weight.rows;
    return n;
}

/* Tiles that groups of m rows together can have, `rows` in each: every group that has any adds at most one that is not full. */
static inline uint32_t tiles_at_most(const multiply_args &a, uint32_t rows)
{
    uint32_t groups = a.starts ? (a.n_groups < a.m ? a.n_groups : a.m) : 1;
    return (a.m - 1) / rows + groups;
}

#endif
