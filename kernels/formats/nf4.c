/* nf4.c: quantizes and dequantizes one tensor to and from NF4, bit for bit as bitsandbytes 0.50 does it.
 * Knows neither threads nor vector units. */
#include "kernels/formats/nf4.h"

#include "kernels/formats/half.h"
#include "kernels/formats/nf4_loops.h"

const float nf4_values[NF4_N_CODES] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

/* The literals of the CUDA decision tree; four of them lie one ulp off the middle of their neighbours. */
const float nf4_thresholds[NF4_N_CODES - 1] = {
    -0.8480964004993439f,  -0.6106329262256622f,   -0.4599952697753906f, -0.33967943489551544f, -0.23460740596055984f,
    -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f,   0.2035212516784668f,
    0.2920137718319893f,   0.3893125355243683f,    0.5016634166240692f,  0.6427869200706482f,   0.8614784181118011f,
};

/* Embedded, not computed: the recipe gives other last bits with and without a fused multiply-add. */
const uint32_t nf4_nested_map[NF4_MAP_SIZE] = {
    0xbf7e3333, 0xbf7a999a, 0xbf770000, 0xbf736666, 0xbf6fcccd, 0xbf6c3333, 0xbf68999a, 0xbf650000, 0xbf616666,
    0xbf5dcccd, 0xbf5a3333, 0xbf56999a, 0xbf530000, 0xbf4f6666, 0xbf4bcccd, 0xbf483333, 0xbf44999a, 0xbf410000,
    0xbf3d6666, 0xbf39cccd, 0xbf363334, 0xbf32999a, 0xbf2f0000, 0xbf2b6666, 0xbf27cccd, 0xbf243334, 0xbf20999a,
    0xbf1d0000, 0xbf196666, 0xbf15cccd, 0xbf123334, 0xbf0e999a, 0xbf0b0000, 0xbf076666, 0xbf03cccc, 0xbf003333,
    0xbef93332, 0xbef20000, 0xbeeacccc, 0xbee3999a, 0xbedc6666, 0xbed53333, 0xbece0000, 0xbec6cccc, 0xbebf999a,
    0xbeb86666, 0xbeb13333, 0xbeaa0000, 0xbea2cccc, 0xbe9b999a, 0xbe946666, 0xbe8d3334, 0xbe860000, 0xbe7d9999,
    0xbe6f3333, 0xbe60cccd, 0xbe526666, 0xbe440000, 0xbe35999a, 0xbe273333, 0xbe18cccd, 0xbe0a6666, 0xbdf80000,
    0xbddb3334, 0xbdc9eb85, 0xbdc428f7, 0xbdbe6667, 0xbdb8a3d7, 0xbdb2e148, 0xbdad1eb8, 0xbda75c2a, 0xbda1999a,
    0xbd9bd70a, 0xbd96147b, 0xbd9051eb, 0xbd8a8f5d, 0xbd84cccd, 0xbd7e147b, 0xbd728f5d, 0xbd670a3d, 0xbd5b851f,
    0xbd500000, 0xbd447ae1, 0xbd38f5c3, 0xbd2d70a3, 0xbd21eb85, 0xbd166667, 0xbd0ae148, 0xbcfeb852, 0xbce7ae15,
    0xbcd0a3d7, 0xbcb9999a, 0xbca28f5d, 0xbc8b851f, 0xbc68f5c3, 0xbc3ae148, 0xbc1f3b64, 0xbc160418, 0xbc0ccccd,
    0xbc039581, 0xbbf4bc6a, 0xbbe24dd3, 0xbbcfdf3b, 0xbbbd70a4, 0xbbab020d, 0xbb989374, 0xbb8624dd, 0xbb676c8a,
    0xbb428f5c, 0xbb1db22d, 0xbaf1a9fc, 0xbaa7ef9d, 0xba7765ff, 0xba59e83e, 0xba3c6a80, 0xba1eecc1, 0xba016f01,
    0xb9c7e283, 0xb98ce705, 0xb923d70b, 0xb8ba1f4b, 0xb88aefb3, 0xb8378034, 0xb7b24206, 0xb70205ff, 0xb65a1a94,
    0xb513a3b7, 0x00000000, 0x3513a3b7, 0x365a1a94, 0x370205ff, 0x37b24206, 0x38378034, 0x388aefb3, 0x38ba1f4b,
    0x3923d70b, 0x398ce705, 0x39c7e283, 0x3a016f01, 0x3a1eecc1, 0x3a3c6a80, 0x3a59e83e, 0x3a7765ff, 0x3aa7ef9d,
    0x3af1a9fc, 0x3b1db22d, 0x3b428f5c, 0x3b676c8a, 0x3b8624dd, 0x3b989374, 0x3bab020d, 0x3bbd70a4, 0x3bcfdf3b,
    0x3be24dd3, 0x3bf4bc6a, 0x3c039581, 0x3c0ccccd, 0x3c160418, 0x3c1f3b64, 0x3c3ae148, 0x3c68f5c3, 0x3c8b851f,
    0x3ca28f5d, 0x3cb9999a, 0x3cd0a3d7, 0x3ce7ae15, 0x3cfeb852, 0x3d0ae148, 0x3d166667, 0x3d21eb85, 0x3d2d70a3,
    0x3d38f5c3, 0x3d447ae1, 0x3d500000, 0x3d5b851f, 0x3d670a3d, 0x3d728f5d, 0x3d7e147b, 0x3d84cccd, 0x3d8a8f5d,
    0x3d9051eb, 0x3d96147b, 0x3d9bd70a, 0x3da1999a, 0x3da75c2a, 0x3dad1eb8, 0x3db2e148, 0x3db8a3d7, 0x3dbe6667,
    0x3dc428f7, 0x3dc9eb85, 0x3ddb3334, 0x3df80000, 0x3e0a6666, 0x3e18cccd, 0x3e273333, 0x3e35999a, 0x3e440000,
    0x3e526666, 0x3e60cccd, 0x3e6f3333, 0x3e7d9999, 0x3e860000, 0x3e8d3334, 0x3e946666, 0x3e9b999a, 0x3ea2cccc,
    0x3eaa0000, 0x3eb13333, 0x3eb86666, 0x3ebf999a, 0x3ec6cccc, 0x3ece0000, 0x3ed53333, 0x3edc6666, 0x3ee3999a,
    0x3eeacccc, 0x3ef20000, 0x3ef93332, 0x3f003333, 0x3f03cccc, 0x3f076666, 0x3f0b0000, 0x3f0e999a, 0x3f123334,
    0x3f15cccd, 0x3f196666, 0x3f1d0000, 0x3f20999a, 0x3f243334, 0x3f27cccd, 0x3f2b6666, 0x3f2f0000, 0x3f32999a,
    0x3f363334, 0x3f39cccd, 0x3f3d6666, 0x3f410000, 0x3f44999a, 0x3f483333, 0x3f4bcccd, 0x3f4f6666, 0x3f530000,
    0x3f56999a, 0x3f5a3333, 0x3f5dcccd, 0x3f616666, 0x3f650000, 0x3f68999a, 0x3f6c3333, 0x3f6fcccd, 0x3f736666,
    0x3f770000, 0x3f7a999a, 0x3f7e3333, 0x3f800000,
};

