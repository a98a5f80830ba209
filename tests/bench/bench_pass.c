/* bench_pass.c: where the time of one forward pass goes: a table that counts each operation's time stands between the transformer and
 * the CPU backend. Usage: bench_pass [isa] [rows] [layers]. One worker, its processor time, best of three passes; asserts nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/compare.h"
#include "worker/model/transformer.h"

enum operation { EMBED, RMSNORM, LINEAR, ROPE_KV, ATTENTION, ROUTE, EXPERT_FFN, ADD, GATHER, LOGITS, N_OPERATIONS };
static const char *const names[] = {"embed", "rmsnorm",    "linear", "rope_kv",     "attention",
                                    "route", "expert_ffn", "add",    "gather_rows", "gather_logits"};

static const struct kernels_backend *real;
static double spent[N_OPERATIONS];

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define COUNTED(name, which)                                                                                           \
    static enum kernels_status counted_##name(struct kernels_device *device, const struct kernels_##name *args)        \
    {                                                                                                                  \
        double begin = now_seconds();                                                                                  \
        enum kernels_status status = real->name(device, args);                                                         \
        spent[which] += now_seconds() - begin;                                                                         \
        return status;                                                                                                 \
    }
COUNTED(embed, EMBED)
COUNTED(rmsnorm, RMSNORM)
COUNTED(linear, LINEAR)
COUNTED(rope_kv, ROPE_KV)
COUNTED(attention, ATTENTION)
COUNTED(route, ROUTE)
COUNTED(expert_ffn, EXPERT_FFN)
COUNTED(gather_rows, GATHER)
COUNTED(gather_logits, LOGITS)

static enum kernels_status counted_add(struct kernels_device *device, float *out, const float *x, size_t n_values)
{
    double begin = now_seconds();
    enum kernels_status status = real->add(device, out, x, n_values);
    spent[ADD] += now_seconds() - begin;
    return status;
}

static struct kernels_weight *make_weight(const struct device *d, enum kernels_format format, size_t n, size_t k,
                                          float scale)
{
    struct kernels_weight_desc desc = {format, n, k};
    struct kernels_weight *weight = d->backend->weight_begin(d->handle, &desc, NULL);
    struct numbers numbers = {n * 31 + k};
    size_t step = 1 << 20;
    float *values = malloc(step * sizeof *values);

    if (!weight || !values) exit(1);
    numbers_fill(&numbers, values, step);
    for (size_t i = 0; i < step; i++) values[i] = scale > 0 ? values[i] * scale : 1;
    for (size_t at = 0; at < n * k; at += step)
        d->backend->weight_write(d->handle, weight, KERNELS_F32, values, n * k - at < step ? n * k - at : step, NULL);
    if (d->backend->weight_finish(d->handle, weight, NULL) != KERNELS_OK) exit(1);
    free(values);
    return weight;
}

static void make_layer(const struct device *d, const struct model_config *c, enum kernels_format format,
                       struct layer_weights *w)
{
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size, n = c->n_experts ? c->n_experts : 1;

    *w = (struct layer_weights){.n_experts = n};
    w->attention_norm = make_weight(d, KERNELS_F32, 1, c->dim, 0);
    w->ffn_norm = make_weight(d, KERNELS_F32, 1, c->dim, 0);
    w->q = make_weight(d, format, q, c->dim, 0.02f);
    w->k = make_weight(d, format, kv, c->dim, 0.02f);
    w->v = make_weight(d, format, kv, c->dim, 0.02f);
    w->o = make_weight(d, format, c->dim, q, 0.02f);
    if (c->n_experts) w->router = make_weight(d, KERNELS_F32, n, c->dim, 0.1f);
    w->gate = calloc(3 * n, sizeof *w->gate);
    if (!w->gate) exit(1);
    w->up = w->gate + n, w->down = w->gate + 2 * n;
    for (size_t e = 0; e < n; e++) {
        w->gate[e] = make_weight(d, format, c->ffn_dim, c->dim, 0.02f);
        w->up[e] = make_weight(d, format, c->ffn_dim, c->dim, 0.02f);
        w->down[e] = make_weight(d, format, c->dim, c->ffn_dim, 0.02f);
    }
}

static void free_layer(const struct device *d, struct layer_weights *w)
{
    struct kernels_weight *all[] = {w->attention_norm, w->ffn_norm, w->q, w->k, w->v, w->o, w->router};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) d->backend->weight_free(d->handle, all[i]);
    for (size_t e = 0; e < 3 * w->n_experts; e++) d->backend->weight_free(d->handle, w->gate[e]);
    free(w->gate);
}

/* Sequences of `own` rows each, behind `prefix` slots that all of them see. */
struct load {
    size_t rows, prefix, own, n_outputs;
};

