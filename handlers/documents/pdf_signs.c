/* pdf_signs.c: walks through the operators of a content stream and keeps what decides whether text is seen: colour, mode, size, place, clip,
 * and what is painted later. */
#include "handlers/documents/pdf_signs.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STATES   64
#define MAX_OPERANDS 8
#define MAX_SHOWN    512 /* places of text that later paint is compared with; the last ones */
#define MAX_AREAS    64  /* of one path */
#define LIGHT        0.8
#define SMALL        2.0
#define SMALL_SCALE  0.2 /* of a whole page's letters */
#define SMALL_CLIP   100

struct matrix {
    double a, b, c, d, e, f;
};

struct area {
    double left, low, right, high;
};

struct state {
    struct matrix ctm;
    struct area clip;
    bool clipped, light, stroke_light;
    double size, leading;
    int mode;
};

struct walk {
    struct pdf_signs *signs;
    const char *at, *end;
    struct state state, kept[MAX_STATES];
    size_t n_kept;
    struct matrix text, line;
    double operands[MAX_OPERANDS];
    size_t n_operands, n_bytes; /* of strings before the operator */
    bool named;                 /* a name before it */
    struct area areas[MAX_AREAS];
    size_t n_areas;
    bool clip_next;
    double shown[MAX_SHOWN][2];
    size_t n_shown;
};

static const struct matrix identity = {1, 0, 0, 1, 0, 0};

static struct matrix times(struct matrix m, struct matrix n)
{
    return (struct matrix){m.a * n.a + m.b * n.c, m.a * n.b + m.b * n.d,       m.c * n.a + m.d * n.c,
                           m.c * n.b + m.d * n.d, m.e * n.a + m.f * n.c + n.e, m.e * n.b + m.f * n.d + n.f};
}

static void extend(struct area *area, struct matrix m, double x, double y)
{
    double px = m.a * x + m.c * y + m.e, py = m.b * x + m.d * y + m.f;
    area->left = fmin(area->left, px);
    area->right = fmax(area->right, px);
    area->low = fmin(area->low, py);
    area->high = fmax(area->high, py);
}

static const struct area nowhere = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};

static bool within(const struct area *a, double x, double y)
{
    return x >= a->left && x <= a->right && y >= a->low && y <= a->high;
}

static void sign(struct walk *w, unsigned which)
{
    w->signs->found |= which;
}

/* Operand i from the end, 0 being the last. */
static double operand(const struct walk *w, size_t i)
{
    return i < w->n_operands ? w->operands[w->n_operands - 1 - i] : 0;
}

static struct matrix matrix_of(const struct walk *w)
{
    return (struct matrix){operand(w, 5), operand(w, 4), operand(w, 3), operand(w, 2), operand(w, 1), operand(w, 0)};
}

/* Text */

static void show(struct walk *w)
{
    const struct state *s = &w->state;
    const struct matrix m = times(w->text, s->ctm);
    double size = fabs(s->size) * hypot(m.c, m.d);
    /* The middle of the first letter, as good as that is known. */
    double x = m.e + (m.a + m.c) * s->size / 4, y = m.f + (m.b + m.d) * s->size / 4;
    double *reach = w->signs->reach;
    if (w->n_bytes == 0) return;
    if (s->mode == 3 || s->mode == 7) sign(w, SIGN_MODE);
    if ((s->mode == 1 || s->mode == 5) ? s->stroke_light : s->light) sign(w, SIGN_LIGHT);
    if (!(size >= SMALL)) sign(w, SIGN_SMALL);
    if (!isfinite(x) || !isfinite(y)) {
        sign(w, SIGN_NOT_UNDERSTOOD);
        return;
    }
    if (s->clipped && !within(&s->clip, x, y)) sign(w, SIGN_OUTSIDE);
    reach[0] = w->signs->reached ? fmin(reach[0], x) : x;
    reach[1] = w->signs->reached ? fmin(reach[1], y) : y;
    reach[2] = w->signs->reached ? fmax(reach[2], x) : x;
    reach[3] = w->signs->reached ? fmax(reach[3], y) : y;
    w->signs->reached = true;
    w->shown[w->n_shown % MAX_SHOWN][0] = x;
    w->shown[w->n_shown++ % MAX_SHOWN][1] = y;
}

