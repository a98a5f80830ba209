/* frames.c: what a reader finds, as bytes and back. Knows no process and no format. */
#include "handlers/documents/frames.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum frame_kind {
    FRAME_TYPE = 'T',       /* 1 byte: from content; media type, NUL, type by name */
    FRAME_TEXT = 't',       /* UTF-8, or nearly */
    FRAME_PART = 'P',       /* the name */
    FRAME_ITSELF = 'S',     /* a part without a name */
    FRAME_PART_BYTES = 'b', /* its bytes */
    FRAME_PART_END = 'e',   /* nothing, or as an error */
    FRAME_FACT = 'f',       /* 1 byte: which; 8 bytes, lowest first */
    FRAME_ERROR = 'X',      /* 1 byte: status; name of the code, NUL, message */
    FRAME_DONE = 'Z',       /* nothing */
};

/* Writing */

static bool flush(struct frame_writer *w)
{
    size_t at = 0;
    while (at < w->n && !w->broken) {
        ssize_t n = write(w->fd, w->waiting + at, w->n - at);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EINTR)
            w->broken = true;
    }
    w->n = 0;
    return !w->broken;
}

static bool put_frame(struct frame_writer *w, enum frame_kind kind, const void *bytes, size_t length)
{
    if (sizeof(w->waiting) - w->n < FRAME_HEAD_BYTES + length && !flush(w)) return false;
    unsigned char *to = w->waiting + w->n;
    to[0] = (unsigned char)kind;
    for (size_t i = 0; i < 4; i++) to[1 + i] = (unsigned char)(length >> (8 * i));
    if (length) memcpy(to + FRAME_HEAD_BYTES, bytes, length);
    w->n += FRAME_HEAD_BYTES + length;
    return !w->broken;
}

static bool put_frames(struct frame_writer *w, enum frame_kind kind, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    for (size_t n; length > 0; from += n, length -= n) {
        n = length < FRAME_MAX_BYTES ? length : FRAME_MAX_BYTES;
        if (!put_frame(w, kind, from, n)) return false;
    }
    return !w->broken;
}

static bool put_error(struct frame_writer *w, enum frame_kind kind, enum status st, const struct error *err)
{
    char text[1 + 64 + sizeof(err->message)];
    text[0] = (char)st;
    int n = snprintf(text + 1, sizeof(text) - 1, "%s%c%s", error_code_name(err->code), '\0', err->message);
    return put_frame(w, kind, text, 1 + (n > 0 ? (size_t)n : 0));
}

static bool write_type(struct extract_receiver *to, const struct extract_type *type)
{
    char text[1 + 2 * MEDIA_TYPE_BYTES];
    text[0] = type->from_content ? 1 : 0;
    int n = snprintf(text + 1, sizeof(text) - 1, "%s%c%s", type->media_type, '\0', type->by_name);
    return put_frame((struct frame_writer *)to, FRAME_TYPE, text, 1 + (size_t)n);
}

static bool write_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    return put_frames((struct frame_writer *)sink, FRAME_TEXT, utf8, length);
}

static bool write_part_begin(struct extract_sink *sink, const char *name, size_t length)
{
    if (!name) return put_frame((struct frame_writer *)sink, FRAME_ITSELF, NULL, 0);
    return put_frame((struct frame_writer *)sink, FRAME_PART, name,
                     length < FRAME_MAX_BYTES ? length : FRAME_MAX_BYTES);
}

static bool write_part_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    return put_frames((struct frame_writer *)sink, FRAME_PART_BYTES, bytes, length);
}

static bool write_part_end(struct extract_sink *sink, const struct error *why)
{
    struct frame_writer *w = (struct frame_writer *)sink;
    return why ? put_error(w, FRAME_PART_END, why->status, why) : put_frame(w, FRAME_PART_END, NULL, 0);
}

static void write_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    unsigned char bytes[9] = {(unsigned char)fact};
    for (size_t i = 0; i < 8; i++) bytes[1 + i] = (unsigned char)(value >> (8 * i));
    put_frame((struct frame_writer *)sink, FRAME_FACT, bytes, sizeof(bytes));
}

void frame_writer_init(struct frame_writer *w, int fd)
{
    w->receiver = (struct extract_receiver){.sink = {.text = write_text,
                                                     .part_begin = write_part_begin,
                                                     .part_bytes = write_part_bytes,
                                                     .part_end = write_part_end,
                                                     .fact = write_fact},
                                            .type = write_type};
    w->fd = fd;
    w->broken = false;
    w->n = 0;
}

bool frame_writer_finish(struct frame_writer *w, enum status st, const struct error *err)
{
    bool put = st == DOCKET_OK ? put_frame(w, FRAME_DONE, NULL, 0) : put_error(w, FRAME_ERROR, st, err);
    return put && flush(w);
}

/* Reading */

void frame_reader_init(struct frame_reader *r, struct extract_receiver *to)
{
    r->to = to;
    r->state = FRAMES_MORE;
    r->result = DOCKET_OK;
    r->error = (struct error){0};
    r->typed = r->in_part = false;
    r->n_delivered = r->n = 0;
}

/* A word of a media type as the registries write it; "" is one too. */
static bool take_word(char out[MEDIA_TYPE_BYTES], const unsigned char *from, size_t length)
{
    if (length >= MEDIA_TYPE_BYTES) return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum(from[i]) && !strchr("/.+-_", from[i])) return false;
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

