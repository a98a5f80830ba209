/* operations.cu: the operations of the table: arguments that cannot be are refused as the CPU refuses them, the rest is queued. */
#include "kernels/cuda/expand.cuh"
#include "kernels/cuda/experts.cuh"
#include "kernels/cuda/library.cuh"
#include "kernels/cuda/multiply.cuh"

#include <string.h>

extern "C" {
#include "kernels/batch_check.h"
}

static_assert(sizeof(weight_view) == GPU_VIEW_BYTES, "constants count with it");

static bool is_plain(const struct kernels_weight *w)
{
    return w->desc.format == KERNELS_F32 || w->desc.format == KERNELS_F16 || w->desc.format == KERNELS_BF16;
}

static bool is_ready(const struct kernels_weight *w)
{
    return w && w->finished;
}

static bool is_lost(const struct kernels_device *device)
{
    return device->failure.code == KERNELS_DEVICE_LOST;
}

enum kernels_status cuda_op_embed(struct kernels_device *device, const struct kernels_embed *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!is_ready(a->table) || !a->batch || (a->batch->n_rows && !a->out))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "embed: table, batch or out missing");
    if (a->batch->n_rows && (a->batch->least_id < 0 || (size_t)a->batch->largest_id >= a->table->desc.rows))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "embed: token_ids: want below %zu, got %d to %d",
                         a->table->desc.rows, a->batch->least_id, a->batch->largest_id);
    if (device->steps.now && a->table->desc.rows < device->steps.now->ids_below)
        device->steps.now->ids_below = a->table->desc.rows;
    cuda_embed(a->table->view, a->batch->ids, (uint32_t)a->batch->n_rows, a->scale != 0 ? a->scale : 1.0f, a->out,
               device->stream);
    return cuda_check_launch(device, "embed");
}

void cuda_op_settle(struct kernels_device *device)
{
    if (!device->waiting.is_there) return;
    device->waiting.is_there = false;
    if (is_lost(device)) return;
    cuda_combine(device->waiting.sums, device->stream);
    cuda_check_launch(device, "expert_ffn");
}

/* Whether the norm is of what waits, all of it. */
static bool follows(const struct kernels_device *device, const struct kernels_rmsnorm *a)
{
    const combine_args &sums = device->waiting.sums;
    return device->waiting.is_there && a->x == sums.out && a->n_rows == sums.n_rows && a->cols == sums.cols;
}

static enum kernels_status norm(struct kernels_device *device, const struct kernels_rmsnorm *a);

enum kernels_status cuda_op_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *a)
{
    const enum kernels_status status = norm(device, a);
    cuda_op_settle(device);
    return status;
}

static enum kernels_status norm(struct kernels_device *device, const struct kernels_rmsnorm *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!is_ready(a->weight) || (a->n_rows && (!a->x || !a->out)))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: x, weight or out missing");
    if (!is_plain(a->weight))
        return cuda_fail(device, KERNELS_UNSUPPORTED, "rmsnorm: weight: want f32, f16 or bf16, got %s",
                         docket_kernels_format_name(a->weight->desc.format));
    if (a->cols == 0 || a->weight->desc.rows != 1 || a->weight->desc.cols != a->cols)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: weight [%zu, %zu] for %zu columns", a->weight->desc.rows,
                         a->weight->desc.cols, a->cols);
    if (!(a->eps >= 0)) return cuda_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: eps: want 0 or more, got %g", a->eps);
    if (follows(device, a)) {
        device->waiting.is_there = false;
        cuda_combine_norm(device->waiting.sums, a->weight->view, a->out, a->eps, a->weight_plus_one, device->stream);
        return cuda_check_launch(device, "rmsnorm");
    }
    cuda_op_settle(device);
    cuda_rmsnorm(a->x, a->weight->view, a->out, (uint32_t)a->n_rows, (uint32_t)a->cols, a->eps, a->weight_plus_one,
                 device->stream);
    return cuda_check_launch(device, "rmsnorm");
}

