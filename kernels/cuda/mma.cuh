/* mma.cuh: the tensor core's products of bf16, f16 and signed byte fragments, and how fragments are read from shared memory. */
#ifndef DOCKET_KERNELS_CUDA_MMA_CUH
#define DOCKET_KERNELS_CUDA_MMA_CUH

#include "kernels/cuda/turing.cuh"

#include <launch.cuh>

#include <stdint.h>

/* d[16, 8] += a[16, 16] b[16, 8], bf16 in, f32 sums; one warp. With g = lane / 4 and t = lane % 4 (PTX ISA, mma.m16n8k16):
 * a[0] = (g, 2t..), a[1] = (g + 8, 2t..), a[2] = (g, 2t + 8..), a[3] = (g + 8, 2t + 8..), two columns a word, the lower first;
 * b[0] = (2t.., g), b[1] = (2t + 8.., g); d[0], d[1] = (g, 2t), (g, 2t + 1); d[2], d[3] = (g + 8, ...).
 * Below sm_80 there is no such instruction. */
static __device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    turing_mma_bf16(d, a, b);
#endif
}

/* d[16, 8] += a[16, 8] b[8, 8], f16: a[0] and a[1], b[0] of the above. */
static __device__ __forceinline__ void mma_f16_k8(float *d, uint32_t a0, uint32_t a1, uint32_t b)
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a0), "r"(a1), "r"(b));
}

/* mma_bf16 of f16. */
static __device__ __forceinline__ void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    turing_mma_f16<mma_f16_k8>(d, a, b);
#endif
}

/* d[8, 8] += a[8, 16] b[16, 8], signed bytes: a (g, 4t..), b (4t.., g), d[0], d[1] (g, 2t), (g, 2t + 1). */
static __device__ __forceinline__ void mma_s8_m8(int *d, uint32_t a, uint32_t b)
{
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+r"(d[0]), "+r"(d[1])
                 : "r"(a), "r"(b));
}

/* d[16, 8] += a[16, 32] b[32, 8], signed bytes in, whole sums of 32 bits, which wrap. a[0] = (g, 4t..), a[1] = (g + 8, 4t..),
 * a[2] = (g, 4t + 16..), a[3] = (g + 8, 4t + 16..), four columns a word, the first lowest; b[0] = (4t.., g), b[1] = (4t + 16.., g);
 * d as of mma_bf16. */
static __device__ __forceinline__ void mma_s8(int d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    turing_mma_s8<mma_s8_m8>(d, a, b);
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
