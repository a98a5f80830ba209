/* document.c: from a source to the documents that it holds: where bytes come from, limits and their defaults. */
#include "handlers/documents/document.h"

#include "handlers/documents/readers.h"
#include "handlers/job_input.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"

#include <stdio.h>
#include <string.h>

#define MAX_BYTES    (64 * MIB)
#define MAX_MEMBERS  10000
#define MAX_DEPTH    4
#define MAX_EXPANDED GIB
#define MAX_PAGES    500
#define OCR_PAGES    50
#define OCR_SECONDS  60

void document_free(struct document *document)
{
    mem_free(document->id);
    mem_free(document->filename);
    mem_free(document->text);
    *document = (struct document){0};
}

static void drop_from(struct document_list *list, size_t n)
{
    while (list->n > n) document_free(&list->items[--list->n]);
}

void document_list_free(struct document_list *list)
{
    drop_from(list, 0);
    mem_free(list->items);
    *list = (struct document_list){0};
}

const char *document_shown(const struct document *document)
{
    return document->filename ? document->filename : document->id;
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a document");
}

enum status document_start(struct document *d, const char *id, const char *filename, struct error *err)
{
    d->id = str_dup(id);
    char *clean = filename ? name_clean(filename, strlen(filename)) : NULL;
    d->filename = clean ? str_dup(name_last_part(clean)) : NULL;
    mem_free(clean);
    return !d->id || (filename && !d->filename) ? no_memory(err) : DOCKET_OK;
}

enum status document_append(struct document_list *list, struct document *d, struct error *err)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct document *items = mem_resize(list->items, capacity, sizeof(*items));
        if (!items) return no_memory(err);
        list->items = items;
        list->capacity = capacity;
    }
    MOVE(list->items[list->n], *d);
    list->n++;
    return DOCKET_OK;
}

enum status reading_add_error(struct reading *r, const char *id, const char *filename, const struct error *why,
                              struct error *err)
{
    struct document d = {.error = *why};
    enum status st = document_start(&d, id, filename, err);
    if (st == DOCKET_OK) st = document_append(r->out, &d, err);
    document_free(&d);
    return st;
}

/* Text that stands in the job: nothing to find out about it. */
static enum status add_text(struct reading *r, const struct document_input *in, struct error *err)
{
    struct document d = {.bytes = in->content_length, .control_characters = in->nul_dropped};
    struct text_cleaner k = {0};
    uint64_t start = clock_now_ns();
    enum status st = document_start(&d, in->id, in->filename, err);
    if (st != DOCKET_OK) goto done;
    snprintf(d.media_type, sizeof(d.media_type), "text/plain");
    d.detected_by = "given";
    sha256_hex(in->content, in->content_length, d.sha256);
    if (in->content_length > r->limits.max_bytes)
        fail(&d.error, DOCKET_LIMIT, CODE_document_too_large, "%s: %zu bytes, at most %zu are read", document_shown(&d),
             in->content_length, r->limits.max_bytes);
    else if (r->limits.first_page)
        fail(&d.error, DOCKET_BAD_INPUT, CODE_document_source_invalid, "%s: pages: told apart in PDF and images only",
             document_shown(&d));
    else {
        text_clean(&k, in->content, in->content_length);
        st = text_finish(&d, &k, err);
    }
    if (st != DOCKET_OK) goto done;
    d.extract_seconds = clock_seconds_since(start);
    st = document_append(r->out, &d, err);
done:
    text_cleaner_free(&k);
    document_free(&d);
    return st;
}

/* base64 and paths: the bytes, or `why` there are none. URLs are fetched by reader.c. */
static enum status fetch(struct buffer *bytes, const struct reading *r, const struct document_input *in,
                         struct error *why)
{
    if (in->kind == SOURCE_URL)
        return fail(why, DOCKET_UNSUPPORTED, CODE_document_source_invalid, "URLs are not fetched here");
    if (in->kind == SOURCE_PATH) return source_read_path(bytes, r->limits.root, in->content, r->limits.max_bytes, why);
    if (in->content_length / 4 * 3 <= r->limits.max_bytes * 2) /* twice: white space may be half of it */
        return base64_decode(bytes, in->content, in->content_length, why);
    return fail(why, DOCKET_LIMIT, CODE_document_too_large, "%zu bytes of base64, at most %zu bytes are read",
                in->content_length, r->limits.max_bytes);
}

