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
enum { CONTEXT = 64, TOKENS = 40, OWN = 1000 };
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

static void open_gpu(struct subject *s)
{
    const struct kernels_options options = {.n_workers = 1, .products = KERNELS_PRODUCTS_AUTO};
    struct kernels_error error = {0};
    s->device = (struct device){.backend = docket_cuda_backend(), .lower = &s->lower};
    s->device.handle = s->device.backend->open(&options, &error);
    if (!s->device.handle) fail_msg("%s", error.message);
}

static void open_subject(struct subject *s, size_t m)
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
    open_gpu(s);
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
    open_gpu(s); /* scratch never shrinks, and the peak is that of a device's life */
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
        open_subject(&s, m);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_planned_is_taken)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
