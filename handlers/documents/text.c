/* text.c: bytes of plain text → UTF-8 (in the sandbox's child), and UTF-8 of any reader → what a person would see (outside of it).
 * Knows encodings, no formats. */
#include "handlers/characters.h"
#include "handlers/documents/charset.h"
#include "handlers/documents/extract.h"
#include "handlers/documents/language.h"
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

/* Code points of Windows-1252 from 0x80 to 0x9f; 0 where it has none. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

enum encoding { UTF_8, UTF_16_LE, UTF_16_BE, WINDOWS_1252 };

/* What the bytes look like before anything is taken out. */
struct census {
    size_t characters, controls, nuls, bad, multibyte, high;
};

static bool plain_control(uint32_t c)
{
    return c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* One character at *at, which moves on; U+FFFD for what is none (then *bad). */
static uint32_t next_character(enum encoding encoding, const unsigned char *s, size_t length, size_t *at, bool *bad)
{
    uint32_t c = REPLACEMENT;
    size_t n = 1;
    *bad = false;
    if (encoding == WINDOWS_1252) {
        c = s[*at] >= 0x80 && s[*at] < 0xa0 ? windows_1252[s[*at] - 0x80] : s[*at];
        *bad = c == 0 && s[*at] != 0;
    } else if (encoding == UTF_8) {
        n = utf8_next((const char *)s + *at, length - *at, &c);
        *bad = n == 0;
    } else if (length - *at < 2)
        *bad = true;
    else {
        size_t low = encoding == UTF_16_LE ? 0 : 1;
        c = s[*at + low] | (uint32_t)s[*at + 1 - low] << 8;
        n = 2;
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t next = length - *at < 4 ? 0 : s[*at + 2 + low] | (uint32_t)s[*at + 3 - low] << 8;
            *bad = c >= 0xdc00 || next < 0xdc00 || next > 0xdfff;
            if (!*bad) {
                c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
                n = 4;
            }
        }
    }
    *at += n ? n : 1;
    return *bad ? REPLACEMENT : c;
}

static struct census count(enum encoding encoding, const unsigned char *s, size_t length)
{
    struct census census = {0};
    bool bad;
    for (size_t at = 0; at < length;) {
        uint32_t c = next_character(encoding, s, length, &at, &bad);
        census.characters++;
        census.bad += bad;
        census.multibyte += c >= 0x80 && !bad;
        census.controls += character_is_control(c) && !plain_control(c);
        census.nuls += c == 0;
    }
    return census;
}

/* false: the bytes are no text. Limits found by looking at texts and programs: logs with colour codes stay below a tenth of
 * control characters, western texts below a third of letters beyond ASCII. */
static bool find_encoding(const unsigned char **s, size_t *length, enum encoding *encoding)
{
    size_t mark = 0;
    *encoding = UTF_8;
    if (*length >= 3 && memcmp(*s, "\xef\xbb\xbf", 3) == 0)
        mark = 3;
    else if (*length >= 2 && ((*s)[0] ^ (*s)[1]) == 1 && (*s)[0] >= 0xfe && (*s)[1] >= 0xfe) {
        mark = 2;
        *encoding = (*s)[0] == 0xff ? UTF_16_LE : UTF_16_BE;
    }
    *s += mark;
    *length -= mark;
    struct census c = count(*encoding, *s, *length);
    if (*encoding != UTF_8) return (c.controls + c.bad) <= c.characters / 10 + 1;
    if (c.bad == 0) return c.controls <= c.characters / 4 + 1;
    if (mark || c.multibyte > c.bad) return (c.controls + c.bad) <= c.characters / 10 + 1; /* a few bytes are broken */
    *encoding = WINDOWS_1252;
    c = count(*encoding, *s, *length);
    return c.nuls == 0 && c.bad == 0 && c.controls <= c.characters / 50 && c.multibyte <= c.characters / 3 + 1;
}

static void put(struct text_cleaner *k, uint32_t c)
{
    char bytes[4];
    bool after_return = k->carriage_return;
    k->carriage_return = c == '\r';
    if (c == '\n' && after_return) return;
    if (c == '\r' || c == '\f' || c == '\v' || c == 0x85) c = '\n';
    if (character_is_control(c) && c != '\n' && c != '\t') {
        k->controls++;
        return;
    }
    if (character_is_hidden(c)) {
        k->hidden++;
        return;
    }
    k->visible |= !character_is_space(c);
    k->characters++;
    buffer_append(&k->out, bytes, utf8_put(c, bytes));
}

/* Most of most texts: printable ASCII, taken over as it is. */
static size_t plain_run(struct text_cleaner *k, const unsigned char *s, size_t length)
{
    size_t n = 0;
    unsigned char highest = 0;
    while (n < length && ((s[n] >= 0x20 && s[n] < 0x7f) || s[n] == '\t' || (s[n] == '\n' && !k->carriage_return))) {
        if (s[n] > highest) highest = s[n];
        k->carriage_return = false;
        n++;
    }
    if (n == 0) return 0;
    k->visible |= highest > 0x20;
    k->characters += n;
    buffer_append(&k->out, s, n);
    return n;
}

