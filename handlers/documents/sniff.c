/* sniff.c: what kind of file bytes are, by their content first and by the name where content leaves it open. Reads no format. */
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct blob {
    const unsigned char *data;
    size_t length;
};

static bool has_at(struct blob b, size_t at, const char *magic, size_t n)
{
    return b.length >= n && at <= b.length - n && memcmp(b.data + at, magic, n) == 0;
}

static size_t little16(struct blob b, size_t at)
{
    return b.data[at] | (size_t)b.data[at + 1] << 8;
}

static size_t little32(struct blob b, size_t at)
{
    return little16(b, at) | little16(b, at + 2) << 16;
}

#define MAGIC(at, bytes, kind, type)                                                                                   \
    {                                                                                                                  \
        (at), (bytes), sizeof(bytes) - 1, (kind), (type)                                                               \
    }
static const struct {
    size_t at;
    const char *magic;
    size_t length;
    enum document_kind kind;
    const char *media_type;
} magics[] = {
    MAGIC(0, "PK\3\4", KIND_ZIP, "application/zip"),
    MAGIC(0, "PK\5\6", KIND_ZIP, "application/zip"),
    MAGIC(0, "PK00PK\3\4", KIND_ZIP, "application/zip"),
    MAGIC(0, "\x1f\x8b", KIND_GZIP, "application/gzip"),
    MAGIC(0,
          "\xfd"
          "7zXZ\0",
          KIND_XZ, "application/x-xz"),
    MAGIC(0, "\x28\xb5\x2f\xfd", KIND_ZSTD, "application/zstd"),
    MAGIC(0, "\x89PNG\r\n\x1a\n", KIND_LATER, "image/png"),
    MAGIC(0, "\xff\xd8\xff", KIND_LATER, "image/jpeg"),
    MAGIC(0, "II*\0", KIND_LATER, "image/tiff"),
    MAGIC(0, "MM\0*", KIND_LATER, "image/tiff"),
    MAGIC(0, "II+\0", KIND_LATER, "image/tiff"),
    MAGIC(0, "GIF87a", KIND_LATER, "image/gif"),
    MAGIC(0, "GIF89a", KIND_LATER, "image/gif"),
    MAGIC(8, "WEBPVP8", KIND_LATER, "image/webp"),
    MAGIC(4, "ftypheic", KIND_LATER, "image/heic"),
    MAGIC(4, "ftypmif1", KIND_LATER, "image/heif"),
    MAGIC(4, "ftypavif", KIND_LATER, "image/avif"),
    MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", KIND_LATER, "application/x-ole-storage"),
    MAGIC(0, "{\\rtf", KIND_LATER, "application/rtf"),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", KIND_7Z, "application/x-7z-compressed"),
    MAGIC(0, "Rar!\x1a\x07", KIND_RAR, "application/vnd.rar"),
    MAGIC(0,
          "\x7f"
          "ELF",
          KIND_UNREAD, "application/x-elf"),
    MAGIC(0, "\x04\x22\x4d\x18", KIND_LZ4, "application/x-lz4"),
    MAGIC(0, "LRZI\0", KIND_UNREAD, "application/x-lrzip"),
    MAGIC(0, "\x89LZO\0", KIND_UNREAD, "application/x-lzop"),
    MAGIC(0, "GRZipII\0\2\4:)", KIND_UNREAD, "application/x-grzip"),
    MAGIC(0, "LZIP\1", KIND_UNREAD, "application/x-lzip"),
    MAGIC(0, "\x1f\x9d", KIND_UNREAD, "application/x-compress"),
    MAGIC(0, "!<arch>\n", KIND_UNREAD, "application/x-archive"),
    MAGIC(0, "WARC/1.", KIND_UNREAD, "application/warc"),
    MAGIC(0, "MSCF\0\0\0\0", KIND_UNREAD, "application/vnd.ms-cab-compressed"),
    MAGIC(0, "xar!\0", KIND_UNREAD, "application/x-xar"),
    MAGIC(0x8001, "CD001", KIND_UNREAD, "application/x-iso9660-image"),
    MAGIC(0, "%!PS", KIND_UNREAD, "application/postscript"),
    MAGIC(0, "\4%!PS", KIND_UNREAD, "application/postscript"),
    MAGIC(0, "\xc5\xd0\xd3\xc6", KIND_UNREAD, "image/x-eps"),
    MAGIC(0, "SQLite format 3\0", KIND_UNREAD, "application/vnd.sqlite3"),
    MAGIC(0, "OggS\0", KIND_UNREAD, "application/ogg"),
    MAGIC(0, "fLaC\0", KIND_UNREAD, "audio/flac"),
    MAGIC(8, "WAVEfmt ", KIND_UNREAD, "audio/wav"),
    MAGIC(4, "ftyp", KIND_UNREAD, "video/mp4"),
    MAGIC(0, "\x1a\x45\xdf\xa3", KIND_UNREAD, "video/matroska"),
    MAGIC(0, "\0asm", KIND_UNREAD, "application/wasm"),
};

