/* language.h: in which language a text is written. Knows characters and the n-gram models that Debian's libexttextcat-data brings. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_LANGUAGE_H
#define DOCKET_HANDLERS_DOCUMENTS_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

#define LANGUAGE_BYTES 8

/* The tag of BCP 47 ("de", "zh"), or "" where the text is too short, mixed, no language that is known, or between two. UTF-8. Allocates
 * nothing. Any thread; the first call loads the models. */
void language_of(const char *utf8, size_t length, char out[LANGUAGE_BYTES]);
/* Whether there are models. Without them only languages that have a script of their own are found. */
bool language_ready(void);

#endif
