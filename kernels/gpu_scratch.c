/* gpu_scratch.c: what the CUDA backend's scratch_size says, in plain C, for plans that are made where there is no GPU. The conformance
 * suite (test_placement) holds the two equal. */
#include "kernels/kernels.h"

#define SOURCE_BYTES ((size_t)16 << 20)
/* Attention's plan: its items are of 28 bytes and cover 64 rows times heads, its merges are of 12. */
#define ATTENTION_ROWS 64u
#define EXACT_ROWS     16u
#define ITEM_BYTES     28u
#define MERGE_BYTES    12u
#define PARTIAL_BYTES  ((size_t)16 << 20)

#define SORT_CHUNK      256u
#define LIBRARY_ROWS    512u
#define GATED_ROWS      ((size_t)2048)
#define INT8_CHUNK      ((size_t)1024)
#define SLOT_BYTES      ((size_t)64 << 20)
#define MOST_WEIGHTS    64u
#define WORKSPACE_BYTES ((size_t)32 << 20)

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static size_t batch_bytes(size_t rows, size_t sequences)
{
    return 4 * round_up(rows * 4) + round_up(sequences * sizeof(struct kernels_sequence)) + round_up(sequences);
}

/* Chunks of rows that may be computed one by one. */
static size_t most_partials(const struct kernels_limits *l)
{
    size_t most = PARTIAL_BYTES / (l->n_heads * (l->head_size + 2) * sizeof(float));
    return most < l->max_rows * 16 ? most : l->max_rows * 16;
}

static size_t attention_bytes(const struct kernels_limits *l)
{
    size_t group = l->n_kv_heads ? l->n_heads / l->n_kv_heads : 1, least = ATTENTION_ROWS / EXACT_ROWS;
    size_t whole = l->max_rows * (group > least ? group : least) / ATTENTION_ROWS + l->max_sequences + 1;
    size_t partials = l->n_heads ? most_partials(l) : 0;
    size_t items = whole + 2 * partials * (group / ATTENTION_ROWS + 1);
    return items * ITEM_BYTES + l->max_rows * (3 * sizeof(uint32_t) + MERGE_BYTES) + 4 * 256 +
           partials * l->n_heads * (l->head_size + 2) * sizeof(float);
}

/* Of sorting by expert: starts, two lists of pairs, and a count for each expert of every chunk of pairs. */
static size_t sort_bytes(size_t pairs, size_t n_experts)
{
    return (n_experts + 1 + 2 * pairs + (pairs + SORT_CHUNK - 1) / SORT_CHUNK * n_experts) * sizeof(uint32_t);
}

/* Activations in 16 bits; and of kernels/cuda/library.cu two slots of weights, gate and up of some rows, the workspace. */
static size_t library_bytes(const struct kernels_limits *l, enum kernels_products products)
{
    size_t top_k = l->top_k ? l->top_k : 1, n_experts = l->n_experts ? l->n_experts : 1, pairs = l->max_rows * top_k;
    size_t f = l->ffn_dim, k = l->dim, q = l->n_heads * l->head_size, widest = larger(q, k);
    bool large = l->max_rows >= LIBRARY_ROWS && pairs / n_experts >= LIBRARY_ROWS / 2;
    if (products == KERNELS_PRODUCTS_OWN || (products == KERNELS_PRODUCTS_AUTO && !large))
        return l->max_rows * widest * 2;
    size_t expert = 2 * f * k, together = expert ? SLOT_BYTES / (expert * 2) : 0, most = MOST_WEIGHTS / 2;
    if (together > most) together = most;
    if (together == 0) together = 1;
    size_t slot = larger(smaller(together, n_experts) * expert, k * q) * 2;
    size_t gated = smaller(pairs, GATED_ROWS) * 2 * f * sizeof(float);
    if (l->has_int8) gated = larger(gated, smaller(pairs, INT8_CHUNK) * (larger(widest, f) + 2 * f) * sizeof(float));
    return larger(pairs * k, l->max_rows * widest) * 2 + 2 * slot + gated + WORKSPACE_BYTES;
}

size_t docket_kernels_gpu_scratch_size(const struct kernels_limits *l, enum kernels_products products)
{
    size_t pairs = l->max_rows * (l->top_k ? l->top_k : 1), logits = l->max_rows * l->n_experts;
    size_t results = pairs * l->dim > logits ? pairs * l->dim : logits;
    return pairs * l->ffn_dim * sizeof(float) + results * sizeof(float) + sort_bytes(pairs, l->n_experts) +
           SOURCE_BYTES + (l->has_int8 ? pairs * sizeof(float) : 0) + attention_bytes(l) +
           batch_bytes(l->max_rows, l->max_sequences) + library_bytes(l, products);
}
