/* Downloads against a host that says exactly the given bytes, under names that an own resolver answers: 127.0.0.1 plays the public
 * internet, 127.0.0.2 what must never be dialled, and a listener there must stay silent. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/download.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWERS 4

/* What is said to the nth request; the last one again to all later ones. $P is the port. */
struct script {
    const char *answers[ANSWERS];
    const char *more; /* said again and again behind each answer */
    double pause;     /* between */
    bool stay;        /* does not close */
    bool mute;        /* says nothing at all */
};

struct host {
    int listener, forbidden, port;
    const struct script *script;
    atomic_size_t requests;
    atomic_bool end, *on_request;
    pthread_t thread;
    char seen[4096]; /* the last request */
};

static int listen_at(const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 64) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool say(int fd, const struct host *h, const char *text)
{
    char out[8192];
    size_t n = 0;
    for (const char *p = text; *p && n < sizeof(out) - 8; p++) {
        if (p[0] == '$' && p[1] == 'P') {
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%d", h->port);
            p++;
        } else
            out[n++] = *p;
    }
    return send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void serve(struct host *h, int fd)
{
    const struct script *s = h->script;
    ssize_t n = recv(fd, h->seen, sizeof(h->seen) - 1, 0);
    if (n <= 0) return;
    h->seen[n] = '\0';
    size_t k = atomic_fetch_add(&h->requests, 1);
    while (k > 0 && (k >= ANSWERS || !s->answers[k])) k--;
    if (h->on_request) atomic_store(h->on_request, true);
    bool open = s->mute || say(fd, h, s->answers[k]);
    char byte;
    while (open && (s->more || s->stay) && !atomic_load(&h->end)) {
        if (s->more) open = say(fd, h, s->more);
        if (s->pause > 0 || !s->more) clock_sleep(s->pause > 0 ? s->pause : 0.01, NULL);
        if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0) open = false;
    }
}

static void *host_run(void *context)
{
    struct host *h = context;
    for (;;) {
        int fd = accept(h->listener, NULL, NULL);
        if (fd < 0) return NULL;
        serve(h, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static void host_start(struct host *h, const struct script *script)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    h->script = script;
    h->forbidden = -1;
    for (int tries = 0; tries < 20 && h->forbidden < 0; tries++) { /* the same port at both addresses */
        h->listener = listen_at("127.0.0.1", 0);
        assert_true(h->listener >= 0);
        assert_int_equal(getsockname(h->listener, (struct sockaddr *)&a, &n), 0);
        h->port = ntohs(a.sin_port);
        if ((h->forbidden = listen_at("127.0.0.2", h->port)) < 0) close(h->listener);
    }
    assert_true(h->forbidden >= 0);
    assert_int_equal(pthread_create(&h->thread, NULL, host_run, h), 0);
}

/* Nobody may have come to the other address. */
static void host_end(struct host *h, const char *name)
{
    atomic_store(&h->end, true);
    shutdown(h->listener, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->listener);
    struct pollfd waiting = {.fd = h->forbidden, .events = POLLIN};
    if (poll(&waiting, 1, 0) != 0) fail_msg("%s: a connection went to the forbidden address", name);
    close(h->forbidden);
}

static bool loopback_one(const struct url_address *a)
{
    static const uint8_t one[4] = {127, 0, 0, 1};
    return !a->v6 && memcmp(a->bytes, one, 4) == 0;
}

static atomic_int questions_left;

/* Says yes so many times, and then no more. */
static bool loopback_for_a_while(const struct url_address *a)
{
    return loopback_one(a) && atomic_fetch_sub(&questions_left, 1) > 0;
}

static size_t resolved; /* times that a name was asked for in this case */

static enum status resolve(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                           struct url_addresses *out, struct error *err)
{
    static const struct {
        const char *host, *first, *then;
    } names[] = {
        {"files.example", "127.0.0.1", NULL},           {"other.example", "127.0.0.1", NULL},
        {"blocked.example", "127.0.0.2", NULL},         {"rebinds.example", "127.0.0.1", "127.0.0.2"},
        {"mixed.example", "127.0.0.1 127.0.0.2", NULL},
    };
    (void)context, (void)timeout_seconds, (void)stop;
    out->n = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i].host, host) != 0) continue;
        const char *text = resolved++ && names[i].then ? names[i].then : names[i].first;
        for (int used; *text; text += used, text += strspn(text, " ")) {
            char one[64];
            assert_int_equal(sscanf(text, "%63s%n", one, &used), 1);
            assert_true(url_address_read(one, &out->items[out->n++]));
        }
        return DOCKET_OK;
    }
    return fail(err, DOCKET_NETWORK, CODE_fetch_dns_failed, "%s has no address", host);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define TO(url) "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " url "\r\n\r\n"
