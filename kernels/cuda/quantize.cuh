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

static __device__ __forceinline__ float source_value(const source_view &s, size_t i)
{
    float value;
    if (s.format == KERNELS_F32)
        value = ((const float *)s.values)[i];
    else if (s.format == KERNELS_F8_E4M3)
        value = half_e4m3_to_f32(((const uint8_t *)s.values)[i]);
    else if (s.format == KERNELS_BF16)
        value = float_from_bits((uint32_t)((const uint16_t *)s.values)[i] << 16);
    else
        value = float_from_f16(((const uint16_t *)s.values)[i]);
    if (!s.scales) return value;
    size_t row = (s.at + i) / s.cols, col = (s.at + i) % s.cols;
    return value * s.scales[row / s.block_rows * ((s.cols + s.block_cols - 1) / s.block_cols) + col / s.block_cols];
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
