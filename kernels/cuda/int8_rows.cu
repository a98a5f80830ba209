/* int8_rows.cu: see int8_rows.cuh. A block a row: bound by reading and writing it, unless it is full of outliers. */
#include "kernels/cuda/int8_rows.cuh"
#include "kernels/cuda/tiles.cuh"

extern "C" {
#include "kernels/formats/int8_loops.h"
}

namespace
{

constexpr uint32_t ROW_THREADS = 256, ROW_WARPS = ROW_THREADS / WARP_SIZE, OUTLIER_BITS = 0x40c00000; /* of 6 */
constexpr uint32_t MOST_LISTED = 1024;

__device__ __forceinline__ uint32_t magnitude_bits(float x)
{
    return bits_from_float(x) & 0x7fffffffu;
}

__global__ void __launch_bounds__(ROW_THREADS)
    split_rows(const float *x, const uint32_t *rows, uint32_t k, int8_t *codes, float *absmax)
{
    SHARED_ARRAY(uint32_t, part, [ROW_WARPS]);
    const float *row = x + (size_t)(rows ? rows[blockIdx.x] : blockIdx.x) * k;
    uint32_t largest = 0;
    for (uint32_t i = threadIdx.x; i < k; i += ROW_THREADS) {
        uint32_t magnitude = magnitude_bits(row[i]);
        if (magnitude < OUTLIER_BITS && magnitude > largest) largest = magnitude;
    }
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        uint32_t other = warp_across_u32(largest, mask);
        largest = other > largest ? other : largest;
    }
    if (warp_lane() == 0) part[threadIdx.x / WARP_SIZE] = largest;
    BLOCK_BARRIER(); /* the warps' largest are there */
    for (uint32_t w = 0; w < ROW_WARPS; w++) largest = part[w] > largest ? part[w] : largest;
    const float factor = int8_factor(float_from_bits(largest));
    uint32_t *to = (uint32_t *)(codes + (size_t)blockIdx.x * k);
    for (uint32_t i = threadIdx.x; i < k / 4; i += ROW_THREADS) {
        uint32_t word = 0;
        UNROLL for (uint32_t j = 0; j < 4; j++)
        {
            float value = row[i * 4 + j];
            word |= ((uint32_t)int8_round((magnitude_bits(value) < OUTLIER_BITS ? value : 0.0f) * factor) & 0xffu)
                    << 8 * j;
        }
        to[i] = word;
    }
    if (threadIdx.x == 0) absmax[blockIdx.x] = float_from_bits(largest);
}

/* The columns of a row's outliers, ascending, and how many there are, which may be more than are listed. */
__device__ __forceinline__ uint32_t list_outliers(const float *row, uint32_t k, uint32_t *list, uint32_t *counts)
{
    const uint32_t each = (k + ROW_THREADS - 1) / ROW_THREADS, first = threadIdx.x * each;
    const uint32_t end = first + each < k ? first + each : k;
    uint32_t count = 0, at = 0, all = 0;
    for (uint32_t i = first; i < end; i++) count += magnitude_bits(row[i]) >= OUTLIER_BITS;
    counts[threadIdx.x] = count;
    BLOCK_BARRIER(); /* the counts are there */
    for (uint32_t i = 0; i < ROW_THREADS; i++) {
        at += i < threadIdx.x ? counts[i] : 0;
        all += counts[i];
    }
    for (uint32_t i = first; i < end; i++)
        if (magnitude_bits(row[i]) >= OUTLIER_BITS && at < MOST_LISTED) list[at++] = i;
    return all;
}

__global__ void __launch_bounds__(ROW_THREADS) finish_rows(int8_finish_args a)
{
    SHARED_ARRAY(uint32_t, list, [MOST_LISTED]);
    SHARED_ARRAY(uint32_t, counts, [ROW_THREADS]);
    const uint32_t k = a.weight.cols, n = a.weight.rows;
    const float *row = a.x + (size_t)(a.rows ? a.rows[blockIdx.x] : blockIdx.x) * k;
    const uint32_t n_outliers = list_outliers(row, k, list, counts);
    const bool listed = n_outliers <= MOST_LISTED;
    const float x_absmax = a.absmax[blockIdx.x];
    BLOCK_BARRIER(); /* the list is there */
    for (uint32_t column = threadIdx.x; column < n; column += ROW_THREADS) {
        const int8_t *codes = (const int8_t *)a.weight.data + (size_t)column * k;
        const float absmax = a.weight.absmax[column];
        double apart = 0;
        for (uint32_t i = 0; i < (listed ? n_outliers : k); i++) {
            const uint32_t at = listed ? list[i] : i;
            if (!listed && magnitude_bits(row[at]) < OUTLIER_BITS) continue;
            apart += (double)row[at] * int8_value(codes[at], absmax);
        }
        const size_t to = (size_t)blockIdx.x * n + column;
        const float value = int8_product(a.sums[to], x_absmax, absmax, apart);
        a.out[to] = a.accumulate ? a.out[to] + value : value;
    }
}

__global__ void __launch_bounds__(ROW_THREADS)
    gate_values(float *gate, const float *up, size_t n, enum kernels_activation activation)
{
    size_t i = (size_t)blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i < n) gate[i] = activate(activation, gate[i]) * up[i];
}

} // namespace

void cuda_int8_split_rows(const float *x, const uint32_t *rows, uint32_t m, uint32_t k, int8_t *codes, float *absmax,
                          cudaStream_t stream)
{
    if (m) LAUNCH(split_rows, dim3(m), dim3(ROW_THREADS), 0, stream, x, rows, k, codes, absmax);
}

void cuda_int8_finish_rows(const int8_finish_args &args, cudaStream_t stream)
{
    if (args.m) LAUNCH(finish_rows, dim3(args.m), dim3(ROW_THREADS), 0, stream, args);
}

void cuda_int8_gate(float *gate, const float *up, size_t n, enum kernels_activation activation, cudaStream_t stream)
{
    if (n)
        LAUNCH(gate_values, dim3((unsigned)((n + ROW_THREADS - 1) / ROW_THREADS)), dim3(ROW_THREADS), 0, stream, gate,
               up, n, activation);
}
