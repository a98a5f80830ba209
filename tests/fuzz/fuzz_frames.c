/* Any bytes as a child's answer: the receiver is only called in an order that a reader could have made, with sizes within the limits. */
#include "handlers/documents/frames.h"
#include "worker/base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct watched {
    struct extract_receiver receiver;
    bool typed, in_part, refused;
    size_t n, refuse_at;
};

/* What is given must be readable to its end; true: more is wanted. */
static bool watch(struct watched *w, const void *bytes, size_t length)
{
    unsigned sum = 0;
    assert(!w->refused && length <= FRAME_MAX_BYTES);
    for (size_t i = 0; i < length; i++) sum += ((const unsigned char *)bytes)[i];
    w->refused = ++w->n == w->refuse_at;
    return !w->refused || sum == 1u << 31;
}

static bool take_type(struct extract_receiver *to, const struct extract_type *type)
{
    struct watched *w = (struct watched *)to;
    assert(!w->typed && !w->in_part);
    assert(strlen(type->media_type) < MEDIA_TYPE_BYTES && strlen(type->by_name) < MEDIA_TYPE_BYTES);
    for (const char *p = type->media_type; *p; p++) assert((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f);
    w->typed = true;
    return watch(w, "", 0);
}

static bool take_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct watched *w = (struct watched *)sink;
    assert(w->typed && !w->in_part);
    return watch(w, utf8, length);
}

static bool take_begin(struct extract_sink *sink, const char *name, size_t length)
{
    struct watched *w = (struct watched *)sink;
    assert(w->typed && !w->in_part && (name || length == 0));
    w->in_part = true;
    return watch(w, name, length);
}

static bool take_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    struct watched *w = (struct watched *)sink;
    assert(w->in_part);
    return watch(w, bytes, length);
}

static bool take_end(struct extract_sink *sink, const struct error *why)
{
    struct watched *w = (struct watched *)sink;
    assert(w->in_part);
    assert(!why || (why->code != CODE_NONE && strcmp(error_code_scope(why->code), "document") == 0));
    w->in_part = false;
    return watch(w, why ? why->message : "", why ? strlen(why->message) : 0);
}

static void take_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    (void)value;
    assert(!((struct watched *)sink)->in_part && fact < N_EXTRACT_FACTS);
}

/* The first byte says when the receiver has enough, the second in which pieces the bytes come. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct watched w = {.receiver = {.sink = {.text = take_text,
                                              .part_begin = take_begin,
                                              .part_bytes = take_bytes,
                                              .part_end = take_end,
                                              .fact = take_fact},
                                     .type = take_type},
                        .refuse_at = data[0]};
    size_t piece = data[1] ? data[1] : size;
    struct frame_reader *r = malloc(sizeof(*r));
    assert(r);
    frame_reader_init(r, &w.receiver);
    enum frames_state state = FRAMES_MORE;
    for (size_t at = 2; at < size && state == FRAMES_MORE; at += piece)
        state = frame_reader_feed(r, data + at, size - at < piece ? size - at : piece);
    assert(state != FRAMES_STOPPED || w.refused);
    assert(state != FRAMES_DONE || r->result == DOCKET_OK || r->error.status == r->result);
    assert(r->error.code == CODE_NONE || strcmp(error_code_scope(r->error.code), "document") == 0);
    if (state != FRAMES_MORE) assert(frame_reader_feed(r, "x", 1) == state || state == FRAMES_DONE);
    free(r);
    return 0;
}
