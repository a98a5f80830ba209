/* quantize_loops.h: sources of any format into the blocks or rows of a weight, inline, so that each instruction set's file
 * compiles it with its own flags. The including file defines SOURCE_VALUES(format, from, at, n, out), sources as f32.
 * The bits are the same whatever the flags: the loops of formats/ are. */
#ifndef DOCKET_KERNELS_CPU_QUANTIZE_LOOPS_H
#define DOCKET_KERNELS_CPU_QUANTIZE_LOOPS_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/tile_loops.h"
#include "kernels/formats/fp4_loops.h"
#include "kernels/formats/int8_loops.h"
#include "kernels/formats/lowbit_loops.h"
#include "kernels/formats/nf4_loops.h"

#define QUANTIZE_CHUNK 1024u
#ifndef QUANTIZE_NF4_BLOCK /* an instruction set may have its own, of the same bits */
#define QUANTIZE_NF4_BLOCK nf4_loop_block
#endif

/* Blocks in canonical form, one after the other. */
struct quantize_room {
    uint8_t *codes;
    float *absmax;
    uint16_t *scales, *zeros;
};

/* values[i] *= the scale of element at + i of the weight, run by run within a tile's row. */
static inline void quantize_scale(const struct kernels_source_scale *scale, const struct kernels_weight_desc *desc,
                                  size_t at, size_t n, float *values)
{
    size_t tile_rows = scale->block_rows ? scale->block_rows : desc->rows;
    size_t tile_cols = scale->block_cols ? scale->block_cols : desc->cols;
    size_t tiles_a_row = (desc->cols + tile_cols - 1) / tile_cols;

    for (size_t i = 0, run; i < n; i += run) {
        size_t row = (at + i) / desc->cols, col = (at + i) % desc->cols, end = (col / tile_cols + 1) * tile_cols;
        float factor = scale->values[row / tile_rows * tiles_a_row + col / tile_cols];
        if (end > desc->cols) end = desc->cols;
        run = end - col < n - i ? end - col : n - i;
        for (size_t j = 0; j < run; j++) values[i + j] *= factor;
    }
}

static inline void quantize_values(const struct kernels_weight *weight, const struct cpu_source *source, size_t first,
                                   size_t n, float *out)
{
    SOURCE_VALUES(source->format, source->values, first, n, out);
    if (source->scale) quantize_scale(source->scale, &weight->desc, source->at + first, n, out);
}

static inline unsigned quantize_block(enum kernels_format format, const struct quantize_room *to, size_t block,
                                      const float *values, size_t n)
{
    uint8_t bytes[LAYOUT_BLOCK];
    uint16_t no_zero = 0, *zero = to->zeros ? to->zeros + block : &no_zero;
    unsigned bits = cpu_code_bits(format), flags;
    bool is_whole = n == LAYOUT_BLOCK;
    uint8_t *codes = is_whole ? to->codes + block * (LAYOUT_BLOCK * bits / 8) : bytes;

    switch (format) {
    case KERNELS_NF4:
    case KERNELS_NF4_NESTED:
        flags = QUANTIZE_NF4_BLOCK(values, codes, to->absmax + block) ? 0 : LOWBIT_NOT_FINITE;
        break;
    case KERNELS_FP4:
    case KERNELS_FP4_NESTED:
        flags = fp4_loop_block(values, codes, to->absmax + block) ? 0 : LOWBIT_NOT_FINITE;
        break;
    case KERNELS_Q8:
        flags = lowbit_loop_block(8, values, n, codes, to->scales + block, zero);
        break;
    case KERNELS_Q4:
        flags = lowbit_loop_block(4, values, n, codes, to->scales + block, zero);
        break;
    case KERNELS_Q2:
        flags = lowbit_loop_block(2, values, n, codes, to->scales + block, zero);
        break;
    default:
        flags = lowbit_loop_block(1, values, n, codes, to->scales + block, zero);
        break;
    }
    if (!is_whole && flags == 0) memcpy(to->codes + block * (LAYOUT_BLOCK * bits / 8), bytes, (n * bits + 7) / 8);
    return flags;
}

