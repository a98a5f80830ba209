/* validate.c: one text through two models, layer by layer; and their weights side by side. */
#include "worker/model/validate.h"

#include "worker/base/alloc.h"
#include "worker/model/transformer.h"

#include <math.h>
#include <string.h>

#define MAX_TOKENS   256
#define MAX_COMPARED ((size_t)2000 * 1000 * 1000) /* weights, in validate_weights */

/* Plain sentences of the kind that documents have; what is measured is the model, not the text. */
static const char text[] =
    "Dear Ms. Okafor, thank you for your letter of 14 March. We have checked invoice 2024-0317 over 1,482.50 EUR and "
    "found that "
    "the second delivery was charged twice. The amount of 241.20 EUR will be credited to your account within ten "
    "working days. "
    "The meeting of the board took place on Tuesday at nine o'clock; present were all members but two. Section 4 of "
    "the agreement "
    "says that either party may end it in writing with a notice of three months. The patient was discharged in good "
    "health and "
    "should see her doctor again after two weeks. Please find enclosed the receipts for travel, meals and the hotel.";

void validate_layers_free(struct validate_layers *layers)
{
    mem_free(layers->attention);
    mem_free(layers->ffn);
    *layers = (struct validate_layers){0};
}

void validate_run_free(struct validate_run *run)
{
    mem_free(run->streams);
    mem_free(run->logits);
    *run = (struct validate_run){0};
}

struct sight {
    const struct device *device;
    struct validate_run *run;
};

static enum status keep_stream(void *context, size_t point, const float *x, size_t n_rows)
{
    struct sight *s = context;
    struct validate_run *run = s->run;
    size_t values = run->n_tokens * run->dim;
    if (n_rows != run->n_tokens) return DOCKET_INTERNAL;
    enum kernels_status ks =
        s->device->backend->download(s->device->handle, run->streams + point * values, x, values * sizeof(float));
    return ks == KERNELS_OK ? DOCKET_OK : DOCKET_DEVICE;
}

static enum status make_room(struct validate_run *run, const struct model *m, size_t n, struct error *err)
{
    *run = (struct validate_run){
        .n_layers = m->config.n_layers, .n_tokens = n, .dim = m->config.dim, .vocab = m->config.vocab};
    run->streams = mem_zalloc((2 * run->n_layers + 1) * n * run->dim, sizeof(float));
    run->logits = mem_zalloc(n * run->vocab, sizeof(float));
    if (run->streams && run->logits) return DOCKET_OK;
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for what %zu layers give", run->n_layers);
}

static enum status forward(struct transformer *t, struct validate_run *run, const int32_t *ids, struct error *err)
{
    int32_t positions[MAX_TOKENS] = {0};
    uint32_t slots[MAX_TOKENS] = {0}, rows[MAX_TOKENS] = {0};
    size_t n = run->n_tokens;
    for (size_t i = 0; i < n; i++) {
        positions[i] = (int32_t)i;
        slots[i] = rows[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)n, 0}};
    const struct kernels_batch_desc batch = {.n_rows = n,
                                             .n_sequences = 1,
                                             .token_ids = ids,
                                             .positions = positions,
                                             .slots = slots,
                                             .sequences = &sequence};
    enum status st = transformer_forward(t, &batch, rows, n, NULL, err);
    for (size_t at = 0; at < n && st == DOCKET_OK; at += 64)
        st = transformer_all_logits(t, at, n - at < 64 ? n - at : 64, run->logits + at * run->vocab, err);
    return st;
}

enum status validate_run(struct validate_run *out, struct model *m, enum kv_format kv, struct error *err)
{
    struct validate_run run = {0};
    struct token_list ids = {0};
    struct transformer *t = NULL;
    struct sight sight = {&m->device, &run};
    const struct transformer_watch watch = {&sight, keep_stream};
    enum status st =
        tokenizer_encode(m->tokenizer, text, strlen(text), TOKENIZE_SPECIAL | TOKENIZE_POST_PROCESS, &ids, err);
    size_t n = ids.length < MAX_TOKENS ? ids.length : MAX_TOKENS;
    if (n > m->max_model_len) n = m->max_model_len;
    const struct transformer_limits limits = {.max_rows = MAX_TOKENS,
                                              .max_sequences = 1,
                                              .kv_slots = MAX_TOKENS,
                                              .max_outputs = MAX_TOKENS,
                                              .kv_format = kv_format_kernels(kv)};
    if (st == DOCKET_OK) st = make_room(&run, m, n, err);
    if (st == DOCKET_OK) st = transformer_open(&t, &m->device, &m->config, &m->weights, &limits, err);
    if (st == DOCKET_OK) {
        transformer_set_watch(t, &watch);
        st = forward(t, &run, ids.ids, err);
    }
    transformer_close(t);
    token_list_free(&ids);
    if (st == DOCKET_OK) MOVE(*out, run);
    validate_run_free(&run);
    return st;
}

