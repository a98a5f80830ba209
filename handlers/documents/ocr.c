/* ocr.c: a page's image → text through tesseract; a PDF's page → its image through pdftoppm, at a resolution that keeps it small. */
#include "handlers/documents/ocr.h"
#include "handlers/documents/ocr_languages.h"

#include "handlers/documents/sandbox.h"
#include "handlers/documents/sandbox_layers.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESOLUTION     200 /* dots an inch: what tesseract reads best */
#define LOWEST         20  /* below which no letter is left */
#define MAX_PIXELS     25e6
#define MAX_TEXT_BYTES ((size_t)4 * MIB) /* of one page */
#define CONTRAST       24                /* between the darkest and the brightest dot of a page that shows something */

static bool take_bytes(void *context, const void *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

static bool forget_bytes(void *context)
{
    buffer_clear(context);
    return true;
}

/* Runs a box whose output is wanted whole, within out's ceiling. */
static enum status run_box(const struct ocr *o, struct box_run *b, struct buffer *out, struct error *err)
{
    b->output = take_bytes;
    b->again = forget_bytes;
    b->context = out;
    buffer_clear(out);
    enum status st = sandbox_run_box(o->sandbox, b, err);
    if (st != DOCKET_OK) return st;
    if ((st = buffer_check(out, "a page", err)) == DOCKET_LIMIT) err->code = CODE_document_too_large;
    return st;
}

static const char *languages(const struct ocr *o)
{
    return o->limits->ocr_languages ? o->limits->ocr_languages : "eng";
}

/* tesseract's own words, which are English: compared, never shown. */
static enum status judge(const struct ocr *o, const struct box_run *b, enum status st, struct error *err)
{
    if (st == DOCKET_NO_MEMORY) return st;
    if (st != DOCKET_OK && err->code == CODE_document_extract_timeout)
        return fail(err, DOCKET_LIMIT, CODE_ocr_timeout, "a page was not read in %g s", b->seconds);
    if (st != DOCKET_OK && !box_installed(b->box))
        return fail(err, DOCKET_UNSUPPORTED, CODE_ocr_unavailable, "tesseract, which reads images, is not installed");
    if (st != DOCKET_OK || b->exit_code == 0) return st;
    if (strstr(b->errors, "oading language") || strstr(b->errors, "any languages") || strstr(b->errors, "initialize"))
        return fail(err, DOCKET_UNSUPPORTED, CODE_ocr_unavailable, "data for reading images in %.127s is damaged",
                    languages(o));
    return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "a damaged image, or of a kind that is not read");
}

static enum status recognize(struct ocr *o, const char *box, const void *bytes, size_t length, size_t number,
                             struct buffer *out, struct error *err)
{
    if (!o->checked && box_installed(box)) {
        enum status there = ocr_languages_check(languages(o), err);
        if (there != DOCKET_OK) return there;
        o->checked = true;
    }
    struct box_run b = {.box = box,
                        .bytes = bytes,
                        .length = length,
                        .numbers = {(unsigned)number},
                        .word = languages(o),
                        .seconds = o->limits->ocr_timeout_seconds};
    out->ceiling = MAX_TEXT_BYTES;
    enum status st = judge(o, &b, run_box(o, &b, out, err), err);
    if (st == DOCKET_OK) o->document->ocr_pages++;
    return st;
}

enum status ocr_image_page(struct ocr *o, size_t page, struct buffer *out, struct error *err)
{
    return recognize(o, "tesseract", o->in->bytes, o->in->length, page, out, err);
}

/* Of pdfinfo's lines the last that says a page's size: a title cannot come after it. Points. */
static bool find_size(const char *text, double *width, double *height)
{
    bool found = false;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, "Page ", 5) != 0) continue;
        const char *at = line + 5;
        char *end;
        at += strspn(at, " 0123456789");
        if (strncmp(at, "size:", 5) != 0) continue;
        double w = strtod(at + 5, &end);
        if (strncmp(end, " x ", 3) != 0) continue;
        double h = strtod(end + 3, &end);
        if (!isfinite(w) || !isfinite(h) || w <= 0 || h <= 0) continue;
        *width = w;
        *height = h;
        found = true;
    }
    return found;
}

/* 0: no resolution at which its letters could be read within the limit. */
static unsigned resolution_of(double width, double height)
{
    double most = 72 * sqrt(MAX_PIXELS / (width * height));
    return most >= RESOLUTION ? RESOLUTION : most >= LOWEST ? (unsigned)most : 0;
}

const unsigned char *ocr_dots_of(const struct buffer *image, size_t *width, size_t *height)
{
    size_t n;
    const char *at = image->data, *end = at ? at + image->length : NULL;
    size_t size[3] = {0};
    if (!at || image->length < 2 || memcmp(at, "P5", 2) != 0) return NULL;
    at += 2;
    for (size_t i = 0; i < 3; i++) {
        while (at < end && isspace((unsigned char)*at)) at++;
        for (; at < end && isdigit((unsigned char)*at) && size[i] < 1000000; at++)
            size[i] = size[i] * 10 + (size_t)(*at - '0');
    }
    if (at == end || size[2] != 255 || !size_mul(size[0], size[1], &n) || n == 0 || n != (size_t)(end - at - 1))
        return NULL;
    *width = size[0];
    *height = size[1];
    return (const unsigned char *)at + 1;
}

