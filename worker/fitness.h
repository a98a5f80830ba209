/* fitness.h: checks that run once before a worker takes part, so that a sick machine is found before it is paid for. */
#ifndef DOCKET_WORKER_FITNESS_H
#define DOCKET_WORKER_FITNESS_H

#include "worker/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct fitness_check {
    const char *name; /* as reported to the platform: "_memory_check" */
    enum status (*run)(const void *context, struct error *err);
    const void *context;
};

/* Runs them in order; the first failure ends it: *failed is then its index. Main thread. */
enum status fitness_run(const struct fitness_check *checks, size_t n, size_t *failed, struct error *err);

/* Memory that this process can still get: the least of the machine's and of every cgroup around it. */
struct fitness_memory {
    uint64_t min_bytes; /* RUNPOD_MIN_MEMORY_GB */
};
enum status fitness_check_memory(const void *context, struct error *err);

struct fitness_disk {
    const char *path;
    double min_percent; /* RUNPOD_MIN_DISK_PERCENT: free share of the file system */
};
enum status fitness_check_disk(const void *context, struct error *err);

/* Available bytes by the text of /proc/meminfo, and by a cgroup's limit and usage texts; for the tests. UINT64_MAX: unlimited or
 * unreadable. */
uint64_t fitness_meminfo_available(const char *text);
uint64_t fitness_cgroup_available(const char *limit, const char *usage);

#endif
