/* plan.c: docket plan: what a model would take and where it would lie, from its config.json alone. */
#include "handlers/tools/tools.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/base/size_text.h"
#include "worker/hub/download.h"
#include "worker/model/placement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define CONFIG_BYTES (4 * MIB)
#define MAX_ROWS     24

struct plan_values {
    const char *gpu_memory, *kv;
    uint64_t context;
    bool json;
};

#define OPTION_VALUES struct plan_values
static const struct option options[] = {
    OWN_OPTION(TEXT, gpu_memory, "--gpu-memory", "(not asked)", ANY, "SIZE",
               "memory of a device that all of it is to lie on: 24GiB, 80GB, 8192MiB"),
    OWN_OPTION(COUNT, context, "--context", "(several)", RANGE(1, 1073741824), "TOKENS", "one context size only"),
    OWN_OPTION(TEXT, kv, "--kv", "(KV_CACHE_FORMAT)", ANY, "FORMAT", "format of keys and values: f16, f32, q8_0, q4_0"),
    OWN_OPTION(SWITCH, json, "--json", "false", ANY, "", "one JSON document"),
};

/* config.json itself, a folder that holds it, or a model of the caches; weights need not be there. */
static enum status read_config(struct model_config *out, const struct config *c, struct error *err)
{
    struct stat facts;
    struct model_location location = {0};
    struct buffer text;
    char *json = NULL;
    size_t length = 0;
    enum status st;
    if (stat(c->model, &facts) == 0 && S_ISREG(facts.st_mode)) {
        buffer_init(&text, CONFIG_BYTES);
        st = file_read_all(&text, c->model, err);
        if (st == DOCKET_OK && !(json = buffer_take(&text, &length)))
            st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to read it", c->model);
        buffer_free(&text);
    } else {
        const struct hub_options where = {.model = hub_full_name(c->model),
                                          .revision = c->revision,
                                          .hub_cache = c->hub_cache,
                                          .hf_home = c->hf_home,
                                          .home = c->home};
        st = hub_locate(&location, &where, err);
        if (st == DOCKET_OK) st = model_read_file(&json, &length, &location, "config.json", CONFIG_BYTES, err);
    }
    if (st == DOCKET_OK) st = model_config_parse(out, json, length, err);
    mem_free(json);
    model_location_free(&location);
    return st;
}

struct row {
    struct plan_context context;
    bool fits;
    struct placement_choice place; /* only with a device */
    struct error why;              /* where it does not fit */
};
struct planned {
    const char *model;
    struct model_config config;
    struct quantization quantization;
    enum kv_format kv;
    struct plan_sizes sizes;
    uint64_t device_bytes; /* 0: not asked */
    struct row rows[MAX_ROWS];
    size_t n_rows;
};

static bool has_int8(const struct quantization *q)
{
    bool found = false;
    for (unsigned i = 0; i < N_MODEL_PARTS; i++) found |= i != PART_EMBEDDING && q->part[i] == QUANTIZE_INT8;
    return found;
}

static enum status add_row(struct planned *p, size_t context, struct error *err)
{
    struct row *row = &p->rows[p->n_rows];
    enum status st = plan_for_context(&row->context, &p->config, p->kv, context, err);
    if (st != DOCKET_OK) return st;
    const struct placement_wish wish = {.config = &p->config,
                                        .sizes = &p->sizes,
                                        .kv = p->kv,
                                        .has_int8 = has_int8(&p->quantization),
                                        .context = context,
                                        .gpu_layers = PLACEMENT_AUTO_LAYERS,
                                        .budget_bytes = p->device_bytes,
                                        .own_bytes = PLACEMENT_CONTEXT_BYTES};
    if (p->device_bytes) row->fits = placement_choose(&row->place, &wish, &row->why) == DOCKET_OK;
    p->n_rows++;
    return DOCKET_OK;
}

