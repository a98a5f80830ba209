/* test_attention_random.c: attention over batches that nobody thought of: lengths, prefixes, trees, windows, heads and caches by chance,
 * against the reference, and each sequence alone, to the bit of what it is in company.
 * ATTENTION_CASES=n runs so many, ATTENTION_SEED=s begins with another: what fails names its seed. */
#include "tests/conformance/rig.h"

enum { SLOTS = 640, RUNNING = 200, MOST_SEQUENCES = 7, MOST_ROWS = MOST_SEQUENCES * 48, LAYERS = 2 };

RIGS_OF_ALL_TESTS(1)

struct random_case {
    size_t h, g, d;
    struct kernels_kv_shape kv;
    uint32_t window, layer;
    float scale;
    int loudness; /* queries are multiplied by two to this */
    struct kernels_sequence sequences[MOST_SEQUENCES];
    size_t n_sequences, n_rows;
    int32_t ids[MOST_ROWS], positions[MOST_ROWS], parents[MOST_ROWS];
    uint32_t slots[MOST_ROWS];
};

static uint32_t below(struct numbers *numbers, uint32_t n)
{
    return numbers_next(numbers) % n;
}

/* Small ones most of the time, and those around the sizes at which something is cut. */
static uint32_t some(struct numbers *numbers, uint32_t most)
{
    static const uint32_t edges[] = {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 300};
    const uint32_t n =
        below(numbers, 3) ? edges[below(numbers, sizeof edges / sizeof edges[0])] : below(numbers, most + 1);

    return n < most ? n : most;
}

/* On one side of the slots that every layer has, or on the other. */
static struct kernels_range some_range(struct numbers *numbers, uint32_t n, uint32_t position)
{
    const bool running = n <= RUNNING && below(numbers, 3) == 0;
    const uint32_t room = (running ? RUNNING : SLOTS) - n;

    return (struct kernels_range){(running ? SLOTS : 0) + below(numbers, room + 1), n, position};
}

static void add_sequence(struct random_case *c, struct numbers *numbers)
{
    struct kernels_sequence *s = &c->sequences[c->n_sequences], *before = s - (c->n_sequences > 0);
    const uint32_t n = some(numbers, 48), old = some(numbers, 300);
    const bool is_tree = n > 0 && below(numbers, 3) == 0;
    uint32_t position = below(numbers, 8) ? 0 : below(numbers, 1u << 20);

    *s = (struct kernels_sequence){.first_row = (uint32_t)c->n_rows, .n_rows = n, .n_shared = below(numbers, 3)};
    for (uint32_t r = 0; r < s->n_shared; r++) {
        s->shared[r] = some_range(numbers, some(numbers, 300), position);
        if (r == 0 && before->n_shared && before != s && below(numbers, 2)) s->shared[0] = before->shared[0];
        position = s->shared[r].first_position + s->shared[r].n_slots;
    }
    s->own = some_range(numbers, n + (is_tree ? 0 : old), position);
    if (is_tree) s->parent = c->parents + c->n_rows;
    for (uint32_t i = 0; i < n; i++, c->n_rows++) {
        const uint32_t place = s->own.n_slots - n + i;
        const int32_t parent = is_tree ? (int32_t)below(numbers, i + 1) - 1 : -1;
        c->parents[c->n_rows] = parent;
        c->slots[c->n_rows] = s->own.first_slot + place;
        c->positions[c->n_rows] = (int32_t)(position + place);
        if (is_tree)
            c->positions[c->n_rows] =
                parent < 0 ? (int32_t)position : c->positions[s->first_row + (uint32_t)parent] + 1;
    }
    c->n_sequences++;
}

