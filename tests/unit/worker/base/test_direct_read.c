/* What is read past the page cache is what stands in the file, wherever it begins and ends; what cannot be says no. Where the file system
 * of the temporary folder has no direct reads, only the refusals are seen. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/direct_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 5 * DIRECT_BLOCK + 123, GUARD = 64 };

static char top[256];
static unsigned char content[FILE_BYTES];

/* Open for reading, and out of the page cache as far as its file system gives it up. */
static int make_file(void)
{
    for (size_t i = 0; i < FILE_BYTES; i++) content[i] = (unsigned char)(i * 7 + i / 251);
    scratch_write(top, "file", content, FILE_BYTES);
    int fd = open(scratch_path(top, "file"), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return fd;
}

static unsigned char *make_room(size_t n)
{
    unsigned char *room =
        aligned_alloc(DIRECT_BLOCK, DIRECT_ROOM(FILE_BYTES) / DIRECT_BLOCK * DIRECT_BLOCK + DIRECT_BLOCK);
    assert_non_null(room);
    memset(room, 0xee, DIRECT_ROOM(n) + GUARD);
    return room;
}

static void any_piece_is_what_the_file_holds(void **state)
{
    static const size_t edges[] = {0,    1,    2,    7,    8,     63,    64,    4088, 4095,
                                   4096, 4097, 8191, 8192, 16384, 20479, 20480, 20602};
    (void)state;
    int fd = make_file(), direct = direct_open(fd);
    for (size_t i = 0; direct >= 0 && i < sizeof edges / sizeof edges[0]; i++)
        for (size_t k = 0; k < sizeof edges / sizeof edges[0]; k++) {
            size_t at = edges[i], n = edges[k] < FILE_BYTES - at ? edges[k] : FILE_BYTES - at;
            unsigned char *room = make_room(n), *bytes = NULL;
            if (!direct_read(direct, room, n, at, &bytes)) {
                assert_int_equal(errno, EINVAL); /* a file system that opens so, and does not read so */
                free(room);
                continue;
            }
            if (memcmp(bytes, content + at, n) != 0) fail_msg("%zu bytes at %zu are others", n, at);
            assert_int_equal((uintptr_t)bytes % 8, 0);
            assert_true(bytes >= room && bytes + n <= room + DIRECT_ROOM(n));
            for (size_t g = 0; g < GUARD; g++) assert_int_equal(room[DIRECT_ROOM(n) + g], 0xee);
            free(room);
        }
    if (direct >= 0) close(direct);
    close(fd);
}

static void what_the_file_has_not_is_not_given(void **state)
{
    (void)state;
    int fd = make_file(), direct = direct_open(fd);
    unsigned char *room = make_room(FILE_BYTES), *bytes;
    for (size_t lacking = 1; direct >= 0 && lacking <= 3 * DIRECT_BLOCK; lacking += 409)
        assert_false(direct_read(direct, room, DIRECT_BLOCK, FILE_BYTES - DIRECT_BLOCK + lacking, &bytes));
    assert_false(direct_read(-1, room, 8, 0, &bytes));
    int folder = open(top, O_RDONLY);
    assert_false(direct_read(folder, room, 8, 0, &bytes));
    close(folder);
    assert_int_equal(direct_open(-1), -1);
    if (direct >= 0) close(direct);
    close(fd);
    free(room);
}

static void the_page_cache_is_looked_at_without_reading(void **state)
{
    unsigned char byte;
    (void)state;
    int fd = make_file();
    bool dropped = !direct_is_cached(fd, FILE_BYTES);
    assert_int_equal(direct_is_cached(fd, FILE_BYTES), !dropped); /* to look changes nothing */
    for (size_t at = 0; at < FILE_BYTES; at += DIRECT_BLOCK) assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    assert_true(direct_is_cached(fd, FILE_BYTES)); /* on a volume of another's, too */
    assert_int_equal(ftruncate(fd, 0), 0);
    direct_is_cached(fd, FILE_BYTES); /* shorter than said: no signal */
    assert_false(direct_is_cached(fd, 0));
    assert_false(direct_is_cached(-1, FILE_BYTES));
    close(fd);
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
        cmocka_unit_test(any_piece_is_what_the_file_holds),
        cmocka_unit_test(what_the_file_has_not_is_not_given),
        cmocka_unit_test(the_page_cache_is_looked_at_without_reading),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
