/* What a hub says, checked: names, commits, checksums, sizes; and that memory which is not there loses nothing. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/digest.h"
#include "worker/hub/answers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHA            "0123456789012345678901234567890123456789"
#define LIST(siblings) "{\"sha\": \"" SHA "\", \"siblings\": [" siblings "]}"

static const struct {
    const char *name, *json, *message;
    enum status want;
} listings[] = {
    {"two_files", LIST("{\"rfilename\": \"config.json\", \"size\": 3}, {\"rfilename\": \"a/b.json\"}"), "", DOCKET_OK},
    {"none", LIST(""), "", DOCKET_OK},
    {"escape", LIST("{\"rfilename\": \"../x\"}"), "stays in its folder", DOCKET_CORRUPT},
    {"escape_inside", LIST("{\"rfilename\": \"a/../../x\"}"), "siblings[0]", DOCKET_CORRUPT},
    {"absolute", LIST("{\"rfilename\": \"/etc/passwd\"}"), "stays in its folder", DOCKET_CORRUPT},
    {"backslash", LIST("{\"rfilename\": \"a\\\\b\"}"), "stays in its folder", DOCKET_CORRUPT},
    {"control", LIST("{\"rfilename\": \"a\\nb\"}"), "stays in its folder", DOCKET_CORRUPT},
    {"nul", LIST("{\"rfilename\": \"a\\u0000b\"}"), "the hub's listing", DOCKET_CORRUPT},
    {"empty_name", LIST("{\"rfilename\": \"\"}"), "stays in its folder", DOCKET_CORRUPT},
    {"size_negative", LIST("{\"rfilename\": \"a\", \"size\": -1}"), "size", DOCKET_CORRUPT},
    {"size_text", LIST("{\"rfilename\": \"a\", \"size\": \"1\"}"), "size", DOCKET_CORRUPT},
    {"no_name", LIST("{}"), "rfilename", DOCKET_CORRUPT},
    {"not_an_object", LIST("7"), "siblings[0]", DOCKET_CORRUPT},
    {"no_commit", "{\"siblings\": []}", "sha", DOCKET_CORRUPT},
    {"commit_short", "{\"sha\": \"abc\", \"siblings\": []}", "40 hexadecimal", DOCKET_CORRUPT},
    {"no_siblings", "{\"sha\": \"" SHA "\"}", "siblings", DOCKET_CORRUPT},
    {"array", "[]", "object", DOCKET_CORRUPT},
    {"html", "<html>", "the hub's listing", DOCKET_CORRUPT},
    {"empty", "", "the hub's listing", DOCKET_CORRUPT},
};

static void a_listing_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(listings); i++) {
        struct hub_listing list = {0};
        struct error err = {0};
        enum status st = hub_listing_parse(&list, listings[i].json, strlen(listings[i].json), &err);
        if (st != listings[i].want || !strstr(err.message, listings[i].message))
            fail_msg("%s: %s: %s", listings[i].name, status_name(st), err.message);
        if (st != DOCKET_OK) assert_int_equal(err.code, CODE_hub_answer_invalid);
        hub_listing_free(&list);
    }
}

static void weights_are_safetensors_or_named(void **state)
{
    static const struct {
        const char *json, *entry, *message;
    } cases[] = {
        {LIST("{\"rfilename\": \"model.safetensors.index.json\"}, {\"rfilename\": \"model.safetensors\"}"),
         "model.safetensors", ""},
        {LIST("{\"rfilename\": \"model.safetensors.index.json\"}"), "model.safetensors.index.json", ""},
        {LIST("{\"rfilename\": \"pytorch_model.bin\"}"), NULL, "pytorch_model.bin"},
        {LIST("{\"rfilename\": \"README.md\"}"), NULL, "neither"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct hub_listing list = {0};
        struct error err = {0};
        const char *entry = NULL;
        assert_int_equal(hub_listing_parse(&list, cases[i].json, strlen(cases[i].json), &err), DOCKET_OK);
        enum status st = hub_weights_entry(&entry, &list, &err);
        assert_int_equal(st, cases[i].entry ? DOCKET_OK : DOCKET_UNSUPPORTED);
        if (cases[i].entry) assert_string_equal(entry, cases[i].entry);
        assert_non_null(strstr(err.message, cases[i].message));
        hub_listing_free(&list);
    }
}

static void only_what_is_read_is_needed(void **state)
{
    static const char *const yes[] = {"config.json", "tokenizer.json", "tokenizer.model", "tokenizer.model.v3",
                                      "chat_template.jinja"};
    static const char *const no[] = {"pytorch_model.bin", "model.py",           "README.md",
                                     "onnx/config.json",  "tokenizer.model./x", "consolidated.safetensors",
                                     "training_args.bin"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(yes); i++) assert_true(hub_file_is_needed(yes[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(no); i++) assert_false(hub_file_is_needed(no[i]));
}

static void shards_are_named_once_and_stay(void **state)
{
    static const char good[] =
        "{\"weight_map\": {\"a\": \"m-2.safetensors\", \"b\": \"m-1.safetensors\", \"c\": \"m-2.safetensors\"}}";
    static const char *const bad[] = {"{\"weight_map\": {\"a\": \"../m.safetensors\"}}",
                                      "{\"weight_map\": {\"a\": \"m.bin\"}}",
                                      "{\"weight_map\": {\"a\": 7}}",
                                      "{\"weight_map\": {}}",
                                      "{\"weight_map\": []}",
                                      "{}",
                                      "[]",
                                      "x",
                                      "{\"weight_map\": {\"a\": \".safetensors\"}}"};
    char **names = NULL;
    size_t n = 0;
    struct error err = {0};
    (void)state;
    assert_int_equal(hub_index_shards(&names, &n, good, strlen(good), &err), DOCKET_OK);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "m-2.safetensors");
    assert_string_equal(names[1], "m-1.safetensors");
    hub_names_free(names, n);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        names = NULL;
        if (hub_index_shards(&names, &n, bad[i], strlen(bad[i]), &err) == DOCKET_OK) fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, CODE_model_index_invalid);
        assert_null(names);
    }
}

static void headers_become_facts_only_when_they_make_sense(void **state)
{
    struct hub_headers h = {0};
    (void)state;
    hub_headers_add(&h, "ETag", "W/\"" SHA "\"");
    hub_headers_add(&h, "Content-Length", "12");
    assert_string_equal(h.etag, SHA);
    assert_true(h.sized && h.size_bytes == 12);
    hub_headers_add(&h, "x-linked-etag", "\"ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789\"");
    hub_headers_add(&h, "X-Linked-Size", "7000000000");
    hub_headers_add(&h, "ETag", "\"" SHA "\"");
    hub_headers_add(&h, "Content-Length", "0");
    assert_string_equal(h.etag, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    assert_true(h.size_bytes == UINT64_C(7000000000));
    hub_headers_add(&h, "Content-Range", "bytes 3-5/6");
    assert_true(h.ranged && h.range_first == 3 && h.range_last == 5 && h.range_total == 6);
    static const char *const ranges[] = {"bytes 3-6/6",
                                         "bytes 5-3/6",
                                         "bytes */6",
                                         "3-5/6",
                                         "bytes 3-5/*",
                                         "bytes -3-5/6",
                                         "bytes 0-99999999999999999999/6"};
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        hub_headers_add(&h, "Content-Range", ranges[i]);
        if (h.ranged) fail_msg("%s", ranges[i]);
    }
    hub_headers_add(&h, "", "");
    assert_true(!h.etag[0] && !h.sized && !h.linked);
    hub_headers_add(&h, "ETag", "\"../../../../etc/passwd\"");
    hub_headers_add(&h, "Content-Length", "18446744073709551616");
    hub_headers_add(&h, "X-Repo-Commit", "../x");
    assert_true(!h.etag[0] && !h.sized && !h.commit[0]);
}

