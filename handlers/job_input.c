/* job_input.c: a job's JSON as structs: the envelope, the documents and their ids. Labels and options: job_input_fields.c. */
#include "handlers/job_input.h"

#include "handlers/characters.h"
#include "handlers/job_input_parts.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status job_no_memory(struct job_reader *r)
{
    return fail(r->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read the job");
}

size_t job_drop_nul(char *text)
{
    char *from = strchr(text, JSON_NUL_MARK), *to = from;
    if (!from) return 0;
    for (; *from; from++)
        if (*from != JSON_NUL_MARK) *to++ = *from;
    *to = '\0';
    return (size_t)(from - to);
}

enum status job_get_text(struct job_reader *r, const cJSON *object, const char *path, const char *key, const char **out,
                         size_t *n_nul, bool *present)
{
    const char *text = NULL;
    enum status st = json_get_string(object, path, key, &text, present, r->err);
    if (st != DOCKET_OK || !text) return st;
    size_t n = job_drop_nul((char *)text); /* the tree is the job's own */
    if (n_nul) *n_nul += n;
    *out = text;
    return DOCKET_OK;
}

static enum status check_plain(struct job_reader *r, const char *text, const char *path, const char *key)
{
    if (!strchr(text, JSON_NUL_MARK)) return DOCKET_OK;
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s%s%s: holds U+0000", path,
                *path && *key ? "." : "", key);
}

enum status job_get_plain(struct job_reader *r, const cJSON *object, const char *path, const char *key,
                          const char **out, bool *present)
{
    const char *text = NULL;
    enum status st = json_get_string(object, path, key, &text, present, r->err);
    if (st != DOCKET_OK || !text) return st;
    if ((st = check_plain(r, text, path, key)) != DOCKET_OK) return st;
    *out = text;
    return DOCKET_OK;
}

bool job_only_space(const char *text)
{
    uint32_t c;
    for (size_t n, left = strlen(text); left > 0; text += n, left -= n) {
        n = utf8_next(text, left, &c);
        if (n == 0 || !(character_is_space(c) || character_is_hidden(c))) return false;
    }
    return true;
}

enum status job_refuse_later(struct job_reader *r, const cJSON *object, const char *path, const char *const *keys)
{
    for (; *keys; keys++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, *keys);
        if (value && !cJSON_IsNull(value))
            return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s%s%s: comes in a later version", path,
                        *path ? "." : "", *keys);
    }
    return DOCKET_OK;
}

const char *job_keep_string(struct job_reader *r, const char *text)
{
    cJSON *item = cJSON_CreateString(text);
    if (!item) return NULL;
    cJSON_AddItemToArray(r->made, item);
    return item->valuestring;
}

/* Documents */

static bool has(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return value && !cJSON_IsNull(value);
}

enum status job_read_id(struct job_reader *r, struct document_input *d, const cJSON *object, const char *path)
{
    const char *key = has(object, "custom_id") ? "custom_id" : "id";
    bool present;
    uint32_t c = 0;
    enum status st;
    if (has(object, "id") && has(object, "custom_id"))
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want id or custom_id, got both", path);
    if ((st = job_get_plain(r, object, path, key, &d->id, &present)) != DOCKET_OK || !present) return st;
    d->custom_id = key[0] == 'c';
    size_t length = strlen(d->id);
    if (length == 0 || length > MAX_ID_BYTES)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s.%s: want 1 to %d bytes, got %zu", path, key,
                    MAX_ID_BYTES, length);
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_next(d->id + at, length - at, &c);
        if (n == 0 || character_is_control(c))
            return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s.%s: holds the control character U+%04X",
                        path, key, (unsigned)c);
    }
    return DOCKET_OK;
}

static void set_text(struct document_input *d, enum document_source_kind kind, const char *content)
{
    d->kind = kind;
    d->content = content;
    d->content_length = strlen(content);
}

