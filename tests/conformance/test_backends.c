/* test_backends.c: every backend against the reference: weights, linear layers, experts, routing and the small operations.
 * Limits are worst cases: a sum's error is at most roundings x 2^-24 x the sum of its products' magnitudes. The format adds
 * nothing, because both sides multiply the same values (weight_read is compared to the bit). */
#include "tests/conformance/rig.h"

static const enum kernels_format formats[] = {KERNELS_F32,        KERNELS_F16, KERNELS_BF16,       KERNELS_NF4,
                                              KERNELS_NF4_NESTED, KERNELS_FP4, KERNELS_FP4_NESTED, KERNELS_INT8,
                                              KERNELS_Q8,         KERNELS_Q4,  KERNELS_Q2,         KERNELS_Q1};

RIGS_OF_ALL_TESTS(3)

static const struct kernels_backend *table_of(size_t r)
{
    return rigs.all[r].table;
}

/* A backend may lack a format; the others are judged. */
static bool all_hold(enum kernels_format format)
{
    for (size_t r = 0; r < rigs.n; r++)
        if (!rig_holds(&rigs.all[r], format)) {
            print_message("[  NOTE    ] %s does not hold %s\n", rigs.all[r].name, docket_kernels_format_name(format));
            return false;
        }
    return true;
}

/* --- linear --- */

struct linear_case {
    size_t m, n, k;
};

static const struct linear_case linear_cases[] = {
    {0, 3, 5},      {1, 1, 1},      {2, 1, 15},    {3, 5, 16},     {4, 6, 17},     {5, 7, 31},     {6, 12, 33},
    {7, 47, 63},    {8, 48, 64},    {9, 49, 65},   {4, 50, 96},    {5, 33, 96},    {1, 97, 128},   {2, 95, 192},
    {31, 13, 192},  {32, 96, 256},  {33, 4, 320},  {95, 6, 64},    {96, 48, 128},  {97, 49, 64},   {130, 7, 100},
    {1, 9, 1023},   {5, 9, 1024},   {3, 10, 1025}, {4, 52, 1088},  {6, 11, 2112},  {100, 60, 320}, {1, 130, 2048},
    {12, 66, 2304}, {33, 66, 1152}, {2, 3, 14336}, {17, 200, 192}, {20, 70, 1088}, {70, 20, 1088}, {66, 8, 64},
    {9, 4, 1088},   {10, 4, 1280},  {34, 2, 640},
};

/* Pieces of 16 x 64 x 64, of which the work is made. */
static size_t linear_pieces(const struct linear_case *c)
{
    return ((c->m + 15) / 16) * ((c->n + 63) / 64) * ((c->k + 63) / 64);
}

/* Little work however many pieces: long sums, many rows. CONFORMANCE=shortest leaves them out: an emulated sm_75 is slow. */
static bool is_thin(const struct linear_case *c)
{
    const char *length = getenv("CONFORMANCE");

    if (length != NULL && strcmp(length, "shortest") == 0) return false;
    return c->m * c->n * c->k <= 52000;
}

static void name_linear(char *name, size_t size, const struct rig *rig, enum kernels_format format,
                        const struct linear_case *c, bool accumulate)
{
    snprintf(name, size, "%s: linear %s m=%zu n=%zu k=%zu%s", rig->name, docket_kernels_format_name(format), c->m, c->n,
             c->k, accumulate ? " accumulate" : "");
}

static float *run_linear(const struct rig *rig, const struct kernels_weight *weight, const float *x,
                         const float *before, size_t m, size_t n, size_t k)
{
    return rig_linear(rig, weight, x, before, m, n, k, false);
}

