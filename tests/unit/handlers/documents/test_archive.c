/* Archives: members in order, and every hostile shape ends in bounded work and a named error while the rest is kept. */
#include "handlers/documents/readers.h"
#include "handlers/job_input.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

/* Zips by hand: stored members whose every field can be wrong. */
struct member {
    const char *name;
    size_t name_length;
    const char *data;
    size_t length;
    uint16_t flags;
    uint32_t crc_xor, size_xor; /* of the directory and the local header alike */
    const char *local_name;     /* NULL: as in the directory */
    uint32_t mode;              /* Unix mode; 0: none */
};

static void put16(struct buffer *b, size_t v)
{
    buffer_append(b, (const char[]){(char)v, (char)(v >> 8)}, 2);
}

static void put32(struct buffer *b, size_t v)
{
    put16(b, v & 0xffff);
    put16(b, v >> 16 & 0xffff);
}

static uint32_t crc32_of(const char *data, size_t length)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)data[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* What both headers have in common from the flags on. */
static void put_facts(struct buffer *b, const struct member *m, size_t name_length)
{
    put16(b, m->flags);
    put16(b, 0);           /* stored */
    put32(b, 0x21u << 16); /* 1980-01-01 */
    put32(b, crc32_of(m->data, m->length) ^ m->crc_xor);
    put32(b, m->length ^ m->size_xor);
    put32(b, m->length ^ m->size_xor);
    put16(b, name_length);
    put16(b, 0);
}

static struct buffer make_zip(const struct member *members, size_t n)
{
    struct buffer b = {0}, directory = {0};
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];
        size_t at = b.length, name_length = m->name_length ? m->name_length : strlen(m->name);
        buffer_append(&b, "PK\3\4\x14\0", 6);
        put_facts(&b, m, m->local_name ? strlen(m->local_name) : name_length);
        if (m->local_name)
            buffer_append_str(&b, m->local_name);
        else
            buffer_append(&b, m->name, name_length);
        buffer_append(&b, m->data, m->length);
        buffer_append(&directory, "PK\1\2\x14\3\x14\0", 8);
        put_facts(&directory, m, name_length);
        put16(&directory, 0); /* comment */
        put16(&directory, 0); /* disk */
        put16(&directory, 0);
        put32(&directory, (size_t)m->mode << 16);
        put32(&directory, at);
        buffer_append(&directory, m->name, name_length);
    }
    size_t start = b.length;
    buffer_append(&b, directory.data ? directory.data : "", directory.length);
    buffer_append(&b, "PK\5\6\0\0\0\0", 8);
    put16(&b, n);
    put16(&b, n);
    put32(&b, directory.length);
    put32(&b, start);
    put16(&b, 0);
    buffer_free(&directory);
    assert_false(b.failed);
    return b;
}

#define FILE_(n, d)                                                                                                    \
    {                                                                                                                  \
        .name = (n), .data = (d), .length = sizeof(d) - 1                                                              \
    }

/* The library's own writer for the rest. */
struct writer {
    struct archive *a;
    struct buffer out;
};

static la_ssize_t append_block(struct archive *a, void *out, const void *bytes, size_t length)
{
    (void)a;
    assert_true(buffer_append(out, bytes, length));
    return (la_ssize_t)length;
}

static void begin(struct writer *w, const char *format, int filter)
{
    w->a = archive_write_new();
    w->out = (struct buffer){0};
    assert_int_equal(archive_write_set_format_by_name(w->a, format), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter(w->a, filter), ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(w->a, 1);
    assert_int_equal(archive_write_open(w->a, &w->out, NULL, append_block, NULL), ARCHIVE_OK);
}

static void add_kind(struct writer *w, const char *name, unsigned type, const char *link, const void *data,
                     size_t length)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_mode(e, 0644);
    if (type) archive_entry_set_filetype(e, type);
    if (type == AE_IFLNK) archive_entry_set_symlink(e, link);
    if (type == 0) archive_entry_set_hardlink(e, link);
    if (type == AE_IFREG) archive_entry_set_size(e, (la_int64_t)length);
    assert_true(archive_write_header(w->a, e) >= ARCHIVE_WARN);
    if (length) assert_int_equal(archive_write_data(w->a, data, length), (la_ssize_t)length);
    archive_entry_free(e);
}

static void add(struct writer *w, const char *name, const void *data, size_t length)
{
    add_kind(w, name, AE_IFREG, NULL, data, length);
}

static struct buffer finish(struct writer *w)
{
    assert_int_equal(archive_write_close(w->a), ARCHIVE_OK);
    archive_write_free(w->a);
    return w->out;
}

