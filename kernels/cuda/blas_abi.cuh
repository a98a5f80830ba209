/* blas_abi.cuh: what docket calls of cuBLASLt, by the numbers of its ABI, which versions 12 and 13 share: so that it is compiled without
 * its header and runs with either. tests/gpu/{ceiling,blas_header}.cu compare with the header where there is one. */
#ifndef DOCKET_KERNELS_CUDA_BLAS_ABI_CUH
#define DOCKET_KERNELS_CUDA_BLAS_ABI_CUH

#include <launch.cuh>

#include <stddef.h>
#include <stdint.h>

enum blas_status {
    BLAS_OK = 0,
    BLAS_NOT_INITIALIZED = 1,
    BLAS_NO_MEMORY = 3,
    BLAS_BAD_VALUE = 7,
    BLAS_OTHER_GPU = 8,
    BLAS_NOT_RUN = 13,
    BLAS_NOT_SUPPORTED = 15,
};
enum blas_type { BLAS_F32 = 0, BLAS_F16 = 2, BLAS_I8 = 3, BLAS_I32 = 10, BLAS_BF16 = 14 };
enum blas_compute { BLAS_SUMS_F32 = 68, BLAS_SUMS_I32 = 72 };
enum { BLAS_TRANSPOSED = 1 };
enum blas_desc_attribute { BLAS_DESC_TRANSPOSE_A = 3 };
enum blas_preference_attribute {
    BLAS_PREFERENCE_WORKSPACE = 1,
    BLAS_PREFERENCE_REDUCTIONS = 3, /* a mask; 0: no sum is cut in parts */
    BLAS_PREFERENCE_ALIGNMENT_A = 5,
    BLAS_PREFERENCE_ALIGNMENT_B = 6,
    BLAS_PREFERENCE_ALIGNMENT_C = 7,
    BLAS_PREFERENCE_ALIGNMENT_D = 8,
};

struct blas_algorithm {
    uint64_t data[8];
};
struct blas_choice {
    struct blas_algorithm algorithm;
    size_t workspace_bytes;
    int status;
    float waves;
    int reserved[4];
};

typedef struct blas_handle *blas_handle_t;
typedef struct blas_desc *blas_desc_t;
typedef struct blas_layout *blas_layout_t;
typedef struct blas_preference *blas_preference_t;

struct blas_functions {
    int (*create)(blas_handle_t *out);
    int (*destroy)(blas_handle_t handle);
    size_t (*version)(void);
    int (*desc_create)(blas_desc_t *out, int compute, int scale_type);
    int (*desc_set)(blas_desc_t desc, int attribute, const void *value, size_t size);
    int (*desc_destroy)(blas_desc_t desc);
    int (*layout_create)(blas_layout_t *out, int type, uint64_t rows, uint64_t cols, int64_t stride);
    int (*layout_destroy)(blas_layout_t layout);
    int (*preference_create)(blas_preference_t *out);
    int (*preference_set)(blas_preference_t preference, int attribute, const void *value, size_t size);
    int (*preference_destroy)(blas_preference_t preference);
    int (*choose)(blas_handle_t handle, blas_desc_t desc, blas_layout_t a, blas_layout_t b, blas_layout_t c,
                  blas_layout_t d, blas_preference_t preference, int n_wanted, struct blas_choice *out, int *n_found);
    int (*multiply)(blas_handle_t handle, blas_desc_t desc, const void *alpha, const void *a, blas_layout_t a_layout,
                    const void *b, blas_layout_t b_layout, const void *beta, const void *c, blas_layout_t c_layout,
                    void *d, blas_layout_t d_layout, const struct blas_algorithm *algorithm, void *workspace,
                    size_t workspace_bytes, cudaStream_t stream);
    void *library;
};

#endif
