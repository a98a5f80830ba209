/* bench.c: docket bench: how fast this model is on this machine: loading, prefill, documents a second. */
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/observe/gpu_stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WARM_SECONDS 0.3

struct bench_values {
    uint64_t tokens, documents, words;
    double seconds;
    bool json;
};

#define OPTION_VALUES struct bench_values
static const struct option options[] = {
    OWN_OPTION(COUNT, tokens, "--tokens", "512", RANGE(16, 32768), "N",
               "length of the sequences of the prefill measurement"),
    OWN_OPTION(COUNT, documents, "--documents", "64", RANGE(1, 10000), "N",
               "documents of the classification measurement"),
    OWN_OPTION(COUNT, words, "--words", "300", RANGE(1, 100000), "N", "words of each of them"),
    OWN_OPTION(NUMBER, seconds, "--seconds", "3", RANGE(0.1, 3600), "S", "how long the prefill is measured at least"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "print one JSON object"),
};

struct bench_result {
    double load_seconds, load_bytes_per_second, disk_bytes_per_second, device_bytes_per_second;
    double prefill_seconds, prefill_tokens_per_second, flops_per_second, weight_bytes_per_second;
    uint64_t prefill_tokens, prefill_passes, parameters_per_token;
    double classify_seconds, documents_per_second, classify_tokens_per_second;
    uint64_t documents, classify_tokens;
    uint64_t weight_bytes, resident_bytes;
    /* of the device, GPU_UNKNOWN and NAN where nobody tells */
    uint64_t device_used_bytes, device_peak_bytes, device_total_bytes;
    double prefill_joules;
};

/* Weights that a token is multiplied with; twice that are its floating point operations, attention over the context not counted. */
static uint64_t parameters_per_token(const struct model_config *c)
{
    uint64_t attention = (uint64_t)c->dim * c->head_size * (2 * c->n_heads + 2 * c->n_kv_heads);
    uint64_t ffn = 3 * (uint64_t)c->dim * c->ffn_dim * (c->n_experts ? c->top_k : 1);
    return c->n_layers * (attention + ffn + (uint64_t)c->dim * c->n_experts);
}

/* Sequences of the same length, one after the other, as fast as they go: many at once, so that passes are full. */
static enum status run_prefill(struct model *model, const struct bench_values *v, double seconds,
                               struct bench_result *r, struct error *err)
{
    enum { AT_ONCE = 8 };
    struct score_request requests[AT_ONCE];
    struct token_list continuations[2] = {{0}};
    struct token_trie trie = {0};
    double log_probabilities[AT_ONCE][2];
    size_t n = (size_t)v->tokens, first, second;
    if (n + 8 > model->max_model_len) n = model->max_model_len > 8 ? model->max_model_len - 8 : 1;
    int32_t *ids = mem_zalloc(AT_ONCE * n, sizeof(int32_t));
    enum status st = ids && token_list_append(&continuations[0], 1) && token_list_append(&continuations[1], 2)
                         ? token_trie_build(&trie, continuations, 2, 2, &first, &second, err)
                         : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the measurement");
    uint32_t state = 12345;
    for (size_t i = 0; ids && i < AT_ONCE * n; i++) {
        state = state * 1664525 + 1013904223;
        ids[i] = (int32_t)(state % model->config.vocab);
    }
    struct engine_state before, after;
    engine_state(model->engine, &before);
    uint64_t start = clock_now_ns();
    while (st == DOCKET_OK && clock_seconds_since(start) < seconds) {
        for (size_t i = 0; i < AT_ONCE; i++) {
            requests[i] = (struct score_request){
                .tokens = ids + i * n, .n_tokens = n, .trie = &trie, .log_probabilities = log_probabilities[i]};
            engine_submit(model->engine, &requests[i]);
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            engine_wait(model->engine, &requests[i]);
            if (requests[i].status != DOCKET_OK && st == DOCKET_OK) {
                st = requests[i].status;
                *err = requests[i].error;
            }
        }
        r->prefill_tokens += AT_ONCE * n;
    }
    engine_state(model->engine, &after);
    r->prefill_seconds = clock_seconds_since(start);
    r->prefill_passes = after.passes - before.passes;
    token_trie_free(&trie);
    for (size_t i = 0; i < 2; i++) token_list_free(&continuations[i]);
    mem_free(ids);
    return st;
}

