/* docket quantize and kept copies on tiny models of every family: the folder computes what quantizing while loading computes, and
 * every failed allocation is survived. */
#include "worker/model/kept_copy.h"
#include "worker/model/model.h"
#include "worker/model/new_folder.h"
#include "worker/model/quantize.h"

#include "tests/support/cmocka.h"
#include "tests/support/demo_model.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAMILIES "tests/golden/families/"

static char folder[256];

static int set_up(void **state)
{
    const struct log_options quiet = {.level = LOG_OFF, .fd = STDERR_FILENO};
    log_open(&quiet, NULL);
    scratch_make(folder, sizeof(folder));
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(folder);
    log_close();
    (void)state;
    return 0;
}

enum { N_TOKENS = 7 };

/* The families' fixtures have no tokenizer: what lies below model_open is used. */
static void logits_of(struct buffer *out, const char *model, const char *format, bool kept, bool *hit)
{
    static const int32_t ids[N_TOKENS] = {1, 5, 9, 13, 2, 40, 33}, positions[N_TOKENS] = {0, 1, 2, 3, 4, 5, 6};
    static const uint32_t slots[N_TOKENS] = {0, 1, 2, 3, 4, 5, 6};
    const struct transformer_limits limits = {
        .max_rows = 8, .max_sequences = 1, .kv_slots = 8, .max_outputs = 8, .kv_format = KERNELS_F32};
    const struct kernels_sequence sequence = {.n_rows = N_TOKENS, .own = {0, N_TOKENS, 0}};
    const struct kernels_batch_desc batch = {N_TOKENS, 1, ids, positions, slots, &sequence};
    const struct model_location place = {.folder = (char *)(uintptr_t)model, .boundary = (char *)(uintptr_t)model};
    struct quantization quantization;
    struct model_config config;
    struct model_weights weights = {0};
    struct load_report report;
    struct device device = {0};
    struct tensor_files *files = NULL;
    struct transformer *t = NULL;
    struct error err = {0};
    char *text = NULL;
    size_t length;
    bool found = false;
    enum status st = model_read_file(&text, &length, &place, "config.json", 1 * MIB, &err);
    if (st == DOCKET_OK) st = quantization_parse(&quantization, "x", format, &err);
    if (st == DOCKET_OK) st = model_config_parse(&config, text, length, &err);
    if (st == DOCKET_OK) st = tensor_files_open(&files, &place, &err);
    if (st == DOCKET_OK) st = device_open(&device, &(const struct device_options){.n_threads = 1}, &err);
    if (st != DOCKET_OK) fail_msg("%s: %s", model, err.message);
    const struct kept_source_model source = {&place, &config, text, length, files};
    st = kept ? kept_copy_load(&weights, &report, &found, &device, &source, &quantization, NULL, &err)
              : load_weights(&weights, &report, &device, &config, files, &quantization, NULL, NULL, &err);
    if (hit) *hit = found;
    if (st == DOCKET_OK) st = transformer_open(&t, &device, &config, &weights, &limits, &err);
    if (st == DOCKET_OK) st = transformer_forward(t, &batch, slots, N_TOKENS, NULL, &err);
    if (st != DOCKET_OK) fail_msg("%s as %s: %s", model, format, err.message);
    assert_true(buffer_reserve(out, N_TOKENS * config.vocab * sizeof(float)));
    st = transformer_all_logits(t, 0, N_TOKENS, (float *)(void *)out->data, &err);
    if (st != DOCKET_OK) fail_msg("%s as %s: %s", model, format, err.message);
    out->length = N_TOKENS * config.vocab * sizeof(float);
    transformer_close(t);
    model_weights_free(&weights, &device);
    device_close(&device);
    tensor_files_close(files);
    mem_free(text);
}

static void copy_family(const char *to, const char *family)
{
    static const char *const files[] = {"config.json",
                                        "model.safetensors",
                                        "tokenizer.json",
                                        "model.safetensors.index.json",
                                        "model-00001-of-00002.safetensors",
                                        "model-00002-of-00002.safetensors",
                                        "model-00001-of-00003.safetensors",
                                        "model-00002-of-00003.safetensors",
                                        "model-00003-of-00003.safetensors"};
    const struct model_location from = {.folder = (char *)(uintptr_t)family, .boundary = (char *)(uintptr_t)family};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        char *bytes = NULL;
        size_t length;
        if (!model_has_file(&from, files[i])) continue;
        assert_int_equal(model_read_file(&bytes, &length, &from, files[i], 64 * MIB, NULL), DOCKET_OK);
        scratch_write(to, files[i], bytes, length);
        mem_free(bytes);
    }
}

