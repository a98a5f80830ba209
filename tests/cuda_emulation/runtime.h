/* runtime.h: the calls of the CUDA runtime that docket makes, on the host: device memory is the heap's; streams.h has the
 * streams. Any call can be made to fail. Names and numbers are the CUDA runtime API's. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_RUNTIME_H
#define DOCKET_TESTS_CUDA_EMULATION_RUNTIME_H

#include "tests/cuda_emulation/emulation.h"

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorNotSupported = 801,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorCapturedEvent = 907,
    cudaErrorStreamCaptureWrongThread = 908,
} cudaError_t;

typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;
typedef struct emulated_graph *cudaGraph_t;
typedef struct emulated_graph_exec *cudaGraphExec_t;
enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2
};
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
};
enum { cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

struct cudaFuncAttributes {
    int ptxVersion; /* what the code was compiled for, 90 for 9.0 */
};
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
union cudaLaunchAttributeValue {
    char pad[64];
    int programmaticStreamSerializationAllowed;
};
struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    cudaLaunchAttributeValue val;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlockOptin, sharedMemPerMultiprocessor, reservedSharedMemPerBlock;
    int major, minor, multiProcessorCount, pciDomainID, pciBusID, pciDeviceID;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes);
cudaError_t cudaMalloc(void **out, size_t size_bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocHost(void **out, size_t size_bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority);
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
/* The last two arguments of those that order streams: where the call stands, so that it can be left out (README.md). */
cudaError_t cudaStreamSynchronize(cudaStream_t stream, const char *file = __builtin_FILE(),
                                  int line = __builtin_LINE());
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream, const char *file = __builtin_FILE(),
                            int line = __builtin_LINE());
cudaError_t cudaEventSynchronize(cudaEvent_t event, const char *file = __builtin_FILE(), int line = __builtin_LINE());
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags,
                                const char *file = __builtin_FILE(), int line = __builtin_LINE());
/* More than 48 KiB of dynamic shared memory are a kernel's once it was allowed them here. */
cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute attribute, int value);
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *kernel);
/* graphs.cpp */
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);

template <class type> static inline cudaError_t cudaMalloc(type **out, size_t size_bytes)
{
    return cudaMalloc((void **)out, size_t(size_bytes));
}

namespace emulation
{
/* Whether the card in use is below 8.0: what it has no instruction for is then made of others (kernels/cuda/turing.cuh). */
bool card_is_turing();
/* The nth call from now on fails with this error, launches included; 0: none does. A sticky error stays. */
void fail_call(long n, cudaError_t error);
long calls_made();
/* For what stands beside the runtime: counts a call, and says what it is to fail with; counts what is made and given back. */
cudaError_t count_call();
void count_live(long difference);
/* Counts a call on a stream; what it is to fail with, if it is. */
cudaError_t turn_on(cudaStream_t stream);
/* Makes it the last error too. */
cudaError_t fail_now(cudaError_t error);
cudaError_t launch_if_healthy(const void *kernel, const cudaLaunchConfig_t &config, const std::function<void()> &run);

/* Arguments are the kernel's when it is queued, not when it runs. */
template <class type> struct itself {
    using same = type;
};
template <class... parameters>
void launch_kernel(void (*kernel)(parameters...), dim3 grid, dim3 block, size_t dynamic_shared_bytes,
                   cudaStream_t stream, typename itself<parameters>::same... arguments)
{
    const cudaLaunchConfig_t config = {grid, block, dynamic_shared_bytes, stream, nullptr, 0};
    launch_if_healthy((const void *)kernel, config, [=] { kernel(arguments...); });
}
} // namespace emulation

template <class... parameters, class... given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(parameters...), given &&...arguments)
{
    return emulation::launch_if_healthy((const void *)kernel, *config, [=](parameters... own) {
        return std::function<void()>([=] { kernel(own...); });
    }(static_cast<given &&>(arguments)...));
}

/* The same for a test in C. live: allocations, streams, events and graphs that were not given back. */
extern "C" void emulation_fail_call(long n, int error);
extern "C" long emulation_calls_made(void);
extern "C" size_t emulation_live_allocations(void);
/* Kernels that were queued so far, but those of graphs; graphs that were. The nth instantiation from now on fails (0: none). */
extern "C" long emulation_kernels_queued(void);
extern "C" long emulation_graphs_queued(void);
extern "C" void emulation_fail_instantiation(long n, int error);

#endif
