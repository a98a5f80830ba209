/* test_tile.c: weights in tiles lie byte for byte as tile.h says, whatever the format, the shape, the source, the cuts between writes
 * and the workers; and never twice. The judge puts the canonical bytes of the reference into tiles itself, code by code. */
#include "kernels/cpu/core.h"
#include "kernels/formats/half.h"
#include "kernels/formats/lowbit.h"
#include "kernels/formats/nf4.h"
#include "tests/conformance/rig.h"

static const enum kernels_format formats[] = {KERNELS_F16, KERNELS_BF16,       KERNELS_NF4, KERNELS_NF4_NESTED,
                                              KERNELS_FP4, KERNELS_FP4_NESTED, KERNELS_Q8,  KERNELS_Q4,
                                              KERNELS_Q2,  KERNELS_Q1};
static const enum kernels_format sources[] = {KERNELS_F32, KERNELS_F16, KERNELS_BF16, KERNELS_F8_E4M3};
enum { N_FORMATS = sizeof formats / sizeof formats[0], N_SOURCES = sizeof sources / sizeof sources[0] };

/* The canonical form of one weight, and of f16 and bf16 its values. */
struct canonical {
    struct kernels_parts_size size;
    struct kernels_parts parts;
    uint8_t *memory;
};

static struct canonical canonical_make(const struct kernels_weight_desc *desc)
{
    struct canonical c = {0};
    size_t n = desc->rows * desc->cols;
    uint8_t *at = c.memory = calloc(4 * n + 4096, 1);

    assert_non_null(at);
    if (docket_kernels_format_has_parts(desc->format))
        assert_int_equal(docket_kernels_parts_size(desc, 0, &c.size), KERNELS_OK);
    else
        c.size.codes = n * 2;
    c.parts.absmax = (float *)(void *)at, at += c.size.absmax;
    c.parts.nested_absmax = (float *)(void *)at, at += c.size.nested_absmax;
    c.parts.nested_map = (float *)(void *)at, at += c.size.nested_map;
    c.parts.scales = (uint16_t *)(void *)at, at += c.size.scales;
    c.parts.zeros = (uint16_t *)(void *)at, at += c.size.zeros;
    c.parts.absmax_codes = at, at += c.size.absmax_codes;
    c.parts.codes = at;
    return c;
}

static struct kernels_weight *write_all(const struct rig *rig, const struct kernels_weight_desc *desc,
                                        enum kernels_format source_format, const uint8_t *source, size_t step,
                                        const struct kernels_source_scale *scale)
{
    struct kernels_error error = {0};
    size_t n = desc->rows * desc->cols, size = source_format == KERNELS_F32       ? 4
                                               : source_format == KERNELS_F8_E4M3 ? 1
                                                                                  : 2;
    struct kernels_weight *weight = rig->table->weight_begin(rig->device, desc, &error);

    assert_non_null(weight);
    if (scale) assert_int_equal(rig->table->weight_scale(rig->device, weight, scale, &error), KERNELS_OK);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(rig->table->weight_write(rig->device, weight, source_format, source + at * size,
                                                  n - at < step ? n - at : step, &error),
                         KERNELS_OK);
    if (rig->table->weight_finish(rig->device, weight, &error) != KERNELS_OK)
        fail_msg("%s: %s", rig->name, error.message);
    return weight;
}

static unsigned code_of(unsigned bits, const uint8_t *codes, size_t i)
{
    if (bits == 16) return codes[2 * i] | (unsigned)codes[2 * i + 1] << 8;
    return lowbit_code(bits, codes, i);
}

/* Where code i of a word lies: with each sorting the even ones go below the odd ones. */
static unsigned place_of(unsigned bits, unsigned order, unsigned i)
{
    if (order == TILE_PAIRS) return bits * (i / 2) + i % 2 * 16;
    if (order >= TILE_QUADS) return bits * (i / 4) + i % 4 * 8;
    return bits * i;
}

/* One row's scale of one block into the line of its group. */
static void put_scale(const struct canonical *c, size_t block, size_t in_group, size_t group, size_t lane,
                      uint8_t *line)
{
    uint8_t *to = line + in_group * (64 / group);

    if (c->size.absmax_codes)
        to[lane] = c->parts.absmax_codes[block];
    else if (c->size.absmax)
        memcpy(to + 4 * lane, &c->parts.absmax[block], 4);
    else {
        memcpy(to + 2 * lane, &c->parts.scales[block], 2);
        if (c->size.zeros) memcpy(to + 32 + 2 * lane, &c->parts.zeros[block], 2);
    }
}

