/* job_input_fields.c: labels, options, instructions and examples of a job. */
#include "handlers/characters.h"
#include "handlers/documents/ocr_languages.h"
#include "handlers/job_input_parts.h"
#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

#define MAX_INSTRUCTIONS_BYTES 100000

/* Names */

static void quote(const char *text, char *out, size_t out_bytes)
{
    json_describe(&(cJSON){.type = cJSON_String, .valuestring = (char *)text}, out, out_bytes);
}

static enum status check_name(struct job_reader *r, const char *name, const char *path, enum error_code code)
{
    size_t length = strlen(name);
    uint32_t c = 0;
    if (strchr(name, JSON_NUL_MARK))
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: holds U+0000", path);
    if (length == 0 || length > MAX_LABEL_BYTES)
        return fail(r->err, DOCKET_BAD_INPUT, code, "%s: want 1 to %d bytes, got %zu", path, MAX_LABEL_BYTES, length);
    for (size_t at = 0; at < length;
         at += utf8_next(name + at, length - at, &c)) { /* a newline is odd, but can be scored */
        if (utf8_next(name + at, length - at, &c) == 0 || (character_is_control(c) && c != '\n' && c != '\t') ||
            c == 0x2028 || c == 0x2029)
            return fail(r->err, DOCKET_BAD_INPUT, code, "%s: holds the control character U+%04X", path, (unsigned)c);
    }
    if (job_only_space(name)) return fail(r->err, DOCKET_BAD_INPUT, code, "%s: nothing but white space", path);
    return DOCKET_OK;
}

/* What has to differ between two names: composed (NFC), white space trimmed and folded, invisible characters left out. The caller
 * frees; NULL: no memory. */
static char *fold_name(const char *name)
{
    char *text = characters_compose(name);
    struct buffer out = {0};
    if (!text) return NULL;
    size_t length = strlen(text);
    bool space = false;
    uint32_t c;
    for (size_t at = 0, n; at < length && (n = utf8_next(text + at, length - at, &c)) > 0; at += n) {
        if (character_is_hidden(c)) continue;
        if (character_is_space(c)) {
            space = out.length > 0;
            continue;
        }
        if (space) buffer_append_char(&out, ' ');
        space = false;
        buffer_append(&out, text + at, n);
    }
    mem_free(text);
    return buffer_take(&out, NULL);
}

static enum status say_twins(struct job_reader *r, const char *path, size_t k, size_t i)
{
    const struct job_input *job = r->job;
    char shown[64];
    quote(job->labels[i].name, shown, sizeof(shown));
    if (job->labels[i].name == job->options.none_label)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_labels_invalid, "%s[%zu] and options.none_label: both are %s", path,
                    k, shown);
    return fail(r->err, DOCKET_BAD_INPUT, CODE_labels_invalid, "%s[%zu] and %s[%zu]: both are %s", path, k, path, i,
                shown);
}

static enum status check_distinct(struct job_reader *r, const char *path)
{
    const struct job_input *job = r->job;
    char *folded[MAX_LABELS + 1] = {0};
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < job->n_labels && st == DOCKET_OK; i++) {
        folded[i] = fold_name(job->labels[i].name);
        if (!folded[i]) st = fail(r->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to compare labels");
        for (size_t k = 0; k < i && st == DOCKET_OK; k++)
            if (strcmp(folded[i], folded[k]) == 0) st = say_twins(r, path, k, i);
    }
    for (size_t i = 0; i < job->n_labels; i++) mem_free(folded[i]);
    return st;
}

/* Labels */

