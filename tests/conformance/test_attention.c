/* test_attention.c: rotation, cache and attention of every backend against the reference, over sequences that share ranges,
 * grow pass by pass, branch into trees or see a window; and bit for bit against themselves, however the work is cut.
 *
 * A scene is a set of tokens with one slot each, of the same number, and the sequences that compute them, pass by pass. */
#include "tests/conformance/rig.h"

#define MAX_TOKENS 420

struct scene_sequence {
    uint32_t pass, first, n_old, n_new; /* own tokens [first, first + n_old + n_new); the last n_new in this pass */
    uint32_t n_shared;
    struct {
        uint32_t first, n;
    } shared[KERNELS_MAX_SHARED];
    const int32_t *parent;
};

struct scene {
    const char *name;
    const struct scene_sequence *sequences;
    size_t n_sequences;
    uint32_t n_slots; /* tokens from here on have running slots */
};

static const int32_t tree[] = {-1, 0, 0, 2, -1, 4, 3, 1, 6, 8, 5};
static int32_t chain[70];

/* A prefix, two documents behind it, the questions of a tree behind both, and a sequence that shares nothing. */
static const struct scene_sequence job[] = {
    {.pass = 0, .first = 0, .n_new = 70},
    {.pass = 0, .first = 70, .n_new = 5},
    {.pass = 1, .first = 100, .n_new = 37, .n_shared = 1, .shared = {{0, 70}}},
    {.pass = 1, .first = 140, .n_new = 130, .n_shared = 1, .shared = {{0, 70}}},
    {.pass = 1, .first = 70, .n_old = 5, .n_new = 1},
    {.pass = 2, .first = 280, .n_new = 11, .n_shared = 2, .shared = {{0, 70}, {100, 37}}, .parent = tree},
    {.pass = 2, .first = 300, .n_new = 70, .n_shared = 2, .shared = {{0, 70}, {140, 130}}, .parent = chain},
    {.pass = 2, .first = 400, .n_new = 11, .parent = tree},
    {.pass = 2, .first = 70, .n_old = 6, .n_new = 3},
    {.pass = 2, .first = 76 + 3, .n_new = 0},
};

/* The same tokens in other passes and other company, some ranges own instead of shared. */
static const struct scene_sequence job_cut_otherwise[] = {
    {.pass = 0, .first = 70, .n_new = 9},
    {.pass = 1, .first = 0, .n_new = 1},
    {.pass = 2, .first = 0, .n_old = 1, .n_new = 64},
    {.pass = 3, .first = 0, .n_old = 65, .n_new = 5},
    {.pass = 4, .first = 140, .n_new = 63, .n_shared = 1, .shared = {{0, 70}}},
    {.pass = 4, .first = 400, .n_new = 11, .parent = tree},
    {.pass = 5, .first = 140, .n_old = 63, .n_new = 67, .n_shared = 2, .shared = {{0, 30}, {30, 40}}},
    {.pass = 5, .first = 100, .n_new = 37, .n_shared = 2, .shared = {{0, 69}, {69, 1}}},
    {.pass = 6, .first = 300, .n_new = 1, .n_shared = 2, .shared = {{0, 70}, {140, 130}}},
    {.pass = 7, .first = 300, .n_old = 1, .n_new = 69, .n_shared = 2, .shared = {{0, 70}, {140, 130}}},
    {.pass = 7, .first = 280, .n_new = 11, .n_shared = 2, .shared = {{0, 70}, {100, 37}}, .parent = tree},
};

/* The same ranges as in `job`; what begins in the second pass ends there, and leaves nothing. */
static const struct scene_sequence job_running[] = {
    {.pass = 0, .first = 0, .n_new = 70},
    {.pass = 0, .first = 70, .n_new = 9},
    {.pass = 1, .first = 100, .n_new = 37, .n_shared = 1, .shared = {{0, 70}}},
    {.pass = 1, .first = 280, .n_new = 11, .n_shared = 2, .shared = {{0, 70}, {100, 37}}, .parent = tree},
    {.pass = 1, .first = 140, .n_new = 130, .n_shared = 1, .shared = {{0, 70}}},
    {.pass = 1, .first = 300, .n_new = 70, .n_shared = 2, .shared = {{0, 70}, {140, 130}}, .parent = chain},
    {.pass = 1, .first = 400, .n_new = 11, .parent = tree},
};

