/* multiply_few.cu: multiply_codes.cuh for one to eight rows. Bound by reading W.
 *
 * A block of 8 warps makes 16 GROUPS outputs of up to 2 GROUPS rows; a warp makes 16 outputs of one slice: weights are the mma's 16 rows,
 * activations its 8 columns. Four lanes read the 32 bytes of a block of 64 codes of a row, 8 each, a slice's 16 loads at once: 4 KiB a
 * warp, 8 with gate and up. At 128 registers two blocks are on an SM: 64 to 128 KiB in flight, where 4.8 TB/s times 0.7 us want 25 KiB
 * of each of 132 SMs. Sixteen bytes a lane would take two shuffles to bring the halves of a block to their lanes, for the same bytes.
 * What 85 % of an H200's 4.3 TB/s ask of an SM at 1.98 GHz is 27 weights a cycle; a look-up brings two, without conflict 64 a cycle, and
 * 1.7 instructions a weight are 46 of the 128 lanes a cycle. Activations are read once per 16 GROUPS outputs, from L2: 2 GROUPS rows in f32
 * are as many bytes as the weights, half of that with gate and up, or as bf16, which down gets: 5.4 TB/s where weights come at 85 %.
 * Nothing waits but for the round's codes: scales are asked for with them, and looked up when the rows are there. k is cut in parts of
 * SLICES warps, added in order: 4096 outputs are 128 blocks; 1024, 2.1 MB, would be read in less time than a launch takes. */
#include "kernels/cuda/multiply_codes.cuh"

