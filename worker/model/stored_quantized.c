/* stored_quantized.c: weights that bitsandbytes quantized before they were stored: 4 bits (nf4, fp4; plain or nested; single or in a
 * stack of experts) and 8 bits. What the file says is kept to the bit, or turned into a form of exactly the same values. */
#include "worker/base/alloc.h"
#include "worker/model/load_plan.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NESTED_BLOCK     256 /* the only one that backends keep */
#define MAP_AT           (16 * sizeof(float))
#define NESTED_ABSMAX_AT (MAP_AT + 256 * sizeof(float))
#define PIECE            16384 /* elements of a write */

static uint64_t blocks_of(uint64_t n, uint64_t block)
{
    assert(block > 0);
    return (n + block - 1) / block;
}

/* The companion tensor of `base`, of that type and number of elements; *out is NULL where it may be absent and is. */
static enum status companion(struct load_plan *plan, const char *base, const char *suffix, enum tensor_dtype dtype,
                             uint64_t n, const struct tensor_info **out)
{
    char name[256];
    snprintf(name, sizeof(name), "%s.%s", base, suffix);
    *out = load_take(plan, name);
    if (!*out) return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: the tensor is missing", name);
    if ((*out)->dtype != dtype || (*out)->n_elements != n)
        return load_tensor_invalid(plan, *out, DOCKET_CORRUPT, "want %llu values of %s, found %llu of %s",
                                   (unsigned long long)n, tensor_dtype_name(dtype),
                                   (unsigned long long)(*out)->n_elements, tensor_dtype_name((*out)->dtype));
    return DOCKET_OK;
}

static enum status read_state(struct load_plan *plan, const struct tensor_info *t, const struct tensor_info *text,
                              struct quant_state *out)
{
    char json[QUANT_STATE_MAX_BYTES];
    if (text->dtype != DTYPE_U8 || text->size_bytes > sizeof(json))
        return load_tensor_invalid(plan, text, DOCKET_CORRUPT, "want at most %d bytes of U8, found %llu of %s",
                                   QUANT_STATE_MAX_BYTES, (unsigned long long)text->size_bytes,
                                   tensor_dtype_name(text->dtype));
    enum status st = tensor_read(plan->files, text, 0, json, (size_t)text->size_bytes, plan->err);
    if (st != DOCKET_OK) return st;
    st = quant_state_parse(out, json, (size_t)text->size_bytes, plan->err);
    if (st != DOCKET_OK) {
        error_prefix(plan->err, "%s: %s", tensor_file_name(plan->files, text->file), text->name);
        return st;
    }
    const char *mark = strrchr(text->name, '_');
    if (out->own_bits || out->fp4 != (strcmp(mark + 1, "fp4") == 0))
        return load_tensor_invalid(plan, text, DOCKET_CORRUPT, "$.quant_type: says %s, the name %s",
                                   out->own_bits ? "a format of docket"
                                   : out->fp4    ? "fp4"
                                                 : "nf4",
                                   mark + 1);
    uint64_t bytes = blocks_of(out->n_elements, 2);
    if (t->size_bytes != bytes) /* of any type: the bytes count (quant_storage) */
        return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "want %llu bytes for %llu weights of 4 bits, found %llu",
                                   (unsigned long long)bytes, (unsigned long long)out->n_elements,
                                   (unsigned long long)t->size_bytes);
    return DOCKET_OK;
}

