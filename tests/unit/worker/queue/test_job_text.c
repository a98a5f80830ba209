/* What a take brings, cut into jobs: a bad element harms no other, and what cannot be answered is counted. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/queue/job_text.h"

#include <stdio.h>
#include <string.h>

/* "a b! ?" : a and b run, b is answered with a problem, one element is malformed. */
static void describe(const struct queue_take *take, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < take->n_jobs; i++)
        at +=
            (size_t)snprintf(out + at, size - at, "%s%s%s%s ", take->jobs[i].id, take->jobs[i].problem.code ? "!" : "",
                             take->jobs[i].problem.code ? error_code_name(take->jobs[i].problem.code) : "", "");
    for (size_t i = 0; i < take->n_malformed; i++) at += (size_t)snprintf(out + at, size - at, "? ");
    if (at) out[at - 1] = '\0';
}

static void good_elements_run_and_bad_ones_are_answered_or_counted(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"single", "{\"id\": \"a\", \"input\": {}}", "a"},
        {"white_space", " \n{\"input\": 1, \"id\": \"a\"}\r\n", "a"},
        {"batch", "[{\"id\":\"a\",\"input\":1}, {\"id\":\"b\",\"input\":[{\"id\":\"x\"}]}]", "a b"},
        {"nothing", "", ""},
        {"empty_list", "[]", ""},
        {"null", "null", ""},
        {"number", "17", ""},
        {"string", "\"job\"", ""},
        {"null_number_and_object_without_id",
         "[null, {\"id\":\"a\",\"input\":1}, 17, {\"input\":1}, {\"id\":\"b\",\"input\":1}]", "a b ? ? ?"},
        {"id_null", "{\"id\": null, \"input\": 1}", "?"},
        {"id_number", "{\"id\": 17, \"input\": 1}", "?"},
        {"id_object", "{\"id\": {\"id\": \"a\"}, \"input\": 1}", "?"},
        {"id_empty", "{\"id\": \"\", \"input\": 1}", "?"},
        {"id_with_newline", "{\"id\": \"a\\r\\nb\", \"input\": 1}", "?"},
        {"id_with_nul", "{\"id\": \"a\\u0000b\", \"input\": 1}", "?"},
        {"id_with_del", "{\"id\": \"a\\u007f\", \"input\": 1}", "?"},
        {"id_odd", "{\"id\": \"/../?#%0d%0a\", \"input\": 1}", "/../?#%0d%0a"},
        {"id_escaped", "{\"\\u0069d\": \"\\u00fc\", \"input\": 1}", "\xc3\xbc"},
        {"input_missing", "{\"id\": \"a\"}", "a!job_field_invalid"},
        {"input_null_is_the_handlers", "{\"id\": \"a\", \"input\": null}", "a"},
        {"bad_grammar", "{\"id\": \"a\", \"input\": {\"x\" 1}}", "a!job_malformed"},
        {"bad_number", "{\"id\": \"a\", \"input\": 01}", "a!job_malformed"},
        {"not_finite", "{\"id\": \"a\", \"input\": 1e999}", "a!job_field_invalid"},
        {"bad_utf8", "{\"id\": \"a\", \"input\": \"\xff\"}", "a!job_encoding_invalid"},
        {"double_key", "{\"id\": \"a\", \"input\": {\"k\":1,\"\\u006b\":2}}", "a!job_field_duplicate"},
        {"double_id", "{\"id\": \"a\", \"input\": 1, \"id\": \"b\"}", "a!job_field_duplicate"},
        {"trailing_bytes", "{\"id\": \"a\", \"input\": 1} xyz", "a!job_malformed"},
        {"two_documents", "{\"id\": \"a\", \"input\": 1}{\"id\": \"b\", \"input\": 1}", "a!job_malformed"},
        {"bad_one_between_good_ones",
         "[{\"id\":\"a\",\"input\":1},{\"id\":\"b\",\"input\":01},{\"id\":\"c\",\"input\":1}]", "a b!job_malformed c"},
        {"cut_inside_the_job", "{\"id\": \"a\", \"input\": {\"x\": \"yyy", "?"},
        {"cut_inside_the_batch", "[{\"id\":\"a\",\"input\":1},{\"id\":\"b\",\"inp", "a ? ?"},
        {"cut_after_an_element", "[{\"id\":\"a\",\"input\":1},", "a ?"},
        {"list_with_a_tail", "[{\"id\":\"a\",\"input\":1}] x", "a ?"},
        {"not_json", "<html>hello</html>", "?"},
        {"brackets_in_strings", "[{\"id\":\"a\",\"input\":\"]}\\\"],\"},{\"id\":\"b\",\"input\":1}]", "a b"},
        {"byte_order_mark", "\xef\xbb\xbf{\"id\": \"a\", \"input\": 1}", "?"},
        {"wrong_brackets", "[}]}", "? ?"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue_take take = {0};
        struct error err = {0};
        char got[512];
        /* a copy of exactly that size, so that the sanitizer sees reads beyond it */
        char *text = mem_dup(cases[i].text, strlen(cases[i].text));
        assert_int_equal(job_text_read(&take, text, strlen(cases[i].text), false, 5, &err), DOCKET_OK);
        describe(&take, got, sizeof(got));
        if (strcmp(got, cases[i].want) != 0) fail_msg("%s: %s", cases[i].name, got);
        queue_take_free(&take);
        mem_free(text);
    }
}

