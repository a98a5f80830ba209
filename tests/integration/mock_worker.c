/* mock_worker.c: the worker with a handler that does what the job says, for the tests of the queue's protocol. Settings as docket's own
 * worker; flags besides: --concurrency N, --lazy, --prepare-seconds S, --prepare-fails, --auth-patience S.
 *
 * Input keys: mock_return (any JSON: the output), mock_delay (seconds), mock_progress {updates, wait_time}, mock_error (a string: the run
 * fails; {"error": …}: a result with an error), mock_crash, mock_refresh, mock_spin (seconds of CPU on all cores), mock_documents n with
 * mock_document_delay (seconds each; answers {"documents": n, "resumed": m}), mock_unhealthy (the handler's device is lost),
 * mock_text n (answers a string of n bytes), mock_raw (a string: answered as it is, valid JSON or not). */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/cpus.h"
#include "worker/base/json.h"
#include "worker/base/log.h"
#include "worker/config.h"
#include "worker/queue/backoff.h"
#include "worker/queue/local.h"
#include "worker/queue/runpod.h"
#include "worker/queue/spool.h"
#include "worker/worker.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mock {
    double prepare_seconds, auth_patience_seconds;
    bool prepare_fails;
    atomic_bool unhealthy;
};

static enum status mock_prepare(void *self, const atomic_bool *stop, struct error *err)
{
    const struct mock *m = self;
    if (m->prepare_seconds > 0 && !clock_sleep(m->prepare_seconds, stop))
        return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    if (m->prepare_fails) return fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "the mock has no model");
    return DOCKET_OK;
}

static bool mock_healthy(void *self, struct error *err)
{
    const struct mock *m = self;
    if (!atomic_load(&m->unhealthy)) return true;
    fail(err, DOCKET_DEVICE, CODE_accelerator_lost, "the mock's device is lost");
    return false;
}

static double number_of(const cJSON *object, const char *key, double fallback)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(value) ? value->valuedouble : fallback;
}

