/* chat_template.c: knows a few chat formats by the shape of their template and writes them out token by token. The template
 * itself is a program of a model's author and is never run. */
#include "worker/model/chat_template.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <string.h>

#define BOS "<s>"
#define EOS "</s>"

/* What a template of the Mistral instruct kind holds, and what would make it another one. */
static const char *const mistral_has[] = {"[INST] ", " [/INST]", "bos_token", "eos_token", "message"};
static const char *const foreign[] = {
    "<|",           "<<SYS>>",         "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]",
    "[TOOL_CALLS]", "[TOOL_RESULTS]",  "[PREFIX]",        "[IMG]",
    "[THINK]",      "<start_of_turn>", "<extra_id",       "<im_start",
    "### ",         "USER:",           "ASSISTANT:",      "Human:",
    "GPT4",         "<tool_call>",     "<reserved_",      "<turn>",
    "[|",           "<unused",         "<s>[INST]",
};

const char *chat_template_name(enum chat_template which)
{
    return which == TEMPLATE_MISTRAL_INSTRUCT ? "mistral-instruct" : "none";
}

static enum status refuse(struct error *err, const char *what, const char *found)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "tokenizer_config.json: $.chat_template: %s%s%s%s",
                what, found ? " \"" : "", found ? found : "", found ? "\"" : "");
}

static enum status recognise_text(enum chat_template *out, const char *text, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(mistral_has); i++)
        if (!strstr(text, mistral_has[i]))
            return refuse(err, "a format that is not known (mistral-instruct is): it lacks", mistral_has[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(foreign); i++)
        if (strstr(text, foreign[i]))
            return refuse(err, "a format that is not known (mistral-instruct is): it holds", foreign[i]);
    *out = TEMPLATE_MISTRAL_INSTRUCT;
    return DOCKET_OK;
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

enum status chat_template_recognise(enum chat_template *out, const char *tokenizer_config, size_t length,
                                    struct error *err)
{
    const struct json_limits limits = {.max_bytes = 16 * MIB};
    cJSON *root = NULL;
    *out = TEMPLATE_NONE;
    if (!tokenizer_config) return DOCKET_OK;
    enum status st = json_parse(&root, tokenizer_config, length, &limits, err);
    if (st != DOCKET_OK) {
        if (err && st != DOCKET_NO_MEMORY) err->code = CODE_tokenizer_unsupported;
        error_prefix(err, "tokenizer_config.json");
        return st;
    }
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, "chat_template");
    if (cJSON_IsArray(value)) value = choose(value) ? choose(value) : value;
    if (!cJSON_IsObject(root))
        st = fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "tokenizer_config.json: want a JSON object");
    else if (cJSON_IsString(value))
        st = recognise_text(out, value->valuestring, err);
    else if (value && !cJSON_IsNull(value))
        st = refuse(err, "want text, or a list with one that is called \"default\"", NULL);
    cJSON_Delete(root);
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
    static const char *const ordinary[] = {"[INST]", "[/INST]"};
    int32_t bos = tokenizer_id(tokenizer, BOS);
    size_t length = out->length;
    bool mistral = which == TEMPLATE_MISTRAL_INSTRUCT;
    if (mistral && (!tokenizer_is_special(tokenizer, bos) ||
                    !tokenizer_is_special(tokenizer, chat_template_end(which, tokenizer))))
        return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported,
                    "tokenizer.json: the chat format needs " BOS " and " EOS " as special tokens");
    for (size_t i = 0; mistral && i < ARRAY_LENGTH(ordinary); i++) /* later versions of the format: other spaces, too */
        if (tokenizer_is_special(tokenizer, tokenizer_id(tokenizer, ordinary[i])))
            return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported,
                        "tokenizer.json: %s is a special token, the chat format is known with it as text only",
                        ordinary[i]);
    if (bos >= 0 && !token_list_append(out, bos))
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the prompt's tokens");
    const char *parts[] = {mistral ? "[INST] " : "", before};
    enum status st = encode(tokenizer, parts, 2, 0, out, err);
    if (st != DOCKET_OK) out->length = length;
    return st;
}

enum status chat_template_suffix(enum chat_template which, const struct tokenizer *tokenizer, const char *after,
                                 const char *opening, struct token_list *out, struct error *err)
{
    const char *parts[] = {after, which == TEMPLATE_MISTRAL_INSTRUCT ? " [/INST]" : "\n", NULL, opening};
    parts[2] = which == TEMPLATE_MISTRAL_INSTRUCT && opening[0] ? " " : "";
    return encode(tokenizer, parts, 4, TOKENIZE_CONTINUE, out, err);
}

int32_t chat_template_end(enum chat_template which, const struct tokenizer *tokenizer)
{
    (void)which; /* the same in all of them so far */
    return tokenizer_id(tokenizer, EOS);
}
