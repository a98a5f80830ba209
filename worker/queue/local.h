/* local.h: a queue of one job, from the command line or from test_input.json, for trying a handler without a platform. */
#ifndef DOCKET_QUEUE_LOCAL_H
#define DOCKET_QUEUE_LOCAL_H

#include "worker/queue/queue.h"

struct local_options {
    const char
        *test_input;  /* --test-input: the job's JSON; NULL: the file is read. Borrowed until local_open returns */
    const char *file; /* NULL: "test_input.json" in the working folder */
    int fd;           /* where "Job result: …" is printed */
};

/* Reads the job; id defaults to "local_test". NOT_FOUND: no file. BAD_INPUT: no job object, no input, or input null. */
enum status local_open(struct queue **out, const struct local_options *options, struct error *err);
void local_close(struct queue *queue); /* NULL is fine */
/* After worker_run: 0 when the job has a result without an error, else 1. */
int local_exit_code(const struct queue *queue);

#endif
