/* extractor.h: how a format's reader works: a document's bytes in, its text and the documents inside it out, piece by piece. Readers run
 * in the sandbox's child, one document each, and hold nothing but what they are given. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_EXTRACTOR_H
#define DOCKET_HANDLERS_DOCUMENTS_EXTRACTOR_H

#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extract_input {
    const void *bytes;
    size_t length;
    const char *filename;   /* or NULL */
    const char *media_type; /* as found; never NULL */
    size_t max_characters;  /* of text that is of use; 0: all */
    size_t max_members;     /* documents inside; 0: 10,000 */
    size_t max_part_bytes;  /* of one document inside, more are counted and dropped; 0: all */
    uint64_t max_expanded;  /* bytes that anything compressed may unpack to; 0: 1 GiB */
};

enum extract_fact {
    FACT_PAGES,               /* pages, slides or sheets */
    FACT_PAGES_SKIPPED,       /* not read, because the text was enough or could not be had */
    FACT_OCR_PAGES,           /* whose text comes from an image */
    FACT_LINKS_SKIPPED,       /* links, devices and such in an archive */
    FACT_ENCODING_FOUND,      /* 1: the charset was guessed from the bytes */
    FACT_HIDDEN_CHARACTERS,   /* of text that a reader of the document would not see, left out */
    FACT_REPLACED_CHARACTERS, /* that could not be converted to UTF-8 */
    FACT_EXPANDED_BYTES,      /* unpacked so far, with what was dropped; may be said again with a larger number */
    FACT_FOLDERS,             /* in an archive; as above */
    FACT_PDF_SIGNS,           /* bits of enum pdf_sign: that it may have text which nobody sees */
    N_EXTRACT_FACTS,
};

/* Where results go. Text is UTF-8 (what is not is replaced by the receiver), lines end with \n, a page with \f, cells of a row are
 * separated by \t. A function that answers false wants no more: the reader returns DOCKET_OK at once. Between part_begin and part_end only
 * part_bytes is called: a part is a document of its own (member, attachment, nested message), named as its container names it; without a
 * name (NULL) it is the document itself, unpacked. A reader that fails inside a part returns its error without part_end. */
struct extract_sink {
    bool (*text)(struct extract_sink *sink, const char *utf8, size_t length);
    bool (*part_begin)(struct extract_sink *sink, const char *name, size_t name_length);
    bool (*part_bytes)(struct extract_sink *sink, const void *bytes, size_t length);
    bool (*part_end)(struct extract_sink *sink, const struct error *why); /* why it could not be read, or NULL */
    void (*fact)(struct extract_sink *sink, enum extract_fact fact, uint64_t value);
};

/* DOCKET_OK; NO_MEMORY; or the document's error: document_corrupt, document_encrypted, document_too_complex, … whose message says what and
 * where, never with text of the document or of a library. What was given to the sink before an error stands. */
typedef enum status extractor(const struct extract_input *in, struct extract_sink *sink, struct error *err);

#endif
