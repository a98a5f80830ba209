/* The list at documents_url: what a line may be, and that a bad one harms no other. */
#include "handlers/job_input.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char job_text[] =
    "{\"input\":{\"labels\":[\"a\",\"b\"],\"documents_url\":\"https://files.example/list\"}}";

static enum status read_list(struct job_input *job, const char *list, size_t length, struct error *err)
{
    enum status st = job_input_parse(job, job_text, strlen(job_text), err);
    return st == DOCKET_OK ? job_input_add_list(job, list, length, err) : st;
}

static void a_list_gives_a_document_for_each_line(void **state)
{
    static const char list[] =
        "\xef\xbb\xbf{\"id\":\"one\",\"url\":\"https://files.example/1\"}\r\n"
        "\n  \t\r\n"
        " {\"text\":\"two\"} \n"
        "not json\n"
        "{\"custom_id\":\"five\",\"txt\":\"x\"}\n"
        "[1]\n"
        "{\"id\":\"seven\"}\n"
        "{\"id\":\"one\",\"text\":\"again\"}\n"
        "{\"id\":\"doc-8\",\"text\":\"nine\"}\n"
        "{\"text\":\"ten\"}\n"
        "{\"id\":\"\",\"text\":\"x\"}\n"
        "{\"text\":\"a\",\"text\":\"b\"}\n"
        "{\"text\":\"t\",\"metadata\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}\n"
        "{\"path\":\"last.txt\",\"filename\":\"l.txt\"}";
    static const struct {
        const char *id;
        bool custom;
        enum document_source_kind kind;
        size_t line;
        const char *says; /* content, or the message's beginning */
    } want[] = {
        {"one", false, SOURCE_URL, 1, "https://files.example/1"},
        {"doc-2", false, SOURCE_TEXT, 4, "two"},
        {"doc-3", false, SOURCE_INVALID, 5, "documents_url line 5: "},
        {"five", true, SOURCE_INVALID, 6, "documents_url line 6: txt: unknown key; did you mean text"},
        {"doc-5", false, SOURCE_INVALID, 7, "documents_url line 7: want an object, got an array"},
        {"seven", false, SOURCE_INVALID, 8, "documents_url line 8: want exactly one of text, url, "},
        {"doc-7", false, SOURCE_INVALID, 9, "documents_url line 9: its id is that of line 1"},
        {"doc-8", false, SOURCE_TEXT, 10, "nine"},
        {"doc-9", false, SOURCE_TEXT, 11, "ten"},
        {"doc-10", false, SOURCE_INVALID, 12, "documents_url line 12: id: want 1 to 512 bytes, got 0"},
        {"doc-11", false, SOURCE_INVALID, 13, "documents_url line 13: "},
        {"doc-12", false, SOURCE_INVALID, 14, "documents_url line 14: "},
        {"doc-13", false, SOURCE_PATH, 15, "last.txt"},
    };
    struct job_input job = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(read_list(&job, list, strlen(list), &err), DOCKET_OK);
    assert_int_equal(job.n_documents, ARRAY_LENGTH(want));
    for (size_t i = 0; i < ARRAY_LENGTH(want); i++) {
        const struct document_input *d = &job.documents[i];
        const char *says = d->kind == SOURCE_INVALID ? d->error.message : d->content;
        if (strcmp(d->id, want[i].id) != 0 || d->custom_id != want[i].custom || d->kind != want[i].kind ||
            d->line != want[i].line || strncmp(says, want[i].says, strlen(want[i].says)) != 0)
            fail_msg("%zu: %s line %zu: %s", i, d->id, d->line, says);
        assert_int_equal(d->kind == SOURCE_INVALID, d->error.code == CODE_document_source_invalid);
    }
    job_input_free(&job);
}

static void an_id_that_is_made_up_takes_nobodys(void **state)
{
    static const char list[] =
        "{\"text\":\"a\"}\n{\"id\":\"doc-1\",\"text\":\"b\"}\n{\"id\":\"doc-1-2\",\"text\":\"c\"}\n";
    struct job_input job = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(read_list(&job, list, strlen(list), &err), DOCKET_OK);
    assert_string_equal(job.documents[0].id, "doc-1-3");
    assert_string_equal(job.documents[1].id, "doc-1");
    job_input_free(&job);
}

static void a_list_has_1_to_10000_documents(void **state)
{
    struct buffer list = {0};
    struct error err = {0};
    struct job_input job = {0};
    (void)state;
    for (int i = 0; i < MAX_DOCUMENTS; i++) buffer_append_str(&list, "{\"text\":\"x\"}\n\n");
    assert_int_equal(read_list(&job, list.data, list.length, &err), DOCKET_OK);
    assert_int_equal(job.n_documents, MAX_DOCUMENTS);
    job_input_free(&job);
    buffer_append_str(&list, "{}");
    assert_int_equal(read_list(&job, list.data, list.length, &err), DOCKET_BAD_INPUT);
    assert_int_equal(err.code, CODE_job_field_invalid);
    job_input_free(&job);
    assert_int_equal(read_list(&job, " \n\n", 3, &err), DOCKET_BAD_INPUT);
    assert_string_equal(err.message, "documents_url: want a list of 1 to 10000 lines, got none");
    job_input_free(&job);
    buffer_free(&list);
}

static void any_allocation_may_fail(void **state)
{
    static const char list[] = "{\"id\":\"a\",\"text\":\"x\"}\n?\n{\"id\":\"a\",\"t\":1}\n{\"url\":\"u\"}";
    (void)state;
    for (size_t n = 1;; n++) {
        struct job_input job = {0};
        struct error err = {0};
        mem_fail_at(n, n % 2 == 0);
        enum status st = read_list(&job, list, strlen(list), &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        job_input_free(&job);
        assert_true(st == DOCKET_OK ? done : st == DOCKET_NO_MEMORY);
        if (done) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_gives_a_document_for_each_line),
        cmocka_unit_test(an_id_that_is_made_up_takes_nobodys),
        cmocka_unit_test(a_list_has_1_to_10000_documents),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
