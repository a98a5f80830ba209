/* cpus.c: affinity and the limits of control groups, both versions. A container sees its own group as the root of what is mounted,
 * while version 1 names it as the host does: so each group on the way up is looked for, and what is not there says nothing. */
#include "worker/base/cpus.h"

#include "worker/base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CPUS (1 << 16)

/* The first line of a small file, without its end. */
static bool read_line(const char *folder, const char *name, char *line, size_t size)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) return false;
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool read = fgets(line, (int)size, f) != NULL;
    fclose(f);
    if (read) line[strcspn(line, "\n")] = '\0';
    return read;
}

static bool parse_positive(const char *text, char **end, long long *out)
{
    errno = 0;
    *out = strtoll(text, end, 10);
    return *end != text && errno == 0 && *out > 0;
}

static unsigned whole_cpus(long long quota, long long period)
{
    long long cpus = quota / period + (quota % period != 0);
    return cpus > MOST_CPUS ? MOST_CPUS : (unsigned)cpus;
}

static unsigned tighter(unsigned a, unsigned b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Of one group; 0: none. */
static unsigned limit_of(const char *folder)
{
    char line[128], *end;
    long long quota, period;
    if (read_line(folder, "cpu.max", line, sizeof(line)) && parse_positive(line, &end, &quota) &&
        parse_positive(end, &end, &period))
        return whole_cpus(quota, period);
    if (read_line(folder, "cpu.cfs_quota_us", line, sizeof(line)) && parse_positive(line, &end, &quota) &&
        read_line(folder, "cpu.cfs_period_us", line, sizeof(line)) && parse_positive(line, &end, &period))
        return whole_cpus(quota, period);
    return 0;
}

/* The tightest limit of mount/group and what is above it in the mount. */
static unsigned limit_up(const char *mount, const char *group)
{
    char path[PATH_MAX];
    unsigned least = 0;
    int n = snprintf(path, sizeof(path), "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof(path)) return 0;
    for (;;) {
        least = tighter(least, limit_of(path));
        char *slash = strrchr(path, '/');
        if (!slash || slash < path + strlen(mount)) return least;
        *slash = '\0';
    }
}

static bool names_cpu(char *controllers)
{
    for (char *word = controllers, *next; word; word = next) {
        next = strchr(word, ',');
        if (next) *next++ = '\0';
        if (strcmp(word, "cpu") == 0) return true;
    }
    return false;
}

/* Of the group in each place where one of the versions may be mounted. */
static unsigned limit_in_mounts(const char *mount, const char *group)
{
    static const char *const places[] = {"", "/unified", "/cpu", "/cpu,cpuacct", "/cpuacct,cpu"};
    char path[PATH_MAX];
    unsigned least = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if ((size_t)snprintf(path, sizeof(path), "%s%s", mount, places[i]) < sizeof(path))
            least = tighter(least, limit_up(path, group));
    return least;
}

unsigned cpus_of_groups(const char *membership, const char *mount)
{
    char line[PATH_MAX];
    unsigned least = limit_in_mounts(mount, "");
    FILE *f = fopen(membership, "re");
    while (f && fgets(line, sizeof(line), f)) { /* "4:cpu,cpuacct:/group", version 2 "0::/group" */
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (controllers[1] != '\0' && !names_cpu(controllers + 1)) continue;
        if (group[0] == '/' && !strstr(group, "/..")) least = tighter(least, limit_in_mounts(mount, group));
    }
    if (f) fclose(f);
    return least;
}

/* CPUs that the system lets this process run on. */
static unsigned cpus_of_affinity(void)
{
    cpu_set_t sets[MOST_CPUS / CPU_SETSIZE]; /* a set that is smaller than the kernel's is refused */
    memset(sets, 0, sizeof(sets));
    if (sched_getaffinity(0, sizeof(sets), sets) != 0) return 1;
    unsigned n = (unsigned)CPU_COUNT_S(sizeof(sets), sets);
    return n ? n : 1;
}

unsigned cpus_available(void)
{
    return tighter(cpus_of_affinity(), cpus_of_groups("/proc/self/cgroup", "/sys/fs/cgroup"));
}
