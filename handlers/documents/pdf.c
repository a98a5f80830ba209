/* pdf.c: PDF through pdftotext; pages without text by their image. What a program prints is a stranger's text: here its pages are told
 * apart and looked at for letters, the receiver cleans it. */
#include "handlers/documents/ocr.h"
#include "handlers/documents/pdf_hidden.h"
#include "handlers/documents/sandbox.h"
#include "handlers/documents/tools.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <stdint.h>
#include <string.h>

#define FEW_LETTERS  4 /* a page with fewer has no text: the number of a page stands on scans, too */
#define MAX_EXPANDED 3 /* bytes of text for each that is allowed in a file, as for other texts */

/* pdftotext's own words, which are English whatever the locale is: they are compared, never shown. */
static enum status judge(const struct box_run *b, size_t n_pages, struct error *err)
{
    if (strstr(b->errors, "Incorrect password") || strstr(b->errors, "security handler"))
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    if (strstr(b->errors, "Out of memory") || strstr(b->errors, "bad_alloc"))
        return fail(err, DOCKET_LIMIT, CODE_document_extract_memory, "reading it takes more memory than allowed");
    if (b->exit_code == 3)
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "its author does not allow its text to be read");
    if (b->exit_code != 0 && n_pages == 0)
        return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short, no page could be read");
    return DOCKET_OK;
}

/* Pages end with a form feed; one more than wanted is asked for, to know that it is there. */
struct pages {
    struct buffer text;
    size_t n, most;
    bool more;
};

static bool take_pages(void *context, const void *bytes, size_t length)
{
    struct pages *p = context;
    const char *at = bytes, *end = at + length;
    while (at < end) {
        const char *feed = memchr(at, '\f', (size_t)(end - at)), *stop = feed ? feed + 1 : end;
        if (p->n >= p->most) {
            p->more = true;
            return false;
        }
        if (!buffer_append(&p->text, at, (size_t)(stop - at))) return false;
        p->n += feed != NULL;
        at = stop;
    }
    return true;
}

static bool forget_pages(void *context)
{
    struct pages *p = context;
    buffer_clear(&p->text);
    p->n = 0;
    p->more = false;
    return true;
}

/* Fonts that do not say which letters they show leave replacement characters, the private ones at U+E000 to U+F8FF, or the bytes that
 * count their glyphs, control characters among them: no text. */
