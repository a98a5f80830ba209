/* load_plan.c: the names under which families keep their tensors → a list of weights and the bytes that they are made of. */
#include "worker/model/load_plan.h"

#include "worker/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AS_STORED N_MODEL_PARTS

/* The ways in which checkpoints spell the experts of a layer, whatever the family. */
static const struct spelling {
    const char *router, *experts;
    const char *gate, *up, *down; /* stacked: gate above up in one tensor, all experts in it */
    bool stacked;
} spellings[] = {
    {"block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2", false},
    {"mlp.gate", "mlp.experts", "gate_proj", "up_proj", "down_proj", false},
    {"mlp.gate", "mlp.experts", "gate_up_proj", NULL, "down_proj", true},
};

enum status load_tensor_invalid(const struct load_plan *plan, const struct tensor_info *t, enum status status,
                                const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fail(plan->err, status, CODE_model_tensor_invalid, "%s: %s: %s (at byte %llu)",
                tensor_file_name(plan->files, t->file), t->name, what, (unsigned long long)t->offset);
}

const char *load_item_name(const struct item *item)
{
    return item->own_name ? item->own_name : item->tensor->name;
}

bool load_source_format(enum tensor_dtype dtype, enum kernels_format *out)
{
    switch (dtype) {
    case DTYPE_F32:
        *out = KERNELS_F32;
        return true;
    case DTYPE_F16:
        *out = KERNELS_F16;
        return true;
    case DTYPE_BF16:
        *out = KERNELS_BF16;
        return true;
    case DTYPE_F8_E4M3:
        *out = KERNELS_F8_E4M3;
        return true;
    default:
        return false;
    }
}

const struct tensor_info *load_take(struct load_plan *plan, const char *name)
{
    const struct tensor_info *t = tensor_find(plan->files, name);
    if (t) plan->used[t - tensor_at(plan->files, 0)] = true;
    return t;
}

void load_add_segment(struct item *item, const struct tensor_info *t, uint64_t at, uint64_t size_bytes,
                      enum segment_goal goal, size_t to)
{
    item->segments[item->n_segments++] =
        (struct segment){.tensor = t, .at = at, .size_bytes = size_bytes, .to = to, .goal = goal};
}

enum status load_check_shape(const struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                             unsigned rank, const uint64_t *shape)
{
    uint64_t want[3];
    unsigned n = 0;
    char wanted[80] = "", found[120] = "";
    if (wish->stack) want[n++] = wish->stack;
    if (wish->rank > 1 || wish->stack) want[n++] = wish->stack ? wish->stack_rows : wish->rows;
    want[n++] = wish->cols;
    bool same = rank == n;
    for (unsigned i = 0; i < n && same; i++) same = shape[i] == want[i];
    if (same) return DOCKET_OK;
    for (unsigned i = 0; i < n; i++)
        snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), "%s%llu", i ? ", " : "",
                 (unsigned long long)want[i]);
    for (unsigned i = 0; i < rank && i < 4; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%llu", i ? ", " : "",
                 (unsigned long long)shape[i]);
    return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "want shape [%s], found [%s%s]", wanted, found,
                               rank > 4 ? ", …" : "");
}

/* The scale that an f8 tensor is stored with: one, one a row, or one for each tile. */
static enum status plan_scale(struct load_plan *plan, struct item *item)
{
    char name[256];
    size_t rows = item->desc.rows, cols = item->desc.cols, block_rows = plan->config->f8_block_rows,
           block_cols = plan->config->f8_block_cols;
    snprintf(name, sizeof(name), "%s_scale_inv", item->tensor->name);
    const struct tensor_info *scale = load_take(plan, name);
    if (!scale) {
        snprintf(name, sizeof(name), "%s_scale", item->tensor->name);
        scale = load_take(plan, name);
    }
    if (!scale) return DOCKET_OK;
    size_t tiles_down = block_rows ? (rows + block_rows - 1) / block_rows : 1;
    size_t tiles_across = block_cols ? (cols + block_cols - 1) / block_cols : 1;
    if (scale->dtype != DTYPE_F32)
        return load_tensor_invalid(plan, scale, DOCKET_UNSUPPORTED, "%s scales are not read, only F32",
                                   tensor_dtype_name(scale->dtype));
    bool by_row = scale->n_elements == rows && scale->rank >= 1 && scale->shape[0] == rows;
    bool by_tile = scale->rank == 2 && scale->shape[0] == tiles_down && scale->shape[1] == tiles_across;
    item->scale_rows = by_tile ? block_rows : by_row ? 1 : 0;
    item->scale_cols = by_tile ? block_cols : 0;
    if (!by_tile && !by_row && scale->n_elements != 1)
        return load_tensor_invalid(plan, scale, DOCKET_CORRUPT,
                                   "want one scale, one for each of %zu rows, or [%zu, %zu], found %llu", rows,
                                   tiles_down, tiles_across, (unsigned long long)scale->n_elements);
    item->scaled = true;
    item->memory_bytes = (size_t)scale->size_bytes;
    load_add_segment(item, scale, 0, scale->size_bytes, TO_ITEM, 0);
    return DOCKET_OK;
}

