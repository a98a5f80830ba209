/* bench_kernels.c: how fast the CPU backend multiplies and reads, beside what this machine can do, measured in the same run.
 * Usage: bench_kernels [isa] [workers] [part] [arithmetic]; parts are all, linear, experts, attention and quantize. Prints tables; asserts nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handlers/tools/ceilings.h"
#include "kernels/kernels.h"
#include "tests/support/compare.h"
#include "tests/support/parallel.h"
#include "worker/base/alloc.h"

/* With one worker its processor time, so that a neighbour on a shared machine does not count; otherwise the wall's. */
static clockid_t watch = CLOCK_MONOTONIC;

static double now_seconds(void)
{
    struct timespec t;

    clock_gettime(watch, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- what the machine can do --- */

struct machine {
    const char *isa, *arithmetic;
    unsigned char *memory;
    size_t size_bytes;
    double rates[16];
};

static void rate_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct machine *c = context;

    enum ceiling kind = strstr(c->isa, "vnni")         ? CEILING_INT8_AVX512
                        : strstr(c->isa, "bf16")       ? CEILING_BF16_AVX512
                        : strstr(c->isa, "avx512")     ? CEILING_F32_AVX512
                        : strstr(c->arithmetic, "int") ? CEILING_INT16_AVX2
                                                       : CEILING_F32_AVX2;

    for (size_t i = begin; i < end; i++) {
        double start = now_seconds(), operations = ceiling_multiply(kind, 20000000);
        c->rates[i] = operations / (now_seconds() - start);
    }
    (void)worker;
}

static volatile uint64_t sink;

static void read_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct machine *c = context;

    (void)worker;
    sink += ceiling_read(c->memory + begin * (1 << 20), (end - begin) << 20);
}

/* --- the backend --- */

struct bench {
    const struct kernels_backend *table;
    struct kernels_device *device;
    double best_flops, best_bytes;
    struct machine *ceiling;
    struct host *host;
};

static struct kernels_weight *make_weight(struct bench *b, enum kernels_format format, size_t n, size_t k)
{
    struct kernels_weight_desc desc = {format, n, k};
    struct kernels_weight *weight = b->table->weight_begin(b->device, &desc, NULL);
    struct numbers numbers = {1};
    size_t step = 1 << 20;
    float *values = malloc(step * sizeof *values);

    if (weight == NULL || values == NULL) exit(1);
    numbers_fill(&numbers, values, step);
    for (size_t at = 0; at < n * k; at += step)
        b->table->weight_write(b->device, weight, KERNELS_F32, values, n * k - at < step ? n * k - at : step, NULL);
    if (b->table->weight_finish(b->device, weight, NULL) != KERNELS_OK) exit(1);
    free(values);
    return weight;
}

static double read_rate(struct bench *b)
{
    double begin = now_seconds();

    host_parallel_for(b->host, b->ceiling->size_bytes >> 20, 16, read_task, b->ceiling);
    return (double)b->ceiling->size_bytes / (now_seconds() - begin);
}

/* Goes round several weights where one would stay in a cache. */
static void bench_linear(struct bench *b, enum kernels_format format, size_t m, size_t n, size_t k)
{
    struct kernels_weight_desc desc = {format, n, k};
    size_t bytes = b->table->weight_size(b->device, &desc),
           n_weights = m <= 8 && bytes < 100e6 ? (size_t)(200e6 / (double)bytes) + 1 : 1;
    struct kernels_weight *weights[64];
    float *x = b->table->buffer_allocate(b->device, m * k * 4, NULL),
          *out = b->table->buffer_allocate(b->device, m * n * 4, NULL);
    struct numbers numbers = {2};
    double best = 1e30, best_bytes = b->best_bytes, begin, spent = 0;
    size_t i = 0;

    if (n_weights > 64 || n * k < 1000000) n_weights = 1;
    for (size_t w = 0; w < n_weights; w++) weights[w] = make_weight(b, format, n, k);
    numbers_fill(&numbers, x, m * k);
    if (m <= 4) best_bytes = 0; /* what bounds these changes with the neighbours: measured in between */
    while (spent < 0.4 && (i < 400 || spent < 0.1)) {
        double took;
        if (m <= 4) {
            double rate = read_rate(b);
            if (rate > best_bytes) best_bytes = rate;
        }
        begin = now_seconds();
        for (size_t w = 0; w < n_weights; w++) {
            struct kernels_linear args = {.x = x, .weight = weights[w], .out = out, .n_rows = m};
            b->table->linear(b->device, &args);
        }
        took = (now_seconds() - begin) / (double)n_weights;
        spent += took * (double)n_weights;
        if (took < best && i > 0) best = took;
        i++;
    }
    printf("%-10s m=%-4zu n=%-5zu k=%-5zu %9.3f ms %8.1f GFLOP/s %4.0f %% %7.1f GB/s %4.0f %%\n",
           docket_kernels_format_name(format), m, n, k, best * 1e3, 2e-9 * (double)m * (double)n * (double)k / best,
           200.0 * (double)m * (double)n * (double)k / best / b->best_flops, 1e-9 * (double)bytes / best,
           100 * (double)bytes / best / best_bytes);
    for (size_t w = 0; w < n_weights; w++) b->table->weight_free(b->device, weights[w]);
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
}

