/* extract_pdf.c: **in the child**: whether a PDF may hold text that nobody sees. Finds its streams, unpacks those that deflate packed and has
 * pdf_signs.c look at their operators. Signs only: whoever sees some asks poppler what is true of them; what is not understood is one. */
#include "handlers/documents/extract.h"
#include "handlers/documents/pdf_signs.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_DICTIONARY 4096
#define MAX_STREAM     (8 * MIB)
#define MAX_ALL        (64 * MIB)
#define LOOK_BYTES     512 /* of a stream that is said to be no content */

struct text {
    const char *s;
    size_t n;
};

static const char *find(struct text t, const char *word)
{
    return t.n ? memmem(t.s, t.n, word, strlen(word)) : NULL;
}

static bool is_delimiter(char c)
{
    return (unsigned char)c <= ' ' || strchr("/<>[](){}%", c);
}

/* What follows a name, white space skipped; NULL: it is not there. */
static const char *after_name(struct text t, const char *name)
{
    const char *end = t.s + t.n;
    for (const char *at = find(t, name); at; at = find((struct text){at, (size_t)(end - at)}, name)) {
        at += strlen(name);
        if (at >= end) return NULL;
        if (!is_delimiter(*at)) continue;
        while (at < end && (unsigned char)*at <= ' ') at++;
        return at < end ? at : NULL;
    }
    return NULL;
}

/* The dictionary in front of a stream; empty: too long to be looked at. */
static struct text dictionary_before(const char *begin, const char *stream)
{
    const char *from = stream - begin > MAX_DICTIONARY ? stream - MAX_DICTIONARY : begin, *last = NULL;
    for (const char *at = from; at && at < stream; at++) {
        at = memmem(at, (size_t)(stream - at), "obj", 3);
        if (!at) break;
        last = at + 3;
    }
    return last ? (struct text){last, (size_t)(stream - last)} : (struct text){stream, 0};
}

enum packing { PLAIN, DEFLATED, PICTURE, OTHER };

static enum packing packing_of(struct text dictionary)
{
    static const char *const pictures[] = {"/DCTDecode", "/JPXDecode", "/JBIG2Decode", "/CCITTFaxDecode"};
    const char *at = after_name(dictionary, "/Filter"), *end = dictionary.s + dictionary.n;
    if (!at) return after_name(dictionary, "/F") ? OTHER : PLAIN;
    bool list = *at == '[';
    if (list) do
            at++;
        while (at < end && (unsigned char)*at <= ' ');
    size_t n = 1;
    while (at + n < end && !is_delimiter(at[n])) n++;
    const char *next = at + n;
    while (list && next < end && (unsigned char)*next <= ' ') next++;
    if (at >= end || (list && (next >= end || *next != ']'))) return OTHER; /* a chain */
    for (size_t i = 0; i < ARRAY_LENGTH(pictures); i++)
        if (strlen(pictures[i]) == n && memcmp(at, pictures[i], n) == 0) return PICTURE;
    return (n == 12 && memcmp(at, "/FlateDecode", 12) == 0) || (n == 3 && memcmp(at, "/Fl", 3) == 0) ? DEFLATED : OTHER;
}

/* A picture, a font or a table of objects, as it says. */
static bool says_no_content(struct text dictionary)
{
    static const char *const names[] = {"/Length1", "/XRef", "/Type1C", "/CIDFontType0C", "/OpenType", "/Metadata"};
    const char *subtype = after_name(dictionary, "/Subtype");
    if (subtype && dictionary.s + dictionary.n - subtype >= 6 && memcmp(subtype, "/Image", 6) == 0) return true;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (after_name(dictionary, names[i])) return true;
    return false;
}

/* Operators are written in letters, pixels and outlines are not. */
static bool looks_binary(const struct buffer *b)
{
    size_t n = b->length < LOOK_BYTES ? b->length : LOOK_BYTES, strange = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)b->data[i];
        strange += c >= 0x7f || (c < ' ' && !strchr("\t\n\r\f", c)) || c == 0;
    }
    return strange > n / 8;
}

/* An operator that begins text. Outlines in PostScript begin in letters as well, and any two bytes stand somewhere in their rest. */
static bool begins_text(const struct buffer *b)
{
    const struct text all = {b->data, b->length};
    const char *end = all.s + all.n;
    for (const char *at = find(all, "BT"); at; at = find((struct text){at + 1, (size_t)(end - at - 1)}, "BT"))
        if ((at == all.s || is_delimiter(at[-1])) && (end - at == 2 || is_delimiter(at[2]))) return true;
    return false;
}

