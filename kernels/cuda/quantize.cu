/* quantize.cu: NF4 and FP4, and values of any format back: see quantize.cuh. Compiled without contraction of products and sums, so that each step is one rounding as on the CPU.
 * Reads 2 or 4 bytes and writes half a byte an element: bound by memory. */
#include "kernels/cuda/quantize.cuh"

namespace
{

constexpr uint32_t THREADS = 256, WARPS = THREADS / WARP_SIZE, BLOCK = 64, NESTED = 256;
constexpr float SMALLEST_ABSMAX = 1e-38f; /* of formats/nf4_loops.h */

/* The number of thresholds below x, of formats/nf4.c. */
__device__ __forceinline__ uint32_t nf4_code(float x)
{
    const float thresholds[15] = {-0.8480964004993439f,   -0.6106329262256622f,  -0.4599952697753906f,
                                  -0.33967943489551544f,  -0.23460740596055984f, -0.13791173323988914f,
                                  -0.045525018125772476f, 0.03979014977812767f,  0.1202552504837513f,
                                  0.2035212516784668f,    0.2920137718319893f,   0.3893125355243683f,
                                  0.5016634166240692f,    0.6427869200706482f,   0.8614784181118011f};
    uint32_t code = 0;
    UNROLL for (uint32_t t = 0; t < 15; t++) code += x > thresholds[t];
    return code;
}

/* The same of formats/fp4.c, where codes of rising magnitudes are 0 1 6 7 4 5 2 3. */
__device__ __forceinline__ uint32_t fp4_code(float x)
{
    const float thresholds[7] = {0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f};
    uint32_t code = 0;
    UNROLL for (uint32_t t = 0; t < 7; t++) code += float_from_bits(bits_from_float(x) & 0x7fffffffu) > thresholds[t];
    return (code & 1) | ((4 - (code >> 1)) & 3) << 1 | (x < 0 ? 8 : 0);
}

/* A warp a block of 64: lane i has elements 2i and 2i + 1, whose codes are one byte. */
__global__ void __launch_bounds__(THREADS)
    quantize_blocks(source_view source, size_t n, bool is_fp4, uint8_t *codes, float *absmax, source_flags *flags)
{
    size_t block = (size_t)blockIdx.x * WARPS + threadIdx.x / WARP_SIZE, first = block * BLOCK + warp_lane() * 2;
    if (block * BLOCK >= n) return;
    float v0 = first < n ? source_value(source, first) : 0.0f;
    float v1 = first + 1 < n ? source_value(source, first + 1) : 0.0f;
    uint32_t m0 = bits_from_float(v0) & 0x7fffffffu, m1 = bits_from_float(v1) & 0x7fffffffu,
             largest = m0 > m1 ? m0 : m1;
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        uint32_t other = warp_across_u32(largest, mask);
        largest = other > largest ? other : largest;
    }
    float scale = float_from_bits(largest);
    float reciprocal = 1.0f / (scale > SMALLEST_ABSMAX ? scale : SMALLEST_ABSMAX);
    v0 *= reciprocal, v1 *= reciprocal;
    if (first < n)
        codes[first / 2] = (uint8_t)(is_fp4 ? fp4_code(v0) << 4 | fp4_code(v1) : nf4_code(v0) << 4 | nf4_code(v1));
    if (warp_lane() != 0) return;
    absmax[block] = scale;
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
    size_t blocks = (n + BLOCK - 1) / BLOCK;
    if (n)
        LAUNCH(quantize_blocks, dim3((unsigned)((blocks + WARPS - 1) / WARPS)), dim3(THREADS), 0, stream, source, n,
               is_fp4, codes, absmax, flags);
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
