/* tiny_model.c: random weights through the table of operations. */
#include "tests/support/tiny_model.h"

#include "tests/support/compare.h"
#include "worker/base/alloc.h"
#include "worker/model/load.h"

#include <stdio.h>
#include <string.h>

static bool make(struct tiny_model *m, struct kernels_weight **out, size_t rows, size_t cols,
                 enum kernels_format format, float mean, float scale, struct numbers *numbers)
{
    const struct kernels_backend *b = m->device.backend;
    const struct kernels_weight_desc desc = {format, rows, cols};
    struct kernels_error detail = {0};
    float *values = mem_alloc(rows * cols * sizeof(float));
    if (!values) return false;
    for (size_t i = 0; i < rows * cols; i++) values[i] = mean + scale * numbers_gaussian(numbers);
    *out = b->weight_begin(m->device.handle, &desc, &detail);
    bool good = *out &&
                b->weight_write(m->device.handle, *out, KERNELS_F32, values, rows * cols, &detail) == KERNELS_OK &&
                b->weight_finish(m->device.handle, *out, &detail) == KERNELS_OK;
    if (!good) fprintf(stderr, "tiny model: %s\n", detail.message);
    mem_free(values);
    return good;
}

static bool make_layer(struct tiny_model *m, struct layer_weights *l, struct numbers *n)
{
    const struct model_config *c = &m->config;
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    l->n_experts = c->n_experts;
    l->gate = mem_zalloc(3 * c->n_experts, sizeof(*l->gate));
    if (!l->gate) return false;
    l->up = l->gate + c->n_experts;
    l->down = l->up + c->n_experts;
    bool good = make(m, &l->attention_norm, 1, c->dim, KERNELS_F32, 1, 0.1f, n) &&
                make(m, &l->ffn_norm, 1, c->dim, KERNELS_F32, 1, 0.1f, n) &&
                make(m, &l->q, q, c->dim, KERNELS_NF4_NESTED, 0, 0.2f, n) &&
                make(m, &l->k, kv, c->dim, KERNELS_NF4_NESTED, 0, 0.2f, n) &&
                make(m, &l->v, kv, c->dim, KERNELS_BF16, 0, 0.2f, n) &&
                make(m, &l->o, c->dim, q, KERNELS_NF4, 0, 0.2f, n) &&
                make(m, &l->router, c->n_experts, c->dim, KERNELS_BF16, 0, 0.3f, n);
    for (size_t e = 0; e < c->n_experts && good; e++)
        good = make(m, &l->gate[e], c->ffn_dim, c->dim, KERNELS_NF4_NESTED, 0, 0.2f, n) &&
               make(m, &l->up[e], c->ffn_dim, c->dim, KERNELS_NF4_NESTED, 0, 0.2f, n) &&
               make(m, &l->down[e], c->dim, c->ffn_dim, KERNELS_NF4_NESTED, 0, 0.2f, n);
    return good;
}

bool tiny_model_open(struct tiny_model *m, const char *backend, unsigned n_threads, uint64_t seed)
{
    struct numbers numbers = {seed};
    struct error err = {0};
    const struct device_options options = {.backend = backend, .n_threads = n_threads};
    *m = (struct tiny_model){.config = {.architecture = "MixtralForCausalLM",
                                        .n_layers = 2,
                                        .dim = 64,
                                        .ffn_dim = 96,
                                        .vocab = 61,
                                        .n_heads = 4,
                                        .n_kv_heads = 2,
                                        .head_size = 16,
                                        .n_experts = 4,
                                        .top_k = 2,
                                        .renormalize = true,
                                        .rope_theta = 10000,
                                        .rms_eps = 1e-5,
                                        .max_position = 512}};
    if (device_open(&m->device, &options, &err) != DOCKET_OK) {
        fprintf(stderr, "tiny model: %s\n", err.message);
        return false;
    }
    const struct model_config *c = &m->config;
    m->weights.n_layers = c->n_layers;
    m->weights.layers = mem_zalloc(c->n_layers, sizeof(*m->weights.layers));
    bool good = m->weights.layers && make(m, &m->weights.embedding, c->vocab, c->dim, KERNELS_BF16, 0, 1, &numbers) &&
                make(m, &m->weights.norm, 1, c->dim, KERNELS_F32, 1, 0.1f, &numbers) &&
                make(m, &m->weights.head, c->vocab, c->dim, KERNELS_BF16, 0, 0.3f, &numbers);
    for (size_t l = 0; l < c->n_layers && good; l++) good = make_layer(m, &m->weights.layers[l], &numbers);
    return good;
}

void tiny_model_close(struct tiny_model *m)
{
    model_weights_free(&m->weights, &m->device);
    device_close(&m->device);
}
