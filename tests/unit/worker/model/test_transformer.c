/* What the forward pass asks of a device before it begins is all that it needs: int8 weights are said, and a full pass takes no more
 * memory. And what it leaves out of the last layer changes nothing. The models are those of tests/golden/families. */
#include "worker/model/transformer.h"

#include "tests/support/cmocka.h"
#include "tests/support/compare.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/model/load.h"

#include <stdio.h>
#include <string.h>
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

/* --- the last layer --- */

struct opened {
    struct model_config config;
    struct model_weights weights;
    struct device device;
    struct tensor_files *files;
    struct transformer *t;
};

static void open_family(struct opened *o, const char *family, enum kernels_format cache)
{
    char folder[128], path[192];
    struct quantization quantization;
    struct load_report report;
    struct buffer text = {0};
    struct error err = {0};
    const struct device_options options = {.backend = "cpu", .n_threads = 2};
    const struct transformer_limits limits = {
        .max_rows = ROWS, .max_sequences = 8, .kv_slots = 2 * ROWS, .max_outputs = ROWS, .kv_format = cache};
    *o = (struct opened){0};
    snprintf(folder, sizeof(folder), FAMILIES "%s", family);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
    enum status st = quantization_parse(&quantization, "QUANTIZATION", "none", &err);
    if (st == DOCKET_OK) st = file_read_all(&text, path, &err);
    if (st == DOCKET_OK) st = model_config_parse(&o->config, text.data, text.length, &err);
    if (st == DOCKET_OK) st = tensor_files_open(&o->files, &place, &err);
    if (st == DOCKET_OK) st = device_open(&o->device, &options, &err);
    if (st == DOCKET_OK)
        st = load_weights(&o->weights, &report, &o->device, &o->config, o->files, &quantization, NULL, NULL, &err);
    if (st == DOCKET_OK) st = transformer_open(&o->t, &o->device, &o->config, &o->weights, &limits, &err);
    if (st != DOCKET_OK) fail_msg("%s: %s", family, err.message);
    buffer_free(&text);
}

static void close_family(struct opened *o)
{
    transformer_close(o->t);
    model_weights_free(&o->weights, &o->device);
    device_close(&o->device);
    tensor_files_close(o->files);
}

/* Two passes: a prefix and two documents, one behind it, one with a tree of labels; then more of both documents. Where `all`, every
 * row is asked for, so that nothing can be left out. Hidden states of rows_1 and rows_2 go to out. */
static const uint32_t rows_1[] = {9, 39, 60, 61, 63}, rows_2[] = {4, 29};

static float *run_documents(struct opened *o, bool all)
{
    static const int32_t parents[] = {-1, 0, 0, 1, -1};
    size_t dim = o->config.dim, n_1 = all ? 65 : ARRAY_LENGTH(rows_1), n_2 = all ? 30 : ARRAY_LENGTH(rows_2);
    int32_t ids[ROWS], positions[ROWS];
    uint32_t slots[ROWS], everything[ROWS];
    float *out = mem_alloc((ARRAY_LENGTH(rows_1) + ARRAY_LENGTH(rows_2)) * dim * sizeof(float));
    const float *hidden;
    struct error err = {0};
    assert_non_null(out);
    for (size_t i = 0; i < ROWS; i++) {
        ids[i] = (int32_t)((i * 7 + 3) % o->config.vocab);
        everything[i] = slots[i] = (uint32_t)i;
        positions[i] = i < 30 ? (int32_t)i : i < 60 ? (int32_t)i - 30 : 30 + (i == 61 || i == 62) + 2 * (i == 63);
    }
    const struct kernels_sequence first[] = {
        {.first_row = 0, .n_rows = 30, .own = {0, 30, 0}},
        {.first_row = 30, .n_rows = 30, .own = {30, 30, 0}},
        {.first_row = 60, .n_rows = 5, .n_shared = 1, .shared = {{30, 30, 0}}, .own = {60, 5, 30}, .parent = parents},
    };
    const struct kernels_batch_desc pass_1 = {65, 3, ids, positions, slots, first};
    if (transformer_forward(o->t, &pass_1, all ? everything : rows_1, n_1, &hidden, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(rows_1); i++)
        memcpy(out + i * dim, hidden + (all ? rows_1[i] : i) * dim, dim * sizeof(float));
    for (size_t i = 0; i < 30; i++) {
        slots[i] = 70 + (uint32_t)i;
        positions[i] = i < 10 ? 30 + (int32_t)i : 30 + (int32_t)i - 10;
    }
    const struct kernels_sequence second[] = {
        {.first_row = 0, .n_rows = 10, .n_shared = 1, .shared = {{0, 30, 0}}, .own = {70, 10, 30}},
        {.first_row = 10, .n_rows = 20, .n_shared = 1, .shared = {{30, 30, 0}}, .own = {80, 20, 30}},
    };
    const struct kernels_batch_desc pass_2 = {30, 2, ids, positions, slots, second};
    if (transformer_forward(o->t, &pass_2, all ? everything : rows_2, n_2, &hidden, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(rows_2); i++)
        memcpy(out + (ARRAY_LENGTH(rows_1) + i) * dim, hidden + (all ? rows_2[i] : i) * dim, dim * sizeof(float));
    return out;
}

/* Rows of all batches that were set: the last layer's is one of its own. */
static size_t batch_rows;

static enum kernels_status spy_batch_set(struct kernels_device *device, struct kernels_batch *batch,
                                         const struct kernels_batch_desc *desc, struct kernels_error *error)
{
    batch_rows += desc->n_rows;
    return real->batch_set(device, batch, desc, error);
}

static void rows_that_nobody_asks_for_are_left_out_and_change_nothing(void **state)
{
    (void)state;
    static const char *const families[] = {"gemma",           "llama3",         "llama_linear",   "llama_int8",
                                           "mixtral_stacked", "mistral_window", "mixtral_window", "olmoe",
                                           "qwen3_moe_steps", "qwen3_moe_dense"};
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
        for (int cache = 0; cache < 2; cache++) {
            struct opened o;
            open_family(&o, families[i], cache ? KERNELS_KV_Q8_0 : KERNELS_F16);
            size_t n = (ARRAY_LENGTH(rows_1) + ARRAY_LENGTH(rows_2)) * o.config.dim;
            struct kernels_backend spy = *(real = o.device.backend);
            spy.batch_set = spy_batch_set;
            o.device.backend = &spy;
            batch_rows = 0;
            float *want = run_documents(&o, true);
            assert_int_equal(batch_rows, 65 + 30);
            float *got = run_documents(&o, false);
            assert_int_equal(batch_rows, 2 * (65 + 30) + 7 + 2); /* of the tree all five */
            o.device.backend = real;
            if (!compare_equal(families[i], got, want, n)) fail_msg("%s differs", families[i]);
            mem_free(got);
            mem_free(want);
            close_family(&o);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_pass_takes_no_more_than_was_asked_for),
                                       cmocka_unit_test(rows_that_nobody_asks_for_are_left_out_and_change_nothing)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
