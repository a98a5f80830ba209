/* answers.c: reads what a hub says. Nothing in it is believed before it is checked: names, sizes, checksums, commits. */
#include "worker/hub/answers.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LISTING_BYTES  (20 * MIB)
#define INDEX_BYTES    (64 * MIB)
#define MAX_NAME_BYTES 1024
#define MAX_SHARDS     1000
#define SINGLE_NAME    "model.safetensors"
#define INDEX_NAME     "model.safetensors.index.json"

bool hub_is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdefABCDEF") == length;
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the hub's answer");
}

/* A path of parts that stay where they are put. */
static bool is_safe_path(const char *name)
{
    if (!name[0] || strlen(name) > MAX_NAME_BYTES || strchr(name, '\\')) return false;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return false;
    for (const char *part = name;;) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) return false;
        if (part[n] == '\0') return true;
        part += n + 1;
    }
}

static bool is_plain_part(const char *name)
{
    return name[0] != '.' && strlen(name) <= 255 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* Of the gate: its codes speak of jobs. */
static enum status as_answer(enum status st, const char *what, enum error_code code, struct error *err)
{
    if (st == DOCKET_OK || st == DOCKET_NO_MEMORY || !err) return st;
    err->code = code;
    err->status = DOCKET_CORRUPT;
    error_prefix(err, "%s", what);
    return DOCKET_CORRUPT;
}

static enum status read_file(struct hub_file *out, const cJSON *entry, size_t number, struct error *err)
{
    char path[48];
    const char *name;
    int64_t size = 0;
    bool sized = false;
    snprintf(path, sizeof(path), "$.siblings[%zu]", number);
    if (!cJSON_IsObject(entry)) return fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "%s: want an object", path);
    enum status st = json_get_string(entry, path, "rfilename", &name, NULL, err);
    if (st == DOCKET_OK) st = json_get_integer(entry, path, "size", 0, INT64_C(1) << 53, &size, &sized, err);
    if (st != DOCKET_OK) return st;
    if (!is_safe_path(name))
        return fail(err, DOCKET_REFUSED, CODE_hub_answer_invalid,
                    "%s.rfilename: \"%.120s\": want a path that stays in its folder", path, name);
    out->size_bytes = sized ? (uint64_t)size : UINT64_MAX;
    out->name = str_dup(name);
    return out->name ? DOCKET_OK : no_memory(err);
}

enum status hub_listing_parse(struct hub_listing *out, const char *json, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = LISTING_BYTES, .max_values = 2000 * 1000};
    struct hub_listing local = {0};
    const cJSON *siblings = NULL, *entry;
    cJSON *tree = NULL;
    const char *commit;
    enum status st = json_parse(&tree, json, length, &limits, err);
    if (st == DOCKET_OK && !cJSON_IsObject(tree))
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "want an object");
    if (st == DOCKET_OK) st = json_get_string(tree, "$", "sha", &commit, NULL, err);
    if (st == DOCKET_OK && !hub_is_hex(commit, HUB_COMMIT_BYTES - 1))
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid,
                  "$.sha: want a commit of 40 hexadecimal digits, got \"%.60s\"", commit);
    if (st == DOCKET_OK) st = json_get_array(tree, "$", "siblings", &siblings, NULL, err);
    if (st == DOCKET_OK) {
        memcpy(local.commit, commit, HUB_COMMIT_BYTES);
        local.files = mem_zalloc((size_t)cJSON_GetArraySize(siblings) + 1, sizeof(*local.files));
        if (!local.files) st = no_memory(err);
    }
    cJSON_ArrayForEach(entry, siblings)
    {
        if (st != DOCKET_OK) break;
        st = read_file(&local.files[local.n_files], entry, local.n_files, err);
        if (st == DOCKET_OK) local.n_files++;
    }
    if (st == DOCKET_OK)
        MOVE(*out, local);
    else
        st = as_answer(st, "the hub's listing", CODE_hub_answer_invalid, err);
    hub_listing_free(&local);
    cJSON_Delete(tree);
    return st;
}

void hub_listing_free(struct hub_listing *listing)
{
    for (size_t i = 0; i < listing->n_files; i++) mem_free(listing->files[i].name);
    mem_free(listing->files);
    *listing = (struct hub_listing){0};
}

const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name)
{
    for (size_t i = 0; i < listing->n_files; i++)
        if (strcmp(listing->files[i].name, name) == 0) return &listing->files[i];
    return NULL;
}

bool hub_file_is_needed(const char *name)
{
    static const char *const needed[] = {"config.json",
                                         "generation_config.json",
                                         "tokenizer.json",
                                         "tokenizer.model",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "chat_template.jinja",
                                         "chat_template.json",
                                         "tekken.json"};
    for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
        if (strcmp(name, needed[i]) == 0) return true;
    return strncmp(name, "tokenizer.model.", 16) == 0 && is_plain_part(name);
}

enum status hub_weights_entry(const char **name, const struct hub_listing *listing, struct error *err)
{
    const char *other = NULL;
    if (hub_listing_find(listing, SINGLE_NAME)) { /* before an index, as model/safetensors.c does */
        *name = SINGLE_NAME;
        return DOCKET_OK;
    }
    if (hub_listing_find(listing, INDEX_NAME)) {
        *name = INDEX_NAME;
        return DOCKET_OK;
    }
    for (size_t i = 0; i < listing->n_files && !other; i++) {
        const char *n = listing->files[i].name;
        if (ends_with(n, ".bin") || ends_with(n, ".pth") || ends_with(n, ".pt") || ends_with(n, ".gguf") ||
            ends_with(n, ".safetensors"))
            other = n;
    }
    return fail(err, DOCKET_UNSUPPORTED, CODE_model_file_missing,
                "the repository has neither " SINGLE_NAME " nor " INDEX_NAME "%s%.100s", other ? ", but " : "",
                other ? other : "");
}

