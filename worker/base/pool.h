/* pool.h: a few threads for parallel loops. */
#ifndef DOCKET_BASE_POOL_H
#define DOCKET_BASE_POOL_H

#include "worker/base/status.h"

#include <stddef.h>

struct pool;
typedef void (*pool_task)(void *context, size_t begin, size_t end, unsigned worker);

/* n_threads counts the calling thread; 0: the CPUs of this process (affinity and control groups), at most 64. Between loops threads
 * wait busily for a moment, then sleep; they sleep at once where there are more of them than CPUs. */
enum status pool_open(struct pool **out, unsigned n_threads, struct error *err);
unsigned pool_threads(const struct pool *pool);
/* Runs task over [0, n) in pieces of at most grain and returns when all are done. One caller at a time, not from within a task. */
void pool_for(struct pool *pool, size_t n, size_t grain, pool_task task, void *context);
void pool_close(struct pool *pool); /* NULL is fine */

#endif
