/* Tiny models of every family and every form of checkpoint: logits and greedy choices against those of transformers.
 * tests/golden/families/make_families.py made them and says what lies in expected.bin; other folders of models may be named. */
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/model/load.h"
#include "worker/model/transformer.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 7 /* rows of a pass: windows and positions reach over several */

static const char *root = "tests/golden/families";

static const struct way {
    const char *name, *backend, *cpu_isa;
} ways[] = {
    {"reference", "reference", NULL},
    {"cpu_plain", "cpu", "reference"},
    {"cpu_avx2", "cpu", "avx2"},
    {"cpu_avx512", "cpu", "avx512"},
};

struct expected {
    struct buffer bytes;
    uint32_t n, n_prompt, vocabulary;
    float limit, near;
    const int32_t *ids;
    const float *logits;
};

static void read_expected(struct expected *e, const char *folder)
{
    struct error err = {0};
    char path[512];
    snprintf(path, sizeof(path), "%s/expected.bin", folder);
    *e = (struct expected){0};
    if (file_read_all(&e->bytes, path, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(e->bytes.length > 28 && memcmp(e->bytes.data, "DKFAMLY1", 8) == 0);
    memcpy(&e->n, e->bytes.data + 8, 20);
    assert_int_equal(e->bytes.length, 28 + 4 * ((size_t)e->n + (size_t)e->n * e->vocabulary));
    e->ids = (const int32_t *)(const void *)(e->bytes.data + 28);
    e->logits = (const float *)(const void *)(e->ids + e->n);
}

/* Through a cache in f32, a few rows a pass. */
static enum status run_model(struct device *device, const struct model_config *c, const struct model_weights *weights,
                             const struct expected *e, float *logits, struct error *err)
{
    const struct transformer_limits limits = {
        .max_rows = PIECE, .max_sequences = 1, .kv_slots = e->n, .max_outputs = PIECE, .kv_format = KERNELS_F32};
    struct transformer *t = NULL;
    int32_t positions[PIECE];
    uint32_t slots[PIECE], rows[PIECE];
    enum status st = transformer_open(&t, device, c, weights, &limits, err);
    for (uint32_t at = 0; at < e->n && st == DOCKET_OK; at += PIECE) {
        uint32_t n = e->n - at < PIECE ? e->n - at : PIECE;
        for (uint32_t i = 0; i < n; i++) {
            positions[i] = (int32_t)(at + i);
            slots[i] = at + i;
            rows[i] = i;
        }
        const struct kernels_sequence sequence = {.n_rows = n, .own = {0, at + n, 0}};
        const struct kernels_batch_desc batch = {n, 1, e->ids + at, positions, slots, &sequence};
        st = transformer_forward(t, &batch, rows, n, NULL, err);
        if (st == DOCKET_OK) st = transformer_all_logits(t, 0, n, logits + (size_t)at * e->vocabulary, err);
    }
    transformer_close(t);
    return st;
}

static enum status load_and_run(const struct way *way, const char *folder, const struct expected *e, float *logits,
                                struct error *err)
{
    char path[512];
    struct buffer text = {0};
    struct model_config c;
    struct model_weights weights = {0};
    struct load_report report = {0};
    struct device device = {0};
    struct tensor_files *files = NULL;
    const struct quantization as_stored = {0};
    size_t predicted = 0;
    struct model_location location = {.folder = (char *)(uintptr_t)folder, .boundary = (char *)(uintptr_t)folder};
    const struct device_options options = {.backend = way->backend, .cpu_isa = way->cpu_isa, .compute_dtype = "f32"};
    snprintf(path, sizeof(path), "%s/config.json", folder);
    enum status st = device_open(&device, &options, err);
    if (st == DOCKET_OK) st = file_read_all(&text, path, err);
    if (st == DOCKET_OK) st = model_config_parse(&c, text.data, text.length, err);
    if (st == DOCKET_OK) st = tensor_files_open(&files, &location, err);
    if (st == DOCKET_OK) st = load_predict(&predicted, &device, &c, files, &as_stored, err);
    if (st == DOCKET_OK) st = load_weights(&weights, &report, &device, &c, files, &as_stored, NULL, NULL, err);
    if (st == DOCKET_OK) {
        assert_int_equal(c.vocab, e->vocabulary);
        assert_int_equal(report.weight_bytes, predicted);
        st = run_model(&device, &c, &weights, e, logits, err);
    }
    if (device.backend) model_weights_free(&weights, &device);
    tensor_files_close(files);
    device_close(&device);
    buffer_free(&text);
    return st;
}

/* Returns the relative L2; complains about other choices, but for ties. */
static double judge(const char *name, const struct expected *e, const float *got)
{
    size_t v = e->vocabulary;
    for (size_t p = 0; p < e->n; p++) {
        const float *g = got + p * v, *w = e->logits + p * v;
        size_t chosen = 0, best = 0;
        for (size_t i = 0; i < v; i++) {
            if (g[i] > g[chosen]) chosen = i;
            if (w[i] > w[best]) best = i;
        }
        if (chosen != best && w[best] - w[chosen] > e->near)
            fail_msg("%s: position %zu: %zu is largest, want %zu", name, p, chosen, best);
        if (p + 1 >= e->n_prompt && p + 1 < e->n && chosen != (size_t)e->ids[p + 1])
            fail_msg("%s: behind position %zu: chose %zu, want %d", name, p, chosen, e->ids[p + 1]);
    }
    return compare(got, e->logits, NULL, e->n * v).relative_l2;
}

static void every_model_computes_what_transformers_computes(void **state)
{
    const struct way *way = *state;
    struct dirent **list = NULL;
    size_t n_models = 0;
    int n = scandir(root, &list, NULL, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char folder[400], path[480];
        struct expected e;
        struct error err = {0};
        snprintf(folder, sizeof(folder), "%s/%s", root, list[i]->d_name);
        snprintf(path, sizeof(path), "%s/expected.bin", folder);
        FILE *there = list[i]->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (!there) continue;
        fclose(there);
        read_expected(&e, folder);
        float *got = mem_alloc((size_t)e.n * e.vocabulary * sizeof(float));
        assert_non_null(got);
        enum status st = load_and_run(way, folder, &e, got, &err);
        if (st == DOCKET_UNSUPPORTED && n_models == 0 && way->cpu_isa) { /* this processor has no such instructions */
            buffer_free(&e.bytes);
            mem_free(got);
            skip();
        }
        if (st != DOCKET_OK) fail_msg("%s: %s", list[i]->d_name, err.message);
        double l2 = judge(list[i]->d_name, &e, got);
        if (getenv("VERBOSE")) printf("%-36s relative L2 %.2e, at most %.0e\n", list[i]->d_name, l2, (double)e.limit);
        if (!(l2 <= (double)e.limit))
            fail_msg("%s: relative L2 %.3g, at most %g", list[i]->d_name, l2, (double)e.limit);
        mem_free(got);
        buffer_free(&e.bytes);
        n_models++;
    }
    for (int i = 0; i < n; i++) free(list[i]);
    free(list);
    assert_true(n_models > 0);
    printf("%zu models\n", n_models);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ARRAY_LENGTH(ways)];
    if (argc > 1) root = argv[1];
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        tests[i] = (struct CMUnitTest){.name = ways[i].name,
                                       .test_func = every_model_computes_what_transformers_computes,
                                       .initial_state = (void *)(uintptr_t)&ways[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