static enum status read_label(struct job_reader *r, struct label *label, const cJSON *item, const char *path)
{
    static const char *const known[] = {"name", "description", "threshold", "children", NULL};
    static const char *const later[] = {"children", NULL};
    char name_path[64];
    bool present;
    enum status st;
    label->threshold = r->job->options.threshold;
    if (cJSON_IsString(item)) {
        label->name = item->valuestring;
        return check_name(r, label->name, path, CODE_labels_invalid);
    }
    if (!cJSON_IsObject(item)) {
        char found[128];
        json_describe(item, found, sizeof(found));
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want a string or an object, got %s", path,
                    found);
    }
    snprintf(name_path, sizeof(name_path), "%s.name", path);
    if ((st = json_only_keys(item, path, known, r->err)) != DOCKET_OK ||
        (st = job_refuse_later(r, item, path, later)) != DOCKET_OK ||
        (st = json_get_string(item, path, "name", &label->name, NULL, r->err)) != DOCKET_OK ||
        (st = check_name(r, label->name, name_path, CODE_labels_invalid)) != DOCKET_OK ||
        (st = job_get_text(r, item, path, "description", &label->description, NULL, &present)) != DOCKET_OK)
        return st;
    if (label->description && job_only_space(label->description)) label->description = NULL;
    return json_get_number(item, path, "threshold", 0, 1, &label->threshold, &present, r->err);
}

/* "a, b" of the zero-shot shape as an array of trimmed strings. */
static const cJSON *split(struct job_reader *r, const char *text)
{
    cJSON *list = cJSON_CreateArray();
    if (!list) return NULL;
    cJSON_AddItemToArray(r->made, list);
    for (;;) {
        size_t n = strcspn(text, ","), start = strspn(text, " \t\r\n"), end = n;
        while (end > start && strchr(" \t\r\n", text[end - 1])) end--;
        char *part = str_dup_n(text + (start < n ? start : n), end > start ? end - start : 0);
        cJSON *item = part ? cJSON_CreateString(part) : NULL;
        mem_free(part);
        if (!item) return NULL;
        cJSON_AddItemToArray(list, item);
        if (text[n] == '\0' || cJSON_GetArraySize(list) > MAX_LABELS) return list;
        text += n + 1;
    }
}

static const cJSON *value_of(const cJSON *object, const char *key)
{
    const cJSON *value = object ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
    return value && !cJSON_IsNull(value) ? value : NULL;
}

static enum status find_labels(struct job_reader *r, const cJSON **list, const char **path)
{
    const cJSON *labels = value_of(r->input, "labels"), *candidates = value_of(r->parameters, "candidate_labels");
    if (labels && candidates)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                    "labels and parameters.candidate_labels: want only one of them");
    if (!labels && !candidates) return fail(r->err, DOCKET_BAD_INPUT, CODE_labels_invalid, "labels: missing");
    *path = labels ? "labels" : "parameters.candidate_labels";
    if (labels) return json_get_array(r->input, "", "labels", list, NULL, r->err);
    if (!cJSON_IsString(candidates))
        return json_get_array(r->parameters, "parameters", "candidate_labels", list, NULL, r->err);
    *list = split(r, candidates->valuestring);
    return *list ? DOCKET_OK : job_no_memory(r);
}

static enum status read_multi_label(struct job_reader *r)
{
    bool here, there = false;
    enum status st = json_get_bool(r->input, "", "multi_label", &r->job->multi_label, &here, r->err);
    if (st == DOCKET_OK && r->parameters)
        st = json_get_bool(r->parameters, "parameters", "multi_label", &r->job->multi_label, &there, r->err);
    if (st == DOCKET_OK && here && there)
        st = fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                  "multi_label and parameters.multi_label: want only one of them");
    return st;
}

enum status job_read_labels(struct job_reader *r)
{
    struct job_input *job = r->job;
    const cJSON *list = NULL, *item;
    const char *path = NULL;
    enum status st;
    if ((st = find_labels(r, &list, &path)) != DOCKET_OK || (st = read_multi_label(r)) != DOCKET_OK) return st;
    size_t n = (size_t)cJSON_GetArraySize(list);
    if (n < 2 || n > MAX_LABELS)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_labels_invalid, "%s: want 2 to %d, got %s%zu", path, MAX_LABELS,
                    n > MAX_LABELS && !list->string ? "at least " : "", n);
    job->labels = mem_zalloc(n + 1, sizeof(*job->labels));
    if (!job->labels) return job_no_memory(r);
    cJSON_ArrayForEach(item, list)
    {
        char at[48];
        snprintf(at, sizeof(at), "%s[%zu]", path, job->n_labels);
        if ((st = read_label(r, &job->labels[job->n_labels++], item, at)) != DOCKET_OK) return st;
    }
    if (job->options.none_label) {
        job->labels[n] = (struct label){.name = job->options.none_label, .threshold = job->options.threshold};
        job->n_labels++;
    }
    return check_distinct(r, path);
}

