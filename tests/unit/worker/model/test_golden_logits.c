/* Logits of the demo model against those of transformers and bitsandbytes: every backend and instruction set, both ways of
 * weights. tests/golden/logits/make_logits.py made the numbers and says how they lie in the file. */
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"
#include "tests/support/demo_model.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE "tests/golden/logits/logits.bin"
/* For a relative L2. Float32 throughout gives 4e-6; products of rounded operands: further down. */
#define LIMIT       2e-3
#define MAX_COLUMNS 64

static const struct way {
    const char *name, *backend, *cpu_isa;
    enum weight_format format;
} ways[] = {
    {"reference_none", "reference", NULL, QUANTIZE_NONE},  {"reference_nf4", "reference", NULL, QUANTIZE_NF4},
    {"cpu_plain_none", "cpu", "reference", QUANTIZE_NONE}, {"cpu_plain_nf4", "cpu", "reference", QUANTIZE_NF4},
    {"cpu_avx2_none", "cpu", "avx2", QUANTIZE_NONE},       {"cpu_avx2_nf4", "cpu", "avx2", QUANTIZE_NF4},
    {"cpu_avx512_none", "cpu", "avx512", QUANTIZE_NONE},   {"cpu_avx512_nf4", "cpu", "avx512", QUANTIZE_NF4},
};

/* The fixture, read front to back. */
struct fixture {
    struct buffer bytes;
    size_t at;
    uint32_t n_documents, n_columns, vocabulary, columns[MAX_COLUMNS];
};

struct document {
    size_t n;
    const int32_t *ids;
    struct answers {
        const int32_t *largest;
        const float *norm, *logits;
    } none, nf4;
};

/* All parts of the file are 4 bytes wide. */
static const void *take(struct fixture *f, size_t n_bytes)
{
    assert_true(n_bytes <= f->bytes.length - f->at);
    f->at += n_bytes;
    return f->bytes.data + f->at - n_bytes;
}

static uint32_t take_count(struct fixture *f)
{
    uint32_t count;
    memcpy(&count, take(f, sizeof(count)), sizeof(count));
    return count;
}

