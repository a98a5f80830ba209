/* tokenizer_pre.c: the pre-tokenizer of tokenizer.json: Metaspace alone; or Split and Digits, then ByteLevel. A kind, or an order
 * of kinds, that no family of models uses is refused by its name. */
#include "worker/model/tokenizer_inner.h"

#include <stdio.h>
#include <string.h>

/* The pattern of ByteLevel itself, that of GPT-2. */
#define BYTE_LEVEL_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/* What Digits calls numeric: categories N, also where they are newer than those of the library's patterns. */
#define DIGITS_PATTERN "[\\p{N}\xf0\x91\xb7\xa0-\xf0\x91\xb7\xa9\xf0\x96\xbf\xb4-\xf0\x96\xbf\xb6]"

struct reader {
    struct tokenizer *t;
    struct error *err;
    size_t n_kinds;
};

static enum status read_metaspace(struct reader *r, const cJSON *object, const char *path)
{
    struct metaspace *m = &r->t->metaspace;
    char *mark = NULL;
    enum status st = tokenizer_take_character(object, path, "replacement", &mark, &m->replacement_length, r->err);
    if (st == DOCKET_OK) st = tokenizer_take_scheme(object, path, &m->prepend, r->err);
    if (st == DOCKET_OK) st = tokenizer_take_bool(object, path, "split", true, &m->split, r->err);
    if (st == DOCKET_OK) {
        memcpy(m->replacement, mark, m->replacement_length);
        m->used = true;
    }
    mem_free(mark);
    return st;
}

static enum status next_split(struct reader *r, const char *path, struct split **out)
{
    if (r->t->n_splits == TOKENIZER_MAX_SPLITS)
        return tokenizer_refuse(r->err, "%s: more than %u splits", path, TOKENIZER_MAX_SPLITS);
    if (r->t->byte_level)
        return tokenizer_refuse(r->err, "%s: a split behind ByteLevel is not followed, only one before it", path);
    *out = &r->t->splits[r->t->n_splits++];
    **out = (struct split){.behavior = SPLIT_ISOLATED};
    return DOCKET_OK;
}

static enum status read_behavior(struct reader *r, const cJSON *object, const char *path, enum split_behavior *out)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "behavior");
    char found[128];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (cJSON_IsString(value) && strcmp(value->valuestring, names[i]) == 0) {
            *out = (enum split_behavior)i;
            return DOCKET_OK;
        }
    json_describe(value, found, sizeof(found));
    return tokenizer_refuse(r->err, "%s.behavior: %s is not followed", path, found);
}

static enum status read_split(struct reader *r, const cJSON *object, const char *path)
{
    struct split *split = NULL;
    char inner[160], *text = NULL;
    size_t length = 0;
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(object, "pattern");
    bool regex = cJSON_GetObjectItemCaseSensitive(pattern, "Regex") != NULL;
    enum status st = next_split(r, path, &split);
    if (st == DOCKET_OK) st = read_behavior(r, object, path, &split->behavior);
    if (st == DOCKET_OK) st = tokenizer_take_bool(object, path, "invert", false, &split->invert, r->err);
    snprintf(inner, sizeof(inner), "%.120s.pattern", path);
    if (st == DOCKET_OK) st = tokenizer_take_string(pattern, inner, regex ? "Regex" : "String", &text, &length, r->err);
    if (st == DOCKET_OK && regex) st = pattern_compile(r->t, text, length, inner, &split->pattern, r->err);
    if (st == DOCKET_OK && !regex) {
        if (length == 0) st = tokenizer_refuse(r->err, "%s.String: want at least one character", inner);
        split->text = text;
        split->text_length = length;
        text = NULL;
    }
    mem_free(text);
    return st;
}

static enum status read_digits(struct reader *r, const cJSON *object, const char *path)
{
    struct split *split = NULL;
    bool one_by_one = false;
    enum status st = next_split(r, path, &split);
    if (st == DOCKET_OK) st = tokenizer_take_bool(object, path, "individual_digits", false, &one_by_one, r->err);
    if (st != DOCKET_OK) return st;
    split->behavior = one_by_one ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return pattern_compile(r->t, DIGITS_PATTERN, strlen(DIGITS_PATTERN), path, &split->pattern, r->err);
}

static enum status read_byte_level(struct reader *r, const cJSON *object, const char *path)
{
    struct tokenizer *t = r->t;
    struct split *split = NULL;
    bool use_pattern = true;
    if (t->byte_level) return tokenizer_refuse(r->err, "%s: a second ByteLevel is not followed", path);
    enum status st = tokenizer_take_bool(object, path, "add_prefix_space", true, &t->space_in_front, r->err);
    if (st == DOCKET_OK) st = tokenizer_take_bool(object, path, "use_regex", true, &use_pattern, r->err);
    if (st != DOCKET_OK) return st;
    t->n_splits_first = t->n_splits;
    if (use_pattern) {
        if ((st = next_split(r, path, &split)) != DOCKET_OK) return st;
        st = pattern_compile(t, BYTE_LEVEL_PATTERN, strlen(BYTE_LEVEL_PATTERN), path, &split->pattern, r->err);
    }
    t->byte_level = true;
    return st;
}

static enum status read_one(struct reader *r, const cJSON *object, const char *path)
{
    const char *kind = tokenizer_kind_of(object);
    char inner[160];
    if (strcmp(kind, "Sequence") == 0) {
        const cJSON *items = cJSON_GetObjectItemCaseSensitive(object, "pretokenizers"), *item;
        size_t i = 0;
        if (!cJSON_IsArray(items)) return tokenizer_refuse(r->err, "%s.pretokenizers: want an array", path);
        cJSON_ArrayForEach(item, items)
        {
            snprintf(inner, sizeof(inner), "%.100s.pretokenizers[%zu]", path, i++);
            enum status st = read_one(r, item, inner);
            if (st != DOCKET_OK) return st;
        }
        return DOCKET_OK;
    }
    if (r->t->metaspace.used || (r->n_kinds > 0 && strcmp(kind, "Metaspace") == 0))
        return tokenizer_refuse(r->err, "%s: Metaspace beside others is not followed, only alone", path);
    r->n_kinds++;
    if (strcmp(kind, "Metaspace") == 0) return read_metaspace(r, object, path);
    if (strcmp(kind, "Split") == 0) return read_split(r, object, path);
    if (strcmp(kind, "Digits") == 0) return read_digits(r, object, path);
    if (strcmp(kind, "ByteLevel") == 0) return read_byte_level(r, object, path);
    return tokenizer_unknown_kind(path, object, "Sequence, Metaspace, Split, Digits, ByteLevel and null", r->err);
}

enum status tokenizer_read_pre(struct tokenizer *t, const cJSON *object, struct error *err)
{
    struct reader r = {t, err, 0};
    enum status st = read_one(&r, object, "$.pre_tokenizer");
    if (!t->byte_level) t->n_splits_first = t->n_splits;
    return st;
}
