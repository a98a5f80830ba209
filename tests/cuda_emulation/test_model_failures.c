/* Whatever call of the CUDA runtime fails while a model is loaded, computes and is given back: the error has its kind, nothing of the device
 * is left, and nothing is computed on what is not there. */
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
long emulation_calls_made(void);
size_t emulation_live_allocations(void);

#define FAMILIES "tests/golden/families/"
enum {
    TOKENS = 4,
    LOGITS = 3,
    MOST_LIVES = 15,
    OUT_OF_MEMORY = 2,
    INVALID_VALUE = 1,
    ILLEGAL_ADDRESS = 700,
    NOT_CORRECTED = 214
};

static const struct {
    const char *family, *quantization;
    struct placement where;
} models[] = {
    {"mixtral_stacked", "nf4", {.embedding_on_host = true, .host_experts = 2, .expert_rooms = 2}},
    {"mixtral_nf4", "none", {.lower_layers = 1}}, /* parts that are stored */
    {"llama_f8", "int8", {0}},                    /* sources with scales */
};

static enum status compute(struct transformer *t, const struct model_config *c, float logits[LOGITS], struct error *err)
{
    int32_t ids[TOKENS], positions[TOKENS];
    uint32_t slots[TOKENS];
    static const int32_t tokens[LOGITS] = {3, 7, 11};
    static const uint32_t last = TOKENS - 1, outputs[LOGITS];
    for (size_t i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)((i * 31 + 3) % c->vocab);
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = TOKENS, .own = {0, TOKENS, 0}};
    const struct kernels_batch_desc batch = {TOKENS, 1, ids, positions, slots, &sequence};
    enum status st = transformer_forward(t, &batch, &last, 1, NULL, err);
    return st == DOCKET_OK ? transformer_gather_logits(t, outputs, tokens, LOGITS, logits, err) : st;
}

/* One life of a model on a device. The calls are counted from when the device is open. */
static enum status live(size_t m, long fail_at, int error, float logits[LOGITS], struct error *err)
{
    char folder[128], path[192];
    struct model_config config;
    struct quantization quantization;
    struct tensor_files *files = NULL;
    struct buffer text = {0};
    struct device device = {.backend = docket_cuda_backend()}, lower = {0};
    struct model_weights weights = {0};
    struct load_report report;
    struct transformer *t = NULL;
    struct kernels_error detail = {0};
    const struct kernels_options gpu = {.n_workers = 1, .products = KERNELS_PRODUCTS_LIBRARY};
    const struct device_options cpu = {.backend = "cpu", .n_threads = 1};
    const struct transformer_limits limits = {
        .max_rows = 8, .max_sequences = 1, .kv_slots = 8, .max_outputs = 8, .kv_format = KERNELS_F16};
    snprintf(folder, sizeof(folder), FAMILIES "%s", models[m].family);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    const struct model_location place = {.folder = folder, .boundary = folder, .name = folder};
    emulation_fail_call(0, 0);
    assert_int_equal(quantization_parse(&quantization, "QUANTIZATION", models[m].quantization, err), DOCKET_OK);
    assert_int_equal(file_read_all(&text, path, err), DOCKET_OK);
    assert_int_equal(model_config_parse(&config, text.data, text.length, err), DOCKET_OK);
    assert_int_equal(tensor_files_open(&files, &place, err), DOCKET_OK);
    assert_int_equal(device_open(&lower, &cpu, err), DOCKET_OK);
    device.handle = device.backend->open(&gpu, &detail);
    assert_non_null(device.handle);
    device.lower = &lower;
    device.placement = models[m].where;
    emulation_fail_call(fail_at, error);
    enum status st = load_weights(&weights, &report, &device, &config, files, &quantization, NULL, NULL, err);
    if (st == DOCKET_OK) st = transformer_open(&t, &device, &config, &weights, &limits, err);
    if (st == DOCKET_OK) st = compute(t, &config, logits, err);
    transformer_close(t);
    model_weights_free(&weights, &device);
    device.backend->close(device.handle);
    device_close(&lower);
    tensor_files_close(files);
    buffer_free(&text);
    return st;
}

static bool is_of_kind(int error, const struct error *err)
{
    switch (error) {
    case OUT_OF_MEMORY: /* of the device, or of pinned memory of the host */
        return err->status == DOCKET_NO_DEVICE_MEMORY || err->status == DOCKET_NO_MEMORY;
    case INVALID_VALUE:
        return err->status == DOCKET_INTERNAL || err->status == DOCKET_CORRUPT || err->status == DOCKET_NO_MEMORY ||
               err->status == DOCKET_NO_DEVICE_MEMORY; /* of an allocation nothing else is known */
    default:                                           /* the worker ends, and its jobs are another's */
        return err->status == DOCKET_DEVICE && err->code == CODE_accelerator_lost;
    }
}

static void a_call_that_fails_is_told_by_its_kind_and_nothing_is_left(void **state)
{
    static const int errors[] = {OUT_OF_MEMORY, INVALID_VALUE, ILLEGAL_ADDRESS, NOT_CORRECTED};
    (void)state;
    for (size_t m = 0; m < ARRAY_LENGTH(models); m++) {
        float want[LOGITS], got[LOGITS];
        struct error err = {0};
        if (live(m, 0, 0, want, &err) != DOCKET_OK) fail_msg("%s: %s", models[m].family, err.message);
        const long calls = emulation_calls_made(), step = calls / MOST_LIVES + 1;
        assert_int_equal(emulation_live_allocations(), 0);
        for (size_t e = 0; e < ARRAY_LENGTH(errors); e++)
            for (long n = 1 + (long)e; n <= calls; n += step) {
                err = (struct error){0};
                enum status st = live(m, n, errors[e], got, &err);
                const size_t left = emulation_live_allocations();
                if (left)
                    fail_msg("%s: call %ld of %ld, error %d: %zu pieces are left", models[m].family, n, calls,
                             errors[e], left);
                if (st == DOCKET_OK) { /* it was one of tidying up */
                    if (memcmp(got, want, sizeof(want)))
                        fail_msg("%s: call %ld, error %d: nobody noticed, and the numbers are wrong", models[m].family,
                                 n, errors[e]);
                    continue;
                }
                if (!is_of_kind(errors[e], &err) || !err.message[0])
                    fail_msg("%s: call %ld of %ld, error %d: %s, %s: %s", models[m].family, n, calls, errors[e],
                             status_name(err.status), error_code_name(err.code), err.message);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_call_that_fails_is_told_by_its_kind_and_nothing_is_left)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
