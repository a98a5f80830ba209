/* bench_subject.c: a model to measure, and the order of the steps. */
#include "handlers/tools/bench_subject.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/synthetic.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_UTILIZATION 0.90
#define LEAST_LENGTH        1024
#define MOST_ROWS           16384
#define LEAST_ROWS          512

static size_t used_bytes(const struct device *device)
{
    struct kernels_memory memory = {0};
    device->backend->memory(device->handle, &memory);
    return memory.used_bytes;
}

static uint64_t driver_bytes(struct bench *b, const struct device *device)
{
    uint64_t used, total;
    bench_card_memory(b, device, &used, &total);
    return used;
}

/* Long enough for every step, and no longer: the cache is what a step needs. */
static size_t choose_length(const struct bench_options *o, const struct model_config *c, size_t wanted)
{
    size_t n = o->prefix_tokens + o->document_tokens + 64;
    if (n < LEAST_LENGTH) n = LEAST_LENGTH;
    if (n < o->prefill_tokens) n = o->prefill_tokens;
    if (n < o->decode_tokens + 64) n = o->decode_tokens + 64;
    if (wanted) n = wanted;
    return n < c->max_position ? n : c->max_position;
}

/* The passes that are measured beside the engine's. */
static struct transformer_limits limits_beside(const struct transformer_limits *engine)
{
    struct transformer_limits beside = *engine;
    beside.kv_slots = engine->max_rows > 4096 ? engine->max_rows : 4096;
    return beside;
}

struct budget {
    bool is_gpu;
    size_t available, bytes; /* free, and of that what may be used */
    double utilization;
};

static struct budget budget_of(const struct device *d, const struct model_options *options)
{
    struct budget b = {.utilization =
                           options->memory_utilization > 0 ? options->memory_utilization : DEFAULT_UTILIZATION};
    struct kernels_description facts;
    struct kernels_memory memory;
    d->backend->describe(d->handle, &facts);
    d->backend->memory(d->handle, &memory);
    b.is_gpu = facts.is_gpu;
    b.available = facts.is_gpu ? memory.free_bytes : memory_available(NULL);
    b.bytes = (size_t)((double)b.available * b.utilization);
    return b;
}

static enum status check_memory(const struct bench_subject *s, const struct budget *budget,
                                const struct engine_options *engine, size_t weights, const char *shape,
                                struct error *err)
{
    const struct device *d = &s->own_device;
    struct transformer_limits limits, beside;
    char quantization[QUANTIZATION_NAME_BYTES];
    engine_limits(&s->own_config, engine, &limits);
    beside = limits_beside(&limits);
    struct kernels_limits kernels;
    transformer_kernels_limits(&kernels, &s->own_config, &limits, true);
    size_t pass = transformer_size(d, &s->own_config, &limits) + transformer_size(d, &s->own_config, &beside) +
                  d->backend->scratch_size(d->handle, &kernels);
    size_t need = weights + pass;
    if (need <= budget->bytes) return DOCKET_OK;
    return fail(err, DOCKET_NO_MEMORY, CODE_model_unavailable,
                "%s as %s needs %.2f GiB (weights %.2f, caches and activations %.2f), %.2f GiB may be used (%.0f %% of "
                "the %.2f GiB that are free); --layers takes fewer layers",
                shape, quantization_name(&s->quantization, quantization), (double)need / (double)GIB,
                (double)weights / (double)GIB, (double)pass / (double)GIB, (double)budget->bytes / (double)GIB,
                budget->utilization * 100, (double)budget->available / (double)GIB);
}

/* A GPU's passes are as large as a worker would have them there (placement.c). What does not fit is refused, with the numbers. */
static enum status choose_passes(const struct bench_subject *s, const struct model_options *options,
                                 struct engine_options *engine, size_t weights, const char *shape, struct error *err)
{
    const struct budget budget = budget_of(&s->own_device, options);
    struct engine_options now = *engine;
    struct error none;
    for (now.max_rows = MOST_ROWS; budget.is_gpu && now.max_rows >= LEAST_ROWS; now.max_rows /= 2)
        if (check_memory(s, &budget, &now, weights, shape, &none) == DOCKET_OK) {
            *engine = now;
            return DOCKET_OK;
        }
    return check_memory(s, &budget, engine, weights, shape, err);
}

static void take_names(struct bench_subject *s, const char *model, const struct quantization *q, enum kv_format kv)
{
    s->bench.report = &s->report;
    s->quantization = *q;
    snprintf(s->report.model, sizeof(s->report.model), "%s", model);
    snprintf(s->report.kv_format, sizeof(s->report.kv_format), "%s", kv_format_name(kv));
    quantization_name(q, s->report.quantization);
    s->bench.kv_format = kv_format_kernels(kv);
}

