/* weights.cu: weights on the device, in their canonical bytes. Sources go over in pieces and are quantized there. */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/quantize.cuh"

#include <stdlib.h>
#include <string.h>

extern "C" {
#include "kernels/error.h"
#include "kernels/formats/layout.h"
#include "kernels/formats/nf4.h"
}

#define PIECE_ELEMENTS ((size_t)4 << 20) /* of a source at a time: 16 MiB of f32 */

static bool is_plain(enum kernels_format format)
{
    return format == KERNELS_F32 || format == KERNELS_F16 || format == KERNELS_BF16;
}

static size_t value_bytes(enum kernels_format format)
{
    return format == KERNELS_F32 ? 4 : 2;
}

/* Places of the parts in one piece of memory, each at a multiple of 256. */
struct parts_layout {
    size_t absmax, absmax_codes, nested_absmax, nested_map, total;
};

static size_t round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static struct parts_layout lay_out(enum kernels_format format, size_t n)
{
    struct parts_layout out = {};
    size_t blocks = nf4_n_blocks(n), at;
    if (is_plain(format)) {
        out.total = round_up(n * value_bytes(format));
        return out;
    }
    at = round_up(nf4_code_bytes(n));
    if (format == KERNELS_NF4) {
        out.absmax = at;
        at += round_up(blocks * sizeof(float));
    } else {
        out.absmax_codes = at;
        at += round_up(blocks);
        out.nested_absmax = at;
        at += round_up(nf4_n_nested_blocks(blocks) * sizeof(float));
        out.nested_map = at;
        at += round_up(NF4_MAP_SIZE * sizeof(float));
    }
    out.total = at;
    return out;
}

static bool can_hold(const struct kernels_weight_desc *desc)
{
    return (is_plain(desc->format) || desc->format == KERNELS_NF4 || desc->format == KERNELS_NF4_NESTED) &&
           desc->rows && desc->cols && desc->rows <= INT32_MAX && desc->cols <= INT32_MAX;
}

size_t cuda_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc)
{
    (void)device;
    return can_hold(desc) ? lay_out(desc->format, desc->rows * desc->cols).total : 0;
}

struct kernels_weight *cuda_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                         struct kernels_error *error)
{
    if (desc->rows == 0 || desc->cols == 0 || desc->format >= KERNELS_N_FORMATS) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight [%zu, %zu] of format %d", desc->rows, desc->cols,
                     (int)desc->format);
        return NULL;
    }
    if (!can_hold(desc)) {
        kernels_fail(error, KERNELS_UNSUPPORTED,
                     "cuda: weight [%zu, %zu]: format %s is not held on the GPU by this version", desc->rows,
                     desc->cols, docket_kernels_format_name(desc->format));
        return NULL;
    }
    struct kernels_weight *w = (struct kernels_weight *)calloc(1, sizeof *w);
    size_t n = desc->rows * desc->cols;
    struct parts_layout parts = lay_out(desc->format, n);
    if (w) w->memory = cuda_take(device, parts.total);
    if (w && w->memory) w->not_finite = (uint32_t *)cuda_take(device, sizeof *w->not_finite);
    bool nested = desc->format == KERNELS_NF4_NESTED;
    if (w && nested) w->absmax = (float *)cuda_take(device, nf4_n_blocks(n) * sizeof(float));
    if (w) w->desc = *desc, w->n_elements = n, w->size_bytes = parts.total;
    if (!w || !w->memory || !w->not_finite || (nested && !w->absmax) ||
        cuda_check(device, cudaMemsetAsync(w->not_finite, 0, sizeof *w->not_finite, device->stream), "weight") !=
            KERNELS_OK) {
        kernels_fail(error, device->failure.code == KERNELS_OK ? KERNELS_NO_MEMORY : device->failure.code,
                     "cuda: weight [%zu, %zu]: %s", desc->rows, desc->cols, device->failure.message);
        cuda_weight_free(device, w);
        return NULL;
    }
    unsigned char *memory = (unsigned char *)w->memory;
    w->view.data = memory;
    w->view.rows = (uint32_t)desc->rows, w->view.cols = (uint32_t)desc->cols, w->view.format = desc->format;
    if (desc->format == KERNELS_NF4) w->view.absmax = (float *)(memory + parts.absmax);
    if (nested) {
        w->view.absmax_codes = memory + parts.absmax_codes;
        w->view.nested_absmax = (float *)(memory + parts.nested_absmax);
        w->view.nested_map = (float *)(memory + parts.nested_map);
    }
    return w;
}

