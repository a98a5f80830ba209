/* extract_html.c: web pages: title, then what is to be seen, with alternative texts of pictures. Scripts, styles, comments and frames
 * are dropped, elements that say themselves that they are hidden counted; what a style sheet's rules hide is kept. */
#include "handlers/documents/charset.h"
#include "handlers/documents/extractors.h"
#include "handlers/documents/html.h"
#include "handlers/documents/html_style.h"
#include "worker/base/alloc.h"

#include <gumbo.h>
#include <string.h>
#include <strings.h>

/* The charset that the page says in its first KiB: <meta charset=x>, <meta content="text/html; charset=x">, <?xml encoding="x"?>. */
static const char *said_in_page(const char *s, size_t length, char out[64])
{
    static const char *const words[] = {"charset", "encoding"};
    if (length > 4096) length = 4096;
    for (size_t w = 0; w < ARRAY_LENGTH(words); w++) {
        const size_t k = strlen(words[w]);
        for (size_t i = 0; i + k < length; i++) {
            if (strncasecmp(s + i, words[w], k) != 0) continue;
            size_t at = i + k, n = 0;
            while (at < length && (s[at] == ' ' || s[at] == '\t')) at++;
            if (at >= length || s[at] != '=') continue;
            at++;
            while (at < length && (s[at] == ' ' || s[at] == '"' || s[at] == '\'')) at++;
            while (at < length && n < 63 && s[at] > ' ' && !strchr("\"';>/?", s[at])) out[n++] = s[at++];
            out[n] = '\0';
            if (n) return out;
        }
    }
    return NULL;
}

static const char *value_of(const GumboElement *e, const char *name)
{
    const GumboAttribute *a = gumbo_get_attribute(&e->attributes, name);
    return a ? a->value : NULL;
}

static bool is_dropped(GumboTag tag)
{
    switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_CANVAS:
        return true;
    default:
        return false;
    }
}

/* Line ends around an element: 0 none, 1 a line of its own, 2 a free line as well. */
static unsigned break_of(GumboTag tag)
{
    switch (tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_TITLE:
        return 2;
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_SUMMARY:
        return 1;
    default:
        return 0;
    }
}

struct page {
    struct flow *flow;
    unsigned verbatim, muted; /* in <pre>; before this page */
    struct html_look *looks;  /* of the elements around, the outermost first */
    size_t n_looks, capacity;
    bool no_memory;
};

/* How text in this element looks, by that of the element around it. */
static bool push_look(struct page *p, const GumboElement *e)
{
    if (p->n_looks == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 64;
        struct html_look *more = mem_resize(p->looks, capacity, sizeof(*more));
        if (!more) {
            p->no_memory = p->flow->done = true;
            return false;
        }
        p->looks = more;
        p->capacity = capacity;
    }
    struct html_look look = p->n_looks ? p->looks[p->n_looks - 1] : html_look_root;
    if (value_of(e, "hidden")) look.hidden = true;
    html_look_color(&look, e->tag == GUMBO_TAG_SPAN /* once <font> */ ? value_of(e, "color")
                           : e->tag == GUMBO_TAG_BODY                 ? value_of(e, "text")
                                                                      : NULL);
    html_look_ground(&look, value_of(e, "bgcolor"));
    if (value_of(e, "background")) look.on_picture = true;
    html_look_style(&look, value_of(e, "style"));
    p->looks[p->n_looks++] = look;
    p->flow->muted = p->muted + (look.hidden ? 1 : 0);
    return true;
}

/* Letters that are not seen in an element whose line ends are. */
static void mute_letters(struct page *p, bool on)
{
    if (p->n_looks && !p->looks[p->n_looks - 1].hidden && !html_look_seen(&p->looks[p->n_looks - 1]))
        p->flow->muted += on ? 1 : -1U;
}

static void pop_look(struct page *p)
{
    if (p->n_looks) p->n_looks--;
    p->flow->muted = p->muted + (p->n_looks && p->looks[p->n_looks - 1].hidden ? 1 : 0);
}

static void put_lines(struct flow *f, const char *text)
{
    for (;;) {
        size_t n = strcspn(text, "\n");
        flow_put(f, text, n);
        if (!text[n]) return;
        flow_end_line(f);
        text += n + 1;
    }
}

