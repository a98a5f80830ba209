/* The batch engine: what a request is answered does not depend on what else ran, and equals the plain forward pass. */
#include "tests/support/cmocka.h"
#include "tests/support/tiny_model.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/engine.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#define N 24 /* requests */

struct fixture {
    struct tiny_model model;
    struct token_trie trie;
    int32_t prefix[40], documents[N][200];
    size_t lengths[N];
};

static int set_up(void **state)
{
    static struct fixture f;
    static const int32_t paths[5][4] = {{7, 8, 9}, {7, 8}, {10}, {11, 12}, {11, 13, 14, 15}};
    static const size_t lengths[5] = {3, 2, 1, 2, 4};
    struct token_list lists[5] = {0};
    size_t a, b;
    uint64_t seed = 77;
    memset(&f, 0, sizeof(f));
    if (!tiny_model_open(&f.model, "cpu", 2, 5)) return -1;
    for (int i = 0; i < 5; i++) token_list_append_all(&lists[i], paths[i], lengths[i]);
    if (token_trie_build(&f.trie, lists, 5, 2, &a, &b, NULL) != DOCKET_OK) return -1;
    for (int i = 0; i < 5; i++) token_list_free(&lists[i]);
    for (size_t i = 0; i < 40; i++) f.prefix[i] = (int32_t)((i * 17 + 3) % 61);
    for (size_t d = 0; d < N; d++) {
        f.lengths[d] = 1 + (d * 37) % 200;
        for (size_t i = 0; i < f.lengths[d]; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            f.documents[d][i] = (int32_t)((seed >> 33) % 61);
        }
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    token_trie_free(&f->trie);
    tiny_model_close(&f->model);
    return 0;
}

static struct engine *open_engine(struct fixture *f, size_t max_rows, size_t kv_slots)
{
    struct engine *e = NULL;
    struct error err = {0};
    const struct engine_options options = {.max_tokens = 400, .max_rows = max_rows, .kv_slots = kv_slots};
    enum status st = engine_open(&e, &f->model.device, &f->model.config, &f->model.weights, &options, &err);
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    return e;
}

/* All documents at once; out [N, 5]. */
static void score_all(struct fixture *f, struct engine *e, bool one_by_one, double *out)
{
    struct score_request requests[N] = {0};
    struct engine_prefix *prefix = NULL;
    assert_int_equal(engine_prefix_open(e, f->prefix, 40, &prefix, NULL), DOCKET_OK);
    for (size_t i = 0; i < N; i++) {
        requests[i] = (struct score_request){.prefix = prefix,
                                             .tokens = f->documents[i],
                                             .n_tokens = f->lengths[i],
                                             .trie = &f->trie,
                                             .log_probabilities = out + i * 5};
        engine_submit(e, &requests[i]);
        if (one_by_one) engine_wait(e, &requests[i]);
    }
    for (size_t i = 0; i < N; i++) {
        engine_wait(e, &requests[i]);
        if (requests[i].status != DOCKET_OK) fail_msg("request %zu: %s", i, requests[i].error.message);
    }
    engine_prefix_close(e, prefix);
}

static void answers_do_not_depend_on_batch_mates(void **state)
{
    struct fixture *f = *state;
    static double alone[N * 5], together[N * 5], pieces[N * 5], tight[N * 5];
    const struct {
        size_t max_rows, kv_slots;
        bool one_by_one;
        double *out;
    } ways[] = {{2048, 0, true, alone}, {2048, 0, false, together}, {33, 0, false, pieces}, {64, 1, false, tight}};
    for (size_t i = 0; i < 4; i++) {
        struct engine *e = open_engine(f, ways[i].max_rows, ways[i].kv_slots);
        score_all(f, e, ways[i].one_by_one, ways[i].out);
        struct engine_state s;
        engine_state(e, &s);
        assert_int_equal(s.waiting, 0);
        engine_close(e);
    }
    assert_memory_equal(alone, together, sizeof(alone));
    assert_memory_equal(alone, pieces, sizeof(alone));
    assert_memory_equal(alone, tight, sizeof(alone));
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t k = 0; k < 5; k++) sum += exp(alone[i * 5 + k]);
        assert_true(fabs(sum - 1) < 1e-9);
    }
}

/* log softmax of `token` among `n` siblings, from all logits of one position. */
static double sibling(const float *logits, int32_t token, const int32_t *among, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp(logits[among[i]] - logits[token]);
    return -log(sum);
}

