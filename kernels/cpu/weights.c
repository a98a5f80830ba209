/* weights.c: weights of the CPU backends: sizes, filling, quantizing on the way, reading back. They stay in their canonical
 * form, which the kernels read as it is. Knows no operation. */
#include <string.h>

#include "kernels/cpu/isa.h"
#include "kernels/formats/half.h"
#include "kernels/formats/nf4.h"

#define WRITE_STEP   16384u /* elements: whole blocks, and whole nested blocks of them */
#define MAX_ELEMENTS ((size_t)1 << 48)

static bool is_nf4(enum kernels_format format)
{
    return format == KERNELS_NF4 || format == KERNELS_NF4_NESTED;
}

static size_t value_bytes(enum kernels_format format)
{
    return format == KERNELS_F32 ? 4 : 2;
}

/* Where the parts of a weight lie in its one allocation. */
struct places {
    size_t data, absmax, absmax_codes, nested_absmax, nested_map, end;
};

static size_t take(size_t *end, size_t size_bytes)
{
    size_t at = *end;

    *end += (size_bytes + 63) / 64 * 64;
    return at;
}

static struct places place(enum kernels_format format, size_t n_elements)
{
    struct places p = {.end = (sizeof(struct kernels_weight) + 63) / 64 * 64};
    size_t n_blocks = nf4_n_blocks(n_elements);

    if (!is_nf4(format)) {
        p.data = take(&p.end, n_elements * value_bytes(format));
        return p;
    }
    p.data = take(&p.end, nf4_code_bytes(n_elements));
    if (format == KERNELS_NF4) {
        p.absmax = take(&p.end, n_blocks * sizeof(float));
    } else {
        p.absmax_codes = take(&p.end, n_blocks);
        p.nested_absmax = take(&p.end, nf4_n_nested_blocks(n_blocks) * sizeof(float));
        p.nested_map = take(&p.end, NF4_MAP_SIZE * sizeof(float));
    }
    return p;
}

static bool desc_is_valid(const struct kernels_weight_desc *desc)
{
    return desc != NULL && (size_t)desc->format <= KERNELS_NF4_NESTED && desc->rows > 0 && desc->cols > 0 &&
           desc->rows <= MAX_ELEMENTS / desc->cols;
}

size_t cpu_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc)
{
    (void)device;
    return desc_is_valid(desc) ? cpu_allocated_bytes(place(desc->format, desc->rows * desc->cols).end) : 0;
}

static struct kernels_weight *create(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                     struct kernels_error *error)
{
    struct kernels_weight *weight;
    struct places p;
    char *base;

    if (!desc_is_valid(desc)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: format %d, %zu rows, %zu columns: cannot be",
                     desc ? (int)desc->format : -1, desc ? desc->rows : 0, desc ? desc->cols : 0);
        return NULL;
    }
    p = place(desc->format, desc->rows * desc->cols);
    if ((base = cpu_allocate(device, p.end)) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "weight [%zu, %zu] %s: no memory for %zu bytes", desc->rows, desc->cols,
                     docket_kernels_format_name(desc->format), p.end);
        return NULL;
    }
    weight = (struct kernels_weight *)(void *)base;
    *weight = (struct kernels_weight){.desc = *desc, .n_elements = desc->rows * desc->cols, .data = base + p.data};
    if (is_nf4(desc->format)) weight->n_blocks = nf4_n_blocks(weight->n_elements);
    if (desc->format == KERNELS_NF4) weight->absmax = (float *)(void *)(base + p.absmax);
    if (desc->format == KERNELS_NF4_NESTED) {
        weight->absmax_codes = (uint8_t *)base + p.absmax_codes;
        weight->nested_absmax = (float *)(void *)(base + p.nested_absmax);
        weight->nested_map = (float *)(void *)(base + p.nested_map);
    }
    return weight;
}

struct kernels_weight *cpu_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                        struct kernels_error *error)
{
    struct kernels_weight *weight = create(device, desc, error);

    if (weight == NULL || desc->format != KERNELS_NF4_NESTED) return weight;
    /* The offset is the mean of all scales, so they wait in f32 until the last one is known. */
    if ((weight->absmax = cpu_allocate(device, weight->n_blocks * sizeof(float))) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "weight [%zu, %zu]: no memory for its scales", desc->rows, desc->cols);
        cpu_release(device, weight);
        return NULL;
    }
    return weight;
}

struct quantizing {
    const struct cpu_isa *isa; /* NULL: the definition */
    struct kernels_weight *weight;
    enum kernels_format source_format;
    const void *source;
    size_t n_elements, first_block;
    bool not_finite; /* set, never cleared, by any worker */
};

