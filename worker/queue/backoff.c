/* backoff.c: exponential back-off with jitter. */
#include "worker/queue/backoff.h"

#include <sys/random.h>

double backoff_seconds(unsigned failures, double first, double cap, double asked, uint64_t chance)
{
    double seconds = first;
    for (unsigned i = 1; i < failures && seconds < cap; i++) seconds *= 2;
    if (seconds > cap) seconds = cap;
    seconds *= 0.75 + 0.5 * ((double)(chance >> 11) / 9007199254740992.0); /* 2^53 */
    seconds = seconds < first ? first : seconds > cap ? cap : seconds;
    return asked > seconds ? asked : seconds;
}

uint64_t backoff_chance(void)
{
    uint64_t bits = UINT64_C(0x9e3779b97f4a7c15);
    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits)) bits ^= (uint64_t)(uintptr_t)&bits;
    return bits;
}
