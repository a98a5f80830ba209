/* health_rules.c: the rules: which events and numbers mean what. Numbers are judged against limits, never against each other's text. */
#include "handlers/tools/health_rules.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FINDINGS 64
#define MAX_WORKERS  256
#define MAX_RATES    4096
#define STALE_STATES 3 /* state lines with work in hand and nothing moving */
#define TAKE_ERRORS  5 /* in a row */
#define PING_ERRORS  3

/* What is remembered of one worker. */
struct seen {
    char id[64];
    uint64_t last_seq;
    bool started, ready, stopped, said_exit;
    size_t started_line;
    double started_at, last_at;
    double take_failures, ping_failures;
    double unposted; /* of the newest line that says so */
    size_t unposted_line;
    unsigned unposted_states; /* state lines in a row with results waiting */
    unsigned stale_states;
    double moved; /* jobs and tokens at the last state line */
    char unposted_proof[300], last_proof[300];
    size_t last_line;
};

struct health {
    struct health_limits limits;
    struct health_facts facts;
    struct finding findings[MAX_FINDINGS];
    size_t n_findings, n_workers;
    size_t errors, first_error_line;
    char first_error_proof[300];
    struct seen workers[MAX_WORKERS];
    double rates[MAX_RATES];
    size_t n_rates;
    struct log_line line;
    size_t number; /* of the line */
};

struct health *health_open(const struct health_limits *limits)
{
    struct health *h = mem_zalloc(1, sizeof(*h));
    if (!h) return NULL;
    h->limits = *limits;
    h->facts.load_seconds = h->facts.tokens_per_second = h->facts.memory_used_bytes = h->facts.memory_free_bytes = NAN;
    return h;
}

void health_close(struct health *h)
{
    if (!h) return;
    log_line_free(&h->line);
    mem_free(h);
}

/* --- findings --- */

static void copy_proof(char out[300], const char *raw)
{
    size_t n = strnlen(raw, 299);
    while (n > 0 && ((unsigned char)raw[n] & 0xc0) == 0x80) n--; /* not in the middle of a character */
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)raw[i] < 0x20 || raw[i] == 0x7f ? '?' : raw[i];
    out[n] = '\0';
}

