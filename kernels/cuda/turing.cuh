/* turing.cuh: what sm_75 has no instruction for, made of those that it has. Chosen by mma.cuh; the host emulation compiles the
 * same text and takes it for cards below 8.0. */
#ifndef DOCKET_KERNELS_CUDA_TURING_CUH
#define DOCKET_KERNELS_CUDA_TURING_CUH

#include <warp.cuh>

/* mma_bf16 of mma.cuh: the products are made one by one, k ascending. */
static __device__ __forceinline__ void turing_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    const unsigned lane = warp_lane(), g = lane / 4u, t = lane % 4u;
    UNROLL_BY(1) for (unsigned k = 0; k < 8; k++)
    { /* two columns of a at a time */
        const unsigned from = k % 4u;
        const uint32_t low = warp_from_lane_u32(k < 4 ? a[0] : a[2], g * 4 + from);
        const uint32_t high = warp_from_lane_u32(k < 4 ? a[1] : a[3], g * 4 + from);
        for (unsigned j = 0; j < 2; j++) {
            const uint32_t column = warp_from_lane_u32(k < 4 ? b[0] : b[1], (2 * t + j) * 4 + from);
            const float b0 = float_from_bits(column << 16), b1 = float_from_bits(column & 0xffff0000u);
            d[j] = fmaf(float_from_bits(low << 16), b0, d[j]);
            d[j] = fmaf(float_from_bits(low & 0xffff0000u), b1, d[j]);
            d[2 + j] = fmaf(float_from_bits(high << 16), b0, d[2 + j]);
            d[2 + j] = fmaf(float_from_bits(high & 0xffff0000u), b1, d[2 + j]);
        }
    }
}

/* mma_f16, of two products over half of k: mma.m16n8k8. */
template <void mma_k8(float *, uint32_t, uint32_t, uint32_t)>
static __device__ __forceinline__ void turing_mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    UNROLL for (int half = 0; half < 2; half++) mma_k8(d, a[2 * half], a[2 * half + 1], b[half]);
}

/* mma_s8, of four products over half of k and of the rows: mma.m8n8k16. */
template <void mma_m8(int *, uint32_t, uint32_t)>
static __device__ __forceinline__ void turing_mma_s8(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    UNROLL for (int half = 0; half < 2; half++)
    {
        mma_m8(d, a[2 * half], b[half]);
        mma_m8(d + 2, a[2 * half + 1], b[half]);
    }
}

#endif