/* Options */

static enum status read_abstain(struct job_reader *r, const cJSON *options)
{
    static const char *const known[] = {"below", "label", NULL};
    struct job_options *o = &r->job->options;
    const cJSON *abstain = NULL;
    bool present;
    enum status st = json_get_object(options, "options", "abstain", &abstain, &o->has_abstain, r->err);
    if (st != DOCKET_OK || !abstain) return st;
    if ((st = json_only_keys(abstain, "options.abstain", known, r->err)) != DOCKET_OK ||
        (st = json_get_number(abstain, "options.abstain", "below", 0, 1, &o->abstain_below, NULL, r->err)) !=
            DOCKET_OK ||
        (st = json_get_string(abstain, "options.abstain", "label", &o->abstain_label, &present, r->err)) != DOCKET_OK)
        return st;
    return present ? check_name(r, o->abstain_label, "options.abstain.label", CODE_job_field_invalid) : DOCKET_OK;
}

static enum status read_count(struct job_reader *r, const cJSON *options, const char *key, int64_t low, int64_t high,
                              size_t *out)
{
    int64_t value = 0;
    bool present;
    enum status st = json_get_integer(options, "options", key, low, high, &value, &present, r->err);
    if (present && st == DOCKET_OK) *out = (size_t)value;
    return st;
}

static enum status read_long_documents(struct job_reader *r, const cJSON *options)
{
    const char *word = "truncate";
    bool present;
    enum status st = json_get_string(options, "options", "long_documents", &word, &present, r->err);
    if (st != DOCKET_OK) return st;
    r->job->options.long_documents = strcmp(word, "chunk") == 0 ? LONG_CHUNK : LONG_TRUNCATE;
    if (strcmp(word, "chunk") == 0 || strcmp(word, "truncate") == 0) return DOCKET_OK;
    char shown[64];
    quote(word, shown, sizeof(shown));
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                "options.long_documents: want \"truncate\" or \"chunk\", got %s", shown);
}

/* explain is accepted where it changes nothing. */
static enum status refuse_explain(struct job_reader *r, const cJSON *options)
{
    bool explain = false, present;
    enum status st = json_get_bool(options, "options", "explain", &explain, &present, r->err);
    if (st == DOCKET_OK && explain)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "options.explain: true comes in a later version");
    return st;
}

enum status job_get_languages(struct job_reader *r, const cJSON *object, const char *path, const char **out)
{
    const cJSON *list = NULL, *item;
    struct buffer joined = {0};
    char shown[64];
    size_t i = 0;
    bool present;
    enum status st = json_get_array(object, path, "ocr_languages", &list, &present, r->err);
    if (st != DOCKET_OK || !list) return st;
    size_t n = (size_t)cJSON_GetArraySize(list);
    if (n < 1 || n > MAX_OCR_LANGUAGES)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s.ocr_languages: want 1 to %d, got %zu", path,
                    MAX_OCR_LANGUAGES, n);
    cJSON_ArrayForEach(item, list)
    {
        const char *name = item->valuestring;
        if (!cJSON_IsString(item) || !ocr_language_name(name, strlen(name))) {
            buffer_free(&joined);
            json_describe(item, shown, sizeof(shown));
            return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                        "%s.ocr_languages[%zu]: want a name such as \"eng\", got %s", path, i, shown);
        }
        buffer_printf(&joined, "%s%s", i++ ? "+" : "", name);
    }
    if (joined.length > MAX_OCR_WORD)
        st = fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                  "%s.ocr_languages: want at most %d bytes in all, got %zu", path, MAX_OCR_WORD, joined.length);
    else if (joined.failed || !(*out = job_keep_string(r, joined.data)))
        st = job_no_memory(r);
    buffer_free(&joined);
    return st;
}

