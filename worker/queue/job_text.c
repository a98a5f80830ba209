/* job_text.c: cuts the answer of a take into jobs. It must get along with text that is not JSON: elements are found by quotes and
 * brackets alone, each one then passes the gate by itself, so that a bad element harms no other. */
#include "worker/queue/job_text.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <string.h>

struct span {
    const char *text;
    size_t length;
};

void queue_job_free(struct queue_job *job)
{
    if (!job) return;
    mem_free(job->id);
    mem_free(job->batch_id);
    mem_free(job->json);
    memset(job, 0, sizeof(*job));
}

void queue_take_free(struct queue_take *take)
{
    for (size_t i = 0; i < take->n_jobs; i++) queue_job_free(&take->jobs[i]);
    mem_free(take->jobs);
    take->jobs = NULL;
    take->n_jobs = 0;
}

void queue_stops_free(struct queue_stops *stops)
{
    for (size_t i = 0; i < stops->n_ids; i++) mem_free(stops->ids[i]);
    mem_free(stops->ids);
    stops->ids = NULL;
    stops->n_ids = 0;
}

enum status job_id_check(const char *id, size_t length, struct error *err)
{
    size_t bad = 0;
    if (length == 0) return fail(err, DOCKET_BAD_INPUT, CODE_job_take_malformed, "id: want a string that is not empty");
    if (length > QUEUE_MAX_ID_BYTES)
        return fail(err, DOCKET_BAD_INPUT, CODE_job_take_malformed, "id: want at most %d bytes, got %zu",
                    QUEUE_MAX_ID_BYTES, length);
    if (!utf8_valid(id, length, &bad))
        return fail(err, DOCKET_BAD_INPUT, CODE_job_take_malformed, "id: not UTF-8 at byte %zu", bad);
    for (size_t at = 0; at < length;) {
        uint32_t c = 0;
        at += utf8_next(id + at, length - at, &c);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return fail(err, DOCKET_BAD_INPUT, CODE_job_take_malformed, "id: control character U+%04X", (unsigned)c);
    }
    return DOCKET_OK;
}

static size_t skip_space(const char *text, size_t length, size_t at)
{
    while (at < length && strchr(" \t\r\n", text[at]) && text[at]) at++;
    return at;
}

