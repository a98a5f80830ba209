/* NaN and infinities are counted in every type, at every place of a list, and nothing else is. */
#include "worker/model/not_finite.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <string.h>

static const struct {
    const char *name;
    enum tensor_dtype dtype;
    uint32_t bits;
    unsigned n_nan, n_infinite;
} cases[] = {
    {"f32_nan", DTYPE_F32, 0x7fc00000, 1, 0},
    {"f32_nan_with_the_smallest_load", DTYPE_F32, 0xff800001, 1, 0},
    {"f32_infinity", DTYPE_F32, 0x7f800000, 0, 1},
    {"f32_minus_infinity", DTYPE_F32, 0xff800000, 0, 1},
    {"f32_largest", DTYPE_F32, 0x7f7fffff, 0, 0},
    {"f32_minus_zero", DTYPE_F32, 0x80000000, 0, 0},
    {"f16_nan", DTYPE_F16, 0xfc01, 1, 0},
    {"f16_infinity", DTYPE_F16, 0x7c00, 0, 1},
    {"f16_largest", DTYPE_F16, 0xfbff, 0, 0},
    {"bf16_nan", DTYPE_BF16, 0x7fc0, 1, 0},
    {"bf16_infinity", DTYPE_BF16, 0xff80, 0, 1},
    {"bf16_largest", DTYPE_BF16, 0x7f7f, 0, 0},
    {"f8_nan", DTYPE_F8_E4M3, 0xff, 1, 0},
    {"f8_largest", DTYPE_F8_E4M3, 0x7e, 0, 0},
    {"integers_are_numbers", DTYPE_I32, 0x7fc00000, 0, 0},
};

static void every_one_is_counted_wherever_it_stands(void **state)
{
    enum { N = 67 }; /* wide loops and what is left behind them */
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t width = tensor_dtype_bytes(cases[i].dtype);
        for (size_t at = 0; at < N; at++) {
            uint32_t memory[N] = {0};
            struct not_finite count = {.n_nan = 2, .n_infinite = 3};
            memcpy((char *)memory + at * width, &cases[i].bits, width); /* the low bytes come first */
            not_finite_count(&count, cases[i].dtype, memory, N);
            if (count.n_nan != 2 + cases[i].n_nan || count.n_infinite != 3 + cases[i].n_infinite)
                fail_msg("%s at %zu: %llu NaN, %llu infinite", cases[i].name, at, (unsigned long long)count.n_nan - 2,
                         (unsigned long long)count.n_infinite - 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_one_is_counted_wherever_it_stands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
