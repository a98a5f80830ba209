/* Generation, token by token, through the forward pass: with steps that are recorded as CUDA graphs and without, the same bits; the number
 * of graphs stays small, one that cannot be made is done without, and nothing of them is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/load.h"
#include "worker/model/transformer.h"

const struct kernels_backend *docket_cuda_backend(void);
void emulation_fail_call(long n, int error);
void emulation_fail_instantiation(long n, int error);
long emulation_calls_made(void);
long emulation_kernels_queued(void);
long emulation_graphs_queued(void);
size_t emulation_live_allocations(void);

#define FAMILIES "tests/golden/families/"
enum { MOST_TOGETHER = 3, SLOTS = 96, MOST_ROWS = 120, ALL_LOGITS = 64 };
enum { OUT_OF_MEMORY = 2, INVALID_VALUE = 1, ILLEGAL_ADDRESS = 700 };

struct subject {
    struct model_config config;
    struct device device, lower;
    struct model_weights weights;
    struct transformer *transformer;
    float *logits; /* [MOST_TOGETHER, vocab] */
};

struct way {
    enum kernels_products products;
    struct placement where;
    bool no_graphs;
};

static void subject_open(struct subject *s, const char *family, const char *format, const struct way *way)
{
    char folder[128], path[192];
    struct buffer text = {0};
    struct error err = {0};
    struct kernels_error detail = {0};
    struct quantization quantization;
    struct tensor_files *files = NULL;
    struct load_report report;
    const struct kernels_options gpu = {.n_workers = 1, .products = way->products, .no_graphs = way->no_graphs};
    const struct device_options cpu = {.backend = "cpu", .n_threads = 1};
    const struct transformer_limits limits = {
        .max_rows = 64, .max_sequences = MOST_TOGETHER, .kv_slots = SLOTS, .max_outputs = 64, .kv_format = KERNELS_F16};
    *s = (struct subject){.device = {.backend = docket_cuda_backend(), .lower = &s->lower, .placement = way->where}};
    snprintf(folder, sizeof(folder), FAMILIES "%s", family);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
    enum status st = quantization_parse(&quantization, "QUANTIZATION", format, &err);
    if (st == DOCKET_OK) st = file_read_all(&text, path, &err);
    if (st == DOCKET_OK) st = model_config_parse(&s->config, text.data, text.length, &err);
    if (st == DOCKET_OK) st = tensor_files_open(&files, &place, &err);
    if (st == DOCKET_OK) st = device_open(&s->lower, &cpu, &err);
    assert_non_null(s->device.handle = s->device.backend->open(&gpu, &detail));
    if (st == DOCKET_OK)
        st = load_weights(&s->weights, &report, &s->device, &s->config, files, &quantization, NULL, NULL, &err);
    if (st == DOCKET_OK) st = transformer_open(&s->transformer, &s->device, &s->config, &s->weights, &limits, &err);
    if (st != DOCKET_OK) fail_msg("%s: %s", family, err.message);
    s->logits = mem_zalloc(MOST_TOGETHER * s->config.vocab, sizeof(float));
    assert_non_null(s->logits);
    tensor_files_close(files);
    buffer_free(&text);
}

static void subject_close(struct subject *s)
{
    transformer_close(s->transformer);
    model_weights_free(&s->weights, &s->device);
    s->device.backend->close(s->device.handle);
    device_close(&s->lower);
    mem_free(s->logits);
}

/* The next token of each of n sequences, whose number in the cache begins at `first`, behind `before` tokens; the greedy choice of the
 * logits comes next. */
static enum status step(struct subject *s, size_t n, size_t first, size_t before, int32_t tokens[MOST_TOGETHER],
                        struct error *err)
{
    int32_t positions[MOST_TOGETHER];
    uint32_t slots[MOST_TOGETHER], rows[MOST_TOGETHER];
    struct kernels_sequence sequences[MOST_TOGETHER];
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = (uint32_t)((first + i) % MOST_TOGETHER * (SLOTS / MOST_TOGETHER));
        positions[i] = (int32_t)before;
        slots[i] = at + (uint32_t)before;
        rows[i] = (uint32_t)i;
        sequences[i] =
            (struct kernels_sequence){.first_row = (uint32_t)i, .n_rows = 1, .own = {at, (uint32_t)before + 1, 0}};
    }
    const struct kernels_batch_desc batch = {n, n, tokens, positions, slots, sequences};
    enum status st = transformer_forward(s->transformer, &batch, rows, n, NULL, err);
    if (st == DOCKET_OK) st = transformer_all_logits(s->transformer, 0, n, s->logits, err);
    for (size_t i = 0; i < n && st == DOCKET_OK; i++)
        for (size_t t = 0; t < s->config.vocab; t++)
            if (t == 0 || s->logits[i * s->config.vocab + t] > s->logits[i * s->config.vocab + (size_t)tokens[i]])
                tokens[i] = (int32_t)t;
    return st;
}

