/* bench_passes.c: prefill and decode, pass by pass, on a forward pass of its own beside the engine's. */
#include "handlers/tools/bench.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/pass.h"

#include <stdio.h>
#include <string.h>

#define PACKED_ROWS   2048
#define GPU_ROWS      16384 /* of the largest pass that a GPU is given */
#define GPU_LENGTH    512   /* of each of its sequences */
#define MOST_TOGETHER 32    /* sequences that are decoded at one time */
#define CONTEXT       64    /* tokens that each of them has before the first new one */

struct passes {
    struct bench *bench;
    struct transformer *transformer;
    struct transformer_limits limits;
    struct pass pass;
    int32_t *ids;  /* [max_rows] random */
    float *logits; /* [MOST_TOGETHER, vocab], and room for two of each sequence */
    /* the prefill that is measured */
    const size_t *lengths;
    size_t n_lengths;
    /* the decoding that is measured */
    size_t n_together, n_steps, step_tokens;
    uint64_t state;
    struct bench_work work;
};

static enum status passes_open(struct passes *p, struct error *err)
{
    struct bench *b = p->bench;
    size_t rows = b->options.prefill_tokens > PACKED_ROWS ? b->options.prefill_tokens : PACKED_ROWS;
    size_t slots = MOST_TOGETHER * (CONTEXT + b->options.decode_tokens);
    if (b->is_gpu && !b->tiny && b->engine_rows > rows) rows = b->engine_rows;
    p->limits.max_rows = rows;
    p->limits.max_sequences = PASS_MAX_SEQUENCES;
    p->limits.kv_slots = slots > rows ? slots : rows;
    p->limits.max_outputs = PASS_MAX_SEQUENCES;
    p->ids = mem_alloc(rows * sizeof(*p->ids));
    p->logits = mem_alloc((MOST_TOGETHER * b->config->vocab + 2 * PASS_MAX_SEQUENCES) * sizeof(float));
    if (!p->ids || !p->logits || !pass_init(&p->pass, rows))
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a pass of %zu tokens", rows);
    for (size_t i = 0; i < rows; i++) p->ids[i] = bench_token(b, &p->state);
    return transformer_open(&p->transformer, b->device, b->config, b->weights, &p->limits, err);
}

static void passes_close(struct passes *p)
{
    transformer_close(p->transformer);
    pass_free(&p->pass);
    mem_free(p->ids);
    mem_free(p->logits);
}

static enum status forward(struct passes *p, struct error *err)
{
    const struct kernels_batch_desc batch = pass_batch(&p->pass);
    return transformer_forward(p->transformer, &batch, p->pass.outputs, p->pass.n_outputs, NULL, err);
}

/* Two logits of every output, which is also what waits for the pass. */
static enum status answer(struct passes *p, struct error *err)
{
    uint32_t outputs[2 * PASS_MAX_SEQUENCES];
    int32_t tokens[2 * PASS_MAX_SEQUENCES];
    size_t n = 2 * p->pass.n_outputs;
    for (size_t i = 0; i < n; i++) {
        outputs[i] = (uint32_t)(i / 2);
        tokens[i] = (int32_t)(i % 2);
    }
    return transformer_gather_logits(p->transformer, outputs, tokens, n, p->logits, err);
}

/* Adds tokens of a sequence and asks for the last one's hidden state. */
static void add(struct passes *p, const int32_t *ids, size_t n, size_t fed, size_t slot)
{
    pass_add_tokens(&p->pass, ids, n, fed, NULL, (uint32_t)slot, 0);
    p->pass.outputs[p->pass.n_outputs++] = (uint32_t)p->pass.n_rows - 1;
}

/* --- prefill --- */

static enum status run_prefill(void *context, double *amount, struct error *err)
{
    struct passes *p = context;
    size_t at = 0;
    pass_clear(&p->pass);
    for (size_t i = 0; i < p->n_lengths; i++) {
        add(p, p->ids + at, p->lengths[i], 0, at);
        at += p->lengths[i];
    }
    *amount = (double)at;
    enum status st = forward(p, err);
    return st == DOCKET_OK ? answer(p, err) : st;
}

static void prefill(struct passes *p, const char *step, const size_t *lengths, size_t n, const char *what)
{
    size_t total = 0;
    p->work = (struct bench_work){.run = run_prefill, .context = p, .unit = "tokens"};
    p->lengths = lengths;
    p->n_lengths = n;
    for (size_t i = 0; i < n; i++) {
        total += lengths[i];
        p->work.operations += bench_operations(p->bench->config, lengths[i], 0, 1);
    }
    bench_measure(p->bench, step, &p->work, "%zu %s %zu tokens", n, what, total);
}

static void prefill_all(struct passes *p)
{
    /* What comes in one job: letters, long reports and short notes, in the order of arrival. */
    static const size_t mixed[] = {37, 512, 180, 61, 300, 12, 129, 444, 90, 283};
    size_t one = p->bench->options.prefill_tokens, most = p->bench->max_tokens;
    if (bench_wants(p->bench, "prefill")) {
        if (one > most)
            bench_impossible(p->bench, "prefill", "%zu tokens: the context has %zu", one, most);
        else
            prefill(p, "prefill", &one, 1, "sequence of");
    }
    if (bench_wants(p->bench, "packed")) {
        if (most < 512)
            bench_impossible(p->bench, "packed", "512 tokens: the context has %zu", most);
        else
            prefill(p, "packed", mixed, ARRAY_LENGTH(mixed), "sequences of 12 to 512, together");
        /* What large passes gain, where weights are expanded once for each. */
        size_t equal[GPU_ROWS / GPU_LENGTH];
        for (size_t i = 0; i < ARRAY_LENGTH(equal); i++) equal[i] = GPU_LENGTH;
        for (size_t all = 4096; p->bench->is_gpu && most >= GPU_LENGTH && all <= p->limits.max_rows && all <= GPU_ROWS;
             all *= 2)
            prefill(p, "packed", equal, all / GPU_LENGTH, "sequences of 512, together");
    }
}