static bool shows_something(const unsigned char *dots, size_t n)
{
    unsigned char darkest = 255, brightest = 0;
    for (size_t i = 0; i < n; i++) {
        if (dots[i] < darkest) darkest = dots[i];
        if (dots[i] > brightest) brightest = dots[i];
    }
    return brightest - darkest >= CONTRAST;
}

static enum status render(struct ocr *o, size_t page, struct buffer *image, unsigned *resolution, struct error *err)
{
    double width, height;
    struct box_run about = {
        .box = "pdfinfo", .bytes = o->in->bytes, .length = o->in->length, .numbers = {(unsigned)page, (unsigned)page}};
    image->ceiling = MIB;
    enum status st = run_box(o, &about, image, err);
    if (st == DOCKET_OK && !buffer_append_char(image, '\0')) st = buffer_check(image, "a page's size", err);
    if (st != DOCKET_OK) return st;
    if (!find_size(image->data, &width, &height))
        return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "page %zu has no size", page);
    *resolution = resolution_of(width, height);
    if (*resolution == 0)
        return fail(err, DOCKET_LIMIT, CODE_document_too_large, "page %zu is %.0f x %.0f points, too large to be shown",
                    page, width, height);
    struct box_run b = {.box = "pdftoppm",
                        .bytes = o->in->bytes,
                        .length = o->in->length,
                        .numbers = {(unsigned)page, *resolution},
                        .seconds = o->limits->ocr_timeout_seconds};
    image->ceiling = (size_t)(MAX_PIXELS * 1.1);
    st = run_box(o, &b, image, err);
    if (st == DOCKET_LIMIT && err->code == CODE_document_extract_timeout)
        return fail(err, st, CODE_ocr_timeout, "page %zu was not shown in %g s", page, b.seconds);
    return st;
}

enum status ocr_pdf_page(struct ocr *o, size_t page, struct buffer *out, struct error *err)
{
    struct buffer image = {0};
    unsigned resolution = 0;
    size_t width, height;
    buffer_clear(out);
    enum status st = render(o, page, &image, &resolution, err);
    const unsigned char *dots = st == DOCKET_OK ? ocr_dots_of(&image, &width, &height) : NULL;
    if (st == DOCKET_OK && !dots)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "page %zu cannot be shown", page);
    if (dots && shows_something(dots, width * height))
        st = recognize(o, "tesseract_page", image.data, image.length, resolution, out, err);
    buffer_free(&image);
    return st;
}

static bool visible(const struct buffer *text)
{
    for (size_t i = 0; i < text->length; i++)
        if ((unsigned char)text->data[i] > ' ') return true;
    return false;
}

enum status ocr_image(struct sandbox *sandbox, const struct document_limits *limits, const struct extract_input *in,
                      struct extract_receiver *to, struct document *d, struct error *err)
{
    struct ocr o = {.sandbox = sandbox, .limits = limits, .in = in, .document = d};
    struct buffer text = {0};
    const size_t first = limits->first_page ? limits->first_page - 1 : 0;
    const size_t pages = limits->last_page && limits->last_page < d->pages ? limits->last_page : d->pages;
    size_t page = first, characters = 0;
    bool some = false, wanted = true;
    uint64_t start = clock_now_ns();
    enum status st = DOCKET_OK;
    if (limits->ocr == OCR_NEVER)
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_no_text,
                    "an image, and options.ocr forbids reading text from it");
    if (first >= d->pages)
        return fail(err, DOCKET_BAD_INPUT, CODE_document_source_invalid, "pages: it has no page %zu", first + 1);
    for (; page < pages && page - first < limits->max_pages && page - first < limits->ocr_max_pages && wanted; page++) {
        struct error why = {0};
        if (limits->max_characters && characters >= limits->max_characters) break;
        st = ocr_image_page(&o, page, &text, &why);
        if (st == DOCKET_NO_MEMORY) {
            *err = why;
            break;
        }
        if (st != DOCKET_OK && o.n_failed++ == 0) o.first = why;
        if (st != DOCKET_OK) {
            if (why.code == CODE_ocr_unavailable || why.code == CODE_sandbox_unavailable) break;
            continue;
        }
        some |= visible(&text);
        characters += text.length;
        wanted = to->sink.text(&to->sink, text.data ? text.data : "", text.length) && to->sink.text(&to->sink, "\f", 1);
    }
    buffer_free(&text);
    d->ocr_seconds += clock_seconds_since(start);
    d->pages_read = page - first;
    d->ocr_pages_failed = o.n_failed;
    d->ocr_pages_left = pages - page;
    if (st == DOCKET_NO_MEMORY) return st;
    if (!some && o.n_failed > 0) {
        *err = o.first;
        return err->status;
    }
    if (!some && wanted)
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_no_text, "no text is to be seen in %s",
                    pages > 1 ? "its images" : "the image");
    return DOCKET_OK;
}
