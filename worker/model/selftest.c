/* selftest.c: known numbers through a backend. The inputs are small fractions made by a rule; what must come out was computed in
 * double by another program (tests/golden/selftest.py), not by this one. */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/device.h"

#include <math.h>
#include <string.h>

enum { ROWS = 32, COLS = 192, M = 3, TOKENS = 5, HEADS = 2, HEAD = 32, EXPERTS = 8, TOP_K = 2 };

struct bench {
    double tolerance; /* relative to 1 + what is expected */
    const struct kernels_backend *b;
    struct kernels_device *d;
    struct kernels_error detail;
    float *x, *out; /* on the device */
    float host[M * COLS + TOKENS * HEADS * HEAD];
    struct error *err;
};

static float weight_at(size_t i, size_t j)
{
    return (float)((int)((i * 31 + j * 17) % 97) - 48) / 64;
}

static enum status wrong(struct bench *t, const char *what, double expected, double found)
{
    return fail(t->err, DOCKET_INTERNAL, CODE_internal_error, "self-test of %s on %s: expected %.6g, found %.6g", what,
                t->b->name, expected, found);
}

#define TOLERANCE       3e-4
#define TOLERANCE_BF16  1e-2   /* of what takes both operands rounded to bf16: 2^-8 of each product */
#define TOLERANCE_INT8  5e-2   /* of operands of 8 bits: each about 2^-8 of the largest of 64 */
#define TOLERANCE_INT16 1.2e-3 /* of 13 and 14 bits: the same by 32, and what others lose */

/* f32 inputs and f16 keys and values lose about 1e-4 of these; the format's own error is in the expected numbers. */
static bool close_to(const struct bench *t, double expected, double found)
{
    return fabs(found - expected) <= t->tolerance * (1 + fabs(expected));
}

static enum status check_values(struct bench *t, const char *what, const float *out, size_t n, const size_t *at,
                                const double *expected, double norm)
{
    double sum = 0;
    for (size_t i = 0; i < 3; i++)
        if (!close_to(t, expected[i], out[at[i]])) return wrong(t, what, expected[i], out[at[i]]);
    for (size_t i = 0; i < n; i++) sum += (double)out[i] * out[i];
    return close_to(t, norm, sqrt(sum)) ? DOCKET_OK : wrong(t, what, norm, sqrt(sum));
}

static struct kernels_weight *make_weight(struct bench *t, enum kernels_format format, size_t rows, float scale)
{
    float values[ROWS * COLS];
    const struct kernels_weight_desc desc = {format, rows, COLS};
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < COLS; j++) values[i * COLS + j] = weight_at(i, j) * scale;
    struct kernels_weight *w = t->b->weight_begin(t->d, &desc, &t->detail);
    bool good = w && t->b->weight_write(t->d, w, KERNELS_F32, values, rows * COLS, &t->detail) == KERNELS_OK &&
                t->b->weight_finish(t->d, w, &t->detail) == KERNELS_OK &&
                t->b->wait(t->d, t->b->record(t->d)) == KERNELS_OK;
    if (good) return w;
    if (w) t->b->weight_free(t->d, w);
    return NULL;
}

static enum status upload_x(struct bench *t)
{
    for (size_t r = 0; r < M; r++)
        for (size_t j = 0; j < COLS; j++) t->host[r * COLS + j] = (float)((int)((r * 13 + j * 7) % 23) - 11) / 8;
    return device_status(t->b->upload(t->d, t->x, t->host, M * COLS * sizeof(float)), NULL, "self-test", t->err);
}

static enum status test_linear(struct bench *t, enum kernels_format format, const double expected[3], double norm)
{
    static const size_t at[3] = {0, ROWS + 7, 2 * ROWS + 31};
    char what[64] = "linear ";
    strncat(what, docket_kernels_format_name(format), sizeof(what) - strlen(what) - 1);
    struct kernels_weight *w = make_weight(t, format, ROWS, 1);
    if (!w) return device_status(t->detail.code ? t->detail.code : KERNELS_FAILED, &t->detail, what, t->err);
    const struct kernels_linear args = {.x = t->x, .weight = w, .out = t->out, .n_rows = M};
    for (size_t i = 0; i < M * ROWS; i++) t->host[i] = NAN; /* an output that is not written must not look right */
    enum kernels_status ks = t->b->upload(t->d, t->out, t->host, M * ROWS * sizeof(float));
    if (ks == KERNELS_OK) ks = t->b->linear(t->d, &args);
    if (ks == KERNELS_OK) ks = t->b->download(t->d, t->host, t->out, M * ROWS * sizeof(float));
    t->b->weight_free(t->d, w);
    if (ks != KERNELS_OK) return device_status(ks, NULL, what, t->err);
    struct kernels_description facts;
    t->b->describe(t->d, &facts);
    if (strcmp(facts.arithmetic, "int8") == 0 && format != KERNELS_F32) t->tolerance = TOLERANCE_INT8;
    if (strcmp(facts.arithmetic, "int16") == 0 && format != KERNELS_F32) t->tolerance = TOLERANCE_INT16;
    if ((facts.is_gpu ? format != KERNELS_F16 : strcmp(facts.arithmetic, "bf16") == 0) && format != KERNELS_F32)
        t->tolerance = TOLERANCE_BF16;
    enum status st = check_values(t, what, t->host, M * ROWS, at, expected, norm);
    t->tolerance = TOLERANCE;
    return st;
}

