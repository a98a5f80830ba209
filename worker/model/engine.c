/* engine.c: the batch thread. Requests are taken in order; each pass feeds as many of their tokens as fit, a long document in
 * several passes; the pass that holds a document's end also holds its trie, and answers it. The cache keeps prefixes, and documents that
 * began in an earlier pass; those that begin and end in one leave nothing: their slots are running ones. */
#include "worker/model/engine.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/kv_slots.h"
#include "worker/model/pass.h"

#include <pthread.h>
#include <string.h>

#define MAX_RANGES          4096 /* of the cache, taken at a time */
#define MAX_UNUSED_PREFIXES 64
#define DEFAULT_SAFETY      0.90
#define PASSES_TO_GROW      8 /* that went well, before one that was halved may be twice as large again */

struct engine_prefix {
    int32_t *ids;
    size_t n_ids, n_fed;
    uint32_t first_slot;
    bool has_slots;
    unsigned users; /* guarded by the engine's lock */
    bool charged;   /* a request has been charged with computing it */
    double device_seconds;
    uint64_t last_used; /* pass number */
    struct engine_prefix *next;
};

struct engine {
    const struct device *device;
    const struct model_config *config;
    struct transformer *transformer;
    struct transformer_limits limits;
    size_t max_tokens;
    pthread_t thread;
    bool started;
    struct pass pass;
    size_t running_used;             /* of the running slots, by this pass */
    size_t safe_slots;               /* of the cache; the rest is taken only by a request that is alone in it */
    size_t rows;                     /* of a pass: limits.max_rows, or fewer since the device had no memory for them */
    unsigned good_passes;            /* since then */
    struct engine_prefix *computing; /* the prefix that this pass computes, alone in it; NULL: it answers requests */
    struct kv_slots kv;              /* batch thread only */

    pthread_mutex_t lock;
    pthread_cond_t submitted, finished;
    struct score_request *first, *last; /* not done, in order; guarded by lock */
    size_t n_waiting;
    struct engine_prefix *prefixes;
    bool closing;
    bool poisoned;
    struct error poison;
    uint64_t tokens, passes, splits;
    double busy_seconds, seconds_a_token;
    uint64_t pass_started_ns, pass_ended_ns, pass_rows; /* pass_started_ns 0: none runs */
    struct kernels_memory memory;                       /* as the backend said it then */
    uint64_t memory_read_ns;
};

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

static struct kernels_range prefix_range(const struct engine_prefix *prefix)
{
    return (struct kernels_range){prefix->first_slot, (uint32_t)prefix->n_ids, 0};
}

static size_t prefix_length(const struct score_request *r)
{
    return r->prefix ? r->prefix->n_ids : 0;
}

/* true while a request that holds slots of its own, or is in this pass, needs the prefix where it is. */
static bool prefix_in_use(const struct engine *e, const struct engine_prefix *prefix)
{
    for (const struct score_request *r = e->first; r; r = r->next)
        if (r->prefix == prefix && (r->has_slots || r->n_rows > 0)) return true;
    return false;
}

static void drop_prefix(struct engine *e, struct engine_prefix *prefix)
{
    if (prefix->has_slots) kv_slots_give(&e->kv, prefix->first_slot, prefix->n_ids);
    prefix->has_slots = false;
    prefix->n_fed = 0;
}

/* Gives back the slots of the prefix that was used longest ago, other than `keep`; one that a job still holds is computed
 * again when its next document comes. Under the lock. */
static bool evict_prefix(struct engine *e, const struct engine_prefix *keep)
{
    struct engine_prefix **oldest = NULL;
    for (struct engine_prefix **p = &e->prefixes; *p; p = &(*p)->next) {
        bool can = (*p)->has_slots && *p != keep && !prefix_in_use(e, *p);
        if (can && (!oldest || (*p)->last_used < (*oldest)->last_used)) oldest = p;
    }
    if (!oldest) return false;
    drop_prefix(e, *oldest);
    return true;
}

/* Forgets prefixes that nobody holds and that have no slots any more, or too many of them. Under the lock. */
static void forget_prefixes(struct engine *e)
{
    size_t kept = 0;
    for (struct engine_prefix **p = &e->prefixes; *p;) {
        struct engine_prefix *one = *p;
        bool keep = one->users > 0 || (one->has_slots && kept < MAX_UNUSED_PREFIXES);
        if (one->users == 0 && keep) kept++;
        if (keep) {
            p = &one->next;
            continue;
        }
        *p = one->next;
        drop_prefix(e, one);
        mem_free(one->ids);
        mem_free(one);
    }
}

static bool take_slots(struct engine *e, size_t n, const struct engine_prefix *keep, uint32_t *first)
{
    while (!kv_slots_take(&e->kv, n, first))
        if (!evict_prefix(e, keep)) return false;
    return true;
}

