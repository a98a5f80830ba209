/* multiply_codes.cu: multiply_codes.cuh for more rows, and for single logits.
 *
 * A block makes ROWS x 64 of the output: 16 rows by 4 warps, each 16 x 16; 64 rows by 8, each 16 x 32. The next step's codes and rows are
 * read into registers while the current step is multiplied: 2 KiB of codes (4 with gate and up) and 256 ROWS bytes of x in flight a
 * block. Bound by reading W to about 64 rows, where an H200 wants 1067e12 operations a second at its 4.3 TB/s and mma.sync gives about
 * 600e12. Shared memory allows two thirds of that: 48 KiB of fragments in the 256 cycles that 64 x 64 x 64 products take. */
#include "kernels/cuda/multiply_codes.cuh"

namespace
{

using namespace codes;

constexpr uint32_t STRIDE = BLOCK / 2 + 2; /* words: lanes of a half warp, 2 words each, meet 32 different banks */
constexpr uint32_t COPIES = 16;

template <uint32_t ROWS> struct shape {
    static constexpr uint32_t WARPS = ROWS == 64 ? 8 : 4, THREADS = WARPS * WARP_SIZE;
    static constexpr uint32_t DOWN = ROWS / 16, ACROSS = WARPS / DOWN, PIECES = COLUMNS / 8 / ACROSS;
    static constexpr uint32_t CODES = COLUMNS * 8 / THREADS; /* words of eight codes that a thread brings */
    static constexpr uint32_t EIGHTS = ROWS * 8 / THREADS;   /* of x */
};

/* What a thread brings for a step. */
template <uint32_t ROWS, uint32_t SUMS> struct brought {
    uint32_t codes[SUMS][shape<ROWS>::CODES];
    float4 x[shape<ROWS>::EIGHTS][2];
    float scale[SUMS];
};

template <int FORMAT, uint32_t ROWS>
__device__ __forceinline__ void bring_codes(uint32_t *to, float &scale, const weight_view &w, uint32_t first,
                                            uint32_t k)
{
    UNROLL for (uint32_t j = 0; j < shape<ROWS>::CODES; j++)
    {
        const uint32_t i = threadIdx.x + j * shape<ROWS>::THREADS, row = first + i / 8;
        const size_t at = ((size_t)row * w.cols + k) / 2 + i % 8 * 4;
        to[j] = row < w.rows ? *(const uint32_t *)((const uint8_t *)w.data + at) : 0u;
    }
    if (threadIdx.x < COLUMNS) {
        const uint32_t row = first + threadIdx.x;
        scale = row < w.rows ? block_scale<FORMAT>(w, row, k) : 0.0f;
    }
}

template <uint32_t ROWS>
__device__ __forceinline__ void bring_rows(float4 (*to)[2], const multiply_args &a, const tile &t, uint32_t k)
{
    UNROLL for (uint32_t j = 0; j < shape<ROWS>::EIGHTS; j++)
    {
        const uint32_t i = threadIdx.x + j * shape<ROWS>::THREADS, r = t.first + i / 8;
        to[j][0] = to[j][1] = float4{0, 0, 0, 0};
        if (r >= t.end) continue;
        const float4 *from = (const float4 *)(a.x + (size_t)(a.rows ? a.rows[r] : r) * a.k + k + i % 8 * 8);
        to[j][0] = from[0], to[j][1] = from[1];
    }
}

template <uint32_t ROWS>
__device__ __forceinline__ void put_codes(uint32_t (*to)[STRIDE], const uint32_t *codes, const uint32_t *pairs)
{
    const uint32_t *own = pairs + threadIdx.x % COPIES;
    UNROLL for (uint32_t j = 0; j < shape<ROWS>::CODES; j++)
    {
        const uint32_t i = threadIdx.x + j * shape<ROWS>::THREADS;
        uint32_t *words = &to[i / 8][i % 8 * 4];
        UNROLL for (uint32_t b = 0; b < 4; b++) words[b] = own[(codes[j] >> 8 * b & 255u) * COPIES];
    }
}

template <uint32_t ROWS> __device__ __forceinline__ void put_rows(uint32_t (*to)[STRIDE], const float4 (*x)[2])
{
    UNROLL for (uint32_t j = 0; j < shape<ROWS>::EIGHTS; j++)
    {
        const uint32_t i = threadIdx.x + j * shape<ROWS>::THREADS;
        uint32_t *words = &to[i / 8][i % 8 * 4];
        UNROLL for (uint32_t half = 0; half < 2; half++)
        {
            words[2 * half] = bf16_pair(x[j][half].x, x[j][half].y);
            words[2 * half + 1] = bf16_pair(x[j][half].z, x[j][half].w);
        }
    }
}

/* The words of a step of a row: k = 16 t + 4 step and the three behind it. */
__device__ __forceinline__ uint2 words_of(const uint32_t *row, uint32_t step)
{
    return *(const uint2 *)(row + warp_lane() % 4 * 8 + step * 2);
}

/* sum += scale * the block's products, for the warp's 16 rows and PIECES times 8 columns. */
template <uint32_t PIECES>
__device__ __forceinline__ void add_block(float (*sum)[4], const uint32_t (*x)[STRIDE], const uint32_t (*w)[STRIDE],
                                          const float *scale, uint32_t row, uint32_t column)
{
    const uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    uint32_t of_x[STEPS][4];
    UNROLL for (uint32_t s = 0; s < STEPS; s++)
    {
        const uint2 low = words_of(x[row + g], s), high = words_of(x[row + g + 8], s);
        of_x[s][0] = low.x, of_x[s][1] = high.x, of_x[s][2] = low.y, of_x[s][3] = high.y;
    }
    UNROLL for (uint32_t p = 0; p < PIECES; p++)
    {
        const uint32_t first = column + p * 8;
        float block[4] = {0, 0, 0, 0};
        UNROLL for (uint32_t s = 0; s < STEPS; s++)
        {
            const uint2 words = words_of(w[first + g], s);
            const uint32_t of_w[2] = {words.x, words.y};
            mma_bf16(block, of_x[s], of_w);
        }
        UNROLL for (uint32_t i = 0; i < 4; i++) sum[p][i] = fmaf(block[i], scale[first + 2 * t + i % 2], sum[p][i]);
    }
}

template <uint32_t PIECES> __device__ __forceinline__ void end_slice(float (*total)[4], float (*sum)[4])
{
    UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        total[p][i] += sum[p][i];
        sum[p][i] = 0;
    }
}

