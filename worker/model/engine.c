/* engine.c: the batch thread. Requests are taken in order; each pass feeds as many of their tokens as fit, a long document in
 * several passes; the pass that holds a document's end also holds its trie, and answers it. */
#include "worker/model/engine_inner.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/warm_up.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define MAX_RANGES     4096 /* of the cache, taken at a time */
#define DEFAULT_SAFETY 0.90
#define PASSES_TO_GROW 8 /* that went well, before one that was halved may be twice as large again */
#define CHECK_PASSES   1000
#define CHECK_SECONDS  600.0
#define STALL_SECONDS  60.0

size_t engine_least_slots(size_t max_tokens)
{
    return max_tokens + max_tokens / 4;
}

void engine_limits(const struct model_config *c, const struct engine_options *o, struct transformer_limits *out)
{
    size_t max_tokens = o->max_tokens ? o->max_tokens : c->max_position;
    size_t rows = o->max_rows ? o->max_rows : 2048;
    size_t slots = o->kv_slots ? o->kv_slots : (max_tokens * 2 > 8192 ? max_tokens * 2 : 8192);
    if (slots < engine_least_slots(max_tokens)) slots = engine_least_slots(max_tokens);
    *out = (struct transformer_limits){.max_rows = rows,
                                       .max_sequences = PASS_MAX_SEQUENCES,
                                       .kv_slots = slots,
                                       .running_slots = rows,
                                       .max_outputs = rows,
                                       .kv_format = kv_format_kernels(o->kv_format)};
}

size_t engine_max_tokens(const struct engine *engine)
{
    return engine->max_tokens;
}

void engine_finish(struct engine *e, struct score_request *r, enum status status)
{
    struct score_request **p = &e->first, *before = NULL;
    while (*p != r) {
        before = *p;
        p = &(*p)->next;
    }
    *p = r->next;
    if (e->last == r) e->last = before;
    e->n_waiting--;
    engine_drop_slots(e, r);
    if (r->started_ns) r->inference_seconds = clock_seconds_since(r->started_ns);
    r->status = status;
    r->done = true;
    pthread_cond_broadcast(&e->finished);
}

/* Logits of all the choices of all tries that end in this pass, in one copy. No lock: the requests in the pass stay. */
static enum status fetch_logits(struct engine *e, struct score_request *const *done, size_t n_done, struct error *err)
{
    struct pass *p = &e->pass;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < n_done; i++) n += done[i]->trie->n_choices;
    if (!pass_room_for_items(p, n))
        return fail(err, DOCKET_NO_MEMORY, CODE_inference_out_of_memory, "no memory for %zu logits", n);
    for (size_t i = 0; i < n_done; i++) at = pass_list_choices(p, done[i]->trie, done[i]->first_output, at);
    return transformer_gather_logits(e->transformer, p->item_outputs, p->item_tokens, n, p->logits, err);
}

static void poison(struct engine *e, const struct error *why)
{
    if (e->poisoned) return;
    e->poisoned = true;
    e->poison = *why;
}

/* The device had no memory for this pass: its requests stay as they are and come again in smaller ones. false: it cannot be smaller. Under
 * the lock. */
static bool halve(struct engine *e, const struct error *why)
{
    size_t rows = e->pass.n_rows, least = 1;
    for (const struct score_request *r = e->first; r && !e->computing; r = r->next)
        if (r->n_rows > 0 && engine_least_rows(r) > least)
            least = engine_least_rows(r); /* what add_request gives it in any case */
    bool smaller = rows > least && rows / 2 > 0;
    log_event(smaller ? LOG_WARN : LOG_ERROR, EVENT_out_of_memory, F_STR("where", "forward pass"),
              F_STR("done", smaller ? "halved" : "its documents fail"), F_U64("pass_tokens", rows), F_ERROR(why));
    if (!smaller) return false;
    e->rows = rows / 2;
    e->good_passes = 0;
    e->splits++;
    return true;
}

