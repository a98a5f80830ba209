/* attention.cuh: attention over a packed batch: which blocks there are, and what they are told.
 *
 * The keys that a sequence sees are cut into chunks of ATTENTION_CHUNK, each of its ranges from its own beginning. A row's result is an
 * online softmax within each chunk, and the chunks put together in order by attention_join: in registers where one block goes through
 * all of them, or by a second kernel where each has a block of its own. Both are the same arithmetic, so that a row's bits depend on the
 * ranges of its sequence alone: not on its company, nor on how the work was cut. */
#ifndef DOCKET_KERNELS_CUDA_ATTENTION_CUH
#define DOCKET_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/rows.cuh"
#include "kernels/gpu_scratch.h"

/* Of one row with 4096 keys, 16 chunks for each of 8 key/value heads: 128 blocks for the 132 multiprocessors of an H200. A block that
 * goes through many chunks pays d / 8 instructions a thread for a join, 128 at d = 128, beside 512 mma and 2,000 others. */
#define ATTENTION_CHUNK 256u
#define ATTENTION_NONE  UINT32_MAX

/* A block's queries: rows rows[rows_at ...] of the batch, each with the heads of a group, flattened; of these [first, first + n).
 * All of them belong to the sequence, but for a chunk of shared[0], which rows of several sequences may look at together. */
struct attention_item {
    uint32_t sequence, rows_at, first, n;
    uint32_t range,
        begin; /* the chunk: of shared[range], or at n_shared of the own one; ATTENTION_NONE: all, and the result to `out` */
    uint32_t chunk; /* its number among the sequence's */
};

/* A row whose chunks are put together by the second kernel: partials [at, at + n_chunks), heads each. */
struct attention_merge {
    uint32_t row, at, n_chunks;
};

/* What batch and shapes decide, made once a pass; on the device. */
struct attention_plan {
    const attention_item *items;
    const uint32_t *rows;        /* [n_rows] as they come, then those that share a range */
    const uint32_t *partials_at; /* [n_rows]: the row's first partial, ATTENTION_NONE if it has none */
    const attention_merge *merges;
    float *partials; /* [partial, head, 2 + d]: reference of the exponents, sum, values */
    uint32_t n_items, n_merges;
};

struct attention_args {
    const float *q;
    float *out;
    kv_view kv;
    const kernels_sequence *sequences; /* on the device; `parent` is not used there */
    const int32_t *positions,
        *parents;           /* by row of the batch; parents count from their sequence's first row, -1: none */
    const uint8_t *is_tree; /* by sequence */
    attention_plan plan;
    uint32_t n_heads, layer, window;
    float scale;
};

void cuda_attention(const attention_args &args, cudaStream_t stream);
void cuda_attention_exact(const attention_args &args, cudaStream_t stream);

/* What a plan depends on beside the batch. */
struct attention_shape {
    uint32_t n_heads, n_kv_heads, head_size;
    bool exact;
};

/* One chunk joins the others of its row: each holds the sum of exp2(score - reference) and of values times that; -INFINITY is the
 * reference of what saw nothing. Factors for what was there and for what comes. */
struct attention_factors {
    float before, now;
};

static __device__ __forceinline__ attention_factors attention_join(float &reference, float &total, float other,
                                                                   float other_total)
{
    const float top = fmaxf(reference, other), base = top == -INFINITY ? 0.0f : top;
    const attention_factors f = {exp2f(reference - base), exp2f(other - base)};
    total = fmaf(other_total, f.now, total * f.before);
    reference = top;
    return f;
}

#endif
