/* bench_pool.c: what an empty parallel loop costs: time on the wall and of all processors together, loops at once behind each other and with
 * a pause between that lets threads fall asleep. Usage: bench_pool [threads]. Best of several; asserts nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "worker/base/pool.h"

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nothing(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)context, (void)begin, (void)end, (void)worker;
}

static void measure(struct pool *pool, const char *what, size_t pieces, int n_loops, unsigned pause_us)
{
    double best_wall = 1e30, best_cpu = 1e30;

    for (int attempt = 0; attempt < 15; attempt++) {
        double wall = 0, cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < n_loops; i++) {
            if (pause_us) usleep(pause_us);
            double begin = seconds_of(CLOCK_MONOTONIC);
            pool_for(pool, pieces, 1, nothing, NULL);
            wall += seconds_of(CLOCK_MONOTONIC) - begin;
        }
        cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (wall < best_wall) best_wall = wall;
        if (cpu < best_cpu) best_cpu = cpu;
    }
    printf("%u threads, %s, %zu pieces: %.2f us a loop, %.2f us of processors\n", pool_threads(pool), what, pieces,
           1e6 * best_wall / n_loops, 1e6 * best_cpu / n_loops);
}

int main(int argc, char **argv)
{
    struct pool *pool;
    struct error err = {0};

    if (pool_open(&pool, argc > 1 ? (unsigned)atoi(argv[1]) : 0, &err) != DOCKET_OK) return 1;
    measure(pool, "at once", 16, 2000, 0);
    measure(pool, "at once", 512, 500, 0);
    measure(pool, "1 ms apart", 16, 50, 1000);
    pool_close(pool);
    return 0;
}