static void check_linear(enum kernels_format format, const struct linear_case *c, bool accumulate)
{
    struct numbers numbers = {c->m * 1000003 + c->n * 1009 + c->k};
    float *x = host_values(c->m * c->k), *w = host_values(c->n * c->k), *before = host_values(c->m * c->n),
          *want = NULL;
    float *values = host_values(c->n * c->k);
    double *magnitude = calloc(c->m * c->n + 1, sizeof *magnitude);
    float *first_of_isa = NULL;
    char name[160];

    numbers_fill(&numbers, x, c->m * c->k);
    numbers_fill(&numbers, w, c->n * c->k);
    numbers_fill(&numbers, before, c->m * c->n);
    for (size_t i = 0; i < c->m * c->k; i += 1 + i / 4) x[i] *= 16; /* outliers for int8 among them */
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        struct kernels_weight *weight = rig_weight(rig, format, c->n, c->k, w);
        float *got = run_linear(rig, weight, x, accumulate ? before : NULL, c->m, c->n, c->k);
        float *again = run_linear(rig, weight, x, accumulate ? before : NULL, c->m, c->n, c->k);
        float *read = host_values(c->n * c->k);

        name_linear(name, sizeof name, rig, format, c, accumulate);
        assert_int_equal(rig->table->weight_read(rig->device, weight, read), KERNELS_OK);
        if (r == 0) {
            want = got;
            memcpy(values, read, c->n * c->k * sizeof *read);
            for (size_t i = 0; i < c->m; i++)
                for (size_t j = 0; j < c->n; j++)
                    for (size_t k = 0; format != KERNELS_INT8 && k < c->k; k++) /* int8: every backend the same bits */
                        magnitude[i * c->n + j] += fabs((double)x[i * c->k + k] * values[j * c->k + k]);
        } else {
            double *limits = calloc(c->m * c->n + 1, sizeof *limits);
            for (size_t i = 0; i < c->m * c->n; i++) /* and one rounding each of the two results, one of adding */
                limits[i] = ULP * ((sum_roundings(rig, c->k) + operand_roundings(rig, format)) * magnitude[i] +
                                   3 * (fabs(want[i]) + fabs(before[i]))) +
                            codes_off(rig, format, x + i / c->n * c->k, values + i % c->n * c->k, c->k);
            assert_true(compare_within(name, got, want, limits, c->m * c->n));
            assert_true(compare_equal(name, read, values, c->n * c->k));
            free(limits);
        }
        assert_true(compare_equal(name, again, got, c->m * c->n));
        /* The same instruction set with another number of workers. */
        if (rig->host.n_workers == 1) first_of_isa = got;
        assert_true(compare_equal(name, got, first_of_isa, c->m * c->n));
        for (size_t i = 0; i < c->m; i += 1 + i / 3) { /* some rows by themselves, and with others */
            static const size_t companies[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 24, 97};
            size_t some = companies[i % (sizeof companies / sizeof companies[0])];
            if (some > c->m - i) some = c->m - i;
            float *alone =
                run_linear(rig, weight, x + i * c->k, accumulate ? before + i * c->n : NULL, some, c->n, c->k);
            assert_true(compare_equal(name, alone, got + i * c->n, some * c->n));
            free(alone);
        }
        rig->table->weight_free(rig->device, weight);
        if (rig->is_gpu || rig->host.n_workers == 3 || (r > 0 && rig->host.n_workers == 2)) free(got);
        free(again);
        free(read);
        if (rig->host.n_workers == 3) free(first_of_isa);
    }
    free(want);
    free(x);
    free(w);
    free(before);
    free(values);
    free(magnitude);
}

static void linear_of_all_formats_and_shapes_is_within_rounding(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        if (!all_hold(formats[f])) continue;
        for (size_t i = 0; i < sizeof linear_cases / sizeof linear_cases[0]; i++)
            if (!conformance_short() || linear_pieces(&linear_cases[i]) <= 6 || is_thin(&linear_cases[i]))
                check_linear(formats[f], &linear_cases[i], i % 3 == 1);
        rigs_close(&rigs); /* the next format begins with scratch that is full of NaN */
        rigs_open(&rigs, 3);
    }
}

/* --- experts --- */

struct ffn_case {
    const char *name;
    size_t m, k, f, n_experts, top_k;
    enum kernels_format format, down_format;
    enum kernels_activation activation;
    bool dense;
};

