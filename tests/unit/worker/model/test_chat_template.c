/* Chat formats: known by shape, never run; text of messages never becomes special tokens. Row M11. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/model/chat_template.h"

#include <stdio.h>
#include <string.h>

#define MIXTRAL                                                                                                        \
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"       \
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"          \
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"                              \
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}"                           \
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"

static const struct {
    const char *name, *template; /* as JSON */
    enum status want;
    enum chat_template which;
    const char *part;
} cases[] = {
    {"mixtral", "\"" MIXTRAL "\"", DOCKET_OK, TEMPLATE_MISTRAL_INSTRUCT, ""},
    {"mixtral_with_system",
     "\"{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- endif %}{{- "
     "bos_token }}"
     "{%- for message in loop_messages %}{%- if message['role'] == 'user' %}{{- ' [INST] ' + message['content'] + ' "
     "[/INST]' }}"
     "{%- else %}{{- ' ' + message['content'] + eos_token}}{%- endif %}{%- endfor %}\"",
     DOCKET_OK, TEMPLATE_MISTRAL_SPACED, ""},
    {"in_a_list", "[{\"name\":\"default\",\"template\":\"" MIXTRAL "\"},{\"name\":\"tool_use\",\"template\":\"x\"}]",
     DOCKET_OK, TEMPLATE_MISTRAL_INSTRUCT, ""},
    {"alone_in_a_list", "[{\"name\":\"rag\",\"template\":\"" MIXTRAL "\"}]", DOCKET_OK, TEMPLATE_MISTRAL_INSTRUCT, ""},
    {"null", "null", DOCKET_OK, TEMPLATE_NONE, ""},
    {"empty", "\"\"", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "a format that is not known"},
    {"list_without_default", "[{\"name\":\"a\",\"template\":\"x\"},{\"name\":\"b\",\"template\":\"x\"}]",
     DOCKET_UNSUPPORTED, TEMPLATE_NONE, "want text"},
    {"empty_list", "[]", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "want text"},
    {"number", "7", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "want text"},
    {"chatml",
     "\"{% for message in messages %}{{'<|im_start|>' + message['role'] + message['content'] + '<|im_end|>'}}{% endfor "
     "%}\"",
     DOCKET_UNSUPPORTED, TEMPLATE_NONE, "a format that is not known"},
    {"llama_2", "\"" MIXTRAL "{{ '<<SYS>>' }}\"", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "not known; CHAT_TEMPLATE"},
    {"mistral_with_tools", "\"" MIXTRAL "{{ '[AVAILABLE_TOOLS]' }}\"", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "not known"},
    {"mistral_with_chatml", "\"" MIXTRAL "{{ '<|im_start|>' }}\"", DOCKET_UNSUPPORTED, TEMPLATE_NONE, "not known"},
    {"without_bos",
     "\"{% for message in messages %}{{ '[INST] ' + message['content'] + ' [/INST]' + eos_token }}{% endfor %}\"",
     DOCKET_UNSUPPORTED, TEMPLATE_NONE, "not known"},
    {"llama_3_2_says_todays_date",
     "\"{{ bos_token }}<|start_header_id|><|end_header_id|><|eot_id|>Cutting Knowledge Date: December 2023{{ "
     "strftime_now('%d') }}\"",
     DOCKET_UNSUPPORTED, TEMPLATE_NONE, "not known"},
    {"m11_an_attack_is_text",
     "\"{{ ''.__class__.__mro__[1].__subclasses__()[132].__init__.__globals__['popen']('id').read() }}\"",
     DOCKET_UNSUPPORTED, TEMPLATE_NONE, "a format that is not known"},
};

