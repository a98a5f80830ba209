/* What is planned for a GPU is what is taken of it, to the byte: models of every family in several formats, wherever their parts lie. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/load.h"
#include "worker/model/placement.h"

#include <stdio.h>

const struct kernels_backend *docket_cuda_backend(void);

#define FAMILIES "tests/golden/families/"
enum { CONTEXT = 64, TOKENS = 40, OWN = 1000, TEXT = 100, N_LOGITS = 16 };
enum way { ALL, EMBEDDING, EXPERTS, LAYERS, N_WAYS };
static const char *const way_names[] = {"all on the device", "embedding on the host", "experts on the host",
                                        "layers on the host"};

static const struct {
    const char *family, *quantization;
    enum kv_format kv;
    bool beside;
} models[] = {
    {"mixtral_stacked", "none", KV_F16, false},
    {"mixtral_stacked", "nf4", KV_Q8_0, true},
    {"mixtral_stacked", "int8", KV_F32, false},
    {"mixtral_stacked", "q4,head=int8", KV_Q4_0, false},
    {"mixtral_stacked", "nf4,embedding=int8", KV_F16, true},
    {"qwen3_moe_dense", "q2", KV_F16, false},
    {"qwen3_moe_steps", "nf4-plain", KV_Q8_0, true},
    {"olmoe", "fp4", KV_F32, false},
    {"gemma", "nf4", KV_F16, true},
    {"llama_linear", "q8", KV_Q8_0, false},
    {"mistral_window", "q1", KV_F16, false},
    {"mixtral_nf4", "none", KV_F16, false},
    {"llama_int8", "none", KV_F16, true},
    {"llama_f8", "nf4", KV_F16, false},
};

struct subject {
    struct model_config config;
    struct tensor_files *files;
    struct quantization quantization;
    struct device device, lower;
    struct plan_sizes sizes;
    bool has_int8;
};

static void open_gpu(struct subject *s, enum kernels_products products)
{
    const struct kernels_options options = {.n_workers = 1, .products = products};
    struct kernels_error error = {0};
    s->device = (struct device){.backend = docket_cuda_backend(), .lower = &s->lower};
    s->device.handle = s->device.backend->open(&options, &error);
    if (!s->device.handle) fail_msg("%s", error.message);
}

static void open_subject(struct subject *s, size_t m, enum kernels_products products)
{
    char folder[128], path[192];
    struct buffer text = {0};
    struct error err = {0};
    const struct device_options options = {.backend = "cpu", .n_threads = 1};
    *s = (struct subject){0};
    snprintf(folder, sizeof(folder), FAMILIES "%s", models[m].family);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
    enum status st = quantization_parse(&s->quantization, "QUANTIZATION", models[m].quantization, &err);
    if (st == DOCKET_OK) st = file_read_all(&text, path, &err);
    if (st == DOCKET_OK) st = model_config_parse(&s->config, text.data, text.length, &err);
    if (st == DOCKET_OK) st = tensor_files_open(&s->files, &place, &err);
    if (st == DOCKET_OK) st = device_open(&s->lower, &options, &err);
    open_gpu(s, products);
    if (st == DOCKET_OK)
        st = load_sizes(&s->sizes, &s->has_int8, &s->device, &s->config, s->files, &s->quantization, &err);
    if (st != DOCKET_OK) fail_msg("%s: %s", models[m].family, err.message);
    buffer_free(&text);
}

static void close_subject(struct subject *s)
{
    device_close(&s->device);
    device_close(&s->lower);
    tensor_files_close(s->files);
}

static struct kernels_memory memory_of(const struct subject *s)
{
    struct kernels_memory memory;
    s->device.backend->memory(s->device.handle, &memory);
    return memory;
}

/* A pass of a few tokens; what it says is of no interest here. */
static void compute(struct transformer *t, const struct subject *s)
{
    int32_t ids[TOKENS], positions[TOKENS];
    uint32_t slots[TOKENS];
    const uint32_t last = TOKENS - 1, output = 0;
    struct error err = {0};
    float logit;
    for (size_t i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)(i * 31 % s->config.vocab);
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = TOKENS, .own = {0, TOKENS, 0}};
    const struct kernels_batch_desc batch = {TOKENS, 1, ids, positions, slots, &sequence};
    enum status st = transformer_forward(t, &batch, &last, 1, NULL, &err);
    if (st == DOCKET_OK) st = transformer_gather_logits(t, &output, ids, 1, &logit, &err);
    if (st != DOCKET_OK) fail_msg("%s", err.message);
}

