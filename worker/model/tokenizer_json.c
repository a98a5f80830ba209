/* tokenizer_json.c: vocabulary, merges and added tokens out of tokenizer.json. Whatever would let two readers of the file
 * disagree is refused with its place. */
#include "worker/base/hash.h"
#include "worker/base/json.h"
#include "worker/model/tokenizer_inner.h"

#include <string.h>

#define SHOWN(span) (span).length > 60 ? 60 : (int)(span).length, (span).text

static size_t power_of_two(size_t at_least)
{
    size_t n = 16;
    while (n < at_least) n *= 2;
    return n;
}

static bool read_flag(struct json_span object, const char *key, bool *out)
{
    struct json_span value;
    if (!json_span_find(object, key, &value)) return false;
    struct json_cursor c = json_cursor_of(value.text, value.length);
    return json_cursor_bool(&c, out);
}

/* Absent and null are `fallback`. */
static enum status read_option(struct json_span model, const char *key, bool *out, struct error *err)
{
    struct json_span value;
    if (!json_span_find(model, key, &value) || value.text[0] == 'n') return DOCKET_OK;
    if (!read_flag(model, key, out))
        return tokenizer_refuse(err, "$.model.%s: want true or false, got %.*s", key, SHOWN(value));
    return DOCKET_OK;
}

/* Model settings that would change what comes out. */
static enum status check_model(struct json_span model, struct error *err)
{
    static const char *const empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    struct json_span value;
    if (model.length == 0 || model.text[0] != '{') return tokenizer_refuse(err, "$.model: want an object");
    if (json_span_find(model, "type", &value)) {
        struct json_cursor c = json_cursor_of(value.text, value.length);
        struct json_span type;
        if (!json_cursor_string(&c, &type) || !json_span_is(type, "BPE"))
            return tokenizer_refuse(err, "$.model.type: %.*s is not followed, only \"BPE\"", SHOWN(value));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(empty); i++)
        if (json_span_find(model, empty[i], &value) && value.text[0] != 'n' && value.length != 2)
            return tokenizer_refuse(err, "$.model.%s: %.*s is not followed, only null", empty[i], SHOWN(value));
    if (json_span_find(model, "dropout", &value) && value.text[0] != 'n') {
        for (size_t i = 0; i < value.length; i++)
            if (value.text[i] != '0' && value.text[i] != '.')
                return tokenizer_refuse(err, "$.model.dropout: %.*s is not followed, only null", SHOWN(value));
    }
    return DOCKET_OK;
}

static void list_token(struct tokenizer *t, int32_t id)
{
    const struct token *token = &t->tokens[id];
    size_t at = hash_bytes(t->text.data + token->offset, token->length, 0) & (t->n_buckets - 1);
    while (t->buckets[at]) at = (at + 1) & (t->n_buckets - 1);
    t->buckets[at] = (uint32_t)id + 1;
}

static bool list_character(struct tokenizer *t, int32_t id)
{
    uint32_t code_point;
    const char *text = token_text(t, id);
    if (utf8_next(text, t->tokens[id].length, &code_point) != t->tokens[id].length) return true;
    int32_t **page = &t->characters[code_point >> 8];
    if (!*page) {
        *page = mem_alloc(256 * sizeof(**page));
        if (!*page) return false;
        memset(*page, 0xff, 256 * sizeof(**page)); /* -1 */
    }
    (*page)[code_point & 0xff] = id;
    return true;
}

bool tokenizer_list(struct tokenizer *t, int32_t id)
{
    list_token(t, id);
    return list_character(t, id);
}

enum status tokenizer_reserve(struct tokenizer *t, size_t n, size_t n_more, size_t bytes, struct error *err)
{
    t->n_model = t->n_tokens = n;
    t->n_buckets = power_of_two(2 * (n + n_more));
    t->tokens = mem_zalloc(n, sizeof(*t->tokens));
    t->buckets = mem_zalloc(t->n_buckets, sizeof(*t->buckets));
    return t->tokens && t->buckets && buffer_reserve(&t->text, bytes) ? DOCKET_OK : tokenizer_no_memory(err);
}

/* Text of a token into the arena; its place is free for sure (reserved). */
static void place_text(struct tokenizer *t, struct token *token, struct json_span escaped)
{
    token->offset = token->shown = t->text.length;
    token->length = token->shown_length = (uint32_t)json_unescape(escaped, t->text.data + t->text.length);
    t->text.length += token->length + 1;
    t->text.data[t->text.length - 1] = '\0';
}

