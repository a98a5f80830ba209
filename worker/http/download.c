/* download.c: one download: tries, redirects, and the places that its hosts have. The transfer itself: transfer.c. */
#include "worker/http/download.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/hash.h"
#include "worker/http/transfer.h"

#include <pthread.h>
#include <string.h>

#define TRIES        3
#define POLL_SECONDS 0.05

struct place {
    uint64_t host;
    size_t taken;
};

struct downloads {
    struct download_options options;
    char *ca_file, *user_agent;
    pthread_mutex_t lock; /* guards places */
    struct place *places; /* hosts with a download under way */
    size_t n_places, capacity;
};

struct download_client {
    struct downloads *downloads;
    struct transfer_pool *pool;
};

enum status downloads_open(struct downloads **out, const struct download_options *options, struct error *err)
{
    struct downloads *d = mem_zalloc(1, sizeof(*d));
    if (!d) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for downloads");
    d->options = *options;
    pthread_mutex_init(&d->lock, NULL);
    if (options->ca_file) d->ca_file = str_dup(options->ca_file);
    d->user_agent = str_dup(options->user_agent ? options->user_agent : "docket");
    d->options.ca_file = d->ca_file;
    d->options.user_agent = d->user_agent;
    if (!(d->options.timeout_seconds > 0)) d->options.timeout_seconds = 120;
    if (!(d->options.connect_timeout_seconds > 0)) d->options.connect_timeout_seconds = 10;
    if (!(d->options.slow_seconds > 0)) d->options.slow_seconds = 20;
    if (!(d->options.retry_seconds > 0)) d->options.retry_seconds = 0.5;
    if (d->options.per_host == 0) d->options.per_host = 8;
    if (d->user_agent && (d->ca_file || !options->ca_file)) {
        *out = d;
        return DOCKET_OK;
    }
    downloads_close(d);
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for downloads");
}

void downloads_close(struct downloads *downloads)
{
    if (!downloads) return;
    pthread_mutex_destroy(&downloads->lock);
    mem_free(downloads->places);
    mem_free(downloads->ca_file);
    mem_free(downloads->user_agent);
    mem_free(downloads);
}

static uint64_t key_of(const struct url_target *target)
{
    uint64_t key = hash_bytes(target->host, strlen(target->host), 0);
    return key ? key : 1;
}

uint64_t downloads_host(const struct downloads *downloads, const char *url)
{
    struct url_target target;
    return url_guard_read(&downloads->options.guard, &target, url, NULL) == DOCKET_OK ? key_of(&target) : 0;
}

enum status downloads_allow(const struct downloads *downloads, const char *url, struct error *err)
{
    struct url_target target;
    return url_guard_read(&downloads->options.guard, &target, url, err);
}

static struct place *find_place(struct downloads *d, uint64_t host)
{
    for (size_t i = 0; i < d->n_places; i++)
        if (d->places[i].host == host) return &d->places[i];
    return NULL;
}

static struct place *add_place(struct downloads *d, uint64_t host)
{
    if (d->n_places == d->capacity) {
        size_t capacity = d->capacity ? d->capacity * 2 : 16;
        struct place *places = mem_resize(d->places, capacity, sizeof(*places));
        if (!places) return NULL;
        d->places = places;
        d->capacity = capacity;
    }
    d->places[d->n_places] = (struct place){host, 0};
    return &d->places[d->n_places++];
}

bool downloads_enter(struct downloads *downloads, uint64_t host)
{
    bool entered = true;
    if (host == 0) return true;
    pthread_mutex_lock(&downloads->lock);
    struct place *place = find_place(downloads, host);
    if (!place) place = add_place(downloads, host);
    if (place && place->taken >= downloads->options.per_host)
        entered = false;
    else if (place) /* without memory it is not counted, and its host may get one too many */
        place->taken++;
    pthread_mutex_unlock(&downloads->lock);
    return entered;
}

