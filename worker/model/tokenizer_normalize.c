/* tokenizer_normalize.c: a text through the steps of a normalizer. Unicode's normal forms are utf8proc's, except for characters
 * that the tokenizers library does not know yet; marks are sorted here, in linear time. */
#include "worker/model/tokenizer_inner.h"

#include <string.h>
#include <utf8proc.h>

#define FEW_MARKS 16 /* up to here they are sorted by insertion */

/* They neither change nor let anything pass. */
static const uint32_t unknown_ranges[][2] = {
#include "worker/model/unicode_unknown.inc"
};

static bool is_unknown(uint32_t c)
{
    size_t low = 0, high = ARRAY_LENGTH(unknown_ranges);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > unknown_ranges[middle][1])
            low = middle + 1;
        else if (c < unknown_ranges[middle][0])
            high = middle;
        else
            return true;
    }
    return false;
}

/* Code points of a text, and room to sort some. */
struct points {
    int32_t *all, *sorted;
    size_t length, capacity;
};

static bool reserve(struct points *p, size_t more)
{
    size_t capacity = p->capacity ? p->capacity : 256;
    if (p->length + more <= p->capacity) return true;
    while (capacity < p->length + more)
        if (!size_mul(capacity, 2, &capacity)) return false;
    int32_t *all = mem_resize(p->all, capacity, sizeof(*all));
    if (all) p->all = all;
    int32_t *sorted = all ? mem_resize(p->sorted, capacity, sizeof(*sorted)) : NULL;
    if (!sorted) return false;
    p->sorted = sorted;
    p->capacity = capacity;
    return true;
}

static unsigned class_of(int32_t point)
{
    return (unsigned)utf8proc_get_property(point)->combining_class & 255;
}

/* By class, stable. */
static void sort_marks(int32_t *marks, int32_t *sorted, size_t n)
{
    size_t ends[257] = {0};
    if (n <= FEW_MARKS) {
        for (size_t i = 1; i < n; i++) {
            int32_t moving = marks[i];
            size_t at = i;
            for (; at > 0 && class_of(marks[at - 1]) > class_of(moving); at--) marks[at] = marks[at - 1];
            marks[at] = moving;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) ends[class_of(marks[i]) + 1]++;
    for (size_t i = 1; i <= 256; i++) ends[i] += ends[i - 1];
    for (size_t i = 0; i < n; i++) sorted[ends[class_of(marks[i])]++] = marks[i];
    memcpy(marks, sorted, n * sizeof(*marks));
}

/* What stands between two characters that let nothing pass. */
static void write_stretch(struct points *p, bool compose, struct buffer *out)
{
    for (size_t at = 0, end; at < p->length; at = end + 1) {
        for (end = at; end < p->length && class_of(p->all[end]) != 0;) end++;
        if (end - at > 1) sort_marks(p->all + at, p->sorted, end - at);
    }
    utf8proc_ssize_t n = (utf8proc_ssize_t)p->length;
    if (compose && n > 0) n = utf8proc_normalize_utf32(p->all, n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char bytes[4];
        buffer_append(out, bytes, utf8_put((uint32_t)p->all[i], bytes));
    }
    p->length = 0;
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80) return false;
    return true;
}

static bool normal_form(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    enum { LONGEST = 32 }; /* U+FDFA becomes 18 */
    struct points p = {0};
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    if (step->compatible) options |= UTF8PROC_COMPAT;
    bool good = true;
    if (is_ascii(text, length)) return buffer_append(out, text, length);
    for (size_t at = 0, n; at < length && good; at += n) {
        uint32_t point = 0;
        int boundary = 0;
        n = utf8_next(text + at, length - at, &point);
        if (n == 0) break; /* never: the text is valid */
        if (is_unknown(point)) {
            write_stretch(&p, step->compose, out);
            buffer_append(out, text + at, n);
            continue;
        }
        good = reserve(&p, LONGEST);
        if (!good) break;
        utf8proc_ssize_t made = utf8proc_decompose_char((int32_t)point, p.all + p.length, LONGEST, options, &boundary);
        if (made > 0 && made <= LONGEST) p.length += (size_t)made;
    }
    if (good) write_stretch(&p, step->compose, out);
    mem_free(p.all);
    mem_free(p.sorted);
    return good && !out->failed;
}

static void strip_ends(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    size_t start = 0, end = length;
    uint32_t c;
    for (size_t n; step->left && start < end; start += n) {
        n = utf8_next(text + start, end - start, &c);
        if (n == 0 || !is_white_space(c)) break;
    }
    while (step->right && end > start) {
        size_t last = end - 1;
        while (last > start && ((unsigned char)text[last] & 0xc0) == 0x80) last--;
        if (!utf8_next(text + last, end - last, &c) || !is_white_space(c)) break;
        end = last;
    }
    buffer_append(out, text + start, end - start);
}

void step_replace(const struct step *step, const char *text, size_t length, struct buffer *out)
{
    for (size_t at = 0; at < length && !out->failed;) {
        const char *found = step->from_length == 1 ? memchr(text + at, step->from[0], length - at)
                                                   : memmem(text + at, length - at, step->from, step->from_length);
        size_t plain = found ? (size_t)(found - text) : length;
        buffer_append(out, text + at, plain - at);
        if (!found) return;
        buffer_append(out, step->to, step->to_length);
        at = plain + step->from_length;
    }
}

bool steps_normalize(const struct step_list *steps, bool prepend, const char *text, size_t length, struct buffer *out)
{
    struct buffer before = {.ceiling = out->ceiling};
    bool good = true;
    buffer_clear(out);
    buffer_append(out, text, length);
    for (size_t i = 0; i < steps->length && good && !out->failed; i++) {
        const struct step *step = &steps->steps[i];
        if (step->kind == STEP_PREPEND && (!prepend || out->length == 0)) continue;
        struct buffer swap = before;
        before = *out;
        *out = swap;
        buffer_clear(out);
        if (step->kind == STEP_PREPEND) {
            buffer_append(out, step->to, step->to_length);
            buffer_append(out, before.data, before.length);
        } else if (step->kind == STEP_NORMAL_FORM)
            good = normal_form(step, before.data, before.length, out);
        else if (step->kind == STEP_STRIP_ENDS)
            strip_ends(step, before.data, before.length, out);
        else
            step_replace(step, before.data, before.length, out);
        buffer_append(out, "", 0);
    }
    buffer_free(&before);
    return good && !out->failed;
}
