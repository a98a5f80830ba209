/* bench.c: how fast the CUDA backend is, beside what this GPU does at best, measured in the same run.
 * Usage: bench FILE [tiny]. Prints a table, writes the same as JSON; tiny: shapes that the emulation can run. Asserts nothing about time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "tests/support/compare.h"
#include "tests/support/parallel.h"

const struct kernels_backend *docket_cuda_backend(void);
double ceiling_copy(size_t size_bytes);
double ceiling_products(size_t n);
double ceiling_mma(unsigned n_multiprocessors);
double alone_quantize(size_t n, enum kernels_format source_format, bool tiny);
double alone_expand(uint32_t rows, uint32_t cols, unsigned n_multiprocessors, bool tiny);
unsigned alone_multiprocessors(void);

struct bench {
    const struct kernels_backend *table;
    struct kernels_device *device;
    FILE *json;
    double copy_rate, product_rate;
    double mma_rate; /* of mma.sync, which attention and the own products are made of */
    bool tiny, has_rows;
    bool expand;     /* weights get their 16-bit form */
    const char *who; /* makes the products */
};

static double now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void demand(bool holds, const char *what, const struct kernels_error *error)
{
    if (holds) return;
    fprintf(stderr, "bench: %s: %s\n", what, error ? error->message : "failed");
    exit(1);
}

static void wait(struct bench *b, const char *what)
{
    struct kernels_error error = {0};

    demand(b->table->synchronize(b->device, &error) == KERNELS_OK, what, &error);
}

static void *take(struct bench *b, size_t size_bytes)
{
    struct kernels_error error = {0};
    void *buffer = b->table->buffer_allocate(b->device, size_bytes, &error);

    demand(buffer != NULL, "memory of the device", &error);
    return buffer;
}

static float *take_numbers(struct bench *b, size_t n)
{
    struct numbers numbers = {n};
    float *values = malloc(n * sizeof *values), *buffer = take(b, n * sizeof *values);

    demand(values != NULL, "memory", NULL);
    numbers_fill(&numbers, values, n);
    demand(b->table->upload(b->device, buffer, values, n * sizeof *values) == KERNELS_OK, "upload", NULL);
    wait(b, "upload");
    free(values);
    return buffer;
}

static struct kernels_weight *make_weight(struct bench *b, enum kernels_format format, size_t n, size_t k)
{
    enum { STEP = 1 << 20 };
    static float values[STEP];
    struct kernels_weight_desc desc = {format, n, k};
    struct kernels_error error = {0};
    struct kernels_weight *weight = b->table->weight_begin(b->device, &desc, &error);
    struct numbers numbers = {1};

    demand(weight != NULL, "a weight", &error);
    if (values[0] == 0) numbers_fill(&numbers, values, STEP);
    for (size_t at = 0; at < n * k; at += STEP)
        demand(b->table->weight_write(b->device, weight, KERNELS_F32, values, n * k - at < STEP ? n * k - at : STEP,
                                      &error) == KERNELS_OK,
               "writing a weight", &error);
    demand(b->table->weight_finish(b->device, weight, &error) == KERNELS_OK, "finishing a weight", &error);
    return weight;
}

/* One operation, best of some rounds of `n_each` that are queued one behind the other. */
static double measure(struct bench *b, enum kernels_status (*operation)(struct bench *, const void *), const void *args,
                      const char *what)
{
    size_t n_each = 1;
    double best = 1e30, begin, took;

    for (int round = 0; round < (b->tiny ? 2 : 6); round++) {
        begin = now_seconds();
        for (size_t i = 0; i < n_each; i++) demand(operation(b, args) == KERNELS_OK, what, NULL);
        wait(b, what);
        took = (now_seconds() - begin) / (double)n_each;
        if (round > 0 && took < best) best = took;
        if (round <= 1 && !b->tiny) n_each = took > 0.02 ? 1 : (size_t)(0.02 / (took + 1e-7)) + 1; /* hides the wait */
    }
    return best;
}

