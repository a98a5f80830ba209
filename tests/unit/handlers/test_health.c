/* docket health: what lines of a log prove, and that they are read out of whatever a platform wrapped around them. */
#include "tests/support/cmocka.h"

#include "handlers/tools/health_rules.h"
#include "worker/base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct health_limits limits = {.max_load_seconds = 420, .min_free_share = 0.03, .max_failed_share = 0.5};

static struct health *health;

static enum verdict judge_with(const char *text, const struct health_limits *with)
{
    health_close(health);
    health = health_open(with);
    assert_non_null(health);
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        health_line(health, p, n);
        p += n + (p[n] == '\n');
    }
    return health_verdict(health);
}

static enum verdict judge(const char *text)
{
    return judge_with(text, &limits);
}

static const struct finding *finding(const char *part)
{
    size_t n;
    const struct finding *f = health_findings(health, &n);
    for (size_t i = 0; i < n; i++)
        if (strstr(f[i].text, part)) return &f[i];
    return NULL;
}

static int tear_down(void **state)
{
    (void)state;
    health_close(health);
    health = NULL;
    return 0;
}

#define LINE(seq, level, event, more)                                                                                  \
    "{\"requestId\": null, \"message\": \"m\", \"level\": \"" level                                                    \
    "\", \"ts\": \"2026-11-21T02:35:07.123Z\", \"event\": \"" event "\", \"seq\": " #seq                               \
    ", \"worker_id\": \"w1\", \"version\": \"0.1.0\"" more "}\n"
#define LOADED ", \"load_seconds\": 61.5, \"memory_used_bytes\": 24000000000, \"memory_free_bytes\": 2000000000"
#define STATE(seq, waiting, running, done)                                                                             \
    LINE(seq, "INFO", "worker_state",                                                                                  \
         ", \"results_waiting\": " #waiting ", \"jobs_running\": " #running ", \"jobs_done\": " #done)
#define GOOD                                                                                                           \
    LINE(1, "INFO", "worker_started", "")                                                                              \
    LINE(2, "INFO", "model_loaded", LOADED)                                                                            \
    LINE(3, "INFO", "ready", ", \"seconds\": 62")                                                                      \
    LINE(4, "INFO", "job_taken", "")                                                                                   \
    LINE(5, "INFO", "job_done",                                                                                        \
         ", \"documents\": 12, \"failed\": 1, \"input_tokens\": 9000, \"input_tokens_per_second\": 4500")

static void a_working_worker_is_healthy(void **state)
{
    (void)state;
    assert_int_equal(judge(GOOD STATE(6, 0, 0, 1) LINE(7, "INFO", "worker_stopped", ", \"results_waiting\": 0")),
                     VERDICT_HEALTHY);
    const struct health_facts *facts = health_facts(health);
    assert_int_equal(facts->jobs_done, 1);
    assert_true(facts->documents == 12 && facts->load_seconds == 61.5 && facts->tokens_per_second == 4500);
    assert_int_equal(facts->foreign_lines, 0);
}

static void a_tail_of_a_running_worker_is_healthy(void **state)
{
    (void)state;
    assert_int_equal(judge(STATE(900, 0, 1, 40) STATE(901, 1, 1, 41)), VERDICT_HEALTHY);
    assert_non_null(finding("on their way"));
}

static void nothing_of_docket_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(judge(""), VERDICT_UNKNOWN);
    assert_int_equal(judge("hello\n{\"a\": 1}\n[1, 2\nINFO | no event\n"), VERDICT_UNKNOWN);
    assert_int_equal(health_facts(health)->foreign_lines, 4);
    assert_int_equal(judge(LINE(1, "INFO", "worker_started", "")), VERDICT_UNKNOWN);
}

