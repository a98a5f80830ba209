/* Where a model is found on disk, and that its files are opened nowhere else. Rows S19 and S21 to S24. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/model/hub_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER  "89abcdef0123456789abcdef0123456789abcdef"

static char top[256];

static int set_up(void **state)
{
    (void)state;
    scratch_make(top, sizeof(top));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(top);
    return 0;
}

/* A snapshot of org/name in the cache `cache` with a config.json that links to a blob. */
static void put_snapshot(const char *cache, const char *repository, const char *commit, const char *ref)
{
    char name[600], target[200];
    snprintf(name, sizeof(name), "%s/%s/blobs/blob-%s", cache, repository, commit);
    scratch_write_text(top, name, "{}");
    snprintf(name, sizeof(name), "%s/%s/snapshots/%s/config.json", cache, repository, commit);
    snprintf(target, sizeof(target), "../../blobs/blob-%s", commit);
    scratch_link(top, name, target);
    if (!ref) return;
    snprintf(name, sizeof(name), "%s/%s/refs/%s", cache, repository, ref);
    scratch_write_text(top, name, commit);
}

static enum status locate(struct model_location *out, struct hub_options options, struct error *err)
{
    *out = (struct model_location){0};
    *err = (struct error){0};
    if (!options.runpod_cache) options.runpod_cache = "/nowhere";
    return hub_locate(out, &options, err);
}

static void expect_folder(struct hub_options options, const char *cache, const char *repository, const char *commit)
{
    struct model_location found;
    struct error err;
    char want[1024];
    if (locate(&found, options, &err) != DOCKET_OK) fail_msg("%s", err.message);
    snprintf(want, sizeof(want), "%s/%s/%s/snapshots/%s", top, cache, repository, commit);
    assert_string_equal(found.folder, want);
    snprintf(want, sizeof(want), "%s/%s/%s", top, cache, repository);
    assert_string_equal(found.boundary, want);
    assert_string_equal(found.name, options.model);
    assert_string_equal(found.revision, commit);
    model_location_free(&found);
}

static void expect_failure(struct hub_options options, enum status want, const char *part)
{
    struct model_location found;
    struct error err;
    enum status st = locate(&found, options, &err);
    if (st != want || !strstr(err.message, part))
        fail_msg("%s: want %s with \"%s\", got %s: %s", options.model, status_name(want), part, status_name(st),
                 err.message);
    assert_null(found.folder);
}

static void caches_are_tried_in_order(void **state)
{
    (void)state;
    struct hub_options all = {.model = "Org/Name"};
    char hub[300], hf[300], home[300], runpod[300];
    snprintf(hub, sizeof(hub), "%s/a", top);
    snprintf(hf, sizeof(hf), "%s/b", top);
    snprintf(runpod, sizeof(runpod), "%s/c", top);
    snprintf(home, sizeof(home), "%s/d", top);
    all.hub_cache = hub;
    all.hf_home = hf;
    all.runpod_cache = runpod;
    all.home = home;
    expect_failure(all, DOCKET_NOT_FOUND, "/b/hub, ");
    static const char *const places[] = {"d/.cache/huggingface/hub", "c", "b", "b/hub", "a"};
    for (size_t i = 0; i < 5; i++) { /* from last to first: each covers those before it */
        put_snapshot(places[i], "models--Org--Name", COMMIT, "main");
        expect_folder(all, places[i], "models--Org--Name", COMMIT);
    }
}

static void an_existing_folder_comes_first_and_bounds_itself(void **state)
{
    (void)state;
    struct model_location found;
    struct error err;
    char folder[300], real[4096];
    scratch_write_text(top, "plain/config.json", "{}");
    snprintf(folder, sizeof(folder), "%s/plain", top);
    assert_int_equal(locate(&found, (struct hub_options){.model = folder}, &err), DOCKET_OK);
    assert_non_null(realpath(folder, real));
    assert_string_equal(found.folder, real);
    assert_string_equal(found.boundary, real);
    assert_null(found.revision);
    model_location_free(&found);
    scratch_folder(top, "empty");
    snprintf(folder, sizeof(folder), "%s/empty", top);
    expect_failure((struct hub_options){.model = folder}, DOCKET_NOT_FOUND, "no config.json in it");
    expect_failure((struct hub_options){.model = "/no/such/folder"}, DOCKET_NOT_FOUND, "no such folder");
}

