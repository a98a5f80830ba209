/* classify.c: one job: documents are read, tokenized and handed to the engine ahead of the one whose answer is awaited, so that
 * reading overlaps computing and the engine can fill its passes. */
#include "handlers/classify.h"

#include "handlers/calibration.h"
#include "handlers/device_state.h"
#include "handlers/documents/ocr_languages.h"
#include "handlers/job_input.h"
#include "handlers/meter.h"
#include "handlers/no_services.h"
#include "handlers/outcome.h"
#include "handlers/prompt.h"
#include "handlers/report.h"
#include "handlers/results.h"
#include "handlers/scores.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CHARACTERS_A_TOKEN  16         /* more than any page of words has on average */
#define WINDOW              128        /* documents handed to the engine ahead of the one awaited */
#define RESULT_BYTES        (16 * MIB) /* the queue takes 20 MB */
#define INLINE_BYTES        (8 * MIB)  /* of results that are elsewhere as well: above that they are there alone */
#define MIN_DOCUMENT_TOKENS 16         /* a prompt that leaves less is too long */

struct classifier {
    struct classify_options options;
    struct model model;
    pthread_mutex_t lock; /* guards loading and load_status */
    bool loaded;
    enum status load_status;
    struct error load_error;
    double load_seconds;
    atomic_bool cold_start_charged;
    atomic_bool ready;
    struct calibration *calibration;
    struct reader *reader;
    struct meter meter;
    struct device_state device;
    atomic_ullong documents, failed, input_tokens;
};

/* One document between reading and its answer. */
struct task {
    struct outcome *outcome;
    size_t item;              /* number of the document in the job, members counted */
    struct token_list tokens; /* of all its requests, end to end */
    struct score_request *requests;
    double *log_p; /* [n_requests, leaves] */
    size_t n_requests;
};

struct run {
    struct classifier *classifier;
    const struct job *job;
    const struct job_services *services;
    struct error *err;
    struct job_input input;
    struct prompt prompt;
    struct engine_prefix *prefix;
    double *log_prior;             /* NULL: not calibrated */
    size_t room;                   /* tokens that a document may have */
    struct document_limits limits; /* of its documents, as the job wants them */
    struct outcome *outcomes;
    size_t n_outcomes, capacity, n_failed, n_warned, n_resumed;
    struct ahead *ahead;
    struct task *tasks; /* ring [WINDOW] */
    size_t n_started, n_finished, window;
    size_t inputs_done;
    double inference_seconds; /* wall time in which the engine worked for this job */
    double energy_joules;     /* of the card before it */
    uint64_t start_ns;
};

enum status classifier_open(struct classifier **out, const struct classify_options *options, struct error *err)
{
    struct classifier *c = mem_zalloc(1, sizeof(*c));
    if (!c) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the classifier");
    c->options = *options;
    pthread_mutex_init(&c->lock, NULL);
    meter_init(&c->meter);
    enum status st = calibration_open(&c->calibration, err);
    if (st == DOCKET_OK) st = reader_open(&c->reader, &options->documents, err);
    if (st == DOCKET_OK)
        *out = c;
    else
        classifier_close(c);
    return st;
}

