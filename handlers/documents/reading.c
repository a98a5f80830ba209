/* reading.c: one document's bytes → documents: has them read, in the sandbox's child, and takes what comes back as from a stranger: text
 * is cleaned and bounded, parts are counted and read in their turn. Knows no format. */
#include "handlers/documents/extract.h"
#include "handlers/documents/readers.h"
#include "handlers/documents/sandbox.h"
#include "handlers/documents/tools.h"
#include "handlers/job_input.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_RATIO 200 /* of what an archive unpacks to against its own bytes, 10 MiB on top */
#define MAX_TEXT  3   /* bytes of text for each that is allowed in a file: what Windows-1252 comes to at most */

/* What a container says about one document inside it, until it is complete. */
struct part {
    bool itself; /* the document, unpacked */
    char *name;  /* cleaned */
    struct buffer bytes;
    size_t length; /* with what was dropped */
    uint64_t begun_ns;
};

struct collector {
    struct extract_receiver receiver;
    struct reading *r;
    struct document *d;
    const char *id;
    struct reader reader; /* empty: the type is not known or not read */
    struct text_cleaner text;
    struct part part;
    size_t slot; /* of the document in the list, where members follow it */
    bool has_slot, archive, entered;
    uint64_t expanded, folders; /* of this document alone */
    struct open_archive open;
    enum status st; /* NO_MEMORY */
    struct error *err;
};

static struct collector *of(struct extract_sink *sink)
{
    return (struct collector *)sink; /* the first member of the first member */
}

static bool out_of_memory(struct collector *c)
{
    c->st = fail(c->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a document");
    return false;
}

/* A limit of the whole; the outermost archive says so at the end. */
static bool stop(struct reading *r, enum error_code code, const char *what, uint64_t limit)
{
    if (r->stop.code == CODE_NONE)
        fail(&r->stop, DOCKET_LIMIT, code, "%s %llu, what was read until then is kept", what,
             (unsigned long long)limit);
    return false;
}

static bool add_expanded(struct collector *c, uint64_t n)
{
    struct reading *r = c->r;
    c->expanded += n;
    r->expanded = r->expanded > UINT64_MAX - n ? UINT64_MAX : r->expanded + n;
    if (r->expanded <= r->max_expanded) return true;
    return stop(r, CODE_document_expands_too_far, "unpacks to more bytes than", r->max_expanded);
}

/* The type */

static bool holds_itself(const struct reading *r, const char *sha256)
{
    for (const struct open_archive *o = r->open; o; o = o->outer)
        if (strcmp(o->sha256, sha256) == 0) return true;
    return false;
}

/* Ids of the input that a member could be given: they are the caller's. */
static bool reserve_ids(struct reading *r, const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; r->input && i < r->input->n_documents; i++) {
        const char *other = r->input->documents[i].id;
        if (strncmp(other, id, n) == 0 && other[n] == '/' && !name_set_add(&r->names, other)) return false;
    }
    return true;
}

/* Before the first document inside: one level deeper. false with the document's error set: no deeper. */
static bool enter(struct collector *c)
{
    struct reading *r = c->r;
    struct document *d = c->d;
    if (c->entered) return true;
    if (r->depth >= r->limits.max_depth) {
        fail(&d->error, DOCKET_LIMIT, CODE_document_nesting_too_deep, "%s: more than %zu archives in one another",
             document_shown(d), r->limits.max_depth);
        return false;
    }
    if (holds_itself(r, d->sha256)) {
        fail(&d->error, DOCKET_LIMIT, CODE_archive_recursive, "%s: an archive that holds itself", document_shown(d));
        return false;
    }
    if (r->depth == 0 && !reserve_ids(r, d->id)) return out_of_memory(c);
    c->open = (struct open_archive){d->sha256, r->open};
    r->open = &c->open;
    r->depth++;
    c->entered = true;
    return true;
}