static enum status read_ocr(struct job_reader *r, const cJSON *options)
{
    static const char *const words[] = {[OCR_AUTO] = "auto", [OCR_ALWAYS] = "always", [OCR_NEVER] = "never"};
    const char *word = words[OCR_AUTO];
    bool present;
    enum status st = json_get_string(options, "options", "ocr", &word, &present, r->err);
    if (st != DOCKET_OK) return st;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(word, words[i]) != 0) continue;
        r->job->options.ocr = (enum ocr_mode)i;
        return DOCKET_OK;
    }
    char shown[64];
    quote(word, shown, sizeof(shown));
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                "options.ocr: want \"auto\", \"always\" or \"never\", got %s", shown);
}

enum status job_read_options(struct job_reader *r)
{
    static const char *const known[] = {
        "top_k",         "threshold",     "abstain", "none_label",  "max_document_tokens", "long_documents", "ocr",
        "ocr_languages", "ocr_max_pages", "explain", "return_text", "refresh_worker",      "calibrate",      NULL};
    struct job_options *o = &r->job->options;
    const cJSON *options = NULL;
    bool present;
    o->threshold = 0.5;
    o->calibrate = true;
    enum status st = json_get_object(r->input, "", "options", &options, &present, r->err);
    if (st != DOCKET_OK || !present) return st;
    if ((st = json_only_keys(options, "options", known, r->err)) != DOCKET_OK ||
        (st = refuse_explain(r, options)) != DOCKET_OK ||
        (st = read_count(r, options, "top_k", 1, MAX_LABELS, &o->top_k)) != DOCKET_OK ||
        (st = json_get_number(options, "options", "threshold", 0, 1, &o->threshold, &present, r->err)) != DOCKET_OK ||
        (st = read_abstain(r, options)) != DOCKET_OK ||
        (st = json_get_string(options, "options", "none_label", &o->none_label, &present, r->err)) != DOCKET_OK ||
        (st = read_count(r, options, "max_document_tokens", 16, 1000000, &o->max_document_tokens)) != DOCKET_OK ||
        (st = read_long_documents(r, options)) != DOCKET_OK || (st = read_ocr(r, options)) != DOCKET_OK ||
        (st = job_get_languages(r, options, "options", &o->ocr_languages)) != DOCKET_OK ||
        (st = read_count(r, options, "ocr_max_pages", 1, 1000, &o->ocr_max_pages)) != DOCKET_OK ||
        (st = json_get_bool(options, "options", "calibrate", &o->calibrate, &present, r->err)) != DOCKET_OK ||
        (st = json_get_bool(options, "options", "return_text", &o->return_text, &present, r->err)) != DOCKET_OK ||
        (st = json_get_bool(options, "options", "refresh_worker", &o->refresh_worker, &present, r->err)) != DOCKET_OK)
        return st;
    return o->none_label ? check_name(r, o->none_label, "options.none_label", CODE_labels_invalid) : DOCKET_OK;
}

/* Where results go */

static enum status refuse_word(struct job_reader *r, const char *path, const char *want, const char *word)
{
    char shown[64];
    quote(word, shown, sizeof(shown));
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want %s, got %s", path, want, shown);
}

enum status job_read_output(struct job_reader *r)
{
    static const char *const known[] = {"url", "format", "compression", NULL};
    static const char *const packings[] = {[OUTPUT_PLAIN] = "none", [OUTPUT_GZIP] = "gzip", [OUTPUT_ZSTD] = "zstd"};
    const char *format = "jsonl", *packing = packings[OUTPUT_PLAIN];
    struct job_output *out = &r->job->output;
    const cJSON *output = NULL;
    bool present;
    enum status st = json_get_object(r->input, "", "output", &output, &present, r->err);
    if (st != DOCKET_OK || !output) return st;
    if ((st = json_only_keys(output, "output", known, r->err)) != DOCKET_OK ||
        (st = job_get_plain(r, output, "output", "url", &out->url, NULL)) != DOCKET_OK ||
        (st = json_get_string(output, "output", "format", &format, &present, r->err)) != DOCKET_OK ||
        (st = json_get_string(output, "output", "compression", &packing, &present, r->err)) != DOCKET_OK)
        return st;
    if (strcmp(format, "jsonl") != 0) return refuse_word(r, "output.format", "\"jsonl\"", format);
    for (size_t i = 0; i < ARRAY_LENGTH(packings); i++) {
        if (strcmp(packing, packings[i]) != 0) continue;
        out->packing = (enum output_packing)i;
        return DOCKET_OK;
    }
    return refuse_word(r, "output.compression", "\"none\", \"gzip\" or \"zstd\"", packing);
}

