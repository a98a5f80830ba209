/* tokenizer.json: what cannot be followed exactly is refused with its place, and documents never become special tokens.
 * Rows M5 to M10, M13 and M14. Equality with the library: test_tokenizer_golden.c. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/tokenizer.h"

#include <stdio.h>
#include <string.h>

#define MARK "\xe2\x96\x81" /* U+2581, what stands for a space */

/* Parts of a tokenizer.json; NULL takes the small good one below. */
struct parts {
    const char *vocab, *merges, *added, *normalizer, *pre_tokenizer, *post_processor, *decoder, *model;
};

#define VOCAB                                                                                                          \
    "\"<unk>\":0,\"<s>\":1,\"</s>\":2,\"" MARK "\":3,\"a\":4,\"b\":5,\"ab\":6,\"" MARK                                 \
    "ab\":7,\"x\":8,\"xx\":9,\"</\":10,\"<\":11,\"/\":12"
#define MERGES "\"a b\",\"" MARK " ab\",\"x x\",\"< /\""
#define ADDED                                                                                                          \
    "{\"id\":0,\"content\":\"<unk>\"," PLAIN ",\"special\":true},{\"id\":1,\"content\":\"<s>\"," PLAIN                 \
    ",\"special\":true},{\"id\":2,\"content\":\"</s>\"," PLAIN ",\"special\":true}"
#define PLAIN "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false"
#define NORMALIZER                                                                                                     \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" MARK                                \
    "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" MARK "\"}]}"
#define TEMPLATE                                                                                                       \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{"   \
    "\"id\":\"A\",\"type_id\":0}}],"                                                                                   \
    "\"pair\":[],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}}"
#define DECODER                                                                                                        \
    "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"" MARK                       \
    "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" "       \
    "\",\"start\":1,\"stop\":0}]}"

static const char * or (const char *given, const char *usual)
{
    return given ? given : usual;
}

static void make(struct buffer *out, const struct parts *p)
{
    buffer_clear(out);
    buffer_printf(
        out,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[%s],\"normalizer\":%s,"
        "\"pre_tokenizer\":%s,\"post_processor\":%s,\"decoder\":%s,\"model\":{%s,\"vocab\":{%s},\"merges\":[%s]}}",
        or (p->added, ADDED), or (p->normalizer, NORMALIZER), or (p->pre_tokenizer, "null"),
        or (p->post_processor, TEMPLATE), or (p->decoder, DECODER),
        or (p->model, "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true"), or (p->vocab, VOCAB),
        or (p->merges, MERGES));
}

static enum status open_parts(struct tokenizer **out, const struct parts *p, struct error *err)
{
    struct buffer json = {0};
    *out = NULL;
    *err = (struct error){0};
    make(&json, p);
    enum status st = tokenizer_open(out, json.data, json.length, err);
    buffer_free(&json);
    return st;
}

static struct tokenizer *good(const struct parts *p)
{
    struct tokenizer *t;
    struct error err;
    if (open_parts(&t, p, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return t;
}

static void expect_ids(const struct tokenizer *t, const char *text, unsigned flags, const char *want)
{
    struct token_list ids = {0};
    struct error err = {0};
    char got[400] = "";
    assert_int_equal(tokenizer_encode(t, text, strlen(text), flags, &ids, &err), DOCKET_OK);
    for (size_t i = 0; i < ids.length && i < 40; i++) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof(got) - n, "%s%d", i ? " " : "", ids.ids[i]);
    }
    if (strcmp(got, want) != 0) fail_msg("\"%s\" with flags %u: want %s, got %s", text, flags, want, got);
    token_list_free(&ids);
}

#define SPLIT(pattern) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Isolated\"}"
#define DIGITS         "{\"type\":\"Digits\"}"
#define NINE_DIGITS    DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS
#define BAD_VOCAB(v)                                                                                                   \
    {                                                                                                                  \
        .vocab = VOCAB "," v                                                                                           \
    }
#define BAD_MERGES(m)                                                                                                  \
    {                                                                                                                  \
        .merges = MERGES "," m                                                                                         \
    }
#define BAD_ADDED(a)                                                                                                   \
    {                                                                                                                  \
        .added = ADDED "," a                                                                                           \
    }