/* The record of that tensor's quantization, made when its first item is listed. */
static enum status find_four_bits(struct load_plan *plan, const struct tensor_info *t, const struct tensor_info *text,
                                  size_t *index)
{
    struct four_bits f = {.codes = t};
    enum status st;
    for (size_t i = plan->n_four_bits; i-- > 0 && plan->n_four_bits - i <= 2;) /* the stacks of a layer are two */
        if (plan->four_bits[i].codes == t) {
            *index = i;
            return DOCKET_OK;
        }
    if ((st = read_state(plan, t, text, &f.state)) != DOCKET_OK) return st;
    f.n_blocks = blocks_of(f.state.n_elements, f.state.block_size);
    enum tensor_dtype scales = f.state.nested ? DTYPE_U8 : DTYPE_F32;
    if ((st = companion(plan, t->name, "absmax", scales, f.n_blocks, &f.absmax)) != DOCKET_OK) return st;
    if ((st = companion(plan, t->name, "quant_map", DTYPE_F32, 16, &f.quant_map)) != DOCKET_OK) return st;
    if (f.state.nested) {
        f.n_nested_blocks = blocks_of(f.n_blocks, f.state.nested_block_size);
        st = companion(plan, t->name, "nested_absmax", DTYPE_F32, f.n_nested_blocks, &f.nested_absmax);
        if (st == DOCKET_OK) st = companion(plan, t->name, "nested_quant_map", DTYPE_F32, 256, &f.nested_map);
        if (st != DOCKET_OK) return st;
    }
    if (plan->n_four_bits == plan->four_bits_capacity) {
        size_t capacity = plan->four_bits_capacity ? plan->four_bits_capacity * 2 : 64;
        struct four_bits *more = mem_resize(plan->four_bits, capacity, sizeof(*more));
        if (!more) return fail(plan->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of quantized tensors");
        plan->four_bits = more;
        plan->four_bits_capacity = capacity;
    }
    *index = plan->n_four_bits;
    plan->four_bits[plan->n_four_bits++] = f;
    return DOCKET_OK;
}

/* What is quantized in the file stays so: a setting may only name the format that it has. */
static enum status check_setting(const struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                                 enum kernels_format format, enum kernels_format nested)
{
    enum kernels_format asked = format;
    if (wish->part != N_MODEL_PARTS) quantization_of(plan->quantization, wish->part, &asked);
    if (asked == format || asked == nested) return DOCKET_OK;
    return load_tensor_invalid(plan, t, DOCKET_BAD_CONFIG,
                               "is stored in %s, quantization asks for %s: choose none or %s, or take the original",
                               docket_kernels_format_name(format), docket_kernels_format_name(asked),
                               docket_kernels_format_name(format));
}

static enum status plan_four_bits(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                                  const struct tensor_info *text, struct item *item)
{
    enum status st = find_four_bits(plan, t, text, &item->four_bits);
    if (st != DOCKET_OK) return st;
    struct four_bits *f = &plan->four_bits[item->four_bits];
    const struct quant_state *s = &f->state;
    if ((st = load_check_shape(plan, wish, t, s->rank, s->shape)) != DOCKET_OK) return st;
    enum kernels_format plain = s->fp4 ? KERNELS_FP4 : KERNELS_NF4;
    enum kernels_format nested = s->fp4 ? KERNELS_FP4_NESTED : KERNELS_NF4_NESTED;
    if ((st = check_setting(plan, wish, t, plain, nested)) != DOCKET_OK) return st;
    uint64_t first = wish->first_element, end = first + (uint64_t)wish->rows * wish->cols;
    uint64_t block = first / s->block_size, n_blocks = blocks_of(end, s->block_size) - block;
    bool on_edge = first % s->block_size == 0;
    bool nests = s->nested && s->nested_block_size == NESTED_BLOCK && block % NESTED_BLOCK == 0;
    /* Routers are computed in f32. Blocks that reach over two experts are no blocks of either. */
    item->desc.format = wish->part == N_MODEL_PARTS || !on_edge ? KERNELS_F32 : nests ? nested : plain;
    item->kind = ITEM_FOUR_BITS;
    item->first_block = (size_t)block;
    size_t width = s->nested ? 1 : sizeof(float);
    uint64_t codes = blocks_of(end, 2) - first / 2;
    item->absmax_at = (size_t)((codes + 63) / 64 * 64);
    item->memory_bytes = item->absmax_at + (size_t)n_blocks * width;
    load_add_segment(item, t, first / 2, codes, TO_ITEM, 0);
    load_add_segment(item, f->absmax, block * width, n_blocks * width, TO_ITEM, item->absmax_at);
    f->n_items++;
    return DOCKET_OK;
}

static enum status plan_eight_bits(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                                   struct item *item)
{
    char base[256];
    const struct tensor_info *scales;
    size_t length = strlen(t->name) - strlen(".weight");
    snprintf(base, sizeof(base), "%.*s", (int)length, t->name);
    enum status st = load_check_shape(plan, wish, t, t->rank, t->shape);
    if (st == DOCKET_OK) st = companion(plan, base, "SCB", DTYPE_F32, wish->rows, &scales);
    if (st == DOCKET_OK) st = check_setting(plan, wish, t, KERNELS_INT8, KERNELS_INT8);
    if (st != DOCKET_OK) return st;
    snprintf(base + length, sizeof(base) - length, ".weight_format");
    const struct tensor_info *format = load_take(plan, base);
    unsigned char order = 0;
    if (format && (format->dtype != DTYPE_U8 || format->n_elements != 1))
        return load_tensor_invalid(plan, format, DOCKET_CORRUPT, "want one value of U8, found %llu of %s",
                                   (unsigned long long)format->n_elements, tensor_dtype_name(format->dtype));
    if (format && (st = tensor_read(plan->files, format, 0, &order, 1, plan->err)) != DOCKET_OK) return st;
    if (order != 0)
        return load_tensor_invalid(plan, format, DOCKET_UNSUPPORTED, "order %u of the bytes is not read, only 0 (rows)",
                                   order);
    item->kind = ITEM_EIGHT_BITS;
    item->desc.format = wish->part == N_MODEL_PARTS ? KERNELS_F32 : KERNELS_INT8;
    item->absmax_at = (size_t)((t->size_bytes + 63) / 64 * 64);
    item->memory_bytes = item->absmax_at + (size_t)scales->size_bytes;
    load_add_segment(item, t, 0, t->size_bytes, TO_ITEM, 0);
    load_add_segment(item, scales, 0, scales->size_bytes, TO_ITEM, item->absmax_at);
    return DOCKET_OK;
}

enum status stored_quantized_plan(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                                  struct item *item, bool *found)
{
    static const char *const states[] = {"quant_state.bitsandbytes__nf4", "quant_state.bitsandbytes__fp4"};
    static const char weight[] = ".weight";
    char name[256];
    size_t n = strlen(t->name);
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        snprintf(name, sizeof(name), "%s.%s", t->name, states[i]);
        const struct tensor_info *text = load_take(plan, name);
        if (!text) continue;
        *found = true;
        return plan_four_bits(plan, wish, t, text, item);
    }
    enum status st = stored_own_plan(plan, wish, t, item, found);
    if (st != DOCKET_OK || *found) return st;
    *found = t->dtype == DTYPE_I8 && !wish->stack && n > sizeof(weight) && strcmp(t->name + n - 7, weight) == 0;
    return *found ? plan_eight_bits(plan, wish, t, item) : DOCKET_OK;
}

