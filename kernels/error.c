/* error.c: fills the fixed-size error of a failing call. Knows no device. */
#include "kernels/error.h"

#include <stdarg.h>
#include <stdio.h>

enum kernels_status kernels_fail(struct kernels_error *error, enum kernels_status status, const char *format, ...)
{
    va_list arguments;

    if (error != NULL) {
        error->code = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}
