/* html_style.c: declarations of an element that hide its text: not drawn, without size, beyond the page, clipped, transparent, in the colour of its
 * ground. */
#include "handlers/documents/html_style.h"

#include "worker/base/alloc.h"
#include "worker/base/hex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL      2.0   /* pixels that nobody reads */
#define FAR        500.0 /* pixels beyond an edge that nothing reaches back from */
#define FAINT      0.05
#define NEAR_COLOR 24 /* of 255, in each of red, green and blue */

const struct html_look html_look_root = {.size = 16, .ground = {255, 255, 255}};

struct declaration {
    char name[32], value[96]; /* lower case, white space gone but single blanks within; cut, which no value of use is */
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static void copy_plain(char *out, size_t size, const char *from, const char *end)
{
    size_t n = 0;
    bool blank = false;
    for (; from < end && n + 2 < size; from++) {
        if ((unsigned char)*from <= ' ') {
            blank = n > 0;
            continue;
        }
        if (*from == '!') break; /* important */
        if (blank) out[n++] = ' ';
        blank = false;
        out[n++] = lower(*from);
    }
    out[n] = '\0';
}

static const char *skip_comment(const char *s)
{
    const char *end = strstr(s + 2, "*/");
    return end ? end + 2 : s + strlen(s);
}

/* The next one; NULL: there is none. A bracket holds semicolons together, as url(data:…;base64,…) needs. */
static const char *next_declaration(const char *s, struct declaration *d)
{
    while (*s && ((unsigned char)*s <= ' ' || *s == ';' || begins(s, "/*")))
        s = begins(s, "/*") ? skip_comment(s) : s + 1;
    if (!*s) return NULL;
    const char *colon = NULL, *end = s;
    for (int depth = 0; *end && (*end != ';' || depth > 0); end++) {
        if (*end == ':' && !colon) colon = end;
        depth += *end == '(' ? 1 : *end == ')' && depth > 0 ? -1 : 0;
    }
    copy_plain(d->name, sizeof(d->name), s, colon ? colon : end);
    copy_plain(d->value, sizeof(d->value), colon ? colon + 1 : end, end);
    return end;
}

/* A length in pixels; `one` is what an em and a hundred per cent are. NAN: no length. */
static double pixels(const char *value, double one)
{
    static const struct {
        const char *unit;
        double pixels;
    } units[] = {{"px", 1},    {"pt", 4.0 / 3}, {"pc", 16},  {"in", 96}, {"cm", 37.8},
                 {"mm", 3.78}, {"vw", 12.8},    {"vh", 7.2}, {"ch", 8},  {"rem", 16}};
    char *end;
    if (!strchr("+-.0123456789", *value) || !*value) return NAN;
    double n = strtod(value, &end);
    if (!isfinite(n)) return NAN;
    if (*end == '\0' || *end == ' ' || *end == ',' || *end == ')') return n;
    if (begins(end, "rem")) return n * 16;
    if (begins(end, "em")) return n * one;
    if (begins(end, "ex")) return n * one / 2;
    if (*end == '%') return n * one / 100;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (begins(end, units[i].unit)) return n * units[i].pixels;
    return NAN;
}

/* Colours */

static bool hex_color(const char *s, unsigned char out[3], double *alpha)
{
    int digits[8] = {0};
    size_t n = 0;
    while (n < 8 && hex_digit(s[n]) >= 0) digits[n] = hex_digit(s[n]), n++;
    if (s[n] && s[n] != ' ') return false;
    if (n != 3 && n != 4 && n != 6 && n != 8) return false;
    for (size_t i = 0; i < 3; i++)
        out[i] = (unsigned char)(n < 6 ? digits[i] * 17 : digits[2 * i] * 16 + digits[2 * i + 1]);
    if (n == 4) *alpha = digits[3] / 15.0;
    if (n == 8) *alpha = (digits[6] * 16 + digits[7]) / 255.0;
    return true;
}

/* rgb(1, 2, 3), rgba(1,2,3,.5), rgb(1 2 3 / 50%). */
static bool rgb_color(const char *s, unsigned char out[3], double *alpha)
{
    double part[4] = {0, 0, 0, 1};
    char *end;
    size_t n = 0;
    const char *open = strchr(s, '(');
    for (s = open ? open + 1 : ""; n < 4 && *s && *s != ')'; n++) {
        while (*s == ' ' || *s == ',' || *s == '/') s++;
        part[n] = strtod(s, &end);
        if (end == s || !isfinite(part[n])) return false;
        if (*end == '%') {
            part[n] *= n < 3 ? 2.55 : 0.01;
            end++;
        }
        for (s = end; *s == ' ';) s++;
    }
    for (size_t i = 0; i < 3; i++) out[i] = (unsigned char)fmin(255, fmax(0, part[i]));
    *alpha = part[3];
    return n >= 3;
}

/* false: a colour that is not known here, or none. */
static bool read_color(const char *s, unsigned char out[3], double *alpha)
{
    static const struct {
        const char *name;
        unsigned char color[3];
    } names[] = {{"white", {255, 255, 255}},
                 {"black", {0, 0, 0}},
                 {"snow", {255, 250, 250}},
                 {"ivory", {255, 255, 240}},
                 {"ghostwhite", {248, 248, 255}},
                 {"whitesmoke", {245, 245, 245}},
                 {"floralwhite", {255, 250, 240}},
                 {"mintcream", {245, 255, 250}},
                 {"azure", {240, 255, 255}},
                 {"aliceblue", {240, 248, 255}},
                 {"seashell", {255, 245, 238}},
                 {"lightyellow", {255, 255, 224}},
                 {"red", {255, 0, 0}},
                 {"blue", {0, 0, 255}},
                 {"navy", {0, 0, 128}},
                 {"green", {0, 128, 0}},
                 {"gray", {128, 128, 128}},
                 {"grey", {128, 128, 128}},
                 {"silver", {192, 192, 192}},
                 {"yellow", {255, 255, 0}},
                 {"maroon", {128, 0, 0}}};
    *alpha = 1;
    if (*s == '#') return hex_color(s + 1, out, alpha);
    if (begins(s, "rgb")) return rgb_color(s, out, alpha);
    if (begins(s, "transparent")) {
        *alpha = 0;
        return true;
    }
    size_t n = strcspn(s, " ");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strlen(names[i].name) == n && strncmp(s, names[i].name, n) == 0) {
            memcpy(out, names[i].color, 3);
            return true;
        }
    return false;
}

