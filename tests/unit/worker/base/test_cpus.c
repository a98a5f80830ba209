/* CPUs of this process: its affinity, and what control groups of both versions leave of them. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/cpus.h"

#include <sched.h>
#include <stdio.h>

/* A system's files: the membership, then up to four under the mount. */
static const struct {
    const char *name, *membership, *files[4][2];
    unsigned want;
} cases[] = {
    {"no_groups_no_limit", "", {{NULL}}, 0},
    {"max_is_no_limit", "0::/\n", {{"cpu.max", "max 100000\n"}}, 0},
    {"two_cpus", "0::/\n", {{"cpu.max", "200000 100000\n"}}, 2},
    {"a_part_counts_whole", "0::/\n", {{"cpu.max", "150000 100000\n"}}, 2},
    {"less_than_one_is_one", "0::/\n", {{"cpu.max", "1000 100000\n"}}, 1},
    {"own_group", "0::/a/b\n", {{"a/b/cpu.max", "300000 100000\n"}}, 3},
    {"above_is_tighter", "0::/a/b\n", {{"a/b/cpu.max", "300000 100000\n"}, {"a/cpu.max", "100000 50000\n"}}, 2},
    {"above_is_wider", "0::/a/b\n", {{"a/b/cpu.max", "300000 100000\n"}, {"a/cpu.max", "900000 100000\n"}}, 3},
    {"another_group_does_not_count", "0::/a\n", {{"ab/cpu.max", "100000 100000\n"}, {"a/b/cpu.max", "1 1\n"}}, 0},
    {"group_of_the_host_seen_from_a_container", "0::/kube/pod/x\n", {{"cpu.max", "400000 100000\n"}}, 4},
    {"version_1",
     "4:cpu,cpuacct:/a\n3:memory:/b\n",
     {{"cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"}, {"cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
     3},
    {"version_1_without_a_limit",
     "4:cpu:/\n",
     {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version_1_seen_from_a_container",
     "4:cpuacct,cpu:/docker/x\n",
     {{"cpu/cpu.cfs_quota_us", "100000\n"}, {"cpu/cpu.cfs_period_us", "50000\n"}},
     2},
    {"groups_of_other_controllers_do_not_count",
     "4:cpuset:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "100000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"both_versions",
     "1:cpu:/a\n0::/a\n",
     {{"unified/a/cpu.max", "500000 100000\n"},
      {"cpu/a/cpu.cfs_quota_us", "300000\n"},
      {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     3},
    {"nonsense_is_no_limit", "0::/\n", {{"cpu.max", "many 100000\n"}}, 0},
    {"negative_is_no_limit", "0::/\n", {{"cpu.max", "-5 100000\n"}}, 0},
    {"no_period_is_no_limit", "0::/\n", {{"cpu.max", "100000\n"}}, 0},
    {"zero_period_is_no_limit", "0::/\n", {{"cpu.max", "100000 0\n"}}, 0},
    {"empty_file_is_no_limit", "0::/\n", {{"cpu.max", ""}}, 0},
    {"quota_without_a_period_is_no_limit", "4:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "100000\n"}}, 0},
    {"very_many", "0::/\n", {{"cpu.max", "9223372036854775807 1\n"}}, 65536},
    {"a_membership_that_is_none", "what\n::\n:\n0::a\n", {{"cpu.max", "200000 100000\n"}}, 2},
    {"a_path_that_leaves_the_mount", "0::/../..\n", {{"cpu.max", "200000 100000\n"}}, 2},
};

static void the_tightest_group_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char folder[256], mount[300], membership[300];
        scratch_make(folder, sizeof(folder));
        scratch_write_text(folder, "membership", cases[i].membership);
        scratch_folder(folder, "mount");
        for (size_t f = 0; f < 4 && cases[i].files[f][0]; f++) {
            char name[300];
            snprintf(name, sizeof(name), "mount/%s", cases[i].files[f][0]);
            scratch_write_text(folder, name, cases[i].files[f][1]);
        }
        snprintf(membership, sizeof(membership), "%s/membership", folder);
        snprintf(mount, sizeof(mount), "%s/mount", folder);
        size_t before = open_files();
        unsigned got = cpus_of_groups(membership, mount);
        if (got != cases[i].want) fail_msg("%s: got %u, want %u", cases[i].name, got, cases[i].want);
        assert_int_equal(open_files(), before);
        scratch_remove(folder);
    }
    assert_int_equal(cpus_of_groups("/nowhere", "/nowhere"), 0);
}

static void affinity_bounds_what_is_available(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_true(cpus_available() >= 1);
    if (sched_getaffinity(0, sizeof(before), &before) != 0) skip(); /* more CPUs than the set holds */
    assert_true(cpus_available() <= (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(cpus_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tightest_group_counts),
        cmocka_unit_test(affinity_bounds_what_is_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
