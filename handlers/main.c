/* main.c: the program: finds the subcommand, reads its settings, runs it, and ends with its exit code. */
#include "handlers/documents/sandbox.h"
#include "handlers/tools/tools.h"
#include "handlers/version.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct tool *const tools[] = {&tool_worker, &tool_classify, &tool_tokenize, &tool_logits,
                                           &tool_bench,  &tool_quantize, &tool_validate, &tool_health,
                                           &tool_models, &tool_plan,     &tool_extract};

static const struct tool *find_tool(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tools); i++)
        if (strcmp(tools[i]->name, name) == 0) return tools[i];
    return NULL;
}

static int print(struct buffer *text)
{
    bool written = !text->failed && tool_print(text);
    buffer_free(text);
    return written ? 0 : DOCKET_EXIT_IO;
}

static void put_usage(struct buffer *out)
{
    buffer_append_str(out, "usage: docket COMMAND [--help] [flags]\n\ncommands\n");
    for (size_t i = 0; i < ARRAY_LENGTH(tools); i++) {
        size_t first = strcspn(tools[i]->line.about, ".\n");
        buffer_printf(out, "  %-10s %.*s\n", tools[i]->name, (int)first, tools[i]->line.about);
    }
    buffer_append_str(out,
                      "\n  docket --version [--verbose]\n"
                      "  docket --page settings|events|errors    the tables, as documentation\n"
                      "\nWith a platform's variables (RUNPOD_WEBHOOK_GET_JOB) set, docket alone is docket worker.\n"
                      "Exit codes: deploy/ERRORS.md; settings: deploy/SETTINGS.md.\n");
}

static void put_events_page(struct buffer *out)
{
    buffer_append_str(
        out,
        "# Events\n\n"
        "Made by `docket --page events` from `worker/base/events.def`; a test compares the two.\n\n"
        "With `RUNPOD_ENDPOINT_ID` set or `LOG_FORMAT=json` a line is one JSON object with the keys `requestId` (id "
        "of\n"
        "the job, or null), `message`, `level`, `ts`, `event`, `seq` (counts up by one: a gap means lost lines),\n"
        "`worker_id`, `version`, and the event's own, with the unit in the name. Otherwise it is one readable line.\n"
        "No line holds text of documents, labels' texts, keys or queries of URLs.\n\n"
        "| event | message | level and meaning |\n| --- | --- | --- |\n");
    for (int i = 0; i < N_LOG_EVENTS; i++)
        buffer_printf(out, "| `%s` | %s | %s |\n", log_event_name(i), log_event_message(i), log_event_meaning(i));
}

static void put_errors_page(struct buffer *out)
{
    static const struct {
        int number;
        const char *meaning, *action;
    } exits[] = {
#define EXIT_CODE(name, number, meaning, action) {number, meaning, action},
#include "worker/base/exit_codes.def"
#undef EXIT_CODE
    };
    buffer_append_str(out, "# Errors\n\n"
                           "Made by `docket --page errors` from `worker/base/error_codes.def` and `exit_codes.def`; a "
                           "test compares them.\n\n"
                           "A document's error is an object `{\"code\", \"message\", \"stage\", \"param\", \"page\", "
                           "\"retryable\"}` in its result; the\n"
                           "job goes on. A job's error is a string that holds code and message; the job has FAILED. "
                           "Codes are never renamed.\n"
                           "Retryable: the same input may succeed later, unchanged.\n\n"
                           "| code | scope | stage | retryable | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (int i = 1; i < N_ERROR_CODES; i++)
        buffer_printf(out, "| `%s` | %s | %s | %s | %s |\n", error_code_name(i), error_code_scope(i),
                      error_code_stage(i), error_code_retryable(i) ? "yes" : "no", error_code_meaning(i));
    buffer_append_str(
        out,
        "\n## Exit codes\n\nBefore any that is not 0 the worker logs one line `event: exit` with code and reason.\n\n"
        "| code | meaning | what to do |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_LENGTH(exits); i++)
        buffer_printf(out, "| %d | %s | %s |\n", exits[i].number, exits[i].meaning, exits[i].action);
}

static int print_page(const char *which)
{
    struct buffer text = {0};
    if (strcmp(which, "settings") == 0)
        config_page(&text);
    else if (strcmp(which, "events") == 0)
        put_events_page(&text);
    else if (strcmp(which, "errors") == 0)
        put_errors_page(&text);
    else
        return tool_usage("--page %.40s: want settings, events or errors", which);
    return print(&text);
}

static bool asks_for(int argc, char **argv, const char *flag)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], flag) == 0) return true;
    return false;
}