static void bench_experts(struct bench *b, size_t m, size_t k, size_t f)
{
    enum { E = 8, T = 2 };
    const struct kernels_weight *gate[E], *up[E], *down[E];
    float *x = b->table->buffer_allocate(b->device, m * k * 4, NULL),
          *out = b->table->buffer_allocate(b->device, m * k * 4, NULL);
    float *weights = b->table->buffer_allocate(b->device, m * T * 4, NULL);
    int32_t *ids = b->table->buffer_allocate(b->device, m * T * 4, NULL);
    struct kernels_expert_ffn args = {x, gate, up, down, E, ids, weights, out, m, T, KERNELS_SILU};
    struct numbers numbers = {2};
    double best = 1e30, begin, spent = 0;

    for (size_t e = 0; e < E; e++) {
        gate[e] = make_weight(b, KERNELS_NF4_NESTED, f, k);
        up[e] = make_weight(b, KERNELS_NF4_NESTED, f, k);
        down[e] = make_weight(b, KERNELS_NF4_NESTED, k, f);
    }
    numbers_fill(&numbers, x, m * k);
    memset(out, 0, m * k * 4);
    for (size_t i = 0; i < m * T; i++) ids[i] = (int32_t)((i / T * 3 + i % T) % E), weights[i] = 0.5f;
    for (size_t i = 0; i < 3 || spent < 0.5; i++) {
        begin = now_seconds();
        b->table->expert_ffn(b->device, &args);
        spent += now_seconds() - begin;
        if (now_seconds() - begin < best) best = now_seconds() - begin;
    }
    printf("experts    m=%-4zu f=%-5zu k=%-5zu %9.3f ms %8.1f GFLOP/s %4.0f %%\n", m, f, k, best * 1e3,
           6e-9 * (double)(m * T) * (double)f * (double)k / best,
           600.0 * (double)(m * T) * (double)f * (double)k / best / b->best_flops);
    for (size_t e = 0; e < E; e++) {
        b->table->weight_free(b->device, (struct kernels_weight *)gate[e]);
        b->table->weight_free(b->device, (struct kernels_weight *)up[e]);
        b->table->weight_free(b->device, (struct kernels_weight *)down[e]);
    }
    b->table->buffer_free(b->device, x);
    b->table->buffer_free(b->device, out);
    b->table->buffer_free(b->device, ids);
    b->table->buffer_free(b->device, weights);
}