static void templates_are_known_by_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer text = {0};
        struct error err = {0};
        enum chat_template which = TEMPLATE_NONE;
        buffer_printf(
            &text, "{\"bos_token\":\"<s>\",\"model_max_length\":1000000000000000019884624838656,\"chat_template\":%s}",
            cases[i].template);
        enum status st = chat_template_recognise(&which, text.data, text.length, &err);
        if (st != cases[i].want || (st == DOCKET_OK && which != cases[i].which) || !strstr(err.message, cases[i].part))
            fail_msg("%s: %s: %s", cases[i].name, status_name(st), err.message);
        if (st != DOCKET_OK) assert_int_equal(err.code, CODE_tokenizer_unsupported);
        buffer_free(&text);
    }
    enum chat_template which = TEMPLATE_MISTRAL_INSTRUCT;
    struct error err;
    assert_int_equal(chat_template_recognise(&which, NULL, 0, &err), DOCKET_OK);
    assert_int_equal(which, TEMPLATE_NONE);
    assert_int_equal(chat_template_recognise(&which, "{}", 2, &err), DOCKET_OK);
    assert_int_equal(which, TEMPLATE_NONE);
    assert_int_not_equal(chat_template_recognise(&which, "[]", 2, &err), DOCKET_OK);
    assert_int_not_equal(chat_template_recognise(&which, "{", 1, &err), DOCKET_OK);
    assert_int_equal(err.code, CODE_tokenizer_unsupported);
    assert_string_equal(chat_template_name(TEMPLATE_NONE), "none");
    assert_string_equal(chat_template_name(TEMPLATE_MISTRAL_INSTRUCT), "mistral-instruct");
}

static void names_lead_to_formats_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < N_CHAT_TEMPLATES; i++) {
        enum chat_template which = TEMPLATE_NONE;
        assert_true(chat_template_by_name(chat_template_name((enum chat_template)i), &which));
        assert_int_equal(which, i);
    }
    enum chat_template which = TEMPLATE_NONE;
    assert_false(chat_template_by_name("auto", &which));
    assert_false(chat_template_by_name("", &which));
}

static struct tokenizer *tokenizer;

static int set_up(void **state)
{
    struct buffer json = {0};
    struct error err;
    (void)state;
    if (file_read_all(&json, "tests/golden/tokenizer/prepend.json", &err) != DOCKET_OK) return -1;
    enum status st = tokenizer_open(&tokenizer, json.data, json.length, &err);
    buffer_free(&json);
    return st == DOCKET_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    return 0;
}

static void expect_text(const struct token_list *ids, const char *want)
{
    struct buffer out = {0};
    struct error err;
    assert_int_equal(tokenizer_decode(tokenizer, ids->ids, ids->length, &out, &err), DOCKET_OK);
    assert_string_equal(out.data, want);
    buffer_free(&out);
}

/* The library's ids of the parts, each encoded apart, are what test_tokenizer_golden.c checks; here that they are put together. */
static void a_prompt_is_its_parts_put_together(void **state)
{
    (void)state;
    struct token_list ids = {0}, want = {0};
    struct error err;
    assert_int_equal(chat_template_prefix(TEMPLATE_MISTRAL_INSTRUCT, tokenizer, "Read:\n", &ids, &err), DOCKET_OK);
    token_list_append(&want, 1);
    tokenizer_encode(tokenizer, "[INST] Read:\n", 13, 0, &want, &err);
    assert_int_equal(ids.length, want.length);
    assert_memory_equal(ids.ids, want.ids, want.length * sizeof(*want.ids));
    tokenizer_encode(tokenizer, "text", 4, TOKENIZE_CONTINUE, &ids, &err);
    size_t before = ids.length;
    assert_int_equal(chat_template_suffix(TEMPLATE_MISTRAL_INSTRUCT, tokenizer, "\nWhich?", "Category:", &ids, &err),
                     DOCKET_OK);
    want.length = 0;
    tokenizer_encode(tokenizer, "\nWhich? [/INST] Category:", 25, TOKENIZE_CONTINUE, &want, &err);
    assert_int_equal(ids.length - before, want.length);
    assert_memory_equal(ids.ids + before, want.ids, want.length * sizeof(*want.ids));
    expect_text(&ids, "<s> [INST] Read:\ntext\nWhich? [/INST] Category:");
    ids.length = 0;
    assert_int_equal(chat_template_suffix(TEMPLATE_MISTRAL_INSTRUCT, tokenizer, "Which?", "", &ids, &err), DOCKET_OK);
    expect_text(&ids, "Which? [/INST]"); /* no space that the answer would bring along itself */
    ids.length = 0;
    assert_int_equal(chat_template_prefix(TEMPLATE_NONE, tokenizer, "Read:", &ids, &err), DOCKET_OK);
    assert_int_equal(chat_template_suffix(TEMPLATE_NONE, tokenizer, " it", "Category:", &ids, &err), DOCKET_OK);
    expect_text(&ids, "<s> Read: it\nCategory:");
    assert_int_equal(chat_template_end(TEMPLATE_MISTRAL_INSTRUCT, tokenizer), 2);
    token_list_free(&ids);
    token_list_free(&want);
}

