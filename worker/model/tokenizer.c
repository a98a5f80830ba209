/* tokenizer.c: puts a tokenizer together from tokenizer.json and takes a text through its stages: added tokens, normalizer,
 * pre-tokenizer, merges, post-processor. */
#include "worker/model/tokenizer.h"

#include "worker/base/hash.h"
#include "worker/base/json.h"
#include "worker/model/tokenizer_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool token_list_append(struct token_list *list, int32_t id)
{
    return token_list_append_all(list, &id, 1);
}

bool token_list_append_all(struct token_list *list, const int32_t *ids, size_t n)
{
    size_t need;
    if (n == 0) return true;
    if (!size_add(list->length, n, &need)) return false;
    if (need > list->capacity) {
        size_t capacity = list->capacity ? list->capacity : 64;
        while (capacity < need)
            if (!size_mul(capacity, 2, &capacity)) return false;
        int32_t *grown = mem_resize(list->ids, capacity, sizeof(*grown));
        if (!grown) return false;
        list->ids = grown;
        list->capacity = capacity;
    }
    memcpy(list->ids + list->length, ids, n * sizeof(*ids));
    list->length = need;
    return true;
}

void token_list_free(struct token_list *list)
{
    mem_free(list->ids);
    *list = (struct token_list){0};
}

enum status tokenizer_no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the tokenizer");
}

enum status tokenizer_refuse(struct error *err, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "tokenizer.json: %s", what);
}

int32_t tokenizer_find(const struct tokenizer *t, const char *text, size_t length)
{
    size_t at = hash_bytes(text, length, 0) & (t->n_buckets - 1);
    for (uint32_t found; (found = t->buckets[at]) != 0; at = (at + 1) & (t->n_buckets - 1)) {
        const struct token *token = &t->tokens[found - 1];
        if (token->length == length && memcmp(t->text.data + token->offset, text, length) == 0)
            return (int32_t)found - 1;
    }
    return -1;
}

/* The key must be there when `required`; null counts as absent. */
static enum status take_key(struct json_span root, const char *key, bool required, struct json_span *out,
                            struct error *err)
{
    *out = (struct json_span){0};
    if (json_span_find(root, key, out) && out->text[0] != 'n') return DOCKET_OK;
    *out = (struct json_span){0};
    return required ? tokenizer_refuse(err, "$.%s: missing", key) : DOCKET_OK;
}

