/* worker_fixture.h: a fake queue and a fake handler for the tests of the worker, and what runs it with them. */
#ifndef DOCKET_TESTS_WORKER_FIXTURE_H
#define DOCKET_TESTS_WORKER_FIXTURE_H

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/queue/job_text.h"
#include "worker/queue/spool_record.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_POSTS 64

/* A queue in memory. Takes are scripted texts; results get scripted verdicts, then DONE. */
struct fake {
    struct queue table;
    pthread_mutex_t lock;
    const char *takes[16];
    size_t n_takes, next_take;
    int take_status[16];        /* verdicts instead of texts, where not 0 */
    int result_status[16];      /* verdict + 1 of the nth result post; 0: DONE */
    bool statuses_repeat;       /* the first of them for ever */
    const char *stop_id;        /* sent once, when a job is running */
    char posts[MAX_POSTS][256]; /* "id body", in order; progress with '~' in front */
    size_t n_posts, n_results, pings, resets;
    atomic_bool hold_progress, progress_open;
    unsigned most_wanted;
    bool in_progress_seen, finish;
    char unhealthy[128];
    /* handler */
    atomic_int runs, running, most_running;
    atomic_bool gate, lost; /* gate: runs wait until it opens */
    bool prepare_fails, prepare_slow;
    atomic_int prepared;
    bool ran_after_crash, had_company, asked_too_much;
    unsigned limit; /* of jobs at once */
};

