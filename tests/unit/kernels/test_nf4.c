/* test_nf4.c: NF4 against its definition: tables to the bit, every bf16 ratio, blocks of zeros, short and odd ends. What
 * bitsandbytes makes of whole tensors is test_nf4_golden.c's. */
#include <math.h>
#include <stdlib.h>

#include "kernels/formats/half.h"
#include "kernels/formats/nf4.h"
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"

static void tables_have_the_published_bits(void **state)
{
    static const uint32_t values[16] = {0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f,
                                        0xbdba7871, 0x00000000, 0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a,
                                        0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000};
    static const uint32_t thresholds[15] = {0xbf591cd9, 0xbf1c5270, 0xbeeb8480, 0xbeadea76, 0xbe703cec,
                                            0xbe0d38bc, 0xbd3a7871, 0x3d22faff, 0x3df64863, 0x3e5067e0,
                                            0x3e9582d4, 0x3ec753f9, 0x3f006d03, 0x3f248daf, 0x3f5c89d9};

    (void)state;
    for (size_t i = 0; i < 16; i++) assert_int_equal(half_bits_from_f32(nf4_values[i]), values[i]);
    for (size_t i = 0; i < 15; i++) assert_int_equal(half_bits_from_f32(nf4_thresholds[i]), thresholds[i]);
}

/* The recipe of the dynamic map, with the fused steps that the library's own table shows. */
static void nested_map_is_the_recipes_with_fused_steps(void **state)
{
    float want[256] = {0};
    size_t n = 128; /* entry 127 is zero, the positive ones follow */

    (void)state;
    for (int i = 0; i < 7; i++) {
        size_t count = ((size_t)1 << i) + 1;
        float step = (1.0f - 0.1f) / (float)(count - 1), points[65];
        for (size_t k = 0; k < count; k++)
            points[k] = k < count / 2 ? fmaf(step, (float)k, 0.1f) : fmaf(-step, (float)(count - 1 - k), 1.0f);
        for (size_t k = 0; k + 1 < count; k++) want[n++] = (points[k] + points[k + 1]) / 2 * (float)pow(10, i - 6);
    }
    assert_int_equal(n, 255);
    want[255] = 1;
    for (size_t i = 0; i < 127; i++) want[i] = -want[254 - i];
    for (size_t i = 0; i < 256; i++) assert_int_equal(nf4_nested_map[i], half_bits_from_f32(want[i]));
}

static unsigned code_at(const uint8_t *codes, size_t i)
{
    return i % 2 ? codes[i / 2] & 0xf : codes[i / 2] >> 4;
}

/* By exact comparison: value > threshold * absmax, in double, where both products of short numbers are exact. */
static unsigned exact_code(double value, double absmax)
{
    unsigned code = 0;

    while (code < 15 && value > nf4_thresholds[code] * absmax) code++;
    return code;
}

static void every_bf16_ratio_gets_the_code_of_exact_arithmetic(void **state)
{
    size_t n_checked = 0;

    (void)state;
    for (uint32_t a = 0; a < 128; a++)
        for (uint32_t v = 0; v < 128; v++) {
            uint16_t block[64] = {0};
            uint8_t codes[32];
            float absmax;
            block[0] = (uint16_t)(127 << 7 | a); /* the largest */
            for (uint32_t gap = 0; gap < 13; gap++) {
                if (gap == 0 && v > a) continue;
                block[1 + 2 * gap] = (uint16_t)((127 - gap) << 7 | v);
                block[2 + 2 * gap] = block[1 + 2 * gap] | 0x8000;
            }
            assert_true(nf4_quantize_bf16(block, 64, codes, &absmax));
            assert_true(absmax == half_bf16_to_f32(block[0]));
            for (size_t i = 0; i < 64; i++, n_checked++)
                assert_int_equal(code_at(codes, i), exact_code(half_bf16_to_f32(block[i]), absmax));
        }
    assert_true(n_checked > 409728);
}

static void f16_and_f32_agree_with_bf16(void **state)
{
    struct numbers numbers = {4};
    float f32[200], absmax[3][4];
    uint16_t f16[200], bf16[200];
    uint8_t codes[3][100];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        bf16[i] = half_bf16_from_f32(numbers_gaussian(&numbers));
        f32[i] = half_bf16_to_f32(bf16[i]);
        f16[i] = half_f16_from_f32(f32[i]); /* exact: 8 bits of mantissa, small exponents */
        if (half_f16_to_f32(f16[i]) != f32[i]) bf16[i] = 0, f16[i] = 0, f32[i] = 0;
    }
    for (size_t n = 0; n <= 200; n += n < 4 ? 1 : 49) {
        nf4_quantize_f32(f32, n, codes[0], absmax[0]);
        nf4_quantize_f16(f16, n, codes[1], absmax[1]);
        nf4_quantize_bf16(bf16, n, codes[2], absmax[2]);
        for (int i = 1; i < 3; i++) {
            assert_memory_equal(codes[0], codes[i], nf4_code_bytes(n));
            assert_memory_equal(absmax[0], absmax[i], nf4_n_blocks(n) * 4);
        }
    }
}

