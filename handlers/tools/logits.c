/* logits.c: docket logits: one forward pass over given ids → a file of float32. For comparing with other implementations. */
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian");

struct logits_values {
    const char *tokens, *out;
};

#define OPTION_VALUES struct logits_values
static const struct option options[] = {
    OWN_OPTION(TEXT, tokens, "--tokens", "(none)", ANY, "1,2,3", "the ids, separated by commas or spaces"),
    OWN_OPTION(PATH, out, "--out", "(none)", ANY, "FILE",
               "where the logits go: float32, little-endian, [tokens, vocabulary]; - is standard output"),
};

static enum status read_tokens(struct token_list *out, const char *text, struct error *err)
{
    for (const char *p = text; *(p += strspn(p, ", \t[]"));) {
        size_t n = strspn(p, "0123456789"), word = strcspn(p, ", \t[]");
        errno = 0;
        long id = strtol(p, NULL, 10);
        if (n != word || errno || id > INT32_MAX)
            return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "--tokens: \"%.*s\" at place %zu is no id",
                        word > 40 ? 40 : (int)word, p, out->length + 1);
        if (!token_list_append(out, (int32_t)id)) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for ids");
        p += n;
    }
    if (!out->length) return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "--tokens: want at least one id");
    return DOCKET_OK;
}

struct sink {
    int fd;
    const char *name;
    struct error *err;
};

static enum status write_logits(void *context, const float *logits, size_t n_values)
{
    struct sink *s = context;
    return file_write_all(s->fd, logits, n_values * sizeof(float), s->name, s->err);
}

/* A temporary name beside the file, so that a half-written one is never taken for a result; but pipes and devices are written to. */
static enum status write_out(struct model *model, const struct token_list *tokens, const char *path, struct error *err)
{
    struct stat facts;
    bool direct = strcmp(path, "-") == 0 || (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode));
    char *temporary = direct ? NULL : str_format("%s.%d.tmp", path, getpid());
    if (!direct && !temporary) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a name");
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    int fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(direct ? path : temporary, flags, 0644);
    enum status st = fd < 0 ? fail(err, DOCKET_IO, CODE_NONE, "%s: %s", path, strerrordesc_np(errno)) : DOCKET_OK;
    struct sink sink = {fd, path, err};
    if (st == DOCKET_OK) st = model_logits(model, tokens->ids, tokens->length, write_logits, &sink, err);
    if (fd >= 0 && close(fd) != 0 && st == DOCKET_OK)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: %s", path, strerrordesc_np(errno));
    if (st == DOCKET_OK && temporary && rename(temporary, path) != 0)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: %s", path, strerrordesc_np(errno));
    if (st != DOCKET_OK && temporary && fd >= 0) unlink(temporary);
    mem_free(temporary);
    return st;
}

static int run(const struct tool_call *call)
{
    const struct logits_values *v = call->values;
    struct error err = {0};
    struct model_options model_options;
    struct model model = {0};
    struct token_list tokens = {0};
    if (call->n_arguments)
        return tool_usage("logits takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    if (!v->tokens || !v->out) return tool_usage("logits needs --tokens and --out");
    enum status st = read_tokens(&tokens, v->tokens, &err);
    if (st == DOCKET_BAD_INPUT) {
        token_list_free(&tokens);
        return tool_usage("%s", err.message);
    }
    if (st == DOCKET_OK) st = tool_model_options(call->config, &model_options, &err);
    model_options.logits_tokens = tokens.length;
    if (st == DOCKET_OK) st = tool_log_open(call->config, LOG_WARN, &err);
    if (st == DOCKET_OK) st = model_open(&model, &model_options, NULL, &err);
    if (st == DOCKET_OK) st = write_out(&model, &tokens, v->out, &err);
    int code = st == DOCKET_OK ? 0 : tool_fail(&err);
    model_close(&model);
    token_list_free(&tokens);
    return code;
}

const struct tool tool_logits = {
    .name = "logits",
    .line = {.letter = 'l',
             .usage = "logits --model NAME|DIR --tokens 1,2,3 --out FILE [--quantization FORMAT]",
             .about = "logits of every position of given tokens, as a file of float32.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct logits_values),
    .run = run,
};
