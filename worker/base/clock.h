/* clock.h: time. Durations only from the monotonic clock; wall time only for people and file ages. A test may put its own
 * clock in place. */
#ifndef DOCKET_BASE_CLOCK_H
#define DOCKET_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)

uint64_t clock_now_ns(void);  /* monotonic */
uint64_t clock_wall_ns(void); /* since 1970, UTC */
double clock_seconds_since(uint64_t start_ns);
/* Sleeps until the time is over or *stop is true (NULL: never); checks at least every 50 ms. Returns false if stopped. */
bool clock_sleep(double seconds, const atomic_bool *stop);
/* "2026-11-21T02:35:07.123Z"; out has at least 25 bytes. */
void clock_format(uint64_t wall_ns, char *out, size_t out_bytes);

/* Test hook: functions that replace the two clocks; NULL restores. Sleeping then advances nothing by itself. */
void clock_replace(uint64_t (*monotonic)(void), uint64_t (*wall)(void));

#endif
