/* tokenizer_steps.c: reads the stages around the model as tokenizer.json lists them: normalizer, post-processor, decoder. A kind
 * that is not known here is refused by its name; nothing is skipped. */
#include "worker/base/json.h"
#include "worker/model/tokenizer_inner.h"

#include <stdio.h>
#include <string.h>

#define MAX_WRAP 64 /* tokens that a post-processor may add on either side */

struct reader {
    struct tokenizer *t;
    struct error *err;
    bool wrapped; /* a template was read */
};

void step_list_free(struct step_list *list)
{
    for (size_t i = 0; i < list->length; i++) {
        mem_free(list->steps[i].from);
        mem_free(list->steps[i].to);
    }
    mem_free(list->steps);
    *list = (struct step_list){0};
}

enum status tokenizer_unknown_kind(const char *path, const cJSON *object, const char *known, struct error *err)
{
    char found[128];
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
    json_describe(cJSON_IsObject(object) ? type : object, found, sizeof(found));
    return tokenizer_refuse(err, "%s: %s is not followed, only %s", path, found, known);
}

const char *tokenizer_kind_of(const cJSON *object)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
    return cJSON_IsString(type) ? type->valuestring : "";
}

/* A copy of the string at `key`. */
enum status tokenizer_take_string(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
                                  struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    char found[128];
    if (!cJSON_IsString(value)) {
        json_describe(value, found, sizeof(found));
        return tokenizer_refuse(err, "%s.%s: want a string, got %s", path, key, found);
    }
    *out = str_dup(value->valuestring);
    *length = strlen(value->valuestring);
    return *out ? DOCKET_OK : tokenizer_no_memory(err);
}

/* The same, of exactly one character. */
enum status tokenizer_take_character(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
                                     struct error *err)
{
    uint32_t code_point;
    enum status st = tokenizer_take_string(object, path, key, out, length, err);
    if (st == DOCKET_OK && (*length == 0 || utf8_next(*out, *length, &code_point) != *length))
        st = tokenizer_refuse(err, "%s.%s: want one character, got \"%.60s\"", path, key, *out);
    return st;
}

static enum status read_replace(const cJSON *object, const char *path, struct step *step, struct error *err)
{
    char inner[160];
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(object, "pattern");
    if (cJSON_GetObjectItemCaseSensitive(pattern, "Regex"))
        return tokenizer_refuse(err, "%s.pattern: \"Regex\" is not followed, only \"String\"", path);
    snprintf(inner, sizeof(inner), "%s.pattern", path);
    enum status st = tokenizer_take_string(pattern, inner, "String", &step->from, &step->from_length, err);
    if (st == DOCKET_OK && step->from_length == 0)
        st = tokenizer_refuse(err, "%s.String: want at least one character", inner);
    if (st == DOCKET_OK) st = tokenizer_take_string(object, path, "content", &step->to, &step->to_length, err);
    return st;
}

static enum status read_count(const cJSON *object, const char *path, const char *key, size_t *out, struct error *err)
{
    int64_t value = 0;
    enum status st = json_get_integer(object, path, key, 0, 1 << 20, &value, NULL, err);
    if (st != DOCKET_OK && err) err->code = CODE_tokenizer_unsupported;
    *out = (size_t)value;
    return st;
}

/* Absent and null are `fallback`. */
enum status tokenizer_take_bool(const cJSON *object, const char *path, const char *key, bool fallback, bool *out,
                                struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    *out = value && !cJSON_IsNull(value) ? cJSON_IsTrue(value) : fallback;
    if (!value || cJSON_IsNull(value) || cJSON_IsBool(value)) return DOCKET_OK;
    return tokenizer_refuse(err, "%s.%s: want true or false", path, key);
}

/* "always", "first" or "never"; older files say add_prefix_space. */
enum status tokenizer_take_scheme(const cJSON *object, const char *path, enum prepend_scheme *out, struct error *err)
{
    static const char *const names[] = {"always", "first", "never"};
    const cJSON *scheme = cJSON_GetObjectItemCaseSensitive(object, "prepend_scheme");
    const cJSON *old = cJSON_GetObjectItemCaseSensitive(object, "add_prefix_space");
    char found[128];
    bool known = !scheme;
    *out = PREPEND_ALWAYS;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (cJSON_IsString(scheme) && strcmp(scheme->valuestring, names[i]) == 0) {
            *out = (enum prepend_scheme)i;
            known = true;
        }
    if (!known) {
        json_describe(scheme, found, sizeof(found));
        return tokenizer_refuse(err, "%s.prepend_scheme: %s is not followed, only \"always\", \"first\" or \"never\"",
                                path, found);
    }
    if (old && !cJSON_IsNull(old) && (!cJSON_IsBool(old) || (cJSON_IsFalse(old) && *out != PREPEND_NEVER)))
        return tokenizer_refuse(err, "%s.add_prefix_space: contradicts prepend_scheme", path);
    return DOCKET_OK;
}