static void make_job(struct buffer *out, const struct bench_values *v)
{
    static const char *const words[] = {"invoice", "total",  "due",       "the",    "of",   "received",
                                        "account", "number", "agreement", "party",  "date", "please",
                                        "we",      "terms",  "item",      "amount", "and",  "payment"};
    struct json_writer w = {.out = out};
    uint32_t state = 1;
    json_begin_object(&w, NULL);
    json_put_string(&w, "id", "bench");
    json_begin_object(&w, "input");
    json_put_raw(&w, "labels", "[\"invoice\",\"receipt\",\"contract\",\"complaint\",\"resume\",\"other\"]");
    json_begin_array(&w, "documents");
    for (uint64_t d = 0; d < v->documents; d++) {
        struct buffer text = {0};
        for (uint64_t i = 0; i < v->words; i++) {
            state = state * 1664525 + 1013904223;
            buffer_printf(&text, "%s ", words[(state >> 16) % ARRAY_LENGTH(words)]);
        }
        json_begin_object(&w, NULL);
        json_put_string(&w, "text", text.data);
        json_end_object(&w);
        buffer_free(&text);
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}

static enum status run_classify(struct classifier *classifier, const struct bench_values *v, struct bench_result *r,
                                struct error *err)
{
    struct buffer text = {0}, output = {0};
    bool refresh;
    make_job(&text, v);
    enum status st = buffer_check(&text, "the job", err);
    const struct job job = {.id = "bench",
                            .json = text.data,
                            .json_length = text.length,
                            .queue_seconds = -1,
                            .taken_at_ns = clock_now_ns()};
    uint64_t start = clock_now_ns();
    if (st == DOCKET_OK) st = classify_job(classifier, &job, NULL, &output, &refresh, err);
    r->classify_seconds = clock_seconds_since(start);
    r->documents = v->documents;
    cJSON *tree = st == DOCKET_OK ? cJSON_ParseWithLength(output.data, output.length) : NULL;
    const cJSON *tokens =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(tree, "usage"), "input_tokens");
    if (cJSON_IsNumber(tokens)) r->classify_tokens = (uint64_t)tokens->valuedouble;
    cJSON_Delete(tree);
    buffer_free(&text);
    buffer_free(&output);
    return st;
}

static void finish(struct bench_result *r, struct classifier *classifier)
{
    const struct model *model = classifier_model(classifier);
    struct gpu_reading now;
    classifier_device(classifier, &now, &r->device_peak_bytes);
    r->device_used_bytes = now.memory_used_bytes;
    r->device_total_bytes = now.memory_total_bytes;
    double weights = (double)model->load.weight_bytes;
    r->load_seconds = model->load.seconds;
    r->weight_bytes = model->load.weight_bytes;
    r->load_bytes_per_second = model->load.seconds > 0 ? (double)model->load.bytes_read / model->load.seconds : 0;
    double read = model->load.read_seconds, device = model->load.device_seconds;
    r->disk_bytes_per_second = read > 0 ? (double)model->load.bytes_read / read : 0;
    r->device_bytes_per_second = device > 0 ? (double)model->load.bytes_read / device : 0;
    r->parameters_per_token = parameters_per_token(&model->config);
    r->prefill_tokens_per_second = (double)r->prefill_tokens / r->prefill_seconds;
    r->flops_per_second = 2.0 * (double)r->parameters_per_token * r->prefill_tokens_per_second;
    r->weight_bytes_per_second = weights * (double)r->prefill_passes / r->prefill_seconds;
    r->documents_per_second = (double)r->documents / r->classify_seconds;
    r->classify_tokens_per_second = (double)r->classify_tokens / r->classify_seconds;
    r->resident_bytes = memory_resident(NULL);
}

static void put_bytes(struct json_writer *w, const char *key, uint64_t value)
{
    if (value == GPU_UNKNOWN)
        json_put_null(w, key);
    else
        json_put_u64(w, key, value);
}

