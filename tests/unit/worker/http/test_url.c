/* URLs from templates: placeholders, encoding, parameters, and which settings are refused. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/http/url.h"

#include <string.h>

static void templates_become_legal_urls(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"worker_and_job", "https://h/job-done/$RUNPOD_POD_ID/$ID", "https://h/job-done/w%201/a%2Fb"},
        {"longest_name_counts", "https://h/$IDX/$ID", "https://h/$IDX/a%2Fb"},
        {"unknown_gpu_stays", "https://h/$ID?gpu=$RUNPOD_GPU_TYPE_ID", "https://h/a%2Fb?gpu=$RUNPOD_GPU_TYPE_ID"},
        {"space_in_query", "https://h/$ID?gpu=RTX A5000", "https://h/a%2Fb?gpu=RTX+A5000"},
        {"space_in_path", "https://h/a b/$ID", "https://h/a%20b/a%2Fb"},
        {"plus_and_percent_stay", "https://h/?gpu=RTX+A%205", "https://h/?gpu=RTX+A%205"},
        {"not_ascii", "https://h/\xc3\xbc?x=\xc3\xbc", "https://h/%C3%BC?x=%C3%BC"},
        {"illegal_bytes", "https://h/<\"{|}\\^`>", "https://h/%3C%22%7B%7C%7D%5C%5E%60%3E"},
        {"all_occurrences", "https://h/$ID/$ID", "https://h/a%2Fb/a%2Fb"},
        {"lone_dollar", "https://h/$", "https://h/$"},
    };
    const struct url_value values[] = {{"RUNPOD_POD_ID", "w 1"}, {"ID", "a/b"}, {"RUNPOD_GPU_TYPE_ID", NULL}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        url_expand(&out, cases[i].text, values, ARRAY_LENGTH(values));
        if (strcmp(out.data, cases[i].want) != 0) fail_msg("%s: %s", cases[i].name, out.data);
        buffer_free(&out);
    }
}

static void ids_cannot_change_the_url(void **state)
{
    static const struct {
        const char *id, *want;
    } cases[] = {
        {"5e0ae067-ab-u1", "5e0ae067-ab-u1"},
        {"..", "%2E%2E"},
        {".", "%2E"},
        {"../../x", "%2E%2E%2F%2E%2E%2Fx"},
        {"a.b", "a.b"},
        {"/?#%0d%0a", "%2F%3F%23%250d%250a"},
        {"$ID", "%24ID"},
        {"a\r\nb", "a%0D%0Ab"},
        {"\xe6\x97\xa5", "%E6%97%A5"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        url_encode(&out, cases[i].id);
        if (strcmp(out.data, cases[i].want) != 0) fail_msg("%s: %s", cases[i].id, out.data);
        buffer_free(&out);
    }
}

static void parameters_are_added_with_the_right_sign(void **state)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"https://h/x", "https://h/x?a=1%2C2&b=3"},
        {"https://h/x?", "https://h/x?a=1%2C2&b=3"},
        {"https://h/x?gpu=y", "https://h/x?gpu=y&a=1%2C2&b=3"},
        {"https://h/x?gpu=y&", "https://h/x?gpu=y&a=1%2C2&b=3"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer url = {0};
        buffer_append_str(&url, cases[i].url);
        url_add(&url, "a", "1,2");
        url_add_encoded(&url, "b", "3");
        assert_string_equal(url.data, cases[i].want);
        buffer_free(&url);
    }
}

static void only_the_path_segment_is_swapped(void **state)
{
    struct buffer out = {0};
    (void)state;
    assert_true(url_swap(&out, "https://h/v2/e/job-take/w?gpu=x", "/job-take/", "/job-stop/"));
    assert_string_equal(out.data, "https://h/v2/e/job-stop/w?gpu=x");
    buffer_clear(&out);
    assert_false(url_swap(&out, "https://h/v2/e/take/w?next=/job-take/", "/job-take/", "/job-stop/"));
    assert_int_equal(out.length, 0);
    buffer_free(&out);
}

static void redirects_stay_with_their_origin(void **state)
{
    static const struct {
        const char *location;
        bool same;
    } cases[] = {
        {"/other/path?x=1", true},  {"https://h:8443/x", true},      {"https://H:8443/x", true},
        {"http://h:8443/x", false}, {"https://h/x", false},          {"https://evil:8443/", false},
        {"//evil:8443/", false},    {"https://h:8443@evil/", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *target = url_resolve("https://h:8443/v2/job-done/a", cases[i].location);
        bool same = target && url_same_origin("https://h:8443/v2/job-done/a", target);
        if (same != cases[i].same) fail_msg("%s: %s", cases[i].location, target ? target : "(none)");
        mem_free(target);
    }
    assert_true(url_same_origin("https://h/x", "https://h:443/y"));
}

static void a_key_never_goes_out_in_clear_text(void **state)
{
    static const struct {
        const char *url;
        bool good, good_if_allowed;
    } cases[] = {
        {"https://api.runpod.ai/v2/x/job-take/$ID?gpu=RTX A5000", true, true},
        {"http://api.runpod.ai/v2/x/job-take/$ID", false, true},
        {"http://8.8.8.8/x", false, true},
        {"http://0.0.0.0:80/v2/IDE/job-take/$RUNPOD_POD_ID", true, true},
        {"http://127.0.0.1:8000/x", true, true},
        {"http://10.1.2.3/x", true, true},
        {"http://172.16.0.1/x", true, true},
        {"http://172.32.0.1/x", false, true},
        {"http://192.168.1.1/x", true, true},
        {"http://[::1]:80/x", true, true},
        {"http://[2001:db8::1]/x", false, true},
        {"http://orchestrator:8000/x", true, true},
        {"http://queue.internal/x", true, true},
        {"https://user:secret@h/x", false, false},
        {"https://user@h/x", false, false},
        {"https://h/x\ny", false, false},
        {"ftp://h/x", false, false},
        {"file:///etc/passwd", false, false},
        {"job-take", false, false},
        {"", false, false},
    };
    struct error err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool good = url_check_setting(cases[i].url, "TAKE_URL", false, &err) == DOCKET_OK;
        bool allowed = url_check_setting(cases[i].url, "TAKE_URL", true, &err) == DOCKET_OK;
        if (good != cases[i].good || allowed != cases[i].good_if_allowed) fail_msg("%s: %s", cases[i].url, err.message);
        assert_null(strstr(err.message, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_become_legal_urls),
        cmocka_unit_test(ids_cannot_change_the_url),
        cmocka_unit_test(parameters_are_added_with_the_right_sign),
        cmocka_unit_test(only_the_path_segment_is_swapped),
        cmocka_unit_test(redirects_stay_with_their_origin),
        cmocka_unit_test(a_key_never_goes_out_in_clear_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
