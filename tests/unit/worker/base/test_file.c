/* Files: whole or not at all, only regular ones, never blocking. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

static size_t entries(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d) closedir(d);
    return n;
}

static void what_is_published_is_read_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4095, 4096, 65536, 65537, 300000};
    struct error err;
    const char *path = scratch_path(top, "f");
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct buffer out = {0};
        struct stat facts;
        char *bytes = mem_alloc(sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) bytes[k] = (char)(k * 31 + i);
        assert_int_equal(file_publish(path, bytes, sizes[i], &err), DOCKET_OK);
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_mode & 0777, 0600);
        assert_int_equal(entries(top), 1);
        assert_int_equal(file_read_all(&out, path, &err), DOCKET_OK);
        assert_int_equal(out.length, sizes[i]);
        if (sizes[i]) assert_memory_equal(out.data, bytes, sizes[i]);
        buffer_free(&out);
        mem_free(bytes);
    }
}

static void a_failed_publication_leaves_nothing_and_harms_nothing(void **state)
{
    (void)state;
    struct error err;
    struct buffer out = {0};
    assert_int_equal(file_publish(scratch_path(top, "f"), "old", 3, &err), DOCKET_OK);
    scratch_folder(top, "folder");
    scratch_write_text(top, "folder/inside", "x");
    assert_int_not_equal(file_publish(scratch_path(top, "folder"), "new", 3, &err),
                         DOCKET_OK); /* cannot rename over it */
    assert_int_equal(entries(top), 2);
    assert_int_equal(file_publish(scratch_path(top, "missing/f"), "new", 3, &err), DOCKET_NOT_FOUND);
    mem_fail_at(1, true);
    enum status st = file_publish(scratch_path(top, "f"), "new", 3, &err);
    mem_fail_at(0, false);
    assert_int_equal(st, DOCKET_NO_MEMORY);
    assert_int_equal(entries(top), 2);
    assert_int_equal(file_read_all(&out, scratch_path(top, "f"), &err), DOCKET_OK);
    assert_string_equal(out.data, "old");
    buffer_free(&out);
}

static void a_link_is_replaced_not_followed(void **state)
{
    (void)state;
    struct error err;
    struct buffer out = {0};
    struct stat facts;
    scratch_write_text(top, "target", "target");
    scratch_link(top, "f", "target");
    assert_int_equal(file_publish(scratch_path(top, "f"), "new", 3, &err), DOCKET_OK);
    assert_int_equal(lstat(scratch_path(top, "f"), &facts), 0);
    assert_true(S_ISREG(facts.st_mode));
    assert_int_equal(file_read_all(&out, scratch_path(top, "target"), &err), DOCKET_OK);
    assert_string_equal(out.data, "target");
    buffer_free(&out);
}

static void only_regular_files_are_opened_and_none_blocks(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error err;
    int fd = -1, s = socket(AF_UNIX, SOCK_STREAM, 0);
    scratch_folder(top, "folder");
    scratch_write_text(top, "file", "x");
    scratch_link(top, "link", "file");
    scratch_link(top, "circle", "circle");
    assert_int_equal(mkfifo(scratch_path(top, "pipe"), 0600), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", top);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
    static const struct {
        const char *name;
        bool no_follow;
        enum status want;
    } cases[] = {{"file", true, DOCKET_OK},
                 {"link", false, DOCKET_OK},
                 {"link", true, DOCKET_REFUSED},
                 {"folder", false, DOCKET_REFUSED},
                 {"pipe", false, DOCKET_REFUSED},
                 {"circle", false, DOCKET_REFUSED},
                 {"missing", false, DOCKET_NOT_FOUND},
                 {"file/x", false, DOCKET_NOT_FOUND},
                 {"socket", false, DOCKET_IO}};
    size_t files = open_files();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct stat facts;
        enum status st = file_open_regular(&fd, scratch_path(top, cases[i].name), cases[i].no_follow, &facts, &err);
        if (st != cases[i].want) fail_msg("%s: %s", cases[i].name, err.message);
        if (st == DOCKET_OK) {
            assert_int_equal(facts.st_size, 1);
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            close(fd);
        }
    }
    assert_int_equal(file_open_regular(&fd, "/dev/null", false, NULL, &err), DOCKET_REFUSED);
    assert_int_equal(open_files(), files);
    close(s);
}

