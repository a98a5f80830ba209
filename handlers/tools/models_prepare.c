/* models_prepare.c: docket models prepare: models by name → ready to be loaded as a worker loads them: fetched, proven, quantized,
 * and seen to compute. A model that fails is told with the step that failed; the others go on. */
#include "handlers/tools/models.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/hub/inventory.h"
#include "worker/model/kept_copy.h"
#include "worker/model/quantize.h"
#include "worker/model/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum step { STEP_NAME, STEP_FETCH, STEP_VERIFY, STEP_QUANTIZE, STEP_VALIDATE };
static const char *const step_names[] = {"name", "fetch", "verify", "quantize", "validate"};

enum outcome { AS_STORED, WAS_THERE, MADE };
static const char *const outcome_names[] = {"as_stored", "there", "made"};

/* One model, and what came of it. {0} is valid and freeable. */
struct prepared {
    const char *asked;
    char *model, *revision; /* as the user meant; NULL: main */
    char *made;             /* the kept copy or the folder; NULL: as stored */
    struct model_location location;
    bool fetched;
    uint64_t network_bytes;
    enum outcome outcome;
    char quantization[QUANTIZATION_NAME_BYTES]; /* what the weights are */
    uint64_t weight_bytes;
    struct validate_kernel kernel;
    double seconds;
    enum step step; /* the last that was begun */
    enum status status;
    struct error error;
};

struct preparing {
    const struct tool_call *call;
    struct model_options options; /* of all models */
    const char *out;
};

static void prepared_free(struct prepared *p)
{
    model_location_free(&p->location);
    mem_free(p->model);
    mem_free(p->revision);
    mem_free(p->made);
}

static void options_of(const struct preparing *all, const struct prepared *p, struct model_options *out)
{
    *out = all->options;
    out->hub.model = p->model;
    out->hub.revision = p->revision;
}

static void on_file(void *context, const struct verify_file *file)
{
    (void)context;
    (void)file; /* the first that is bad comes back as the error */
}

/* What is there is proven by its checksums, as a fetch proves what it brings. */
static enum status bring(struct prepared *p, const struct preparing *all, struct error *err)
{
    struct model_options options;
    struct models_fetched got = {0};
    options_of(all, p, &options);
    p->step = STEP_FETCH;
    enum status st = model_check(&options, err);
    if (st == DOCKET_NOT_FOUND) {
        st = models_fetch_one(&got, all->call, p->model, p->revision, err);
        p->fetched = st == DOCKET_OK;
        p->network_bytes = got.facts.network_bytes;
        mem_free(got.folder);
        if (st == DOCKET_OK) st = model_check(&options, err);
    }
    if (st == DOCKET_OK) st = hub_locate(&p->location, &options.hub, err);
    if (st == DOCKET_OK && (!p->fetched || got.facts.n_fetched < got.facts.n_files)) {
        p->step = STEP_VERIFY;
        st = inventory_verify(&p->location, on_file, NULL, &models_stop, err);
    }
    return st;
}

/* "DIR/org--name-0123456789ab-nf4": another revision or format is another folder, so that one that is there is the right one. */
static char *folder_for(const struct preparing *all, const struct prepared *p)
{
    char name[QUANTIZATION_NAME_BYTES];
    struct buffer path = {0};
    const char *from = p->model;
    if (p->model[0] == '/' || p->model[0] == '.') { /* a folder: its last part */
        size_t end = strlen(from);
        while (end > 1 && from[end - 1] == '/') end--;
        size_t begin = end;
        while (begin > 0 && from[begin - 1] != '/') begin--;
        buffer_printf(&path, "%s/%.*s", all->out, (int)(end - begin), from + begin);
    } else {
        buffer_printf(&path, "%s/", all->out);
        for (; *from; from++) buffer_append_str(&path, *from == '/' ? "--" : (char[]){*from, '\0'});
    }
    buffer_printf(&path, "-%.12s-%s", p->location.revision ? p->location.revision : "folder",
                  quantization_name(&all->options.quantization, name));
    char *text = path.failed ? NULL : str_dup_n(path.data, path.length);
    buffer_free(&path);
    return text;
}

