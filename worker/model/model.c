/* model.c: opens a model from what lies on disk to an engine that scores, in the order in which mistakes are cheapest to find. */
#include "worker/model/model.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/kept_copy.h"
#include "worker/model/placement.h"
#include "worker/model/tokenizer_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES        (4 * MIB)
#define TEMPLATE_FILE       "chat_template.jinja"
#define DEFAULT_MAX_LEN     32768 /* tokens: what a key/value cache is planned for unless MAX_MODEL_LEN says more */
#define DEFAULT_UTILIZATION 0.90

/* The model's small files, read and understood. */
struct outline {
    struct model_location location;
    struct model_config config;
    struct tokenizer *tokenizer;
    enum chat_template chat;
    struct tensor_files *files;
    char *config_text;
    size_t config_length;
    char fingerprint[65];
};

static void outline_free(struct outline *o)
{
    tensor_files_close(o->files);
    tokenizer_close(o->tokenizer);
    model_location_free(&o->location);
    mem_free(o->config_text);
    *o = (struct outline){0};
}

/* The template stands in a file of its own or in tokenizer_config.json. One that is not known is told in the log; the prompt is then
 * plain text. */
static enum status recognise(struct outline *o, const char *tokenizer_config, size_t length, struct error *err)
{
    char *text = NULL;
    size_t text_length = 0;
    enum status st;
    o->chat = TEMPLATE_NONE;
    if (model_has_file(&o->location, TEMPLATE_FILE)) {
        st = model_read_file(&text, &text_length, &o->location, TEMPLATE_FILE, CONFIG_BYTES, err);
        if (st == DOCKET_OK) st = chat_template_recognise_text(&o->chat, text, text_length, err);
        mem_free(text);
    } else
        st = chat_template_recognise(&o->chat, tokenizer_config, length, err);
    if (st == DOCKET_OK) st = chat_template_check(o->chat, o->tokenizer, err);
    if (st != DOCKET_UNSUPPORTED) return st;
    log_event(LOG_WARN, EVENT_chat_template_unknown, F_STR("model", o->location.name), F_STR("reason", err->message),
              F_STR("used", chat_template_name(TEMPLATE_NONE)));
    *err = (struct error){0};
    o->chat = TEMPLATE_NONE;
    return DOCKET_OK;
}

static enum status read_template(struct outline *o, const char *wanted, struct error *err)
{
    char *text = NULL;
    size_t length = 0;
    enum status st = DOCKET_OK;
    if (model_has_file(&o->location, "tokenizer_config.json")) {
        st = model_read_file(&text, &length, &o->location, "tokenizer_config.json", CONFIG_BYTES, err);
        if (st == DOCKET_OK) st = chat_template_ends(o->tokenizer, text, length, err);
    }
    if (tokenizer_end(o->tokenizer) < 0 && o->config.n_eos > 0)
        tokenizer_name_ends(o->tokenizer, -1, o->config.eos_ids[0]);
    if (st == DOCKET_OK && wanted && strcmp(wanted, "auto") != 0) {
        if (!chat_template_by_name(wanted, &o->chat))
            st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "\"%.60s\" is no format that is known", wanted);
        if (st == DOCKET_OK) st = chat_template_check(o->chat, o->tokenizer, err);
        if (st != DOCKET_OK) error_prefix(err, "CHAT_TEMPLATE");
    } else if (st == DOCKET_OK)
        st = recognise(o, text, length, err);
    mem_free(text);
    return st;
}

static void make_fingerprint(struct outline *o, const struct model_options *options, const char *config,
                             const char *hash)
{
    struct buffer all = {0};
    char quantization[QUANTIZATION_NAME_BYTES];
    buffer_printf(&all, "%s\n%s\n%s %s\n%s\n%s", o->location.name, o->location.revision ? o->location.revision : "-",
                  quantization_name(&options->quantization, quantization), kv_format_name(options->kv_format), config,
                  hash);
    sha256_hex(all.data ? all.data : "", all.length, o->fingerprint);
    buffer_free(&all);
}

