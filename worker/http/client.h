/* client.h: one HTTP exchange at a time over a kept connection, with limits on everything that a peer decides. Knows no protocol
 * above HTTP; redirects and status codes are the caller's. */
#ifndef DOCKET_HTTP_CLIENT_H
#define DOCKET_HTTP_CLIENT_H

#include "worker/base/buffer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_BODY_BYTES   ((size_t)21 * 1000 * 1000) /* 20 MB that a job may have, and what stands around it */
#define HTTP_MAX_HEADER_BYTES ((size_t)64 * 1024) /* of all header lines of one exchange, interim answers included */
#define HTTP_RETRY_AFTER_MIN  1.0
#define HTTP_RETRY_AFTER_MAX  300.0

struct http_options {
    const char *ca_file;            /* PEM file instead of the system's roots, or NULL. Copied */
    const char *user_agent;         /* copied */
    double connect_timeout_seconds; /* 0: 10 */
    double idle_seconds;            /* a connection that was idle for longer is not used again; 0: 60 */
};

struct http_request {
    const char *url;            /* already legal, see url.h */
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    const void *body; /* NULL: GET; else POST */
    bool head;        /* HEAD instead of GET: no body comes */
    bool identity;    /* ask for the bytes as they are, uncompressed: for ranges and checksums */
    size_t body_bytes;
    double timeout_seconds;          /* of the whole exchange; must be positive */
    double low_speed_seconds;        /* ends it when less than 1 byte/s moved for that long; 0: never */
    size_t max_body_bytes;           /* of the answer, after decompression; 0: HTTP_MAX_BODY_BYTES */
    const atomic_bool *stop, *stop2; /* either one true: CANCELLED within 200 ms. NULL: never */
    /* Each header line of an answer: name as it came, value trimmed, both cut to what fits; an empty name: another answer
     * begins and what was said before is void. NULL: not wanted. */
    void (*on_header)(void *context, const char *name, const char *value);
    /* Gets the body of a 200 or 206 instead of answer->body, piece by piece, and is under no ceiling but its own; false ends the
     * exchange with CANCELLED. NULL: the body is kept. */
    bool (*on_body)(void *context, int status, const char *bytes, size_t length);
    void *context;
};

struct http_answer {
    int status; /* 0 until a final status line came */
    char content_type[96];
    char location[2048];
    double retry_after_seconds; /* clamped to 1 s .. 5 min; -1: none that can be read */
    struct buffer body;
    bool sent; /* bytes of the request left this process: after a failure the peer may have acted on it */
};
void http_answer_free(struct http_answer *answer);

/* Keeps one connection and its own DNS cache. One thread at a time. */
struct http_client;
enum status http_client_open(struct http_client **out, const struct http_options *options, struct error *err);
void http_client_close(struct http_client *client); /* NULL is fine */

/* OK when an answer was read to its end, whatever its status. `answer` is reset first and may be used again (its memory is kept).
 * NETWORK (DNS, connect, TLS, reset, HTTP rules broken, cut body), TIMEOUT, CANCELLED, LIMIT (body or headers too large),
 * NO_MEMORY. Messages hold no URL. */
enum status http_client_do(struct http_client *client, const struct http_request *request, struct http_answer *answer,
                           struct error *err);
/* Drops kept connections and resolved names: after the process stood still they may lead nowhere. */
void http_client_reset(struct http_client *client);

/* Seconds that a Retry-After header asks for (seconds or a date), clamped; -1 if it cannot be read. */
double http_retry_after(const char *value, uint64_t wall_ns);

#endif