static enum way way_of(const struct placement_choice *c)
{
    return c->place.lower_layers ? LAYERS : c->n_host_experts ? EXPERTS : c->place.embedding_on_host ? EMBEDDING : ALL;
}

static void check(struct subject *s, size_t m, const struct placement_choice *c,
                  const struct transformer_limits *beside)
{
    struct transformer *t = NULL, *second = NULL;
    struct transformer_limits limits;
    struct model_weights weights = {0};
    struct load_report report;
    struct error err = {0};
    const struct engine_options options = {
        .max_tokens = CONTEXT, .max_rows = c->max_rows, .kv_slots = c->kv_slots, .kv_format = models[m].kv};
    const char *name = models[m].family, *way = way_names[way_of(c)];
    const uint64_t planned = c->weight_bytes + c->room_bytes + c->kv_bytes + c->scratch_bytes;
    engine_limits(&s->config, &options, &limits);
    s->device.placement = c->place;
    enum status st =
        load_weights(&weights, &report, &s->device, &s->config, s->files, &s->quantization, NULL, NULL, &err);
    if (st == DOCKET_OK) st = transformer_open(&t, &s->device, &s->config, &weights, &limits, &err);
    if (st == DOCKET_OK && beside) st = transformer_open(&second, &s->device, &s->config, &weights, beside, &err);
    if (st != DOCKET_OK) fail_msg("%s as %s, %s: %s", name, models[m].quantization, way, err.message);
    for (int i = 0; i < 2; i++) {
        const uint64_t used = memory_of(s).used_bytes;
        if (used != planned)
            fail_msg("%s as %s, %s%s: %llu bytes were planned, %llu are taken%s", name, models[m].quantization, way,
                     beside ? ", logits" : "", (unsigned long long)planned, (unsigned long long)used,
                     i ? " after a pass" : "");
        if (i) break;
        compute(t, s);
        if (second) compute(second, s);
    }
    const uint64_t peak = memory_of(s).peak_bytes;
    if (peak > c->device_bytes - c->own_bytes)
        fail_msg("%s as %s, %s: %llu bytes were to be enough, %llu were taken at a time", name, models[m].quantization,
                 way, (unsigned long long)(c->device_bytes - c->own_bytes), (unsigned long long)peak);
    transformer_close(second);
    transformer_close(t);
    model_weights_free(&weights, &s->device);
    s->device.backend->close(s->device.handle);
    open_gpu(s, KERNELS_PRODUCTS_AUTO); /* scratch never shrinks, and the peak is that of a device's life */
}

static void what_is_planned_is_taken(void **state)
{
    size_t seen[N_WAYS] = {0};
    (void)state;
    for (size_t m = 0; m < ARRAY_LENGTH(models); m++) {
        struct subject s;
        struct placement_choice c;
        struct error err;
        bool done[N_WAYS] = {false};
        open_subject(&s, m, KERNELS_PRODUCTS_AUTO);
        const struct transformer_limits beside = {
            .max_rows = 64, .max_sequences = 1, .kv_slots = CONTEXT, .max_outputs = 64, .kv_format = KERNELS_F32};
        struct placement_wish wish = {.device = &s.device,
                                      .config = &s.config,
                                      .sizes = &s.sizes,
                                      .kv = models[m].kv,
                                      .has_int8 = s.has_int8,
                                      .context = CONTEXT,
                                      .gpu_layers = PLACEMENT_AUTO_LAYERS,
                                      .budget_bytes = UINT64_C(1) << 40,
                                      .own_bytes = OWN,
                                      .beside = models[m].beside ? &beside : NULL};
        /* Each time a little less than before was taken: all ways come in their order, the first of each is tried. */
        for (; placement_choose(&c, &wish, &err) == DOCKET_OK; wish.budget_bytes = c.device_bytes - 1) {
            assert_true(c.device_bytes <= wish.budget_bytes);
            if (done[way_of(&c)] || (c.max_rows > 4096 && models[m].kv != KV_F16)) continue;
            done[way_of(&c)] = true;
            seen[way_of(&c)]++;
            check(&s, m, &c, wish.beside);
        }
        close_subject(&s);
    }
    for (size_t i = 0; i < N_WAYS; i++)
        if (seen[i] < 3) fail_msg("%s: seen %zu times", way_names[i], seen[i]);
}

