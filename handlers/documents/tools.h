/* tools.h: documents that boxed programs read: which program, and what its output and its exit mean. Runs outside the sandbox. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_TOOLS_H
#define DOCKET_HANDLERS_DOCUMENTS_TOOLS_H

#include "handlers/documents/extract.h"

struct document;
struct document_limits;
struct buffer;

/* Text and facts to `to`, at most limits->max_pages pages; d->pages_left where there are more. Without a sandbox: unsupported_media_type.
 * Otherwise document_encrypted, document_corrupt, document_no_text, what ocr.h says, and what sandbox_run_box says. */
enum status tools_read(const struct document_limits *limits, const char *tool, const struct extract_input *in,
                       struct extract_receiver *to, struct document *d, struct error *err);

/* What this machine lacks, in words that end with what is not read for it; nothing appended: all is there. */
void tools_missing(struct buffer *out, const struct document_limits *limits);

/* pdf.c */
enum status pdf_read(const struct document_limits *limits, const struct extract_input *in, struct extract_receiver *to,
                     struct document *d, struct error *err);

#endif