static enum status read_outline(struct outline *o, const struct model_options *options, struct error *err)
{
    char tokenizer_hash[65];
    enum status st = hub_locate(&o->location, &options->hub, err);
    if (st != DOCKET_OK) goto done;
    if ((st = model_read_file(&o->config_text, &o->config_length, &o->location, "config.json", CONFIG_BYTES, err)) !=
        DOCKET_OK)
        goto done;
    if ((st = model_config_parse(&o->config, o->config_text, o->config_length, err)) != DOCKET_OK) goto done;
    if ((st = tensor_files_open(&o->files, &o->location, err)) != DOCKET_OK) goto done;
    if ((st = tokenizer_open_file(&o->tokenizer, &o->location, tokenizer_hash, err)) != DOCKET_OK) goto done;
    if (tokenizer_vocab(o->tokenizer) > o->config.vocab) {
        st = fail(err, DOCKET_CORRUPT, CODE_tokenizer_unsupported,
                  "the tokenizer has ids up to %zu, config.json a vocab_size of %zu", tokenizer_vocab(o->tokenizer) - 1,
                  o->config.vocab);
        goto done;
    }
    if ((st = read_template(o, options->chat_template, err)) != DOCKET_OK) goto done;
    make_fingerprint(o, options, o->config_text, tokenizer_hash);
done:
    return st;
}

enum status model_check(const struct model_options *options, struct error *err)
{
    struct outline o = {0};
    enum status st = read_outline(&o, options, err);
    outline_free(&o);
    return st;
}

static enum status choose_length(size_t *out, const struct model_options *options, const struct model_config *config,
                                 struct error *err)
{
    if (options->max_model_len > config->max_position)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "MAX_MODEL_LEN: %zu is beyond the model's %zu positions",
                    options->max_model_len, config->max_position);
    *out = options->max_model_len                   ? options->max_model_len
           : config->max_position < DEFAULT_MAX_LEN ? config->max_position
                                                    : DEFAULT_MAX_LEN;
    return DOCKET_OK;
}

/* What the driver and the backend have taken of the card so far; where others have their share in it, the usual. */
static uint64_t taken_by_context(const struct kernels_memory *memory)
{
    uint64_t taken = memory->total_bytes - memory->free_bytes;
    return taken < 3 * PLACEMENT_CONTEXT_BYTES ? taken : PLACEMENT_CONTEXT_BYTES;
}

/* 16-bit forms that were asked for by name come before large passes, which they make up for. */
static enum status choose_placement(struct placement_choice *out, const struct placement_wish *wish,
                                    enum expand_mode expand, struct error *err)
{
    const uint64_t forms = expand_predict(wish->sizes);
    struct placement_wish beside_forms = *wish;
    struct error none;
    if (expand == EXPAND_ON && wish->budget_bytes > forms) {
        beside_forms.budget_bytes -= forms;
        if (placement_choose(out, &beside_forms, &none) == DOCKET_OK && out->place.lower_layers == 0 &&
            out->n_host_experts == 0)
            return DOCKET_OK;
    }
    return placement_choose(out, wish, err);
}

/* The GPU's: places what does not fit, and says how large passes and cache may be. */
static enum status plan_gpu(struct model *m, const struct placement_wish *wish, const struct model_options *options,
                            struct engine_options *engine, struct error *err)
{
    struct placement_choice c;
    enum status st = choose_placement(&c, wish, options->expand, err);
    if (st != DOCKET_OK) {
        error_prefix(err, "%s as %s", m->config.architecture, m->quantization_name);
        return st;
    }
    engine->max_rows = m->pass_tokens = c.max_rows;
    engine->kv_slots = m->kv_slots = c.kv_slots;
    m->device.placement = c.place;
    m->budget_bytes = wish->budget_bytes > c.own_bytes ? wish->budget_bytes - c.own_bytes : 0;
    m->planned_bytes = c.weight_bytes + c.room_bytes + c.kv_bytes + c.scratch_bytes;
    m->layers_on_gpu = m->config.n_layers - c.place.lower_layers;
    log_event(LOG_INFO, EVENT_memory_plan, F_U64("weights_bytes", c.weight_bytes), F_U64("kv_cache_bytes", c.kv_bytes),
              F_U64("scratch_bytes", c.scratch_bytes), F_U64("expert_rooms_bytes", c.room_bytes),
              F_U64("driver_bytes", c.own_bytes), F_U64("device_bytes", c.device_bytes),
              F_U64("budget_bytes", wish->budget_bytes), F_U64("host_bytes", c.host_bytes),
              F_BOOL("embedding_on_host", c.place.embedding_on_host), F_U64("experts_on_host", c.n_host_experts),
              F_U64("experts", wish->sizes->n_expert_places), F_U64("expert_rooms", c.place.expert_rooms),
              F_U64("layers_on_host", c.place.lower_layers), F_U64("layers", m->config.n_layers),
              F_U64("max_model_len", engine->max_tokens), F_U64("kv_slots", c.kv_slots),
              F_U64("pass_tokens", c.max_rows));
    if (options->expand == EXPAND_ON && c.device_bytes + expand_predict(wish->sizes) > wish->budget_bytes)
        return fail(err, DOCKET_NO_MEMORY, CODE_model_unavailable,
                    "EXPAND: want auto or off, got on: the 16-bit form needs %.2f GiB, %.2f of %.2f are taken",
                    (double)expand_predict(wish->sizes) / (double)GIB, (double)c.device_bytes / (double)GIB,
                    (double)wish->budget_bytes / (double)GIB);
    if (c.place.lower_layers == 0) return DOCKET_OK;
    struct device_options lower = options->device;
    lower.backend = "cpu";
    st = device_open(&m->lower, &lower, err);
    m->device.lower = &m->lower;
    return st;
}

