/* transfer.h: one exchange with one host that the guard has checked. For download.c alone. */
#ifndef DOCKET_HTTP_TRANSFER_H
#define DOCKET_HTTP_TRANSFER_H

#include "worker/http/download.h"

struct transfer {
    /* What is put there, for PUT in place of GET; then no answer's body is kept. NULL: GET. */
    const void *body;
    size_t body_bytes, body_at;
    const char *content_type, *content_encoding; /* of the body; NULL: not said */
    struct buffer *out;                          /* of answers with a status of 2xx; emptied first */
    size_t max_bytes;
    const atomic_bool *stop;
    bool (*room)(void *context, size_t bytes); /* as of download_request; NULL: always */
    void *context;
    uint64_t begun_ns; /* of the whole download */
    double seconds_left;
    /* Filled: */
    int status;
    char location[URL_MAX_BYTES + 2]; /* one byte more than allowed, so that a longer one is refused */
    double retry_after_seconds;       /* -1: none */
    double paused_seconds;            /* without room; added to what is there */
};

struct transfer_pool;
enum status transfer_pool_open(struct transfer_pool **out, const struct download_options *options, struct error *err);
void transfer_pool_close(struct transfer_pool *pool);
/* OK when an answer was read to its end, whatever its status. Errors as of download(). */
enum status transfer_run(struct transfer_pool *pool, struct transfer *transfer, const struct url_target *target,
                         struct error *err);

#endif
