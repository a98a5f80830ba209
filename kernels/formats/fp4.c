/* fp4.c: quantizes one tensor to FP4. Knows neither threads nor vector units. */
#include "kernels/formats/fp4.h"

#include "kernels/formats/fp4_loops.h"
#include "kernels/kernels.h"

/* 0, 1/16, 8, 12, 4, 6, 2 and 3, divided by 12 in f32. */
const float fp4_values[NF4_N_CODES] = {
    0.0f, 0.0625f / 12,  8.0f / 12,  1.0f,  4.0f / 12,  6.0f / 12,  2.0f / 12,  3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12,
};

/* The literals of the decision tree; they are the middles of their neighbours but for their last decimals. */
const float fp4_thresholds[FP4_N_THRESHOLDS] = {
    0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f,
};

const float *docket_kernels_code_values(enum kernels_format format)
{
    switch (format) {
    case KERNELS_NF4:
    case KERNELS_NF4_NESTED:
        return nf4_values;
    case KERNELS_FP4:
    case KERNELS_FP4_NESTED:
        return fp4_values;
    default:
        return NULL;
    }
}

bool fp4_quantize_f32(const float *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    bool finite = true;

    for (size_t i = 0; i < n_elements; i += NF4_BLOCK, codes += NF4_BLOCK / 2, absmax++) {
        float whole[NF4_BLOCK] = {0};
        uint8_t bytes[NF4_BLOCK / 2];
        size_t n = n_elements - i < NF4_BLOCK ? n_elements - i : NF4_BLOCK;
        memcpy(whole, source + i, n * sizeof *whole);
        finite &= fp4_loop_block(whole, bytes, absmax);
        memcpy(codes, bytes, nf4_code_bytes(n));
    }
    return finite;
}
