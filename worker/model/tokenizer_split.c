/* tokenizer_split.c: cuts a text into the pieces inside which merges happen, and writes bytes as the characters of byte-level
 * vocabularies. */
#include "worker/model/tokenizer_inner.h"

#include <string.h>

#define STACK_START    (32 * KIB)
#define STACK_END      (4 * MIB)
#define MATCH_STEPS    20000000u /* of one match: the patterns in use take a few for every character */
#define MATCH_HEAP_KIB 65536u

uint32_t byte_level_character(unsigned char byte)
{
    /* printable bytes stand for themselves, the others follow from U+0100 on */
    if ((byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    if (byte <= 0xa0) return 0x121u + (byte - 0x7fu);
    return 0x143u;
}

int byte_level_byte(uint32_t c)
{
    if (c < 0x100) return byte_level_character((unsigned char)c) == c ? (int)c : -1;
    if (c <= 0x120) return (int)(c - 0x100);
    if (c <= 0x142) return (int)(c - 0x121 + 0x7f);
    return c == 0x143 ? 0xad : -1;
}

void splits_free(struct tokenizer *t)
{
    for (size_t i = 0; i < t->n_splits; i++) {
        mem_free(t->splits[i].text);
        pcre2_code_free(t->splits[i].pattern);
    }
    t->n_splits = 0;
    pcre2_general_context_free(t->memory);
    t->memory = NULL;
}

void split_work_free(struct split_work *w)
{
    pcre2_match_data_free(w->match);
    pcre2_match_context_free(w->context);
    pcre2_jit_stack_free(w->stack);
    buffer_free(&w->subject);
    buffer_free(&w->spaced);
    buffer_free(&w->spaced_subject);
    buffer_free(&w->mapped);
    *w = (struct split_work){0};
}

struct splitting {
    const struct tokenizer *t;
    struct split_work *w;
    const char *unspaced; /* the piece that begins here gets no space in front */
    split_sink *sink;
    void *context;
};

/* The same bytes as they are and as patterns see them. */
struct view {
    const char *text, *subject;
    size_t length;
};

static bool open_work(const struct tokenizer *t, struct split_work *w)
{
    if (w->match || !t->memory) return true;
    w->match = pcre2_match_data_create(1, t->memory);
    w->context = w->match ? pcre2_match_context_create(t->memory) : NULL;
    w->stack = w->context ? pcre2_jit_stack_create(STACK_START, STACK_END, t->memory) : NULL;
    if (!w->stack) return false;
    pcre2_set_match_limit(w->context, MATCH_STEPS);
    pcre2_set_heap_limit(w->context, MATCH_HEAP_KIB);
    pcre2_jit_stack_assign(w->context, NULL, w->stack);
    return true;
}

/* The next match from `at` on; false at the end, or when there was none for a bad reason (*failed). */
static bool next_match(const struct split *split, struct split_work *w, const struct view *v, size_t at, size_t *start,
                       size_t *end, bool *failed)
{
    if (!split->pattern) {
        const char *found = memmem(v->text + at, v->length - at, split->text, split->text_length);
        if (!found) return false;
        *start = (size_t)(found - v->text);
        *end = *start + split->text_length;
        return true;
    }
    int n =
        pcre2_match(split->pattern, (PCRE2_SPTR)v->subject, v->length, at, PCRE2_NO_UTF_CHECK, w->match, w->context);
    if (n >= 0) { /* 0: the pattern has groups, and there is room for the whole match only */
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(w->match);
        *start = ends[0];
        *end = ends[1];
        if (*end > *start) return true; /* a pattern that can match nothing was refused */
    }
    if (n == PCRE2_ERROR_NOMATCH) return false;
    *failed = true;
    if (n != PCRE2_ERROR_NOMEMORY) {
        w->exhausted = true;
        pcre2_get_error_message(n, (PCRE2_UCHAR *)w->message, sizeof(w->message));
    }
    return false;
}

static bool run_split(struct splitting *s, size_t level, const struct view *v);

/* Holds one piece back until it is clear whether the next belongs to it. */
struct pending {
    size_t start, end;
    bool match, any;
};

static bool emit(struct splitting *s, size_t level, const struct view *v, size_t start, size_t end)
{
    const struct view piece = {v->text + start, v->subject + start, end - start};
    return start == end || run_split(s, level + 1, &piece);
}

static bool take_piece(struct splitting *s, size_t level, const struct view *v, struct pending *p, size_t start,
                       size_t end, bool match)
{
    const struct split *split = &s->t->splits[level];
    bool join = false;
    if (split->invert) match = !match;
    switch (split->behavior) {
    case SPLIT_REMOVED:
        return match || emit(s, level, v, start, end);
    case SPLIT_ISOLATED:
        return emit(s, level, v, start, end);
    case SPLIT_WITH_PREVIOUS:
        join = match && !p->match;
        break;
    case SPLIT_WITH_NEXT:
        join = p->match && !match;
        break;
    case SPLIT_CONTIGUOUS:
        join = p->match == match;
        break;
    }
    if (p->any && join)
        p->end = end;
    else {
        if (p->any && !emit(s, level, v, p->start, p->end)) return false;
        p->start = start;
        p->end = end;
        p->any = true;
    }
    p->match = match;
    return true;
}

/* A match that was joined in front of ordinary text does not join what follows it, and the other way round. */
static bool cut(struct splitting *s, size_t level, const struct view *v)
{
    struct pending p = {0};
    bool failed = false;
    for (size_t at = 0, start, end; at < v->length; at = end) {
        bool found = next_match(&s->t->splits[level], s->w, v, at, &start, &end, &failed);
        if (failed) return false;
        if (!found) start = end = v->length;
        if (at < start && !take_piece(s, level, v, &p, at, start, false)) return false;
        if (found && !take_piece(s, level, v, &p, start, end, true)) return false;
    }
    return !p.any || emit(s, level, v, p.start, p.end);
}

static bool put_space(struct splitting *s, struct view *v)
{
    struct split_work *w = s->w;
    if (!s->t->space_in_front || v->text == s->unspaced || v->text[0] == ' ') return true;
    buffer_clear(&w->spaced);
    buffer_append(&w->spaced, " ", 1);
    if (!buffer_append(&w->spaced, v->text, v->length)) return false;
    buffer_clear(&w->spaced_subject);
    buffer_append(&w->spaced_subject, " ", 1);
    if (!buffer_append(&w->spaced_subject, v->subject, v->length)) return false;
    *v = (struct view){w->spaced.data, w->spaced_subject.data, v->length + 1};
    return true;
}

static bool give(struct splitting *s, const struct view *v)
{
    struct buffer *b = &s->w->mapped;
    if (!s->t->byte_level) return s->sink(s->context, v->text, v->length);
    buffer_clear(b);
    if (!buffer_reserve(b, 2 * v->length)) return false;
    size_t n = 0;
    for (size_t i = 0; i < v->length; i++) {
        uint32_t c = byte_level_character((unsigned char)v->text[i]);
        if (c >= 0x80) {
            b->data[n++] = (char)(0xc0 | c >> 6);
            b->data[n++] = (char)(0x80 | (c & 63));
        } else
            b->data[n++] = (char)c;
    }
    return s->sink(s->context, b->data, n);
}

static bool run_split(struct splitting *s, size_t level, const struct view *v)
{
    struct view spaced = *v;
    if (level == s->t->n_splits_first) {
        if (!put_space(s, &spaced)) return false;
        v = &spaced;
    }
    return level == s->t->n_splits ? give(s, v) : cut(s, level, v);
}

bool split_text(const struct tokenizer *t, struct split_work *w, const char *text, size_t length, bool spaced,
                split_sink *sink, void *context)
{
    struct splitting s = {t, w, spaced ? NULL : text, sink, context};
    struct view v = {text, text, length};
    bool failed = false;
    if (length == 0) return true;
    if (!open_work(t, w)) return false;
    const char *subject = t->memory ? pattern_subject(&w->subject, text, length, &failed) : NULL;
    if (failed) return false;
    if (subject) v.subject = subject;
    return run_split(&s, 0, &v);
}
