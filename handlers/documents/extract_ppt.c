/* extract_ppt.c: presentations of before 2007: a page a slide, in the order of the list of slides: its titles and body from that list, then
 * what stands in the slide itself. Where the list cannot be followed, all slides as they lie in the file. */
#include "handlers/documents/charset.h"
#include "handlers/documents/flow.h"
#include "handlers/documents/ole.h"
#include "worker/base/alloc.h"

#include <string.h>

#define MAX_DEPTH    32
#define MAX_SLIDES   10000
#define MAX_PERSISTS 65536
#define MAX_EDITS    1000

enum record {
    DOCUMENT = 0x03e8,
    SLIDE = 0x03ee,
    PERSIST_OF_SLIDE = 0x03f3,
    LIST_OF_TEXTS = 0x0ff0,
    CHARACTERS = 0x0fa0,
    BYTES = 0x0fa8,
    EDIT = 0x0ff5,
    PERSISTS = 0x1772,
};

struct ppt {
    const unsigned char *s;
    size_t length;
    struct flow *flow;
    uint32_t *persists; /* where objects stand, by number; 0: unknown */
    size_t n_slides;
    struct error *err;
};

struct record_at {
    unsigned version, instance, type;
    size_t body, end; /* of its bytes */
};

static unsigned little16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t little32(const unsigned char *p)
{
    return little16(p) | (uint32_t)little16(p + 2) << 16;
}

/* The record at `at`, which must end by `end`. */
static bool read_record(const struct ppt *p, size_t at, size_t end, struct record_at *r)
{
    if (end < 8 || at > end - 8) return false;
    size_t length = little32(p->s + at + 4);
    r->version = little16(p->s + at) & 15;
    r->instance = little16(p->s + at) >> 4;
    r->type = little16(p->s + at + 2);
    r->body = at + 8;
    if (length > end - r->body) return false;
    r->end = r->body + length;
    return true;
}