void downloads_leave(struct downloads *downloads, uint64_t host)
{
    if (host == 0) return;
    pthread_mutex_lock(&downloads->lock);
    struct place *place = find_place(downloads, host);
    if (place && --place->taken == 0) *place = downloads->places[--downloads->n_places];
    pthread_mutex_unlock(&downloads->lock);
}

enum status download_client_open(struct download_client **out, struct downloads *downloads, struct error *err)
{
    struct download_client *client = mem_zalloc(1, sizeof(*client));
    if (!client) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    client->downloads = downloads;
    enum status st = transfer_pool_open(&client->pool, &downloads->options, err);
    if (st == DOCKET_OK)
        *out = client;
    else
        mem_free(client);
    return st;
}

void download_client_close(struct download_client *client)
{
    if (!client) return;
    transfer_pool_close(client->pool);
    mem_free(client);
}

/* One download under way. */
struct course {
    struct download_client *client;
    const struct download_request *request;
    struct transfer transfer;
    struct url_target target, next;
    uint64_t host; /* whose place it has; 0: none */
};

static double seconds_left(const struct course *c)
{
    return c->client->downloads->options.timeout_seconds - clock_seconds_since(c->transfer.begun_ns) +
           c->transfer.paused_seconds;
}

static void leave(struct course *c)
{
    downloads_leave(c->client->downloads, c->host);
    c->host = 0;
}

/* Waits for a place at the host of `target`. */
static enum status enter(struct course *c, struct error *err)
{
    uint64_t host = key_of(&c->target);
    if (c->host == host) return DOCKET_OK;
    leave(c);
    while (!downloads_enter(c->client->downloads, host)) {
        if (seconds_left(c) <= 0)
            return fail(err, DOCKET_TIMEOUT, CODE_fetch_timeout, "%s: not reached within %.0f s", c->target.host,
                        c->client->downloads->options.timeout_seconds);
        if (!clock_sleep(POLL_SECONDS, c->request->stop)) return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    }
    c->host = host;
    return DOCKET_OK;
}

/* A transfer that waits for room gives its place to those that can go on: places would else be held by what waits for them. */
static bool ask_room(void *context, size_t bytes)
{
    struct course *c = context;
    const struct download_request *r = c->request;
    if (r->room && !r->room(r->context, bytes)) {
        leave(c);
        return false;
    }
    if (c->host) return true;
    uint64_t host = key_of(&c->target);
    if (!downloads_enter(c->client->downloads, host)) return false;
    c->host = host;
    return true;
}