static enum status plan_values(struct load_plan *plan, const struct wish *wish, struct item *item)
{
    const struct tensor_info *t = item->tensor;
    enum status st = load_check_shape(plan, wish, t, t->rank, t->shape);
    if (st != DOCKET_OK) return st;
    if (!load_source_format(t->dtype, &item->desc.format))
        return load_tensor_invalid(plan, t, DOCKET_UNSUPPORTED,
                                   "%s tensors are not read, only F32, F16, BF16 and F8_E4M3",
                                   tensor_dtype_name(t->dtype));
    if (item->desc.format == KERNELS_F8_E4M3) {
        if (wish->stack)
            return load_tensor_invalid(plan, t, DOCKET_UNSUPPORTED, "stacked experts in F8_E4M3 are not read");
        item->desc.format = KERNELS_BF16; /* which has every value of it */
        if ((st = plan_scale(plan, item)) != DOCKET_OK) return st;
    }
    if (wish->part != AS_STORED) quantization_of(plan->quantization, wish->part, &item->desc.format);
    uint64_t width = tensor_dtype_bytes(t->dtype);
    load_add_segment(item, t, wish->first_element * width, (uint64_t)wish->rows * wish->cols * width, TO_WEIGHT, 0);
    return DOCKET_OK;
}

static enum status no_memory(const struct load_plan *plan)
{
    return fail(plan->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of tensors");
}

/* Adds the weight that is made of the tensor of that name. */
static enum status want(struct load_plan *plan, const struct wish *wish, const char *name)
{
    const struct tensor_info *t = load_take(plan, name);
    struct item item = {.tensor = t,
                        .slot = wish->slot,
                        .desc = {.rows = wish->rows, .cols = wish->cols},
                        .first_element = wish->first_element};
    bool found = false;
    enum status st = DOCKET_OK;
    if (!t) return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: the tensor is missing", name);
    if (plan->n_items == plan->items_capacity) {
        size_t capacity = plan->items_capacity ? plan->items_capacity * 2 : 256;
        struct item *items = mem_resize(plan->items, capacity, sizeof(*items));
        if (!items) return no_memory(plan);
        plan->items = items;
        plan->items_capacity = capacity;
    }
    if (plan->config->prequantized != PREQUANTIZED_NONE) st = stored_quantized_plan(plan, wish, t, &item, &found);
    if (st == DOCKET_OK && !found) st = plan_values(plan, wish, &item);
    if (st != DOCKET_OK) return st;
    if (wish->own_name && !(item.own_name = str_dup(wish->own_name))) return no_memory(plan);
    plan->items[plan->n_items++] = item;
    return DOCKET_OK;
}

static enum status want_attention(struct load_plan *plan, size_t l)
{
    const struct model_config *c = plan->config;
    struct layer_weights *w = &plan->weights->layers[l];
    size_t dim = c->dim, q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    bool by_head = c->qk_norm == QK_NORM_HEAD, normed = c->qk_norm != QK_NORM_NONE, bias = c->attention_bias;
    const struct {
        bool there;
        const char *name;
        struct wish wish;
    } parts[] = {
        {true, "input_layernorm.weight", {&w->attention_norm, 1, dim, 1, AS_STORED, 0, 0, 0, NULL}},
        {true, "self_attn.q_proj.weight", {&w->q, q, dim, 2, PART_ATTENTION, 0, 0, 0, NULL}},
        {true, "self_attn.k_proj.weight", {&w->k, kv, dim, 2, PART_ATTENTION, 0, 0, 0, NULL}},
        {true, "self_attn.v_proj.weight", {&w->v, kv, dim, 2, PART_ATTENTION, 0, 0, 0, NULL}},
        {true, "self_attn.o_proj.weight", {&w->o, dim, q, 2, PART_ATTENTION, 0, 0, 0, NULL}},
        {bias, "self_attn.q_proj.bias", {&w->q_bias, 1, q, 1, AS_STORED, 0, 0, 0, NULL}},
        {bias, "self_attn.k_proj.bias", {&w->k_bias, 1, kv, 1, AS_STORED, 0, 0, 0, NULL}},
        {bias, "self_attn.v_proj.bias", {&w->v_bias, 1, kv, 1, AS_STORED, 0, 0, 0, NULL}},
        {bias, "self_attn.o_proj.bias", {&w->o_bias, 1, dim, 1, AS_STORED, 0, 0, 0, NULL}},
        {normed, "self_attn.q_norm.weight", {&w->q_norm, 1, by_head ? c->head_size : q, 1, AS_STORED, 0, 0, 0, NULL}},
        {normed, "self_attn.k_norm.weight", {&w->k_norm, 1, by_head ? c->head_size : kv, 1, AS_STORED, 0, 0, 0, NULL}},
        {true, "post_attention_layernorm.weight", {&w->ffn_norm, 1, dim, 1, AS_STORED, 0, 0, 0, NULL}},
    };
    char name[128];
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(parts) && st == DOCKET_OK; i++) {
        if (!parts[i].there) continue;
        snprintf(name, sizeof(name), "model.layers.%zu.%s", l, parts[i].name);
        st = want(plan, &parts[i].wish, name);
    }
    return st;
}