static enum status put_text(struct ppt *p, const struct record_at *r)
{
    struct buffer text = {0};
    struct charset_result found = {0};
    enum status st = DOCKET_OK;
    if (r->type == CHARACTERS)
        st = charset_convert(&text, p->s + r->body, r->end - r->body, "UTF-16LE", &found, p->err);
    for (size_t i = r->body; r->type == BYTES && i < r->end; i++) { /* the low halves of UTF-16 */
        unsigned char c = p->s[i];
        if (c >= 0x80) buffer_append_char(&text, (char)(0xc0 | c >> 6));
        buffer_append_char(&text, (char)(c < 0x80 ? c : 0x80 | (c & 63)));
    }
    if (text.failed) st = fail(p->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a text");
    for (size_t i = 0, start = 0; st == DOCKET_OK && i <= text.length; i++) {
        char c = i < text.length ? text.data[i] : '\r';
        if (c != '\r' && c != '\v' && c != '\n') continue; /* ends of paragraphs and lines */
        if (i > start) flow_put(p->flow, text.data + start, i - start);
        flow_end_line(p->flow);
        start = i + 1;
    }
    flow_break(p->flow, 1);
    buffer_free(&text);
    return st;
}

/* All texts below a container. */
static enum status put_texts(struct ppt *p, size_t at, size_t end, int depth)
{
    struct record_at r;
    enum status st = DOCKET_OK;
    while (st == DOCKET_OK && !p->flow->done && read_record(p, at, end, &r)) {
        if (r.type == CHARACTERS || r.type == BYTES)
            st = put_text(p, &r);
        else if (r.version == 15 && depth < MAX_DEPTH)
            st = put_texts(p, r.body, r.end, depth + 1);
        at = r.end;
    }
    return st;
}

static enum status put_slide(struct ppt *p, uint32_t number)
{
    struct record_at r;
    uint32_t at = number < MAX_PERSISTS ? p->persists[number] : 0;
    if (!at || !read_record(p, at, p->length, &r) || r.type != SLIDE) return DOCKET_OK;
    return put_texts(p, r.body, r.end, 0);
}

/* The list of slides: for each its number, then the texts of its outline. */
static enum status put_list(struct ppt *p, const struct record_at *list)
{
    struct record_at r;
    enum status st = DOCKET_OK;
    uint32_t open = 0;
    for (size_t at = list->body; st == DOCKET_OK && !p->flow->done && read_record(p, at, list->end, &r); at = r.end) {
        if (r.type == PERSIST_OF_SLIDE && r.end - r.body >= 4) {
            if (open) st = put_slide(p, open);
            if (++p->n_slides > MAX_SLIDES) return st;
            flow_page(p->flow);
            open = little32(p->s + r.body);
        } else if (r.type == CHARACTERS || r.type == BYTES)
            st = put_text(p, &r);
    }
    return st == DOCKET_OK && open ? put_slide(p, open) : st;
}

static enum status put_document(struct ppt *p, const struct record_at *document)
{
    struct record_at r;
    enum status st = DOCKET_OK;
    for (size_t at = document->body; st == DOCKET_OK && read_record(p, at, document->end, &r); at = r.end)
        if (r.type == LIST_OF_TEXTS && r.instance == 0) st = put_list(p, &r); /* 1: masters, 2: notes */
    return st;
}

/* Where each object stands: the newest edit first, so what is known already stays. */
static void read_persists(struct ppt *p, size_t edit_at, uint32_t *document)
{
    struct record_at edit, r;
    for (int i = 0; i < MAX_EDITS && edit_at && read_record(p, edit_at, p->length, &edit) && edit.type == EDIT; i++) {
        if (edit.end - edit.body < 20) return;
        if (i == 0) *document = little32(p->s + edit.body + 16);
        if (read_record(p, little32(p->s + edit.body + 12), p->length, &r) && r.type == PERSISTS)
            for (size_t at = r.body; at + 4 <= r.end;) {
                uint32_t head = little32(p->s + at), first = head & 0xfffff, n = head >> 20;
                at += 4;
                for (uint32_t k = 0; k < n && at + 4 <= r.end; k++, at += 4)
                    if (first + k < MAX_PERSISTS && !p->persists[first + k])
                        p->persists[first + k] = little32(p->s + at);
            }
        size_t before = little32(p->s + edit.body + 8);
        if (before >= edit_at) return;
        edit_at = before;
    }
}

static enum status read_all(struct ppt *p, size_t edit_at)
{
    struct record_at r;
    uint32_t document = 0;
    enum status st = DOCKET_OK;
    read_persists(p, edit_at, &document);
    uint32_t at = document < MAX_PERSISTS ? p->persists[document] : 0;
    if (at && read_record(p, at, p->length, &r) && r.type == DOCUMENT) st = put_document(p, &r);
    if (st != DOCKET_OK || p->n_slides) return st;
    for (size_t i = 0; st == DOCKET_OK && !p->flow->done && read_record(p, i, p->length, &r); i = r.end) {
        if (r.type != SLIDE) continue;
        p->n_slides++;
        flow_page(p->flow);
        st = put_texts(p, r.body, r.end, 0);
    }
    return st;
}

static enum status read_named(struct buffer *out, GsfInfile *file, const char *name, struct error *err)
{
    GsfInput *stream = ole_stream(file, name);
    enum status st = stream ? ole_read(out, stream, err) : DOCKET_OK;
    if (stream) g_object_unref(stream);
    return st;
}

enum status ole_read_slides(GsfInfile *file, const struct extract_input *in, struct extract_sink *sink,
                            struct error *err)
{
    struct buffer slides = {0}, user = {0};
    struct error late = {0};
    struct flow flow;
    struct ppt p = {.flow = &flow, .err = err};
    flow_init(&flow, sink, in->max_characters);
    enum status st = read_named(&slides, file, "PowerPoint Document", err);
    if (st == DOCKET_OK) st = read_named(&user, file, "Current User", err);
    /* The marker of an encrypted presentation stands where others have another. */
    if (st == DOCKET_OK && user.length >= 16 && little32((const unsigned char *)user.data + 12) == 0xf3d1c4df)
        st = fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    p.persists = mem_zalloc(MAX_PERSISTS, sizeof(*p.persists));
    if (st == DOCKET_OK && !p.persists) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for slides");
    if (st == DOCKET_OK) {
        p.s = (const unsigned char *)slides.data;
        p.length = slides.length;
        st = read_all(&p, user.length >= 20 ? little32((const unsigned char *)user.data + 16) : 0);
    }
    if (p.n_slides) sink->fact(sink, FACT_PAGES, p.n_slides);
    enum status end = flow_finish(&flow, &late);
    if (st == DOCKET_OK && end != DOCKET_OK) *err = late, st = end;
    if (st == DOCKET_OK && !p.n_slides)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no slide can be read from it");
    mem_free(p.persists);
    buffer_free(&slides);
    buffer_free(&user);
    return st;
}
