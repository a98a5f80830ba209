/* job_input_list.c: the list at documents_url, a document a line. What is wrong with a line is wrong with that document only. */
#include "handlers/job_input_parts.h"
#include "worker/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_VALUES 64 /* a document has fewer keys than that */

/* The next line that is not empty, without its end; false behind the last. */
struct lines {
    const char *at, *end;
    size_t number; /* of the line that was given out last, from 1 */
};

static bool next_line(struct lines *l, const char **line, size_t *length)
{
    while (l->at < l->end) {
        const char *from = l->at, *stop = memchr(from, '\n', (size_t)(l->end - from));
        if (!stop) stop = l->end;
        l->at = stop < l->end ? stop + 1 : stop;
        l->number++;
        while (from < stop && strchr(" \t\r", *from) && *from) from++;
        while (stop > from && strchr(" \t\r", stop[-1]) && stop[-1]) stop--;
        if (from == stop) continue;
        *line = from;
        *length = (size_t)(stop - from);
        return true;
    }
    return false;
}

static struct lines start_lines(const char *text, size_t length)
{
    size_t mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return (struct lines){text + mark, text + length, 0};
}

static void refuse(struct document_input *d, size_t line, const char *why)
{
    d->kind = SOURCE_INVALID;
    d->content = NULL;
    d->content_length = 0;
    fail(&d->error, DOCKET_BAD_INPUT, CODE_document_source_invalid, "documents_url line %zu: %s", line, why);
}

/* The id of a line that is refused for something else, so that its owner finds it again. */
static void rescue_id(struct document_input *d, const cJSON *item)
{
    struct document_input only = {0};
    struct error ignored;
    struct job_reader r = {.err = &ignored};
    if (!cJSON_IsObject(item) || job_read_id(&r, &only, item, "") != DOCKET_OK) return;
    d->id = only.id; /* in the tree of the line, which stays */
    d->custom_id = only.custom_id;
}

static enum status read_line(struct job_reader *r, struct document_input *d, const char *line, size_t length,
                             size_t number)
{
    static const struct json_limits limits = {.nul_in_values = true, .max_values = LINE_VALUES};
    struct error why = {0};
    struct job_reader of_line = {.job = r->job, .made = r->made, .err = &why};
    char path[48];
    cJSON *item = NULL;
    d->line = number;
    enum status st = json_parse(&item, line, length, &limits, &why);
    if (st == DOCKET_NO_MEMORY) return job_no_memory(r);
    if (st != DOCKET_OK) {
        refuse(d, number, why.message);
        return DOCKET_OK;
    }
    cJSON_AddItemToArray(r->made, item);
    snprintf(path, sizeof(path), "documents_url line %zu", number);
    st = job_read_document(&of_line, d, item, path);
    if (st == DOCKET_OK) return st;
    if (st == DOCKET_NO_MEMORY) return job_no_memory(r);
    const size_t prefix = strlen(path);
    bool named = strncmp(why.message, path, prefix) == 0; /* "…: want …" or "….key: want …" */
    const char *rest = why.message + (named ? prefix + strspn(why.message + prefix, ":. ") : 0);
    *d = (struct document_input){.line = number};
    refuse(d, number, rest);
    rescue_id(d, item);
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

static bool id_taken(const struct named *named, size_t n, const char *id)
{
    const struct named key = {id, 0};
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(named[middle].id, key.id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && strcmp(named[low].id, key.id) == 0;
}

/* doc-1, doc-2, … by position, with more behind it where another line has that. */
static enum status make_up_id(struct job_reader *r, struct document_input *d, size_t i, const struct named *named,
                              size_t n)
{
    char id[64];
    snprintf(id, sizeof(id), "doc-%zu", i + 1);
    for (size_t more = 2; id_taken(named, n, id); more++) snprintf(id, sizeof(id), "doc-%zu-%zu", i + 1, more);
    d->id = job_keep_string(r, id);
    d->custom_id = false;
    return d->id ? DOCKET_OK : job_no_memory(r);
}

static enum status complete_ids(struct job_reader *r)
{
    struct job_input *job = r->job;
    enum status st = DOCKET_OK;
    size_t n = 0;
    struct named *named = mem_zalloc(job->n_documents, sizeof(*named));
    if (!named) return job_no_memory(r);
    for (size_t i = 0; i < job->n_documents; i++)
        if (job->documents[i].id) named[n++] = (struct named){job->documents[i].id, i};
    if (n) qsort(named, n, sizeof(*named), by_id);
    for (size_t k = 1, first = 0; k < n; k++) {
        if (strcmp(named[k].id, named[first].id) != 0) {
            first = k;
            continue;
        }
        struct document_input *d = &job->documents[named[k].index];
        char why[96];
        snprintf(why, sizeof(why), "its id is that of line %zu", job->documents[named[first].index].line);
        refuse(d, d->line, why);
        d->id = NULL;
    }
    for (size_t i = 0; i < job->n_documents && st == DOCKET_OK; i++)
        if (!job->documents[i].id) st = make_up_id(r, &job->documents[i], i, named, n);
    mem_free(named);
    return st;
}

enum status job_input_add_list(struct job_input *input, const char *text, size_t length, struct error *err)
{
    struct job_reader r = {.job = input, .err = err};
    const char *line;
    size_t n = 0, line_length, i = 0;
    enum status st = DOCKET_OK;
    struct lines count = start_lines(text, length), lines = count;
    r.made = cJSON_GetObjectItemCaseSensitive(input->tree, "");
    while (n <= MAX_DOCUMENTS && next_line(&count, &line, &line_length)) n++;
    if (n == 0 || n > MAX_DOCUMENTS)
        return fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                    "documents_url: want a list of 1 to %d lines, got %s", MAX_DOCUMENTS, n ? "more" : "none");
    if (!(input->documents = mem_zalloc(n, sizeof(*input->documents)))) return job_no_memory(&r);
    input->n_documents = n;
    for (; st == DOCKET_OK && i < n && next_line(&lines, &line, &line_length); i++)
        st = read_line(&r, &input->documents[i], line, line_length, lines.number);
    return st == DOCKET_OK ? complete_ids(&r) : st;
}