/* Reads and frees the archive. */
static struct document_list read_with(const char *filename, struct buffer *b, const struct document_limits *limits)
{
    struct document_list list = {0};
    struct error err = {0};
    assert_int_equal(documents_from_bytes(&list, "c", filename, b->data, b->length, limits, &err), DOCKET_OK);
    buffer_free(b);
    return list;
}

static struct document_list read_archive(struct buffer *b)
{
    return read_with("c.zip", b, NULL);
}

struct expected {
    const char *id, *text;
    enum error_code code;
};

static void check_list(const char *name, struct document_list *list, const struct expected *want, size_t n)
{
    for (size_t i = 0; i < list->n || i < n; i++) {
        const struct document *d = i < list->n ? &list->items[i] : NULL;
        if (d && i < n && strcmp(d->id, want[i].id) == 0 && d->error.code == want[i].code &&
            !d->text == !want[i].text && (!d->text || strcmp(d->text, want[i].text) == 0))
            continue;
        fail_msg("%s: document %zu is %s: %s (%s)", name, i, d ? d->id : "missing",
                 d && d->text ? d->text : "(no text)", d ? d->error.message : "");
    }
    document_list_free(list);
}
#define CHECK(name, list, ...)                                                                                         \
    check_list((name), (list), (const struct expected[]){__VA_ARGS__},                                                 \
               sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static void members_come_in_order_whatever_the_packing(void **state)
{
    static const struct {
        const char *format;
        int filter;
        const char *media_type;
    } packings[] = {
        {"zip", ARCHIVE_FILTER_NONE, "application/zip"},      {"ustar", ARCHIVE_FILTER_NONE, "application/x-tar"},
        {"pax", ARCHIVE_FILTER_NONE, "application/x-tar"},    {"gnutar", ARCHIVE_FILTER_NONE, "application/x-tar"},
        {"v7tar", ARCHIVE_FILTER_NONE, "application/x-tar"},  {"pax", ARCHIVE_FILTER_GZIP, "application/gzip"},
        {"pax", ARCHIVE_FILTER_BZIP2, "application/x-bzip2"}, {"pax", ARCHIVE_FILTER_XZ, "application/x-xz"},
        {"pax", ARCHIVE_FILTER_ZSTD, "application/zstd"},     {"pax", ARCHIVE_FILTER_LZ4, "application/x-lz4"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packings); i++) {
        struct writer w;
        begin(&w, packings[i].format, packings[i].filter);
        add(&w, "z.txt", "last letter", 11);
        add_kind(&w, "folder", AE_IFDIR, NULL, NULL, 0);
        add(&w, "folder/b.md", "# second", 8);
        add(&w, "empty.txt", "", 0);
        struct buffer b = finish(&w);
        assert_string_equal(sniff_bytes(b.data, b.length, NULL).media_type, packings[i].media_type);
        struct document_list list = read_with(NULL, &b, NULL);
        assert_int_equal(list.n, 3);
        assert_string_equal(list.items[1].filename, "b.md");
        assert_string_equal(list.items[1].media_type, "text/markdown");
        assert_int_equal(list.items[1].bytes, 8);
        CHECK(packings[i].format, &list, {"c/z.txt", "last letter", 0}, {"c/folder/b.md", "# second", 0},
              {"c/empty.txt", NULL, CODE_document_empty});
    }
}

static void a_compressed_file_is_one_document(void **state)
{
    static const struct {
        int filter;
        const char *given, *want;
    } cases[] = {
        {ARCHIVE_FILTER_GZIP, "letter.txt.gz", "letter.txt"},
        {ARCHIVE_FILTER_BZIP2, "notes.md.BZ2", "notes.md"},
        {ARCHIVE_FILTER_XZ, ".xz", ".xz"},
        {ARCHIVE_FILTER_ZSTD, NULL, NULL},
        {ARCHIVE_FILTER_LZ4, "a.csv.lz4", "a.csv"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct writer w;
        begin(&w, "raw", cases[i].filter);
        add(&w, "x", "Dear Ann", 8);
        struct buffer b = finish(&w);
        struct document_list list = read_with(cases[i].given, &b, NULL);
        assert_int_equal(list.n, 1);
        assert_true(!list.items[0].filename == !cases[i].want);
        if (cases[i].want) assert_string_equal(list.items[0].filename, cases[i].want);
        assert_int_equal(list.items[0].bytes, 8);
        CHECK("single", &list, {"c", "Dear Ann", 0});
    }
}

static void an_archive_without_files_is_an_empty_document(void **state)
{
    struct writer w;
    (void)state;
    struct buffer b = make_zip(NULL, 0);
    struct document_list list = read_archive(&b);
    CHECK("zip", &list, {"c", NULL, CODE_document_empty});
    begin(&w, "pax", ARCHIVE_FILTER_GZIP);
    add_kind(&w, "folder", AE_IFDIR, NULL, NULL, 0);
    b = finish(&w);
    list = read_archive(&b);
    CHECK("only a folder", &list, {"c", NULL, CODE_document_empty});
    static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD};
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        begin(&w, "raw", filters[i]);
        add(&w, "x", "", 0);
        b = finish(&w);
        list = read_archive(&b);
        CHECK("a compressed file of nothing", &list, {"c", NULL, CODE_document_empty});
    }
    b = (struct buffer){0};
    for (size_t i = 0; i < 1024; i++) buffer_append_char(&b, '\0');
    list = read_with("a.tar", &b, NULL);
    CHECK("tar", &list, {"c", NULL, CODE_document_empty});
}

