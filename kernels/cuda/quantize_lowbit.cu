/* quantize_lowbit.cu: q8, q4, q2, q1 and int8: see quantize.cuh. A block of 64 is one thread's, which runs the text of the definition
 * itself: q2's fit goes round by round, and all of this happens once, when a model is loaded. */
#include "kernels/cuda/quantize.cuh"

extern "C" {
#include "kernels/formats/int8_loops.h"
#include "kernels/formats/lowbit_loops.h"
}

namespace
{

constexpr uint32_t BLOCKS = 32, THREADS = 256; /* blocks of 64 a block of threads: one warp of 32 */

template <uint32_t BITS>
__global__ void __launch_bounds__(BLOCKS) quantize_blocks(source_view source, size_t n, uint8_t *codes,
                                                          uint16_t *scales, uint16_t *zeros, source_flags *flags)
{
    SHARED_ARRAY(float, values, [BLOCKS][LAYOUT_BLOCK + 1]); /* read by neighbours, then by one thread a row */
    const size_t first = (size_t)blockIdx.x * BLOCKS * LAYOUT_BLOCK, block = (size_t)blockIdx.x * BLOCKS + threadIdx.x;
    for (uint32_t i = threadIdx.x; i < BLOCKS * LAYOUT_BLOCK; i += BLOCKS)
        values[i / LAYOUT_BLOCK][i % LAYOUT_BLOCK] = first + i < n ? source_value(source, first + i) : 0.0f;
    BLOCK_BARRIER();
    if (block * LAYOUT_BLOCK >= n) return;
    size_t left = n - block * LAYOUT_BLOCK, some = left < LAYOUT_BLOCK ? left : LAYOUT_BLOCK;
    uint8_t bytes[LAYOUT_BLOCK] = {0};
    uint16_t scale = 0, zero = 0;
    unsigned wrong = lowbit_loop_block(BITS, values[threadIdx.x], some, bytes, &scale, &zero);
    if (wrong & LOWBIT_NOT_FINITE) flag_set(&flags->not_finite);
    if (wrong & LOWBIT_OUT_OF_RANGE) flag_set(&flags->out_of_range);
    for (uint32_t i = 0; i < (some * BITS + 7) / 8; i++) codes[block * (LAYOUT_BLOCK * BITS / 8) + i] = bytes[i];
    scales[block] = scale;
    if (BITS != 1) zeros[block] = zero;
}

/* A block a row, which it reads twice. */
__global__ void __launch_bounds__(THREADS)
    quantize_rows(source_view source, int8_t *codes, float *absmax, source_flags *flags)
{
    SHARED_ARRAY(uint32_t, part, [THREADS / WARP_SIZE]);
    const size_t first = (size_t)blockIdx.x * source.cols;
    const uint32_t cols = (uint32_t)source.cols, tile_cols = (uint32_t)source.block_cols;
    const float *scales = source.scales;
    if (scales) /* this row's: one for each tile */
        scales += ((source.at + first) / cols) / source.block_rows * ((cols + tile_cols - 1) / tile_cols);
    auto value = [&](uint32_t i) {
        const float unscaled = source_unscaled(source, first + i);
        return scales ? unscaled * scales[i / tile_cols] : unscaled;
    };
    uint32_t largest = 0;
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS) {
        uint32_t magnitude = bits_from_float(value(i)) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        uint32_t other = warp_across_u32(largest, mask);
        largest = other > largest ? other : largest;
    }
    if (warp_lane() == 0) part[threadIdx.x / WARP_SIZE] = largest;
    BLOCK_BARRIER();
    for (uint32_t w = 0; w < THREADS / WARP_SIZE; w++) largest = part[w] > largest ? part[w] : largest;
    const bool finite = largest < 0x7f800000u;
    const float factor = int8_factor(float_from_bits(largest));
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS)
        codes[first + i] = (int8_t)(finite ? int8_round(value(i) * factor) : 0);
    if (threadIdx.x != 0) return;
    absmax[blockIdx.x] = float_from_bits(largest);
    if (!finite) flag_set(&flags->not_finite);
}

} // namespace

void cuda_quantize_lowbit(const source_view &source, size_t n, uint32_t format, uint8_t *codes, uint16_t *scales,
                          uint16_t *zeros, source_flags *flags, cudaStream_t stream)
{
    const size_t step = BLOCKS * LAYOUT_BLOCK;
    const dim3 grid((unsigned)((n + step - 1) / step)), threads(BLOCKS);
    if (n == 0) return;
    if (format == KERNELS_Q8)
        LAUNCH(quantize_blocks<8>, grid, threads, 0, stream, source, n, codes, scales, zeros, flags);
    else if (format == KERNELS_Q4)
        LAUNCH(quantize_blocks<4>, grid, threads, 0, stream, source, n, codes, scales, zeros, flags);
    else if (format == KERNELS_Q2)
        LAUNCH(quantize_blocks<2>, grid, threads, 0, stream, source, n, codes, scales, zeros, flags);
    else
        LAUNCH(quantize_blocks<1>, grid, threads, 0, stream, source, n, codes, scales, zeros, flags);
}

void cuda_quantize_int8(const source_view &source, size_t n_rows, int8_t *codes, float *absmax, source_flags *flags,
                        cudaStream_t stream)
{
    if (n_rows) LAUNCH(quantize_rows, dim3((unsigned)n_rows), dim3(THREADS), 0, stream, source, codes, absmax, flags);
}
