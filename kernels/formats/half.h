/* half.h: f16, bf16 and f8_e4m3 as bit patterns, and their conversions from and to f32. One rounding rule: nearest, ties to even.
 * Knows nothing of vector units; the loops here are the definition that those are tested against. */
#ifndef DOCKET_KERNELS_FORMATS_HALF_H
#define DOCKET_KERNELS_FORMATS_HALF_H

#include <stdint.h>
#include <string.h>

#include "kernels/formats/inline.h"

FORMATS_INLINE float half_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

FORMATS_INLINE uint32_t half_bits_from_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

FORMATS_INLINE float half_bf16_to_f32(uint16_t h)
{
    return half_f32_from_bits((uint32_t)h << 16);
}

/* A NaN keeps its sign and upper payload and becomes quiet. */
FORMATS_INLINE uint16_t half_bf16_from_f32(float value)
{
    uint32_t bits = half_bits_from_f32(value);

    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* Exact: every f16 is an f32. A signalling NaN becomes quiet, as the hardware does it. */
FORMATS_INLINE float half_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 0x1fu, mantissa = h & 0x3ffu;

    if (exponent == 0x1fu) return half_f32_from_bits(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0u));
    if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24, which f32 holds as a normal number */
        float magnitude = (float)mantissa * 0x1p-24f;
        return half_f32_from_bits(sign | half_bits_from_f32(magnitude));
    }
    return half_f32_from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

FORMATS_INLINE uint16_t half_f16_from_f32(float value)
{
    uint32_t bits = half_bits_from_f32(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and up round to infinity */
    if (magnitude < 0x38800000u) {                                   /* below 2^-14: subnormal, in steps of 2^-24 */
        uint32_t exponent = magnitude >> 23, shift, significand, result, rest, half;
        if (exponent < 102u) return (uint16_t)sign; /* below 2^-25: nothing left */
        significand = (magnitude & 0x7fffffu) | 0x800000u;
        shift = 126u - exponent;
        result = significand >> shift;
        rest = significand & ((1u << shift) - 1u);
        half = 1u << (shift - 1u);
        return (uint16_t)(sign | (result + (rest > half || (rest == half && (result & 1u)))));
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | ((magnitude >> 13) - (112u << 10)));
}

/* Exact. The fields sit in an f32's places 120 powers of two too low; 0x7f and 0xff are NaN. */
FORMATS_INLINE float half_e4m3_to_f32(uint8_t byte)
{
    uint32_t sign = (uint32_t)(byte & 0x80u) << 24, rest = byte & 0x7fu;
    float value = half_f32_from_bits(rest << 20) * 0x1p120f;

    return half_f32_from_bits(sign | (rest == 0x7fu ? 0x7fc00000u : half_bits_from_f32(value)));
}

#endif