static enum status make_folder(struct prepared *p, const struct preparing *all, struct error *err)
{
    struct model_options model;
    struct quantize_report report;
    struct stat facts;
    options_of(all, p, &model);
    const struct quantize_options quantize = {
        .hub = model.hub, .device = model.device, .quantization = model.quantization, .out = p->made};
    enum status st = file_make_folder(all->out, err);
    if (st != DOCKET_OK) return st;
    /* A folder that is there is whole; of a plain folder as source nobody knows which state it was made of. */
    if (p->location.revision && stat(p->made, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        p->outcome = WAS_THERE;
        return DOCKET_OK;
    }
    p->outcome = MADE;
    return quantize_model(&report, &quantize, &models_stop, err);
}

/* Opens what a worker would open: the copy, made now if it was not there, or the folder. */
static enum status quantize(struct prepared *p, const struct preparing *all, bool stored, struct model *model,
                            struct error *err)
{
    struct model_options options;
    enum status st = DOCKET_OK;
    options_of(all, p, &options);
    bool wanted = !stored && !quantization_is_none(&options.quantization), folder = wanted && all->out;
    p->step = wanted ? STEP_QUANTIZE : STEP_VALIDATE;
    if (wanted && !(p->made = folder ? folder_for(all, p) : kept_copy_path(&p->location, &options.quantization)))
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a path");
    if (folder) st = make_folder(p, all, err);
    if (folder)
        options.hub.model = p->made, options.hub.revision = NULL, options.quantization = (struct quantization){0};
    options.keep_copy = wanted && !folder;
    if (st == DOCKET_OK) st = model_open(model, &options, &models_stop, err);
    if (st != DOCKET_OK || !options.keep_copy) return st;
    p->outcome = model->from_kept_copy ? WAS_THERE : MADE;
    if (model->from_kept_copy) return DOCKET_OK;
    /* A copy that cannot be written or read costs a worker a warning. Here it is the purpose. */
    model_close(model);
    st = model_open(model, &options, &models_stop, err);
    if (st == DOCKET_OK && !model->from_kept_copy)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: the copy was not left there; the log says why (event kept_copy)",
                  p->made);
    return st;
}

/* Its products are as exact as its format allows, and a text gives finite numbers. */
static enum status validate(struct prepared *p, struct model *model, struct error *err)
{
    struct validate_run run = {0};
    p->step = STEP_VALIDATE;
    memcpy(p->quantization, model->quantization_name, sizeof(p->quantization));
    p->weight_bytes = model->load.weight_bytes;
    enum status st = validate_kernels(&p->kernel, model, err);
    if (st == DOCKET_OK && !(p->kernel.worst <= 1))
        st = fail(err, DOCKET_INTERNAL, CODE_NONE,
                  "products are off by %.3f of what rounding allows (docket validate says more)", p->kernel.worst);
    if (st == DOCKET_OK) st = validate_run(&run, model, model->kv_format, err);
    for (size_t i = 0; st == DOCKET_OK && i < run.n_tokens * run.vocab; i++)
        if (!isfinite(run.logits[i]))
            st = fail(err, DOCKET_CORRUPT, CODE_model_tensor_invalid,
                      "the logit of token %zu behind token %zu is %g: the weights cannot be right", i % run.vocab,
                      i / run.vocab, (double)run.logits[i]);
    validate_run_free(&run);
    return st;
}

/* Quantized by whoever published it: then there is nothing to do. */
static enum status is_stored_quantized(bool *out, const struct model_location *location, struct error *err)
{
    struct model_config config;
    char *text = NULL;
    size_t length = 0;
    enum status st = model_read_file(&text, &length, location, "config.json", 4 * MIB, err);
    if (st == DOCKET_OK) st = model_config_parse(&config, text, length, err);
    if (st == DOCKET_OK) *out = model_config_is_stored_quantized(&config);
    mem_free(text);
    return st;
}

static void prepare(struct prepared *p, const struct preparing *all)
{
    struct error *err = &p->error;
    struct model model = {0};
    uint64_t start = clock_now_ns();
    bool stored = false;
    enum status st = atomic_load(&models_stop) ? fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped") : DOCKET_OK;
    if (st == DOCKET_OK) st = models_name(&p->model, &p->revision, all->call, p->asked, err);
    if (st == DOCKET_OK) st = bring(p, all, err);
    if (st == DOCKET_OK) st = is_stored_quantized(&stored, &p->location, err);
    if (st == DOCKET_OK) st = quantize(p, all, stored, &model, err);
    if (st == DOCKET_OK) st = validate(p, &model, err);
    model_close(&model);
    p->status = st;
    p->seconds = clock_seconds_since(start);
}

