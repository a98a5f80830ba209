/* test_steps.c: steps of generation between step_begin and step_end, as kernels.h has them: whatever a backend records and does at once
 * later, the bits are those of the operations one by one, while contexts grow, batches change their size and caches their slots. */
#include "tests/conformance/rig.h"

enum { DIM = 64, HEADS = 4, KV_HEADS = 2, HEAD = 16, FFN = 128, EXPERTS = 8, TOP = 2, VOCAB = 50, LAYERS = 2 };
enum { SLOTS = 1200, APART = 297, MOST_ROWS = 4, MOST_TOGETHER = 3, MOST_STEPS = 64 };

static const float frequency[HEAD / 2] = {1, 0.5f, 0.25f, 0.125f, 0.0625f, 0.03f, 0.01f, 0.001f};

/* From which context on so many sequences take so many steps, and where in the cache the first one lies. */
static const struct phase {
    uint32_t n_together, context, n_steps, first_slot;
} phases[] = {
    {1, 252, 8, 0},   /* over the end of the first chunk of attention's keys */
    {3, 252, 6, 300}, /* more of them */
    {1, 260, 4, 0},   /* back */
    {3, 10, 4, 303},  /* others in the same places of the batch */
    {2, 258, 3, 600},
};

struct layer {
    struct kernels_weight *norm, *q, *k, *v, *o, *ffn_norm, *router, *gate[EXPERTS], *up[EXPERTS], *down[EXPERTS];
};

struct model {
    const struct rig *rig;
    struct kernels_weight *table, *norm;
    struct layer layers[LAYERS];
    struct kernels_kv *kv;
    struct kernels_batch *batch;
    float *x, *y, *q, *k, *v, *a, *weights;
    int32_t *ids;
    bool apart; /* each operation is waited for */
};

RIGS_OF_ALL_TESTS(1)

static struct kernels_weight *weight(const struct model *m, struct numbers *numbers, enum kernels_format format,
                                     size_t rows, size_t cols)
{
    float *values = host_values(rows * cols);
    numbers_fill(numbers, values, rows * cols);
    for (size_t i = 0; i < rows * cols; i++) values[i] *= 0.25f;
    struct kernels_weight *made = rig_weight(m->rig, format, rows, cols, values);
    free(values);
    return made;
}

static float *room(const struct model *m, size_t n)
{
    float *memory = m->rig->table->buffer_allocate(m->rig->device, n * sizeof(float), NULL);
    assert_non_null(memory);
    return memory;
}

static void model_make(struct model *m, const struct rig *rig, enum kernels_format format, enum kernels_format kv)
{
    const struct kernels_limits limits = {MOST_ROWS, MOST_TOGETHER, DIM,  FFN,   EXPERTS, TOP,
                                          HEADS,     KV_HEADS,      HEAD, VOCAB, true,    LAYERS};
    struct numbers numbers = {77};
    *m = (struct model){.rig = rig};
    assert_int_equal(rig->table->reserve(rig->device, &limits, NULL), KERNELS_OK);
    m->table = weight(m, &numbers, format, VOCAB, DIM);
    m->norm = weight(m, &numbers, KERNELS_F32, 1, DIM);
    for (size_t i = 0; i < LAYERS; i++) {
        struct layer *l = &m->layers[i];
        l->norm = weight(m, &numbers, KERNELS_BF16, 1, DIM);
        l->ffn_norm = weight(m, &numbers, KERNELS_F32, 1, DIM);
        l->q = weight(m, &numbers, format, HEADS * HEAD, DIM);
        l->k = weight(m, &numbers, format, KV_HEADS * HEAD, DIM);
        l->v = weight(m, &numbers, format, KV_HEADS * HEAD, DIM);
        l->o = weight(m, &numbers, format, DIM, HEADS * HEAD);
        l->router = weight(m, &numbers, KERNELS_BF16, EXPERTS, DIM);
        for (size_t e = 0; e < EXPERTS; e++) {
            l->gate[e] = weight(m, &numbers, format, FFN, DIM);
            l->up[e] = weight(m, &numbers, format, FFN, DIM);
            l->down[e] = weight(m, &numbers, format, DIM, FFN);
        }
    }
    const struct kernels_kv_shape shape = {
        .format = kv, .n_layers = LAYERS, .n_slots = SLOTS, .n_kv_heads = KV_HEADS, .head_size = HEAD};
    m->kv = rig->table->kv_create(rig->device, &shape, NULL);
    m->batch = rig->table->batch_create(rig->device, MOST_ROWS, MOST_TOGETHER, NULL);
    assert_true(m->kv && m->batch);
    m->x = room(m, MOST_ROWS * DIM), m->y = room(m, MOST_ROWS * DIM), m->a = room(m, MOST_ROWS * DIM);
    m->q = room(m, MOST_ROWS * DIM), m->k = room(m, MOST_ROWS * DIM), m->v = room(m, MOST_ROWS * DIM);
    m->weights = room(m, MOST_ROWS * TOP), m->ids = (int32_t *)room(m, MOST_ROWS * TOP);
}

