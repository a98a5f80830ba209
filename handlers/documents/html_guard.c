/* html_guard.c: makes a page safe for a tree builder that recurses and compares every attribute with every other: in one pass, scripts,
 * styles and comments are dropped, tags keep the attributes that text depends on, elements that would nest too deep lose
 * their tags but not their text, and <b> and its kin, which builders repeat for each paragraph, become <span>. */
#include "handlers/documents/html.h"
#include "worker/base/alloc.h"

#include <string.h>
#include <strings.h>

#define MAX_OPEN  200
#define MAX_NAME  24
#define MAX_VALUE 4096

struct guard {
    struct buffer *out;
    const char *s, *end;
    struct open_element {
        char name[MAX_NAME];
        bool special;
    } open[MAX_OPEN];
    size_t n_open;
};

#define LIST(words) " " words " "
static bool listed(const char *list, const char *name)
{
    char word[MAX_NAME + 2];
    size_t n = strlen(name);
    word[0] = ' ';
    memcpy(word + 1, name, n);
    word[n + 1] = ' ';
    word[n + 2 < sizeof(word) ? n + 2 : sizeof(word) - 1] = '\0';
    return strstr(list, word) != NULL;
}

/* Never closed, or closed by what follows: they do not nest by themselves. */
static const char flat[] = LIST("area base basefont bgsound br col embed hr img input keygen link meta param source "
                                "track wbr p li dd dt td th tr tbody thead "
                                "tfoot colgroup caption option html head body frame");
static const char formatting[] = LIST("a b big code em font i nobr s small strike strong tt u");
static const char special[] = LIST("address applet article aside blockquote button center details dir div dl fieldset "
                                   "figcaption figure footer form frameset h1 "
                                   "h2 h3 h4 h5 h6 header hgroup main marquee menu menuitem nav object ol pre section "
                                   "select summary table template ul");
/* Everything up to their end tag is no markup; `dropped` is no text either. */
static const char raw[] = LIST("script style iframe noembed noframes xmp textarea title");
static const char dropped[] = LIST("script style iframe noembed noframes");
static const char kept_attributes[] = LIST("hidden style alt type color bgcolor background text");

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t read_name(struct guard *g, char name[MAX_NAME], const char *ends)
{
    size_t n = 0;
    for (; g->s < g->end && !is_space(*g->s) && !strchr(ends, *g->s); g->s++)
        if (n < MAX_NAME - 1 && *g->s > ' ') name[n++] = *g->s >= 'A' && *g->s <= 'Z' ? (char)(*g->s + 32) : *g->s;
    name[n] = '\0';
    return n;
}

static void put_value(struct guard *g, const char *value, size_t n)
{
    if (n > MAX_VALUE) n = MAX_VALUE;
    buffer_append_str(g->out, "=\"");
    for (size_t i = 0; i < n; i++) {
        if (value[i] == '"')
            buffer_append_str(g->out, "&quot;");
        else
            buffer_append_char(g->out, value[i]);
    }
    buffer_append_char(g->out, '"');
}

/* Attributes up to the tag's end, those that matter copied if `copy`. true: it closes itself. */
static bool read_attributes(struct guard *g, bool copy)
{
    bool slash = false;
    size_t n_kept = 0;
    char kept[8][MAX_NAME];
    while (g->s < g->end && *g->s != '>') {
        char name[MAX_NAME];
        if (is_space(*g->s) || *g->s == '/' || *g->s == '=' || *g->s == '\0') {
            slash = *g->s == '/';
            g->s++;
            continue;
        }
        slash = false;
        read_name(g, name, "/>=");
        while (g->s < g->end && is_space(*g->s)) g->s++;
        const char *value = NULL;
        size_t length = 0;
        if (g->s < g->end && *g->s == '=') {
            do g->s++;
            while (g->s < g->end && is_space(*g->s));
            char quote = g->s < g->end && (*g->s == '"' || *g->s == '\'') ? *g->s++ : '\0';
            value = g->s;
            if (quote) {
                const char *close = memchr(g->s, quote, (size_t)(g->end - g->s));
                length = (size_t)((close ? close : g->end) - value);
                g->s = close ? close + 1 : g->end;
            } else {
                while (g->s < g->end && !is_space(*g->s) && *g->s != '>') g->s++;
                length = (size_t)(g->s - value);
            }
        }
        if (!copy || !listed(kept_attributes, name)) continue;
        bool again = false; /* of several with one name the first counts */
        for (size_t i = 0; i < n_kept; i++) again |= strcmp(kept[i], name) == 0;
        if (again || n_kept == ARRAY_LENGTH(kept)) continue;
        memcpy(kept[n_kept++], name, MAX_NAME);
        buffer_printf(g->out, " %s", name);
        if (value) put_value(g, value, length);
    }
    if (g->s < g->end) g->s++;
    return slash;
}

