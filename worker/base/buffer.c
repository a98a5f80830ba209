/* buffer.c: growing bytes with a ceiling. */
#include "worker/base/buffer.h"

#include "worker/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_init(struct buffer *b, size_t ceiling_bytes)
{
    *b = (struct buffer){.ceiling = ceiling_bytes};
}

bool buffer_reserve(struct buffer *b, size_t more_bytes)
{
    size_t need;
    if (b->failed) return false;
    if (!size_add(b->length, more_bytes, &need) || !size_add(need, 1, &need) || (b->ceiling && need - 1 > b->ceiling)) {
        b->failed = b->over = true;
        return false;
    }
    if (need <= b->capacity) return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need) {
        if (!size_mul(capacity, 2, &capacity)) capacity = need;
    }
    char *data = mem_resize(b->data, capacity, 1);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    data[b->length] = '\0'; /* also when nothing is appended */
    return true;
}

bool buffer_append(struct buffer *b, const void *bytes, size_t length)
{
    if (!buffer_reserve(b, length)) return false;
    if (length) memcpy(b->data + b->length, bytes, length);
    b->length += length;
    b->data[b->length] = '\0';
    return true;
}

bool buffer_append_str(struct buffer *b, const char *text)
{
    return buffer_append(b, text, strlen(text));
}

bool buffer_append_char(struct buffer *b, char c)
{
    return buffer_append(b, &c, 1);
}

bool buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    bool good = n >= 0 && buffer_reserve(b, (size_t)n);
    if (good) {
        vsnprintf(b->data + b->length, (size_t)n + 1, format, again);
        b->length += (size_t)n;
    }
    va_end(again);
    return good;
}

void buffer_clear(struct buffer *b)
{
    b->length = 0;
    b->failed = b->over = false;
    if (b->data) b->data[0] = '\0';
}

char *buffer_take(struct buffer *b, size_t *length)
{
    if (!b->data && !b->failed) buffer_append(b, "", 0);
    char *data = b->data;
    if (length) *length = b->length;
    *b = (struct buffer){.ceiling = b->ceiling};
    return data;
}

void buffer_free(struct buffer *b)
{
    mem_free(b->data);
    *b = (struct buffer){.ceiling = b->ceiling};
}

enum status buffer_check(const struct buffer *b, const char *what, struct error *err)
{
    if (!b->failed) return DOCKET_OK;
    if (b->over) return fail(err, DOCKET_LIMIT, CODE_NONE, "%s: larger than %zu bytes", what, b->ceiling);
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory after %zu bytes", what, b->length);
}
