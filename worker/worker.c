/* worker.c: the life of a worker: checks, heartbeat, readiness, the main loop, the drain. Knows which threads there are; what each
 * does stands in worker_take.c, worker_jobs.c, worker_post.c and worker_background.c. */
#include "worker/worker.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/worker_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define OPEN_TAKE_SECONDS 2.0 /* the take that is open when a signal comes */
#define LEAVE_SECONDS     1.0 /* for jobs that were told to end */
#define PREPARE_SECONDS   3.0 /* for prepare, told to end */

void job_result_free(struct job_result *result)
{
    if (!result) return;
    buffer_free(&result->output);
    buffer_free(&result->error);
}

/* --- what the parts share --- */

void worker_wait(struct worker *w, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    long long ns = until.tv_nsec + (long long)(seconds * 1e9);
    until.tv_sec += ns / (long long)NS_PER_SECOND;
    until.tv_nsec = (long)(ns % (long long)NS_PER_SECOND);
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

void worker_publish_ids(struct worker *w)
{
    bool room = true;
    id_list_begin(w->ids);
    for (struct worker_job *j = w->jobs; j && room; j = j->next)
        if (!j->stopped_by_queue) room = id_list_add(w->ids, j->job.id);
    for (struct post_item *i = w->fresh.first; i && room; i = i->next)
        if (i->id) room = id_list_add(w->ids, i->id);
    for (struct post_item *i = w->elder.first; i && room; i = i->next)
        if (i->id) room = id_list_add(w->ids, i->id);
    id_list_publish(w->ids);
}

void worker_end_with(struct worker *w, int code, const struct error *why, bool now)
{
    pthread_mutex_lock(&w->lock);
    if (w->end_code < 0) {
        w->end_code = code;
        w->end_reason = *why;
        w->ending_now = now;
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* --- signals --- */

static atomic_uint signal_count;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signal_count, 1);
}

static void change_mask(int how)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    pthread_sigmask(how, &ours, NULL);
}

void worker_hold_signals(void)
{
    change_mask(SIG_BLOCK);
}

struct signals {
    struct sigaction term, interrupt, pipe;
    bool installed;
};

static void signals_install(struct signals *s)
{
    struct sigaction mine = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
    atomic_store(&signal_count, 0);
    sigaction(SIGTERM, &mine, &s->term);
    sigaction(SIGINT, &mine, &s->interrupt);
    sigaction(SIGPIPE, &ignore, &s->pipe);
    change_mask(SIG_UNBLOCK); /* what came until now is heard now */
    s->installed = true;
}

static void signals_restore(struct signals *s)
{
    if (!s->installed) return;
    sigaction(SIGTERM, &s->term, NULL);
    sigaction(SIGINT, &s->interrupt, NULL);
    sigaction(SIGPIPE, &s->pipe, NULL);
}

static unsigned stop_requests(const struct worker *w)
{
    return atomic_load(w->o.stop_requests ? w->o.stop_requests : &signal_count);
}

/* --- prepare --- */

