/* base64.c: content_base64 → bytes, in both alphabets. */
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"

#include <string.h>

/* 0 to 63, or -1. */
static int digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static bool space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum status invalid(struct error *err, size_t at, const char *what)
{
    return fail(err, DOCKET_BAD_INPUT, CODE_content_base64_invalid, "not base64 at byte %zu: %s", at, what);
}

/* The padding and what may follow it. */
static enum status check_padding(const char *text, size_t length, size_t at, size_t digits, struct error *err)
{
    size_t padding = 0;
    for (; at < length; at++) {
        if (space(text[at])) continue;
        if (text[at] != '=') return invalid(err, at, "more after the padding");
        padding++;
    }
    if (padding > 2 || (digits + padding) % 4 != 0) return invalid(err, length, "wrong padding");
    return DOCKET_OK;
}

enum status base64_decode(struct buffer *out, const char *text, size_t length, struct error *err)
{
    size_t at, digits = 0;
    uint32_t bits = 0;
    if (!buffer_reserve(out, length / 4 * 3 + 3)) return buffer_check(out, "base64", err);
    for (at = 0; at < length && text[at] != '='; at++) {
        int value = digit((unsigned char)text[at]);
        if (value < 0) {
            if (space(text[at])) continue;
            return invalid(err, at, "a character that has no place there");
        }
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
            buffer_append(out, bytes, 3);
            bits = 0;
        }
    }
    if (at < length) {
        enum status st = check_padding(text, length, at, digits, err);
        if (st != DOCKET_OK) return st;
    }
    size_t left = digits % 4;
    if (left == 1) return invalid(err, length, "one character is left over");
    if (left == 2) {
        if (bits & 0xf) return invalid(err, length, "bits are left over");
        buffer_append_char(out, (char)(bits >> 4));
    }
    if (left == 3) {
        if (bits & 3) return invalid(err, length, "bits are left over");
        const char bytes[2] = {(char)(bits >> 10), (char)(bits >> 2)};
        buffer_append(out, bytes, 2);
    }
    return buffer_check(out, "base64", err);
}