static const struct {
    const char *name;
    struct parts parts;
    const char *part; /* of the message; NULL: accepted */
} cases[] = {
    {"good", {0}, NULL},
    {"m5_two_tokens_one_id", BAD_VOCAB("\"y\":12"), "share id 12"},
    {"m5_gap", BAD_VOCAB("\"y\":14"), "has id 14 of only 14"},
    {"m5_negative", BAD_VOCAB("\"y\":-1"), "got -1"},
    {"m5_2_40", BAD_VOCAB("\"y\":1099511627776"), "1099511627776"},
    {"m5_2_64", BAD_VOCAB("\"y\":18446744073709551616"), "got 18446744073709551616"},
    {"m5_fraction", BAD_VOCAB("\"y\":13.0"), "got 13.0"},
    {"m5_text", BAD_VOCAB("\"y\":\"13\""), "got \"13\""},
    {"m5_empty_token", BAD_VOCAB("\"\":13"), "an empty token"},
    {"m5_same_token_twice", BAD_VOCAB("\"a\":13"), "stands twice"},
    {"m5_same_token_twice_escaped", BAD_VOCAB("\"\\u0061\":13"), "stands twice"},
    {"m5_no_tokens", {.vocab = ""}, "no tokens"},
    {"m5_unknown_token_is_unknown",
     {.model = "\"type\":\"BPE\",\"unk_token\":\"UNK\""},
     "\"UNK\" is not in the vocabulary"},
    {"m5_unknown_token_as_number", {.model = "\"type\":\"BPE\",\"unk_token\":0"}, "unk_token: want a string"},
    {"m6_bytes_are_missing", {.model = "\"type\":\"BPE\",\"byte_fallback\":true"}, "<0x00> is missing"},
    {"m6_byte_that_is_none", BAD_VOCAB("\"<0x-1>\":13"), NULL},
    {"m6_byte_with_one_digit", BAD_VOCAB("\"<0x0>\":13"), NULL},
    {"m6_byte_with_three_digits", BAD_VOCAB("\"<0x100>\":13"), NULL},
    {"m7_left_unknown", BAD_MERGES("\"q b\""), "merges[4]: \"q\" is not in the vocabulary"},
    {"m7_right_unknown", BAD_MERGES("\"a q\""), "merges[4]: \"q\" is not in the vocabulary"},
    {"m7_result_unknown", BAD_MERGES("\"b a\""), "merges[4]: \"ba\" is not in the vocabulary"},
    {"m7_three_parts", BAD_MERGES("\"a b b\""), "merges[4]: want two tokens with one space"},
    {"m7_one_part", BAD_MERGES("\"ab\""), "merges[4]"},
    {"m7_two_spaces", BAD_MERGES("\"a  b\""), "merges[4]"},
    {"m7_space_before", BAD_MERGES("\" ab\""), "merges[4]"},
    {"m7_space_after", BAD_MERGES("\"ab \""), "merges[4]"},
    {"m7_empty", BAD_MERGES("\"\""), "merges[4]"},
    {"m7_pair_of_three", BAD_MERGES("[\"a\",\"b\",\"b\"]"), "merges[4]: want two tokens"},
    {"m7_pair_of_one", BAD_MERGES("[\"ab\"]"), "merges[4]: want two tokens"},
    {"m7_pair_of_numbers", BAD_MERGES("[4,5]"), "merges[4]: want two tokens"},
    {"m7_empty_left", BAD_MERGES("[\"\",\"a\"]"), "merges[4]: \"\" is not in the vocabulary"},
    {"m7_number", BAD_MERGES("1"), "merges[4]: want two tokens"},
    {"m7_object", BAD_MERGES("{\"a\":\"b\"}"), "merges[4]: want two tokens"},
    {"m7_with_an_added_token",
     {.merges = "\"a c\"", .added = ADDED ",{\"id\":13,\"content\":\"c\"," PLAIN ",\"special\":false}"},
     "\"c\" is not in the vocabulary"},
    {"m7_pairs_and_text_mixed", {.merges = "\"a b\",[\"" MARK "\",\"ab\"],[\"x\",\"x\"],\"#version: 0.2\""}, NULL},
    {"m7_the_same_merge_twice", BAD_MERGES("\"a b\""), NULL},
    {"m7_no_merges", {.merges = ""}, NULL},
    {"m8_id_of_another_token", BAD_ADDED("{\"id\":5,\"content\":\"new\"," PLAIN ",\"special\":true}"),
     "added_tokens[3].id"},
    {"m8_id_beyond", BAD_ADDED("{\"id\":14,\"content\":\"new\"," PLAIN ",\"special\":true}"), "want 13"},
    {"m8_id_negative", BAD_ADDED("{\"id\":-1,\"content\":\"new\"," PLAIN ",\"special\":true}"), "has id -1"},
    {"m8_id_2_40", BAD_ADDED("{\"id\":1099511627776,\"content\":\"new\"," PLAIN ",\"special\":true}"),
     "has id 1099511627776"},
    {"m8_id_missing", BAD_ADDED("{\"content\":\"new\"," PLAIN ",\"special\":true}"), "added_tokens[3].id: missing"},
    {"m8_empty", BAD_ADDED("{\"id\":13,\"content\":\"\"," PLAIN ",\"special\":true}"), "content: want 1 to"},
    {"m8_no_content", BAD_ADDED("{\"id\":13," PLAIN ",\"special\":true}"), "content: missing"},
    {"m8_content_as_number", BAD_ADDED("{\"id\":13,\"content\":7," PLAIN ",\"special\":true}"), "content: want 1 to"},
    {"m8_no_special", BAD_ADDED("{\"id\":13,\"content\":\"new\"," PLAIN "}"), "added_tokens[3].special"},
    {"m8_special_as_text", BAD_ADDED("{\"id\":13,\"content\":\"new\"," PLAIN ",\"special\":\"yes\"}"), "special: want"},
    {"m8_twice", BAD_ADDED("{\"id\":1,\"content\":\"<s>\"," PLAIN ",\"special\":true}"), "stands there twice"},
    {"m8_as_text", BAD_ADDED("\"new\""), "content: missing"},
    {"m8_regular_expression", BAD_ADDED("{\"id\":13,\"content\":\".*(a+)+$\"," PLAIN ",\"special\":true}"), NULL},
    {"m8_one_begins_another", BAD_ADDED("{\"id\":13,\"content\":\"</s>x\"," PLAIN ",\"special\":true}"), NULL},
    {"m8_normalized_to_nothing",
     {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"n\"},\"content\":\"\"}",
      .added = ADDED ",{\"id\":13,\"content\":\"nn\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                     "\"normalized\":true,\"special\":false}"},
     "makes of \"nn\" nothing"},
    {"m8_normalized_to_the_same",
     {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"n\"},\"content\":\"m\"}",
      .added = ADDED ",{\"id\":13,\"content\":\"n\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                     "\"normalized\":true,\"special\":false},"
                     "{\"id\":14,\"content\":\"m\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                     "\"normalized\":true,\"special\":false}"},
     "the text of another added token"},
    {"m9_pattern_in_the_normalizer",
     {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a*\"},\"content\":\"\"}"},
     "\"Regex\" is not followed"},
    {"m9_pattern_in_the_decoder",
     {.decoder = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a*\"},\"content\":\"\"}"},
     "\"Regex\" is not followed"},
    {"m10_bert", {.normalizer = "{\"type\":\"BertNormalizer\"}"}, "normalizer: \"BertNormalizer\" is not followed"},
    {"m10_nmt_in_a_sequence",
     {.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"Nmt\"}]}"},
     "$.normalizer.normalizers[1]: \"Nmt\""},
    {"normal_forms",
     {.normalizer =
          "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"NFD\"},{\"type\":\"NFKD\"},{"
          "\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}]}"},
     NULL},
    {"m10_strip_as_text",
     {.normalizer = "{\"type\":\"Strip\",\"strip_left\":\"yes\"}"},
     "strip_left: want true or false"},
    {"m10_lowercase", {.normalizer = "{\"type\":\"Lowercase\"}"}, "\"Lowercase\""},
    {"m10_precompiled", {.normalizer = "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}"}, "\"Precompiled\""},
    {"m10_no_type", {.normalizer = "{}"}, "normalizer: null is not followed"},
    {"m10_as_text", {.normalizer = "\"NFC\""}, "\"NFC\" is not followed"},
    {"m10_nested_a_little",
     {.normalizer =
          "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[" NORMALIZER "]}]}"},
     NULL},
    {"m10_sequence_without_a_list", {.normalizer = "{\"type\":\"Sequence\"}"}, "normalizers: want an array"},
    {"m10_prepend_without_text", {.normalizer = "{\"type\":\"Prepend\"}"}, "prepend: want a string"},
    {"m10_replace_without_content",
     {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}"},
     "content: want a string"},
    {"m10_replace_nothing",
     {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"a\"}"},
     "at least one character"},
    {"m10_decoder", {.decoder = "{\"type\":\"WordPiece\"}"}, "decoder: \"WordPiece\" is not followed"},
    {"m10_decoder_in_a_sequence",
     {.decoder = "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"CTC\"}]}"},
     "decoders[0]: \"CTC\""},
    {"m10_strip_two_characters",
     {.decoder = "{\"type\":\"Strip\",\"content\":\"ab\",\"start\":1,\"stop\":0}"},
     "want one character"},
    {"m10_strip_without_start", {.decoder = "{\"type\":\"Strip\",\"content\":\"a\"}"}, "start: missing"},
    {"m10_strip_negative", {.decoder = "{\"type\":\"Strip\",\"content\":\"a\",\"start\":-1,\"stop\":0}"}, "got -1"},
    {"m10_post_processor",
     {.post_processor = "{\"type\":\"RobertaProcessing\"}"},
     "\"RobertaProcessing\" is not followed"},
    {"m10_template_token_unknown",
     {.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<x>\"}},{"
                        "\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}}"},
     "\"<x>\" has no ids"},
    {"m10_template_id_beyond",
     {.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{"
                        "\"id\":\"A\"}}],\"special_tokens\":{\"x\":{\"ids\":[13]}}}"},
     "token 13 is not in the vocabulary"},
    {"m10_template_id_negative",
     {.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{"
                        "\"id\":\"A\"}}],\"special_tokens\":{\"x\":{\"ids\":[-1]}}}"},
     "want a few ids"},
    {"m10_template_without_text",
     {.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}}"},
     "\"A\" is missing"},
    {"m10_template_with_b",
     {.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}"},
     "one sequence \"A\""},
    {"m10_metaspace_of_two_characters",
     {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"__\"}"},
     "want one character"},
    {"m10_metaspace_scheme",
     {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}"},
     "\"last\" is not followed"},
    {"m10_metaspace_contradiction",
     {.pre_tokenizer =
          "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\",\"add_prefix_space\":false}"},
     "contradicts"},
    {"m10_metaspace_split_as_text",
     {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"split\":\"no\"}"},
     "split: want"},
    {"m9_split_of_a_known_kind", {.pre_tokenizer = SPLIT("\\\\s+(?!\\\\S)|[^\\\\r\\\\p{Lu}]+|(?i:'s)|.")}, NULL},
    {"m9_invalid", {.pre_tokenizer = SPLIT("(a")}, "$.pre_tokenizer.pattern: no pattern, at byte 2"},
    {"m9_matches_nothing", {.pre_tokenizer = SPLIT("a*")}, "matches nothing at all"},
    {"m9_empty", {.pre_tokenizer = SPLIT("")}, "a pattern of 0 bytes"},
    {"m9_back_reference", {.pre_tokenizer = SPLIT("(a)\\\\1")}, "an escape that is not followed, at byte 3: \"\\1\""},
    {"m9_looks_back_far", {.pre_tokenizer = SPLIT("(?<=aaaaaaaaa)b")}, "looks back 9 characters"},
    {"m9_looks_back_without_end", {.pre_tokenizer = SPLIT("(?<=a+)b")}, "no pattern"},
    {"m9_recursion", {.pre_tokenizer = SPLIT("(?R)a")}, "a group that is not followed"},
    {"m9_verb", {.pre_tokenizer = SPLIT("(*LIMIT_MATCH=1)a")}, "a group that is not followed, at byte 0"},
    {"m9_words_differ", {.pre_tokenizer = SPLIT("\\\\w+")}, "an escape that is not followed"},
    {"m9_scripts_differ", {.pre_tokenizer = SPLIT("\\\\p{Han}")}, "an escape that is not followed"},
    {"m9_sets_differ", {.pre_tokenizer = SPLIT("[a&&b]")}, "an intersection of sets"},
    {"m9_sets_in_sets_differ", {.pre_tokenizer = SPLIT("[a[b]]")}, "a set in a set"},
    {"m9_repetitions_differ", {.pre_tokenizer = SPLIT("a{1,3}+")}, "a repetition"},
    {"m9_lazy_repetitions_differ", {.pre_tokenizer = SPLIT("a{2}?")}, "a repetition"},
    {"m9_options_in_between_differ", {.pre_tokenizer = SPLIT("a(?i)b|c")}, "a group that is not followed, at byte 1"},
    {"m9_open_repetitions_differ", {.pre_tokenizer = SPLIT("a{,3}")}, "a repetition"},
    {"m9_deep",
     {.pre_tokenizer = SPLIT("((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))")},
     "no pattern"},
    {"m10_split_behavior",
     {.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"}"},
     "behavior: \"Odd\" is not followed"},
    {"m10_split_without_pattern",
     {.pre_tokenizer = "{\"type\":\"Split\",\"behavior\":\"Isolated\"}"},
     "pattern.String: want a string"},
    {"m10_split_at_nothing",
     {.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"behavior\":\"Isolated\"}"},
     "at least one character"},
    {"m10_split_behind_bytes",
     {.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}]}"},
     "pretokenizers[1]: a split behind ByteLevel"},
    {"m10_metaspace_beside_others",
     {.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},{\"type\":\"Metaspace\"}]}"},
     "Metaspace beside others"},
    {"m10_bytes_twice",
     {.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"ByteLevel\"}]}"},
     "a second ByteLevel"},
    {"m10_too_many_splits",
     {.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[" NINE_DIGITS "]}"},
     "more than 8 splits"},
    {"m10_whitespace", {.pre_tokenizer = "{\"type\":\"WhitespaceSplit\"}"}, "\"WhitespaceSplit\" is not followed"},
    {"m10_processors_in_a_sequence",
     {.post_processor = "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE "]}"},
     NULL},
    {"m10_two_templates",
     {.post_processor = "{\"type\":\"Sequence\",\"processors\":[" TEMPLATE "," TEMPLATE "]}"},
     "a second TemplateProcessing"},
    {"metaspace_of_old_files",
     {.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":true}"},
     NULL},
    {"other_model", {.model = "\"type\":\"Unigram\""}, "\"Unigram\" is not followed"},
    {"type_as_number", {.model = "\"type\":1"}, "1 is not followed"},
    {"type_left_out", {.model = "\"unk_token\":null"}, NULL},
    {"dropout", {.model = "\"type\":\"BPE\",\"dropout\":0.1"}, "dropout"},
    {"dropout_zero", {.model = "\"type\":\"BPE\",\"dropout\":0.0"}, NULL},
    {"prefix_of_word_pieces",
     {.model = "\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\""},
     "continuing_subword_prefix"},
    {"suffix_of_words", {.model = "\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\""}, "end_of_word_suffix"},
    {"empty_suffix", {.model = "\"type\":\"BPE\",\"end_of_word_suffix\":\"\""}, NULL},
    {"fallback_as_text", {.model = "\"type\":\"BPE\",\"byte_fallback\":\"yes\""}, "byte_fallback: want true or false"},
};

