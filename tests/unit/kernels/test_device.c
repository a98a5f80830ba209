/* test_device.c: what a device promises besides results: tables are checked, memory is counted and may end at any
 * allocation, weights refuse what they cannot be. */
#include "tests/conformance/rig.h"

static const struct {
    const char *backend, *isa;
} devices[] = {{"reference", NULL}, {"cpu", "reference"}, {"cpu", "auto"}};

#define N_DEVICES (sizeof devices / sizeof devices[0])

static void tables_with_holes_or_of_another_version_are_refused(void **state)
{
    struct kernels_backend table;
    struct kernels_error error = {0};

    (void)state;
    assert_null(docket_kernels_backend("abacus"));
    assert_null(docket_kernels_backend(NULL));
    assert_int_equal(docket_kernels_check_backend(NULL, &error), KERNELS_UNSUPPORTED);
    for (size_t i = 0; i < N_DEVICES; i++) {
        const struct kernels_backend *good = docket_kernels_backend(devices[i].backend);
        assert_int_equal(docket_kernels_check_backend(good, NULL), KERNELS_OK);
        for (size_t at = offsetof(struct kernels_backend, name); at < sizeof table; at += sizeof(void *)) {
            table = *good;
            memset((char *)&table + at, 0, sizeof(void *));
            assert_int_equal(docket_kernels_check_backend(&table, &error), KERNELS_UNSUPPORTED);
        }
        table = *good, table.abi++;
        assert_int_equal(docket_kernels_check_backend(&table, &error), KERNELS_UNSUPPORTED);
        table = *good, table.size--;
        assert_int_equal(docket_kernels_check_backend(&table, &error), KERNELS_UNSUPPORTED);
    }
}

static void unknown_instruction_sets_and_half_an_allocator_are_refused(void **state)
{
    struct kernels_options options = {.cpu_isa = "mmx"};
    struct kernels_error error = {0};

    (void)state;
    assert_null(docket_kernels_backend("cpu")->open(&options, &error));
    assert_int_equal(error.code, KERNELS_UNSUPPORTED);
    options = (struct kernels_options){.allocate = host_allocate};
    assert_null(docket_kernels_backend("cpu")->open(&options, &error));
    assert_int_equal(error.code, KERNELS_BAD_SHAPE);
}

static void a_device_without_options_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        const struct kernels_backend *table = docket_kernels_backend(devices[i].backend);
        struct kernels_device *device = table->open(NULL, NULL);
        struct kernels_description description;
        struct kernels_memory memory;
        assert_non_null(device);
        table->describe(device, &description);
        assert_true(description.name[0] && description.variant[0] && !description.is_gpu);
        assert_non_null(table->buffer_allocate(device, 100, NULL)); /* freed by close */
        assert_non_null(table->batch_create(device, 3, 3, NULL));
        table->memory(device, &memory);
        assert_true(memory.total_bytes > memory.used_bytes && memory.used_bytes >= 100);
        assert_int_equal(table->wait(device, table->record(device)), KERNELS_OK);
        table->close(device);
        table->close(NULL);
    }
}

/* Three formats that a device's experts are made of. */
static const enum kernels_format mixtures[][3] = {{KERNELS_NF4_NESTED, KERNELS_INT8, KERNELS_Q2},
                                                  {KERNELS_FP4_NESTED, KERNELS_Q8, KERNELS_Q4},
                                                  {KERNELS_FP4, KERNELS_Q1, KERNELS_NF4}};

/* Everything once, small; the first status that is not OK. */
static enum kernels_status use_everything(const struct kernels_backend *table, struct kernels_device *device,
                                          const enum kernels_format formats[3])
{
    enum { K = 64, F = 96, E = 3, T = 2, M = 7, D = 16 };
    struct kernels_limits limits = {M, 2, K, F, E, T, 4, 2, D, 11, true, 1};
    struct kernels_weight *weights[8] = {NULL};
    const struct kernels_weight *experts[E], *downs[E];
    struct kernels_error error = {0};
    struct kernels_kv *kv = NULL;
    struct kernels_batch *batch = NULL;
    float values[F * K], *x = NULL, *out = NULL, frequency[D / 2] = {0};
    int32_t positions[M] = {0, 1, 2, 3, 4, 5, 6};
    uint32_t slots[M] = {0, 1, 2, 3, 4, 5, 6};
    struct kernels_sequence sequence = {.n_rows = M, .own = {0, M, 0}};
    struct kernels_batch_desc desc = {M, 1, positions, positions, slots, &sequence};
    enum kernels_status status;

    for (size_t i = 0; i < F * K; i++) values[i] = (float)(i % 13) * 0.1f - 0.6f;
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != KERNELS_OK) goto done;                                                                           \
    } while (0)