static const char *string_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool true_of(const cJSON *object, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* As Python prints it, with a space after ',' and ':', so that bodies can be compared with the SDK's. */
static void put_value(struct json_writer *w, const char *key, const cJSON *value)
{
    const cJSON *item;
    if (!value || cJSON_IsNull(value))
        json_put_null(w, key);
    else if (cJSON_IsBool(value))
        json_put_bool(w, key, cJSON_IsTrue(value));
    else if (cJSON_IsString(value))
        json_put_string(w, key, value->valuestring);
    else if (cJSON_IsNumber(value))
        json_put_double(w, key, value->valuedouble);
    else {
        bool array = cJSON_IsArray(value);
        (array ? json_begin_array : json_begin_object)(w, key);
        cJSON_ArrayForEach(item, value) put_value(w, array ? NULL : item->string, item);
        (array ? json_end_array : json_end_object)(w);
    }
}

static void put_json(struct buffer *out, const cJSON *value)
{
    struct json_writer w = {.out = out, .spaced = true};
    put_value(&w, NULL, value);
}

static enum status send_progress(const cJSON *progress, const struct job_services *s, struct error *err)
{
    int updates = (int)number_of(progress, "updates", 0);
    for (int i = 1; i <= updates; i++) {
        char text[64];
        snprintf(text, sizeof(text), "\"update %d of %d\"", i, updates);
        s->progress(s->context, text);
        if (!clock_sleep(number_of(progress, "wait_time", 0), s->stop))
            return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    }
    return DOCKET_OK;
}

struct spin {
    uint64_t until_ns;
};

static void *spin(void *context)
{
    const struct spin *s = context;
    volatile double x = 1;
    while (clock_now_ns() < s->until_ns)
        for (int i = 0; i < 1000; i++) x = x * 1.0000001;
    return NULL;
}

static void spin_all(double seconds)
{
    pthread_t threads[64];
    struct spin s = {clock_now_ns() + (uint64_t)(seconds * 1e9)};
    unsigned n = cpus_available(), started = 0;
    while (started < n && started < ARRAY_LENGTH(threads) && pthread_create(&threads[started], NULL, spin, &s) == 0)
        started++;
    for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

/* One record a document: what is found from an earlier run is not done again. */
static enum status do_documents(const cJSON *input, const struct job_services *s, struct buffer *out, struct error *err)
{
    int n = (int)number_of(input, "mock_documents", 0), resumed = 0;
    double delay = number_of(input, "mock_document_delay", 0);
    for (int i = 0; i < n; i++) {
        char name[32];
        size_t length = 0;
        int name_bytes = snprintf(name, sizeof(name), "doc-%d", i + 1);
        const void *kept = s->partial_find(s->context, (uint32_t)i, &length);
        if (kept && length == (size_t)name_bytes && memcmp(kept, name, length) == 0) {
            resumed++;
            continue;
        }
        s->phase(s->context, "inference", name);
        if (!clock_sleep(delay, s->stop)) return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
        s->partial_keep(s->context, (uint32_t)i, name, (size_t)name_bytes);
    }
    s->account(s->context, "documents", n);
    buffer_printf(out, "{\"documents\": %d, \"resumed\": %d}", n, resumed);
    return DOCKET_OK;
}

static enum status act(struct mock *m, const cJSON *input, const struct job_services *s, struct job_result *result,
                       struct error *err)
{
    enum status st;
    const cJSON *progress = cJSON_GetObjectItemCaseSensitive(input, "mock_progress");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(input, "mock_error");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(input, "mock_return");
    if (true_of(input, "mock_crash")) abort();
    if (true_of(input, "mock_unhealthy")) atomic_store(&m->unhealthy, true);
    if (progress && (st = send_progress(progress, s, err)) != DOCKET_OK) return st;
    if (number_of(input, "mock_spin", 0) > 0) spin_all(number_of(input, "mock_spin", 0));
    if (!clock_sleep(number_of(input, "mock_delay", 0), s->stop))
        return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    if (cJSON_IsString(error) && error->valuestring[0])
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%s", error->valuestring);
    result->refresh_worker = true_of(input, "mock_refresh");
    if (cJSON_IsObject(error)) {
        const char *text = string_of(error, "error");
        buffer_append_str(&result->error, text ? text : "an error");
        return DOCKET_OK;
    }
    if (number_of(input, "mock_documents", -1) >= 0) return do_documents(input, s, &result->output, err);
    if (number_of(input, "mock_text", -1) >= 0) {
        buffer_append_char(&result->output, '"');
        for (double n = number_of(input, "mock_text", 0); n > 0; n--) buffer_append_char(&result->output, 'x');
        buffer_append_char(&result->output, '"');
    } else if (string_of(input, "mock_raw"))
        buffer_append_str(&result->output, string_of(input, "mock_raw"));
    else if (result->refresh_worker && !cJSON_IsObject(value)) {
        buffer_append_str(&result->output, "{\"result\": ");
        put_json(&result->output, value);
        buffer_append_char(&result->output, '}');
    } else
        put_json(&result->output, value);
    return DOCKET_OK;
}

static enum status mock_run(void *self, const struct job *job, const struct job_services *services,
                            struct job_result *result, struct error *err)
{
    cJSON *root = NULL;
    const struct json_limits limits = {.nul_in_values = true};
    enum status st = json_parse(&root, job->json, job->json_length, &limits, err);
    if (st == DOCKET_OK) st = act(self, cJSON_GetObjectItemCaseSensitive(root, "input"), services, result, err);
    cJSON_Delete(root);
    return st;
}

static void make_worker_id(char out[37])
{
    uint64_t a = backoff_chance(), b = backoff_chance();
    snprintf(out, 37, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
             (unsigned)a & 0xfff, (unsigned)(b >> 48) & 0xfff, (unsigned long long)(b & 0xffffffffffff));
}

static int serve(const struct config *c, const struct queue *queue, struct worker_options *o, struct mock *mock)
{
    const struct handler handler = {
        .name = "mock", .prepare = mock_prepare, .run = mock_run, .healthy = mock_healthy, .self = mock};
    const struct fitness_memory memory = {(uint64_t)(c->min_memory_gb * (double)GIB)};
    const struct fitness_disk disk = {"/", c->min_disk_percent};
    const struct fitness_check checks[] = {{"_memory_check", fitness_check_memory, &memory},
                                           {"_disk_check", fitness_check_disk, &disk}};
    struct worker_end end;
    if (o->spool_root && !c->skip_system_checks) {
        o->checks = checks;
        o->n_checks = ARRAY_LENGTH(checks);
    }
    worker_run(o, queue, &handler, &end);
    if (end.threads_left) {
        log_close();
        _exit(end.exit_code);
    }
    return end.exit_code;
}

static int run_local(const struct config *c, struct worker_options *o, struct mock *mock)
{
    struct queue *queue = NULL;
    struct error err = {0};
    const struct local_options local = {.test_input = c->test_input, .fd = STDOUT_FILENO};
    if (local_open(&queue, &local, &err) != DOCKET_OK) {
        log_event(err.status == DOCKET_NOT_FOUND ? LOG_WARN : LOG_ERROR, EVENT_exit, F_I64("exit_code", 1),
                  F_ERROR(&err));
        return 1;
    }
    int code = serve(c, queue, o, mock);
    if (code == 0) code = local_exit_code(queue);
    local_close(queue);
    return code;
}

static int run_platform(const struct config *c, struct worker_options *o, struct mock *mock, bool made_up)
{
    struct queue *queue = NULL;
    struct error err = {0};
    const struct runpod_options r = {
        .take_url = c->take_url,
        .done_url = c->done_url,
        .ping_url = c->ping_url,
        .api_key = c->api_key,
        .worker_id = o->worker_id,
        .worker_id_is_made_up = made_up,
        .gpu_type_id = c->gpu_type_id,
        .ca_file = c->ca_file,
        .version = "mock",
        .allow_clear_text = c->allow_clear_text,
    };
    if (runpod_open(&queue, &r, &err) != DOCKET_OK) {
        int code = exit_code_of(&err);
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(&err));
        return code;
    }
    char *root = spool_choose_root(c->spool_dir, "/runpod-volume", c->temporary, &o->spool_ephemeral);
    o->spool_root = root;
    o->heartbeat_missing = runpod_heartbeat_missing(&r);
    int code = serve(c, queue, o, mock);
    mem_free(root);
    runpod_close(queue);
    return code;
}

static int run(const struct config *c, struct mock *mock)
{
    char made_up[37];
    struct error err = {0};
    bool no_id = !c->pod_id || !c->pod_id[0];
    if (no_id) make_worker_id(made_up);
    struct worker_options o = {
        .worker_id = no_id ? made_up : c->pod_id,
        .hostname = c->pod_hostname,
        .version = "mock",
        .concurrency = (unsigned)c->max_concurrency,
        .lazy = c->load && strcmp(c->load, "lazy") == 0,
        .refresh_worker = c->refresh_worker,
        .ping_interval_seconds = (double)c->ping_interval_ms / 1000,
        .spool_max_bytes = c->spool_max_bytes,
        .min_free_bytes = c->spool_min_free_bytes,
        .max_result_bytes = (size_t)c->max_result_bytes,
        .drain_seconds = c->drain_seconds > 0 ? c->drain_seconds : 0,
        .auth_patience_seconds = mock->auth_patience_seconds,
    };
    struct log_options log = {.level = LOG_INFO,
                              .json = c->endpoint_id != NULL,
                              .fd = STDOUT_FILENO,
                              .worker_id = o.worker_id,
                              .version = "mock"};
    if (c->log_level) log_level_by_name(c->log_level, &log.level);
    if (c->log_format) log.json = strcmp(c->log_format, "json") == 0;
    if (log_open(&log, &err) != DOCKET_OK) return DOCKET_EXIT_NO_MEMORY;
    config_log_notes(c);
    return c->take_url ? run_platform(c, &o, mock, no_id) : run_local(c, &o, mock);
}

int main(int argc, char **argv)
{
    const struct command_line line = {
        .letter = 'w', .usage = "mock_worker [flags]", .about = "The worker with a mock handler."};
    struct config config = {0};
    struct text_list rest = {0};
    struct error err = {0};
    struct mock mock = {0};
    char *flags[64];
    int n = 0, code;
    for (int i = 1; i < argc && n < 60; i++) {
        if (strcmp(argv[i], "--lazy") == 0) {
            flags[n++] = (char *)"--load";
            flags[n++] = (char *)"lazy";
        } else if (strcmp(argv[i], "--concurrency") == 0)
            flags[n++] = (char *)"--max-concurrency";
        else if (strcmp(argv[i], "--prepare-seconds") == 0 && i + 1 < argc)
            mock.prepare_seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--auth-patience") == 0 && i + 1 < argc)
            mock.auth_patience_seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--prepare-fails") == 0)
            mock.prepare_fails = true;
        else
            flags[n++] = argv[i];
    }
    if (config_load(&config, &line, NULL, n, flags, &rest, &err) != DOCKET_OK) {
        code = err.status == DOCKET_BAD_INPUT ? DOCKET_EXIT_USAGE : exit_code_of(&err);
        log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(&err));
    } else
        code = run(&config, &mock);
    text_list_free(&rest);
    log_close();
    return code;
}