static void row(struct bench *b, const char *operation, const char *format, const char *shape, double took,
                double bytes, double operations)
{
    double copy = b->copy_rate > 0 ? bytes / took / b->copy_rate : 0;
    double product = b->product_rate > 0 ? operations / took / b->product_rate : 0;
    double mma = b->mma_rate > 0 ? operations / took / b->mma_rate : 0;

    printf("%-16s %-10s %-8s %-40s %10.4f ms %8.1f GB/s %5.1f %% %8.2f TFLOP/s %5.1f %% (mma.sync %5.1f %%)\n",
           operation, format, b->who, shape, took * 1e3, bytes / took * 1e-9, 100 * copy, operations / took * 1e-12,
           100 * product, 100 * mma);
    fprintf(b->json,
            "%s\n    {\"operation\": \"%s\", \"format\": \"%s\", \"by\": \"%s\", \"shape\": \"%s\", \"seconds\": %.9g, "
            "\"bytes\": %.0f, "
            "\"operations\": %.0f, \"of_copy\": %.4f, \"of_products\": %.4f, \"of_mma\": %.4f}",
            b->has_rows ? "," : "", operation, format, b->who, shape, took, bytes, operations, copy, product, mma);
    b->has_rows = true;
    fflush(stdout);
}

/* --- linear: round several weights where one would stay in the cache --- */

struct linear_work {
    struct kernels_linear args;
    struct kernels_weight *weights[8];
    size_t n_weights, turn;
};

static enum kernels_status do_linear(struct bench *b, const void *context)
{
    struct linear_work *work = (struct linear_work *)(uintptr_t)context;

    work->args.weight = work->weights[work->turn++ % work->n_weights];
    return b->table->linear(b->device, &work->args);
}

static void bench_linear(struct bench *b, enum kernels_format format, size_t n, size_t k)
{
    static const size_t rows[] = {1, 8, 16, 64, 512, 4096};
    const struct kernels_weight_desc desc = {format, n, k};
    const size_t most = b->tiny ? 8 : 4096, bytes = b->table->weight_size(b->device, &desc);
    struct linear_work work = {.n_weights = b->tiny ? 2 : 8};
    float *x, *out;
    char shape[64];

    if (bytes == 0) return;
    x = take_numbers(b, most * k);
    out = take(b, most * n * sizeof *out);
    for (size_t i = 0; i < work.n_weights; i++) work.weights[i] = make_weight(b, format, n, k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rows[i] <= most; i++) {
        size_t m = rows[i];
        double took;
        work.args = (struct kernels_linear){.x = x, .out = out, .n_rows = m};
        took = measure(b, do_linear, &work, "linear");
        snprintf(shape, sizeof shape, "m=%zu n=%zu k=%zu", m, n, k);
        row(b, "linear", docket_kernels_format_name(format), shape, took, (double)bytes + 4.0 * (double)(m * (n + k)),
            2.0 * (double)m * (double)n * (double)k);
    }
    for (size_t i = 0; i < work.n_weights; i++) b->table->weight_free(b->device, work.weights[i]);
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
}

/* --- the experts of one layer --- */

static enum kernels_status do_experts(struct bench *b, const void *args)
{
    return b->table->expert_ffn(b->device, args);
}

