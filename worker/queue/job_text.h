/* job_text.h: the text that a take brought, cut into jobs. Strings in, plain structs out; nothing of HTTP. */
#ifndef DOCKET_QUEUE_JOB_TEXT_H
#define DOCKET_QUEUE_JOB_TEXT_H

#include "worker/queue/queue.h"

/* Puts every element of the answer (an object, or an array of objects) into out, in order: good ones whole, bad ones with an id that
 * can be read as jobs with a problem, others counted as malformed. [] null, numbers and strings hold nothing.
 * A text that breaks off keeps the elements before the break; the broken one counts as malformed, because the queue will deliver it again
 * when nobody names it, unless cut_by_us: then it is a job with a problem, or it would come for ever.
 * NO_MEMORY leaves what was read so far. */
enum status job_text_read(struct queue_take *out, const char *text, size_t length, bool cut_by_us, uint64_t taken_at_ns,
                          struct error *err);

/* The strings of "jobsToStop" in the answer of a stop channel. At most max_ids of them; others are counted as ignored.
 * BAD_INPUT when it is no such object. */
enum status job_text_read_stops(struct queue_stops *out, const char *text, size_t length, size_t max_ids,
                                struct error *err);

/* One job object; gate, id, input. default_id: what stands for a missing id, or NULL. As job_text_read with
 * cut_by_us. */
enum status job_text_read_one(struct queue_take *out, const char *text, size_t length, const char *default_id,
                              uint64_t taken_at_ns, struct error *err);

/* DOCKET_OK if such an id can be answered. */
enum status job_id_check(const char *id, size_t length, struct error *err);

#endif
