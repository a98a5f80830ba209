/* report.c: the job's output, key by key as the schema has them. What was not measured is null with its key present. */
#include "handlers/report.h"

#include "handlers/scores.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_ms(struct json_writer *w, const char *key, double seconds)
{
    if (seconds < 0)
        json_put_null(w, key);
    else
        json_put_fixed(w, key, seconds * 1e3, 3);
}

static void put_usd(struct json_writer *w, const char *key, double usd)
{
    if (isfinite(usd))
        json_put_double(w, key, usd);
    else
        json_put_null(w, key);
}

static void put_score(struct json_writer *w, const char *key, double value)
{
    json_put_double(w, key, round(value * 1e9) / 1e9);
}

static bool in_error(const struct outcome *o)
{
    return o->document.error.code != CODE_NONE;
}

static double job_usd(const struct report *r)
{
    return r->price.known ? r->billed_seconds * r->price.per_second : NAN;
}

/* What each document weighs when the job's price is split; 0 in all means equal parts. */
static double work_total(const struct report *r)
{
    double total = 0;
    for (size_t i = 0; i < r->n_outcomes; i++) total += r->outcomes[i].numbers.work_seconds;
    return total;
}

static double document_usd(const struct report *r, size_t i, double total)
{
    return job_usd(r) * (total > 0 ? r->outcomes[i].numbers.work_seconds / total : 1.0 / (double)r->n_outcomes);
}

static void put_usage(struct json_writer *w, size_t input_tokens, size_t cached_tokens)
{
    json_begin_object(w, "usage");
    json_put_u64(w, "input_tokens", input_tokens);
    json_begin_object(w, "input_tokens_details");
    json_put_u64(w, "cached_tokens", cached_tokens);
    json_end_object(w);
    json_put_u64(w, "output_tokens", 0);
    json_put_u64(w, "total_tokens", input_tokens);
    json_end_object(w);
}

static const char *answer(const struct job_input *input, const struct decision *d)
{
    return d->abstained ? input->options.abstain_label : input->labels[d->order[0]].name;
}

static void put_labels(struct json_writer *w, const struct report *r, const struct outcome *o, const struct decision *d)
{
    const struct job_input *input = r->input;
    if (input->multi_label) {
        json_put_null(w, "label");
        json_begin_array(w, "labels");
        for (size_t k = 0; k < input->n_labels; k++)
            if (d->chosen[d->order[k]]) json_put_string(w, NULL, input->labels[d->order[k]].name);
        json_end_array(w);
    } else
        json_put_string(w, "label", answer(input, d));
    put_score(w, "confidence", d->confidence);
    put_score(w, "margin", d->margin);
    json_put_bool(w, "abstained", d->abstained);
    if (r->compact) return;
    size_t n = input->options.top_k && input->options.top_k < input->n_labels ? input->options.top_k : input->n_labels;
    json_begin_array(w, "scores");
    for (size_t k = 0; k < n; k++) {
        json_begin_object(w, NULL);
        json_put_string(w, "label", input->labels[d->order[k]].name);
        put_score(w, "score", o->probabilities[d->order[k]]);
        json_end_object(w);
    }
    json_end_array(w);
    if (o->n_chunks == 0) return;
    json_begin_array(w, "chunks");
    for (size_t k = 0; k < o->n_chunks; k++) {
        json_begin_object(w, NULL);
        json_put_u64(w, "index", k);
        json_put_u64(w, "tokens", o->chunks[k].n_tokens);
        json_put_string(w, "label", input->labels[o->chunks[k].label].name);
        put_score(w, "confidence", o->chunks[k].confidence);
        json_end_object(w);
    }
    json_end_array(w);
}

/* null for what a document does not have. */
static void put_count(struct json_writer *w, const char *key, size_t count)
{
    if (count)
        json_put_u64(w, key, count);
    else
        json_put_null(w, key);
}

