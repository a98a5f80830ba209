/* test_products.c: what is promised of products beyond their values: a 16-bit form beside a weight changes no bit, many experts are
 * sorted as few are, and the regimes of a GPU differ by rounding only. */
#include "tests/conformance/rig.h"

RIGS_OF_ALL_TESTS(1)

/* Experts of one layer, as many as there may be. */
struct layer {
    size_t n_experts, k, f;
    struct kernels_weight *gate[KERNELS_MAX_EXPERTS], *up[KERNELS_MAX_EXPERTS], *down[KERNELS_MAX_EXPERTS];
};

static void layer_make(const struct rig *rig, struct layer *l, enum kernels_format format)
{
    size_t size = l->f * l->k;
    struct numbers numbers = {l->n_experts};
    float *values = host_values(size);

    for (size_t e = 0; e < l->n_experts; e++) {
        struct kernels_weight **const all[] = {l->gate, l->up, l->down};
        for (size_t i = 0; i < 3; i++) {
            numbers_fill(&numbers, values, size);
            for (size_t j = 0; j < size; j++) values[j] *= 0.2f;
            all[i][e] = rig_weight(rig, format, i < 2 ? l->f : l->k, i < 2 ? l->k : l->f, values);
        }
    }
    free(values);
}

static void layer_free(const struct rig *rig, struct layer *l)
{
    for (size_t e = 0; e < l->n_experts; e++) {
        rig->table->weight_free(rig->device, l->gate[e]);
        rig->table->weight_free(rig->device, l->up[e]);
        rig->table->weight_free(rig->device, l->down[e]);
    }
}

struct rows {
    size_t m, top_k;
    float *x, *weights;
    int32_t *ids;
};

/* Each row goes to top_k neighbours; every third expert gets none. */
static struct rows rows_make(size_t m, size_t k, size_t n_experts, size_t top_k)
{
    struct rows r = {m, top_k, host_values(m * k), host_values(m * top_k), calloc(m * top_k + 1, sizeof(int32_t))};
    struct numbers numbers = {m + k};

    numbers_fill(&numbers, r.x, m * k);
    for (size_t i = 0; i < m; i++) {
        size_t at = numbers_next(&numbers) % n_experts;
        for (size_t t = 0; t < top_k; t++, at++) {
            while (n_experts >= 3 * top_k && at % n_experts % 3 == 1) at++;
            r.ids[i * top_k + t] = (int32_t)(at % n_experts);
            r.weights[i * top_k + t] = (float)(numbers_next(&numbers) * 0x1p-32);
        }
    }
    return r;
}

static void rows_free(struct rows *r)
{
    free(r->x);
    free(r->weights);
    free(r->ids);
}

static float *run_experts(const struct rig *rig, const struct layer *l, const struct rows *r, size_t first, size_t m)
{
    float *x = rig_upload(rig, r->x + first * l->k, m * l->k), *zeros = calloc(m * l->k, sizeof *zeros);
    float *weights = rig_upload(rig, r->weights + first * r->top_k, m * r->top_k), *out = guarded(rig, zeros, m * l->k);
    int32_t *ids = rig->table->buffer_allocate(rig->device, m * r->top_k * sizeof *ids, NULL);
    struct kernels_expert_ffn args = {.x = x,
                                      .gate = (const struct kernels_weight *const *)l->gate,
                                      .up = (const struct kernels_weight *const *)l->up,
                                      .down = (const struct kernels_weight *const *)l->down,
                                      .n_experts = l->n_experts,
                                      .ids = ids,
                                      .weights = weights,
                                      .out = out,
                                      .n_rows = m,
                                      .top_k = r->top_k};

    free(zeros);
    assert_non_null(ids);
    assert_int_equal(rig->table->upload(rig->device, ids, r->ids + first * r->top_k, m * r->top_k * sizeof *ids),
                     KERNELS_OK);
    assert_int_equal(rig->table->expert_ffn(rig->device, &args), KERNELS_OK);
    rig->table->buffer_free(rig->device, x);
    rig->table->buffer_free(rig->device, weights);
    rig->table->buffer_free(rig->device, ids);
    return unguard(rig, "expert_ffn", out, m * l->k);
}

