/* extract_xlsx.c: workbooks: sheets in their order, each a page with its name first and then its rows, cells that hold something
 * separated by tabs; results of formulas, dates as 2026-11-21. Hidden sheets, rows and columns are counted. Comments, drawings and
 * the page's header are not looked at. */
#include "handlers/documents/extractors.h"
#include "handlers/documents/package.h"
#include "handlers/documents/xlsx_numbers.h"
#include "handlers/documents/xml.h"
#include "worker/base/alloc.h"

#include <string.h>

#define MAX_FORMATS        65536
#define MAX_HIDDEN_COLUMNS 256
#define MAX_COLUMNS        16384

struct formats {
    unsigned char *kinds; /* of cells' styles */
    size_t n, capacity;
    struct own_format {
        size_t id;
        enum number_kind kind;
    } * own;
    size_t n_own, own_capacity;
    bool in_cells;
};

struct workbook {
    struct package package;
    struct relation_list list;
    struct formats formats;
    struct buffer strings; /* all shared ones, one after the other */
    size_t *ends, n_strings, strings_capacity;
    bool from_1904;
    size_t n_sheets;
    struct flow flow;
    struct error damage;
};

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a workbook");
}

static void out_of_memory(struct xml_walk *x)
{
    xml_fail(x, no_memory(&x->error));
}

/* Makes room for one more; false: no memory. */
static bool grow(void *array, size_t n, size_t *capacity, size_t size)
{
    void **items = array;
    if (n < *capacity) return true;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *more = mem_resize(*items, wanted, size);
    if (!more) return false;
    *items = more;
    *capacity = wanted;
    return true;
}

/* styles.xml */

static void on_style(struct xml_walk *x, const char *name, const char **attributes)
{
    struct formats *f = &((struct workbook *)x->context)->formats;
    if (strcmp(name, "x:numFmt") == 0 && f->n_own < MAX_FORMATS) {
        const char *code = xml_attribute(attributes, "formatCode");
        if (!code) return;
        if (!grow(&f->own, f->n_own, &f->own_capacity, sizeof(*f->own))) {
            out_of_memory(x);
            return;
        }
        f->own[f->n_own++] = (struct own_format){xml_number(xml_attribute(attributes, "numFmtId"), 1 << 20, 0),
                                                 number_kind_of_code(code)};
    } else if (strcmp(name, "x:cellXfs") == 0)
        f->in_cells = true;
    else if (strcmp(name, "x:xf") == 0 && f->in_cells && f->n < MAX_FORMATS) {
        size_t id = xml_number(xml_attribute(attributes, "numFmtId"), 1 << 20, 0);
        enum number_kind kind = number_kind_of_id(id);
        for (size_t i = 0; i < f->n_own && i < 1000; i++)
            if (f->own[i].id == id) kind = f->own[i].kind;
        if (!grow(&f->kinds, f->n, &f->capacity, 1)) {
            out_of_memory(x);
            return;
        }
        f->kinds[f->n++] = (unsigned char)kind;
    }
}

static void on_style_end(struct xml_walk *x, const char *name)
{
    if (strcmp(name, "x:cellXfs") == 0) ((struct workbook *)x->context)->formats.in_cells = false;
}

/* sharedStrings.xml */

struct strings_walk {
    struct workbook *book;
    unsigned in_text, in_reading;
};

static void on_string(struct xml_walk *x, const char *name, const char **attributes)
{
    struct strings_walk *s = x->context;
    (void)attributes;
    s->in_text += strcmp(name, "x:t") == 0;
    s->in_reading += strcmp(name, "x:rPh") == 0; /* how Japanese is read aloud */
}

static void on_string_end(struct xml_walk *x, const char *name)
{
    struct strings_walk *s = x->context;
    struct workbook *b = s->book;
    s->in_text -= strcmp(name, "x:t") == 0;
    s->in_reading -= strcmp(name, "x:rPh") == 0;
    if (strcmp(name, "x:si") != 0) return;
    if (!grow(&b->ends, b->n_strings, &b->strings_capacity, sizeof(*b->ends)) || b->strings.failed)
        out_of_memory(x);
    else
        b->ends[b->n_strings++] = b->strings.length;
}

static void on_string_text(struct xml_walk *x, const char *utf8, size_t length)
{
    struct strings_walk *s = x->context;
    if (s->in_text && !s->in_reading) buffer_append(&s->book->strings, utf8, length);
}

/* A sheet */

struct sheet_walk {
    struct workbook *book;
    struct flow *flow;
    struct buffer value;
    struct {
        size_t first, last;
    } hidden[MAX_HIDDEN_COLUMNS];
    size_t n_hidden, column, style, n_bad;
    char type[16];
    bool in_value, in_inline, in_text, in_reading, cell_in_row, row_hidden, sheet_hidden;
};

static bool is_true(const char *text)
{
    return text && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
}

