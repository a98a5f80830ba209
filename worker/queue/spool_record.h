/* spool_record.h: one result as a file: its name, which alone tells age, job and size, and its bytes, which prove themselves. */
#ifndef DOCKET_QUEUE_SPOOL_RECORD_H
#define DOCKET_QUEUE_SPOOL_RECORD_H

#include "worker/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

#define SPOOL_NAME_BYTES 128

/* Which job and which input: two hashes, so that no id has to be a file name. */
struct spool_key {
    char id[33], input[33]; /* hex */
};
void spool_key_make(struct spool_key *key, const char *id, const void *input, size_t input_bytes);
bool spool_key_same(const struct spool_key *a, const struct spool_key *b);

enum spool_kind {
    SPOOL_FULL,  /* a result */
    SPOOL_ERROR, /* the report of a job that failed */
    SPOOL_SMALL, /* the short form that follows a refused result */
};

struct spool_entry {
    char name[SPOOL_NAME_BYTES];
    struct spool_key key;
    uint64_t created_ns; /* wall clock, strictly rising within a process: the order of age */
    uint64_t body_bytes;
    enum spool_kind kind;
};
/* Fills name from the rest. */
void spool_entry_name(struct spool_entry *entry);
/* false if the name is no record's. */
bool spool_entry_parse(struct spool_entry *entry, const char *name);

/* The file's bytes. */
void spool_record_write(struct buffer *out, const struct spool_entry *entry, const char *id, const void *body,
                        size_t body_bytes);

/* Where id and body stand in a record's bytes (borrowed from it). CORRUPT: half, changed or no record; UNSUPPORTED: of a later
 * version. */
struct spool_text {
    const char *id, *body; /* id is NUL-terminated in place */
    size_t body_bytes;
    uint64_t created_ns;
};
enum status spool_record_read(struct spool_text *out, struct buffer *bytes, const char *name, struct error *err);

#endif
