/* extract_ole.c: OLE2 containers by what is in them: which reader, or why there is none. */
#include "handlers/documents/ole.h"

#include "handlers/documents/mail_text.h"

#include <gsf/gsf-infile-msole.h>
#include <gsf/gsf-input-memory.h>
#include <gsf/gsf-utils.h>

GsfInfile *ole_open(const struct extract_input *in)
{
    GsfInput *input = gsf_input_memory_new(in->bytes, (gsf_off_t)in->length, FALSE);
    GsfInfile *file = input ? gsf_infile_msole_new(input, NULL) : NULL;
    if (input) g_object_unref(input);
    return file;
}

GsfInput *ole_stream(GsfInfile *folder, const char *name)
{
    return gsf_infile_child_by_name(folder, name);
}

enum status ole_read(struct buffer *out, GsfInput *stream, struct error *err)
{
    gsf_off_t left = gsf_input_remaining(stream);
    while (left > 0) {
        size_t n = left < 65536 ? (size_t)left : 65536;
        const guint8 *bytes = gsf_input_read(stream, n, NULL);
        if (!bytes) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a stream is cut short");
        if (!buffer_append(out, bytes, n)) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a stream");
        left -= (gsf_off_t)n;
    }
    return DOCKET_OK;
}

static bool holds(GsfInfile *file, const char *name)
{
    GsfInput *child = gsf_infile_child_by_name(file, name);
    if (child) g_object_unref(child);
    return child != NULL;
}

void ole_prepare(void)
{
    static bool done;
    if (!done) gsf_init();
    done = true;
}

enum status extract_ole(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    enum status st;
    mail_prepare();
    ole_prepare();
    GsfInfile *file = ole_open(in);
    if (!file) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no OLE2 container can be read from it");
    if (holds(file, "EncryptedPackage"))
        st = fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "an office document that needs a password");
    else if (holds(file, "__properties_version1.0"))
        st = ole_read_message(file, in, sink, err);
    else if (holds(file, "WordDocument"))
        st = fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type,
                  "a Word document of before 2007 is not read here");
    else if (holds(file, "Workbook") || holds(file, "Book"))
        st = fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type, "a workbook of before 2007 is not read here");
    else if (holds(file, "PowerPoint Document"))
        st = ole_read_slides(file, in, sink, err);
    else
        st = fail(err, DOCKET_UNSUPPORTED, CODE_document_type_unsupported, "an OLE2 container of an unknown kind");
    g_object_unref(file);
    return st;
}
