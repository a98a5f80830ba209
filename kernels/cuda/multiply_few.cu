/* multiply_few.cu: multiply_codes.cuh for one to eight rows, and eight at a time for up to 32 of weights with few outputs
 * (multiply_codes.cu). Bound by reading W.
 *
 * A block of 8 warps makes 16 GROUPS outputs (GROUPS 1, 2, 4; half of them gate's, half up's) of up to 2 GROUPS rows: a warp takes 16
 * outputs and every (8 / GROUPS)th slice of k. Weights are the mma's 16 rows, activations its 8 columns. Four lanes read the 32 bytes of
 * a block of 64 codes of a row, 8 each; sixteen would take two shuffles to bring the halves of a block to their lanes.
 *
 * What is in flight: a warp asks for the 4 KiB of its next slice, and for their scales, before it multiplies the last one, and waits for
 * them behind it: nothing else of it is under way then, as a thread's loads are waited for together. Two blocks are on a multiprocessor:
 * 64 KiB, where 4.3 TB/s times 0.7 us want 23 of each of an H200's 132. The first slice is asked for before the tables are made.
 *
 * What it costs: 85 % of 4.3 TB/s are 27 weights a cycle of a multiprocessor at 1.98 GHz. 1,024 weights (16 outputs, a block of k) take 84
 * instructions of a warp, of 152 that there is room for: 16 look-ups of two weights, 16 times two instructions for their places, 4 mma, 2
 * loads of x, 2 shuffles; the rest is asking, waiting and adding up. Of 38 cycles of shared memory the look-ups take 16, x and shuffles
 * up to 10. Nothing but nested scales is met twice in a bank.
 *
 * One launch may make up to three weights of the same rows, such as queries, keys and values (cuda_multiply_joins): alone those of
 * Mixtral's keys fill half of the multiprocessors, and each launch waits for the end of the one before.
 *
 * x comes from L2, or from what the block beside has left in the first cache: of 2 GROUPS rows in f32 as many bytes as of weights. k goes
 * in rounds of as many slices as there are SLOTS for: of 4,096 with up to two rows. 58 KiB of shared memory. */
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/multiply_codes.cuh"