static enum kernels_status failed(struct kernels_device *device, struct kernels_error *error)
{
    return kernels_fail(error, device->failure.code, "%s", device->failure.message);
}

/* One piece: over, and into its place. */
static enum kernels_status write_piece(struct kernels_device *device, struct kernels_weight *w,
                                       enum kernels_format format, const void *source, size_t first, size_t n)
{
    size_t bytes = n * value_bytes(format);
    unsigned char *data = (unsigned char *)w->memory;
    if (w->desc.format == format)
        return cuda_check(
            device,
            cudaMemcpyAsync(data + first * value_bytes(format), source, bytes, cudaMemcpyHostToDevice, device->stream),
            "weight");
    void *staged = cuda_scratch_at_least(device, CUDA_SCRATCH_SOURCE, PIECE_ELEMENTS * sizeof(float));
    if (!staged) return device->failure.code;
    enum kernels_status status =
        cuda_check(device, cudaMemcpyAsync(staged, source, bytes, cudaMemcpyHostToDevice, device->stream), "weight");
    if (status != KERNELS_OK) return status;
    if (is_plain(w->desc.format))
        cuda_convert(staged, format, n, data + first * value_bytes(w->desc.format), w->desc.format, device->stream);
    else
        cuda_quantize_nf4(staged, format, n, data + first / 2,
                          (w->absmax ? w->absmax : (float *)w->view.absmax) + first / NF4_BLOCK, w->not_finite,
                          device->stream);
    return cuda_check_launch(device, "weight");
}

enum kernels_status cuda_weight_write(struct kernels_device *device, struct kernels_weight *w,
                                      enum kernels_format format, const void *source, size_t n,
                                      struct kernels_error *error)
{
    if (w->finished || n > w->n_elements - w->n_written)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight [%zu, %zu]: %zu elements behind %zu", w->desc.rows,
                            w->desc.cols, n, w->n_written);
    if (!is_plain(format))
        return kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: source in %s", docket_kernels_format_name(format));
    if (n && w->n_written % 16384)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight: a write of %zu elements came before its last",
                            w->n_written % 16384);
    for (size_t at = 0; at < n; at += PIECE_ELEMENTS) {
        size_t piece = n - at < PIECE_ELEMENTS ? n - at : PIECE_ELEMENTS;
        if (write_piece(device, w, format, (const unsigned char *)source + at * value_bytes(format), w->n_written + at,
                        piece) != KERNELS_OK)
            return failed(device, error);
    }
    w->n_written += n;
    return KERNELS_OK;
}

