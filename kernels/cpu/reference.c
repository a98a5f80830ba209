/* reference.c: the plain C table of all operations, the definition of every result. Sums run in double, in index order, and
 * are rounded to f32 once, when an operation stores its result; what kernels.h says is f32 in between is rounded there too.
 * Obvious and slow on purpose: knows neither threads nor vector units.
 *
 * m rows, n outputs, k inputs, h query heads, g key/value heads, d head size, e experts, t top-k, f hidden size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/device.h"
#include "kernels/formats/int8.h"
#include "kernels/formats/kv.h"

static enum kernels_status no_memory(struct kernels_device *device, const char *operation)
{
    return cpu_fail(device, KERNELS_NO_MEMORY, "%s: no memory for scratch", operation);
}

static struct kernels_device *reference_open(const struct kernels_options *options, struct kernels_error *error)
{
    return cpu_device_open(&cpu_reference_backend, options, error);
}

static void reference_describe(const struct kernels_device *device, struct kernels_description *out)
{
    (void)device;
    *out = (struct kernels_description){.name = "any processor", .variant = "plain C"};
    snprintf(out->arithmetic, sizeof out->arithmetic, "f32");
}

/* Scratch is taken as an operation needs it. */
static enum kernels_status reference_reserve(struct kernels_device *device, const struct kernels_limits *limits,
                                             struct kernels_error *error)
{
    (void)device;
    if (limits == NULL) return kernels_fail(error, KERNELS_BAD_SHAPE, "reserve: limits missing");
    return KERNELS_OK;
}

static size_t reference_scratch_size(const struct kernels_device *device, const struct kernels_limits *limits)
{
    (void)device;
    return limits == NULL ? 0 : cpu_batch_size(limits->max_rows, limits->max_sequences);
}

static enum kernels_status reference_embed(struct kernels_device *device, const struct kernels_embed *args)
{
    enum kernels_status status = cpu_check_embed(device, args);
    size_t k;

    if (status != KERNELS_OK) return status;
    k = args->table->desc.cols;
    for (size_t row = 0; row < args->batch->n_rows; row++) {
        float *out = args->out + row * k;
        cpu_weight_values(args->table, (size_t)args->batch->token_ids[row] * k, k, out);
        for (size_t i = 0; i < k; i++) out[i] *= args->scale == 0 ? 1.0f : args->scale;
    }
    return KERNELS_OK;
}

static enum kernels_status reference_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args)
{
    enum kernels_status status = cpu_check_rmsnorm(device, args);
    float *weight;

    if (status != KERNELS_OK) return status;
    if ((weight = cpu_scratch(device, CPU_SCRATCH_ROWS, args->cols * sizeof(float))) == NULL)
        return no_memory(device, "rmsnorm");
    cpu_weight_values(args->weight, 0, args->cols, weight);
    for (size_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->cols;
        float *out = args->out + row * args->cols;
        double sum = 0, scale;
        for (size_t i = 0; i < args->cols; i++) sum += (double)x[i] * x[i];
        scale = 1 / sqrt(sum / (double)args->cols + args->eps);
        for (size_t i = 0; i < args->cols; i++)
            out[i] = (float)(x[i] * scale * (args->weight_plus_one ? 1.0 + weight[i] : weight[i]));
    }
    return KERNELS_OK;
}

