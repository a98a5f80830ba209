/* mma.cuh on the host: the fragments as the PTX manual lays them out, the sums one product after another. The tensor core adds in
 * another order, so results agree to rounding, not to the bit. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_MMA_CUH
#define DOCKET_TESTS_CUDA_EMULATION_MMA_CUH

#include "warp.cuh"

static inline void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    struct fragment {
        uint32_t a[4], b[2];
    } mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, all[32];
    emulation::warp_exchange(FULL_WARP, 5, &mine, sizeof mine, all);
    unsigned lane = warp_lane(), g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; i++) {
        unsigned row = g + 8 * (i / 2), column = 2 * t + i % 2;
        for (unsigned k = 0; k < 16; k++) {
            uint32_t word = all[row % 8 * 4 + k % 8 / 2].a[row / 8 + 2 * (k / 8)];
            uint32_t other = all[column * 4 + k % 8 / 2].b[k / 8];
            d[i] += float_from_bits((k % 2 ? word : word << 16) & 0xffff0000u) *
                    float_from_bits((k % 2 ? other : other << 16) & 0xffff0000u);
        }
    }
}

#endif
