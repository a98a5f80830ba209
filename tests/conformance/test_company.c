/* test_company.c: the bits of a row do not depend on what else is in the batch: alone, beside sequences that look at the same prefix, in
 * a crowd that fills the device; nor on a power of two that queries and scale share. A backend may cut the work in another way for
 * each of these; the result must not show it.
 *
 * All keys lie in the cache from the start, a token a slot, more of them than any backend takes at a time. */
#include "tests/conformance/rig.h"

enum { PREFIX = 300, SLOTS = 1500, CROWD = 300, MAX_SEQUENCES = CROWD + 4 };

static const int32_t tree[7] = {-1, 0, 0, 2, -1, 4, 3};

/* Its rows are the last of its own range. */
struct sequence {
    const char *name;
    uint32_t n_rows, n_shared;
    struct kernels_range shared[KERNELS_MAX_SHARED], own;
    const int32_t *parent;
};

static const struct sequence watched[] = {
    {"a few rows behind a document", 3, 1, {{0, PREFIX, 0}}, {300, 293, PREFIX}, NULL},
    {"a tree behind a document", 7, 2, {{0, PREFIX, 0}, {600, 270, PREFIX}}, {870, 7, 570}, tree},
    {"the end of a document", 40, 1, {{0, PREFIX, 0}}, {900, 290, PREFIX}, NULL},
    {"a row that shares nothing", 1, 0, {{0, 0, 0}}, {300, 290, 0}, NULL},
};

enum { FEW, TREE, END, LONE, N_WATCHED };

static const struct company {
    const char *name;
    int members[N_WATCHED];
    size_t n_members;
    bool crowd_before, crowd_behind;
} companies[] = {
    {"a few rows alone", {FEW}, 1, false, false},
    {"the tree alone", {TREE}, 1, false, false},
    {"the end alone", {END}, 1, false, false},
    {"a lone row", {LONE}, 1, false, false},
    {"two that share a prefix", {TREE, FEW}, 2, false, false},
    {"all", {END, FEW, LONE, TREE}, 4, false, false},
    {"a few rows before a crowd", {FEW}, 1, false, true},
    {"the tree behind a crowd", {TREE}, 1, true, false},
    {"all in a crowd", {FEW, END, TREE, LONE}, 4, true, true},
};

static const struct shapes {
    size_t h, g, d;
    enum kernels_format format;
    uint32_t window;
} shapes[] = {
    {4, 1, 16, KERNELS_F16, 0},      {2, 1, 32, KERNELS_KV_Q8_0, 0}, {3, 1, 18, KERNELS_F16, 280},
    {2, 2, 32, KERNELS_KV_Q4_0, 90}, {4, 2, 8, KERNELS_F32, 0},      {4, 2, 80, KERNELS_F16, 0},
    {2, 1, 160, KERNELS_F16, 400},   {7, 1, 128, KERNELS_F16, 0},
};

RIGS_OF_ALL_TESTS(2)

struct packed {
    struct kernels_sequence sequences[MAX_SEQUENCES];
    int32_t ids[SLOTS], positions[SLOTS];
    uint32_t slots[SLOTS];
    size_t n_rows, n_sequences, first_row[N_WATCHED];
};

static void add(struct packed *p, const struct sequence *from)
{
    struct kernels_sequence *s = &p->sequences[p->n_sequences++];
    const uint32_t before = from->own.n_slots - from->n_rows;

    *s = (struct kernels_sequence){.first_row = (uint32_t)p->n_rows,
                                   .n_rows = from->n_rows,
                                   .n_shared = from->n_shared,
                                   .own = from->own,
                                   .parent = from->parent};
    memcpy(s->shared, from->shared, sizeof s->shared);
    for (uint32_t i = 0; i < from->n_rows; i++, p->n_rows++) {
        uint32_t place = before + i;
        if (from->parent) {
            place = 0;
            for (int32_t up = from->parent[i]; up >= 0; up = from->parent[up]) place++;
        }
        p->positions[p->n_rows] = (int32_t)(from->own.first_position + place);
        p->slots[p->n_rows] = from->own.first_slot + before + i;
    }
}

