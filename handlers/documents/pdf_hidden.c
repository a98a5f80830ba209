/* pdf_hidden.c: the second look at a PDF whose operators may hide text: poppler says colours, sizes, places and what is drawn at all; where that
 * does not decide, the page is shown, and text that leaves no trace on it is not seen by anyone. The text itself is not changed. */
#include "handlers/documents/pdf_hidden.h"

#include "handlers/documents/ocr.h"
#include "handlers/documents/pdf_signs.h"
#include "handlers/documents/sandbox.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESOLUTION   108 /* of pdftohtml's pixels */
#define SMALL_POINTS 2.0
#define LIGHT_GRAY   204
#define CONTRAST     40 /* of 255: two greys that a reader tells apart on paper */
#define MAX_SHOWN    16 /* pages that are shown */
#define MAX_SECONDS  20 /* for all of them */
#define MAX_PIXELS   (16.0 * 1024 * 1024)
#define MAX_OUTPUT   (64 * MIB)

struct look {
    const struct document_limits *limits;
    const struct extract_input *in;
    struct document *d;
    size_t first, n_pages, n_shown;
    struct pdf_pieces drawn, all; /* `all` with what is neither filled nor stroked; empty: not asked for */
    uint64_t start_ns;
};

static bool take_bytes(void *context, const void *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

static bool forget_bytes(void *context)
{
    buffer_clear(context);
    return true;
}

/* NOT_FOUND: it did not work, and nothing is known. */
static enum status run(const struct look *l, const char *box, size_t from, size_t to, struct buffer *out,
                       size_t ceiling, struct error *err)
{
    struct error why = {0};
    struct box_run b = {.box = box,
                        .bytes = l->in->bytes,
                        .length = l->in->length,
                        .numbers = {(unsigned)from, (unsigned)to},
                        .seconds = MAX_SECONDS,
                        .output = take_bytes,
                        .again = forget_bytes,
                        .context = out};
    out->ceiling = ceiling;
    enum status st = sandbox_run_box(l->limits->sandbox, &b, &why);
    if (st == DOCKET_OK) st = buffer_check(out, "a page", &why);
    if (st == DOCKET_NO_MEMORY) *err = why;
    return st == DOCKET_OK || st == DOCKET_NO_MEMORY ? st : DOCKET_NOT_FOUND;
}

static enum status read_pieces(const struct look *l, const char *box, struct pdf_pieces *pieces, struct error *err)
{
    struct buffer text = {0};
    enum status st = run(l, box, l->first, l->first + l->n_pages - 1, &text, MAX_OUTPUT, err);
    if (st == DOCKET_OK && text.length) st = pdf_pieces_parse(pieces, text.data, text.length, l->n_pages, err);
    if (st == DOCKET_OK && pieces->n_pages < l->n_pages) st = DOCKET_NOT_FOUND;
    buffer_free(&text);
    return st;
}

/* What a page shows */

struct shown {
    const unsigned char *dots;
    size_t width, height;
};

struct greys {
    size_t n, counts[256];
    int darkest, brightest;
};

static size_t cell(double at, size_t most)
{
    return at <= 0 ? 0 : at >= (double)most ? most : (size_t)at;
}

static struct greys greys_within(const struct shown *s, const struct pdf_piece *p)
{
    struct greys g = {.darkest = 255};
    const size_t left = cell(p->left, s->width), right = cell(ceil(p->left + p->width), s->width);
    const size_t top = cell(p->top, s->height), low = cell(ceil(p->top + p->height), s->height);
    for (size_t y = top; y < low; y++)
        for (size_t x = left; x < right; x++) {
            int c = s->dots[y * s->width + x];
            g.counts[c]++;
            g.n++;
            if (c < g.darkest) g.darkest = c;
            if (c > g.brightest) g.brightest = c;
        }
    return g;
}

static bool has_ink(const struct shown *s, const struct pdf_piece *p)
{
    struct greys g = greys_within(s, p);
    return g.n > 0 && g.brightest - g.darkest >= CONTRAST;
}

/* The commonest grey is the ground; text is seen where the page moves from it towards the text's own grey. */
static bool is_seen(const struct shown *s, const struct pdf_piece *p)
{
    struct greys g = greys_within(s, p);
    const int gray = p->gray;
    int ground = 0;
    size_t most = 0, other = 0;
    for (int c = 0; c < 256; c++) {
        size_t near = g.counts[c] + (c ? g.counts[c - 1] : 0) + (c < 255 ? g.counts[c + 1] : 0);
        if (near > most) {
            most = near;
            ground = c;
        }
        if (abs(c - gray) >= CONTRAST) other += g.counts[c];
    }
    if (g.n == 0) return true;
    int apart = abs(gray - ground);
    if (apart < CONTRAST) return other * 100 >= g.n * 15; /* bold letters may be commoner than their ground */
    int reached = gray > ground ? g.brightest - ground : ground - g.darkest;
    return reached * 10 >= apart * 3;
}

/* Pages */

static size_t sum_of(const struct pdf_pieces *pieces, size_t page)
{
    size_t n = 0;
    for (size_t i = 0; i < pieces->n; i++)
        if (pieces->items[i].page == page) n += pieces->items[i].characters;
    return n;
}

static bool is_beyond(const struct look *l, const struct pdf_piece *p)
{
    double x = p->left + p->width / 2, y = p->top + p->height / 2;
    return x < 0 || y < 0 || x > l->drawn.widths[p->page] || y > l->drawn.heights[p->page];
}

/* Whether its place and colour alone leave it open. */
static bool is_doubtful(const struct look *l, const struct pdf_piece *p)
{
    if (is_beyond(l, p) || p->points < SMALL_POINTS) return false;
    return p->gray >= LIGHT_GRAY || (l->d->pdf_signs & (SIGN_COVERED | SIGN_OUTSIDE | SIGN_NOT_UNDERSTOOD));
}

/* Text that is not drawn: what stands over words of an image is that image's, of an earlier OCR, where there is little else on the page. */
static void judge_undrawn(struct look *l, size_t page, const struct shown *s)
{
    size_t all = sum_of(&l->all, page), drawn = sum_of(&l->drawn, page), bare = 0;
    size_t undrawn = all > drawn ? all - drawn : 0;
    for (size_t i = 0; s && i < l->all.n; i++) {
        const struct pdf_piece *p = &l->all.items[i];
        if (p->page == page && !has_ink(s, p)) bare += p->characters;
    }
    if (!s || drawn >= undrawn || bare > undrawn) bare = undrawn;
    l->d->unseen_characters += bare;
    l->d->layer_characters += undrawn - bare;
}

static void judge_page(struct look *l, size_t page, const struct shown *s)
{
    for (size_t i = 0; i < l->drawn.n; i++) {
        const struct pdf_piece *p = &l->drawn.items[i];
        if (p->page != page) continue;
        if (is_beyond(l, p))
            l->d->beyond_characters += p->characters;
        else if (p->points < SMALL_POINTS || (s && is_doubtful(l, p) && !is_seen(s, p)))
            l->d->unseen_characters += p->characters;
    }
    judge_undrawn(l, page, s);
}

static bool wants_to_be_shown(const struct look *l, size_t page)
{
    for (size_t i = 0; i < l->drawn.n; i++)
        if (l->drawn.items[i].page == page && is_doubtful(l, &l->drawn.items[i])) return true;
    return sum_of(&l->all, page) > sum_of(&l->drawn, page);
}

static enum status look_at_page(struct look *l, size_t page, struct error *err)
{
    struct buffer image = {0};
    struct shown shown = {0};
    enum status st = DOCKET_OK;
    bool wanted = wants_to_be_shown(l, page);
    bool possible = l->n_shown < MAX_SHOWN && clock_seconds_since(l->start_ns) < MAX_SECONDS &&
                    l->drawn.widths[page] * l->drawn.heights[page] <= MAX_PIXELS;
    if (wanted && possible) {
        l->n_shown++;
        st = run(l, "pdftoppm_whole", l->first + page, RESOLUTION, &image, (size_t)(MAX_PIXELS * 1.1), err);
        if (st == DOCKET_OK) shown.dots = ocr_dots_of(&image, &shown.width, &shown.height);
    }
    if (st != DOCKET_NO_MEMORY) {
        if (wanted && !shown.dots) l->d->unseen_left = true;
        judge_page(l, page, shown.dots ? &shown : NULL);
        st = DOCKET_OK;
    }
    buffer_free(&image);
    return st;
}

enum status pdf_look_for_hidden(const struct document_limits *limits, const struct extract_input *in, size_t first,
                                size_t last, struct document *d, struct error *err)
{
    struct look l = {
        .limits = limits, .in = in, .d = d, .first = first, .n_pages = last - first + 1, .start_ns = clock_now_ns()};
    enum status st = read_pieces(&l, "pdftohtml", &l.drawn, err);
    if (st == DOCKET_OK && (d->pdf_signs & (SIGN_MODE | SIGN_NOT_UNDERSTOOD)))
        st = read_pieces(&l, "pdftohtml_hidden", &l.all, err);
    for (size_t page = 0; page < l.n_pages && st == DOCKET_OK; page++) st = look_at_page(&l, page, err);
    if (st == DOCKET_NOT_FOUND) {
        d->unseen_left = true;
        st = DOCKET_OK;
    }
    pdf_pieces_free(&l.drawn);
    pdf_pieces_free(&l.all);
    return st;
}