static enum status read_file(struct tokenizer *t, struct json_span root, struct error *err)
{
    struct json_span model, added, normalizer, pre_tokenizer, post_processor, decoder;
    size_t n_added;
    enum status st;
    if (root.length == 0 || root.text[0] != '{') return tokenizer_refuse(err, "want a JSON object");
    if ((st = take_key(root, "model", true, &model, err)) != DOCKET_OK) return st;
    if ((st = take_key(root, "added_tokens", false, &added, err)) != DOCKET_OK) return st;
    if ((st = take_key(root, "normalizer", false, &normalizer, err)) != DOCKET_OK) return st;
    if ((st = take_key(root, "pre_tokenizer", false, &pre_tokenizer, err)) != DOCKET_OK) return st;
    if ((st = take_key(root, "post_processor", false, &post_processor, err)) != DOCKET_OK) return st;
    if ((st = take_key(root, "decoder", false, &decoder, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_count_added(added, &n_added, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_read_vocabulary(t, model, n_added, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_read_steps(t, normalizer, pre_tokenizer, post_processor, decoder, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_read_added(t, added, n_added, err)) != DOCKET_OK) return st;
    for (size_t i = 0; i < t->before.length + t->after.length; i++) {
        int32_t id = i < t->before.length ? t->before.ids[i] : t->after.ids[i - t->before.length];
        if (id < 0 || (size_t)id >= t->n_tokens)
            return tokenizer_refuse(err, "$.post_processor: token %d is not in the vocabulary", id);
    }
    if ((st = tokenizer_read_merges(t, model, err)) != DOCKET_OK) return st;
    return bpe_find_joints(t, err);
}

struct tokenizer *tokenizer_new(void)
{
    struct tokenizer *t = mem_zalloc(1, sizeof(*t));
    if (!t) return NULL;
    t->unk_id = t->begin_id = t->end_id = -1;
    t->hash_factor = hash_bytes("merges", 6, 0) | 1;
    return t;
}

enum status tokenizer_open(struct tokenizer **out, const char *json, size_t length, struct error *err)
{
    /* a merge is up to three values; the keys are those of the vocabulary */
    const struct json_limits limits = {.max_bytes = TOKENIZER_MAX_BYTES,
                                       .max_depth = 24,
                                       .max_values = 5 * (size_t)TOKENIZER_MAX_MERGES,
                                       .max_keys = TOKENIZER_MAX_TOKENS + 10000};
    enum status st = json_gate(json, length, &limits, err);
    if (st != DOCKET_OK) {
        if (err && st != DOCKET_NO_MEMORY) err->code = CODE_tokenizer_unsupported;
        error_prefix(err, "tokenizer.json");
        return st;
    }
    struct tokenizer *t = tokenizer_new();
    if (!t) return tokenizer_no_memory(err);
    struct json_cursor c = json_cursor_of(json, length);
    st = read_file(t, json_cursor_skip(&c), err);
    if (st == DOCKET_OK)
        *out = t;
    else
        tokenizer_close(t);
    return st;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t) return;
    for (size_t i = 0; i < CHARACTER_PAGES; i++) mem_free(t->characters[i]);
    mem_free(t->tokens);
    buffer_free(&t->text);
    mem_free(t->buckets);
    mem_free(t->merges);
    mem_free(t->joints);
    splits_free(t);
    step_list_free(&t->normalizer);
    step_list_free(&t->decoder);
    token_list_free(&t->before);
    token_list_free(&t->after);
    mem_free(t->raw.nodes);
    mem_free(t->normalized.nodes);
    mem_free(t->raw_blank.nodes);
    mem_free(t->normalized_blank.nodes);
    mem_free(t);
}

struct encoding {
    const struct tokenizer *t;
    unsigned flags;
    struct bpe_work work;
    struct split_work split;
    struct buffer normalized, marked; /* a segment after the normalizer, a piece after the pre-tokenizer */
    struct piece_list raw, pieces;
    struct token_list *out;
};

static bool encode_word(void *context, const char *text, size_t length)
{
    struct encoding *e = context;
    return bpe_encode(e->t, &e->work, text, length, e->flags & TOKENIZE_SPECIAL, e->out);
}

/* Spaces become marks, and every mark may begin a new piece. */
static bool encode_marked(struct encoding *e, const char *text, size_t length, bool first)
{
    const struct metaspace *m = &e->t->metaspace;
    const char *mark = m->replacement;
    size_t n = m->replacement_length;
    bool prepend = m->prepend == PREPEND_ALWAYS || (m->prepend == PREPEND_FIRST && first);
    if (first && (e->flags & TOKENIZE_CONTINUE)) prepend = false;
    if (text[0] == ' ' || (length >= n && memcmp(text, mark, n) == 0)) prepend = false;
    buffer_clear(&e->marked);
    if (prepend) buffer_append(&e->marked, mark, n);
    for (size_t at = 0, plain; at < length; at = plain + 1) {
        const char *space = memchr(text + at, ' ', length - at);
        plain = space ? (size_t)(space - text) : length;
        buffer_append(&e->marked, text + at, plain - at);
        if (space) buffer_append(&e->marked, mark, n);
    }
    if (e->marked.failed) return false;
    const char *p = e->marked.data, *end = p + e->marked.length;
    while (p < end) {
        const char *next = m->split && (size_t)(end - p) > n ? memmem(p + 1, (size_t)(end - p) - 1, mark, n) : NULL;
        if (!next) next = end;
        if (!encode_word(e, p, (size_t)(next - p))) return false;
        p = next;
    }
    return true;
}

/* A piece that holds no added token; `first`: it begins where the text begins. */
static bool encode_piece(struct encoding *e, const char *text, size_t length, bool first)
{
    if (length == 0) return true;
    if (e->t->metaspace.used) return encode_marked(e, text, length, first);
    bool spaced = !(first && (e->flags & TOKENIZE_CONTINUE));
    return split_text(e->t, &e->split, text, length, spaced, encode_word, e);
}

/* Between added tokens that are matched before the normalizer. */
static bool encode_segment(struct encoding *e, const char *text, size_t length, bool first)
{
    const struct tokenizer *t = e->t;
    if (t->normalizer.length > 0) {
        bool prepend = !(first && (e->flags & TOKENIZE_CONTINUE)) && (first || !t->whole_text_prepend);
        if (!steps_normalize(&t->normalizer, prepend, text, length, &e->normalized)) return false;
        text = e->normalized.data;
        length = e->normalized.length;
    }
    const struct trie *added = e->flags & TOKENIZE_SPECIAL ? &t->normalized : &t->normalized_blank;
    if (added->length == 0) return encode_piece(e, text, length, first);
    e->pieces.length = 0;
    if (!added_split(t, added, text, length, &e->pieces)) return false;
    for (size_t i = 0; i < e->pieces.length; i++) {
        const struct piece *p = &e->pieces.pieces[i];
        bool good = p->id >= 0 ? token_list_append(e->out, p->id)
                               : encode_piece(e, text + p->start, p->end - p->start, first && p->start == 0);
        if (!good) return false;
    }
    return true;
}

static bool encode_text(struct encoding *e, const char *text, size_t length)
{
    const struct tokenizer *t = e->t;
    bool first = !(e->flags & TOKENIZE_BEHIND);
    const struct trie *added = e->flags & TOKENIZE_SPECIAL ? &t->raw : &t->raw_blank;
    if (added->length == 0) return encode_segment(e, text, length, first);
    if (!added_split(t, added, text, length, &e->raw)) return false;
    for (size_t i = 0; i < e->raw.length; i++) {
        const struct piece *p = &e->raw.pieces[i];
        bool good = p->id >= 0 ? token_list_append(e->out, p->id)
                               : encode_segment(e, text + p->start, p->end - p->start, first && p->start == 0);
        if (!good) return false;
    }
    return true;
}

/* How many bytes of a broken character one U+FFFD stands for: as many as could have begun one (Unicode's advice, and what
 * Python does). */
static size_t broken_length(const char *text, size_t length)
{
    /* lead bytes, and the range of the byte behind them */
    static const struct {
        unsigned char from, to, length, low, high;
    } leads[] = {{0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
                 {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
                 {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f}};
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < ARRAY_LENGTH(leads); i++) {
        if (s[0] < leads[i].from || s[0] > leads[i].to) continue;
        if (length < 2 || s[1] < leads[i].low || s[1] > leads[i].high) return 1;
        size_t n = 2;
        while (n < leads[i].length && n < length && (s[n] & 0xc0) == 0x80) n++;
        return n;
    }
    return 1;
}

void tokenizer_replace_invalid(struct buffer *out, const char *text, size_t length)
{
    size_t start = 0, at = 0;
    while (at < length) {
        uint32_t code_point;
        size_t n = utf8_next(text + at, length - at, &code_point);
        if (n > 0) {
            at += n;
            continue;
        }
        buffer_append(out, text + start, at - start);
        buffer_append_str(out, "\xef\xbf\xbd");
        at += broken_length(text + at, length - at);
        start = at;
    }
    buffer_append(out, text + start, at - start);
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t length, unsigned flags,
                             struct token_list *out, struct error *err)
{
    struct buffer valid = {0};
    struct encoding e = {.t = t, .flags = flags, .out = out};
    size_t before = out->length;
    if (length > TOKENIZER_MAX_TEXT_BYTES)
        return fail(err, DOCKET_LIMIT, CODE_NONE, "a text of %zu bytes, at most %zu are tokenized", length,
                    (size_t)TOKENIZER_MAX_TEXT_BYTES);
    buffer_init(&e.normalized, 2 * (size_t)TOKENIZER_MAX_TEXT_BYTES);
    buffer_init(&e.marked, 4 * (size_t)TOKENIZER_MAX_TEXT_BYTES - 1);
    bool good = true;
    if (!utf8_valid(text, length, NULL)) {
        tokenizer_replace_invalid(&valid, text, length);
        good = !valid.failed;
        text = valid.data;
        length = valid.length;
    }
    bool wrap = flags & TOKENIZE_POST_PROCESS;
    if (good && wrap) good = token_list_append_all(out, t->before.ids, t->before.length);
    if (good) good = encode_text(&e, text, length);
    if (good && wrap) good = token_list_append_all(out, t->after.ids, t->after.length);
    bool over = e.normalized.over || e.marked.over;
    bool exhausted = e.split.exhausted;
    char reason[sizeof(e.split.message)];
    memcpy(reason, e.split.message, sizeof(reason));
    bpe_work_free(&e.work);
    split_work_free(&e.split);
    buffer_free(&valid);
    buffer_free(&e.normalized);
    buffer_free(&e.marked);
    mem_free(e.raw.pieces);
    mem_free(e.pieces.pieces);
    if (good) return DOCKET_OK;
    out->length = before;
    if (exhausted)
        return fail(err, DOCKET_LIMIT, CODE_NONE,
                    "a text of %zu bytes is too much for the tokenizer's split pattern: %s", length, reason);
    if (over) return fail(err, DOCKET_LIMIT, CODE_NONE, "a text of %zu bytes becomes too large to tokenize", length);
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to tokenize %zu bytes", length);
}

enum status tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buffer *out,
                             struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= t->n_tokens)
            return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "token %d is not in the vocabulary of %zu", ids[i],
                        t->n_tokens);
    return steps_decode(t, ids, n, out, err);
}

size_t tokenizer_vocab(const struct tokenizer *t)
{
    return t->n_tokens;
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token)
{
    return tokenizer_find(t, token, strlen(token));
}

const char *tokenizer_token(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens ? token_text(t, id) : NULL;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens && (t->tokens[id].flags & TOKEN_SPECIAL);
}

bool tokenizer_is_added(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens && (t->tokens[id].flags & TOKEN_ADDED);
}

void tokenizer_name_ends(struct tokenizer *t, int32_t begin, int32_t end)
{
    if (begin >= 0 && (size_t)begin < t->n_tokens) t->begin_id = begin;
    if (end >= 0 && (size_t)end < t->n_tokens) t->end_id = end;
}

int32_t tokenizer_begin(const struct tokenizer *t)
{
    return t->begin_id >= 0 ? t->begin_id : tokenizer_id(t, "<s>");
}

int32_t tokenizer_end(const struct tokenizer *t)
{
    return t->end_id >= 0 ? t->end_id : tokenizer_id(t, "</s>");
}