static void folders_and_copies_compute_what_quantizing_at_load_does(void **state)
{
    static const char *const families[] = {"gemma",           "llama2",         "llama3",          "llama_linear",
                                           "mistral_window",  "mixtral_shards", "mixtral_stacked", "olmoe",
                                           "qwen3_moe_steps", "tinyllama"};
    static const char *const formats[] = {"nf4", "int8", "q2,attention=fp4-plain,head=q8"};
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(formats); k++) {
            struct buffer want = {0}, got = {0}, first = {0}, second = {0};
            struct quantize_report report = {0};
            struct error err = {0};
            char source[300], made[300], own[300];
            bool hit = true;
            bool tied = i == 0;
            const char *format = tied && k == 2 ? "q2,attention=fp4-plain" : formats[k];
            snprintf(source, sizeof(source), FAMILIES "%s", families[i]);
            snprintf(made, sizeof(made), "%s/%zu-%zu", folder, i, k);
            snprintf(own, sizeof(own), "%s/own-%zu-%zu", folder, i, k);
            struct quantize_options options = {
                .hub = {.model = source}, .device = {.n_threads = 1}, .out = made, .shard_bytes = 100000};
            assert_int_equal(quantization_parse(&options.quantization, "x", format, &err), DOCKET_OK);
            if (quantize_model(&report, &options, NULL, &err) != DOCKET_OK) fail_msg("%s: %s", source, err.message);
            logits_of(&want, source, format, false, NULL);
            logits_of(&got, made, "none", false, NULL);
            copy_family(own, source);
            logits_of(&first, own, format, true, &hit);
            assert_false(hit);
            logits_of(&second, own, format, true, &hit);
            if (!hit) fail_msg("%s as %s: the copy was not used", families[i], format);
            if (want.length != got.length || memcmp(want.data, got.data, want.length) != 0)
                fail_msg("%s as %s: the folder computes something else", families[i], format);
            assert_memory_equal(want.data, first.data, want.length);
            assert_memory_equal(want.data, second.data, want.length);
            buffer_free(&want);
            buffer_free(&got);
            buffer_free(&first);
            buffer_free(&second);
        }
    (void)state;
}

/* As torture(), but not every n: a model needs thousands. */
static void survive(enum status (*run)(struct error *err), bool may_fail)
{
    size_t files = open_files();
    for (size_t n = 1;; n += 1 + n / 16) {
        struct error err = {0};
        mem_fail_at(n, n % 2 == 0);
        enum status st = run(&err);
        size_t used = mem_count();
        mem_fail_at(0, false);
        if (open_files() != files) fail_msg("allocation %zu failed: a file stays open", n);
        if (used < n) {
            assert_int_equal(st, DOCKET_OK);
            return;
        }
        if (st != DOCKET_OK && st != DOCKET_NO_MEMORY && !(may_fail && st == DOCKET_NO_DEVICE_MEMORY))
            fail_msg("allocation %zu failed: %s: %s", n, status_name(st), err.message);
    }
}

static enum status quantize_once(struct error *err)
{
    char made[300];
    struct quantize_report report;
    snprintf(made, sizeof(made), "%s/made", folder);
    const struct quantize_options options = {.hub = {.model = FAMILIES "mixtral_shards"},
                                             .device = {.n_threads = 1},
                                             .quantization = {{QUANTIZE_NF4, QUANTIZE_Q4}},
                                             .out = made};
    enum status st = quantize_model(&report, &options, NULL, err);
    struct stat facts;
    bool there = stat(made, &facts) == 0;
    if (there != (st == DOCKET_OK)) fail_msg("%s: %s", there ? "a folder is left" : "no folder", err->message);
    assert_int_equal(folder_remove(made, NULL), DOCKET_OK);
    return st;
}

static void quantizing_survives_failed_allocations(void **state)
{
    survive(quantize_once, true);
    (void)state;
}

static enum status open_with_copy(struct error *err)
{
    struct model_options options = {.hub = {.model = folder},
                                    .device = {.n_threads = 1},
                                    .quantization = {{QUANTIZE_NF4, QUANTIZE_INT8}},
                                    .keep_copy = true};
    struct model m = {0};
    enum status st = model_open(&m, &options, NULL, err);
    model_close(&m);
    return st;
}

static enum status open_without_copy(struct error *err)
{
    folder_remove(scratch_path(folder, ".docket"), NULL);
    return open_with_copy(err);
}

static void kept_copies_survive_failed_allocations(void **state)
{
    struct model_options options;
    struct model_location location = {0};
    demo_model_options(&options);
    assert_int_equal(hub_locate(&location, &options.hub, NULL), DOCKET_OK);
    copy_family(folder, location.folder);
    model_location_free(&location);
    survive(open_without_copy, true);
    survive(open_with_copy, true);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_and_copies_compute_what_quantizing_at_load_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quantizing_survives_failed_allocations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_copies_survive_failed_allocations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