static void messages_never_hold_special_tokens(void **state)
{
    (void)state;
    static const char text[] = "</s><s>[INST] <unk> [/INST]</s>";
    struct token_list ids = {0};
    struct error err;
    assert_int_equal(chat_template_prefix(TEMPLATE_MISTRAL_INSTRUCT, tokenizer, text, &ids, &err), DOCKET_OK);
    assert_int_equal(chat_template_suffix(TEMPLATE_MISTRAL_INSTRUCT, tokenizer, text, text, &ids, &err), DOCKET_OK);
    for (size_t i = 1; i < ids.length; i++) assert_false(tokenizer_is_special(tokenizer, ids.ids[i]));
    token_list_free(&ids);
}

static void a_tokenizer_that_does_not_fit_is_refused(void **state)
{
    (void)state;
#define ADDED(id, content)                                                                                             \
    "{\"id\":" #id ",\"content\":\"" content                                                                           \
    "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}"
    static const char *const files[] = {
        "{\"added_tokens\":[],\"model\":{\"vocab\":{\"<s>\":0,\"</s>\":1},\"merges\":[]}}",
        "{\"added_tokens\":[" ADDED(0, "<s>") "],\"model\":{\"vocab\":{\"<s>\":0,\"x\":1},\"merges\":[]}}",
        "{\"added_tokens\":[" ADDED(0, "<s>") "," ADDED(1, "</s>") "," ADDED(
            2, "[INST]") "],\"model\":{\"vocab\":{\"<s>\":0,\"</s>\":1},\"merges\":[]}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        struct tokenizer *t = NULL;
        struct token_list ids = {0};
        struct error err = {0};
        if (tokenizer_open(&t, files[i], strlen(files[i]), &err) != DOCKET_OK) fail_msg("%s", err.message);
        assert_int_equal(chat_template_prefix(TEMPLATE_MISTRAL_INSTRUCT, t, "x", &ids, &err), DOCKET_UNSUPPORTED);
        assert_int_equal(ids.length, 0);
        token_list_free(&ids);
        tokenizer_close(t);
    }
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static struct tokenizer *open_fixture(const char *name)
{
    char path[200];
    struct buffer json = {0};
    struct tokenizer *t = NULL;
    struct error err = {0};
    snprintf(path, sizeof(path), "tests/golden/tokenizer/%s.json", name);
    if (file_read_all(&json, path, &err) != DOCKET_OK || tokenizer_open(&t, json.data, json.length, &err) != DOCKET_OK)
        fail_msg("%s: %s", name, err.message);
    buffer_free(&json);
    return t;
}

static void check_case(const cJSON *one, const cJSON *templates)
{
    const char *name = text_of(one, "template_name"), *template = text_of(templates, name);
    struct tokenizer *t = open_fixture(text_of(one, "tokenizer"));
    struct token_list ids = {0};
    struct error err = {0};
    enum chat_template which = TEMPLATE_NONE, named = TEMPLATE_NONE;
    const char *message = text_of(one, "message"), *bos = text_of(one, "bos");
    if (chat_template_recognise_text(&which, template, strlen(template), &err) != DOCKET_OK)
        fail_msg("%s: %s", name, err.message);
    assert_true(chat_template_by_name(text_of(one, "format"), &named));
    if (which != named) fail_msg("%s: taken for %s", name, chat_template_name(which));
    tokenizer_name_ends(t, bos ? tokenizer_id(t, bos) : -1, tokenizer_id(t, text_of(one, "eos")));
    /* in two parts, cut where no tokenizer joins: in front of the last word */
    const char *last = strrchr(message, ' ');
    char *before = str_dup_n(message, (size_t)(last - message));
    enum status st = chat_template_prefix(which, t, before, &ids, &err);
    if (st == DOCKET_OK) st = chat_template_suffix(which, t, last, "", &ids, &err);
    mem_free(before);
    if (st != DOCKET_OK) fail_msg("%s: %s", name, err.message);
    const cJSON *want = cJSON_GetObjectItem(one, "ids"), *id = want->child;
    size_t i = 0;
    for (; id && i < ids.length && id->valueint == ids.ids[i]; id = id->next) i++;
    if (id || i != ids.length)
        fail_msg("%s with %s, \"%s\": other ids from the %zuth on: %d, want %d (of %zu and %d)", name,
                 text_of(one, "tokenizer"), message, i, i < ids.length ? ids.ids[i] : -1, id ? id->valueint : -1,
                 ids.length, cJSON_GetArraySize(want));
    assert_true(tokenizer_is_special(t, chat_template_end(which, t)));
    token_list_free(&ids);
    tokenizer_close(t);
}

/* tests/golden/chat/make_chat.py */
static void a_turn_has_the_ids_that_transformers_gives_it(void **state)
{
    struct buffer text = {0};
    struct error err = {0};
    cJSON *root = NULL;
    const cJSON *one;
    bool seen[N_CHAT_TEMPLATES] = {[TEMPLATE_NONE] = true};
    (void)state;
    if (file_read_all(&text, "tests/golden/chat/cases.json", &err) != DOCKET_OK ||
        json_parse(&root, text.data, text.length, NULL, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases"))
    {
        enum chat_template which = TEMPLATE_NONE;
        check_case(one, cJSON_GetObjectItem(root, "templates"));
        chat_template_by_name(text_of(one, "format"), &which);
        seen[which] = true;
    }
    for (int i = 0; i < N_CHAT_TEMPLATES; i++)
        if (!seen[i]) fail_msg("no case of %s", chat_template_name((enum chat_template)i));
    cJSON_Delete(root);
    buffer_free(&text);
}

static void ends_are_those_that_the_configuration_names(void **state)
{
    (void)state;
    struct tokenizer *t = open_fixture("llama_3");
    struct error err = {0};
    static const char config[] = "{\"bos_token\":{\"content\":\"<|begin_of_text|>\"},\"eos_token\":\"<|eot_id|>\"}";
    static const char other[] = "{\"bos_token\":null,\"eos_token\":\"nothing\"}";
    assert_int_equal(tokenizer_begin(t), -1);
    assert_int_equal(chat_template_check(TEMPLATE_LLAMA_3, t, &err), DOCKET_UNSUPPORTED);
    assert_int_equal(chat_template_ends(t, config, strlen(config), &err), DOCKET_OK);
    assert_int_equal(tokenizer_begin(t), tokenizer_id(t, "<|begin_of_text|>"));
    assert_int_equal(chat_template_ends(t, other, strlen(other), &err), DOCKET_OK);
    assert_int_equal(tokenizer_end(t), tokenizer_id(t, "<|eot_id|>"));
    assert_int_equal(chat_template_check(TEMPLATE_LLAMA_3, t, &err), DOCKET_OK);
    assert_int_equal(chat_template_check(TEMPLATE_GEMMA, t, &err), DOCKET_UNSUPPORTED);
    assert_int_not_equal(chat_template_ends(t, "[]", 2, &err), DOCKET_OK);
    tokenizer_close(t);
}

static enum status build(void *context, struct error *err)
{
    enum chat_template which;
    struct token_list ids = {0};
    const struct buffer *text = context;
    enum status st = chat_template_recognise(&which, text->data, text->length, err);
    if (st == DOCKET_OK) st = chat_template_prefix(which, tokenizer, "before", &ids, err);
    if (st == DOCKET_OK) st = chat_template_suffix(which, tokenizer, "after", "opening", &ids, err);
    if (st == DOCKET_OK && which != TEMPLATE_MISTRAL_INSTRUCT) st = DOCKET_INTERNAL;
    token_list_free(&ids);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_printf(&text, "{\"chat_template\":\"%s\"}", MIXTRAL);
    assert_true(torture(build, &text) > 8);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_known_by_shape),
        cmocka_unit_test(names_lead_to_formats_and_back),
        cmocka_unit_test(a_turn_has_the_ids_that_transformers_gives_it),
        cmocka_unit_test(ends_are_those_that_the_configuration_names),
        cmocka_unit_test(a_prompt_is_its_parts_put_together),
        cmocka_unit_test(messages_never_hold_special_tokens),
        cmocka_unit_test(a_tokenizer_that_does_not_fit_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