static void names_are_shown_cleaned_and_unique(void **state)
{
    char long_name[5001];
    memset(long_name, 'n', 5000);
    long_name[5000] = '\0';
    const struct member members[] = {
        FILE_("../../x", "1"),
        FILE_("/etc/x", "2"),
        FILE_("C:\\x", "3"),
        FILE_("\\\\host\\x", "4"),
        FILE_("a\nb.txt", "5"),
        {.name = "\xe2\x80\xae"
                 "fdp.txt",
         .data = "6",
         .length = 1,
         .flags = 0x800},
        FILE_("in\xff\xfevalid", "7"),
        FILE_("same.txt", "8"),
        FILE_("same.txt", "9"),
        FILE_("Same.txt", "10"),
        FILE_("x", "11"),
        {.name = "\xc3\xbc.txt", .data = "12", .length = 2, .flags = 0x800},
        {.name = "nul\0.txt", .name_length = 8, .data = "13", .length = 2},
        FILE_("..", "14"),
        {.name = long_name, .data = "15", .length = 2},
    };
    char long_id[300] = "c/";
    (void)state;
    memset(long_id + 2, 'n', 255);
    struct buffer b = make_zip(members, ARRAY_LENGTH(members));
    struct document_list list = read_archive(&b);
    assert_int_equal(list.n, ARRAY_LENGTH(members));
    assert_string_equal(list.items[0].filename, "x");
    assert_string_equal(list.items[8].filename, "same.txt");
    CHECK("names", &list, {"c/x", "1", 0}, {"c/etc/x", "2", 0}, {"c/C:/x", "3", 0}, {"c/host/x", "4", 0},
          {"c/a_b.txt", "5", 0}, {"c/_fdp.txt", "6", 0}, {"c/in\xc2\xa0\xe2\x96\xa0valid", "7", 0},
          {"c/same.txt", "8", 0}, {"c/same (2).txt", "9", 0}, {"c/Same.txt", "10", 0}, {"c/x (2)", "11", 0},
          {"c/\xc3\xbc.txt", "12", 0}, {"c/nul", "13", 0}, {"c/unnamed", "14", 0}, {long_id, "15", 0});
}

static void names_beyond_ascii_survive_every_format_in_the_c_locale(void **state)
{
    static const char *const formats[] = {"pax", "gnutar", "ustar"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        struct writer w;
        begin(&w, formats[i], ARCHIVE_FILTER_NONE);
        add(&w,
            "gr\xc3\xbc\xc3\x9f"
            "e.txt",
            "x", 1);
        struct buffer b = finish(&w);
        struct document_list list = read_archive(&b);
        CHECK(formats[i], &list,
              {"c/gr\xc3\xbc\xc3\x9f"
               "e.txt",
               "x", 0});
    }
}

static void ids_of_the_job_are_not_taken_by_members(void **state)
{
    struct document_input inputs[] = {{.id = "c", .kind = SOURCE_BASE64}, {.id = "c/a.txt"}, {.id = "d/b.txt"}};
    const struct job_input job = {.documents = inputs, .n_documents = 3};
    static const char zip_base64[] = /* a.txt and b.txt, stored */
        "UEsDBBQAAAAAAAAAIQBDvrfoAQAAAAEAAAAFAAAAYS50eHRhUEsDBBQAAAAAAAAAIQD5775xAQAAAAEAAAAFAAAAYi50eHRiUEsB"
        "AhQDFAAAAAAAAAAhAEO+t+gBAAAAAQAAAAUAAAAAAAAAAAAAAIABAAAAAGEudHh0UEsBAhQDFAAAAAAAAAAhAPnvvnEBAAAAAQAA"
        "AAUAAAAAAAAAAAAAAIABJAAAAGIudHh0UEsFBgAAAAACAAIAZgAAAEgAAAAAAA==";
    struct document_list list = {0};
    struct error err = {0};
    (void)state;
    inputs[0].content = zip_base64;
    inputs[0].content_length = strlen(zip_base64);
    assert_int_equal(documents_read(&list, &job, 0, NULL, &err), DOCKET_OK);
    CHECK("ids", &list, {"c/a (2).txt", "a", 0}, {"c/b.txt", "b", 0});
}

