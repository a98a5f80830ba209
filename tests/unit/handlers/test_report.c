/* The job's output key by key, its money, what is refused before it leaves, and the records of finished documents. */
#include "handlers/report.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENTS                                                                                                      \
    "\"documents\":[{\"custom_id\":\"a-17\",\"text\":\"x\"},{\"id\":\"b\",\"text\":\"y\"},{\"text\":\"z\"}]"
#define JOB(more) "{\"input\":{\"labels\":[\"invoice\",\"receipt\",\"contract\"]," DOCUMENTS more "}}"
#define SHA       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Three documents of a job: two answered, the second failed. */
struct scene {
    struct job_input input;
    struct outcome outcomes[3];
    struct report report;
};

static void set_outcome(struct outcome *o, const char *id, bool custom_id, size_t index, double work_seconds)
{
    o->document.id = str_dup(id);
    o->custom_id = custom_id;
    o->input_index = index;
    strcpy(o->document.media_type, "text/plain");
    o->document.detected_by = "given";
    strcpy(o->document.sha256, SHA);
    o->document.bytes = 1310;
    o->document.characters = 1204;
    o->document.text = str_dup("text");
    o->document.text_length = 4;
    o->numbers = (struct outcome_numbers){.input_tokens = 402,
                                          .cached_tokens = 118,
                                          .tokenize_seconds = 0.0004,
                                          .wait_seconds = 0.002,
                                          .inference_seconds = 0.031,
                                          .work_seconds = work_seconds};
}

static void set_scores(struct outcome *o, double a, double b, double c)
{
    const double p[3] = {a, b, c};
    o->probabilities = mem_dup(p, sizeof(p));
}

static void scene_open(struct scene *s, const char *job)
{
    struct error err = {0};
    *s = (struct scene){0};
    if (job_input_parse(&s->input, job, strlen(job), &err) != DOCKET_OK) fail_msg("%s", err.message);
    set_outcome(&s->outcomes[0], "a-17", true, 0, 0.03);
    set_outcome(&s->outcomes[1], "b", false, 1, 0.007);
    set_outcome(&s->outcomes[2], "doc-3", false, 2, 0.11);
    set_scores(&s->outcomes[0], 0.94, 0.02, 0.04);
    fail(&s->outcomes[1].document.error, DOCKET_BAD_INPUT, CODE_document_encrypted, "scan.pdf needs a password");
    s->outcomes[1].numbers.input_tokens = s->outcomes[1].numbers.cached_tokens = 0;
    set_scores(&s->outcomes[2], 0.1, 0.5, 0.4);
    s->report = (struct report){.input = &s->input,
                                .outcomes = s->outcomes,
                                .n_outcomes = 3,
                                .fingerprint = "dk1-5f0c",
                                .model_name = "m",
                                .revision = NULL,
                                .quantization = "nf4",
                                .compute_dtype = "float32",
                                .calibrated = true,
                                .queue_seconds = -1,
                                .execution_seconds = 0.2,
                                .inference_seconds = 0.1,
                                .billed_seconds = 0.214,
                                .price = {true, 0.00155, "table:NVIDIA H200:2026-06-08"},
                                .device_name = "a processor",
                                .memory_total = 10,
                                .memory_used = 4,
                                .memory_free = 6,
                                .memory_peak = 5,
                                .layers_total = 4,
                                .worker_id = "w",
                                .version = "v"};
}

static void scene_close(struct scene *s)
{
    for (size_t i = 0; i < 3; i++) outcome_free(&s->outcomes[i]);
    job_input_free(&s->input);
}

/* The output, parsed by the strict gate. */
static cJSON *output_of(struct scene *s)
{
    struct buffer text = {0};
    struct error err = {0};
    cJSON *tree = NULL;
    if (report_write(&text, &s->report, &err) != DOCKET_OK) fail_msg("%s", err.message);
    if (json_parse(&tree, text.data, text.length, &(struct json_limits){0}, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    buffer_free(&text);
    return tree;
}

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!value) fail_msg("%s: missing", key);
    return value;
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *value = get(object, key);
    if (!cJSON_IsNumber(value)) fail_msg("%s: no number", key);
    return value->valuedouble;
}

