/* moe.c: the feed-forward of one or many experts. Rows are sorted by expert, so that each expert's weights are read once for
 * all of its rows; each row then adds its experts' results in the order of its ids. Knows no instruction set.
 *
 * m rows, k model size, f hidden size, t experts a row; a pair is a row with one of its experts. */
#include <string.h>

#include "kernels/cpu/linear.h"

struct expert_work {
    const struct kernels_expert_ffn *args;
    const struct cpu_isa *isa;
    struct cpu_worker *workers;
    size_t k, f, top_k, n_experts;
    struct cpu_rows in, hidden; /* one row a pair, sorted by expert */
    float *results;             /* [pairs, k], sorted by expert */
    uint32_t *row_of;           /* [pairs]: row of a sorted pair */
    uint32_t *place_of;         /* [m, t]: where a row's pair is in that order */
    size_t first_pair[KERNELS_MAX_EXPERTS + 1];
    size_t first_item[KERNELS_MAX_EXPERTS + 1]; /* of the stage that runs */
};

size_t cpu_expert_plan_bytes(size_t n_rows, size_t top_k)
{
    return 2 * n_rows * top_k * sizeof(uint32_t);
}

static void sort_pairs(struct expert_work *w)
{
    size_t next[KERNELS_MAX_EXPERTS] = {0}, n_pairs = w->args->n_rows * w->top_k;
    const int32_t *ids = w->args->ids;

    for (size_t p = 0; p < n_pairs; p++) next[ids ? ids[p] : 0]++;
    w->first_pair[0] = 0;
    for (size_t e = 0; e < w->n_experts; e++) {
        w->first_pair[e + 1] = w->first_pair[e] + next[e];
        next[e] = w->first_pair[e];
    }
    for (size_t p = 0; p < n_pairs; p++) {
        size_t place = next[ids ? ids[p] : 0]++;
        w->row_of[place] = (uint32_t)(p / w->top_k);
        w->place_of[p] = (uint32_t)place;
    }
}

/* Panels of n outputs for each block of each expert's rows; returns how many. */
static size_t plan_items(struct expert_work *w, size_t n)
{
    w->first_item[0] = 0;
    for (size_t e = 0; e < w->n_experts; e++)
        w->first_item[e + 1] =
            w->first_item[e] + cpu_n_panels(n) * cpu_n_row_blocks(w->first_pair[e + 1] - w->first_pair[e]);
    return w->first_item[w->n_experts];
}

struct place {
    size_t expert, first_pair, m, first, n;
};

static struct place find_item(const struct expert_work *w, size_t item, size_t n)
{
    size_t n_panels = cpu_n_panels(n), e = 0, end;
    struct place p;

    while (item >= w->first_item[e + 1]) e++;
    item -= w->first_item[e];
    p.expert = e;
    p.first_pair = w->first_pair[e] + item / n_panels * CPU_ROWS;
    end = w->first_pair[e + 1];
    p.m = end - p.first_pair < CPU_ROWS ? end - p.first_pair : CPU_ROWS;
    p.first = item % n_panels * CPU_PANEL;
    p.n = n - p.first < CPU_PANEL ? n - p.first : CPU_PANEL;
    return p;
}

/* hidden = act(gate x) * (up x), packed at once as `down` wants it. */
static void hidden_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    struct cpu_worker *mine = &w->workers[worker];

    for (size_t item = begin; item < end; item++) {
        struct place p = find_item(w, item, w->f);
        float *gate = mine->results[0], *up = mine->results[1];
        cpu_panel(w->isa, w->args->gate[p.expert], &w->in, p.first_pair, p.m, p.first, p.n, mine->expanded, gate,
                  CPU_PANEL);
        cpu_panel(w->isa, w->args->up[p.expert], &w->in, p.first_pair, p.m, p.first, p.n, mine->expanded, up,
                  CPU_PANEL);
        for (size_t i = 0; i < p.m; i++) {
            float *row = gate + i * CPU_PANEL, *to = w->hidden.data + (p.first_pair + i) * w->hidden.stride;
            memset(row + p.n, 0, (CPU_PANEL - p.n) * sizeof(float));
            memset(up + i * CPU_PANEL + p.n, 0, (CPU_PANEL - p.n) * sizeof(float));
            w->isa->activate(w->args->activation, row, up + i * CPU_PANEL, CPU_PANEL);
            for (size_t j = 0; j < p.n; j++) to[cpu_packed_at(w->hidden.permuted, p.first + j)] = row[j];
            if (p.first + p.n == w->f) memset(to + w->f, 0, (cpu_row_width(w->f) - w->f) * sizeof(float));
        }
    }
}

