/* clock.c: the two clocks, replaceable for tests. */
#include "worker/base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t system_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t system_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

static _Atomic(uint64_t (*)(void)) monotonic_clock = system_monotonic;
static _Atomic(uint64_t (*)(void)) wall_clock = system_wall;

void clock_replace(uint64_t (*monotonic)(void), uint64_t (*wall)(void))
{
    monotonic_clock = monotonic ? monotonic : system_monotonic;
    wall_clock = wall ? wall : system_wall;
}

uint64_t clock_now_ns(void)
{
    return monotonic_clock();
}

uint64_t clock_wall_ns(void)
{
    return wall_clock();
}

double clock_seconds_since(uint64_t start_ns)
{
    return ((double)clock_now_ns() - (double)start_ns) / 1e9;
}

bool clock_sleep(double seconds, const atomic_bool *stop)
{
    uint64_t end = system_monotonic() + (seconds > 0 ? (uint64_t)(seconds * 1e9) : 0);
    for (;;) {
        if (stop && atomic_load(stop)) return false;
        uint64_t now = system_monotonic();
        if (now >= end) return true;
        uint64_t step = end - now;
        if (stop && step > 50 * NS_PER_MS) step = 50 * NS_PER_MS;
        struct timespec t = {(time_t)(step / NS_PER_SECOND), (long)(step % NS_PER_SECOND)};
        nanosleep(&t, NULL);
    }
}

void clock_format(uint64_t wall_ns, char *out, size_t out_bytes)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
    struct tm t;
    gmtime_r(&seconds, &t);
    snprintf(out, out_bytes, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
             t.tm_hour, t.tm_min, t.tm_sec, (unsigned)(wall_ns / NS_PER_MS % 1000));
}
