/* health.c: docket health: reads a log and says healthy, problem or unknown; without one, whether the worker beside it is alive. */
#include "handlers/tools/health_rules.h"
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/queue/spool.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME        "/runpod-volume"
#define ALIVE_BEATS   5 /* heartbeat intervals after which a worker counts as dead, as for those that share its spool */
#define ALIVE_SECONDS 15.0 /* but never less than this */
#define LINE_BYTES    (1 * MIB)

struct health_values {
    const char *logs;
    double max_load_seconds, min_tokens_per_second, min_free_share, max_failed_share;
    uint64_t max_errors, max_unposted;
    bool ended, json;
};

#define OPTION_VALUES struct health_values
static const struct option options[] = {
    OWN_OPTION(PATH, logs, "--logs", "(none: look at the worker in this container)", ANY, "FILE|-",
               "log to read; - is standard input"),
    OWN_OPTION(NUMBER, max_load_seconds, "--max-load-seconds", "420", RANGE(0, 86400), "S",
               "longest time to load; the platform gives up after 7 minutes"),
    OWN_OPTION(NUMBER, min_tokens_per_second, "--min-tokens-per-second", "0", RANGE(0, 1e9), "N",
               "slowest median over the jobs"),
    OWN_OPTION(NUMBER, min_free_share, "--min-free-memory-share", "0.03", RANGE(0, 1), "SHARE",
               "least share of free memory"),
    OWN_OPTION(NUMBER, max_failed_share, "--max-failed-share", "0.5", RANGE(0, 1), "SHARE",
               "largest share of documents with errors"),
    OWN_OPTION(COUNT, max_errors, "--max-errors", "0", RANGE(0, 1000000), "N",
               "lines of level ERROR, refused jobs not counted"),
    OWN_OPTION(COUNT, max_unposted, "--max-unposted", "0", RANGE(0, 1000000), "N",
               "results that may wait in the spool"),
    OWN_OPTION(SWITCH, ended, "--ended", "false", ANY, "", "the worker has ended: the log must say so"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "print one JSON object"),
};

static const char *const verdict_names[] = {"healthy", "problem", "unknown"};
static const char *const severity_names[] = {"note", "incomplete", "problem"};
static const int verdict_codes[] = {DOCKET_EXIT_DRAINED, DOCKET_EXIT_UNHEALTHY, DOCKET_EXIT_UNKNOWN};

/* Reads lines of any length: what is over LINE_BYTES is cut, not kept. */
static enum status read_lines(struct health *health, FILE *in, const char *name, struct error *err)
{
    struct buffer line;
    char piece[16 * 1024];
    size_t n;
    buffer_init(&line, LINE_BYTES);
    while ((n = fread(piece, 1, sizeof(piece), in)) > 0) {
        for (size_t at = 0; at < n;) {
            const char *end = memchr(piece + at, '\n', n - at);
            size_t length = end ? (size_t)(end - piece) - at : n - at;
            buffer_append(&line, piece + at, length);
            at += length + (end != NULL);
            if (!end) continue;
            health_line(health, line.data ? line.data : "", line.length);
            buffer_clear(&line);
        }
    }
    if (line.length) health_line(health, line.data, line.length);
    buffer_free(&line);
    return ferror(in) ? fail(err, DOCKET_IO, CODE_NONE, "%s: %s", name, strerrordesc_np(errno)) : DOCKET_OK;
}

static void put_number(struct buffer *out, const char *name, double value, double unit, const char *format)
{
    if (!isfinite(value)) return;
    buffer_printf(out, ", %s ", name);
    char text[32];
    snprintf(text, sizeof(text), "%.3g", value / unit);
    buffer_printf(out, "%s%s", text, format);
}

static void put_text(struct buffer *out, const struct health *health, enum verdict verdict)
{
    size_t n;
    const struct finding *f = health_findings(health, &n);
    const struct health_facts *x = health_facts(health);
    buffer_printf(out, "%s\n", verdict_names[verdict]);
    buffer_printf(out, "  %zu lines, %zu workers, %zu jobs done, %zu failed, %.0f documents",
                  x->lines - x->foreign_lines, x->workers, x->jobs_done, x->jobs_failed, x->documents);
    put_number(out, "loaded in", x->load_seconds, 1, " s");
    put_number(out, "median", x->tokens_per_second, 1, " tokens/s");
    put_number(out, "memory used", x->memory_used_bytes, 1e9, " GB");
    put_number(out, "free", x->memory_free_bytes, 1e9, " GB");
    buffer_append_char(out, '\n');
    for (size_t i = 0; i < n; i++) {
        buffer_printf(out, "  %-10s %s", severity_names[f[i].severity], f[i].text);
        if (f[i].times > 1) buffer_printf(out, " (%zu times)", f[i].times);
        buffer_append_char(out, '\n');
        if (f[i].line) buffer_printf(out, "    line %zu: %s\n", f[i].line, f[i].proof);
    }
}