static float *run_linear(const struct rig *rig, const struct kernels_weight *weight, const float *x, size_t m, size_t n,
                         size_t k)
{
    return rig_linear(rig, weight, x, NULL, m, n, k, false);
}

/* The largest difference, over the root of the mean square of `want`. */
static double difference(const float *got, const float *want, size_t n)
{
    double most = 0, square = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= most)) most = d;
        square += (double)want[i] * want[i];
    }
    return n ? most / (sqrt(square / (double)n) + 1e-30) : 0;
}

static void experts_of_any_number_are_sorted_alike(void **state)
{
    static const struct {
        size_t m, n_experts, top_k;
    } cases[] = {{1, 256, 16}, {16, 256, 16}, {17, 256, 16}, {70, 256, 16}, {300, 3, 1},
                 {256, 8, 2},  {129, 8, 2},   {128, 60, 8},  {90, 128, 8},  {513, 1, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rows rows = rows_make(cases[i].m, 8, cases[i].n_experts, cases[i].top_k);
        float *want = NULL;
        if (conformance_short() && cases[i].m * cases[i].top_k > 300) goto next;
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            struct layer layer = {.n_experts = cases[i].n_experts, .k = 8, .f = 8};
            float *got, *alone;
            layer_make(rig, &layer, KERNELS_BF16);
            got = run_experts(rig, &layer, &rows, 0, cases[i].m);
            if (r > 0 &&
                !(difference(got, want, cases[i].m * 8) < 0.05)) /* far above rounding, far below a wrong row */
                fail_msg("%s: %zu rows, %zu of %zu experts: off by %g", rig->name, cases[i].m, cases[i].top_k,
                         cases[i].n_experts, difference(got, want, cases[i].m * 8));
            for (size_t row = 0; row < cases[i].m; row += 1 + row / 2) {
                alone = run_experts(rig, &layer, &rows, row, 1);
                assert_true(compare_equal(rig->name, alone, got + row * 8, 8));
                free(alone);
            }
            layer_free(rig, &layer);
            if (r == 0)
                want = got;
            else
                free(got);
        }
    next:
        free(want);
        rows_free(&rows);
    }
}

static void an_id_that_is_no_expert_is_said(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t m = 1; m < 400; m += 383) { /* one chunk of the sort, and two */
            const struct rig *rig = &rigs.all[r];
            struct layer layer = {.n_experts = 3, .k = 8, .f = 8};
            if (!rig->is_gpu) continue; /* those of the CPU say it at once */
            struct rows rows = rows_make(m, 8, 3, 1);
            rows.ids[m - 1] = 3;
            layer_make(rig, &layer, KERNELS_BF16);
            free(run_experts(rig, &layer, &rows, 0, m));
            assert_int_equal(rig->table->synchronize(rig->device, NULL), KERNELS_BAD_SHAPE);
            rows.ids[m - 1] = -1;
            free(run_experts(rig, &layer, &rows, 0, m));
            assert_int_equal(rig->table->synchronize(rig->device, NULL), KERNELS_BAD_SHAPE);
            assert_int_equal(rig->table->synchronize(rig->device, NULL), KERNELS_OK);
            layer_free(rig, &layer);
            rows_free(&rows);
        }
}

static const enum kernels_format expandable[] = {KERNELS_NF4, KERNELS_NF4_NESTED, KERNELS_FP4, KERNELS_FP4_NESTED,
                                                 KERNELS_Q8,  KERNELS_Q4,         KERNELS_Q2,  KERNELS_Q1};

static size_t used_bytes(const struct rig *rig)
{
    struct kernels_memory memory;

    rig->table->memory(rig->device, &memory);
    return memory.used_bytes;
}