void classifier_close(struct classifier *c)
{
    if (!c) return;
    device_state_close(&c->device);
    model_close(&c->model);
    calibration_close(c->calibration);
    reader_close(c->reader);
    meter_free(&c->meter);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

struct model *classifier_model(struct classifier *c)
{
    return atomic_load(&c->ready) ? &c->model : NULL;
}

void classifier_device(struct classifier *c, struct gpu_reading *out, uint64_t *peak)
{
    device_state_read(&c->device, &c->model, out, peak);
}

static void load_locked(struct classifier *c, const atomic_bool *stop)
{
    uint64_t start = clock_now_ns();
    c->load_error = (struct error){0};
    c->load_status = model_open(&c->model, &c->options.model, stop, &c->load_error);
    c->load_seconds = clock_seconds_since(start);
    if (c->load_status != DOCKET_OK) {
        if (c->load_status != DOCKET_CANCELLED) log_event(LOG_ERROR, EVENT_model_load_failed, F_ERROR(&c->load_error));
        return;
    }
    if ((c->load_status = device_selftest(&c->model.device, &c->load_error)) != DOCKET_OK) {
        log_event(LOG_ERROR, EVENT_selftest_failed, F_ERROR(&c->load_error));
        model_close(&c->model);
        return;
    }
    engine_start_checks(c->model.engine);
    device_state_open(&c->device, &c->model, c->options.nvml_library);
    if (!c->options.price.known) price_find(&c->options.price, -1, c->device.device.name);
    c->loaded = true;
    atomic_store(&c->ready, true);
}

enum status classifier_load(struct classifier *c, const atomic_bool *stop, struct error *err)
{
    if (atomic_load(&c->ready)) return DOCKET_OK;
    pthread_mutex_lock(&c->lock);
    if (!c->loaded) load_locked(c, stop);
    enum status st = c->load_status;
    if (st != DOCKET_OK && err) *err = c->load_error;
    pthread_mutex_unlock(&c->lock);
    return st;
}

static void task_free(struct task *t)
{
    token_list_free(&t->tokens);
    mem_free(t->requests);
    mem_free(t->log_p);
    *t = (struct task){0};
}

static enum status no_memory(struct run *r)
{
    return fail(r->err, DOCKET_NO_MEMORY, CODE_internal_error, "no memory for document %zu", r->n_outcomes + 1);
}

static void send_progress(struct run *r)
{
    char json[160];
    snprintf(json, sizeof(json), "{\"documents_done\": %zu, \"documents_failed\": %zu, \"documents\": %zu}",
             r->n_finished, r->n_failed, r->n_outcomes + (r->input.n_documents - r->inputs_done));
    r->services->progress(r->services->context, json);
}

static void document_failed(struct run *r, const struct outcome *o, size_t item)
{
    r->n_failed++;
    enum log_level level = r->n_warned++ < 3 ? LOG_WARN : LOG_DEBUG;
    log_event(level, EVENT_document_failed, F_JOB(r->job->id), F_U64("document_index", item),
              F_STR("code", error_code_name(o->document.error.code)),
              F_STR("stage", error_code_stage(o->document.error.code)), F_STR("media_type", o->document.media_type),
              F_U64("bytes", o->document.bytes), F_U64("ocr_pages", o->document.ocr_pages),
              F_F64("ocr_seconds", o->document.ocr_seconds));
}

/* Combines the requests of one document: one, or its chunks weighed by their tokens. */
static enum status combine(struct run *r, struct task *t)
{
    struct outcome *o = t->outcome;
    size_t n = r->input.n_labels, leaves = r->prompt.trie.n_leaves, all = 0;
    double *p = mem_zalloc(n, sizeof(*p)), *sum = mem_zalloc(n, sizeof(*sum));
    if (t->n_requests > 1) o->chunks = mem_zalloc(t->n_requests, sizeof(*o->chunks));
    if (!p || !sum || (t->n_requests > 1 && !o->chunks)) {
        mem_free(p);
        mem_free(sum);
        return no_memory(r);
    }
    for (size_t i = 0; i < t->n_requests; i++) {
        size_t weight = t->requests[i].n_tokens - r->prompt.suffix.length;
        struct decision d;
        if (weight == 0) weight = 1;
        scores_from_log(&r->input, t->log_p + i * leaves, r->log_prior, p);
        for (size_t k = 0; k < n; k++) sum[k] += p[k] * (double)weight;
        all += weight;
        if (!o->chunks) continue;
        scores_decide(&d, &r->input, p);
        o->chunks[o->n_chunks++] = (struct chunk_evidence){weight, (uint32_t)d.order[0], d.confidence};
    }
    for (size_t k = 0; k < n; k++) sum[k] /= (double)all;
    mem_free(p);
    o->probabilities = sum;
    return DOCKET_OK;
}

/* Of no use once it is tokenized, and 128 of them may be in hand. */
static void drop_text(struct run *r, struct outcome *o)
{
    if (r->input.options.return_text) return;
    mem_free(o->document.text);
    o->document.text = NULL;
}

/* Waits for the oldest task and turns its answers into an outcome. */
static enum status finish_oldest(struct run *r)
{
    struct task *t = &r->tasks[r->n_finished % WINDOW];
    struct outcome *o = t->outcome;
    struct engine *engine = r->classifier->model.engine;
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < t->n_requests; i++) {
        struct score_request *q = &t->requests[i];
        engine_wait(engine, q);
        if (q->status == DOCKET_CANCELLED)
            st = q->status;
        else if (q->status == DOCKET_DEVICE && st == DOCKET_OK) { /* the whole worker is lost, not this document */
            st = q->status;
            if (r->err) *r->err = q->error;
        } else if (q->status != DOCKET_OK && o->document.error.code == CODE_NONE)
            o->document.error = q->error;
        size_t prefix = r->prompt.prefix.length;
        o->numbers.input_tokens += prefix + q->n_tokens + q->trie_tokens;
        o->numbers.cached_tokens += q->cached_tokens;
        o->numbers.wait_seconds += i == 0 ? q->wait_seconds : 0;
        if (q->inference_seconds > o->numbers.inference_seconds) o->numbers.inference_seconds = q->inference_seconds;
        o->numbers.work_seconds += q->device_seconds;
        r->inference_seconds += q->device_seconds;
    }
    if (st == DOCKET_CANCELLED) return fail(r->err, DOCKET_CANCELLED, CODE_document_not_reached, "the job was stopped");
    if (st != DOCKET_OK) return st;
    if (t->n_requests > 0 && o->document.error.code == CODE_NONE && (st = combine(r, t)) != DOCKET_OK) return st;
    drop_text(r, o);
    if (o->document.error.code != CODE_NONE)
        document_failed(r, o, t->item);
    else
        log_event(LOG_DEBUG, EVENT_document_done, F_JOB(r->job->id), F_U64("document_index", t->item),
                  F_U64("input_tokens", o->numbers.input_tokens),
                  F_F64("inference_seconds", o->numbers.inference_seconds),
                  F_F64("extract_seconds", o->document.extract_seconds), F_U64("ocr_pages", o->document.ocr_pages),
                  F_F64("ocr_seconds", o->document.ocr_seconds), F_BOOL("resumed", o->resumed));
    if (!o->resumed) {
        struct buffer record = {0};
        if (outcome_pack(&record, o, r->input.n_labels, NULL) == DOCKET_OK)
            r->services->partial_keep(r->services->context, (uint32_t)t->item, record.data, record.length);
        buffer_free(&record);
    }
    task_free(t);
    r->n_finished++;
    send_progress(r);
    return DOCKET_OK;
}

