/* worker_take.c: the thread that takes jobs, and the one that listens for jobs to stop. */
#include "worker/base/alloc.h"
#include "worker/queue/backoff.h"
#include "worker/worker_internal.h"

#include <string.h>

#define EMPTY_FLOOR   0.25 /* seconds between takes when empty answers come at once */
#define ERROR_FIRST   0.25
#define ERROR_CAP     30.0
#define BUSY_WAIT     5.0 /* as the SDK after 429 */
#define PRESSURE_WAIT 1.0
#define POST_HOLDS    2.0 /* seconds for which a first post may keep its job's place */
#define STOP_WAIT     1.0 /* between stop polls that said nothing, as the SDK */

/* 1, 2, 4, 8 … : a failure that goes on is logged ever more rarely. */
static bool worth_a_line(unsigned n)
{
    return (n & (n - 1)) == 0;
}

/* Jobs that may be asked for now; 0: none. Lock held. */
static unsigned free_slots(struct worker *w)
{
    unsigned used = w->n_held + w->n_running;
    /* a result on its way still is a job in hand; one that the queue does not accept waits without holding a place */
    for (struct post_item *i = w->fresh.first; i; i = i->next) used += clock_seconds_since(i->made_ns) < POST_HOLDS;
    if (w->exclusive_waiting || w->exclusive_running) return 0;
    return used < w->o.concurrency ? w->o.concurrency - used : 0;
}

struct taker {
    struct worker *w;
    unsigned failures, epoch;
    uint64_t refused_since_ns; /* first of the 401 and 403 in a row; 0: none */
    const char *pressure;
};

/* false: wait before the next take. */
static bool has_room(struct taker *t)
{
    struct worker *w = t->w;
    const char *pressure = w->spool ? spool_pressure(w->spool) : NULL;
    if (pressure && !t->pressure)
        log_event(LOG_ERROR, EVENT_spool_problem, F_STR("consequence", "no more jobs are taken"),
                  F_STR("reason", pressure));
    t->pressure = pressure;
    return pressure == NULL;
}

static double on_failure(struct taker *t, const struct queue_answer *a)
{
    struct worker *w = t->w;
    double least = a->retry_after_seconds;
    t->failures++;
    COUNT(w, take_errors);
    if (a->verdict == QUEUE_BUSY && least < BUSY_WAIT && least < 0) least = BUSY_WAIT;
    double wait = backoff_seconds(t->failures, ERROR_FIRST, ERROR_CAP, least, backoff_chance());
    if (worth_a_line(t->failures))
        log_event(LOG_WARN, a->status >= 300 && a->status < 400 ? EVENT_queue_redirect : EVENT_take_error,
                  F_STR("operation", "take"), F_I64("status", a->status), F_U64("failures", t->failures),
                  F_F64("retry_seconds", wait), F_ERROR(&a->error));
    if (a->verdict == QUEUE_UNAUTHORIZED) {
        if (!t->refused_since_ns) t->refused_since_ns = clock_now_ns();
        if (clock_seconds_since(t->refused_since_ns) >= w->o.auth_patience_seconds) {
            struct error why;
            fail(&why, DOCKET_REFUSED, CODE_queue_auth_refused, "the queue has refused the key for %.0f seconds",
                 clock_seconds_since(t->refused_since_ns));
            worker_end_with(w, DOCKET_EXIT_AUTH, &why, false);
        } else if (wait > w->o.auth_patience_seconds / 4)
            wait = w->o.auth_patience_seconds / 4;
    }
    return wait;
}

/* One take; returns the seconds to wait before the next. */
static double take_once(struct taker *t, unsigned n_wanted, bool in_progress)
{
    struct worker *w = t->w;
    struct queue_take take = {0};
    uint64_t begun = clock_now_ns();
    double wait = 0;
    w->queue->take(w->queue->self, n_wanted, in_progress, &w->abort_take, &take);
    COUNT(w, takes);
    COUNT_N(w, jobs_malformed, take.n_malformed);
    if (take.n_malformed)
        log_event(LOG_ERROR, EVENT_take_malformed, F_U64("elements", take.n_malformed), F_ERROR(&take.last_malformed));
    size_t n_good = 0, n_bad = take.n_malformed;
    for (size_t i = 0; i < take.n_jobs; i++) {
        if (take.jobs[i].problem.code == CODE_NONE)
            n_good++;
        else
            n_bad++;
        worker_add_job(w, &take.jobs[i]);
    }
    if (take.answer.verdict != QUEUE_UNAUTHORIZED && take.answer.status != 0) t->refused_since_ns = 0;
    switch (take.answer.verdict) {
    case QUEUE_DONE:
    case QUEUE_EMPTY:
        t->failures = 0;
        if (n_good == 0 && clock_seconds_since(begun) < EMPTY_FLOOR) wait = EMPTY_FLOOR - clock_seconds_since(begun);
        if (n_good == 0 && n_bad) wait = 1; /* a queue that hands out rubbish is not asked in a hot loop */
        break;
    case QUEUE_FINISHED:
        pthread_mutex_lock(&w->lock);
        w->finished = true;
        pthread_mutex_unlock(&w->lock);
        break;
    default:
        if (!atomic_load(&w->abort_take)) wait = on_failure(t, &take.answer);
        break;
    }
    queue_take_free(&take);
    return wait;
}

