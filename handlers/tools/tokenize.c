/* tokenize.c: docket tokenize: text → ids as the tokenizers library gives them, and back. Opens the tokenizer and nothing else. */
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/model/tokenizer_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INPUT_BYTES (1 * GIB)

struct tokenize_values {
    bool decode, lines;
};

#define OPTION_VALUES struct tokenize_values
static const struct option options[] = {
    OWN_OPTION(SWITCH, decode, "--decode", "false", ANY, "",
               "the reverse: a JSON array of ids on standard input, its text on standard output"),
    OWN_OPTION(SWITCH, lines, "--lines", "false", ANY, "",
               "many texts: a JSON string on every line; for each a line [ids, the text that they decode to]"),
};

static enum status open_tokenizer(struct tokenizer **out, const struct config *config, struct error *err)
{
    struct model_options model;
    struct model_location location = {0};
    enum status st = tool_model_options(config, &model, err);
    if (st == DOCKET_OK) st = hub_locate(&location, &model.hub, err);
    if (st == DOCKET_OK) st = tokenizer_open_file(out, &location, NULL, err);
    model_location_free(&location);
    return st;
}

static enum status encode(const struct tokenizer *tokenizer, const struct buffer *text, struct buffer *out,
                          struct error *err)
{
    struct token_list tokens = {0};
    struct json_writer w = {.out = out, .spaced = true};
    enum status st = tokenizer_encode(tokenizer, text->data ? text->data : "", text->length,
                                      TOKENIZE_SPECIAL | TOKENIZE_POST_PROCESS, &tokens, err);
    json_begin_array(&w, NULL);
    for (size_t i = 0; i < tokens.length; i++) json_put_i64(&w, NULL, tokens.ids[i]);
    json_end_array(&w);
    buffer_append_char(out, '\n');
    token_list_free(&tokens);
    return st == DOCKET_OK ? buffer_check(out, "the ids", err) : st;
}

static enum status read_ids(struct token_list *out, const struct buffer *text, struct error *err)
{
    const struct json_limits limits = {.max_bytes = INPUT_BYTES, .max_depth = 2, .max_values = 100 * 1000 * 1000};
    cJSON *tree = NULL;
    enum status st = json_parse(&tree, text->data ? text->data : "", text->length, &limits, err);
    if (st != DOCKET_OK) {
        err->code = CODE_NONE;
        error_prefix(err, "standard input");
        return st;
    }
    if (!cJSON_IsArray(tree)) st = fail(err, DOCKET_BAD_INPUT, CODE_NONE, "standard input: want a JSON array of ids");
    const cJSON *item;
    cJSON_ArrayForEach(item, tree)
    {
        char found[80];
        json_describe(item, found, sizeof(found));
        if (st != DOCKET_OK) break;
        if (!cJSON_IsNumber(item) || item->valuedouble != item->valueint || item->valueint < 0)
            st = fail(err, DOCKET_BAD_INPUT, CODE_NONE, "standard input: element %zu is %s, want an id", out->length,
                      found);
        else if (!token_list_append(out, item->valueint))
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the ids");
    }
    cJSON_Delete(tree);
    return st;
}

static enum status decode(const struct tokenizer *tokenizer, const struct buffer *text, struct buffer *out,
                          struct error *err)
{
    struct token_list tokens = {0};
    enum status st = read_ids(&tokens, text, err);
    if (st == DOCKET_OK) st = tokenizer_decode(tokenizer, tokens.ids, tokens.length, out, err);
    if (isatty(STDOUT_FILENO)) buffer_append_char(out, '\n'); /* elsewhere: the text and nothing else */
    token_list_free(&tokens);
    return st == DOCKET_OK ? buffer_check(out, "the text", err) : st;
}

static enum status encode_line(const struct tokenizer *tokenizer, const char *line, size_t length, struct buffer *out,
                               struct error *err)
{
    struct token_list tokens = {0};
    struct buffer text = {0};
    struct json_writer w = {.out = out};
    cJSON *tree = NULL;
    enum status st = json_parse(&tree, line, length, NULL, err);
    if (st == DOCKET_OK && !cJSON_IsString(tree)) st = fail(err, DOCKET_BAD_INPUT, CODE_NONE, "want a JSON string");
    if (st == DOCKET_OK)
        st = tokenizer_encode(tokenizer, tree->valuestring, strlen(tree->valuestring),
                              TOKENIZE_SPECIAL | TOKENIZE_POST_PROCESS, &tokens, err);
    if (st == DOCKET_OK) st = tokenizer_decode(tokenizer, tokens.ids, tokens.length, &text, err);
    json_begin_array(&w, NULL);
    json_begin_array(&w, NULL);
    for (size_t i = 0; i < tokens.length; i++) json_put_i64(&w, NULL, tokens.ids[i]);
    json_end_array(&w);
    json_put_string_n(&w, NULL, text.data ? text.data : "", text.length);
    json_end_array(&w);
    buffer_append_char(out, '\n');
    cJSON_Delete(tree);
    token_list_free(&tokens);
    buffer_free(&text);
    return st == DOCKET_OK ? buffer_check(out, "the ids", err) : st;
}

static enum status encode_lines(const struct tokenizer *tokenizer, const struct buffer *text, struct buffer *out,
                                struct error *err)
{
    size_t number = 1;
    for (size_t at = 0, end; at < text->length; at = end + 1, number++) {
        const char *newline = memchr(text->data + at, '\n', text->length - at);
        end = newline ? (size_t)(newline - text->data) : text->length;
        enum status st = encode_line(tokenizer, text->data + at, end - at, out, err);
        if (st == DOCKET_OK) continue;
        err->code = CODE_NONE;
        error_prefix(err, "standard input: line %zu", number);
        return st;
    }
    return DOCKET_OK;
}

static int run(const struct tool_call *call)
{
    const struct tokenize_values *v = call->values;
    struct error err = {0};
    struct tokenizer *tokenizer = NULL;
    struct buffer in = {0}, out = {0};
    if (call->n_arguments)
        return tool_usage("tokenize reads standard input; \"%.60s\" is one word too many", call->arguments[0]);
    if (v->decode && v->lines) return tool_usage("--decode and --lines exclude each other");
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    enum status st = open_tokenizer(&tokenizer, call->config, &err);
    if (st == DOCKET_OK) st = tool_read_input(&in, INPUT_BYTES, &err);
    if (st == DOCKET_OK) st = (v->decode ? decode : v->lines ? encode_lines : encode)(tokenizer, &in, &out, &err);
    int code = st != DOCKET_OK ? tool_fail(&err) : tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    tokenizer_close(tokenizer);
    buffer_free(&in);
    buffer_free(&out);
    return code;
}

const struct tool tool_tokenize = {
    .name = "tokenize",
    .line = {.letter = 't',
             .usage = "tokenize --model NAME|DIR [--decode|--lines] < text",
             .about = "text on standard input to token ids, as a JSON array.\n\nSpecial tokens in the text are "
                      "recognised and the "
                      "tokenizer's own (<s>) are added, as\ntokenizers' encode does. Only the tokenizer is opened.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct tokenize_values),
    .run = run,
};
