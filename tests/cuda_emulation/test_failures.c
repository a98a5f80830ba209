/* test_failures.c: whatever call of the CUDA runtime fails, the backend says so, crashes nowhere and gives everything back. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support/cmocka.h"
#include "tests/support/parallel.h"

const struct kernels_backend *docket_cuda_backend(void);
void emulation_fail_call(long n, int error);
long emulation_calls_made(void);
size_t emulation_live_allocations(void);

enum { K = 64, ROWS = 3, HEADS = 2, HEAD = 32, OUT_OF_MEMORY = 2, ILLEGAL_ADDRESS = 700 };

struct pieces {
    const struct kernels_backend *b;
    struct kernels_device *d;
    struct kernels_weight *w, *int8; /* quantized in the two ways that keep something while they are filled */
    struct kernels_weight *host, *room;
    void *pinned;
    struct kernels_weight *other; /* with a 16-bit form, where products use one */
    struct kernels_kv *kv;
    struct kernels_batch *batch;
    float *x, *out, *more; /* more: of the weights beside one */
    int32_t *ids;
};

static bool make(struct pieces *p, enum kernels_products products, struct kernels_error *error)
{
    static float values[K * K];
    static const int32_t ids[ROWS] = {1, 2, 3}, positions[ROWS] = {0, 1, 2}, experts[ROWS] = {0, 1, 2};
    static const uint32_t slots[ROWS] = {0, 1, 2};
    const struct kernels_sequence sequence = {.n_rows = ROWS, .own = {0, ROWS, 0}};
    const struct kernels_batch_desc desc = {ROWS, 1, ids, positions, slots, &sequence};
    const struct kernels_weight_desc weight = {KERNELS_NF4_NESTED, K, K}, other = {KERNELS_INT8, K, K};
    static const float two = 2;
    const struct kernels_limits limits = {.max_rows = ROWS, .dim = K, .ffn_dim = K, .n_experts = 3, .top_k = 1};
    const bool has_form = products == KERNELS_PRODUCTS_LIBRARY;
    const struct kernels_source_scale scale = {.values = &two};
    for (size_t i = 0; i < K * K; i++) values[i] = (float)(i % 37) / 37 - 0.5f;
    return p->b->reserve(p->d, &limits, error) == KERNELS_OK && (p->w = p->b->weight_begin(p->d, &weight, error)) &&
           p->b->weight_write(p->d, p->w, KERNELS_F32, values, K * K, error) == KERNELS_OK &&
           p->b->weight_finish(p->d, p->w, error) == KERNELS_OK &&
           (p->other = p->b->weight_begin(p->d, &weight, error)) &&
           p->b->weight_write(p->d, p->other, KERNELS_F32, values, K * K, error) == KERNELS_OK &&
           p->b->weight_finish(p->d, p->other, error) == KERNELS_OK &&
           (!has_form || p->b->weight_expand(p->d, p->other, error) == KERNELS_OK) &&
           (p->int8 = p->b->weight_begin(p->d, &other, error)) &&
           p->b->weight_scale(p->d, p->int8, &scale, error) == KERNELS_OK &&
           p->b->weight_write(p->d, p->int8, KERNELS_F32, values, K * K, error) == KERNELS_OK &&
           p->b->weight_finish(p->d, p->int8, error) == KERNELS_OK &&
           p->b->weights_reserve(p->d, 2 * p->b->weight_size(p->d, &weight), error) == KERNELS_OK &&
           (p->pinned = p->b->host_allocate(p->d, 100, error)) &&
           (p->host = p->b->weight_begin(p->d, &weight, error)) &&
           p->b->weight_to_host(p->d, p->host, error) == KERNELS_OK &&
           p->b->weight_write(p->d, p->host, KERNELS_F32, values, K * K, error) == KERNELS_OK &&
           p->b->weight_finish(p->d, p->host, error) == KERNELS_OK &&
           (p->room = p->b->weight_like(p->d, p->host, error)) && p->b->reserve(p->d, &limits, error) == KERNELS_OK &&
           (p->kv = p->b->kv_create(
                p->d,
                &(const struct kernels_kv_shape){
                    .format = KERNELS_KV_Q8_0, .n_layers = 1, .n_slots = 8, .n_kv_heads = 1, .head_size = HEAD},
                error)) &&
           (p->batch = p->b->batch_create(p->d, 8, 2, error)) &&
           p->b->batch_set(p->d, p->batch, &desc, error) == KERNELS_OK &&
           (p->x = p->b->buffer_allocate(p->d, ROWS * K * sizeof(float), error)) &&
           (p->out = p->b->buffer_allocate(p->d, ROWS * K * sizeof(float), error)) &&
           (p->more = p->b->buffer_allocate(p->d, 2 * ROWS * K * sizeof(float), error)) &&
           (p->ids = p->b->buffer_allocate(p->d, sizeof experts, error)) &&
           p->b->upload(p->d, p->x, values, ROWS * K * sizeof(float)) == KERNELS_OK &&
           p->b->upload(p->d, p->ids, experts, sizeof experts) == KERNELS_OK;
}

