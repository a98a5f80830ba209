/* Documents read ahead: handed out in order whatever arrives first, held within the bytes that may be held, and left at once. */
#include "handlers/documents/reader.h"
#include "handlers/job_input.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers GET /n with n and so many bytes more; a thread for each connection. /h… waits until the gate opens, /l is a list. */
struct host {
    int listener, port;
    pthread_t thread, threads[512];
    atomic_size_t n_threads, now, most, requests;
    atomic_bool gate, end;
    size_t body_bytes;
};

static struct host *the_host; /* of the threads */

static void answer(const struct host *h, int fd, const char *path)
{
    static const char more[] = "and so many words more and so many words more and so many words more and more ";
    char head[512], body[256];
    bool list = strncmp(path, "/list", 5) == 0;
    int n = list ? snprintf(body, sizeof(body), "{\"url\":\"http://127.0.0.1:%d/1\"}\n?\n{\"text\":\"x\"}\n", h->port)
                 : snprintf(body, sizeof(body), "document %s ", path);
    size_t times = list ? 0 : h->body_bytes / (sizeof(more) - 1);
    int m = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                     (size_t)n + times * (sizeof(more) - 1), body);
    bool open = send(fd, head, (size_t)m, MSG_NOSIGNAL) == m;
    for (size_t i = 0; i < times && open; i++)
        open = send(fd, more, sizeof(more) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(more) - 1;
}

static void *connection_run(void *context)
{
    struct host *h = the_host;
    int fd = (int)(intptr_t)context;
    char request[4096], path[256];
    for (;;) {
        ssize_t n = recv(fd, request, sizeof(request) - 1, 0);
        if (n <= 0) break;
        request[n] = '\0';
        if (sscanf(request, "GET %255s", path) != 1) break;
        atomic_fetch_add(&h->requests, 1);
        size_t now = atomic_fetch_add(&h->now, 1) + 1, most = atomic_load(&h->most);
        while (now > most && !atomic_compare_exchange_weak(&h->most, &most, now)) continue;
        while (path[1] == 'h' && !atomic_load(&h->gate) && !atomic_load(&h->end)) clock_sleep(0.005, NULL);
        atomic_fetch_sub(&h->now, 1);
        answer(h, fd, path);
    }
    close(fd);
    return NULL;
}

static void *host_run(void *context)
{
    struct host *h = context;
    for (;;) {
        int fd = accept(h->listener, NULL, NULL);
        if (fd < 0) return NULL;
        size_t k = atomic_load(&h->n_threads);
        if (k < ARRAY_LENGTH(h->threads) &&
            pthread_create(&h->threads[k], NULL, connection_run, (void *)(intptr_t)fd) == 0)
            atomic_fetch_add(&h->n_threads, 1);
        else
            close(fd);
    }
}

static void host_start(struct host *h)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    the_host = h;
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(h->listener, 128), 0);
    assert_int_equal(getsockname(h->listener, (struct sockaddr *)&a, &n), 0);
    h->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&h->thread, NULL, host_run, h), 0);
}

