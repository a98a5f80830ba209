/* worker_jobs.c: a job from the take to its answer: duplicates, crashes, waiting for its turn, the handler's run, progress. */
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/queue/bodies.h"
#include "worker/worker_internal.h"

#include <string.h>

#define PROGRESS_EVERY_NS NS_PER_SECOND
#define OTHER_POLL        0.25 /* seconds between looks at another worker's run of the same job */

static void free_job(struct worker_job *j)
{
    queue_job_free(&j->job);
    mem_free(j->progress);
    partial_close(j->partial);
    pthread_mutex_destroy(&j->crumb_lock);
    mem_free(j);
}

/* Takes the job out of the list. Lock held. */
static void unlink_job(struct worker *w, struct worker_job *j)
{
    for (struct worker_job **p = &w->jobs; *p; p = &(*p)->next)
        if (*p == j) {
            *p = j->next;
            break;
        }
    if (j->running)
        w->n_running--;
    else
        w->n_held--;
    atomic_store(&w->counters->jobs_held, w->n_held);
    atomic_store(&w->counters->jobs_running, w->n_running);
    worker_publish_ids(w);
    pthread_cond_broadcast(&w->changed);
}

/* --- services for the handler --- */

static void service_progress(void *context, const char *json)
{
    struct worker_job *j = context;
    size_t length = strlen(json);
    if (length > MAX_PROGRESS_BYTES || json_gate(json, length, NULL, NULL) != DOCKET_OK) return;
    char *copy = str_dup(json);
    pthread_mutex_lock(&j->worker->lock);
    if (copy && j->progress_open) {
        char *old = j->progress;
        j->progress = copy;
        copy = old;
    }
    pthread_mutex_unlock(&j->worker->lock);
    mem_free(copy);
}

static void service_keep(void *context, uint32_t item, const void *bytes, size_t length)
{
    struct worker_job *j = context;
    partial_keep(j->partial, item, bytes, length);
}

static const void *service_find(void *context, uint32_t item, size_t *length)
{
    struct worker_job *j = context;
    return partial_find(j->partial, item, length);
}

static bool service_results(void *context, const void *bytes, size_t length, const char *ending,
                            char name[KEPT_NAME_BYTES])
{
    struct worker_job *j = context;
    struct error err = {0};
    if (!j->worker->spool) return false;
    bool kept =
        spool_keep_results(j->worker->spool, &j->key, bytes, length, ending, name, KEPT_NAME_BYTES, &err) == DOCKET_OK;
    if (kept)
        log_event(LOG_WARN, EVENT_results_kept, F_JOB(j->job.id), F_STR("file", name), F_U64("bytes", length));
    else
        log_event(LOG_ERROR, EVENT_results_kept, F_JOB(j->job.id), F_ERROR(&err));
    return kept;
}

static void service_phase(void *context, const char *phase, const char *items)
{
    struct worker_job *j = context;
    pthread_mutex_lock(&j->crumb_lock);
    breadcrumb_phase(j->crumb, phase, items);
    pthread_mutex_unlock(&j->crumb_lock);
}

static void service_account(void *context, const char *key, double value)
{
    struct worker_job *j = context;
    pthread_mutex_lock(&j->crumb_lock);
    unsigned i = 0;
    while (i < j->n_accounts && strcmp(j->accounts[i].key, key) != 0) i++;
    if (i < MAX_ACCOUNTS && strlen(key) < sizeof(j->accounts[i].key)) {
        memcpy(j->accounts[i].key, key, strlen(key) + 1);
        j->accounts[i].value = value;
        if (i == j->n_accounts) j->n_accounts++;
    }
    pthread_mutex_unlock(&j->crumb_lock);
}

/* --- waiting for its turn --- */

