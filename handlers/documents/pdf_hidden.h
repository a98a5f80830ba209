/* pdf_hidden.h: text of a PDF that nobody sees: how much there is of it, by poppler's word and by what the page shows. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_PDF_HIDDEN_H
#define DOCKET_HANDLERS_DOCUMENTS_PDF_HIDDEN_H

#include "handlers/documents/document.h"
#include "handlers/documents/extractor.h"

/* Sets unseen_characters, layer_characters, beyond_characters and unseen_left of `d`, whose pages first to last were read, by what
 * d->pdf_signs call for; a look that fails is unseen_left. Fails with NO_MEMORY only. */
enum status pdf_look_for_hidden(const struct document_limits *limits, const struct extract_input *in, size_t first,
                                size_t last, struct document *d, struct error *err);

/* One piece of text as pdftohtml says it. Pixels of 108 to the inch. */
struct pdf_piece {
    size_t page; /* from 0 */
    double left, top, width, height;
    double points; /* its size */
    unsigned char gray;
    size_t characters; /* but white space */
};
struct pdf_pieces {
    struct pdf_piece *items;
    size_t n, capacity;
    double *widths, *heights; /* [n_pages] */
    size_t n_pages;           /* of which something is said */
};
/* The output of pdftohtml -xml. What it says of more than max_pages is left. NO_MEMORY. */
enum status pdf_pieces_parse(struct pdf_pieces *out, const char *text, size_t length, size_t max_pages,
                             struct error *err);
void pdf_pieces_free(struct pdf_pieces *pieces);

#endif
