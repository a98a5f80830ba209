/* tile.c: weights from their canonical form into tiles and back. */
#include "kernels/cpu/tile.h"

#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/formats/fp4.h"
#include "kernels/formats/half.h"
#include "kernels/formats/lowbit.h"
#include "kernels/formats/nf4.h"

static uint32_t load32(const void *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

static void store32(void *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
}

static uint32_t swap_middle(uint32_t word, unsigned width, uint32_t mask)
{
    uint32_t change = (word ^ (word >> width)) & mask;

    return word ^ change ^ (change << width);
}

/* Codes in even places into the lower half, the others into the upper. */
static uint32_t sort_apart(uint32_t word, unsigned bits)
{
    if (bits <= 1) word = swap_middle(word, 1, 0x22222222u);
    if (bits <= 2) word = swap_middle(word, 2, 0x0c0c0c0cu);
    if (bits <= 4) word = swap_middle(word, 4, 0x00f000f0u);
    if (bits <= 8) word = swap_middle(word, 8, 0x0000ff00u);
    return word;
}

static uint32_t sort_together(uint32_t word, unsigned bits)
{
    if (bits <= 8) word = swap_middle(word, 8, 0x0000ff00u);
    if (bits <= 4) word = swap_middle(word, 4, 0x00f000f0u);
    if (bits <= 2) word = swap_middle(word, 2, 0x0c0c0c0cu);
    if (bits <= 1) word = swap_middle(word, 1, 0x22222222u);
    return word;
}

/* The canonical form has the earlier of two codes of 4 bits in the upper half of a byte. */
static uint32_t swap_nibbles(uint32_t word)
{
    return (word >> 4 & 0x0f0f0f0fu) | (word & 0x0f0f0f0fu) << 4;
}

static uint32_t from_canonical(uint32_t word, unsigned bits, enum tile_order order)
{
    if (bits == 4) word = swap_nibbles(word);
    for (unsigned i = 0; i < (unsigned)order; i++) word = sort_apart(word, bits);
    return word;
}

static uint32_t to_canonical(uint32_t word, unsigned bits, enum tile_order order)
{
    for (unsigned i = 0; i < (unsigned)order; i++) word = sort_together(word, bits);
    return bits == 4 ? swap_nibbles(word) : word;
}

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

/* Bytes of one scale in a line. */
static size_t scale_bytes(enum kernels_format format)
{
    size_t group = tile_group(format);

    return TILE_LINE / TILE_ROWS / (group ? group : 1);
}

static void place_scale(const struct kernels_weight *weight, size_t block, uint8_t *line, size_t lane)
{
    enum kernels_format format = weight->desc.format;
    uint8_t *to = line + lane * scale_bytes(format);

    if (weight->absmax_codes)
        *to = weight->absmax_codes[block];
    else if (weight->absmax)
        memcpy(to, &weight->absmax[block], sizeof *weight->absmax);
    else {
        to = line + lane * sizeof *weight->scales; /* all scales, then all zeros */
        memcpy(to, &weight->scales[block], sizeof *weight->scales);
        if (weight->zeros) memcpy(to + TILE_ROWS * sizeof *weight->zeros, &weight->zeros[block], sizeof *weight->zeros);
    }
}

struct placing {
    const struct kernels_weight *weight;
    enum tile_order order;
};

static void place_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct placing *p = context;
    const struct kernels_weight *w = p->weight;
    unsigned bits = tile_bits(w->desc.format);
    size_t n_blocks = w->desc.cols / TILE_BLOCK, words = 2 * bits, row_bytes = w->desc.cols / 8 * bits;

    (void)worker;
    for (size_t tile = begin; tile < end; tile++) {
        size_t step = tile_step(w, tile), group = tile_group(w->desc.format);
        for (size_t block = 0; block < n_blocks; block++) {
            uint8_t *codes = tile_codes(w, tile, block);
            if (group && block % group == 0) memset(tile_scales(w, tile, block), 0, TILE_LINE);
            for (size_t v = 0; v < words; v++) memset(codes + v * step, 0, TILE_LINE);
            for (size_t lane = 0; lane < TILE_ROWS && tile * TILE_ROWS + lane < w->desc.rows; lane++) {
                size_t row = tile * TILE_ROWS + lane;
                const uint8_t *from = (const uint8_t *)w->data + row * row_bytes + block * 4 * words;
                for (size_t v = 0; v < words; v++)
                    store32(codes + v * step + lane * 4, from_canonical(load32(from + 4 * v), bits, p->order));
                if (tile_group(w->desc.format))
                    place_scale(w, row * n_blocks + block, tile_scales(w, tile, block), lane);
            }
        }
    }
}

void cpu_tile_place(struct kernels_device *device, struct kernels_weight *weight)
{
    struct placing p = {weight, device->core->order};

    weight->order = p.order;
    weight->tile_bytes = tile_row_bytes(weight->desc.format, weight->desc.cols);
    for (size_t i = 0; weight->map_planes && i < NF4_MAP_SIZE; i++)
        for (size_t plane = 0; plane < 4; plane++)
            weight->map_planes[plane * NF4_MAP_SIZE + i] =
                (uint8_t)(half_bits_from_f32(weight->nested_map[i]) >> 8 * plane);
    cpu_parallel(device, tile_count(weight->desc.rows), 4, place_task, &p);
}

/* The codes of one row of one block, as they were. */
static void read_codes(const struct kernels_weight *weight, size_t row, size_t block, uint8_t *to)
{
    unsigned bits = tile_bits(weight->desc.format);
    const uint8_t *codes = tile_codes(weight, row / TILE_ROWS, block) + row % TILE_ROWS * 4;

    for (size_t v = 0; v < 2 * bits; v++)
        store32(to + 4 * v, to_canonical(load32(codes + v * tile_step(weight, row / TILE_ROWS)), bits,
                                         (enum tile_order)weight->order));
}

static const uint8_t *read_scale(const struct kernels_weight *weight, size_t row, size_t block)
{
    size_t bytes = weight->has_zeros ? sizeof(uint16_t) : scale_bytes(weight->desc.format);

    return tile_scales(weight, row / TILE_ROWS, block) + row % TILE_ROWS * bytes;
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