static void drop_slots(struct engine *e, struct score_request *r)
{
    if (r->has_slots) kv_slots_give(&e->kv, r->first_slot, r->n_tokens + r->trie->n_fed);
    r->has_slots = false;
    r->n_fed = 0;
}

/* Takes the request off the list and wakes whoever waits. Under the lock. */
static void finish(struct engine *e, struct score_request *r, enum status status)
{
    struct score_request **p = &e->first, *before = NULL;
    while (*p != r) {
        before = *p;
        p = &(*p)->next;
    }
    *p = r->next;
    if (e->last == r) e->last = before;
    e->n_waiting--;
    drop_slots(e, r);
    if (r->started_ns) r->inference_seconds = clock_seconds_since(r->started_ns);
    r->status = status;
    r->done = true;
    pthread_cond_broadcast(&e->finished);
}

/* true if the request's prefix is in the cache; else puts as much of it into the pass as fits (alone in it). */
static bool prefix_ready(struct engine *e, struct engine_prefix *prefix)
{
    struct pass *p = &e->pass;
    if (!prefix || prefix->n_fed == prefix->n_ids) return true;
    if (p->n_rows > 0) return false;
    if (!prefix->has_slots) prefix->has_slots = take_slots(e, prefix->n_ids, prefix, &prefix->first_slot);
    if (!prefix->has_slots) return false;
    size_t n = prefix->n_ids - prefix->n_fed;
    if (n > e->rows) n = e->rows;
    pass_add_tokens(p, prefix->ids, n, prefix->n_fed, NULL, prefix->first_slot, 0);
    e->computing = prefix;
    return false;
}

/* A document's last token goes with its trie. */
static size_t least_rows(const struct score_request *r)
{
    return r->trie->n_fed + 1;
}

static bool nobody_holds_slots(const struct engine *e)
{
    for (const struct score_request *r = e->first; r; r = r->next)
        if (r->has_slots) return false;
    return true;
}

/* Slots of the cache for a request; none while others hold as much of it as is safe. Whoever is alone in it and has its prefix in the
 * middle gives that up too: computed again, it lies at the beginning. */
static bool admit(struct engine *e, struct score_request *r, size_t n)
{
    bool alone = nobody_holds_slots(e);
    while (!alone && e->limits.kv_slots - e->kv.n_free + n > e->safe_slots)
        if (!evict_prefix(e, r->prefix)) return false;
    if (take_slots(e, n, r->prefix, &r->first_slot)) return true;
    if (alone && r->prefix && e->pass.n_rows == 0) drop_prefix(e, r->prefix);
    return false;
}

/* Where the request's keys and values go: running slots if it ends in the pass that it begins in; else slots of the cache, for which no
 * prefix goes if a pass of its own could hold it. */
static bool find_slots(struct engine *e, struct score_request *r, bool whole)
{
    size_t n = r->n_tokens + r->trie->n_fed;
    if (r->has_slots) return true;
    if (whole) {
        r->first_slot = (uint32_t)(e->limits.kv_slots + e->running_used);
        e->running_used += n;
        return true;
    }
    if (n <= e->rows)
        r->has_slots =
            e->limits.kv_slots - e->kv.n_free + n <= e->safe_slots && kv_slots_take(&e->kv, n, &r->first_slot);
    else
        r->has_slots = admit(e, r, n);
    return r->has_slots;
}

enum added { ADDED, FULL, NO_SLOTS }; /* FULL: and what fitted of it */

/* Adds what fits of the request. */
static enum added add_request(struct engine *e, struct score_request *r)
{
    struct pass *p = &e->pass;
    size_t rows = least_rows(r) > e->rows ? least_rows(r) : e->rows, room = rows > p->n_rows ? rows - p->n_rows : 0;
    size_t left = r->n_tokens - r->n_fed, trie = r->trie->n_fed;
    r->n_rows = 0;
    r->last_chunk = false;
    if (p->n_sequences + 2 > PASS_MAX_SEQUENCES || room == 0) return FULL;
    bool last = left + trie <= room;
    size_t n = last ? left : left - 1 < room ? left - 1 : room; /* the last token goes with the trie */
    if (n == 0) return FULL;
    if (!find_slots(e, r, last)) return r->n_tokens + trie <= e->rows ? FULL : NO_SLOTS;
    if (!r->started_ns) {
        r->started_ns = clock_now_ns();
        r->wait_seconds = (double)(r->started_ns - r->submitted_ns) / 1e9;
    }
    struct kernels_range prefix = r->prefix ? prefix_range(r->prefix) : (struct kernels_range){0};
    const struct kernels_range document = {r->first_slot, (uint32_t)r->n_tokens, (uint32_t)prefix_length(r)};
    const struct kernels_range *before = r->prefix ? &prefix : NULL;
    size_t rows_before = p->n_rows;
    pass_add_tokens(p, r->tokens, n, r->n_fed, before, r->first_slot, prefix_length(r));
    if (last) r->first_output = pass_add_trie(p, r->trie, before, &document, r->first_slot + (uint32_t)r->n_tokens);
    r->last_chunk = last;
    r->n_rows = (uint32_t)(p->n_rows - rows_before);
    return last ? ADDED : FULL;
}