static const struct ffn_case ffn_cases[] = {
    {"dense_f32", 5, 24, 40, 1, 1, KERNELS_F32, KERNELS_F32, KERNELS_SILU, true},
    {"dense_gelu_bf16", 9, 64, 100, 1, 1, KERNELS_BF16, KERNELS_BF16, KERNELS_GELU_TANH, true},
    {"mixture_nf4_nested", 37, 64, 192, 8, 2, KERNELS_NF4_NESTED, KERNELS_NF4_NESTED, KERNELS_SILU, false},
    {"mixture_nf4_odd_rows", 6, 48, 96, 4, 2, KERNELS_NF4, KERNELS_NF4, KERNELS_SILU, false},
    {"mixture_nf4_down_in_other_order", 12, 64, 72, 4, 3, KERNELS_NF4, KERNELS_NF4, KERNELS_SILU, false},
    {"mixture_f16_down_nf4", 3, 40, 128, 3, 3, KERNELS_F16, KERNELS_NF4, KERNELS_SILU, false},
    {"one_row", 1, 128, 64, 8, 2, KERNELS_NF4_NESTED, KERNELS_NF4_NESTED, KERNELS_SILU, false},
    {"dense_fp4", 5, 64, 128, 1, 1, KERNELS_FP4, KERNELS_FP4_NESTED, KERNELS_SILU, true},
    {"mixture_int8", 19, 100, 72, 4, 2, KERNELS_INT8, KERNELS_INT8, KERNELS_SILU, false},
    {"mixture_int8_down_q4", 7, 64, 128, 3, 2, KERNELS_INT8, KERNELS_Q4, KERNELS_SILU, false},
    {"mixture_int8_many_rows", 150, 64, 80, 2, 1, KERNELS_INT8, KERNELS_INT8, KERNELS_GELU_TANH, false},
    {"dense_int8_many_rows", 70, 64, 48, 1, 1, KERNELS_INT8, KERNELS_INT8, KERNELS_SILU, true},
    {"mixture_q8_down_int8", 130, 64, 64, 2, 1, KERNELS_Q8, KERNELS_INT8, KERNELS_SILU, false},
    {"mixture_q4", 12, 64, 192, 4, 2, KERNELS_Q4, KERNELS_Q4, KERNELS_SILU, false},
    {"mixture_q2_odd_rows", 6, 48, 96, 4, 2, KERNELS_Q2, KERNELS_Q2, KERNELS_SILU, false},
    {"mixture_q2_down_q1", 101, 128, 64, 2, 1, KERNELS_Q2, KERNELS_Q1, KERNELS_GELU_TANH, false},
    {"no_rows", 0, 64, 64, 2, 1, KERNELS_NF4, KERNELS_NF4, KERNELS_SILU, false},
    {"more_rows_than_a_block", 230, 64, 64, 2, 1, KERNELS_NF4, KERNELS_NF4, KERNELS_GELU_TANH, false},
};

struct ffn_data {
    float *x, *gate, *up, *down, *before, *weights;
    int32_t *ids;
};

static float *run_ffn(const struct rig *rig, const struct ffn_case *c, const struct ffn_data *data, size_t first,
                      size_t m)
{
    struct kernels_weight *gate[8], *up[8], *down[8];
    size_t size = c->f * c->k;
    float *x = rig_upload(rig, data->x + first * c->k, m * c->k),
          *out = guarded(rig, data->before + first * c->k, m * c->k);
    float *weights = rig_upload(rig, data->weights + first * c->top_k, m * c->top_k);
    int32_t *ids = rig->table->buffer_allocate(rig->device, m * c->top_k * sizeof *ids, NULL);
    struct kernels_expert_ffn args = {.x = x,
                                      .gate = (const struct kernels_weight *const *)gate,
                                      .up = (const struct kernels_weight *const *)up,
                                      .down = (const struct kernels_weight *const *)down,
                                      .n_experts = c->n_experts,
                                      .ids = c->dense ? NULL : ids,
                                      .weights = weights,
                                      .out = out,
                                      .n_rows = m,
                                      .top_k = c->top_k,
                                      .activation = c->activation};

    for (size_t e = 0; e < c->n_experts; e++) {
        gate[e] = rig_weight(rig, c->format, c->f, c->k, data->gate + e * size);
        up[e] = rig_weight(rig, c->format, c->f, c->k, data->up + e * size);
        down[e] = rig_weight(rig, c->down_format, c->k, c->f, data->down + e * size);
    }
    assert_int_equal(rig->table->upload(rig->device, ids, data->ids + first * c->top_k, m * c->top_k * sizeof *ids),
                     KERNELS_OK);
    assert_int_equal(rig->table->expert_ffn(rig->device, &args), KERNELS_OK);
    for (size_t e = 0; e < c->n_experts; e++) {
        rig->table->weight_free(rig->device, gate[e]);
        rig->table->weight_free(rig->device, up[e]);
        rig->table->weight_free(rig->device, down[e]);
    }
    rig->table->buffer_free(rig->device, x);
    rig->table->buffer_free(rig->device, weights);
    rig->table->buffer_free(rig->device, ids);
    return unguard(rig, c->name, out, m * c->k);
}