void *worker_take_run(void *context)
{
    struct worker *w = context;
    struct taker t = {.w = w};
    uint64_t room_checked_ns = 0;
    bool room = true;
    while (!atomic_load(&w->no_take)) {
        if (room_checked_ns == 0 || !room || clock_seconds_since(room_checked_ns) >= 1) {
            room = has_room(&t);
            room_checked_ns = clock_now_ns();
        }
        if (!room) {
            clock_sleep(PRESSURE_WAIT, &w->no_take);
            continue;
        }
        pthread_mutex_lock(&w->lock);
        if (w->n_held) worker_start_jobs(w); /* a thread that could not be started before */
        unsigned n = w->finished ? 0 : free_slots(w);
        bool in_progress = w->n_held + w->n_running + w->fresh.n + w->elder.n > 0;
        if (n == 0) worker_wait(w, SMALL_WAIT);
        pthread_mutex_unlock(&w->lock);
        if (n == 0) continue;
        if (worker_has_gap(w, &t.epoch) && w->queue->reset) w->queue->reset(w->queue->self, LANE_TAKE);
        double wait = take_once(&t, n, in_progress);
        if (wait > 0) clock_sleep(wait, &w->no_take);
    }
    pthread_mutex_lock(&w->lock);
    w->taker_ended = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Marks what we hold; returns how many ids were not ours. */
static size_t stop_ids(struct worker *w, const struct queue_stops *stops)
{
    size_t unknown = stops->n_ignored;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < stops->n_ids; i++) {
        bool ours = false;
        for (struct worker_job *j = w->jobs; j; j = j->next)
            if (!j->stopped_by_queue && strcmp(j->job.id, stops->ids[i]) == 0) {
                j->stopped_by_queue = ours = true;
                atomic_store(&j->stop, true);
            }
        if (!ours) {
            struct spool_key key;
            struct early_stop *early = &w->early_stops[w->next_early_stop++ % EARLY_STOPS];
            spool_key_make(&key, stops->ids[i], "", 0);
            memcpy(early->id, key.id, sizeof(early->id));
            early->at_ns = clock_now_ns();
            unknown++;
        }
    }
    worker_drop_stopped(w);
    worker_publish_ids(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return unknown;
}

void *worker_stop_run(void *context)
{
    struct worker *w = context;
    unsigned failures = 0, epoch = 0;
    while (!atomic_load(&w->abort_stop_poll)) {
        struct queue_stops stops = {0};
        double wait = 0;
        if (worker_has_gap(w, &epoch) && w->queue->reset) w->queue->reset(w->queue->self, LANE_STOP);
        w->queue->stop_poll(w->queue->self, &w->abort_stop_poll, &stops);
        if (stops.answer.verdict == QUEUE_DONE || stops.answer.verdict == QUEUE_EMPTY) {
            failures = 0;
            size_t unknown = stop_ids(w, &stops);
            if (unknown) {
                COUNT_N(w, stops_ignored, unknown);
                log_event(LOG_DEBUG, EVENT_stop_ignored, F_U64("ids", unknown));
            }
            if (stops.answer.verdict == QUEUE_EMPTY || stops.n_ids == 0) wait = STOP_WAIT;
        } else if (!atomic_load(&w->abort_stop_poll)) {
            double least = stops.answer.retry_after_seconds;
            COUNT(w, stop_errors);
            failures++;
            if (stops.answer.verdict == QUEUE_BUSY && least < 0) least = BUSY_WAIT;
            wait = backoff_seconds(failures, STOP_WAIT, ERROR_CAP, least, backoff_chance());
            if (worth_a_line(failures))
                log_event(LOG_WARN, EVENT_stop_error, F_I64("status", stops.answer.status), F_U64("failures", failures),
                          F_F64("retry_seconds", wait), F_ERROR(&stops.answer.error));
        }
        queue_stops_free(&stops);
        if (wait > 0) clock_sleep(wait, &w->abort_stop_poll);
    }
    return NULL;
}
