/* html.h: web pages for the readers that find one inside of something else. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_HTML_H
#define DOCKET_HANDLERS_DOCUMENTS_HTML_H

#include "handlers/documents/flow.h"

/* Appends the page's text. `label`: its charset as something outside of it says, or NULL. DOCKET_OK or NO_MEMORY. */
enum status html_read(struct flow *flow, const void *bytes, size_t length, const char *label, struct error *err);
/* html_guard.c: UTF-8 → the same page, bounded for the tree builder: few attributes, shallow, no scripts, styles and comments. */
enum status html_guard(struct buffer *out, const char *utf8, size_t length, struct error *err);

#endif
