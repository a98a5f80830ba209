/* log.c: turns events into lines and hands them to a writer thread. A line is whole or not there at all; when the reader is
 * too slow, lines are dropped, counted, and the loss is said as soon as there is room (seq shows the gap too). */
#include "worker/base/log.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES    4096      /* the platform cuts longer messages */
#define STRING_BYTES  1000      /* of one field */
#define ESCAPED_BYTES 1500      /* the same with its escapes: an id and a few fields fit a line whatever they hold */
#define WAITING_BYTES (4 * MIB) /* lines not written yet */

static const struct {
    const char *name, *message, *meaning;
} events[] = {
#define LOG_EVENT(name, message, meaning) {#name, message, meaning},
#include "worker/base/events.def"
#undef LOG_EVENT
};

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
static const char *const level_colours[] = {"\033[2m", "\033[2m", "\033[32m", "\033[33m", "\033[31m", ""};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    pthread_t thread;
    struct buffer waiting; /* lines not handed to the writer yet; guarded by lock */
    bool open, closing, writing;
    uint64_t dropped;
    uint64_t seq;
    struct log_options options;
    char *worker_id, *version;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER,
           .idle = PTHREAD_COND_INITIALIZER,
           .options = {.level = LOG_INFO, .fd = 2}};
static atomic_int level_now = LOG_INFO;

const char *log_event_name(enum log_event_id event)
{
    return events[event].name;
}

const char *log_event_message(enum log_event_id event)
{
    return events[event].message;
}

const char *log_event_meaning(enum log_event_id event)
{
    return events[event].meaning;
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool log_level_by_name(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(level_names); i++)
        if (strcasecmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    if (strcasecmp(name, "WARNING") == 0)
        *out = LOG_WARN;
    else if (strcasecmp(name, "NOTSET") == 0)
        *out = LOG_OFF; /* as in the platform's SDK: silent */
    else
        return false;
    return true;
}

/* At most that many bytes, cut between characters. */
static size_t cut_length(const char *text, size_t bytes)
{
    size_t n = strnlen(text, bytes + 1);
    if (n <= bytes) return n;
    for (n = bytes; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;) n--;
    return n;
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    if (!text) {
        json_put_null(w, key);
        return;
    }
    struct buffer escaped = {0};
    for (size_t bytes = STRING_BYTES;; bytes /= 2) {
        buffer_clear(&escaped);
        buffer_append_char(&escaped, '"');
        json_escape(&escaped, text, cut_length(text, bytes), true);
        buffer_append_char(&escaped, '"');
        if (escaped.failed || escaped.length <= ESCAPED_BYTES) break;
    }
    json_put_raw(w, key, escaped.failed ? "null" : escaped.data);
    buffer_free(&escaped);
}

static void put_number(struct json_writer *w, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof(text), "%.6g", value);
    if (isfinite(value))
        json_put_raw(w, key, text);
    else
        json_put_null(w, key);
}

static void put_field(struct json_writer *w, const struct log_field *f)
{
    switch (f->type) {
    case FIELD_STR:
        put_text(w, f->key, f->value.str);
        break;
    case FIELD_U64:
        json_put_u64(w, f->key, f->value.u64);
        break;
    case FIELD_I64:
        json_put_i64(w, f->key, f->value.i64);
        break;
    case FIELD_F64:
        put_number(w, f->key, f->value.f64);
        break;
    case FIELD_BOOL:
        json_put_bool(w, f->key, f->value.boolean);
        break;
    case FIELD_ERROR:
        if (f->value.error->code != CODE_NONE) put_text(w, "code", error_code_name(f->value.error->code));
        put_text(w, f->key, f->value.error->message);
        break;
    case FIELD_JOB:
    case FIELD_BATCH:
        break; /* placed by the caller */
    }
}

static const char *find_str(const struct log_field *fields, size_t n, enum log_field_type type)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].type == type) return fields[i].value.str;
    return NULL;
}

