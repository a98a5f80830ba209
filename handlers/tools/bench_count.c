/* bench_count.c: operations and bytes that a pass needs, from the model's shape. */
#include "handlers/tools/bench.h"

#include <math.h>

static double attention_parameters(const struct model_config *c, bool output)
{
    double q = (double)(c->n_heads * c->head_size), kv = (double)(c->n_kv_heads * c->head_size);
    return (double)c->dim * ((output ? 2 : 1) * q + 2 * kv);
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
    for (size_t l = 0; l < c->n_layers; l++) sum += attention_parameters(c, true) + ffn_parameters(c, l);
    return (uint64_t)sum;
}

double bench_operations(const struct model_config *c, size_t n, size_t n_before, size_t n_outputs)
{
    double products = 0, width = (double)(c->n_heads * c->head_size), keys = 0;
    size_t last = c->n_layers - 1;
    for (size_t l = 0; l < last; l++) products += attention_parameters(c, true) + ffn_parameters(c, l);
    products = products * (double)n + attention_parameters(c, false) * (double)n +
               ((double)c->dim * width + ffn_parameters(c, last)) * (double)n_outputs;
    for (size_t i = 0; i < n; i++) {
        size_t seen = n_before + i + 1;
        keys += (double)(c->window && seen > c->window ? c->window : seen);
    }
    return 2 * products + 4 * keys * width * (double)c->n_layers;
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