static enum status read_normalizer_step(const cJSON *object, const char *path, struct step *step, struct error *err)
{
    const char *kind = tokenizer_kind_of(object);
    if (strcmp(kind, "Prepend") == 0) {
        step->kind = STEP_PREPEND;
        return tokenizer_take_string(object, path, "prepend", &step->to, &step->to_length, err);
    }
    if (strcmp(kind, "Replace") == 0) {
        step->kind = STEP_REPLACE;
        return read_replace(object, path, step, err);
    }
    static const char *const forms[] = {"NFD", "NFC", "NFKD", "NFKC"};
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
        if (strcmp(kind, forms[i]) == 0) {
            *step = (struct step){.kind = STEP_NORMAL_FORM, .compose = i & 1, .compatible = i & 2};
            return DOCKET_OK;
        }
    if (strcmp(kind, "Strip") == 0) {
        step->kind = STEP_STRIP_ENDS;
        enum status st = tokenizer_take_bool(object, path, "strip_left", true, &step->left, err);
        if (st == DOCKET_OK) st = tokenizer_take_bool(object, path, "strip_right", true, &step->right, err);
        return st;
    }
    return tokenizer_unknown_kind(path, object, "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD and Strip", err);
}

static enum status read_decoder_step(const cJSON *object, const char *path, struct step *step, struct error *err)
{
    const char *kind = tokenizer_kind_of(object);
    enum status st;
    if (strcmp(kind, "Replace") == 0) {
        step->kind = STEP_REPLACE;
        return read_replace(object, path, step, err);
    }
    if (strcmp(kind, "ByteFallback") == 0) {
        step->kind = STEP_BYTE_FALLBACK;
        return DOCKET_OK;
    }
    if (strcmp(kind, "Fuse") == 0) {
        step->kind = STEP_FUSE;
        return DOCKET_OK;
    }
    if (strcmp(kind, "Strip") == 0) {
        step->kind = STEP_STRIP;
        st = tokenizer_take_character(object, path, "content", &step->from, &step->from_length, err);
        if (st == DOCKET_OK) st = read_count(object, path, "start", &step->start, err);
        if (st == DOCKET_OK) st = read_count(object, path, "stop", &step->stop, err);
        return st;
    }
    if (strcmp(kind, "Metaspace") == 0) {
        enum prepend_scheme scheme = PREPEND_ALWAYS;
        step->kind = STEP_METASPACE;
        st = tokenizer_take_character(object, path, "replacement", &step->from, &step->from_length, err);
        if (st == DOCKET_OK) st = tokenizer_take_scheme(object, path, &scheme, err);
        step->keeps_first = scheme == PREPEND_NEVER;
        return st;
    }
    if (strcmp(kind, "ByteLevel") == 0) {
        step->kind = STEP_BYTE_LEVEL;
        return DOCKET_OK;
    }
    return tokenizer_unknown_kind(path, object, "Sequence, Replace, ByteFallback, Fuse, Strip, Metaspace and ByteLevel",
                                  err);
}

/* One step, or the steps of a "Sequence"; sequences in sequences are taken apart, too (the gate has bounded the depth). */
static enum status read_list(struct step_list *list, const cJSON *object, const char *path, bool decoder,
                             struct error *err)
{
    char inner[160];
    if (strcmp(tokenizer_kind_of(object), "Sequence") == 0) {
        const char *key = decoder ? "decoders" : "normalizers";
        const cJSON *items = cJSON_GetObjectItemCaseSensitive(object, key), *item;
        size_t i = 0;
        if (!cJSON_IsArray(items)) return tokenizer_refuse(err, "%s.%s: want an array", path, key);
        cJSON_ArrayForEach(item, items)
        {
            snprintf(inner, sizeof(inner), "%.100s.%s[%zu]", path, key, i++);
            enum status st = read_list(list, item, inner, decoder, err);
            if (st != DOCKET_OK) return st;
        }
        return DOCKET_OK;
    }
    if (list->length == TOKENIZER_MAX_STEPS)
        return tokenizer_refuse(err, "%s: more than %u steps", path, TOKENIZER_MAX_STEPS);
    struct step *steps = mem_resize(list->steps, list->length + 1, sizeof(*steps));
    if (!steps) return tokenizer_no_memory(err);
    list->steps = steps;
    struct step *step = &steps[list->length++];
    *step = (struct step){0};
    return decoder ? read_decoder_step(object, path, step, err) : read_normalizer_step(object, path, step, err);
}

static enum status read_normalizer(struct reader *r, const cJSON *object)
{
    return read_list(&r->t->normalizer, object, "$.normalizer", false, r->err);
}

