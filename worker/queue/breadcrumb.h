/* breadcrumb.h: a small file for each job while it runs. One that is found after its process is gone tells that a worker died with
 * that job in hand; after two such deaths the job is answered, not run. */
#ifndef DOCKET_QUEUE_BREADCRUMB_H
#define DOCKET_QUEUE_BREADCRUMB_H

#include "worker/queue/spool.h"

#define BREADCRUMB_ITEMS_BYTES ((size_t)4096)
#define BREADCRUMB_POISON      2 /* deaths after which a job is not run again */

struct breadcrumb;

/* At start: marks what earlier processes of this worker left, so that nobody takes them for running. */
void breadcrumb_mark_dead(struct spool *spool);

/* How many workers died with this job and input in hand: crumbs of earlier processes of any worker, and of workers that are silent for
 * 2.5 intervals. last (NULL is fine) gets what the youngest of them had in hand: "phase: items". */
unsigned breadcrumb_count(struct spool *spool, const struct spool_key *key, struct buffer *last);
/* Whether another, living worker on the same root runs this job and input now, and began before we did: the smaller (time, name)
 * goes first, so that of two who ask at once exactly one waits. mine: our own crumb. */
bool breadcrumb_other_runs(struct spool *spool, const struct spool_key *key, const struct breadcrumb *mine);

/* Leaves the crumb. The file survives a kill of the process, not of the machine: no fsync. NULL (and err) when it cannot be written:
 * the job runs all the same. */
struct breadcrumb *breadcrumb_leave(struct spool *spool, const struct spool_key *key, const char *id,
                                    struct error *err);
/* Names what is in hand now. Any thread, one at a time. NULL is fine. */
void breadcrumb_phase(struct breadcrumb *crumb, const char *phase, const char *items);
/* Removes the file: the process outlived the job. NULL is fine. */
void breadcrumb_clear(struct breadcrumb *crumb);
/* Removes the crumbs of the dead, once the job has its end state. */
void breadcrumb_forget(struct spool *spool, const struct spool_key *key);

#endif
