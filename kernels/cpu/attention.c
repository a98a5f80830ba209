/* attention.c: attention over a packed batch, with shared ranges, own causal range, parent trees and a window. Rows that see
 * the same keys go through them together, CPU_KEYS at a time, with a running maximum: those of one sequence, and of several
 * where they share their first range. Knows formats of the cache only through widen, and no instruction set.
 *
 * Keys of a sequence are numbered: its shared ranges in order, then what a row sees of its own range. Steps start at
 * multiples of CPU_KEYS in that numbering and a row uses exactly what it sees, so its bits do not depend on its neighbours,
 * nor on which range a key lies in. A step in which a row sees nothing changes nothing of it. Rows of a tree go together too,
 * each seeing of the tree's keys its ancestors.
 *
 * h query heads, g key/value heads, d head size. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/cpu/linear.h"

#define WIDTH      KERNELS_MAX_HEAD_SIZE
#define TILE       12u /* queries that are mixed together where rows do not see the same */
#define LANE_ALIGN 16u /* queries come to the inner loops in multiples of this */

struct attend_worker {
    float queries[WIDTH * CPU_QUERIES]; /* [d, CPU_QUERIES], scaled */
    float sums[CPU_QUERIES * WIDTH];
    float keys[CPU_KEYS * WIDTH], values[CPU_KEYS * WIDTH];
    float scores[CPU_KEYS * CPU_QUERIES];
    float largest[CPU_QUERIES], total[CPU_QUERIES], shrink[CPU_QUERIES];
};

/* Rows [first, first + n_rows) of a sequence. */
struct attend_part {
    uint32_t sequence, first, n_rows;
};

/* What one task computes: parts of as many sequences, whose first `common` keys are the same. */
struct attend_block {
    uint32_t first_part, n_parts, n_rows, common;
};

struct attend_work {
    const struct kernels_attention *args;
    const struct cpu_isa *isa;
    struct attend_block *blocks;
    struct attend_part *parts;
    struct attend_worker *workers;
    uint64_t *ancestors; /* [workers, cpu_attention_tree_bytes]: bits of a tree's rows, for each row of a block */
    size_t n_blocks, n_parts;
};

size_t cpu_attention_plan_bytes(size_t n_rows)
{
    return n_rows * (sizeof(struct attend_block) + sizeof(struct attend_part));
}

size_t cpu_attention_worker_bytes(void)
{
    return sizeof(struct attend_worker);
}

size_t cpu_attention_tree_bytes(size_t n_rows)
{
    return (n_rows / 64 + 2) * CPU_QUERIES * sizeof(uint64_t);
}

/* One block's view while it is computed. */
struct view {
    const struct attend_work *w;
    const struct kernels_sequence *s;
    struct attend_worker *mine;
    size_t kv_head, group; /* query heads of this key/value head that are looked at, from first_head on */
    size_t first_head, stride, n_queries;
    uint64_t *ancestors;
};

static size_t shared_keys(const struct kernels_sequence *s)
{
    size_t n = 0;

    for (uint32_t r = 0; r < s->n_shared; r++) n += s->shared[r].n_slots;
    return n;
}

static uint32_t slot_of(const struct view *v, size_t key)
{
    for (uint32_t r = 0; r < v->s->n_shared; r++) {
        if (key < v->s->shared[r].n_slots) return v->s->shared[r].first_slot + (uint32_t)key;
        key -= v->s->shared[r].n_slots;
    }
    return v->s->own.first_slot + (uint32_t)key;
}

static int64_t position_of(const struct view *v, size_t key)
{
    for (uint32_t r = 0; r < v->s->n_shared; r++) {
        if (key < v->s->shared[r].n_slots) return v->s->shared[r].first_position + (int64_t)key;
        key -= v->s->shared[r].n_slots;
    }
    if (v->s->parent) return v->w->args->batch->positions[v->s->first_row + key];
    return v->s->own.first_position + (int64_t)key;
}

