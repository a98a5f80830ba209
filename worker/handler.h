/* handler.h: the interface of a handler: what the worker runs for each job. The worker knows nothing of documents or
 * labels; a handler knows nothing of queues. */
#ifndef DOCKET_WORKER_HANDLER_H
#define DOCKET_WORKER_HANDLER_H

#include "worker/base/buffer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A job as it was delivered. Owned by the worker; borrowed until run returns. */
struct job {
    const char *id;       /* 1 to 1,024 bytes of UTF-8 without control characters */
    const char *batch_id; /* or NULL */
    const char *json;     /* the whole job object, through the JSON gate; "input" is its member of that name */
    size_t json_length;
    double queue_seconds; /* delayTime of the queue, or -1 */
    uint64_t taken_at_ns; /* monotonic */
    unsigned crashes;     /* times a worker died with this job in hand: 1 means go document by document */
};

/* What the worker offers while a job runs. Thread-safe; borrowed until run returns. */
#define KEPT_NAME_BYTES 128
struct job_services {
    void *context;
    /* true once the queue wants the job stopped or the worker must end: return CANCELLED soon; nothing is posted. */
    const atomic_bool *stop;
    /* A JSON value for whoever asks for the job's status; superseded ones are dropped, at most one a second is sent. */
    void (*progress)(void *context, const char *json);
    /* Partial results: one record an item, kept on disk until the result is accepted. keep returns when it is durable
     * enough to survive a kill of the process; find returns a record of this or an earlier run of the same job and input
     * (borrowed until run returns), or NULL. */
    void (*partial_keep)(void *context, uint32_t item, const void *bytes, size_t length);
    const void *(*partial_find)(void *context, uint32_t item, size_t *length);
    /* Names what is in hand now, for the breadcrumb that a crash leaves (ids of documents, cut to 4 KiB). */
    void (*phase)(void *context, const char *phase, const char *items);
    /* Seconds spent and bytes of the result so far are the worker's own to log; these go into its log line for the job. */
    void (*account)(void *context, const char *key, double value);
    /* Results that were to be put elsewhere, could not be, and are too many for the answer: kept beside the results of the queue, where
     * they outlive the process, for a person to fetch. `name` says where. false: not kept. NULL: nobody keeps any. */
    bool (*results_keep)(void *context, const void *bytes, size_t length, const char *ending,
                         char name[KEPT_NAME_BYTES]);
};

struct job_result {
    struct buffer output; /* JSON text of "output"; empty: no output key */
    struct buffer error;  /* a string for "error"; empty: none. A job with an error has FAILED for its caller */
    bool refresh_worker;  /* adds "stopPod": true */
};
void job_result_free(struct job_result *result);

struct handler {
    const char *name;
    /* Makes ready for jobs (loads the model); may take minutes. Called once, on its own thread, before the first run; a failure ends
     * the worker (eager) or fails the jobs that wait (lazy). *stop becomes true when the worker is told to end. */
    enum status (*prepare)(void *self, const atomic_bool *stop, struct error *err);
    /* One job, on a thread of its own; several run at once. On success `result` is filled. On failure err says why and
     * the worker posts the error report; CANCELLED posts nothing. */
    enum status (*run)(void *self, const struct job *job, const struct job_services *services,
                       struct job_result *result, struct error *err);
    /* Checked every second by the watchdog: false and err filled when the handler can no longer answer right (device lost,
     * no progress for too long). The worker then stops its heartbeat and ends. NULL: always healthy. */
    bool (*healthy)(void *self, struct error *err);
    /* Optional: adds numbers to the worker_state line (memory, tokens). */
    void (*state)(void *self, void (*number)(void *context, const char *key, double value), void *context);
    void *self;
};

#endif