/* Cuts the document's tokens into requests: one with the middle left out, or chunks. */
static enum status make_requests(struct run *r, struct task *t, const struct token_list *document)
{
    struct outcome *o = t->outcome;
    size_t limit = r->room, leaves = r->prompt.trie.n_leaves;
    if (r->input.options.max_document_tokens && r->input.options.max_document_tokens < limit)
        limit = r->input.options.max_document_tokens;
    bool chunks = r->input.options.long_documents == LONG_CHUNK && document->length > limit;
    t->n_requests = chunks ? (document->length + limit - 1) / limit : 1;
    if (t->n_requests > MAX_CHUNKS) {
        o->numbers.tokens_dropped = document->length - MAX_CHUNKS * limit;
        t->n_requests = MAX_CHUNKS;
    }
    t->requests = mem_zalloc(t->n_requests, sizeof(*t->requests));
    t->log_p = mem_zalloc(t->n_requests * leaves, sizeof(*t->log_p));
    size_t *starts = mem_zalloc(t->n_requests + 1, sizeof(*starts));
    bool good = t->requests && t->log_p && starts;
    for (size_t i = 0; i < t->n_requests && good; i++) {
        starts[i] = t->tokens.length;
        if (chunks) {
            size_t left = document->length - i * limit;
            good = token_list_append_all(&t->tokens, document->ids + i * limit, left < limit ? left : limit);
        } else
            good = prompt_document(&r->prompt, document, limit, &t->tokens, &o->numbers.tokens_dropped, r->err) ==
                   DOCKET_OK;
        good = good && token_list_append_all(&t->tokens, r->prompt.suffix.ids, r->prompt.suffix.length);
        starts[i + 1] = t->tokens.length;
    }
    for (size_t i = 0; i < t->n_requests && good; i++) /* the list no longer moves */
        t->requests[i] = (struct score_request){.prefix = r->prefix,
                                                .tokens = t->tokens.ids + starts[i],
                                                .n_tokens = starts[i + 1] - starts[i],
                                                .trie = &r->prompt.trie,
                                                .stop = r->services->stop,
                                                .log_probabilities = t->log_p + i * leaves};
    mem_free(starts);
    if (good) return DOCKET_OK;
    t->n_requests = 0;
    return no_memory(r);
}

