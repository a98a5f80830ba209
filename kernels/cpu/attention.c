/* attention.c: attention over a packed batch, with shared ranges, own causal range, parent trees and a window. Rows of one
 * sequence go through the keys together, CPU_KEYS at a time, with a running maximum. Knows formats of the cache only through
 * widen, and no instruction set.
 *
 * Keys of a sequence are numbered: its shared ranges in order, then what a row sees of its own range. Steps start at
 * multiples of CPU_KEYS in that numbering and a row uses exactly what it sees, so its bits do not depend on its neighbours,
 * nor on which range a key lies in.
 *
 * h query heads, g key/value heads, d head size. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/linear.h"

#define QUERIES 64u /* rows times the heads that share one key/value head */
#define WIDTH   KERNELS_MAX_HEAD_SIZE

struct attend_worker {
    float queries[QUERIES * WIDTH], sums[QUERIES * WIDTH];
    float keys[CPU_KEYS * WIDTH], values[CPU_KEYS * WIDTH];
    float scores[QUERIES * CPU_KEYS], largest[QUERIES], total[QUERIES];
};

/* A block of rows of one sequence. */
struct attend_block {
    uint32_t sequence, first, n_rows;
};

struct attend_work {
    const struct kernels_attention *args;
    const struct cpu_isa *isa;
    struct attend_block *blocks;
    struct attend_worker *workers;
    uint32_t *paths; /* [workers, max_rows]: a tree row's ancestors, oldest first */
    size_t n_blocks;
};

size_t cpu_attention_plan_bytes(size_t n_rows)
{
    return n_rows * sizeof(struct attend_block);
}

size_t cpu_attention_worker_bytes(void)
{
    return sizeof(struct attend_worker);
}

/* One block's view while it is computed. */
struct view {
    const struct attend_work *w;
    const struct kernels_sequence *s;
    struct attend_worker *mine;
    size_t kv_head, group; /* query heads of this key/value head that are looked at, from first_head on */
    size_t first_head, stride;
    size_t n_shared; /* keys of all shared ranges */
    const uint32_t *path;
    size_t n_path;
};

/* Slot of key number `key`; with a path it goes on there behind the shared ones. */
static uint32_t slot_of(const struct view *v, size_t key)
{
    for (uint32_t r = 0; r < v->s->n_shared; r++) {
        if (key < v->s->shared[r].n_slots) return v->s->shared[r].first_slot + (uint32_t)key;
        key -= v->s->shared[r].n_slots;
    }
    return v->s->own.first_slot + (v->path ? v->path[key] : (uint32_t)key);
}

