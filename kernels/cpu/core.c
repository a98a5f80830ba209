/* core.c: linear layers and single logits through a core: activations packed once, panels of weights expanded once for a block
 * of rows, few rows without panels. Knows no instruction set.
 *
 * m rows of activations, n outputs, k inputs. */
#include "kernels/cpu/core.h"
#include "kernels/cpu/products.h"

#include <string.h>

bool cpu_core_takes(const struct cpu_core *core, const struct kernels_weight *weight)
{
    enum kernels_format format = weight->desc.format;

    if (format == KERNELS_F16 || format == KERNELS_BF16) return core->takes_plain;
    return format != KERNELS_F32 && format != KERNELS_INT8;
}

struct packing {
    const struct cpu_core *core;
    const struct core_rows *rows;
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
        for (size_t c = 0; c < k; c += TILE_BLOCK)
            p->core->pack(x + c, k - c < TILE_BLOCK ? k - c : TILE_BLOCK, k, c / TILE_BLOCK,
                          p->rows->data + i * p->rows->stride);
    }
}

void cpu_core_pack(struct kernels_device *device, const struct core_rows *rows, const float *x, const uint32_t *from)
{
    struct packing p = {device->core, rows, x, from};

    cpu_parallel(device, rows->n_rows, 16, pack_task, &p);
}

static enum core_kind kind_of(const struct cpu_core *core, const struct kernels_weight *weight)
{
    if (weight->tiles == NULL) return core->kind_of_values;
    if (weight->desc.format <= KERNELS_BF16) return CORE_WHOLE;
    return weight->has_zeros ? CORE_SCALED_FROM_ZERO : CORE_SCALED;
}

/* Shapes that are no tiles: rare, no hurry. */
static void expand_values(const struct cpu_core *core, const struct kernels_weight *weight, size_t first, size_t n,
                          size_t begin, size_t end, struct core_panel *to)
{
    for (size_t t = 0; t * TILE_ROWS < n; t++)
        for (size_t block = begin; block < end; block++) {
            float values[TILE_ROWS * TILE_BLOCK] = {0};
            size_t c = block * TILE_BLOCK, k = weight->desc.cols, some = k - c < TILE_BLOCK ? k - c : TILE_BLOCK;
            for (size_t lane = 0; lane < TILE_ROWS && t * TILE_ROWS + lane < n; lane++)
                cpu_weight_values(weight, (first + t * TILE_ROWS + lane) * k + c, some, values + lane * TILE_BLOCK);
            core->expand_values(values, t, block - begin, to);
        }
}

void cpu_core_panel(const struct cpu_core *core, const struct kernels_weight *weight, const struct core_rows *rows,
                    size_t first_row, size_t m, size_t first, struct core_panel *panel, float *sums)
{
    size_t n = weight->desc.rows - first < CORE_OUTPUTS ? weight->desc.rows - first : CORE_OUTPUTS,
           n_tiles = tile_count(n), n_blocks = core_n_blocks(rows->cols);
    enum core_kind kind = kind_of(core, weight);

    if (m <= CORE_FEW && weight->tiles && core->dot(weight, kind, first / TILE_ROWS, n_tiles, rows, first_row, m, sums))
        return;
    for (size_t begin = 0; begin < n_blocks; begin += CORE_BLOCKS) {
        size_t end = n_blocks - begin < CORE_BLOCKS ? n_blocks : begin + CORE_BLOCKS;
        if (weight->tiles)
            core->expand(weight, first / TILE_ROWS, n_tiles, begin, end, panel);
        else
            expand_values(core, weight, first, n, begin, end, panel);
        core->multiply(panel, kind, n_tiles, begin, end, rows, first_row, m, sums);
    }
}

struct product {
    const struct cpu_core *core;
    const struct core_rows *rows;
    struct core_worker *workers;
};

static const float *product_panel(void *context, const struct kernels_weight *weight, size_t first_row, size_t m,
                                  size_t first, size_t n, unsigned worker)
{
    const struct product *p = context;
    struct core_worker *mine = &p->workers[worker];

    (void)n;
    cpu_core_panel(p->core, weight, p->rows, first_row, m, first, &mine->panel, mine->sums[0]);
    return mine->sums[0];
}

/* Rows packed and scratch for the workers; false without memory. */
static bool prepare(struct kernels_device *device, const struct kernels_weight *weight, const float *x, size_t n_rows,
                    const uint32_t *from, struct core_rows *rows, struct core_worker **workers)
{
    *rows = (struct core_rows){.n_rows = n_rows, .cols = weight->desc.cols};
    rows->stride = device->core->row_bytes(rows->cols);
    rows->data = cpu_scratch(device, CPU_SCRATCH_ROWS, n_rows * rows->stride);
    *workers = cpu_scratch(device, CPU_SCRATCH_WORKERS, device->options.n_workers * sizeof **workers);
    if (rows->data == NULL || *workers == NULL) return false;
    cpu_core_pack(device, rows, x, from);
    return true;
}

enum kernels_status cpu_core_linear(struct kernels_device *device, const struct kernels_linear *args,
                                    const struct kernels_beside *parts, size_t n_parts)
{
    struct core_rows rows;
    struct product p = {device->core, &rows, NULL};

    if (!prepare(device, args->weight, args->x, args->n_rows, NULL, &rows, &p.workers))
        return cpu_fail(device, KERNELS_NO_MEMORY, "linear: no memory for %zu rows", args->n_rows);
    cpu_products_make(device, &(struct cpu_products){.parts = parts,
                                                     .n_parts = n_parts,
                                                     .n_rows = args->n_rows,
                                                     .panel_rows = CORE_ROWS,
                                                     .panel_outputs = CORE_OUTPUTS,
                                                     .accumulate = args->accumulate,
                                                     .context = &p,
                                                     .panel = product_panel});
    return KERNELS_OK;
}

struct picking {
    const struct cpu_core *core;
    const struct kernels_gather_logits *args;
    const struct core_rows *rows;
    struct core_worker *workers;
};

/* A logit comes with the tile that it is in: the others of its lanes cost no more bytes. */
static void pick_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct picking *p = context;
    const struct kernels_weight *head = p->args->head;
    struct core_worker *mine = &p->workers[worker];

    for (size_t i = begin; i < end; i++) {
        size_t id = (size_t)p->args->token_ids[i], tile = id / TILE_ROWS;
        if (!head->tiles || !p->core->dot(head, kind_of(p->core, head), tile, 1, p->rows, i, 1, mine->sums[0]))
            cpu_core_panel(p->core, head, p->rows, i, 1, tile * TILE_ROWS, &mine->panel, mine->sums[0]);
        p->args->out[i] = mine->sums[0][id % TILE_ROWS];
    }
}

enum kernels_status cpu_core_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args)
{
    struct core_rows rows;
    struct picking p = {device->core, args, &rows, NULL};

    if (!prepare(device, args->head, args->x, args->n_items, args->rows, &rows, &p.workers))
        return cpu_fail(device, KERNELS_NO_MEMORY, "gather_logits: no memory for %zu items", args->n_items);
    cpu_parallel(device, args->n_items, 16, pick_task, &p);
    return KERNELS_OK;
}
