/* worker_background.c: the watchdog, which looks at the handler's health and at the clock, and the keeper, which looks after the
 * spool folder and writes the state line. */
#include "worker/base/alloc.h"
#include "worker/worker_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_SECONDS 0.25
#define GAP_SECONDS  3.0 /* the watchdog ticks far more often: a longer pause means that the process stood still */
#define HEALTH_TICKS 4u
#define ADOPT_ROUNDS 3u /* intervals between looks for orphans */
#define MAX_NUMBERS  24

/* Anyone may notice a gap first; the epoch moves once. */
static void check_gap(struct worker *w)
{
    unsigned long long last = atomic_load(&w->gap.tick_ns), now = clock_now_ns();
    if (last && now > last && (double)(now - last) > GAP_SECONDS * 1e9) {
        if (atomic_compare_exchange_strong(&w->gap.tick_ns, &last, now)) atomic_fetch_add(&w->gap.epoch, 1);
    }
}

bool worker_has_gap(struct worker *w, unsigned *epoch)
{
    check_gap(w);
    unsigned now = atomic_load(&w->gap.epoch);
    bool gap = now != *epoch;
    *epoch = now;
    return gap;
}

void worker_beat_first(struct worker *w, enum queue_lane lane, const atomic_bool *stop)
{
    uint64_t now = clock_now_ns();
    if (w->queue->reset) w->queue->reset(w->queue->self, lane);
    if (w->heartbeat) heartbeat_wait_since(w->heartbeat, now - NS_PER_SECOND, w->o.ping_interval_seconds, stop);
}

static bool worth_a_line(unsigned n)
{
    return n && (n & (n - 1)) == 0;
}

struct seen {
    unsigned long long late;
    unsigned failures;
};

/* What the heartbeat itself does not log. */
static void report_heartbeat(struct worker *w, struct seen *seen)
{
    if (!w->heartbeat) return;
    const struct heartbeat_facts *f = heartbeat_facts(w->heartbeat);
    unsigned failures = atomic_load(&f->failures_in_a_row);
    unsigned long long late = atomic_load(&f->late);
    if (failures != seen->failures && worth_a_line(failures))
        log_event(LOG_WARN, EVENT_ping_error, F_U64("failures", failures),
                  F_I64("status", (int64_t)atomic_load(&f->last_status)));
    if (late != seen->late && worth_a_line((unsigned)late))
        log_event(LOG_WARN, EVENT_heartbeat_late, F_U64("times", late),
                  F_F64("worst_seconds", (double)atomic_load(&f->worst_late_ns) / 1e9));
    seen->failures = failures;
    seen->late = late;
}

void *worker_watchdog_run(void *context)
{
    struct worker *w = context;
    struct seen seen = {0};
    struct error why = {0};
    for (unsigned tick = 1; !atomic_load(&w->end_background); tick++) {
        check_gap(w);
        atomic_store(&w->gap.tick_ns, clock_now_ns());
        report_heartbeat(w, &seen);
        if (tick % HEALTH_TICKS == 0 && w->handler->healthy) {
            pthread_mutex_lock(&w->lock);
            bool ready = w->ready;
            pthread_mutex_unlock(&w->lock);
            if (ready && !w->handler->healthy(w->handler->self, &why)) {
                worker_end_with(w, exit_code_of(&why) ? exit_code_of(&why) : DOCKET_EXIT_INTERNAL, &why, true);
                return NULL;
            }
        }
        clock_sleep(TICK_SECONDS, &w->end_background);
    }
    return NULL;
}

struct numbers {
    struct log_field fields[MAX_NUMBERS];
    char keys[MAX_NUMBERS][32];
    size_t n;
};

static void add_number(void *context, const char *key, double value)
{
    struct numbers *x = context;
    if (x->n == MAX_NUMBERS) return;
    snprintf(x->keys[x->n], sizeof(x->keys[0]), "%s", key);
    x->fields[x->n] = F_F64(x->keys[x->n], value);
    x->n++;
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*s %llu", &pages) != 1) pages = 0;
        fclose(f);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void log_state(struct worker *w)
{
    struct numbers x = {0};
    struct worker_counters *c = w->counters;
    struct spool_facts spool = {0};
    if (w->spool) spool_facts(w->spool, &spool);
    const struct log_field own[] = {
        F_F64("uptime_seconds", clock_seconds_since(w->started_ns)),
        F_U64("jobs_held", atomic_load(&c->jobs_held)),
        F_U64("jobs_running", atomic_load(&c->jobs_running)),
        F_U64("jobs_done", atomic_load(&c->jobs_done)),
        F_U64("jobs_failed", atomic_load(&c->jobs_failed)),
        F_U64("results_waiting", atomic_load(&c->results_waiting)),
        F_U64("results_set_aside", spool.n_set_aside),
        F_U64("spool_bytes", spool.bytes_waiting),
        F_U64("resident_bytes", resident_bytes()),
    };
    memcpy(x.fields, own, sizeof(own));
    x.n = ARRAY_LENGTH(own);
    pthread_mutex_lock(&w->lock);
    bool ready = w->ready;
    pthread_mutex_unlock(&w->lock);
    if (ready && w->handler->state) w->handler->state(w->handler->self, add_number, &x);
    log_write(LOG_INFO, EVENT_worker_state, x.fields, x.n);
}

static void report_set_aside(struct worker *w, uint64_t *seen)
{
    struct spool_facts facts;
    spool_facts(w->spool, &facts);
    if (facts.n_set_aside > *seen)
        log_event(LOG_WARN, EVENT_spool_problem, F_STR("consequence", "files that are no whole records were set aside"),
                  F_U64("files", facts.n_set_aside - *seen));
    *seen = facts.n_set_aside;
}

void *worker_keeper_run(void *context)
{
    struct worker *w = context;
    uint64_t last_state = clock_now_ns(), set_aside = 0;
    double interval = w->o.ping_interval_seconds;
    for (unsigned round = 0; !atomic_load(&w->end_background); round++) {
        if (w->spool) {
            if (round % ADOPT_ROUNDS == 0) {
                if (spool_adopt(w->spool) > 0) worker_post_found(w);
                report_set_aside(w, &set_aside);
            } else
                spool_touch(w->spool);
            worker_spool_memory(w);
        }
        if (clock_seconds_since(last_state) >= w->o.state_seconds) {
            log_state(w);
            last_state = clock_now_ns();
        }
        clock_sleep(interval < w->o.state_seconds ? interval : w->o.state_seconds, &w->end_background);
    }
    return NULL;
}
