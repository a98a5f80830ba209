/* From bytes to text: types, encodings, what is taken out and counted. */
#include "handlers/documents/readers.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

#define BYTES(s) (s), sizeof(s) - 1

/* One document of the bytes; the caller frees it. */
static struct document read_one(const char *filename, const void *bytes, size_t length)
{
    struct document_list list = {0};
    struct document document = {0};
    struct error err = {0};
    assert_int_equal(documents_from_bytes(&list, "d", filename, bytes, length, NULL, &err), DOCKET_OK);
    assert_int_equal(list.n, 1);
    MOVE(document, list.items[0]);
    document_list_free(&list);
    return document;
}

static const struct {
    const char *name, *filename, *bytes;
    size_t length;
    const char *want; /* NULL: an error */
    enum error_code code;
    size_t hidden, controls;
} texts[] = {
    {"ascii", NULL, BYTES("plain\ttext\n"), "plain\ttext\n", 0, 0, 0},
    {"utf8", NULL, BYTES("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f", 0, 0, 0},
    {"utf8_mark", NULL, BYTES("\xef\xbb\xbfx"), "x", 0, 0, 0},
    {"line_ends", NULL, BYTES("a\r\nb\rc\r\r\nd\n\n"), "a\nb\nc\n\nd\n\n", 0, 0, 0},
    {"page_breaks", NULL,
     BYTES("a\fb\vc\xc2\x85"
           "d"),
     "a\nb\nc\nd", 0, 0, 0},
    {"utf16_le", NULL, BYTES("\xff\xfeG\0\xfc\0\x3d\xd8\x00\xde"), "G\xc3\xbc\xf0\x9f\x98\x80", 0, 0, 0},
    {"utf16_be", NULL, BYTES("\xfe\xff\0G\0\xfc\xd8\x3d\xde\x00"), "G\xc3\xbc\xf0\x9f\x98\x80", 0, 0, 0},
    {"utf16_odd", NULL,
     BYTES("\xff\xfe"
           "a\0b\0c\0d\0e"),
     "abcd\xef\xbf\xbd", 0, 0, 0},
    {"utf16_lone_surrogate", NULL,
     BYTES("\xff\xfe"
           "a\0\x3d\xd8"
           "b\0"),
     "a\xef\xbf\xbd"
     "b",
     0, 0, 0},
    {"windows_1252", NULL,
     BYTES("Rechnung \x96 gr\xfc\xdf"
           "e 5 \x80"),
     "Rechnung \xe2\x80\x93 gr\xc3\xbc\xc3\x9f"
     "e 5 \xe2\x82\xac",
     0, 0, 0},
    {"utf8_with_a_broken_byte", NULL,
     BYTES("gr\xc3\xbc\xc3\x9f"
           "e und viele \xff weitere Wege"),
     "gr\xc3\xbc\xc3\x9f"
     "e und viele \xef\xbf\xbd weitere Wege",
     0, 0, 0},
    {"utf8_cut_in_a_character", NULL, BYTES("gr\xc3\xbc\xc3\x9f \xc3"), "gr\xc3\xbc\xc3\x9f \xef\xbf\xbd", 0, 0, 0},
    {"nul_and_bell", NULL, BYTES("some\0more words\a here"), "somemore words here", 0, 0, 2},
    {"colour_codes", NULL, BYTES("\x1b[31mred\x1b[0m"), "[31mred[0m", 0, 0, 2},
    {"zero_width", NULL,
     BYTES("a\xe2\x80\x8b"
           "b\xef\xbb\xbf\xe2\x81\xa0"),
     "ab", 0, 3, 0},
    {"soft_hyphen", NULL,
     BYTES("ab\xc2\xad"
           "cd"),
     "abcd", 0, 1, 0},
    {"bidi", NULL,
     BYTES("a\xe2\x80\xae"
           "b\xe2\x81\xa6\xe2\x81\xa9"),
     "ab", 0, 3, 0},
    {"tags", NULL, BYTES("x\xf3\xa0\x81\xa9\xf3\xa0\x80\x81"), "x", 0, 2, 0},
    {"emoji_stays", NULL, BYTES("\xf0\x9f\x98\x80\xef\xb8\x8f"), "\xf0\x9f\x98\x80\xef\xb8\x8f", 0, 0, 0},
    {"empty", NULL, "", 0, NULL, CODE_document_empty, 0, 0},
    {"mark_only", NULL, BYTES("\xef\xbb\xbf"), NULL, CODE_document_empty, 0, 0},
    {"white_space", NULL, BYTES(" \n\t\xc2\xa0\xe3\x80\x80"), NULL, CODE_document_empty, 0, 0},
    {"zero_width_only", NULL, BYTES("\xe2\x80\x8b\xe2\x80\x8b"), NULL, CODE_document_no_text, 2, 0},
    {"tags_only", NULL, BYTES("\xf3\xa0\x81\xa9 \xf3\xa0\x80\x81"), NULL, CODE_document_no_text, 2, 0},
    {"random", "x.txt", BYTES("\x80\x02\xff\x9c\x01\x10\xe4\x07\x90\x81\x05"), NULL, CODE_document_type_unsupported, 0,
     0},
    {"another_code_page", "x.txt", BYTES("\xf0\xd2\xc9\xd7\xc5\xd4 \xcd\xc9\xd2, \xfc\xd4\xcf \xd4\xc5\xcb\xd3\xd4"),
     "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80, \xd0\xad\xd1\x82\xd0\xbe "
     "\xd1\x82\xd0\xb5\xd0\xba\xd1\x81\xd1\x82",
     0, 0, 0},
    {"zeros", "x.txt", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NULL, CODE_document_type_unsupported, 0, 0},
};

static void text_becomes_what_a_reader_would_see(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct document d = read_one(texts[i].filename, texts[i].bytes, texts[i].length);
        if (d.error.code != texts[i].code || !d.text != !texts[i].want ||
            (d.text && (strcmp(d.text, texts[i].want) != 0 || d.text_length != strlen(texts[i].want))) ||
            d.hidden_characters != texts[i].hidden || d.control_characters != texts[i].controls)
            fail_msg("%s: \"%s\" %s, hidden %zu, controls %zu", texts[i].name, d.text ? d.text : "(none)",
                     d.error.message, d.hidden_characters, d.control_characters);
        assert_int_equal(d.bytes, texts[i].length);
        document_free(&d);
    }
}