static void only_regular_files_are_read(void **state)
{
    struct writer w;
    (void)state;
    begin(&w, "pax", ARCHIVE_FILTER_NONE);
    add(&w, "a.txt", "a", 1);
    add_kind(&w, "link", AE_IFLNK, "/etc/passwd", NULL, 0);
    add_kind(&w, "hard", 0, "a.txt", NULL, 0);
    add_kind(&w, "pipe", AE_IFIFO, NULL, NULL, 0);
    add_kind(&w, "device", AE_IFCHR, NULL, NULL, 0);
    add(&w, "b.txt", "b", 1);
    struct buffer b = finish(&w);
    struct document_list list = read_archive(&b);
    assert_non_null(strstr(list.items[1].error.message, "link: a symbolic link"));
    CHECK("tar", &list, {"c/a.txt", "a", 0}, {"c/link", NULL, CODE_archive_member_skipped},
          {"c/hard", NULL, CODE_archive_member_skipped}, {"c/pipe", NULL, CODE_archive_member_skipped},
          {"c/device", NULL, CODE_archive_member_skipped}, {"c/b.txt", "b", 0});

    const struct member members[] = {
        {.name = "link", .data = "/etc/passwd", .length = 11, .mode = 0120777},
        {.name = "a.txt", .data = "a", .length = 1, .mode = 0100644},
    };
    b = make_zip(members, 2);
    list = read_archive(&b);
    CHECK("zip", &list, {"c/link", NULL, CODE_archive_member_skipped}, {"c/a.txt", "a", 0});
}

