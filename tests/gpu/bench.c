/* bench.c: how fast the CUDA backend is, beside what this GPU does at best, measured in the same run.
 * Usage: bench FILE [tiny]. Prints a table, writes the same as JSON; tiny: shapes that the emulation can run. Asserts nothing about time.
 *
 * An operation is queued again and again for 20 ms, five times; the best and the median are told. Weights are as many as are 400 MB together, or
 * the layer's eight experts in turn: none is found in a cache of 60. The least time is that of reading the bytes, of computing, or of a
 * launch, whichever is longest, by what this GPU did in the same run; beside the ratio stands the one that is wanted of the kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "tests/support/compare.h"
#include "tests/support/parallel.h"

const struct kernels_backend *docket_cuda_backend(void);
double ceiling_copy(size_t size_bytes);
double ceiling_device_read(size_t size_bytes);
double ceiling_products(size_t n);
double ceiling_mma(unsigned n_multiprocessors);
double alone_quantize(size_t n, enum kernels_format source_format, bool tiny);
double alone_expand(uint32_t rows, uint32_t cols, unsigned n_multiprocessors, bool tiny);
unsigned alone_multiprocessors(void);

struct bench {
    const struct kernels_backend *table;
    struct kernels_device *device;
    FILE *json;
    double copy_rate, read_rate, product_rate, launch_seconds;
    double mma_rate; /* of mma.sync, which attention and the own products are made of */
    bool tiny, has_rows;
    size_t n_wanted, n_reached;
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

struct taken {
    double best, median;
};

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* One operation, in rounds of `n_each` that are queued one behind the other. */
static struct taken measure(struct bench *b, enum kernels_status (*operation)(struct bench *, const void *),
                            const void *args, const char *what)
{
    enum { WARM = 2, ROUNDS = 5 };
    const int rounds = b->tiny ? 1 : ROUNDS;
    size_t n_each = 1;
    double all[ROUNDS], begin, took;

    for (int round = -WARM; round < rounds; round++) {
        begin = now_seconds();
        for (size_t i = 0; i < n_each; i++) demand(operation(b, args) == KERNELS_OK, what, NULL);
        wait(b, what);
        took = (now_seconds() - begin) / (double)n_each;
        if (round >= 0) all[round] = took;
        if (round < 0 && !b->tiny) n_each = took > 0.02 ? 1 : (size_t)(0.02 / (took + 1e-7)) + 1; /* hides the wait */
    }
    qsort(all, (size_t)rounds, sizeof all[0], by_size);
    return (struct taken){all[0], all[rounds / 2]};
}

struct result {
    const char *operation, *format, *shape;
    struct taken took;
    double bytes, operations, wanted; /* wanted: of the least time; 0: nothing */
    bool is_copy;                     /* bytes are read and written */
};

static void row(struct bench *b, const struct result *r)
{
    const double bytes_rate = r->is_copy ? b->copy_rate : b->read_rate,
                 products_rate = strcmp(b->who, "own") == 0 ? b->mma_rate : b->product_rate;
    const double read = bytes_rate > 0 ? r->bytes / bytes_rate : 0,
                 compute = products_rate > 0 ? r->operations / products_rate : 0;
    const double most = read > compute ? read : compute, least = most > b->launch_seconds ? most : b->launch_seconds;
    const char *bound = least > most ? "launch" : read <= compute ? "products" : r->is_copy ? "copying" : "reading";
    const double ratio = least / r->took.best;

    printf("%-11s %-11s %-8s %-34s %10.4f ms %7.1f GB/s %7.2f TFLOP/s  %5.1f %% of %-8s", r->operation, r->format,
           b->who, r->shape, r->took.best * 1e3, r->bytes / r->took.best * 1e-9, r->operations / r->took.best * 1e-12,
           100 * ratio, bound);
    if (r->wanted > 0) {
        b->n_wanted++, b->n_reached += ratio >= r->wanted;
        printf("  wanted %2.0f %%%s", 100 * r->wanted, ratio >= r->wanted ? "" : "  MISSED");
    }
    printf("\n");
    fprintf(b->json,
            "%s\n    {\"operation\": \"%s\", \"format\": \"%s\", \"by\": \"%s\", \"shape\": \"%s\", \"seconds\": %.9g, "
            "\"median_seconds\": %.9g, \"bytes\": %.0f, \"operations\": %.0f, \"bound\": \"%s\", \"ratio\": %.4f, "
            "\"wanted\": %.2f}",
            b->has_rows ? "," : "", r->operation, r->format, b->who, r->shape, r->took.best, r->took.median, r->bytes,
            r->operations, bound, ratio, r->wanted);
    b->has_rows = true;
    fflush(stdout);
}

