/* What boxed programs read, through a real server and the programs that are installed: their pages, limits and languages, and that no failing
 * allocation on the way is lost. */
#include "handlers/documents/document.h"
#include "handlers/documents/ocr_languages.h"
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"
#include "tests/support/cmocka.h"
#include "tests/support/documents.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/documents/boxed/"

static struct buffer file_of(const char *name)
{
    struct buffer b = {0};
    struct error err = {0};
    char *path = str_format(FOLDER "%s", name);
    assert_non_null(path);
    if (file_read_all(&b, path, &err) != DOCKET_OK) fail_msg("%s", err.message);
    mem_free(path);
    return b;
}

static struct document_list read_file(const char *name, const struct document_limits *limits)
{
    struct document_list list = {0};
    struct error err = {0};
    struct buffer b = file_of(name);
    if (documents_from_bytes(&list, name, name, b.data, b.length, limits, &err) != DOCKET_OK)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(list.n, 1);
    buffer_free(&b);
    return list;
}

static bool all_installed(void)
{
    static const char *const boxes[] = {"pdftotext", "pdfinfo", "pdftoppm", "tesseract", "catdoc", "xls2csv", "unrtf"};
    for (size_t i = 0; i < ARRAY_LENGTH(boxes); i++)
        if (!box_installed(boxes[i])) return false;
    return ocr_language_state("eng", 3) == OCR_LANGUAGE_READY;
}

/* From the nth on all fail, or only the nth: the call says so and leaves nothing, or none was asked for so often. */
static void sweep_bytes(const char *name, const struct buffer *b, const struct document_limits *limits)
{
    for (size_t n = 1;; n++) {
        struct document_list list = {0};
        struct error err = {0};
        mem_fail_at(n, n % 2 == 0);
        enum status st = documents_from_bytes(&list, "c", name, b->data, b->length, limits, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        if (st == DOCKET_OK ? !done || list.n != 1 : st != DOCKET_NO_MEMORY || list.n != 0)
            fail_msg("%s, allocation %zu: status %d, %s, %zu documents, %s", name, n, (int)st, err.message, list.n,
                     list.n ? list.items[0].error.message : "");
        document_list_free(&list);
        if (done) {
            assert_true(n > 5);
            break;
        }
    }
}

static void sweep(const char *name, const struct document_limits *limits)
{
    struct buffer b = file_of(name);
    sweep_bytes(name, &b, limits);
    buffer_free(&b);
}

/* One page of a square inch; poppler finds the objects by itself. */
static const char square[] = "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n"
                             "2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
                             "3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R>> endobj\n"
                             "4 0 obj <</Length 26>>\nstream\n30 30 9 9 re f 9 9 9 9 re f\nendstream endobj\n"
                             "trailer <</Root 1 0 R>>\n";

static void any_allocation_may_fail(void **state)
{
    struct document_limits limits = {.sandbox = open_sandbox()};
    (void)state;
    if (!all_installed()) skip();
    sweep("minutes.rtf", &limits);
    sweep("minutes.doc", &limits);
    sweep("prices.xls", &limits);
    sweep("blank.png", &limits);
    limits.ocr = OCR_NEVER;
    sweep("scan.pdf", &limits);
    limits.ocr = OCR_ALWAYS;
    struct buffer pdf = {.data = (char *)(uintptr_t)square, .length = sizeof(square) - 1};
    sweep_bytes("square.pdf", &pdf, &limits);
    sandbox_close(limits.sandbox);
}

/* Of a text whose middle will be left out no more images are read than it needs. */
static void images_are_read_until_there_is_enough_text(void **state)
{
    static const char *const names[] = {"scan.pdf", "scan_two_pages.tiff"};
    struct document_limits limits = {.sandbox = open_sandbox()};
    (void)state;
    if (!all_installed()) skip();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        limits.max_characters = 100;
        struct document_list one = read_file(names[i], &limits);
        assert_int_equal(one.items[0].ocr_pages, 1);
        assert_int_equal(one.items[0].ocr_pages_left, 1);
        document_list_free(&one);
        limits.max_characters = 100000;
        struct document_list both = read_file(names[i], &limits);
        assert_int_equal(both.items[0].ocr_pages, 2);
        assert_int_equal(both.items[0].ocr_pages_left, 0);
        assert_string_equal(both.items[0].language, "en");
        document_list_free(&both);
    }
    sandbox_close(limits.sandbox);
}

static void languages_are_those_whose_data_is_there(void **state)
{
    static const struct {
        const char *languages;
        enum status want;
        const char *words;
    } cases[] = {
        {"eng", DOCKET_OK, ""},
        {"eng+eng", DOCKET_OK, ""},
        {"eng+klingon", DOCKET_NOT_FOUND, "\"klingon\" is no language"},
        {"", DOCKET_NOT_FOUND, "\"\" is no language"},
        {"eng+", DOCKET_NOT_FOUND, "\"\" is no language"},
        {"../eng", DOCKET_NOT_FOUND, "\"../eng\" is no language"},
        {"*", DOCKET_NOT_FOUND, "\"*\" is no language"},
        {"en?", DOCKET_NOT_FOUND, "installed: eng"},
    };
    char many[200];
    struct error err = {0};
    (void)state;
    if (!all_installed()) skip();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        err = (struct error){0};
        if (ocr_languages_check(cases[i].languages, &err) != cases[i].want || !strstr(err.message, cases[i].words))
            fail_msg("\"%s\": %s", cases[i].languages, err.message);
    }
    memset(many, 'a', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    assert_int_equal(ocr_languages_check(many, &err), DOCKET_NOT_FOUND);
    assert_non_null(strstr(err.message, "199 bytes, at most 127"));
}

int main(int argc, char **argv)
{
    int code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(images_are_read_until_there_is_enough_text),
        cmocka_unit_test(languages_are_those_whose_data_is_there),
    };
    if (sandbox_is_server(argc, argv, &code)) return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
