/* Parallel loops: every item once, whatever the sizes, and workers apart. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/cpus.h"
#include "worker/base/pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define MAX_ITEMS 5000

struct counts {
    atomic_int seen[MAX_ITEMS];
    atomic_int inside[64]; /* of one worker at one time: one */
    atomic_bool wrong;
    size_t grain;
    unsigned n_threads;
};

static void count(void *context, size_t begin, size_t end, unsigned worker)
{
    struct counts *c = context;
    if (worker >= c->n_threads || begin >= end || end - begin > c->grain) atomic_store(&c->wrong, true);
    if (atomic_fetch_add(&c->inside[worker], 1) != 0) atomic_store(&c->wrong, true);
    for (size_t i = begin; i < end; i++) atomic_fetch_add(&c->seen[i], 1);
    atomic_fetch_sub(&c->inside[worker], 1);
}

static void every_item_is_done_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 1000, MAX_ITEMS}, grains[] = {1, 2, 8, 4999, 100000};
    static struct counts c;
    struct error err;
    for (unsigned n_threads = 1; n_threads <= 5; n_threads++) {
        struct pool *pool;
        assert_int_equal(pool_open(&pool, n_threads, &err), DOCKET_OK);
        assert_int_equal(pool_threads(pool), n_threads);
        for (size_t s = 0; s < ARRAY_LENGTH(sizes); s++)
            for (size_t g = 0; g < ARRAY_LENGTH(grains); g++) {
                memset(&c, 0, sizeof(c));
                c.grain = grains[g];
                c.n_threads = n_threads;
                pool_for(pool, sizes[s], grains[g], count, &c);
                for (size_t i = 0; i < MAX_ITEMS; i++) assert_int_equal(c.seen[i], i < sizes[s]);
                assert_false(c.wrong);
            }
        pool_close(pool);
    }
    pool_close(NULL);
}

static void many_loops_follow_each_other(void **state)
{
    (void)state;
    static struct counts c;
    struct pool *pool;
    struct error err;
    memset(&c, 0, sizeof(c));
    c.grain = 1;
    c.n_threads = 4;
    assert_int_equal(pool_open(&pool, 4, &err), DOCKET_OK);
    for (int i = 0; i < 3000; i++) pool_for(pool, 6, 0, count, &c); /* grain 0 is 1 */
    for (size_t i = 0; i < 6; i++) assert_int_equal(c.seen[i], 3000);
    assert_false(c.wrong);
    pool_close(pool);
}

static void a_pool_has_threads_within_its_bounds(void **state)
{
    (void)state;
    struct pool *pool;
    struct error err;
    assert_int_equal(pool_open(&pool, 0, &err), DOCKET_OK);
    assert_int_equal(pool_threads(pool), cpus_available() < 64 ? cpus_available() : 64);
    pool_close(pool);
    assert_int_equal(pool_open(&pool, 1000, &err), DOCKET_OK);
    assert_int_equal(pool_threads(pool), 64);
    pool_close(pool);
}

/* Piece 0, which is the caller's, ends when all others have: somebody else must take those of the caller's block. */
struct held_up {
    atomic_size_t others;
    size_t n;
    atomic_bool too_late;
};

static void hold_up(void *context, size_t begin, size_t end, unsigned worker)
{
    struct held_up *h = context;
    uint64_t start = clock_now_ns();
    (void)worker;
    if (begin > 0)
        atomic_fetch_add(&h->others, end - begin);
    else
        while (atomic_load(&h->others) < h->n - 1 && !atomic_load(&h->too_late)) {
            if (clock_seconds_since(start) > 60) atomic_store(&h->too_late, true);
            sched_yield();
        }
}

static void who_is_held_up_holds_no_pieces_that_it_has_not_begun(void **state)
{
    (void)state;
    struct error err;
    for (unsigned n_threads = 2; n_threads <= 4; n_threads++) {
        struct pool *pool;
        assert_int_equal(pool_open(&pool, n_threads, &err), DOCKET_OK);
        for (int i = 0; i < 20; i++) {
            struct held_up h = {.n = 40};
            pool_for(pool, h.n, 1, hold_up, &h);
            assert_false(h.too_late);
            assert_int_equal(h.others, h.n - 1);
        }
        pool_close(pool);
    }
}

/* Long enough between loops that threads sleep; and ends while they sleep, wait busily, or have not begun. */
static void threads_that_sleep_come_again_and_go(void **state)
{
    (void)state;
    static struct counts c;
    struct error err;
    for (int round = 0; round < 200; round++) {
        struct pool *pool;
        memset(&c, 0, sizeof(c));
        c.grain = 1;
        c.n_threads = round % 4 + 1;
        assert_int_equal(pool_open(&pool, c.n_threads, &err), DOCKET_OK);
        for (int i = 0; i < round % 3; i++) {
            pool_for(pool, 12, 1, count, &c);
            if (round % 5 == 0) usleep(1000);
        }
        pool_close(pool);
        for (size_t i = 0; i < 12; i++) assert_int_equal(c.seen[i], round % 3);
        assert_false(c.wrong);
    }
}

static enum status open_and_run(void *context, struct error *err)
{
    struct pool *pool = NULL;
    enum status st = pool_open(&pool, 4, err);
    if (st == DOCKET_OK) pool_for(pool, 10, 1, count, context);
    pool_close(pool);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static struct counts c;
    memset(&c, 0, sizeof(c));
    c.grain = 1;
    c.n_threads = 4;
    assert_int_equal(torture(open_and_run, &c), 4);
    assert_false(c.wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(many_loops_follow_each_other),
        cmocka_unit_test(a_pool_has_threads_within_its_bounds),
        cmocka_unit_test(who_is_held_up_holds_no_pieces_that_it_has_not_begun),
        cmocka_unit_test(threads_that_sleep_come_again_and_go),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
