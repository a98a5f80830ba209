/* charset.h: bytes in any charset of a fixed list → UTF-8. Knows no formats. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_CHARSET_H
#define DOCKET_HANDLERS_DOCUMENTS_CHARSET_H

#include "worker/base/buffer.h"

struct charset_result {
    const char *name;  /* as iconv calls it; static */
    bool guessed;      /* found by looking at the bytes, neither marked nor said */
    bool said_wrong;   /* the label is unknown, not allowed, or not what the bytes are */
    size_t n_replaced; /* U+FFFD written for what the charset does not have */
};

/* A mark in front wins, then UTF-8 that proves itself, then the label (NULL: none), then detection; Windows-1252 when all fails.
 * Fails with NO_MEMORY only, and then leaves `out` as it was or longer. */
enum status charset_decode(struct buffer *out, const void *bytes, size_t length, const char *label,
                           struct charset_result *result, struct error *err);
/* In the charset that a label names; without looking at the bytes. */
enum status charset_convert(struct buffer *out, const void *bytes, size_t length, const char *name,
                            struct charset_result *result, struct error *err);
/* iconv's name for a label as documents write it, or NULL: not on the list. */
const char *charset_by_label(const char *label, size_t length);
const char *charset_by_code_page(unsigned code_page);
/* Loads every table of the list and keeps it: afterwards nothing is read from files. Once, before a sandbox. */
void charset_prepare(void);

#endif
