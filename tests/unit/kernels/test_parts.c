/* test_parts.c: canonical bytes of every quantized format in and out of every table: the same bits whatever the instruction
 * set, the source, the cuts between writes; foreign sizes of blocks; what is refused. */
#include "kernels/formats/fp4.h"
#include "kernels/formats/half.h"
#include "kernels/formats/nf4.h"
#include "tests/conformance/rig.h"

static const enum kernels_format formats[] = {KERNELS_NF4,        KERNELS_NF4_NESTED, KERNELS_FP4,
                                              KERNELS_FP4_NESTED, KERNELS_INT8,       KERNELS_Q8,
                                              KERNELS_Q4,         KERNELS_Q2,         KERNELS_Q1};
#define N_FORMATS (sizeof formats / sizeof formats[0])

RIGS_OF_ALL_TESTS(2)

static struct kernels_parts parts_make(const struct kernels_weight_desc *desc, uint32_t block_size,
                                       struct kernels_parts_size *size)
{
    struct kernels_parts parts = {.block_size = block_size};

    assert_int_equal(docket_kernels_parts_size(desc, block_size, size), KERNELS_OK);
    parts.codes = calloc(size->codes + 1, 1);
    parts.absmax = calloc(size->absmax + 1, 1);
    parts.absmax_codes = calloc(size->absmax_codes + 1, 1);
    parts.nested_absmax = calloc(size->nested_absmax + 1, 1);
    parts.nested_map = calloc(size->nested_map + 1, 1);
    parts.scales = calloc(size->scales + 1, 1);
    parts.zeros = calloc(size->zeros + 1, 1);
    return parts;
}

static void parts_free(struct kernels_parts *parts)
{
    free(parts->codes);
    free(parts->absmax);
    free(parts->absmax_codes);
    free(parts->nested_absmax);
    free(parts->nested_map);
    free(parts->scales);
    free(parts->zeros);
}

static void parts_are_equal(const struct kernels_parts *a, const struct kernels_parts *b,
                            const struct kernels_parts_size *size)
{
    assert_memory_equal(a->codes, b->codes, size->codes);
    if (size->absmax) assert_memory_equal(a->absmax, b->absmax, size->absmax);
    if (size->absmax_codes) assert_memory_equal(a->absmax_codes, b->absmax_codes, size->absmax_codes);
    if (size->nested_absmax) assert_memory_equal(a->nested_absmax, b->nested_absmax, size->nested_absmax);
    if (size->nested_map) assert_memory_equal(a->nested_map, b->nested_map, size->nested_map);
    if (size->scales) assert_memory_equal(a->scales, b->scales, size->scales);
    if (size->zeros) assert_memory_equal(a->zeros, b->zeros, size->zeros);
    assert_memory_equal(&a->nested_offset, &b->nested_offset, sizeof a->nested_offset);
    assert_int_equal(a->block_size, b->block_size);
}

static size_t source_bytes(enum kernels_format format)
{
    return format == KERNELS_F32 ? 4 : format == KERNELS_F8_E4M3 ? 1 : 2;
}

/* The source in its format, and what of it is left in f32. */
static unsigned char *make_source(enum kernels_format format, float *values, size_t n)
{
    unsigned char *source = malloc(n * 4 + 1);

    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits = half_bits_from_f32(values[i]);
        if (format == KERNELS_F32) memcpy(source + 4 * i, &values[i], 4);
        if (format == KERNELS_F16) {
            half = half_f16_from_f32(values[i]);
            values[i] = half_f16_to_f32(half);
            memcpy(source + 2 * i, &half, 2);
        }
        if (format == KERNELS_BF16) {
            half = half_bf16_from_f32(values[i]);
            values[i] = half_bf16_to_f32(half);
            memcpy(source + 2 * i, &half, 2);
        }
        if (format == KERNELS_F8_E4M3) { /* any byte but NaN */
            source[i] = (bits >> 7 & 0x7f) == 0x7f ? 0 : (unsigned char)(bits >> 7);
            values[i] = half_e4m3_to_f32(source[i]);
        }
    }
    return source;
}