/* Its codes are read back, expanded, read back again. */
static void check_expanded_weight(const struct rig *rig, enum kernels_format format)
{
    enum { M = 9, N = 72, K = 136 };
    struct numbers numbers = {(unsigned)format};
    float *x = host_values(M * K), *w = host_values(N * K), *before, *after, *values = host_values(N * K);
    uint8_t codes[2][N * K];
    struct kernels_parts parts[2] = {{.codes = codes[0]}, {.codes = codes[1]}};
    struct kernels_error error = {0};
    struct kernels_weight *weight;
    enum kernels_status status;
    size_t used, least;

    numbers_fill(&numbers, x, M * K);
    numbers_fill(&numbers, w, N * K);
    weight = rig_weight(rig, format, N, K, w);
    before = run_linear(rig, weight, x, M, N, K);
    memset(codes, 0, sizeof codes);
    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, &parts[0]), KERNELS_OK);
    used = used_bytes(rig);
    status = rig->table->weight_expand(rig->device, weight, &error);
    least = used_bytes(rig) - used;
    if (status != (strstr(rig->name, "library") ? KERNELS_OK : KERNELS_UNSUPPORTED))
        fail_msg("%s: weight_expand: %d: %s", rig->name, (int)status, error.message);
    assert_int_equal(least, status == KERNELS_OK ? N * K * 2 : 0);
    if (status == KERNELS_OK) { /* once more adds nothing */
        assert_int_equal(rig->table->weight_expand(rig->device, weight, &error), KERNELS_OK);
        assert_int_equal(used_bytes(rig), used + least);
    }
    after = run_linear(rig, weight, x, M, N, K);
    assert_true(compare_equal(rig->name, after, before, M * N));
    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, &parts[1]), KERNELS_OK);
    assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
    assert_int_equal(rig->table->weight_read(rig->device, weight, values), KERNELS_OK);
    rig->table->weight_free(rig->device, weight);
    free(x);
    free(w);
    free(values);
    free(before);
    free(after);
}

static void a_16_bit_form_changes_no_bit_and_no_part(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t f = 0; f < sizeof expandable / sizeof expandable[0]; f++)
            if (rig_holds(&rigs.all[r], expandable[f])) check_expanded_weight(&rigs.all[r], expandable[f]);
}

static void some_experts_with_a_16_bit_form_change_no_bit(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct layer layer = {.n_experts = 6, .k = 64, .f = 72};
        struct rows rows = rows_make(conformance_short() ? 5 : 40, 64, 6, 2);
        float *before, *after;
        layer_make(rig, &layer, KERNELS_NF4_NESTED);
        before = run_experts(rig, &layer, &rows, 0, rows.m);
        for (size_t e = 0; e < 6; e++) { /* any of the three, all, none */
            if (e & 1) rig->table->weight_expand(rig->device, layer.gate[e], NULL);
            if (e & 2) rig->table->weight_expand(rig->device, layer.up[e], NULL);
            if (e & 4) rig->table->weight_expand(rig->device, layer.down[e], NULL);
        }
        after = run_experts(rig, &layer, &rows, 0, rows.m);
        assert_true(compare_equal(rig->name, after, before, rows.m * 64));
        free(before);
        free(after);
        layer_free(rig, &layer);
        rows_free(&rows);
    }
}

/* Scales of 32, 128 and 4096 codes, as other programs write them: those of 64 are what every other test has. */
static void blocks_of_other_sizes_multiply_alike(void **state)
{
    enum { M = 11, N = 40, K = 192, ITEMS = 9 };
    static const uint32_t sizes[] = {32, 128, 4096}, rows[ITEMS] = {0, 10, 3, 3, 7, 0, 1, 10, 5};
    static const int32_t ids[ITEMS] = {39, 0, 17, 18, 3, 3, 8, 25, 11};
    struct numbers numbers = {12};
    float *x = host_values(M * K), absmax[N * K / 32];
    uint8_t codes[N * K / 2];

    (void)state;
    numbers_fill(&numbers, x, M * K);
    numbers_fill(&numbers, absmax, N * K / 32);
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)(numbers_next(&numbers) >> 8);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct kernels_weight_desc desc = {KERNELS_NF4, N, K};
        const struct kernels_parts parts = {.codes = codes, .absmax = absmax, .block_size = sizes[i]};
        float *want = NULL;
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_weight *weight = rig->table->weight_from_parts(rig->device, &desc, &parts, NULL);
            float *got, *alone;
            assert_non_null(weight);
            got = run_linear(rig, weight, x, M, N, K);
            alone = run_linear(rig, weight, x + 5 * K, 2, N, K);
            assert_true(compare_equal(rig->name, alone, got + 5 * N, 2 * N));
            rig_check_single_logits(rig, weight, x, M, N, K, ITEMS, rows, ids);
            if (want && !(difference(got, want, M * N) < 0.05)) /* far above rounding, far below a wrong scale */
                fail_msg("%s: blocks of %u: off by %g", rig->name, sizes[i], difference(got, want, M * N));
            rig->table->weight_free(rig->device, weight);
            free(alone);
            if (want)
                free(got);
            else
                want = got;
        }
        free(want);
    }
    free(x);
}