enum { JOB, CUT_OTHERWISE, RUNNING, SCENES };
static const struct scene scenes[SCENES] = {
    {"job", job, sizeof job / sizeof job[0], MAX_TOKENS},
    {"job_cut_otherwise", job_cut_otherwise, sizeof job_cut_otherwise / sizeof job_cut_otherwise[0], MAX_TOKENS},
    {"job_running", job_running, sizeof job_running / sizeof job_running[0], 100}};

static const struct attention_case {
    size_t h, g, d;
    enum kernels_format format;
    uint32_t window;
} cases[] = {
    {4, 4, 32, KERNELS_F32, 0},       {8, 2, 64, KERNELS_F16, 0},     {4, 1, 96, KERNELS_F16, 17},
    {8, 1, 128, KERNELS_F16, 0},      {2, 2, 128, KERNELS_F32, 64},   {72, 1, 16, KERNELS_F16, 0},
    {3, 3, 2, KERNELS_F32, 1},        {6, 2, 80, KERNELS_F32, 100},   {2, 1, 256, KERNELS_F16, 0},
    {5, 5, 18, KERNELS_F16, 3},       {8, 2, 64, KERNELS_KV_Q8_0, 0}, {4, 1, 128, KERNELS_KV_Q4_0, 0},
    {6, 2, 80, KERNELS_KV_Q4_0, 100}, {5, 5, 18, KERNELS_KV_Q8_0, 3}, {2, 1, 256, KERNELS_KV_Q8_0, 0},
};

RIGS_OF_ALL_TESTS(3)

/* Positions follow the ranges: a document begins where the prefix ends, whoever holds it. */
static uint32_t start_of(uint32_t first)
{
    switch (first) {
    case 0:
        return 0;
    case 70:
        return 0;
    case 79:
        return 0;
    case 100:
        return 70;
    case 140:
        return 70;
    case 280:
        return 107;
    case 300:
        return 200;
    case 30:
        return 30;
    case 69:
        return 69;
    default:
        return 0;
    }
}

static int32_t position_of(const struct scene_sequence *s, uint32_t i)
{
    uint32_t depth = i;

    if (s->parent && s->parent != chain) { /* depth in the tree */
        depth = 0;
        for (int32_t j = s->parent[i]; j >= 0; j = s->parent[j]) depth++;
    }
    return (int32_t)(start_of(s->first) + (s->parent ? depth : s->n_old + i));
}

struct tokens {
    float *q, *k, *v; /* [MAX_TOKENS, heads, d] */
    float *out, *turned_q, *turned_k;
};

static struct tokens tokens_make(const struct attention_case *c, uint64_t seed)
{
    struct numbers numbers = {seed};
    size_t nq = MAX_TOKENS * c->h * c->d, nk = MAX_TOKENS * c->g * c->d;
    struct tokens t = {host_values(nq), host_values(nk), host_values(nk),
                       host_values(nq), host_values(nq), host_values(nk)};

    numbers_fill(&numbers, t.q, nq);
    numbers_fill(&numbers, t.k, nk);
    numbers_fill(&numbers, t.v, nk);
    for (size_t i = 0; i < nq; i++) t.out[i] = t.turned_q[i] = 0;
    for (size_t i = 0; i < nk; i++) t.turned_k[i] = 0;
    return t;
}

static void tokens_free(struct tokens *t)
{
    free(t->q);
    free(t->k);
    free(t->v);
    free(t->out);
    free(t->turned_q);
    free(t->turned_k);
}

static void take_rows(float *to, const float *device_rows, uint32_t n_rows, const uint32_t *slots, size_t width)
{
    for (uint32_t i = 0; i < n_rows; i++) memcpy(to + slots[i] * width, device_rows + i * width, width * sizeof *to);
}

/* One pass of a scene; results go to the tokens' places. Row `alone` of the batch belongs to no sequence. */
static void run_pass(const struct rig *rig, const struct scene *scene, uint32_t pass, const struct attention_case *c,
                     struct kernels_batch *batch, struct kernels_kv *kv, const float *frequency, struct tokens *t)
{
    struct kernels_sequence sequences[16];
    int32_t ids[MAX_TOKENS] = {0}, positions[MAX_TOKENS];
    uint32_t slots[MAX_TOKENS], n_rows = 0, n_sequences = 0;
    struct kernels_batch_desc desc = {.token_ids = ids, .positions = positions, .slots = slots, .sequences = sequences};
    size_t wq = c->h * c->d, wk = c->g * c->d;
    float *q = host_values(MAX_TOKENS * wq), *k = host_values(MAX_TOKENS * wk), *v = host_values(MAX_TOKENS * wk);
    float *device_q, *device_k, *device_v, *out;
    struct kernels_error error = {0};