/* The worker's own words when its settings cannot be read, so that it is not known how it should speak. */
static void log_refusal(int code, const struct error *why)
{
    struct error ignored;
    const struct log_options options = {.level = LOG_INFO, .json = config_platform_present(), .fd = STDOUT_FILENO};
    if (options.json && log_open(&options, &ignored) != DOCKET_OK) return;
    log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(why));
    if (options.json) log_close();
}

static int run_tool(const struct tool *tool, int argc, char **argv)
{
    struct config config = {0};
    struct text_list rest = {0};
    struct error err = {0};
    struct buffer text = {0};
    void *values = mem_zalloc(1, tool->values_bytes + 1);
    struct sandbox *sandbox = NULL;
    int code;
    bool help = asks_for(argc, argv, "--help") || asks_for(argc, argv, "-h");
    if (tool == &tool_worker) worker_hold_signals();
    if (tool->reads_documents && !help && sandbox_open(&sandbox, NULL, &err) != DOCKET_OK)
        code = DOCKET_EXIT_NO_MEMORY;
    else if (help) {
        config_help(&text, &tool->line);
        code = print(&text);
    } else if (!values) {
        code = DOCKET_EXIT_NO_MEMORY;
    } else if (config_load(&config, &tool->line, values, argc, argv, &rest, &err) != DOCKET_OK) {
        code = err.status == DOCKET_BAD_INPUT ? DOCKET_EXIT_USAGE : exit_code_of(&err);
        if (tool == &tool_worker)
            log_refusal(code, &err);
        else
            fprintf(stderr, "docket: %s\n", err.message);
    } else {
        const struct tool_call call = {&config, sandbox, values, rest.items, rest.n};
        code = tool->run(&call);
        if (tool != &tool_worker) log_flush(1);
    }
    sandbox_close(sandbox);
    for (size_t i = 0; values && i < tool->line.n_options; i++)
        if (tool->line.options[i].kind == OPTION_LIST)
            text_list_free((struct text_list *)((char *)values + tool->line.options[i].offset));
    text_list_free(&rest);
    mem_free(values);
    return code;
}

/* Without a command: the worker, inside a platform's container or for one job on the command line; else the list of commands. */
static int run_without_command(int argc, char **argv)
{
    struct buffer text = {0};
    if (config_platform_present() || asks_for(argc, argv, "--test_input") || asks_for(argc, argv, "--test-input"))
        return run_tool(&tool_worker, argc, argv);
    put_usage(&text);
    if (argc == 0) return print(&text);
    buffer_free(&text);
    return tool_usage("%.60s: want a command first; docket --help lists them", argv[0]);
}

int main(int argc, char **argv)
{
    struct buffer text = {0};
    int code;
    if (sandbox_is_server(argc, argv, &code)) return code;
    signal(SIGPIPE, SIG_IGN);
    argc--;
    argv++;
    if (argc == 0 || (argv[0][0] == '-' && argv[0][1] == '-' && !asks_for(1, argv, "--help") &&
                      !asks_for(1, argv, "--version") && !asks_for(1, argv, "--page")))
        return run_without_command(argc, argv);
    if (asks_for(1, argv, "--version") || strcmp(argv[0], "-V") == 0) {
        version_write(&text, asks_for(argc, argv, "--verbose"));
        return print(&text);
    }
    if (asks_for(1, argv, "--help") || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0) {
        put_usage(&text);
        return print(&text);
    }
    if (strcmp(argv[0], "--page") == 0) return print_page(argc > 1 ? argv[1] : "");
    const struct tool *tool = find_tool(argv[0]);
    if (!tool) return tool_usage("%.60s: no such command; docket --help lists them", argv[0]);
    return run_tool(tool, argc - 1, argv + 1);
}
