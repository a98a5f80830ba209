/* classify.c: docket classify: files on the command line become jobs, which run as those of the queue do. */
#include "handlers/job_input.h"
#include "handlers/tools/file_list.h"
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JOB_BYTES    (8 * MIB)    /* of one job's text; its documents are read from their files */
#define RESULT_BYTES (1024 * MIB) /* nobody else's limit holds here */
#define INPUT_BYTES  (64 * MIB)   /* of a document on standard input */

struct classify_values {
    const char *labels, *instructions, *abstain_label, *none_label, *long_documents;
    struct text_list label, descriptions, thresholds;
    bool multi_label, calibrate, json, jsonl;
    uint64_t top_k, max_document_tokens;
    double threshold, abstain_below;
};

#define OPTION_VALUES struct classify_values
static const struct option options[] = {
    OWN_OPTION(TEXT, labels, "--labels", "(none)", ANY, "A,B,…",
               "what to choose from, 2 to 256 names separated by commas"),
    OWN_OPTION(LIST, label, "--label", "(none)", ANY, "NAME",
               "one more label, for names that hold a comma; may be repeated"),
    OWN_OPTION(LIST, descriptions, "--description", "(none)", ANY, "NAME=TEXT", "what a label means; may be repeated"),
    OWN_OPTION(TEXT, instructions, "--instructions", "(none)", ANY, "TEXT", "what to know when choosing"),
    OWN_OPTION(SWITCH, multi_label, "--multi-label", "false", ANY, "",
               "every label for itself: none, one or several fit"),
    OWN_OPTION(NUMBER, threshold, "--threshold", "(0.5)", RANGE(0, 1), "P",
               "with --multi-label: from here on a label fits"),
    OWN_OPTION(LIST, thresholds, "--label-threshold", "(none)", ANY, "NAME=P",
               "the same for one label; may be repeated"),
    OWN_OPTION(NUMBER, abstain_below, "--abstain-below", "(never)", RANGE(0, 1), "P",
               "less confidence than this is no answer"),
    OWN_OPTION(TEXT, abstain_label, "--abstain-label", "(none)", ANY, "NAME", "the label that stands for no answer"),
    OWN_OPTION(TEXT, none_label, "--none-label", "(none)", ANY, "NAME",
               "one more label, for documents that none of the others fits"),
    OWN_OPTION(COUNT, top_k, "--top-k", "(all)", RANGE(1, 256), "N", "scores of the N best labels only"),
    OWN_OPTION(COUNT, max_document_tokens, "--max-document-tokens", "(what the model has room for)", RANGE(16, 1048576),
               "N", "longer documents are cut in the middle"),
    OWN_OPTION(WORD, long_documents, "--long-documents", "truncate", WORDS("truncate", "chunk"), "HOW",
               "truncate: keep head and tail; chunk: score every part"),
    OWN_OPTION(SWITCH, calibrate, "--calibrate", "true", ANY, "",
               "take out what the model prefers with no document at all; --no-calibrate leaves it in"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "print the output of the job as the queue would get it"),
    OWN_OPTION(SWITCH, jsonl, "--jsonl", "false", ANY, "",
               "print one object of its results a line, the file's path as id"),
};

/* The job */

struct label_text {
    char *name;
    const char *description, *threshold;
};
struct label_texts {
    struct label_text items[300]; /* more than a job may have, so that the job says so */
    size_t n;
};

static bool add_label(struct label_texts *labels, const char *name, size_t length)
{
    if (labels->n == ARRAY_LENGTH(labels->items)) return true;
    labels->items[labels->n].name = str_dup_n(name, length);
    return labels->items[labels->n++].name != NULL;
}

static void label_texts_free(struct label_texts *labels)
{
    for (size_t i = 0; i < labels->n; i++) mem_free(labels->items[i].name);
}

/* "NAME=TEXT" to the label of that name. */
static struct label_text *find_label(struct label_texts *labels, const char *flag, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : 0;
    for (size_t i = 0; i < labels->n && n; i++)
        if (strncmp(labels->items[i].name, text, n) == 0 && labels->items[i].name[n] == '\0') return &labels->items[i];
    fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s \"%.60s\": want NAME=…, the name being one of the labels", flag, text);
    return NULL;
}