static void next_line(struct walk *w, double x, double y)
{
    w->line = times((struct matrix){1, 0, 0, 1, x, y}, w->line);
    w->text = w->line;
}

/* Paint */

static void paint_over(struct walk *w, const struct area *area)
{
    size_t n = w->n_shown < MAX_SHOWN ? w->n_shown : MAX_SHOWN;
    for (size_t i = 0; i < n; i++)
        if (within(area, w->shown[i][0], w->shown[i][1])) sign(w, SIGN_COVERED);
}

static void end_path(struct walk *w, bool painted)
{
    struct state *s = &w->state;
    for (size_t i = 0; i < w->n_areas && painted; i++) paint_over(w, &w->areas[i]);
    if (w->clip_next && w->n_areas) {
        struct area all = nowhere;
        for (size_t i = 0; i < w->n_areas; i++) {
            all.left = fmin(all.left, w->areas[i].left);
            all.low = fmin(all.low, w->areas[i].low);
            all.right = fmax(all.right, w->areas[i].right);
            all.high = fmax(all.high, w->areas[i].high);
        }
        if (s->clipped)
            all = (struct area){fmax(all.left, s->clip.left), fmax(all.low, s->clip.low),
                                fmin(all.right, s->clip.right), fmin(all.high, s->clip.high)};
        s->clip = all;
        s->clipped = true;
    }
    w->clip_next = false;
    w->n_areas = 0;
}

/* The last place stands for what there is no room for: its area only grows. */
static struct area *new_area(struct walk *w)
{
    if (w->n_areas < MAX_AREAS) w->areas[w->n_areas++] = nowhere;
    return &w->areas[w->n_areas - 1];
}

static void add_point(struct walk *w, double x, double y, bool begins)
{
    struct area *area = begins || w->n_areas == 0 ? new_area(w) : &w->areas[w->n_areas - 1];
    extend(area, w->state.ctm, x, y);
}

static void add_rectangle(struct walk *w)
{
    double x = operand(w, 3), y = operand(w, 2), width = operand(w, 1), height = operand(w, 0);
    struct area *area = new_area(w);
    for (unsigned i = 0; i < 4; i++) extend(area, w->state.ctm, x + (i & 1 ? width : 0), y + (i & 2 ? height : 0));
}

static void paint_picture(struct walk *w)
{
    struct area area = nowhere;
    for (unsigned i = 0; i < 4; i++) extend(&area, w->state.ctm, i & 1, i >> 1);
    paint_over(w, &area);
}

/* Colours. One number is grey or a tint, of which nobody here knows whether much of it is dark. */

static bool is_light(const struct walk *w, bool of_some_space)
{
    size_t n = w->n_operands;
    bool bright = n > 0, dark = n > 0;
    for (size_t i = 0; i < n; i++) {
        bright &= w->operands[i] >= LIGHT;
        dark &= w->operands[i] <= 1 - LIGHT;
    }
    if (w->named) return true; /* a pattern */
    if (n == 4) return dark;
    if (n == 1 && of_some_space) return bright || (dark && operand(w, 0) > 0);
    return bright && n <= 3;
}

/* A page may have several streams, of which one goes on where another ended: what that leaves behind is a sign as well. */
static void look_at_rest(struct walk *w)
{
    for (size_t i = 0; i <= w->n_kept; i++) {
        const struct state *s = i < w->n_kept ? &w->kept[i] : &w->state;
        if (s->light) sign(w, SIGN_LIGHT);
        if (s->mode == 3 || s->mode == 7) sign(w, SIGN_MODE);
        if (hypot(s->ctm.c, s->ctm.d) < SMALL_SCALE) sign(w, SIGN_SMALL);
        if (s->clipped && (s->clip.right - s->clip.left < SMALL_CLIP || s->clip.high - s->clip.low < SMALL_CLIP))
            sign(w, SIGN_OUTSIDE);
    }
}

/* Operators */

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\0';
}

static bool is(const char *word, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(word, name, n) == 0;
}