static void make_case(struct random_case *c, struct numbers *numbers)
{
    static const size_t sizes[] = {2, 8, 16, 18, 32, 40, 64, 80, 96, 112, 128, 128, 160, 256};
    static const enum kernels_format formats[] = {KERNELS_F16, KERNELS_F16, KERNELS_KV_Q8_0, KERNELS_KV_Q4_0,
                                                  KERNELS_F32};
    const size_t most = conformance_short() ? 6 : sizeof sizes / sizeof sizes[0];

    memset(c, 0, sizeof *c);
    c->d = sizes[below(numbers, (uint32_t)most)];
    c->g = 1 + below(numbers, 2);
    c->h = c->g * (1 + below(numbers, c->d > 64 ? 4 : 9));
    c->kv = (struct kernels_kv_shape){formats[below(numbers, 5)], LAYERS, SLOTS, RUNNING, c->g, c->d};
    c->layer = below(numbers, LAYERS);
    c->window = below(numbers, 2) ? 0 : 1 + some(numbers, 400);
    c->loudness = below(numbers, 4) ? 0 : (int)below(numbers, 61) - 30;
    c->scale = ldexpf(1 / sqrtf((float)c->d), below(numbers, 2) ? -c->loudness : 0);
    for (uint32_t n = 1 + below(numbers, MOST_SEQUENCES); n > 0; n--) add_sequence(c, numbers);
}

/* Keys and values of all slots: rows of no sequence. */
static void fill_cache(const struct rig *rig, const struct random_case *c, struct kernels_kv *kv, const float *k,
                       const float *v)
{
    enum { ALL = SLOTS + RUNNING };
    static const float none[KERNELS_MAX_HEAD_SIZE / 2];
    static int32_t zeros[ALL];
    uint32_t slots[ALL];
    const struct kernels_batch_desc desc = {ALL, 0, zeros, zeros, slots, NULL};
    struct kernels_batch *batch = rig->table->batch_create(rig->device, ALL, 1, NULL);
    float *q = rig_upload(rig, k, ALL * c->g * c->d), *to_k = rig_upload(rig, k, ALL * c->g * c->d),
          *to_v = rig_upload(rig, v, ALL * c->g * c->d);
    const struct kernels_rope_kv rope = {batch, q, to_k, to_v, kv, c->layer, c->g, c->g, c->d, none, 0};

    for (uint32_t i = 0; i < ALL; i++) slots[i] = i;
    assert_non_null(batch);
    assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
    assert_int_equal(rig->table->rope_kv(rig->device, &rope), KERNELS_OK);
    rig->table->batch_free(rig->device, batch);
    rig->table->buffer_free(rig->device, q);
    rig->table->buffer_free(rig->device, to_k);
    rig->table->buffer_free(rig->device, to_v);
}

/* Of sequences [first, first + n); NaN for rows that are of none. */
static float *attend(const struct rig *rig, const struct random_case *c, struct kernels_kv *kv, const float *q,
                     size_t first, size_t n)
{
    const size_t width = c->h * c->d;
    struct kernels_batch *batch = rig->table->batch_create(rig->device, MOST_ROWS, MOST_SEQUENCES, NULL);
    const struct kernels_batch_desc desc = {c->n_rows, n, c->ids, c->positions, c->slots, c->sequences + first};
    float *device_q = rig_upload(rig, q, c->n_rows * width + 1), *out = guarded(rig, NULL, c->n_rows * width);
    const struct kernels_attention args = {batch, device_q, kv, out, c->layer, c->h, c->g, c->d, c->scale, c->window};
    struct kernels_error error = {0};

    assert_non_null(batch);
    if (rig->table->batch_set(rig->device, batch, &desc, &error) != KERNELS_OK) fail_msg("%s", error.message);
    assert_int_equal(rig->table->attention(rig->device, &args), KERNELS_OK);
    float *got = unguard(rig, "attention", out, c->n_rows * width);
    rig->table->batch_free(rig->device, batch);
    rig->table->buffer_free(rig->device, device_q);
    return got;
}

static double longest(const float *x, size_t n, size_t d)
{
    double most = 0;

    for (size_t i = 0; i < n; i += d) {
        double sum = 0;
        for (size_t j = 0; j < d; j++) sum += (double)x[i + j] * x[i + j];
        most = fmax(most, sum);
    }
    return sqrt(most);
}

/* As in test_attention.c, of up to 948 keys, with what cuts a score's exponent: the sum of two roundings of itself. */
static double limit_of(const struct rig *rig, const struct random_case *c, const float *q, const float *k,
                       const float *v)
{
    enum { KEYS = 948 };
    const bool in_f16 = rig->is_gpu && c->kv.format != KERNELS_F32;
    const double rounding = in_f16 ? 0x1p-11 : 0, of_cache = c->kv.format == KERNELS_F16 ? 0 : rounding;
    const double score =
        c->scale * longest(q, c->n_rows * c->h * c->d, c->d) * 1.01 * longest(k, (SLOTS + RUNNING) * c->g * c->d, c->d);
    const double off = score * (((double)c->d + 14) * ULP + rounding + of_cache);
    double value = 0;

    for (size_t i = 0; i < (SLOTS + RUNNING) * c->g * c->d; i++) value = fmax(value, fabs((double)v[i]));
    return fmin(2.02 * value,
                1.1 * value *
                    (4 * off + 2 * rounding + of_cache + (in_f16 ? KEYS * 0x1p-39 + 2 * 32 * 0x1p-22 : 0) +
                     (8 + KEYS + 2 * KEYS / 64) * ULP));
}

