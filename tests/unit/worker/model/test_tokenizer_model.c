/* tokenizer.model: what cannot be followed exactly is refused with its piece, damage is named, and control pieces are never made of
 * a text. Equality with SentencePiece: test_tokenizer_golden.c. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/model/tokenizer_file.h"

#include <math.h>
#include <string.h>

#define MARK "\xe2\x96\x81"

static void put_field(struct buffer *out, unsigned number, const void *bytes, size_t length)
{
    buffer_append_char(out, (char)(number << 3 | 2));
    assert_true(length < 16384);
    if (length >= 128) buffer_append_char(out, (char)(length & 127) | (char)0x80);
    buffer_append_char(out, (char)(length >= 128 ? length >> 7 : length));
    buffer_append(out, bytes, length);
}

static void put_piece(struct buffer *out, const char *text, float score, int type)
{
    struct buffer piece = {0};
    put_field(&piece, 1, text, strlen(text));
    buffer_append_char(&piece, 2 << 3 | 5);
    buffer_append(&piece, &score, 4); /* the tests run on little-endian machines, as docket does */
    buffer_append_char(&piece, 3 << 3);
    buffer_append_char(&piece, (char)type);
    put_field(out, 1, piece.data, piece.length);
    buffer_free(&piece);
}

/* BPE, no byte fallback; normalizer with prefix, without removal of white space. */
#define TRAINER    "\x18\x02"
#define NORMALIZER "\x18\x01\x20\x00\x28\x01"

static void put_pieces(struct buffer *out)
{
    buffer_clear(out);
    put_piece(out, "<unk>", 0, 2);
    put_piece(out, "<s>", 0, 3);
    put_piece(out, "</s>", 0, 3);
    put_piece(out, "<mark>", 0, 4);
    put_piece(out, "bb", -1, 1); /* the same score as "ab", and a lower id */
    put_piece(out, "ab", -1, 1);
    put_piece(out, MARK, -2, 1);
    put_piece(out, "a", -3, 1);
    put_piece(out, "b", -4, 1);
    put_piece(out, "s>", -4, 1);
    put_piece(out, "s", -4, 1);
    put_piece(out, ">", -4, 1);
    put_piece(out, "<", -4, 1);
}

static void put_rest(struct buffer *out, const char *trainer, size_t n_trainer, const char *normalizer,
                     size_t n_normalizer)
{
    if (trainer) put_field(out, 2, trainer, n_trainer);
    if (normalizer) put_field(out, 3, normalizer, n_normalizer);
}

static void put_all(struct buffer *out)
{
    put_pieces(out);
    put_rest(out, TRAINER, 2, NORMALIZER, 6);
}

static void refused(const char *name, const struct buffer *bytes, const char *part)
{
    struct tokenizer *t = NULL;
    struct error err = {0};
    enum status st = tokenizer_open_model(&t, bytes->data ? bytes->data : "", bytes->length, &err);
    if (st == DOCKET_OK || !strstr(err.message, part) || err.code != CODE_tokenizer_unsupported || t)
        fail_msg("%s: %s: %s", name, status_name(st), err.message);
}

static void what_cannot_be_followed_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *trainer;
        size_t n_trainer;
        const char *normalizer;
        size_t n_normalizer;
        const char *part;
    } cases[] = {
        {"unigram", "\x18\x01", 2, NORMALIZER, 6, "model type unigram is not followed"},
        {"unigram_by_default", NULL, 0, NORMALIZER, 6, "model type unigram"},
        {"word", "\x18\x03", 2, NORMALIZER, 6, "model type word"},
        {"later_version", "\x18\x09", 2, NORMALIZER, 6, "of a later version"},
        {"suffix", TRAINER "\xc0\x01\x01", 5, NORMALIZER, 6, "suffix"},
        {"bytes_are_missing", TRAINER "\x98\x02\x01", 5, NORMALIZER, 6, "<0x00> is missing"},
        {"character_map", TRAINER, 2,
         NORMALIZER "\x12\x03"
                    "abc",
         11, "a character map (3 bytes)"},
        {"removed_spaces", TRAINER, 2, "\x20\x01", 2, "remove_extra_whitespaces"},
        {"removed_spaces_by_default", TRAINER, 2, NULL, 0, "remove_extra_whitespaces"},
        {"plain_spaces", TRAINER, 2, "\x20\x00\x28\x00", 4, "leaves spaces as they are"},
        {"cut_trainer", "\x18", 1, NORMALIZER, 6, "damaged: the trainer's part"},
        {"cut_normalizer", TRAINER, 2, "\x12\x05", 2, "damaged: the normalizer"},
    };
    struct buffer bytes = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        put_pieces(&bytes);
        put_rest(&bytes, cases[i].trainer, cases[i].n_trainer, cases[i].normalizer, cases[i].n_normalizer);
        refused(cases[i].name, &bytes, cases[i].part);
    }
    buffer_free(&bytes);
}

