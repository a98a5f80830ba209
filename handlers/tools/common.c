/* common.c: what the subcommands share: errors to people, settings to options, standard input and output. */
#include "handlers/tools/tools.h"
#include "handlers/version.h"

#include "handlers/documents/sandbox.h"
#include "handlers/documents/tools.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/base/size_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tool_fail(const struct error *err)
{
    log_flush(1);
    fprintf(stderr, "docket: %s%s%s\n", err->code != CODE_NONE ? error_code_name(err->code) : "",
            err->code != CODE_NONE ? ": " : "", err->message);
    return exit_code_of(err);
}

int tool_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("docket: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return DOCKET_EXIT_USAGE;
}

enum status tool_log_open(const struct config *config, enum log_level least, struct error *err)
{
    struct log_options options = {.level = least, .fd = STDERR_FILENO};
    if (config->log_level) log_level_by_name(config->log_level, &options.level);
    options.json = config->set_by[SETTING_log_format] && strcmp(config->log_format, "json") == 0;
    options.colour = config_terminal(config, STDERR_FILENO);
    enum status st = log_open(&options, err);
    if (st == DOCKET_OK) config_log_notes(config);
    return st;
}

enum status tool_model_options(const struct config *config, struct model_options *out, struct error *err)
{
    *out = (struct model_options){.hub = {.model = config->model,
                                          .revision = config->revision,
                                          .hub_cache = config->hub_cache,
                                          .hf_home = config->hf_home,
                                          .home = config->home},
                                  .device = {.backend = config->device,
                                             .cuda_library = config->cuda_library,
                                             .cuda_device = (int)config->cuda_device,
                                             .cpu_isa = config->cpu_isa,
                                             .compute_dtype = config->compute_dtype,
                                             .n_threads = (unsigned)config->cpu_threads},
                                  .chat_template = config->chat_template,
                                  .max_model_len = (size_t)config->max_model_len,
                                  .memory_utilization = config->gpu_memory_utilization,
                                  .safety = config->vram_safety};
    out->keep_copy = config->quant_cache;
    if (config->gpu_memory_budget && !size_text_read(&out->memory_budget, config->gpu_memory_budget))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: \"%.40s\": want a size such as 12GiB or 24GB",
                    config->set_by[SETTING_gpu_memory_budget], config->gpu_memory_budget);
    if (config->gpu_layers && strcmp(config->gpu_layers, "auto") != 0) {
        char *end;
        unsigned long n = strtoul(config->gpu_layers, &end, 10);
        if (*config->gpu_layers < '0' || *config->gpu_layers > '9' || *end || n == 0 || n > 100000)
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                        "%s: \"%.40s\": want auto or a number of layers from 1 (DEVICE=cpu for none)",
                        config->set_by[SETTING_gpu_layers], config->gpu_layers);
        out->gpu_layers = n;
    }
    device_products_by_name(config->gpu_products, &out->device.products);
    out->device.no_graphs = config->cuda_graphs && strcmp(config->cuda_graphs, "off") == 0;
    expand_mode_by_name(config->expand, &out->expand);
    kv_format_by_name(config->kv_cache_format, &out->kv_format);
    const char *name = config->set_by[SETTING_quantization];
    return quantization_parse(&out->quantization, name ? name : "QUANTIZATION", config->quantization, err);
}

void tool_document_limits(const struct tool_call *call, struct document_limits *out)
{
    const struct config *config = call->config;
    *out = (struct document_limits){.max_bytes = (size_t)config->max_document_bytes,
                                    .max_members = (size_t)config->max_archive_members,
                                    .max_depth = (size_t)config->max_archive_depth,
                                    .max_expanded = config->max_archive_bytes,
                                    .max_pages = (size_t)config->max_pages,
                                    .ocr_languages = config->ocr_languages,
                                    .ocr_max_pages = (size_t)config->ocr_max_pages,
                                    .ocr_timeout_seconds = config->ocr_timeout_seconds,
                                    .legacy_off = strcmp(config->legacy_office, "off") == 0,
                                    .root = config->document_root,
                                    .sandbox = call->sandbox};
}

