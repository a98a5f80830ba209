/* version.h: which docket this is, and with what it was built. */
#ifndef DOCKET_HANDLERS_VERSION_H
#define DOCKET_HANDLERS_VERSION_H

#include "worker/base/buffer.h"

const char *docket_version(void); /* "0.1.0" */
const char *docket_commit(void);

/* "docket 0.1.0 (commit …, compiler …)" and, if verbose, a line for every library. */
void version_write(struct buffer *out, bool verbose);

#endif