/* out[m, n] of x, which has x_rows rows; queues it. args then have what was made of x on the way. False if there is no scratch for it. */
static bool multiply(struct kernels_device *device, multiply_args &args, size_t x_rows)
{
    if (args.weight.format == KERNELS_INT8 && !args.has_absmax) {
        args.x_rows = (uint32_t)x_rows;
        args.absmax = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_ABSMAX, x_rows * sizeof(float));
        if (!args.absmax) return false;
    }
    if (cuda_takes_code_tiles(args) && !args.x16) {
        uint16_t *x16 = (uint16_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_ROWS16, x_rows * args.k * sizeof *x16);
        if (!x16) return false;
        cuda_round_rows(args.x, NULL, (uint32_t)x_rows, args.k, true, x16, device->stream);
        args.x16 = x16;
    }
    args.room = device->room;
    cuda_multiply(args, device->stream);
    return true;
}

static multiply_args product(const float *x, const struct kernels_weight *w, float *out, size_t m)
{
    multiply_args args = {};
    args.x = x;
    args.out = out;
    args.weight = w->view;
    args.n_groups = 1;
    args.m = (uint32_t)m, args.n = w->view.rows, args.k = w->view.cols;
    args.as_codes = cuda_are_codes(w->view) && (uintptr_t)x % 16 == 0;
    return args;
}

static enum kernels_status check_linear(struct kernels_device *device, const struct kernels_linear *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!is_ready(a->weight) || (a->n_rows && (!a->x || !a->out)))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "linear: x, weight or out missing");
    if (a->n_beside > KERNELS_MAX_BESIDE)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "linear: n_beside: want at most %d, got %zu", KERNELS_MAX_BESIDE,
                         a->n_beside);
    for (size_t i = 0; i < a->n_beside; i++) {
        const struct kernels_beside &one = a->beside[i];
        if (!is_ready(one.weight) || (a->n_rows && !one.out))
            return cuda_fail(device, KERNELS_BAD_SHAPE, "linear: beside[%zu]: weight or out missing", i);
        if (one.weight->desc.cols != a->weight->desc.cols)
            return cuda_fail(device, KERNELS_BAD_SHAPE, "linear: beside[%zu]: weight [%zu, %zu] for %zu columns", i,
                             one.weight->desc.rows, one.weight->desc.cols, a->weight->desc.cols);
    }
    return KERNELS_OK;
}

/* Products of one x, those that can in one launch. What the first one makes of x, bf16 or absmax, serves the others of its kind. */
static enum kernels_status multiply_several(struct kernels_device *device, multiply_args *all, size_t n, size_t n_rows)
{
    const uint16_t *x16 = NULL;
    float *absmax = NULL;
    for (size_t i = 0; i < n && n_rows; i++) {
        if (all[i].m == 0) continue; /* joined */
        for (size_t j = i + 1; j < n; j++)
            if (all[j].m && cuda_multiply_joins(all[i], all[j])) all[j].m = 0;
        all[i].x16 = x16;
        all[i].absmax = absmax, all[i].has_absmax = absmax != NULL;
        if (!multiply(device, all[i], n_rows)) return device->failure.code;
        const enum kernels_status status = cuda_check_launch(device, "linear");
        if (status != KERNELS_OK) return status;
        x16 = all[i].x16, absmax = all[i].absmax;
    }
    return KERNELS_OK;
}

enum kernels_status cuda_op_linear(struct kernels_device *device, const struct kernels_linear *a)
{
    enum kernels_status status = check_linear(device, a);
    multiply_args own[1 + KERNELS_MAX_BESIDE];
    size_t n_own = 0;
    for (size_t i = 0; i <= a->n_beside && status == KERNELS_OK; i++) {
        struct kernels_linear one = *a;
        one.n_beside = 0;
        if (i) one.weight = a->beside[i - 1].weight, one.out = a->beside[i - 1].out;
        if (cuda_library_linear(device, &one, &status)) {
            cuda_step_is_unfit(device);
            continue;
        }
        own[n_own] = product(a->x, one.weight, one.out, a->n_rows);
        own[n_own++].accumulate = a->accumulate;
    }
    return status == KERNELS_OK ? multiply_several(device, own, n_own, a->n_rows) : status;
}