static enum status count_vocabulary(struct json_span vocab, size_t *n, size_t *bytes, struct error *err)
{
    struct json_cursor c = json_cursor_of(vocab.text, vocab.length);
    struct json_span key;
    json_cursor_enter(&c);
    while (json_cursor_member(&c, &key)) {
        json_cursor_skip(&c);
        *n += 1;
        *bytes += key.length + 1;
        if (*n > TOKENIZER_MAX_TOKENS)
            return tokenizer_refuse(err, "$.model.vocab: more than %u tokens", TOKENIZER_MAX_TOKENS);
        if (key.length == 0) return tokenizer_refuse(err, "$.model.vocab: an empty token");
    }
    return *n > 0 ? DOCKET_OK : tokenizer_refuse(err, "$.model.vocab: no tokens");
}

static enum status fill_vocabulary(struct tokenizer *t, struct json_span vocab, struct error *err)
{
    struct json_cursor c = json_cursor_of(vocab.text, vocab.length);
    struct json_span key;
    json_cursor_enter(&c);
    while (json_cursor_member(&c, &key)) {
        uint64_t id;
        if (!json_cursor_integer(&c, &id)) {
            struct json_span found = json_cursor_skip(&c);
            return tokenizer_refuse(err, "$.model.vocab: token \"%.*s\": want a whole number from 0, got %.*s",
                                    SHOWN(key), SHOWN(found));
        }
        if (id >= t->n_model)
            return tokenizer_refuse(err, "$.model.vocab: token \"%.*s\" has id %llu of only %zu, or ids have gaps",
                                    SHOWN(key), (unsigned long long)id, t->n_model);
        if (t->tokens[id].length > 0)
            return tokenizer_refuse(err, "$.model.vocab: tokens \"%.60s\" and \"%.*s\" share id %llu",
                                    token_text(t, (int32_t)id), SHOWN(key), (unsigned long long)id);
        place_text(t, &t->tokens[id], key);
        if (!tokenizer_list(t, (int32_t)id)) return tokenizer_no_memory(err);
    }
    return DOCKET_OK;
}

enum status tokenizer_find_bytes(struct tokenizer *t, struct error *err)
{
    static const char hex[] = "0123456789ABCDEF";
    for (int i = 0; i < 256; i++) {
        char name[] = {'<', '0', 'x', hex[i >> 4], hex[i & 15], '>'};
        t->byte_ids[i] = tokenizer_find(t, name, sizeof(name));
        if (t->byte_fallback && t->byte_ids[i] < 0)
            return tokenizer_refuse(err, "$.model.vocab: %.6s is missing, byte_fallback needs all 256", name);
    }
    return DOCKET_OK;
}

static enum status find_unknown(struct tokenizer *t, struct json_span model, struct error *err)
{
    struct json_span value, name;
    if (!json_span_find(model, "unk_token", &value) || value.text[0] == 'n') return DOCKET_OK;
    struct json_cursor c = json_cursor_of(value.text, value.length);
    if (!json_cursor_string(&c, &name))
        return tokenizer_refuse(err, "$.model.unk_token: want a string, got %.*s", SHOWN(value));
    char *text = mem_alloc(name.length + 1);
    if (!text) return tokenizer_no_memory(err);
    t->unk_id = tokenizer_find(t, text, json_unescape(name, text));
    mem_free(text);
    if (t->unk_id < 0)
        return tokenizer_refuse(err, "$.model.unk_token: \"%.*s\" is not in the vocabulary", SHOWN(name));
    return DOCKET_OK;
}