/* The byte after the string that opens at `at`, or length if it never closes. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length; at++) {
        if (text[at] == '\\')
            at++;
        else if (text[at] == '"')
            return at + 1;
    }
    return length;
}

/* Where the value that starts at `at` ends: at a comma or closing bracket of the level around it, or where the text ends. */
static size_t skip_value(const char *text, size_t length, size_t at)
{
    size_t depth = 0;
    while (at < length) {
        char c = text[at];
        if (c == '"') {
            at = skip_string(text, length, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}')) return at;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        at++;
    }
    return length;
}

/* The next member of an object: *at stands behind its '{' or behind the member before. false at the end, or where the text makes no
 * sense any more. The value may carry white space at its end. */
static bool next_member(const char *text, size_t length, size_t *at, struct span *key, struct span *value)
{
    size_t p = skip_space(text, length, *at);
    if (p < length && text[p] == ',') p = skip_space(text, length, p + 1);
    if (p >= length || text[p] != '"') return false;
    size_t end = skip_string(text, length, p);
    *key = (struct span){text + p, end - p};
    p = skip_space(text, length, end);
    if (p >= length || text[p] != ':') return false;
    p = skip_space(text, length, p + 1);
    end = skip_value(text, length, p);
    *value = (struct span){text + p, end - p};
    *at = end;
    return true;
}

/* The string in a span with its quotes, unescaped; NULL if it is none, or no memory. The caller frees. */
static char *string_of(struct span span)
{
    char *out = NULL;
    cJSON *value = NULL;
    if (span.length < 2 || span.text[0] != '"' || span.length > 16 * KIB) return NULL;
    if (json_parse(&value, span.text, span.length, NULL, NULL) == DOCKET_OK && cJSON_IsString(value))
        out = str_dup(value->valuestring);
    cJSON_Delete(value);
    return out;
}

static bool key_is(struct span key, const char *name)
{
    size_t n = strlen(name);
    if (key.length == n + 2 && memcmp(key.text + 1, name, n) == 0) return true;
    if (!memchr(key.text, '\\', key.length)) return false;
    char *plain = string_of(key);
    bool same = plain && strcmp(plain, name) == 0;
    mem_free(plain);
    return same;
}

static enum status add_job(struct queue_take *out, struct queue_job *job, struct error *err)
{
    struct queue_job *longer = mem_resize(out->jobs, out->n_jobs + 1, sizeof(*longer));
    if (!longer) {
        queue_job_free(job);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a job");
    }
    out->jobs = longer;
    MOVE(out->jobs[out->n_jobs], *job);
    out->n_jobs++;
    return DOCKET_OK;
}

static void add_malformed(struct queue_take *out, const struct error *why)
{
    out->n_malformed++;
    out->last_malformed = *why;
    out->last_malformed.code = CODE_job_take_malformed;
}

/* Milliseconds as the queue gives them, in seconds; -1 if it is no sensible number. */
static double seconds_of(struct span span)
{
    cJSON *value = NULL;
    double seconds = -1;
    if (span.length <= 64 && json_parse(&value, span.text, span.length, NULL, NULL) == DOCKET_OK &&
        cJSON_IsNumber(value) && value->valuedouble >= 0)
        seconds = value->valuedouble / 1000;
    cJSON_Delete(value);
    return seconds;
}

enum status job_text_read_one(struct queue_take *out, const char *text, size_t length, const char *default_id,
                              uint64_t taken_at_ns, struct error *err)
{
    static const struct json_limits limits = {.nul_in_values = true};
    struct queue_job job = {.queue_seconds = -1, .taken_at_ns = taken_at_ns};
    struct error why = {0};
    struct span key, value, id = {0}, input = {0}, batch = {0}, delay = {0};

    size_t start = skip_space(text, length, 0);
    while (length > start && strchr(" \t\r\n", text[length - 1]) && text[length - 1]) length--;
    text += start;
    length -= start;
    if (length == 0 || text[0] != '{') {
        fail(&why, DOCKET_BAD_INPUT, CODE_job_take_malformed, "want a job object, got something else");
        add_malformed(out, &why);
        return DOCKET_OK;
    }
    for (size_t at = 1; next_member(text, length, &at, &key, &value);) {
        if (!id.text && key_is(key, "id")) id = value;
        if (!input.text && key_is(key, "input")) input = value;
        if (!batch.text && key_is(key, "batchId")) batch = value;
        if (!delay.text && key_is(key, "delayTime")) delay = value;
    }
    while (id.length && strchr(" \t\r\n", id.text[id.length - 1])) id.length--;
    while (input.length && strchr(" \t\r\n", input.text[input.length - 1])) input.length--;
    enum status st = json_gate(text, length, &limits, &why);
    if (st == DOCKET_NO_MEMORY) {
        if (err) *err = why;
        return st;
    }
    bool sound = st == DOCKET_OK;
    job.id = id.text ? string_of(id) : default_id ? str_dup(default_id) : NULL;
    struct error bad_id = {0};
    if (!job.id)
        fail(&bad_id, DOCKET_BAD_INPUT, CODE_job_take_malformed, "id: %s%s%s",
             id.text ? "not a usable string" : "missing", sound ? "" : "; ", sound ? "" : why.message);
    if (!job.id || job_id_check(job.id, strlen(job.id), &bad_id) != DOCKET_OK) {
        add_malformed(out, &bad_id);
        queue_job_free(&job);
        return DOCKET_OK;
    }
    if (sound && !input.text) fail(&why, DOCKET_BAD_INPUT, CODE_job_field_invalid, "input: missing");
    if (batch.text && sound) job.batch_id = string_of(batch);
    if (delay.text && sound) job.queue_seconds = seconds_of(delay);
    if (!sound || !input.text)
        job.problem = why;
    else {
        job.json = str_dup_n(text, length);
        job.json_length = length;
        job.input_at = (size_t)(input.text - text);
        job.input_length = input.length;
        if (!job.json) {
            queue_job_free(&job);
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a job of %zu bytes", length);
        }
    }
    return add_job(out, &job, err);
}

/* Whether the object that opens at text[0] closes before the text ends. */
static bool closes(const char *text, size_t length)
{
    size_t depth = 0;
    for (size_t at = 0; at < length;) {
        char c = text[at];
        if (c == '"') {
            at = skip_string(text, length, at);
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return true;
        at++;
    }
    return false;
}

static enum status read_element(struct queue_take *out, const char *text, size_t length, bool cut_by_us,
                                uint64_t taken_at_ns, struct error *err)
{
    struct error why = {0};
    if (cut_by_us || length == 0 || text[0] != '{' || closes(text, length))
        return job_text_read_one(out, text, length, NULL, taken_at_ns, err);
    fail(&why, DOCKET_BAD_INPUT, CODE_job_take_malformed, "the answer breaks off inside a job, after %zu bytes of it",
         length);
    add_malformed(out, &why);
    return DOCKET_OK;
}

enum status job_text_read(struct queue_take *out, const char *text, size_t length, bool cut_by_us, uint64_t taken_at_ns,
                          struct error *err)
{
    struct error why = {0};
    size_t at = skip_space(text, length, 0);
    if (at >= length) return DOCKET_OK;
    if (text[at] == '{') return read_element(out, text + at, length - at, cut_by_us, taken_at_ns, err);
    if (text[at] != '[') {
        if (json_gate(text, length, NULL, &why) != DOCKET_OK) add_malformed(out, &why);
        return DOCKET_OK;
    }
    for (at = skip_space(text, length, at + 1); at < length && text[at] != ']';) {
        size_t end = skip_value(text, length, at);
        enum status st = read_element(out, text + at, end - at, cut_by_us, taken_at_ns, err);
        if (st != DOCKET_OK) return st;
        at = end;
        if (at < length && text[at] == ',')
            at = skip_space(text, length, at + 1);
        else if (at < length && text[at] == '}')
            break;
    }
    bool closed = at < length && text[at] == ']';
    if (cut_by_us && !closed) return DOCKET_OK;
    at = closed ? skip_space(text, length, at + 1) : length + 1;
    if (at != length) {
        fail(&why, DOCKET_BAD_INPUT, CODE_job_take_malformed,
             "the array of jobs does not end at the end of the answer");
        add_malformed(out, &why);
    }
    return DOCKET_OK;
}

enum status job_text_read_stops(struct queue_stops *out, const char *text, size_t length, size_t max_ids,
                                struct error *err)
{
    cJSON *root = NULL;
    const cJSON *list = NULL, *item;
    enum status st = json_parse(&root, text, length, NULL, err);
    if (st != DOCKET_OK) return st;
    if (!cJSON_IsObject(root)) {
        st = fail(err, DOCKET_BAD_INPUT, CODE_queue_answer_invalid, "want an object with jobsToStop");
        goto done;
    }
    if ((st = json_get_array(root, "$", "jobsToStop", &list, NULL, err)) != DOCKET_OK) goto done;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || out->n_ids == max_ids ||
            job_id_check(item->valuestring, strlen(item->valuestring), NULL) != DOCKET_OK) {
            out->n_ignored++;
            continue;
        }
        if (out->n_ids % 64 == 0) {
            char **longer = mem_resize(out->ids, out->n_ids + 64, sizeof(*longer));
            if (!longer) {
                st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the ids to stop");
                goto done;
            }
            out->ids = longer;
        }
        if (!(out->ids[out->n_ids] = str_dup(item->valuestring))) {
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the ids to stop");
            goto done;
        }
        out->n_ids++;
    }
done:
    cJSON_Delete(root);
    return st;
}
