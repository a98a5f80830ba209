/* Which charset bytes are taken for, what is replaced, and what is not on the list. */
#include "handlers/documents/charset.h"
#include "handlers/documents/xlsx_numbers.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <string.h>

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
    const char *name, *bytes;
    size_t length;
    const char *label, *want, *charset;
    bool guessed, said_wrong;
    size_t replaced;
} cases[] = {
    {"ascii", BYTES("plain"), NULL, "plain", "UTF-8", 0, 0, 0},
    {"empty", BYTES(""), "koi8-r", "", "UTF-8", 0, 0, 0},
    {"mark_wins", BYTES("\xef\xbb\xbf\xc3\xbc"), "koi8-r", "\xc3\xbc", "UTF-8", 0, 0, 0},
    {"utf8_proves_itself", BYTES("gr\xc3\xbc\xc3\x9f"), "windows-1252", "gr\xc3\xbc\xc3\x9f", "UTF-8", 0, 0, 0},
    {"utf16_mark", BYTES("\xfe\xff\0G\0\xfc"), NULL, "G\xc3\xbc", "UTF-16BE", 0, 0, 0},
    {"utf32_mark", BYTES("\xff\xfe\0\0G\0\0\0\0\xf6\1\0"), NULL, "G\xf0\x9f\x98\x80", "UTF-32LE", 0, 0, 0},
    {"utf16_le_unmarked", BYTES("H\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0!\0"), NULL, "Hello world!", "UTF-16LE", 1, 0, 0},
    {"utf16_be_unmarked", BYTES("\0H\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0!"), "utf-16be", "Hello world!", "UTF-16BE", 0, 0,
     0},
    {"utf32_be_unmarked", BYTES("\0\0\0H\0\0\0e\0\0\0l\0\0\0l\0\0\0o\0\0\0!"), NULL, "Hello!", "UTF-32BE", 1, 0, 0},
    {"label", BYTES("\xc4\xcf\xcd"), "KOI8-R", "\xd0\xb4\xd0\xbe\xd0\xbc", "KOI8-R", 0, 0, 0},
    {"latin1_is_windows", BYTES("5 \x80"), "ISO-8859-1", "5 \xe2\x82\xac", "WINDOWS-1252", 0, 0, 0},
    {"quoted_label", BYTES("\xe9"), " \"windows-1252\"", "\xc3\xa9", "WINDOWS-1252", 0, 0, 0},
    {"replaced", BYTES("a\x81\x8d z"), "windows-1252", "a\xef\xbf\xbd\xef\xbf\xbd z", "WINDOWS-1252", 0, 0, 2},
    {"cut_in_a_character", BYTES("a\x83"), "shift_jis", "a\xef\xbf\xbd", "CP932", 0, 0, 1},
    {"utf7_is_not_read", BYTES("+AGE-"), "utf-7", "+AGE-", "UTF-8", 0, 1, 0},
    {"iso2022cnext_is_not_read", BYTES("\x1b$)A\x0e"), "ISO-2022-CN-EXT", "\x1b$)A\x0e", "UTF-8", 0, 1, 0},
    {"iso2022jp", BYTES("\x1b$B@A\x1b(B"), "iso-2022-jp", "\xe8\xab\x8b", "ISO-2022-JP", 0, 0, 0},
    {"detected", BYTES("\xc4\xee\xe3\xee\xe2\xee\xf0 \xee\xe1 \xee\xea\xe0\xe7\xe0\xed\xe8\xe8 \xf3\xf1\xeb\xf3\xe3"),
     NULL, NULL, "WINDOWS-1251", 1, 0, 0},
    {"unknown_label", BYTES("caf\xe9"), "x-none", NULL, NULL, 1, 1, 0},
};

static void bytes_become_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        struct charset_result r;
        struct error err = {0};
        assert_int_equal(charset_decode(&out, cases[i].bytes, cases[i].length, cases[i].label, &r, &err), DOCKET_OK);
        if ((cases[i].want && strcmp(out.data, cases[i].want) != 0) || r.guessed != cases[i].guessed ||
            (cases[i].charset && strcmp(r.name, cases[i].charset) != 0) || r.said_wrong != cases[i].said_wrong ||
            r.n_replaced != cases[i].replaced)
            fail_msg("%s: \"%s\" %s guessed %d wrong %d replaced %zu", cases[i].name, out.data, r.name, r.guessed,
                     r.said_wrong, r.n_replaced);
        buffer_free(&out);
    }
}

static void labels_beyond_the_list_have_no_charset(void **state)
{
    static const char *const none[] = {"utf-7",      "unicode-1-1-utf-7", "iso-2022-cn",   "ISO-2022-CN-EXT",
                                       "hz-gb-2312", "//TRANSLIT",        "utf-8//IGNORE", "",
                                       " ",          "/etc/passwd",       "binary"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        if (charset_by_label(none[i], strlen(none[i]))) fail_msg("%s", none[i]);
    assert_string_equal(charset_by_code_page(1251), "WINDOWS-1251");
    assert_null(charset_by_code_page(65000)); /* UTF-7 */
    assert_null(charset_by_code_page(0));
}

static const struct {
    const char *value, *code;
    size_t id;
    bool from_1904;
    const char *want;
} numbers[] = {
    {"1", NULL, 14, false, "1900-01-01"},
    {"59", NULL, 14, false, "1900-02-28"},
    {"60", NULL, 14, false, "1900-02-29"},
    {"61", NULL, 14, false, "1900-03-01"},
    {"46347", NULL, 14, false, "2026-11-21"},
    {"44885", NULL, 14, true, "2026-11-21"},
    {"0", NULL, 14, true, "1904-01-01"},
    {"46347.75", NULL, 22, false, "2026-11-21 18:00:00"},
    {"0.5", NULL, 20, false, "12:00:00"},
    {"1.5", "[h]:mm", 0, false, "36:00:00"},
    {"46347", "d. mmmm yyyy", 0, false, "2026-11-21"},
    {"46347", "[$-409]mmm\\-yy;@", 0, false, "2026-11-21"},
    {"0.125", "0.0%", 0, false, "12.5%"},
    {"12", "0.00\"days\"", 0, false, "12"},
    {"12", "[Red]0", 0, false, "12"},
    {"12", "General", 0, false, "12"},
    {"-5", NULL, 14, false, "-5"},
    {"1e300", NULL, 14, false, "1e+300"},
    {"nan", NULL, 0, false, "nan"},
    {"0.30000000000000004", NULL, 0, false, "0.3"},
    {"123456789012", NULL, 0, false, "123456789012"},
    {"x", NULL, 14, false, "x"},
};

static void numbers_show_dates_as_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        char shown[NUMBER_BYTES];
        enum number_kind kind =
            numbers[i].code ? number_kind_of_code(numbers[i].code) : number_kind_of_id(numbers[i].id);
        number_show(shown, numbers[i].value, kind, numbers[i].from_1904);
        if (strcmp(shown, numbers[i].want) != 0) fail_msg("%s: %s, not %s", numbers[i].value, shown, numbers[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_utf8),
        cmocka_unit_test(labels_beyond_the_list_have_no_charset),
        cmocka_unit_test(numbers_show_dates_as_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