static enum status test_route(struct bench *t)
{
    static const int32_t expected_ids[M * TOP_K] = {4, 7, 0, 6, 1, 5};
    static const double expected[M] = {0.53965046, 0.50836104, 0.50988641};
    int32_t ids[M * TOP_K];
    float weights[M * TOP_K];
    struct kernels_weight *gate = make_weight(t, KERNELS_F32, EXPERTS, 1.0f / 8);
    int32_t *device_ids = t->b->buffer_allocate(t->d, sizeof(ids), &t->detail);
    enum kernels_status ks = gate && device_ids ? KERNELS_OK : KERNELS_NO_MEMORY;
    const struct kernels_route args = {.x = t->x,
                                       .weight = gate,
                                       .ids = device_ids,
                                       .weights = t->out,
                                       .n_rows = M,
                                       .top_k = TOP_K,
                                       .renormalize = true};
    if (ks == KERNELS_OK) ks = t->b->route(t->d, &args);
    if (ks == KERNELS_OK) ks = t->b->download(t->d, ids, device_ids, sizeof(ids));
    if (ks == KERNELS_OK) ks = t->b->download(t->d, weights, t->out, sizeof(weights));
    if (gate) t->b->weight_free(t->d, gate);
    if (device_ids) t->b->buffer_free(t->d, device_ids);
    if (ks != KERNELS_OK) return device_status(ks, NULL, "router", t->err);
    for (size_t i = 0; i < M * TOP_K; i++)
        if (ids[i] != expected_ids[i]) return wrong(t, "router", expected_ids[i], ids[i]);
    for (size_t r = 0; r < M; r++)
        if (!close_to(t, expected[r], weights[r * TOP_K])) return wrong(t, "router", expected[r], weights[r * TOP_K]);
    return DOCKET_OK;
}

static enum status run_attention(struct bench *t, struct kernels_kv *kv, struct kernels_batch *batch, float *memory)
{
    static const int32_t positions[TOKENS] = {0, 1, 2, 3, 4};
    static const uint32_t slots[TOKENS] = {2, 3, 4, 5, 6};
    static const size_t at[3] = {(1 * HEADS + 0) * HEAD + 3, (4 * HEADS + 1) * HEAD + 17, (3 * HEADS + 0) * HEAD + 31};
    static const double expected[3] = {-0.2092754, 0.1565962, -0.4122303};
    float inverse[HEAD / 2], q[TOKENS * HEADS * HEAD], k[TOKENS * HEAD], v[TOKENS * HEAD];
    float *dq = memory, *dk = dq + TOKENS * HEADS * HEAD, *dv = dk + TOKENS * HEAD, *out = dv + TOKENS * HEAD;
    const struct kernels_sequence sequence = {.n_rows = TOKENS, .own = {2, TOKENS, 0}};
    const struct kernels_batch_desc desc = {TOKENS, 1, positions, positions, slots, &sequence};
    for (size_t i = 0; i < HEAD / 2; i++) inverse[i] = (float)(1.0 / pow(10000.0, 2.0 * (double)i / HEAD));
    for (size_t p = 0; p < TOKENS; p++) {
        for (size_t i = 0; i < HEADS * HEAD; i++)
            q[p * HEADS * HEAD + i] = (float)((int)((p * 7 + i / HEAD * 5 + i % HEAD * 3) % 19) - 9) / 8;
        for (size_t i = 0; i < HEAD; i++) {
            k[p * HEAD + i] = (float)((int)((p * 11 + i * 5) % 17) - 8) / 8;
            v[p * HEAD + i] = (float)((int)((p * 3 + i * 13) % 29) - 14) / 16;
        }
    }
    const struct kernels_rope_kv rope = {.batch = batch,
                                         .q = dq,
                                         .k = dk,
                                         .v = dv,
                                         .kv = kv,
                                         .n_heads = HEADS,
                                         .n_kv_heads = 1,
                                         .head_size = HEAD,
                                         .inverse_frequency = inverse};
    const struct kernels_attention attention = {.batch = batch,
                                                .q = dq,
                                                .kv = kv,
                                                .out = out,
                                                .n_heads = HEADS,
                                                .n_kv_heads = 1,
                                                .head_size = HEAD,
                                                .scale = (float)(1 / sqrt((double)HEAD))};
    enum kernels_status ks = t->b->batch_set(t->d, batch, &desc, &t->detail);
    if (ks == KERNELS_OK) ks = t->b->upload(t->d, dq, q, sizeof(q));
    if (ks == KERNELS_OK) ks = t->b->upload(t->d, dk, k, sizeof(k));
    if (ks == KERNELS_OK) ks = t->b->upload(t->d, dv, v, sizeof(v));
    if (ks == KERNELS_OK) ks = t->b->rope_kv(t->d, &rope);
    if (ks == KERNELS_OK) ks = t->b->attention(t->d, &attention);
    if (ks == KERNELS_OK) ks = t->b->download(t->d, t->host, out, sizeof(q));
    if (ks != KERNELS_OK) return device_status(ks, &t->detail, "attention", t->err);
    return check_values(t, "attention", t->host, TOKENS * HEADS * HEAD, at, expected, 7.456515425512363);
}

