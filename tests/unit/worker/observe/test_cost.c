/* Prices: named cards only, never a guess. */
#include "tests/support/cmocka.h"
#include "worker/observe/cost.h"

#include <stdio.h>
#include <string.h>

static void cards_are_found_as_whole_words(void **state)
{
    static const struct {
        const char *device;
        double price; /* negative: unknown */
    } cases[] = {
        {"NVIDIA H200", 0.00155},
        {"NVIDIA H100 80GB HBM3", 0.00116},
        {"NVIDIA A40", 0.00034},
        {"NVIDIA RTX A4000", 0.00016},
        {"NVIDIA L4", 0.00019},
        {"NVIDIA L40S", 0.00053},
        {"NVIDIA A100-SXM4-80GB", 0.00076},
        {"NVIDIA GeForce RTX 4090", 0.00031},
        {"NVIDIA A400", -1},
        {"AMD EPYC 9B45", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct price p;
        price_find(&p, -1, cases[i].device);
        if (p.known != (cases[i].price > 0) || (p.known && p.per_second != cases[i].price))
            fail_msg("%s", cases[i].device);
    }
}

static void the_setting_comes_first_and_zero_is_a_price(void **state)
{
    struct price p;
    (void)state;
    price_find(&p, 0.5, "NVIDIA H200");
    assert_true(p.known && p.per_second == 0.5);
    assert_string_equal(p.source, "GPU_PRICE_PER_SECOND");
    price_find(&p, 0, NULL);
    assert_true(p.known && p.per_second == 0);
    price_find(&p, -1, NULL);
    assert_false(p.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cards_are_found_as_whole_words),
                                       cmocka_unit_test(the_setting_comes_first_and_zero_is_a_price)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