static bool run(struct pieces *p, float *result)
{
    static const float frequency[HEAD / 2] = {1};
    const struct kernels_weight *two[3] = {p->w, p->room, p->other};
    const struct kernels_linear linear = {.x = p->x,
                                          .weight = p->w,
                                          .out = p->out,
                                          .n_rows = ROWS,
                                          .beside = {{p->other, p->more}, {p->int8, p->more + ROWS * K}},
                                          .n_beside = 2};
    const struct kernels_linear whole = {
        .x = p->x, .weight = p->int8, .out = p->out, .n_rows = ROWS, .accumulate = true};
    const struct kernels_rope_kv rope = {.batch = p->batch,
                                         .q = p->x,
                                         .k = p->out,
                                         .v = p->out,
                                         .kv = p->kv,
                                         .n_heads = HEADS,
                                         .n_kv_heads = 1,
                                         .head_size = HEAD,
                                         .inverse_frequency = frequency};
    const struct kernels_attention attention = {.batch = p->batch,
                                                .q = p->x,
                                                .kv = p->kv,
                                                .out = p->out,
                                                .n_heads = HEADS,
                                                .n_kv_heads = 1,
                                                .head_size = HEAD,
                                                .scale = 1};
    const struct kernels_expert_ffn ffn = {.x = p->x,
                                           .gate = two,
                                           .up = two,
                                           .down = two,
                                           .n_experts = 3,
                                           .ids = p->ids,
                                           .weights = p->x,
                                           .out = p->out,
                                           .n_rows = ROWS,
                                           .top_k = 1};
    return p->b->weight_fetch(p->d, p->room, p->host, p->b->record(p->d)) == KERNELS_OK &&
           p->b->weight_arrived(p->d) == KERNELS_OK && p->b->linear(p->d, &linear) == KERNELS_OK &&
           p->b->linear(p->d, &whole) == KERNELS_OK && p->b->rope_kv(p->d, &rope) == KERNELS_OK &&
           p->b->attention(p->d, &attention) == KERNELS_OK && p->b->expert_ffn(p->d, &ffn) == KERNELS_OK &&
           p->b->download(p->d, result, p->out, ROWS * K * sizeof(float)) == KERNELS_OK;
}

/* One life of a device. Whether all of it went well; *complained: whether somebody said that it did not. */
static bool live(enum kernels_products products, float *result, bool *complained)
{
    struct host host = {.n_workers = 1};
    struct kernels_options options = host_options(&host, NULL);
    struct kernels_error error = {0}, late = {0};
    struct pieces p = {.b = docket_cuda_backend()};
    options.products = products;
    bool good = false;
    *complained = true;
    if (!(p.d = p.b->open(&options, &error))) return false;
    good = make(&p, products, &error) && run(&p, result);
    *complained = p.b->synchronize(p.d, &late) != KERNELS_OK || !good;
    if (*complained && error.code == KERNELS_OK && late.code == KERNELS_OK) fail_msg("a failure without a word");
    p.b->weight_free(p.d, p.w);
    p.b->weight_free(p.d, p.int8);
    p.b->weight_free(p.d, p.host);
    p.b->weight_free(p.d, p.room);
    p.b->weight_free(p.d, p.other);
    p.b->kv_free(p.d, p.kv);
    p.b->batch_free(p.d, p.batch);
    p.b->close(p.d);
    return good && !*complained;
}

static void every_failed_call_is_reported_and_nothing_is_kept(enum kernels_products products, int kind)
{
    float want[ROWS * K], got[ROWS * K];
    bool complained;
    emulation_fail_call(0, 0);
    assert_true(live(products, want, &complained));
    long calls = emulation_calls_made(), unseen = 0;
    assert_true(calls > 30);
    for (long n = 1; n <= calls; n++) {
        memset(got, 0xff, sizeof got);
        emulation_fail_call(n, kind);
        bool good = live(products, got, &complained);
        emulation_fail_call(0, 0);
        if (good && memcmp(got, want, sizeof want))
            fail_msg("call %ld failed, nobody noticed, and the numbers are wrong", n);
        unseen += good;
        if (emulation_live_allocations())
            fail_msg("call %ld failed: %zu pieces are left", n, emulation_live_allocations());
    }
    /* Only what tidies up may fail unseen: freeing, and closing. */
    if (unseen > calls / 3) fail_msg("%ld of %ld failures went unseen", unseen, calls);
}

