/* parallel.h: a parallel loop on threads of its own, and memory that can be told to fail, for devices in tests. */
#ifndef DOCKET_TESTS_SUPPORT_PARALLEL_H
#define DOCKET_TESTS_SUPPORT_PARALLEL_H

#include "kernels/kernels.h"

/* The context of a device's callbacks. {0} is one worker and memory that never fails. */
struct host {
    unsigned n_workers;
    size_t n_allocations; /* so far */
    size_t fail_at;       /* from this allocation on, counted from 1, there is no memory; 0: never */
    size_t n_live;
};

void host_parallel_for(void *host, size_t n_items, size_t grain, kernels_task task, void *task_context);
void *host_allocate(void *host, size_t size_bytes);
void host_release(void *host, void *memory);
struct kernels_options host_options(struct host *host, const char *cpu_isa);

#endif
