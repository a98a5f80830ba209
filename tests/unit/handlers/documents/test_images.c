/* What is found out of an image, an old office document or an RTF before a boxed program gets it. */
#include "handlers/documents/extract.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_sink.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) (literal), sizeof(literal) - 1
#define PNG(w, h)      "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" w h
#define JPEG           "\xff\xd8\xff\xe0\0\4ab"
#define SIZE(h, w)     "\xff\xc0\0\x11\x08" h w
#define LITTLE         "II*\0\x08\0\0\0"
#define ENTRY(tag, v)  tag "\1\4\0\1\0\0\0" v
#define PAGE(w, h, at) "\2\0" ENTRY("\0", w) ENTRY("\1", h) at
#define RIFF           "RIFF\0\0\0\0WEBP"

static const struct {
    const char *name, *type, *bytes;
    size_t length;
    enum error_code code;
    const char *words; /* of the message */
    uint64_t pages;
} images[] = {
    {"png", "png", BYTES(PNG("\0\0\4\0", "\0\0\2\0")), 0, NULL, 1},
    {"png_of_100_million", "png", BYTES(PNG("\0\0\x27\x10", "\0\0\x27\x10")), 0, NULL, 1},
    {"png_of_more", "png", BYTES(PNG("\0\0\x27\x10", "\0\0\x27\x11")), CODE_document_too_large, "10000 x 10001", 0},
    {"png_of_most", "png", BYTES(PNG("\xff\xff\xff\xff", "\xff\xff\xff\xff")), CODE_document_too_large, "4294967295",
     0},
    {"png_of_none", "png", BYTES(PNG("\0\0\0\0", "\0\0\0\1")), CODE_document_corrupt, "0 x 1 pixels", 0},
    {"png_cut", "png", BYTES(PNG("\0\0\4\0", "\0\0\2")), CODE_document_corrupt, "ends before its size", 0},
    {"png_without_header", "png", BYTES("\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT12345678"), CODE_document_corrupt,
     "first chunk", 0},
    {"jpeg", "jpeg", BYTES(JPEG SIZE("\1\0", "\2\0")), 0, NULL, 1},
    {"jpeg_filled", "jpeg", BYTES(JPEG "\xff\xff\xff" SIZE("\1\0", "\2\0")), 0, NULL, 1},
    {"jpeg_too_large", "jpeg", BYTES(JPEG SIZE("\xff\xff", "\xff\xff")), CODE_document_too_large, "65535 x 65535", 0},
    {"jpeg_without_size", "jpeg", BYTES(JPEG "\xff\xda\0\4ab"), CODE_document_corrupt, "ends before its size", 0},
    {"jpeg_segment_of_0", "jpeg", BYTES("\xff\xd8\xff\xe0\0\0ab"), CODE_document_corrupt, "segment of length 0", 0},
    {"jpeg_no_marker", "jpeg", BYTES("\xff\xd8\xff\xe0\0\2abcd"), CODE_document_corrupt, "no marker at byte 6", 0},
    {"jpeg_cut", "jpeg", BYTES(JPEG "\xff\xc0\0\x11\x08\1"), CODE_document_corrupt, "ends before its size", 0},
    {"tiff", "tiff", BYTES(LITTLE PAGE("\x10\0\0\0", "\x20\0\0\0", "\0\0\0\0")), 0, NULL, 1},
    {"tiff_big_end", "tiff", BYTES("MM\0*\0\0\0\x08\0\2\1\0\0\3\0\0\0\1\0\x10\0\0\1\1\0\3\0\0\0\1\0\x20\0\0\0\0\0\0"),
     0, NULL, 1},
    {"tiff_ring", "tiff", BYTES(LITTLE PAGE("\x10\0\0\0", "\x20\0\0\0", "\x08\0\0\0")), CODE_document_too_many_pages,
     "more than 200 pages", 0},
    {"tiff_too_large", "tiff", BYTES(LITTLE PAGE("\0\0\1\0", "\0\0\1\0", "\0\0\0\0")), CODE_document_too_large,
     "65536 x 65536", 0},
    {"tiff_without_pages", "tiff", BYTES("II*\0\0\0\0\0\0\0\0\0\0\0\0\0"), CODE_document_corrupt, "its first page", 0},
    {"tiff_page_beyond", "tiff", BYTES("II*\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), CODE_document_corrupt, "a page that",
     0},
    {"tiff_page_in_header", "tiff", BYTES("II*\0\4\0\0\0\0\0\0\0\0\0\0\0"), CODE_document_corrupt, "a page that", 0},
    {"tiff_many_entries", "tiff", BYTES("II*\0\x08\0\0\0\xff\xff\0\0\0\0\0\0"), CODE_document_corrupt, "a page's end",
     0},
    {"larger_tiff_cut", "tiff", BYTES("II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), CODE_document_corrupt,
     "a page that", 0},
    {"webp", "webp", BYTES(RIFF "VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\0\x10\0"), 0, NULL, 1},
    {"webp_without_loss", "webp", BYTES(RIFF "VP8L\0\0\0\0\x2f\xff\xff\xff\xff\0\0\0\0\0"), CODE_document_too_large,
     "16384 x 16384", 0},
    {"webp_canvas", "webp", BYTES(RIFF "VP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"), CODE_document_too_large,
     "16777216 x", 0},
    {"webp_animated", "webp", BYTES(RIFF "VP8X\x0a\0\0\0\2\0\0\0\1\0\0\1\0\0"), CODE_document_type_unsupported,
     "animated", 0},
    {"webp_cut", "webp", BYTES(RIFF "VP8 \0\0\0\0"), CODE_document_corrupt, "ends before its size", 0},
    {"webp_unknown", "webp", BYTES(RIFF "VP9 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\0\x10\0"), CODE_document_corrupt, "unknown",
     0},
};

static void check(extractor *extract, const char *name, const char *type, const void *bytes, size_t length,
                  enum error_code code, const char *words, uint64_t pages)
{
    struct memory_sink m;
    struct error err = {0};
    char *copy = malloc(length ? length : 1); /* its end is the end of what may be touched */
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    const struct extract_input in = {.bytes = copy, .length = length, .media_type = type};
    memory_sink_init(&m);
    enum status st = extract(&in, &m.sink, &err);
    if (err.code != code || (st == DOCKET_OK) != (code == CODE_NONE) || (words && !strstr(err.message, words)) ||
        m.facts[FACT_PAGES] != pages)
        fail_msg("%s: %s: %s, %llu pages", name, error_code_name(err.code), err.message,
                 (unsigned long long)m.facts[FACT_PAGES]);
    memory_sink_free(&m);
    free(copy);
}

static void an_images_size_and_pages_are_known_before_anything_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++) {
        char type[32];
        snprintf(type, sizeof(type), "image/%s", images[i].type);
        check(extract_image, images[i].name, type, images[i].bytes, images[i].length, images[i].code, images[i].words,
              images[i].pages);
    }
}