/* *used: packed bytes. false: it does not unpack, or to more than is looked at. */
static bool unpack(struct buffer *out, const char *from, size_t length, size_t most, size_t *used)
{
    unsigned char piece[32 * 1024];
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)from, .avail_in = length > UINT_MAX ? UINT_MAX : (uInt)length};
    int result = Z_OK;
    buffer_clear(out);
    *used = 0;
    if (inflateInit(&z) != Z_OK) return false;
    while (result == Z_OK && out->length < most) {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        result = inflate(&z, Z_NO_FLUSH);
        if (!buffer_append(out, piece, sizeof(piece) - z.avail_out)) break;
    }
    *used = (size_t)z.total_in;
    inflateEnd(&z);
    return result == Z_STREAM_END;
}

/* What is said outside of streams, and in streams of objects: boxes of pages, what makes text transparent, fonts without outlines, ciphers. */
static void look_at_objects(struct pdf_signs *signs, struct text t)
{
    const char *at, *end = t.s + t.n;
    static const char *const strange[] = {"/Encrypt", "/Type3"};
    for (size_t i = 0; i < ARRAY_LENGTH(strange); i++)
        if (after_name(t, strange[i])) signs->found |= SIGN_NOT_UNDERSTOOD;
    for (struct text rest = t; (at = after_name(rest, "/ca")); rest = (struct text){at, (size_t)(end - at)})
        if (*at != '1' && strncmp(at, ".9", 2) != 0 && strncmp(at, "0.9", 3) != 0) signs->found |= SIGN_NOT_UNDERSTOOD;
    for (struct text rest = t; (at = after_name(rest, "/MediaBox")); rest = (struct text){at, (size_t)(end - at)})
        pdf_signs_box(signs, at, (size_t)(end - at));
    for (struct text rest = t; (at = after_name(rest, "/CropBox")); rest = (struct text){at, (size_t)(end - at)})
        pdf_signs_box(signs, at, (size_t)(end - at));
}

static void look_at_stream(struct pdf_signs *signs, struct text dictionary, const char *from, size_t length,
                           size_t *used, size_t *all)
{
    struct buffer content = {0};
    enum packing packing = packing_of(dictionary);
    bool other = says_no_content(dictionary);
    const char *end = memmem(from, length, "endstream", 9);
    *used = end ? (size_t)(end - from) : length;
    if (packing == PICTURE) return;
    if (packing == OTHER || dictionary.n == 0 || (after_name(dictionary, "/DecodeParms") && !other)) {
        if (!other && !after_name(dictionary, "/ObjStm")) signs->found |= SIGN_NOT_UNDERSTOOD;
        return;
    }
    if (packing == DEFLATED) {
        size_t packed;
        bool whole = unpack(&content, from, length, other ? LOOK_BYTES : MAX_STREAM, &packed);
        if (other && !whole && !looks_binary(&content)) whole = unpack(&content, from, length, MAX_STREAM, &packed);
        *all += content.length;
        if (whole && packed > *used) *used = packed; /* the word may stand in packed bytes */
        if (!whole && !other) signs->found |= SIGN_NOT_UNDERSTOOD;
    } else
        buffer_append(&content, from, *used < MAX_STREAM ? *used : MAX_STREAM);
    if (content.failed) signs->found |= SIGN_NOT_UNDERSTOOD;
    if (other && content.length && !looks_binary(&content) && begins_text(&content))
        signs->found |= SIGN_NOT_UNDERSTOOD;
    else if (after_name(dictionary, "/ObjStm"))
        look_at_objects(signs, (struct text){content.data, content.length});
    else if (!other && content.length)
        pdf_signs_look(signs, content.data, content.length);
    buffer_free(&content);
}

enum status extract_pdf(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    const char *begin = in->bytes, *at = begin, *end = begin + in->length;
    struct pdf_signs signs = {0};
    size_t all = 0;
    (void)err;
    while (at < end) {
        const char *stream = memmem(at, (size_t)(end - at), "stream", 6), *to = stream ? stream : end;
        look_at_objects(&signs, (struct text){at, (size_t)(to - at)});
        if (!stream) break;
        const char *data = stream + 6;
        if (data < end && *data == '\r') data++;
        if (data < end && *data == '\n') data++;
        at = data;
        if (data == stream + 6 || (stream - begin >= 3 && memcmp(stream - 3, "end", 3) == 0)) continue;
        size_t used;
        look_at_stream(&signs, dictionary_before(begin, stream), data, (size_t)(end - data), &used, &all);
        at = data + used;
        if (all > MAX_ALL) signs.found |= SIGN_NOT_UNDERSTOOD;
        if (signs.found & SIGN_NOT_UNDERSTOOD) break;
    }
    sink->fact(sink, FACT_PDF_SIGNS, pdf_signs_end(&signs));
    return DOCKET_OK;
}
