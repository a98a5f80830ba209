/* json.c: parsing behind the gate, and typed access that names the path and the value in every message. */
#include "worker/base/json.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAX_EXACT INT64_C(9007199254740991) /* 2^53 - 1: doubles hold every integer up to here */

static void set_hooks(void)
{
    cJSON_Hooks hooks = {mem_alloc, mem_free};
    cJSON_InitHooks(&hooks);
}

/* "\u0000" in a value would end the C string early; a byte that no UTF-8 has stands in its place. */
static char *mark_nul_escapes(const char *text, size_t *length)
{
    size_t n = *length, out = 0;
    char *copy = str_dup_n(text, n);
    if (!copy) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\' && n - i >= 6 && memcmp(text + i + 1, "u0000", 5) == 0) {
            copy[out++] = JSON_NUL_MARK;
            i += 5;
            continue;
        }
        copy[out++] = text[i];
        if (text[i] == '\\' && i + 1 < n) copy[out++] = text[++i];
    }
    copy[out] = '\0';
    *length = out;
    return copy;
}

enum status json_parse(cJSON **out, const char *text, size_t length, const struct json_limits *limits,
                       struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_hooks);
    *out = NULL;
    enum status st = json_gate(text, length, limits, err);
    if (st != DOCKET_OK) return st;
    char *copy = NULL;
    if (limits && limits->nul_in_values && memmem(text, length, "\\u0000", 6)) {
        copy = mark_nul_escapes(text, &length);
        if (!copy) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read %zu bytes of JSON", length);
    }
    *out = cJSON_ParseWithLength(copy ? copy : text, length);
    mem_free(copy);
    if (!*out) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read %zu bytes of JSON", length);
    return DOCKET_OK;
}

void json_describe(const cJSON *value, char *out, size_t out_bytes)
{
    if (!value || cJSON_IsNull(value))
        snprintf(out, out_bytes, "null");
    else if (cJSON_IsBool(value))
        snprintf(out, out_bytes, "%s", cJSON_IsTrue(value) ? "true" : "false");
    else if (cJSON_IsNumber(value))
        snprintf(out, out_bytes, "%.15g", value->valuedouble);
    else if (cJSON_IsArray(value))
        snprintf(out, out_bytes, "an array");
    else if (cJSON_IsObject(value))
        snprintf(out, out_bytes, "an object");
    else {
        size_t n = strlen(value->valuestring), cut = n > 40 ? 40 : n;
        while (cut < n && cut > 0 && ((unsigned char)value->valuestring[cut] & 0xc0) == 0x80) cut--;
        snprintf(out, out_bytes, "\"%.*s%s\"", (int)cut, value->valuestring, cut < n ? "…" : "");
    }
}

static const char *dot(const char *path)
{
    return *path ? "." : "";
}

static enum status wrong(const char *path, const char *key, const cJSON *value, const char *want, struct error *err)
{
    char found[128];
    json_describe(value, found, sizeof(found));
    return fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s%s%s: want %s, got %s", path, dot(path), key, want,
                found);
}

/* NULL with *st set when there is nothing more to do for this key. */
static const cJSON *find(const cJSON *object, const char *path, const char *key, bool *present, enum status *st,
                         struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    *st = DOCKET_OK;
    if (value && cJSON_IsNull(value)) value = NULL;
    if (present)
        *present = value != NULL;
    else if (!value)
        *st = fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s%s%s: missing", path, dot(path), key);
    return value;
}

enum status json_get_string(const cJSON *object, const char *path, const char *key, const char **out, bool *present,
                            struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (!cJSON_IsString(value)) return wrong(path, key, value, "a string", err);
    *out = value->valuestring;
    return DOCKET_OK;
}

enum status json_get_bool(const cJSON *object, const char *path, const char *key, bool *out, bool *present,
                          struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (!cJSON_IsBool(value)) return wrong(path, key, value, "true or false", err);
    *out = cJSON_IsTrue(value);
    return DOCKET_OK;
}

enum status json_get_number(const cJSON *object, const char *path, const char *key, double low, double high,
                            double *out, bool *present, struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= low && value->valuedouble <= high)) {
        char want[80];
        snprintf(want, sizeof(want), "a number from %g to %g", low, high);
        return wrong(path, key, value, want, err);
    }
    *out = value->valuedouble;
    return DOCKET_OK;
}

enum status json_get_integer(const cJSON *object, const char *path, const char *key, int64_t low, int64_t high,
                             int64_t *out, bool *present, struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (low < -MAX_EXACT) low = -MAX_EXACT;
    if (high > MAX_EXACT) high = MAX_EXACT;
    double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    if (!(number >= (double)low && number <= (double)high) || number != floor(number)) {
        char want[80];
        snprintf(want, sizeof(want), "a whole number from %lld to %lld", (long long)low, (long long)high);
        return wrong(path, key, value, want, err);
    }
    *out = (int64_t)number;
    return DOCKET_OK;
}

enum status json_get_object(const cJSON *object, const char *path, const char *key, const cJSON **out, bool *present,
                            struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (!cJSON_IsObject(value)) return wrong(path, key, value, "an object", err);
    *out = value;
    return DOCKET_OK;
}

enum status json_get_array(const cJSON *object, const char *path, const char *key, const cJSON **out, bool *present,
                           struct error *err)
{
    enum status st;
    const cJSON *value = find(object, path, key, present, &st, err);
    if (!value) return st;
    if (!cJSON_IsArray(value)) return wrong(path, key, value, "an array", err);
    *out = value;
    return DOCKET_OK;
}

/* Edits (insert, delete, replace, swap neighbours) between two short words, at most 8 looked at. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][65], n = strlen(a), m = strlen(b);
    if (n > 64 || m > 64) return 99;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

static bool is_known(const char *key, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(key, *known) == 0) return true;
    return false;
}

enum status json_only_keys(const cJSON *object, const char *path, const char *const *known, struct error *err)
{
    const cJSON *item = object->child;
    while (item && is_known(item->string, known)) item = item->next;
    if (!item) return DOCKET_OK;
    const char *nearest = NULL;
    size_t best = 4;
    for (const char *const *k = known; *k; k++) {
        size_t d = distance(item->string, *k);
        if (d < best && d < strlen(*k)) {
            best = d;
            nearest = *k;
        }
    }
    char shown[64];
    json_describe(&(cJSON){.type = cJSON_String, .valuestring = item->string}, shown, sizeof(shown));
    int n = (int)strlen(shown) - 2; /* without its quotes */
    if (nearest)
        return fail(err, DOCKET_BAD_INPUT, CODE_job_field_unknown, "%s%s%.*s: unknown key; did you mean %s?", path,
                    dot(path), n, shown + 1, nearest);
    return fail(err, DOCKET_BAD_INPUT, CODE_job_field_unknown, "%s%s%.*s: unknown key", path, dot(path), n, shown + 1);
}
