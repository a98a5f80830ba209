/* hub.c: the hub's HTTP protocol. Redirects are followed by hand, because a token must not follow them to another host. */
#include "worker/hub/hub.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/http/url.h"
#include "worker/queue/backoff.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_REDIRECTS    5
#define ANSWER_SECONDS   60.0
#define TRANSFER_SECONDS 86400.0 /* a slow line is no error; standing still is */
#define STALL_SECONDS    30.0
#define LISTING_BYTES    (20 * MIB)
#define LONGEST_WAIT     30.0

struct hub {
    const struct hub_source *source;
    struct http_client *client;
    struct http_answer answer;
    struct hub_headers headers;
    char *authorization;
};

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to ask the hub");
}

enum status hub_open(struct hub **out, const struct hub_source *source, struct error *err)
{
    const struct http_options options = {.ca_file = source->ca_file, .user_agent = source->user_agent};
    enum status st = url_check_setting(source->endpoint, "HF_ENDPOINT", source->allow_clear_text, err);
    if (st != DOCKET_OK) return st;
    for (const char *c = source->token; c && *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c > 0x7e)
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "HF_TOKEN: holds a character that no token has");
    struct hub *hub = mem_zalloc(1, sizeof(*hub));
    if (!hub) return no_memory(err);
    hub->source = source;
    if (source->token && source->token[0])
        if (!(hub->authorization = str_format("Authorization: Bearer %s", source->token))) st = no_memory(err);
    if (st == DOCKET_OK) st = http_client_open(&hub->client, &options, err);
    if (st == DOCKET_OK)
        *out = hub;
    else
        hub_close(hub);
    return st;
}

void hub_close(struct hub *hub)
{
    if (!hub) return;
    http_client_close(hub->client);
    http_answer_free(&hub->answer);
    mem_free(hub->authorization);
    mem_free(hub);
}

void hub_place_free(struct hub_place *place)
{
    mem_free(place->url);
    *place = (struct hub_place){0};
}

unsigned hub_max_failures(const struct hub_source *source)
{
    return source->max_failures ? source->max_failures : 6;
}

bool hub_wait(const struct hub_source *source, const char *name, unsigned failures, double asked_seconds,
              const struct error *why, const atomic_bool *stop)
{
    double seconds = backoff_seconds(failures, source->first_wait > 0 ? source->first_wait : 1, LONGEST_WAIT,
                                     asked_seconds, backoff_chance());
    uint64_t start = clock_now_ns();
    log_event(LOG_WARN, EVENT_model_fetch_retried, F_STR("file", name), F_U64("failures", failures),
              F_F64("next_try_seconds", seconds), F_ERROR(why));
    for (double left; (left = seconds - clock_seconds_since(start)) > 0;) {
        if ((stop && atomic_load(stop)) || (source->stop && atomic_load(source->stop))) return false;
        clock_sleep(left < 0.1 ? left : 0.1, stop);
    }
    return true;
}

/* The client speaks of a queue. */
static void of_the_hub(struct error *err)
{
    if (err->code == CODE_queue_unreachable) err->code = CODE_hub_unreachable;
    if (err->code == CODE_queue_answer_invalid) err->code = CODE_hub_answer_invalid;
    error_prefix(err, "the hub");
}

/* One exchange with `url`; the token goes along only if told. */
static enum status exchange(struct hub *hub, const char *url, bool token, bool head, struct error *err)
{
    const char *headers[] = {"Accept: application/json", hub->authorization};
    const struct http_request r = {.url = url,
                                   .headers = headers,
                                   .n_headers = token && hub->authorization ? 2 : 1,
                                   .head = head,
                                   .identity = head,
                                   .timeout_seconds = ANSWER_SECONDS,
                                   .max_body_bytes = LISTING_BYTES,
                                   .stop = hub->source->stop,
                                   .on_header = hub_headers_add,
                                   .context = &hub->headers};
    hub->headers = (struct hub_headers){0};
    enum status st = http_client_do(hub->client, &r, &hub->answer, err);
    if (st != DOCKET_OK && err) of_the_hub(err);
    return st;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where the last answer's redirect leads. Never from https to http. */
static enum status redirect_target(struct hub *hub, char **out, const char *url, struct error *err)
{
    char *target = hub->answer.location[0] ? url_resolve(url, hub->answer.location) : NULL;
    if (!target)
        return fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "the hub redirects (%d) to no place that can be read",
                    hub->answer.status);
    bool https = strncmp(target, "https://", 8) == 0;
    if (!https && (strncmp(target, "http://", 7) != 0 || strncmp(url, "https://", 8) == 0)) {
        mem_free(target);
        return fail(err, DOCKET_REFUSED, CODE_hub_answer_invalid,
                    "the hub redirects from https to something else: not followed");
    }
    *out = target;
    return DOCKET_OK;
}

