/* norm_rope.c: the operations that touch each value once: embedding, norms, rotation and cache writes, sums, row copies.
 * Bound by memory. Knows no instruction set. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/linear.h"

#define ROWS_A_TASK 16u

static void embed_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct kernels_embed *args = context;
    size_t k = args->table->desc.cols;
    float scale = args->scale == 0 ? 1.0f : args->scale;

    (void)worker;
    for (size_t row = begin; row < end; row++) {
        float *out = args->out + row * k;
        cpu_weight_values(args->table, (size_t)args->batch->token_ids[row] * k, k, out);
        for (size_t i = 0; i < k; i++) out[i] *= scale;
    }
}

enum kernels_status cpu_embed(struct kernels_device *device, const struct kernels_embed *args)
{
    enum kernels_status status = cpu_check_embed(device, args);
    struct kernels_embed copy = *args;

    if (status == KERNELS_OK) cpu_parallel(device, args->batch->n_rows, ROWS_A_TASK, embed_task, &copy);
    return status;
}

struct norming {
    const struct kernels_rmsnorm *args;
    const struct cpu_isa *isa;
    const float *weight; /* with the one added */
};

static void rmsnorm_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct norming *n = context;
    size_t cols = n->args->cols;

    (void)worker;
    for (size_t row = begin; row < end; row++)
        n->isa->norm_row(n->args->x + row * cols, n->weight, cols, n->args->eps, n->args->out + row * cols);
}

enum kernels_status cpu_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args)
{
    enum kernels_status status = cpu_check_rmsnorm(device, args);
    float *weight;

    if (status != KERNELS_OK || args->n_rows == 0) return status;
    if ((weight = cpu_scratch(device, CPU_SCRATCH_ROWS, args->cols * sizeof(float))) == NULL)
        return cpu_fail(device, KERNELS_NO_MEMORY, "rmsnorm: no memory for %zu columns", args->cols);
    cpu_weight_values(args->weight, 0, args->cols, weight);
    for (size_t i = 0; args->weight_plus_one && i < args->cols; i++) weight[i] += 1.0f;
    cpu_parallel(device, args->n_rows, ROWS_A_TASK, rmsnorm_task, &(struct norming){args, device->isa, weight});
    return KERNELS_OK;
}

/* Cosines and sines of each row, made by the first layer of a pass and kept for the others. */
static void rotation_task(void *context, size_t begin, size_t end, unsigned worker)
{
    struct kernels_batch *batch = context;
    size_t half = batch->rotation_half;

    (void)worker;
    for (size_t row = begin; row < end; row++)
        for (size_t i = 0; i < half; i++) {
            float angle = (float)batch->positions[row] * batch->rotation_of[i];
            batch->rotation[row * 2 * half + i] = (float)cos(angle);
            batch->rotation[row * 2 * half + half + i] = (float)sin(angle);
        }
}

static bool make_rotation(struct kernels_device *device, struct kernels_batch *batch, const float *inverse_frequency,
                          size_t d)
{
    if (batch->rotation_half == d / 2 && batch->rotation_of == inverse_frequency) return true;
    if (batch->rotation_values < batch->n_rows * d) {
        cpu_release(device, batch->rotation);
        batch->rotation_values = 0;
        if ((batch->rotation = cpu_allocate(device, batch->max_rows * d * sizeof(float))) == NULL) return false;
        batch->rotation_values = batch->max_rows * d;
    }
    batch->rotation_half = d / 2;
    batch->rotation_of = inverse_frequency;
    cpu_parallel(device, batch->n_rows, ROWS_A_TASK, rotation_task, batch);
    return true;
}

static void clip(float *x, size_t n, float limit)
{
    for (size_t i = 0; i < n && limit > 0; i++) x[i] = x[i] < -limit ? -limit : x[i] > limit ? limit : x[i];
}

struct turning {
    const struct kernels_rope_kv *args;
    const struct cpu_isa *isa;
};

static void rope_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct turning *t = context;
    const struct kernels_rope_kv *args = t->args;
    size_t h = args->n_heads, g = args->n_kv_heads, d = args->head_size;

    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const float *cosine = args->batch->rotation + row * d, *sine = cosine + d / 2;
        clip(args->q + row * h * d, h * d, args->clip);
        clip(args->k + row * g * d, g * d, args->clip);
        clip(args->v + row * g * d, g * d, args->clip);
        for (size_t i = 0; i < h; i++) t->isa->rotate(args->q + (row * h + i) * d, cosine, sine, d / 2);
        for (size_t i = 0; i < g; i++) {
            size_t at = cpu_kv_at(args->kv, args->layer, i, args->batch->slots[row]);
            t->isa->rotate(args->k + (row * g + i) * d, cosine, sine, d / 2);
            t->isa->narrow(args->kv->format, args->k + (row * g + i) * d, d, (char *)args->kv->k + at);
            t->isa->narrow(args->kv->format, args->v + (row * g + i) * d, d, (char *)args->kv->v + at);
        }
    }
}

enum kernels_status cpu_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args)
{
    enum kernels_status status = cpu_check_rope_kv(device, args);

    if (status != KERNELS_OK || args->batch->n_rows == 0) return status;
    /* The batch is the device's to fill; only callers see it as const. */
    if (!make_rotation(device, (struct kernels_batch *)args->batch, args->inverse_frequency, args->head_size))
        return cpu_fail(device, KERNELS_NO_MEMORY, "rope_kv: no memory for %zu rows", args->batch->max_rows);
    cpu_parallel(device, args->batch->n_rows, ROWS_A_TASK, rope_task, &(struct turning){args, device->isa});
    return KERNELS_OK;
}

struct adding {
    const struct cpu_isa *isa;
    float *out;
    const float *x;
    size_t n;
};

#define VALUES_A_TASK 16384u

static void add_task(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct adding *a = context;
    size_t first = begin * VALUES_A_TASK, last = end * VALUES_A_TASK < a->n ? end * VALUES_A_TASK : a->n;

    (void)worker;
    a->isa->add_scaled(a->out + first, a->x + first, 1, last - first);
}

enum kernels_status cpu_add(struct kernels_device *device, float *out, const float *x, size_t n_values)
{
    if (n_values && (out == NULL || x == NULL)) return cpu_fail(device, KERNELS_BAD_SHAPE, "add: out or x missing");
    cpu_parallel(device, (n_values + VALUES_A_TASK - 1) / VALUES_A_TASK, 4, add_task,
                 &(struct adding){device->isa, out, x, n_values});
    return KERNELS_OK;
}

enum kernels_status cpu_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args)
{
    enum kernels_status status = cpu_check_gather_rows(device, args);

    for (size_t i = 0; status == KERNELS_OK && i < args->n_rows; i++)
        memcpy(args->out + i * args->cols, args->x + args->rows[i] * args->cols, args->cols * sizeof(float));
    return status;
}