static int64_t position_of(const struct view *v, size_t key)
{
    for (uint32_t r = 0; r < v->s->n_shared; r++) {
        if (key < v->s->shared[r].n_slots) return v->s->shared[r].first_position + (int64_t)key;
        key -= v->s->shared[r].n_slots;
    }
    if (v->path) return v->w->args->batch->positions[v->s->first_row + v->path[key]];
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

/* One row's heads over the keys first + [low, high) of a step. */
static void attend_run(const struct view *v, size_t first_query, size_t low, size_t high)
{
    struct attend_worker *mine = v->mine;

    for (size_t query = first_query; query < first_query + v->group; query++) {
        float p[CPU_KEYS], shrink, sum;
        memcpy(p, mine->scores + query * CPU_KEYS, sizeof p);
        sum = v->w->isa->soften(p, low, high, v->w->args->scale, &mine->largest[query], &shrink);
        mine->total[query] = mine->total[query] * shrink + sum;
        v->w->isa->mix(mine->sums + query * v->stride, shrink, p, mine->values, v->stride, low, high, v->stride);
    }
}

/* What one row sees of a step's first `high` keys. Without a window that is all of them; a window can leave holes where the
 * positions of several ranges do not rise, so it is taken run by run. */
static void attend_row(const struct view *v, size_t row, size_t first_query, size_t first, size_t high)
{
    uint32_t window = v->w->args->window;
    int64_t oldest = (int64_t)v->w->args->batch->positions[row] - window + 1;

    if (window == 0 && high) attend_run(v, first_query, 0, high);
    for (size_t low = 0, end; window && low < high; low = end) {
        while (low < high && position_of(v, first + low) < oldest) low++;
        for (end = low; end < high && position_of(v, first + end) >= oldest;) end++;
        if (low < end) attend_run(v, first_query, low, end);
    }
}

/* Keys [begin, end) for rows [first_row, first_row + n_rows) of the block; row i sees those below n_seen + i. */
static void attend_keys(const struct view *v, const struct attend_block *b, size_t first_row, size_t n_rows,
                        size_t begin, size_t end, size_t n_seen)
{
    const struct kernels_kv *kv = v->w->args->kv;
    struct attend_worker *mine = v->mine;
    size_t first_query = first_row * v->group;

    for (size_t key = begin; key < end; key += CPU_KEYS) {
        size_t n = end - key < CPU_KEYS ? end - key : CPU_KEYS;
        load_keys(v, kv->k, key, n, mine->keys);
        v->w->isa->multiply(mine->queries + first_query * v->stride, v->stride, n_rows * v->group, mine->keys,
                            v->stride, n, v->stride, mine->scores + first_query * CPU_KEYS, CPU_KEYS, false);
        load_keys(v, kv->v, key, n, mine->values);
        for (size_t i = 0; i < n_rows; i++) {
            size_t seen = n_seen + i > key ? n_seen + i - key : 0;
            attend_row(v, (size_t)v->s->first_row + b->first + first_row + i, first_query + i * v->group, key,
                       seen < n ? seen : n);
        }
    }
}

/* Rows of a tree see the whole steps of the shared ranges together, the rest each for itself along its path. */
static void attend_tree(struct view *v, const struct attend_block *b, uint32_t *path)
{
    size_t together = v->n_shared / CPU_KEYS * CPU_KEYS;

    attend_keys(v, b, 0, b->n_rows, 0, together, v->n_shared);
    for (size_t i = 0; i < b->n_rows; i++) {
        size_t n = 0;
        for (int32_t j = (int32_t)(b->first + i); j >= 0; j = v->s->parent[j]) path[n++] = (uint32_t)j;
        for (size_t j = 0; j < n / 2; j++) {
            uint32_t other = path[j];
            path[j] = path[n - 1 - j];
            path[n - 1 - j] = other;
        }
        v->path = path;
        attend_keys(v, b, i, 1, together, v->n_shared + n, v->n_shared + n);
        v->path = NULL;
    }
}

static void attend_block(const struct attend_work *w, const struct attend_block *b, size_t kv_head, size_t first_head,
                         size_t group, unsigned worker)
{
    const struct kernels_attention *args = w->args;
    size_t d = args->head_size;
    struct view v = {.w = w,
                     .s = &args->batch->sequences[b->sequence],
                     .mine = &w->workers[worker],
                     .kv_head = kv_head,
                     .group = group,
                     .first_head = first_head,
                     .stride = (d + 15) / 16 * 16};
    struct attend_worker *mine = v.mine;

    for (uint32_t r = 0; r < v.s->n_shared; r++) v.n_shared += v.s->shared[r].n_slots;
    for (size_t q = 0; q < b->n_rows * group; q++) {
        size_t row = (size_t)v.s->first_row + b->first + q / group;
        const float *from = args->q + (row * args->n_heads + first_head + q % group) * d;
        memcpy(mine->queries + q * v.stride, from, d * sizeof(float));
        memset(mine->queries + q * v.stride + d, 0, (v.stride - d) * sizeof(float));
        memset(mine->sums + q * v.stride, 0, v.stride * sizeof(float));
        mine->largest[q] = -INFINITY;
        mine->total[q] = 0;
    }
    if (v.stride != d) { /* what lies behind a key must be finite */
        memset(mine->keys, 0, CPU_KEYS * v.stride * sizeof(float));
        memset(mine->values, 0, CPU_KEYS * v.stride * sizeof(float));
    }
    if (v.s->parent) {
        attend_tree(&v, b, w->paths + worker * args->batch->max_rows);
    } else {
        size_t seen = v.n_shared + v.s->own.n_slots - v.s->n_rows + b->first + 1; /* by the first row */
        attend_keys(&v, b, 0, b->n_rows, 0, seen + b->n_rows - 1, seen);
    }
    for (size_t q = 0; q < b->n_rows * group; q++) {
        size_t row = (size_t)v.s->first_row + b->first + q / group;
        float *out = args->out + (row * args->n_heads + first_head + q % group) * d;
        for (size_t c = 0; c < d; c++) out[c] = mine->sums[q * v.stride + c] / mine->total[q];
    }
}

/* Items are blocks of rows for each key/value head. */
static void attend_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct attend_work *w = context;
    size_t heads = w->args->n_heads / w->args->n_kv_heads;

    for (size_t item = begin; item < end; item++) {
        size_t kv_head = item / w->n_blocks;
        for (size_t h = 0; h < heads; h += QUERIES)
            attend_block(w, &w->blocks[item % w->n_blocks], kv_head, kv_head * heads + h,
                         heads - h < QUERIES ? heads - h : QUERIES, worker);
    }
}

enum kernels_status cpu_attention(struct kernels_device *device, const struct kernels_attention *args)
{
    enum kernels_status status = cpu_check_attention(device, args);
    struct attend_work w = {.args = args, .isa = device->isa};
    size_t heads, n_workers = device->options.n_workers;
    uint32_t rows_a_block;

    if (status != KERNELS_OK || args->batch->n_rows == 0) return status;
    heads = args->n_heads / args->n_kv_heads;
    rows_a_block = heads < QUERIES ? (uint32_t)(QUERIES / heads) : 1;
    w.blocks = cpu_scratch(device, CPU_SCRATCH_PLAN, cpu_attention_plan_bytes(args->batch->max_rows));
    w.workers = cpu_scratch(device, CPU_SCRATCH_WORKERS, n_workers * sizeof *w.workers);
    w.paths = cpu_scratch(device, CPU_SCRATCH_ROWS, n_workers * args->batch->max_rows * sizeof *w.paths);
    if (!w.blocks || !w.workers || !w.paths)
        return cpu_fail(device, KERNELS_NO_MEMORY, "attention: no memory for %zu rows", args->batch->max_rows);
    for (size_t at = 0; at < args->batch->n_sequences; at++) {
        const struct kernels_sequence *s = &args->batch->sequences[at];
        for (uint32_t first = 0; first < s->n_rows; first += rows_a_block)
            w.blocks[w.n_blocks++] = (struct attend_block){
                (uint32_t)at, first, s->n_rows - first < rows_a_block ? s->n_rows - first : rows_a_block};
    }
    cpu_parallel(device, w.n_blocks * args->n_kv_heads, 1, attend_task, &w);
    return KERNELS_OK;
}