/* What a status that is no success means for who asks. */
static enum status say_status(const struct hub *hub, const char *what, struct error *err)
{
    int status = hub->answer.status;
    const char *code = hub->headers.error_code;
    bool token = hub->authorization != NULL;
    if (strcmp(code, "GatedRepo") == 0)
        return fail(err, DOCKET_REFUSED, CODE_hub_refused,
                    "%s: the model is gated (%d): accept its terms on the hub's page and give the token of that "
                    "account as HF_TOKEN%s",
                    what, status, token ? "; the one that is set has no access" : "");
    if (status == 401 || strcmp(code, "RepoNotFound") == 0)
        return fail(err, DOCKET_REFUSED, CODE_hub_refused, "%s: no such model, or a private one (%d): %s", what, status,
                    token ? "HF_TOKEN is wrong or has no access" : "HF_TOKEN is not set");
    if (status == 403)
        return fail(err, DOCKET_REFUSED, CODE_hub_refused, "%s: forbidden (403)%s", what,
                    token ? ": HF_TOKEN has no access" : ": HF_TOKEN is not set");
    if (strcmp(code, "RevisionNotFound") == 0)
        return fail(err, DOCKET_NOT_FOUND, CODE_hub_refused, "%s: the model has no such revision (%d)", what, status);
    if (status == 404) return fail(err, DOCKET_NOT_FOUND, CODE_hub_refused, "%s: not on the hub (404)", what);
    if (status == 429)
        return fail(err, DOCKET_NETWORK, CODE_hub_unreachable, "%s: the hub says too many requests (429)%s", what,
                    token ? "" : "; HF_TOKEN is not set, with one it gives more");
    if (status >= 500 || status == 408)
        return fail(err, DOCKET_NETWORK, CODE_hub_unreachable, "%s: the hub answers %d", what, status);
    return fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "%s: the hub answers %d", what, status);
}

/* Asks until an answer with status 200 (or a redirect to another host, if the caller can use one) is there, or trying again does
 * not help. *url is replaced where a redirect on the hub's own host leads. */
static enum status ask(struct hub *hub, char **url, bool head, bool leave_host, const char *what, struct error *err)
{
    unsigned redirects = 0;
    bool token = true;
    for (unsigned failures = 0;;) {
        struct error inner = {0};
        enum status st = exchange(hub, *url, token, head, &inner);
        if (st == DOCKET_OK && hub->answer.status == 200) return DOCKET_OK;
        if (st == DOCKET_OK && is_redirect(hub->answer.status)) {
            char *target = NULL;
            if ((st = redirect_target(hub, &target, *url, &inner)) == DOCKET_OK) {
                bool same = url_same_origin(hub->source->endpoint, target);
                if (!same && leave_host && hub->headers.linked) {
                    mem_free(target);
                    return DOCKET_OK;
                }
                token = token && same; /* once away, never again */
                mem_free(*url);
                *url = target;
                if (++redirects <= MAX_REDIRECTS) continue;
                st = fail(&inner, DOCKET_CORRUPT, CODE_hub_answer_invalid, "the hub redirects more than %d times",
                          MAX_REDIRECTS);
            }
        } else if (st == DOCKET_OK) {
            st = say_status(hub, what, &inner);
        }
        double asked = hub->answer.retry_after_seconds;
        bool again = st == DOCKET_NETWORK || st == DOCKET_TIMEOUT;
        if (again && ++failures < hub_max_failures(hub->source)) {
            if (hub_wait(hub->source, what, failures, asked, &inner, NULL)) continue;
            return fail(err, DOCKET_CANCELLED, CODE_NONE, "%s: stopped", what);
        }
        if (again) error_prefix(&inner, "given up after %u tries", failures);
        if (err) *err = inner;
        return st;
    }
}