static void what_cannot_be_followed_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct tokenizer *t;
        struct error err;
        enum status st = open_parts(&t, &cases[i].parts, &err);
        bool right = cases[i].part ? st != DOCKET_OK && strstr(err.message, cases[i].part) != NULL &&
                                         err.code == CODE_tokenizer_unsupported
                                   : st == DOCKET_OK;
        if (!right) fail_msg("%s: %s: %s", cases[i].name, status_name(st), err.message);
        tokenizer_close(t);
    }
}

static void files_that_are_no_tokenizers_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "null",
                                        "{\"model\":null}",
                                        "{\"model\":[]}",
                                        "{\"model\":{}}",
                                        "{\"model\":{\"vocab\":[]}}",
                                        "{\"model\":{\"vocab\":{\"a\":0}}}",
                                        "{\"model\":{\"vocab\":{\"a\":0},\"merges\":{}}}",
                                        "{\"added_tokens\":{},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                                        "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}x",
                                        "{\"model\":{\"vocab\":{\"a\\u0000\":0},\"merges\":[]}}",
                                        "{\"model\":{\"vocab\":{\"\xff\":0},\"merges\":[]}}"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct tokenizer *t = NULL;
        struct error err = {0};
        assert_int_not_equal(tokenizer_open(&t, texts[i], strlen(texts[i]), &err), DOCKET_OK);
        assert_int_equal(err.code, CODE_tokenizer_unsupported);
        assert_null(t);
    }
    tokenizer_close(NULL);
}

