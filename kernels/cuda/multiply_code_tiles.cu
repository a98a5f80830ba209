/* multiply_code_tiles.cu: multiply_codes.cuh for more than eight rows a group. Rows come as bf16 (multiply_args.x16).
 *
 * A block of 4 warps makes ROWS (16 or 48) rows of 128 outputs, or of 64 gated ones; a warp two times 16 outputs for all the rows: weights
 * are the mma's 16 rows, activations its 8 columns. A weight is looked up by one warp alone, and goes from the table to the tensor core.
 *
 * What is in flight: an H200 moves 4.3 TB/s, 700 ns after it is asked: 23 KiB on the way to each of 132 multiprocessors. A stage is 256 of
 * k: 16 KiB of codes, whole lines of 128 bytes as they lie in the weight, so that no other layout is wanted (128 for 48 rows, half of
 * that). Two blocks are on a multiprocessor, each with two stages on the way while the third is multiplied: 64 KiB. Where shared memory
 * is smaller there are fewer stages; with one (sm_75) they are waited for. From L2 come 32 bytes of x a k beside 66 of 128 outputs' codes
 * and scales: 5.4 TB/s where the weights come at 85 % of 4.3.
 *
 * Shared memory moves 128 bytes a cycle: 64 of k of a warp, 2,048 weights, are 32 cycles of table, 8 of codes, and one a row: 56 for 16
 * rows, 36 weights a cycle, where 85 % of 4.3 TB/s want 27 at 1.98 GHz; 88 for 48, 2,230 operations a cycle, 520 TFLOP/s of the 600 that
 * mma.sync gives. Instructions are more of a bound: as sm_90a's compiler has them some 240 of a warp for 16 rows, of which the copies and
 * the scales are 60, and 420 for 48: 60 and 105 cycles if something is issued in each. With two warps a scheduler about two of three
 * are: 23 weights a cycle, three quarters of the bandwidth, and 300 TFLOP/s. 64 rows would take more registers than a thread has. */
#include "kernels/cuda/multiply_codes.cuh"

#include <copy.cuh>

