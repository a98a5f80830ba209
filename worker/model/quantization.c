/* quantization.c: names of formats and parts, and the one grammar that puts them together. */
#include "worker/model/quantization.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum kernels_format kernels; /* of QUANTIZE_NONE: unused */
} weight_formats[N_WEIGHT_FORMATS] = {
    [QUANTIZE_NONE] = {"none", KERNELS_F32},
    [QUANTIZE_NF4] = {"nf4", KERNELS_NF4_NESTED},
    [QUANTIZE_NF4_PLAIN] = {"nf4-plain", KERNELS_NF4},
    [QUANTIZE_FP4] = {"fp4", KERNELS_FP4_NESTED},
    [QUANTIZE_FP4_PLAIN] = {"fp4-plain", KERNELS_FP4},
    [QUANTIZE_INT8] = {"int8", KERNELS_INT8},
    [QUANTIZE_Q8] = {"q8", KERNELS_Q8},
    [QUANTIZE_Q4] = {"q4", KERNELS_Q4},
    [QUANTIZE_Q2] = {"q2", KERNELS_Q2},
    [QUANTIZE_Q1] = {"q1", KERNELS_Q1},
};

static const char *const part_names[N_MODEL_PARTS] = {
    [PART_FFN] = "ffn", [PART_ATTENTION] = "attention", [PART_HEAD] = "head", [PART_EMBEDDING] = "embedding"};

static const struct {
    const char *name;
    enum kernels_format kernels;
} kv_formats[N_KV_FORMATS] = {
    [KV_F16] = {"f16", KERNELS_F16},
    [KV_F32] = {"f32", KERNELS_F32},
    [KV_Q8_0] = {"q8_0", KERNELS_KV_Q8_0},
    [KV_Q4_0] = {"q4_0", KERNELS_KV_Q4_0},
};

const char *weight_format_name(enum weight_format format)
{
    return weight_formats[format].name;
}

bool weight_format_kernels(enum weight_format format, enum kernels_format *out)
{
    if (format == QUANTIZE_NONE) return false;
    *out = weight_formats[format].kernels;
    return true;
}

enum weight_format weight_format_of(enum kernels_format format)
{
    for (unsigned i = QUANTIZE_NONE + 1; i < N_WEIGHT_FORMATS; i++)
        if (weight_formats[i].kernels == format) return (enum weight_format)i;
    return QUANTIZE_NONE;
}

const char *model_part_name(enum model_part part)
{
    return part_names[part];
}

const char *kv_format_name(enum kv_format format)
{
    return kv_formats[format].name;
}

enum kernels_format kv_format_kernels(enum kv_format format)
{
    return kv_formats[format].kernels;
}

bool kv_format_by_name(const char *name, enum kv_format *out)
{
    for (unsigned i = 0; i < N_KV_FORMATS; i++)
        if (strcmp(kv_formats[i].name, name) == 0) {
            *out = (enum kv_format)i;
            return true;
        }
    return false;
}

static bool format_of_word(const char *word, size_t length, enum weight_format *out)
{
    for (unsigned i = 0; i < N_WEIGHT_FORMATS; i++)
        if (strlen(weight_formats[i].name) == length && strncasecmp(weight_formats[i].name, word, length) == 0) {
            *out = (enum weight_format)i;
            return true;
        }
    return false;
}

bool weight_format_by_name(const char *name, enum weight_format *out)
{
    return format_of_word(name, strlen(name), out);
}

/* "experts" is what owners of mixture models call their feed-forward. */
static bool part_of_word(const char *word, size_t length, enum model_part *out)
{
    if (length == strlen("experts") && strncasecmp(word, "experts", length) == 0) {
        *out = PART_FFN;
        return true;
    }
    for (unsigned i = 0; i < N_MODEL_PARTS; i++)
        if (strlen(part_names[i]) == length && strncasecmp(part_names[i], word, length) == 0) {
            *out = (enum model_part)i;
            return true;
        }
    return false;
}

static enum status wrong_format(const char *setting, const char *text, const char *word, size_t length,
                                struct error *err)
{
    char allowed[160] = "";
    for (unsigned i = 0; i < N_WEIGHT_FORMATS; i++)
        snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
                 i == 0                      ? ""
                 : i + 1 == N_WEIGHT_FORMATS ? " or "
                                             : ", ",
                 weight_formats[i].name);
    return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s=\"%.100s\": \"%.*s\" is no format, want %s", setting, text,
                (int)(length < 40 ? length : 40), word, allowed);
}

/* PART=FORMAT */
static enum status parse_part(struct quantization *q, bool seen[N_MODEL_PARTS], const char *setting, const char *text,
                              const char *word, size_t length, struct error *err)
{
    const char *equals = memchr(word, '=', length);
    enum model_part part;
    int shown = (int)(length < 40 ? length : 40);
    if (!equals)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                    "%s=\"%.100s\": \"%.*s\" stands after a comma, want PART=FORMAT there", setting, text, shown, word);
    if (!part_of_word(word, (size_t)(equals - word), &part))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                    "%s=\"%.100s\": \"%.*s\": want ffn (or experts), attention, head or embedding before the '='",
                    setting, text, shown, word);
    if (seen[part])
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s=\"%.100s\": %s stands there twice", setting, text,
                    part_names[part]);
    seen[part] = true;
    size_t at = (size_t)(equals - word) + 1;
    if (!format_of_word(word + at, length - at, &q->part[part]))
        return wrong_format(setting, text, word + at, length - at, err);
    return DOCKET_OK;
}

enum status quantization_parse(struct quantization *out, const char *setting, const char *text, struct error *err)
{
    struct quantization q = {0};
    bool seen[N_MODEL_PARTS] = {0};
    size_t length = strcspn(text, ",");
    if (!format_of_word(text, length, &q.part[PART_FFN])) return wrong_format(setting, text, text, length, err);
    q.part[PART_ATTENTION] = q.part[PART_FFN];
    for (const char *at = text + length; *at == ',';) {
        at++;
        length = strcspn(at, ",");
        enum status st = parse_part(&q, seen, setting, text, at, length, err);
        if (st != DOCKET_OK) return st;
        at += length;
    }
    *out = q;
    return DOCKET_OK;
}

const char *quantization_name(const struct quantization *q, char out[QUANTIZATION_NAME_BYTES])
{
    snprintf(out, QUANTIZATION_NAME_BYTES, "%s", weight_formats[q->part[PART_FFN]].name);
    for (unsigned i = PART_FFN + 1; i < N_MODEL_PARTS; i++) {
        enum weight_format usual = i == PART_ATTENTION ? q->part[PART_FFN] : QUANTIZE_NONE;
        size_t n = strlen(out);
        if (q->part[i] != usual)
            snprintf(out + n, QUANTIZATION_NAME_BYTES - n, ",%s=%s", part_names[i], weight_formats[q->part[i]].name);
    }
    return out;
}

bool quantization_equal(const struct quantization *a, const struct quantization *b)
{
    for (unsigned i = 0; i < N_MODEL_PARTS; i++)
        if (a->part[i] != b->part[i]) return false;
    return true;
}

bool quantization_is_none(const struct quantization *q)
{
    return quantization_equal(q, &(const struct quantization){0});
}

bool quantization_of(const struct quantization *q, enum model_part part, enum kernels_format *out)
{
    return weight_format_kernels(q->part[part], out);
}