static bool change_state(struct walk *w, const char *o, size_t n)
{
    struct state *s = &w->state;
    if (is(o, n, "q")) {
        if (w->n_kept == MAX_STATES)
            sign(w, SIGN_NOT_UNDERSTOOD);
        else
            w->kept[w->n_kept++] = *s;
    } else if (is(o, n, "Q")) {
        if (w->n_kept) *s = w->kept[--w->n_kept];
    } else if (is(o, n, "cm"))
        s->ctm = times(matrix_of(w), s->ctm);
    else if (is(o, n, "g") || is(o, n, "rg") || is(o, n, "k"))
        s->light = is_light(w, false);
    else if (is(o, n, "G") || is(o, n, "RG") || is(o, n, "K"))
        s->stroke_light = is_light(w, false);
    else if (is(o, n, "sc") || is(o, n, "scn"))
        s->light = is_light(w, true);
    else if (is(o, n, "SC") || is(o, n, "SCN"))
        s->stroke_light = is_light(w, true);
    else if (is(o, n, "cs"))
        s->light = false;
    else if (is(o, n, "CS"))
        s->stroke_light = false;
    else
        return false;
    return true;
}

static bool move_text(struct walk *w, const char *o, size_t n)
{
    struct state *s = &w->state;
    if (is(o, n, "BT"))
        w->text = w->line = identity;
    else if (is(o, n, "Td"))
        next_line(w, operand(w, 1), operand(w, 0));
    else if (is(o, n, "TD")) {
        s->leading = -operand(w, 0);
        next_line(w, operand(w, 1), operand(w, 0));
    } else if (is(o, n, "T*"))
        next_line(w, 0, -s->leading);
    else if (is(o, n, "Tm"))
        w->text = w->line = matrix_of(w);
    else if (is(o, n, "Tf"))
        s->size = operand(w, 0);
    else if (is(o, n, "TL"))
        s->leading = operand(w, 0);
    else if (is(o, n, "Tr"))
        s->mode = operand(w, 0) >= 0 && operand(w, 0) <= 7 ? (int)operand(w, 0) : 3;
    else if (is(o, n, "Tj") || is(o, n, "TJ"))
        show(w);
    else if (is(o, n, "'") || is(o, n, "\"")) {
        next_line(w, 0, -s->leading);
        show(w);
    } else
        return false;
    return true;
}

static void draw(struct walk *w, const char *o, size_t n)
{
    static const char *const paints[] = {"f", "F", "f*", "B", "B*", "b", "b*"};
    for (size_t i = 0; i < ARRAY_LENGTH(paints); i++)
        if (is(o, n, paints[i])) {
            end_path(w, true);
            return;
        }
    if (is(o, n, "re"))
        add_rectangle(w);
    else if (is(o, n, "m"))
        add_point(w, operand(w, 1), operand(w, 0), true);
    else if (is(o, n, "l") || is(o, n, "c") || is(o, n, "v") || is(o, n, "y"))
        add_point(w, operand(w, 1), operand(w, 0), false);
    else if (is(o, n, "W") || is(o, n, "W*"))
        w->clip_next = true;
    else if (is(o, n, "n") || is(o, n, "S") || is(o, n, "s"))
        end_path(w, false);
    else if (is(o, n, "Do"))
        paint_picture(w);
    else if (is(o, n, "sh")) {
        if (w->n_shown) sign(w, SIGN_COVERED);
    }
}

/* The bytes of a picture in the stream end with EI between white space. */
static void skip_picture(struct walk *w)
{
    paint_picture(w);
    for (; w->end - w->at >= 4; w->at++)
        if (is_white(w->at[0]) && w->at[1] == 'E' && w->at[2] == 'I' && is_white(w->at[3])) break;
    w->at = w->end - w->at >= 4 ? w->at + 4 : w->end;
}

static void operate(struct walk *w, const char *o, size_t n)
{
    if (is(o, n, "ID"))
        skip_picture(w);
    else if (!change_state(w, o, n) && !move_text(w, o, n))
        draw(w, o, n);
    w->n_operands = w->n_bytes = 0;
    w->named = false;
}

/* Words */

static bool ends_word(char c)
{
    return is_white(c) || strchr("/<>[](){}%", c);
}

