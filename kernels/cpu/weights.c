/* weights.c: weights of the CPU backends: sizes, canonical bytes in and out, single values. They stay in their canonical
 * form, which the kernels read as it is, or become tiles (tile.c) where the device has a core for them. quantize.c fills them
 * from a source. Knows no operation. */
#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/formats/fp4.h"
#include "kernels/formats/half.h"
#include "kernels/formats/int8.h"
#include "kernels/formats/lowbit.h"
#include "kernels/formats/nf4.h"
#include "kernels/parts_check.h"

#define MAX_ELEMENTS ((size_t)1 << 48)

static size_t round_up(size_t size_bytes)
{
    return (size_bytes + 63) / 64 * 64;
}

/* Sizes of the parts; a weight without parts has codes alone, its values. False if the shape cannot be. */
static bool sizes_of(const struct kernels_weight_desc *desc, uint32_t block_size, struct kernels_parts_size *size)
{
    *size = (struct kernels_parts_size){0};
    if (desc == NULL || (size_t)desc->format > KERNELS_Q1) return false;
    if (docket_kernels_format_has_parts(desc->format))
        return docket_kernels_parts_size(desc, block_size, size) == KERNELS_OK;
    if (desc->rows == 0 || desc->cols == 0 || desc->rows > MAX_ELEMENTS / desc->cols) return false;
    size->codes = desc->rows * desc->cols * (desc->format == KERNELS_F32 ? 4 : 2);
    return true;
}

/* What stays beside tiles. */
static size_t small_size(const struct kernels_parts_size *size)
{
    return round_up(sizeof(struct kernels_weight)) + round_up(size->nested_absmax) + round_up(size->nested_map);
}

/* What becomes tiles. */
static size_t large_size(const struct kernels_parts_size *size)
{
    return round_up(size->codes) + round_up(size->absmax) + round_up(size->absmax_codes) + round_up(size->scales) +
           round_up(size->zeros);
}

static size_t planes_size(const struct kernels_parts_size *size)
{
    return size->nested_map ? TILE_MAP_PLANES : 0;
}

size_t cpu_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc)
{
    struct kernels_parts_size size;

    if (!sizes_of(desc, LAYOUT_BLOCK, &size)) return 0;
    if (!cpu_tile_takes(device, desc, LAYOUT_BLOCK)) return cpu_allocated_bytes(small_size(&size) + large_size(&size));
    return cpu_allocated_bytes(small_size(&size) + planes_size(&size)) + cpu_allocated_bytes(cpu_tile_bytes(desc));
}

/* The next part of the one allocation; NULL for a part of no bytes. */
static void *take(char **at, size_t size_bytes)
{
    void *part = size_bytes ? *at : NULL;

    *at += round_up(size_bytes);
    return part;
}

static struct kernels_weight *no_memory(const struct kernels_weight_desc *desc, size_t size_bytes,
                                        struct kernels_error *error)
{
    kernels_fail(error, KERNELS_NO_MEMORY, "weight [%zu, %zu] %s: no memory for %zu bytes", desc->rows, desc->cols,
                 docket_kernels_format_name(desc->format), size_bytes);
    return NULL;
}

struct kernels_weight *cpu_weight_create(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                         uint32_t block_size, struct kernels_error *error)
{
    struct kernels_weight *weight;
    struct kernels_parts_size size;
    size_t first_size;
    bool tiled;
    char *at;

    if (!sizes_of(desc, block_size, &size)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: format %d, %zu rows, %zu columns, blocks of %u: cannot be",
                     desc ? (int)desc->format : -1, desc ? desc->rows : 0, desc ? desc->cols : 0, block_size);
        return NULL;
    }
    tiled = cpu_tile_takes(device, desc, block_size);
    first_size = small_size(&size) + (tiled ? planes_size(&size) : large_size(&size));
    if ((at = cpu_allocate(device, first_size)) == NULL) return no_memory(desc, first_size, error);
    weight = (struct kernels_weight *)(void *)at;
    at += round_up(sizeof *weight);
    *weight = (struct kernels_weight){.desc = *desc, .n_elements = desc->rows * desc->cols, .block_size = block_size};
    weight->has_zeros = size.zeros != 0;
    weight->nested_absmax = take(&at, size.nested_absmax);
    weight->nested_map = take(&at, size.nested_map);
    if (tiled) {
        weight->map_planes = take(&at, planes_size(&size));
        weight->tile_bytes = tile_row_bytes(desc->format, desc->cols);
        weight->order = device->core->order;
        if ((weight->tiles = cpu_allocate(device, cpu_tile_bytes(desc))) == NULL) {
            cpu_release(device, weight);
            return no_memory(desc, cpu_tile_bytes(desc), error);
        }
    } else {
        weight->data = take(&at, size.codes);
        weight->absmax = take(&at, size.absmax);
        weight->absmax_codes = take(&at, size.absmax_codes);
        weight->scales = take(&at, size.scales);
        weight->zeros = take(&at, size.zeros);
    }
    if (docket_kernels_format_has_parts(desc->format) && desc->format != KERNELS_INT8)
        weight->n_blocks = weight->n_elements / block_size + (weight->n_elements % block_size != 0);
    while (block_size >> weight->block_shift > LAYOUT_BLOCK) weight->block_shift++;
    return weight;
}