/* "AB12" → 28; 0: none. */
static size_t column_of(const char *reference)
{
    size_t column = 0;
    for (; reference && *reference >= 'A' && *reference <= 'Z' && column <= MAX_COLUMNS; reference++)
        column = column * 26 + (size_t)(*reference - 'A' + 1);
    return column <= MAX_COLUMNS ? column : 0;
}

static void put_cell(struct sheet_walk *w)
{
    struct workbook *b = w->book;
    const char *text = w->value.data ? w->value.data : "";
    size_t length = w->value.length;
    char shown[NUMBER_BYTES];
    if (length == 0) return;
    if (strcmp(w->type, "s") == 0) {
        size_t i = xml_number(text, SIZE_MAX / 16, b->n_strings);
        if (i >= b->n_strings) {
            w->n_bad++;
            return;
        }
        size_t start = i ? b->ends[i - 1] : 0;
        text = b->strings.data + start;
        length = b->ends[i] - start;
    } else if (strcmp(w->type, "b") == 0) {
        text = strcmp(text, "0") == 0 ? "FALSE" : "TRUE";
        length = strlen(text);
    } else if (w->type[0] == '\0' || strcmp(w->type, "n") == 0) {
        enum number_kind kind = w->style < b->formats.n ? (enum number_kind)b->formats.kinds[w->style] : NUMBER_PLAIN;
        number_show(shown, text, kind, b->from_1904);
        text = shown;
        length = strlen(shown);
    }
    if (length == 0) return;
    bool hidden = w->row_hidden;
    for (size_t i = 0; i < w->n_hidden && !hidden; i++)
        hidden = w->column >= w->hidden[i].first && w->column <= w->hidden[i].last;
    w->flow->muted += hidden;
    if (w->cell_in_row) flow_tab(w->flow);
    if (!hidden) w->cell_in_row = true;
    w->flow->in_cell = 1;
    for (size_t i = 0, start = 0; i <= length; i++) /* a line end in a cell is no row's end */
        if (i == length || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
            flow_put(w->flow, text + start, i - start);
            if (i < length) flow_space(w->flow);
            start = i + 1;
        }
    w->flow->in_cell = 0;
    w->flow->muted -= hidden;
}

static void on_sheet(struct xml_walk *x, const char *name, const char **attributes)
{
    struct sheet_walk *w = x->context;
    const char *value;
    if (w->flow->done) xml_stop(x);
    if (strcmp(name, "x:c") == 0) {
        size_t column = column_of(xml_attribute(attributes, "r"));
        w->column = column ? column : w->column + 1;
        w->style = xml_number(xml_attribute(attributes, "s"), MAX_FORMATS, 0);
        value = xml_attribute(attributes, "t");
        w->type[0] = '\0';
        if (value && strlen(value) < sizeof(w->type)) memcpy(w->type, value, strlen(value) + 1);
        buffer_clear(&w->value);
    } else if (strcmp(name, "x:v") == 0)
        w->in_value = true;
    else if (strcmp(name, "x:is") == 0)
        w->in_inline = true;
    else if (strcmp(name, "x:t") == 0)
        w->in_text = w->in_inline;
    else if (strcmp(name, "x:rPh") == 0)
        w->in_reading = true;
    else if (strcmp(name, "x:row") == 0) {
        w->column = 0;
        w->cell_in_row = false;
        w->row_hidden = is_true(xml_attribute(attributes, "hidden"));
        flow_row(w->flow);
    } else if (strcmp(name, "x:col") == 0 && is_true(xml_attribute(attributes, "hidden")) &&
               w->n_hidden < MAX_HIDDEN_COLUMNS) {
        w->hidden[w->n_hidden].first = xml_number(xml_attribute(attributes, "min"), MAX_COLUMNS, 1);
        w->hidden[w->n_hidden++].last = xml_number(xml_attribute(attributes, "max"), MAX_COLUMNS, 0);
    }
}

static void on_sheet_end(struct xml_walk *x, const char *name)
{
    struct sheet_walk *w = x->context;
    if (strcmp(name, "x:c") == 0) {
        if (w->value.failed)
            out_of_memory(x);
        else
            put_cell(w);
    } else if (strcmp(name, "x:v") == 0)
        w->in_value = false;
    else if (strcmp(name, "x:is") == 0)
        w->in_inline = false;
    else if (strcmp(name, "x:t") == 0)
        w->in_text = false;
    else if (strcmp(name, "x:rPh") == 0)
        w->in_reading = false;
}

static void on_sheet_text(struct xml_walk *x, const char *utf8, size_t length)
{
    struct sheet_walk *w = x->context;
    if (w->in_value || (w->in_text && !w->in_reading)) buffer_append(&w->value, utf8, length);
}