/* One row, in pieces twice: its absmax, then its codes. */
static inline unsigned quantize_row(const struct kernels_weight *weight, const struct cpu_source *source, size_t first)
{
    size_t cols = weight->desc.cols, row = (source->at + first) / cols;
    float values[QUANTIZE_CHUNK], absmax = 0;
    bool finite = true;

    for (size_t c = 0; c < cols; c += QUANTIZE_CHUNK) {
        size_t n = cols - c < QUANTIZE_CHUNK ? cols - c : QUANTIZE_CHUNK;
        struct nf4_finding found;
        quantize_values(weight, source, first + c, n, values);
        found = nf4_find_absmax(values, n);
        finite &= found.finite;
        absmax = found.absmax > absmax ? found.absmax : absmax;
    }
    weight->absmax[row] = absmax;
    if (!finite) return LOWBIT_NOT_FINITE;
    for (size_t c = 0; c < cols; c += QUANTIZE_CHUNK) {
        size_t n = cols - c < QUANTIZE_CHUNK ? cols - c : QUANTIZE_CHUNK;
        if (cols > QUANTIZE_CHUNK) quantize_values(weight, source, first + c, n, values);
        int8_loop_codes(values, n, int8_factor(absmax), (int8_t *)weight->data + row * cols + c);
    }
    return 0;
}

static inline size_t quantize_source_bytes(enum kernels_format format)
{
    return format == KERNELS_F32 ? 4 : format == KERNELS_F8_E4M3 ? 1 : 2;
}

/* Elements [first, first + n) of the source, whole blocks but for the weight's last, to the room's first and on. What lies `ahead`
 * elements from them, which may be back or nowhere, is fetched for later; 0: nothing. */
static inline unsigned quantize_blocks(const struct kernels_weight *weight, const struct cpu_source *source,
                                       size_t first, size_t n, ptrdiff_t ahead, const struct quantize_room *to)
{
    size_t size = quantize_source_bytes(source->format);
    unsigned flags = 0;

    for (size_t i = 0; i < n; i += LAYOUT_BLOCK) {
        uintptr_t later = (uintptr_t)source->values + (first + i + (size_t)ahead) * size;
        if (ahead)
            for (size_t line = 0; line < LAYOUT_BLOCK * size; line += 64)
                __builtin_prefetch((const void *)(later + line));
        size_t some = n - i < LAYOUT_BLOCK ? n - i : LAYOUT_BLOCK;
        float values[LAYOUT_BLOCK] __attribute__((aligned(64)));
        if (some < LAYOUT_BLOCK) memset(values, 0, sizeof values);
        quantize_values(weight, source, first + i, some, values);
        flags |= quantize_block(weight->desc.format, to, i / LAYOUT_BLOCK, values, some);
    }
    return flags;
}

/* Values in the weight's own format, f32, f16 or bf16. */
static inline void quantize_convert(const struct kernels_weight *weight, const struct cpu_source *source, size_t first,
                                    size_t n, void *out)
{
    enum kernels_format to = weight->desc.format;
    size_t size = to == KERNELS_F32 ? 4 : 2;
    float values[QUANTIZE_CHUNK];

    if (to == source->format && source->scale == NULL) {
        memcpy(out, (const char *)source->values + first * size, n * size);
        return;
    }
    for (size_t i = 0; i < n; i += QUANTIZE_CHUNK) {
        size_t some = n - i < QUANTIZE_CHUNK ? n - i : QUANTIZE_CHUNK;
        quantize_values(weight, source, first + i, some, values);
        if (to == KERNELS_F32)
            memcpy((float *)out + i, values, some * sizeof *values);
        else if (to == KERNELS_F16)
            for (size_t j = 0; j < some; j++) ((uint16_t *)out)[i + j] = half_f16_from_f32(values[j]);
        else
            for (size_t j = 0; j < some; j++) ((uint16_t *)out)[i + j] = half_bf16_from_f32(values[j]);
    }
}

/* Elements [first, first + n) of the source to where they lie in a weight in its canonical form: whole blocks but for the weight's
 * last, or whole rows of int8, or any. */
static inline unsigned quantize_elements(const struct kernels_weight *weight, const struct cpu_source *source,
                                         size_t first, size_t n)
{
    enum kernels_format format = weight->desc.format;
    size_t at = source->at + first, block = at / LAYOUT_BLOCK;
    struct quantize_room to = {(uint8_t *)weight->data + block * (LAYOUT_BLOCK / 8) * cpu_code_bits(format),
                               weight->absmax ? weight->absmax + block : NULL,
                               weight->scales ? weight->scales + block : NULL,
                               weight->zeros ? weight->zeros + block : NULL};
    unsigned flags = 0;

    if (format <= KERNELS_BF16) {
        quantize_convert(weight, source, first, n, (char *)weight->data + at * (format == KERNELS_F32 ? 4 : 2));
        return 0;
    }
    if (format != KERNELS_INT8) return quantize_blocks(weight, source, first, n, 0, &to);
    for (size_t i = 0; i < n; i += weight->desc.cols) flags |= quantize_row(weight, source, first + i);
    return flags;
}