static bool resume(struct run *r, struct outcome *o, size_t item)
{
    size_t length;
    const void *record = r->services->partial_find(r->services->context, (uint32_t)item, &length);
    if (!record || o->document.error.code != CODE_NONE || !outcome_unpack(o, record, length, r->input.n_labels))
        return false;
    r->n_resumed++;
    return true;
}

/* Takes over a document that was read, and hands it to the engine. */
static enum status start_document(struct run *r, struct document *document, size_t input_index)
{
    enum status st;
    while (r->n_started - r->n_finished >= r->window)
        if ((st = finish_oldest(r)) != DOCKET_OK) return st;
    size_t item = r->n_outcomes;
    struct outcome *o = &r->outcomes[r->n_outcomes++];
    *o = (struct outcome){
        .document = *document, .custom_id = r->input.documents[input_index].custom_id, .input_index = input_index};
    *document = (struct document){0};
    struct task *t = &r->tasks[r->n_started++ % WINDOW];
    *t = (struct task){.outcome = o, .item = item};
    o->numbers.work_seconds = o->document.fetch_seconds + o->document.extract_seconds + o->document.ocr_seconds;
    if (o->document.error.code != CODE_NONE || resume(r, o, item)) return DOCKET_OK;
    if (r->room < MIN_DOCUMENT_TOKENS) {
        fail(&o->document.error, DOCKET_LIMIT, CODE_prompt_too_long,
             "labels and instructions take %zu of the %zu tokens of the context",
             engine_max_tokens(r->classifier->model.engine) - r->room, engine_max_tokens(r->classifier->model.engine));
        return DOCKET_OK;
    }
    struct token_list tokens = {0};
    uint64_t start = clock_now_ns();
    st = tokenizer_encode(r->classifier->model.tokenizer, o->document.text, o->document.text_length, TOKENIZE_CONTINUE,
                          &tokens, r->err);
    if (st == DOCKET_OK) st = make_requests(r, t, &tokens);
    token_list_free(&tokens);
    drop_text(r, o);
    o->numbers.tokenize_seconds = clock_seconds_since(start);
    o->numbers.work_seconds += o->numbers.tokenize_seconds;
    if (st != DOCKET_OK) return st;
    r->services->phase(r->services->context, "inference", o->document.id);
    for (size_t i = 0; i < t->n_requests; i++) engine_submit(r->classifier->model.engine, &t->requests[i]);
    return DOCKET_OK;
}

