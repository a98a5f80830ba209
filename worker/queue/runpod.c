/* runpod.c: the RunPod protocol: requests as the SDK sends them, answers into verdicts. Decides nothing about when or how often. */
#include "worker/queue/runpod.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/http/client.h"
#include "worker/http/url.h"
#include "worker/queue/bodies.h"
#include "worker/queue/job_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_STOP_IDS    1000 /* more than a worker can hold */
#define PING_LIST_BYTES (64 * KIB)
#define UNHEALTHY_LIMIT 2.0 /* seconds for the last word, as the SDK */
#define PROGRESS_LIMIT  10.0
#define LOW_SPEED_LIMIT 60.0
#define SMALL_BODY      (256 * KIB) /* answers whose body nobody reads */

struct runpod {
    struct queue table;
    struct http_client *lanes[N_QUEUE_LANES];
    struct http_answer answers[N_QUEUE_LANES];
    struct buffer urls[N_QUEUE_LANES];
    char *take, *take_batch, *stop, *done, *ping, *authorization;
    double poll_seconds, post_seconds;
};

const char *runpod_heartbeat_missing(const struct runpod_options *options)
{
    if (options->worker_id_is_made_up) return "RUNPOD_POD_ID";
    if (!options->api_key || !options->api_key[0]) return "RUNPOD_AI_API_KEY";
    if (!options->ping_url || !options->ping_url[0]) return "RUNPOD_WEBHOOK_PING";
    return NULL;
}

double runpod_ping_interval(const char *milliseconds, bool *clamped)
{
    char *end = NULL;
    *clamped = false;
    if (!milliseconds || !milliseconds[0]) return 10;
    long long value = strtoll(milliseconds, &end, 10);
    if (*end != '\0') {
        *clamped = true;
        return 10;
    }
    *clamped = value < 1000 || value > 60000;
    return value < 1000 ? 1 : value > 60000 ? 60 : (double)value / 1000;
}

enum queue_verdict runpod_result_verdict(int status)
{
    if (status >= 200 && status < 300) return QUEUE_DONE;
    switch (status) {
    case 400:
    case 404:
    case 409:
    case 410:
    case 413:
    case 422:
        return QUEUE_REFUSED;
    case 401:
    case 403:
        return QUEUE_UNAUTHORIZED;
    case 429:
        return QUEUE_BUSY;
    default:
        return QUEUE_RETRY;
    }
}

/* One exchange in a lane; the answer stays in q->answers[lane]. */
static enum status exchange(struct runpod *q, enum queue_lane lane, struct http_request *request,
                            struct queue_answer *out)
{
    struct http_answer *answer = &q->answers[lane];
    memset(out, 0, sizeof(*out));
    out->verdict = QUEUE_RETRY;
    out->retry_after_seconds = -1;
    if (q->urls[lane].failed) return fail(&out->error, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the URL");
    request->url = q->urls[lane].data;
    enum status st = http_client_do(q->lanes[lane], request, answer, &out->error);
    out->status = answer->status;
    out->retry_after_seconds = answer->retry_after_seconds;
    out->sent = answer->sent;
    return st;
}

static void say_status(struct queue_answer *out)
{
    if (out->status >= 300 && out->status < 400)
        fail(&out->error, DOCKET_NETWORK, CODE_queue_unreachable, "redirect with status %d, not followed", out->status);
    else
        fail(&out->error, DOCKET_NETWORK,
             out->verdict == QUEUE_UNAUTHORIZED ? CODE_queue_auth_refused : CODE_queue_unreachable, "status %d",
             out->status);
}

static bool is_json(const struct http_answer *answer)
{
    size_t n = strcspn(answer->content_type, "; \t");
    return n == 16 && strncasecmp(answer->content_type, "application/json", n) == 0;
}

static bool blank(const struct buffer *body)
{
    return !body->data || strspn(body->data, " \t\r\n") == body->length;
}

/* Jobs with a problem are dropped: of a text that a broken connection cut, only what is whole is believed. */
static void keep_whole_jobs(struct queue_take *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < out->n_jobs; i++) {
        if (out->jobs[i].problem.code != CODE_NONE)
            queue_job_free(&out->jobs[i]);
        else
            out->jobs[kept++] = out->jobs[i];
    }
    out->n_jobs = kept;
    out->n_malformed = 0;
}

