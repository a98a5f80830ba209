/* Bodies of posts: the shapes that callers of the platform parse. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/queue/bodies.h"

#include <string.h>

static void results_have_the_sdks_shape(void **state)
{
    static const struct {
        const char *output, *error, *want;
        bool stop;
    } cases[] = {
        {"[1, 2]", NULL, "{\"output\": [1, 2]}", false},
        {"null", NULL, "{\"output\": null}", false},
        {NULL, NULL, "{}", false},
        {NULL, NULL, "{\"stopPod\": true}", true},
        {"{\"a\": 1}", "bad \"thing\"\n", "{\"output\": {\"a\": 1}, \"error\": \"bad \\\"thing\\\"\\n\"}", false},
        {NULL, "gr\xc3\xb6\xc3\x9f", "{\"error\": \"gr\xc3\xb6\xc3\x9f\", \"stopPod\": true}", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        body_result(&out, cases[i].output, cases[i].output ? strlen(cases[i].output) : 0, cases[i].error,
                    cases[i].error ? strlen(cases[i].error) : 0, cases[i].stop);
        assert_string_equal(out.data, cases[i].want);
        buffer_free(&out);
    }
}

static void the_error_report_has_six_keys_escaped_inside_a_string(void **state)
{
    struct buffer out = {0};
    struct error why = {DOCKET_BAD_INPUT, CODE_job_field_invalid, "labels: want \"a\", got \xc3\xbc"};
    (void)state;
    body_error_report(&out, &why, &(struct body_report){.worker_id = "w1"});
    assert_string_equal(
        out.data, "{\"error\": \"{\\\"error_type\\\": \\\"job_field_invalid\\\", \\\"error_message\\\": \\\"labels: "
                  "want \\\\\\\"a"
                  "\\\\\\\", got \\\\u00fc\\\", \\\"error_traceback\\\": \\\"\\\", \\\"hostname\\\": \\\"unknown\\\", "
                  "\\\"worker_id\\\": \\\"w1\\\", \\\"runpod_version\\\": \\\"1.12.0\\\"}\"}");
    cJSON *outer = NULL, *inner = NULL;
    assert_int_equal(json_parse(&outer, out.data, out.length, NULL, NULL), DOCKET_OK);
    const char *text = cJSON_GetObjectItem(outer, "error")->valuestring;
    assert_int_equal(json_parse(&inner, text, strlen(text), NULL, NULL), DOCKET_OK);
    assert_int_equal(cJSON_GetArraySize(inner), 6);
    cJSON_Delete(outer);
    cJSON_Delete(inner);
    buffer_free(&out);
}

static void only_one_valid_document_within_the_limit_is_posted(void **state)
{
    static const struct {
        const char *name, *body;
        enum error_code want;
    } cases[] = {
        {"good", "{\"output\": \"\\u0000 is data\"}", CODE_NONE},
        {"nan", "{\"output\": NaN}", CODE_internal_error},
        {"infinity", "{\"output\": 1e999}", CODE_internal_error},
        {"half", "{\"output\": {\"a\": 1}", CODE_internal_error},
        {"two", "{\"output\": 1} {\"output\": 2}", CODE_internal_error},
        {"not_utf8", "{\"output\": \"\xc0\xaf\"}", CODE_internal_error},
        {"too_large", "{\"output\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}", CODE_result_too_large},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer body = {0};
        struct error err = {0};
        buffer_append_str(&body, cases[i].body);
        enum status st = body_check(&body, 50, &err);
        if (err.code != cases[i].want || (st == DOCKET_OK) != (cases[i].want == CODE_NONE))
            fail_msg("%s: %s", cases[i].name, err.message);
        buffer_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_the_sdks_shape),
        cmocka_unit_test(the_error_report_has_six_keys_escaped_inside_a_string),
        cmocka_unit_test(only_one_valid_document_within_the_limit_is_posted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
