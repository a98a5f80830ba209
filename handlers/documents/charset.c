/* charset.c: which charset bytes are in, and iconv for those that are on the list. UTF-7, HZ and ISO-2022 but for the Japanese one
 * are not: they can hide ASCII, and their converters had holes. */
#include "handlers/documents/charset.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <uchardet.h>

/* iconv's name | other spellings, without '-' and '_' | Windows' number. As browsers do, ISO-8859-1 is read as Windows-1252. */
static const struct {
    const char *name, *labels;
    unsigned code_page;
} charsets[] = {
    {"UTF-8", " utf8 unicode11utf8 utf8mb4 ", 65001},
    {"UTF-16LE", " utf16le utf16 unicode ucs2 iso10646ucs2 ", 1200},
    {"UTF-16BE", " utf16be unicodefffe ", 1201},
    {"UTF-32LE", " utf32le utf32 ucs4 ", 12000},
    {"UTF-32BE", " utf32be ", 12001},
    {"WINDOWS-1252",
     " windows1252 cp1252 xcp1252 ansi latin1 l1 iso88591 iso8859 usascii ascii ansix3.41968 ibm819 cp819 ", 1252},
    {"WINDOWS-1250", " windows1250 cp1250 xcp1250 ", 1250},
    {"WINDOWS-1251", " windows1251 cp1251 xcp1251 ", 1251},
    {"WINDOWS-1253", " windows1253 cp1253 xcp1253 ", 1253},
    {"WINDOWS-1254", " windows1254 cp1254 xcp1254 iso88599 latin5 l5 ", 1254},
    {"WINDOWS-1255", " windows1255 cp1255 xcp1255 ", 1255},
    {"WINDOWS-1256", " windows1256 cp1256 xcp1256 ", 1256},
    {"WINDOWS-1257", " windows1257 cp1257 xcp1257 ", 1257},
    {"WINDOWS-1258", " windows1258 cp1258 xcp1258 ", 1258},
    {"CP874", " windows874 cp874 tis620 iso885911 ", 874},
    {"ISO-8859-2", " iso88592 latin2 l2 ", 28592},
    {"ISO-8859-3", " iso88593 latin3 l3 ", 28593},
    {"ISO-8859-4", " iso88594 latin4 l4 ", 28594},
    {"ISO-8859-5", " iso88595 cyrillic ", 28595},
    {"ISO-8859-6", " iso88596 arabic asmo708 ", 28596},
    {"ISO-8859-7", " iso88597 greek ", 28597},
    {"ISO-8859-8", " iso88598 hebrew iso88598i iso88598e logical visual ", 28598},
    {"ISO-8859-10", " iso885910 latin6 l6 ", 0},
    {"ISO-8859-13", " iso885913 latin7 ", 28603},
    {"ISO-8859-14", " iso885914 latin8 ", 0},
    {"ISO-8859-15", " iso885915 latin9 l9 ", 28605},
    {"ISO-8859-16", " iso885916 latin10 ", 0},
    {"KOI8-R", " koi8r koi8 koi ", 20866},
    {"KOI8-U", " koi8u koi8ru ", 21866},
    {"CP437", " cp437 ibm437 437 ", 437},
    {"CP850", " cp850 ibm850 850 ", 850},
    {"CP852", " cp852 ibm852 852 ", 852},
    {"IBM855", " cp855 ibm855 855 ", 855},
    {"CP866", " cp866 ibm866 866 ", 866},
    {"MACINTOSH", " macintosh mac xmacroman macroman ", 10000},
    {"MAC-CYRILLIC", " maccyrillic xmaccyrillic ", 10007},
    {"GB18030", " gb18030 gbk gb2312 xgbk euccn cp936 ms936 windows936 ", 936},
    {"BIG5-HKSCS", " big5 big5hkscs xxbig5 cp950 cnbig5 ", 950},
    {"EUC-TW", " euctw ", 51950},
    {"EUC-JP", " eucjp xeucjp ", 51932},
    {"CP932", " shiftjis sjis xsjis cp932 ms932 windows31j mskanji csshiftjis ", 932},
    {"ISO-2022-JP", " iso2022jp csiso2022jp ", 50220},
    {"CP949", " euckr uhc cp949 ms949 ksc56011987 ksc5601 windows949 ", 949},
    {"VISCII", " viscii ", 0},
};

