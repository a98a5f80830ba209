/* One event, one line, valid JSON, whatever the values hold (promise P24). */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *out_path;
static int out_fd;

static void start(struct log_options options)
{
    static char path[] = "/tmp/docket-log-XXXXXX";
    struct error err;
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    out_fd = mkstemp(path);
    assert_true(out_fd >= 0);
    out_path = path;
    options.fd = out_fd;
    assert_int_equal(log_open(&options, &err), DOCKET_OK);
}

/* Ends the log; what it wrote, the caller frees. */
static char *finish(size_t *length)
{
    log_close();
    off_t size = lseek(out_fd, 0, SEEK_END);
    char *text = mem_alloc((size_t)size + 1);
    assert_int_equal(pread(out_fd, text, (size_t)size, 0), size);
    text[size] = '\0';
    close(out_fd);
    unlink(out_path);
    *length = (size_t)size;
    return text;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) n += text[i] == '\n';
    return n;
}

static const struct {
    const char *name, *text;
} hostile[] = {
    {"newlines", "a\nb\r\nc\x0b\x0c"},
    {"json", "\",\"level\":\"INFO\"}\n{\"requestId\":\"x\""},
    {"colours", "\033[31mred\033]0;title\007"},
    {"direction", "invoice\xe2\x80\xae"
                  "fdp.exe\xe2\x81\xa6"},
    {"separators", "a\xe2\x80\xa8"
                   "b\xe2\x80\xa9"
                   "c\xc2\x85"
                   "d"},
    {"invalid_utf8", "\xff\xfe\xc0\xaf\xed\xa0\x80"},
    {"cut_character", "abc\xf0\x9f\x99"},
    {"format", "%s%n%x%1000000d"},
    {"empty", ""},
    {"emoji", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"},
    {"backslashes", "\\\\\\\"\\u0000"},
    {"delete", "\x7f\x01\x02"},
};

static void every_event_is_one_line_of_valid_json(void **state)
{
    (void)state;
    size_t length, n = 0;
    char *huge = mem_alloc(10 * MIB + 1);
    memset(huge, '\x01', 10 * MIB);
    huge[10 * MIB] = '\0';
    start((struct log_options){.level = LOG_TRACE, .json = true, .worker_id = "w\n1", .version = "0.1"});
    for (size_t i = 0; i <= ARRAY_LENGTH(hostile); i++) {
        const char *text = i < ARRAY_LENGTH(hostile) ? hostile[i].text : huge;
        struct error err = {.code = CODE_job_malformed};
        snprintf(err.message, sizeof(err.message), "%s", text); /* not tidied */
        log_event(LOG_INFO, EVENT_job_taken, F_JOB(text), F_BATCH(text), F_STR("text", text), F_U64("n", UINT64_MAX),
                  F_I64("i", INT64_MIN), F_F64("f", 0.1), F_BOOL("b", true), F_ERROR(&err));
        log_event(LOG_ERROR, EVENT_job_failed, F_STR("text", NULL), F_JOB(NULL));
        n += 2;
    }
    log_event(LOG_WARN, EVENT_exit, F_F64("nan", 0.0 / 0.0), F_F64("inf", 1e308 * 10));
    char *text = finish(&length);
    assert_int_equal(count_lines(text, length), n + 1);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        struct error err;
        cJSON *tree;
        const struct json_limits limits = {.nul_in_values = true};
        if (json_parse(&tree, line, (size_t)(end - line), &limits, &err) != DOCKET_OK)
            fail_msg("%s: %.*s", err.message, (int)(end - line), line);
        assert_true(end - line <= 4096);
        assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(tree, "event")));
        assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(tree, "level")));
        for (const char *p = line; p < end; p++) assert_true(*p >= 0x20 && *p < 0x7f);
        cJSON_Delete(tree);
    }
    mem_free(text);
    mem_free(huge);
}

static void values_come_out_as_they_went_in(void **state)
{
    (void)state;
    size_t length;
    struct error err;
    start((struct log_options){.level = LOG_INFO, .json = true, .worker_id = "w1", .version = "0.1"});
    log_event(LOG_INFO, EVENT_job_done, F_JOB("job-1"), F_STR("text", "e\xc3\xa9\n"), F_U64("n", 7),
              F_BOOL("b", false));
    log_event(LOG_DEBUG, EVENT_job_done, F_STR("text", "below the level"));
    char *text = finish(&length);
    cJSON *tree;
    assert_int_equal(count_lines(text, length), 1);
    assert_int_equal(json_parse(&tree, text, length, NULL, &err), DOCKET_OK);
    static const char *const want[][2] = {{"requestId", "job-1"},  {"event", "job_done"}, {"level", "INFO"},
                                          {"text", "e\xc3\xa9\n"}, {"worker_id", "w1"},   {"version", "0.1"}};
    for (size_t i = 0; i < ARRAY_LENGTH(want); i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(tree, want[i][0]);
        assert_true(cJSON_IsString(value));
        assert_string_equal(value->valuestring, want[i][1]);
    }
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(tree, "n")->valueint, 7);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(tree, "b")));
    cJSON_Delete(tree);
    mem_free(text);
}