static void bench_experts(struct bench *b, enum kernels_format format, size_t m, size_t f, size_t k)
{
    enum { E = 8, T = 2 };
    const struct kernels_weight_desc desc = {format, f, k};
    struct kernels_weight *weights[3][E];
    float *x = take_numbers(b, m * k), *out = take_numbers(b, m * k), *shares = take_numbers(b, m * T);
    int32_t *ids = take(b, m * T * sizeof *ids), *host_ids = malloc(m * T * sizeof *host_ids);
    struct kernels_expert_ffn args = {.x = x,
                                      .gate = (const struct kernels_weight *const *)weights[0],
                                      .up = (const struct kernels_weight *const *)weights[1],
                                      .down = (const struct kernels_weight *const *)weights[2],
                                      .n_experts = E,
                                      .ids = ids,
                                      .weights = shares,
                                      .out = out,
                                      .n_rows = m,
                                      .top_k = T,
                                      .activation = KERNELS_SILU};
    size_t n_used = m * T < E ? m * T : E;
    char shape[64];
    double took;

    demand(host_ids != NULL, "memory", NULL);
    for (size_t i = 0; i < m * T; i++) host_ids[i] = (int32_t)(i % E);
    demand(b->table->upload(b->device, ids, host_ids, m * T * sizeof *ids) == KERNELS_OK, "upload", NULL);
    for (size_t e = 0; e < E; e++) {
        weights[0][e] = make_weight(b, format, f, k);
        weights[1][e] = make_weight(b, format, f, k);
        weights[2][e] = make_weight(b, format, k, f);
        for (size_t i = 0; i < 3 && b->expand; i++)
            demand(b->table->weight_expand(b->device, weights[i][e], NULL) == KERNELS_OK, "a 16-bit form", NULL);
    }
    took = measure(b, do_experts, &args, "expert_ffn");
    snprintf(shape, sizeof shape, "m=%zu f=%zu k=%zu, %d of %d%s", m, f, k, T, E, b->expand ? ", expanded" : "");
    row(b, "expert_ffn", docket_kernels_format_name(format), shape, took,
        3.0 * (double)n_used * (double)b->table->weight_size(b->device, &desc) + 8.0 * (double)(m * k),
        6.0 * (double)(m * T) * (double)f * (double)k);
    for (size_t e = 0; e < E; e++)
        for (size_t i = 0; i < 3; i++) b->table->weight_free(b->device, weights[i][e]);
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
    b->table->buffer_free(b->device, shares);
    b->table->buffer_free(b->device, ids);
    free(host_ids);
}

/* --- attention: whole prompts, and steps behind a context --- */

static enum kernels_status do_attention(struct bench *b, const void *args)
{
    return b->table->attention(b->device, args);
}

/* Sequences of n_rows new rows each, behind `own` keys of their own and a prefix that all of them share. */
struct attention_work {
    const char *what;
    size_t n_sequences, n_rows, own, prefix, h, g, d;
    enum kernels_format format;
};

/* Rows, slots and positions; the keys that all rows see together, and the slots that they lie in. */
struct attention_pass {
    struct kernels_sequence sequences[64];
    int32_t *positions;
    uint32_t *slots;
    size_t n, n_slots;
    double seen;
};

static void make_pass(struct attention_pass *p, const struct attention_work *w)
{
    const size_t each = w->own + w->n_rows;

    *p = (struct attention_pass){.n = w->n_sequences * w->n_rows, .n_slots = w->prefix + w->n_sequences * each};
    p->positions = malloc(p->n * sizeof *p->positions);
    p->slots = malloc(p->n * sizeof *p->slots);
    demand(p->positions && p->slots && w->n_sequences <= sizeof p->sequences / sizeof p->sequences[0], "memory", NULL);
    for (size_t i = 0; i < w->n_sequences; i++) {
        const size_t first = w->prefix + i * each;
        p->sequences[i] = (struct kernels_sequence){.first_row = (uint32_t)(i * w->n_rows),
                                                    .n_rows = (uint32_t)w->n_rows,
                                                    .n_shared = w->prefix > 0,
                                                    .shared = {{0, (uint32_t)w->prefix, 0}},
                                                    .own = {(uint32_t)first, (uint32_t)each, (uint32_t)w->prefix}};
        for (size_t row = 0; row < w->n_rows; row++) {
            p->positions[i * w->n_rows + row] = (int32_t)(w->prefix + w->own + row);
            p->slots[i * w->n_rows + row] = (uint32_t)(first + w->own + row);
            p->seen += (double)(w->prefix + w->own + row + 1);
        }
    }
}