static void skip_string(struct walk *w)
{
    size_t depth = 1;
    for (w->at++; w->at < w->end && depth > 0; w->at++) {
        if (*w->at == '\\' && w->end - w->at > 1)
            w->at++;
        else if (*w->at == '(')
            depth++;
        else if (*w->at == ')')
            depth--;
        w->n_bytes += depth > 0;
    }
}

static void skip_hex(struct walk *w)
{
    for (w->at++; w->at < w->end && *w->at != '>'; w->at++) w->n_bytes += !is_white(*w->at);
    if (w->at < w->end) w->at++;
}

/* As PDF writes it: no exponent. */
static bool number_of(const char *s, size_t n, double *out)
{
    double value = 0, part = 1;
    size_t i = n > 0 && (*s == '-' || *s == '+'), digits = 0;
    bool point = false;
    for (; i < n; i++) {
        if (s[i] == '.' && !point)
            point = true;
        else if (s[i] >= '0' && s[i] <= '9') {
            value = value * 10 + (s[i] - '0');
            part *= point ? 10 : 1;
            digits++;
        } else
            return false;
    }
    *out = (*s == '-' ? -value : value) / part;
    return digits > 0;
}

static void take_number(struct walk *w, double value)
{
    if (w->n_operands == MAX_OPERANDS) memmove(w->operands, w->operands + 1, --w->n_operands * sizeof(double));
    w->operands[w->n_operands++] = value;
}

static void take_word(struct walk *w)
{
    const char *from = w->at;
    double value;
    while (w->at < w->end && !ends_word(*w->at)) w->at++;
    size_t n = (size_t)(w->at - from);
    if (number_of(from, n, &value))
        take_number(w, value);
    else
        operate(w, from, n);
}

void pdf_signs_look(struct pdf_signs *signs, const char *content, size_t length)
{
    struct walk w = {.signs = signs,
                     .at = content,
                     .end = content + length,
                     .state = {.ctm = {1, 0, 0, 1, 0, 0}},
                     .text = {1, 0, 0, 1, 0, 0},
                     .line = {1, 0, 0, 1, 0, 0}};
    while (w.at < w.end) {
        char c = *w.at;
        if (c == '(')
            skip_string(&w);
        else if (c == '<' && w.end - w.at > 1 && w.at[1] != '<')
            skip_hex(&w);
        else if (c == '/') {
            w.named = true;
            for (w.at++; w.at < w.end && !ends_word(*w.at);) w.at++;
        } else if (c == '%')
            while (w.at < w.end && *w.at != '\n' && *w.at != '\r') w.at++;
        else if (ends_word(c)) {
            if (c == '<') w.at++; /* "<<" is no string */
            w.at++;
        } else
            take_word(&w);
    }
    look_at_rest(&w);
}

void pdf_signs_box(struct pdf_signs *signs, const char *text, size_t length)
{
    double n[4];
    size_t at = 1, k = 0;
    if (length == 0 || *text != '[') {
        signs->found |= SIGN_NOT_UNDERSTOOD; /* elsewhere */
        return;
    }
    while (k < 4 && at < length && text[at] != ']') {
        size_t from = at;
        while (at < length && !ends_word(text[at])) at++;
        if (at > from && !number_of(text + from, at - from, &n[k++])) break;
        if (at == from) at++;
    }
    if (k < 4 || !(n[0] <= n[2] && n[1] <= n[3])) {
        signs->found |= SIGN_NOT_UNDERSTOOD;
        return;
    }
    for (size_t i = 0; i < 4; i++)
        signs->box[i] = !signs->boxed ? n[i] : i < 2 ? fmax(signs->box[i], n[i]) : fmin(signs->box[i], n[i]);
    signs->boxed = true;
}

unsigned pdf_signs_end(const struct pdf_signs *signs)
{
    const double *box = signs->box, *reach = signs->reach;
    if (!signs->reached) return signs->found;
    if (!signs->boxed) return signs->found | SIGN_NOT_UNDERSTOOD;
    bool outside = reach[0] < box[0] || reach[1] < box[1] || reach[2] > box[2] || reach[3] > box[3];
    return signs->found | (outside ? SIGN_OUTSIDE : 0u);
}
