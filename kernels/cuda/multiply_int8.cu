/* multiply_int8.cu: products with weights in int8, to the bit what kernels/formats/int8.h defines.
 *
 * A first kernel finds the absmax of each row of x. Then a block of 4 warps makes ROWS (16 or 32) x 64 of the output, k in steps of 64, on
 * the tensor cores: activations are rounded to codes as they come, four a word; those of 6 and above stay in f32 beside the codes, with a
 * bit each, and are multiplied in f64 in the order of their columns. Sums of codes are exact in any order: 2^16 products fit in 32 bits,
 * all of them in 64. Reads W once per ROWS rows: its codes are copied two steps ahead, 8 KiB on the way a block (16 with gate and up),
 * five blocks and more a multiprocessor; an H200 wants 23. */
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/tiles.cuh"

#include <copy.cuh>
#include <mma.cuh>

extern "C" {
#include "kernels/formats/int8_loops.h"
}

namespace
{

constexpr uint32_t WORDS = DEPTH / 4, OUTLIER_BITS = 0x40c00000; /* of 6 */
constexpr uint32_t STRIDE = WORDS + 4; /* words of a row of codes: fragments of a warp meet 32 different banks */
constexpr uint32_t STAGES = 3, WIDEN_STEPS = 1024; /* steps whose sums fit in 32 bits: 2^16 products of up to 2^14 */

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
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    uint32_t row = blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE;
    if (row >= m) return;
    uint32_t largest = row_absmax(x + (size_t)row * k, k);
    if (warp_lane() == 0) absmax[row] = float_from_bits(largest);
}

/* A step's rows of x. */
struct rows_tile {
    uint32_t (*codes)[STRIDE]; /* four a word */
    float (*wide)[DEPTH];      /* x itself where it is an outlier, else 0 */
    uint32_t (*outliers)[2];   /* a bit a column */
};

/* Begins to bring a step's codes of 64 rows of the weight, zeros behind its ends. */
__device__ __forceinline__ void begin_codes(uint32_t (*to)[STRIDE], const weight_view &w, uint32_t first, uint32_t k)
{
    const uint8_t *codes = (const uint8_t *)w.data;
    if (w.cols % 16 == 0) {
        UNROLL for (uint32_t j = 0; j < COLUMNS * 4 / THREADS; j++)
        {
            const uint32_t i = threadIdx.x + j * THREADS, row = i / 4, at = k + i % 4 * 16;
            const bool there = first + row < w.rows && at < w.cols;
            copy_async_16(&to[row][i % 4 * 4], there ? codes + (size_t)(first + row) * w.cols + at : codes, there);
        }
        return;
    }
    UNROLL_BY(1) for (uint32_t i = threadIdx.x; i < COLUMNS * WORDS; i += THREADS)
    { /* rows begin anywhere */
        const uint32_t row = first + i / WORDS, at = k + i % WORDS * 4;
        uint32_t word = 0;
        for (uint32_t j = 0; j < 4; j++)
            if (row < w.rows && at + j < w.cols) word |= (uint32_t)codes[(size_t)row * w.cols + at + j] << 8 * j;
        to[i / WORDS][i % WORDS] = word;
    }
}

/* Four columns of x that a thread brings for a step: of row i / WORDS of the tile, at word i % WORDS. `fours`: they lie at a multiple of 16. */
__device__ __forceinline__ float4 bring_x(const multiply_args &a, const tile &t, bool fours, uint32_t k, uint32_t i)
{
    const uint32_t row = t.first + i / WORDS, at = k + i % WORDS * 4;
    float4 out = {0, 0, 0, 0};
    if (row >= t.end || at >= a.k) return out;
    const float *from = a.x + (size_t)(a.rows ? a.rows[row] : row) * a.k + at;
    if (fours) return *(const float4 *)from;
    out.x = from[0];
    if (at + 1 < a.k) out.y = from[1];
    if (at + 2 < a.k) out.z = from[2];
    if (at + 3 < a.k) out.w = from[3];
    return out;
}

