/* partial.h: the finished items of a job that is not finished, so that the next run of the same job and input goes on where this one
 * was cut off. */
#ifndef DOCKET_QUEUE_PARTIAL_H
#define DOCKET_QUEUE_PARTIAL_H

#include "worker/queue/spool.h"

#define PARTIAL_MAX_ITEMS 1000000u

struct partial;

/* Reads what earlier runs left: this worker's file or, failing that, another worker's on the same root. A torn or damaged tail is cut
 * off. Works without a file (disk full, no folder): records then live in memory alone. NO_MEMORY only. All functions: any thread. */
enum status partial_open(struct partial **out, struct spool *spool, const struct spool_key *key, struct error *err);
/* Appends a record: one write, so that a kill leaves it whole or cut off at the end. A later record of an item replaces the earlier one
 * for coming runs; pointers given out stay valid. false: not kept (item too large, no memory); not on disk counts as kept. */
bool partial_keep(struct partial *partial, uint32_t item, const void *bytes, size_t length);
/* Borrowed until close; NULL if there is none. */
const void *partial_find(struct partial *partial, uint32_t item, size_t *length);
size_t partial_found(const struct partial *partial); /* items that were there at open */
void partial_close(struct partial *partial);         /* leaves the file. NULL is fine */

/* Removes this worker's file for the job, once its result was accepted. */
void partial_remove(struct spool *spool, const struct spool_key *key);

#endif
