/* copy.cuh: copies from the device's memory to shared memory that go on while the thread does something else. */
#ifndef DOCKET_KERNELS_CUDA_COPY_CUH
#define DOCKET_KERNELS_CUDA_COPY_CUH

#include <launch.cuh>

#include <stdint.h>

/* 16 bytes, both addresses multiples of 16; zeros where `there` is false, and `from` is not read. Nobody touches them until the thread
 * has waited for them (the others: and has met it). Below sm_80 they are copied at once. */
static __device__ __forceinline__ void copy_async_16(void *to, const void *from, bool there)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
                 : "memory");
#else
    *(uint4 *)to = there ? *(const uint4 *)from : make_uint4(0, 0, 0, 0);
#endif
}

/* Closes a group: what was begun since the last one. */
static __device__ __forceinline__ void copy_commit(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Until at most PENDING of the thread's groups are under way. */
template <int PENDING> static __device__ __forceinline__ void copy_wait(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

#endif