/* One long text, as many tokens a pass as it takes; some logits of its last. */
static void read_text(struct subject *s, const struct model_weights *weights, size_t pass_tokens,
                      float logits[N_LOGITS])
{
    static int32_t ids[TEXT], positions[TEXT];
    static uint32_t slots[TEXT];
    int32_t tokens[N_LOGITS];
    uint32_t outputs[N_LOGITS] = {0};
    struct transformer *t = NULL;
    struct transformer_limits limits;
    struct error err = {0};
    const struct engine_options options = {.max_tokens = TEXT, .max_rows = pass_tokens, .kv_format = KV_F16};
    engine_limits(&s->config, &options, &limits);
    for (size_t i = 0; i < TEXT; i++) {
        ids[i] = (int32_t)(i * 31 % s->config.vocab);
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < N_LOGITS; i++) tokens[i] = (int32_t)(i * 7 % s->config.vocab);
    enum status st = transformer_open(&t, &s->device, &s->config, weights, &limits, &err);
    for (size_t at = 0; at < TEXT && st == DOCKET_OK; at += pass_tokens) {
        const size_t n = TEXT - at < pass_tokens ? TEXT - at : pass_tokens;
        const uint32_t last = (uint32_t)n - 1;
        const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)(at + n), 0}};
        const struct kernels_batch_desc batch = {n, 1, ids + at, positions + at, slots + at, &sequence};
        st = transformer_forward(t, &batch, &last, 1, NULL, &err);
    }
    if (st == DOCKET_OK) st = transformer_gather_logits(t, outputs, tokens, N_LOGITS, logits, &err);
    if (st != DOCKET_OK) fail_msg("passes of %zu: %s", pass_tokens, err.message);
    transformer_close(t);
}

/* So the plan may choose them by the memory that there is. */
static void how_many_tokens_a_pass_has_changes_no_bit(void **state)
{
    static const enum kernels_products regimes[] = {KERNELS_PRODUCTS_OWN, KERNELS_PRODUCTS_LIBRARY};
    static const size_t passes[] = {16384, 64, 37};
    static const size_t chosen[] = {1, 2}; /* of the models */
    (void)state;
    for (size_t r = 0; r < ARRAY_LENGTH(regimes); r++)
        for (size_t m = 0; m < ARRAY_LENGTH(chosen); m++) {
            struct subject s;
            struct model_weights weights = {0};
            struct load_report report;
            struct error err = {0};
            float want[N_LOGITS], got[N_LOGITS];
            open_subject(&s, chosen[m], regimes[r]);
            if (load_weights(&weights, &report, &s.device, &s.config, s.files, &s.quantization, NULL, NULL, &err) !=
                DOCKET_OK)
                fail_msg("%s", err.message);
            read_text(&s, &weights, passes[0], want);
            for (size_t i = 1; i < ARRAY_LENGTH(passes); i++) {
                read_text(&s, &weights, passes[i], got);
                if (memcmp(got, want, sizeof(want)))
                    fail_msg("%s as %s, regime %zu: passes of %zu give other bits", models[chosen[m]].family,
                             models[chosen[m]].quantization, r, passes[i]);
            }
            model_weights_free(&weights, &s.device);
            close_subject(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_planned_is_taken),
                                       cmocka_unit_test(how_many_tokens_a_pass_has_changes_no_bit)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
