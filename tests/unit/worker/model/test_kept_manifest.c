/* docket.json of a kept copy: read back as written, compared with source and copy, damaged in every byte. */
#include "worker/model/kept_manifest.h"

#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char source[256], copy[256];
static struct buffer text;
static struct tensor_files *source_files;
static struct kept_identity identity;

static enum status make_files(const char *folder, unsigned n, struct checkpoint **c, struct error *err)
{
    static const unsigned char bytes[64];
    enum status st = checkpoint_open(c, folder, 0, err);
    for (unsigned i = 0; i < n && st == DOCKET_OK; i++) {
        char name[32];
        const uint64_t shape[2] = {4, 4 + i};
        snprintf(name, sizeof(name), "t%u.weight", i);
        st = checkpoint_add(*c, name, DTYPE_U8, 2, shape, bytes, err);
    }
    return st == DOCKET_OK ? checkpoint_finish(*c, err) : st;
}

static struct tensor_files *open_folder(const char *folder)
{
    const struct model_location location = {.folder = (char *)(uintptr_t)folder, .boundary = (char *)(uintptr_t)folder};
    struct tensor_files *files = NULL;
    struct error err = {0};
    if (tensor_files_open(&files, &location, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return files;
}

static int set_up(void **state)
{
    struct checkpoint *c = NULL;
    struct error err = {0};
    scratch_make(source, sizeof(source));
    scratch_make(copy, sizeof(copy));
    assert_int_equal(make_files(source, 2, &c, &err), DOCKET_OK);
    checkpoint_close(c);
    source_files = open_folder(source);
    identity = (struct kept_identity){.quantization = "nf4", .revision = "0123", .files = source_files};
    memset(identity.config_hash, 'a', 64);
    c = NULL;
    assert_int_equal(make_files(copy, 3, &c, &err), DOCKET_OK);
    if (kept_manifest_write(&text, &identity, c, &err) != DOCKET_OK) fail_msg("%s", err.message);
    checkpoint_close(c);
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    tensor_files_close(source_files);
    buffer_free(&text);
    scratch_remove(source);
    scratch_remove(copy);
    (void)state;
    return 0;
}

static enum status check(const char *json, size_t length, const struct kept_identity *of, struct error *err)
{
    struct kept_manifest m = {0};
    struct tensor_files *files = open_folder(copy);
    enum status st = kept_manifest_parse(&m, json, length, err);
    if (st == DOCKET_OK) st = kept_manifest_matches(&m, of, err);
    if (st == DOCKET_OK) st = kept_manifest_expect(&m, files, err);
    for (size_t i = 0; i < tensor_count(files) && st == DOCKET_OK; i++) {
        unsigned char bytes[64];
        const struct tensor_info *t = tensor_at(files, i);
        st = tensor_read(files, t, 0, bytes, (size_t)t->size_bytes, err);
    }
    if (st == DOCKET_OK) st = tensor_files_verified(files, err);
    kept_manifest_free(&m);
    tensor_files_close(files);
    return st;
}

static void what_was_written_matches(void **state)
{
    struct error err = {0};
    if (check(text.data, text.length, &identity, &err) != DOCKET_OK) fail_msg("%s", err.message);
    (void)state;
}

/* Spaces, and the letters of keys that stand for nothing, there are none: each byte counts. */
static void any_changed_byte_is_found(void **state)
{
    for (size_t i = 0; i + 1 < text.length; i++) {
        struct error err = {0};
        char was = text.data[i];
        text.data[i] = (char)(was ^ 1);
        if (check(text.data, text.length, &identity, &err) != DOCKET_CORRUPT)
            fail_msg("byte %zu: '%c' for '%c' was not noticed", i, text.data[i], was);
        text.data[i] = was;
        if (i % 7 == 0) assert_int_equal(check(text.data, i, &identity, &err), DOCKET_CORRUPT);
    }
    (void)state;
}

static void another_source_is_said_to_be_one(void **state)
{
    struct error err = {0};
    struct kept_identity other = identity;
    other.revision = "4567";
    assert_int_equal(check(text.data, text.length, &other, &err), DOCKET_CORRUPT);
    assert_non_null(strstr(err.message, "revision was 0123, is 4567"));
    other = identity;
    other.quantization = "nf4,head=q8";
    assert_int_equal(check(text.data, text.length, &other, &err), DOCKET_CORRUPT);
    assert_non_null(strstr(err.message, "quantization was nf4"));
    other = identity;
    other.config_hash[3] = 'b';
    assert_int_equal(check(text.data, text.length, &other, &err), DOCKET_CORRUPT);
    assert_non_null(strstr(err.message, "config.json"));
    tensor_files_close(source_files);
    const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(source, "model.safetensors"), then, 0), 0);
    source_files = open_folder(source);
    identity.files = source_files;
    assert_int_equal(check(text.data, text.length, &identity, &err), DOCKET_CORRUPT);
    assert_non_null(strstr(err.message, "model.safetensors changed since"));
    (void)state;
}

static enum status parse(void *context, struct error *err)
{
    struct kept_manifest m = {0};
    (void)context;
    enum status st = kept_manifest_parse(&m, text.data, text.length, err);
    kept_manifest_free(&m);
    return st;
}

static void every_failed_allocation_is_survived(void **state)
{
    assert_true(torture(parse, NULL) > 5);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_matches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_changed_byte_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_source_is_said_to_be_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_failed_allocation_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
