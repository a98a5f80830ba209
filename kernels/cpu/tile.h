/* tile.h: how weights lie for the cores of core.h: 16 rows of weights in the lanes of a vector, blocks of 64 columns one after
 * the other. TILE_TOGETHER tiles, fewer at the end, have their vectors in turn: whoever multiplies all of them reads one stream of
 * bytes from its beginning to its end, which is what a processor reads ahead best. Knows bytes; neither arithmetic nor instruction sets.
 *
 * Word v of a block is a vector of 16 words of 32 bits, lane r from row r of the tile: 32 / bits codes of that row, next to
 * each other in its canonical form, here in the order of the core. Blocks that share a line of 64 bytes of scales follow it,
 * after the lines of all tiles that lie together; formats without parts have no such lines. Lanes behind the last row hold zeros. */
#ifndef DOCKET_KERNELS_CPU_TILE_H
#define DOCKET_KERNELS_CPU_TILE_H

#include "kernels/cpu/device.h"

#define TILE_ROWS       16u
#define TILE_TOGETHER   4u
#define TILE_BLOCK      64u
#define TILE_LINE       64u
#define TILE_MAP_PLANES 1024u /* bytes: a map of 256 f32 as four planes of its bytes, lowest first */

/* How often the codes of a word are sorted into even and odd places, the even ones below: once, and shifting a word by `bits`
 * times i leaves codes 2 i and 2 i + 1 at the bottom of its halves; twice, and codes 4 i to 4 i + 3 at that of its bytes. */
enum tile_order { TILE_NONE, TILE_PAIRS, TILE_QUADS, TILE_QUADS_APART /* no tiles together */ };

static inline unsigned tile_bits(enum kernels_format format)
{
    return format <= KERNELS_BF16 ? 16 : cpu_code_bits(format);
}

/* Bytes of the codes of a block. */
static inline size_t tile_block_bytes(enum kernels_format format)
{
    return TILE_ROWS * TILE_BLOCK / 8 * tile_bits(format);
}

/* Blocks that share a line of scales; 0: no such lines. */
static inline unsigned tile_group(enum kernels_format format)
{
    switch (format) {
    case KERNELS_F32:
    case KERNELS_F16:
    case KERNELS_BF16:
        return 0;
    case KERNELS_NF4_NESTED:
    case KERNELS_FP4_NESTED:
        return 4; /* a byte a row */
    case KERNELS_Q1:
        return 2; /* f16 */
    default:
        return 1; /* f32, or two f16 */
    }
}

static inline size_t tile_row_bytes(enum kernels_format format, size_t cols)
{
    size_t n_blocks = cols / TILE_BLOCK, group = tile_group(format);

    return n_blocks * tile_block_bytes(format) + (group ? (n_blocks + group - 1) / group * TILE_LINE : 0);
}

static inline size_t tile_count(size_t rows)
{
    return (rows + TILE_ROWS - 1) / TILE_ROWS;
}

/* The first of those that lie side by side with this one. */
static inline size_t tile_first(const struct kernels_weight *weight, size_t tile)
{
    return weight->order == TILE_QUADS_APART ? tile : tile / TILE_TOGETHER * TILE_TOGETHER;
}

/* How many these are. */
static inline size_t tile_together(const struct kernels_weight *weight, size_t tile)
{
    size_t left = tile_count(weight->desc.rows) - tile_first(weight, tile);

    if (weight->order == TILE_QUADS_APART) return 1;
    return left < TILE_TOGETHER ? left : TILE_TOGETHER;
}

/* Bytes from one vector of a block to the next of the same tile. */
static inline size_t tile_step(const struct kernels_weight *weight, size_t tile)
{
    return tile_together(weight, tile) * TILE_LINE;
}

/* Where the blocks that share a line with this one begin: first the lines of all tiles that lie together. */
static inline uint8_t *tile_shared(const struct kernels_weight *weight, size_t tile, size_t block)
{
    size_t group = tile_group(weight->desc.format), sharing = group ? group : 1;
    size_t bytes = (group ? TILE_LINE : 0) + sharing * tile_block_bytes(weight->desc.format);

    return weight->tiles + tile_first(weight, tile) * weight->tile_bytes +
           block / sharing * tile_together(weight, tile) * bytes;
}

/* The first vector of a block. */
static inline uint8_t *tile_codes(const struct kernels_weight *weight, size_t tile, size_t block)
{
    size_t group = tile_group(weight->desc.format), together = tile_together(weight, tile);

    return tile_shared(weight, tile, block) +
           together * ((group ? TILE_LINE + block % group * tile_block_bytes(weight->desc.format) : 0)) +
           (tile - tile_first(weight, tile)) * TILE_LINE;
}

/* NULL for formats that have none. */
static inline uint8_t *tile_scales(const struct kernels_weight *weight, size_t tile, size_t block)
{
    size_t group = tile_group(weight->desc.format);

    if (group == 0) return NULL;
    return tile_shared(weight, tile, block) + (tile - tile_first(weight, tile)) * TILE_LINE +
           block % group * (TILE_LINE / group);
}

/* Whether a weight of this shape becomes tiles on this device. */
bool cpu_tile_takes(const struct kernels_device *device, const struct kernels_weight_desc *desc, uint32_t block_size);
size_t cpu_tile_bytes(const struct kernels_weight_desc *desc);
/* Fills weight->tiles, which is there, from canonical parts. */
void cpu_tile_place(struct kernels_device *device, struct kernels_weight *weight, const struct kernels_parts *parts);
/* Codes of nested scales of the weight's blocks [first, first + n), where the codes of these blocks are already. */
void cpu_tile_place_nested(const struct kernels_weight *weight, size_t first, size_t n, const uint8_t *absmax_codes);
/* weight->map_planes from its nested_map. */
void cpu_tile_map_planes(struct kernels_weight *weight);
/* Canonical parts from the tiles; pointers that are NULL are left out. */
void cpu_tile_read_parts(const struct kernels_weight *weight, struct kernels_parts *parts);
/* Elements [first, first + n) as f32. */
void cpu_tile_values(const struct kernels_weight *weight, size_t first, size_t n, float *out);

#endif
