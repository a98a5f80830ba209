/* extract_docx.c: word processing documents: headers, body, footnotes and endnotes, footers. A text box comes once, deleted and moved
 * text is left out, inserted text kept; hidden and tiny text is counted. Comments, charts, field codes and text that only a style hides are
 * not looked at: the first three are left out, the last is kept. */
#include "handlers/documents/extractors.h"
#include "handlers/documents/package.h"
#include "handlers/documents/xml.h"
#include "worker/base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum tag {
    P,
    R,
    RPR,
    PPR,
    VANISH,
    SIZE,
    TEXT,
    MATH,
    DRAWN,
    TAB,
    BR,
    CR,
    HYPHEN,
    SYM,
    TABLE,
    TR,
    TC,
    BOX,
    DEL,
    MOVED,
    PRCHANGE,
    PPRCHANGE,
    FALLBACK,
    CHOICE,
    ALTERNATE,
    NOTE,
    ENDNOTE,
    N_TAGS
};
static const char *const tags[N_TAGS] = {
    [P] = "w:p",
    [R] = "w:r",
    [RPR] = "w:rPr",
    [PPR] = "w:pPr",
    [VANISH] = "w:vanish",
    [SIZE] = "w:sz",
    [TEXT] = "w:t",
    [MATH] = "m:t",
    [DRAWN] = "a:t",
    [TAB] = "w:tab",
    [BR] = "w:br",
    [CR] = "w:cr",
    [HYPHEN] = "w:noBreakHyphen",
    [SYM] = "w:sym",
    [TABLE] = "w:tbl",
    [TR] = "w:tr",
    [TC] = "w:tc",
    [BOX] = "w:txbxContent",
    [DEL] = "w:del",
    [MOVED] = "w:moveFrom",
    [PRCHANGE] = "w:rPrChange",
    [PPRCHANGE] = "w:pPrChange",
    [FALLBACK] = "mc:Fallback",
    [CHOICE] = "mc:Choice",
    [ALTERNATE] = "mc:AlternateContent",
    [NOTE] = "w:footnote",
    [ENDNOTE] = "w:endnote",
};

struct docx {
    struct flow *flow;
    size_t skip_from;              /* depth of an element that is left out with all in it; 0: none */
    bool taken[XML_MAX_DEPTH + 2]; /* by depth: one of an AlternateContent's branches was read */
    size_t n_text;                 /* elements of text that are open */
    size_t hidden_from;
    unsigned in_run, in_properties, cells;
};

static bool is_on(const char **attributes)
{
    const char *value = xml_attribute(attributes, "w:val");
    return !value || !(strcmp(value, "0") == 0 || strcmp(value, "false") == 0 || strcmp(value, "off") == 0);
}

/* Half points; nobody reads letters of less than two points. */
static bool is_tiny(const char **attributes)
{
    const char *value = xml_attribute(attributes, "w:val");
    char *end = NULL;
    long size = value ? strtol(value, &end, 10) : 0;
    return value && end != value && size >= 0 && size < 4;
}

/* Characters of symbol fonts have no meaning outside of them. */
static void put_symbol(struct docx *d, const char **attributes)
{
    const char *code = xml_attribute(attributes, "w:char");
    unsigned long c = code ? strtoul(code, NULL, 16) : 0;
    char utf8[4];
    if (c >= 0x20 && c < 0xd800) {
        size_t n = 0;
        if (c < 0x80)
            utf8[n++] = (char)c;
        else if (c < 0x800) {
            utf8[n++] = (char)(0xc0 | c >> 6);
            utf8[n++] = (char)(0x80 | (c & 63));
        } else {
            utf8[n++] = (char)(0xe0 | c >> 12);
            utf8[n++] = (char)(0x80 | (c >> 6 & 63));
            utf8[n++] = (char)(0x80 | (c & 63));
        }
        flow_put(d->flow, utf8, n);
    }
}

static void put_break(struct docx *d, const char **attributes)
{
    const char *type = xml_attribute(attributes, "w:type");
    if (type && strcmp(type, "page") == 0 && !d->cells)
        flow_page(d->flow);
    else
        flow_end_line(d->flow);
}

static void in_run(struct xml_walk *x, struct docx *d, enum tag tag, const char **attributes)
{
    if (d->in_properties) {
        bool hides = (tag == VANISH && is_on(attributes)) || (tag == SIZE && is_tiny(attributes));
        if (hides && !d->hidden_from) {
            d->hidden_from = x->depth - 2; /* the run around its properties */
            d->flow->muted++;
        }
    } else if (tag == TAB) {
        if (d->cells)
            flow_space(d->flow);
        else
            flow_put(d->flow, "\t", 1);
    } else if (tag == BR)
        put_break(d, attributes);
    else if (tag == CR)
        flow_end_line(d->flow);
    else if (tag == HYPHEN)
        flow_put_str(d->flow, "-");
    else if (tag == SYM)
        put_symbol(d, attributes);
}