static void load_keys(const struct view *v, const void *from, size_t first, size_t n, float *out)
{
    const struct kernels_kv *kv = v->w->args->kv;

    for (size_t j = 0; j < n; j++)
        v->w->isa->widen(kv->format,
                         (const char *)from + cpu_kv_at(kv, v->w->args->layer, v->kv_head, slot_of(v, first + j)),
                         kv->head_size, out + j * v->stride);
}

/* Rows that go through keys together: n_rows of the block from first_query on, whose first is row `row` of the batch. Row i sees
 * the keys below n_seen, or with `rise` below n_seen + i; with `words` those and its ancestors behind them. */
struct span {
    size_t first_query, n_rows, row, n_seen;
    bool rise;
    const uint64_t *ancestors; /* [n_rows, words] */
    size_t words;
};

/* One step's keys, and those that each row sees, as bits. */
struct step {
    size_t key, n;
    uint64_t seen[CPU_QUERIES];
    bool any, all;
};

static uint64_t low_bits(size_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
}

_Static_assert(CPU_KEYS == 64, "a step's keys are the bits of a word");

/* The ancestors of a row of the span among keys [key, key + 64). */
static uint64_t ancestor_bits(const struct span *span, size_t row, size_t key)
{
    const uint64_t *bits = span->ancestors + row * span->words;
    size_t at = key > span->n_seen ? key - span->n_seen : 0, shift = at % 64;
    uint64_t found = at / 64 < span->words ? bits[at / 64] >> shift : 0;

    if (shift && at / 64 + 1 < span->words) found |= bits[at / 64 + 1] << (64 - shift);
    if (key >= span->n_seen) return found;
    return span->n_seen - key < 64 ? found << (span->n_seen - key) : 0;
}

static void look(const struct view *v, const struct span *span, struct step *step)
{
    uint64_t whole = low_bits(step->n);
    uint32_t window = v->w->args->window;

    step->any = false, step->all = true;
    for (size_t i = 0; i < span->n_rows; i++) {
        size_t n_seen = span->n_seen + (span->rise ? i : 0);
        uint64_t seen = n_seen > step->key ? low_bits(n_seen - step->key) : 0;
        if (span->words) seen |= ancestor_bits(span, i, step->key);
        seen &= whole;
        for (size_t j = 0; window && j < step->n; j++)
            if (position_of(v, step->key + j) <= (int64_t)v->w->args->batch->positions[span->row + i] - window)
                seen &= ~((uint64_t)1 << j);
        step->seen[i] = seen;
        step->any = step->any || seen;
        step->all = step->all && seen == whole;
    }
}

/* Scores of what is not seen; all of queries [first, end) but those of the span see nothing. */
static void hide(const struct view *v, const struct span *span, const struct step *step, size_t first, size_t end)
{
    float *scores = v->mine->scores;
    size_t last_query = span->first_query + span->n_rows * v->group;

    if (end > v->n_queries) end = v->n_queries; /* nobody's */
    for (size_t j = 0; j < step->n; j++) {
        float *of_key = scores + j * CPU_QUERIES;
        for (size_t q = first; q < span->first_query; q++) of_key[q] = -INFINITY;
        for (size_t q = last_query; q < end; q++) of_key[q] = -INFINITY;
        for (size_t i = 0, q = span->first_query; i < span->n_rows && !step->all; i++, q += v->group)
            for (size_t h = 0; h < v->group && !(step->seen[i] >> j & 1); h++) of_key[q + h] = -INFINITY;
    }
}

/* The next run of bits from *at on, or false. */
static bool next_run(uint64_t bits, size_t *at, size_t *end)
{
    bits = *at < 64 ? bits & ~low_bits(*at) : 0;
    if (bits == 0) return false;
    *at = (size_t)__builtin_ctzll(bits);
    bits = ~bits & ~low_bits(*at);
    *end = bits ? (size_t)__builtin_ctzll(bits) : 64;
    return true;
}

