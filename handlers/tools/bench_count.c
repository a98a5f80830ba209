/* bench_count.c: operations and bytes that a pass needs, from the model's shape. */
#include "handlers/tools/bench.h"

#include <math.h>

static double query_parameters(const struct model_config *c) /* and as many of the output */
{
    return (double)c->dim * (double)(c->n_heads * c->head_size);
}

static double key_value_parameters(const struct model_config *c)
{
    return 2.0 * (double)c->dim * (double)(c->n_kv_heads * c->head_size);
}

static double ffn_parameters(const struct model_config *c, size_t layer)
{
    size_t experts = model_config_experts(c, layer);
    return (double)c->dim *
           (3.0 * (double)model_config_ffn_dim(c, layer) * (experts ? (double)c->top_k : 1) + (double)experts);
}

uint64_t bench_parameters_a_token(const struct model_config *c)
{
    double sum = 0;
    for (size_t l = 0; l < c->n_layers; l++)
        sum += 2 * query_parameters(c) + key_value_parameters(c) + ffn_parameters(c, l);
    return (uint64_t)sum;
}

/* Keys that rows [first, n) see, behind n_before others. */
static double seen_keys(const struct model_config *c, size_t first, size_t n, size_t n_before)
{
    double keys = 0;
    for (size_t i = first; i < n; i++) {
        size_t seen = n_before + i + 1;
        keys += (double)(c->window && seen > c->window ? c->window : seen);
    }
    return keys;
}

double bench_operations(const struct model_config *c, size_t n, size_t n_before, size_t n_outputs)
{
    size_t last = c->n_layers - 1,
           asking = 2 * n_outputs <= n ? n_outputs : n; /* rows of the last layer that have queries */
    double products = 0, width = (double)(c->n_heads * c->head_size);
    for (size_t l = 0; l < last; l++)
        products += (double)n * (2 * query_parameters(c) + key_value_parameters(c) + ffn_parameters(c, l));
    products += (double)n * key_value_parameters(c) + (double)asking * query_parameters(c) +
                (double)n_outputs * (query_parameters(c) + ffn_parameters(c, last));
    double keys = (double)last * seen_keys(c, 0, n, n_before) + seen_keys(c, n - asking, n, n_before);
    return 2 * products + 4 * keys * width;
}

static double size_of(const struct bench *b, const struct kernels_weight *weight)
{
    struct kernels_weight_desc desc;
    if (!weight) return 0;
    b->device->backend->weight_describe(weight, &desc);
    return (double)b->device->backend->weight_size(b->device->handle, &desc);
}

double bench_weight_bytes(const struct bench *b, size_t n)
{
    double sum = size_of(b, b->weights->head);
    for (size_t l = 0; l < b->weights->n_layers; l++) {
        const struct layer_weights *w = &b->weights->layers[l];
        double experts = 1;
        sum += size_of(b, w->q) + size_of(b, w->k) + size_of(b, w->v) + size_of(b, w->o) + size_of(b, w->router);
        if (w->router) {
            double all = (double)w->n_experts;
            experts = all * (1 - pow(1 - (double)b->config->top_k / all, (double)n));
        }
        sum += experts * (size_of(b, w->gate[0]) + size_of(b, w->up[0]) + size_of(b, w->down[0]));
    }
    return sum;
}
