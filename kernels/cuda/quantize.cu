/* quantize.cu: NF4 and FP4, and values of any format back: see quantize.cuh. Compiled without contraction of products and sums, so that each step is one rounding as on the CPU.
 * Reads 2 or 4 bytes and writes half a byte an element: bound by memory. */
#include "kernels/cuda/quantize.cuh"

namespace
{

constexpr uint32_t THREADS = 256, BLOCK = 64, NESTED = 256, EACH = 16;
constexpr float SMALLEST_ABSMAX = 1e-38f; /* of formats/nf4_loops.h */

/* A code is found by two looks at what the lanes of a warp hold, which a shuffle answers at once for all 32, and one comparison: values
 * of [-1, 1] are cut into bins that hold one threshold each at most, the lane of a bin's number keeps that threshold, and how many lie
 * below the bin. Fifteen comparisons a value would take longer than reading it. */
constexpr float BINS = 14.0f, FIRST_BIN = 16.0f; /* bin of x: 14 x + 16, to the nearest; 2 to 30 */
constexpr float WHOLE = 12582912.0f; /* 1.5 2^23: what is added to it lies in its lowest bits as a whole number */

__device__ const float nf4_thresholds[15] = {
    -0.8480964004993439f,  -0.6106329262256622f,   -0.4599952697753906f, -0.33967943489551544f, -0.23460740596055984f,
    -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f,   0.2035212516784668f,
    0.2920137718319893f,   0.3893125355243683f,    0.5016634166240692f,  0.6427869200706482f,   0.8614784181118011f};
/* Of magnitudes; codes of rising ones are 0 1 6 7 4 5 2 3. */
__device__ const float fp4_thresholds[7] = {0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f,
                                            0.4166667f,  0.583333f,  0.8333333f};
/* Bit b: bin b holds a threshold. */
constexpr uint32_t NF4_BINS = 1u << 4 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 17 |
                              1u << 18 | 1u << 19 | 1u << 20 | 1u << 21 | 1u << 23 | 1u << 25 | 1u << 28;
constexpr uint32_t FP4_BINS = 1u << 16 | 1u << 17 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 24 | 1u << 28;

struct bin {
    float threshold; /* infinity: there is none */
    uint32_t below;  /* thresholds of lower bins */
};

template <bool FP4> __device__ __forceinline__ bin bin_of_lane()
{
    const uint32_t lane = warp_lane(), bins = FP4 ? FP4_BINS : NF4_BINS;
    const uint32_t below = bits_set(bins & ((1u << lane) - 1));
    return {bins >> lane & 1u ? (FP4 ? fp4_thresholds : nf4_thresholds)[below] : INFINITY, below};
}

/* All lanes of the warp come here. */
template <bool FP4> __device__ __forceinline__ uint32_t code_of(const bin &mine, float x)
{
    const float at = FP4 ? float_from_bits(bits_from_float(x) & 0x7fffffffu) : x;
    const uint32_t number = bits_from_float(fmaf(at, BINS, WHOLE + FIRST_BIN));
    const float threshold = warp_from_lane(mine.threshold, number);
    const uint32_t code = warp_from_lane_u32(mine.below, number) + (at > threshold);
    return FP4 ? (code & 1) | ((4 - (code >> 1)) & 3) << 1 | (x < 0 ? 8 : 0) : code;
}

/* A thread has 16 neighbours, four threads a block of 64. */
template <bool FP4, bool SCALED>
__global__ void __launch_bounds__(THREADS)
    quantize_blocks(source_view source, size_t n, uint8_t *codes, float *absmax, source_flags *flags)
{
    const bin mine = bin_of_lane<FP4>();
    const size_t first = ((size_t)blockIdx.x * THREADS + threadIdx.x) * EACH;
    float v[EACH];
    uint32_t largest = 0, words[EACH / 8];
    source_sixteen<SCALED>(source, first, n, v);
    UNROLL for (uint32_t j = 0; j < EACH; j++)
    {
        const uint32_t magnitude = bits_from_float(v[j]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    for (unsigned mask = 1; mask < BLOCK / EACH; mask *= 2) {
        const uint32_t other = warp_across_u32(largest, mask);
        largest = other > largest ? other : largest;
    }
    const float scale = float_from_bits(largest);
    const float reciprocal = 1.0f / (scale > SMALLEST_ABSMAX ? scale : SMALLEST_ABSMAX);
    UNROLL for (uint32_t w = 0; w < EACH / 8; w++)
    {
        words[w] = 0;
        UNROLL for (uint32_t j = 0; j < 8; j++) /* from the last byte on; the earlier of two in the high nibble */
            words[w] = words[w] * 16 + code_of<FP4>(mine, v[w * 8 + (j ^ 6)] * reciprocal);
    }
    if (first >= n) return;
    if (first + EACH <= n)
        *(uint2 *)(codes + first / 2) = {words[0], words[1]};
    else
        for (uint32_t j = 0; j < EACH && first + j < n; j += 2)
            codes[(first + j) / 2] = (uint8_t)((j < 8 ? words[0] : words[1]) >> j % 8 * 4);
    if (first % BLOCK) return;
    absmax[first / BLOCK] = scale;
    if (largest >= 0x7f800000u) flag_set(&flags->not_finite);
}

__global__ void __launch_bounds__(NESTED) nest_blocks(const float *absmax, size_t n_blocks, float offset,
                                                      const float *map, uint8_t *codes, float *nested_absmax)
{
    SHARED_ARRAY(uint32_t, part, [NESTED / WARP_SIZE]);
    size_t i = (size_t)blockIdx.x * NESTED + threadIdx.x;
    float difference = i < n_blocks ? absmax[i] - offset : 0.0f;
    uint32_t largest = bits_from_float(difference) & 0x7fffffffu;
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        uint32_t other = warp_across_u32(largest, mask);
        largest = other > largest ? other : largest;
    }
    if (warp_lane() == 0) part[threadIdx.x / WARP_SIZE] = largest;
    BLOCK_BARRIER();
    for (uint32_t w = 0; w < NESTED / WARP_SIZE; w++) largest = part[w] > largest ? part[w] : largest;
    float scale = float_from_bits(largest),
          x = difference * (1.0f / (scale > SMALLEST_ABSMAX ? scale : SMALLEST_ABSMAX));
    uint32_t low = 0, high = NESTED - 1; /* the middles between neighbours that lie strictly below x */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if ((map[middle] + map[middle + 1]) / 2 < x)
            low = middle + 1;
        else
            high = middle;
    }
    if (i < n_blocks) codes[i] = (uint8_t)low;
    if (threadIdx.x == 0) nested_absmax[blockIdx.x] = scale;
}

__global__ void __launch_bounds__(THREADS) convert(source_view source, size_t n, void *to, uint32_t to_format)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    float value = source_value(source, i);
    if (to_format == KERNELS_F32)
        ((float *)to)[i] = value;
    else
        ((uint16_t *)to)[i] = to_format == KERNELS_BF16 ? (uint16_t)bf16_bits(value) : f16_from_float(value);
}