static void on_start(struct xml_walk *x, const char *name, const char **attributes)
{
    struct docx *d = x->context;
    if (d->flow->done) xml_stop(x);
    if (d->skip_from) return;
    enum tag tag = xml_which(name, tags, N_TAGS);
    switch (tag) {
    case DEL:
    case MOVED:
    case PRCHANGE:
    case PPRCHANGE:
        d->skip_from = x->depth;
        break;
    case CHOICE:
    case FALLBACK: /* one of them, the first: they show the same */
        if (d->taken[x->depth - 1]) d->skip_from = x->depth;
        d->taken[x->depth - 1] = true;
        break;
    case ALTERNATE:
        d->taken[x->depth] = false;
        break;
    case R:
        d->in_run++;
        break;
    case RPR:
    case PPR:
        d->in_properties++;
        break;
    case TEXT:
    case MATH:
    case DRAWN:
        d->n_text++;
        break;
    case TC:
        d->cells++;
        d->flow->in_cell = d->cells;
        break;
    case TR:
    case TABLE:
        flow_row(d->flow);
        break;
    case BOX:
    case NOTE:
    case ENDNOTE:
        flow_break(d->flow, 1);
        break;
    default:
        if (d->in_run) in_run(x, d, tag, attributes);
    }
}

static void on_end(struct xml_walk *x, const char *name)
{
    struct docx *d = x->context;
    if (d->skip_from) {
        if (d->skip_from == x->depth) d->skip_from = 0;
        return;
    }
    if (d->hidden_from && d->hidden_from == x->depth) {
        d->hidden_from = 0;
        d->flow->muted--;
    }
    switch ((enum tag)xml_which(name, tags, N_TAGS)) {
    case P:
        flow_end_line(d->flow);
        break;
    case R:
        d->in_run--;
        break;
    case RPR:
    case PPR:
        d->in_properties--;
        break;
    case TEXT:
    case MATH:
    case DRAWN:
        d->n_text--;
        break;
    case TC:
        d->cells--;
        d->flow->in_cell = d->cells;
        flow_tab(d->flow);
        break;
    case TR:
        flow_row(d->flow);
        break;
    case BOX:
        flow_break(d->flow, 1);
        break;
    default:
        break;
    }
}

static void on_text(struct xml_walk *x, const char *utf8, size_t length)
{
    struct docx *d = x->context;
    if (d->n_text && !d->skip_from) flow_put(d->flow, utf8, length);
}

static enum status read_part(struct flow *flow, const struct package_part *part, struct error *err)
{
    struct docx d = {.flow = flow};
    struct xml_walk x = {.start = on_start, .end = on_end, .text = on_text, .context = &d, .part = part->name};
    flow_break(flow, 1);
    enum status st = xml_read(&x, part->bytes.data, part->bytes.length, err);
    flow->muted = flow->in_cell = 0;
    flow->tabs = 0;
    flow_break(flow, 1);
    return st;
}

/* All parts of a kind, those with the same bytes once: a document has a header for every section. */
static enum status read_related(struct flow *flow, const struct package *package, const struct relation_list *list,
                                const char *type, struct error *err)
{
    const struct package_part *seen[64];
    size_t n_seen = 0;
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < list->n && n_seen < ARRAY_LENGTH(seen) && st == DOCKET_OK && !flow->done; i++) {
        if (strcmp(list->items[i].type, type) != 0) continue;
        const struct package_part *part = package_find(package, list->items[i].target);
        bool new = part != NULL;
        for (size_t k = 0; k < n_seen && new; k++)
            new = seen[k]->bytes.length != part->bytes.length ||
                  memcmp(seen[k]->bytes.data, part->bytes.data, part->bytes.length) != 0;
        if (!new) continue;
        seen[n_seen++] = part;
        st = part->bytes.length ? read_part(flow, part, err) : DOCKET_OK;
    }
    return st;
}

enum status extract_docx(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    static const char *const kinds[] = {"header", NULL, "footnotes", "endnotes", "footer"};
    struct package package = {0};
    struct relation_list list = {0};
    const struct package_part *body = NULL;
    struct error late = {0};
    struct flow flow;
    flow_init(&flow, sink, in->max_characters);
    enum status st = package_open(&package, in, err), damage = DOCKET_OK;
    if (st == DOCKET_OK) st = package_main(&body, &package, "word/document.xml", err);
    if (st == DOCKET_OK && !body) st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no word/document.xml in it");
    if (st == DOCKET_OK) st = relations_read(&list, &package, body->name, err);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds) && st == DOCKET_OK && !flow.done; i++) {
        st = kinds[i] ? read_related(&flow, &package, &list, kinds[i], &late) : read_part(&flow, body, &late);
        if (st == DOCKET_OK || st == DOCKET_NO_MEMORY) continue;
        damage = st; /* what is in other parts is still read */
        *err = late;
        st = DOCKET_OK;
    }
    if (st == DOCKET_NO_MEMORY && late.status == DOCKET_NO_MEMORY) *err = late;
    if (list.n_outside) sink->fact(sink, FACT_LINKS_SKIPPED, list.n_outside);
    enum status end = st == DOCKET_NO_MEMORY ? st : flow_finish(&flow, &late);
    if (end == DOCKET_NO_MEMORY && st != DOCKET_NO_MEMORY) *err = late, st = end;
    if (st == DOCKET_OK) st = damage != DOCKET_OK ? damage : flow.done ? DOCKET_OK : package_conclude(&package, err);
    flow_free(&flow);
    relations_free(&list);
    package_free(&package);
    return st;
}