/* false: nothing in it is looked at. */
static bool enter(struct page *p, const GumboNode *node)
{
    struct flow *f = p->flow;
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE || node->type == GUMBO_NODE_CDATA) {
        const char *text = node->v.text.text;
        mute_letters(p, true);
        if (p->verbatim)
            put_lines(f, text);
        else
            flow_words(f, text, strlen(text));
        mute_letters(p, false);
        return false;
    }
    if (node->type == GUMBO_NODE_COMMENT || node->type == GUMBO_NODE_TEMPLATE) return false;
    if (node->type != GUMBO_NODE_ELEMENT) return true;
    const GumboElement *e = &node->v.element;
    const GumboAttribute *alt;
    if (is_dropped(e->tag)) return false;
    if (!push_look(p, e)) return false;
    p->verbatim += e->tag == GUMBO_TAG_PRE || e->tag == GUMBO_TAG_TEXTAREA || e->tag == GUMBO_TAG_XMP;
    if (e->tag == GUMBO_TAG_BR)
        flow_end_line(f);
    else if (e->tag == GUMBO_TAG_TR)
        flow_row(f);
    else if (break_of(e->tag))
        flow_break(f, break_of(e->tag));
    else if ((e->tag == GUMBO_TAG_IMG || e->tag == GUMBO_TAG_AREA || e->tag == GUMBO_TAG_INPUT) &&
             (alt = gumbo_get_attribute(&e->attributes, "alt"))) {
        flow_space(f);
        mute_letters(p, true);
        flow_words(f, alt->value, strlen(alt->value));
        mute_letters(p, false);
        flow_space(f);
    }
    return true;
}

static void leave(struct page *p, const GumboNode *node)
{
    struct flow *f = p->flow;
    if (node->type != GUMBO_NODE_ELEMENT) return;
    const GumboElement *e = &node->v.element;
    if (e->tag == GUMBO_TAG_TD || e->tag == GUMBO_TAG_TH)
        flow_tab(f);
    else if (e->tag == GUMBO_TAG_TR)
        flow_row(f);
    else if (break_of(e->tag))
        flow_break(f, break_of(e->tag));
    p->verbatim -= e->tag == GUMBO_TAG_PRE || e->tag == GUMBO_TAG_TEXTAREA || e->tag == GUMBO_TAG_XMP;
    pop_look(p);
}

static const GumboVector *children_of(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_ELEMENT) return &node->v.element.children;
    return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : NULL;
}

/* Without recursion: the tree knows its way back. */
static void walk(struct page *p, const GumboNode *root)
{
    const GumboNode *node = root;
    bool down = true;
    while (!p->flow->done) {
        const GumboVector *children = children_of(node);
        if (down && enter(p, node) && children && children->length) {
            node = children->data[0];
            continue;
        }
        if (!down || children) {
            const GumboElement *e = node->type == GUMBO_NODE_ELEMENT ? &node->v.element : NULL;
            if (!(e && is_dropped(e->tag))) leave(p, node);
        }
        if (node == root) return;
        const GumboVector *siblings = children_of(node->parent);
        down = node->index_within_parent + 1 < siblings->length;
        node = down ? siblings->data[node->index_within_parent + 1] : node->parent;
    }
}

enum status html_read(struct flow *flow, const void *bytes, size_t length, const char *label, struct error *err)
{
    struct buffer text = {0}, guarded = {0};
    struct charset_result found;
    char said[64];
    GumboOptions options = kGumboDefaultOptions;
    options.max_errors = 0; /* its own allocator: it does not survive one that fails, nor would the child */
    enum status st =
        charset_decode(&text, bytes, length, label ? label : said_in_page(bytes, length, said), &found, err);
    if (st == DOCKET_OK) st = html_guard(&guarded, text.data ? text.data : "", text.length, err);
    buffer_free(&text);
    if (st != DOCKET_OK || guarded.length == 0) goto done;
    if (found.guessed && flow->sink) flow->sink->fact(flow->sink, FACT_ENCODING_FOUND, 1);
    if (found.n_replaced && flow->sink) flow->sink->fact(flow->sink, FACT_REPLACED_CHARACTERS, found.n_replaced);
    GumboOutput *tree = gumbo_parse_with_options(&options, guarded.data, guarded.length);
    if (!tree) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a page");
        goto done;
    }
    struct page page = {.flow = flow, .muted = flow->muted};
    walk(&page, tree->document);
    flow->muted = page.muted;
    if (page.no_memory) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a page");
    mem_free(page.looks);
    gumbo_destroy_output(&options, tree);
done:
    buffer_free(&guarded);
    return st;
}

enum status extract_html(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct flow flow;
    struct error late = {0};
    flow_init(&flow, sink, in->max_characters);
    enum status st = html_read(&flow, in->bytes, in->length, NULL, err), end = flow_finish(&flow, &late);
    if (st == DOCKET_OK && end != DOCKET_OK) *err = late, st = end;
    return st;
}
