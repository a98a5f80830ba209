/* buffer.h: growing bytes with a ceiling. */
#ifndef DOCKET_BASE_BUFFER_H
#define DOCKET_BASE_BUFFER_H

#include "worker/base/status.h"

#include <stddef.h>

/* {0} is valid: empty, no ceiling. data is NUL-terminated once there is any, the NUL not counted. */
struct buffer {
    char *data;
    size_t length, capacity, ceiling; /* ceiling 0: none */
    bool failed;                      /* no memory or ceiling reached: later appends do nothing */
    bool over;                        /* it was the ceiling */
};

void buffer_init(struct buffer *b, size_t ceiling_bytes);
/* Appends return false once failed; checking only the last one is enough. */
bool buffer_append(struct buffer *b, const void *bytes, size_t length);
bool buffer_append_str(struct buffer *b, const char *text);
bool buffer_append_char(struct buffer *b, char c);
bool buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buffer_reserve(struct buffer *b, size_t more_bytes);
void buffer_clear(struct buffer *b); /* keeps memory and ceiling */
/* Hands over the NUL-terminated bytes (never NULL unless memory failed); the buffer is empty afterwards. */
char *buffer_take(struct buffer *b, size_t *length);
void buffer_free(struct buffer *b);
/* DOCKET_OK, or LIMIT / NO_MEMORY with a message that names `what`. */
enum status buffer_check(const struct buffer *b, const char *what, struct error *err);

#endif