/* Names of text; the rest of text is text/plain. */
static const struct {
    const char *extension;
    enum document_kind kind;
    const char *media_type;
} text_names[] = {
    {"md", KIND_TEXT, "text/markdown"},    {"markdown", KIND_TEXT, "text/markdown"},
    {"csv", KIND_TEXT, "text/csv"},        {"json", KIND_TEXT, "application/json"},
    {"xml", KIND_TEXT, "application/xml"}, {"html", KIND_LATER, "text/html"},
    {"htm", KIND_LATER, "text/html"},      {"xhtml", KIND_LATER, "text/html"},
    {"eml", KIND_LATER, "message/rfc822"}, {"mbox", KIND_LATER, "application/mbox"},
};

static const struct {
    const char *extension, *media_type;
} ole_names[] = {
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"msg", "application/vnd.ms-outlook"},
};

/* Other names that people trust; content decides. */
static const struct {
    const char *extension, *media_type;
} other_names[] = {
    {"txt", "text/plain"},
    {"text", "text/plain"},
    {"log", "text/plain"},
    {"pdf", "application/pdf"},
    {"rtf", "application/rtf"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"epub", "application/epub+zip"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"zip", "application/zip"},
    {"tar", "application/x-tar"},
    {"tgz", "application/gzip"},
    {"gz", "application/gzip"},
    {"bz2", "application/x-bzip2"},
    {"xz", "application/x-xz"},
    {"zst", "application/zstd"},
    {"lz4", "application/x-lz4"},
    {"7z", "application/x-7z-compressed"},
    {"rar", "application/vnd.rar"},
};

static bool has_extension(const char *filename, const char *extension)
{
    const char *point = filename ? strrchr(filename, '.') : NULL;
    return point && strcasecmp(point + 1, extension) == 0;
}

static struct document_type content(enum document_kind kind, const char *media_type)
{
    return (struct document_type){kind, media_type, "content"};
}

/* tar: the sum of the first header's bytes stands in it. */
static bool is_tar(struct blob b)
{
    size_t sum = 0, want = 0, i = 148;
    if (b.length < 512 || b.data[0] == '\0') return false;
    while (i < 156 && b.data[i] == ' ') i++;
    for (; i < 156 && b.data[i] >= '0' && b.data[i] <= '7'; i++) want = want * 8 + (b.data[i] - '0');
    for (size_t k = 0; k < 512; k++) sum += k >= 148 && k < 156 ? ' ' : b.data[k];
    return want > 0 && want == sum;
}

static bool is_cpio(struct blob b)
{
    if (!has_at(b, 0, "07070", 5) || b.length < 76) return false;
    for (size_t i = 0; i < 76; i++)
        if (!isxdigit(b.data[i])) return false;
    return true;
}

/* Windows programs: the old header points to the new one. */
static bool is_pe(struct blob b)
{
    return has_at(b, 0, "MZ", 2) && b.length >= 64 && has_at(b, little32(b, 0x3c), "PE\0\0", 4);
}

static bool is_bzip2(struct blob b)
{
    return has_at(b, 0, "BZh", 3) && (has_at(b, 4, "1AY&SY", 6) || has_at(b, 4, "\x17\x72\x45\x38\x50\x90", 6));
}

/* The end record of a zip's directory, which only a comment may follow. */
static bool find_zip_end(struct blob b, size_t *at)
{
    if (b.length < 22) return false;
    size_t lowest = b.length - 22 > 65535 ? b.length - 22 - 65535 : 0;
    for (size_t i = b.length - 22;; i--) {
        if (has_at(b, i, "PK\5\6", 4) && i + 22 + little16(b, i + 20) <= b.length) {
            *at = i;
            return true;
        }
        if (i == lowest) return false;
    }
}