enum status tokenizer_read_vocabulary(struct tokenizer *t, struct json_span model, size_t n_added, struct error *err)
{
    struct json_span vocab;
    size_t bytes = 0;
    enum status st = check_model(model, err);
    if (st == DOCKET_OK) st = read_option(model, "byte_fallback", &t->byte_fallback, err);
    if (st == DOCKET_OK) st = read_option(model, "fuse_unk", &t->fuse_unk, err);
    if (st == DOCKET_OK) st = read_option(model, "ignore_merges", &t->ignore_merges, err);
    if (st != DOCKET_OK) return st;
    if (!json_span_find(model, "vocab", &vocab) || vocab.text[0] != '{')
        return tokenizer_refuse(err, "$.model.vocab: want an object");
    size_t n = 0;
    if ((st = count_vocabulary(vocab, &n, &bytes, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_reserve(t, n, n_added, bytes, err)) != DOCKET_OK) return st;
    if ((st = fill_vocabulary(t, vocab, err)) != DOCKET_OK) return st;
    if ((st = tokenizer_find_bytes(t, err)) != DOCKET_OK) return st;
    return find_unknown(t, model, err);
}

/* One merge: "left right" or ["left", "right"], unescaped into `text`. */
static enum status read_pair(struct json_cursor *c, size_t index, struct buffer *text, size_t *n_left, bool *skip,
                             struct error *err)
{
    struct json_cursor start = *c;
    struct json_span whole, part[2];
    *skip = false;
    buffer_clear(text);
    if (json_cursor_string(c, &whole)) {
        if (!buffer_reserve(text, whole.length)) return tokenizer_no_memory(err);
        text->length = json_unescape(whole, text->data);
        text->data[text->length] = '\0';
        const char *space = memchr(text->data, ' ', text->length);
        size_t left = space ? (size_t)(space - text->data) : 0;
        if (text->length >= 8 && memcmp(text->data, "#version", 8) == 0) { /* a line that old files carry along */
            *skip = true;
            return DOCKET_OK;
        }
        if (!space || left == 0 || left + 1 == text->length || memchr(space + 1, ' ', text->length - left - 1))
            return tokenizer_refuse(err, "$.model.merges[%zu]: want two tokens with one space between, got \"%.*s\"",
                                    index, SHOWN(whole));
        memmove(text->data + left, space + 1, text->length - left); /* with the final NUL */
        text->length--;
        *n_left = left;
        return DOCKET_OK;
    }
    size_t n = 0;
    bool good = json_cursor_kind(c) == JSON_ARRAY && json_cursor_enter(c);
    while (good && json_cursor_element(c)) good = n < 2 && json_cursor_string(c, &part[n++]);
    if (!good || n != 2) {
        whole = json_cursor_skip(&start);
        return tokenizer_refuse(err, "$.model.merges[%zu]: want two tokens, got %.*s", index, SHOWN(whole));
    }
    if (!buffer_reserve(text, part[0].length + part[1].length)) return tokenizer_no_memory(err);
    *n_left = json_unescape(part[0], text->data);
    text->length = *n_left + json_unescape(part[1], text->data + *n_left);
    return DOCKET_OK;
}

static enum status add_merge(struct tokenizer *t, const struct buffer *text, size_t n_left, size_t index, uint32_t rank,
                             struct error *err)
{
    size_t n_right = text->length - n_left;
    int32_t left = tokenizer_find(t, text->data, n_left);
    int32_t right = tokenizer_find(t, text->data + n_left, n_right);
    int32_t joined = tokenizer_find(t, text->data, text->length);
    const struct {
        int32_t id;
        const char *text;
        size_t length;
    } parts[] = {{left, text->data, n_left}, {right, text->data + n_left, n_right}, {joined, text->data, text->length}};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (parts[i].id < 0 || (size_t)parts[i].id >= t->n_model)
            return tokenizer_refuse(err, "$.model.merges[%zu]: \"%.*s\" is not in the vocabulary", index,
                                    parts[i].length > 60 ? 60 : (int)parts[i].length, parts[i].text);
    if (t->tokens[joined].flags & TOKEN_SPECIAL) rank |= MERGE_SPECIAL;
    /* of equal merges the last counts */
    struct merge *bucket = bpe_merge_bucket(t, left, right);
    if (bucket->pair == MERGE_FREE) t->n_merges++;
    *bucket = (struct merge){.pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, .rank = rank, .id = joined};
    return DOCKET_OK;
}

enum status tokenizer_read_merges(struct tokenizer *t, struct json_span model, struct error *err)
{
    struct json_span list;
    struct buffer text = {0};
    size_t n = 0, index = 0;
    uint32_t rank = 0;
    enum status st = DOCKET_OK;
    if (!json_span_find(model, "merges", &list) || list.text[0] != '[')
        return tokenizer_refuse(err, "$.model.merges: want an array");
    struct json_cursor c = json_cursor_of(list.text, list.length);
    for (json_cursor_enter(&c); json_cursor_element(&c); json_cursor_skip(&c)) n++;
    if (n > TOKENIZER_MAX_MERGES)
        return tokenizer_refuse(err, "$.model.merges: %zu merges, at most %u are read", n, TOKENIZER_MAX_MERGES);
    if ((st = bpe_reserve_merges(t, n, err)) != DOCKET_OK) return st;
    c = json_cursor_of(list.text, list.length);
    for (json_cursor_enter(&c); st == DOCKET_OK && json_cursor_element(&c); index++) {
        size_t n_left = 0;
        bool skip;
        st = read_pair(&c, index, &text, &n_left, &skip, err);
        if (st == DOCKET_OK && !skip) st = add_merge(t, &text, n_left, index, rank++, err);
    }
    buffer_free(&text);
    return st;
}

/* One entry of added_tokens; its id must be the one that the library would give it. */
static enum status read_added(struct tokenizer *t, struct json_span entry, size_t index, struct error *err)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } flags[] = {{"special", TOKEN_SPECIAL},
                 {"single_word", TOKEN_SINGLE_WORD},
                 {"lstrip", TOKEN_LSTRIP},
                 {"rstrip", TOKEN_RSTRIP},
                 {"normalized", TOKEN_NORMALIZED}};
    struct json_span value, content;
    uint64_t said;
    uint32_t bits = TOKEN_ADDED;
    if (!json_span_find(entry, "content", &value))
        return tokenizer_refuse(err, "$.added_tokens[%zu].content: missing", index);
    struct json_cursor c = json_cursor_of(value.text, value.length);
    if (!json_cursor_string(&c, &content) || content.length == 0 || content.length > TOKENIZER_MAX_CONTENT)
        return tokenizer_refuse(err, "$.added_tokens[%zu].content: want 1 to %u bytes of text, got %.*s", index,
                                TOKENIZER_MAX_CONTENT, SHOWN(value));
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        bool set;
        if (!read_flag(entry, flags[i].key, &set))
            return tokenizer_refuse(err, "$.added_tokens[%zu].%s: want true or false", index, flags[i].key);
        if (set) bits |= flags[i].flag;
    }
    if (!json_span_find(entry, "id", &value)) return tokenizer_refuse(err, "$.added_tokens[%zu].id: missing", index);
    c = json_cursor_of(value.text, value.length);
    if (!json_cursor_integer(&c, &said)) said = UINT64_MAX;
    char text[TOKENIZER_MAX_CONTENT];
    size_t length = json_unescape(content, text);
    int32_t id = tokenizer_find(t, text, length);
    bool fresh = id < 0;
    if (fresh) id = (int32_t)t->n_tokens;
    if (said != (uint64_t)id)
        return tokenizer_refuse(err, "$.added_tokens[%zu].id: \"%.*s\" has id %.*s, want %d", index, SHOWN(content),
                                SHOWN(value), id);
    if (fresh) { /* `tokens` and `text` are reserved for all of them */
        place_text(t, &t->tokens[id], content);
        list_token(t, id);
        t->n_tokens++;
    } else if (t->tokens[id].flags & TOKEN_ADDED)
        return tokenizer_refuse(err, "$.added_tokens[%zu]: \"%.*s\" stands there twice", index, SHOWN(content));
    t->tokens[id].flags = bits;
    return DOCKET_OK;
}

