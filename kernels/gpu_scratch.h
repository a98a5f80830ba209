/* gpu_scratch.h: what the CUDA backend's scratch takes, slot by slot, and the sizes of pieces that this follows from. The backend allocates
 * what these functions say, and a plan that is made where there is no GPU counts with the same: nvcc compiles this text too. */
#ifndef DOCKET_KERNELS_GPU_SCRATCH_H
#define DOCKET_KERNELS_GPU_SCRATCH_H

#include "kernels/kernels.h"

enum cuda_scratch {
    CUDA_SCRATCH_HIDDEN,   /* [pairs, f] */
    CUDA_SCRATCH_RESULTS,  /* [pairs, k], or logits of the router */
    CUDA_SCRATCH_SORT,     /* starts, rows, pairs, places */
    CUDA_SCRATCH_SOURCE,   /* pieces of a weight's source, or of its values */
    CUDA_SCRATCH_ABSMAX,   /* int8: of each row of activations */
    CUDA_SCRATCH_PLAN,     /* of attention */
    CUDA_SCRATCH_PARTIALS, /* of attention: chunks that wait for each other */
    CUDA_SCRATCH_ROWS16,   /* activations in 16 bits */
    CUDA_SCRATCH_SLOT_0,   /* weights in 16 bits, by turns */
    CUDA_SCRATCH_SLOT_1,
    CUDA_SCRATCH_GATED, /* gate and up of some rows */
    CUDA_SCRATCH_WORKSPACE,
    CUDA_SCRATCH_CONSTANTS, /* host arrays that are the same in every pass */
    CUDA_N_SCRATCH,
};

#define CUDA_PIECE_ELEMENTS ((size_t)4 << 20) /* of a source or of values at a time: 16 MiB of f32 */

/* Attention. */
#define ATTENTION_ROWS        64u /* rows times heads of a group that a block works on */
#define EXACT_ROWS            16u /* the same of the kernel for f32 caches, one head */
#define ATTENTION_ITEM_BYTES  28u
#define ATTENTION_MERGE_BYTES 12u
/* Two waves of 132 multiprocessors, 64 queries a block, of 130 values: 8.8 MB. What does not fit is not split. */
#define ATTENTION_PARTIAL_BYTES ((size_t)16 << 20)

/* Steps of generation (steps.cuh): rows up to which a pass may be one. Their attention has a few blocks more than it needs, at most a
 * quarter and eight, so that it keeps its shape while contexts grow. */
#define GPU_STEP_ROWS       32u
#define GPU_VIEW_BYTES      80u            /* of a weight, as kernels see it */
#define GPU_OTHER_CONSTANTS ((size_t)4096) /* frequencies of rotation, lists of rows */

#define SORT_CHUNK 256u /* pairs of row and expert */

/* cuBLASLt. From here on a product is bound by arithmetic, with weights read and written once more: an H200 does 790e12 operations a
 * second and moves 4.3e12 bytes; expanding costs (0.52 + 2 + 2) / 4.3e12 s a weight, 2 m / 790e12 s its products: equal at m = 415. */
#define LIBRARY_ROWS            512u
#define GATED_ROWS              ((size_t)2048)     /* of gate and up at a time: 235 MB at f = 14336 */
#define SLOT_BYTES              ((size_t)64 << 20) /* that a slot may take for several weights */
#define EXPAND_MOST_WEIGHTS     64u                /* of one launch */
#define INT8_CHUNK              ((size_t)1024)     /* rows: at f = 14336, 59 MB of sums and 117 MB of gate and up */
#define GEMM_LT_WORKSPACE_BYTES ((size_t)32 << 20) /* that a product may use beside its operands */

static inline size_t gpu_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t gpu_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t gpu_round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static inline size_t gpu_pairs(const struct kernels_limits *l)
{
    return l->max_rows * (l->top_k ? l->top_k : 1);
}

/* Where the parts of a batch lie in its memory: ids, positions, parents, slots, sequences, which of them are trees. Returns its size. */
static inline size_t gpu_batch_layout(size_t max_rows, size_t max_sequences, size_t at[6])
{
    const size_t sizes[6] = {
        max_rows * 4, max_rows * 4, max_rows * 4, max_rows * 4, max_sequences * sizeof(struct kernels_sequence),
        max_sequences};
    size_t total = 0;
    for (int i = 0; i < 6; i++) at[i] = total, total += gpu_round_up(sizes[i]);
    return total;
}

/* Words of sorting by expert: starts, two lists of pairs, and a count for each expert of every chunk of pairs. */
static inline size_t gpu_sort_words(size_t n_pairs, size_t n_experts)
{
    return n_experts + 1 + 2 * n_pairs + (n_pairs + SORT_CHUNK - 1) / SORT_CHUNK * n_experts;
}

/* Chunks of rows, all heads of each, that may be computed one by one in a pass: 16 a row, as far as memory goes. */
static inline size_t gpu_most_partials(size_t max_rows, size_t n_heads, size_t head_size)
{
    const size_t one = n_heads * (head_size + 2) * sizeof(float);
    return one ? gpu_smaller(ATTENTION_PARTIAL_BYTES / one, max_rows * 16) : 0;
}

static inline size_t gpu_partial_bytes(const struct kernels_limits *l)
{
    return gpu_most_partials(l->max_rows, l->n_heads, l->head_size) * l->n_heads * (l->head_size + 2) * sizeof(float);
}

