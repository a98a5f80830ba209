/* validate_kernels.c: products of a backend against the same in double, with the weights that it says it has. */
#include "worker/model/validate.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <string.h>

#define ROWS 7
#define ULP  0x1p-24 /* one rounding's share of f32 */

/* Box-Muller over a fixed sequence: the same numbers on every machine. */
struct dice {
    uint64_t state;
};

static double uniform(struct dice *d)
{
    d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(d->state >> 11) + 0.5) * 0x1p-53;
}

static float gaussian(struct dice *d)
{
    double r = sqrt(-2 * log(uniform(d)));
    return (float)(r * cos(6.283185307179586 * uniform(d)));
}

/* What the format makes of a row of activations before it multiplies: int8 rounds those below 6 to codes (kernels.h). */
static void activations(enum kernels_format format, const float *x, double *out, size_t k)
{
    float most = 0;
    for (size_t i = 0; i < k; i++)
        if (fabsf(x[i]) < 6 && fabsf(x[i]) > most) most = fabsf(x[i]);
    for (size_t i = 0; i < k; i++)
        out[i] = format == KERNELS_INT8 && most > 0 && fabsf(x[i]) < 6
                     ? (double)nearbyintf(x[i] * (127 / most)) * (double)most / 127
                     : (double)x[i];
}

/* The longest chain of additions that any of the CPU's orders has, with the few roundings around it. */
static double roundings(size_t k)
{
    size_t chunk = k < 1024 ? k : 1024;
    return 1 + (double)((chunk + 3) / 4) + 4 + (double)((k + 1023) / 1024);
}

struct judged {
    double difference, original, worst;
    size_t n;
};

/* What the operands of products become before they are multiplied. */
enum rounding { ROUNDED_BY_SUMS, ROUNDED_TO_BF16, ROUNDED_TO_INT8, ROUNDED_TO_INT16 };

static enum rounding rounding_of(const struct device *device, enum kernels_format format)
{
    struct kernels_description facts;
    device->backend->describe(device->handle, &facts);
    if (format == KERNELS_F32 || format == KERNELS_INT8) return ROUNDED_BY_SUMS;
    if (strcmp(facts.arithmetic, "bf16") == 0) return ROUNDED_TO_BF16;
    if (strcmp(facts.arithmetic, "int16") == 0 && format > KERNELS_BF16) return ROUNDED_TO_INT16;
    return strcmp(facts.arithmetic, "int8") == 0 && format > KERNELS_BF16 ? ROUNDED_TO_INT8 : ROUNDED_BY_SUMS;
}

/* Both operands to whole numbers, in blocks of 64: half a step of the largest of each. */
static double codes_off(double steps_x, double steps_w, const double *x, const float *w, size_t k)
{
    double off = 0;
    for (size_t b = 0; b < k; b += 64) {
        double most_x = 0, most_w = 0, sum_x = 0, sum_w = 0;
        for (size_t c = b; c < k && c < b + 64; c++) {
            most_x = fmax(most_x, fabs(x[c])), sum_x += fabs(x[c]);
            most_w = fmax(most_w, fabs((double)w[c])), sum_w += fabs((double)w[c]);
        }
        most_x *= 1.001 / 2 / steps_x, most_w *= 1.001 / 2 / steps_w;
        off += most_x * sum_w + most_w * sum_x + 64 * most_x * most_w;
    }
    return off;
}

