/* quantize.c: filling a weight of the CPU backends from a source, quantizing on the way. Knows how work is cut and what waits
 * between two writes; the formats are defined in formats/. */
#include <string.h>

#include "kernels/cpu/isa.h"
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

static void quantize_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct quantizing *q = context;
    size_t first = q->begin + begin * q->step, last = q->begin + end * q->step;
    unsigned flags;

    (void)worker;
    if (last > q->end) last = q->end;
    flags = q->isa ? q->isa->quantize(q->weight, &q->source, first, last - first)
                   : quantize_elements(q->weight, &q->source, first, last - first);
    if (flags) __atomic_fetch_or(&q->flags, flags, __ATOMIC_RELAXED);
}

static void quantize_range(struct kernels_device *device, struct kernels_weight *weight, struct cpu_source source,
                           size_t begin, size_t end)
{
    struct quantizing q = {.isa = device->isa, .weight = weight, .source = source, .begin = begin, .end = end};

    q.step = weight->desc.format == KERNELS_INT8 ? ROWS_A_STEP * weight->desc.cols : WRITE_STEP;
    if (begin < end) cpu_parallel(device, (end - begin + q.step - 1) / q.step, 4, quantize_task, &q);
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

static void convert(const struct kernels_weight *weight, const struct cpu_source *source, size_t n)
{
    enum kernels_format to = weight->desc.format;
    float values[QUANTIZE_CHUNK];
    size_t size = to == KERNELS_F32 ? 4 : 2;

    if (to == source->format && source->scale == NULL) {
        memcpy((char *)weight->data + source->at * size, source->values, n * size);
        return;
    }
    for (size_t i = 0; i < n; i += QUANTIZE_CHUNK) {
        size_t some = n - i < QUANTIZE_CHUNK ? n - i : QUANTIZE_CHUNK, at = source->at + i;
        quantize_values(weight, source, i, some, values);
        for (size_t j = 0; j < some; j++)
            if (to == KERNELS_F32)
                ((float *)weight->data)[at + j] = values[j];
            else
                ((uint16_t *)weight->data)[at + j] =
                    to == KERNELS_F16 ? half_f16_from_f32(values[j]) : half_bf16_from_f32(values[j]);
    }
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
    if (!docket_kernels_format_has_parts(weight->desc.format))
        convert(weight, &from, n_elements);
    else if (weight->desc.format == KERNELS_INT8)
        quantize_rows(device, weight, from, n_elements);
    else
        quantize_range(device, weight, from, 0, n_elements);
    weight->n_written += n_elements;
    return KERNELS_OK;
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
    if (is_nested(weight->desc.format) && weight->absmax) { /* not yet nested */
        weight->nested_offset = nf4_nested_offset(weight->absmax, weight->n_blocks);
        nf4_nest(weight->absmax, weight->n_blocks, weight->nested_offset, weight->absmax_codes, weight->nested_absmax);
        memcpy(weight->nested_map, nf4_nested_map, sizeof nf4_nested_map);
        weight->absmax = NULL;
    }
    if (cpu_weight_place(device, weight, error) != KERNELS_OK) return KERNELS_NO_MEMORY;
    cpu_release(device, weight->waiting);
    weight->waiting = NULL;
    weight->source_scale = (struct kernels_source_scale){0};
    weight->finished = true;
    return KERNELS_OK;
}
