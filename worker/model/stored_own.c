/* stored_own.c: weights in docket's own form (quantized_form.h): blocks of 64 with 8, 4, 2 or 1 bits a weight, their scales and zeros in
 * f16. What the file says is kept to the bit. */
#include "worker/model/load_plan.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

static const struct {
    unsigned bits;
    enum kernels_format format;
} forms[] = {{8, KERNELS_Q8}, {4, KERNELS_Q4}, {2, KERNELS_Q2}, {1, KERNELS_Q1}};

static size_t aligned(size_t n)
{
    return (n + 63) / 64 * 64;
}

static enum status check_state(struct load_plan *plan, const struct wish *wish, const struct tensor_info *text,
                               unsigned bits)
{
    char json[QUANT_STATE_MAX_BYTES];
    struct quant_state s = {0};
    if (text->dtype != DTYPE_U8 || text->size_bytes > sizeof(json))
        return load_tensor_invalid(plan, text, DOCKET_CORRUPT, "want at most %d bytes of U8, found %llu of %s",
                                   QUANT_STATE_MAX_BYTES, (unsigned long long)text->size_bytes,
                                   tensor_dtype_name(text->dtype));
    enum status st = tensor_read(plan->files, text, 0, json, (size_t)text->size_bytes, plan->err);
    if (st != DOCKET_OK) return st;
    st = quant_state_parse(&s, json, (size_t)text->size_bytes, plan->err);
    if (st != DOCKET_OK) {
        error_prefix(plan->err, "%s: %s", tensor_file_name(plan->files, text->file), text->name);
        return st;
    }
    if (s.own_bits != bits)
        return load_tensor_invalid(plan, text, DOCKET_CORRUPT, "$.quant_type: want q%u, as the name says", bits);
    if (s.block_size != 64 || s.nested)
        return load_tensor_invalid(plan, text, DOCKET_UNSUPPORTED, "$.blocksize: want 64, got %u", s.block_size);
    return load_check_shape(plan, wish, text, s.rank, s.shape);
}

/* A companion of exactly that many bytes. */
static enum status companion(struct load_plan *plan, const struct tensor_info *t, const char *suffix, size_t bytes,
                             const struct tensor_info **out)
{
    char name[256];
    snprintf(name, sizeof(name), "%s.%s", t->name, suffix);
    *out = load_take(plan, name);
    if (!*out) return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: the tensor is missing", name);
    if ((*out)->dtype != DTYPE_F16 || (*out)->size_bytes != bytes)
        return load_tensor_invalid(plan, *out, DOCKET_CORRUPT, "want %zu values of F16, found %llu of %s", bytes / 2,
                                   (unsigned long long)(*out)->n_elements, tensor_dtype_name((*out)->dtype));
    return DOCKET_OK;
}

enum status stored_own_plan(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                            struct item *item, bool *found)
{
    const struct tensor_info *text = NULL, *scales, *zeros = NULL;
    struct kernels_parts_size size;
    enum kernels_format asked;
    char name[256];
    size_t i;
    for (i = 0; i < ARRAY_LENGTH(forms) && !text; i++) {
        snprintf(name, sizeof(name), "%s.quant_state.docket__q%u", t->name, forms[i].bits);
        text = load_take(plan, name);
    }
    *found = text != NULL;
    if (!text) return DOCKET_OK;
    i--;
    enum status st = check_state(plan, wish, text, forms[i].bits);
    if (st != DOCKET_OK) return st;
    item->desc.format = asked = forms[i].format;
    if (wish->part != N_MODEL_PARTS) quantization_of(plan->quantization, wish->part, &asked);
    if (asked != forms[i].format)
        return load_tensor_invalid(
            plan, t, DOCKET_BAD_CONFIG,
            "is stored in q%u, quantization asks for %s: choose none or q%u, or take the original", forms[i].bits,
            docket_kernels_format_name(asked), forms[i].bits);
    if (docket_kernels_parts_size(&item->desc, 0, &size) != KERNELS_OK || t->dtype != DTYPE_U8 ||
        t->size_bytes != size.codes)
        return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "want %zu bytes of U8, found %llu of %s", size.codes,
                                   (unsigned long long)t->size_bytes, tensor_dtype_name(t->dtype));
    st = companion(plan, t, "scales", size.scales, &scales);
    if (st == DOCKET_OK && size.zeros) st = companion(plan, t, "zeros", size.zeros, &zeros);
    if (st != DOCKET_OK) return st;
    item->kind = ITEM_OWN;
    item->absmax_at = aligned(size.codes);
    item->memory_bytes = item->absmax_at + aligned(size.scales) + size.zeros;
    load_add_segment(item, t, 0, size.codes, TO_ITEM, 0);
    load_add_segment(item, scales, 0, size.scales, TO_ITEM, item->absmax_at);
    if (zeros) load_add_segment(item, zeros, 0, size.zeros, TO_ITEM, item->absmax_at + aligned(size.scales));
    return DOCKET_OK;
}

static enum status all_finite(const struct load_plan *plan, const struct tensor_info *t, const uint16_t *halves)
{
    for (size_t i = 0; i < t->n_elements; i++)
        if ((halves[i] & 0x7c00) == 0x7c00)
            return load_tensor_invalid(plan, t, DOCKET_CORRUPT, "value %zu: want a finite number", i);
    return DOCKET_OK;
}

enum status stored_own_place(struct load_plan *plan, const struct device *device, const struct item *item,
                             unsigned char *memory, struct error *err)
{
    struct kernels_error detail = {0};
    bool has_zeros = item->n_segments == 3;
    uint16_t *scales = (uint16_t *)(void *)(memory + item->absmax_at);
    uint16_t *zeros = has_zeros ? (uint16_t *)(void *)(memory + item->segments[2].to) : NULL;
    const struct kernels_parts parts = {.codes = memory, .scales = scales, .zeros = zeros};
    enum status st = all_finite(plan, item->segments[1].tensor, scales);
    if (st == DOCKET_OK && has_zeros) st = all_finite(plan, item->segments[2].tensor, zeros);
    if (st != DOCKET_OK) return st;
    *item->slot = device->backend->weight_from_parts(device->handle, &item->desc, &parts, &detail);
    if (*item->slot) return DOCKET_OK;
    return device_status(detail.code ? detail.code : KERNELS_FAILED, &detail, load_item_name(item), err);
}
