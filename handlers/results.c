/* results.c: results as JSON lines, packed, and put where the job wants them. */
#include "handlers/results.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define MAX_RESULTS GIB /* of lines, before they are packed */

static la_ssize_t take(struct archive *a, void *context, const void *bytes, size_t length)
{
    (void)a;
    return buffer_append(context, bytes, length) ? (la_ssize_t)length : -1;
}

/* One stream: the raw format is no container. */
static bool pack(struct buffer *out, const void *bytes, size_t length, enum output_packing packing)
{
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    bool good = a && entry && archive_write_set_format_raw(a) == ARCHIVE_OK;
    if (good && packing == OUTPUT_GZIP)
        good = archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
               archive_write_set_filter_option(a, "gzip", "timestamp", NULL) == ARCHIVE_OK;
    else if (good)
        good = archive_write_add_filter_zstd(a) == ARCHIVE_OK;
    if (good) {
        archive_write_set_bytes_in_last_block(a, 1);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)length);
        good =
            archive_write_open(a, out, NULL, take, NULL) == ARCHIVE_OK && archive_write_header(a, entry) == ARCHIVE_OK;
    }
    for (size_t at = 0; good && at < length;) {
        la_ssize_t n = archive_write_data(a, (const char *)bytes + at, length - at);
        if (n <= 0)
            good = false;
        else
            at += (size_t)n;
    }
    if (a && archive_write_close(a) != ARCHIVE_OK) good = false;
    archive_entry_free(entry);
    if (a) archive_write_free(a);
    return good;
}

enum status results_pack(struct buffer *out, const void *bytes, size_t length, enum output_packing packing,
                         struct error *err)
{
    bool good = packing == OUTPUT_PLAIN ? buffer_append(out, bytes, length) : pack(out, bytes, length, packing);
    enum status st = buffer_check(out, "the results", err);
    if (st != DOCKET_OK || good) return st;
    return fail(err, DOCKET_NO_MEMORY, CODE_internal_error, "the results could not be packed");
}

static void digest_place(struct results_place *place, const struct report *report, const struct buffer *packed,
                         const char *url)
{
    place->url = str_dup_n(url, strcspn(url, "?#"));
    place->bytes = packed->length;
    place->count = report->n_outcomes;
    sha256_hex(packed->length ? packed->data : "", packed->length, place->sha256);
}

void results_place_free(struct results_place *place)
{
    mem_free(place->url);
    *place = (struct results_place){0};
}

enum status results_check(const struct job_output *output, const struct reader *reader, struct error *err)
{
    struct error why = {0};
    if (!output->url || reader_allows_url(reader, output->url, &why) == DOCKET_OK) return DOCKET_OK;
    return fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "output.url: %s: %.300s", error_code_name(why.code),
                why.message);
}

static enum status pack_lines(struct buffer *packed, const struct report *report, const struct job_output *output,
                              struct error *err)
{
    struct buffer lines = {0};
    buffer_init(&lines, MAX_RESULTS);
    enum status st = report_write_lines(&lines, report, err);
    if (st == DOCKET_OK && (st = buffer_check(&lines, "the results", err)) == DOCKET_OK)
        st = results_pack(packed, lines.length ? lines.data : "", lines.length, output->packing, err);
    buffer_free(&lines);
    return st;
}

enum status results_keep(const struct report *report, const struct job_output *output,
                         const struct job_services *services, char **kept, struct error *err)
{
    static const char *const endings[] = {[OUTPUT_PLAIN] = "", [OUTPUT_GZIP] = ".gz", [OUTPUT_ZSTD] = ".zst"};
    struct buffer packed = {0};
    struct report full = *report;
    char name[KEPT_NAME_BYTES];
    full.compact = false;
    if (!services->results_keep) return DOCKET_OK;
    enum status st = pack_lines(&packed, &full, output, err);
    if (st == DOCKET_OK && services->results_keep(services->context, packed.data ? packed.data : "", packed.length,
                                                  endings[output->packing], name)) {
        *kept =
            str_format("results_kept: the worker keeps all %zu results as %s of its spool", report->n_outcomes, name);
        if (!*kept) st = fail(err, DOCKET_NO_MEMORY, CODE_internal_error, "no memory for the answer");
    }
    buffer_free(&packed);
    return st;
}

enum status results_deliver(const struct report *report, const struct job_output *output, struct reader *reader,
                            const atomic_bool *stop, struct results_place *place, char **warning, struct error *err)
{
    static const char *const encodings[] = {[OUTPUT_PLAIN] = NULL, [OUTPUT_GZIP] = "gzip", [OUTPUT_ZSTD] = "zstd"};
    struct buffer packed = {0};
    struct error why = {0};
    enum status st = pack_lines(&packed, report, output, err);
    if (st == DOCKET_OK) {
        const struct upload_request request = {.url = output->url,
                                               .bytes = packed.length ? packed.data : "",
                                               .length = packed.length,
                                               .content_type = "application/jsonl",
                                               .content_encoding = encodings[output->packing],
                                               .stop = stop};
        st = reader_upload(reader, &request, &why);
        if (st == DOCKET_CANCELLED)
            st = fail(err, st, CODE_document_not_reached, "the job was stopped");
        else if (st == DOCKET_NO_MEMORY)
            st = fail(err, st, CODE_internal_error, "%s", why.message);
        else if (st != DOCKET_OK) {
            *warning = str_format("output_failed: %s: %s", error_code_name(why.code), why.message);
            st = DOCKET_OK;
        } else
            digest_place(place, report, &packed, output->url);
    }
    buffer_free(&packed);
    return st;
}
