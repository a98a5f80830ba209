/* library.cuh: products of many rows through cuBLASLt: which are, and how weights get their 16-bit form meanwhile. */
#ifndef DOCKET_KERNELS_CUDA_LIBRARY_CUH
#define DOCKET_KERNELS_CUDA_LIBRARY_CUH

#include "kernels/cuda/device.cuh"

/* Whether cuBLASLt is there, and who asked for it. KERNELS_UNSUPPORTED, said in device->failure, only where it was asked for by name. */
enum kernels_status cuda_library_open(struct kernels_device *device, const struct kernels_options *options,
                                      bool is_bf16);
void cuda_library_close(struct kernels_device *device);
/* Whether passes of these limits are the library's, for KERNELS_PRODUCTS_AUTO from the limits alone: decided for good, or asked. */
void cuda_library_decide(struct kernels_device *device, const struct kernels_limits *limits);
bool cuda_library_may_serve(const struct kernels_device *device, const struct kernels_limits *limits);
void cuda_library_describe(const struct kernels_device *device, char *text, size_t size);

/* True if the product is cuBLASLt's: then it is queued, or *status says what failed. */
bool cuda_library_linear(struct kernels_device *device, const struct kernels_linear *args, enum kernels_status *status);

/* The experts of a layer, after the sort: rows of `results` [pairs, k] in the experts' order. starts and rows are NULL for one expert
 * that takes all rows. */
struct cuda_library_experts {
    const struct kernels_expert_ffn *args;
    const struct weight_view *views; /* on the device: gate, up, down, n_experts of each */
    const uint32_t *starts, *rows;
    size_t n_experts, n_pairs;
};
/* Whether cuBLASLt takes them: asked before anything is queued. */
bool cuda_library_takes_experts(struct kernels_device *device, const struct kernels_expert_ffn *args, size_t n_experts,
                                size_t n_pairs, enum kernels_status *status);
enum kernels_status cuda_library_multiply_experts(struct kernels_device *device,
                                                  const struct cuda_library_experts *experts, float *results);

enum kernels_status cuda_weight_expand(struct kernels_device *device, struct kernels_weight *weight,
                                       struct kernels_error *error);

#endif
