/* test_half.c: f16 and bf16 against their definition, every pattern and every midpoint. */
#include <math.h>

#include "kernels/formats/half.h"
#include "tests/support/cmocka.h"

static double f16_value(uint32_t magnitude)
{
    uint32_t exponent = magnitude >> 10, mantissa = magnitude & 0x3ff;

    return exponent ? ldexp(1 + mantissa / 1024.0, (int)exponent - 15) : ldexp(mantissa / 1024.0, -14);
}

static double bf16_value(uint32_t magnitude)
{
    uint32_t exponent = magnitude >> 7, mantissa = magnitude & 0x7f;

    return exponent ? ldexp(1 + mantissa / 128.0, (int)exponent - 127) : ldexp(mantissa / 128.0, -126);
}

static void every_f16_becomes_its_f32(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        assert_true(half_f16_to_f32((uint16_t)h) == f16_value(h));
        assert_true(half_f16_to_f32((uint16_t)(h | 0x8000)) == -f16_value(h));
    }
    assert_true(signbit(half_f16_to_f32(0x8000)));
    assert_true(half_f16_to_f32(0x7c00) == INFINITY && half_f16_to_f32(0xfc00) == -INFINITY);
    for (uint32_t h = 0x7c01; h < 0x8000; h++) assert_true(isnan(half_f16_to_f32((uint16_t)h)));
}

static void every_bf16_becomes_its_f32(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7f80; h++) assert_true(half_bf16_to_f32((uint16_t)h) == bf16_value(h));
    assert_true(half_bf16_to_f32(0xff80) == -INFINITY && isnan(half_bf16_to_f32(0x7fc0)));
}

/* Between two neighbours: the middle goes to the even one, all else to the nearer one. */
static void check_between(uint32_t h, double low, double high, uint16_t (*round)(float))
{
    float middle = (float)((low + high) / 2), sign = 1;

    for (uint32_t bit = 0; bit <= 0x8000; bit += 0x8000, sign = -1) {
        assert_int_equal(round(sign * (float)low), h | bit);
        assert_int_equal(round(sign * middle), (h + (h & 1)) | bit);
        assert_int_equal(round(sign * nextafterf(middle, 0)), h | bit);
        assert_int_equal(round(sign * nextafterf(middle, INFINITY)), (h + 1) | bit);
    }
}

static void f32_to_f16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) check_between(h, f16_value(h), f16_value(h + 1), half_f16_from_f32);
    check_between(0x7bff, 65504, 65536, half_f16_from_f32); /* 65536 would come next: it is infinity */
    assert_int_equal(half_f16_from_f32(3e38f), 0x7c00);
    assert_int_equal(half_f16_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(half_f16_from_f32(0x1p-149f), 0);
    assert_int_equal(half_f16_from_f32(half_f32_from_bits(0x7f800001)), 0x7e00); /* stays NaN, made quiet */
    assert_int_equal(half_f16_from_f32(half_f32_from_bits(0xffffffff)), 0xffff);
}

static void f32_to_bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7f7f; h++) check_between(h, bf16_value(h), bf16_value(h + 1), half_bf16_from_f32);
    assert_int_equal(half_bf16_from_f32(3.4028235e38f), 0x7f80);
    assert_int_equal(half_bf16_from_f32(half_f32_from_bits(0x7f800001)), 0x7fc0);
    assert_int_equal(half_bf16_from_f32(half_f32_from_bits(0xffffffff)), 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_becomes_its_f32),
        cmocka_unit_test(every_bf16_becomes_its_f32),
        cmocka_unit_test(f32_to_f16_rounds_to_nearest_even),
        cmocka_unit_test(f32_to_bf16_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