/* A GPU's own kernels: the library promises no more than test_company asks of it. */
static bool is_own(const struct rig *rig)
{
    return rig->is_gpu && !strstr(rig->name, "library");
}

/* Few rows and many go to other kernels, k in one round and in several, weights of few outputs and of many: a row's bits stay. */
static void a_row_has_the_same_bits_however_many_there_are(void **state)
{
    static const struct {
        size_t n, k;
    } shapes[] = {{40, 64}, {33, 704}, {17, 4608}, {16, 8768}};
    static const enum kernels_format formats[] = {KERNELS_NF4_NESTED, KERNELS_NF4};
    static const size_t rows[] = {1, 2, 3, 5, 8, 9, 33};
    enum { MOST = 33 };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const size_t n = shapes[i].n, k = shapes[i].k;
        struct numbers numbers = {k};
        float *x = host_values(MOST * k), *w = host_values(n * k);
        numbers_fill(&numbers, x, MOST * k);
        numbers_fill(&numbers, w, n * k);
        for (size_t r = 0; r < rigs.n; r++)
            for (size_t f = 0; f < 2 && is_own(&rigs.all[r]); f++) {
                struct kernels_weight *weight = rig_weight(&rigs.all[r], formats[f], n, k, w);
                float *all = run_linear(&rigs.all[r], weight, x, MOST, n, k);
                for (size_t j = 0; j < sizeof rows / sizeof rows[0] - (conformance_short() ? 2 : 0); j++) {
                    const size_t m = rows[j], first = MOST - m;
                    float *some = run_linear(&rigs.all[r], weight, x + first * k, m, n, k);
                    assert_true(compare_equal(rigs.all[r].name, some, all + first * n, m * n));
                    free(some);
                }
                free(all);
                rigs.all[r].table->weight_free(rigs.all[r].device, weight);
            }
        free(x);
        free(w);
    }
}

/* A weight whose outputs repeat: however it is cut, they come to the same. 16,400 outputs keep all of a large GPU busy, 40 do not. */
static void an_output_has_the_same_bits_however_many_there_are(void **state)
{
    enum { N = 40, K = 192, MOST = 8 };
    static const size_t outputs[] = {2000, 8200, 16400};
    struct numbers numbers = {7};
    float *x = host_values(MOST * K), *w = host_values(outputs[2] * K);

    (void)state;
    numbers_fill(&numbers, x, MOST * K);
    numbers_fill(&numbers, w, N * K);
    for (size_t i = N * K; i < outputs[2] * K; i++) w[i] = w[i - N * K];
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        if (!is_own(rig)) continue;
        struct kernels_weight *few = rig_weight(rig, KERNELS_NF4, N, K, w);
        for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
            struct kernels_weight *many = rig_weight(rig, KERNELS_NF4, outputs[i], K, w);
            for (size_t m = 1; m <= MOST; m += conformance_short() ? 7 : 3) {
                float *want = run_linear(rig, few, x, m, N, K), *got = run_linear(rig, many, x, m, outputs[i], K);
                for (size_t row = 0; row < m; row++)
                    for (size_t n = 0; n < outputs[i]; n += N)
                        assert_true(compare_equal(rig->name, got + row * outputs[i] + n, want + row * N,
                                                  outputs[i] - n < N ? outputs[i] - n : N));
                free(want);
                free(got);
            }
            rig->table->weight_free(rig->device, many);
        }
        rig->table->weight_free(rig->device, few);
    }
    free(x);
    free(w);
}

