/* simd_avx512.h: the few vector words that the inner loops are written in, for AVX-512 (F, BW, DQ, VL). */
#ifndef DOCKET_KERNELS_CPU_SIMD_AVX512_H
#define DOCKET_KERNELS_CPU_SIMD_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/unroll.h"

#define LANES  16u
#define TILE_M 4u /* 24 sums, 4 rows of x, 1 of w: 29 of 32 registers; 10 loads for 24 multiply-adds */
#define TILE_N 6u
#define DOT_N  4u /* rows of weights at once where x is few */

typedef __m512 vf;

INLINE vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
INLINE void v_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}
INLINE vf v_set(float a)
{
    return _mm512_set1_ps(a);
}
INLINE vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
INLINE vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
INLINE vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
INLINE vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* b where either is NaN. */
INLINE vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
INLINE vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
INLINE vf v_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^a of whole a from -127 (gives 0) to 127. */
INLINE vf v_exp2_whole(vf a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127)), 23));
}
INLINE vf v_load_bf16(const uint16_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16));
}
INLINE vf v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}
INLINE void v_store_f16(uint16_t *p, vf a)
{
    _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both, within each quarter q; then q0 + q2, q1 + q3, both. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    vf ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    vf cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    vf quarters = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(quarters), _mm512_extractf32x8_ps(quarters, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

INLINE float v_f16(uint16_t a)
{
    return _cvtsh_ss(a);
}
INLINE vf v_load_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)));
}

/* Signed bytes as 16 bits, and the sums of their products with 16 bits in pairs. */
#define INT8_LANES 32u
#define INT8_N     4u /* rows of weights at once: 16 sums */
typedef __m512i vi;
INLINE vi v_zero_i32(void)
{
    return _mm512_setzero_si512();
}
INLINE vi v_widen_i8(const int8_t *p)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)p));
}
INLINE vi v_add_products(vi sum, vi a, const int16_t *p)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, _mm512_loadu_si512(p)));
}
INLINE int32_t v_sum_i32(vi a)
{
    return _mm512_reduce_add_epi32(a);
}

/* The 64 values of a block of single bits: minus scale where one is set. */
INLINE void v_block1(const uint8_t *codes, float scale, vf out[4])
{
    for (size_t v = 0; v < 4; v++)
        out[v] = _mm512_mask_blend_ps((__mmask16)(codes[2 * v] | codes[2 * v + 1] << 8), _mm512_set1_ps(scale),
                                      _mm512_set1_ps(-scale));
}

/* The 64 values of a block of 2 bits: a table of four, four times over, is looked up by the low 4 bits of each lane. */
INLINE void v_block2(const uint8_t *codes, float scale, float zero, vf out[4])
{
    const __m512i shifts = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const vf steps = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    vf table = _mm512_fmadd_ps(steps, _mm512_set1_ps(scale), _mm512_set1_ps(zero));

    for (size_t v = 0; v < 4; v++) {
        int32_t word;
        __builtin_memcpy(&word, codes + 4 * v, sizeof word);
        out[v] = _mm512_permutexvar_ps(_mm512_srlv_epi32(_mm512_set1_epi32(word), shifts), table);
    }
}

/* The 64 values of a block in packed order. The scaled table is looked up by the low 4 bits of each lane. */
INLINE void v_block4(const uint8_t *codes, const float *table, float scale, float zero, vf out[4])
{
    const __m512i lanes = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4);
    __m512i words = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)codes));
    vf scaled = _mm512_fmadd_ps(_mm512_loadu_ps(table), _mm512_set1_ps(scale), _mm512_set1_ps(zero));

    words = _mm512_srlv_epi32(words, lanes);
    out[0] = _mm512_permutexvar_ps(words, scaled);
    out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 8), scaled);
    out[2] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 16), scaled);
    out[3] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 24), scaled);
}

/* One block of NF4, the bits of nf4_loop_block. No two thresholds lie in one sixteenth, and none near an end of one: the sixteenth
 * that a value lies in says the code but for one comparison. */
