/* The spool: what was computed outlives kills, damage, full disks and the worker that computed it. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/queue/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char root[64];
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    snprintf(f->root, sizeof(f->root), "/tmp/docket-spool-XXXXXX");
    if (!mkdtemp(f->root)) return -1;
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
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(f);
    return 0;
}

static struct spool *open_as(const struct fixture *f, const char *worker_id)
{
    struct spool *spool = NULL;
    struct error err;
    const struct spool_options o = {
        .root = f->root, .worker_id = worker_id, .interval_seconds = 10, .keep_accepted = 3};
    if (spool_open(&spool, &o, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return spool;
}

static struct spool_entry put(struct spool *spool, const char *id, const char *body)
{
    struct spool_key key;
    struct spool_entry entry;
    struct error err;
    spool_key_make(&key, id, "input", 5);
    if (spool_put(spool, &key, SPOOL_FULL, id, body, strlen(body), &entry, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    return entry;
}

/* "id=body id=body": what the spool hands out, in its order. */
static void found(struct spool *spool, char *out, size_t size)
{
    size_t n = 0, at = 0;
    struct spool_entry *entries = spool_take_found(spool, &n);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        struct buffer bytes = {0};
        struct spool_text text;
        struct error err;
        enum status st = spool_read(spool, &entries[i], &bytes, &text, &err);
        at += (size_t)snprintf(out + at, size - at, "%s%s=%.*s", i ? " " : "",
                               st == DOCKET_OK ? text.id : status_name(st), st == DOCKET_OK ? (int)text.body_bytes : 0,
                               st == DOCKET_OK ? text.body : "");
        buffer_free(&bytes);
    }
    mem_free(entries);
}