static enum status read_labels(struct label_texts *out, const struct classify_values *v, struct error *err)
{
    bool room = true;
    for (const char *p = v->labels; p && room; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ",");
        room = add_label(out, p, n);
        p += n;
    }
    for (size_t i = 0; i < v->label.n && room; i++) room = add_label(out, v->label.items[i], strlen(v->label.items[i]));
    if (!room) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the labels");
    for (size_t i = 0; i < v->descriptions.n; i++) {
        struct label_text *label = find_label(out, "--description", v->descriptions.items[i], err);
        if (!label) return DOCKET_BAD_INPUT;
        label->description = strchr(v->descriptions.items[i], '=') + 1;
    }
    for (size_t i = 0; i < v->thresholds.n; i++) {
        struct label_text *label = find_label(out, "--label-threshold", v->thresholds.items[i], err);
        if (!label) return DOCKET_BAD_INPUT;
        label->threshold = strchr(v->thresholds.items[i], '=') + 1;
        double ignored;
        const struct option number = {.kind = OPTION_NUMBER, .high = 1};
        if (option_parse(&number, "--label-threshold", label->threshold, &ignored, err) != DOCKET_OK)
            return DOCKET_BAD_INPUT;
    }
    return DOCKET_OK;
}

static void put_labels(struct json_writer *w, const struct label_texts *labels)
{
    json_begin_array(w, "labels");
    for (size_t i = 0; i < labels->n; i++) {
        const struct label_text *l = &labels->items[i];
        json_begin_object(w, NULL);
        json_put_string(w, "name", l->name);
        if (l->description) json_put_string(w, "description", l->description);
        if (l->threshold) json_put_raw(w, "threshold", l->threshold);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_options(struct json_writer *w, const struct classify_values *v)
{
    json_begin_object(w, "options");
    if (v->top_k) json_put_u64(w, "top_k", v->top_k);
    if (v->threshold >= 0) json_put_double(w, "threshold", v->threshold);
    if (v->abstain_below >= 0) {
        json_begin_object(w, "abstain");
        json_put_double(w, "below", v->abstain_below);
        if (v->abstain_label) json_put_string(w, "label", v->abstain_label);
        json_end_object(w);
    }
    if (v->none_label) json_put_string(w, "none_label", v->none_label);
    if (v->max_document_tokens) json_put_u64(w, "max_document_tokens", v->max_document_tokens);
    json_put_string(w, "long_documents", v->long_documents);
    json_put_bool(w, "calibrate", v->calibrate);
    json_end_object(w);
}

static void put_base64(struct buffer *out, const char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = (const unsigned char *)bytes;
    buffer_reserve(out, n / 3 * 4 + 8);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63], digits[three & 63]};
        if (i + 1 >= n) four[2] = '=';
        if (i + 2 >= n) four[3] = '=';
        buffer_append(out, four, 4);
    }
}

static enum status put_standard_input(struct json_writer *w, struct error *err)
{
    struct buffer bytes = {0}, text = {0};
    enum status st = tool_read_input(&bytes, INPUT_BYTES, err);
    if (st == DOCKET_OK) put_base64(&text, bytes.data ? bytes.data : "", bytes.length);
    if (st == DOCKET_OK) st = buffer_check(&text, "standard input", err);
    if (st == DOCKET_OK) json_put_string_n(w, "content_base64", text.data ? text.data : "", text.length);
    buffer_free(&bytes);
    buffer_free(&text);
    return st;
}

static const char *below_root(const char *path)
{
    return path[1] ? path + 1 : "."; /* of DOCUMENT_ROOT, which is "/" here */
}

/* A file whose name no JSON can say: its bytes, under the name as it is shown. What cannot be read is the job's to refuse. */
static enum status put_bytes_of(struct json_writer *w, const struct file_item *file, struct error *err)
{
    struct buffer bytes = {0}, text = {0};
    const char *slash = strrchr(file->shown, '/');
    buffer_init(&bytes, INPUT_BYTES);
    enum status st = file_read_all(&bytes, file->raw, err);
    if (st == DOCKET_OK) {
        put_base64(&text, bytes.data ? bytes.data : "", bytes.length);
        if ((st = buffer_check(&text, file->shown, err)) == DOCKET_OK) {
            json_put_string_n(w, "content_base64", text.data ? text.data : "", text.length);
            json_put_string(w, "filename", slash ? slash + 1 : file->shown);
        }
    } else if (st != DOCKET_NO_MEMORY) {
        json_put_string(w, "path", below_root(file->path));
        st = DOCKET_OK;
    }
    buffer_free(&bytes);
    buffer_free(&text);
    return st;
}