static enum status read_decoder(struct reader *r, const cJSON *object)
{
    r->t->has_decoder = true;
    return read_list(&r->t->decoder, object, "$.decoder", true, r->err);
}

/* The ids that stand for the special token called `name` in the template. */
static enum status append_special(struct reader *r, const cJSON *object, const char *name, struct token_list *out)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(object, "special_tokens");
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(all, name), "ids"), *id;
    if (!cJSON_IsArray(ids))
        return tokenizer_refuse(r->err, "$.post_processor.special_tokens: \"%.60s\" has no ids", name);
    cJSON_ArrayForEach(id, ids)
    {
        double number = cJSON_IsNumber(id) ? id->valuedouble : -1;
        if (!(number >= 0 && number <= INT32_MAX) || number != (double)(int32_t)number || out->length >= MAX_WRAP)
            return tokenizer_refuse(r->err, "$.post_processor.special_tokens: \"%.60s\": want a few ids", name);
        if (!token_list_append(out, (int32_t)number)) return tokenizer_no_memory(r->err);
    }
    return DOCKET_OK;
}

static enum status read_template(struct reader *r, const cJSON *object)
{
    static const char path[] = "$.post_processor.single";
    const cJSON *single = cJSON_GetObjectItemCaseSensitive(object, "single"), *item;
    bool text_seen = false;
    if (!cJSON_IsArray(single)) return tokenizer_refuse(r->err, "%s: want an array", path);
    cJSON_ArrayForEach(item, single)
    {
        const cJSON *sequence = cJSON_GetObjectItemCaseSensitive(item, "Sequence");
        const cJSON *special = cJSON_GetObjectItemCaseSensitive(item, "SpecialToken");
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(sequence ? sequence : special, "id");
        if (!cJSON_IsString(id) || (sequence && (text_seen || strcmp(id->valuestring, "A") != 0)))
            return tokenizer_refuse(r->err, "%s: want special tokens and one sequence \"A\"", path);
        if (sequence) {
            text_seen = true;
            continue;
        }
        enum status st = append_special(r, object, id->valuestring, text_seen ? &r->t->after : &r->t->before);
        if (st != DOCKET_OK) return st;
    }
    return text_seen ? DOCKET_OK : tokenizer_refuse(r->err, "%s: the sequence \"A\" is missing", path);
}

static enum status read_post_processor(struct reader *r, const cJSON *object)
{
    static const char path[] = "$.post_processor";
    const char *kind = tokenizer_kind_of(object);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(object, "processors"), *item;
    if (strcmp(kind, "ByteLevel") == 0) return DOCKET_OK; /* it moves offsets, which nobody asks for */
    if (strcmp(kind, "TemplateProcessing") == 0) {
        if (r->wrapped) return tokenizer_refuse(r->err, "%s: a second TemplateProcessing is not followed", path);
        r->wrapped = true;
        return read_template(r, object);
    }
    if (strcmp(kind, "Sequence") != 0)
        return tokenizer_unknown_kind(path, object, "Sequence, TemplateProcessing, ByteLevel and null", r->err);
    if (!cJSON_IsArray(items)) return tokenizer_refuse(r->err, "%s.processors: want an array", path);
    cJSON_ArrayForEach(item, items)
    {
        enum status st = read_post_processor(r, item); /* the gate has bounded the depth */
        if (st != DOCKET_OK) return st;
    }
    return DOCKET_OK;
}

static enum status read_pre_tokenizer(struct reader *r, const cJSON *object)
{
    return tokenizer_read_pre(r->t, object, r->err);
}

static enum status read_one(struct reader *r, struct json_span span, const char *name,
                            enum status (*read)(struct reader *r, const cJSON *object))
{
    cJSON *tree = NULL;
    if (span.length == 0) return DOCKET_OK;
    enum status st = json_parse(&tree, span.text, span.length, NULL, r->err);
    if (st == DOCKET_OK)
        st = read(r, tree);
    else if (r->err && st != DOCKET_NO_MEMORY) {
        r->err->code = CODE_tokenizer_unsupported;
        error_prefix(r->err, "tokenizer.json: $.%s", name);
    }
    cJSON_Delete(tree);
    return st;
}

enum status tokenizer_read_steps(struct tokenizer *t, struct json_span normalizer, struct json_span pre_tokenizer,
                                 struct json_span post_processor, struct json_span decoder, struct error *err)
{
    struct reader r = {t, err, false};
    enum status st = read_one(&r, normalizer, "normalizer", read_normalizer);
    if (st == DOCKET_OK) st = read_one(&r, pre_tokenizer, "pre_tokenizer", read_pre_tokenizer);
    if (st == DOCKET_OK) st = read_one(&r, post_processor, "post_processor", read_post_processor);
    if (st == DOCKET_OK) st = read_one(&r, decoder, "decoder", read_decoder);
    return st;
}
