/* json_gate.c: the strict JSON grammar, checked without building anything but the keys of open objects.
 * What passes here, cJSON reads the same way as every strict reader. */
#include "worker/base/alloc.h"
#include "worker/base/hash.h"
#include "worker/base/hex.h"
#include "worker/base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 256

/* Keys of the objects that are open, unescaped, end to end; an index by hash per object finds doubles in linear time. */
struct key {
    size_t start, length, object;
    uint64_t hash;
    size_t next; /* index + 1 of the next key in the same bucket */
};

struct gate {
    const char *text;
    size_t length, at, values;
    struct json_limits limits;
    struct error *err;
    struct buffer names;
    struct key *keys;
    size_t n_keys, keys_capacity;
    size_t *buckets;
    size_t n_buckets, objects;
    struct {
        size_t first_key, first_name, serial;
        bool array;
    } open[MAX_DEPTH];
    size_t depth;
};

static enum status malformed(struct gate *g, const char *what)
{
    if (g->at >= g->length)
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_malformed, "the JSON ends at byte %zu: %s", g->length, what);
    return fail(g->err, DOCKET_BAD_INPUT, CODE_job_malformed, "byte %zu of the JSON: %s", g->at, what);
}

static enum status no_memory(struct gate *g)
{
    return fail(g->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to check %zu bytes of JSON", g->length);
}

static void skip_space(struct gate *g)
{
    while (g->at < g->length) {
        char c = g->text[g->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
        g->at++;
    }
}

static int hex4(const char *s)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(s[i]);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* An escape after the backslash; appends to `out` if given. */
static enum status read_escape(struct gate *g, struct buffer *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *rest = g->text + g->at;
    size_t left = g->length - g->at;
    if (left == 0) return malformed(g, "unfinished escape");
    const char *simple = rest[0] ? strchr(from, rest[0]) : NULL;
    if (simple) {
        if (out) buffer_append_char(out, to[simple - from]);
        g->at++;
        return DOCKET_OK;
    }
    int unit = rest[0] == 'u' && left >= 5 ? hex4(rest + 1) : -1;
    if (unit < 0) return malformed(g, "bad escape");
    uint32_t code_point = (uint32_t)unit;
    size_t used = 5;
    if (unit >= 0xd800 && unit <= 0xdfff) {
        int low = unit < 0xdc00 && left >= 11 && rest[5] == '\\' && rest[6] == 'u' ? hex4(rest + 7) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(g->err, DOCKET_BAD_INPUT, CODE_job_encoding_invalid,
                        "byte %zu of the JSON: lone surrogate \\u%04x", g->at - 1, (unsigned)unit);
        code_point = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
        used = 11;
    }
    if (code_point == 0 && (out || !g->limits.nul_in_values))
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "byte %zu of the JSON: \\u0000 in a %s",
                    g->at - 1, out ? "key" : "string");
    if (out) {
        char bytes[4];
        buffer_append(out, bytes, utf8_put(code_point, bytes));
    }
    g->at += used;
    return DOCKET_OK;
}

/* A string, the opening quote already seen at g->at. Keys are unescaped into `out`. */
static enum status read_string(struct gate *g, struct buffer *out)
{
    g->at++;
    while (g->at < g->length) {
        unsigned char c = (unsigned char)g->text[g->at];
        if (c == '"') {
            g->at++;
            return DOCKET_OK;
        }
        if (c == '\\') {
            g->at++;
            enum status st = read_escape(g, out);
            if (st != DOCKET_OK) return st;
            continue;
        }
        if (c < 0x20) return malformed(g, "control character in a string");
        uint32_t code_point;
        size_t n = c < 0x80 ? 1 : utf8_next(g->text + g->at, g->length - g->at, &code_point);
        if (n == 0)
            return fail(g->err, DOCKET_BAD_INPUT, CODE_job_encoding_invalid, "byte %zu of the JSON: not UTF-8", g->at);
        if (out) buffer_append(out, g->text + g->at, n);
        g->at += n;
    }
    return malformed(g, "unfinished string");
}

static bool digit_at(const struct gate *g)
{
    return g->at < g->length && g->text[g->at] >= '0' && g->text[g->at] <= '9';
}

static enum status read_number(struct gate *g)
{
    size_t start = g->at;
    if (g->text[g->at] == '-') g->at++;
    if (!digit_at(g)) return malformed(g, "not a number");
    if (g->text[g->at] == '0')
        g->at++;
    else
        while (digit_at(g)) g->at++;
    if (g->at < g->length && g->text[g->at] == '.') {
        g->at++;
        if (!digit_at(g)) return malformed(g, "a digit must follow the decimal point");
        while (digit_at(g)) g->at++;
    }
    if (g->at < g->length && (g->text[g->at] == 'e' || g->text[g->at] == 'E')) {
        g->at++;
        if (g->at < g->length && (g->text[g->at] == '+' || g->text[g->at] == '-')) g->at++;
        if (!digit_at(g)) return malformed(g, "the exponent has no digits");
        while (digit_at(g)) g->at++;
    }
    size_t n = g->at - start;
    char digits[64];
    if (n >= sizeof(digits)) {
        if (n > 1000)
            return fail(g->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                        "byte %zu of the JSON: a number of %zu digits", start, n);
        /* cJSON itself reads at most 63 characters of a number and would then stumble */
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                    "byte %zu of the JSON: a number of more than 63 characters", start);
    }
    memcpy(digits, g->text + start, n);
    digits[n] = '\0';
    if (!isfinite(strtod(digits, NULL)))
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "byte %zu of the JSON: %s is not a finite number",
                    start, digits);
    return DOCKET_OK;
}