    for (size_t at = 0; at < scene->n_sequences; at++) {
        const struct scene_sequence *from = &scene->sequences[at];
        struct kernels_sequence *s = &sequences[n_sequences];
        if (from->pass != pass) continue;
        n_sequences++;
        *s = (struct kernels_sequence){
            .first_row = n_rows, .n_rows = from->n_new, .n_shared = from->n_shared, .parent = from->parent};
        for (uint32_t r = 0; r < from->n_shared; r++)
            s->shared[r] =
                (struct kernels_range){from->shared[r].first, from->shared[r].n, start_of(from->shared[r].first)};
        s->own = (struct kernels_range){from->first, from->n_old + from->n_new, start_of(from->first)};
        for (uint32_t i = 0; i < from->n_new; i++, n_rows++) {
            slots[n_rows] = from->first + from->n_old + i;
            positions[n_rows] = position_of(from, i);
            memcpy(q + n_rows * wq, t->q + slots[n_rows] * wq, wq * sizeof *q);
            memcpy(k + n_rows * wk, t->k + slots[n_rows] * wk, wk * sizeof *k);
            memcpy(v + n_rows * wk, t->v + slots[n_rows] * wk, wk * sizeof *v);
        }
    }
    slots[n_rows] = MAX_TOKENS - 1, positions[n_rows] = 5; /* a row of no sequence: rotated, but not attended */
    memcpy(q + n_rows * wq, t->q + (MAX_TOKENS - 1) * wq, wq * sizeof *q);
    memcpy(k + n_rows * wk, t->k + (MAX_TOKENS - 1) * wk, wk * sizeof *k);
    memcpy(v + n_rows * wk, t->v + (MAX_TOKENS - 1) * wk, wk * sizeof *v);
    desc.n_rows = n_rows + 1, desc.n_sequences = n_sequences;
    if (rig->table->batch_set(rig->device, batch, &desc, &error) != KERNELS_OK)
        fail_msg("%s: %s", scene->name, error.message);

    device_q = guarded(rig, q, (n_rows + 1) * wq), device_k = guarded(rig, k, (n_rows + 1) * wk);
    device_v = rig_upload(rig, v, (n_rows + 1) * wk), out = guarded(rig, NULL, (n_rows + 1) * wq);
    for (uint32_t layer = 0; layer < 2;
         layer++) { /* the second layer writes and reads other keys, and must not disturb */
        struct kernels_rope_kv rope = {batch, device_q, device_k, device_v, kv, layer, c->h, c->g, c->d, frequency, 0};
        struct kernels_attention attention = {
            batch, device_q, kv, out, layer, c->h, c->g, c->d, 1 / sqrtf((float)c->d), c->window};
        float *got;
        if (layer == 1) { /* turned twice: of no interest but for what it must not touch */
            assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
            break;
        }
        assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
        assert_int_equal(rig->table->attention(rig->device, &attention), KERNELS_OK);
        got = host_values((n_rows + 1) * wq);
        rig->table->download(rig->device, got, device_q, (n_rows + 1) * wq * sizeof *got);
        take_rows(t->turned_q, got, n_rows, slots, wq);
        rig->table->download(rig->device, got, device_k, (n_rows + 1) * wk * sizeof *got);
        take_rows(t->turned_k, got, n_rows, slots, wk);
        free(got);
        got = unguard(rig, "attention", out, (n_rows + 1) * wq);
        for (size_t i = 0; i < wq; i++) assert_true(isnan(got[n_rows * wq + i]));
        take_rows(t->out, got, n_rows, slots, wq);
        free(got);
    }
    free(unguard(rig, "rope q", device_q, (n_rows + 1) * wq));
    free(unguard(rig, "rope k", device_k, (n_rows + 1) * wk));
    rig->table->buffer_free(rig->device, device_v);
    free(q);
    free(k);
    free(v);
}

