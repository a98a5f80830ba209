/* The gate in front of cJSON: what passes is one strict JSON document within its limits. Rows J1 to J3, J5 to J10. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT(s) s, sizeof(s) - 1
static const struct {
    const char *name, *text;
    size_t length;
    enum error_code want; /* CODE_NONE: accepted */
    const char *part;
} cases[] = {
    {"object", TEXT("{\"a\":[1,-2.5e+3,true,false,null,\"x\"],\"b\":{}}"), CODE_NONE, ""},
    {"white_space", TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n"), CODE_NONE, ""},
    {"bare_string", TEXT("\"a\""), CODE_NONE, ""},
    {"bare_number", TEXT("-0"), CODE_NONE, ""},
    {"escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude42\""), CODE_NONE, ""},
    {"empty_key", TEXT("{\"\":1}"), CODE_NONE, ""},
    {"delete_is_no_control", TEXT("\"\x7f\""), CODE_NONE, ""},
    {"highest_character", TEXT("\"\xf4\x8f\xbf\xbf\""), CODE_NONE, ""},
    {"j1_empty", TEXT(""), CODE_job_malformed, "ends at byte 0"},
    {"j1_white_space", TEXT("  "), CODE_job_malformed, "ends at byte 2"},
    {"j1_text", TEXT("hello"), CODE_job_malformed, "byte 0"},
    {"j1_cut_object", TEXT("{\"a\":1"), CODE_job_malformed, "ends at byte 6"},
    {"j1_cut_key", TEXT("{\"a"), CODE_job_malformed, "ends at byte 3"},
    {"j1_cut_array", TEXT("[1,"), CODE_job_malformed, "ends at byte 3"},
    {"j1_cut_escape", TEXT("\"\\"), CODE_job_malformed, "ends at byte 2"},
    {"j1_cut_code", TEXT("\"\\u00e"), CODE_job_malformed, "bad escape"},
    {"j1_two_documents", TEXT("{}{}"), CODE_job_malformed, "byte 2 of the JSON: bytes after the end"},
    {"j1_trailing_bytes", TEXT("{} x"), CODE_job_malformed, "byte 3"},
    {"j1_trailing_nul", TEXT("{}\0"), CODE_job_malformed, "byte 2"},
    {"j1_only_a_nul", TEXT("\0"), CODE_job_malformed, "byte 0"},
    {"j1_comma_at_the_end", TEXT("[1,]"), CODE_job_malformed, "byte 3"},
    {"j1_comma_at_the_end_of_an_object", TEXT("{\"a\":1,}"), CODE_job_malformed, "byte 7"},
    {"j1_comma_in_front", TEXT("[,1]"), CODE_job_malformed, "byte 1"},
    {"j1_missing_comma", TEXT("[1 2]"), CODE_job_malformed, "byte 3"},
    {"j1_missing_colon", TEXT("{\"a\" 1}"), CODE_job_malformed, "colon"},
    {"j1_missing_value", TEXT("{\"a\":}"), CODE_job_malformed, "byte 5"},
    {"j1_key_without_quotes", TEXT("{a:1}"), CODE_job_malformed, "quotes"},
    {"j1_single_quotes", TEXT("{'a':1}"), CODE_job_malformed, "quotes"},
    {"j1_wrong_bracket", TEXT("[1}"), CODE_job_malformed, "byte 2"},
    {"j1_comment", TEXT("/*x*/{}"), CODE_job_malformed, "byte 0"},
    {"j1_bad_escape", TEXT("\"\\x41\""), CODE_job_malformed, "bad escape"},
    {"j1_escaped_nul_byte", TEXT("\"\\\0\""), CODE_job_malformed, "bad escape"},
    {"j1_newline_in_a_string", TEXT("\"a\nb\""), CODE_job_malformed, "control character"},
    {"j1_nul_in_a_string", TEXT("\"a\0b\""), CODE_job_malformed, "control character"},
    {"j1_capital_literal", TEXT("True"), CODE_job_malformed, "byte 0"},
    {"j1_literal_with_a_tail", TEXT("nullx"), CODE_job_malformed, "byte 4"},
    {"j1_literal_cut", TEXT("tru"), CODE_job_malformed, "byte 0"},
    {"j5_twice", TEXT("{\"a\":1,\"b\":2,\"a\":3}"), CODE_job_field_duplicate, "\"a\" stands twice"},
    {"j5_twice_escaped", TEXT("{\"a\":1,\"\\u0061\":3}"), CODE_job_field_duplicate, "\"a\" stands twice"},
    {"j5_twice_by_a_surrogate_pair", TEXT("{\"\xf0\x9f\x99\x82\":1,\"\\ud83d\\ude42\":3}"), CODE_job_field_duplicate,
     "stands twice"},
    {"j5_twice_empty", TEXT("{\"\":1,\"\":3}"), CODE_job_field_duplicate, "\"\" stands twice"},
    {"j5_twice_inside", TEXT("[{\"x\":{\"a\":1,\"a\":3}}]"), CODE_job_field_duplicate, "\"a\" stands twice"},
    {"j5_twice_around_an_object", TEXT("{\"a\":{\"b\":1},\"a\":3}"), CODE_job_field_duplicate, "\"a\" stands twice"},
    {"j5_in_two_objects_is_fine", TEXT("[{\"a\":1},{\"a\":2,\"b\":{\"a\":3}}]"), CODE_NONE, ""},
    {"j5_case_makes_two_keys", TEXT("{\"a\":1,\"A\":2}"), CODE_NONE, ""},
    {"j6_invalid_byte", TEXT("\"\xff\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_overlong", TEXT("\"\xc0\xaf\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_overlong_three", TEXT("\"\xe0\x80\xaf\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_surrogate_bytes", TEXT("\"\xed\xa0\x80\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_above_the_last_character", TEXT("\"\xf4\x90\x80\x80\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_cut_character", TEXT("\"\xe2\x82\""), CODE_job_encoding_invalid, "byte 1"},
    {"j6_lone_high", TEXT("\"\\ud800\""), CODE_job_encoding_invalid, "\\ud800"},
    {"j6_lone_low", TEXT("\"\\udc00\""), CODE_job_encoding_invalid, "\\udc00"},
    {"j6_high_and_high", TEXT("\"\\ud800\\ud800\""), CODE_job_encoding_invalid, "\\ud800"},
    {"j6_high_and_letter", TEXT("\"\\ud800\\u0061\""), CODE_job_encoding_invalid, "\\ud800"},
    {"j6_lone_in_a_key", TEXT("{\"\\udfff\":1}"), CODE_job_encoding_invalid, "\\udfff"},
    {"j6_outside_a_string", TEXT("\xe2\x82\xac"), CODE_job_malformed, "byte 0"},
    {"j7_nul_in_a_key", TEXT("{\"a\\u0000b\":1}"), CODE_job_field_invalid, "in a key"},
    {"j7_nul_in_a_value", TEXT("\"a\\u0000b\""), CODE_job_field_invalid, "in a string"},
    {"j8_nan", TEXT("NaN"), CODE_job_malformed, "byte 0"},
    {"j8_infinity", TEXT("Infinity"), CODE_job_malformed, "byte 0"},
    {"j8_minus_infinity", TEXT("-Infinity"), CODE_job_malformed, "not a number"},
    {"j8_1e999", TEXT("1e999"), CODE_job_field_invalid, "not a finite number"},
    {"j8_minus_1e999", TEXT("[-1e999]"), CODE_job_field_invalid, "byte 1"},
    {"j8_01", TEXT("01"), CODE_job_malformed, "byte 1"},
    {"j8_minus_01", TEXT("-01"), CODE_job_malformed, "byte 2"},
    {"j8_1_point", TEXT("1."), CODE_job_malformed, "digit must follow"},
    {"j8_1_point_e", TEXT("1.e1"), CODE_job_malformed, "digit must follow"},
    {"j8_plus", TEXT("+1"), CODE_job_malformed, "byte 0"},
    {"j8_hexadecimal", TEXT("0x10"), CODE_job_malformed, "byte 1"},
    {"j8_point_5", TEXT(".5"), CODE_job_malformed, "byte 0"},
    {"j8_minus_point_5", TEXT("-.5"), CODE_job_malformed, "not a number"},
    {"j8_exponent_without_digits", TEXT("1e"), CODE_job_malformed, "exponent"},
    {"j8_exponent_with_sign_only", TEXT("1e+"), CODE_job_malformed, "exponent"},
    {"j8_minus_alone", TEXT("-"), CODE_job_malformed, "not a number"},
    {"j8_underscores", TEXT("1_000"), CODE_job_malformed, "byte 1"},
    {"j8_1e_minus_999_is_zero", TEXT("1e-999"), CODE_NONE, ""},
    {"j8_more_digits_than_are_read", TEXT("1.0000000000000000000000000000000000000000000000000000000000000001"),
     CODE_job_field_invalid, "63 characters"},
    {"j10_byte_order_mark", TEXT("\xef\xbb\xbf{}"), CODE_job_encoding_invalid, "byte-order mark"},
    {"j10_utf_16_little", TEXT("\xff\xfe{\0}\0"), CODE_job_encoding_invalid, "UTF-16"},
    {"j10_utf_16_big", TEXT("\xfe\xff\0{\0}"), CODE_job_encoding_invalid, "UTF-16"},
    {"j10_utf_16_without_mark", TEXT("{\0}\0"), CODE_job_encoding_invalid, "UTF-16"},
    {"j10_utf_32", TEXT("\0\0\0{"), CODE_job_encoding_invalid, "UTF-32"},
};

static void the_gate_follows_the_grammar_to_the_last_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = {0};
        char *exact = mem_dup(cases[i].text, cases[i].length); /* so that a read beyond it is seen */
        enum status st = json_gate(exact, cases[i].length, NULL, &err);
        bool right = cases[i].want == CODE_NONE ? st == DOCKET_OK
                                                : st == DOCKET_BAD_INPUT && err.code == cases[i].want &&
                                                      strstr(err.message, cases[i].part) != NULL;
        if (!right) fail_msg("%s: %s, %s: %s", cases[i].name, status_name(st), error_code_name(err.code), err.message);
        cJSON *tree = NULL;
        assert_int_equal(json_parse(&tree, exact, cases[i].length, NULL, &err) == DOCKET_OK,
                         cases[i].want == CODE_NONE);
        assert_int_equal(tree != NULL, cases[i].want == CODE_NONE);
        cJSON_Delete(tree);
        mem_free(exact);
    }
}

static enum error_code gate_of(const struct buffer *b, struct json_limits limits)
{
    struct error err = {0};
    return json_gate(b->data, b->length, &limits, &err) == DOCKET_OK ? CODE_NONE : err.code;
}

static void limits_hold_exactly_at_their_edge(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 32; i++) buffer_append_char(&b, '[');
    for (int i = 0; i < 32; i++) buffer_append_char(&b, ']');
    assert_int_equal(gate_of(&b, (struct json_limits){0}), CODE_NONE); /* 32 levels */
    assert_int_equal(gate_of(&b, (struct json_limits){.max_depth = 31}), CODE_job_too_deep);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_bytes = 64}), CODE_NONE);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_bytes = 63}), CODE_job_too_large);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_values = 32}), CODE_NONE);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_values = 31}), CODE_job_too_large);
    buffer_clear(&b);
    for (int i = 0; i < 33; i++) buffer_append_char(&b, '{'), buffer_append_str(&b, i < 32 ? "\"a\":" : "}");
    assert_int_equal(gate_of(&b, (struct json_limits){0}), CODE_job_too_deep);
    buffer_clear(&b);
    buffer_append_str(&b, "{\"a\":1,\"b\":{\"c\":2},\"d\":3}"); /* at most three keys are open at a time */
    assert_int_equal(gate_of(&b, (struct json_limits){.max_keys = 3}), CODE_NONE);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_keys = 2}), CODE_job_too_large);
    buffer_free(&b);
}