struct sums {
    double difference, original;
};

static void sums_add(struct sums *s, double is, double was)
{
    s->difference += (is - was) * (is - was);
    s->original += was * was;
}

static double sums_relative(const struct sums *s)
{
    return s->original > 0 ? sqrt(s->difference / s->original) : s->difference > 0 ? INFINITY : 0;
}

/* What lies between two points of the stream. */
static double compare_step(const struct validate_run *a, const struct validate_run *b, size_t point)
{
    struct sums s = {0};
    size_t n = a->n_tokens * a->dim;
    const float *x = a->streams + point * n, *y = b->streams + point * n;
    for (size_t i = 0; i < n; i++) sums_add(&s, (double)y[n + i] - (double)y[i], (double)x[n + i] - (double)x[i]);
    return sums_relative(&s);
}

static size_t largest(const float *values, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best]) best = i;
    return best;
}

enum status validate_compare(struct validate_layers *out, const struct validate_run *a, const struct validate_run *b,
                             struct error *err)
{
    struct validate_layers l = {.n_layers = a->n_layers, .n_tokens = a->n_tokens};
    struct sums logits = {0};
    size_t same = 0;
    l.attention = mem_zalloc(l.n_layers, sizeof(double));
    l.ffn = mem_zalloc(l.n_layers, sizeof(double));
    if (!l.attention || !l.ffn) {
        validate_layers_free(&l);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu layers' errors", l.n_layers);
    }
    for (size_t i = 0; i < l.n_layers; i++) {
        l.attention[i] = compare_step(a, b, 2 * i);
        l.ffn[i] = compare_step(a, b, 2 * i + 1);
    }
    for (size_t i = 0; i < a->n_tokens * a->vocab; i++) sums_add(&logits, (double)b->logits[i], (double)a->logits[i]);
    for (size_t i = 0; i < a->n_tokens; i++)
        same += largest(a->logits + i * a->vocab, a->vocab) == largest(b->logits + i * a->vocab, a->vocab);
    l.logits = sums_relative(&logits);
    l.same_first = (double)same / (double)a->n_tokens;
    *out = l;
    return DOCKET_OK;
}

static enum status compare_weight(struct sums *s, const struct model *a, const struct model *b,
                                  const struct kernels_weight *was, const struct kernels_weight *is, size_t *compared,
                                  struct error *err)
{
    struct kernels_weight_desc desc;
    a->device.backend->weight_describe(was, &desc);
    size_t n = desc.rows * desc.cols;
    float *x = mem_alloc(n * sizeof(float)), *y = mem_alloc(n * sizeof(float));
    enum kernels_status ks = x && y ? KERNELS_OK : KERNELS_NO_MEMORY;
    if (ks == KERNELS_OK) ks = a->device.backend->weight_read(a->device.handle, was, x);
    if (ks == KERNELS_OK) ks = b->device.backend->weight_read(b->device.handle, is, y);
    for (size_t i = 0; i < n && ks == KERNELS_OK; i++) sums_add(s, (double)y[i], (double)x[i]);
    *compared += n;
    mem_free(x);
    mem_free(y);
    return device_status(ks, NULL, "reading a weight", err);
}

static enum status compare_layer(struct sums sums[2], const struct model *a, const struct model *b, size_t l,
                                 size_t *compared, struct error *err)
{
    const struct layer_weights *x = &a->weights.layers[l], *y = &b->weights.layers[l];
    const struct kernels_weight *was[] = {x->q, x->k, x->v, x->o}, *is[] = {y->q, y->k, y->v, y->o};
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < 4 && st == DOCKET_OK; i++) st = compare_weight(&sums[0], a, b, was[i], is[i], compared, err);
    for (size_t e = 0; e < x->n_experts && st == DOCKET_OK; e++) {
        st = compare_weight(&sums[1], a, b, x->gate[e], y->gate[e], compared, err);
        if (st == DOCKET_OK) st = compare_weight(&sums[1], a, b, x->up[e], y->up[e], compared, err);
        if (st == DOCKET_OK) st = compare_weight(&sums[1], a, b, x->down[e], y->down[e], compared, err);
    }
    return st;
}

enum status validate_weights(struct validate_weights *out, const struct model *a, const struct model *b,
                             struct error *err)
{
    struct sums sums[2] = {0};
    struct validate_weights w = {0};
    size_t compared = 0, n = a->config.n_layers;
    enum status st = DOCKET_OK;
    /* Last, first, and on from there: the ends of a model are its oddest parts. */
    for (size_t i = 0; i < n && st == DOCKET_OK && (i < 2 || compared < MAX_COMPARED); i++, w.n_layers++)
        st = compare_layer(sums, a, b, i == 0 ? n - 1 : i - 1, &compared, err);
    w.attention = sums_relative(&sums[0]);
    w.ffn = sums_relative(&sums[1]);
    if (st == DOCKET_OK) *out = w;
    return st;
}
