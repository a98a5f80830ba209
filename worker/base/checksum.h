/* checksum.h: a fast 64-bit checksum (XXH64) over bytes that come in pieces: finds what a disk or a network damaged, faster than it
 * is read. No protection against someone who means harm: that is SHA-256's work. */
#ifndef DOCKET_BASE_CHECKSUM_H
#define DOCKET_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The caller's; may be copied. Not thread-safe. */
struct checksum {
    uint64_t lanes[4], length_bytes;
    unsigned char rest[32]; /* the last bytes that fill no stripe yet */
};

void checksum_init(struct checksum *c);
void checksum_add(struct checksum *c, const void *bytes, size_t length);
/* Of all bytes so far; more may be added afterwards. The same value for every way to cut them. */
uint64_t checksum_value(const struct checksum *c);

#endif