static const cJSON *result(const cJSON *output, int i)
{
    return cJSON_GetArrayItem(get(output, "results"), i);
}

/* The keys one after the other, as "a b c". */
static void check_keys(const cJSON *object, const char *want)
{
    struct buffer keys = {0};
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
        buffer_printf(&keys, "%s%s", item->prev != object->child->prev ? " " : "", item->string);
    assert_string_equal(keys.data, want);
    buffer_free(&keys);
}

static void keys_stand_in_the_order_of_the_schema(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    cJSON *output = output_of(&s);
    const cJSON *ok = result(output, 0), *failed = result(output, 1);
    check_keys(output, "object status fingerprint results summary model usage timing_ms gpu cost worker");
    check_keys(ok, "index custom_id status label confidence margin abstained scores document warnings usage timing_ms "
                   "cost_usd");
    check_keys(cJSON_GetArrayItem(get(ok, "scores"), 0), "label score");
    check_keys(get(ok, "document"), "filename media_type detected_by bytes pages pages_read characters language ocr "
                                    "truncated tokens_dropped sha256");
    check_keys(get(ok, "usage"), "input_tokens input_tokens_details output_tokens total_tokens");
    check_keys(get(ok, "timing_ms"), "fetch extract ocr tokenize wait inference total");
    check_keys(failed, "index id status error cost_usd");
    check_keys(get(failed, "error"), "code message stage param page retryable");
    check_keys(get(output, "summary"), "documents ok failed abstained labels errors");
    check_keys(get(output, "model"), "name revision quantization compute_dtype calibration");
    check_keys(get(output, "usage"), "input_tokens input_tokens_details output_tokens total_tokens");
    check_keys(get(output, "timing_ms"), "queue cold_start fetch extract ocr inference execution");
    check_keys(get(output, "gpu"), "name memory_total_bytes memory_used_bytes memory_free_bytes memory_peak_bytes "
                                   "driver_version ecc_errors energy_joules utilization "
                                   "layers_on_gpu layers_total");
    check_keys(get(output, "cost"), "currency price_per_second price_source compute_usd cold_start_usd total_usd "
                                    "per_document_usd excludes");
    check_keys(get(output, "worker"), "id version");
    cJSON_Delete(output);
    scene_close(&s);
}

static void answers_and_sums_are_those_of_the_outcomes(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    cJSON *output = output_of(&s);
    const cJSON *first = result(output, 0), *summary = get(output, "summary"), *error = get(result(output, 1), "error");
    assert_string_equal(get(output, "status")->valuestring, "completed_with_errors");
    assert_string_equal(get(first, "custom_id")->valuestring, "a-17");
    assert_string_equal(get(first, "label")->valuestring, "invoice");
    assert_true(number(first, "confidence") == 0.94);
    assert_true(fabs(number(first, "margin") - 0.90) < 1e-9);
    assert_string_equal(get(cJSON_GetArrayItem(get(first, "scores"), 1), "label")->valuestring, "contract");
    assert_string_equal(get(error, "code")->valuestring, "document_encrypted");
    assert_string_equal(get(error, "stage")->valuestring, "extract");
    assert_string_equal(get(error, "param")->valuestring, "documents[1]");
    assert_true(number(summary, "documents") == 3 && number(summary, "ok") == 2 && number(summary, "failed") == 1);
    check_keys(get(summary, "labels"), "invoice receipt");
    check_keys(get(summary, "errors"), "document_encrypted");
    assert_true(number(get(output, "usage"), "input_tokens") == 804);
    assert_true(number(get(get(output, "usage"), "input_tokens_details"), "cached_tokens") == 236);
    assert_true(cJSON_IsNull(get(get(output, "timing_ms"), "queue"))); /* not measured */
    assert_true(cJSON_IsNull(get(get(output, "model"), "revision")));
    cJSON_Delete(output);
    scene_close(&s);
}