static void leave(struct collector *c)
{
    if (!c->entered) return;
    c->r->depth--;
    c->r->open = c->open.outer;
    c->entered = false;
}

static bool take_type(struct extract_receiver *to, const struct extract_type *type)
{
    struct collector *c = of(&to->sink);
    struct document *d = c->d;
    snprintf(d->media_type, sizeof(d->media_type), "%s", type->media_type);
    snprintf(d->type_by_name, sizeof(d->type_by_name), "%s", type->by_name);
    d->detected_by = type->media_type[0] == '\0' ? NULL : type->from_content ? "content" : "name";
    c->reader = reader_for(type->media_type);
    c->archive = c->reader.archive;
    return !c->archive || enter(c);
}

/* Text and facts */

static bool take_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct collector *c = of(sink);
    return text_clean(&c->text, utf8, length);
}

static size_t as_size(uint64_t value)
{
    return value > SIZE_MAX ? SIZE_MAX : (size_t)value;
}

static void take_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    struct collector *c = of(sink);
    switch (fact) {
    case FACT_PAGES:
        c->d->pages = c->d->pages_read = as_size(value);
        break;
    case FACT_PAGES_SKIPPED:
        c->d->pages_read = c->d->pages > value ? c->d->pages - as_size(value) : 0;
        break;
    case FACT_OCR_PAGES:
        c->d->ocr_pages = as_size(value);
        break;
    case FACT_HIDDEN_CHARACTERS:
        c->d->hidden_characters = as_size(value);
        break;
    case FACT_EXPANDED_BYTES:
        if (value > c->expanded && c->archive) add_expanded(c, value - c->expanded);
        break;
    case FACT_PDF_SIGNS:
        c->d->pdf_signs = (unsigned)(value & UINT_MAX);
        break;
    case FACT_FOLDERS:
        if (value <= c->folders) break;
        c->r->n_folders += as_size(value - c->folders);
        c->folders = value;
        if (c->r->n_folders > c->r->limits.max_members)
            stop(c->r, CODE_archive_too_many_members, "more folders than", c->r->limits.max_members);
        break;
    default:
        break;
    }
}

/* Documents inside */

static void part_free(struct part *part)
{
    mem_free(part->name);
    buffer_free(&part->bytes);
    *part = (struct part){0};
}

/* A document that is more than its parts stands before them. */
static bool take_slot(struct collector *c)
{
    struct document placeholder = {0};
    if (c->archive || c->has_slot) return true;
    c->slot = c->r->out->n;
    c->has_slot = document_append(c->r->out, &placeholder, c->err) == DOCKET_OK;
    return c->has_slot || out_of_memory(c);
}

static bool take_part_begin(struct extract_sink *sink, const char *name, size_t length)
{
    struct collector *c = of(sink);
    struct reading *r = c->r;
    if (r->stop.code != CODE_NONE || !enter(c)) return false;
    part_free(&c->part);
    c->part.itself = name == NULL;
    c->part.begun_ns = clock_now_ns();
    if (!name) return true;
    if (r->n_members++ >= r->limits.max_members)
        return stop(r, CODE_archive_too_many_members, "more members than", r->limits.max_members);
    c->part.name = name_clean(name, length);
    return c->part.name ? take_slot(c) : out_of_memory(c);
}

static bool take_part_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    struct collector *c = of(sink);
    if (!add_expanded(c, length)) return false;
    c->part.length += length;
    if (c->part.length > c->r->limits.max_bytes) return true; /* only counted */
    return buffer_append(&c->part.bytes, bytes, length) || out_of_memory(c);
}

