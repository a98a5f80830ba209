/* Buffers: what is appended is there, ceilings hold at the byte, failure sticks until it is read. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"

#include <stdio.h>
#include <string.h>

static void what_is_appended_is_there_and_ended(void **state)
{
    (void)state;
    struct buffer b = {0};
    char want[5000] = "";
    for (int i = 0; i < 500; i++) {
        assert_true(buffer_printf(&b, "%d,", i));
        snprintf(want + strlen(want), sizeof(want) - strlen(want), "%d,", i);
    }
    assert_true(buffer_append_char(&b, '\0'));
    assert_true(buffer_append(&b, NULL, 0));
    assert_string_equal(b.data, want);
    assert_int_equal(b.length, strlen(want) + 1);
    buffer_clear(&b);
    assert_string_equal(b.data, "");
    assert_int_equal(b.length, 0);
    assert_true(buffer_append_str(&b, ""));
    size_t length = 99;
    char *taken = buffer_take(&b, &length);
    assert_string_equal(taken, "");
    assert_int_equal(length, 0);
    mem_free(taken);
    assert_null(b.data);
    taken = buffer_take(&b, NULL); /* of an empty one, too */
    assert_string_equal(taken, "");
    mem_free(taken);
    buffer_free(&b);
}

static void reserved_memory_is_ended_too(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_true(buffer_reserve(&b, 10));
    char *taken = buffer_take(&b, NULL);
    assert_string_equal(taken, "");
    mem_free(taken);
}

static void ceilings_hold_at_the_byte(void **state)
{
    (void)state;
    struct buffer b;
    struct error err;
    buffer_init(&b, 5);
    assert_true(buffer_append_str(&b, "12345"));
    assert_int_equal(buffer_check(&b, "x", &err), DOCKET_OK);
    assert_false(buffer_append_char(&b, '6'));
    assert_true(b.failed && b.over);
    assert_string_equal(b.data, "12345");
    assert_false(buffer_append(&b, "", 0)); /* nothing more until it is cleared */
    assert_false(buffer_printf(&b, "x"));
    assert_int_equal(buffer_check(&b, "answer", &err), DOCKET_LIMIT);
    assert_string_equal(err.message, "answer: larger than 5 bytes");
    buffer_clear(&b);
    assert_true(buffer_printf(&b, "%05d", 1));
    assert_false(buffer_printf(&b, "%d", 1));
    assert_string_equal(b.data, "00001");
    buffer_free(&b);
    assert_int_equal(b.ceiling, 5);
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    struct buffer b = {0};
    size_t out = 7;
    assert_true(buffer_append_char(&b, 'a'));
    assert_false(buffer_reserve(&b, SIZE_MAX));
    assert_false(buffer_reserve(&b, 1));
    buffer_clear(&b);
    assert_false(buffer_reserve(&b, SIZE_MAX - 1));
    buffer_free(&b);
    assert_false(size_mul(SIZE_MAX / 2, 3, &out));
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 7);
    assert_true(size_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    assert_null(mem_resize(NULL, SIZE_MAX, 2));
    assert_null(str_dup_n("", SIZE_MAX));
    assert_null(mem_alloc_aligned(SIZE_MAX - 10, 64));
}

static void failed_memory_is_no_ceiling(void **state)
{
    (void)state;
    struct buffer b = {0};
    struct error err;
    assert_true(buffer_append_str(&b, "kept"));
    mem_fail_at(1, false);
    assert_false(buffer_reserve(&b, 10000));
    mem_fail_at(0, false);
    assert_int_equal(buffer_check(&b, "x", &err), DOCKET_NO_MEMORY);
    assert_string_equal(b.data, "kept");
    buffer_free(&b);
    mem_fail_at(1, true);
    char *taken = buffer_take(&b, NULL);
    mem_fail_at(0, false);
    assert_null(taken);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_is_there_and_ended), cmocka_unit_test(reserved_memory_is_ended_too),
        cmocka_unit_test(ceilings_hold_at_the_byte),           cmocka_unit_test(sizes_that_wrap_are_refused),
        cmocka_unit_test(failed_memory_is_no_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
