/* check.c: refuses arguments that cannot be, before an operation touches anything. Shared by the CPU backends, so that both
 * refuse the same. Addresses are only compared with NULL: how far they reach is the caller's word. */
#include "kernels/batch_check.h"
#include "kernels/cpu/device.h"

static bool is_plain(const struct kernels_weight *weight)
{
    return weight->desc.format <= KERNELS_BF16;
}

static bool is_ready(const struct kernels_weight *weight)
{
    return weight != NULL && weight->finished;
}

enum kernels_status cpu_check_embed(struct kernels_device *device, const struct kernels_embed *args)
{
    if (!is_ready(args->table) || args->batch == NULL || (args->batch->n_rows && args->out == NULL))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "embed: table, batch or out missing");
    for (size_t row = 0; row < args->batch->n_rows; row++) {
        int32_t id = args->batch->token_ids[row];
        if (id < 0 || (size_t)id >= args->table->desc.rows)
            return cpu_fail(device, KERNELS_BAD_SHAPE, "embed: token_ids[%zu]: want below %zu, got %d", row,
                            args->table->desc.rows, id);
    }
    return KERNELS_OK;
}

enum kernels_status cpu_check_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args)
{
    if (!is_ready(args->weight) || (args->n_rows && (args->x == NULL || args->out == NULL)))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: x, weight or out missing");
    if (!is_plain(args->weight))
        return cpu_fail(device, KERNELS_UNSUPPORTED, "rmsnorm: weight: want f32, f16 or bf16, got %s",
                        docket_kernels_format_name(args->weight->desc.format));
    if (args->cols == 0 || args->weight->desc.rows != 1 || args->weight->desc.cols != args->cols)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: weight [%zu, %zu] for %zu columns",
                        args->weight->desc.rows, args->weight->desc.cols, args->cols);
    if (!(args->eps >= 0))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "rmsnorm: eps: want 0 or more, got %g", args->eps);
    return KERNELS_OK;
}

enum kernels_status cpu_check_linear(struct kernels_device *device, const struct kernels_linear *args)
{
    if (!is_ready(args->weight) || (args->n_rows && (args->x == NULL || args->out == NULL)))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "linear: x, weight or out missing");
    if (args->n_beside > KERNELS_MAX_BESIDE)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "linear: n_beside: want at most %d, got %zu", KERNELS_MAX_BESIDE,
                        args->n_beside);
    for (size_t i = 0; i < args->n_beside; i++) {
        const struct kernels_beside *one = &args->beside[i];
        if (!is_ready(one->weight) || (args->n_rows && one->out == NULL))
            return cpu_fail(device, KERNELS_BAD_SHAPE, "linear: beside[%zu]: weight or out missing", i);
        if (one->weight->desc.cols != args->weight->desc.cols)
            return cpu_fail(device, KERNELS_BAD_SHAPE, "linear: beside[%zu]: weight [%zu, %zu] for %zu columns", i,
                            one->weight->desc.rows, one->weight->desc.cols, args->weight->desc.cols);
    }
    return KERNELS_OK;
}

static enum kernels_status check_heads(struct kernels_device *device, const char *operation,
                                       const struct kernels_batch *batch, const struct kernels_kv *kv, size_t layer,
                                       size_t n_heads, size_t n_kv_heads, size_t head_size)
{
    if (batch == NULL || kv == NULL)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "%s: batch or cache missing", operation);
    if (n_heads == 0 || n_kv_heads != kv->n_kv_heads || head_size != kv->head_size || n_heads % n_kv_heads != 0)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "%s: %zu and %zu heads of %zu, cache with %zu heads of %zu",
                        operation, n_heads, n_kv_heads, head_size, kv->n_kv_heads, kv->head_size);
    if (layer >= kv->n_layers)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "%s: layer %zu of a cache of %zu", operation, layer, kv->n_layers);
    if (batch->slots_end > kv->n_slots + kv->n_running)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "%s: slot %zu of a cache of %zu", operation, batch->slots_end - 1,
                        kv->n_slots + kv->n_running);
    size_t torn = kernels_torn_sequence(batch->sequences, batch->n_sequences, kv->n_slots);
    if (torn < batch->n_sequences)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "%s: sequences[%zu]: a range on both sides of slot %zu", operation,
                        torn, kv->n_slots);
    return KERNELS_OK;
}

