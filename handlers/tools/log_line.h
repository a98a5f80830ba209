/* log_line.h: a line of docket's log, read back: from JSON or the readable form, out of whatever a platform wrapped around it. */
#ifndef DOCKET_HANDLERS_TOOLS_LOG_LINE_H
#define DOCKET_HANDLERS_TOOLS_LOG_LINE_H

#include "worker/base/buffer.h"
#include "worker/base/log.h"

#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_FIELDS 48

struct log_line_field {
    const char *key, *text;
    double number; /* NAN when it is none */
};

/* Strings live until the next log_line_read with the same struct. {0} is valid. */
struct log_line {
    char *raw; /* what docket wrote, without the wrapping */
    enum log_event_id event;
    enum log_level level;
    bool has_seq;
    uint64_t seq;
    const char *worker_id; /* "" when not said */
    double seconds;        /* of its time stamp since 1970, or NAN */
    struct log_line_field fields[LOG_LINE_FIELDS];
    size_t n_fields;
    struct buffer partial; /* pieces of a line that the container runtime cut */
    char *storage;
};

/* Reads one line of input: plain; server-sent events (`data: {…, "line": …}`); Docker's JSON files (`{"log": …}`); the CRI prefix
 * (`time stream F`, pieces marked P are joined); a time stamp or a name in front. false: it is none of docket's events. */
bool log_line_read(struct log_line *line, const char *text, size_t length);
void log_line_free(struct log_line *line);

/* NAN, or "" when the line has no such field. */
double log_line_number(const struct log_line *line, const char *key);
const char *log_line_text(const struct log_line *line, const char *key);

#endif
