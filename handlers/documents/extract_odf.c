/* extract_odf.c: OpenDocument text, spreadsheets, presentations and drawings: page headers, content, notes, footers; a sheet or slide a
 * page, speaker's notes after their slide. Deleted text and comments are left out, hidden text, rows and sheets counted. */
#include "handlers/documents/extractors.h"
#include "handlers/documents/package.h"
#include "handlers/documents/xml.h"
#include "worker/base/alloc.h"

#include <string.h>

#define MAX_REPEATS       100 /* of one cell or row that says it stands many times */
#define MAX_HIDDEN_STYLES 1000

enum tag {
    P,
    H,
    S,
    TAB,
    LINE,
    SPAN,
    NOTE,
    NOTE_BODY,
    TABLE,
    ROW,
    CELL,
    COVERED,
    SLIDE,
    NOTES,
    FRAME,
    BOX,
    SHAPE,
    STYLE,
    TABLE_LOOK,
    TEXT_LOOK,
    SHEETS,
    HIDDEN,
    HIDDEN_P,
    HEADER,
    HEADER_LEFT,
    HEADER_FIRST,
    FOOTER,
    FOOTER_LEFT,
    FOOTER_FIRST,
    N_TAGS
};
static const char *const tags[N_TAGS] = {
    [P] = "text:p",
    [H] = "text:h",
    [S] = "text:s",
    [TAB] = "text:tab",
    [LINE] = "text:line-break",
    [SPAN] = "text:span",
    [NOTE] = "text:note",
    [NOTE_BODY] = "text:note-body",
    [TABLE] = "table:table",
    [ROW] = "table:table-row",
    [CELL] = "table:table-cell",
    [COVERED] = "table:covered-table-cell",
    [SLIDE] = "draw:page",
    [NOTES] = "presentation:notes",
    [FRAME] = "draw:frame",
    [BOX] = "draw:text-box",
    [SHAPE] = "draw:custom-shape",
    [STYLE] = "style:style",
    [TABLE_LOOK] = "style:table-properties",
    [TEXT_LOOK] = "style:text-properties",
    [SHEETS] = "office:spreadsheet",
    [HIDDEN] = "text:hidden-text",
    [HIDDEN_P] = "text:hidden-paragraph",
    [HEADER] = "style:header",
    [HEADER_LEFT] = "style:header-left",
    [HEADER_FIRST] = "style:header-first",
    [FOOTER] = "style:footer",
    [FOOTER_LEFT] = "style:footer-left",
    [FOOTER_FIRST] = "style:footer-first",
};
/* Left out with all that is in them. */
static const char *const left_out[] = {"text:tracked-changes", "office:annotation", "text:note-citation",
                                       "text:ruby-text",       "svg:title",         "svg:desc",
                                       "office:forms",         "office:scripts",    "table:shapes"};

enum half { CONTENT, HEADERS, FOOTERS };

struct odf {
    struct flow *main, *flow; /* where the document goes; where text goes now */
    struct flow notes, row;
    enum half half;
    bool spreadsheet, cell_in_row;
    size_t skip_from, muted_from, in_half; /* depths; 0: none */
    struct flow *muted;                    /* the one that is, from muted_from on */
    struct flow *before_note;
    unsigned paragraphs, cells, notes_pages;
    size_t row_repeats, cell_repeats, cell_start;
    char style[64];
    char (*hidden)[64];
    size_t n_hidden, n_pages;
};

static bool is_hidden_style(const struct odf *o, const char *name)
{
    for (size_t i = 0; name && i < o->n_hidden; i++)
        if (strcmp(o->hidden[i], name) == 0) return true;
    return false;
}

static void hide_style(struct xml_walk *x, struct odf *o)
{
    if (o->n_hidden >= MAX_HIDDEN_STYLES || !o->style[0]) return;
    char(*more)[64] = mem_resize(o->hidden, o->n_hidden + 1, sizeof(*more));
    if (!more) {
        xml_fail(x, fail(&x->error, DOCKET_NO_MEMORY, CODE_NONE, "no memory for styles"));
        return;
    }
    o->hidden = more;
    memcpy(o->hidden[o->n_hidden++], o->style, sizeof(o->style));
}