static const struct spelling *find_spelling(const struct load_plan *plan, size_t l)
{
    char name[128];
    for (size_t i = 0; i < ARRAY_LENGTH(spellings); i++) {
        const struct spelling *s = &spellings[i];
        if (s->stacked)
            snprintf(name, sizeof(name), "model.layers.%zu.%s.%s", l, s->experts, s->gate);
        else
            snprintf(name, sizeof(name), "model.layers.%zu.%s.0.%s.weight", l, s->experts, s->gate);
        if (tensor_find(plan->files, name)) return s;
    }
    return &spellings[strcmp(plan->config->architecture, "MixtralForCausalLM") == 0 ? 0 : 1]; /* for the message */
}

/* gate, up and down of one expert, out of two stacks. */
static enum status want_stacked(struct load_plan *plan, size_t l, size_t e, const struct spelling *s)
{
    struct layer_weights *w = &plan->weights->layers[l];
    size_t dim = plan->config->dim, f = model_config_ffn_dim(plan->config, l), n = w->n_experts;
    uint64_t one = (uint64_t)f * dim;
    const struct {
        struct kernels_weight **slot;
        size_t rows, cols, stack_rows;
        uint64_t first;
        const char *tensor, *own;
    } parts[] = {
        {&w->gate[e], f, dim, 2 * f, 2 * e * one, s->gate, "gate_proj"},
        {&w->up[e], f, dim, 2 * f, (2 * e + 1) * one, s->gate, "up_proj"},
        {&w->down[e], dim, f, dim, e * one, s->down, "down_proj"},
    };
    char name[128], own[128];
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(parts) && st == DOCKET_OK; i++) {
        snprintf(name, sizeof(name), "model.layers.%zu.%s.%s", l, s->experts, parts[i].tensor);
        snprintf(own, sizeof(own), "model.layers.%zu.%s.%zu.%s.weight", l, s->experts, e, parts[i].own);
        const struct wish wish = {
            parts[i].slot, parts[i].rows, parts[i].cols, 2, PART_FFN, n, parts[i].stack_rows, parts[i].first, own};
        st = want(plan, &wish, name);
    }
    return st;
}

