/* rtf_packed.h: the compressed RTF of Outlook messages. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_RTF_PACKED_H
#define DOCKET_HANDLERS_DOCUMENTS_RTF_PACKED_H

#include "worker/base/buffer.h"

/* DOCKET_OK, document_corrupt, document_expands_too_far, NO_MEMORY. */
enum status rtf_unpack(struct buffer *out, const void *bytes, size_t length, struct error *err);

#endif