/* One vector of one block: a word of each row of the tile. */
static void put_vector(const struct kernels_weight_desc *desc, unsigned order, const struct canonical *c, size_t tile,
                       size_t block, unsigned v, uint8_t *at)
{
    unsigned bits = desc->format <= KERNELS_BF16 ? 16 : cpu_code_bits(desc->format), per_word = 32 / bits;

    for (size_t lane = 0; lane < 16 && tile * 16 + lane < desc->rows; lane++) {
        uint32_t word = 0;
        size_t first = ((tile * 16 + lane) * (desc->cols / 64) + block) * 64 + v * per_word;
        for (unsigned i = 0; i < per_word; i++)
            word |= code_of(bits, c->parts.codes, first + i) << place_of(bits, order, i);
        memcpy(at + 4 * lane, &word, 4);
    }
}

/* The tiles as they should be, one byte behind the other: of up to four tiles together, or of one that lies apart, the lines of
 * scales of a group of blocks, then block by block their vectors in turn. */
static uint8_t *build_tiles(const struct kernels_weight_desc *desc, unsigned order, const struct canonical *c,
                            size_t *size)
{
    unsigned bits = desc->format <= KERNELS_BF16 ? 16 : cpu_code_bits(desc->format);
    size_t group = desc->format <= KERNELS_BF16 ? 0 : c->size.absmax_codes ? 4 : desc->format == KERNELS_Q1 ? 2 : 1;
    size_t n_blocks = desc->cols / 64, n_tiles = (desc->rows + 15) / 16, together = order == TILE_QUADS_APART ? 1 : 4;
    uint8_t *tiles = calloc(desc->rows + 16, desc->cols * 4 + 64), *at = tiles;

    assert_non_null(tiles);
    for (size_t first = 0; first < n_tiles; first += together)
        for (size_t block = 0; block < n_blocks; block++) {
            size_t end = first + together < n_tiles ? first + together : n_tiles;
            for (size_t tile = first; group && block % group == 0 && tile < end; tile++, at += 64)
                for (size_t lane = 0; lane < 16 && tile * 16 + lane < desc->rows; lane++)
                    for (size_t g = 0; g < group && block + g < n_blocks; g++)
                        put_scale(c, (tile * 16 + lane) * n_blocks + block + g, g, group, lane, at);
            for (unsigned v = 0; v < 2 * bits; v++)
                for (size_t tile = first; tile < end; tile++, at += 64) put_vector(desc, order, c, tile, block, v, at);
        }
    *size = (size_t)(at - tiles);
    return tiles;
}

/* Values of the source in its format, or of f8 what its bytes say. */
static uint8_t *make_source(enum kernels_format format, size_t n, struct numbers *numbers)
{
    uint8_t *source = malloc(4 * n);

    assert_non_null(source);
    for (size_t i = 0; i < n; i++) {
        float value = numbers_gaussian(numbers) * 0.03f;
        uint16_t half = format == KERNELS_F16 ? half_f16_from_f32(value) : half_bf16_from_f32(value);
        uint8_t byte = (uint8_t)(numbers_next(numbers) % 0x7f); /* no NaN */
        memcpy(source + i * (format == KERNELS_F32       ? 4
                             : format == KERNELS_F8_E4M3 ? 1
                                                         : 2),
               format == KERNELS_F32       ? (const void *)&value
               : format == KERNELS_F8_E4M3 ? (const void *)&byte
                                           : (const void *)&half,
               format == KERNELS_F32       ? 4
               : format == KERNELS_F8_E4M3 ? 1
                                           : 2);
    }
    return source;
}

static void judge(const struct rig *rig, const struct kernels_weight *weight, const struct canonical *c,
                  const char *what)
{
    size_t size;
    uint8_t *want = build_tiles(&weight->desc, weight->order, c, &size);

    for (size_t i = 0; i < size; i++)
        if (weight->tiles[i] != want[i])
            fail_msg("%s: %s %s [%zu, %zu]: byte %zu of %zu is %02x, want %02x", rig->name, what,
                     docket_kernels_format_name(weight->desc.format), weight->desc.rows, weight->desc.cols, i, size,
                     weight->tiles[i], want[i]);
    free(want);
}

/* As memory is given: full of something else. */
static void *dirty_allocate(void *context, size_t size_bytes)
{
    void *memory = host_allocate(context, size_bytes);

    if (memory) memset(memory, 0xa5, size_bytes);
    return memory;
}