static void put_line(struct buffer *out, const struct prepared *p)
{
    char size[32], network[32];
    tool_put_clean(out, p->model ? p->model : p->asked);
    if (p->status != DOCKET_OK) {
        buffer_printf(out, "  FAILED at %s: %s%s", step_names[p->step],
                      p->error.code != CODE_NONE ? error_code_name(p->error.code) : "",
                      p->error.code != CODE_NONE ? ": " : "");
        tool_put_clean(out, p->error.message);
    } else {
        buffer_printf(out, "  ready as %s, %s", p->quantization, models_size(size, p->weight_bytes));
        buffer_printf(out, "; %s%s", p->fetched ? "fetched " : "was here",
                      p->fetched ? models_size(network, p->network_bytes) : "");
        if (p->made) {
            buffer_printf(out, "; %s ", p->outcome == MADE ? "made" : "found");
            tool_put_clean(out, p->made);
        }
        buffer_printf(out, "; products within %.2f of the limit; %.1f s", p->kernel.worst, p->seconds);
    }
    buffer_append_char(out, '\n');
}

static void put_json(struct json_writer *w, const struct prepared *p)
{
    bool ready = p->status == DOCKET_OK;
    json_begin_object(w, NULL);
    json_put_string(w, "asked", p->asked);
    json_put_string(w, "model", p->model);
    json_put_bool(w, "ready", ready);
    json_put_string(w, "commit", p->location.revision);
    json_put_string(w, "folder", p->location.folder);
    json_put_bool(w, "fetched", p->fetched);
    json_put_u64(w, "network_bytes", p->network_bytes);
    json_put_string(w, "quantization", ready ? p->quantization : NULL);
    json_put_string(w, "quantized", ready ? outcome_names[p->outcome] : NULL);
    json_put_string(w, "quantized_folder", ready ? p->made : NULL);
    if (ready) {
        json_put_u64(w, "weight_bytes", p->weight_bytes);
        json_put_u64(w, "matrices", p->kernel.n_matrices);
        json_put_double(w, "worst_share_of_limit", p->kernel.worst);
        json_put_double(w, "relative_l2", p->kernel.relative);
    }
    json_put_double(w, "seconds", p->seconds);
    json_put_string(w, "failed_step", ready ? NULL : step_names[p->step]);
    json_put_string(w, "code", !ready && p->error.code != CODE_NONE ? error_code_name(p->error.code) : NULL);
    json_put_string(w, "error", ready ? NULL : p->error.message);
    json_end_object(w);
}

/* A line as soon as it is known: a model may take an hour. */
static bool show(struct buffer *out, struct json_writer *w, bool json, const struct prepared *p)
{
    if (json) {
        put_json(w, p);
        return true;
    }
    put_line(out, p);
    bool printed = !out->failed && tool_print(out);
    buffer_free(out);
    return printed;
}

static int run_all(const struct preparing *all, size_t n)
{
    const struct models_values *v = all->call->values;
    struct buffer out = {0};
    struct json_writer w = {.out = &out, .spaced = true};
    size_t n_ready = 0;
    bool printed = true;
    if (v->json) {
        json_begin_object(&w, NULL);
        json_begin_array(&w, "models");
    }
    for (size_t i = 0; i < n && printed; i++) {
        struct prepared one = {.asked = v->all ? hub_short_name(i) : all->call->arguments[i]};
        prepare(&one, all);
        n_ready += one.status == DOCKET_OK;
        printed = show(&out, &w, v->json, &one);
        prepared_free(&one);
    }
    if (v->json) {
        json_end_array(&w);
        json_put_u64(&w, "ready", n_ready);
        json_put_u64(&w, "failed", n - n_ready);
        json_end_object(&w);
        buffer_append_char(&out, '\n');
    } else
        buffer_printf(&out, "%zu of %zu models ready\n", n_ready, n);
    printed = printed && !out.failed && tool_print(&out);
    buffer_free(&out);
    return !printed ? DOCKET_EXIT_IO : n_ready == n ? 0 : DOCKET_EXIT_UNHEALTHY;
}

int models_prepare(const struct tool_call *call)
{
    const struct models_values *v = call->values;
    struct preparing all = {.call = call, .out = v->out};
    struct error err = {0};
    size_t n = call->n_arguments;
    if (v->all && n) return tool_usage("models prepare: want models or --all, not both");
    while (v->all && hub_short_name(n)) n++;
    if (n == 0) return tool_usage("models prepare: want one model or more, or --all");
    enum status st = tool_model_options(call->config, &all.options, &err);
    if (st == DOCKET_OK && v->format) st = quantization_parse(&all.options.quantization, "--format", v->format, &err);
    if (st != DOCKET_OK) return tool_fail(&err);
    if (v->out && quantization_is_none(&all.options.quantization))
        return tool_usage("models prepare: --out needs --format, and not none");
    models_catch_signals();
    return run_all(&all, n);
}
