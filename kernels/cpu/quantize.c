/* quantize.c: filling a weight of the CPU backends from a source, quantizing on the way. Knows how work is cut and what waits
 * between two writes; the formats are defined in formats/. */
#include <string.h>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/tile.h"
#include "kernels/formats/nf4.h"

static float source_value(enum kernels_format format, const void *source, size_t i);

static void source_values(enum kernels_format format, const void *source, size_t at, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = source_value(format, source, at + i);
}
#define SOURCE_VALUES source_values
#include "kernels/cpu/quantize_loops.h"

#define WRITE_STEP  16384u /* elements: whole blocks, and whole nested blocks of them */
#define ROWS_A_STEP 4u

static float source_value(enum kernels_format format, const void *source, size_t i)
{
    switch (format) {
    case KERNELS_F32:
        return ((const float *)source)[i];
    case KERNELS_F16:
        return half_f16_to_f32(((const uint16_t *)source)[i]);
    case KERNELS_BF16:
        return half_bf16_to_f32(((const uint16_t *)source)[i]);
    default:
        return half_e4m3_to_f32(((const uint8_t *)source)[i]);
    }
}

static bool is_nested(enum kernels_format format)
{
    return format == KERNELS_NF4_NESTED || format == KERNELS_FP4_NESTED;
}

struct kernels_weight *cpu_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                        struct kernels_error *error)
{
    struct kernels_weight *weight = cpu_weight_create(device, desc, LAYOUT_BLOCK, error);
    size_t waiting;

    if (weight == NULL) return NULL;
    /* The offset of nested scales is their mean, so they wait in f32 until the last one is known; and a row of int8 waits
     * until its last element is. */
    waiting = is_nested(desc->format) ? weight->n_blocks : desc->format == KERNELS_INT8 ? desc->cols : 0;
    if (waiting == 0) return weight;
    if ((weight->waiting = cpu_allocate(device, waiting * sizeof(float))) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "weight [%zu, %zu]: no memory for its scales", desc->rows, desc->cols);
        cpu_weight_free(device, weight);
        return NULL;
    }
    if (is_nested(desc->format)) weight->absmax = weight->waiting;
    return weight;
}

enum kernels_status cpu_weight_scale(struct kernels_device *device, struct kernels_weight *weight,
                                     const struct kernels_source_scale *scale, struct kernels_error *error)
{
    (void)device;
    if (weight == NULL || weight->finished || weight->n_written || scale == NULL || scale->values == NULL)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: a scale of its source is not possible now");
    weight->source_scale = *scale;
    return KERNELS_OK;
}

struct quantizing {
    const struct cpu_isa *isa; /* NULL: the definition */
    struct kernels_weight *weight;
    struct cpu_source source;
    size_t begin, end, step; /* elements of the source; items are steps of them */
    unsigned flags;          /* set, never cleared, by any worker */
};

static void note(struct quantizing *q, unsigned flags)
{
    if (flags) __atomic_fetch_or(&q->flags, flags, __ATOMIC_RELAXED);
}

static void quantize_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct quantizing *q = context;
    size_t first = q->begin + begin * q->step, last = q->begin + end * q->step;

    (void)worker;
    if (last > q->end) last = q->end;
    note(q, q->isa ? q->isa->quantize(q->weight, &q->source, first, last - first)
                   : quantize_elements(q->weight, &q->source, first, last - first));
}

static void quantize_range(struct kernels_device *device, struct kernels_weight *weight, struct cpu_source source,
                           size_t begin, size_t end)
{
    struct quantizing q = {.isa = device->isa, .weight = weight, .source = source, .begin = begin, .end = end};

    q.step = weight->desc.format == KERNELS_INT8 ? ROWS_A_STEP * weight->desc.cols : WRITE_STEP;
    if (begin < end) cpu_parallel(device, (end - begin + q.step - 1) / q.step, 4, quantize_task, &q);
    weight->flags |= q.flags;
}

/* Items are parts of tiles: CPU_PART blocks of columns, the next ones of the same tile behind them. Here begin is the first tile and
 * end the weight's element behind the source. */
static void tile_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct quantizing *q = context;
    size_t n_blocks = q->weight->desc.cols / TILE_BLOCK, parts = (n_blocks + CPU_PART - 1) / CPU_PART;

    (void)worker;
    for (size_t item = begin; item < end; item++) {
        size_t first = item % parts * CPU_PART, n = n_blocks - first < CPU_PART ? n_blocks - first : CPU_PART;
        note(q, q->isa->quantize_tile(q->weight, &q->source, q->end, q->begin + item / parts, first, n));
    }
}

static void quantize_tiles(struct kernels_device *device, struct kernels_weight *weight, struct cpu_source source,
                           size_t n)
{
    size_t tile = TILE_ROWS * weight->desc.cols, end = source.at + n;
    size_t parts = (weight->desc.cols / TILE_BLOCK + CPU_PART - 1) / CPU_PART;
    struct quantizing q = {
        .isa = device->isa, .weight = weight, .source = source, .begin = source.at / tile, .end = end};

    cpu_parallel(device, ((end + tile - 1) / tile - q.begin) * parts, 4, tile_task, &q);
    weight->flags |= q.flags;
}