enum kernels_status cpu_check_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args)
{
    if (args->batch && args->batch->n_rows && (!args->q || !args->k || !args->v || !args->inverse_frequency))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "rope_kv: q, k, v or inverse_frequency missing");
    if (!(args->clip >= 0))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "rope_kv: clip: want 0 or more, got %g", args->clip);
    return check_heads(device, "rope_kv", args->batch, args->kv, args->layer, args->n_heads, args->n_kv_heads,
                       args->head_size);
}

enum kernels_status cpu_check_attention(struct kernels_device *device, const struct kernels_attention *args)
{
    if (args->batch && args->batch->n_rows && (!args->q || !args->out))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "attention: q or out missing");
    return check_heads(device, "attention", args->batch, args->kv, args->layer, args->n_heads, args->n_kv_heads,
                       args->head_size);
}

enum kernels_status cpu_check_route(struct kernels_device *device, const struct kernels_route *args)
{
    if (!is_ready(args->weight) || (args->n_rows && (!args->x || !args->ids || !args->weights)))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "route: x, weight, ids or weights missing");
    if (args->weight->desc.rows > KERNELS_MAX_EXPERTS || args->top_k == 0 || args->top_k > KERNELS_MAX_TOP_K ||
        args->top_k > args->weight->desc.rows)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "route: the best %zu of %zu experts", args->top_k,
                        args->weight->desc.rows);
    return KERNELS_OK;
}

enum kernels_status cpu_check_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    size_t n_experts = args->ids ? args->n_experts : 1;
    const struct kernels_weight_desc *first;

    if (args->n_experts == 0 || args->n_experts > KERNELS_MAX_EXPERTS || !args->gate || !args->up || !args->down ||
        (args->n_rows && (!args->x || !args->out)) || (args->ids && !args->weights))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: %zu experts, or an address missing", args->n_experts);
    if (args->ids && (args->top_k == 0 || args->top_k > KERNELS_MAX_TOP_K))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: top_k: want 1 to %d, got %zu", KERNELS_MAX_TOP_K,
                        args->top_k);
    if (args->activation != KERNELS_SILU && args->activation != KERNELS_GELU_TANH)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: activation %d is unknown", (int)args->activation);
    for (size_t e = 0; e < n_experts; e++) {
        if (!is_ready(args->gate[e]) || !is_ready(args->up[e]) || !is_ready(args->down[e]))
            return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: a weight of expert %zu is missing", e);
        first = &args->gate[0]->desc;
        if (args->gate[e]->desc.rows != first->rows || args->gate[e]->desc.cols != first->cols ||
            args->up[e]->desc.rows != first->rows || args->up[e]->desc.cols != first->cols ||
            args->down[e]->desc.rows != first->cols || args->down[e]->desc.cols != first->rows)
            return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: the weights of expert %zu are not of one shape", e);
    }
    for (size_t i = 0; args->ids && i < args->n_rows * args->top_k; i++)
        if (args->ids[i] < 0 || (size_t)args->ids[i] >= args->n_experts)
            return cpu_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: ids[%zu]: want below %zu, got %d", i,
                            args->n_experts, args->ids[i]);
    return KERNELS_OK;
}

enum kernels_status cpu_check_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args)
{
    if (args->n_rows && args->cols && (!args->x || !args->out || !args->rows))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "gather_rows: x, out or rows missing");
    return KERNELS_OK;
}

enum kernels_status cpu_check_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args)
{
    if (!is_ready(args->head) || (args->n_items && (!args->x || !args->out || !args->rows || !args->token_ids)))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "gather_logits: x, head, out, rows or token_ids missing");
    for (size_t i = 0; i < args->n_items; i++)
        if (args->token_ids[i] < 0 || (size_t)args->token_ids[i] >= args->head->desc.rows)
            return cpu_fail(device, KERNELS_BAD_SHAPE, "gather_logits: token_ids[%zu]: want below %zu, got %d", i,
                            args->head->desc.rows, args->token_ids[i]);
    return KERNELS_OK;
}