static void host_end(struct host *h)
{
    atomic_store(&h->end, true);
    shutdown(h->listener, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    for (size_t i = 0; i < atomic_load(&h->n_threads); i++) pthread_join(h->threads[i], NULL);
    close(h->listener);
}

/* documents: for each a path of the host, a path with '@' in front for the same by another name, or a text. */
static void make_input(struct job_input *input, const struct host *h, const char *const *documents, size_t n)
{
    struct buffer json = {0};
    struct error err = {0};
    buffer_append_str(&json, "{\"input\":{\"labels\":[\"a\",\"b\"],\"documents\":[");
    for (size_t i = 0; i < n; i++)
        if (documents[i][0] == '/')
            buffer_printf(&json, "%s{\"url\":\"http://127.0.0.1:%d%s\"}", i ? "," : "", h->port, documents[i]);
        else if (documents[i][0] == '@')
            buffer_printf(&json, "%s{\"url\":\"http://localhost:%d%s\"}", i ? "," : "", h->port, documents[i] + 1);
        else
            buffer_printf(&json, "%s{\"text\":\"%s\"}", i ? "," : "", documents[i]);
    buffer_append_str(&json, "]}}");
    if (job_input_parse(input, json.data, json.length, &err) != DOCKET_OK) fail_msg("%s", err.message);
    buffer_free(&json);
}

static const struct reader_options plain = {.downloads = {.guard = {.allow_private = true}, .slow_seconds = 60}};

static void check_next(struct ahead *ahead, const char *want, size_t i)
{
    want += want[0] == '@';
    struct document_list list = {0};
    struct error err = {0};
    assert_int_equal(ahead_next(ahead, &list, &err), DOCKET_OK);
    assert_int_equal(list.n, 1);
    char begin[64], id[32];
    snprintf(begin, sizeof(begin), "%s%s", want[0] == '/' ? "document " : "", want);
    snprintf(id, sizeof(id), "doc-%zu", i + 1);
    if (!list.items[0].text || strncmp(list.items[0].text, begin, strlen(begin)) != 0)
        fail_msg("%s: %s", want, list.items[0].error.message);
    assert_string_equal(list.items[0].id, id);
    document_list_free(&list);
}

static void documents_come_in_the_order_of_the_input(void **state)
{
    static const char *const documents[] = {"/h1", "/2", "three", "/h4", "/5", "six", "/7", "/8", "/9", "ten"};
    static struct host h;
    struct reader *reader = NULL;
    struct ahead *ahead = NULL;
    struct job_input input = {0};
    struct error err = {0};
    (void)state;
    for (int one_by_one = 0; one_by_one < 2; one_by_one++) {
        h = (struct host){0};
        host_start(&h);
        atomic_store(&h.gate, one_by_one);
        make_input(&input, &h, documents, ARRAY_LENGTH(documents));
        assert_int_equal(reader_open(&reader, &plain, &err), DOCKET_OK);
        const struct ahead_options options = {.input = &input, .one_by_one = one_by_one};
        assert_int_equal(ahead_begin(&ahead, reader, &options, &err), DOCKET_OK);
        if (!one_by_one) { /* all others arrive while the first is on its way */
            while (atomic_load(&h.requests) < 7) clock_sleep(0.005, NULL);
            assert_false(ahead_ready(ahead));
            atomic_store(&h.gate, true);
        } else
            assert_int_equal(atomic_load(&h.requests), 0);
        for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) check_next(ahead, documents[i], i);
        ahead_end(ahead);
        if (one_by_one) assert_int_equal(atomic_load(&h.most), 1);
        reader_close(reader);
        job_input_free(&input);
        host_end(&h);
    }
}

static void no_more_than_the_window_is_begun(void **state)
{
    const char *documents[40];
    static struct host h;
    struct reader_options with = plain;
    struct reader *reader = NULL;
    struct ahead *ahead = NULL;
    struct job_input input = {0};
    struct error err = {0};
    (void)state;
    h = (struct host){0};
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) documents[i] = i == 0 ? "/h" : "/1";
    with.n_ahead = 5;
    host_start(&h);
    make_input(&input, &h, documents, ARRAY_LENGTH(documents));
    assert_int_equal(reader_open(&reader, &with, &err), DOCKET_OK);
    assert_int_equal(ahead_begin(&ahead, reader, &(struct ahead_options){.input = &input}, &err), DOCKET_OK);
    while (atomic_load(&h.requests) < 5) clock_sleep(0.005, NULL);
    clock_sleep(0.2, NULL); /* nothing is awaited: time for what must not happen */
    assert_int_equal(atomic_load(&h.requests), 5);
    atomic_store(&h.gate, true);
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) check_next(ahead, documents[i], i);
    ahead_end(ahead);
    reader_close(reader);
    job_input_free(&input);
    host_end(&h);
}

