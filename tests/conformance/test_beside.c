/* test_beside.c: a linear layer with further weights of the same x, as kernels.h has it: to the bit what a call for each gives, whatever
 * the weights are and wherever they lie; what cannot be is refused before anything is done. */
#include "tests/conformance/rig.h"

enum { MOST = 1 + KERNELS_MAX_BESIDE };

/* Kernels that the emulation was given so far; there where it is linked in. */
long emulation_kernels_queued(void) __attribute__((weak));

RIGS_OF_ALL_TESTS(2)

/* Weights of one x, x [m, k]. */
struct several {
    const struct rig *rig;
    size_t n_weights, m, k, rows[MOST];
    struct kernels_weight *weights[MOST];
    const float *x; /* on the host */
    bool accumulate, as_gathered;
};

static struct kernels_weight *make(const struct rig *rig, enum kernels_format format, size_t rows, size_t k,
                                   uint64_t seed)
{
    struct numbers numbers = {seed};
    float *values = host_values(rows * k);
    numbers_fill(&numbers, values, rows * k);
    struct kernels_weight *weight = rig_weight(rig, format, rows, k, values);
    free(values);
    return weight;
}

/* NF4 whose blocks are of other sizes, as other programs write them. */
static struct kernels_weight *make_blocks(const struct rig *rig, uint32_t block_size, size_t rows, size_t k)
{
    const struct kernels_weight_desc desc = {KERNELS_NF4, rows, k};
    struct numbers numbers = {block_size};
    uint8_t *codes = malloc(rows * k / 2);
    float *absmax = host_values(rows * k / 32);
    assert_non_null(codes);
    numbers_fill(&numbers, absmax, rows * k / 32);
    for (size_t i = 0; i < rows * k / 2; i++) codes[i] = (uint8_t)(numbers_next(&numbers) >> 8);
    const struct kernels_parts parts = {.codes = codes, .absmax = absmax, .block_size = block_size};
    struct kernels_weight *weight = rig->table->weight_from_parts(rig->device, &desc, &parts, NULL);
    assert_non_null(weight);
    free(codes);
    free(absmax);
    return weight;
}

static void several_free(const struct several *s)
{
    for (size_t i = 0; i < s->n_weights; i++) s->rig->table->weight_free(s->rig->device, s->weights[i]);
}

/* What is in weight i's output before: nothing but NaN where it is not added to. */
static float *before(const struct several *s, size_t i)
{
    struct numbers numbers = {i + 1};
    float *values = s->accumulate ? host_values(s->m * s->rows[i]) : NULL;
    if (values) numbers_fill(&numbers, values, s->m * s->rows[i]);
    return values;
}

/* One call for all, then one for each: the outputs, guarded, are the same. Returns how many kernels the first one was. */
static long check(const struct several *s, const char *what)
{
    const struct kernels_backend *b = s->rig->table;
    float *x = rig_upload(s->rig, s->x, s->m * s->k), *out[MOST];
    struct kernels_linear args = {.x = x,
                                  .weight = s->weights[0],
                                  .n_rows = s->m,
                                  .accumulate = s->accumulate,
                                  .as_gathered = s->as_gathered,
                                  .n_beside = s->n_weights - 1};
    for (size_t i = 0; i < s->n_weights; i++) {
        float *values = before(s, i);
        out[i] = guarded(s->rig, values, s->m * s->rows[i]);
        free(values);
        if (i > 0) args.beside[i - 1] = (struct kernels_beside){s->weights[i], out[i]};
    }
    args.out = out[0];
    long launches = emulation_kernels_queued ? emulation_kernels_queued() : 0;
    assert_int_equal(b->linear(s->rig->device, &args), KERNELS_OK);
    launches = emulation_kernels_queued ? emulation_kernels_queued() - launches : 0;
    for (size_t i = 0; i < s->n_weights; i++) {
        float *values = before(s, i), *alone = guarded(s->rig, values, s->m * s->rows[i]);
        const struct kernels_linear one = {.x = x,
                                           .weight = s->weights[i],
                                           .out = alone,
                                           .n_rows = s->m,
                                           .accumulate = s->accumulate,
                                           .as_gathered = s->as_gathered};
        assert_int_equal(b->linear(s->rig->device, &one), KERNELS_OK);
        float *got = unguard(s->rig, what, out[i], s->m * s->rows[i]);
        float *want = unguard(s->rig, what, alone, s->m * s->rows[i]);
        if (compare_bits(got, want, s->m * s->rows[i]) != s->m * s->rows[i])
            fail_msg("%s: %s, %zu rows: weight %zu of %zu has other bits", s->rig->name, what, s->m, i, s->n_weights);
        free(values);
        free(got);
        free(want);
    }
    b->buffer_free(s->rig->device, x);
    return launches;
}