INLINE bool v_nf4_block(const float *values, uint8_t *codes, float *absmax)
{
    static const uint32_t thresholds[32] = {
        0x7f800000u, 0x7f800000u, 0xbf591cd9u, 0x7f800000u, 0x7f800000u, 0x7f800000u, 0xbf1c5270u, 0x7f800000u,
        0xbeeb8480u, 0x7f800000u, 0xbeadea76u, 0x7f800000u, 0xbe703cecu, 0xbe0d38bcu, 0x7f800000u, 0xbd3a7871u,
        0x3d22faffu, 0x3df64863u, 0x7f800000u, 0x3e5067e0u, 0x3e9582d4u, 0x7f800000u, 0x3ec753f9u, 0x7f800000u,
        0x3f006d03u, 0x7f800000u, 0x3f248dafu, 0x7f800000u, 0x7f800000u, 0x3f5c89d9u, 0x7f800000u, 0x7f800000u};
    static const uint32_t below[32] = {0, 0, 0, 1, 1,  1,  1,  2,  2,  3,  3,  4,  4,  5,  6,  6,
                                       7, 8, 9, 9, 10, 11, 11, 12, 12, 13, 13, 14, 14, 14, 15, 15};
    const __m512 low = _mm512_castsi512_ps(_mm512_loadu_si512(thresholds));
    const __m512 high = _mm512_castsi512_ps(_mm512_loadu_si512(thresholds + 16));
    const __m512i codes_low = _mm512_loadu_si512(below), codes_high = _mm512_loadu_si512(below + 16);
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    /* Byte 8 v + i of the block is byte v of 64-bit word i. */
    const __m512i bytes =
        _mm512_setr_epi64(0x3830282018100800, 0x3931292119110901, 0x3a322a221a120a02, 0x3b332b231b130b03, 0, 0, 0, 0);
    __m512i most = _mm512_setzero_si512(), columns = most; /* byte v of lane l: code 16 v + l */
    int32_t largest;
    vf reciprocal;

    for (size_t v = 0; v < 4; v++)
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_loadu_si512(values + 16 * v), magnitude));
    largest = _mm512_reduce_max_epi32(most);
    __builtin_memcpy(absmax, &largest, sizeof largest);
    reciprocal = _mm512_set1_ps(1.0f / (*absmax > 1e-38f ? *absmax : 1e-38f));
    UNROLL for (size_t v = 0; v < 4; v++)
    {
        vf x = _mm512_mul_ps(_mm512_loadu_ps(values + 16 * v), reciprocal), sixteen = _mm512_set1_ps(16);
        __m512i at = _mm512_cvttps_epi32(_mm512_fmadd_ps(x, sixteen, sixteen)), code;
        at = _mm512_max_epi32(_mm512_setzero_si512(), _mm512_min_epi32(at, _mm512_set1_epi32(31)));
        code = _mm512_permutex2var_epi32(codes_low, at, codes_high);
        code = _mm512_mask_add_epi32(code, _mm512_cmp_ps_mask(x, _mm512_permutex2var_ps(low, at, high), _CMP_GT_OQ),
                                     code, _mm512_set1_epi32(1));
        columns = _mm512_or_si512(columns, _mm512_slli_epi32(code, 8 * (unsigned)v));
    }
    columns =
        _mm512_or_si512(_mm512_slli_epi64(columns, 4), _mm512_srli_epi64(columns, 32)); /* the earlier one above */
    _mm256_storeu_si256((void *)codes, _mm512_castsi512_si256(_mm512_permutexvar_epi8(bytes, columns)));
    return largest < 0x7f800000;
}
#define QUANTIZE_NF4_BLOCK v_nf4_block

/* Middles between neighbours of the map of nested scales, column by column: lane k of vector j is middle 16 k + j. */
struct v_middles {
    __m512 columns[16];
};

INLINE void v_find_middles(const float *middles, struct v_middles *out)
{
    float column[16];

    for (size_t j = 0; j < 16; j++) {
        for (size_t k = 0; k < 16; k++) column[k] = middles[16 * k + j];
        out->columns[j] = _mm512_loadu_ps(column);
    }
}

/* How many middles lie below each x: whole rows of 16 by four steps in the last column, then the rest of a row one by one. */
INLINE __m512i v_middles_below(const struct v_middles *middles, __m512 x)
{
    __m512i row = _mm512_setzero_si512(), below;

    UNROLL for (int step = 8; step; step /= 2)
    {
        __m512i at = _mm512_add_epi32(row, _mm512_set1_epi32(step - 1));
        __mmask16 is_above = _mm512_cmp_ps_mask(_mm512_permutexvar_ps(at, middles->columns[15]), x, _CMP_LT_OQ);
        row = _mm512_mask_add_epi32(row, is_above, row, _mm512_set1_epi32(step));
    }
    below = _mm512_slli_epi32(row, 4);
    UNROLL for (size_t j = 0; j < 15; j++)
    {
        __mmask16 is_above = _mm512_cmp_ps_mask(_mm512_permutexvar_ps(row, middles->columns[j]), x, _CMP_LT_OQ);
        below = _mm512_mask_add_epi32(below, is_above, below, _mm512_set1_epi32(1));
    }
    return below;
}

/* One nested block of n scales, n <= 256: the bits of nf4_loop_nest_block. */
INLINE void v_nest_block(const float *absmax, size_t n, float offset, const struct v_middles *middles, uint8_t *codes,
                         float *nested_absmax)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i most = _mm512_setzero_si512();
    float scale;
    int32_t largest;

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 some = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
        __m512 x = _mm512_maskz_sub_ps(some, _mm512_maskz_loadu_ps(some, absmax + i), _mm512_set1_ps(offset));
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(x), magnitude));
    }
    largest = _mm512_reduce_max_epi32(most);
    __builtin_memcpy(&scale, &largest, sizeof scale);
    *nested_absmax = scale;
    scale = 1.0f / (scale > 1e-38f ? scale : 1e-38f);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 some = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
        __m512 x = _mm512_maskz_sub_ps(some, _mm512_maskz_loadu_ps(some, absmax + i), _mm512_set1_ps(offset));
        _mm512_mask_cvtepi32_storeu_epi8(codes + i, some,
                                         v_middles_below(middles, _mm512_mul_ps(x, _mm512_set1_ps(scale))));
    }
}
#define QUANTIZE_MIDDLES      struct v_middles
#define QUANTIZE_FIND_MIDDLES v_find_middles
#define QUANTIZE_NEST_BLOCK   v_nest_block

#endif
