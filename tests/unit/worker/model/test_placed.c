/* A model computes the same wherever its parts lie: the embedding, experts or whole layers on the host. On CPU tables, where every way is to
 * give the same bits; the models are those of tests/golden/families. */
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/expert_rooms.h"
#include "worker/model/load.h"
#include "worker/model/transformer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAMILIES "tests/golden/families/"
enum { TOKENS = 48, LONG = 40 }; /* a pass of LONG, then one token at a time */

static const struct {
    const char *family, *quantization;
} models[] = {{"mixtral_stacked", "none"}, {"mixtral_stacked", "nf4"}, {"mixtral_stacked", "int8,head=none"},
              {"qwen3_moe_dense", "q4"},   {"olmoe", "none"},          {"gemma", "none"},
              {"llama_linear", "nf4"}};

struct placed {
    struct model_config config;
    struct device device, lower;
    struct model_weights weights;
    struct expert_rooms_count count;
};

/* Logits of all tokens, first many at once, then one by one. */
static float *logits_of(struct placed *p, struct error *err)
{
    int32_t ids[TOKENS], positions[TOKENS];
    uint32_t slots[TOKENS], rows[TOKENS];
    struct transformer *t = NULL;
    size_t vocab = p->config.vocab;
    const struct transformer_limits limits = {
        .max_rows = LONG, .max_sequences = 1, .kv_slots = TOKENS, .max_outputs = LONG, .kv_format = KERNELS_F32};
    for (size_t i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)((i * 31 + 3) % vocab);
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)i;
        rows[i] = (uint32_t)i;
    }
    float *logits = mem_alloc(TOKENS * vocab * sizeof(float));
    assert_non_null(logits);
    enum status st = transformer_open(&t, &p->device, &p->config, &p->weights, &limits, err);
    for (size_t at = 0; at < TOKENS && st == DOCKET_OK;) {
        size_t n = at < LONG ? LONG : 1;
        const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)(at + n), 0}};
        const struct kernels_batch_desc batch = {n, 1, ids + at, positions + at, slots + at, &sequence};
        st = transformer_forward(t, &batch, rows, n, NULL, err);
        if (st == DOCKET_OK) st = transformer_all_logits(t, 0, n, logits + at * vocab, err);
        at += n;
    }
    if (t) transformer_experts(t, &p->count);
    transformer_close(t);
    if (st == DOCKET_OK) return logits;
    mem_free(logits);
    return NULL;
}

static float *run(struct placed *p, size_t model, const struct placement *where, struct error *err)
{
    char folder[128], path[192];
    struct quantization quantization;
    struct load_report report;
    struct tensor_files *files = NULL;
    struct buffer text = {0};
    const struct device_options options = {.backend = "cpu", .n_threads = 2};
    float *logits = NULL;
    *p = (struct placed){0};
    snprintf(folder, sizeof(folder), FAMILIES "%s", models[model].family);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
    enum status st = quantization_parse(&quantization, "QUANTIZATION", models[model].quantization, err);
    if (st == DOCKET_OK) st = file_read_all(&text, path, err);
    if (st == DOCKET_OK) st = model_config_parse(&p->config, text.data, text.length, err);
    if (st == DOCKET_OK) st = tensor_files_open(&files, &place, err);
    if (st == DOCKET_OK) st = device_open(&p->device, &options, err);
    if (st == DOCKET_OK) st = device_open(&p->lower, &options, err);
    p->device.lower = &p->lower;
    p->device.placement = *where;
    if (st == DOCKET_OK)
        st = load_weights(&p->weights, &report, &p->device, &p->config, files, &quantization, NULL, NULL, err);
    if (st == DOCKET_OK) logits = logits_of(p, err);
    if (p->device.backend) model_weights_free(&p->weights, &p->device);
    device_close(&p->device);
    device_close(&p->lower);
    tensor_files_close(files);
    buffer_free(&text);
    return logits;
}

static void wherever_the_parts_lie_the_logits_are_the_same(void **state)
{
    (void)state;
    for (size_t m = 0; m < ARRAY_LENGTH(models); m++) {
        struct placed p;
        struct error err = {0};
        float *want = run(&p, m, &(struct placement){0}, &err);
        if (!want) fail_msg("%s: %s", models[m].family, err.message);
        size_t layers = p.config.n_layers, experts = p.config.n_experts, vocab = p.config.vocab;
        const struct placement ways[] = {
            {.embedding_on_host = !p.config.tied_head},
            {.embedding_on_host = !p.config.tied_head, .host_experts = experts, .expert_rooms = 2 * experts},
            {.host_experts = experts, .expert_rooms = experts},
            {.host_experts = experts, .expert_rooms = experts * layers}, /* all of them stay once they are there */
            {.host_experts = experts / 2, .expert_rooms = experts},
            {.host_experts = experts, .expert_rooms = 1}, /* too few: the others are read where they lie */
            {.lower_layers = 1},
            {.lower_layers = layers - 1},
        };
        for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
            if (ways[i].host_experts > 0 && experts == 0) continue;
            float *got = run(&p, m, &ways[i], &err);
            if (!got) fail_msg("%s, way %zu: %s", models[m].family, i, err.message);
            if (memcmp(got, want, TOKENS * vocab * sizeof(float)))
                fail_msg("%s as %s, way %zu: other logits", models[m].family, models[m].quantization, i);
            mem_free(got);
            if (!ways[i].host_experts) continue;
            assert_true(p.count.used > 0 && p.count.used >= p.count.fetched);
            /* With room for all, each is copied once, ahead or not. */
            if (ways[i].expert_rooms == experts * layers)
                assert_true(p.count.fetched + p.count.ahead <= experts * layers);
            size_t mixed = 0; /* layers with experts */
            for (size_t l = 0; l < layers; l++) mixed += model_config_experts(&p.config, l) > 0;
            if (mixed > 1 &&
                ways[i].expert_rooms >= 2 * ways[i].host_experts) /* the next layer's are there when it begins */
                assert_true(p.count.ahead > 0 && p.count.fetched < p.count.used);
        }
        mem_free(want);
    }
}

static void no_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    struct placed p;
    struct error err = {0};
    const struct placement where = {.host_experts = 4, .expert_rooms = 4, .lower_layers = 1};
    float *got = run(&p, 0, &where, &err);
    assert_non_null(got);
    mem_free(got);
    for (size_t n = 1;; n += 7) {
        mem_fail_at(n, true);
        got = run(&p, 0, &where, &err);
        size_t made = mem_count();
        mem_fail_at(0, false);
        if (got) {
            assert_true(made < n);
            mem_free(got);
            return;
        }
        if (err.status != DOCKET_NO_MEMORY && err.status != DOCKET_NO_DEVICE_MEMORY)
            fail_msg("allocation %zu: %s", n, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wherever_the_parts_lie_the_logits_are_the_same),
                                       cmocka_unit_test(no_memory_at_any_point_is_reported)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
