/* Every linear tensor of the demo model as NF4 with double quantization, to the bit what bitsandbytes makes of it.
 * tests/golden/nf4_model/make_nf4_model.py made the hashes and says what they are of; another file of them may be named. */
#include "tests/support/cmocka.h"
#include "tests/support/demo_model.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <stdio.h>
#include <string.h>

#define PIECE_ELEMENTS 16384 /* what weight_write asks for */

static const char *fixture = "tests/golden/nf4_model/nf4_model.txt";

static const struct way {
    const char *name, *backend, *cpu_isa;
} ways[] = {
    {"reference", "reference", NULL},
    {"cpu_plain", "cpu", "reference"},
    {"cpu_avx2", "cpu", "avx2"},
    {"cpu_avx512", "cpu", "avx512"},
};

struct expected {
    char name[160], codes[65], scales[65], nested_absmax[65];
    size_t rows, cols;
    unsigned offset;
};

static void check_hash(const char *name, const char *what, const void *bytes, size_t length, const char *want)
{
    char hash[SHA256_HEX_BYTES];
    sha256_hex(bytes, length, hash);
    if (strcmp(hash, want) != 0) fail_msg("%s: %s are others", name, what);
}

static void check_parts(const struct expected *e, const struct kernels_parts *parts, const char *map_hash)
{
    size_t n = e->rows * e->cols, n_blocks = (n + 63) / 64;
    float *scales = mem_alloc(n_blocks * sizeof(float));
    unsigned offset;
    memcpy(&offset, &parts->nested_offset, sizeof(offset));
    if (offset != e->offset) fail_msg("%s: offset %08x, want %08x", e->name, offset, e->offset);
    for (size_t i = 0; i < n_blocks; i++) {
        float product = parts->nested_map[parts->absmax_codes[i]] * parts->nested_absmax[i / 256];
        scales[i] = product + parts->nested_offset;
    }
    check_hash(e->name, "packed codes", parts->codes, (n + 1) / 2, e->codes);
    check_hash(e->name, "nested absmax", parts->nested_absmax, (n_blocks + 255) / 256 * sizeof(float),
               e->nested_absmax);
    check_hash(e->name, "scales", scales, n_blocks * sizeof(float), e->scales);
    check_hash(e->name, "nested maps", parts->nested_map, 256 * sizeof(float), map_hash);
    mem_free(scales);
}

/* As the loader does: begin, writes of whole pieces, finish. */
static struct kernels_weight *quantize(const struct device *device, const struct tensor_info *tensor, const char *bytes)
{
    const struct kernels_backend *b = device->backend;
    const struct kernels_weight_desc desc = {KERNELS_NF4_NESTED, tensor->shape[0], tensor->shape[1]};
    const size_t width = tensor_dtype_bytes(tensor->dtype);
    struct kernels_error why = {0};
    struct kernels_weight *weight = b->weight_begin(device->handle, &desc, &why);
    if (!weight) fail_msg("%s: %s", tensor->name, why.message);
    for (size_t at = 0; at < tensor->n_elements; at += PIECE_ELEMENTS) {
        size_t n = tensor->n_elements - at < PIECE_ELEMENTS ? tensor->n_elements - at : PIECE_ELEMENTS;
        if (b->weight_write(device->handle, weight, KERNELS_BF16, bytes + at * width, n, &why) != KERNELS_OK)
            fail_msg("%s: %s", tensor->name, why.message);
    }
    if (b->weight_finish(device->handle, weight, &why) != KERNELS_OK) fail_msg("%s: %s", tensor->name, why.message);
    return weight;
}

static void check_tensor(const struct device *device, struct tensor_files *files, const struct expected *e,
                         const char *map_hash)
{
    struct error err = {0};
    const struct tensor_info *tensor = tensor_find(files, e->name);
    if (!tensor) fail_msg("%s: the model lacks it", e->name);
    assert_int_equal(tensor->dtype, DTYPE_BF16);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[0], e->rows);
    assert_int_equal(tensor->shape[1], e->cols);
    size_t n = tensor->n_elements, n_blocks = (n + 63) / 64, n_nested = (n_blocks + 255) / 256;
    char *bytes = mem_alloc(tensor->size_bytes);
    if (tensor_read(files, tensor, 0, bytes, tensor->size_bytes, &err) != DOCKET_OK) fail_msg("%s", err.message);
    struct kernels_weight *weight = quantize(device, tensor, bytes);
    struct kernels_parts parts = {.codes = mem_zalloc((n + 1) / 2, 1),
                                  .absmax_codes = mem_zalloc(n_blocks, 1),
                                  .nested_absmax = mem_zalloc(n_nested, sizeof(float)),
                                  .nested_map = mem_zalloc(256, sizeof(float))};
    assert_int_equal(device->backend->weight_read_parts(device->handle, weight, &parts), KERNELS_OK);
    check_parts(e, &parts, map_hash);
    device->backend->weight_free(device->handle, weight);
    mem_free(parts.codes);
    mem_free(parts.absmax_codes);
    mem_free(parts.nested_absmax);
    mem_free(parts.nested_map);
    mem_free(bytes);
}

/* Rank 2 and neither table nor router: what docket quantizes. */
static size_t count_linear(const struct tensor_files *files)
{
    size_t n = 0;
    for (size_t i = 0; i < tensor_count(files); i++) {
        const struct tensor_info *t = tensor_at(files, i);
        n += t->rank == 2 && strncmp(t->name, "model.layers.", 13) == 0 && !strstr(t->name, "moe.gate.");
    }
    return n;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static void every_tensor_equals_bitsandbytes(void **state)
{
    const struct way *way = *state;
    struct buffer text = {0};
    struct model_options options;
    struct model_location location = {0};
    struct tensor_files *files = NULL;
    struct device device = {0};
    struct error err = {0};
    char digest[65], map_hash[65];
    size_t n = 0;
    const struct device_options device_options = {.backend = way->backend, .cpu_isa = way->cpu_isa};
    enum status st = device_open(&device, &device_options, &err);
    if (st == DOCKET_UNSUPPORTED && way->cpu_isa) skip();
    if (st != DOCKET_OK) fail_msg("%s", err.message);
    if (file_read_all(&text, fixture, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(sscanf(text.data, "model %64s map %64s", digest, map_hash), 2);
    if (!demo_model_matches(fixture, digest)) fail_msg("%s is not for this model", fixture);
    demo_model_options(&options);
    if (hub_locate(&location, &options.hub, &err) != DOCKET_OK) fail_msg("%s", err.message);
    if (tensor_files_open(&files, &location, &err) != DOCKET_OK) fail_msg("%s", err.message);
    for (const char *line = next_line(next_line(text.data)); *line; line = next_line(line)) {
        struct expected e;
        assert_int_equal(sscanf(line, "%159s %zu %zu %64s %64s %64s %8x", e.name, &e.rows, &e.cols, e.codes, e.scales,
                                e.nested_absmax, &e.offset),
                         7);
        check_tensor(&device, files, &e, map_hash);
        n++;
    }
    assert_int_equal(n, count_linear(files));
    tensor_files_close(files);
    device_close(&device);
    model_location_free(&location);
    buffer_free(&text);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ARRAY_LENGTH(ways)];
    if (argc > 1) fixture = argv[1];
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        tests[i] = (struct CMUnitTest){.name = ways[i].name,
                                       .test_func = every_tensor_equals_bitsandbytes,
                                       .initial_state = (void *)(uintptr_t)&ways[i]};
    return cmocka_run_group_tests_name("every tensor equals bitsandbytes'", tests, NULL, NULL);
}
