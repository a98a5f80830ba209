/* bench.c: docket bench: how fast a model is on this machine, beside what the machine can do: one that lies on disk, or one of the
 * same shape with random weights. */
#include "handlers/tools/bench.h"
#include "handlers/tools/bench_subject.h"
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bench_values {
    const char *synthetic, *only;
    uint64_t layers, tokens, decode, together, document_tokens, prefix_tokens, labels, documents, words;
    double seconds;
    bool json;
};

#define OPTION_VALUES struct bench_values
static const struct option options[] = {
    OWN_OPTION(TEXT, synthetic, "--synthetic", "(none)", ANY, "SHAPE",
               "random weights of a well-known model's shape, made in memory, in place of --model"),
    OWN_OPTION(COUNT, layers, "--layers", "(all)", RANGE(1, 1024), "N", "of --synthetic: only so many layers"),
    OWN_OPTION(TEXT, only, "--only", "(all)", ANY, "STEP,…",
               "of quantize, prefill, packed, decode, experts, documents, labels, classify"),
    OWN_OPTION(COUNT, tokens, "--tokens", "512", RANGE(16, 32768), "N", "length of the sequence of the prefill"),
    OWN_OPTION(COUNT, decode, "--decode", "64", RANGE(2, 1024), "N", "tokens that each sequence is decoded for"),
    OWN_OPTION(COUNT, together, "--together", "(1, 8 and 32)", RANGE(1, 32), "N",
               "sequences that are decoded together"),
    OWN_OPTION(COUNT, document_tokens, "--document-tokens", "1000", RANGE(1, 32768), "N",
               "tokens of each document of random tokens"),
    OWN_OPTION(COUNT, prefix_tokens, "--prefix-tokens", "300", RANGE(1, 32768), "N", "tokens that they share"),
    OWN_OPTION(COUNT, labels, "--labels", "16", RANGE(2, 256), "N", "labels that they are asked for"),
    OWN_OPTION(COUNT, documents, "--documents", "64", RANGE(1, 10000), "N",
               "of --model: documents of text, classified as in a job"),
    OWN_OPTION(COUNT, words, "--words", "300", RANGE(1, 100000), "N", "words of each of them"),
    OWN_OPTION(NUMBER, seconds, "--seconds", "3", RANGE(0.01, 3600), "S", "how long each measurement goes on, about"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "print one JSON object"),
};

static atomic_bool stop;

/* The first interrupt ends the measuring, and what was measured is printed; the second ends the program. */
static void interrupted(int signal_number)
{
    atomic_store(&stop, true);
    signal(signal_number, SIG_DFL);
}