/* letter.txt.gz: the document itself, unpacked, under the id that it came with. */
static enum status add_itself(struct collector *c, const struct error *why)
{
    static const char *const endings[] = {".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd", ".lz4"};
    const char *given = c->d->filename;
    size_t n = given ? strlen(given) : 0;
    if (why) {
        c->d->error = *why;
        error_prefix(&c->d->error, "%s", document_shown(c->d));
        return DOCKET_OK;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        size_t k = strlen(endings[i]);
        if (n <= k || strcasecmp(given + n - k, endings[i]) != 0) continue;
        n -= k;
        break;
    }
    char *filename = given ? str_dup_n(given, n) : NULL;
    if (given && !filename) {
        out_of_memory(c);
        return DOCKET_NO_MEMORY;
    }
    enum status st = reading_add_bytes(c->r, c->id, filename, c->part.bytes.data, c->part.bytes.length,
                                       clock_seconds_since(c->part.begun_ns), c->err);
    mem_free(filename);
    return st;
}

static enum status add_member(struct collector *c, struct error *why)
{
    char *wanted = str_format("%s/%s", c->id, c->part.name);
    char *id = wanted ? name_set_unique(&c->r->names, wanted) : NULL;
    const char *filename = name_last_part(c->part.name);
    enum status st = DOCKET_NO_MEMORY;
    if (!id)
        out_of_memory(c);
    else if (why) {
        error_prefix(why, "%s", filename);
        st = reading_add_error(c->r, id, filename, why, c->err);
    } else
        st = reading_add_bytes(c->r, id, filename, c->part.bytes.data, c->part.bytes.length,
                               clock_seconds_since(c->part.begun_ns), c->err);
    mem_free(id);
    mem_free(wanted);
    return st;
}

static bool take_part_end(struct extract_sink *sink, const struct error *given)
{
    struct collector *c = of(sink);
    struct error why = given ? *given : (struct error){0};
    if (!given && c->part.length > c->r->limits.max_bytes)
        fail(&why, DOCKET_LIMIT, CODE_document_too_large, "%zu bytes, at most %zu are read", c->part.length,
             c->r->limits.max_bytes);
    struct error *wrong = why.code != CODE_NONE ? &why : NULL;
    enum status st = c->part.itself ? add_itself(c, wrong) : add_member(c, wrong);
    if (st != DOCKET_OK) c->st = st;
    part_free(&c->part);
    return c->st == DOCKET_OK && c->r->stop.code == CODE_NONE;
}

/* The whole */

/* Documents inside that were read are not taken back. */
static bool forget(struct extract_receiver *to)
{
    struct collector *c = of(&to->sink);
    if (c->has_slot || c->expanded > 0 || c->folders > 0 || c->st != DOCKET_OK) return false;
    size_t ceiling = c->text.out.ceiling;
    text_cleaner_free(&c->text);
    c->text.out.ceiling = ceiling;
    c->d->pages = c->d->pages_read = c->d->ocr_pages = c->d->hidden_characters = 0;
    leave(c);
    return true;
}

static uint64_t left_to_expand(struct reading *r, size_t length)
{
    if (r->depth == 0) {
        uint64_t by_ratio = (uint64_t)length * MAX_RATIO + 10 * MIB;
        r->max_expanded = by_ratio < r->limits.max_expanded ? by_ratio : r->limits.max_expanded;
        r->expanded = 0;
    }
    return r->expanded < r->max_expanded ? r->max_expanded - r->expanded : 1;
}

/* What a reader says went wrong with the document. */
static void take_error(struct collector *c, const struct error *why)
{
    struct reading *r = c->r;
    if (c->archive && why->code == CODE_document_expands_too_far)
        stop(r, why->code, "unpacks to more bytes than", r->max_expanded);
    else if (c->archive && why->code == CODE_archive_too_many_members)
        stop(r, why->code, r->n_folders >= r->limits.max_members ? "more folders than" : "more members than",
             r->limits.max_members);
    else if (c->d->error.code == CODE_NONE) {
        c->d->error = *why;
        error_prefix(&c->d->error, "%s", document_shown(c->d));
    }
}

static bool has_pages(const char *tool)
{
    return tool && (strcmp(tool, "pdftotext") == 0 || strcmp(tool, "tesseract") == 0);
}

