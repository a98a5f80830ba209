/* The tree of continuations: what is fed, what is scored, and that probabilities sum to one. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/model/token_trie.h"

#include <math.h>

#define END 2

static struct token_list list_of(const int32_t *ids, size_t n)
{
    struct token_list list = {0};
    assert_true(token_list_append_all(&list, ids, n));
    return list;
}

/* Paths end with -1. */
static enum status build(struct token_trie *trie, const int32_t paths[][8], size_t n, size_t *first, size_t *second,
                         struct error *err)
{
    struct token_list lists[16] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t length = 0;
        while (paths[i][length] >= 0) length++;
        lists[i] = list_of(paths[i], length);
    }
    enum status st = token_trie_build(trie, lists, n, END, first, second, err);
    for (size_t i = 0; i < n; i++) token_list_free(&lists[i]);
    return st;
}

static double sum_of(const struct token_trie *trie, const double *log_p)
{
    double sum = 0;
    for (size_t i = 0; i < trie->n_leaves; i++) sum += exp(log_p[i]);
    return sum;
}

static void distinct_first_tokens_need_no_fed_token(void **state)
{
    static const int32_t paths[][8] = {{10, 11, -1}, {20, 21, 22, -1}, {30, -1}};
    struct token_trie trie = {0};
    size_t a, b;
    (void)state;
    assert_int_equal(build(&trie, paths, 3, &a, &b, NULL), DOCKET_OK);
    assert_int_equal(trie.n_fed, 0);
    assert_int_equal(trie.n_branches, 1);
    assert_int_equal(trie.n_choices, 3);
    double log_p[3];
    assert_true(token_trie_score(&trie, (float[]){0, 0, 0}, log_p));
    for (int i = 0; i < 3; i++) assert_true(fabs(exp(log_p[i]) - 1.0 / 3) < 1e-12);
    token_trie_free(&trie);
}

static void a_label_that_begins_another_ends_with_the_end_token(void **state)
{
    static const int32_t paths[][8] = {{10, 11, 12, -1}, {10, 11, -1}, {20, -1}};
    struct token_trie trie = {0};
    size_t a, b;
    (void)state;
    assert_int_equal(build(&trie, paths, 3, &a, &b, NULL), DOCKET_OK);
    assert_int_equal(trie.n_fed, 2); /* 10 and 11: the choice stands behind them */
    assert_int_equal(trie.nodes[trie.fed[0]].token, 10);
    assert_int_equal(trie.nodes[trie.fed[1]].token, 11);
    assert_int_equal(trie.n_branches, 2);
    const struct trie_node *inner = &trie.nodes[trie.branches[1]];
    assert_int_equal(inner->n_children, 2);
    assert_int_equal(trie.nodes[inner->first_child].token, END);
    assert_int_equal(trie.nodes[inner->first_child].leaf, 1);
    /* root: 10 against 20 with odds 3 : 1; inner: end against 12 with odds 1 : 1 */
    double log_p[3];
    assert_true(token_trie_score(&trie, (float[]){logf(3), 0, 0.5f, 0.5f}, log_p));
    assert_true(fabs(exp(log_p[0]) - 0.375) < 1e-6);
    assert_true(fabs(exp(log_p[1]) - 0.375) < 1e-6);
    assert_true(fabs(exp(log_p[2]) - 0.25) < 1e-6);
    token_trie_free(&trie);
}

static void order_of_labels_does_not_matter(void **state)
{
    static const int32_t one[][8] = {{5, 6, -1}, {5, 7, 8, -1}, {5, 7, 9, -1}, {4, -1}};
    static const int32_t two[][8] = {{4, -1}, {5, 7, 9, -1}, {5, 6, -1}, {5, 7, 8, -1}};
    static const size_t where[4] = {2, 3, 1, 0}; /* of one's labels in two */
    struct token_trie x = {0}, y = {0};
    size_t a, b;
    double p[4], q[4];
    (void)state;
    assert_int_equal(build(&x, one, 4, &a, &b, NULL), DOCKET_OK);
    assert_int_equal(build(&y, two, 4, &a, &b, NULL), DOCKET_OK);
    assert_int_equal(x.n_choices, y.n_choices);
    float logits[16];
    for (size_t i = 0; i < x.n_choices; i++) logits[i] = (float)i * 0.7f - 1;
    assert_true(token_trie_score(&x, logits, p));
    assert_true(token_trie_score(&y, logits, q));
    for (int i = 0; i < 4; i++) assert_true(fabs(p[i] - q[where[i]]) < 1e-12);
    assert_true(fabs(sum_of(&x, p) - 1) < 1e-12);
    token_trie_free(&x);
    token_trie_free(&y);
}

static void equal_and_empty_continuations_are_named(void **state)
{
    static const int32_t twins[][8] = {{1, 2, -1}, {3, -1}, {1, 2, -1}};
    static const int32_t empty[][8] = {{1, -1}, {-1}};
    struct token_trie trie = {0};
    struct error err = {0};
    size_t a = 9, b = 9;
    (void)state;
    assert_int_equal(build(&trie, twins, 3, &a, &b, &err), DOCKET_BAD_INPUT);
    assert_int_equal(err.code, CODE_labels_invalid);
    assert_true((a == 0 && b == 2) || (a == 2 && b == 0));
    assert_int_equal(build(&trie, empty, 2, &a, &b, &err), DOCKET_BAD_INPUT);
    assert_int_equal(a, 1);
    assert_int_equal(b, 1);
}

static void logits_that_are_not_finite_are_refused(void **state)
{
    static const int32_t paths[][8] = {{1, -1}, {2, -1}};
    struct token_trie trie = {0};
    size_t a, b;
    double log_p[2];
    (void)state;
    assert_int_equal(build(&trie, paths, 2, &a, &b, NULL), DOCKET_OK);
    assert_false(token_trie_score(&trie, (float[]){0, NAN}, log_p));
    assert_false(token_trie_score(&trie, (float[]){INFINITY, 0}, log_p));
    assert_true(token_trie_score(&trie, (float[]){1e30f, -1e30f}, log_p));
    token_trie_free(&trie);
}

static void every_failing_allocation_is_survived(void **state)
{
    static const int32_t paths[][8] = {{5, 6, -1}, {5, 7, 8, -1}, {4, -1}};
    const struct token_list lists[] = {list_of(paths[0], 2), list_of(paths[1], 3), list_of(paths[2], 1)};
    enum status st = DOCKET_NO_MEMORY;
    (void)state;
    for (size_t n = 1; st != DOCKET_OK; n++) {
        struct token_trie trie = {0};
        size_t a, b;
        mem_fail_at(n, false);
        st = token_trie_build(&trie, lists, 3, END, &a, &b, NULL);
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK || st == DOCKET_NO_MEMORY);
        assert_true(n < 100);
        token_trie_free(&trie);
    }
    for (int i = 0; i < 3; i++) mem_free(lists[i].ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_first_tokens_need_no_fed_token),
        cmocka_unit_test(a_label_that_begins_another_ends_with_the_end_token),
        cmocka_unit_test(order_of_labels_does_not_matter),
        cmocka_unit_test(equal_and_empty_continuations_are_named),
        cmocka_unit_test(logits_that_are_not_finite_are_refused),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
