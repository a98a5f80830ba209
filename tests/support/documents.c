/* documents.c: zips through libarchive's writer. */
#include "tests/support/documents.h"

#include "handlers/documents/extractors.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_sink.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static la_ssize_t take(struct archive *a, void *context, const void *bytes, size_t length)
{
    (void)a;
    return buffer_append(context, bytes, length) ? (la_ssize_t)length : -1;
}

void make_zip(struct buffer *out, const char *first, ...)
{
    struct archive *a = archive_write_new();
    va_list list;
    archive_write_set_format_zip(a);
    archive_write_set_bytes_in_last_block(a, 1);
    if (archive_write_open(a, out, NULL, take, NULL) != ARCHIVE_OK) abort();
    va_start(list, first);
    for (const char *name = first; name; name = va_arg(list, const char *)) {
        const char *text = va_arg(list, const char *);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)strlen(text));
        if (archive_write_header(a, entry) != ARCHIVE_OK) abort();
        archive_write_data(a, text, strlen(text));
        archive_entry_free(entry);
    }
    va_end(list);
    archive_write_close(a);
    archive_write_free(a);
}

enum status read_as(const char *media_type, const void *bytes, size_t length, struct buffer *out,
                    uint64_t facts[N_EXTRACT_FACTS], struct error *err)
{
    struct memory_sink m;
    const struct extract_input in = {.bytes = bytes, .length = length, .media_type = media_type};
    memory_sink_init(&m);
    enum status st = extractor_for(media_type)(&in, &m.sink, err);
    buffer_append(out, m.text.data ? m.text.data : "", m.text.length);
    for (size_t i = 0; i < m.n_parts && i < MEMORY_SINK_PARTS; i++)
        buffer_printf(out, "[%s: %zu]\n", m.parts[i].name.data, m.parts[i].bytes.length);
    if (m.n_parts > MEMORY_SINK_PARTS) buffer_printf(out, "[%zu parts]\n", m.n_parts);
    if (facts) memcpy(facts, m.facts, sizeof(m.facts));
    memory_sink_free(&m);
    return st;
}

struct sandbox *open_sandbox(void)
{
    struct sandbox *s = NULL;
    struct sandbox_facts facts;
    struct error err = {0};
    assert_int_equal(sandbox_open(&s, NULL, &err), DOCKET_OK);
    if (sandbox_ready(s, &facts, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return s;
}
