/* multiply.cu: the matrix products.
 *
 * bf16 and NF4 weights: tensor cores. A block of 4 warps makes ROWS x 64 of the output (ROWS 16 or 64), k in steps of 64: one NF4 block.
 * Activations are rounded to bf16, weights expanded to bf16 in shared memory; sums in f32. An output is one chain of mma over k, cut
 * nowhere, so its bits depend neither on ROWS nor on what else is in the batch. Reads each weight once per ROWS rows: with up to 16
 * rows it is bound by reading W (n * k * bits / 8 bytes), from about 300 rows on by arithmetic.
 *
 * f32 and f16 weights: f32 arithmetic on the ordinary units, in chunks of 1,024 products, for judging and for models that are small. */
#include "kernels/cuda/multiply.cuh"

#include <mma.cuh>

namespace
{

constexpr uint32_t COLUMNS = 64, DEPTH = 64, THREADS = 128;
constexpr uint32_t STRIDE =
    DEPTH / 2 + 4; /* words of a row of a tile; 36: fragments of a warp meet 32 different banks */
constexpr uint32_t EXACT_ROWS = 16, EXACT_CHUNK = 1024;

struct tile {
    uint32_t group, first, end; /* rows of out */
    bool none;
};

/* Which rows the block's tile holds: tiles of group 0, then those of group 1, and so on. */
template <uint32_t ROWS> __device__ __forceinline__ tile find_tile(const multiply_args &a, uint32_t number)
{
    if (!a.starts) return {0, number * ROWS, a.m, number * ROWS >= a.m};
    for (uint32_t e = 0; e < a.n_groups; e++) {
        uint32_t begin = a.starts[e], end = a.starts[e + 1], n = (end - begin + ROWS - 1) / ROWS;
        if (number < n) return {e, begin + number * ROWS, end, false};
        number -= n;
    }
    return {0, 0, 0, true};
}

__device__ __forceinline__ float activate(enum kernels_activation activation, float x)
{
    if (activation == KERNELS_SILU) return x / (1.0f + expf(-x));
    double wide = x, z = 2 * 0.7978845608028654 * (wide + 0.044715 * wide * wide * wide); /* sqrt(2 / pi) */
    float whole = (float)z; /* exp of the rest, which is below an ulp of z, is 1 + rest */
    return x / (1.0f + expf(-whole) * (1.0f - (float)(z - whole)));
}

__device__ __forceinline__ void store(const multiply_args &a, uint32_t row, uint32_t column, float value)
{
    float *to = a.out + (size_t)row * a.n + column;
    *to = a.accumulate ? *to + value : value;
}

/* Eight values of a row of x as bf16, zeros behind its end. */
__device__ __forceinline__ void load_x(const multiply_args &a, uint32_t row, uint32_t k, uint32_t *to)
{
    const float *from = a.x + (size_t)row * a.k + k;
    UNROLL for (uint32_t j = 0; j < 8; j += 2)
    {
        float v0 = k + j < a.k ? from[j] : 0.0f, v1 = k + j + 1 < a.k ? from[j + 1] : 0.0f;
        to[j / 2] = bf16_pair(v0, v1);
    }
}

template <int FORMAT>
__device__ __forceinline__ void load_weights(uint32_t (*to)[STRIDE], const weight_view &w, const float *table,
                                             uint32_t first, uint32_t k)
{
    for (uint32_t i = threadIdx.x; i < COLUMNS * (DEPTH / 8); i += THREADS) {
        uint32_t row = i / (DEPTH / 8), part = i % (DEPTH / 8);
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (first + row < w.rows) decode_eight<FORMAT>(w, table, first + row, k + part * 8, v);
        UNROLL for (uint32_t j = 0; j < 4; j++) to[row][part * 4 + j] = bf16_pair(v[2 * j], v[2 * j + 1]);
    }
}

/* Fragments of a 16 x 16 piece of x and an 8 x 16 piece of the weight, by mma.cuh. */
__device__ __forceinline__ void load_a(uint32_t a[4], const uint32_t (*x)[STRIDE], uint32_t row, uint32_t word)
{
    uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    a[0] = x[row + g][word + t];
    a[1] = x[row + g + 8][word + t];
    a[2] = x[row + g][word + t + 4];
    a[3] = x[row + g + 8][word + t + 4];
}

__device__ __forceinline__ void load_b(uint32_t b[2], const uint32_t (*w)[STRIDE], uint32_t column, uint32_t word)
{
    uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    b[0] = w[column + g][word + t];
    b[1] = w[column + g][word + t + 4];
}

template <int FORMAT, uint32_t ROWS, bool GATED>
__global__ void __launch_bounds__(THREADS) multiply_tiles(multiply_args a)
{
    constexpr uint32_t DOWN = ROWS / 16, ACROSS = 4 / DOWN, PIECES = COLUMNS / 8 / ACROSS;
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(uint32_t, x, [ROWS][STRIDE]);
    SHARED_ARRAY(uint32_t, w, [COLUMNS][STRIDE]);
    SHARED_ARRAY(uint32_t, w2, [GATED ? COLUMNS : 1][STRIDE]);
    tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    uint32_t first_column = blockIdx.x * COLUMNS, warp = threadIdx.x / WARP_SIZE;
    uint32_t row = warp % DOWN * 16, column = warp / DOWN * (PIECES * 8);
    float sum[PIECES][4] = {}, sum2[GATED ? PIECES : 1][4] = {};

    decode_prepare(table);
    for (uint32_t k = 0; k < a.k; k += DEPTH) {
        BLOCK_BARRIER(); /* the table is there; nobody reads the tiles of the step before any more */
        for (uint32_t i = threadIdx.x; i < ROWS * (DEPTH / 8); i += THREADS) {
            uint32_t r = t.first + i / (DEPTH / 8), part = i % (DEPTH / 8);
            uint32_t *to = &x[i / (DEPTH / 8)][part * 4];
            if (r < t.end)
                load_x(a, a.rows ? a.rows[r] : r, k + part * 8, to);
            else
                to[0] = to[1] = to[2] = to[3] = 0;
        }
        load_weights<FORMAT>(w, weight, table, first_column, k);
        if (GATED) load_weights<FORMAT>(w2, second, table, first_column, k);
        BLOCK_BARRIER();
        UNROLL for (uint32_t step = 0; step < DEPTH / 16; step++)
        {
            uint32_t fa[4], fb[2];
            load_a(fa, x, row, step * 8);
            UNROLL for (uint32_t p = 0; p < PIECES; p++)
            {
                load_b(fb, w, column + p * 8, step * 8);
                mma_bf16(sum[p], fa, fb);
                if (GATED) {
                    load_b(fb, w2, column + p * 8, step * 8);
                    mma_bf16(sum2[p], fa, fb);
                }
            }
        }
    }
    UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        uint32_t r = t.first + row + warp_lane() / 4 + i / 2 * 8;
        uint32_t c = first_column + column + p * 8 + warp_lane() % 4 * 2 + i % 2;
        if (r >= t.end || c >= a.n) continue;
        store(a, r, c, GATED ? activate(a.activation, sum[p][i]) * sum2[p][i] : sum[p][i]);
    }
}