/* After a pass: progress, answers, failures. Under the lock. */
static void settle(struct engine *e, enum status st, const struct error *why, double seconds,
                   struct score_request *const *done, size_t n_done)
{
    struct pass *p = &e->pass;
    double a_row = seconds / (double)p->n_rows;
    if (st == DOCKET_NO_DEVICE_MEMORY && halve(e, why)) return;
    if (st != DOCKET_OK) {
        if (st == DOCKET_DEVICE || st == DOCKET_INTERNAL) poison(e, why);
        struct score_request *next;
        for (struct score_request *r = e->first; r; r = next) {
            next = r->next;
            bool in_pass = r->n_rows > 0 || (e->computing && r->prefix == e->computing);
            if (!in_pass && !e->poisoned) continue;
            r->error = *why;
            engine_finish(e, r, st);
        }
        return;
    }
    if (e->rows < e->limits.max_rows && ++e->good_passes >= PASSES_TO_GROW) {
        e->rows = e->rows * 2 < e->limits.max_rows ? e->rows * 2 : e->limits.max_rows;
        e->good_passes = 0;
    }
    e->tokens += p->n_rows;
    if (e->computing) {
        e->computing->n_fed += p->n_rows;
        e->computing->device_seconds += seconds;
        return;
    }
    size_t at = 0;
    for (struct score_request *r = e->first; r; r = r->next) {
        if (r->n_rows == 0) continue;
        r->device_seconds += a_row * r->n_rows;
        if (!r->last_chunk) r->n_fed += r->n_rows;
    }
    for (size_t i = 0; i < n_done; i++) {
        struct score_request *r = done[i];
        bool finite = token_trie_score(r->trie, p->logits + at, r->log_probabilities);
        at += r->trie->n_choices;
        r->trie_tokens = r->trie->n_fed;
        if (!finite && !r->again) {
            r->again = true;
            engine_drop_slots(e, r);
            continue;
        }
        if (r->prefix && !r->prefix->charged) {
            r->prefix->charged = true;
            r->device_seconds += r->prefix->device_seconds;
        } else
            r->cached_tokens = engine_prefix_length(r);
        if (finite)
            engine_finish(e, r, DOCKET_OK);
        else
            engine_finish(e, r,
                          fail(&r->error, DOCKET_INTERNAL, CODE_inference_not_finite,
                               "the model gave numbers that are not finite, twice"));
    }
}

/* Asking the driver may take a millisecond: once a second is enough. Not under the lock. */
static void read_memory(struct engine *e, struct kernels_memory *out)
{
    if (e->memory_read_ns && clock_seconds_since(e->memory_read_ns) < 1) return;
    e->device->backend->memory(e->device->handle, out);
    e->memory_read_ns = clock_now_ns();
}

/* One pass without the lock, then its results under it. */
static void run_pass(struct engine *e)
{
    struct pass *p = &e->pass;
    struct score_request *done[PASS_MAX_SEQUENCES];
    size_t n_done = 0;
    struct error err = {0};
    for (struct score_request *r = e->first; r; r = r->next)
        if (r->n_rows > 0 && r->last_chunk) done[n_done++] = r;
    uint64_t start = clock_now_ns();
    e->pass_started_ns = start;
    e->pass_rows = p->n_rows;
    pthread_mutex_unlock(&e->lock);
    const struct kernels_batch_desc batch = pass_batch(p);
    enum status st = transformer_forward(e->transformer, &batch, p->outputs, p->n_outputs, NULL, &err);
    if (st == DOCKET_OK && n_done > 0) st = fetch_logits(e, done, n_done, &err);
    double seconds = clock_seconds_since(start);
    struct kernels_memory memory = e->memory; /* written by this thread only */
    read_memory(e, &memory);
    pthread_mutex_lock(&e->lock);
    e->memory = memory;
    double a_token = seconds / (double)p->n_rows;
    e->seconds_a_token = e->seconds_a_token > 0 ? 0.8 * e->seconds_a_token + 0.2 * a_token : a_token;
    e->busy_seconds += seconds;
    e->passes++;
    e->pass_started_ns = 0;
    e->pass_ended_ns = clock_now_ns();
    settle(e, st, &err, seconds, done, n_done);
}

/* Nothing could be added. A request that can never be fed would hold all others up; but one whose prefix has just left the cache for it can.
 * Under the lock. */
static void fail_first(struct engine *e)
{
    struct score_request *r = e->first;
    if (r->prefix && !r->prefix->has_slots && !r->moved) {
        r->moved = true;
        return;
    }
    fail(&r->error, DOCKET_LIMIT, CODE_job_exceeds_memory_plan,
         "%zu tokens need more than the %zu slots of the key/value cache",
         engine_prefix_length(r) + r->n_tokens + r->trie->n_fed, e->limits.kv_slots);
    engine_finish(e, r, DOCKET_LIMIT);
}

/* One pass without the lock. */
static void check(struct engine *e)
{
    struct error err = {0};
    uint64_t start = clock_now_ns();
    e->pass_started_ns = start;
    e->pass_rows = KNOWN_ANSWER_TOKENS;
    pthread_mutex_unlock(&e->lock);
    enum status st = known_answer_check(&e->known, e->transformer, &e->limits, e->config, &err);
    double seconds = clock_seconds_since(start);
    if (st == DOCKET_OK)
        log_event(LOG_INFO, EVENT_selftest_passed, F_STR("check", "known prompt"), F_F64("seconds", seconds));
    else if (st != DOCKET_NO_DEVICE_MEMORY)
        log_event(LOG_ERROR, EVENT_selftest_failed, F_STR("check", "known prompt"), F_ERROR(&err));
    pthread_mutex_lock(&e->lock);
    if (st != DOCKET_OK && st != DOCKET_NO_DEVICE_MEMORY) poison(e, &err);
    if (e->seconds_a_token <= 0) e->seconds_a_token = seconds / KNOWN_ANSWER_TOKENS; /* more than a large pass takes */
    e->checks++;
    e->next_check = e->passes + e->check_passes;
    e->pass_started_ns = 0;
    e->pass_ended_ns = clock_now_ns();
}

