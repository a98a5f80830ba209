/* quant_state.c: reads what stands in `….quant_state.bitsandbytes__nf4` and `…__fp4`. */
#include "worker/model/quant_state.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <string.h>

#define MAX_ELEMENTS ((uint64_t)1 << 48)

static enum status wrong(struct error *err, enum status status, const char *key, const cJSON *value, const char *want)
{
    char found[128];
    json_describe(value, found, sizeof(found));
    return fail(err, status, CODE_model_tensor_invalid, "$.%s: want %s, got %s", key, want, found);
}

/* Block sizes that the library makes: powers of two. */
static enum status read_block(const cJSON *root, const char *key, uint32_t *out, struct error *err)
{
    int64_t size = 0;
    enum status st = json_get_integer(root, "$", key, 32, 4096, &size, NULL, err);
    if (st == DOCKET_OK && (size & (size - 1)) != 0)
        return wrong(err, DOCKET_CORRUPT, key, cJSON_GetObjectItemCaseSensitive(root, key), "a power of two");
    *out = (uint32_t)size;
    return st;
}

static enum status read_shape(const cJSON *root, struct quant_state *s, struct error *err)
{
    const cJSON *shape = NULL, *one;
    enum status st = json_get_array(root, "$", "shape", &shape, NULL, err);
    if (st != DOCKET_OK) return st;
    s->n_elements = 1;
    cJSON_ArrayForEach(one, shape)
    {
        double n = cJSON_IsNumber(one) ? one->valuedouble : -1;
        if (s->rank == QUANT_STATE_MAX_RANK || !(n >= 1 && n < (double)MAX_ELEMENTS) || n != floor(n))
            return wrong(err, DOCKET_CORRUPT, "shape", one, "up to 3 whole numbers of at least 1");
        s->shape[s->rank++] = (uint64_t)n;
        if (__builtin_mul_overflow(s->n_elements, (uint64_t)n, &s->n_elements) || s->n_elements >= MAX_ELEMENTS)
            return wrong(err, DOCKET_CORRUPT, "shape", one, "fewer than 2^48 elements in all");
    }
    return s->rank ? DOCKET_OK : wrong(err, DOCKET_CORRUPT, "shape", shape, "up to 3 whole numbers of at least 1");
}

static enum status read_name(const cJSON *root, const char *key, const char *const *allowed, const char *want,
                             size_t *which, struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, key);
    for (size_t i = 0; allowed[i] && cJSON_IsString(value); i++)
        if (strcmp(value->valuestring, allowed[i]) == 0) {
            *which = i;
            return DOCKET_OK;
        }
    return wrong(err, DOCKET_UNSUPPORTED, key, value, want);
}

static enum status read_nesting(const cJSON *root, struct quant_state *s, struct error *err)
{
    static const char *const single[] = {"float32", NULL};
    double offset = 0;
    size_t which;
    const cJSON *block = cJSON_GetObjectItemCaseSensitive(root, "nested_blocksize");
    if (!block || cJSON_IsNull(block)) return DOCKET_OK;
    s->nested = true;
    enum status st = read_block(root, "nested_blocksize", &s->nested_block_size, err);
    if (st == DOCKET_OK) st = read_name(root, "nested_dtype", single, "\"float32\"", &which, err);
    if (st == DOCKET_OK) st = json_get_number(root, "$", "nested_offset", -3e38, 3e38, &offset, NULL, err);
    s->nested_offset = (float)offset; /* printed from a float: exact */
    return st;
}

static enum status read_all(const cJSON *root, struct quant_state *s, struct error *err)
{
    static const char *const types[] = {"nf4", "fp4", "q8", "q4", "q2", "q1", NULL};
    static const char *const dtypes[] = {"float32", "float16", "bfloat16", NULL};
    size_t type = 0, dtype;
    enum status st =
        read_name(root, "quant_type", types, "\"nf4\", \"fp4\", \"q8\", \"q4\", \"q2\" or \"q1\"", &type, err);
    s->fp4 = type == 1;
    s->own_bits = type < 2 ? 0 : 8u >> (type - 2);
    if (st == DOCKET_OK) st = read_block(root, "blocksize", &s->block_size, err);
    if (st == DOCKET_OK) st = read_name(root, "dtype", dtypes, "\"float32\", \"float16\" or \"bfloat16\"", &dtype, err);
    if (st == DOCKET_OK) st = read_shape(root, s, err);
    return st == DOCKET_OK ? read_nesting(root, s, err) : st;
}

enum status quant_state_parse(struct quant_state *out, const char *json, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = QUANT_STATE_MAX_BYTES, .max_depth = 4, .max_values = 100};
    struct quant_state s = {0};
    struct error inner = {0};
    cJSON *root = NULL;
    enum status st = json_parse(&root, json, length, &limits, &inner);
    if (st == DOCKET_OK && !cJSON_IsObject(root))
        st = fail(&inner, DOCKET_CORRUPT, CODE_model_tensor_invalid, "want a JSON object");
    if (st == DOCKET_OK) st = read_all(root, &s, &inner);
    cJSON_Delete(root);
    if (st == DOCKET_OK) {
        *out = s;
        return st;
    }
    if (st == DOCKET_BAD_INPUT || st == DOCKET_LIMIT) st = inner.status = DOCKET_CORRUPT; /* json.h speaks about jobs */
    if (st != DOCKET_NO_MEMORY) inner.code = CODE_model_tensor_invalid;
    if (err) *err = inner;
    return st;
}