/* Fills the pass from the waiting requests, in their order: once one has to wait for slots, only those that hold some go on. Under the
 * lock. false: nothing could be added. */
static bool gather_pass(struct engine *e)
{
    bool waits = false;
    pass_clear(&e->pass);
    e->running_used = 0;
    e->computing = NULL;
    forget_prefixes(e);
    struct score_request *next;
    for (struct score_request *r = e->first; r; r = next) {
        next = r->next;
        r->n_rows = 0;
        if (r->stop && atomic_load(r->stop)) {
            fail(&r->error, DOCKET_CANCELLED, CODE_document_not_reached, "stopped before its turn");
            finish(e, r, DOCKET_CANCELLED);
        }
    }
    for (struct score_request *r = e->first; r; r = r->next) {
        if ((r->again && e->pass.n_rows > 0) || (waits && !r->has_slots)) continue; /* again: once more, alone */
        if (!prefix_ready(e, r->prefix)) {
            if (e->computing) break;
            continue;
        }
        if (r->prefix) r->prefix->last_used = e->passes;
        enum added added = add_request(e, r);
        if (added == FULL || (added == ADDED && r->again)) break;
        waits |= added == NO_SLOTS;
    }
    return e->pass.n_rows > 0;
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
        if (r->n_rows > 0 && least_rows(r) > least) least = least_rows(r); /* what add_request gives it in any case */
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
            finish(e, r, st);
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
            drop_slots(e, r);
            continue;
        }
        if (r->prefix && !r->prefix->charged) {
            r->prefix->charged = true;
            r->device_seconds += r->prefix->device_seconds;
        } else
            r->cached_tokens = prefix_length(r);
        if (finite)
            finish(e, r, DOCKET_OK);
        else
            finish(e, r,
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
         prefix_length(r) + r->n_tokens + r->trie->n_fed, e->limits.kv_slots);
    finish(e, r, DOCKET_LIMIT);
}

static void *run_engine(void *argument)
{
    struct engine *e = argument;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        while (!e->first && !e->closing) pthread_cond_wait(&e->submitted, &e->lock);
        if (e->closing) break;
        if (e->poisoned) {
            e->first->error = e->poison;
            finish(e, e->first, e->poison.status);
        } else if (gather_pass(e))
            run_pass(e);
        else if (e->first)
            fail_first(e);
    }
    while (e->first) {
        fail(&e->first->error, DOCKET_CANCELLED, CODE_document_not_reached, "the worker is stopping");
        finish(e, e->first, DOCKET_CANCELLED);
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
    pthread_cond_init(&e->submitted, NULL);
    pthread_cond_init(&e->finished, NULL);
    e->device = device;
    e->config = config;
    e->max_tokens = options->max_tokens ? options->max_tokens : config->max_position;
    engine_limits(config, options, &e->limits);
    e->rows = e->limits.max_rows;
    double safety = options->safety > 0 ? options->safety : DEFAULT_SAFETY;
    e->safe_slots = (size_t)((double)e->limits.kv_slots * safety);
    enum status st = transformer_open(&e->transformer, device, config, weights, &e->limits, err);
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
    size_t all = prefix_length(r) + r->n_tokens + r->trie->n_fed;
    if (all > e->max_tokens || r->trie->n_fed + 1 > e->limits.max_rows || r->n_tokens == 0) {
        r->status = fail(&r->error, DOCKET_LIMIT, CODE_document_too_long,
                         "%zu tokens with labels and instructions, the context has %zu", all, e->max_tokens);
        r->done = true;
        return;
    }
    size_t own = r->n_tokens + r->trie->n_fed, kept = prefix_length(r) + (own > e->limits.max_rows ? own : 0);
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

void engine_state(struct engine *e, struct engine_state *out)
{
    pthread_mutex_lock(&e->lock);
    *out = (struct engine_state){.tokens = e->tokens,
                                 .passes = e->passes,
                                 .splits = e->splits,
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
        double limit = 60 + 5 * e->seconds_a_token * (double)e->pass_rows,
               took = clock_seconds_since(e->pass_started_ns);
        healthy = took <= limit || e->seconds_a_token <= 0;
        if (!healthy)
            fail(err, DOCKET_DEVICE, CODE_accelerator_lost,
                 "a pass of %llu tokens has run for %.0f s, %.0f s were the most expected",
                 (unsigned long long)e->pass_rows, took, limit);
    }
    pthread_mutex_unlock(&e->lock);
    return healthy;
}
