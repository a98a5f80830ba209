/* gemm_lt.cuh: products of 16-bit matrices, and of signed bytes, by cuBLASLt. Knows no weights, formats or devices of kernels.h. */
#ifndef DOCKET_KERNELS_CUDA_GEMM_LT_CUH
#define DOCKET_KERNELS_CUDA_GEMM_LT_CUH

#include "kernels/gpu_scratch.h"

#include <launch.cuh>

#include <stddef.h>

struct gemm_lt;

/* NULL and why, if there is no cuBLASLt; is_bf16: what the 16-bit matrices are, else f16. */
struct gemm_lt *gemm_lt_open(bool is_bf16, char *why, size_t size);
void gemm_lt_close(struct gemm_lt *gemm);
size_t gemm_lt_version(const struct gemm_lt *gemm); /* 130002: 13.0.2 */

/* out[m, n] = x[m, k] w[n, k]^T, or += ; 16-bit in, f32 sums, f32 out; or bytes in, int32 sums and out. Rows of out are `stride` values
 * apart. Addresses are multiples of 16, and so are the bytes of a row. */
struct gemm_lt_product {
    const void *x, *w;
    void *out;
    size_t m, n, k, stride;
    bool accumulate; /* of f32 */
    bool is_int8;
};

/* Whether there is an algorithm for weights of this shape. It is chosen once, for any number of rows, and from those that cut no sum
 * over k in parts: a row's bits are its own. False with *status 0 where cuBLASLt has none. */
bool gemm_lt_takes(struct gemm_lt *gemm, bool is_int8, size_t n, size_t k, size_t stride, int *status);
/* Queues a product of a shape that is taken. 0, or cuBLASLt's status. Should the shape's algorithm refuse so few rows, one that is chosen
 * for them makes the product: better another order of adding than no answer. */
int gemm_lt_multiply(struct gemm_lt *gemm, const struct gemm_lt_product *product, void *workspace, cudaStream_t stream);
bool gemm_lt_lacks_memory(int status);
const char *gemm_lt_status_name(int status);

#endif