/* Thread (r, c) of 16 x 8 makes outputs c, c + 8, ... of row r. */
template <int FORMAT, bool GATED> __global__ void __launch_bounds__(THREADS) multiply_exact(multiply_args a)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(float, x, [EXACT_ROWS][DEPTH + 1]);
    SHARED_ARRAY(float, w, [COLUMNS][DEPTH + 1]);
    SHARED_ARRAY(float, w2, [GATED ? COLUMNS : 1][DEPTH + 1]);
    tile t = find_tile<EXACT_ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    uint32_t first_column = blockIdx.x * COLUMNS, r = threadIdx.x / 8, c = threadIdx.x % 8;
    float sum[8] = {}, sum2[8] = {}, chunk[8] = {}, chunk2[8] = {};

    decode_prepare(table);
    for (uint32_t k = 0; k < a.k; k += DEPTH) {
        BLOCK_BARRIER();
        for (uint32_t i = threadIdx.x; i < EXACT_ROWS * DEPTH; i += THREADS) {
            uint32_t row = t.first + i / DEPTH, at = k + i % DEPTH;
            bool in = row < t.end && at < a.k;
            x[i / DEPTH][i % DEPTH] = in ? a.x[(size_t)(a.rows ? a.rows[row] : row) * a.k + at] : 0.0f;
        }
        for (uint32_t i = threadIdx.x; i < COLUMNS * (DEPTH / 8); i += THREADS) {
            uint32_t row = i / (DEPTH / 8), part = i % (DEPTH / 8) * 8;
            float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            if (first_column + row < weight.rows) decode_eight<FORMAT>(weight, table, first_column + row, k + part, v);
            UNROLL for (uint32_t j = 0; j < 8; j++) w[row][part + j] = v[j];
            if (!GATED) continue;
            if (first_column + row < second.rows) decode_eight<FORMAT>(second, table, first_column + row, k + part, v);
            UNROLL for (uint32_t j = 0; j < 8; j++) w2[row][part + j] = v[j];
        }
        BLOCK_BARRIER();
        UNROLL_BY(4) for (uint32_t i = 0; i < DEPTH; i++) UNROLL for (uint32_t j = 0; j < 8; j++)
        {
            chunk[j] = fmaf(x[r][i], w[c + j * 8][i], chunk[j]);
            if (GATED) chunk2[j] = fmaf(x[r][i], w2[c + j * 8][i], chunk2[j]);
        }
        if ((k + DEPTH) % EXACT_CHUNK && k + DEPTH < a.k) continue;
        UNROLL for (uint32_t j = 0; j < 8; j++)
        {
            sum[j] += chunk[j], sum2[j] += chunk2[j];
            chunk[j] = chunk2[j] = 0;
        }
    }
    UNROLL for (uint32_t j = 0; j < 8; j++)
    {
        uint32_t row = t.first + r, column = first_column + c + j * 8;
        if (row < t.end && column < a.n)
            store(a, row, column, GATED ? activate(a.activation, sum[j]) * sum2[j] : sum[j]);
    }
}

