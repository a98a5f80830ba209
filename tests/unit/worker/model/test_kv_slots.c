/* Slots of the cache: ranges never overlap, and everything comes back. */
#include "tests/support/cmocka.h"
#include "worker/model/kv_slots.h"

#include <stdio.h>
#include <string.h>

static void neighbours_join_again(void **state)
{
    struct kv_slots s;
    uint32_t a, b, c;
    (void)state;
    assert_true(kv_slots_init(&s, 100, 8));
    assert_true(kv_slots_take(&s, 30, &a) && kv_slots_take(&s, 30, &b) && kv_slots_take(&s, 40, &c));
    assert_false(kv_slots_take(&s, 1, &a));
    kv_slots_give(&s, 0, 30);
    kv_slots_give(&s, c, 40);
    assert_int_equal(s.n_gaps, 2);
    assert_false(kv_slots_take(&s, 41, &a)); /* 70 are free, not in one piece */
    kv_slots_give(&s, b, 30);
    assert_int_equal(s.n_gaps, 1);
    assert_int_equal(s.n_free, 100);
    assert_true(kv_slots_take(&s, 100, &a));
    kv_slots_free(&s);
}

static void random_use_never_overlaps(void **state)
{
    enum { SLOTS = 500, RANGES = 32 };
    struct kv_slots s;
    unsigned char owner[SLOTS] = {0};
    struct {
        uint32_t first;
        size_t n;
    } taken[RANGES] = {0};
    uint64_t seed = 12345;
    (void)state;
    assert_true(kv_slots_init(&s, SLOTS, RANGES));
    for (int step = 0; step < 20000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t i = (seed >> 33) % RANGES;
        if (taken[i].n) {
            for (size_t k = 0; k < taken[i].n; k++) assert_int_equal(owner[taken[i].first + k], i + 1);
            memset(owner + taken[i].first, 0, taken[i].n);
            kv_slots_give(&s, taken[i].first, taken[i].n);
            taken[i].n = 0;
            continue;
        }
        size_t n = 1 + (seed >> 40) % 60;
        if (!kv_slots_take(&s, n, &taken[i].first)) continue;
        taken[i].n = n;
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(owner[taken[i].first + k], 0);
            owner[taken[i].first + k] = (unsigned char)(i + 1);
        }
    }
    for (size_t i = 0; i < RANGES; i++) kv_slots_give(&s, taken[i].first, taken[i].n);
    assert_int_equal(s.n_free, SLOTS);
    assert_int_equal(s.n_gaps, 1);
    kv_slots_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(neighbours_join_again),
                                       cmocka_unit_test(random_use_never_overlaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
