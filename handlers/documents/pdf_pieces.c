/* pdf_pieces.c: what pdftohtml prints, a line a piece of text: fonts with their colours and sizes, places, letters counted. */
#include "handlers/documents/pdf_hidden.h"
#include "worker/base/alloc.h"
#include "worker/base/hex.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FONTS  100000
#define MAX_PIECES 2000000
#define ZOOM       1.5 /* pixels a point, as pdftohtml has it */

struct font {
    double points;
    unsigned char gray;
};

struct fonts {
    struct font *items;
    size_t n;
};

struct line {
    const char *s;
    size_t n;
};

static const char *find(struct line l, const char *word)
{
    return memmem(l.s, l.n, word, strlen(word));
}

/* A number behind its name; out of all reason: the nearest that is not. */
static bool number_after(struct line l, const char *name, double *out)
{
    const char *at = find(l, name), *end = l.s + l.n;
    double value = 0;
    if (!at) return false;
    at += strlen(name);
    bool minus = at < end && *at == '-';
    at += minus;
    if (at == end || *at < '0' || *at > '9') return false;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (value < 1e9) value = value * 10 + (*at - '0');
    *out = minus ? -value : value;
    return true;
}

static unsigned hex_pair(const char *s)
{
    unsigned value = 0;
    for (size_t i = 0; i < 2; i++) {
        int digit = hex_digit(s[i]);
        value = value * 16 + (digit < 0 ? 0 : (unsigned)digit);
    }
    return value;
}

/* The colour stands behind the name of the font, which is the document's and may say anything. */
static enum status take_font(struct fonts *fonts, struct line l, struct error *err)
{
    static const char color[] = " color=\"#";
    double id, size;
    if (!number_after(l, "id=\"", &id) || !number_after(l, " size=\"", &size) || id < 0 || id >= MAX_FONTS)
        return DOCKET_OK;
    struct font font = {size / ZOOM, 0};
    for (const char *at = find(l, color), *end = l.s + l.n; at;
         at = find((struct line){at, (size_t)(end - at)}, color)) {
        at += sizeof(color) - 1;
        if (end - at < 6) break;
        font.gray = (unsigned char)((hex_pair(at) * 299 + hex_pair(at + 2) * 587 + hex_pair(at + 4) * 114) / 1000);
    }
    if (id >= (double)fonts->n) {
        size_t n = (size_t)id + 16;
        struct font *more = mem_resize(fonts->items, n, sizeof(*more));
        if (!more) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the fonts of a PDF");
        memset(more + fonts->n, 0, (n - fonts->n) * sizeof(*more));
        fonts->items = more;
        fonts->n = n;
    }
    fonts->items[(size_t)id] = font;
    return DOCKET_OK;
}

static size_t count_letters(const char *at, const char *end)
{
    size_t n = 0;
    while (at < end) {
        if (*at == '<') {
            const char *close = memchr(at, '>', (size_t)(end - at));
            at = close ? close + 1 : end;
            continue;
        }
        if (*at == '&') {
            const char *close = memchr(at, ';', (size_t)(end - at));
            n += close == NULL || strncmp(at, "&#160;", 6) != 0;
            at = close ? close + 1 : end;
            continue;
        }
        n += (unsigned char)*at > ' ' && ((unsigned char)*at & 0xc0) != 0x80;
        at++;
    }
    return n;
}

static enum status take_text(struct pdf_pieces *out, const struct fonts *fonts, struct line l, struct error *err)
{
    struct pdf_piece p = {.page = out->n_pages - 1};
    double font = -1;
    const char *open = memchr(l.s, '>', l.n);
    if (!open || !number_after(l, " top=\"", &p.top) || !number_after(l, " left=\"", &p.left) ||
        !number_after(l, " width=\"", &p.width) || !number_after(l, " height=\"", &p.height) ||
        !number_after(l, " font=\"", &font))
        return DOCKET_OK;
    if (font >= 0 && font < (double)fonts->n) {
        p.points = fonts->items[(size_t)font].points;
        p.gray = fonts->items[(size_t)font].gray;
    }
    p.characters = count_letters(open + 1, l.s + l.n);
    if (p.characters == 0 || out->n == MAX_PIECES) return DOCKET_OK;
    if (out->n == out->capacity) {
        size_t capacity = out->capacity ? out->capacity * 2 : 64;
        struct pdf_piece *more = mem_resize(out->items, capacity, sizeof(*more));
        if (!more) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the text of a PDF");
        out->items = more;
        out->capacity = capacity;
    }
    out->items[out->n++] = p;
    return DOCKET_OK;
}

static bool begins(struct line l, const char *word)
{
    return l.n >= strlen(word) && memcmp(l.s, word, strlen(word)) == 0;
}

enum status pdf_pieces_parse(struct pdf_pieces *out, const char *text, size_t length, size_t max_pages,
                             struct error *err)
{
    struct fonts fonts = {0};
    enum status st = DOCKET_OK;
    out->widths = mem_zalloc(max_pages, sizeof(double));
    out->heights = mem_zalloc(max_pages, sizeof(double));
    if (max_pages && (!out->widths || !out->heights))
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the pages of a PDF");
    for (const char *at = text, *end = text + length; at < end && st == DOCKET_OK;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end;
        struct line l = {at, (size_t)(stop - at)};
        at = stop + 1;
        while (l.n && (*l.s == '\t' || *l.s == ' ')) l.s++, l.n--;
        if (begins(l, "<page ")) {
            if (out->n_pages == max_pages) break;
            number_after(l, " height=\"", &out->heights[out->n_pages]);
            number_after(l, " width=\"", &out->widths[out->n_pages]);
            out->n_pages++;
        } else if (begins(l, "<fontspec "))
            st = take_font(&fonts, l, err);
        else if (begins(l, "<text ") && out->n_pages)
            st = take_text(out, &fonts, l, err);
    }
    mem_free(fonts.items);
    return st;
}

void pdf_pieces_free(struct pdf_pieces *pieces)
{
    mem_free(pieces->items);
    mem_free(pieces->widths);
    mem_free(pieces->heights);
    *pieces = (struct pdf_pieces){0};
}
