/* What docket bench counts by arithmetic: operations and parameters of well-known models, and what a ceiling has done. */
#include "handlers/tools/bench.h"
#include "handlers/tools/bench_subject.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/log.h"
#include "worker/model/synthetic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void config_of(struct model_config *out, const char *name)
{
    struct error err = {0};
    if (synthetic_config(out, name, 0, &err) != DOCKET_OK) fail_msg("%s", err.message);
}

/* Mixtral 8x7B: 4096 x (4096 + 1024 + 1024 + 4096) of attention, 2 experts of 3 x 4096 x 14336 and 8 x 4096 of the router, 32 times. */
static void parameters_and_operations_are_those_of_the_shape(void **state)
{
    struct model_config c;
    const double a_token = 32 * (41943040.0 + 352321536 + 32768);
    (void)state;
    config_of(&c, "mixtral-8x7b");
    assert_true((double)bench_parameters_a_token(&c) == a_token);
    /* All of 1,000 tokens: 25.50 T. Then only the last one has a query in layer 32, and goes on behind it. */
    double all = bench_operations(&c, 1000, 0, 1000), last = bench_operations(&c, 1000, 0, 1);
    assert_true(all == 2 * a_token * 1000 + 4.0 * 500500 * 4096 * 32);
    assert_true(all - last == 2.0 * 999 * (2 * 4096.0 * 4096 + 352321536 + 32768) + 4.0 * (500500 - 1000) * 4096);
    /* A prefix, of which nothing is asked: keys and values are all that the last layer makes. */
    assert_true(all - bench_operations(&c, 1000, 0, 0) ==
                2.0 * 1000 * (2 * 4096.0 * 4096 + 352321536 + 32768) + 4.0 * 500500 * 4096);
    /* Behind others: more keys, nothing else. */
    assert_true(bench_operations(&c, 1, 64, 1) - bench_operations(&c, 1, 0, 1) == 4.0 * 64 * 4096 * 32);
    c.window = 10; /* no row sees more */
    assert_true(bench_operations(&c, 1, 64, 1) - bench_operations(&c, 1, 0, 1) == 4.0 * 9 * 4096 * 32);
    config_of(&c, "gemma-2b");
    assert_true(bench_parameters_a_token(&c) == 18ull * (2048 * 256 * (2 * 8 + 2) + 3ull * 2048 * 16384));
}

static void a_ceiling_says_what_it_has_done(void **state)
{
    static const double each[N_CEILINGS] = {12 * 8 * 2,  12 * 16 * 2,          12 * 16 * 2,         12 * 32 * 2,
                                            12 * 64 * 2, 4 * 16 * 16 * 32 * 2, 4 * 16 * 16 * 64 * 2};
    (void)state;
    for (int i = 0; i < N_CEILINGS; i++) {
        bool tiles = i >= CEILING_BF16_AMX;
        double want = ceiling_can((enum ceiling)i) ? each[i] * (tiles ? 101 : 800) : 0;
        double found = ceiling_multiply((enum ceiling)i, 800);
        if (found != want) fail_msg("%s: %g operations, want %g", ceiling_name((enum ceiling)i), found, want);
    }
}

static void everything_is_read_once(void **state)
{
    enum { N = 64 * 1024 };
    uint64_t *memory = mem_alloc_aligned(N * 8, 4096);
    (void)state;
    assert_non_null(memory);
    for (size_t i = 0; i < N; i++) memory[i] = i;
    assert_true(ceiling_read(memory, N * 8) == (uint64_t)N * (N - 1) / 2);
    assert_true(ceiling_read(memory, 4096) == 512 * 511 / 2);
    mem_free(memory);
}

