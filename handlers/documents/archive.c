/* archive.c: zip, tar and compressed files → their members, through libarchive with only these formats switched on: with all of
 * them on it takes texts for archives and starts programs. Nothing is written to disk, names open nothing. */
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>

#define MAX_EMPTY_BLOCKS 1000
#define MAX_BAD_HEADERS  16

/* One archive while its members are read. */
struct walk {
    struct reading *r;
    struct document *archive; /* whose members these are */
    struct archive *a;
    enum document_kind kind;
    const unsigned char *bytes;
    size_t length;
    bool single;       /* one compressed file, no tar in it */
    bool lost_members; /* the last member broke off; if the archive ends there, that is said already */
    size_t n_members;  /* of this archive alone */
    size_t n_folders;
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

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to unpack an archive");
}

/* A limit of the whole; the outermost archive says so at the end. */
static void stop(struct walk *w, enum error_code code, const char *what, uint64_t limit)
{
    if (w->r->stop.code == CODE_NONE)
        fail(&w->r->stop, DOCKET_LIMIT, code, "%s %llu, what was read until then is kept", what,
             (unsigned long long)limit);
}

static enum status open_archive(struct walk *w)
{
    static const int filters[] = {
        [KIND_GZIP] = ARCHIVE_FILTER_GZIP,
        [KIND_BZIP2] = ARCHIVE_FILTER_BZIP2,
        [KIND_XZ] = ARCHIVE_FILTER_XZ,
        [KIND_ZSTD] = ARCHIVE_FILTER_ZSTD,
    };
    w->a = archive_read_new();
    if (!w->a) return DOCKET_NO_MEMORY;
    bool compressed = w->kind != KIND_ZIP && w->kind != KIND_TAR;
    if (w->kind == KIND_ZIP)
        archive_read_support_format_zip(w->a);
    else
        archive_read_support_format_tar(w->a);
    if (compressed) {
        archive_read_support_format_raw(w->a);
        archive_read_support_format_empty(w->a);
        /* Exactly one filter, not as many as the bytes ask for. A warning means that it would be a program. */
        if (archive_read_append_filter(w->a, filters[w->kind]) != ARCHIVE_OK) return DOCKET_UNSUPPORTED;
    }
    return archive_read_open_memory(w->a, w->bytes, w->length) == ARCHIVE_OK ? DOCKET_OK : DOCKET_CORRUPT;
}

