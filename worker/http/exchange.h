/* exchange.h: what every exchange through libcurl needs, whoever makes it. Private to worker/http. */
#ifndef DOCKET_HTTP_EXCHANGE_H
#define DOCKET_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

/* Starts the library, once in a process; false: it could not be. Any thread. */
bool http_library_started(void);

/* The value of a header line if it has that name; cut to out. */
bool http_header_value(const char *line, size_t length, const char *name, char *out, size_t out_bytes);

#endif