static enum status read_sources(struct job_reader *r, struct document_input *d, const cJSON *object, const char *path)
{
    static const char *const names[] = {"text", "url", "content_base64", "path"};
    static const enum document_source_kind kinds[] = {SOURCE_TEXT, SOURCE_URL, SOURCE_BASE64, SOURCE_PATH};
    const char *values[ARRAY_LENGTH(names)] = {0};
    char got[64] = "";
    size_t n = 0, at = 0;
    bool present;
    enum status st;
    if ((st = job_get_text(r, object, path, "text", &values[0], &d->nul_dropped, &present)) != DOCKET_OK ||
        (st = job_get_plain(r, object, path, "url", &values[1], &present)) != DOCKET_OK ||
        (st = json_get_string(object, path, "content_base64", &values[2], &present, r->err)) != DOCKET_OK ||
        (st = job_get_plain(r, object, path, "path", &values[3], &present)) != DOCKET_OK)
        return st;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!values[i]) continue;
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s", n++ ? " and " : "", names[i]);
        set_text(d, kinds[i], values[i]);
    }
    if (n == 1) return DOCKET_OK;
    d->kind = SOURCE_INVALID;
    fail(&d->error, DOCKET_BAD_INPUT, CODE_document_source_invalid,
         "%s: want exactly one of text, url, content_base64 and path, got %s", path, n ? got : "none");
    return DOCKET_OK;
}

#define MAX_PAGE 100000

/* A page's number; 0: none stands there. */
static size_t page_number(const char **at)
{
    size_t n = 0;
    for (; **at >= '0' && **at <= '9' && n <= MAX_PAGE; ++*at) n = n * 10 + (size_t)(**at - '0');
    return n;
}

/* "3", "1-3" or "2-". */
static enum status read_pages(struct job_reader *r, struct document_input *d, const cJSON *object, const char *path)
{
    const char *text = NULL;
    char shown[64];
    bool present;
    enum status st = job_get_plain(r, object, path, "pages", &text, &present);
    if (st != DOCKET_OK || !text) return st;
    const char *at = text;
    size_t first = page_number(&at), last = first;
    bool good = first > 0 && first <= MAX_PAGE;
    if (*at == '-' && *++at == '\0')
        last = 0;
    else if (at > text && at[-1] == '-') {
        last = page_number(&at);
        good = good && last >= first && last <= MAX_PAGE;
    }
    d->first_page = first;
    d->last_page = last;
    if (good && *at == '\0') return DOCKET_OK;
    json_describe(&(cJSON){.type = cJSON_String, .valuestring = (char *)text}, shown, sizeof(shown));
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                "%s.pages: want \"3\", \"1-3\" or \"2-\", up to %d, got %s", path, MAX_PAGE, shown);
}

enum status job_read_document(struct job_reader *r, struct document_input *d, const cJSON *item, const char *path)
{
    static const char *const known[] = {"id",       "custom_id", "text",  "content_base64", "path",
                                        "filename", "url",       "pages", "ocr_languages",  NULL};
    bool present;
    enum status st;
    if (!cJSON_IsObject(item)) {
        char found[128];
        json_describe(item, found, sizeof(found));
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want an object, got %s", path, found);
    }
    if ((st = json_only_keys(item, path, known, r->err)) != DOCKET_OK ||
        (st = job_read_id(r, d, item, path)) != DOCKET_OK ||
        (st = job_get_plain(r, item, path, "filename", &d->filename, &present)) != DOCKET_OK ||
        (st = job_get_languages(r, item, path, &d->ocr_languages)) != DOCKET_OK ||
        (st = read_pages(r, d, item, path)) != DOCKET_OK)
        return st;
    return read_sources(r, d, item, path);
}

static enum status read_string_document(struct job_reader *r, struct document_input *d, const cJSON *item,
                                        const char *path)
{
    if (!cJSON_IsString(item)) {
        char found[128];
        json_describe(item, found, sizeof(found));
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want a string, got %s", path, found);
    }
    d->nul_dropped = job_drop_nul(item->valuestring);
    set_text(d, SOURCE_TEXT, item->valuestring);
    return DOCKET_OK;
}

struct named {
    const char *id;
    size_t index;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static enum status id_clash(struct job_reader *r, size_t i, size_t k, const bool *made_up)
{
    const struct document_input *d = r->job->documents;
    char shown[64];
    json_describe(&(cJSON){.type = cJSON_String, .valuestring = (char *)d[i].id}, shown, sizeof(shown));
    if (made_up[i] || made_up[k]) {
        size_t given = made_up[i] ? k : i, other = made_up[i] ? i : k;
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                    "documents[%zu].%s: %s is the id that documents[%zu], which has none, is given", given,
                    d[given].custom_id ? "custom_id" : "id", shown, other);
    }
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                "documents[%zu].%s and documents[%zu].%s: both are %s", i, d[i].custom_id ? "custom_id" : "id", k,
                d[k].custom_id ? "custom_id" : "id", shown);
}