__global__ void __launch_bounds__(THREADS) dequantize(weight_view w, size_t first, size_t n, float *out)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    decode_prepare(table, w.format);
    BLOCK_BARRIER();
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) out[i] = decode_one<DECODE_ANY>(w, table, first + i);
}

} // namespace

void cuda_quantize_4bit(const source_view &source, size_t n, bool is_fp4, uint8_t *codes, float *absmax,
                        source_flags *flags, cudaStream_t stream)
{
    const size_t step = THREADS * EACH;
    const dim3 grid((unsigned)((n + step - 1) / step)), threads(THREADS);
    if (n == 0) return;
    if (is_fp4 && source.scales)
        LAUNCH((quantize_blocks<true, true>), grid, threads, 0, stream, source, n, codes, absmax, flags);
    else if (is_fp4)
        LAUNCH((quantize_blocks<true, false>), grid, threads, 0, stream, source, n, codes, absmax, flags);
    else if (source.scales)
        LAUNCH((quantize_blocks<false, true>), grid, threads, 0, stream, source, n, codes, absmax, flags);
    else
        LAUNCH((quantize_blocks<false, false>), grid, threads, 0, stream, source, n, codes, absmax, flags);
}

void cuda_nest(const float *absmax, size_t n_blocks, float offset, const float *map, uint8_t *absmax_codes,
               float *nested_absmax, cudaStream_t stream)
{
    if (n_blocks)
        LAUNCH(nest_blocks, dim3((unsigned)((n_blocks + NESTED - 1) / NESTED)), dim3(NESTED), 0, stream, absmax,
               n_blocks, offset, map, absmax_codes, nested_absmax);
}

void cuda_convert(const source_view &source, size_t n, void *to, uint32_t to_format, cudaStream_t stream)
{
    if (n)
        LAUNCH(convert, dim3((unsigned)((n + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, source, n, to,
               to_format);
}

void cuda_dequantize(const weight_view &w, size_t first, size_t n, float *out, cudaStream_t stream)
{
    if (n)
        LAUNCH(dequantize, dim3((unsigned)((n + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, w, first, n, out);
}