struct office {
    bool content_types, word, sheet, slides;
};

static void look_at_name(struct office *o, struct blob b, size_t at, size_t length)
{
#define NAME_BEGINS(text) (length >= sizeof(text) - 1 && has_at(b, at, text, sizeof(text) - 1))
    o->content_types |= length == 19 && NAME_BEGINS("[Content_Types].xml");
    o->word |= NAME_BEGINS("word/");
    o->sheet |= NAME_BEGINS("xl/");
    o->slides |= NAME_BEGINS("ppt/");
#undef NAME_BEGINS
}

/* Names from the directory; from the headers of the members where it is cut off. */
static struct office zip_names(struct blob b)
{
    struct office o = {0};
    size_t end, at = 0;
    if (find_zip_end(b, &end) && little32(b, end + 12) <= end) {
        at = end - little32(b, end + 12);
        for (int i = 0; i < 5000 && at + 46 <= end && has_at(b, at, "PK\1\2", 4); i++) {
            size_t name = little16(b, at + 28);
            look_at_name(&o, b, at + 46, name);
            at += 46 + name + little16(b, at + 30) + little16(b, at + 32);
        }
        return o;
    }
    for (int i = 0; i < 5000 && at + 30 <= b.length && has_at(b, at, "PK\3\4", 4); i++) {
        size_t name = little16(b, at + 26), data;
        look_at_name(&o, b, at + 30, name);
        if (!size_add(at + 30 + name + little16(b, at + 28), little32(b, at + 18), &data)) break;
        at = data;
    }
    return o;
}

