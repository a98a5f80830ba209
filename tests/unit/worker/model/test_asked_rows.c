/* What is kept of a batch for its last layer: the rows that are asked for, with the same keys before them. */
#include "worker/model/asked_rows.h"

#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"

enum { N = 40 };

/* A sequence of 20 rows behind 6 slots of its own, a tree of 5, a document of 10 behind a shared range; 5 rows of nobody. */
static const int32_t parents[] = {-1, 0, 0, 1, -1};
static const struct kernels_sequence sequences[] = {
    {.first_row = 0, .n_rows = 20, .own = {0, 26, 100}},
    {.first_row = 20, .n_rows = 5, .n_shared = 1, .shared = {{0, 26, 100}}, .own = {50, 5, 126}, .parent = parents},
    {.first_row = 25, .n_rows = 10, .n_shared = 1, .shared = {{70, 9, 0}}, .own = {60, 10, 9}},
};

static struct kernels_batch_desc whole(void)
{
    static int32_t ids[N], positions[N];
    static uint32_t slots[N];
    for (size_t i = 0; i < N; i++) {
        ids[i] = 1000 + (int32_t)i;
        positions[i] = 2000 + (int32_t)i;
        slots[i] = 3000 + (uint32_t)i;
    }
    return (struct kernels_batch_desc){N, 3, ids, positions, slots, sequences};
}

static void rows_between_the_first_and_the_last_are_kept_and_trees_whole(void **state)
{
    (void)state;
    static const uint32_t rows[] = {17, 19, 21, 34}, kept[] = {17, 18, 19, 20, 21, 22, 23, 24, 34},
                          outputs[] = {0, 2, 4, 8};
    struct asked_rows a;
    const struct kernels_batch_desc batch = whole();
    assert_true(asked_rows_init(&a, N, 3, 4));
    for (int again = 0; again < 2; again++) {
        assert_true(asked_rows_choose(&a, &batch, rows, 4));
        assert_int_equal(a.batch.n_rows, ARRAY_LENGTH(kept));
        assert_int_equal(a.batch.n_sequences, 3);
        for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
            assert_int_equal(a.rows[i], kept[i]);
            assert_int_equal(a.batch.token_ids[i], 1000 + kept[i]);
            assert_int_equal(a.batch.positions[i], 2000 + kept[i]);
            assert_int_equal(a.batch.slots[i], 3000 + kept[i]);
        }
        for (size_t i = 0; i < 4; i++) assert_int_equal(a.outputs[i], outputs[i]);
        const struct kernels_sequence *s = a.batch.sequences;
        assert_int_equal(s[0].first_row, 0);
        assert_int_equal(s[0].n_rows, 3);
        assert_int_equal(s[0].own.n_slots, 26);
        assert_int_equal(s[1].first_row, 3);
        assert_int_equal(s[1].n_rows, 5);
        assert_int_equal(s[1].own.n_slots, 5);
        assert_ptr_equal(s[1].parent, parents);
        assert_int_equal(s[2].first_row, 8);
        assert_int_equal(s[2].n_rows, 1);
        assert_int_equal(s[2].own.n_slots, 10);
        assert_int_equal(s[2].n_shared, 1);
        assert_int_equal(s[2].shared[0].first_slot, 70);
    }
    /* The keys behind the last row that is asked for are not seen any more. */
    assert_true(asked_rows_choose(&a, &batch, (const uint32_t[]){3}, 1));
    assert_int_equal(a.batch.sequences[0].own.n_slots, 6 + 3 + 1);
    asked_rows_free(&a);
    asked_rows_free(&a);
}

static void what_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t rows[3];
        size_t n_rows;
        bool want;
    } cases[] = {
        {"none", {0}, 0, true},
        {"half", {0, 19}, 2, true},
        {"more_than_half", {0, 19, 25}, 3, false},
        {"of_no_sequence", {3, 37}, 2, false},
        {"beyond_the_batch", {N}, 1, false},
        {"twice", {4, 4}, 2, true},
        {"falling_in_a_sequence", {8, 4}, 2, false},
        {"falling_over_sequences", {30, 4}, 2, false},
    };
    struct asked_rows a;
    const struct kernels_batch_desc batch = whole();
    assert_true(asked_rows_init(&a, N, 3, 3));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (asked_rows_choose(&a, &batch, cases[i].rows, cases[i].n_rows) != cases[i].want)
            fail_msg("%s: %d", cases[i].name, !cases[i].want);
    asked_rows_free(&a);
    assert_true(asked_rows_init(&a, 20, 3, 3)); /* was made for less than it is given */
    assert_false(asked_rows_choose(&a, &batch, (const uint32_t[]){0, 15}, 2));
    asked_rows_free(&a);
    assert_true(asked_rows_init(&a, N, 1, 3));
    assert_false(asked_rows_choose(&a, &batch, (const uint32_t[]){0, 25}, 2));
    asked_rows_free(&a);
}

static enum status make(void *context, struct error *err)
{
    struct asked_rows a;
    (void)context;
    bool made = asked_rows_init(&a, N, 3, 3);
    asked_rows_free(&a);
    return made ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory");
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    assert_int_equal(torture(make, NULL), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_between_the_first_and_the_last_are_kept_and_trees_whole),
        cmocka_unit_test(what_cannot_be_cut_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
