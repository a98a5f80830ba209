/* decode.cuh: values of a weight on the device, eight neighbours of a row at a time. The formats' bytes are the canonical ones of
 * kernels.h; every value is rounded as the definition in formats/ has it. */
#ifndef DOCKET_KERNELS_CUDA_DECODE_CUH
#define DOCKET_KERNELS_CUDA_DECODE_CUH

#include "kernels/kernels.h"

#include <launch.cuh>
#include <warp.cuh>

/* What a kernel needs to know of a weight [rows, cols]; all addresses are the device's. */
struct weight_view {
    const void *data; /* values, or codes */
    const float *absmax;
    const uint8_t *absmax_codes;
    const float *nested_absmax, *nested_map;
    float nested_offset;
    uint32_t rows, cols, format;
};

#define DECODE_TABLE 16u /* values of the 4-bit code, in shared memory */

/* Fills the table; all threads of the block come here, and meet before it is read. */
static __device__ __forceinline__ void decode_prepare(float *table)
{
    const uint32_t nf4_bits[DECODE_TABLE] = {0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f,
                                             0xbdba7871, 0x00000000, 0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a,
                                             0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000};
    if (threadIdx.x < DECODE_TABLE) {
        uint32_t bits = 0;
        UNROLL for (unsigned i = 0; i < DECODE_TABLE; i++) bits = threadIdx.x == i ? nf4_bits[i] : bits;
        table[threadIdx.x] = float_from_bits(bits);
    }
}

template <int FORMAT> static __device__ __forceinline__ float decode_absmax(const weight_view &w, size_t block)
{
    if (FORMAT == KERNELS_NF4) return w.absmax[block];
    return w.nested_map[w.absmax_codes[block]] * w.nested_absmax[block / 256] + w.nested_offset;
}

/* Element i of the flattened weight. */
template <int FORMAT>
static __device__ __forceinline__ float decode_one(const weight_view &w, const float *table, size_t i)
{
    if (FORMAT == KERNELS_F32) return ((const float *)w.data)[i];
    if (FORMAT == KERNELS_BF16) return float_from_bits((uint32_t)((const uint16_t *)w.data)[i] << 16);
    if (FORMAT == KERNELS_F16) return float_from_f16(((const uint16_t *)w.data)[i]);
    uint8_t pair = ((const uint8_t *)w.data)[i / 2];
    return table[i % 2 ? pair & 15 : pair >> 4] * decode_absmax<FORMAT>(w, i / 64);
}

/* Columns [k, k + 8) of a row, k a multiple of 8; what lies behind the row's end is 0. */
template <int FORMAT>
static __device__ __forceinline__ void decode_eight(const weight_view &w, const float *table, uint32_t row, uint32_t k,
                                                    float out[8])
{
    size_t first = (size_t)row * w.cols + k;
    if (w.cols % 8) { /* rows begin anywhere */
        UNROLL for (uint32_t j = 0; j < 8; j++) out[j] =
            k + j < w.cols ? decode_one<FORMAT>(w, table, first + j) : 0.0f;
        return;
    }
    if (k >= w.cols) {
        UNROLL for (uint32_t j = 0; j < 8; j++) out[j] = 0.0f;
        return;
    }
    if (FORMAT == KERNELS_F32) {
        const float4 *at = (const float4 *)((const float *)w.data + first);
        float4 a = at[0], b = at[1];
        out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w, out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
        return;
    }
    if (FORMAT == KERNELS_BF16 || FORMAT == KERNELS_F16) {
        uint4 bits = *(const uint4 *)((const uint16_t *)w.data + first);
        uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
        UNROLL for (uint32_t j = 0; j < 8; j++)
        {
            uint32_t half = j % 2 ? words[j / 2] >> 16 : words[j / 2] & 0xffffu;
            out[j] = FORMAT == KERNELS_BF16 ? float_from_bits(half << 16) : float_from_f16((uint16_t)half);
        }
        return;
    }
    uint32_t codes = *(const uint32_t *)((const uint8_t *)w.data + first / 2);
    float absmax = decode_absmax<FORMAT>(w, first / 64);
    UNROLL for (uint32_t j = 0; j < 8; j++)
    { /* the earlier of two in the high nibble of its byte */
        uint32_t shift = j / 2 * 8 + (j % 2 ? 0 : 4);
        out[j] = table[codes >> shift & 15u] * absmax;
    }
}

/* To bf16, nearest, ties to even; two neighbours in a word, the earlier one low. No NaN comes here from a weight. */
static __device__ __forceinline__ uint32_t bf16_bits(float value)
{
    uint32_t bits = bits_from_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static __device__ __forceinline__ uint32_t bf16_pair(float earlier, float later)
{
    return bf16_bits(earlier) | bf16_bits(later) << 16;
}

#endif
