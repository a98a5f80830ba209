/* test_fp4_int8_golden.c: FP4 (plain, nested) and int8 against what bitsandbytes made of the same tensors
 * (golden/fp4_int8/make_fp4_int8.py says how, and the file's form), through every table there is. */
#include "tests/conformance/rig.h"

#include "kernels/formats/half.h"
#include "kernels/formats/layout.h"
#include "tests/support/golden_file.h"

struct golden {
    enum kernels_format source;
    size_t rows, cols, n, n_blocks;
    void *values;
    struct kernels_parts fp4, int8; /* of plain and nested both */
    void *fp4_back, *int8_back;
};

static struct golden take_golden(struct reader *r, float *map)
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
    g.fp4 = (struct kernels_parts){.nested_map = map};
    g.fp4.codes = take_copy(r, nf4_code_bytes(g.n));
    g.fp4.absmax = take_copy(r, g.n_blocks * 4);
    g.fp4.absmax_codes = take_copy(r, g.n_blocks);
    g.fp4.nested_absmax = take_copy(r, nf4_n_nested_blocks(g.n_blocks) * 4);
    memcpy(&g.fp4.nested_offset, take(r, 4), 4);
    g.fp4_back = take_copy(r, g.n * size);
    g.int8 = (struct kernels_parts){.codes = take_copy(r, g.n)};
    g.int8.absmax = take_copy(r, g.rows * 4);
    g.int8_back = take_copy(r, g.n * size);
    return g;
}

static void free_golden(struct golden *g)
{
    free(g->values);
    free(g->fp4.codes);
    free(g->fp4.absmax);
    free(g->fp4.absmax_codes);
    free(g->fp4.nested_absmax);
    free(g->fp4_back);
    free(g->int8.codes);
    free(g->int8.absmax);
    free(g->int8_back);
}

static void same_bytes(const char *what, const struct golden *g, enum kernels_format format, const void *got,
                       const void *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)got)[i] != ((const uint8_t *)want)[i])
            fail_msg("%s of %s [%zu, %zu]: byte %zu: got %02x, want %02x", docket_kernels_format_name(format), what,
                     g->rows, g->cols, i, ((const uint8_t *)got)[i], ((const uint8_t *)want)[i]);
}

static void check_parts(const struct rig *rig, const struct golden *g, const struct kernels_weight *weight,
                        enum kernels_format format)
{
    const struct kernels_parts *want = format == KERNELS_INT8 ? &g->int8 : &g->fp4;
    uint8_t *codes = malloc(g->n), *absmax_codes = malloc(g->n_blocks);
    float *absmax = host_values(g->n_blocks + g->rows), *nested_absmax = host_values(g->n_blocks), map[256];
    struct kernels_parts got = {.codes = codes,
                                .absmax = absmax,
                                .absmax_codes = absmax_codes,
                                .nested_absmax = nested_absmax,
                                .nested_map = map};

    assert_non_null(codes);
    assert_non_null(absmax_codes);
    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, &got), KERNELS_OK);
    same_bytes("codes", g, format, codes, want->codes, format == KERNELS_INT8 ? g->n : nf4_code_bytes(g->n));
    if (format != KERNELS_FP4_NESTED)
        same_bytes("absmax", g, format, absmax, want->absmax, 4 * (format == KERNELS_INT8 ? g->rows : g->n_blocks));
    else {
        same_bytes("offset", g, format, &got.nested_offset, &want->nested_offset, 4);
        same_bytes("nested absmax", g, format, nested_absmax, want->nested_absmax,
                   4 * nf4_n_nested_blocks(g->n_blocks));
        same_bytes("absmax codes", g, format, absmax_codes, want->absmax_codes, g->n_blocks);
        same_bytes("nested map", g, format, map, want->nested_map, sizeof map);
    }
    free(codes);
    free(absmax_codes);
    free(absmax);
    free(nested_absmax);
}

/* Rounded to the tensor's type, as the library stores what it dequantizes. A zero may have either sign. */
static void check_values(const struct rig *rig, const struct golden *g, const struct kernels_weight *weight,
                         enum kernels_format format)
{
    const void *back = format == KERNELS_INT8 ? g->int8_back : g->fp4_back;
    float *got = host_values(g->n);

    assert_int_equal(rig->table->weight_read(rig->device, weight, got), KERNELS_OK);
    for (size_t i = 0; i < g->n; i++) {
        uint32_t bits = half_bits_from_f32(got[i]), want, sign = g->source == KERNELS_F32 ? 0x80000000 : 0x8000;
        if (g->source != KERNELS_F32)
            bits = g->source == KERNELS_F16 ? half_f16_from_f32(got[i]) : half_bf16_from_f32(got[i]);
        want = g->source == KERNELS_F32 ? ((const uint32_t *)back)[i] : ((const uint16_t *)back)[i];
        if (bits != want && ((bits | want) & ~sign) != 0)
            fail_msg("%s of [%zu, %zu]: value %zu: got %08x, want %08x", docket_kernels_format_name(format), g->rows,
                     g->cols, i, bits, want);
    }
    free(got);
}

static void check_format(const struct rig *rig, const struct golden *g, enum kernels_format format)
{
    const struct kernels_weight_desc desc = {format, g->rows, g->cols};
    struct kernels_weight *ours = rig->table->weight_begin(rig->device, &desc, NULL);
    struct kernels_weight *theirs =
        rig->table->weight_from_parts(rig->device, &desc, format == KERNELS_INT8 ? &g->int8 : &g->fp4, NULL);
    const size_t first = g->n > 16384 ? 16384 : g->n, size = g->source == KERNELS_F32 ? 4 : 2;

    assert_non_null(ours);
    assert_non_null(theirs);
    /* In two writes where the first can be whole. */
    assert_int_equal(rig->table->weight_write(rig->device, ours, g->source, g->values, first, NULL), KERNELS_OK);
    if (first < g->n)
        assert_int_equal(rig->table->weight_write(rig->device, ours, g->source, (const char *)g->values + first * size,
                                                  g->n - first, NULL),
                         KERNELS_OK);
    assert_int_equal(rig->table->weight_finish(rig->device, ours, NULL), KERNELS_OK);
    check_parts(rig, g, ours, format);
    check_parts(rig, g, theirs, format);
    if (format != KERNELS_FP4) check_values(rig, g, ours, format);
    if (format != KERNELS_FP4) check_values(rig, g, theirs, format);
    rig->table->weight_free(rig->device, ours);
    rig->table->weight_free(rig->device, theirs);
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
    r = read_golden("fp4_int8/fp4_int8.bin", &memory);
    assert_memory_equal(take(&r, 8), "fp4int8\0", 8);
    map = take_copy(&r, 256 * 4);
    n_tensors = take_u32(&r);
    assert_true(n_tensors > 10);
    for (uint32_t t = 0; t < n_tensors; t++) {
        struct golden g = take_golden(&r, map);
        for (size_t i = 0; i < rigs.n; i++) {
            check_format(&rigs.all[i], &g, KERNELS_FP4);
            check_format(&rigs.all[i], &g, KERNELS_FP4_NESTED);
            check_format(&rigs.all[i], &g, KERNELS_INT8);
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
