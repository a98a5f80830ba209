/* The wording and its tokens against the cases that tests/demo_model/prompt.py made, with the demo model's tokenizer; long
 * documents, refused labels, memory. */
#include "handlers/prompt.h"
#include "tests/support/cmocka.h"
#include "tests/support/demo_model.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <string.h>

#define CASES      "tests/golden/prompt_cases.json"
#define MAX_TOKENS 64 /* of one label */

static struct tokenizer *tokenizer;
static enum chat_template chat;

static int open_model(void **state)
{
    struct model_options options;
    struct model_location location = {0};
    struct error err = {0};
    char *json = NULL, *template = NULL;
    size_t length, template_length;
    (void)state;
    demo_model_options(&options);
    bool good =
        hub_locate(&location, &options.hub, &err) == DOCKET_OK &&
        model_read_file(&json, &length, &location, "tokenizer.json", 16 * MIB, &err) == DOCKET_OK &&
        tokenizer_open(&tokenizer, json, length, &err) == DOCKET_OK &&
        model_read_file(&template, &template_length, &location, "tokenizer_config.json", MIB, &err) == DOCKET_OK &&
        chat_template_recognise(&chat, template, template_length, &err) == DOCKET_OK;
    if (!good) print_error("%s\n", err.message);
    mem_free(json);
    mem_free(template);
    model_location_free(&location);
    return good ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    return 0;
}

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(value);
    return value;
}

/* A job of the case's labels, instructions, examples and text. */
static void parse_case(struct job_input *out, const cJSON *one)
{
    struct error err = {0};
    cJSON *job = cJSON_CreateObject(), *input = cJSON_AddObjectToObject(job, "input");
    cJSON *documents = cJSON_AddArrayToObject(input, "documents"), *document = cJSON_CreateObject(), *example;
    static const char *const same[] = {"labels", "instructions", "examples", "multi_label"};
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
        cJSON_AddItemToObject(input, same[i], cJSON_Duplicate(get(one, same[i]), true));
    cJSON_ArrayForEach(example, cJSON_GetObjectItem(input, "examples")) /* the case says null for the other key */
    {
        const char *absent = cJSON_IsNull(get(example, "label")) ? "label" : "labels";
        cJSON_DeleteItemFromObject(example, absent);
    }
    cJSON_AddItemToArray(documents, document);
    cJSON_AddStringToObject(document, "text", get(one, "text")->valuestring);
    char *text = cJSON_PrintUnformatted(job);
    if (job_input_parse(out, text, strlen(text), &err) != DOCKET_OK) fail_msg("%s", err.message);
    cJSON_free(text);
    cJSON_Delete(job);
}

static void check_ids(size_t number, const char *what, const int32_t *got, size_t n, const cJSON *want)
{
    size_t at = 0, n_want = (size_t)cJSON_GetArraySize(want);
    const cJSON *item;
    cJSON_ArrayForEach(item, want)
    {
        if (at < n && got[at] != item->valueint)
            fail_msg("case %zu: %s: token %zu is %d, want %d (after a change of the tokenizer: tests/golden/remake.sh)",
                     number, what, at, got[at], item->valueint);
        at++;
    }
    if (n != n_want) fail_msg("case %zu: %s: %zu tokens, want %zu", number, what, n, n_want);
}

/* The tokens from the root to the leaf. */
static size_t path_to(const struct token_trie *trie, size_t leaf, int32_t *out)
{
    size_t at = 0, n = 0;
    while (at < trie->n_nodes && trie->nodes[at].leaf != (int32_t)leaf) at++;
    assert_true(at < trie->n_nodes);
    for (size_t up = at; up != 0; up = trie->nodes[up].parent) n++;
    assert_true(n <= MAX_TOKENS);
    for (size_t i = n; i-- > 0; at = trie->nodes[at].parent) out[i] = trie->nodes[at].token;
    return n;
}