static void bench_attention(struct bench *b, const struct attention_work *w)
{
    const size_t d = w->d;
    struct kernels_error error = {0};
    struct attention_pass p;
    make_pass(&p, w);
    struct kernels_kv *kv = b->table->kv_create(
        b->device,
        &(const struct kernels_kv_shape){
            .format = w->format, .n_layers = 1, .n_slots = p.n_slots, .n_kv_heads = w->g, .head_size = d},
        &error);
    struct kernels_batch *batch = b->table->batch_create(b->device, p.n, w->n_sequences, &error);
    float *q = take_numbers(b, p.n * w->h * d), *k = take_numbers(b, p.n * w->g * d),
          *v = take_numbers(b, p.n * w->g * d);
    float *out = take(b, p.n * w->h * d * sizeof *out), frequency[KERNELS_MAX_HEAD_SIZE / 2] = {0};
    struct kernels_batch_desc desc = {p.n, w->n_sequences, p.positions, p.positions, p.slots, p.sequences};
    struct kernels_rope_kv rope = {batch, q, k, v, kv, 0, w->h, w->g, d, frequency, 0};
    struct kernels_attention args = {batch, q, kv, out, 0, w->h, w->g, d, 0.1f, 0};
    char shape[96];
    double took;

    demand(kv && batch, "a cache and a batch", &error);
    demand(b->table->batch_set(b->device, batch, &desc, &error) == KERNELS_OK, "a batch", &error);
    demand(b->table->rope_kv(b->device, &rope) == KERNELS_OK, "rope_kv", NULL);
    took = measure(b, do_attention, &args, "attention");
    snprintf(shape, sizeof shape, "%s: %zu x %zu behind %zu, %zu/%zu of %zu", w->what, w->n_sequences, w->n_rows,
             w->prefix + w->own, w->h, w->g, d);
    row(b, "attention", docket_kernels_format_name(w->format), shape, took,
        4.0 * (double)(2 * p.n * w->h * d) +
            (double)b->table->kv_size(
                b->device,
                &(const struct kernels_kv_shape){
                    .format = w->format, .n_layers = 1, .n_slots = p.n_slots, .n_kv_heads = w->g, .head_size = d}),
        4.0 * p.seen * (double)(w->h * d));
    b->table->batch_free(b->device, batch);
    b->table->kv_free(b->device, kv);
    b->table->buffer_free(b->device, q);
    b->table->buffer_free(b->device, k);
    b->table->buffer_free(b->device, v);
    b->table->buffer_free(b->device, out);
    free(p.positions);
    free(p.slots);
}

static void bench_attentions(struct bench *b)
{
    static const struct attention_work tiny[] = {
        {"prompt", 1, 20, 0, 0, 4, 2, 32, KERNELS_F16},
        {"step", 2, 1, 300, 20, 4, 2, 32, KERNELS_KV_Q8_0},
    };
    static const struct attention_work works[] = {
        {"prompt", 1, 2048, 0, 0, 32, 8, 128, KERNELS_F16}, {"prompt", 1, 8192, 0, 0, 32, 8, 128, KERNELS_F16},
        {"prompt", 1, 2048, 0, 0, 32, 8, 128, KERNELS_F32}, {"prompt", 1, 2048, 0, 0, 32, 8, 128, KERNELS_KV_Q8_0},
        {"prompt", 1, 2048, 0, 0, 8, 1, 256, KERNELS_F16},  {"documents", 8, 256, 0, 512, 32, 8, 128, KERNELS_F16},
        {"step", 1, 1, 1000, 0, 32, 8, 128, KERNELS_F16},   {"step", 1, 1, 8192, 0, 32, 8, 128, KERNELS_F16},
        {"step", 32, 1, 64, 1000, 32, 8, 128, KERNELS_F16}, {"trees", 32, 8, 0, 1000, 32, 8, 128, KERNELS_F16},
    };
    const size_t n = b->tiny ? sizeof tiny / sizeof tiny[0] : sizeof works / sizeof works[0];

    for (size_t i = 0; i < n; i++) bench_attention(b, b->tiny ? &tiny[i] : &works[i]);
}

/* Each weight is read and written once. */
static void bench_alone(struct bench *b)
{
    static const enum kernels_format sources[] = {KERNELS_BF16, KERNELS_F32};
    const uint32_t rows = b->tiny ? 64 : 8 * 14336, cols = b->tiny ? 64 : 4096;
    const double n = (double)rows * cols;
    const unsigned all_of_them = alone_multiprocessors();
    double took;
    char shape[64];

    for (size_t i = 0; i < 2; i++) {
        if ((took = alone_quantize((size_t)rows * cols, sources[i], b->tiny)) <= 0) continue;
        snprintf(shape, sizeof shape, "%s to nf4, %.0f M values", docket_kernels_format_name(sources[i]), n * 1e-6);
        row(b, "quantize", "nf4", shape, took, n * ((sources[i] == KERNELS_F32 ? 4 : 2) + 0.5 + 4.0 / 64), 0);
    }
    for (unsigned half = 0; half < 2; half++) {
        const unsigned some = half ? (all_of_them + 1) / 2 : all_of_them;
        if ((took = alone_expand(rows, cols, some, b->tiny)) <= 0) continue;
        snprintf(shape, sizeof shape, "to bf16, %.0f M values, %u of %u multiprocessors", n * 1e-6, some, all_of_them);
        row(b, "expand", "nf4", shape, took, n * (2 + 0.5 + 1.0 / 64), 0);
    }
}

