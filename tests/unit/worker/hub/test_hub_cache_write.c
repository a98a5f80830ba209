/* The writing half of the cache against its reading half; the inventory of what it holds; memory that is not there. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/hub/cache_write.h"
#include "worker/hub/download.h"
#include "worker/hub/inventory.h"
#include "worker/model/hub_cache.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define COMMIT "0123456789012345678901234567890123456789"
#define ETAG   "ce013625030ba8dba906f756967f9e9ca394464a" /* git's name of "hello\n" */

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    scratch_make(folder, sizeof(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static enum status publish(bool no_links, struct error *err)
{
    struct cache_repository cache = {0};
    enum status st = cache_repository_open(&cache, folder, "org/name", err);
    if (st == DOCKET_OK) scratch_write_text(folder, "models--org--name/blobs/" ETAG, "hello\n");
    if (st == DOCKET_OK) st = cache_publish(&cache, COMMIT, "config.json", ETAG, no_links, err);
    if (st == DOCKET_OK) st = cache_write_ref(&cache, "refs/pr/1", COMMIT, err);
    cache_repository_free(&cache);
    return st;
}

static void what_is_published_is_located(void **state)
{
    (void)state;
    for (int no_links = 0; no_links < 2; no_links++) {
        const struct hub_options where = {.model = "org/name", .revision = "refs/pr/1", .hub_cache = folder};
        struct model_location location = {0};
        struct error err = {0};
        char *text = NULL;
        size_t length = 0;
        assert_int_equal(publish(no_links, &err), DOCKET_OK);
        assert_int_equal(hub_locate(&location, &where, &err), DOCKET_OK);
        assert_string_equal(location.revision, COMMIT);
        assert_int_equal(model_read_file(&text, &length, &location, "config.json", 100, &err), DOCKET_OK);
        assert_string_equal(text, "hello\n");
        mem_free(text);
        model_location_free(&location);
    }
}

static void a_lock_excludes_and_outlives_its_file(void **state)
{
    struct cache_repository cache = {0};
    struct error err = {0};
    atomic_bool stop = true;
    bool waited;
    int mine = -1, other = -1;
    (void)state;
    assert_int_equal(cache_repository_open(&cache, folder, "org/name", &err), DOCKET_OK);
    assert_int_equal(cache_lock(&mine, &cache, ETAG, NULL, &waited, &err), DOCKET_OK);
    assert_false(waited);
    assert_int_equal(cache_lock(&other, &cache, ETAG, &stop, &waited, &err), DOCKET_CANCELLED);
    assert_true(waited);
    /* others who share the lock remove its file: then the next one makes a new file and has the lock */
    unlink(scratch_path(folder, ".locks/models--org--name/" ETAG ".lock"));
    assert_int_equal(cache_lock(&other, &cache, ETAG, &stop, &waited, &err), DOCKET_OK);
    cache_unlock(mine);
    cache_unlock(other);
    cache_repository_free(&cache);
}

static void leftovers_are_swept_after_a_day_unless_held(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct cache_repository cache = {0};
    struct error err = {0};
    bool waited;
    int lock = -1;
    (void)state;
    assert_int_equal(cache_repository_open(&cache, folder, "org/name", &err), DOCKET_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char name[100];
        const struct utimbuf old = {.actime = time(NULL) - 2 * 86400, .modtime = time(NULL) - 2 * 86400};
        snprintf(name, sizeof(name), "models--org--name/blobs/%s.docket.incomplete", names[i]);
        scratch_write_text(folder, name, "bytes");
        if (i != 2) assert_int_equal(utime(scratch_path(folder, name), &old), 0);
    }
    assert_true(cache_left_over(&cache) > 0);
    assert_int_equal(cache_lock(&lock, &cache, "b", NULL, &waited, &err), DOCKET_OK);
    cache_sweep(&cache);
    assert_int_not_equal(access(scratch_path(folder, "models--org--name/blobs/a.docket.incomplete"), F_OK), 0);
    assert_int_equal(access(scratch_path(folder, "models--org--name/blobs/b.docket.incomplete"), F_OK), 0);
    assert_int_equal(access(scratch_path(folder, "models--org--name/blobs/c.docket.incomplete"), F_OK), 0);
    cache_unlock(lock);
    cache_repository_free(&cache);
}

static void a_cache_is_chosen_as_the_hubs_library_does(void **state)
{
    char *path = NULL;
    struct error err = {0};
    (void)state;
    assert_int_equal(hub_cache_folder(&path, "/c", "/h", "/home/x", &err), DOCKET_OK);
    assert_string_equal(path, "/c");
    mem_free(path);
    assert_int_equal(hub_cache_folder(&path, NULL, "/h", "/home/x", &err), DOCKET_OK);
    assert_string_equal(path, "/h/hub");
    mem_free(path);
    assert_string_equal(hub_full_name("TinyLlama"), "TinyLlama/TinyLlama-1.1B-Chat-v1.0");
    assert_string_equal(hub_full_name("a/b"), "a/b");
}

static enum status look(void *context, struct error *err)
{
    const struct hub_options where = {.hub_cache = folder, .runpod_cache = "/nowhere"};
    struct inventory inv = {0};
    enum status st = publish(false, err);
    (void)context;
    if (st == DOCKET_OK) st = inventory_take(&inv, &where, err);
    if (st == DOCKET_OK) {
        assert_int_equal(inv.n, 1);
        assert_string_equal(inv.entries[0].repository, "org/name");
        assert_string_equal(inv.entries[0].revisions, "refs/pr/1"); /* as its folder below refs/ says */
        assert_true(inv.entries[0].bytes == 6 && inv.entries[0].missing[0] != '\0');
    }
    inventory_free(&inv);
    return st;
}

static void the_inventory_survives_any_failed_allocation(void **state)
{
    (void)state;
    assert_true(torture(look, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_published_is_located, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_lock_excludes_and_outlives_its_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(leftovers_are_swept_after_a_day_unless_held, make_folder, remove_folder),
        cmocka_unit_test(a_cache_is_chosen_as_the_hubs_library_does),
        cmocka_unit_test_setup_teardown(the_inventory_survives_any_failed_allocation, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