static void *prepare_run(void *context)
{
    struct worker *w = context;
    struct error err = {0};
    enum status st = w->handler->prepare ? w->handler->prepare(w->handler->self, &w->stop_prepare, &err) : DOCKET_OK;
    pthread_mutex_lock(&w->lock);
    w->prepare_ended = true;
    w->ready = st == DOCKET_OK;
    w->prepare_error = err;
    if (w->ready) log_event(LOG_INFO, EVENT_ready, F_F64("seconds", clock_seconds_since(w->started_ns)));
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void worker_start_prepare(struct worker *w)
{
    if (w->prepare_started) return;
    w->prepare_started = true;
    if (pthread_create(&w->prepare_thread, NULL, prepare_run, w) == 0) return;
    fail(&w->prepare_error, DOCKET_NO_MEMORY, CODE_NONE, "no thread to prepare the handler");
    w->prepare_ended = true;
    w->prepare_started = false; /* nothing to join */
}

/* --- starting --- */

static void set_defaults(struct worker_options *o)
{
    if (o->concurrency == 0) o->concurrency = 1;
    if (o->concurrency > 256) o->concurrency = 256;
    if (o->ping_interval_seconds <= 0) o->ping_interval_seconds = 10;
    if (o->result_ttl_seconds <= 0) o->result_ttl_seconds = 7 * 86400.0;
    if (o->max_result_bytes == 0) o->max_result_bytes = 20 * 1000 * 1000;
    if (o->drain_post_seconds <= 0) o->drain_post_seconds = 30;
    if (o->auth_patience_seconds <= 0) o->auth_patience_seconds = 300;
    if (o->state_seconds <= 0) o->state_seconds = 60;
    if (o->n_posters == 0) o->n_posters = 1 + (o->concurrency < 4 ? o->concurrency : 4);
    if (o->n_posters > QUEUE_MAX_POSTERS) o->n_posters = QUEUE_MAX_POSTERS;
}

static enum status open_spool(struct worker *w, struct error *err)
{
    struct stat facts;
    if (!w->o.spool_root) return DOCKET_OK;
    const struct spool_options o = {
        .root = w->o.spool_root,
        .worker_id = w->o.worker_id,
        .interval_seconds = w->o.ping_interval_seconds,
        .max_bytes = w->o.spool_max_bytes,
        .min_free_bytes = w->o.min_free_bytes,
        .ttl_seconds = w->o.result_ttl_seconds,
    };
    enum status st = spool_open(&w->spool, &o, err);
    if (st != DOCKET_OK) return st;
    if (w->o.spool_ephemeral)
        log_event(LOG_WARN, EVENT_config_warning, F_STR("setting", "SPOOL_DIR"),
                  F_STR("consequence", "results that the queue does not accept do not outlive this container"));
    if (stat(w->o.spool_root, &facts) == 0 && (facts.st_mode & S_IWOTH) && !(facts.st_mode & S_ISVTX))
        log_event(LOG_WARN, EVENT_config_warning, F_STR("setting", "SPOOL_DIR"),
                  F_STR("consequence", "anyone may write there"));
    breadcrumb_mark_dead(w->spool);
    worker_post_found(w);
    return DOCKET_OK;
}

static void report_unhealthy(struct worker *w, size_t failed, const struct error *why)
{
    struct buffer reason = {0};
    buffer_printf(&reason, "%s: %s", status_name(why->status), why->message);
    if (w->queue->report_unhealthy && !reason.failed)
        w->queue->report_unhealthy(w->queue->self, w->o.checks[failed].name, reason.data);
    buffer_free(&reason);
}

struct threads {
    pthread_t take, stop, progress, watchdog, keeper, posters[QUEUE_MAX_POSTERS];
    struct poster poster[QUEUE_MAX_POSTERS];
    bool has_take, has_stop, has_progress, has_watchdog, has_keeper;
    unsigned n_posters;
};

static bool start_thread(pthread_t *thread, bool *has, void *(*run)(void *), void *context, const char *name)
{
    *has = pthread_create(thread, NULL, run, context) == 0;
    if (*has) pthread_setname_np(*thread, name);
    return *has;
}

static enum status start_background(struct worker *w, struct threads *t, struct error *err)
{
    bool good =
        start_thread(&t->watchdog, &t->has_watchdog, worker_watchdog_run, w, "watchdog") &&
        start_thread(&t->keeper, &t->has_keeper, worker_keeper_run, w, "keeper") &&
        (!w->queue->progress || start_thread(&t->progress, &t->has_progress, worker_progress_run, w, "progress"));
    for (unsigned i = 0; i < w->o.n_posters && good; i++) {
        t->poster[i] = (struct poster){w, i};
        good = start_thread(&t->posters[i], &good, worker_post_run, &t->poster[i], "poster");
        if (good) t->n_posters++;
    }
    return good ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no threads for the worker");
}

static enum status start_taking(struct worker *w, struct threads *t, struct error *err)
{
    if (start_thread(&t->take, &t->has_take, worker_take_run, w, "take") &&
        (!w->queue->stop_poll || start_thread(&t->stop, &t->has_stop, worker_stop_run, w, "stop")))
        return DOCKET_OK;
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no threads for the worker");
}

static enum status start_heartbeat(struct worker *w, struct error *err)
{
    if (!w->queue->ping) {
        if (w->o.heartbeat_missing)
            log_event(strcmp(w->o.heartbeat_missing, "RUNPOD_WEBHOOK_PING") == 0 ? LOG_WARN : LOG_INFO,
                      EVENT_heartbeat_disabled, F_STR("missing", w->o.heartbeat_missing));
        return DOCKET_OK;
    }
    enum status st = heartbeat_start(&w->heartbeat, w->queue, w->ids, w->o.ping_interval_seconds, err);
    if (st == DOCKET_OK) heartbeat_wait_first(w->heartbeat, w->o.ping_interval_seconds, NULL);
    return st;
}

/* --- the main loop and the drain --- */

/* Waits until prepare has succeeded, a signal came, or something ended the worker. Lock held. */
static void wait_prepared(struct worker *w)
{
    worker_start_prepare(w);
    while (!w->prepare_ended && !stop_requests(w) && w->end_code < 0) worker_wait(w, SMALL_WAIT);
}

/* A failed prepare is the end: it is called once. Lock held. */
static void check_prepare(struct worker *w)
{
    if (!w->prepare_ended || w->ready || w->end_code >= 0) return;
    bool told = atomic_load(&w->stop_prepare);
    if (!told) log_event(LOG_ERROR, EVENT_model_load_failed, F_ERROR(&w->prepare_error));
    w->end_code = exit_code_of(&w->prepare_error);
    w->end_reason = w->prepare_error;
}

static bool idle(const struct worker *w)
{
    return w->n_held + w->n_running == 0;
}

static double left_of(double limit, uint64_t since_ns)
{
    return limit - clock_seconds_since(since_ns);
}

/* Jobs, then posts, within the limits. Returns early on a second signal. Lock held. */
static void drain(struct worker *w, bool has_take)
{
    uint64_t start = clock_now_ns();
    atomic_store(&w->no_take, true);
    if (!w->ready && w->prepare_started && idle(w)) atomic_store(&w->stop_prepare, true);
    worker_post_hurry(w);
    while (stop_requests(w) < 2) {
        if (has_take && !w->taker_ended && clock_seconds_since(start) >= OPEN_TAKE_SECONDS)
            atomic_store(&w->abort_take, true);
        if ((!has_take || w->taker_ended) && idle(w)) break;
        if (w->o.drain_seconds > 0 && left_of(w->o.drain_seconds, start) <= 0 && !atomic_load(&w->drained_by_limit)) {
            atomic_store(&w->drained_by_limit, true);
            atomic_store(&w->abort_take, true);
            worker_stop_jobs(w, true);
        }
        if (w->o.drain_seconds > 0 && left_of(w->o.drain_seconds + LEAVE_SECONDS, start) <= 0) return;
        worker_wait(w, SMALL_WAIT);
    }
    uint64_t posts_start = clock_now_ns();
    worker_post_hurry(w);
    while (stop_requests(w) < 2 && w->fresh.n + w->elder.n > 0) {
        double left =
            w->o.drain_seconds > 0 ? left_of(w->o.drain_seconds, start) : left_of(w->o.drain_post_seconds, posts_start);
        if (left <= 0) break;
        worker_wait(w, SMALL_WAIT);
    }
}

/* Ends all threads that end by themselves; true if jobs or prepare are left running. */
static bool stop_threads(struct worker *w, struct threads *t)
{
    atomic_store(&w->no_take, true);
    atomic_store(&w->abort_take, true);
    atomic_store(&w->abort_stop_poll, true);
    atomic_store(&w->abort_progress, true);
    atomic_store(&w->stop_prepare, true);
    if (t->has_take) pthread_join(t->take, NULL);
    uint64_t start = clock_now_ns();
    pthread_mutex_lock(&w->lock);
    worker_stop_jobs(w, true);
    while (w->n_running && left_of(LEAVE_SECONDS, start) > 0 && !w->ending_now && stop_requests(w) < 2)
        worker_wait(w, SMALL_WAIT);
    while (w->prepare_started && !w->prepare_ended && left_of(PREPARE_SECONDS, start) > 0 && !w->ending_now &&
           stop_requests(w) < 2)
        worker_wait(w, SMALL_WAIT);
    /* crumbs of jobs that we leave running are no sign of a crash */
    for (struct worker_job *j = w->jobs; j && !w->ending_now; j = j->next) {
        if (pthread_mutex_trylock(&j->crumb_lock) != 0) continue;
        breadcrumb_clear(j->crumb);
        j->crumb = NULL;
        pthread_mutex_unlock(&j->crumb_lock);
    }
    bool prepare_left = w->prepare_started && !w->prepare_ended;
    bool left = w->n_running > 0 || prepare_left;
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->abort_posts, true);
    for (unsigned i = 0; i < t->n_posters; i++) pthread_join(t->posters[i], NULL);
    worker_spool_memory(w);
    if (t->has_progress) pthread_join(t->progress, NULL);
    if (t->has_stop) pthread_join(t->stop, NULL);
    atomic_store(&w->end_background, true);
    if (t->has_watchdog) pthread_join(t->watchdog, NULL);
    if (t->has_keeper) pthread_join(t->keeper, NULL);
    if (w->prepare_started) {
        if (prepare_left)
            pthread_detach(w->prepare_thread);
        else
            pthread_join(w->prepare_thread, NULL);
    }
    return left;
}

