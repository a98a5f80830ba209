/* Jobs in the worker: what is taken is run once and answered once, whatever happens in between. */
#include "tests/unit/worker/worker_fixture.h"

static void a_job_is_taken_run_and_answered(void **state)
{
    struct fixture *x = *state;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    POSTS("a {\"output\": 1}");
    assert_int_equal(x->f.pings, 1); /* before the first take; the next in an hour */
    assert_int_equal(atomic_load(&x->f.prepared), 1);
}

static void results_take_every_shape(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        {"\"fail\"",
         "error\": \"{\\\"error_type\\\": \\\"labels_invalid\\\", \\\"error_message\\\": \\\"no labels\\\""},
        {"\"error\"", "{\"output\": 1, \"error\": \"half\"}"},
        {"\"refresh\"", "{\"output\": 1, \"stopPod\": true}"},
        {"\"nan\"", "internal_error"},
        {"\"big\"", "result_too_large"},
    };
    struct fixture *x = *state;
    char texts[8][128];
    x->o.max_result_bytes = 600;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        snprintf(texts[i], sizeof(texts[i]), "{\"id\":\"j%zu\",\"input\":%s}", i, cases[i].input);
        take(x, texts[i]);
    }
    assert_int_equal(run(x), 0);
    POSTS(cases[0].want, cases[1].want, cases[2].want, cases[3].want, cases[4].want);
}

static void unusable_jobs_are_answered_or_passed_over(void **state)
{
    struct fixture *x = *state;
    take(x, "[{\"id\":\"a\",\"input\":1},{\"input\":1},{\"id\":\"b\"},null,{\"id\":\"c\",\"input\":1}]");
    assert_int_equal(run(x), 0);
    assert_int_equal(x->f.n_posts, 3);
    assert_int_equal(atomic_load(&x->counters.jobs_malformed), 2);
    assert_int_equal(atomic_load(&x->f.runs), 2);
}

static void never_more_at_once_than_allowed_and_surplus_is_kept_in_order(void **state)
{
    struct fixture *x = *state;
    x->o.concurrency = x->f.limit = 2;
    take(
        x,
        "[{\"id\":\"a\",\"input\":\"slower\"},{\"id\":\"b\",\"input\":\"slower\"},{\"id\":\"c\",\"input\":\"slower\"},{"
        "\"id\":\"d\",\"input\":"
        "\"slower\"},{\"id\":\"e\",\"input\":\"slower\"}]");
    for (int i = 0; i < 4; i++) take(x, NULL); /* takes that bring nothing, while jobs run */
    assert_int_equal(run(x), 0);
    assert_int_equal(x->f.n_posts, 5);
    assert_true(atomic_load(&x->f.most_running) <= 2);
    assert_int_equal(x->f.most_wanted, 2);
    assert_false(x->f.asked_too_much);
}

static void a_job_delivered_twice_is_computed_once(void **state)
{
    struct fixture *x = *state;
    x->o.concurrency = 4;
    take(x, "[{\"id\":\"a\",\"input\":1},{\"id\":\"a\",\"input\":1}]");
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 1);
    assert_int_equal(atomic_load(&x->counters.jobs_duplicate), 1);
}

static void an_accepted_job_is_answered_again_from_the_store_even_after_a_restart(void **state)
{
    struct fixture *x = *state;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    take(x, "{\"id\":\"a\",\"input\":1}");
    take(x, "{\"id\":\"a\",\"input\":2}"); /* other input: a new job */
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 2);
    POSTS("a {\"output\": 1}", "a {\"output\": 1}", "a {\"output\": 1}");
}

static void a_failed_job_is_tried_again_when_it_comes_again(void **state)
{
    struct fixture *x = *state;
    take(x, "{\"id\":\"a\",\"input\":\"fail\"}");
    assert_int_equal(run(x), 0);
    take(x, "{\"id\":\"a\",\"input\":\"fail\"}");
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 2);
}

static void a_refused_result_becomes_a_short_error(void **state)
{
    struct fixture *x = *state;
    x->f.result_status[0] = x->f.result_status[1] = QUEUE_REFUSED + 1;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    POSTS("a {\"output\": 1}", "a {\"output\": 1}", "a {\"error\": \"result_rejected: ");
    assert_int_equal(atomic_load(&x->counters.results_rejected), 1);
}

static void a_refused_short_error_is_the_end(void **state)
{
    struct fixture *x = *state;
    x->f.result_status[0] = QUEUE_REFUSED + 1;
    x->f.statuses_repeat = true;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    assert_int_equal(x->f.n_posts, 4);
}