static void put_json(struct buffer *out, const struct bench_result *r, const struct model *model)
{
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "model", model->location.name);
    json_put_string(&w, "quantization", model->quantization_name);
    json_put_double(&w, "load_seconds", r->load_seconds);
    json_put_double(&w, "load_bytes_per_second", r->load_bytes_per_second);
    json_put_double(&w, "load_disk_bytes_per_second", r->disk_bytes_per_second);
    json_put_double(&w, "load_device_bytes_per_second", r->device_bytes_per_second);
    json_put_u64(&w, "weight_bytes", r->weight_bytes);
    json_put_u64(&w, "resident_bytes", r->resident_bytes);
    put_bytes(&w, "device_memory_total_bytes", r->device_total_bytes);
    put_bytes(&w, "device_memory_used_bytes", r->device_used_bytes);
    put_bytes(&w, "device_memory_peak_bytes", r->device_peak_bytes);
    json_put_double(&w, "prefill_joules", r->prefill_joules);
    json_put_u64(&w, "prefill_tokens", r->prefill_tokens);
    json_put_double(&w, "prefill_tokens_per_second", r->prefill_tokens_per_second);
    json_put_u64(&w, "parameters_per_token", r->parameters_per_token);
    json_put_double(&w, "flops_per_second", r->flops_per_second);
    json_put_double(&w, "weight_bytes_per_second", r->weight_bytes_per_second);
    json_put_u64(&w, "documents", r->documents);
    json_put_double(&w, "documents_per_second", r->documents_per_second);
    json_put_double(&w, "classify_tokens_per_second", r->classify_tokens_per_second);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static void put_text(struct buffer *out, const struct bench_result *r, const struct model *model)
{
    buffer_printf(out, "model       %s, %s, %.1f MB of weights, %.1f MB resident\n", model->location.name,
                  model->quantization_name, (double)r->weight_bytes / 1e6, (double)r->resident_bytes / 1e6);
    buffer_printf(out, "load        %.3f s, %.2f GB/s read (disk alone %.2f, copied and quantized %.2f)\n",
                  r->load_seconds, r->load_bytes_per_second / 1e9, r->disk_bytes_per_second / 1e9,
                  r->device_bytes_per_second / 1e9);
    buffer_printf(
        out,
        "prefill     %.0f tokens/s: %.1f GFLOP/s (2 x %.2f M weights a token), %.2f GB/s of weights in %llu passes\n",
        r->prefill_tokens_per_second, r->flops_per_second / 1e9, (double)r->parameters_per_token / 1e6,
        r->weight_bytes_per_second / 1e9, (unsigned long long)r->prefill_passes);
    if (r->device_used_bytes != GPU_UNKNOWN)
        buffer_printf(out, "device      %.1f MB used of %.1f MB, %.1f MB at most\n", (double)r->device_used_bytes / 1e6,
                      (double)r->device_total_bytes / 1e6, (double)r->device_peak_bytes / 1e6);
    if (isfinite(r->prefill_joules))
        buffer_printf(out, "energy      %.1f J in the prefill, %.2f J a 1000 tokens\n", r->prefill_joules,
                      r->prefill_joules * 1000 / (double)r->prefill_tokens);
    buffer_printf(out, "classify    %.1f documents/s, %.0f tokens/s (%llu documents, 6 labels)\n",
                  r->documents_per_second, r->classify_tokens_per_second, (unsigned long long)r->documents);
}

static int run(const struct tool_call *call)
{
    const struct bench_values *v = call->values;
    struct error err = {0};
    struct classify_options classify;
    struct classifier *classifier = NULL;
    struct bench_result result = {0}, warm = {0};
    struct buffer out = {0};
    if (call->n_arguments)
        return tool_usage("bench takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    enum status st = tool_classify_options(call, &classify, &err);
    classify.worker_id = "bench";
    if (st == DOCKET_OK) st = tool_log_open(call->config, LOG_WARN, &err);
    if (st == DOCKET_OK) st = classifier_open(&classifier, &classify, &err);
    if (st == DOCKET_OK) st = tool_load(classifier, call->config, &err);
    if (st == DOCKET_OK) st = run_prefill(classifier_model(classifier), v, WARM_SECONDS, &warm, &err);
    struct gpu_reading before = {.energy_joules = NAN}, after = before;
    uint64_t peak;
    if (st == DOCKET_OK) classifier_device(classifier, &before, &peak);
    if (st == DOCKET_OK) st = run_prefill(classifier_model(classifier), v, v->seconds, &result, &err);
    if (st == DOCKET_OK) classifier_device(classifier, &after, &peak);
    result.prefill_joules = after.energy_joules - before.energy_joules;
    if (st == DOCKET_OK) st = run_classify(classifier, v, &result, &err);
    int code;
    if (st == DOCKET_OK) {
        finish(&result, classifier);
        (v->json ? put_json : put_text)(&out, &result, classifier_model(classifier));
        code = tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    } else
        code = tool_fail(&err);
    buffer_free(&out);
    classifier_close(classifier);
    return code;
}

const struct tool tool_bench = {
    .name = "bench",
    .line = {.letter = 'b',
             .usage = "bench --model NAME|DIR [--quantization FORMAT] [--json]",
             .about = "measure loading, prefill and classification with this model on this machine.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct bench_values),
    .run = run,
};
