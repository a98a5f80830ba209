/* test_formats.c: fp4, int8, q8, q4, q2, q1 and e4m3 against what their definitions promise: tables to the bit, ties, blocks of
 * zeros, short ends, what cannot be held. What bitsandbytes makes of whole
 * tensors: test_fp4_int8_golden.c, and at length tests/oracle. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/formats/fp4.h"
#include "kernels/formats/half.h"
#include "kernels/formats/int8.h"
#include "kernels/formats/lowbit.h"
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"

static void fp4_tables_are_those_of_the_decision_tree(void **state)
{
    static const uint32_t values[8] = {0x00000000, 0x3baaaaab, 0x3f2aaaab, 0x3f800000,
                                       0x3eaaaaab, 0x3f000000, 0x3e2aaaab, 0x3e800000};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(half_bits_from_f32(fp4_values[i]), values[i]);
        assert_true(fp4_values[8 + i] == -fp4_values[i]);
    }
}

static void fp4_chooses_the_nearest_value_and_keeps_signs(void **state)
{
    float block[64], absmax;
    uint8_t codes[32];

    (void)state;
    for (int step = -10000; step <= 10000; step += 63) {
        for (int i = 0; i < 63; i++) block[i] = (float)(step + i) / 10000;
        for (int i = 0; i < 63; i++) block[i] = fabsf(block[i]) > 1 ? 1 : block[i];
        block[63] = 1;
        assert_true(fp4_quantize_f32(block, 64, codes, &absmax));
        assert_true(absmax == 1);
        for (int i = 0; i < 64; i++) {
            unsigned code = i % 2 ? codes[i / 2] & 15u : codes[i / 2] >> 4;
            double off = fabs((double)fp4_values[code] - block[i]), best = 2;
            for (int c = 0; c < 16; c++) best = fmin(best, fabs((double)fp4_values[c] - block[i]));
            assert_true(off <= best + 1e-6); /* the tree's literals are off by that */
            assert_true(block[i] == 0 ? code == 0 : (code >= 8) == (block[i] < 0));
        }
    }
}

static void fp4_ends_short_and_refuses_what_is_not_finite(void **state)
{
    float values[67] = {0}, absmax[2];
    uint8_t codes[34];

    (void)state;
    memset(codes, 0xee, sizeof codes);
    values[64] = -3, values[66] = 1.5f;
    assert_true(fp4_quantize_f32(values, 67, codes, absmax));
    assert_true(absmax[0] == 0 && absmax[1] == 3);
    for (size_t i = 0; i < 32; i++) assert_int_equal(codes[i], 0);
    assert_int_equal(codes[32], 0xb0);
    assert_int_equal(codes[33], 0x50); /* the padded nibble: value 0 */
    values[66] = NAN;
    assert_false(fp4_quantize_f32(values, 67, codes, absmax));
    values[66] = -INFINITY;
    assert_false(fp4_quantize_f32(values, 67, codes, absmax));
}

static void int8_rounds_ties_to_even_and_holds_rows_of_any_size(void **state)
{
    static const float row[] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f, -0.0f, 126.49f};
    static const int8_t want[] = {127, 0, 2, 2, 0, -2, -126, 0, 126};
    static const float scales[] = {1, 0x1p-140f, 0x1p-149f, 0x1p100f};
    int8_t codes[9];
    float values[9], absmax;

    (void)state;
    assert_true(int8_quantize_row(row, 9, codes, &absmax));
    assert_true(absmax == 127);
    assert_memory_equal(codes, want, sizeof want);
    for (size_t s = 0; s < 4; s++) {
        for (size_t i = 0; i < 9; i++) values[i] = (float)(i % 3) * scales[s];
        assert_true(int8_quantize_row(values, 9, codes, &absmax));
        assert_true(absmax == 2 * scales[s]);
        for (size_t i = 0; i < 9; i++) assert_true(codes[i] >= 0 && (i % 3 ? 1 : codes[i] == 0));
    }
    memset(values, 0, sizeof values);
    assert_true(int8_quantize_row(values, 9, codes, &absmax));
    for (size_t i = 0; i < 9; i++) assert_int_equal(codes[i], 0);
    values[8] = INFINITY;
    assert_false(int8_quantize_row(values, 9, codes, &absmax));
}

static void int8_takes_outliers_of_a_row_apart(void **state)
{
    static const float x[] = {1, -6, 5.9999995f, 6, NAN, -0.5f, INFINITY, 0};
    static const uint32_t where[] = {1, 3, 4, 6};
    int16_t codes[8];
    uint32_t outliers[8];
    float absmax;

    (void)state;
    assert_int_equal(int8_split_row(x, 8, codes, &absmax, outliers), 4);
    assert_memory_equal(outliers, where, sizeof where);
    assert_true(absmax == 5.9999995f);
    assert_int_equal(codes[0], 21); /* 127 / 6 = 21.17 */
    assert_int_equal(codes[1], 0);
    assert_int_equal(codes[2], 127);
    assert_int_equal(codes[4], 0);
    assert_int_equal(codes[5], -11); /* -10.58 */
}

static float stored_value(unsigned bits, const uint8_t *codes, const uint16_t *scales, const uint16_t *zeros, size_t i)
{
    unsigned code = lowbit_code(bits, codes, i);

    if (bits == 1) return (code ? -1.0f : 1.0f) * half_f16_to_f32(scales[i / 64]);
    return lowbit_value(code, scales[i / 64], zeros[i / 64]);
}

