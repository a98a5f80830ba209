/* From log-probabilities to a decision. */
#include "handlers/meter.h"
#include "handlers/scores.h"
#include "tests/support/cmocka.h"
#include "worker/base/clock.h"

#include <math.h>

static struct label labels[4] = {{"a", NULL, 0.5}, {"b", NULL, 0.5}, {"c", NULL, 0.9}, {"d", NULL, 0.5}};

static void probabilities_sum_to_one(void **state)
{
    const struct job_input input = {.labels = labels, .n_labels = 4};
    double p[4], sum = 0;
    (void)state;
    scores_from_log(&input, (double[]){-1000, -1001, -1002, -5000}, NULL, p);
    for (int i = 0; i < 4; i++) sum += p[i];
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(fabs(p[0] / p[1] - exp(1)) < 1e-9);
    assert_true(p[3] == 0);
}

static void a_prior_is_divided_out(void **state)
{
    const struct job_input input = {.labels = labels, .n_labels = 2};
    double p[2];
    (void)state;
    scores_from_log(&input, (double[]){log(0.8), log(0.2)}, (double[]){log(0.8), log(0.2)}, p);
    assert_true(fabs(p[0] - 0.5) < 1e-12);
    scores_from_log(&input, (double[]){log(0.6), log(0.4)}, (double[]){log(0.9), log(0.1)}, p);
    assert_true(fabs(p[1] - 4.0 / (4.0 + 6.0 / 9.0)) < 1e-12);
}

static void labels_of_multi_label_stand_alone(void **state)
{
    const struct job_input input = {.labels = labels, .n_labels = 3, .multi_label = true};
    double p[3];
    struct decision d;
    (void)state;
    scores_from_log(&input, (double[]){log(0.09), log(0.01), log(0.2), log(0.2), log(0.08), log(0.02)}, NULL, p);
    assert_true(fabs(p[0] - 0.9) < 1e-12 && fabs(p[1] - 0.5) < 1e-12 && fabs(p[2] - 0.8) < 1e-12);
    scores_decide(&d, &input, p);
    assert_int_equal(d.n_chosen, 2); /* c stays under its own threshold of 0.9 */
    assert_true(d.chosen[0] && d.chosen[1] && !d.chosen[2]);
}

static void equal_scores_keep_the_order_of_the_job(void **state)
{
    const struct job_input input = {.labels = labels, .n_labels = 4};
    struct decision d;
    (void)state;
    scores_decide(&d, &input, (double[]){0.2, 0.3, 0.3, 0.2});
    assert_int_equal(d.order[0], 1);
    assert_int_equal(d.order[1], 2);
    assert_int_equal(d.order[2], 0);
    assert_int_equal(d.order[3], 3);
    assert_true(d.margin == 0);
    assert_false(d.abstained);
}

static void below_the_limit_it_abstains(void **state)
{
    const struct job_input input = {
        .labels = labels, .n_labels = 2, .options = {.has_abstain = true, .abstain_below = 0.7}};
    struct decision d;
    (void)state;
    scores_decide(&d, &input, (double[]){0.69, 0.31});
    assert_true(d.abstained);
    scores_decide(&d, &input, (double[]){0.7, 0.3});
    assert_false(d.abstained);
}

static uint64_t fake_now;

static uint64_t fake_clock(void)
{
    return fake_now;
}

static void seconds_of_all_jobs_are_the_seconds_in_which_any_ran(void **state)
{
    struct meter m;
    (void)state;
    clock_replace(fake_clock, NULL);
    fake_now = 0;
    meter_init(&m);
    uint64_t first = meter_start(&m);
    fake_now += 4 * NS_PER_SECOND;
    uint64_t second = meter_start(&m);
    fake_now += 2 * NS_PER_SECOND;
    double a = meter_stop(&m, first);
    fake_now += 3 * NS_PER_SECOND;
    double b = meter_stop(&m, second);
    fake_now += 100 * NS_PER_SECOND;
    uint64_t third = meter_start(&m);
    fake_now += NS_PER_SECOND;
    double c = meter_stop(&m, third);
    clock_replace(NULL, NULL);
    assert_true(fabs(a - 5) < 1e-6 && fabs(b - 4) < 1e-6 && fabs(c - 1) < 1e-6);
    meter_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_sum_to_one),
        cmocka_unit_test(a_prior_is_divided_out),
        cmocka_unit_test(labels_of_multi_label_stand_alone),
        cmocka_unit_test(equal_scores_keep_the_order_of_the_job),
        cmocka_unit_test(below_the_limit_it_abstains),
        cmocka_unit_test(seconds_of_all_jobs_are_the_seconds_in_which_any_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