static double dot(const float *a, const float *b, size_t k)
{
    double sum = 0;

    for (size_t i = 0; i < k; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* A row of activations as int8 sees it. */
struct coded_row {
    const float *x;
    int16_t *codes;
    uint32_t *outliers;
    size_t n_outliers;
    float absmax;
};

static size_t scratch_bytes(size_t k)
{
    return k * (sizeof(float) + sizeof(int16_t)); /* a row of W or the outliers, and codes */
}

static struct coded_row code_row(const float *x, size_t k, void *scratch)
{
    struct coded_row row = {.x = x, .outliers = scratch, .codes = (int16_t *)((uint32_t *)scratch + k)};

    row.n_outliers = int8_split_row(x, k, row.codes, &row.absmax, row.outliers);
    return row;
}

static float dot_int8(const struct coded_row *row, const struct kernels_weight *weight, size_t j)
{
    size_t k = weight->desc.cols;
    const int8_t *codes = (const int8_t *)weight->data + j * k;
    int64_t sum = 0;
    double apart = 0;

    for (size_t i = 0; i < k; i++) sum += (int64_t)row->codes[i] * codes[i];
    for (size_t i = 0; i < row->n_outliers; i++)
        apart += (double)row->x[row->outliers[i]] * int8_value(codes[row->outliers[i]], weight->absmax[j]);
    return int8_product(sum, row->absmax, weight->absmax[j], apart);
}

static void multiply_int8(const float *x, size_t m, const struct kernels_weight *weight, void *scratch, float *out,
                          bool accumulate)
{
    size_t n = weight->desc.rows, k = weight->desc.cols;

    for (size_t i = 0; i < m; i++) {
        struct coded_row row = code_row(x + i * k, k, scratch);
        for (size_t j = 0; j < n; j++) {
            float product = dot_int8(&row, weight, j);
            out[i * n + j] = accumulate ? out[i * n + j] + product : product;
        }
    }
}

/* out[m, n] = x W^T. one_row is scratch_bytes(k). */
static void multiply(const float *x, size_t m, const struct kernels_weight *weight, float *one_row, float *out,
                     bool accumulate)
{
    size_t n = weight->desc.rows, k = weight->desc.cols;

    if (weight->desc.format == KERNELS_INT8) {
        multiply_int8(x, m, weight, one_row, out, accumulate);
        return;
    }
    for (size_t j = 0; j < n; j++) {
        cpu_weight_values(weight, j * k, k, one_row);
        for (size_t i = 0; i < m; i++) {
            double sum = dot(x + i * k, one_row, k);
            out[i * n + j] = (float)(accumulate ? out[i * n + j] + sum : sum);
        }
    }
}

static enum kernels_status reference_linear(struct kernels_device *device, const struct kernels_linear *args)
{
    enum kernels_status status = cpu_check_linear(device, args);
    float *one_row;

    if (status != KERNELS_OK) return status;
    if ((one_row = cpu_scratch(device, CPU_SCRATCH_ROWS, scratch_bytes(args->weight->desc.cols))) == NULL)
        return no_memory(device, "linear");
    multiply(args->x, args->n_rows, args->weight, one_row, args->out, args->accumulate);
    for (size_t i = 0; i < args->n_beside; i++)
        multiply(args->x, args->n_rows, args->beside[i].weight, one_row, args->beside[i].out, args->accumulate);
    return KERNELS_OK;
}

/* The angle is a product in f32, as every implementation of these models has it; its cosine is rounded once. */
static void rotate(float *x, int32_t position, const float *inverse_frequency, size_t d)
{
    for (size_t i = 0; i < d / 2; i++) {
        float angle = (float)position * inverse_frequency[i];
        float c = (float)cos(angle), s = (float)sin(angle), a = x[i], b = x[i + d / 2];
        x[i] = (float)((double)a * c - (double)b * s);
        x[i + d / 2] = (float)((double)b * c + (double)a * s);
    }
}

static void clip(float *x, size_t n, float limit)
{
    for (size_t i = 0; i < n && limit > 0; i++) x[i] = x[i] < -limit ? -limit : x[i] > limit ? limit : x[i];
}

static enum kernels_status reference_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args)
{
    enum kernels_status status = cpu_check_rope_kv(device, args);
    size_t h = args->n_heads, g = args->n_kv_heads, d = args->head_size;

    if (status != KERNELS_OK) return status;
    for (size_t row = 0; row < args->batch->n_rows; row++) {
        int32_t position = args->batch->positions[row];
        clip(args->q + row * h * d, h * d, args->clip);
        clip(args->k + row * g * d, g * d, args->clip);
        clip(args->v + row * g * d, g * d, args->clip);
        for (size_t i = 0; i < h; i++) rotate(args->q + (row * h + i) * d, position, args->inverse_frequency, d);
        for (size_t i = 0; i < g; i++) {
            size_t at = cpu_kv_at(args->kv, args->layer, i, args->batch->slots[row]);
            rotate(args->k + (row * g + i) * d, position, args->inverse_frequency, d);
            kv_store(args->kv->format, args->k + (row * g + i) * d, d, (char *)args->kv->k + at);
            kv_store(args->kv->format, args->v + (row * g + i) * d, d, (char *)args->kv->v + at);
        }
    }
    return KERNELS_OK;
}

/* Slots of the keys that row i of a sequence sees, in any order. */
static size_t visible(const struct kernels_batch *batch, const struct kernels_sequence *s, uint32_t i, uint32_t window,
                      uint32_t *slots)
{
    int64_t p = batch->positions[s->first_row + i], first = window ? p - window + 1 : INT64_MIN;
    size_t n = 0;

    for (uint32_t r = 0; r < s->n_shared; r++)
        for (uint32_t j = 0; j < s->shared[r].n_slots; j++)
            if (s->shared[r].first_position + (int64_t)j >= first) slots[n++] = s->shared[r].first_slot + j;
    if (s->parent) {
        for (int32_t j = (int32_t)i; j >= 0; j = s->parent[j])
            if (batch->positions[s->first_row + j] >= first) slots[n++] = s->own.first_slot + (uint32_t)j;
        return n;
    }
    for (uint32_t j = 0; j <= s->own.n_slots - s->n_rows + i; j++)
        if (s->own.first_position + (int64_t)j >= first) slots[n++] = s->own.first_slot + j;
    return n;
}

static void attend(const struct kernels_attention *args, size_t row, size_t head, const uint32_t *slots, size_t n_slots,
                   double *scores)
{
    size_t d = args->head_size, kv_head = head / (args->n_heads / args->n_kv_heads);
    const float *q = args->q + (row * args->n_heads + head) * d;
    float *out = args->out + (row * args->n_heads + head) * d;
    double largest = -INFINITY, sum = 0, values[KERNELS_MAX_HEAD_SIZE] = {0};
    float one[KERNELS_MAX_HEAD_SIZE];

    for (size_t j = 0; j < n_slots; j++) {
        size_t at = cpu_kv_at(args->kv, args->layer, kv_head, slots[j]);
        scores[j] = 0;
        kv_load(args->kv->format, (const char *)args->kv->k + at, d, one);
        for (size_t c = 0; c < d; c++) scores[j] += (double)q[c] * one[c];
        scores[j] *= args->scale;
        if (scores[j] > largest) largest = scores[j];
    }
    for (size_t j = 0; j < n_slots; j++) sum += scores[j] = exp(scores[j] - largest);
    for (size_t j = 0; j < n_slots; j++) {
        kv_load(args->kv->format, (const char *)args->kv->v + cpu_kv_at(args->kv, args->layer, kv_head, slots[j]), d,
                one);
        for (size_t c = 0; c < d; c++) values[c] += scores[j] * one[c];
    }
    for (size_t c = 0; c < d; c++) out[c] = (float)(values[c] / sum);
}

static enum kernels_status reference_attention(struct kernels_device *device, const struct kernels_attention *args)
{
    enum kernels_status status = cpu_check_attention(device, args);
    const struct kernels_batch *batch = args->batch;
    uint32_t *slots;
    double *scores;

    if (status != KERNELS_OK) return status;
    slots = cpu_scratch(device, CPU_SCRATCH_ROWS, batch->most_visible * sizeof *slots);
    scores = cpu_scratch(device, CPU_SCRATCH_RESULTS, batch->most_visible * sizeof *scores);
    if (slots == NULL || scores == NULL) return no_memory(device, "attention");
    for (size_t at = 0; at < batch->n_sequences; at++) {
        const struct kernels_sequence *s = &batch->sequences[at];
        for (uint32_t i = 0; i < s->n_rows; i++) {
            size_t n_slots = visible(batch, s, i, args->window, slots);
            for (size_t head = 0; head < args->n_heads; head++)
                attend(args, (size_t)s->first_row + i, head, slots, n_slots, scores);
        }
    }
    return KERNELS_OK;
}

static void route_row(const struct kernels_route *args, const float *logits, size_t e, int32_t *ids, float *weights)
{
    double largest = -INFINITY, sum = 0, kept = 0, p[KERNELS_MAX_EXPERTS];
    bool taken[KERNELS_MAX_EXPERTS] = {false};

    for (size_t i = 0; i < e; i++) largest = logits[i] > largest ? logits[i] : largest;
    for (size_t i = 0; i < e; i++) sum += p[i] = exp(logits[i] - largest);
    for (size_t t = 0; t < args->top_k; t++) {
        size_t best = e;
        for (size_t i = 0; i < e; i++)
            if (!taken[i] && (best == e || logits[i] > logits[best])) best = i;
        taken[best] = true;
        ids[t] = (int32_t)best;
        kept += p[best];
    }
    for (size_t t = 0; t < args->top_k; t++) weights[t] = (float)(p[ids[t]] / (args->renormalize ? kept : sum));
}

static enum kernels_status reference_route(struct kernels_device *device, const struct kernels_route *args)
{
    enum kernels_status status = cpu_check_route(device, args);
    size_t e, k;
    float *one_row, *logits;

    if (status != KERNELS_OK) return status;
    e = args->weight->desc.rows;
    k = args->weight->desc.cols;
    one_row = cpu_scratch(device, CPU_SCRATCH_ROWS, scratch_bytes(k));
    logits = cpu_scratch(device, CPU_SCRATCH_RESULTS, args->n_rows * e * sizeof(float));
    if (one_row == NULL || logits == NULL) return no_memory(device, "route");
    multiply(args->x, args->n_rows, args->weight, one_row, logits, false);
    for (size_t row = 0; row < args->n_rows; row++)
        route_row(args, logits + row * e, e, args->ids + row * args->top_k, args->weights + row * args->top_k);
    return KERNELS_OK;
}

/* GELU by 1 + tanh(z / 2) = 2 / (1 + exp(-z)), which does not cancel where z is far below zero. */
static double activate(enum kernels_activation activation, double x)
{
    double z = activation == KERNELS_SILU ? x : 2 * 0.7978845608028654 * (x + 0.044715 * x * x * x); /* sqrt(2 / pi) */

    return x / (1 + exp(-z));
}

/* Rounded to f32: gate and up, their product, and each expert's output. */
static enum kernels_status reference_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    enum kernels_status status = cpu_check_expert_ffn(device, args);
    size_t k, f, top_k = args->ids ? args->top_k : 1;
    float *one_row, *gate, *up, *results;

    if (status != KERNELS_OK) return status;
    f = args->gate[0]->desc.rows;
    k = args->gate[0]->desc.cols;
    one_row = cpu_scratch(device, CPU_SCRATCH_ROWS, scratch_bytes(f > k ? f : k));
    gate = cpu_scratch(device, CPU_SCRATCH_HIDDEN, 2 * f * sizeof(float));
    results = cpu_scratch(device, CPU_SCRATCH_RESULTS, top_k * k * sizeof(float));
    if (one_row == NULL || gate == NULL || results == NULL) return no_memory(device, "expert_ffn");
    up = gate + f;
    for (size_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * k;
        float *out = args->out + row * k;
        for (size_t t = 0; t < top_k; t++) {
            size_t expert = args->ids ? (size_t)args->ids[row * top_k + t] : 0;
            multiply(x, 1, args->gate[expert], one_row, gate, false);
            multiply(x, 1, args->up[expert], one_row, up, false);
            for (size_t i = 0; i < f; i++) gate[i] = (float)(activate(args->activation, gate[i]) * up[i]);
            multiply(gate, 1, args->down[expert], one_row, results + t * k, false);
        }
        for (size_t i = 0; i < k; i++) {
            double sum = out[i];
            for (size_t t = 0; t < top_k; t++)
                sum += (args->ids ? (double)args->weights[row * top_k + t] : 1.0) * results[t * k + i];
            out[i] = (float)sum;
        }
    }
    return KERNELS_OK;
}