static void characters_are_counted_not_bytes(void **state)
{
    struct document d = read_one("a.txt", BYTES("Gr\xc3\xbc\xc3\x9f\r\n\xf0\x9f\x98\x80"));
    (void)state;
    assert_int_equal(d.characters, 6);
    assert_int_equal(d.text_length, 11);
    assert_string_equal(d.media_type, "text/plain");
    assert_string_equal(d.detected_by, "content");
    document_free(&d);
}

static const struct {
    const char *name, *filename, *bytes;
    size_t length;
    enum error_code code;
    const char *media_type, *detected_by;
} types[] = {
    {"markdown", "a.MD", BYTES("# x"), 0, "text/markdown", "name"},
    {"csv", "a.csv", BYTES("a,b"), 0, "text/csv", "name"},
    {"json", "a.json", BYTES("{}"), 0, "application/json", "name"},
    {"xml", NULL, BYTES("\n<?xml version=\"1.0\"?><a/>"), 0, "application/xml", "content"},
    {"mtree_text", NULL, BYTES("#mtree\n. type=dir\n"), 0, "text/plain", "content"},
    {"letter_with_from", "l.txt", BYTES("From: Bob\nTo: Ann\n\nDear Ann"), 0, "text/plain", "content"},
    {"text_named_pdf", "a.pdf", BYTES("no pdf"), 0, "text/plain", "content"},
    {"text_named_exe_txt", "a.exe.txt", BYTES("MZ is no program here"), 0, "text/plain", "content"},
    {"talk_of_pdf", NULL, BYTES("A PDF begins with %PDF-1.7"), 0, "text/plain", "content"},
    {"html", NULL, BYTES(" \n<!DOCTYPE HTML><p>x"), 0, "text/html", "content"},
    {"html_utf16", NULL, BYTES("\xff\xfe<\0h\0t\0m\0l\0>\0"), CODE_document_empty, "text/html", "content"},
    {"html_name", "a.htm", BYTES("<p>x"), 0, "text/html", "name"},
    {"xhtml", NULL, BYTES("<?xml version=\"1.0\"?>\n<html xmlns=\"\">"), CODE_document_empty, "text/html", "content"},
    {"mail", NULL, BYTES("Received: from x\n by y\nFrom: a@b\nSubject: x\n\nHi"), 0, "message/rfc822", "content"},
    {"mail_name", "a.eml", BYTES("Hi"), CODE_document_corrupt, "message/rfc822", "name"},
    {"rtf", "a.txt", BYTES("{\\rtf1 x}"), CODE_unsupported_media_type, "application/rtf", "content"},
    {"pdf", "a.txt", BYTES("%PDF-1.4\n"), CODE_unsupported_media_type, "application/pdf", "content"},
    {"pdf_after_rubbish", NULL, BYTES("\0\0\1\2%PDF-1.4\n"), CODE_unsupported_media_type, "application/pdf", "content"},
    {"png", NULL, BYTES("\x89PNG\r\n\x1a\n"), CODE_document_corrupt, "image/png", "content"},
    {"jpeg", NULL, BYTES("\xff\xd8\xff\xe0"), CODE_document_corrupt, "image/jpeg", "content"},
    {"tiff", NULL, BYTES("MM\0*"), CODE_document_corrupt, "image/tiff", "content"},
    {"webp", NULL, BYTES("RIFF\x10\0\0\0WEBPVP8 "), CODE_document_corrupt, "image/webp", "content"},
    {"gif", NULL, BYTES("GIF89a"), CODE_unsupported_media_type, "image/gif", "content"},
    {"ole", "a", BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), CODE_document_corrupt, "application/x-ole-storage",
     "content"},
    {"doc", "a.doc", BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), CODE_document_corrupt, "application/msword", "name"},
    {"7z", "a.zip", BYTES("7z\xbc\xaf\x27\x1c"), CODE_document_corrupt, "application/x-7z-compressed", "content"},
    {"rar", NULL, BYTES("Rar!\x1a\x07\x01\0"), CODE_document_empty, "application/vnd.rar", "content"},
    {"elf", "a.txt",
     BYTES("\x7f"
           "ELF\2\1\1"),
     CODE_document_type_unsupported, "application/x-elf", "content"},
    {"lrzip", NULL, BYTES("LRZI\0\6 hello"), CODE_document_type_unsupported, "application/x-lrzip", "content"},
    {"lzop", NULL, BYTES("\x89LZO\0\r\n\x1a\n"), CODE_document_type_unsupported, "application/x-lzop", "content"},
    {"grzip", NULL, BYTES("GRZipII\0\2\4:)"), CODE_document_type_unsupported, "application/x-grzip", "content"},
    {"ar", NULL, BYTES("!<arch>\nx"), CODE_document_type_unsupported, "application/x-archive", "content"},
    {"warc", NULL, BYTES("WARC/1.0\r\n"), CODE_document_type_unsupported, "application/warc", "content"},
    {"cab", NULL, BYTES("MSCF\0\0\0\0"), CODE_document_type_unsupported, "application/vnd.ms-cab-compressed",
     "content"},
    {"xar", NULL, BYTES("xar!\0\x1c"), CODE_document_type_unsupported, "application/x-xar", "content"},
    {"cpio", NULL,
     BYTES("0707010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
           "b00000000TRAILER!!!"),
     CODE_document_type_unsupported, "application/x-cpio", "content"},
    {"unknown", NULL, BYTES("\x01\x02\x03\x04\0\0\0\0"), CODE_document_type_unsupported, "", NULL},
};