/* Experts of few and of many values between gate and down, of even and odd numbers of blocks. */
static void a_row_of_experts_has_the_same_bits_however_many_there_are(void **state)
{
    static const size_t hidden[] = {64, 2112, 8192, 8256};
    enum { K = 64, M = 70 };
    struct rows rows = rows_make(M, K, 2, 1);

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            struct layer layer = {.n_experts = 2, .k = K, .f = hidden[i]};
            if (!is_own(rig) || (conformance_short() && i == 2)) continue;
            layer_make(rig, &layer, i % 2 ? KERNELS_NF4_NESTED : KERNELS_FP4);
            float *all = run_experts(rig, &layer, &rows, 0, conformance_short() ? 20 : M);
            for (size_t m = 1; m <= (conformance_short() ? 1 : 15); m += 7) {
                float *some = run_experts(rig, &layer, &rows, 3, m);
                assert_true(compare_equal(rig->name, some, all + 3 * K, m * K));
                free(some);
            }
            free(all);
            layer_free(rig, &layer);
        }
    rows_free(&rows);
}

/* The library on a card without bf16. */
static bool is_in_f16(const struct rig *rig)
{
    struct kernels_description description;

    rig->table->describe(rig->device, &description);
    return strstr(description.products, "f16") != NULL;
}

/* Both round the operands to bf16 alike, so that only the order of k sums is left: each at most k roundings of the sum of magnitudes,
 * which is below k here. On a card without bf16 the library's are f16: then they differ by what each rounds, 2^-9 and 2^-11 of each of
 * two operands, which in a sum of k of either sign is about as much of the sum. */
static double regimes_limit(const struct rig *rig, size_t k)
{
    return (double)k * (double)k * ULP + (is_in_f16(rig) ? 4 * (0x1p-8 + 0x1p-10) : 0);
}

static void regimes_of_a_gpu_differ_by_rounding_only(void **state)
{
    enum { M = 20, N = 40, K = 320 };
    struct numbers numbers = {4};
    float *x = host_values(M * K), *w = host_values(N * K), *own = NULL;

    (void)state;
    numbers_fill(&numbers, x, M * K);
    numbers_fill(&numbers, w, N * K);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct kernels_weight *weight;
        float *got;
        if (!rig->is_gpu) continue;
        weight = rig_weight(rig, KERNELS_NF4, N, K, w);
        got = run_linear(rig, weight, x, M, N, K);
        if (own && !(difference(got, own, M * N) < regimes_limit(rig, K))) /* 0.006 of the usual value */
            fail_msg("%s: off by %g", rig->name, difference(got, own, M * N));
        rig->table->weight_free(rig->device, weight);
        if (own)
            free(got);
        else
            own = got;
    }
    free(own);
    free(x);
    free(w);
}

/* Sums of whole numbers, and one order of blocks: the instruction set is no part of the result. */
static void products_of_8_bits_have_the_same_bits_everywhere(void **state)
{
    enum { N = 70, MOST_M = 14 };
    static const size_t columns[] = {64, 320, 1216, 100};

    (void)state;
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        size_t k = columns[c];
        float *x = host_values(MOST_M * k), *w = host_values(N * k);
        struct numbers numbers = {k};
        numbers_fill(&numbers, x, MOST_M * k);
        numbers_fill(&numbers, w, N * k);
        for (int f = KERNELS_NF4; f <= KERNELS_Q1; f++)
            for (size_t m = 1; m <= MOST_M; m += 1 + m / 5) {
                float *first = NULL;
                for (size_t r = 0; r < rigs.n; r++) {
                    const struct rig *rig = &rigs.all[r];
                    if (rig->steps_x != 127) continue;
                    struct kernels_weight *weight = rig_weight(rig, (enum kernels_format)f, N, k, w);
                    float *got = run_linear(rig, weight, x, m, N, k);
                    rig->table->weight_free(rig->device, weight);
                    if (first && memcmp(got, first, m * N * sizeof *got) != 0)
                        fail_msg("%s: %s, %zu rows of %zu: other bits", rig->name,
                                 docket_kernels_format_name((enum kernels_format)f), m, k);
                    if (first)
                        free(got);
                    else
                        first = got;
                }
                free(first);
            }
        free(x);
        free(w);
    }
}