/* The mean is made by the host in the order of the definition, so that its last bit is the same; it costs 1/16 of the codes' bytes once. */
static enum kernels_status nest(struct kernels_device *device, struct kernels_weight *w)
{
    size_t blocks = nf4_n_blocks(w->n_elements);
    float *absmax = (float *)malloc(blocks * sizeof *absmax);
    if (!absmax) return cuda_fail(device, KERNELS_NO_MEMORY, "no memory for %zu scales", blocks);
    enum kernels_status status = cuda_check(
        device, cudaMemcpyAsync(absmax, w->absmax, blocks * sizeof *absmax, cudaMemcpyDeviceToHost, device->stream),
        "scales");
    if (status == KERNELS_OK) status = cuda_check(device, cudaStreamSynchronize(device->stream), "scales");
    if (status == KERNELS_OK) {
        w->view.nested_offset = nf4_nested_offset(absmax, blocks);
        const void *map = cuda_stage(device, nf4_nested_map, sizeof nf4_nested_map);
        status = !map ? device->failure.code
                      : cuda_check(device,
                                   cudaMemcpyAsync((void *)w->view.nested_map, map, sizeof nf4_nested_map,
                                                   cudaMemcpyDeviceToDevice, device->stream),
                                   "scales");
    }
    if (status == KERNELS_OK) {
        cuda_nest(w->absmax, blocks, w->view.nested_offset, w->view.nested_map, (uint8_t *)w->view.absmax_codes,
                  (float *)w->view.nested_absmax, device->stream);
        status = cuda_check_launch(device, "scales");
    }
    free(absmax);
    return status;
}

enum kernels_status cuda_weight_finish(struct kernels_device *device, struct kernels_weight *w,
                                       struct kernels_error *error)
{
    uint32_t not_finite = 0;
    if (w->finished || w->n_written != w->n_elements)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight [%zu, %zu]: %zu of %zu elements written", w->desc.rows,
                            w->desc.cols, w->n_written, w->n_elements);
    enum kernels_status status = cuda_check(
        device, cudaMemcpyAsync(&not_finite, w->not_finite, sizeof not_finite, cudaMemcpyDeviceToHost, device->stream),
        "weight");
    if (status == KERNELS_OK) status = cuda_check(device, cudaStreamSynchronize(device->stream), "weight");
    if (status == KERNELS_OK && not_finite)
        return kernels_fail(error, KERNELS_FAILED, "weight [%zu, %zu]: its source holds NaN or infinity", w->desc.rows,
                            w->desc.cols);
    if (status == KERNELS_OK && w->absmax) status = nest(device, w);
    if (status != KERNELS_OK) return failed(device, error);
    if (w->absmax) cuda_release(device, w->absmax, nf4_n_blocks(w->n_elements) * sizeof(float));
    cuda_release(device, w->not_finite, sizeof *w->not_finite);
    w->absmax = NULL;
    w->not_finite = NULL;
    w->finished = true;
    return KERNELS_OK;
}

enum kernels_status cuda_weight_scale(struct kernels_device *device, struct kernels_weight *w,
                                      const struct kernels_source_scale *scale, struct kernels_error *error)
{
    (void)device;
    (void)scale;
    return kernels_fail(error, KERNELS_UNSUPPORTED,
                        "cuda: weight [%zu, %zu]: sources with a scale are not read on the GPU by this version",
                        w->desc.rows, w->desc.cols);
}

static enum kernels_status copy_part(struct kernels_device *device, const void *to, const void *from, size_t bytes,
                                     bool out)
{
    if (!to || !from || !bytes) return KERNELS_OK;
    return cuda_check(
        device,
        cudaMemcpyAsync((void *)to, from, bytes, out ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice, device->stream),
        "parts");
}

