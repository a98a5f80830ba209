/* Tensors read past the page cache are the file's, wherever in a block they begin and end, and every failure is told as ever. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/model/safetensors.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL = 24, LARGE = 512 * KIB + 8, LAST = 300 * KIB + 1, DATA = SMALL + LARGE + LAST };

static char top[256];
static bool is_dropped; /* the file made last is not in the page cache */

static unsigned char value_at(size_t at)
{
    return (unsigned char)(at * 7 + at / 4099);
}

/* Three tensors: small, large, and one that ends with the file, in a block that is not whole; `padding` moves them. */
static struct tensor_files *make_files(size_t padding, size_t *header_bytes)
{
    const struct model_location location = {.folder = top, .boundary = top};
    struct tensor_files *files = NULL;
    struct buffer all;
    char header[600];
    buffer_init(&all, 4 * MIB);
    struct error err = {0};
    uint64_t length = (uint64_t)snprintf(header, sizeof(header),
                                         "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                                         "\"b\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]},"
                                         "\"c\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
                                         SMALL, SMALL, (int)LARGE, SMALL, (int)(SMALL + LARGE), (int)LAST,
                                         (int)(SMALL + LARGE), (int)DATA);
    const uint64_t whole = length + padding;
    buffer_append(&all, &whole, sizeof(whole));
    buffer_append(&all, header, length);
    for (size_t i = 0; i < padding; i++) buffer_append_char(&all, ' ');
    for (size_t i = 0; i < DATA; i++) buffer_append_char(&all, (char)value_at(i));
    scratch_write(top, "model.safetensors", all.data, all.length);
    *header_bytes = 8 + (size_t)whole;
    buffer_free(&all);
    int fd = open(scratch_path(top, "model.safetensors"), O_RDWR);
    assert_int_equal(fsync(fd), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    is_dropped = !direct_is_cached(fd, *header_bytes + DATA);
    close(fd);
    if (tensor_files_open(&files, &location, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return files;
}

/* Whether this file system reads past the page cache. */
static bool is_direct(void)
{
    unsigned char *room = mem_alloc_aligned(DIRECT_ROOM(LAST), DIRECT_BLOCK), *bytes;
    size_t header_bytes;
    struct tensor_files *files = make_files(0, &header_bytes);
    int fd = open(scratch_path(top, "model.safetensors"), O_RDONLY), direct = direct_open(fd);
    bool can = direct >= 0 && direct_read(direct, room, 8, 0, &bytes);
    if (direct >= 0) close(direct);
    close(fd);
    tensor_files_close(files);
    mem_free(room);
    return can;
}

static void check(struct tensor_files *files, const char *name, size_t base, size_t at, size_t n)
{
    unsigned char *room = mem_alloc_aligned(DIRECT_ROOM(n), DIRECT_BLOCK), *bytes = NULL;
    struct error err = {0};
    assert_non_null(room);
    if (tensor_read_direct(files, tensor_find(files, name), at, room, n, &bytes, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != value_at(base + at + i)) fail_msg("%s: byte %zu of %zu at %zu", name, i, n, at);
    mem_free(room);
}

static void tensors_that_begin_and_end_within_a_block_are_read_whole(void **state)
{
    static const size_t paddings[] = {0, 1, 2, 3, 5, 8, 64, 511, 512, 1001, 4095, 4096};
    (void)state;
    const bool direct = is_direct();
    for (size_t i = 0; i < ARRAY_LENGTH(paddings); i++) {
        size_t header_bytes;
        struct tensor_files *files = make_files(paddings[i], &header_bytes);
        check(files, "a", 0, 0, SMALL);
        assert_int_equal(tensor_files_direct_bytes(files), 0); /* not for so little */
        check(files, "b", SMALL, 0, LARGE);
        check(files, "c", SMALL + LARGE, 0, LAST);
        check(files, "b", SMALL, 4097, LARGE - 4097);
        check(files, "c", SMALL + LARGE, LAST - 256 * KIB, 256 * KIB);
        if (direct && is_dropped)
            assert_int_equal(tensor_files_direct_bytes(files), LARGE + LAST + LARGE - 4097 + 256 * KIB);
        tensor_files_close(files);
    }
}

static void what_the_page_cache_has_is_taken_from_there(void **state)
{
    unsigned char buffer[4096];
    size_t header_bytes;
    (void)state;
    struct tensor_files *files = make_files(0, &header_bytes);
    int fd = open(scratch_path(top, "model.safetensors"), O_RDONLY);
    while (read(fd, buffer, sizeof(buffer)) > 0) continue;
    close(fd);
    check(files, "b", SMALL, 0, LARGE);
    assert_int_equal(tensor_files_direct_bytes(files), 0);
    tensor_files_close(files);
}

/* The descriptor that reads directly becomes one that cannot: it is read as usual, now and from then on. */
static void a_file_that_cannot_be_read_so_any_more_is_read_as_usual(void **state)
{
    size_t header_bytes;
    (void)state;
    if (!is_direct()) return;
    struct tensor_files *files = make_files(7, &header_bytes);
    if (!is_dropped) {
        tensor_files_close(files);
        return;
    }
    int before = open(top, O_RDONLY); /* the next free number is the one that it will take */
    assert_true(before >= 0);
    int expected = dup(before);
    close(expected);
    check(files, "b", SMALL, 0, LARGE);
    assert_int_equal(tensor_files_direct_bytes(files), LARGE);
    assert_int_equal(dup2(before, expected), expected);
    check(files, "b", SMALL, 0, LARGE);
    check(files, "c", SMALL + LARGE, 0, LAST);
    assert_int_equal(tensor_files_direct_bytes(files), LARGE);
    close(before);
    tensor_files_close(files);
}

static void a_file_that_changes_meanwhile_is_named(void **state)
{
    static const char *const ways[] = {"truncated", "touched"};
    (void)state;
    for (size_t way = 0; way < ARRAY_LENGTH(ways); way++) {
        unsigned char *room = mem_alloc_aligned(DIRECT_ROOM(LAST), DIRECT_BLOCK), *bytes = NULL;
        const struct timespec times[2] = {{1000, 0}, {1000, 5}};
        struct error err = {0};
        size_t header_bytes;
        struct tensor_files *files = make_files(11, &header_bytes);
        const char *path = scratch_path(top, "model.safetensors");
        check(files, "b", SMALL, 0, LARGE);
        if (way == 0) assert_int_equal(truncate(path, (off_t)(header_bytes + SMALL + LARGE + 100)), 0);
        if (way == 1) assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        enum status st = tensor_read_direct(files, tensor_find(files, "c"), 0, room, LAST, &bytes, &err);
        if (st != DOCKET_CORRUPT || err.code != CODE_model_file_changed || !strstr(err.message, "tensor c") ||
            !strstr(err.message, "model.safetensors"))
            fail_msg("%s: %s: %s", ways[way], status_name(st), err.message);
        tensor_files_close(files);
        mem_free(room);
    }
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_that_begin_and_end_within_a_block_are_read_whole),
        cmocka_unit_test(what_the_page_cache_has_is_taken_from_there),
        cmocka_unit_test(a_file_that_cannot_be_read_so_any_more_is_read_as_usual),
        cmocka_unit_test(a_file_that_changes_meanwhile_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
