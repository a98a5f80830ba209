/* validate.c: docket validate: what every format costs in exactness, on made matrices and on a model. Formats fail when a kernel is
 * further from double than rounding allows, or weights are further from their originals than the format's definition allows;
 * what a format does to a model's outputs is reported, and judged by nobody but the reader. */
#include "handlers/tools/evaluate.h"
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/model/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct validate_values {
    const char *formats, *eval;
    bool json;
};
#define OPTION_VALUES struct validate_values
static const struct option options[] = {
    OWN_OPTION(TEXT, formats, "--formats", "(all)", ANY, "LIST", "formats with commas between: nf4,q8"),
    OWN_OPTION(
        PATH, eval, "--eval", "(none)", ANY, "FILE",
        "labelled documents, a line of JSON each: {\"file\": …, \"label\": …}; says accuracy, and agreement with the "
        "unquantized model"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "everything as JSON, layer by layer"),
};

/* All that is known of one format. */
struct row {
    enum weight_format format;
    double bits;
    struct validate_kernel made, model;
    double gaussian;
    bool has_model, has_eval;
    struct validate_weights weights;
    struct validate_layers layers;
    struct evaluation evaluation;
    double agreement;
    bool good;
};

struct report {
    const struct tool_call *call;
    struct row rows[N_WEIGHT_FORMATS];
    size_t n;
    struct validate_layers kv[N_KV_FORMATS]; /* against f32; that one is empty */
    struct evaluation_set set;
    struct evaluation original;
    bool has_model;
    bool good;
};

static enum status choose_formats(struct report *r, const char *list, struct error *err)
{
    bool taken[N_WEIGHT_FORMATS] = {0};
    for (const char *at = list; at && *at;) {
        char word[24];
        size_t length = strcspn(at, ",");
        enum weight_format format = QUANTIZE_NONE;
        snprintf(word, sizeof(word), "%.*s", (int)(length < 23 ? length : 23), at);
        if (!weight_format_by_name(word, &format) || format == QUANTIZE_NONE)
            return fail(err, DOCKET_BAD_INPUT, CODE_NONE,
                        "--formats=\"%.80s\": \"%s\": want nf4, nf4-plain, fp4, fp4-plain, int8, q8, q4, q2 or q1",
                        list, word);
        taken[format] = true;
        at += length + (at[length] == ',');
    }
    for (unsigned i = QUANTIZE_NONE + 1; i < N_WEIGHT_FORMATS; i++)
        if (!list || !*list || taken[i]) r->rows[r->n++].format = (enum weight_format)i;
    return DOCKET_OK;
}

static bool judge(const struct row *row)
{
    bool good = row->made.worst <= 1 && row->gaussian <= validate_gaussian_limit(row->format);
    if (row->has_model)
        good = good && row->model.worst <= 1 && isfinite(row->layers.logits) && isfinite(row->weights.attention) &&
               isfinite(row->weights.ffn);
    return good;
}

static enum status measure_kv(struct report *r, struct model *original, const struct validate_run *exact,
                              struct error *err)
{
    enum status st = DOCKET_OK;
    for (unsigned i = 0; i < N_KV_FORMATS && st == DOCKET_OK; i++) {
        struct validate_run run = {0};
        if (i == KV_F32) continue;
        st = validate_run(&run, original, (enum kv_format)i, err);
        if (st == DOCKET_OK) st = validate_compare(&r->kv[i], exact, &run, err);
        validate_run_free(&run);
    }
    return st;
}

static enum status measure_format(struct row *row, const struct model_options *base, const struct model *original,
                                  const struct validate_run *exact, struct error *err)
{
    struct model_options own = *base;
    struct model model = {0};
    struct validate_run run = {0};
    own.quantization = (struct quantization){{row->format, row->format}};
    enum status st = model_open(&model, &own, NULL, err);
    if (st == DOCKET_OK) st = validate_kernels(&row->model, &model, err);
    if (st == DOCKET_OK) st = validate_weights(&row->weights, original, &model, err);
    if (st == DOCKET_OK) st = validate_run(&run, &model, KV_F32, err);
    if (st == DOCKET_OK) st = validate_compare(&row->layers, exact, &run, err);
    row->has_model = st == DOCKET_OK;
    validate_run_free(&run);
    model_close(&model);
    return st;
}

static enum status measure_model(struct report *r, const struct model_options *base, struct error *err)
{
    struct model_options own = *base;
    struct model original = {0};
    struct validate_run exact = {0};
    own.quantization = (struct quantization){0};
    enum status st = model_open(&original, &own, NULL, err);
    if (st == DOCKET_OK && !quantization_is_none(&original.quantization))
        st = fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: is stored in %s; want the original to compare with",
                  original.location.name, original.quantization_name);
    if (st == DOCKET_OK) st = validate_run(&exact, &original, KV_F32, err);
    if (st == DOCKET_OK) st = measure_kv(r, &original, &exact, err);
    for (size_t i = 0; i < r->n && st == DOCKET_OK; i++) st = measure_format(&r->rows[i], base, &original, &exact, err);
    r->has_model = st == DOCKET_OK;
    validate_run_free(&exact);
    model_close(&original);
    return st;
}