static void judge(struct judged *j, enum kernels_format format, enum rounding rounding, const float *x, const float *w,
                  const float *got, size_t n, size_t k, double *row)
{
    /* bf16: 2^-9 of each operand, and sums in one lane, as for int8. */
    double before = roundings(k) + 4 + (rounding == ROUNDED_TO_BF16 ? 2 * 0x1p-9 / ULP + 1 : 0) +
                    (rounding == ROUNDED_BY_SUMS ? 0 : (double)k);
    for (size_t i = 0; i < ROWS; i++) {
        activations(format, x + i * k, row, k);
        for (size_t o = 0; o < n; o++) {
            double want = 0, magnitude = 0;
            for (size_t c = 0; c < k; c++) {
                want += row[c] * (double)w[o * k + c];
                magnitude += fabs(row[c] * (double)w[o * k + c]);
            }
            double off = fabs((double)got[i * n + o] - want);
            double limit = ULP * (before * magnitude + 3 * fabs(want)) + 1e-30;
            if (rounding == ROUNDED_TO_INT8) limit += codes_off(127, 127, row, w + o * k, k);
            if (rounding == ROUNDED_TO_INT16) limit += codes_off(8191, 4095, row, w + o * k, k);
            double share = off / limit;
            if (!(share <= j->worst)) j->worst = isnan(share) ? INFINITY : share;
            j->difference += off * off;
            j->original += want * want;
            j->n++;
        }
    }
}

static enum status multiply(struct judged *j, const struct device *device, const struct kernels_weight *weight,
                            struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct kernels_weight_desc desc;
    struct kernels_error detail = {0};
    struct dice dice = {1};
    b->weight_describe(weight, &desc);
    size_t n = desc.rows, k = desc.cols;
    float *x = mem_alloc(ROWS * k * sizeof(float)), *got = mem_zalloc(ROWS * n, sizeof(float));
    float *w = mem_alloc(n * k * sizeof(float));
    double *row = mem_alloc(k * sizeof(double));
    float *dx = b->buffer_allocate(device->handle, ROWS * k * sizeof(float), &detail);
    float *dy = b->buffer_allocate(device->handle, ROWS * n * sizeof(float), &detail);
    enum kernels_status ks = x && got && w && row && dx && dy ? KERNELS_OK : KERNELS_NO_MEMORY;
    const struct kernels_linear linear = {.x = dx, .weight = weight, .out = dy, .n_rows = ROWS};
    for (size_t i = 0; x && i < ROWS * k; i++) x[i] = gaussian(&dice) * (i % 97 == 5 ? 8 : 1); /* some beyond 6 */
    if (ks == KERNELS_OK) ks = b->upload(device->handle, dx, x, ROWS * k * sizeof(float));
    if (ks == KERNELS_OK) ks = b->linear(device->handle, &linear);
    if (ks == KERNELS_OK) ks = b->download(device->handle, got, dy, ROWS * n * sizeof(float));
    if (ks == KERNELS_OK) ks = b->synchronize(device->handle, &detail);
    if (ks == KERNELS_OK) ks = b->weight_read(device->handle, weight, w);
    if (ks == KERNELS_OK) judge(j, desc.format, rounding_of(device, desc.format), x, w, got, n, k, row);
    if (dx) b->buffer_free(device->handle, dx);
    if (dy) b->buffer_free(device->handle, dy);
    mem_free(x);
    mem_free(got);
    mem_free(w);
    mem_free(row);
    return device_status(ks, &detail, "a product", err);
}

static void add_judged(struct validate_kernel *out, const struct judged *j, size_t n_matrices)
{
    *out = (struct validate_kernel){.n_matrices = n_matrices,
                                    .n_values = j->n,
                                    .worst = j->worst,
                                    .relative = j->original > 0 ? sqrt(j->difference / j->original) : 0};
}

enum status validate_kernels(struct validate_kernel *out, const struct model *m, struct error *err)
{
    const struct layer_weights *first = &m->weights.layers[0], *last = &m->weights.layers[m->weights.n_layers - 1];
    const struct kernels_weight *const list[] = {
        first->q, first->o, first->gate[0], first->down[0], last->v, last->up[0], last->down[last->n_experts - 1]};
    struct judged j = {0};
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(list) && st == DOCKET_OK; i++) st = multiply(&j, &m->device, list[i], err);
    if (st == DOCKET_OK) add_judged(out, &j, ARRAY_LENGTH(list));
    return st;
}