static enum status read_sheet(struct workbook *b, const struct package_part *part, const char *name, bool hidden,
                              struct error *err)
{
    struct sheet_walk w = {.book = b, .flow = &b->flow};
    struct xml_walk x = {
        .start = on_sheet, .end = on_sheet_end, .text = on_sheet_text, .context = &w, .part = part->name};
    flow_page(&b->flow);
    b->flow.muted = hidden;
    flow_put_str(&b->flow, name);
    enum status st = xml_read(&x, part->bytes.data, part->bytes.length, err);
    flow_row(&b->flow);
    b->flow.muted = 0;
    buffer_free(&w.value);
    if (st == DOCKET_OK && w.n_bad)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "%s: %zu cells name texts beyond the %zu that there are",
                  part->name, w.n_bad, b->n_strings);
    return st;
}

/* The workbook */

static void on_book(struct xml_walk *x, const char *name, const char **attributes)
{
    struct workbook *b = x->context;
    struct error err = {0};
    if (strcmp(name, "x:workbookPr") == 0) b->from_1904 = is_true(xml_attribute(attributes, "date1904"));
    if (strcmp(name, "x:sheet") != 0 || b->flow.done) return;
    const struct relation *r = relation_by_id(&b->list, xml_attribute(attributes, "r:id"));
    const struct package_part *part = r ? package_find(&b->package, r->target) : NULL;
    const char *title = xml_attribute(attributes, "name"), *state = xml_attribute(attributes, "state");
    if (++b->n_sheets > 10000) return;
    if (r && strcmp(r->type, "worksheet") != 0) return; /* a chart or macros */
    enum status st = part ? read_sheet(b, part, title ? title : "", state && strcmp(state, "visible") != 0, &err)
                          : fail(&err, DOCKET_CORRUPT, CODE_document_corrupt, "sheet %zu is not there", b->n_sheets);
    if (st == DOCKET_NO_MEMORY)
        xml_fail(x, (x->error = err, st));
    else if (st != DOCKET_OK && b->damage.status == DOCKET_OK)
        b->damage = err;
}

static void on_nothing(struct xml_walk *x, const char *name)
{
    (void)x, (void)name;
}

static enum status read_related(struct workbook *b, const char *type, struct xml_walk *x, struct error *err)
{
    const struct relation *r = relation_by_type(&b->list, type);
    const struct package_part *part = r ? package_find(&b->package, r->target) : NULL;
    struct error why = {0};
    if (!part) return DOCKET_OK;
    x->part = part->name;
    enum status st = xml_read(x, part->bytes.data, part->bytes.length, &why);
    if (st == DOCKET_NO_MEMORY) {
        *err = why;
        return st;
    }
    if (st != DOCKET_OK) b->damage = why; /* the sheets may still say something */
    return DOCKET_OK;
}

static enum status read_book(struct workbook *b, const struct extract_input *in, struct error *err)
{
    const struct package_part *main = NULL;
    struct strings_walk strings = {.book = b};
    struct xml_walk style = {.start = on_style, .end = on_style_end, .context = b};
    struct xml_walk string = {.start = on_string, .end = on_string_end, .text = on_string_text, .context = &strings};
    struct xml_walk book = {.start = on_book, .end = on_nothing, .context = b, .part = "workbook.xml"};
    enum status st = package_open(&b->package, in, err);
    if (st == DOCKET_OK) st = package_main(&main, &b->package, "xl/workbook.xml", err);
    if (st == DOCKET_OK && !main) st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no xl/workbook.xml in it");
    if (st == DOCKET_OK) st = relations_read(&b->list, &b->package, main->name, err);
    if (st == DOCKET_OK) st = read_related(b, "styles", &style, err);
    if (st == DOCKET_OK) st = read_related(b, "sharedStrings", &string, err);
    if (st == DOCKET_OK) st = xml_read(&book, main->bytes.data, main->bytes.length, err);
    return st;
}

enum status extract_xlsx(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct workbook b = {0};
    struct error late = {0};
    flow_init(&b.flow, sink, in->max_characters);
    enum status st = read_book(&b, in, err);
    if (b.n_sheets) sink->fact(sink, FACT_PAGES, b.n_sheets);
    if (b.list.n_outside) sink->fact(sink, FACT_LINKS_SKIPPED, b.list.n_outside);
    bool done = b.flow.done;
    enum status end = flow_finish(&b.flow, &late);
    if (end != DOCKET_OK && st != DOCKET_NO_MEMORY) *err = late, st = end;
    if (st == DOCKET_OK && b.damage.status != DOCKET_OK) *err = b.damage, st = b.damage.status;
    if (st == DOCKET_OK && !done) st = package_conclude(&b.package, err);
    mem_free(b.formats.kinds);
    mem_free(b.formats.own);
    mem_free(b.ends);
    buffer_free(&b.strings);
    relations_free(&b.list);
    package_free(&b.package);
    return st;
}