/* Keys in the platform's order, then ours. Fields that no longer fit are left out and counted. */
static void make_json(struct buffer *line, enum log_level level, enum log_event_id event,
                      const struct log_field *fields, size_t n)
{
    struct json_writer w = {.out = line, .spaced = true};
    const char *batch = find_str(fields, n, FIELD_BATCH);
    char message[200], stamp[32];
    snprintf(message, sizeof(message), "%s%.100s%s%s", batch ? "[batchId=" : "", batch ? batch : "", batch ? "] " : "",
             events[event].message);
    clock_format(clock_wall_ns(), stamp, sizeof(stamp));
    json_begin_object(&w, NULL);
    put_text(&w, "requestId", find_str(fields, n, FIELD_JOB));
    put_text(&w, "message", message);
    json_put_string(&w, "level", level_names[level]);
    json_put_string(&w, "ts", stamp);
    json_put_string(&w, "event", events[event].name);
    json_put_u64(&w, "seq", state.seq);
    if (state.worker_id) put_text(&w, "worker_id", state.worker_id);
    if (state.version) put_text(&w, "version", state.version);
    for (size_t i = 0; i < n; i++) {
        size_t before = line->length;
        put_field(&w, &fields[i]);
        if (line->length <= LINE_BYTES - 32) continue;
        line->length = before;
        json_put_u64(&w, "fields_left_out", n - i);
        break;
    }
    json_end_object(&w);
}

/* Marks that turn the direction of what a terminal shows. */
static bool turns_text(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        uint32_t c = 0;
        n = utf8_next(text + at, length - at, &c);
        if (n == 0) n = 1;
        if (c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
            return true;
    }
    return false;
}

static void append_escaped(struct buffer *line, const char *text)
{
    size_t n = cut_length(text, STRING_BYTES);
    json_escape(line, text, n, turns_text(text, n));
}

static void append_readable(struct buffer *line, const char *text)
{
    struct buffer escaped = {0};
    append_escaped(&escaped, text);
    size_t n = cut_length(text, STRING_BYTES);
    bool plain = n > 0 && !escaped.failed && escaped.length == n && !memchr(text, ' ', n) && !memchr(text, '=', n);
    if (!plain) buffer_append_char(line, '"');
    buffer_append_str(line, escaped.data ? escaped.data : "");
    if (!plain) buffer_append_char(line, '"');
    buffer_free(&escaped);
}

static void make_text(struct buffer *line, enum log_level level, enum log_event_id event,
                      const struct log_field *fields, size_t n)
{
    const char *job = find_str(fields, n, FIELD_JOB), *batch = find_str(fields, n, FIELD_BATCH);
    bool colour = state.options.colour;
    buffer_printf(line, "%s%-7s%s| ", colour ? level_colours[level] : "", level_names[level], colour ? "\033[0m" : "");
    if (job) {
        append_escaped(line, job);
        buffer_append_str(line, " | ");
    }
    if (batch) {
        buffer_append_str(line, "[batchId=");
        append_escaped(line, batch);
        buffer_append_str(line, "] ");
    }
    buffer_printf(line, "%s event=%s seq=%llu", events[event].message, events[event].name,
                  (unsigned long long)state.seq);
    for (size_t i = 0; i < n; i++) {
        const struct log_field *f = &fields[i];
        size_t before = line->length;
        if (f->type == FIELD_JOB || f->type == FIELD_BATCH) continue;
        if (f->type == FIELD_ERROR && f->value.error->code != CODE_NONE)
            buffer_printf(line, " code=%s", error_code_name(f->value.error->code));
        buffer_printf(line, " %s=", f->key);
        switch (f->type) {
        case FIELD_STR:
            append_readable(line, f->value.str ? f->value.str : "-");
            break;
        case FIELD_ERROR:
            append_readable(line, f->value.error->message);
            break;
        case FIELD_U64:
            buffer_printf(line, "%llu", (unsigned long long)f->value.u64);
            break;
        case FIELD_I64:
            buffer_printf(line, "%lld", (long long)f->value.i64);
            break;
        case FIELD_F64:
            buffer_printf(line, "%.4g", f->value.f64);
            break;
        case FIELD_BOOL:
            buffer_append_str(line, f->value.boolean ? "true" : "false");
            break;
        case FIELD_JOB:
        case FIELD_BATCH:
            break;
        }
        if (line->length > LINE_BYTES - 8) {
            line->length = before;
            break;
        }
    }
}

