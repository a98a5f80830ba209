/* What a job may ask, what is refused with which words, and that no failing allocation is lost. */
#include "handlers/job_input.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <string.h>

static enum status parse(struct job_input *out, const char *job, struct error *err)
{
    return job_input_parse(out, job, strlen(job), err);
}

static char *job_of(const char *input)
{
    char *job = str_format("{\"id\":\"j\",\"input\":%s}", input);
    assert_non_null(job);
    return job;
}

static enum status parse_input(struct job_input *out, const char *input, struct error *err)
{
    char *job = job_of(input);
    enum status st = parse(out, job, err);
    mem_free(job);
    return st;
}

#define LABELS "\"labels\":[\"a\",\"b\"]"
#define DOCS   "\"documents\":[{\"text\":\"x\"}]"
#define IN(s)  "{" LABELS "," DOCS "," s "}"
#define OPT(s) IN("\"options\":{" s "}")
#define LAB(s) "{\"labels\":[" s "]," DOCS "}"
#define DOC(s) "{" LABELS ",\"documents\":[" s "]}"
#define B50    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name, *input;
    enum error_code code;
    const char *message; /* its beginning */
} refused[] = {
    {"input_null", "null", CODE_job_field_invalid, "input: missing"},
    {"input_array", "[]", CODE_job_field_invalid, "input: want an object, got an array"},
    {"input_string", "\"x\"", CODE_job_field_invalid, "input: want an object, got \"x\""},
    {"wrong_case", "{\"Labels\":[\"a\",\"b\"]," DOCS "}", CODE_job_field_unknown,
     "Labels: unknown key; did you mean labels?"},
    {"proto", IN("\"__proto__\":{}"), CODE_job_field_unknown, "__proto__: unknown key"},
    {"typo_deep", DOC("{\"text\":\"a\"},{\"ulr\":\"b\"}"), CODE_job_field_unknown,
     "documents[1].ulr: unknown key; did you mean url?"},
    {"typo_option", OPT("\"topk\":3"), CODE_job_field_unknown, "options.topk: unknown key; did you mean top_k?"},
    {"typo_abstain", OPT("\"abstain\":{\"belov\":0.5}"), CODE_job_field_unknown, "options.abstain.belov: unknown key"},
    {"typo_label", LAB("{\"nam\":\"a\"},\"b\""), CODE_job_field_unknown, "labels[0].nam: unknown key; did you mean"},
    {"typo_example", IN("\"examples\":[{\"txt\":\"a\"}]"), CODE_job_field_unknown, "examples[0].txt: unknown key"},
    {"typo_parameters", "{\"inputs\":\"x\",\"parameters\":{\"candidate_label\":\"a,b\"}}", CODE_job_field_unknown,
     "parameters.candidate_label: unknown key; did you mean candidate_labels?"},
    {"duplicate_key", IN("\"labels\":[]"), CODE_job_field_duplicate, NULL},
    {"other_task", IN("\"task\":\"chat\""), CODE_job_field_invalid, "task: want \"classify\", got \"chat\""},

    {"no_labels", "{" DOCS "}", CODE_labels_invalid, "labels: missing"},
    {"0_labels", LAB(""), CODE_labels_invalid, "labels: want 2 to 256, got 0"},
    {"1_label", LAB("\"a\""), CODE_labels_invalid, "labels: want 2 to 256, got 1"},
    {"labels_string", "{\"labels\":\"a,b\"," DOCS "}", CODE_job_field_invalid, "labels: want an array, got \"a,b\""},
    {"label_number", LAB("\"a\",3"), CODE_job_field_invalid, "labels[1]: want a string or an object, got 3"},
    {"label_null", LAB("\"a\",null"), CODE_job_field_invalid, "labels[1]: want a string or an object, got null"},
    {"label_without_name", LAB("\"a\",{\"description\":\"d\"}"), CODE_job_field_invalid, "labels[1].name: missing"},
    {"label_empty", LAB("\"a\",\"\""), CODE_labels_invalid, "labels[1]: want 1 to 100 bytes, got 0"},
    {"label_space", LAB("\"a\",\" \\u00a0\""), CODE_labels_invalid, "labels[1]: nothing but white space"},
    {"label_invisible", LAB("\"a\",\"\\u200b\""), CODE_labels_invalid, "labels[1]: nothing but white space"},
    {"label_101", LAB("\"a\",\"" B50 B50 "x\""), CODE_labels_invalid, "labels[1]: want 1 to 100 bytes, got 101"},
    {"label_bell", LAB("\"a\",\"b\\u0007c\""), CODE_labels_invalid, "labels[1]: holds the control character U+0007"},
    {"label_c1", LAB("\"a\",{\"name\":\"\\u0085x\"}"), CODE_labels_invalid, "labels[1].name: holds the control"},
    {"label_line_separator", LAB("\"a\",\"b\\u2028c\""), CODE_labels_invalid, "labels[1]: holds the control"},
    {"label_nul", LAB("\"a\",\"a\\u0000\""), CODE_job_field_invalid, "labels[1]: holds U+0000"},
    {"label_twice", LAB("\"x\",\"a\",\"y\",\"z\",{\"name\":\"a\"}"), CODE_labels_invalid,
     "labels[1] and labels[4]: both are \"a\""},
    {"label_twice_but_space", LAB("\"non  disclosure\",\" non disclosure\""), CODE_labels_invalid,
     "labels[0] and labels[1]: both are"},
    {"label_twice_but_wide_space", LAB("\"a b\",\"a\\u00a0\\u3000b \""), CODE_labels_invalid,
     "labels[0] and labels[1]"},
    {"label_twice_but_invisible", LAB("\"ab\",\"a\\u200bb\""), CODE_labels_invalid, "labels[0] and labels[1]"},
    {"label_children", LAB("\"a\",{\"name\":\"b\",\"children\":[]}"), CODE_job_field_invalid,
     "labels[1].children: comes in a later version"},
    {"label_threshold", LAB("\"a\",{\"name\":\"b\",\"threshold\":1.5}"), CODE_job_field_invalid,
     "labels[1].threshold: want a number from 0 to 1, got 1.5"},
    {"label_description", LAB("\"a\",{\"name\":\"b\",\"description\":[]}"), CODE_job_field_invalid,
     "labels[1].description: want a string, got an array"},
    {"both_labels", "{" LABELS ",\"inputs\":\"x\",\"parameters\":{\"candidate_labels\":\"a,b\"}}",
     CODE_job_field_invalid, "labels and parameters.candidate_labels: want only one"},
    {"candidate_empty", "{\"inputs\":\"x\",\"parameters\":{\"candidate_labels\":\"a,,b\"}}", CODE_labels_invalid,
     "parameters.candidate_labels[1]: want 1 to 100"},
    {"candidate_one", "{\"inputs\":\"x\",\"parameters\":{\"candidate_labels\":\"a\"}}", CODE_labels_invalid,
     "parameters.candidate_labels: want 2 to 256, got 1"},
    {"both_multi_label", IN("\"multi_label\":true,\"parameters\":{\"multi_label\":true}"), CODE_job_field_invalid,
     "multi_label and parameters.multi_label"},

    {"no_documents", "{" LABELS "}", CODE_job_field_invalid, "documents: missing"},
    {"0_documents", DOC(""), CODE_job_field_invalid, "documents: want 1 to 10000, got 0"},
    {"documents_object", "{" LABELS ",\"documents\":{}}", CODE_job_field_invalid, "documents: want an array"},
    {"documents_strings", DOC("\"x\""), CODE_job_field_invalid, "documents[0]: want an object, got \"x\""},
    {"documents_and_text", IN("\"text\":\"x\""), CODE_job_field_invalid, "documents and text: want only one"},
    {"text_array", "{" LABELS ",\"text\":[]}", CODE_job_field_invalid, "text: want a string, got an array"},
    {"inputs_number", "{" LABELS ",\"inputs\":[\"a\",1]}", CODE_job_field_invalid, "inputs[1]: want a string, got 1"},
    {"inputs_object", "{" LABELS ",\"inputs\":{}}", CODE_job_field_invalid, "inputs: want a string"},
    {"document_typo", "{" LABELS ",\"document\":{\"txt\":\"a\"}}", CODE_job_field_unknown, "document.txt: unknown key"},
    {"url_number", DOC("{\"url\":5}"), CODE_job_field_invalid, "documents[0].url: want a string, got 5"},
    {"url_nul", DOC("{\"url\":\"https://x/\\u0000\"}"), CODE_job_field_invalid, "documents[0].url: holds U+0000"},
    {"pages_number", DOC("{\"text\":\"x\",\"pages\":1}"), CODE_job_field_invalid,
     "documents[0].pages: want a string, got 1"},
    {"pages_0", DOC("{\"text\":\"x\",\"pages\":\"0\"}"), CODE_job_field_invalid,
     "documents[0].pages: want \"3\", \"1-3\""},
    {"pages_backwards", DOC("{\"text\":\"x\",\"pages\":\"3-1\"}"), CODE_job_field_invalid, "documents[0].pages: want"},
    {"pages_open", DOC("{\"text\":\"x\",\"pages\":\"-3\"}"), CODE_job_field_invalid, "documents[0].pages: want"},
    {"pages_empty", DOC("{\"text\":\"x\",\"pages\":\"\"}"), CODE_job_field_invalid, "documents[0].pages: want"},
    {"pages_more", DOC("{\"text\":\"x\",\"pages\":\"1-2-3\"}"), CODE_job_field_invalid, "documents[0].pages: want"},
    {"pages_huge", DOC("{\"text\":\"x\",\"pages\":\"1-99999999999999999999\"}"), CODE_job_field_invalid,
     "documents[0].pages: want"},
    {"text_number", DOC("{\"text\":5}"), CODE_job_field_invalid, "documents[0].text: want a string, got 5"},
    {"id_number", DOC("{\"text\":\"x\",\"id\":5}"), CODE_job_field_invalid, "documents[0].id: want a string, got 5"},
    {"id_empty", DOC("{\"text\":\"x\",\"id\":\"\"}"), CODE_job_field_invalid, "documents[0].id: want 1 to 512 bytes"},
    {"id_nul", DOC("{\"text\":\"x\",\"id\":\"a\\u0000\"}"), CODE_job_field_invalid, "documents[0].id: holds U+0000"},
    {"id_control", DOC("{\"text\":\"x\",\"custom_id\":\"a\\r\"}"), CODE_job_field_invalid,
     "documents[0].custom_id: holds the control character U+000D"},
    {"id_and_custom_id", DOC("{\"text\":\"x\",\"custom_id\":\"a\",\"id\":\"a\"}"), CODE_job_field_invalid,
     "documents[0]: want id or custom_id, got both"},
    {"id_twice", DOC("{\"text\":\"x\",\"id\":\"a\"},{\"text\":\"x\"},{\"text\":\"y\",\"custom_id\":\"a\"}"),
     CODE_job_field_invalid, "documents[0].id and documents[2].custom_id: both are \"a\""},
    {"id_like_made_up", DOC("{\"text\":\"x\",\"id\":\"doc-2\"},{\"text\":\"x\"}"), CODE_job_field_invalid,
     "documents[0].id: \"doc-2\" is the id that documents[1], which has none, is given"},
    {"filename_nul", DOC("{\"text\":\"x\",\"filename\":\"a\\u0000.txt\"}"), CODE_job_field_invalid,
     "documents[0].filename: holds U+0000"},
    {"path_nul", DOC("{\"path\":\"a\\u0000.txt\"}"), CODE_job_field_invalid, "documents[0].path: holds U+0000"},

    {"top_k_minus", OPT("\"top_k\":-1"), CODE_job_field_invalid,
     "options.top_k: want a whole number from 1 to 256, got -1"},
    {"top_k_0", OPT("\"top_k\":0"), CODE_job_field_invalid, "options.top_k: want"},
    {"top_k_fraction", OPT("\"top_k\":1.5"), CODE_job_field_invalid, "options.top_k: want"},
    {"threshold", OPT("\"threshold\":2"), CODE_job_field_invalid,
     "options.threshold: want a number from 0 to 1, got 2"},
    {"tokens_2_31", OPT("\"max_document_tokens\":2147483648"), CODE_job_field_invalid, "options.max_document_tokens: "},
    {"tokens_2_53", OPT("\"max_document_tokens\":9007199254740993"), CODE_job_field_invalid, "options.max_document_"},
    {"tokens_15", OPT("\"max_document_tokens\":15"), CODE_job_field_invalid, "options.max_document_tokens: want"},
    {"abstain_number", OPT("\"abstain\":0.5"), CODE_job_field_invalid, "options.abstain: want an object, got 0.5"},
    {"abstain_empty", OPT("\"abstain\":{}"), CODE_job_field_invalid, "options.abstain.below: missing"},
    {"abstain_label", OPT("\"abstain\":{\"below\":0.5,\"label\":\"\"}"), CODE_job_field_invalid,
     "options.abstain.label: want 1 to 100 bytes"},
    {"none_label_taken", OPT("\"none_label\":\"b \""), CODE_labels_invalid, "labels[1] and options.none_label: both"},
    {"long_documents", OPT("\"long_documents\":\"cut\""), CODE_job_field_invalid,
     "options.long_documents: want \"truncate\" or \"chunk\", got \"cut\""},
    {"calibrate", OPT("\"calibrate\":1"), CODE_job_field_invalid, "options.calibrate: want true or false, got 1"},
    {"explain", OPT("\"explain\":true"), CODE_job_field_invalid, "options.explain: true comes in a later version"},
    {"ocr_unknown", OPT("\"ocr\":\"often\""), CODE_job_field_invalid,
     "options.ocr: want \"auto\", \"always\" or \"never\", got \"often\""},
    {"ocr_languages_word", OPT("\"ocr_languages\":\"eng\""), CODE_job_field_invalid,
     "options.ocr_languages: want an array, got \"eng\""},
    {"ocr_languages_none", OPT("\"ocr_languages\":[]"), CODE_job_field_invalid,
     "options.ocr_languages: want 1 to 8, got 0"},
    {"ocr_languages_switch", OPT("\"ocr_languages\":[\"eng\",\"-c\"]"), CODE_job_field_invalid,
     "options.ocr_languages[1]: want a name such as \"eng\", got \"-c\""},
    {"ocr_languages_path", OPT("\"ocr_languages\":[\"../eng\"]"), CODE_job_field_invalid,
     "options.ocr_languages[0]: want"},
    {"ocr_languages_number", OPT("\"ocr_languages\":[1]"), CODE_job_field_invalid, "options.ocr_languages[0]: want"},
    {"ocr_languages_nul", OPT("\"ocr_languages\":[\"e\\u0000\"]"), CODE_job_field_invalid, "options.ocr_languages[0]"},
    {"ocr_languages_of_a_document", DOC("{\"text\":\"x\",\"ocr_languages\":[\"\"]}"), CODE_job_field_invalid,
     "documents[0].ocr_languages[0]: want a name such as \"eng\", got \"\""},
    {"ocr_max_pages", OPT("\"ocr_max_pages\":0"), CODE_job_field_invalid, "options.ocr_max_pages: want"},

    {"questions", IN("\"questions\":[]"), CODE_job_field_invalid, "questions: comes in a later version"},
    {"output_without_url", IN("\"output\":{}"), CODE_job_field_invalid, "output.url: missing"},
    {"output_unknown_key", IN("\"output\":{\"url\":\"u\",\"method\":\"POST\"}"), CODE_job_field_unknown,
     "output.method: unknown key"},
    {"output_format", IN("\"output\":{\"url\":\"u\",\"format\":\"csv\"}"), CODE_job_field_invalid,
     "output.format: want \"jsonl\", got \"csv\""},
    {"output_compression", IN("\"output\":{\"url\":\"u\",\"compression\":\"zip\"}"), CODE_job_field_invalid,
     "output.compression: want \"none\", \"gzip\" or \"zstd\", got \"zip\""},
    {"documents_url", "{" LABELS ",\"documents_url\":5}", CODE_job_field_invalid, "documents_url: want a string"},
    {"documents_url_and_documents", IN("\"documents_url\":\"https://x\""), CODE_job_field_invalid,
     "documents and documents_url: want only one"},
    {"prompt", "{\"prompt\":\"hello\"}", CODE_job_field_invalid, "prompt: comes in a later version"},
    {"metadata", IN("\"metadata\":[]"), CODE_job_field_invalid, "metadata: want an object"},
    {"instructions", IN("\"instructions\":5"), CODE_job_field_invalid, "instructions: want a string, got 5"},
    {"example_label", IN("\"examples\":[{\"text\":\"t\",\"label\":\"c\"}]"), CODE_job_field_invalid,
     "examples[0].label: \"c\" is none of the labels"},
    {"example_labels", IN("\"examples\":[{\"text\":\"t\",\"labels\":[\"a\",\"b\"]}]"), CODE_job_field_invalid,
     "examples[0].labels: want 1 to 1 without multi_label, got 2"},
    {"example_both", IN("\"examples\":[{\"text\":\"t\",\"label\":\"a\",\"labels\":[\"a\"]}]"), CODE_job_field_invalid,
     "examples[0]: want labels or label, got both"},
    {"example_none", IN("\"examples\":[{\"text\":\"t\"}]"), CODE_job_field_invalid,
     "examples[0]: want labels or label"},
    {"example_empty", IN("\"examples\":[{\"text\":\" \",\"label\":\"a\"}]"), CODE_job_field_invalid,
     "examples[0].text: empty"},
};

