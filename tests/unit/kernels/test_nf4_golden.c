/* test_nf4_golden.c: codes, scales and values against what bitsandbytes made of the same tensors (golden/nf4/make_nf4.py
 * says how, and the file's form), through every table there is. */
#include "tests/conformance/rig.h"

#include "kernels/formats/half.h"
#include "kernels/formats/layout.h"
#include "tests/support/golden_file.h"

struct golden {
    enum kernels_format source;
    size_t rows, cols, n, n_blocks;
    void *values, *back;
    uint8_t *codes, *absmax_codes;
    float *absmax, *nested_absmax, nested_offset;
};

static struct golden take_golden(struct reader *r)
{
    struct golden g;
    uint32_t format = take_u32(r);
    size_t size = format == 0 ? 4 : 2;

    assert_true(format <= 2);
    g.source = format == 0 ? KERNELS_F32 : format == 1 ? KERNELS_F16 : KERNELS_BF16;
    g.rows = take_u32(r);
    g.cols = take_u32(r);
    g.n = g.rows * g.cols;
    g.n_blocks = nf4_n_blocks(g.n);
    g.values = take_copy(r, g.n * size);
    g.codes = take_copy(r, nf4_code_bytes(g.n));
    g.absmax = take_copy(r, g.n_blocks * 4);
    g.absmax_codes = take_copy(r, g.n_blocks);
    g.nested_absmax = take_copy(r, nf4_n_nested_blocks(g.n_blocks) * 4);
    memcpy(&g.nested_offset, take(r, 4), 4);
    g.back = take_copy(r, g.n * size);
    return g;
}

static void free_golden(struct golden *g)
{
    free(g->values);
    free(g->codes);
    free(g->absmax);
    free(g->absmax_codes);
    free(g->nested_absmax);
    free(g->back);
}

static void check_parts(const struct rig *rig, const struct golden *g, const struct kernels_weight *weight, bool nested)
{
    uint8_t *codes = malloc(nf4_code_bytes(g->n)), *absmax_codes = malloc(g->n_blocks);
    float *absmax = host_values(g->n_blocks), *nested_absmax = host_values(g->n_blocks), map[256];
    struct kernels_parts parts = {.codes = codes,
                                  .absmax = absmax,
                                  .absmax_codes = absmax_codes,
                                  .nested_absmax = nested_absmax,
                                  .nested_map = map};

    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, &parts), KERNELS_OK);
    assert_memory_equal(codes, g->codes, nf4_code_bytes(g->n));
    if (!nested) {
        assert_true(compare_equal("absmax", absmax, g->absmax, g->n_blocks));
    } else {
        assert_memory_equal(&parts.nested_offset, &g->nested_offset, 4);
        assert_true(compare_equal("nested_absmax", nested_absmax, g->nested_absmax, nf4_n_nested_blocks(g->n_blocks)));
        assert_memory_equal(absmax_codes, g->absmax_codes, g->n_blocks);
    }
    free(codes);
    free(absmax_codes);
    free(absmax);
    free(nested_absmax);
}

/* Rounded to the tensor's type, as the library stores what it dequantizes. */
static void check_values(const struct rig *rig, const struct golden *g, const struct kernels_weight *weight)
{
    float *got = host_values(g->n);

    assert_int_equal(rig->table->weight_read(rig->device, weight, got), KERNELS_OK);
    for (size_t i = 0; i < g->n; i++) {
        if (g->source == KERNELS_F32) {
            if (memcmp(got + i, (float *)g->back + i, 4) != 0) fail_msg("[%zu, %zu] value %zu", g->rows, g->cols, i);
        } else {
            uint16_t bits = g->source == KERNELS_F16 ? half_f16_from_f32(got[i]) : half_bf16_from_f32(got[i]);
            if (bits != ((uint16_t *)g->back)[i])
                fail_msg("[%zu, %zu] value %zu: got %04x, want %04x", g->rows, g->cols, i, bits,
                         ((uint16_t *)g->back)[i]);
        }
    }
    free(got);
}

static void every_table_makes_the_bytes_that_bitsandbytes_makes(void **state)
{
    struct rigs rigs;
    struct reader r;
    void *memory;
    float *map;
    uint32_t n_tensors;

    (void)state;
    rigs_open(&rigs, 2);
    r = read_golden("nf4/nf4.bin", &memory);
    assert_memory_equal(take(&r, 8), "nf4 v1\0\0", 8);
    map = take_copy(&r, 256 * 4);
    n_tensors = take_u32(&r);
    assert_true(n_tensors > 10);
    for (uint32_t t = 0; t < n_tensors; t++) {
        struct golden g = take_golden(&r);
        for (size_t i = 0; i < rigs.n; i++)
            for (int nested = 0; nested < 2; nested++) {
                const struct rig *rig = &rigs.all[i];
                struct kernels_weight_desc desc = {nested ? KERNELS_NF4_NESTED : KERNELS_NF4, g.rows, g.cols};
                struct kernels_parts parts = {.codes = g.codes,
                                              .absmax = g.absmax,
                                              .absmax_codes = g.absmax_codes,
                                              .nested_absmax = g.nested_absmax,
                                              .nested_map = map,
                                              .nested_offset = g.nested_offset};
                struct kernels_weight *ours = rig->table->weight_begin(rig->device, &desc, NULL);
                struct kernels_weight *theirs = rig->table->weight_from_parts(rig->device, &desc, &parts, NULL);
                size_t first = g.n > 16384 ? 16384 : g.n, size = g.source == KERNELS_F32 ? 4 : 2;
                assert_non_null(ours);
                assert_non_null(theirs);
                /* In two writes where the first can be whole. */
                assert_int_equal(rig->table->weight_write(rig->device, ours, g.source, g.values, first, NULL),
                                 KERNELS_OK);
                if (first < g.n)
                    assert_int_equal(rig->table->weight_write(rig->device, ours, g.source,
                                                              (const char *)g.values + first * size, g.n - first, NULL),
                                     KERNELS_OK);
                assert_int_equal(rig->table->weight_finish(rig->device, ours, NULL), KERNELS_OK);
                check_parts(rig, &g, ours, nested);
                check_parts(rig, &g, theirs, nested);
                if (nested) check_values(rig, &g, ours);
                if (nested) check_values(rig, &g, theirs);
                rig->table->weight_free(rig->device, ours);
                rig->table->weight_free(rig->device, theirs);
            }
        free_golden(&g);
    }
    assert_ptr_equal(r.at, r.end);
    free(map);
    free(memory);
    rigs_close(&rigs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_table_makes_the_bytes_that_bitsandbytes_makes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
