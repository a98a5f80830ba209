/* meter.h: divides the worker's wall time among the jobs that run: each moment goes to them in equal parts, so that all jobs'
 * seconds together are the seconds in which any ran. */
#ifndef DOCKET_HANDLERS_METER_H
#define DOCKET_HANDLERS_METER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
    pthread_mutex_t lock;
    size_t n_running;
    uint64_t last_ns;
    double share; /* nanoseconds that a job running since the beginning would have been charged */
};

void meter_init(struct meter *meter);
void meter_free(struct meter *meter);
/* Returns a mark for meter_stop. */
uint64_t meter_start(struct meter *meter);
/* Seconds charged since the mark. */
double meter_stop(struct meter *meter, uint64_t mark);

#endif
