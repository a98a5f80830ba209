/* bench_layers.c: quantizing, and the experts of one layer beside a dense feed-forward of the same weights. */
#include "handlers/tools/bench.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

#define MOST_VALUES ((size_t)1 << 26)
#define MOE_ROWS    512

/* --- quantizing --- */

struct quantizing {
    struct bench *bench;
    struct kernels_weight_desc desc;
    uint16_t *source; /* bf16 */
};

static enum status run_quantizing(void *context, double *amount, struct error *err)
{
    struct quantizing *q = context;
    const struct device *d = q->bench->device;
    struct kernels_error detail = {0};
    size_t n = q->desc.rows * q->desc.cols;
    struct kernels_weight *weight = d->backend->weight_begin(d->handle, &q->desc, &detail);
    enum kernels_status ks = weight ? KERNELS_OK : KERNELS_NO_MEMORY;
    if (ks == KERNELS_OK) ks = d->backend->weight_write(d->handle, weight, KERNELS_BF16, q->source, n, &detail);
    if (ks == KERNELS_OK) ks = d->backend->weight_finish(d->handle, weight, &detail);
    enum kernels_status last = d->backend->synchronize(d->handle, ks == KERNELS_OK ? &detail : NULL);
    if (weight) d->backend->weight_free(d->handle, weight);
    *amount = (double)n * sizeof(uint16_t);
    return device_status(ks == KERNELS_OK ? last : ks, &detail, "quantizing", err);
}

void bench_quantize(struct bench *b, enum kernels_format format)
{
    struct quantizing q = {.bench = b, .desc = {format, b->config->ffn_dim, b->config->dim}};
    uint64_t state = 5;
    if (!bench_wants(b, "quantize")) return;
    while (q.desc.rows * q.desc.cols > MOST_VALUES && q.desc.rows > 64) q.desc.rows /= 2;
    size_t n = q.desc.rows * q.desc.cols;
    if (!(q.source = mem_alloc(n * sizeof(*q.source)))) {
        bench_impossible(b, "quantize", "no memory for %zu values", n);
        return;
    }
    for (size_t i = 0; i < n; i++) { /* a sum of four: near enough to Gaussian, and quick */
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int sum = (int)(state >> 56) + (int)(state >> 48 & 255) + (int)(state >> 40 & 255) + (int)(state >> 32 & 255);
        float value = (float)(sum - 510) / 8192; /* its upper half is one in bf16 */
        memcpy(&q.source[i], (const unsigned char *)&value + 2, 2);
    }
    const struct bench_work work = {.run = run_quantizing,
                                    .context = &q,
                                    .unit = "bytes",
                                    .bytes = (double)n * (2 + docket_kernels_format_bits(format) / 8)};
    bench_measure(b, "quantize", &work, "bf16 to %s, %zu x %zu", docket_kernels_format_name(format), q.desc.rows,
                  q.desc.cols);
    mem_free(q.source);
}

/* --- experts --- */

struct experts {
    struct bench *bench;
    struct kernels_expert_ffn ffn;
    struct kernels_route route;
    float *memory[4]; /* x, out, shares, ids */
};

static enum status run_experts(void *context, double *amount, struct error *err)
{
    struct experts *e = context;
    const struct device *d = e->bench->device;
    struct kernels_error detail = {0};
    enum kernels_status ks = KERNELS_OK;
    if (e->ffn.ids) ks = d->backend->route(d->handle, &e->route);
    if (ks == KERNELS_OK) ks = d->backend->expert_ffn(d->handle, &e->ffn);
    if (ks == KERNELS_OK) ks = d->backend->synchronize(d->handle, &detail);
    *amount = (double)e->ffn.n_rows;
    return device_status(ks, &detail, "experts", err);
}