static void runpod_take(void *self, unsigned n_wanted, bool in_progress, const atomic_bool *stop,
                        struct queue_take *out)
{
    struct runpod *q = self;
    struct http_answer *answer = &q->answers[LANE_TAKE];
    struct buffer *url = &q->urls[LANE_TAKE];
    struct queue_answer *a = &out->answer;
    struct error why = {0};
    char number[16];
    const char *const headers[] = {"Content-Type: application/json", q->authorization};
    struct http_request request = {
        .headers = headers, .n_headers = 2, .timeout_seconds = q->poll_seconds, .stop = stop};

    memset(out, 0, sizeof(*out));
    buffer_clear(url);
    buffer_append_str(url, n_wanted > 1 ? q->take_batch : q->take);
    snprintf(number, sizeof(number), "%u", n_wanted);
    if (n_wanted > 1) url_add(url, "batch_size", number);
    url_add(url, "job_in_progress", in_progress ? "1" : "0");
    enum status st = exchange(q, LANE_TAKE, &request, a);
    if (st == DOCKET_TIMEOUT && a->sent && a->status == 0) a->verdict = QUEUE_EMPTY;
    bool partial = st == DOCKET_LIMIT || st == DOCKET_NETWORK || st == DOCKET_TIMEOUT;
    if (st != DOCKET_OK && !(partial && a->status == 200 && is_json(answer) && answer->body.length > 0)) return;

    switch (a->status) {
    case 200:
        if (st == DOCKET_OK && blank(&answer->body)) {
            a->verdict = QUEUE_EMPTY;
            return;
        }
        if (!is_json(answer)) {
            fail(&a->error, DOCKET_BAD_INPUT, CODE_queue_answer_invalid,
                 "status 200 with content type \"%s\", want application/json", answer->content_type);
            return;
        }
        if (job_text_read(out, answer->body.data, answer->body.length, st == DOCKET_LIMIT, clock_now_ns(), &why) !=
            DOCKET_OK) {
            if (out->n_jobs == 0) a->error = why;
            a->verdict = out->n_jobs ? QUEUE_DONE : QUEUE_RETRY;
            return;
        }
        if (st != DOCKET_OK) { /* not the whole answer; a->error says why */
            if (st != DOCKET_LIMIT) keep_whole_jobs(out);
            a->verdict = out->n_jobs ? QUEUE_DONE : QUEUE_RETRY;
            return;
        }
        a->verdict = out->n_jobs || out->n_malformed ? QUEUE_DONE : QUEUE_EMPTY;
        return;
    case 204:
    case 400: /* what a paused worker is told; the SDK calls it expected */
        a->verdict = QUEUE_EMPTY;
        return;
    case 429:
        a->verdict = QUEUE_BUSY;
        break;
    case 401:
    case 403:
        a->verdict = QUEUE_UNAUTHORIZED;
        break;
    default:
        if (a->status > 200 && a->status < 300) a->verdict = QUEUE_EMPTY;
        break;
    }
    say_status(a);
}

