/* A synthetic model has the weights that its shape asks for, in the formats that were asked for; its activations are finite; what is
 * predicted is what it takes; and no memory is a refusal that leaves nothing behind. */
#include "worker/model/synthetic.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/model/load.h"
#include "worker/model/plan.h"
#include "worker/model/transformer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 24 };

static struct quantization quantization_of_text(const char *text)
{
    struct quantization q;
    struct error err = {0};
    if (quantization_parse(&q, "QUANTIZATION", text, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return q;
}

static void open_device(struct device *device, const char *backend)
{
    const struct device_options options = {.backend = backend, .n_threads = 2};
    struct error err = {0};
    if (device_open(device, &options, &err) != DOCKET_OK) fail_msg("%s", err.message);
}

static void forward(const struct device *device, const struct model_config *config, const struct model_weights *weights,
                    const char *what)
{
    const struct transformer_limits limits = {
        .max_rows = ROWS, .max_sequences = 1, .kv_slots = ROWS, .max_outputs = ROWS, .kv_format = KERNELS_F16};
    int32_t ids[ROWS], positions[ROWS];
    uint32_t slots[ROWS], rows[ROWS];
    struct transformer *t = NULL;
    struct error err = {0};
    float *logits = mem_alloc(ROWS * config->vocab * sizeof(float));
    double squares = 0;
    assert_non_null(logits);
    for (size_t i = 0; i < ROWS; i++) {
        ids[i] = (int32_t)(i * 37 % config->vocab);
        positions[i] = (int32_t)i;
        slots[i] = rows[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = ROWS, .own = {0, ROWS, 0}};
    const struct kernels_batch_desc batch = {ROWS, 1, ids, positions, slots, &sequence};
    if (transformer_open(&t, device, config, weights, &limits, &err) != DOCKET_OK ||
        transformer_forward(t, &batch, rows, ROWS, NULL, &err) != DOCKET_OK ||
        transformer_all_logits(t, 0, ROWS, logits, &err) != DOCKET_OK)
        fail_msg("%s: %s", what, err.message);
    for (size_t i = 0; i < ROWS * config->vocab; i++) {
        if (!isfinite(logits[i]) || fabsf(logits[i]) > 1e3f)
            fail_msg("%s: logit %zu is %g", what, i, (double)logits[i]);
        squares += (double)logits[i] * logits[i];
    }
    if (!(squares > 0.01 * ROWS * (double)config->vocab)) fail_msg("%s: logits say nothing: %g", what, squares);
    transformer_close(t);
    mem_free(logits);
}

static void every_format_and_family_is_finite_and_as_large_as_predicted(void **state)
{
    static const char *const formats[] = {"none", "nf4", "nf4-plain", "fp4", "int8",
                                          "q8",   "q4",  "q2",        "q1",  "nf4,head=q8,embedding=nf4"};
    /* Gemma's and Qwen's features on small numbers; 96 columns are no multiple of 64, 1 layer is the least. */
    static const struct {
        const char *name;
        size_t layers, dim, ffn, vocab, experts;
    } shapes[] = {{"tiny", 0, 128, 192, 512, 4},
                  {"tiny", 1, 96, 72, 70, 3},
                  {"gemma-2b", 2, 256, 512, 300, 0},
                  {"qwen3-30b-a3b", 2, 128, 64, 257, 16},
                  {"olmoe-1b-7b", 2, 2048, 64, 300, 12}};
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        struct device device = {0};
        open_device(&device, d ? "reference" : "cpu");
        for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++)
            for (size_t f = 0; f < (d ? 2 : ARRAY_LENGTH(formats)); f++) {
                struct quantization q = quantization_of_text(formats[f]);
                struct model_config config;
                struct model_weights weights = {0};
                struct kernels_memory before, after;
                struct error err = {0};
                size_t predicted = 0;
                char what[80];
                snprintf(what, sizeof(what), "%s %s %s", device.backend->name, shapes[s].name, formats[f]);
                assert_int_equal(synthetic_config(&config, shapes[s].name, shapes[s].layers, &err), DOCKET_OK);
                config.dim = shapes[s].dim;
                config.ffn_dim = shapes[s].ffn;
                config.vocab = shapes[s].vocab;
                config.n_experts = shapes[s].experts;
                device.backend->memory(device.handle, &before);
                if (synthetic_predict(&predicted, &device, &config, &q, &err) != DOCKET_OK ||
                    synthetic_weights(&weights, &device, &config, &q, NULL, &err) != DOCKET_OK)
                    fail_msg("%s: %s", what, err.message);
                device.backend->memory(device.handle, &after);
                if (after.used_bytes - before.used_bytes < predicted ||
                    after.used_bytes - before.used_bytes > predicted + predicted / 4 + 200000)
                    fail_msg("%s: predicted %zu, took %zu", what, predicted, after.used_bytes - before.used_bytes);
                assert_true((weights.head == weights.embedding) == config.tied_head);
                if (d == 0 || s != 4) forward(&device, &config, &weights, what);
                model_weights_free(&weights, &device);
            }
        device_close(&device);
    }
}

/* Billions of parameters of the real ones, all and those that a token meets, to the digits that are known of them. */
static void shapes_have_as_many_parameters_as_the_real_ones(void **state)
{
    static const struct {
        const char *name, *parameters;
    } known[] = {{"tinyllama", "1.10"},      {"llama2-7b", "6.74"},       {"llama3-8b", "8.03"}, {"mistral-7b", "7.24"},
                 {"mixtral-8x7b", "46.70"},  {"mixtral-8x22b", "140.63"}, {"gemma-2b", "2.51"},  {"gemma-7b", "8.54"},
                 {"qwen3-30b-a3b", "30.53"}, {"olmoe-1b-7b", "6.92"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        struct quantization none = {0};
        struct model_config config;
        struct plan_sizes sizes;
        struct error err = {0};
        char found[32];
        assert_int_equal(synthetic_config(&config, known[i].name, 0, &err), DOCKET_OK);
        assert_int_equal(plan_weights(&sizes, &config, &none, &err), DOCKET_OK);
        snprintf(found, sizeof(found), "%.2f", (double)sizes.parameters / 1e9);
        if (strcmp(found, known[i].parameters) != 0)
            fail_msg("%s: %s billion parameters, want %s", known[i].name, found, known[i].parameters);
    }
}

static void an_unknown_shape_is_named_with_those_that_are_known(void **state)
{
    struct model_config config;
    struct error err = {0};
    (void)state;
    assert_int_equal(synthetic_config(&config, "gpt-5", 0, &err), DOCKET_BAD_CONFIG);
    assert_non_null(strstr(err.message, "gpt-5"));
    assert_non_null(strstr(err.message, "mixtral-8x7b"));
    assert_int_equal(synthetic_config(&config, "tiny", MODEL_MAX_LAYERS + 1, &err), DOCKET_BAD_CONFIG);
    assert_non_null(strstr(err.message, "1025"));
}

static void without_memory_nothing_stays(void **state)
{
    struct device device = {0};
    struct model_config config;
    struct kernels_memory before, after;
    struct error err = {0};
    struct quantization q = quantization_of_text("nf4");
    size_t n = 0;
    enum status st = DOCKET_INTERNAL;
    (void)state;
    open_device(&device, "cpu");
    assert_int_equal(synthetic_config(&config, "tiny", 1, &err), DOCKET_OK);
    device.backend->memory(device.handle, &before);
    for (n = 1; n < 2000 && st != DOCKET_OK; n++) {
        struct model_weights weights = {0};
        mem_fail_at(n, n % 2 == 0);
        st = synthetic_weights(&weights, &device, &config, &q, NULL, &err);
        mem_fail_at(0, false);
        if (st != DOCKET_OK && st != DOCKET_NO_MEMORY && st != DOCKET_NO_DEVICE_MEMORY)
            fail_msg("allocation %zu: %s: %s", n, status_name(st), err.message);
        model_weights_free(&weights, &device);
        device.backend->memory(device.handle, &after);
        assert_int_equal(after.used_bytes, before.used_bytes);
    }
    assert_int_equal(st, DOCKET_OK);
    assert_true(n > 20);
    device_close(&device);
}

static void making_can_be_stopped(void **state)
{
    struct device device = {0};
    struct model_config config;
    struct model_weights weights = {0};
    struct error err = {0};
    struct quantization q = {0};
    const atomic_bool stop = true;
    (void)state;
    open_device(&device, "cpu");
    assert_int_equal(synthetic_config(&config, "tiny", 1, &err), DOCKET_OK);
    assert_int_equal(synthetic_weights(&weights, &device, &config, &q, &stop, &err), DOCKET_CANCELLED);
    assert_null(weights.layers);
    device_close(&device);
}

/* What is written can be loaded: names, shapes and sizes are a checkpoint's of that family. */
static void written_files_load(void **state)
{
    static const char *const names[] = {"tiny", "tinyllama", "gemma-2b", "qwen3-30b-a3b", "olmoe-1b-7b"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char folder[] = "/tmp/docket-synthetic-XXXXXX", command[96];
        struct device device = {0};
        struct model_config config;
        struct model_weights weights = {0};
        struct load_report report;
        struct tensor_files *files = NULL;
        struct error err = {0};
        struct quantization q = quantization_of_text("nf4");
        uint64_t written = 0;
        assert_non_null(mkdtemp(folder));
        open_device(&device, "cpu");
        assert_int_equal(synthetic_config(&config, names[i], 1, &err), DOCKET_OK);
        config.dim = i == 4 ? 2048 : 128;
        config.ffn_dim = 96;
        config.vocab = 100;
        if (config.n_experts) config.n_experts = 9;
        struct model_location location = {.folder = folder, .boundary = folder, .name = folder};
        if (synthetic_write(folder, &config, 300000, &written, &err) != DOCKET_OK ||
            tensor_files_open(&files, &location, &err) != DOCKET_OK ||
            load_weights(&weights, &report, &device, &config, files, &q, NULL, NULL, &err) != DOCKET_OK)
            fail_msg("%s: %s", names[i], err.message);
        assert_int_equal(report.bytes_read, written);
        assert_true(tensor_files_count(files) > 1);
        forward(&device, &config, &weights, names[i]);
        tensor_files_close(files);
        model_weights_free(&weights, &device);
        device_close(&device);
        snprintf(command, sizeof(command), "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_and_family_is_finite_and_as_large_as_predicted),
        cmocka_unit_test(shapes_have_as_many_parameters_as_the_real_ones),
        cmocka_unit_test(an_unknown_shape_is_named_with_those_that_are_known),
        cmocka_unit_test(without_memory_nothing_stays),
        cmocka_unit_test(making_can_be_stopped),
        cmocka_unit_test(written_files_load),
    };
    const struct log_options quiet = {.level = LOG_OFF, .fd = STDERR_FILENO};
    struct error err = {0};
    if (log_open(&quiet, &err) != DOCKET_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
