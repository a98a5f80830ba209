/* pdf_signs.h: operators of a PDF's content that may show text which nobody sees. Knows numbers and operators, neither fonts nor letters. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_PDF_SIGNS_H
#define DOCKET_HANDLERS_DOCUMENTS_PDF_SIGNS_H

#include <stdbool.h>
#include <stddef.h>

enum pdf_sign {
    SIGN_NOT_UNDERSTOOD = 1, /* anything may be */
    SIGN_MODE = 2,           /* neither filled nor stroked */
    SIGN_LIGHT = 4,          /* in white or nearly */
    SIGN_SMALL = 8,          /* of less than 2 points */
    SIGN_OUTSIDE = 16,       /* of the page, or of what is clipped to */
    SIGN_COVERED = 32,       /* something is painted over it later */
};

struct pdf_signs {
    unsigned found;
    bool boxed;
    double box[4];   /* what all pages show; points */
    double reach[4]; /* of text that was shown */
    bool reached;
};

/* A page's box: "[0 0 612 792]". Boxes are met: text outside of the smallest is a sign. */
void pdf_signs_box(struct pdf_signs *signs, const char *text, size_t length);
/* One stream of content. */
void pdf_signs_look(struct pdf_signs *signs, const char *content, size_t length);
/* After the last: bits of enum pdf_sign. */
unsigned pdf_signs_end(const struct pdf_signs *signs);

#endif