namespace
{

using namespace codes;

constexpr uint32_t FEW_THREADS = 256, FEW_WARPS = FEW_THREADS / WARP_SIZE, OUTPUTS = 16;
constexpr uint32_t ROW_PIECES = SLICE / 8; /* of 16 bytes: a slice of a row of x in bf16 */
constexpr uint32_t SOME = 64, MANY = 256;  /* blocks: half of an H200's 132 multiprocessors; two on each */
constexpr uint32_t SLOTS = 16;             /* slices of rows of x that are in shared memory, and of sums of outputs */

/* Shared memory, in pieces of 16 bytes: the code's values, rows, sums of slices, totals of outputs. */
constexpr uint32_t TABLE = 256 * WARP_SIZE / 4, X = SLOTS * ROW_PIECES, SUMS = SLOTS * WARP_SIZE,
                   TOTALS = FEW_WARPS / 2 * WARP_SIZE;
constexpr size_t FEW_BYTES = (TABLE + X + SUMS + TOTALS) * 16;

/* A lane's codes of a slice of 16 outputs, g and g + 8. */
struct slice_codes {
    uint2 low[SLICE_BLOCKS], high[SLICE_BLOCKS];
};

/* Of outputs g and g + 8 the scales of blocks 2 t and 2 t + 1 of a slice: as they lie in memory, then themselves. */
struct slice_scales {
    uint32_t codes[2];
    float values[2][2];
};

/* What a warp reads of a weight: the lane's two outputs, of those behind the last the last, by the number of their first block. */
struct reader {
    const weight_view w;
    uint32_t first[2];
    bool has_pairs; /* scales of two blocks lie side by side, at a multiple of their size, within one nested block */
};

__device__ __forceinline__ reader read_outputs(const weight_view &w, uint32_t output)
{
    const uint32_t low = output + warp_lane() / 4, high = low + 8, last = w.rows - 1, blocks = w.cols / BLOCK;
    return {w,
            {(low < last ? low : last) * blocks, (high < last ? high : last) * blocks},
            w.block_shift == 6 && blocks % 2 == 0};
}

/* Asks for the codes of the slice at block `at` of a row; those of blocks behind n_blocks stay what they are. */
__device__ __forceinline__ void ask_codes(slice_codes &to, const reader &r, uint32_t at, uint32_t n_blocks)
{
    const uint8_t *data = (const uint8_t *)r.w.data + 8 * (warp_lane() % 4);
    const uint8_t *low = data + (size_t)(r.first[0] + at) * (BLOCK / 2),
                  *high = data + (size_t)(r.first[1] + at) * (BLOCK / 2);
    UNROLL for (uint32_t b = 0; b < SLICE_BLOCKS; b++)
    {
        if (b >= n_blocks) continue;
        to.low[b] = load_once(low + b * (BLOCK / 2));
        to.high[b] = load_once(high + b * (BLOCK / 2));
    }
}

/* Asks for the scales of the slice at block `at`; of blocks behind n_blocks they are 0. */
template <int FORMAT>
__device__ __forceinline__ void ask_scales(slice_scales &to, const reader &r, uint32_t at, uint32_t n_blocks)
{
    const uint32_t t = warp_lane() % 4;
    UNROLL for (uint32_t which = 0; which < 2; which++)
    {
        const uint32_t block = r.first[which] + at + 2 * t;
        to.codes[which] = 0;
        to.values[which][0] = to.values[which][1] = 0;
        if (2 * t >= n_blocks || !r.has_pairs) continue;
        if constexpr (FORMAT == KERNELS_NF4_NESTED) {
            to.codes[which] = *(const uint16_t *)(r.w.absmax_codes + block);
            to.values[which][0] = r.w.nested_absmax[block / 256];
        } else {
            const float2 two = *(const float2 *)(r.w.absmax + block);
            to.values[which][0] = two.x, to.values[which][1] = two.y;
        }
    }
}

/* The scales of what was asked for. map: of nested scales. */
template <int FORMAT>
__device__ __forceinline__ void finish_scales(slice_scales &to, const reader &r, const float *map, uint32_t at,
                                              uint32_t n_blocks)
{
    const uint32_t t = warp_lane() % 4;
    if (2 * t >= n_blocks) return;
    UNROLL for (uint32_t which = 0; which < 2; which++)
    {
        if (!r.has_pairs) { /* rows of an odd number of blocks, blocks of more than 64: they are waited for */
            UNROLL_BY(1) for (uint32_t i = 0; i < 2 && 2 * t + i < n_blocks; i++)
            {
                const size_t k = (size_t)(r.first[which] + at + 2 * t + i) * BLOCK;
                const float scale = decode_absmax<FORMAT>(r.w, k >> r.w.block_shift);
                if (i == 0)
                    to.values[which][0] = scale;
                else
                    to.values[which][1] = scale;
            }
        } else if constexpr (FORMAT == KERNELS_NF4_NESTED) {
            const float nested = to.values[which][0];
            to.values[which][0] = map[to.codes[which] & 255u] * nested + r.w.nested_offset;
            to.values[which][1] = map[to.codes[which] >> 8] * nested + r.w.nested_offset;
        }
    }
}

/* The sums of 16 outputs and 8 rows over a slice, its blocks one after the other. first: the lane's first piece of its row of x. */
__device__ __forceinline__ float4 multiply_slice(const slice_codes &from, const slice_scales &scales, uint32_t n_blocks,
                                                 const uint32_t *own, const uint4 *x, uint32_t first)
{
    const uint32_t lane = warp_lane();
    float4 sum = {0, 0, 0, 0};
    UNROLL for (uint32_t b = 0; b < SLICE_BLOCKS; b++)
    {
        if (b % 2 == 0 && b >= n_blocks)
            break; /* two at a time: more of them beside each other want more registers than there are */
        const uint4 early = x[first + b * 8], late = x[(first ^ 1) + b * 8];
        const uint32_t of_x[STEPS][2] = {{early.x, early.y}, {early.z, early.w}, {late.x, late.y}, {late.z, late.w}};
        float block[4] = {0, 0, 0, 0};
        UNROLL for (uint32_t step = 0; step < STEPS; step++)
        {
            uint32_t of_w[4];
            step_values(of_w, own, from.low[b], from.high[b], step);
            mma_bf16(block, of_w, of_x[step]);
        }
        const uint32_t owner = lane / 4 * 4 + b / 2; /* whose lane has the block's scales */
        const float low = warp_from_lane(scales.values[0][b % 2], owner),
                    high = warp_from_lane(scales.values[1][b % 2], owner);
        sum.x = fmaf(block[0], low, sum.x), sum.y = fmaf(block[1], low, sum.y);
        sum.z = fmaf(block[2], high, sum.z), sum.w = fmaf(block[3], high, sum.w);
    }
    return sum;
}

/* Columns [k, k + n_slices SLICE) of the tile's rows as bf16, zeros behind their end. Neighbouring rows have every two pieces exchanged, so
 * that the lanes of two rows meet different banks. */
__device__ __forceinline__ void load_rows(uint4 *to, const multiply_args &a, uint32_t first_row, uint32_t n_rows,
                                          uint32_t k, uint32_t n_slices)
{
    for (uint32_t row = 0; row < n_rows; row++) {
        const size_t from = (size_t)(a.rows ? a.rows[first_row + row] : first_row + row) * a.k;
        UNROLL_BY(2) for (uint32_t i = threadIdx.x; i < n_slices * ROW_PIECES; i += FEW_THREADS)
        {
            const uint32_t at = k + i * 8;
            uint4 words = {0, 0, 0, 0};
            if (at < a.k && a.x16)
                words = *(const uint4 *)(a.x16 + from + at);
            else if (at < a.k) {
                const float4 *values = (const float4 *)(a.x + from + at), first = values[0], second = values[1];
                words.x = bf16_pair(first.x, first.y), words.y = bf16_pair(first.z, first.w);
                words.z = bf16_pair(second.x, second.y), words.w = bf16_pair(second.z, second.w);
            }
            to[row * n_slices * ROW_PIECES + (i ^ (row & 1))] = words;
        }
    }
}

/* Which of the launch's weights the block has, and its first output there: each weight has whole blocks of its own. */
struct place {
    uint32_t weight, output; /* weight 0 is a.weight, then come those beside it */
};

template <uint32_t BLOCK_OUTPUTS> __device__ __forceinline__ place find_place(const multiply_args &a)
{
    place p = {0, blockIdx.x};
    uint32_t n = a.n;
    UNROLL for (uint32_t i = 0; i < KERNELS_MAX_BESIDE; i++)
    {
        const uint32_t blocks = (n + BLOCK_OUTPUTS - 1) / BLOCK_OUTPUTS;
        if (i >= a.n_beside || p.weight != i || p.output < blocks) continue;
        p.weight++, p.output -= blocks, n = a.beside[i].weight.rows;
    }
    p.output *= BLOCK_OUTPUTS;
    return p;
}

/* Of one of the launch's weights. Arguments lie in constant memory, and are asked for by no address that could be in other memory: then
 * it would be as far as that. */
__device__ __forceinline__ weight_view view_of(const multiply_args &a, uint32_t group, uint32_t weight)
{
    if (a.weights) return a.weights[group];
    weight_view view = a.weight;
    UNROLL for (uint32_t i = 0; i < KERNELS_MAX_BESIDE; i++)
    {
        if (weight == i + 1) view = a.beside[i].weight;
    }
    return view;
}

template <int FORMAT, uint32_t GROUPS, bool GATED>
__global__ void __launch_bounds__(FEW_THREADS, LARGEST_BLOCKS(2)) multiply_few(multiply_args a)
{
    constexpr uint32_t STRIDE = FEW_WARPS / GROUPS, ROWS = 2 * GROUPS, COLUMN_GROUPS = GATED ? GROUPS / 2 : GROUPS;
    DYNAMIC_SHARED(uint4, memory);
    SHARED_ARRAY(float, maps, [GATED ? 2 : 1][256]);
    uint32_t *pairs = (uint32_t *)memory;
    uint4 *x = memory + TABLE;
    float4 *sums = (float4 *)(x + X), *totals = sums + SUMS;
    SHARED_ARRAY(uint32_t, kept, [4]); /* what registers are short for: first row, rows, slices of a round, weight */
    LET_NEXT_BEGIN();
    if (a.starts) WAIT_FOR_FORMER(); /* whose weight it is the router says; else that can be asked for */
    const tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return; /* a group has had its wait, all rows together have a tile for each block */
    const uint32_t lane = warp_lane(), warp = threadIdx.x / WARP_SIZE, group = warp % GROUPS, part = warp / GROUPS;
    const bool is_second = GATED && group >= COLUMN_GROUPS; /* this warp's outputs are of the second weight */
    const place where = GATED ? place{0, blockIdx.x * COLUMN_GROUPS * OUTPUTS} : find_place<COLUMN_GROUPS * OUTPUTS>(a);
    const uint32_t output = where.output + group % COLUMN_GROUPS * OUTPUTS;
    const reader own =
        read_outputs(GATED ? (is_second ? a.second : a.weights)[t.group] : view_of(a, t.group, where.weight), output);
    const float *map = maps[is_second];
    const uint32_t n_blocks = a.k / BLOCK;
    slice_codes codes = {};
    slice_scales scales;
    auto left_at = [&](uint32_t at) { return at < n_blocks ? n_blocks - at : 0; }; /* blocks from `at` on */

    uint32_t at = part * SLICE_BLOCKS; /* the first block of this warp's slice */
    ask_codes(codes, own, at, left_at(at));
    ask_scales<FORMAT>(scales, own, at, left_at(at));
    if (threadIdx.x == 0) {
        const uint32_t n_rows = t.end - t.first < ROWS ? t.end - t.first : ROWS;
        /* Slices of a round: what the slots hold of the rows and of the sums, and whole turns of the warps. */
        const uint32_t in_rows = SLOTS / n_rows / STRIDE * STRIDE;
        kept[0] = t.first, kept[1] = n_rows, kept[2] = in_rows < SLOTS / GROUPS ? in_rows : SLOTS / GROUPS;
        if (!GATED) kept[3] = where.weight;
    }
    if (part == 0) totals[warp * WARP_SIZE + lane] = float4{0, 0, 0, 0};
    decode_prepare((float *)sums, own.w.format);
    if (FORMAT == KERNELS_NF4_NESTED && part == 0 && group % COLUMN_GROUPS == 0)
        for (uint32_t i = lane; i < 256; i += WARP_SIZE) maps[is_second][i] = own.w.nested_map[i];
    BLOCK_BARRIER(); /* the values are there, and the maps, and what is kept */
    fill_pairs<WARP_SIZE>(pairs, (const float *)sums);
    finish_scales<FORMAT>(scales, own, map, at, left_at(at));
    WAIT_FOR_FORMER();
    for (uint32_t begin = 0, end; begin < n_blocks; begin = end) {
        load_rows(x, a, kept[0], kept[1], begin * BLOCK, kept[2]);
        end = begin + kept[2] * SLICE_BLOCKS;
        BLOCK_BARRIER(); /* the rows are there, and the pairs; nobody reads the sums of the round before any more */
        const uint32_t my_row =
            lane / 4 < kept[1] ? lane / 4 : 0; /* a lane without a row makes another's sums, which nobody stores */
        const uint32_t of_row = my_row * kept[2] * ROW_PIECES + (lane % 4 * 2 ^ (my_row & 1));
        UNROLL_BY(1) while (at < end)
        {
            const uint32_t next = at + STRIDE * SLICE_BLOCKS, left = left_at(next);
            slice_codes ahead = codes;
            slice_scales scales_ahead;
            float4 sum = {0, 0, 0, 0};
            ask_codes(ahead, own, next, left);
            ask_scales<FORMAT>(scales_ahead, own, next, left);
            if (at < n_blocks)
                sum = multiply_slice(codes, scales, left_at(at), pairs + lane, x, of_row + (at - begin) * (BLOCK / 8));
            sums[((at - begin) / SLICE_BLOCKS * GROUPS + group) * WARP_SIZE + lane] = sum;
            finish_scales<FORMAT>(scales_ahead, own, map, next, left);
            codes = ahead, scales = scales_ahead, at = next; /* waited for here: nothing else is under way then */
        }
        BLOCK_BARRIER(); /* the sums are there; nobody reads the rows any more */
        if (part != 0) continue;
        float4 all = totals[warp * WARP_SIZE + lane];
        UNROLL_BY(4) for (uint32_t slice = 0; slice < kept[2]; slice++)
        { /* in turn; those behind the end are 0 */
            const float4 other = sums[(slice * GROUPS + group) * WARP_SIZE + lane];
            all.x += other.x, all.y += other.y, all.z += other.z, all.w += other.w;
        }
        totals[warp * WARP_SIZE + lane] = all;
    }
    if (GATED) BLOCK_BARRIER(); /* up's totals are there, which gate's warps want */
    if (part != 0 || is_second) return;
    const float4 all = totals[warp * WARP_SIZE + lane],
                 other = totals[(warp + (GATED ? COLUMN_GROUPS : 0)) * WARP_SIZE + lane];
    const float total[4] = {all.x, all.y, all.z, all.w}, up[4] = {other.x, other.y, other.z, other.w};
    float *out = a.out;
    uint32_t n = a.n;
    UNROLL for (uint32_t i = 0; i < KERNELS_MAX_BESIDE; i++)
    { /* not by its number: a would be copied to where threads can count */
        if (!GATED && kept[3] == i + 1) out = a.beside[i].out, n = a.beside[i].weight.rows;
    }
    UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        const uint32_t row = lane % 4 * 2 + i % 2, column = output + lane / 4 + i / 2 * 8;
        if (row < kept[1] && column < n)
            store_codes(a, out, n, kept[0] + row, column, GATED ? activate(a.activation, total[i]) * up[i] : total[i]);
    }
}

