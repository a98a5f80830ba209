/* quantized_form.c: parts of a weight → tensors. What transformers needs beside the parts is text of JSON in a tensor of bytes. */
#include "worker/model/quantized_form.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_KEY "quantization_config"

struct holder {
    struct kernels_weight_desc desc;
    struct kernels_parts parts;
    struct kernels_parts_size size;
    void *memory;
};

/* One allocation, each part at a multiple of 64 bytes. */
static enum status hold_parts(struct holder *h, const char *name, struct error *err)
{
    struct kernels_parts_size *s = &h->size;
    const size_t sizes[] = {s->codes, s->absmax, s->absmax_codes, s->nested_absmax, s->nested_map, s->scales, s->zeros};
    void *at[ARRAY_LENGTH(sizes)] = {0};
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) total += (sizes[i] + 63) & ~(size_t)63;
    h->memory = mem_alloc_aligned(total, 64);
    if (!h->memory) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for %zu bytes of it", name, total);
    unsigned char *free_at = h->memory;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        if (sizes[i]) at[i] = free_at;
        free_at += (sizes[i] + 63) & ~(size_t)63;
    }
    h->parts = (struct kernels_parts){.codes = at[0],
                                      .absmax = at[1],
                                      .absmax_codes = at[2],
                                      .nested_absmax = at[3],
                                      .nested_map = at[4],
                                      .scales = at[5],
                                      .zeros = at[6]};
    return DOCKET_OK;
}

static const char *dtype_in_torch(enum tensor_dtype dtype)
{
    return dtype == DTYPE_F32 ? "float32" : dtype == DTYPE_F16 ? "float16" : "bfloat16";
}

struct target {
    struct checkpoint *out;
    const char *name;
    struct error *err;
};

