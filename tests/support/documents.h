/* documents.h: office documents and messages put together by a test, and what a reader makes of bytes. */
#ifndef DOCKET_TESTS_SUPPORT_DOCUMENTS_H
#define DOCKET_TESTS_SUPPORT_DOCUMENTS_H

#include "handlers/documents/extractor.h"
#include "handlers/documents/sandbox.h"
#include "worker/base/buffer.h"

/* A zip of name, text, name, text, ..., NULL. */
void make_zip(struct buffer *out, const char *first, ...) __attribute__((sentinel));
/* The reader's text into `out` (NUL-terminated); facts may be NULL. */
enum status read_as(const char *media_type, const void *bytes, size_t length, struct buffer *out,
                    uint64_t facts[N_EXTRACT_FACTS], struct error *err);

/* One with the usual limits, that answers. */
struct sandbox *open_sandbox(void);

#define W_OPEN                                                                                                         \
    "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" "                            \
    "xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\"><w:body>"
#define W_CLOSE   "</w:body></w:document>"
#define DOCX_TYPE "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
#define XLSX_TYPE "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#define PPTX_TYPE "application/vnd.openxmlformats-officedocument.presentationml.presentation"
#define ODT_TYPE  "application/vnd.oasis.opendocument.text"
#define ODS_TYPE  "application/vnd.oasis.opendocument.spreadsheet"

#endif
