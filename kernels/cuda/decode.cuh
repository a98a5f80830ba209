/* decode.cuh: values of a weight on the device, eight neighbours of a row at a time. The formats' bytes are the canonical ones of
 * kernels.h; every value is rounded as the definition in formats/ has it. */
#ifndef DOCKET_KERNELS_CUDA_DECODE_CUH
#define DOCKET_KERNELS_CUDA_DECODE_CUH

#include "kernels/kernels.h"

#include <launch.cuh>
#include <warp.cuh>

#include <float.h>
#include <math.h>
#include <string.h>

extern "C" {
#include "kernels/formats/int8.h"
}

/* What a kernel needs to know of a weight [rows, cols]; all addresses are the device's. */
struct weight_view {
    const void *data;    /* values, or codes */
    const float *absmax; /* of int8 [rows] */
    const uint8_t *absmax_codes;
    const float *nested_absmax, *nested_map;
    const uint16_t *scales, *zeros;
    float nested_offset;
    uint32_t rows, cols, format;
    uint32_t block_shift; /* 1 << this: elements that share a scale */
};

/* A kernel is made for one format, or for any, known when it runs: where the decoding is not what takes the time. FP4 is NF4 with
 * another table, so kernels are made for NF4 alone. */
#define DECODE_ANY   (-1)
#define DECODE_TABLE 16u /* values of the 4-bit code, in shared memory */

/* Fills the table; all threads of the block come here, and meet before it is read. */
static __device__ __forceinline__ void decode_prepare(float *table, uint32_t format)
{
    const uint32_t nf4_bits[DECODE_TABLE] = {0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f,
                                             0xbdba7871, 0x00000000, 0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a,
                                             0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000};
    const float fp4[DECODE_TABLE / 2] = {0.0f,      0.0625f / 12, 8.0f / 12, 1.0f,
                                         4.0f / 12, 6.0f / 12,    2.0f / 12, 3.0f / 12}; /* the others negative */
    bool is_fp4 = format == KERNELS_FP4 || format == KERNELS_FP4_NESTED;
    if (threadIdx.x < DECODE_TABLE) {
        float value = 0;
        UNROLL for (unsigned i = 0; i < DECODE_TABLE; i++)
        {
            float other = i < 9 ? fp4[i % 8] : -fp4[i % 8]; /* code 8 is 0 without a sign */
            value = threadIdx.x == i ? (is_fp4 ? other : float_from_bits(nf4_bits[i])) : value;
        }
        table[threadIdx.x] = value;
    }
}

template <int FORMAT> static __device__ __forceinline__ float decode_absmax(const weight_view &w, size_t block)
{
    if (FORMAT == KERNELS_NF4 || (FORMAT == DECODE_ANY && !w.absmax_codes)) return w.absmax[block];
    return w.nested_map[w.absmax_codes[block]] * w.nested_absmax[block / 256] + w.nested_offset;
}

/* A block's scale and zero times codes: q8 to q1. */
static __device__ __forceinline__ float decode_lowbit(uint32_t format, uint32_t code, float scale, float zero)
{
    if (format == KERNELS_Q1) return code ? -scale : scale;
    return scale * (float)code + zero;
}

/* Element i of the flattened weight. */
template <int FORMAT>
static __device__ __forceinline__ float decode_one(const weight_view &w, const float *table, size_t i)
{
    const uint32_t format = FORMAT == DECODE_ANY ? w.format : (uint32_t)FORMAT;
    const uint8_t *codes = (const uint8_t *)w.data;
    if (format == KERNELS_F32) return ((const float *)w.data)[i];
    if (format == KERNELS_BF16) return float_from_bits((uint32_t)((const uint16_t *)w.data)[i] << 16);
    if (format == KERNELS_F16) return float_from_f16(((const uint16_t *)w.data)[i]);
    if (format == KERNELS_INT8) return int8_value((int8_t)codes[i], w.absmax[i / w.cols]);
    if (format >= KERNELS_Q8) {
        uint32_t code = format == KERNELS_Q8   ? codes[i]
                        : format == KERNELS_Q4 ? (i % 2 ? codes[i / 2] & 15u : codes[i / 2] >> 4)
                        : format == KERNELS_Q2 ? codes[i / 4] >> 2 * (i % 4) & 3u
                                               : codes[i / 8] >> i % 8 & 1u;
        return decode_lowbit(format, code, float_from_f16(w.scales[i / 64]),
                             format == KERNELS_Q1 ? 0.0f : float_from_f16(w.zeros[i / 64]));
    }
    uint8_t pair = codes[i / 2];
    return table[i % 2 ? pair & 15 : pair >> 4] * decode_absmax<FORMAT>(w, i >> w.block_shift);
}

/* Eight codes of 4 bits, which a word holds. */
static __device__ __forceinline__ void decode_codes(const float *table, uint32_t codes, float absmax, float out[8])
{
    UNROLL for (uint32_t j = 0; j < 8; j++)
    { /* the earlier of two in the high nibble of its byte */
        uint32_t shift = j / 2 * 8 + (j % 2 ? 0 : 4);
        out[j] = table[codes >> shift & 15u] * absmax;
    }
}

/* Eight values from element `first` on, a multiple of 8, all of them of one row. */
template <int FORMAT>
static __device__ __forceinline__ void decode_eight_at(const weight_view &w, const float *table, size_t first,
                                                       float out[8])
{
    static_assert(FORMAT != DECODE_ANY, "eight values at a time are for kernels made for a format");
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
    if (FORMAT >= KERNELS_Q8) {
        float scale = float_from_f16(w.scales[first / 64]),
              zero = FORMAT == KERNELS_Q1 ? 0.0f : float_from_f16(w.zeros[first / 64]);
        constexpr uint32_t BITS = FORMAT == KERNELS_Q8 ? 8 : FORMAT == KERNELS_Q4 ? 4 : FORMAT == KERNELS_Q2 ? 2 : 1;
        const uint8_t *at = (const uint8_t *)w.data + first / 8 * BITS;
        uint32_t low = BITS >= 4   ? *(const uint32_t *)at
                       : BITS == 2 ? *(const uint16_t *)at
                                   : *at,
                 high = BITS == 8 ? *(const uint32_t *)(at + 4) : 0;
        UNROLL for (uint32_t j = 0; j < 8; j++)
        { /* q4 has the earlier of two in the high nibble */
            uint32_t word = BITS == 8 && j > 3 ? high : low;
            uint32_t shift = BITS == 4 ? j / 2 * 8 + (j % 2 ? 0 : 4) : BITS * (BITS == 8 ? j % 4 : j);
            out[j] = decode_lowbit((uint32_t)FORMAT, word >> shift & ((1u << BITS) - 1), scale, zero);
        }
        return;
    }
    uint32_t codes = *(const uint32_t *)((const uint8_t *)w.data + first / 2);
    decode_codes(table, codes, decode_absmax<FORMAT>(w, first >> w.block_shift), out);
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
    decode_eight_at<FORMAT>(w, table, first, out);
}

/* To bf16, nearest, ties to even. */
static __device__ __forceinline__ uint32_t bf16_bits(float value)
{
    uint32_t bits = bits_from_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

#endif
