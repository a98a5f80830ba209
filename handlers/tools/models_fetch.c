/* models_fetch.c: docket models fetch: a bar on a terminal, log lines elsewhere, and the folder on standard output. */
#include "handlers/tools/models.h"
#include "handlers/version.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/hub/download.h"

#include <stdio.h>
#include <unistd.h>

#define LOG_NS    (10 * NS_PER_SECOND)
#define BAR_NS    (200 * NS_PER_MS)
#define BAR_WIDTH 30

struct watching {
    bool terminal;
    uint64_t start_ns, last_ns;
};

static void on_progress(void *context, const struct hub_progress *p)
{
    struct watching *w = context;
    uint64_t now = clock_now_ns();
    if (w->last_ns == 0 && !w->terminal) w->last_ns = now; /* the first line tells that it began */
    if (now - w->last_ns < (w->terminal ? BAR_NS : LOG_NS)) return;
    w->last_ns = now;
    double seconds = clock_seconds_since(w->start_ns), rate = seconds > 0 ? (double)p->network_bytes / seconds : 0;
    if (w->terminal) {
        char done[32], all[32], speed[32];
        uint64_t total = p->total_bytes ? p->total_bytes : 1;
        int filled = (int)((double)p->done_bytes / (double)total * BAR_WIDTH);
        fprintf(stderr, "\r\033[K%.*s%.*s %s of %s, %s/s  %.60s%s", filled > BAR_WIDTH ? BAR_WIDTH : filled,
                "##############################", filled > BAR_WIDTH ? 0 : BAR_WIDTH - filled,
                "..............................", models_size(done, p->done_bytes), models_size(all, p->total_bytes),
                models_size(speed, (uint64_t)rate), p->file, p->waiting ? " (another process has it)" : "");
    } else {
        log_event(LOG_INFO, EVENT_model_fetch_progress, F_STR("file", p->file), F_U64("bytes", p->done_bytes),
                  F_U64("total_bytes", p->total_bytes), F_F64("bytes_per_second", rate), F_BOOL("waiting", p->waiting));
    }
}

static void put_result(struct buffer *out, bool json, const char *model, const struct models_fetched *got)
{
    const struct hub_fetched *facts = &got->facts;
    struct json_writer w = {.out = out, .spaced = true};
    if (!json) {
        buffer_printf(out, "%s\n", got->folder);
        return;
    }
    json_begin_object(&w, NULL);
    json_put_string(&w, "repository", model);
    json_put_string(&w, "commit", facts->commit);
    json_put_string(&w, "folder", got->folder);
    json_put_u64(&w, "files", facts->n_files);
    json_put_u64(&w, "files_fetched", facts->n_fetched);
    json_put_u64(&w, "bytes", facts->bytes);
    json_put_u64(&w, "network_bytes", facts->network_bytes);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

/* The folder of the snapshot as hub_locate finds it: what was fetched can be used. */
static enum status locate(char **folder, const struct hub_fetch *fetch, const char *commit, struct error *err)
{
    const struct hub_options where = {.model = fetch->repository, .revision = commit, .hub_cache = fetch->cache};
    struct model_location location = {0};
    enum status st = hub_locate(&location, &where, err);
    if (st == DOCKET_OK && !(*folder = str_dup(location.folder)))
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a path");
    model_location_free(&location);
    return st;
}

enum status models_fetch_one(struct models_fetched *out, const struct tool_call *call, const char *model,
                             const char *revision, struct error *err)
{
    const struct models_values *v = call->values;
    const struct config *c = call->config;
    struct watching watching = {.terminal = config_terminal(c, STDERR_FILENO), .start_ns = clock_now_ns()};
    struct hub_fetch fetch = {.source = {.endpoint = c->hf_endpoint,
                                         .token = c->hf_token,
                                         .ca_file = c->ca_file,
                                         .allow_clear_text = c->allow_clear_text,
                                         .stop = &models_stop},
                              .repository = model,
                              .revision = revision,
                              .piece_bytes = (size_t)v->piece_bytes,
                              .n_connections = (unsigned)v->connections,
                              .no_links = v->no_links,
                              .progress = on_progress,
                              .context = &watching};
    struct models_fetched got = {0};
    char *cache = NULL, *agent = NULL;
    enum status st = hub_cache_folder(&cache, c->hub_cache, c->hf_home, c->home, err);
    if (st == DOCKET_OK && !(agent = str_format("docket/%s", docket_version())))
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a header");
    fetch.source.user_agent = agent;
    fetch.cache = cache;
    if (st == DOCKET_OK) st = hub_fetch(&fetch, &got.facts, err);
    if (watching.terminal) fputs("\r\033[K", stderr);
    if (st == DOCKET_OK) st = locate(&got.folder, &fetch, got.facts.commit, err);
    if (st == DOCKET_OK) {
        log_event(LOG_INFO, EVENT_model_fetched, F_STR("model", model), F_STR("revision", got.facts.commit),
                  F_STR("folder", got.folder), F_U64("files", got.facts.n_files),
                  F_U64("network_bytes", got.facts.network_bytes),
                  F_F64("seconds", clock_seconds_since(watching.start_ns)));
        *out = got;
    }
    mem_free(cache);
    mem_free(agent);
    return st;
}

int models_fetch(const struct tool_call *call)
{
    const struct models_values *v = call->values;
    struct models_fetched got = {0};
    struct buffer out = {0};
    struct error err = {0};
    char *model = NULL, *revision = NULL;
    const char *text = call->n_arguments ? call->arguments[0] : call->config->model;
    if (!text || call->n_arguments > 1) return tool_usage("models fetch: want one model");
    models_catch_signals();
    enum status st = models_name(&model, &revision, call, text, &err);
    if (st == DOCKET_OK) st = models_fetch_one(&got, call, model, revision, &err);
    if (st == DOCKET_OK) {
        put_result(&out, v->json, model, &got);
        st = buffer_check(&out, "the result", &err);
    }
    int code = st == DOCKET_CANCELLED ? DOCKET_EXIT_UNHEALTHY
               : st != DOCKET_OK      ? tool_fail(&err)
               : tool_print(&out)     ? 0
                                      : DOCKET_EXIT_IO;
    if (st == DOCKET_CANCELLED) fprintf(stderr, "docket: stopped; what came so far stays for the next try\n");
    buffer_free(&out);
    mem_free(model);
    mem_free(revision);
    mem_free(got.folder);
    return code;
}