/* Elements [begin, end) of the source into the row that waits, which they lie within; a row that is whole is done. */
static void wait_for_row(struct kernels_device *device, struct kernels_weight *weight, const struct cpu_source *source,
                         size_t begin, size_t end)
{
    size_t cols = weight->desc.cols, at = source->at + begin;

    if (begin == end) return;
    quantize_values(weight, source, begin, end - begin, weight->waiting + at % cols);
    if ((at + end - begin) % cols == 0)
        quantize_range(device, weight,
                       (struct cpu_source){.format = KERNELS_F32, .values = weight->waiting, .at = at / cols * cols}, 0,
                       cols);
}

static void quantize_rows(struct kernels_device *device, struct kernels_weight *weight, struct cpu_source source,
                          size_t n)
{
    size_t cols = weight->desc.cols, open = (cols - source.at % cols) % cols, whole;

    if (open > n) open = n;
    whole = (n - open) / cols * cols;
    wait_for_row(device, weight, &source, 0, open);
    quantize_range(device, weight, source, open, open + whole);
    wait_for_row(device, weight, &source, open + whole, n);
}

enum kernels_status cpu_weight_write(struct kernels_device *device, struct kernels_weight *weight,
                                     enum kernels_format source_format, const void *source, size_t n_elements,
                                     struct kernels_error *error)
{
    struct cpu_source from = {.format = source_format, .values = source};

    if (weight == NULL || weight->finished || (n_elements && source == NULL) ||
        (source_format != KERNELS_F32 && source_format != KERNELS_F16 && source_format != KERNELS_BF16 &&
         source_format != KERNELS_F8_E4M3))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: a write of source format %d is not possible now",
                            (int)source_format);
    if (n_elements > weight->n_elements - weight->n_written || weight->n_written % WRITE_STEP != 0)
        return kernels_fail(
            error, KERNELS_BAD_SHAPE,
            "weight [%zu, %zu]: write of %zu elements at %zu: too many, or an earlier one was no multiple "
            "of %u",
            weight->desc.rows, weight->desc.cols, n_elements, weight->n_written, WRITE_STEP);
    from.at = weight->n_written;
    if (weight->source_scale.values) from.scale = &weight->source_scale;
    if (weight->tiles)
        quantize_tiles(device, weight, from, n_elements);
    else if (weight->desc.format == KERNELS_INT8)
        quantize_rows(device, weight, from, n_elements);
    else
        quantize_range(device, weight, from, 0, n_elements);
    weight->n_written += n_elements;
    return KERNELS_OK;
}

struct nesting {
    const struct cpu_isa *isa;
    struct kernels_weight *weight;
};

#define NEST_TOGETHER 16u /* nested blocks */

/* Items are nested blocks. */
static void nest_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct nesting *p = context;
    struct kernels_weight *w = p->weight;
    uint8_t codes[NEST_TOGETHER * NF4_NESTED_BLOCK];

    (void)worker;
    for (size_t i = begin; i < end; i += NEST_TOGETHER) {
        size_t some = end - i < NEST_TOGETHER ? end - i : NEST_TOGETHER, first = i * NF4_NESTED_BLOCK,
               n = some * NF4_NESTED_BLOCK;
        uint8_t *to = w->tiles ? codes : w->absmax_codes + first;
        if (n > w->n_blocks - first) n = w->n_blocks - first;
        (p->isa ? p->isa->nest : nf4_nest)(w->absmax + first, n, w->nested_offset, to, w->nested_absmax + i);
        if (w->tiles) cpu_tile_place_nested(w, first, n, codes);
    }
}

static void nest(struct kernels_device *device, struct kernels_weight *weight)
{
    struct nesting p = {device->isa, weight};

    weight->nested_offset = nf4_nested_offset(weight->absmax, weight->n_blocks);
    memcpy(weight->nested_map, nf4_nested_map, sizeof nf4_nested_map);
    if (weight->tiles) cpu_tile_map_planes(weight);
    cpu_parallel(device, nf4_n_nested_blocks(weight->n_blocks), NEST_TOGETHER, nest_task, &p);
    weight->absmax = NULL;
}

enum kernels_status cpu_weight_finish(struct kernels_device *device, struct kernels_weight *weight,
                                      struct kernels_error *error)
{
    if (weight == NULL || weight->finished || weight->n_written != weight->n_elements)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: finished with %zu of %zu elements written",
                            weight ? weight->n_written : 0, weight ? weight->n_elements : 0);
    if (weight->flags & LOWBIT_NOT_FINITE)
        return kernels_fail(error, KERNELS_FAILED, "weight [%zu, %zu]: holds NaN or infinity", weight->desc.rows,
                            weight->desc.cols);
    if (weight->flags)
        return kernels_fail(error, KERNELS_FAILED, "weight [%zu, %zu]: holds values beyond 65504, too large for %s",
                            weight->desc.rows, weight->desc.cols, docket_kernels_format_name(weight->desc.format));
    if (is_nested(weight->desc.format)) nest(device, weight);
    cpu_release(device, weight->waiting);
    weight->waiting = NULL;
    weight->source_scale = (struct kernels_source_scale){0};
    weight->finished = true;
    return KERNELS_OK;
}
