/* transfer.c: one GET or PUT through libcurl, dialling nothing but the addresses that were checked. */
#include "worker/http/transfer.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/client.h"
#include "worker/http/exchange.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLL_MS          100
#define SLOW_BYTES       1000 /* a second */
#define MAX_HEADER_LINES 256
#define DROPPED_BYTES    (64 * KIB) /* of an answer whose body is of no use: read so that the connection can be kept */

struct transfer_pool {
    const struct download_options *options; /* of the downloads, which outlive it */
    CURLM *multi;
    CURL *easy;
};

/* One exchange. */
struct exchange {
    struct transfer_pool *pool;
    struct transfer *transfer;
    const struct url_target *target;
    size_t header_bytes, header_lines, dropped;
    uint64_t moved; /* bytes that came, of any kind */
    char length[24];
    bool paused, enough, blocked, too_large, contradicts, headers_over;
};

enum status transfer_pool_open(struct transfer_pool **out, const struct download_options *options, struct error *err)
{
    struct transfer_pool *pool = mem_zalloc(1, sizeof(*pool));
    if (!http_library_started() || !pool) goto no_memory;
    pool->options = options;
    pool->multi = curl_multi_init();
    pool->easy = curl_easy_init();
    if (!pool->multi || !pool->easy) goto no_memory;
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, 4L);
    *out = pool;
    return DOCKET_OK;
no_memory:
    transfer_pool_close(pool);
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
}

void transfer_pool_close(struct transfer_pool *pool)
{
    if (!pool) return;
    if (pool->multi) curl_multi_cleanup(pool->multi);
    curl_easy_cleanup(pool->easy);
    mem_free(pool);
}

/* The last word on where a connection may go, with the address that is about to be dialled. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *where)
{
    struct exchange *x = context;
    const struct url_guard *guard = &x->pool->options->guard;
    struct url_address address;
    bool known = guard->allow_private;
    if (purpose == CURLSOCKTYPE_IPCXN && url_address_of(&where->addr, &address)) {
        for (size_t i = 0; i < x->target->addresses.n && !known; i++)
            known = url_address_equal(&address, &x->target->addresses.items[i]);
        if (known && url_guard_allows(guard, &address))
            return socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
    }
    x->blocked = true;
    return CURL_SOCKET_BAD;
}

/* Also called when a kept connection is used again. */
static int on_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct exchange *x = context;
    struct url_address address;
    (void)local, (void)peer_port, (void)local_port;
    if (x->pool->options->guard.allow_private) return CURL_PREREQFUNC_OK;
    if (url_address_read(peer, &address) && url_guard_allows(&x->pool->options->guard, &address))
        return CURL_PREREQFUNC_OK;
    x->blocked = true;
    return CURL_PREREQFUNC_ABORT;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    struct transfer *t = x->transfer;
    size_t length = size * count;
    char text[URL_MAX_BYTES + 2];
    x->moved += length;
    x->header_bytes += length;
    if (x->header_bytes > HTTP_MAX_HEADER_BYTES || ++x->header_lines > MAX_HEADER_LINES) {
        x->headers_over = true;
        return 0;
    }
    if (length > 5 && strncasecmp(line, "HTTP/", 5) == 0) { /* a new answer begins: what an interim one said is void */
        t->location[0] = x->length[0] = '\0';
        t->retry_after_seconds = -1;
    }
    if (http_header_value(line, length, "location", text, sizeof(text))) {
        if (t->location[0] && strcmp(t->location, text) != 0) x->contradicts = true;
        memcpy(t->location, text, sizeof(text));
    }
    if (http_header_value(line, length, "content-length", text, sizeof(x->length))) {
        if (x->length[0] && strcmp(x->length, text) != 0) x->contradicts = true;
        memcpy(x->length, text, sizeof(x->length));
    }
    if (http_header_value(line, length, "retry-after", text, sizeof(text)))
        t->retry_after_seconds = http_retry_after(text, clock_wall_ns());
    return x->contradicts ? 0 : length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    struct transfer *t = x->transfer;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(x->pool->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299 || t->body) {
        x->moved += length;
        x->dropped += length;
        x->enough = x->dropped > DROPPED_BYTES;
        return x->enough ? 0 : length;
    }
    if (length > t->max_bytes - t->out->length) {
        x->too_large = true;
        return 0;
    }
    if (t->room && !t->room(t->context, t->out->length + length)) {
        x->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    x->moved += length;
    return buffer_append(t->out, bytes, length) ? length : 0;
}