/* doc-1, doc-2, … by position where there is none; then all have to differ. */
static enum status complete_ids(struct job_reader *r)
{
    struct job_input *job = r->job;
    enum status st = DOCKET_OK;
    bool *made_up = mem_zalloc(job->n_documents, sizeof(*made_up));
    struct named *named = mem_zalloc(job->n_documents, sizeof(*named));
    if (!made_up || !named) goto no_memory;
    for (size_t i = 0; i < job->n_documents; i++) {
        struct document_input *d = &job->documents[i];
        made_up[i] = d->id == NULL;
        if (made_up[i]) {
            char id[32];
            snprintf(id, sizeof(id), "doc-%zu", i + 1);
            if (!(d->id = job_keep_string(r, id))) goto no_memory;
        }
        named[i] = (struct named){d->id, i};
    }
    qsort(named, job->n_documents, sizeof(*named), by_id);
    for (size_t i = 1; i < job->n_documents && st == DOCKET_OK; i++)
        if (strcmp(named[i - 1].id, named[i].id) == 0) st = id_clash(r, named[i - 1].index, named[i].index, made_up);
    goto done;
no_memory:
    st = job_no_memory(r);
done:
    mem_free(made_up);
    mem_free(named);
    return st;
}

static enum status count_documents(struct job_reader *r, const char *key, size_t n)
{
    if (n < 1 || n > MAX_DOCUMENTS)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want 1 to %d, got %zu", key, MAX_DOCUMENTS,
                    n);
    r->job->documents = mem_zalloc(n, sizeof(*r->job->documents));
    if (!r->job->documents) return job_no_memory(r);
    r->job->n_documents = n;
    return DOCKET_OK;
}

static enum status read_list(struct job_reader *r, const char *key, const cJSON *list)
{
    bool strings = strcmp(key, "inputs") == 0;
    size_t i = 0;
    const cJSON *item;
    enum status st = count_documents(r, key, (size_t)cJSON_GetArraySize(list));
    if (st != DOCKET_OK) return st;
    cJSON_ArrayForEach(item, list)
    {
        char path[48];
        snprintf(path, sizeof(path), "%s[%zu]", key, i);
        struct document_input *d = &r->job->documents[i++];
        st = strings ? read_string_document(r, d, item, path) : job_read_document(r, d, item, path);
        if (st != DOCKET_OK) return st;
    }
    return complete_ids(r);
}

enum status job_read_documents(struct job_reader *r)
{
    static const char *const shapes[] = {"documents", "text", "document", "inputs", "documents_url"};
    const char *key = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        if (!has(r->input, shapes[i])) continue;
        if (key)
            return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s and %s: want only one of them", key,
                        shapes[i]);
        key = shapes[i];
    }
    if (!key) return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "documents: missing");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(r->input, key), *list;
    if (strcmp(key, "documents") == 0) {
        enum status st = json_get_array(r->input, "", key, &list, NULL, r->err);
        return st != DOCKET_OK ? st : read_list(r, key, list);
    }
    if (strcmp(key, "documents_url") == 0) return job_get_plain(r, r->input, "", key, &r->job->documents_url, NULL);
    if (strcmp(key, "inputs") == 0 && cJSON_IsArray(value)) return read_list(r, key, value);
    enum status st = count_documents(r, key, 1);
    if (st != DOCKET_OK) return st;
    bool object = strcmp(key, "document") == 0 && !cJSON_IsString(value);
    st = object ? job_read_document(r, r->job->documents, value, key)
                : read_string_document(r, r->job->documents, value, key);
    return st != DOCKET_OK ? st : complete_ids(r);
}

/* The envelope */

static size_t skip_space(const char *text, size_t length, size_t at)
{
    while (at < length && strchr(" \t\r\n", text[at])) at++;
    return at;
}