static void put_document(struct json_writer *w, const struct outcome *o)
{
    const struct document *d = &o->document;
    json_begin_object(w, "document");
    json_put_string(w, "filename", d->filename);
    json_put_string(w, "media_type", d->media_type);
    json_put_string(w, "detected_by", d->detected_by);
    json_put_u64(w, "bytes", d->bytes);
    put_count(w, "pages", d->pages);
    put_count(w, "pages_read", d->pages_read);
    json_put_u64(w, "characters", d->characters);
    json_put_string(w, "language", d->language[0] ? d->language : NULL);
    json_put_bool(w, "ocr", d->ocr_pages > 0);
    json_put_bool(w, "truncated", o->numbers.tokens_dropped > 0);
    json_put_u64(w, "tokens_dropped", o->numbers.tokens_dropped);
    json_put_string(w, "sha256", d->sha256);
    json_end_object(w);
}

static void put_warning(struct json_writer *w, const char *what, size_t count)
{
    char text[96];
    if (count == 0) return;
    snprintf(text, sizeof(text), "%s: %zu", what, count);
    json_put_string(w, NULL, text);
}

static void put_error(struct json_writer *w, const struct outcome *o)
{
    const struct error *e = &o->document.error;
    char param[48];
    snprintf(param, sizeof(param), "documents[%zu]", o->input_index);
    json_begin_object(w, "error");
    json_put_string(w, "code", error_code_name(e->code));
    json_put_string(w, "message", e->message);
    json_put_string(w, "stage", error_code_stage(e->code));
    json_put_string(w, "param", param);
    json_put_null(w, "page");
    json_put_bool(w, "retryable", error_code_retryable(e->code));
    json_end_object(w);
}

static void put_timing(struct json_writer *w, const struct outcome *o)
{
    const struct outcome_numbers *n = &o->numbers;
    const struct document *d = &o->document;
    json_begin_object(w, "timing_ms");
    put_ms(w, "fetch", d->fetch_seconds);
    put_ms(w, "extract", d->extract_seconds);
    put_ms(w, "ocr", d->ocr_seconds);
    put_ms(w, "tokenize", n->tokenize_seconds);
    put_ms(w, "wait", n->wait_seconds);
    put_ms(w, "inference", n->inference_seconds);
    put_ms(w, "total",
           d->fetch_seconds + d->extract_seconds + d->ocr_seconds + n->tokenize_seconds + n->wait_seconds +
               n->inference_seconds);
    json_end_object(w);
}

static void put_result(struct json_writer *w, const struct report *r, size_t i, double total, struct decision *d)
{
    const struct outcome *o = &r->outcomes[i];
    json_begin_object(w, NULL);
    json_put_u64(w, "index", i);
    json_put_string(w, o->custom_id ? "custom_id" : "id", o->document.id);
    json_put_string(w, "status", in_error(o) ? "error" : "ok");
    if (in_error(o))
        put_error(w, o);
    else {
        put_labels(w, r, o, d);
        if (!r->compact) {
            put_document(w, o);
            json_begin_array(w, "warnings");
            put_warning(w, "document_too_many_pages", o->document.pages_left ? o->document.pages_read : 0);
            put_warning(w, "ocr_pages_left", o->document.ocr_pages_left);
            put_warning(w, "ocr_pages_failed", o->document.ocr_pages_failed);
            put_warning(w, "hidden_characters_removed", o->document.hidden_characters);
            put_warning(w, "hidden_text", o->document.unseen_characters);
            put_warning(w, "hidden_text_of_an_ocr_layer", o->document.layer_characters);
            put_warning(w, "hidden_text_beyond_the_page", o->document.beyond_characters);
            put_warning(w, "hidden_text_not_looked_for", o->document.unseen_left);
            put_warning(w, "control_characters_removed", o->document.control_characters);
            json_end_array(w);
            put_usage(w, o->numbers.input_tokens, o->numbers.cached_tokens);
            put_timing(w, o);
        }
        if (r->input->options.return_text)
            json_put_string_n(w, "text", o->document.text ? o->document.text : "", o->document.text_length);
    }
    put_usd(w, "cost_usd", document_usd(r, i, total));
    json_end_object(w);
}

/* Nothing is reported that cannot be: a violation is a fault of ours. */
static enum status check_outcome(const struct report *r, size_t i, struct error *err)
{
    const struct outcome *o = &r->outcomes[i];
    double sum = 0;
    if (in_error(o)) return DOCKET_OK;
    for (size_t k = 0; o->probabilities && k < r->input->n_labels; k++) {
        double p = o->probabilities[k];
        if (!(p >= 0 && p <= 1))
            return fail(err, DOCKET_INTERNAL, CODE_internal_error, "document %zu: a score of %g", i, p);
        sum += p;
    }
    if (!o->probabilities || (!r->input->multi_label && !(fabs(sum - 1) <= 1e-5)))
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "document %zu: scores that sum to %g", i, sum);
    return DOCKET_OK;
}

