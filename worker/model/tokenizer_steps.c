/* tokenizer_steps.c: the stages around the model as tokenizer.json lists them: normalizer, pre-tokenizer, post-processor,
 * decoder. A kind that is not known here is refused by its name; nothing is skipped. */
#include "worker/base/json.h"
#include "worker/model/tokenizer_inner.h"

#include <stdio.h>
#include <string.h>

#define MAX_WRAP 64 /* tokens that a post-processor may add on either side */

struct reader {
    struct tokenizer *t;
    struct error *err;
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

static enum status unknown_kind(const char *path, const cJSON *object, const char *known, struct error *err)
{
    char found[128];
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
    json_describe(cJSON_IsObject(object) ? type : object, found, sizeof(found));
    return tokenizer_refuse(err, "%s: %s is not followed, only %s", path, found, known);
}

static const char *kind_of(const cJSON *object)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
    return cJSON_IsString(type) ? type->valuestring : "";
}

/* A copy of the string at `key`. */
static enum status take_string(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
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
static enum status take_character(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
                                  struct error *err)
{
    uint32_t code_point;
    enum status st = take_string(object, path, key, out, length, err);
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
    enum status st = take_string(pattern, inner, "String", &step->from, &step->from_length, err);
    if (st == DOCKET_OK && step->from_length == 0)
        st = tokenizer_refuse(err, "%s.String: want at least one character", inner);
    if (st == DOCKET_OK) st = take_string(object, path, "content", &step->to, &step->to_length, err);
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

/* "always", "first" or "never"; older files say add_prefix_space. */
static enum status read_scheme(const cJSON *object, const char *path, enum prepend_scheme *out, struct error *err)
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
    const char *kind = kind_of(object);
    if (strcmp(kind, "Prepend") == 0) {
        step->kind = STEP_PREPEND;
        return take_string(object, path, "prepend", &step->to, &step->to_length, err);
    }
    if (strcmp(kind, "Replace") == 0) {
        step->kind = STEP_REPLACE;
        return read_replace(object, path, step, err);
    }
    return unknown_kind(path, object, "Sequence, Prepend and Replace", err);
}

static enum status read_decoder_step(const cJSON *object, const char *path, struct step *step, struct error *err)
{
    const char *kind = kind_of(object);
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
        st = take_character(object, path, "content", &step->from, &step->from_length, err);
        if (st == DOCKET_OK) st = read_count(object, path, "start", &step->start, err);
        if (st == DOCKET_OK) st = read_count(object, path, "stop", &step->stop, err);
        return st;
    }
    if (strcmp(kind, "Metaspace") == 0) {
        enum prepend_scheme scheme = PREPEND_ALWAYS;
        step->kind = STEP_METASPACE;
        st = take_character(object, path, "replacement", &step->from, &step->from_length, err);
        if (st == DOCKET_OK) st = read_scheme(object, path, &scheme, err);
        step->keeps_first = scheme == PREPEND_NEVER;
        return st;
    }
    return unknown_kind(path, object, "Sequence, Replace, ByteFallback, Fuse, Strip and Metaspace", err);
}

