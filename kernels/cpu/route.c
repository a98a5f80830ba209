/* route.c: which experts a row goes to, from the router's logits. Knows no weights and no instruction set. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/linear.h"

#define ROWS_A_TASK 64u

struct choosing {
    const struct kernels_route *args;
    const struct cpu_isa *isa;
    const float *logits;
};

/* Softmax over all experts, the best in falling order; the lower index among equals. */
static void choose(const struct cpu_isa *isa, const float *logits, size_t e, size_t top_k, bool renormalize,
                   int32_t *ids, float *weights)
{
    float largest = -INFINITY, sum = 0, kept = 0, p[(KERNELS_MAX_EXPERTS + 15) / 16 * 16] = {0};
    bool taken[KERNELS_MAX_EXPERTS] = {false};

    memcpy(p, logits, e * sizeof *p);
    for (size_t i = 0; i < e; i++) largest = logits[i] > largest ? logits[i] : largest;
    isa->exp_row(p, largest, (e + 15) / 16 * 16);
    for (size_t i = 0; i < e; i++) sum += p[i];
    for (size_t t = 0; t < top_k; t++) {
        size_t best = e;
        for (size_t i = 0; i < e; i++)
            if (!taken[i] && (best == e || logits[i] > logits[best])) best = i;
        taken[best] = true;
        ids[t] = (int32_t)best;
        kept += p[best];
    }
    for (size_t t = 0; t < top_k; t++) weights[t] = p[ids[t]] / (renormalize ? kept : sum);
}

static void choose_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct choosing *c = context;
    size_t e = c->args->weight->desc.rows, k = c->args->top_k;

    (void)worker;
    for (size_t row = begin; row < end; row++)
        choose(c->isa, c->logits + row * e, e, k, c->args->renormalize, c->args->ids + row * k,
               c->args->weights + row * k);
}

void cpu_choose_experts(struct kernels_device *device, const struct kernels_route *args, const float *logits)
{
    cpu_parallel(device, args->n_rows, ROWS_A_TASK, choose_task, &(struct choosing){args, device->isa, logits});
}
