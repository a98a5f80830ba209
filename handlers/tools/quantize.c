/* quantize.c: docket quantize: a model → a folder with the same model quantized, for docket and, in the formats of bitsandbytes, for
 * transformers. */
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/model/quantize.h"
#include "worker/model/quantized_form.h"

#include <signal.h>
#include <stdio.h>

struct quantize_values {
    const char *format, *out;
    uint64_t shard_bytes;
    bool json;
};
#define OPTION_VALUES struct quantize_values
static const struct option options[] = {
    OWN_OPTION(
        TEXT, format, "--format", "(--quantization)", ANY, "FORMAT",
        "as --quantization; nf4, nf4-plain, fp4, fp4-plain and int8 are read by transformers too, all others and "
        "mixtures by docket only"),
    OWN_OPTION(PATH, out, "--out", "(none)", ANY, "DIR", "the folder to make; it must not be there yet"),
    OWN_OPTION(COUNT, shard_bytes, "--shard-bytes", "5000000000", RANGE(1000000, 1e12), "BYTES",
               "largest file of weights; one weight is never cut"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "the report as JSON"),
};

static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static void put_report(struct buffer *out, const struct quantize_report *r, const struct quantize_options *o, bool json)
{
    char name[QUANTIZATION_NAME_BYTES];
    bool known = quantized_form_is_bitsandbytes(&o->quantization);
    quantization_name(&o->quantization, name);
    if (!json) {
        buffer_printf(out,
                      "%s as %s in %s\n%zu weights quantized, %zu tensors as they were; %.1f MB read, %.1f MB written "
                      "in %zu file%s, %.1f s\n%s\n",
                      o->hub.model, name, o->out, r->n_quantized, r->n_stored, (double)r->read_bytes / 1e6,
                      (double)r->written_bytes / 1e6, r->n_shards, r->n_shards == 1 ? "" : "s", r->seconds,
                      known ? "in bitsandbytes' form, which transformers reads" : "in docket's own form");
        return;
    }
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "model", o->hub.model);
    json_put_string(&w, "quantization", name);
    json_put_string(&w, "out", o->out);
    json_put_string(&w, "quant_method", known ? "bitsandbytes" : "docket");
    json_put_u64(&w, "weights_quantized", r->n_quantized);
    json_put_u64(&w, "tensors_stored", r->n_stored);
    json_put_u64(&w, "files", r->n_shards);
    json_put_u64(&w, "read_bytes", r->read_bytes);
    json_put_u64(&w, "written_bytes", r->written_bytes);
    json_put_double(&w, "seconds", r->seconds);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static int run(const struct tool_call *call)
{
    const struct quantize_values *v = call->values;
    struct error err = {0};
    struct model_options model;
    struct quantize_report report = {0};
    struct buffer out = {0};
    if (call->n_arguments)
        return tool_usage("quantize takes flags only; \"%.60s\" is one word too many", call->arguments[0]);
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    if (!v->out) return tool_usage("quantize needs --out");
    enum status st = tool_model_options(call->config, &model, &err);
    if (st == DOCKET_OK && v->format) st = quantization_parse(&model.quantization, "--format", v->format, &err);
    if (st == DOCKET_OK && quantization_is_none(&model.quantization))
        return tool_usage("quantize needs --format, and not none");
    struct quantize_options quantize = {.hub = model.hub,
                                        .device = model.device,
                                        .quantization = model.quantization,
                                        .out = v->out,
                                        .shard_bytes = v->shard_bytes};
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is a failed write, no end without tidying up */
    if (st == DOCKET_OK) st = tool_log_open(call->config, LOG_WARN, &err);
    if (st == DOCKET_OK) st = quantize_model(&report, &quantize, &stop, &err);
    int code;
    if (st == DOCKET_OK) {
        put_report(&out, &report, &quantize, v->json);
        code = tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    } else
        code = tool_fail(&err);
    buffer_free(&out);
    return code;
}

const struct tool tool_quantize = {
    .name = "quantize",
    .line = {.letter = 'q',
             .usage = "quantize --model NAME|DIR --format FORMAT --out DIR [--json]",
             .about = "write a model quantized, as a folder that loads without quantizing.",
             .options = options,
             .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct quantize_values),
    .run = run,
};