/* The limit above is that of the worst of all numbers; these are Gaussian, and scores of the size of 1, so that roundings of 2^-11 come to
 * a few of themselves in each head of each row. One key too many or too few of a hundred would be a tenth. */
static void check_heads(const struct random_case *c, const char *what, const float *got, const float *want)
{
    if (c->loudness != 0 || c->d < 16) return;
    for (size_t s = 0; s < c->n_sequences; s++)
        for (size_t i = 0; i < c->sequences[s].n_rows * c->h; i++) {
            const size_t at = (c->sequences[s].first_row * c->h + i) * c->d;
            const double wrong = compare(got + at, want + at, NULL, c->d).relative_l2;
            if (!(wrong <= 32 * 0x1p-11))
                fail_msg("%s: sequence %zu, row %zu, head %zu: wrong by %.3g of itself", what, s, i / c->h, i % c->h,
                         wrong);
        }
}

/* What the cache holds differs by its format alone, which all tables round alike: the reference reads the same. */
static void judge(const struct random_case *c, struct numbers *numbers, const char *name)
{
    const size_t width = c->h * c->d, nq = c->n_rows * width, nk = (SLOTS + RUNNING) * c->g * c->d;
    float *q = host_values(nq + 1), *k = host_values(nk), *v = host_values(nk), *want = NULL;
    double *limits = calloc(nq + 1, sizeof *limits);

    numbers_fill(numbers, q, nq);
    numbers_fill(numbers, k, nk);
    numbers_fill(numbers, v, nk);
    for (size_t i = 0; i < nq; i++) q[i] = ldexpf(q[i], c->loudness);
    q[nq] = 0;
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        if (rig->is_gpu && r > 1) break; /* whoever makes products, attention is the same */
        struct kernels_kv *kv = rig->table->kv_create(rig->device, &c->kv, NULL);
        char what[200];
        assert_non_null(kv);
        fill_cache(rig, c, kv, k, v);
        float *got = attend(rig, c, kv, q, 0, c->n_sequences);
        if (!want) {
            want = got;
            rig->table->kv_free(rig->device, kv);
            continue;
        }
        const double limit = limit_of(rig, c, q, k, v);
        for (size_t i = 0; i < nq; i++) limits[i] = limit;
        snprintf(what, sizeof what, "%s: %s", rig->name, name);
        assert_true(compare_within(what, got, want, limits, nq));
        check_heads(c, what, got, want);
        for (size_t i = 0; i < c->n_sequences; i++) {
            const size_t at = c->sequences[i].first_row * width;
            float *alone = attend(rig, c, kv, q, i, 1);
            assert_true(compare_equal(what, alone + at, got + at, c->sequences[i].n_rows * width));
            free(alone);
        }
        free(got);
        rig->table->kv_free(rig->device, kv);
    }
    free(q);
    free(k);
    free(v);
    free(want);
    free(limits);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void any_batch_is_within_rounding_and_each_sequence_as_if_alone(void **state)
{
    static struct random_case c;
    const uint64_t first = setting("ATTENTION_SEED", 1), n = setting("ATTENTION_CASES", conformance_short() ? 12 : 30);

    (void)state;
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct numbers numbers = {seed * 0x9e3779b97f4a7c15u};
        char name[120];
        make_case(&c, &numbers);
        snprintf(name, sizeof name, "seed %llu: h=%zu g=%zu d=%zu %s window %u, %zu sequences, %zu rows",
                 (unsigned long long)seed, c.h, c.g, c.d, docket_kernels_format_name(c.kv.format), c.window,
                 c.n_sequences, c.n_rows);
        judge(&c, &numbers, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_batch_is_within_rounding_and_each_sequence_as_if_alone),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