static enum kernels_status check_heads(struct kernels_device *device, const char *operation,
                                       const struct kernels_batch *batch, const struct kernels_kv *kv, size_t layer,
                                       size_t h, size_t g, size_t d)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!batch || !kv) return cuda_fail(device, KERNELS_BAD_SHAPE, "%s: batch or cache missing", operation);
    if (h == 0 || g != kv->view.n_kv_heads || d != kv->view.head_size || h % g)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "%s: %zu and %zu heads of %zu, cache with %u heads of %u",
                         operation, h, g, d, kv->view.n_kv_heads, kv->view.head_size);
    if (layer >= kv->n_layers)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "%s: layer %zu of a cache of %zu", operation, layer, kv->n_layers);
    const size_t n_slots = kv->view.n_slots, all = n_slots + kv->view.n_running;
    if (batch->slots_end > all)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "%s: slot %zu of a cache of %zu", operation, batch->slots_end - 1,
                         all);
    const size_t torn = kernels_torn_sequence(batch->host_sequences, batch->n_sequences, n_slots);
    if (torn < batch->n_sequences)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "%s: sequences[%zu]: a range on both sides of slot %zu", operation,
                         torn, n_slots);
    return KERNELS_OK;
}

enum kernels_status cuda_op_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *a)
{
    if (a->batch && a->batch->n_rows && (!a->q || !a->k || !a->v || !a->inverse_frequency))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "rope_kv: q, k, v or inverse_frequency missing");
    enum kernels_status status =
        check_heads(device, "rope_kv", a->batch, a->kv, a->layer, a->n_heads, a->n_kv_heads, a->head_size);
    if (status != KERNELS_OK) return status;
    rope_args args = {};
    args.inverse_frequency =
        (const float *)cuda_constant(device, a->inverse_frequency, a->head_size / 2 * sizeof(float));
    if (!args.inverse_frequency && a->batch->n_rows) return device->failure.code;
    args.q = a->q, args.k = a->k, args.v = a->v, args.clip = a->clip;
    args.positions = a->batch->positions, args.slots = a->batch->slots;
    args.kv = a->kv->view;
    args.n_rows = (uint32_t)a->batch->n_rows, args.n_heads = (uint32_t)a->n_heads, args.layer = (uint32_t)a->layer;
    cuda_rope_kv(args, device->stream);
    return cuda_check_launch(device, "rope_kv");
}

enum kernels_status cuda_op_attention(struct kernels_device *device, const struct kernels_attention *a)
{
    if (a->batch && a->batch->n_rows && (!a->q || !a->out))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "attention: q or out missing");
    enum kernels_status status =
        check_heads(device, "attention", a->batch, a->kv, a->layer, a->n_heads, a->n_kv_heads, a->head_size);
    if (status != KERNELS_OK) return status;
    if (a->batch->n_sequences == 0) return KERNELS_OK;
    const attention_shape shape = {(uint32_t)a->n_heads, (uint32_t)a->n_kv_heads, (uint32_t)a->head_size,
                                   a->kv->format == KERNELS_F32};
    const attention_plan *plan = cuda_attention_plan(device, a->batch, shape);
    if (!plan) return device->failure.code;
    attention_args args = {};
    args.plan = *plan;
    args.q = a->q, args.out = a->out, args.kv = a->kv->view;
    args.sequences = a->batch->sequences, args.positions = a->batch->positions, args.parents = a->batch->parents;
    args.is_tree = a->batch->is_tree;
    args.n_heads = (uint32_t)a->n_heads, args.layer = (uint32_t)a->layer, args.window = a->window,
    args.scale = a->scale;
    if (shape.exact)
        cuda_attention_exact(args, device->stream);
    else
        cuda_attention(args, device->stream);
    return cuda_check_launch(device, "attention");
}