static void what_is_wrong_is_said_with_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct job_input job = {0};
        struct error err = {0};
        enum status st = parse_input(&job, refused[i].input, &err);
        const char *want = refused[i].message ? refused[i].message : "";
        if (st != DOCKET_BAD_INPUT || err.code != refused[i].code || strncmp(err.message, want, strlen(want)) != 0)
            fail_msg("%s: %s %s: %s", refused[i].name, status_name(st), error_code_name(err.code), err.message);
        assert_null(job.tree);
    }
}

static void an_envelope_without_input_is_refused(void **state)
{
    static const char *const jobs[] = {"{\"id\":\"a\"}", "{\"Input\":{}}", "[]", "\"input\""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
        struct job_input job = {0};
        struct error err = {0};
        assert_int_equal(parse(&job, jobs[i], &err), DOCKET_BAD_INPUT);
        assert_int_equal(err.code, CODE_job_field_invalid);
    }
}

static const char everything[] =
    "{\"task\":\"classify\",\"labels\":[{\"name\":\"invoice\",\"description\":\"asks for payment\",\"threshold\":0.6},"
    "\"Invoice\",\"inv\"],\"multi_label\":true,\"instructions\":\"Statements are\\u0000 never invoices.\","
    "\"examples\":[{\"text\":\"Total\",\"labels\":[\"inv\",\"invoice\"]},{\"text\":\"t\",\"label\":\"other\"}],"
    "\"documents\":[{\"custom_id\":\"a-17\",\"text\":\"x\\u0000y\\u0000\"},{\"id\":\"b\",\"content_base64\":\"eA==\","
    "\"filename\":\"scan.pdf\"},{\"path\":\"inbox/letter.txt\"},{\"id\":\"two\",\"text\":\"a\",\"path\":\"b\"},"
    "{\"id\":\"none\"},{\"text\":\"\",\"path\":null}],"
    "\"options\":{\"top_k\":3,\"threshold\":0.25,\"abstain\":{\"below\":0.4,\"label\":\"needs_review\"},"
    "\"none_label\":\"other\",\"max_document_tokens\":4096,\"long_documents\":\"chunk\",\"ocr\":\"always\",\"ocr_max_"
    "pages\":7,"
    "\"calibrate\":false,\"explain\":false,\"return_text\":true,\"refresh_worker\":true,\"ocr_languages\":[\"eng\","
    "\"chi_sim\"]},"
    "\"output\":null,\"metadata\":{\"tenant\":\"ac\\u0000me\",\"\":{\"deep\":[1,2]}}}";