/* Blocks that take all keys; blocks of a chunk, for each of its rows at most one a 64 heads, and the same for those of a prefix. */
static inline size_t gpu_attention_plan_bytes(const struct kernels_limits *l)
{
    const size_t group = l->n_kv_heads ? l->n_heads / l->n_kv_heads : 1, least = ATTENTION_ROWS / EXACT_ROWS;
    const size_t whole = l->max_rows * gpu_larger(group, least) / ATTENTION_ROWS + l->max_sequences + 1;
    const size_t split = 2 * gpu_most_partials(l->max_rows, l->n_heads, l->head_size) * (group / ATTENTION_ROWS + 1);
    return ((whole + split) * 5 / 4 + 8) * ATTENTION_ITEM_BYTES +
           l->max_rows * (3 * sizeof(uint32_t) + ATTENTION_MERGE_BYTES) + 4 * 256;
}

/* Whether passes of these limits are bound by arithmetic, so that cuBLASLt makes them where nothing else was asked for. */
static inline bool gpu_passes_are_large(const struct kernels_limits *l)
{
    return l->max_rows >= LIBRARY_ROWS && gpu_pairs(l) / (l->n_experts ? l->n_experts : 1) >= LIBRARY_ROWS / 2;
}

/* Experts whose weights share a slot: as many as SLOT_BYTES hold, at least one. */
static inline size_t gpu_experts_a_slot(size_t f, size_t k, size_t n_experts)
{
    const size_t one = 2 * f * k * sizeof(uint16_t);
    const size_t some = one ? gpu_smaller(SLOT_BYTES / one, EXPAND_MOST_WEIGHTS / 2) : 0;
    return gpu_smaller(some ? some : 1, n_experts);
}

/* Outputs of the widest product that is no expert's. */
static inline size_t gpu_widest(const struct kernels_limits *l)
{
    return gpu_larger(l->n_heads * l->head_size, l->dim);
}

/* Own products of codes: what is not hidden between gate and down. cuBLASLt's: rows of experts, too. */
static inline size_t gpu_rows16_bytes(const struct kernels_limits *l, bool library)
{
    const size_t rows = l->max_rows * gpu_widest(l);
    return (library ? gpu_larger(gpu_pairs(l) * l->dim, rows) : rows) * sizeof(uint16_t);
}

static inline size_t gpu_slot_bytes(const struct kernels_limits *l)
{
    const size_t n_experts = l->n_experts ? l->n_experts : 1, f = l->ffn_dim, k = l->dim;
    return gpu_larger(gpu_experts_a_slot(f, k, n_experts) * 2 * f * k, k * l->n_heads * l->head_size) *
           sizeof(uint16_t);
}

static inline size_t gpu_gated_bytes(const struct kernels_limits *l)
{
    const size_t f = l->ffn_dim, gated = gpu_smaller(gpu_pairs(l), GATED_ROWS) * 2 * f * sizeof(float);
    const size_t int8 = gpu_smaller(gpu_pairs(l), INT8_CHUNK) * (gpu_larger(gpu_widest(l), f) + 2 * f) * sizeof(float);
    return l->has_int8 ? gpu_larger(gated, int8) : gated;
}

/* Of each layer the views of its experts' weights. */
static inline size_t gpu_constant_bytes(const struct kernels_limits *l)
{
    const size_t n_experts = l->n_experts ? l->n_experts : 1;
    return l->n_layers ? l->n_layers * gpu_round_up(3 * n_experts * GPU_VIEW_BYTES) + GPU_OTHER_CONSTANTS : 0;
}

/* All of them; `library`: cuBLASLt may make products. */
static inline void gpu_scratch_slots(const struct kernels_limits *l, bool library, size_t wanted[CUDA_N_SCRATCH])
{
    const size_t pairs = gpu_pairs(l);
    wanted[CUDA_SCRATCH_HIDDEN] = pairs * l->ffn_dim * sizeof(float);
    wanted[CUDA_SCRATCH_RESULTS] = gpu_larger(pairs * l->dim, l->max_rows * l->n_experts) * sizeof(float);
    wanted[CUDA_SCRATCH_SORT] = gpu_sort_words(pairs, l->n_experts) * sizeof(uint32_t);
    wanted[CUDA_SCRATCH_SOURCE] = CUDA_PIECE_ELEMENTS * sizeof(float);
    wanted[CUDA_SCRATCH_ABSMAX] = l->has_int8 ? pairs * sizeof(float) : 0;
    wanted[CUDA_SCRATCH_PLAN] = gpu_attention_plan_bytes(l);
    wanted[CUDA_SCRATCH_PARTIALS] = gpu_partial_bytes(l);
    wanted[CUDA_SCRATCH_ROWS16] = gpu_rows16_bytes(l, library);
    wanted[CUDA_SCRATCH_SLOT_0] = wanted[CUDA_SCRATCH_SLOT_1] = library ? gpu_slot_bytes(l) : 0;
    wanted[CUDA_SCRATCH_GATED] = library ? gpu_gated_bytes(l) : 0;
    wanted[CUDA_SCRATCH_WORKSPACE] = library ? GEMM_LT_WORKSPACE_BYTES : 0;
    wanted[CUDA_SCRATCH_CONSTANTS] = gpu_constant_bytes(l);
}

/* With one batch. */
static inline size_t gpu_scratch_total(const struct kernels_limits *l, bool library)
{
    size_t wanted[CUDA_N_SCRATCH], at[6], total = gpu_batch_layout(l->max_rows, l->max_sequences, at);
    gpu_scratch_slots(l, library, wanted);
    for (int i = 0; i < CUDA_N_SCRATCH; i++) total += wanted[i];
    return total;
}

#endif
