/* package.c: libarchive's zip reader, nothing else of it, from memory to memory. Parts that are no XML are passed over unread. */
#include "handlers/documents/package.h"

#include "worker/base/alloc.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <strings.h>

#define MAX_PARTS        10000
#define MAX_XML          (512 * MIB)
#define MAX_RATIO        200
#define MAX_EMPTY_BLOCKS 1000

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcasecmp(name + n - k, end) == 0;
}

static bool is_wanted(const char *name)
{
    return ends_with(name, ".xml") || ends_with(name, ".rels");
}

static uint64_t most_bytes(const struct extract_input *in)
{
    uint64_t most = (uint64_t)in->length * MAX_RATIO + 10 * MIB;
    if (in->max_expanded && in->max_expanded < most) most = in->max_expanded;
    return most < MAX_XML ? most : MAX_XML;
}

static enum status read_part(struct package *package, struct archive *a, struct buffer *out, uint64_t *left,
                             struct error *err)
{
    const void *block;
    size_t size, empty = 0;
    la_int64_t offset;
    for (;;) {
        int result = archive_read_data_block(a, &block, &size, &offset);
        if (result == ARCHIVE_EOF) return DOCKET_OK;
        empty = size ? 0 : empty + 1;
        if (result != ARCHIVE_OK || empty > MAX_EMPTY_BLOCKS) {
            package->damaged = true;
            return DOCKET_OK;
        }
        if (size > *left)
            return fail(err, DOCKET_LIMIT, CODE_document_expands_too_far, "its parts unpack to more than %llu bytes",
                        (unsigned long long)(out->length + *left));
        *left -= size;
        if (!buffer_append(out, block, size))
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to unpack a part");
    }
}

static enum status add_part(struct package *package, struct archive *a, const char *name, uint64_t *left,
                            struct error *err)
{
    if (package->n == package->capacity) {
        size_t capacity = package->capacity ? package->capacity * 2 : 32;
        struct package_part *parts = mem_resize(package->parts, capacity, sizeof(*parts));
        if (!parts) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for parts");
        package->parts = parts;
        package->capacity = capacity;
    }
    while (*name == '/') name++;
    struct package_part *part = &package->parts[package->n];
    *part = (struct package_part){.name = str_dup(name)};
    if (!part->name) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for parts");
    package->n++;
    return read_part(package, a, &part->bytes, left, err);
}

static enum status read_parts(struct package *package, struct archive *a, const struct extract_input *in,
                              struct error *err)
{
    struct archive_entry *entry;
    uint64_t left = most_bytes(in);
    for (size_t n = 0;; n++) {
        int result = archive_read_next_header(a, &entry);
        if (result == ARCHIVE_EOF) return DOCKET_OK;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            package->damaged = true;
            return DOCKET_OK;
        }
        if (n >= MAX_PARTS)
            return fail(err, DOCKET_LIMIT, CODE_archive_too_many_members, "more than %d parts", MAX_PARTS);
        if (archive_entry_is_encrypted(entry)) {
            package->encrypted = true;
            continue;
        }
        const char *name = archive_entry_pathname(entry);
        if (!name || !is_wanted(name) || package_find(package, name)) continue;
        enum status st = add_part(package, a, name, &left, err);
        if (st != DOCKET_OK) return st;
    }
}

/* The record that ends a zip, which only a comment may follow. libarchive also reads zips that were cut before it. */
static bool has_end(const struct extract_input *in)
{
    const char *s = in->bytes;
    const size_t most = 22 + 65535;
    if (in->length < 22) return false;
    for (size_t i = in->length - 22 + 1; i-- > 0 && in->length - i <= most;)
        if (memcmp(s + i, "PK\5\6", 4) == 0) return true;
    return false;
}

enum status package_open(struct package *package, const struct extract_input *in, struct error *err)
{
    struct archive *a = archive_read_new();
    enum status st = DOCKET_OK;
    if (!a) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to open a package");
    archive_read_support_format_zip(a);
    if (archive_read_open_memory(a, in->bytes, in->length) != ARCHIVE_OK)
        package->damaged = true;
    else
        st = read_parts(package, a, in, err);
    archive_read_free(a);
    package->damaged |= !has_end(in);
    if (st == DOCKET_OK && package->n == 0 && package->encrypted)
        st = fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    else if (st == DOCKET_OK && package->n == 0)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no part of it can be read");
    if (st != DOCKET_OK) package_free(package);
    return st;
}

void package_free(struct package *package)
{
    for (size_t i = 0; i < package->n; i++) {
        mem_free(package->parts[i].name);
        buffer_free(&package->parts[i].bytes);
    }
    mem_free(package->parts);
    *package = (struct package){0};
}

const struct package_part *package_find(const struct package *package, const char *name)
{
    while (*name == '/') name++;
    for (size_t i = 0; i < package->n; i++)
        if (strcasecmp(package->parts[i].name, name) == 0) return &package->parts[i];
    return NULL;
}

enum status package_conclude(const struct package *package, struct error *err)
{
    if (!package->damaged) return DOCKET_OK;
    return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short, %zu parts were read", package->n);
}