static void m8_a_content_of_ten_kilobytes_is_refused(void **state)
{
    (void)state;
    char added[11000], content[10001];
    struct tokenizer *t;
    struct error err;
    memset(content, 'z', 10000);
    content[10000] = '\0';
    snprintf(added, sizeof(added), "{\"id\":0,\"content\":\"%s\"," PLAIN ",\"special\":false}", content);
    assert_int_not_equal(open_parts(&t, &(struct parts){.added = added}, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "want 1 to 1024 bytes"));
}

static void m10_a_thousand_levels_are_refused(void **state)
{
    (void)state;
    struct buffer nested = {0};
    struct tokenizer *t;
    struct error err;
    for (int i = 0; i < 1000; i++) buffer_append_str(&nested, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 1000; i++) buffer_append_str(&nested, "]}");
    assert_int_not_equal(open_parts(&t, &(struct parts){.normalizer = nested.data}, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "nested deeper"));
    buffer_free(&nested);
}

static void m5_m7_millions_of_entries_are_refused(void **state)
{
    (void)state;
    struct buffer many = {0};
    struct tokenizer *t;
    struct error err;
    for (int i = 0; i < 2000001; i++) buffer_append_str(&many, i ? ",\"a b\"" : "\"a b\"");
    assert_int_not_equal(open_parts(&t, &(struct parts){.merges = many.data}, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "2000001 merges"));
    buffer_clear(&many);
    for (int i = 0; i < 2000001; i++) buffer_printf(&many, "%s\"%x\":%d", i ? "," : "", i, i);
    assert_int_not_equal(open_parts(&t, &(struct parts){.vocab = many.data}, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "more than 2000000 tokens"));
    buffer_free(&many);
}

