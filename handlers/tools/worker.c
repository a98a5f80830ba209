/* worker.c: docket worker: settings → queue, checks, handler, and the worker that runs them. */
#include "handlers/tools/tools.h"
#include "handlers/version.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/queue/local.h"
#include "worker/queue/runpod.h"
#include "worker/queue/spool.h"
#include "worker/worker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define VOLUME "/runpod-volume"

/* A worker without a platform is named anew at each start, as a random UUID. */
static void make_up_id(char out[37])
{
    uint8_t b[16] = {0};
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) memcpy(b, &(pid_t){getpid()}, sizeof(pid_t));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static enum status open_log(const struct config *config, const char *worker_id, struct error *err)
{
    struct log_options options = {
        .level = LOG_INFO, .fd = STDOUT_FILENO, .worker_id = worker_id, .version = docket_version()};
    if (config->log_level) log_level_by_name(config->log_level, &options.level);
    options.json = strcmp(config->log_format, "json") == 0;
    options.colour = config_terminal(config, STDOUT_FILENO);
    enum status st = log_open(&options, err);
    struct buffer text = {0};
    config_log_notes(config);
    config_describe(&text, config);
    log_event(LOG_INFO, EVENT_config, F_STR("settings", text.data ? text.data : ""), F_STR("commit", docket_commit()));
    buffer_free(&text);
    return st;
}

static enum status open_queue(struct queue **out, const struct config *config, const char *worker_id,
                              struct worker_options *options, struct error *err)
{
    if (!config->take_url) {
        const struct local_options local = {.test_input = config->test_input, .fd = STDOUT_FILENO};
        return local_open(out, &local, err);
    }
    const struct runpod_options runpod = {.take_url = config->take_url,
                                          .done_url = config->done_url,
                                          .ping_url = config->ping_url,
                                          .api_key = config->api_key,
                                          .worker_id = worker_id,
                                          .worker_id_is_made_up = !config->pod_id,
                                          .gpu_type_id = config->gpu_type_id,
                                          .ca_file = config->ca_file,
                                          .version = docket_version(),
                                          .allow_clear_text = config->allow_clear_text};
    options->heartbeat_missing = runpod_heartbeat_missing(&runpod);
    return runpod_open(out, &runpod, err);
}

/* Checks of the model and of the arithmetic; those of the machine are the worker's own. */

static enum status check_model(const void *context, struct error *err)
{
    return model_check(context, err);
}

static enum status check_arithmetic(const void *context, struct error *err)
{
    const struct model_options *model = context;
    struct device device = {0};
    enum status st = device_open(&device, &model->device, err);
    if (st == DOCKET_OK) st = device_selftest(&device, err);
    device_close(&device);
    return st;
}

struct checks {
    struct fitness_memory memory;
    struct fitness_disk disk;
    struct fitness_check list[4];
    size_t n;
};

static void add_checks(struct checks *c, const struct config *config, const struct model_options *model,
                       const char *spool)
{
    if (!config->skip_system_checks) {
        /* The spool is made later; until then its disk is the one that the temporary folder or the volume lies on. */
        const char *disk = spool && access(spool, F_OK) == 0 ? spool
                           : access(VOLUME, F_OK) == 0       ? VOLUME
                                                             : config->temporary;
        c->memory.min_bytes = (uint64_t)(config->min_memory_gb * (double)GIB);
        c->disk = (struct fitness_disk){disk, config->min_disk_percent};
        c->list[c->n++] = (struct fitness_check){"_memory_check", fitness_check_memory, &c->memory};
        c->list[c->n++] = (struct fitness_check){"_disk_check", fitness_check_disk, &c->disk};
    }
    c->list[c->n++] = (struct fitness_check){"_model_check", check_model, model};
    c->list[c->n++] = (struct fitness_check){"_arithmetic_check", check_arithmetic, model};
}

static int refuse_with(int code, const struct error *why)
{
    log_event(LOG_ERROR, EVENT_exit, F_I64("exit_code", code), F_ERROR(why));
    return code;
}

