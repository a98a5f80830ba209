/* isa.h: the inner loops that exist once for each instruction set, and how one set is chosen.
 * They know formats and addresses; operations, shapes' meaning and workers are their callers'.
 *
 * One rule keeps results independent of batch and workers: the product of a row of activations with a row of weights is
 * summed in one order only, however many rows are multiplied together. Lane l of a vector takes elements l, l + L, l + 2L ...
 * of a chunk of CPU_CHUNK; the lanes are added in a fixed tree; the chunks' sums are added in order. */
#ifndef DOCKET_KERNELS_CPU_ISA_H
#define DOCKET_KERNELS_CPU_ISA_H

#include "kernels/cpu/device.h"

#define CPU_CHUNK    1024u /* k at a time */
#define CPU_PANEL    48u   /* rows of weights that one worker takes at once */
#define CPU_EXPANDED 6u    /* of them expanded together: 24 KiB a chunk, in the first cache with a tile's activations */
#define CPU_ROWS     96u   /* rows of activations sharing expanded weights: 384 KiB a chunk, in the second cache */
#define CPU_FEW_ROWS 4u    /* up to here weights are expanded in registers, and used at once */
#define CPU_KEYS     64u   /* keys that attention looks at together */
#define CPU_QUERIES  64u   /* queries that look at them together */
#define CPU_PART                                                                                                       \
    16u /* blocks of a row of a tile that are quantized in the first cache, then placed: whole lines of scales */

struct tile_rows; /* tile_loops.h */

struct cpu_isa {
    const char *name;
    /* out[i, j] = x[i] . W[first + j], i < m <= CPU_FEW_ROWS, j < n: unpacks in registers. x in the order of cpu_is_permuted. */
    void (*dot)(const struct kernels_weight *weight, size_t first, size_t n, const float *x, size_t x_stride, size_t m,
                float *out, size_t out_stride);
    /* Elements [begin, end) of n rows as f32, in the order of the packed activations; rows CPU_CHUNK apart. */
    void (*expand)(const struct kernels_weight *weight, bool permuted, size_t first, size_t n, size_t begin, size_t end,
                   float *out);
    /* out[i, j] (+)= x[i] . w[j] over k <= CPU_CHUNK; behind k, up to a whole vector, x is zero and w finite. */
    void (*multiply)(const float *x, size_t x_stride, size_t m, const float *w, size_t w_stride, size_t n, size_t k,
                     float *out, size_t out_stride, bool add);
    /* gate[i] = act(gate[i]) * up[i]; n a multiple of 16. */
    void (*activate)(enum kernels_activation activation, float *gate, const float *up, size_t n);
    /* scores[j, q] = keys[j] . queries[., q] over j < n and q of [first, end), multiples of 16; queries [d, CPU_QUERIES]. */
    void (*score)(const float *queries, const float *keys, size_t stride, size_t n, size_t d, size_t first, size_t end,
                  float *scores);
    /* scores[j, q] become exp(score - largest[q]), which rises to their maximum before, and total[q] their sum with what it
     * was; shrink[q] is what sums made before must be multiplied with. -INFINITY where a query does not see a key. */
    void (*soften)(float *scores, size_t n, size_t first, size_t end, float *largest, float *total, float *shrink);
    /* sums[q, c] = sums[q, c] * shrink[q] + values[j, c] * p[j, q] over j of [low, high), for n queries; stride, also of
     * values, is a multiple of 16 and covers c. */
    void (*mix)(float *sums, size_t n, size_t stride, const float *shrink, const float *p, const float *values,
                size_t low, size_t high);
    /* A key or value of a cache as f32, and back. */
    void (*widen)(enum kernels_format format, const void *from, size_t n, float *out);
    void (*narrow)(enum kernels_format format, const float *x, size_t n, void *to);
    /* out = x / sqrt(mean(x^2) + eps) * weight; out may be x. */
    void (*norm_row)(const float *x, const float *weight, size_t n, float eps, float *out);
    /* Turns the pairs x[i], x[i + half]. */
    void (*rotate)(float *x, const float *cosine, const float *sine, size_t half);
    /* out += scale * x; out = scale * x. */
    void (*add_scaled)(float *out, const float *x, float scale, size_t n);
    void (*scaled)(float *out, const float *x, float scale, size_t n);
    /* out[c, i] = from[i][c] * scale, i < n, c < d; rows of out CPU_QUERIES apart. */
    void (*turn)(const float *const *from, size_t n, size_t d, float scale, float *out);
    /* x = exp(x - less), n a multiple of 16. */
    void (*exp_row)(float *x, float less, size_t n);
    /* Quantizes elements [first, first + n) of the source, whole blocks or rows, as formats/ defines it. Returns LOWBIT_ flags. */
    unsigned (*quantize)(const struct kernels_weight *weight, const struct cpu_source *source, size_t first, size_t n);
    /* The same into blocks [first, first + n) of a tile, n <= CPU_PART, of what the source has up to the weight's element `end`. */
    unsigned (*quantize_tile)(const struct kernels_weight *weight, const struct cpu_source *source, size_t end,
                              size_t tile, size_t first, size_t n);
    /* Blocks [first, first + n) of a whole tile from its canonical rows. */
    void (*place)(const struct kernels_weight *weight, size_t tile, size_t first, size_t n,
                  const struct tile_rows *from);
    /* As nf4_nest. */
    void (*nest)(const float *absmax, size_t n_blocks, float offset, uint8_t *absmax_codes, float *nested_absmax);
    /* sums[i, j] = x[i] . w[j] over codes, exact, i < m <= CPU_FEW_ROWS; behind k, up to 64, x is zero. */
    void (*dot_int8)(const int16_t *x, size_t x_stride, size_t m, const int8_t *w, size_t w_stride, size_t n, size_t k,
                     int64_t *sums, size_t stride);
    /* As int8_split_row. */
    size_t (*split_int8)(const float *x, size_t n, int16_t *codes, float *absmax, uint32_t *outliers);
};

extern const struct cpu_isa cpu_isa_plain, cpu_isa_avx2, cpu_isa_avx512;

void cpu_isa_processor_name(char *name, size_t size_bytes);

/* Rows of whole blocks with one scale each, which dot and expand read in registers; and all weights without blocks. Tiles are
 * read by their core, and here value by value. */
static inline bool cpu_is_whole(const struct kernels_weight *weight)
{
    if (weight->tiles) return false;
    return weight->n_blocks == 0 || (weight->desc.cols % 64 == 0 && weight->block_size >= 64);
}

/* In packed activations for 4-bit weights element 8 i + (j ^ 1) of a block of 64 lies at 8 j + i: where shifting 8 words of
 * codes by 4 j bits leaves it. Needs whole blocks in every row. */
static inline bool cpu_is_permuted(const struct kernels_weight *weight)
{
    return weight->n_blocks != 0 && cpu_code_bits(weight->desc.format) == 4 && cpu_is_whole(weight);
}

#endif