/* Items are nested blocks: 256 blocks of 64. */
static void quantize_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct quantizing *q = context;
    size_t first = begin * WRITE_STEP, last = end * WRITE_STEP < q->n_elements ? end * WRITE_STEP : q->n_elements;
    uint8_t *codes = (uint8_t *)q->weight->data + (q->first_block * NF4_BLOCK + first) / 2;
    float *absmax = q->weight->absmax + q->first_block + first / NF4_BLOCK;
    bool finite;

    (void)worker;
    if (q->isa)
        finite = q->isa->quantize(q->source_format, q->source, first, last - first, codes, absmax);
    else if (q->source_format == KERNELS_F32)
        finite = nf4_quantize_f32((const float *)q->source + first, last - first, codes, absmax);
    else if (q->source_format == KERNELS_F16)
        finite = nf4_quantize_f16((const uint16_t *)q->source + first, last - first, codes, absmax);
    else
        finite = nf4_quantize_bf16((const uint16_t *)q->source + first, last - first, codes, absmax);
    if (!finite) __atomic_store_n(&q->not_finite, true, __ATOMIC_RELAXED);
}

static float source_value(enum kernels_format format, const void *source, size_t i)
{
    switch (format) {
    case KERNELS_F32:
        return ((const float *)source)[i];
    case KERNELS_F16:
        return half_f16_to_f32(((const uint16_t *)source)[i]);
    default:
        return half_bf16_to_f32(((const uint16_t *)source)[i]);
    }
}

static void convert(enum kernels_format to, void *out, size_t at, enum kernels_format from, const void *source,
                    size_t n)
{
    if (to == from) {
        memcpy((char *)out + at * value_bytes(to), source, n * value_bytes(to));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float value = source_value(from, source, i);
        if (to == KERNELS_F32)
            ((float *)out)[at + i] = value;
        else
            ((uint16_t *)out)[at + i] = to == KERNELS_F16 ? half_f16_from_f32(value) : half_bf16_from_f32(value);
    }
}

enum kernels_status cpu_weight_write(struct kernels_device *device, struct kernels_weight *weight,
                                     enum kernels_format source_format, const void *source, size_t n_elements,
                                     struct kernels_error *error)
{
    if (weight == NULL || weight->finished || source_format > KERNELS_BF16 || (n_elements && source == NULL))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: a write of source format %d is not possible now",
                            (int)source_format);
    if (n_elements > weight->n_elements - weight->n_written || weight->n_written % WRITE_STEP != 0)
        return kernels_fail(
            error, KERNELS_BAD_SHAPE,
            "weight [%zu, %zu]: write of %zu elements at %zu: too many, or an earlier one was no multiple "
            "of %u",
            weight->desc.rows, weight->desc.cols, n_elements, weight->n_written, WRITE_STEP);
    if (is_nf4(weight->desc.format)) {
        struct quantizing q = {.isa = device->isa,
                               .weight = weight,
                               .source_format = source_format,
                               .source = source,
                               .n_elements = n_elements,
                               .first_block = weight->n_written / NF4_BLOCK};
        cpu_parallel(device, (n_elements + WRITE_STEP - 1) / WRITE_STEP, 4, quantize_task, &q);
        weight->not_finite |= q.not_finite;
    } else {
        convert(weight->desc.format, weight->data, weight->n_written, source_format, source, n_elements);
    }
    weight->n_written += n_elements;
    return KERNELS_OK;
}

enum kernels_status cpu_weight_finish(struct kernels_device *device, struct kernels_weight *weight,
                                      struct kernels_error *error)
{
    if (weight == NULL || weight->finished || weight->n_written != weight->n_elements)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: finished with %zu of %zu elements written",
                            weight ? weight->n_written : 0, weight ? weight->n_elements : 0);
    if (weight->not_finite)
        return kernels_fail(error, KERNELS_FAILED, "weight [%zu, %zu]: holds NaN or infinity", weight->desc.rows,
                            weight->desc.cols);
    if (weight->desc.format == KERNELS_NF4_NESTED) {
        weight->nested_offset = nf4_nested_offset(weight->absmax, weight->n_blocks);
        nf4_nest(weight->absmax, weight->n_blocks, weight->nested_offset, weight->absmax_codes, weight->nested_absmax);
        memcpy(weight->nested_map, nf4_nested_map, sizeof nf4_nested_map);
        cpu_release(device, weight->absmax);
        weight->absmax = NULL;
    }
    weight->finished = true;
    return KERNELS_OK;
}