static void a_snapshot_named_by_its_path_may_link_to_its_blobs(void **state)
{
    (void)state;
    struct model_location found;
    struct error err;
    char folder[400];
    char *text;
    size_t length;
    put_snapshot("hub", "models--Org--Name", COMMIT, NULL);
    snprintf(folder, sizeof(folder), "%s/hub/models--Org--Name/snapshots/" COMMIT, top);
    assert_int_equal(locate(&found, (struct hub_options){.model = folder}, &err), DOCKET_OK);
    assert_string_equal(found.revision, COMMIT);
    assert_int_equal(model_read_file(&text, &length, &found, "config.json", 100, &err), DOCKET_OK);
    assert_string_equal(text, "{}");
    mem_free(text);
    model_location_free(&found);
}

static void letter_case_matters_only_where_nothing_else_is_there(void **state)
{
    (void)state;
    char cache[300];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    put_snapshot("hub", "models--ORG--name", COMMIT, "main");
    expect_folder((struct hub_options){.model = "Org/Name", .hub_cache = cache}, "hub", "models--ORG--name", COMMIT);
    put_snapshot("hub", "models--Org--Name", OTHER, "main");
    expect_folder((struct hub_options){.model = "Org/Name", .hub_cache = cache}, "hub", "models--Org--Name", OTHER);
}

static void revisions_are_followed_exactly(void **state)
{
    (void)state;
    char cache[300];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    struct hub_options o = {.model = "org/name", .hub_cache = cache};
    put_snapshot("hub", "models--org--name", OTHER, NULL);
    expect_folder(o, "hub", "models--org--name", OTHER); /* no refs: the only snapshot */
    put_snapshot("hub", "models--org--name", COMMIT, NULL);
    expect_folder(o, "hub", "models--org--name", COMMIT); /* of several the alphabetically first */
    scratch_write_text(top, "hub/models--org--name/refs/main", OTHER "\n");
    expect_folder(o, "hub", "models--org--name", OTHER);
    scratch_write_text(top, "hub/models--org--name/refs/refs/pr/7", COMMIT);
    o.revision = "refs/pr/7";
    expect_folder(o, "hub", "models--org--name", COMMIT);
    o.revision = COMMIT;
    expect_folder(o, "hub", "models--org--name", COMMIT);
    o.revision = "v2"; /* never another revision than the one that was asked for */
    expect_failure(o, DOCKET_NOT_FOUND, "at revision v2");
    o.revision = "ffffffffffffffffffffffffffffffffffffffff";
    expect_failure(o, DOCKET_NOT_FOUND, "at revision ffff");
}

static void a_ref_without_its_snapshot_gives_what_is_there(void **state)
{
    (void)state;
    char cache[300];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    put_snapshot("hub", "models--org--name", COMMIT, NULL);
    scratch_write_text(top, "hub/models--org--name/refs/main", OTHER);
    scratch_folder(top, "hub/models--org--name/snapshots/" OTHER); /* begun, nothing in it yet */
    expect_folder((struct hub_options){.model = "org/name", .hub_cache = cache}, "hub", "models--org--name", COMMIT);
}