static void read_bytes(struct collector *c, const void *bytes, size_t length)
{
    struct reading *r = c->r;
    const struct extract_input in = {
        .bytes = bytes,
        .length = length,
        .filename = c->d->filename,
        .media_type = "",
        .max_members = r->n_members < r->limits.max_members ? r->limits.max_members - r->n_members : 1,
        .max_part_bytes = r->limits.max_bytes,
        .max_expanded = left_to_expand(r, length)};
    struct error why = {0};
    enum status st = r->limits.sandbox ? sandbox_extract(r->limits.sandbox, &in, &c->receiver, &why)
                                       : extract_document(&in, &c->receiver, &why);
    leave(c);
    if (c->st != DOCKET_OK || c->text.out.failed) return;
    if (st == DOCKET_OK && r->limits.first_page && !c->archive && !has_pages(c->reader.tool))
        st = fail(&why, DOCKET_BAD_INPUT, CODE_document_source_invalid, "pages: told apart in PDF and images only");
    else if (st == DOCKET_OK && c->reader.tool && c->d->error.code == CODE_NONE)
        st = tools_read(&r->limits, c->reader.tool, &in, &c->receiver, c->d, &why);
    if (c->text.out.failed) return; /* it is for want of room that there is no text */
    if (st == DOCKET_NO_MEMORY && why.code == CODE_NONE) {
        c->st = st;
        *c->err = why;
    } else if (st != DOCKET_OK && r->stop.code == CODE_NONE)
        take_error(c, &why);
}

static enum status conclude(struct collector *c)
{
    struct reading *r = c->r;
    struct document *d = c->d;
    if (c->archive) {
        if (r->stop.code != CODE_NONE && r->depth == 0) {
            d->error = r->stop;
            error_prefix(&d->error, "%s", document_shown(d));
        }
        return DOCKET_OK;
    }
    return d->error.code == CODE_NONE ? text_finish(d, &c->text, c->err) : DOCKET_OK;
}

enum status reading_add_bytes(struct reading *r, const char *id, const char *filename, const void *bytes, size_t length,
                              double seconds, struct error *err)
{
    struct document d = {.bytes = length, .extract_seconds = seconds};
    struct collector c = {.receiver = {{.text = take_text,
                                        .part_begin = take_part_begin,
                                        .part_bytes = take_part_bytes,
                                        .part_end = take_part_end,
                                        .fact = take_fact},
                                       take_type,
                                       forget},
                          .r = r,
                          .d = &d,
                          .id = id,
                          .err = err};
    uint64_t start = clock_now_ns();
    enum status st = document_start(&d, id, filename, err);
    if (st != DOCKET_OK) goto done;
    sha256_hex(length ? bytes : "", length, d.sha256);
    if (!size_mul(r->limits.max_bytes, MAX_TEXT, &c.text.out.ceiling)) c.text.out.ceiling = SIZE_MAX;
    if (length == 0)
        fail(&d.error, DOCKET_UNSUPPORTED, CODE_document_empty, "%s: empty", document_shown(&d));
    else if (length > r->limits.max_bytes)
        fail(&d.error, DOCKET_LIMIT, CODE_document_too_large, "%s: %zu bytes, at most %zu are read", document_shown(&d),
             length, r->limits.max_bytes);
    else {
        read_bytes(&c, bytes, length);
        if (c.st == DOCKET_OK) c.st = conclude(&c);
    }
    st = c.st;
    if (st != DOCKET_OK) goto done;
    if (c.archive && d.error.code == CODE_NONE) goto done; /* its members stand for it */
    if (!c.archive) d.extract_seconds += clock_seconds_since(start) - d.ocr_seconds;
    if (c.has_slot)
        MOVE(r->out->items[c.slot], d);
    else
        st = document_append(r->out, &d, err);
done:
    part_free(&c.part);
    text_cleaner_free(&c.text);
    document_free(&d);
    return st;
}
