/* rtf_packed.c: a window of 4,096 bytes that begins with words that every RTF has; groups of eight bytes or references into it. */
#include "handlers/documents/rtf_packed.h"

#include "worker/base/alloc.h"

#include <stdint.h>
#include <string.h>

#define WINDOW 4096

static const char preset[] = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
                             "\\fscript \\fdecor MS Sans "
                             "SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
                             "\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

static uint32_t little32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum status rtf_unpack(struct buffer *out, const void *bytes, size_t length, struct error *err)
{
    const unsigned char *s = bytes;
    char window[WINDOW] = {0};
    size_t at = 16, write = sizeof(preset) - 1;
    if (length < 16) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a compressed body of %zu bytes", length);
    size_t size = little32(s + 4);
    if (size > length * 200 + 64 * KIB)
        return fail(err, DOCKET_LIMIT, CODE_document_expands_too_far, "a compressed body that claims %zu bytes", size);
    if (memcmp(s + 8, "MELA", 4) == 0) {
        if (size > length - 16) size = length - 16;
        return buffer_append(out, s + 16, size) ? DOCKET_OK
                                                : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a body");
    }
    if (memcmp(s + 8, "LZFu", 4) != 0)
        return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a compressed body of an unknown kind");
    memcpy(window, preset, sizeof(preset) - 1);
    while (at < length && out->length < size && !out->failed) {
        unsigned flags = s[at++];
        for (int bit = 0; bit < 8 && at < length && out->length < size; bit++, flags >>= 1) {
            if (!(flags & 1)) {
                char c = (char)s[at++];
                buffer_append_char(out, c);
                window[write] = c;
                write = (write + 1) % WINDOW;
                continue;
            }
            if (at + 2 > length)
                return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a compressed body is cut short");
            unsigned from = (unsigned)s[at] << 4 | s[at + 1] >> 4, n = (s[at + 1] & 15u) + 2;
            at += 2;
            if (from == write)
                return out->failed ? fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a body") : DOCKET_OK;
            for (; n > 0; n--, from = (from + 1) % WINDOW) {
                char c = window[from];
                buffer_append_char(out, c);
                window[write] = c;
                write = (write + 1) % WINDOW;
            }
        }
    }
    return out->failed ? fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a body") : DOCKET_OK;
}
