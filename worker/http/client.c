/* client.c: HTTP exchanges through libcurl's multi interface, which unlike the easy one can be left at any moment. One client is
 * one easy handle in one multi handle, so that its connection and its DNS cache die with a reset. */
#include "worker/http/client.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/exchange.h"

#include <curl/curl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POLL_MS          100    /* how late a stop flag may be seen; half of what the header promises */
#define MAX_HEADER_LINES 256    /* of one exchange; 100 is much for an honest server */
#define UNACKED_MS       30000u /* bytes that nobody acknowledged for so long mean that the peer is gone */

struct http_client {
    CURLM *multi;
    CURL *easy;
    char *ca_file, *user_agent;
    double connect_timeout_seconds, idle_seconds;
};

struct exchange {
    const struct http_request *request;
    struct http_answer *answer;
    int status; /* of the answer that is being read */
    bool ended; /* by the caller's on_body */
    size_t header_bytes, header_lines;
    bool headers_over;
};

void http_answer_free(struct http_answer *answer)
{
    if (answer) buffer_free(&answer->body);
}

double http_retry_after(const char *value, uint64_t wall_ns)
{
    char *end = NULL;
    while (*value == ' ' || *value == '\t') value++;
    double seconds = strtod(value, &end);
    bool number = end != value && (size_t)(end - value) == strspn(value, "+-.0123456789eE") && isfinite(seconds);
    while (number && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n')) end++;
    if (!number || *end != '\0') {
        time_t when = curl_getdate(value, NULL);
        if (when == (time_t)-1) return -1;
        seconds = (double)when - (double)(wall_ns / NS_PER_SECOND);
    }
    return seconds < HTTP_RETRY_AFTER_MIN   ? HTTP_RETRY_AFTER_MIN
           : seconds > HTTP_RETRY_AFTER_MAX ? HTTP_RETRY_AFTER_MAX
                                            : seconds;
}

static void pass_header(const struct http_request *request, const char *line, size_t length)
{
    char name[64], value[2048];
    const char *colon = memchr(line, ':', length);
    size_t n = colon ? (size_t)(colon - line) : 0;
    if (n == 0 || n >= sizeof(name)) return;
    memcpy(name, line, n);
    name[n] = '\0';
    if (http_header_value(line, length, name, value, sizeof(value))) request->on_header(request->context, name, value);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    size_t length = size * count;
    char text[128];
    x->header_bytes += length;
    if (x->header_bytes > HTTP_MAX_HEADER_BYTES || ++x->header_lines > MAX_HEADER_LINES) {
        x->headers_over = true;
        return 0;
    }
    if (length > 5 && strncasecmp(line, "HTTP/", 5) == 0) { /* a new answer begins: what an interim one said is void */
        x->answer->retry_after_seconds = -1;
        x->answer->content_type[0] = x->answer->location[0] = '\0';
        x->status = 0;
        const char *space = memchr(line, ' ', length);
        for (const char *c = space ? space + 1 : NULL;
             c && c < line + length && *c >= '0' && *c <= '9' && c - space <= 3; c++)
            x->status = x->status * 10 + (*c - '0');
        if (x->request->on_header) x->request->on_header(x->request->context, "", "");
    }
    if (x->request->on_header) pass_header(x->request, line, length);
    http_header_value(line, length, "content-type", x->answer->content_type, sizeof(x->answer->content_type));
    http_header_value(line, length, "location", x->answer->location, sizeof(x->answer->location));
    if (http_header_value(line, length, "retry-after", text, sizeof(text)))
        x->answer->retry_after_seconds = http_retry_after(text, clock_wall_ns());
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *x = context;
    if (x->request->on_body && (x->status == 200 || x->status == 206)) {
        x->ended = !x->request->on_body(x->request->context, x->status, bytes, size * count);
        return x->ended ? 0 : size * count;
    }
    return buffer_append(&x->answer->body, bytes, size * count) ? size * count : 0;
}

static int on_socket(void *context, curl_socket_t socket, curlsocktype purpose)
{
    unsigned unacked = UNACKED_MS;
    (void)context;
    if (purpose == CURLSOCKTYPE_IPCXN)
        setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked,
                   sizeof(unacked)); /* without it: the system's 15 minutes */
    return CURL_SOCKOPT_OK;
}

enum status http_client_open(struct http_client **out, const struct http_options *options, struct error *err)
{
    struct http_client *client = mem_zalloc(1, sizeof(*client));
    if (!http_library_started() || !client) goto no_memory;
    client->connect_timeout_seconds = options->connect_timeout_seconds > 0 ? options->connect_timeout_seconds : 10;
    client->idle_seconds = options->idle_seconds > 0 ? options->idle_seconds : 60;
    client->user_agent = str_dup(options->user_agent ? options->user_agent : "docket");
    client->ca_file = options->ca_file ? str_dup(options->ca_file) : NULL;
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    if (!client->multi || !client->easy || !client->user_agent || (options->ca_file && !client->ca_file))
        goto no_memory;
    *out = client;
    return DOCKET_OK;
no_memory:
    http_client_close(client);
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "http client: no memory");
}

