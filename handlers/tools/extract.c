/* extract.c: docket extract: the text and the facts of files, as the worker would read them. Needs no model. */
#include "handlers/documents/document.h"
#include "handlers/tools/file_list.h"
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <stdio.h>
#include <string.h>

struct extract_values {
    bool json;
    const char *ocr;
};

#define OPTION_VALUES struct extract_values
static const struct option options[] = {
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "print one JSON object a document, text and all"),
    OWN_OPTION(WORD, ocr, "--ocr", "auto", WORDS("auto", "always", "never"), "WHEN",
               "read text from images: where there is no other text, always, or never"),
};

static void put_json(struct buffer *out, const struct document *d)
{
    struct json_writer w = {.out = out};
    json_begin_object(&w, NULL);
    json_put_string(&w, "id", d->id);
    json_put_string(&w, "filename", d->filename);
    json_put_string(&w, "media_type", d->media_type[0] ? d->media_type : NULL);
    json_put_string(&w, "detected_by", d->detected_by);
    json_put_string(&w, "media_type_by_name", d->type_by_name[0] ? d->type_by_name : NULL);
    json_put_u64(&w, "bytes", d->bytes);
    json_put_string(&w, "sha256", d->sha256[0] ? d->sha256 : NULL);
    if (d->error.code == CODE_NONE) {
        if (d->pages)
            json_put_u64(&w, "pages", d->pages);
        else
            json_put_null(&w, "pages");
        if (d->pages_read)
            json_put_u64(&w, "pages_read", d->pages_read);
        else
            json_put_null(&w, "pages_read");
        json_put_bool(&w, "pages_left", d->pages_left);
        json_put_bool(&w, "ocr", d->ocr_pages > 0);
        json_put_u64(&w, "characters", d->characters);
        json_put_string(&w, "language", d->language[0] ? d->language : NULL);
        json_put_u64(&w, "hidden_characters", d->hidden_characters);
        json_put_u64(&w, "unseen_characters", d->unseen_characters);
        json_put_bool(&w, "unseen_left", d->unseen_left);
        json_put_u64(&w, "ocr_layer_characters", d->layer_characters);
        json_put_u64(&w, "beyond_page_characters", d->beyond_characters);
        json_put_u64(&w, "control_characters", d->control_characters);
        json_put_string(&w, "text", d->text);
    } else {
        json_begin_object(&w, "error");
        json_put_string(&w, "code", error_code_name(d->error.code));
        json_put_string(&w, "message", d->error.message);
        json_put_bool(&w, "retryable", error_code_retryable(d->error.code));
        json_end_object(&w);
    }
    json_put_fixed(&w, "extract_ms", d->extract_seconds * 1000, 3);
    json_put_fixed(&w, "ocr_ms", d->ocr_seconds * 1000, 3);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static void put_plain(struct buffer *out, const struct document *d)
{
    buffer_append_str(out, "== ");
    tool_put_clean(out, d->id);
    if (d->error.code != CODE_NONE) {
        buffer_printf(out, ": %s: ", error_code_name(d->error.code));
        tool_put_clean(out, d->error.message);
        buffer_append_str(out, "\n");
        return;
    }
    buffer_printf(out, ": %s by %s", d->media_type, d->detected_by);
    if (d->type_by_name[0] && strcmp(d->type_by_name, d->media_type) != 0)
        buffer_printf(out, " (%s by name)", d->type_by_name);
    if (d->pages_read) buffer_printf(out, ", %zu%s pages", d->pages_read, d->pages_left ? " of more" : "");
    if (d->language[0]) buffer_printf(out, ", %s", d->language);
    buffer_printf(out, ", %zu characters%s, %.1f ms\n", d->characters, d->ocr_pages ? ", read from images" : "",
                  (d->extract_seconds + d->ocr_seconds) * 1000);
    buffer_append(out, d->text, d->text_length);
    if (d->text[d->text_length - 1] != '\n') buffer_append_char(out, '\n');
}

static enum status read_file(const struct file_item *file, const struct document_limits *limits,
                             struct document_list *list, struct error *err)
{
    struct buffer bytes;
    buffer_init(&bytes, limits->max_bytes);
    bool standard_input = strcmp(file->shown, "-") == 0;
    enum status st =
        standard_input ? tool_read_input(&bytes, limits->max_bytes, err) : file_read_all(&bytes, file->raw, err);
    if (st == DOCKET_OK)
        st = documents_from_bytes(list, file->shown, standard_input ? NULL : file->shown, bytes.data, bytes.length,
                                  limits, err);
    buffer_free(&bytes);
    return st;
}

/* Files one after the other, each printed as soon as it is read. */
static int read_files(const struct tool_call *call, const struct file_list *files, bool *failed)
{
    const struct extract_values *v = call->values;
    struct document_limits limits;
    tool_document_limits(call, &limits);
    limits.ocr = strcmp(v->ocr, "always") == 0 ? OCR_ALWAYS : strcmp(v->ocr, "never") == 0 ? OCR_NEVER : OCR_AUTO;
    for (size_t i = 0; i < files->n; i++) {
        struct document_list list = {0};
        struct buffer out = {0};
        struct error err = {0};
        enum status st = read_file(&files->items[i], &limits, &list, &err);
        for (size_t k = 0; k < list.n; k++) {
            *failed |= list.items[k].error.code != CODE_NONE;
            if (v->json)
                put_json(&out, &list.items[k]);
            else
                put_plain(&out, &list.items[k]);
        }
        bool printed = !out.failed && tool_print(&out);
        document_list_free(&list);
        buffer_free(&out);
        if (st == DOCKET_NO_MEMORY) return tool_fail(&err);
        if (st != DOCKET_OK) tool_fail(&err);
        *failed |= st != DOCKET_OK;
        if (!printed) return DOCKET_EXIT_IO;
    }
    return 0;
}

static int run(const struct tool_call *call)
{
    struct error err = {0};
    struct file_list files = {0};
    bool failed = false;
    int code = 0;
    if (!call->n_arguments) return tool_usage("no files: name files or folders, or - for standard input");
    enum status st = tool_log_open(call->config, LOG_ERROR, &err);
    if (st == DOCKET_OK && !tool_sandbox(call, &err)) {
        tool_fail(&err);
        return DOCKET_EXIT_SANDBOX;
    }
    if (st == DOCKET_OK) st = file_list_make(&files, call->arguments, call->n_arguments, &err);
    if (st == DOCKET_OK && !files.n)
        st = fail(&err, DOCKET_NOT_FOUND, CODE_NONE, "no files in %.200s", call->arguments[0]);
    code = st == DOCKET_OK ? read_files(call, &files, &failed) : tool_fail(&err);
    if (code == 0 && (failed || files.n_unreadable)) code = DOCKET_EXIT_UNHEALTHY;
    file_list_free(&files);
    return code;
}

const struct tool tool_extract = {
    .name = "extract",
    .line = {.letter = 'x',
             .usage = "extract FILE|DIR|- … [--json] [--ocr WHEN]",
             .about =
                 "print the text of files and what is known about them, as the worker reads them.\n\nOf an archive "
                 "its members, each with its name in the archive. Exit code 1: there were documents\nthat could "
                 "not be read; the others were.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct extract_values),
    .reads_documents = true,
    .run = run,
};