/* Sequences of one key each: with 300 of them a GPU has two for each of its multiprocessors. */
static void add_crowd(struct packed *p, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++) {
        const struct sequence one = {"one of a crowd", 1, 0, {{0, 0, 0}}, {SLOTS - CROWD + i, 1, 0}, NULL};
        add(p, &one);
    }
}

static void pack(struct packed *p, const struct company *c)
{
    const uint32_t some = conformance_short() ? 10 : CROWD / 2;
    memset(p, 0, sizeof *p);
    if (c->crowd_before) add_crowd(p, 0, some);
    for (size_t i = 0; i < c->n_members; i++) {
        p->first_row[c->members[i]] = p->n_rows;
        add(p, &watched[c->members[i]]);
    }
    if (c->crowd_behind) add_crowd(p, CROWD / 2, some);
}

/* Keys and values of all slots into the cache: rows of no sequence. */
static void fill_cache(const struct rig *rig, const struct shapes *c, struct kernels_kv *kv, const float *q,
                       const float *k, const float *v)
{
    static const float none[KERNELS_MAX_HEAD_SIZE / 2];
    struct packed *p = calloc(1, sizeof *p);
    struct kernels_batch *batch = rig->table->batch_create(rig->device, SLOTS, 1, NULL);
    struct kernels_batch_desc desc = {SLOTS, 0, p->ids, p->positions, p->slots, NULL};
    float *device_q = rig_upload(rig, q, SLOTS * c->h * c->d), *device_k = rig_upload(rig, k, SLOTS * c->g * c->d);
    float *device_v = rig_upload(rig, v, SLOTS * c->g * c->d);
    const struct kernels_rope_kv rope = {batch, device_q, device_k, device_v, kv, 0, c->h, c->g, c->d, none, 0};

    for (uint32_t i = 0; i < SLOTS; i++) p->slots[i] = i;
    assert_non_null(batch);
    assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
    assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
    rig->table->batch_free(rig->device, batch);
    rig->table->buffer_free(rig->device, device_q);
    rig->table->buffer_free(rig->device, device_k);
    rig->table->buffer_free(rig->device, device_v);
    free(p);
}

/* What the company's rows come to, [rows, h d], guarded; queries are multiplied by 2^shift, the scale by 2^-shift. */
static float *attend(const struct rig *rig, const struct shapes *c, struct kernels_kv *kv, struct kernels_batch *batch,
                     const struct packed *p, const float *q, int shift)
{
    const size_t width = c->h * c->d;
    float *rows = host_values(p->n_rows * width), *device_q, *out;
    const struct kernels_batch_desc desc = {p->n_rows, p->n_sequences, p->ids, p->positions, p->slots, p->sequences};
    struct kernels_error error = {0};

    for (size_t i = 0; i < p->n_rows; i++) memcpy(rows + i * width, q + p->slots[i] * width, width * sizeof *rows);
    for (size_t i = 0; i < p->n_rows * width; i++) rows[i] = ldexpf(rows[i], shift);
    device_q = rig_upload(rig, rows, p->n_rows * width);
    out = guarded(rig, NULL, p->n_rows * width);
    if (rig->table->batch_set(rig->device, batch, &desc, &error) != KERNELS_OK) fail_msg("%s", error.message);
    const struct kernels_attention args = {batch,    device_q, kv, out, 0, c->h, c->g, c->d, ldexpf(0.5f, -shift),
                                           c->window};
    assert_int_equal(rig->table->attention(rig->device, &args), KERNELS_OK);
    free(rows);
    rows = unguard(rig, "attention", out, p->n_rows * width);
    rig->table->buffer_free(rig->device, device_q);
    return rows;
}

/* The limit of test_attention.c holds for the worst of all cases. Roundings of queries, keys, weights and values to f16 are independent
 * of each other: a single one moves by up to 2^-11, by 2^-11 / sqrt(3) in the mean of squares, and scores here are of the size of 1, so
 * that four of them stay below 4 * 2^-11 of the result. Operands in bf16 would be at eight times that. */
static void check_error(const char *name, const float *got, const float *want, size_t n)
{
    const double wrong = compare(got, want, NULL, n).relative_l2;

    if (!(wrong <= 4 * 0x1p-11)) fail_msg("%s: wrong by %.3g of itself", name, wrong);
}