static void flags_choose_marks_and_templates(void **state)
{
    (void)state;
    struct tokenizer *t = good(&(struct parts){0});
    expect_ids(t, "ab", 0, "7");
    expect_ids(t, "ab", TOKENIZE_CONTINUE, "6");
    expect_ids(t, " ab", TOKENIZE_CONTINUE, "7");
    expect_ids(t, " ab", 0, "3 7");
    expect_ids(t, "ab", TOKENIZE_POST_PROCESS, "1 7");
    expect_ids(t, "", TOKENIZE_POST_PROCESS, "1");
    expect_ids(t, "", 0, "");
    expect_ids(t, "qqab", 0, "3 0 6");
    expect_ids(t, "ab</s>ab", TOKENIZE_SPECIAL, "7 2 7");
    expect_ids(t, "</s>ab</s>", TOKENIZE_SPECIAL | TOKENIZE_CONTINUE, "2 7 2");
    assert_int_equal(tokenizer_vocab(t), 13);
    assert_int_equal(tokenizer_id(t, MARK "ab"), 7);
    assert_int_equal(tokenizer_id(t, "zz"), -1);
    assert_string_equal(tokenizer_token(t, 7), MARK "ab");
    assert_null(tokenizer_token(t, 13));
    assert_null(tokenizer_token(t, -1));
    assert_true(tokenizer_is_special(t, 2));
    assert_false(tokenizer_is_special(t, 7));
    assert_false(tokenizer_is_special(t, 99));
    tokenizer_close(t);
}

