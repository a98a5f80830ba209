/* simd_plain.h: the vector words of the inner loops in the compilers' own vectors of four floats, for any processor. */
#ifndef DOCKET_KERNELS_CPU_SIMD_PLAIN_H
#define DOCKET_KERNELS_CPU_SIMD_PLAIN_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/formats/half.h"

#define INLINE static inline __attribute__((always_inline))

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

/* Sums of the lanes of four vectors. Tree: l0 + l2, l1 + l3, both. */
INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    out[0] = (a[0] + a[2]) + (a[1] + a[3]);
    out[1] = (b[0] + b[2]) + (b[1] + b[3]);
    out[2] = (c[0] + c[2]) + (c[1] + c[3]);
    out[3] = (d[0] + d[2]) + (d[1] + d[3]);
}

/* The 64 values of a block in packed order. */
INLINE void v_nf4_block(const uint8_t *codes, float absmax, const float *table, vf out[16])
{
    float scaled[16];

    for (size_t i = 0; i < 16; i++) scaled[i] = table[i] * absmax;
    for (size_t j = 0; j < 8; j++)
        for (size_t i = 0; i < 8; i++) {
            uint8_t byte = codes[4 * i + j / 2];
            out[2 * j + i / 4][i % 4] = scaled[j % 2 ? byte >> 4 : byte & 0xf];
        }
}

#endif
