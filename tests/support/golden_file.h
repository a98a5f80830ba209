/* golden_file.h: a file of tests/golden, read from its start to its end. */
#ifndef DOCKET_TESTS_SUPPORT_GOLDEN_FILE_H
#define DOCKET_TESTS_SUPPORT_GOLDEN_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka.h"

#define GOLDEN_MOST_BYTES (1u << 20)

struct reader {
    const uint8_t *at, *end;
};

static inline const void *take(struct reader *r, size_t size_bytes)
{
    const uint8_t *from = r->at;

    assert_true((size_t)(r->end - r->at) >= size_bytes);
    r->at += size_bytes;
    return from;
}

static inline uint32_t take_u32(struct reader *r)
{
    uint32_t value;

    memcpy(&value, take(r, sizeof value), sizeof value);
    return value;
}

/* A copy, because the file aligns nothing. */
static inline void *take_copy(struct reader *r, size_t size_bytes)
{
    void *copy = malloc(size_bytes);

    assert_non_null(copy);
    memcpy(copy, take(r, size_bytes), size_bytes);
    return copy;
}

/* name: "nf4/nf4.bin". The caller frees *memory. */
static inline struct reader read_golden(const char *name, void **memory)
{
    static const char *const places[] = {"tests/golden", "../tests/golden"};
    char path[256];
    FILE *file = NULL;
    size_t size = 0;

    for (size_t i = 0; i < 2 && !file; i++) {
        snprintf(path, sizeof path, "%s/%s", places[i], name);
        file = fopen(path, "rb");
    }
    if (!file) fail_msg("tests/golden/%s: not found from the current folder", name);
    *memory = malloc(GOLDEN_MOST_BYTES);
    assert_non_null(*memory);
    size = fread(*memory, 1, GOLDEN_MOST_BYTES, file);
    fclose(file);
    return (struct reader){*memory, (const uint8_t *)*memory + size};
}

#endif