static void bad_pieces_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        float score;
        int type;
        const char *part;
    } cases[] = {
        {"empty", "", 0, 1, "piece 13: 0 bytes of text"},
        {"no_utf8", "\xff", 0, 1, "piece 13: its text is no UTF-8"},
        {"unused", "x", 0, 5, "piece 13: type 5 is not followed"},
        {"type_beyond", "x", 0, 7, "piece 13: type 7"},
        {"twice", "ab", 0, 1, "piece 13: \"ab\" stands twice"},
        {"two_unknown", "x", 0, 2, "pieces 0 and 13: both are the unknown one"},
        {"no_number", "x", NAN, 1, "piece 13: its score is no number"},
        {"unknown_character", "abq", 0, 1, "piece 13: \"abq\" holds a character that is no piece"},
    };
    struct buffer bytes = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        put_pieces(&bytes);
        put_piece(&bytes, cases[i].text, cases[i].score, cases[i].type);
        put_rest(&bytes, TRAINER, 2, NORMALIZER, 6);
        refused(cases[i].name, &bytes, cases[i].part);
    }
    buffer_clear(&bytes);
    refused("nothing", &bytes, "no pieces");
    put_piece(&bytes, "a", 0, 1);
    put_rest(&bytes, TRAINER, 2, NORMALIZER, 6);
    refused("none_unknown", &bytes, "no unknown piece");
    buffer_free(&bytes);
}

static void every_cut_is_damage_or_a_refusal(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_all(&bytes);
    size_t whole = bytes.length;
    for (bytes.length = 0; bytes.length < whole; bytes.length++) refused("cut", &bytes, "tokenizer.model: ");
    buffer_free(&bytes);
}

static void expect(const struct tokenizer *t, const char *text, unsigned flags, const int32_t *want, size_t n)
{
    struct token_list ids = {0};
    struct error err = {0};
    assert_int_equal(tokenizer_encode(t, text, strlen(text), flags, &ids, &err), DOCKET_OK);
    if (ids.length != n || memcmp(ids.ids, want, n * sizeof(*want)) != 0)
        fail_msg("\"%s\": %zu ids, the first %d", text, ids.length, ids.length ? ids.ids[0] : -1);
    token_list_free(&ids);
}
#define EXPECT(t, text, flags, ...)                                                                                    \
    expect(t, text, flags, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void equal_scores_join_from_the_left(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct tokenizer *t = NULL;
    struct error err = {0};
    put_all(&bytes);
    if (tokenizer_open_model(&t, bytes.data, bytes.length, &err) != DOCKET_OK) fail_msg("%s", err.message);
    EXPECT(t, "abb", 0, 6, 5, 8);
    EXPECT(t, "bbb", 0, 6, 4, 8);
    EXPECT(t, "abb", TOKENIZE_CONTINUE, 5, 8);
    EXPECT(t, "a b", TOKENIZE_POST_PROCESS, 1, 6, 7, 6, 8);
    EXPECT(t, "a<mark>b", TOKENIZE_SPECIAL, 6, 7, 3, 8);
    EXPECT(t, "<mark>", TOKENIZE_SPECIAL, 6, 3);
    EXPECT(t, "a<s>", TOKENIZE_SPECIAL, 6, 7, 12, 9); /* control pieces are never made of a text */
    EXPECT(t, "qqa", 0, 6, 0, 7);
    tokenizer_close(t);
    buffer_free(&bytes);
}

static enum status open_and_encode(void *context, struct error *err)
{
    const struct buffer *bytes = context;
    struct tokenizer *t = NULL;
    struct token_list ids = {0};
    enum status st = tokenizer_open_model(&t, bytes->data, bytes->length, err);
    if (st == DOCKET_OK) st = tokenizer_encode(t, "a <mark> bb", 11, TOKENIZE_SPECIAL, &ids, err);
    if (st == DOCKET_OK && ids.length != 6) st = DOCKET_INTERNAL;
    tokenizer_close(t);
    token_list_free(&ids);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_all(&bytes);
    assert_true(torture(open_and_encode, &bytes) > 20);
    buffer_free(&bytes);
}

static void the_model_counts_where_there_is_no_json(void **state)
{
    (void)state;
    char folder[100], hash[65], other[65];
    struct buffer bytes = {0};
    struct tokenizer *t = NULL;
    struct error err = {0};
    scratch_make(folder, sizeof(folder));
    struct model_location location = {.folder = folder, .boundary = folder, .name = folder};
    assert_int_equal(tokenizer_open_file(&t, &location, hash, &err), DOCKET_NOT_FOUND);
    assert_int_equal(err.code, CODE_model_file_missing);
    put_all(&bytes);
    scratch_write(folder, "tokenizer.model", bytes.data, bytes.length);
    if (tokenizer_open_file(&t, &location, hash, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab(t), 13);
    sha256_hex(bytes.data, bytes.length, other);
    assert_string_equal(hash, other);
    tokenizer_close(t);
    scratch_write_text(folder, "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}");
    if (tokenizer_open_file(&t, &location, NULL, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab(t), 1);
    tokenizer_close(t);
    scratch_remove(folder);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_followed_is_refused_by_name),
        cmocka_unit_test(bad_pieces_are_named),
        cmocka_unit_test(every_cut_is_damage_or_a_refusal),
        cmocka_unit_test(equal_scores_join_from_the_left),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(the_model_counts_where_there_is_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
