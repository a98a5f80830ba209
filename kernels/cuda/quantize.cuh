/* quantize.cuh: every format's quantization on the device, to the bit what kernels/formats defines; and values back. */
#ifndef DOCKET_KERNELS_CUDA_QUANTIZE_CUH
#define DOCKET_KERNELS_CUDA_QUANTIZE_CUH

#include "kernels/cuda/decode.cuh"

extern "C" {
#include "kernels/formats/half.h"
}

/* A piece of a weight's source on the device: values[0] is element `at` of the flattened weight with `cols` columns. */
struct source_view {
    const void *values;
    uint32_t format; /* f32, f16, bf16, f8_e4m3 */
    size_t at, cols;
    const float *scales; /* NULL, or one for each tile of block_rows x block_cols */
    size_t block_rows, block_cols;
};

/* What was wrong with a source: each one word on the device, set and never cleared. */
struct source_flags {
    uint32_t not_finite, out_of_range;
};

/* What an element is multiplied with. */
static __device__ __forceinline__ float source_scale(const source_view &s, size_t row, size_t col)
{
    return s.scales[row / s.block_rows * ((s.cols + s.block_cols - 1) / s.block_cols) + col / s.block_cols];
}

static __device__ __forceinline__ float source_unscaled(const source_view &s, size_t i)
{
    if (s.format == KERNELS_F32) return ((const float *)s.values)[i];
    if (s.format == KERNELS_F8_E4M3) return half_e4m3_to_f32(((const uint8_t *)s.values)[i]);
    const uint16_t half = ((const uint16_t *)s.values)[i];
    return s.format == KERNELS_BF16 ? float_from_bits((uint32_t)half << 16) : float_from_f16(half);
}

static __device__ __forceinline__ float source_value(const source_view &s, size_t i)
{
    const float value = source_unscaled(s, i);
    return s.scales ? value * source_scale(s, (s.at + i) / s.cols, (s.at + i) % s.cols) : value;
}

/* Elements [first, first + 16) of the n that there are, zeros behind them; first is a multiple of 16. Read 16 bytes at a time where they
 * lie so. SCALED: whether the source has scales; a kernel is made for each, for theirs is long. */
template <bool SCALED>
static __device__ __forceinline__ void source_sixteen(const source_view &s, size_t first, size_t n, float out[16])
{
    constexpr uint32_t N = 16;
    if (first + N > n || (uintptr_t)s.values % 16)
        UNROLL for (uint32_t j = 0; j < N; j++) out[j] = first + j < n ? source_unscaled(s, first + j) : 0.0f;
    else if (s.format == KERNELS_F32)
        UNROLL for (uint32_t j = 0; j < N; j += 4)
        {
            const float4 four = *(const float4 *)((const float *)s.values + first + j);
            out[j] = four.x, out[j + 1] = four.y, out[j + 2] = four.z, out[j + 3] = four.w;
        }
    else if (s.format == KERNELS_F8_E4M3) {
        const uint4 bits = *(const uint4 *)((const uint8_t *)s.values + first);
        const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
        UNROLL for (uint32_t i = 0; i < N; i++) out[i] = half_e4m3_to_f32((uint8_t)(words[i / 4] >> i % 4 * 8));
    } else {
        const uint4 *at = (const uint4 *)((const uint16_t *)s.values + first), low = at[0], high = at[1];
        const uint32_t words[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
        if (s.format == KERNELS_BF16)
            UNROLL for (uint32_t i = 0; i < N; i++) out[i] =
                float_from_bits(i % 2 ? words[i / 2] & 0xffff0000u : words[i / 2] << 16);
        else
            UNROLL for (uint32_t i = 0; i < N; i++) out[i] =
                float_from_f16((uint16_t)(i % 2 ? words[i / 2] >> 16 : words[i / 2]));
    }
    if (!SCALED) return;
    size_t row = (s.at + first) / s.cols, col = (s.at + first) % s.cols;
    if (col % s.block_cols + N <= s.block_cols && col + N <= s.cols && first + N <= n) { /* all in one tile */
        const float scale = source_scale(s, row, col);
        UNROLL for (uint32_t j = 0; j < N; j++) out[j] *= scale;
        return;
    }
    UNROLL for (uint32_t j = 0; j < N; j++)
    {
        if (first + j < n) out[j] *= source_scale(s, row, col);
        if (++col == s.cols) row++, col = 0;
    }
}

/* n elements to blocks of 64; n is a multiple of 64, or they are the weight's last. */
void cuda_quantize_4bit(const source_view &source, size_t n, bool is_fp4, uint8_t *codes, float *absmax,
                        source_flags *flags, cudaStream_t stream);
/* format: q8, q4, q2 or q1, which has no zeros. */
void cuda_quantize_lowbit(const source_view &source, size_t n, uint32_t format, uint8_t *codes, uint16_t *scales,
                          uint16_t *zeros, source_flags *flags, cudaStream_t stream);
/* Whole rows of int8. */
void cuda_quantize_int8(const source_view &source, size_t n_rows, int8_t *codes, float *absmax, source_flags *flags,
                        cudaStream_t stream);
void cuda_nest(const float *absmax, size_t n_blocks, float offset, const float *map, uint8_t *absmax_codes,
               float *nested_absmax, cudaStream_t stream);
/* Elements [first, first + n) of the flattened weight as f32. */
void cuda_dequantize(const weight_view &weight, size_t first, size_t n, float *out, cudaStream_t stream);

/* n values to f32, f16 or bf16, nearest, ties to even. */
void cuda_convert(const source_view &source, size_t n, void *to, uint32_t to_format, cudaStream_t stream);

#endif
