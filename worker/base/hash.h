/* hash.h: the hash of every table whose keys come from outside: SipHash-1-3 under a key drawn once per process, so that nobody can
 * prepare keys that all meet in one bucket. Not for files: values differ from process to process. */
#ifndef DOCKET_BASE_HASH_H
#define DOCKET_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. Equal bytes and seed give equal values within this process. */
uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed);

#endif
