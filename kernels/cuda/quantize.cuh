/* quantize.cuh: NF4 on the device, to the bit what kernels/formats/nf4.c defines; and values back. */
#ifndef DOCKET_KERNELS_CUDA_QUANTIZE_CUH
#define DOCKET_KERNELS_CUDA_QUANTIZE_CUH

#include "kernels/cuda/decode.cuh"

/* n elements in f32, f16 or bf16 to codes and absmax; *not_finite is set where one is NaN or infinite. n is a multiple of 64, or they are
 * the weight's last. */
void cuda_quantize_nf4(const void *source, enum kernels_format format, size_t n, uint8_t *codes, float *absmax,
                       uint32_t *not_finite, cudaStream_t stream);
void cuda_nest(const float *absmax, size_t n_blocks, float offset, const float *map, uint8_t *absmax_codes,
               float *nested_absmax, cudaStream_t stream);
/* Elements [first, first + n) of the flattened weight as f32. */
void cuda_dequantize(const weight_view &weight, size_t first, size_t n, float *out, cudaStream_t stream);

/* n values from one of f32, f16 and bf16 to another, nearest, ties to even. */
void cuda_convert(const void *from, enum kernels_format from_format, size_t n, void *to, enum kernels_format to_format,
                  cudaStream_t stream);

#endif