static bool grow_keys(struct gate *g)
{
    if (g->n_keys < g->keys_capacity) return true;
    size_t capacity = g->keys_capacity ? g->keys_capacity * 2 : 64;
    struct key *keys = mem_resize(g->keys, capacity, sizeof(*keys));
    if (!keys) return false;
    g->keys = keys;
    size_t *buckets = mem_resize(g->buckets, capacity * 2, sizeof(*buckets));
    if (!buckets) return false;
    g->buckets = buckets;
    g->keys_capacity = capacity;
    g->n_buckets = capacity * 2;
    memset(buckets, 0, g->n_buckets * sizeof(*buckets));
    for (size_t i = 0; i < g->n_keys; i++) {
        size_t *bucket = &buckets[keys[i].hash % g->n_buckets];
        keys[i].next = *bucket;
        *bucket = i + 1;
    }
    return true;
}

static enum status read_key(struct gate *g)
{
    size_t start = g->names.length, object = g->open[g->depth - 1].serial;
    enum status st = read_string(g, &g->names);
    if (st != DOCKET_OK) return st;
    if (g->n_keys >= g->limits.max_keys)
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_too_large, "more than %zu keys (byte %zu of the JSON)",
                    g->limits.max_keys, g->at);
    if (g->names.failed || !grow_keys(g)) return no_memory(g);
    struct key key = {.start = start, .length = g->names.length - start, .object = object};
    const char *name = g->names.data ? g->names.data + start : "";
    key.hash = hash_bytes(name, key.length, object);
    size_t *bucket = &g->buckets[key.hash % g->n_buckets];
    for (size_t i = *bucket; i; i = g->keys[i - 1].next) {
        const struct key *other = &g->keys[i - 1];
        if (other->hash == key.hash && other->object == object && other->length == key.length &&
            (key.length == 0 || memcmp(g->names.data + other->start, name, key.length) == 0))
            return fail(g->err, DOCKET_BAD_INPUT, CODE_job_field_duplicate,
                        "key \"%.*s\" stands twice in one object (byte %zu)",
                        (int)(key.length > 100 ? 100 : key.length), name, g->at);
    }
    key.next = *bucket;
    g->keys[g->n_keys] = key;
    *bucket = ++g->n_keys;
    return DOCKET_OK;
}

static void close_object(struct gate *g)
{
    size_t first = g->open[g->depth - 1].first_key;
    while (g->n_keys > first) { /* newest first, so each is at the head of its bucket */
        struct key *key = &g->keys[--g->n_keys];
        g->buckets[key->hash % g->n_buckets] = key->next;
    }
    g->names.length = g->open[g->depth - 1].first_name;
}

static enum status open_container(struct gate *g, bool array)
{
    if (g->depth >= g->limits.max_depth)
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_too_deep, "byte %zu of the JSON: nested deeper than %zu levels",
                    g->at, g->limits.max_depth);
    g->open[g->depth].array = array;
    g->open[g->depth].first_key = g->n_keys;
    g->open[g->depth].first_name = g->names.length;
    g->open[g->depth++].serial = ++g->objects;
    g->at++;
    return DOCKET_OK;
}

