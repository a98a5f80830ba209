/* models.c: docket models: what lies in the caches, and what is put there. */
#include "handlers/tools/models.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/hub/inventory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTION_VALUES struct models_values
static const struct option options[] = {
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "one JSON document instead of text"),
    OWN_OPTION(SWITCH, all, "--all", "false", ANY, "", "prepare: every model that has a short name"),
    OWN_OPTION(TEXT, format, "--format", "(--quantization)", ANY, "FORMAT",
               "prepare: as --quantization; none: only fetch and prove"),
    OWN_OPTION(PATH, out, "--out", "(none)", ANY, "DIR",
               "prepare: a folder in DIR for each model, as docket quantize writes it, in place of the kept copy"),
    OWN_OPTION(COUNT, connections, "--connections", "8", RANGE(1, 32), "N", "fetch: at one time, for one file"),
    OWN_OPTION(COUNT, piece_bytes, "--piece-bytes", "4194304", RANGE(4096, 1073741824), "BYTES",
               "fetch: what a cut costs at most, for each connection"),
    OWN_OPTION(
        SWITCH, no_links, "--no-links", "false", ANY, "",
        "fetch: put files into the snapshot themselves, not links to blobs (found out where links are impossible)"),
};

atomic_bool models_stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&models_stop, true);
}

void models_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file larger than is allowed is an error like any other */
}

enum status models_name(char **model, char **revision, const struct tool_call *call, const char *text,
                        struct error *err)
{
    struct stat facts;
    const char *at = stat(text, &facts) == 0 ? NULL : strrchr(text, '@'), *rev = at ? at + 1 : call->config->revision;
    char *name = at ? str_dup_n(text, (size_t)(at - text)) : str_dup(text), *full = NULL;
    if (name) full = str_dup(hub_full_name(name));
    mem_free(name);
    char *copy = rev ? str_dup(rev) : NULL;
    if (!full || (rev && !copy)) {
        mem_free(full);
        mem_free(copy);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the command line");
    }
    *model = full;
    *revision = copy;
    return DOCKET_OK;
}

const char *models_size(char out[32], uint64_t bytes)
{
    double value = (double)bytes;
    const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < ARRAY_LENGTH(units)) value /= 1000, unit++;
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

static void list_options(struct hub_options *out, const struct config *config)
{
    *out = (struct hub_options){.hub_cache = config->hub_cache, .hf_home = config->hf_home, .home = config->home};
}