static void runpod_stop_poll(void *self, const atomic_bool *stop, struct queue_stops *out)
{
    struct runpod *q = self;
    struct http_answer *answer = &q->answers[LANE_STOP];
    struct queue_answer *a = &out->answer;
    const char *const headers[] = {"Content-Type: application/json", q->authorization};
    struct http_request request = {.headers = headers,
                                   .n_headers = 2,
                                   .timeout_seconds = q->poll_seconds,
                                   .stop = stop,
                                   .max_body_bytes = 4 * MIB};

    memset(out, 0, sizeof(*out));
    buffer_clear(&q->urls[LANE_STOP]);
    buffer_append_str(&q->urls[LANE_STOP], q->stop);
    enum status st = exchange(q, LANE_STOP, &request, a);
    if (st == DOCKET_TIMEOUT && a->sent && a->status == 0) a->verdict = QUEUE_EMPTY;
    if (st != DOCKET_OK) return;
    if (a->status == 204 || (a->status == 200 && blank(&answer->body)))
        a->verdict = QUEUE_EMPTY;
    else if (a->status == 200 && !is_json(answer))
        fail(&a->error, DOCKET_BAD_INPUT, CODE_queue_answer_invalid,
             "status 200 with content type \"%s\", want application/json", answer->content_type);
    else if (a->status == 200) {
        if (job_text_read_stops(out, answer->body.data, answer->body.length, MAX_STOP_IDS, &a->error) == DOCKET_OK)
            a->verdict = out->n_ids || out->n_ignored ? QUEUE_DONE : QUEUE_EMPTY;
        else if (a->error.code != CODE_NONE)
            a->error.code = CODE_queue_answer_invalid;
    } else {
        if (a->status == 429) a->verdict = QUEUE_BUSY;
        if (a->status == 401 || a->status == 403) a->verdict = QUEUE_UNAUTHORIZED;
        say_status(a);
    }
}

static void runpod_ping(void *self, const char *ids, double timeout_seconds, const atomic_bool *stop,
                        const atomic_bool *stop2, struct queue_answer *out)
{
    struct runpod *q = self;
    struct buffer *url = &q->urls[LANE_PING];
    const char *const headers[] = {q->authorization};
    struct http_request request = {.headers = headers,
                                   .n_headers = 1,
                                   .timeout_seconds = timeout_seconds,
                                   .stop = stop,
                                   .stop2 = stop2,
                                   .max_body_bytes = SMALL_BODY};
    buffer_clear(url); /* its memory was reserved when the queue was opened */
    buffer_append_str(url, q->ping);
    if (ids[0]) url_add_encoded(url, "job_id", ids);
    url_add_encoded(url, "runpod_version", RUNPOD_SDK_VERSION);
    enum status st = exchange(q, LANE_PING, &request, out);
    bool again = out->status == 429 || out->status == 500 || (out->status >= 502 && out->status <= 504);
    if (again)
        say_status(out);
    else if (st == DOCKET_OK || (out->status >= 200 && out->status < 300))
        out->verdict = out->status == 401 || out->status == 403 ? QUEUE_UNAUTHORIZED : QUEUE_DONE;
    if (out->verdict == QUEUE_UNAUTHORIZED) say_status(out);
}

static void runpod_report_unhealthy(void *self, const char *check, const char *reason)
{
    struct runpod *q = self;
    struct buffer *url = &q->urls[LANE_PING];
    struct queue_answer ignored;
    char cut[257];
    const char *const headers[] = {q->authorization};
    struct http_request request = {
        .headers = headers, .n_headers = 1, .timeout_seconds = UNHEALTHY_LIMIT, .max_body_bytes = SMALL_BODY};
    snprintf(cut, sizeof(cut), "%s", reason);
    buffer_clear(url);
    buffer_append_str(url, q->ping);
    url_add(url, "status", "unhealthy");
    url_add(url, "check", check);
    url_add(url, "reason", cut);
    url_add(url, "runpod_version", RUNPOD_SDK_VERSION);
    exchange(q, LANE_PING, &request, &ignored);
}

/* The id in a header line: bytes that a header may not hold are percent-encoded. */
static void request_id(struct buffer *out, const char *id)
{
    buffer_append_str(out, "X-Request-ID: ");
    for (const unsigned char *p = (const unsigned char *)id; *p; p++) {
        if (*p > 0x20 && *p < 0x7f)
            buffer_append_char(out, (char)*p);
        else
            buffer_printf(out, "%%%02X", *p);
    }
}