static void m14_text_that_spells_special_tokens_stays_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "</s>",       "<s>", "<unk>", "a</s>b", " </s> ", "<s></s><s>", "<\xe2\x80\x8bs>", "</s>" MARK "</s>",
        "[INST]</s>", "</s", "s>",    "NEW",    "xNEWx"};
    const struct parts kinds[] = {
        {0},
        {.model = "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"ignore_merges\":true",
         .normalizer = "null",
         .pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\",\"prepend_scheme\":\"never\"}"},
        {.model = "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"ignore_merges\":true", .normalizer = "null"},
        /* merges that lead to special tokens, and a special token of one character */
        {.vocab = VOCAB ",\"s\":13,\">\":14,\"s>\":15",
         .merges = MERGES ",\"s >\",\"</ s>\"",
         .added = ADDED ",{\"id\":8,\"content\":\"x\"," PLAIN ",\"special\":true},{\"id\":16,\"content\":\"NEW\"," PLAIN
                        ",\"special\":false}"},
        {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"</s>\"}"},
    };
    for (size_t k = 0; k < ARRAY_LENGTH(kinds); k++) {
        struct tokenizer *t = good(&kinds[k]);
        for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
            for (unsigned flags = 0; flags <= TOKENIZE_CONTINUE; flags += TOKENIZE_CONTINUE) {
                struct token_list ids = {0};
                struct error err;
                assert_int_equal(tokenizer_encode(t, texts[i], strlen(texts[i]), flags, &ids, &err), DOCKET_OK);
                for (size_t n = 0; n < ids.length; n++)
                    if (ids.ids[n] != 0 && (tokenizer_is_special(t, ids.ids[n]) || ids.ids[n] == 16))
                        fail_msg("kind %zu: \"%s\" became token %d", k, texts[i], ids.ids[n]);
                token_list_free(&ids);
            }
        tokenizer_close(t);
    }
}