static void bench_attention(struct bench *b, size_t n_rows, size_t n_old, size_t h, size_t g, size_t d)
{
    size_t n = n_old + n_rows;
    struct kernels_kv *kv =
        b->table->kv_create(b->device,
                            &(const struct kernels_kv_shape){
                                .format = KERNELS_F16, .n_layers = 1, .n_slots = n, .n_kv_heads = g, .head_size = d},
                            NULL);
    struct kernels_batch *batch = b->table->batch_create(b->device, n, 1, NULL);
    float *q = b->table->buffer_allocate(b->device, n * h * d * 4, NULL),
          *k = b->table->buffer_allocate(b->device, n * g * d * 4, NULL);
    float *out = b->table->buffer_allocate(b->device, n * h * d * 4, NULL), frequency[128];
    int32_t *positions = malloc(n * 4);
    uint32_t *slots = malloc(n * 4);
    struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)n, 0}};
    struct kernels_batch_desc desc = {n, 1, positions, positions, slots, &sequence};
    struct kernels_rope_kv rope = {batch, q, k, k, kv, 0, h, g, d, frequency, 0};
    struct kernels_attention args = {batch, q, kv, out, 0, h, g, d, 0.1f, 0};
    struct numbers numbers = {2};
    double best = 1e30, begin, keys = 0;

    for (size_t i = 0; i < n; i++) positions[i] = (int32_t)i, slots[i] = (uint32_t)i;
    for (size_t i = 0; i < d / 2; i++) frequency[i] = 0.1f;
    numbers_fill(&numbers, q, n * h * d);
    numbers_fill(&numbers, k, n * g * d);
    b->table->batch_set(b->device, batch, &desc, NULL);
    b->table->rope_kv(b->device, &rope);
    sequence = (struct kernels_sequence){.n_rows = (uint32_t)n_rows, .own = {0, (uint32_t)n, 0}};
    desc = (struct kernels_batch_desc){n_rows, 1, positions + n_old, positions + n_old, slots + n_old, &sequence};
    b->table->batch_set(b->device, batch, &desc, NULL);
    for (size_t i = 0; i < n_rows; i++) keys += (double)(n_old + i + 1);
    for (size_t i = 0; i < 5; i++) {
        begin = now_seconds();
        b->table->attention(b->device, &args);
        if (now_seconds() - begin < best) best = now_seconds() - begin;
    }
    printf("attention  rows=%-4zu behind %-5zu h=%zu g=%zu d=%-4zu %9.3f ms %8.1f GFLOP/s %4.0f %%\n", n_rows, n_old, h,
           g, d, best * 1e3, 4e-9 * keys * (double)(h * d) / best,
           400.0 * keys * (double)(h * d) / best / b->best_flops);
    b->table->kv_free(b->device, kv);
    b->table->batch_free(b->device, batch);
    b->table->buffer_free(b->device, q);
    b->table->buffer_free(b->device, k);
    b->table->buffer_free(b->device, out);
    free(positions);
    free(slots);
}

static void bench_quantizing(struct bench *b, enum kernels_format source_format, enum kernels_format format)
{
    size_t n = (size_t)1 << 25, size = source_format == KERNELS_F32 ? 4 : 2;
    struct kernels_weight_desc desc = {format, 1 << 13, 1 << 12};
    unsigned char *source = malloc(n * size);
    struct numbers numbers = {5};
    double best = 1e30, begin;

    for (size_t i = 0; i < n; i++) {
        float value = numbers_gaussian(&numbers);
        if (source_format == KERNELS_F32)
            memcpy(source + i * 4, &value, 4);
        else
            memcpy(source + i * 2, (unsigned char *)&value + 2, 2);
    }
    for (int i = 0; i < 7; i++) {
        struct kernels_weight *weight = b->table->weight_begin(b->device, &desc, NULL);
        begin = now_seconds();
        b->table->weight_write(b->device, weight, source_format, source, n, NULL);
        b->table->weight_finish(b->device, weight, NULL);
        if (now_seconds() - begin < best) best = now_seconds() - begin;
        b->table->weight_free(b->device, weight);
    }
    printf("quantizing %s to %s: %.2f G values/s, %.2f GB/s of source, %.0f %% of reading it\n",
           docket_kernels_format_name(source_format), docket_kernels_format_name(format), 1e-9 * (double)n / best,
           1e-9 * (double)(n * size) / best, 100 * (double)(n * size) / best / b->best_bytes);
    free(source);
}

static bool is_part(int argc, char **argv, const char *name)
{
    return argc <= 3 || strcmp(argv[3], "all") == 0 || strcmp(argv[3], name) == 0;
}

