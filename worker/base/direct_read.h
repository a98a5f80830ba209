/* direct_read.h: bytes of a file past the page cache, where its file system can. Copying them out of the cache costs a processor more
 * than the disk takes for them, and a cache full of what is read once has no room for anything else. */
#ifndef DOCKET_BASE_DIRECT_READ_H
#define DOCKET_BASE_DIRECT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIRECT_BLOCK 4096 /* a multiple of every device's */
/* Memory for a read of n bytes wherever they begin: whole blocks around them. */
#define DIRECT_ROOM(n) ((n) + 2 * (size_t)DIRECT_BLOCK)

/* The open file once more, for direct_read; the caller closes it. -1: this file system cannot, as far as it says so. */
int direct_open(int fd);
/* Whether the page cache holds most of it; false where nobody says. */
bool direct_is_cached(int fd, uint64_t size_bytes);
/* Reads [offset, offset + n) into room [DIRECT_ROOM(n)], aligned to DIRECT_BLOCK; *bytes, aligned to 8, lies in it. false: not
 * possible so, or not all of it: whoever reads as usual then learns why. */
bool direct_read(int fd, void *room, size_t n, uint64_t offset, unsigned char **bytes);

#endif