static void open_fixture(struct fixture *f)
{
    struct error err = {0};
    *f = (struct fixture){0};
    if (file_read_all(&f->bytes, FIXTURE, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_memory_equal(take(f, 8), "DKLOGIT1", 8);
    const char *digest = take(f, 64);
    if (!demo_model_matches(FIXTURE, digest)) fail_msg("%s is not for this model", FIXTURE);
    f->n_documents = take_count(f);
    f->n_columns = take_count(f);
    f->vocabulary = take_count(f);
    assert_in_range(f->n_columns, 1, MAX_COLUMNS);
    memcpy(f->columns, take(f, f->n_columns * sizeof(uint32_t)), f->n_columns * sizeof(uint32_t));
}

static void next_document(struct fixture *f, struct document *d)
{
    d->n = take_count(f);
    d->ids = take(f, d->n * sizeof(int32_t));
    struct answers *both[] = {&d->none, &d->nf4};
    for (size_t i = 0; i < 2; i++) {
        both[i]->largest = take(f, d->n * sizeof(int32_t));
        both[i]->norm = take(f, d->n * sizeof(float));
        both[i]->logits = take(f, d->n * f->n_columns * sizeof(float));
    }
}

static enum status keep(void *context, const float *logits, size_t n_values)
{
    struct error err;
    buffer_append(context, logits, n_values * sizeof(float));
    return buffer_check(context, "logits", &err);
}

/* Returns the relative L2 over the kept columns; every position's largest logit and norm are checked. */
static double compare_document(const struct fixture *f, const struct document *d, const struct answers *want,
                               const float *got, size_t number)
{
    float columns[MAX_COLUMNS];
    double difference = 0, size = 0;
    for (size_t p = 0; p < d->n; p++) {
        const float *row = got + p * f->vocabulary;
        size_t largest = 0;
        double norm = 0;
        for (size_t v = 0; v < f->vocabulary; v++) {
            if (row[v] > row[largest]) largest = v;
            norm += (double)row[v] * row[v];
        }
        norm = sqrt(norm);
        if (largest != (size_t)want->largest[p])
            fail_msg("document %zu, position %zu: %zu is largest, want %d", number, p, largest, want->largest[p]);
        if (!(fabs(norm - want->norm[p]) <= LIMIT * want->norm[p]))
            fail_msg("document %zu, position %zu: the norm is %g, want %g", number, p, norm, want->norm[p]);
        for (size_t c = 0; c < f->n_columns; c++) columns[c] = row[f->columns[c]];
        const float *kept = want->logits + p * f->n_columns;
        struct comparison one = compare(columns, kept, NULL, f->n_columns);
        double length = 0;
        for (size_t c = 0; c < f->n_columns; c++) length += (double)kept[c] * kept[c];
        difference += one.relative_l2 * one.relative_l2 * length;
        size += length;
    }
    return sqrt(difference / size);
}

static void logits_equal_those_of_transformers(void **state)
{
    const struct way *way = *state;
    struct fixture f;
    struct model_options options;
    struct model model = {0};
    struct error err = {0};
    double worst = 0;
    open_fixture(&f);
    demo_model_options(&options);
    options.device = (struct device_options){.backend = way->backend, .cpu_isa = way->cpu_isa, .compute_dtype = "f32"};
    options.quantization = (struct quantization){{way->format, way->format}};
    enum status st = model_open(&model, &options, NULL, &err);
    if ((st == DOCKET_BAD_CONFIG || st == DOCKET_UNSUPPORTED) &&
        way->cpu_isa) { /* this processor has no such instructions */
        buffer_free(&f.bytes);
        skip();
    }
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(model.config.vocab, f.vocabulary);
    for (size_t i = 0; i < f.n_documents; i++) {
        struct document d;
        struct buffer got = {0};
        next_document(&f, &d);
        if (model_logits(&model, d.ids, d.n, keep, &got, &err) != DOCKET_OK) fail_msg("%s", err.message);
        assert_int_equal(got.length, d.n * f.vocabulary * sizeof(float));
        const struct answers *want = way->format == QUANTIZE_NF4 ? &d.nf4 : &d.none;
        double l2 = compare_document(&f, &d, want, (const float *)(const void *)got.data, i);
        if (!(l2 <= LIMIT)) fail_msg("document %zu: relative L2 %.3g, at most %g", i, l2, LIMIT);
        if (l2 > worst) worst = l2;
        buffer_free(&got);
    }
    assert_int_equal(f.at, f.bytes.length);
    print_message("relative L2 at most %.2g\n", worst);
    model_close(&model);
    buffer_free(&f.bytes);
}

/* Products of rounded operands. A value in bf16 is off by 2^-9 / sqrt(3) = 1.1e-3 of itself (root of the mean square, at most), and so is a
 * product's sum of them; a token passes 17 products one after the other (four in each of four layers, and the head): 1.1e-3 sqrt(17) =
 * 4.7e-3 for the position in the middle. 2e-3, the limit above, cannot be had with 8 bits of mantissa. Some positions are further off:
 * where two experts are about as good, the rounding decides which of them is asked. In int8 only what was measured is known: 1.8e-2. */
static const struct rounded_way {
    const char *name, *cpu_isa, *compute_dtype;
    enum weight_format format;
    double limit; /* of the position in the middle */
    double same;  /* share of positions with the largest logit of transformers, at least */
} rounded_ways[] = {
    {"avx512_bf16_none", "avx512_bf16", "bf16", QUANTIZE_NONE, 4.7e-3, 0.95},
    {"avx512_bf16_nf4", "avx512_bf16", "bf16", QUANTIZE_NF4, 4.7e-3, 0.95},
    {"amx_bf16_twin_nf4", "amx_bf16_twin", "bf16", QUANTIZE_NF4, 4.7e-3, 0.95},
    {"avx512_vnni_nf4", "avx512_vnni", "int8", QUANTIZE_NF4, 3e-2, 0.88},
    {"amx_int8_twin_nf4", "amx_int8_twin", "int8", QUANTIZE_NF4, 3e-2, 0.88},
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The relative L2 of every position, and how many have the same largest logit. */
static void judge_document(const struct fixture *f, const struct document *d, const struct answers *want,
                           const float *got, double *apart, size_t *n_same)
{
    for (size_t p = 0; p < d->n; p++) {
        const float *row = got + p * f->vocabulary, *kept = want->logits + p * f->n_columns;
        float columns[MAX_COLUMNS];
        size_t largest = 0;
        for (size_t v = 0; v < f->vocabulary; v++)
            if (row[v] > row[largest]) largest = v;
        *n_same += largest == (size_t)want->largest[p];
        for (size_t c = 0; c < f->n_columns; c++) columns[c] = row[f->columns[c]];
        apart[p] = compare(columns, kept, NULL, f->n_columns).relative_l2;
        assert_true(apart[p] >= 0); /* no NaN */
    }
}

static void rounded_products_stay_as_near_as_their_rounding_allows(void **state)
{
    const struct rounded_way *way = *state;
    struct fixture f;
    struct model_options options;
    struct model model = {0};
    struct error err = {0};
    static double apart[1 << 16];
    size_t n = 0, n_same = 0;
    open_fixture(&f);
    demo_model_options(&options);
    options.device =
        (struct device_options){.backend = "cpu", .cpu_isa = way->cpu_isa, .compute_dtype = way->compute_dtype};
    options.quantization = (struct quantization){{way->format, way->format}};
    enum status st = model_open(&model, &options, NULL, &err);
    if (st == DOCKET_BAD_CONFIG || st == DOCKET_UNSUPPORTED) { /* this processor has no such instructions */
        buffer_free(&f.bytes);
        skip();
    }
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < f.n_documents; i++) {
        struct document d;
        struct buffer got = {0};
        next_document(&f, &d);
        assert_true(d.n <= ARRAY_LENGTH(apart) - n);
        if (model_logits(&model, d.ids, d.n, keep, &got, &err) != DOCKET_OK) fail_msg("%s", err.message);
        judge_document(&f, &d, way->format == QUANTIZE_NF4 ? &d.nf4 : &d.none, (const float *)(const void *)got.data,
                       apart + n, &n_same);
        n += d.n;
        buffer_free(&got);
    }
    qsort(apart, n, sizeof(*apart), by_size);
    print_message(
        "relative L2 of %zu positions: median %.2g, nine tenths %.2g, worst %.2g; largest the same in %.1f %%\n", n,
        apart[n / 2], apart[n * 9 / 10], apart[n - 1], 100 * (double)n_same / (double)n);
    if (!(apart[n / 2] <= way->limit)) fail_msg("the median is %.3g, at most %g", apart[n / 2], way->limit);
    if (!((double)n_same >= way->same * (double)n))
        fail_msg("%zu of %zu positions have the same largest logit, want %g of them", n_same, n, way->same);
    model_close(&model);
    buffer_free(&f.bytes);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LENGTH(ways) + ARRAY_LENGTH(rounded_ways)];
    for (size_t i = 0; i < ARRAY_LENGTH(rounded_ways); i++)
        tests[ARRAY_LENGTH(ways) + i] =
            (struct CMUnitTest){.name = rounded_ways[i].name,
                                .test_func = rounded_products_stay_as_near_as_their_rounding_allows,
                                .initial_state = (void *)(uintptr_t)&rounded_ways[i]};
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        tests[i] = (struct CMUnitTest){.name = ways[i].name,
                                       .test_func = logits_equal_those_of_transformers,
                                       .initial_state = (void *)(uintptr_t)&ways[i]};
    return cmocka_run_group_tests_name("logits equal those of transformers", tests, NULL, NULL);
}
