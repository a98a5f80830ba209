/* heartbeat.c: the thread that beats. It takes no lock that work takes, logs nothing (the watchdog reads its counters and does), and
 * gives each ping no more time than to the next beat, so that a silent peer never stretches the pace. */
#include "worker/queue/heartbeat.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_TRIES     4u
#define GAP_INTERVALS 1.5 /* silence of this process that long: its connections may be dead */
#define MORE_PRIORITY (-10)

struct heartbeat {
    const struct queue *queue;
    struct id_list *ids;
    uint64_t interval_ns;
    struct heartbeat_facts facts;
    atomic_bool stop;
    pthread_t thread;
};

uint64_t heartbeat_next_due(uint64_t due_ns, uint64_t begun_ns, uint64_t interval_ns)
{
    uint64_t late_ns = begun_ns > due_ns ? begun_ns - due_ns : 0;
    return (late_ns > (uint64_t)(HEARTBEAT_LATE * (double)interval_ns) ? begun_ns : due_ns) + interval_ns;
}

double heartbeat_retry_wait(unsigned try_number, double seconds_to_next_beat, double retry_after_seconds)
{
    static const double waits[] = {0, 2, 4};
    if (try_number < 2 || try_number > MAX_TRIES) return -1;
    double wait = waits[try_number - 2];
    if (retry_after_seconds > wait) wait = retry_after_seconds;
    return wait < seconds_to_next_beat ? wait : -1;
}

static double seconds_until(uint64_t due_ns)
{
    uint64_t now = clock_now_ns();
    return due_ns > now ? (double)(due_ns - now) / 1e9 : 0;
}

/* One beat: the ping and its repeats, all before next_due_ns. */
static void beat(struct heartbeat *h, uint64_t next_due_ns)
{
    struct queue_answer answer;
    bool good = false;
    for (unsigned n = 1; !good && !atomic_load(&h->stop); n++) {
        if (n > 1) {
            double wait = heartbeat_retry_wait(n, seconds_until(next_due_ns), answer.retry_after_seconds);
            if (wait < 0 || !clock_sleep(wait, &h->stop)) break;
        }
        double limit = seconds_until(next_due_ns);
        if (n > 1 && limit < 0.05) break; /* no time left in which a peer could answer */
        if (limit < 0.05) limit = 0.05;
        atomic_store(&h->facts.last_begun_ns, clock_now_ns());
        atomic_fetch_add(&h->facts.beats, 1);
        h->queue->ping(h->queue->self, id_list_read(h->ids), limit, &h->stop, NULL, &answer);
        good = answer.verdict == QUEUE_DONE || answer.verdict == QUEUE_UNAUTHORIZED;
        atomic_store(&h->facts.last_status, (unsigned)answer.status);
        atomic_store(&h->facts.last_ended_ns, clock_now_ns());
        if (answer.verdict == QUEUE_UNAUTHORIZED) break;
    }
    if (atomic_load(&h->stop)) return;
    if (good && answer.verdict == QUEUE_DONE)
        atomic_store(&h->facts.failures_in_a_row, 0);
    else {
        atomic_fetch_add(&h->facts.failures, 1);
        atomic_fetch_add(&h->facts.failures_in_a_row, 1);
    }
}

static void *run(void *context)
{
    struct heartbeat *h = context;
    uint64_t due_ns = clock_now_ns(), last_ns = due_ns;
    setpriority(PRIO_PROCESS, 0, MORE_PRIORITY); /* this thread; refused without the right, which is fine */
    while (!atomic_load(&h->stop)) {
        uint64_t now = clock_now_ns();
        uint64_t late_ns = now > due_ns ? now - due_ns : 0;
        if ((double)late_ns > HEARTBEAT_LATE * (double)h->interval_ns) {
            atomic_fetch_add(&h->facts.late, 1);
            if (late_ns > atomic_load(&h->facts.worst_late_ns)) atomic_store(&h->facts.worst_late_ns, late_ns);
        }
        if ((double)(now - last_ns) > GAP_INTERVALS * (double)h->interval_ns && h->queue->reset)
            h->queue->reset(h->queue->self, LANE_PING);
        due_ns = heartbeat_next_due(due_ns, now, h->interval_ns);
        last_ns = now;
        beat(h, due_ns);
        clock_sleep(seconds_until(due_ns), &h->stop);
    }
    return NULL;
}

enum status heartbeat_start(struct heartbeat **out, const struct queue *queue, struct id_list *ids,
                            double interval_seconds, struct error *err)
{
    struct heartbeat *h = mem_zalloc(1, sizeof(*h));
    if (!h) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the heartbeat");
    h->queue = queue;
    h->ids = ids;
    h->interval_ns = (uint64_t)(interval_seconds * 1e9);
    if (pthread_create(&h->thread, NULL, run, h) != 0) {
        mem_free(h);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no thread for the heartbeat");
    }
    pthread_setname_np(h->thread, "heartbeat");
    *out = h;
    return DOCKET_OK;
}

static bool wait_ended(struct heartbeat *h, uint64_t begun_after_ns, double seconds, const atomic_bool *stop)
{
    for (double waited = 0;; waited += 0.01) {
        uint64_t begun = atomic_load(&h->facts.last_begun_ns), ended = atomic_load(&h->facts.last_ended_ns);
        if (begun && begun >= begun_after_ns && ended >= begun) return true;
        if (waited >= seconds || (stop && atomic_load(stop))) return false;
        clock_sleep(0.01, stop);
    }
}

void heartbeat_wait_first(struct heartbeat *h, double seconds, const atomic_bool *stop)
{
    wait_ended(h, 0, seconds, stop);
}

bool heartbeat_wait_since(struct heartbeat *h, uint64_t begun_after_ns, double seconds, const atomic_bool *stop)
{
    return wait_ended(h, begun_after_ns, seconds, stop);
}

const struct heartbeat_facts *heartbeat_facts(const struct heartbeat *h)
{
    return &h->facts;
}

void heartbeat_stop(struct heartbeat *h)
{
    if (!h) return;
    atomic_store(&h->stop, true);
    pthread_join(h->thread, NULL);
    mem_free(h);
}