static const size_t numbers_of_rows[] = {1, 2, 5, 8, 9, 33, 70};
#define N_NUMBERS (sizeof numbers_of_rows / sizeof *numbers_of_rows)

/* Every number of rows; once added to what is there, once as single logits are. */
static void check_rows(struct several *s, const char *what)
{
    struct numbers numbers = {s->k};
    float *x = host_values(numbers_of_rows[N_NUMBERS - 1] * s->k);
    numbers_fill(&numbers, x, numbers_of_rows[N_NUMBERS - 1] * s->k);
    s->x = x;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        if (conformance_short() && i % 2 && i != 1) continue;
        s->m = numbers_of_rows[i];
        s->accumulate = i == 1 || i == 4;
        s->as_gathered = i == 2 || i == 6;
        check(s, what);
    }
    free(x);
}

static void weights_of_one_format_have_the_bits_of_a_call_for_each(void **state)
{
    static const size_t columns[] = {128, 704, 100};
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (int f = KERNELS_F32; f <= KERNELS_Q1; f++)
            for (size_t c = 0; c < (conformance_short() ? 1 : 3); c++) {
                const enum kernels_format format = (enum kernels_format)f;
                struct several s = {.rig = &rigs.all[r], .n_weights = 3, .k = columns[c], .rows = {70, 33, 17}};
                if (!rig_holds(s.rig, format)) continue;
                for (size_t i = 0; i < 3; i++) s.weights[i] = make(s.rig, format, s.rows[i], s.k, i + 7);
                check_rows(&s, docket_kernels_format_name(format));
                several_free(&s);
            }
}

static const struct mix {
    const char *name;
    size_t n, rows[MOST];
    enum kernels_format formats[MOST];
} mixes[] = {
    {"nested beside plain", 3, {64, 32, 32}, {KERNELS_NF4_NESTED, KERNELS_NF4, KERNELS_NF4_NESTED}},
    {"fp4 beside nf4", 3, {17, 130, 40}, {KERNELS_NF4, KERNELS_FP4, KERNELS_NF4}},
    {"fp4 beside nf4, nested", 3, {16, 1, 129}, {KERNELS_FP4_NESTED, KERNELS_NF4_NESTED, KERNELS_FP4_NESTED}},
    {"two", 2, {1, 65}, {KERNELS_NF4_NESTED, KERNELS_NF4_NESTED}},
    {"codes around int8", 3, {40, 40, 40}, {KERNELS_NF4, KERNELS_INT8, KERNELS_NF4}},
    {"int8 around codes", 3, {40, 70, 33}, {KERNELS_INT8, KERNELS_NF4_NESTED, KERNELS_INT8}},
    {"values beside codes", 3, {33, 33, 20}, {KERNELS_BF16, KERNELS_NF4, KERNELS_F16}},
    {"low bits beside f32", 3, {48, 20, 33}, {KERNELS_F32, KERNELS_Q4, KERNELS_Q2}},
};

static void weights_of_other_formats_and_sizes_have_the_bits_of_a_call_for_each(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
            const struct mix *mix = &mixes[i];
            struct several s = {.rig = &rigs.all[r], .n_weights = mix->n, .k = i % 2 ? 576 : 192};
            bool holds = true;
            for (size_t j = 0; j < mix->n; j++) holds = holds && rig_holds(s.rig, mix->formats[j]);
            if (!holds) continue;
            for (size_t j = 0; j < mix->n; j++) {
                s.rows[j] = mix->rows[j];
                s.weights[j] = make(s.rig, mix->formats[j], s.rows[j], s.k, j + 3);
            }
            check_rows(&s, mix->name);
            several_free(&s);
        }
}

/* So many that each kernel of a GPU has its turn, by their sum alone: one, two and four groups of outputs a block. */
static void weights_of_many_outputs_have_the_bits_of_a_call_for_each(void **state)
{
    enum { K = 64 };
    static const size_t sizes[][MOST] = {{2050, 1025, 1030}, {8200, 40, 100}, {8200, 4100, 4108}};
    struct numbers numbers = {5};
    float x[8 * K];
    (void)state;
    numbers_fill(&numbers, x, 8 * K);
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t i = 0; i < (conformance_short() ? 1 : 3); i++) {
            struct several s = {.rig = &rigs.all[r], .n_weights = 3, .k = K, .x = x};
            for (size_t j = 0; j < 3; j++) {
                s.rows[j] = sizes[i][j];
                s.weights[j] = make(s.rig, i ? KERNELS_NF4 : KERNELS_NF4_NESTED, s.rows[j], K, j + 1);
            }
            for (s.m = 1; s.m <= 8; s.m += s.m == 2 ? 3 : s.m == 1 ? 1 : 3) check(&s, "many outputs");
            several_free(&s);
        }
}