enum status bench_subject_make(struct bench_subject *s, const char *shape, size_t n_layers,
                               const struct model_options *options, struct error *err)
{
    struct model_config *c = &s->own_config;
    struct device *d = &s->own_device;
    struct engine_options engine = {.kv_format = options->kv_format};
    char name[sizeof(s->report.model)];
    size_t weights = 0;
    enum status st = synthetic_config(c, shape, n_layers, err);
    if (st != DOCKET_OK) {
        error_prefix(err, "--synthetic");
        return st;
    }
    snprintf(name, sizeof(name), "%.100s (random weights)", shape);
    take_names(s, name, &options->quantization, options->kv_format);
    if ((st = device_open(d, &options->device, err)) != DOCKET_OK) return st;
    engine.max_tokens = choose_length(&s->bench.options, c, options->max_model_len);
    if ((st = synthetic_predict(&weights, d, c, &options->quantization, err)) != DOCKET_OK) return st;
    if ((st = choose_passes(s, options, &engine, weights, shape, err)) != DOCKET_OK) return st;
    uint64_t driver_before = driver_bytes(&s->bench, d), driver_after;
    size_t before = used_bytes(d);
    uint64_t start = clock_now_ns();
    st = synthetic_weights(&s->own_weights, d, c, &options->quantization, s->bench.options.stop, err);
    if (st != DOCKET_OK) return st;
    s->report.make_seconds = clock_seconds_since(start);
    size_t with_weights = used_bytes(d);
    if ((st = engine_open(&s->own_engine, d, c, &s->own_weights, &engine, err)) != DOCKET_OK) return st;
    st = bench_plan(&s->report, d, c, &options->quantization, options->kv_format, &engine, weights,
                    with_weights - before, used_bytes(d) - before, err);
    driver_after = driver_bytes(&s->bench, d);
    if (st == DOCKET_OK && driver_before != GPU_UNKNOWN && driver_after != GPU_UNKNOWN && s->report.n_memory > 0)
        s->report.memory[s->report.n_memory] =
            (struct bench_memory){"all, as the driver counts", s->report.memory[s->report.n_memory - 1].planned_bytes,
                                  driver_after > driver_before ? driver_after - driver_before : 0},
        s->report.n_memory++, s->driver_before = driver_before;
    s->bench.device = d;
    s->bench.config = c;
    s->bench.weights = &s->own_weights;
    s->bench.engine = s->own_engine;
    s->bench.max_tokens = engine.max_tokens;
    s->bench.engine_rows = engine.max_rows;
    return st == DOCKET_OK ? bench_open(&s->bench, err) : st;
}

enum status bench_subject_of_model(struct bench_subject *s, struct model *m, struct error *err)
{
    const struct engine_options engine = {
        .max_tokens = m->max_model_len, .max_rows = m->pass_tokens, .kv_slots = m->kv_slots, .kv_format = m->kv_format};
    take_names(s, m->location.name, &m->quantization, m->kv_format);
    s->bench.device = &m->device;
    s->bench.config = &m->config;
    s->bench.weights = &m->weights;
    s->bench.engine = m->engine;
    s->bench.max_tokens = m->max_model_len;
    s->bench.engine_rows = 0; /* beside a worker's own passes there may be no room for as large ones */
    enum status st = bench_plan(&s->report, &m->device, &m->config, &m->quantization, m->kv_format, &engine,
                                m->load.weight_bytes, 0, used_bytes(&m->device), err);
    return st == DOCKET_OK ? bench_open(&s->bench, err) : st;
}

/* Nothing more is to be taken while it works, but for the driver's own: code of kernels that it loads when they are first used. */
static void add_memory_behind(struct bench_subject *s)
{
    struct bench_report *r = &s->report;
    const uint64_t now = s->driver_before ? driver_bytes(&s->bench, s->bench.device) : GPU_UNKNOWN;
    if (now == GPU_UNKNOWN || r->n_memory == 0 || r->n_memory == ARRAY_LENGTH(r->memory)) return;
    r->memory[r->n_memory] = (struct bench_memory){"all, behind the work", r->memory[r->n_memory - 1].planned_bytes,
                                                   now > s->driver_before ? now - s->driver_before : 0};
    r->n_memory++;
}

void bench_subject_measure(struct bench_subject *s)
{
    enum kernels_format format = KERNELS_NF4_NESTED;
    quantization_of(&s->quantization, PART_FFN, &format);
    bench_quantize(&s->bench, format);
    bench_passes(&s->bench);
    bench_experts(&s->bench);
    bench_documents(&s->bench);
    add_memory_behind(s);
}

void bench_subject_close(struct bench_subject *s)
{
    bench_close(&s->bench);
    engine_close(s->own_engine);
    if (s->own_device.backend) model_weights_free(&s->own_weights, &s->own_device);
    device_close(&s->own_device);
    *s = (struct bench_subject){0};
}
