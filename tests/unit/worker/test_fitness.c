/* Start checks: limits of the container count, the first failure ends them. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/fitness.h"

#include <string.h>

static void memory_is_what_the_container_may_still_get(void **state)
{
    static const struct {
        const char *limit, *usage;
        uint64_t want;
    } cases[] = {
        {"1000\n", "400\n", 600},
        {"1000", "1500", 0},
        {"max\n", "400\n", UINT64_MAX},
        {"9223372036854771712\n", "400\n", UINT64_MAX}, /* version 1's way to say unlimited */
        {"", "400", UINT64_MAX},
        {"1000", "", UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (fitness_cgroup_available(cases[i].limit, cases[i].usage) != cases[i].want)
            fail_msg("%s %s", cases[i].limit, cases[i].usage);
    assert_int_equal(fitness_meminfo_available("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:    2 kB\n"), 2048);
    assert_true(fitness_meminfo_available("MemTotal: 9 kB\n") == UINT64_MAX);
}

static void limits_that_hold_pass_and_others_say_the_numbers(void **state)
{
    const struct fitness_memory little = {1}, much = {UINT64_MAX / 2};
    const struct fitness_disk some = {"/", 0}, all = {"/", 101}, nowhere = {"/nonexistent", 1};
    struct error err;
    (void)state;
    assert_int_equal(fitness_check_memory(&little, &err), DOCKET_OK);
    assert_int_equal(fitness_check_memory(&much, &err), DOCKET_NO_MEMORY);
    assert_non_null(strstr(err.message, "GiB"));
    assert_int_equal(fitness_check_disk(&some, &err), DOCKET_OK);
    assert_int_equal(fitness_check_disk(&all, &err), DOCKET_IO);
    assert_int_equal(fitness_check_disk(&nowhere, &err), DOCKET_IO);
}

static int n_run;

static enum status good(const void *context, struct error *err)
{
    (void)context;
    (void)err;
    n_run++;
    return DOCKET_OK;
}

static enum status bad(const void *context, struct error *err)
{
    n_run++;
    return fail(err, DOCKET_IO, CODE_NONE, "%s", (const char *)context);
}

static void the_first_failure_ends_the_checks(void **state)
{
    const struct fitness_check checks[] = {{"a", good, NULL}, {"b", bad, "this one"}, {"c", bad, "never run"}};
    struct error err;
    size_t failed = 99;
    (void)state;
    assert_int_equal(fitness_run(checks, 3, &failed, &err), DOCKET_IO);
    assert_int_equal(failed, 1);
    assert_int_equal(n_run, 2);
    assert_string_equal(err.message, "this one");
    assert_int_equal(fitness_run(checks, 1, &failed, &err), DOCKET_OK);
}

int main(void)
{
    const struct log_options quiet = {.level = LOG_OFF, .fd = 2};
    struct error err;
    log_open(&quiet, &err);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_what_the_container_may_still_get),
        cmocka_unit_test(limits_that_hold_pass_and_others_say_the_numbers),
        cmocka_unit_test(the_first_failure_ends_the_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