/* One job with as many files from *at on as it may have. */
static enum status make_job(struct buffer *out, const struct classify_values *v, const struct label_texts *labels,
                            const struct file_list *files, size_t *at, struct error *err)
{
    struct json_writer w = {.out = out};
    enum status st = DOCKET_OK;
    buffer_clear(out);
    json_begin_object(&w, NULL);
    json_put_string(&w, "id", "local");
    json_begin_object(&w, "input");
    put_labels(&w, labels);
    json_put_bool(&w, "multi_label", v->multi_label);
    if (v->instructions) json_put_string(&w, "instructions", v->instructions);
    put_options(&w, v);
    json_begin_array(&w, "documents");
    for (size_t n = 0; st == DOCKET_OK && *at < files->n && n < MAX_DOCUMENTS && (n == 0 || out->length < JOB_BYTES);
         n++, ++*at) {
        const struct file_item *file = &files->items[*at];
        json_begin_object(&w, NULL);
        json_put_string(&w, "id", file->shown);
        if (strcmp(file->path, "-") == 0)
            st = put_standard_input(&w, err);
        else if (strcmp(file->path, file->raw) != 0)
            st = put_bytes_of(&w, file, err);
        else
            json_put_string(&w, "path", below_root(file->path));
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
    return st == DOCKET_OK ? buffer_check(out, "the job", err) : st;
}

/* Several outputs as one: results one after the other, numbers added up. */

static void add_numbers(cJSON *to, const cJSON *from)
{
    for (const cJSON *item = from ? from->child : NULL; item; item = item->next) {
        cJSON *mine = cJSON_GetObjectItemCaseSensitive(to, item->string);
        if (cJSON_IsObject(item) && cJSON_IsObject(mine))
            add_numbers(mine, item);
        else if (cJSON_IsNumber(item) && cJSON_IsNumber(mine))
            cJSON_SetNumberValue(mine, mine->valuedouble + item->valuedouble);
        else if (cJSON_IsNumber(item) && !mine)
            cJSON_AddNumberToObject(to, item->string, item->valuedouble);
    }
}

static cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void merge(cJSON *into, cJSON *output)
{
    static const char *const sums[] = {"summary", "usage", "timing_ms"};
    static const char *const money[] = {"compute_usd", "cold_start_usd", "total_usd"};
    cJSON *results = member(into, "results"), *more = member(output, "results"), *item, *mine, *theirs;
    int base = cJSON_GetArraySize(results);
    while (more && (item = cJSON_DetachItemFromArray(more, 0))) {
        if ((mine = member(item, "index"))) cJSON_SetNumberValue(mine, base + mine->valueint);
        cJSON_AddItemToArray(results, item);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(sums); i++) add_numbers(member(into, sums[i]), member(output, sums[i]));
    cJSON *cost = member(into, "cost");
    for (size_t i = 0; i < ARRAY_LENGTH(money); i++)
        if (cJSON_IsNumber(mine = member(cost, money[i])) &&
            cJSON_IsNumber(theirs = member(member(output, "cost"), money[i])))
            cJSON_SetNumberValue(mine, mine->valuedouble + theirs->valuedouble);
    const cJSON *total = member(cost, "total_usd");
    if (cJSON_IsNumber(total) && cJSON_IsNumber(mine = member(cost, "per_document_usd")))
        cJSON_SetNumberValue(mine, total->valuedouble / cJSON_GetArraySize(results));
    const char *status = cJSON_GetStringValue(member(output, "status"));
    if (status && strcmp(status, "completed") != 0 && (mine = member(into, "status")))
        cJSON_SetValuestring(mine, status);
}

/* What people see */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(member(object, key));
    return text ? text : "";
}

static void put_answer(struct buffer *out, const cJSON *result)
{
    const cJSON *labels = member(result, "labels"), *item;
    if (!cJSON_IsArray(labels)) {
        tool_put_clean(out, text_of(result, "label")[0] ? text_of(result, "label") : "(no answer)");
        return;
    }
    size_t before = out->length;
    cJSON_ArrayForEach(item, labels)
    {
        if (out->length > before) buffer_append_char(out, ',');
        tool_put_clean(out, cJSON_GetStringValue(item) ? cJSON_GetStringValue(item) : "");
    }
    if (out->length == before) buffer_append_str(out, "(none)");
}