/* The document that is waited for goes on when others hold all the bytes, so nothing waits for ever. */
static void bytes_ahead_have_a_limit_that_the_first_may_exceed(void **state)
{
    const char *documents[24];
    static struct host h;
    struct reader_options with = plain;
    struct reader *reader = NULL;
    struct ahead *ahead[2] = {0};
    struct job_input input = {0};
    struct error err = {0};
    (void)state;
    h = (struct host){.body_bytes = 300000};
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) documents[i] = i == 0 ? "/h" : "/1";
    with.held_bytes = 400000; /* one document and a bit, for two jobs */
    host_start(&h);
    make_input(&input, &h, documents, ARRAY_LENGTH(documents));
    assert_int_equal(reader_open(&reader, &with, &err), DOCKET_OK);
    for (size_t k = 0; k < 2; k++)
        assert_int_equal(ahead_begin(&ahead[k], reader, &(struct ahead_options){.input = &input}, &err), DOCKET_OK);
    while (reader_held_bytes(reader) < 300000) clock_sleep(0.005, NULL);
    for (int looks = 0; looks < 100; looks++) { /* those that wait to be taken, and what came of the others */
        if (reader_held_bytes(reader) > with.held_bytes) fail_msg("%zu bytes are held", reader_held_bytes(reader));
        clock_sleep(0.005, NULL);
    }
    atomic_store(&h.gate, true);
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++)
        for (size_t k = 0; k < 2; k++) check_next(ahead[k], documents[i], i);
    for (size_t k = 0; k < 2; k++) ahead_end(ahead[k]);
    assert_int_equal(reader_held_bytes(reader), 0);
    reader_close(reader);
    job_input_free(&input);
    host_end(&h);
}

/* All threads wait for room, which those behind the first hold, and the first has not begun: its host had no place. */
static void the_first_is_read_even_when_no_thread_is_free(void **state)
{
    static const char *const busy[] = {"@/h1", "@/h2"};
    static const char *const documents[] = {"@/0", "/1", "/2", "/3", "/4", "/5"};
    static struct host h;
    struct reader_options with = plain;
    struct reader *reader = NULL;
    struct ahead *other = NULL, *ahead = NULL;
    struct job_input of_other = {0}, input = {0};
    struct error err = {0};
    (void)state;
    h = (struct host){.body_bytes = 300000};
    with.held_bytes = 400000;
    with.n_fetches = 2;
    with.downloads.per_host = 2;
    host_start(&h);
    make_input(&of_other, &h, busy, 2);
    make_input(&input, &h, documents, ARRAY_LENGTH(documents));
    assert_int_equal(reader_open(&reader, &with, &err), DOCKET_OK);
    assert_int_equal(ahead_begin(&other, reader, &(struct ahead_options){.input = &of_other}, &err), DOCKET_OK);
    while (atomic_load(&h.requests) < 2) clock_sleep(0.005, NULL);
    assert_int_equal(ahead_begin(&ahead, reader, &(struct ahead_options){.input = &input}, &err), DOCKET_OK);
    while (atomic_load(&h.requests) < 4 || reader_held_bytes(reader) < 350000) clock_sleep(0.005, NULL);
    atomic_store(&h.gate, true);
    for (size_t i = 0; i < 2; i++) check_next(other, busy[i], i);
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) check_next(ahead, documents[i], i);
    ahead_end(other);
    ahead_end(ahead);
    reader_close(reader);
    job_input_free(&of_other);
    job_input_free(&input);
    host_end(&h);
}

static void a_stop_and_an_end_leave_what_is_under_way(void **state)
{
    static const char *const documents[] = {"/h1", "/h2", "/h3"};
    static struct host h;
    (void)state;
    for (int kind = 0; kind < 3; kind++) { /* stopped with threads, without, and ended without a word */
        struct reader *reader = NULL;
        struct ahead *ahead = NULL;
        struct job_input input = {0};
        struct document_list list = {0};
        struct error err = {0};
        atomic_bool stop = false;
        h = (struct host){0};
        host_start(&h);
        make_input(&input, &h, documents, ARRAY_LENGTH(documents));
        assert_int_equal(reader_open(&reader, &plain, &err), DOCKET_OK);
        const struct ahead_options options = {.input = &input, .stop = &stop, .one_by_one = kind == 1};
        assert_int_equal(ahead_begin(&ahead, reader, &options, &err), DOCKET_OK);
        if (kind != 1)
            while (atomic_load(&h.now) < 3) clock_sleep(0.005, NULL);
        if (kind < 2) {
            atomic_store(&stop, true);
            assert_int_equal(ahead_next(ahead, &list, &err), DOCKET_CANCELLED);
            assert_int_equal(err.code, CODE_document_not_reached);
        }
        ahead_end(ahead);
        reader_close(reader);
        job_input_free(&input);
        host_end(&h);
    }
}

