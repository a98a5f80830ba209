/* warp.cuh: what the 32 threads of a warp do together, and scalar conversions that need the device's own instructions. */
#ifndef DOCKET_KERNELS_CUDA_WARP_CUH
#define DOCKET_KERNELS_CUDA_WARP_CUH

#include <launch.cuh>

#include <cuda_fp16.h>
#include <stdint.h>

extern "C" {
#include "kernels/formats/half.h"
}

#define WARP_SIZE 32u
#define FULL_WARP 0xffffffffu

static __device__ __forceinline__ unsigned warp_lane(void)
{
    return threadIdx.x % WARP_SIZE; /* blocks are one-dimensional */
}

static __device__ __forceinline__ float warp_from_lane(float value, unsigned lane)
{
    return __shfl_sync(FULL_WARP, value, (int)lane);
}

/* Of the lane whose number differs by `mask`. */
static __device__ __forceinline__ float warp_across(float value, unsigned mask)
{
    return __shfl_xor_sync(FULL_WARP, value, (int)mask);
}

static __device__ __forceinline__ uint32_t warp_across_u32(uint32_t value, unsigned mask)
{
    return __shfl_xor_sync(FULL_WARP, value, (int)mask);
}

/* Of any lane, each its own. */
static __device__ __forceinline__ uint32_t warp_from_lane_u32(uint32_t value, unsigned lane)
{
    return __shfl_sync(FULL_WARP, value, (int)lane);
}

static __device__ __forceinline__ double warp_across_f64(double value, unsigned mask)
{
    return __shfl_xor_sync(FULL_WARP, value, (int)mask);
}

static __device__ __forceinline__ void warp_meet(void)
{
    __syncwarp();
}

static __device__ __forceinline__ float float_from_bits(uint32_t bits)
{
    return __uint_as_float(bits);
}

static __device__ __forceinline__ uint32_t bits_from_float(float value)
{
    return __float_as_uint(value);
}

static __device__ __forceinline__ float float_from_f16(uint16_t bits)
{
    return __half2float(__ushort_as_half(bits));
}

static __device__ __forceinline__ uint16_t f16_from_float(float value)
{
    return __half_as_ushort(__float2half_rn(value));
}

static __device__ __forceinline__ uint32_t bits_set(uint32_t word)
{
    return (uint32_t)__popc(word);
}

/* 2^x to 2^-22 of itself, in one instruction; of 0 exactly 1, of -infinity 0, and 0 where it would be subnormal. */
static __device__ __forceinline__ float exp2_fast(float x)
{
    float out;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
    return out;
}

/* Two neighbours in a word, the earlier one low. */
static __device__ __forceinline__ uint32_t f16_pair(float earlier, float later)
{
    const __half2 pair = __floats2half2_rn(earlier, later);
    return (uint32_t)__half_as_ushort(__low2half(pair)) | (uint32_t)__half_as_ushort(__high2half(pair)) << 16;
}

/* Byte `which` of a word: one instruction, which a multiplication behind it does not undo. */
static __device__ __forceinline__ uint32_t byte_of(uint32_t word, unsigned which)
{
    return __byte_perm(word, 0, 0x4440u | which);
}

/* column[row * WARP_SIZE], in shared memory, written before a barrier that the thread has come from: one instruction for the place, and
 * the load. */
static __device__ __forceinline__ uint32_t load_column(const uint32_t *column, uint32_t row)
{
    uint32_t value;
    asm volatile("ld.shared.u32 %0, [%1];"
                 : "=r"(value)
                 : "r"((uint32_t)__cvta_generic_to_shared(column) + row * (WARP_SIZE * 4)));
    return value;
}

/* sum + the products of four signed bytes each. */
static __device__ __forceinline__ int dot_bytes(uint32_t a, uint32_t b, int sum)
{
    return __dp4a((int)a, (int)b, sum);
}

/* Eight bytes that nobody reads again: past the first cache, and the rest of their 128 brought nearer. */
static __device__ __forceinline__ uint2 load_once(const void *from)
{
    uint2 value;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];"
                 : "=r"(value.x), "=r"(value.y)
                 : "l"(from));
    return value;
}

/* 16 bytes of the device's memory in one instruction, whatever the compiler knows of the address. */
static __device__ __forceinline__ void store_vector(void *to, uint4 value)
{
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"((uint64_t)__cvta_generic_to_global(to)), "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w)
                 : "memory");
}

/* To bf16, nearest, ties to even; two neighbours in a word, the earlier one low. */
static __device__ __forceinline__ uint32_t bf16_pair(float earlier, float later)
{
#if __CUDA_ARCH__ >= 800
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(later), "f"(earlier));
    return pair;
#else
    return half_bf16_from_f32(earlier) | (uint32_t)half_bf16_from_f32(later) << 16;
#endif
}

/* Any number of threads may set it; somebody else reads it after the kernel. */
static __device__ __forceinline__ void flag_set(uint32_t *flag)
{
    atomicExch(flag, 1u);
}

#endif
