/* json_writer.c: JSON text into a buffer, always valid whatever the bytes. */
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append_escape(struct buffer *out, uint32_t c)
{
    const char *simple = c == '"'    ? "\\\""
                         : c == '\\' ? "\\\\"
                         : c == '\n' ? "\\n"
                         : c == '\r' ? "\\r"
                         : c == '\t' ? "\\t"
                                     : NULL;
    if (simple)
        buffer_append(out, simple, 2);
    else if (c < 0x10000)
        buffer_printf(out, "\\u%04x", (unsigned)c);
    else {
        c -= 0x10000;
        buffer_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (c >> 10)), (unsigned)(0xdc00 + (c & 0x3ff)));
    }
}

void json_escape(struct buffer *out, const char *text, size_t length, bool ascii)
{
    size_t start = 0, at = 0;
    while (at < length) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t c = byte;
        size_t n = byte < 0x80 ? 1 : utf8_next(text + at, length - at, &c);
        bool plain = n > 0 && c != '"' && c != '\\' && c >= 0x20 && c != 0x7f &&
                     (c < 0x80 || (!ascii && c >= 0xa0 && c != 0x2028 && c != 0x2029));
        if (plain) {
            at += n;
            continue;
        }
        buffer_append(out, text + start, at - start);
        append_escape(out, n ? c : 0xfffd);
        at += n ? n : 1;
        start = at;
    }
    buffer_append(out, text + start, at - start);
}

static void begin_value(struct json_writer *w, const char *key)
{
    if (w->comma) buffer_append(w->out, ", ", w->spaced ? 2 : 1);
    w->comma = true;
    if (!key) return;
    buffer_append_char(w->out, '"');
    json_escape(w->out, key, strlen(key), false);
    buffer_append(w->out, "\": ", w->spaced ? 3 : 2);
}

static void open_with(struct json_writer *w, const char *key, char c)
{
    begin_value(w, key);
    buffer_append_char(w->out, c);
    w->comma = false;
}

static void close_with(struct json_writer *w, char c)
{
    buffer_append_char(w->out, c);
    w->comma = true;
}

void json_begin_object(struct json_writer *w, const char *key)
{
    open_with(w, key, '{');
}

void json_end_object(struct json_writer *w)
{
    close_with(w, '}');
}

void json_begin_array(struct json_writer *w, const char *key)
{
    open_with(w, key, '[');
}

void json_end_array(struct json_writer *w)
{
    close_with(w, ']');
}

void json_put_raw(struct json_writer *w, const char *key, const char *json)
{
    begin_value(w, key);
    buffer_append_str(w->out, json);
}

void json_put_null(struct json_writer *w, const char *key)
{
    json_put_raw(w, key, "null");
}

void json_put_string_n(struct json_writer *w, const char *key, const char *text, size_t length)
{
    begin_value(w, key);
    buffer_append_char(w->out, '"');
    json_escape(w->out, text, length, false);
    buffer_append_char(w->out, '"');
}

void json_put_string(struct json_writer *w, const char *key, const char *text)
{
    if (text)
        json_put_string_n(w, key, text, strlen(text));
    else
        json_put_null(w, key);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
    json_put_raw(w, key, value ? "true" : "false");
}

void json_put_i64(struct json_writer *w, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    json_put_raw(w, key, text);
}

void json_put_u64(struct json_writer *w, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    json_put_raw(w, key, text);
}

void json_put_double(struct json_writer *w, const char *key, double value)
{
    char text[40];
    if (!isfinite(value)) {
        json_put_null(w, key);
        return;
    }
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value) break;
    }
    json_put_raw(w, key, text);
}

void json_put_fixed(struct json_writer *w, const char *key, double value, int decimals)
{
    char text[400];
    if (!isfinite(value)) {
        json_put_null(w, key);
        return;
    }
    snprintf(text, sizeof(text), "%.*f", decimals, value);
    json_put_raw(w, key, text);
}