static void refs_hold_forty_hexadecimal_digits_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"newline_in_it", "0123456789abcdef0123456\n89abcdef01234567"},
        {"two_lines", COMMIT "\n" COMMIT},
        {"path", "../../../../../../../../../../etc/config"},
        {"empty", ""},
        {"only_white_space", "\n"},
        {"forty_one_digits", COMMIT "0"},
        {"thirty_nine_digits", "0123456789abcdef0123456789abcdef0123456"},
        {"not_hexadecimal", "0123456789abcdef0123456789abcdef0123456g"},
        {"space_before", " " COMMIT},
    };
    char cache[300], long_text[1000];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    put_snapshot("hub", "models--org--name", COMMIT, NULL);
    struct hub_options o = {.model = "org/name", .hub_cache = cache};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scratch_write_text(top, "hub/models--org--name/refs/main", cases[i].text);
        expect_failure(o, DOCKET_REFUSED, "40 hexadecimal digits");
    }
    memset(long_text, 'a', sizeof(long_text));
    scratch_write(top, "hub/models--org--name/refs/main", long_text, sizeof(long_text));
    expect_failure(o, DOCKET_REFUSED, "40 hexadecimal digits");
    unlink(scratch_path(top, "hub/models--org--name/refs/main"));
    scratch_link(top, "hub/models--org--name/refs/main", "/etc/passwd");
    expect_failure(o, DOCKET_REFUSED, "refs/main");
    unlink(scratch_path(top, "hub/models--org--name/refs/main"));
    assert_int_equal(mkfifo(scratch_path(top, "hub/models--org--name/refs/main"), 0600), 0);
    expect_failure(o, DOCKET_REFUSED, "not a regular file");
}

static void names_and_revisions_never_become_other_paths(void **state)
{
    (void)state;
    static const char *const models[] = {"org/..", "../name", "org/na me", "org/name/x", "org//name",
                                         "org/",   "/",       "org/.name", "a--b/c",     "org/na\nme",
                                         "..",     ".hidden", "org/n\x7f", "org\\name",  "org/n\xc3\xa9"};
    static const char *const revisions[] = {"../x", "a/../b", "/main", "main/", "a//b", "", "ma in", ".x", "a\nb"};
    for (size_t i = 0; i < ARRAY_LENGTH(models); i++) {
        struct model_location found;
        struct error err;
        assert_int_equal(chdir(top), 0);
        assert_int_not_equal(locate(&found, (struct hub_options){.model = models[i], .hub_cache = top}, &err),
                             DOCKET_OK);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(revisions); i++)
        expect_failure((struct hub_options){.model = "org/name", .revision = revisions[i], .hub_cache = top},
                       DOCKET_BAD_CONFIG, "revision");
    expect_failure((struct hub_options){.model = ""}, DOCKET_BAD_CONFIG, "no model");
    expect_failure((struct hub_options){.model = NULL}, DOCKET_BAD_CONFIG, "no model");
}