#define K1      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"
#define K1X16   K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1 K1

static const struct {
    const char *name, *url; /* NULL: http://files.example:$P/x */
    struct script script;
    enum error_code want;
    const char *body; /* of success, from its beginning */
    size_t requests;  /* that the host must have seen; 0: whatever */
} cases[] = {
    {"plain", NULL, {.answers = {OK_HEAD "Content-Length: 2\r\n\r\nok"}}, CODE_NONE, "ok", 1},
    {"empty", NULL, {.answers = {OK_HEAD "Content-Length: 0\r\n\r\n"}}, CODE_NONE, "", 1},
    {"no_content", NULL, {.answers = {"HTTP/1.1 204 No Content\r\n\r\n"}}, CODE_NONE, "", 1},
    {"until_the_end", NULL, {.answers = {OK_HEAD "\r\nall of it"}}, CODE_NONE, "all of it", 1},
    {"chunked",
     NULL,
     {.answers = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}},
     CODE_NONE,
     "ok",
     1},
    {"chunked_cut",
     NULL,
     {.answers = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nok"}},
     CODE_fetch_truncated,
     NULL,
     3},
    {"length_too_long", NULL, {.answers = {OK_HEAD "Content-Length: 9\r\n\r\nok"}}, CODE_fetch_truncated, NULL, 3},
    {"length_too_short", NULL, {.answers = {OK_HEAD "Content-Length: 2\r\n\r\nok and more"}}, CODE_NONE, "ok", 1},
    {"length_negative", NULL, {.answers = {OK_HEAD "Content-Length: -2\r\n\r\nok"}}, CODE_fetch_truncated, NULL, 3},
    {"length_is_no_number",
     NULL,
     {.answers = {OK_HEAD "Content-Length: two\r\n\r\nok"}},
     CODE_fetch_truncated,
     NULL,
     3},
    {"two_lengths",
     NULL,
     {.answers = {OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"}},
     CODE_fetch_truncated,
     NULL,
     3},
    {"the_same_length_twice",
     NULL,
     {.answers = {OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     1},
    {"length_beyond_the_limit",
     NULL,
     {.answers = {OK_HEAD "Content-Length: 70000\r\n\r\nok"}},
     CODE_fetch_too_large,
     NULL,
     1},
    {"length_beyond_64_bits",
     NULL,
     {.answers = {OK_HEAD "Content-Length: 99999999999999999999999\r\n\r\nok"}, .stay = true},
     CODE_fetch_too_large,
     NULL,
     1},
    {"without_end", NULL, {.answers = {OK_HEAD "\r\n"}, .more = K1X16}, CODE_fetch_too_large, NULL, 1},
    {"chunks_without_end",
     NULL,
     {.answers = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"}, .more = "400\r\n" K1X16 "\r\n"},
     CODE_fetch_too_large,
     NULL,
     1},
    {"gzip_is_not_unpacked",
     NULL,
     {.answers = {OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bzz"}},
     CODE_NONE,
     "\x1f\x8bzz",
     1},
    {"unknown_encoding",
     NULL,
     {.answers = {OK_HEAD "Content-Encoding: zzz\r\nContent-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     1},
    {"not_found", NULL, {.answers = {"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"}}, CODE_fetch_not_found, NULL, 1},
    {"gone", NULL, {.answers = {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"}}, CODE_fetch_not_found, NULL, 1},
    {"forbidden", NULL, {.answers = {"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"}}, CODE_fetch_forbidden, NULL, 1},
    {"unauthorized",
     NULL,
     {.answers = {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"}},
     CODE_fetch_forbidden,
     NULL,
     1},
    {"teapot", NULL, {.answers = {"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n"}}, CODE_fetch_refused, NULL, 1},
    {"not_modified", NULL, {.answers = {"HTTP/1.1 304 No\r\n\r\n"}}, CODE_fetch_refused, NULL, 1},
    {"a_part", NULL, {.answers = {"HTTP/1.1 206 Part\r\nContent-Length: 2\r\n\r\nok"}}, CODE_fetch_truncated, NULL, 3},
    {"error_page_without_end",
     NULL,
     {.answers = {"HTTP/1.1 404 No\r\n\r\n"}, .more = K1X16},
     CODE_fetch_not_found,
     NULL,
     1},
    {"fails_thrice",
     NULL,
     {.answers = {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}},
     CODE_fetch_server_error,
     NULL,
     3},
    {"fails_twice",
     NULL,
     {.answers = {"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
                  OK_HEAD "Content-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     3},
    {"half_an_answer_then_all",
     NULL,
     {.answers = {OK_HEAD "Content-Length: 5\r\n\r\nwr", OK_HEAD "Content-Length: 5\r\n\r\nright"}},
     CODE_NONE,
     "right",
     2},
    {"limited_once",
     NULL,
     {.answers = {"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                  OK_HEAD "Content-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     2},
    {"limited_for_longer_than_there_is_time",
     NULL,
     {.answers = {"HTTP/1.1 429 Slow\r\nRetry-After: 299\r\nContent-Length: 0\r\n\r\n"}},
     CODE_fetch_rate_limited,
     NULL,
     1},
    {"mute", NULL, {.answers = {""}, .mute = true, .stay = true}, CODE_fetch_too_slow, NULL, 1},
    {"stalls_after_a_while", NULL, {.answers = {OK_HEAD "\r\n" K1X16}, .stay = true}, CODE_fetch_too_slow, NULL, 1},
    {"drips", NULL, {.answers = {OK_HEAD "\r\n"}, .more = "x", .pause = 0.05}, CODE_fetch_too_slow, NULL, 1},
    {"drips_headers", NULL, {.answers = {OK_HEAD}, .more = "X: y\r\n", .pause = 0.05}, CODE_fetch_too_slow, NULL, 1},
    {"headers_without_end", NULL, {.answers = {OK_HEAD}, .more = "X: y\r\n"}, CODE_fetch_refused, NULL, 1},
    {"closes_at_once", NULL, {.answers = {""}}, CODE_fetch_truncated, NULL, 3},
    {"no_http", NULL, {.answers = {"SSH-2.0-OpenSSH_9.2\r\n"}}, CODE_fetch_truncated, NULL, 3},
    {"http_0_9", NULL, {.answers = {"just text"}}, CODE_fetch_truncated, NULL, 3},

    {"redirect", NULL, {.answers = {TO("/y"), OK_HEAD "Content-Length: 2\r\n\r\nok"}}, CODE_NONE, "ok", 2},
    {"redirect_to_another_host",
     NULL,
     {.answers = {TO("http://other.example:$P/y"), OK_HEAD "Content-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     2},
    {"redirect_in_a_circle", NULL, {.answers = {TO("/x")}}, CODE_url_redirect_refused, NULL, 6},
    {"redirect_without_a_place",
     NULL,
     {.answers = {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"}},
     CODE_url_redirect_refused,
     NULL,
     1},
    {"redirect_to_a_file", NULL, {.answers = {TO("file:///etc/passwd")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_to_gopher", NULL, {.answers = {TO("gopher://files.example:$P/_x")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_to_an_address", NULL, {.answers = {TO("http://127.0.0.2:$P/")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_to_a_number", NULL, {.answers = {TO("http://2130706434:$P/")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_to_a_name", NULL, {.answers = {TO("http://blocked.example:$P/")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_to_mixed", NULL, {.answers = {TO("http://mixed.example:$P/")}}, CODE_url_redirect_refused, NULL, 1},
    {"redirect_with_a_password",
     NULL,
     {.answers = {TO("http://a:b@files.example:$P/")}},
     CODE_url_redirect_refused,
     NULL,
     1},
    {"two_places",
     NULL,
     {.answers = {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /y\r\nLocation: http://127.0.0.2:$P/\r\n\r\n"}},
     CODE_fetch_truncated,
     NULL,
     3},

    {"blocked_address", "http://127.0.0.2:$P/x", {.answers = {""}}, CODE_url_address_blocked, NULL, 0},
    {"blocked_number", "http://2130706434:$P/x", {.answers = {""}}, CODE_url_address_blocked, NULL, 0},
    {"blocked_mapped", "http://[::ffff:127.0.0.2]:$P/x", {.answers = {""}}, CODE_url_address_blocked, NULL, 0},
    {"blocked_name", "http://blocked.example:$P/x", {.answers = {""}}, CODE_url_address_blocked, NULL, 0},
    {"blocked_mixed", "http://mixed.example:$P/x", {.answers = {""}}, CODE_url_address_blocked, NULL, 0},
    {"rebinding",
     "http://rebinds.example:$P/x",
     {.answers = {"HTTP/1.1 503 Again\r\nContent-Length: 0\r\n\r\n"}},
     CODE_url_address_blocked,
     NULL,
     1},
    {"rebinding_is_too_late",
     "http://rebinds.example:$P/x",
     {.answers = {OK_HEAD "Content-Length: 2\r\n\r\nok"}},
     CODE_NONE,
     "ok",
     1},
    {"unknown_name", "http://nowhere.example:$P/x", {.answers = {""}}, CODE_fetch_dns_failed, NULL, 0},
    {"no_tls_there",
     "https://files.example:$P/x",
     {.answers = {"HTTP/1.1 400 No\r\n\r\n"}},
     CODE_fetch_tls_failed,
     NULL,
     1},
};

static const struct download_options options = {.guard = {.resolver = {resolve, NULL}, .allowed = loopback_one},
                                                .timeout_seconds = 120,
                                                .slow_seconds = 60,
                                                .retry_seconds = 0.01};

static void write_url(char *out, size_t out_bytes, const char *pattern, int port)
{
    const char *at = strstr(pattern, "$P");
    snprintf(out, out_bytes, "%.*s%d%s", (int)(at - pattern), pattern, port, at + 2);
}

static enum status get(const struct download_options *with, const struct download_request *base, const char *url,
                       struct buffer *out, struct error *err)
{
    struct downloads *downloads = NULL;
    struct download_client *client = NULL;
    struct download_request request = *base;
    enum status st = downloads_open(&downloads, with, err);
    if (st == DOCKET_OK) st = download_client_open(&client, downloads, err);
    if (st == DOCKET_OK) {
        request.url = url;
        request.host = downloads_host(downloads, url);
        if (request.max_bytes == 0) request.max_bytes = 64 * KIB;
        st = DOCKET_NO_MEMORY;
        if (downloads_enter(downloads, request.host)) st = download(client, &request, out, err);
        for (size_t i = 0; i < 8 && request.host && st != DOCKET_NO_MEMORY; i++) /* its place was left */
            assert_true(downloads_enter(downloads, request.host));
    }
    download_client_close(client);
    downloads_close(downloads);
    return st;
}

static void whatever_a_host_says_has_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct download_options with = options;
        struct host h = {0};
        struct buffer out = {0};
        struct error err = {0};
        char url[256];
        resolved = 0;
        if (cases[i].want == CODE_fetch_too_slow) with.slow_seconds = 0.4;
        host_start(&h, &cases[i].script);
        write_url(url, sizeof(url), cases[i].url ? cases[i].url : "http://files.example:$P/x?key=CANARY", h.port);
        enum status st = get(&with, &(struct download_request){0}, url, &out, &err);
        size_t requests = atomic_load(&h.requests);
        host_end(&h, cases[i].name);
        if ((st == DOCKET_OK ? CODE_NONE : err.code) != cases[i].want || (st == DOCKET_OK) != !cases[i].want)
            fail_msg("%s: %s %s", cases[i].name, error_code_name(err.code), err.message);
        if (cases[i].requests && requests != cases[i].requests)
            fail_msg("%s: %zu requests (%s)", cases[i].name, requests, err.message);
        if (cases[i].body && strcmp(out.data ? out.data : "", cases[i].body) != 0)
            fail_msg("%s: got %s", cases[i].name, out.data);
        if (st != DOCKET_OK) assert_int_equal(out.length, 0);
        if (strstr(err.message, "CANARY") || strstr(err.message, "/x")) fail_msg("%s: %s", cases[i].name, err.message);
        buffer_free(&out);
    }
}

static void nothing_is_sent_that_the_host_need_not_know(void **state)
{
    static const struct script script = {.answers = {OK_HEAD "Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"}};
    struct host h = {0};
    struct buffer out = {0};
    struct error err = {0};
    char url[256];
    (void)state;
    host_start(&h, &script);
    write_url(url, sizeof(url), "http://files.example:$P/a%20b?Signature=a%2Bb#part", h.port);
    assert_int_equal(get(&options, &(struct download_request){0}, url, &out, &err), DOCKET_OK);
    host_end(&h, "request");
    assert_non_null(strstr(h.seen, "GET /a%20b?Signature=a%2Bb HTTP/1.1\r\nHost: files.example:"));
    assert_null(strstr(h.seen, "Accept-Encoding"));
    assert_null(strstr(h.seen, "Cookie"));
    assert_null(strstr(h.seen, "Authorization"));
    buffer_free(&out);
}

/* The judgement falls once more on the address that is about to be dialled. */
static void what_was_allowed_while_resolving_is_asked_again_at_the_socket(void **state)
{
    static const struct script script = {.answers = {OK_HEAD "Content-Length: 2\r\n\r\nok"}};
    struct download_options with = options;
    (void)state;
    with.guard.allowed = loopback_for_a_while;
    for (int yes = 1; yes <= 3; yes++) { /* at resolving; at the socket; before the request */
        struct host h = {0};
        struct buffer out = {0};
        struct error err = {0};
        char url[256];
        host_start(&h, &script);
        write_url(url, sizeof(url), "http://files.example:$P/x", h.port);
        atomic_store(&questions_left, yes);
        enum status st = get(&with, &(struct download_request){0}, url, &out, &err);
        size_t requests = atomic_load(&h.requests);
        host_end(&h, "asked again");
        assert_int_equal(st, yes == 3 ? DOCKET_OK : DOCKET_REFUSED);
        if (yes < 3) assert_int_equal(err.code, CODE_url_address_blocked);
        assert_int_equal(requests, yes == 3 ? 1 : 0);
        buffer_free(&out);
    }
}

static void a_stop_ends_a_download_at_once(void **state)
{
    static const struct script scripts[] = {
        {.answers = {OK_HEAD "\r\n"}, .stay = true},
        {.answers = {"HTTP/1.1 503 No\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n"}}};
    struct download_options with = options;
    (void)state;
    with.slow_seconds = 600;
    with.timeout_seconds = 600;
    for (size_t i = 0; i < ARRAY_LENGTH(scripts); i++) {
        struct host h = {0};
        struct buffer out = {0};
        struct error err = {0};
        atomic_bool stop = false;
        char url[256];
        h.on_request = &stop;
        host_start(&h, &scripts[i]);
        write_url(url, sizeof(url), "http://files.example:$P/x", h.port);
        assert_int_equal(get(&with, &(struct download_request){.stop = &stop}, url, &out, &err), DOCKET_CANCELLED);
        host_end(&h, "stop");
        buffer_free(&out);
    }
}

static void a_download_has_a_time_in_all(void **state)
{
    static const struct script script = {.answers = {OK_HEAD "\r\n"}, .more = K1X16, .pause = 0.01};
    struct download_options with = options;
    struct host h = {0};
    struct buffer out = {0};
    struct error err = {0};
    char url[256];
    (void)state;
    with.timeout_seconds = 0.5;
    host_start(&h, &script);
    write_url(url, sizeof(url), "http://files.example:$P/x", h.port);
    assert_int_equal(get(&with, &(struct download_request){.max_bytes = GIB}, url, &out, &err), DOCKET_TIMEOUT);
    assert_int_equal(err.code, CODE_fetch_timeout);
    host_end(&h, "time");
    buffer_free(&out);
}

static void a_handshake_without_end_is_given_up(void **state)
{
    static const struct script script = {.answers = {""}, .mute = true, .stay = true};
    struct download_options with = options;
    struct host h = {0};
    struct buffer out = {0};
    struct error err = {0};
    char url[256];
    (void)state;
    with.connect_timeout_seconds = 0.3;
    with.slow_seconds = 60;
    host_start(&h, &script);
    write_url(url, sizeof(url), "https://files.example:$P/x", h.port);
    assert_int_equal(get(&with, &(struct download_request){0}, url, &out, &err), DOCKET_NETWORK);
    assert_int_equal(err.code, CODE_fetch_connect_failed);
    host_end(&h, "handshake");
    buffer_free(&out);
}

struct room {
    size_t asked, refused;
};

static bool now_and_then(void *context, size_t bytes)
{
    struct room *room = context;
    (void)bytes;
    if (room->asked++ % 2) return true;
    room->refused++;
    return false;
}

static void a_download_waits_for_room_and_loses_nothing(void **state)
{
    static const struct script script = {.answers = {OK_HEAD "Content-Length: 2048\r\n\r\n" K1X16 K1X16}};
    struct host h = {0};
    struct buffer out = {0};
    struct error err = {0};
    struct room room = {0};
    char url[256];
    (void)state;
    host_start(&h, &script);
    write_url(url, sizeof(url), "http://files.example:$P/x", h.port);
    const struct download_request request = {.room = now_and_then, .context = &room};
    assert_int_equal(get(&options, &request, url, &out, &err), DOCKET_OK);
    host_end(&h, "room");
    assert_true(room.refused > 0);
    assert_int_equal(out.length, 2048);
    assert_string_equal(out.data, K1X16 K1X16);
    buffer_free(&out);
}

static void a_host_has_eight_places(void **state)
{
    struct downloads *d = NULL;
    struct error err = {0};
    (void)state;
    assert_int_equal(downloads_open(&d, &options, &err), DOCKET_OK);
    uint64_t a = downloads_host(d, "https://files.example/a"), b = downloads_host(d, "http://other.example/a");
    assert_true(a && b && a != b);
    assert_true(a == downloads_host(d, "http://FILES.example.:8080/b?c"));
    assert_true(downloads_host(d, "http://127.0.0.2/") == 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) assert_true(downloads_enter(d, a));
        assert_false(downloads_enter(d, a));
        assert_true(downloads_enter(d, b));
        downloads_leave(d, a);
        assert_true(downloads_enter(d, a));
        for (int i = 0; i < 8; i++) downloads_leave(d, a);
        downloads_leave(d, b);
    }
    downloads_close(d);
}

static void any_allocation_may_fail(void **state)
{
    static const struct script script = {.answers = {TO("/y"), OK_HEAD "Content-Length: 2\r\n\r\nok"}};
    size_t tolerated = 0;
    (void)state;
    for (size_t n = 1;; n++) {
        struct host h = {0};
        struct buffer out = {0};
        struct error err = {0};
        char url[256];
        host_start(&h, &script);
        write_url(url, sizeof(url), "http://files.example:$P/x", h.port);
        mem_fail_at(n, n % 2 == 0);
        enum status st = get(&options, &(struct download_request){0}, url, &out, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        host_end(&h, "memory");
        tolerated += st == DOCKET_OK && !done; /* the count of a host's downloads is done without */
        if (st == DOCKET_OK ? tolerated > 1 : st != DOCKET_NO_MEMORY) fail_msg("%zu: %d %s", n, st, err.message);
        buffer_free(&out);
        if (done) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_host_says_has_its_code),
        cmocka_unit_test(nothing_is_sent_that_the_host_need_not_know),
        cmocka_unit_test(what_was_allowed_while_resolving_is_asked_again_at_the_socket),
        cmocka_unit_test(a_stop_ends_a_download_at_once),
        cmocka_unit_test(a_download_has_a_time_in_all),
        cmocka_unit_test(a_handshake_without_end_is_given_up),
        cmocka_unit_test(a_download_waits_for_room_and_loses_nothing),
        cmocka_unit_test(a_host_has_eight_places),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