void stored_quantized_list_tables(struct load_plan *plan)
{
    for (size_t i = 0; i < plan->n_items; i++) {
        struct item *item = &plan->items[i];
        if (item->kind != ITEM_FOUR_BITS) continue;
        struct four_bits *f = &plan->four_bits[item->four_bits];
        if (f->tables_are_listed) continue;
        f->tables_are_listed = true;
        load_add_segment(item, f->quant_map, 0, f->quant_map->size_bytes, TO_TABLES, 0);
        if (!f->state.nested) continue;
        load_add_segment(item, f->nested_map, 0, f->nested_map->size_bytes, TO_TABLES, MAP_AT);
        load_add_segment(item, f->nested_absmax, 0, f->nested_absmax->size_bytes, TO_TABLES, NESTED_ABSMAX_AT);
    }
}

/* The sixteen values as the backend has them: from a weight of one block that holds every code. */
static enum status own_values(const struct device *device, enum kernels_format format, float values[16],
                              struct error *err)
{
    const struct kernels_backend *b = device->backend;
    const struct kernels_weight_desc desc = {format, 1, 16};
    uint8_t codes[8];
    float one = 1;
    struct kernels_error detail = {0};
    struct kernels_parts parts = {.codes = codes, .absmax = &one};
    for (unsigned i = 0; i < 8; i++) codes[i] = (uint8_t)(2 * i << 4 | (2 * i + 1));
    struct kernels_weight *w = b->weight_from_parts(device->handle, &desc, &parts, &detail);
    enum kernels_status ks = w ? b->weight_read(device->handle, w, values) : detail.code ? detail.code : KERNELS_FAILED;
    if (w) b->weight_free(device->handle, w);
    return device_status(ks, &detail, docket_kernels_format_name(format), err);
}