static struct tokens run_scene(const struct rig *rig, const struct scene *scene, const struct attention_case *c,
                               const float *frequency)
{
    struct tokens t = tokens_make(c, c->h * 100 + c->d);
    const struct kernels_kv_shape shape = {.format = c->format,
                                           .n_layers = 2,
                                           .n_slots = scene->n_slots,
                                           .n_running = MAX_TOKENS - scene->n_slots,
                                           .n_kv_heads = c->g,
                                           .head_size = c->d};
    struct kernels_kv *kv = rig->table->kv_create(rig->device, &shape, NULL);
    struct kernels_batch *batch = rig->table->batch_create(rig->device, MAX_TOKENS, 16, NULL);

    assert_non_null(kv);
    assert_non_null(batch);
    for (uint32_t pass = 0; pass < 8; pass++) run_pass(rig, scene, pass, c, batch, kv, frequency, &t);
    rig->table->batch_free(rig->device, batch);
    rig->table->kv_free(rig->device, kv);
    return t;
}

/* A score is a sum of d products one after the other, of a query that was scaled before (or of as many in another order, scaled
 * behind); its error e makes every weight wrong by a factor of at most exp(2 e), with the difference from the maximum
 * (twice the score), exp itself (2 ulp) and the sums over n keys on top. Where tensor cores take f16 (a
 * cache of f32 is computed in f32), queries are rounded to it, 2^-11 of themselves, and keys and values that lie in a cache in fewer
 * bits and a scale; so are weights, and their sum is that of the rounded ones, so that it moves by as much again. What of them falls
 * below f16's normal numbers, 2^-28 of the largest, adds 2^-39 a key; exp of a tile's weights, and of what they do to the tiles before,
 * is good to 2^-22, of the 10 tiles of 300 keys. */
static double attention_limit(const struct rig *rig, const struct attention_case *c, const struct tokens *want)
{
    const bool in_f16 = rig->is_gpu && c->format != KERNELS_F32;
    const double rounding = in_f16 ? 0x1p-11 : 0, of_cache = c->format == KERNELS_F16 ? 0 : rounding;
    double largest_score = 0, largest_value = 0, score_off;

    for (size_t i = 0; i < MAX_TOKENS * c->g * c->d; i++) largest_value = fmax(largest_value, fabs((double)want->v[i]));
    for (size_t i = 0; i < MAX_TOKENS; i++)
        for (size_t head = 0; head < c->h; head++) {
            double q = 0, k = 0; /* by Cauchy and Schwarz */
            for (size_t j = 0; j < c->d; j++) {
                q += pow(want->q[(i * c->h + head) * c->d + j], 2);
                k += pow(want->k[(i * c->g + head % c->g) * c->d + j], 2);
            }
            largest_score = fmax(largest_score, fmax(q, k) / sqrt((double)c->d));
        }
    score_off = ((double)c->d + 6 + 8) * ULP * largest_score; /* 4 for the rotated q and k each, 6 for scale and tree */
    score_off += (rounding + of_cache) * largest_score;
    return largest_value * (4 * score_off + 2 * rounding + of_cache + (in_f16 ? 300 * 0x1p-39 + 2 * 10 * 0x1p-22 : 0) +
                            (8 + 300 + 2 * 300 / 64) * ULP);
}

static void frequencies(const struct attention_case *c, float *frequency)
{
    /* Where keys are rounded nothing is turned, so that both sides round the same numbers. */
    for (size_t i = 0; i < c->d / 2; i++)
        frequency[i] = c->format != KERNELS_F32 ? 0 : powf(10000, -2.0f * (float)i / (float)c->d);
}

