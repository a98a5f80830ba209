/* file.h: whole-file reads and writes that survive a crash. */
#ifndef DOCKET_BASE_FILE_H
#define DOCKET_BASE_FILE_H

#include "worker/base/buffer.h"

#include <sys/stat.h>

/* Reads a regular file to its end; the buffer's ceiling holds. NOT_FOUND, IO, REFUSED (not a regular file), LIMIT, NO_MEMORY. */
enum status file_read_all(struct buffer *out, const char *path, struct error *err);
/* Opens without following a final link when no_follow, never blocking on a FIFO; only regular files. *fd is the caller's. */
enum status file_open_regular(int *fd, const char *path, bool no_follow, struct stat *facts, struct error *err);
/* pread until size_bytes are there. IO with errno text, or CORRUPT at the offset where the file ended. */
enum status file_read_at(int fd, void *to, size_t size_bytes, uint64_t offset, const char *name, struct error *err);
enum status file_write_all(int fd, const void *bytes, size_t length, const char *name, struct error *err);
/* Temporary name in the same folder, write, fsync, rename, fsync of the folder; mode 0600. On failure nothing is left. */
enum status file_publish(const char *path, const void *bytes, size_t length, struct error *err);
enum status file_sync_folder(const char *folder, struct error *err);
/* Makes the folder and its parents (mode 0700 for new ones). REFUSED if it is a link or no folder. */
enum status file_make_folder(const char *path, struct error *err);
/* "a/b" from parts; the caller frees. NULL: no memory. */
char *path_join(const char *folder, const char *name);
uint64_t file_free_bytes(const char *path); /* of its file system; 0 if unknown */

#define SHA256_HEX_BYTES 65
/* Lower-case hex with final NUL. */
void sha256_hex(const void *bytes, size_t length, char out[SHA256_HEX_BYTES]);

#endif
