/* chat_template.c: knows the chat formats of a table by what their templates hold and writes them out token by token. The
 * template itself is a program of a model's author and is never run. */
#include "worker/model/chat_template.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <string.h>

#define MAX_TEMPLATE (1 * MIB)

struct format {
    const char *name;
    bool begin;
    const char *tokens, *head, *tail, *tail_tokens, *answer;
    bool gap;
    const char *end, *has, *lacks; /* the lists end with two zero bytes */
};

/* What makes a template with instruction marks one of some other version. */
#define OTHERS                                                                                                         \
    "<|\0<<SYS>>\0[SYSTEM_PROMPT]\0[PREFIX]\0[IMG]\0[THINK]\0<start_of_turn>\0<extra_id\0<im_start\0### \0USER:\0"     \
    "ASSISTANT:\0Human:\0GPT4\0<tool_call>\0<reserved_\0<turn>\0[|\0<unused\0"

static const struct format formats[] = {
    {.name = "none", .begin = true, .tokens = "", .head = "", .tail = "\n", .tail_tokens = "", .answer = "", .end = ""},
#define CHAT_FORMAT(id, name, begin, tokens, head, tail, tail_tokens, answer, gap, end, has, lacks)                    \
    {name, begin, tokens, head, tail, tail_tokens, answer, gap, end, has "\0", lacks "\0"},
#include "worker/model/chat_formats.inc"
#undef CHAT_FORMAT
};

const char *chat_template_name(enum chat_template which)
{
    return formats[which].name;
}

bool chat_template_by_name(const char *name, enum chat_template *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++)
        if (strcmp(formats[i].name, name) == 0) {
            *out = (enum chat_template)i;
            return true;
        }
    return false;
}

static enum status refuse(struct error *err, const char *what)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "chat_template: %s", what);
}

static bool fits(const struct format *format, const char *text)
{
    for (const char *part = format->has; *part; part += strlen(part) + 1)
        if (!strstr(text, part)) return false;
    for (const char *part = format->lacks; *part; part += strlen(part) + 1)
        if (strstr(text, part)) return false;
    return true;
}

enum status chat_template_recognise_text(enum chat_template *out, const char *text, size_t length, struct error *err)
{
    if (length > MAX_TEMPLATE) return refuse(err, "a template of more than a MiB");
    char *same = str_dup_n(text, length);
    if (!same) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the chat template");
    enum status st = DOCKET_UNSUPPORTED;
    for (char *p = same; *p; p++)
        if (*p == '"') *p = '\'';
    for (size_t i = 1; i < ARRAY_LENGTH(formats) && st != DOCKET_OK; i++) {
        if (!fits(&formats[i], same)) continue;
        *out = (enum chat_template)i;
        st = DOCKET_OK;
    }
    mem_free(same);
    return st == DOCKET_OK ? st : refuse(err, "a format that is not known; CHAT_TEMPLATE can name one by hand");
}

/* A list of {name, template}: the one called "default", or the only one. */
static const cJSON *choose(const cJSON *list)
{
    const cJSON *item, *chosen = cJSON_GetArraySize(list) == 1 ? list->child : NULL;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name");
        if (cJSON_IsString(name) && strcmp(name->valuestring, "default") == 0) chosen = item;
    }
    return cJSON_GetObjectItemCaseSensitive(chosen, "template");
}

static enum status parse(cJSON **root, const char *text, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = 16 * MIB};
    enum status st = json_parse(root, text, length, &limits, err);
    if (st != DOCKET_OK) {
        if (err && st != DOCKET_NO_MEMORY) err->code = CODE_tokenizer_unsupported;
        error_prefix(err, "tokenizer_config.json");
        return st;
    }
    if (cJSON_IsObject(*root)) return DOCKET_OK;
    cJSON_Delete(*root);
    *root = NULL;
    return fail(err, DOCKET_CORRUPT, CODE_tokenizer_unsupported, "tokenizer_config.json: want a JSON object");
}

enum status chat_template_recognise(enum chat_template *out, const char *tokenizer_config, size_t length,
                                    struct error *err)
{
    cJSON *root = NULL;
    *out = TEMPLATE_NONE;
    if (!tokenizer_config) return DOCKET_OK;
    enum status st = parse(&root, tokenizer_config, length, err);
    if (st != DOCKET_OK) return st;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, "chat_template");
    if (cJSON_IsArray(value)) value = choose(value) ? choose(value) : value;
    if (cJSON_IsString(value))
        st = chat_template_recognise_text(out, value->valuestring, strlen(value->valuestring), err);
    else if (value && !cJSON_IsNull(value))
        st = refuse(err, "want text, or a list with one that is called \"default\"");
    if (st == DOCKET_UNSUPPORTED) error_prefix(err, "tokenizer_config.json");
    cJSON_Delete(root);
    return st;
}

/* A token is named by its text, or by an object that holds it; -1 where there is none. */
static int32_t named_token(const cJSON *root, const char *key, const struct tokenizer *tokenizer)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, key);
    if (cJSON_IsObject(value)) value = cJSON_GetObjectItemCaseSensitive(value, "content");
    return cJSON_IsString(value) ? tokenizer_id(tokenizer, value->valuestring) : -1;
}

enum status chat_template_ends(struct tokenizer *tokenizer, const char *tokenizer_config, size_t length,
                               struct error *err)
{
    cJSON *root = NULL;
    enum status st = parse(&root, tokenizer_config, length, err);
    if (st != DOCKET_OK) return st;
    tokenizer_name_ends(tokenizer, named_token(root, "bos_token", tokenizer),
                        named_token(root, "eos_token", tokenizer));
    cJSON_Delete(root);
    return DOCKET_OK;
}

