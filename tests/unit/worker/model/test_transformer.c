/* What the forward pass asks of a device before it begins is all that it needs: int8 weights are said, and a full pass takes no more
 * memory. The models are those of tests/golden/families. */
#include "worker/model/transformer.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/load.h"

#include <stdio.h>
#include <unistd.h>

#define FAMILIES "tests/golden/families/"

static const struct kernels_backend *real;
static struct kernels_limits asked;

static enum kernels_status spy_reserve(struct kernels_device *device, const struct kernels_limits *limits,
                                       struct kernels_error *error)
{
    asked = *limits;
    return real->reserve(device, limits, error);
}

static const struct {
    const char *name, *family, *quantization;
    bool has_int8;
} cases[] = {
    {"stored_so", "llama_int8", "none", true},
    {"all_of_it", "mixtral_stacked", "int8", true},
    {"experts_alone", "mixtral_stacked", "none,ffn=int8", true},
    {"attention_alone", "llama_linear", "none,attention=int8", true},
    {"head_alone", "llama_linear", "none,head=int8", true},
    {"none_of_it", "mixtral_stacked", "none", false},
    {"another_format", "mixtral_stacked", "nf4,head=q8", false},
};

enum { ROWS = 96 };

static void run_pass(struct transformer *t, size_t vocab, size_t n)
{
    int32_t ids[ROWS], positions[ROWS];
    uint32_t slots[ROWS], rows[ROWS];
    struct error err = {0};
    for (size_t i = 0; i < ROWS; i++) {
        ids[i] = (int32_t)((i * 7 + 3) % vocab);
        positions[i] = (int32_t)i;
        slots[i] = rows[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)n, 0}};
    const struct kernels_batch_desc batch = {n, 1, ids, positions, slots, &sequence};
    float *logits = mem_alloc(ROWS * vocab * sizeof(float));
    assert_non_null(logits);
    if (transformer_forward(t, &batch, rows, n, NULL, &err) != DOCKET_OK) fail_msg("%s", err.message);
    for (size_t at = 0; at < n; at += 48)
        if (transformer_all_logits(t, at, n - at < 48 ? n - at : 48, logits + at * vocab, &err) != DOCKET_OK)
            fail_msg("%s", err.message);
    mem_free(logits);
}

static void a_full_pass_takes_no_more_than_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char folder[128], path[192];
        struct quantization quantization;
        struct model_config config;
        struct model_weights weights = {0};
        struct load_report report;
        struct device device = {0};
        struct tensor_files *files = NULL;
        struct transformer *t = NULL;
        struct kernels_backend spy;
        struct kernels_memory before, after;
        struct buffer text = {0};
        struct error err = {0};
        const struct device_options options = {.backend = "cpu", .n_threads = 2};
        const struct transformer_limits limits = {
            .max_rows = ROWS, .max_sequences = 1, .kv_slots = ROWS, .max_outputs = ROWS, .kv_format = KERNELS_F32};
        snprintf(folder, sizeof(folder), FAMILIES "%s", cases[i].family);
        snprintf(path, sizeof(path), "%s/config.json", folder);
        const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
        enum status st = quantization_parse(&quantization, "QUANTIZATION", cases[i].quantization, &err);
        if (st == DOCKET_OK) st = file_read_all(&text, path, &err);
        if (st == DOCKET_OK) st = model_config_parse(&config, text.data, text.length, &err);
        if (st == DOCKET_OK) st = tensor_files_open(&files, &place, &err);
        if (st == DOCKET_OK) st = device_open(&device, &options, &err);
        if (st == DOCKET_OK)
            st = load_weights(&weights, &report, &device, &config, files, &quantization, NULL, NULL, &err);
        if (st != DOCKET_OK) fail_msg("%s: %s", cases[i].name, err.message);
        real = device.backend;
        spy = *real;
        spy.reserve = spy_reserve;
        device.backend = &spy;
        if (transformer_open(&t, &device, &config, &weights, &limits, &err) != DOCKET_OK) fail_msg("%s", err.message);
        if (asked.has_int8 != cases[i].has_int8) fail_msg("%s: has_int8 is %d", cases[i].name, asked.has_int8);
        run_pass(t, config.vocab,
                 1); /* the batch makes its table of rotations when it first needs it, for all its rows */
        device.backend->memory(device.handle, &before);
        run_pass(t, config.vocab, ROWS);
        device.backend->memory(device.handle, &after);
        if (after.peak_bytes > before.peak_bytes)
            fail_msg("%s: the pass took %zu bytes more", cases[i].name, after.peak_bytes - before.peak_bytes);
        transformer_close(t);
        device.backend = real;
        model_weights_free(&weights, &device);
        device_close(&device);
        tensor_files_close(files);
        buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_pass_takes_no_more_than_was_asked_for)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
