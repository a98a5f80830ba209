/* worker_post.c: results on their way to the queue: the spool first, then the posters, until each is accepted, refused for good, or
 * older than any job lives. */
#include "worker/base/alloc.h"
#include "worker/queue/backoff.h"
#include "worker/queue/bodies.h"
#include "worker/worker_internal.h"

#include <string.h>

#define BACKOFF_FIRST   1.0
#define BACKOFF_CAP     60.0
#define BACKOFF_DRAIN   5.0          /* cap while draining: there may not be another minute */
#define PAUSE_AFTER     3u           /* failures in a row, of any results, after which all posters wait */
#define HELP_FROM       ((size_t)64) /* waiting records from which idle posters help the elder lane */
#define MEMORY_RETRY_NS (5 * NS_PER_SECOND)
#define MAX_REFUSALS    2u

static void free_item(struct post_item *item)
{
    if (!item) return;
    mem_free(item->id);
    mem_free(item->body);
    mem_free(item);
}

/* Lists are in order of age. Searching starts at the end for the young, which is where they belong. */
static void insert(struct post_list *list, struct post_item *item)
{
    struct post_item **at = &list->first;
    if (list->last && list->last->entry.created_ns <= item->entry.created_ns) at = &list->last->next;
    while (*at && (*at)->entry.created_ns <= item->entry.created_ns) at = &(*at)->next;
    item->next = *at;
    *at = item;
    if (!item->next) list->last = item;
    list->n++;
}

static void take_out(struct post_list *list, struct post_item *item)
{
    struct post_item *before = NULL;
    for (struct post_item *i = list->first; i != item; i = i->next) before = i;
    if (before)
        before->next = item->next;
    else
        list->first = item->next;
    if (list->last == item) list->last = before;
    item->next = NULL;
    list->n--;
}

static void note_waiting(struct worker *w)
{
    atomic_store(&w->counters->results_waiting, (unsigned)(w->fresh.n + w->elder.n));
}

/* --- making answers --- */

static void *insist(void *memory, struct worker *w)
{
    if (memory) return memory;
    log_event(LOG_ERROR, EVENT_out_of_memory, F_STR("where", "keeping a result"),
              F_U64("waiting", w->fresh.n + w->elder.n));
    clock_sleep(0.5, NULL);
    return NULL;
}

struct post_item *worker_make_answer(struct worker *w, const struct answer *a, const void *body, size_t body_bytes)
{
    struct post_item *item = NULL;
    struct error err = {0};
    while (!item) item = insist(mem_zalloc(1, sizeof(*item)), w);
    while (!item->id) item->id = insist(str_dup(a->id), w);
    item->crashed = a->crashed;
    item->body_bytes = body_bytes;
    item->entry =
        (struct spool_entry){.key = *a->key, .kind = a->kind, .body_bytes = body_bytes, .created_ns = clock_wall_ns()};
    item->made_ns = clock_now_ns();
    if (w->spool && spool_put(w->spool, a->key, a->kind, a->id, body, body_bytes, &item->entry, &err) == DOCKET_OK)
        return item;
    if (w->spool) {
        COUNT(w, spool_failures);
        log_event(LOG_ERROR, EVENT_spool_problem, F_JOB(a->id), F_STR("consequence", "the result is kept in memory"),
                  F_ERROR(&err));
    }
    while (!item->body) item->body = insist(str_dup_n(body, body_bytes), w);
    return item;
}

struct post_item *worker_make_error_answer(struct worker *w, const struct answer *a, const struct error *why)
{
    struct buffer body = {0};
    const struct body_report facts = {w->o.hostname, w->o.worker_id, w->o.refresh_worker};
    for (body.failed = true; body.failed;) {
        buffer_free(&body);
        body.failed = body.over = false;
        body_error_report(&body, why, &facts);
        if (body.failed) insist(NULL, w);
    }
    struct post_item *item = worker_make_answer(w, a, body.data, body.length);
    buffer_free(&body);
    return item;
}