static int final_code(struct worker *w, size_t *n_waiting)
{
    *n_waiting = w->fresh.n + w->elder.n;
    if (w->end_code > 0) return w->end_code;
    return *n_waiting > 0 ? DOCKET_EXIT_UNPOSTED : DOCKET_EXIT_DRAINED;
}

static void log_end(struct worker *w, int code, size_t n_waiting, unsigned in_hand)
{
    if (code != 0)
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code),
                  F_STR("reason", w->end_code > 0 ? w->end_reason.message : "results wait in the spool"),
                  F_STR("error_code", w->end_code > 0 ? error_code_name(w->end_reason.code) : ""),
                  F_U64("results_waiting", n_waiting), F_U64("jobs_in_hand", in_hand));
    log_event(LOG_INFO, EVENT_worker_stopped, F_U64("jobs_done", atomic_load(&w->counters->jobs_done)),
              F_U64("jobs_failed", atomic_load(&w->counters->jobs_failed)),
              F_U64("results_posted", atomic_load(&w->counters->results_posted)), F_U64("results_waiting", n_waiting),
              F_F64("seconds", clock_seconds_since(w->started_ns)));
}

static void close_worker(struct worker *w)
{
    worker_post_free(w);
    spool_close(w->spool);
    id_list_close(w->ids);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

/* From the first ping to the last. Returns when the worker is to end. */
static void live(struct worker *w, struct threads *t)
{
    struct error err = {0};
    enum status st = start_background(w, t, &err);
    pthread_mutex_lock(&w->lock);
    if (st == DOCKET_OK && !w->o.lazy) wait_prepared(w);
    check_prepare(w);
    bool take = st == DOCKET_OK && w->end_code < 0 && stop_requests(w) == 0;
    pthread_mutex_unlock(&w->lock);
    if (take) st = start_taking(w, t, &err);
    if (st != DOCKET_OK) worker_end_with(w, DOCKET_EXIT_NO_MEMORY, &err, true);

    pthread_mutex_lock(&w->lock);
    while (w->end_code < 0 && !stop_requests(w) && !w->finished) {
        worker_wait(w, SMALL_WAIT);
        check_prepare(w);
    }
    if (!w->ending_now) {
        log_event(LOG_INFO, EVENT_draining,
                  F_STR("reason", w->end_code >= 0   ? "error"
                                  : stop_requests(w) ? "signal"
                                                     : "finished"),
                  F_U64("jobs_in_hand", w->n_held + w->n_running), F_U64("results_waiting", w->fresh.n + w->elder.n));
        drain(w, t->has_take);
    }
    pthread_mutex_unlock(&w->lock);
    if (w->ending_now) { /* the handler is dead: no beat may say otherwise */
        heartbeat_stop(w->heartbeat);
        w->heartbeat = NULL;
    }
}

static int run_all(struct worker *w, struct worker_end *end)
{
    struct error err = {0};
    struct threads threads = {0};
    struct signals signals = {0};
    size_t failed = 0;
    int code;

    if (!w->o.stop_requests) signals_install(&signals);
    if (open_spool(w, &err) != DOCKET_OK) {
        code = DOCKET_EXIT_CANNOT_CREATE;
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(&err));
    } else if (fitness_run(w->o.checks, w->o.n_checks, &failed, &err) != DOCKET_OK) {
        code = DOCKET_EXIT_UNHEALTHY;
        report_unhealthy(w, failed, &err);
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(&err));
    } else if (start_heartbeat(w, &err) != DOCKET_OK) {
        code = DOCKET_EXIT_NO_MEMORY;
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(&err));
    } else {
        size_t n_waiting = 0;
        live(w, &threads);
        w->threads_left = stop_threads(w, &threads);
        end->threads_left = w->threads_left || w->ending_now;
        heartbeat_stop(w->heartbeat); /* last: what is in hand is named to the end */
        w->heartbeat = NULL;
        code = final_code(w, &n_waiting);
        log_end(w, code, n_waiting, w->n_held + w->n_running);
    }
    signals_restore(&signals);
    return code;
}