static size_t count_letters(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t letters = 0, unknown = 0;
    for (size_t i = 0; i < length; i++) {
        if ((s[i] & 0xc0) == 0x80 || s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r')) continue;
        bool replaced = i + 2 < length && s[i] == 0xef && s[i + 1] == 0xbf && s[i + 2] == 0xbd;
        bool private = i + 1 < length && (s[i] == 0xee || (s[i] == 0xef && s[i + 1] < 0xa4));
        if (replaced || private || s[i] < ' ' || s[i] == 0x7f)
            unknown++;
        else
            letters++;
    }
    return unknown > letters / 2 ? 0 : letters;
}

/* A page's image where that is wanted and gives more. false: the receiver wants no more. */
struct reader_state {
    struct ocr ocr;
    struct extract_receiver *to;
    struct buffer seen; /* in an image */
    size_t characters, tried;
    bool some, unavailable;
    enum status st; /* NO_MEMORY */
};

static bool wants_image(const struct reader_state *s, size_t letters)
{
    const struct document_limits *l = s->ocr.limits;
    if (l->ocr == OCR_NEVER || s->unavailable) return false;
    return l->ocr == OCR_ALWAYS || letters < FEW_LETTERS;
}

static void look_at_image(struct reader_state *s, size_t page)
{
    const struct document_limits *l = s->ocr.limits;
    struct error why = {0};
    buffer_clear(&s->seen);
    if (s->tried >= l->ocr_max_pages || (l->max_characters && s->characters >= l->max_characters)) {
        s->ocr.document->ocr_pages_left++;
        return;
    }
    s->tried++;
    uint64_t start = clock_now_ns();
    enum status st = ocr_pdf_page(&s->ocr, page, &s->seen, &why);
    s->ocr.document->ocr_seconds += clock_seconds_since(start);
    if (st == DOCKET_OK) return;
    buffer_clear(&s->seen);
    if (st == DOCKET_NO_MEMORY) s->st = st;
    if (s->ocr.n_failed++ == 0 || st == DOCKET_NO_MEMORY) s->ocr.first = why;
    s->unavailable = why.code == CODE_ocr_unavailable || why.code == CODE_sandbox_unavailable;
}

static bool give_page(struct reader_state *s, size_t page, const char *text, size_t length)
{
    size_t letters = count_letters(text, length);
    s->seen.ceiling = 0;
    buffer_clear(&s->seen);
    if (wants_image(s, letters)) look_at_image(s, page);
    if (s->st != DOCKET_OK) return false;
    size_t in_image = count_letters(s->seen.data ? s->seen.data : "", s->seen.length);
    if (in_image > 0 && (in_image >= letters || s->ocr.limits->ocr == OCR_ALWAYS)) {
        s->some = true;
        s->characters += s->seen.length;
        return s->to->sink.text(&s->to->sink, s->seen.data, s->seen.length) && s->to->sink.text(&s->to->sink, "\f", 1);
    }
    s->some |= letters > 0;
    s->characters += length;
    return s->to->sink.text(&s->to->sink, text, length);
}

static void give_pages(struct reader_state *s, const struct pages *p, size_t first)
{
    const char *at = p->text.data, *end = at ? at + p->text.length : NULL;
    for (size_t page = first; at < end; page++) {
        const char *feed = memchr(at, '\f', (size_t)(end - at)), *stop = feed ? feed + 1 : end;
        if (!give_page(s, page, at, (size_t)(stop - at))) return;
        at = stop;
    }
}

enum status pdf_read(const struct document_limits *limits, const struct extract_input *in, struct extract_receiver *to,
                     struct document *d, struct error *err)
{
    const size_t first = limits->first_page ? limits->first_page : 1;
    const size_t wanted = limits->last_page ? limits->last_page - first + 1 : SIZE_MAX; /* by the job */
    struct pages pages = {.most = limits->max_pages};
    struct reader_state s = {.ocr = {.sandbox = limits->sandbox, .limits = limits, .in = in, .document = d}, .to = to};
    struct box_run b = {
        .box = "pdftotext",
        .bytes = in->bytes,
        .length = in->length,
        .numbers = {(unsigned)first,
                    (unsigned)(wanted <= limits->max_pages ? limits->last_page : first + limits->max_pages)},
        .output = take_pages,
        .again = forget_pages,
        .context = &pages};
    if (!size_mul(limits->max_bytes, MAX_EXPANDED, &pages.text.ceiling)) pages.text.ceiling = SIZE_MAX;
    enum status st = sandbox_run_box(limits->sandbox, &b, err);
    if (st == DOCKET_OK && (st = buffer_check(&pages.text, "its text", err)) == DOCKET_LIMIT)
        err->code = CODE_document_expands_too_far;
    if (st == DOCKET_OK && first > 1 && pages.n == 0 && strstr(b.errors, "Wrong page range"))
        st = fail(err, DOCKET_BAD_INPUT, CODE_document_source_invalid, "pages: it has no page %zu", first);
    if (st == DOCKET_OK && !pages.more) st = judge(&b, pages.n, err);
    if (st != DOCKET_OK) goto done;
    d->pages_left = pages.more;
    d->pages_read = pages.n;
    d->pages = pages.more || limits->first_page ? 0 : pages.n;
    if (d->pdf_signs && pages.n &&
        (st = pdf_look_for_hidden(limits, in, first, first + pages.n - 1, d, err)) != DOCKET_OK)
        goto done;
    give_pages(&s, &pages, first);
    d->ocr_pages_failed = s.ocr.n_failed;
    if (s.st != DOCKET_OK || (!s.some && s.ocr.n_failed > 0)) {
        *err = s.ocr.first;
        st = err->status;
    } else if (!s.some && s.tried > 0)
        st = fail(err, DOCKET_UNSUPPORTED, CODE_document_no_text, "no text is in it, and none is to be seen");
done:
    buffer_free(&s.seen);
    buffer_free(&pages.text);
    return st;
}
