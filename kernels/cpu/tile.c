/* tile.c: weights from their canonical form into tiles and back. */
#include "kernels/cpu/tile.h"

#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/tile_loops.h"
#include "kernels/formats/fp4.h"
#include "kernels/formats/half.h"
#include "kernels/formats/lowbit.h"
#include "kernels/formats/nf4.h"

bool cpu_tile_takes(const struct kernels_device *device, const struct kernels_weight_desc *desc, uint32_t block_size)
{
    const struct cpu_core *core = device->core;

    if (core == NULL || desc->rows < TILE_ROWS || desc->cols % TILE_BLOCK != 0) return false;
    if (desc->rows > INT32_MAX / (desc->cols / TILE_BLOCK)) return false; /* blocks are counted in 32 bits */
    if (desc->format == KERNELS_F16 || desc->format == KERNELS_BF16) return core->takes_plain;
    return desc->format != KERNELS_F32 && desc->format != KERNELS_INT8 && block_size == TILE_BLOCK;
}

size_t cpu_tile_bytes(const struct kernels_weight_desc *desc)
{
    return tile_count(desc->rows) * tile_row_bytes(desc->format, desc->cols);
}

struct placing {
    const struct cpu_isa *isa;
    const struct kernels_weight *weight;
    const struct kernels_parts *parts;
};

/* The canonical form of a row and those behind it. */
static struct tile_rows rows_of(const struct kernels_weight *weight, const struct kernels_parts *parts, size_t row)
{
    size_t n_blocks = weight->desc.cols / TILE_BLOCK,
           row_bytes = weight->desc.cols / 8 * tile_bits(weight->desc.format);
    struct tile_rows rows = {.codes = parts->codes + row * row_bytes, .row_bytes = row_bytes, .row_blocks = n_blocks};

    if (weight->nested_map)
        rows.absmax_codes = parts->absmax_codes + row * n_blocks;
    else if (weight->desc.format < KERNELS_Q8)
        rows.absmax = parts->absmax + row * n_blocks;
    else {
        rows.scales = parts->scales + row * n_blocks;
        if (weight->has_zeros) rows.zeros = parts->zeros + row * n_blocks;
    }
    return rows;
}

static void place_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct placing *p = context;
    size_t n_blocks = p->weight->desc.cols / TILE_BLOCK;

    (void)worker;
    for (size_t tile = begin; tile < end; tile++) {
        size_t n_lanes = tile_lanes(p->weight, tile);
        struct tile_rows rows = rows_of(p->weight, p->parts, tile * TILE_ROWS);
        if (n_lanes == TILE_ROWS) p->isa->place(p->weight, tile, 0, n_blocks, &rows);
        for (size_t lane = 0; n_lanes < TILE_ROWS && lane < n_lanes; lane++) {
            rows = rows_of(p->weight, p->parts, tile * TILE_ROWS + lane);
            tile_place_lane(p->weight, tile, lane, 0, n_blocks, &rows);
        }
    }
}

void cpu_tile_place(struct kernels_device *device, struct kernels_weight *weight, const struct kernels_parts *parts)
{
    struct placing p = {device->isa, weight, parts};

    cpu_parallel(device, tile_count(weight->desc.rows), 4, place_task, &p);
}

void cpu_tile_place_nested(const struct kernels_weight *weight, size_t first, size_t n, const uint8_t *absmax_codes)
{
    size_t n_blocks = weight->desc.cols / TILE_BLOCK, group = tile_group(weight->desc.format);

    if (group == 0) return;                    /* no such lines */
    for (size_t i = 0, run; i < n; i += run) { /* line by line */
        size_t row = (first + i) / n_blocks, block = (first + i) % n_blocks, end = (block / group + 1) * group;
        uint8_t *to = tile_scales(weight, row / TILE_ROWS, block) + row % TILE_ROWS;
        if (end > n_blocks) end = n_blocks;
        run = end - block < n - i ? end - block : n - i;
        for (size_t j = 0; j < run; j++) to[j * TILE_ROWS] = absmax_codes[i + j];
    }
}

void cpu_tile_map_planes(struct kernels_weight *weight)
{
    for (size_t i = 0; i < NF4_MAP_SIZE; i++)
        for (size_t plane = 0; plane < 4; plane++)
            weight->map_planes[plane * NF4_MAP_SIZE + i] =
                (uint8_t)(half_bits_from_f32(weight->nested_map[i]) >> 8 * plane);
}