/* A part of a tile in canonical form, row by row. */
struct quantize_part {
    uint8_t codes[TILE_ROWS * CPU_PART * TILE_BLOCK * 2] __attribute__((aligned(64)));
    float absmax[TILE_ROWS * CPU_PART];
    uint16_t scales[TILE_ROWS * CPU_PART], zeros[TILE_ROWS * CPU_PART];
};

/* Elements [begin, end) of the weight, of one row, to the part's block `at` and on. Absmax that are to be nested wait in the weight's
 * own array. */
static inline unsigned quantize_into_part(const struct kernels_weight *weight, const struct cpu_source *source,
                                          size_t begin, size_t end, ptrdiff_t ahead, struct quantize_part *part,
                                          size_t at)
{
    uint8_t *codes = part->codes + at * tile_bits(weight->desc.format) * (TILE_BLOCK / 8);
    struct quantize_room to = {
        .codes = codes,
        .absmax = weight->nested_map ? weight->absmax + begin / TILE_BLOCK : part->absmax + at,
        .scales = part->scales + at,
        .zeros = weight->has_zeros ? part->zeros + at : NULL,
    };

    if (weight->desc.format > KERNELS_BF16)
        return quantize_blocks(weight, source, begin - source->at, end - begin, ahead, &to);
    quantize_convert(weight, source, begin - source->at, end - begin, codes);
    return 0;
}

/* Some lanes or blocks of them: at the ends of a write. */
static inline unsigned quantize_lanes(const struct kernels_weight *weight, const struct cpu_source *source, size_t end,
                                      size_t tile, size_t first, size_t n, struct quantize_part *part,
                                      const struct tile_rows *rows)
{
    unsigned flags = 0;

    for (size_t lane = 0; lane < tile_lanes(weight, tile); lane++) {
        size_t row = (tile * TILE_ROWS + lane) * weight->desc.cols, low = row + first * TILE_BLOCK,
               high = low + n * TILE_BLOCK;
        if (low < source->at) low = source->at;
        if (high > end) high = end;
        if (low >= high) continue;
        flags |= quantize_into_part(weight, source, low, high, 0, part, 0);
        tile_place_lane(weight, tile, lane, (low - row) / TILE_BLOCK, (high - low + TILE_BLOCK - 1) / TILE_BLOCK, rows);
    }
    return flags;
}

/* What the source has, up to the weight's element `end`, of blocks [first, first + n) of a tile. */
static inline unsigned quantize_tile(const struct kernels_weight *weight, const struct cpu_source *source, size_t end,
                                     size_t tile, size_t first, size_t n)
{
    enum kernels_format format = weight->desc.format;
    size_t cols = weight->desc.cols, n_lanes = tile_lanes(weight, tile),
           block_bytes = tile_bits(format) * (TILE_BLOCK / 8);
    size_t low = tile * TILE_ROWS * cols + first * TILE_BLOCK, high = low + (n_lanes - 1) * cols + n * TILE_BLOCK;
    struct quantize_part part;
    struct tile_rows rows = {.codes = part.codes, .row_bytes = n * block_bytes, .row_blocks = n};
    unsigned flags = 0;

    if (format >= KERNELS_Q8)
        rows.scales = part.scales, rows.zeros = weight->has_zeros ? part.zeros : NULL;
    else if (format > KERNELS_BF16 && weight->nested_map == NULL)
        rows.absmax = part.absmax;
    if (low < source->at || high > end) return quantize_lanes(weight, source, end, tile, first, n, &part, &rows);
    if (format == source->format && source->scale == NULL && n_lanes == TILE_ROWS) {
        rows.codes = (const uint8_t *)source->values + (low - source->at) * sizeof(uint16_t);
        rows.row_bytes = cols * sizeof(uint16_t);
        tile_place(weight, tile, first, n, &rows);
        return 0;
    }
    if (n_lanes < TILE_ROWS) memset(&part, 0, sizeof part);
    for (size_t lane = 0; lane < n_lanes; lane++, low += cols) { /* the next row, or the first one of the next part */
        ptrdiff_t ahead = (ptrdiff_t)(lane + 1 < n_lanes ? cols : n * TILE_BLOCK - lane * cols);
        flags |= quantize_into_part(weight, source, low, low + n * TILE_BLOCK, ahead, &part, lane * n);
    }
    tile_place(weight, tile, first, n, &rows);
    return flags;
}

#endif
