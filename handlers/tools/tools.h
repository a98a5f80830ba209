/* tools.h: the subcommands, and what they share. Each has a file here and a row in main.c; none knows another. */
#ifndef DOCKET_HANDLERS_TOOLS_H
#define DOCKET_HANDLERS_TOOLS_H

#include "handlers/classify.h"
#include "worker/base/log.h"
#include "worker/config.h"

struct tool_call {
    const struct config *config;
    struct sandbox *sandbox;      /* of a tool that reads documents, else NULL */
    const void *values;           /* the tool's own struct, filled from its own flags */
    const char *const *arguments; /* what was no flag */
    size_t n_arguments;
};

struct tool {
    const char *name;
    struct command_line line;
    size_t values_bytes;
    bool reads_documents;                     /* the sandbox is started before anything else */
    int (*run)(const struct tool_call *call); /* returns the exit code */
};

extern const struct tool tool_worker, tool_classify, tool_tokenize, tool_logits, tool_bench, tool_health, tool_quantize,
    tool_validate, tool_models, tool_plan, tool_extract;

/* Writes "docket: message" to standard error and returns the exit code of the error. */
int tool_fail(const struct error *err);
/* The same for a wrong command line: 64. */
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Logs on standard error, from `least` up unless the user wants more. */
enum status tool_log_open(const struct config *config, enum log_level least, struct error *err);
/* BAD_CONFIG: QUANTIZATION. */
enum status tool_model_options(const struct config *config, struct model_options *out, struct error *err);
void tool_document_limits(const struct tool_call *call, struct document_limits *out);
/* Without worker_id and price. BAD_CONFIG as above. */
enum status tool_classify_options(const struct tool_call *call, struct classify_options *out, struct error *err);
/* Gives the sandbox its settings, waits for it and logs what it is. With SANDBOX=strict false where a layer is missing: the tool ends
 * with DOCKET_EXIT_SANDBOX. */
bool tool_sandbox(const struct tool_call *call, struct error *err);
/* Says on a terminal that the model is being loaded, and loads it. */
enum status tool_load(struct classifier *classifier, const struct config *config, struct error *err);

/* Everything from standard input, at most ceiling_bytes. */
enum status tool_read_input(struct buffer *out, size_t ceiling_bytes, struct error *err);
/* Writes all of it to standard output: false when the reader is gone. */
bool tool_print(const struct buffer *text);
/* Appends text for a terminal: control characters as '?'. */
void tool_put_clean(struct buffer *out, const char *text);

#endif
