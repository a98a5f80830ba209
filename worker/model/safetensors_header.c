/* safetensors_header.c: one header of a safetensors file, refused unless every byte of the file is accounted for.
 * Reads text in memory only; the rows S1 to S14 of the catalogue of hostile input are its specification. */
#include "worker/model/safetensors_header.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [DTYPE_BOOL] = {"BOOL", 1},       [DTYPE_U8] = {"U8", 1},           [DTYPE_I8] = {"I8", 1},
    [DTYPE_F8_E4M3] = {"F8_E4M3", 1}, [DTYPE_F8_E5M2] = {"F8_E5M2", 1}, [DTYPE_I16] = {"I16", 2},
    [DTYPE_U16] = {"U16", 2},         [DTYPE_F16] = {"F16", 2},         [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_I32] = {"I32", 4},         [DTYPE_U32] = {"U32", 4},         [DTYPE_F32] = {"F32", 4},
    [DTYPE_F64] = {"F64", 8},         [DTYPE_I64] = {"I64", 8},         [DTYPE_U64] = {"U64", 8},
};

size_t tensor_dtype_bytes(enum tensor_dtype dtype)
{
    return (size_t)dtype < ARRAY_LENGTH(dtypes) ? dtypes[dtype].bytes : 0;
}

const char *tensor_dtype_name(enum tensor_dtype dtype)
{
    return (size_t)dtype < ARRAY_LENGTH(dtypes) ? dtypes[dtype].name : "?";
}

struct reader {
    const char *file; /* for messages */
    unsigned file_index;
    uint64_t data_start, data_bytes;
    struct error *err;
};

