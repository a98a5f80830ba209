/* archive.c: zip, tar, 7z, rar and compressed files → their members, through libarchive with only these formats switched on: with all
 * of them on it takes texts for archives and starts programs. Nothing is written to disk, names open nothing. */
#include "handlers/documents/charset.h"
#include "handlers/documents/extract.h"
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>

#define MAX_EMPTY_BLOCKS 1000
#define MAX_BAD_HEADERS  16
#define MAX_MEMBERS      10000
#define MAX_EXPANDED     GIB

/* One archive while its members are read. */
struct walk {
    const struct extract_input *in;
    struct extract_sink *sink;
    struct archive *a;
    enum document_kind kind;
    const unsigned char *bytes;
    size_t length, max_members;
    uint64_t expanded, max_expanded;
    bool single;       /* one compressed file, no tar in it */
    bool lost_members; /* the last member broke off; if the archive ends there, that is said already */
    bool unwanted;     /* the sink wants no more */
    size_t n_members, n_folders;
};

/* libarchive turns names into the locale's characters; in the C locale those beyond ASCII are lost. Only this thread's changes. */
static locale_t utf8_locale;
static void make_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static locale_t enter_utf8(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    return utf8_locale ? uselocale(utf8_locale) : (locale_t)0;
}

void archive_prepare(void)
{
    locale_t before = enter_utf8();
    if (before) uselocale(before);
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to unpack an archive");
}

static enum document_kind kind_of_type(const char *media_type)
{
    static const struct {
        const char *media_type;
        enum document_kind kind;
    } kinds[] = {
        {"application/zip", KIND_ZIP},     {"application/x-tar", KIND_TAR}, {"application/x-7z-compressed", KIND_7Z},
        {"application/vnd.rar", KIND_RAR}, {"application/gzip", KIND_GZIP}, {"application/x-bzip2", KIND_BZIP2},
        {"application/x-xz", KIND_XZ},     {"application/zstd", KIND_ZSTD}, {"application/x-lz4", KIND_LZ4}};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (strcmp(kinds[i].media_type, media_type) == 0) return kinds[i].kind;
    return KIND_UNREAD;
}

static enum status open_archive(struct walk *w)
{
    static const int filters[] = {
        [KIND_GZIP] = ARCHIVE_FILTER_GZIP, [KIND_BZIP2] = ARCHIVE_FILTER_BZIP2, [KIND_XZ] = ARCHIVE_FILTER_XZ,
        [KIND_ZSTD] = ARCHIVE_FILTER_ZSTD, [KIND_LZ4] = ARCHIVE_FILTER_LZ4,
    };
    w->a = archive_read_new();
    if (!w->a) return DOCKET_NO_MEMORY;
    bool compressed = w->kind >= KIND_GZIP && w->kind <= KIND_LZ4;
    if (w->kind == KIND_ZIP)
        archive_read_support_format_zip(w->a);
    else if (w->kind == KIND_7Z)
        archive_read_support_format_7zip(w->a);
    else if (w->kind == KIND_RAR) {
        archive_read_support_format_rar(w->a);
        archive_read_support_format_rar5(w->a);
    } else
        archive_read_support_format_tar(w->a);
    if (compressed) {
        archive_read_support_format_raw(w->a);
        archive_read_support_format_empty(w->a);
        /* Exactly one filter, not as many as the bytes ask for. A warning means that it would be a program. */
        if (archive_read_append_filter(w->a, filters[w->kind]) != ARCHIVE_OK) return DOCKET_UNSUPPORTED;
    }
    return archive_read_open_memory(w->a, w->bytes, w->length) == ARCHIVE_OK ? DOCKET_OK : DOCKET_CORRUPT;
}

/* The member's bytes to the sink (`sent`) as long as they fit and all counted, or only counted. `why` says what is wrong with it;
 * LIMIT: the archive's limit; NO_MEMORY; CANCELLED: the sink wants no more. */