/* --- decode --- */

/* One token a sequence and step; every step computes all logits, as a text generator would need them. */
static enum status run_decode(void *context, double *amount, struct error *err)
{
    struct passes *p = context;
    struct bench *b = p->bench;
    size_t n = p->n_together, most = CONTEXT + b->options.decode_tokens, done = 0;
    uint64_t start = clock_now_ns();
    enum status st = DOCKET_OK;
    double operations = 0, cache = 0;
    for (size_t step = 0; step < b->options.decode_tokens && st == DOCKET_OK; step++) {
        if (done > 1 && (bench_stopped(b) || clock_seconds_since(start) > 2 * b->options.seconds)) break;
        size_t before = CONTEXT + step;
        pass_clear(&p->pass);
        for (size_t i = 0; i < n; i++) {
            pass_add_tokens(&p->pass, p->ids, 1, before, NULL, (uint32_t)(i * most), 0);
            p->pass.token_ids[p->pass.n_rows - 1] = bench_token(b, &p->state); /* each its own */
            p->pass.outputs[p->pass.n_outputs++] = (uint32_t)p->pass.n_rows - 1;
        }
        st = forward(p, err);
        if (st == DOCKET_OK) st = transformer_all_logits(p->transformer, 0, n, p->logits, err);
        operations += (double)n * (bench_operations(b->config, 1, before, 1) +
                                   2.0 * (double)b->config->dim * (double)b->config->vocab);
        cache += (double)(n * before);
        done++;
    }
    p->work.operations = operations;
    p->work.bytes = (double)done * bench_weight_bytes(b, n) +
                    cache * (double)b->device->backend->kv_size(
                                b->device->handle, &(const struct kernels_kv_shape){.format = p->limits.kv_format,
                                                                                    .n_layers = b->config->n_layers,
                                                                                    .n_slots = 1,
                                                                                    .n_kv_heads = b->config->n_kv_heads,
                                                                                    .head_size = b->config->head_size});
    p->step_tokens = done;
    *amount = (double)(n * done);
    return st;
}

static enum status fill_context(struct passes *p, struct error *err)
{
    size_t n = p->n_together, most = CONTEXT + p->bench->options.decode_tokens;
    pass_clear(&p->pass);
    for (size_t i = 0; i < n; i++) add(p, p->ids + i, CONTEXT, 0, i * most);
    enum status st = forward(p, err);
    return st == DOCKET_OK ? answer(p, err) : st;
}

static struct kernels_description facts_of(const struct bench *b)
{
    struct kernels_description facts;
    b->device->backend->describe(b->device->handle, &facts);
    return facts;
}

static bool measure_decode(struct passes *p, size_t n, const char *how)
{
    const uint64_t before = facts_of(p->bench).steps_early;
    struct bench_row *row = bench_measure(p->bench, "decode", &p->work, "batch %zu%s", n, how);
    if (!row || row->problem[0]) return false;
    snprintf(row->what, sizeof(row->what), "batch %zu, %zu steps behind %d tokens%s%s", n, p->step_tokens, CONTEXT, how,
             facts_of(p->bench).steps_early > before ? ", kernels begin early" : "");
    return true;
}

/* Where the backend records steps, with what it recorded and then without. */
static void decode(struct passes *p, size_t n)
{
    struct error err = {0};
    size_t last = CONTEXT + p->bench->options.decode_tokens;
    if (bench_stopped(p->bench)) return;
    p->n_together = n;
    p->work = (struct bench_work){.run = run_decode, .context = p, .unit = "tokens", .operations = 1, .bytes = 1};
    if (last > p->bench->max_tokens)
        bench_impossible(p->bench, "decode", "%zu tokens: the context has %zu", last, p->bench->max_tokens);
    else if (fill_context(p, &err) != DOCKET_OK)
        bench_impossible(p->bench, "decode", "%s", err.message);
    else {
        const uint64_t before = facts_of(p->bench).steps_replayed;
        bool graphs = measure_decode(p, n, "") && facts_of(p->bench).steps_replayed > before;
        if (!graphs) return;
        transformer_record_steps(p->transformer, false);
        measure_decode(p, n, ", without graphs");
        transformer_record_steps(p->transformer, true);
    }
}

void bench_passes(struct bench *b)
{
    static const char *const steps[] = {"prefill", "packed", "decode"};
    static const size_t together[] = {1, 8, MOST_TOGETHER};
    struct error err = {0};
    struct passes p = {.bench = b, .state = 7};
    bool wanted = false;
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) wanted = wanted || bench_wants(b, steps[i]);
    if (!wanted) return;
    p.limits.kv_format = b->kv_format;
    bool opened = passes_open(&p, &err) == DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(steps) && !opened; i++)
        if (bench_wants(b, steps[i])) bench_impossible(b, steps[i], "%s", err.message);
    if (opened) prefill_all(&p);
    if (opened && bench_wants(b, "decode") && b->options.n_together) decode(&p, b->options.n_together);
    for (size_t i = 0; opened && i < ARRAY_LENGTH(together) && !b->options.n_together; i++)
        if (bench_wants(b, "decode")) decode(&p, together[i]);
    passes_close(&p);
}
