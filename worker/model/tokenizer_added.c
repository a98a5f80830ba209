/* tokenizer_added.c: finds added tokens in a text: the leftmost, and of those the longest, with their rules about words and
 * white space around them. */
#include "worker/model/tokenizer_inner.h"

#include "worker/base/json.h"

#include <string.h>

/* First and last code points of what the library's regular expressions call \w; made by make_tokenizer.py. */
static const uint32_t word_ranges[][2] = {
#include "worker/model/word_ranges.inc"
};

static bool is_word(uint32_t c)
{
    size_t low = 0, high = ARRAY_LENGTH(word_ranges);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > word_ranges[middle][1])
            low = middle + 1;
        else if (c < word_ranges[middle][0])
            high = middle;
        else
            return true;
    }
    return false;
}

bool is_white_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool trie_add(struct trie *trie, const char *text, size_t length, int32_t id, bool *taken)
{
    if (trie->length + length + 1 > trie->capacity) {
        size_t n = 2 * (trie->length + length + 1);
        struct trie_node *nodes = mem_resize(trie->nodes, n, sizeof(*nodes));
        if (!nodes) return false;
        trie->nodes = nodes;
        trie->capacity = n;
    }
    if (trie->length == 0) trie->nodes[trie->length++] = (struct trie_node){.id = -1};
    uint32_t at = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        uint32_t child = trie->nodes[at].child;
        while (child && trie->nodes[child].byte != byte) child = trie->nodes[child].sibling;
        if (!child) {
            child = (uint32_t)trie->length++;
            trie->nodes[child] = (struct trie_node){.sibling = trie->nodes[at].child, .id = -1, .byte = byte};
            trie->nodes[at].child = child;
        }
        at = child;
    }
    *taken = trie->nodes[at].id >= 0;
    if (!*taken) trie->nodes[at].id = id;
    return true;
}

/* The longest token that begins here; its length, 0 if there is none. */
static size_t longest(const struct trie *trie, const char *text, size_t length, int32_t *id)
{
    size_t best = 0;
    uint32_t at = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t child = trie->nodes[at].child;
        while (child && trie->nodes[child].byte != (unsigned char)text[i]) child = trie->nodes[child].sibling;
        if (!child) break;
        at = child;
        if (trie->nodes[at].id < 0) continue;
        best = i + 1;
        *id = trie->nodes[at].id;
    }
    return best;
}

/* White space in any writing says nothing: such a token is no danger in a document, and its model has learned documents with it. */
static bool is_blank(const struct token *token, const char *text, size_t length)
{
    uint32_t c = 0;
    if (token->flags & TOKEN_SPECIAL) return false;
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_next(text + at, length - at, &c);
        if (n == 0 || (!is_white_space(c) && c != 0x2581)) return false;
    }
    return true;
}

bool added_list(struct tokenizer *t, const char *text, size_t length, int32_t id, bool *taken)
{
    const struct token *token = &t->tokens[id];
    bool normalized = token->flags & TOKEN_NORMALIZED, ignored;
    if (!trie_add(normalized ? &t->normalized : &t->raw, text, length, id, taken)) return false;
    if (*taken || !is_blank(token, text, length)) return true;
    return trie_add(normalized ? &t->normalized_blank : &t->raw_blank, text, length, id, &ignored);
}

/* The character that ends at `end`; the text is valid. */
static size_t character_before(const char *text, size_t end, uint32_t *code_point)
{
    size_t start = end - 1;
    while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80) start--;
    utf8_next(text + start, end - start, code_point);
    return end - start;
}

static bool stands_alone(const char *text, size_t length, size_t start, size_t end)
{
    uint32_t c = 0;
    if (start > 0 && character_before(text, start, &c) && is_word(c)) return false;
    return end == length || !utf8_next(text + end, length - end, &c) || !is_word(c);
}

static bool add_piece(struct piece_list *out, size_t start, size_t end, int32_t id)
{
    if (out->length == out->capacity) {
        size_t n = out->capacity ? 2 * out->capacity : 16;
        struct piece *pieces = mem_resize(out->pieces, n, sizeof(*pieces));
        if (!pieces) return false;
        out->pieces = pieces;
        out->capacity = n;
    }
    out->pieces[out->length++] = (struct piece){start, end, id};
    return true;
}

bool added_split(const struct tokenizer *t, const struct trie *trie, const char *text, size_t length,
                 struct piece_list *out)
{
    size_t done = 0; /* up to here the text is in pieces */
    for (size_t at = 0, n; at < length; at += n) {
        int32_t id = -1;
        n = longest(trie, text + at, length - at, &id);
        if (n == 0) {
            n = 1;
            continue;
        }
        size_t start = at, end = at + n;
        uint32_t flags = t->tokens[id].flags, c = 0;
        if ((flags & TOKEN_SINGLE_WORD) && !stands_alone(text, length, start, end)) continue;
        if (flags & TOKEN_LSTRIP) {
            while (start > 0) {
                size_t before = character_before(text, start, &c);
                if (!is_white_space(c)) break;
                start -= before;
            }
            if (start < done) start = done;
        }
        if (flags & TOKEN_RSTRIP)
            for (size_t next; end < length && (next = utf8_next(text + end, length - end, &c)) && is_white_space(c);)
                end += next;
        if (done < start && !add_piece(out, done, start, -1)) return false;
        if (!add_piece(out, start, end, id)) return false;
        done = end; /* as the library does, also when white space was taken that another token begins with */
    }
    return done == length || add_piece(out, done, length, -1);
}
