/* lowbit.c: quantizes one tensor to q8, q4, q2 or q1. Knows neither threads nor vector units. */
#include <math.h>

#include "kernels/formats/lowbit.h"
#include "kernels/formats/lowbit_loops.h"

const float lowbit_steps[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

unsigned lowbit_quantize(unsigned bits, const float *source, size_t n_elements, uint8_t *codes, uint16_t *scales,
                         uint16_t *zeros)
{
    unsigned flags = 0;

    for (size_t i = 0, b = 0; i < n_elements; i += LAYOUT_BLOCK, b++) {
        float whole[LAYOUT_BLOCK] = {0};
        uint8_t bytes[LAYOUT_BLOCK];
        uint16_t scale = 0, zero = 0;
        size_t n = n_elements - i < LAYOUT_BLOCK ? n_elements - i : LAYOUT_BLOCK;
        memcpy(whole, source + i, n * sizeof *whole);
        memset(bytes, 0, sizeof bytes);
        flags |= lowbit_loop_block(bits, whole, n, bytes, &scale, &zero);
        memcpy(codes + b * (LAYOUT_BLOCK * bits / 8), bytes, (n * bits + 7) / 8);
        scales[b] = scale;
        if (zeros) zeros[b] = zero;
    }
    return flags;
}

unsigned lowbit_code(unsigned bits, const uint8_t *codes, size_t i)
{
    switch (bits) {
    case 8:
        return codes[i];
    case 4:
        return i % 2 ? codes[i / 2] & 0xfu : codes[i / 2] >> 4;
    case 2:
        return codes[i / 4] >> 2 * (i % 4) & 3u;
    default:
        return codes[i / 8] >> i % 8 & 1u;
    }
}