static void a_ceiling_stops_the_reading(void **state)
{
    (void)state;
    struct buffer out;
    struct error err;
    scratch_write_text(top, "f", "0123456789");
    buffer_init(&out, 9);
    assert_int_equal(file_read_all(&out, scratch_path(top, "f"), &err), DOCKET_LIMIT);
    buffer_free(&out);
    buffer_init(&out, 10);
    assert_int_equal(file_read_all(&out, scratch_path(top, "f"), &err), DOCKET_OK);
    assert_string_equal(out.data, "0123456789");
    buffer_free(&out);
    buffer_init(&out, 1000); /* size 0 in its facts, and still bytes */
    assert_int_equal(file_read_all(&out, "/proc/self/comm", &err), DOCKET_OK);
    assert_true(out.length > 1);
    buffer_free(&out);
}

static void reads_at_an_offset_are_whole_or_say_where_the_file_ends(void **state)
{
    (void)state;
    struct error err;
    char bytes[8] = "";
    scratch_write_text(top, "f", "0123456789");
    int fd = open(scratch_path(top, "f"), O_RDONLY);
    assert_int_equal(file_read_at(fd, bytes, 4, 3, "f", &err), DOCKET_OK);
    assert_memory_equal(bytes, "3456", 4);
    assert_int_equal(file_read_at(fd, bytes, 0, 100, "f", &err), DOCKET_OK);
    assert_int_equal(file_read_at(fd, bytes, 4, 8, "f", &err), DOCKET_CORRUPT);
    assert_string_equal(err.message, "f: the file ends at offset 10, 2 bytes early");
    assert_int_equal(err.code, CODE_model_file_changed);
    close(fd);
    assert_int_equal(file_read_at(fd, bytes, 4, 0, "f", &err), DOCKET_IO);
    assert_int_equal(err.code, CODE_model_read_error);
    assert_int_equal(file_read_at(-1, bytes, 4, UINT64_MAX - 1, "f", &err), DOCKET_IO);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    struct error err;
    struct stat facts;
    assert_int_equal(file_make_folder(scratch_path(top, "a/b/c"), &err), DOCKET_OK);
    assert_int_equal(stat(scratch_path(top, "a/b/c"), &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0700);
    assert_int_equal(file_make_folder(scratch_path(top, "a/b/c"), &err), DOCKET_OK);
    assert_int_equal(file_make_folder(scratch_path(top, "a/d/"), &err), DOCKET_OK);
    scratch_write_text(top, "file", "x");
    scratch_link(top, "link", "a");
    assert_int_not_equal(file_make_folder(scratch_path(top, "file"), &err), DOCKET_OK);
    assert_int_not_equal(file_make_folder(scratch_path(top, "file/x"), &err), DOCKET_OK);
    assert_int_equal(file_make_folder(scratch_path(top, "link"), &err), DOCKET_REFUSED);
    assert_true(file_free_bytes(top) > 0);
    assert_int_equal(file_free_bytes("/no/such/place"), 0);
}

static void paths_are_joined_with_one_slash(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "/b"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *path = path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        mem_free(path);
    }
}

static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static enum status publish_and_read(void *context, struct error *err)
{
    struct buffer out = {0};
    (void)context;
    enum status st = file_make_folder(scratch_path(top, "x/y"), err);
    if (st == DOCKET_OK) st = file_publish(scratch_path(top, "x/y/f"), "text", 4, err);
    if (st == DOCKET_OK) st = file_read_all(&out, scratch_path(top, "x/y/f"), err);
    if (st == DOCKET_OK && strcmp(out.data, "text") != 0) st = DOCKET_INTERNAL;
    buffer_free(&out);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    assert_true(torture(publish_and_read, NULL) >= 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_published_is_read_back),      T(a_failed_publication_leaves_nothing_and_harms_nothing),
        T(a_link_is_replaced_not_followed),     T(only_regular_files_are_opened_and_none_blocks),
        T(a_ceiling_stops_the_reading),         T(reads_at_an_offset_are_whole_or_say_where_the_file_ends),
        T(folders_are_made_with_their_parents), T(paths_are_joined_with_one_slash),
        T(digests_are_those_of_the_standard),   T(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