static void checksums_are_those_of_git_and_sha256sum(void **state)
{
    char folder[256], hex[DIGEST_HEX_BYTES];
    struct error err;
    (void)state;
    scratch_make(folder, sizeof(folder));
    scratch_write_text(folder, "hello", "hello\n");
    int fd = open(scratch_path(folder, "hello"), O_RDONLY);
    assert_int_equal(digest_file(fd, DIGEST_GIT_BLOB, 6, "hello", hex, &err), DOCKET_OK);
    assert_string_equal(hex, "ce013625030ba8dba906f756967f9e9ca394464a"); /* echo hello | git hash-object --stdin */
    assert_int_equal(digest_file(fd, DIGEST_SHA256, 6, "hello", hex, &err), DOCKET_OK);
    assert_string_equal(hex, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    close(fd);
    scratch_remove(folder);
}

static enum status parse_all(void *context, struct error *err)
{
    static const char json[] = LIST("{\"rfilename\": \"config.json\", \"size\": 3}, {\"rfilename\": \"a/b.json\"}");
    static const char index[] = "{\"weight_map\": {\"a\": \"m-2.safetensors\", \"b\": \"m-1.safetensors\"}}";
    struct hub_listing list = {0};
    char **names = NULL;
    size_t n = 0;
    (void)context;
    enum status st = hub_listing_parse(&list, json, strlen(json), err);
    if (st == DOCKET_OK) st = hub_index_shards(&names, &n, index, strlen(index), err);
    if (st == DOCKET_OK) assert_true(list.n_files == 2 && n == 2);
    hub_names_free(names, n);
    hub_listing_free(&list);
    return st;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(torture(parse_all, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listing_is_checked),
        cmocka_unit_test(weights_are_safetensors_or_named),
        cmocka_unit_test(only_what_is_read_is_needed),
        cmocka_unit_test(shards_are_named_once_and_stay),
        cmocka_unit_test(headers_become_facts_only_when_they_make_sense),
        cmocka_unit_test(checksums_are_those_of_git_and_sha256sum),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