static void what_we_cut_ourselves_is_answered(void **state)
{
    struct queue_take take = {0};
    struct error err;
    const char *text = "[{\"id\":\"a\",\"input\":1},{\"id\":\"b\",\"input\":\"xx";
    (void)state;
    assert_int_equal(job_text_read(&take, text, strlen(text), true, 5, &err), DOCKET_OK);
    assert_int_equal(take.n_jobs, 2);
    assert_string_equal(take.jobs[1].id, "b");
    assert_int_equal(take.jobs[1].problem.code, CODE_job_malformed);
    assert_int_equal(take.n_malformed, 0);
    queue_take_free(&take);
}

static void fields_of_a_job_are_read(void **state)
{
    struct queue_take take = {0};
    struct error err;
    const char *text = " {\"delayTime\": 1500, \"id\": \"a\", \"batchId\": \"b-1\", \"input\" : {\"k\": [1, 2]} , "
                       "\"webhook\": \"x\"} ";
    (void)state;
    assert_int_equal(job_text_read(&take, text, strlen(text), false, 5, &err), DOCKET_OK);
    assert_int_equal(take.n_jobs, 1);
    const struct queue_job *job = &take.jobs[0];
    assert_string_equal(job->batch_id, "b-1");
    assert_true(job->queue_seconds == 1.5);
    assert_int_equal(job->taken_at_ns, 5);
    assert_int_equal(job->json_length, strlen(text) - 2);
    assert_int_equal(job->json[job->json_length], 0);
    assert_int_equal(job->input_length, strlen("{\"k\": [1, 2]}"));
    assert_memory_equal(job->json + job->input_at, "{\"k\": [1, 2]}", job->input_length);
    queue_take_free(&take);
}

static void long_ids_pass_up_to_the_limit(void **state)
{
    static const struct {
        size_t length;
        bool good;
    } cases[] = {{1, true}, {1024, true}, {1025, false}, {10240, false}};
    struct error err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue_take take = {0};
        struct buffer text = {0};
        buffer_append_str(&text, "{\"input\": 1, \"id\": \"");
        for (size_t n = 0; n < cases[i].length; n++) buffer_append_char(&text, 'y');
        buffer_append_str(&text, "\"}");
        assert_int_equal(job_text_read(&take, text.data, text.length, false, 0, &err), DOCKET_OK);
        assert_int_equal(take.n_jobs, cases[i].good);
        assert_int_equal(take.n_malformed, !cases[i].good);
        queue_take_free(&take);
        buffer_free(&text);
    }
}