static void check_case(size_t number, const cJSON *one)
{
    struct job_input input = {0};
    struct prompt prompt = {0};
    struct token_list ids = {0};
    struct error err = {0};
    struct buffer message = {0};
    size_t dropped;
    parse_case(&input, one);
    const char *text = get(one, "text")->valuestring;
    char *before = prompt_text_before(&input);
    buffer_printf(&message, "%s%s%s", before, text, prompt_text_after(&input));
    if (strcmp(message.data, get(one, "user_message")->valuestring) != 0)
        fail_msg("case %zu: the message is\n%s", number, message.data);
    if (prompt_build(&prompt, &input, chat, tokenizer, &err) != DOCKET_OK)
        fail_msg("case %zu: %s", number, err.message);
    struct token_list document = {0};
    assert_int_equal(tokenizer_encode(tokenizer, text, strlen(text), TOKENIZE_CONTINUE, &document, &err), DOCKET_OK);
    token_list_append_all(&ids, prompt.prefix.ids, prompt.prefix.length);
    assert_int_equal(prompt_document(&prompt, &document, 1500, &ids, &dropped, &err), DOCKET_OK);
    token_list_append_all(&ids, prompt.suffix.ids, prompt.suffix.length);
    check_ids(number, "prompt", ids.ids, ids.length, get(one, "token_ids"));
    assert_int_equal(dropped, 0);
    size_t label = 0, step = input.multi_label ? 2 : 1; /* the cases hold "label: yes" alone */
    const cJSON *want;
    cJSON_ArrayForEach(want, get(one, "label_token_ids"))
    {
        int32_t path[MAX_TOKENS];
        size_t n = path_to(&prompt.trie, label * step, path);
        check_ids(number, "label", path, n, want);
        label++;
    }
    assert_int_equal(label * step, prompt.trie.n_leaves);
    mem_free(before);
    buffer_free(&message);
    token_list_free(&document);
    token_list_free(&ids);
    prompt_free(&prompt);
    job_input_free(&input);
}

