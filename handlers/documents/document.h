/* document.h: one document on its way from a source to text. Knows no labels, no model. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_DOCUMENT_H
#define DOCKET_HANDLERS_DOCUMENTS_DOCUMENT_H

#include "handlers/documents/language.h"
#include "worker/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

struct sandbox;

enum ocr_mode { OCR_AUTO, OCR_ALWAYS, OCR_NEVER };

/* Limits on what comes from outside; 0 stands for the number named. */
struct document_limits {
    size_t max_bytes;             /* of one document; 64 MiB */
    size_t max_members;           /* of one archive, with those of archives inside; 10,000 */
    size_t max_depth;             /* archives in archives; 4 */
    uint64_t max_expanded;        /* bytes of all members of one archive; 1 GiB, at most 200 x its own + 10 MiB */
    size_t max_pages;             /* of one document that are read; 500 */
    size_t first_page, last_page; /* read these of a PDF or an image, nothing else; last 0: to the end; first 0: all */
    enum ocr_mode ocr;          /* of pages: where they have no text, all of them, none; images are read unless never */
    const char *ocr_languages;  /* as tesseract names them, "eng+deu"; NULL: eng */
    size_t ocr_max_pages;       /* of one document that are read from their image; 50 */
    double ocr_timeout_seconds; /* a page; 60 */
    size_t max_characters;      /* of text that is of use: no image is read once there is more; 0: all */
    bool legacy_off;            /* Word and workbooks of before 2007 and RTF are not read */
    const char *root;           /* DOCUMENT_ROOT or NULL: paths are refused */
    struct sandbox *sandbox;    /* where bytes are read; NULL: in this process, for tests: no boxed programs then */
};

/* Text of a document, or the error that stands in its place. {0} is valid and freeable. */
struct document {
    char *id;       /* "c" or "c/inner/name.txt" */
    char *filename; /* or NULL; last part of the member's name, cleaned */
    char *text;     /* UTF-8 without NUL and control characters but \n and \t; NULL with an error */
    size_t text_length;
    size_t bytes;                  /* of the file */
    size_t characters;             /* of the text */
    char media_type[96];           /* "text/plain"; "" where it is not known */
    const char *detected_by;       /* "content", "name" or "given" (inline text); NULL where the type is not known */
    char sha256[65];               /* of the file's bytes */
    char language[LANGUAGE_BYTES]; /* of its text, as BCP 47 has it: "de"; "" where it is not known */
    char type_by_name[96];         /* what the name says; "" where it says nothing */
    size_t pages, pages_read;      /* 0: it has none; pages is 0, too, where only pages_read is known */
    bool pages_left;               /* there are more pages than the limit */
    size_t ocr_pages;              /* whose text comes from an image */
    size_t ocr_pages_left, ocr_pages_failed; /* not read from their image: too many; an error that others outlived */
    unsigned pdf_signs;                      /* enum pdf_sign: what has to be looked at again */
    size_t unseen_characters;                /* of the text: nobody sees them on the page */
    size_t layer_characters;   /* of the text: unseen, and beneath them an image that shows words: an earlier OCR */
    size_t beyond_characters;  /* not in the text: beyond the page */
    bool unseen_left;          /* not all pages were looked at for them */
    size_t hidden_characters;  /* zero-width, bidi and tag characters that were taken out */
    size_t control_characters; /* control characters (NUL among them) that were taken out */
    struct error error;        /* code CODE_NONE: none */
    double fetch_seconds, extract_seconds;
    double ocr_seconds; /* not in extract_seconds */
};

struct document_list {
    struct document *items;
    size_t n, capacity;
};

struct job_input;

void document_free(struct document *document);
void document_list_free(struct document_list *list);

/* Appends document i of the input: one document, or the members of an archive in its order. Never fails because of the document
 * itself: that is the document's error. Fails with NO_MEMORY only, and then appends nothing. limits NULL: the defaults.
 *
 * An archive's members have ids "c/inner/name.txt", unique within the archive and against the input's ids; what is wrong with the
 * archive as a whole (damaged, too many members, expands too far, empty) is one more document, last, with the archive's own id.
 * A compressed single file (letter.txt.gz) is one document with the id that it was given. Any thread; nothing is shared. */
enum status documents_read(struct document_list *out, const struct job_input *input, size_t i,
                           const struct document_limits *limits, struct error *err);
/* The same for a document whose bytes were got elsewhere, as those of a URL are. */
struct document_bytes {
    const char *filename; /* or NULL; of no use where the input names one */
    const void *bytes;
    size_t length;
    const struct error *why; /* there are none; or NULL */
    double seconds;          /* that it took to get them */
};
enum status documents_read_got(struct document_list *out, const struct job_input *input, size_t i,
                               const struct document_bytes *got, const struct document_limits *limits,
                               struct error *err);
/* The same for bytes that are there already (the command line); id and filename are copied. */
enum status documents_from_bytes(struct document_list *out, const char *id, const char *filename, const void *bytes,
                                 size_t length, const struct document_limits *limits, struct error *err);

#endif