/* Instructions and examples */

enum status job_read_instructions(struct job_reader *r)
{
    const char *text = NULL;
    bool present;
    enum status st = job_get_text(r, r->input, "", "instructions", &text, NULL, &present);
    if (st != DOCKET_OK || !text) return st;
    if (strlen(text) > MAX_INSTRUCTIONS_BYTES)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "instructions: want at most %d bytes, got %zu",
                    MAX_INSTRUCTIONS_BYTES, strlen(text));
    if (!job_only_space(text)) r->job->instructions = text;
    return DOCKET_OK;
}

static enum status add_example_label(struct job_reader *r, struct example *example, const cJSON *item, const char *path)
{
    char shown[128];
    json_describe(item, shown, sizeof(shown));
    if (!cJSON_IsString(item))
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want a string, got %s", path, shown);
    for (size_t i = 0; i < r->job->n_labels; i++) {
        if (strcmp(r->job->labels[i].name, item->valuestring) != 0) continue;
        example->labels[example->n_labels++] = r->job->labels[i].name;
        return DOCKET_OK;
    }
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: %s is none of the labels", path, shown);
}

static enum status read_example(struct job_reader *r, struct example *example, const cJSON *item, const char *path)
{
    static const char *const known[] = {"text", "labels", "label", NULL};
    const size_t most = r->job->multi_label ? ARRAY_LENGTH(example->labels) : 1;
    const cJSON *one = NULL, *list = NULL, *name;
    char at[64];
    bool present;
    enum status st;
    if (!cJSON_IsObject(item)) {
        char found[128];
        json_describe(item, found, sizeof(found));
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want an object, got %s", path, found);
    }
    if ((st = json_only_keys(item, path, known, r->err)) != DOCKET_OK ||
        (st = job_get_text(r, item, path, "text", &example->text, NULL, NULL)) != DOCKET_OK ||
        (st = json_get_array(item, path, "labels", &list, &present, r->err)) != DOCKET_OK)
        return st;
    one = value_of(item, "label");
    if (job_only_space(example->text))
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s.text: empty", path);
    if (!one == !list)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: want labels or label, got %s", path,
                    one ? "both" : "none");
    if (one) {
        snprintf(at, sizeof(at), "%s.label", path);
        return add_example_label(r, example, one, at);
    }
    size_t n = (size_t)cJSON_GetArraySize(list);
    if (n < 1 || n > most)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s.labels: want 1 to %zu%s, got %zu", path, most,
                    most == 1 ? " without multi_label" : "", n);
    cJSON_ArrayForEach(name, list)
    {
        snprintf(at, sizeof(at), "%s.labels[%zu]", path, example->n_labels);
        if ((st = add_example_label(r, example, name, at)) != DOCKET_OK) return st;
    }
    return DOCKET_OK;
}

enum status job_read_examples(struct job_reader *r)
{
    const cJSON *list = NULL, *item;
    bool present;
    enum status st = json_get_array(r->input, "", "examples", &list, &present, r->err);
    if (st != DOCKET_OK || !list) return st;
    size_t n = (size_t)cJSON_GetArraySize(list);
    if (n > MAX_EXAMPLES)
        return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "examples: want at most %d, got %zu",
                    MAX_EXAMPLES, n);
    cJSON_ArrayForEach(item, list)
    {
        char path[48];
        snprintf(path, sizeof(path), "examples[%zu]", r->job->n_examples);
        if ((st = read_example(r, &r->job->examples[r->job->n_examples++], item, path)) != DOCKET_OK) return st;
    }
    return DOCKET_OK;
}
