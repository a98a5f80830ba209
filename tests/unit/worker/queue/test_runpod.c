/* The settings of a RunPod queue, what its statuses mean, and the local queue of one job. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/queue/local.h"
#include "worker/queue/runpod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ping_intervals_of_the_platform_are_clamped(void **state)
{
    static const struct {
        const char *value;
        double want;
        bool clamped;
    } cases[] = {
        {NULL, 10, false},
        {"", 10, false},
        {"4000", 4, false},
        {"10000", 10, false},
        {"1500", 1.5, false},
        {"1000", 1, false},
        {"999", 1, true},
        {"0", 1, true},
        {"-5", 1, true},
        {"60001", 60, true},
        {"1e9", 10, true},
        {"ten", 10, true},
        {"99999999999999999999", 60, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool clamped;
        double got = runpod_ping_interval(cases[i].value, &clamped);
        if (got != cases[i].want || clamped != cases[i].clamped) fail_msg("%s: %g %d", cases[i].value, got, clamped);
    }
}

static void statuses_of_results_split_by_what_to_do_next(void **state)
{
    static const struct {
        enum queue_verdict want;
        int statuses[10];
    } cases[] = {
        {QUEUE_DONE, {200, 201, 204, 299}},
        {QUEUE_REFUSED, {400, 404, 409, 410, 413, 422}},
        {QUEUE_RETRY, {408, 425, 500, 502, 503, 504, 302, 307, 418}},
        {QUEUE_BUSY, {429}},
        {QUEUE_UNAUTHORIZED, {401, 403}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t j = 0; cases[i].statuses[j]; j++)
            if (runpod_result_verdict(cases[i].statuses[j]) != cases[i].want) fail_msg("%d", cases[i].statuses[j]);
}

static void bad_settings_stop_the_start(void **state)
{
    static const struct {
        const char *name, *take, *done, *ping, *key;
        bool good;
    } cases[] = {
        {"usual", "https://h/job-take/$ID?gpu=A B", "https://h/job-done/$RUNPOD_POD_ID/$ID",
         "https://h/ping/$RUNPOD_POD_ID", "key", true},
        {"hub_harness", "http://0.0.0.0:80/v2/IDE/job-take/$RUNPOD_POD_ID",
         "http://0.0.0.0:80/d/$ID?gpu=$RUNPOD_GPU_TYPE_ID", NULL, NULL, true},
        {"already_expanded", "https://h/job-take/w1", "https://h/job-done/w1/$ID", NULL, "key", true},
        {"empty_take", "", "https://h/$ID", NULL, "key", false},
        {"no_done", "https://h/job-take/$ID", NULL, NULL, "key", false},
        {"take_without_id", "https://h/job-take/", "https://h/$ID", NULL, "key", false},
        {"done_without_id", "https://h/job-take/$ID", "https://h/done", NULL, "key", false},
        {"clear_text", "http://api.runpod.ai/job-take/$ID", "https://h/$ID", NULL, "key", false},
        {"clear_text_ping", "https://h/job-take/$ID", "https://h/$ID", "http://api.runpod.ai/ping", "key", false},
        {"user_in_url", "https://u:p@h/job-take/$ID", "https://h/$ID", NULL, "key", false},
        {"newline_in_url", "https://h/job-take/$ID\nx", "https://h/$ID", NULL, "key", false},
        {"newline_in_key", "https://h/job-take/$ID", "https://h/$ID", NULL, "key\r\nX: y", false},
        {"key_not_ascii", "https://h/job-take/$ID", "https://h/$ID", NULL, "k\xc3\xa9y", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue *queue = NULL;
        struct error err = {0};
        const struct runpod_options o = {.take_url = cases[i].take,
                                         .done_url = cases[i].done,
                                         .ping_url = cases[i].ping,
                                         .api_key = cases[i].key,
                                         .worker_id = "w1"};
        enum status st = runpod_open(&queue, &o, &err);
        if (st != (cases[i].good ? DOCKET_OK : DOCKET_BAD_CONFIG))
            fail_msg("%s: %s %s", cases[i].name, status_name(st), err.message);
        if (!cases[i].good) assert_int_equal(exit_code_of(&err), DOCKET_EXIT_CONFIG);
        if (cases[i].key && cases[i].key[0] != 'k') assert_null(strstr(err.message, cases[i].key));
        runpod_close(queue);
    }
}

static void what_is_missing_switches_parts_off(void **state)
{
    struct queue *queue = NULL;
    struct error err;
    struct runpod_options o = {
        .take_url = "https://h/take/$ID", .done_url = "https://h/$ID", .ping_url = "https://h/p", .worker_id = "w1"};
    (void)state;
    assert_string_equal(runpod_heartbeat_missing(&o), "RUNPOD_AI_API_KEY");
    o.api_key = "k";
    assert_null(runpod_heartbeat_missing(&o));
    assert_int_equal(runpod_open(&queue, &o, &err), DOCKET_OK);
    assert_non_null(queue->ping);
    assert_null(queue->stop_poll); /* the take URL has no /job-take/ to swap */
    runpod_close(queue);
    o.ping_url = NULL;
    assert_string_equal(runpod_heartbeat_missing(&o), "RUNPOD_WEBHOOK_PING");
    o.worker_id_is_made_up = true;
    assert_string_equal(runpod_heartbeat_missing(&o), "RUNPOD_POD_ID");
    assert_int_equal(runpod_open(&queue, &o, &err), DOCKET_OK);
    assert_null(queue->ping);
    assert_null(queue->report_unhealthy);
    runpod_close(queue);
}