static enum status read_data(struct walk *w, bool sent, struct error *why)
{
    const size_t most = w->in->max_part_bytes ? w->in->max_part_bytes : SIZE_MAX;
    size_t have = 0, size = 0, empty = 0;
    const void *block;
    la_int64_t offset;
    for (;;) {
        int result = archive_read_data_block(w->a, &block, &size, &offset);
        if (result == ARCHIVE_EOF) break;
        if (result != ARCHIVE_OK && archive_errno(w->a) == ENOMEM) return DOCKET_NO_MEMORY;
        empty = size ? 0 : empty + 1;
        if (result != ARCHIVE_OK || empty > MAX_EMPTY_BLOCKS || (sent && offset != (la_int64_t)have)) {
            w->lost_members = sent && result == ARCHIVE_FATAL;
            fail(why, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short");
            return DOCKET_OK;
        }
        w->expanded += size;
        if (w->expanded > w->max_expanded) return DOCKET_LIMIT;
        have += size;
        if (!sent || have > most) continue;
        w->unwanted = !w->sink->part_bytes(w->sink, block, size);
        if (w->unwanted) return DOCKET_CANCELLED;
    }
    if (sent && have > most)
        fail(why, DOCKET_LIMIT, CODE_document_too_large, "%zu bytes, at most %zu are read", have, most);
    return DOCKET_OK;
}

static const char *kind_of(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry)) return "a hard link";
    if (archive_entry_sparse_count(entry) > 0) return "a sparse file";
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return NULL;
    case AE_IFLNK:
        return "a symbolic link";
    case AE_IFCHR:
    case AE_IFBLK:
        return "a device";
    case AE_IFIFO:
        return "a pipe";
    case AE_IFSOCK:
        return "a socket";
    default:
        return "no regular file";
    }
}

/* Statuses as read_data's; the error of a limit is the caller's to make. */
static enum status add_part(struct walk *w, const char *name, bool sent, struct error *why)
{
    w->unwanted = !w->sink->part_begin(w->sink, name, name ? strlen(name) : 0);
    if (w->unwanted) return DOCKET_CANCELLED;
    enum status st = DOCKET_OK;
    if (sent)
        st = read_data(w, true, why);
    else if (why->code == CODE_archive_member_skipped)
        st = read_data(w, false, NULL);
    if (st != DOCKET_OK) return st;
    w->unwanted = !w->sink->part_end(w->sink, why->code != CODE_NONE ? why : NULL);
    w->sink->fact(w->sink, FACT_EXPANDED_BYTES, w->expanded);
    return w->unwanted ? DOCKET_CANCELLED : DOCKET_OK;
}

/* The name in the header before the member's data, which the library keeps to itself where it says that it is UTF-8 and is not. */
static const char *zip_name(const struct walk *w, size_t *length)
{
    enum { HEAD = 30, FARTHEST = 8192 /* longer names say nothing */ };
    la_int64_t position = archive_filter_bytes(w->a, 0);
    if (w->kind != KIND_ZIP || position < HEAD || (uint64_t)position > w->length) return NULL;
    const size_t data = (size_t)position, least = data > HEAD + FARTHEST ? data - HEAD - FARTHEST : 0;
    for (size_t at = data - HEAD + 1; at-- > least;) {
        const unsigned char *h = w->bytes + at;
        size_t n = h[26] | (size_t)h[27] << 8, extra = h[28] | (size_t)h[29] << 8;
        if (memcmp(h, "PK\3\4", 4) != 0 || at + HEAD + n + extra != data) continue;
        *length = n;
        return (const char *)h + HEAD;
    }
    return NULL;
}

/* A name that is no UTF-8: of a zip that does not say that it is, in the charset of the format's first years; otherwise with the bytes that
 * are none spelled out. */
static bool spell_name(struct buffer *out, const struct walk *w, const char *raw, size_t length, bool said)
{
    struct charset_result found;
    uint32_t c;
    if (w->kind == KIND_ZIP && !said) return charset_convert(out, raw, length, "CP437", &found, NULL) == DOCKET_OK;
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_next(raw + at, length - at, &c);
        if (n)
            buffer_append(out, raw + at, n);
        else
            buffer_printf(out, "%%%02X", (unsigned char)raw[at]);
        n += n == 0;
    }
    return !out->failed;
}

static enum status add_member(struct walk *w, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry), *kind = kind_of(entry);
    struct buffer spelled = {0};
    struct error why = {0};
    if (!name) {
        const char *raw = archive_entry_pathname(entry);
        size_t length = raw ? strlen(raw) : 0;
        const bool said = raw == NULL;
        if (!raw) raw = zip_name(w, &length);
        if (raw && !spell_name(&spelled, w, raw, length, said)) {
            buffer_free(&spelled);
            return DOCKET_NO_MEMORY;
        }
        name = spelled.length && buffer_append_char(&spelled, '\0') ? spelled.data : "";
    }
    if (archive_entry_is_encrypted(entry))
        fail(&why, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    else if (kind)
        fail(&why, DOCKET_UNSUPPORTED, CODE_archive_member_skipped, "%s, which is not read", kind);
    enum status st = add_part(w, name, why.code == CODE_NONE, &why);
    buffer_free(&spelled);
    return st;
}

static enum status too_many(const char *what, size_t limit, struct error *err)
{
    return fail(err, DOCKET_LIMIT, CODE_archive_too_many_members, "more %s than %zu", what, limit);
}