/* Values as the format holds them. */
static void through_format(enum kernels_format format, size_t rows, size_t cols, float *values)
{
    struct kernels_weight *weight = rig_weight(&rigs.all[0], format, rows, cols, values);

    assert_int_equal(table_of(0)->weight_read(rigs.all[0].device, weight, values), KERNELS_OK);
    table_of(0)->weight_free(rigs.all[0].device, weight);
}

/* How far a row's sum may be off: errors of gate and up, carried through the activation (whose slope is at most 1.13), the
 * product and the down projection, whose own roundings come on top. */
static void ffn_limits(const struct rig *rig, const struct ffn_case *c, const struct ffn_data *data, double *limits)
{
    double *hidden = calloc(2 * c->f, sizeof *hidden), *off = hidden + c->f;
    float *largest = host_values(c->f);
    double roundings = sum_roundings(rig, c->k) + operand_roundings(rig, c->format);

    for (size_t row = 0; row < c->m; row++)
        for (size_t t = 0; t < c->top_k; t++) {
            size_t e = c->dense ? 0 : (size_t)data->ids[row * c->top_k + t], size = c->f * c->k;
            double share = c->dense ? 1 : fabs((double)data->weights[row * c->top_k + t]);
            for (size_t i = 0; i < c->f; i++) {
                double g = 0, u = 0, ag = 0, au = 0, a, off_g, off_u;
                for (size_t k = 0; k < c->k; k++) {
                    double xg = (double)data->x[row * c->k + k] * data->gate[e * size + i * c->k + k];
                    double xu = (double)data->x[row * c->k + k] * data->up[e * size + i * c->k + k];
                    g += xg, ag += fabs(xg), u += xu, au += fabs(xu);
                }
                a = fabs(g); /* both activations are at most this */
                off_g = (roundings + 2) * ULP * ag, off_u = (roundings + 2) * ULP * au;
                off_g += codes_off(rig, c->format, data->x + row * c->k, data->gate + e * size + i * c->k, c->k);
                off_u += codes_off(rig, c->format, data->x + row * c->k, data->up + e * size + i * c->k, c->k);
                hidden[i] = a * fabs(u);
                off[i] =
                    1.13 * off_g * (fabs(u) + off_u) + a * off_u + 12 * ULP * hidden[i]; /* exp within 2 ulp, divide */
            }
            if (c->down_format == KERNELS_INT8) { /* a hidden value may be rounded to the next code */
                double most = 0;
                for (size_t i = 0; i < c->f; i++) most = fmax(most, hidden[i] + off[i]);
                for (size_t i = 0; i < c->f; i++) off[i] += 1.001 * fmin(most, 6) / 127;
            }
            for (size_t i = 0; i < c->f; i++) largest[i] = (float)(hidden[i] + off[i]);
            for (size_t j = 0; j < c->k; j++) {
                double sum = codes_off(rig, c->down_format, largest, data->down + e * size + j * c->f, c->f);
                for (size_t i = 0; i < c->f; i++)
                    sum += fabs((double)data->down[e * size + j * c->f + i]) *
                           (off[i] +
                            (sum_roundings(rig, c->f) + operand_roundings(rig, c->down_format) + 4) * ULP * hidden[i]);
                limits[row * c->k + j] += share * sum + 4 * ULP * fabs((double)data->before[row * c->k + j]);
            }
        }
    free(hidden);
    free(largest);
}

