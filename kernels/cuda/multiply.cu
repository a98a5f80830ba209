/* multiply.cu: which kernel makes a product; bf16 weights, and the kernels in f32.
 *
 * f32 and f16 weights, and the router whatever its format: f32 arithmetic on the ordinary units, in chunks of 1,024 products, for judging
 * and for models that are small. */
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/multiply_tiles.cuh"

namespace
{

constexpr uint32_t EXACT_ROWS = 16, EXACT_CHUNK = 1024;

/* A tile of the weight as f32, zeros behind its ends. */
template <int FORMAT>
__device__ __forceinline__ void load_exact(float (*to)[DEPTH + 1], const weight_view &w, const float *table,
                                           uint32_t first, uint32_t k)
{
    if constexpr (FORMAT == DECODE_ANY) {
        UNROLL_BY(1) for (uint32_t i = threadIdx.x; i < COLUMNS * DEPTH; i += THREADS)
        {
            uint32_t row = first + i / DEPTH, at = k + i % DEPTH;
            bool in = row < w.rows && at < w.cols;
            to[i / DEPTH][i % DEPTH] = in ? decode_one<FORMAT>(w, table, (size_t)row * w.cols + at) : 0.0f;
        }
    } else {
        for (uint32_t i = threadIdx.x; i < COLUMNS * (DEPTH / 8); i += THREADS) {
            uint32_t row = i / (DEPTH / 8), part = i % (DEPTH / 8) * 8;
            float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            if (first + row < w.rows) decode_eight<FORMAT>(w, table, first + row, k + part, v);
            UNROLL for (uint32_t j = 0; j < 8; j++) to[row][part + j] = v[j];
        }
    }
}

/* Thread (r, c) of 16 x 8 makes outputs c, c + 8, ... of row r. */
template <int FORMAT, bool GATED> __global__ void __launch_bounds__(THREADS) multiply_exact(multiply_args a)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(float, x, [EXACT_ROWS][DEPTH + 1]);
    SHARED_ARRAY(float, w, [COLUMNS][DEPTH + 1]);
    SHARED_ARRAY(float, w2, [GATED ? COLUMNS : 1][DEPTH + 1]);
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    tile t = find_tile<EXACT_ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    uint32_t first_column = blockIdx.x * COLUMNS, r = threadIdx.x / 8, c = threadIdx.x % 8;
    float sum[8] = {}, sum2[8] = {}, chunk[8] = {}, chunk2[8] = {};

    decode_prepare(table, weight.format);
    for (uint32_t k = 0; k < a.k; k += DEPTH) {
        BLOCK_BARRIER();
        for (uint32_t i = threadIdx.x; i < EXACT_ROWS * DEPTH; i += THREADS) {
            uint32_t row = t.first + i / DEPTH, at = k + i % DEPTH;
            bool in = row < t.end && at < a.k;
            x[i / DEPTH][i % DEPTH] = in ? a.x[(size_t)(a.rows ? a.rows[row] : row) * a.k + at] : 0.0f;
        }
        load_exact<FORMAT>(w, weight, table, first_column, k);
        if (GATED) load_exact<FORMAT>(w2, second, table, first_column, k);
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
    decode_prepare(table, w.format);
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

dim3 exact_grid(const multiply_args &a)
{
    return dim3((a.n + COLUMNS - 1) / COLUMNS, (a.m + EXACT_ROWS - 1) / EXACT_ROWS + (a.starts ? a.n_groups : 0));
}

template <int FORMAT> void launch_exact(const multiply_args &a, cudaStream_t stream)
{
    if (a.second)
        LAUNCH_EARLY((multiply_exact<FORMAT, true>), exact_grid(a), dim3(THREADS), 0, stream, a);
    else
        LAUNCH_EARLY((multiply_exact<FORMAT, false>), exact_grid(a), dim3(THREADS), 0, stream, a);
}

} // namespace

void cuda_multiply(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t format = a.weight.format;
    if (a.m == 0 || a.n == 0) return;
    if (format == KERNELS_INT8)
        cuda_multiply_int8(a, stream); /* the sums of codes are whole numbers: as exact as can be */
    else if (format == KERNELS_F32)
        launch_exact<KERNELS_F32>(a, stream);
    else if (format == KERNELS_F16)
        launch_exact<KERNELS_F16>(a, stream);
    else if (a.exact)
        LAUNCH_EARLY((multiply_exact<DECODE_ANY, false>), exact_grid(a), dim3(THREADS), 0, stream, a);
    else if (a.as_codes)
        cuda_multiply_codes(a, stream);
    else if (format == KERNELS_BF16)
        launch_tiles<KERNELS_BF16>(a, stream);
    else if (format >= KERNELS_Q8)
        cuda_multiply_lowbit(a, stream);
    else
        cuda_multiply_4bit(a, stream);
}

void cuda_multiply_items(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens, float *out,
                         uint32_t n_items, cudaStream_t stream)
{
    if (n_items == 0) return;
    if (cuda_are_codes(w) && (uintptr_t)x % 16 == 0) {
        cuda_multiply_items_codes(x, w, rows, tokens, out, n_items, stream);
        return;
    }
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
    case KERNELS_INT8:
        cuda_multiply_items_int8(x, w, rows, tokens, out, n_items, stream);
        break;
    default:
        LAUNCH(multiply_item_tiles<DECODE_ANY>, tiles, threads, 0, stream, x, w, rows, tokens, out, n_items);
        break;
    }
}