static struct kernels_weight *weight_in_steps(const struct rig *rig, const struct kernels_weight_desc *desc,
                                              enum kernels_format source_format, const unsigned char *source,
                                              size_t step, const struct kernels_source_scale *scale)
{
    struct kernels_error error = {0};
    struct kernels_weight *weight = rig->table->weight_begin(rig->device, desc, &error);
    size_t n = desc->rows * desc->cols;

    assert_non_null(weight);
    if (scale) assert_int_equal(rig->table->weight_scale(rig->device, weight, scale, &error), KERNELS_OK);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(rig->table->weight_write(rig->device, weight, source_format,
                                                  source + at * source_bytes(source_format),
                                                  n - at < step ? n - at : step, &error),
                         KERNELS_OK);
    if (rig->table->weight_finish(rig->device, weight, &error) != KERNELS_OK) fail_msg("%s", error.message);
    return weight;
}

static void every_table_makes_the_same_bytes_of_any_source_in_any_cut(void **state)
{
    static const struct {
        size_t rows, cols;
    } shapes[] = {{1, 1}, {3, 21}, {5, 64}, {70, 900}, {3, 20000}, {2, 40961}};
    static const enum kernels_format sources[] = {KERNELS_F32, KERNELS_F16, KERNELS_BF16, KERNELS_F8_E4M3};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t from = 0; from < 4; from++) {
            size_t n = shapes[s].rows * shapes[s].cols;
            struct numbers numbers = {s + 10 * from};
            float *values = host_values(n), *scaled = host_values(n), *back = host_values(n), *again = host_values(n);
            float tiles[8];
            struct kernels_source_scale scale = {tiles, s % 2 ? 1 : 2, s % 2 ? 0 : shapes[s].cols / 2 + 1};
            unsigned char *source;
            for (size_t i = 0; i < n; i++) values[i] = numbers_gaussian(&numbers);
            source = make_source(sources[from], values, n);
            for (size_t i = 0; i < 8; i++) tiles[i] = 0.3f + (float)i;
            for (size_t i = 0; i < n; i++) {
                size_t row = i / shapes[s].cols, col = i % shapes[s].cols;
                scaled[i] = values[i] * (s % 2 ? tiles[row % 8] : tiles[row / 2 * 2 % 8 + (col >= scale.block_cols)]);
            }
            for (size_t f = 0; f < N_FORMATS; f++) {
                struct kernels_weight_desc desc = {formats[f], shapes[s].rows, shapes[s].cols};
                struct kernels_parts_size size;
                struct kernels_parts want = parts_make(&desc, 0, &size), got = parts_make(&desc, 0, &size);
                bool with_scale = shapes[s].rows <= 8;
                for (size_t r = 0; r < rigs.n; r++) {
                    const struct rig *rig = &rigs.all[r];
                    struct kernels_weight *weight =
                        r == 0 ? weight_in_steps(rig, &desc, KERNELS_F32,
                                                 (const unsigned char *)(with_scale ? scaled : values), n, NULL)
                               : weight_in_steps(rig, &desc, sources[from], source, r % 2 ? n : 16384,
                                                 with_scale ? &scale : NULL);
                    struct kernels_weight *copy;
                    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, r ? &got : &want), KERNELS_OK);
                    if (r) parts_are_equal(&got, &want, &size);
                    assert_int_equal(rig->table->weight_read(rig->device, weight, again), KERNELS_OK);
                    if (r == 0) memcpy(back, again, n * sizeof *back);
                    assert_memory_equal(back, again, n * sizeof *back);
                    copy = rig->table->weight_from_parts(rig->device, &desc, &want, NULL);
                    assert_non_null(copy);
                    assert_int_equal(rig->table->weight_read(rig->device, copy, again), KERNELS_OK);
                    assert_memory_equal(back, again, n * sizeof *back);
                    rig->table->weight_free(rig->device, weight);
                    rig->table->weight_free(rig->device, copy);
                }
                parts_free(&want);
                parts_free(&got);
            }
            free(values);
            free(scaled);
            free(back);
            free(again);
            free(source);
        }
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* A block of 64 whose absmax is 1: the numbers around `middle`, all that there are. */
static void fill_around(float *block, float middle)
{
    block[0] = 1;
    for (int i = 1; i < 64; i++) {
        const uint32_t bits = half_bits_from_f32(middle);
        block[i] = half_f32_from_bits((bits & 0x7fffffffu) < 32 ? bits : bits + (uint32_t)i - 32);
    }
}