static void short_odd_and_zero_blocks_are_padded_with_code_seven(void **state)
{
    static const size_t lengths[] = {1, 2, 63, 65, 127, 129, 131};
    float values[131] = {0}, absmax[3], back[131];
    uint8_t codes[66];

    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        size_t n = lengths[l];
        for (int filled = 0; filled < 2; filled++) {
            for (size_t i = 0; i < n; i++) values[i] = filled ? (float)i - 3.5f : 0;
            memset(codes, 0xaa, sizeof codes);
            absmax[0] = absmax[1] = absmax[2] = -5;
            assert_true(nf4_quantize_f32(values, n, codes, absmax));
            for (size_t i = 0; i < n; i++)
                if (!filled) assert_int_equal(code_at(codes, i), 7);
            if (n % 2) assert_int_equal(codes[n / 2] & 0xf, 7);
            if (!filled) assert_true(absmax[n / 64 - (n % 64 == 0)] == 0);
            for (size_t i = (n + 1) / 2; i < sizeof codes; i++) assert_int_equal(codes[i], 0xaa);
            nf4_dequantize(codes, absmax, 0, n, back);
            for (size_t i = 0; i < n;
                 i++) /* the widest gap between codes is 0.304, so no value is further off than half of it */
                assert_true(fabsf(back[i] - values[i]) <= 0.1521f * absmax[i / 64]);
        }
    }
}

static void values_that_are_no_numbers_are_found_wherever_they_are(void **state)
{
    float bad[] = {NAN, INFINITY, -INFINITY, -NAN}, values[150] = {0}, absmax[3];
    uint8_t codes[75];

    (void)state;
    assert_true(nf4_quantize_f32(values, 150, codes, absmax));
    for (size_t i = 0; i < 150; i++)
        for (size_t b = 0; b < 4; b++) {
            values[i] = bad[b];
            assert_false(nf4_quantize_f32(values, 150, codes, absmax));
            values[i] = 0;
        }
    values[3] = 3.4028235e38f;
    assert_true(nf4_quantize_f32(values, 150, codes, absmax));
}

/* The nearest entry by trying all of them; on a middle the lower one. */
static unsigned nearest(float x)
{
    unsigned best = 0;

    for (unsigned i = 1; i < 256; i++) {
        float low = half_f32_from_bits(nf4_nested_map[i - 1]), high = half_f32_from_bits(nf4_nested_map[i]);
        if ((low + high) / 2 < x) best = i;
    }
    return best;
}

static void nested_scales_get_the_nearest_entry_and_come_back(void **state)
{
    enum { N = 600 };
    struct numbers numbers = {11};
    float absmax[N], nested[3], back[N], map[256], offset;
    uint8_t codes[N];
    double sum = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) sum += absmax[i] = fabsf(numbers_gaussian(&numbers)) + 0.5f;
    offset = nf4_nested_offset(absmax, N);
    assert_true(offset == (float)(sum / N));
    nf4_nest(absmax, N, offset, codes, nested);
    for (size_t i = 0; i < N; i++) assert_int_equal(codes[i], nearest((absmax[i] - offset) * (1 / nested[i / 256])));
    memcpy(map, nf4_nested_map, sizeof map);
    for (size_t first = 0; first < N; first += 97) {
        nf4_unnest(codes, nested, map, offset, first, N - first, back);
        for (size_t i = first; i < N; i++) {
            volatile float product = map[codes[i]] * nested[i / 256]; /* rounded, then the sum */
            assert_true(back[i - first] == product + offset);
        }
    }
    nf4_nest(absmax, 1, absmax[0], codes, nested); /* a single block: no difference from its mean */
    assert_int_equal(codes[0], 127);
    assert_true(nested[0] == 0);
}

static void the_offset_is_the_mean_of_the_sum_in_order_to_the_bit(void **state)
{
    enum { MOST = 5000, TIE = 64 };
    static float absmax[MOST];
    struct numbers numbers = {5};

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        size_t n = 1 + numbers_next(&numbers) % MOST;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += absmax[i] = fabsf(numbers_gaussian(&numbers)) + 0.001f;
        assert_true(nf4_nested_offset(absmax, n) == (float)(sum / (double)n));
    }
    /* A mean in the middle of two f32. In order the small ones are lost one by one, and it is rounded to even, down; whoever adds
     * them up first is above the middle. */
    for (size_t i = 0; i < TIE; i++) absmax[i] = 0x1p-24f;
    absmax[0] = 0x1p30f, absmax[1] = 0x1p6f;
    assert_true(nf4_nested_offset(absmax, TIE) == 0x1p30f / TIE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_have_the_published_bits),
        cmocka_unit_test(nested_map_is_the_recipes_with_fused_steps),
        cmocka_unit_test(every_bf16_ratio_gets_the_code_of_exact_arithmetic),
        cmocka_unit_test(f16_and_f32_agree_with_bf16),
        cmocka_unit_test(short_odd_and_zero_blocks_are_padded_with_code_seven),
        cmocka_unit_test(values_that_are_no_numbers_are_found_wherever_they_are),
        cmocka_unit_test(nested_scales_get_the_nearest_entry_and_come_back),
        cmocka_unit_test(the_offset_is_the_mean_of_the_sum_in_order_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