/* All threads of a warp come here: eight neighbours have 32 columns, and put their outliers' bits together. */
__device__ __forceinline__ void put_x(const rows_tile &to, uint32_t i, const float4 &x, float factor)
{
    const float values[4] = {x.x, x.y, x.z, x.w};
    const uint32_t r = i / WORDS, word = i % WORDS;
    uint32_t codes = 0, outliers = 0;
    float wide[4];
    UNROLL for (uint32_t j = 0; j < 4; j++)
    {
        const bool apart = magnitude_bits(values[j]) >= OUTLIER_BITS;
        wide[j] = apart ? values[j] : 0.0f;
        outliers |= (uint32_t)apart << (word % 8 * 4 + j);
        codes |= ((uint32_t)int8_round((apart ? 0.0f : values[j]) * factor) & 0xffu) << 8 * j;
    }
    for (uint32_t mask = 1; mask < 8; mask *= 2) outliers |= warp_across_u32(outliers, mask);
    *(float4 *)&to.wide[r][word * 4] = float4{wide[0], wide[1], wide[2], wide[3]};
    to.codes[r][word] = codes;
    if (word % 8 == 0) to.outliers[r][word / 8] = outliers;
}

/* Outputs of a lane: rows `row` and row + 8 of the tile, columns 2 t and 2 t + 1 of PIECES groups of 8 from `column` on. As the mma has
 * them: value i of a group is of row i / 2 and column i % 2. */
template <uint32_t PIECES> struct outputs {
    int part[PIECES][4];
    int64_t sum[PIECES][4];
    double apart[PIECES][4];

    __device__ __forceinline__ void clear()
    {
        UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
        {
            part[p][i] = 0, sum[p][i] = 0, apart[p][i] = 0;
        }
    }
    /* A step's products of codes. */
    __device__ __forceinline__ void add(const rows_tile &x, const uint32_t (*w)[STRIDE], uint32_t row, uint32_t column)
    {
        const uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
        UNROLL for (uint32_t step = 0; step < WORDS / 8; step++)
        {
            const uint32_t word = step * 8 + t;
            const uint32_t a[4] = {x.codes[row + g][word], x.codes[row + g + 8][word], x.codes[row + g][word + 4],
                                   x.codes[row + g + 8][word + 4]};
            UNROLL for (uint32_t p = 0; p < PIECES; p++)
            {
                const uint32_t b[2] = {w[column + p * 8 + g][word], w[column + p * 8 + g][word + 4]};
                mma_s8(part[p], a, b);
            }
        }
    }
    __device__ __forceinline__ void widen()
    {
        UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
        {
            sum[p][i] += part[p][i];
            part[p][i] = 0;
        }
    }
    /* What outliers add, in the order of their columns. absmax: of the tile's columns. */
    __device__ __forceinline__ void add_outliers(const rows_tile &x, const uint32_t (*w)[STRIDE], uint32_t row,
                                                 uint32_t column, const float *absmax)
    {
        const uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
        UNROLL for (uint32_t h = 0; h < 2; h++) UNROLL_BY(1) for (uint32_t half = 0; half < 2; half++)
        {
            uint32_t bits = x.outliers[row + g + 8 * h][half];
            for (uint32_t at = half * 32; bits; at++, bits >>= 1) {
                if (!(bits & 1)) continue;
                const double value = x.wide[row + g + 8 * h][at];
                UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 2; i++)
                {
                    const uint32_t c = column + p * 8 + 2 * t + i;
                    const int8_t code = (int8_t)(w[c][at / 4] >> at % 4 * 8);
                    apart[p][2 * h + i] += value * int8_value(code, absmax[c]);
                }
            }
        }
    }
};