static void an_error_names_the_input_that_an_archive_member_came_from(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    s.outcomes[1].input_index = 0; /* the second member of the first document */
    cJSON *output = output_of(&s);
    assert_true(number(result(output, 1), "index") == 1);
    assert_string_equal(get(get(result(output, 1), "error"), "param")->valuestring, "documents[0]");
    cJSON_Delete(output);
    scene_close(&s);
}

/* Every document weighs its work; without any, all weigh the same. */
static void costs_of_all_documents_add_up_to_the_job(void **state)
{
    static const double works[][3] = {{0.03, 0.007, 0.11}, {0, 0, 0}, {0, 5, 0}, {1e-12, 1e3, 1e-3}};
    (void)state;
    for (size_t k = 0; k < ARRAY_LENGTH(works); k++) {
        struct scene s;
        struct report_totals totals;
        double sum = 0, work = works[k][0] + works[k][1] + works[k][2];
        scene_open(&s, JOB(""));
        s.report.cold_start_seconds = 2;
        for (size_t i = 0; i < 3; i++) s.outcomes[i].numbers.work_seconds = works[k][i];
        cJSON *output = output_of(&s);
        const cJSON *cost = get(output, "cost");
        double compute = number(cost, "compute_usd");
        for (int i = 0; i < 3; i++) {
            double one = number(result(output, i), "cost_usd");
            double share = work > 0 ? works[k][i] / work : 1.0 / 3;
            assert_true(fabs(one - compute * share) <= 1e-12);
            sum += one;
        }
        assert_true(fabs(compute - 0.214 * 0.00155) <= 1e-15);
        assert_true(fabs(sum - compute) <= 1e-12);
        assert_true(fabs(number(cost, "cold_start_usd") - 2 * 0.00155) <= 1e-15); /* apart from the documents */
        assert_true(fabs(number(cost, "total_usd") - compute - 2 * 0.00155) <= 1e-15);
        assert_true(fabs(number(cost, "per_document_usd") - compute / 3) <= 1e-15);
        assert_string_equal(get(cost, "price_source")->valuestring, "table:NVIDIA H200:2026-06-08");
        report_sum(&totals, &s.report);
        assert_true(totals.compute_usd == compute && totals.ok == 2 && totals.failed == 1);
        cJSON_Delete(output);
        scene_close(&s);
    }
}

static void an_unknown_price_is_null_and_never_0(void **state)
{
    static const char *const keys[] = {"price_per_second", "price_source", "compute_usd",
                                       "cold_start_usd",   "total_usd",    "per_document_usd"};
    struct scene s;
    struct report_totals totals;
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        scene_open(&s, JOB(""));
        s.report.price.known = false;
        s.report.cold_start_seconds = cold;
        cJSON *output = output_of(&s);
        for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
            if (!cJSON_IsNull(get(get(output, "cost"), keys[i]))) fail_msg("%s is not null", keys[i]);
        for (int i = 0; i < 3; i++) assert_true(cJSON_IsNull(get(result(output, i), "cost_usd")));
        report_sum(&totals, &s.report);
        assert_true(isnan(totals.compute_usd));
        cJSON_Delete(output);
        scene_close(&s);
    }
    scene_open(&s, JOB("")); /* a price of 0 is known */
    s.report.price.per_second = 0;
    cJSON *output = output_of(&s);
    assert_true(number(get(output, "cost"), "total_usd") == 0);
    cJSON_Delete(output);
    scene_close(&s);
}

