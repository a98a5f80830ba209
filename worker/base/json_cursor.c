/* json_cursor.c: reads gated JSON in place. */
#include "worker/base/json_cursor.h"

#include "worker/base/json.h"

#include <string.h>

#define MAX_EXACT UINT64_C(9007199254740991) /* 2^53 - 1: what every JSON reader keeps exactly */

struct json_cursor json_cursor_of(const char *text, size_t length)
{
    return (struct json_cursor){text, text + length};
}

static void skip_space(struct json_cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

enum json_kind json_cursor_kind(struct json_cursor *c)
{
    skip_space(c);
    if (c->at >= c->end) return JSON_NOTHING;
    switch (*c->at) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        break;
    }
    return *c->at == '-' || (*c->at >= '0' && *c->at <= '9') ? JSON_NUMBER : JSON_NOTHING;
}

bool json_cursor_enter(struct json_cursor *c)
{
    enum json_kind kind = json_cursor_kind(c);
    if (kind != JSON_OBJECT && kind != JSON_ARRAY) return false;
    c->at++;
    return true;
}

bool json_cursor_element(struct json_cursor *c)
{
    skip_space(c);
    if (c->at < c->end && *c->at == ',') {
        c->at++;
        skip_space(c);
    }
    if (c->at >= c->end) return false;
    if (*c->at != ']' && *c->at != '}') return true;
    c->at++;
    return false;
}

bool json_cursor_string(struct json_cursor *c, struct json_span *out)
{
    if (json_cursor_kind(c) != JSON_STRING) return false;
    const char *start = c->at + 1, *p = start;
    while (p < c->end && *p != '"') p += *p == '\\' && c->end - p > 1 ? 2 : 1;
    if (p > c->end) p = c->end;
    *out = (struct json_span){start, (size_t)(p - start)};
    c->at = p < c->end ? p + 1 : p;
    return true;
}

bool json_cursor_member(struct json_cursor *c, struct json_span *key)
{
    if (!json_cursor_element(c) || !json_cursor_string(c, key)) return false;
    skip_space(c);
    if (c->at < c->end) c->at++; /* the colon */
    return true;
}

bool json_cursor_integer(struct json_cursor *c, uint64_t *out)
{
    if (json_cursor_kind(c) != JSON_NUMBER) return false;
    const char *p = c->at;
    uint64_t value = 0;
    while (p < c->end && *p >= '0' && *p <= '9') {
        value = value * 10 + (uint64_t)(*p++ - '0');
        if (value > MAX_EXACT) return false;
    }
    if (p == c->at || (p < c->end && (*p == '.' || *p == 'e' || *p == 'E'))) return false;
    c->at = p;
    *out = value;
    return true;
}

bool json_cursor_bool(struct json_cursor *c, bool *out)
{
    if (json_cursor_kind(c) != JSON_BOOL) return false;
    *out = *c->at == 't';
    json_cursor_skip(c);
    return true;
}

struct json_span json_cursor_skip(struct json_cursor *c)
{
    struct json_span string;
    enum json_kind kind = json_cursor_kind(c);
    const char *start = c->at;
    size_t depth = 0;
    if (kind == JSON_STRING) {
        json_cursor_string(c, &string);
    } else if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        do {
            if (*c->at == '"') {
                json_cursor_string(c, &string);
                continue;
            }
            if (*c->at == '{' || *c->at == '[') depth++;
            if (*c->at == '}' || *c->at == ']') depth--;
            c->at++;
        } while (depth > 0 && c->at < c->end);
    } else {
        while (c->at < c->end && !strchr(" \t\r\n,]}", *c->at)) c->at++;
    }
    return (struct json_span){start, (size_t)(c->at - start)};
}

bool json_span_find(struct json_span object, const char *key, struct json_span *value)
{
    struct json_cursor c = json_cursor_of(object.text, object.length);
    struct json_span name;
    if (json_cursor_kind(&c) != JSON_OBJECT || !json_cursor_enter(&c)) return false;
    while (json_cursor_member(&c, &name)) {
        struct json_span found = json_cursor_skip(&c);
        if (!json_span_is(name, key)) continue;
        *value = found;
        return true;
    }
    return false;
}

static uint32_t hex4(const char *s)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)s[i];
        value = value << 4 | (c <= '9' ? c & 0xfu : (c & 0xfu) + 9);
    }
    return value;
}

/* The character at *at, which is moved behind it; its UTF-8 bytes go to `out`. */
static size_t unescape_one(struct json_span s, size_t *at, char out[4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    size_t left = s.length - *at;
    const char *p = s.text + *at;
    if (*p != '\\' || left < 2) {
        out[0] = *p;
        *at += 1;
        return 1;
    }
    if (p[1] == 'u' && left >= 6) {
        uint32_t code_point = hex4(p + 2);
        *at += 6;
        if (code_point >= 0xd800 && code_point < 0xdc00 && left >= 12) {
            code_point = 0x10000 + ((code_point - 0xd800) << 10) + ((hex4(p + 8) - 0xdc00) & 0x3ff);
            *at += 6;
        }
        return utf8_put(code_point, out);
    }
    const char *simple = p[1] ? strchr(from, p[1]) : NULL;
    out[0] = simple ? to[simple - from] : p[1];
    *at += 2;
    return 1;
}

size_t json_unescape(struct json_span string, char *out)
{
    size_t length = 0;
    for (size_t at = 0; at < string.length;) {
        if (string.text[at] != '\\') {
            out[length++] = string.text[at++];
            continue;
        }
        char bytes[4];
        size_t n = unescape_one(string, &at, bytes);
        memcpy(out + length, bytes, n);
        length += n;
    }
    return length;
}

bool json_span_is(struct json_span string, const char *text)
{
    size_t n = strlen(text), seen = 0;
    for (size_t at = 0; at < string.length;) {
        char bytes[4];
        size_t length = unescape_one(string, &at, bytes);
        if (seen + length > n || memcmp(text + seen, bytes, length) != 0) return false;
        seen += length;
    }
    return seen == n;
}
