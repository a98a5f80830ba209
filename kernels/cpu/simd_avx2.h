/* simd_avx2.h: the few vector words that the inner loops are written in, for AVX2 with FMA and F16C. */
#ifndef DOCKET_KERNELS_CPU_SIMD_AVX2_H
#define DOCKET_KERNELS_CPU_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

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

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both, within each half; then the halves. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    vf ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    vf cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    vf halves = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

/* The 64 values of a block in packed order. Each half of the scaled table is looked up by the low 3 bits of a lane; bit 3,
 * shifted to the sign, chooses between them. */
INLINE void v_nf4_block(const uint8_t *codes, float absmax, const float *table, vf out[8])
{
    const __m256i words = _mm256_loadu_si256((const void *)codes);
    vf scale = _mm256_set1_ps(absmax), low = _mm256_mul_ps(_mm256_loadu_ps(table), scale);
    vf high = _mm256_mul_ps(_mm256_loadu_ps(table + 8), scale);

#define NF4_WORD(j)                                                                                                    \
    out[j] = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, _mm256_srli_epi32(words, 4 * j)),                          \
                              _mm256_permutevar8x32_ps(high, _mm256_srli_epi32(words, 4 * j)),                         \
                              _mm256_castsi256_ps(_mm256_slli_epi32(words, 28 - 4 * j)))
    NF4_WORD(0);
    NF4_WORD(1);
    NF4_WORD(2);
    NF4_WORD(3);
    NF4_WORD(4);
    NF4_WORD(5);
    NF4_WORD(6);
    NF4_WORD(7);
#undef NF4_WORD
}

#endif