/* A colour that is not known is some dark one: what it stands on decides nothing then. */
static void set_color(struct html_look *look, const char *value)
{
    unsigned char color[3];
    double alpha;
    if (is(value, "inherit") || begins(value, "var(")) return;
    if (!read_color(value, color, &alpha)) {
        memset(look->color, 96, 3);
        look->transparent = false;
        return;
    }
    look->transparent = alpha <= FAINT;
    if (!look->transparent) memcpy(look->color, color, 3);
}

static void set_ground(struct html_look *look, const char *value)
{
    unsigned char color[3];
    double alpha;
    if (is(value, "none") || is(value, "inherit") || is(value, "initial")) return;
    if (!read_color(value, color, &alpha) || (alpha < 1 && alpha > FAINT)) {
        look->on_picture = true;
        return;
    }
    if (alpha <= FAINT) return;
    memcpy(look->ground, color, 3);
    look->on_picture = false;
}

/* Places and sizes */

struct box {
    bool placed, cut; /* out of the flow; what hangs over is not drawn */
    bool flat, away;  /* without room; beyond an edge */
};

static void set_size(struct html_look *look, const char *value)
{
    double size = pixels(value, look->size);
    if (is(value, "smaller"))
        look->size *= 0.8;
    else if (is(value, "larger"))
        look->size *= 1.2;
    else if (isfinite(size))
        look->size = size < 1000 ? size : 1000;
    else if (*value >= 'a' && *value <= 'z' && !is(value, "inherit") && !begins(value, "calc"))
        look->size = 16;
}

/* rect(top, right, bottom, left): nothing is between two of its edges. */
static bool rect_is_empty(const char *value)
{
    double edge[4];
    for (size_t i = 0; i < 4; i++) {
        value += strspn(value, " ,");
        edge[i] = pixels(value, 10);
        value += strcspn(value, " ,)");
    }
    return edge[2] - edge[0] <= 1 || edge[1] - edge[3] <= 1; /* auto: a comparison that fails */
}