static void everything_of_the_schema_is_read(void **state)
{
    struct job_input job = {0};
    struct error err = {0};
    (void)state;
    if (parse_input(&job, everything, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(job.n_labels, 4);
    assert_string_equal(job.labels[0].description, "asks for payment");
    assert_true(job.labels[0].threshold == 0.6 && job.labels[1].threshold == 0.25);
    assert_string_equal(job.labels[3].name, "other");
    assert_ptr_equal(job.labels[3].name, job.options.none_label);
    assert_true(job.multi_label && job.has_metadata);
    assert_string_equal(job.instructions, "Statements are never invoices.");
    assert_int_equal(job.n_examples, 2);
    assert_int_equal(job.examples[0].n_labels, 2);
    assert_string_equal(job.examples[0].labels[1], "invoice");
    assert_string_equal(job.examples[1].labels[0], "other");

    assert_int_equal(job.n_documents, 6);
    const struct document_input *d = job.documents;
    assert_true(d[0].custom_id && d[0].kind == SOURCE_TEXT && d[0].content_length == 2 && d[0].nul_dropped == 2);
    assert_string_equal(d[0].content, "xy");
    assert_string_equal(d[0].id, "a-17");
    assert_true(!d[1].custom_id && d[1].kind == SOURCE_BASE64);
    assert_string_equal(d[1].filename, "scan.pdf");
    assert_string_equal(d[2].id, "doc-3");
    assert_true(d[2].kind == SOURCE_PATH);
    assert_int_equal(d[3].error.code, CODE_document_source_invalid);
    assert_string_equal(d[3].error.message,
                        "documents[3]: want exactly one of text, url, content_base64 and path, got text and path");
    assert_int_equal(d[4].error.code, CODE_document_source_invalid);
    assert_true(d[5].kind == SOURCE_TEXT && d[5].content_length == 0);

    assert_int_equal(job.options.top_k, 3);
    assert_true(job.options.has_abstain && job.options.abstain_below == 0.4);
    assert_string_equal(job.options.abstain_label, "needs_review");
    assert_int_equal(job.options.max_document_tokens, 4096);
    assert_true(job.options.long_documents == LONG_CHUNK && !job.options.calibrate);
    assert_true(job.options.return_text && job.options.refresh_worker);
    assert_string_equal(job.options.ocr_languages, "eng+chi_sim");
    job_input_free(&job);
    job_input_free(&job);
}

static void the_short_shapes_are_read(void **state)
{
    static const struct {
        const char *input;
        size_t n;
        const char *first;
        bool multi_label;
    } shapes[] = {
        {"{" LABELS ",\"text\":\"hello\"}", 1, "hello", false},
        {"{" LABELS ",\"document\":\"hello\"}", 1, "hello", false},
        {"{" LABELS ",\"document\":{\"id\":\"doc-9\",\"text\":\"hello\"},\"multi_label\":true}", 1, "hello", true},
        {"{" LABELS ",\"inputs\":[\"hello\",\"b\\u0000\"]}", 2, "hello", false},
        {"{\"inputs\":\"hello\",\"parameters\":{\"candidate_labels\":\" a , b\",\"multi_label\":true}}", 1, "hello",
         true},
        {"{\"inputs\":[\"hello\"],\"parameters\":{\"candidate_labels\":[\"a\",\"b\"]}}", 1, "hello", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct job_input job = {0};
        struct error err = {0};
        if (parse_input(&job, shapes[i].input, &err) != DOCKET_OK) fail_msg("%zu: %s", i, err.message);
        assert_int_equal(job.n_documents, shapes[i].n);
        assert_string_equal(job.documents[0].content, shapes[i].first);
        assert_int_equal(job.multi_label, shapes[i].multi_label);
        assert_string_equal(job.labels[0].name, "a");
        assert_string_equal(job.labels[1].name, "b");
        assert_true(job.options.calibrate && job.options.threshold == 0.5 && job.options.top_k == 0);
        job_input_free(&job);
    }
}

static void the_digest_is_of_the_inputs_own_bytes(void **state)
{
    static const char input[] = "{ \"text\" : \"}]\\\"\" ,\"labels\":[\"a\", \"b\"] }";
    static const char *const jobs[] = {"{\"input\":%s}",
                                       "{\"id\":\"x\",\"a\":[{\"b\":\"}\"}], \"n\":1 ,\"input\" : %s , \"z\":2}",
                                       " {\"\\u0069nput\":%s,\"x\":\"input\"}\n"};
    char want[SHA256_HEX_BYTES];
    (void)state;
    sha256_hex(input, strlen(input), want);
    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
        struct job_input job = {0};
        struct error err = {0};
        const char *at = strstr(jobs[i], "%s");
        char *text = str_format("%.*s%s%s", (int)(at - jobs[i]), jobs[i], input, at + 2);
        if (parse(&job, text, &err) != DOCKET_OK) fail_msg("%zu: %s", i, err.message);
        assert_string_equal(job.digest, want);
        job_input_free(&job);
        mem_free(text);
    }
}

static void parse_list(size_t n_labels, size_t n_documents, size_t instructions, struct job_input *job, enum status *st,
                       struct error *err)
{
    struct buffer b = {0};
    buffer_append_str(&b, "{\"input\":{\"labels\":[");
    for (size_t i = 0; i < n_labels; i++) buffer_printf(&b, "%s\"l%zu\"", i ? "," : "", i);
    buffer_append_str(&b, "],\"documents\":[");
    for (size_t i = 0; i < n_documents; i++) buffer_append_str(&b, i ? ",{\"text\":\"\"}" : "{\"text\":\"\"}");
    buffer_append_str(&b, "],\"options\":{\"none_label\":\"none\"},\"instructions\":\"");
    for (size_t i = 0; i < instructions; i++) buffer_append_char(&b, 'i');
    buffer_append_str(&b, "\"}}");
    *st = job_input_parse(job, b.data, b.length, err);
    buffer_free(&b);
}

static void limits_hold_on_both_sides(void **state)
{
    static const struct {
        size_t n_labels, n_documents, instructions;
        enum error_code code;
        const char *message;
    } cases[] = {
        {256, 10000, 100000, CODE_NONE, ""},
        {257, 1, 0, CODE_labels_invalid, "labels: want 2 to 256, got 257"},
        {2, 10001, 0, CODE_job_field_invalid, "documents: want 1 to 10000, got 10001"},
        {2, 1, 1000000, CODE_job_field_invalid, "instructions: want at most 100000 bytes, got 1000000"},
        {2, 1, 100001, CODE_job_field_invalid, "instructions: want at most 100000 bytes, got 100001"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct job_input job = {0};
        struct error err = {0};
        enum status st;
        parse_list(cases[i].n_labels, cases[i].n_documents, cases[i].instructions, &job, &st, &err);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.message, cases[i].message);
        if (st == DOCKET_OK) {
            assert_int_equal(job.n_labels, cases[i].n_labels + 1);
            assert_string_equal(job.documents[9999].id, "doc-10000");
        }
        job_input_free(&job);
    }
}

static void any_allocation_may_fail(void **state)
{
    static const char *const inputs[] = {everything,
                                         "{\"inputs\":[\"a\",\"b\"],\"parameters\":{\"candidate_labels\":\"a, b\"}}"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inputs); i++) {
        char *text = job_of(inputs[i]);
        for (size_t n = 1;; n++) {
            struct job_input job = {0};
            struct error err = {0};
            mem_fail_at(n, n % 2 == 0);
            enum status st = parse(&job, text, &err);
            size_t used = mem_count();
            mem_fail_at(0, false);
            if (st == DOCKET_OK) assert_true(used < n);
            if (st != DOCKET_OK) {
                assert_int_equal(st, DOCKET_NO_MEMORY);
                assert_null(job.tree);
            }
            job_input_free(&job);
            if (st == DOCKET_OK) break;
        }
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said_with_its_path),
        cmocka_unit_test(an_envelope_without_input_is_refused),
        cmocka_unit_test(everything_of_the_schema_is_read),
        cmocka_unit_test(the_short_shapes_are_read),
        cmocka_unit_test(the_digest_is_of_the_inputs_own_bytes),
        cmocka_unit_test(limits_hold_on_both_sides),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
