/* tools.c: PDF through pdftotext. What a program prints is a stranger's text: only pages are counted here, the receiver cleans it. */
#include "handlers/documents/tools.h"

#include "handlers/documents/document.h"
#include "handlers/documents/sandbox.h"

#include <string.h>

/* Pages end with a form feed; those beyond the limit are not passed on. */
struct pages {
    struct extract_receiver *to;
    size_t n, most;
    bool unfinished; /* text came after the last form feed */
};

static bool take_pages(void *context, const void *bytes, size_t length)
{
    struct pages *p = context;
    const char *at = bytes, *end = at + length;
    while (at < end) {
        const char *feed = memchr(at, '\f', (size_t)(end - at)), *stop = feed ? feed + 1 : end;
        if (p->n >= p->most) { /* one page more than wanted was asked for, to know that it is there */
            p->unfinished = true;
            return false;
        }
        if (!p->to->sink.text(&p->to->sink, at, (size_t)(stop - at))) return false;
        p->n += feed != NULL;
        p->unfinished = !feed;
        at = stop;
    }
    return true;
}

static bool forget_pages(void *context)
{
    struct pages *p = context;
    p->n = 0;
    p->unfinished = false;
    return p->to->again && p->to->again(p->to);
}

/* pdftotext's own words, which are English whatever the locale is: they are compared, never shown. */
static enum status judge_pdf(const struct box_run *b, const struct pages *p, struct error *err)
{
    if (strstr(b->errors, "Incorrect password") || strstr(b->errors, "security handler"))
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    if (strstr(b->errors, "Out of memory") || strstr(b->errors, "bad_alloc"))
        return fail(err, DOCKET_LIMIT, CODE_document_extract_memory, "reading it takes more memory than allowed");
    if (b->exit_code == 3)
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "its author does not allow its text to be read");
    if (b->exit_code != 0 && p->n == 0)
        return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short, no page could be read");
    return DOCKET_OK;
}

enum status tools_read(struct sandbox *sandbox, const char *tool, const struct extract_input *in, size_t max_pages,
                       struct extract_receiver *to, struct document *d, struct error *err)
{
    struct pages pages = {.to = to, .most = max_pages};
    struct box_run b = {.box = tool,
                        .bytes = in->bytes,
                        .length = in->length,
                        .numbers = {(unsigned)(max_pages + 1)},
                        .output = take_pages,
                        .again = forget_pages,
                        .context = &pages};
    if (!sandbox)
        return fail(err, DOCKET_UNSUPPORTED, CODE_unsupported_media_type, "%s is not read without the sandbox",
                    d->media_type);
    enum status st = sandbox_run_box(sandbox, &b, err);
    bool more = pages.n >= pages.most && pages.unfinished;
    if (st == DOCKET_OK && !more) st = judge_pdf(&b, &pages, err);
    if (st != DOCKET_OK) return st;
    d->pages_left = more;
    d->pages_read = pages.n;
    d->pages = more ? 0 : pages.n;
    return DOCKET_OK;
}