static void j2_a_hundred_thousand_brackets_are_too_deep(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 100000; i++) buffer_append_char(&b, '[');
    assert_int_equal(gate_of(&b, (struct json_limits){0}), CODE_job_too_deep);
    assert_int_equal(gate_of(&b, (struct json_limits){.max_depth = SIZE_MAX}), CODE_job_too_deep); /* there is an end */
    buffer_free(&b);
}

static void j3_too_many_values_are_refused_before_a_tree_is_built(void **state)
{
    (void)state;
    struct buffer b = {0};
    struct error err = {0};
    cJSON *tree = NULL;
    buffer_append_char(&b, '[');
    for (int i = 0; i < 2000000; i++) buffer_append_str(&b, i ? ",0" : "0");
    buffer_append_char(&b, ']');
    mem_fail_at(1, true); /* an array needs no memory in the gate */
    enum status st = json_parse(&tree, b.data, b.length, NULL, &err);
    mem_fail_at(0, false);
    assert_int_equal(st, DOCKET_BAD_INPUT);
    assert_int_equal(err.code, CODE_job_too_large);
    assert_null(tree);
    buffer_free(&b);
}

/* Doubles among many keys are found, and none is seen where there is none: through growth of the table and objects in between. */
static void j5_doubles_are_found_among_many_keys(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct buffer b = {0};
        buffer_append_char(&b, '{');
        for (int i = 0; i < 20000; i++) buffer_printf(&b, "\"key%d\":{\"key%d\":1,\"x\":2},", i, i);
        buffer_append_str(&b, twice ? "\"key7\":0}" : "\"key20000\":0}");
        assert_int_equal(gate_of(&b, (struct json_limits){0}), twice ? CODE_job_field_duplicate : CODE_NONE);
        buffer_free(&b);
    }
}