/* Devices that have tiles: all that can run here. */
static size_t open_all(struct rig *rigs)
{
    static const char *const isas[] = {"avx2", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"};
    size_t n = 0;

    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
        for (unsigned workers = 1; workers <= 3; workers += 2) {
            struct rig *r = &rigs[n];
            struct kernels_options options;
            if (!rig_open(r, "cpu", isas[i], workers)) continue;
            r->table->close(r->device); /* opened again, with memory of ours */
            options = host_options(&r->host, isas[i]);
            options.allocate = dirty_allocate;
            if (strstr(isas[i], "vnni") || strstr(isas[i], "int8")) options.arithmetic = KERNELS_ARITHMETIC_INT8;
            assert_non_null(r->device = r->table->open(&options, NULL));
            n++;
        }
    if (n == 0) print_message("[  NOTE    ] this processor has no core, so there are no tiles\n");
    return n;
}

static void tiles_hold_the_canonical_bytes_in_their_places(void **state)
{
    /* A tile less a row and one more; parts of columns that are not whole; rows that writes of 16,384 cut anywhere. */
    static const struct {
        size_t rows, cols;
    } shapes[] = {{16, 64}, {17, 64}, {31, 320}, {47, 1088}, {80, 1024}, {130, 192}, {33, 2112}, {20, 5120}};
    struct rig rigs[16], reference;
    size_t n_rigs = open_all(rigs), n_tiled = 0;

    (void)state;
    assert_true(rig_open(&reference, "reference", NULL, 1));
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t from = 0; from < N_SOURCES; from++)
            for (size_t f = 0; f < N_FORMATS; f++) {
                const struct kernels_weight_desc desc = {formats[f], shapes[s].rows, shapes[s].cols};
                struct numbers numbers = {100 * s + 10 * from + f};
                size_t n = desc.rows * desc.cols;
                float factors[64];
                const struct kernels_source_scale scale = {factors, 16, desc.cols / 3 + 1},
                                                  *with = f % 2 ? &scale : NULL;
                uint8_t *source = make_source(sources[from], n, &numbers);
                struct canonical c = canonical_make(&desc);
                struct kernels_weight *w;
                for (size_t i = 0; i < 64; i++) factors[i] = 0.5f + (float)i;
                w = write_all(&reference, &desc, sources[from], source, n, with);
                if (desc.format <= KERNELS_BF16)
                    memcpy(c.parts.codes, w->data, c.size.codes);
                else
                    assert_int_equal(reference.table->weight_read_parts(reference.device, w, &c.parts), KERNELS_OK);
                reference.table->weight_free(reference.device, w);
                for (size_t r = 0; r < n_rigs; r++) {
                    static const size_t steps[] = {SIZE_MAX, 16384, 49152};
                    for (size_t cut = 0; cut < 3; cut++) {
                        w = write_all(&rigs[r], &desc, sources[from], source, steps[cut], with);
                        if (w->tiles) judge(&rigs[r], w, &c, cut ? "written in cuts" : "written"), n_tiled++;
                        rigs[r].table->weight_free(rigs[r].device, w);
                    }
                    if (desc.format <= KERNELS_BF16) continue;
                    assert_non_null(w = rigs[r].table->weight_from_parts(rigs[r].device, &desc, &c.parts, NULL));
                    if (w->tiles) judge(&rigs[r], w, &c, "of parts"), n_tiled++;
                    rigs[r].table->weight_free(rigs[r].device, w);
                }
                free(source);
                free(c.memory);
            }
    rig_close(&reference);
    for (size_t r = 0; r < n_rigs; r++) rig_close(&rigs[r]);
    print_message("[  NOTE    ] %zu weights compared\n", n_tiled);
    assert_true(n_rigs == 0 || n_tiled > 0);
}

/* What is taken while a weight is made: itself, and 4 bytes for each nested scale. */
static void no_weight_lies_there_twice(void **state)
{
    enum { ROWS = 256, COLS = 4096 };
    struct rig rigs[16];
    size_t n_rigs = open_all(rigs), n = (size_t)ROWS * COLS;
    float *values = calloc(n, sizeof *values);

    (void)state;
    assert_non_null(values);
    for (size_t r = 0; r < n_rigs; r++) {
        size_t most = 0;
        for (size_t f = 0; f < N_FORMATS; f++) {
            const struct kernels_weight_desc desc = {formats[f], ROWS, COLS};
            struct kernels_memory memory;
            size_t size = rigs[r].table->weight_size(rigs[r].device, &desc);
            struct kernels_weight *w;
            if (formats[f] == KERNELS_NF4_NESTED || formats[f] == KERNELS_FP4_NESTED)
                size += cpu_allocated_bytes(n / 64 * sizeof(float));
            if (size > most) most = size;
            w = write_all(&rigs[r], &desc, KERNELS_F32, (const uint8_t *)values, n, NULL);
            rigs[r].table->weight_free(rigs[r].device, w);
            rigs[r].table->memory(rigs[r].device, &memory);
            if (memory.peak_bytes > most)
                fail_msg("%s: %s: %zu bytes at the peak, want at most %zu", rigs[r].name,
                         docket_kernels_format_name(formats[f]), memory.peak_bytes, most);
        }
    }
    for (size_t r = 0; r < n_rigs; r++) rig_close(&rigs[r]);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_hold_the_canonical_bytes_in_their_places),
        cmocka_unit_test(no_weight_lies_there_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
