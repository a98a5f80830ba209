/* A folder appears whole or not at all, replaces nothing, and leaves nothing. */
#include "worker/model/new_folder.h"

#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static int set_up(void **state)
{
    (void)state;
    scratch_make(folder, sizeof(folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static size_t count(const char *path)
{
    size_t n = 0;
    struct dirent *entry;
    DIR *open = opendir(path);
    while (open && (entry = readdir(open))) n += entry->d_name[0] != '.';
    if (open) closedir(open);
    return n;
}

static void it_appears_with_what_was_put_into_it(void **state)
{
    struct new_folder f = {0};
    struct error err = {0};
    struct stat facts;
    char path[300];
    snprintf(path, sizeof(path), "%s/a/b/model///", folder);
    assert_int_equal(new_folder_open(&f, path, &err), DOCKET_OK);
    assert_int_equal(new_folder_put(&f, "x.json", "{}", 2, &err), DOCKET_OK);
    assert_int_equal(new_folder_put(&f, "x.json", "{}", 2, &err), DOCKET_IO); /* not twice */
    assert_int_equal(access(scratch_path(folder, "a/b/model"), F_OK), -1);
    assert_int_equal(new_folder_publish(&f, &err), DOCKET_OK);
    new_folder_close(&f);
    assert_int_equal(stat(scratch_path(folder, "a/b/model/x.json"), &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0644);
    assert_int_equal(count(scratch_path(folder, "a/b")), 1);
    (void)state;
}

static void nothing_is_left_of_one_that_is_given_up(void **state)
{
    struct new_folder f = {0};
    struct error err = {0};
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "m"), &err), DOCKET_OK);
    assert_int_equal(new_folder_put(&f, "x", "1", 1, &err), DOCKET_OK);
    scratch_write_text(f.path, "inner/deeper/y", "2");
    scratch_link(f.path, "link", folder); /* is removed, not followed */
    scratch_write_text(folder, "neighbour", "stays");
    new_folder_close(&f);
    assert_int_equal(count(folder), 1);
    (void)state;
}

static void nothing_is_ever_replaced(void **state)
{
    struct new_folder f = {0}, g = {0};
    struct error err = {0};
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "m"), &err), DOCKET_OK);
    assert_int_equal(new_folder_open(&g, scratch_path(folder, "m"), &err), DOCKET_OK);
    assert_int_equal(new_folder_publish(&f, &err), DOCKET_OK); /* empty: a plain rename would replace it */
    assert_int_equal(new_folder_publish(&g, &err), DOCKET_REFUSED);
    assert_non_null(strstr(err.message, "is there already"));
    new_folder_close(&f);
    new_folder_close(&g);
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "m"), &err), DOCKET_REFUSED);
    scratch_write_text(folder, "file", "x");
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "file"), &err), DOCKET_REFUSED);
    scratch_link(folder, "dangling", "nowhere");
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "dangling"), &err), DOCKET_REFUSED);
    assert_int_equal(count(folder), 3);
    (void)state;
}

static void those_of_killed_makers_are_removed_after_a_day(void **state)
{
    struct new_folder f = {0};
    struct error err = {0};
    struct timespec old[2];
    scratch_write_text(folder, "m.tmp-1-old/shard", "x");
    scratch_write_text(folder, "m.tmp-2-young/shard", "x");
    scratch_write_text(folder, "other.tmp-1-old/shard", "x");
    uint64_t then = clock_wall_ns() / NS_PER_SECOND - 90000;
    old[0] = old[1] = (struct timespec){.tv_sec = (time_t)then};
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(folder, "m.tmp-1-old"), old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(folder, "other.tmp-1-old"), old, 0), 0);
    assert_int_equal(new_folder_open(&f, scratch_path(folder, "m"), &err), DOCKET_OK);
    assert_int_equal(access(scratch_path(folder, "m.tmp-1-old"), F_OK), -1);
    assert_int_equal(access(scratch_path(folder, "m.tmp-2-young/shard"), F_OK), 0);
    assert_int_equal(access(scratch_path(folder, "other.tmp-1-old/shard"), F_OK), 0);
    new_folder_close(&f);
    (void)state;
}

static enum status make_one(void *context, struct error *err)
{
    struct new_folder f = {0};
    char own[256];
    (void)context;
    scratch_make(own, sizeof(own));
    enum status st = new_folder_open(&f, scratch_path(own, "m"), err);
    if (st == DOCKET_OK) st = new_folder_put(&f, "x", "1", 1, err);
    if (st == DOCKET_OK) st = new_folder_publish(&f, err);
    new_folder_close(&f);
    scratch_remove(own);
    return st;
}

static void every_failed_allocation_is_survived(void **state)
{
    assert_true(torture(make_one, NULL) >= 5);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_appears_with_what_was_put_into_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_one_that_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_ever_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_of_killed_makers_are_removed_after_a_day, set_up, tear_down),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
