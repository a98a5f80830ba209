/* memory.c: how much memory this process has and may still take. */
#include "worker/model/model.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A number in a one-line file; SIZE_MAX if it is absent or "max". */
static size_t read_number(const char *path)
{
    unsigned long long value;
    FILE *f = fopen(path, "re");
    if (!f) return SIZE_MAX;
    int n = fscanf(f, "%llu", &value);
    fclose(f);
    return n == 1 ? (size_t)value : SIZE_MAX;
}

/* "Name:  123 kB" of a /proc file in bytes; 0 if absent. */
static size_t read_field(const char *path, const char *name)
{
    char line[256];
    size_t value = 0, n = strlen(name);
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    while (fgets(line, sizeof(line), f)) {
        unsigned long long kib;
        if (strncmp(line, name, n) == 0 && line[n] == ':' && sscanf(line + n + 1, "%llu", &kib) == 1) {
            value = (size_t)kib * KIB;
            break;
        }
    }
    fclose(f);
    return value;
}

size_t memory_available(size_t *total)
{
    size_t all = read_field("/proc/meminfo", "MemTotal"), available = read_field("/proc/meminfo", "MemAvailable");
    size_t limit = read_number("/sys/fs/cgroup/memory.max"), used = read_number("/sys/fs/cgroup/memory.current");
    if (limit == SIZE_MAX) { /* the older interface */
        limit = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
        used = read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes");
    }
    if (limit < all) {
        size_t left = used < limit ? limit - used : 0;
        all = limit;
        if (left < available) available = left;
    }
    if (total) *total = all;
    return available;
}

size_t memory_resident(size_t *peak)
{
    if (peak) *peak = read_field("/proc/self/status", "VmHWM");
    return read_field("/proc/self/status", "VmRSS");
}
