/* parallel.c: the callbacks of a device in tests. Threads are started for each loop: slow, and nothing to clean up. */
#include "tests/support/parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORKERS 16

struct loop {
    size_t n_items, grain, next;
    kernels_task task;
    void *context;
};

struct one {
    struct loop *loop;
    unsigned worker;
};

static void *work(void *argument)
{
    struct one *one = argument;
    struct loop *loop = one->loop;

    for (;;) {
        size_t begin = __atomic_fetch_add(&loop->next, loop->grain, __ATOMIC_RELAXED);
        if (begin >= loop->n_items) return NULL;
        loop->task(loop->context, begin, begin + loop->grain < loop->n_items ? begin + loop->grain : loop->n_items,
                   one->worker);
    }
}

void host_parallel_for(void *context, size_t n_items, size_t grain, kernels_task task, void *task_context)
{
    const struct host *host = context;
    struct loop loop = {n_items, grain, 0, task, task_context};
    struct one ones[MAX_WORKERS];
    pthread_t threads[MAX_WORKERS];
    bool started[MAX_WORKERS] = {false};

    for (unsigned i = 0; i < host->n_workers && i < MAX_WORKERS; i++) {
        ones[i] = (struct one){&loop, i};
        if (i > 0) started[i] = pthread_create(&threads[i], NULL, work, &ones[i]) == 0;
    }
    work(&ones[0]);
    for (unsigned i = 1; i < MAX_WORKERS; i++)
        if (started[i]) pthread_join(threads[i], NULL);
}

/* Memory comes full of NaN, so that what reads it unwritten is seen. */
void *host_allocate(void *context, size_t size_bytes)
{
    struct host *host = context;
    void *memory;

    host->n_allocations++;
    if (host->fail_at && host->n_allocations >= host->fail_at) return NULL;
    if ((memory = aligned_alloc(64, size_bytes)) == NULL) return NULL;
    memset(memory, 0xff, size_bytes);
    host->n_live++;
    return memory;
}

void host_release(void *context, void *memory)
{
    struct host *host = context;

    host->n_live--;
    free(memory);
}

struct kernels_options host_options(struct host *host, const char *cpu_isa)
{
    if (host->n_workers == 0) host->n_workers = 1;
    return (struct kernels_options){.allocate = host_allocate,
                                    .release = host_release,
                                    .parallel_for = host_parallel_for,
                                    .context = host,
                                    .n_workers = host->n_workers,
                                    .cpu_isa = cpu_isa};
}
