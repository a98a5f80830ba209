/* NVML, played by tests/fakes/nvml.c: what it says arrives in our units, and whatever is wrong with it costs numbers and nothing else. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/observe/gpu_stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char library[4096];

/* The library lies beside the folder of tests that this program is in. */
static const char *fake(const char *name)
{
    ssize_t n = readlink("/proc/self/exe", library, sizeof(library) - 1);
    assert_true(n > 0);
    library[n] = '\0';
    char *end = strstr(library, "/tests/unit/");
    assert_non_null(end);
    snprintf(end, sizeof(library) - (size_t)(end - library), "/%s", name);
    return library;
}

static struct gpu_stats *opened(const char *broken, const char *bus)
{
    struct gpu_stats *s = NULL;
    struct error err = {0};
    setenv("FAKE_NVML", broken, 1);
    if (gpu_stats_open(&s, fake("libdocket_fake_nvml.so"), bus, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return s;
}

static void what_the_driver_says_arrives(void **state)
{
    struct gpu_stats *s = opened("", "00000000:65:00.0");
    struct gpu_facts facts;
    struct gpu_reading now;
    (void)state;
    gpu_stats_facts(s, &facts);
    gpu_stats_read(s, &now);
    assert_string_equal(facts.name, "NVIDIA H200"); /* the card at that place, not the first */
    assert_string_equal(facts.driver, "570.86.15");
    assert_int_equal(facts.capability_major, 9);
    assert_int_equal(facts.capability_minor, 0);
    assert_int_equal(now.memory_total_bytes, 24000000000);
    assert_int_equal(now.memory_free_bytes, 19000000000);
    assert_int_equal(now.memory_used_bytes, 5000000000);
    assert_int_equal(now.ecc_corrected, 7);
    assert_int_equal(now.ecc_uncorrected, 1);
    assert_true(now.energy_joules == 1234.567);
    assert_true(now.utilization == 0.83);
    gpu_stats_close(s);
}

static void a_card_that_is_not_at_its_place_is_the_first(void **state)
{
    static const char *const places[] = {NULL, "", "00000000:01:00.0"};
    struct gpu_facts facts;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct gpu_stats *s = opened("", places[i]);
        gpu_stats_facts(s, &facts);
        assert_string_equal(facts.name, "NVIDIA GeForce RTX 4090");
        gpu_stats_close(s);
    }
}

static void assert_nothing_known(const struct gpu_reading *r)
{
    assert_true(r->memory_total_bytes == GPU_UNKNOWN && r->memory_used_bytes == GPU_UNKNOWN &&
                r->memory_free_bytes == GPU_UNKNOWN && r->ecc_corrected == GPU_UNKNOWN &&
                r->ecc_uncorrected == GPU_UNKNOWN && isnan(r->energy_joules) && isnan(r->utilization));
}

static void what_is_not_supported_is_unknown_and_the_rest_is_said(void **state)
{
    struct gpu_stats *s = opened("bare=1", NULL);
    struct gpu_facts facts;
    struct gpu_reading now;
    (void)state;
    gpu_stats_facts(s, &facts);
    gpu_stats_read(s, &now);
    assert_string_equal(facts.name, "");
    assert_string_equal(facts.driver, "");
    assert_int_equal(facts.capability_major, -1);
    assert_int_equal(now.memory_total_bytes, 24000000000);
    now.memory_total_bytes = now.memory_free_bytes = now.memory_used_bytes = GPU_UNKNOWN;
    assert_nothing_known(&now);
    gpu_stats_close(s);
}

static void an_older_driver_gives_what_it_has(void **state)
{
    struct gpu_stats *s = NULL;
    struct error err = {0};
    struct gpu_reading now;
    (void)state;
    setenv("FAKE_NVML", "", 1);
    assert_int_equal(gpu_stats_open(&s, fake("libdocket_fake_nvml_old.so"), "00000000:65:00.0", &err), DOCKET_OK);
    gpu_stats_read(s, &now);
    assert_int_equal(now.memory_total_bytes, 24000000000);
    assert_true(isnan(now.energy_joules));
    gpu_stats_close(s);
}

static void what_cannot_be_opened_says_why(void **state)
{
    static const struct {
        const char *broken, *library, *says;
    } cases[] = {
        {"init=9", NULL, "Driver Not Loaded"},
        {"device=15", NULL, "GPU is lost"},
        {"", "/nowhere/libnvidia-ml.so", "/nowhere/libnvidia-ml.so"},
        {"", "libm.so.6", "no nvml"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gpu_stats *s = (struct gpu_stats *)&cases;
        struct error err = {0};
        setenv("FAKE_NVML", cases[i].broken, 1);
        enum status st =
            gpu_stats_open(&s, cases[i].library ? cases[i].library : fake("libdocket_fake_nvml.so"), NULL, &err);
        assert_int_not_equal(st, DOCKET_OK);
        assert_null(s);
        if (!strstr(err.message, cases[i].says)) fail_msg("case %zu: %s", i, err.message);
    }
}

static void one_that_dies_later_is_told_once(void **state)
{
    char text[8192];
    int ends[2];
    struct gpu_reading now;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open(&(struct log_options){.level = LOG_INFO, .json = true, .fd = ends[1]}, NULL), DOCKET_OK);
    struct gpu_stats *s = opened("memory=15 from=2", NULL);
    gpu_stats_read(s, &now);
    assert_int_equal(now.memory_total_bytes, 24000000000);
    for (int i = 0; i < 3; i++) {
        gpu_stats_read(s, &now);
        assert_nothing_known(&now);
    }
    gpu_stats_close(s);
    log_close();
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    assert_true(n > 0);
    text[n] = '\0';
    char *first = strstr(text, "GPU is lost");
    assert_non_null(first);
    assert_null(strstr(first + 1, "GPU is lost"));
}

static void without_one_nothing_is_known(void **state)
{
    struct gpu_reading now;
    struct gpu_facts facts;
    (void)state;
    gpu_stats_read(NULL, &now);
    assert_nothing_known(&now);
    gpu_stats_facts(NULL, &facts);
    assert_string_equal(facts.name, "");
    gpu_stats_close(NULL);
}

static void no_memory_is_an_error(void **state)
{
    struct gpu_stats *s = NULL;
    struct error err = {0};
    (void)state;
    setenv("FAKE_NVML", "", 1);
    mem_fail_at(1, false);
    enum status st = gpu_stats_open(&s, fake("libdocket_fake_nvml.so"), NULL, &err);
    mem_fail_at(0, false);
    assert_int_equal(st, DOCKET_NO_MEMORY);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_driver_says_arrives),
        cmocka_unit_test(a_card_that_is_not_at_its_place_is_the_first),
        cmocka_unit_test(what_is_not_supported_is_unknown_and_the_rest_is_said),
        cmocka_unit_test(an_older_driver_gives_what_it_has),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(one_that_dies_later_is_told_once),
        cmocka_unit_test(without_one_nothing_is_known),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