static void post(struct runpod *q, enum queue_lane lane, const char *job_id, const char *body, size_t body_bytes,
                 double limit, const atomic_bool *stop, struct queue_answer *out)
{
    struct buffer *url = &q->urls[lane];
    struct buffer id_line = {0};
    const struct url_value id = {"ID", job_id};
    request_id(&id_line, job_id);
    const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "charset: utf-8",
                                   q->authorization, id_line.data ? id_line.data : "X-Request-ID;"};
    struct http_request request = {.headers = headers,
                                   .n_headers = 4,
                                   .body = body,
                                   .body_bytes = body_bytes,
                                   .timeout_seconds = limit,
                                   .low_speed_seconds = LOW_SPEED_LIMIT,
                                   .stop = stop,
                                   .max_body_bytes = SMALL_BODY};
    buffer_clear(url);
    url_expand(url, q->done, &id, 1);
    url_add_encoded(url, "isStream", "false");
    enum status st = exchange(q, lane, &request, out);
    struct http_answer *answer = &q->answers[lane];
    if (st == DOCKET_OK && (out->status == 307 || out->status == 308) && answer->location[0]) {
        char *target = url_resolve(url->data, answer->location);
        if (target && url_same_origin(url->data, target)) {
            buffer_clear(url);
            buffer_append_str(url, target);
            exchange(q, lane, &request, out);
        }
        mem_free(target);
    }
    if (out->status != 0) { /* the status line decides, even if the body was cut: nobody reads it */
        out->verdict = runpod_result_verdict(out->status);
        if (out->verdict != QUEUE_DONE) say_status(out);
    }
    buffer_free(&id_line);
}

static void runpod_progress(void *self, const char *job_id, const char *body, size_t body_bytes,
                            const atomic_bool *stop, struct queue_answer *out)
{
    struct runpod *q = self;
    post(q, LANE_PROGRESS, job_id, body, body_bytes, PROGRESS_LIMIT, stop, out);
}

static void runpod_result(void *self, unsigned poster, const char *job_id, const char *body, size_t body_bytes,
                          const atomic_bool *stop, struct queue_answer *out)
{
    struct runpod *q = self;
    post(q, LANE_POST + poster, job_id, body, body_bytes, q->post_seconds, stop, out);
}

static void runpod_reset(void *self, enum queue_lane lane)
{
    struct runpod *q = self;
    http_client_reset(q->lanes[lane]);
}

/* A template with what is known at the start filled in. */
static char *expand(const char *template_text, const struct runpod_options *o, bool id_is_worker)
{
    const struct url_value values[] = {{"RUNPOD_POD_ID", o->worker_id},
                                       {"RUNPOD_GPU_TYPE_ID", o->gpu_type_id},
                                       {"ID", id_is_worker ? o->worker_id : NULL}};
    struct buffer out = {0};
    url_expand(&out, template_text, values, ARRAY_LENGTH(values));
    if (!out.failed) return buffer_take(&out, NULL);
    buffer_free(&out);
    return NULL;
}

static char *swapped(const char *url, const char *to)
{
    struct buffer out = {0};
    if (!url_swap(&out, url, "/job-take/", to)) return NULL;
    return buffer_take(&out, NULL);
}