/* What n queries see of a step, `seen`, in order. What was summed before shrinks once. */
static void mix_seen(const struct view *v, size_t first_query, size_t n, uint64_t seen)
{
    struct attend_worker *mine = v->mine;

    for (size_t low = 0, high; next_run(seen, &low, &high); low = high) {
        v->w->isa->mix(mine->sums + first_query * v->stride, n, v->stride, mine->shrink + first_query,
                       mine->scores + first_query, mine->values, low, high);
        for (size_t q = first_query; q < first_query + n; q++) mine->shrink[q] = 1;
    }
}

/* Rows [first, first + n) of the span, which see different keys: together what all of them see, each row in its order. */
static void mix_rows(const struct view *v, const struct span *span, const struct step *step, size_t first, size_t n)
{
    uint64_t all = ~(uint64_t)0, done = 0;
    size_t first_query = span->first_query + first * v->group;

    for (size_t i = first; i < first + n; i++) all &= step->seen[i];
    for (size_t low = 0, high; next_run(all, &low, &high); low = high) {
        uint64_t before = low_bits(low) & ~done;
        for (size_t i = first; i < first + n; i++)
            mix_seen(v, span->first_query + i * v->group, v->group, step->seen[i] & before);
        mix_seen(v, first_query, n * v->group, low_bits(high) & ~low_bits(low));
        done = low_bits(high);
    }
    for (size_t i = first; i < first + n; i++)
        mix_seen(v, span->first_query + i * v->group, v->group, step->seen[i] & ~done);
}

/* Keys [begin, end) for the rows of the span. */
static void attend_keys(const struct view *v, const struct span *span, size_t begin, size_t end)
{
    const struct kernels_kv *kv = v->w->args->kv;
    struct attend_worker *mine = v->mine;
    size_t n_queries = span->n_rows * v->group, rows_a_tile = v->group < TILE ? TILE / v->group : 1;
    size_t first = span->first_query / LANE_ALIGN * LANE_ALIGN;
    size_t last = (span->first_query + n_queries + LANE_ALIGN - 1) / LANE_ALIGN * LANE_ALIGN;
    struct step step;

    for (size_t key = begin; key < end; key += CPU_KEYS) {
        step.key = key;
        step.n = end - key < CPU_KEYS ? end - key : CPU_KEYS;
        look(v, span, &step);
        if (!step.any) continue;
        load_keys(v, kv->k, key, step.n, mine->keys);
        v->w->isa->score(mine->queries, mine->keys, v->stride, step.n, kv->head_size, first, last, mine->scores);
        if (!step.all || n_queries < v->n_queries) hide(v, span, &step, first, last);
        v->w->isa->soften(mine->scores, step.n, first, last, mine->largest, mine->total, mine->shrink);
        load_keys(v, kv->v, key, step.n, mine->values);
        if (step.all)
            mix_seen(v, span->first_query, n_queries, step.seen[0]);
        else
            for (size_t i = 0; i < span->n_rows; i += rows_a_tile)
                mix_rows(v, span, &step, i, span->n_rows - i < rows_a_tile ? span->n_rows - i : rows_a_tile);
    }
}

/* Bits of the part's rows: its ancestors and itself. */
static void find_ancestors(struct span *span, const struct kernels_sequence *s, const struct attend_part *part,
                           uint64_t *ancestors)
{
    span->words = ((size_t)part->first + part->n_rows + 63) / 64;
    span->ancestors = ancestors;
    memset(ancestors, 0, part->n_rows * span->words * sizeof *ancestors);
    for (size_t i = 0; i < part->n_rows; i++)
        for (int32_t j = (int32_t)(part->first + i); j >= 0; j = s->parent[j])
            ancestors[i * span->words + (size_t)j / 64] |= (uint64_t)1 << j % 64;
}

