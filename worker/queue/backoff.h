/* backoff.h: how long to wait after a failure. Pure functions; the caller has the clock and the chance. */
#ifndef DOCKET_QUEUE_BACKOFF_H
#define DOCKET_QUEUE_BACKOFF_H

#include <stdint.h>

/* Seconds before the next try after `failures` (1 = the first) in a row: first * 2^(failures - 1), times a factor of 0.75 to 1.25
 * drawn from chance (any 64 random bits), kept within first and cap. asked (Retry-After; -1: none) is a lower bound. */
double backoff_seconds(unsigned failures, double first, double cap, double asked, uint64_t chance);

/* Bits for the above; good enough to spread workers, not for secrets. Any thread. */
uint64_t backoff_chance(void);

#endif