/* The numbers around the middles of neighbouring codes, where one becomes the other, and around those at which a table that is looked
 * up goes from one entry to the next. */
static void four_bit_codes_change_at_the_same_number_in_every_table(void **state)
{
    enum { MIDDLES = 15, BORDERS = 62, N = (MIDDLES + BORDERS) * 64 };
    static const enum kernels_format both[] = {KERNELS_NF4, KERNELS_FP4};

    (void)state;
    for (size_t f = 0; f < 2; f++) {
        const struct kernels_weight_desc desc = {both[f], MIDDLES + BORDERS, 64};
        struct kernels_parts_size size;
        struct kernels_parts want = parts_make(&desc, 0, &size), got = parts_make(&desc, 0, &size);
        float *values = host_values(N), codes[16];
        memcpy(codes, docket_kernels_code_values(both[f]), sizeof codes);
        qsort(codes, 16, sizeof *codes, compare_floats);
        for (size_t i = 0; i < MIDDLES; i++) fill_around(values + 64 * i, (codes[i] + codes[i + 1]) / 2);
        for (size_t i = 0; i < BORDERS; i++) fill_around(values + 64 * (MIDDLES + i), ((float)i - 30.5f) / 28);
        for (size_t r = 0; r < rigs.n; r++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_weight *weight =
                weight_in_steps(rig, &desc, KERNELS_F32, (const unsigned char *)values, N, NULL);
            assert_int_equal(rig->table->weight_read_parts(rig->device, weight, r ? &got : &want), KERNELS_OK);
            if (r) parts_are_equal(&got, &want, &size);
            rig->table->weight_free(rig->device, weight);
        }
        parts_free(&want);
        parts_free(&got);
        free(values);
    }
}