/* One on the host, blocks of other sizes, one with a 16-bit form. */
static void weights_that_lie_otherwise_have_the_bits_of_a_call_for_each(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct several s = {.rig = rig, .n_weights = 3, .k = 256, .rows = {64, 40, 24}};
        s.weights[0] = make(rig, KERNELS_NF4, s.rows[0], s.k, 1);
        s.weights[1] = make_blocks(rig, 128, s.rows[1], s.k);
        s.weights[2] = make_blocks(rig, 4096, s.rows[2], s.k);
        check_rows(&s, "blocks of other sizes");
        assert_int_equal(rig->table->weight_to_host(rig->device, s.weights[1], NULL), KERNELS_OK);
        check_rows(&s, "one on the host");
        rig->table->weight_free(rig->device, s.weights[1]);
        s.weights[1] = make_blocks(rig, 32, s.rows[1], s.k);
        rig->table->weight_expand(rig->device, s.weights[2], NULL);
        check_rows(&s, "blocks of 32, and a 16-bit form");
        several_free(&s);
    }
}

/* No row depends on what comes with it, nor on the weights beside. */
static void a_row_has_the_same_bits_in_any_company(void **state)
{
    enum { K = 320, M = 8, N = 50 };
    struct numbers numbers = {9};
    float x[M * K];
    (void)state;
    numbers_fill(&numbers, x, M * K);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        if (strstr(rig->name, "library")) continue; /* which promises what test_company asks */
        struct kernels_weight *weight = make(rig, KERNELS_NF4, N, K, 1), *other = make(rig, KERNELS_NF4, 20, K, 2);
        float *want = rig_linear(rig, weight, x, NULL, M, N, K, false);
        for (size_t first = 0; first < M; first += 5)
            for (size_t m = 1; first + m <= M; m += 2) {
                float *on_device = rig_upload(rig, x + first * K, m * K);
                float *out = guarded(rig, NULL, m * N), *others = guarded(rig, NULL, m * 20);
                const struct kernels_linear args = {.x = on_device,
                                                    .weight = other,
                                                    .out = others,
                                                    .n_rows = m,
                                                    .beside = {{weight, out}},
                                                    .n_beside = 1};
                assert_int_equal(rig->table->linear(rig->device, &args), KERNELS_OK);
                float *got = unguard(rig, "beside", out, m * N);
                assert_true(compare_equal(rig->name, got, want + first * N, m * N));
                free(got);
                free(unguard(rig, "first", others, m * 20));
                rig->table->buffer_free(rig->device, on_device);
            }
        free(want);
        rig->table->weight_free(rig->device, weight);
        rig->table->weight_free(rig->device, other);
    }
}

/* What a GPU is for: one kernel for all weights of few rows, and x is rounded, or looked through, once. */
static void few_rows_are_one_launch(void **state)
{
    static const struct {
        enum kernels_format formats[MOST];
        size_t m;
        long launches;
    } cases[] = {
        {{KERNELS_NF4_NESTED, KERNELS_NF4_NESTED, KERNELS_FP4_NESTED}, 1, 1},
        {{KERNELS_NF4, KERNELS_NF4, KERNELS_NF4}, 8, 1},
        {{KERNELS_NF4, KERNELS_NF4_NESTED, KERNELS_NF4}, 1, 2},         /* scales of two kinds */
        {{KERNELS_NF4, KERNELS_BF16, KERNELS_FP4}, 4, 2},               /* around another */
        {{KERNELS_NF4, KERNELS_NF4, KERNELS_NF4}, 20, 2},               /* rounded, then few at a time */
        {{KERNELS_NF4_NESTED, KERNELS_NF4, KERNELS_NF4_NESTED}, 70, 4}, /* rounded, then tiles */
        {{KERNELS_INT8, KERNELS_INT8, KERNELS_INT8}, 3, 4},             /* absmax, then each */
    };
    struct numbers numbers = {2};
    float x[70 * 64];
    (void)state;
    numbers_fill(&numbers, x, 70 * 64);
    if (!emulation_kernels_queued) return;
    for (size_t r = 0; r < rigs.n; r++) {
        if (!rigs.all[r].is_gpu || strstr(rigs.all[r].name, "library")) continue;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct several s = {
                .rig = &rigs.all[r], .n_weights = 3, .m = cases[i].m, .k = 64, .rows = {64, 32, 32}, .x = x};
            for (size_t j = 0; j < 3; j++) s.weights[j] = make(s.rig, cases[i].formats[j], s.rows[j], s.k, j + 1);
            const long launches = check(&s, "launches");
            if (launches != cases[i].launches)
                fail_msg("%s: case %zu: %ld launches, not %ld", s.rig->name, i, launches, cases[i].launches);
            several_free(&s);
        }
    }
}

