/* error.h: how a call inside kernels/ fails: one line that returns the status and says why. */
#ifndef DOCKET_KERNELS_ERROR_H
#define DOCKET_KERNELS_ERROR_H

#include "kernels/kernels.h"

/* error may be NULL. Returns status. */
enum kernels_status kernels_fail(struct kernels_error *error, enum kernels_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