static void attention_is_within_rounding_however_the_batch_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct attention_case *c = &cases[i];
        if (conformance_short() && c->h * c->d > 100) continue;
        size_t nq = MAX_TOKENS * c->h * c->d, nk = MAX_TOKENS * c->g * c->d;
        struct tokens want = {0}, of_isa = {0};
        double *limits = calloc(nq, sizeof *limits);
        float frequency[KERNELS_MAX_HEAD_SIZE / 2];

        if (!rigs.all[rigs.n - 1].table->kv_size(
                rigs.all[rigs.n - 1].device,
                &(const struct kernels_kv_shape){
                    .format = c->format, .n_layers = 1, .n_slots = 1, .n_kv_heads = c->g, .head_size = c->d})) {
            print_message("[  NOTE    ] %s holds no %s\n", rigs.all[rigs.n - 1].name,
                          docket_kernels_format_name(c->format));
            free(limits);
            continue;
        }
        frequencies(c, frequency);
        for (size_t r = 0; r < rigs.n; r++)
            for (size_t s = 0; s < SCENES; s++) {
                const struct rig *rig = &rigs.all[r];
                struct tokens got = run_scene(rig, &scenes[s], c, frequency);
                char name[160];
                snprintf(name, sizeof name, "%s: %s h=%zu g=%zu d=%zu %s window %u", rig->name, scenes[s].name, c->h,
                         c->g, c->d, docket_kernels_format_name(c->format), c->window);
                if (r == 0 && s == JOB) {
                    want = got;
                    continue;
                }
                double limit = attention_limit(rig, c, &want);
                for (size_t j = 0; j < nq; j++) limits[j] = limit;
                assert_true(compare_within(name, got.out, want.out, limits, nq));
                /* Rotation: two products and a sum of numbers up to twice the largest. */
                for (size_t j = 0; j < nq; j++) limits[j] = 4 * ULP * 8;
                assert_true(compare_within(name, got.turned_q, want.turned_q, limits, nq));
                assert_true(compare_within(name, got.turned_k, want.turned_k, limits, nk));
                if (s == JOB && rig->host.n_workers == 1) {
                    tokens_free(&of_isa);
                    of_isa = got;
                    continue;
                }
                /* A GPU sums in tiles of a range, so that its bits are those of the ranges, not of the pass. */
                bool same = r > 0 && !(rig->is_gpu && s == CUT_OTHERWISE);
                assert_true(!same || compare_equal(name, got.out, of_isa.out, nq));
                tokens_free(&got);
            }
        tokens_free(&want);
        tokens_free(&of_isa);
        free(limits);
        rigs_close(&rigs); /* the next sizes begin with scratch that is full of NaN */
        rigs_open(&rigs, 3);
    }
}

/* Over one key the result is its value, which shows what the cache holds. */
static void one_key_gives_its_value_rounded_as_the_cache_stores_it(void **state)
{
    enum { D = 64 };
    static const float interesting[] = {1.0009765f, 65519.0f, 6.0e-8f, 2.9e-8f, -0.33333334f, 1e-6f, 0};
    static const float rounded[] = {1.0009766f, 65504.0f, 5.9604645e-8f, 0, -0.33325195f, 1.0132790e-6f, 0};
    float q[D], v[D], frequency[D / 2] = {0};
    int32_t zero = 0;
    uint32_t slot = 3;
    struct kernels_sequence sequence = {.n_rows = 1, .own = {3, 1, 0}};
    struct kernels_batch_desc desc = {1, 1, &zero, &zero, &slot, &sequence};

    (void)state;
    for (size_t i = 0; i < D; i++) q[i] = 0.5f, v[i] = interesting[i % 7];
    for (size_t r = 0; r < rigs.n; r++)
        for (int f16 = 0; f16 < 2; f16++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_kv *kv =
                rig->table->kv_create(rig->device,
                                      &(const struct kernels_kv_shape){.format = f16 ? KERNELS_F16 : KERNELS_F32,
                                                                       .n_layers = 1,
                                                                       .n_slots = 8,
                                                                       .n_kv_heads = 1,
                                                                       .head_size = D},
                                      NULL);
            struct kernels_batch *batch = rig->table->batch_create(rig->device, 4, 4, NULL);
            float *device_q = rig_upload(rig, q, D), *device_k = rig_upload(rig, q, D),
                  *device_v = rig_upload(rig, v, D);
            float *out = guarded(rig, NULL, D), *got;
            struct kernels_rope_kv rope = {batch, device_q, device_k, device_v, kv, 0, 1, 1, D, frequency, 0};
            struct kernels_attention attention = {batch, device_q, kv, out, 0, 1, 1, D, 1, 0};
            assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
            assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
            assert_int_equal(rig->table->attention(rig->device, &attention), KERNELS_OK);
            got = unguard(rig, "one key", out, D);
            for (size_t i = 0; i < D; i++) assert_true(got[i] == (f16 ? rounded[i % 7] : v[i]));
            free(got);
            rig->table->buffer_free(rig->device, device_q);
            rig->table->buffer_free(rig->device, device_k);
            rig->table->buffer_free(rig->device, device_v);
            rig->table->batch_free(rig->device, batch);
            rig->table->kv_free(rig->device, kv);
        }
}

enum { CLIP_ROWS = 2, CLIP_H = 4, CLIP_G = 2, CLIP_D = 8 };
#define CLIP_TURN 0.5 /* of the first pair; the others stay */

static float cut_to(float x, float limit)
{
    return limit > 0 && x > limit ? limit : limit > 0 && x < -limit ? -limit : x;
}