static void links_stay_beneath_the_model(void **state)
{
    (void)state;
    char absolute[400], outside[400];
    snprintf(absolute, sizeof(absolute), "%s/hub/models--a--b/blobs/good", top);
    snprintf(outside, sizeof(outside), "%s/hub/models--other--x/blobs/good", top);
    const struct {
        const char *name, *target;
        enum status want;
        const char *part;
    } cases[] = {
        {"to_a_blob", "../../blobs/good", DOCKET_OK, ""},
        {"to_a_blob_by_an_absolute_path", absolute, DOCKET_OK, ""},
        {"out_and_in_again", "../../../models--a--b/blobs/good", DOCKET_OK, ""},
        {"to_a_link_to_a_blob", "to_a_blob", DOCKET_OK, ""},
        {"to_passwd", "/etc/passwd", DOCKET_REFUSED, "leads out of"},
        {"to_passwd_by_dots", "../../../../../../../../../../../../etc/passwd", DOCKET_REFUSED, "leads out of"},
        {"to_another_model", "../../../models--other--x/blobs/good", DOCKET_REFUSED, "leads out of"},
        {"to_another_model_absolute", outside, DOCKET_REFUSED, "leads out of"},
        {"to_a_link_that_leads_out", "to_passwd", DOCKET_REFUSED, "leads out of"},
        {"to_a_name_that_begins_alike", "../../../models--a--bb/blobs/good", DOCKET_REFUSED, "leads out of"},
        {"to_itself", "to_itself", DOCKET_REFUSED, "circle"},
        {"dangling", "../../blobs/missing", DOCKET_REFUSED, "a file that is not there"},
        {"dangling_absolute", "/nowhere/at/all", DOCKET_REFUSED, ""},
        {"to_a_folder", "../../blobs", DOCKET_REFUSED, "not a regular file"},
        {"to_a_pipe", "../../blobs/pipe", DOCKET_REFUSED, "not a regular file"},
        {"to_a_device", "/dev/zero", DOCKET_REFUSED, "leads out of"},
        {"to_standard_input", "/proc/self/fd/0", DOCKET_REFUSED, ""},
    };
    struct model_location l = {0};
    struct error err;
    scratch_write_text(top, "hub/models--a--b/blobs/good", "good");
    scratch_write_text(top, "hub/models--other--x/blobs/good", "other");
    scratch_write_text(top, "hub/models--a--bb/blobs/good", "other");
    put_snapshot("hub", "models--a--b", COMMIT, "main");
    assert_int_equal(mkfifo(scratch_path(top, "hub/models--a--b/blobs/pipe"), 0600), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char name[200];
        snprintf(name, sizeof(name), "hub/models--a--b/snapshots/" COMMIT "/%s", cases[i].name);
        scratch_link(top, name, cases[i].target);
    }
    char cache[300];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    assert_int_equal(locate(&l, (struct hub_options){.model = "a/b", .hub_cache = cache}, &err), DOCKET_OK);
    size_t files = open_files();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *text = NULL;
        size_t length = 0;
        err = (struct error){0};
        enum status st = model_read_file(&text, &length, &l, cases[i].name, 1000, &err);
        if (st != cases[i].want || !strstr(err.message, cases[i].part))
            fail_msg("%s: want %s, got %s: %s", cases[i].name, status_name(cases[i].want), status_name(st),
                     err.message);
        if (st == DOCKET_OK) assert_string_equal(text, "good");
        assert_true(model_has_file(&l, cases[i].name));
        mem_free(text);
    }
    assert_int_equal(open_files(), files);
    model_location_free(&l);
}

static void a_plain_folder_is_its_own_boundary(void **state)
{
    (void)state;
    struct model_location l = {0};
    struct error err;
    char folder[300];
    int fd;
    scratch_write_text(top, "m/config.json", "{}");
    scratch_write_text(top, "m/inner/w", "w");
    scratch_write_text(top, "elsewhere", "x");
    scratch_link(top, "m/inside", "inner/w");
    scratch_link(top, "m/outside", "../elsewhere");
    snprintf(folder, sizeof(folder), "%s/m", top);
    assert_int_equal(locate(&l, (struct hub_options){.model = folder}, &err), DOCKET_OK);
    assert_int_equal(model_open_file(&fd, &l, "inside", &err), DOCKET_OK);
    close(fd);
    assert_int_equal(model_open_file(&fd, &l, "outside", &err), DOCKET_REFUSED);
    assert_int_equal(model_open_file(&fd, &l, "missing", &err), DOCKET_NOT_FOUND);
    assert_int_equal(err.code, CODE_model_file_missing);
    model_location_free(&l);
}

static void only_plain_file_names_are_opened(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",         ".",   "..",   "../config.json", "/etc/passwd", "a/b", ".hidden", "a b", "a\nb", "config.json/",
        "\xc3\xa9", "a:b", "a\\b", "a\001b",         "*.json",      "~"};
    struct model_location l = {.folder = top, .boundary = top};
    struct error err;
    char long_name[300];
    int fd;
    scratch_write_text(top, "config.json", "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(model_open_file(&fd, &l, names[i], &err), DOCKET_REFUSED);
        assert_false(model_has_file(&l, names[i]));
    }
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(model_open_file(&fd, &l, long_name, &err), DOCKET_REFUSED);
    assert_true(model_has_file(&l, "config.json"));
}

