/* mma.cuh on the host: the fragments as the PTX manual lays them out, the sums one product after another. The tensor core adds in
 * another order, so results agree to rounding, not to the bit. Cards below 8.0 have the smaller products alone. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_MMA_CUH
#define DOCKET_TESTS_CUDA_EMULATION_MMA_CUH

#include "warp.cuh"

#include "kernels/cuda/turing.cuh"

static inline float bf16_half(uint32_t word, unsigned k)
{
    return float_from_bits((k % 2 ? word : word << 16) & 0xffff0000u);
}

static inline float f16_half(uint32_t word, unsigned k)
{
    return float_from_f16((uint16_t)(k % 2 ? word >> 16 : word));
}

template <float value_of(uint32_t, unsigned)>
static inline void mma_words(int kind, float d[4], const uint32_t a[4], const uint32_t b[2])
{
    struct fragment {
        uint32_t a[4], b[2];
    } mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, all[32];
    emulation::warp_exchange(FULL_WARP, kind, &mine, sizeof mine, all);
    unsigned lane = warp_lane(), g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; i++) {
        unsigned row = g + 8 * (i / 2), column = 2 * t + i % 2;
        for (unsigned k = 0; k < 16; k++) {
            uint32_t word = all[row % 8 * 4 + k % 8 / 2].a[row / 8 + 2 * (k / 8)];
            uint32_t other = all[column * 4 + k % 8 / 2].b[k / 8];
            d[i] += value_of(word, k) * value_of(other, k);
        }
    }
}

static inline void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    if (emulation::card_is_turing())
        turing_mma_bf16(d, a, b);
    else
        mma_words<bf16_half>(5, d, a, b);
}

static inline void mma_f16_k8(float *d, uint32_t a0, uint32_t a1, uint32_t b)
{
    const uint32_t mine[3] = {a0, a1, b};
    uint32_t all[32][3];
    emulation::warp_exchange(FULL_WARP, 11, mine, sizeof mine, all);
    unsigned g = warp_lane() / 4, t = warp_lane() % 4;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 8; k++)
            d[i] += f16_half(all[g * 4 + k / 2][i / 2], k) * f16_half(all[(2 * t + i % 2) * 4 + k / 2][2], k);
}

static inline void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    if (emulation::card_is_turing())
        turing_mma_f16<mma_f16_k8>(d, a, b);
    else
        mma_words<f16_half>(8, d, a, b);
}

/* The sums wrap, as the tensor core's. */
static inline void mma_s8_m8(int *d, uint32_t a, uint32_t b)
{
    const uint32_t mine[2] = {a, b};
    uint32_t all[32][2];
    emulation::warp_exchange(FULL_WARP, 12, mine, sizeof mine, all);
    unsigned g = warp_lane() / 4, t = warp_lane() % 4;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned word = 0; word < 4; word++)
            d[i] = (int)((unsigned)d[i] + (unsigned)dot_bytes(all[g * 4 + word][0], all[(2 * t + i) * 4 + word][1], 0));
}

static inline void mma_s8(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    struct fragment {
        uint32_t a[4], b[2];
    } mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, all[32];
    if (emulation::card_is_turing()) {
        turing_mma_s8<mma_s8_m8>(d, a, b);
        return;
    }
    emulation::warp_exchange(FULL_WARP, 13, &mine, sizeof mine, all);
    unsigned g = warp_lane() / 4, t = warp_lane() % 4;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned word = 0; word < 8; word++)
            d[i] = (int)((unsigned)d[i] + (unsigned)dot_bytes(all[g * 4 + word % 4].a[i / 2 + word / 4 * 2],
                                                              all[(2 * t + i % 2) * 4 + word % 4].b[word / 4], 0));
}

static inline void load_matrices(uint32_t to[4], const void *row)
{
    const uint32_t *rows[32];
    emulation::warp_exchange(FULL_WARP, 9, &row, sizeof row, rows);
    for (unsigned i = 0; i < 4; i++) to[i] = rows[8 * i + warp_lane() / 4][warp_lane() % 4];
}

static inline void load_matrices_transposed(uint32_t to[4], const void *row)
{
    const uint16_t *rows[32];
    emulation::warp_exchange(FULL_WARP, 10, &row, sizeof row, rows);
    unsigned g = warp_lane() / 4, t = warp_lane() % 4;
    for (unsigned i = 0; i < 4; i++) to[i] = rows[8 * i + 2 * t][g] | (uint32_t)rows[8 * i + 2 * t + 1][g] << 16;
}

#endif