static enum status make_weight(struct kernels_weight **out, const struct device *device,
                               const struct kernels_weight_desc *desc, const float *values, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct kernels_error detail = {0};
    size_t n = desc->rows * desc->cols;
    enum kernels_status ks = KERNELS_OK;
    *out = b->weight_begin(device->handle, desc, &detail);
    if (!*out) ks = detail.code ? detail.code : KERNELS_FAILED;
    for (size_t at = 0; at < n && ks == KERNELS_OK; at += 16384)
        ks = b->weight_write(device->handle, *out, KERNELS_F32, values + at, n - at < 16384 ? n - at : 16384, &detail);
    if (ks == KERNELS_OK) ks = b->weight_finish(device->handle, *out, &detail);
    if (ks == KERNELS_OK) ks = b->synchronize(device->handle, &detail);
    return device_status(ks, &detail, docket_kernels_format_name(desc->format), err);
}

static enum status measure_made(struct judged *j, double *error, const struct device *device,
                                const struct kernels_weight_desc *desc, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct dice dice = {desc->rows * 31 + desc->cols};
    size_t n = desc->rows * desc->cols;
    double difference = 0, original = 0;
    struct kernels_weight *weight = NULL;
    float *values = mem_alloc(n * sizeof(float)), *back = mem_alloc(n * sizeof(float));
    enum status st =
        values && back ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu weights", 2 * n);
    for (size_t i = 0; st == DOCKET_OK && i < n; i++) values[i] = gaussian(&dice);
    if (st == DOCKET_OK) st = make_weight(&weight, device, desc, values, err);
    if (st == DOCKET_OK) st = multiply(j, device, weight, err);
    if (st == DOCKET_OK) st = device_status(b->weight_read(device->handle, weight, back), NULL, "weight_read", err);
    for (size_t i = 0; st == DOCKET_OK && i < n; i++) {
        difference += pow((double)back[i] - (double)values[i], 2);
        original += pow((double)values[i], 2);
    }
    if (st == DOCKET_OK) *error = sqrt(difference / original);
    if (weight) b->weight_free(device->handle, weight);
    mem_free(values);
    mem_free(back);
    return st;
}

enum status validate_made(struct validate_kernel *kernel, double *gaussian_error, const struct device_options *options,
                          enum weight_format format, struct error *err)
{
    static const size_t shapes[][2] = {{33, 130}, {1, 64}, {257, 1024}}; /* the last is large enough for the error */
    const struct kernels_limits limits = {.max_rows = ROWS,
                                          .max_sequences = 1,
                                          .dim = 1024,
                                          .ffn_dim = 1024,
                                          .top_k = 1,
                                          .n_heads = 1,
                                          .n_kv_heads = 1,
                                          .head_size = 64,
                                          .vocab = 1024,
                                          .has_int8 = true};
    struct device device = {0};
    struct judged j = {0};
    struct kernels_error detail = {0};
    enum status st = device_open(&device, options, err);
    if (st == DOCKET_OK)
        st = device_status(device.backend->reserve(device.handle, &limits, &detail), &detail, "scratch", err);
    for (size_t i = 0; i < ARRAY_LENGTH(shapes) && st == DOCKET_OK; i++) {
        struct kernels_weight_desc desc = {KERNELS_BF16, shapes[i][0], shapes[i][1]};
        weight_format_kernels(format, &desc.format);
        st = measure_made(&j, gaussian_error, &device, &desc, err);
    }
    if (st == DOCKET_OK) add_judged(kernel, &j, ARRAY_LENGTH(shapes));
    device_close(&device);
    return st;
}

/* The optimum or the known value of each, and a little for the sample; bf16's is 2^-9 / sqrt(3) in the mean. */
double validate_gaussian_limit(enum weight_format format)
{
    static const double limits[N_WEIGHT_FORMATS] = {
        [QUANTIZE_NONE] = 0.003,     [QUANTIZE_NF4] = 0.095,  [QUANTIZE_NF4_PLAIN] = 0.095, [QUANTIZE_FP4] = 0.13,
        [QUANTIZE_FP4_PLAIN] = 0.13, [QUANTIZE_INT8] = 0.012, [QUANTIZE_Q8] = 0.006,        [QUANTIZE_Q4] = 0.093,
        [QUANTIZE_Q2] = 0.335,       [QUANTIZE_Q1] = 0.605};
    return limits[format];
}