struct kernels_weight *cuda_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                              const struct kernels_parts *parts, struct kernels_error *error)
{
    bool nested = desc->format == KERNELS_NF4_NESTED;
    if (desc->format != KERNELS_NF4 && !nested) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: parts in %s are not held on the GPU by this version",
                     docket_kernels_format_name(desc->format));
        return NULL;
    }
    if (parts->block_size != 0 && parts->block_size != NF4_BLOCK) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: blocks of %u, want %u", parts->block_size, NF4_BLOCK);
        return NULL;
    }
    if (!parts->codes ||
        (nested ? !parts->absmax_codes || !parts->nested_absmax || !parts->nested_map : !parts->absmax)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "weight: a part is missing");
        return NULL;
    }
    struct kernels_weight *w = cuda_weight_begin(device, desc, error);
    if (!w) return NULL;
    size_t n = w->n_elements, blocks = nf4_n_blocks(n);
    const struct {
        const void *to, *from;
        size_t bytes;
    } copies[] = {{w->view.data, parts->codes, nf4_code_bytes(n)},
                  {w->view.absmax, nested ? NULL : parts->absmax, blocks * sizeof(float)},
                  {w->view.absmax_codes, parts->absmax_codes, blocks},
                  {w->view.nested_absmax, parts->nested_absmax, nf4_n_nested_blocks(blocks) * sizeof(float)},
                  {w->view.nested_map, parts->nested_map, NF4_MAP_SIZE * sizeof(float)}};
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
        copy_part(device, copies[i].to, copies[i].from, copies[i].bytes, false);
    if (nested) w->view.nested_offset = parts->nested_offset;
    if (cuda_check(device, cudaStreamSynchronize(device->stream), "parts") != KERNELS_OK ||
        device->failure.code != KERNELS_OK) {
        failed(device, error);
        cuda_weight_free(device, w);
        return NULL;
    }
    w->n_written = n;
    if (w->absmax) cuda_release(device, w->absmax, blocks * sizeof(float));
    cuda_release(device, w->not_finite, sizeof *w->not_finite);
    w->absmax = NULL;
    w->not_finite = NULL;
    w->finished = true;
    return w;
}

enum kernels_status cuda_weight_read_parts(struct kernels_device *device, const struct kernels_weight *w,
                                           struct kernels_parts *parts)
{
    size_t n = w->n_elements, blocks = nf4_n_blocks(n);
    if (is_plain(w->desc.format) || !w->finished)
        return cuda_fail(device, KERNELS_BAD_SHAPE,
                         "weight_read_parts: a weight in %s has no parts, or is not finished",
                         docket_kernels_format_name(w->desc.format));
    copy_part(device, parts->codes, w->view.data, nf4_code_bytes(n), true);
    copy_part(device, parts->absmax, w->view.absmax, blocks * sizeof(float), true);
    copy_part(device, parts->absmax_codes, w->view.absmax_codes, blocks, true);
    copy_part(device, parts->nested_absmax, w->view.nested_absmax, nf4_n_nested_blocks(blocks) * sizeof(float), true);
    copy_part(device, parts->nested_map, w->view.nested_map, NF4_MAP_SIZE * sizeof(float), true);
    parts->nested_offset = w->view.nested_offset;
    parts->block_size = NF4_BLOCK;
    cuda_check(device, cudaStreamSynchronize(device->stream), "parts");
    return device->failure.code;
}

enum kernels_status cuda_weight_read(struct kernels_device *device, const struct kernels_weight *w, float *out)
{
    if (!w->finished) return cuda_fail(device, KERNELS_BAD_SHAPE, "weight_read: not finished");
    for (size_t at = 0; at < w->n_elements; at += PIECE_ELEMENTS) {
        size_t n = w->n_elements - at < PIECE_ELEMENTS ? w->n_elements - at : PIECE_ELEMENTS;
        float *values = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_SOURCE, PIECE_ELEMENTS * sizeof(float));
        if (!values) return device->failure.code;
        cuda_dequantize(w->view, at, n, values, device->stream);
        enum kernels_status status = cuda_check_launch(device, "weight_read");
        if (status == KERNELS_OK) status = copy_part(device, out + at, values, n * sizeof *out, true);
        if (status == KERNELS_OK) status = cuda_check(device, cudaStreamSynchronize(device->stream), "weight_read");
        if (status != KERNELS_OK) return status;
    }
    return KERNELS_OK;
}

void cuda_weight_describe(const struct kernels_weight *w, struct kernels_weight_desc *out)
{
    *out = w->desc;
}

void cuda_weight_free(struct kernels_device *device, struct kernels_weight *w)
{
    if (!w) return;
    cuda_release(device, w->memory, w->size_bytes);
    cuda_release(device, w->absmax, nf4_n_blocks(w->n_elements) * sizeof(float));
    cuda_release(device, w->not_finite, sizeof *w->not_finite);
    free(w);
}
