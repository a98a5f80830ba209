/* attention.cuh: attention over a packed batch. */
#ifndef DOCKET_KERNELS_CUDA_ATTENTION_CUH
#define DOCKET_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/rows.cuh"

#define ATTENTION_ROWS 16u /* of one sequence, which a block works on */

/* Rows [first, first + n) of a sequence. */
struct attention_tile {
    uint32_t sequence, first, n;
};

struct attention_args {
    const float *q;
    float *out;
    kv_view kv;
    const kernels_sequence *sequences; /* on the device; `parent` is not used there */
    const int32_t *positions,
        *parents;           /* by row of the batch; parents count from their sequence's first row, -1: none */
    const uint8_t *is_tree; /* by sequence */
    const attention_tile *tiles;
    uint32_t n_tiles, n_heads, layer, window;
    float scale;
};

void cuda_attention(const attention_args &args, cudaStream_t stream);

#endif
