/* Bit for bit what the tokenizers library makes of the same text: the cases of tests/golden/tokenizer/. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/model/tokenizer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FOLDER "tests/golden/tokenizer/"

static void read_file(struct buffer *out, const char *name)
{
    char path[300];
    struct error err = {0};
    snprintf(path, sizeof(path), FOLDER "%s", name);
    if (file_read_all(out, path, &err) != DOCKET_OK) fail_msg("%s", err.message);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static void take_text(struct buffer *out, const cJSON *value)
{
    const char *hex = text_of(value, "hex"), *piece = text_of(value, "of");
    if (cJSON_IsString(value)) buffer_append_str(out, value->valuestring);
    for (; hex && hex[0]; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        buffer_append_char(out, (char)byte);
    }
    for (int i = 0; piece && i < cJSON_GetObjectItemCaseSensitive(value, "times")->valueint; i++)
        buffer_append_str(out, piece);
    buffer_append(out, "", 0);
}

static bool equal_ids(const cJSON *want, const struct token_list *got)
{
    const cJSON *item = want->child;
    if (cJSON_GetArraySize(want) == 2 && cJSON_IsString(item->next)) {
        char digest[SHA256_HEX_BYTES];
        sha256_hex(got->ids, got->length * sizeof(*got->ids), digest);
        return (size_t)item->valueint == got->length && strcmp(item->next->valuestring, digest) == 0;
    }
    size_t i = 0;
    for (; item && i < got->length; item = item->next, i++)
        if (item->valueint != got->ids[i]) return false;
    return !item && i == got->length;
}

static void check_line(const struct tokenizer *t, const char *name, size_t number, const char *line, size_t length)
{
    struct error err = {0};
    struct buffer text = {0}, decoded = {0};
    struct token_list ids = {0};
    cJSON *entry;
    if (json_parse(&entry, line, length, NULL, &err) != DOCKET_OK) fail_msg("%s:%zu: %s", name, number, err.message);
    const cJSON *flags = entry->child, *given = flags->next, *want = given->next, *shown = want->next;
    take_text(&text, given);
    if (tokenizer_encode(t, text.data, text.length, (unsigned)flags->valueint, &ids, &err) != DOCKET_OK)
        fail_msg("%s:%zu: %s", name, number, err.message);
    if (!equal_ids(want, &ids)) {
        for (size_t i = 0; i < ids.length && i < 40; i++) print_error(" %d", ids.ids[i]);
        fail_msg("%s:%zu: other ids: %.*s", name, number, length > 400 ? 400 : (int)length, line);
    }
    if (tokenizer_decode(t, ids.ids, ids.length, &decoded, &err) != DOCKET_OK) fail_msg("%s", err.message);
    const char *want_text = shown && cJSON_IsString(shown) ? shown->valuestring : text.data;
    bool same = strcmp(decoded.data, want_text) == 0 || (shown && cJSON_IsNull(shown) && !cJSON_IsString(given));
    if (shown && !same) fail_msg("%s:%zu: decoded to \"%s\", want \"%s\"", name, number, decoded.data, want_text);
    cJSON_Delete(entry);
    token_list_free(&ids);
    buffer_free(&text);
    buffer_free(&decoded);
}

static void check_all(const char *name, size_t want_cases)
{
    struct buffer json = {0}, lines = {0};
    struct tokenizer *t = NULL;
    struct error err = {0};
    char file[100];
    size_t n = 0;
    bool model = strcmp(name, "sentencepiece") == 0;
    snprintf(file, sizeof(file), "%s.%s", name, model ? "model" : "json");
    read_file(&json, file);
    enum status st = model ? tokenizer_open_model(&t, json.data, json.length, &err)
                           : tokenizer_open(&t, json.data, json.length, &err);
    if (st != DOCKET_OK) fail_msg("%s: %s", name, err.message);
    snprintf(file, sizeof(file), "%s.cases", name);
    read_file(&lines, file);
    for (char *line = lines.data, *end; (end = strchr(line, '\n')); line = end + 1)
        check_line(t, file, ++n, line, (size_t)(end - line));
    assert_int_equal(n, want_cases);
    tokenizer_close(t);
    buffer_free(&json);
    buffer_free(&lines);
}

static void a_mark_put_in_front_by_the_normalizer(void **state)
{
    (void)state;
    check_all("prepend", 1500);
}

static void a_mark_put_in_front_by_the_pre_tokenizer(void **state)
{
    (void)state;
    check_all("metaspace", 500);
}

static void added_tokens_of_every_kind_and_unknown_characters(void **state)
{
    (void)state;
    check_all("added", 500);
}

/* Built as those of the families are, with all that theirs have: tests/golden/tokenizer/families.py. */
static void families_of_models(void **state)
{
    static const char *const names[] = {"llama_3",  "qwen_3", "olmoe", "tekken",
                                        "deepseek", "odd",    "gemma", "mistral_3"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) check_all(names[i], 2000);
}

static void a_model_of_sentencepiece(void **state)
{
    (void)state;
    check_all("sentencepiece", 1877);
}

/* Processor time of this thread for one text of that size: the least of so many. */
static double work_of(const struct tokenizer *t, const char *piece, size_t bytes, int times)
{
    struct buffer text = {0};
    double least = 1e9;
    while (text.length < bytes) buffer_append_str(&text, piece);
    for (int i = 0; i < times; i++) {
        struct token_list ids = {0};
        struct error err = {0};
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        if (tokenizer_encode(t, text.data, text.length, 0, &ids, &err) != DOCKET_OK) fail_msg("%s", err.message);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double work = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        if (work < least) least = work;
        token_list_free(&ids);
    }
    buffer_free(&text);
    return least;
}

/* Row M13. 32 times the text takes some 40 times the work, more where memory is fresh; squared it would be 1,024 times. */
static void m13_work_grows_as_the_text_does(void **state)
{
    static const char *const names[] = {"prepend", "metaspace", "llama_3", "qwen_3", "olmoe", "tekken", "odd", "gemma"};
    static const char *const pieces[] = {"x",
                                         "^",
                                         " ",
                                         "7",
                                         "\n",
                                         " \n",
                                         "e\xcc\x81",
                                         "\xcc\x81\xcc\xa3\xcc\xb4",
                                         "\xf0\x9f\x91\xa9\xe2\x80\x8d",
                                         "A",
                                         "in",
                                         "\xe4\xb8\xad",
                                         "Total due: 1,240.00\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct buffer json = {0};
        struct tokenizer *t = NULL;
        struct error err = {0};
        char file[100];
        snprintf(file, sizeof(file), "%s.json", names[i]);
        read_file(&json, file);
        if (tokenizer_open(&t, json.data, json.length, &err) != DOCKET_OK) fail_msg("%s: %s", names[i], err.message);
        for (size_t k = 0; k < ARRAY_LENGTH(pieces); k++) {
            double small = work_of(t, pieces[k], 10000, 3), large = work_of(t, pieces[k], 320000, 1);
            if (large > 400 * small) large = work_of(t, pieces[k], 320000, 3); /* look again before saying so */
            if (large > 400 * small)
                fail_msg("%s: runs of \"%s\": %.0f times the work", names[i], pieces[k], large / small);
        }
        tokenizer_close(t);
        buffer_free(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_put_in_front_by_the_normalizer),
        cmocka_unit_test(a_mark_put_in_front_by_the_pre_tokenizer),
        cmocka_unit_test(added_tokens_of_every_kind_and_unknown_characters),
        cmocka_unit_test(families_of_models),
        cmocka_unit_test(a_model_of_sentencepiece),
        cmocka_unit_test(m13_work_grows_as_the_text_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
