/* ocr.h: text from images, by programs in boxes, a process a page. Runs outside the sandbox. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_OCR_H
#define DOCKET_HANDLERS_DOCUMENTS_OCR_H

#include "handlers/documents/document.h"
#include "handlers/documents/extract.h"

/* One document's images. The first page that fails is kept; a document fails only if no page gave text. */
struct ocr {
    struct sandbox *sandbox;
    const struct document_limits *limits;
    const struct extract_input *in;
    struct document *document; /* counts and seconds */
    size_t n_failed;
    struct error first;
    bool checked; /* the languages are there */
};

/* The text of page `page`, from 0, of an image; of page `page`, from 1, of a PDF. `out` is emptied first. OK, with nothing in `out` where
 * the page shows nothing; document_too_large, document_corrupt, ocr_timeout, ocr_unavailable and what sandbox_run_box says. */
enum status ocr_image_page(struct ocr *o, size_t page, struct buffer *out, struct error *err);
enum status ocr_pdf_page(struct ocr *o, size_t page, struct buffer *out, struct error *err);

/* All pages of an image to `to`. */
enum status ocr_image(struct sandbox *sandbox, const struct document_limits *limits, const struct extract_input *in,
                      struct extract_receiver *to, struct document *d, struct error *err);

/* The dots of a PGM as pdftoppm writes it, borrowed from `image`; NULL: it is none. */
const unsigned char *ocr_dots_of(const struct buffer *image, size_t *width, size_t *height);

#endif