/* The parts of the sort's scratch; ids is NULL after a failure. */
static sort_args sort_places(struct kernels_device *device, const int32_t *ids, size_t n_rows, size_t n_experts,
                             size_t top_k)
{
    const size_t pairs = n_rows * top_k;
    uint32_t *words =
        (uint32_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_SORT, gpu_sort_words(pairs, n_experts) * sizeof *words);
    sort_args order = {};
    if (!words) return order;
    order.ids = ids;
    order.starts = words, order.rows = words + n_experts + 1, order.places = order.rows + pairs;
    order.counts = order.places + pairs, order.wrong = device->wrong;
    order.n_rows = (uint32_t)n_rows, order.n_experts = (uint32_t)n_experts, order.top_k = (uint32_t)top_k;
    return order;
}

/* Few rows: the sort that expert_ffn needs comes with it. */
static enum kernels_status route_few(struct kernels_device *device, const struct kernels_route *a)
{
    const weight_view &w = a->weight->view;
    const size_t chains = cuda_route_chains(w), n = a->n_rows * w.rows;
    route_few_args args = {};
    args.sort = sort_places(device, a->ids, a->n_rows, w.rows, a->top_k);
    args.chains = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_RESULTS,
                                                 (chains == 1 ? 1 : chains + 1) * n * sizeof *args.chains);
    if (!args.sort.starts || !args.chains) return device->failure.code;
    args.logits = args.chains + (chains == 1 ? 0 : chains * n);
    args.x = a->x, args.weight = w, args.ids = a->ids, args.weights = a->weights;
    args.m = (uint32_t)a->n_rows, args.e = w.rows, args.n_chains = (uint32_t)chains, args.top_k = (uint32_t)a->top_k;
    args.renormalize = a->renormalize;
    cuda_route_few(args, device->stream);
    const enum kernels_status status = cuda_check_launch(device, "route");
    if (status == KERNELS_OK) device->sorted = {a->ids, a->n_rows, w.rows, a->top_k};
    return status;
}

enum kernels_status cuda_op_route(struct kernels_device *device, const struct kernels_route *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!is_ready(a->weight) || (a->n_rows && (!a->x || !a->ids || !a->weights)))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "route: x, weight, ids or weights missing");
    size_t e = a->weight->desc.rows;
    if (e > KERNELS_MAX_EXPERTS || a->top_k == 0 || a->top_k > KERNELS_MAX_TOP_K || a->top_k > e)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "route: the best %zu of %zu experts", a->top_k, e);
    if (cuda_routes_few(a->x, a->weight->view, a->n_rows, a->top_k)) return route_few(device, a);
    float *logits = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_RESULTS, a->n_rows * e * sizeof *logits);
    if (!logits) return device->failure.code;
    multiply_args args = product(a->x, a->weight, logits, a->n_rows);
    args.exact = true;
    if (!multiply(device, args, a->n_rows)) return device->failure.code;
    cuda_route(logits, (uint32_t)a->n_rows, (uint32_t)e, (uint32_t)a->top_k, a->renormalize, a->ids, a->weights,
               device->stream);
    return cuda_check_launch(device, "route");
}