static void check_ffn(const struct ffn_case *c)
{
    struct numbers numbers = {c->m * 31 + c->f};
    size_t size = c->n_experts * c->f * c->k, pairs = c->m * c->top_k;
    struct ffn_data data = {host_values(c->m * c->k),
                            host_values(size),
                            host_values(size),
                            host_values(size),
                            host_values(c->m * c->k),
                            host_values(pairs),
                            calloc(pairs + 1, sizeof(int32_t))};
    float *want = NULL, *of_isa = NULL;

    numbers_fill(&numbers, data.x, c->m * c->k);
    numbers_fill(&numbers, data.before, c->m * c->k);
    numbers_fill(&numbers, data.gate, size);
    numbers_fill(&numbers, data.up, size);
    numbers_fill(&numbers, data.down, size);
    for (size_t i = 0; i < size; i++) data.gate[i] *= 0.2f, data.up[i] *= 0.2f, data.down[i] *= 0.2f;
    for (size_t e = 0; e < c->n_experts; e++) {
        through_format(c->format, c->f, c->k, data.gate + e * c->f * c->k);
        through_format(c->format, c->f, c->k, data.up + e * c->f * c->k);
        through_format(c->down_format, c->k, c->f, data.down + e * c->f * c->k);
    }
    for (size_t i = 0; i < c->m; i++) {
        size_t first = numbers_next(&numbers) % c->n_experts;
        for (size_t t = 0; t < c->top_k; t++) {
            data.ids[i * c->top_k + t] = (int32_t)((first + t) % c->n_experts);
            data.weights[i * c->top_k + t] = (float)(numbers_next(&numbers) * 0x1p-32);
        }
    }
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        float *got = run_ffn(rig, c, &data, 0, c->m), *again = run_ffn(rig, c, &data, 0, c->m);
        char name[160];
        snprintf(name, sizeof name, "%s: %s", rig->name, c->name);
        if (r == 0) {
            want = got;
        } else {
            double *limits = calloc(c->m * c->k + 1, sizeof *limits);
            ffn_limits(rig, c, &data, limits);
            assert_true(compare_within(name, got, want, limits, c->m * c->k));
            free(limits);
        }
        assert_true(compare_equal(name, again, got, c->m * c->k));
        if (c->m > 1) { /* the last row without the others */
            float *alone = run_ffn(rig, c, &data, c->m - 1, 1);
            assert_true(compare_equal(name, alone, got + (c->m - 1) * c->k, c->k));
            free(alone);
        }
        if (r > 0 && rig->host.n_workers == 1) {
            free(of_isa);
            of_isa = got;
        } else if (r > 0) {
            assert_true(compare_equal(name, got, of_isa, c->m * c->k));
            free(got);
        }
        free(again);
    }
    free(want);
    free(of_isa);
    free(data.x);
    free(data.gate);
    free(data.up);
    free(data.down);
    free(data.before);
    free(data.weights);
    free(data.ids);
}

static void experts_are_within_rounding_and_independent_of_the_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ffn_cases / sizeof ffn_cases[0]; i++)
        if ((!conformance_short() || ffn_cases[i].m * ffn_cases[i].f < 2000) && all_hold(ffn_cases[i].format) &&
            all_hold(ffn_cases[i].down_format))
            check_ffn(&ffn_cases[i]);
}

/* With one column and weights of one, the result is act(x) * x and nothing else hides the activation's own error. */
static void activations_are_within_twelve_roundings(void **state)
{
    enum { ROWS = 2001 };
    const size_t n_rows = conformance_short() ? 40 : ROWS;
    float one = 1, x[ROWS];
    double limits[ROWS];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) x[i] = i % 2 ? ((float)i - ROWS / 2) * 0.1f : ((float)i - ROWS / 2) * 0.003f;
    for (int activation = KERNELS_SILU; activation <= KERNELS_GELU_TANH; activation++) {
        float *want = NULL;
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            const struct kernels_weight *weight = rig_weight(rig, KERNELS_F32, 1, 1, &one);
            float zeros[ROWS] = {0}, *device_x = rig_upload(rig, x, n_rows), *out = guarded(rig, zeros, n_rows), *got;
            struct kernels_expert_ffn args = {.x = device_x,
                                              .gate = &weight,
                                              .up = &weight,
                                              .down = &weight,
                                              .n_experts = 1,
                                              .out = out,
                                              .n_rows = n_rows,
                                              .activation = (enum kernels_activation)activation};
            assert_int_equal(rig->table->expert_ffn(rig->device, &args), KERNELS_OK);
            got = unguard(rig, "activation", out, n_rows);
            if (want == NULL) {
                want = got;
            } else { /* exp within 2 ulp, two sums or products, a quotient; GELU's z is off by 4, and exp multiplies that by z */
                for (size_t i = 0; i < n_rows; i++) {
                    double z = activation == KERNELS_SILU ? 0 : 1.6 * fabs(x[i]) * (1 + 0.0448 * x[i] * x[i]);
                    limits[i] = ULP * (12 + 4 * fmin(z, 90)) * fabs((double)want[i]) + 1e-30;
                }
                assert_true(compare_within(rig->name, got, want, limits, n_rows));
                free(got);
            }
            rig->table->buffer_free(rig->device, device_x);
            rig->table->weight_free(rig->device, (struct kernels_weight *)weight);
        }
        free(want);
    }
}

