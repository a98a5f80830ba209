/* tokenizer_model.c: a tokenizer out of SentencePiece's tokenizer.model, for models that come without tokenizer.json: BPE with
 * the identity normalizer. Reads the protocol buffer itself, strictly; what it cannot follow exactly is refused by name.
 * SentencePiece joins the pair whose joined piece has the best score, leftmost first: all pairs that join to one piece are a merge
 * of that piece's rank, and pieces of one score share a rank. */
#include "worker/model/tokenizer_inner.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK           "\xe2\x96\x81"
#define MAX_PIECE      512u
#define MAX_CHARACTERS 128u /* of a piece */

enum piece_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
enum wire { VARINT, FIXED64, BYTES, FIXED32 = 5 };

struct proto_piece {
    const unsigned char *text;
    size_t length;
    float score;
    uint64_t type;
    uint32_t rank;
};

struct proto {
    struct proto_piece *pieces;
    size_t n_pieces, n_bytes;
    uint64_t model_type, bos;
    size_t charsmap_bytes;
    bool byte_fallback, suffix, dummy_prefix, squeeze, escape;
};

/* One field of a message. */
struct field {
    uint64_t number, value; /* VARINT */
    enum wire wire;
    const unsigned char *bytes; /* BYTES and FIXED */
    size_t length;
};