bool nf4_quantize_f32(const float *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    return nf4_loop_f32(source, n_elements, codes, absmax);
}

bool nf4_quantize_bf16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    return nf4_loop_bf16(source, n_elements, codes, absmax);
}

bool nf4_quantize_f16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax)
{
    return nf4_loop_f16(source, n_elements, codes, absmax);
}

/* In order, f64. */
static double sum_in_order(const float *absmax, size_t n_blocks)
{
    double sum = 0;

    for (size_t i = 0; i < n_blocks; i++) sum += absmax[i];
    return sum;
}

/* The definition is the sum in order, which is a chain of additions. Any other order is as far as 2 n 2^-53 of the sum from it, as all
 * of them are positive; where that cannot change the mean in f32 (nearly always), the quick one will do. */
float nf4_nested_offset(const float *absmax, size_t n_blocks)
{
    double lanes[16] = {0}, sum = 0, apart, n = (double)n_blocks;
    size_t i = 0;
    float low, high;

    for (; i + 16 <= n_blocks; i += 16)
        for (size_t l = 0; l < 16; l++) lanes[l] += absmax[i + l];
    for (size_t l = 0; l < 16; l++) sum += lanes[l];
    for (; i < n_blocks; i++) sum += absmax[i];
    apart = sum * 4 * n * 0x1p-53;
    low = (float)((sum - apart) / n), high = (float)((sum + apart) / n);
    return low == high ? low : (float)(sum_in_order(absmax, n_blocks) / n);
}

void nf4_nest(const float *absmax, size_t n_blocks, float offset, uint8_t *absmax_codes, float *nested_absmax)
{
    nf4_loop_nest(absmax, n_blocks, offset, absmax_codes, nested_absmax);
}

void nf4_unnest(const uint8_t *absmax_codes, const float *nested_absmax, const float *nested_map, float nested_offset,
                size_t first_block, size_t n_blocks, float *absmax)
{
    nf4_loop_unnest(absmax_codes, nested_absmax, nested_map, nested_offset, first_block, n_blocks, absmax);
}

void nf4_dequantize(const uint8_t *codes, const float *absmax, size_t first, size_t n_elements, float *out)
{
    for (size_t i = 0; i < n_elements; i++) {
        size_t at = first + i;
        unsigned code = at % 2 ? codes[at / 2] & 0xfu : codes[at / 2] >> 4;
        out[i] = nf4_values[code] * absmax[at / NF4_BLOCK];
    }
}