static enum status invalid(const struct reader *r, const struct tensor_info *tensor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum status invalid(const struct reader *r, const struct tensor_info *tensor, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (!tensor) return fail(r->err, DOCKET_CORRUPT, CODE_model_header_invalid, "%s: %s", r->file, what);
    return fail(r->err, DOCKET_CORRUPT, CODE_model_header_invalid, "%s: tensor %.160s: %s", r->file, tensor->name,
                what);
}

static enum status no_memory(const struct reader *r)
{
    return fail(r->err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for its header", r->file);
}

enum status safetensors_header_length(uint64_t *length, const void *first, size_t n_first, uint64_t file_bytes,
                                      const char *name, struct error *err)
{
    struct reader r = {.file = name, .err = err};
    const unsigned char *bytes = first;
    uint64_t n = 0;
    if (file_bytes < 8 || n_first < 8)
        return invalid(&r, NULL, "%llu bytes: too short for a safetensors file",
                       (unsigned long long)(file_bytes < n_first ? file_bytes : n_first));
    for (int i = 7; i >= 0; i--) n = n << 8 | bytes[i];
    if (n > SAFETENSORS_MAX_HEADER)
        return invalid(&r, NULL, "a header of %llu bytes at offset 0, at most %u are read", (unsigned long long)n,
                       SAFETENSORS_MAX_HEADER);
    if (n > file_bytes - 8)
        return invalid(&r, NULL, "a header of %llu bytes at offset 0 in a file of %llu bytes", (unsigned long long)n,
                       (unsigned long long)file_bytes);
    if (n < 2) return invalid(&r, NULL, "a header of %llu bytes at offset 0", (unsigned long long)n);
    *length = n;
    return DOCKET_OK;
}

static enum status read_dtype(const struct reader *r, struct json_cursor *c, struct tensor_info *t)
{
    struct json_span text;
    if (!json_cursor_string(c, &text)) return invalid(r, t, "dtype: want a string");
    for (size_t i = 0; i < ARRAY_LENGTH(dtypes); i++)
        if (json_span_is(text, dtypes[i].name)) {
            t->dtype = (enum tensor_dtype)i;
            return DOCKET_OK;
        }
    return invalid(r, t, "dtype \"%.*s\" is not known", text.length > 40 ? 40 : (int)text.length, text.text);
}

static enum status bad_number(const struct reader *r, const struct tensor_info *t, struct json_cursor *c,
                              const char *what)
{
    struct json_span found = json_cursor_skip(c);
    return invalid(r, t, "%s: want whole numbers below 2^53 in plain digits, got %.*s", what,
                   found.length > 40 ? 40 : (int)found.length, found.text);
}

static enum status read_shape(const struct reader *r, struct json_cursor *c, struct tensor_info *t)
{
    if (json_cursor_kind(c) != JSON_ARRAY) return invalid(r, t, "shape: want an array");
    json_cursor_enter(c);
    while (json_cursor_element(c)) {
        if (t->rank == TENSOR_MAX_RANK) return invalid(r, t, "shape: more than %d dimensions", TENSOR_MAX_RANK);
        if (!json_cursor_integer(c, &t->shape[t->rank++])) return bad_number(r, t, c, "shape");
    }
    return DOCKET_OK;
}

static enum status read_offsets(const struct reader *r, struct json_cursor *c, struct tensor_info *t, uint64_t *end)
{
    uint64_t values[2];
    size_t n = 0;
    if (json_cursor_kind(c) != JSON_ARRAY) return invalid(r, t, "data_offsets: want an array");
    json_cursor_enter(c);
    while (json_cursor_element(c)) {
        if (n == 2) return invalid(r, t, "data_offsets: want two numbers, got more");
        if (!json_cursor_integer(c, &values[n++])) return bad_number(r, t, c, "data_offsets");
    }
    if (n != 2) return invalid(r, t, "data_offsets: want two numbers, got %zu", n);
    t->offset = values[0];
    *end = values[1];
    return DOCKET_OK;
}

/* Sizes from the shape; a tensor is empty because a dimension is 0, never because a product wrapped round to it. */
static enum status check_size(const struct reader *r, struct tensor_info *t, uint64_t end)
{
    uint64_t elements = 1, bytes;
    bool empty = false;
    for (unsigned i = 0; i < t->rank; i++) {
        if (t->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(elements, t->shape[i], &elements))
            return invalid(r, t, "shape: the product of the dimensions does not fit in 64 bits");
    }
    if (__builtin_mul_overflow(elements, (uint64_t)tensor_dtype_bytes(t->dtype), &bytes))
        return invalid(r, t, "shape: %llu elements of %s do not fit in 64 bits", (unsigned long long)elements,
                       tensor_dtype_name(t->dtype));
    t->n_elements = empty ? 0 : elements;
    t->size_bytes = empty ? 0 : bytes;
    if (end < t->offset)
        return invalid(r, t, "data_offsets [%llu, %llu] are reversed", (unsigned long long)t->offset,
                       (unsigned long long)end);
    if (end - t->offset != t->size_bytes)
        return invalid(r, t, "data_offsets [%llu, %llu] span %llu bytes, the shape in %s takes %llu",
                       (unsigned long long)t->offset, (unsigned long long)end, (unsigned long long)(end - t->offset),
                       tensor_dtype_name(t->dtype), (unsigned long long)t->size_bytes);
    if (end > r->data_bytes)
        return invalid(r, t, "ends at offset %llu, the file is cut short at %llu",
                       (unsigned long long)(r->data_start + end), (unsigned long long)(r->data_start + r->data_bytes));
    return DOCKET_OK;
}

static enum status read_tensor(const struct reader *r, struct json_cursor *c, struct tensor_info *t)
{
    bool dtype = false, shape = false, offsets = false;
    struct json_span key;
    uint64_t end = 0;
    enum status st = DOCKET_OK;
    if (json_cursor_kind(c) != JSON_OBJECT) return invalid(r, t, "want an object");
    json_cursor_enter(c);
    while (st == DOCKET_OK && json_cursor_member(c, &key)) {
        if (json_span_is(key, "dtype")) {
            dtype = true;
            st = read_dtype(r, c, t);
        } else if (json_span_is(key, "shape")) {
            shape = true;
            st = read_shape(r, c, t);
        } else if (json_span_is(key, "data_offsets")) {
            offsets = true;
            st = read_offsets(r, c, t, &end);
        } else
            st = invalid(r, t, "key \"%.*s\" is not known", key.length > 40 ? 40 : (int)key.length, key.text);
    }
    if (st != DOCKET_OK) return st;
    if (!dtype || !shape || !offsets)
        return invalid(r, t, "%s is missing", !dtype ? "dtype" : !shape ? "shape" : "data_offsets");
    return check_size(r, t, end);
}

static enum status check_metadata(const struct reader *r, struct json_cursor *c)
{
    struct json_span key, value;
    if (json_cursor_kind(c) != JSON_OBJECT) return invalid(r, NULL, "__metadata__: want an object");
    json_cursor_enter(c);
    while (json_cursor_member(c, &key))
        if (!json_cursor_string(c, &value))
            return invalid(r, NULL, "__metadata__.%.*s: want a string", key.length > 40 ? 40 : (int)key.length,
                           key.text);
    return DOCKET_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor_info *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->size_bytes != y->size_bytes) return x->size_bytes < y->size_bytes ? -1 : 1;
    return strcmp(x->name, y->name); /* empty ones at the same place */
}

/* No hole, no overlap, from the first byte behind the header to the last of the file. */
static enum status check_layout(const struct reader *r, struct safetensors_header *h)
{
    uint64_t at = 0;
    qsort(h->tensors, h->n_tensors, sizeof(*h->tensors), by_offset);
    for (size_t i = 0; i < h->n_tensors; i++) {
        struct tensor_info *t = &h->tensors[i];
        if (t->offset < at)
            return invalid(r, t, "begins at offset %llu, inside the tensor before it, which ends at %llu",
                           (unsigned long long)(r->data_start + t->offset), (unsigned long long)(r->data_start + at));
        if (t->offset > at)
            return invalid(r, t, "begins at offset %llu, a hole of %llu bytes lies before it",
                           (unsigned long long)(r->data_start + t->offset), (unsigned long long)(t->offset - at));
        at += t->size_bytes;
        t->offset += r->data_start;
    }
    if (at != r->data_bytes)
        return invalid(r, NULL, "%llu bytes after the last tensor, from offset %llu",
                       (unsigned long long)(r->data_bytes - at), (unsigned long long)(r->data_start + at));
    return DOCKET_OK;
}

/* Number of tensors and the bytes that their names take. */
static enum status measure(const struct reader *r, struct json_cursor c, size_t *n_tensors, size_t *name_bytes)
{
    struct json_span key;
    json_cursor_enter(&c);
    while (json_cursor_member(&c, &key)) {
        json_cursor_skip(&c);
        if (json_span_is(key, "__metadata__")) continue;
        *n_tensors += 1;
        *name_bytes += key.length + 1;
        if (*n_tensors > SAFETENSORS_MAX_TENSORS)
            return invalid(r, NULL, "more than %u tensors", SAFETENSORS_MAX_TENSORS);
    }
    return DOCKET_OK;
}

static enum status read_tensors(const struct reader *r, struct json_cursor c, struct safetensors_header *h)
{
    struct json_span key;
    char *name = h->names;
    enum status st = DOCKET_OK;
    json_cursor_enter(&c);
    while (st == DOCKET_OK && json_cursor_member(&c, &key)) {
        if (json_span_is(key, "__metadata__")) {
            st = check_metadata(r, &c);
            continue;
        }
        struct tensor_info *t = &h->tensors[h->n_tensors++];
        *t = (struct tensor_info){.name = name, .file = r->file_index};
        name += json_unescape(key, name);
        *name++ = '\0';
        st = read_tensor(r, &c, t);
    }
    return st;
}

enum status safetensors_header_parse(struct safetensors_header *out, const char *json, size_t length,
                                     uint64_t file_bytes, unsigned file, const char *name, struct error *err)
{
    /* eight values a tensor, and some for metadata; the keys are those of one object and its child */
    const struct json_limits limits = {.max_bytes = SAFETENSORS_MAX_HEADER,
                                       .max_depth = 4,
                                       .max_values = 10 * (size_t)SAFETENSORS_MAX_TENSORS,
                                       .max_keys = SAFETENSORS_MAX_TENSORS + 1000};
    struct reader r = {.file = name,
                       .file_index = file,
                       .data_start = 8 + (uint64_t)length,
                       .data_bytes = file_bytes - 8 - length,
                       .err = err};
    struct safetensors_header header = {0};
    struct json_cursor c = json_cursor_of(json, length);
    size_t n_tensors = 0, name_bytes = 0;
    enum status st = json_gate(json, length, &limits, err);
    if (st != DOCKET_OK) {
        if (err && st != DOCKET_NO_MEMORY) err->code = CODE_model_header_invalid;
        error_prefix(err, "%s: header", name);
        return st;
    }
    if (json_cursor_kind(&c) != JSON_OBJECT) return invalid(&r, NULL, "the header is not a JSON object");
    if ((st = measure(&r, c, &n_tensors, &name_bytes)) != DOCKET_OK) return st;
    header.tensors = mem_zalloc(n_tensors, sizeof(*header.tensors));
    header.names = mem_alloc(name_bytes);
    if (!header.tensors || !header.names)
        st = no_memory(&r);
    else if ((st = read_tensors(&r, c, &header)) == DOCKET_OK)
        st = check_layout(&r, &header);
    if (st == DOCKET_OK) MOVE(*out, header);
    safetensors_header_free(&header);
    return st;
}

void safetensors_header_free(struct safetensors_header *header)
{
    mem_free(header->tensors);
    mem_free(header->names);
    *header = (struct safetensors_header){0};
}

enum status safetensors_check(const void *bytes, size_t length, uint64_t file_bytes, size_t *n_tensors,
                              struct error *err)
{
    struct safetensors_header header = {0};
    uint64_t n = 0;
    enum status st = safetensors_header_length(&n, bytes, length, file_bytes, "header", err);
    if (st != DOCKET_OK) return st;
    if (n > length - 8)
        return fail(err, DOCKET_CORRUPT, CODE_model_header_invalid, "a header of %llu bytes, only %zu are here",
                    (unsigned long long)n, length - 8);
    st = safetensors_header_parse(&header, (const char *)bytes + 8, (size_t)n, file_bytes, 0, "header", err);
    if (st == DOCKET_OK && n_tensors) *n_tensors = header.n_tensors;
    safetensors_header_free(&header);
    return st;
}