/* Bytes that are in no header, and headers that end anywhere. */
static void any_cut_of_an_image_ends_in_an_error_or_a_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
        for (size_t n = 0; n < images[i].length; n++) {
            struct memory_sink m;
            struct error err = {0};
            char type[32], *copy = malloc(n ? n : 1);
            assert_non_null(copy);
            memcpy(copy, images[i].bytes, n);
            snprintf(type, sizeof(type), "image/%s", images[i].type);
            const struct extract_input in = {.bytes = copy, .length = n, .media_type = type};
            memory_sink_init(&m);
            enum status st = extract_image(&in, &m.sink, &err);
            assert_true((st == DOCKET_OK) == (err.code == CODE_NONE) && m.facts[FACT_PAGES] <= 200);
            memory_sink_free(&m);
            free(copy);
        }
}

static void rtf_is_refused_where_its_groups_are_too_deep(void **state)
{
    char text[4096];
    (void)state;
    memset(text, '{', sizeof(text));
    check(extract_rtf, "500", "", text, 500, 0, NULL, 0);
    check(extract_rtf, "501", "", text, 501, CODE_document_too_complex, "byte 500", 0);
    for (size_t i = 0; i < sizeof(text); i += 2) text[i] = '\\';
    check(extract_rtf, "escaped", "", text, sizeof(text), 0, NULL, 0);
    check(extract_rtf, "closed_first", "", BYTES("}}}}{\\rtf1 x}\\"), 0, NULL, 0);
}

static void read_file(struct buffer *out, const char *path)
{
    struct error err = {0};
    if (file_read_all(out, path, &err) != DOCKET_OK) fail_msg("%s", err.message);
}

/* What changes in the file is the one bit that says so. */
static void a_password_is_seen_before_a_program_runs(void **state)
{
    struct buffer doc = {0}, xls = {0};
    (void)state;
    read_file(&doc, "tests/documents/boxed/minutes.doc");
    read_file(&xls, "tests/documents/boxed/prices.xls");
    const struct extract_input in_doc = {.bytes = doc.data, .length = doc.length},
                               in_xls = {.bytes = xls.data, .length = xls.length};
    assert_string_equal(legacy_media_type(&in_doc), "application/msword");
    assert_string_equal(legacy_media_type(&in_xls), "application/vnd.ms-excel");
    check(extract_doc, "doc", "", doc.data, doc.length, 0, NULL, 0);
    check(extract_xls, "xls", "", xls.data, xls.length, 0, NULL, 0);
    check(extract_doc, "xls as doc", "", xls.data, xls.length, CODE_document_corrupt, "Word document", 0);
    check(extract_xls, "doc as xls", "", doc.data, doc.length, CODE_document_corrupt, "workbook", 0);
    check(extract_doc, "cut", "", doc.data, 600, CODE_document_corrupt, NULL, 0);
    check(extract_xls, "cut", "", xls.data, 600, CODE_document_corrupt, NULL, 0);
    char *block = memmem(doc.data, doc.length, "\xec\xa5\1\1", 4); /* the file information block */
    char *globals = memmem(xls.data, xls.length, "\x09\x08\x10\0", 4);
    assert_true(block && globals);
    block[11] |= 1;
    check(extract_doc, "doc with a password", "", doc.data, doc.length, CODE_document_encrypted, "password", 0);
    memcpy(globals + 20, "\x2f\0", 2); /* the record after the first */
    check(extract_xls, "xls with a password", "", xls.data, xls.length, CODE_document_encrypted, "password", 0);
    buffer_free(&doc);
    buffer_free(&xls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_images_size_and_pages_are_known_before_anything_is_decoded),
        cmocka_unit_test(any_cut_of_an_image_ends_in_an_error_or_a_size),
        cmocka_unit_test(rtf_is_refused_where_its_groups_are_too_deep),
        cmocka_unit_test(a_password_is_seen_before_a_program_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