static void a_file_above_the_ceiling_is_refused_at_the_byte(void **state)
{
    (void)state;
    struct model_location l = {.folder = top, .boundary = top};
    struct error err;
    char *text = NULL;
    size_t length = 0;
    scratch_write_text(top, "f", "12345");
    assert_int_equal(model_read_file(&text, &length, &l, "f", 4, &err), DOCKET_LIMIT);
    assert_null(text);
    assert_int_equal(model_read_file(&text, &length, &l, "f", 5, &err), DOCKET_OK);
    assert_int_equal(length, 5);
    assert_string_equal(text, "12345");
    mem_free(text);
    scratch_write_text(top, "nothing", "");
    assert_int_equal(model_read_file(&text, &length, &l, "nothing", 5, &err), DOCKET_OK);
    assert_int_equal(length, 0);
    assert_string_equal(text, "");
    mem_free(text);
}

static void half_filled_caches_are_passed_over(void **state)
{
    (void)state;
    char cache[300];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    scratch_write_text(top, "hub/models--org--name/blobs/abc.incomplete", "half");
    scratch_folder(top, "hub/models--org--name/snapshots");
    scratch_write_text(top, "hub/.locks/models--org--name/abc.lock", "");
    scratch_folder(top, "hub/models--org--name/snapshots/" OTHER);
    scratch_write_text(top, "hub/models--org--name/snapshots/a-file", "");
    expect_failure((struct hub_options){.model = "org/name", .hub_cache = cache}, DOCKET_NOT_FOUND, cache);
    put_snapshot("hub", "models--org--name", COMMIT, NULL);
    expect_folder((struct hub_options){.model = "org/name", .hub_cache = cache}, "hub", "models--org--name", COMMIT);
}

static enum status locate_and_read(void *context, struct error *err)
{
    struct model_location l = {0};
    char *text = NULL;
    size_t length;
    const struct hub_options *options = context;
    enum status st = hub_locate(&l, options, err);
    if (st == DOCKET_OK) st = model_read_file(&text, &length, &l, "config.json", 100, err);
    if (st == DOCKET_OK && strcmp(text, "{}") != 0) st = DOCKET_INTERNAL;
    mem_free(text);
    model_location_free(&l);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    char cache[300], folder[400];
    snprintf(cache, sizeof(cache), "%s/hub", top);
    put_snapshot("hub", "models--ORG--name", COMMIT, "main");
    struct hub_options by_name = {.model = "org/name", .hub_cache = cache, .hf_home = top, .runpod_cache = "/nowhere"};
    assert_true(torture(locate_and_read, &by_name) > 8);
    snprintf(folder, sizeof(folder), "%s/hub/models--ORG--name/snapshots/" COMMIT, top);
    struct hub_options by_path = {.model = folder};
    assert_true(torture(locate_and_read, &by_path) > 4);
    unlink(scratch_path(top, "hub/models--ORG--name/refs/main"));
    struct hub_options first = {.model = "org/name", .hub_cache = cache};
    assert_true(torture(locate_and_read, &first) > 8);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(caches_are_tried_in_order),
        T(an_existing_folder_comes_first_and_bounds_itself),
        T(a_snapshot_named_by_its_path_may_link_to_its_blobs),
        T(letter_case_matters_only_where_nothing_else_is_there),
        T(revisions_are_followed_exactly),
        T(a_ref_without_its_snapshot_gives_what_is_there),
        T(refs_hold_forty_hexadecimal_digits_or_are_refused),
        T(names_and_revisions_never_become_other_paths),
        T(links_stay_beneath_the_model),
        T(a_plain_folder_is_its_own_boundary),
        T(only_plain_file_names_are_opened),
        T(a_file_above_the_ceiling_is_refused_at_the_byte),
        T(half_filled_caches_are_passed_over),
        T(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
