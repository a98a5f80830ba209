/* simd_avx2.h: the few vector words that the inner loops are written in, for AVX2 with FMA and F16C. */
#ifndef DOCKET_KERNELS_CPU_SIMD_AVX2_H
#define DOCKET_KERNELS_CPU_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/unroll.h"

#define LANES  8u
#define TILE_M 4u /* 8 sums, 4 rows of x, 2 of w: 14 of 16 registers */
#define TILE_N 2u
#define DOT_N  4u

typedef __m256 vf;

INLINE vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
INLINE void v_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}
INLINE vf v_set(float a)
{
    return _mm256_set1_ps(a);
}
INLINE vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
INLINE vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
INLINE vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
INLINE vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
/* b where either is NaN. */
INLINE vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
INLINE vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
INLINE vf v_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^a of whole a from -127 (gives 0) to 127. */
INLINE vf v_exp2_whole(vf a)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127)), 23));
}
INLINE vf v_load_bf16(const uint16_t *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), 16));
}
INLINE vf v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
}
INLINE void v_store_f16(uint16_t *p, vf a)
{
    _mm_storeu_si128((void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both, within each half; then the halves. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    vf ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    vf cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    vf halves = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

INLINE float v_f16(uint16_t a)
{
    return _cvtsh_ss(a);
}
INLINE vf v_load_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)));
}

/* Signed bytes as 16 bits, and the sums of their products with 16 bits in pairs. */
#define INT8_LANES 16u
#define INT8_N     2u /* rows of weights at once: 8 sums */
typedef __m256i vi;
INLINE vi v_zero_i32(void)
{
    return _mm256_setzero_si256();
}
INLINE vi v_widen_i8(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)p));
}
INLINE vi v_add_products(vi sum, vi a, const int16_t *p)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, _mm256_loadu_si256((const void *)p)));
}
INLINE int32_t v_sum_i32(vi a)
{
    int32_t lanes[8], sum = 0;

    _mm256_storeu_si256((void *)lanes, a);
    for (size_t i = 0; i < 8; i++) sum += lanes[i];
    return sum;
}

/* The 64 values of a block of single bits: minus scale where one is set; each bit is shifted to the sign. */
INLINE void v_block1(const uint8_t *codes, float scale, vf out[8])
{
    const __m256i shifts = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    const vf sign = _mm256_set1_ps(-0.0f);

    for (size_t v = 0; v < 8; v++)
        out[v] = _mm256_xor_ps(
            _mm256_set1_ps(scale),
            _mm256_and_ps(sign, _mm256_castsi256_ps(_mm256_sllv_epi32(_mm256_set1_epi32(codes[v]), shifts))));
}

/* The 64 values of a block of 2 bits: a table of four, twice over, is looked up by the low 3 bits of each lane. */
INLINE void v_block2(const uint8_t *codes, float scale, float zero, vf out[8])
{
    const __m256i shifts = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    vf table = _mm256_fmadd_ps(_mm256_setr_ps(0, 1, 2, 3, 0, 1, 2, 3), _mm256_set1_ps(scale), _mm256_set1_ps(zero));

    for (size_t v = 0; v < 8; v++)
        out[v] = _mm256_permutevar8x32_ps(
            table, _mm256_srlv_epi32(_mm256_set1_epi32(codes[2 * v] | codes[2 * v + 1] << 8), shifts));
}

/* The 64 values of a block in packed order. Each half of the scaled table is looked up by the low 3 bits of a lane; bit 3,
 * shifted to the sign, chooses between them. */
INLINE void v_block4(const uint8_t *codes, const float *table, float scale, float zero, vf out[8])
{
    const __m256i words = _mm256_loadu_si256((const void *)codes);
    vf by = _mm256_set1_ps(scale), plus = _mm256_set1_ps(zero);
    vf low = _mm256_fmadd_ps(_mm256_loadu_ps(table), by, plus),
       high = _mm256_fmadd_ps(_mm256_loadu_ps(table + 8), by, plus);

#define BLOCK_WORD(j)                                                                                                  \
    out[j] = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, _mm256_srli_epi32(words, 4 * j)),                          \
                              _mm256_permutevar8x32_ps(high, _mm256_srli_epi32(words, 4 * j)),                         \
                              _mm256_castsi256_ps(_mm256_slli_epi32(words, 28 - 4 * j)))
    BLOCK_WORD(0);
    BLOCK_WORD(1);
    BLOCK_WORD(2);
    BLOCK_WORD(3);
    BLOCK_WORD(4);
    BLOCK_WORD(5);
    BLOCK_WORD(6);
    BLOCK_WORD(7);
#undef BLOCK_WORD
}

#endif