static enum kernels_status check_experts(struct kernels_device *device, const struct kernels_expert_ffn *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (a->n_experts == 0 || a->n_experts > KERNELS_MAX_EXPERTS || !a->gate || !a->up || !a->down ||
        (a->n_rows && (!a->x || !a->out)) || (a->ids && !a->weights))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: %zu experts, or an address missing", a->n_experts);
    if (a->ids && (a->top_k == 0 || a->top_k > KERNELS_MAX_TOP_K))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: top_k: want 1 to %d, got %zu", KERNELS_MAX_TOP_K,
                         a->top_k);
    if (a->activation != KERNELS_SILU && a->activation != KERNELS_GELU_TANH)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: activation %d is unknown", (int)a->activation);
    for (size_t e = 0; e < (a->ids ? a->n_experts : 1); e++) {
        if (!is_ready(a->gate[e]) || !is_ready(a->up[e]) || !is_ready(a->down[e]))
            return cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: a weight of expert %zu is missing", e);
        const struct kernels_weight_desc *first = &a->gate[0]->desc, *gate = &a->gate[e]->desc, *up = &a->up[e]->desc,
                                         *down = &a->down[e]->desc;
        if (gate->rows != first->rows || gate->cols != first->cols || up->rows != first->rows ||
            up->cols != first->cols || down->rows != first->cols || down->cols != first->rows)
            return cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: the weights of expert %zu are not of one shape",
                             e);
        if (gate->format != first->format || up->format != first->format || down->format != a->down[0]->desc.format)
            return cuda_fail(device, KERNELS_UNSUPPORTED,
                             "expert_ffn: expert %zu: gate, up and each expert want one format", e);
    }
    return KERNELS_OK;
}

/* Views of the experts' weights on the device: gate, up, down, one list after the other. */
static const weight_view *stage_views(struct kernels_device *device, const struct kernels_expert_ffn *a, size_t n)
{
    weight_view views[3 * KERNELS_MAX_EXPERTS];
    for (size_t e = 0; e < n; e++) { /* whole, with what lies between their parts: they are compared so */
        memcpy(&views[e], &a->gate[e]->view, sizeof *views);
        memcpy(&views[n + e], &a->up[e]->view, sizeof *views);
        memcpy(&views[2 * n + e], &a->down[e]->view, sizeof *views);
    }
    return (const weight_view *)cuda_constant(device, views, 3 * n * sizeof *views);
}

/* Experts of one format may still have blocks of different sizes. */
static bool are_codes(const struct kernels_weight *const *weights, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!cuda_are_codes(weights[i]->view)) return false;
    return true;
}

/* The own kernels: one launch for all experts' gate and up, one for down. */
static enum kernels_status multiply_experts(struct kernels_device *device, const struct kernels_expert_ffn *a,
                                            const weight_view *views, const sort_args &order, float *results)
{
    const size_t n = order.n_experts, pairs = (size_t)order.n_rows * order.top_k, f = a->gate[0]->desc.rows;
    float *hidden = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_HIDDEN, pairs * f * sizeof *hidden);
    if (!hidden) return device->failure.code;
    multiply_args gated = product(a->x, a->gate[0], hidden, pairs);
    gated.weights = views, gated.second = views + n;
    gated.n_groups = (uint32_t)n;
    gated.starts = a->ids ? order.starts : NULL, gated.rows = a->ids ? order.rows : NULL;
    gated.activation = a->activation;
    gated.as_codes = gated.as_codes && are_codes(a->gate, n) && are_codes(a->up, n);
    multiply_args down = product(hidden, a->down[0], results, pairs);
    down.weights = views + 2 * n;
    down.n_groups = (uint32_t)n;
    down.starts = gated.starts;
    down.as_codes = down.as_codes && are_codes(a->down, n);
    if (gated.as_codes && down.as_codes) /* which rounds them anyway: once written instead of twice read */
        down.x16 = gated.out16 = (uint16_t *)hidden;
    if (!multiply(device, gated, a->n_rows)) return device->failure.code;
    return multiply(device, down, pairs) ? KERNELS_OK : device->failure.code;
}

