/* gpu_scratch.c: what the CUDA backend's scratch_size says, in plain C, for plans that are made where there is no GPU. The conformance
 * suite (test_placement) holds the two equal. */
#include "kernels/kernels.h"

#define SOURCE_BYTES   ((size_t)16 << 20)
#define ATTENTION_ROWS 64u /* queries of one block of attention */
#define EXACT_ROWS     16u
#define ITEM_BYTES     28u
#define ROW_BYTES      24u                /* three words, and what joins its chunks */
#define PARTIAL_BYTES  ((size_t)16 << 20) /* chunks of rows that wait for each other */

static size_t round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static size_t batch_bytes(size_t rows, size_t sequences)
{
    return 4 * round_up(rows * 4) + round_up(sequences * sizeof(struct kernels_sequence)) + round_up(sequences);
}

/* The plan of attention and its partial results: kernels/cuda/attention_plan.cu. */
static size_t attention_bytes(const struct kernels_limits *l)
{
    size_t group = l->n_kv_heads ? l->n_heads / l->n_kv_heads : 1, least = ATTENTION_ROWS / EXACT_ROWS;
    size_t one = l->n_heads * (l->head_size + 2) * sizeof(float), partials = one ? PARTIAL_BYTES / one : 0;
    size_t items = l->max_rows * (group > least ? group : least) / ATTENTION_ROWS + l->max_sequences + 1;
    if (partials > l->max_rows * 16) partials = l->max_rows * 16;
    items += 2 * partials * (group / ATTENTION_ROWS + 1);
    return items * ITEM_BYTES + l->max_rows * ROW_BYTES + 4 * (size_t)256 + partials * one;
}

size_t docket_kernels_gpu_scratch_size(const struct kernels_limits *l)
{
    size_t pairs = l->max_rows * (l->top_k ? l->top_k : 1), logits = l->max_rows * l->n_experts;
    size_t results = pairs * l->dim > logits ? pairs * l->dim : logits;
    return pairs * l->ffn_dim * sizeof(float) + results * sizeof(float) +
           (3 * pairs + l->n_experts + 1) * sizeof(uint32_t) + SOURCE_BYTES +
           (l->has_int8 ? pairs * sizeof(float) : 0) + batch_bytes(l->max_rows, l->max_sequences) + attention_bytes(l);
}
