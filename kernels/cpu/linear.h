/* linear.h: the linear core of the fast CPU backend: packed activations times rows of weights, one panel at a time.
 * Knows no operation; a panel is computed by one worker and its bits depend on its rows alone. */
#ifndef DOCKET_KERNELS_CPU_LINEAR_H
#define DOCKET_KERNELS_CPU_LINEAR_H

#include "kernels/cpu/isa.h"

/* Rows of activations as the inner loops read them: zeros behind the last, permuted for 4-bit weights. Coded rows, for int8,
 * are followed by their codes in 16 bits, the columns of their outliers, and a struct cpu_coded. */
struct cpu_rows {
    float *data;
    size_t n_rows, cols, stride; /* stride: values from one row to the next */
    bool permuted, coded;
};

struct cpu_coded {
    float absmax;
    uint32_t n_outliers;
};

/* Scratch of one worker. */
struct cpu_worker {
    float expanded[CPU_EXPANDED * CPU_CHUNK];
    float results[2][CPU_ROWS * CPU_PANEL];
};

static inline size_t cpu_row_width(size_t cols)
{
    return (cols + 63) / 64 * 64;
}

static inline size_t cpu_row_stride(size_t cols, bool coded)
{
    return cpu_row_width(cols) * (coded ? 5 : 2) / 2 + (coded ? 16 : 0);
}

static inline int16_t *cpu_row_codes(const struct cpu_rows *rows, size_t row)
{
    return (int16_t *)(void *)(rows->data + row * rows->stride + cpu_row_width(rows->cols));
}

static inline uint32_t *cpu_row_outliers(const struct cpu_rows *rows, size_t row)
{
    return (uint32_t *)(void *)(cpu_row_codes(rows, row) + cpu_row_width(rows->cols));
}

static inline struct cpu_coded *cpu_row_coded(const struct cpu_rows *rows, size_t row)
{
    return (struct cpu_coded *)(void *)(cpu_row_outliers(rows, row) + cpu_row_width(rows->cols));
}

/* Where column `col` of a row lies. */
static inline size_t cpu_packed_at(bool permuted, size_t col)
{
    return permuted ? (col & ~(size_t)63) + 8 * ((col & 7) ^ 1) + (col >> 3 & 7) : col;
}

/* Row i of `rows` becomes x[from[i]], or x[i] without from. */
void cpu_pack(struct kernels_device *device, const struct cpu_rows *rows, const float *x, const uint32_t *from);

/* Codes of rows that are all there. */
void cpu_code_rows(struct kernels_device *device, const struct cpu_rows *rows);

/* Scratch for every worker, NULL without memory. */
struct cpu_worker *cpu_workers(struct kernels_device *device);

/* out[i, j] = row first_row + i . W[first + j], i < m <= CPU_ROWS, j < n <= CPU_PANEL. */
void cpu_panel(const struct cpu_isa *isa, const struct kernels_weight *weight, const struct cpu_rows *rows,
               size_t first_row, size_t m, size_t first, size_t n, float *expanded, float *out, size_t out_stride);

/* Each part's out[m, n] (+)= rows W^T, all in one loop over the workers. */
void cpu_multiply(struct kernels_device *device, const struct kernels_beside *parts, size_t n_parts,
                  const struct cpu_rows *rows, struct cpu_worker *workers, bool accumulate);

enum kernels_status cpu_linear(struct kernels_device *device, const struct kernels_linear *args);
/* route.c: ids and weights of args from its logits [n_rows, experts]. */
void cpu_choose_experts(struct kernels_device *device, const struct kernels_route *args, const float *logits);
enum kernels_status cpu_route(struct kernels_device *device, const struct kernels_route *args);
enum kernels_status cpu_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args);
enum kernels_status cpu_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args);
enum kernels_status cpu_attention(struct kernels_device *device, const struct kernels_attention *args);
enum kernels_status cpu_embed(struct kernels_device *device, const struct kernels_embed *args);
enum kernels_status cpu_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args);
enum kernels_status cpu_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args);
enum kernels_status cpu_add(struct kernels_device *device, float *out, const float *x, size_t n_values);
enum kernels_status cpu_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args);
/* Bytes of CPU_SCRATCH_PLAN; of one worker's scratch in attention, and of its share of CPU_SCRATCH_ROWS there. */
size_t cpu_expert_plan_bytes(size_t n_rows, size_t top_k);
size_t cpu_attention_plan_bytes(size_t n_rows);
size_t cpu_attention_worker_bytes(void);
size_t cpu_attention_tree_bytes(size_t n_rows);

#endif
