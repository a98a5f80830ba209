/* core.h: products of tiles (tile.h) in bf16 or int8, the inner loops of one instruction set behind one table.
 * They know formats and addresses; operations, shapes' meaning and workers are their callers'.
 *
 * One rule keeps results independent of batch and workers: an output lies in one lane and is summed in one order, however many
 * rows are multiplied together: over a block of 64 columns in the core's own order, then, if the format has scales, times the
 * scale and onto the sum of the blocks before. */
#ifndef DOCKET_KERNELS_CPU_CORE_H
#define DOCKET_KERNELS_CPU_CORE_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/tile.h"

#define CORE_TILES   4u                       /* that one item of work takes together */
#define CORE_OUTPUTS (CORE_TILES * TILE_ROWS) /* 64: as many as a block has columns */
#define CORE_ROWS    192u                     /* rows of activations that share an expanded panel */
#define CORE_BLOCKS  16u                      /* of columns expanded together: 128 KiB of bf16, in the second cache */
#define CORE_PAIR    2u                       /* tiles that lie interleaved in a panel */
#define CORE_FEW     96u /* up to here weights are expanded in registers again for each 8 rows: the panel costs more */
#define CORE_FETCH   4096u /* bytes ahead in a tile that few rows fetch */
#define SCALES_GROUP 4u    /* blocks whose scales share a line, at most */

/* What is left to do with the sum of a block. */
enum core_kind {
    CORE_WHOLE, /* nothing: the values are in the panel, one chain of sums through all blocks */
    CORE_SCALED,
    CORE_SCALED_FROM_ZERO, /* times scale, plus zero times the sum of the activations */
};

/* CORE_BLOCKS blocks of up to CORE_TILES tiles, expanded. values: for each pair of tiles, each block, each step of the core:
 * 64 bytes a tile. Scales and zeros: for each pair, each block, 16 a tile. A last tile without partner lies as if it had one. */
struct core_panel {
    uint8_t values[CORE_TILES * CORE_BLOCKS * TILE_ROWS * TILE_BLOCK * 2] __attribute__((aligned(64)));
    float scales[CORE_TILES * CORE_BLOCKS * TILE_ROWS] __attribute__((aligned(64)));
    float zeros[CORE_TILES * CORE_BLOCKS * TILE_ROWS] __attribute__((aligned(64)));
    int32_t added; /* to all values, in whole numbers; taken off by multiply */
};

/* Rows of activations as the core reads them; zeros behind the last column. */
struct core_rows {
    uint8_t *data;
    size_t n_rows, cols, stride; /* bytes from one row to the next */
};

struct cpu_core {
    const char *name, *arithmetic; /* "avx512_bf16", "bf16" */
    enum tile_order order;
    bool takes_plain;              /* f16 and bf16 weights; else they are multiplied in f32 */
    enum core_kind kind_of_values; /* what expand_values leaves to do */
    size_t (*row_bytes)(size_t cols);
    /* Columns [64 block, 64 block + n) of a row, n <= 64. */
    void (*pack)(const float *x, size_t n, size_t cols, size_t block, uint8_t *row);
    /* Blocks [begin, end) of n tiles, n <= CORE_TILES, of a weight in tiles. */
    void (*expand)(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                   struct core_panel *to);
    /* The same of a weight that is not in tiles: values[lane][column] of one block of one tile. */
    void (*expand_values)(const float *values, size_t tile_in_panel, size_t block_in_panel, struct core_panel *to);
    /* sums[i][j], rows of CORE_OUTPUTS, (+)= rows first_row + i times the panel's blocks, which are the weight's from `begin`. */
    void (*multiply)(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums);
    /* The whole sums of n tiles and m <= CORE_FEW rows, without a panel; false if this core has no such way. */
    bool (*dot)(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                const struct core_rows *rows, size_t first_row, size_t m, float *sums);
};

extern const struct cpu_core cpu_core_avx2_int8, cpu_core_avx2_int16;
extern const struct cpu_core cpu_core_avx512_bf16, cpu_core_avx512_vnni, cpu_core_amx_bf16, cpu_core_amx_int8;
extern const struct cpu_core cpu_core_amx_bf16_twin, cpu_core_amx_int8_twin; /* the same without AMX, for tests */

/* dispatch.c: the best this processor and its system run, or what is named: false if it is unknown, cannot run, or does not
 * compute in that arithmetic. A core comes with inner loops for everything else. */
struct cpu_choice {
    const struct cpu_isa *isa;
    const struct cpu_core *core; /* NULL: f32 */
    const struct cpu_core
        *failed; /* that this processor says it has, but whose trial failed: nothing was chosen that needs it */
    const char *reason;
};
bool cpu_choose(const char *name, enum kernels_arithmetic arithmetic, struct cpu_choice *out);

/* core_trial.c: NULL if a small product on this core comes out right here, else what went wrong. */
const char *cpu_core_trial(const struct cpu_core *core);

/* Of a row, the last one perhaps not whole. */
static inline size_t core_n_blocks(size_t cols)
{
    return (cols + TILE_BLOCK - 1) / TILE_BLOCK;
}

/* Scratch of one worker. */
struct core_worker {
    struct core_panel panel;
    float sums[2][CORE_ROWS * CORE_OUTPUTS] __attribute__((aligned(64)));
};

/* Whether the core computes with such weights. */
bool cpu_core_takes(const struct cpu_core *core, const struct kernels_weight *weight);

/* sums [m][CORE_OUTPUTS] = rows first_row and on times weight rows first and on, as many as there are, first a multiple of 16. */
void cpu_core_panel(const struct cpu_core *core, const struct kernels_weight *weight, const struct core_rows *rows,
                    size_t first_row, size_t m, size_t first, struct core_panel *panel, float *sums);

/* Row i of `rows` becomes x[from[i]], or x[i] without from. */
void cpu_core_pack(struct kernels_device *device, const struct core_rows *rows, const float *x, const uint32_t *from);

/* Instead of the operations of linear.h, where the core takes all of their weights. linear: of `parts`, which share x; the rest is as args
 * have it. */
enum kernels_status cpu_core_linear(struct kernels_device *device, const struct kernels_linear *args,
                                    const struct kernels_beside *parts, size_t n_parts);
enum kernels_status cpu_core_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args);

#endif