static void compact_leaves_out_scores_and_facts_and_says_so(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    s.report.compact = true;
    cJSON *output = output_of(&s);
    check_keys(result(output, 0), "index custom_id status label confidence margin abstained cost_usd");
    check_keys(result(output, 1), "index id status error cost_usd");
    check_keys(output, "object status fingerprint results summary model usage timing_ms gpu cost worker warnings");
    const char *warning = cJSON_GetArrayItem(get(output, "warnings"), 0)->valuestring;
    assert_memory_equal(warning, "result_compacted: ", 18);
    cJSON_Delete(output);
    scene_close(&s);
}

static void many_labels_have_their_own_key(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(",\"multi_label\":true,\"options\":{\"threshold\":0.4}"));
    s.outcomes[0].probabilities[1] = 0.93; /* they need not sum to 1 */
    cJSON *output = output_of(&s);
    const cJSON *first = result(output, 0);
    check_keys(first, "index custom_id status label labels confidence margin abstained scores document warnings usage "
                      "timing_ms cost_usd");
    assert_true(cJSON_IsNull(get(first, "label")));
    assert_int_equal(cJSON_GetArraySize(get(first, "labels")), 2);
    assert_string_equal(cJSON_GetArrayItem(get(first, "labels"), 0)->valuestring, "invoice");
    assert_string_equal(cJSON_GetArrayItem(get(first, "labels"), 1)->valuestring, "receipt");
    assert_true(number(get(get(output, "summary"), "labels"), "receipt") == 2);
    cJSON_Delete(output);
    scene_close(&s);
}

static void options_shape_the_answer(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s,
               JOB(",\"options\":{\"top_k\":2,\"return_text\":true,\"abstain\":{\"below\":0.6,\"label\":\"look\"}}"));
    s.outcomes[0].document.hidden_characters = 3;
    s.outcomes[0].document.unseen_characters = 4;
    s.outcomes[0].document.layer_characters = 5;
    s.outcomes[0].document.beyond_characters = 6;
    s.outcomes[0].document.unseen_left = true;
    s.outcomes[0].numbers.tokens_dropped = 7;
    s.outcomes[0].chunks = mem_zalloc(2, sizeof(struct chunk_evidence));
    s.outcomes[0].chunks[1] = (struct chunk_evidence){40, 2, 0.6};
    s.outcomes[0].n_chunks = 2;
    cJSON *output = output_of(&s);
    const cJSON *first = result(output, 0), *third = result(output, 2);
    assert_int_equal(cJSON_GetArraySize(get(first, "scores")), 2);
    assert_string_equal(get(first, "text")->valuestring, "text");
    assert_string_equal(get(third, "label")->valuestring, "look");
    assert_true(cJSON_IsTrue(get(third, "abstained")));
    assert_true(cJSON_IsFalse(get(first, "abstained")));
    assert_true(number(get(output, "summary"), "abstained") == 1);
    check_keys(get(get(output, "summary"), "labels"), "invoice");
    assert_string_equal(cJSON_GetArrayItem(get(first, "warnings"), 0)->valuestring, "hidden_characters_removed: 3");
    static const char *const of_pages[] = {"hidden_text: 4", "hidden_text_of_an_ocr_layer: 5",
                                           "hidden_text_beyond_the_page: 6", "hidden_text_not_looked_for: 1"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(cJSON_GetArrayItem(get(first, "warnings"), i + 1)->valuestring, of_pages[i]);
    assert_true(cJSON_IsTrue(get(get(first, "document"), "truncated")));
    const cJSON *chunk = cJSON_GetArrayItem(get(first, "chunks"), 1);
    check_keys(chunk, "index tokens label confidence");
    assert_string_equal(get(chunk, "label")->valuestring, "contract");
    cJSON_Delete(output);
    scene_close(&s);
}