template <int FORMAT, uint32_t ROWS, bool GATED>
__global__ void __launch_bounds__(shape<ROWS>::THREADS) multiply_code_tiles(multiply_args a)
{
    using s = shape<ROWS>;
    constexpr uint32_t SUMS = GATED ? 2 : 1, PIECES = s::PIECES;
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(uint32_t, pairs, [256 * COPIES]);
    SHARED_ARRAY(alignas(16) uint32_t, x, [ROWS][STRIDE]);
    SHARED_ARRAY(alignas(16) uint32_t, w, [COLUMNS][STRIDE]);
    SHARED_ARRAY(alignas(16) uint32_t, w2, [GATED ? COLUMNS : 1][STRIDE]);
    SHARED_ARRAY(float, scales, [SUMS][COLUMNS]);
    const tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    const uint32_t first_column = blockIdx.x * COLUMNS, warp = threadIdx.x / WARP_SIZE;
    const uint32_t row = warp % s::DOWN * 16, column = warp / s::DOWN * (PIECES * 8);
    float sum[SUMS][PIECES][4] = {}, total[SUMS][PIECES][4] = {};
    brought<ROWS, SUMS> next;

    fill_pairs<COPIES>(pairs, table, weight.format);
    for (uint32_t k = 0, number = 1; k < a.k; k += BLOCK, number++) {
        if (k == 0) {
            bring_codes<FORMAT, ROWS>(next.codes[0], next.scale[0], weight, first_column, 0);
            if (GATED) bring_codes<FORMAT, ROWS>(next.codes[SUMS - 1], next.scale[SUMS - 1], second, first_column, 0);
            bring_rows<ROWS>(next.x, a, t, 0);
        }
        BLOCK_BARRIER(); /* the pairs are there; nobody reads the tiles of the step before any more */
        put_rows<ROWS>(x, next.x);
        put_codes<ROWS>(w, next.codes[0], pairs);
        if (GATED) put_codes<ROWS>(w2, next.codes[SUMS - 1], pairs);
        if (threadIdx.x < COLUMNS) UNROLL for (uint32_t i = 0; i < SUMS; i++) scales[i][threadIdx.x] = next.scale[i];
        BLOCK_BARRIER(); /* the tiles are there */
        if (k + BLOCK < a.k) {
            bring_codes<FORMAT, ROWS>(next.codes[0], next.scale[0], weight, first_column, k + BLOCK);
            if (GATED)
                bring_codes<FORMAT, ROWS>(next.codes[SUMS - 1], next.scale[SUMS - 1], second, first_column, k + BLOCK);
            bring_rows<ROWS>(next.x, a, t, k + BLOCK);
        }
        add_block<PIECES>(sum[0], x, w, scales[0], row, column);
        if (GATED) add_block<PIECES>(sum[SUMS - 1], x, w2, scales[SUMS - 1], row, column);
        if (number % SLICE_BLOCKS && k + BLOCK < a.k) continue;
        UNROLL for (uint32_t i = 0; i < SUMS; i++) end_slice<PIECES>(total[i], sum[i]);
    }
    UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        const uint32_t r = t.first + row + warp_lane() / 4 + i / 2 * 8;
        const uint32_t c = first_column + column + p * 8 + warp_lane() % 4 * 2 + i % 2;
        if (r >= t.end || c >= a.n) continue;
        store(a, r, c, GATED ? activate(a.activation, total[0][p][i]) * total[SUMS - 1][p][i] : total[0][p][i]);
    }
}

