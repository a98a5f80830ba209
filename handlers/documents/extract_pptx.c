/* extract_pptx.c: presentations: slides in the order in which they are shown, a page each, their speaker's notes after them. Text on
 * hidden slides is counted; layouts, masters, comments and charts are not looked at. */
#include "handlers/documents/extractors.h"
#include "handlers/documents/package.h"
#include "handlers/documents/xml.h"
#include "worker/base/alloc.h"

#include <string.h>

enum tag { P, T, BR, TR, TC, TABLE, SLIDE, PLACE, SHAPE, ALTERNATE, CHOICE, FALLBACK, N_TAGS };
static const char *const tags[N_TAGS] = {
    [P] = "a:p",
    [T] = "a:t",
    [BR] = "a:br",
    [TR] = "a:tr",
    [TC] = "a:tc",
    [TABLE] = "a:tbl",
    [SLIDE] = "p:sld",
    [PLACE] = "p:ph",
    [SHAPE] = "p:sp",
    [ALTERNATE] = "mc:AlternateContent",
    [CHOICE] = "mc:Choice",
    [FALLBACK] = "mc:Fallback",
};

struct slide {
    struct flow *flow;
    size_t skip_from, shape;
    bool taken[XML_MAX_DEPTH + 2];
    bool notes;
    unsigned n_text;
};

static void on_start(struct xml_walk *x, const char *name, const char **attributes)
{
    /* What the program puts on every page of notes. */
    static const char *const furniture[] = {"sldNum", "hdr", "ftr", "dt", "sldImg"};
    struct slide *s = x->context;
    const char *value;
    if (s->flow->done) xml_stop(x);
    if (s->skip_from) return;
    switch ((enum tag)xml_which(name, tags, N_TAGS)) {
    case T:
        s->n_text++;
        break;
    case BR:
        flow_end_line(s->flow);
        break;
    case TR:
    case TABLE:
        flow_row(s->flow);
        break;
    case TC:
        s->flow->in_cell++;
        break;
    case SLIDE:
        value = xml_attribute(attributes, "show");
        if (value && (strcmp(value, "0") == 0 || strcmp(value, "false") == 0)) s->flow->muted = 1;
        break;
    case SHAPE:
        s->shape = x->depth;
        break;
    case PLACE:
        value = xml_attribute(attributes, "type");
        if (s->notes && value && xml_which(value, furniture, ARRAY_LENGTH(furniture)) < ARRAY_LENGTH(furniture))
            s->skip_from = s->shape;
        break;
    case ALTERNATE:
        s->taken[x->depth] = false;
        break;
    case CHOICE:
    case FALLBACK:
        if (s->taken[x->depth - 1]) s->skip_from = x->depth;
        s->taken[x->depth - 1] = true;
        break;
    default:
        break;
    }
}

static void on_end(struct xml_walk *x, const char *name)
{
    struct slide *s = x->context;
    if (s->skip_from) {
        if (s->skip_from == x->depth) s->skip_from = 0;
        return;
    }
    switch ((enum tag)xml_which(name, tags, N_TAGS)) {
    case P:
        flow_end_line(s->flow);
        break;
    case T:
        s->n_text--;
        break;
    case TR:
        flow_row(s->flow);
        break;
    case TC:
        if (s->flow->in_cell) s->flow->in_cell--;
        flow_tab(s->flow);
        break;
    case SHAPE:
        flow_break(s->flow, 1);
        break;
    default:
        break;
    }
}

static void on_text(struct xml_walk *x, const char *utf8, size_t length)
{
    struct slide *s = x->context;
    if (s->n_text && !s->skip_from) flow_put(s->flow, utf8, length);
}

static enum status read_part(struct flow *flow, const struct package_part *part, bool notes, struct error *err)
{
    struct slide s = {.flow = flow, .notes = notes};
    struct xml_walk x = {.start = on_start, .end = on_end, .text = on_text, .context = &s, .part = part->name};
    enum status st = xml_read(&x, part->bytes.data, part->bytes.length, err);
    flow->in_cell = 0;
    flow_row(flow);
    return st;
}

static enum status read_slide(struct flow *flow, const struct package *package, const struct package_part *part,
                              struct error *err)
{
    struct relation_list list = {0};
    flow_page(flow);
    enum status st = read_part(flow, part, false, err);
    if (st == DOCKET_OK) st = relations_read(&list, package, part->name, err);
    const struct relation *r = relation_by_type(&list, "notesSlide");
    const struct package_part *notes = r ? package_find(package, r->target) : NULL;
    if (st == DOCKET_OK && notes && !flow->done) st = read_part(flow, notes, true, err);
    flow->muted = 0;
    relations_free(&list);
    return st;
}

struct order {
    struct flow *flow;
    const struct package *package;
    const struct relation_list *list;
    size_t n_slides, n_skipped;
    struct error damage;
};

static void on_order(struct xml_walk *x, const char *name, const char **attributes)
{
    struct order *o = x->context;
    struct error err = {0};
    if (strcmp(name, "p:sldId") != 0 || o->flow->done) return;
    const struct relation *r = relation_by_id(o->list, xml_attribute(attributes, "r:id"));
    const struct package_part *part = r ? package_find(o->package, r->target) : NULL;
    o->n_slides++;
    if (o->n_slides > 10000) {
        o->n_skipped++;
        return;
    }
    enum status st = part ? read_slide(o->flow, o->package, part, &err)
                          : fail(&err, DOCKET_CORRUPT, CODE_document_corrupt, "slide %zu is not there", o->n_slides);
    if (st == DOCKET_NO_MEMORY)
        xml_fail(x, (x->error = err, st));
    else if (st != DOCKET_OK && o->damage.status == DOCKET_OK)
        o->damage = err;
}

static void ignore_end(struct xml_walk *x, const char *name)
{
    (void)x, (void)name;
}

enum status extract_pptx(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct package package = {0};
    struct relation_list list = {0};
    const struct package_part *main = NULL;
    struct flow flow;
    struct order o = {.flow = &flow, .package = &package, .list = &list};
    struct xml_walk x = {.start = on_order, .end = ignore_end, .context = &o, .part = "presentation.xml"};
    flow_init(&flow, sink, in->max_characters);
    enum status st = package_open(&package, in, err);
    if (st == DOCKET_OK) st = package_main(&main, &package, "ppt/presentation.xml", err);
    if (st == DOCKET_OK && !main)
        st = fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "no ppt/presentation.xml in it");
    if (st == DOCKET_OK) st = relations_read(&list, &package, main->name, err);
    if (st == DOCKET_OK) st = xml_read(&x, main->bytes.data, main->bytes.length, err);
    if (o.n_slides) sink->fact(sink, FACT_PAGES, o.n_slides);
    if (o.n_skipped) sink->fact(sink, FACT_PAGES_SKIPPED, o.n_skipped);
    if (list.n_outside) sink->fact(sink, FACT_LINKS_SKIPPED, list.n_outside);
    bool done = flow.done;
    struct error late = {0};
    enum status end = flow_finish(&flow, &late);
    if (end != DOCKET_OK && st != DOCKET_NO_MEMORY) *err = late, st = end;
    if (st == DOCKET_OK && o.damage.status != DOCKET_OK) *err = o.damage, st = o.damage.status;
    if (st == DOCKET_OK && !done) st = package_conclude(&package, err);
    relations_free(&list);
    package_free(&package);
    return st;
}
