/* cJSON.h: a stand-in for the words of cJSON that are used, on machines without it: a tree out of docket's own cursor, which reads what
 * its gate has passed, as json_parse does with cJSON itself. */
#ifndef DOCKET_TESTS_GPU_CJSON_H
#define DOCKET_TESTS_GPU_CJSON_H

#include "worker/base/json_cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int cJSON_bool;
typedef struct cJSON {
    struct cJSON *next, *prev, *child;
    int type, valueint;
    char *valuestring, *string;
    double valuedouble;
} cJSON;
typedef struct cJSON_Hooks {
    void *(*malloc_fn)(size_t size);
    void (*free_fn)(void *memory);
} cJSON_Hooks;

enum {
    cJSON_False = 1 << 0,
    cJSON_True = 1 << 1,
    cJSON_NULL = 1 << 2,
    cJSON_Number = 1 << 3,
    cJSON_String = 1 << 4,
    cJSON_Array = 1 << 5,
    cJSON_Object = 1 << 6
};

#define cJSON_ArrayForEach(element, array)                                                                             \
    for (element = (array) != NULL ? (array)->child : NULL; element != NULL; element = element->next)

static inline void cJSON_InitHooks(cJSON_Hooks *hooks)
{
    (void)hooks;
}

static inline void cJSON_Delete(cJSON *item)
{
    while (item != NULL) {
        cJSON *next = item->next;
        cJSON_Delete(item->child);
        free(item->valuestring);
        free(item->string);
        free(item);
        item = next;
    }
}

static inline char *cJSON_text(struct json_span span)
{
    char *text = (char *)malloc(span.length + 1);
    if (text != NULL) text[json_unescape(span, text)] = '\0';
    return text;
}

static inline cJSON *cJSON_read(struct json_cursor *c);

/* The members of the object or the elements of the array at the cursor; false: no memory. */
static inline int cJSON_read_children(cJSON *of, struct json_cursor *c)
{
    cJSON *last = NULL, *child;
    struct json_span key;
    if (!json_cursor_enter(c)) return 0;
    while (of->type == cJSON_Object ? json_cursor_member(c, &key) : json_cursor_element(c)) {
        if ((child = cJSON_read(c)) == NULL) return 0;
        if (last != NULL)
            last->next = child;
        else
            of->child = child;
        child->prev = last;
        last = child;
        if (of->type == cJSON_Object && (child->string = cJSON_text(key)) == NULL) return 0;
    }
    return 1;
}

static inline cJSON *cJSON_read(struct json_cursor *c)
{
    cJSON *item = (cJSON *)calloc(1, sizeof *item);
    struct json_span span;
    char number[64];
    bool truth = false;
    int good = item != NULL;
    if (good) switch (json_cursor_kind(c)) {
        case JSON_OBJECT:
        case JSON_ARRAY:
            item->type = json_cursor_kind(c) == JSON_OBJECT ? cJSON_Object : cJSON_Array;
            good = cJSON_read_children(item, c);
            break;
        case JSON_STRING:
            item->type = cJSON_String;
            good = json_cursor_string(c, &span) && (item->valuestring = cJSON_text(span)) != NULL;
            break;
        case JSON_NUMBER:
            item->type = cJSON_Number;
            span = json_cursor_skip(c);
            snprintf(number, sizeof number, "%.*s", (int)span.length, span.text);
            item->valuedouble = strtod(number, NULL);
            item->valueint = (int)item->valuedouble;
            break;
        case JSON_BOOL:
            json_cursor_bool(c, &truth);
            item->type = truth ? cJSON_True : cJSON_False;
            break;
        default:
            item->type = cJSON_NULL;
            json_cursor_skip(c);
        }
    if (good) return item;
    cJSON_Delete(item);
    return NULL;
}

static inline cJSON *cJSON_ParseWithLength(const char *text, size_t length)
{
    struct json_cursor c = json_cursor_of(text, length);
    return cJSON_read(&c);
}

static inline cJSON *cJSON_GetObjectItemCaseSensitive(const cJSON *object, const char *key)
{
    cJSON *item = object != NULL ? object->child : NULL;
    while (item != NULL && (item->string == NULL || strcmp(item->string, key) != 0)) item = item->next;
    return item;
}
static inline cJSON *cJSON_GetArrayItem(const cJSON *array, int index)
{
    cJSON *item = array != NULL ? array->child : NULL;
    for (; item != NULL && index > 0; index--) item = item->next;
    return item;
}
static inline int cJSON_GetArraySize(const cJSON *array)
{
    int n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) n++;
    return n;
}
#define CJSON_IS(name, types)                                                                                          \
    static inline cJSON_bool cJSON_Is##name(const cJSON *item)                                                         \
    {                                                                                                                  \
        return item != NULL && (item->type & (types)) != 0;                                                            \
    }
CJSON_IS(Array, cJSON_Array)
CJSON_IS(Bool, cJSON_True | cJSON_False)
CJSON_IS(False, cJSON_False)
CJSON_IS(Null, cJSON_NULL)
CJSON_IS(Number, cJSON_Number)
CJSON_IS(Object, cJSON_Object)
CJSON_IS(String, cJSON_String)
CJSON_IS(True, cJSON_True)
#undef CJSON_IS

#endif
