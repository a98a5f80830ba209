/* extract_legacy.c: Word documents and workbooks of before 2007, and RTF, before a boxed program reads them: what they are by content, and
 * whether a password is needed. Knows nothing of their text. */
#include "handlers/documents/extract.h"

#include "handlers/documents/ole.h"

#include <string.h>

static bool holds(GsfInfile *file, const char *name)
{
    GsfInput *child = ole_stream(file, name);
    if (child) g_object_unref(child);
    return child != NULL;
}

const char *legacy_media_type(const struct extract_input *in)
{
    const char *found = NULL;
    ole_prepare();
    GsfInfile *file = ole_open(in);
    if (!file) return NULL;
    if (holds(file, "EncryptedPackage") || holds(file, "__properties_version1.0"))
        found = NULL;
    else if (holds(file, "WordDocument"))
        found = "application/msword";
    else if (holds(file, "Workbook") || holds(file, "Book"))
        found = "application/vnd.ms-excel";
    g_object_unref(file);
    return found;
}

/* A stream of the container; empty where there is none of the name. */
static enum status read_stream(const struct extract_input *in, const char *const *names, struct buffer *out,
                               struct error *err)
{
    enum status st = DOCKET_OK;
    ole_prepare();
    GsfInfile *file = ole_open(in);
    if (!file) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no OLE2 container can be read from it");
    GsfInput *stream = NULL;
    for (; *names && !stream; names++) stream = ole_stream(file, *names);
    if (stream) st = ole_read(out, stream, err);
    if (stream) g_object_unref(stream);
    g_object_unref(file);
    return st;
}

static enum status encrypted(struct error *err)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
}

enum status extract_doc(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    static const char *const names[] = {"WordDocument", NULL};
    struct buffer stream = {0};
    (void)sink;
    enum status st = read_stream(in, names, &stream, err);
    if (st == DOCKET_OK && stream.length < 12)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "its Word document is cut short or not there");
    if (st == DOCKET_OK && (stream.data[11] & 1)) st = encrypted(err); /* fEncrypted of the file's information block */
    buffer_free(&stream);
    return st;
}

/* Records of the workbook's globals, which end with 0x0a, up to FILEPASS. */
enum status extract_xls(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    static const char *const names[] = {"Workbook", "Book", NULL};
    struct buffer stream = {0};
    (void)sink;
    enum status st = read_stream(in, names, &stream, err);
    if (st == DOCKET_OK && stream.length < 4)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "its workbook is cut short or not there");
    const unsigned char *s = (const unsigned char *)stream.data;
    for (size_t at = 0; st == DOCKET_OK && at + 4 <= stream.length;) {
        unsigned kind = s[at] | (unsigned)s[at + 1] << 8;
        if (kind == 0x2f) st = encrypted(err);
        if (kind == 0x0a) break;
        at += 4 + (s[at + 2] | (size_t)s[at + 3] << 8);
    }
    buffer_free(&stream);
    return st;
}

/* Groups in groups: what reads them takes a frame of its stack for each. */
enum status extract_rtf(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    enum { MOST = 500 };
    const char *s = in->bytes;
    size_t depth = 0;
    (void)sink;
    for (size_t i = 0; i < in->length; i++) {
        if (s[i] == '\\')
            i++;
        else if (s[i] == '{' && ++depth > MOST)
            return fail(err, DOCKET_LIMIT, CODE_document_too_complex, "more than %d groups in one another at byte %zu",
                        MOST, i);
        else if (s[i] == '}' && depth > 0)
            depth--;
    }
    return DOCKET_OK;
}