static void put_json(struct buffer *out, const struct health *health, enum verdict verdict)
{
    size_t n;
    const struct finding *f = health_findings(health, &n);
    const struct health_facts *x = health_facts(health);
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "verdict", verdict_names[verdict]);
    json_put_u64(&w, "lines", x->lines - x->foreign_lines);
    json_put_u64(&w, "foreign_lines", x->foreign_lines);
    json_put_u64(&w, "workers", x->workers);
    json_put_u64(&w, "jobs_done", x->jobs_done);
    json_put_u64(&w, "jobs_failed", x->jobs_failed);
    json_put_double(&w, "documents", x->documents);
    json_put_double(&w, "documents_failed", x->documents_failed);
    json_put_double(&w, "input_tokens", x->input_tokens);
    json_put_double(&w, "load_seconds", x->load_seconds);
    json_put_double(&w, "median_tokens_per_second", x->tokens_per_second);
    json_put_double(&w, "memory_used_bytes", x->memory_used_bytes);
    json_put_double(&w, "memory_free_bytes", x->memory_free_bytes);
    json_begin_array(&w, "findings");
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w, NULL);
        json_put_string(&w, "severity", severity_names[f[i].severity]);
        json_put_string(&w, "text", f[i].text);
        json_put_u64(&w, "times", f[i].times);
        if (f[i].line) {
            json_put_u64(&w, "line", f[i].line);
            json_put_string(&w, "proof", f[i].proof);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static int judge_logs(const struct health_values *v)
{
    const struct health_limits limits = {.max_load_seconds = v->max_load_seconds,
                                         .min_tokens_per_second = v->min_tokens_per_second,
                                         .min_free_share = v->min_free_share,
                                         .max_failed_share = v->max_failed_share,
                                         .max_errors = v->max_errors,
                                         .max_unposted = v->max_unposted,
                                         .ended = v->ended};
    struct error err = {0};
    struct buffer out = {0};
    bool from_input = strcmp(v->logs, "-") == 0;
    FILE *in = from_input ? stdin : fopen(v->logs, "re");
    struct health *health = health_open(&limits);
    enum status st = DOCKET_OK;
    int code;
    if (!in)
        st = fail(&err, errno == ENOENT ? DOCKET_NOT_FOUND : DOCKET_IO, CODE_NONE, "%s: %s", v->logs,
                  strerrordesc_np(errno));
    else if (!health)
        st = fail(&err, DOCKET_NO_MEMORY, CODE_NONE, "no memory");
    if (st == DOCKET_OK) st = read_lines(health, in, v->logs, &err);
    if (st == DOCKET_OK) {
        enum verdict verdict = health_verdict(health);
        (v->json ? put_json : put_text)(&out, health, verdict);
        code = tool_print(&out) ? verdict_codes[verdict] : DOCKET_EXIT_IO;
    } else
        code = tool_fail(&err);
    if (in && !from_input) fclose(in);
    health_close(health);
    buffer_free(&out);
    return code;
}

/* --- the worker beside us --- */

/* Seconds since the worker of this folder touched its owner file; negative: there is none. */
static double owner_age(const char *root, const char *name)
{
    struct stat facts;
    char *folder = path_join(root, name), *owner = folder ? path_join(folder, "owner") : NULL;
    double age = -1;
    if (owner && lstat(owner, &facts) == 0 && S_ISREG(facts.st_mode)) {
        age = (double)clock_wall_ns() / 1e9 - ((double)facts.st_mtim.tv_sec + (double)facts.st_mtim.tv_nsec / 1e9);
        if (age < 0) age = 0;
    }
    mem_free(owner);
    mem_free(folder);
    return age;
}

static double youngest_age(const char *root)
{
    double youngest = -1;
    struct dirent *entry;
    DIR *dir = opendir(root);
    while (dir && (entry = readdir(dir))) {
        double age = entry->d_name[0] == '.' ? -1 : owner_age(root, entry->d_name);
        if (age >= 0 && (youngest < 0 || age < youngest)) youngest = age;
    }
    if (dir) closedir(dir);
    return youngest;
}

/* For a container's HEALTHCHECK, which knows 0 and 1 only. */
static int judge_worker(const struct config *config)
{
    bool ephemeral;
    double limit = fmax(ALIVE_SECONDS, ALIVE_BEATS * (double)config->ping_interval_ms / 1000), age;
    struct buffer name = {0};
    char *root = spool_choose_root(config->spool_dir, VOLUME, config->temporary, &ephemeral);
    if (!root) return DOCKET_EXIT_UNHEALTHY;
    if (config->pod_id) {
        spool_folder_name(&name, config->pod_id);
        age = owner_age(root, name.data ? name.data : "");
    } else
        age = youngest_age(root);
    if (age < 0)
        printf("problem: no worker has signed in %s\n", root);
    else if (age > limit)
        printf("problem: the worker's last sign is %.0f s old, more than %.0f\n", age, limit);
    else
        printf("healthy: the worker's last sign is %.0f s old\n", age);
    buffer_free(&name);
    mem_free(root);
    return age >= 0 && age <= limit ? DOCKET_EXIT_DRAINED : DOCKET_EXIT_UNHEALTHY;
}

static int run(const struct tool_call *call)
{
    const struct health_values *v = call->values;
    if (call->n_arguments) return tool_usage("health takes flags only: --logs %.60s?", call->arguments[0]);
    return v->logs ? judge_logs(v) : judge_worker(call->config);
}

const struct tool tool_health = {
    .name = "health",
    .line =
        {.letter = 'h',
         .usage = "health [--logs FILE|-] [limits]",
         .about =
             "say from its log whether a worker is healthy, and which lines prove it.\n\nExit code 0: healthy; 1: "
             "problem; 2: "
             "the lines do not tell. Reads docket's lines in either form, plain or\nas Docker's JSON files, Kubernetes "
             "nodes and server-sent events wrap them. Without --logs it looks\nwhether the worker in this container "
             "still gives signs of life.",
         .options = options,
         .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct health_values),
    .run = run,
};
