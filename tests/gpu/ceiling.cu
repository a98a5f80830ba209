/* ceiling.cu: what this GPU does at best, for bench.c: copying and reading its own memory, and cuBLASLt's bf16 product where it is there. */
#include <launch.cuh>

#include <chrono>
#include <stdint.h>
#ifdef HAVE_CUBLASLT
#include <cublasLt.h>

#include "kernels/cuda/blas_abi.cuh"

/* What kernels/cuda/blas_abi.cuh says of cuBLASLt, against its own header. */
static_assert(sizeof(blas_algorithm) == sizeof(cublasLtMatmulAlgo_t) &&
                  sizeof(blas_choice) == sizeof(cublasLtMatmulHeuristicResult_t) &&
                  offsetof(blas_choice, workspace_bytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
                  offsetof(blas_choice, status) == offsetof(cublasLtMatmulHeuristicResult_t, state),
              "structs");
static_assert((int)BLAS_BF16 == CUDA_R_16BF && (int)BLAS_F16 == CUDA_R_16F && (int)BLAS_F32 == CUDA_R_32F &&
                  (int)BLAS_I8 == CUDA_R_8I && (int)BLAS_I32 == CUDA_R_32I,
              "types");
static_assert((int)BLAS_SUMS_F32 == CUBLAS_COMPUTE_32F && (int)BLAS_SUMS_I32 == CUBLAS_COMPUTE_32I &&
                  (int)BLAS_TRANSPOSED == CUBLAS_OP_T && (int)BLAS_DESC_TRANSPOSE_A == CUBLASLT_MATMUL_DESC_TRANSA,
              "products");
static_assert((int)BLAS_PREFERENCE_WORKSPACE == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES &&
                  (int)BLAS_PREFERENCE_REDUCTIONS == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK &&
                  (int)BLAS_PREFERENCE_ALIGNMENT_A == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
                  (int)BLAS_PREFERENCE_ALIGNMENT_D == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES &&
                  CUBLASLT_REDUCTION_SCHEME_NONE == 0,
              "preferences");
static_assert((int)BLAS_NOT_INITIALIZED == CUBLAS_STATUS_NOT_INITIALIZED &&
                  (int)BLAS_NO_MEMORY == CUBLAS_STATUS_ALLOC_FAILED &&
                  (int)BLAS_BAD_VALUE == CUBLAS_STATUS_INVALID_VALUE &&
                  (int)BLAS_OTHER_GPU == CUBLAS_STATUS_ARCH_MISMATCH &&
                  (int)BLAS_NOT_RUN == CUBLAS_STATUS_EXECUTION_FAILED &&
                  (int)BLAS_NOT_SUPPORTED == CUBLAS_STATUS_NOT_SUPPORTED,
              "statuses");
#endif

namespace
{

double seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* The best of some rounds of `work`, in seconds; negative after a failure. */
template <class function> double best_of(int n_rounds, int n_each, cudaStream_t stream, const function &work)
{
    double best = -1;
    for (int round = 0; round <= n_rounds; round++) {
        double begin = seconds();
        for (int i = 0; i < n_each; i++)
            if (!work()) return -1;
        if (cudaStreamSynchronize(stream) != cudaSuccess) return -1;
        double took = (seconds() - begin) / n_each;
        if (round > 0 && (best < 0 || took < best)) best = took; /* the first warms up */
    }
    return best;
}

constexpr unsigned READ_THREADS = 512, READ_AT_ONCE = 8;

/* Reads n pieces of 16 bytes, eight of a thread at a time, and writes where nobody would believe it. */
__global__ void __launch_bounds__(READ_THREADS) read_all(const uint4 *from, size_t n, uint32_t *out)
{
    const size_t step = (size_t)gridDim.x * READ_THREADS;
    uint32_t seen = 0;
    for (size_t i = (size_t)blockIdx.x * READ_THREADS + threadIdx.x; i < n; i += step * READ_AT_ONCE) {
        uint4 pieces[READ_AT_ONCE];
        UNROLL for (unsigned j = 0; j < READ_AT_ONCE; j++) pieces[j] = from[i + j * step < n ? i + j * step : i];
        UNROLL for (unsigned j = 0; j < READ_AT_ONCE; j++) seen |=
            pieces[j].x ^ pieces[j].y ^ pieces[j].z ^ pieces[j].w;
    }
    if (seen == 0x12345678) *out = seen;
}

} // namespace

/* Bytes read a second; 0: could not be measured. */
extern "C" double ceiling_device_read(size_t size_bytes)
{
    uint4 *from = nullptr;
    uint32_t *out = nullptr;
    cudaStream_t stream = nullptr;
    double took = -1;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return 0;
    const unsigned blocks =
        (unsigned)(size_bytes / (16 * READ_THREADS * READ_AT_ONCE * 4)) + 1; /* each goes round four times */
    if (cudaMalloc(&from, size_bytes) == cudaSuccess && cudaMalloc(&out, sizeof *out) == cudaSuccess &&
        cudaMemsetAsync(from, 0x3c, size_bytes, stream) == cudaSuccess)
        took = best_of(5, 4, stream, [&] {
            LAUNCH(read_all, dim3(blocks), dim3(READ_THREADS), 0, stream, from, size_bytes / 16, out);
            return cudaGetLastError() == cudaSuccess;
        });
    cudaFree(from);
    cudaFree(out);
    cudaStreamDestroy(stream);
    return took > 0 ? (double)size_bytes / took : 0;
}

/* Bytes read and written a second; 0: could not be measured. */
extern "C" double ceiling_copy(size_t size_bytes)
{
    char *from = nullptr, *to = nullptr;
    cudaStream_t stream = nullptr;
    double took = -1;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return 0;
    if (cudaMalloc(&from, size_bytes) == cudaSuccess && cudaMalloc(&to, size_bytes) == cudaSuccess)
        took = best_of(5, 4, stream, [&] {
            return cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToDevice, stream) == cudaSuccess;
        });
    cudaFree(from);
    cudaFree(to);
    cudaStreamDestroy(stream);
    return took > 0 ? 2.0 * (double)size_bytes / took : 0;
}