enum status tool_classify_options(const struct tool_call *call, struct classify_options *out, struct error *err)
{
    const struct config *config = call->config;
    *out = (struct classify_options){.version = docket_version(), .result_max_bytes = (size_t)config->max_result_bytes};
    out->nvml_library = config->nvml_library;
    out->documents = (struct reader_options){.downloads = {.guard = {.allow_private = config->allow_private_urls},
                                                           .ca_file = config->ca_file,
                                                           .timeout_seconds = config->fetch_seconds,
                                                           .slow_seconds = config->fetch_slow_seconds,
                                                           .per_host = (size_t)config->fetches_per_host},
                                             .max_download_bytes = (size_t)config->max_download_bytes,
                                             .n_fetches = (size_t)config->fetches,
                                             .n_readings = (size_t)config->readings,
                                             .n_ahead = (size_t)config->read_ahead_documents,
                                             .held_bytes = (size_t)config->read_ahead_bytes};
    tool_document_limits(call, &out->documents.limits);
    return tool_model_options(config, &out->model, err);
}

static void say_missing(const struct tool_call *call)
{
    struct document_limits limits;
    struct buffer missing = {0};
    tool_document_limits(call, &limits);
    tools_missing(&missing, &limits);
    if (missing.length) log_event(LOG_WARN, EVENT_readers_missing, F_STR("missing", missing.data));
    buffer_free(&missing);
}

bool tool_sandbox(const struct tool_call *call, struct error *err)
{
    struct sandbox_facts facts = {0};
    struct buffer layers = {0};
    sandbox_set_times(call->sandbox, call->config->extract_timeout_seconds, call->config->extract_silence_seconds);
    bool ready = sandbox_ready(call->sandbox, &facts, err) == DOCKET_OK;
    bool whole = ready && facts.tested && facts.layers == (1u << N_LAYERS) - 1;
    sandbox_describe(&layers, &facts);
    if (ready)
        log_event(whole ? LOG_INFO : LOG_WARN, EVENT_sandbox, F_STR("layers", layers.data ? layers.data : ""),
                  F_BOOL("tested", facts.tested));
    else
        log_event(LOG_WARN, EVENT_sandbox, F_STR("layers", "none"), F_ERROR(err));
    bool good = whole || strcmp(call->config->sandbox, "strict") != 0;
    if (!good && ready)
        fail(err, DOCKET_UNSUPPORTED, CODE_sandbox_unavailable, "SANDBOX=strict: only these layers hold: %.200s%s",
             layers.data ? layers.data : "", facts.tested ? "" : ", and its test failed");
    buffer_free(&layers);
    say_missing(call);
    return good;
}

enum status tool_load(struct classifier *classifier, const struct config *config, struct error *err)
{
    bool terminal = config_terminal(config, STDERR_FILENO);
    if (terminal) fprintf(stderr, "loading %s …", config->model);
    enum status st = classifier_load(classifier, NULL, err);
    if (terminal) fputs("\r\033[K", stderr);
    return st;
}

enum status tool_read_input(struct buffer *out, size_t ceiling_bytes, struct error *err)
{
    char piece[64 * 1024];
    buffer_init(out, ceiling_bytes);
    for (;;) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));
        if (n == 0) break;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(err, DOCKET_IO, CODE_NONE, "standard input: %s", strerrordesc_np(errno));
        if (!buffer_append(out, piece, (size_t)n)) break;
    }
    return buffer_check(out, "standard input", err);
}

bool tool_print(const struct buffer *text)
{
    if (text->length && fwrite(text->data, 1, text->length, stdout) != text->length) return false;
    return fflush(stdout) == 0;
}

void tool_put_clean(struct buffer *out, const char *text)
{
    for (; *text; text++) buffer_append_char(out, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}
