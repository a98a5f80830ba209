/* health_rules.h: what the lines of a log say about the workers that wrote them: healthy, problem or unknown, and why. */
#ifndef DOCKET_HANDLERS_TOOLS_HEALTH_RULES_H
#define DOCKET_HANDLERS_TOOLS_HEALTH_RULES_H

#include "handlers/tools/log_line.h"

struct health_limits {
    double max_load_seconds, min_tokens_per_second, min_free_share, max_failed_share;
    uint64_t max_errors, max_unposted;
    bool ended; /* the workers are known to have ended */
};

enum verdict { VERDICT_HEALTHY, VERDICT_PROBLEM, VERDICT_UNKNOWN };

enum severity {
    SEVERITY_NOTE,    /* worth knowing */
    SEVERITY_GAP,     /* the picture is incomplete: nothing better than unknown can be said */
    SEVERITY_PROBLEM, /* someone must act */
};

struct finding {
    enum severity severity;
    char text[240];
    size_t line; /* number of the line that proves it, 0: none does */
    char proof[300];
    size_t times;
};

struct health_facts {
    size_t lines, foreign_lines, workers, jobs_done, jobs_failed;
    double documents, documents_failed, input_tokens, busy_seconds;
    double load_seconds, tokens_per_second; /* NAN: not said; slowest load, median over jobs */
    double memory_used_bytes, memory_free_bytes;
};

struct health;
struct health *health_open(const struct health_limits *limits); /* NULL: no memory */
void health_close(struct health *health);
void health_line(struct health *health, const char *text, size_t length);
/* After the last line. Findings are ordered: problems first. */
enum verdict health_verdict(struct health *health);
const struct finding *health_findings(const struct health *health, size_t *n);
const struct health_facts *health_facts(const struct health *health);

#endif
