/* cJSON.h: a stand-in for the words of cJSON, for programs that write JSON and read none: every text is refused. */
#ifndef DOCKET_TESTS_GPU_CJSON_H
#define DOCKET_TESTS_GPU_CJSON_H

#include <stddef.h>

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

#define cJSON_String (1 << 4)
#define cJSON_ArrayForEach(element, array)                                                                             \
    for (element = (array) != NULL ? (array)->child : NULL; element != NULL; element = element->next)

static inline void cJSON_InitHooks(cJSON_Hooks *hooks)
{
    (void)hooks;
}
static inline cJSON *cJSON_ParseWithLength(const char *text, size_t length)
{
    (void)text;
    (void)length;
    return NULL;
}
static inline void cJSON_Delete(cJSON *item)
{
    (void)item;
}
static inline cJSON *cJSON_GetObjectItemCaseSensitive(const cJSON *object, const char *key)
{
    (void)object;
    (void)key;
    return NULL;
}
static inline cJSON *cJSON_GetArrayItem(const cJSON *array, int index)
{
    (void)array;
    (void)index;
    return NULL;
}
static inline int cJSON_GetArraySize(const cJSON *array)
{
    (void)array;
    return 0;
}
#define CJSON_IS(name)                                                                                                 \
    static inline cJSON_bool cJSON_Is##name(const cJSON *item)                                                         \
    {                                                                                                                  \
        (void)item;                                                                                                    \
        return 0;                                                                                                      \
    }
CJSON_IS(Array)
CJSON_IS(Bool)
CJSON_IS(False)
CJSON_IS(Null)
CJSON_IS(Number)
CJSON_IS(Object)
CJSON_IS(String)
CJSON_IS(True)
#undef CJSON_IS

#endif
