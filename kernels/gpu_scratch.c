/* gpu_scratch.c: the CUDA backend's scratch_size without the backend, for plans that are made where there is no GPU. */
#include "kernels/gpu_scratch.h"

size_t docket_kernels_gpu_scratch_size(const struct kernels_limits *limits, enum kernels_products products)
{
    bool library = products == KERNELS_PRODUCTS_LIBRARY || products == KERNELS_PRODUCTS_BY_ROWS ||
                   (products == KERNELS_PRODUCTS_AUTO && gpu_passes_are_large(limits));
    return gpu_scratch_total(limits, library);
}

size_t docket_kernels_gpu_batch_size(size_t max_rows, size_t max_sequences)
{
    size_t at[6];
    return gpu_batch_layout(max_rows, max_sequences, at);
}