struct kernels_weight *cpu_weight_like(struct kernels_device *device, const struct kernels_weight *weight,
                                       struct kernels_error *error)
{
    struct kernels_weight *room;

    if (weight == NULL || !weight->finished) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight_like: a weight that is not finished, or none");
        return NULL;
    }
    if ((room = cpu_weight_create(device, &weight->desc, weight->block_size, error)) == NULL) return NULL;
    room->n_written = room->n_elements;
    room->finished = true;
    return room;
}

void cpu_weight_copy_tiles(struct kernels_weight *to, const struct kernels_weight *from)
{
    struct kernels_parts_size size;

    sizes_of(&from->desc, from->block_size, &size);
    memcpy(to->tiles, from->tiles, cpu_tile_bytes(&from->desc));
    if (size.nested_map == 0) return;
    memcpy(to->nested_absmax, from->nested_absmax, size.nested_absmax);
    memcpy(to->nested_map, from->nested_map, size.nested_map);
    memcpy(to->map_planes, from->map_planes, planes_size(&size));
    to->nested_offset = from->nested_offset;
}

static void copy_part(void *to, const void *from, size_t size_bytes)
{
    if (to && from && size_bytes) memcpy(to, from, size_bytes);
}

struct kernels_weight *cpu_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                             const struct kernels_parts *parts, struct kernels_error *error)
{
    uint32_t block_size = parts && parts->block_size ? parts->block_size : LAYOUT_BLOCK;
    struct kernels_parts_size size;
    struct kernels_weight *weight;

    switch (docket_kernels_parts_size(desc, block_size, &size)) {
    case KERNELS_OK:
        break;
    case KERNELS_UNSUPPORTED:
        kernels_fail(error, KERNELS_UNSUPPORTED, "weight [%zu, %zu] %s: blocks of %u: want %s", desc->rows, desc->cols,
                     docket_kernels_format_name(desc->format), block_size,
                     desc->format <= KERNELS_FP4_NESTED ? "a power of two from 32 to 4096" : "64");
        return NULL;
    default:
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: format %d, %zu rows, %zu columns: has no parts",
                     desc ? (int)desc->format : -1, desc ? desc->rows : 0, desc ? desc->cols : 0);
        return NULL;
    }
    if (parts == NULL || !kernels_parts_are_there(&size, parts)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: not all parts of a quantized weight are there");
        return NULL;
    }
    if (!kernels_parts_are_finite(&size, parts)) {
        kernels_fail(error, KERNELS_FAILED, "weight [%zu, %zu]: a scale is NaN or infinite", desc->rows, desc->cols);
        return NULL;
    }
    if ((weight = cpu_weight_create(device, desc, block_size, error)) == NULL) return NULL;
    copy_part(weight->nested_absmax, parts->nested_absmax, size.nested_absmax);
    copy_part(weight->nested_map, parts->nested_map, size.nested_map);
    if (weight->tiles) {
        cpu_tile_place(device, weight, parts);
        if (weight->nested_map) cpu_tile_map_planes(weight);
    } else {
        copy_part(weight->data, parts->codes, size.codes);
        copy_part(weight->absmax, parts->absmax, size.absmax);
        copy_part(weight->absmax_codes, parts->absmax_codes, size.absmax_codes);
        copy_part(weight->scales, parts->scales, size.scales);
        copy_part(weight->zeros, parts->zeros, size.zeros);
    }
    weight->nested_offset = size.absmax_codes ? parts->nested_offset : 0;
    weight->n_written = weight->n_elements;
    weight->finished = true;
    return weight;
}