/* One warp makes 8 items: rows of x against rows of W, of which the diagonal is wanted; the same chain of mma as multiply_tiles. */
template <int FORMAT>
__global__ void __launch_bounds__(THREADS) multiply_item_tiles(const float *x, weight_view w, const uint32_t *rows,
                                                               const int32_t *tokens, float *out, uint32_t n)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    decode_prepare(table);
    BLOCK_BARRIER();
    uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    uint32_t item = (blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE) * 8 + g,
             kept = item < n ? item : n - 1;
    const float *row = x + (size_t)rows[kept] * w.cols;
    const size_t first = (size_t)tokens[kept] * w.cols;
    float sum[4] = {0, 0, 0, 0};
    for (uint32_t k = 0; k < (w.cols + 15) / 16 * 16; k += 16) {
        uint32_t fa[4] = {0, 0, 0, 0}, fb[2];
        UNROLL for (uint32_t half = 0; half < 2; half++)
        {
            uint32_t at = k + half * 8 + 2 * t; /* this lane's column and the one behind it */
            float x0 = 0, x1 = 0, w0 = 0, w1 = 0;
            if (at < w.cols) x0 = row[at], w0 = decode_one<FORMAT>(w, table, first + at);
            if (at + 1 < w.cols) x1 = row[at + 1], w1 = decode_one<FORMAT>(w, table, first + at + 1);
            fa[2 * half] = bf16_pair(x0, x1);
            fb[half] = bf16_pair(w0, w1);
        }
        mma_bf16(sum, fa, fb);
    }
    if (item < n && (g == 2 * t || g == 2 * t + 1)) out[item] = sum[g - 2 * t];
}

