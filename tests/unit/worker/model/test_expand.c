/* Which layers get a 16-bit form: as many as fit, in order; all or nothing where it is asked for; none where nobody multiplies so. */
#include "worker/model/expand.h"

#include "tests/support/cmocka.h"
#include "tests/support/tiny_model.h"

#include <string.h>

/* The tiny model with weights in NF4: 4 matrices of attention and 3 of each of 4 experts, in each of 2 layers. */
enum { LAYER_BYTES = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 4 * 3 * 96 * 64) };

static const struct kernels_backend *real;
static size_t expanded_bytes, n_expanded, fail_after;
static enum kernels_status fail_with;

static enum kernels_status fake_expand(struct kernels_device *device, struct kernels_weight *weight,
                                       struct kernels_error *error)
{
    struct kernels_weight_desc desc;
    (void)device;
    if (n_expanded >= fail_after) {
        if (error) *error = (struct kernels_error){fail_with, "not this one"};
        return fail_with;
    }
    real->weight_describe(weight, &desc);
    n_expanded++;
    expanded_bytes += 2 * desc.rows * desc.cols;
    return KERNELS_OK;
}

static void fake_memory(const struct kernels_device *device, struct kernels_memory *out)
{
    (void)device;
    *out = (struct kernels_memory){.used_bytes = 1000 + expanded_bytes};
}

static const struct {
    const char *name;
    enum expand_mode mode;
    size_t budget, fail_after;
    enum kernels_status fail_with;
    enum status want;
    size_t layers, weights;
    const char *says;
} cases[] = {
    {"all_fit", EXPAND_AUTO, 1000 + 2 * LAYER_BYTES, 99, 0, DOCKET_OK, 2, 32, ""},
    {"one_fits", EXPAND_AUTO, 1000 + 2 * LAYER_BYTES - 1, 99, 0, DOCKET_OK, 1, 16, ""},
    {"none_fits", EXPAND_AUTO, 1000 + LAYER_BYTES - 1, 99, 0, DOCKET_OK, 0, 0, ""},
    {"more_is_used_than_may_be", EXPAND_AUTO, 999, 99, 0, DOCKET_OK, 0, 0, ""},
    {"off", EXPAND_OFF, SIZE_MAX, 99, 0, DOCKET_OK, 0, 0, ""},
    {"no_product_uses_it", EXPAND_AUTO, SIZE_MAX, 0, KERNELS_UNSUPPORTED, DOCKET_OK, 0, 0, ""},
    {"memory_ends_early", EXPAND_AUTO, SIZE_MAX, 20, KERNELS_NO_MEMORY, DOCKET_OK, 1, 20, ""},
    {"a_lost_device_is_no_choice", EXPAND_AUTO, SIZE_MAX, 3, KERNELS_DEVICE_LOST, DOCKET_DEVICE, 0, 3, "not this one"},
    {"on_and_all_fit", EXPAND_ON, 1000 + 2 * LAYER_BYTES, 99, 0, DOCKET_OK, 2, 32, ""},
    {"on_and_one_fits", EXPAND_ON, 1000 + LAYER_BYTES, 99, 0, DOCKET_NO_DEVICE_MEMORY, 0, 16, "layer 1 of 2"},
    {"on_and_nobody_uses_it", EXPAND_ON, SIZE_MAX, 0, KERNELS_UNSUPPORTED, DOCKET_BAD_CONFIG, 0, 0,
     "layer 0: not this"},
    {"on_and_no_memory", EXPAND_ON, SIZE_MAX, 1, KERNELS_NO_MEMORY, DOCKET_NO_DEVICE_MEMORY, 0, 1, "not this one"},
};