static void model_free(struct model *m)
{
    const struct kernels_backend *b = m->rig->table;
    struct kernels_device *d = m->rig->device;
    void *const rooms[] = {m->x, m->y, m->a, m->q, m->k, m->v, m->weights, m->ids};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) b->buffer_free(d, rooms[i]);
    b->batch_free(d, m->batch);
    b->kv_free(d, m->kv);
    b->weight_free(d, m->table);
    b->weight_free(d, m->norm);
    for (size_t i = 0; i < LAYERS; i++) {
        struct layer *l = &m->layers[i];
        struct kernels_weight *const all[] = {l->norm, l->q, l->k, l->v, l->o, l->ffn_norm, l->router};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) b->weight_free(d, all[j]);
        for (size_t e = 0; e < EXPERTS; e++)
            b->weight_free(d, l->gate[e]), b->weight_free(d, l->up[e]), b->weight_free(d, l->down[e]);
    }
}

static enum kernels_status settled(const struct model *m, enum kernels_status s);

static enum kernels_status norm(const struct model *m, const struct kernels_weight *w, float *out, size_t n)
{
    const struct kernels_rmsnorm args = {m->x, w, out, n, DIM, 1e-5f, false};
    return settled(m, m->rig->table->rmsnorm(m->rig->device, &args));
}

static enum kernels_status linear(const struct model *m, const float *x, const struct kernels_weight *w, float *out,
                                  size_t n, bool accumulate)
{
    const struct kernels_linear args = {.x = x, .weight = w, .out = out, .n_rows = n, .accumulate = accumulate};
    return m->rig->table->linear(m->rig->device, &args);
}

/* Queries, keys and values: in one call, or in three. */
static enum kernels_status project(const struct model *m, const struct layer *l, size_t n, bool together)
{
    const struct kernels_linear all = {
        .x = m->y, .weight = l->q, .out = m->q, .n_rows = n, .beside = {{l->k, m->k}, {l->v, m->v}}, .n_beside = 2};
    enum kernels_status s;
    if (together) return m->rig->table->linear(m->rig->device, &all);
    s = linear(m, m->y, l->q, m->q, n, false);
    if (s == KERNELS_OK) s = linear(m, m->y, l->k, m->k, n, false);
    return s == KERNELS_OK ? linear(m, m->y, l->v, m->v, n, false) : s;
}

static enum kernels_status settled(const struct model *m, enum kernels_status s)
{
    return s == KERNELS_OK && m->apart ? m->rig->table->synchronize(m->rig->device, NULL) : s;
}

static enum kernels_status run_layer(const struct model *m, size_t at, size_t n)
{
    const struct layer *l = &m->layers[at];
    const struct kernels_backend *b = m->rig->table;
    struct kernels_device *d = m->rig->device;
    const struct kernels_rope_kv rope = {m->batch, m->q, m->k, m->v, m->kv, at, HEADS, KV_HEADS, HEAD, frequency, 0};
    const struct kernels_attention attention = {m->batch, m->q, m->kv, m->a, at, HEADS, KV_HEADS, HEAD, 0.25f, 0};
    const struct kernels_route route = {m->y, l->router, m->ids, m->weights, n, TOP, true};
    const struct kernels_expert_ffn ffn = {.x = m->y,
                                           .gate = (const struct kernels_weight *const *)l->gate,
                                           .up = (const struct kernels_weight *const *)l->up,
                                           .down = (const struct kernels_weight *const *)l->down,
                                           .n_experts = EXPERTS,
                                           .ids = m->ids,
                                           .weights = m->weights,
                                           .out = m->x,
                                           .n_rows = n,
                                           .top_k = TOP};
    enum kernels_status s = norm(m, l->norm, m->y, n);
    if (s == KERNELS_OK) s = project(m, l, n, at % 2 == 0);
    if (s == KERNELS_OK) s = b->rope_kv(d, &rope);
    if (s == KERNELS_OK) s = b->attention(d, &attention);
    if (s == KERNELS_OK) s = linear(m, m->a, l->o, m->x, n, true);
    if (s == KERNELS_OK) s = norm(m, l->ffn_norm, m->y, n);
    if (s == KERNELS_OK) s = settled(m, b->route(d, &route));
    return s == KERNELS_OK ? settled(m, b->expert_ffn(d, &ffn)) : s;
}

