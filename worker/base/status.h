/* status.h: how every function of docket says that it failed: a status that tells the caller what to do next, and an
 * error with the stable code, the value and the place. Knows no module. */
#ifndef DOCKET_BASE_STATUS_H
#define DOCKET_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/* Split by what the caller does: retry, refuse, fall back, stop. */
#define STATUS_LIST(X)                                                                                                 \
    X(OK)                                                                                                              \
    X(BAD_INPUT)                                                                                                       \
    X(BAD_CONFIG)                                                                                                      \
    X(NOT_FOUND)                                                                                                       \
    X(IO)                                                                                                              \
    X(NETWORK)                                                                                                         \
    X(TIMEOUT)                                                                                                         \
    X(CANCELLED) X(NO_MEMORY) X(NO_DEVICE_MEMORY) X(REFUSED) X(UNSUPPORTED) X(DEVICE) X(CORRUPT) X(LIMIT) X(INTERNAL)

enum status {
#define X(name) DOCKET_##name,
    STATUS_LIST(X)
#undef X
};

enum error_code {
    CODE_NONE,
#define ERROR_CODE(name, scope, stage, retryable, meaning) CODE_##name,
#include "worker/base/error_codes.def"
#undef ERROR_CODE
    N_ERROR_CODES,
};

enum exit_code {
#define EXIT_CODE(name, number, meaning, action) DOCKET_EXIT_##name = number,
#include "worker/base/exit_codes.def"
#undef EXIT_CODE
};

struct error {
    enum status status;
    enum error_code code; /* CODE_NONE where no answer is made of it */
    char message[512];    /* lower case, one line, value and place, UTF-8 */
};

/* Fills err (NULL is fine) and returns status. The message is cut at a character boundary and holds no control characters. */
enum status fail(struct error *err, enum status status, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " before the message that is there. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *status_name(enum status status);        /* "BAD_INPUT" */
const char *error_code_name(enum error_code code);  /* "job_malformed"; "" for CODE_NONE */
const char *error_code_scope(enum error_code code); /* "document", "job", "model", "queue" */
const char *error_code_stage(enum error_code code);
const char *error_code_meaning(enum error_code code);
bool error_code_retryable(enum error_code code);
enum error_code error_code_by_name(const char *name); /* CODE_NONE if unknown */

/* The exit code that a program ends with after this error (exit_codes.def). */
int exit_code_of(const struct error *err);

#endif