void http_client_close(struct http_client *client)
{
    if (!client) return;
    curl_multi_cleanup(client->multi);
    curl_easy_cleanup(client->easy);
    mem_free(client->ca_file);
    mem_free(client->user_agent);
    mem_free(client);
}

void http_client_reset(struct http_client *client)
{
    CURLM *fresh = curl_multi_init();
    if (!fresh) return; /* the old one still works; dead connections are found the slow way */
    curl_multi_cleanup(client->multi);
    client->multi = fresh;
}

static void set_options(struct http_client *client, const struct http_request *request, struct exchange *x,
                        struct curl_slist *headers, char *reason)
{
    CURL *e = client->easy;
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_URL, request->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* leaving does not wait for a resolver that hangs */
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file) curl_easy_setopt(e, CURLOPT_CAINFO, client->ca_file);
    curl_easy_setopt(e, CURLOPT_USERAGENT, client->user_agent);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, request->identity ? "identity" : "gzip, deflate");
    if (request->head) curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(client->connect_timeout_seconds * 1000));
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(request->timeout_seconds * 1000) + 1);
    if (request->low_speed_seconds > 0) {
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)ceil(request->low_speed_seconds));
    }
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)client->idle_seconds);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, reason);
    if (request->body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, request->body);
    }
}

static bool stopped(const struct http_request *request)
{
    return (request->stop && atomic_load(request->stop)) || (request->stop2 && atomic_load(request->stop2));
}

/* Runs the transfer to its end; false if a stop flag ended it. */
static bool drive(struct http_client *client, const struct http_request *request, CURLcode *result)
{
    for (;;) {
        int running = 0, left = 0;
        CURLMcode bad = curl_multi_perform(client->multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(client->multi, &left));)
            if (m->msg == CURLMSG_DONE) {
                *result = m->data.result;
                return true;
            }
        if (bad != CURLM_OK || running == 0) {
            *result = bad == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
            return true;
        }
        if (stopped(request)) return false;
        if (curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            *result = CURLE_OUT_OF_MEMORY;
            return true;
        }
    }
}

static enum status say_failure(CURLcode result, const char *reason, const struct exchange *x, struct error *err)
{
    const char *text = reason[0] ? reason : curl_easy_strerror(result);
    if (x->headers_over)
        return fail(err, DOCKET_LIMIT, CODE_queue_answer_invalid,
                    "the answer's headers are larger than %zu bytes or %d lines", HTTP_MAX_HEADER_BYTES,
                    MAX_HEADER_LINES);
    if (x->answer->body.over)
        return fail(err, DOCKET_LIMIT, CODE_queue_answer_invalid, "the answer is larger than %zu bytes",
                    x->answer->body.ceiling);
    if (x->answer->body.failed || result == CURLE_OUT_OF_MEMORY)
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the answer");
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return fail(err, DOCKET_TIMEOUT, CODE_queue_unreachable, "%s", text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        /* 2025-01-01: a clock before that makes every certificate look wrong */
        return fail(err, DOCKET_NETWORK, CODE_queue_unreachable, "tls: %s%s", text,
                    clock_wall_ns() < UINT64_C(1735689600) * NS_PER_SECOND ? " (the clock of this machine looks wrong)"
                                                                           : "");
    default:
        return fail(err, DOCKET_NETWORK, CODE_queue_unreachable, "%s", text);
    }
}

enum status http_client_do(struct http_client *client, const struct http_request *request, struct http_answer *answer,
                           struct error *err)
{
    enum status st = DOCKET_OK;
    struct curl_slist *headers = NULL;
    struct exchange x = {.request = request, .answer = answer};
    char reason[CURL_ERROR_SIZE] = "";
    CURLcode result = CURLE_OK;
    long status = 0, request_bytes = 0;

    buffer_clear(&answer->body);
    answer->body.ceiling = request->max_body_bytes ? request->max_body_bytes : HTTP_MAX_BODY_BYTES;
    answer->status = 0;
    answer->sent = false;
    answer->retry_after_seconds = -1;
    answer->content_type[0] = answer->location[0] = '\0';
    if (stopped(request)) return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");

    for (size_t i = 0; i <= request->n_headers; i++) {
        /* the last one: no "Expect: 100-continue", which would cost a round trip for every large result */
        struct curl_slist *longer =
            curl_slist_append(headers, i < request->n_headers ? request->headers[i] : "Expect:");
        if (!longer) {
            curl_slist_free_all(headers);
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the request");
        }
        headers = longer;
    }
    set_options(client, request, &x, headers, reason);
    if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK) {
        curl_slist_free_all(headers);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the request");
    }
    bool ended = drive(client, request, &result);
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_multi_remove_handle(client->multi, client->easy);
    curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);

    answer->status = status >= 200 ? (int)status : 0;
    answer->sent = request_bytes > 0;
    if (!ended)
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    else if (x.ended)
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "the answer was not wanted to its end");
    else if (result != CURLE_OK)
        st = say_failure(result, reason, &x, err);
    else if (buffer_append(&answer->body, "", 0) == false) /* so that an empty body is a text too */
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the answer");
    return st;
}
