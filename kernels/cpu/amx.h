/* amx.h: AMX's tile instructions, and with AMX_TWIN the same in plain C, register for register, so that what is written with them
 * runs in tests where no processor has them. The twin follows Intel's description: products of bf16 are summed with the even
 * and the odd ones of a row of pairs apart, each by fused steps, and both are added to the sum; subnormals are not flushed. */
#ifndef DOCKET_KERNELS_CPU_AMX_H
#define DOCKET_KERNELS_CPU_AMX_H

#include <stdint.h>

struct amx_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[8];
    uint16_t reserved_too[8];
    uint8_t rows[8];
    uint8_t reserved_rows[8];
};
_Static_assert(sizeof(struct amx_config) == 64, "what LDTILECFG reads");

#ifndef AMX_TWIN
#include <immintrin.h>

/* GCC 12 otherwise drops the stores into the configuration that it does not see read. */
#define amx_configure(config)                                                                                          \
    do {                                                                                                               \
        __asm__ volatile("" : : "r"(config) : "memory");                                                               \
        _tile_loadconfig(config);                                                                                      \
    } while (0)
#define amx_release()  _tile_release()
#define amx_zero(tile) _tile_zero(tile)
/* The compiler is not told that it reads memory. */
#define amx_load(tile, at, stride)                                                                                     \
    do {                                                                                                               \
        __asm__ volatile("" : : : "memory");                                                                           \
        _tile_loadd(tile, at, (long)(stride));                                                                         \
    } while (0)
#define amx_store(tile, at, stride) _tile_stored(tile, at, (long)(stride))
#define amx_bf16(sum, a, b)         _tile_dpbf16ps(sum, a, b)
#define amx_int8(sum, a, b)         _tile_dpbsud(sum, a, b) /* a signed, b unsigned */

#else
#include <math.h>
#include <string.h>

#include "kernels/formats/half.h"

struct amx_tiles {
    struct amx_config config;
    uint32_t words[8][16][16];
};
static _Thread_local struct amx_tiles amx_tiles;

static inline void amx_configure(const struct amx_config *config)
{
    memset(&amx_tiles, 0, sizeof amx_tiles);
    amx_tiles.config = *config;
}

static inline void amx_release(void)
{
    memset(&amx_tiles, 0, sizeof amx_tiles);
}

static inline void amx_zero(unsigned tile)
{
    memset(amx_tiles.words[tile], 0, sizeof amx_tiles.words[tile]);
}

static inline void amx_load(unsigned tile, const void *at, size_t stride)
{
    amx_zero(tile);
    for (size_t r = 0; r < amx_tiles.config.rows[tile]; r++)
        memcpy(amx_tiles.words[tile][r], (const char *)at + r * stride, amx_tiles.config.row_bytes[tile]);
}

static inline void amx_store(unsigned tile, void *at, size_t stride)
{
    for (size_t r = 0; r < amx_tiles.config.rows[tile]; r++)
        memcpy((char *)at + r * stride, amx_tiles.words[tile][r], amx_tiles.config.row_bytes[tile]);
}

static inline void amx_bf16(unsigned sum, unsigned a, unsigned b)
{
    for (size_t r = 0; r < amx_tiles.config.rows[sum]; r++) {
        float even[16] = {0}, odd[16] = {0};
        for (size_t k = 0; k < amx_tiles.config.row_bytes[a] / 4u; k++) {
            uint32_t x = amx_tiles.words[a][r][k];
            float low = half_f32_from_bits(x << 16), high = half_f32_from_bits(x & 0xffff0000u);
            for (size_t n = 0; n < 16; n++) {
                uint32_t w = amx_tiles.words[b][k][n];
                even[n] = fmaf(low, half_f32_from_bits(w << 16), even[n]);
                odd[n] = fmaf(high, half_f32_from_bits(w & 0xffff0000u), odd[n]);
            }
        }
        for (size_t n = 0; n < 16; n++)
            amx_tiles.words[sum][r][n] =
                half_bits_from_f32(half_f32_from_bits(amx_tiles.words[sum][r][n]) + (even[n] + odd[n]));
    }
}

static inline void amx_int8(unsigned sum, unsigned a, unsigned b)
{
    for (size_t r = 0; r < amx_tiles.config.rows[sum]; r++)
        for (size_t k = 0; k < amx_tiles.config.row_bytes[a] / 4u; k++)
            for (size_t n = 0; n < 16; n++)
                for (unsigned i = 0; i < 4; i++) {
                    int32_t x = (int8_t)(uint8_t)(amx_tiles.words[a][r][k] >> 8 * i);
                    int32_t w = (uint8_t)(amx_tiles.words[b][k][n] >> 8 * i);
                    amx_tiles.words[sum][r][n] += (uint32_t)(x * w);
                }
}
#endif

#endif
