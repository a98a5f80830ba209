/* direct_read.c: see direct_read.h. Nothing that is mapped here is ever looked at: a file that shrinks sends no signal. */
#include "worker/base/direct_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SAMPLES      64
#define SAMPLE_PAGES 16
#define PAGE_BYTES   4096 /* mincore's unit is the system's, at least that */

int direct_open(int fd)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
}

/* The kernel answers for whom could have written the file, and says "all of it" to the others. */
bool direct_is_cached(int fd, uint64_t size_bytes)
{
    const long page = sysconf(_SC_PAGESIZE);
    unsigned char there[SAMPLE_PAGES];
    size_t seen = 0, cached = 0;
    if (size_bytes == 0 || size_bytes > SIZE_MAX / 2 || page < PAGE_BYTES) return false;
    const size_t pages = (size_t)((size_bytes - 1) / (uint64_t)page) + 1;
    unsigned char *map = mmap(NULL, (size_t)size_bytes, PROT_NONE, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) return false;
    const size_t step = pages > SAMPLES * SAMPLE_PAGES ? pages / SAMPLES : SAMPLE_PAGES;
    for (size_t at = 0; at < pages; at += step) {
        const size_t n = pages - at < SAMPLE_PAGES ? pages - at : SAMPLE_PAGES;
        if (mincore(map + at * (size_t)page, n * (size_t)page, there) != 0) break;
        for (size_t i = 0; i < n; i++) cached += there[i] & 1;
        seen += n;
    }
    munmap(map, (size_t)size_bytes);
    return 2 * cached > seen;
}

bool direct_read(int fd, void *room, size_t n, uint64_t offset, unsigned char **bytes)
{
    const size_t before = (size_t)(offset % DIRECT_BLOCK), want = before + n;
    const size_t all = (want + DIRECT_BLOCK - 1) / DIRECT_BLOCK * DIRECT_BLOCK;
    unsigned char *at = room;
    for (size_t done = 0; done < want;) {
        const ssize_t got = pread(fd, at + done, all - done, (off_t)(offset - before + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        done += (size_t)got;
        if (done < want && done % DIRECT_BLOCK) return false; /* its end, or of one who gives less than blocks */
    }
    *bytes = at + before;
    if (before % 8 == 0) return true;
    memmove(at, at + before, n); /* values are read where they lie */
    *bytes = at;
    return true;
}