/* A GNU sparse member of 8 TiB with five bytes in it, by hand. */
static void a_sparse_file_of_8_tib_is_skipped(void **state)
{
    unsigned char header[512] = "sparse";
    struct buffer b = {0};
    size_t sum = 0;
    (void)state;
    memcpy(header + 100, "0000644", 7);
    memcpy(header + 124, "00000000005", 11);
    memcpy(header + 136, "00000000000", 11);
    memset(header + 148, ' ', 8);
    header[156] = 'S';
    memcpy(header + 257, "ustar  ", 8);
    memcpy(header + 386, "00000000000", 11); /* first piece: offset and length */
    memcpy(header + 398, "00000000005", 11);
    memcpy(header + 483, "\x80\0\0\0\0\0\x08\0\0\0\0\0", 12); /* 8 TiB */
    for (size_t i = 0; i < 512; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06zo", sum);
    header[155] = ' ';
    buffer_append(&b, header, 512);
    buffer_append(&b, "bytes", 5);
    for (size_t i = 0; i < 507 + 1024; i++) buffer_append_char(&b, '\0');
    struct document_list list = read_with("a.tar", &b, NULL);
    CHECK("sparse", &list, {"c/sparse", NULL, CODE_archive_member_skipped});
}

static void members_with_a_password_are_named_and_the_others_read(void **state)
{
    const struct member members[] = {
        FILE_("a.txt", "a"),
        {.name = "secret.txt", .data = "0123456789abcdef", .length = 16, .flags = 1},
        FILE_("b.txt", "b"),
    };
    (void)state;
    struct buffer b = make_zip(members, 3);
    struct document_list list = read_archive(&b);
    assert_string_equal(list.items[1].error.message, "secret.txt: needs a password");
    CHECK("mixed", &list, {"c/a.txt", "a", 0}, {"c/secret.txt", NULL, CODE_document_encrypted}, {"c/b.txt", "b", 0});
}

static void a_damaged_member_loses_no_siblings(void **state)
{
    const struct member members[] = {
        FILE_("a.txt", "a"),
        {.name = "bad.txt", .data = "damaged", .length = 7, .crc_xor = 1},
        {.name = "b.txt", .data = "b", .length = 1, .local_name = "other.txt"},
    };
    (void)state;
    struct buffer b = make_zip(members, 3);
    struct document_list list = read_archive(&b);
    assert_int_equal(list.n, 3);
    assert_true(strcmp(list.items[2].id, "c/b.txt") == 0 || strcmp(list.items[2].id, "c/other.txt") == 0);
    assert_string_equal(list.items[2].text, "b");
    list.n--;
    document_free(&list.items[list.n]);
    CHECK("crc", &list, {"c/a.txt", "a", 0}, {"c/bad.txt", NULL, CODE_document_corrupt});

    /* bytes of a deflated member in the middle turned over: the stream breaks */
    struct writer w;
    char noise[4000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = "abcdefgh \n"[(seed = seed * 1664525 + 1013904223) >> 28 & 7];
    begin(&w, "zip", ARCHIVE_FILTER_NONE);
    add(&w, "a.txt", "a", 1);
    add(&w, "bad.txt", noise, sizeof(noise));
    add(&w, "b.txt", "b", 1);
    b = finish(&w);
    char *bad = memmem(b.data, b.length, "bad.txt", 7);
    memset(bad + 60, 0xff, 60);
    list = read_archive(&b);
    CHECK("deflate", &list, {"c/a.txt", "a", 0}, {"c/bad.txt", NULL, CODE_document_corrupt}, {"c/b.txt", "b", 0});
}

static void sizes_that_disagree_end_in_an_error_or_in_what_was_read(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 32; bit++) {
        const struct member members[] = {
            FILE_("a.txt", "a"),
            {.name = "b.txt", .data = "bbbbbbbb", .length = 8, .size_xor = UINT32_C(1) << bit},
            FILE_("c.txt", "c"),
        };
        struct buffer b = make_zip(members, 3);
        struct document_list list = read_archive(&b);
        assert_true(list.n >= 3);
        assert_string_equal(list.items[0].text, "a");
        assert_int_equal(list.items[1].error.code, bit == 3 ? CODE_document_empty : CODE_document_corrupt);
        document_list_free(&list);
    }
}

static void a_cut_archive_keeps_what_was_before_the_cut(void **state)
{
    static const struct {
        const char *format;
        int filter;
    } packings[] = {{"zip", ARCHIVE_FILTER_NONE},
                    {"pax", ARCHIVE_FILTER_NONE},
                    {"pax", ARCHIVE_FILTER_GZIP},
                    {"gnutar", ARCHIVE_FILTER_XZ},
                    {"pax", ARCHIVE_FILTER_ZSTD}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packings); i++) {
        struct writer w;
        char text[3000];
        uint32_t seed = 7;
        for (size_t k = 0; k < sizeof(text); k++)
            text[k] = (char)('a' + ((seed = seed * 1664525 + 1013904223) >> 24) % 26);
        begin(&w, packings[i].format, packings[i].filter);
        for (size_t k = 0; k < 8; k++) {
            char name[16];
            snprintf(name, sizeof(name), "%zu.txt", k);
            add(&w, name, text, sizeof(text) - k);
        }
        struct buffer b = finish(&w);
        for (size_t percent = 2; percent < 100; percent++) {
            struct document_list list = {0};
            struct error err = {0};
            size_t n_errors = 0, length = b.length * percent / 100;
            assert_int_equal(documents_from_bytes(&list, "c", "c.tar", b.data, length, NULL, &err), DOCKET_OK);
            for (size_t k = 0; k < list.n; k++) {
                const struct document *d = &list.items[k];
                n_errors += d->error.code != CODE_NONE;
                if (d->error.code != CODE_NONE && d->error.code != CODE_document_corrupt)
                    fail_msg("%s at %zu %%: %s", packings[i].format, percent, d->error.message);
                if (d->text) assert_int_equal(d->text_length, sizeof(text) - k);
            }
            bool whole = list.n - n_errors == 8; /* only the directory or the end mark is cut */
            if (n_errors != 1 && !(whole && n_errors == 0))
                fail_msg("%s at %zu %%: %zu documents, %zu errors", packings[i].format, percent, list.n, n_errors);
            document_list_free(&list);
        }
        buffer_free(&b);
    }
}

static void a_tar_without_its_end_mark_is_said_to_be_cut(void **state)
{
    struct writer w;
    (void)state;
    begin(&w, "ustar", ARCHIVE_FILTER_NONE);
    add(&w, "a.txt", "a", 1);
    struct buffer b = finish(&w);
    b.length = 1024; /* header and data; the zeros behind them are cut off */
    struct document_list list = read_archive(&b);
    CHECK("tar", &list, {"c/a.txt", "a", 0}, {"c", NULL, CODE_document_corrupt});
}

/* `inner` packed n times over. */
static struct buffer nest(const char *format, int filter, const char *name, const char *inner, size_t n)
{
    struct buffer b = {0};
    struct writer w;
    buffer_append_str(&b, inner);
    for (size_t i = 0; i < n; i++) {
        begin(&w, format, filter);
        add(&w, i ? name : "a.txt", b.data, b.length);
        buffer_free(&b);
        b = finish(&w);
    }
    return b;
}