static size_t on_upload(char *to, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    struct transfer *t = x->transfer;
    size_t left = t->body_bytes - t->body_at, n = size * count < left ? size * count : left;
    memcpy(to, (const char *)t->body + t->body_at, n);
    t->body_at += n;
    x->moved += n;
    return n;
}

/* Where a kept connection turns out to be closed, what was sent of it is sent again. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct exchange *x = context;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->transfer->body_bytes) return CURL_SEEKFUNC_CANTSEEK;
    x->transfer->body_at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* The headers of what is put somewhere; NULL: no memory. */
static struct curl_slist *upload_headers(const struct transfer *t)
{
    const char *const names[] = {"Content-Type", "Content-Encoding"}, *const values[] = {t->content_type,
                                                                                         t->content_encoding};
    struct curl_slist *list = curl_slist_append(NULL, "Transfer-Encoding:"); /* never in chunks: its length is known */
    for (size_t i = 0; i < ARRAY_LENGTH(names) && list; i++) {
        char *line = values[i] ? str_format("%s: %s", names[i], values[i]) : NULL;
        struct curl_slist *longer = line ? curl_slist_append(list, line) : values[i] ? NULL : list;
        mem_free(line);
        if (!longer) curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

static void set_upload(struct exchange *x, struct curl_slist *headers)
{
    CURL *e = x->pool->easy;
    x->transfer->body_at = 0;
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->transfer->body_bytes);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(e, CURLOPT_READDATA, x);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, x);
}

/* "host:port:address,address": what the name means for this transfer. */
static struct curl_slist *pins(const struct url_target *target)
{
    struct buffer line = {0};
    char address[64];
    struct curl_slist *list = NULL;
    buffer_printf(&line, "%s:%u:", target->host, target->port);
    for (size_t i = 0; i < target->addresses.n; i++) {
        url_address_write(&target->addresses.items[i], address, sizeof(address));
        buffer_printf(&line, "%s%s", i ? "," : "", address);
    }
    if (!line.failed) list = curl_slist_append(NULL, line.data);
    buffer_free(&line);
    return list;
}

static void set_options(struct exchange *x, struct curl_slist *pinned, char *reason)
{
    const struct download_options *o = x->pool->options;
    CURL *e = x->pool->easy;
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_URL, x->target->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (o->ca_file) curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
    curl_easy_setopt(e, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* what comes is the file, whatever it is packed in */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout_seconds * 1000) + 1);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->transfer->max_bytes);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, reason);
    if (o->guard.allow_private) return;
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(e, CURLOPT_RESOLVE, pinned);
}

enum ending { ENDED, STOPPED, OUT_OF_TIME, TOO_SLOW };

/* What has moved since `since` against what must. */
struct pace {
    uint64_t since_ns, moved;
};

static enum ending watch(struct exchange *x, uint64_t begun, double paused_before, struct pace *pace)
{
    struct transfer *t = x->transfer;
    if (t->stop && atomic_load(t->stop)) return STOPPED;
    if (clock_seconds_since(begun) - (t->paused_seconds - paused_before) >= t->seconds_left) return OUT_OF_TIME;
    double slow = x->pool->options->slow_seconds;
    if (clock_seconds_since(pace->since_ns) < slow) return ENDED;
    if ((double)(x->moved - pace->moved) < SLOW_BYTES * slow) return TOO_SLOW;
    *pace = (struct pace){clock_now_ns(), x->moved};
    return ENDED;
}

static enum ending drive(struct exchange *x, CURLcode *result)
{
    struct transfer_pool *pool = x->pool;
    struct pace pace = {clock_now_ns(), 0};
    uint64_t begun = clock_now_ns();
    double paused_before = x->transfer->paused_seconds;
    for (;;) {
        int running = 0, left = 0;
        CURLMcode bad = curl_multi_perform(pool->multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(pool->multi, &left));)
            if (m->msg == CURLMSG_DONE) {
                *result = m->data.result;
                return ENDED;
            }
        if (bad != CURLM_OK || running == 0) {
            *result = CURLE_OUT_OF_MEMORY;
            return ENDED;
        }
        enum ending ending = watch(x, begun, paused_before, &pace);
        if (ending != ENDED) return ending;
        uint64_t waiting = clock_now_ns();
        if (curl_multi_poll(pool->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            *result = CURLE_OUT_OF_MEMORY;
            return ENDED;
        }
        if (!x->paused) continue;
        /* The host is not to blame for time without room. */
        x->transfer->paused_seconds += clock_seconds_since(waiting);
        pace = (struct pace){clock_now_ns(), x->moved};
        x->paused = false;
        curl_easy_pause(pool->easy, CURLPAUSE_CONT);
    }
}