static int refuse(const struct error *why)
{
    return refuse_with(exit_code_of(why), why);
}

static void fill_options(struct worker_options *o, const struct config *config, const char *worker_id)
{
    *o = (struct worker_options){.worker_id = worker_id,
                                 .hostname = config->pod_hostname,
                                 .version = docket_version(),
                                 .concurrency = (unsigned)config->max_concurrency,
                                 .lazy = strcmp(config->load, "lazy") == 0,
                                 .refresh_worker = config->refresh_worker,
                                 .ping_interval_seconds = (double)config->ping_interval_ms / 1000,
                                 .spool_max_bytes = config->spool_max_bytes,
                                 .min_free_bytes = config->spool_min_free_bytes,
                                 .drain_seconds = fmax(config->drain_seconds, 0)};
}

static int run_worker(const struct tool_call *call, const char *worker_id, struct worker_end *end)
{
    const struct config *config = call->config;
    struct error err = {0};
    struct worker_options options;
    struct classify_options classify;
    struct classifier *classifier = NULL;
    struct queue *queue = NULL;
    struct handler handler;
    struct checks checks = {0};
    char *spool = NULL;
    int code;

    fill_options(&options, config, worker_id);
    enum status st = tool_classify_options(call, &classify, &err);
    classify.worker_id = worker_id;
    price_find(&classify.price, config->gpu_price_per_second, NULL);
    if (st == DOCKET_OK && !config->model)
        st = fail(&err, DOCKET_BAD_CONFIG, CODE_NONE, "MODEL_NAME: not set; want org/name or a folder");
    if (st == DOCKET_OK) st = open_queue(&queue, config, worker_id, &options, &err);
    if (st == DOCKET_OK) st = classifier_open(&classifier, &classify, &err);
    if (st == DOCKET_OK && config->take_url) {
        spool = spool_choose_root(config->spool_dir, VOLUME, config->temporary, &options.spool_ephemeral);
        if (!spool) st = fail(&err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the name of the spool");
        options.spool_root = spool;
        add_checks(&checks, config, &classify.model, spool);
        options.checks = checks.list;
        options.n_checks = checks.n;
    }
    if (st != DOCKET_OK) /* a local job that is not there or cannot be read ends with 1, as with the SDK */
        code = config->model && !config->take_url && !queue ? refuse_with(DOCKET_EXIT_UNHEALTHY, &err) : refuse(&err);
    else {
        classifier_handler(classifier, &handler);
        code = worker_run(&options, queue, &handler, end);
        if (!config->take_url && code == 0) code = local_exit_code(queue);
    }
    if (end->threads_left) return code; /* what they use must stay */
    classifier_close(classifier);
    if (config->take_url)
        runpod_close(queue);
    else
        local_close(queue);
    mem_free(spool);
    return code;
}

static int run(const struct tool_call *call)
{
    const struct config *config = call->config;
    struct error err = {0};
    struct worker_end end = {0};
    char made_up[37];
    if (call->n_arguments)
        return tool_usage("worker takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    make_up_id(made_up);
    const char *worker_id = config->pod_id ? config->pod_id : config->take_url ? made_up : "local";
    int code;
    if (open_log(config, worker_id, &err) != DOCKET_OK)
        code = refuse(&err);
    else if (!tool_sandbox(call, &err))
        code = refuse_with(DOCKET_EXIT_SANDBOX, &err);
    else
        code = run_worker(call, worker_id, &end);
    log_close();
    if (end.threads_left) _exit(code);
    return code;
}

const struct tool tool_worker = {
    .name = "worker",
    .line = {.letter = 'w',
             .usage = "worker [--model NAME|DIR] [flags]",
             .about = "take jobs from the platform's queue until told to stop.\n\nWithout a queue "
                      "(RUNPOD_WEBHOOK_GET_JOB) it runs "
                      "one job, from --test-input or\n./test_input.json, and prints its result."},
    .reads_documents = true,
    .run = run,
};