static enum status refuse(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum status refuse(struct error *err, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fail(err, DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, "tokenizer.model: %s", what);
}

static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        if (shift == 63 && byte > 1) return false;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool read_field(const unsigned char **at, const unsigned char *end, struct field *out)
{
    uint64_t key, length;
    if (!read_varint(at, end, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) return false;
    *out = (struct field){.number = key >> 3, .wire = (enum wire)(key & 7)};
    if (out->wire == VARINT) return read_varint(at, end, &out->value);
    if (out->wire == BYTES) {
        if (!read_varint(at, end, &length)) return false;
    } else if (out->wire == FIXED32 || out->wire == FIXED64)
        length = out->wire == FIXED32 ? 4 : 8;
    else
        return false; /* groups: nobody writes them any more */
    if (length > (uint64_t)(end - *at)) return false;
    out->bytes = *at;
    out->length = (size_t)length;
    *at += length;
    return true;
}

static enum status damaged(const char *where, struct error *err)
{
    return refuse(err, "damaged: %s is cut short or no protocol buffer", where);
}

static enum status read_piece(struct proto_piece *piece, const struct field *message, size_t index, struct error *err)
{
    const unsigned char *at = message->bytes, *end = at + message->length;
    struct field f;
    *piece = (struct proto_piece){.type = NORMAL};
    while (at < end) {
        if (!read_field(&at, end, &f)) return damaged("a piece", err);
        if (f.number == 1 && f.wire == BYTES) {
            piece->text = f.bytes;
            piece->length = f.length;
        } else if (f.number == 2 && f.wire == FIXED32) {
            uint32_t bits = (uint32_t)f.bytes[0] | (uint32_t)f.bytes[1] << 8 | (uint32_t)f.bytes[2] << 16 |
                            (uint32_t)f.bytes[3] << 24;
            memcpy(&piece->score, &bits, sizeof(bits));
        } else if (f.number == 3 && f.wire == VARINT)
            piece->type = f.value;
        else if (f.number <= 3)
            return refuse(err, "piece %zu: field %llu has another type", index, (unsigned long long)f.number);
    }
    if (piece->length == 0 || piece->length > MAX_PIECE)
        return refuse(err, "piece %zu: %zu bytes of text, want 1 to %u", index, piece->length, MAX_PIECE);
    if (memchr(piece->text, 0, piece->length) || !utf8_valid((const char *)piece->text, piece->length, NULL))
        return refuse(err, "piece %zu: its text is no UTF-8", index);
    if (piece->type < NORMAL || piece->type > BYTE || piece->type == UNUSED)
        return refuse(err, "piece %zu: type %llu is not followed, only 1 to 4 and 6", index,
                      (unsigned long long)piece->type);
    if (isnan(piece->score)) return refuse(err, "piece %zu: its score is no number", index);
    return DOCKET_OK;
}

static enum status read_trainer(struct proto *p, const struct field *message, struct error *err)
{
    const unsigned char *at = message->bytes, *end = at + message->length;
    struct field f;
    while (at < end) {
        if (!read_field(&at, end, &f)) return damaged("the trainer's part", err);
        if (f.wire != VARINT) continue;
        if (f.number == 3) p->model_type = f.value;
        if (f.number == 24) p->suffix = f.value != 0;
        if (f.number == 35) p->byte_fallback = f.value != 0;
        if (f.number == 41) p->bos = f.value;
    }
    return DOCKET_OK;
}

static enum status read_normalizer(struct proto *p, const struct field *message, struct error *err)
{
    const unsigned char *at = message->bytes, *end = at + message->length;
    struct field f;
    while (at < end) {
        if (!read_field(&at, end, &f)) return damaged("the normalizer", err);
        if (f.number == 2 && f.wire == BYTES) p->charsmap_bytes = f.length;
        if (f.wire != VARINT) continue;
        if (f.number == 3) p->dummy_prefix = f.value != 0;
        if (f.number == 4) p->squeeze = f.value != 0;
        if (f.number == 5) p->escape = f.value != 0;
    }
    return DOCKET_OK;
}

static enum status read_proto(struct proto *p, const unsigned char *bytes, size_t length, struct error *err)
{
    const unsigned char *at = bytes, *end = bytes + length;
    struct field f;
    size_t n = 0;
    *p = (struct proto){.model_type = 1, .bos = 1, .dummy_prefix = true, .squeeze = true, .escape = true};
    while (at < end) {
        if (!read_field(&at, end, &f)) return damaged("the file", err);
        n += f.number == 1 && f.wire == BYTES;
    }
    if (n == 0) return refuse(err, "no pieces");
    if (n > TOKENIZER_MAX_TOKENS) return refuse(err, "%zu pieces, at most %u are read", n, TOKENIZER_MAX_TOKENS);
    p->pieces = mem_zalloc(n, sizeof(*p->pieces));
    if (!p->pieces) return tokenizer_no_memory(err);
    enum status st = DOCKET_OK;
    for (at = bytes; at < end && st == DOCKET_OK;) {
        read_field(&at, end, &f);
        if (f.wire != BYTES) continue;
        if (f.number == 1) {
            st = read_piece(&p->pieces[p->n_pieces], &f, p->n_pieces, err);
            p->n_bytes += p->pieces[p->n_pieces++].length + 1;
        } else if (f.number == 2)
            st = read_trainer(p, &f, err);
        else if (f.number == 3)
            st = read_normalizer(p, &f, err);
        else if (f.number == 5 && f.length > 0) {
            struct proto other = {0};
            st = read_normalizer(&other, &f, err);
            if (st == DOCKET_OK && other.charsmap_bytes > 0) st = refuse(err, "a denormalizer is not followed");
        }
    }
    return st;
}

static enum status check_proto(const struct proto *p, struct error *err)
{
    static const char *const types[] = {"0", "unigram", "BPE", "word", "char"};
    if (p->model_type != 2)
        return refuse(err, "model type %s is not followed, only BPE",
                      p->model_type < ARRAY_LENGTH(types) ? types[p->model_type] : "of a later version");
    if (p->charsmap_bytes > 0)
        return refuse(err, "a normalizer with a character map (%zu bytes) is not followed, only identity",
                      p->charsmap_bytes);
    if (p->suffix) return refuse(err, "white space as suffix is not followed");
    if (p->squeeze) return refuse(err, "remove_extra_whitespaces is not followed");
    if (!p->escape) return refuse(err, "a normalizer that leaves spaces as they are is not followed");
    return DOCKET_OK;
}

static enum status fill_tokens(struct tokenizer *t, const struct proto *p, struct error *err)
{
    enum status st = tokenizer_reserve(t, p->n_pieces, 0, p->n_bytes, err);
    for (size_t i = 0; i < p->n_pieces && st == DOCKET_OK; i++) {
        const struct proto_piece *piece = &p->pieces[i];
        struct token *token = &t->tokens[i];
        bool taken = false;
        if (tokenizer_find(t, (const char *)piece->text, piece->length) >= 0)
            return refuse(err, "piece %zu: \"%.*s\" stands twice", i, (int)piece->length, (const char *)piece->text);
        token->offset = token->shown = t->text.length;
        token->length = token->shown_length = (uint32_t)piece->length;
        buffer_append(&t->text, piece->text, piece->length);
        if (!buffer_append(&t->text, "", 1)) return tokenizer_no_memory(err);
        if (piece->type == CONTROL || piece->type == UNKNOWN) token->flags = TOKEN_ADDED | TOKEN_SPECIAL;
        if (piece->type == UNKNOWN) {
            if (t->unk_id >= 0) return refuse(err, "pieces %d and %zu: both are the unknown one", t->unk_id, i);
            t->unk_id = (int32_t)i;
        }
        if (piece->type == USER_DEFINED) {
            token->flags = TOKEN_ADDED | TOKEN_NORMALIZED;
            if (!added_list(t, (const char *)piece->text, piece->length, (int32_t)i, &taken))
                return tokenizer_no_memory(err);
        }
        if (!tokenizer_list(t, (int32_t)i)) return tokenizer_no_memory(err);
    }
    if (st == DOCKET_OK && t->unk_id < 0) return refuse(err, "no unknown piece");
    return st;
}

static enum status find_bytes(struct tokenizer *t, const struct proto *p, struct error *err)
{
    t->byte_fallback = p->byte_fallback;
    t->fuse_unk = true;
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof(name), "<0x%02X>", (unsigned)i & 255u);
        int32_t id = tokenizer_find(t, name, 6);
        bool byte = id >= 0 && p->pieces[id].type == BYTE;
        t->byte_ids[i] = byte ? id : -1;
        if (p->byte_fallback && !byte) return refuse(err, "%s is missing, byte_fallback needs all 256", name);
    }
    return DOCKET_OK;
}