enum { LOGITS_PIECE = 64 };

static struct transformer_limits logits_limits(size_t n_tokens)
{
    return (struct transformer_limits){.max_rows = LOGITS_PIECE,
                                       .max_sequences = 1,
                                       .kv_slots = n_tokens,
                                       .max_outputs = LOGITS_PIECE,
                                       .kv_format = KERNELS_F32};
}

/* A card of which nothing is known is taken for a small one. */
#define UNKNOWN_CARD_BYTES (8 * GIB)

static enum status plan_memory(struct model *m, const struct outline *o, const struct model_options *options,
                               struct engine_options *engine, struct error *err)
{
    const struct transformer_limits beside = logits_limits(options->logits_tokens);
    struct transformer_limits limits;
    struct plan_sizes sizes;
    struct kernels_description facts;
    struct kernels_memory memory;
    size_t total = 0, available = memory_available(&total);
    bool int8 = false;
    double utilization = options->memory_utilization > 0 ? options->memory_utilization : DEFAULT_UTILIZATION;
    m->device.backend->describe(m->device.handle, &facts);
    m->device.backend->memory(m->device.handle, &memory);
    quantization_name(&options->quantization, m->quantization_name);
    enum status st = load_sizes(&sizes, &int8, &m->device, &o->config, o->files, &options->quantization, err);
    if (st != DOCKET_OK) return st;
    m->config = o->config;
    if (facts.is_gpu) {
        uint64_t free_bytes = memory.free_bytes    ? memory.free_bytes
                              : memory.total_bytes ? memory.total_bytes / 2
                                                   : UNKNOWN_CARD_BYTES;
        uint64_t own = memory.free_bytes ? taken_by_context(&memory) : PLACEMENT_CONTEXT_BYTES;
        struct placement_wish wish = {.device = &m->device,
                                      .config = &o->config,
                                      .sizes = &sizes,
                                      .kv = m->kv_format,
                                      .has_int8 = int8,
                                      .context = engine->max_tokens,
                                      .gpu_layers = options->gpu_layers ? options->gpu_layers : PLACEMENT_AUTO_LAYERS,
                                      .own_bytes = own,
                                      .beside = options->logits_tokens ? &beside : NULL,
                                      .host_bytes = (uint64_t)((double)available * DEFAULT_UTILIZATION)};
        wish.budget_bytes = own + (uint64_t)((double)free_bytes * utilization);
        if (options->memory_budget) wish.budget_bytes = options->memory_budget;
        if (wish.budget_bytes > own + free_bytes) wish.budget_bytes = own + free_bytes;
        return plan_gpu(m, &wish, options, engine, err);
    }
    engine_limits(&o->config, engine, &limits);
    size_t weights = (size_t)sizes.bytes, pass = transformer_size(&m->device, &o->config, &limits);
    if (options->logits_tokens) pass += transformer_size(&m->device, &o->config, &beside);
    size_t budget = (size_t)((double)available * utilization);
    m->planned_bytes = weights + pass;
    m->budget_bytes = memory.used_bytes + budget;
    log_event(LOG_INFO, EVENT_memory_plan, F_U64("weights_bytes", weights), F_U64("kv_cache_and_scratch_bytes", pass),
              F_U64("budget_bytes", budget), F_U64("memory_available_bytes", available),
              F_U64("max_model_len", engine->max_tokens));
    if (m->planned_bytes <= budget) return DOCKET_OK;
    return fail(err, DOCKET_NO_MEMORY, CODE_model_unavailable,
                "%s as %s needs %.2f GiB (weights %.2f, cache and activations %.2f), %.2f GiB may be used (%.0f %% of "
                "the %.2f GiB that are free)",
                o->location.name, m->quantization_name, (double)m->planned_bytes / (double)GIB,
                (double)weights / (double)GIB, (double)pass / (double)GIB, (double)budget / (double)GIB,
                utilization * 100, (double)available / (double)GIB);
}

