/* fitness.c: runs the start checks, and knows two of them: memory within the container's limits, and disk. */
#include "worker/fitness.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum status fitness_run(const struct fitness_check *checks, size_t n, size_t *failed, struct error *err)
{
    uint64_t start = clock_now_ns();
    for (size_t i = 0; i < n; i++) {
        enum status st = checks[i].run(checks[i].context, err);
        if (st != DOCKET_OK) {
            *failed = i;
            log_event(LOG_ERROR, EVENT_fitness_failed, F_STR("check", checks[i].name), F_ERROR(err));
            return st;
        }
    }
    if (n) log_event(LOG_INFO, EVENT_fitness_passed, F_U64("checks", n), F_F64("seconds", clock_seconds_since(start)));
    return DOCKET_OK;
}

uint64_t fitness_meminfo_available(const char *text)
{
    const char *line = strstr(text, "MemAvailable:");
    if (!line) return UINT64_MAX;
    return strtoull(line + 13, NULL, 10) * KIB;
}

uint64_t fitness_cgroup_available(const char *limit, const char *usage)
{
    char *end = NULL;
    uint64_t high = strtoull(limit, &end, 10);
    if (end == limit || high >= UINT64_C(1) << 62) return UINT64_MAX; /* "max", or version 1's way to say so */
    uint64_t used = strtoull(usage, &end, 10);
    if (end == usage) return UINT64_MAX;
    return used < high ? high - used : 0;
}

static bool read_text(struct buffer *out, const char *path)
{
    buffer_clear(out);
    out->ceiling = 256 * KIB;
    return file_read_all(out, path, NULL) == DOCKET_OK && out->length > 0;
}

/* Usage as the kernel's out-of-memory killer sees it: file cache that can be dropped does not count. */
static uint64_t droppable(const char *path, const char *key)
{
    struct buffer text = {0};
    uint64_t bytes = 0;
    if (read_text(&text, path)) {
        const char *line = strstr(text.data, key);
        if (line) bytes = strtoull(line + strlen(key), NULL, 10);
    }
    buffer_free(&text);
    return bytes;
}

static uint64_t cgroup_available(const char *limit_path, const char *usage_path, const char *stat_path,
                                 const char *stat_key)
{
    struct buffer limit = {0}, usage = {0};
    uint64_t bytes = UINT64_MAX;
    if (read_text(&limit, limit_path) && read_text(&usage, usage_path)) {
        bytes = fitness_cgroup_available(limit.data, usage.data);
        if (bytes != UINT64_MAX) bytes += droppable(stat_path, stat_key);
    }
    buffer_free(&limit);
    buffer_free(&usage);
    return bytes;
}

enum status fitness_check_memory(const void *context, struct error *err)
{
    const struct fitness_memory *c = context;
    struct buffer text = {0};
    uint64_t least = read_text(&text, "/proc/meminfo") ? fitness_meminfo_available(text.data) : UINT64_MAX;
    buffer_free(&text);
    /* inside a container its own group is mounted at the root of the tree */
    uint64_t v2 = cgroup_available("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                                   "/sys/fs/cgroup/memory.stat", "inactive_file ");
    uint64_t v1 =
        cgroup_available("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                         "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file ");
    if (v2 < least) least = v2;
    if (v1 < least) least = v1;
    if (least >= c->min_bytes) return DOCKET_OK;
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%.2f GiB of memory are available, want %.2f GiB",
                (double)least / (double)GIB, (double)c->min_bytes / (double)GIB);
}

enum status fitness_check_disk(const void *context, struct error *err)
{
    const struct fitness_disk *c = context;
    struct statvfs facts;
    if (statvfs(c->path, &facts) != 0)
        return fail(err, DOCKET_IO, CODE_NONE, "%s: cannot read its free space: %s", c->path, strerrordesc_np(errno));
    double percent = facts.f_blocks ? 100.0 * (double)facts.f_bavail / (double)facts.f_blocks : 100.0;
    if (percent >= c->min_percent) return DOCKET_OK;
    return fail(err, DOCKET_IO, CODE_NONE, "%s: %.1f %% of the disk are free, want %.1f %%", c->path, percent,
                c->min_percent);
}