/* The member's bytes into `out` as long as they fit and all counted, or only counted (out NULL). `why` says what is wrong. */
static enum status read_data(struct walk *w, struct buffer *out, struct error *why)
{
    const size_t most = w->r->limits.max_bytes;
    size_t have = 0, size = 0, empty = 0;
    const void *block;
    la_int64_t offset;
    for (;;) {
        int result = archive_read_data_block(w->a, &block, &size, &offset);
        if (result == ARCHIVE_EOF) break;
        empty = size ? 0 : empty + 1;
        if (result != ARCHIVE_OK || empty > MAX_EMPTY_BLOCKS || (out && offset != (la_int64_t)have)) {
            w->lost_members = out && result == ARCHIVE_FATAL;
            return fail(why, DOCKET_CORRUPT, CODE_document_corrupt, "damaged or cut short");
        }
        w->r->expanded += size;
        if (w->r->expanded > w->r->max_expanded) {
            stop(w, CODE_document_expands_too_far, "unpacks to more bytes than", w->r->max_expanded);
            return DOCKET_LIMIT;
        }
        have += size;
        if (out && have <= most && !buffer_append(out, block, size)) return DOCKET_NO_MEMORY;
    }
    if (out && have > most)
        return fail(why, DOCKET_LIMIT, CODE_document_too_large, "%zu bytes, at most %zu are read", have, most);
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

static enum status member_bytes(struct walk *w, struct archive_entry *entry, const char *id, const char *filename,
                                struct error *err)
{
    struct buffer bytes = {0};
    struct error why = {0};
    const char *kind = kind_of(entry);
    uint64_t start = clock_now_ns();
    enum status st = DOCKET_OK, data = DOCKET_OK;
    if (archive_entry_is_encrypted(entry))
        fail(&why, DOCKET_UNSUPPORTED, CODE_document_encrypted, "needs a password");
    else if (kind) {
        fail(&why, DOCKET_UNSUPPORTED, CODE_archive_member_skipped, "%s, which is not read", kind);
        data = read_data(w, NULL, NULL);
    } else
        data = read_data(w, &bytes, &why);
    if (w->r->stop.code != CODE_NONE) goto done;
    if (data == DOCKET_NO_MEMORY)
        st = no_memory(err);
    else if (why.code != CODE_NONE) {
        error_prefix(&why, "%s", filename);
        st = reading_add_error(w->r, id, filename, &why, err);
    } else
        st = reading_add_bytes(w->r, id, filename, bytes.data, bytes.length, clock_seconds_since(start), err);
done:
    buffer_free(&bytes);
    return st;
}

static enum status add_member(struct walk *w, struct archive_entry *entry, struct error *err)
{
    const char *raw = archive_entry_pathname_utf8(entry);
    char *name = NULL, *wanted = NULL, *id = NULL;
    enum status st;
    if (!raw) raw = archive_entry_pathname(entry);
    name = name_clean(raw ? raw : "", raw ? strlen(raw) : 0);
    wanted = name ? str_format("%s/%s", w->archive->id, name) : NULL;
    id = wanted ? name_set_unique(&w->r->names, wanted) : NULL;
    st = id ? member_bytes(w, entry, id, name_last_part(name), err) : no_memory(err);
    mem_free(id);
    mem_free(wanted);
    mem_free(name);
    return st;
}

/* letter.txt.gz: the document itself, unpacked, under the id that it came with. */
static enum status add_single(struct walk *w, struct error *err)
{
    static const char *const endings[] = {".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd"};
    const char *given = w->archive->filename;
    size_t n = given ? strlen(given) : 0;
    char *filename = NULL;
    struct buffer bytes = {0};
    struct error why = {0};
    uint64_t start = clock_now_ns();
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        size_t k = strlen(endings[i]);
        if (n <= k || strcasecmp(given + n - k, endings[i]) != 0) continue;
        n -= k;
        break;
    }
    enum status st = DOCKET_OK, data = read_data(w, &bytes, &why);
    if (w->r->stop.code != CODE_NONE) goto done;
    filename = given ? str_dup_n(given, n) : NULL;
    if (data == DOCKET_NO_MEMORY || (given && !filename))
        st = no_memory(err);
    else if (why.code != CODE_NONE) {
        w->archive->error = why;
        error_prefix(&w->archive->error, "%s", document_shown(w->archive));
    } else
        st = reading_add_bytes(w->r, w->archive->id, filename, bytes.data, bytes.length, clock_seconds_since(start),
                               err);
done:
    mem_free(filename);
    buffer_free(&bytes);
    return st;
}

static enum status one_entry(struct walk *w, struct archive_entry *entry, struct error *err)
{
    struct reading *r = w->r;
    w->single = archive_format(w->a) == ARCHIVE_FORMAT_RAW;
    if (w->single) return add_single(w, err);
    if (archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry)) {
        w->n_folders++;
        if (r->n_folders++ >= r->limits.max_members)
            stop(w, CODE_archive_too_many_members, "more folders than", r->limits.max_members);
        else
            read_data(w, NULL, NULL); /* there should be none; what there is counts */
        return DOCKET_OK;
    }
    w->n_members++;
    if (r->n_members++ >= r->limits.max_members) {
        stop(w, CODE_archive_too_many_members, "more members than", r->limits.max_members);
        return DOCKET_OK;
    }
    return add_member(w, entry, err);
}