static enum status evaluate(struct report *r, const struct classify_options *base, struct error *err)
{
    struct classify_options own = *base;
    own.model.quantization = (struct quantization){0};
    enum status st = evaluation_run(&r->original, &r->set, &own, err);
    for (size_t i = 0; i < r->n && st == DOCKET_OK; i++) {
        struct row *row = &r->rows[i];
        own.model.quantization = (struct quantization){{row->format, row->format}};
        st = evaluation_run(&row->evaluation, &r->set, &own, err);
        row->has_eval = st == DOCKET_OK;
        row->agreement = evaluation_agreement(&r->original, &row->evaluation);
    }
    return st;
}

static enum status measure(struct report *r, const struct validate_values *v, struct error *err)
{
    struct classify_options classify;
    enum status st = tool_classify_options(r->call, &classify, err);
    classify.model.keep_copy = false;
    if (st == DOCKET_OK) st = choose_formats(r, v->formats, err);
    if (st == DOCKET_OK && v->eval) st = evaluation_read(&r->set, v->eval, err);
    for (size_t i = 0; i < r->n && st == DOCKET_OK; i++) {
        struct row *row = &r->rows[i];
        enum kernels_format format = KERNELS_F32;
        weight_format_kernels(row->format, &format);
        row->bits = docket_kernels_format_bits(format);
        st = validate_made(&row->made, &row->gaussian, &classify.model.device, row->format, err);
    }
    if (st == DOCKET_OK && r->call->config->model) st = measure_model(r, &classify.model, err);
    if (st == DOCKET_OK && v->eval) st = evaluate(r, &classify, err);
    r->good = st == DOCKET_OK;
    for (size_t i = 0; i < r->n; i++) {
        r->rows[i].good = judge(&r->rows[i]);
        r->good = r->good && r->rows[i].good;
    }
    return st;
}

static size_t worst_layer(const double *values, size_t n)
{
    size_t worst = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[worst]) worst = i;
    return worst;
}

static void put_layers_text(struct buffer *out, const struct validate_layers *l)
{
    size_t a = worst_layer(l->attention, l->n_layers), f = worst_layer(l->ffn, l->n_layers);
    buffer_printf(out, "  %7.3f %% (layer %2zu)  %7.3f %% (layer %2zu)  %7.3f %%  %5.1f %%", 100 * l->attention[a], a,
                  100 * l->ffn[f], f, 100 * l->logits, 100 * l->same_first);
}

static void put_text(struct buffer *out, const struct report *r)
{
    buffer_append_str(out, "Kernels: distance from the same weights in double, as a share of what rounding allows (at "
                           "most 1); weights: relative L2 error on Gaussian numbers\n"
                           "format      bits    made    model   Gaussian  limit     verdict\n");
    for (size_t i = 0; i < r->n; i++) {
        const struct row *row = &r->rows[i];
        char model[16] = "-";
        if (row->has_model) snprintf(model, sizeof(model), "%.3f", row->model.worst);
        buffer_printf(out, "%-10s  %5.3f  %6.3f  %7s  %7.3f %%  %6.2f %%  %s\n", weight_format_name(row->format),
                      row->bits, row->made.worst, model, 100 * row->gaussian,
                      100 * validate_gaussian_limit(row->format), row->good ? "pass" : "FAIL");
    }
    if (r->has_model) {
        buffer_printf(out,
                      "\nThe model, against itself unquantized: weights, then what each layer adds for %zu tokens "
                      "(worst layer), logits, same likeliest token\n"
                      "format       attention        ffn      attention's outputs       ffn's outputs             "
                      "logits      same\n",
                      r->n ? r->rows[0].layers.n_tokens : r->kv[KV_F16].n_tokens);
        for (size_t i = 0; i < r->n; i++) {
            const struct row *row = &r->rows[i];
            buffer_printf(out, "%-10s  %7.3f %%  %7.3f %%", weight_format_name(row->format),
                          100 * row->weights.attention, 100 * row->weights.ffn);
            put_layers_text(out, &row->layers);
            buffer_append_char(out, '\n');
        }
        for (unsigned i = 0; i < N_KV_FORMATS; i++) {
            if (!r->kv[i].n_layers) continue;
            buffer_printf(out, "cache %-4s                      ", kv_format_name((enum kv_format)i));
            put_layers_text(out, &r->kv[i]);
            buffer_append_char(out, '\n');
        }
    }
    if (r->original.n) {
        buffer_printf(out, "\n%zu labelled documents\nformat      right        same answer as unquantized\n", r->set.n);
        buffer_printf(out, "%-10s  %5.1f %%\n", "none", 100.0 * (double)r->original.n_right / (double)r->original.n);
        for (size_t i = 0; i < r->n; i++)
            buffer_printf(out, "%-10s  %5.1f %%      %5.1f %%\n", weight_format_name(r->rows[i].format),
                          100.0 * (double)r->rows[i].evaluation.n_right / (double)r->rows[i].evaluation.n,
                          100 * r->rows[i].agreement);
    }
}

