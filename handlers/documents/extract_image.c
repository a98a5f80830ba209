/* extract_image.c: what an image says about itself before anything is decoded: its size and its number of pages. Whoever decodes it does
 * so in a box; this keeps from it what no machine should try. Reads headers alone, never a pixel. */
#include "handlers/documents/extract.h"

#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"

#include <string.h>

#define MAX_PIXELS UINT64_C(100000000)
#define MAX_PAGES  200

struct image {
    const unsigned char *data;
    size_t length;
    bool big; /* the order of its bytes */
    struct error *err;
};

static bool there(const struct image *m, uint64_t at, uint64_t n)
{
    return at <= m->length && n <= m->length - at;
}

/* n bytes, at most 8, that are there. */
static uint64_t number(const struct image *m, size_t at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) value = value << 8 | m->data[at + (m->big ? i : n - 1 - i)];
    return value;
}

static enum status cut_short(const struct image *m, const char *what)
{
    return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "an image that ends before %s", what);
}

static enum status check_size(const struct image *m, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0)
        return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "an image of %llu x %llu pixels",
                    (unsigned long long)width, (unsigned long long)height);
    if (width > MAX_PIXELS / height)
        return fail(m->err, DOCKET_LIMIT, CODE_document_too_large,
                    "an image of %llu x %llu pixels, at most %llu million are read", (unsigned long long)width,
                    (unsigned long long)height, (unsigned long long)(MAX_PIXELS / 1000000));
    return DOCKET_OK;
}

static enum status too_many_pages(const struct image *m)
{
    return fail(m->err, DOCKET_LIMIT, CODE_document_too_many_pages, "an image of more than %d pages", MAX_PAGES);
}

static enum status look_at_png(struct image *m)
{
    m->big = true;
    if (!there(m, 16, 8)) return cut_short(m, "its size");
    if (memcmp(m->data + 12, "IHDR", 4) != 0)
        return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "a PNG image whose first chunk is not its header");
    return check_size(m, number(m, 16, 4), number(m, 20, 4));
}

/* Segment after segment to the start of a frame. Bytes 0xff may stand before a marker. */
static enum status look_at_jpeg(struct image *m)
{
    m->big = true;
    for (size_t at = 2;;) {
        if (!there(m, at, 4)) return cut_short(m, "its size");
        unsigned marker = m->data[at + 1];
        if (m->data[at] != 0xff)
            return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "a JPEG image with no marker at byte %zu", at);
        if (marker == 0xff) {
            at++;
            continue;
        }
        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { /* without a length */
            at += 2;
            continue;
        }
        if (marker == 0xd9 || marker == 0xda) return cut_short(m, "its size");
        uint64_t length = number(m, at + 2, 2);
        if (length < 2)
            return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "a JPEG image with a segment of length %llu",
                        (unsigned long long)length);
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
            if (!there(m, at + 4, 5)) return cut_short(m, "its size");
            return check_size(m, number(m, at + 7, 2), number(m, at + 5, 2));
        }
        at += 2 + (size_t)length;
    }
}

/* Where TIFF and its larger form differ. */
struct tiff_form {
    size_t pointer, count, entry; /* bytes of each */
};

/* One directory: its size; *next is where the one after it lies, 0: none. */
static enum status look_at_directory(const struct image *m, const struct tiff_form *f, uint64_t at, uint64_t *next)
{
    uint64_t width = 0, height = 0;
    if (at < 8 || !there(m, at, f->count)) return cut_short(m, "a page that it names");
    uint64_t n = number(m, (size_t)at, f->count);
    if (n > 65535 || !there(m, at + f->count, n * f->entry + f->pointer)) return cut_short(m, "a page's end");
    for (uint64_t i = 0; i < n; i++) {
        size_t entry = (size_t)(at + f->count + i * f->entry), value = entry + 4 + f->pointer;
        uint64_t tag = number(m, entry, 2), type = number(m, entry + 2, 2);
        size_t bytes = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : type == 16 && f->pointer == 8 ? 8 : 0;
        if (tag != 256 && tag != 257) continue;
        if (bytes == 0)
            return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "a TIFF image whose size is of type %llu",
                        (unsigned long long)type);
        *(tag == 256 ? &width : &height) = number(m, value, bytes);
    }
    *next = number(m, (size_t)(at + f->count + n * f->entry), f->pointer);
    return check_size(m, width, height);
}

static enum status look_at_tiff(struct image *m, uint64_t *pages)
{
    enum status st = DOCKET_OK;
    if (!there(m, 0, 16)) return cut_short(m, "its first page");
    m->big = m->data[0] == 'M';
    bool larger = number(m, 2, 2) == 43;
    const struct tiff_form f = larger ? (struct tiff_form){8, 8, 20} : (struct tiff_form){4, 2, 12};
    uint64_t next = number(m, larger ? 8 : 4, f.pointer);
    for (*pages = 0; next != 0 && st == DOCKET_OK; ++*pages) { /* a chain that is a ring ends here, too */
        if (*pages == MAX_PAGES) return too_many_pages(m);
        st = look_at_directory(m, &f, next, &next);
    }
    if (st == DOCKET_OK && *pages == 0) return cut_short(m, "its first page");
    return st;
}

/* Frames of an animation, up to one more than are read. */
static size_t count_frames(const struct image *m)
{
    size_t frames = 0;
    for (uint64_t at = 12; there(m, at, 8) && frames <= MAX_PAGES;) {
        frames += memcmp(m->data + at, "ANMF", 4) == 0;
        uint64_t length = number(m, (size_t)at + 4, 4);
        at += 8 + length + (length & 1);
    }
    return frames;
}

static enum status look_at_webp(struct image *m)
{
    const unsigned char *d = m->data;
    if (!there(m, 0, 30)) return cut_short(m, "its size");
    if (memcmp(d + 12, "VP8 ", 4) == 0) return check_size(m, number(m, 26, 2) & 0x3fff, number(m, 28, 2) & 0x3fff);
    if (memcmp(d + 12, "VP8L", 4) == 0) {
        uint64_t packed = number(m, 21, 4);
        return check_size(m, (packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1);
    }
    if (memcmp(d + 12, "VP8X", 4) != 0)
        return fail(m->err, DOCKET_CORRUPT, CODE_document_corrupt, "a WebP image of an unknown kind");
    enum status st = check_size(m, number(m, 24, 3) + 1, number(m, 27, 3) + 1);
    if (st != DOCKET_OK || !(d[20] & 2)) return st;
    if (count_frames(m) > MAX_PAGES) return too_many_pages(m);
    return fail(m->err, DOCKET_UNSUPPORTED, CODE_document_type_unsupported, "an animated WebP image is not read");
}

enum status extract_image(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    struct image m = {.data = in->bytes, .length = in->length, .err = err};
    uint64_t pages = 1;
    enum status st;
    if (strcmp(in->media_type, "image/png") == 0)
        st = look_at_png(&m);
    else if (strcmp(in->media_type, "image/jpeg") == 0)
        st = look_at_jpeg(&m);
    else if (strcmp(in->media_type, "image/webp") == 0)
        st = look_at_webp(&m);
    else
        st = look_at_tiff(&m, &pages);
    if (st == DOCKET_OK) sink->fact(sink, FACT_PAGES, pages);
    return st;
}