static double error_of(unsigned bits, const float *x, size_t n)
{
    uint8_t *codes = malloc(n + 64);
    uint16_t *scales = malloc((n / 64 + 1) * 2), *zeros = malloc((n / 64 + 1) * 2);
    double error = 0, size = 0;

    assert_int_equal(lowbit_quantize(bits, x, n, codes, scales, bits == 1 ? NULL : zeros), 0);
    for (size_t i = 0; i < n; i++) {
        error += pow((double)stored_value(bits, codes, scales, zeros, i) - x[i], 2);
        size += pow(x[i], 2);
    }
    free(codes);
    free(scales);
    free(zeros);
    return sqrt(error / size);
}

static void low_bits_have_the_errors_of_their_formats(void **state)
{
    /* Of bell-shaped weights; the known figures of the formats, and one per cent of them more. */
    static const struct {
        unsigned bits;
        double error;
    } cases[] = {{8, 0.00527}, {4, 0.0896}, {2, 0.325}, {1, 0.598}};
    enum { N = 64 * 4000 };
    struct numbers numbers = {7};
    float *x = malloc(N * sizeof *x);

    (void)state;
    for (size_t i = 0; i < N; i++) x[i] = 0.02f * numbers_gaussian(&numbers);
    for (size_t c = 0; c < 4; c++) assert_true(error_of(cases[c].bits, x, N) <= cases[c].error * 1.01);
    free(x);
}

static void eight_and_four_bits_are_within_half_a_step(void **state)
{
    static const size_t sizes[] = {1, 2, 15, 16, 17, 63, 64, 65, 127, 200};
    struct numbers numbers = {9};

    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned bits = 4; bits <= 8; bits += 4) {
            float x[200];
            uint8_t codes[200];
            uint16_t scales[4], zeros[4];
            numbers_fill(&numbers, x, sizes[s]);
            assert_int_equal(lowbit_quantize(bits, x, sizes[s], codes, scales, zeros), 0);
            for (size_t i = 0; i < sizes[s]; i++) {
                double step = half_f16_to_f32(scales[i / 64]), zero = half_f16_to_f32(zeros[i / 64]);
                /* scale and zero are off by 2^-11 of themselves at most, the scale as often as there are codes */
                double limit = step / 2 + (step * ((1u << bits) - 1) + fabs(zero)) * 0x1p-11 + 1e-7;
                assert_true(fabs((double)stored_value(bits, codes, scales, zeros, i) - x[i]) <= limit);
            }
        }
}

static void low_bits_of_flat_and_of_impossible_blocks(void **state)
{
    static const unsigned all_bits[] = {8, 4, 2, 1};
    float x[64];
    uint8_t codes[64];
    uint16_t scale, zero;

    (void)state;
    for (size_t b = 0; b < 4; b++) {
        unsigned bits = all_bits[b];
        for (size_t i = 0; i < 64; i++) x[i] = 0.75f;
        assert_int_equal(lowbit_quantize(bits, x, 64, codes, &scale, &zero), 0);
        for (size_t i = 0; i < 64; i++) assert_true(stored_value(bits, codes, &scale, &zero, i) == 0.75f);
        memset(x, 0, sizeof x);
        assert_int_equal(lowbit_quantize(bits, x, 64, codes, &scale, &zero), 0);
        for (size_t i = 0; i < 64; i++) assert_true(stored_value(bits, codes, &scale, &zero, i) == 0);
        x[63] = NAN;
        assert_int_equal(lowbit_quantize(bits, x, 64, codes, &scale, &zero), LOWBIT_NOT_FINITE);
        x[63] = -INFINITY;
        assert_int_equal(lowbit_quantize(bits, x, 64, codes, &scale, &zero), LOWBIT_NOT_FINITE);
        for (size_t i = 0; i < 64; i++) x[i] = i % 2 ? 1e30f : -3e30f;
        assert_int_equal(lowbit_quantize(bits, x, 64, codes, &scale, &zero), LOWBIT_OUT_OF_RANGE);
    }
    for (size_t i = 0; i < 64; i++) x[i] = i < 3 ? -2.0f : 2.0f;
    assert_int_equal(lowbit_quantize(1, x, 64, codes, &scale, NULL), 0);
    assert_int_equal(codes[0], 7);
    assert_int_equal(codes[1], 0);
    for (size_t i = 0; i < 64; i++) x[i] = (float)(i % 4); /* four levels that 2 bits hold exactly */
    assert_int_equal(lowbit_quantize(2, x, 64, codes, &scale, &zero), 0);
    for (size_t i = 0; i < 64; i++) assert_true(fabsf(stored_value(2, codes, &scale, &zero, i) - x[i]) < 2e-3f);
    assert_int_equal(codes[0], 0xe4); /* 0 1 2 3, the earliest lowest */
}

static void e4m3_is_exact(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        int exponent = byte >> 3 & 15, mantissa = byte & 7;
        double want = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
        float got = half_e4m3_to_f32((uint8_t)byte);
        if ((byte & 0x7f) == 0x7f)
            assert_true(isnan(got));
        else
            assert_true(got == (byte & 0x80 ? -want : want));
    }
    assert_true(half_e4m3_to_f32(0x7e) == 448);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp4_tables_are_those_of_the_decision_tree),
        cmocka_unit_test(fp4_chooses_the_nearest_value_and_keeps_signs),
        cmocka_unit_test(fp4_ends_short_and_refuses_what_is_not_finite),
        cmocka_unit_test(int8_rounds_ties_to_even_and_holds_rows_of_any_size),
        cmocka_unit_test(int8_takes_outliers_of_a_row_apart),
        cmocka_unit_test(low_bits_have_the_errors_of_their_formats),
        cmocka_unit_test(eight_and_four_bits_are_within_half_a_step),
        cmocka_unit_test(low_bits_of_flat_and_of_impossible_blocks),
        cmocka_unit_test(e4m3_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