static enum kernels_status fill_rows(const struct experts *e, size_t n)
{
    const struct device *d = e->bench->device;
    float *host = mem_alloc(n * sizeof(float));
    uint64_t state = 3;
    if (!host) return KERNELS_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        host[i] = (float)((int)(state >> 54) - 512) / 296.0f; /* variance 1 */
    }
    enum kernels_status ks = d->backend->upload(d->handle, e->memory[0], host, n * sizeof(float));
    memset(host, 0, n * sizeof(float));
    if (ks == KERNELS_OK) ks = d->backend->synchronize(d->handle, NULL);
    if (ks == KERNELS_OK) ks = d->backend->upload(d->handle, e->memory[1], host, n * sizeof(float));
    if (ks == KERNELS_OK) ks = d->backend->synchronize(d->handle, NULL);
    mem_free(host);
    return ks;
}

/* The same rows once through the experts that the router gives them and once through the first expert alone. */
static void measure_experts(struct experts *e, const struct layer_weights *w, size_t rows)
{
    struct bench *b = e->bench;
    const struct model_config *c = b->config;
    double dense = 6.0 * (double)rows * (double)c->dim * (double)c->ffn_dim;
    struct bench_work work = {.run = run_experts, .context = e, .unit = "tokens", .operations = dense};
    e->ffn = (struct kernels_expert_ffn){.x = e->memory[0],
                                         .gate = (const struct kernels_weight *const *)w->gate,
                                         .up = (const struct kernels_weight *const *)w->up,
                                         .down = (const struct kernels_weight *const *)w->down,
                                         .n_experts = 1,
                                         .out = e->memory[1],
                                         .n_rows = rows,
                                         .top_k = 1,
                                         .activation = c->activation};
    const struct bench_row *first = bench_measure(b, "dense", &work, "%zu rows through one expert", rows);
    e->route = (struct kernels_route){.x = e->memory[0],
                                      .weight = w->router,
                                      .ids = (int32_t *)(void *)e->memory[3],
                                      .weights = e->memory[2],
                                      .n_rows = rows,
                                      .top_k = c->top_k,
                                      .renormalize = c->renormalize};
    e->ffn.n_experts = w->n_experts;
    e->ffn.ids = e->route.ids;
    e->ffn.weights = e->route.weights;
    e->ffn.top_k = c->top_k;
    work.operations = dense * (double)c->top_k;
    struct bench_row *second =
        bench_measure(b, "experts", &work, "%zu rows through %zu of %zu experts", rows, c->top_k, w->n_experts);
    if (!first || !second || first->problem[0] || second->problem[0]) return;
    bool by_processor = first->rate.processor > 0 && second->rate.processor > 0;
    second->share = (double)c->top_k * (by_processor ? second->rate.processor / first->rate.processor
                                                     : second->rate.wall / first->rate.wall);
    snprintf(second->of, sizeof(second->of), "of the dense rate per active parameter");
}

void bench_experts(struct bench *b)
{
    struct experts e = {.bench = b};
    struct kernels_error detail = {0};
    size_t layer = 0, rows = b->tiny ? 64 : MOE_ROWS;
    while (layer < b->config->n_layers && !model_config_experts(b->config, layer)) layer++;
    if (layer == b->config->n_layers || !bench_wants(b, "experts")) return;
    const size_t values[] = {rows * b->config->dim, rows * b->config->dim, rows * b->config->top_k,
                             rows * b->config->top_k};
    bool good = true;
    for (size_t i = 0; i < ARRAY_LENGTH(values) && good; i++) {
        e.memory[i] = b->device->backend->buffer_allocate(b->device->handle, values[i] * sizeof(float), &detail);
        good = e.memory[i] != NULL;
    }
    if (good && fill_rows(&e, values[0]) == KERNELS_OK)
        measure_experts(&e, &b->weights->layers[layer], rows);
    else
        bench_impossible(b, "experts", "no memory for %zu rows: %s", rows, detail.message);
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
        if (e.memory[i]) b->device->backend->buffer_free(b->device->handle, e.memory[i]);
}