/* One past the value at `at`, in text that has passed the gate. */
static size_t skip_value(const char *text, size_t length, size_t at)
{
    size_t depth = 0;
    for (bool in_string = false; at < length; at++) {
        char c = text[at];
        if (in_string) {
            if (c == '\\') at++;
            if (c == '"') in_string = false;
            if (!in_string && depth == 0) return at + 1;
        } else if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if (depth > 0 && (c == '}' || c == ']')) {
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && strchr(",}] \t\r\n", c))
            return at;
    }
    return length;
}

/* The text of the nth member's value, found by position: its key may be written with escapes. */
static void digest_member(const char *text, size_t length, size_t nth, char out[SHA256_HEX_BYTES])
{
    size_t at = skip_space(text, length, 0) + 1, end = at;
    for (size_t i = 0; i <= nth && at < length; i++) {
        at = skip_value(text, length, skip_space(text, length, at)); /* the key */
        at = skip_space(text, length, skip_space(text, length, at) + 1);
        end = skip_value(text, length, at);
        if (i < nth) at = skip_space(text, length, end) + 1;
    }
    sha256_hex(text + at, end > at ? end - at : 0, out);
}

static enum status read_task(struct job_reader *r)
{
    const char *task = "classify";
    bool present;
    enum status st = job_get_plain(r, r->input, "", "task", &task, &present);
    if (st != DOCKET_OK || strcmp(task, "classify") == 0) return st;
    char shown[64];
    json_describe(&(cJSON){.type = cJSON_String, .valuestring = (char *)task}, shown, sizeof(shown));
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "task: want \"classify\", got %s", shown);
}

static enum status read_input(struct job_reader *r)
{
    static const char *const known[] = {
        "task",     "labels", "multi_label",  "instructions", "examples",   "documents", "options",
        "metadata", "text",   "document",     "inputs",       "parameters", "questions", "documents_url",
        "output",   "prompt", "openai_route", "openai_input", NULL};
    static const char *const later[] = {"prompt", "questions", "openai_route", "openai_input", NULL};
    static const char *const of_parameters[] = {"candidate_labels", "multi_label", NULL};
    const cJSON *metadata;
    bool present;
    enum status st;
    if ((st = json_only_keys(r->input, "", known, r->err)) != DOCKET_OK || (st = read_task(r)) != DOCKET_OK ||
        (st = job_refuse_later(r, r->input, "", later)) != DOCKET_OK ||
        (st = json_get_object(r->input, "", "metadata", &metadata, &r->job->has_metadata, r->err)) != DOCKET_OK ||
        (st = json_get_object(r->input, "", "parameters", &r->parameters, &present, r->err)) != DOCKET_OK)
        return st;
    if (r->parameters && (st = json_only_keys(r->parameters, "parameters", of_parameters, r->err)) != DOCKET_OK)
        return st;
    if ((st = job_read_options(r)) != DOCKET_OK || (st = job_read_labels(r)) != DOCKET_OK ||
        (st = job_read_instructions(r)) != DOCKET_OK || (st = job_read_examples(r)) != DOCKET_OK)
        return st;
    if ((st = job_read_output(r)) != DOCKET_OK) return st;
    return job_read_documents(r);
}

enum status job_input_parse(struct job_input *out, const char *job_json, size_t length, struct error *err)
{
    static const struct json_limits limits = {.nul_in_values = true};
    struct job_input job = {0};
    struct job_reader r = {.job = &job, .err = err};
    size_t position = 0;

    enum status st = json_parse(&job.tree, job_json, length, &limits, err);
    if (st != DOCKET_OK) return st;
    if (!cJSON_IsObject(job.tree)) {
        st = fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "want a job object with input");
        goto done;
    }
    if ((st = json_get_object(job.tree, "", "input", &r.input, NULL, err)) != DOCKET_OK) goto done;
    for (const cJSON *item = job.tree->child; item != r.input; item = item->next) position++;
    digest_member(job_json, length, position, job.digest);
    if (!(r.made = cJSON_AddArrayToObject(job.tree, ""))) {
        st = job_no_memory(&r);
        goto done;
    }
    if ((st = read_input(&r)) != DOCKET_OK) goto done;
    MOVE(*out, job);
done:
    job_input_free(&job);
    return st;
}

void job_input_free(struct job_input *input)
{
    cJSON_Delete(input->tree);
    mem_free(input->labels);
    mem_free(input->documents);
    memset(input, 0, sizeof(*input));
}
