/* launch.cuh on the host: kernels/cuda/launch.cuh and the parts of the CUDA runtime's API that docket calls. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_LAUNCH_CUH
#define DOCKET_TESTS_CUDA_EMULATION_LAUNCH_CUH

#include "tests/cuda_emulation/emulation.h"
#include "tests/cuda_emulation/runtime.h"

#include <cmath>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __constant__

struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

#define threadIdx emulation::thread_index()
#define blockIdx  emulation::block_index()
#define blockDim  emulation::block_size()
#define gridDim   emulation::grid_size()

#define LAUNCH(kernel, grid, block, dynamic_shared_bytes, stream, ...)                                                 \
    (emulation::launch_kernel((kernel), (grid), (block), (dynamic_shared_bytes), (stream), __VA_ARGS__))

#define SHARED_ARRAY(type, name, ...)                                                                                  \
    using name##_array = type __VA_ARGS__;                                                                             \
    static const char name##_key = 0;                                                                                  \
    name##_array &name = *(name##_array *)emulation::shared_array(&name##_key, sizeof(name##_array))
#define DYNAMIC_SHARED(type, name) type *name = (type *)emulation::dynamic_shared()
#define UNROLL
#define UNROLL_BY(n)
#define BLOCK_BARRIER()   emulation::block_barrier(__FILE__, __LINE__)
#define WAIT_FOR_FORMER() emulation::former_wait(__FILE__, __LINE__)
#define LET_NEXT_BEGIN()  ((void)0) /* whatever may begin early does */

#endif