const char *charset_by_label(const char *label, size_t length)
{
    char plain[48] = " ";
    size_t n = 1;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];
        if (c == '-' || c == '_' || c == '"' || c == '\'' || (n == 1 && c == ' ')) continue;
        if (c <= ' ' || c == ';' || c == '*') break; /* parameters, RFC 2231's language */
        if (n >= sizeof(plain) - 2) return NULL;
        plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    if (n == 1) return NULL;
    plain[n++] = ' ';
    plain[n] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(charsets); i++)
        if (strstr(charsets[i].labels, plain)) return charsets[i].name;
    return NULL;
}

const char *charset_by_code_page(unsigned code_page)
{
    if (code_page == 28591 || code_page == 20127) code_page = 1252;
    if (code_page == 54936 || code_page == 20936) code_page = 936;
    for (size_t i = 0; i < ARRAY_LENGTH(charsets); i++)
        if (code_page && charsets[i].code_page == code_page) return charsets[i].name;
    return NULL;
}

void charset_prepare(void)
{
    static iconv_t kept[ARRAY_LENGTH(charsets)]; /* a table stays as long as someone uses it */
    if (kept[0]) return;
    for (size_t i = 0; i < ARRAY_LENGTH(charsets); i++) kept[i] = iconv_open("UTF-8", charsets[i].name);
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to convert a text");
}

enum status charset_convert(struct buffer *out, const void *bytes, size_t length, const char *name,
                            struct charset_result *result, struct error *err)
{
    char *in = (char *)(uintptr_t)bytes; /* iconv only reads it */
    size_t left = length;
    const size_t unit = strncmp(name, "UTF-16", 6) == 0 ? 2 : strncmp(name, "UTF-32", 6) == 0 ? 4 : 1;
    iconv_t cd = iconv_open("UTF-8", name);
    result->name = name;
    if (cd == (iconv_t)-1)
        return errno == ENOMEM ? no_memory(err)
                               : fail(err, DOCKET_INTERNAL, CODE_internal_error, "no table for %s", name);
    for (bool flushed = false; !flushed;) {
        char piece[4096], *to = piece;
        size_t room = sizeof(piece), before = left;
        bool last = left == 0;
        size_t r = iconv(cd, last ? NULL : &in, &left, &to, &room);
        buffer_append(out, piece, sizeof(piece) - room);
        flushed = last;
        if (r == (size_t)-1 && errno != E2BIG) {
            size_t skip = left < unit ? left : unit;
            buffer_append(out, "\xef\xbf\xbd", 3);
            result->n_replaced++;
            in += skip;
            left -= skip;
        } else if (r == (size_t)-1 && before == left && room == sizeof(piece))
            break; /* cannot be: a character larger than the piece */
        if (out->failed) break;
    }
    iconv_close(cd);
    return out->failed ? no_memory(err) : DOCKET_OK;
}

/* UTF-16 and UTF-32 without a mark: where the zeros stand. Texts without any ASCII character have none, and are left to detection. */
static const char *wide_charset(const unsigned char *s, size_t length)
{
    size_t zeros[4] = {0}, n = length < 64 * KIB ? length & ~(size_t)3 : 64 * KIB;
    for (size_t i = 0; i < n; i++) zeros[i & 3] += s[i] == 0;
    size_t units = n / 4, all = zeros[0] + zeros[1] + zeros[2] + zeros[3];
    if (units < 2 || length % 2 || all * 16 < n) return NULL;
    if (length % 4 == 0 && zeros[2] + zeros[3] >= 2 * units - units / 8 && zeros[0] <= units / 8) return "UTF-32LE";
    if (length % 4 == 0 && zeros[0] + zeros[1] >= 2 * units - units / 8 && zeros[3] <= units / 8) return "UTF-32BE";
    size_t even = zeros[0] + zeros[2], odd = zeros[1] + zeros[3];
    if (odd >= 4 * even + 1 && odd > units / 4) return "UTF-16LE";
    if (even >= 4 * odd + 1 && even > units / 4) return "UTF-16BE";
    return NULL;
}