/* What is wanted of a product of m rows a weight: of reading and of mma.sync; of cuBLASLt, weights expanded on the way. A weight of 10 MB is read in less time than a kernel takes to begin and end. */
static double wanted(const struct bench *b, size_t m, double bytes)
{
    if (b->tiny) return 0;
    if (strcmp(b->who, "own") != 0) return m >= 2048 ? 0.76 : 0;
    if (bytes < 2e7) return m <= 8 ? 0.5 : 0;
    return m <= 8 ? 0.82 : m <= 64 ? 0.6 : 0.5;
}

/* --- linear: round several weights where one would stay in the cache; alone, or two more of the same rows in the call --- */

enum { MOST_WEIGHTS = 256, CACHE_BYTES = 400000000 };

struct linear_work {
    struct kernels_linear args;
    struct kernels_weight *weights[MOST_WEIGHTS], *beside[MOST_WEIGHTS][KERNELS_MAX_BESIDE];
    size_t n_weights, turn;
};

static enum kernels_status do_linear(struct bench *b, const void *context)
{
    struct linear_work *work = (struct linear_work *)(uintptr_t)context;
    const size_t at = work->turn++ % work->n_weights;

    work->args.weight = work->weights[at];
    for (size_t i = 0; i < work->args.n_beside; i++) work->args.beside[i].weight = work->beside[at][i];
    return b->table->linear(b->device, &work->args);
}

/* [n, k] alone with n_beside 0; else, for few rows, with two of [n_beside, k], as queries with keys and values. */
static void bench_linear(struct bench *b, enum kernels_format format, size_t n, size_t n_beside, size_t k)
{
    static const size_t rows[] = {1, 2, 4, 8, 16, 32, 64, 512, 4096};
    static struct linear_work work;
    const struct kernels_weight_desc desc = {format, n, k}, other = {format, n_beside, k};
    const size_t most = b->tiny || n_beside ? 8 : 4096, more = n_beside ? KERNELS_MAX_BESIDE : 0;
    const size_t n_all = n + more * n_beside, bytes = b->table->weight_size(b->device, &desc) +
                                                      (more ? more * b->table->weight_size(b->device, &other) : 0);
    const size_t n_cold = bytes ? CACHE_BYTES / bytes + 2 : 0;
    float *x, *out;
    char shape[64];

    if (bytes == 0) return;
    work = (struct linear_work){.n_weights = b->tiny ? 2 : n_cold < MOST_WEIGHTS ? n_cold : MOST_WEIGHTS};
    x = take_numbers(b, most * k);
    out = take(b, most * n_all * sizeof *out);
    for (size_t i = 0; i < work.n_weights; i++) {
        work.weights[i] = make_weight(b, format, n, k);
        for (size_t j = 0; j < more; j++) work.beside[i][j] = make_weight(b, format, n_beside, k);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rows[i] <= most; i++) {
        size_t m = rows[i];
        struct result r = {"linear", docket_kernels_format_name(format), shape, {0, 0}, 0, 0, 0, false};
        work.args = (struct kernels_linear){.x = x, .out = out, .n_rows = m, .n_beside = more};
        for (size_t j = 0; j < more; j++) work.args.beside[j].out = out + most * (n + j * n_beside);
        r.took = measure(b, do_linear, &work, "linear");
        r.bytes = (double)bytes + 4.0 * (double)(m * (n_all + k));
        r.operations = 2.0 * (double)m * (double)n_all * (double)k;
        r.wanted = format == KERNELS_NF4_NESTED ? wanted(b, m, r.bytes) : 0;
        if (more)
            snprintf(shape, sizeof shape, "m=%zu n=%zu+%zu+%zu k=%zu", m, n, n_beside, n_beside, k);
        else
            snprintf(shape, sizeof shape, "m=%zu n=%zu k=%zu", m, n, k);
        row(b, &r);
    }
    for (size_t i = 0; i < work.n_weights; i++) {
        b->table->weight_free(b->device, work.weights[i]);
        for (size_t j = 0; j < more; j++) b->table->weight_free(b->device, work.beside[i][j]);
    }
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
}

/* --- the experts of one layer: others each time, where not all are wanted --- */

enum { E = 8, T = 2, TURNS = E / T };

struct experts_work {
    struct kernels_expert_ffn args;
    int32_t *ids[TURNS];
    size_t turn;
};

static enum kernels_status do_experts(struct bench *b, const void *context)
{
    struct experts_work *work = (struct experts_work *)(uintptr_t)context;

    work->args.ids = work->ids[work->turn++ % TURNS];
    return b->table->expert_ffn(b->device, &work->args);
}