static void four_archives_in_one_another_are_read_and_five_are_not(void **state)
{
    (void)state;
    struct buffer b = nest("zip", ARCHIVE_FILTER_NONE, "z.zip", "deep", 4);
    struct document_list list = read_archive(&b);
    CHECK("4 zips", &list, {"c/z.zip/z.zip/z.zip/a.txt", "deep", 0});
    b = nest("zip", ARCHIVE_FILTER_NONE, "z.zip", "deep", 5);
    list = read_archive(&b);
    CHECK("5 zips", &list, {"c/z.zip/z.zip/z.zip/z.zip", NULL, CODE_document_nesting_too_deep});
    b = nest("raw", ARCHIVE_FILTER_GZIP, "x", "deep", 4);
    list = read_archive(&b);
    CHECK("4 gzips", &list, {"c", "deep", 0});
    b = nest("raw", ARCHIVE_FILTER_GZIP, "x", "deep", 25);
    list = read_archive(&b);
    CHECK("25 gzips", &list, {"c", NULL, CODE_document_nesting_too_deep});
    b = nest("pax", ARCHIVE_FILTER_GZIP, "t.tgz", "deep", 4);
    list = read_archive(&b);
    CHECK("4 tar.gz", &list, {"c/t.tgz/t.tgz/t.tgz/a.txt", "deep", 0});
}

static void an_archive_that_holds_itself_is_stopped_by_its_digest(void **state)
{
    const struct member members[] = {FILE_("a.txt", "a")};
    struct document_list list = {0};
    struct error err = {0};
    char sha256[SHA256_HEX_BYTES];
    (void)state;
    struct buffer b = make_zip(members, 1);
    sha256_hex(b.data, b.length, sha256);
    const struct open_archive outermost = {sha256, NULL}, inner = {"other", &outermost};
    struct reading r = {.out = &list,
                        .limits = {.max_bytes = MIB, .max_members = 10, .max_depth = 4, .max_expanded = MIB},
                        .open = &inner,
                        .depth = 2,
                        .max_expanded = MIB};
    assert_int_equal(reading_add_bytes(&r, "c/c.zip", "c.zip", b.data, b.length, 0, &err), DOCKET_OK);
    assert_string_equal(list.items[0].error.message, "c.zip: an archive that holds itself");
    CHECK("quine", &list, {"c/c.zip", NULL, CODE_archive_recursive});
    buffer_free(&b);
    name_set_free(&r.names);
}

static void what_expands_too_far_stops_and_keeps_the_members_before(void **state)
{
    char *zeros = mem_zalloc(1, 20 * MIB);
    struct writer w;
    (void)state;
    memset(zeros, 'a', 20 * MIB);
    begin(&w, "zip", ARCHIVE_FILTER_NONE);
    add(&w, "a.txt", "a", 1);
    add(&w, "bomb.txt", zeros, 20 * MIB);
    add(&w, "b.txt", "b", 1);
    struct buffer b = finish(&w);
    assert_true(b.length < 40 * KIB); /* so that 200 times that and 10 MiB is below 20 MiB */
    struct document_list list = read_archive(&b);
    CHECK("zip", &list, {"c/a.txt", "a", 0}, {"c", NULL, CODE_document_expands_too_far});

    begin(&w, "raw", ARCHIVE_FILTER_GZIP);
    add(&w, "x", zeros, 20 * MIB);
    b = finish(&w);
    list = read_archive(&b);
    CHECK("gzip", &list, {"c", NULL, CODE_document_expands_too_far});

    /* many members, each small enough; the limit counts them all, and those of archives inside */
    const struct document_limits small = {.max_expanded = 100000, .max_bytes = 30000};
    begin(&w, "pax", ARCHIVE_FILTER_GZIP);
    for (size_t i = 0; i < 5; i++) add(&w, "a.txt", zeros, 30000);
    b = finish(&w);
    list = read_with("c.tgz", &b, &small);
    assert_int_equal(list.n, 4);
    assert_int_equal(list.items[3].error.code, CODE_document_expands_too_far);
    assert_string_equal(list.items[3].id, "c");
    document_list_free(&list);

    begin(&w, "zip", ARCHIVE_FILTER_NONE);
    add(&w, "large.txt", zeros, 30001);
    add(&w, "b.txt", "b", 1);
    b = finish(&w);
    list = read_with("c.zip", &b, &small);
    CHECK("large member", &list, {"c/large.txt", NULL, CODE_document_too_large}, {"c/b.txt", "b", 0});

    struct buffer inner;
    begin(&w, "pax", ARCHIVE_FILTER_GZIP);
    for (size_t i = 0; i < 4; i++) add(&w, "a.txt", zeros, 30000);
    inner = finish(&w);
    begin(&w, "zip", ARCHIVE_FILTER_NONE);
    add(&w, "i.tgz", inner.data, inner.length);
    add(&w, "b.txt", "b", 1);
    b = finish(&w);
    buffer_free(&inner);
    list = read_with("c.zip", &b, &small);
    assert_int_equal(list.n, 4);
    assert_string_equal(list.items[2].id, "c/i.tgz/a (3).txt");
    assert_string_equal(list.items[3].id, "c");
    assert_int_equal(list.items[3].error.code, CODE_document_expands_too_far);
    document_list_free(&list);
    mem_free(zeros);
}