void report_sum(struct report_totals *t, const struct report *r)
{
    struct decision d;
    *t = (struct report_totals){.compute_usd = job_usd(r)};
    for (size_t i = 0; i < r->n_outcomes; i++) {
        const struct outcome *o = &r->outcomes[i];
        t->input_tokens += o->numbers.input_tokens;
        t->cached_tokens += o->numbers.cached_tokens;
        t->ocr_pages += o->document.ocr_pages;
        t->ocr_seconds += o->document.ocr_seconds;
        if (in_error(o)) {
            t->failed++;
            continue;
        }
        t->ok++;
        scores_decide(&d, r->input, o->probabilities);
        t->abstained += d.abstained;
    }
}

enum status report_write_lines(struct buffer *out, const struct report *r, struct error *err)
{
    double total = work_total(r);
    struct decision d;
    for (size_t i = 0; i < r->n_outcomes; i++) {
        enum status st = check_outcome(r, i, err);
        if (st != DOCKET_OK) return st;
        struct json_writer w = {.out = out};
        if (!in_error(&r->outcomes[i])) scores_decide(&d, r->input, r->outcomes[i].probabilities);
        put_result(&w, r, i, total, &d);
        buffer_append_char(out, '\n');
    }
    return DOCKET_OK;
}

static void put_place(struct json_writer *w, const struct results_place *place)
{
    json_put_string(w, "results_url", place->url);
    json_put_u64(w, "results_bytes", place->bytes);
    json_put_string(w, "results_sha256", place->sha256);
    json_put_u64(w, "results_count", place->count);
}

/* What the caller should know of the answer as a whole. */
static void put_warnings(struct json_writer *w, const struct report *r)
{
    if (!r->compact && !r->output_failed) return;
    json_begin_array(w, "warnings");
    if (r->compact)
        json_put_string(
            w, NULL,
            "result_compacted: scores and document facts were left out, the full result is too large for the queue");
    if (r->output_failed) json_put_string(w, NULL, r->output_failed);
    if (r->results_kept) json_put_string(w, NULL, r->results_kept);
    json_end_array(w);
}

static void put_summary(struct json_writer *w, const struct report *r, const struct report_totals *t,
                        const size_t *by_label, const size_t *by_code)
{
    json_begin_object(w, "summary");
    json_put_u64(w, "documents", r->n_outcomes);
    json_put_u64(w, "ok", t->ok);
    json_put_u64(w, "failed", t->failed);
    json_put_u64(w, "abstained", t->abstained);
    json_begin_object(w, "labels");
    for (size_t k = 0; k < r->input->n_labels; k++)
        if (by_label[k]) json_put_u64(w, r->input->labels[k].name, by_label[k]);
    json_end_object(w);
    json_begin_object(w, "errors");
    for (size_t c = 1; c < N_ERROR_CODES; c++)
        if (by_code[c]) json_put_u64(w, error_code_name((enum error_code)c), by_code[c]);
    json_end_object(w);
    json_end_object(w);
}

static void put_known(struct json_writer *w, const char *key, uint64_t value)
{
    if (value == GPU_UNKNOWN)
        json_put_null(w, key);
    else
        json_put_u64(w, key, value);
}

static void put_measured(struct json_writer *w, const char *key, double value)
{
    if (isfinite(value))
        json_put_fixed(w, key, value, 3);
    else
        json_put_null(w, key);
}

static void put_gpu(struct json_writer *w, const struct report *r)
{
    json_begin_object(w, "gpu");
    json_put_string(w, "name", r->device_name);
    put_known(w, "memory_total_bytes", r->memory_total);
    put_known(w, "memory_used_bytes", r->memory_used);
    put_known(w, "memory_free_bytes", r->memory_free);
    put_known(w, "memory_peak_bytes", r->memory_peak);
    json_put_string(w, "driver_version", r->driver);
    put_known(w, "ecc_errors", r->ecc_errors);
    put_measured(w, "energy_joules", r->energy_joules);
    put_measured(w, "utilization", r->utilization);
    json_put_u64(w, "layers_on_gpu", r->layers_on_gpu);
    json_put_u64(w, "layers_total", r->layers_total);
    json_end_object(w);
}