/* Heads of one row cut, then turned; also the limits. */
static void cut_and_turn(float *want, double *limits, const float *x, size_t n_heads, size_t row, float limit)
{
    const size_t half = CLIP_D / 2;
    for (size_t i = 0; i < n_heads * CLIP_D; i++) {
        want[i] = cut_to(x[i], limit);
        limits[i] = i % half == 0 ? 4 * ULP * 8 : 0; /* cos 0 and sin 0 change nothing */
    }
    for (size_t head = 0; head < n_heads; head++) {
        float *at = want + head * CLIP_D;
        double c = cos((double)row * CLIP_TURN), s = sin((double)row * CLIP_TURN), a = at[0], b = at[half];
        at[0] = (float)(a * c - b * s);
        at[half] = (float)(b * c + a * s);
    }
}

/* What the rows see: softmax over the keys up to their own, in double. */
static void attend(float *out, const float *q, const float *k, const float *v)
{
    for (size_t row = 0; row < CLIP_ROWS; row++)
        for (size_t head = 0; head < CLIP_H; head++) {
            const size_t of = head / (CLIP_H / CLIP_G);
            double weights[CLIP_ROWS], sum = 0;
            for (size_t key = 0; key <= row; key++) {
                double score = 0;
                for (size_t j = 0; j < CLIP_D; j++)
                    score +=
                        (double)q[(row * CLIP_H + head) * CLIP_D + j] * (double)k[(key * CLIP_G + of) * CLIP_D + j];
                sum += weights[key] = exp(0.25 * score);
            }
            for (size_t j = 0; j < CLIP_D; j++) {
                double value = 0;
                for (size_t key = 0; key <= row; key++)
                    value += weights[key] / sum * (double)v[(key * CLIP_G + of) * CLIP_D + j];
                out[(row * CLIP_H + head) * CLIP_D + j] = (float)value;
            }
        }
}

static void check_clip(const struct rig *rig, float limit, const float *q, const float *k, const float *v)
{
    enum { NQ = CLIP_ROWS * CLIP_H * CLIP_D, NK = CLIP_ROWS * CLIP_G * CLIP_D };
    float want_q[NQ], want_k[NK], want_v[NK], want_out[NQ], frequency[CLIP_D / 2] = {(float)CLIP_TURN};
    double q_limits[NQ], k_limits[NK], out_limits[NQ];
    int32_t positions[CLIP_ROWS] = {0, 1};
    uint32_t slots[CLIP_ROWS] = {2, 3};
    struct kernels_sequence sequence = {.n_rows = CLIP_ROWS, .own = {2, CLIP_ROWS, 0}};
    struct kernels_batch_desc desc = {CLIP_ROWS, 1, positions, positions, slots, &sequence};
    struct kernels_kv *kv = rig->table->kv_create(
        rig->device,
        &(const struct kernels_kv_shape){
            .format = KERNELS_F32, .n_layers = 1, .n_slots = 8, .n_kv_heads = CLIP_G, .head_size = CLIP_D},
        NULL);
    struct kernels_batch *batch = rig->table->batch_create(rig->device, 4, 4, NULL);
    float *device_q = guarded(rig, q, NQ), *device_k = guarded(rig, k, NK), *device_v = guarded(rig, v, NK);
    float *out = guarded(rig, NULL, NQ), *got;
    const struct kernels_rope_kv rope = {batch,  device_q, device_k, device_v,  kv,   0,
                                         CLIP_H, CLIP_G,   CLIP_D,   frequency, limit};
    const struct kernels_attention attention = {batch, device_q, kv, out, 0, CLIP_H, CLIP_G, CLIP_D, 0.25f, 0};

    for (size_t row = 0; row < CLIP_ROWS; row++) {
        const size_t at_q = row * CLIP_H * CLIP_D, at_k = row * CLIP_G * CLIP_D;
        cut_and_turn(want_q + at_q, q_limits + at_q, q + at_q, CLIP_H, row, limit);
        cut_and_turn(want_k + at_k, k_limits + at_k, k + at_k, CLIP_G, row, limit);
    }
    for (size_t i = 0; i < NK; i++) want_v[i] = cut_to(v[i], limit);
    attend(want_out, want_q, want_k, want_v);
    /* Scores are at most 8 products of 3 x 3, scaled by 1/4: 18; their error, twice, and the sums over two keys of values up to 3. */
    for (size_t i = 0; i < NQ; i++) out_limits[i] = 3 * (4 * (CLIP_D + 8) * ULP * 18 + 16 * ULP);

    assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
    assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
    assert_int_equal(rig->table->attention(rig->device, &attention), KERNELS_OK);
    got = unguard(rig, "clipped q", device_q, NQ);
    assert_true(compare_within(rig->name, got, want_q, q_limits, NQ));
    free(got);
    got = unguard(rig, "clipped k", device_k, NK);
    assert_true(compare_within(rig->name, got, want_k, k_limits, NK));
    free(got);
    got = unguard(rig, "clipped v", device_v, NK);
    assert_true(compare_equal(rig->name, got, want_v, NK));
    free(got);
    got = unguard(rig, "attention to what was clipped", out, NQ);
    assert_true(compare_within(rig->name, got, want_out, out_limits, NQ));
    free(got);
    rig->table->batch_free(rig->device, batch);
    rig->table->kv_free(rig->device, kv);
}