namespace
{

using namespace codes;

constexpr uint32_t FEW_THREADS = 256, FEW_WARPS = FEW_THREADS / WARP_SIZE, OUTPUTS = 16;
constexpr uint32_t ROW_WORDS = SLICE / 2; /* of a slice of a row of x in bf16 */

/* A lane's codes of a slice of 16 outputs, g and g + 8; and of the scales of blocks 2 t and 2 t + 1 what does not wait for anything else:
 * two codes and their scale, or the scales themselves. */
struct slice {
    uint2 low[SLICE_BLOCKS], high[SLICE_BLOCKS];
    uint32_t scale_codes[2];
    float scales[2][2];
};

/* Whether the scales of two blocks lie side by side, at a multiple of their size and within one nested block. */
__device__ __forceinline__ bool has_pairs(const weight_view &w)
{
    return w.block_shift == 6 && w.cols % (2 * BLOCK) == 0;
}

/* The lane's outputs; those behind the last are read as the last, and not stored. */
__device__ __forceinline__ uint32_t output_of(const weight_view &w, uint32_t output, uint32_t which)
{
    const uint32_t row = output + warp_lane() / 4 + 8 * which;
    return row < w.rows ? row : w.rows - 1;
}

template <int FORMAT>
__device__ __forceinline__ void load_slice(slice &to, const weight_view &w, uint32_t output, uint32_t k,
                                           uint32_t n_blocks)
{
    const uint32_t t = warp_lane() % 4;
    const uint8_t *data = (const uint8_t *)w.data;
    const uint8_t *low_at = data + ((size_t)output_of(w, output, 0) * w.cols + k) / 2 + 8 * t;
    const uint8_t *high_at = data + ((size_t)output_of(w, output, 1) * w.cols + k) / 2 + 8 * t;
    UNROLL for (uint32_t b = 0; b < SLICE_BLOCKS; b++)
    {
        const bool in = b < n_blocks;
        to.low[b] = in ? load_once(low_at + b * (BLOCK / 2)) : uint2{0, 0};
        to.high[b] = in ? load_once(high_at + b * (BLOCK / 2)) : uint2{0, 0};
    }
    UNROLL for (uint32_t which = 0; which < 2; which++)
    {
        const size_t block = ((size_t)output_of(w, output, which) * w.cols + k) / BLOCK + 2 * t;
        to.scale_codes[which] = 0;
        to.scales[which][0] = to.scales[which][1] = 0;
        if (2 * t >= n_blocks) continue;
        if (!has_pairs(w)) { /* rows of an odd number of blocks, blocks of more than 64: they are waited for */
            const uint32_t row = output_of(w, output, which), first = k + 2 * t * BLOCK;
            to.scales[which][0] = block_scale<FORMAT>(w, row, first);
            if (2 * t + 1 < n_blocks) to.scales[which][1] = block_scale<FORMAT>(w, row, first + BLOCK);
        } else if constexpr (FORMAT == KERNELS_NF4_NESTED) {
            to.scale_codes[which] = *(const uint16_t *)(w.absmax_codes + block);
            to.scales[which][0] = w.nested_absmax[block / 256];
        } else {
            const float2 two = *(const float2 *)(w.absmax + block);
            to.scales[which][0] = two.x, to.scales[which][1] = two.y;
        }
    }
}

/* Looks up the scales whose codes were asked for: after everything else was. */
template <int FORMAT> __device__ __forceinline__ void finish_scales(slice &to, const weight_view &w)
{
    if constexpr (FORMAT == KERNELS_NF4_NESTED) {
        UNROLL for (uint32_t which = 0; which < 2; which++) if (has_pairs(w))
        {
            const float nested = to.scales[which][0];
            to.scales[which][0] = w.nested_map[to.scale_codes[which] & 255u] * nested + w.nested_offset;
            to.scales[which][1] = w.nested_map[to.scale_codes[which] >> 8] * nested + w.nested_offset;
        }
    }
}

/* sum[16 outputs, 8 rows] += the slice's blocks, one after the other. x: the lane's row, or NULL for one that is none. */
__device__ __forceinline__ void add_slice(float sum[4], const slice &from, uint32_t n_blocks, const uint32_t *pairs,
                                          const uint32_t *x)
{
    const uint32_t lane = warp_lane(), g = lane / 4, t = lane % 4;
    UNROLL for (uint32_t b = 0; b < SLICE_BLOCKS; b++)
    {
        if (b >= n_blocks) break; /* the last slice may be short */
        float block[4] = {0, 0, 0, 0};
        UNROLL for (uint32_t half = 0; half < 2; half++)
        {
            uint4 row = {0, 0, 0, 0};
            if (x) row = *(const uint4 *)(x + (((b * 8 + 2 * t + half) ^ (g & 1)) * 4));
            UNROLL for (uint32_t i = 0; i < 2; i++)
            {
                const uint32_t low = step_bytes(from.low[b], 2 * half + i),
                               high = step_bytes(from.high[b], 2 * half + i);
                const uint32_t a[4] = {pairs[(low & 255u) * WARP_SIZE + lane], pairs[(high & 255u) * WARP_SIZE + lane],
                                       pairs[(low >> 8 & 255u) * WARP_SIZE + lane],
                                       pairs[(high >> 8 & 255u) * WARP_SIZE + lane]};
                const uint32_t of_x[2] = {i ? row.z : row.x, i ? row.w : row.y};
                mma_bf16(block, a, of_x);
            }
        }
        const uint32_t owner = g * 4 + b / 2; /* whose lane has the block's scales */
        const float low = warp_from_lane(from.scales[0][b % 2], owner),
                    high = warp_from_lane(from.scales[1][b % 2], owner);
        sum[0] = fmaf(block[0], low, sum[0]), sum[1] = fmaf(block[1], low, sum[1]);
        sum[2] = fmaf(block[2], high, sum[2]), sum[3] = fmaf(block[3], high, sum[3]);
    }
}

/* Slices [k, k + SLICES * SLICE) of the tile's rows as bf16. Neighbouring rows have every two pieces of 16 bytes exchanged, so that the
 * lanes of two rows meet different banks. */
template <uint32_t ROWS, uint32_t SLICES>
__device__ __forceinline__ void load_rows(uint32_t *to, const multiply_args &a, const tile &t, uint32_t k)
{
    constexpr uint32_t PIECES = SLICE / 8;
    const uint32_t n_rows = t.end - t.first < ROWS ? t.end - t.first : ROWS;
    for (uint32_t i = threadIdx.x; i < n_rows * SLICES * PIECES; i += FEW_THREADS) {
        const uint32_t row = i / (SLICES * PIECES), part = i / PIECES % SLICES, piece = i % PIECES;
        const uint32_t at = k + (part * PIECES + piece) * 8;
        if (at >= a.k) continue;
        const size_t from = (size_t)(a.rows ? a.rows[t.first + row] : t.first + row) * a.k + at;
        uint4 words;
        if (a.x16)
            words = *(const uint4 *)(a.x16 + from);
        else {
            const float4 *values = (const float4 *)(a.x + from), first = values[0], second = values[1];
            words.x = bf16_pair(first.x, first.y), words.y = bf16_pair(first.z, first.w);
            words.z = bf16_pair(second.x, second.y), words.w = bf16_pair(second.z, second.w);
        }
        *(uint4 *)(to + (part * ROWS + row) * ROW_WORDS + (piece ^ (row & 1)) * 4) = words;
    }
}

template <int FORMAT, uint32_t GROUPS, bool GATED>
__global__ void __launch_bounds__(FEW_THREADS, LARGE_BLOCKS(2)) multiply_few(multiply_args a)
{
    constexpr uint32_t SLICES = FEW_WARPS / GROUPS, ROWS = 2 * GROUPS, SUMS = GATED ? 2 : 1;
    SHARED_ARRAY(uint32_t, pairs, [256 * WARP_SIZE]);
    SHARED_ARRAY(uint4, x4, [SLICES * ROWS * ROW_WORDS / 4]); /* the code's values, rows, sums of slices: by turns */
    uint32_t *x = (uint32_t *)x4;
    float *parts = (float *)x4;
    const tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    const uint32_t lane = warp_lane(), warp = threadIdx.x / WARP_SIZE, group = warp % GROUPS, part = warp / GROUPS;
    const uint32_t output = (blockIdx.x * GROUPS + group) * OUTPUTS;
    const bool has_row = lane / 4 < ROWS && t.first + lane / 4 < t.end;
    float total[SUMS][4] = {};

    fill_pairs<WARP_SIZE>(pairs, parts, weight.format);
    for (uint32_t k = 0; k < a.k; k += SLICES * SLICE) {
        const uint32_t mine = k + part * SLICE;
        const uint32_t left = mine < a.k ? (a.k - mine) / BLOCK : 0,
                       n_blocks = left < SLICE_BLOCKS ? left : SLICE_BLOCKS;
        float sum[SUMS][4] = {};
        slice codes, codes2;
        if (n_blocks) load_slice<FORMAT>(codes, weight, output, mine, n_blocks);
        if (GATED && n_blocks) load_slice<FORMAT>(codes2, second, output, mine, n_blocks);
        BLOCK_BARRIER(); /* the pairs are there; nobody reads the sums of the round before any more */
        load_rows<ROWS, SLICES>(x, a, t, k);
        if (n_blocks) finish_scales<FORMAT>(codes, weight);
        if (GATED && n_blocks) finish_scales<FORMAT>(codes2, second);
        BLOCK_BARRIER(); /* the rows are there */
        const uint32_t *row = has_row ? x + (part * ROWS + lane / 4) * ROW_WORDS : NULL;
        if (n_blocks) add_slice(sum[0], codes, n_blocks, pairs, row);
        if (GATED && n_blocks) add_slice(sum[SUMS - 1], codes2, n_blocks, pairs, row);
        BLOCK_BARRIER(); /* nobody reads the rows any more: sums take their place */
        UNROLL for (uint32_t s = 0; s < SUMS; s++) UNROLL for (uint32_t i = 0; i < 4; i++)
            parts[((warp * SUMS + s) * WARP_SIZE + lane) * 4 + i] = sum[s][i];
        BLOCK_BARRIER(); /* the sums are there */
        if (part != 0) continue;
        UNROLL for (uint32_t from = 0; from < SLICES; from++) UNROLL for (uint32_t s = 0; s < SUMS; s++)
            UNROLL for (uint32_t i = 0; i < 4; i++) total[s][i] +=
            parts[(((from * GROUPS + group) * SUMS + s) * WARP_SIZE + lane) * 4 + i];
    }
    if (part != 0) return;
    UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        const uint32_t row = lane % 4 * 2 + i % 2, column = output + lane / 4 + i / 2 * 8;
        if (row < ROWS && t.first + row < t.end && column < a.n)
            store_codes(a, t.first + row, column,
                        GATED ? activate(a.activation, total[0][i]) * total[SUMS - 1][i] : total[0][i]);
    }
}

template <int FORMAT, uint32_t GROUPS> void launch_few(const multiply_args &a, cudaStream_t stream)
{
    const dim3 grid((a.n + GROUPS * OUTPUTS - 1) / (GROUPS * OUTPUTS), tiles_at_most(a, 2 * GROUPS));
    if (a.second)
        LAUNCH((multiply_few<FORMAT, GROUPS, true>), grid, dim3(FEW_THREADS), 0, stream, a);
    else
        LAUNCH((multiply_few<FORMAT, GROUPS, false>), grid, dim3(FEW_THREADS), 0, stream, a);
}

} // namespace

void cuda_multiply_codes_few(const multiply_args &a, cudaStream_t stream)
{
    const bool is_nested = a.weight.absmax_codes != NULL;
    const bool fewest = a.m <= 4 * (a.starts ? a.n_groups : 1); /* four rows a block leave room for more blocks */
    if (fewest && is_nested)
        launch_few<KERNELS_NF4_NESTED, 2>(a, stream);
    else if (fewest)
        launch_few<KERNELS_NF4, 2>(a, stream);
    else if (is_nested)
        launch_few<KERNELS_NF4_NESTED, 4>(a, stream);
    else
        launch_few<KERNELS_NF4, 4>(a, stream);
}