/* One step, or the steps of a "Sequence"; sequences in sequences are taken apart, too (the gate has bounded the depth). */
static enum status read_list(struct step_list *list, const cJSON *object, const char *path, bool decoder,
                             struct error *err)
{
    char inner[160];
    if (strcmp(kind_of(object), "Sequence") == 0) {
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

static enum status read_pre_tokenizer(struct reader *r, const cJSON *object)
{
    static const char path[] = "$.pre_tokenizer";
    struct metaspace *m = &r->t->metaspace;
    char *mark = NULL;
    if (strcmp(kind_of(object), "Metaspace") != 0) return unknown_kind(path, object, "Metaspace and null", r->err);
    enum status st = take_character(object, path, "replacement", &mark, &m->replacement_length, r->err);
    if (st == DOCKET_OK) st = read_scheme(object, path, &m->prepend, r->err);
    const cJSON *split = cJSON_GetObjectItemCaseSensitive(object, "split");
    if (st == DOCKET_OK && split && !cJSON_IsNull(split) && !cJSON_IsBool(split))
        st = tokenizer_refuse(r->err, "%s.split: want true or false", path);
    if (st == DOCKET_OK) {
        memcpy(m->replacement, mark, m->replacement_length);
        m->split = !cJSON_IsFalse(split);
        m->used = true;
    }
    mem_free(mark);
    return st;
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
    if (strcmp(kind_of(object), "TemplateProcessing") == 0) return read_template(r, object);
    return unknown_kind("$.post_processor", object, "TemplateProcessing and null", r->err);
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
    struct reader r = {t, err};
    enum status st = read_one(&r, normalizer, "normalizer", read_normalizer);
    if (st == DOCKET_OK) st = read_one(&r, pre_tokenizer, "pre_tokenizer", read_pre_tokenizer);
    if (st == DOCKET_OK) st = read_one(&r, post_processor, "post_processor", read_post_processor);
    if (st == DOCKET_OK) st = read_one(&r, decoder, "decoder", read_decoder);
    return st;
}

static void replace(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    for (size_t at = 0; at < length && !out->failed;) {
        const char *found = step->from_length == 1 ? memchr(text + at, step->from[0], length - at)
                                                   : memmem(text + at, length - at, step->from, step->from_length);
        size_t plain = found ? (size_t)(found - text) : length;
        buffer_append(out, text + at, plain - at);
        if (!found) return;
        buffer_append(out, step->to, step->to_length);
        at = plain + step->from_length;
    }
}

bool steps_normalize(const struct step_list *steps, bool prepend, const char *text, size_t length, struct buffer *out)
{
    struct buffer before = {.ceiling = out->ceiling};
    buffer_clear(out);
    buffer_append(out, text, length);
    for (size_t i = 0; i < steps->length && !out->failed; i++) {
        const struct step *step = &steps->steps[i];
        if (step->kind == STEP_PREPEND && (!prepend || out->length == 0)) continue;
        struct buffer swap = before;
        before = *out;
        *out = swap;
        buffer_clear(out);
        if (step->kind == STEP_PREPEND) {
            buffer_append(out, step->to, step->to_length);
            buffer_append(out, before.data, before.length);
        } else
            replace(step, before.data, before.length, out);
        buffer_append(out, "", 0);
    }
    buffer_free(&before);
    return !out->failed;
}

/* Strings end to end; those of a decoder's list of tokens. */
struct strings {
    struct buffer text;
    size_t *ends;
    size_t length, capacity;
    bool failed;
};

static void end_string(struct strings *s)
{
    if (s->length == s->capacity) {
        size_t n = s->capacity ? 2 * s->capacity : 256;
        size_t *ends = mem_resize(s->ends, n, sizeof(*ends));
        if (!ends) {
            s->failed = true;
            return;
        }
        s->ends = ends;
        s->capacity = n;
    }
    s->ends[s->length++] = s->text.length;
}

static const char *string_at(const struct strings *s, size_t i, size_t *length)
{
    size_t start = i > 0 ? s->ends[i - 1] : 0;
    *length = s->ends[i] - start;
    return s->text.data + start;
}

static void strings_free(struct strings *s)
{
    buffer_free(&s->text);
    mem_free(s->ends);
    *s = (struct strings){0};
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* 0 to 255 for "<0xHH>" with exactly two digits, else -1. */
static int byte_value(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Bytes that stand side by side become their text, or one U+FFFD each if they are none. */
static void end_bytes(struct strings *out, struct buffer *bytes)
{
    if (bytes->length == 0) return;
    if (utf8_valid(bytes->data, bytes->length, NULL)) {
        buffer_append(&out->text, bytes->data, bytes->length);
        end_string(out);
    } else
        for (size_t i = 0; i < bytes->length; i++) {
            buffer_append_str(&out->text, "\xef\xbf\xbd");
            end_string(out);
        }
    if (bytes->failed) out->failed = true;
    buffer_clear(bytes);
}

static void decode_bytes(const struct strings *in, struct strings *out)
{
    struct buffer bytes = {0};
    for (size_t i = 0; i < in->length; i++) {
        size_t length;
        const char *text = string_at(in, i, &length);
        int value = byte_value(text, length);
        if (value >= 0) {
            buffer_append_char(&bytes, (char)value);
            continue;
        }
        end_bytes(out, &bytes);
        buffer_append(&out->text, text, length);
        end_string(out);
    }
    out->failed |= bytes.failed;
    end_bytes(out, &bytes);
    buffer_free(&bytes);
}

static void strip(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    size_t n = step->from_length;
    for (size_t i = 0; i < step->start && length >= n && memcmp(text, step->from, n) == 0; i++) {
        text += n;
        length -= n;
    }
    for (size_t i = 0; i < step->stop && length >= n && memcmp(text + length - n, step->from, n) == 0; i++) length -= n;
    buffer_append(out, text, length);
}

/* The mark is a space; in front of everything it is nothing, unless it was never put there. */
static void unmark(const struct step *step, bool first, const char *text, size_t length, struct buffer *out)
{
    struct step space = {.from = step->from, .from_length = step->from_length, .to = " "};
    space.to_length = first && !step->keeps_first ? 0 : 1;
    replace(&space, text, length, out);
}

static void decode_step(const struct step *step, const struct strings *in, struct strings *out)
{
    if (step->kind == STEP_BYTE_FALLBACK) {
        decode_bytes(in, out);
        return;
    }
    for (size_t i = 0; i < in->length && !out->failed && !out->text.failed; i++) {
        size_t length;
        const char *text = string_at(in, i, &length);
        if (step->kind == STEP_REPLACE)
            replace(step, text, length, &out->text);
        else if (step->kind == STEP_STRIP)
            strip(step, text, length, &out->text);
        else if (step->kind == STEP_METASPACE)
            unmark(step, i == 0, text, length, &out->text);
        else
            buffer_append(&out->text, text, length);
        if (step->kind != STEP_FUSE || i + 1 == in->length) end_string(out);
    }
}

enum status steps_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buffer *out, struct error *err)
{
    struct strings now = {0}, next = {0};
    for (size_t i = 0; i < n && !now.failed; i++) {
        buffer_append(&now.text, t->text.data + t->tokens[ids[i]].shown, t->tokens[ids[i]].shown_length);
        if (!t->has_decoder && i + 1 < n) buffer_append_char(&now.text, ' ');
        end_string(&now);
    }
    for (size_t i = 0; i < t->decoder.length && !now.failed && !now.text.failed; i++) {
        buffer_append(&next.text, "", 0);
        decode_step(&t->decoder.steps[i], &now, &next);
        struct strings swap = now;
        now = next;
        next = swap;
        now.failed |= next.failed | next.text.failed;
        next.length = 0;
        buffer_clear(&next.text);
    }
    bool good = !now.failed && !now.text.failed;
    enum status st = DOCKET_OK;
    if (!good)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the text of %zu tokens", n);
    else {
        buffer_append(out, now.text.data ? now.text.data : "", now.text.length);
        st = buffer_check(out, "text of tokens", err);
    }
    strings_free(&now);
    strings_free(&next);
    return st;
}
