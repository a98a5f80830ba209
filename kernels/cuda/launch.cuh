/* launch.cuh: how kernels are launched, share memory and meet. With warp.cuh, mma.cuh and copy.cuh the only file that the host emulation
 * (tests/cuda_emulation) replaces. */
#ifndef DOCKET_KERNELS_CUDA_LAUNCH_CUH
#define DOCKET_KERNELS_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

/* A kernel whose template arguments hold a comma goes in parentheses. */
#define LAUNCH(kernel, grid, block, dynamic_shared_bytes, stream, ...)                                                 \
    (kernel<<<(grid), (block), (dynamic_shared_bytes), (stream)>>>(__VA_ARGS__))

#define SHARED_ARRAY(type, name, ...) __shared__ type name __VA_ARGS__ /* SHARED_ARRAY(float, tile, [8][33]) */
/* What LAUNCH was told to give beside it: of one type in all kernels. */
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#define BLOCK_BARRIER()               __syncthreads()
/* early.cuh has the rules: until the kernel in front has ended, with all that it wrote; the kernel behind may begin. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define WAIT_FOR_FORMER() asm volatile("griddepcontrol.wait;" ::: "memory")
#define LET_NEXT_BEGIN()  asm volatile("griddepcontrol.launch_dependents;" ::: "memory")
#else
#define WAIT_FOR_FORMER() ((void)0)
#define LET_NEXT_BEGIN()  ((void)0)
#endif
/* For __launch_bounds__ of kernels of 48 KiB of shared memory: how many a multiprocessor holds; sm_75 has room for one. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define LARGE_BLOCKS(n) 1
#else
#define LARGE_BLOCKS(n) n
#endif
/* The same of kernels of 64 KiB: there is room for one where a multiprocessor has 100. */
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ < 800 || __CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200)
#define LARGEST_BLOCKS(n) 1
#else
#define LARGEST_BLOCKS(n) n
#endif
#define UNROLL_TEXT(text)             _Pragma(#text)
#define UNROLL_BY(n)                  UNROLL_TEXT(unroll n)
#define UNROLL                        _Pragma("unroll")

#endif
