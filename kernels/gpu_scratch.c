/* gpu_scratch.c: what the CUDA backend's scratch_size says, in plain C, for plans that are made where there is no GPU. The conformance
 * suite (test_placement) holds the two equal. */
#include "kernels/kernels.h"

#define ATTENTION_ROWS 16u /* of one tile of attention */
#define TILE_BYTES     12u
#define SOURCE_BYTES   ((size_t)16 << 20)

static size_t round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static size_t batch_bytes(size_t rows, size_t sequences)
{
    size_t tiles = rows / ATTENTION_ROWS + sequences + 1;
    return 4 * round_up(rows * 4) + round_up(sequences * sizeof(struct kernels_sequence)) + round_up(sequences) +
           round_up(tiles * TILE_BYTES);
}

size_t docket_kernels_gpu_scratch_size(const struct kernels_limits *l)
{
    size_t pairs = l->max_rows * (l->top_k ? l->top_k : 1), logits = l->max_rows * l->n_experts;
    size_t results = pairs * l->dim > logits ? pairs * l->dim : logits;
    return pairs * l->ffn_dim * sizeof(float) + results * sizeof(float) +
           (3 * pairs + l->n_experts + 1) * sizeof(uint32_t) + SOURCE_BYTES +
           (l->has_int8 ? pairs * sizeof(float) : 0) + batch_bytes(l->max_rows, l->max_sequences);
}