/* How many bytes at the end may be the beginning of a character. */
static size_t unfinished(const unsigned char *s, size_t length)
{
    for (size_t n = 1; n <= 3 && n <= length; n++) {
        unsigned char c = s[length - n];
        if ((c & 0xc0) == 0x80) continue;
        size_t wants = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return wants > n ? n : 0;
    }
    return 0;
}

static bool clean_all(struct text_cleaner *k, const unsigned char *s, size_t length)
{
    bool bad;
    buffer_reserve(&k->out, length + 1);
    for (size_t at = 0; at < length && !k->out.failed;) {
        at += plain_run(k, s + at, length - at);
        if (at < length) put(k, next_character(UTF_8, s, length, &at, &bad));
    }
    return !k->out.failed;
}

bool text_clean(struct text_cleaner *k, const void *utf8, size_t length)
{
    const unsigned char *s = utf8;
    while (k->n_tail > 0 && length > 0) { /* the character that was cut, byte by byte until it is whole or is none */
        k->tail[k->n_tail++] = *s++;
        length--;
        if (unfinished(k->tail, k->n_tail) == k->n_tail) continue;
        size_t n = k->n_tail - unfinished(k->tail, k->n_tail);
        if (!clean_all(k, k->tail, n)) return false;
        memmove(k->tail, k->tail + n, k->n_tail -= n);
    }
    if (length == 0) return !k->out.failed;
    size_t left = unfinished(s, length);
    memcpy(k->tail, s + length - left, left);
    k->n_tail = left;
    return clean_all(k, s, length - left);
}

enum status text_finish(struct document *document, struct text_cleaner *k, struct error *err)
{
    clean_all(k, k->tail, k->n_tail);
    k->n_tail = 0;
    enum status st = buffer_check(&k->out, "the text", err);
    if (st == DOCKET_LIMIT) {
        fail(&document->error, DOCKET_LIMIT, CODE_document_expands_too_far, "%s: more than %zu bytes of text",
             document_shown(document), k->out.ceiling);
        return DOCKET_OK;
    }
    if (st != DOCKET_OK) return st;
    document->hidden_characters += k->hidden;
    document->control_characters += k->controls;
    if (k->visible) {
        document->characters = k->characters;
        document->text = buffer_take(&k->out, &document->text_length);
        if (document->text)
            language_of(document->text, document->text_length, document->language);
        else
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the text");
    } else if (document->hidden_characters + document->control_characters > 0)
        fail(&document->error, DOCKET_UNSUPPORTED, CODE_document_no_text, "%s: nothing but invisible characters",
             document_shown(document));
    else
        fail(&document->error, DOCKET_UNSUPPORTED, CODE_document_empty, "%s: %s", document_shown(document),
             document->bytes ? "nothing but white space" : "empty");
    return st;
}

void text_cleaner_free(struct text_cleaner *k)
{
    buffer_free(&k->out);
    *k = (struct text_cleaner){0};
}

/* Bytes that are neither UTF nor western: in whatever charset they look like. false: they are no text in any. */
static bool decode_other(struct buffer *out, const unsigned char *s, size_t length, bool *no_memory)
{
    struct charset_result found = {0};
    size_t controls = 0;
    for (size_t i = 0; i < length; i++) controls += s[i] < 0x20 && !plain_control(s[i]);
    *no_memory = false;
    if (controls > length / 50 || memchr(s, '\0', length)) return false;
    *no_memory = charset_decode(out, s, length, NULL, &found, NULL) != DOCKET_OK;
    return !*no_memory && found.guessed && found.n_replaced <= length / 50;
}

bool text_look(struct text_cleaner *k, const void *bytes, size_t length)
{
    static const size_t enough = 64 * KIB;
    const unsigned char *s = bytes;
    enum encoding encoding;
    bool bad;
    if (!find_encoding(&s, &length, &encoding)) {
        struct buffer text = {0};
        bool text_at_all = decode_other(&text, s, length, &k->out.failed);
        if (text_at_all) clean_all(k, (const unsigned char *)text.data, text.length < enough ? text.length : enough);
        buffer_free(&text);
        return text_at_all || k->out.failed;
    }
    for (size_t at = 0; at < length && at < enough && !k->out.failed;)
        put(k, next_character(encoding, s, length, &at, &bad));
    return true;
}

enum status extract_text(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    const unsigned char *s = in->bytes;
    size_t length = in->length, n = 0;
    enum encoding encoding;
    char piece[16 * 1024];
    bool bad;
    if (!find_encoding(&s, &length, &encoding)) {
        struct buffer text = {0};
        bool found = decode_other(&text, s, length, &bad);
        if (found) sink->text(sink, text.data, text.length);
        if (found) sink->fact(sink, FACT_ENCODING_FOUND, 1);
        buffer_free(&text);
        if (bad) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to decode a text");
        return found ? DOCKET_OK : fail(err, DOCKET_UNSUPPORTED, CODE_document_type_unsupported, "not text");
    }
    if (encoding == UTF_8) { /* what is broken in it is replaced where it arrives */
        sink->text(sink, (const char *)s, length);
        return DOCKET_OK;
    }
    for (size_t at = 0; at < length;) {
        n += utf8_put(next_character(encoding, s, length, &at, &bad), piece + n);
        if (n < sizeof(piece) - 4 && at < length) continue;
        if (!sink->text(sink, piece, n)) break;
        n = 0;
    }
    return DOCKET_OK;
}