static void attend_part(struct view *v, const struct attend_part *part, size_t first_query, size_t common)
{
    const struct kernels_sequence *s = v->s = &v->w->args->batch->sequences[part->sequence];
    struct span span = {.first_query = first_query, .n_rows = part->n_rows, .row = (size_t)s->first_row + part->first};
    size_t end = shared_keys(s) + s->own.n_slots - s->n_rows + part->first + part->n_rows;

    if (s->parent) {
        span.n_seen = shared_keys(s);
        find_ancestors(&span, s, part, v->ancestors);
    } else {
        span.n_seen = end - part->n_rows + 1;
        span.rise = true;
    }
    attend_keys(v, &span, common, end);
}

/* Places of the part's queries among `x`, from place `query` on. */
static void find_queries(const struct view *v, const struct attend_part *part, size_t query, const float *x,
                         const float **places)
{
    const struct kernels_attention *args = v->w->args;
    size_t first_row = args->batch->sequences[part->sequence].first_row + part->first;

    for (size_t i = 0; i < part->n_rows; i++)
        for (size_t h = 0; h < v->group; h++)
            places[query++] = x + ((first_row + i) * args->n_heads + v->first_head + h) * args->head_size;
}

static void store_results(const struct view *v, const struct attend_part *part, size_t query)
{
    const struct kernels_attention *args = v->w->args;
    const struct attend_worker *mine = v->mine;
    size_t d = args->head_size, first_row = args->batch->sequences[part->sequence].first_row + part->first;

    for (size_t i = 0; i < part->n_rows; i++)
        for (size_t h = 0; h < v->group; h++, query++)
            v->w->isa->scaled(args->out + ((first_row + i) * args->n_heads + v->first_head + h) * d,
                              mine->sums + query * v->stride, 1 / mine->total[query], d);
}

static void attend_block(const struct attend_work *w, const struct attend_block *b, size_t kv_head, size_t first_head,
                         size_t group, unsigned worker)
{
    const struct attend_part *parts = w->parts + b->first_part;
    const float *places[CPU_QUERIES];
    size_t d = w->args->head_size, padded;
    struct view v = {.w = w,
                     .mine = &w->workers[worker],
                     .kv_head = kv_head,
                     .group = group,
                     .first_head = first_head,
                     .stride = (d + 15) / 16 * 16,
                     .n_queries = b->n_rows * group,
                     .ancestors = w->ancestors +
                                  worker * (cpu_attention_tree_bytes(w->args->batch->max_rows) / sizeof(uint64_t))};
    struct attend_worker *mine = v.mine;

    padded = (v.n_queries + LANE_ALIGN - 1) / LANE_ALIGN * LANE_ALIGN;
    for (size_t c = 0; padded > v.n_queries && c < d; c++)
        memset(mine->queries + c * CPU_QUERIES + v.n_queries, 0, (padded - v.n_queries) * sizeof(float));
    memset(mine->sums, 0, v.n_queries * v.stride * sizeof(float));
    for (size_t q = 0; q < padded; q++) mine->largest[q] = -FLT_MAX, mine->total[q] = 0;
    if (v.stride != d) memset(mine->values, 0, CPU_KEYS * v.stride * sizeof(float)); /* finite behind a value */
    for (size_t p = 0, query = 0; p < b->n_parts; query += parts[p].n_rows * group, p++)
        find_queries(&v, &parts[p], query, w->args->q, places);
    w->isa->turn(places, v.n_queries, d, w->args->scale, mine->queries);
    if (b->common) {
        struct span all = {.n_rows = b->n_rows, .n_seen = b->common};
        v.s = &w->args->batch->sequences[parts[0].sequence];
        attend_keys(&v, &all, 0, b->common);
    }
    for (size_t p = 0, query = 0; p < b->n_parts; query += parts[p].n_rows * group, p++) {
        attend_part(&v, &parts[p], query, b->common);
        store_results(&v, &parts[p], query);
    }
}