static void content_decides_the_type_and_the_name_only_what_it_leaves_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct document d = read_one(types[i].filename, types[i].bytes, types[i].length);
        bool same_by = types[i].detected_by ? d.detected_by && strcmp(d.detected_by, types[i].detected_by) == 0
                                            : d.detected_by == NULL;
        if (d.error.code != types[i].code || strcmp(d.media_type, types[i].media_type) != 0 || !same_by)
            fail_msg("%s: %s %s by %s", types[i].name, d.error.message, d.media_type,
                     d.detected_by ? d.detected_by : "(none)");
        if (types[i].code == CODE_unsupported_media_type) assert_non_null(strstr(d.error.message, types[i].media_type));
        assert_true(!d.text == (types[i].code != 0));
        document_free(&d);
    }
}

static void a_program_is_one_whatever_its_name(void **state)
{
    char program[256] = "MZ";
    (void)state;
    program[0x3c] = (char)0x80;
    memcpy(program + 0x80, "PE\0\0", 4);
    struct document d = read_one("letter.txt", program, sizeof(program));
    assert_int_equal(d.error.code, CODE_document_type_unsupported);
    assert_string_equal(d.media_type, "application/vnd.microsoft.portable-executable");
    document_free(&d);
}

static void names_are_cleaned(void **state)
{
    static const struct {
        const char *raw;
        size_t length;
        const char *want;
    } cases[] = {
        {BYTES("a/b.txt"), "a/b.txt"},
        {BYTES("../../x"), "x"},
        {BYTES("/etc/x"), "etc/x"},
        {BYTES("C:\\x"), "C:/x"},
        {BYTES("\\\\host\\share\\x"), "host/share/x"},
        {BYTES("..\\..\\x"), "x"},
        {BYTES("a/./b//c/.."), "a/b/c"},
        {BYTES("a\nb\x1b[2J\x7f"), "a_b_[2J_"},
        {BYTES("gpj.\xe2\x80\xae"
               "exe"),
         "gpj._exe"},
        {BYTES("a\xff\xfe"
               "b"),
         "a\xef\xbf\xbd\xef\xbf\xbd"
         "b"},
        {BYTES("\xc3\xbc.txt"), "\xc3\xbc.txt"},
        {BYTES("a\0b"), "a_b"},
        {BYTES(""), "unnamed"},
        {BYTES("../.."), "unnamed"},
        {BYTES("..."), "..."},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *name = name_clean(cases[i].raw, cases[i].length);
        assert_string_equal(name, cases[i].want);
        mem_free(name);
    }
}

