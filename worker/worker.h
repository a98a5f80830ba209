/* worker.h: takes jobs from a queue, runs a handler, posts the results, and loses nothing. Knows the tables queue.h and handler.h;
 * reads no environment: all settings are plain values here. */
#ifndef DOCKET_WORKER_WORKER_H
#define DOCKET_WORKER_WORKER_H

#include "worker/fitness.h"
#include "worker/handler.h"
#include "worker/queue/queue.h"

/* What happened; any thread may read while the worker runs. */
#define WORKER_COUNTERS(X)                                                                                             \
    X(takes)                                                                                                           \
    X(take_errors)                                                                                                     \
    X(jobs_taken)                                                                                                      \
    X(jobs_malformed)                                                                                                  \
    X(jobs_done)                                                                                                       \
    X(jobs_failed)                                                                                                     \
    X(jobs_stopped)                                                                                                    \
    X(jobs_duplicate)                                                                                                  \
    X(jobs_resumed)                                                                                                    \
    X(jobs_poisoned)                                                                                                   \
    X(jobs_handed_back)                                                                                                \
    X(results_posted)                                                                                                  \
    X(results_rejected)                                                                                                \
    X(result_post_failures)                                                                                            \
    X(result_posts_repeated)                                                                                           \
    X(results_unspooled)                                                                                               \
    X(results_expired) X(spool_failures) X(progress_posts) X(progress_failures) X(stop_errors) X(stops_ignored)
struct worker_counters {
#define X(name) atomic_ullong name;
    WORKER_COUNTERS(X)
#undef X
    /* Gauges. */
    atomic_uint jobs_held, jobs_running, results_waiting;
};

/* {0} in a field means what its comment says. Strings are borrowed until worker_run returns. */
struct worker_options {
    const char *worker_id; /* RUNPOD_POD_ID, or a made-up UUID; must be there */
    const char *hostname;  /* RUNPOD_POD_HOSTNAME, for the error report; NULL: "unknown" */
    const char *version;   /* of docket, for the first line of the log */
    unsigned concurrency;  /* MAX_CONCURRENCY: jobs that run at once, 1 to 256; 0: 1 */
    bool lazy;             /* LOAD=lazy: take at once, prepare when the first job comes */
    bool refresh_worker;   /* REFRESH_WORKER: every result has stopPod, the worker ends after its job */

    double ping_interval_seconds; /* RUNPOD_PING_INTERVAL through runpod_ping_interval; 0: 10 */
    const char
        *heartbeat_missing; /* the variable without which there is no heartbeat, for the log; NULL: none missing */

    const char
        *spool_root;      /* SPOOL_DIR through spool_choose_root. NULL: no spool: results live in memory (local mode) */
    bool spool_ephemeral; /* as told by spool_choose_root: WARN once */
    uint64_t spool_max_bytes; /* 0: 4 GiB; more waiting results stop the taking of jobs */
    uint64_t min_free_bytes;  /* less free disk stops it too; 0: never */
    double
        result_ttl_seconds;  /* 0: 7 days, the longest a job may live; older results are set aside after a failed try */
    size_t max_result_bytes; /* 0: 20,000,000; larger ones become result_too_large */

    double drain_seconds;         /* after a signal, for running jobs and posts together; 0: jobs without limit */
    double drain_post_seconds;    /* without drain_seconds: for posts once the last job ended; 0: 30 */
    double auth_patience_seconds; /* 401 and 403 on takes for so long end the worker with 76; 0: 300 */
    double state_seconds;         /* between worker_state lines; 0: 60 */
    unsigned n_posters;           /* 1 to QUEUE_MAX_POSTERS; 0: by concurrency */

    const struct fitness_check *checks; /* run once, in order, before the first ping */
    size_t n_checks;

    struct worker_counters *counters; /* of the caller; NULL: the worker's own */
    const atomic_uint *stop_requests; /* 1: drain, 2: end now. NULL: the worker counts SIGTERM and SIGINT itself */
};

struct worker_end {
    int exit_code; /* see exit_codes.def */
    bool
        threads_left; /* jobs (or prepare) did not end, or the handler is dead: leave by _exit, without freeing handler and queue */
};

/* SIGTERM and SIGINT wait from here on until worker_run hears them: a stop that comes while the process starts drains it like any other.
 * Before there are threads, which keep them blocked. */
void worker_hold_signals(void);

/* Runs until a signal, the queue or a failure ends it. Call once, from the main thread; returns the exit code. Everything that was
 * computed is in the spool by then. */
int worker_run(const struct worker_options *options, const struct queue *queue, const struct handler *handler,
               struct worker_end *end);

#endif