static int by_score(const void *a, const void *b)
{
    const struct proto_piece *x = *(struct proto_piece *const *)a, *y = *(struct proto_piece *const *)b;
    return x->score > y->score ? -1 : x->score < y->score;
}

/* The best score has rank 0; equal scores are equal. */
static enum status rank_pieces(struct proto *p, struct error *err)
{
    struct proto_piece **order = mem_alloc(p->n_pieces * sizeof(struct proto_piece *));
    if (!order) return tokenizer_no_memory(err);
    for (size_t i = 0; i < p->n_pieces; i++) order[i] = &p->pieces[i];
    qsort(order, p->n_pieces, sizeof(*order), by_score);
    for (size_t i = 1; i < p->n_pieces; i++)
        order[i]->rank = order[i - 1]->rank + (order[i]->score != order[i - 1]->score);
    mem_free(order);
    return DOCKET_OK;
}

/* Whether it may be a part of a merge, or its result. */
static bool merges(const struct proto *p, int32_t id)
{
    return id >= 0 && p->pieces[id].type == NORMAL;
}

/* Every way to cut the piece into two pieces. Counted first, then stored. */
static size_t pairs_of(struct tokenizer *t, const struct proto *p, size_t i, bool store)
{
    const struct proto_piece *piece = &p->pieces[i];
    const char *text = (const char *)piece->text;
    size_t n = 0;
    if (piece->type != NORMAL) return 0;
    for (size_t at = 1; at < piece->length; at++) {
        if ((piece->text[at] & 0xc0) == 0x80) continue;
        int32_t left = tokenizer_find(t, text, at), right = tokenizer_find(t, text + at, piece->length - at);
        if (!merges(p, left) || !merges(p, right)) continue;
        n++;
        if (!store) continue;
        struct merge *bucket = bpe_merge_bucket(t, left, right);
        if (bucket->pair == MERGE_FREE) t->n_merges++;
        *bucket = (struct merge){
            .pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, .rank = piece->rank, .id = (int32_t)i};
    }
    return n;
}