enum status hub_list(struct hub *hub, struct hub_listing *out, const char *repository, const char *revision,
                     struct error *err)
{
    struct buffer url = {0};
    char what[200];
    snprintf(what, sizeof(what), "%.120s@%.60s", repository, revision);
    size_t n = strlen(hub->source->endpoint);
    while (n > 0 && hub->source->endpoint[n - 1] == '/') n--;
    buffer_printf(&url, "%.*s/api/models/%s/revision/", (int)n, hub->source->endpoint, repository);
    url_encode(&url, revision);
    buffer_append_str(&url, "?blobs=true");
    if (url.failed) {
        buffer_free(&url);
        return no_memory(err);
    }
    char *text = buffer_take(&url, NULL);
    enum status st = ask(hub, &text, false, false, what, err);
    if (st == DOCKET_OK) st = hub_listing_parse(out, hub->answer.body.data, hub->answer.body.length, err);
    if (st != DOCKET_OK && err && err->code == CODE_hub_answer_invalid) error_prefix(err, "%s", what);
    mem_free(text);
    return st;
}

enum status hub_resolve(struct hub *hub, struct hub_place *out, const char *repository, const char *commit,
                        const char *name, struct error *err)
{
    struct hub_place local = {0};
    size_t n = strlen(hub->source->endpoint);
    while (n > 0 && hub->source->endpoint[n - 1] == '/') n--;
    char *url = str_format("%.*s/%s/resolve/%s/%s", (int)n, hub->source->endpoint, repository, commit, name);
    if (!url) return no_memory(err);
    enum status st = ask(hub, &url, true, true, name, err);
    const struct hub_headers *h = &hub->headers;
    if (st != DOCKET_OK) goto done;
    if (h->commit[0] && strcasecmp(h->commit, commit) != 0)
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "%s: asked for commit %s, the hub speaks of %s", name,
                  commit, h->commit);
    else if (!h->etag[0])
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid,
                  "%s: the hub names no checksum (etag of 40 or 64 hexadecimal digits), so nothing could be proven",
                  name);
    else if (!h->sized)
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "%s: the hub names no size", name);
    if (st != DOCKET_OK) goto done;
    memcpy(local.etag, h->etag, sizeof(local.etag));
    local.size_bytes = h->size_bytes;
    if (is_redirect(hub->answer.status)) {
        st = redirect_target(hub, &local.url, url, err);
    } else {
        local.url = url;
        url = NULL;
        local.token = url_same_origin(hub->source->endpoint, local.url);
    }
    if (st == DOCKET_OK) MOVE(*out, local);
done:
    hub_place_free(&local);
    mem_free(url);
    return st;
}

struct reading {
    struct hub *hub;
    const struct hub_range *range;
    uint64_t at; /* offset of the next byte; UINT64_MAX before the first */
    enum hub_got got;
    enum { FINE, ENOUGH, NOT_ASKED, TOO_LONG } why;
};

static bool on_bytes(void *context, int status, const char *bytes, size_t length)
{
    struct reading *r = context;
    const struct hub_headers *h = &r->hub->headers;
    uint64_t last = status == 206 ? r->range->last : r->range->total - 1;
    if (r->at == UINT64_MAX) {
        r->got = status == 206 ? HUB_GOT_RANGE : HUB_GOT_WHOLE;
        r->at = status == 206 ? r->range->first : 0;
        if (status == 206 && (!h->ranged || h->range_first != r->range->first || h->range_last > r->range->last ||
                              h->range_total != r->range->total)) {
            r->why = NOT_ASKED;
            return false;
        }
        if (status == 200 && r->range->first != 0) {
            r->why = ENOUGH;
            return false;
        }
    }
    if (length > last + 1 - r->at) {
        r->why = TOO_LONG;
        return false;
    }
    if (!r->range->take(r->range->context, r->at, bytes, length)) {
        r->why = ENOUGH;
        return false;
    }
    r->at += length;
    return true;
}