static void bench_linears(struct bench *b)
{
    static const size_t rows[] = {1, 2, 4, 8, 16, 32, 128, 512};
    static const size_t shapes[][2] = {{2048, 2048}, {256, 2048}, {5632, 2048}, {2048, 5632}}; /* TinyLlama's */

    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        bench_linear(b, KERNELS_NF4, 512, shapes[s][0], shapes[s][1]);
        bench_linear(b, KERNELS_NF4_NESTED, 512, shapes[s][0], shapes[s][1]);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_linear(b, KERNELS_NF4, rows[i], 14336, 4096);
        bench_linear(b, KERNELS_NF4_NESTED, rows[i], 14336, 4096);
    }
    bench_linear(b, KERNELS_NF4_NESTED, 1, 4096, 14336);
    bench_linear(b, KERNELS_NF4_NESTED, 256, 4096, 14336);
    for (int f = KERNELS_F16; f <= KERNELS_Q1; f++) {
        if (f == KERNELS_NF4 || f == KERNELS_NF4_NESTED) continue;
        bench_linear(b, (enum kernels_format)f, 1, 14336, 4096);
        bench_linear(b, (enum kernels_format)f, 256, 14336, 4096);
    }
    bench_linear(b, KERNELS_F32, 256, 4096, 4096);
    bench_linear(b, KERNELS_NF4_NESTED, 1, 192, 192);
    bench_linear(b, KERNELS_NF4_NESTED, 256, 192, 192);
    bench_linear(b, KERNELS_NF4_NESTED, 256, 512, 192);
}

int main(int argc, char **argv)
{
    struct host host = {.n_workers = argc > 2 ? (unsigned)atoi(argv[2]) : 1};
    struct kernels_options options = host_options(&host, argc > 1 ? argv[1] : "auto");
    struct bench b = {.table = docket_kernels_backend("cpu")};
    struct kernels_description description;
    struct kernels_error error;
    struct machine ceiling = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    options.allocate = NULL; /* the library's own memory, as programs have it: in huge pages */
    options.release = NULL;
    if (argc > 1 && (strstr(argv[1], "vnni") || strstr(argv[1], "int8"))) options.arithmetic = KERNELS_ARITHMETIC_INT8;
    static const char *const arithmetics[] = {"auto", "bf16", "f32", "int8", "int16"};
    for (size_t i = 0; argc > 4 && i < sizeof arithmetics / sizeof arithmetics[0]; i++)
        if (strcmp(argv[4], arithmetics[i]) == 0) options.arithmetic = (enum kernels_arithmetic)i;

    if ((b.device = b.table->open(&options, &error)) == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (host.n_workers == 1) watch = CLOCK_THREAD_CPUTIME_ID;
    b.table->describe(b.device, &description);
    ceiling.isa = description.variant;
    ceiling.arithmetic = description.arithmetic;
    ceiling.size_bytes = (size_t)256 << 20;
    ceiling.memory = mem_alloc_aligned(ceiling.size_bytes, 64);
    memset(ceiling.memory, 1, ceiling.size_bytes);
    for (int i = 0; i < 5; i++) {
        double begin, rate, sum = 0;
        host_parallel_for(&host, host.n_workers, 1, rate_task, &ceiling);
        for (unsigned w = 0; w < host.n_workers; w++) sum += ceiling.rates[w];
        if (sum > b.best_flops) b.best_flops = sum;
        begin = now_seconds();
        host_parallel_for(&host, ceiling.size_bytes >> 20, 16, read_task, &ceiling);
        rate = (double)ceiling.size_bytes / (now_seconds() - begin);
        if (rate > b.best_bytes) b.best_bytes = rate;
    }
    b.ceiling = &ceiling;
    b.host = &host;
    printf("%s, %s in %s, %u workers, %s; ceilings: %.0f GFLOP/s of multiply-adds, %.1f GB/s read\n", description.name,
           description.variant, description.arithmetic, host.n_workers,
           host.n_workers == 1 ? "processor time" : "wall time", b.best_flops * 1e-9, b.best_bytes * 1e-9);
    if (is_part(argc, argv, "linear")) bench_linears(&b);
    if (is_part(argc, argv, "experts")) {
        bench_experts(&b, 1, 192, 384);
        bench_experts(&b, 512, 192, 384);
        bench_experts(&b, 64, 4096, 3584);
        bench_experts(&b, 512, 4096, 3584);
    }
    if (is_part(argc, argv, "attention")) {
        bench_attention(&b, 512, 0, 32, 8, 128);
        bench_attention(&b, 1, 2047, 32, 8, 128);
        bench_attention(&b, 512, 512, 6, 2, 32);
    }
    if (is_part(argc, argv, "quantize")) {
        for (int f = KERNELS_F16; f <= KERNELS_Q1; f++) bench_quantizing(&b, KERNELS_BF16, (enum kernels_format)f);
        bench_quantizing(&b, KERNELS_F32, KERNELS_NF4_NESTED);
    }
    b.table->close(b.device);
    mem_free(ceiling.memory);
    return 0;
}