/* --- router --- */

static void run_route(const struct rig *rig, const float *x, const float *w, size_t m, size_t e, size_t k, size_t top_k,
                      bool renormalize, int32_t *ids, float *weights)
{
    struct kernels_weight *weight = rig_weight(rig, KERNELS_BF16, e, k, w);
    float *device_x = rig_upload(rig, x, m * k), *out = guarded(rig, NULL, m * top_k), *got;
    float *device_ids = guarded(rig, NULL, m * top_k);
    struct kernels_route args = {.x = device_x,
                                 .weight = weight,
                                 .ids = (int32_t *)(void *)device_ids,
                                 .weights = out,
                                 .n_rows = m,
                                 .top_k = top_k,
                                 .renormalize = renormalize};

    assert_int_equal(rig->table->route(rig->device, &args), KERNELS_OK);
    got = unguard(rig, "route", out, m * top_k);
    memcpy(weights, got, m * top_k * sizeof *got);
    free(got);
    got = unguard(rig, "route ids", device_ids, m * top_k);
    memcpy(ids, got, m * top_k * sizeof *ids);
    free(got);
    rig->table->buffer_free(rig->device, device_x);
    rig->table->weight_free(rig->device, weight);
}

static void router_picks_the_same_experts(void **state)
{
    static const struct {
        size_t m, e, k, top_k;
        bool renormalize;
    } cases[] = {{1, 8, 64, 2, true},
                 {33, 8, 192, 2, true},
                 {7, 64, 96, 8, false},
                 {5, 1, 32, 1, true},
                 {12, 200, 31, 16, true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t m = cases[i].m, e = cases[i].e, k = cases[i].k, top_k = cases[i].top_k;
        struct numbers numbers = {i + 5};
        float *x = host_values(m * k), *w = host_values(e * k), weights[2][256];
        int32_t ids[2][256];
        numbers_fill(&numbers, x, m * k);
        numbers_fill(&numbers, w, e * k);
        for (size_t j = 0; j < e * k; j++) w[j] *= 0.125f;
        for (size_t r = 0; r < rigs.n; r++) {
            double limits[256];
            run_route(&rigs.all[r], x, w, m, e, k, top_k, cases[i].renormalize, ids[r > 0], weights[r > 0]);
            if (r == 0) continue;
            /* Logits are off by at most this (their magnitudes are below sqrt(k) * |x| |w| < 8 here), weights by twice that. */
            for (size_t j = 0; j < m * top_k; j++)
                limits[j] = (2 * sum_roundings(&rigs.all[r], k) * (double)k * 0.125 * 2 + 16) * ULP * weights[0][j];
            assert_true(compare_within(rigs.all[r].name, weights[1], weights[0], limits, m * top_k));
            for (size_t j = 0; j < m * top_k; j++) assert_int_equal(ids[1][j], ids[0][j]);
        }
        free(x);
        free(w);
    }
}

static void router_breaks_ties_by_the_lower_index(void **state)
{
    float x[4] = {1, 0, 0, 0}, w[6 * 4] = {0}, weights[4];
    int32_t ids[4];

    (void)state;
    w[1 * 4] = w[4 * 4] = 2; /* experts 1 and 4 alike, the rest alike */
    for (size_t r = 0; r < rigs.n; r++) {
        run_route(&rigs.all[r], x, w, 1, 6, 4, 4, true, ids, weights);
        assert_int_equal(ids[0], 1);
        assert_int_equal(ids[1], 4);
        assert_int_equal(ids[2], 0);
        assert_int_equal(ids[3], 2);
    }
}

/* --- small operations --- */

static void rmsnorm_is_within_four_roundings(void **state)
{
    static const struct {
        size_t m, k;
        bool plus_one;
        enum kernels_format format;
    } cases[] = {{0, 8, false, KERNELS_F32},     {1, 1, false, KERNELS_F32},    {3, 7, true, KERNELS_BF16},
                 {17, 192, false, KERNELS_BF16}, {40, 1025, true, KERNELS_F16}, {2, 4096, false, KERNELS_F32}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t m = cases[i].m, k = cases[i].k;
        struct numbers numbers = {i + 77};
        float *x = host_values(m * k), *w = host_values(k), *want = NULL;
        numbers_fill(&numbers, x, m * k);
        numbers_fill(&numbers, w, k);
        for (size_t r = 0; r < rigs.n; r++)
            for (int in_place = 0; in_place < 2; in_place++) {
                const struct rig *rig = &rigs.all[r];
                struct kernels_weight *weight = rig_weight(rig, cases[i].format, 1, k, w);
                float *device_x = rig_upload(rig, x, m * k), *out = guarded(rig, in_place ? x : NULL, m * k), *got;
                struct kernels_rmsnorm args = {.x = in_place ? out : device_x,
                                               .weight = weight,
                                               .out = out,
                                               .n_rows = m,
                                               .cols = k,
                                               .eps = 1e-5f,
                                               .weight_plus_one = cases[i].plus_one};
                assert_int_equal(rig->table->rmsnorm(rig->device, &args), KERNELS_OK);
                got = unguard(rig, "rmsnorm", out, m * k);
                if (want == NULL) {
                    want = got;
                } else { /* scale, two products, 1 + w, and the reference's own: at most 6 with room for the root */
                    double *limits = calloc(m * k + 1, sizeof *limits);
                    for (size_t j = 0; j < m * k; j++) limits[j] = 6 * ULP * (fabs((double)want[j]) + 1e-30);
                    assert_true(compare_within(rig->name, got, want, limits, m * k));
                    free(limits);
                    free(got);
                }
                rig->table->buffer_free(rig->device, device_x);
                rig->table->weight_free(rig->device, weight);
            }
        free(want);
        free(x);
        free(w);
    }
}

static void copies_and_sums_are_exact(void **state)
{
    enum { ROWS = 21, COLS = 33, ITEMS = 9 };
    static const uint32_t rows[ITEMS] = {20, 0, 0, 7, 19, 3, 1, 2, 20};
    struct numbers numbers = {3};
    float x[ROWS * COLS], y[ROWS * COLS];

    (void)state;
    numbers_fill(&numbers, x, ROWS * COLS);
    numbers_fill(&numbers, y, ROWS * COLS);
    for (size_t r = 0; r < rigs.n; r++) {
        const struct rig *rig = &rigs.all[r];
        float *device_x = rig_upload(rig, x, ROWS * COLS), *sum = guarded(rig, y, ROWS * COLS);
        float *some = guarded(rig, NULL, ITEMS * COLS), *got;
        struct kernels_gather_rows args = {.x = device_x, .out = some, .n_rows = ITEMS, .cols = COLS, .rows = rows};
        assert_int_equal(rig->table->add(rig->device, sum, device_x, ROWS * COLS), KERNELS_OK);
        assert_int_equal(rig->table->gather_rows(rig->device, &args), KERNELS_OK);
        got = unguard(rig, "add", sum, ROWS * COLS);
        for (size_t i = 0; i < ROWS * COLS; i++) assert_true(got[i] == x[i] + y[i]);
        free(got);
        got = unguard(rig, "gather_rows", some, ITEMS * COLS);
        for (size_t i = 0; i < ITEMS; i++) assert_memory_equal(got + i * COLS, x + rows[i] * COLS, COLS * sizeof *x);
        free(got);
        rig->table->buffer_free(rig->device, device_x);
    }
}

static void single_logits_equal_those_of_the_whole_head(void **state)
{
    enum { ROWS = 5, VOCABULARY = 60, K = 192, ITEMS = 40 };
    uint32_t rows[ITEMS];
    int32_t ids[ITEMS];
    struct numbers numbers = {9};
    float *x = host_values(ROWS * K), *w = host_values(VOCABULARY * K);

    (void)state;
    numbers_fill(&numbers, x, ROWS * K);
    numbers_fill(&numbers, w, VOCABULARY * K);
    for (size_t i = 0; i < ITEMS; i++)
        rows[i] = numbers_next(&numbers) % ROWS, ids[i] = (int32_t)(numbers_next(&numbers) % VOCABULARY);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t r = 0; r < rigs.n && all_hold(formats[f]); r++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_weight *head = rig_weight(rig, formats[f], VOCABULARY, K, w);
            float *device_x = rig_upload(rig, x, ROWS * K), *out = guarded(rig, NULL, 1);
            const struct kernels_gather_logits beyond = {.x = device_x,
                                                         .head = head,
                                                         .out = out,
                                                         .n_items = 1,
                                                         .rows = rows,
                                                         .token_ids = &(int32_t){VOCABULARY}};
            rig_check_single_logits(rig, head, x, ROWS, VOCABULARY, K, ITEMS, rows, ids);
            assert_int_equal(rig->table->gather_logits(rig->device, &beyond), KERNELS_BAD_SHAPE);
            assert_int_equal(rig->table->synchronize(rig->device, NULL), KERNELS_BAD_SHAPE);
            free(unguard(rig, "gather_logits", out, 1));
            rig->table->buffer_free(rig->device, device_x);
            rig->table->weight_free(rig->device, head);
        }
    free(x);
    free(w);
}