/* Waits for work. Under the lock. true: a look at the known answer is due. */
static bool wait_for_work(struct engine *e)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)e->check_seconds;
    until.tv_nsec += (long)((e->check_seconds - floor(e->check_seconds)) * 1e9);
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    while (!e->first && !e->closing && !(e->checking && e->passes >= e->next_check))
        if (pthread_cond_timedwait(&e->submitted, &e->lock, &until) == ETIMEDOUT) return e->checking;
    return e->checking && e->passes >= e->next_check;
}

static void *run_engine(void *argument)
{
    struct engine *e = argument;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        bool due = wait_for_work(e);
        if (e->closing) break;
        if (due && !e->poisoned)
            check(e);
        else if (!e->first)
            continue;
        else if (e->poisoned) {
            e->first->error = e->poison;
            engine_finish(e, e->first, e->poison.status);
        } else if (engine_gather_pass(e))
            run_pass(e);
        else if (e->first)
            fail_first(e);
    }
    while (e->first) {
        fail(&e->first->error, DOCKET_CANCELLED, CODE_document_not_reached, "the worker is stopping");
        engine_finish(e, e->first, DOCKET_CANCELLED);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

enum status engine_open(struct engine **out, const struct device *device, const struct model_config *config,
                        const struct model_weights *weights, const struct engine_options *options, struct error *err)
{
    struct engine *e = mem_zalloc(1, sizeof(*e));
    if (!e) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the batch scheduler");
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->submitted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&e->finished, NULL);
    e->device = device;
    e->config = config;
    e->max_tokens = options->max_tokens ? options->max_tokens : config->max_position;
    engine_limits(config, options, &e->limits);
    e->rows = e->limits.max_rows;
    double safety = options->safety > 0 ? options->safety : DEFAULT_SAFETY;
    e->safe_slots = (size_t)((double)e->limits.kv_slots * safety);
    e->check_passes = options->check_passes ? options->check_passes : CHECK_PASSES;
    e->check_seconds = options->check_seconds > 0 ? options->check_seconds : CHECK_SECONDS;
    e->stall_seconds = options->stall_seconds > 0 ? options->stall_seconds : STALL_SECONDS;
    enum status st = transformer_open(&e->transformer, device, config, weights, &e->limits, err);
    if (st == DOCKET_OK) st = warm_up(e->transformer, device, config, &e->limits, err);
    if (st != DOCKET_OK) goto failed;
    if (!pass_init(&e->pass, e->limits.max_rows) || !kv_slots_init(&e->kv, e->limits.kv_slots, MAX_RANGES)) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a pass of %zu tokens", e->limits.max_rows);
        goto failed;
    }
    e->pass_ended_ns = clock_now_ns();
    read_memory(e, &e->memory);
    if (pthread_create(&e->thread, NULL, run_engine, e) != 0) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start the batch thread");
        goto failed;
    }
    e->started = true;
    *out = e;
    return DOCKET_OK;
failed:
    engine_close(e);
    return st;
}