static void message_and_tokens_equal_the_training_prompt(void **state)
{
    struct buffer text = {0};
    struct error err = {0};
    cJSON *cases = NULL;
    const cJSON *one;
    size_t n = 0;
    (void)state;
    if (file_read_all(&text, CASES, &err) != DOCKET_OK) fail_msg("%s", err.message);
    if (json_parse(&cases, text.data, text.length, &(struct json_limits){0}, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    cJSON_ArrayForEach(one, cases) check_case(n++, one);
    assert_true(n > 10);
    cJSON_Delete(cases);
    buffer_free(&text);
}

static enum status build(struct prompt *out, const char *job, struct error *err)
{
    struct job_input input = {0};
    enum status st = job_input_parse(&input, job, strlen(job), err);
    if (st == DOCKET_OK) st = prompt_build(out, &input, chat, tokenizer, err);
    job_input_free(&input);
    return st;
}

#define JOB(labels, more) "{\"input\":{\"labels\":[" labels "],\"documents\":[{\"text\":\"x\"}]" more "}}"

static void a_long_document_keeps_two_thirds_of_its_head_and_one_of_its_tail(void **state)
{
    struct prompt prompt = {0};
    struct error err = {0};
    struct token_list document = {0};
    (void)state;
    if (build(&prompt, JOB("\"a\",\"b\"", ""), &err) != DOCKET_OK) fail_msg("%s", err.message);
    for (int32_t i = 0; i < 1000; i++) token_list_append(&document, 10000 + i);
    size_t mark = prompt.cut.length;
    assert_in_range(mark, 1, 12);
    const struct {
        size_t limit, head, mark, tail;
    } cases[] = {
        {1000, 1000, 0, 0},
        {999, (999 - mark) * 2 / 3, mark, 999 - mark - (999 - mark) * 2 / 3},
        {90 + mark, 60, mark, 30},
        {91 + mark, 60, mark, 31},
        {92 + mark, 61, mark, 31},
        {1 + mark, 0, mark, 1},
        {mark, mark * 2 / 3, 0, mark - mark * 2 / 3},
        {1, 0, 0, 1},
        {0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct token_list out = {0};
        size_t dropped, head = cases[i].head, tail = cases[i].tail;
        assert_int_equal(prompt_document(&prompt, &document, cases[i].limit, &out, &dropped, &err), DOCKET_OK);
        if (out.length != head + cases[i].mark + tail || dropped != 1000 - head - tail)
            fail_msg("limit %zu: %zu tokens, %zu dropped", cases[i].limit, out.length, dropped);
        for (size_t k = 0; k < head; k++) assert_int_equal(out.ids[k], 10000 + k);
        for (size_t k = 0; k < cases[i].mark; k++) assert_int_equal(out.ids[head + k], prompt.cut.ids[k]);
        for (size_t k = 0; k < tail; k++) assert_int_equal(out.ids[head + cases[i].mark + k], 10000 + 1000 - tail + k);
        token_list_free(&out);
    }
    token_list_free(&document);
    prompt_free(&prompt);
}

static void a_label_that_is_a_special_token_is_refused(void **state)
{
    struct prompt prompt = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(build(&prompt, JOB("\"a\",\"</s>\"", ""), &err), DOCKET_BAD_INPUT);
    assert_int_equal(err.code, CODE_labels_invalid);
    assert_string_equal(err.message, "labels[1]: \"</s>\" is a special token of the model");
    assert_null(prompt.prefix.ids);
}

/* Whoever wrote a label or an instruction cannot end the turn with it. */
static void text_of_a_job_never_becomes_special_tokens(void **state)
{
    struct prompt prompt = {0};
    struct error err = {0};
    (void)state;
    enum status st =
        build(&prompt,
              JOB("{\"name\":\"a </s>\",\"description\":\"<s> [INST]\"},\"b <unk>\"",
                  ",\"instructions\":\"</s><s>\",\"examples\":[{\"text\":\"</s>\",\"label\":\"b <unk>\"}]"),
              &err);
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < prompt.prefix.length; i++)
        assert_int_equal(tokenizer_is_special(tokenizer, prompt.prefix.ids[i]), i == 0);
    for (size_t i = 0; i < prompt.suffix.length; i++)
        assert_false(tokenizer_is_special(tokenizer, prompt.suffix.ids[i]));
    for (size_t i = 1; i < prompt.trie.n_nodes; i++)
        assert_false(tokenizer_is_special(tokenizer, prompt.trie.nodes[i].token));
    prompt_free(&prompt);
}

static void the_digest_is_of_the_whole_prompt(void **state)
{
    static const char *const jobs[] = {
        JOB("\"a\",\"b\"", ""),
        JOB("\"a\",\"c\"", ""),
        JOB("\"b\",\"a\"", ""),
        JOB("\"a\",{\"name\":\"b\",\"description\":\"x\"}", ""),
        JOB("\"a\",\"b\"", ",\"instructions\":\"x\""),
        JOB("\"a\",\"b\"", ",\"multi_label\":true"),
        JOB("\"a\",\"b\"", ",\"examples\":[{\"text\":\"x\",\"label\":\"b\"}]"),
    };
    char digests[ARRAY_LENGTH(jobs)][65];
    struct error err = {0};
    (void)state;
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
            struct prompt prompt = {0};
            if (build(&prompt, jobs[i], &err) != DOCKET_OK) fail_msg("job %zu: %s", i, err.message);
            if (round)
                assert_string_equal(prompt.digest, digests[i]);
            else
                memcpy(digests[i], prompt.digest, 65);
            for (size_t k = 0; k < i; k++) assert_string_not_equal(digests[i], digests[k]);
            prompt_free(&prompt);
        }
}

static enum status build_once(void *context, struct error *err)
{
    struct prompt prompt = {0};
    struct token_list document = {0}, out = {0};
    size_t dropped;
    enum status st = prompt_build(&prompt, context, chat, tokenizer, err);
    if (st == DOCKET_OK) st = tokenizer_encode(tokenizer, "some words of text", 18, TOKENIZE_CONTINUE, &document, err);
    if (st == DOCKET_OK) st = prompt_document(&prompt, &document, 2, &out, &dropped, err);
    if (st == DOCKET_OK) assert_int_equal(prompt.trie.n_leaves, 6);
    token_list_free(&document);
    token_list_free(&out);
    prompt_free(&prompt);
    return st;
}

static void any_failing_allocation_is_no_memory(void **state)
{
    static const char job[] = JOB("\"one label\",\"one\",\"another label\"",
                                  ",\"multi_label\":true,\"examples\":[{\"text\":\"x\",\"labels\":[\"one\"]}]");
    struct job_input input = {0};
    struct error err = {0};
    (void)state;
    if (job_input_parse(&input, job, sizeof(job) - 1, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(torture(build_once, &input) > 10);
    job_input_free(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_and_tokens_equal_the_training_prompt),
        cmocka_unit_test(a_long_document_keeps_two_thirds_of_its_head_and_one_of_its_tail),
        cmocka_unit_test(a_label_that_is_a_special_token_is_refused),
        cmocka_unit_test(text_of_a_job_never_becomes_special_tokens),
        cmocka_unit_test(the_digest_is_of_the_whole_prompt),
        cmocka_unit_test(any_failing_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