static void m6_only_exact_byte_tokens_are_bytes(void **state)
{
    (void)state;
    struct buffer vocab = {0};
    buffer_append_str(&vocab, "\"<unk>\":0,\"<s>\":1,\"</s>\":2");
    for (int i = 0; i < 256; i++) buffer_printf(&vocab, ",\"<0x%02X>\":%d", (unsigned)i, i + 3);
    buffer_append_str(&vocab,
                      ",\"<0x-1>\":259,\"<0x0>\":260,\"<0x100>\":261,\"<0xZZ>\":262,\"" MARK "\":263,\"<0xff>\":264");
    struct tokenizer *t =
        good(&(struct parts){.vocab = vocab.data, .merges = "", .model = "\"type\":\"BPE\",\"byte_fallback\":true"});
    expect_ids(t, "A", TOKENIZE_CONTINUE, "68");
    expect_ids(t, "\xc3\xa9", TOKENIZE_CONTINUE, "198 172");
    expect_ids(t, "\xff", TOKENIZE_CONTINUE, "242 194 192");         /* U+FFFD for what is no UTF-8 */
    expect_ids(t, "\xf0\x9f\x98", TOKENIZE_CONTINUE, "242 194 192"); /* one for what is left of a character */
    expect_ids(t, "\xe0\x80", TOKENIZE_CONTINUE, "242 194 192 242 194 192");
    static const struct {
        int32_t ids[4];
        size_t n;
        const char *want;
    } texts[] = {
        {{198, 172}, 2, "\xc3\xa9"},
        {{198}, 1, "\xef\xbf\xbd"},
        {{259}, 1, "<0x-1>"},
        {{262, 68}, 2, "<0xZZ>A"},
        {{198, 68}, 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {{261}, 1, "<0x100>"},
        {{260}, 1, "<0x0>"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct buffer out = {0};
        struct error err;
        assert_int_equal(tokenizer_decode(t, texts[i].ids, texts[i].n, &out, &err), DOCKET_OK);
        assert_string_equal(out.data, texts[i].want);
        buffer_free(&out);
    }
    tokenizer_close(t);
    buffer_free(&vocab);
}

static void unknown_ids_are_not_decoded(void **state)
{
    (void)state;
    struct tokenizer *t = good(&(struct parts){0});
    const int32_t ids[] = {4, 13}, negative[] = {-1};
    struct buffer out = {0};
    struct error err;
    assert_int_equal(tokenizer_decode(t, ids, 2, &out, &err), DOCKET_BAD_INPUT);
    assert_int_equal(tokenizer_decode(t, negative, 1, &out, &err), DOCKET_BAD_INPUT);
    assert_int_equal(out.length, 0);
    assert_int_equal(tokenizer_decode(t, ids, 0, &out, &err), DOCKET_OK);
    assert_int_equal(tokenizer_decode(t, ids, 1, &out, &err), DOCKET_OK);
    assert_string_equal(out.data, "a");
    buffer_free(&out);
    buffer_init(&out, 1);
    assert_int_equal(tokenizer_decode(t, (int32_t[]){6}, 1, &out, &err), DOCKET_LIMIT);
    buffer_free(&out);
    tokenizer_close(t);
}

/* Work is counted in allocations' bytes and tokens, not in seconds: what would be quadratic would not end here. */
static void m13_long_runs_end(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x",    "^",  " ",   "7", "ab", "e\xcc\x81", "\xf0\x9f\x91\xa9\xe2\x80\x8d",
                                         "</s>", MARK, "\xff"};
    struct tokenizer *t = good(&(struct parts){0});
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct buffer text = {0};
        struct token_list ids = {0};
        struct error err;
        while (text.length < MIB) buffer_append_str(&text, pieces[i]);
        assert_int_equal(tokenizer_encode(t, text.data, text.length, 0, &ids, &err), DOCKET_OK);
        if (i == 0) assert_int_equal(ids.length, 1 + MIB / 2);
        if (i == 4) assert_int_equal(ids.length, MIB / 2);
        if (i == 1) assert_int_equal(ids.length, 2); /* fused unknowns */
        token_list_free(&ids);
        buffer_free(&text);
    }
    tokenizer_close(t);
}

#define BYTES                                                                                                          \
    "{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT(                                                                \
        "\\\\p{L}+|\\\\s+(?!\\\\S)|\\\\s+|[^\\\\s\\\\p{L}]+") ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"   \
                                                              "\"use_regex\":false}]}"

static void m13_long_runs_end_where_patterns_and_normal_forms_work(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "x",   "^", " ", "7", "\n", " \n", "e\xcc\x81", "\xcc\x81\xcc\xa3\xcc\xb4", "\xf0\x9f\x91\xa9\xe2\x80\x8d",
        "\xff"};
    struct tokenizer *t = good(&(struct parts){.normalizer = "{\"type\":\"NFC\"}", .pre_tokenizer = BYTES});
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct buffer text = {0};
        struct token_list ids = {0};
        struct error err;
        while (text.length < MIB) buffer_append_str(&text, pieces[i]);
        assert_int_equal(tokenizer_encode(t, text.data, text.length, 0, &ids, &err), DOCKET_OK);
        if (i == 0) assert_int_equal(ids.length, MIB / 2);
        token_list_free(&ids);
        buffer_free(&text);
    }
    tokenizer_close(t);
}

static void m9_a_pattern_that_takes_too_long_is_an_error(void **state)
{
    (void)state;
    struct tokenizer *t = good(&(struct parts){.pre_tokenizer = SPLIT("(?:a|a|aa)+b")});
    struct buffer text = {0};
    struct token_list ids = {0};
    struct error err = {0};
    while (text.length < 2000) buffer_append_str(&text, "a");
    buffer_append_str(&text, "cb");
    assert_int_equal(tokenizer_encode(t, text.data, text.length, 0, &ids, &err), DOCKET_LIMIT);
    assert_non_null(strstr(err.message, "too much for the tokenizer's split pattern: match"));
    assert_int_equal(ids.length, 0);
    buffer_free(&text);
    tokenizer_close(t);
}

