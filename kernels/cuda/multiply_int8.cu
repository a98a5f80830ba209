/* multiply_int8.cu: products with weights in int8, to the bit what kernels/formats/int8.h defines.
 *
 * A first kernel finds the absmax of each row of x. Then a block makes 16 x 64 of the output, k in steps of 64: activations are rounded
 * to codes as they are loaded, four a word, and multiplied with the weight's by dp4a; those of 6 and above stay in f32 beside the codes,
 * with a bit each, and are multiplied in f64 in the order of their columns. Reads W once per 16 rows. Sums of codes are exact in any
 * order: 64 products fit in 32 bits, all of them in 64. */
#include "kernels/cuda/tiles.cuh"

extern "C" {
#include "kernels/formats/int8_loops.h"
}

namespace
{

constexpr uint32_t ROWS = 16, WORDS = DEPTH / 4, STRIDE = WORDS + 1, OUTLIER_BITS = 0x40c00000; /* of 6 */

__device__ __forceinline__ uint32_t magnitude_bits(float x)
{
    return bits_from_float(x) & 0x7fffffffu;
}

__device__ __forceinline__ uint32_t warp_largest(uint32_t value)
{
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        uint32_t other = warp_across_u32(value, mask);
        value = other > value ? other : value;
    }
    return value;
}

/* The bits of the largest magnitude of a row below 6; a warp. */
__device__ __forceinline__ uint32_t row_absmax(const float *x, uint32_t k)
{
    uint32_t largest = 0;
    for (uint32_t i = warp_lane(); i < k; i += WARP_SIZE) {
        uint32_t magnitude = magnitude_bits(x[i]);
        if (magnitude < OUTLIER_BITS && magnitude > largest) largest = magnitude;
    }
    return warp_largest(largest);
}

__global__ void __launch_bounds__(THREADS) find_absmax(const float *x, uint32_t m, uint32_t k, float *absmax)
{
    uint32_t row = blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE;
    if (row >= m) return;
    uint32_t largest = row_absmax(x + (size_t)row * k, k);
    if (warp_lane() == 0) absmax[row] = float_from_bits(largest);
}

struct tiles {
    uint32_t (*x)[STRIDE], (*w)[STRIDE], (*w2)[STRIDE]; /* codes, four a word */
    float (*wide)[DEPTH];                               /* x itself, read where it is an outlier */
    uint32_t (*outliers)[2];                            /* a bit a column */
};

/* Four codes of a row of the weight, zeros behind its end. */
__device__ __forceinline__ uint32_t load_codes(const weight_view &w, uint32_t row, uint32_t k)
{
    const uint8_t *codes = (const uint8_t *)w.data + (size_t)row * w.cols + k;
    if (row >= w.rows || k >= w.cols) return 0;
    if (w.cols % 4 == 0) return *(const uint32_t *)codes;
    uint32_t word = 0;
    UNROLL for (uint32_t j = 0; j < 4; j++) if (k + j < w.cols) word |= (uint32_t)codes[j] << 8 * j;
    return word;
}

/* A step's columns of the rows of x: four codes a thread at a time, and what is no code. */
__device__ __forceinline__ void load_x(const multiply_args &a, const tile &t, uint32_t k, const tiles &to)
{
    for (uint32_t i = threadIdx.x; i < ROWS * WORDS; i += THREADS) {
        uint32_t r = i / WORDS, word = i % WORDS, row = t.first + r, codes = 0;
        if (row < t.end) {
            uint32_t from = a.rows ? a.rows[row] : row;
            float factor = int8_factor(a.absmax[from]);
            UNROLL for (uint32_t j = 0; j < 4; j++)
            {
                uint32_t at = k + word * 4 + j;
                float x = at < a.k ? a.x[(size_t)from * a.k + at] : 0.0f;
                bool apart = magnitude_bits(x) >= OUTLIER_BITS;
                to.wide[r][word * 4 + j] = apart ? x : 0.0f;
                codes |= ((uint32_t)int8_round((apart ? 0.0f : x) * factor) & 0xffu) << 8 * j;
            }
        } else {
            UNROLL for (uint32_t j = 0; j < 4; j++) to.wide[r][word * 4 + j] = 0.0f;
        }
        to.x[r][word] = codes;
    }
}

/* The outliers' bits: a thread 32 columns. */
__device__ __forceinline__ void mark_outliers(const tiles &to)
{
    if (threadIdx.x >= ROWS * 2) return;
    uint32_t r = threadIdx.x / 2, half = threadIdx.x % 2, bits = 0;
    for (uint32_t i = 0; i < 32; i++) bits |= (uint32_t)(magnitude_bits(to.wide[r][half * 32 + i]) != 0) << i;
    to.outliers[r][half] = bits;
}

/* What the outliers of a row add to 8 outputs. */
__device__ __forceinline__ void add_outliers(const tiles &from, const uint32_t (*w)[STRIDE], uint32_t r, uint32_t c,
                                             const float absmax[8], double apart[8])
{
    UNROLL_BY(1) for (uint32_t half = 0; half < 2; half++)
    {
        uint32_t bits = from.outliers[r][half];
        for (uint32_t i = half * 32; bits; i++, bits >>= 1) {
            if (!(bits & 1)) continue;
            double x = from.wide[r][i];
            UNROLL for (uint32_t j = 0; j < 8; j++)
            {
                int8_t code = (int8_t)(w[c + j * 8][i / 4] >> i % 4 * 8);
                apart[j] += x * int8_value(code, absmax[j]);
            }
        }
    }
}

