/* Reading JSON in place: the same values that cJSON finds, and integers to the last digit. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"

#include <string.h>

static struct json_cursor over(const char *text)
{
    return json_cursor_of(text, strlen(text));
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_kind want;
    } cases[] = {{" {}", JSON_OBJECT}, {"[]", JSON_ARRAY},  {"\"\"", JSON_STRING}, {"-1", JSON_NUMBER},
                 {"0", JSON_NUMBER},   {"true", JSON_BOOL}, {"false", JSON_BOOL},  {"null", JSON_NULL},
                 {"", JSON_NOTHING},   {"]", JSON_NOTHING}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_cursor c = over(cases[i].text);
        assert_int_equal(json_cursor_kind(&c), cases[i].want);
    }
}

static void members_and_elements_come_in_order(void **state)
{
    (void)state;
    struct json_cursor c = over(" { \"a\" : [ 1 , [2,\"]\"] , 3 ] , \"b\\u0062\" : {\"x\":\"}\"} , \"c\":true } ");
    struct json_span key, whole;
    uint64_t n = 0;
    bool flag = false;
    assert_true(json_cursor_enter(&c));
    assert_true(json_cursor_member(&c, &key) && json_span_is(key, "a"));
    assert_true(json_cursor_enter(&c));
    assert_true(json_cursor_element(&c) && json_cursor_integer(&c, &n) && n == 1);
    assert_true(json_cursor_element(&c));
    whole = json_cursor_skip(&c);
    assert_int_equal(whole.length, 7);
    assert_true(json_cursor_element(&c) && json_cursor_integer(&c, &n) && n == 3);
    assert_false(json_cursor_element(&c));
    assert_true(json_cursor_member(&c, &key) && json_span_is(key, "bb"));
    whole = json_cursor_skip(&c);
    assert_memory_equal(whole.text, "{\"x\":\"}\"}", whole.length);
    assert_true(json_cursor_member(&c, &key) && json_cursor_bool(&c, &flag) && flag);
    assert_false(json_cursor_member(&c, &key));
    assert_int_equal(json_cursor_kind(&c), JSON_NOTHING);
}

static void integers_are_plain_digits_below_2_53(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint64_t want;
    } cases[] = {{"0", true, 0},      {"9007199254740991", true, UINT64_C(9007199254740991)},
                 {"7,", true, 7},     {"9007199254740992", false, 0},
                 {"-1", false, 0},    {"99999999999999999999999999", false, 0},
                 {"-0", false, 0},    {"1.0", false, 0},
                 {"1e2", false, 0},   {"1E2", false, 0},
                 {"\"1\"", false, 0}, {"null", false, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_cursor c = over(cases[i].text);
        uint64_t value = 55;
        assert_int_equal(json_cursor_integer(&c, &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].want : 55);
        if (!cases[i].good) assert_ptr_equal(c.at, cases[i].text); /* it stays */
    }
}

static void keys_are_found_at_their_level_only(void **state)
{
    (void)state;
    static const char text[] = "{\"x\":{\"a\":1},\"b\":\"a\",\"\\u0061\":{\"c\":2}}";
    struct json_span object = {text, sizeof(text) - 1}, value;
    assert_true(json_span_find(object, "a", &value));
    assert_memory_equal(value.text, "{\"c\":2}", value.length);
    assert_false(json_span_find(object, "c", &value));
    assert_false(json_span_find(object, "A", &value));
    assert_false(json_span_find((struct json_span){"[]", 2}, "a", &value));
    assert_false(json_span_find((struct json_span){"", 0}, "a", &value));
}

static void strings_are_unescaped_as_cjson_does(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"\"",
                                        "\"plain\"",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                        "\"\\u00e9\\u20ac\\ud83d\\ude42\\uD83D\\uDE42\"",
                                        "\"a\\u0041b\"",
                                        "\"\xe2\x82\xac\\\\u0041\""};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct json_cursor c = over(texts[i]);
        struct json_span raw;
        struct error err;
        char out[100];
        cJSON *tree;
        assert_int_equal(json_parse(&tree, texts[i], strlen(texts[i]), NULL, &err), DOCKET_OK);
        assert_true(json_cursor_string(&c, &raw));
        size_t n = json_unescape(raw, out);
        assert_true(n <= raw.length);
        out[n] = '\0';
        assert_string_equal(out, tree->valuestring);
        assert_true(json_span_is(raw, tree->valuestring));
        out[n] = 'x';
        out[n + 1] = '\0';
        assert_false(json_span_is(raw, out));
        if (n > 0) {
            out[n - 1] = '\0';
            assert_false(json_span_is(raw, out));
        }
        cJSON_Delete(tree);
    }
}

/* Text that no gate has passed: nothing sensible comes out, but nothing is read beyond the end either, and all loops end. */
static void ungated_text_keeps_its_bounds(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:\\u0dtfn1- ";
    uint64_t seed = 1;
    for (int i = 0; i < 50000; i++) {
        size_t length = (size_t)i % 24;
        char *text = mem_alloc(length);
        for (size_t k = 0; k < length; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[k] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
        }
        struct json_cursor c = json_cursor_of(text, length);
        struct json_span key = {text, length}, value;
        char out[64];
        json_span_find(key, "u0", &value);
        json_span_is(key, "0\t");
        assert_true(json_unescape(key, out) <= length + 2);
        if (json_cursor_enter(&c))
            for (int n = 0; n < 100 && json_cursor_member(&c, &key); n++) {
                json_cursor_skip(&c);
                assert_true(c.at <= c.end);
            }
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(members_and_elements_come_in_order),
        cmocka_unit_test(integers_are_plain_digits_below_2_53),
        cmocka_unit_test(keys_are_found_at_their_level_only),
        cmocka_unit_test(strings_are_unescaped_as_cjson_does),
        cmocka_unit_test(ungated_text_keeps_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