static bool clips_all(const char *name, const char *value)
{
    if (is(name, "clip")) return begins(value, "rect(") && rect_is_empty(value + 5);
    if (begins(value, "inset(")) return pixels(value + 6, 100) >= 50;
    return begins(value, "circle(") && pixels(value + 7, 100) <= 0;
}

static void take_box(struct box *b, const char *name, const char *value)
{
    static const char *const edges[] = {"left", "top", "right", "bottom"};
    static const char *const margins[] = {"text-indent", "margin-left", "margin-top", "margin"};
    static const char *const rooms[] = {"width", "height", "max-width", "max-height"};
    double n = pixels(value, 10);
    for (size_t i = 0; i < 4; i++) {
        if (is(name, edges[i]) && n <= -FAR) b->away = true;
        if (is(name, margins[i]) && n <= -FAR) b->away = b->placed = true;
        if (is(name, rooms[i]) && n <= 1) b->flat = true;
    }
    if (is(name, "position"))
        b->placed = b->placed || is(value, "absolute") || is(value, "fixed") || is(value, "relative");
    if (begins(name, "overflow")) b->cut = b->cut || is(value, "hidden") || is(value, "clip");
    if (is(name, "transform") && begins(value, "scale(0") && !begins(value, "scale(0.")) b->flat = b->cut = true;
    if (is(name, "transform") && begins(value, "translate") && strchr(value, '(') &&
        pixels(strchr(value, '(') + 1, 10) <= -FAR)
        b->away = b->placed = true;
}

static bool hides(const char *name, const char *value)
{
    if (is(name, "display")) return is(value, "none");
    if (is(name, "content-visibility")) return is(value, "hidden");
    if (is(name, "mso-hide")) return is(value, "all");
    if (is(name, "opacity")) return pixels(value, 1) <= FAINT;
    return (is(name, "clip") || is(name, "clip-path")) && clips_all(name, value);
}

void html_look_style(struct html_look *look, const char *style)
{
    struct declaration d;
    struct box box = {0};
    for (const char *at = style ? next_declaration(style, &d) : NULL; at; at = next_declaration(at, &d)) {
        if (is(d.name, "visibility"))
            look->invisible =
                is(d.value, "hidden") || is(d.value, "collapse") || (look->invisible && is(d.value, "inherit"));
        else if (is(d.name, "font-size"))
            set_size(look, d.value);
        else if (is(d.name, "color"))
            set_color(look, d.value);
        else if (is(d.name, "background") || is(d.name, "background-color"))
            set_ground(look, d.value);
        else if (is(d.name, "background-image"))
            look->on_picture = look->on_picture || !is(d.value, "none");
        else if (hides(d.name, d.value))
            look->hidden = true;
        else
            take_box(&box, d.name, d.value);
    }
    if ((box.placed && box.away) || (box.cut && box.flat)) look->hidden = true;
}

static void plain_color(const char *value, char out[96])
{
    char with_hash[8];
    copy_plain(out, 96, value, value + strlen(value));
    unsigned char color[3];
    double alpha;
    if (strlen(out) != 6 || read_color(out, color, &alpha)) return; /* older pages leave the # out */
    snprintf(with_hash, sizeof(with_hash), "#%.6s", out);
    if (read_color(with_hash, color, &alpha)) memcpy(out, with_hash, sizeof(with_hash));
}

void html_look_color(struct html_look *look, const char *value)
{
    char plain[96] = "";
    if (!value) return;
    plain_color(value, plain);
    set_color(look, plain);
}

void html_look_ground(struct html_look *look, const char *value)
{
    char plain[96] = "";
    if (!value) return;
    plain_color(value, plain);
    set_ground(look, plain);
}

bool html_look_seen(const struct html_look *look)
{
    bool apart = look->on_picture;
    for (size_t i = 0; i < 3; i++) apart = apart || abs((int)look->color[i] - look->ground[i]) > NEAR_COLOR;
    return !look->hidden && !look->invisible && !look->transparent && !(look->size < SMALL) && apart;
}