/* Passes of m rows, m from `first` to `last` times `factor`. */
static void bench_experts(struct bench *b, enum kernels_format format, size_t f, size_t k, size_t first, size_t last,
                          size_t factor)
{
    const struct kernels_weight_desc desc = {format, f, k};
    struct kernels_weight *weights[3][E];
    float *x = take_numbers(b, last * k), *out = take_numbers(b, last * k), *shares = take_numbers(b, last * T);
    int32_t *host_ids = malloc(last * T * sizeof *host_ids);
    struct experts_work work = {.args = {.x = x,
                                         .gate = (const struct kernels_weight *const *)weights[0],
                                         .up = (const struct kernels_weight *const *)weights[1],
                                         .down = (const struct kernels_weight *const *)weights[2],
                                         .n_experts = E,
                                         .weights = shares,
                                         .out = out,
                                         .top_k = T,
                                         .activation = KERNELS_SILU}};
    char shape[64];

    demand(host_ids != NULL, "memory", NULL);
    for (size_t turn = 0; turn < TURNS; turn++) {
        work.ids[turn] = take(b, last * T * sizeof *host_ids);
        for (size_t i = 0; i < last * T; i++) host_ids[i] = (int32_t)((i + turn * T) % E);
        demand(b->table->upload(b->device, work.ids[turn], host_ids, last * T * sizeof *host_ids) == KERNELS_OK,
               "upload", NULL);
        wait(b, "upload");
    }
    for (size_t e = 0; e < E; e++) {
        weights[0][e] = make_weight(b, format, f, k);
        weights[1][e] = make_weight(b, format, f, k);
        weights[2][e] = make_weight(b, format, k, f);
        for (size_t i = 0; i < 3 && b->expand; i++)
            demand(b->table->weight_expand(b->device, weights[i][e], NULL) == KERNELS_OK, "a 16-bit form", NULL);
    }
    for (size_t m = first; m <= last; m *= factor) {
        const size_t n_used = m * T < E ? m * T : E;
        struct result r = {"expert_ffn", docket_kernels_format_name(format), shape, {0, 0}, 0, 0, 0, false};
        work.args.n_rows = m;
        r.took = measure(b, do_experts, &work, "expert_ffn");
        r.bytes = 3.0 * (double)n_used * (double)b->table->weight_size(b->device, &desc) + 8.0 * (double)(m * k);
        r.operations = 6.0 * (double)(m * T) * (double)f * (double)k;
        r.wanted = wanted(b, strcmp(b->who, "own") == 0 ? (m * T + E - 1) / E : m, r.bytes);
        snprintf(shape, sizeof shape, "m=%zu f=%zu k=%zu, %d of %d%s", m, f, k, T, E, b->expand ? ", expanded" : "");
        row(b, &r);
    }
    for (size_t e = 0; e < E; e++)
        for (size_t i = 0; i < 3; i++) b->table->weight_free(b->device, weights[i][e]);
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
    b->table->buffer_free(b->device, shares);
    for (size_t turn = 0; turn < TURNS; turn++) b->table->buffer_free(b->device, work.ids[turn]);
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
    struct result r = {"attention", docket_kernels_format_name(w->format), shape, {0, 0}, 0, 0, 0, false};

    demand(kv && batch, "a cache and a batch", &error);
    demand(b->table->batch_set(b->device, batch, &desc, &error) == KERNELS_OK, "a batch", &error);
    demand(b->table->rope_kv(b->device, &rope) == KERNELS_OK, "rope_kv", NULL);
    r.took = measure(b, do_attention, &args, "attention");
    r.bytes = 4.0 * (double)(2 * p.n * w->h * d) +
              (double)b->table->kv_size(
                  b->device,
                  &(const struct kernels_kv_shape){
                      .format = w->format, .n_layers = 1, .n_slots = p.n_slots, .n_kv_heads = w->g, .head_size = d});
    r.operations = 4.0 * p.seen * (double)(w->h * d);
    snprintf(shape, sizeof shape, "%s: %zu x %zu behind %zu, %zu/%zu of %zu", w->what, w->n_sequences, w->n_rows,
             w->prefix + w->own, w->h, w->g, d);
    row(b, &r);
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
        row(b, &(const struct result){.operation = "quantize",
                                      .format = "nf4",
                                      .shape = shape,
                                      .took = {took, took},
                                      .bytes = n * ((sources[i] == KERNELS_F32 ? 4 : 2) + 0.5 + 4.0 / 64),
                                      .is_copy = true});
    }
    for (unsigned half = 0; half < 2; half++) {
        const unsigned some = half ? (all_of_them + 1) / 2 : all_of_them;
        if ((took = alone_expand(rows, cols, some, b->tiny)) <= 0) continue;
        snprintf(shape, sizeof shape, "to bf16, %.0f M values, %u of %u multiprocessors", n * 1e-6, some, all_of_them);
        row(b, &(const struct result){.operation = "expand",
                                      .format = "nf4",
                                      .shape = shape,
                                      .took = {took, took},
                                      .bytes = n * (2 + 0.5 + 1.0 / 64),
                                      .is_copy = true});
    }
}

