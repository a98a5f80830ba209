/* Partial results: every whole record of an earlier run is found again, a torn tail never stops anything. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/queue/partial.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char root[64];
    struct spool *spool;
    struct spool_key key;
    char *path;
};

static struct spool *open_as(const struct fixture *f, const char *worker_id)
{
    struct spool *spool = NULL;
    struct error err;
    const struct spool_options o = {.root = f->root, .worker_id = worker_id};
    if (spool_open(&spool, &o, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return spool;
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    snprintf(f->root, sizeof(f->root), "/tmp/docket-partial-XXXXXX");
    if (!mkdtemp(f->root)) return -1;
    f->spool = open_as(f, "w1");
    spool_key_make(&f->key, "job", "input", 5);
    f->path = str_format("%s/%s-%s", spool_folder(f->spool, "partial"), f->key.id, f->key.input);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    spool_close(f->spool);
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(f->path);
    mem_free(f);
    return 0;
}

static struct partial *open_partial(struct spool *spool, const struct spool_key *key)
{
    struct partial *p = NULL;
    struct error err;
    assert_int_equal(partial_open(&p, spool, key, &err), DOCKET_OK);
    return p;
}

/* "0=zero 2=two": what is found for the items 0 to 9. */
static void found(struct partial *p, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < 10; i++) {
        size_t n = 0;
        const void *bytes = partial_find(p, i, &n);
        if (bytes)
            at += (size_t)snprintf(out + at, size - at, "%s%u=%.*s", at ? " " : "", i, (int)n, (const char *)bytes);
    }
}

static off_t size_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_size;
}

static void records_are_found_by_the_next_run(void **state)
{
    struct fixture *f = *state;
    char got[128];
    struct partial *p = open_partial(f->spool, &f->key);
    assert_int_equal(partial_found(p), 0);
    assert_true(partial_keep(p, 7, "seven", 5));
    assert_true(partial_keep(p, 0, "zero", 4));
    assert_true(partial_keep(p, 3, "", 0));
    size_t n = 0;
    const char *old = partial_find(p, 7, &n);
    assert_true(partial_keep(p, 7, "SEVEN!", 6));
    assert_true(partial_keep(p, 500000, "far", 3));
    assert_false(partial_keep(p, PARTIAL_MAX_ITEMS, "x", 1));
    assert_memory_equal(old, "seven", 5); /* given out before: stays */
    partial_close(p);
    p = open_partial(f->spool, &f->key);
    assert_int_equal(partial_found(p), 4);
    found(p, got, sizeof(got));
    assert_string_equal(got, "0=zero 3= 7=SEVEN!");
    partial_close(p);
    partial_remove(f->spool, &f->key);
    p = open_partial(f->spool, &f->key);
    assert_int_equal(partial_found(p), 0);
    partial_close(p);
}

static void a_torn_tail_is_cut_and_later_records_stand_behind_what_is_whole(void **state)
{
    struct fixture *f = *state;
    char got[128];
    struct partial *p = open_partial(f->spool, &f->key);
    partial_keep(p, 0, "zero", 4);
    partial_keep(p, 1, "one", 3);
    off_t whole = size_of(f->path);
    partial_keep(p, 2, "two", 3);
    off_t full = size_of(f->path);
    partial_close(p);
    for (off_t cut = whole; cut < full; cut++) { /* at every byte of the last record */
        assert_int_equal(truncate(f->path, cut), 0);
        p = open_partial(f->spool, &f->key);
        found(p, got, sizeof(got));
        assert_string_equal(got, "0=zero 1=one");
        partial_keep(p, 2, "two", 3);
        partial_close(p);
        p = open_partial(f->spool, &f->key);
        found(p, got, sizeof(got));
        assert_string_equal(got, "0=zero 1=one 2=two");
        partial_close(p);
        assert_int_equal(size_of(f->path), full);
    }
}

static void a_changed_byte_ends_what_is_believed(void **state)
{
    struct fixture *f = *state;
    char got[128];
    struct buffer bytes = {0};
    struct error err;
    struct partial *p = open_partial(f->spool, &f->key);
    partial_keep(p, 0, "zero", 4);
    size_t whole = (size_t)size_of(f->path);
    partial_keep(p, 1, "one", 3);
    partial_close(p);
    assert_int_equal(file_read_all(&bytes, f->path, &err), DOCKET_OK);
    for (size_t at = whole; at < bytes.length; at++) {
        bytes.data[at] ^= 0x40;
        int fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        assert_int_equal(write(fd, bytes.data, bytes.length), bytes.length);
        close(fd);
        p = open_partial(f->spool, &f->key);
        found(p, got, sizeof(got));
        if (strcmp(got, "0=zero") != 0) fail_msg("byte %zu: %s", at, got);
        partial_close(p);
        bytes.data[at] ^= 0x40;
    }
    buffer_free(&bytes);
}

static void another_worker_goes_on_where_this_one_was_cut_off(void **state)
{
    struct fixture *f = *state;
    char got[128];
    struct spool *second = open_as(f, "w2");
    struct partial *p = open_partial(f->spool, &f->key);
    partial_keep(p, 0, "zero", 4);
    partial_close(p);
    p = open_partial(second, &f->key);
    assert_int_equal(partial_found(p), 1);
    partial_keep(p, 1, "one", 3);
    partial_close(p);
    p = open_partial(second, &f->key); /* now from its own file, which holds both */
    found(p, got, sizeof(got));
    assert_string_equal(got, "0=zero 1=one");
    partial_close(p);
    spool_close(second);
}

static void other_input_finds_nothing(void **state)
{
    struct fixture *f = *state;
    struct spool_key other;
    struct partial *p = open_partial(f->spool, &f->key);
    partial_keep(p, 0, "zero", 4);
    partial_close(p);
    spool_key_make(&other, "job", "Input", 5);
    p = open_partial(f->spool, &other);
    assert_int_equal(partial_found(p), 0);
    partial_close(p);
}

static void without_a_spool_memory_serves(void **state)
{
    struct fixture *f = *state;
    char got[128];
    struct partial *p = open_partial(NULL, &f->key);
    assert_true(partial_keep(p, 1, "one", 3));
    found(p, got, sizeof(got));
    assert_string_equal(got, "1=one");
    partial_close(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(records_are_found_by_the_next_run),
        T(a_torn_tail_is_cut_and_later_records_stand_behind_what_is_whole),
        T(a_changed_byte_ends_what_is_believed),
        T(another_worker_goes_on_where_this_one_was_cut_off),
        T(other_input_finds_nothing),
        T(without_a_spool_memory_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