static void judge(const struct shapes *c, const struct rig *rig, float *want[N_WATCHED])
{
    const size_t width = c->h * c->d, nq = SLOTS * width, nk = SLOTS * c->g * c->d;
    const struct kernels_limits limits = {.max_rows = SLOTS,
                                          .max_sequences = MAX_SEQUENCES,
                                          .dim = width,
                                          .ffn_dim = 1,
                                          .n_experts = 1,
                                          .top_k = 1,
                                          .n_heads = c->h,
                                          .n_kv_heads = c->g,
                                          .head_size = c->d};
    struct kernels_memory before, after;
    struct numbers numbers = {nq};
    float *q = host_values(nq), *k = host_values(nk), *v = host_values(nk), *first[N_WATCHED] = {NULL};
    struct kernels_kv *kv = rig->table->kv_create(
        rig->device,
        &(const struct kernels_kv_shape){
            .format = c->format, .n_layers = 1, .n_slots = SLOTS, .n_kv_heads = c->g, .head_size = c->d},
        NULL);
    struct kernels_batch *batch = rig->table->batch_create(rig->device, SLOTS, MAX_SEQUENCES, NULL);
    struct packed *p = malloc(sizeof *p);
    char name[200];

    assert_true(kv && batch && p);
    numbers_fill(&numbers, q, nq);
    numbers_fill(&numbers, k, nk);
    numbers_fill(&numbers, v, nk);
    for (size_t i = 0; i < nq; i++) q[i] *= 2 / sqrtf((float)c->d);
    assert_int_equal(rig->table->reserve(rig->device, &limits, NULL), KERNELS_OK);
    fill_cache(rig, c, kv, q, k, v);
    rig->table->memory(rig->device, &before);
    for (size_t i = 0; i < sizeof companies / sizeof companies[0]; i++) {
        pack(p, &companies[i]);
        float *got = attend(rig, c, kv, batch, p, q, 0);
        rig->table->memory(rig->device, &after);
        if (rig->is_gpu) assert_int_equal(after.used_bytes, before.used_bytes);
        for (size_t m = 0; m < companies[i].n_members; m++) {
            const int which = companies[i].members[m];
            const size_t n = watched[which].n_rows * width;
            const float *rows = got + p->first_row[which] * width;
            snprintf(name, sizeof name, "%s: h=%zu g=%zu d=%zu %s window %u: %s: %s", rig->name, c->h, c->g, c->d,
                     docket_kernels_format_name(c->format), c->window, companies[i].name, watched[which].name);
            if (first[which]) {
                assert_true(compare_equal(name, rows, first[which], n));
                continue;
            }
            first[which] = host_values(n);
            memcpy(first[which], rows, n * sizeof *rows);
            if (want[which])
                check_error(name, rows, want[which], n);
            else {
                want[which] = host_values(n);
                memcpy(want[which], rows, n * sizeof *rows);
            }
        }
        free(got);
    }
    pack(p, &companies[4]);
    for (int shift = -40; shift <= 40; shift += 20) { /* nothing overflows, nothing falls out of a number's range */
        float *got = attend(rig, c, kv, batch, p, q, shift);
        snprintf(name, sizeof name, "%s: d=%zu %s: queries times 2^%d", rig->name, c->d,
                 docket_kernels_format_name(c->format), shift);
        assert_true(compare_equal(name, got + p->first_row[FEW] * width, first[FEW], watched[FEW].n_rows * width));
        free(got);
    }
    for (size_t i = 0; i < N_WATCHED; i++) free(first[i]);
    rig->table->batch_free(rig->device, batch);
    rig->table->kv_free(rig->device, kv);
    free(p);
    free(q);
    free(k);
    free(v);
}

static void the_bits_of_a_row_are_the_same_in_any_company_and_at_any_scale(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        float *want[N_WATCHED] = {NULL};
        if (conformance_short() && shapes[i].h * shapes[i].d > 64) continue;
        for (size_t r = 0; r < rigs.n; r++) judge(&shapes[i], &rigs.all[r], want);
        for (size_t w = 0; w < N_WATCHED; w++) free(want[w]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_of_a_row_are_the_same_in_any_company_and_at_any_scale),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