static void each_trouble_is_a_problem_with_the_line_that_proves_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *wanted;
        size_t line;
    } cases[] = {
        {"slow load", LINE(1, "INFO", "model_loaded", ", \"load_seconds\": 500"), "loading took 500.0 s, more than 420",
         1},
        {"little memory", LINE(1, "INFO", "model_loaded", ", \"memory_used_bytes\": 990, \"memory_free_bytes\": 10"),
         "1.0 % of memory free", 1},
        {"load failed", LINE(1, "ERROR", "model_load_failed", ""), "model could not be loaded", 1},
        {"self-test", GOOD LINE(6, "ERROR", "selftest_failed", ""), "self-test failed", 6},
        {"out of memory", GOOD LINE(6, "ERROR", "out_of_memory", ""), "out of memory", 6},
        {"exit", GOOD LINE(6, "ERROR", "exit", ", \"exit_code\": 76, \"reason\": \"queue refuses the key\""),
         "exit code 76: queue refuses the key", 6},
        {"our fault", GOOD LINE(6, "ERROR", "job_failed", ", \"code\": \"internal_error\""), "internal_error", 6},
        {"queue away", GOOD LINE(6, "WARN", "take_error", ", \"failures\": 9"), "gives no jobs", 6},
        {"beat refused", GOOD LINE(6, "WARN", "ping_error", ", \"failures\": 3"), "heartbeat is not accepted", 6},
        {"results wait", GOOD STATE(6, 2, 0, 1) STATE(7, 2, 0, 1), "wait in the spool", 7},
        {"left behind", GOOD LINE(6, "INFO", "worker_stopped", ", \"results_waiting\": 2"),
         "of a worker that has ended", 6},
        {"hang", GOOD STATE(6, 0, 1, 1) STATE(7, 0, 1, 1) STATE(8, 0, 1, 1) STATE(9, 0, 1, 1), "nothing moves", 9},
        {"killed", GOOD LINE(1, "INFO", "worker_started", ""), "without worker_stopped", 5},
        {"most failed", LINE(1, "INFO", "job_done", ", \"documents\": 10, \"failed\": 9"), "9 of 10 documents failed",
         0},
        {"an error of a later version", GOOD LINE(6, "ERROR", "fitness_failed", ""), "start check failed", 6},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (judge(cases[i].text) != VERDICT_PROBLEM) fail_msg("%s: no problem seen", cases[i].name);
        const struct finding *f = finding(cases[i].wanted);
        if (!f) fail_msg("%s: no finding \"%s\"", cases[i].name, cases[i].wanted);
        if (f->severity != SEVERITY_PROBLEM || f->line != cases[i].line)
            fail_msg("%s: severity %d, line %zu", cases[i].name, f->severity, f->line);
        if (f->line && !strstr(f->proof, "\"event\"")) fail_msg("%s: no proof", cases[i].name);
    }
}

static void a_refused_job_is_its_senders_matter(void **state)
{
    (void)state;
    assert_int_equal(judge(GOOD LINE(6, "ERROR", "job_failed", ", \"code\": \"labels_invalid\"")), VERDICT_HEALTHY);
    assert_non_null(finding("a job was refused: labels_invalid"));
}

static void missing_lines_make_the_picture_incomplete(void **state)
{
    (void)state;
    assert_int_equal(judge(GOOD STATE(9, 0, 0, 1)), VERDICT_UNKNOWN);
    assert_non_null(finding("3 lines are missing between seq 5 and 9"));
    assert_int_equal(judge(GOOD LINE(6, "WARN", "log_dropped", ", \"lines\": 40")), VERDICT_UNKNOWN);
    /* But a problem stays one. */
    assert_int_equal(judge(GOOD LINE(9, "ERROR", "out_of_memory", "")), VERDICT_PROBLEM);
}

static void workers_are_told_apart(void **state)
{
    (void)state;
    static const char other[] =
        "{\"requestId\": null, \"message\": \"m\", \"level\": \"INFO\", \"event\": \"ready\", \"seq\": 7, "
        "\"worker_id\": \"w2\"}\n";
    char text[4096];
    snprintf(text, sizeof(text), "%s%s%s", other, GOOD, "");
    assert_int_equal(judge(text), VERDICT_HEALTHY);
    assert_int_equal(health_facts(health)->workers, 2);
}

static void limits_are_the_callers(void **state)
{
    (void)state;
    struct health_limits mine = limits;
    mine.min_tokens_per_second = 5000;
    assert_int_equal(judge_with(GOOD, &mine), VERDICT_PROBLEM);
    mine = limits;
    mine.max_load_seconds = 60;
    assert_int_equal(judge_with(GOOD, &mine), VERDICT_PROBLEM);
    mine = limits;
    mine.ended = true;
    assert_int_equal(judge_with(GOOD, &mine), VERDICT_PROBLEM);
    mine = limits;
    mine.max_unposted = 5;
    assert_int_equal(judge_with(GOOD STATE(6, 2, 0, 1) STATE(7, 2, 0, 1), &mine), VERDICT_HEALTHY);
}