/* Directory entries that all point to the same bytes, and headers that lie in one another's data. */
static void overlapping_members_are_bounded(void **state)
{
    const struct member members[] = {FILE_("a.txt", "aaaaaaaaaaaaaaaa")};
    (void)state;
    struct buffer one = make_zip(members, 1), b = {0};
    size_t local = 30 + 5 + 16, entry = 46 + 5;
    buffer_append(&b, one.data, local);
    for (size_t i = 0; i < 2000; i++) {
        buffer_append(&b, one.data + local, entry);
        b.data[b.length - 1] = (char)('a' + i % 26);
    }
    buffer_append(&b, "PK\5\6\0\0\0\0", 8);
    put16(&b, 2000);
    put16(&b, 2000);
    put32(&b, 2000 * entry);
    put32(&b, local);
    put16(&b, 0);
    buffer_free(&one);
    struct document_list list = read_archive(&b);
    assert_true(list.n >= 1 && list.n <= 2001);
    assert_int_equal(list.items[0].bytes, 16);
    document_list_free(&list);
}

static void members_beyond_the_limit_are_one_error(void **state)
{
    static struct member members[10001];
    static char names[10001][8];
    (void)state;
    for (size_t i = 0; i < 10001; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu", i);
        members[i] = (struct member){.name = names[i], .data = "", .length = 0};
    }
    struct buffer b = make_zip(members, 10001);
    struct document_list list = read_archive(&b);
    assert_int_equal(list.n, 10001);
    assert_int_equal(list.items[9999].error.code, CODE_document_empty);
    assert_int_equal(list.items[10000].error.code, CODE_archive_too_many_members);
    assert_string_equal(list.items[10000].id, "c");
    document_list_free(&list);

    b = make_zip(members, 10000);
    list = read_archive(&b);
    assert_int_equal(list.n, 10000);
    assert_int_equal(list.items[9999].error.code, CODE_document_empty);
    document_list_free(&list);

    struct writer w;
    const struct document_limits limits = {.max_members = 3};
    begin(&w, "ustar", ARCHIVE_FILTER_NONE);
    for (size_t i = 0; i < 5; i++) add_kind(&w, "folder", AE_IFDIR, NULL, NULL, 0);
    b = finish(&w);
    list = read_with("c.tar", &b, &limits);
    CHECK("folders", &list, {"c", NULL, CODE_archive_too_many_members});
}

static void other_archives_are_not_read(void **state)
{
    static const struct {
        const char *format;
        enum error_code code;
    } formats[] = {{"cpio", CODE_document_type_unsupported},  {"newc", CODE_document_type_unsupported},
                   {"arbsd", CODE_document_type_unsupported}, {"iso9660", CODE_document_type_unsupported},
                   {"xar", CODE_document_type_unsupported},   {"warc", CODE_document_type_unsupported}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        struct writer w;
        begin(&w, formats[i].format, ARCHIVE_FILTER_NONE);
        add(&w, "a.txt", "a", 1);
        struct buffer b = finish(&w);
        struct document_list list = read_archive(&b);
        CHECK(formats[i].format, &list, {"c", NULL, formats[i].code});
    }
}