/* Office documents are zips: OpenDocument and EPUB say so in a first, stored member, the others by their members' names. */
static struct document_type zip_type(struct blob b)
{
    static const char *const open_document[] = {
        "application/epub+zip",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.graphics",
    };
    if (has_at(b, 0, "PK\3\4", 4) && has_at(b, 30, "mimetype", 8) && little16(b, 26) == 8) {
        size_t at = 38 + little16(b, 28);
        for (size_t i = 0; i < ARRAY_LENGTH(open_document); i++)
            if (has_at(b, at, open_document[i], strlen(open_document[i]))) return content(KIND_LATER, open_document[i]);
    }
    struct office o = zip_names(b);
    if (o.content_types && o.word)
        return content(KIND_LATER, "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
    if (o.content_types && o.sheet)
        return content(KIND_LATER, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    if (o.content_types && o.slides)
        return content(KIND_LATER, "application/vnd.openxmlformats-officedocument.presentationml.presentation");
    if (o.content_types) return content(KIND_LATER, "application/vnd.openxmlformats-officedocument");
    return content(KIND_ZIP, "application/zip");
}

static bool holds_binary(struct blob b)
{
    static const size_t enough = 64 * KIB;
    return memchr(b.data, '\0', b.length < enough ? b.length : enough) != NULL;
}

bool sniff_is_pdf(const void *bytes, size_t length)
{
    return length >= 5 && memcmp(bytes, "%PDF-", 5) == 0;
}

struct document_type sniff_bytes(const void *bytes, size_t length, const char *filename)
{
    const struct blob b = {bytes, length};
    size_t at;
    if (sniff_is_pdf(bytes, length)) return content(KIND_LATER, "application/pdf");
    if (is_tar(b)) return content(KIND_TAR, "application/x-tar");
    if (is_bzip2(b)) return content(KIND_BZIP2, "application/x-bzip2");
    if (is_pe(b)) return content(KIND_UNREAD, "application/vnd.microsoft.portable-executable");
    if (is_cpio(b)) return content(KIND_UNREAD, "application/x-cpio");
    for (size_t i = 0; i < ARRAY_LENGTH(magics); i++) {
        if (!has_at(b, magics[i].at, magics[i].magic, magics[i].length)) continue;
        if (magics[i].kind == KIND_ZIP) return zip_type(b);
        if (strcmp(magics[i].media_type, "application/x-ole-storage") == 0)
            for (size_t k = 0; k < ARRAY_LENGTH(ole_names); k++)
                if (has_extension(filename, ole_names[k].extension))
                    return (struct document_type){KIND_LATER, ole_names[k].media_type, "name"};
        return content(magics[i].kind, magics[i].media_type);
    }
    if (!holds_binary(b)) return content(KIND_TEXT, "text/plain");
    /* Something in front of what counts: a stub that unpacks itself, a mail gateway's line. */
    if (memmem(b.data, length < 1024 ? length : 1024, "%PDF-", 5)) return content(KIND_LATER, "application/pdf");
    if (find_zip_end(b, &at)) return content(KIND_ZIP, "application/zip");
    if (has_extension(filename, "zip")) return (struct document_type){KIND_ZIP, "application/zip", "name"};
    if (has_extension(filename, "tar")) return (struct document_type){KIND_TAR, "application/x-tar", "name"};
    return content(KIND_TEXT, "text/plain");
}

/* Text */

static bool begins(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word);
    return length >= n && strncasecmp(text, word, n) == 0;
}

static bool looks_like_html(const char *text, size_t length)
{
    static const char *const openings[] = {"<!doctype html", "<html>", "<html ", "<html\n",
                                           "<head>",         "<body>", "<body "};
    for (size_t i = 0; i < ARRAY_LENGTH(openings); i++)
        if (begins(text, length, openings[i])) return true;
    return false;
}

/* A drawing: a program of another kind, which may fetch what it refers to. */
static bool looks_like_svg(const char *text, size_t length)
{
    bool declared =
        begins(text, length, "<?xml") || begins(text, length, "<!--") || begins(text, length, "<!doctype svg");
    size_t near = length < 2048 ? length : 2048;
    return begins(text, length, "<svg ") || begins(text, length, "<svg>") || begins(text, length, "<svg\n") ||
           (declared && (memmem(text, near, "<svg ", 5) || memmem(text, near, "<svg\n", 5)) &&
            !memmem(text, near, "<html", 5));
}

/* A block of header lines with From and one that only mail programs write. */
static bool looks_like_mail(const char *text, size_t length)
{
    static const char *const of_programs[] = {
        "Received:", "Return-Path:", "Message-ID:", "MIME-Version:", "Delivered-To:"};
    bool from = false, program = false;
    if (length > 16 * KIB) length = 16 * KIB;
    for (const char *end = text + length; text < end;) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((line_end ? line_end : end) - text), name = 0;
        if (n == 0) break;
        while (name < n && (isalnum((unsigned char)text[name]) || text[name] == '-')) name++;
        bool header = name > 0 && name < n && text[name] == ':';
        if (!header && text[0] != ' ' && text[0] != '\t' && !begins(text, n, "From ")) return false;
        from |= begins(text, n, "From:");
        for (size_t i = 0; i < ARRAY_LENGTH(of_programs); i++) program |= begins(text, n, of_programs[i]);
        text += n + (line_end != NULL);
    }
    return from && program;
}

struct document_type sniff_text(const char *text, size_t length, const char *filename)
{
    while (length > 0 && strchr(" \t\n", *text)) text++, length--;
    if (looks_like_html(text, length)) return content(KIND_LATER, "text/html");
    if (looks_like_svg(text, length)) return content(KIND_UNREAD, "image/svg+xml");
    for (size_t i = 0; i < ARRAY_LENGTH(text_names); i++)
        if (has_extension(filename, text_names[i].extension))
            return (struct document_type){text_names[i].kind, text_names[i].media_type, "name"};
    if (begins(text, length, "<?xml")) {
        size_t near = length < 2048 ? length : 2048;
        return memmem(text, near, "<html", 5) ? content(KIND_LATER, "text/html")
                                              : content(KIND_TEXT, "application/xml");
    }
    if (looks_like_mail(text, length)) return content(KIND_LATER, "message/rfc822");
    return content(KIND_TEXT, "text/plain");
}

const char *sniff_name(const char *filename)
{
    for (size_t i = 0; i < ARRAY_LENGTH(text_names); i++)
        if (has_extension(filename, text_names[i].extension)) return text_names[i].media_type;
    for (size_t i = 0; i < ARRAY_LENGTH(ole_names); i++)
        if (has_extension(filename, ole_names[i].extension)) return ole_names[i].media_type;
    for (size_t i = 0; i < ARRAY_LENGTH(other_names); i++)
        if (has_extension(filename, other_names[i].extension)) return other_names[i].media_type;
    return NULL;
}