#define BARE                                                                                                           \
    "{\"requestId\": \"j\", \"message\": \"job done\", \"level\": \"INFO\", \"event\": \"job_done\", \"seq\": 3, "     \
    "\"documents\": 7}"
#define ESCAPED                                                                                                        \
    "{\\\"requestId\\\": \\\"j\\\", \\\"message\\\": \\\"job done\\\", \\\"level\\\": \\\"INFO\\\", \\\"event\\\": "   \
    "\\\"job_done\\\", "                                                                                               \
    "\\\"seq\\\": 3, \\\"documents\\\": 7}"
#define READABLE "INFO   | j | job done event=job_done seq=3 documents=7"

static void lines_are_unwrapped(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"json", BARE},
        {"readable", READABLE},
        {"readable, coloured", "\033[32mINFO   \033[0m| j | job done event=job_done seq=3 documents=7"},
        {"carriage return", READABLE "\r"},
        {"server-sent event",
         "data: {\"source\": \"container\", \"line\": \"" ESCAPED "\", \"ts\": \"2026-11-21T02:35:07Z\"}"},
        {"docker's json files",
         "{\"log\":\"" ESCAPED "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T02:35:07.1Z\"}"},
        {"cri", "2026-11-21T02:35:07.123456789Z stdout F " BARE},
        {"cri, readable", "2026-11-21T02:35:07.123456789+00:00 stderr F " READABLE},
        {"time stamps of kubectl", "2026-11-21T02:35:07.123456789Z " BARE},
        {"cri in two pieces",
         "2026-11-21T02:35:07.1Z stdout P {\"requestId\": \"j\", \"message\": \"job done\", \"level\": \"INFO\", \n"
         "2026-11-21T02:35:07.2Z stdout F \"event\": \"job_done\", \"seq\": 3, \"documents\": 7}"},
        {"name of compose", "worker-1  | " BARE},
        {"indented", "   " BARE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (judge(cases[i].text) != VERDICT_HEALTHY) fail_msg("%s: not read", cases[i].name);
        if (health_facts(health)->documents != 7) fail_msg("%s: documents are lost", cases[i].name);
    }
}

static void a_readable_line_keeps_its_quoted_texts(void **state)
{
    (void)state;
    assert_int_equal(
        judge("ERROR  | exit event=exit seq=9 exit_code=78 error=\"MAX_CONCURRENCY=\\\"abc\\\": want a number\" x=1\n"),
        VERDICT_PROBLEM);
    assert_non_null(finding("exit code 78: MAX_CONCURRENCY="));
}

static void hostile_lines_do_no_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {"data:",
                                         "{\"log\":",
                                         "\033[",
                                         "2026-11-21T02:35:07Z ",
                                         "stdout P ",
                                         "event=",
                                         " event=job_done ",
                                         "\"",
                                         "\\",
                                         "=",
                                         "{\"requestId\"",
                                         "INFO",
                                         "|",
                                         "\xff\xfe",
                                         "seq=99999999999999999999999",
                                         "\n",
                                         BARE};
    char text[700];
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        size_t at = 0;
        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 16) % ARRAY_LENGTH(pieces)];
            if (at + strlen(piece) >= sizeof(text)) break;
            memcpy(text + at, piece, strlen(piece));
            at += strlen(piece);
        }
        text[at] = '\0';
        judge(text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_working_worker_is_healthy),
        TEST(a_tail_of_a_running_worker_is_healthy),
        TEST(nothing_of_docket_is_unknown),
        TEST(each_trouble_is_a_problem_with_the_line_that_proves_it),
        TEST(a_refused_job_is_its_senders_matter),
        TEST(missing_lines_make_the_picture_incomplete),
        TEST(workers_are_told_apart),
        TEST(limits_are_the_callers),
        TEST(lines_are_unwrapped),
        TEST(a_readable_line_keeps_its_quoted_texts),
        TEST(hostile_lines_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