static void blocks_of_any_legal_size_hold_the_values_that_their_bytes_say(void **state)
{
    static const struct {
        size_t m, rows, cols;
    } shapes[] = {{3, 7, 192}, {9, 5, 100}, {130, 50, 128}, {2, 3, 4160}};

    (void)state;
    for (size_t s = 0; s < 4; s++)
        for (uint32_t block = 32; block <= 4096; block *= 2)
            for (size_t f = 0; f < 4; f++) {
                struct kernels_weight_desc desc = {formats[f], shapes[s].rows, shapes[s].cols};
                size_t m = shapes[s].m, n = desc.rows * desc.cols;
                struct kernels_parts_size size;
                struct kernels_parts parts = parts_make(&desc, block, &size), out = parts_make(&desc, block, &size);
                const float *table = f < 2 ? nf4_values : fp4_values;
                float *want = host_values(n), *got = host_values(n), *x = host_values(m * desc.cols), *first = NULL;
                double *limits = calloc(m * desc.rows, sizeof *limits);
                struct numbers numbers = {block + s};
                for (size_t i = 0; i < size.codes; i++) parts.codes[i] = (uint8_t)numbers_next(&numbers);
                for (size_t i = 0; i < size.absmax / 4; i++) parts.absmax[i] = 0.5f + (float)(i % 7);
                for (size_t i = 0; i < size.absmax_codes; i++) parts.absmax_codes[i] = (uint8_t)numbers_next(&numbers);
                for (size_t i = 0; i < size.nested_absmax / 4; i++) parts.nested_absmax[i] = 0.25f + (float)i;
                if (size.nested_map) memcpy(parts.nested_map, nf4_nested_map, size.nested_map);
                parts.nested_offset = size.nested_map ? 2.5f : 0;
                for (size_t i = 0; i < n; i++) {
                    unsigned code = i % 2 ? parts.codes[i / 2] & 15u : parts.codes[i / 2] >> 4;
                    size_t b = i / block;
                    float absmax = size.absmax
                                       ? parts.absmax[b]
                                       : parts.nested_map[parts.absmax_codes[b]] * parts.nested_absmax[b / 256] +
                                             parts.nested_offset;
                    want[i] = table[code] * absmax;
                }
                numbers_fill(&numbers, x, m * desc.cols);
                for (size_t r = 0; r < rigs.n; r++) {
                    const struct rig *rig = &rigs.all[r];
                    struct kernels_error error = {0};
                    struct kernels_weight *weight = rig->table->weight_from_parts(rig->device, &desc, &parts, &error);
                    float *device_x = rig_upload(rig, x, m * desc.cols), *to = guarded(rig, NULL, m * desc.rows), *y;
                    if (weight == NULL) fail_msg("%s", error.message);
                    assert_int_equal(rig->table->weight_read(rig->device, weight, got), KERNELS_OK);
                    assert_memory_equal(got, want, n * sizeof *want);
                    assert_int_equal(rig->table->weight_read_parts(rig->device, weight, &out), KERNELS_OK);
                    parts_are_equal(&out, &parts, &size);
                    assert_int_equal(rig->table->linear(rig->device,
                                                        &(struct kernels_linear){
                                                            .x = device_x, .weight = weight, .out = to, .n_rows = m}),
                                     KERNELS_OK);
                    y = unguard(rig, "linear", to, m * desc.rows);
                    for (size_t i = 0; i < m * desc.rows; i++) {
                        double magnitude = 0;
                        for (size_t k = 0; k < desc.cols; k++)
                            magnitude +=
                                fabs((double)x[i / desc.rows * desc.cols + k] * want[i % desc.rows * desc.cols + k]);
                        limits[i] = ULP * (sum_roundings(rig, desc.cols) + operand_roundings(rig, desc.format) + 3) *
                                        magnitude +
                                    codes_off(rig, desc.format, x + i / desc.rows * desc.cols,
                                              want + i % desc.rows * desc.cols, desc.cols);
                    }
                    if (r)
                        assert_true(compare_within(rig->name, y, first, limits, m * desc.rows));
                    else
                        first = y;
                    if (r) free(y);
                    rig->table->buffer_free(rig->device, device_x);
                    rig->table->weight_free(rig->device, weight);
                }
                free(first);
                free(want);
                free(got);
                free(x);
                free(limits);
                parts_free(&parts);
                parts_free(&out);
            }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    for (size_t r = 0; r < rigs.n; r++)
        for (size_t f = 0; f < N_FORMATS; f++) {
            const struct rig *rig = &rigs.all[r];
            struct kernels_weight_desc desc = {formats[f], 2, 96};
            struct kernels_parts_size size;
            struct kernels_parts parts = parts_make(&desc, 0, &size), other;
            struct kernels_error error = {0};
            struct kernels_weight *weight;
            static const uint32_t blocks[] = {1, 16, 48, 65, 8192, UINT32_MAX};
            float value = NAN;

            for (size_t i = 0; i < 6; i++) {
                other = parts, other.block_size = blocks[i];
                assert_null(rig->table->weight_from_parts(rig->device, &desc, &other, &error));
                assert_int_equal(error.code, KERNELS_UNSUPPORTED);
                assert_int_equal(docket_kernels_parts_size(&desc, blocks[i], &size), KERNELS_UNSUPPORTED);
                assert_int_equal(size.total, 0);
            }
            other = parts, other.codes = NULL;
            assert_null(rig->table->weight_from_parts(rig->device, &desc, &other, &error));
            assert_int_equal(error.code, KERNELS_BAD_SHAPE);
            docket_kernels_parts_size(&desc, 0, &size);
            if (size.absmax) parts.absmax[size.absmax / 4 - 1] = NAN;
            if (size.nested_absmax) parts.nested_absmax[0] = INFINITY;
            if (size.scales) parts.scales[0] = 0x7c00;
            assert_null(rig->table->weight_from_parts(rig->device, &desc, &parts, &error));
            assert_int_equal(error.code, KERNELS_FAILED);
            weight = rig->table->weight_begin(rig->device, &desc, &error);
            assert_int_equal(rig->table->weight_write(rig->device, weight, KERNELS_INT8, &value, 1, &error),
                             KERNELS_BAD_SHAPE);
            assert_int_equal(rig->table->weight_scale(rig->device, weight, NULL, &error), KERNELS_BAD_SHAPE);
            rig->table->weight_free(rig->device, weight);
            desc.rows = desc.cols = 1;
            weight = rig->table->weight_begin(rig->device, &desc, &error);
            assert_int_equal(rig->table->weight_write(rig->device, weight, KERNELS_F8_E4M3, "\xff", 1, &error),
                             KERNELS_OK);
            assert_int_equal(rig->table->weight_finish(rig->device, weight, &error), KERNELS_FAILED); /* e4m3's NaN */
            rig->table->weight_free(rig->device, weight);
            if (size.scales) {
                value = 3e38f;
                weight = rig->table->weight_begin(rig->device, &desc, &error);
                rig->table->weight_write(rig->device, weight, KERNELS_F32, &value, 1, &error);
                assert_int_equal(rig->table->weight_finish(rig->device, weight, &error), KERNELS_FAILED);
                assert_non_null(strstr(error.message, "65504"));
                rig->table->weight_free(rig->device, weight);
            }
            desc.format = KERNELS_F16;
            assert_null(rig->table->weight_from_parts(rig->device, &desc, &parts, &error));
            assert_int_equal(error.code, KERNELS_BAD_SHAPE);
            parts_free(&parts);
        }
}

