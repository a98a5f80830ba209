/* What the gate lets through, cJSON reads whole, prints back the same, and the cursor finds the same values in it. */
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(struct json_span raw, const char *want)
{
    char *text = mem_alloc(raw.length + 1);
    assert(text);
    size_t n = json_unescape(raw, text);
    assert(n <= raw.length && n == strlen(want) && memcmp(text, want, n) == 0 && json_span_is(raw, want));
    mem_free(text);
}

/* The value at the cursor against the same one in the tree. */
static void check_value(struct json_cursor *c, const cJSON *value)
{
    struct json_span raw;
    uint64_t integer;
    bool flag;
    switch (json_cursor_kind(c)) {
    case JSON_OBJECT:
    case JSON_ARRAY: {
        bool object = cJSON_IsObject(value);
        const cJSON *item = value->child;
        assert(object || cJSON_IsArray(value));
        json_cursor_enter(c);
        while (object ? json_cursor_member(c, &raw) : json_cursor_element(c)) {
            assert(item);
            if (object) check_string(raw, item->string);
            check_value(c, item);
            item = item->next;
        }
        assert(!item);
        break;
    }
    case JSON_STRING:
        assert(json_cursor_string(c, &raw) && cJSON_IsString(value));
        check_string(raw, value->valuestring);
        break;
    case JSON_NUMBER:
        assert(cJSON_IsNumber(value) && isfinite(value->valuedouble));
        if (json_cursor_integer(c, &integer))
            assert((double)integer == value->valuedouble);
        else
            json_cursor_skip(c);
        break;
    case JSON_BOOL:
        assert(json_cursor_bool(c, &flag) && flag == cJSON_IsTrue(value));
        break;
    case JSON_NULL:
        assert(cJSON_IsNull(value));
        json_cursor_skip(c);
        break;
    case JSON_NOTHING:
        assert(false);
    }
}

static bool equal(const cJSON *a, const cJSON *b)
{
    if ((a->type & 0xff) != (b->type & 0xff)) return false;
    if (cJSON_IsString(a) && strcmp(a->valuestring, b->valuestring) != 0) return false;
    /* cJSON prints 15 digits where that is nearly the number */
    if (cJSON_IsNumber(a) && !(fabs(a->valuedouble - b->valuedouble) <= fabs(a->valuedouble) * DBL_EPSILON))
        return false;
    a = a->child;
    b = b->child;
    for (; a && b; a = a->next, b = b->next) {
        if (a->string && strcmp(a->string, b->string) != 0) return false;
        if (!equal(a, b)) return false;
    }
    return !a && !b;
}

/* Numbers that become infinite when they are rounded up to 15 digits. */
static bool near_the_end(const cJSON *value)
{
    if (cJSON_IsNumber(value) && fabs(value->valuedouble) > 1.797e308) return true;
    for (const cJSON *item = value->child; item; item = item->next)
        if (near_the_end(item)) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_limits limits = {.max_values = 100000};
    const char *text = (const char *)data;
    struct error err = {0};
    cJSON *tree = NULL, *again = NULL;
    enum status st = json_gate(text, size, &limits, &err);
    assert(st == DOCKET_OK || (st == DOCKET_BAD_INPUT && err.code != CODE_NONE && err.message[0]));
    assert(json_parse(&tree, text, size, &limits, &err) == st && (tree != NULL) == (st == DOCKET_OK));
    if (st != DOCKET_OK) return 0;
    struct json_cursor c = json_cursor_of(text, size), skipping = c;
    check_value(&c, tree);
    assert(json_cursor_kind(&c) == JSON_NOTHING && c.at == c.end);
    json_cursor_skip(&skipping);
    assert(json_cursor_kind(&skipping) == JSON_NOTHING && skipping.at == skipping.end);
    if (!near_the_end(tree)) {
        char *printed = cJSON_PrintUnformatted(tree);
        assert(printed && json_parse(&again, printed, strlen(printed), &limits, &err) == DOCKET_OK);
        assert(equal(tree, again));
        cJSON_free(printed);
    }
    cJSON_Delete(tree);
    cJSON_Delete(again);
    return 0;
}