static void mute(struct xml_walk *x, struct odf *o)
{
    if (o->muted_from) return;
    o->muted_from = x->depth;
    o->muted = o->flow;
    o->muted->muted++;
}

static bool says(const char **attributes, const char *name, const char *value)
{
    const char *found = xml_attribute(attributes, name);
    return found && strcmp(found, value) == 0;
}

static size_t repeats(const char **attributes, const char *name)
{
    size_t n = xml_number(xml_attribute(attributes, name), SIZE_MAX / 16, 1);
    return n > MAX_REPEATS ? MAX_REPEATS : n;
}

static void begin_row(struct xml_walk *x, struct odf *o, const char **attributes)
{
    bool shown = !xml_attribute(attributes, "table:visibility") || says(attributes, "table:visibility", "visible");
    if (o->spreadsheet && o->flow == o->main) {
        o->row_repeats = repeats(attributes, "table:number-rows-repeated");
        o->cell_in_row = false;
        buffer_clear(&o->row.out);
        o->row.any = false;
        o->row.n_hidden = 0;
        o->row.muted = o->main->muted;
        o->flow = &o->row;
    } else
        flow_row(o->flow);
    if (!shown) mute(x, o);
}

static void end_row(struct xml_walk *x, struct odf *o)
{
    if (o->flow != &o->row || o->cells) {
        flow_row(o->flow);
        return;
    }
    o->flow = o->main;
    o->main->n_hidden += o->row.n_hidden;
    o->row.n_hidden = 0;
    if (o->row.out.failed) xml_fail(x, fail(&x->error, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a row"));
    for (size_t i = 0; i < o->row_repeats && o->row.out.length && !o->main->done; i++) {
        flow_row(o->main);
        flow_put(o->main, o->row.out.data, o->row.out.length);
    }
    o->row.line_ends = o->row.tabs = 0;
    o->row.space = false;
    flow_row(o->main);
}

static void end_cell(struct odf *o)
{
    if (o->cells) o->cells--;
    o->flow->in_cell = o->cells;
    if (!o->spreadsheet) {
        flow_tab(o->flow);
        return;
    }
    o->row.space = false;
    size_t length = o->row.out.length - o->cell_start;
    for (size_t i = 1; i < o->cell_repeats && length && !o->row.done; i++) {
        char *copy = mem_dup(o->row.out.data + o->cell_start, length);
        flow_tab(&o->row);
        if (copy)
            flow_put(&o->row, copy, length);
        else
            o->row.out.failed = true;
        mem_free(copy);
    }
    o->cell_in_row |= length > 0;
}

/* White space before a cell's text stands there at once, so that what the cell adds begins behind it. */
static void begin_cell(struct odf *o, const char **attributes)
{
    if (o->spreadsheet) {
        o->cell_repeats = repeats(attributes, "table:number-columns-repeated");
        o->row.tabs = 0;
        o->cell_start = o->row.out.length;
    }
    o->cells++;
    o->flow->in_cell = o->cells;
}

static void begin_paragraph(struct xml_walk *x, struct odf *o, const char **attributes)
{
    if (o->flow == &o->row && o->cell_in_row && o->cell_start == o->row.out.length && o->row.tabs == 0) {
        o->row.in_cell = 0;
        flow_tab(&o->row);
        o->row.in_cell = o->cells;
        flow_put(&o->row, "", 0);
    }
    o->paragraphs++;
    if (is_hidden_style(o, xml_attribute(attributes, "text:style-name"))) mute(x, o);
}

static void on_start(struct xml_walk *x, const char *name, const char **attributes)
{
    struct odf *o = x->context;
    if (o->main->done) xml_stop(x);
    if (o->skip_from) return;
    if (xml_which(name, left_out, ARRAY_LENGTH(left_out)) < ARRAY_LENGTH(left_out)) {
        o->skip_from = x->depth;
        return;
    }
    enum tag tag = xml_which(name, tags, N_TAGS);
    bool wanted = o->half == HEADERS ? tag >= HEADER && tag <= HEADER_FIRST : tag >= FOOTER && tag <= FOOTER_FIRST;
    if (o->half != CONTENT && wanted && !o->in_half) {
        o->in_half = x->depth;
        if (says(attributes, "style:display", "false")) o->skip_from = x->depth;
        flow_break(o->flow, 1);
    }
    if (o->half != CONTENT && !o->in_half && tag != STYLE && tag != TEXT_LOOK) return;
    switch (tag) {
    case P:
    case H:
        begin_paragraph(x, o, attributes);
        break;
    case S:
        for (size_t n = xml_number(xml_attribute(attributes, "text:c"), 1000, 1); n > 0; n--) flow_put(o->flow, " ", 1);
        break;
    case TAB:
        if (o->cells)
            flow_space(o->flow);
        else
            flow_put(o->flow, "\t", 1);
        break;
    case LINE:
        flow_end_line(o->flow);
        break;
    case SPAN:
        if (is_hidden_style(o, xml_attribute(attributes, "text:style-name"))) mute(x, o);
        break;
    case HIDDEN:
    case HIDDEN_P:
        mute(x, o);
        break;
    case NOTE_BODY:
        if (o->flow == &o->notes) break;
        o->before_note = o->flow;
        o->flow = &o->notes;
        flow_break(o->flow, 1);
        break;
    case TABLE:
        if (o->spreadsheet && o->flow == o->main) {
            const char *title = xml_attribute(attributes, "table:name");
            o->n_pages++;
            flow_page(o->flow);
            if (is_hidden_style(o, xml_attribute(attributes, "table:style-name"))) mute(x, o);
            if (title) flow_put_str(o->flow, title);
        }
        flow_row(o->flow);
        break;
    case ROW:
        begin_row(x, o, attributes);
        break;
    case CELL:
    case COVERED:
        begin_cell(o, attributes);
        break;
    case SLIDE:
        o->n_pages++;
        flow_page(o->flow);
        break;
    case NOTES:
        o->notes_pages++;
        flow_break(o->flow, 1);
        break;
    case FRAME:
        if (o->notes_pages && xml_attribute(attributes, "presentation:class") &&
            !says(attributes, "presentation:class", "notes"))
            o->skip_from = x->depth;
        break;
    case BOX:
    case SHAPE:
        flow_break(o->flow, 1);
        break;
    case STYLE: {
        const char *style = xml_attribute(attributes, "style:name");
        size_t n = style ? strlen(style) : 0;
        o->style[0] = '\0';
        if (n < sizeof(o->style)) memcpy(o->style, style ? style : "", n + 1);
        break;
    }
    case TABLE_LOOK:
        if (says(attributes, "table:display", "false")) hide_style(x, o);
        break;
    case TEXT_LOOK:
        if (says(attributes, "text:display", "none")) hide_style(x, o);
        break;
    case SHEETS:
        o->spreadsheet = true;
        break;
    default:
        break;
    }
}

static void on_end(struct xml_walk *x, const char *name)
{
    struct odf *o = x->context;
    if (o->skip_from) {
        if (o->in_half == x->depth) o->in_half = 0;
        if (o->skip_from == x->depth) o->skip_from = 0;
        return;
    }
    bool outside = o->half != CONTENT && !o->in_half;
    switch (outside ? N_TAGS : (enum tag)xml_which(name, tags, N_TAGS)) {
    case P:
    case H:
        o->paragraphs--;
        flow_end_line(o->flow);
        break;
    case NOTE_BODY:
        flow_break(o->flow, 1);
        if (o->before_note) o->flow = o->before_note;
        o->before_note = NULL;
        break;
    case ROW:
        end_row(x, o);
        break;
    case CELL:
    case COVERED:
        end_cell(o);
        break;
    case NOTES:
        o->notes_pages--;
        break;
    case BOX:
    case SHAPE:
    case FRAME:
        if (o->notes_pages || !o->paragraphs) flow_break(o->flow, 1);
        break;
    default:
        break;
    }
    if (o->muted_from == x->depth) {
        o->muted->muted--;
        if (o->muted == &o->row) o->main->n_hidden += o->row.n_hidden, o->row.n_hidden = 0;
        o->muted_from = 0;
    }
    if (o->in_half == x->depth) o->in_half = 0;
}

static void on_text(struct xml_walk *x, const char *utf8, size_t length)
{
    struct odf *o = x->context;
    if (o->paragraphs && !o->skip_from && (o->half == CONTENT || o->in_half)) flow_words(o->flow, utf8, length);
}

static enum status read_half(struct odf *o, const struct package *package, const char *name, enum half half,
                             struct error *err)
{
    const struct package_part *part = package_find(package, name);
    struct xml_walk x = {.start = on_start, .end = on_end, .text = on_text, .context = o, .part = name};
    if (!part) return DOCKET_OK;
    o->half = half;
    o->flow = o->main;
    enum status st = xml_read(&x, part->bytes.data, part->bytes.length, err);
    /* An error may have left things open. */
    o->skip_from = o->muted_from = o->in_half = 0;
    o->paragraphs = o->cells = o->notes_pages = 0;
    o->main->muted = o->main->in_cell = 0;
    o->before_note = NULL;
    flow_row(o->main);
    return st;
}

/* Encryption */

static void on_manifest(struct xml_walk *x, const char *name, const char **attributes)
{
    (void)attributes;
    if (strcmp(name, "manifest:encryption-data") == 0)
        xml_fail(x, fail(&x->error, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password"));
}

static void ignore_end(struct xml_walk *x, const char *name)
{
    (void)x, (void)name;
}

static enum status check_manifest(const struct package *package, struct error *err)
{
    const struct package_part *part = package_find(package, "META-INF/manifest.xml");
    struct xml_walk x = {.start = on_manifest, .end = ignore_end, .part = "META-INF/manifest.xml"};
    struct error why = {0};
    enum status st = part ? xml_read(&x, part->bytes.data, part->bytes.length, &why) : DOCKET_OK;
    if (st == DOCKET_CORRUPT) return DOCKET_OK; /* the content will say whether it can be read */
    if (st != DOCKET_OK) *err = why;
    return st;
}

enum status extract_odf(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct package package = {0};
    struct flow flow;
    struct odf o = {.main = &flow, .flow = &flow};
    struct error late = {0};
    flow_init(&flow, sink, in->max_characters);
    flow_init(&o.notes, NULL, 0);
    flow_init(&o.row, NULL, 0);
    const bool text = strstr(in->media_type, "opendocument.text") != NULL;
    enum status st = package_open(&package, in, err), damage = DOCKET_OK;
    if (st == DOCKET_OK) st = check_manifest(&package, err);
    if (st == DOCKET_OK && !package_find(&package, "content.xml"))
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no content.xml in it");
    static const struct {
        const char *part;
        enum half half;
    } halves[] = {{"styles.xml", HEADERS}, {"content.xml", CONTENT}, {"styles.xml", FOOTERS}};
    for (size_t i = 0; i < ARRAY_LENGTH(halves) && st == DOCKET_OK && !flow.done; i++) {
        if (halves[i].half != CONTENT && !text) continue;
        st = read_half(&o, &package, halves[i].part, halves[i].half, &late);
        if (st != DOCKET_OK) *err = late;
        if (st != DOCKET_OK && st != DOCKET_NO_MEMORY) damage = st, st = DOCKET_OK;
        if (halves[i].half == CONTENT && o.notes.out.length) {
            flow_break(&flow, 1);
            flow_put(&flow, o.notes.out.data, o.notes.out.length);
            flow_break(&flow, 1);
        }
    }
    if (o.n_pages) sink->fact(sink, FACT_PAGES, o.n_pages);
    bool done = flow.done;
    flow.n_hidden += o.notes.n_hidden;
    if (st == DOCKET_OK && o.notes.out.failed) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for notes");
    enum status end = flow_finish(&flow, &late);
    if (end != DOCKET_OK && st != DOCKET_NO_MEMORY) *err = late, st = end;
    if (st == DOCKET_OK) st = damage != DOCKET_OK ? damage : done ? DOCKET_OK : package_conclude(&package, err);
    mem_free(o.hidden);
    flow_free(&o.notes);
    flow_free(&o.row);
    package_free(&package);
    return st;
}