/* Waits until prepare has ended. CANCELLED if the job was stopped meanwhile; prepare's failure if it failed. */
static enum status wait_ready(struct worker_job *j, struct error *err)
{
    struct worker *w = j->worker;
    enum status st = DOCKET_OK;
    pthread_mutex_lock(&w->lock);
    worker_start_prepare(w);
    while (!w->prepare_ended && !atomic_load(&j->stop)) worker_wait(w, SMALL_WAIT);
    if (atomic_load(&j->stop))
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    else if (!w->ready)
        st = fail(err, DOCKET_REFUSED, CODE_model_unavailable, "%s", w->prepare_error.message);
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* A job with which a worker died runs alone, so that its next death accuses no neighbour. */
static bool enter_run(struct worker_job *j)
{
    struct worker *w = j->worker;
    bool alone = j->crashes > 0, entered = false;
    pthread_mutex_lock(&w->lock);
    if (alone) w->exclusive_waiting++;
    while (!atomic_load(&j->stop)) {
        if (!w->exclusive_running && (alone ? w->in_run == 0 : w->exclusive_waiting == 0)) {
            entered = true;
            break;
        }
        worker_wait(w, 1);
    }
    if (alone) w->exclusive_waiting--;
    if (entered) {
        w->in_run++;
        w->exclusive_running = alone;
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return entered;
}

static void leave_run(struct worker_job *j)
{
    struct worker *w = j->worker;
    pthread_mutex_lock(&w->lock);
    w->in_run--;
    if (j->crashes > 0) w->exclusive_running = false;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* No progress leaves from here on, and none is under way any more: the result comes after all of them. */
static void close_progress(struct worker_job *j)
{
    struct worker *w = j->worker;
    pthread_mutex_lock(&w->lock);
    j->progress_open = false;
    mem_free(j->progress);
    j->progress = NULL;
    while (j->progress_in_flight) worker_wait(w, SMALL_WAIT);
    pthread_mutex_unlock(&w->lock);
}

/* --- the answer --- */

/* The result's body, checked; an error when it cannot be posted as it is. */
static enum status compose(struct worker_job *j, struct job_result *result, struct buffer *body, struct error *err)
{
    struct worker *w = j->worker;
    const char *output = result->output.length ? result->output.data : NULL;
    const char *error = result->error.length ? result->error.data : NULL;
    size_t bad = 0;
    enum status st = buffer_check(&result->output, "output", err);
    if (st == DOCKET_OK) st = buffer_check(&result->error, "error", err);
    if (st == DOCKET_LIMIT) err->code = CODE_result_too_large;
    if (st != DOCKET_OK) return st;
    if (error && !utf8_valid(error, result->error.length, &bad))
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "the handler's error text is not UTF-8 at byte %zu",
                    bad);
    body_result(body, output, result->output.length, error, result->error.length,
                result->refresh_worker || w->o.refresh_worker);
    return body_check(body, w->o.max_result_bytes, err);
}

/* What may stand in the log of an error: of a mistake in the input the place and what was wanted, not the value that was found, which
 * may be somebody's text. The caller gets all of it. */
static struct error for_log(const struct error *why)
{
    struct error out = *why;
    char *got = strcmp(error_code_stage(why->code), "input") == 0 ? strstr(out.message, ", got ") : NULL;
    if (got) *got = '\0';
    return out;
}

static void log_done(struct worker_job *j, bool failed, size_t result_bytes, const struct error *why)
{
    struct log_field fields[MAX_ACCOUNTS + 8]; /* seven of our own at most */
    size_t n = 0;
    fields[n++] = F_JOB(j->job.id);
    if (j->job.batch_id) fields[n++] = F_BATCH(j->job.batch_id);
    fields[n++] = F_F64("seconds", clock_seconds_since(j->job.taken_at_ns));
    if (j->job.queue_seconds >= 0) fields[n++] = F_F64("queue_seconds", j->job.queue_seconds);
    if (result_bytes) fields[n++] = F_U64("result_bytes", result_bytes);
    if (j->crashes) fields[n++] = F_U64("crashes", j->crashes);
    for (unsigned i = 0; i < j->n_accounts; i++) fields[n++] = F_F64(j->accounts[i].key, j->accounts[i].value);
    struct error said = {0};
    if (failed && why) {
        said = for_log(why);
        fields[n++] = F_ERROR(&said);
    }
    log_write(failed ? LOG_ERROR : LOG_INFO, failed ? EVENT_job_failed : EVENT_job_done, fields, n);
}

/* The answer is durable when it comes here; it leaves after the last progress has ended. */
static void give_answer(struct worker_job *j, struct post_item *item)
{
    close_progress(j);
    worker_post(j->worker, item);
}

static void answer_failure(struct worker_job *j, const struct error *why)
{
    struct worker *w = j->worker;
    const struct answer a = {SPOOL_ERROR, j->job.id, &j->key, j->crashes > 0};
    give_answer(j, worker_make_error_answer(w, &a, why));
    COUNT(w, jobs_failed);
    log_done(j, true, 0, why);
}

static void log_stopped(struct worker_job *j)
{
    struct worker *w = j->worker;
    if (j->stopped_by_queue) {
        COUNT(w, jobs_stopped);
        if (w->spool) partial_remove(w->spool, &j->key);
        log_event(LOG_INFO, EVENT_job_stopped, F_JOB(j->job.id),
                  F_F64("seconds", clock_seconds_since(j->job.taken_at_ns)));
    } else
        COUNT(w, jobs_handed_back); /* the queue gives it to another worker, which finds its partial results */
}

/* A stored answer to the very same job: posted again, nothing computed. */
static bool answer_from_store(struct worker_job *j)
{
    struct worker *w = j->worker;
    struct buffer bytes = {0};
    struct spool_text text;
    bool found = w->spool && spool_find_accepted(w->spool, &j->key, &bytes, &text, NULL) == DOCKET_OK;
    if (found) {
        const struct answer a = {SPOOL_FULL, j->job.id, &j->key, false};
        give_answer(j, worker_make_answer(w, &a, text.body, text.body_bytes));
        COUNT(w, jobs_duplicate);
        log_event(LOG_INFO, EVENT_job_duplicate, F_JOB(j->job.id), F_STR("answer", "stored"));
    }
    buffer_free(&bytes);
    return found;
}

/* While another worker on the same spool volume runs this very job, waits for its answer. False: it is ours to run. */
static bool other_answers(struct worker_job *j)
{
    struct worker *w = j->worker;
    bool waited = false;
    while (!atomic_load(&j->stop)) {
        bool other = breadcrumb_other_runs(w->spool, &j->key, j->crumb) || spool_other_holds(w->spool, &j->key);
        if (!other && !waited) return false;
        if (!other) return answer_from_store(j);
        if (!waited)
            log_event(LOG_INFO, EVENT_job_duplicate, F_JOB(j->job.id), F_STR("answer", "another worker runs it"));
        waited = true;
        clock_sleep(OTHER_POLL, &j->stop);
    }
    return false;
}

static void run_handler(struct worker_job *j)
{
    struct worker *w = j->worker;
    struct error err = {0};
    struct job_result result = {0};
    struct buffer body = {0};
    const struct job job = {
        .id = j->job.id,
        .batch_id = j->job.batch_id,
        .json = j->job.json,
        .json_length = j->job.json_length,
        .queue_seconds = j->job.queue_seconds,
        .taken_at_ns = j->job.taken_at_ns,
        .crashes = j->crashes,
    };
    const struct job_services services = {
        .context = j,
        .stop = &j->stop,
        .progress = service_progress,
        .partial_keep = service_keep,
        .partial_find = service_find,
        .phase = service_phase,
        .account = service_account,
        .results_keep = service_results,
    };
    enum status st = partial_open(&j->partial, w->spool, &j->key, &err);
    if (st == DOCKET_OK) {
        if (partial_found(j->partial)) {
            COUNT(w, jobs_resumed);
            log_event(LOG_DEBUG, EVENT_job_resumed, F_JOB(j->job.id), F_U64("items", partial_found(j->partial)));
        }
        service_phase(j, "running", "");
        st = w->handler->run(w->handler->self, &job, &services, &result, &err);
    }
    pthread_mutex_lock(&j->crumb_lock);
    breadcrumb_clear(j->crumb); /* whatever happens now is not the job's doing */
    j->crumb = NULL;
    pthread_mutex_unlock(&j->crumb_lock);
    leave_run(j);

    if (st == DOCKET_OK) st = compose(j, &result, &body, &err);
    pthread_mutex_lock(&w->lock);
    bool stopped = j->stopped_by_queue;
    pthread_mutex_unlock(&w->lock);
    if (stopped || (st == DOCKET_CANCELLED && atomic_load(&j->stop)))
        log_stopped(j);
    else {
        if (st == DOCKET_OK) {
            const struct answer a = {result.error.length ? SPOOL_ERROR : SPOOL_FULL, j->job.id, &j->key,
                                     j->crashes > 0};
            size_t body_bytes = body.length;
            give_answer(j, worker_make_answer(w, &a, body.data, body.length));
            if (result.error.length)
                COUNT(w, jobs_failed);
            else
                COUNT(w, jobs_done);
            log_done(j, false, body_bytes, NULL);
        } else {
            if (err.code == CODE_NONE)
                err.code = st == DOCKET_NO_DEVICE_MEMORY ? CODE_inference_out_of_memory : CODE_internal_error;
            answer_failure(j, &err);
        }
        if (w->o.refresh_worker) {
            pthread_mutex_lock(&w->lock);
            w->finished = true;
            pthread_mutex_unlock(&w->lock);
        }
    }
    buffer_free(&body);
    job_result_free(&result);
}

/* Everything between the take and the handler, for one job. */
static void work(struct worker_job *j)
{
    struct worker *w = j->worker;
    struct error err = {0};
    struct buffer last = {0};
    if (w->spool) {
        if (answer_from_store(j)) return;
        j->crashes = breadcrumb_count(w->spool, &j->key, &last);
        if (j->crashes >= BREADCRUMB_POISON) {
            fail(&err, DOCKET_REFUSED, CODE_job_poisoned, "%u workers ended with this job in hand; last seen: %s",
                 j->crashes, last.length ? last.data : "unknown");
            buffer_free(&last);
            const struct answer a = {SPOOL_ERROR, j->job.id, &j->key, true};
            give_answer(j, worker_make_error_answer(w, &a, &err));
            COUNT(w, jobs_poisoned);
            log_event(LOG_ERROR, EVENT_job_poisoned, F_JOB(j->job.id), F_ERROR(&err));
            return;
        }
        buffer_free(&last);
    }
    enum status st = wait_ready(j, &err);
    if (st == DOCKET_CANCELLED || (st == DOCKET_OK && !enter_run(j))) {
        log_stopped(j);
        return;
    }
    if (st != DOCKET_OK) {
        answer_failure(j, &err);
        return;
    }
    if (w->spool) {
        j->crumb = breadcrumb_leave(w->spool, &j->key, j->job.id, &err);
        if (!j->crumb) log_event(LOG_WARN, EVENT_spool_problem, F_JOB(j->job.id), F_ERROR(&err));
        if (other_answers(j)) {
            breadcrumb_clear(j->crumb);
            j->crumb = NULL;
            leave_run(j);
            return;
        }
    }
    run_handler(j);
}

static void *job_thread(void *context)
{
    struct worker_job *j = context;
    struct worker *w = j->worker;
    work(j);
    close_progress(j);
    pthread_mutex_lock(&w->lock);
    unlink_job(w, j);
    worker_start_jobs(w);
    pthread_mutex_unlock(&w->lock);
    free_job(j);
    return NULL;
}

/* --- lists --- */

void worker_start_jobs(struct worker *w)
{
    for (struct worker_job *j = w->jobs; j && w->n_running < w->o.concurrency; j = j->next) {
        pthread_attr_t detached;
        if (j->running) continue;
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        j->running = true;
        bool started = pthread_create(&j->thread, &detached, job_thread, j) == 0;
        pthread_attr_destroy(&detached);
        if (!started) {
            j->running = false; /* tried again at the next change; the job stays in the heartbeat */
            return;
        }
        w->n_held--;
        w->n_running++;
    }
    atomic_store(&w->counters->jobs_held, w->n_held);
    atomic_store(&w->counters->jobs_running, w->n_running);
}

void worker_drop_stopped(struct worker *w)
{
    for (struct worker_job *j = w->jobs, *next; j; j = next) {
        next = j->next;
        if (j->running || !j->stopped_by_queue) continue;
        log_stopped(j);
        unlink_job(w, j);
        free_job(j);
    }
}

void worker_stop_jobs(struct worker *w, bool forget_held)
{
    for (struct worker_job *j = w->jobs, *next; j; j = next) {
        next = j->next;
        if (j->running)
            atomic_store(&j->stop, true);
        else if (forget_held) {
            unlink_job(w, j);
            COUNT(w, jobs_handed_back);
            free_job(j);
        }
    }
    pthread_cond_broadcast(&w->changed);
}

/* Whether the queue has just asked to stop this id, before the job itself came. Lock held. */
static bool stopped_early(struct worker *w, const struct spool_key *key)
{
    for (unsigned i = 0; i < EARLY_STOPS; i++)
        if (w->early_stops[i].at_ns && strcmp(w->early_stops[i].id, key->id) == 0 &&
            clock_seconds_since(w->early_stops[i].at_ns) < EARLY_STOP_SECONDS)
            return true;
    return false;
}

void worker_add_job(struct worker *w, struct queue_job *given)
{
    struct worker_job *j = mem_zalloc(1, sizeof(*j));
    COUNT(w, jobs_taken);
    if (!j) { /* nothing can be kept of it; without an entry in the heartbeat the queue gives it to someone else */
        log_event(LOG_ERROR, EVENT_out_of_memory, F_JOB(given->id), F_STR("where", "taking a job"));
        queue_job_free(given);
        return;
    }
    j->worker = w;
    j->progress_open = true;
    pthread_mutex_init(&j->crumb_lock, NULL);
    MOVE(j->job, *given);
    spool_key_make(&j->key, j->job.id, j->job.json ? j->job.json + j->job.input_at : "",
                   j->job.json ? j->job.input_length : 0);
    bool duplicate = false, bad = j->job.problem.code != CODE_NONE;
    pthread_mutex_lock(&w->lock);
    for (struct worker_job *o = w->jobs; o && !duplicate; o = o->next)
        duplicate = spool_key_same(&o->key, &j->key) && !o->stopped_by_queue;
    if (!duplicate) duplicate = worker_post_pending(w, &j->key, j->job.id);
    j->stopped_by_queue = stopped_early(w, &j->key);
    if (j->stopped_by_queue)
        log_stopped(j);
    else if (!duplicate && !bad) {
        struct worker_job **end = &w->jobs;
        while (*end) end = &(*end)->next;
        *end = j;
        w->n_held++;
        worker_publish_ids(w);
        if (j->job.queue_seconds >= 0)
            log_event(LOG_INFO, EVENT_job_taken, F_JOB(j->job.id), F_BATCH(j->job.batch_id),
                      F_U64("bytes", j->job.json_length), F_F64("queue_seconds", j->job.queue_seconds),
                      F_U64("in_hand", w->n_held + w->n_running));
        else
            log_event(LOG_INFO, EVENT_job_taken, F_JOB(j->job.id), F_BATCH(j->job.batch_id),
                      F_U64("bytes", j->job.json_length), F_U64("in_hand", w->n_held + w->n_running));
        worker_start_jobs(w); /* j may be gone after this */
        j = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    if (j && j->stopped_by_queue)
        free_job(j);
    else if (duplicate) {
        COUNT(w, jobs_duplicate);
        log_event(LOG_INFO, EVENT_job_duplicate, F_JOB(j->job.id), F_STR("answer", "joined"));
        free_job(j);
    } else if (j) {
        answer_failure(j, &j->job.problem);
        free_job(j);
    }
}

/* --- progress --- */

/* The next job whose progress may be sent now. Lock held. */
static struct worker_job *next_progress(struct worker *w)
{
    uint64_t now = clock_now_ns();
    for (struct worker_job *j = w->jobs; j; j = j->next)
        if (j->progress && j->progress_open && !atomic_load(&j->stop) &&
            (j->progress_sent_ns == 0 || now - j->progress_sent_ns >= PROGRESS_EVERY_NS))
            return j;
    return NULL;
}

void *worker_progress_run(void *context)
{
    struct worker *w = context;
    unsigned epoch = 0;
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->abort_progress)) {
        struct worker_job *j = next_progress(w);
        if (!j) {
            worker_wait(w, SMALL_WAIT);
            continue;
        }
        char *json = j->progress;
        j->progress = NULL;
        j->progress_in_flight = true; /* keeps the job alive */
        pthread_mutex_unlock(&w->lock);
        struct buffer body = {0};
        struct queue_answer answer = {0};
        if (worker_has_gap(w, &epoch)) worker_beat_first(w, LANE_PROGRESS, &w->abort_progress);
        body_progress(&body, json, strlen(json));
        if (!body.failed) {
            w->queue->progress(w->queue->self, j->job.id, body.data, body.length, &w->abort_progress, &answer);
            COUNT(w, progress_posts);
            if (answer.verdict != QUEUE_DONE) { /* never repeated: the next one says more */
                COUNT(w, progress_failures);
                log_event(LOG_DEBUG, EVENT_progress_error, F_JOB(j->job.id), F_ERROR(&answer.error));
            }
        }
        buffer_free(&body);
        mem_free(json);
        pthread_mutex_lock(&w->lock);
        j->progress_sent_ns = clock_now_ns();
        j->progress_in_flight = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}