static const char *marked_charset(const unsigned char *s, size_t length, size_t *mark)
{
    static const struct {
        const char *bytes, *name;
        size_t n;
    } marks[] = {
        {"\xef\xbb\xbf", "UTF-8", 3}, {"\xff\xfe\0\0", "UTF-32LE", 4}, {"\0\0\xfe\xff", "UTF-32BE", 4},
        {"\xff\xfe", "UTF-16LE", 2},  {"\xfe\xff", "UTF-16BE", 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++)
        if (length >= marks[i].n && memcmp(s, marks[i].bytes, marks[i].n) == 0) {
            *mark = marks[i].n;
            return marks[i].name;
        }
    return NULL;
}

static const char *detected_charset(const unsigned char *s, size_t length)
{
    const char *name = NULL;
    uchardet_t detector = uchardet_new();
    if (!detector) return NULL;
    if (uchardet_handle_data(detector, (const char *)s, length < MIB ? length : MIB) == 0) {
        uchardet_data_end(detector);
        const char *found = uchardet_get_charset(detector);
        name = charset_by_label(found, strlen(found));
    }
    uchardet_delete(detector);
    return name && strncmp(name, "UTF-", 4) != 0 ? name : NULL; /* those were looked for already */
}

static bool is_wide(const char *name)
{
    return strncmp(name, "UTF-16", 6) == 0 || strncmp(name, "UTF-32", 6) == 0;
}

enum status charset_decode(struct buffer *out, const void *bytes, size_t length, const char *label,
                           struct charset_result *result, struct error *err)
{
    const unsigned char *s = bytes;
    size_t mark = 0, bad;
    *result = (struct charset_result){0};
    if (length == 0) {
        result->name = "UTF-8";
        return buffer_append(out, "", 0) ? DOCKET_OK : no_memory(err);
    }
    const char *name = marked_charset(s, length, &mark);
    if (name) return charset_convert(out, s + mark, length - mark, name, result, err);
    const char *said = label ? charset_by_label(label, strlen(label)) : NULL;
    const char *wide = wide_charset(s, length);
    bool escapes = said && strcmp(said, "ISO-2022-JP") == 0 && memchr(s, 0x1b, length);
    bool utf8 = !wide && !escapes && utf8_valid(bytes, length, &bad);
    name = wide;
    if (!name && utf8) name = "UTF-8";
    /* A page that a converter took for wide while its bytes are not, or the other way round, is not what it says. */
    if (!name && said && strcmp(said, "UTF-8") != 0 && (!is_wide(said) || length % 2 == 0)) name = said;
    if (!name) {
        /* Mostly UTF-8 with a few broken bytes stays that. */
        struct charset_result trial = {0};
        struct buffer sample = {0};
        name = detected_charset(s, length);
        if (!name || (said && strcmp(said, "UTF-8") == 0)) {
            enum status st = charset_convert(&sample, s, length < 64 * KIB ? length : 64 * KIB, "UTF-8", &trial, err);
            size_t n = sample.length;
            buffer_free(&sample);
            if (st != DOCKET_OK) return st;
            if (trial.n_replaced <= n / 100 + 1 && said) name = "UTF-8";
        }
        result->guessed = !said || strcmp(name ? name : "", said) != 0;
        if (!name) name = "WINDOWS-1252";
    } else
        result->guessed = name == wide && name != said;
    result->said_wrong = label && (!said || (strcmp(name, said) != 0 && (!utf8 || is_wide(said))));
    return charset_convert(out, bytes, length, name, result, err);
}
