/* worker_internal.h: the state that the parts of the worker share. One lock guards all lists; nothing slow happens under it. */
#ifndef DOCKET_WORKER_INTERNAL_H
#define DOCKET_WORKER_INTERNAL_H

#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/queue/breadcrumb.h"
#include "worker/queue/heartbeat.h"
#include "worker/queue/id_list.h"
#include "worker/queue/partial.h"
#include "worker/queue/spool.h"
#include "worker/worker.h"

#include <pthread.h>

#define MAX_ACCOUNTS       20
#define MAX_PROGRESS_BYTES (1024 * KIB)
#define SMALL_WAIT         0.05 /* seconds: how late a thread may see that something changed */

#define COUNT(w, name)      atomic_fetch_add(&(w)->counters->name, 1)
#define COUNT_N(w, name, n) atomic_fetch_add(&(w)->counters->name, (n))

/* A job in hand: from the take until its result is in the spool. */
struct worker_job {
    struct worker *worker;
    struct worker_job *next;
    struct queue_job job;
    struct spool_key key;
    bool running; /* it has a thread */
    atomic_bool stop;
    bool stopped_by_queue;
    unsigned crashes;
    pthread_t thread;

    struct breadcrumb *crumb;
    struct partial *partial;
    pthread_mutex_t crumb_lock;
    struct {
        char key[32];
        double value;
    } accounts[MAX_ACCOUNTS];
    unsigned n_accounts;

    char *progress; /* the newest, not yet sent */
    uint64_t progress_sent_ns;
    bool progress_open, progress_in_flight;
};

/* A result on its way to the queue. */
struct post_item {
    struct post_item *next;
    struct spool_entry entry;
    char *id;   /* NULL: found in the spool, not read yet; then it is not in the heartbeat */
    char *body; /* NULL: on disk */
    size_t body_bytes;
    uint64_t due_ns, made_ns;
    unsigned failures, refusals;
    bool in_flight, found, ambiguous, crashed;
    bool again; /* delivered once more while its post was open: the queue may not have seen that one */
};

struct post_list {
    struct post_item *first, *last;
    size_t n;
};

/* A stop can overtake the take that brings its job: ids that were unknown are remembered for a moment. */
#define EARLY_STOPS        64u
#define EARLY_STOP_SECONDS 1.0
struct early_stop {
    char id[33]; /* of its spool key */
    uint64_t at_ns;
};

/* Notices that the process stood still. */
struct gap_watch {
    atomic_ullong tick_ns;
    atomic_uint epoch;
};

struct worker {
    struct worker_options o;
    const struct queue *queue;
    const struct handler *handler;
    struct worker_counters *counters, own_counters;
    struct spool *spool; /* NULL: none */
    struct id_list *ids;
    struct heartbeat *heartbeat; /* NULL: none */
    uint64_t started_ns;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct worker_job *jobs; /* held and running, in order of arrival */
    unsigned n_held, n_running;
    unsigned in_run, exclusive_waiting; /* jobs inside handler->run; jobs that must be there alone */
    bool exclusive_running;
    struct early_stop early_stops[EARLY_STOPS];
    unsigned next_early_stop;
    struct post_list fresh, elder; /* elder: found or failed before, in order of age */
    unsigned post_failures;
    uint64_t posts_pause_until_ns;

    bool prepare_started, prepare_ended; /* under the lock */
    bool ready;
    struct error prepare_error;
    pthread_t prepare_thread;

    atomic_bool no_take, abort_take, abort_stop_poll, abort_posts, abort_progress, end_background, stop_prepare;
    atomic_bool drained_by_limit; /* running jobs were told to end */
    bool taker_ended;             /* under the lock */
    bool finished;                /* the queue has no more, or a refresh asked for it */
    int end_code;                 /* of the reason for the end that was not a signal; -1: none */
    struct error end_reason;
    bool ending_now;   /* no drain: the handler is dead */
    bool threads_left; /* jobs or prepare that did not end still use this struct */
    struct gap_watch gap;
};

/* worker.c */
void worker_end_with(struct worker *w, int code, const struct error *why, bool now);
void worker_wait(struct worker *w, double seconds);     /* lock held: until something changed or the time is over */
void worker_publish_ids(struct worker *w);              /* lock held */
bool worker_has_gap(struct worker *w, unsigned *epoch); /* true once after each gap for the holder of epoch */
/* After a gap: forgets the lane's connection and waits for a sign of life, at most one interval or until *stop. */
void worker_beat_first(struct worker *w, enum queue_lane lane, const atomic_bool *stop);
void worker_start_prepare(struct worker *w); /* lock held */

/* worker_take.c */
void *worker_take_run(void *worker);
void *worker_stop_run(void *worker);

/* worker_jobs.c */
void worker_add_job(struct worker *w, struct queue_job *job); /* takes what is in job */
void worker_start_jobs(struct worker *w);                     /* lock held */
void worker_drop_stopped(struct worker *w);                   /* lock held: held jobs that the queue wants no more */
void worker_stop_jobs(struct worker *w, bool forget_held);    /* lock held: tells all to end */
void *worker_progress_run(void *worker);

/* worker_post.c */
struct answer { /* what is posted for a job */
    enum spool_kind kind;
    const char *id;
    const struct spool_key *key;
    bool crashed; /* breadcrumbs of the dead are to be removed with it */
};
/* Spools the body (in memory where the disk fails: then it is logged, and posted all the same) and returns what worker_post hands to
 * the posters. Waits for memory rather than fail. Lock not held. */
struct post_item *worker_make_answer(struct worker *w, const struct answer *a, const void *body, size_t body_bytes);
struct post_item *worker_make_error_answer(struct worker *w, const struct answer *a, const struct error *why);
void worker_post(struct worker *w, struct post_item *item);
bool worker_post_pending(struct worker *w, const struct spool_key *key, const char *id); /* lock held: hurries it */
void worker_post_found(struct worker *w);   /* lock not held: what the spool found becomes items */
void worker_post_hurry(struct worker *w);   /* lock held: everything is due */
void worker_spool_memory(struct worker *w); /* lock not held: results that only memory has are tried again */
void *worker_post_run(void *poster);
struct poster {
    struct worker *worker;
    unsigned lane;
};
void worker_post_free(struct worker *w);

/* worker_background.c */
void *worker_watchdog_run(void *worker);
void *worker_keeper_run(void *worker);

#endif