/* Room for n more outcomes. Tasks point into the array, so none may be under way when it moves. */
static enum status grow_outcomes(struct run *r, size_t n)
{
    enum status st;
    if (r->n_outcomes + n <= r->capacity) return DOCKET_OK;
    while (r->n_finished < r->n_started)
        if ((st = finish_oldest(r)) != DOCKET_OK) return st;
    size_t capacity = (r->n_outcomes + n) * 2;
    struct outcome *outcomes = mem_resize(r->outcomes, capacity, sizeof(*outcomes));
    if (!outcomes) return no_memory(r);
    r->outcomes = outcomes;
    r->capacity = capacity;
    return DOCKET_OK;
}

/* The job's say in how documents are read. Of a text whose middle is left out no more pages are read from images than its tokens need. */
static struct document_limits limits_of(const struct run *r)
{
    const struct job_options *o = &r->input.options;
    struct document_limits limits = r->classifier->options.documents.limits;
    size_t tokens = o->max_document_tokens && o->max_document_tokens < r->room ? o->max_document_tokens : r->room;
    limits.ocr = o->ocr;
    if (o->ocr_languages) limits.ocr_languages = o->ocr_languages;
    if (o->ocr_max_pages) limits.ocr_max_pages = o->ocr_max_pages;
    if (o->long_documents == LONG_TRUNCATE) limits.max_characters = tokens * CHARACTERS_A_TOKEN;
    return limits;
}

/* A name that is no language here is a mistake of the job's, whether or not it has an image; damaged data is not. */
static enum status check_languages(struct run *r)
{
    const char *names = r->input.options.ocr_languages;
    struct error why = {0};
    if (!names || ocr_languages_check(names, &why) != DOCKET_NOT_FOUND) return DOCKET_OK;
    return fail(r->err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "options.ocr_languages: %.400s", why.message);
}

static enum status begin_reading(struct run *r)
{
    const struct ahead_options options = {.input = &r->input,
                                          .stop = r->services->stop,
                                          .one_by_one = r->job->crashes > 0,
                                          .phase = r->services->phase,
                                          .context = r->services->context,
                                          .limits = &r->limits};
    enum status st = check_languages(r);
    if (st == DOCKET_OK) st = results_check(&r->input.output, r->classifier->reader, r->err);
    r->limits = limits_of(r);
    if (st == DOCKET_OK && r->input.documents_url) {
        r->services->phase(r->services->context, "list", "");
        st = reader_fetch_list(r->classifier->reader, &r->input, r->services->stop, r->err);
    }
    if (st == DOCKET_OK) st = ahead_begin(&r->ahead, r->classifier->reader, &options, r->err);
    return st;
}

static enum status run_documents(struct run *r)
{
    enum status st = begin_reading(r);
    if (st == DOCKET_OK) st = grow_outcomes(r, r->input.n_documents);
    for (size_t i = 0; i < r->input.n_documents && st == DOCKET_OK; i++) {
        struct document_list list = {0};
        /* While one is still on its way, those before it are answered and kept. */
        while (st == DOCKET_OK && !ahead_ready(r->ahead) && r->n_finished < r->n_started) st = finish_oldest(r);
        if (st == DOCKET_OK) st = ahead_next(r->ahead, &list, r->err);
        r->inputs_done++;
        size_t left = r->input.n_documents - r->inputs_done;
        if (st == DOCKET_OK) st = grow_outcomes(r, list.n + left);
        for (size_t k = 0; k < list.n && st == DOCKET_OK; k++) st = start_document(r, &list.items[k], i);
        document_list_free(&list);
    }
    while (st == DOCKET_OK && r->n_finished < r->n_started) st = finish_oldest(r);
    return st;
}