template <uint32_t ROWS, bool GATED> __global__ void __launch_bounds__(THREADS) multiply_codes(multiply_args a)
{
    constexpr uint32_t DOWN = ROWS / 16, PIECES = COLUMNS / 8 * DOWN / 4, SUMS = GATED ? 2 : 1;
    constexpr uint32_t EACH = ROWS * WORDS / THREADS; /* words of x that a thread brings */
    SHARED_ARRAY(uint32_t, x, [ROWS][STRIDE]);
    SHARED_ARRAY(alignas(16) float, wide, [ROWS][DEPTH]);
    SHARED_ARRAY(uint32_t, outliers, [ROWS][2]);
    SHARED_ARRAY(alignas(16) uint32_t, w, [STAGES][SUMS][COLUMNS][STRIDE]);
    SHARED_ARRAY(float, absmax, [SUMS][COLUMNS]);
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    const tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    const rows_tile rows = {x, wide, outliers};
    const uint32_t first_column = blockIdx.x * COLUMNS, warp = threadIdx.x / WARP_SIZE;
    const uint32_t row = warp % DOWN * 16, column = warp / DOWN * (PIECES * 8);
    outputs<PIECES> out[SUMS];
    const bool fours = a.k % 4 == 0 && (uintptr_t)a.x % 16 == 0;
    float4 next[EACH];
    float factors[EACH];

    auto begin = [&](uint32_t slot, uint32_t k) {
        if (k < a.k) {
            begin_codes(w[slot][0], weight, first_column, k);
            if (GATED) begin_codes(w[slot][SUMS - 1], second, first_column, k);
        }
        copy_commit(); /* every step has a group */
    };
    for (uint32_t i = 0; i + 1 < STAGES; i++) begin(i, i * DEPTH);
    UNROLL for (uint32_t j = 0; j < EACH; j++)
    {
        const uint32_t i = threadIdx.x + j * THREADS, r = t.first + i / WORDS;
        factors[j] = r < t.end ? int8_factor(a.absmax[a.rows ? a.rows[r] : r]) : 0.0f;
        next[j] = bring_x(a, t, fours, 0, i);
    }
    for (uint32_t i = threadIdx.x; i < SUMS * COLUMNS; i += THREADS) {
        const uint32_t c = first_column + i % COLUMNS;
        absmax[i / COLUMNS][i % COLUMNS] = c < a.n ? (i < COLUMNS ? weight : second).absmax[c] : 0.0f;
    }
    UNROLL for (uint32_t i = 0; i < SUMS; i++) out[i].clear();
    for (uint32_t k = 0, number = 1, slot = 0; k < a.k; k += DEPTH, number++) {
        copy_wait<STAGES - 2>();
        BLOCK_BARRIER(); /* the codes are there; nobody reads the rows and the codes of the step before any more */
        begin(slot == 0 ? STAGES - 1 : slot - 1, k + (STAGES - 1) * DEPTH);
        UNROLL for (uint32_t j = 0; j < EACH; j++) put_x(rows, threadIdx.x + j * THREADS, next[j], factors[j]);
        BLOCK_BARRIER(); /* the rows are there, and the outliers' bits */
        UNROLL for (uint32_t j = 0; j < EACH; j++) next[j] = bring_x(a, t, fours, k + DEPTH, threadIdx.x + j * THREADS);
        UNROLL for (uint32_t i = 0; i < SUMS; i++) out[i].add(rows, w[slot][i], row, column);
        if (number % WIDEN_STEPS == 0) UNROLL for (uint32_t i = 0; i < SUMS; i++) out[i].widen();
        UNROLL for (uint32_t i = 0; i < SUMS; i++) out[i].add_outliers(rows, w[slot][i], row, column, absmax[i]);
        slot = slot + 1 == STAGES ? 0 : slot + 1;
    }
    UNROLL for (uint32_t i = 0; i < SUMS; i++) out[i].widen();
    UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        const uint32_t r = t.first + row + warp_lane() / 4 + i / 2 * 8,
                       c = column + p * 8 + warp_lane() % 4 * 2 + i % 2;
        if (r >= t.end || first_column + c >= a.n) continue;
        const float x_absmax = a.absmax[a.rows ? a.rows[r] : r];
        float value = int8_product(out[0].sum[p][i], x_absmax, absmax[0][c], out[0].apart[p][i]);
        if (GATED)
            value = activate(a.activation, value) *
                    int8_product(out[SUMS - 1].sum[p][i], x_absmax, absmax[SUMS - 1][c], out[SUMS - 1].apart[p][i]);
        store(a, r, first_column + c, value);
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

template <uint32_t ROWS> static void launch_codes(const multiply_args &a, cudaStream_t stream)
{
    const dim3 grid((a.n + COLUMNS - 1) / COLUMNS, (a.m + ROWS - 1) / ROWS + (a.starts ? a.n_groups : 0));
    if (a.second)
        LAUNCH_EARLY((multiply_codes<ROWS, true>), grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH_EARLY((multiply_codes<ROWS, false>), grid, dim3(THREADS), 0, stream, a);
}

void cuda_multiply_int8(const multiply_args &a, cudaStream_t stream)
{
    const uint32_t warps = THREADS / WARP_SIZE, x_rows = a.x_rows ? a.x_rows : a.m;
    if (!a.has_absmax)
        LAUNCH_EARLY(find_absmax, dim3((x_rows + warps - 1) / warps), dim3(THREADS), 0, stream, a.x, x_rows, a.k,
                     a.absmax);
    if (a.m <= 16 * (a.starts ? a.n_groups : 1))
        launch_codes<16>(a, stream);
    else
        launch_codes<32>(a, stream);
}

void cuda_multiply_items_int8(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens,
                              float *out, uint32_t n_items, cudaStream_t stream)
{
    const uint32_t warps = THREADS / WARP_SIZE;
    LAUNCH(multiply_item_codes, dim3((n_items + warps - 1) / warps), dim3(THREADS), 0, stream, x, w, rows, tokens, out,
           n_items);
}