/* One, then three, then one other sequence: each step's first logits are kept in out. Returns the number of steps. */
static size_t generate(struct subject *s, float *out)
{
    static const struct {
        size_t n, first, n_steps;
    } phases[] = {{1, 0, 7}, {3, 0, 6}, {1, 2, 5}};
    int32_t tokens[MOST_TOGETHER];
    struct error err = {0};
    size_t done = 0;
    for (size_t p = 0; p < ARRAY_LENGTH(phases); p++) {
        for (size_t i = 0; i < MOST_TOGETHER; i++) tokens[i] = (int32_t)(3 + 5 * i + p);
        for (size_t at = 0; at < phases[p].n_steps; at++, done++) {
            if (step(s, phases[p].n, phases[p].first, at, tokens, &err) != DOCKET_OK) fail_msg("%s", err.message);
            for (size_t i = 0; i < phases[p].n; i++)
                memcpy(out + (done * MOST_TOGETHER + i) * 4, s->logits + i * s->config.vocab, 4 * sizeof(*out));
        }
    }
    return done;
}

static struct kernels_description facts_of(const struct subject *s)
{
    struct kernels_description facts;
    s->device.backend->describe(s->device.handle, &facts);
    return facts;
}

/* Compute capability 9.0 and up: kernels of steps begin before the ones in front of them have ended. */
static bool begins_early(void)
{
    const char *cards = getenv("EMULATION_CARDS");
    return cards && atof(cards) >= 9;
}

static float *run(const char *family, const char *format, const struct way *way, struct kernels_description *facts)
{
    struct subject s;
    float *out = mem_zalloc(MOST_ROWS * MOST_TOGETHER * 4, sizeof(*out));
    assert_non_null(out);
    subject_open(&s, family, format, way);
    generate(&s, out);
    *facts = facts_of(&s);
    subject_close(&s);
    return out;
}

static const struct {
    const char *family, *format;
    enum kernels_products products;
} models[] = {{"mixtral_stacked", "nf4", KERNELS_PRODUCTS_OWN},
              {"mixtral_stacked", "int8", KERNELS_PRODUCTS_AUTO},
              {"llama2", "nf4", KERNELS_PRODUCTS_BY_ROWS},
              {"qwen3_moe_steps", "q4", KERNELS_PRODUCTS_OWN},
              {"gemma", "none", KERNELS_PRODUCTS_OWN}};

static void generation_has_the_same_bits_with_graphs_and_few_of_them(void **state)
{
    (void)state;
    for (size_t m = 0; m < ARRAY_LENGTH(models); m++) {
        struct kernels_description facts;
        struct way way = {.products = models[m].products, .no_graphs = true};
        float *want = run(models[m].family, models[m].format, &way, &facts);
        assert_int_equal(facts.steps_recorded, 0);
        way.no_graphs = false;
        float *got = run(models[m].family, models[m].format, &way, &facts);
        if (memcmp(want, got, MOST_ROWS * MOST_TOGETHER * 4 * sizeof(*want)))
            fail_msg("%s as %s: other bits with graphs", models[m].family, models[m].format);
        /* 18 steps of two shapes, each run once before it is recorded. */
        if (facts.steps_note[0] || facts.steps_recorded != 2 || facts.steps_replayed != 16)
            fail_msg("%s as %s: %llu recorded, %llu replayed: %s", models[m].family, models[m].format,
                     (unsigned long long)facts.steps_recorded, (unsigned long long)facts.steps_replayed,
                     facts.steps_note);
        assert_int_equal(facts.steps_early, begins_early() ? 2 : 0);
        mem_free(want);
        mem_free(got);
    }
    assert_int_equal(emulation_live_allocations(), 0);
}

static void a_recorded_step_is_one_launch(void **state)
{
    const struct way way = {.products = KERNELS_PRODUCTS_OWN};
    struct subject s;
    struct error err = {0};
    int32_t tokens[MOST_TOGETHER] = {5};
    long kernels[4], graphs[4];
    (void)state;
    subject_open(&s, "mixtral_stacked", "nf4", &way);
    for (size_t at = 0; at < 4; at++) {
        kernels[at] = emulation_kernels_queued(), graphs[at] = emulation_graphs_queued();
        assert_int_equal(step(&s, 1, 0, at, tokens, &err), DOCKET_OK);
        kernels[at] = emulation_kernels_queued() - kernels[at], graphs[at] = emulation_graphs_queued() - graphs[at];
    }
    assert_int_equal(graphs[0], 0);
    for (size_t at = 1; at < 4; at++) {
        assert_int_equal(graphs[at], 1);
        assert_int_equal(kernels[at], 1); /* the head's product */
    }
    print_message("[  NOTE    ] a step of %zu layers: %ld kernels, then a graph and one\n", s.config.n_layers,
                  kernels[0]);
    subject_close(&s);
}

/* A model whose queries, keys and values are one launch: its rows are whole blocks of codes. */
#define DEMO "../../demo_model/hub/models--docket--demo-mixtral/snapshots/27734e9657f3fe02024cc64d5cb501512d91b27b"