/* What was planned beside what was taken: the backend's count, and the driver's. */
static void log_memory_taken(const struct model *m, size_t free_before)
{
    struct kernels_description facts;
    struct kernels_memory now;
    m->device.backend->describe(m->device.handle, &facts);
    if (!facts.is_gpu) return;
    m->device.backend->memory(m->device.handle, &now);
    size_t planned = m->planned_bytes + m->expanded.bytes;
    double off = planned ? ((double)now.used_bytes / (double)planned - 1) * 100 : 0;
    log_event(LOG_INFO, EVENT_memory_taken, F_U64("planned_bytes", planned), F_U64("used_bytes", now.used_bytes),
              F_U64("peak_bytes", now.peak_bytes),
              F_U64("driver_bytes", free_before > now.free_bytes ? free_before - now.free_bytes : 0),
              F_U64("pinned_bytes", now.pinned_bytes), F_F64("off_percent", off));
}

static double rate(uint64_t bytes, double seconds)
{
    return seconds > 0 ? (double)bytes / 1e9 / seconds : 0;
}

static void log_loaded(const struct model *m, uint64_t start_ns)
{
    size_t resident = memory_resident(NULL), available = memory_available(NULL);
    const struct load_report *r = &m->load;
    struct kernels_description facts;
    m->device.backend->describe(m->device.handle, &facts);
    double device_rate = rate(r->bytes_read, r->device_seconds); /* a CPU copies nothing: what it did was quantizing */
    log_event(
        LOG_INFO, EVENT_model_loaded, F_STR("model", m->location.name),
        F_STR("revision", m->location.revision ? m->location.revision : "-"),
        F_STR("quantization", m->quantization_name), F_STR("source", m->from_kept_copy ? "kept_copy" : "hub_cache"),
        F_F64("load_seconds", clock_seconds_since(start_ns)), F_U64("read_bytes", r->bytes_read),
        F_F64("read_gigabytes_per_second", rate(r->bytes_read, r->seconds)),
        F_F64("disk_gigabytes_per_second", rate(r->bytes_read, r->read_seconds)),
        F_F64("copy_gigabytes_per_second", facts.is_gpu ? rate(r->copied.bytes, r->copied.seconds) : (double)NAN),
        F_F64("quantize_gigabytes_per_second",
              facts.is_gpu ? rate(r->quantized.bytes, r->quantized.seconds) : device_rate),
        F_F64("device_gigabytes_per_second", device_rate), F_U64("read_past_cache_bytes", r->direct_bytes),
        F_U64("weights_bytes", r->weight_bytes), F_U64("expanded_layers", m->expanded.n_layers),
        F_U64("expanded_bytes", m->expanded.bytes), F_STR("products", facts.is_gpu ? facts.products : "own kernels"),
        F_U64("memory_used_bytes", resident), F_U64("memory_free_bytes", available));
}

/* What the weights are, whoever quantized them: those of the first layer, and head and embedding. */
static struct quantization quantization_found(const struct model *m)
{
    bool lower = m->device.placement.lower_layers > 0;
    const struct kernels_weight *weights[N_MODEL_PARTS] = {[PART_FFN] = m->weights.layers[0].gate[0],
                                                           [PART_ATTENTION] = m->weights.layers[0].q,
                                                           [PART_HEAD] = m->weights.head,
                                                           [PART_EMBEDDING] = m->weights.embedding};
    struct quantization found = {0};
    for (unsigned i = 0; i < N_MODEL_PARTS; i++) {
        struct kernels_weight_desc desc;
        bool there = lower && (i == PART_EMBEDDING ? m->weights.embedding_is_lower : i != PART_HEAD);
        (there ? m->lower.backend : m->device.backend)->weight_describe(weights[i], &desc);
        if (i != PART_HEAD || m->weights.head != m->weights.embedding) found.part[i] = weight_format_of(desc.format);
    }
    return found;
}

static enum status load(struct model *m, const struct outline *o, const struct model_options *options,
                        const atomic_bool *stop, struct error *err)
{
    const struct kept_source_model source = {&o->location, &o->config, o->config_text, o->config_length, o->files};
    if (options->keep_copy && !model_config_is_stored_quantized(&o->config) &&
        !quantization_is_none(&options->quantization))
        return kept_copy_load(&m->weights, &m->load, &m->from_kept_copy, &m->device, &source, &options->quantization,
                              stop, err);
    return load_weights(&m->weights, &m->load, &m->device, &o->config, o->files, &options->quantization, NULL, stop,
                        err);
}