static enum status judge_status(const struct transfer *t, const char *host, struct error *err)
{
    int status = t->status;
    if (status == 206) return fail(err, DOCKET_NETWORK, CODE_fetch_truncated, "%s: answered with a part (206)", host);
    if (status >= 200 && status < 300) return DOCKET_OK;
    if (status == 404 || status == 410)
        return fail(err, DOCKET_NOT_FOUND, CODE_fetch_not_found, "%s: answered %d", host, status);
    if (status == 401 || status == 403 || status == 407)
        return fail(err, DOCKET_REFUSED, CODE_fetch_forbidden, "%s: answered %d", host, status);
    if (status == 429) return fail(err, DOCKET_NETWORK, CODE_fetch_rate_limited, "%s: answered %d", host, status);
    if (status == 408 || status == 425 || status >= 500)
        return fail(err, DOCKET_NETWORK, CODE_fetch_server_error, "%s: answered %d", host, status);
    return fail(err, DOCKET_REFUSED, CODE_fetch_refused, "%s: answered %d", host, status);
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* From the first URL along its redirects to an answer. */
static enum status try_once(struct course *c, struct error *err)
{
    const struct url_guard *guard = &c->client->downloads->options.guard;
    enum status st = url_guard_read(guard, &c->target, c->request->url, err);
    for (int hops = 0; st == DOCKET_OK; hops++) {
        if ((st = enter(c, err)) != DOCKET_OK) return st;
        double left = seconds_left(c);
        if ((st = url_guard_resolve(guard, &c->target, left < 10 ? left : 10, c->request->stop, err)) != DOCKET_OK) {
            if (hops == 0 || st != DOCKET_REFUSED) return st;
            char why[300];
            strncpy(why, err ? err->message : "", sizeof(why) - 1);
            why[sizeof(why) - 1] = '\0';
            return fail(err, st, CODE_url_redirect_refused, "a redirect leads to %s", why);
        }
        c->transfer.seconds_left = seconds_left(c);
        if ((st = transfer_run(c->client->pool, &c->transfer, &c->target, err)) != DOCKET_OK) return st;
        if (!is_redirect(c->transfer.status)) return judge_status(&c->transfer, c->target.host, err);
        if (c->transfer.body)
            return fail(err, DOCKET_REFUSED, CODE_url_redirect_refused,
                        "%s: answered %d, and results are put nowhere else", c->target.host, c->transfer.status);
        if (hops == URL_MAX_REDIRECTS)
            return fail(err, DOCKET_REFUSED, CODE_url_redirect_refused, "%s: more than %d redirects", c->target.host,
                        URL_MAX_REDIRECTS);
        st = url_guard_redirect(guard, &c->next, &c->target, c->transfer.location, err);
        if (st == DOCKET_OK) c->target = c->next;
    }
    return st;
}

static bool another_try_helps(const struct error *err)
{
    switch (err->code) {
    case CODE_fetch_server_error:
    case CODE_fetch_rate_limited:
    case CODE_fetch_connect_failed:
    case CODE_fetch_dns_failed:
    case CODE_fetch_truncated:
        return true;
    default:
        return false;
    }
}

/* Until it is done, or another try would not help. */
static enum status run(struct course *c, struct error *err)
{
    const struct download_options *options = &c->client->downloads->options;
    struct error why = {0};
    enum status st;
    for (int tries = 1;; tries++) {
        st = try_once(c, &why);
        if (st == DOCKET_OK || !another_try_helps(&why)) break;
        if (tries == TRIES) {
            error_prefix(&why, "%d tries", tries);
            break;
        }
        double wait = c->transfer.retry_after_seconds > 0 ? c->transfer.retry_after_seconds
                                                          : options->retry_seconds * (1 << (tries - 1));
        if (wait >= seconds_left(c)) break;
        leave(c); /* others may ask meanwhile */
        if (!clock_sleep(wait, c->request->stop)) {
            st = fail(&why, DOCKET_CANCELLED, CODE_NONE, "stopped");
            break;
        }
    }
    leave(c);
    if (st != DOCKET_OK && err) *err = why;
    return st;
}

enum status download(struct download_client *client, const struct download_request *request, struct buffer *out,
                     struct error *err)
{
    struct course *c = mem_zalloc(1, sizeof(*c)); /* large, and threads' stacks need not be */
    if (!c) {
        downloads_leave(client->downloads, request->host);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a download");
    }
    c->client = client;
    c->request = request;
    c->host = request->host;
    c->transfer = (struct transfer){.out = out,
                                    .max_bytes = request->max_bytes,
                                    .stop = request->stop,
                                    .room = ask_room,
                                    .context = c,
                                    .begun_ns = clock_now_ns()};
    enum status st = run(c, err);
    if (st != DOCKET_OK) buffer_clear(out);
    mem_free(c);
    return st;
}

enum status upload(struct download_client *client, const struct upload_request *request, struct error *err)
{
    const struct download_request as_download = {.url = request->url, .stop = request->stop};
    struct buffer nothing = {0};
    struct course *c = mem_zalloc(1, sizeof(*c));
    if (!c) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for an upload");
    c->client = client;
    c->request = &as_download;
    c->transfer = (struct transfer){.body = request->bytes,
                                    .body_bytes = request->length,
                                    .content_type = request->content_type,
                                    .content_encoding = request->content_encoding,
                                    .out = &nothing,
                                    .max_bytes = (size_t)1 << 40, /* what is said back is dropped */
                                    .stop = request->stop,
                                    .begun_ns = clock_now_ns()};
    enum status st = run(c, err);
    buffer_free(&nothing);
    mem_free(c);
    return st;
}