#define HAVE(pointer) TRY((pointer) ? KERNELS_OK : error.code)
    TRY(table->reserve(device, &limits, &error));
    for (size_t i = 0; i < 6; i++) {
        struct kernels_weight_desc shape = {formats[i % 3], i < 3 ? F : K, i < 3 ? K : F};
        struct kernels_memory before, after;
        table->memory(device, &before);
        HAVE(weights[i] = table->weight_begin(device, &shape, &error));
        TRY(table->weight_write(device, weights[i], KERNELS_F32, values, F * K, &error));
        TRY(table->weight_finish(device, weights[i], &error));
        table->memory(device, &after);
        assert_int_equal(after.used_bytes - before.used_bytes, table->weight_size(device, &shape));
    }
    for (size_t i = 0; i < 2; i++) { /* embedding, then a norm */
        struct kernels_weight_desc shape = {KERNELS_BF16, i ? 1 : 11, K};
        HAVE(weights[6 + i] = table->weight_begin(device, &shape, &error));
        TRY(table->weight_write(device, weights[6 + i], KERNELS_F32, values, shape.rows * K, &error));
        TRY(table->weight_finish(device, weights[6 + i], &error));
    }
    for (size_t e = 0; e < E; e++) experts[e] = weights[e], downs[e] = weights[3 + e];
    HAVE(kv = table->kv_create(device,
                               &(const struct kernels_kv_shape){
                                   .format = KERNELS_F16, .n_layers = 1, .n_slots = M, .n_kv_heads = 2, .head_size = D},
                               &error));
    HAVE(batch = table->batch_create(device, M, 2, &error));
    HAVE(x = table->buffer_allocate(device, M * F * sizeof *x, &error));
    HAVE(out = table->buffer_allocate(device, 3 * M * F * sizeof *out, &error));
    for (size_t i = 0; i < M * F; i++) x[i] = out[i] = 0.25f;
    TRY(table->batch_set(device, batch, &desc, &error));
    TRY(table->embed(device, &(struct kernels_embed){weights[6], batch, out, 0}));
    TRY(table->rmsnorm(device, &(struct kernels_rmsnorm){x, weights[7], out, M, K, 1e-5f, false}));
    for (size_t i = 0; i < 3; i++)
        TRY(table->linear(device, &(struct kernels_linear){.x = x, .weight = weights[i], .out = out, .n_rows = M}));
    TRY(table->linear(device,
                      &(struct kernels_linear){.x = x,
                                               .weight = weights[0],
                                               .out = out,
                                               .n_rows = M,
                                               .beside = {{weights[1], out + M * F}, {weights[2], out + 2 * M * F}},
                                               .n_beside = 2}));
    TRY(table->rope_kv(device, &(struct kernels_rope_kv){batch, x, out, out, kv, 0, 4, 2, D, frequency, 0}));
    TRY(table->attention(device, &(struct kernels_attention){batch, x, kv, out, 0, 4, 2, D, 0.25f, 0}));
    {
        int32_t *ids;
        float *shares;
        HAVE(ids = table->buffer_allocate(device, M * T * sizeof *ids, &error)); /* both freed by close */
        HAVE(shares = table->buffer_allocate(device, M * T * sizeof *shares, &error));
        TRY(table->route(device, &(struct kernels_route){x, weights[6], ids, shares, M, T, true}));
        for (size_t i = 0; i < M * T; i++) ids[i] = (int32_t)(i % E);
        TRY(table->expert_ffn(
            device, &(struct kernels_expert_ffn){x, experts, experts, downs, E, ids, shares, out, M, T, KERNELS_SILU}));
    }
    TRY(table->gather_rows(device, &(struct kernels_gather_rows){x, out, M, K, slots}));
    TRY(table->gather_logits(device, &(struct kernels_gather_logits){x, weights[6], out, M, slots, positions}));
    TRY(table->add(device, out, x, M * K));
    TRY(table->synchronize(device, &error));
done:
    for (size_t i = 0; i < 8; i++) table->weight_free(device, weights[i]);
    table->kv_free(device, kv);
    return status;
}

static void memory_of_this_may_end(size_t i, const enum kernels_format formats[3])
{
    for (size_t fail_at = 1;; fail_at++) {
        struct host host = {.n_workers = 2, .fail_at = fail_at};
        struct kernels_options options = host_options(&host, devices[i].isa);
        const struct kernels_backend *table = docket_kernels_backend(devices[i].backend);
        struct kernels_error error = {0};
        struct kernels_device *device = table->open(&options, &error);
        enum kernels_status status = device ? use_everything(table, device, formats) : error.code;
        table->close(device);
        assert_int_equal(host.n_live, 0);
        if (status == KERNELS_OK) {
            assert_true(fail_at > 10);
            break;
        }
        assert_int_equal(status, KERNELS_NO_MEMORY);
    }
}