static enum status read_literal(struct gate *g, const char *word)
{
    size_t n = strlen(word);
    if (g->length - g->at < n || memcmp(g->text + g->at, word, n) != 0) return malformed(g, "not a JSON value");
    g->at += n;
    return DOCKET_OK;
}

/* One value; containers are only opened. */
static enum status read_value(struct gate *g, bool *opened)
{
    *opened = false;
    if (++g->values > g->limits.max_values)
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_too_large, "more than %zu values (byte %zu of the JSON)",
                    g->limits.max_values, g->at);
    if (g->at >= g->length) return malformed(g, "a value is missing");
    char c = g->text[g->at];
    switch (c) {
    case '{':
    case '[':
        *opened = true;
        return open_container(g, c == '[');
    case '"':
        return read_string(g, NULL);
    case 't':
        return read_literal(g, "true");
    case 'f':
        return read_literal(g, "false");
    case 'n':
        return read_literal(g, "null");
    default:
        break;
    }
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(g);
    return malformed(g, "not a JSON value");
}

static enum status read_member_name(struct gate *g)
{
    skip_space(g);
    if (g->at >= g->length || g->text[g->at] != '"') return malformed(g, "a key in quotes must follow");
    enum status st = read_key(g);
    if (st != DOCKET_OK) return st;
    skip_space(g);
    if (g->at >= g->length || g->text[g->at] != ':') return malformed(g, "a colon must follow the key");
    g->at++;
    return DOCKET_OK;
}

/* After a value: closes what ends here, and stands at the next value. *more is false at the end of the document. */
static enum status after_value(struct gate *g, bool *more)
{
    for (;;) {
        skip_space(g);
        if (g->depth == 0) {
            *more = false;
            return g->at == g->length ? DOCKET_OK : malformed(g, "bytes after the end of the document");
        }
        bool array = g->open[g->depth - 1].array;
        if (g->at >= g->length) return malformed(g, array ? "unfinished array" : "unfinished object");
        char c = g->text[g->at];
        if (c == (array ? ']' : '}')) {
            if (!array) close_object(g);
            g->depth--;
            g->at++;
            continue;
        }
        if (c != ',') return malformed(g, array ? "a comma or ] must follow" : "a comma or } must follow");
        g->at++;
        *more = true;
        return array ? DOCKET_OK : read_member_name(g);
    }
}

static enum status run(struct gate *g)
{
    bool more = true, opened;
    if (g->length >= 3 && memcmp(g->text, "\xef\xbb\xbf", 3) == 0)
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_encoding_invalid, "byte 0 of the JSON: byte-order mark");
    if (g->length >= 2 && ((unsigned char)g->text[0] >= 0xfe || g->text[0] == '\0' || g->text[1] == '\0'))
        return fail(g->err, DOCKET_BAD_INPUT, CODE_job_encoding_invalid,
                    "byte 0 of the JSON: UTF-16 or UTF-32, not UTF-8");
    while (more) {
        skip_space(g);
        enum status st = read_value(g, &opened);
        if (st != DOCKET_OK) return st;
        if (opened) {
            bool array = g->open[g->depth - 1].array;
            skip_space(g);
            bool empty = g->at < g->length && g->text[g->at] == (array ? ']' : '}');
            if (!empty) {
                if (!array && (st = read_member_name(g)) != DOCKET_OK) return st;
                continue;
            }
        }
        if ((st = after_value(g, &more)) != DOCKET_OK) return st;
    }
    return DOCKET_OK;
}

enum status json_gate(const char *text, size_t length, const struct json_limits *limits, struct error *err)
{
    struct gate g = {.text = text, .length = length, .err = err};
    if (limits) g.limits = *limits;
    if (g.limits.max_bytes == 0) g.limits.max_bytes = 20 * MIB;
    if (g.limits.max_depth == 0) g.limits.max_depth = 32;
    if (g.limits.max_depth > MAX_DEPTH) g.limits.max_depth = MAX_DEPTH;
    if (g.limits.max_values == 0) g.limits.max_values = 500000;
    if (g.limits.max_keys == 0) g.limits.max_keys = g.limits.max_values;
    if (length > g.limits.max_bytes)
        return fail(err, DOCKET_BAD_INPUT, CODE_job_too_large, "%zu bytes of JSON, at most %zu are read", length,
                    g.limits.max_bytes);
    enum status st = run(&g);
    buffer_free(&g.names);
    mem_free(g.keys);
    mem_free(g.buckets);
    return st;
}
