/* test_core_trial.c: a core that this machine shows but cannot run is found out before it is chosen, and the next one serves. */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "kernels/cpu/core.h"
#include "tests/conformance/rig.h"
#include "worker/base/log.h"
#include "worker/model/device.h"

/* In place of the C library's: the trial calls it between its products. */
static int signal_at_yield;

int sched_yield(void)
{
    if (signal_at_yield) raise(signal_at_yield);
    return 0;
}

static const char *const names[] = {"avx512_bf16", "avx512_vnni",   "amx_bf16",
                                    "amx_int8",    "amx_bf16_twin", "amx_int8_twin"};
enum { N_NAMES = sizeof names / sizeof names[0] };

/* NULL where this processor does not have it. */
static const struct cpu_core *core_of(const char *name)
{
    struct cpu_choice choice;
    bool int8 = strstr(name, "vnni") || strstr(name, "int8");

    return cpu_choose(name, int8 ? KERNELS_ARITHMETIC_INT8 : KERNELS_ARITHMETIC_BF16, &choice) ? choice.core : NULL;
}

static void every_core_that_is_here_passes_its_trial(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        const struct cpu_core *core = core_of(names[i]);
        const char *why = core ? cpu_core_trial(core) : NULL;
        if (core == NULL) print_message("[  NOTE    ] this processor cannot run %s\n", names[i]);
        if (why) fail_msg("%s: %s", names[i], why);
    }
}

/* Of the core that is tried. */
static const struct cpu_core *real;
static size_t n_products, wrong_product, wrong_sum;
static int number;

static void multiply_badly(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin,
                           size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    if (number) raise(number);
    real->multiply(panel, kind, n_tiles, begin, end, rows, first_row, m, sums);
    if (n_products++ == wrong_product) sums[wrong_sum] = n_products % 2 ? NAN : sums[wrong_sum] + 2;
}

static void a_wrong_product_is_noticed_wherever_and_whenever_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct cpu_core bad;
        if ((real = core_of(names[i])) == NULL) continue;
        bad = *real;
        bad.multiply = multiply_badly;
        for (size_t j = 0; j < 20 * CORE_OUTPUTS; j += j % CORE_OUTPUTS < 31 ? 31 : CORE_OUTPUTS - 31)
            for (size_t when = 0; when < 4; when++) {
                n_products = 0, wrong_product = when, wrong_sum = j;
                if (cpu_core_trial(&bad) == NULL) fail_msg("%s: sum %zu, product %zu", names[i], j, when);
            }
        n_products = 0, wrong_product = SIZE_MAX;
        assert_null(cpu_core_trial(&bad));
    }
}

static void what_stops_a_process_does_not_and_its_handlers_are_as_they_were(void **state)
{
    struct sigaction before, after;

    (void)state;
    if ((real = core_of("avx512_bf16")) == NULL) skip();
    struct cpu_core bad = *real;
    bad.multiply = multiply_badly;
    wrong_product = SIZE_MAX;
    assert_int_equal(sigaction(SIGILL, NULL, &before), 0);
    for (int round = 0; round < 3; round++) {
        number = SIGILL;
        assert_non_null(strstr(cpu_core_trial(&bad), "illegal instruction"));
        number = SIGSEGV;
        assert_non_null(strstr(cpu_core_trial(&bad), "memory"));
        number = 0;
        assert_null(cpu_core_trial(&bad));
    }
    assert_int_equal(sigaction(SIGILL, NULL, &after), 0);
    assert_true(before.sa_handler == after.sa_handler);
}

static void a_device_opens_with_the_next_best_and_says_what_it_passed_over(void **state)
{
    const struct kernels_backend *table = docket_kernels_backend("cpu");
    struct kernels_options options = {.cpu_isa = "auto"};
    struct kernels_description facts[3];
    struct kernels_error error = {0};
    struct kernels_device *device;

    (void)state;
    if (core_of("avx512_bf16") == NULL) skip();
    for (int i = 0; i < 3; i++) {
        signal_at_yield = i == 1 ? SIGILL : 0;
        assert_non_null(device = table->open(&options, &error));
        table->describe(device, &facts[i]);
        table->close(device);
    }
    assert_string_equal(facts[0].passed_over, "");
    assert_string_equal(facts[1].variant, "avx512");
    assert_string_equal(facts[1].arithmetic, "f32");
    assert_non_null(strstr(facts[1].passed_over, "illegal instruction"));
    assert_memory_equal(&facts[0], &facts[2], sizeof facts[0]);
    signal_at_yield = SIGILL; /* who asks for it by name is told */
    options.cpu_isa = "avx512_bf16";
    assert_null(table->open(&options, &error));
    signal_at_yield = 0;
    assert_int_equal(error.code, KERNELS_UNSUPPORTED);
    if (!strstr(error.message, "avx512_bf16") || !strstr(error.message, "illegal instruction"))
        fail_msg("%s", error.message);
}

static void the_log_says_so(void **state)
{
    struct device device;
    struct error err;
    char line[4096] = "";
    int ends[2];

    (void)state;
    if (core_of("avx512_bf16") == NULL) skip();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open(&(struct log_options){.level = LOG_WARN, .json = true, .fd = ends[1]}, &err), DOCKET_OK);
    signal_at_yield = SIGILL;
    assert_int_equal(device_open(&device, &(struct device_options){.backend = "cpu", .n_threads = 1}, &err), DOCKET_OK);
    signal_at_yield = 0;
    device_close(&device);
    log_close();
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    if (!strstr(line, "backend_fallback") || !strstr(line, "avx512_bf16: ") || !strstr(line, "\"serves\": \"avx512\""))
        fail_msg("%s", line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_core_that_is_here_passes_its_trial),
        cmocka_unit_test(a_wrong_product_is_noticed_wherever_and_whenever_it_is),
        cmocka_unit_test(what_stops_a_process_does_not_and_its_handlers_are_as_they_were),
        cmocka_unit_test(a_device_opens_with_the_next_best_and_says_what_it_passed_over),
        cmocka_unit_test(the_log_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