static void embedding_is_exact_and_refuses_unknown_ids(void **state)
{
    enum { ROWS = 3, VOCABULARY = 10, K = 20 };
    int32_t ids[ROWS] = {9, 0, 4}, positions[ROWS] = {0, 1, 2};
    uint32_t slots[ROWS] = {0, 1, 2};
    struct kernels_batch_desc desc = {.n_rows = ROWS, .token_ids = ids, .positions = positions, .slots = slots};
    struct numbers numbers = {8};
    float w[VOCABULARY * K];

    (void)state;
    numbers_fill(&numbers, w, VOCABULARY * K);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        float values[VOCABULARY * K];
        if (!all_hold(formats[f])) continue;
        memcpy(values, w, sizeof w);
        through_format(formats[f], VOCABULARY, K, values);
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_weight *embedding = rig_weight(rig, formats[f], VOCABULARY, K, w);
            struct kernels_batch *batch = rig->table->batch_create(rig->device, 8, 2, NULL);
            float *out = guarded(rig, NULL, ROWS * K), *got;
            struct kernels_embed args = {.table = embedding, .batch = batch, .out = out, .scale = 3};
            ids[0] = VOCABULARY - 1;
            assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
            assert_int_equal(rig->table->embed(rig->device, &args), KERNELS_OK);
            got = unguard(rig, "embed", out, ROWS * K);
            for (size_t i = 0; i < ROWS * K; i++) assert_true(got[i] == values[(size_t)ids[i / K] * K + i % K] * 3);
            ids[0] = VOCABULARY;
            assert_int_equal(rig->table->batch_set(rig->device, batch, &desc, NULL), KERNELS_OK);
            assert_int_equal(rig->table->embed(rig->device, &args), KERNELS_BAD_SHAPE);
            assert_int_equal(rig->table->synchronize(rig->device, NULL), KERNELS_BAD_SHAPE);
            rig->table->batch_free(rig->device, batch);
            rig->table->weight_free(rig->device, embedding);
            free(got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_of_all_formats_and_shapes_is_within_rounding),
        cmocka_unit_test(experts_are_within_rounding_and_independent_of_the_batch),
        cmocka_unit_test(activations_are_within_twelve_roundings),
        cmocka_unit_test(router_picks_the_same_experts),
        cmocka_unit_test(router_breaks_ties_by_the_lower_index),
        cmocka_unit_test(rmsnorm_is_within_four_roundings),
        cmocka_unit_test(copies_and_sums_are_exact),
        cmocka_unit_test(single_logits_equal_those_of_the_whole_head),
        cmocka_unit_test(embedding_is_exact_and_refuses_unknown_ids),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
