/* Settings: what is refused and how, what is clamped, what beats what. Rows C1 to C4 and C10 of the catalogue of bad input. */
#include "tests/support/cmocka.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/config.h"
#include "worker/queue/runpod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct own {
    const char *name;
    struct text_list many;
    double share;
    bool on, off;
};

#define OPTION_VALUES struct own
static const struct option own_options[] = {
    OWN_OPTION(TEXT, name, "--name", "(none)", ANY, "TEXT", "a text"),
    OWN_OPTION(LIST, many, "--many", "(none)", ANY, "TEXT", "several"),
    OWN_OPTION(NUMBER, share, "--share", "0.25", RANGE(0, 1), "P", "a share"),
    OWN_OPTION(SWITCH, on, "--on", "true", ANY, "", "is on"),
    OWN_OPTION(SWITCH, off, "--off", "false", ANY, "", "is off"),
};
static const struct command_line command = {.letter = 'w',
                                            .usage = "worker",
                                            .about = "A test.",
                                            .options = own_options,
                                            .n_options = ARRAY_LENGTH(own_options)};

static struct config config;
static struct own own;
static struct text_list rest;
static struct error err;

#define MAX_WORDS 16
static enum status load(const char *words)
{
    static char text[1024];
    char *argv[MAX_WORDS];
    int argc = 0;
    strcpy(text, words);
    for (char *p = strtok(text, " "); p && argc < MAX_WORDS; p = strtok(NULL, " ")) argv[argc++] = p;
    text_list_free(&rest);
    text_list_free(&own.many);
    own = (struct own){0};
    err = (struct error){0};
    return config_load(&config, &command, &own, argc, argv, &rest, &err);
}

static int set_up(void **state)
{
    (void)state;
    return clearenv();
}

static int tear_down(void **state)
{
    (void)state;
    text_list_free(&rest);
    text_list_free(&own.many);
    return clearenv();
}

static void expect_message(const char *part)
{
    if (!strstr(err.message, part)) fail_msg("\"%s\" does not hold \"%s\"", err.message, part);
}

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(load(""), DOCKET_OK);
    assert_null(config.model);
    assert_string_equal(config.quantization, "none");
    assert_int_equal(config.max_concurrency, 4);
    assert_true(config.gpu_memory_utilization == 0.9);
    assert_true(config.gpu_price_per_second < 0);
    assert_true(config.drain_seconds < 0);
    assert_int_equal(config.max_model_len, 0);
    assert_string_equal(config.load, "lazy");
    assert_string_equal(config.log_format, "text");
    assert_false(config.on_platform);
    assert_true(own.share == 0.25 && own.on && !own.off);
    assert_int_equal(config.n_notes, 0);
}

static void every_default_is_allowed(void **state)
{
    (void)state;
    size_t n;
    const struct option *rows = config_options(&n);
    assert_true(n == N_SETTINGS);
    for (size_t i = 0; i < n; i++) {
        uint64_t field[4] = {0};
        if (rows[i].fallback[0] == '(') continue;
        if (option_parse(&rows[i], "default", rows[i].fallback, field, &err) != DOCKET_OK)
            fail_msg("%s: %s", rows[i].names, err.message);
    }
}

static void threads_are_a_number_or_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t want;
    } cases[] = {{"auto", 0}, {"AUTO", 0}, {"1", 1}, {"64", 64}};
    assert_int_equal(load(""), DOCKET_OK);
    assert_int_equal(config.cpu_threads, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        setenv("CPU_THREADS", cases[i].value, 1);
        assert_int_equal(load(""), DOCKET_OK);
        assert_int_equal(config.cpu_threads, cases[i].want);
    }
}

