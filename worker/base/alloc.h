/* alloc.h: memory of the worker and its handlers: checked sizes, and one place where a test can make the nth allocation
 * fail. The only file that calls malloc. */
#ifndef DOCKET_BASE_ALLOC_H
#define DOCKET_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
/* Moves a struct out of a local: the local is empty afterwards and may still be freed. */
#define MOVE(to, from)                                                                                                 \
    do {                                                                                                               \
        (to) = (from);                                                                                                 \
        memset(&(from), 0, sizeof(from));                                                                              \
    } while (0)

/* false when the result does not fit; *out is then untouched. */
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}
static inline bool size_add(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

/* All return NULL when there is no memory or the size overflows. Size 0 gives a pointer that may be freed. */
void *mem_alloc(size_t size_bytes);
void *mem_zalloc(size_t count, size_t size_bytes);
/* Grows or shrinks an array; the old one stays valid on failure. */
void *mem_resize(void *memory, size_t count, size_t size_bytes);
/* From 2 MiB on in huge pages, where the system gives them; what is behind the last whole one costs small pages only. */
void *mem_alloc_aligned(size_t size_bytes, size_t alignment);
void *mem_dup(const void *bytes, size_t size_bytes);
char *str_dup(const char *text);
char *str_dup_n(const char *text, size_t length); /* adds the final NUL */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *memory);

/* Test hook: from now on the nth allocation (1 = next) and, if persistent, all later ones fail. 0 switches it off.
 * Process-wide. mem_count returns the allocations since the hook was set. */
void mem_fail_at(size_t nth, bool persistent);
size_t mem_count(void);

#endif