/* SentencePiece also joins characters that are no pieces; here every character of a longer piece must be one. */
static enum status check_characters(const struct tokenizer *t, const struct proto *p, size_t i, struct error *err)
{
    const struct proto_piece *piece = &p->pieces[i];
    size_t n_characters = 0;
    if (piece->type != NORMAL) return DOCKET_OK;
    for (size_t at = 0, n; at < piece->length; at += n) {
        uint32_t c;
        n = utf8_next((const char *)piece->text + at, piece->length - at, &c);
        if (++n_characters > MAX_CHARACTERS)
            return refuse(err, "piece %zu: more than %u characters", i, MAX_CHARACTERS);
        if (n == 0 || !merges(p, tokenizer_find(t, (const char *)piece->text + at, n)))
            return refuse(err, "piece %zu: \"%.*s\" holds a character that is no piece", i, (int)piece->length,
                          (const char *)piece->text);
    }
    return DOCKET_OK;
}

static enum status make_merges(struct tokenizer *t, struct proto *p, struct error *err)
{
    size_t n = 0;
    enum status st = rank_pieces(p, err);
    for (size_t i = 0; i < p->n_pieces && st == DOCKET_OK; i++) {
        st = check_characters(t, p, i, err);
        if (st == DOCKET_OK) n += pairs_of(t, p, i, false);
    }
    if (st != DOCKET_OK) return st;
    if (n > 8 * (size_t)TOKENIZER_MAX_MERGES) return refuse(err, "%zu ways to join pieces are too many", n);
    if ((st = bpe_reserve_merges(t, n, err)) != DOCKET_OK) return st;
    for (size_t i = 0; i < p->n_pieces; i++) pairs_of(t, p, i, true);
    return bpe_find_joints(t, err);
}

static enum status add_step(struct step_list *list, struct step step, const char *from, const char *to,
                            struct error *err)
{
    struct step *steps = mem_resize(list->steps, list->length + 1, sizeof(*steps));
    if (!steps) return tokenizer_no_memory(err);
    list->steps = steps;
    step.from = str_dup(from);
    step.to = str_dup(to);
    step.from_length = strlen(from);
    step.to_length = strlen(to);
    steps[list->length++] = step;
    return step.from && step.to ? DOCKET_OK : tokenizer_no_memory(err);
}

static enum status make_steps(struct tokenizer *t, const struct proto *p, struct error *err)
{
    enum status st = DOCKET_OK;
    t->has_decoder = t->whole_text_prepend = true;
    if (p->dummy_prefix) st = add_step(&t->normalizer, (struct step){.kind = STEP_PREPEND}, "", MARK, err);
    if (st == DOCKET_OK) st = add_step(&t->normalizer, (struct step){.kind = STEP_REPLACE}, " ", MARK, err);
    if (st == DOCKET_OK) st = add_step(&t->decoder, (struct step){.kind = STEP_REPLACE}, MARK, " ", err);
    if (st == DOCKET_OK) st = add_step(&t->decoder, (struct step){.kind = STEP_BYTE_FALLBACK}, "", "", err);
    if (st == DOCKET_OK) st = add_step(&t->decoder, (struct step){.kind = STEP_FUSE}, "", "", err);
    if (st == DOCKET_OK && p->dummy_prefix)
        st = add_step(&t->decoder, (struct step){.kind = STEP_STRIP, .start = 1}, " ", "", err);
    bool bos = p->bos < p->n_pieces && p->pieces[p->bos].type == CONTROL;
    if (st == DOCKET_OK && bos && !token_list_append(&t->before, (int32_t)p->bos)) st = tokenizer_no_memory(err);
    return st;
}

enum status tokenizer_open_model(struct tokenizer **out, const void *bytes, size_t length, struct error *err)
{
    struct proto p = {0};
    if (length > TOKENIZER_MAX_BYTES)
        return refuse(err, "%zu bytes, at most %zu are read", length, (size_t)TOKENIZER_MAX_BYTES);
    struct tokenizer *t = tokenizer_new();
    if (!t) return tokenizer_no_memory(err);
    enum status st = read_proto(&p, bytes, length, err);
    if (st == DOCKET_OK) st = check_proto(&p, err);
    if (st == DOCKET_OK) st = fill_tokens(t, &p, err);
    if (st == DOCKET_OK) st = find_bytes(t, &p, err);
    if (st == DOCKET_OK) st = make_merges(t, &p, err);
    if (st == DOCKET_OK) st = make_steps(t, &p, err);
    mem_free(p.pieces);
    if (st == DOCKET_OK)
        *out = t;
    else
        tokenizer_close(t);
    return st;
}