enum kernels_status cuda_op_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *a)
{
    enum kernels_status status = check_experts(device, a);
    if (status != KERNELS_OK || a->n_rows == 0) return status;
    const size_t n = a->ids ? a->n_experts : 1, top_k = a->ids ? a->top_k : 1, pairs = a->n_rows * top_k;
    const size_t k = a->gate[0]->desc.cols;
    const weight_view *views = stage_views(device, a, n);
    const bool by_library = cuda_library_takes_experts(device, a, n, pairs, &status);
    float *results = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_RESULTS, pairs * k * sizeof *results);
    const sort_args order = sort_places(device, a->ids, a->n_rows, n, top_k);
    if (by_library) cuda_step_is_unfit(device);
    if (status != KERNELS_OK) return status;
    if (!views || !results || !order.starts) return device->failure.code;

    const auto &sorted = device->sorted;
    const bool is_sorted =
        a->ids && sorted.ids == a->ids && sorted.n_rows == a->n_rows && sorted.n_experts == n && sorted.top_k == top_k;
    if (a->ids && !is_sorted) cuda_sort_by_expert(order, device->stream);
    device->sorted = {};
    status = cuda_check_launch(device, "expert_ffn"); /* what follows reads places: they have to be there */
    if (status != KERNELS_OK) return status;
    if (by_library) {
        const struct cuda_library_experts experts = {a, views, a->ids ? order.starts : NULL, a->ids ? order.rows : NULL,
                                                     n, pairs};
        status = cuda_library_multiply_experts(device, &experts, results);
    } else {
        status = multiply_experts(device, a, views, order, results);
    }
    if (status != KERNELS_OK) return status;
    const combine_args sums = {results,    a->ids ? a->weights : NULL, a->ids ? order.places : NULL,
                               a->out,     (uint32_t)a->n_rows,        (uint32_t)top_k,
                               (uint32_t)k};
    device->waiting.sums = sums;
    device->waiting.is_there = true;
    return KERNELS_OK;
}

enum kernels_status cuda_op_add(struct kernels_device *device, float *out, const float *x, size_t n_values)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (n_values && (!out || !x)) return cuda_fail(device, KERNELS_BAD_SHAPE, "add: out or x missing");
    cuda_add(out, x, n_values, device->stream);
    return cuda_check_launch(device, "add");
}

enum kernels_status cuda_op_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (a->n_rows && a->cols && (!a->x || !a->out || !a->rows))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "gather_rows: x, out or rows missing");
    if (a->n_rows == 0 || a->cols == 0) return KERNELS_OK;
    const size_t size_bytes = a->n_rows * sizeof *a->rows; /* which are the same every time in a step */
    const uint32_t *rows = (const uint32_t *)(device->steps.now ? cuda_constant(device, a->rows, size_bytes)
                                                                : cuda_stage(device, a->rows, size_bytes));
    if (!rows) return device->failure.code;
    cuda_gather_rows(a->x, rows, a->out, (uint32_t)a->n_rows, (uint32_t)a->cols, device->stream);
    return cuda_check_launch(device, "gather_rows");
}

enum kernels_status cuda_op_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *a)
{
    if (is_lost(device)) return KERNELS_DEVICE_LOST;
    if (!is_ready(a->head) || (a->n_items && (!a->x || !a->out || !a->rows || !a->token_ids)))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "gather_logits: x, head, out, rows or token_ids missing");
    for (size_t i = 0; i < a->n_items; i++)
        if (a->token_ids[i] < 0 || (size_t)a->token_ids[i] >= a->head->desc.rows)
            return cuda_fail(device, KERNELS_BAD_SHAPE, "gather_logits: token_ids[%zu]: want below %zu, got %d", i,
                             a->head->desc.rows, a->token_ids[i]);
    if (a->n_items == 0) return KERNELS_OK;
    const uint32_t *rows = (const uint32_t *)cuda_stage(device, a->rows, a->n_items * sizeof *rows);
    const int32_t *tokens = (const int32_t *)cuda_stage(device, a->token_ids, a->n_items * sizeof *tokens);
    if (!rows || !tokens) return device->failure.code;
    cuda_multiply_items(a->x, a->head->view, rows, tokens, a->out, (uint32_t)a->n_items, device->stream);
    return cuda_check_launch(device, "gather_logits");
}