static void m9_a_pattern_with_groups_splits_like_one_without(void **state)
{
    (void)state;
    struct tokenizer *with = good(&(struct parts){.pre_tokenizer = SPLIT("(a|(b))|x+"), .normalizer = "null"});
    struct tokenizer *without = good(&(struct parts){.pre_tokenizer = SPLIT("(?:a|b)|x+"), .normalizer = "null"});
    expect_ids(without, "abxxabx", TOKENIZE_CONTINUE, "4 5 9 4 5 8");
    expect_ids(with, "abxxabx", TOKENIZE_CONTINUE, "4 5 9 4 5 8");
    tokenizer_close(with);
    tokenizer_close(without);
}

static void zero_bytes_are_characters(void **state)
{
    (void)state;
    struct tokenizer *t = good(&(struct parts){0});
    struct token_list ids = {0};
    struct error err;
    assert_int_equal(tokenizer_encode(t, "a\0b", 3, TOKENIZE_CONTINUE, &ids, &err), DOCKET_OK);
    assert_int_equal(ids.length, 3);
    assert_int_equal(ids.ids[1], 0);
    token_list_free(&ids);
    tokenizer_close(t);
}

static void lists_grow_and_move(void **state)
{
    (void)state;
    struct token_list list = {0};
    for (int32_t i = 0; i < 1000; i++) assert_true(token_list_append(&list, i));
    assert_true(token_list_append_all(&list, NULL, 0));
    assert_false(token_list_append_all(&list, list.ids, SIZE_MAX / 2));
    for (int32_t i = 0; i < 1000; i++) assert_int_equal(list.ids[i], i);
    token_list_free(&list);
    assert_null(list.ids);
}

static enum status open_encode_decode(void *context, struct error *err)
{
    const struct buffer *json = context;
    static const char text[] = "ab </s> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx NEW \xff ab";
    struct tokenizer *t = NULL;
    struct token_list ids = {0};
    struct buffer out = {0};
    enum status st = tokenizer_open(&t, json->data, json->length, err);
    if (st == DOCKET_OK) st = tokenizer_encode(t, text, sizeof(text) - 1, 3, &ids, err);
    size_t n = ids.length;
    if (st == DOCKET_OK) st = tokenizer_encode(t, text, sizeof(text) - 1, 0, &ids, err);
    if (st != DOCKET_OK && ids.length != n) st = DOCKET_INTERNAL; /* a failed call changes nothing */
    if (st == DOCKET_OK) st = tokenizer_decode(t, ids.ids, ids.length, &out, err);
    tokenizer_close(t);
    token_list_free(&ids);
    buffer_free(&out);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct buffer json = {0};
    make(&json, &(struct parts){.added = ADDED ",{\"id\":13,\"content\":\"NEW\",\"single_word\":true,\"lstrip\":true,"
                                               "\"rstrip\":true,\"normalized\":true,\"special\":false}"});
    assert_true(torture(open_encode_decode, &json) > 60);
    make(&json, &(struct parts){.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"" MARK
                                                 "\",\"prepend_scheme\":\"first\"}",
                                .normalizer = "null",
                                .decoder = "null",
                                .merges = "[\"a\",\"b\"],[\"x\",\"x\"]"});
    assert_true(torture(open_encode_decode, &json) > 40);
    make(&json, &(struct parts){.normalizer = "{\"type\":\"NFKC\"}",
                                .pre_tokenizer =
                                    "{\"type\":\"Sequence\",\"pretokenizers\":[" DIGITS ",{\"type\":\"ByteLevel\"}]}",
                                .decoder = "{\"type\":\"ByteLevel\"}"});
    assert_true(torture(open_encode_decode, &json) > 60);
    buffer_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_followed_is_refused_with_its_place),
        cmocka_unit_test(files_that_are_no_tokenizers_are_refused),
        cmocka_unit_test(m8_a_content_of_ten_kilobytes_is_refused),
        cmocka_unit_test(m10_a_thousand_levels_are_refused),
        cmocka_unit_test(m5_m7_millions_of_entries_are_refused),
        cmocka_unit_test(flags_choose_marks_and_templates),
        cmocka_unit_test(m14_text_that_spells_special_tokens_stays_text),
        cmocka_unit_test(m6_only_exact_byte_tokens_are_bytes),
        cmocka_unit_test(unknown_ids_are_not_decoded),
        cmocka_unit_test(m13_long_runs_end),
        cmocka_unit_test(m13_long_runs_end_where_patterns_and_normal_forms_work),
        cmocka_unit_test(m9_a_pattern_that_takes_too_long_is_an_error),
        cmocka_unit_test(m9_a_pattern_with_groups_splits_like_one_without),
        cmocka_unit_test(zero_bytes_are_characters),
        cmocka_unit_test(lists_grow_and_move),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
