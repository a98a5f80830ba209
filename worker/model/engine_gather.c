/* engine_gather.c: which requests a pass holds, and where their keys and values go. The cache keeps prefixes, and documents that began in
 * an earlier pass; those that begin and end in one leave nothing: their slots are running ones. */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/engine_inner.h"

#define MAX_UNUSED_PREFIXES 64

static struct kernels_range prefix_range(const struct engine_prefix *prefix)
{
    return (struct kernels_range){prefix->first_slot, (uint32_t)prefix->n_ids, 0};
}

size_t engine_prefix_length(const struct score_request *r)
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

void engine_drop_slots(struct engine *e, struct score_request *r)
{
    if (r->has_slots) kv_slots_give(&e->kv, r->first_slot, r->n_tokens + r->trie->n_fed);
    r->has_slots = false;
    r->n_fed = 0;
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

size_t engine_least_rows(const struct score_request *r)
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
    size_t rows = engine_least_rows(r) > e->rows ? engine_least_rows(r) : e->rows,
           room = rows > p->n_rows ? rows - p->n_rows : 0;
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
    const struct kernels_range document = {r->first_slot, (uint32_t)r->n_tokens, (uint32_t)engine_prefix_length(r)};
    const struct kernels_range *before = r->prefix ? &prefix : NULL;
    size_t rows_before = p->n_rows;
    pass_add_tokens(p, r->tokens, n, r->n_fed, before, r->first_slot, engine_prefix_length(r));
    if (last) r->first_output = pass_add_trie(p, r->trie, before, &document, r->first_slot + (uint32_t)r->n_tokens);
    r->last_chunk = last;
    r->n_rows = (uint32_t)(p->n_rows - rows_before);
    return last ? ADDED : FULL;
}

bool engine_gather_pass(struct engine *e)
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
            engine_finish(e, r, DOCKET_CANCELLED);
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