/* Queries, keys and values are cut before anything turns, and the cache holds them cut. */
static void clip_cuts_queries_keys_and_values_before_they_turn(void **state)
{
    static const float interesting[] = {0.5f,  -1.5f, 1.5f,  1.5000001f, -1.5000001f, 2.75f,
                                        -3.0f, 0.0f,  1.25f, -2.0f,      3.0f};
    float q[CLIP_ROWS * CLIP_H * CLIP_D], k[CLIP_ROWS * CLIP_G * CLIP_D], v[CLIP_ROWS * CLIP_G * CLIP_D];

    (void)state;
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) q[i] = interesting[i % 11];
    for (size_t i = 0; i < sizeof k / sizeof *k; i++)
        k[i] = interesting[(i + 3) % 11], v[i] = interesting[(i + 7) % 11];
    for (size_t r = 0; r < rigs.n; r++) {
        check_clip(&rigs.all[r], 1.5f, q, k, v);
        check_clip(&rigs.all[r], 100, q, k, v); /* nothing is that large */
        check_clip(&rigs.all[r], 0, q, k, v);
    }
    q[1] = k[2] = v[3] = INFINITY, q[9] = k[10] = v[11] = -INFINITY; /* what clipping is for */
    for (size_t r = 0; r < rigs.n; r++) check_clip(&rigs.all[r], 1.5f, q, k, v);
}

/* A cache of two layers, two kept slots and three running ones holds seven keys of a head; what lies on both sides is refused. */
static void running_slots_take_the_memory_of_one_layer_and_no_range_is_torn(void **state)
{
    enum { D = 64 };
    const struct kernels_kv_shape shape = {KERNELS_F32, 2, 2, 3, 1, D}, small = {KERNELS_F32, 1, 1, 0, 1, D},
                                  large = {KERNELS_F32, 100, 1, 1, 1, D}, of_keys = {KERNELS_F32, 7, 1, 0, 1, D},
                                  impossible[] = {{KERNELS_F32, 2, 2, SIZE_MAX, 1, D},
                                                  {KERNELS_F32, 2, INT32_MAX, INT32_MAX, 1, D},
                                                  {KERNELS_F32, 2, 0, 0, 1, D},
                                                  {KERNELS_F32, 0, 2, 3, 1, D}};
    float values[4 * D] = {0}, frequency[D / 2] = {0};
    int32_t ids[4] = {0}, positions[4] = {0, 1, 2, 3};

    (void)state;
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        const struct kernels_backend *b = rig->table;
        struct kernels_kv *kv = b->kv_create(rig->device, &shape, NULL);
        struct kernels_batch *batch = b->batch_create(rig->device, 4, 2, NULL);
        float *q = rig_upload(rig, values, 4 * D), *k = rig_upload(rig, values, 4 * D),
              *v = rig_upload(rig, values, 4 * D), *out = rig_upload(rig, values, 4 * D);
        assert_int_equal(b->kv_size(rig->device, &shape), b->kv_size(rig->device, &of_keys));
        assert_true(b->kv_size(rig->device, &large) >= 101 * (b->kv_size(rig->device, &small) / 2));
        for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
            assert_null(b->kv_create(rig->device, &impossible[i], NULL));
        for (uint32_t first = 0; first < 4; first++)
            for (int shared = 0; shared < 2; shared++) {
                uint32_t n = shared ? 1 : 2, at = shared ? 4 : first, slots[2] = {at, at + 1};
                struct kernels_sequence s = {.n_rows = n, .own = {at, n, 0}};
                if (shared) s.n_shared = 1, s.shared[0] = (struct kernels_range){first, 2, 0};
                struct kernels_batch_desc desc = {n, 1, ids, positions, slots, &s};
                struct kernels_rope_kv rope = {batch, q, k, v, kv, 1, 1, 1, D, frequency, 0};
                struct kernels_attention attention = {batch, q, kv, out, 1, 1, 1, D, 1, 0};
                enum kernels_status want = first == 1 ? KERNELS_BAD_SHAPE : KERNELS_OK;
                assert_int_equal(b->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
                assert_int_equal(b->rope_kv(rig->device, &rope), want);
                assert_int_equal(b->attention(rig->device, &attention), want);
                assert_int_equal(b->synchronize(rig->device, NULL), want);
            }
        b->batch_free(rig->device, batch);
        b->kv_free(rig->device, kv);
        for (int i = 0; i < 4; i++) b->buffer_free(rig->device, ((float *[]){q, k, v, out})[i]);
    }
}