/* Under the lock. */
static void make_line(struct buffer *line, enum log_level level, enum log_event_id event,
                      const struct log_field *fields, size_t n)
{
    state.seq++;
    if (state.options.json)
        make_json(line, level, event, fields, n);
    else
        make_text(line, level, event, fields, n);
    buffer_append_char(line, '\n');
}

static void write_out(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, 1000);
        } else if (errno != EINTR)
            return; /* nobody reads any more */
    }
}

static void *run_writer(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        while (state.waiting.length == 0 && !state.closing) pthread_cond_wait(&state.wake, &state.lock);
        if (state.waiting.length == 0) break;
        struct buffer lines = state.waiting;
        int fd = state.options.fd;
        state.waiting = (struct buffer){.ceiling = WAITING_BYTES};
        state.writing = true;
        pthread_mutex_unlock(&state.lock);
        write_out(fd, lines.data, lines.length);
        buffer_free(&lines);
        pthread_mutex_lock(&state.lock);
        state.writing = false;
        pthread_cond_broadcast(&state.idle);
    }
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

void log_write(enum log_level level, enum log_event_id event, const struct log_field *fields, size_t n_fields)
{
    if (!log_enabled(level)) return;
    struct buffer line = {0};
    pthread_mutex_lock(&state.lock);
    if (state.dropped > 0 && state.waiting.length < WAITING_BYTES / 2) {
        struct log_field lost = F_U64("lines", state.dropped);
        state.dropped = 0;
        make_line(&line, LOG_WARN, EVENT_log_dropped, &lost, 1);
    }
    make_line(&line, level, event, fields, n_fields);
    if (!state.open)
        write_out(state.options.fd, line.data, line.failed ? 0 : line.length);
    else {
        bool full = line.failed || state.waiting.length + line.length > WAITING_BYTES;
        if (full || !buffer_append(&state.waiting, line.data, line.length))
            state.dropped++;
        else
            pthread_cond_signal(&state.wake);
    }
    pthread_mutex_unlock(&state.lock);
    buffer_free(&line);
}

enum status log_open(const struct log_options *options, struct error *err)
{
    log_close();
    pthread_mutex_lock(&state.lock);
    state.options = *options;
    state.worker_id = options->worker_id ? str_dup(options->worker_id) : NULL;
    state.version = options->version ? str_dup(options->version) : NULL;
    state.waiting = (struct buffer){.ceiling = WAITING_BYTES};
    state.closing = false;
    bool started = pthread_create(&state.thread, NULL, run_writer, NULL) == 0;
    state.open = started;
    atomic_store(&level_now, options->level);
    pthread_mutex_unlock(&state.lock);
    return started ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start the log's thread");
}

static void deadline_in(double seconds, struct timespec *out)
{
    clock_gettime(CLOCK_REALTIME, out);
    uint64_t ns = (uint64_t)out->tv_sec * NS_PER_SECOND + (uint64_t)out->tv_nsec + (uint64_t)(seconds * 1e9);
    out->tv_sec = (time_t)(ns / NS_PER_SECOND);
    out->tv_nsec = (long)(ns % NS_PER_SECOND);
}

/* Under the lock. */
static bool wait_idle(double seconds)
{
    struct timespec until;
    deadline_in(seconds, &until);
    while (state.waiting.length > 0 || state.writing)
        if (pthread_cond_timedwait(&state.idle, &state.lock, &until) != 0) return false;
    return true;
}

void log_flush(double seconds)
{
    pthread_mutex_lock(&state.lock);
    if (state.open) wait_idle(seconds);
    pthread_mutex_unlock(&state.lock);
}

void log_close(void)
{
    pthread_mutex_lock(&state.lock);
    if (!state.open) {
        pthread_mutex_unlock(&state.lock);
        return;
    }
    state.closing = true;
    pthread_cond_signal(&state.wake);
    bool written = wait_idle(1.0);
    state.open = false;
    pthread_t thread = state.thread;
    pthread_mutex_unlock(&state.lock);
    if (!written) { /* stuck in a write to a reader that does not read: it ends with the process */
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    mem_free(state.worker_id);
    mem_free(state.version);
    buffer_free(&state.waiting);
    state.worker_id = state.version = NULL;
    state.options = (struct log_options){.level = LOG_INFO, .fd = 2};
    atomic_store(&level_now, LOG_INFO);
}