static void out_of_memory_at_any_call_is_reported(void **state)
{
    (void)state;
    every_failed_call_is_reported_and_nothing_is_kept(KERNELS_PRODUCTS_AUTO, OUT_OF_MEMORY);
    every_failed_call_is_reported_and_nothing_is_kept(KERNELS_PRODUCTS_LIBRARY, OUT_OF_MEMORY);
}

static void a_lost_device_at_any_call_is_reported(void **state)
{
    (void)state;
    every_failed_call_is_reported_and_nothing_is_kept(KERNELS_PRODUCTS_AUTO, ILLEGAL_ADDRESS);
    every_failed_call_is_reported_and_nothing_is_kept(KERNELS_PRODUCTS_LIBRARY, ILLEGAL_ADDRESS);
}

/* Row R3 and its neighbours: which errors end the device, and which only the work in hand. */
static void every_error_is_of_its_kind(void **state)
{
    static const struct {
        int error;
        enum kernels_status want;
    } cases[] = {{2, KERNELS_NO_MEMORY},     {1, KERNELS_FAILED},        {701, KERNELS_FAILED},
                 {704, KERNELS_FAILED},      {214, KERNELS_DEVICE_LOST}, {700, KERNELS_DEVICE_LOST},
                 {710, KERNELS_DEVICE_LOST}, {714, KERNELS_DEVICE_LOST}, {716, KERNELS_DEVICE_LOST},
                 {718, KERNELS_DEVICE_LOST}, {719, KERNELS_DEVICE_LOST}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct kernels_backend *b = docket_cuda_backend();
        struct host host = {.n_workers = 1};
        struct kernels_options options = host_options(&host, NULL);
        struct kernels_error error = {0};
        emulation_fail_call(0, 0);
        struct kernels_device *d = b->open(&options, &error);
        assert_non_null(d);
        emulation_fail_call(1, cases[i].error);
        b->buffer_allocate(d, 100, NULL);
        emulation_fail_call(0, 0); /* the runtime would go on; the device may not */
        if (b->synchronize(d, &error) != cases[i].want)
            fail_msg("error %d: %s", cases[i].error, docket_kernels_status_name(error.code));
        bool again = b->synchronize(d, NULL) == KERNELS_OK, lost = cases[i].want == KERNELS_DEVICE_LOST;
        assert_int_equal(again, !lost);
        if (lost) assert_null(b->buffer_allocate(d, 100, NULL));
        b->close(d);
    }
}

struct thread_work {
    struct kernels_device *device;
    bool good;
};

static void *use_device(void *argument)
{
    struct thread_work *work = argument;
    const struct kernels_backend *b = docket_cuda_backend();
    float *values = b->buffer_allocate(work->device, 4 * sizeof *values, NULL);
    work->good = values && b->add(work->device, values, values, 4) == KERNELS_OK &&
                 b->synchronize(work->device, NULL) == KERNELS_OK;
    return NULL;
}

/* The runtime's device is the thread's: that of a new thread is number 0. */
static void a_second_card_serves_whichever_thread_comes(void **state)
{
    const struct kernels_backend *b = docket_cuda_backend();
    struct host host = {.n_workers = 1};
    struct kernels_options options = host_options(&host, NULL);
    struct kernels_error error = {0};
    pthread_t thread;

    (void)state;
    setenv("EMULATION_CARDS", "8.0,8.6", 1);
    emulation_fail_call(0, 0);
    options.device_index = 1;
    struct thread_work work = {b->open(&options, &error), false};
    if (!work.device) fail_msg("%s", error.message);
    assert_int_equal(pthread_create(&thread, NULL, use_device, &work), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(work.good);
    options.device_index = 0; /* and this thread goes from one to the other */
    struct kernels_device *first = b->open(&options, &error);
    assert_non_null(first);
    use_device(&work);
    assert_true(work.good);
    b->close(first);
    b->close(work.device);
    unsetenv("EMULATION_CARDS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_at_any_call_is_reported),
        cmocka_unit_test(a_lost_device_at_any_call_is_reported),
        cmocka_unit_test(every_error_is_of_its_kind),
        cmocka_unit_test(a_second_card_serves_whichever_thread_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
