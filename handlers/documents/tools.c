/* tools.c: which boxed program reads a document; the programs of offices of before 2007; and what of all this a machine lacks. What a
 * program prints is a stranger's text: the receiver cleans it. */
#include "handlers/documents/tools.h"

#include "handlers/documents/document.h"
#include "handlers/documents/language.h"
#include "handlers/documents/ocr.h"
#include "handlers/documents/ocr_languages.h"
#include "handlers/documents/sandbox.h"
#include "handlers/documents/sandbox_layers.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"

#include <stdio.h>
#include <string.h>

/* What unrtf makes of an RTF goes through the reader of web pages, whose text counts as the document's. */
struct forwarder {
    struct extract_receiver receiver;
    struct extract_receiver *to;
};

static bool forward_type(struct extract_receiver *to, const struct extract_type *type)
{
    (void)to;
    return strcmp(type->media_type, "text/html") == 0;
}

static bool forward_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct extract_receiver *to = ((struct forwarder *)sink)->to; /* the first member of the first member */
    return to->sink.text(&to->sink, utf8, length);
}

static bool no_part(struct extract_sink *sink, const char *name, size_t length)
{
    (void)sink, (void)name, (void)length;
    return false;
}

static bool no_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    (void)sink, (void)bytes, (void)length;
    return false;
}

static bool no_end(struct extract_sink *sink, const struct error *why)
{
    (void)sink, (void)why;
    return false;
}

static void forward_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    struct extract_receiver *to = ((struct forwarder *)sink)->to;
    if (fact == FACT_HIDDEN_CHARACTERS) to->sink.fact(&to->sink, fact, value);
}

static enum status read_page(const struct document_limits *limits, const struct buffer *html,
                             struct extract_receiver *to, struct error *err)
{
    struct forwarder f = {.receiver = {{.text = forward_text,
                                        .part_begin = no_part,
                                        .part_bytes = no_bytes,
                                        .part_end = no_end,
                                        .fact = forward_fact},
                                       forward_type,
                                       NULL},
                          .to = to};
    const struct extract_input in = {
        .bytes = html->data, .length = html->length, .filename = "a.html", .media_type = ""};
    return html->length ? sandbox_extract(limits->sandbox, &in, &f.receiver, err) : DOCKET_OK;
}

static bool take_bytes(void *context, const void *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

static bool forget_bytes(void *context)
{
    buffer_clear(context);
    return true;
}

static enum status read_legacy(const struct document_limits *limits, const char *tool, const struct extract_input *in,
                               struct extract_receiver *to, const struct document *d, struct error *err)
{
    struct buffer text = {0};
    struct box_run b = {.box = tool,
                        .bytes = in->bytes,
                        .length = in->length,
                        .output = take_bytes,
                        .again = forget_bytes,
                        .context = &text};
    if (limits->legacy_off)
        return fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type, "%s is not read: LEGACY_OFFICE=off",
                    d->media_type);
    if (!size_mul(limits->max_bytes, 3, &text.ceiling)) text.ceiling = SIZE_MAX;
    enum status st = sandbox_run_box(limits->sandbox, &b, err);
    if (st == DOCKET_OK && (st = buffer_check(&text, "its text", err)) == DOCKET_LIMIT)
        err->code = CODE_document_expands_too_far;
    if (st == DOCKET_OK && (b.exit_code != 0 || strstr(b.errors, "Max group depth")))
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "damaged, or not what it says it is");
    if (st == DOCKET_OK && strcmp(tool, "unrtf") == 0)
        st = read_page(limits, &text, to, err);
    else if (st == DOCKET_OK && text.length)
        to->sink.text(&to->sink, text.data, text.length);
    buffer_free(&text);
    return st;
}

enum status tools_read(const struct document_limits *limits, const char *tool, const struct extract_input *in,
                       struct extract_receiver *to, struct document *d, struct error *err)
{
    if (!limits->sandbox)
        return fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type, "%s is not read without the sandbox",
                    d->media_type);
    if (strcmp(tool, "pdftotext") == 0) return pdf_read(limits, in, to, d, err);
    if (strcmp(tool, "tesseract") == 0) return ocr_image(limits->sandbox, limits, in, to, d, err);
    return read_legacy(limits, tool, in, to, d, err);
}

#define LANGUAGE_DATA "libexttextcat-data"

static void say(struct buffer *out, const char *what, size_t length, const char *lost)
{
    buffer_printf(out, "%s%.*s (%s)", out->length ? ", " : "", (int)length, what, lost);
}

void tools_missing(struct buffer *out, const struct document_limits *limits)
{
    static const struct {
        const char *box, *lost;
        bool legacy, ocr;
    } rows[] = {
        {"pdftotext", "PDF", false, false},
        {"pdftohtml", "hidden text in PDF", false, false},
        {"pdfinfo", "images in PDF", false, true},
        {"pdftoppm", "images in PDF", false, true},
        {"tesseract", "images", false, true},
        {"catdoc", "Word of before 2007", true, false},
        {"xls2csv", "workbooks of before 2007", true, false},
        {"unrtf", "RTF", true, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if ((!rows[i].legacy || !limits->legacy_off) && !box_installed(rows[i].box))
            say(out, rows[i].box, strlen(rows[i].box), rows[i].lost);
    if (!language_ready()) say(out, LANGUAGE_DATA, strlen(LANGUAGE_DATA), "languages of texts");
    if (!box_installed("tesseract")) return;
    for (const char *at = limits->ocr_languages ? limits->ocr_languages : "eng"; *at;) {
        size_t n = strcspn(at, "+");
        enum ocr_language_state state = ocr_language_state(at, n);
        if (state == OCR_LANGUAGE_MISSING) say(out, at, n, "a language of images");
        if (state == OCR_LANGUAGE_DAMAGED) say(out, at, n, "a language of images, whose data is damaged");
        at += n + (at[n] == '+');
    }
}