void worker_post(struct worker *w, struct post_item *item)
{
    pthread_mutex_lock(&w->lock);
    insert(&w->fresh, item);
    note_waiting(w);
    worker_publish_ids(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void worker_post_found(struct worker *w)
{
    size_t n = 0;
    if (!w->spool) return;
    struct spool_entry *found = spool_take_found(w->spool, &n);
    for (size_t i = 0; i < n; i++) {
        struct post_item *item = mem_zalloc(1, sizeof(*item));
        if (!item) break; /* still on disk: the next start finds it */
        item->entry = found[i];
        item->body_bytes = found[i].body_bytes;
        item->found = true;
        item->made_ns = clock_now_ns();
        pthread_mutex_lock(&w->lock);
        insert(&w->elder, item);
        pthread_mutex_unlock(&w->lock);
    }
    mem_free(found);
    pthread_mutex_lock(&w->lock);
    note_waiting(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (n) log_event(LOG_WARN, EVENT_spooled, F_U64("results_waiting", n), F_STR("from", "an earlier run"));
}

bool worker_post_pending(struct worker *w, const struct spool_key *key, const char *id)
{
    struct post_list *const lists[] = {&w->fresh, &w->elder};
    for (size_t l = 0; l < ARRAY_LENGTH(lists); l++)
        for (struct post_item *i = lists[l]->first; i; i = i->next)
            if (spool_key_same(&i->entry.key, key)) {
                i->due_ns = 0;
                if (i->in_flight) i->again = true;
                if (!i->id) i->id = str_dup(id);
                worker_publish_ids(w);
                pthread_cond_broadcast(&w->changed);
                return true;
            }
    return false;
}

void worker_post_hurry(struct worker *w)
{
    for (struct post_item *i = w->fresh.first; i; i = i->next) i->due_ns = 0;
    for (struct post_item *i = w->elder.first; i; i = i->next) i->due_ns = 0;
    w->posts_pause_until_ns = 0;
    w->post_failures = 0;
    pthread_cond_broadcast(&w->changed);
}

/* A result that only memory has, not being posted now, and due for another try at the disk. Lock held. */
static struct post_item *memory_item(struct worker *w, const struct post_item *after)
{
    bool past = after == NULL;
    struct post_list *const lists[] = {&w->fresh, &w->elder};
    for (size_t l = 0; l < ARRAY_LENGTH(lists); l++)
        for (struct post_item *i = lists[l]->first; i; i = i->next) {
            if (past && i->body && !i->in_flight) return i;
            if (i == after) past = true;
        }
    return NULL;
}

void worker_spool_memory(struct worker *w)
{
    if (!w->spool) return;
    pthread_mutex_lock(&w->lock);
    for (struct post_item *i = memory_item(w, NULL); i;) {
        struct spool_entry entry = i->entry;
        i->in_flight = true; /* ours for now */
        pthread_mutex_unlock(&w->lock);
        enum status st = spool_put(w->spool, &entry.key, entry.kind, i->id, i->body, i->body_bytes, &entry, NULL);
        pthread_mutex_lock(&w->lock);
        i->in_flight = false;
        if (st != DOCKET_OK) break; /* the disk is still full */
        i->entry = entry;
        mem_free(i->body);
        i->body = NULL;
        pthread_cond_broadcast(&w->changed);
        i = memory_item(w, i);
    }
    pthread_mutex_unlock(&w->lock);
}

/* --- posting --- */

static bool may_go(const struct post_item *i, uint64_t now)
{
    return !i->in_flight && i->due_ns <= now;
}

/* The next result for this poster. Lane 0 serves what is old, strictly by age; the others what is fresh, and help with the old when there
 * is much of it. A queue without a second lane has its one poster do both. Lock held. */
static struct post_item *next_item(struct worker *w, unsigned lane, uint64_t now)
{
    if (w->posts_pause_until_ns > now) return NULL;
    bool elder = lane == 0 || w->elder.n > HELP_FROM, fresh = lane != 0 || w->o.n_posters == 1;
    if (fresh)
        for (struct post_item *i = w->fresh.first; i; i = i->next)
            if (may_go(i, now)) return i;
    if (elder)
        for (struct post_item *i = w->elder.first; i; i = i->next) {
            if (may_go(i, now)) return i;
        }
    return NULL;
}

/* Made by this process and never failed: such an item stands in w->fresh, any other in w->elder. */
static bool is_fresh(const struct post_item *item)
{
    return !item->found && !item->failures && !item->refusals;
}

static void remove_item(struct worker *w, struct post_item *item)
{
    take_out(is_fresh(item) ? &w->fresh : &w->elder, item);
    note_waiting(w);
    if (item->id) worker_publish_ids(w);
    pthread_cond_broadcast(&w->changed);
    free_item(item);
}

static void on_accepted(struct worker *w, struct post_item *item, const char *id, unsigned attempts)
{
    double age = clock_seconds_since(item->made_ns);
    COUNT(w, results_posted);
    if (w->spool && !item->body) {
        spool_accept(w->spool, &item->entry);
        partial_remove(w->spool, &item->entry.key);
        if (item->crashed) breadcrumb_forget(w->spool, &item->entry.key);
    }
    if (item->found) {
        uint64_t now = clock_wall_ns();
        COUNT(w, results_unspooled);
        log_event(
            LOG_INFO, EVENT_unspooled, F_JOB(id),
            F_F64("age_seconds", now > item->entry.created_ns ? (double)(now - item->entry.created_ns) / 1e9 : 0));
    } else
        log_event(LOG_DEBUG, EVENT_result_posted, F_JOB(id), F_U64("attempts", attempts), F_F64("seconds", age));
}

/* Refused for good: the caller gets a short error instead, the full result stays in rejected/. */
static void replace_by_small(struct worker *w, struct post_item *item, const char *id,
                             const struct queue_answer *answer)
{
    struct buffer body = {0};
    COUNT(w, results_rejected);
    log_event(LOG_ERROR, EVENT_result_rejected, F_JOB(id), F_I64("status", answer->status),
              F_U64("bytes", item->body_bytes));
    body_rejected(&body, answer->status, item->body_bytes);
    if (item->entry.kind != SPOOL_SMALL && !body.failed) {
        const struct answer a = {SPOOL_SMALL, id, &item->entry.key, item->crashed};
        worker_post(w, worker_make_answer(w, &a, body.data, body.length));
    }
    buffer_free(&body);
    if (w->spool && !item->body) spool_reject(w->spool, &item->entry);
}

static double item_age(const struct post_item *item)
{
    uint64_t now = clock_wall_ns();
    double by_file = now > item->entry.created_ns ? (double)(now - item->entry.created_ns) / 1e9 : 0;
    return item->found ? by_file : clock_seconds_since(item->made_ns);
}

/* What an attempt means. Lock held before and after; ends with the item gone, or waiting again. */
static void settle(struct worker *w, struct post_item *item, const struct spool_text *text,
                   const struct queue_answer *answer)
{
    bool refused = answer->verdict == QUEUE_REFUSED;
    if (answer->verdict == QUEUE_DONE || (refused && item->refusals + 1 >= MAX_REFUSALS)) {
        struct post_item *more = NULL;
        w->post_failures = 0;
        w->posts_pause_until_ns = 0;
        pthread_mutex_unlock(&w->lock);
        if (refused)
            replace_by_small(w, item, text->id, answer);
        else
            on_accepted(w, item, text->id, item->failures + item->refusals + 1);
        pthread_mutex_lock(&w->lock);
        while (item->again) { /* delivered once more meanwhile: it may not know of this answer */
            const struct answer a = {item->entry.kind, text->id, &item->entry.key, false};
            item->again = false;
            pthread_mutex_unlock(&w->lock);
            if (!more && !refused) more = worker_make_answer(w, &a, text->body, text->body_bytes);
            pthread_mutex_lock(&w->lock);
        }
        remove_item(w, item);
        if (more) {
            COUNT(w, result_posts_repeated);
            insert(&w->fresh, more);
            note_waiting(w);
            worker_publish_ids(w);
        }
        return;
    }
    COUNT(w, result_post_failures);
    item->in_flight = false;
    item->ambiguous = answer->sent && answer->status == 0;
    if (is_fresh(item)) { /* no longer */
        take_out(&w->fresh, item);
        insert(&w->elder, item);
    }
    if (refused)
        item->refusals++;
    else
        item->failures++;
    if (!refused && item_age(item) > w->o.result_ttl_seconds) {
        COUNT(w, results_expired);
        log_event(LOG_ERROR, EVENT_spool_problem, F_JOB(text->id),
                  F_STR("consequence", "the result is older than any job lives and set aside"));
        if (w->spool && !item->body) spool_expire(w->spool, &item->entry);
        remove_item(w, item);
        return;
    }
    uint64_t now = clock_now_ns();
    double cap = atomic_load(&w->no_take) ? BACKOFF_DRAIN : BACKOFF_CAP;
    unsigned tries = refused ? 1 : item->failures;
    double wait = backoff_seconds(tries, BACKOFF_FIRST, cap, answer->retry_after_seconds, backoff_chance());
    item->due_ns = now + (uint64_t)(wait * 1e9);
    if (!refused) {
        bool same_round = w->posts_pause_until_ns > now; /* posters that fail side by side count once */
        if (!same_round) w->post_failures++;
        if (w->post_failures >= PAUSE_AFTER || answer->verdict == QUEUE_BUSY) {
            double pause = backoff_seconds(w->post_failures >= PAUSE_AFTER ? w->post_failures - PAUSE_AFTER + 1 : 1,
                                           BACKOFF_FIRST, cap, answer->retry_after_seconds, backoff_chance());
            uint64_t until = now + (uint64_t)(pause * 1e9);
            if (!same_round || (answer->retry_after_seconds > 0 && until > w->posts_pause_until_ns))
                w->posts_pause_until_ns = until;
        }
    }
    log_event(LOG_WARN, answer->status >= 300 && answer->status < 400 ? EVENT_queue_redirect : EVENT_post_retried,
              F_JOB(text->id), F_STR("operation", "result"), F_I64("status", answer->status),
              F_U64("failures", item->failures + item->refusals), F_F64("retry_seconds", wait),
              F_ERROR(&answer->error));
}

/* One attempt. Lock not held. */
static void attempt(struct worker *w, struct post_item *item, unsigned lane, struct buffer *bytes)
{
    struct spool_text text = {0};
    struct error err = {0};
    enum status st = DOCKET_OK;
    if (item->ambiguous) COUNT(w, result_posts_repeated);
    if (item->body)
        text = (struct spool_text){.id = item->id, .body = item->body, .body_bytes = item->body_bytes};
    else
        st = spool_read(w->spool, &item->entry, bytes, &text, &err);
    if (!text.id) text.id = item->id ? item->id : "";
    struct queue_answer answer = {.verdict = QUEUE_RETRY, .retry_after_seconds = -1};
    if (st == DOCKET_OK)
        w->queue->result(w->queue->self, lane, text.id, text.body, text.body_bytes, &w->abort_posts, &answer);
    else
        answer.error = err;
    pthread_mutex_lock(&w->lock);
    if (st == DOCKET_NOT_FOUND || st == DOCKET_CORRUPT || st == DOCKET_UNSUPPORTED) {
        if (st != DOCKET_NOT_FOUND) /* NOT_FOUND: another worker adopted it and answers */
            log_event(LOG_ERROR, EVENT_spool_problem, F_STR("consequence", "the record was set aside"), F_ERROR(&err));
        remove_item(w, item);
    } else if (atomic_load(&w->abort_posts) && answer.verdict != QUEUE_DONE)
        item->in_flight = false; /* stays for the next run */
    else
        settle(w, item, &text, &answer);
    pthread_mutex_unlock(&w->lock);
}

void *worker_post_run(void *context)
{
    struct poster *poster = context;
    struct worker *w = poster->worker;
    struct buffer bytes = {0};
    unsigned epoch = 0;
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->abort_posts)) {
        struct post_item *item = next_item(w, poster->lane, clock_now_ns());
        if (!item) {
            worker_wait(w, SMALL_WAIT);
            continue;
        }
        item->in_flight = true;
        pthread_mutex_unlock(&w->lock);
        if (worker_has_gap(w, &epoch)) worker_beat_first(w, LANE_POST + poster->lane, &w->abort_posts);
        attempt(w, item, poster->lane, &bytes);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    buffer_free(&bytes);
    return NULL;
}

void worker_post_free(struct worker *w)
{
    struct post_list *const lists[] = {&w->fresh, &w->elder};
    for (size_t l = 0; l < ARRAY_LENGTH(lists); l++)
        while (lists[l]->first) {
            struct post_item *item = lists[l]->first;
            lists[l]->first = item->next;
            free_item(item);
        }
}