static void put_cost(struct json_writer *w, const struct report *r)
{
    double price = r->price.known ? r->price.per_second : NAN, compute = job_usd(r);
    double cold = r->cold_start_seconds > 0 ? r->cold_start_seconds * price : price * 0;
    json_begin_object(w, "cost");
    json_put_string(w, "currency", "USD");
    put_usd(w, "price_per_second", price);
    json_put_string(w, "price_source", r->price.known ? r->price.source : NULL);
    put_usd(w, "compute_usd", compute);
    put_usd(w, "cold_start_usd", cold);
    put_usd(w, "total_usd", compute + cold);
    put_usd(w, "per_document_usd", r->n_outcomes ? compute / (double)r->n_outcomes : NAN);
    json_begin_array(w, "excludes");
    json_put_string(w, NULL, "idle_time");
    json_put_string(w, NULL, "disk");
    json_put_string(w, NULL, "network_volume");
    json_end_array(w);
    json_end_object(w);
}

static void put_job_timing(struct json_writer *w, const struct report *r)
{
    double fetch = 0, extract = 0, ocr = 0;
    for (size_t i = 0; i < r->n_outcomes; i++) {
        fetch += r->outcomes[i].document.fetch_seconds;
        extract += r->outcomes[i].document.extract_seconds;
        ocr += r->outcomes[i].document.ocr_seconds;
    }
    json_begin_object(w, "timing_ms");
    put_ms(w, "queue", r->queue_seconds);
    put_ms(w, "cold_start", r->cold_start_seconds);
    put_ms(w, "fetch", fetch);
    put_ms(w, "extract", extract);
    put_ms(w, "ocr", ocr);
    put_ms(w, "inference", r->inference_seconds);
    put_ms(w, "execution", r->execution_seconds);
    json_end_object(w);
}

static void put_model(struct json_writer *w, const struct report *r)
{
    json_begin_object(w, "model");
    json_put_string(w, "name", r->model_name);
    json_put_string(w, "revision", r->revision);
    json_put_string(w, "quantization", r->quantization);
    json_put_string(w, "compute_dtype", r->compute_dtype);
    json_put_string(w, "calibration", r->calibrated ? "contextual" : NULL);
    json_end_object(w);
}

enum status report_write(struct buffer *out, const struct report *r, struct error *err)
{
    struct json_writer w = {.out = out};
    struct report_totals totals;
    size_t by_code[N_ERROR_CODES] = {0}, by_label[MAX_LABELS + 1] = {0};
    double total = work_total(r);
    struct decision d;
    for (size_t i = 0; i < r->n_outcomes; i++) {
        enum status st = check_outcome(r, i, err);
        if (st != DOCKET_OK) return st;
    }
    report_sum(&totals, r);
    json_begin_object(&w, NULL);
    json_put_string(&w, "object", "classification");
    json_put_string(&w, "status", totals.failed ? "completed_with_errors" : "completed");
    json_put_string(&w, "fingerprint", r->fingerprint);
    json_begin_array(&w, "results");
    for (size_t i = 0; i < r->n_outcomes; i++) {
        const struct outcome *o = &r->outcomes[i];
        if (in_error(o))
            by_code[o->document.error.code]++;
        else {
            scores_decide(&d, r->input, o->probabilities);
            for (size_t k = 0; r->input->multi_label && k < r->input->n_labels; k++) by_label[k] += d.chosen[k];
            if (!r->input->multi_label && !d.abstained) by_label[d.order[0]]++;
        }
        if (!r->elsewhere) put_result(&w, r, i, total, &d);
    }
    json_end_array(&w);
    if (r->results) put_place(&w, r->results);
    put_summary(&w, r, &totals, by_label, by_code);
    put_model(&w, r);
    put_usage(&w, totals.input_tokens, totals.cached_tokens);
    put_job_timing(&w, r);
    put_gpu(&w, r);
    put_cost(&w, r);
    json_begin_object(&w, "worker");
    json_put_string(&w, "id", r->worker_id);
    json_put_string(&w, "version", r->version);
    json_end_object(&w);
    put_warnings(&w, r);
    json_end_object(&w);
    return DOCKET_OK;
}
