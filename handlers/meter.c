/* meter.c: an integral of 1 / running jobs over time. */
#include "handlers/meter.h"

#include "worker/base/clock.h"

void meter_init(struct meter *meter)
{
    *meter = (struct meter){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void meter_free(struct meter *meter)
{
    pthread_mutex_destroy(&meter->lock);
}

/* Under the lock. */
static void advance(struct meter *meter)
{
    uint64_t now = clock_now_ns();
    if (meter->n_running > 0) meter->share += (double)(now - meter->last_ns) / (double)meter->n_running;
    meter->last_ns = now;
}

uint64_t meter_start(struct meter *meter)
{
    pthread_mutex_lock(&meter->lock);
    advance(meter);
    meter->n_running++;
    uint64_t mark = (uint64_t)meter->share;
    pthread_mutex_unlock(&meter->lock);
    return mark;
}

double meter_stop(struct meter *meter, uint64_t mark)
{
    pthread_mutex_lock(&meter->lock);
    advance(meter);
    meter->n_running--;
    double seconds = (meter->share - (double)mark) / 1e9;
    pthread_mutex_unlock(&meter->lock);
    return seconds > 0 ? seconds : 0;
}
