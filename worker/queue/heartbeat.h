/* heartbeat.h: tells the queue at a steady pace that this worker lives and which jobs it holds. Own thread, own connection; shares
 * nothing with the work but an atomically published list of ids. */
#ifndef DOCKET_QUEUE_HEARTBEAT_H
#define DOCKET_QUEUE_HEARTBEAT_H

#include "worker/queue/id_list.h"
#include "worker/queue/queue.h"

#define HEARTBEAT_LATE 0.2 /* of an interval: later than this after its time, a beat counts as late */

/* What happened so far; written by the heartbeat, read by anyone. */
struct heartbeat_facts {
    atomic_ullong beats;    /* pings that were begun, repeats included */
    atomic_ullong failures; /* beats that were not answered, all tries */
    atomic_ullong late;
    atomic_uint failures_in_a_row;
    atomic_uint last_status;
    atomic_ullong worst_late_ns;
    atomic_ullong last_begun_ns; /* monotonic; 0: never */
    atomic_ullong last_ended_ns; /* of the last finished try, accepted or not */
};

struct heartbeat;
/* Starts the thread; its first ping leaves at once. queue->ping must be there; queue and ids are borrowed until stop. */
enum status heartbeat_start(struct heartbeat **out, const struct queue *queue, struct id_list *ids,
                            double interval_seconds, struct error *err);
/* Waits until the first ping was answered or failed, at most that long. */
void heartbeat_wait_first(struct heartbeat *heartbeat, double seconds, const atomic_bool *stop);
/* After the process stood still: waits, at most that long, until a ping has ended that began after begun_after_ns. True if so. */
bool heartbeat_wait_since(struct heartbeat *heartbeat, uint64_t begun_after_ns, double seconds,
                          const atomic_bool *stop);
const struct heartbeat_facts *heartbeat_facts(const struct heartbeat *heartbeat);
/* No ping begins after this returns; an open one is aborted. NULL is fine. */
void heartbeat_stop(struct heartbeat *heartbeat);

/* When the next beat is due after one that was due at due_ns and began at begun_ns: one interval after its time, or, when it was late
 * by more than HEARTBEAT_LATE, one interval after it began, so that two never follow at once. */
uint64_t heartbeat_next_due(uint64_t due_ns, uint64_t begun_ns, uint64_t interval_ns);
/* Seconds before the nth try (2 = the first repeat) within one beat: 0, 2, 4; -1: no further one, or the next beat comes first. */
double heartbeat_retry_wait(unsigned try_number, double seconds_to_next_beat, double retry_after_seconds);

#endif