void hub_names_free(char **names, size_t n_names)
{
    for (size_t i = 0; names && i < n_names; i++) mem_free(names[i]);
    mem_free(names);
}

static enum status add_shard(char ***names, size_t *n_names, const char *name, struct error *err)
{
    for (size_t i = *n_names; i > 0; i--) /* tensors of one shard mostly stand together */
        if (strcmp((*names)[i - 1], name) == 0) return DOCKET_OK;
    if (!is_plain_part(name) || !ends_with(name, ".safetensors"))
        return fail(err, DOCKET_REFUSED, CODE_model_index_invalid,
                    "weight_map: want one path part of [A-Za-z0-9._-] ending in .safetensors, got \"%.120s\"", name);
    if (*n_names == MAX_SHARDS)
        return fail(err, DOCKET_LIMIT, CODE_model_index_invalid, "weight_map: more than %d files", MAX_SHARDS);
    char **longer = mem_resize(*names, *n_names + 1, sizeof(**names));
    if (!longer) return no_memory(err);
    *names = longer;
    if (!(longer[*n_names] = str_dup(name))) return no_memory(err);
    ++*n_names;
    return DOCKET_OK;
}

enum status hub_index_shards(char ***names, size_t *n_names, const char *json, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = INDEX_BYTES, .max_values = 2000 * 1000};
    struct json_span map, key, value;
    char **local = NULL;
    size_t n = 0;
    enum status st = json_gate(json, length, &limits, err);
    if (st != DOCKET_OK) return as_answer(st, INDEX_NAME, CODE_model_index_invalid, err);
    struct json_cursor root = json_cursor_of(json, length);
    if (json_cursor_kind(&root) != JSON_OBJECT || !json_span_find((struct json_span){json, length}, "weight_map", &map))
        return fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": weight_map: want an object");
    struct json_cursor c = json_cursor_of(map.text, map.length);
    if (json_cursor_kind(&c) != JSON_OBJECT)
        return fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": weight_map: want an object");
    json_cursor_enter(&c);
    while (st == DOCKET_OK && json_cursor_member(&c, &key)) {
        char name[MAX_NAME_BYTES];
        if (!json_cursor_string(&c, &value) || value.length >= sizeof(name)) {
            st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid,
                      INDEX_NAME ": weight_map: want the name of a file for tensor \"%.*s\"",
                      key.length > 100 ? 100 : (int)key.length, key.text);
            break;
        }
        name[json_unescape(value, name)] = '\0';
        st = add_shard(&local, &n, name, err);
    }
    if (st == DOCKET_OK && n == 0)
        st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": weight_map: names no file");
    if (st == DOCKET_OK) {
        *names = local;
        *n_names = n;
    } else {
        hub_names_free(local, n);
    }
    return st;
}

/* Digits only; false if the number does not fit. */
static bool read_number(const char **text, uint64_t *out)
{
    const char *c = *text;
    uint64_t value = 0;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
            return false;
    if (c == *text) return false;
    *text = c;
    *out = value;
    return true;
}

static void read_etag(struct hub_headers *h, const char *value)
{
    h->etag[0] = '\0';
    if (strncmp(value, "W/", 2) == 0) value += 2;
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') value++, n -= 2;
    if ((n != 40 && n != 64) || strspn(value, "0123456789abcdefABCDEF") < n) return;
    for (size_t i = 0; i < n; i++) h->etag[i] = (char)(value[i] | (value[i] >= 'A' && value[i] <= 'F' ? 0x20 : 0));
    h->etag[n] = '\0';
}

void hub_headers_add(void *headers, const char *name, const char *value)
{
    struct hub_headers *h = headers;
    if (!name[0]) {
        *h = (struct hub_headers){0};
    } else if (strcasecmp(name, "x-linked-etag") == 0) {
        read_etag(h, value);
        h->linked = true;
    } else if (strcasecmp(name, "etag") == 0 && !h->linked) {
        read_etag(h, value);
    } else if (strcasecmp(name, "x-linked-size") == 0) {
        h->size_linked = h->sized = read_number(&value, &h->size_bytes) && *value == '\0';
    } else if (strcasecmp(name, "content-length") == 0 && !h->size_linked) {
        h->sized = read_number(&value, &h->size_bytes) && *value == '\0';
    } else if (strcasecmp(name, "x-repo-commit") == 0 && hub_is_hex(value, HUB_COMMIT_BYTES - 1)) {
        memcpy(h->commit, value, HUB_COMMIT_BYTES);
    } else if (strcasecmp(name, "content-range") == 0) {
        h->ranged = strncasecmp(value, "bytes ", 6) == 0;
        value += h->ranged ? 6 : 0;
        h->ranged = h->ranged && read_number(&value, &h->range_first) && *value++ == '-' &&
                    read_number(&value, &h->range_last) && *value++ == '/' && read_number(&value, &h->range_total) &&
                    *value == '\0' && h->range_first <= h->range_last && h->range_last < h->range_total;
    } else if (strcasecmp(name, "x-error-code") == 0) {
        snprintf(h->error_code, sizeof(h->error_code), "%s", value);
    }
}