static void what_was_not_accepted_is_posted_by_the_next_process(void **state)
{
    struct fixture *x = *state;
    x->f.result_status[0] = QUEUE_RETRY + 1;
    x->f.statuses_repeat = true;
    x->o.drain_post_seconds = 0.05;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), DOCKET_EXIT_UNPOSTED);
    x->f.statuses_repeat = false;
    x->f.n_posts = 0;
    x->f.n_results = 5;
    x->o.drain_post_seconds = 20;
    assert_int_equal(run(x), 0);
    POSTS("a {\"output\": 1}");
    assert_int_equal(atomic_load(&x->f.runs), 1);
    assert_int_equal(atomic_load(&x->counters.results_unspooled), 1);
}

static void a_redelivered_job_with_a_waiting_result_is_not_computed_again(void **state)
{
    struct fixture *x = *state;
    x->f.result_status[0] = QUEUE_RETRY + 1;
    take(x, "{\"id\":\"a\",\"input\":1}");
    take(x, NULL);
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 1);
    assert_true(x->f.n_posts >= 2);
}

static void a_stopped_job_posts_nothing(void **state)
{
    struct fixture *x = *state;
    x->f.stop_id = "a";
    take(x, "[{\"id\":\"a\",\"input\":\"wait\"},{\"id\":\"b\",\"input\":1}]");
    assert_int_equal(run(x), 0);
    POSTS("b {\"output\": 1}");
    assert_int_equal(atomic_load(&x->counters.jobs_stopped), 1);
}

static void no_progress_follows_the_result_and_superseded_ones_are_dropped(void **state)
{
    struct fixture *x = *state;
    take(x, "{\"id\":\"a\",\"input\":\"progress\"}");
    assert_int_equal(run(x), 0);
    POSTS("~a {\"status\": \"IN_PROGRESS\", \"output\": 1}", "a {\"output\": 1}");
}

static void *open_later(void *context)
{
    struct fixture *x = context;
    while (!atomic_load(&x->f.progress_open)) clock_sleep(0.002, NULL);
    clock_sleep(0.05, NULL);
    atomic_store(&x->f.hold_progress, false);
    return NULL;
}

static void a_result_waits_for_the_progress_that_is_under_way(void **state)
{
    struct fixture *x = *state;
    pthread_t thread;
    atomic_store(&x->f.hold_progress, true);
    take(x, "{\"id\":\"a\",\"input\":\"progress\"}");
    pthread_create(&thread, NULL, open_later, x);
    assert_int_equal(run(x), 0);
    pthread_join(thread, NULL);
    POSTS("~a ", "a {\"output\": 1}");
}

static void leave_crumb(struct fixture *x, const char *id, const char *input, int serial)
{
    struct spool_key key;
    char path[256];
    spool_key_make(&key, id, input, strlen(input));
    snprintf(path, sizeof(path), "%s/w1/jobs/%s-%s-%020d-00000000000000aa", x->root, key.id, key.input, serial);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, "a\ninference: d7\n", 16) == 16);
    close(fd);
}

static void after_one_crash_a_job_runs_alone_after_two_it_is_answered(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(run(x), 0); /* makes the folders */
    x->o.concurrency = 4;
    leave_crumb(x, "once", "1", 1);
    leave_crumb(x, "twice", "1", 2);
    leave_crumb(x, "twice", "1", 3);
    take(x, "[{\"id\":\"x\",\"input\":\"slow\"},{\"id\":\"once\",\"input\":1},{\"id\":\"y\",\"input\":\"slow\"},{"
            "\"id\":\"twice\","
            "\"input\":1}]");
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 3);
    assert_true(x->f.ran_after_crash);
    assert_false(x->f.had_company);
    assert_int_equal(atomic_load(&x->counters.jobs_poisoned), 1);
    bool poisoned = false;
    for (size_t i = 0; i < x->f.n_posts; i++)
        poisoned |= strncmp(x->f.posts[i], "twice ", 6) == 0 && strstr(x->f.posts[i], "job_poisoned") &&
                    strstr(x->f.posts[i], "d7");
    assert_true(poisoned);
    /* the answer ended it: a later delivery starts from nothing */
    take(x, "{\"id\":\"twice\",\"input\":1}");
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.runs), 4);
}

int main(void)
{
    log_nothing();
    const struct CMUnitTest tests[] = {
        T(a_job_is_taken_run_and_answered),
        T(results_take_every_shape),
        T(unusable_jobs_are_answered_or_passed_over),
        T(never_more_at_once_than_allowed_and_surplus_is_kept_in_order),
        T(a_job_delivered_twice_is_computed_once),
        T(an_accepted_job_is_answered_again_from_the_store_even_after_a_restart),
        T(a_failed_job_is_tried_again_when_it_comes_again),
        T(a_refused_result_becomes_a_short_error),
        T(a_refused_short_error_is_the_end),
        T(what_was_not_accepted_is_posted_by_the_next_process),
        T(a_redelivered_job_with_a_waiting_result_is_not_computed_again),
        T(a_stopped_job_posts_nothing),
        T(no_progress_follows_the_result_and_superseded_ones_are_dropped),
        T(a_result_waits_for_the_progress_that_is_under_way),
        T(after_one_crash_a_job_runs_alone_after_two_it_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
