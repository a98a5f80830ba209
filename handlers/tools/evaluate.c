/* evaluate.c: reads the list, makes one job after another of it, and counts. */
#include "handlers/tools/evaluate.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES (64 * MIB)
#define AT_ONCE    64 /* documents of a job */

void evaluation_free(struct evaluation_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        mem_free(set->items[i].path);
        mem_free(set->items[i].label);
    }
    mem_free(set->items);
    *set = (struct evaluation_set){0};
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of documents");
}

/* The name beside the list; absolute, as jobs want it. */
static char *beside(const char *list, const char *name)
{
    char real[PATH_MAX];
    const char *slash = strrchr(list, '/');
    char *path = NULL;
    if (name[0] == '/' || !slash)
        path = str_dup(name);
    else
        path = str_format("%.*s/%s", (int)(slash - list), list, name);
    if (path && realpath(path, real)) {
        mem_free(path);
        path = str_dup(real);
    }
    return path;
}

static enum status add_line(struct evaluation_set *set, const char *list, size_t number, const char *line,
                            size_t length, struct error *err)
{
    char where[32];
    const char *label = NULL, *file = NULL;
    bool has_file = false;
    cJSON *tree = NULL;
    snprintf(where, sizeof(where), "line %zu", number);
    enum status st = json_parse(&tree, line, length, NULL, err);
    if (st == DOCKET_OK) st = json_get_string(tree, where, "label", &label, NULL, err);
    if (st == DOCKET_OK) st = json_get_string(tree, where, "file", &file, &has_file, err);
    if (st == DOCKET_OK && !has_file) st = json_get_string(tree, where, "path", &file, NULL, err);
    if (st == DOCKET_OK && set->n == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        struct evaluation_item *more = mem_resize(set->items, capacity, sizeof(*more));
        if (more) {
            set->items = more;
            set->capacity = capacity;
        } else
            st = no_memory(err);
    }
    if (st == DOCKET_OK) {
        struct evaluation_item *item = &set->items[set->n++];
        *item = (struct evaluation_item){.path = beside(list, file), .label = str_dup(label)};
        if (!item->path || !item->label) st = no_memory(err);
        for (char *p = item->label; p && *p; p++)
            if (*p == '_') *p = ' ';
    } else if (st != DOCKET_NO_MEMORY)
        error_prefix(err, "%s: line %zu", list, number);
    cJSON_Delete(tree);
    return st;
}

enum status evaluation_read(struct evaluation_set *out, const char *path, struct error *err)
{
    struct evaluation_set set = {0};
    struct buffer text = {0};
    size_t number = 0;
    buffer_init(&text, LIST_BYTES);
    enum status st = file_read_all(&text, path, err);
    for (const char *at = text.data, *end = at + text.length; st == DOCKET_OK && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        number++;
        if (strspn(at, " \t\r") < length) st = add_line(&set, path, number, at, length, err);
        at += length + 1;
    }
    if (st == DOCKET_OK && set.n == 0) st = fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: no documents", path);
    if (st == DOCKET_OK)
        *out = set;
    else
        evaluation_free(&set);
    buffer_free(&text);
    return st;
}

static void put_labels(struct json_writer *w, const struct evaluation_set *set)
{
    json_begin_array(w, "labels");
    for (size_t i = 0; i < set->n; i++) {
        size_t k = 0;
        while (strcmp(set->items[k].label, set->items[i].label) != 0) k++;
        if (k == i) json_put_string(w, NULL, set->items[i].label);
    }
    json_end_array(w);
}

static void make_job(struct buffer *out, const struct evaluation_set *set, size_t from, size_t to)
{
    struct json_writer w = {.out = out};
    buffer_clear(out);
    json_begin_object(&w, NULL);
    json_put_string(&w, "id", "evaluation");
    json_begin_object(&w, "input");
    put_labels(&w, set);
    json_begin_array(&w, "documents");
    for (size_t i = from; i < to; i++) {
        json_begin_object(&w, NULL);
        json_put_string(&w, "path", set->items[i].path + 1); /* below DOCUMENT_ROOT, which is "/" here */
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}

static enum status keep_answers(struct evaluation *e, const struct evaluation_set *set, size_t from, size_t to,
                                const struct buffer *output, struct error *err)
{
    const cJSON *result;
    size_t i = from;
    enum status st = DOCKET_OK;
    cJSON *tree = cJSON_ParseWithLength(output->data, output->length);
    const cJSON *results = cJSON_GetObjectItemCaseSensitive(tree, "results");
    if (!tree) st = no_memory(err);
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *label = cJSON_GetObjectItemCaseSensitive(result, "label");
        if (i == to) break;
        if (cJSON_IsString(label)) {
            e->answers[i] = str_dup(label->valuestring);
            if (!e->answers[i]) st = no_memory(err);
            e->n_right += strcmp(label->valuestring, set->items[i].label) == 0;
        } else
            e->n_errors++;
        i++;
    }
    cJSON_Delete(tree);
    return st;
}

enum status evaluation_run(struct evaluation *out, const struct evaluation_set *set,
                           const struct classify_options *options, struct error *err)
{
    struct evaluation e = {.n = set->n};
    struct classify_options own = *options;
    struct classifier *classifier = NULL;
    struct buffer text = {0}, output = {0};
    own.documents.limits.root = "/";
    own.worker_id = "evaluation";
    e.answers = mem_zalloc(set->n, sizeof(*e.answers));
    enum status st = e.answers ? classifier_open(&classifier, &own, err) : no_memory(err);
    if (st == DOCKET_OK) st = classifier_load(classifier, NULL, err);
    for (size_t at = 0; at < set->n && st == DOCKET_OK; at += AT_ONCE) {
        size_t end = set->n - at < AT_ONCE ? set->n : at + AT_ONCE;
        bool refresh;
        buffer_free(&output);
        make_job(&text, set, at, end);
        st = buffer_check(&text, "the job", err);
        const struct job job = {.id = "evaluation",
                                .json = text.data,
                                .json_length = text.length,
                                .queue_seconds = -1,
                                .taken_at_ns = clock_now_ns()};
        if (st == DOCKET_OK) st = classify_job(classifier, &job, NULL, &output, &refresh, err);
        if (st == DOCKET_OK) st = keep_answers(&e, set, at, end, &output, err);
    }
    classifier_close(classifier);
    buffer_free(&text);
    buffer_free(&output);
    if (st == DOCKET_OK)
        *out = e;
    else
        evaluation_close(&e);
    return st;
}

void evaluation_close(struct evaluation *e)
{
    for (size_t i = 0; e->answers && i < e->n; i++) mem_free(e->answers[i]);
    mem_free(e->answers);
    *e = (struct evaluation){0};
}

double evaluation_agreement(const struct evaluation *a, const struct evaluation *b)
{
    size_t same = 0;
    for (size_t i = 0; i < a->n && i < b->n; i++)
        same += a->answers[i] && b->answers[i] && strcmp(a->answers[i], b->answers[i]) == 0;
    return a->n ? (double)same / (double)a->n : 0;
}