static void memory_may_end_at_any_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++)
        for (size_t m = 0; m < sizeof mixtures / sizeof mixtures[0]; m++) memory_of_this_may_end(i, mixtures[m]);
}

static void weights_refuse_what_they_cannot_be(void **state)
{
    static float values[16384 + 64];

    (void)state;
    for (size_t i = 0; i < N_DEVICES; i++) {
        struct rig rig;
        const struct kernels_backend *table = docket_kernels_backend(devices[i].backend);
        struct kernels_error error;
        struct kernels_weight *weight;
        assert_true(rig_open(&rig, devices[i].backend, devices[i].isa, 1));
        for (size_t bad = 0; bad < 5; bad++) {
            struct kernels_weight_desc desc[] = {{KERNELS_F32, 0, 4},
                                                 {KERNELS_F32, 4, 0},
                                                 {KERNELS_N_FORMATS, 4, 4},
                                                 {KERNELS_NF4, SIZE_MAX / 2, 4},
                                                 {KERNELS_NF4_NESTED, (size_t)1 << 33, (size_t)1 << 31}};
            assert_int_equal(table->weight_size(rig.device, &desc[bad]), 0);
            assert_null(table->weight_begin(rig.device, &desc[bad], &error));
            assert_int_equal(error.code, KERNELS_BAD_SHAPE);
        }
        for (int format = KERNELS_NF4; format <= KERNELS_NF4_NESTED; format++) {
            struct kernels_weight_desc desc = {(enum kernels_format)format, 1, 16384 + 64};
            /* NaN at the very end. */
            weight = table->weight_begin(rig.device, &desc, NULL);
            values[16384 + 63] = NAN;
            assert_int_equal(table->weight_write(rig.device, weight, KERNELS_F32, values, 16384, NULL), KERNELS_OK);
            assert_int_equal(table->weight_finish(rig.device, weight, NULL), KERNELS_BAD_SHAPE); /* not all written */
            assert_int_equal(table->weight_write(rig.device, weight, KERNELS_F32, values + 16384, 65, NULL),
                             KERNELS_BAD_SHAPE);
            assert_int_equal(table->weight_write(rig.device, weight, KERNELS_F32, values + 16384, 64, NULL),
                             KERNELS_OK);
            assert_int_equal(table->weight_finish(rig.device, weight, &error), KERNELS_FAILED);
            table->weight_free(rig.device, weight);
            values[16384 + 63] = 0;
            /* A write in the middle that is no whole number of steps. */
            weight = table->weight_begin(rig.device, &desc, NULL);
            assert_int_equal(table->weight_write(rig.device, weight, KERNELS_F32, values, 64, NULL), KERNELS_OK);
            assert_int_equal(table->weight_write(rig.device, weight, KERNELS_F32, values, 64, NULL), KERNELS_BAD_SHAPE);
            table->weight_free(rig.device, weight);
        }
        rig_close(&rig);
    }
}

static void names_and_sizes_of_formats_are_known(void **state)
{
    (void)state;
    assert_string_equal(docket_kernels_format_name(KERNELS_NF4_NESTED), "nf4_nested");
    assert_string_equal(docket_kernels_status_name(KERNELS_DEVICE_LOST), "device lost");
    assert_string_equal(docket_kernels_format_name((enum kernels_format)99), "unknown");
    assert_true(docket_kernels_format_bits(KERNELS_NF4_NESTED) == 4.126953125);
    for (int f = 0; f < KERNELS_N_FORMATS;
         f++) { /* weight_size is within headers and rounding of what the format says */
        struct kernels_weight_desc desc = {(enum kernels_format)f, 4096, 4096};
        struct rig rig;
        double bytes = docket_kernels_format_bits(desc.format) / 8 * 4096 * 4096, size;
        assert_true(rig_open(&rig, "cpu", NULL, 1));
        size = (double)rig.table->weight_size(rig.device, &desc);
        if (desc.format == KERNELS_INT8) bytes += 4096 * sizeof(float);
        if (desc.format > KERNELS_Q1) { /* never a weight */
            assert_true(size == 0);
            rig_close(&rig);
            continue;
        }
        assert_true(size >= bytes && size <= bytes + 4096);
        rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_with_holes_or_of_another_version_are_refused),
        cmocka_unit_test(unknown_instruction_sets_and_half_an_allocator_are_refused),
        cmocka_unit_test(a_device_without_options_works),
        cmocka_unit_test(memory_may_end_at_any_allocation),
        cmocka_unit_test(weights_refuse_what_they_cannot_be),
        cmocka_unit_test(names_and_sizes_of_formats_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
