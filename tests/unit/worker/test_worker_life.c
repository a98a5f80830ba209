/* The life of the worker: how it starts, when it ends, and with which exit code. */
#include "tests/unit/worker/worker_fixture.h"

static void a_refused_key_ends_the_worker_after_its_patience(void **state)
{
    struct fixture *x = *state;
    x->o.auth_patience_seconds = 0.3;
    x->f.finish = false;
    for (int i = 0; i < 10; i++) {
        x->f.take_status[x->f.n_takes] = QUEUE_UNAUTHORIZED;
        take(x, "");
    }
    assert_int_equal(run(x), DOCKET_EXIT_AUTH);
}

static void a_dead_handler_ends_the_worker_and_its_heartbeat(void **state)
{
    struct fixture *x = *state;
    struct worker_end end;
    x->f.finish = false;
    take(x, "{\"id\":\"a\",\"input\":\"lost\"}");
    assert_int_equal(worker_run(&x->o, &x->f.table, &x->handler, &end), DOCKET_EXIT_DEVICE);
    assert_true(end.threads_left); /* nobody may trust a dead handler's threads */
}

static void eager_prepares_before_the_first_take(void **state)
{
    struct fixture *x = *state;
    x->f.prepare_fails = true;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), DOCKET_EXIT_MODEL_MISSING);
    assert_int_equal(x->f.n_posts, 0);
    assert_int_equal(x->f.next_take, 0);
}

static void lazy_answers_the_jobs_that_waited_for_a_failed_prepare(void **state)
{
    struct fixture *x = *state;
    x->f.prepare_fails = x->f.prepare_slow = true;
    x->f.finish = false;
    x->o.lazy = true;
    x->o.concurrency = 2;
    take(x, "[{\"id\":\"a\",\"input\":1},{\"id\":\"b\",\"input\":1}]");
    assert_int_equal(run(x), DOCKET_EXIT_MODEL_MISSING);
    assert_int_equal(x->f.n_posts, 2);
    assert_non_null(strstr(x->f.posts[0], "model_unavailable"));
    assert_int_equal(atomic_load(&x->f.prepared), 1);
}

static void lazy_prepares_nothing_without_a_job(void **state)
{
    struct fixture *x = *state;
    x->o.lazy = true;
    assert_int_equal(run(x), 0);
    assert_int_equal(atomic_load(&x->f.prepared), 0);
}

static void a_configured_refresh_ends_the_worker_after_its_job(void **state)
{
    struct fixture *x = *state;
    x->f.finish = false;
    x->o.refresh_worker = true;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), 0);
    POSTS("a {\"output\": 1, \"stopPod\": true}");
}

static enum status bad_check(const void *context, struct error *err)
{
    (void)context;
    return fail(err, DOCKET_IO, CODE_NONE, "too small");
}

static void a_failed_check_is_reported_and_ends_with_1(void **state)
{
    struct fixture *x = *state;
    const struct fitness_check checks[] = {{"_disk_check", bad_check, NULL}};
    x->o.checks = checks;
    x->o.n_checks = 1;
    take(x, "{\"id\":\"a\",\"input\":1}");
    assert_int_equal(run(x), DOCKET_EXIT_UNHEALTHY);
    assert_string_equal(x->f.unhealthy, "_disk_check: IO: too small");
    assert_int_equal(x->f.pings, 0);
    assert_int_equal(x->f.next_take, 0);
}

static void a_spool_that_cannot_be_made_is_exit_73(void **state)
{
    struct fixture *x = *state;
    x->o.spool_root = "/proc/nothing/here";
    assert_int_equal(run(x), DOCKET_EXIT_CANNOT_CREATE);
}

static void a_signal_ends_an_idle_worker_and_finishes_what_runs(void **state)
{
    struct fixture *x = *state;
    x->f.finish = false;
    take(x, "[{\"id\":\"a\",\"input\":\"wait\"},{\"id\":\"b\",\"input\":1}]");
    pthread_create(&x->thread, NULL, run_thread, x);
    while (!atomic_load(&x->f.running)) clock_sleep(0.002, NULL);
    atomic_store(&x->stops, 1);
    clock_sleep(0.05, NULL);
    atomic_store(&x->f.gate, true);
    pthread_join(x->thread, NULL);
    assert_int_equal(x->code, 0);
    POSTS("a {\"output\": 1}", "b {\"output\": 1}");
}

static void a_job_that_does_not_fit_the_grace_is_handed_back(void **state)
{
    struct fixture *x = *state;
    x->f.finish = false;
    x->o.drain_seconds = 0.1;
    take(x, "[{\"id\":\"a\",\"input\":\"wait\"},{\"id\":\"b\",\"input\":1}]");
    pthread_create(&x->thread, NULL, run_thread, x);
    while (!atomic_load(&x->f.running)) clock_sleep(0.002, NULL);
    atomic_store(&x->stops, 1);
    pthread_join(x->thread, NULL);
    assert_int_equal(x->code, 0);
    assert_int_equal(x->f.n_posts, 0);
    assert_int_equal(atomic_load(&x->counters.jobs_handed_back), 2);
    /* a clean end: the next delivery is no second chance after a crash */
    atomic_store(&x->stops, 0);
    x->f.finish = true;
    atomic_store(&x->f.gate, true);
    take(x, "{\"id\":\"a\",\"input\":\"wait\"}");
    assert_int_equal(run(x), 0);
    POSTS("a {\"output\": 1}");
    assert_false(x->f.ran_after_crash);
}

int main(void)
{
    log_nothing();
    const struct CMUnitTest tests[] = {
        T(a_refused_key_ends_the_worker_after_its_patience),
        T(eager_prepares_before_the_first_take),
        T(lazy_answers_the_jobs_that_waited_for_a_failed_prepare),
        T(lazy_prepares_nothing_without_a_job),
        T(a_configured_refresh_ends_the_worker_after_its_job),
        T(a_failed_check_is_reported_and_ends_with_1),
        T(a_spool_that_cannot_be_made_is_exit_73),
        T(a_signal_ends_an_idle_worker_and_finishes_what_runs),
        T(a_job_that_does_not_fit_the_grace_is_handed_back),
        T(a_dead_handler_ends_the_worker_and_its_heartbeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