/* documents[3].url, or the line of a list that it stands in. */
static void name_source(struct error *why, const struct document_input *in, size_t i)
{
    static const char *const keys[] = {
        [SOURCE_TEXT] = "text", [SOURCE_URL] = "url", [SOURCE_BASE64] = "content_base64", [SOURCE_PATH] = "path"};
    if (in->line)
        error_prefix(why, "documents_url line %zu: %s", in->line, keys[in->kind]);
    else
        error_prefix(why, "documents[%zu].%s", i, keys[in->kind]);
}

static enum status add_got(struct reading *r, const struct document_input *in, size_t i,
                           const struct document_bytes *got, struct error *err)
{
    const size_t before = r->out->n;
    const char *filename = in->filename ? in->filename : got->filename;
    enum status st;
    if (got->why) {
        struct error why = *got->why;
        name_source(&why, in, i);
        st = reading_add_error(r, in->id, filename, &why, err);
    } else
        st = reading_add_bytes(r, in->id, filename, got->bytes, got->length, 0, err);
    if (st == DOCKET_OK && r->out->n > before) r->out->items[before].fetch_seconds = got->seconds;
    return st;
}

static enum status add_fetched(struct reading *r, const struct document_input *in, size_t i, struct error *err)
{
    struct buffer bytes = {0};
    struct error why = {0};
    uint64_t start = clock_now_ns();
    enum status st = fetch(&bytes, r, in, &why);
    const struct document_bytes got = {.filename = in->kind == SOURCE_PATH ? in->content : NULL,
                                       .bytes = bytes.data,
                                       .length = bytes.length,
                                       .why = st != DOCKET_OK ? &why : NULL,
                                       .seconds = clock_seconds_since(start)};
    st = st == DOCKET_NO_MEMORY ? no_memory(err) : add_got(r, in, i, &got, err);
    buffer_free(&bytes);
    return st;
}

static void start_reading(struct reading *r, struct document_list *out, const struct document_limits *limits)
{
    *r = (struct reading){.out = out};
    if (limits) r->limits = *limits;
    if (r->limits.max_bytes == 0) r->limits.max_bytes = MAX_BYTES;
    if (r->limits.max_members == 0) r->limits.max_members = MAX_MEMBERS;
    if (r->limits.max_depth == 0) r->limits.max_depth = MAX_DEPTH;
    if (r->limits.max_expanded == 0) r->limits.max_expanded = MAX_EXPANDED;
    if (r->limits.max_pages == 0) r->limits.max_pages = MAX_PAGES;
    if (r->limits.ocr_max_pages == 0) r->limits.ocr_max_pages = OCR_PAGES;
    if (!(r->limits.ocr_timeout_seconds > 0)) r->limits.ocr_timeout_seconds = OCR_SECONDS;
}

static enum status read_input(struct document_list *out, const struct job_input *input, size_t i,
                              const struct document_bytes *got, const struct document_limits *limits, struct error *err)
{
    const struct document_input *in = &input->documents[i];
    const size_t before = out->n;
    struct reading r;
    enum status st;
    start_reading(&r, out, limits);
    r.input = input;
    r.limits.first_page = in->first_page;
    r.limits.last_page = in->last_page;
    if (in->ocr_languages) r.limits.ocr_languages = in->ocr_languages;
    if (in->kind == SOURCE_INVALID)
        st = reading_add_error(&r, in->id, in->filename, &in->error, err);
    else if (got)
        st = add_got(&r, in, i, got, err);
    else if (in->kind == SOURCE_TEXT)
        st = add_text(&r, in, err);
    else
        st = add_fetched(&r, in, i, err);
    if (st != DOCKET_OK) drop_from(out, before);
    name_set_free(&r.names);
    return st;
}

enum status documents_read(struct document_list *out, const struct job_input *input, size_t i,
                           const struct document_limits *limits, struct error *err)
{
    return read_input(out, input, i, NULL, limits, err);
}

enum status documents_read_got(struct document_list *out, const struct job_input *input, size_t i,
                               const struct document_bytes *got, const struct document_limits *limits,
                               struct error *err)
{
    return read_input(out, input, i, got, limits, err);
}

enum status documents_from_bytes(struct document_list *out, const char *id, const char *filename, const void *bytes,
                                 size_t length, const struct document_limits *limits, struct error *err)
{
    const size_t before = out->n;
    struct reading r;
    start_reading(&r, out, limits);
    enum status st = reading_add_bytes(&r, id, filename, bytes, length, 0, err);
    if (st != DOCKET_OK) drop_from(out, before);
    name_set_free(&r.names);
    return st;
}
