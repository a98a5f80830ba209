/* kept_manifest.c: docket.json written, read and compared. Numbers that JSON's readers would round stand as text. */
#include "worker/model/kept_manifest.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/model/quantized_form.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_u64_text(struct json_writer *w, const char *key, uint64_t value, bool hex)
{
    char text[24];
    snprintf(text, sizeof(text), hex ? "%016" PRIx64 : "%" PRIu64, value);
    json_put_string(w, key, text);
}

enum status kept_manifest_write(struct buffer *out, const struct kept_identity *identity, const struct checkpoint *made,
                                struct error *err)
{
    struct json_writer w = {.out = out};
    buffer_init(out, KEPT_MANIFEST_BYTES);
    json_begin_object(&w, NULL);
    json_put_u64(&w, "version", QUANTIZED_FORM_VERSION);
    json_put_string(&w, "quantization", identity->quantization);
    json_put_string(&w, "revision", identity->revision);
    json_put_string(&w, "config_sha256", identity->config_hash);
    json_begin_array(&w, "sources");
    for (unsigned i = 0; i < tensor_files_count(identity->files); i++) {
        uint64_t size, changed;
        tensor_file_facts(identity->files, i, &size, &changed);
        json_begin_object(&w, NULL);
        json_put_string(&w, "name", tensor_file_name(identity->files, i));
        put_u64_text(&w, "size_bytes", size, false);
        put_u64_text(&w, "changed_ns", changed, false);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_begin_array(&w, "tensors");
    for (size_t i = 0; i < checkpoint_n_tensors(made); i++) {
        const struct checkpoint_tensor *t = checkpoint_tensor_at(made, i);
        json_begin_object(&w, NULL);
        json_put_string(&w, "name", t->name);
        json_put_string(&w, "dtype", tensor_dtype_name(t->dtype));
        json_begin_array(&w, "shape");
        for (unsigned k = 0; k < t->rank; k++) put_u64_text(&w, NULL, t->shape[k], false);
        json_end_array(&w);
        put_u64_text(&w, "checksum", t->checksum, true);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buffer_append_char(out, '\n');
    return buffer_check(out, KEPT_MANIFEST_NAME, err);
}

static enum status wrong(struct error *err, const char *path, const char *what)
{
    return fail(err, DOCKET_CORRUPT, CODE_NONE, KEPT_MANIFEST_NAME ": %s: want %s", path, what);
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for " KEPT_MANIFEST_NAME);
}

static enum status get_text(const cJSON *object, const char *path, const char *key, char **out, struct error *err)
{
    const char *text;
    enum status st = json_get_string(object, path, key, &text, NULL, err);
    if (st != DOCKET_OK) return st;
    *out = str_dup(text);
    return *out ? DOCKET_OK : no_memory(err);
}

/* Digits and nothing else. */
static bool read_u64(const char *text, int base, uint64_t *out)
{
    char *end;
    size_t n = strlen(text);
    if (n == 0 || n > 20 || strspn(text, base == 16 ? "0123456789abcdef" : "0123456789") != n) return false;
    uint64_t value = strtoull(text, &end, base);
    if (*end || (value == UINT64_MAX && strcmp(text, base == 16 ? "ffffffffffffffff" : "18446744073709551615") != 0))
        return false;
    *out = value;
    return true;
}

static enum status get_u64_text(const cJSON *object, const char *path, const char *key, int base, uint64_t *out,
                                struct error *err)
{
    const char *text;
    enum status st = json_get_string(object, path, key, &text, NULL, err);
    if (st != DOCKET_OK) return st;
    return read_u64(text, base, out) ? DOCKET_OK : wrong(err, path, base == 16 ? "a checksum" : "a whole number");
}

static enum status parse_source(struct kept_source *s, const cJSON *object, size_t i, struct error *err)
{
    char path[48];
    snprintf(path, sizeof(path), "sources[%zu]", i);
    enum status st = get_text(object, path, "name", &s->name, err);
    if (st == DOCKET_OK) st = get_u64_text(object, path, "size_bytes", 10, &s->size_bytes, err);
    if (st == DOCKET_OK) st = get_u64_text(object, path, "changed_ns", 10, &s->changed_ns, err);
    return st;
}

static enum status parse_tensor(struct checkpoint_tensor *t, const cJSON *object, size_t i, struct error *err)
{
    char path[48];
    const char *dtype;
    const cJSON *shape, *dimension;
    snprintf(path, sizeof(path), "tensors[%zu]", i);
    enum status st = get_text(object, path, "name", &t->name, err);
    if (st == DOCKET_OK) st = json_get_string(object, path, "dtype", &dtype, NULL, err);
    if (st != DOCKET_OK) return st;
    for (t->dtype = 0; t->dtype <= DTYPE_U64 && strcmp(tensor_dtype_name(t->dtype), dtype) != 0;) t->dtype++;
    if (t->dtype > DTYPE_U64) return wrong(err, path, "a dtype");
    if ((st = json_get_array(object, path, "shape", &shape, NULL, err)) != DOCKET_OK) return st;
    cJSON_ArrayForEach(dimension, shape)
    {
        if (t->rank == TENSOR_MAX_RANK || !cJSON_IsString(dimension) ||
            !read_u64(dimension->valuestring, 10, &t->shape[t->rank]))
            return wrong(err, path, "a shape");
        t->rank++;
    }
    return get_u64_text(object, path, "checksum", 16, &t->checksum, err);
}

static enum status parse_lists(struct kept_manifest *m, const cJSON *tree, struct error *err)
{
    const cJSON *sources, *tensors, *item;
    enum status st = json_get_array(tree, "$", "sources", &sources, NULL, err);
    if (st == DOCKET_OK) st = json_get_array(tree, "$", "tensors", &tensors, NULL, err);
    if (st != DOCKET_OK) return st;
    m->sources = mem_zalloc((size_t)cJSON_GetArraySize(sources) + 1, sizeof(*m->sources));
    m->tensors = mem_zalloc((size_t)cJSON_GetArraySize(tensors) + 1, sizeof(*m->tensors));
    if (!m->sources || !m->tensors) return no_memory(err);
    cJSON_ArrayForEach(item, sources)
    {
        m->n_sources++;
        if ((st = parse_source(&m->sources[m->n_sources - 1], item, m->n_sources - 1, err)) != DOCKET_OK) return st;
    }
    cJSON_ArrayForEach(item, tensors)
    {
        m->n_tensors++;
        if ((st = parse_tensor(&m->tensors[m->n_tensors - 1], item, m->n_tensors - 1, err)) != DOCKET_OK) return st;
    }
    return DOCKET_OK;
}

enum status kept_manifest_parse(struct kept_manifest *out, const char *text, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = KEPT_MANIFEST_BYTES, .max_depth = 8, .max_values = 8 * 1000 * 1000};
    struct kept_manifest m = {0};
    cJSON *tree = NULL;
    int64_t version = 0;
    enum status st = json_parse(&tree, text, length, &limits, err);
    if (st == DOCKET_OK && !cJSON_IsObject(tree)) st = wrong(err, "$", "an object");
    if (st == DOCKET_OK) st = json_get_integer(tree, "$", "version", 0, INT64_C(1) << 52, &version, NULL, err);
    if (st == DOCKET_OK) st = get_text(tree, "$", "quantization", &m.quantization, err);
    if (st == DOCKET_OK) st = get_text(tree, "$", "revision", &m.revision, err);
    if (st == DOCKET_OK) st = get_text(tree, "$", "config_sha256", &m.config_hash, err);
    if (st == DOCKET_OK) st = parse_lists(&m, tree, err);
    cJSON_Delete(tree);
    if (st == DOCKET_OK) {
        m.version = (uint64_t)version;
        MOVE(*out, m);
    } else if (st != DOCKET_NO_MEMORY) { /* it is no caller's input, but a file that is not what was written */
        st = DOCKET_CORRUPT;
        if (err) err->status = st;
        if (err && strncmp(err->message, KEPT_MANIFEST_NAME, strlen(KEPT_MANIFEST_NAME)) != 0)
            error_prefix(err, KEPT_MANIFEST_NAME);
    }
    kept_manifest_free(&m);
    return st;
}

void kept_manifest_free(struct kept_manifest *m)
{
    for (size_t i = 0; m->sources && i < m->n_sources; i++) mem_free(m->sources[i].name);
    for (size_t i = 0; m->tensors && i < m->n_tensors; i++) mem_free(m->tensors[i].name);
    mem_free(m->sources);
    mem_free(m->tensors);
    mem_free(m->quantization);
    mem_free(m->revision);
    mem_free(m->config_hash);
    *m = (struct kept_manifest){0};
}

static enum status differs(struct error *err, const char *what, const char *was, const char *is)
{
    return fail(err, DOCKET_CORRUPT, CODE_NONE, "made from another source: %s was %.64s, is %.64s", what, was, is);
}

static enum status compare_source(const struct kept_source *s, const struct tensor_files *files, unsigned i,
                                  struct error *err)
{
    uint64_t size, changed;
    const char *name = tensor_file_name(files, i);
    tensor_file_facts(files, i, &size, &changed);
    if (strcmp(s->name, name) != 0) return differs(err, "a file", s->name, name);
    if (s->size_bytes != size)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "made from another source: %s had %llu bytes, has %llu", name,
                    (unsigned long long)s->size_bytes, (unsigned long long)size);
    if (s->changed_ns != changed)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "made from another source: %s changed since, its size is the same",
                    name);
    return DOCKET_OK;
}