namespace
{

using namespace codes;

constexpr uint32_t TILE_THREADS = 128, LISTS = 2, LIST_OUTPUTS = 64, COPIES = WARP_SIZE, MOST_STAGES = 4;
constexpr uint32_t BRINGERS = LISTS * LIST_OUTPUTS; /* threads that bring scales: one an output */
static_assert(BRINGERS == TILE_THREADS, "a thread for each output of a block");

/* Sizes in pieces of 16 bytes. */
template <uint32_t ROWS> struct shape {
    static constexpr uint32_t BLOCKS = ROWS == 16 ? 4 : 2; /* of 64 of k, in a stage */
    static constexpr uint32_t CODE_PIECES = 2 * BLOCKS, ROW_PIECES = 8 * BLOCKS;
    static constexpr uint32_t CODES = LISTS * LIST_OUTPUTS * CODE_PIECES, STAGE = CODES + ROWS * ROW_PIECES;
    static constexpr uint32_t TABLE = 256 * COPIES / 4, SCALES = BRINGERS * BLOCKS / 4, FIXED = TABLE + 2 * SCALES;
    static constexpr size_t STATIC_BYTES = LISTS * 256 * sizeof(float) + ROWS * sizeof(uint32_t);
};

/* Lanes g and t of half a warp read 8 bytes each of rows g, piece t / 2: so they meet 32 different banks. */
template <uint32_t PIECES> __device__ __forceinline__ uint32_t code_place(uint32_t row, uint32_t piece)
{
    return row * PIECES + (piece ^ (row / (8 / PIECES) % (PIECES / 2) * 2));
}

template <uint32_t PIECES> __device__ __forceinline__ uint32_t row_place(uint32_t row, uint32_t piece)
{
    return row * PIECES + (piece ^ (row & 1));
}

/* One output's scales of a stage, as they lie in memory. */
template <int FORMAT, uint32_t BLOCKS> struct raw_scales {
    uint32_t codes;
    float nested, values[BLOCKS];
};

/* The scales that a thread brings: of output `row` of a weight, the last one for those behind it. `whole`: a stage's scales lie side by
 * side, at a multiple of their size, within one nested block. */
struct bringer {
    const weight_view w;
    uint32_t row;
    bool whole;
};

template <int FORMAT, uint32_t BLOCKS>
__device__ __forceinline__ void bring_scales(raw_scales<FORMAT, BLOCKS> &to, const bringer &b, uint32_t k)
{
    if (!b.whole || k >= b.w.cols) return;
    const size_t first = ((size_t)b.row * b.w.cols + k) / BLOCK;
    if (FORMAT == KERNELS_NF4_NESTED) {
        to.codes =
            BLOCKS == 4 ? *(const uint32_t *)(b.w.absmax_codes + first) : *(const uint16_t *)(b.w.absmax_codes + first);
        to.nested = b.w.nested_absmax[first / 256];
    } else if (BLOCKS == 4) {
        const float4 four = *(const float4 *)(b.w.absmax + first);
        to.values[0] = four.x, to.values[1] = four.y, to.values[BLOCKS - 2] = four.z, to.values[BLOCKS - 1] = four.w;
    } else {
        const float2 two = *(const float2 *)(b.w.absmax + first);
        to.values[0] = two.x, to.values[1] = two.y;
    }
}

/* An output's scales of the stage at k; 0 for blocks behind its end. */
template <int FORMAT, uint32_t BLOCKS>
__device__ __forceinline__ void put_scales(float *to, const raw_scales<FORMAT, BLOCKS> &from, const bringer &b,
                                           const float *map, uint32_t k)
{
    float values[BLOCKS];
    UNROLL for (uint32_t i = 0; i < BLOCKS; i++) values[i] =
        FORMAT == KERNELS_NF4_NESTED ? map[byte_of(from.codes, i)] * from.nested + b.w.nested_offset : from.values[i];
    if (!b.whole) {
        UNROLL_BY(1) for (uint32_t i = 0; i < BLOCKS; i++)
        {
            const uint32_t at = k + i * BLOCK;
            to[i] = at < b.w.cols ? block_scale<FORMAT>(b.w, b.row, at) : 0.0f;
        }
        return;
    }
    if (BLOCKS == 4)
        *(float4 *)to = float4{values[0], values[1], values[BLOCKS - 2], values[BLOCKS - 1]};
    else
        *(float2 *)to = float2{values[0], values[1]};
}

/* What a thread copies of each stage: piece `code_piece` of every CODE_ROWS-th output of both lists, `row_piece` of every X_ROWS-th row.
 * Behind a list's last output the last is copied again, and not stored. */
template <uint32_t ROWS> struct copier {
    static constexpr uint32_t CODE_ROWS = TILE_THREADS / shape<ROWS>::CODE_PIECES;
    static constexpr uint32_t X_ROWS = TILE_THREADS / shape<ROWS>::ROW_PIECES;
    const uint8_t *data[LISTS];                        /* the thread's piece of a list's first row */
    uint32_t first[LISTS], last;                       /* outputs */
    uint32_t code_piece, row_piece, to_codes, to_rows; /* where in a stage */
};

template <uint32_t ROWS>
__device__ __forceinline__ copier<ROWS> copier_of(const weight_view *const weights[LISTS],
                                                  const uint32_t outputs[LISTS])
{
    using s = shape<ROWS>;
    using c = copier<ROWS>;
    const uint32_t code_row = threadIdx.x / s::CODE_PIECES, code_piece = threadIdx.x % s::CODE_PIECES;
    const uint32_t row = threadIdx.x / s::ROW_PIECES, row_piece = threadIdx.x % s::ROW_PIECES;
    static_assert(c::CODE_ROWS % 8 == 0 && c::X_ROWS % 2 == 0, "places of a thread's rows differ by whole rows");
    return {{(const uint8_t *)weights[0]->data + code_piece * 16, (const uint8_t *)weights[1]->data + code_piece * 16},
            {outputs[0] + code_row, outputs[1] + code_row},
            weights[0]->rows - 1,
            code_piece,
            row_piece,
            code_place<s::CODE_PIECES>(code_row, code_piece),
            s::CODES + row_place<s::ROW_PIECES>(row, row_piece)};
}

/* Begins the copies of a stage: columns [k, k + 64 BLOCKS) of both lists' outputs and of the tile's rows; zeros behind the ends. */
template <uint32_t ROWS>
__device__ __forceinline__ void begin_stage(uint4 *to, const multiply_args &a, const copier<ROWS> &c,
                                            const uint32_t *sources, uint32_t k)
{
    using s = shape<ROWS>;
    if (k >= a.k) {
        copy_commit(); /* so that every step has a group */
        return;
    }
    const bool codes_there = k + c.code_piece * 32 < a.k, row_there = k + c.row_piece * 8 < a.k;
    UNROLL for (uint32_t list = 0; list < LISTS; list++)
        UNROLL for (uint32_t j = 0; j < LIST_OUTPUTS / copier<ROWS>::CODE_ROWS; j++)
    {
        const uint32_t output = c.first[list] + j * copier<ROWS>::CODE_ROWS, kept = output < c.last ? output : c.last;
        copy_async_16(to + c.to_codes + (list * LIST_OUTPUTS + j * copier<ROWS>::CODE_ROWS) * s::CODE_PIECES,
                      c.data[list] + (size_t)kept * (a.k / 2) + k / 2, codes_there);
    }
    UNROLL for (uint32_t j = 0; j < ROWS / copier<ROWS>::X_ROWS; j++)
    {
        const uint32_t source = sources[threadIdx.x / s::ROW_PIECES + j * copier<ROWS>::X_ROWS];
        const bool there = row_there && source != UINT32_MAX;
        copy_async_16(to + c.to_rows + j * copier<ROWS>::X_ROWS * s::ROW_PIECES,
                      a.x16 + (there ? (size_t)source * a.k + k + c.row_piece * 8 : 0), there);
    }
    copy_commit();
}

/* sum += the products of block b of a stage. */
template <uint32_t ROWS>
__device__ __forceinline__ void add_block(float (*sum)[ROWS / 8][4], const uint4 *stage, const float *scales,
                                          const uint32_t *pairs, uint32_t b)
{
    using s = shape<ROWS>;
    const uint32_t lane = warp_lane(), g = lane / 4, t = lane % 4, output = threadIdx.x / WARP_SIZE * 16 + g;
    uint32_t of_w[LISTS][STEPS][4];
    float scale[LISTS][2];
    UNROLL for (uint32_t list = 0; list < LISTS; list++)
    {
        const uint4 *codes = stage + list * LIST_OUTPUTS * s::CODE_PIECES;
        const uint2 low = ((const uint2 *)(codes + code_place<s::CODE_PIECES>(output, 2 * b + t / 2)))[t % 2];
        const uint2 high = ((const uint2 *)(codes + code_place<s::CODE_PIECES>(output + 8, 2 * b + t / 2)))[t % 2];
        UNROLL for (uint32_t step = 0; step < STEPS; step++)
            step_values(of_w[list][step], pairs + lane, low, high, step);
        scale[list][0] = scales[(list * LIST_OUTPUTS + output) * s::BLOCKS + b];
        scale[list][1] = scales[(list * LIST_OUTPUTS + output + 8) * s::BLOCKS + b];
    }
    UNROLL for (uint32_t n = 0; n < ROWS / 8; n++)
    {
        const uint4 *x = stage + s::CODES;
        const uint4 early = x[row_place<s::ROW_PIECES>(n * 8 + g, b * 8 + 2 * t)];
        const uint4 late = x[row_place<s::ROW_PIECES>(n * 8 + g, b * 8 + 2 * t + 1)];
        const uint32_t of_x[STEPS][2] = {{early.x, early.y}, {early.z, early.w}, {late.x, late.y}, {late.z, late.w}};
        UNROLL for (uint32_t list = 0; list < LISTS; list++)
        {
            float block[4] = {0, 0, 0, 0}, *to = sum[list][n];
            UNROLL for (uint32_t step = 0; step < STEPS; step++) mma_bf16(block, of_w[list][step], of_x[step]);
            UNROLL for (uint32_t i = 0; i < 4; i++) to[i] = fmaf(block[i], scale[list][i / 2], to[i]);
        }
    }
}

/* Until the oldest of the stages under way is there. */
__device__ __forceinline__ void wait_stage(uint32_t n_stages)
{
    if (n_stages == MOST_STAGES)
        copy_wait<MOST_STAGES - 2>();
    else if (n_stages == 3)
        copy_wait<1>();
    else
        copy_wait<0>();
}

template <int FORMAT, uint32_t ROWS, bool GATED>
__global__ void __launch_bounds__(TILE_THREADS, LARGE_BLOCKS(2)) multiply_code_tiles(multiply_args a, uint32_t n_stages)
{
    using s = shape<ROWS>;
    constexpr uint32_t DEEP = s::BLOCKS * BLOCK, TILES = ROWS / 8;
    DYNAMIC_SHARED(uint4, memory);
    SHARED_ARRAY(float, maps, [LISTS][256]);
    SHARED_ARRAY(uint32_t, sources, [ROWS]);
    uint32_t *pairs = (uint32_t *)memory;
    float *scales = (float *)(memory + s::TABLE); /* twice, by turns */
    uint4 *stages = memory + s::FIXED;
    LET_NEXT_BEGIN();
    const tile t = find_tile<ROWS>(a, blockIdx.x);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    const uint32_t first_output = blockIdx.y * (GATED ? 1 : LISTS) * LIST_OUTPUTS;
    const weight_view *const lists[LISTS] = {&weight, &second};
    const uint32_t first_outputs[LISTS] = {first_output, GATED ? first_output : first_output + LIST_OUTPUTS};
    const copier<ROWS> copies = copier_of<ROWS>(lists, first_outputs);
    const bool late = threadIdx.x >= LIST_OUTPUTS; /* this thread's output is of the second list */
    const uint32_t output = first_output + (GATED && late ? threadIdx.x - LIST_OUTPUTS : threadIdx.x);
    const weight_view own = GATED && late ? second : weight;
    const bringer bring = {own, output < a.n ? output : a.n - 1, own.block_shift == 6 && a.k % DEEP == 0};
    const float *map = maps[late];
    float sum[LISTS][TILES][4] = {}, total[LISTS][TILES][4] = {};
    raw_scales<FORMAT, s::BLOCKS> raw = {};

    float *values = scales + BRINGERS * s::BLOCKS; /* where nobody puts a scale before the barrier in the loop */
    decode_prepare(values, weight.format);
    if (FORMAT == KERNELS_NF4_NESTED)
        for (uint32_t i = threadIdx.x; i < 256; i += TILE_THREADS)
            maps[0][i] = weight.nested_map[i], maps[1][i] = second.nested_map[i];
    if (threadIdx.x < ROWS) {
        const uint32_t row = t.first + threadIdx.x;
        sources[threadIdx.x] = row >= t.end ? UINT32_MAX : a.rows ? a.rows[row] : row;
    }
    BLOCK_BARRIER(); /* values, maps and sources are there */
    bring_scales(raw, bring, 0);
    for (uint32_t i = 0; i + 1 < n_stages; i++) begin_stage<ROWS>(stages + i * s::STAGE, a, copies, sources, i * DEEP);
    fill_pairs<COPIES>(pairs, values);
    put_scales(scales + threadIdx.x * s::BLOCKS, raw, bring, map, 0);

    uint32_t slot = 0, filled = n_stages - 1; /* of the ring: which is multiplied, which is filled next */
    for (uint32_t k = 0, number = 1; k < a.k; k += DEEP, number++) {
        if (n_stages == 1) {
            BLOCK_BARRIER(); /* nobody reads the only stage any more */
            begin_stage<ROWS>(stages, a, copies, sources, k);
        }
        wait_stage(n_stages);
        BLOCK_BARRIER(); /* the stage is there, its scales and the pairs; nobody reads the stage before it any more */
        if (n_stages > 1) begin_stage<ROWS>(stages + filled * s::STAGE, a, copies, sources, k + (n_stages - 1) * DEEP);
        bring_scales(raw, bring, k + DEEP);
        UNROLL_BY(ROWS == 16 ? 4 : 1)
        for (uint32_t b = 0; b < s::BLOCKS; b++)
            if (k + b * BLOCK < a.k)
                add_block<ROWS>(sum, stages + slot * s::STAGE, scales + (number + 1) % 2 * (BRINGERS * s::BLOCKS),
                                pairs, b);
        put_scales(scales + (number % 2 * BRINGERS + threadIdx.x) * s::BLOCKS, raw, bring, map, k + DEEP);
        slot = slot + 1 == n_stages ? 0 : slot + 1;
        filled = filled + 1 == n_stages ? 0 : filled + 1;
        if (number * s::BLOCKS % SLICE_BLOCKS && k + DEEP < a.k) continue;
        UNROLL for (uint32_t list = 0; list < LISTS; list++) UNROLL for (uint32_t n = 0; n < TILES; n++)
            UNROLL for (uint32_t i = 0; i < 4; i++)
        {
            total[list][n][i] += sum[list][n][i];
            sum[list][n][i] = 0;
        }
    }
    const uint32_t column = threadIdx.x / WARP_SIZE * 16 + warp_lane() / 4, row = t.first + warp_lane() % 4 * 2;
    UNROLL for (uint32_t n = 0; n < TILES; n++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        const uint32_t r = row + n * 8 + i % 2, c = first_output + column + i / 2 * 8, other = c + LIST_OUTPUTS;
        if (r >= t.end) continue;
        if (GATED) {
            if (c < a.n) store_codes(a, r, c, activate(a.activation, total[0][n][i]) * total[1][n][i]);
        } else {
            if (c < a.n) store_codes(a, r, c, total[0][n][i]);
            if (other < a.n) store_codes(a, r, other, total[1][n][i]);
        }
    }
}

/* As many stages as leave room for a second block, if those are two; else as many as there is room for. */
template <uint32_t ROWS> uint32_t stages_in(const cuda_shared_memory &room)
{
    using s = shape<ROWS>;
    constexpr size_t STAGE = s::STAGE * sizeof(uint4), FIXED = s::FIXED * sizeof(uint4) + s::STATIC_BYTES;
    const size_t half = room.a_multiprocessor / 2 - room.reserved;
    size_t most = room.a_block < half ? room.a_block : half;
    if (most < FIXED + 2 * STAGE) most = room.a_block;
    const size_t n = most < FIXED + STAGE ? 1 : (most - FIXED) / STAGE;
    return n < MOST_STAGES ? (uint32_t)n : MOST_STAGES;
}

template <uint32_t ROWS> size_t bytes_of(uint32_t n_stages)
{
    return (shape<ROWS>::FIXED + n_stages * shape<ROWS>::STAGE) * sizeof(uint4);
}

template <int FORMAT, uint32_t ROWS> cudaError_t allow(const cuda_shared_memory &room)
{
    const int bytes = (int)bytes_of<ROWS>(stages_in<ROWS>(room));
    cudaError_t result = cudaFuncSetAttribute((const void *)multiply_code_tiles<FORMAT, ROWS, false>,
                                              cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    return result == cudaSuccess ? cudaFuncSetAttribute((const void *)multiply_code_tiles<FORMAT, ROWS, true>,
                                                        cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)
                                 : result;
}

template <int FORMAT, uint32_t ROWS> void launch(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t outputs = (a.second ? 1 : LISTS) * LIST_OUTPUTS, n_stages = stages_in<ROWS>(a.room);
    const dim3 grid(tiles_at_most(a, ROWS),
                    (a.n + outputs - 1) / outputs); /* tiles of a group read a weight together */
    if (a.second)
        LAUNCH((multiply_code_tiles<FORMAT, ROWS, true>), grid, dim3(TILE_THREADS), bytes_of<ROWS>(n_stages), stream, a,
               n_stages);
    else
        LAUNCH((multiply_code_tiles<FORMAT, ROWS, false>), grid, dim3(TILE_THREADS), bytes_of<ROWS>(n_stages), stream,
               a, n_stages);
}

} // namespace

cudaError_t cuda_allow_code_tiles(const cuda_shared_memory &room)
{
    cudaError_t result = cuda_allow_codes_few();
    if (result == cudaSuccess) result = allow<KERNELS_NF4, 16>(room);
    if (result == cudaSuccess) result = allow<KERNELS_NF4, 48>(room);
    if (result == cudaSuccess) result = allow<KERNELS_NF4_NESTED, 16>(room);
    return result == cudaSuccess ? allow<KERNELS_NF4_NESTED, 48>(room) : result;
}

void cuda_multiply_code_tiles(const multiply_args &a, cudaStream_t stream)
{
    const bool few = a.m <= 32 * (a.starts ? a.n_groups : 1), is_nested = a.weight.absmax_codes != NULL;
    if (few && is_nested)
        launch<KERNELS_NF4_NESTED, 16>(a, stream);
    else if (few)
        launch<KERNELS_NF4, 16>(a, stream);
    else if (is_nested)
        launch<KERNELS_NF4_NESTED, 48>(a, stream);
    else
        launch<KERNELS_NF4, 48>(a, stream);
}
