/* frames.h: how the sandbox's child tells what it finds, through a pipe: frames of a kind, a length and that many bytes. Whoever reads them
 * trusts nothing in them. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_FRAMES_H
#define DOCKET_HANDLERS_DOCUMENTS_FRAMES_H

#include "handlers/documents/extract.h"

#define FRAME_MAX_BYTES  ((size_t)64 * 1024) /* of one frame's content */
#define FRAME_HEAD_BYTES 5                   /* kind, length in four bytes, lowest first */

/* The child's side: a receiver that writes. Everything it is given is cut into frames; a pipe that nobody reads ends it. */
struct frame_writer {
    struct extract_receiver receiver; /* first */
    int fd;
    bool broken;
    size_t n;
    unsigned char waiting[2 * FRAME_HEAD_BYTES + 2 * FRAME_MAX_BYTES];
};
void frame_writer_init(struct frame_writer *w, int fd);
/* The last frame: the document is read, or the error of it. false: nobody reads. */
bool frame_writer_finish(struct frame_writer *w, enum status st, const struct error *err);

/* The other side. Bytes in, calls of the receiver out, in an order that a reader could have made. */
enum frames_state {
    FRAMES_MORE,    /* wants more bytes */
    FRAMES_DONE,    /* the last frame came; result and error are set */
    FRAMES_STOPPED, /* the receiver wants no more */
    FRAMES_BROKEN,  /* no writer of ours made these bytes */
};
struct frame_reader {
    struct extract_receiver *to;
    enum frames_state state;
    enum status result;
    struct error error;
    bool typed, in_part;
    size_t n_delivered; /* frames that the receiver has seen */
    size_t n;
    unsigned char frame[FRAME_HEAD_BYTES + FRAME_MAX_BYTES];
};
void frame_reader_init(struct frame_reader *r, struct extract_receiver *to);
enum frames_state frame_reader_feed(struct frame_reader *r, const void *bytes, size_t length);

#endif
