/* simd_avx512.h: the few vector words that the inner loops are written in, for AVX-512 (F, BW, DQ, VL). */
#ifndef DOCKET_KERNELS_CPU_SIMD_AVX512_H
#define DOCKET_KERNELS_CPU_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

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

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both, within each quarter q; then q0 + q2, q1 + q3, both. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    vf ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    vf cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    vf quarters = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(quarters), _mm512_extractf32x8_ps(quarters, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

/* The 64 values of a block in packed order. The scaled table is looked up by the low 4 bits of each lane. */
INLINE void v_nf4_block(const uint8_t *codes, float absmax, const float *table, vf out[4])
{
    const __m512i lanes = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4);
    __m512i words = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)codes));
    vf scaled = _mm512_mul_ps(_mm512_loadu_ps(table), _mm512_set1_ps(absmax));

    words = _mm512_srlv_epi32(words, lanes);
    out[0] = _mm512_permutexvar_ps(words, scaled);
    out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 8), scaled);
    out[2] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 16), scaled);
    out[3] = _mm512_permutexvar_ps(_mm512_srli_epi32(words, 24), scaled);
}

#endif
