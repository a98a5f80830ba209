/* The self-test: passes on every backend there is, and notices each operation that gives wrong numbers. */
#include "tests/support/cmocka.h"
#include "worker/model/device.h"

#include <string.h>

static const struct kernels_backend *real;

static enum kernels_status wrong_linear(struct kernels_device *device, const struct kernels_linear *args)
{
    struct kernels_linear other = *args;
    other.n_rows = args->n_rows - 1; /* the last row is not computed */
    return real->linear(device, &other);
}

static enum kernels_status wrong_attention(struct kernels_device *device, const struct kernels_attention *args)
{
    struct kernels_attention other = *args;
    other.scale = args->scale * 1.01f;
    return real->attention(device, &other);
}

static enum kernels_status wrong_route(struct kernels_device *device, const struct kernels_route *args)
{
    struct kernels_route other = *args;
    other.renormalize = false;
    return real->route(device, &other);
}

static enum kernels_status failing(struct kernels_device *device, const struct kernels_rope_kv *args)
{
    (void)device;
    (void)args;
    return KERNELS_DEVICE_LOST;
}

static void every_backend_passes(void **state)
{
#define WAY(name, isa, threads, dtype)                                                                                 \
    {                                                                                                                  \
        .backend = name, .cpu_isa = isa, .n_threads = threads, .compute_dtype = dtype                                  \
    }
    static const struct device_options ways[] = {
        WAY("reference", NULL, 1, NULL),      WAY("cpu", "auto", 2, NULL),          WAY("cpu", "reference", 1, NULL),
        WAY("cpu", "auto", 2, "f32"),         WAY("cpu", "avx2", 2, NULL),          WAY("cpu", "avx512", 2, NULL),
        WAY("cpu", "avx512_bf16", 2, "bf16"), WAY("cpu", "avx512_vnni", 2, "int8"), WAY("cpu", "avx2", 2, "f32"),
        WAY("cpu", "avx2", 2, "int8"),        WAY("cpu", "auto", 2, "int16"),
    };
#undef WAY
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct device device = {0};
        struct error err = {0};
        enum status st = device_open(&device, &ways[i], &err);
        if (st == DOCKET_BAD_CONFIG) { /* an instruction set that this machine lacks */
            print_message("[  SKIPPED ] %s: %s\n", ways[i].cpu_isa, err.message);
            continue;
        }
        if (st != DOCKET_OK || device_selftest(&device, &err) != DOCKET_OK)
            fail_msg("%s %s: %s", ways[i].backend, ways[i].cpu_isa, err.message);
        device_close(&device);
    }
}

static void wrong_numbers_are_named(void **state)
{
    struct kernels_backend broken;
    struct device device = {0};
    const struct device_options options = {.backend = "reference", .n_threads = 1};
    (void)state;
    assert_int_equal(device_open(&device, &options, NULL), DOCKET_OK);
    real = device.backend;
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"linear", "attention", "router", "attention"};
        struct error err = {0};
        broken = *real;
        if (i == 0) broken.linear = wrong_linear;
        if (i == 1) broken.attention = wrong_attention;
        if (i == 2) broken.route = wrong_route;
        if (i == 3) broken.rope_kv = failing;
        device.backend = &broken;
        enum status st = device_selftest(&device, &err);
        device.backend = real;
        assert_int_equal(st, i == 3 ? DOCKET_DEVICE : DOCKET_INTERNAL);
        if (!strstr(err.message, names[i])) fail_msg("%s is not named: %s", names[i], err.message);
    }
    device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_backend_passes),
                                       cmocka_unit_test(wrong_numbers_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
