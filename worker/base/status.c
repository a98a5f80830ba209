/* status.c: names and facts of statuses and error codes, and the one way to fill an error. */
#include "worker/base/status.h"

#include "worker/base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
#define X(name) #name,
    STATUS_LIST(X)
#undef X
};

static const struct {
    const char *name, *scope, *stage, *meaning;
    bool retryable;
} codes[] = {
    {"", "", "", "", false},
#define ERROR_CODE(name, scope, stage, retryable, meaning) {#name, scope, stage, meaning, retryable},
#include "worker/base/error_codes.def"
#undef ERROR_CODE
};

/* Controls, and the marks that turn the direction of text round. */
static bool unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* One line of UTF-8: controls become spaces, bytes that are no UTF-8 question marks. With `cut` the end of the array may have
 * cut a character, whose rest is dropped. */
static void tidy(char *text, bool cut)
{
    size_t length = strlen(text), at = 0, out = 0;
    if (cut) {
        size_t start = length;
        while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
        uint32_t code_point;
        if (start > 0 && (unsigned char)text[start - 1] >= 0xc0 &&
            utf8_next(text + start - 1, length - start + 1, &code_point) != length - start + 1)
            length = start - 1;
    }
    while (at < length) {
        uint32_t code_point;
        size_t n = utf8_next(text + at, length - at, &code_point);
        if (n == 0) {
            at++;
            text[out++] = '?';
            continue;
        }
        if (unprintable(code_point))
            text[out++] = ' ';
        else {
            memmove(text + out, text + at, n);
            out += n;
        }
        at += n;
    }
    text[out] = '\0';
}

enum status fail(struct error *err, enum status status, enum error_code code, const char *format, ...)
{
    if (!err) return status;
    char message[sizeof(err->message)]; /* arguments may point into err */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (n < 0) message[0] = '\0';
    tidy(message, n >= (int)sizeof(message));
    err->status = status;
    err->code = code;
    memcpy(err->message, message, sizeof(message));
    return status;
}

void error_prefix(struct error *err, const char *format, ...)
{
    if (!err) return;
    char message[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(message)) return;
    int rest = snprintf(message + n, sizeof(message) - (size_t)n, ": %s", err->message);
    tidy(message, rest >= (int)sizeof(message) - n);
    memcpy(err->message, message, sizeof(message));
}

const char *status_name(enum status status)
{
    return (size_t)status < sizeof(status_names) / sizeof(status_names[0]) ? status_names[status] : "?";
}

const char *error_code_name(enum error_code code)
{
    return (unsigned)code < N_ERROR_CODES ? codes[code].name : "";
}

const char *error_code_scope(enum error_code code)
{
    return (unsigned)code < N_ERROR_CODES ? codes[code].scope : "";
}

const char *error_code_stage(enum error_code code)
{
    return (unsigned)code < N_ERROR_CODES ? codes[code].stage : "";
}

const char *error_code_meaning(enum error_code code)
{
    return (unsigned)code < N_ERROR_CODES ? codes[code].meaning : "";
}

bool error_code_retryable(enum error_code code)
{
    return (unsigned)code < N_ERROR_CODES && codes[code].retryable;
}

enum error_code error_code_by_name(const char *name)
{
    for (unsigned i = 1; i < N_ERROR_CODES; i++)
        if (strcmp(codes[i].name, name) == 0) return (enum error_code)i;
    return CODE_NONE;
}

int exit_code_of(const struct error *err)
{
    switch (err->code) {
    case CODE_model_file_missing:
        return DOCKET_EXIT_MODEL_MISSING;
    case CODE_model_header_invalid:
    case CODE_model_index_invalid:
    case CODE_model_tensor_invalid:
    case CODE_model_file_changed:
    case CODE_model_checksum_wrong:
    case CODE_hub_answer_invalid:
    case CODE_model_config_unsupported:
    case CODE_tokenizer_unsupported:
        return DOCKET_EXIT_MODEL_INVALID;
    case CODE_model_read_error:
    case CODE_hub_unreachable:
        return DOCKET_EXIT_IO;
    case CODE_hub_refused:
    case CODE_queue_auth_refused:
        return DOCKET_EXIT_AUTH;
    default:
        break;
    }
    switch (err->status) {
    case DOCKET_OK:
    case DOCKET_CANCELLED:
        return DOCKET_EXIT_DRAINED;
    case DOCKET_BAD_CONFIG:
        return DOCKET_EXIT_CONFIG;
    case DOCKET_BAD_INPUT:
    case DOCKET_CORRUPT:
    case DOCKET_UNSUPPORTED:
    case DOCKET_REFUSED:
    case DOCKET_LIMIT:
        return DOCKET_EXIT_MODEL_INVALID;
    case DOCKET_NOT_FOUND:
        return DOCKET_EXIT_MODEL_MISSING;
    case DOCKET_IO:
        return DOCKET_EXIT_IO;
    case DOCKET_DEVICE:
        return DOCKET_EXIT_DEVICE;
    case DOCKET_NO_MEMORY:
    case DOCKET_NO_DEVICE_MEMORY:
        return DOCKET_EXIT_NO_MEMORY;
    case DOCKET_NETWORK:
    case DOCKET_TIMEOUT:
        return DOCKET_EXIT_UNHEALTHY;
    case DOCKET_INTERNAL:
        break;
    }
    return DOCKET_EXIT_INTERNAL;
}
