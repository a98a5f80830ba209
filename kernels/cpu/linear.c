/* linear.c: linear layers, the router and single logits on packed activations. Two ways through the same sums: few rows
 * unpack weights in registers; many rows share panels that are expanded once. Knows no instruction set.
 *
 * m rows of activations, n outputs, k inputs. */
#include "kernels/cpu/linear.h"

#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/products.h"
#include "kernels/formats/int8.h"

struct packing {
    const struct cpu_rows *rows;
    const float *x;
    const uint32_t *from;
};

static void pack_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct packing *p = context;
    size_t k = p->rows->cols;

    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const float *x = p->x + (p->from ? p->from[i] : i) * k;
        float *to = p->rows->data + i * p->rows->stride;
        if (!p->rows->permuted) {
            memcpy(to, x, k * sizeof(float));
            memset(to + k, 0, (cpu_row_width(k) - k) * sizeof(float));
            continue;
        }
        for (size_t b = 0; b < k; b += 64)
            for (size_t j = 0; j < 8; j++)
                for (size_t c = 0; c < 8; c++) to[b + 8 * j + c] = x[b + 8 * c + (j ^ 1)];
    }
}

void cpu_pack(struct kernels_device *device, const struct cpu_rows *rows, const float *x, const uint32_t *from)
{
    struct packing p = {rows, x, from};

    cpu_parallel(device, rows->n_rows, 64, pack_task, &p);
    if (rows->coded) cpu_code_rows(device, rows);
}

struct coding {
    const struct cpu_isa *isa;
    const struct cpu_rows *rows;
};

static void code_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct coding *c = context;
    size_t k = c->rows->cols;

    (void)worker;
    for (size_t i = begin; i < end; i++) {
        int16_t *codes = cpu_row_codes(c->rows, i);
        struct cpu_coded *coded = cpu_row_coded(c->rows, i);
        coded->n_outliers = (uint32_t)c->isa->split_int8(c->rows->data + i * c->rows->stride, k, codes, &coded->absmax,
                                                         cpu_row_outliers(c->rows, i));
        memset(codes + k, 0, (cpu_row_width(k) - k) * sizeof *codes);
    }
}

void cpu_code_rows(struct kernels_device *device, const struct cpu_rows *rows)
{
    struct coding c = {device->isa, rows};

    cpu_parallel(device, rows->n_rows, 16, code_task, &c);
}

struct cpu_worker *cpu_workers(struct kernels_device *device)
{
    return cpu_scratch(device, CPU_SCRATCH_WORKERS, device->options.n_workers * sizeof(struct cpu_worker));
}

/* The outliers of a row of activations with their weights, in rising order of columns. */
static double int8_apart(const struct kernels_weight *weight, size_t row, const float *x, const uint32_t *outliers,
                         size_t n_outliers)
{
    const int8_t *codes = (const int8_t *)weight->data + row * weight->desc.cols;
    double sum = 0;

    for (size_t i = 0; i < n_outliers; i++)
        sum += (double)x[outliers[i]] * int8_value(codes[outliers[i]], weight->absmax[row]);
    return sum;
}

static void int8_panel(const struct cpu_isa *isa, const struct kernels_weight *weight, const struct cpu_rows *rows,
                       size_t first_row, size_t m, size_t first, size_t n, float *out, size_t out_stride)
{
    size_t k = rows->cols;
    int64_t sums[CPU_FEW_ROWS * CPU_PANEL];

    for (size_t i = 0; i < m; i += CPU_FEW_ROWS) {
        size_t some = m - i < CPU_FEW_ROWS ? m - i : CPU_FEW_ROWS, row = first_row + i;
        isa->dot_int8(cpu_row_codes(rows, row), 2 * rows->stride, some, (const int8_t *)weight->data + first * k, k, n,
                      k, sums, CPU_PANEL);
        for (size_t r = 0; r < some; r++) {
            const struct cpu_coded *coded = cpu_row_coded(rows, row + r);
            for (size_t j = 0; j < n; j++) {
                double apart = int8_apart(weight, first + j, rows->data + (row + r) * rows->stride,
                                          cpu_row_outliers(rows, row + r), coded->n_outliers);
                out[(i + r) * out_stride + j] =
                    int8_product(sums[r * CPU_PANEL + j], coded->absmax, weight->absmax[first + j], apart);
            }
        }
    }
}