static void long_names_keep_their_end(void **state)
{
    char raw[20001];
    (void)state;
    memset(raw, 'a', 5000);
    memcpy(raw + 4996, ".txt", 4);
    char *name = name_clean(raw, 5000);
    assert_int_equal(strlen(name), 255);
    assert_string_equal(name + 251, ".txt");
    mem_free(name);
    for (size_t i = 0; i + 2 <= 20000; i += 2) memcpy(raw + i, "d/", 2);
    memcpy(raw + 19996, "x.txt", 5);
    name = name_clean(raw, 20001);
    assert_true(strlen(name) <= 1024 && strlen(name) > 1000);
    assert_string_equal(name_last_part(name), "x.txt");
    mem_free(name);
    for (size_t i = 0; i < 600; i += 3) memcpy(raw + i, "\xe2\x82\xac", 3);
    name = name_clean(raw, 600);
    assert_int_equal(strlen(name), 255);
    mem_free(name);
}

static void equal_names_are_numbered_even_by_the_thousand(void **state)
{
    struct name_set set = {0};
    (void)state;
    char *first = name_set_unique(&set, "c/a.txt"), *second = name_set_unique(&set, "c/a.txt");
    assert_string_equal(first, "c/a.txt");
    assert_string_equal(second, "c/a (2).txt");
    mem_free(first);
    mem_free(second);
    assert_true(name_set_add(&set, "c/a (3).txt"));
    char *third = name_set_unique(&set, "c/a.txt"), *other = name_set_unique(&set, "c.d/a"),
         *dotted = name_set_unique(&set, "c.d/a");
    assert_string_equal(third, "c/a (4).txt");
    assert_string_equal(dotted, "c.d/a (2)");
    mem_free(third);
    mem_free(other);
    mem_free(dotted);
    for (size_t i = 0; i < 20000; i++) mem_free(name_set_unique(&set, "same"));
    assert_int_equal(set.n, 20006);
    name_set_free(&set);
}

static void any_allocation_may_fail(void **state)
{
    static const char bytes[] = "Gr\xfc\xdf"
                                "e\0\x80";
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 1;; n++) {
            struct document_list list = {0};
            struct error err = {0};
            mem_fail_at(n, n % 2 == 0);
            enum status st = documents_from_bytes(&list, "d", "a/b.md", bytes, i ? 5 : sizeof(bytes), NULL, &err);
            bool done = mem_count() < n;
            mem_fail_at(0, false);
            assert_true(st == DOCKET_OK ? done && list.n == 1 : st == DOCKET_NO_MEMORY && list.n == 0);
            document_list_free(&list);
            if (done) break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_what_a_reader_would_see),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(content_decides_the_type_and_the_name_only_what_it_leaves_open),
        cmocka_unit_test(a_program_is_one_whatever_its_name),
        cmocka_unit_test(names_are_cleaned),
        cmocka_unit_test(long_names_keep_their_end),
        cmocka_unit_test(equal_names_are_numbered_even_by_the_thousand),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
