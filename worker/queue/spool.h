/* spool.h: results that the queue has not accepted yet, on disk until it does; and the last accepted ones, for jobs that come twice.
 * One folder a worker under a root that workers may share; what a dead worker left is adopted by rename.
 *
 *   <root>/<worker id>/owner      touched each interval: proof of life
 *                     /results/   waiting records        /accepted/  the last answers
 *                     /rejected/  refused for good       /expired/   older than any job lives
 *                     /aside/     foreign, half or of a later version
 *                     /jobs/      breadcrumbs            /partial/   documents done of jobs not done
 *                     /undelivered/  results that neither their output.url nor the answer could take, as JSON lines
 */
#ifndef DOCKET_QUEUE_SPOOL_H
#define DOCKET_QUEUE_SPOOL_H

#include "worker/queue/spool_record.h"

struct spool_options {
    const char *root, *worker_id; /* copied */
    double interval_seconds;      /* of the heartbeat: how often owner files are touched */
    uint64_t max_bytes;           /* waiting results beyond this stop the taking of jobs; 0: 4 GiB */
    uint64_t min_free_bytes;      /* free disk below this does too; 0: never */
    size_t keep_accepted;         /* answers kept for jobs that come twice; 0: 1,024 */
    uint64_t keep_bytes;          /* and their size at most; 0: 256 MiB */
    double ttl_seconds;           /* age at which a dead worker's folder is cleared away; 0: 7 days */
};

struct spool;
/* Makes the folders (0700), lists what waits, rescues records whose rename a kill prevented, sets foreign files aside. REFUSED (a
 * link, no folder), IO, NO_MEMORY. All functions below: any thread. */
enum status spool_open(struct spool **out, const struct spool_options *options, struct error *err);
void spool_close(struct spool *spool); /* NULL is fine */

const char *spool_folder(const struct spool *spool,
                         const char *name); /* "jobs", "partial"; NULL if unknown. Borrowed */
const char *spool_root(const struct spool *spool);
const char *spool_own_name(const struct spool *spool); /* of the worker's folder under the root */

/* Makes a result durable. On success *entry describes the record. The caller keeps id and body. */
enum status spool_put(struct spool *spool, const struct spool_key *key, enum spool_kind kind, const char *id,
                      const void *body, size_t body_bytes, struct spool_entry *entry, struct error *err);

/* Records found by spool_open, or adopted by spool_adopt, and not yet handed out: in order of age. The caller frees with mem_free. */
struct spool_entry *spool_take_found(struct spool *spool, size_t *n);
/* Touches the owner file, adopts what workers left whose owner file is older than 5 intervals, clears folders older than the TTL.
 * Returns the number of records adopted. */
size_t spool_adopt(struct spool *spool);
/* Touches the owner file only. */
void spool_touch(struct spool *spool);

/* Reads and checks a record; text borrows from bytes. NOT_FOUND: it is gone (another worker adopted it). CORRUPT, UNSUPPORTED: it
 * was set aside. IO: try later. */
enum status spool_read(struct spool *spool, const struct spool_entry *entry, struct buffer *bytes,
                       struct spool_text *text, struct error *err);
bool spool_exists(struct spool *spool, const struct spool_entry *entry);

/* What becomes of a record. Failures leave it where it is: it would be posted again, which is harmless. */
void spool_accept(struct spool *spool, const struct spool_entry *entry);
void spool_reject(struct spool *spool, const struct spool_entry *entry);
void spool_expire(struct spool *spool, const struct spool_entry *entry);

/* The answer to this job and input that was accepted lately, here or by a worker on the same root. NOT_FOUND if there is none. */
enum status spool_find_accepted(struct spool *spool, const struct spool_key *key, struct buffer *bytes,
                                struct spool_text *text, struct error *err);

/* Whether another, living worker on the same root has the computed result and is about to post it. */
bool spool_other_holds(struct spool *spool, const struct spool_key *key);

/* Keeps a job's results as a file of their own, in place of one that the same job and input left; files older than the TTL go. name, which
 * begins with the folder's, says where under the worker's folder. */
enum status spool_keep_results(struct spool *spool, const struct spool_key *key, const void *bytes, size_t length,
                               const char *ending, char *name, size_t name_bytes, struct error *err);

struct spool_facts {
    uint64_t n_waiting, bytes_waiting, n_set_aside, n_rescued, n_adopted, free_bytes;
};
void spool_facts(struct spool *spool, struct spool_facts *out);
/* Why no more jobs should be taken (full, little disk), or NULL. A constant text. */
const char *spool_pressure(struct spool *spool);

/* Names in another worker's folder: calls back with the path of <root>/<other>/<folder> for every other worker; alive: its owner
 * file is younger than `intervals`. Stops when the callback returns false. */
void spool_each_other(struct spool *spool, const char *folder, double intervals,
                      bool (*visit)(void *context, const char *path, bool alive), void *context);

/* The folder to use: wanted if given; else docket/spool on the volume if that is a folder and can be written; else docket-spool
 * under the temporary folder, and *ephemeral is set: results then do not outlive the container. The caller frees; NULL: no memory. */
char *spool_choose_root(const char *wanted, const char *volume, const char *temporary, bool *ephemeral);
/* A worker id as a folder's name: what is not a letter, digit, '-', '_' or '.' as %XX, never only dots, at most 200 bytes. */
void spool_folder_name(struct buffer *out, const char *worker_id);

#endif