/* All products of a block as large as can be, and of one sign. */
static void the_largest_sums_of_a_block_fit(void **state)
{
    enum { M = 5, N = 32, K = 192 };
    float x[M * K], w[N * K], values[N * K];
    double limits[M * N];

    (void)state;
    for (int pattern = 0; pattern < 3; pattern++)
        for (int f = KERNELS_F16; f <= KERNELS_Q1; f++) {
            float *want = NULL;
            for (size_t i = 0; i < M * K; i++) x[i] = pattern == 1 ? (i % 2 ? 3.0f : -3.0f) : 3.0f;
            for (size_t i = 0; i < N * K; i++)
                w[i] = pattern == 1 ? (i % 2 ? 1.0f : -1.0f) : i % 64 == 0 ? -1.0f : pattern == 2 ? -0.99f : 1.0f;
            for (size_t r = 0; r < rigs.n; r++) {
                const struct rig *rig = &rigs.all[r];
                if (!rig_holds(rig, (enum kernels_format)f)) continue;
                struct kernels_weight *weight = rig_weight(rig, (enum kernels_format)f, N, K, w);
                if (!want) assert_int_equal(rig->table->weight_read(rig->device, weight, values), KERNELS_OK);
                for (size_t m = M; m >= 1; m -= 4) { /* through a panel, and through registers */
                    float *got = run_linear(rig, weight, x, m, N, K);
                    for (size_t i = 0; i < m * N; i++) {
                        double roundings = sum_roundings(rig, K) + operand_roundings(rig, (enum kernels_format)f);
                        limits[i] = 3 * K * (roundings + 4) * ULP +
                                    codes_off(rig, (enum kernels_format)f, x, values + i % N * K, K);
                    }
                    if (want) assert_true(compare_within(rig->name, got, want, limits, m * N));
                    if (want)
                        free(got);
                    else
                        want = got;
                    if (m == 1) break;
                }
                rig->table->weight_free(rig->device, weight);
            }
            free(want);
        }
}

static void what_f16_cannot_hold_is_cut_and_nan_stays(void **state)
{
    enum { M = 3, N = 8, K = 64 };
    static const float beyond[M] = {1e6f, -INFINITY, NAN}, cut[M] = {65504, -65504, NAN};
    struct numbers numbers = {7};
    float *x = host_values(M * K), *w = host_values(N * K);

    (void)state;
    numbers_fill(&numbers, x, M * K);
    numbers_fill(&numbers, w, N * K);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct kernels_weight *weight;
        float *got, *want;
        if (!rig->is_gpu || !is_in_f16(rig)) continue;
        weight = rig_weight(rig, KERNELS_NF4, N, K, w);
        for (size_t i = 0; i < M; i++) x[i * K + 5] = beyond[i];
        got = run_linear(rig, weight, x, M, N, K);
        for (size_t i = 0; i < M; i++) x[i * K + 5] = cut[i];
        want = run_linear(rig, weight, x, M, N, K);
        for (size_t i = 0; i < 2 * N; i++)
            if (!isfinite(got[i]) || got[i] != want[i]) fail_msg("%s: %g, cut before: %g", rig->name, got[i], want[i]);
        for (size_t i = 2 * N; i < M * N; i++) assert_true(isnan(got[i]));
        rig->table->weight_free(rig->device, weight);
        free(got);
        free(want);
    }
    free(x);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_of_any_number_are_sorted_alike),
        cmocka_unit_test(an_id_that_is_no_expert_is_said),
        cmocka_unit_test(a_16_bit_form_changes_no_bit_and_no_part),
        cmocka_unit_test(some_experts_with_a_16_bit_form_change_no_bit),
        cmocka_unit_test(blocks_of_other_sizes_multiply_alike),
        cmocka_unit_test(a_row_has_the_same_bits_however_many_there_are),
        cmocka_unit_test(an_output_has_the_same_bits_however_many_there_are),
        cmocka_unit_test(a_row_of_experts_has_the_same_bits_however_many_there_are),
        cmocka_unit_test(regimes_of_a_gpu_differ_by_rounding_only),
        cmocka_unit_test(products_of_8_bits_have_the_same_bits_everywhere),
        cmocka_unit_test(the_largest_sums_of_a_block_fit),
        cmocka_unit_test(what_f16_cannot_hold_is_cut_and_nan_stays),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