static void readable_lines_are_single_lines_without_controls(void **state)
{
    (void)state;
    size_t length;
    start((struct log_options){.level = LOG_TRACE});
    for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
        struct error err = {.code = CODE_job_malformed};
        snprintf(err.message, sizeof(err.message), "%s", hostile[i].text);
        log_event(LOG_INFO, EVENT_job_taken, F_JOB(hostile[i].text), F_BATCH(hostile[i].text),
                  F_STR("text", hostile[i].text), F_ERROR(&err));
    }
    char *text = finish(&length);
    assert_int_equal(count_lines(text, length), ARRAY_LENGTH(hostile));
    assert_true(utf8_valid(text, length, NULL));
    for (size_t i = 0; i < length; i++) assert_true((unsigned char)text[i] >= 0x20 || text[i] == '\n');
    assert_null(strstr(text, "\xe2\x80\xae"));
    assert_null(strstr(text, "\xe2\x81\xa6"));
    assert_null(strstr(text, "\xe2\x80\xa8"));
    mem_free(text);
}

static void *write_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, EVENT_job_progress, F_STR("text", "a longer text than one would think"),
                  F_U64("i", (uint64_t)i));
    return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[6];
    size_t length;
    start((struct log_options){.level = LOG_INFO, .json = true});
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) pthread_join(threads[i], NULL);
    log_flush(10);
    char *text = finish(&length);
    assert_int_equal(count_lines(text, length), 6 * 500);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_int_equal(json_gate(line, (size_t)(end - line), NULL, NULL), DOCKET_OK);
    mem_free(text);
}

/* A reader that reads nothing: the writer of events is never held, whole lines are lost and counted. */
static void a_full_pipe_holds_nobody(void **state)
{
    (void)state;
    int ends[2];
    struct error err;
    char value[900];
    assert_int_equal(pipe(ends), 0);
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(log_open(&(struct log_options){.level = LOG_INFO, .json = true, .fd = ends[1]}, &err), DOCKET_OK);
    /* 12 MB: 4 may lie in the writer's hand, if it came late to them, and 4 wait behind it. */
    for (int i = 0; i < 12000; i++) log_event(LOG_INFO, EVENT_job_progress, F_STR("text", value));
    struct buffer all = {0};
    char piece[65536];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    bool lost = false;
    for (int quiet = 0; quiet < 1000 && !lost;) {
        ssize_t n = read(ends[0], piece, sizeof(piece));
        if (n > 0) {
            buffer_append(&all, piece, (size_t)n);
            continue;
        }
        log_flush(0.02);
        log_event(LOG_INFO, EVENT_job_progress, F_STR("text", "later"));
        lost = all.data && strstr(all.data, "log_dropped") != NULL;
        quiet++;
    }
    assert_true(lost);
    for (char *line = all.data, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_int_equal(json_gate(line, (size_t)(end - line), NULL, NULL), DOCKET_OK);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    log_close();
    close(ends[1]);
    buffer_free(&all);
}

static void levels_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum log_level want;
    } names[] = {{"trace", LOG_TRACE},  {"DEBUG", LOG_DEBUG}, {"Info", LOG_INFO}, {"WARN", LOG_WARN},
                 {"warning", LOG_WARN}, {"ERROR", LOG_ERROR}, {"off", LOG_OFF},   {"NOTSET", LOG_OFF}};
    enum log_level level;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_true(log_level_by_name(names[i].name, &level));
        assert_int_equal(level, names[i].want);
    }
    assert_false(log_level_by_name("", &level));
    assert_false(log_level_by_name("INFO ", &level));
    for (int i = 0; i < N_LOG_EVENTS; i++) {
        const char *name = log_event_name((enum log_event_id)i);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        assert_true(strlen(log_event_message((enum log_event_id)i)) > 2);
    }
}

static void failing_memory_loses_lines_never_the_process(void **state)
{
    (void)state;
    size_t length;
    start((struct log_options){.level = LOG_INFO, .json = true});
    for (size_t n = 1; n < 40; n++) {
        mem_fail_at(n, n % 2 == 0);
        log_event(LOG_INFO, EVENT_job_taken, F_JOB("job"), F_STR("text", "some text"));
        mem_fail_at(0, false);
    }
    char *text = finish(&length);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        if (json_gate(line, (size_t)(end - line), NULL, NULL) != DOCKET_OK) fail_msg("%.*s", (int)(end - line), line);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_one_line_of_valid_json),
        cmocka_unit_test(values_come_out_as_they_went_in),
        cmocka_unit_test(readable_lines_are_single_lines_without_controls),
        cmocka_unit_test(lines_of_many_threads_do_not_mix),
        cmocka_unit_test(a_full_pipe_holds_nobody),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(failing_memory_loses_lines_never_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
