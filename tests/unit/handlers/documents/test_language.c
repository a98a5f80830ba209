/* Which language a text is found to be in: tests/documents/languages.tsv has one text a line, some of them in none. A tag with a '?' stands
 * for a language with a near neighbour: that one must not be named, "" may. */
#include "handlers/documents/language.h"
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tests/documents/languages.tsv"

static void each_line(void (*check)(const char *tag, const char *text))
{
    static char line[8192];
    size_t n = 0;
    FILE *f = fopen(FILE_NAME, "r");
    if (!f) fail_msg("%s: not there", FILE_NAME);
    while (fgets(line, sizeof(line), f)) {
        char *text = strchr(line, '\t');
        assert_non_null(text);
        *text++ = '\0';
        text[strcspn(text, "\n")] = '\0';
        check(line, text);
        n++;
    }
    fclose(f);
    assert_true(n > 60);
}

static void check_tag(const char *tag, const char *text, const char *how)
{
    char got[LANGUAGE_BYTES];
    size_t n = strcspn(tag, "?");
    language_of(text, strlen(text), got);
    bool right = strlen(got) == n && strncmp(got, tag, n) == 0;
    if (!right && !(tag[n] == '?' && got[0] == '\0')) fail_msg("%s, %s: \"%s\": %.60s", tag, how, got, text);
}

static void check_whole(const char *tag, const char *text)
{
    check_tag(tag, text, "as it is");
}

/* Longer than what is looked at, with numbers and marks between. */
static void check_long(const char *tag, const char *text)
{
    static char many[64 * 1024];
    size_t length = 0;
    while (length + strlen(text) + 32 < sizeof(many))
        length += (size_t)snprintf(many + length, sizeof(many) - length, "%s\n 12.50 | 7 %% -- \n", text);
    if (strchr(text, ' ') && strlen(text) > 60) check_tag(tag, many, "many times");
}

static void check_cuts(const char *tag, const char *text)
{
    char got[LANGUAGE_BYTES];
    (void)tag;
    for (size_t n = 0; n < strlen(text) && n < 64; n++) {
        char *end = malloc(n ? n : 1); /* its end is the end of what may be touched */
        assert_non_null(end);
        memcpy(end, text, n);
        language_of(end, n, got);
        assert_true(strlen(got) < LANGUAGE_BYTES);
        free(end);
    }
    language_of(text, 12, got); /* a word or two in letters that many share */
    if ((unsigned char)text[0] < 0x80) assert_string_equal(got, "");
}

static void languages_of_every_script_are_found_and_what_is_none_is_not(void **state)
{
    (void)state;
    if (!language_ready()) skip(); /* the package of the models is not installed */
    each_line(check_whole);
    each_line(check_long);
}

static void short_texts_and_texts_cut_anywhere_are_in_no_language(void **state)
{
    (void)state;
    each_line(check_cuts);
}

/* Whatever the bytes and their number: nothing beyond them is read, and the answer fits. */
static void bytes_that_are_no_text_are_in_no_language(void **state)
{
    char got[LANGUAGE_BYTES];
    uint32_t x = 1;
    (void)state;
    for (size_t n = 1; n < 20000; n = n * 3 / 2 + 1) {
        char *bytes = malloc(n);
        assert_non_null(bytes);
        for (size_t i = 0; i < n; i++) bytes[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
        language_of(bytes, n, got);
        assert_true(strlen(got) < LANGUAGE_BYTES);
        memset(bytes, 'a', n);
        language_of(bytes, n, got);
        assert_string_equal(got, "");
        memset(bytes, 0x80, n);
        language_of(bytes, n, got);
        assert_string_equal(got, "");
        free(bytes);
    }
}

static void *ask(void *context)
{
    static const char text[] =
        "Please pay the amount that is still due within thirty days, or call our office about it.";
    char got[LANGUAGE_BYTES];
    (void)context;
    language_of(text, sizeof(text) - 1, got);
    return (void *)(uintptr_t)(strcmp(got, language_ready() ? "en" : "") == 0);
}

static void threads_that_ask_first_at_one_time_get_the_same_answer(void **state)
{
    pthread_t threads[8];
    void *right;
    (void)state;
    for (size_t i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &right);
        assert_non_null(right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_ask_first_at_one_time_get_the_same_answer),
        cmocka_unit_test(languages_of_every_script_are_found_and_what_is_none_is_not),
        cmocka_unit_test(short_texts_and_texts_cut_anywhere_are_in_no_language),
        cmocka_unit_test(bytes_that_are_no_text_are_in_no_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