/* After a failure: nothing of the engine may still point here. */
static void abandon(struct run *r)
{
    for (; r->n_finished < r->n_started; r->n_finished++) {
        struct task *t = &r->tasks[r->n_finished % WINDOW];
        for (size_t i = 0; i < t->n_requests; i++) engine_wait(r->classifier->model.engine, &t->requests[i]);
        task_free(t);
    }
}

static enum status prepare_prompt(struct run *r)
{
    struct classifier *c = r->classifier;
    struct engine *engine = c->model.engine;
    enum status st = prompt_build(&r->prompt, &r->input, c->model.chat, c->model.tokenizer, r->err);
    if (st != DOCKET_OK) return st;
    size_t all = engine_max_tokens(engine),
           taken = r->prompt.prefix.length + r->prompt.suffix.length + r->prompt.trie.n_fed;
    r->room = taken < all ? all - taken : 0;
    if (r->room < MIN_DOCUMENT_TOKENS) return DOCKET_OK; /* every document gets its prompt_too_long */
    st = engine_prefix_open(engine, r->prompt.prefix.ids, r->prompt.prefix.length, &r->prefix, r->err);
    if (st != DOCKET_OK || !r->input.options.calibrate) return st;
    r->log_prior = mem_zalloc(r->prompt.trie.n_leaves, sizeof(*r->log_prior));
    if (!r->log_prior) return no_memory(r);
    return calibration_prior(c->calibration, engine, c->model.tokenizer, &r->prompt, r->prefix, r->services->stop,
                             r->log_prior, r->err);
}

/* Equal fingerprint and equal text give equal scores. */
static void make_fingerprint(struct run *r, char out[24])
{
    struct buffer all = {0};
    char hash[65];
    const struct job_options *o = &r->input.options;
    buffer_printf(&all, "%s|%s|%s|%s|%zu|%d|%d|%zu", r->classifier->options.version, r->classifier->model.fingerprint,
                  chat_template_name(r->classifier->model.chat), r->prompt.digest, o->max_document_tokens,
                  (int)o->long_documents, o->calibrate, engine_max_tokens(r->classifier->model.engine));
    sha256_hex(all.data ? all.data : "", all.length, hash);
    snprintf(out, 24, "dk1-%.16s", hash);
    buffer_free(&all);
}

static void account(struct run *r, const struct report *report, const struct report_totals *t)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"documents", (double)r->n_outcomes},
        {"failed", (double)t->failed},
        {"abstained", (double)t->abstained},
        {"resumed", (double)r->n_resumed},
        {"input_tokens", (double)t->input_tokens},
        {"cached_tokens", (double)t->cached_tokens},
        {"ocr_pages", (double)t->ocr_pages},
        {"ocr_seconds", t->ocr_seconds},
        {"execution_seconds", report->execution_seconds},
        {"inference_seconds", report->inference_seconds},
        {"input_tokens_per_second",
         report->execution_seconds > 0 ? (double)t->input_tokens / report->execution_seconds : 0},
        {"memory_used_bytes", report->memory_used == GPU_UNKNOWN ? NAN : (double)report->memory_used},
        {"memory_peak_bytes", (double)report->memory_peak},
        {"energy_joules", report->energy_joules},
        {"compute_usd", t->compute_usd},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        if (isfinite(numbers[i].value)) r->services->account(r->services->context, numbers[i].key, numbers[i].value);
    atomic_fetch_add(&r->classifier->documents, r->n_outcomes);
    atomic_fetch_add(&r->classifier->failed, t->failed);
    atomic_fetch_add(&r->classifier->input_tokens, t->input_tokens);
}

