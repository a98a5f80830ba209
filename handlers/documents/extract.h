/* extract.h: a document's bytes → its type, and through the reader for that type its text and parts. Runs in the sandbox's child; what
 * receives it runs outside. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_EXTRACT_H
#define DOCKET_HANDLERS_DOCUMENTS_EXTRACT_H

#include "handlers/documents/extractor.h"

#define MEDIA_TYPE_BYTES 96

struct extract_type {
    char media_type[MEDIA_TYPE_BYTES]; /* "": not known */
    char by_name[MEDIA_TYPE_BYTES];    /* what the name says, or "" */
    bool from_content;                 /* or from the name */
};

/* A sink that is told the type first, before anything else and at most once. */
struct extract_receiver {
    struct extract_sink sink;
    bool (*type)(struct extract_receiver *to, const struct extract_type *type); /* false: as in the sink */
    bool (*again)(
        struct extract_receiver *to); /* a second try begins: forget what came; NULL or false: there is none */
};

/* How a media type is read. All empty: not at all. */
struct reader {
    extractor *extract; /* or NULL */
    const char
        *tool;    /* a boxed program that reads it once `extract` has found nothing against it, see tools.h; or NULL */
    bool archive; /* its parts stand for it */
};
struct reader reader_for(const char *media_type);

/* Loads what libraries would load from files while they read: tables of charsets, the database of types. Once, before any filter; without
 * it extract_document calls it. */
void extract_prepare(void);
/* Type, then the reader. media_type of `in` is not looked at. Errors as an extractor's. */
enum status extract_document(const struct extract_input *in, struct extract_receiver *to, struct error *err);

/* As extract_document, if that takes no library and no table: plain text in UTF-8, the look at a PDF. Otherwise *light is false, and nothing was said. */
enum status extract_light(const struct extract_input *in, struct extract_receiver *to, bool *light, struct error *err);

/* Readers of this folder that extract.c knows. */
extractor extract_text, extract_archive;
/* What a boxed program reads: these only look whether it should. */
extractor extract_image, extract_doc, extract_xls, extract_rtf, extract_pdf;
/* What an OLE2 container is, where it is one of the two that extract_legacy.c knows; NULL: something else, or damaged. */
const char *legacy_media_type(const struct extract_input *in);
void archive_prepare(void);

#endif