/* One warp makes 8 items: rows of x against rows of W, of which the diagonal is wanted. */
template <int FORMAT>
__global__ void __launch_bounds__(THREADS) multiply_item_codes(const float *x, weight_view w, const uint32_t *rows,
                                                               const int32_t *tokens, float *out, uint32_t n)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(uint32_t, pairs, [256]);
    fill_pairs<1>(pairs, table, w.format);
    BLOCK_BARRIER(); /* the pairs are there */
    const uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    const uint32_t item = (blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE) * 8 + g;
    const uint32_t kept = item < n ? item : n - 1, token = (uint32_t)tokens[kept];
    const float *row = x + (size_t)rows[kept] * w.cols + 16 * t;
    const uint8_t *at = (const uint8_t *)w.data + (size_t)token * w.cols / 2 + 8 * t;
    float sum[4] = {0, 0, 0, 0}, total[4] = {0, 0, 0, 0};
    for (uint32_t k = 0, number = 1; k < w.cols; k += BLOCK, number++) {
        const uint2 bytes = *(const uint2 *)(at + k / 2);
        const float scale = block_scale<FORMAT>(w, token, k); /* of this lane's item: right on the diagonal */
        float block[4] = {0, 0, 0, 0};
        UNROLL for (uint32_t s = 0; s < STEPS; s++)
        {
            const float4 values = *(const float4 *)(row + k + 4 * s);
            const uint32_t of_x[4] = {bf16_pair(values.x, values.y), 0, bf16_pair(values.z, values.w), 0};
            const uint32_t two = step_bytes(bytes, s), of_w[2] = {pairs[two & 255u], pairs[two >> 8 & 255u]};
            mma_bf16(block, of_x, of_w);
        }
        UNROLL for (uint32_t i = 0; i < 4; i++) sum[i] = fmaf(block[i], scale, sum[i]);
        if (number % SLICE_BLOCKS && k + BLOCK < w.cols) continue;
        UNROLL for (uint32_t i = 0; i < 4; i++) total[i] += sum[i], sum[i] = 0;
    }
    if (item < n && (g == 2 * t || g == 2 * t + 1)) out[item] = total[g - 2 * t];
}

template <int FORMAT, uint32_t ROWS> void launch_code_tiles(const multiply_args &a, cudaStream_t stream)
{
    const dim3 grid((a.n + COLUMNS - 1) / COLUMNS, tiles_at_most(a, ROWS));
    if (a.second)
        LAUNCH((multiply_code_tiles<FORMAT, ROWS, true>), grid, dim3(shape<ROWS>::THREADS), 0, stream, a);
    else
        LAUNCH((multiply_code_tiles<FORMAT, ROWS, false>), grid, dim3(shape<ROWS>::THREADS), 0, stream, a);
}

} // namespace

bool cuda_are_codes(const weight_view &w)
{
    return w.format >= KERNELS_NF4 && w.format <= KERNELS_FP4_NESTED && w.cols % BLOCK == 0 && w.block_shift >= 6;
}

void cuda_multiply_codes(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t groups = a.starts ? a.n_groups : 1;
    const bool is_nested = a.weight.absmax_codes != NULL;
    if (a.m <= 8 * groups)
        cuda_multiply_codes_few(a, stream);
    else if (a.m <= 32 * groups && is_nested)
        launch_code_tiles<KERNELS_NF4_NESTED, 16>(a, stream);
    else if (a.m <= 32 * groups)
        launch_code_tiles<KERNELS_NF4, 16>(a, stream);
    else if (is_nested)
        launch_code_tiles<KERNELS_NF4_NESTED, 64>(a, stream);
    else
        launch_code_tiles<KERNELS_NF4, 64>(a, stream);
}

void cuda_multiply_items_codes(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens,
                               float *out, uint32_t n, cudaStream_t stream)
{
    const dim3 grid((n + THREADS / WARP_SIZE * 8 - 1) / (THREADS / WARP_SIZE * 8)), threads(THREADS);
    if (w.absmax_codes)
        LAUNCH(multiply_item_codes<KERNELS_NF4_NESTED>, grid, threads, 0, stream, x, w, rows, tokens, out, n);
    else
        LAUNCH(multiply_item_codes<KERNELS_NF4>, grid, threads, 0, stream, x, w, rows, tokens, out, n);
}
