/* moe.c: the feed-forward of one or many experts. Rows are sorted by expert, so that each expert's weights are read once for
 * all of its rows; each row then adds its experts' results in the order of its ids. Knows no instruction set.
 *
 * m rows, k model size, f hidden size, t experts a row; a pair is a row with one of its experts. */
#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/experts.h"
#include "kernels/cpu/linear.h"

struct expert_work {
    struct expert_plan plan;
    struct cpu_worker *workers;
    struct cpu_rows in, hidden; /* one row a pair, sorted by expert */
};

size_t cpu_expert_plan_bytes(size_t n_rows, size_t top_k)
{
    return 2 * n_rows * top_k * sizeof(uint32_t);
}

static void sort_pairs(struct expert_plan *w)
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

bool cpu_experts_plan(struct kernels_device *device, struct expert_plan *plan, const struct kernels_expert_ffn *args,
                      size_t panel, size_t row_block)
{
    size_t top_k = args->ids ? args->top_k : 1, n_pairs = args->n_rows * top_k;

    *plan =
        (struct expert_plan){.isa = device->isa, .args = args, .top_k = top_k, .panel = panel, .row_block = row_block};
    plan->n_experts = args->ids ? args->n_experts : 1;
    plan->f = args->gate[0]->desc.rows;
    plan->k = args->gate[0]->desc.cols;
    plan->row_of = cpu_scratch(device, CPU_SCRATCH_PLAN, cpu_expert_plan_bytes(args->n_rows, top_k));
    plan->results = cpu_scratch(device, CPU_SCRATCH_RESULTS, n_pairs * plan->k * sizeof(float));
    if (!plan->row_of || !plan->results) return false;
    plan->place_of = plan->row_of + n_pairs;
    sort_pairs(plan);
    return true;
}

static size_t pieces(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

size_t cpu_experts_items(struct expert_plan *w, size_t n)
{
    w->first_item[0] = 0;
    for (size_t e = 0; e < w->n_experts; e++)
        w->first_item[e + 1] =
            w->first_item[e] + pieces(n, w->panel) * pieces(w->first_pair[e + 1] - w->first_pair[e], w->row_block);
    return w->first_item[w->n_experts];
}

struct expert_item cpu_experts_find(const struct expert_plan *w, size_t item, size_t n)
{
    size_t n_panels = pieces(n, w->panel), e = 0, end;
    struct expert_item p;

    while (item >= w->first_item[e + 1]) e++;
    item -= w->first_item[e];
    p.expert = e;
    p.first_pair = w->first_pair[e] + item / n_panels * w->row_block;
    end = w->first_pair[e + 1];
    p.m = end - p.first_pair < w->row_block ? end - p.first_pair : w->row_block;
    p.first = item % n_panels * w->panel;
    p.n = n - p.first < w->panel ? n - p.first : w->panel;
    return p;
}

/* hidden = act(gate x) * (up x), packed at once as `down` wants it. */
static void hidden_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    const struct kernels_expert_ffn *args = w->plan.args;
    struct cpu_worker *mine = &w->workers[worker];
    size_t f = w->plan.f;

    for (size_t item = begin; item < end; item++) {
        struct expert_item p = cpu_experts_find(&w->plan, item, f);
        float *gate = mine->results[0], *up = mine->results[1];
        cpu_panel(w->plan.isa, args->gate[p.expert], &w->in, p.first_pair, p.m, p.first, p.n, mine->expanded, gate,
                  CPU_PANEL);
        cpu_panel(w->plan.isa, args->up[p.expert], &w->in, p.first_pair, p.m, p.first, p.n, mine->expanded, up,
                  CPU_PANEL);
        for (size_t i = 0; i < p.m; i++) {
            float *row = gate + i * CPU_PANEL, *to = w->hidden.data + (p.first_pair + i) * w->hidden.stride;
            memset(row + p.n, 0, (CPU_PANEL - p.n) * sizeof(float));
            memset(up + i * CPU_PANEL + p.n, 0, (CPU_PANEL - p.n) * sizeof(float));
            w->plan.isa->activate(args->activation, row, up + i * CPU_PANEL, CPU_PANEL);
            for (size_t j = 0; j < p.n; j++) to[cpu_packed_at(w->hidden.permuted, p.first + j)] = row[j];
            if (p.first + p.n == f) memset(to + f, 0, (cpu_row_width(f) - f) * sizeof(float));
        }
    }
}