/* Thread (r, c) of 16 x 8 makes outputs c, c + 8, ... of row r. */
template <bool GATED> __global__ void __launch_bounds__(THREADS) multiply_codes(multiply_args a)
{
    SHARED_ARRAY(uint32_t, x, [ROWS][STRIDE]);
    SHARED_ARRAY(float, wide, [ROWS][DEPTH]);
    SHARED_ARRAY(uint32_t, outliers, [ROWS][2]);
    SHARED_ARRAY(uint32_t, w, [COLUMNS][STRIDE]);
    SHARED_ARRAY(uint32_t, w2, [GATED ? COLUMNS : 1][STRIDE]);
    const tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    const tiles tiles = {x, w, w2, wide, outliers};
    const uint32_t first_column = blockIdx.x * COLUMNS, r = threadIdx.x / 8, c = threadIdx.x % 8;
    int64_t sum[8] = {}, sum2[GATED ? 8 : 1] = {};
    double apart[8] = {}, apart2[GATED ? 8 : 1] = {};
    float absmax[8], absmax2[GATED ? 8 : 1];

    UNROLL for (uint32_t j = 0; j < 8; j++)
    {
        uint32_t column = first_column + c + j * 8, kept = column < a.n ? column : 0;
        absmax[j] = weight.absmax[kept];
        if (GATED) absmax2[j] = second.absmax[kept];
    }
    for (uint32_t k = 0; k < a.k; k += DEPTH) {
        BLOCK_BARRIER(); /* nobody reads the tiles of the step before any more */
        load_x(a, t, k, tiles);
        for (uint32_t i = threadIdx.x; i < COLUMNS * WORDS; i += THREADS) {
            uint32_t row = i / WORDS, word = i % WORDS;
            w[row][word] = load_codes(weight, first_column + row, k + word * 4);
            if (GATED) w2[row][word] = load_codes(second, first_column + row, k + word * 4);
        }
        BLOCK_BARRIER();
        mark_outliers(tiles);
        UNROLL for (uint32_t j = 0; j < 8; j++)
        {
            int part = 0, part2 = 0;
            UNROLL for (uint32_t i = 0; i < WORDS; i++)
            {
                part = dot_bytes(x[r][i], w[c + j * 8][i], part);
                if (GATED) part2 = dot_bytes(x[r][i], w2[c + j * 8][i], part2);
            }
            sum[j] += part;
            if (GATED) sum2[j] += part2;
        }
        BLOCK_BARRIER(); /* the bits are there */
        add_outliers(tiles, w, r, c, absmax, apart);
        if (GATED) add_outliers(tiles, w2, r, c, absmax2, apart2);
    }
    const uint32_t row = t.first + r;
    if (row >= t.end) return;
    const float x_absmax = a.absmax[a.rows ? a.rows[row] : row];
    UNROLL for (uint32_t j = 0; j < 8; j++)
    {
        uint32_t column = first_column + c + j * 8;
        if (column >= a.n) continue;
        float value = int8_product(sum[j], x_absmax, absmax[j], apart[j]);
        if (GATED) value = activate(a.activation, value) * int8_product(sum2[j], x_absmax, absmax2[j], apart2[j]);
        store(a, row, column, value);
    }
}

/* A warp an item. */
__global__ void __launch_bounds__(THREADS) multiply_item_codes(const float *x, weight_view w, const uint32_t *rows,
                                                               const int32_t *tokens, float *out, uint32_t n)
{
    const uint32_t item = blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE, lane = warp_lane();
    if (item >= n) return;
    const float *row = x + (size_t)rows[item] * w.cols;
    const int8_t *codes = (const int8_t *)w.data + (size_t)tokens[item] * w.cols;
    const float x_absmax = float_from_bits(row_absmax(row, w.cols)), absmax = w.absmax[tokens[item]];
    const float factor = int8_factor(x_absmax);
    double apart = 0, sum = 0; /* whole numbers below 2^53: exact */
    for (uint32_t k = 0; k < w.cols; k += WARP_SIZE) {
        float value = k + lane < w.cols ? row[k + lane] : 0.0f;
        int8_t code = k + lane < w.cols ? codes[k + lane] : (int8_t)0;
        bool is_apart = magnitude_bits(value) >= OUTLIER_BITS;
        sum += int8_round((is_apart ? 0.0f : value) * factor) * code;
        if (!warp_largest(is_apart)) continue;
        float weight = int8_value(code, absmax);
        for (uint32_t i = 0; i < WARP_SIZE; i++) { /* in the order of the columns */
            float other = warp_from_lane(value, i), factor_of_other = warp_from_lane(weight, i);
            if (magnitude_bits(other) >= OUTLIER_BITS) apart += (double)other * factor_of_other;
        }
    }
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) sum += warp_across_f64(sum, mask);
    if (lane == 0) out[item] = int8_product((int64_t)sum, x_absmax, absmax, apart);
}

} // namespace

void cuda_multiply_int8(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t warps = THREADS / WARP_SIZE, x_rows = a.x_rows ? a.x_rows : a.m;
    const uint32_t columns = (a.n + COLUMNS - 1) / COLUMNS, groups = a.starts ? a.n_groups : 0;
    const dim3 grid(columns, (a.m + ROWS - 1) / ROWS + groups);
    LAUNCH(find_absmax, dim3((x_rows + warps - 1) / warps), dim3(THREADS), 0, stream, a.x, x_rows, a.k, a.absmax);
    if (a.second)
        LAUNCH(multiply_codes<true>, grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH(multiply_codes<false>, grid, dim3(THREADS), 0, stream, a);
}

void cuda_multiply_items_int8(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens,
                              float *out, uint32_t n_items, cudaStream_t stream)
{
    const uint32_t warps = THREADS / WARP_SIZE;
    LAUNCH(multiply_item_codes, dim3((n_items + warps - 1) / warps), dim3(THREADS), 0, stream, x, w, rows, tokens, out,
           n_items);
}