enum status kept_manifest_matches(const struct kept_manifest *m, const struct kept_identity *identity,
                                  struct error *err)
{
    enum status st = DOCKET_OK;
    if (m->version != QUANTIZED_FORM_VERSION)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "made by another version of docket: form %llu, want %llu",
                    (unsigned long long)m->version, (unsigned long long)QUANTIZED_FORM_VERSION);
    if (strcmp(m->quantization, identity->quantization) != 0)
        return differs(err, "quantization", m->quantization, identity->quantization);
    if (strcmp(m->revision, identity->revision) != 0) return differs(err, "revision", m->revision, identity->revision);
    if (strcmp(m->config_hash, identity->config_hash) != 0)
        return differs(err, "config.json", m->config_hash, identity->config_hash);
    size_t n = tensor_files_count(identity->files);
    if (m->n_sources != n)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "made from another source: %zu files then, %zu now", m->n_sources,
                    n);
    for (unsigned i = 0; i < n && st == DOCKET_OK; i++) st = compare_source(&m->sources[i], identity->files, i, err);
    return st;
}

enum status kept_manifest_expect(const struct kept_manifest *m, struct tensor_files *copy, struct error *err)
{
    enum status st = DOCKET_OK;
    if (m->n_tensors != tensor_count(copy))
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "%zu tensors, " KEPT_MANIFEST_NAME " names %zu", tensor_count(copy),
                    m->n_tensors);
    for (size_t i = 0; i < m->n_tensors && st == DOCKET_OK; i++) {
        const struct checkpoint_tensor *want = &m->tensors[i];
        const struct tensor_info *t = tensor_find(copy, want->name);
        bool same = t && t->dtype == want->dtype && t->rank == want->rank &&
                    memcmp(t->shape, want->shape, t->rank * sizeof(*t->shape)) == 0;
        if (!same)
            return fail(err, DOCKET_CORRUPT, CODE_NONE, "%.200s: %s", want->name,
                        t ? "another type or shape than " KEPT_MANIFEST_NAME " says"
                          : "missing, though " KEPT_MANIFEST_NAME " names it");
        st = tensor_expect(copy, t, want->checksum, err);
    }
    return st;
}