void cpu_panel(const struct cpu_isa *isa, const struct kernels_weight *weight, const struct cpu_rows *rows,
               size_t first_row, size_t m, size_t first, size_t n, float *expanded, float *out, size_t out_stride)
{
    const float *x = rows->data + first_row * rows->stride;

    if (weight->desc.format == KERNELS_INT8) {
        int8_panel(isa, weight, rows, first_row, m, first, n, out, out_stride);
        return;
    }
    if (m <= CPU_FEW_ROWS && cpu_is_whole(weight) && cpu_is_permuted(weight) == rows->permuted) {
        isa->dot(weight, first, n, x, rows->stride, m, out, out_stride);
        return;
    }
    for (size_t begin = 0; begin < rows->cols; begin += CPU_CHUNK) {
        size_t end = begin + CPU_CHUNK < rows->cols ? begin + CPU_CHUNK : rows->cols;
        for (size_t j = 0; j < n; j += CPU_EXPANDED) {
            size_t some = n - j < CPU_EXPANDED ? n - j : CPU_EXPANDED;
            isa->expand(weight, rows->permuted, first + j, some, begin, end, expanded);
            isa->multiply(x + begin, rows->stride, m, expanded, CPU_CHUNK, some, end - begin, out + j, out_stride,
                          begin != 0);
        }
    }
}

struct product {
    const struct cpu_isa *isa;
    const struct cpu_rows *rows;
    struct cpu_worker *workers;
};

static const float *product_panel(void *context, const struct kernels_weight *weight, size_t first_row, size_t m,
                                  size_t first, size_t n, unsigned worker)
{
    const struct product *p = context;
    struct cpu_worker *mine = &p->workers[worker];

    cpu_panel(p->isa, weight, p->rows, first_row, m, first, n, mine->expanded, mine->results[0], CPU_PANEL);
    return mine->results[0];
}

void cpu_multiply(struct kernels_device *device, const struct kernels_beside *parts, size_t n_parts,
                  const struct cpu_rows *rows, struct cpu_worker *workers, bool accumulate)
{
    struct product p = {device->isa, rows, workers};

    cpu_products_make(device, &(struct cpu_products){.parts = parts,
                                                     .n_parts = n_parts,
                                                     .n_rows = rows->n_rows,
                                                     .panel_rows = CPU_ROWS,
                                                     .panel_outputs = CPU_PANEL,
                                                     .accumulate = accumulate,
                                                     .context = &p,
                                                     .panel = product_panel});
}

/* Rows packed for a weight; false without memory. */
static bool pack_for(struct kernels_device *device, const struct kernels_weight *weight, const float *x, size_t n_rows,
                     const uint32_t *from, struct cpu_rows *rows)
{
    *rows = (struct cpu_rows){.n_rows = n_rows,
                              .cols = weight->desc.cols,
                              .permuted = cpu_is_permuted(weight),
                              .coded = weight->desc.format == KERNELS_INT8};
    rows->stride = cpu_row_stride(rows->cols, rows->coded);
    rows->data = cpu_scratch(device, CPU_SCRATCH_ROWS, n_rows * rows->stride * sizeof(float));
    if (rows->data == NULL) return false;
    cpu_pack(device, rows, x, from);
    return true;
}

static bool is_for_core(const struct kernels_device *device, const struct kernels_weight *weight)
{
    return device->core && cpu_core_takes(device->core, weight);
}