/* http_request has one context for both callbacks. */
static void on_reading_header(void *context, const char *name, const char *value)
{
    hub_headers_add(&((struct reading *)context)->hub->headers, name, value);
}

static enum status one_read(struct hub *hub, const char *url, bool token, const struct hub_range *range,
                            struct reading *reading, struct error *err)
{
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "Range: bytes=%llu-%llu", (unsigned long long)range->first,
             (unsigned long long)range->last);
    const char *headers[3] = {wanted};
    struct http_request request = {.url = url,
                                   .headers = headers,
                                   .n_headers = 1,
                                   .identity = true,
                                   .timeout_seconds = TRANSFER_SECONDS,
                                   .low_speed_seconds = STALL_SECONDS,
                                   .max_body_bytes = 64 * KIB,
                                   .stop = hub->source->stop,
                                   .stop2 = range->stop,
                                   .on_header = on_reading_header,
                                   .on_body = on_bytes,
                                   .context = reading};
    if (token && hub->authorization) headers[request.n_headers++] = hub->authorization;
    *reading = (struct reading){.hub = hub, .range = range, .at = UINT64_MAX};
    hub->headers = (struct hub_headers){0};
    enum status st = http_client_do(hub->client, &request, &hub->answer, err);
    if (st != DOCKET_OK) of_the_hub(err);
    return st;
}

enum status hub_read(struct hub *hub, const struct hub_place *place, const struct hub_range *range, enum hub_got *got,
                     double *asked_seconds, struct error *err)
{
    struct reading r;
    struct error inner = {0};
    char *url = str_dup(place->url);
    bool token = place->token;
    if (!url) return no_memory(err);
    enum status st = DOCKET_OK;
    for (unsigned hops = 0; st == DOCKET_OK; hops++) {
        st = one_read(hub, url, token, range, &r, &inner);
        if (st != DOCKET_OK || !is_redirect(hub->answer.status)) break;
        char *target = NULL;
        if (hops == MAX_REDIRECTS)
            st = fail(&inner, DOCKET_CORRUPT, CODE_hub_answer_invalid, "the hub redirects more than %d times", hops);
        else
            st = redirect_target(hub, &target, url, &inner);
        if (st != DOCKET_OK) break;
        token = token && url_same_origin(hub->source->endpoint, target);
        mem_free(url);
        url = target;
    }
    mem_free(url);
    *got = r.got;
    *asked_seconds = hub->answer.retry_after_seconds;
    int status = hub->answer.status;
    if (r.why == NOT_ASKED)
        st = fail(&inner, DOCKET_CORRUPT, CODE_hub_answer_invalid,
                  "asked for bytes %llu to %llu of %llu, the hub answers with others", (unsigned long long)range->first,
                  (unsigned long long)range->last, (unsigned long long)range->total);
    else if (r.why == TOO_LONG)
        st = fail(&inner, DOCKET_CORRUPT, CODE_hub_answer_invalid, "the hub sends more than the %llu bytes it named",
                  (unsigned long long)(r.got == HUB_GOT_RANGE ? range->last + 1 - range->first : range->total));
    else if (st == DOCKET_OK && (status == 401 || status == 403 || status == 404 || status == 410) && !place->token)
        *got = HUB_GOT_STALE, st = say_status(hub, "the place of the file", &inner);
    else if (st == DOCKET_OK && status != 200 && status != 206)
        st = say_status(hub, "the place of the file", &inner);
    else if (st == DOCKET_OK && r.at != (r.got == HUB_GOT_RANGE ? range->last + 1 : range->total))
        st = fail(&inner, DOCKET_NETWORK, CODE_hub_unreachable, "the hub sends fewer bytes than it named");
    if (st != DOCKET_OK && err) *err = inner;
    return st;
}