/* All logits of one plain sequence, through the forward pass itself. */
static void plain_logits(struct fixture *f, const int32_t *ids, size_t n, float *last)
{
    struct transformer *t = NULL;
    int32_t positions[400];
    uint32_t slots[400], row = (uint32_t)n - 1;
    const struct transformer_limits limits = {
        .max_rows = 400, .max_sequences = 1, .kv_slots = 400, .max_outputs = 1, .kv_format = KERNELS_F16};
    assert_int_equal(transformer_open(&t, &f->model.device, &f->model.config, &f->model.weights, &limits, NULL),
                     DOCKET_OK);
    for (size_t i = 0; i < n; i++) {
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)i;
    }
    const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)n, 0}};
    const struct kernels_batch_desc batch = {n, 1, ids, positions, slots, &sequence};
    assert_int_equal(transformer_forward(t, &batch, &row, 1, NULL, NULL), DOCKET_OK);
    assert_int_equal(transformer_all_logits(t, 0, 1, last, NULL), DOCKET_OK);
    transformer_close(t);
}

static void a_trie_gives_what_separate_passes_give(void **state)
{
    struct fixture *f = *state;
    static double got[N * 5];
    float logits[61];
    int32_t ids[400];
    struct engine *e = open_engine(f, 2048, 0);
    score_all(f, e, false, got);
    engine_close(e);
    for (size_t d = 3; d < 6; d++) { /* paths 7 8 9 | 7 8 end | 10 | 11 12 | 11 13 14 15 */
        size_t n = 40 + f->lengths[d];
        memcpy(ids, f->prefix, sizeof(f->prefix));
        memcpy(ids + 40, f->documents[d], f->lengths[d] * sizeof(*ids));
        plain_logits(f, ids, n, logits);
        double seven = sibling(logits, 7, (int32_t[]){7, 10, 11}, 3),
               ten = sibling(logits, 10, (int32_t[]){7, 10, 11}, 3);
        double eleven = sibling(logits, 11, (int32_t[]){7, 10, 11}, 3);
        ids[n] = 7;
        ids[n + 1] = 8;
        plain_logits(f, ids, n + 2, logits);
        double nine = sibling(logits, 9, (int32_t[]){9, 2}, 2), end = sibling(logits, 2, (int32_t[]){9, 2}, 2);
        ids[n] = 11;
        plain_logits(f, ids, n + 1, logits);
        double twelve = sibling(logits, 12, (int32_t[]){12, 13}, 2),
               thirteen = sibling(logits, 13, (int32_t[]){12, 13}, 2);
        const double want[5] = {seven + nine, seven + end, ten, eleven + twelve, eleven + thirteen};
        for (int k = 0; k < 5; k++)
            if (!(fabs(got[d * 5 + k] - want[k]) <= 1e-3))
                fail_msg("document %zu, leaf %d: %g instead of %g", d, k, got[d * 5 + k], want[k]);
    }
}

static void a_stopped_request_is_cancelled_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct engine *e = open_engine(f, 64, 0);
    atomic_bool stop = true;
    double a[5], b[5];
    struct score_request one = {
        .tokens = f->documents[1], .n_tokens = f->lengths[1], .trie = &f->trie, .stop = &stop, .log_probabilities = a};
    struct score_request two = {
        .tokens = f->documents[2], .n_tokens = f->lengths[2], .trie = &f->trie, .log_probabilities = b};
    engine_submit(e, &one);
    engine_submit(e, &two);
    engine_wait(e, &one);
    engine_wait(e, &two);
    assert_int_equal(one.status, DOCKET_CANCELLED);
    assert_int_equal(two.status, DOCKET_OK);
    engine_close(e);
}

static void what_is_too_long_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct engine *e = open_engine(f, 64, 0);
    static int32_t many[500];
    double p[5];
    struct error err = {0};
    struct engine_prefix *prefix;
    struct score_request r = {.tokens = many, .n_tokens = 399, .trie = &f->trie, .log_probabilities = p};
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_LIMIT);
    assert_int_equal(r.error.code, CODE_document_too_long);
    assert_int_equal(engine_prefix_open(e, many, 400, &prefix, &err), DOCKET_LIMIT);
    assert_int_equal(err.code, CODE_prompt_too_long);
    engine_close(e);
}

