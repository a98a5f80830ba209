/* core_experts.c: the feed-forward of one or many experts through a core. A panel of gate and up is 64 hidden columns, which is
 * one block of what `down` reads: it is packed where it is made. Knows no instruction set. */
#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/experts.h"

struct expert_work {
    struct expert_plan plan;
    const struct cpu_isa *isa;
    const struct cpu_core *core;
    struct core_worker *workers;
    struct core_rows in, hidden; /* one row a pair, sorted by expert */
};

/* hidden = act(gate x) * (up x). */
static void hidden_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    const struct kernels_expert_ffn *args = w->plan.args;
    struct core_worker *mine = &w->workers[worker];
    float *gate = mine->sums[0], *up = mine->sums[1];

    for (size_t item = begin; item < end; item++) {
        struct expert_item p = cpu_experts_find(&w->plan, item, w->plan.f);
        cpu_core_panel(w->core, args->gate[p.expert], &w->in, p.first_pair, p.m, p.first, &mine->panel, gate);
        cpu_core_panel(w->core, args->up[p.expert], &w->in, p.first_pair, p.m, p.first, &mine->panel, up);
        for (size_t i = 0; i < p.m; i++) {
            float *row = gate + i * CORE_OUTPUTS, *other = up + i * CORE_OUTPUTS;
            memset(row + p.n, 0, (CORE_OUTPUTS - p.n) * sizeof(float));
            memset(other + p.n, 0, (CORE_OUTPUTS - p.n) * sizeof(float));
            w->isa->activate(args->activation, row, other, CORE_OUTPUTS);
            w->core->pack(row, p.n, w->plan.f, p.first / CORE_OUTPUTS,
                          w->hidden.data + (p.first_pair + i) * w->hidden.stride);
        }
    }
}

static void down_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct expert_work *w = context;
    struct core_worker *mine = &w->workers[worker];
    size_t k = w->plan.k;

    for (size_t item = begin; item < end; item++) {
        struct expert_item p = cpu_experts_find(&w->plan, item, k);
        cpu_core_panel(w->core, w->plan.args->down[p.expert], &w->hidden, p.first_pair, p.m, p.first, &mine->panel,
                       mine->sums[0]);
        for (size_t i = 0; i < p.m; i++)
            memcpy(w->plan.results + (p.first_pair + i) * k + p.first, mine->sums[0] + i * CORE_OUTPUTS,
                   p.n * sizeof(float));
    }
}

enum kernels_status cpu_core_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    struct expert_work w = {.isa = device->isa, .core = device->core};
    size_t n_pairs = args->n_rows * (args->ids ? args->top_k : 1);

    w.in = (struct core_rows){.n_rows = n_pairs, .cols = args->gate[0]->desc.cols};
    w.hidden = (struct core_rows){.n_rows = n_pairs, .cols = args->gate[0]->desc.rows};
    w.in.stride = w.core->row_bytes(w.in.cols);
    w.hidden.stride = w.core->row_bytes(w.hidden.cols);
    w.in.data = cpu_scratch(device, CPU_SCRATCH_ROWS, n_pairs * w.in.stride);
    w.hidden.data = cpu_scratch(device, CPU_SCRATCH_HIDDEN, n_pairs * w.hidden.stride);
    w.workers = cpu_scratch(device, CPU_SCRATCH_WORKERS, device->options.n_workers * sizeof *w.workers);
    if (!w.in.data || !w.hidden.data || !w.workers || !cpu_experts_plan(device, &w.plan, args, CORE_OUTPUTS, CORE_ROWS))
        return cpu_fail(device, KERNELS_NO_MEMORY, "expert_ffn: no memory for %zu rows", args->n_rows);

    cpu_core_pack(device, &w.in, args->x, w.plan.row_of);
    cpu_parallel(device, cpu_experts_items(&w.plan, w.plan.f), 1, hidden_task, &w);
    cpu_parallel(device, cpu_experts_items(&w.plan, w.plan.k), 1, down_task, &w);
    cpu_experts_add(device, &w.plan);
    return KERNELS_OK;
}