/* Columns are counted in characters, not bytes. */
static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void put_table(struct buffer *out, const cJSON *results, bool colour)
{
    const cJSON *result;
    size_t width = 5;
    struct buffer answer = {0};
    cJSON_ArrayForEach(result, results)
    {
        buffer_clear(&answer);
        put_answer(&answer, result);
        if (!member(result, "error") && answer.data && characters(answer.data) > width) width = characters(answer.data);
    }
    if (width > 40) width = 40;
    buffer_printf(out, "%-*s  %10s  %s\n", (int)width, "label", "confidence", "document");
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *error = member(result, "error"), *confidence = member(result, "confidence");
        buffer_clear(&answer);
        if (error)
            buffer_append_str(&answer, "error");
        else
            put_answer(&answer, result);
        size_t n = answer.data ? characters(answer.data) : 0;
        buffer_printf(out, "%s%s%s%*s  ", error && colour ? "\033[31m" : "", answer.data ? answer.data : "",
                      error && colour ? "\033[0m" : "", n < width ? (int)(width - n) : 0, "");
        if (cJSON_IsNumber(confidence))
            buffer_printf(out, "%10.3f  ", confidence->valuedouble);
        else
            buffer_printf(out, "%10s  ", "");
        tool_put_clean(out, text_of(result, "id"));
        if (error) {
            buffer_printf(out, "  %s: ", text_of(error, "code"));
            tool_put_clean(out, text_of(error, "message"));
        }
        buffer_append_char(out, '\n');
    }
    buffer_free(&answer);
}

static void put_json(struct buffer *out, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    if (!text) out->failed = true;
    buffer_append_str(out, text ? text : "");
    buffer_append_char(out, '\n');
    cJSON_free(text);
}

static enum status put_output(struct buffer *out, const struct classify_values *v, const cJSON *merged, bool colour,
                              struct error *err)
{
    const cJSON *result;
    if (v->json)
        put_json(out, merged);
    else if (!v->jsonl)
        put_table(out, member(merged, "results"), colour);
    else
        cJSON_ArrayForEach(result, member(merged, "results")) put_json(out, result);
    return buffer_check(out, "the output", err);
}

/* Running */

struct progress {
    bool terminal;
    size_t before; /* documents of earlier jobs */
    uint64_t shown_ns;
};

static void show_progress(void *context, const char *json)
{
    struct progress *p = context;
    double done = 0, documents = 0;
    cJSON *tree;
    if (!p->terminal || clock_now_ns() - p->shown_ns < 100 * NS_PER_MS) return;
    p->shown_ns = clock_now_ns();
    if (!(tree = cJSON_Parse(json))) return;
    if (cJSON_IsNumber(member(tree, "documents_done"))) done = member(tree, "documents_done")->valuedouble;
    if (cJSON_IsNumber(member(tree, "documents"))) documents = member(tree, "documents")->valuedouble;
    cJSON_Delete(tree);
    fprintf(stderr, "\r\033[K%.0f of %.0f documents", (double)p->before + done, (double)p->before + documents);
}

static void keep_nothing(void *context, uint32_t item, const void *bytes, size_t length)
{
    (void)context, (void)item, (void)bytes, (void)length;
}

static const void *find_nothing(void *context, uint32_t item, size_t *length)
{
    (void)context, (void)item, (void)length;
    return NULL;
}

static void note_phase(void *context, const char *phase, const char *items)
{
    (void)context, (void)phase, (void)items;
}

static void note_account(void *context, const char *key, double value)
{
    (void)context, (void)key, (void)value;
}

static enum status run_job(struct classifier *classifier, const struct buffer *text, struct progress *progress,
                           cJSON **merged, struct error *err)
{
    static const atomic_bool never = false;
    struct buffer output = {0};
    bool refresh;
    const struct job job = {.id = "local",
                            .json = text->data,
                            .json_length = text->length,
                            .queue_seconds = -1,
                            .taken_at_ns = clock_now_ns()};
    const struct job_services services = {.context = progress,
                                          .stop = &never,
                                          .progress = show_progress,
                                          .partial_keep = keep_nothing,
                                          .partial_find = find_nothing,
                                          .phase = note_phase,
                                          .account = note_account};
    enum status st = classify_job(classifier, &job, &services, &output, &refresh, err);
    cJSON *tree = st == DOCKET_OK ? cJSON_ParseWithLength(output.data, output.length) : NULL;
    if (st == DOCKET_OK && !tree) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the output");
    if (tree && *merged)
        merge(*merged, tree);
    else if (tree) {
        *merged = tree;
        tree = NULL;
    }
    cJSON_Delete(tree);
    buffer_free(&output);
    if (*merged) progress->before = (size_t)cJSON_GetArraySize(member(*merged, "results"));
    return st;
}