static enum status test_attention(struct bench *t)
{
    const struct kernels_kv_shape shape = {
        .format = KERNELS_F16, .n_layers = 1, .n_slots = 8, .n_kv_heads = 1, .head_size = HEAD};
    struct kernels_kv *kv = t->b->kv_create(t->d, &shape, &t->detail);
    struct kernels_batch *batch = t->b->batch_create(t->d, TOKENS, 1, &t->detail);
    float *memory = t->b->buffer_allocate(t->d, (size_t)TOKENS * (2 * HEADS + 2) * HEAD * sizeof(float), &t->detail);
    enum status st = kv && batch && memory ? run_attention(t, kv, batch, memory)
                                           : device_status(KERNELS_NO_MEMORY, &t->detail, "attention", t->err);
    if (memory) t->b->buffer_free(t->d, memory);
    if (batch) t->b->batch_free(t->d, batch);
    if (kv) t->b->kv_free(t->d, kv);
    return st;
}

enum status device_selftest(const struct device *device, struct error *err)
{
    static const double exact[3] = {2.8125, -5.849609, -7.761719}, nf4[3] = {2.825984, -6.053286, -7.550555};
    const struct kernels_limits limits = {.max_rows = TOKENS,
                                          .max_sequences = 1,
                                          .dim = COLS,
                                          .ffn_dim = COLS,
                                          .n_experts = EXPERTS,
                                          .top_k = TOP_K,
                                          .n_heads = HEADS,
                                          .n_kv_heads = 1,
                                          .head_size = HEAD,
                                          .vocab = ROWS};
    struct bench *t = mem_zalloc(1, sizeof(*t));
    if (!t) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the self-test");
    uint64_t start = clock_now_ns();
    t->tolerance = TOLERANCE;
    t->b = device->backend;
    t->d = device->handle;
    t->err = err;
    enum status st = device_status(t->b->reserve(t->d, &limits, &t->detail), &t->detail, "self-test", err);
    t->x = t->b->buffer_allocate(t->d, M * COLS * sizeof(float), &t->detail);
    t->out = t->b->buffer_allocate(t->d, M * ROWS * sizeof(float), &t->detail);
    if (st == DOCKET_OK && (!t->x || !t->out)) st = device_status(KERNELS_NO_MEMORY, &t->detail, "self-test", err);
    if (st == DOCKET_OK) st = upload_x(t);
    if (st == DOCKET_OK) st = test_linear(t, KERNELS_F32, exact, 55.3700825);
    if (st == DOCKET_OK) st = test_linear(t, KERNELS_BF16, exact, 55.3700825);
    if (st == DOCKET_OK) st = test_linear(t, KERNELS_NF4, nf4, 54.996327);
    if (st == DOCKET_OK) st = test_linear(t, KERNELS_NF4_NESTED, nf4, 54.996327);
    if (st == DOCKET_OK) st = test_route(t);
    if (st == DOCKET_OK) st = test_attention(t);
    if (t->x) t->b->buffer_free(t->d, t->x);
    if (t->out) t->b->buffer_free(t->d, t->out);
    if (st == DOCKET_OK) /* what filling its weights took goes back */
        st = device_status(t->b->reserve(t->d, &limits, &t->detail), &t->detail, "self-test", err);
    if (st == DOCKET_OK)
        log_event(LOG_INFO, EVENT_selftest_passed, F_STR("backend", t->b->name),
                  F_F64("seconds", clock_seconds_since(start)));
    mem_free(t);
    return st;
}
