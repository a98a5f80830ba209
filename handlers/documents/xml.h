/* xml.h: XML by Expat, for parts of office documents: names with a short prefix of ours, no entities, bounded depth. Opens nothing. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_XML_H
#define DOCKET_HANDLERS_DOCUMENTS_XML_H

#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define XML_MAX_DEPTH 1000

/* Names are "w:p", "text:span" or, for namespaces that no reader asks for, "?:name"; without a namespace "name". Names and texts are
 * borrowed until the function returns. A text may come in pieces, each of whole characters. */
struct xml_walk {
    void (*start)(struct xml_walk *x, const char *name, const char **attributes);
    void (*end)(struct xml_walk *x, const char *name);
    void (*text)(struct xml_walk *x, const char *utf8, size_t length); /* or NULL */
    void *context;
    const char *part; /* for messages */
    /* Set by the walk. */
    void *parser;
    size_t depth;
    enum status st;
    struct error error;
};

/* DOCKET_OK, also after xml_stop; NO_MEMORY; document_corrupt, naming part and line; what xml_fail was given. */
enum status xml_read(struct xml_walk *x, const char *bytes, size_t length, struct error *err);
/* From within: enough read, or an error (take err from `fail` on &x->error). */
void xml_stop(struct xml_walk *x);
void xml_fail(struct xml_walk *x, enum status st);

/* The attribute of that name ("w:val", "r:id", "name"), or NULL. */
const char *xml_attribute(const char **attributes, const char *name);
/* The place of the element's name in the list, or n. */
size_t xml_which(const char *name, const char *const *names, size_t n);
/* A decimal number up to `most`; what is none or larger is `otherwise`. */
size_t xml_number(const char *text, size_t most, size_t otherwise);

#endif
