/* json_cursor.h: reads JSON in place, value by value, without building a tree: for files with a million values, and for
 * integers that must be exact. Only for text that json_gate has passed; on other text it stays within its bounds, but what
 * it reads means nothing. */
#ifndef DOCKET_BASE_JSON_CURSOR_H
#define DOCKET_BASE_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind { JSON_NOTHING, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL };

/* Bytes inside the text; borrowed as long as the text. Of a string: what stands between the quotes, still escaped. */
struct json_span {
    const char *text;
    size_t length;
};

struct json_cursor {
    const char *at, *end;
};

struct json_cursor json_cursor_of(const char *text, size_t length);
/* What stands at the cursor. */
enum json_kind json_cursor_kind(struct json_cursor *c);
/* Steps into the object or array at the cursor; false if there is none. */
bool json_cursor_enter(struct json_cursor *c);
/* Inside an array: true if an element stands at the cursor; false behind the closing bracket. Every element must be read or
 * skipped before the next call. */
bool json_cursor_element(struct json_cursor *c);
/* Inside an object: the same, with the key; the cursor is at its value. */
bool json_cursor_member(struct json_cursor *c, struct json_span *key);
/* Reads the string at the cursor; false, and the cursor stays, if it is something else. */
bool json_cursor_string(struct json_cursor *c, struct json_span *out);
/* Reads a whole number below 2^53 written with digits only (no sign, point or exponent); the same rule on failure. */
bool json_cursor_integer(struct json_cursor *c, uint64_t *out);
bool json_cursor_bool(struct json_cursor *c, bool *out);
/* Steps over one value of any kind and returns it whole. */
struct json_span json_cursor_skip(struct json_cursor *c);
/* The value of a key of the object `object`; false if it is absent. Compared after unescaping, with case. */
bool json_span_find(struct json_span object, const char *key, struct json_span *value);

/* Writes the string without escapes, at most span.length bytes and no final NUL; returns their number. */
size_t json_unescape(struct json_span string, char *out);
/* Compared after unescaping. */
bool json_span_is(struct json_span string, const char *text);

#endif