static void numbers_that_are_not_finite_are_tried_twice_and_said(void **state)
{
    struct fixture *f = *state;
    struct engine *e = open_engine(f, 64, 0);
    const struct kernels_weight_desc desc = {KERNELS_F32, 1, 64};
    const struct kernels_backend *b = f->model.device.backend;
    float nan[64], p_bad[1];
    double p[5], q[5];
    (void)p_bad;
    for (int i = 0; i < 64; i++) nan[i] = NAN;
    struct kernels_weight *bad = b->weight_begin(f->model.device.handle, &desc, NULL), *good = f->model.weights.norm;
    assert_non_null(bad);
    assert_int_equal(b->weight_write(f->model.device.handle, bad, KERNELS_F32, nan, 64, NULL), KERNELS_OK);
    assert_int_equal(b->weight_finish(f->model.device.handle, bad, NULL), KERNELS_OK);
    f->model.weights.norm = bad;
    struct score_request r = {
        .tokens = f->documents[1], .n_tokens = f->lengths[1], .trie = &f->trie, .log_probabilities = p};
    engine_submit(e, &r);
    engine_wait(e, &r);
    f->model.weights.norm = good;
    b->weight_free(f->model.device.handle, bad);
    assert_int_equal(r.status, DOCKET_INTERNAL);
    assert_int_equal(r.error.code, CODE_inference_not_finite);
    assert_true(engine_healthy(e, NULL)); /* the document's fault, not the device's */
    struct score_request next = {
        .tokens = f->documents[1], .n_tokens = f->lengths[1], .trie = &f->trie, .log_probabilities = q};
    engine_submit(e, &next);
    engine_wait(e, &next);
    assert_int_equal(next.status, DOCKET_OK);
    engine_close(e);
}

/* A device that has no memory for passes of more rows than that. */
static const struct kernels_backend *real;
static size_t most_rows, n_refused;

static enum kernels_status small_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args)
{
    if (args->n_rows <= most_rows) return real->expert_ffn(device, args);
    n_refused++;
    return KERNELS_NO_MEMORY;
}

static void r2_a_pass_that_the_device_has_no_memory_for_comes_again_in_smaller_ones(void **state)
{
    struct fixture *f = *state;
    static double want[N * 5], got[N * 5];
    struct kernels_backend small = *f->model.device.backend;
    struct engine_state s;
    struct engine *e = open_engine(f, 2048, 0);
    score_all(f, e, false, want);
    engine_close(e);
    real = f->model.device.backend;
    small.expert_ffn = small_expert_ffn;
    f->model.device.backend = &small;
    for (most_rows = 7; most_rows < 150; most_rows = most_rows * 4 + 1) {
        memset(got, 0, sizeof(got));
        n_refused = 0;
        e = open_engine(f, 2048, 0);
        score_all(f, e, false, got);
        engine_state(e, &s);
        assert_true(engine_healthy(e, NULL));
        engine_close(e);
        assert_memory_equal(got, want, sizeof(want));
        if (n_refused == 0 || s.splits != n_refused)
            fail_msg("at most %zu rows: %zu passes were refused, %llu halved", most_rows, n_refused,
                     (unsigned long long)s.splits);
    }
    f->model.device.backend = real;
}

/* Nothing fits: each document says so, the engine lives, and works again when there is memory. */
static void r2_what_fits_in_no_pass_is_a_documents_error(void **state)
{
    struct fixture *f = *state;
    struct kernels_backend small = *f->model.device.backend;
    double p[5];
    real = f->model.device.backend;
    small.expert_ffn = small_expert_ffn;
    f->model.device.backend = &small;
    struct engine *e = open_engine(f, 2048, 0);
    struct score_request r = {
        .tokens = f->documents[3], .n_tokens = f->lengths[3], .trie = &f->trie, .log_probabilities = p};
    most_rows = 0;
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_NO_DEVICE_MEMORY);
    assert_int_equal(r.error.code, CODE_inference_out_of_memory);
    assert_true(error_code_retryable(r.error.code));
    assert_true(engine_healthy(e, NULL));
    most_rows = SIZE_MAX;
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_OK);
    engine_close(e);
    f->model.device.backend = real;
}