/* Blocks of so many outputs, as find_place deals them out. */
uint64_t blocks_of(const multiply_args &a, uint32_t outputs)
{
    uint64_t blocks = (a.n + (uint64_t)outputs - 1) / outputs;
    for (uint32_t i = 0; i < a.n_beside; i++) blocks += (a.beside[i].weight.rows + (uint64_t)outputs - 1) / outputs;
    return blocks;
}

template <int FORMAT, uint32_t GROUPS> void launch_few(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t outputs = (a.second ? GROUPS / 2 : GROUPS) * OUTPUTS; /* gate's groups and up's */
    const dim3 grid((uint32_t)blocks_of(a, outputs), tiles_at_most(a, 2 * GROUPS));
    if constexpr (GROUPS > 1)
        if (a.second) {
            LAUNCH_EARLY((multiply_few<FORMAT, GROUPS, true>), grid, dim3(FEW_THREADS), FEW_BYTES, stream, a);
            return;
        }
    LAUNCH_EARLY((multiply_few<FORMAT, GROUPS, false>), grid, dim3(FEW_THREADS), FEW_BYTES, stream, a);
}

template <int FORMAT, uint32_t GROUPS> cudaError_t allow_few()
{
    cudaError_t result = cudaFuncSetAttribute((const void *)multiply_few<FORMAT, GROUPS, false>,
                                              cudaFuncAttributeMaxDynamicSharedMemorySize, (int)FEW_BYTES);
    if constexpr (GROUPS > 1)
        if (result == cudaSuccess)
            result = cudaFuncSetAttribute((const void *)multiply_few<FORMAT, GROUPS, true>,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize, (int)FEW_BYTES);
    return result;
}