static void contradictory_batches_are_refused(void **state)
{
    int32_t ids[4] = {0}, positions[4] = {0, 1, 2, 3}, parent[4] = {-1, 0, 1, 2};
    uint32_t slots[4] = {0, 1, 2, 3};
    const struct {
        const char *name;
        struct kernels_sequence sequence;
        size_t n_rows, n_sequences;
        int32_t position, parent;
    } bad[] = {
        {"too_many_rows", {.n_rows = 4, .own = {0, 4, 0}}, 5, 1, 0, -1},
        {"rows_outside_of_the_batch", {.first_row = 1, .n_rows = 4, .own = {0, 4, 0}}, 4, 1, 0, -1},
        {"own_range_shorter_than_its_rows", {.n_rows = 4, .own = {0, 3, 0}}, 4, 1, 0, -1},
        {"slots_elsewhere", {.n_rows = 4, .own = {1, 4, 0}}, 4, 1, 0, -1},
        {"tree_with_old_rows", {.n_rows = 4, .own = {0, 5, 0}, .parent = parent}, 4, 1, 0, -1},
        {"parent_is_itself", {.n_rows = 4, .own = {0, 4, 0}, .parent = parent}, 4, 1, 0, 0},
        {"parent_below_minus_one", {.n_rows = 4, .own = {0, 4, 0}, .parent = parent}, 4, 1, 0, -2},
        {"negative_position", {.n_rows = 4, .own = {0, 4, 0}}, 4, 1, -1, -1},
        {"position_of_another_token", {.n_rows = 4, .own = {0, 4, 0}}, 4, 1, 7, -1},
        {"three_shared_ranges", {.n_rows = 4, .n_shared = 3, .own = {0, 4, 0}}, 4, 1, 0, -1},
        {"range_that_wraps",
         {.n_rows = 4, .n_shared = 1, .shared = {{UINT32_MAX, 2, 0}}, .own = {0, 4, 0}},
         4,
         1,
         0,
         -1},
        {"more_sequences_than_made_for", {.n_rows = 4, .own = {0, 4, 0}}, 4, 2, 0, -1},
    };

    (void)state;
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct kernels_batch *batch = rig->table->batch_create(rig->device, 4, 1, NULL);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct kernels_sequence sequence = bad[i].sequence;
            struct kernels_batch_desc desc = {bad[i].n_rows, bad[i].n_sequences, ids, positions, slots, &sequence};
            struct kernels_error error = {0};
            positions[0] = bad[i].position, parent[0] = bad[i].parent;
            if (rig->table->batch_set(rig->device, batch, &desc, &error) != KERNELS_BAD_SHAPE || error.message[0] == 0)
                fail_msg("%s: %s was accepted", rig->name, bad[i].name);
        }
        positions[0] = 0;
        rig->table->batch_free(rig->device, batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_within_rounding_however_the_batch_is_cut),
        cmocka_unit_test(one_key_gives_its_value_rounded_as_the_cache_stores_it),
        cmocka_unit_test(clip_cuts_queries_keys_and_values_before_they_turn),
        cmocka_unit_test(running_slots_take_the_memory_of_one_layer_and_no_range_is_torn),
        cmocka_unit_test(contradictory_batches_are_refused),
    };
    for (int32_t i = 0; i < 70; i++) chain[i] = i - 1;
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