static enum status put(const struct target *t, const char *suffix, enum tensor_dtype dtype, size_t n, const void *bytes)
{
    const uint64_t shape[1] = {n};
    char *name = str_format("%s%s", t->name, suffix);
    if (!name) return fail(t->err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for a name", t->name);
    enum status st = checkpoint_add(t->out, name, dtype, 1, shape, bytes, t->err);
    mem_free(name);
    return st;
}

/* JSON as a tensor of bytes, filled up with spaces to a multiple of 8. */
static enum status put_state(const struct target *t, const char *kind, const struct holder *h, const char *dtype,
                             bool nested)
{
    struct buffer text = {0};
    struct json_writer w = {.out = &text, .spaced = true};
    char suffix[64];
    const char *type = strchr(kind, '_') + 2; /* "bitsandbytes__nf4" */
    snprintf(suffix, sizeof(suffix), ".quant_state.%s", kind);
    json_begin_object(&w, NULL);
    json_put_string(&w, "quant_type", type);
    json_put_u64(&w, "blocksize", h->parts.block_size ? h->parts.block_size : 64);
    json_put_string(&w, "dtype", dtype);
    json_begin_array(&w, "shape");
    json_put_u64(&w, NULL, h->desc.rows);
    json_put_u64(&w, NULL, h->desc.cols);
    json_end_array(&w);
    if (nested) {
        json_put_u64(&w, "nested_blocksize", 256);
        json_put_string(&w, "nested_dtype", "float32");
        json_put_double(&w, "nested_offset", (double)h->parts.nested_offset);
    }
    json_end_object(&w);
    while (!text.failed && text.length % 8) buffer_append_char(&text, ' ');
    enum status st = buffer_check(&text, t->name, t->err);
    if (st == DOCKET_OK) st = put(t, suffix, DTYPE_U8, text.length, text.data);
    buffer_free(&text);
    return st;
}

static enum status put_4bit(const struct target *t, const struct holder *h, const char *dtype)
{
    bool nf4 = h->desc.format == KERNELS_NF4 || h->desc.format == KERNELS_NF4_NESTED;
    bool nested = h->desc.format == KERNELS_NF4_NESTED || h->desc.format == KERNELS_FP4_NESTED;
    const uint64_t column[2] = {h->size.codes, 1};
    const float *map = docket_kernels_code_values(h->desc.format); /* bitsandbytes keeps them beside every weight */
    enum status st = checkpoint_add(t->out, t->name, DTYPE_U8, 2, column, h->parts.codes, t->err);
    if (st == DOCKET_OK && !nested) st = put(t, ".absmax", DTYPE_F32, h->size.absmax / 4, h->parts.absmax);
    if (st == DOCKET_OK && nested) st = put(t, ".absmax", DTYPE_U8, h->size.absmax_codes, h->parts.absmax_codes);
    if (st == DOCKET_OK) st = put(t, ".quant_map", DTYPE_F32, 16, map);
    if (st == DOCKET_OK && nested)
        st = put(t, ".nested_absmax", DTYPE_F32, h->size.nested_absmax / 4, h->parts.nested_absmax);
    if (st == DOCKET_OK && nested)
        st = put(t, ".nested_quant_map", DTYPE_F32, h->size.nested_map / 4, h->parts.nested_map);
    if (st == DOCKET_OK) st = put_state(t, nf4 ? "bitsandbytes__nf4" : "bitsandbytes__fp4", h, dtype, nested);
    return st;
}

/* SCB and weight_format hang on the module, not on its weight. */
static enum status put_int8(const struct target *t, const struct holder *h)
{
    static const char tail[] = ".weight";
    const uint64_t shape[2] = {h->desc.rows, h->desc.cols};
    const uint8_t row_major = 0;
    size_t n = strlen(t->name);
    if (n > strlen(tail) && strcmp(t->name + n - strlen(tail), tail) == 0) n -= strlen(tail);
    char *module = str_dup_n(t->name, n);
    char *format = module ? str_format("%s.weight_format", module) : NULL;
    const struct target of_module = {t->out, module, t->err};
    enum status st =
        format ? DOCKET_OK : fail(t->err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for a name", t->name);
    if (st == DOCKET_OK) st = checkpoint_add(t->out, t->name, DTYPE_I8, 2, shape, h->parts.codes, t->err);
    if (st == DOCKET_OK) st = put(&of_module, ".SCB", DTYPE_F32, h->size.absmax / 4, h->parts.absmax);
    if (st == DOCKET_OK) st = checkpoint_add(t->out, format, DTYPE_U8, 0, NULL, &row_major, t->err);
    mem_free(format);
    mem_free(module);
    return st;
}

static enum status put_own(const struct target *t, const struct holder *h, const char *dtype, const char *kind)
{
    enum status st = put(t, "", DTYPE_U8, h->size.codes, h->parts.codes);
    if (st == DOCKET_OK) st = put(t, ".scales", DTYPE_F16, h->size.scales / 2, h->parts.scales);
    if (st == DOCKET_OK && h->size.zeros) st = put(t, ".zeros", DTYPE_F16, h->size.zeros / 2, h->parts.zeros);
    if (st == DOCKET_OK) st = put_state(t, kind, h, dtype, false);
    return st;
}

static enum status put_parts(const struct target *t, const struct holder *h, const char *dtype)
{
    switch (h->desc.format) {
    case KERNELS_NF4:
    case KERNELS_NF4_NESTED:
    case KERNELS_FP4:
    case KERNELS_FP4_NESTED:
        return put_4bit(t, h, dtype);
    case KERNELS_INT8:
        return put_int8(t, h);
    case KERNELS_Q8:
        return put_own(t, h, dtype, "docket__q8");
    case KERNELS_Q4:
        return put_own(t, h, dtype, "docket__q4");
    case KERNELS_Q2:
        return put_own(t, h, dtype, "docket__q2");
    case KERNELS_Q1:
        return put_own(t, h, dtype, "docket__q1");
    default:
        return fail(t->err, DOCKET_INTERNAL, CODE_internal_error, "%s: %s has no form in a checkpoint", t->name,
                    docket_kernels_format_name(h->desc.format));
    }
}

enum status quantized_form_put(struct checkpoint *out, const struct device *device, const char *name,
                               enum tensor_dtype source_dtype, const struct kernels_weight *weight, struct error *err)
{
    struct holder h = {0};
    const struct target target = {out, name, err};
    device->backend->weight_describe(weight, &h.desc);
    enum kernels_status ks = docket_kernels_parts_size(&h.desc, 0, &h.size);
    enum status st = ks == KERNELS_OK ? hold_parts(&h, name, err) : device_status(ks, NULL, name, err);
    if (st == DOCKET_OK)
        st = device_status(device->backend->weight_read_parts(device->handle, weight, &h.parts), NULL, name, err);
    if (st == DOCKET_OK) st = put_parts(&target, &h, dtype_in_torch(source_dtype));
    mem_free(h.memory);
    return st;
}

bool quantized_form_is_bitsandbytes(const struct quantization *q)
{
    enum weight_format f = q->part[PART_FFN];
    bool known = f == QUANTIZE_NF4 || f == QUANTIZE_NF4_PLAIN || f == QUANTIZE_FP4 || f == QUANTIZE_FP4_PLAIN ||
                 f == QUANTIZE_INT8;
    return known && q->part[PART_ATTENTION] == f && q->part[PART_HEAD] == QUANTIZE_NONE &&
           q->part[PART_EMBEDDING] == QUANTIZE_NONE;
}

static void put_bitsandbytes_config(struct json_writer *w, const struct quantization *q, bool has_router)
{
    enum weight_format f = q->part[PART_FFN];
    bool int8 = f == QUANTIZE_INT8;
    json_put_string(w, "quant_method", "bitsandbytes");
    json_put_bool(w, "load_in_4bit", !int8);
    json_put_bool(w, "load_in_8bit", int8);
    json_put_string(w, "bnb_4bit_quant_type", f == QUANTIZE_FP4 || f == QUANTIZE_FP4_PLAIN ? "fp4" : "nf4");
    json_put_bool(w, "bnb_4bit_use_double_quant", f == QUANTIZE_NF4 || f == QUANTIZE_FP4);
    json_put_string(w, "bnb_4bit_compute_dtype", "bfloat16");
    json_put_string(w, "bnb_4bit_quant_storage", "uint8");
    json_put_fixed(w, "llm_int8_threshold", 6.0, 1); /* transformers refuses a whole number */
    json_put_bool(w, "llm_int8_has_fp16_weight", false);
    json_put_bool(w, "llm_int8_enable_fp32_cpu_offload", false);
    json_begin_array(w, "llm_int8_skip_modules");
    json_put_string(w, NULL, "lm_head");
    if (has_router) json_put_string(w, NULL, "gate");
    json_end_array(w);
}

/* Before the last brace, so that all else stays as it was written. */
enum status quantized_form_config(struct buffer *out, const char *config, size_t length, const struct quantization *q,
                                  bool has_router, struct error *err)
{
    struct json_writer w = {.out = out, .spaced = true};
    char name[QUANTIZATION_NAME_BYTES];
    cJSON *tree = NULL;
    enum status st = json_parse(&tree, config, length, NULL, err);
    bool good = st == DOCKET_OK && cJSON_IsObject(tree) && tree->child;
    bool has = good && cJSON_GetObjectItemCaseSensitive(tree, CONFIG_KEY);
    cJSON_Delete(tree);
    if (st != DOCKET_OK) {
        error_prefix(err, "config.json");
        return st;
    }
    if (!good) return fail(err, DOCKET_CORRUPT, CODE_model_config_unsupported, "config.json: want an object with keys");
    if (has)
        return fail(err, DOCKET_BAD_INPUT, CODE_model_config_unsupported,
                    "config.json: " CONFIG_KEY ": the model is quantized already");
    while (length && config[length - 1] != '}') length--;
    length--;
    while (length && strchr(" \t\r\n", config[length - 1])) length--;
    buffer_append(out, config, length);
    buffer_append_str(out, ",\n  \"" CONFIG_KEY "\": ");
    json_begin_object(&w, NULL);
    if (quantized_form_is_bitsandbytes(q))
        put_bitsandbytes_config(&w, q, has_router);
    else {
        json_put_string(&w, "quant_method", "docket");
        json_put_u64(&w, "version", QUANTIZED_FORM_VERSION);
        json_put_string(&w, "quantization", quantization_name(q, name));
    }
    json_end_object(&w);
    buffer_append_str(out, "\n}\n");
    return buffer_check(out, "config.json", err);
}