static struct engine *open_safe_engine(struct fixture *f, double safety)
{
    struct engine *e = NULL;
    struct error err = {0};
    const struct engine_options options = {.max_tokens = 400, .max_rows = 64, .kv_slots = 800, .safety = safety};
    if (engine_open(&e, &f->model.device, &f->model.config, &f->model.weights, &options, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    return e;
}

static void what_is_safe_bounds_what_is_in_hand_and_changes_no_answer(void **state)
{
    struct fixture *f = *state;
    static double want[N * 5], got[N * 5];
    double p[5];
    struct engine *e = open_safe_engine(f, 1);
    score_all(f, e, false, want);
    engine_close(e);
    e = open_safe_engine(f, 0.35); /* one or two documents at a time */
    score_all(f, e, false, got);
    engine_close(e);
    assert_memory_equal(got, want, sizeof(want));
    e = open_safe_engine(f, 0.1);
    struct score_request r = {.tokens = f->documents[5], .n_tokens = 150, .trie = &f->trie, .log_probabilities = p};
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_LIMIT);
    assert_int_equal(r.error.code, CODE_job_exceeds_memory_plan);
    assert_non_null(strstr(r.error.message, "MB"));
    engine_close(e);
}

/* Passes that hold all of what they answer need of the cache the prefix alone. */
static void documents_of_one_pass_take_nothing_of_the_cache(void **state)
{
    struct fixture *f = *state;
    static double want[N * 5], got[N * 5];
    struct engine_state s;
    size_t n_tokens = 0;
    for (size_t i = 0; i < N; i++) n_tokens += f->lengths[i] + f->trie.n_fed;
    assert_in_range(n_tokens, 2000, 4000);
    struct engine *e = open_engine(f, 4000, 8000);
    score_all(f, e, false, want);
    engine_close(e);
    e = open_engine(f, 4000, 500);
    score_all(f, e, false, got);
    engine_state(e, &s);
    assert_in_range(s.passes, 2, 1 + N); /* the prefix, and what was there when the pass began */
    engine_close(e);
    assert_memory_equal(got, want, sizeof(want));
}

static void score_behind(struct fixture *f, struct engine *e, const int32_t *ids, size_t n_prefix, size_t n,
                         double *out)
{
    struct engine_prefix *prefix = NULL;
    assert_int_equal(engine_prefix_open(e, ids, n_prefix, &prefix, NULL), DOCKET_OK);
    struct score_request r = {
        .prefix = prefix, .tokens = ids + n_prefix, .n_tokens = n, .trie = &f->trie, .log_probabilities = out};
    engine_submit(e, &r);
    engine_wait(e, &r);
    if (r.status != DOCKET_OK) fail_msg("%zu tokens behind %zu: %s", n, n_prefix, r.error.message);
    engine_prefix_close(e, prefix);
}

/* 500 slots: a prefix of 150, one of 200 behind it, then a document of 190, for which there is no gap until the prefix moves. */
static void a_prefix_in_the_middle_gives_way_to_its_own_document(void **state)
{
    struct fixture *f = *state;
    static int32_t ids[2][400];
    double want[5], got[5], other[5];
    for (size_t i = 0; i < 400; i++) ids[0][i] = (int32_t)((i * 13 + 5) % 61), ids[1][i] = (int32_t)((i * 7 + 1) % 61);
    struct engine *e = open_engine(f, 64, 5000);
    score_behind(f, e, ids[1], 200, 190, want);
    engine_close(e);
    e = open_engine(f, 64, 500);
    for (int again = 0; again < 3; again++) {
        score_behind(f, e, ids[0], 150, 5, other);
        score_behind(f, e, ids[1], 200, 5, other);
        score_behind(f, e, ids[1], 200, 190, got);
        assert_memory_equal(got, want, sizeof(want));
    }
    engine_close(e);
}

/* Long documents and short ones behind four prefixes, all at once, in a cache that holds one of the long ones: each is answered as alone. */
static void who_waits_for_the_cache_is_passed_by_nobody_and_gets_it(void **state)
{
    enum { ALL = 32 };
    struct fixture *f = *state;
    static int32_t ids[4][400];
    static double want[ALL][5], got[ALL][5];
    struct engine_prefix *prefixes[4];
    struct score_request r[ALL] = {0};
    for (size_t p = 0; p < 4; p++)
        for (size_t i = 0; i < 400; i++) ids[p][i] = (int32_t)((i * (7 + 4 * p) + p) % 61);
    for (int tight = 0; tight < 2; tight++) {
        struct engine *e = open_engine(f, 64, tight ? 500 : 20000);
        for (size_t p = 0; p < 4; p++)
            assert_int_equal(engine_prefix_open(e, ids[p], 60 + 20 * p, &prefixes[p], NULL), DOCKET_OK);
        for (size_t i = 0; i < ALL; i++) {
            r[i] = (struct score_request){.prefix = prefixes[i % 4],
                                          .tokens = ids[i * 7 % 4] + i,
                                          .n_tokens = i % 3 == 0 ? 240 : 3 + i,
                                          .trie = &f->trie,
                                          .log_probabilities = tight ? got[i] : want[i]};
            engine_submit(e, &r[i]);
            if (!tight) engine_wait(e, &r[i]);
        }
        for (size_t i = 0; i < ALL; i++) {
            engine_wait(e, &r[i]);
            if (r[i].status != DOCKET_OK) fail_msg("request %zu: %s", i, r[i].error.message);
        }
        for (size_t p = 0; p < 4; p++) engine_prefix_close(e, prefixes[p]);
        engine_close(e);
    }
    assert_memory_equal(got, want, sizeof(want));
}

static atomic_bool goes_on;

static enum kernels_status wait_and_embed(struct kernels_device *device, const struct kernels_embed *args)
{
    while (!atomic_load(&goes_on)) sched_yield();
    return real->embed(device, args);
}

/* 500 slots hold prefixes of 250 and 100. A document of 240 behind the second has no room beside the first, which the document before it in
 * the same pass looks at. */
static void a_prefix_that_this_pass_looks_at_stays(void **state)
{
    struct fixture *f = *state;
    static int32_t ids[2][400];
    double want[2][5], got[2][5], other[5];
    struct kernels_backend held = *f->model.device.backend;
    struct engine_prefix *prefixes[2];
    struct score_request first = {.tokens = f->prefix, .n_tokens = 40, .trie = &f->trie, .log_probabilities = other},
                         r[2] = {0};
    for (size_t i = 0; i < 400; i++) ids[0][i] = (int32_t)((i * 13 + 5) % 61), ids[1][i] = (int32_t)((i * 7 + 1) % 61);
    real = f->model.device.backend;
    held.embed = wait_and_embed;
    atomic_store(&goes_on, true);
    struct engine *e = open_engine(f, 64, 5000);
    score_behind(f, e, ids[0], 250, 5, want[0]);
    score_behind(f, e, ids[1], 100, 240, want[1]);
    engine_close(e);
    f->model.device.backend = &held;
    e = open_engine(f, 64, 500);
    for (size_t i = 0; i < 2; i++) {
        size_t n_prefix = i ? 100 : 250;
        score_behind(f, e, ids[i], n_prefix, 5, other);
        assert_int_equal(engine_prefix_open(e, ids[i], n_prefix, &prefixes[i], NULL), DOCKET_OK);
        r[i] = (struct score_request){.prefix = prefixes[i],
                                      .tokens = ids[i] + n_prefix,
                                      .n_tokens = i ? 240 : 5,
                                      .trie = &f->trie,
                                      .log_probabilities = got[i]};
    }
    atomic_store(&goes_on, false);
    engine_submit(e, &first); /* while it runs, the two come */
    engine_submit(e, &r[0]);
    engine_submit(e, &r[1]);
    atomic_store(&goes_on, true);
    for (size_t i = 0; i < 2; i++) {
        engine_wait(e, &r[i]);
        assert_int_equal(r[i].status, DOCKET_OK);
        engine_prefix_close(e, prefixes[i]);
    }
    engine_wait(e, &first);
    engine_close(e);
    f->model.device.backend = real;
    assert_memory_equal(got, want, sizeof(want));
}

static struct engine *open_checked_engine(struct fixture *f, uint64_t check_passes, double check_seconds,
                                          double stall_seconds)
{
    struct engine *e = NULL;
    struct error err = {0};
    const struct engine_options options = {.max_tokens = 400,
                                           .max_rows = 64,
                                           .check_passes = check_passes,
                                           .check_seconds = check_seconds,
                                           .stall_seconds = stall_seconds};
    if (engine_open(&e, &f->model.device, &f->model.config, &f->model.weights, &options, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    return e;
}

static void wait_for_checks(struct engine *e, uint64_t n)
{
    struct engine_state s = {0};
    for (uint64_t start = clock_now_ns(); s.checks < n && clock_seconds_since(start) < 60; sched_yield())
        engine_state(e, &s);
    assert_true(s.checks >= n);
}

static struct kernels_weight *ones(struct fixture *f, float value)
{
    const struct kernels_weight_desc desc = {KERNELS_F32, 1, f->model.config.dim};
    const struct kernels_backend *b = f->model.device.backend;
    float values[256];
    assert_true(desc.cols <= 256);
    for (size_t i = 0; i < desc.cols; i++) values[i] = value;
    struct kernels_weight *w = b->weight_begin(f->model.device.handle, &desc, NULL);
    assert_int_equal(b->weight_write(f->model.device.handle, w, KERNELS_F32, values, desc.cols, NULL), KERNELS_OK);
    assert_int_equal(b->weight_finish(f->model.device.handle, w, NULL), KERNELS_OK);
    return w;
}

/* Among documents and between them, and no answer changes. */
static void r6_the_known_answer_is_looked_at_and_stays(void **state)
{
    struct fixture *f = *state;
    static double want[N * 5], got[N * 5];
    struct engine_state s;
    struct engine *e = open_engine(f, 64, 0);
    score_all(f, e, false, want);
    engine_close(e);
    e = open_checked_engine(f, 1, 1000, 0);
    engine_start_checks(e);
    score_all(f, e, false, got);
    engine_state(e, &s);
    assert_in_range(s.checks, s.passes / 2, s.passes + 1);
    assert_true(engine_healthy(e, NULL));
    engine_close(e);
    assert_memory_equal(got, want, sizeof(want));
    e = open_checked_engine(f, 1000, 0.01, 0);
    engine_start_checks(e);
    wait_for_checks(e, 4);
    assert_true(engine_healthy(e, NULL));
    engine_close(e);
}

static void r6_memory_that_changed_ends_the_engine_with_what_was_expected_and_found(void **state)
{
    struct fixture *f = *state;
    struct kernels_weight *good = f->model.weights.norm, *bad = ones(f, 1.0625f);
    struct error err = {0};
    double p[5];
    struct score_request r = {
        .tokens = f->documents[1], .n_tokens = f->lengths[1], .trie = &f->trie, .log_probabilities = p};
    struct engine *e = open_checked_engine(f, 1, 1000, 0);
    engine_start_checks(e);
    wait_for_checks(e, 1);
    f->model.weights.norm = bad;
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_OK); /* nobody knows yet */
    wait_for_checks(e, 2);
    assert_false(engine_healthy(e, &err));
    assert_int_equal(err.code, CODE_internal_error);
    assert_int_equal(exit_code_of(&err), DOCKET_EXIT_INTERNAL);
    assert_non_null(strstr(err.message, "self-test: the logit of token"));
    assert_non_null(strstr(err.message, "memory has changed"));
    engine_submit(e, &r);
    engine_wait(e, &r);
    assert_int_equal(r.status, DOCKET_INTERNAL);
    engine_close(e);
    f->model.weights.norm = good;
    f->model.device.backend->weight_free(f->model.device.handle, bad);
}

/* Before anything is known of how long a pass takes, and after. */
static void r4_a_pass_that_does_not_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct kernels_backend held = *f->model.device.backend;
    struct error err = {0};
    double p[5];
    struct score_request r = {
        .tokens = f->documents[1], .n_tokens = f->lengths[1], .trie = &f->trie, .log_probabilities = p};
    real = f->model.device.backend;
    held.embed = wait_and_embed;
    f->model.device.backend = &held;
    struct engine *e = open_checked_engine(f, 1000, 1000, 0.02);
    for (int known = 0; known < 2; known++) {
        atomic_store(&goes_on, false);
        engine_submit(e, &r);
        uint64_t start = clock_now_ns();
        while (engine_healthy(e, &err) && clock_seconds_since(start) < 60) sched_yield();
        assert_false(engine_healthy(e, NULL));
        assert_int_equal(err.code, CODE_accelerator_lost);
        assert_int_equal(exit_code_of(&err), DOCKET_EXIT_DEVICE);
        assert_non_null(strstr(err.message, "were the most expected"));
        atomic_store(&goes_on, true);
        engine_wait(e, &r);
        assert_int_equal(r.status, DOCKET_OK);
        assert_true(engine_healthy(e, NULL));
    }
    engine_close(e);
    f->model.device.backend = real;
}

static void closing_answers_what_waits(void **state)
{
    struct fixture *f = *state;
    struct engine *e = open_engine(f, 33, 0);
    static double p[N][5];
    struct score_request r[N] = {0};
    for (size_t i = 0; i < N; i++) {
        r[i] = (struct score_request){
            .tokens = f->documents[i], .n_tokens = f->lengths[i], .trie = &f->trie, .log_probabilities = p[i]};
        engine_submit(e, &r[i]);
    }
    engine_close(e);
    for (size_t i = 0; i < N; i++)
        assert_true(r[i].done && (r[i].status == DOCKET_OK || r[i].status == DOCKET_CANCELLED));
}

static struct kernels_backend counting;
static const struct kernels_backend *counted;
static unsigned n_synchronized, n_downloaded;

static enum kernels_status count_synchronize(struct kernels_device *device, struct kernels_error *error)
{
    n_synchronized++;
    return counted->synchronize(device, error);
}

static enum kernels_status count_download(struct kernels_device *device, void *to, const void *from, size_t size_bytes)
{
    n_downloaded++;
    return counted->download(device, to, from, size_bytes);
}

/* A device that works on its own time is kept from it by each wait: the logits are queued behind the pass, and come in one copy. */
static void a_pass_with_answers_is_waited_for_once(void **state)
{
    struct fixture *f = *state;
    struct transformer *t = NULL;
    struct device device = f->model.device;
    int32_t positions[20], tokens[3] = {5, 6, 7};
    uint32_t slots[20], rows[2] = {3, 19}, outputs[3] = {0, 1, 1};
    float logits[3];
    const struct transformer_limits limits = {
        .max_rows = 20, .max_sequences = 1, .kv_slots = 20, .max_outputs = 2, .kv_format = KERNELS_F16};
    const struct kernels_sequence sequence = {.n_rows = 20, .own = {0, 20, 0}};
    const struct kernels_batch_desc batch = {20, 1, f->prefix, positions, slots, &sequence};

    counted = device.backend;
    counting = *counted;
    counting.synchronize = count_synchronize;
    counting.download = count_download;
    device.backend = &counting;
    for (size_t i = 0; i < 20; i++) positions[i] = (int32_t)i, slots[i] = (uint32_t)i;
    assert_int_equal(transformer_open(&t, &device, &f->model.config, &f->model.weights, &limits, NULL), DOCKET_OK);
    n_synchronized = n_downloaded = 0;
    assert_int_equal(transformer_forward(t, &batch, rows, 2, NULL, NULL), DOCKET_OK);
    assert_int_equal(n_synchronized + n_downloaded, 0);
    assert_int_equal(transformer_gather_logits(t, outputs, tokens, 3, logits, NULL), DOCKET_OK);
    assert_int_equal(n_downloaded, 1);
    assert_int_equal(n_synchronized, 1);
    assert_int_equal(transformer_forward(t, &batch, rows, 0, NULL, NULL), DOCKET_OK); /* nobody asks for more */
    assert_int_equal(n_synchronized, 2);
    transformer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_do_not_depend_on_batch_mates),
        cmocka_unit_test(a_trie_gives_what_separate_passes_give),
        cmocka_unit_test(a_stopped_request_is_cancelled_and_the_others_go_on),
        cmocka_unit_test(what_is_too_long_is_refused_at_once),
        cmocka_unit_test(numbers_that_are_not_finite_are_tried_twice_and_said),
        cmocka_unit_test(r2_a_pass_that_the_device_has_no_memory_for_comes_again_in_smaller_ones),
        cmocka_unit_test(r2_what_fits_in_no_pass_is_a_documents_error),
        cmocka_unit_test(what_is_safe_bounds_what_is_in_hand_and_changes_no_answer),
        cmocka_unit_test(documents_of_one_pass_take_nothing_of_the_cache),
        cmocka_unit_test(a_prefix_in_the_middle_gives_way_to_its_own_document),
        cmocka_unit_test(who_waits_for_the_cache_is_passed_by_nobody_and_gets_it),
        cmocka_unit_test(a_prefix_that_this_pass_looks_at_stays),
        cmocka_unit_test(r4_a_pass_that_does_not_end_is_told),
        cmocka_unit_test(r6_the_known_answer_is_looked_at_and_stays),
        cmocka_unit_test(r6_memory_that_changed_ends_the_engine_with_what_was_expected_and_found),
        cmocka_unit_test(closing_answers_what_waits),
        cmocka_unit_test(a_pass_with_answers_is_waited_for_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
