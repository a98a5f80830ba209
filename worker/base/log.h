/* log.h: events with typed fields, one line each, written by a thread of its own so that a full pipe never holds the work.
 * Field values are data, never formats. Document text and secrets are never given to it. */
#ifndef DOCKET_BASE_LOG_H
#define DOCKET_BASE_LOG_H

#include "worker/base/status.h"

#include <stddef.h>

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

enum log_event_id {
#define LOG_EVENT(name, message, meaning) EVENT_##name,
#include "worker/base/events.def"
#undef LOG_EVENT
    N_LOG_EVENTS,
};

enum log_field_type { FIELD_STR, FIELD_U64, FIELD_I64, FIELD_F64, FIELD_BOOL, FIELD_JOB, FIELD_BATCH, FIELD_ERROR };
struct log_field {
    const char *key; /* snake_case with the unit */
    enum log_field_type type;
    union {
        const char *str;
        uint64_t u64;
        int64_t i64;
        double f64;
        bool boolean;
        const struct error *error;
    } value;
};
#define F_STR(k, v)  ((struct log_field){(k), FIELD_STR, {.str = (v)}})
#define F_U64(k, v)  ((struct log_field){(k), FIELD_U64, {.u64 = (v)}})
#define F_I64(k, v)  ((struct log_field){(k), FIELD_I64, {.i64 = (v)}})
#define F_F64(k, v)  ((struct log_field){(k), FIELD_F64, {.f64 = (v)}})
#define F_BOOL(k, v) ((struct log_field){(k), FIELD_BOOL, {.boolean = (v)}})
/* The job of the line: requestId in the platform's lines. F_BATCH: the platform's batchId, shown before the message. */
#define F_JOB(id)   ((struct log_field){"requestId", FIELD_JOB, {.str = (id)}})
#define F_BATCH(id) ((struct log_field){"batch_id", FIELD_BATCH, {.str = (id)}})
/* Writes `code` and `error`. */
#define F_ERROR(e) ((struct log_field){"error", FIELD_ERROR, {.error = (e)}})

struct log_options {
    enum log_level level;
    bool json; /* the platform's JSON lines; else readable ones */
    bool colour;
    int fd;                /* where lines go */
    const char *worker_id; /* copied; NULL: left out */
    const char *version;   /* copied; NULL: left out */
};

/* Before log_open (and after log_close) lines are written at once to standard error, INFO and up, readable. */
enum status log_open(const struct log_options *options, struct error *err);
void log_close(void); /* writes what is waiting, for at most a second */
/* Waits until all lines so far are written, at most that long. */
void log_flush(double seconds);
bool log_enabled(enum log_level level);
/* false if unknown. Names of any case: TRACE DEBUG INFO WARN WARNING ERROR OFF NOTSET. */
bool log_level_by_name(const char *name, enum log_level *out);

void log_write(enum log_level level, enum log_event_id event, const struct log_field *fields, size_t n_fields);
#define log_event(level, event, ...)                                                                                   \
    do {                                                                                                               \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                                          \
        log_write((level), (event), log_fields_, sizeof(log_fields_) / sizeof(log_fields_[0]));                        \
    } while (0)

const char *log_event_name(enum log_event_id event);
const char *log_event_message(enum log_event_id event);
const char *log_event_meaning(enum log_event_id event);

#endif