void engine_close(struct engine *e)
{
    if (!e) return;
    if (e->started) {
        pthread_mutex_lock(&e->lock);
        e->closing = true;
        pthread_cond_signal(&e->submitted);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    while (e->prefixes) {
        struct engine_prefix *p = e->prefixes;
        e->prefixes = p->next;
        mem_free(p->ids);
        mem_free(p);
    }
    kv_slots_free(&e->kv);
    pass_free(&e->pass);
    transformer_close(e->transformer);
    pthread_cond_destroy(&e->finished);
    pthread_cond_destroy(&e->submitted);
    pthread_mutex_destroy(&e->lock);
    mem_free(e);
}

enum status engine_prefix_open(struct engine *e, const int32_t *ids, size_t n, struct engine_prefix **out,
                               struct error *err)
{
    struct engine_prefix *p;
    *out = NULL;
    if (n == 0) return DOCKET_OK;
    if (n >= e->max_tokens)
        return fail(err, DOCKET_LIMIT, CODE_prompt_too_long,
                    "labels and instructions take %zu tokens, the context has %zu", n, e->max_tokens);
    pthread_mutex_lock(&e->lock);
    for (p = e->prefixes; p; p = p->next)
        if (p->n_ids == n && memcmp(p->ids, ids, n * sizeof(*ids)) == 0) break;
    if (!p && (p = mem_zalloc(1, sizeof(*p)))) {
        p->ids = mem_dup(ids, n * sizeof(*ids));
        if (p->ids) {
            p->n_ids = n;
            p->next = e->prefixes;
            e->prefixes = p;
        } else {
            mem_free(p);
            p = NULL;
        }
    }
    if (p) p->users++;
    pthread_mutex_unlock(&e->lock);
    *out = p;
    return p ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a prefix of %zu tokens", n);
}

void engine_prefix_close(struct engine *e, struct engine_prefix *prefix)
{
    if (!prefix) return;
    pthread_mutex_lock(&e->lock);
    prefix->users--;
    pthread_mutex_unlock(&e->lock);
}

static double cache_megabytes(const struct engine *e, size_t slots)
{
    const struct model_config *c = e->config;
    const struct kernels_kv_shape shape = {.format = e->limits.kv_format,
                                           .n_layers = c->n_layers,
                                           .n_slots = slots,
                                           .n_kv_heads = c->n_kv_heads,
                                           .head_size = c->head_size};
    return (double)e->device->backend->kv_size(e->device->handle, &shape) / 1e6;
}

void engine_submit(struct engine *e, struct score_request *r)
{
    r->next = NULL;
    r->submitted_ns = clock_now_ns();
    r->started_ns = 0;
    r->n_fed = 0;
    r->has_slots = r->done = r->again = r->moved = false;
    r->wait_seconds = r->inference_seconds = r->device_seconds = 0;
    r->cached_tokens = r->trie_tokens = 0;
    r->error = (struct error){0};
    size_t all = engine_prefix_length(r) + r->n_tokens + r->trie->n_fed;
    if (all > e->max_tokens || r->trie->n_fed + 1 > e->limits.max_rows || r->n_tokens == 0) {
        r->status = fail(&r->error, DOCKET_LIMIT, CODE_document_too_long,
                         "%zu tokens with labels and instructions, the context has %zu", all, e->max_tokens);
        r->done = true;
        return;
    }
    size_t own = r->n_tokens + r->trie->n_fed, kept = engine_prefix_length(r) + (own > e->limits.max_rows ? own : 0);
    if (kept > e->safe_slots) {
        r->status =
            fail(&r->error, DOCKET_LIMIT, CODE_job_exceeds_memory_plan,
                 "%zu tokens take %.1f MB of the key/value cache, %.1f MB of its %.1f may be taken", kept,
                 cache_megabytes(e, kept), cache_megabytes(e, e->safe_slots), cache_megabytes(e, e->limits.kv_slots));
        r->done = true;
        return;
    }
    pthread_mutex_lock(&e->lock);
    if (e->last)
        e->last->next = r;
    else
        e->first = r;
    e->last = r;
    e->n_waiting++;
    pthread_cond_signal(&e->submitted);
    pthread_mutex_unlock(&e->lock);
}

void engine_wait(struct engine *e, struct score_request *r)
{
    pthread_mutex_lock(&e->lock);
    while (!r->done) pthread_cond_wait(&e->finished, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

void engine_start_checks(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->checking = true;
    e->next_check = e->passes;
    pthread_cond_signal(&e->submitted);
    pthread_mutex_unlock(&e->lock);
}

void engine_state(struct engine *e, struct engine_state *out)
{
    pthread_mutex_lock(&e->lock);
    *out = (struct engine_state){.tokens = e->tokens,
                                 .passes = e->passes,
                                 .splits = e->splits,
                                 .checks = e->checks,
                                 .busy_seconds = e->busy_seconds,
                                 .waiting = e->n_waiting,
                                 .memory = e->memory};
    if (!e->pass_started_ns) out->idle_seconds_now = clock_seconds_since(e->pass_ended_ns);
    pthread_mutex_unlock(&e->lock);
}

bool engine_healthy(struct engine *e, struct error *err)
{
    pthread_mutex_lock(&e->lock);
    bool healthy = !e->poisoned;
    if (!healthy && err) *err = e->poison;
    if (healthy && e->pass_started_ns) {
        double predicted = e->seconds_a_token * (double)e->pass_rows, took = clock_seconds_since(e->pass_started_ns);
        double limit = e->seconds_a_token > 0 ? e->stall_seconds + 5 * predicted : 10 * e->stall_seconds;
        healthy = took <= limit;
        if (!healthy)
            fail(err, DOCKET_DEVICE, CODE_accelerator_lost,
                 "a pass of %llu tokens has run for %.0f s, %.0f s were the most expected",
                 (unsigned long long)e->pass_rows, took, limit);
    }
    pthread_mutex_unlock(&e->lock);
    return healthy;
}
