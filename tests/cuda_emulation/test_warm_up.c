/* What a first pass finds on a GPU, its kernels' code and a library's algorithms, an engine has found before it is open; what fails then is told
 * then, and nothing is left. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "worker/base/log.h"
#include "worker/model/engine.h"
#include "worker/model/load.h"
#include "worker/model/synthetic.h"

const struct kernels_backend *docket_cuda_backend(void);
void emulation_fail_call(long n, int error);
long emulation_calls_made(void);
size_t emulation_live_allocations(void);

enum { ILLEGAL_ADDRESS = 700, OUT_OF_MEMORY = 2 };

struct subject {
    struct device device;
    struct model_config config;
    struct model_weights weights;
};
static const struct engine_options options = {.max_tokens = 64, .max_rows = 64};

static void open_subject(struct subject *s)
{
    const struct kernels_options gpu = {.n_workers = 1, .products = KERNELS_PRODUCTS_LIBRARY};
    struct quantization quantization = {{QUANTIZE_NF4, QUANTIZE_NF4}};
    struct error err = {0};
    *s = (struct subject){.device = {.backend = docket_cuda_backend()}};
    emulation_fail_call(0, 0);
    s->device.handle = s->device.backend->open(&gpu, NULL);
    assert_non_null(s->device.handle);
    if (synthetic_config(&s->config, "tiny", 0, &err) != DOCKET_OK ||
        synthetic_weights(&s->weights, &s->device, &s->config, &quantization, NULL, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
}

static void close_subject(struct subject *s)
{
    model_weights_free(&s->weights, &s->device);
    s->device.backend->close(s->device.handle);
    assert_int_equal(emulation_live_allocations(), 0);
}

/* Calls of the runtime that opening a forward pass makes, and an engine. */
static long calls_of(struct subject *s, bool engine)
{
    struct engine *e = NULL;
    struct transformer *t = NULL;
    struct transformer_limits limits;
    struct error err = {0};
    engine_limits(&s->config, &options, &limits);
    emulation_fail_call(0, 0);
    enum status st = engine ? engine_open(&e, &s->device, &s->config, &s->weights, &options, &err)
                            : transformer_open(&t, &s->device, &s->config, &s->weights, &limits, &err);
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    const long calls = emulation_calls_made();
    if (e) {
        struct engine_state now;
        engine_state(e, &now);
        assert_true(now.passes == 0 && now.tokens == 0);
    }
    engine_close(e);
    transformer_close(t);
    return calls;
}

static void the_first_pass_is_made_when_an_engine_is_opened(void **state)
{
    struct subject s;
    (void)state;
    open_subject(&s);
    const long plain = calls_of(&s, false), warm = calls_of(&s, true);
    /* A layer launches nine kernels at least; there are two layers, and two passes. */
    if (warm < plain + 36) fail_msg("%ld calls of a forward pass, %ld of an engine", plain, warm);
    close_subject(&s);
}

static void what_fails_in_it_is_told_and_nothing_is_left(void **state)
{
    static const int errors[] = {ILLEGAL_ADDRESS, OUT_OF_MEMORY};
    struct subject s;
    (void)state;
    open_subject(&s);
    const long plain = calls_of(&s, false), warm = calls_of(&s, true);
    close_subject(&s);
    for (size_t i = 0; i < 2; i++)
        for (long n = plain + 2; n < warm - 10; n += 29) {
            struct engine *e = NULL;
            struct error err = {0};
            open_subject(&s);
            emulation_fail_call(n, errors[i]);
            enum status st = engine_open(&e, &s.device, &s.config, &s.weights, &options, &err);
            emulation_fail_call(0, 0);
            if (errors[i] == ILLEGAL_ADDRESS && (st != DOCKET_DEVICE || err.code != CODE_accelerator_lost))
                fail_msg("call %ld: %s: %s", n, status_name(st), err.message);
            engine_close(e);
            close_subject(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_pass_is_made_when_an_engine_is_opened),
                                       cmocka_unit_test(what_fails_in_it_is_told_and_nothing_is_left)};
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