static bool take_type(struct frame_reader *r, const unsigned char *p, size_t n)
{
    struct extract_type type = {0};
    const unsigned char *nul = n > 1 ? memchr(p + 1, '\0', n - 1) : NULL;
    if (r->typed || !nul || p[0] > 1) return false;
    type.from_content = p[0] == 1;
    size_t first = (size_t)(nul - p) - 1;
    if (!take_word(type.media_type, p + 1, first) || !take_word(type.by_name, nul + 1, n - first - 2)) return false;
    r->typed = true;
    if (!r->to->type(r->to, &type)) r->state = FRAMES_STOPPED;
    return true;
}

/* Only what a document's reader may say: no code of a job, a model or the queue. */
static bool take_error(struct error *out, const unsigned char *p, size_t n)
{
    char name[64], message[sizeof(out->message)];
    const unsigned char *nul = n > 1 ? memchr(p + 1, '\0', n - 1) : NULL;
    size_t bad;
    if (!nul || p[0] == DOCKET_OK || p[0] > DOCKET_INTERNAL) return false;
    size_t length = (size_t)(nul - p) - 1, rest = n - length - 2;
    if (length >= sizeof(name) || rest >= sizeof(message)) return false;
    memcpy(name, p + 1, length);
    name[length] = '\0';
    memcpy(message, nul + 1, rest);
    message[rest] = '\0';
    enum error_code code = error_code_by_name(name);
    bool known = code != CODE_NONE && strcmp(error_code_scope(code), "document") == 0 &&
                 strcmp(error_code_stage(code), "extract") == 0;
    if (!known && !(length == 0 && p[0] == DOCKET_NO_MEMORY)) return false;
    if (!utf8_valid(message, rest, &bad)) return false;
    fail(out, (enum status)p[0], code, "%s", message);
    return true;
}

static bool take_fact(struct frame_reader *r, const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    if (n != 9 || p[0] >= N_EXTRACT_FACTS || r->in_part) return false;
    for (size_t i = 0; i < 8; i++) value |= (uint64_t)p[1 + i] << (8 * i);
    r->to->sink.fact(&r->to->sink, (enum extract_fact)p[0], value);
    return true;
}

static bool take_part_end(struct frame_reader *r, const unsigned char *p, size_t n)
{
    struct extract_sink *sink = &r->to->sink;
    struct error why = {0};
    if (!r->in_part || (n > 0 && (!take_error(&why, p, n) || why.code == CODE_NONE))) return false;
    r->in_part = false;
    if (!sink->part_end(sink, n ? &why : NULL)) r->state = FRAMES_STOPPED;
    return true;
}

/* One whole frame; false: it cannot stand here. */
static bool take_frame(struct frame_reader *r, unsigned char kind, const unsigned char *p, size_t n)
{
    struct extract_sink *sink = &r->to->sink;
    bool wanted = true;
    switch (kind) {
    case FRAME_TYPE:
        return take_type(r, p, n);
    case FRAME_FACT:
        return take_fact(r, p, n);
    case FRAME_PART_END:
        return take_part_end(r, p, n);
    case FRAME_ERROR:
        if (!take_error(&r->error, p, n)) return false;
        r->result = r->error.status;
        r->state = FRAMES_DONE;
        return true;
    case FRAME_DONE:
        if (n != 0 || r->in_part || !r->typed) return false;
        r->state = FRAMES_DONE;
        return true;
    case FRAME_TEXT:
        if (r->in_part || !r->typed) return false;
        wanted = sink->text(sink, (const char *)p, n);
        break;
    case FRAME_PART:
    case FRAME_ITSELF:
        if (r->in_part || !r->typed || (kind == FRAME_ITSELF && n != 0)) return false;
        r->in_part = true;
        wanted = sink->part_begin(sink, kind == FRAME_PART ? (const char *)p : NULL, n);
        break;
    case FRAME_PART_BYTES:
        if (!r->in_part) return false;
        wanted = sink->part_bytes(sink, p, n);
        break;
    default:
        return false;
    }
    if (!wanted) r->state = FRAMES_STOPPED;
    return true;
}

static size_t frame_length(const unsigned char head[FRAME_HEAD_BYTES])
{
    return head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
}

enum frames_state frame_reader_feed(struct frame_reader *r, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    while (r->state == FRAMES_MORE && length > 0) {
        size_t want = FRAME_HEAD_BYTES;
        if (r->n >= want) want += frame_length(r->frame);
        size_t n = want - r->n < length ? want - r->n : length;
        memcpy(r->frame + r->n, from, n);
        r->n += n;
        from += n;
        length -= n;
        if (r->n < FRAME_HEAD_BYTES) break;
        size_t content = frame_length(r->frame);
        if (content > FRAME_MAX_BYTES)
            r->state = FRAMES_BROKEN;
        else if (r->n == FRAME_HEAD_BYTES + content) {
            r->n = 0;
            r->n_delivered++;
            if (!take_frame(r, r->frame[0], r->frame + FRAME_HEAD_BYTES, content)) r->state = FRAMES_BROKEN;
        }
    }
    if (r->state == FRAMES_DONE && length > 0) r->state = FRAMES_BROKEN; /* nothing follows the last frame */
    return r->state;
}