static enum status all_finite(const struct load_plan *plan, const struct tensor_info *t, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "value %zu: want a finite number, found %g", i,
                                       (double)values[i]);
    return DOCKET_OK;
}

/* Libraries have printed the same sixteen values with differences in the last place; others are another format. */
static enum status check_tables(const struct load_plan *plan, const struct device *device, const struct four_bits *f)
{
    const float *map = (const float *)(const void *)f->tables;
    float own[16];
    enum status st = own_values(device, f->state.fp4 ? KERNELS_FP4 : KERNELS_NF4, own, plan->err);
    for (size_t i = 0; i < 16 && st == DOCKET_OK; i++)
        if (!(fabsf(map[i] - own[i]) <= 1e-6f))
            st = load_tensor_invalid(plan, f->quant_map, DOCKET_UNSUPPORTED, "value %zu: %s has %.9g there, found %.9g",
                                     i, f->state.fp4 ? "fp4" : "nf4", (double)own[i], (double)map[i]);
    if (st != DOCKET_OK || !f->state.nested) return st;
    st = all_finite(plan, f->nested_map, (const float *)(const void *)(f->tables + MAP_AT), 256);
    if (st != DOCKET_OK) return st;
    return all_finite(plan, f->nested_absmax, (const float *)(const void *)(f->tables + NESTED_ABSMAX_AT),
                      (size_t)f->n_nested_blocks);
}

/* Scale of a block of the tensor: product rounded, then sum rounded, as the library does it. */
static float unnest(const struct four_bits *f, size_t block, uint8_t code)
{
    const float *map = (const float *)(const void *)(f->tables + MAP_AT);
    const float *absmax = (const float *)(const void *)(f->tables + NESTED_ABSMAX_AT);
    float product = map[code] * absmax[block / f->state.nested_block_size];
    return product + f->state.nested_offset;
}

/* Values piece by piece, for weights that cannot stay as they are stored. */
static enum status place_values(const struct device *device, const struct item *item,
                                float (*value)(const void *context, size_t i), const void *context, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    size_t n = item->desc.rows * item->desc.cols;
    struct kernels_error detail = {0};
    float *piece = mem_alloc(PIECE * sizeof(float));
    if (!piece) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for values of %s", load_item_name(item));
    *item->slot = b->weight_begin(device->handle, &item->desc, &detail);
    enum kernels_status ks = *item->slot ? KERNELS_OK : detail.code ? detail.code : KERNELS_FAILED;
    for (size_t at = 0; at < n && ks == KERNELS_OK; at += PIECE) {
        size_t count = n - at < PIECE ? n - at : PIECE;
        for (size_t i = 0; i < count; i++) piece[i] = value(context, at + i);
        ks = b->weight_write(device->handle, *item->slot, KERNELS_F32, piece, count, &detail);
        if (ks == KERNELS_OK) ks = b->wait(device->handle, b->record(device->handle));
    }
    if (ks == KERNELS_OK) ks = b->weight_finish(device->handle, *item->slot, &detail);
    mem_free(piece);
    return device_status(ks, &detail, load_item_name(item), err);
}

struct stored_values {
    const struct four_bits *four_bits;
    const struct item *item;
    const unsigned char *memory;
    const float *scales; /* of the blocks that were read, or of the rows */
};

static float four_bit_value(const void *context, size_t i)
{
    const struct stored_values *v = context;
    const float *map = (const float *)(const void *)v->four_bits->tables;
    uint64_t element = v->item->first_element + i;
    uint8_t byte = v->memory[element / 2 - v->item->first_element / 2];
    return map[element % 2 ? byte & 15 : byte >> 4] *
           v->scales[element / v->four_bits->state.block_size - v->item->first_block];
}

