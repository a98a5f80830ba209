/* tokenizer_decode.c: ids → text, by the steps of the file's decoder. */
#include "worker/model/tokenizer_inner.h"

#include "worker/base/hex.h"

#include <string.h>

/* Strings end to end; those of a decoder's list of tokens. */
struct strings {
    struct buffer text;
    size_t *ends;
    size_t length, capacity;
    bool failed;
};

static void end_string(struct strings *s)
{
    if (s->length == s->capacity) {
        size_t n = s->capacity ? 2 * s->capacity : 256;
        size_t *ends = mem_resize(s->ends, n, sizeof(*ends));
        if (!ends) {
            s->failed = true;
            return;
        }
        s->ends = ends;
        s->capacity = n;
    }
    s->ends[s->length++] = s->text.length;
}

static const char *string_at(const struct strings *s, size_t i, size_t *length)
{
    size_t start = i > 0 ? s->ends[i - 1] : 0;
    *length = s->ends[i] - start;
    return s->text.data + start;
}

static void strings_free(struct strings *s)
{
    buffer_free(&s->text);
    mem_free(s->ends);
    *s = (struct strings){0};
}

/* 0 to 255 for "<0xHH>" with exactly two digits, else -1. */
static int byte_value(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Bytes that stand side by side become their text, or one U+FFFD each if they are none. */
static void end_bytes(struct strings *out, struct buffer *bytes)
{
    if (bytes->length == 0) return;
    if (utf8_valid(bytes->data, bytes->length, NULL)) {
        buffer_append(&out->text, bytes->data, bytes->length);
        end_string(out);
    } else
        for (size_t i = 0; i < bytes->length; i++) {
            buffer_append_str(&out->text, "\xef\xbf\xbd");
            end_string(out);
        }
    if (bytes->failed) out->failed = true;
    buffer_clear(bytes);
}

static void decode_bytes(const struct strings *in, struct strings *out)
{
    struct buffer bytes = {0};
    for (size_t i = 0; i < in->length; i++) {
        size_t length;
        const char *text = string_at(in, i, &length);
        int value = byte_value(text, length);
        if (value >= 0) {
            buffer_append_char(&bytes, (char)value);
            continue;
        }
        end_bytes(out, &bytes);
        buffer_append(&out->text, text, length);
        end_string(out);
    }
    out->failed |= bytes.failed;
    end_bytes(out, &bytes);
    buffer_free(&bytes);
}

static void strip(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    size_t n = step->from_length;
    for (size_t i = 0; i < step->start && length >= n && memcmp(text, step->from, n) == 0; i++) {
        text += n;
        length -= n;
    }
    for (size_t i = 0; i < step->stop && length >= n && memcmp(text + length - n, step->from, n) == 0; i++) length -= n;
    buffer_append(out, text, length);
}

/* The mark is a space; in front of everything it is nothing, unless it was never put there. */
static void unmark(const struct step *step, bool first, const char *text, size_t length, struct buffer *out)
{
    struct step space = {.from = step->from, .from_length = step->from_length, .to = " "};
    space.to_length = first && !step->keeps_first ? 0 : 1;
    step_replace(&space, text, length, out);
}

/* All tokens together are bytes; one that holds a character that stands for none is taken as it is. */
static void decode_byte_level(const struct strings *in, struct strings *out)
{
    struct buffer bytes = {0};
    for (size_t i = 0; i < in->length; i++) {
        size_t length, start = bytes.length;
        const char *text = string_at(in, i, &length);
        for (size_t at = 0, n; at < length; at += n) {
            uint32_t c = 0;
            n = utf8_next(text + at, length - at, &c);
            int byte = n ? byte_level_byte(c) : -1;
            if (byte < 0) {
                if (!bytes.failed) bytes.length = start;
                buffer_append(&bytes, text, length);
                break;
            }
            buffer_append_char(&bytes, (char)byte);
        }
    }
    tokenizer_replace_invalid(&out->text, bytes.data ? bytes.data : "", bytes.length);
    out->failed |= bytes.failed;
    buffer_free(&bytes);
    end_string(out);
}

static void decode_step(const struct step *step, const struct strings *in, struct strings *out)
{
    if (step->kind == STEP_BYTE_LEVEL) {
        decode_byte_level(in, out);
        return;
    }
    if (step->kind == STEP_BYTE_FALLBACK) {
        decode_bytes(in, out);
        return;
    }
    for (size_t i = 0; i < in->length && !out->failed && !out->text.failed; i++) {
        size_t length;
        const char *text = string_at(in, i, &length);
        if (step->kind == STEP_REPLACE)
            step_replace(step, text, length, &out->text);
        else if (step->kind == STEP_STRIP)
            strip(step, text, length, &out->text);
        else if (step->kind == STEP_METASPACE)
            unmark(step, i == 0, text, length, &out->text);
        else
            buffer_append(&out->text, text, length);
        if (step->kind != STEP_FUSE || i + 1 == in->length) end_string(out);
    }
}

enum status steps_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buffer *out, struct error *err)
{
    struct strings now = {0}, next = {0};
    for (size_t i = 0; i < n && !now.failed; i++) {
        buffer_append(&now.text, t->text.data + t->tokens[ids[i]].shown, t->tokens[ids[i]].shown_length);
        if (!t->has_decoder && i + 1 < n) buffer_append_char(&now.text, ' ');
        end_string(&now);
    }
    for (size_t i = 0; i < t->decoder.length && !now.failed && !now.text.failed; i++) {
        buffer_append(&next.text, "", 0);
        decode_step(&t->decoder.steps[i], &now, &next);
        struct strings swap = now;
        now = next;
        next = swap;
        now.failed |= next.failed | next.text.failed;
        next.length = 0;
        buffer_clear(&next.text);
    }
    bool good = !now.failed && !now.text.failed;
    enum status st = DOCKET_OK;
    if (!good)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the text of %zu tokens", n);
    else {
        buffer_append(out, now.text.data ? now.text.data : "", now.text.length);
        st = buffer_check(out, "text of tokens", err);
    }
    strings_free(&now);
    strings_free(&next);
    return st;
}