/* The functions without a device agree with the table, and say what is wrong. */
static void whole_tensors_go_without_a_device(void **state)
{
    enum { ROWS = 6, COLS = 130, M = 3 };
    struct numbers numbers = {4};
    float values[ROWS * COLS], back[ROWS * COLS], want[ROWS * COLS], x[M * COLS], out[M * ROWS];

    (void)state;
    numbers_fill(&numbers, values, ROWS * COLS);
    numbers_fill(&numbers, x, M * COLS);
    for (size_t f = 0; f < N_FORMATS; f++) {
        struct kernels_weight_desc desc = {formats[f], ROWS, COLS};
        struct kernels_parts_size size;
        struct kernels_parts parts = parts_make(&desc, 0, &size), missing;
        struct kernels_weight *weight = rig_weight(&rigs.all[0], formats[f], ROWS, COLS, values);
        struct kernels_error error;
        assert_int_equal(docket_quantize(&desc, values, &parts, NULL), KERNELS_OK);
        assert_int_equal(docket_dequantize(&desc, &parts, back, NULL), KERNELS_OK);
        assert_int_equal(rigs.all[0].table->weight_read(rigs.all[0].device, weight, want), KERNELS_OK);
        assert_memory_equal(back, want, sizeof want);
        assert_int_equal(docket_matmul(&desc, &parts, x, M, out, NULL), KERNELS_OK);
        for (size_t i = 0; i < M * ROWS; i++) {
            double sum = 0;
            for (size_t k = 0; k < COLS; k++) sum += (double)x[i / ROWS * COLS + k] * back[i % ROWS * COLS + k];
            assert_true(fabs(out[i] - sum) < (formats[f] == KERNELS_INT8 ? 0.2 : 1e-4));
        }
        missing = parts, missing.codes = NULL;
        assert_int_equal(docket_quantize(&desc, values, &missing, &error), KERNELS_BAD_SHAPE);
        assert_int_equal(docket_dequantize(&desc, &missing, back, &error), KERNELS_BAD_SHAPE);
        missing = parts, missing.block_size = 128;
        assert_int_equal(docket_quantize(&desc, values, &missing, &error), KERNELS_UNSUPPORTED);
        assert_int_equal(docket_matmul(&desc, &parts, NULL, M, out, &error), KERNELS_BAD_SHAPE);
        want[0] = values[0], values[0] = NAN;
        assert_int_equal(docket_quantize(&desc, values, &parts, &error), KERNELS_FAILED);
        values[0] = want[0];
        rigs.all[0].table->weight_free(rigs.all[0].device, weight);
        parts_free(&parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_makes_the_same_bytes_of_any_source_in_any_cut),
        cmocka_unit_test(four_bit_codes_change_at_the_same_number_in_every_table),
        cmocka_unit_test(blocks_of_any_legal_size_hold_the_values_that_their_bytes_say),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(whole_tensors_go_without_a_device),
    };
    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
