/* tile_loops.h: canonical codes and scales into tiles (tile.h) and back, inline, so that each instruction set's file compiles it with
 * its own flags. An including file may define TILE_PLACE_CODES, one block of all lanes, the same bytes. */
#ifndef DOCKET_KERNELS_CPU_TILE_LOOPS_H
#define DOCKET_KERNELS_CPU_TILE_LOOPS_H

#include <string.h>

#include "kernels/cpu/tile.h"
#include "kernels/cpu/unroll.h"

static inline uint32_t tile_load32(const void *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

static inline void tile_store32(void *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
}

INLINE uint32_t tile_swap_middle(uint32_t word, unsigned width, uint32_t mask)
{
    uint32_t change = (word ^ (word >> width)) & mask;

    return word ^ change ^ (change << width);
}

/* Codes in even places into the lower half, the others into the upper. */
INLINE uint32_t tile_sort_apart(uint32_t word, unsigned bits)
{
    if (bits <= 1) word = tile_swap_middle(word, 1, 0x22222222u);
    if (bits <= 2) word = tile_swap_middle(word, 2, 0x0c0c0c0cu);
    if (bits <= 4) word = tile_swap_middle(word, 4, 0x00f000f0u);
    if (bits <= 8) word = tile_swap_middle(word, 8, 0x0000ff00u);
    return word;
}

INLINE uint32_t tile_sort_together(uint32_t word, unsigned bits)
{
    if (bits <= 8) word = tile_swap_middle(word, 8, 0x0000ff00u);
    if (bits <= 4) word = tile_swap_middle(word, 4, 0x00f000f0u);
    if (bits <= 2) word = tile_swap_middle(word, 2, 0x0c0c0c0cu);
    if (bits <= 1) word = tile_swap_middle(word, 1, 0x22222222u);
    return word;
}

/* The canonical form has the earlier of two codes of 4 bits in the upper half of a byte. */
INLINE uint32_t tile_swap_nibbles(uint32_t word)
{
    return (word >> 4 & 0x0f0f0f0fu) | (word & 0x0f0f0f0fu) << 4;
}

INLINE uint32_t tile_from_canonical(uint32_t word, unsigned bits, unsigned order)
{
    if (bits == 4) word = tile_swap_nibbles(word);
    if (order >= TILE_PAIRS) word = tile_sort_apart(word, bits);
    if (order >= TILE_QUADS) word = tile_sort_apart(word, bits);
    return word;
}

INLINE uint32_t tile_to_canonical(uint32_t word, unsigned bits, unsigned order)
{
    if (order >= TILE_PAIRS) word = tile_sort_together(word, bits);
    if (order >= TILE_QUADS) word = tile_sort_together(word, bits);
    return bits == 4 ? tile_swap_nibbles(word) : word;
}

/* One block of all lanes, its vectors `step` bytes apart. */
INLINE void tile_place_codes(unsigned bits, unsigned order, const uint8_t *from, size_t row_bytes, uint8_t *to,
                             size_t step)
{
    for (size_t v = 0; v < 2u * bits; v++) {
        uint32_t line[TILE_ROWS];
        for (size_t lane = 0; lane < TILE_ROWS; lane++) line[lane] = tile_load32(from + lane * row_bytes + 4 * v);
        for (size_t lane = 0; lane < TILE_ROWS; lane++) line[lane] = tile_from_canonical(line[lane], bits, order);
        memcpy(to + v * step, line, sizeof line);
    }
}
#ifndef TILE_PLACE_CODES
#define TILE_PLACE_CODES tile_place_codes
#endif

/* Canonical codes and scales of some blocks of a row; those of the next row lie `row_bytes` of codes and `row_blocks` of scales
 * further on. Scales that are not there are NULL. */
struct tile_rows {
    const uint8_t *codes;
    const float *absmax;
    const uint8_t *absmax_codes;
    const uint16_t *scales, *zeros;
    size_t row_bytes, row_blocks;
};

/* Bytes of one scale in a line; scales of two f16 lie all together before all zeros. */
static inline size_t tile_scale_bytes(enum kernels_format format)
{
    size_t group = tile_group(format);

    return format >= KERNELS_Q8 ? sizeof(uint16_t) : TILE_LINE / TILE_ROWS / (group ? group : 1);
}

INLINE void tile_place_scale(const struct tile_rows *from, size_t at, uint8_t *line, size_t lane)
{
    if (from->absmax_codes)
        line[lane] = from->absmax_codes[at];
    else if (from->absmax)
        memcpy(line + lane * sizeof(float), &from->absmax[at], sizeof(float));
    else if (from->scales) {
        memcpy(line + lane * sizeof(uint16_t), &from->scales[at], sizeof(uint16_t));
        if (from->zeros) memcpy(line + (TILE_ROWS + lane) * sizeof(uint16_t), &from->zeros[at], sizeof(uint16_t));
    }
}

/* The line of scales that this block is the first of holds nothing yet. */
INLINE void tile_clear_line(const struct kernels_weight *weight, size_t tile, size_t block)
{
    size_t group = tile_group(weight->desc.format);

    if (group && block % group == 0) memset(tile_scales(weight, tile, block), 0, TILE_LINE);
}

/* Blocks [first, first + n) of all lanes; first is the first of its line of scales. */
INLINE void tile_place_all(const struct kernels_weight *weight, unsigned bits, size_t tile, size_t first, size_t n,
                           const struct tile_rows *from)
{
    size_t step = tile_step(weight, tile);

    for (size_t b = 0; b < n; b++) {
        uint8_t *to = tile_codes(weight, tile, first + b), *line = tile_scales(weight, tile, first + b);
        tile_clear_line(weight, tile, first + b);
        for (size_t lane = 0; line && lane < TILE_ROWS; lane++)
            tile_place_scale(from, lane * from->row_blocks + b, line, lane);
        if (weight->order == TILE_PAIRS)
            TILE_PLACE_CODES(bits, TILE_PAIRS, from->codes + b * bits * (TILE_BLOCK / 8), from->row_bytes, to, step);
        else if (weight->order >= TILE_QUADS)
            TILE_PLACE_CODES(bits, TILE_QUADS, from->codes + b * bits * (TILE_BLOCK / 8), from->row_bytes, to, step);
        else
            TILE_PLACE_CODES(bits, TILE_NONE, from->codes + b * bits * (TILE_BLOCK / 8), from->row_bytes, to, step);
    }
}

static inline void tile_place(const struct kernels_weight *weight, size_t tile, size_t first, size_t n,
                              const struct tile_rows *from)
{
    switch (tile_bits(weight->desc.format)) { /* each of its own loops */
    case 1:
        tile_place_all(weight, 1, tile, first, n, from);
        return;
    case 2:
        tile_place_all(weight, 2, tile, first, n, from);
        return;
    case 4:
        tile_place_all(weight, 4, tile, first, n, from);
        return;
    case 8:
        tile_place_all(weight, 8, tile, first, n, from);
        return;
    default:
        tile_place_all(weight, 16, tile, first, n, from);
        return;
    }
}

/* Blocks [first, first + n) of one lane. Lanes come in order: the first one clears what others may never fill. */
static inline void tile_place_lane(const struct kernels_weight *weight, size_t tile, size_t lane, size_t first,
                                   size_t n, const struct tile_rows *from)
{
    unsigned bits = tile_bits(weight->desc.format);
    size_t step = tile_step(weight, tile);

    for (size_t b = 0; b < n; b++) {
        uint8_t *to = tile_codes(weight, tile, first + b), *line = tile_scales(weight, tile, first + b);
        if (lane == 0) {
            tile_clear_line(weight, tile, first + b);
            for (size_t v = 0; v < 2 * bits; v++) memset(to + v * step, 0, TILE_LINE);
        }
        for (size_t v = 0; v < 2 * bits; v++)
            tile_store32(to + v * step + lane * 4,
                         tile_from_canonical(tile_load32(from->codes + (b * 2 * bits + v) * 4), bits, weight->order));
        if (line) tile_place_scale(from, b, line, lane);
    }
}

/* Rows of the weight that a tile holds. */
static inline size_t tile_lanes(const struct kernels_weight *weight, size_t tile)
{
    size_t left = weight->desc.rows - tile * TILE_ROWS;

    return left < TILE_ROWS ? left : TILE_ROWS;
}

#endif
