/* download.h: bytes from URLs that outsiders name, or to them, through the guard of url_guard.h, with limits on all that the other side decides.
 * Knows nothing of what the bytes are. */
#ifndef DOCKET_HTTP_DOWNLOAD_H
#define DOCKET_HTTP_DOWNLOAD_H

#include "worker/base/buffer.h"
#include "worker/http/url_guard.h"

struct download_options {
    struct url_guard guard;
    const char *ca_file;            /* PEM file instead of the system's roots, or NULL. Copied */
    const char *user_agent;         /* copied */
    double timeout_seconds;         /* of one download, tries and redirects together; 0: 120 */
    double connect_timeout_seconds; /* 0: 10 */
    double slow_seconds;            /* less than 1,000 bytes/s for so long ends it; 0: 20 */
    double retry_seconds;           /* before the second try, twice that before the third; 0: 0.5 */
    size_t per_host;                /* downloads from one host at one time; 0: 8 */
};

/* What all downloads of a process share. Any thread. */
struct downloads;
enum status downloads_open(struct downloads **out, const struct download_options *options, struct error *err);
void downloads_close(struct downloads *downloads); /* NULL is fine; no client may be open */
/* The same as download_request.host would be; 0 for a URL that is refused (which then needs no host). */
uint64_t downloads_host(const struct downloads *downloads, const char *url);
/* Whether it may be asked at all, as far as scheme and spelling say; errors as of url_guard_read. */
enum status downloads_allow(const struct downloads *downloads, const char *url, struct error *err);
/* Takes one of the host's places; false: all are taken. */
bool downloads_enter(struct downloads *downloads, uint64_t host);
void downloads_leave(struct downloads *downloads, uint64_t host);

struct download_request {
    const char *url;
    uint64_t host;    /* whose place the caller has taken; it is left while waiting and at a redirect, and on return */
    size_t max_bytes; /* must be positive */
    const atomic_bool *stop; /* true: CANCELLED within 200 ms. NULL: never */
    /* Asked before more bytes are kept, with those that would then be held: false lets the transfer wait. NULL: always. */
    bool (*room)(void *context, size_t bytes);
    void *context;
};

/* Kept connections of one thread, used for downloads only. */
struct download_client;
enum status download_client_open(struct download_client **out, struct downloads *downloads, struct error *err);
void download_client_close(struct download_client *client); /* NULL is fine */

/* `out` is emptied, then filled. Three tries where another may help. Failures carry an url_ or fetch_ code with a message that names
 * the host and nothing else of the URL; or CANCELLED, NO_MEMORY. */
enum status download(struct download_client *client, const struct download_request *request, struct buffer *out,
                     struct error *err);

struct upload_request {
    const char *url;
    const void *bytes; /* not NULL */
    size_t length;
    const char *content_type, *content_encoding; /* or NULL */
    const atomic_bool *stop;                     /* true: CANCELLED within 200 ms. NULL: never */
};
/* Puts the bytes there (PUT): 2xx is success. Three tries where another may help; a redirect is refused, as what it leads to was not named.
 * No byte leaves before the address is checked. Errors as of download(). Waits for a place at the host. */
enum status upload(struct download_client *client, const struct upload_request *request, struct error *err);

#endif