static inline void note(struct fake *f, const char *mark, const char *id, const char *body)
{
    pthread_mutex_lock(&f->lock);
    if (f->n_posts < MAX_POSTS) snprintf(f->posts[f->n_posts++], sizeof(f->posts[0]), "%s%s %s", mark, id, body);
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_take(void *self, unsigned n_wanted, bool in_progress, const atomic_bool *stop,
                             struct queue_take *out)
{
    struct fake *f = self;
    const char *text = NULL;
    int verdict = 0;
    memset(out, 0, sizeof(*out));
    out->answer.retry_after_seconds = -1;
    pthread_mutex_lock(&f->lock);
    if (n_wanted > f->most_wanted) f->most_wanted = n_wanted;
    if (f->limit && n_wanted + (unsigned)atomic_load(&f->running) > f->limit) f->asked_too_much = true;
    f->in_progress_seen |= in_progress;
    if (f->next_take < f->n_takes) {
        verdict = f->take_status[f->next_take];
        text = f->takes[f->next_take++];
    }
    bool done = f->next_take == f->n_takes && f->finish && !text;
    pthread_mutex_unlock(&f->lock);
    out->answer.verdict = verdict ? (enum queue_verdict)verdict
                          : text  ? QUEUE_DONE
                          : done  ? QUEUE_FINISHED
                                  : QUEUE_EMPTY;
    out->answer.status = verdict == QUEUE_UNAUTHORIZED ? 401 : 200;
    if (text && !verdict) job_text_read(out, text, strlen(text), false, clock_now_ns(), NULL);
    if (!text) clock_sleep(0.02, stop);
}

static inline void fake_stop(void *self, const atomic_bool *stop, struct queue_stops *out)
{
    struct fake *f = self;
    memset(out, 0, sizeof(*out));
    out->answer.verdict = QUEUE_EMPTY;
    out->answer.retry_after_seconds = -1;
    while (!atomic_load(stop) && !(f->stop_id && atomic_load(&f->running))) clock_sleep(0.002, stop);
    if (!f->stop_id || atomic_load(stop)) return;
    out->ids = mem_zalloc(1, sizeof(*out->ids));
    out->ids[0] = str_dup(f->stop_id);
    out->n_ids = 1;
    out->answer.verdict = QUEUE_DONE;
    f->stop_id = NULL;
}

static inline void fake_ping(void *self, const char *ids, double timeout, const atomic_bool *stop,
                             const atomic_bool *stop2, struct queue_answer *out)
{
    struct fake *f = self;
    (void)ids;
    (void)timeout;
    (void)stop;
    (void)stop2;
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&f->lock);
    f->pings++;
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_progress(void *self, const char *id, const char *body, size_t n, const atomic_bool *stop,
                                 struct queue_answer *out)
{
    struct fake *f = self;
    (void)n;
    memset(out, 0, sizeof(*out));
    atomic_store(&f->progress_open, true);
    while (atomic_load(&f->hold_progress) && !atomic_load(stop)) clock_sleep(0.002, stop);
    note(f, "~", id, body);
}

static inline void fake_result(void *self, unsigned poster, const char *id, const char *body, size_t n,
                               const atomic_bool *stop, struct queue_answer *out)
{
    struct fake *f = self;
    (void)poster;
    (void)n;
    (void)stop;
    memset(out, 0, sizeof(*out));
    out->retry_after_seconds = -1;
    note(f, "", id, body);
    pthread_mutex_lock(&f->lock);
    size_t at = f->statuses_repeat ? 0 : f->n_results;
    f->n_results++;
    if (at < ARRAY_LENGTH(f->result_status) && f->result_status[at]) {
        out->verdict = (enum queue_verdict)(f->result_status[at] - 1);
        out->status = out->verdict == QUEUE_REFUSED ? 413 : 500;
    }
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_unhealthy(void *self, const char *check, const char *reason)
{
    struct fake *f = self;
    snprintf(f->unhealthy, sizeof(f->unhealthy), "%s: %s", check, reason);
}

static inline void fake_reset(void *self, enum queue_lane lane)
{
    (void)self;
    (void)lane;
}

static inline enum status handler_prepare(void *self, const atomic_bool *stop, struct error *err)
{
    struct fake *f = self;
    (void)stop;
    if (f->prepare_slow) clock_sleep(0.1, NULL);
    atomic_fetch_add(&f->prepared, 1);
    return f->prepare_fails ? fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "no model here") : DOCKET_OK;
}

/* Input "wait": until the gate opens. "fail", "stopped", "big", "nan", "progress", "keep" do what they say; else the input is echoed. */
static inline enum status handler_run(void *self, const struct job *job, const struct job_services *s,
                                      struct job_result *result, struct error *err)
{
    struct fake *f = self;
    const char *input = strstr(job->json, "\"input\":") + 8;
    int now = atomic_fetch_add(&f->running, 1) + 1;
    enum status st = DOCKET_OK;
    atomic_fetch_add(&f->runs, 1);
    if (now > atomic_load(&f->most_running)) atomic_store(&f->most_running, now);
    if (job->crashes) {
        f->ran_after_crash = true;
        for (int i = 0; i < 20; i++, clock_sleep(0.002, NULL)) f->had_company |= atomic_load(&f->running) > 1;
    }
    if (strncmp(input, "\"slow\"", 6) == 0) clock_sleep(0.03, NULL);
    if (strncmp(input, "\"slower\"", 8) == 0) clock_sleep(0.2, NULL);
    if (strncmp(input, "\"wait\"", 6) == 0)
        while (!atomic_load(&f->gate) && !atomic_load(s->stop)) clock_sleep(0.002, NULL);
    if (strncmp(input, "\"progress\"", 10) == 0) {
        s->progress(s->context, "1");
        while (!atomic_load(&f->progress_open)) clock_sleep(0.002, NULL);
        s->progress(s->context, "2"); /* superseded, or too late */
        s->progress(s->context, "no JSON");
    }
    if (strncmp(input, "\"lost\"", 6) == 0) atomic_store(&f->lost, true);
    if (atomic_load(s->stop))
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    else if (strncmp(input, "\"fail\"", 6) == 0)
        st = fail(err, DOCKET_BAD_INPUT, CODE_labels_invalid, "no labels");
    else if (strncmp(input, "\"nan\"", 5) == 0)
        buffer_append_str(&result->output, "NaN");
    else if (strncmp(input, "\"big\"", 5) == 0)
        buffer_printf(&result->output, "\"%01000d\"", 0);
    else if (strncmp(input, "\"error\"", 7) == 0) {
        buffer_append_str(&result->output, "1");
        buffer_append_str(&result->error, "half");
    } else if (strncmp(input, "\"refresh\"", 9) == 0) {
        buffer_append_str(&result->output, "1");
        result->refresh_worker = true;
    } else
        buffer_append_str(&result->output, "1");
    atomic_fetch_sub(&f->running, 1);
    return st;
}

static inline bool handler_healthy(void *self, struct error *err)
{
    struct fake *f = self;
    if (atomic_load(&f->lost)) fail(err, DOCKET_DEVICE, CODE_accelerator_lost, "gone");
    return !atomic_load(&f->lost);
}

struct fixture {
    struct fake f;
    struct worker_options o;
    struct worker_counters counters;
    struct handler handler;
    atomic_uint stops;
    char root[64];
    pthread_t thread;
    int code;
};

static inline int set_up(void **state)
{
    struct fixture *x = mem_zalloc(1, sizeof(*x));
    pthread_mutex_init(&x->f.lock, NULL);
    snprintf(x->root, sizeof(x->root), "/tmp/docket-worker-XXXXXX");
    if (!mkdtemp(x->root)) return -1;
    x->f.table = (struct queue){.self = &x->f,
                                .name = "fake",
                                .take = fake_take,
                                .stop_poll = fake_stop,
                                .ping = fake_ping,
                                .progress = fake_progress,
                                .result = fake_result,
                                .report_unhealthy = fake_unhealthy,
                                .reset = fake_reset};
    x->handler = (struct handler){
        .name = "fake", .prepare = handler_prepare, .run = handler_run, .healthy = handler_healthy, .self = &x->f};
    x->o = (struct worker_options){.worker_id = "w1",
                                   .concurrency = 1,
                                   .ping_interval_seconds = 3600,
                                   .spool_root = x->root,
                                   .counters = &x->counters,
                                   .stop_requests = &x->stops,
                                   .drain_post_seconds = 20};
    x->f.finish = true;
    *state = x;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline int tear_down(void **state)
{
    struct fixture *x = *state;
    nftw(x->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pthread_mutex_destroy(&x->f.lock);
    mem_free(x);
    return 0;
}

static inline void take(struct fixture *x, const char *text)
{
    x->f.takes[x->f.n_takes++] = text;
}

static inline int run(struct fixture *x)
{
    struct worker_end end;
    return worker_run(&x->o, &x->f.table, &x->handler, &end);
}

static inline void *run_thread(void *context)
{
    struct fixture *x = context;
    x->code = run(x);
    return NULL;
}

static inline void assert_posts(struct fixture *x, const char *const *want)
{
    size_t n = 0;
    while (want[n]) n++;
    for (size_t i = 0; i < n || i < x->f.n_posts; i++)
        if (i >= n || i >= x->f.n_posts || !strstr(x->f.posts[i], want[i]))
            fail_msg("post %zu of %zu: want %s, got %s", i, x->f.n_posts, i < n ? want[i] : "none",
                     i < x->f.n_posts ? x->f.posts[i] : "none");
}
#define POSTS(...) assert_posts(x, (const char *const[]){__VA_ARGS__, NULL})

static inline void log_nothing(void)
{
    const struct log_options quiet = {.level = LOG_OFF, .fd = 2};
    log_open(&quiet, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