static void a_layer_of_a_row_is_nine_launches(void **state)
{
    const struct way way = {.products = KERNELS_PRODUCTS_OWN, .no_graphs = true};
    struct subject s;
    struct error err = {0};
    int32_t tokens[MOST_TOGETHER] = {5};
    (void)state;
    subject_open(&s, DEMO, "nf4", &way);
    long kernels = emulation_kernels_queued();
    assert_int_equal(step(&s, 1, 0, 0, tokens, &err), DOCKET_OK);
    kernels = emulation_kernels_queued() - kernels;
    /* Norm, projections, rotation, attention, output, norm, router, gate and up, down; the embedding, the last norm, the head. */
    assert_int_equal(kernels, 9 * (long)s.config.n_layers + 3);
    subject_close(&s);
}

static void where_the_host_has_a_say_steps_run_as_they_did(void **state)
{
    static const struct way ways[] = {
        {.products = KERNELS_PRODUCTS_LIBRARY},
        {.products = KERNELS_PRODUCTS_OWN, .where = {.embedding_on_host = true, .host_experts = 2, .expert_rooms = 2}},
        {.products = KERNELS_PRODUCTS_OWN, .where = {.lower_layers = 1}}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct kernels_description facts;
        mem_free(run("mixtral_stacked", "nf4", &ways[i], &facts));
        if (facts.steps_recorded || facts.steps_note[0]) fail_msg("way %zu: recorded: %s", i, facts.steps_note);
    }
}

static void an_instantiation_that_fails_is_survived_and_said(void **state)
{
    const struct way way = {.products = KERNELS_PRODUCTS_OWN};
    struct kernels_description facts;
    float *want = run("mixtral_stacked", "nf4", &way, &facts);
    (void)state;
    for (long n = 1; n <= 2; n++) {
        emulation_fail_instantiation(n, OUT_OF_MEMORY);
        float *got = run("mixtral_stacked", "nf4", &way, &facts);
        assert_memory_equal(got, want, MOST_ROWS * MOST_TOGETHER * 4 * sizeof(*want));
        /* What was to begin early is recorded once more, and nothing else so. */
        assert_int_equal(facts.steps_recorded, begins_early() ? 2 : 1);
        assert_int_equal(facts.steps_early, begins_early() ? n - 1 : 0);
        if (!strstr(facts.steps_note, "cudaGraphInstantiate: out of memory")) fail_msg("%s", facts.steps_note);
        mem_free(got);
    }
    emulation_fail_instantiation(0, 0);
    mem_free(want);
    assert_int_equal(emulation_live_allocations(), 0);
}

/* Every call of the second and of the third step: that which records, and that which does not. */
static void a_call_that_fails_in_a_step_changes_no_result(void **state)
{
    static const int errors[] = {OUT_OF_MEMORY, INVALID_VALUE, ILLEGAL_ADDRESS};
    const struct way way = {.products = KERNELS_PRODUCTS_OWN};
    float want[3][4];
    size_t survived = 0, reported = 0;
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* the host goes on behind a wait that failed, and frees what nothing has ordered */
#endif
    for (size_t which = 1; which < 3; which++)
        for (size_t e = 0; e < ARRAY_LENGTH(errors); e++) {
            long calls = 1;
            for (long n = 0; n <= calls; n += n ? calls / 12 + 1 : 1) {
                struct subject s;
                struct error err = {0};
                int32_t tokens[MOST_TOGETHER] = {5};
                subject_open(&s, "llama2", "nf4", &way);
                enum status st = DOCKET_OK;
                for (size_t at = 0; at < 3 && st == DOCKET_OK; at++) {
                    if (at == which) emulation_fail_call(n, errors[e]);
                    st = step(&s, 1, 0, at, tokens, &err);
                    if (at == which && n == 0) calls = emulation_calls_made();
                    if (n == 0) memcpy(want[at], s.logits, sizeof(want[at]));
                    if (n && st == DOCKET_OK && memcmp(want[at], s.logits, sizeof(want[at])))
                        fail_msg("step %zu, call %ld of %ld, error %d: other numbers", at, n, calls, errors[e]);
                }
                subject_close(&s);
                emulation_fail_call(0, 0);
                survived += st == DOCKET_OK, reported += st != DOCKET_OK;
                if (st != DOCKET_OK && !err.message[0]) fail_msg("a failure without a word");
                if (errors[e] == ILLEGAL_ADDRESS && st != DOCKET_OK && err.code != CODE_accelerator_lost)
                    fail_msg("call %ld: %s: %s", n, error_code_name(err.code), err.message);
                assert_int_equal(emulation_live_allocations(), 0);
            }
        }
    assert_true(survived > 6 && reported > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_has_the_same_bits_with_graphs_and_few_of_them),
        cmocka_unit_test(a_recorded_step_is_one_launch),
        cmocka_unit_test(a_layer_of_a_row_is_nine_launches),
        cmocka_unit_test(where_the_host_has_a_say_steps_run_as_they_did),
        cmocka_unit_test(an_instantiation_that_fails_is_survived_and_said),
        cmocka_unit_test(a_call_that_fails_in_a_step_changes_no_result),
    };
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