static void nul_escapes_are_let_through_where_that_is_asked(void **state)
{
    (void)state;
    const struct json_limits limits = {.nul_in_values = true};
    static const char text[] = "{\"t\":\"a\\u0000b\\\\u0000\",\"u\":\"\\u0000\"}";
    struct error err;
    cJSON *tree;
    assert_int_equal(json_parse(&tree, text, strlen(text), &limits, &err), DOCKET_OK);
    const char *t = cJSON_GetObjectItem(tree, "t")->valuestring, *u = cJSON_GetObjectItem(tree, "u")->valuestring;
    assert_int_equal(t[1], (char)JSON_NUL_MARK);
    assert_string_equal(t + 2, "b\\u0000"); /* a backslash and letters, no escape */
    assert_int_equal(u[0], (char)JSON_NUL_MARK);
    assert_int_equal(u[1], '\0');
    cJSON_Delete(tree);
    assert_int_equal(json_gate("{\"\\u0000\":1}", 12, &limits, &err), DOCKET_BAD_INPUT); /* never in keys */
}

static cJSON *parse(const char *text)
{
    struct error err;
    cJSON *tree = NULL;
    if (json_parse(&tree, text, strlen(text), NULL, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return tree;
}

static void j9_integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t low, high;
        bool good;
        int64_t want;
    } integers[] = {
        {"7", 0, 10, true, 7},
        {"0", 0, 10, true, 0},
        {"10", 0, 10, true, 10},
        {"-1", 0, 10, false, 0},
        {"11", 0, 10, false, 0},
        {"1.5", 0, 10, false, 0},
        {"1e1", 0, 10, true, 10},
        {"\"7\"", 0, 10, false, 0},
        {"true", 0, 10, false, 0},
        {"[7]", 0, 10, false, 0},
        {"9007199254740991", 0, INT64_MAX, true, INT64_C(9007199254740991)},
        {"9007199254740992", 0, INT64_MAX, false, 0},
        {"9007199254740993", 0, INT64_MAX, false, 0},
        {"-9007199254740991", INT64_MIN, 0, true, INT64_C(-9007199254740991)},
        {"-9007199254740993", INT64_MIN, 0, false, 0},
        {"2147483648", 0, INT64_MAX, true, INT64_C(2147483648)}, /* where cJSON's own field stops */
        {"1e300", 0, INT64_MAX, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(integers); i++) {
        char text[100];
        struct error err = {0};
        int64_t value = -77;
        snprintf(text, sizeof(text), "{\"n\":%s}", integers[i].text);
        cJSON *tree = parse(text);
        enum status st = json_get_integer(tree, "$", "n", integers[i].low, integers[i].high, &value, NULL, &err);
        if ((st == DOCKET_OK) != integers[i].good) fail_msg("%s: %s", integers[i].text, err.message);
        assert_int_equal(value, integers[i].good ? integers[i].want : -77);
        if (!integers[i].good) assert_non_null(strstr(err.message, "$.n: want a whole number from "));
        cJSON_Delete(tree);
    }
}

static void typed_access_names_path_and_value(void **state)
{
    (void)state;
    struct error err;
    cJSON *tree = parse("{\"s\":\"text\",\"b\":true,\"n\":0.5,\"o\":{},\"a\":[],\"z\":null}");
    const char *s = NULL;
    const cJSON *child;
    bool b = false, present = true;
    double n = 0;
    assert_int_equal(json_get_string(tree, "$", "s", &s, NULL, &err), DOCKET_OK);
    assert_string_equal(s, "text");
    assert_int_equal(json_get_bool(tree, "$", "b", &b, &present, &err), DOCKET_OK);
    assert_true(b && present);
    assert_int_equal(json_get_number(tree, "$", "n", 0, 1, &n, NULL, &err), DOCKET_OK);
    assert_true(n == 0.5);
    assert_int_equal(json_get_object(tree, "$", "o", &child, NULL, &err), DOCKET_OK);
    assert_int_equal(json_get_array(tree, "$", "a", &child, NULL, &err), DOCKET_OK);
    assert_int_equal(json_get_string(tree, "$", "z", &s, &present, &err), DOCKET_OK);
    assert_false(present);
    assert_int_equal(json_get_string(tree, "$", "q", &s, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "$.q: missing");
    assert_int_equal(json_get_string(tree, "$", "z", &s, NULL, &err), DOCKET_BAD_INPUT);
    assert_int_equal(json_get_string(tree, "d[3]", "n", &s, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "d[3].n: want a string, got 0.5");
    assert_int_equal(json_get_bool(tree, "$", "s", &b, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "$.s: want true or false, got \"text\"");
    assert_int_equal(json_get_number(tree, "$", "n", 0, 0.25, &n, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "$.n: want a number from 0 to 0.25, got 0.5");
    assert_int_equal(json_get_object(tree, "$", "a", &child, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "$.a: want an object, got an array");
    assert_int_equal(json_get_array(tree, "$", "o", &child, NULL, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "$.o: want an array, got an object");
    assert_int_equal(err.code, CODE_job_field_invalid);
    assert_int_equal(json_get_string(tree, "$", "S", &s, &present, &err), DOCKET_OK); /* with case */
    assert_false(present);
    cJSON_Delete(tree);
}

static void j11_unknown_keys_are_named_with_their_neighbour(void **state)
{
    (void)state;
    static const char *const known[] = {"labels", "documents", "top_k", NULL};
    static const struct {
        const char *text, *message;
    } keys[] = {
        {"{\"labels\":1,\"top_k\":2}", NULL},
        {"{}", NULL},
        {"{\"Labels\":1}", "$.Labels: unknown key; did you mean labels?"},
        {"{\"lables\":1}", "$.lables: unknown key; did you mean labels?"},
        {"{\"topk\":1}", "$.topk: unknown key; did you mean top_k?"},
        {"{\"__proto__\":1}", "$.__proto__: unknown key"},
        {"{\"\":1}", "$.: unknown key"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        struct error err = {0};
        cJSON *tree = parse(keys[i].text);
        enum status st = json_only_keys(tree, "$", known, &err);
        assert_int_equal(st == DOCKET_OK, keys[i].message == NULL);
        if (keys[i].message) assert_string_equal(err.message, keys[i].message);
        cJSON_Delete(tree);
    }
}

static void values_are_described_shortly(void **state)
{
    (void)state;
    char out[100];
    cJSON *tree = parse(
        "[\"short\",\"01234567890123456789012345678901234567\xc3\xa9\xc3\xa9\xc3\xa9\",12345678901,[],{},null,true]");
    static const char *const want[] = {"\"short\"",   "\"01234567890123456789012345678901234567\xc3\xa9\xe2\x80\xa6\"",
                                       "12345678901", "an array",
                                       "an object",   "null",
                                       "true"};
    for (int i = 0; i < 7; i++) {
        json_describe(cJSON_GetArrayItem(tree, i), out, sizeof(out));
        assert_string_equal(out, want[i]);
    }
    cJSON_Delete(tree);
}

static void what_is_written_is_read_back_the_same(void **state)
{
    (void)state;
    struct buffer b = {0};
    struct json_writer w = {.out = &b};
    static const char hostile[] =
        "quote\" back\\ line\n tab\t ctrl\x01 del\x7f nul\0 e\xcc\x81 \xf0\x9f\x99\x82 \xff\xc0 \xe2\x80\xa8 end";
    json_begin_object(&w, NULL);
    json_put_string_n(&w, "text", hostile, sizeof(hostile) - 1);
    json_put_string(&w, "none", NULL);
    json_begin_array(&w, "list");
    json_put_i64(&w, NULL, INT64_MIN);
    json_put_u64(&w, NULL, UINT64_MAX);
    json_put_double(&w, NULL, 0.1);
    json_put_double(&w, NULL, NAN);
    json_put_double(&w, NULL, -INFINITY);
    json_put_fixed(&w, NULL, 2.0 / 3, 4);
    json_put_bool(&w, NULL, true);
    json_put_raw(&w, NULL, "{}");
    json_begin_object(&w, NULL);
    json_end_object(&w);
    json_end_array(&w);
    json_put_string(&w, "a\"key", "x");
    json_end_object(&w);
    static const char want[] =
        "{\"text\":\"quote\\\" back\\\\ line\\n tab\\t ctrl\\u0001 del\\u007f nul\\u0000 e\xcc\x81 "
        "\xf0\x9f\x99\x82 \\ufffd\\ufffd \\u2028 end\",\"none\":null,\"list\":[-9223372036854775808,"
        "18446744073709551615,0.1,null,null,0.6667,true,{},{}],\"a\\\"key\":\"x\"}";
    assert_string_equal(b.data, want);
    const struct json_limits limits = {.nul_in_values = true};
    assert_int_equal(json_gate(b.data, b.length, &limits, NULL), DOCKET_OK);
    buffer_clear(&b);
    json_escape(&b, "\xc3\xa9\xf0\x9f\x99\x82\xff", 7, true);
    assert_string_equal(b.data, "\\u00e9\\ud83d\\ude42\\ufffd");
    buffer_clear(&b);
    w = (struct json_writer){.out = &b, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_i64(&w, "a", 1);
    json_put_i64(&w, "b", 2);
    json_end_object(&w);
    assert_string_equal(b.data, "{\"a\": 1, \"b\": 2}");
    buffer_free(&b);
}

static void doubles_read_back_equal(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int i = 0; i < 20000; i++) {
        struct buffer b = {0};
        struct json_writer w = {.out = &b};
        double value, back;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &seed, sizeof(value));
        if (!isfinite(value)) continue;
        json_put_double(&w, NULL, value);
        assert_int_equal(sscanf(b.data, "%lf", &back), 1);
        assert_memory_equal(&back, &value, sizeof(value));
        assert_int_equal(json_gate(b.data, b.length, NULL, NULL), DOCKET_OK);
        buffer_free(&b);
    }
}

static enum status parse_all(void *context, struct error *err)
{
    const struct json_limits limits = {.nul_in_values = true};
    cJSON *tree = NULL;
    enum status st = json_parse(&tree, context, strlen(context), &limits, err);
    cJSON_Delete(tree);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static char text[] = "{\"a\":[1,2,{\"b\":\"\\u0000\"}],\"c\":\"text\",\"\":{}}";
    assert_true(torture(parse_all, text) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gate_follows_the_grammar_to_the_last_byte),
        cmocka_unit_test(limits_hold_exactly_at_their_edge),
        cmocka_unit_test(j2_a_hundred_thousand_brackets_are_too_deep),
        cmocka_unit_test(j3_too_many_values_are_refused_before_a_tree_is_built),
        cmocka_unit_test(j5_doubles_are_found_among_many_keys),
        cmocka_unit_test(nul_escapes_are_let_through_where_that_is_asked),
        cmocka_unit_test(j9_integers_are_exact_or_refused),
        cmocka_unit_test(typed_access_names_path_and_value),
        cmocka_unit_test(j11_unknown_keys_are_named_with_their_neighbour),
        cmocka_unit_test(values_are_described_shortly),
        cmocka_unit_test(what_is_written_is_read_back_the_same),
        cmocka_unit_test(doubles_read_back_equal),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
