/* products.c: see products.h. */
#include "kernels/cpu/products.h"

#include <string.h>

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

static size_t panels_of(const struct cpu_products *p, size_t part)
{
    return (p->parts[part].weight->desc.rows + p->panel_outputs - 1) / p->panel_outputs;
}

static size_t items_of(const struct cpu_products *p, size_t part)
{
    return panels_of(p, part) * ((p->n_rows + p->panel_rows - 1) / p->panel_rows);
}

/* Items are panels of weights, once for each block of rows, weight after weight. */
static void task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct cpu_products *p = context;
    for (size_t item = begin; item < end; item++) {
        size_t part = 0, at = item;
        for (; at >= items_of(p, part); part++) at -= items_of(p, part);
        const struct kernels_beside *of = &p->parts[part];
        const size_t n = of->weight->desc.rows, n_panels = panels_of(p, part);
        const size_t first_row = at / n_panels * p->panel_rows, first = at % n_panels * p->panel_outputs;
        const size_t m = at_most(p->n_rows - first_row, p->panel_rows), some = at_most(n - first, p->panel_outputs);
        const float *results = p->panel(p->context, of->weight, first_row, m, first, some, worker);
        for (size_t i = 0; i < m; i++) {
            const float *from = results + i * p->panel_outputs;
            float *to = of->out + (first_row + i) * n + first;
            if (p->accumulate)
                for (size_t j = 0; j < some; j++) to[j] += from[j];
            else
                memcpy(to, from, some * sizeof(float));
        }
    }
}

void cpu_products_make(struct kernels_device *device, const struct cpu_products *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_parts; i++) n += items_of(p, i);
    cpu_parallel(device, n, 1, task, (void *)p);
}
