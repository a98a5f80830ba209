/* quantize_loops.h: sources of any format into the blocks or rows of a weight, inline, so that each instruction set's file
 * compiles it with its own flags. The including file defines SOURCE_VALUES(format, from, at, n, out), sources as f32.
 * The bits are the same whatever the flags: the loops of formats/ are. */
#ifndef DOCKET_KERNELS_CPU_QUANTIZE_LOOPS_H
#define DOCKET_KERNELS_CPU_QUANTIZE_LOOPS_H

#include "kernels/cpu/device.h"
#include "kernels/formats/fp4_loops.h"
#include "kernels/formats/int8_loops.h"
#include "kernels/formats/lowbit_loops.h"
#include "kernels/formats/nf4_loops.h"

#define QUANTIZE_CHUNK 1024u
#ifndef QUANTIZE_NF4_BLOCK /* an instruction set may have its own, of the same bits */
#define QUANTIZE_NF4_BLOCK nf4_loop_block
#endif

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

static inline unsigned quantize_block(const struct kernels_weight *weight, size_t block, const float *values, size_t n)
{
    uint8_t bytes[LAYOUT_BLOCK], *codes = weight->data;
    uint16_t no_zero = 0, *zero = weight->zeros ? weight->zeros + block : &no_zero;
    unsigned bits = cpu_code_bits(weight->desc.format), flags;
    bool is_whole = n == LAYOUT_BLOCK;
    uint8_t *to = is_whole ? codes + block * (LAYOUT_BLOCK * bits / 8) : bytes;

    switch (weight->desc.format) {
    case KERNELS_NF4:
    case KERNELS_NF4_NESTED:
        flags = QUANTIZE_NF4_BLOCK(values, to, weight->absmax + block) ? 0 : LOWBIT_NOT_FINITE;
        break;
    case KERNELS_FP4:
    case KERNELS_FP4_NESTED:
        flags = fp4_loop_block(values, to, weight->absmax + block) ? 0 : LOWBIT_NOT_FINITE;
        break;
    case KERNELS_Q8:
        flags = lowbit_loop_block(8, values, n, to, weight->scales + block, zero);
        break;
    case KERNELS_Q4:
        flags = lowbit_loop_block(4, values, n, to, weight->scales + block, zero);
        break;
    case KERNELS_Q2:
        flags = lowbit_loop_block(2, values, n, to, weight->scales + block, zero);
        break;
    default:
        flags = lowbit_loop_block(1, values, n, to, weight->scales + block, zero);
        break;
    }
    if (!is_whole && flags == 0) memcpy(codes + block * (LAYOUT_BLOCK * bits / 8), bytes, (n * bits + 7) / 8);
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

/* Elements [first, first + n) of the source, whole blocks but for the weight's last, or whole rows. */
static inline unsigned quantize_elements(const struct kernels_weight *weight, const struct cpu_source *source,
                                         size_t first, size_t n)
{
    unsigned flags = 0;

    if (weight->desc.format == KERNELS_INT8) {
        for (size_t i = 0; i < n; i += weight->desc.cols) flags |= quantize_row(weight, source, first + i);
        return flags;
    }
    for (size_t i = 0; i < n; i += LAYOUT_BLOCK) {
        size_t some = n - i < LAYOUT_BLOCK ? n - i : LAYOUT_BLOCK;
        float values[LAYOUT_BLOCK];
        if (some < LAYOUT_BLOCK) memset(values, 0, sizeof values);
        quantize_values(weight, source, first + i, some, values);
        flags |= quantize_block(weight, (source->at + first + i) / LAYOUT_BLOCK, values, some);
    }
    return flags;
}

#endif