/* What large passes do: cuBLASLt, with weights expanded on the way and with those that are kept so. */
static void many(struct bench *b)
{
    const size_t f = b->tiny ? 64 : 14336, k = b->tiny ? 64 : 4096;

    bench_linear(b, KERNELS_NF4_NESTED, f, k);
    for (size_t m = b->tiny ? 4 : 512; m <= (b->tiny ? 4 : 32768); m *= 4)
        bench_experts(b, KERNELS_NF4_NESTED, m, f, k);
    b->expand = true;
    for (size_t m = b->tiny ? 4 : 2048; m <= (b->tiny ? 4 : 32768); m *= 4)
        bench_experts(b, KERNELS_NF4_NESTED, m, f, k);
    b->expand = false;
}

static void all(struct bench *b)
{
    static const enum kernels_format formats[] = {KERNELS_NF4_NESTED, KERNELS_BF16};

    for (size_t i = 0; i < 2; i++) {
        bench_linear(b, formats[i], b->tiny ? 70 : 14336, b->tiny ? 64 : 4096);
        bench_linear(b, formats[i], b->tiny ? 64 : 4096, b->tiny ? 128 : 14336);
        if (!b->tiny) bench_linear(b, formats[i], 4096, 4096);
    }
    for (size_t m = 1; m <= (b->tiny ? 1 : 4096); m *= 64)
        bench_experts(b, KERNELS_NF4_NESTED, m, b->tiny ? 64 : 14336, b->tiny ? 64 : 4096);
    bench_attentions(b);
    bench_alone(b);
}

int main(int argc, char **argv)
{
    struct host host = {.n_workers = 1};
    struct kernels_options options = host_options(&host, NULL);
    struct kernels_error error = {0};
    struct kernels_description description;
    struct bench b = {.table = docket_cuda_backend(), .tiny = argc == 3 && strcmp(argv[2], "tiny") == 0};

    if (argc < 2 || argc > 3 || (argc == 3 && !b.tiny)) {
        fprintf(stderr, "usage: bench FILE [tiny]\n");
        return 2;
    }
    options.products = KERNELS_PRODUCTS_OWN;
    b.who = "own";
    demand((b.device = b.table->open(&options, &error)) != NULL, "opening the device", &error);
    if ((b.json = fopen(argv[1], "w")) == NULL) {
        perror(argv[1]);
        return 1;
    }
    b.table->describe(b.device, &description);
    b.copy_rate = ceiling_copy((size_t)(b.tiny ? 1 : 2048) << 20);
    b.product_rate = b.tiny ? 0 : ceiling_products(8192);
    b.mma_rate = b.tiny ? 0 : ceiling_mma(alone_multiprocessors());
    printf("%s: copies %.1f GB/s (read and written); cuBLASLt bf16, 8192 cubed: ", description.name,
           b.copy_rate * 1e-9);
    printf(b.product_rate > 0 ? "%.1f TFLOP/s\n" : "not measured\n", b.product_rate * 1e-12);
    if (b.mma_rate > 0) printf("mma.sync out of registers, f16: %.1f TFLOP/s\n", b.mma_rate * 1e-12);
    fprintf(b.json,
            "{\n  \"copy_bytes_per_second\": %.0f,\n  \"products_per_second\": %.0f,\n  \"mma_per_second\": %.0f,\n  "
            "\"rows\": [",
            b.copy_rate, b.product_rate, b.mma_rate);
    all(&b);
    b.table->close(b.device);
    options.products = KERNELS_PRODUCTS_LIBRARY;
    b.who = "cuBLASLt";
    if ((b.device = b.table->open(&options, &error)) != NULL)
        many(&b);
    else
        printf("without cuBLASLt: %s\n", error.message);
    fprintf(b.json, "\n  ]\n}\n");
    b.table->close(b.device);
    if (fclose(b.json) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
