/* simd_plain.h: the vector words of the inner loops in the compilers' own vectors of four floats, for any processor. */
#ifndef DOCKET_KERNELS_CPU_SIMD_PLAIN_H
#define DOCKET_KERNELS_CPU_SIMD_PLAIN_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cpu/unroll.h"
#include "kernels/formats/half.h"

#define LANES  4u
#define TILE_M 4u
#define TILE_N 2u
#define DOT_N  4u

typedef float vf __attribute__((vector_size(16)));

INLINE vf v_load(const float *p)
{
    vf a;
    memcpy(&a, p, sizeof a);
    return a;
}
INLINE void v_store(float *p, vf a)
{
    memcpy(p, &a, sizeof a);
}
INLINE vf v_set(float a)
{
    return (vf){a, a, a, a};
}
INLINE vf v_add(vf a, vf b)
{
    return a + b;
}
INLINE vf v_sub(vf a, vf b)
{
    return a - b;
}
INLINE vf v_mul(vf a, vf b)
{
    return a * b;
}
INLINE vf v_div(vf a, vf b)
{
    return a / b;
}
INLINE vf v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}
/* b where either is NaN. */
INLINE vf v_max(vf a, vf b)
{
    for (size_t i = 0; i < LANES; i++) b[i] = a[i] > b[i] ? a[i] : b[i];
    return b;
}
INLINE vf v_min(vf a, vf b)
{
    for (size_t i = 0; i < LANES; i++) b[i] = a[i] < b[i] ? a[i] : b[i];
    return b;
}
INLINE vf v_round(vf a)
{
    for (size_t i = 0; i < LANES; i++) a[i] = rintf(a[i]);
    return a;
}
/* 2^a of whole a from -127 (gives 0) to 127. */
INLINE vf v_exp2_whole(vf a)
{
    for (size_t i = 0; i < LANES; i++)
        a[i] = a[i] == a[i] ? half_f32_from_bits((uint32_t)((int32_t)a[i] + 127) << 23) : a[i];
    return a;
}
INLINE vf v_load_bf16(const uint16_t *p)
{
    return (vf){half_bf16_to_f32(p[0]), half_bf16_to_f32(p[1]), half_bf16_to_f32(p[2]), half_bf16_to_f32(p[3])};
}
INLINE vf v_load_f16(const uint16_t *p)
{
    return (vf){half_f16_to_f32(p[0]), half_f16_to_f32(p[1]), half_f16_to_f32(p[2]), half_f16_to_f32(p[3])};
}
INLINE void v_store_f16(uint16_t *p, vf a)
{
    for (size_t i = 0; i < LANES; i++) p[i] = half_f16_from_f32(a[i]);
}

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    out[0] = (a[0] + a[2]) + (a[1] + a[3]);
    out[1] = (b[0] + b[2]) + (b[1] + b[3]);
    out[2] = (c[0] + c[2]) + (c[1] + c[3]);
    out[3] = (d[0] + d[2]) + (d[1] + d[3]);
}

INLINE float v_f16(uint16_t a)
{
    return half_f16_to_f32(a);
}
INLINE vf v_load_u8(const uint8_t *p)
{
    return (vf){p[0], p[1], p[2], p[3]};
}

/* Signed bytes as 16 bits, and the sums of their products with 16 bits in pairs. */
#define INT8_LANES 8u
#define INT8_N     2u
typedef struct {
    int32_t lane[8];
} vi;
INLINE vi v_zero_i32(void)
{
    return (vi){{0}};
}
INLINE vi v_widen_i8(const int8_t *p)
{
    vi a;
    for (size_t i = 0; i < INT8_LANES; i++) a.lane[i] = p[i];
    return a;
}
INLINE vi v_add_products(vi sum, vi a, const int16_t *p)
{
    for (size_t i = 0; i < INT8_LANES; i++) sum.lane[i] += a.lane[i] * p[i];
    return sum;
}
INLINE int32_t v_sum_i32(vi a)
{
    int32_t sum = 0;
    for (size_t i = 0; i < INT8_LANES; i++) sum += a.lane[i];
    return sum;
}

/* The 64 values of a block of single bits: minus scale where one is set. */
INLINE void v_block1(const uint8_t *codes, float scale, vf out[16])
{
    for (size_t i = 0; i < 64; i++) out[i / 4][i % 4] = codes[i / 8] >> i % 8 & 1 ? -scale : scale;
}

/* The 64 values of a block of 2 bits. */
INLINE void v_block2(const uint8_t *codes, float scale, float zero, vf out[16])
{
    for (size_t i = 0; i < 64; i++) out[i / 4][i % 4] = scale * (float)(codes[i / 4] >> 2 * (i % 4) & 3) + zero;
}

/* The 64 values of a block in packed order. */
INLINE void v_block4(const uint8_t *codes, const float *table, float scale, float zero, vf out[16])
{
    float scaled[16];

    for (size_t i = 0; i < 16; i++) scaled[i] = table[i] * scale + zero;
    for (size_t j = 0; j < 8; j++)
        for (size_t i = 0; i < 8; i++) {
            uint8_t byte = codes[4 * i + j / 2];
            out[2 * j + i / 4][i % 4] = scaled[j % 2 ? byte >> 4 : byte & 0xf];
        }
}

#endif