static void the_local_queue_has_one_job_and_ends(void **state)
{
    static const struct {
        const char *input;
        enum status want;
        const char *id;
    } cases[] = {
        {"{\"input\": {\"a\": 1}}", DOCKET_OK, "local_test"},
        {"{\"id\": \"mine\", \"input\": 0}", DOCKET_OK, "mine"},
        {"{\"id\": \"mine\"}", DOCKET_BAD_INPUT, NULL},
        {"{\"input\": null}", DOCKET_BAD_INPUT, NULL},
        {"{\"input\": 1", DOCKET_BAD_INPUT, NULL},
        {"[]", DOCKET_BAD_INPUT, NULL},
        {"", DOCKET_BAD_INPUT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue *queue = NULL;
        struct error err;
        enum status st = local_open(&queue, &(struct local_options){.test_input = cases[i].input, .fd = -1}, &err);
        if (st != cases[i].want) fail_msg("%s: %s %s", cases[i].input, status_name(st), err.message);
        if (st != DOCKET_OK) continue;
        struct queue_take take = {0};
        queue->take(queue->self, 1, false, NULL, &take);
        assert_int_equal(take.n_jobs, 1);
        assert_string_equal(take.jobs[0].id, cases[i].id);
        queue_take_free(&take);
        queue->take(queue->self, 1, false, NULL, &take);
        assert_int_equal(take.n_jobs, 0);
        assert_int_equal(take.answer.verdict, QUEUE_FINISHED);
        assert_int_equal(local_exit_code(queue), 1); /* no result yet */
        local_close(queue);
    }
}

static void the_local_result_is_printed_and_an_error_in_it_is_exit_1(void **state)
{
    static const struct {
        const char *body;
        int want;
    } cases[] = {{"{\"output\": {\"error\": 1}}", 0},
                 {"{\"output\": 1, \"error\": \"x\"}", 1},
                 {"{\"error\": \"x\"}", 1},
                 {"{}", 0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue *queue = NULL;
        struct queue_answer answer;
        struct error err;
        char text[128] = "", want[128];
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(
            local_open(&queue, &(struct local_options){.test_input = "{\"input\": 1}", .fd = ends[1]}, &err),
            DOCKET_OK);
        queue->result(queue->self, 0, "local_test", cases[i].body, strlen(cases[i].body), NULL, &answer);
        assert_int_equal(answer.verdict, QUEUE_DONE);
        assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
        snprintf(want, sizeof(want), "Job result: %s\n", cases[i].body);
        assert_string_equal(text, want);
        assert_int_equal(local_exit_code(queue), cases[i].want);
        local_close(queue);
        close(ends[0]);
        close(ends[1]);
    }
}

static void without_a_file_the_local_mode_says_so(void **state)
{
    struct queue *queue = NULL;
    struct error err;
    (void)state;
    assert_int_equal(local_open(&queue, &(struct local_options){.file = "/nonexistent/test_input.json"}, &err),
                     DOCKET_NOT_FOUND);
    assert_string_equal(err.message, "/nonexistent/test_input.json not found, exiting.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_intervals_of_the_platform_are_clamped),
        cmocka_unit_test(statuses_of_results_split_by_what_to_do_next),
        cmocka_unit_test(bad_settings_stop_the_start),
        cmocka_unit_test(what_is_missing_switches_parts_off),
        cmocka_unit_test(the_local_queue_has_one_job_and_ends),
        cmocka_unit_test(the_local_result_is_printed_and_an_error_in_it_is_exit_1),
        cmocka_unit_test(without_a_file_the_local_mode_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
