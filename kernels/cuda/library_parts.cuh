/* library_parts.cuh: what library.cu and library_int8.cu share. */
#ifndef DOCKET_KERNELS_CUDA_LIBRARY_PARTS_CUH
#define DOCKET_KERNELS_CUDA_LIBRARY_PARTS_CUH

#include "kernels/cuda/gemm_lt.cuh"
#include "kernels/cuda/library.cuh"

/* Whether cuBLASLt is there and some product is to be its. */
bool cuda_library_may(const struct kernels_device *device);
struct gemm_lt *cuda_library_gemm(struct kernels_device *device);
/* A status of cuBLASLt, about a weight [n, k]. */
enum kernels_status cuda_library_check(struct kernels_device *device, int status, const char *what, size_t n, size_t k);
enum kernels_status cuda_library_multiply(struct kernels_device *device, const struct gemm_lt_product *product,
                                          const char *what);
/* Where each expert's rows begin [n_experts + 1], on the host until the next such call: waits for the sort. */
enum kernels_status cuda_library_fetch_starts(struct kernels_device *device, const struct cuda_library_experts *experts,
                                              const uint32_t **starts);

bool cuda_library_int8_linear(struct kernels_device *device, const struct kernels_linear *args,
                              enum kernels_status *status);
bool cuda_library_int8_takes_experts(struct kernels_device *device, const struct kernels_expert_ffn *args,
                                     size_t n_experts, size_t n_pairs, enum kernels_status *status);
enum kernels_status cuda_library_int8_experts(struct kernels_device *device, const struct cuda_library_experts *experts,
                                              float *results);

#endif