/* Items are blocks of rows for each key/value head; the last rows, which see most, come first. */
static void attend_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct attend_work *w = context;
    size_t heads = w->args->n_heads / w->args->n_kv_heads;

    for (size_t item = begin; item < end; item++) {
        size_t kv_head = item / w->n_blocks;
        for (size_t h = 0; h < heads; h += CPU_QUERIES)
            attend_block(w, &w->blocks[w->n_blocks - 1 - item % w->n_blocks], kv_head, kv_head * heads + h,
                         heads - h < CPU_QUERIES ? heads - h : CPU_QUERIES, worker);
    }
}

/* Keys that rows of both sequences go through together: whole steps of the range that both share first. With a window they
 * do not see the same. */
static size_t common_keys(const struct kernels_attention *args, const struct kernels_sequence *a,
                          const struct kernels_sequence *b)
{
    if (args->window || !a->n_shared || !b->n_shared || a->shared[0].first_slot != b->shared[0].first_slot ||
        a->shared[0].n_slots != b->shared[0].n_slots || a->shared[0].first_position != b->shared[0].first_position)
        return 0;
    return a->shared[0].n_slots / CPU_KEYS * CPU_KEYS;
}

/* Cuts the sequences into blocks of rows_a_block; one block goes on with the next sequence if that shares its first keys. */
static void plan(struct attend_work *w, uint32_t rows_a_block)
{
    const struct kernels_batch *batch = w->args->batch;
    struct attend_block *b = NULL;

    for (size_t at = 0; at < batch->n_sequences; at++) {
        const struct kernels_sequence *s = &batch->sequences[at];
        for (uint32_t first = 0, n; first < s->n_rows; first += n) {
            n = s->n_rows - first < rows_a_block ? s->n_rows - first : rows_a_block;
            size_t common = 0;
            if (b && b->n_rows < rows_a_block)
                common = common_keys(w->args, &batch->sequences[w->parts[b->first_part].sequence], s);
            if (common) {
                if (n > rows_a_block - b->n_rows) n = rows_a_block - b->n_rows;
                b->common = (uint32_t)common;
            } else {
                b = &w->blocks[w->n_blocks++];
                *b = (struct attend_block){.first_part = (uint32_t)w->n_parts};
            }
            w->parts[w->n_parts++] = (struct attend_part){(uint32_t)at, first, n};
            b->n_parts++, b->n_rows += n;
        }
    }
}

enum kernels_status cpu_attention(struct kernels_device *device, const struct kernels_attention *args)
{
    enum kernels_status status = cpu_check_attention(device, args);
    struct attend_work w = {.args = args, .isa = device->isa};
    size_t heads, n_workers = device->options.n_workers;

    if (status != KERNELS_OK || args->batch->n_rows == 0) return status;
    heads = args->n_heads / args->n_kv_heads;
    w.blocks = cpu_scratch(device, CPU_SCRATCH_PLAN, cpu_attention_plan_bytes(args->batch->max_rows));
    w.workers = cpu_scratch(device, CPU_SCRATCH_WORKERS, n_workers * sizeof *w.workers);
    w.ancestors = cpu_scratch(device, CPU_SCRATCH_ROWS, n_workers * cpu_attention_tree_bytes(args->batch->max_rows));
    if (!w.blocks || !w.workers || !w.ancestors)
        return cpu_fail(device, KERNELS_NO_MEMORY, "attention: no memory for %zu rows", args->batch->max_rows);
    w.parts = (struct attend_part *)(void *)(w.blocks + args->batch->max_rows);
    plan(&w, heads < CPU_QUERIES ? (uint32_t)(CPU_QUERIES / heads) : 1);
    cpu_parallel(device, w.n_blocks * args->n_kv_heads, 1, attend_task, &w);
    return KERNELS_OK;
}