static enum kernels_status run_operations(const struct model *m, size_t n)
{
    const struct kernels_embed embed = {m->table, m->batch, m->x, 0};
    enum kernels_status s = m->rig->table->embed(m->rig->device, &embed);
    for (size_t i = 0; i < LAYERS && s == KERNELS_OK; i++) s = run_layer(m, i, n);
    return s == KERNELS_OK ? norm(m, m->norm, m->y, n) : s;
}

/* One token of each sequence behind the context that it has; the final norm's rows [n_together, DIM]. */
static void pass(const struct model *m, const struct phase *p, uint32_t context, bool as_step, float *out)
{
    int32_t ids[MOST_TOGETHER], positions[MOST_TOGETHER];
    uint32_t slots[MOST_TOGETHER];
    struct kernels_sequence sequences[MOST_TOGETHER];
    const struct kernels_backend *b = m->rig->table;
    struct kernels_device *d = m->rig->device;
    const struct kernels_step step = {m->batch, m->kv, HEADS, m};
    struct kernels_error error = {0};
    bool done = false, again = true;
    for (uint32_t i = 0; i < p->n_together; i++) {
        ids[i] = (int32_t)((context * 7 + i * 13 + p->first_slot) % VOCAB);
        positions[i] = (int32_t)context;
        slots[i] = p->first_slot + i * APART + context;
        sequences[i] =
            (struct kernels_sequence){.first_row = i, .n_rows = 1, .own = {p->first_slot + i * APART, context + 1, 0}};
    }
    const struct kernels_batch_desc desc = {p->n_together, p->n_together, ids, positions, slots, sequences};
    if (b->batch_set(d, m->batch, &desc, &error) != KERNELS_OK) fail_msg("%s", error.message);
    if (as_step) assert_int_equal(b->step_begin(d, &step, &done), KERNELS_OK);
    if (!done) {
        assert_int_equal(run_operations(m, p->n_together), KERNELS_OK);
        if (as_step) assert_int_equal(b->step_end(d, &again), KERNELS_OK);
        if (as_step) assert_true(!again);
    }
    if (b->download(d, out, m->y, p->n_together * DIM * sizeof *out) != KERNELS_OK ||
        b->synchronize(d, &error) != KERNELS_OK)
        fail_msg("%s: %s", m->rig->name, error.message);
}

/* Keys and values of all slots: rows of no sequence. */
static void fill_cache(const struct model *m)
{
    static int32_t zeros[SLOTS];
    static uint32_t slots[SLOTS];
    const struct kernels_backend *b = m->rig->table;
    struct kernels_device *d = m->rig->device;
    struct kernels_batch *batch = b->batch_create(d, SLOTS, 1, NULL);
    struct numbers numbers = {3};
    float *values = host_values(SLOTS * DIM);
    const struct kernels_batch_desc desc = {SLOTS, 0, zeros, zeros, slots, NULL};
    numbers_fill(&numbers, values, SLOTS * DIM);
    float *q = rig_upload(m->rig, values, SLOTS * DIM), *k = rig_upload(m->rig, values, SLOTS * DIM);
    float *v = rig_upload(m->rig, values + 7, SLOTS * DIM - 7);
    for (uint32_t i = 0; i < SLOTS; i++) slots[i] = i;
    assert_non_null(batch);
    assert_int_equal(b->batch_set(d, batch, &desc, NULL), KERNELS_OK);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        const struct kernels_rope_kv rope = {batch, q, k, v, m->kv, layer, HEADS, KV_HEADS, HEAD, frequency, 0};
        assert_int_equal(b->rope_kv(d, &rope), KERNELS_OK);
    }
    b->batch_free(d, batch);
    b->buffer_free(d, q);
    b->buffer_free(d, k);
    b->buffer_free(d, v);
    free(values);
}