static enum status one_entry(struct walk *w, struct archive_entry *entry, struct error *err)
{
    struct error why = {0};
    enum status st;
    w->single = archive_format(w->a) == ARCHIVE_FORMAT_RAW;
    if (w->single)
        st = add_part(w, NULL, true, &why);
    else if (archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry)) {
        if (w->n_folders++ >= w->max_members) return too_many("folders", w->max_members, err);
        st = read_data(w, false, NULL); /* there should be none; what there is counts */
        w->sink->fact(w->sink, FACT_FOLDERS, w->n_folders);
        w->sink->fact(w->sink, FACT_EXPANDED_BYTES, w->expanded);
    } else {
        if (w->n_members++ >= w->max_members) return too_many("members", w->max_members, err);
        st = add_member(w, entry);
    }
    if (st == DOCKET_LIMIT)
        return fail(err, DOCKET_LIMIT, CODE_document_expands_too_far, "unpacks to more bytes than %llu",
                    (unsigned long long)w->max_expanded);
    if (st == DOCKET_NO_MEMORY) return no_memory(err);
    return DOCKET_OK;
}

static enum status broken(const struct walk *w, struct error *err)
{
    return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short, %zu members were read",
                w->n_members);
}

/* A compressed stream of no bytes. The library does not tell it from one that breaks before its first byte. */
static bool packs_nothing(const struct walk *w)
{
    const unsigned char *end = w->bytes + w->length;
    switch (w->kind) {
    case KIND_GZIP: /* CRC and length */
        return w->length >= 18 && memcmp(end - 8, "\0\0\0\0\0\0\0\0", 8) == 0;
    case KIND_BZIP2: /* the end mark where the first block would be */
        return w->length >= 14 && memcmp(w->bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0;
    case KIND_XZ: /* the footer */
        return w->length >= 32 && memcmp(end - 2, "YZ", 2) == 0;
    case KIND_LZ4: /* the end mark, a checksum behind it or not */
        return w->length >= 11 && w->length <= 23 &&
               (memcmp(end - 4, "\0\0\0\0", 4) == 0 || memcmp(end - 8, "\0\0\0\0", 4) == 0);
    default: /* zstd: a last block of length 0, a checksum behind it or not */
        return w->length >= 8 && w->length <= 24 &&
               (memcmp(end - 3, "\1\0\0", 3) == 0 || memcmp(end - 7, "\1\0\0", 3) == 0);
    }
}

/* What the end of the archive, reached or not, says about it. */
static enum status conclude(const struct walk *w, int result, struct error *err)
{
    bool unmarked = w->kind == KIND_TAR && (uint64_t)archive_read_header_position(w->a) >= w->length;
    bool broke_at_once = archive_format(w->a) == ARCHIVE_FORMAT_EMPTY && !packs_nothing(w);
    if (result == ARCHIVE_FATAL && archive_errno(w->a) == ENOMEM) return no_memory(err);
    if (unmarked || broke_at_once) result = ARCHIVE_FATAL; /* unmarked: a tar ends with zeros */
    if (result != ARCHIVE_EOF) {
        if (archive_read_has_encrypted_entries(w->a) > 0 && w->n_members == 0)
            return fail(err, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
        return w->lost_members ? DOCKET_OK : broken(w, err);
    }
    if (w->n_members == 0 && !w->single)
        return fail(err, DOCKET_UNSUPPORTED, CODE_document_empty, "an archive without files");
    return DOCKET_OK;
}

static enum status walk_members(struct walk *w, struct error *err)
{
    struct archive_entry *entry;
    size_t bad = 0;
    for (;;) {
        int result = archive_read_next_header(w->a, &entry);
        bool readable = result == ARCHIVE_OK || result == ARCHIVE_WARN;
        if (!readable && result != ARCHIVE_EOF && result != ARCHIVE_FATAL && ++bad < MAX_BAD_HEADERS) continue;
        if (!readable) return conclude(w, result, err);
        w->lost_members = false;
        enum status st = one_entry(w, entry, err);
        if (st != DOCKET_OK || w->unwanted || w->single) return st;
    }
}

enum status extract_archive(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct walk w = {.in = in,
                     .sink = sink,
                     .kind = kind_of_type(in->media_type),
                     .bytes = in->bytes,
                     .length = in->length,
                     .max_members = in->max_members ? in->max_members : MAX_MEMBERS,
                     .max_expanded = in->max_expanded ? in->max_expanded : MAX_EXPANDED};
    locale_t before = enter_utf8();
    enum status st = open_archive(&w);
    if (st == DOCKET_NO_MEMORY)
        no_memory(err);
    else
        st = st == DOCKET_OK ? walk_members(&w, err) : broken(&w, err);
    archive_read_free(w.a);
    if (before) uselocale(before);
    return st;
}