static enum status run_all(const struct tool_call *call, const struct file_list *files,
                           const struct label_texts *labels, cJSON **merged, struct error *err)
{
    struct classify_options classify;
    struct classifier *classifier = NULL;
    struct buffer text = {0};
    struct progress progress = {.terminal = config_terminal(call->config, STDERR_FILENO)};
    size_t at = 0;
    enum status st = tool_classify_options(call, &classify, err);
    classify.documents.limits.root = "/";
    classify.result_max_bytes = RESULT_BYTES;
    price_find(&classify.price, call->config->gpu_price_per_second, NULL);
    classify.worker_id = "local";
    if (st == DOCKET_OK) st = classifier_open(&classifier, &classify, err);
    if (st == DOCKET_OK) st = tool_load(classifier, call->config, err);
    while (st == DOCKET_OK && at < files->n) {
        st = make_job(&text, call->values, labels, files, &at, err);
        if (st == DOCKET_OK) st = run_job(classifier, &text, &progress, merged, err);
    }
    if (progress.terminal) fputs("\r\033[K", stderr);
    classifier_close(classifier);
    buffer_free(&text);
    return st;
}

static int run(const struct tool_call *call)
{
    const struct classify_values *v = call->values;
    struct error err = {0};
    struct file_list files = {0};
    struct label_texts labels = {0};
    struct buffer out = {0};
    cJSON *merged = NULL;
    int code;
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    if (!v->labels && !v->label.n) return tool_usage("no labels: --labels invoice,receipt,contract");
    if (!call->n_arguments) return tool_usage("no files: name files or folders, or - for standard input");
    if (v->json && v->jsonl) return tool_usage("--json and --jsonl exclude each other");
    if (v->abstain_label && v->abstain_below < 0) return tool_usage("--abstain-label needs --abstain-below");
    enum status st = read_labels(&labels, v, &err);
    if (st == DOCKET_OK) st = file_list_make(&files, call->arguments, call->n_arguments, &err);
    if (st == DOCKET_OK && !files.n)
        st = fail(&err, DOCKET_NOT_FOUND, CODE_NONE, "no files in %.200s", call->arguments[0]);
    if (st == DOCKET_OK) st = tool_log_open(call->config, LOG_ERROR, &err);
    bool boxed = st == DOCKET_OK && tool_sandbox(call, &err);
    if (st == DOCKET_OK && !boxed) st = err.status;
    if (st == DOCKET_OK) st = run_all(call, &files, &labels, &merged, &err);
    if (st == DOCKET_OK) st = put_output(&out, v, merged, config_terminal(call->config, STDOUT_FILENO), &err);
    const cJSON *failed = member(member(merged, "summary"), "failed");
    if (st != DOCKET_OK) {
        code = tool_fail(&err);
        /* What the command line said cannot be used. */
        if (st == DOCKET_BAD_INPUT && (err.code == CODE_NONE || strcmp(error_code_scope(err.code), "job") == 0))
            code = DOCKET_EXIT_USAGE;
        if (err.code == CODE_sandbox_unavailable) code = DOCKET_EXIT_SANDBOX;
    } else if (!tool_print(&out))
        code = DOCKET_EXIT_IO;
    else
        code = files.n_unreadable || (cJSON_IsNumber(failed) && failed->valuedouble > 0) ? DOCKET_EXIT_UNHEALTHY : 0;
    cJSON_Delete(merged);
    buffer_free(&out);
    file_list_free(&files);
    label_texts_free(&labels);
    return code;
}

const struct tool tool_classify = {
    .name = "classify",
    .line =
        {.letter = 'c',
         .usage = "classify --model NAME|DIR --labels A,B,C FILE|DIR|- …",
         .about =
             "files on the command line, as a job from the queue.\n\nFolders are walked (sorted; hidden files and "
             "links "
             "left out). An archive gives a result for\neach member. Exit code 1: there were documents that could not "
             "be classified; the others were.",
         .options = options,
         .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct classify_values),
    .reads_documents = true,
    .run = run,
};