/* Whether rows that are packed for the one serve the other. */
static bool share_rows(const struct kernels_device *device, const struct kernels_weight *a,
                       const struct kernels_weight *b)
{
    if (is_for_core(device, a) || is_for_core(device, b)) return is_for_core(device, a) && is_for_core(device, b);
    return cpu_is_permuted(a) == cpu_is_permuted(b) &&
           (a->desc.format == KERNELS_INT8) == (b->desc.format == KERNELS_INT8);
}

/* Weights that share their rows. */
static enum kernels_status multiply_parts(struct kernels_device *device, const struct kernels_linear *args,
                                          const struct kernels_beside *parts, size_t n_parts)
{
    struct cpu_worker *workers;
    struct cpu_rows rows;

    if (is_for_core(device, parts->weight)) return cpu_core_linear(device, args, parts, n_parts);
    if ((workers = cpu_workers(device)) == NULL || !pack_for(device, parts->weight, args->x, args->n_rows, NULL, &rows))
        return cpu_fail(device, KERNELS_NO_MEMORY, "linear: no memory for %zu rows", args->n_rows);
    cpu_multiply(device, parts, n_parts, &rows, workers, args->accumulate);
    return KERNELS_OK;
}

enum kernels_status cpu_linear(struct kernels_device *device, const struct kernels_linear *args)
{
    enum kernels_status status = cpu_check_linear(device, args);
    struct kernels_beside parts[1 + KERNELS_MAX_BESIDE] = {{args->weight, args->out}};

    if (status != KERNELS_OK || args->n_rows == 0) return status;
    memcpy(parts + 1, args->beside, args->n_beside * sizeof *parts);
    for (size_t i = 0, end; i <= args->n_beside && status == KERNELS_OK; i = end) {
        for (end = i + 1; end <= args->n_beside && share_rows(device, parts[i].weight, parts[end].weight);) end++;
        status = multiply_parts(device, args, parts + i, end - i);
    }
    return status;
}

enum kernels_status cpu_route(struct kernels_device *device, const struct kernels_route *args)
{
    enum kernels_status status = cpu_check_route(device, args);
    struct cpu_worker *workers;
    struct cpu_rows rows;
    float *logits;
    size_t e;

    if (status != KERNELS_OK || args->n_rows == 0) return status;
    e = args->weight->desc.rows;
    logits = cpu_scratch(device, CPU_SCRATCH_RESULTS, args->n_rows * e * sizeof(float));
    if ((workers = cpu_workers(device)) == NULL || logits == NULL ||
        !pack_for(device, args->weight, args->x, args->n_rows, NULL, &rows))
        return cpu_fail(device, KERNELS_NO_MEMORY, "route: no memory for %zu rows", args->n_rows);
    cpu_multiply(device, &(struct kernels_beside){args->weight, logits}, 1, &rows, workers, false);
    cpu_choose_experts(device, args, logits);
    return KERNELS_OK;
}

struct picking {
    const struct kernels_gather_logits *args;
    const struct cpu_isa *isa;
    const struct cpu_rows *rows;
    struct cpu_worker *workers;
};

static void pick_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct picking *p = context;

    for (size_t i = begin; i < end; i++)
        cpu_panel(p->isa, p->args->head, p->rows, i, 1, (size_t)p->args->token_ids[i], 1, p->workers[worker].expanded,
                  p->args->out + i, 1);
}

enum kernels_status cpu_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args)
{
    enum kernels_status status = cpu_check_gather_logits(device, args);
    struct cpu_worker *workers;
    struct cpu_rows rows;

    if (status != KERNELS_OK || args->n_items == 0) return status;
    if (is_for_core(device, args->head)) return cpu_core_gather_logits(device, args);
    if ((workers = cpu_workers(device)) == NULL ||
        !pack_for(device, args->head, args->x, args->n_items, args->rows, &rows))
        return cpu_fail(device, KERNELS_NO_MEMORY, "gather_logits: no memory for %zu items", args->n_items);
    cpu_parallel(device, args->n_items, 16, pick_task,
                 &(struct picking){.args = args, .isa = device->isa, .rows = &rows, .workers = workers});
    return KERNELS_OK;
}