template <int FORMAT>
__global__ void multiply_item_exact(const float *x, weight_view w, const uint32_t *rows, const int32_t *tokens,
                                    float *out, uint32_t n)
{
    uint32_t item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= n) return;
    float sum = 0, chunk = 0, v[8];
    for (uint32_t k = 0; k < w.cols; k += 8) {
        decode_eight<FORMAT>(w, nullptr, (uint32_t)tokens[item], k, v);
        UNROLL for (uint32_t j = 0; j < 8; j++) if (k + j < w.cols) chunk =
            fmaf(x[(size_t)rows[item] * w.cols + k + j], v[j], chunk);
        if ((k + 8) % EXACT_CHUNK && k + 8 < w.cols) continue;
        sum += chunk;
        chunk = 0;
    }
    out[item] = sum;
}

template <int FORMAT>
void launch_tiles(const multiply_args &a, bool few, uint32_t columns, uint32_t groups, cudaStream_t stream)
{
    uint32_t tiles = few ? (a.m + 15) / 16 + groups : (a.m + 63) / 64 + groups;
    if (few && a.second)
        LAUNCH((multiply_tiles<FORMAT, 16, true>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else if (few)
        LAUNCH((multiply_tiles<FORMAT, 16, false>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else if (a.second)
        LAUNCH((multiply_tiles<FORMAT, 64, true>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else
        LAUNCH((multiply_tiles<FORMAT, 64, false>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
}

template <int FORMAT> void launch_exact(const multiply_args &a, uint32_t columns, uint32_t groups, cudaStream_t stream)
{
    dim3 grid(columns, (a.m + EXACT_ROWS - 1) / EXACT_ROWS + groups);
    if (a.second)
        LAUNCH((multiply_exact<FORMAT, true>), grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH((multiply_exact<FORMAT, false>), grid, dim3(THREADS), 0, stream, a);
}

template <int FORMAT>
void launch(const multiply_args &a, bool few, uint32_t columns, uint32_t groups, cudaStream_t stream)
{
    if (a.exact)
        launch_exact<FORMAT>(a, columns, groups, stream);
    else
        launch_tiles<FORMAT>(a, few, columns, groups, stream);
}

} // namespace

void cuda_multiply(const multiply_args &a, cudaStream_t stream)
{
    if (a.m == 0 || a.n == 0) return;
    /* Tiles of 64 rows once a group has more than 32 on average: below, half of a tile would be empty. */
    uint32_t columns = (a.n + COLUMNS - 1) / COLUMNS, groups = a.starts ? a.n_groups : 0;
    bool few = a.m <= 32 * (groups ? groups : 1);
    switch (a.weight.format) {
    case KERNELS_F32:
        launch_exact<KERNELS_F32>(a, columns, groups, stream);
        break;
    case KERNELS_F16:
        launch_exact<KERNELS_F16>(a, columns, groups, stream);
        break;
    case KERNELS_BF16:
        launch<KERNELS_BF16>(a, few, columns, groups, stream);
        break;
    case KERNELS_NF4:
        launch<KERNELS_NF4>(a, few, columns, groups, stream);
        break;
    default:
        launch<KERNELS_NF4_NESTED>(a, few, columns, groups, stream);
        break;
    }
}

void cuda_multiply_items(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens, float *out,
                         uint32_t n_items, cudaStream_t stream)
{
    if (n_items == 0) return;
    dim3 tiles((n_items + 31) / 32), blocks((n_items + THREADS - 1) / THREADS), threads(THREADS);
    switch (w.format) {
    case KERNELS_F32:
        LAUNCH(multiply_item_exact<KERNELS_F32>, blocks, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    case KERNELS_F16:
        LAUNCH(multiply_item_exact<KERNELS_F16>, blocks, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    case KERNELS_BF16:
        LAUNCH(multiply_item_tiles<KERNELS_BF16>, tiles, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    case KERNELS_NF4:
        LAUNCH(multiply_item_tiles<KERNELS_NF4>, tiles, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    default:
        LAUNCH(multiply_item_tiles<KERNELS_NF4_NESTED>, tiles, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    }
}