/* The codes of one row of one block, as they were. */
static void read_codes(const struct kernels_weight *weight, size_t row, size_t block, uint8_t *to)
{
    unsigned bits = tile_bits(weight->desc.format);
    const uint8_t *codes = tile_codes(weight, row / TILE_ROWS, block) + row % TILE_ROWS * 4;

    for (size_t v = 0; v < 2 * bits; v++)
        tile_store32(to + 4 * v, tile_to_canonical(tile_load32(codes + v * tile_step(weight, row / TILE_ROWS)), bits,
                                                   weight->order));
}

static const uint8_t *read_scale(const struct kernels_weight *weight, size_t row, size_t block)
{
    return tile_scales(weight, row / TILE_ROWS, block) + row % TILE_ROWS * tile_scale_bytes(weight->desc.format);
}

void cpu_tile_read_parts(const struct kernels_weight *weight, struct kernels_parts *parts)
{
    size_t n_blocks = weight->desc.cols / TILE_BLOCK, code_bytes = 8 * tile_bits(weight->desc.format);

    for (size_t i = 0; i < weight->n_blocks; i++) {
        size_t row = i / n_blocks, block = i % n_blocks;
        const uint8_t *scale = read_scale(weight, row, block);
        if (parts->codes) read_codes(weight, row, block, parts->codes + i * code_bytes);
        if (weight->nested_map) {
            if (parts->absmax_codes) parts->absmax_codes[i] = *scale;
        } else if (weight->desc.format <= KERNELS_FP4_NESTED) {
            if (parts->absmax) memcpy(&parts->absmax[i], scale, sizeof(float));
        } else {
            if (parts->scales) memcpy(&parts->scales[i], scale, sizeof(uint16_t));
            if (parts->zeros && weight->has_zeros)
                memcpy(&parts->zeros[i], scale + TILE_ROWS * sizeof(uint16_t), sizeof(uint16_t));
        }
    }
}

/* Elements [first, first + n) of one row of one block. */
static void block_values(const struct kernels_weight *weight, size_t row, size_t block, size_t first, size_t n,
                         float *out)
{
    enum kernels_format format = weight->desc.format;
    uint8_t codes[TILE_BLOCK * 2];
    uint16_t scale = 0, zero = 0;
    float absmax = 0;

    read_codes(weight, row, block, codes);
    if (format <= KERNELS_BF16) {
        for (size_t i = 0; i < n; i++) {
            uint16_t value;
            memcpy(&value, codes + 2 * (first + i), sizeof value);
            out[i] = format == KERNELS_F16 ? half_f16_to_f32(value) : half_bf16_to_f32(value);
        }
        return;
    }
    if (weight->nested_map) {
        size_t at = row * (weight->desc.cols / TILE_BLOCK) + block;
        uint8_t code = *read_scale(weight, row, block);
        nf4_unnest(&code, weight->nested_absmax + at / NF4_NESTED_BLOCK, weight->nested_map, weight->nested_offset, 0,
                   1, &absmax);
    } else if (format <= KERNELS_FP4_NESTED) {
        memcpy(&absmax, read_scale(weight, row, block), sizeof absmax);
    } else {
        memcpy(&scale, read_scale(weight, row, block), sizeof scale);
        if (weight->has_zeros) memcpy(&zero, read_scale(weight, row, block) + TILE_ROWS * sizeof zero, sizeof zero);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned code = lowbit_code(cpu_code_bits(format), codes, first + i);
        if (format <= KERNELS_FP4_NESTED)
            out[i] = (format <= KERNELS_NF4_NESTED ? nf4_values : fp4_values)[code] * absmax;
        else if (format == KERNELS_Q1)
            out[i] = code ? -half_f16_to_f32(scale) : half_f16_to_f32(scale);
        else
            out[i] = lowbit_value(code, scale, zero);
    }
}

void cpu_tile_values(const struct kernels_weight *weight, size_t first, size_t n, float *out)
{
    while (n) { /* block by block; blocks never cross rows here */
        size_t row = first / weight->desc.cols, col = first % weight->desc.cols, step = TILE_BLOCK - col % TILE_BLOCK;
        if (step > n) step = n;
        block_values(weight, row, col / TILE_BLOCK, col % TILE_BLOCK, step, out);
        first += step;
        out += step;
        n -= step;
    }
}