static enum kernels_status reference_add(struct kernels_device *device, float *out, const float *x, size_t n_values)
{
    if (n_values && (out == NULL || x == NULL)) return cpu_fail(device, KERNELS_BAD_SHAPE, "add: out or x missing");
    for (size_t i = 0; i < n_values; i++) out[i] += x[i];
    return KERNELS_OK;
}

static enum kernels_status reference_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args)
{
    enum kernels_status status = cpu_check_gather_rows(device, args);

    for (size_t i = 0; status == KERNELS_OK && i < args->n_rows; i++)
        memcpy(args->out + i * args->cols, args->x + args->rows[i] * args->cols, args->cols * sizeof(float));
    return status;
}

static enum kernels_status reference_gather_logits(struct kernels_device *device,
                                                   const struct kernels_gather_logits *args)
{
    enum kernels_status status = cpu_check_gather_logits(device, args);
    float *one_row;
    size_t k;

    if (status != KERNELS_OK) return status;
    k = args->head->desc.cols;
    if ((one_row = cpu_scratch(device, CPU_SCRATCH_ROWS, scratch_bytes(k))) == NULL)
        return no_memory(device, "gather_logits");
    for (size_t i = 0; i < args->n_items; i++) {
        if (args->head->desc.format == KERNELS_INT8) {
            struct coded_row row = code_row(args->x + args->rows[i] * k, k, one_row);
            args->out[i] = dot_int8(&row, args->head, (size_t)args->token_ids[i]);
            continue;
        }
        cpu_weight_values(args->head, (size_t)args->token_ids[i] * k, k, one_row);
        args->out[i] = (float)dot(args->x + args->rows[i] * k, one_row, k);
    }
    return KERNELS_OK;
}

const struct kernels_backend cpu_reference_backend = {
    .abi = KERNELS_ABI,
    .size = sizeof(struct kernels_backend),
    .name = "reference",
    .open = reference_open,
    .close = cpu_close,
    .describe = reference_describe,
    .memory = cpu_memory,
    .reserve = reference_reserve,
    .scratch_size = reference_scratch_size,
    CPU_SHARED_ENTRIES,
    .embed = reference_embed,
    .rmsnorm = reference_rmsnorm,
    .linear = reference_linear,
    .rope_kv = reference_rope_kv,
    .attention = reference_attention,
    .route = reference_route,
    .expert_ffn = reference_expert_ffn,
    .add = reference_add,
    .gather_rows = reference_gather_rows,
    .gather_logits = reference_gather_logits,
};