/* What large passes do: cuBLASLt, with weights expanded on the way and with those that are kept so. */
static void many(struct bench *b)
{
    const size_t f = b->tiny ? 64 : 14336, k = b->tiny ? 64 : 4096;

    bench_linear(b, KERNELS_NF4_NESTED, f, 0, k);
    bench_experts(b, KERNELS_NF4_NESTED, f, k, b->tiny ? 4 : 512, b->tiny ? 4 : 32768, 4);
    b->expand = true;
    bench_experts(b, KERNELS_NF4_NESTED, f, k, b->tiny ? 4 : 2048, b->tiny ? 4 : 32768, 4);
    b->expand = false;
}

static void all(struct bench *b)
{
    static const enum kernels_format formats[] = {KERNELS_NF4_NESTED, KERNELS_BF16};

    for (size_t i = 0; i < 2; i++) {
        bench_linear(b, formats[i], b->tiny ? 70 : 14336, 0, b->tiny ? 64 : 4096);
        bench_linear(b, formats[i], b->tiny ? 64 : 4096, 0, b->tiny ? 128 : 14336);
        if (!b->tiny) bench_linear(b, formats[i], 4096, 0, 4096);
        if (!b->tiny) bench_linear(b, formats[i], 1024, 0, 4096);
    }
    bench_linear(b, KERNELS_NF4_NESTED, b->tiny ? 64 : 4096, b->tiny ? 32 : 1024, b->tiny ? 64 : 4096);
    bench_experts(b, KERNELS_NF4_NESTED, b->tiny ? 64 : 14336, b->tiny ? 64 : 4096, 1, b->tiny ? 1 : 128, 2);
    bench_attentions(b);
    bench_alone(b);
}

/* The smallest operation there is, one behind the other: what a launch takes, of the host and of the GPU. */
struct add_work {
    float *out, *x;
};

static enum kernels_status do_add(struct bench *b, const void *context)
{
    const struct add_work *work = context;

    return b->table->add(b->device, work->out, work->x, 32);
}

static double launch_seconds(struct bench *b)
{
    struct add_work work = {take_numbers(b, 32), take_numbers(b, 32)};
    const double took = measure(b, do_add, &work, "add").best;

    b->table->buffer_free(b->device, work.out);
    b->table->buffer_free(b->device, work.x);
    return b->tiny ? 0 : took;
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
    b.read_rate = ceiling_device_read((size_t)(b.tiny ? 1 : 2048) << 20);
    b.product_rate = b.tiny ? 0 : ceiling_products(8192);
    b.mma_rate = b.tiny ? 0 : ceiling_mma(alone_multiprocessors());
    b.launch_seconds = launch_seconds(&b);
    printf(
        "%s: reads %.1f GB/s; copies %.1f GB/s, read and written; a launch takes %.2f us; cuBLASLt bf16, 8192 cubed: ",
        description.name, b.read_rate * 1e-9, b.copy_rate * 1e-9, b.launch_seconds * 1e6);
    printf(b.product_rate > 0 ? "%.1f TFLOP/s\n" : "not measured\n", b.product_rate * 1e-12);
    if (b.mma_rate > 0) printf("mma.sync out of registers, f16: %.1f TFLOP/s\n", b.mma_rate * 1e-12);
    fprintf(b.json,
            "{\n  \"read_bytes_per_second\": %.0f,\n  \"copy_bytes_per_second\": %.0f,\n  \"products_per_second\": "
            "%.0f,\n  \"mma_per_second\": %.0f,\n  \"launch_seconds\": %.9g,\n  \"rows\": [",
            b.read_rate, b.copy_rate, b.product_rate, b.mma_rate, b.launch_seconds);
    all(&b);
    b.table->close(b.device);
    options.products = KERNELS_PRODUCTS_LIBRARY;
    b.who = "cuBLASLt";
    if ((b.device = b.table->open(&options, &error)) != NULL)
        many(&b);
    else
        printf("without cuBLASLt: %s\n", error.message);
    printf("%zu of the %zu ratios that are wanted are reached\n", b.n_reached, b.n_wanted);
    fprintf(b.json, "\n  ],\n  \"wanted\": %zu,\n  \"reached\": %zu\n}\n", b.n_wanted, b.n_reached);
    b.table->close(b.device);
    if (fclose(b.json) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