static size_t count_files(const struct spool *spool, const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(spool_folder(spool, folder));
    for (struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.';
    if (dir) closedir(dir);
    return n;
}

static char *in_results(const struct spool *spool, const char *name)
{
    return path_join(spool_folder(spool, "results"), name);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void a_result_waits_until_it_is_accepted_in_order_of_age(void **state)
{
    char got[256];
    struct spool *spool = open_as(*state, "w1");
    put(spool, "a", "{\"output\": 1}");
    struct spool_entry b = put(spool, "b", "{\"output\": 2}");
    put(spool, "c\xc3\xbc", "");
    struct spool_facts facts;
    spool_facts(spool, &facts);
    assert_int_equal(facts.n_waiting, 3);
    assert_int_equal(facts.bytes_waiting, 26);
    spool_accept(spool, &b);
    spool_close(spool);

    spool = open_as(*state, "w1");
    found(spool, got, sizeof(got));
    assert_string_equal(got, "a={\"output\": 1} c\xc3\xbc=");
    size_t n;
    assert_null(spool_take_found(spool, &n)); /* each is handed out once */
    spool_close(spool);
}

static void spool_replays_after_kill_between_write_and_rename(void **state)
{
    char got[256];
    struct spool *spool = open_as(*state, "w1");
    struct spool_entry a = put(spool, "a", "first"), b = put(spool, "b", "second");
    /* as the kill leaves it: written to the last byte, or not, under the name before the rename */
    char *path = in_results(spool, a.name), *temporary = str_format("%s.7.0.tmp", path);
    assert_int_equal(rename(path, temporary), 0);
    char *path_b = in_results(spool, b.name), *temporary_b = str_format("%s.7.1.tmp", path_b);
    assert_int_equal(rename(path_b, temporary_b), 0);
    assert_int_equal(truncate(temporary_b, 40), 0);
    mem_free(path);
    mem_free(temporary);
    mem_free(path_b);
    mem_free(temporary_b);
    spool_close(spool);

    spool = open_as(*state, "w1");
    found(spool, got, sizeof(got));
    assert_string_equal(got, "a=first");
    struct spool_facts facts;
    spool_facts(spool, &facts);
    assert_int_equal(facts.n_rescued, 1);
    assert_int_equal(facts.n_set_aside, 1);
    assert_int_equal(count_files(spool, "aside"), 1);
    spool_close(spool);
}

static void what_is_no_whole_record_is_set_aside(void **state)
{
    static const struct {
        const char *name;
        long truncate_to; /* 0: not */
        long flip;        /* byte to change; -1: none */
        enum status want;
    } cases[] = {
        {"cut_by_one", -1, -1, DOCKET_CORRUPT},
        {"empty", -1000, -1, DOCKET_CORRUPT},
        {"half", 60, -1, DOCKET_CORRUPT},
        {"body_changed", 0, 130, DOCKET_CORRUPT},
        {"magic_changed", 0, 0, DOCKET_CORRUPT},
        {"checksum_changed", 0, 20, DOCKET_CORRUPT},
        {"later_version", 0, 13, DOCKET_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct spool *spool = open_as(*state, cases[i].name);
        struct spool_entry entry = put(spool, "id", "0123456789012345678901234567890123456789");
        char *path = in_results(spool, entry.name);
        struct buffer bytes = {0};
        struct spool_text text;
        struct error err;
        assert_int_equal(file_read_all(&bytes, path, &err), DOCKET_OK);
        if (cases[i].flip >= 0) bytes.data[cases[i].flip]++;
        size_t length = cases[i].truncate_to > 0    ? (size_t)cases[i].truncate_to
                        : cases[i].truncate_to < -1 ? 0
                                                    : bytes.length - (size_t)-cases[i].truncate_to;
        write_file(path, bytes.data, length);
        enum status st = spool_read(spool, &entry, &bytes, &text, &err);
        if (st != cases[i].want) fail_msg("%s: %s", cases[i].name, status_name(st));
        assert_int_equal(count_files(spool, "aside"), 1);
        assert_int_equal(count_files(spool, "results"), 0);
        struct spool_facts facts;
        spool_facts(spool, &facts);
        assert_int_equal(facts.n_waiting, 0);
        assert_int_equal(facts.n_set_aside, 1);
        buffer_free(&bytes);
        mem_free(path);
        spool_close(spool);
    }
}

static void foreign_files_do_not_stop_the_start(void **state)
{
    char got[256];
    struct spool *spool = open_as(*state, "w1");
    put(spool, "a", "x");
    static const char *const names[] = {"README", "00000000000000000001-short-1.rec", "x.tmp", "core.1234"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char *path = in_results(spool, names[i]);
        write_file(path, "hello", 5);
        mem_free(path);
    }
    char *folder = in_results(spool, "folder");
    mkdir(folder, 0700);
    mem_free(folder);
    spool_close(spool);
    spool = open_as(*state, "w1");
    found(spool, got, sizeof(got));
    assert_string_equal(got, "a=x");
    assert_int_equal(count_files(spool, "aside"), ARRAY_LENGTH(names) + 1);
    spool_close(spool);
}

/* Makes a worker's folder look as if it had been silent for that long. */
static void silence(const struct fixture *f, const char *worker_id, time_t seconds)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s/owner", f->root, worker_id);
    struct timespec then[2];
    clock_gettime(CLOCK_REALTIME, &then[0]);
    then[0].tv_sec -= seconds;
    then[1] = then[0];
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

static void a_dead_workers_results_are_adopted_and_a_living_ones_are_not(void **state)
{
    char got[256];
    struct spool *dead = open_as(*state, "dead"), *alive = open_as(*state, "alive");
    put(dead, "d", "1");
    put(alive, "l", "2");
    spool_close(dead);
    spool_close(alive);
    silence(*state, "dead", 51);
    silence(*state, "alive", 49); /* 5 intervals of 10 s */
    struct spool *heir = open_as(*state, "heir");
    put(heir, "own", "3");
    spool_close(heir);
    heir = open_as(*state, "heir");
    assert_int_equal(spool_adopt(heir), 1);
    found(heir, got, sizeof(got));
    assert_string_equal(got, "d=1 own=3");
    assert_int_equal(spool_adopt(heir), 0);
    spool_close(heir);
    /* the dead one wakes up: its record is gone, and it knows */
    dead = open_as(*state, "dead");
    found(dead, got, sizeof(got));
    assert_string_equal(got, "");
    spool_close(dead);
}

static void a_record_that_another_adopted_is_not_found(void **state)
{
    struct spool *spool = open_as(*state, "w1");
    struct spool_entry entry = put(spool, "a", "x");
    struct buffer bytes = {0};
    struct spool_text text;
    struct error err;
    char *path = in_results(spool, entry.name);
    assert_true(spool_exists(spool, &entry));
    unlink(path);
    assert_false(spool_exists(spool, &entry));
    assert_int_equal(spool_read(spool, &entry, &bytes, &text, &err), DOCKET_NOT_FOUND);
    mem_free(path);
    buffer_free(&bytes);
    spool_close(spool);
}

static void folders_older_than_any_job_are_cleared(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct spool *old = open_as(f, "old");
    struct spool_entry entry = put(old, "a", "x");
    spool_accept(old, &entry);
    spool_close(old);
    silence(f, "old", 8 * 86400);
    struct spool *spool = open_as(f, "w1");
    spool_adopt(spool);
    snprintf(path, sizeof(path), "%s/old", f->root);
    assert_int_equal(access(path, F_OK), -1);
    spool_close(spool);
}

static void the_last_answers_are_kept_for_jobs_that_come_again(void **state)
{
    struct spool *spool = open_as(*state, "w1"), *other = open_as(*state, "w2");
    struct buffer bytes = {0};
    struct spool_text text;
    struct spool_key key, changed;
    struct error err;
    for (int i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof(id), "j%d", i);
        struct spool_entry entry = put(spool, id, id);
        spool_accept(spool, &entry);
    }
    assert_int_equal(count_files(spool, "accepted"), 3); /* keep_accepted */
    spool_key_make(&key, "j4", "input", 5);
    spool_key_make(&changed, "j4", "Input", 5);
    assert_int_equal(spool_find_accepted(spool, &key, &bytes, &text, &err), DOCKET_OK);
    assert_string_equal(text.id, "j4");
    assert_int_equal(spool_find_accepted(other, &key, &bytes, &text, &err), DOCKET_OK); /* on the same volume */
    assert_int_equal(spool_find_accepted(spool, &changed, &bytes, &text, &err), DOCKET_NOT_FOUND);
    spool_key_make(&key, "j0", "input", 5);
    assert_int_equal(spool_find_accepted(spool, &key, &bytes, &text, &err), DOCKET_NOT_FOUND);
    buffer_free(&bytes);
    spool_close(spool);
    spool_close(other);
    spool = open_as(*state, "w1"); /* also after a restart */
    spool_key_make(&key, "j3", "input", 5);
    assert_int_equal(spool_find_accepted(spool, &key, &bytes, &text, &err), DOCKET_OK);
    buffer_free(&bytes);
    spool_close(spool);
}

static void failures_are_not_kept_as_answers(void **state)
{
    struct spool *spool = open_as(*state, "w1");
    struct spool_entry entry;
    struct spool_key key;
    struct error err;
    spool_key_make(&key, "a", "", 0);
    assert_int_equal(spool_put(spool, &key, SPOOL_ERROR, "a", "x", 1, &entry, &err), DOCKET_OK);
    spool_accept(spool, &entry);
    assert_int_equal(count_files(spool, "accepted"), 0);
    assert_int_equal(count_files(spool, "results"), 0);
    spool_close(spool);
}

static void refused_and_expired_results_are_kept_apart(void **state)
{
    struct spool *spool = open_as(*state, "w1");
    struct spool_entry a = put(spool, "a", "x"), b = put(spool, "b", "y");
    spool_reject(spool, &a);
    spool_expire(spool, &b);
    assert_int_equal(count_files(spool, "rejected"), 1);
    assert_int_equal(count_files(spool, "expired"), 1);
    assert_int_equal(count_files(spool, "results"), 0);
    spool_close(spool);
}

static void ids_of_any_kind_make_folders_under_the_root(void **state)
{
    static const struct {
        const char *id, *want;
    } cases[] = {
        {"worker-1", "worker-1"}, {"..", "%2E%2E"}, {"a/../b", "a%2F..%2Fb"}, {"\xc3\xbc", "%C3%BC"}, {"a b", "a%20b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        spool_folder_name(&out, cases[i].id);
        assert_string_equal(out.data, cases[i].want);
        buffer_free(&out);
    }
    struct buffer out = {0};
    char id[1000];
    memset(id, '/', sizeof(id));
    id[999] = '\0';
    spool_folder_name(&out, id);
    assert_int_equal(out.length, 64);
    buffer_free(&out);
}

static void a_link_or_a_file_is_no_spool(void **state)
{
    struct fixture *f = *state;
    struct spool *spool = NULL;
    struct error err;
    char link[160], file[160];
    snprintf(link, sizeof(link), "%s/link", f->root);
    snprintf(file, sizeof(file), "%s/file", f->root);
    assert_int_equal(symlink("/tmp", link), 0);
    write_file(file, "x", 1);
    assert_int_equal(spool_open(&spool, &(struct spool_options){.root = link, .worker_id = "w"}, &err), DOCKET_REFUSED);
    assert_int_not_equal(spool_open(&spool, &(struct spool_options){.root = file, .worker_id = "w"}, &err), DOCKET_OK);
    assert_int_not_equal(spool_open(&spool, &(struct spool_options){.root = "/proc/x/y", .worker_id = "w"}, &err),
                         DOCKET_OK);
}

static void a_full_disk_is_an_error_that_leaves_nothing_behind(void **state)
{
    struct spool *spool = open_as(*state, "w1");
    struct spool_key key;
    struct spool_entry entry;
    struct error err;
    char *results = str_dup(spool_folder(spool, "results")), *moved = str_format("%s.gone", results);
    spool_key_make(&key, "a", "", 0);
    assert_int_equal(rename(results, moved), 0); /* works for root too, unlike rights */
    assert_int_not_equal(spool_put(spool, &key, SPOOL_FULL, "a", "x", 1, &entry, &err), DOCKET_OK);
    assert_int_equal(rename(moved, results), 0);
    assert_int_equal(count_files(spool, "results"), 0);
    struct spool_facts facts;
    spool_facts(spool, &facts);
    assert_int_equal(facts.n_waiting, 0);
    assert_int_equal(spool_put(spool, &key, SPOOL_FULL, "a", "x", 1, &entry, &err), DOCKET_OK);
    mem_free(results);
    mem_free(moved);
    spool_close(spool);
}

static void too_much_waiting_or_too_little_disk_is_pressure(void **state)
{
    struct fixture *f = *state;
    struct spool *spool = NULL;
    struct error err;
    struct spool_options o = {.root = f->root, .worker_id = "w1", .max_bytes = 10};
    assert_int_equal(spool_open(&spool, &o, &err), DOCKET_OK);
    assert_null(spool_pressure(spool));
    struct spool_entry entry = put(spool, "a", "12345678901");
    assert_non_null(spool_pressure(spool));
    spool_accept(spool, &entry);
    assert_null(spool_pressure(spool));
    spool_close(spool);
    o.min_free_bytes = UINT64_MAX;
    assert_int_equal(spool_open(&spool, &o, &err), DOCKET_OK);
    assert_non_null(spool_pressure(spool));
    spool_close(spool);
}

static void a_hundred_thousand_records_are_listed_without_being_read(void **state)
{
    struct spool *spool = open_as(*state, "w1");
    struct spool_entry entry = {.body_bytes = 10};
    spool_key_make(&entry.key, "a", "", 0);
    int folder = open(spool_folder(spool, "results"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 100000; i++) {
        entry.created_ns = (uint64_t)(100000 - i);
        spool_entry_name(&entry);
        int fd =
            openat(folder, entry.name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* empty: reading would find them wrong */
        assert_true(fd >= 0);
        close(fd);
    }
    close(folder);
    spool_close(spool);
    uint64_t start = clock_now_ns();
    spool = open_as(*state, "w1");
    size_t n = 0;
    struct spool_entry *entries = spool_take_found(spool, &n);
    print_message("100,000 records listed in %.3f s\n", clock_seconds_since(start));
    assert_int_equal(n, 100000);
    for (size_t i = 1; i < n; i++) assert_true(entries[i - 1].created_ns < entries[i].created_ns);
    assert_int_equal(count_files(spool, "aside"), 0);
    mem_free(entries);
    spool_close(spool);
}

static void every_failed_allocation_is_survived(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 1;; n++) {
        struct spool *spool = NULL;
        struct spool_key key;
        struct spool_entry entry;
        struct spool_text text;
        struct buffer bytes = {0};
        struct error err;
        const struct spool_options o = {.root = f->root, .worker_id = "w1", .keep_accepted = 3};
        mem_fail_at(n, true);
        bool opened = spool_open(&spool, &o, &err) == DOCKET_OK;
        if (opened) {
            spool_key_make(&key, "a", "", 0);
            if (spool_put(spool, &key, SPOOL_FULL, "a", "x", 1, &entry, &err) == DOCKET_OK) {
                spool_read(spool, &entry, &bytes, &text, &err);
                spool_accept(spool, &entry);
                spool_find_accepted(spool, &key, &bytes, &text, &err);
            }
            spool_adopt(spool);
        }
        bool reached = mem_count() >= n;
        mem_fail_at(0, false);
        buffer_free(&bytes);
        spool_close(spool);
        if (!reached) break;
    }
}

static void results_without_a_taker_stay_until_nobody_can_want_them(void **state)
{
    const struct fixture *f = *state;
    struct spool *spool = open_as(f, "w"), *other = open_as(f, "other");
    struct spool_key key;
    struct error err = {0};
    struct buffer bytes = {0};
    char first[128], second[128], small[20];
    spool_key_make(&key, "job", "input", 5);
    for (unsigned i = 0; i < 2; i++) /* the second time in place of the first */
        assert_int_equal(spool_keep_results(spool, &key, "{}\n{}\n", 3 + 3 * i, ".gz", first, sizeof(first), &err),
                         DOCKET_OK);
    char *path = str_format("%s/w/%s", f->root, first);
    assert_int_equal(file_read_all(&bytes, path, &err), DOCKET_OK);
    assert_int_equal(bytes.length, 6);
    assert_int_equal(spool_keep_results(spool, &key, "", 0, ".gz", small, sizeof(small), &err), DOCKET_INTERNAL);
    assert_int_equal(spool_adopt(other), 0); /* nobody's result to post */
    spool_close(spool);
    spool = open_as(f, "w");
    assert_int_equal(access(path, R_OK), 0);
    const struct timespec times[2] = {{.tv_sec = time(NULL) - 8 * 86400}, {.tv_sec = time(NULL) - 8 * 86400}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    spool_key_make(&key, "another", "input", 5);
    assert_int_equal(spool_keep_results(spool, &key, "x", 1, "", second, sizeof(second), &err), DOCKET_OK);
    assert_string_not_equal(first, second);
    assert_int_not_equal(access(path, R_OK), 0);
    mem_free(path);
    buffer_free(&bytes);
    spool_close(other);
    spool_close(spool);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_result_waits_until_it_is_accepted_in_order_of_age),
        T(spool_replays_after_kill_between_write_and_rename),
        T(what_is_no_whole_record_is_set_aside),
        T(foreign_files_do_not_stop_the_start),
        T(a_dead_workers_results_are_adopted_and_a_living_ones_are_not),
        T(a_record_that_another_adopted_is_not_found),
        T(folders_older_than_any_job_are_cleared),
        T(the_last_answers_are_kept_for_jobs_that_come_again),
        T(failures_are_not_kept_as_answers),
        T(refused_and_expired_results_are_kept_apart),
        T(ids_of_any_kind_make_folders_under_the_root),
        T(a_link_or_a_file_is_no_spool),
        T(a_full_disk_is_an_error_that_leaves_nothing_behind),
        T(too_much_waiting_or_too_little_disk_is_pressure),
        T(a_hundred_thousand_records_are_listed_without_being_read),
        T(results_without_a_taker_stay_until_nobody_can_want_them),
        T(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
