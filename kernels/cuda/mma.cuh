/* mma.cuh: the tensor core's products of bf16 and of f16 fragments, and how fragments are read from shared memory. */
#ifndef DOCKET_KERNELS_CUDA_MMA_CUH
#define DOCKET_KERNELS_CUDA_MMA_CUH

#include <launch.cuh>

#include <stdint.h>

/* d[16, 8] += a[16, 16] b[16, 8], bf16 in, f32 sums; one warp. With g = lane / 4 and t = lane % 4 (PTX ISA, mma.m16n8k16):
 * a[0] = (g, 2t..), a[1] = (g + 8, 2t..), a[2] = (g, 2t + 8..), a[3] = (g + 8, 2t + 8..), two columns a word, the lower first;
 * b[0] = (2t.., g), b[1] = (2t + 8.., g); d[0], d[1] = (g, 2t), (g, 2t + 1); d[2], d[3] = (g + 8, ...).
 * Below sm_80 there is no such instruction: the products are made one by one. */
static __device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    unsigned lane = threadIdx.x % 32u, g = lane / 4u, t = lane % 4u;
    _Pragma("unroll 1") for (unsigned k = 0; k < 8; k++)
    { /* two columns of a at a time */
        unsigned word = k / 4u, from = k % 4u;
        uint32_t low = __shfl_sync(0xffffffffu, a[2 * word], (int)(g * 4 + from));
        uint32_t high = __shfl_sync(0xffffffffu, a[2 * word + 1], (int)(g * 4 + from));
        for (unsigned j = 0; j < 2; j++) {
            uint32_t column = __shfl_sync(0xffffffffu, b[word], (int)((2 * t + j) * 4 + from));
            float b0 = __uint_as_float(column << 16), b1 = __uint_as_float(column & 0xffff0000u);
            d[j] = __fmaf_rn(__uint_as_float(low << 16), b0, d[j]);
            d[j] = __fmaf_rn(__uint_as_float(low & 0xffff0000u), b1, d[j]);
            d[2 + j] = __fmaf_rn(__uint_as_float(high << 16), b0, d[2 + j]);
            d[2 + j] = __fmaf_rn(__uint_as_float(high & 0xffff0000u), b1, d[2 + j]);
        }
    }
#endif
}

/* The same of f16. sm_75 makes it of two products over half of k. */
static __device__ __forceinline__ void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    UNROLL for (int half = 0; half < 2; half++) asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};" :
        "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
#endif
}

/* Four matrices of 8 x 8 16-bit values from shared memory; lane 8 i + r brings the address of row r of matrix i, a multiple of 16.
 * to[i] = (g, 2t), (g, 2t + 1) of matrix i; transposed (2t, g), (2t + 1, g). */
static __device__ __forceinline__ void load_matrices(uint32_t to[4], const void *row)
{
    const uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
}

static __device__ __forceinline__ void load_matrices_transposed(uint32_t to[4], const void *row)
{
    const uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
}

#endif