/* The call says BAD_SHAPE, synchronize says `text`, and no output is touched. */
static void refused(const struct rig *rig, struct kernels_linear args, float *out[MOST], const char *text)
{
    struct kernels_error error = {0};
    float now[3];
    assert_int_equal(rig->table->linear(rig->device, &args), KERNELS_BAD_SHAPE);
    assert_int_equal(rig->table->synchronize(rig->device, &error), KERNELS_BAD_SHAPE);
    if (!strstr(error.message, text)) fail_msg("%s: says \"%s\", not \"%s\"", rig->name, error.message, text);
    for (size_t i = 0; i < MOST; i++) {
        assert_int_equal(rig->table->download(rig->device, now, out[i], sizeof now), KERNELS_OK);
        for (size_t j = 0; j < 3; j++) assert_true(isnan(now[j]));
    }
}

static void what_cannot_be_beside_is_refused_and_nothing_is_done(void **state)
{
    enum { K = 64, N = 3 };
    struct numbers numbers = {2};
    float values[K];
    (void)state;
    numbers_fill(&numbers, values, K);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        const struct kernels_weight_desc desc = {KERNELS_NF4, N, K};
        struct kernels_weight *w[MOST], *wide = make(rig, KERNELS_NF4, N, 2 * K, 1);
        struct kernels_weight *unfinished = rig->table->weight_begin(rig->device, &desc, NULL);
        float *x = rig_upload(rig, values, K), *out[MOST];
        for (size_t i = 0; i < MOST; i++) w[i] = make(rig, KERNELS_NF4, N, K, i), out[i] = guarded(rig, NULL, N);
        const struct kernels_linear good = {.x = x,
                                            .weight = w[0],
                                            .out = out[0],
                                            .n_rows = 1,
                                            .beside = {{w[1], out[1]}, {w[2], out[2]}},
                                            .n_beside = 2};
        struct kernels_linear bad;
        assert_non_null(unfinished);
        bad = good, bad.n_beside = 3;
        refused(rig, bad, out, "linear: n_beside: want at most 2, got 3");
        bad = good, bad.beside[1].weight = NULL;
        refused(rig, bad, out, "linear: beside[1]: weight or out missing");
        bad = good, bad.beside[0].weight = unfinished;
        refused(rig, bad, out, "linear: beside[0]: weight or out missing");
        bad = good, bad.beside[0].out = NULL;
        refused(rig, bad, out, "linear: beside[0]: weight or out missing");
        bad = good, bad.beside[1].weight = wide;
        refused(rig, bad, out, "linear: beside[1]: weight [3, 128] for 64 columns");
        bad = good, bad.out = NULL;
        refused(rig, bad, out, "linear: x, weight or out missing");
        bad = good, bad.n_rows = 0, bad.x = NULL, bad.out = bad.beside[0].out = bad.beside[1].out = NULL;
        assert_int_equal(rig->table->linear(rig->device, &bad), KERNELS_OK); /* nothing to do */
        bad = good, bad.n_beside = 0, bad.beside[0].weight = NULL;
        assert_int_equal(rig->table->linear(rig->device, &bad), KERNELS_OK); /* not looked at */
        for (size_t i = 0; i < MOST; i++) {
            free(unguard(rig, "refused", out[i], N));
            rig->table->weight_free(rig->device, w[i]);
        }
        rig->table->weight_free(rig->device, wide);
        rig->table->weight_free(rig->device, unfinished);
        rig->table->buffer_free(rig->device, x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_one_format_have_the_bits_of_a_call_for_each),
        cmocka_unit_test(weights_of_other_formats_and_sizes_have_the_bits_of_a_call_for_each),
        cmocka_unit_test(weights_of_many_outputs_have_the_bits_of_a_call_for_each),
        cmocka_unit_test(weights_that_lie_otherwise_have_the_bits_of_a_call_for_each),
        cmocka_unit_test(a_row_has_the_same_bits_in_any_company),
        cmocka_unit_test(few_rows_are_one_launch),
        cmocka_unit_test(what_cannot_be_beside_is_refused_and_nothing_is_done),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