static enum status misfit(const struct format *f, const char *what, int length, const char *token, struct error *err)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "the chat format %s %s %.*s", f->name, what,
                length, token);
}

/* Every "<…>" and "[…]" of a text must be a token of its own (`wanted`), or none of them may be. */
static enum status check_marks(const struct format *f, const char *text, bool wanted, const struct tokenizer *tokenizer,
                               struct error *err)
{
    char name[64];
    for (const char *p = text; *p; p++) {
        const char *end = *p == '<' ? strchr(p, '>') : *p == '[' ? strchr(p, ']') : NULL;
        if (!end || end - p >= 60) continue;
        size_t n = (size_t)(end - p) + 1;
        memcpy(name, p, n);
        name[n] = '\0';
        bool is = tokenizer_is_added(tokenizer, tokenizer_id(tokenizer, name));
        if (is != wanted)
            return misfit(f, wanted ? "needs a token that the tokenizer does not have:" : "is known with this as text:",
                          (int)n, p, err);
        p = end;
    }
    return DOCKET_OK;
}

enum status chat_template_check(enum chat_template which, const struct tokenizer *tokenizer, struct error *err)
{
    const struct format *f = &formats[which];
    if (which == TEMPLATE_NONE) return DOCKET_OK;
    if (f->begin && !tokenizer_is_special(tokenizer, tokenizer_begin(tokenizer)))
        return misfit(f, "needs", 38, "a special token that begins a text (<s>)", err);
    if (!tokenizer_is_special(tokenizer, chat_template_end(which, tokenizer)))
        return misfit(f, "needs", 45, "a special token that ends an answer (</s>)", err);
    enum status st = check_marks(f, f->tokens, true, tokenizer, err);
    if (st == DOCKET_OK) st = check_marks(f, f->tail_tokens, true, tokenizer, err);
    if (st == DOCKET_OK) st = check_marks(f, f->head, false, tokenizer, err);
    if (st == DOCKET_OK) st = check_marks(f, f->tail, false, tokenizer, err);
    if (st == DOCKET_OK) st = check_marks(f, f->answer, false, tokenizer, err);
    return st;
}

static enum status encode(const struct tokenizer *tokenizer, const char *const *parts, size_t n_parts, unsigned flags,
                          struct token_list *out, struct error *err)
{
    struct buffer text = {0};
    for (size_t i = 0; i < n_parts; i++) buffer_append_str(&text, parts[i]);
    enum status st = buffer_check(&text, "prompt", err);
    if (st == DOCKET_OK) st = tokenizer_encode(tokenizer, text.data ? text.data : "", text.length, flags, out, err);
    buffer_free(&text);
    return st;
}

enum status chat_template_prefix(enum chat_template which, const struct tokenizer *tokenizer, const char *before,
                                 struct token_list *out, struct error *err)
{
    const struct format *f = &formats[which];
    const char *parts[] = {f->head, before};
    size_t length = out->length;
    int32_t bos = f->begin ? tokenizer_begin(tokenizer) : -1;
    enum status st = chat_template_check(which, tokenizer, err);
    if (st == DOCKET_OK && bos >= 0 && !token_list_append(out, bos))
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the prompt's tokens");
    unsigned behind = bos >= 0 && which != TEMPLATE_NONE ? TOKENIZE_BEHIND : 0;
    if (st == DOCKET_OK && f->tokens[0]) {
        st = encode(tokenizer, &f->tokens, 1, TOKENIZE_SPECIAL | behind, out, err);
        behind = TOKENIZE_BEHIND;
    }
    if (st == DOCKET_OK) st = encode(tokenizer, parts, 2, behind, out, err);
    if (st != DOCKET_OK) out->length = length;
    return st;
}

enum status chat_template_suffix(enum chat_template which, const struct tokenizer *tokenizer, const char *after,
                                 const char *opening, struct token_list *out, struct error *err)
{
    const struct format *f = &formats[which];
    const char *gap = f->gap && opening[0] ? " " : "";
    size_t length = out->length;
    if (!f->tail_tokens[0]) {
        const char *all[] = {after, f->tail, f->answer, gap, opening};
        return encode(tokenizer, all, ARRAY_LENGTH(all), TOKENIZE_CONTINUE, out, err);
    }
    const char *user[] = {after, f->tail}, *assistant[] = {f->answer, gap, opening};
    enum status st = encode(tokenizer, user, 2, TOKENIZE_CONTINUE, out, err);
    if (st == DOCKET_OK && strcmp(f->tail_tokens, "EOS") == 0) {
        if (!token_list_append(out, tokenizer_end(tokenizer)))
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the prompt's tokens");
    } else if (st == DOCKET_OK)
        st = encode(tokenizer, &f->tail_tokens, 1, TOKENIZE_SPECIAL | TOKENIZE_BEHIND, out, err);
    if (st == DOCKET_OK) st = encode(tokenizer, assistant, 3, TOKENIZE_BEHIND, out, err);
    if (st != DOCKET_OK) out->length = length;
    return st;
}

int32_t chat_template_end(enum chat_template which, const struct tokenizer *tokenizer)
{
    const char *end = formats[which].end;
    return end[0] ? tokenizer_id(tokenizer, end) : tokenizer_end(tokenizer);
}
