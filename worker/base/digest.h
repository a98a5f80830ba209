/* digest.h: checksums of files, piece by piece: SHA-256, and the SHA-1 by which git names a file's content. */
#ifndef DOCKET_BASE_DIGEST_H
#define DOCKET_BASE_DIGEST_H

#include "worker/base/status.h"

#include <stddef.h>

#define DIGEST_HEX_BYTES 65 /* of the longest, with the final NUL */

enum digest_kind {
    DIGEST_SHA256,
    DIGEST_GIT_BLOB, /* SHA-1 over "blob <size>\0" and the bytes */
};

struct digest;
/* size_bytes: of all that will come; only DIGEST_GIT_BLOB needs it. NO_MEMORY. */
enum status digest_open(struct digest **out, enum digest_kind kind, uint64_t size_bytes, struct error *err);
/* false: the library failed, and so will digest_end. */
bool digest_add(struct digest *digest, const void *bytes, size_t length);
/* Lower-case hex; false if anything failed. Nothing can be added afterwards. */
bool digest_end(struct digest *digest, char hex[DIGEST_HEX_BYTES]);
void digest_close(struct digest *digest); /* NULL is fine */

/* The checksum of an open file from its start. IO, NO_MEMORY. */
enum status digest_file(int fd, enum digest_kind kind, uint64_t size_bytes, const char *name,
                        char hex[DIGEST_HEX_BYTES], struct error *err);

#endif
