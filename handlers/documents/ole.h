/* ole.h: OLE2 containers by libgsf, for the readers of what is in them. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_OLE_H
#define DOCKET_HANDLERS_DOCUMENTS_OLE_H

#include "handlers/documents/extractors.h"
#include "worker/base/buffer.h"

#include <gsf/gsf-infile.h>

void ole_prepare(void);
GsfInfile *ole_open(const struct extract_input *in);                           /* NULL: damaged. The caller unrefs. */
GsfInput *ole_stream(GsfInfile *folder, const char *name);                     /* NULL: none. The caller unrefs. */
enum status ole_read(struct buffer *out, GsfInput *stream, struct error *err); /* OK, document_corrupt, NO_MEMORY */

/* extract_msg.c, extract_ppt.c */
enum status ole_read_message(GsfInfile *file, const struct extract_input *in, struct extract_sink *sink,
                             struct error *err);
enum status ole_read_slides(GsfInfile *file, const struct extract_input *in, struct extract_sink *sink,
                            struct error *err);

#endif