static void raw_text(struct guard *g, const char *name)
{
    const size_t n = strlen(name);
    const char *start = g->s, *at = g->s;
    for (; at < g->end; at++) {
        at = memchr(at, '<', (size_t)(g->end - at));
        if (!at) break;
        if ((size_t)(g->end - at) >= n + 2 && at[1] == '/' && strncasecmp(at + 2, name, n) == 0) break;
    }
    if (!at || at > g->end) at = g->end;
    bool keep = !listed(dropped, name);
    if (keep) {
        buffer_printf(g->out, "<%s>", name);
        for (const char *p = start; p < at; p++)
            if (*p) buffer_append_char(g->out, *p);
        buffer_printf(g->out, "</%s>", name);
    }
    g->s = at;
    if (g->s < g->end) {
        const char *close = memchr(g->s, '>', (size_t)(g->end - g->s));
        g->s = close ? close + 1 : g->end;
    }
}

static void start_tag(struct guard *g)
{
    char name[MAX_NAME];
    read_name(g, name, "/>");
    if (listed(raw, name)) {
        read_attributes(g, false);
        raw_text(g, name);
        return;
    }
    if (listed(formatting, name)) memcpy(name, "span", 5);
    if (strcmp(name, "plaintext") == 0 || strcmp(name, "frameset") == 0) memcpy(name, "div", 4);
    if (strcmp(name, "image") == 0) memcpy(name, "img", 4);
    bool nests = !listed(flat, name);
    if (nests && g->n_open == MAX_OPEN) {
        read_attributes(g, false);
        buffer_append_char(g->out, ' ');
        return;
    }
    buffer_printf(g->out, "<%s", name);
    read_attributes(g, true);
    buffer_append_char(g->out, '>');
    if (!nests) return;
    struct open_element *e = &g->open[g->n_open++];
    memcpy(e->name, name, sizeof(name));
    e->special = listed(special, name);
}

/* As the builder closes elements: a block closes what is open in it, other elements nothing that is a block. */
static void end_tag(struct guard *g)
{
    char name[MAX_NAME];
    read_name(g, name, "/>");
    read_attributes(g, false);
    if (listed(formatting, name)) memcpy(name, "span", 5);
    if (strcmp(name, "plaintext") == 0 || strcmp(name, "frameset") == 0) memcpy(name, "div", 4);
    bool is_special = listed(special, name);
    for (size_t i = g->n_open; i-- > 0;) {
        if (strcmp(g->open[i].name, name) == 0) {
            g->n_open = i;
            break;
        }
        if (g->open[i].special && !is_special) break;
        if (is_special && strcmp(name, "table") != 0 && strcmp(g->open[i].name, "table") == 0) break;
        if (strcmp(g->open[i].name, "template") == 0) break;
    }
    buffer_printf(g->out, "</%s>", name);
}

static void comment(struct guard *g)
{
    const char *close;
    if (g->end - g->s >= 2 && memcmp(g->s, "--", 2) == 0) {
        g->s += g->end - g->s >= 3 && g->s[2] == '>' ? 0 : 2;
        close = memmem(g->s, (size_t)(g->end - g->s), "-->", 3);
        g->s = close ? close + 3 : g->end;
        return;
    }
    close = memchr(g->s, '>', (size_t)(g->end - g->s));
    g->s = close ? close + 1 : g->end;
}

enum status html_guard(struct buffer *out, const char *utf8, size_t length, struct error *err)
{
    struct guard g = {.out = out, .s = utf8, .end = utf8 + length};
    while (g.s < g.end && !out->failed) {
        const char *at = memchr(g.s, '<', (size_t)(g.end - g.s));
        if (!at) at = g.end;
        buffer_append(out, g.s, (size_t)(at - g.s));
        g.s = at;
        if (g.end - g.s < 2) {
            g.s = g.end;
            break;
        }
        char next = g.s[1];
        if (is_letter(next)) {
            g.s++;
            start_tag(&g);
        } else if (next == '/' && g.end - g.s > 2 && is_letter(g.s[2])) {
            g.s += 2;
            end_tag(&g);
        } else if (next == '!' || next == '?' || next == '/') {
            g.s += 2;
            comment(&g);
        } else {
            buffer_append_str(out, "&lt;");
            g.s++;
        }
    }
    return out->failed ? fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a page") : DOCKET_OK;
}
