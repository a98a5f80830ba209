/* mail_text.h: what the readers of messages have in common. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_MAIL_TEXT_H
#define DOCKET_HANDLERS_DOCUMENTS_MAIL_TEXT_H

#include "handlers/documents/flow.h"

/* Sets GMime and GLib up, once. */
void mail_prepare(void);
/* "Name: value", nothing if there is none. */
void mail_put_header(struct flow *flow, const char *name, const char *value);
/* A body after a free line. DOCKET_OK or NO_MEMORY. */
enum status mail_put_text(struct flow *flow, const void *bytes, size_t length, const char *charset, bool html,
                          bool flowed, struct error *err);

#endif