static void run(struct transformer *t, const struct model_config *c, const struct load *l)
{
    size_t n_sequences = (l->rows + l->own - 1) / l->own;
    int32_t *ids = calloc(l->rows, sizeof *ids), *positions = calloc(l->rows, sizeof *positions);
    uint32_t *slots = calloc(l->rows, sizeof *slots), *outputs = calloc(n_sequences, sizeof *outputs);
    struct kernels_sequence *sequences = calloc(n_sequences, sizeof *sequences);
    double best = 1e30, kept[N_OPERATIONS] = {0}, sum = 0;
    struct error err = {0};

    if (!ids || !positions || !slots || !outputs || !sequences) exit(1);
    for (size_t i = 0; i < l->rows; i++) {
        struct kernels_sequence *s = &sequences[i / l->own];
        if (i % l->own == 0) s->first_row = (uint32_t)i, s->own.first_slot = (uint32_t)(l->prefix + i);
        s->n_shared = l->prefix > 0;
        s->shared[0] = (struct kernels_range){0, (uint32_t)l->prefix, 0};
        s->own.first_position = (uint32_t)l->prefix;
        s->own.n_slots = ++s->n_rows;
        ids[i] = (int32_t)(i * 7919 % c->vocab);
        positions[i] = (int32_t)(l->prefix + i % l->own);
        slots[i] = (uint32_t)(l->prefix + i);
        outputs[i / l->own] = (uint32_t)i;
    }
    const struct kernels_batch_desc batch = {l->rows, n_sequences, ids, positions, slots, sequences};
    for (int i = 0; i < 3; i++) {
        memset(spent, 0, sizeof spent);
        double begin = now_seconds();
        if (transformer_forward(t, &batch, outputs, l->n_outputs ? n_sequences : 0, NULL, &err) != DOCKET_OK) exit(1);
        double took = now_seconds() - begin;
        if (took < best) best = took, memcpy(kept, spent, sizeof kept);
    }
    printf("  %zu rows in sequences of %zu behind %zu: %.1f ms, %.0f tokens/s; linear and experts %.1f %%\n   ",
           l->rows, l->own, l->prefix, 1e3 * best, (double)l->rows / best,
           100 * (kept[LINEAR] + kept[EXPERT_FFN]) / best);
    for (int i = 0; i < N_OPERATIONS; i++) {
        if (kept[i] > 0) printf(" %s %.1f %%,", names[i], 100 * kept[i] / best);
        sum += kept[i];
    }
    printf(" between them %.1f %%\n", 100 * (best - sum) / best);
    free(ids);
    free(positions);
    free(slots);
    free(outputs);
    free(sequences);
}

static void bench(const char *name, const struct model_config *c, enum kernels_format format, const char *isa,
                  const struct load *loads, size_t n_loads)
{
    struct error err = {0};
    struct device device = {0};
    const struct device_options options = {.backend = "cpu", .cpu_isa = isa, .n_threads = 1};
    struct layer_weights *layers = calloc(c->n_layers, sizeof *layers);
    struct transformer *t = NULL;

    if (!layers || device_open(&device, &options, &err) != DOCKET_OK) exit(1);
    real = device.backend;
    struct kernels_backend counted = *real;
    counted.embed = counted_embed, counted.rmsnorm = counted_rmsnorm, counted.linear = counted_linear;
    counted.rope_kv = counted_rope_kv, counted.attention = counted_attention, counted.route = counted_route;
    counted.expert_ffn = counted_expert_ffn, counted.add = counted_add;
    counted.gather_rows = counted_gather_rows, counted.gather_logits = counted_gather_logits;
    device.backend = &counted;
    for (size_t l = 0; l < c->n_layers; l++) make_layer(&device, c, format, &layers[l]);
    const struct model_weights weights = {.embedding = make_weight(&device, KERNELS_BF16, c->vocab, c->dim, 1),
                                          .norm = make_weight(&device, KERNELS_F32, 1, c->dim, 0),
                                          .head = make_weight(&device, KERNELS_BF16, c->vocab, c->dim, 0.02f),
                                          .layers = layers,
                                          .n_layers = c->n_layers};
    const struct transformer_limits limits = {
        .max_rows = 4096, .max_sequences = 256, .kv_slots = 8192, .max_outputs = 4096, .kv_format = KERNELS_F16};
    if (transformer_open(&t, &device, c, &weights, &limits, &err) != DOCKET_OK) exit(1);
    printf("%s, %s, %zu layers\n", name, docket_kernels_format_name(format), c->n_layers);
    for (size_t i = 0; i < n_loads; i++) run(t, c, &loads[i]);
    transformer_close(t);
    for (size_t l = 0; l < c->n_layers; l++) free_layer(&device, &layers[l]);
    free(layers);
    device.backend->weight_free(device.handle, weights.embedding);
    device.backend->weight_free(device.handle, weights.norm);
    device.backend->weight_free(device.handle, weights.head);
    device.backend = real;
    device_close(&device);
}

int main(int argc, char **argv)
{
    const char *isa = argc > 1 ? argv[1] : "auto";
    size_t rows = argc > 2 ? strtoul(argv[2], NULL, 10) : 512, layers = argc > 3 ? strtoul(argv[3], NULL, 10) : 2;
    static struct model_config demo = {.n_layers = 4,
                                       .dim = 192,
                                       .vocab = 4096,
                                       .ffn_dim = 208,
                                       .n_heads = 6,
                                       .n_kv_heads = 2,
                                       .head_size = 32,
                                       .n_experts = 8,
                                       .top_k = 2,
                                       .renormalize = true,
                                       .rope_theta = 1e4,
                                       .rms_eps = 1e-5};
    static struct model_config tiny = {.dim = 2048,
                                       .vocab = 4096,
                                       .ffn_dim = 5632,
                                       .n_heads = 32,
                                       .n_kv_heads = 4,
                                       .head_size = 64,
                                       .rope_theta = 1e4,
                                       .rms_eps = 1e-5};
    const struct load loads[] = {{rows, 0, 512, 1}, {rows, 300, 64, 1}, {rows, 0, rows, 1}};

    if (rows == 0 || rows > 4096 || layers == 0 || layers > 64) return 2;
    tiny.n_layers = layers;
    bench("demo model", &demo, KERNELS_BF16, isa, (const struct load[]){{2048, 0, 512, 1}, {2048, 300, 64, 1}}, 2);
    bench("TinyLlama", &tiny, KERNELS_NF4, isa, loads, rows > 512 ? 3 : 2);
    return 0;
}