static void a_platform_makes_it_eager_and_logs_json(void **state)
{
    (void)state;
    setenv("RUNPOD_WEBHOOK_GET_JOB", "https://q.example/job-take/$ID", 1);
    assert_true(config_platform_present());
    assert_int_equal(load(""), DOCKET_OK);
    assert_string_equal(config.load, "eager");
    assert_string_equal(config.log_format, "json");
    assert_true(config.on_platform);
    setenv("LOAD", "lazy", 1);
    setenv("LOG_FORMAT", "text", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_string_equal(config.load, "lazy");
    assert_string_equal(config.log_format, "text");
}

/* C1 */
static void a_malformed_value_of_the_user_is_refused_with_name_value_and_range(void **state)
{
    (void)state;
    static const struct {
        const char *case_name, *variable, *value, *wanted;
    } cases[] = {
        {"word for a number", "MAX_CONCURRENCY", "abc", "want a whole number from 1 to 256"},
        {"negative", "MAX_CONCURRENCY", "-1", "want a whole number from 1 to 256"},
        {"exponent", "MAX_CONCURRENCY", "1e9", "want a whole number from 1 to 256"},
        {"too large", "MAX_CONCURRENCY", "1000000000", "want a whole number from 1 to 256"},
        {"beyond 64 bits", "MAX_CONCURRENCY", "18446744073709551617", "want a whole number from 1 to 256"},
        {"empty", "MAX_CONCURRENCY", "", "want a whole number from 1 to 256"},
        {"trailing space", "MAX_CONCURRENCY", "4 ", "want a whole number from 1 to 256"},
        {"leading space", "MAX_CONCURRENCY", " 4", "want a whole number from 1 to 256"},
        {"hexadecimal", "MAX_CONCURRENCY", "0x10", "want a whole number from 1 to 256"},
        {"zero", "MAX_CONCURRENCY", "0", "want a whole number from 1 to 256"},
        {"neither auto nor a number", "CPU_THREADS", "all", "want auto or a whole number from 1 to 64"},
        {"no threads", "CPU_THREADS", "0", "want auto or a whole number from 1 to 64"},
        {"auto where it means nothing", "MAX_CONCURRENCY", "auto", "want a whole number from 1 to 256"},
        {"share above one", "GPU_MEMORY_UTILIZATION", "1.5", "want a number from 0.01 to 1"},
        {"not a number", "GPU_MEMORY_UTILIZATION", "nan", "want a number from 0.01 to 1"},
        {"infinity", "GPU_PRICE_PER_SECOND", "inf", "want a number from 0 to 1000"},
        {"overflowing", "GPU_PRICE_PER_SECOND", "1e999", "want a number from 0 to 1000"},
        {"decimal comma", "GPU_PRICE_PER_SECOND", "0,5", "want a number from 0 to 1000"},
        {"unknown word", "LOAD", "int3", "want lazy or eager"},
        {"empty word", "DEVICE", "", "want auto, cuda, cpu or reference"},
        {"no switch", "REFRESH_WORKER", "maybe", "want true or false"},
        {"newline in a text", "MODEL_NAME", "a\nb", "byte 1 is a control character"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        clearenv();
        setenv(cases[i].variable, cases[i].value, 1);
        if (load("") != DOCKET_BAD_CONFIG) fail_msg("%s: not refused", cases[i].case_name);
        assert_int_equal(exit_code_of(&err), DOCKET_EXIT_CONFIG);
        expect_message(cases[i].variable);
        expect_message(cases[i].wanted);
        if (cases[i].value[0] && !strchr(cases[i].value, '\n')) expect_message(cases[i].value);
    }
}

static void an_empty_text_counts_as_not_set(void **state)
{
    (void)state;
    setenv("MODEL_NAME", "", 1);
    setenv("HF_TOKEN", "", 1);
    setenv("SPOOL_DIR", "", 1);
    setenv("RUNPOD_ENDPOINT_ID", "", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_null(config.model);
    assert_null(config.hf_token);
    assert_null(config.spool_dir);
    assert_false(config.on_platform);
}

static void values_of_the_platform_are_clamped_or_passed_over(void **state)
{
    (void)state;
    setenv("RUNPOD_PING_INTERVAL", "10", 1);
    setenv("RUNPOD_MIN_MEMORY_GB", "lots", 1);
    setenv("RUNPOD_MIN_DISK_PERCENT", "250", 1);
    setenv("RUNPOD_LOG_LEVEL", "3", 1);
    setenv("RUNPOD_DEBUG_LEVEL", "WARNING", 1);
    setenv("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "perhaps", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_int_equal(config.ping_interval_ms, 1000);
    assert_true(config.min_memory_gb == 0.25);
    assert_true(config.min_disk_percent == 100);
    assert_string_equal(config.log_level, "warning"); /* the next name is asked */
    assert_false(config.skip_system_checks);
    assert_int_equal(config.n_notes, 5);
    assert_string_equal(config.notes[0].value, "3");
}

static void the_first_name_counts_and_a_flag_beats_all(void **state)
{
    (void)state;
    setenv("HUGGINGFACE_HUB_CACHE", "/second", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_string_equal(config.hub_cache, "/second");
    setenv("HF_HUB_CACHE", "/first", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_string_equal(config.hub_cache, "/first");
    assert_int_equal(load("--hub-cache /flag"), DOCKET_OK);
    assert_string_equal(config.hub_cache, "/flag");
    assert_string_equal(config.set_by[SETTING_hub_cache], "--hub-cache");
    /* A flag saves from a variable that cannot be read. */
    setenv("MAX_CONCURRENCY", "abc", 1);
    assert_int_equal(load("--max-concurrency=7"), DOCKET_OK);
    assert_int_equal(config.max_concurrency, 7);
}

static void flags_are_read_in_all_their_spellings(void **state)
{
    (void)state;
    assert_int_equal(load("one --model=org/name --test_input {} --no-on --off two -- --three"), DOCKET_OK);
    assert_string_equal(config.model, "org/name");
    assert_string_equal(config.test_input, "{}");
    assert_true(!own.on && own.off);
    assert_int_equal(rest.n, 3);
    assert_string_equal(rest.items[2], "--three");
    assert_int_equal(load("--many a --many b --share 0.75 --rp_log_level DEBUG -"), DOCKET_OK);
    assert_int_equal(own.many.n, 2);
    assert_true(own.share == 0.75);
    assert_string_equal(config.log_level, "debug");
    assert_string_equal(rest.items[0], "-");
}

static void a_wrong_command_line_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *words, *wanted;
    } cases[] = {
        {"--modle x", "--modle: unknown flag; did you mean --model?"},
        {"--completely-different", "unknown flag; --help lists them"},
        {"--model", "--model: needs a value"},
        {"--model=", "--model: empty"},
        {"--max-concurrency abc", "--max-concurrency=\"abc\": want a whole number from 1 to 256"},
        {"--top-k 0 --share 2", "--top-k: unknown flag"},
        {"--share 2", "--share=\"2\": want a number from 0 to 1"},
        {"--refresh-worker=perhaps", "want true or false"},
        {"--no-model x", "unknown flag"},
        {"-x", "-x: unknown flag"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (load(cases[i].words) != DOCKET_BAD_INPUT) fail_msg("%s: not refused", cases[i].words);
        expect_message(cases[i].wanted);
    }
}

/* C2 */
static void a_misspelt_variable_of_ours_is_refused(void **state)
{
    (void)state;
    setenv("DOCKET_MAX_CONCURENCY", "4", 1);
    assert_int_equal(load(""), DOCKET_BAD_CONFIG);
    expect_message("DOCKET_MAX_CONCURENCY: no such setting; did you mean DOCKET_MAX_CONCURRENCY?");
    clearenv();
    setenv("DOCKET_FLUX_CAPACITOR", "1", 1);
    assert_int_equal(load(""), DOCKET_BAD_CONFIG);
    expect_message("DOCKET_FLUX_CAPACITOR: no such setting");
    clearenv();
    setenv("DOCKET_RUNPOD_POD_ID", "x", 1); /* the platform's names have no such form */
    assert_int_equal(load(""), DOCKET_BAD_CONFIG);
}

static void foreign_variables_and_service_links_are_ignored(void **state)
{
    (void)state;
    setenv("MAX_CONCURENCY", "4", 1);
    setenv("RUNPOD_SOMETHING_NEW", "4", 1);
    setenv("DOCKET_SERVICE_HOST", "10.0.0.1", 1);
    setenv("DOCKET_SERVICE_PORT_HTTP", "80", 1);
    setenv("DOCKET_PORT", "tcp://10.0.0.1:80", 1);
    setenv("DOCKET_PORT_80_TCP_ADDR", "10.0.0.1", 1);
    assert_int_equal(load(""), DOCKET_OK);
}

static void the_prefixed_name_wins(void **state)
{
    (void)state;
    setenv("DEVICE", "cuda:0", 1);
    setenv("DOCKET_DEVICE", "cpu", 1);
    assert_int_equal(load(""), DOCKET_OK);
    assert_string_equal(config.device, "cpu");
    unsetenv("DOCKET_DEVICE");
    assert_int_equal(load(""), DOCKET_BAD_CONFIG);
}

/* C3: the settings hand the URLs on; the queue refuses them before anything is sent. */
static void urls_that_would_leak_the_key_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *case_name, *url, *wanted;
    } cases[] = {
        {"no placeholder", "https://q.example/v2/e/job-take/", "$ID"},
        {"clear text to a public host", "http://q.example/v2/e/job-take/$ID", "want https"},
        {"user and password", "https://me:secret@q.example/job-take/$ID", "user or password"},
        {"newline", "https://q.example/job-take/$ID\r\nX: y", "control character"},
        {"no http", "ftp://q.example/job-take/$ID", "http"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct queue *queue = NULL;
        clearenv();
        setenv("RUNPOD_WEBHOOK_GET_JOB", cases[i].url, 1);
        setenv("RUNPOD_WEBHOOK_POST_OUTPUT", "https://q.example/job-done/$ID", 1);
        enum status st = load("");
        if (st == DOCKET_OK) {
            const struct runpod_options options = {.take_url = config.take_url,
                                                   .done_url = config.done_url,
                                                   .worker_id = "w",
                                                   .allow_clear_text = config.allow_clear_text};
            st = runpod_open(&queue, &options, &err);
        }
        if (st != DOCKET_BAD_CONFIG) fail_msg("%s: not refused", cases[i].case_name);
        expect_message("RUNPOD_WEBHOOK_GET_JOB");
        expect_message(cases[i].wanted);
        assert_null(strstr(err.message, "secret"));
        assert_int_equal(exit_code_of(&err), DOCKET_EXIT_CONFIG);
    }
}

/* C4 */
static void a_key_that_is_no_header_value_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const keys[] = {"abc\r\nX-Evil: 1", "schl\xc3\xbcssel-geheim", "tab\tgeheim"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        clearenv();
        setenv("RUNPOD_AI_API_KEY", keys[i], 1);
        assert_int_equal(load(""), DOCKET_BAD_CONFIG);
        expect_message("RUNPOD_AI_API_KEY: byte ");
        assert_null(strstr(err.message, "Evil"));
        assert_null(strstr(err.message, "geheim"));
    }
}

/* C10 */
static void secrets_on_the_command_line_are_refused_with_their_variable(void **state)
{
    (void)state;
    assert_int_equal(load("--hf-token geheim"), DOCKET_BAD_INPUT);
    expect_message("set HF_TOKEN");
    assert_null(strstr(err.message, "geheim"));
    assert_int_equal(load("--api-key=geheim"), DOCKET_BAD_INPUT);
    expect_message("set RUNPOD_AI_API_KEY");
    assert_null(strstr(err.message, "geheim"));
}

static void the_description_shows_what_is_set_and_no_secret(void **state)
{
    (void)state;
    struct buffer text = {0};
    setenv("HF_TOKEN", "geheim", 1);
    setenv("RUNPOD_WEBHOOK_GET_JOB", "https://q.example/job-take/$ID?geheim", 1);
    setenv("HOME", "/home/me", 1);
    assert_int_equal(load("--model org/name --max-concurrency 7 --test_input geheim"), DOCKET_OK);
    config_describe(&text, &config);
    assert_non_null(strstr(text.data, "--model=org/name"));
    assert_non_null(strstr(text.data, "--max-concurrency=7"));
    assert_non_null(strstr(text.data, "HF_TOKEN=set"));
    assert_null(strstr(text.data, "geheim"));
    assert_null(strstr(text.data, "/home/me"));
    buffer_free(&text);
}

static void help_and_page_name_every_setting_that_they_should(void **state)
{
    (void)state;
    size_t n;
    struct buffer help = {0}, page = {0};
    const struct option *rows = config_options(&n);
    config_help(&help, &command);
    config_page(&page);
    for (size_t i = 0; i < n; i++) {
        char name[64] = "";
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(rows[i].names, " "), rows[i].names);
        bool flag = rows[i].flag[0] && rows[i].kind != OPTION_SECRET; /* a secret's flag is refused */
        if (!strstr(page.data, name) || (flag && !strstr(page.data, rows[i].flag)))
            fail_msg("%s is not on the page", name);
        bool shown = strchr(rows[i].shown, 'w') != NULL && flag;
        if (shown && !strstr(help.data, rows[i].flag)) fail_msg("%s is not in the help", rows[i].flag);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(own_options); i++) assert_non_null(strstr(help.data, own_options[i].flag));
    buffer_free(&help);
    buffer_free(&page);
}

static void no_two_settings_share_a_name_or_a_flag(void **state)
{
    (void)state;
    size_t n;
    const struct option *rows = config_options(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            if (rows[i].flag[0]) assert_string_not_equal(rows[i].flag, rows[j].flag);
            if (rows[i].names[0]) assert_string_not_equal(rows[i].names, rows[j].names);
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_table),
        TEST(every_default_is_allowed),
        TEST(threads_are_a_number_or_chosen),
        TEST(a_platform_makes_it_eager_and_logs_json),
        TEST(a_malformed_value_of_the_user_is_refused_with_name_value_and_range),
        TEST(an_empty_text_counts_as_not_set),
        TEST(values_of_the_platform_are_clamped_or_passed_over),
        TEST(the_first_name_counts_and_a_flag_beats_all),
        TEST(flags_are_read_in_all_their_spellings),
        TEST(a_wrong_command_line_says_what_is_wrong),
        TEST(a_misspelt_variable_of_ours_is_refused),
        TEST(foreign_variables_and_service_links_are_ignored),
        TEST(the_prefixed_name_wins),
        TEST(urls_that_would_leak_the_key_are_refused),
        TEST(a_key_that_is_no_header_value_is_refused_and_not_shown),
        TEST(secrets_on_the_command_line_are_refused_with_their_variable),
        TEST(the_description_shows_what_is_set_and_no_secret),
        TEST(help_and_page_name_every_setting_that_they_should),
        TEST(no_two_settings_share_a_name_or_a_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
