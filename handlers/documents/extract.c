/* extract.c: what the bytes are, and which reader gets them. The table of readers is here; it knows no format itself. */
#include "handlers/documents/extract.h"

#include "handlers/documents/extractors.h"
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <iconv.h>
#include <magic.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Beside these, extractors.c has the formats of offices, the web and mail. */
static const struct {
    const char *media_type;
    struct reader reader;
} readers[] = {
    {"text/plain", {extract_text, NULL, false}},
    {"text/markdown", {extract_text, NULL, false}},
    {"text/csv", {extract_text, NULL, false}},
    {"application/json", {extract_text, NULL, false}},
    {"application/xml", {extract_text, NULL, false}},
    {"application/zip", {extract_archive, NULL, true}},
    {"application/x-tar", {extract_archive, NULL, true}},
    {"application/gzip", {extract_archive, NULL, true}},
    {"application/x-bzip2", {extract_archive, NULL, true}},
    {"application/x-xz", {extract_archive, NULL, true}},
    {"application/zstd", {extract_archive, NULL, true}},
    {"application/x-lz4", {extract_archive, NULL, true}},
    {"application/x-7z-compressed", {extract_archive, NULL, true}},
    {"application/vnd.rar", {extract_archive, NULL, true}},
    {"application/pdf", {extract_pdf, "pdftotext", false}},
    {"image/png", {extract_image, "tesseract", false}},
    {"image/jpeg", {extract_image, "tesseract", false}},
    {"image/tiff", {extract_image, "tesseract", false}},
    {"image/webp", {extract_image, "tesseract", false}},
    {"application/msword", {extract_doc, "catdoc", false}},
    {"application/vnd.ms-excel", {extract_xls, "xls2csv", false}},
    {"application/rtf", {extract_rtf, "unrtf", false}},
};

struct reader reader_for(const char *media_type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++)
        if (strcmp(readers[i].media_type, media_type) == 0) return readers[i].reader;
    return (struct reader){.extract = extractor_for(media_type)};
}

/* Types beyond our own table: libmagic's database, and one caller at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static magic_t database;

static iconv_t volatile open_tables[6]; /* else the compiler sees that nobody reads them */

static void prepare(void)
{
    static const char *const charsets[ARRAY_LENGTH(open_tables)] = {"UTF-16", "UTF-16LE", "UTF-16BE",
                                                                    "UTF-32", "CP437",    "WINDOWS-1252"};
    archive_prepare();
    extractors_prepare();
    /* Kept open, so that their tables stay; libraries that read archives convert names with them. */
    for (size_t i = 0; i < ARRAY_LENGTH(charsets); i++) open_tables[i] = iconv_open("UTF-8", charsets[i]);
    database = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_TEXT |
                          MAGIC_NO_CHECK_ENCODING | MAGIC_NO_CHECK_CSV | MAGIC_NO_CHECK_JSON);
    if (database && magic_load(database, NULL) == 0) return;
    if (database) magic_close(database);
    database = NULL;
}

void extract_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

/* Of bytes that our own table does not know and that are no text; type->media_type stays "" where libmagic does not know either. */
static void ask_database(struct extract_type *type, const struct extract_input *in)
{
    static const size_t enough = 256 * KIB;
    pthread_mutex_lock(&lock);
    const char *found = database ? magic_buffer(database, in->bytes, in->length < enough ? in->length : enough) : NULL;
    if (found && strcmp(found, "application/octet-stream") != 0 && strncmp(found, "text/", 5) != 0)
        snprintf(type->media_type, sizeof(type->media_type), "%s", found);
    pthread_mutex_unlock(&lock);
}

/* OLE2 by what is in it, whatever it is called. */
static struct document_type look_into_ole(const struct extract_input *in, struct document_type found)
{
    static const char *const kinds[] = {"application/x-ole-storage", "application/msword", "application/vnd.ms-excel",
                                        "application/vnd.ms-powerpoint", "application/vnd.ms-outlook"};
    for (size_t i = 0; found.media_type && i < ARRAY_LENGTH(kinds); i++) {
        if (strcmp(found.media_type, kinds[i]) != 0) continue;
        const char *inside = legacy_media_type(in);
        if (inside) return (struct document_type){found.kind, inside, "content"};
    }
    return found;
}

static void set_type(struct extract_type *type, const struct document_type *found)
{
    snprintf(type->media_type, sizeof(type->media_type), "%s", found->media_type);
    type->from_content = strcmp(found->detected_by, "content") == 0;
}

static enum status refuse(const struct extract_type *type, enum document_kind kind, struct error *err)
{
    if (kind == KIND_LATER)
        return fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type, "%s is not read by this version",
                    type->media_type);
    if (type->media_type[0])
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_type_unsupported, "%s is not read", type->media_type);
    return fail(err, DOCKET_UNSUPPORTED, CODE_document_type_unsupported,
                "neither text nor a kind of file that is known");
}

/* Of bytes without a magic number: what their beginning says. */
static enum status look_at_text(struct document_type *found, const struct extract_input *in, struct error *err)
{
    struct text_cleaner k = {0};
    if (found->kind != KIND_TEXT) return DOCKET_OK;
    bool text = text_look(&k, in->bytes, in->length);
    bool failed = k.out.failed;
    if (text && k.visible) *found = sniff_text(k.out.data, k.out.length, in->filename);
    text_cleaner_free(&k);
    if (failed) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to look at a text");
    if (!text) *found = (struct document_type){KIND_UNREAD, NULL, NULL};
    return DOCKET_OK;
}

static void begin_type(struct extract_type *type, const struct extract_input *in)
{
    const char *by_name = sniff_name(in->filename);
    *type = (struct extract_type){.from_content = true};
    if (by_name) snprintf(type->by_name, sizeof(type->by_name), "%s", by_name);
}

enum status extract_light(const struct extract_input *in, struct extract_receiver *to, bool *light, struct error *err)
{
    struct extract_type type;
    struct document_type found = sniff_bytes(in->bytes, in->length, in->filename);
    struct extract_input typed = *in;
    size_t bad;
    const bool pdf = sniff_is_pdf(in->bytes, in->length);
    *light = pdf || (found.kind == KIND_TEXT && utf8_valid(in->bytes, in->length, &bad));
    if (!*light) return DOCKET_OK;
    enum status st = look_at_text(&found, in, err);
    if (st != DOCKET_OK) return st;
    extractor *extract = found.media_type ? reader_for(found.media_type).extract : NULL;
    *light = extract && (pdf || extract == extract_text);
    if (!*light) return DOCKET_OK;
    begin_type(&type, in);
    set_type(&type, &found);
    typed.media_type = type.media_type;
    return to->type(to, &type) ? extract(&typed, &to->sink, err) : DOCKET_OK;
}

enum status extract_document(const struct extract_input *in, struct extract_receiver *to, struct error *err)
{
    struct extract_type type;
    struct document_type found = sniff_bytes(in->bytes, in->length, in->filename);
    struct extract_input typed = *in;
    extract_prepare();
    begin_type(&type, in);
    enum status st = look_at_text(&found, in, err);
    if (st != DOCKET_OK) return st;
    found = look_into_ole(in, found);
    if (found.media_type)
        set_type(&type, &found);
    else
        ask_database(&type, in);
    if (!to->type(to, &type)) return DOCKET_OK;
    const struct reader reader = reader_for(type.media_type);
    if (!reader.extract && !reader.tool) return refuse(&type, found.kind, err);
    typed.media_type = type.media_type;
    return reader.extract ? reader.extract(&typed, &to->sink, err) : DOCKET_OK;
}
