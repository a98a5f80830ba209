/* kv.h: how one key or value of a head lies in a cache, and the definition of q8_0 and q4_0, inline, so that each instruction
 * set's file compiles it with its own flags. The bits are the same whatever the flags.
 *
 * Groups of 32 along the head, the last one short: an f16 scale, then 32 signed bytes (q8_0: absmax / 127), or 16 bytes with
 * elements i and i + 16 in the low and high nibble (q4_0: the largest value / -8, codes from 8 down and up). What is not
 * finite makes its whole group NaN. */
#ifndef DOCKET_KERNELS_FORMATS_KV_H
#define DOCKET_KERNELS_FORMATS_KV_H

#include <stddef.h>

#include "kernels/formats/half.h"
#include "kernels/kernels.h"

#define KV_GROUP 32u

/* Bytes of one group; 0 for formats without groups. */
FORMATS_INLINE size_t kv_group_bytes(enum kernels_format format)
{
    return format == KERNELS_KV_Q8_0 ? 2 + KV_GROUP : format == KERNELS_KV_Q4_0 ? 2 + KV_GROUP / 2 : 0;
}

/* Bytes of one key or value; 0 for formats that no cache has. */
FORMATS_INLINE size_t kv_vector_bytes(enum kernels_format format, size_t head_size)
{
    if (format == KERNELS_F32) return head_size * 4;
    if (format == KERNELS_F16) return head_size * 2;
    return (head_size + KV_GROUP - 1) / KV_GROUP * kv_group_bytes(format);
}

/* Vectors of keys, or of values, that a cache of that shape holds: [layer, head, slot], then [head, running slot]. */
FORMATS_INLINE size_t kv_place(size_t n_layers, size_t n_slots, size_t n_running, size_t n_kv_heads, size_t layer,
                               size_t head, size_t slot)
{
    return slot < n_slots ? (layer * n_kv_heads + head) * n_slots + slot
                          : n_layers * n_kv_heads * n_slots + head * n_running + (slot - n_slots);
}

/* How many those are; SIZE_MAX if more than can be. */
FORMATS_INLINE size_t kv_vectors(const struct kernels_kv_shape *s)
{
    const size_t most = (size_t)1 << 46;
    if (s->n_slots > INT32_MAX || s->n_running > INT32_MAX - s->n_slots || s->n_kv_heads > most) return SIZE_MAX;
    if (s->n_slots && s->n_layers > most / s->n_slots) return SIZE_MAX;
    const size_t slots = s->n_layers * s->n_slots + s->n_running;
    return s->n_kv_heads && slots > most / s->n_kv_heads ? SIZE_MAX : slots * s->n_kv_heads;
}

FORMATS_INLINE float kv_whole(float x)
{
    return (x + 12582912.0f) - 12582912.0f; /* nearest, ties to even */
}

FORMATS_INLINE void kv_store_group(enum kernels_format format, const float *x, uint8_t *to)
{
    float largest = 0, extreme = 0, most = format == KERNELS_KV_Q8_0 ? 127 : 7,
          least = format == KERNELS_KV_Q8_0 ? -127 : -8;
    float scale, inverse, codes[KV_GROUP];
    uint16_t stored;

    for (size_t i = 0; i < KV_GROUP; i++) {
        float magnitude = half_f32_from_bits(half_bits_from_f32(x[i]) & 0x7fffffffu);
        if (!(magnitude <= largest)) largest = magnitude, extreme = x[i];
        if (magnitude != magnitude) break;
    }
    stored = half_f16_from_f32(format == KERNELS_KV_Q8_0 ? largest / 127 : extreme / -8);
    if ((stored & 0x7c00u) == 0x7c00u) stored = 0x7e00;
    scale = half_f16_to_f32(stored);
    inverse = scale != 0 && scale == scale ? 1 / scale : 0;
    memcpy(to, &stored, sizeof stored);
    for (size_t i = 0; i < KV_GROUP; i++) {
        float code = scale == scale ? x[i] * inverse : 0;
        code = code < most ? code : most;
        codes[i] = kv_whole(code > least ? code : least);
    }
    if (format == KERNELS_KV_Q8_0)
        for (size_t i = 0; i < KV_GROUP; i++) to[2 + i] = (uint8_t)(int8_t)codes[i];
    else
        for (size_t i = 0; i < KV_GROUP / 2; i++)
            to[2 + i] = (uint8_t)(((int)codes[i] + 8) | ((int)codes[i + KV_GROUP / 2] + 8) << 4);
}

FORMATS_INLINE void kv_load_group(enum kernels_format format, const uint8_t *from, float *out)
{
    uint16_t stored;
    float scale;

    memcpy(&stored, from, sizeof stored);
    scale = half_f16_to_f32(stored);
    if (format == KERNELS_KV_Q8_0)
        for (size_t i = 0; i < KV_GROUP; i++) out[i] = (float)(int8_t)from[2 + i] * scale;
    else
        for (size_t i = 0; i < KV_GROUP / 2; i++) {
            out[i] = (float)((int)(from[2 + i] & 0xfu) - 8) * scale;
            out[i + KV_GROUP / 2] = (float)((int)(from[2 + i] >> 4) - 8) * scale;
        }
}

static inline void kv_store(enum kernels_format format, const float *x, size_t n, void *to)
{
    uint8_t *at = (uint8_t *)to;

    if (format == KERNELS_F32) {
        memcpy(to, x, n * sizeof *x);
        return;
    }
    if (format == KERNELS_F16) {
        for (size_t i = 0; i < n; i++) ((uint16_t *)to)[i] = half_f16_from_f32(x[i]);
        return;
    }
    for (size_t i = 0; i < n; i += KV_GROUP, at += kv_group_bytes(format)) {
        float group[KV_GROUP] = {0};
        memcpy(group, x + i, (n - i < KV_GROUP ? n - i : KV_GROUP) * sizeof *x);
        kv_store_group(format, group, at);
    }
}

static inline void kv_load(enum kernels_format format, const void *from, size_t n, float *out)
{
    const uint8_t *at = (const uint8_t *)from;
    size_t i = 0;

    if (format == KERNELS_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    if (format == KERNELS_F16) {
        for (; i < n; i++) out[i] = half_f16_to_f32(((const uint16_t *)from)[i]);
        return;
    }
    for (; i + KV_GROUP <= n; i += KV_GROUP, at += kv_group_bytes(format)) kv_load_group(format, at, out + i);
    if (i < n) {
        float group[KV_GROUP];
        kv_load_group(format, at, group);
        memcpy(out + i, group, (n - i) * sizeof *out);
    }
}

#endif