enum kernels_status cpu_weight_scale(struct kernels_device *device, struct kernels_weight *weight,
                                     const struct kernels_source_scale *scale, struct kernels_error *error)
{
    (void)device;
    (void)weight;
    (void)scale;
    return kernels_fail(error, KERNELS_UNSUPPORTED, "weight: scales of sources are not supported");
}

struct kernels_weight *cpu_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                             const struct kernels_parts *parts, struct kernels_error *error)
{
    struct kernels_weight *weight;
    bool nested;

    if (parts != NULL && parts->block_size != 0 && parts->block_size != NF4_BLOCK) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "weight: blocks of %u are not supported", parts->block_size);
        return NULL;
    }
    if (desc == NULL || !is_nf4(desc->format) || parts == NULL || parts->codes == NULL ||
        (desc->format == KERNELS_NF4
             ? parts->absmax == NULL
             : parts->absmax_codes == NULL || parts->nested_absmax == NULL || parts->nested_map == NULL)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: not all parts of a quantized weight are there");
        return NULL;
    }
    if ((weight = create(device, desc, error)) == NULL) return NULL;
    nested = desc->format == KERNELS_NF4_NESTED;
    memcpy(weight->data, parts->codes, nf4_code_bytes(weight->n_elements));
    if (nested) {
        memcpy(weight->absmax_codes, parts->absmax_codes, weight->n_blocks);
        memcpy(weight->nested_absmax, parts->nested_absmax, nf4_n_nested_blocks(weight->n_blocks) * sizeof(float));
        memcpy(weight->nested_map, parts->nested_map, NF4_MAP_SIZE * sizeof(float));
        weight->nested_offset = parts->nested_offset;
    } else {
        memcpy(weight->absmax, parts->absmax, weight->n_blocks * sizeof(float));
    }
    weight->n_written = weight->n_elements;
    weight->finished = true;
    return weight;
}

enum kernels_status cpu_weight_read_parts(struct kernels_device *device, const struct kernels_weight *weight,
                                          struct kernels_parts *parts)
{
    if (weight == NULL || !weight->finished || !is_nf4(weight->desc.format) || parts == NULL)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "weight: has no 4-bit parts to read");
    if (parts->codes) memcpy(parts->codes, weight->data, nf4_code_bytes(weight->n_elements));
    if (weight->desc.format == KERNELS_NF4) {
        if (parts->absmax) memcpy(parts->absmax, weight->absmax, weight->n_blocks * sizeof(float));
        return KERNELS_OK;
    }
    if (parts->absmax_codes) memcpy(parts->absmax_codes, weight->absmax_codes, weight->n_blocks);
    if (parts->nested_absmax)
        memcpy(parts->nested_absmax, weight->nested_absmax, nf4_n_nested_blocks(weight->n_blocks) * sizeof(float));
    if (parts->nested_map) memcpy(parts->nested_map, weight->nested_map, NF4_MAP_SIZE * sizeof(float));
    parts->nested_offset = weight->nested_offset;
    return KERNELS_OK;
}

void cpu_weight_values(const struct kernels_weight *weight, size_t first, size_t n, float *out)
{
    if (weight->desc.format == KERNELS_NF4) {
        nf4_dequantize(weight->data, weight->absmax, first, n, out);
        return;
    }
    if (weight->desc.format != KERNELS_NF4_NESTED) {
        for (size_t i = 0; i < n; i++) out[i] = source_value(weight->desc.format, weight->data, first + i);
        return;
    }
    while (n) { /* block by block */
        size_t block = first / NF4_BLOCK, step = NF4_BLOCK - first % NF4_BLOCK;
        float absmax;
        if (step > n) step = n;
        nf4_unnest(weight->absmax_codes, weight->nested_absmax, weight->nested_map, weight->nested_offset, block, 1,
                   &absmax);
        for (size_t i = 0; i < step; i++, first++) {
            uint8_t byte = ((const uint8_t *)weight->data)[first / 2];
            *out++ = nf4_values[first % 2 ? byte & 0xfu : byte >> 4] * absmax;
        }
        n -= step;
    }
}

enum kernels_status cpu_weight_read(struct kernels_device *device, const struct kernels_weight *weight, float *out)
{
    if (weight == NULL || !weight->finished || out == NULL)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "weight: not finished, or nowhere to read it to");
    cpu_weight_values(weight, 0, weight->n_elements, out);
    return KERNELS_OK;
}

void cpu_weight_describe(const struct kernels_weight *weight, struct kernels_weight_desc *out)
{
    *out = weight->desc;
}

void cpu_weight_free(struct kernels_device *device, struct kernels_weight *weight)
{
    if (weight == NULL) return;
    if (weight->desc.format == KERNELS_NF4_NESTED) cpu_release(device, weight->absmax);
    cpu_release(device, weight);
}
