/* multiply.cuh: what multiply*.cu compute: rows of activations times a weight, or the gated pair of an expert, for one group of rows
 * or for one group an expert. */
#ifndef DOCKET_KERNELS_CUDA_MULTIPLY_CUH
#define DOCKET_KERNELS_CUDA_MULTIPLY_CUH

#include "kernels/cuda/decode.cuh"

/* Bytes of shared memory that a block and a multiprocessor have; of the latter each block takes `reserved` more than it asks for. */
struct cuda_shared_memory {
    size_t a_block, a_multiprocessor, reserved;
};

/* A further weight of multiply_args, and where its product goes. */
struct multiply_beside {
    weight_view weight;
    float *out;
};

/* out[i, n] = x[source(i), k] W^T, f32. With `second` the gated pair: act(x W^T) * (x W2^T). Groups: rows [starts[e], starts[e + 1]) of
 * out belong to weight e; without starts all m rows belong to weight 0. source(i) = rows[i] where rows is given. */
struct multiply_args {
    const float *x;
    float *out;
    const weight_view *weights,
        *second; /* [n_groups] on the device, second not without weights; NULL: `weight` is the only one */
    weight_view weight;
    const uint32_t *starts, *rows; /* on the device */
    uint32_t n_groups, m, n, k;
    bool accumulate;
    bool as_codes; /* every weight is what cuda_are_codes says, and x is at a multiple of 16 */
    bool exact;    /* f32 arithmetic whatever the format: the router; not with `second` */
    enum kernels_activation activation;
    float *absmax;       /* int8: [x_rows] scratch on the device, one a row of x */
    bool has_absmax;     /* int8: it is there already, from another product of x */
    uint32_t x_rows;     /* int8: rows that x has, where they are not m */
    const uint16_t *x16; /* as_codes: x in bf16, at a multiple of 16; NULL: x, and at most eight rows a group */
    uint16_t *out16;     /* as_codes: results in bf16 go here instead; not with `accumulate` */
    cuda_shared_memory room;
    /* Of the same rows of x, which the same launch multiplies: multiply_few.cu alone, put here by cuda_multiply_joins. */
    multiply_beside beside[KERNELS_MAX_BESIDE];
    uint32_t n_beside;
};

/* Queues the product. m: most rows that there can be, of all groups. */
void cuda_multiply(const multiply_args &args, cudaStream_t stream);

/* The same for one family of formats each; cuda_multiply chooses. */
void cuda_multiply_4bit(const multiply_args &args, cudaStream_t stream);
void cuda_multiply_codes(const multiply_args &args, cudaStream_t stream);
/* More than eight rows a group: x16 has to be there. All kernels of codes have to be allowed what they take of the device's shared
 * memory, once. */
void cuda_multiply_code_tiles(const multiply_args &args, cudaStream_t stream);
cudaError_t cuda_allow_code_tiles(const cuda_shared_memory &room);
static inline bool cuda_takes_code_tiles(const multiply_args &a)
{
    return a.as_codes && a.m > 8 * (a.starts ? a.n_groups : 1);
}
void cuda_multiply_lowbit(const multiply_args &args, cudaStream_t stream);
void cuda_multiply_int8(const multiply_args &args, cudaStream_t stream);

/* NF4 and FP4 whose rows are whole blocks of 64: multiply_codes.cuh has their order of sums. */
bool cuda_are_codes(const weight_view &weight);
/* Whether the launch that makes args can make `other`, of the same rows of x, as well; it does then, and the bits are the same. */
bool cuda_multiply_joins(multiply_args &args, const multiply_args &other);

/* out[i] = x[rows[i]] . W[tokens[i]], to the bit what the whole product would give. rows and tokens on the device. */
void cuda_multiply_items(const float *x, const weight_view &weight, const uint32_t *rows, const int32_t *tokens,
                         float *out, uint32_t n_items, cudaStream_t stream);
void cuda_multiply_items_codes(const float *x, const weight_view &weight, const uint32_t *rows, const int32_t *tokens,
                               float *out, uint32_t n_items, cudaStream_t stream);
void cuda_multiply_items_int8(const float *x, const weight_view &weight, const uint32_t *rows, const int32_t *tokens,
                              float *out, uint32_t n_items, cudaStream_t stream);

#endif