static void down_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    struct cpu_worker *mine = &w->workers[worker];

    for (size_t item = begin; item < end; item++) {
        struct expert_item p = cpu_experts_find(&w->plan, item, w->plan.k);
        cpu_panel(w->plan.isa, w->plan.args->down[p.expert], &w->hidden, p.first_pair, p.m, p.first, p.n,
                  mine->expanded, w->plan.results + p.first_pair * w->plan.k + p.first, w->plan.k);
    }
}

static void add_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_plan *w = context;

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

void cpu_experts_add(struct kernels_device *device, const struct expert_plan *plan)
{
    cpu_parallel(device, plan->args->n_rows, 16, add_task, (void *)plan);
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

static bool core_takes_all(const struct cpu_core *core, const struct kernels_expert_ffn *args)
{
    if (core == NULL) return false;
    for (size_t e = 0; e < (args->ids ? args->n_experts : 1); e++)
        if (!cpu_core_takes(core, args->gate[e]) || !cpu_core_takes(core, args->up[e]) ||
            !cpu_core_takes(core, args->down[e]))
            return false;
    return true;
}

enum kernels_status cpu_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    enum kernels_status status = cpu_check_expert_ffn(device, args);
    struct expert_work w = {0};
    size_t n_pairs = args->n_rows * (args->ids ? args->top_k : 1), n_experts = args->ids ? args->n_experts : 1;

    if (status != KERNELS_OK || args->n_rows == 0) return status;
    if (n_pairs > UINT32_MAX) return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: %zu rows", args->n_rows);
    if (core_takes_all(device->core, args)) return cpu_core_expert_ffn(device, args);
    w.in = (struct cpu_rows){.n_rows = n_pairs, .cols = args->gate[0]->desc.cols};
    w.hidden = (struct cpu_rows){.n_rows = n_pairs, .cols = args->gate[0]->desc.rows};
    w.in.coded = any_int8(args->gate, n_experts) || any_int8(args->up, n_experts);
    w.hidden.coded = any_int8(args->down, n_experts);
    w.in.stride = cpu_row_stride(w.in.cols, w.in.coded);
    w.hidden.stride = cpu_row_stride(w.hidden.cols, w.hidden.coded);
    w.in.permuted = one_order(args->gate, n_experts, true) && one_order(args->up, n_experts, true);
    w.hidden.permuted = one_order(args->down, n_experts, true);

    w.in.data = cpu_scratch(device, CPU_SCRATCH_ROWS, n_pairs * w.in.stride * sizeof(float));
    w.hidden.data = cpu_scratch(device, CPU_SCRATCH_HIDDEN, n_pairs * w.hidden.stride * sizeof(float));
    w.workers = cpu_workers(device);
    if (!w.in.data || !w.hidden.data || !w.workers || !cpu_experts_plan(device, &w.plan, args, CPU_PANEL, CPU_ROWS))
        return cpu_fail(device, KERNELS_NO_MEMORY, "expert_ffn: no memory for %zu rows", args->n_rows);

    cpu_pack(device, &w.in, args->x, w.plan.row_of);
    cpu_parallel(device, cpu_experts_items(&w.plan, w.plan.f), 1, hidden_task, &w);
    if (w.hidden.coded) cpu_code_rows(device, &w.hidden);
    cpu_parallel(device, cpu_experts_items(&w.plan, w.plan.k), 1, down_task, &w);
    cpu_experts_add(device, &w.plan);
    return KERNELS_OK;
}