static enum status write_report(struct run *r, double billed_seconds, double cold_start_seconds, struct buffer *output)
{
    struct classifier *c = r->classifier;
    char fingerprint[24];
    struct report_totals totals;
    struct report report = {.input = &r->input,
                            .outcomes = r->outcomes,
                            .n_outcomes = r->n_outcomes,
                            .fingerprint = fingerprint,
                            .model_name = c->model.location.name,
                            .revision = c->model.location.revision,
                            .quantization = c->model.quantization_name,
                            .compute_dtype = device_compute_dtype(&c->model.device),
                            .calibrated = r->log_prior != NULL,
                            .queue_seconds = r->job->queue_seconds,
                            .cold_start_seconds = cold_start_seconds,
                            .execution_seconds = clock_seconds_since(r->start_ns),
                            .inference_seconds = r->inference_seconds,
                            .billed_seconds = billed_seconds,
                            .price = c->options.price,
                            .device_name = c->device.device.name,
                            .driver = c->device.facts.driver[0] ? c->device.facts.driver : NULL,
                            .layers_on_gpu = c->model.layers_on_gpu,
                            .layers_total = c->model.config.n_layers,
                            .worker_id = c->options.worker_id,
                            .version = c->options.version};
    struct results_place place = {0};
    char *warning = NULL, *kept = NULL;
    make_fingerprint(r, fingerprint);
    struct gpu_reading now;
    device_state_read(&c->device, &c->model, &now, &report.memory_peak);
    report.memory_total = now.memory_total_bytes;
    report.memory_used = now.memory_used_bytes;
    report.memory_free = now.memory_free_bytes;
    report.ecc_errors = now.ecc_uncorrected;
    report.utilization = now.utilization;
    report.energy_joules = now.energy_joules - r->energy_joules;
    size_t ceiling = c->options.result_max_bytes ? c->options.result_max_bytes : RESULT_BYTES;
    enum status st = DOCKET_OK;
    if (r->input.output.url)
        st = results_deliver(&report, &r->input.output, c->reader, r->services->stop, &place, &warning, r->err);
    if (place.count) report.results = &place;
    report.output_failed = warning;
    buffer_init(output, report.results && ceiling > INLINE_BYTES ? INLINE_BYTES : ceiling);
    if (st == DOCKET_OK) st = report_write(output, &report, r->err);
    if (st == DOCKET_OK && output->over) {
        report.elsewhere = report.results != NULL;
        report.compact = !report.elsewhere;
        if (report.output_failed) st = results_keep(&report, &r->input.output, r->services, &kept, r->err);
        report.results_kept = kept;
        buffer_free(output);
        if (st == DOCKET_OK) st = report_write(output, &report, r->err);
    }
    if (st == DOCKET_OK && output->over && kept) { /* even its short form is too large */
        report.elsewhere = true;
        report.compact = false;
        buffer_free(output);
        st = report_write(output, &report, r->err);
    }
    results_place_free(&place);
    mem_free(warning);
    mem_free(kept);
    if (st == DOCKET_OK && output->over)
        return fail(r->err, DOCKET_LIMIT, CODE_result_too_large,
                    "the result of %zu documents is larger than %zu bytes; send fewer in one job", r->n_outcomes,
                    ceiling);
    if (st == DOCKET_OK) st = buffer_check(output, "the result", r->err);
    if (st != DOCKET_OK) return st;
    report_sum(&totals, &report);
    account(r, &report, &totals);
    return DOCKET_OK;
}

