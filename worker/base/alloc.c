/* alloc.c: malloc and its like, behind a hook that can make any one of them fail. */
#include "worker/base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (2 * MIB)

static atomic_size_t count;
static atomic_size_t fail_at; /* 0: never */
static atomic_bool fail_on;

/* No object is larger than this; what asks for more has miscounted. */
#define MAX_BYTES ((size_t)PTRDIFF_MAX)

static bool refused(size_t size_bytes)
{
    if (size_bytes > MAX_BYTES) return true;
    size_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (at == 0) return false;
    size_t now = atomic_fetch_add(&count, 1) + 1;
    return now == at || (now > at && atomic_load(&fail_on));
}

void mem_fail_at(size_t nth, bool persistent)
{
    atomic_store(&count, 0);
    atomic_store(&fail_on, persistent);
    atomic_store(&fail_at, nth);
}

size_t mem_count(void)
{
    return atomic_load(&count);
}

void *mem_alloc(size_t size_bytes)
{
    return refused(size_bytes) ? NULL : malloc(size_bytes ? size_bytes : 1);
}

void *mem_zalloc(size_t n, size_t size_bytes)
{
    size_t bytes;
    if (!size_mul(n, size_bytes, &bytes) || refused(bytes)) return NULL;
    return n && size_bytes ? calloc(n, size_bytes) : calloc(1, 1);
}

void *mem_resize(void *memory, size_t n, size_t size_bytes)
{
    size_t bytes;
    if (!size_mul(n, size_bytes, &bytes) || refused(bytes)) return NULL;
    return realloc(memory, bytes ? bytes : 1);
}

void *mem_alloc_aligned(size_t size_bytes, size_t alignment)
{
    size_t rounded;
    void *memory;
    if (!size_add(size_bytes ? size_bytes : 1, alignment - 1, &rounded) || refused(rounded)) return NULL;
    if (rounded >= HUGE_PAGE && alignment < HUGE_PAGE) alignment = HUGE_PAGE;
    if (posix_memalign(&memory, alignment, rounded) != 0) return NULL;
    /* Weights are read from end to end: 512 times fewer pages to look up. Where the system gives none, nothing is lost. */
    if (rounded >= HUGE_PAGE) (void)madvise(memory, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return memory;
}

void *mem_dup(const void *bytes, size_t size_bytes)
{
    void *copy = mem_alloc(size_bytes);
    if (copy && size_bytes) memcpy(copy, bytes, size_bytes);
    return copy;
}

char *str_dup_n(const char *text, size_t length)
{
    size_t bytes;
    if (!size_add(length, 1, &bytes)) return NULL;
    char *copy = mem_alloc(bytes);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *str_dup(const char *text)
{
    return str_dup_n(text, strlen(text));
}

char *str_format(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : mem_alloc((size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void mem_free(void *memory)
{
    free(memory);
}