enum kernels_status cpu_weight_read_parts(struct kernels_device *device, const struct kernels_weight *weight,
                                          struct kernels_parts *parts)
{
    struct kernels_parts_size size;

    if (weight == NULL || !weight->finished || parts == NULL || !docket_kernels_format_has_parts(weight->desc.format))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "weight: has no parts to read");
    docket_kernels_parts_size(&weight->desc, weight->block_size, &size);
    if (weight->tiles)
        cpu_tile_read_parts(weight, parts);
    else {
        copy_part(parts->codes, weight->data, size.codes);
        copy_part(parts->absmax, weight->absmax, size.absmax);
        copy_part(parts->absmax_codes, weight->absmax_codes, size.absmax_codes);
        copy_part(parts->scales, weight->scales, size.scales);
        copy_part(parts->zeros, weight->zeros, size.zeros);
    }
    copy_part(parts->nested_absmax, weight->nested_absmax, size.nested_absmax);
    copy_part(parts->nested_map, weight->nested_map, size.nested_map);
    parts->nested_offset = weight->nested_offset;
    parts->block_size = weight->block_size;
    return KERNELS_OK;
}

static void plain_values(const struct kernels_weight *weight, size_t first, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = first + i;
        out[i] = weight->desc.format == KERNELS_F32   ? ((const float *)weight->data)[at]
                 : weight->desc.format == KERNELS_F16 ? half_f16_to_f32(((const uint16_t *)weight->data)[at])
                                                      : half_bf16_to_f32(((const uint16_t *)weight->data)[at]);
    }
}

static void int8_values(const struct kernels_weight *weight, size_t first, size_t n, float *out)
{
    size_t row = first / weight->desc.cols, col = first % weight->desc.cols;

    for (size_t i = 0; i < n; i++) {
        out[i] = int8_value(((const int8_t *)weight->data)[first + i], weight->absmax[row]);
        if (++col == weight->desc.cols) row++, col = 0;
    }
}

/* Elements that lie in one block. */
static void block_values(const struct kernels_weight *weight, size_t block, size_t first, size_t n, float *out)
{
    enum kernels_format format = weight->desc.format;
    unsigned bits = cpu_code_bits(format);
    const float *table = format == KERNELS_NF4 || format == KERNELS_NF4_NESTED ? nf4_values : fp4_values;
    float absmax = 0;

    if (weight->absmax_codes)
        nf4_unnest(weight->absmax_codes, weight->nested_absmax, weight->nested_map, weight->nested_offset, block, 1,
                   &absmax);
    else if (weight->absmax)
        absmax = weight->absmax[block];
    for (size_t i = 0; i < n; i++) {
        unsigned code = lowbit_code(bits, weight->data, first + i);
        if (format <= KERNELS_FP4_NESTED)
            out[i] = table[code] * absmax;
        else if (format == KERNELS_Q1)
            out[i] = code ? -half_f16_to_f32(weight->scales[block]) : half_f16_to_f32(weight->scales[block]);
        else
            out[i] = lowbit_value(code, weight->scales[block], weight->zeros[block]);
    }
}

void cpu_weight_values(const struct kernels_weight *weight, size_t first, size_t n, float *out)
{
    if (weight->tiles) {
        cpu_tile_values(weight, first, n, out);
        return;
    }
    if (!docket_kernels_format_has_parts(weight->desc.format)) {
        plain_values(weight, first, n, out);
        return;
    }
    if (weight->desc.format == KERNELS_INT8) {
        int8_values(weight, first, n, out);
        return;
    }
    while (n) { /* block by block */
        size_t step = weight->block_size - first % weight->block_size;
        if (step > n) step = n;
        block_values(weight, first / weight->block_size, first, step, out);
        first += step;
        out += step;
        n -= step;
    }
}

/* There is no product here that a larger form would make faster. */
enum kernels_status cpu_weight_expand(struct kernels_device *device, struct kernels_weight *weight,
                                      struct kernels_error *error)
{
    (void)device;
    (void)weight;
    return kernels_fail(error, KERNELS_UNSUPPORTED, "weight_expand: products on the CPU use the weight as it is");
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
    cpu_release(device, weight->waiting);
    cpu_release(device, weight->tiles);
    cpu_release(device, weight);
}