static enum status want_feed_forward(struct load_plan *plan, size_t l)
{
    struct layer_weights *w = &plan->weights->layers[l];
    size_t dim = plan->config->dim, f = model_config_ffn_dim(plan->config, l);
    size_t experts = model_config_experts(plan->config, l);
    const struct spelling *s = experts ? find_spelling(plan, l) : &spellings[1];
    char name[128];
    enum status st = DOCKET_OK;
    if (experts) {
        const struct wish router = {&w->router, experts, dim, 2, AS_STORED, 0, 0, 0, NULL};
        snprintf(name, sizeof(name), "model.layers.%zu.%s.weight", l, s->router);
        st = want(plan, &router, name);
    }
    for (size_t e = 0; e < w->n_experts && st == DOCKET_OK; e++) {
        const struct {
            const char *name;
            struct wish wish;
        } parts[] = {
            {s->gate, {&w->gate[e], f, dim, 2, PART_FFN, 0, 0, 0, NULL}},
            {s->up, {&w->up[e], f, dim, 2, PART_FFN, 0, 0, 0, NULL}},
            {s->down, {&w->down[e], dim, f, 2, PART_FFN, 0, 0, 0, NULL}},
        };
        if (s->stacked) {
            st = want_stacked(plan, l, e, s);
            continue;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(parts) && st == DOCKET_OK; i++) {
            if (experts)
                snprintf(name, sizeof(name), "model.layers.%zu.%s.%zu.%s.weight", l, s->experts, e, parts[i].name);
            else
                snprintf(name, sizeof(name), "model.layers.%zu.mlp.%s.weight", l, parts[i].name);
            st = want(plan, &parts[i].wish, name);
        }
    }
    return st;
}

static int by_place(const void *a, const void *b)
{
    const struct item *i = a, *k = b;
    const struct tensor_info *x = i->tensor, *y = k->tensor;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return i->first_element < k->first_element ? -1 : i->first_element > k->first_element;
}

/* Rotary tables that old checkpoints carry are computed, not read. */
static bool may_be_left(const char *name)
{
    size_t n = strlen(name);
    static const char tail[] = "rotary_emb.inv_freq";
    return n >= sizeof(tail) - 1 && strcmp(name + n - (sizeof(tail) - 1), tail) == 0;
}

static enum status none_left_over(struct load_plan *plan)
{
    for (size_t i = 0; i < tensor_count(plan->files); i++) {
        const struct tensor_info *t = tensor_at(plan->files, i);
        if (plan->used[i] || may_be_left(t->name)) continue;
        if (plan->config->tied_head && strcmp(t->name, "lm_head.weight") == 0) continue;
        return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "the model has no place for this tensor");
    }
    return DOCKET_OK;
}

enum status load_plan_make(struct load_plan *plan)
{
    const struct model_config *c = plan->config;
    struct model_weights *w = plan->weights;
    const struct wish embedding = {&w->embedding, c->vocab, c->dim, 2, PART_EMBEDDING, 0, 0, 0, NULL};
    const struct wish norm = {&w->norm, 1, c->dim, 1, AS_STORED, 0, 0, 0, NULL};
    const struct wish head = {&w->head, c->vocab, c->dim, 2, PART_HEAD, 0, 0, 0, NULL};
    plan->used = mem_zalloc(tensor_count(plan->files), sizeof(*plan->used));
    if (!plan->used) return no_memory(plan);
    enum status st = want(plan, &embedding, "model.embed_tokens.weight");
    if (st == DOCKET_OK) st = want(plan, &norm, "model.norm.weight");
    if (st == DOCKET_OK && !c->tied_head) st = want(plan, &head, "lm_head.weight");
    for (size_t l = 0; l < c->n_layers && st == DOCKET_OK; l++) {
        st = want_attention(plan, l);
        if (st == DOCKET_OK) st = want_feed_forward(plan, l);
    }
    if (st == DOCKET_OK) st = none_left_over(plan);
    if (st != DOCKET_OK) return st;
    qsort(plan->items, plan->n_items, sizeof(*plan->items), by_place);
    stored_quantized_list_tables(plan);
    return DOCKET_OK;
}

void load_plan_free(struct load_plan *plan)
{
    for (size_t i = 0; i < plan->n_items; i++) mem_free(plan->items[i].own_name);
    for (size_t i = 0; i < plan->n_four_bits; i++) mem_free(plan->four_bits[i].tables);
    mem_free(plan->items);
    mem_free(plan->four_bits);
    mem_free(plan->used);
}