/* As many groups a block as still make MANY blocks, or SOME where fewer of them would read the weights more than once: the more groups,
 * the less often x is read. */
template <int FORMAT> void choose_few(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t n_groups = a.starts ? a.n_groups : 1;
    auto blocks = [&](uint32_t groups) {
        return blocks_of(a, (a.second ? groups / 2 : groups) * OUTPUTS) * tiles_at_most(a, 2 * groups);
    };
    if (blocks(4) >= (a.m > 4 * n_groups ? SOME : MANY))
        launch_few<FORMAT, 4>(a, stream);
    else if (a.m > n_groups || a.second || blocks(2) >= MANY)
        launch_few<FORMAT, 2>(a, stream);
    else
        launch_few<FORMAT, 1>(a, stream);
}

} // namespace

cudaError_t cuda_allow_codes_few(void)
{
    cudaError_t result = allow_few<KERNELS_NF4, 1>();
    if (result == cudaSuccess) result = allow_few<KERNELS_NF4, 2>();
    if (result == cudaSuccess) result = allow_few<KERNELS_NF4, 4>();
    if (result == cudaSuccess) result = allow_few<KERNELS_NF4_NESTED, 1>();
    if (result == cudaSuccess) result = allow_few<KERNELS_NF4_NESTED, 2>();
    return result == cudaSuccess ? allow_few<KERNELS_NF4_NESTED, 4>() : result;
}

void cuda_multiply_codes_few(const multiply_args &a, cudaStream_t stream)
{
    if (a.weight.absmax_codes)
        choose_few<KERNELS_NF4_NESTED>(a, stream);
    else
        choose_few<KERNELS_NF4>(a, stream);
}