/* Every matrix of the layers anew, in NF4. */
static void quantize(struct tiny_model *m)
{
    static float values[96 * 64];
    for (size_t l = 0; l < m->weights.n_layers; l++) {
        struct layer_weights *w = &m->weights.layers[l];
        struct kernels_weight **all[16] = {&w->q, &w->k, &w->v, &w->o};
        for (size_t e = 0; e < 4; e++)
            all[4 + 3 * e] = &w->gate[e], all[5 + 3 * e] = &w->up[e], all[6 + 3 * e] = &w->down[e];
        for (size_t i = 0; i < 16; i++) {
            struct kernels_weight_desc desc;
            real->weight_describe(*all[i], &desc);
            desc.format = KERNELS_NF4;
            real->weight_free(m->device.handle, *all[i]);
            *all[i] = real->weight_begin(m->device.handle, &desc, NULL);
            assert_non_null(*all[i]);
            assert_int_equal(
                real->weight_write(m->device.handle, *all[i], KERNELS_F32, values, desc.rows * desc.cols, NULL),
                KERNELS_OK);
            assert_int_equal(real->weight_finish(m->device.handle, *all[i], NULL), KERNELS_OK);
        }
    }
}

static void layers_are_expanded_in_order_while_they_fit(void **state)
{
    struct tiny_model m = {0};
    struct kernels_backend fake;
    (void)state;
    assert_true(tiny_model_open(&m, "cpu", 1, 1));
    real = m.device.backend;
    quantize(&m);
    fake = *real;
    fake.weight_expand = fake_expand;
    fake.memory = fake_memory;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct expand_report report;
        struct error err = {0};
        expanded_bytes = n_expanded = 0, fail_after = cases[i].fail_after, fail_with = cases[i].fail_with;
        m.device.backend = &fake;
        enum status st = expand_weights(&report, cases[i].mode, &m.device, &m.weights, cases[i].budget, &err);
        m.device.backend = real;
        if (st != cases[i].want || n_expanded != cases[i].weights || report.n_layers != cases[i].layers ||
            !strstr(err.message, cases[i].says))
            fail_msg("%s: status %d, %zu weights, %zu layers: %s", cases[i].name, (int)st, n_expanded, report.n_layers,
                     err.message);
        if (st == DOCKET_OK) assert_int_equal(report.bytes, expanded_bytes);
    }
    tiny_model_close(&m);
}

static void what_is_predicted_is_what_it_takes(void **state)
{
    struct tiny_model m = {0};
    struct plan_sizes sizes;
    struct quantization quantization = {0};
    struct error err = {0};
    (void)state;
    assert_true(tiny_model_open(&m, "cpu", 1, 1));
    assert_int_equal(quantization_parse(&quantization, "test", "nf4", &err), DOCKET_OK);
    assert_int_equal(plan_weights(&sizes, &m.config, &quantization, &err), DOCKET_OK);
    assert_int_equal(expand_predict(&sizes), 2 * LAYER_BYTES);
    assert_int_equal(quantization_parse(&quantization, "test", "none,ffn=q4", &err), DOCKET_OK);
    assert_int_equal(plan_weights(&sizes, &m.config, &quantization, &err), DOCKET_OK);
    assert_int_equal(expand_predict(&sizes), 2 * 2 * 4 * 3 * 96 * 64);
    tiny_model_close(&m);
}

static void the_cpu_has_no_use_for_it(void **state)
{
    struct tiny_model m = {0};
    struct expand_report report;
    struct error err = {0};
    (void)state;
    assert_true(tiny_model_open(&m, "cpu", 1, 1));
    real = m.device.backend;
    quantize(&m);
    assert_int_equal(expand_weights(&report, EXPAND_AUTO, &m.device, &m.weights, SIZE_MAX, &err), DOCKET_OK);
    assert_int_equal(report.n_layers, 0);
    assert_int_equal(expand_weights(&report, EXPAND_ON, &m.device, &m.weights, SIZE_MAX, &err), DOCKET_BAD_CONFIG);
    tiny_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_expanded_in_order_while_they_fit),
        cmocka_unit_test(what_is_predicted_is_what_it_takes),
        cmocka_unit_test(the_cpu_has_no_use_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
