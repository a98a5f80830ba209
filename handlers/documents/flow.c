/* flow.c: white space between pieces of text, asked for before it is written. */
#include "handlers/documents/flow.h"

#include "worker/base/alloc.h"

#include <string.h>

#define CHUNK (16 * KIB)

void flow_init(struct flow *f, struct extract_sink *sink, size_t max_characters)
{
    *f = (struct flow){.sink = sink, .max_characters = max_characters};
}

static size_t count_characters(const char *utf8, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) n += ((unsigned char)utf8[i] & 0xc0) != 0x80;
    return n;
}

static void flush(struct flow *f)
{
    if (!f->sink || f->out.length == 0 || f->out.failed) return;
    if (!f->sink->text(f->sink, f->out.data, f->out.length)) f->done = true;
    buffer_clear(&f->out);
}

static void write_raw(struct flow *f, const char *utf8, size_t length)
{
    if (!buffer_append(&f->out, utf8, length)) f->done = true;
    f->n_characters += count_characters(utf8, length);
    if (f->max_characters && f->n_characters > f->max_characters) f->done = true;
    if (f->out.length >= CHUNK || f->done) flush(f);
}

/* What was asked for comes before the text that now follows. */
static void write_pending(struct flow *f)
{
    if (f->page && f->any)
        write_raw(f, "\n\f", 2);
    else if (f->any)
        for (unsigned i = 0; i < f->line_ends; i++) write_raw(f, "\n", 1);
    for (unsigned i = 0; i < f->tabs; i++) write_raw(f, "\t", 1);
    if (f->space && f->any && !f->page && !f->line_ends && !f->tabs) write_raw(f, " ", 1);
    f->page = f->space = false;
    f->line_ends = f->tabs = 0;
    f->row_begins = false;
    f->any = true;
}

void flow_put(struct flow *f, const char *utf8, size_t length)
{
    if (f->done || length == 0) return;
    if (f->muted) {
        f->n_hidden += count_characters(utf8, length);
        return;
    }
    write_pending(f);
    if (!f->done) write_raw(f, utf8, length);
}

void flow_put_str(struct flow *f, const char *utf8)
{
    flow_put(f, utf8, strlen(utf8));
}

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

void flow_words(struct flow *f, const char *utf8, size_t length)
{
    for (size_t i = 0; i < length && !f->done;) {
        size_t start = i;
        while (i < length && !is_white(utf8[i])) i++;
        flow_put(f, utf8 + start, i - start);
        if (i < length) flow_space(f);
        while (i < length && is_white(utf8[i])) i++;
    }
}

void flow_space(struct flow *f)
{
    if (!f->muted) f->space = true;
}

void flow_break(struct flow *f, unsigned n)
{
    if (f->muted) return;
    if (f->in_cell) {
        f->space = true;
        return;
    }
    f->space = false;
    if (f->tabs) return; /* at a cell's beginning */
    if (f->line_ends < n) f->line_ends = n;
}

void flow_end_line(struct flow *f)
{
    if (f->muted) return;
    if (f->in_cell)
        f->space = true;
    else {
        f->space = false;
        if (f->line_ends < 2) f->line_ends++;
    }
}

void flow_row(struct flow *f)
{
    if (f->muted) return;
    f->space = false;
    if (f->in_cell) {
        f->space = true;
        return;
    }
    f->tabs = 0;
    f->row_begins = true;
    if (f->line_ends == 0) f->line_ends = 1;
}

void flow_tab(struct flow *f)
{
    if (f->muted) return;
    if (f->in_cell) {
        f->space = true;
        return;
    }
    if (!f->row_begins) f->line_ends = 0; /* the cell's own last line end */
    f->space = false;
    if (f->tabs < 1000) f->tabs++;
}

void flow_page(struct flow *f)
{
    if (f->muted) return;
    f->tabs = 0;
    f->page = f->any;
}

enum status flow_finish(struct flow *f, struct error *err)
{
    if (f->any && !f->done) write_raw(f, "\n", 1);
    enum status st = buffer_check(&f->out, "the text", err);
    if (st == DOCKET_OK) flush(f);
    if (st == DOCKET_OK && f->sink && f->n_hidden) f->sink->fact(f->sink, FACT_HIDDEN_CHARACTERS, f->n_hidden);
    flow_free(f);
    return st;
}

void flow_free(struct flow *f)
{
    buffer_free(&f->out);
}
