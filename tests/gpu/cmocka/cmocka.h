/* cmocka.h: the few words of cmocka that the conformance suites use, for a machine that has a compiler and a GPU and nothing else.
 * The first assertion that fails ends the test; the others still run. */
#ifndef DOCKET_TESTS_GPU_CMOCKA_H
#define DOCKET_TESTS_GPU_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

static jmp_buf cmocka_back;

__attribute__((noreturn, unused)) static void _fail(const char *file, int line)
{
    fprintf(stderr, "%s:%d: error: Failure!\n", file, line);
    longjmp(cmocka_back, 1);
}

__attribute__((noreturn, unused)) static void cmocka_stop(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s\n", what);
    _fail(file, line);
}

#define fail_msg(...)                                                                                                  \
    do {                                                                                                               \
        fprintf(stderr, __VA_ARGS__);                                                                                  \
        _fail(__FILE__, __LINE__);                                                                                     \
    } while (0)
#define cmocka_demand(holds, what) ((holds) ? (void)0 : cmocka_stop(__FILE__, __LINE__, what))

#define print_message(...)              printf(__VA_ARGS__)
#define print_error(...)                fprintf(stderr, __VA_ARGS__)
#define assert_true(x)                  cmocka_demand((x), #x " does not hold")
#define assert_non_null(x)              cmocka_demand((x) != NULL, #x " is null")
#define assert_null(x)                  cmocka_demand((x) == NULL, #x " is not null")
#define assert_int_equal(a, b)          cmocka_demand((long long)(a) == (long long)(b), #a " is not " #b)
#define assert_memory_equal(a, b, size) cmocka_demand(memcmp(a, b, size) == 0, #a " has other bytes than " #b)
#define cmocka_unit_test(function)                                                                                     \
    {                                                                                                                  \
#function, function                                                                                            \
    }
#define cmocka_run_group_tests(t, up, dn) cmocka_run(t, sizeof(t) / sizeof(t)[0], up, dn)

static int cmocka_run(const struct CMUnitTest *tests, size_t n, int (*up)(void **), int (*down)(void **))
{
    volatile int n_failed = 0, ready = 0;
    void *state = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("[==========] Running %zu test(s).\n", n);
    if (setjmp(cmocka_back) == 0) {
        if (up && up(&state) != 0) cmocka_stop(__FILE__, __LINE__, "what comes before the tests failed");
        ready = 1;
    }
    for (volatile size_t i = 0; ready && i < n; i++) {
        printf("[ RUN      ] %s\n", tests[i].name);
        if (setjmp(cmocka_back) == 0) {
            tests[i].run(&state);
            printf("[       OK ] %s\n", tests[i].name);
        } else {
            printf("[  FAILED  ] %s\n", tests[i].name);
            n_failed++;
        }
    }
    if (ready && setjmp(cmocka_back) == 0) {
        if (down && down(&state) != 0) n_failed++;
    } else
        n_failed++; /* before the tests, or after them */
    printf("[==========] %zu test(s) run, %d failed.\n", n, n_failed);
    return n_failed != 0;
}

#endif