struct names {
    pthread_mutex_t lock;
    struct buffer all;
};

static void note(void *context, const char *phase, const char *items)
{
    struct names *n = context;
    pthread_mutex_lock(&n->lock);
    buffer_printf(&n->all, "%s:%s;", phase, items);
    pthread_mutex_unlock(&n->lock);
}

static void what_is_being_read_is_said(void **state)
{
    static const char *const documents[] = {"one", "two", "three"};
    struct reader *reader = NULL;
    struct ahead *ahead = NULL;
    struct job_input input = {0};
    struct error err = {0};
    struct names names = {.lock = PTHREAD_MUTEX_INITIALIZER};
    (void)state;
    make_input(&input, NULL, documents, 3);
    assert_int_equal(reader_open(&reader, &plain, &err), DOCKET_OK);
    const struct ahead_options options = {.input = &input, .one_by_one = true, .phase = note, .context = &names};
    assert_int_equal(ahead_begin(&ahead, reader, &options, &err), DOCKET_OK);
    for (size_t i = 0; i < 3; i++) check_next(ahead, documents[i], i);
    ahead_end(ahead);
    assert_string_equal(names.all.data, "read:doc-1;read:doc-2;read:doc-3;");
    reader_close(reader);
    job_input_free(&input);
    buffer_free(&names.all);
    pthread_mutex_destroy(&names.lock);
}

static const char list_job[] = "{\"input\":{\"labels\":[\"a\",\"b\"],\"documents_url\":\"http://127.0.0.1:%d/list\"}}";

/* One run of a list and its documents, threads or not. */
static enum status run_list(const struct host *h, bool one_by_one, struct error *err)
{
    struct reader *reader = NULL;
    struct ahead *ahead = NULL;
    struct job_input input = {0};
    char json[256];
    snprintf(json, sizeof(json), list_job, h->port);
    enum status st = job_input_parse(&input, json, strlen(json), err);
    if (st == DOCKET_OK) st = reader_open(&reader, &plain, err);
    if (st == DOCKET_OK) st = reader_fetch_list(reader, &input, NULL, err);
    const struct ahead_options options = {.input = &input, .one_by_one = one_by_one};
    if (st == DOCKET_OK) st = ahead_begin(&ahead, reader, &options, err);
    for (size_t i = 0; st == DOCKET_OK && i < input.n_documents; i++) {
        struct document_list list = {0};
        st = ahead_next(ahead, &list, err);
        if (st == DOCKET_OK)
            assert_int_equal(list.items[0].error.code, i == 1 ? CODE_document_source_invalid : CODE_NONE);
        document_list_free(&list);
    }
    if (st == DOCKET_OK) assert_int_equal(input.n_documents, 3);
    ahead_end(ahead);
    reader_close(reader);
    job_input_free(&input);
    return st;
}

static void any_allocation_may_fail(void **state)
{
    static struct host h;
    (void)state;
    for (int one_by_one = 0; one_by_one < 2; one_by_one++) {
        size_t tolerated = 0;
        for (size_t n = 1;; n++) {
            struct error err = {0};
            h = (struct host){0};
            host_start(&h);
            mem_fail_at(n, n % 2 == 0);
            enum status st = run_list(&h, one_by_one, &err);
            bool done = mem_count() < n;
            mem_fail_at(0, false);
            host_end(&h);
            /* Done without: a thread that cannot open its connections; the count of a host's downloads. */
            tolerated += st == DOCKET_OK && !done;
            bool right = st == DOCKET_NO_MEMORY || (st == DOCKET_OK && (done || !one_by_one || tolerated <= 1));
            if (!right) fail_msg("%zu: %d %s", n, st, err.message);
            if (done) break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_come_in_the_order_of_the_input),
        cmocka_unit_test(no_more_than_the_window_is_begun),
        cmocka_unit_test(bytes_ahead_have_a_limit_that_the_first_may_exceed),
        cmocka_unit_test(the_first_is_read_even_when_no_thread_is_free),
        cmocka_unit_test(a_stop_and_an_end_leave_what_is_under_way),
        cmocka_unit_test(what_is_being_read_is_said),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