static enum status make_plan(struct planned *p, const struct tool_call *call, struct error *err)
{
    const struct plan_values *v = call->values;
    const struct config *c = call->config;
    const char *kv = v->kv ? v->kv : c->kv_cache_format;
    const char *name = c->set_by[SETTING_quantization];
    enum status st = quantization_parse(&p->quantization, name ? name : "QUANTIZATION", c->quantization, err);
    if (st != DOCKET_OK) return st;
    if (!kv_format_by_name(kv, &p->kv))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "--kv \"%.40s\": want f16, f32, q8_0 or q4_0", kv);
    if (v->gpu_memory && !size_text_read(&p->device_bytes, v->gpu_memory))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "--gpu-memory \"%.40s\": want a size such as 24GiB or 80GB",
                    v->gpu_memory);
    p->model = c->model;
    if ((st = read_config(&p->config, c, err)) != DOCKET_OK) return st;
    if ((st = plan_weights(&p->sizes, &p->config, &p->quantization, err)) != DOCKET_OK) return st;
    if (v->context) return add_row(p, (size_t)v->context, err);
    /* Below 8192 tokens an engine takes what it takes for 8192, unless the device is too small for that. */
    size_t most = p->config.max_position;
    for (size_t n = p->device_bytes ? 2048 : 8192; st == DOCKET_OK && n < most && p->n_rows + 1 < MAX_ROWS; n *= 2)
        st = add_row(p, n, err);
    return st == DOCKET_OK ? add_row(p, most, err) : st;
}

static void put_placement(struct json_writer *w, const struct planned *p, const struct row *row)
{
    const struct placement_choice *c = &row->place;
    json_put_bool(w, "fits", row->fits);
    if (!row->fits) {
        json_put_string(w, "reason", row->why.message);
        return;
    }
    json_put_u64(w, "device_bytes", c->device_bytes);
    json_put_u64(w, "device_driver_bytes", c->own_bytes);
    json_put_u64(w, "device_weights_bytes", c->weight_bytes);
    json_put_u64(w, "device_expert_rooms_bytes", c->room_bytes);
    json_put_u64(w, "device_kv_bytes", c->kv_bytes);
    json_put_u64(w, "device_scratch_bytes", c->scratch_bytes);
    json_put_u64(w, "spare_bytes", c->spare_bytes);
    json_put_u64(w, "host_bytes", c->host_bytes);
    json_put_u64(w, "pass_tokens", c->max_rows);
    json_put_u64(w, "device_kv_slots", c->kv_slots);
    json_put_bool(w, "embedding_on_host", c->place.embedding_on_host);
    json_put_u64(w, "experts_on_host", c->n_host_experts);
    json_put_u64(w, "experts", p->sizes.n_expert_places);
    json_put_u64(w, "expert_rooms", c->place.expert_rooms);
    json_put_u64(w, "layers_on_host", c->place.lower_layers);
}

