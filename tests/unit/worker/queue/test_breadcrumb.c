/* Breadcrumbs: deaths are counted by job and input, across processes and workers, and living workers are never accused. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/queue/breadcrumb.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char root[64];
    struct spool *spool;
    struct spool_key key;
};

static struct spool *open_as(const struct fixture *f, const char *worker_id)
{
    struct spool *spool = NULL;
    struct error err;
    const struct spool_options o = {.root = f->root, .worker_id = worker_id, .interval_seconds = 10};
    if (spool_open(&spool, &o, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return spool;
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    snprintf(f->root, sizeof(f->root), "/tmp/docket-crumbs-XXXXXX");
    if (!mkdtemp(f->root)) return -1;
    f->spool = open_as(f, "w1");
    spool_key_make(&f->key, "job", "input", 5);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    spool_close(f->spool);
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(f);
    return 0;
}

/* Leaves a crumb as another process (of that worker) that died with the job in hand. */
static void die_with_job(const struct fixture *f, const char *worker_id, const struct spool_key *key, const char *items)
{
    static int serial;
    struct spool *spool = open_as(f, worker_id);
    char *path = str_format("%s/%s-%s-%020d-%016x", spool_folder(spool, "jobs"), key->id, key->input, ++serial, 7);
    char *text = str_format("job\ninference: %s\n", items);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) > 0);
    close(fd);
    mem_free(text);
    mem_free(path);
    spool_close(spool);
}

static void silence(const struct fixture *f, const char *worker_id, time_t seconds)
{
    char path[160];
    struct timespec then[2];
    snprintf(path, sizeof(path), "%s/%s/owner", f->root, worker_id);
    clock_gettime(CLOCK_REALTIME, &then[0]);
    then[0].tv_sec -= seconds;
    then[1] = then[0];
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

static void a_job_that_ends_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct breadcrumb *crumb = breadcrumb_leave(f->spool, &f->key, "job", &err);
    assert_non_null(crumb);
    breadcrumb_phase(crumb, "inference", "d1 d2");
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0); /* our own, alive */
    breadcrumb_clear(crumb);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0);
}

static void earlier_processes_of_this_worker_count(void **state)
{
    struct fixture *f = *state;
    struct buffer last = {0};
    die_with_job(f, "w1", &f->key, "d1");
    assert_int_equal(breadcrumb_count(f->spool, &f->key, &last), 1);
    die_with_job(f, "w1", &f->key, "d2");
    assert_int_equal(breadcrumb_count(f->spool, &f->key, &last), 2);
    assert_string_equal(last.data, "inference: d2"); /* the youngest names the suspects */
    breadcrumb_forget(f->spool, &f->key);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0);
    buffer_free(&last);
}

static void dead_workers_count_and_living_ones_do_not(void **state)
{
    struct fixture *f = *state;
    die_with_job(f, "w2", &f->key, "d1");
    die_with_job(f, "w3", &f->key, "d1");
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0);
    silence(f, "w2", 24);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0);
    silence(f, "w2", 26); /* 2.5 intervals of 10 s */
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 1);
    silence(f, "w3", 26);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 2);
    /* what another worker left is removed only once it counts as dead */
    breadcrumb_forget(f->spool, &f->key);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 2);
    silence(f, "w2", 51);
    silence(f, "w3", 51);
    breadcrumb_forget(f->spool, &f->key);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 0);
}

static void a_worker_that_restarted_is_accused_of_its_last_death_but_not_of_running(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct breadcrumb *mine;
    die_with_job(f, "w2", &f->key, "d1");
    struct spool *restarted = open_as(f, "w2");
    breadcrumb_mark_dead(restarted);
    breadcrumb_mark_dead(restarted); /* once more changes nothing */
    assert_int_equal(breadcrumb_count(restarted, &f->key, NULL), 1);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 1); /* w2 lives, its last process does not */
    mine = breadcrumb_leave(f->spool, &f->key, "job", &err);
    assert_false(breadcrumb_other_runs(f->spool, &f->key, mine));
    breadcrumb_mark_dead(f->spool);
    assert_int_equal(breadcrumb_count(f->spool, &f->key, NULL), 1); /* not our own */
    breadcrumb_clear(mine);
    spool_close(restarted);
}

static void the_same_id_with_other_input_is_another_job(void **state)
{
    struct fixture *f = *state;
    struct spool_key other, neighbour;
    spool_key_make(&other, "job", "Input", 5);
    spool_key_make(&neighbour, "neighbour", "input", 5);
    die_with_job(f, "w1", &f->key, "d1");
    assert_int_equal(breadcrumb_count(f->spool, &other, NULL), 0);
    assert_int_equal(breadcrumb_count(f->spool, &neighbour, NULL), 0);
}

static void a_killed_process_leaves_its_crumb_with_what_it_had_in_hand(void **state)
{
    struct fixture *f = *state;
    struct buffer last = {0};
    char items[10000];
    int status = 0;
    memset(items, 'd', sizeof(items) - 1);
    items[sizeof(items) - 1] = '\0';
    /* each program has a mark of its own, made on first use: so the first use is in the child */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err;
        struct breadcrumb *crumb = breadcrumb_leave(f->spool, &f->key, "job", &err);
        breadcrumb_phase(crumb, "inference", "d17 is a short list");
        breadcrumb_phase(crumb, "inference", items);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(breadcrumb_count(f->spool, &f->key, &last), 1);
    assert_int_equal(last.length, strlen("inference: ") + BREADCRUMB_ITEMS_BYTES);
    buffer_free(&last);
}

static void of_two_workers_with_one_job_exactly_one_waits(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct spool *second = open_as(f, "w2");
    struct breadcrumb *a = breadcrumb_leave(f->spool, &f->key, "job", &err);
    struct breadcrumb *b = breadcrumb_leave(second, &f->key, "job", &err);
    assert_true(breadcrumb_other_runs(f->spool, &f->key, a) != breadcrumb_other_runs(second, &f->key, b));
    silence(f, "w1", 60);
    assert_false(breadcrumb_other_runs(second, &f->key, b)); /* the dead do not run */
    breadcrumb_clear(a);
    breadcrumb_clear(b);
    spool_close(second);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_killed_process_leaves_its_crumb_with_what_it_had_in_hand), /* first: see there */
        T(a_job_that_ends_leaves_nothing),
        T(earlier_processes_of_this_worker_count),
        T(dead_workers_count_and_living_ones_do_not),
        T(a_worker_that_restarted_is_accused_of_its_last_death_but_not_of_running),
        T(the_same_id_with_other_input_is_another_job),
        T(of_two_workers_with_one_job_exactly_one_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