static void office_files_are_no_archives(void **state)
{
    static const struct {
        const char *first, *data, *second, *media_type;
    } files[] = {
        {"[Content_Types].xml", "<Types/>", "word/document.xml",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {"xl/workbook.xml", "<x/>", "[Content_Types].xml",
         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"_rels/.rels", "<x/>", "[Content_Types].xml", "application/vnd.openxmlformats-officedocument"},
        {"mimetype", "application/vnd.oasis.opendocument.text", "content.xml",
         "application/vnd.oasis.opendocument.text"},
        {"mimetype", "application/epub+zip", "x", "application/epub+zip"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        const struct member members[] = {
            {.name = files[i].first, .data = files[i].data, .length = strlen(files[i].data)},
            FILE_("word.txt", "x"),
            {.name = files[i].second, .data = "<x/>", .length = 4}};
        struct buffer b = make_zip(members, 3);
        struct document_list list = read_with("invoice.pdf", &b, NULL);
        assert_int_equal(list.n, 1);
        assert_string_equal(list.items[0].media_type, files[i].media_type);
        assert_string_equal(list.items[0].detected_by, "content");
        assert_string_equal(list.items[0].id, "c");
        assert_null(list.items[0].text); /* there is nothing in them, or nobody reads them yet */
        document_list_free(&list);
    }
}

static void odd_but_sound_zips_are_read(void **state)
{
    const struct member members[] = {FILE_("a.txt", "a")};
    struct buffer prefixed = {0};
    (void)state;
    struct buffer b = make_zip(members, 1);
    buffer_append(&prefixed, "#!stub\0\0\0\0", 10);
    buffer_append(&prefixed, b.data, b.length);
    struct document_list list = read_archive(&prefixed);
    CHECK("something in front", &list, {"c/a.txt", "a", 0});
    b.data[b.length - 2] = (char)0xff;
    b.data[b.length - 1] = (char)0xff;
    for (size_t i = 0; i < 65535; i++) buffer_append_char(&b, 'x');
    list = read_archive(&b);
    CHECK("a comment of 64 KiB", &list, {"c/a.txt", "a", 0});
}

static void damage_anywhere_never_breaks_more_than_the_archive(void **state)
{
    static const char *const formats[] = {"zip", "pax", "gnutar"};
    uint32_t seed = 42;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        struct writer w;
        begin(&w, formats[i], ARCHIVE_FILTER_NONE);
        add(&w, "a.txt", "some text to read", 17);
        add(&w, "b.txt", "more", 4);
        struct buffer b = finish(&w);
        for (size_t k = 0; k < 3000; k++) {
            struct document_list list = {0};
            struct error err = {0};
            char *copy = mem_dup(b.data, b.length);
            for (size_t n = 0; n <= k % 3; n++) {
                seed = seed * 1664525 + 1013904223;
                copy[(seed >> 8) % b.length] ^= (char)(1u << (seed & 7));
            }
            assert_int_equal(documents_from_bytes(&list, "c", "c.tar", copy, b.length, NULL, &err), DOCKET_OK);
            assert_true(list.n >= 1 && list.n < 10);
            document_list_free(&list);
            mem_free(copy);
        }
        buffer_free(&b);
    }
}

static void any_allocation_may_fail(void **state)
{
    struct writer w;
    struct buffer inner = nest("pax", ARCHIVE_FILTER_GZIP, "t.tgz", "deep", 2);
    (void)state;
    begin(&w, "zip", ARCHIVE_FILTER_NONE);
    add(&w, "a.txt", "a", 1);
    add(&w, "a.txt", "b", 1);
    add_kind(&w, "link", AE_IFLNK, "a.txt", NULL, 0);
    add(&w, "i.tgz", inner.data, inner.length);
    struct buffer b = finish(&w);
    for (size_t n = 1;; n++) {
        struct document_list list = {0};
        struct error err = {0};
        mem_fail_at(n, n % 2 == 0);
        enum status st = documents_from_bytes(&list, "c", "c.zip", b.data, b.length, NULL, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK ? done && list.n == 4 : st == DOCKET_NO_MEMORY && list.n == 0);
        document_list_free(&list);
        if (done) break;
    }
    buffer_free(&b);
    buffer_free(&inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_order_whatever_the_packing),
        cmocka_unit_test(a_compressed_file_is_one_document),
        cmocka_unit_test(an_archive_without_files_is_an_empty_document),
        cmocka_unit_test(names_are_shown_cleaned_and_unique),
        cmocka_unit_test(names_beyond_ascii_survive_every_format_in_the_c_locale),
        cmocka_unit_test(ids_of_the_job_are_not_taken_by_members),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(a_sparse_file_of_8_tib_is_skipped),
        cmocka_unit_test(members_with_a_password_are_named_and_the_others_read),
        cmocka_unit_test(a_damaged_member_loses_no_siblings),
        cmocka_unit_test(sizes_that_disagree_end_in_an_error_or_in_what_was_read),
        cmocka_unit_test(a_cut_archive_keeps_what_was_before_the_cut),
        cmocka_unit_test(a_tar_without_its_end_mark_is_said_to_be_cut),
        cmocka_unit_test(four_archives_in_one_another_are_read_and_five_are_not),
        cmocka_unit_test(an_archive_that_holds_itself_is_stopped_by_its_digest),
        cmocka_unit_test(what_expands_too_far_stops_and_keeps_the_members_before),
        cmocka_unit_test(overlapping_members_are_bounded),
        cmocka_unit_test(members_beyond_the_limit_are_one_error),
        cmocka_unit_test(other_archives_are_not_read),
        cmocka_unit_test(office_files_are_no_archives),
        cmocka_unit_test(odd_but_sound_zips_are_read),
        cmocka_unit_test(damage_anywhere_never_breaks_more_than_the_archive),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