static void put_json(struct buffer *out, const struct planned *p)
{
    char name[QUANTIZATION_NAME_BYTES];
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "model", p->model);
    json_put_string(&w, "architecture", p->config.architecture);
    json_put_string(&w, "quantization", quantization_name(&p->quantization, name));
    json_put_string(&w, "kv_cache_format", kv_format_name(p->kv));
    json_put_u64(&w, "parameters", p->sizes.parameters);
    json_put_u64(&w, "weights_bytes", p->sizes.bytes);
    json_begin_array(&w, "parts");
    for (int i = 0; i < N_PLAN_KINDS; i++) {
        const struct plan_part *part = &p->sizes.parts[i];
        if (part->parameters == 0) continue;
        json_begin_object(&w, NULL);
        json_put_string(&w, "part", plan_kind_name(i));
        json_put_string(&w, "format", weight_format_name(part->format));
        json_put_u64(&w, "parameters", part->parameters);
        json_put_u64(&w, "bytes", part->bytes);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_put_u64(&w, "kv_bytes_per_token", plan_kv_bytes_per_token(&p->config, p->kv));
    if (p->device_bytes) json_put_u64(&w, "gpu_memory_bytes", p->device_bytes);
    json_begin_array(&w, "contexts");
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct plan_context *c = &p->rows[i].context;
        json_begin_object(&w, NULL);
        json_put_u64(&w, "context", c->context);
        json_put_u64(&w, "kv_slots", c->kv_slots);
        json_put_u64(&w, "running_slots", c->running_slots);
        json_put_u64(&w, "kv_bytes", c->kv_bytes);
        json_put_u64(&w, "activation_bytes", c->activation_bytes);
        json_put_u64(&w, "total_bytes", p->sizes.bytes + c->kv_bytes + c->activation_bytes);
        if (p->device_bytes) put_placement(&w, p, &p->rows[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

/* GiB, or MiB for a small model. */
static double in(const struct planned *p, uint64_t bytes)
{
    return (double)bytes / (double)(p->sizes.bytes < GIB ? MIB : GIB);
}

static void put_where(struct buffer *out, const struct planned *p, const struct row *row)
{
    const struct placement_choice *c = &row->place;
    if (!row->fits) {
        buffer_printf(out, "  does not fit: at least %.2f %s lacking", in(p, c->lacking_bytes),
                      p->sizes.bytes < GIB ? "MiB" : "GiB");
        return;
    }
    buffer_printf(out, "  %8.2f  %7.2f  ", in(p, c->device_bytes), in(p, c->host_bytes));
    if (!c->host_bytes) buffer_printf(out, "all on the device, %.2f spare", in(p, c->spare_bytes));
    if (c->place.embedding_on_host) buffer_append_str(out, c->n_host_experts ? "embedding, " : "embedding");
    if (c->n_host_experts)
        buffer_printf(out, "%zu of %llu experts", c->n_host_experts, (unsigned long long)p->sizes.n_expert_places);
    if (c->place.lower_layers) buffer_printf(out, "%zu of %zu layers", c->place.lower_layers, p->config.n_layers);
    if (c->host_bytes) buffer_append_str(out, " on the host");
    buffer_printf(out, "; passes of %zu, %zu slots", c->max_rows, c->kv_slots);
}

static void put_table(struct buffer *out, const struct planned *p)
{
    char name[QUANTIZATION_NAME_BYTES];
    const char *unit = p->sizes.bytes < GIB ? "MiB" : "GiB";
    buffer_append_str(out, "Model     ");
    tool_put_clean(out, p->model);
    buffer_printf(out, " (%s), %.1f million parameters\nWeights   %s: %.2f %s\n", p->config.architecture,
                  (double)p->sizes.parameters / 1e6, quantization_name(&p->quantization, name), in(p, p->sizes.bytes),
                  unit);
    for (int i = 0; i < N_PLAN_KINDS; i++) {
        const struct plan_part *part = &p->sizes.parts[i];
        if (part->parameters)
            buffer_printf(out, "          %-13s %-10s %8.2f %s %10.1f million\n", plan_kind_name(i),
                          part->format == QUANTIZE_NONE ? "16 bits" : weight_format_name(part->format),
                          in(p, part->bytes), unit, (double)part->parameters / 1e6);
    }
    buffer_printf(out, "Cache     %s: %llu bytes a token\n\n", kv_format_name(p->kv),
                  (unsigned long long)plan_kv_bytes_per_token(&p->config, p->kv));
    buffer_printf(out, "%s%10s %10s %8s %12s %8s%s\n", unit, "context", "weights", "cache", "activations", "total",
                  p->device_bytes ? "    device     host  left to the host" : "");
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct plan_context *c = &p->rows[i].context;
        buffer_printf(out, "%13zu %10.2f %8.2f %12.2f %8.2f", c->context, in(p, p->sizes.bytes), in(p, c->kv_bytes),
                      in(p, c->activation_bytes), in(p, p->sizes.bytes + c->kv_bytes + c->activation_bytes));
        if (p->device_bytes) put_where(out, p, &p->rows[i]);
        buffer_append_char(out, '\n');
    }
    if (p->device_bytes)
        buffer_printf(out, "\nA device of %.2f %s, %.2f of them for what its driver takes for itself.\n",
                      in(p, p->device_bytes), unit, in(p, PLACEMENT_CONTEXT_BYTES));
}

static int run(const struct tool_call *call)
{
    const struct plan_values *v = call->values;
    struct planned plan = {0};
    struct buffer out = {0};
    struct error err = {0};
    if (call->n_arguments) return tool_usage("plan: \"%.60s\" is one word too many", call->arguments[0]);
    if (!call->config->model) return tool_usage("no model: set MODEL_NAME or --model");
    enum status st = make_plan(&plan, call, &err);
    if (st == DOCKET_OK) (v->json ? put_json : put_table)(&out, &plan);
    if (st == DOCKET_OK) st = buffer_check(&out, "the plan", &err);
    int code = st != DOCKET_OK ? tool_fail(&err) : tool_print(&out) ? 0 : DOCKET_EXIT_IO;
    buffer_free(&out);
    return code;
}

const struct tool tool_plan = {
    .name = "plan",
    .line =
        {.letter = 'p',
         .usage = "plan --model NAME|DIR|config.json [--gpu-memory SIZE] [flags]",
         .about =
             "memory that a model would take, by context size, without loading it.\n\n"
             "Sizes are those of the formats themselves; weights that are not quantized count 16 bits. The cache is\n"
             "the one that a worker takes for prompts of that length. With --gpu-memory also how a worker places the\n"
             "model on a device of that size, driver, scratch and cache counted: passes and cache become smaller "
             "first,\n"
             "then the embedding is left to the host, then experts, which are copied when they are used, then layers,\n"
             "which the CPU computes.",
         .options = options,
         .n_options = ARRAY_LENGTH(options)},
    .values_bytes = sizeof(struct plan_values),
    .run = run,
};