static void broken(struct walk *w, const char *what)
{
    fail(&w->archive->error, DOCKET_CORRUPT, CODE_document_corrupt, "%s: %s, %zu members were read",
         document_shown(w->archive), what, w->n_members);
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
    default: /* zstd: a last block of length 0, a checksum behind it or not */
        return w->length >= 8 && w->length <= 24 &&
               (memcmp(end - 3, "\1\0\0", 3) == 0 || memcmp(end - 7, "\1\0\0", 3) == 0);
    }
}

/* What the end of the archive, reached or not, says about it. */
static void conclude(struct walk *w, int result)
{
    bool unmarked = w->kind == KIND_TAR && (uint64_t)archive_read_header_position(w->a) >= w->length;
    bool broke_at_once = archive_format(w->a) == ARCHIVE_FORMAT_EMPTY && !packs_nothing(w);
    if (unmarked || broke_at_once) result = ARCHIVE_FATAL; /* unmarked: a tar ends with zeros */
    if (result != ARCHIVE_EOF) {
        if (archive_read_has_encrypted_entries(w->a) > 0 && w->n_members == 0)
            fail(&w->archive->error, DOCKET_UNSUPPORTED, CODE_document_encrypted, "%s: needs a password",
                 document_shown(w->archive));
        else if (!w->lost_members)
            broken(w, "damaged or cut short");
    } else if (w->n_members == 0 && !w->single)
        fail(&w->archive->error, DOCKET_UNSUPPORTED, CODE_document_empty, "%s: an archive without files",
             document_shown(w->archive));
}

static enum status walk_members(struct walk *w, struct error *err)
{
    struct archive_entry *entry;
    size_t bad = 0;
    for (;;) {
        int result = archive_read_next_header(w->a, &entry);
        bool readable = result == ARCHIVE_OK || result == ARCHIVE_WARN;
        if (!readable && result != ARCHIVE_EOF && result != ARCHIVE_FATAL && ++bad < MAX_BAD_HEADERS) continue;
        if (!readable) {
            conclude(w, result);
            return DOCKET_OK;
        }
        w->lost_members = false;
        enum status st = one_entry(w, entry, err);
        if (st != DOCKET_OK || w->r->stop.code != CODE_NONE || w->single) return st;
    }
}

static bool holds_itself(const struct reading *r, const char *sha256)
{
    for (const struct open_archive *o = r->open; o; o = o->outer)
        if (strcmp(o->sha256, sha256) == 0) return true;
    return false;
}

enum status archive_members(struct reading *r, struct document *archive, enum document_kind kind, const void *bytes,
                            size_t length, struct error *err)
{
    struct walk w = {.r = r, .archive = archive, .kind = kind, .bytes = bytes, .length = length};
    const struct open_archive open = {archive->sha256, r->open};
    if (r->depth >= r->limits.max_depth) {
        fail(&archive->error, DOCKET_LIMIT, CODE_document_nesting_too_deep, "%s: more than %zu archives in one another",
             document_shown(archive), r->limits.max_depth);
        return DOCKET_OK;
    }
    if (holds_itself(r, archive->sha256)) {
        fail(&archive->error, DOCKET_LIMIT, CODE_document_nesting_too_deep, "%s: an archive that holds itself",
             document_shown(archive));
        return DOCKET_OK;
    }
    locale_t before = enter_utf8();
    enum status st = open_archive(&w);
    if (st == DOCKET_NO_MEMORY)
        no_memory(err);
    else if (st != DOCKET_OK) {
        broken(&w, "damaged or cut short");
        st = DOCKET_OK;
    } else {
        r->open = &open;
        r->depth++;
        st = walk_members(&w, err);
        r->depth--;
        r->open = open.outer;
    }
    archive_read_free(w.a);
    if (before) uselocale(before);
    if (st == DOCKET_OK && r->stop.code != CODE_NONE && r->depth == 0) {
        archive->error = r->stop;
        error_prefix(&archive->error, "%s", document_shown(archive));
    }
    return st;
}