static void put_kernel(struct json_writer *w, const char *key, const struct validate_kernel *k)
{
    json_begin_object(w, key);
    json_put_u64(w, "matrices", k->n_matrices);
    json_put_u64(w, "values", k->n_values);
    json_put_double(w, "worst_share_of_limit", k->worst);
    json_put_double(w, "relative_l2", k->relative);
    json_end_object(w);
}

static void put_list(struct json_writer *w, const char *key, const double *values, size_t n)
{
    json_begin_array(w, key);
    for (size_t i = 0; i < n; i++) json_put_double(w, NULL, values[i]);
    json_end_array(w);
}

static void put_layers(struct json_writer *w, const char *key, const struct validate_layers *l)
{
    json_begin_object(w, key);
    json_put_u64(w, "tokens", l->n_tokens);
    put_list(w, "attention", l->attention, l->n_layers);
    put_list(w, "ffn", l->ffn, l->n_layers);
    json_put_double(w, "logits", l->logits);
    json_put_double(w, "same_likeliest_token", l->same_first);
    json_end_object(w);
}

static void put_evaluation(struct json_writer *w, const char *key, const struct evaluation *e, double agreement)
{
    json_begin_object(w, key);
    json_put_u64(w, "documents", e->n);
    json_put_u64(w, "right", e->n_right);
    json_put_u64(w, "errors", e->n_errors);
    json_put_double(w, "accuracy", (double)e->n_right / (double)e->n);
    if (agreement >= 0) json_put_double(w, "agreement", agreement);
    json_end_object(w);
}

static void put_json(struct buffer *out, const struct report *r)
{
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "model", r->call->config->model);
    json_put_bool(&w, "pass", r->good);
    json_begin_array(&w, "formats");
    for (size_t i = 0; i < r->n; i++) {
        const struct row *row = &r->rows[i];
        json_begin_object(&w, NULL);
        json_put_string(&w, "format", weight_format_name(row->format));
        json_put_double(&w, "bits_per_weight", row->bits);
        json_put_bool(&w, "pass", row->good);
        put_kernel(&w, "kernel_made", &row->made);
        json_put_double(&w, "gaussian_relative_l2", row->gaussian);
        json_put_double(&w, "gaussian_limit", validate_gaussian_limit(row->format));
        if (row->has_model) {
            put_kernel(&w, "kernel_model", &row->model);
            json_begin_object(&w, "weights_relative_l2");
            json_put_u64(&w, "layers", row->weights.n_layers);
            json_put_double(&w, "attention", row->weights.attention);
            json_put_double(&w, "ffn", row->weights.ffn);
            json_end_object(&w);
            put_layers(&w, "outputs_relative_l2", &row->layers);
        }
        if (row->has_eval) put_evaluation(&w, "evaluation", &row->evaluation, row->agreement);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_begin_object(&w, "kv_cache");
    for (unsigned i = 0; i < N_KV_FORMATS; i++)
        if (r->kv[i].n_layers) put_layers(&w, kv_format_name((enum kv_format)i), &r->kv[i]);
    json_end_object(&w);
    if (r->original.n) put_evaluation(&w, "evaluation_unquantized", &r->original, -1);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static int run(const struct tool_call *call)
{
    const struct validate_values *v = call->values;
    struct error err = {0};
    struct report report = {.call = call};
    struct buffer out = {0};
    int code;
    if (call->n_arguments)
        return tool_usage("validate takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    if (v->eval && !call->config->model) return tool_usage("--eval needs a model: set MODEL_NAME or --model");
    enum status st = tool_log_open(call->config, LOG_WARN, &err);
    if (st == DOCKET_OK) st = measure(&report, v, &err);
    if (st == DOCKET_OK) {
        (v->json ? put_json : put_text)(&out, &report);
        code = !tool_print(&out) ? DOCKET_EXIT_IO : report.good ? 0 : DOCKET_EXIT_UNHEALTHY;
    } else
        code = tool_fail(&err);
    for (size_t i = 0; i < report.n; i++) {
        validate_layers_free(&report.rows[i].layers);
        evaluation_close(&report.rows[i].evaluation);
    }
    for (unsigned i = 0; i < N_KV_FORMATS; i++) validate_layers_free(&report.kv[i]);
    evaluation_close(&report.original);
    evaluation_free(&report.set);
    buffer_free(&out);
    return code;
}

const struct tool tool_validate = {
    .name = "validate",
    .line = {.letter = 'v',
             .usage = "validate [--model NAME|DIR] [--formats LIST] [--eval FILE.jsonl] [--json]",
             .about = "measure how exact every format is, and what it does to a model.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct validate_values),
    .run = run,
};