enum status model_open(struct model *out, const struct model_options *options, const atomic_bool *stop,
                       struct error *err)
{
    struct outline o = {0};
    struct model m = {.quantization = options->quantization, .kv_format = options->kv_format};
    struct engine_options engine = {0};
    uint64_t start = clock_now_ns();
    enum status st = read_outline(&o, options, err);
    if (st == DOCKET_OK) st = choose_length(&m.max_model_len, options, &o.config, err);
    if (st == DOCKET_OK) st = device_open(&m.device, &options->device, err);
    if (st != DOCKET_OK) goto failed;
    engine.max_tokens = m.max_model_len;
    engine.kv_format = m.kv_format;
    engine.safety = options->safety;
    struct kernels_memory before;
    m.device.backend->memory(m.device.handle, &before);
    if ((st = plan_memory(&m, &o, options, &engine, err)) != DOCKET_OK) goto failed;
    if ((st = load(&m, &o, options, stop, err)) != DOCKET_OK) goto failed;
    m.quantization = quantization_found(&m);
    quantization_name(&m.quantization, m.quantization_name);
    tensor_files_close(o.files);
    mem_free(o.config_text);
    *out = m;
    if (out->device.lower) out->device.lower = &out->lower;
    out->location = o.location;
    out->config = o.config;
    out->tokenizer = o.tokenizer;
    out->chat = o.chat;
    memcpy(out->fingerprint, o.fingerprint, sizeof(o.fingerprint));
    /* the engine borrows device, config and weights where they lie now */
    st = engine_open(&out->engine, &out->device, &out->config, &out->weights, &engine, err);
    if (st == DOCKET_OK)
        st = expand_weights(&out->expanded, options->expand, &out->device, &out->weights, out->budget_bytes, err);
    if (st != DOCKET_OK) {
        model_close(out);
        return st;
    }
    struct kernels_description facts;
    out->device.backend->describe(out->device.handle, &facts);
    out->load.copied = facts.copied;
    out->load.quantized = facts.quantized;
    log_memory_taken(out, before.free_bytes);
    log_loaded(out, start);
    return DOCKET_OK;
failed:
    model_weights_free(&m.weights, &m.device);
    device_close(&m.device);
    device_close(&m.lower);
    outline_free(&o);
    return st;
}

void model_close(struct model *m)
{
    engine_close(m->engine);
    if (m->device.backend) model_weights_free(&m->weights, &m->device);
    device_close(&m->device);
    device_close(&m->lower);
    tokenizer_close(m->tokenizer);
    model_location_free(&m->location);
    *m = (struct model){0};
}

enum status model_logits(struct model *m, const int32_t *ids, size_t n,
                         enum status (*sink)(void *context, const float *logits, size_t n_values), void *context,
                         struct error *err)
{
    enum { PIECE = LOGITS_PIECE };
    struct transformer *t = NULL;
    int32_t positions[PIECE];
    uint32_t slots[PIECE], rows[PIECE];
    const struct transformer_limits limits = logits_limits(n);
    if (n == 0 || n > m->max_model_len)
        return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%zu tokens, 1 to %zu are possible", n, m->max_model_len);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= m->config.vocab)
            return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "token %zu: %d is not in 0 to %zu", i + 1, ids[i],
                        m->config.vocab - 1);
    float *logits = mem_alloc(PIECE * m->config.vocab * sizeof(float));
    if (!logits) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for logits");
    enum status st = transformer_open(&t, &m->device, &m->config, &m->weights, &limits, err);
    for (size_t at = 0; at < n && st == DOCKET_OK; at += PIECE) {
        size_t count = n - at < PIECE ? n - at : PIECE;
        for (size_t i = 0; i < count; i++) {
            positions[i] = (int32_t)(at + i);
            slots[i] = (uint32_t)(at + i);
            rows[i] = (uint32_t)i;
        }
        const struct kernels_sequence sequence = {.n_rows = (uint32_t)count, .own = {0, (uint32_t)(at + count), 0}};
        const struct kernels_batch_desc batch = {.n_rows = count,
                                                 .n_sequences = 1,
                                                 .token_ids = ids + at,
                                                 .positions = positions,
                                                 .slots = slots,
                                                 .sequences = &sequence};
        st = transformer_forward(t, &batch, rows, count, NULL, err);
        if (st == DOCKET_OK) st = transformer_all_logits(t, 0, count, logits, err);
        if (st == DOCKET_OK) st = sink(context, logits, count * m->config.vocab);
    }
    transformer_close(t);
    mem_free(logits);
    return st;
}