/* Into the trie by which it is matched: its own text, or what the normalizer makes of it, which is also what it is decoded to. */
static enum status list_added(struct tokenizer *t, int32_t id, struct error *err)
{
    struct token *token = &t->tokens[id];
    bool taken = false, good;
    if (!(token->flags & TOKEN_NORMALIZED))
        return added_list(t, token_text(t, id), token->length, id, &taken) ? DOCKET_OK : tokenizer_no_memory(err);
    struct buffer text = {0};
    enum status st = DOCKET_OK;
    good = steps_normalize(&t->normalizer, true, token_text(t, id), token->length, &text);
    if (good && text.length > 0) {
        token->shown = t->text.length;
        token->shown_length = (uint32_t)text.length;
        good = buffer_append(&t->text, text.data, text.length) && added_list(t, text.data, text.length, id, &taken);
    }
    if (good && (taken || text.length == 0)) /* the library then takes any of the two */
        st = tokenizer_refuse(err, "$.added_tokens: the normalizer makes of \"%.60s\" %s", token_text(t, id),
                              taken ? "the text of another added token" : "nothing");
    buffer_free(&text);
    return good ? st : tokenizer_no_memory(err);
}

enum status tokenizer_count_added(struct json_span added, size_t *n, struct error *err)
{
    *n = 0;
    if (added.length == 0) return DOCKET_OK;
    if (added.text[0] != '[') return tokenizer_refuse(err, "$.added_tokens: want an array");
    struct json_cursor c = json_cursor_of(added.text, added.length);
    for (json_cursor_enter(&c); json_cursor_element(&c); json_cursor_skip(&c)) *n += 1;
    if (*n <= TOKENIZER_MAX_ADDED) return DOCKET_OK;
    return tokenizer_refuse(err, "$.added_tokens: %zu tokens, at most %u are read", *n, TOKENIZER_MAX_ADDED);
}

enum status tokenizer_read_added(struct tokenizer *t, struct json_span added, size_t n, struct error *err)
{
    enum status st = DOCKET_OK;
    size_t index = 0;
    if (n == 0) return DOCKET_OK;
    struct token *tokens = mem_resize(t->tokens, t->n_tokens + n, sizeof(*tokens));
    if (!tokens) return tokenizer_no_memory(err);
    memset(tokens + t->n_tokens, 0, n * sizeof(*tokens));
    t->tokens = tokens;
    if (!buffer_reserve(&t->text, added.length)) return tokenizer_no_memory(err);
    struct json_cursor c = json_cursor_of(added.text, added.length);
    for (json_cursor_enter(&c); st == DOCKET_OK && json_cursor_element(&c);)
        st = read_added(t, json_cursor_skip(&c), index++, err);
    for (size_t id = 0; id < t->n_tokens && st == DOCKET_OK; id++)
        if (t->tokens[id].flags & TOKEN_ADDED) st = list_added(t, (int32_t)id, err);
    return st;
}
