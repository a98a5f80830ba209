/* early.cuh: kernels of a recorded step that begin before the one in front of them has ended (programmatic dependent launch, compute
 * capability 9.0 and up): their blocks come as those of the kernel in front leave, ask for weights, fill tables, and wait.
 *
 * A kernel that LAUNCH_EARLY queues
 *  - executes WAIT_FOR_FORMER in every thread of every block, before it returns, reads what any kernel or copy of the step or in front of
 *    it may have written (rows, the router's choice, the cache, the batch, attention's plan), or writes any of the device's memory. So
 *    whoever ends has waited, and when the kernel in front has ended, so have all before it;
 *  - has before that: weights, constants (cuda_constant), arguments, shared memory.
 * LET_NEXT_BEGIN stands on top of a kernel, however it is launched: it is a matter of room, not of memory. The next kernel's blocks come
 * when the last block of this one has said so, thus has a place: what they take by waiting is kept from nobody but their own kind. A
 * kernel that does not say it lets the next one begin as it ends.
 * Nothing that another kernel writes is read by ld.global.nc (__ldg, or const and __restrict__): the compiler may put such loads in front of
 * the wait, which holds all others (tests/gpu/early.py looks at what it made).
 * Where a launch is not early both are nothing, and LAUNCH is always right. */
#ifndef DOCKET_KERNELS_CUDA_EARLY_CUH
#define DOCKET_KERNELS_CUDA_EARLY_CUH

#include <launch.cuh>

/* steps.cu: whether the launch that comes is one of a step that this thread records, and the kernel's code knows how to wait; counts it. */
bool cuda_begins_early(const void *kernel);

/* A failure is the last error, as that of LAUNCH. */
template <class... parameters, class... arguments>
static inline void launch_early(void (*kernel)(parameters...), dim3 grid, dim3 block, size_t dynamic_shared_bytes,
                                cudaStream_t stream, const arguments &...given)
{
    if (!cuda_begins_early((const void *)kernel)) {
        LAUNCH(kernel, grid, block, dynamic_shared_bytes, stream, given...);
        return;
    }
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    const cudaLaunchConfig_t config = {grid, block, dynamic_shared_bytes, stream, &attribute, 1};
    cudaLaunchKernelEx(&config, kernel, given...);
}

/* As LAUNCH. */
#define LAUNCH_EARLY(kernel, grid, block, dynamic_shared_bytes, stream, ...)                                           \
    launch_early((kernel), (grid), (block), (dynamic_shared_bytes), (stream), __VA_ARGS__)

#endif
