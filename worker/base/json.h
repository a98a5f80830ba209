/* json.h: the strict gate in front of cJSON, typed access with a path in every message, and a writer.
 * The gate checks what cJSON lets through: grammar to the last byte, UTF-8, depth, number of values, duplicate keys, lone
 * surrogates, NUL escapes, numbers that are not finite. Schemas belong to the callers. */
#ifndef DOCKET_BASE_JSON_H
#define DOCKET_BASE_JSON_H

#include "worker/base/buffer.h"

#include <cjson/cJSON.h>

struct json_limits {
    size_t max_bytes;   /* 0: 20 MiB */
    size_t max_depth;   /* 0: 32 */
    size_t max_values;  /* 0: 500,000 */
    size_t max_keys;    /* of the objects open at one time, which the gate holds in memory; 0: max_values */
    bool nul_in_values; /* "\u0000" passes in values (never in keys) and is parsed as JSON_NUL_MARK */
};
/* A byte that no UTF-8 has: what stands in parsed strings where the JSON had \u0000. The caller takes it out. */
#define JSON_NUL_MARK '\xff'

/* DOCKET_OK if the bytes are one JSON document within the limits. Error codes job_malformed, job_too_large, job_too_deep,
 * job_encoding_invalid, job_field_duplicate, job_field_invalid (number not finite); messages name byte offset or path. */
enum status json_gate(const char *text, size_t length, const struct json_limits *limits, struct error *err);
/* Gate, then cJSON. The caller deletes *out. */
enum status json_parse(cJSON **out, const char *text, size_t length, const struct json_limits *limits,
                       struct error *err);

/* Typed access. `path` is where `object` stands ("$", "documents[3]" or ""). Missing and null give DOCKET_OK with *present false
 * (present may be NULL: then missing is an error). Wrong type or range: BAD_INPUT, job_field_invalid, naming path and value. */
enum status json_get_string(const cJSON *object, const char *path, const char *key, const char **out, bool *present,
                            struct error *err);
enum status json_get_bool(const cJSON *object, const char *path, const char *key, bool *out, bool *present,
                          struct error *err);
enum status json_get_number(const cJSON *object, const char *path, const char *key, double low, double high,
                            double *out, bool *present, struct error *err);
/* Integers below 2^53 exactly; fractions are refused. */
enum status json_get_integer(const cJSON *object, const char *path, const char *key, int64_t low, int64_t high,
                             int64_t *out, bool *present, struct error *err);
enum status json_get_object(const cJSON *object, const char *path, const char *key, const cJSON **out, bool *present,
                            struct error *err);
enum status json_get_array(const cJSON *object, const char *path, const char *key, const cJSON **out, bool *present,
                           struct error *err);
/* Any key of `object` outside the NULL-terminated list: job_field_unknown with the nearest known key. */
enum status json_only_keys(const cJSON *object, const char *path, const char *const *known, struct error *err);
/* The value as short text for a message: `"abc…"`, `-3`, `an array`. */
void json_describe(const cJSON *value, char *out, size_t out_bytes);

/* true if the bytes are valid UTF-8 (no surrogates, no overlong forms). *bad is the offset of the first wrong byte. */
bool utf8_valid(const char *text, size_t length, size_t *bad);
/* Bytes of the character at text (1 to 4), 0 if invalid or length is 0. */
size_t utf8_next(const char *text, size_t length, uint32_t *code_point);
size_t utf8_put(uint32_t code_point, char out[4]);

/* Writes into a buffer that the caller checks at the end. Keys are NULL inside arrays. Doubles that are not finite become null. */
struct json_writer {
    struct buffer *out;
    bool comma;
    bool spaced; /* Python's style: a space after ',' and ':' */
};
void json_begin_object(struct json_writer *w, const char *key);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w, const char *key);
void json_end_array(struct json_writer *w);
void json_put_string(struct json_writer *w, const char *key, const char *text); /* NULL writes null */
void json_put_string_n(struct json_writer *w, const char *key, const char *text, size_t length);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_i64(struct json_writer *w, const char *key, int64_t value);
void json_put_u64(struct json_writer *w, const char *key, uint64_t value);
void json_put_double(struct json_writer *w, const char *key, double value); /* shortest text that reads back equal */
void json_put_fixed(struct json_writer *w, const char *key, double value, int decimals);
void json_put_null(struct json_writer *w, const char *key);
void json_put_raw(struct json_writer *w, const char *key, const char *json); /* already JSON */
/* Appends the characters escaped, without quotes; invalid UTF-8 becomes U+FFFD; ascii escapes all beyond 0x7e. */
void json_escape(struct buffer *out, const char *text, size_t length, bool ascii);

#endif