static enum status say_curl(const struct exchange *x, CURLcode result, bool connected, struct error *err)
{
    const char *host = x->target->host;
    switch (result) {
    case CURLE_OUT_OF_MEMORY:
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return fail(err, DOCKET_NETWORK, CODE_fetch_dns_failed, "%s has no address", host);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return fail(err, DOCKET_REFUSED, CODE_fetch_tls_failed, "%s: no TLS connection that can be trusted%s", host,
                    result == CURLE_PEER_FAILED_VERIFICATION ? ": its certificate is not valid for it" : "");
    case CURLE_FILESIZE_EXCEEDED:
        return fail(err, DOCKET_LIMIT, CODE_fetch_too_large, "%s: more than %zu bytes", host, x->transfer->max_bytes);
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        return fail(err, DOCKET_NETWORK, CODE_fetch_connect_failed, "%s: no connection", host);
    default:
        break;
    }
    if (result == CURLE_WEIRD_SERVER_REPLY || result == CURLE_UNSUPPORTED_PROTOCOL ||
        result == CURLE_BAD_CONTENT_ENCODING)
        return fail(err, DOCKET_NETWORK, CODE_fetch_truncated, "%s: an answer that is no HTTP", host);
    if (x->transfer->status > 0 || connected)
        return fail(err, DOCKET_NETWORK, CODE_fetch_truncated, "%s: the answer ended after %zu bytes, before its end",
                    host, x->transfer->out->length);
    return fail(err, DOCKET_NETWORK, CODE_fetch_connect_failed, "%s: no connection", host);
}

static enum status say(const struct exchange *x, enum ending ending, CURLcode result, struct error *err)
{
    const struct download_options *o = x->pool->options;
    const char *host = x->target->host;
    double connected = 0;
    curl_easy_getinfo(x->pool->easy, CURLINFO_PRETRANSFER_TIME, &connected);
    if (ending == STOPPED) return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    if (ending == OUT_OF_TIME)
        return fail(err, DOCKET_TIMEOUT, CODE_fetch_timeout, "%s: not there within %g s", host, o->timeout_seconds);
    if (ending == TOO_SLOW)
        return fail(err, DOCKET_TIMEOUT, CODE_fetch_too_slow, "%s: less than %d bytes/s for %g s", host, SLOW_BYTES,
                    o->slow_seconds);
    if (x->blocked)
        return fail(err, DOCKET_REFUSED, CODE_url_address_blocked, "%s is not on the public internet", host);
    if (x->too_large)
        return fail(err, DOCKET_LIMIT, CODE_fetch_too_large, "%s: more than %zu bytes", host, x->transfer->max_bytes);
    if (x->contradicts)
        return fail(err, DOCKET_NETWORK, CODE_fetch_truncated, "%s: the answer's headers contradict each other", host);
    if (x->headers_over)
        return fail(err, DOCKET_NETWORK, CODE_fetch_refused, "%s: headers of more than %zu bytes or %d lines", host,
                    HTTP_MAX_HEADER_BYTES, MAX_HEADER_LINES);
    if (x->transfer->out->failed) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    if (result == CURLE_OK || x->enough) return DOCKET_OK;
    return say_curl(x, result, connected > 0, err);
}

enum status transfer_run(struct transfer_pool *pool, struct transfer *transfer, const struct url_target *target,
                         struct error *err)
{
    struct exchange x = {.pool = pool, .transfer = transfer, .target = target};
    struct curl_slist *pinned = NULL, *headers = NULL;
    char reason[CURL_ERROR_SIZE] = "";
    CURLcode result = CURLE_OK;
    long status = 0;
    buffer_clear(transfer->out);
    transfer->out->ceiling = 0;
    transfer->status = 0;
    transfer->retry_after_seconds = -1;
    transfer->location[0] = '\0';
    if (!pool->options->guard.allow_private && !target->literal && !(pinned = pins(target)))
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    if (transfer->body && !(headers = upload_headers(transfer))) {
        curl_slist_free_all(pinned);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for an upload");
    }
    set_options(&x, pinned, reason);
    if (transfer->body) set_upload(&x, headers);
    if (curl_multi_add_handle(pool->multi, pool->easy) != CURLM_OK) {
        curl_slist_free_all(pinned);
        curl_slist_free_all(headers);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    }
    enum ending ending = drive(&x, &result);
    curl_easy_getinfo(pool->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->status = (int)status;
    enum status st = say(&x, ending, result, err);
    curl_multi_remove_handle(pool->multi, pool->easy);
    curl_easy_setopt(pool->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(pool->easy, CURLOPT_RESOLVE, NULL);
    curl_easy_setopt(pool->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(pinned);
    curl_slist_free_all(headers);
    return st;
}
