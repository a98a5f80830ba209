/* The published values of XXH64, and that the way in which bytes are cut does not matter. */
#include "worker/base/checksum.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static uint64_t of(const void *bytes, size_t n)
{
    struct checksum c;
    checksum_init(&c);
    checksum_add(&c, bytes, n);
    return checksum_value(&c);
}

static void values_are_those_of_xxh64(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {
        {"", UINT64_C(0xef46db3751d8e999)},
        {"a", UINT64_C(0xd24ec4f1a98c6e5b)},
        {"abc", UINT64_C(0x44bc2cf5ad770999)},
        {"Nobody inspects the spammish repetition", UINT64_C(0xfbcea83c8a378bf1)},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_true(of(cases[i].text, strlen(cases[i].text)) == cases[i].want);
    (void)state;
}

static void pieces_give_what_the_whole_gives(void **state)
{
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (unsigned char)(i * 151 + i / 7);
    for (size_t n = 0; n <= sizeof(bytes); n += 13)
        for (size_t step = 1; step < 70; step++) {
            struct checksum c;
            checksum_init(&c);
            for (size_t at = 0; at < n; at += step) checksum_add(&c, bytes + at, n - at < step ? n - at : step);
            assert_true(checksum_value(&c) == of(bytes, n));
        }
    (void)state;
}

static void every_single_changed_bit_shows(void **state)
{
    unsigned char bytes[200] = {0};
    for (size_t n = 1; n <= sizeof(bytes); n += 33) {
        uint64_t was = of(bytes, n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_true(of(bytes, n) != was);
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_true(of(bytes, n - 1) != was);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_xxh64),
        cmocka_unit_test(pieces_give_what_the_whole_gives),
        cmocka_unit_test(every_single_changed_bit_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