/* The same text again only counts up: the first line that proved it stays. */
static void __attribute__((format(printf, 5, 6)))
find(struct health *h, enum severity severity, size_t line, const char *proof, const char *format, ...)
{
    char text[sizeof(h->findings[0].text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (size_t i = 0; i < h->n_findings; i++)
        if (strcmp(h->findings[i].text, text) == 0) {
            h->findings[i].times++;
            return;
        }
    size_t at = h->n_findings;
    if (at == MAX_FINDINGS) { /* a note makes room for a problem */
        for (at = 0; at < MAX_FINDINGS && h->findings[at].severity >= severity; at++)
            ;
        if (at == MAX_FINDINGS) return;
    } else
        h->n_findings++;
    struct finding *f = &h->findings[at];
    *f = (struct finding){.severity = severity, .line = line, .times = 1};
    memcpy(f->text, text, sizeof(text));
    copy_proof(f->proof, proof);
}
#define FIND(severity, ...) find(h, SEVERITY_##severity, h->number, h->line.raw, __VA_ARGS__)

static struct seen *worker_of(struct health *h)
{
    for (size_t i = 0; i < h->n_workers; i++)
        if (strncmp(h->workers[i].id, h->line.worker_id, sizeof(h->workers[i].id) - 1) == 0) return &h->workers[i];
    if (h->n_workers == MAX_WORKERS) return NULL;
    struct seen *s = &h->workers[h->n_workers++];
    *s = (struct seen){.started_at = NAN, .last_at = NAN, .moved = -1};
    snprintf(s->id, sizeof(s->id), "%s", h->line.worker_id);
    return s;
}

static double number(const struct health *h, const char *key)
{
    return log_line_number(&h->line, key);
}

static double or_zero(double value)
{
    return isfinite(value) ? value : 0;
}

/* --- rules, by what they look at --- */

/* seq counts up by one in each process; 1 is its first line. */
static void judge_seq(struct health *h, struct seen *s)
{
    if (!h->line.has_seq) return;
    uint64_t seq = h->line.seq, before = s->last_seq;
    s->last_seq = seq;
    if (before == 0 || seq == before + 1) return;
    if (seq > before)
        FIND(GAP, "%llu lines are missing between seq %llu and %llu", (unsigned long long)(seq - before - 1),
             (unsigned long long)before, (unsigned long long)seq);
    else if (!s->stopped && !s->said_exit) {
        char proof[300];
        memcpy(proof, s->last_proof, sizeof(proof));
        find(h, SEVERITY_PROBLEM, s->last_line, proof,
             "a worker ended without worker_stopped (killed?); another one began");
    }
    if (seq < before) *s = (struct seen){.started_at = NAN, .last_at = NAN, .moved = -1, .last_seq = seq};
    if (seq < before) snprintf(s->id, sizeof(s->id), "%s", h->line.worker_id);
}

static void judge_memory(struct health *h)
{
    double used = number(h, "memory_used_bytes"), left = number(h, "memory_free_bytes");
    if (!isfinite(used) || !isfinite(left) || used + left <= 0) return;
    h->facts.memory_used_bytes = used;
    h->facts.memory_free_bytes = left;
    if (!(left / (used + left) >= h->limits.min_free_share))
        FIND(PROBLEM, "%.1f %% of memory free, less than %.1f %%", 100 * left / (used + left),
             100 * h->limits.min_free_share);
}

static void judge_load(struct health *h, struct seen *s)
{
    double seconds = number(h, "load_seconds");
    s->ready = true;
    if (!isfinite(seconds)) return;
    if (!(h->facts.load_seconds >= seconds)) h->facts.load_seconds = seconds;
    if (seconds > h->limits.max_load_seconds)
        FIND(PROBLEM, "loading took %.1f s, more than %.0f", seconds, h->limits.max_load_seconds);
}

static void judge_waiting(struct health *h, struct seen *s, bool last)
{
    double waiting = number(h, "results_waiting");
    if (!isfinite(waiting)) return;
    s->unposted = waiting;
    s->unposted_line = h->number;
    s->unposted_states = waiting > (double)h->limits.max_unposted ? s->unposted_states + 1 : 0;
    copy_proof(s->unposted_proof, h->line.raw);
    /* One state line with a result on its way is the ordinary case. */
    if (waiting > (double)h->limits.max_unposted && (last || s->unposted_states >= 2))
        FIND(PROBLEM, "results were not accepted and wait in the spool%s", last ? " of a worker that has ended" : "");
}

static void judge_state(struct health *h, struct seen *s)
{
    double busy = or_zero(number(h, "jobs_running"));
    double moved = or_zero(number(h, "jobs_done")) + or_zero(number(h, "jobs_failed")) +
                   or_zero(number(h, "input_tokens_total")) + or_zero(number(h, "documents_total"));
    double engine = number(h, "busy_seconds");
    if (isfinite(engine)) {
        moved += engine; /* a long job moves the engine's clock though nothing is done yet */
        h->facts.busy_seconds = engine;
    }
    s->stale_states = busy > 0 && moved == s->moved ? s->stale_states + 1 : 0;
    s->moved = moved;
    if (s->stale_states >= STALE_STATES) FIND(PROBLEM, "jobs are running and nothing moves");
    if (isfinite(number(h, "memory_free_bytes"))) s->ready = s->ready || isfinite(engine);
    judge_waiting(h, s, false);
}

static void judge_job(struct health *h)
{
    double documents = or_zero(number(h, "documents")), failed = or_zero(number(h, "failed"));
    double rate = number(h, "input_tokens_per_second");
    h->facts.jobs_done++;
    h->facts.documents += documents;
    h->facts.documents_failed += failed;
    h->facts.input_tokens += or_zero(number(h, "input_tokens"));
    if (isfinite(rate) && rate > 0) h->rates[h->n_rates++ % MAX_RATES] = rate;
}

/* A job may fail through its own fault. Codes that a later try may answer differently are ours. */
static void judge_failed_job(struct health *h)
{
    enum error_code code = error_code_by_name(log_line_text(&h->line, "code"));
    h->facts.jobs_failed++;
    if (code == CODE_NONE || error_code_retryable(code))
        FIND(PROBLEM, "a job failed for no fault of its own: %s",
             code == CODE_NONE ? "no code" : error_code_name(code));
    else
        FIND(NOTE, "a job was refused: %s", error_code_name(code));
}

static void judge_exit(struct health *h, struct seen *s)
{
    const char *reason = log_line_text(&h->line, "reason");
    if (!reason[0]) reason = log_line_text(&h->line, "error");
    s->said_exit = true;
    FIND(PROBLEM, "the worker ended with exit code %.0f: %.120s", or_zero(number(h, "exit_code")), reason);
}

static void judge_errors_only(struct health *h)
{
    if (h->line.level < LOG_ERROR) return;
    if (h->errors++ == 0) {
        h->first_error_line = h->number;
        copy_proof(h->first_error_proof, h->line.raw);
    }
}

static void judge_event(struct health *h, struct seen *s)
{
    switch (h->line.event) {
    case EVENT_worker_started:
        s->started = true;
        s->started_at = h->line.seconds;
        s->started_line = h->number;
        break;
    case EVENT_ready:
        s->ready = true;
        break;
    case EVENT_model_loaded:
        judge_load(h, s);
        judge_memory(h);
        break;
    case EVENT_worker_state:
        judge_state(h, s);
        judge_memory(h);
        break;
    case EVENT_job_taken:
    case EVENT_job_duplicate:
        s->take_failures = 0;
        break;
    case EVENT_job_done:
        judge_job(h);
        break;
    case EVENT_job_failed:
        judge_failed_job(h);
        break;
    case EVENT_take_error:
        s->take_failures = or_zero(number(h, "failures"));
        if (s->take_failures >= TAKE_ERRORS)
            FIND(PROBLEM, "the queue gives no jobs: %.0f failures in a row or more", (double)TAKE_ERRORS);
        break;
    case EVENT_ping_error:
        if (or_zero(number(h, "failures")) >= PING_ERRORS) FIND(PROBLEM, "the heartbeat is not accepted");
        break;
    case EVENT_post_retried:
    case EVENT_spooled:
        FIND(NOTE, "a result was not accepted at once");
        break;
    case EVENT_heartbeat_late:
        FIND(NOTE, "the heartbeat was late");
        break;
    case EVENT_heartbeat_disabled:
    case EVENT_config_clamped:
    case EVENT_config_warning:
    case EVENT_backend_fallback:
        if (h->line.level >= LOG_WARN) FIND(NOTE, "%s", log_event_message(h->line.event));
        break;
    case EVENT_log_dropped:
        FIND(GAP, "the worker itself dropped log lines");
        break;
    case EVENT_worker_stopped:
        s->stopped = true;
        judge_waiting(h, s, true);
        break;
    case EVENT_exit:
        judge_exit(h, s);
        break;
    case EVENT_document_failed:
        break; /* counted by its job */
    default:
        if (h->line.level >= LOG_ERROR) FIND(PROBLEM, "%s", log_event_message(h->line.event));
        break;
    }
}

void health_line(struct health *h, const char *text, size_t length)
{
    h->number++;
    h->facts.lines++;
    if (!log_line_read(&h->line, text, length)) {
        h->facts.foreign_lines++;
        return;
    }
    struct seen *s = worker_of(h);
    if (!s) return;
    judge_seq(h, s);
    if (isfinite(h->line.seconds)) s->last_at = h->line.seconds;
    judge_event(h, s);
    if (h->line.event != EVENT_job_failed && h->line.event != EVENT_job_poisoned) judge_errors_only(h);
    s->last_line = h->number;
    copy_proof(s->last_proof, h->line.raw);
}

/* --- at the end --- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_weight(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->severity != y->severity) return x->severity < y->severity ? 1 : -1;
    return (x->line > y->line) - (x->line < y->line);
}

static void judge_rates(struct health *h)
{
    size_t n = h->n_rates < MAX_RATES ? h->n_rates : MAX_RATES;
    if (n == 0) return;
    qsort(h->rates, n, sizeof(double), by_size);
    h->facts.tokens_per_second = h->rates[n / 2];
    if (h->limits.min_tokens_per_second > 0 && h->facts.tokens_per_second < h->limits.min_tokens_per_second)
        find(h, SEVERITY_PROBLEM, 0, "", "half of the jobs ran at %.0f tokens/s or less; %.0f are wanted",
             h->facts.tokens_per_second, h->limits.min_tokens_per_second);
}

/* true when this worker's lines show that it works. */
static bool judge_end(struct health *h, struct seen *s)
{
    double loading = s->last_at - s->started_at;
    if (s->started && !s->ready && !s->said_exit && loading > h->limits.max_load_seconds)
        find(h, SEVERITY_PROBLEM, s->last_line, s->last_proof, "not ready after %.0f s, more than %.0f", loading,
             h->limits.max_load_seconds);
    if (!s->stopped && !s->said_exit && h->limits.ended)
        find(h, SEVERITY_PROBLEM, s->last_line, s->last_proof, "the log ends without worker_stopped: killed?");
    if (s->unposted > (double)h->limits.max_unposted && !s->stopped && s->unposted_states < 2)
        find(h, SEVERITY_NOTE, s->unposted_line, s->unposted_proof, "results were on their way in the last state line");
    return s->ready || s->stopped || s->moved >= 0;
}

enum verdict health_verdict(struct health *h)
{
    bool working = false, problem = false, gap = false;
    for (size_t i = 0; i < h->n_workers; i++) working |= judge_end(h, &h->workers[i]);
    h->facts.workers = h->n_workers;
    judge_rates(h);
    if (h->errors > h->limits.max_errors)
        find(h, SEVERITY_PROBLEM, h->first_error_line, h->first_error_proof, "%zu lines of level ERROR, more than %llu",
             h->errors, (unsigned long long)h->limits.max_errors);
    if (h->facts.documents > 0 && h->facts.documents_failed / h->facts.documents > h->limits.max_failed_share)
        find(h, SEVERITY_PROBLEM, 0, "", "%.0f of %.0f documents failed, more than %.0f %%", h->facts.documents_failed,
             h->facts.documents, 100 * h->limits.max_failed_share);
    if (!h->n_workers) find(h, SEVERITY_GAP, 0, "", "no line of docket's log among %zu", h->facts.lines);
    if (h->n_workers && !working && !h->facts.jobs_done)
        find(h, SEVERITY_GAP, 0, "", "nothing shows that a model was loaded or a job done");
    qsort(h->findings, h->n_findings, sizeof(struct finding), by_weight);
    for (size_t i = 0; i < h->n_findings; i++) {
        problem |= h->findings[i].severity == SEVERITY_PROBLEM;
        gap |= h->findings[i].severity == SEVERITY_GAP;
    }
    return problem ? VERDICT_PROBLEM : gap ? VERDICT_UNKNOWN : VERDICT_HEALTHY;
}

const struct finding *health_findings(const struct health *h, size_t *n)
{
    *n = h->n_findings;
    return h->findings;
}

const struct health_facts *health_facts(const struct health *h)
{
    return &h->facts;
}
