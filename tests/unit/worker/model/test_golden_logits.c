/* Logits of the demo model against those of transformers and bitsandbytes: every backend and instruction set, both ways of
 * weights. tests/golden/logits/make_logits.py made the numbers and says how they lie in the file. */
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"
#include "tests/support/demo_model.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <math.h>
#include <string.h>

#define FIXTURE "tests/golden/logits/logits.bin"
/* For a relative L2. Float32 throughout gives 4e-6; products in bf16, 8 bits of mantissa, would give 1e-3. */
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
    if (st == DOCKET_UNSUPPORTED && way->cpu_isa) { /* this processor has no such instructions */
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

int main(void)
{
    struct CMUnitTest tests[ARRAY_LENGTH(ways)];
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        tests[i] = (struct CMUnitTest){.name = ways[i].name,
                                       .test_func = logits_equal_those_of_transformers,
                                       .initial_state = (void *)(uintptr_t)&ways[i]};
    return cmocka_run_group_tests_name("logits equal those of transformers", tests, NULL, NULL);
}