static void down_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    struct cpu_worker *mine = &w->workers[worker];

    for (size_t item = begin; item < end; item++) {
        struct place p = find_item(w, item, w->k);
        cpu_panel(w->isa, w->args->down[p.expert], &w->hidden, p.first_pair, p.m, p.first, p.n, mine->expanded,
                  w->results + p.first_pair * w->k + p.first, w->k);
    }
}

static void add_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;

    (void)worker;
    for (size_t row = begin; row < end; row++) {
        float *out = w->args->out + row * w->k;
        for (size_t t = 0; t < w->top_k; t++) {
            const float *result = w->results + w->place_of[row * w->top_k + t] * w->k;
            float weight = w->args->ids ? w->args->weights[row * w->top_k + t] : 1.0f;
            w->isa->add_scaled(out, result, weight, w->k);
        }
    }
}

/* All weights that read the same rows must want them in the same order. */
static bool one_order(const struct kernels_weight *const *weights, size_t n, bool permuted)
{
    for (size_t e = 0; e < n; e++)
        if (cpu_is_permuted(weights[e]) != permuted) return false;
    return true;
}

static bool any_int8(const struct kernels_weight *const *weights, size_t n)
{
    for (size_t e = 0; e < n; e++)
        if (weights[e]->desc.format == KERNELS_INT8) return true;
    return false;
}

enum kernels_status cpu_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    enum kernels_status status = cpu_check_expert_ffn(device, args);
    struct expert_work w = {.args = args, .isa = device->isa, .top_k = args->ids ? args->top_k : 1};
    size_t n_pairs = args->n_rows * w.top_k;
    uint32_t *plan;

    if (status != KERNELS_OK || args->n_rows == 0) return status;
    w.n_experts = args->ids ? args->n_experts : 1;
    w.f = args->gate[0]->desc.rows;
    w.k = args->gate[0]->desc.cols;
    w.in = (struct cpu_rows){.n_rows = n_pairs, .cols = w.k};
    w.hidden = (struct cpu_rows){.n_rows = n_pairs, .cols = w.f};
    w.in.coded = any_int8(args->gate, w.n_experts) || any_int8(args->up, w.n_experts);
    w.hidden.coded = any_int8(args->down, w.n_experts);
    w.in.stride = cpu_row_stride(w.k, w.in.coded);
    w.hidden.stride = cpu_row_stride(w.f, w.hidden.coded);
    w.in.permuted = one_order(args->gate, w.n_experts, true) && one_order(args->up, w.n_experts, true);
    w.hidden.permuted = one_order(args->down, w.n_experts, true);
    if (n_pairs > UINT32_MAX) return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: %zu rows", args->n_rows);

    plan = cpu_scratch(device, CPU_SCRATCH_PLAN, cpu_expert_plan_bytes(args->n_rows, w.top_k));
    w.in.data = cpu_scratch(device, CPU_SCRATCH_ROWS, n_pairs * w.in.stride * sizeof(float));
    w.hidden.data = cpu_scratch(device, CPU_SCRATCH_HIDDEN, n_pairs * w.hidden.stride * sizeof(float));
    w.results = cpu_scratch(device, CPU_SCRATCH_RESULTS, n_pairs * w.k * sizeof(float));
    w.workers = cpu_workers(device);
    if (!plan || !w.in.data || !w.hidden.data || !w.results || !w.workers)
        return cpu_fail(device, KERNELS_NO_MEMORY, "expert_ffn: no memory for %zu rows", args->n_rows);
    w.row_of = plan;
    w.place_of = plan + n_pairs;

    sort_pairs(&w);
    cpu_pack(device, &w.in, args->x, w.row_of);
    cpu_parallel(device, plan_items(&w, w.f), 1, hidden_task, &w);
    if (w.hidden.coded) cpu_code_rows(device, &w.hidden);
    cpu_parallel(device, plan_items(&w, w.k), 1, down_task, &w);
    cpu_parallel(device, args->n_rows, 16, add_task, &w);
    return KERNELS_OK;
}