/* All phases; what each step's rows came to, one after the other in `out`. Returns how many rows. */
static size_t generate(const struct model *m, bool as_steps, float *out)
{
    size_t rows = 0;
    fill_cache(m);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const struct phase *p = &phases[i];
        assert_true(rows + p->n_steps * p->n_together <= MOST_STEPS);
        for (uint32_t s = 0; s < p->n_steps; s++, rows += p->n_together)
            pass(m, p, p->context + s, as_steps, out + rows * DIM);
    }
    return rows;
}

static void steps_have_the_bits_of_their_operations(void **state)
{
    static const struct {
        enum kernels_format format, kv;
    } cases[] = {{KERNELS_NF4_NESTED, KERNELS_F16}, {KERNELS_INT8, KERNELS_KV_Q8_0}, {KERNELS_F16, KERNELS_F32}};
    float *want = host_values(MOST_STEPS * DIM), *got = host_values(MOST_STEPS * DIM);
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t i = 0; i < (conformance_short() ? 1 : 3); i++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_description before, after;
            struct model m;
            if (!rig_holds(rig, cases[i].format)) continue;
            model_make(&m, rig, cases[i].format, cases[i].kv);
            const size_t rows = generate(&m, false, want);
            rig->table->describe(rig->device, &before);
            assert_int_equal(generate(&m, true, got), rows);
            rig->table->describe(rig->device, &after);
            for (size_t row = 0; row < rows; row++)
                if (memcmp(want + row * DIM, got + row * DIM, DIM * sizeof *want))
                    fail_msg("%s: %s: row %zu of the steps has other bits", rig->name,
                             docket_kernels_format_name(cases[i].format), row);
            const uint64_t recorded = after.steps_recorded - before.steps_recorded,
                           replayed = after.steps_replayed - before.steps_replayed;
            if (after.steps_note[0]) fail_msg("%s: not recorded: %s", rig->name, after.steps_note);
            /* Of 25 steps: one and three sequences within a chunk and beyond it, two beyond; each comes once before it is recorded. */
            if (rig->is_gpu && !strcmp(rig->name, "cuda x 1") && (recorded == 0 || recorded > 5 || replayed < 14))
                fail_msg("%s: %llu steps recorded, %llu replayed", rig->name, (unsigned long long)recorded,
                         (unsigned long long)replayed);
            model_free(&m);
        }
    free(want);
    free(got);
}

static void operations_behind_one_another_have_the_bits_of_each_alone(void **state)
{
    float *want = host_values(MOST_STEPS * DIM), *got = host_values(MOST_STEPS * DIM);
    (void)state;
    for (size_t r = 0; r < rigs.n; r++) {
        struct model m;
        model_make(&m, &rigs.all[r], KERNELS_NF4_NESTED, KERNELS_F16);
        fill_cache(&m);
        for (size_t i = 0; i < 2; i++) {
            m.apart = true;
            pass(&m, &phases[i], phases[i].context, false, want);
            m.apart = false;
            pass(&m, &phases[i], phases[i].context, false, got);
            if (memcmp(want, got, phases[i].n_together * DIM * sizeof *want))
                fail_msg("%s: %u rows: other bits", m.rig->name, phases[i].n_together);
        }
        model_free(&m);
    }
    free(want);
    free(got);
}

/* What a backend may have kept of the router's choice is not used for another's. */
static void experts_are_those_of_the_ids_that_are_there(void **state)
{
    enum { ROWS = 3 };
    static const int32_t ids[ROWS * TOP] = {7, 0, 3, 3, 1, 6};
    static const float weights[ROWS * TOP] = {0.5f, 0.5f, 0.25f, 0.75f, 1, 0};
    float *x = host_values(ROWS * DIM), got[2][ROWS * DIM];
    struct numbers numbers = {9};
    (void)state;
    numbers_fill(&numbers, x, ROWS * DIM);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct kernels_backend *b = rigs.all[r].table;
        struct kernels_device *d = rigs.all[r].device;
        struct model m;
        model_make(&m, &rigs.all[r], KERNELS_NF4_NESTED, KERNELS_F16);
        const struct layer *l = &m.layers[0];
        for (size_t routed = 0; routed < 2; routed++) {
            const struct kernels_route route = {m.y, l->router, m.ids, m.weights, ROWS, TOP, true};
            const struct kernels_expert_ffn ffn = {.x = m.y,
                                                   .gate = (const struct kernels_weight *const *)l->gate,
                                                   .up = (const struct kernels_weight *const *)l->up,
                                                   .down = (const struct kernels_weight *const *)l->down,
                                                   .n_experts = EXPERTS,
                                                   .ids = m.ids,
                                                   .weights = m.weights,
                                                   .out = m.x,
                                                   .n_rows = ROWS,
                                                   .top_k = TOP};
            assert_int_equal(b->upload(d, m.y, x, ROWS * DIM * sizeof *x), KERNELS_OK);
            assert_int_equal(b->upload(d, m.x, x, ROWS * DIM * sizeof *x), KERNELS_OK);
            if (routed) assert_int_equal(b->route(d, &route), KERNELS_OK);
            assert_int_equal(b->upload(d, m.ids, ids, sizeof ids), KERNELS_OK);
            assert_int_equal(b->upload(d, m.weights, weights, sizeof weights), KERNELS_OK);
            assert_int_equal(b->expert_ffn(d, &ffn), KERNELS_OK);
            assert_int_equal(b->download(d, got[routed], m.x, sizeof got[routed]), KERNELS_OK);
        }
        if (memcmp(got[0], got[1], sizeof got[0])) fail_msg("%s: experts that the router chose before", m.rig->name);
        model_free(&m);
    }
    free(x);
}

