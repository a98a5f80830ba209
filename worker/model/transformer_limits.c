/* transformer_limits.c: what a backend has to know of a forward pass before there is one. */
#include "worker/model/asked_rows.h"
#include "worker/model/transformer.h"

size_t transformer_last_batch_size(const struct transformer_limits *limits)
{
    return docket_kernels_gpu_batch_size(asked_rows_most(limits->max_rows), limits->max_sequences);
}

void transformer_kernels_limits(struct kernels_limits *out, const struct model_config *c,
                                const struct transformer_limits *limits, bool int8)
{
    size_t ffn_dim = 0; /* a width that config.json names and no layer has is not counted */
    for (size_t l = 0; l < c->n_layers; l++)
        if (model_config_ffn_dim(c, l) > ffn_dim) ffn_dim = model_config_ffn_dim(c, l);
    *out = (struct kernels_limits){.max_rows = limits->max_rows,
                                   .max_sequences = limits->max_sequences,
                                   .dim = c->dim,
                                   .ffn_dim = ffn_dim,
                                   .n_experts = c->n_experts ? c->n_experts : 1,
                                   .top_k = c->n_experts ? c->top_k : 1,
                                   .n_heads = c->n_heads,
                                   .n_kv_heads = c->n_kv_heads,
                                   .head_size = c->head_size,
                                   .vocab = c->vocab,
                                   .has_int8 = int8,
                                   .n_layers = c->n_layers};
}

static bool is_int8(const struct device *device, const struct kernels_weight *weight)
{
    struct kernels_weight_desc desc = {.format = KERNELS_F32};
    if (weight) device->backend->weight_describe(weight, &desc);
    return desc.format == KERNELS_INT8;
}

bool transformer_has_int8(const struct device *device, const struct model_weights *weights, size_t first, size_t end)
{
    bool found = end == weights->n_layers && is_int8(device, weights->head);
    for (size_t l = first; l < end && !found; l++) {
        const struct layer_weights *w = &weights->layers[l];
        found = is_int8(device, w->q) || is_int8(device, w->k) || is_int8(device, w->v) || is_int8(device, w->o);
        for (size_t e = 0; e < w->n_experts && !found; e++)
            found = is_int8(device, w->gate[e]) || is_int8(device, w->up[e]) || is_int8(device, w->down[e]);
    }
    return found;
}