static bool make_job(struct buffer *out, const struct bench_values *v)
{
    static const char *const words[] = {"invoice", "total",  "due",       "the",    "of",   "received",
                                        "account", "number", "agreement", "party",  "date", "please",
                                        "we",      "terms",  "item",      "amount", "and",  "payment"};
    struct json_writer w = {.out = out};
    struct buffer text = {0};
    uint32_t state = 1;
    json_begin_object(&w, NULL);
    json_put_string(&w, "id", "bench");
    json_begin_object(&w, "input");
    json_put_raw(&w, "labels", "[\"invoice\",\"receipt\",\"contract\",\"complaint\",\"resume\",\"other\"]");
    json_begin_array(&w, "documents");
    for (uint64_t d = 0; d < v->documents; d++) {
        buffer_clear(&text);
        for (uint64_t i = 0; i < v->words; i++) {
            state = state * 1664525 + 1013904223;
            buffer_printf(&text, "%s ", words[(state >> 16) % ARRAY_LENGTH(words)]);
        }
        json_begin_object(&w, NULL);
        json_put_string(&w, "text", text.data);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
    bool good = !text.failed && !out->failed;
    buffer_free(&text);
    return good;
}

struct classifying {
    struct classifier *classifier;
    const struct buffer *job;
    uint64_t documents;
};

static enum status run_classify(void *context, double *amount, struct error *err)
{
    struct classifying *c = context;
    struct buffer output = {0};
    bool refresh;
    const struct job job = {.id = "bench",
                            .json = c->job->data,
                            .json_length = c->job->length,
                            .queue_seconds = -1,
                            .taken_at_ns = clock_now_ns()};
    enum status st = classify_job(c->classifier, &job, NULL, &output, &refresh, err);
    *amount = (double)c->documents;
    buffer_free(&output);
    return st;
}

static void classify(struct bench *b, struct classifier *classifier, const struct bench_values *v)
{
    struct buffer text = {0};
    struct classifying c = {classifier, &text, v->documents};
    const struct bench_work work = {.run = run_classify, .context = &c, .unit = "documents"};
    if (make_job(&text, v))
        bench_measure(b, "classify", &work, "%llu documents of %llu words, 6 labels", (unsigned long long)v->documents,
                      (unsigned long long)v->words);
    else
        bench_impossible(b, "classify", "no memory for %llu documents", (unsigned long long)v->documents);
    buffer_free(&text);
}

static void measure_all(struct bench_subject *s, struct classifier *classifier, const struct bench_values *v)
{
    bench_subject_measure(s);
    if (classifier && bench_wants(&s->bench, "classify")) classify(&s->bench, classifier, v);
}

static enum status open_model(struct classifier **classifier, struct bench_subject *s, const struct tool_call *call,
                              struct error *err)
{
    struct classify_options options_;
    struct bench_files files = {0};
    enum status st = tool_classify_options(call, &options_, err);
    options_.worker_id = "bench";
    if (st == DOCKET_OK) st = classifier_open(classifier, &options_, err);
    if (st == DOCKET_OK) st = bench_files_open(&files, &options_.model.hub, err);
    if (st == DOCKET_OK) st = tool_load(*classifier, call->config, err);
    if (st == DOCKET_OK) st = bench_subject_of_model(s, classifier_model(*classifier), err);
    if (st == DOCKET_OK) bench_files_measure(s, &files, &classifier_model(*classifier)->load);
    bench_files_close(&files);
    return st;
}

static enum status open_synthetic(struct bench_subject *s, const struct tool_call *call, struct error *err)
{
    const struct bench_values *v = call->values;
    struct model_options model;
    enum status st = tool_model_options(call->config, &model, err);
    return st == DOCKET_OK ? bench_subject_make(s, v->synthetic, (size_t)v->layers, &model, err) : st;
}

/* false, and *bad the word that is none. */
static bool steps_known(const char *only, const char **bad, size_t *length)
{
    static const char *const steps[] = {"quantize", "prefill",   "packed", "decode",
                                        "experts",  "documents", "labels", "classify"};
    for (const char *p = only; p && *p; p += *p == ',') {
        size_t n = strcspn(p, ","), i = 0;
        while (i < ARRAY_LENGTH(steps) && (strlen(steps[i]) != n || memcmp(steps[i], p, n) != 0)) i++;
        *bad = p;
        *length = n;
        if (i == ARRAY_LENGTH(steps)) return false;
        p += n;
    }
    return true;
}

static int run(const struct tool_call *call)
{
    const struct bench_values *v = call->values;
    struct error err = {0};
    struct classifier *classifier = NULL;
    struct buffer out = {0};
    if (call->n_arguments)
        return tool_usage("bench takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    if (!call->config->model && !v->synthetic) return tool_usage("no model: set MODEL_NAME, --model or --synthetic");
    if (v->layers && !v->synthetic)
        return tool_usage("--layers is for --synthetic: a model on disk has the layers it has");
    const char *bad = NULL;
    size_t bad_length = 0;
    if (!steps_known(v->only, &bad, &bad_length))
        return tool_usage(
            "--only: \"%.*s\" is no step: want some of quantize, prefill, packed, decode, experts, documents, labels, "
            "classify",
            bad_length > 40 ? 40 : (int)bad_length, bad);
    struct bench_subject *s = mem_zalloc(1, sizeof(*s));
    if (!s) return DOCKET_EXIT_NO_MEMORY;
    s->bench.options = (struct bench_options){.prefill_tokens = (size_t)v->tokens,
                                              .decode_tokens = (size_t)v->decode,
                                              .n_together = (size_t)v->together,
                                              .document_tokens = (size_t)v->document_tokens,
                                              .prefix_tokens = (size_t)v->prefix_tokens,
                                              .n_labels = (size_t)v->labels,
                                              .seconds = v->seconds,
                                              .only = v->only,
                                              .stop = &stop,
                                              .shows_progress = config_terminal(call->config, STDERR_FILENO),
                                              .nvml_library = call->config->nvml_library};
    signal(SIGINT, interrupted);
    enum status st = tool_log_open(call->config, LOG_WARN, &err);
    if (st == DOCKET_OK) st = v->synthetic ? open_synthetic(s, call, &err) : open_model(&classifier, s, call, &err);
    int code;
    if (st == DOCKET_OK) {
        measure_all(s, classifier, v);
        (v->json ? bench_put_json : bench_put_text)(&out, &s->report);
        code = !out.failed && tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    } else
        code = tool_fail(&err);
    buffer_free(&out);
    bench_subject_close(s);
    classifier_close(classifier);
    mem_free(s);
    return code;
}

const struct tool tool_bench = {
    .name = "bench",
    .line = {.letter = 'b',
             .usage = "bench --model NAME|DIR | --synthetic SHAPE [--quantization FORMAT] [--json]",
             .about = "measure a model on this machine, beside what the machine can do.\n"
                      "SHAPE is tinyllama, llama2-7b, llama3-8b, mistral-7b, mixtral-8x7b, mixtral-4-layers,\n"
                      "mixtral-8x22b, gemma-2b, gemma-7b, qwen3-30b-a3b, olmoe-1b-7b or tiny.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct bench_values),
    .run = run,
};