/* However many rows are routed at a time: their experts, and the weights to the bit. */
static void a_row_is_routed_alike_alone_and_in_a_crowd(void **state)
{
    static const struct {
        size_t k, e, t;
        enum kernels_format format;
        bool renormalize;
    } cases[] = {{64, 8, 2, KERNELS_BF16, true},     {4096, 8, 2, KERNELS_BF16, true}, {1032, 9, 3, KERNELS_F16, false},
                 {2048, 60, 4, KERNELS_F32, true},   {3072, 10, 8, KERNELS_F32, true}, {200, 31, 4, KERNELS_BF16, true},
                 {2056, 128, 8, KERNELS_BF16, false}};
    enum { CROWD = 40, PLACES = CROWD * 8 };
    static const size_t counts[] = {1, 3, 9, 32};
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t i = 0; i < (conformance_short() ? 3 : sizeof cases / sizeof *cases); i++) {
            const struct kernels_backend *b = rigs.all[r].table;
            struct kernels_device *d = rigs.all[r].device;
            const struct kernels_limits limits = {
                .max_rows = CROWD, .dim = cases[i].k, .ffn_dim = 1, .n_experts = cases[i].e, .top_k = cases[i].t};
            const struct model m = {.rig = &rigs.all[r]};
            const size_t k = cases[i].k, t = cases[i].t;
            struct numbers numbers = {i + 5};
            float *x = host_values(CROWD * k), want[PLACES], got[PLACES];
            int32_t want_ids[PLACES], got_ids[PLACES];
            assert_int_equal(b->reserve(d, &limits, NULL), KERNELS_OK);
            struct kernels_weight *w = weight(&m, &numbers, cases[i].format, cases[i].e, k);
            numbers_fill(&numbers, x, CROWD * k);
            float *on_device = rig_upload(&rigs.all[r], x, CROWD * k), *weights = room(&m, PLACES);
            int32_t *ids = (int32_t *)room(&m, PLACES);
            for (size_t c = 0; c <= sizeof counts / sizeof *counts; c++) {
                const size_t n = c ? counts[c - 1] : CROWD, first = c ? CROWD - n : 0;
                const struct kernels_route route = {on_device + first * k, w, ids, weights, n, t, cases[i].renormalize};
                assert_int_equal(b->route(d, &route), KERNELS_OK);
                assert_int_equal(b->download(d, c ? got : want, weights, n * t * sizeof *got), KERNELS_OK);
                assert_int_equal(b->download(d, c ? got_ids : want_ids, ids, n * t * sizeof *got_ids), KERNELS_OK);
                if (c && (memcmp(got, want + first * t, n * t * sizeof *got) ||
                          memcmp(got_ids, want_ids + first * t, n * t * sizeof *got_ids)))
                    fail_msg("%s: %zu experts of %zu: %zu rows are routed in another way than %d", rigs.all[r].name,
                             cases[i].e, k, n, CROWD);
            }
            b->buffer_free(d, on_device);
            b->buffer_free(d, weights);
            b->buffer_free(d, ids);
            b->weight_free(d, w);
            free(x);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_have_the_bits_of_their_operations),
                                       cmocka_unit_test(operations_behind_one_another_have_the_bits_of_each_alone),
                                       cmocka_unit_test(experts_are_those_of_the_ids_that_are_there),
                                       cmocka_unit_test(a_row_is_routed_alike_alone_and_in_a_crowd)};
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