static float eight_bit_value(const void *context, size_t i)
{
    const struct stored_values *v = context;
    return (float)(int8_t)v->memory[i] * v->scales[i / v->item->desc.cols] / 127;
}

static enum status place_parts(const struct device *device, const struct item *item, const struct kernels_parts *parts,
                               struct error *err)
{
    struct kernels_error detail = {0};
    *item->slot = device->backend->weight_from_parts(device->handle, &item->desc, parts, &detail);
    if (*item->slot) return DOCKET_OK;
    return device_status(detail.code ? detail.code : KERNELS_FAILED, &detail, load_item_name(item), err);
}

static enum status place_four_bits(struct load_plan *plan, const struct device *device, const struct item *item,
                                   unsigned char *memory, struct error *err)
{
    struct four_bits *f = &plan->four_bits[item->four_bits];
    const struct quant_state *s = &f->state;
    unsigned char *absmax = memory + item->absmax_at;
    size_t n_blocks = (item->memory_bytes - item->absmax_at) / (s->nested ? 1 : sizeof(float));
    float *plain = s->nested ? NULL : (float *)(void *)absmax, *made = NULL;
    struct kernels_parts parts = {.codes = memory, .block_size = s->block_size};
    enum status st = plain ? all_finite(plan, f->absmax, plain, n_blocks) : DOCKET_OK;
    if (st != DOCKET_OK) return st;
    if (item->desc.format == KERNELS_NF4_NESTED || item->desc.format == KERNELS_FP4_NESTED) {
        parts.absmax_codes = absmax;
        parts.nested_map = (float *)(void *)(f->tables + MAP_AT);
        parts.nested_absmax = (float *)(void *)(f->tables + NESTED_ABSMAX_AT) + item->first_block / NESTED_BLOCK;
        parts.nested_offset = s->nested_offset;
        return place_parts(device, item, &parts, err);
    }
    if (s->nested) {
        made = mem_alloc(n_blocks * sizeof(*made));
        if (!made)
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the scales of %s", load_item_name(item));
        for (size_t i = 0; i < n_blocks; i++) made[i] = unnest(f, item->first_block + i, absmax[i]);
        plain = made;
    }
    if (item->desc.format == KERNELS_F32) {
        const struct stored_values values = {f, item, memory, plain};
        st = place_values(device, item, four_bit_value, &values, err);
    } else {
        parts.absmax = plain;
        st = place_parts(device, item, &parts, err);
    }
    mem_free(made);
    return st;
}

static enum status place_eight_bits(struct load_plan *plan, const struct device *device, const struct item *item,
                                    unsigned char *memory, struct error *err)
{
    float *scales = (float *)(void *)(memory + item->absmax_at);
    const struct stored_values values = {NULL, item, memory, scales};
    const struct kernels_parts parts = {.codes = memory, .absmax = scales};
    enum status st = all_finite(plan, item->segments[1].tensor, scales, item->desc.rows);
    if (st != DOCKET_OK) return st;
    return item->desc.format == KERNELS_F32 ? place_values(device, item, eight_bit_value, &values, err)
                                            : place_parts(device, item, &parts, err);
}

enum status stored_quantized_place(struct load_plan *plan, const struct device *device, const struct item *item,
                                   unsigned char *memory, struct error *err)
{
    if (item->kind == ITEM_OWN) return stored_own_place(plan, device, item, memory, err);
    if (item->kind == ITEM_EIGHT_BITS) return place_eight_bits(plan, device, item, memory, err);
    struct four_bits *f = &plan->four_bits[item->four_bits];
    bool first = item->n_segments > 2;
    enum status st = first ? check_tables(plan, device, f) : DOCKET_OK;
    if (st == DOCKET_OK) st = place_four_bits(plan, device, item, memory, err);
    if (--f->n_items == 0) {
        mem_free(f->tables);
        f->tables = NULL;
    }
    return st;
}
