/* Statuses, codes and messages: one line of UTF-8 whatever was put in. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/status.h"

#include <string.h>

static void an_error_holds_what_was_said(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(fail(&err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: %d", "x", 7), DOCKET_CORRUPT);
    assert_int_equal(err.status, DOCKET_CORRUPT);
    assert_int_equal(err.code, CODE_model_tensor_invalid);
    assert_string_equal(err.message, "x: 7");
    error_prefix(&err, "file %d", 3);
    assert_string_equal(err.message, "file 3: x: 7");
    assert_int_equal(fail(NULL, DOCKET_IO, CODE_NONE, "%s", "x"), DOCKET_IO);
    error_prefix(NULL, "x");
    fail(&err, DOCKET_IO, CODE_NONE, "again: %s", err.message); /* an argument inside the error */
    assert_string_equal(err.message, "again: file 3: x: 7");
}

static void messages_are_one_line_of_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"newlines", "a\nb\r\nc", "a b  c"},
        {"colours", "\033[31mred\033[0m", " [31mred [0m"},
        {"delete_and_c1",
         "a\x7f"
         "b\xc2\x85"
         "c",
         "a b c"},
        {"direction",
         "a\xe2\x80\xae"
         "b\xe2\x81\xa6"
         "c\xe2\x80\x8f"
         "d",
         "a b c d"},
        {"line_separator",
         "a\xe2\x80\xa8"
         "b",
         "a b"},
        {"invalid",
         "a\xff\xc0"
         "b",
         "a??b"},
        {"invalid_at_the_end", "a\xe2\x82", "a??"},
        {"good_characters_stay", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x99\x82", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x99\x82"},
        {"percent", "%s%n%d", "%s%n%d"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err;
        fail(&err, DOCKET_IO, CODE_NONE, "%s", cases[i].text);
        if (strcmp(err.message, cases[i].want) != 0) fail_msg("%s: \"%s\"", cases[i].name, err.message);
    }
}

static void long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};
    for (size_t shift = 0; shift < 4; shift++)
        for (size_t i = 0; i < ARRAY_LENGTH(characters); i++) {
            struct error err;
            char text[3000] = "";
            memset(text, 'x', shift);
            for (size_t at = shift; at + 5 < sizeof(text); at += strlen(characters[i]))
                strcpy(text + at, characters[i]);
            fail(&err, DOCKET_IO, CODE_NONE, "%s", text);
            size_t n = strlen(err.message);
            assert_true(n >= sizeof(err.message) - 4 && n < sizeof(err.message));
            assert_true(utf8_valid(err.message, n, NULL));
            assert_memory_equal(err.message, text, n); /* nothing put in its place */
            error_prefix(&err, "prefix");
            assert_true(utf8_valid(err.message, strlen(err.message), NULL));
            assert_memory_equal(err.message + 8, text, strlen(err.message) - 8);
        }
}

static void every_code_has_a_name_that_leads_back(void **state)
{
    (void)state;
    for (int i = 1; i < N_ERROR_CODES; i++) {
        enum error_code code = (enum error_code)i;
        const char *name = error_code_name(code);
        assert_true(name[0] >= 'a' && name[0] <= 'z');
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        assert_int_equal(error_code_by_name(name), code);
        assert_true(strlen(error_code_meaning(code)) > 5);
        const char *scope = error_code_scope(code);
        assert_true(!strcmp(scope, "document") || !strcmp(scope, "job") || !strcmp(scope, "model") ||
                    !strcmp(scope, "queue"));
    }
    assert_int_equal(error_code_by_name("no_such_code"), CODE_NONE);
    assert_int_equal(error_code_by_name(""), CODE_NONE);
    assert_string_equal(error_code_name(CODE_NONE), "");
    assert_string_equal(error_code_name((enum error_code)9999), "");
    assert_string_equal(status_name(DOCKET_NO_MEMORY), "NO_MEMORY");
    assert_string_equal(status_name((enum status)999), "?");
}

static void failures_of_the_model_end_with_their_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        enum error_code code;
        int want;
    } cases[] = {
        {DOCKET_OK, CODE_NONE, 0},
        {DOCKET_NOT_FOUND, CODE_model_file_missing, 66},
        {DOCKET_REFUSED, CODE_model_file_missing, 66},
        {DOCKET_REFUSED, CODE_NONE, 65},
        {DOCKET_CORRUPT, CODE_model_header_invalid, 65},
        {DOCKET_UNSUPPORTED, CODE_model_config_unsupported, 65},
        {DOCKET_UNSUPPORTED, CODE_tokenizer_unsupported, 65},
        {DOCKET_IO, CODE_model_read_error, 74},
        {DOCKET_NETWORK, CODE_hub_unreachable, 74},
        {DOCKET_NOT_FOUND, CODE_hub_refused, 76},
        {DOCKET_CORRUPT, CODE_hub_answer_invalid, 65},
        {DOCKET_CORRUPT, CODE_model_checksum_wrong, 65},
        {DOCKET_NO_MEMORY, CODE_NONE, 71},
        {DOCKET_BAD_CONFIG, CODE_NONE, 78},
        {DOCKET_DEVICE, CODE_NONE, 69},
        {DOCKET_INTERNAL, CODE_internal_error, 70},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = {.status = cases[i].status, .code = cases[i].code};
        if (exit_code_of(&err) != cases[i].want)
            fail_msg("%s %s: %d", status_name(err.status), error_code_name(err.code), exit_code_of(&err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_holds_what_was_said),
        cmocka_unit_test(messages_are_one_line_of_utf8),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(every_code_has_a_name_that_leads_back),
        cmocka_unit_test(failures_of_the_model_end_with_their_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