static enum status check_options(const struct runpod_options *o, struct error *err)
{
    enum status st;
    if (!o->take_url || !o->take_url[0])
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "RUNPOD_WEBHOOK_GET_JOB: empty");
    if (!o->done_url || !o->done_url[0])
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "RUNPOD_WEBHOOK_POST_OUTPUT: not set");
    if ((st = url_check_setting(o->take_url, "RUNPOD_WEBHOOK_GET_JOB", o->allow_clear_text, err)) != DOCKET_OK)
        return st;
    if ((st = url_check_setting(o->done_url, "RUNPOD_WEBHOOK_POST_OUTPUT", o->allow_clear_text, err)) != DOCKET_OK)
        return st;
    if (!runpod_heartbeat_missing(o) &&
        (st = url_check_setting(o->ping_url, "RUNPOD_WEBHOOK_PING", o->allow_clear_text, err)) != DOCKET_OK)
        return st;
    if (!strstr(o->take_url, "$ID") && !strstr(o->take_url, "$RUNPOD_POD_ID") && !strstr(o->take_url, o->worker_id))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                    "RUNPOD_WEBHOOK_GET_JOB: holds neither $ID nor this worker's id");
    if (!strstr(o->done_url, "$ID"))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "RUNPOD_WEBHOOK_POST_OUTPUT: holds no $ID");
    for (const unsigned char *p = (const unsigned char *)(o->api_key ? o->api_key : ""); *p; p++)
        if (*p < 0x20 || *p >= 0x7f)
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "RUNPOD_AI_API_KEY: byte %zu is no printable ASCII",
                        (size_t)(p - (const unsigned char *)o->api_key));
    return DOCKET_OK;
}

enum status runpod_open(struct queue **out, const struct runpod_options *o, struct error *err)
{
    enum status st = check_options(o, err);
    if (st != DOCKET_OK) return st;
    bool heartbeat = runpod_heartbeat_missing(o) == NULL;
    struct runpod *q = mem_zalloc(1, sizeof(*q));
    char *agent = str_format("docket/%s (Linux; x86_64)", o->version ? o->version : "0");
    const struct http_options http = {.ca_file = o->ca_file, .user_agent = agent};
    if (!q || !agent) goto no_memory;
    q->poll_seconds = o->poll_seconds > 0 ? o->poll_seconds : 90;
    q->post_seconds = o->post_seconds > 0 ? o->post_seconds : 300;
    q->authorization =
        o->api_key && o->api_key[0] ? str_format("Authorization: %s", o->api_key) : str_dup("Authorization;");
    q->take = expand(o->take_url, o, true);
    q->done = expand(o->done_url, o, false);
    q->ping = heartbeat ? expand(o->ping_url, o, true) : NULL;
    if (!q->authorization || !q->take || !q->done || (heartbeat && !q->ping)) goto no_memory;
    q->stop = swapped(q->take, "/job-stop/");
    q->take_batch = swapped(q->take, "/job-take-batch/");
    if (!q->take_batch && !(q->take_batch = str_dup(q->take))) goto no_memory;
    for (unsigned i = 0; i < N_QUEUE_LANES; i++)
        if ((st = http_client_open(&q->lanes[i], &http, err)) != DOCKET_OK) goto failed;
    if (heartbeat && !buffer_reserve(&q->urls[LANE_PING], strlen(q->ping) + PING_LIST_BYTES + 256)) goto no_memory;
    q->table = (struct queue){
        .self = q,
        .name = "runpod",
        .take = runpod_take,
        .stop_poll = q->stop ? runpod_stop_poll : NULL,
        .ping = heartbeat ? runpod_ping : NULL,
        .report_unhealthy = heartbeat ? runpod_report_unhealthy : NULL,
        .progress = runpod_progress,
        .result = runpod_result,
        .reset = runpod_reset,
    };
    mem_free(agent);
    *out = &q->table;
    return DOCKET_OK;
no_memory:
    st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the queue");
failed:
    mem_free(agent);
    runpod_close(q ? &q->table : NULL);
    return st;
}

void runpod_close(struct queue *queue)
{
    if (!queue) return;
    struct runpod *q = (struct runpod *)queue; /* the table is its first member */
    for (unsigned i = 0; i < N_QUEUE_LANES; i++) {
        http_client_close(q->lanes[i]);
        http_answer_free(&q->answers[i]);
        buffer_free(&q->urls[i]);
    }
    mem_free(q->take);
    mem_free(q->take_batch);
    mem_free(q->stop);
    mem_free(q->done);
    mem_free(q->ping);
    mem_free(q->authorization);
    mem_free(q);
}