/* Operations a second of a product of n x n matrices in bf16 with f32 sums; 0: there is no cuBLASLt, or it refuses. */
extern "C" double ceiling_products(size_t n)
{
#ifdef HAVE_CUBLASLT
    const size_t workspace_bytes = (size_t)64 << 20;
    const float one = 1, zero = 0;
    char *a = nullptr, *b = nullptr, *c = nullptr, *workspace = nullptr;
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t product = nullptr;
    cublasLtMatrixLayout_t layout = nullptr;
    cudaStream_t stream = nullptr;
    cublasOperation_t turned = CUBLAS_OP_T;
    double took = -1;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return 0;
    if (cudaMalloc(&a, n * n * 2) == cudaSuccess && cudaMalloc(&b, n * n * 2) == cudaSuccess &&
        cudaMalloc(&c, n * n * 2) == cudaSuccess && cudaMalloc(&workspace, workspace_bytes) == cudaSuccess &&
        cudaMemsetAsync(a, 0x3c, n * n * 2, stream) == cudaSuccess &&
        cudaMemsetAsync(b, 0xbc, n * n * 2, stream) == cudaSuccess &&
        cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS &&
        cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
        cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned) ==
            CUBLAS_STATUS_SUCCESS &&
        cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, n, n, (int64_t)n) == CUBLAS_STATUS_SUCCESS) {
        cublasLtMatmulPreference_t preference = nullptr;
        cublasLtMatmulHeuristicResult_t chosen{};
        int n_found = 0;
        if (cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS &&
            cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                                 sizeof workspace_bytes) == CUBLAS_STATUS_SUCCESS &&
            cublasLtMatmulAlgoGetHeuristic(handle, product, layout, layout, layout, layout, preference, 1, &chosen,
                                           &n_found) == CUBLAS_STATUS_SUCCESS &&
            n_found > 0)
            took = best_of(5, 4, stream, [&] {
                return cublasLtMatmul(handle, product, &one, a, layout, b, layout, &zero, c, layout, c, layout,
                                      &chosen.algo, workspace, workspace_bytes, stream) == CUBLAS_STATUS_SUCCESS;
            });
        if (preference) cublasLtMatmulPreferenceDestroy(preference);
    }
    if (layout) cublasLtMatrixLayoutDestroy(layout);
    if (product) cublasLtMatmulDescDestroy(product);
    if (handle) cublasLtDestroy(handle);
    for (char *memory : {a, b, c, workspace}) cudaFree(memory);
    cudaStreamDestroy(stream);
    return took > 0 ? 2.0 * (double)n * (double)n * (double)n / took : 0;
#else
    (void)n;
    return 0;
#endif
}