/* Each allocation in turn fails: what is opened is closed again, and what cannot be measured is a line. */
static void without_memory_there_is_an_error_or_a_line(void **state)
{
    const struct log_options quiet = {.level = LOG_OFF, .fd = STDERR_FILENO};
    struct error err = {0};
    size_t most = 4000;
    (void)state;
    if (log_open(&quiet, &err) != DOCKET_OK) fail_msg("%s", err.message);
    for (size_t n = 1; n < most; n += 1 + n / 12) {
        struct bench_subject *s = mem_zalloc(1, sizeof(*s));
        struct model_options options = {.device = {.backend = "cpu", .n_threads = 1}, .max_model_len = 600};
        struct buffer out = {0};
        assert_non_null(s);
        s->bench.options = (struct bench_options){.prefill_tokens = 16,
                                                  .decode_tokens = 2,
                                                  .document_tokens = 8,
                                                  .prefix_tokens = 4,
                                                  .n_labels = 2,
                                                  .n_together = 1,
                                                  .only = "quantize,prefill,decode,experts,documents",
                                                  .seconds = 1e-9};
        mem_fail_at(n, n % 2 == 0);
        enum status st = bench_subject_make(s, "tiny", 1, &options, &err);
        if (st == DOCKET_OK) bench_subject_measure(s);
        size_t taken = mem_count();
        mem_fail_at(0, false);
        if (st != DOCKET_OK && st != DOCKET_NO_MEMORY && st != DOCKET_NO_DEVICE_MEMORY)
            fail_msg("allocation %zu: %s: %s", n, status_name(st), err.message);
        if (st == DOCKET_OK && taken < n) most = n; /* nothing failed: all have had their turn */
        bench_put_text(&out, &s->report);
        buffer_clear(&out);
        bench_put_json(&out, &s->report);
        cJSON *tree = NULL;
        if (json_parse(&tree, out.data, out.length, NULL, &err) != DOCKET_OK)
            fail_msg("allocation %zu: %s in %s", n, err.message, out.data);
        cJSON_Delete(tree);
        buffer_free(&out);
        bench_subject_close(s);
        mem_free(s);
    }
    log_close();
}

/* What no device says, and what was not measured, is null or left out: never a 0 that looks like a number. */
static void what_is_not_known_is_null(void **state)
{
    struct bench_report *r = mem_zalloc(1, sizeof(*r));
    struct buffer out = {0};
    (void)state;
    assert_non_null(r);
    r->n_rows = 2;
    r->driver_used_bytes = r->driver_total_bytes = GPU_UNKNOWN;
    snprintf(r->rows[0].step, sizeof(r->rows[0].step), "decode");
    snprintf(r->rows[0].problem, sizeof(r->rows[0].problem), "a \"reason\"");
    r->rows[1] = (struct bench_row){.unit = "bytes", .amount = 2, .seconds = 1, .n_rounds = 1, .rate = {.wall = 2}};
    r->n_memory = 1;
    r->memory[0] = (struct bench_memory){"all", 7, 0};
    bench_put_json(&out, r);
    for (const char *const *p =
             (const char *const[]){"\"problem\": \"a \\\"reason\\\"\"}", "\"rate_by_processor_time\": null",
                                   "\"operations_per_second\": null", "\"share\": null", "\"joules_per_unit\": null",
                                   "\"found_bytes\": null", "\"difference_bytes\": null",
                                   "\"device_memory_used_bytes\": null", "\"make_seconds\": null", "\"ceilings\": []",
                                   NULL};
         *p; p++)
        if (!strstr(out.data, *p)) fail_msg("no %s in %s", *p, out.data);
    buffer_clear(&out);
    bench_put_text(&out, r);
    assert_non_null(strstr(out.data, "not measured: a \"reason\""));
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf"));
    buffer_free(&out);
    mem_free(r);
}

/* A share above 100 % comes with its reason, and nothing is explained that is not there. */
static void a_share_above_its_ceiling_is_explained(void **state)
{
    static const struct {
        double operations, bytes;
        bool multiplies, reads;
    } cases[] = {{50, 50, false, false}, {150, 50, true, false}, {50, 150, false, true}, {150, 150, true, true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench_report *r = mem_zalloc(1, sizeof(*r));
        struct buffer out = {0};
        assert_non_null(r);
        r->driver_used_bytes = r->driver_total_bytes = GPU_UNKNOWN;
        snprintf(r->arithmetic, sizeof(r->arithmetic), "bf16");
        r->n_rows = 1;
        r->rows[0] = (struct bench_row){.unit = "tokens",
                                        .amount = 1,
                                        .seconds = 1,
                                        .n_rounds = 1,
                                        .operations = cases[i].operations,
                                        .bytes = cases[i].bytes,
                                        .rate = {.wall = 1}};
        r->rows[0].ceilings[CEILING_F32_AVX512].wall = r->rows[0].ceilings[BENCH_READ].wall = 100;
        bench_put_text(&out, r);
        if (!strstr(out.data, "above 100 % of multiply-adds: products are in bf16") == cases[i].multiplies ||
            !strstr(out.data, "above 100 % of read") == cases[i].reads)
            fail_msg("case %zu: %s", i, out.data);
        buffer_free(&out);
        mem_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_and_operations_are_those_of_the_shape),
        cmocka_unit_test(a_ceiling_says_what_it_has_done),
        cmocka_unit_test(everything_is_read_once),
        cmocka_unit_test(without_memory_there_is_an_error_or_a_line),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(a_share_above_its_ceiling_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
