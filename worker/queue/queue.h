/* queue.h: the table of a queue: what the worker asks of whatever hands out jobs. Plain structs; no transport's or JSON library's
 * types, so that a test puts a fake in its place. */
#ifndef DOCKET_QUEUE_QUEUE_H
#define DOCKET_QUEUE_QUEUE_H

#include "worker/base/buffer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_MAX_ID_BYTES 1024
#define QUEUE_MAX_POSTERS  8

/* What an answer means for the one who asked. */
enum queue_verdict {
    QUEUE_DONE,         /* taken, accepted */
    QUEUE_EMPTY,        /* nothing there now */
    QUEUE_RETRY,        /* failed, may work later; retry_after_seconds if the queue said when */
    QUEUE_BUSY,         /* asked to slow down (429) */
    QUEUE_REFUSED,      /* will never be accepted as it is */
    QUEUE_UNAUTHORIZED, /* the key is refused */
    QUEUE_FINISHED,     /* there will be no more jobs: end */
};

struct queue_answer {
    enum queue_verdict verdict;
    int status;                 /* of the transport, for the log; 0: none came */
    double retry_after_seconds; /* -1: not said */
    bool sent;                  /* with verdict RETRY: the queue may have acted on it */
    struct error error;         /* why, unless DONE or EMPTY */
};

/* A job as it came. Owned by whoever holds the take that it came in. */
struct queue_job {
    char *id;       /* 1 to QUEUE_MAX_ID_BYTES of UTF-8 without control characters */
    char *batch_id; /* or NULL */
    char *json;     /* the whole job object, through the JSON gate; NULL when problem is set */
    size_t json_length;
    size_t input_at, input_length; /* the bytes of its "input" */
    double queue_seconds;          /* -1: not said */
    uint64_t taken_at_ns;
    struct error problem; /* code set: it cannot be run, only answered with this */
};
void queue_job_free(struct queue_job *job);

struct queue_take {
    struct queue_answer answer; /* DONE also when every element was malformed */
    struct queue_job *jobs;
    size_t n_jobs, n_malformed; /* malformed: nothing could be answered for it; last_malformed says why */
    struct error last_malformed;
};
void queue_take_free(struct queue_take *take);

/* Ids that the queue wants stopped. */
struct queue_stops {
    struct queue_answer answer;
    char **ids;
    size_t n_ids, n_ignored; /* ignored: no strings, or beyond what can be ours */
};
void queue_stops_free(struct queue_stops *stops);

/* Which connection a call uses: one thread at a time each, never shared, so that no call waits for another. */
enum queue_lane {
    LANE_TAKE,
    LANE_STOP,
    LANE_PING,
    LANE_PROGRESS,
    LANE_POST,
    N_QUEUE_LANES = LANE_POST + QUEUE_MAX_POSTERS
};

/* All calls block, end within 200 ms of *stop or *stop2 (NULL: never), say what happened in their answer, and never fail otherwise
 * (no memory is a RETRY). An entry may be NULL where the queue has no such thing; take and result must be there. */
struct queue {
    void *self;
    const char *name;
    /* Up to n_wanted jobs (more may come: all must be kept). in_progress: jobs are in hand. */
    void (*take)(void *self, unsigned n_wanted, bool in_progress, const atomic_bool *stop, struct queue_take *out);
    void (*stop_poll)(void *self, const atomic_bool *stop, struct queue_stops *out);
    /* ids: job ids in hand, percent-encoded and joined by "%2C"; "" for none. */
    void (*ping)(void *self, const char *ids, double timeout_seconds, const atomic_bool *stop, const atomic_bool *stop2,
                 struct queue_answer *out);
    void (*report_unhealthy)(void *self, const char *check, const char *reason);
    void (*progress)(void *self, const char *job_id, const char *body, size_t body_bytes, const atomic_bool *stop,
                     struct queue_answer *out);
    /* poster: 0 to QUEUE_MAX_POSTERS - 1. */
    void (*result)(void *self, unsigned poster, const char *job_id, const char *body, size_t body_bytes,
                   const atomic_bool *stop, struct queue_answer *out);
    /* Drops what is kept of a connection. Called by the lane's own thread. */
    void (*reset)(void *self, enum queue_lane lane);
};

#endif
