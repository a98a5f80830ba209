/* tools.h: documents that boxed programs read: which program, and what its output and its exit mean. Runs outside the sandbox. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_TOOLS_H
#define DOCKET_HANDLERS_DOCUMENTS_TOOLS_H

#include "handlers/documents/extract.h"

struct document;
struct sandbox;

/* Text and facts to `to`, at most max_pages pages; d->pages_left where there are more. sandbox NULL: unsupported_media_type. Otherwise
 * document_encrypted, document_corrupt, and what sandbox_run_box says. */
enum status tools_read(struct sandbox *sandbox, const char *tool, const struct extract_input *in, size_t max_pages,
                       struct extract_receiver *to, struct document *d, struct error *err);

#endif