static void deep_and_wide_texts_are_refused_before_anything_is_built(void **state)
{
    struct queue_take take = {0};
    struct buffer text = {0};
    struct error err;
    (void)state;
    buffer_append_str(&text, "[{\"id\": \"deep\", \"input\": ");
    for (int i = 0; i < 100000; i++) buffer_append_char(&text, '[');
    for (int i = 0; i < 100000; i++) buffer_append_char(&text, ']');
    buffer_append_str(&text, "}, {\"id\": \"wide\", \"input\": [0");
    for (int i = 0; i < 600000; i++) buffer_append_str(&text, ",0");
    buffer_append_str(&text, "]}]");
    assert_int_equal(job_text_read(&take, text.data, text.length, false, 0, &err), DOCKET_OK);
    assert_int_equal(take.n_jobs, 2);
    assert_int_equal(take.jobs[0].problem.code, CODE_job_too_deep);
    assert_int_equal(take.jobs[1].problem.code, CODE_job_too_large);
    queue_take_free(&take);
    buffer_free(&text);
}

static void stop_lists_keep_the_strings(void **state)
{
    static const struct {
        const char *text;
        enum status want;
        size_t n_ids, n_ignored;
    } cases[] = {
        {"{\"jobsToStop\": [\"a\", \"b\", 5]}", DOCKET_OK, 2, 1},
        {"{\"jobsToStop\": []}", DOCKET_OK, 0, 0},
        {"{\"jobsToStop\": [null, {}, \"\", \"a\\nb\"]}", DOCKET_OK, 0, 4},
        {"{\"jobsToStop\": [\"a\", \"b\", \"c\", \"d\"]}", DOCKET_OK, 3, 1},
        {"{\"jobsToStop\": null}", DOCKET_BAD_INPUT, 0, 0},
        {"{\"jobsToStop\": \"a\"}", DOCKET_BAD_INPUT, 0, 0},
        {"{}", DOCKET_BAD_INPUT, 0, 0},
        {"[\"a\"]", DOCKET_BAD_INPUT, 0, 0},
        {"{\"jobsToStop\": [\"a\"", DOCKET_BAD_INPUT, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue_stops stops = {0};
        struct error err;
        enum status st = job_text_read_stops(&stops, cases[i].text, strlen(cases[i].text), 3, &err);
        if (st != cases[i].want || stops.n_ids != cases[i].n_ids || stops.n_ignored != cases[i].n_ignored)
            fail_msg("%s: %s, %zu ids, %zu ignored", cases[i].text, status_name(st), stops.n_ids, stops.n_ignored);
        queue_stops_free(&stops);
    }
}

static void every_failed_allocation_is_survived(void **state)
{
    const char *text = "[{\"id\":\"a\",\"input\":1,\"batchId\":\"x\"},{\"id\":\"b\",\"input\":{\"k\":[1]}},{\"id\":"
                       "\"c\",\"input\":01}]";
    (void)state;
    for (size_t n = 1;; n++) {
        struct queue_take take = {0};
        struct error err = {0};
        mem_fail_at(n, true);
        enum status st = job_text_read(&take, text, strlen(text), false, 0, &err);
        bool reached = mem_count() >= n;
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK || st == DOCKET_NO_MEMORY);
        for (size_t i = 0; i < take.n_jobs; i++) assert_true(take.jobs[i].json || take.jobs[i].problem.code);
        queue_take_free(&take);
        if (!reached) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_elements_run_and_bad_ones_are_answered_or_counted),
        cmocka_unit_test(what_we_cut_ourselves_is_answered),
        cmocka_unit_test(fields_of_a_job_are_read),
        cmocka_unit_test(long_ids_pass_up_to_the_limit),
        cmocka_unit_test(deep_and_wide_texts_are_refused_before_anything_is_built),
        cmocka_unit_test(stop_lists_keep_the_strings),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