int worker_run(const struct worker_options *options, const struct queue *queue, const struct handler *handler,
               struct worker_end *end)
{
    struct error err = {0};
    struct worker_end local;
    if (!end) end = &local;
    *end = (struct worker_end){.exit_code = DOCKET_EXIT_NO_MEMORY};
    struct worker *w = mem_zalloc(1, sizeof(*w));
    if (!w) return end->exit_code;
    w->o = *options;
    w->queue = queue;
    w->handler = handler;
    w->counters = options->counters ? options->counters : &w->own_counters;
    w->started_ns = clock_now_ns();
    w->end_code = -1;
    set_defaults(&w->o);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&w->lock, NULL);
    log_event(LOG_INFO, EVENT_worker_started, F_STR("queue", queue->name), F_STR("handler", handler->name),
              F_STR("worker_version", w->o.version ? w->o.version : ""), F_U64("concurrency", w->o.concurrency),
              F_STR("load", w->o.lazy ? "lazy" : "eager"), F_F64("ping_seconds", w->o.ping_interval_seconds));
    if (id_list_open(&w->ids, &err) != DOCKET_OK)
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", end->exit_code), F_ERROR(&err));
    else
        end->exit_code = run_all(w, end);
    if (!w->threads_left) close_worker(w); /* else they still use it */
    return end->exit_code;
}