enum status classify_job(struct classifier *c, const struct job *job, const struct job_services *services,
                         struct buffer *output, bool *refresh_worker, struct error *err)
{
    struct run r = {.classifier = c, .job = job, .services = services ? services : &no_services, .err = err};
    double cold_start = 0;
    enum status st = job_input_parse(&r.input, job->json, job->json_length, err);
    if (st != DOCKET_OK) goto done;
    if ((st = classifier_load(c, r.services->stop, err)) != DOCKET_OK) {
        if (st != DOCKET_CANCELLED) { /* the reason is in the log; the caller learns that a retry elsewhere may help */
            char reason[400];
            snprintf(reason, sizeof(reason), "%s", err ? err->message : "");
            st = fail(err, st, CODE_model_unavailable, "the model could not be loaded: %s", reason);
        }
        goto done;
    }
    if (!atomic_exchange(&c->cold_start_charged, true)) cold_start = c->load_seconds;
    struct gpu_reading before;
    gpu_stats_read(c->device.stats, &before);
    r.energy_joules = before.energy_joules;
    r.start_ns = clock_now_ns(); /* loading is the cold start's, not this job's */
    uint64_t billing = meter_start(&c->meter);
    r.window = job->crashes > 0 ? 1 : WINDOW;
    r.tasks = mem_zalloc(WINDOW, sizeof(*r.tasks));
    st = r.tasks ? prepare_prompt(&r) : no_memory(&r);
    if (st == DOCKET_OK) st = run_documents(&r);
    ahead_end(r.ahead);
    abandon(&r);
    double billed = meter_stop(&c->meter, billing);
    if (st == DOCKET_OK) st = write_report(&r, billed, cold_start, output);
    if (st == DOCKET_OK && refresh_worker) *refresh_worker = r.input.options.refresh_worker;
    if (r.n_resumed) log_event(LOG_INFO, EVENT_job_resumed, F_JOB(job->id), F_U64("documents", r.n_resumed));
    engine_prefix_close(c->model.engine, r.prefix);
done:
    for (size_t i = 0; i < r.n_outcomes; i++) outcome_free(&r.outcomes[i]);
    mem_free(r.outcomes);
    mem_free(r.tasks);
    mem_free(r.log_prior);
    prompt_free(&r.prompt);
    job_input_free(&r.input);
    return st;
}

static enum status handler_prepare(void *self, const atomic_bool *stop, struct error *err)
{
    return classifier_load(self, stop, err);
}

static enum status handler_run(void *self, const struct job *job, const struct job_services *services,
                               struct job_result *result, struct error *err)
{
    return classify_job(self, job, services, &result->output, &result->refresh_worker, err);
}

static bool handler_healthy(void *self, struct error *err)
{
    struct model *m = classifier_model(self);
    return !m || engine_healthy(m->engine, err);
}

static void handler_state(void *self, void (*number)(void *context, const char *key, double value), void *context)
{
    struct classifier *c = self;
    struct model *m = classifier_model(c);
    struct engine_state state = {0};
    struct gpu_reading gpu;
    size_t peak, used = memory_resident(&peak);
    number(context, "documents_total", (double)atomic_load(&c->documents));
    number(context, "documents_failed_total", (double)atomic_load(&c->failed));
    number(context, "input_tokens_total", (double)atomic_load(&c->input_tokens));
    number(context, "read_ahead_bytes", (double)reader_held_bytes(c->reader));
    number(context, "memory_used_bytes", (double)used);
    number(context, "memory_peak_bytes", (double)peak);
    number(context, "memory_free_bytes", (double)memory_available(NULL));
    if (!m) return;
    gpu_stats_read(c->device.stats, &gpu);
    if (gpu.memory_used_bytes != GPU_UNKNOWN) number(context, "gpu_memory_used_bytes", (double)gpu.memory_used_bytes);
    if (gpu.ecc_uncorrected != GPU_UNKNOWN) number(context, "gpu_ecc_errors", (double)gpu.ecc_uncorrected);
    if (isfinite(gpu.energy_joules)) number(context, "gpu_energy_joules", gpu.energy_joules);
    if (isfinite(gpu.utilization)) number(context, "gpu_utilization", gpu.utilization);
    engine_state(m->engine, &state);
    number(context, "busy_seconds", state.busy_seconds);
    number(context, "passes_halved_total", (double)state.splits);
    number(context, "last_inference_age_seconds", state.idle_seconds_now);
}

void classifier_handler(struct classifier *classifier, struct handler *out)
{
    *out = (struct handler){.name = "classify",
                            .prepare = handler_prepare,
                            .run = handler_run,
                            .healthy = handler_healthy,
                            .state = handler_state,
                            .self = classifier};
}
