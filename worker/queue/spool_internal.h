/* spool_internal.h: what spool.c and spool_others.c share. */
#ifndef DOCKET_QUEUE_SPOOL_INTERNAL_H
#define DOCKET_QUEUE_SPOOL_INTERNAL_H

#include "worker/base/alloc.h"
#include "worker/queue/spool.h"

#include <pthread.h>

#define SPOOL_RECORD_LIMIT (256 * MIB) /* of one file that is read back; results are far smaller */

enum spool_folder_id {
    SPOOL_RESULTS,
    SPOOL_ACCEPTED,
    SPOOL_REJECTED,
    SPOOL_EXPIRED,
    SPOOL_ASIDE,
    SPOOL_JOBS,
    SPOOL_PARTIAL,
    SPOOL_UNDELIVERED,
    N_SPOOL_FOLDERS
};

struct kept { /* an accepted answer */
    char name[72];
    uint64_t bytes;
    double seconds; /* file time, only for the order at start */
};

struct spool {
    pthread_mutex_t lock;
    char *root, *own_name, *own, *owner, *folders[N_SPOOL_FOLDERS];
    double interval_seconds, ttl_seconds;
    uint64_t max_bytes, min_free_bytes, keep_bytes, kept_bytes, last_created_ns;
    struct spool_entry *found;
    size_t n_found, found_capacity;
    struct kept *kept; /* oldest first */
    size_t n_kept, keep_accepted;
    struct spool_facts facts;
};

bool spool_move(const char *from_folder, const char *from, const char *to_folder, const char *to);
void spool_consider(struct spool *spool, const char *name); /* lock held */

#endif