static void put_json(struct buffer *out, const struct inventory *inv)
{
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_begin_array(&w, "models");
    for (size_t i = 0; i < inv->n; i++) {
        const struct inventory_entry *e = &inv->entries[i];
        json_begin_object(&w, NULL);
        json_put_string(&w, "repository", e->repository);
        json_put_string(&w, "commit", e->commit[0] ? e->commit : NULL);
        json_put_string(&w, "revisions", e->revisions);
        json_put_string(&w, "cache", e->cache);
        json_put_u64(&w, "files", e->n_files);
        json_put_u64(&w, "bytes", e->bytes);
        json_put_u64(&w, "unfinished_bytes", e->unfinished_bytes);
        json_put_bool(&w, "complete", e->missing[0] == '\0');
        json_put_string(&w, "missing", e->missing[0] ? e->missing : NULL);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static void put_table(struct buffer *out, const struct inventory *inv)
{
    int widest = 5;
    const char *cache = "";
    for (size_t i = 0; i < inv->n; i++)
        if ((int)strlen(inv->entries[i].repository) > widest) widest = (int)strlen(inv->entries[i].repository);
    if (inv->n == 0) buffer_append_str(out, "no models; docket models fetch gets one\n");
    for (size_t i = 0; i < inv->n; i++) {
        const struct inventory_entry *e = &inv->entries[i];
        char size[32], left[32];
        if (strcmp(cache, e->cache) != 0) {
            buffer_append_str(out, i ? "\n" : "");
            tool_put_clean(out, cache = e->cache);
            buffer_printf(out, "\n  %-*s  %-12s %10s  state\n", widest, "model", "commit", "size");
        }
        buffer_append_str(out, "  ");
        tool_put_clean(out, e->repository);
        buffer_printf(out, "%*s  %-12.12s %10s  ", widest - (int)strlen(e->repository), "",
                      e->commit[0] ? e->commit : "-", models_size(size, e->bytes));
        tool_put_clean(out, e->missing[0] ? e->missing : "complete");
        if (e->revisions[0]) {
            buffer_append_str(out, " (");
            tool_put_clean(out, e->revisions);
            buffer_append_char(out, ')');
        }
        if (e->unfinished_bytes)
            buffer_printf(out, ", %s of an unfinished fetch", models_size(left, e->unfinished_bytes));
        buffer_append_char(out, '\n');
    }
}

int models_list(const struct tool_call *call)
{
    const struct models_values *v = call->values;
    struct hub_options where;
    struct inventory inv = {0};
    struct buffer out = {0};
    struct error err = {0};
    if (call->n_arguments) return tool_usage("models list: \"%.60s\" is one word too many", call->arguments[0]);
    list_options(&where, call->config);
    enum status st = inventory_take(&inv, &where, &err);
    if (st == DOCKET_OK) (v->json ? put_json : put_table)(&out, &inv);
    if (st == DOCKET_OK) st = buffer_check(&out, "the list", &err);
    int code = st != DOCKET_OK ? tool_fail(&err) : tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    buffer_free(&out);
    inventory_free(&inv);
    return code;
}

struct verifying {
    struct buffer out;
    struct json_writer w;
    bool json;
    size_t n_files, n_bad;
};

static void on_file(void *context, const struct verify_file *file)
{
    struct verifying *v = context;
    v->n_files++;
    v->n_bad += file->error != NULL;
    if (v->json) {
        json_begin_object(&v->w, NULL);
        json_put_string(&v->w, "file", file->name);
        json_put_u64(&v->w, "bytes", file->bytes);
        json_put_bool(&v->w, "proven", file->proven && !file->error);
        json_put_string(&v->w, "error", file->error ? file->error->message : NULL);
        json_end_object(&v->w);
    } else {
        buffer_append_str(&v->out, file->error ? "bad      " : file->proven ? "intact   " : "unnamed  ");
        tool_put_clean(&v->out, file->error ? file->error->message : file->name);
        buffer_append_char(&v->out, '\n');
    }
}

int models_verify(const struct tool_call *call)
{
    const struct models_values *values = call->values;
    struct verifying v = {.json = values->json};
    struct hub_options where;
    struct model_location location = {0};
    struct error err = {0};
    char *model = NULL, *revision = NULL;
    const char *text = call->n_arguments ? call->arguments[0] : call->config->model;
    if (!text || call->n_arguments > 1) return tool_usage("models verify: want one model");
    models_catch_signals();
    v.w = (struct json_writer){.out = &v.out, .spaced = true};
    list_options(&where, call->config);
    enum status st = models_name(&model, &revision, call, text, &err);
    where.model = model;
    where.revision = revision;
    if (st == DOCKET_OK) st = hub_locate(&location, &where, &err);
    bool found = st == DOCKET_OK;
    if (found) {
        if (v.json) {
            json_begin_object(&v.w, NULL);
            json_put_string(&v.w, "folder", location.folder);
            json_begin_array(&v.w, "files");
        }
        st = inventory_verify(&location, on_file, &v, &models_stop, &err);
    }
    if (found && v.json) {
        json_end_array(&v.w);
        json_put_bool(&v.w, "intact", st == DOCKET_OK);
        json_put_string(&v.w, "error", st == DOCKET_OK ? NULL : err.message);
        json_end_object(&v.w);
        buffer_append_char(&v.out, '\n');
    } else if (st == DOCKET_OK) {
        buffer_printf(&v.out, "%zu files, all as they should be\n", v.n_files);
    }
    if (st == DOCKET_OK) st = buffer_check(&v.out, "the report", &err);
    bool printed = tool_print(&v.out);
    int code = st == DOCKET_CANCELLED ? DOCKET_EXIT_UNHEALTHY
               : st != DOCKET_OK      ? tool_fail(&err)
               : printed              ? 0
                                      : DOCKET_EXIT_IO;
    buffer_free(&v.out);
    model_location_free(&location);
    mem_free(model);
    mem_free(revision);
    return code;
}

static const struct {
    const char *name;
    int (*run)(const struct tool_call *call);
} parts[] = {{"list", models_list}, {"fetch", models_fetch}, {"verify", models_verify}, {"prepare", models_prepare}};

static int run(const struct tool_call *call)
{
    struct error err = {0};
    if (call->n_arguments == 0) return tool_usage("models: want list, fetch, verify or prepare; docket models --help");
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (strcmp(call->arguments[0], parts[i].name) != 0) continue;
        struct tool_call inner = *call;
        inner.arguments++;
        inner.n_arguments--;
        bool quiet = config_terminal(call->config, STDERR_FILENO); /* there is a bar there, or a person who waits */
        if (tool_log_open(call->config, quiet ? LOG_WARN : LOG_INFO, &err) != DOCKET_OK) return tool_fail(&err);
        int code = parts[i].run(&inner);
        log_close();
        return code;
    }
    return tool_usage("models %.60s: want list, fetch, verify or prepare", call->arguments[0]);
}

const struct tool tool_models = {
    .name = "models",
    .line = {.letter = 'm',
             .usage = "models list | fetch MODEL[@REVISION] | verify MODEL[@REVISION] | prepare MODEL[@REVISION]… | "
                      "prepare --all",
             .about =
                 "what lies in the hub caches of this machine, and what is put there.\n\n"
                 "list    every model and revision, its size, and what it lacks if docket cannot open it\n"
                 "fetch   from the hub into the cache: the files that docket reads, resumed after an interruption,\n"
                 "        each proven by its checksum before it appears\n"
                 "verify  all bytes against their checksums, and the headers of the weights\n"
                 "prepare fetch what is not there, prove it, quantize it into the copy that QUANT_CACHE=on uses, and "
                 "check\n"
                 "        that it computes; a model that fails is told, and the others go on\n\n"
                 "MODEL is org/name, or one of: tinyllama, mistral-7b, mistral-7b-instruct, gemma-2b, llama2-7b,\n"
                 "mixtral-8x7b-instruct. HF_TOKEN is read from the environment.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct models_values),
    .run = run,
};