static void scores_that_cannot_be_are_never_written(void **state)
{
    static const struct {
        const char *name, *more;
        double scores[3];
        enum status want;
    } cases[] = {
        {"nan", "", {NAN, 0.5, 0.5}, DOCKET_INTERNAL},
        {"nan_of_many", ",\"multi_label\":true", {0.5, NAN, 0.5}, DOCKET_INTERNAL},
        {"infinite", "", {INFINITY, 0, 0}, DOCKET_INTERNAL},
        {"negative", "", {-0.1, 0.6, 0.5}, DOCKET_INTERNAL},
        {"above_1", "", {1.1, 0, 0}, DOCKET_INTERNAL},
        {"above_1_of_many", ",\"multi_label\":true", {1.1, 0, 0}, DOCKET_INTERNAL},
        {"sum_below_1", "", {0.3, 0.3, 0.3}, DOCKET_INTERNAL},
        {"sum_above_1", "", {0.5, 0.5, 0.0001}, DOCKET_INTERNAL},
        {"all_zero", "", {0, 0, 0}, DOCKET_INTERNAL},
        {"sum_1_to_rounding", "", {0.5, 0.5, 0.000001}, DOCKET_OK},
        {"certain", "", {0, 1, 0}, DOCKET_OK},
        {"many_sum_to_anything", ",\"multi_label\":true", {1, 1, 1}, DOCKET_OK},
        {"many_all_zero", ",\"multi_label\":true", {0, 0, 0}, DOCKET_OK},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct scene s;
        struct buffer text = {0};
        struct error err = {0};
        char job[512];
        snprintf(job, sizeof(job), JOB("%s"), cases[i].more);
        scene_open(&s, job);
        memcpy(s.outcomes[2].probabilities, cases[i].scores, sizeof(cases[i].scores));
        enum status st = report_write(&text, &s.report, &err);
        if (st != cases[i].want) fail_msg("%s: %s %s", cases[i].name, status_name(st), err.message);
        if (st != DOCKET_OK) assert_int_equal(err.code, CODE_internal_error);
        buffer_free(&text);
        scene_close(&s);
    }
    struct scene s;
    struct buffer text = {0};
    struct error err = {0};
    scene_open(&s, JOB(""));
    mem_free(s.outcomes[0].probabilities);
    s.outcomes[0].probabilities = NULL; /* neither scores nor an error */
    assert_int_equal(report_write(&text, &s.report, &err), DOCKET_INTERNAL);
    buffer_free(&text);
    scene_close(&s);
}

static enum status write_once(void *context, struct error *err)
{
    struct buffer text = {0};
    enum status st = report_write(&text, context, err);
    if (st == DOCKET_OK) st = buffer_check(&text, "the result", err);
    buffer_free(&text);
    return st;
}

static void any_failing_allocation_is_no_memory(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    assert_true(torture(write_once, &s.report) > 2);
    scene_close(&s);
}

/* Records */

static void set_chunks(struct outcome *o)
{
    o->n_chunks = 2;
    o->chunks = mem_zalloc(2, sizeof(*o->chunks));
    o->chunks[0] = (struct chunk_evidence){40, 2, 0.6};
    o->chunks[1] = (struct chunk_evidence){31, 0, 0.8};
}

/* The document as it is read again: id and hash are there, nothing else. */
static struct outcome read_again(const struct outcome *o)
{
    struct outcome again = {.document.id = str_dup(o->document.id)};
    strcpy(again.document.sha256, o->document.sha256);
    return again;
}

