/* The HTTP client against a peer that says exactly the given bytes: limits hold, and nothing holds the client. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/client.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void retry_after_is_clamped_to_a_second_and_five_minutes(void **state)
{
    static const struct {
        const char *value;
        double want;
    } cases[] = {
        {"0", 1},
        {"-5", 1},
        {"1e12", 300},
        {"7", 7},
        {" 12 ", 12},
        {"soon", -1},
        {"", -1},
        {"nan", -1},
        {"0x10", -1},
        {"inf", -1},
        {"Wed, 21 Oct 2015 07:28:00 GMT", 1},   /* past */
        {"Sat, 21 Nov 2026 03:00:30 GMT", 30},  /* half a minute ahead of the clock below */
        {"Sat, 21 Nov 2099 00:00:00 GMT", 300}, /* a server whose clock is wrong */
    };
    const uint64_t now = UINT64_C(1795230000) * NS_PER_SECOND; /* 2026-11-21 03:00:00 */
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        double got = http_retry_after(cases[i].value, now);
        if (got != cases[i].want) fail_msg("%s: %g", cases[i].value, got);
    }
}

/* One connection: reads a request, then says `text` (repeated `times` times), then closes or stays. */
struct peer {
    int listener, port;
    const char *head, *text;
    size_t times;
    bool stay;
    pthread_t thread;
    atomic_bool stop;
};

static void *peer_run(void *context)
{
    struct peer *p = context;
    char request[65536];
    int fd = accept(p->listener, NULL, NULL);
    if (fd < 0) return NULL;
    if (recv(fd, request, sizeof(request), 0) > 0) {
        bool open = send(fd, p->head, strlen(p->head), MSG_NOSIGNAL) >= 0;
        for (size_t i = 0; i < p->times && open && !atomic_load(&p->stop); i++)
            open = send(fd, p->text, strlen(p->text), MSG_NOSIGNAL) > 0;
    }
    while (p->stay && !atomic_load(&p->stop)) clock_sleep(0.01, NULL);
    shutdown(fd, SHUT_RDWR);
    close(fd);
    return NULL;
}

static void peer_start(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 4), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &n), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static void peer_end(struct peer *p)
{
    atomic_store(&p->stop, true);
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

static enum status ask(struct peer *p, const struct http_request *base, struct http_answer *answer, struct error *err)
{
    struct http_client *client = NULL;
    struct http_request request = *base;
    char url[64];
    peer_start(p);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", p->port);
    request.url = url;
    if (request.timeout_seconds == 0) request.timeout_seconds = 20;
    assert_int_equal(http_client_open(&client, &(struct http_options){0}, err), DOCKET_OK);
    enum status st = http_client_do(client, &request, answer, err);
    http_client_close(client);
    peer_end(p);
    return st;
}

#define LINE_1K                                                                                                        \
    "X-A: "                                                                                                            \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xx\r\n"

static void answers_are_read_within_limits(void **state)
{
    static const struct {
        const char *name, *head, *text;
        size_t times;
        enum status want;
        int status;
    } cases[] = {
        {"plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "", 0, DOCKET_OK, 200},
        {"no_content", "HTTP/1.1 204 No Content\r\n\r\n", "", 0, DOCKET_OK, 204},
        {"redirect_is_not_followed", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         "", 0, DOCKET_OK, 302},
        {"http_0_9", "hello, I am an old server\n", "", 0, DOCKET_NETWORK, 0},
        {"nothing", "", "", 0, DOCKET_NETWORK, 0},
        {"cut_body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "", 0, DOCKET_NETWORK, 200},
        {"cut_chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "", 0, DOCKET_NETWORK, 200},
        {"body_over_the_ceiling", "HTTP/1.1 200 OK\r\n\r\n", LINE_1K, 100, DOCKET_LIMIT, 200},
        {"headers_of_a_megabyte", "HTTP/1.1 200 OK\r\n", LINE_1K, 10000, DOCKET_LIMIT, 0},
        {"early_hints_flood", "", "HTTP/1.1 103 Early Hints\r\n\r\n", 100000, DOCKET_LIMIT, 0},
        {"continue_flood", "", "HTTP/1.1 100 Continue\r\n\r\n", 100000, DOCKET_LIMIT, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct peer p = {.head = cases[i].head, .text = cases[i].text, .times = cases[i].times};
        struct http_answer answer = {0};
        struct error err = {0};
        enum status st = ask(&p, &(struct http_request){.max_body_bytes = 4000}, &answer, &err);
        if (st != cases[i].want || (cases[i].status && answer.status != cases[i].status))
            fail_msg("%s: %s, status %d, %s", cases[i].name, status_name(st), answer.status, err.message);
        assert_true(answer.sent);
        http_answer_free(&answer);
    }
}

static void a_silent_peer_holds_nobody_who_was_told_to_stop(void **state)
{
    struct peer p = {.head = "", .stay = true};
    struct http_answer answer = {0};
    struct error err;
    const atomic_bool stop = true;
    (void)state;
    /* told before: nothing is sent */
    assert_int_equal(ask(&p, &(struct http_request){.stop = &stop}, &answer, &err), DOCKET_CANCELLED);
    assert_false(answer.sent);
    http_answer_free(&answer);
}

struct stopper {
    atomic_bool stop;
};

static void *stop_later(void *context)
{
    struct stopper *s = context;
    clock_sleep(0.05, NULL);
    atomic_store(&s->stop, true);
    return NULL;
}

static void an_open_exchange_ends_when_told(void **state)
{
    struct peer p = {.head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", .stay = true};
    struct http_answer answer = {0};
    struct error err;
    struct stopper s = {0};
    pthread_t thread;
    (void)state;
    pthread_create(&thread, NULL, stop_later, &s);
    assert_int_equal(ask(&p, &(struct http_request){.stop2 = &s.stop}, &answer, &err), DOCKET_CANCELLED);
    pthread_join(thread, NULL);
    assert_true(answer.sent);
    http_answer_free(&answer);
}

static void a_silent_peer_ends_by_the_limit(void **state)
{
    struct peer p = {.head = "", .stay = true};
    struct http_answer answer = {0};
    struct error err;
    (void)state;
    assert_int_equal(ask(&p, &(struct http_request){.timeout_seconds = 0.1}, &answer, &err), DOCKET_TIMEOUT);
    assert_true(answer.sent);
    http_answer_free(&answer);
}

static void no_listener_is_known_as_not_sent(void **state)
{
    struct http_client *client = NULL;
    struct http_answer answer = {0};
    struct error err;
    (void)state;
    assert_int_equal(http_client_open(&client, &(struct http_options){0}, &err), DOCKET_OK);
    const struct http_request request = {.url = "http://127.0.0.1:1/x?key=secret", .timeout_seconds = 5};
    assert_int_equal(http_client_do(client, &request, &answer, &err), DOCKET_NETWORK);
    assert_false(answer.sent);
    assert_null(strstr(err.message, "secret"));
    http_client_reset(client);
    assert_int_equal(http_client_do(client, &request, &answer, &err), DOCKET_NETWORK);
    http_answer_free(&answer);
    http_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_clamped_to_a_second_and_five_minutes),
        cmocka_unit_test(answers_are_read_within_limits),
        cmocka_unit_test(a_silent_peer_holds_nobody_who_was_told_to_stop),
        cmocka_unit_test(an_open_exchange_ends_when_told),
        cmocka_unit_test(a_silent_peer_ends_by_the_limit),
        cmocka_unit_test(no_listener_is_known_as_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