static void check_equal(const struct outcome *got, const struct outcome *want, size_t n_labels)
{
    assert_true(got->resumed);
    assert_memory_equal(&got->numbers, &want->numbers, sizeof(got->numbers));
    assert_int_equal(got->document.error.code, want->document.error.code);
    assert_int_equal(got->document.error.status, want->document.error.status);
    assert_string_equal(got->document.error.message, want->document.error.message);
    assert_int_equal(got->n_chunks, want->n_chunks);
    if (want->document.error.code != CODE_NONE) return;
    assert_memory_equal(got->probabilities, want->probabilities, n_labels * sizeof(double));
    for (size_t i = 0; i < want->n_chunks; i++) {
        assert_int_equal(got->chunks[i].n_tokens, want->chunks[i].n_tokens);
        assert_int_equal(got->chunks[i].label, want->chunks[i].label);
        assert_true(got->chunks[i].confidence == want->chunks[i].confidence);
    }
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    set_chunks(&s.outcomes[2]);
    for (size_t i = 0; i < 3; i++) {
        struct buffer record = {0};
        struct error err = {0};
        struct outcome again = read_again(&s.outcomes[i]);
        assert_int_equal(outcome_pack(&record, &s.outcomes[i], 3, &err), DOCKET_OK);
        assert_true(outcome_unpack(&again, record.data, record.length, 3));
        check_equal(&again, &s.outcomes[i], 3);
        outcome_free(&again);
        buffer_free(&record);
    }
    scene_close(&s);
}

static void a_record_of_another_document_is_refused(void **state)
{
    struct scene s;
    struct buffer record = {0};
    struct error err = {0};
    (void)state;
    scene_open(&s, JOB(""));
    assert_int_equal(outcome_pack(&record, &s.outcomes[0], 3, &err), DOCKET_OK);
    for (int i = 0; i < 4; i++) {
        struct outcome again = read_again(&s.outcomes[0]);
        if (i == 1) again.document.id[0] = 'b';
        if (i == 2) again.document.sha256[63] = '0';
        bool used = outcome_unpack(&again, record.data, record.length, i == 3 ? 4 : 3);
        assert_int_equal(used, i == 0);
        if (!used) assert_true(!again.probabilities && !again.chunks && !again.resumed);
        outcome_free(&again);
    }
    buffer_free(&record);
    scene_close(&s);
}

/* Every byte changed in two ways, and every length that is too short or too long. The copy ends where the record does. */
static void a_damaged_record_is_refused(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, JOB(""));
    set_chunks(&s.outcomes[2]);
    for (size_t i = 0; i < 3; i++) {
        struct buffer record = {0};
        struct error err = {0};
        assert_int_equal(outcome_pack(&record, &s.outcomes[i], 3, &err), DOCKET_OK);
        for (size_t at = 0; at < 2 * record.length; at++) {
            struct outcome again = read_again(&s.outcomes[i]);
            char *damaged = mem_dup(record.data, record.length);
            damaged[at / 2] ^= at % 2 ? 1 : 0xff;
            if (outcome_unpack(&again, damaged, record.length, 3)) fail_msg("byte %zu of record %zu", at / 2, i);
            assert_true(!again.probabilities && !again.chunks && !again.resumed);
            mem_free(damaged);
            outcome_free(&again);
        }
        for (size_t length = 0; length <= record.length + 1; length++) {
            struct outcome again = read_again(&s.outcomes[i]);
            char *cut = mem_zalloc(length + 1, 1);
            memcpy(cut, record.data, length < record.length ? length : record.length);
            assert_int_equal(outcome_unpack(&again, cut, length, 3), length == record.length);
            mem_free(cut);
            outcome_free(&again);
        }
        buffer_free(&record);
    }
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_stand_in_the_order_of_the_schema),
        cmocka_unit_test(answers_and_sums_are_those_of_the_outcomes),
        cmocka_unit_test(an_error_names_the_input_that_an_archive_member_came_from),
        cmocka_unit_test(costs_of_all_documents_add_up_to_the_job),
        cmocka_unit_test(an_unknown_price_is_null_and_never_0),
        cmocka_unit_test(compact_leaves_out_scores_and_facts_and_says_so),
        cmocka_unit_test(many_labels_have_their_own_key),
        cmocka_unit_test(options_shape_the_answer),
        cmocka_unit_test(scores_that_cannot_be_are_never_written),
        cmocka_unit_test(any_failing_allocation_is_no_memory),
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_record_of_another_document_is_refused),
        cmocka_unit_test(a_damaged_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
