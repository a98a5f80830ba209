/* weights.cu: weights on the device, in their canonical bytes: sizes, parts in and out, values back. sources.cu fills them. */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/quantize.cuh"

#include <stdlib.h>

extern "C" {
#include "kernels/error.h"
#include "kernels/formats/layout.h"
#include "kernels/parts_check.h"
}

bool cuda_is_plain(enum kernels_format format)
{
    return format == KERNELS_F32 || format == KERNELS_F16 || format == KERNELS_BF16;
}

/* Sizes of the parts; a weight without parts has codes alone, its values. False if the shape cannot be. */
static bool sizes_of(const struct kernels_weight_desc *desc, uint32_t block_size, struct kernels_parts_size *size)
{
    *size = {};
    if (!desc || (unsigned)desc->format > KERNELS_Q1 || desc->rows == 0 || desc->cols == 0 || desc->rows > INT32_MAX ||
        desc->cols > INT32_MAX)
        return false;
    if (docket_kernels_format_has_parts(desc->format))
        return docket_kernels_parts_size(desc, block_size, size) == KERNELS_OK;
    size->codes = desc->rows * desc->cols * (desc->format == KERNELS_F32 ? 4 : 2);
    return true;
}

static size_t round_up(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

static size_t whole_size(const struct kernels_parts_size *s)
{
    return round_up(s->codes) + round_up(s->absmax) + round_up(s->absmax_codes) + round_up(s->nested_absmax) +
           round_up(s->nested_map) + round_up(s->scales) + round_up(s->zeros);
}

size_t cuda_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc)
{
    struct kernels_parts_size size;
    (void)device;
    return sizes_of(desc, LAYOUT_BLOCK, &size) ? whole_size(&size) : 0;
}

/* The next part; NULL for one of no bytes. */
template <class value_type> static void take(unsigned char **at, size_t size_bytes, value_type **part)
{
    *part = size_bytes ? (value_type *)*at : NULL;
    *at += round_up(size_bytes);
}

struct kernels_weight *cuda_weight_create(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                          uint32_t block_size, struct kernels_error *error)
{
    struct kernels_parts_size size;
    if (!sizes_of(desc, block_size, &size)) {
        kernels_fail(error, KERNELS_BAD_SHAPE,
                     "cuda: weight: format %d, %zu rows, %zu columns, blocks of %u: cannot be",
                     desc ? (int)desc->format : -1, desc ? desc->rows : 0, desc ? desc->cols : 0, block_size);
        return NULL;
    }
    struct kernels_weight *w = (struct kernels_weight *)calloc(1, sizeof *w);
    if (w) w->size_bytes = whole_size(&size);
    if (!w || !cuda_weight_memory(device, w)) {
        kernels_fail(error, device->failure.code == KERNELS_OK ? KERNELS_NO_MEMORY : device->failure.code,
                     "cuda: weight [%zu, %zu]: %zu bytes: %s", desc->rows, desc->cols, whole_size(&size),
                     device->failure.code == KERNELS_OK ? "no memory" : device->failure.message);
        free(w);
        return NULL;
    }
    unsigned char *at = (unsigned char *)w->memory;
    w->desc = *desc, w->n_elements = desc->rows * desc->cols;
    w->view.rows = (uint32_t)desc->rows, w->view.cols = (uint32_t)desc->cols, w->view.format = desc->format;
    while (block_size >> w->view.block_shift > 1) w->view.block_shift++;
    take(&at, size.codes, &w->view.data);
    take(&at, size.absmax, &w->view.absmax);
    take(&at, size.absmax_codes, &w->view.absmax_codes);
    take(&at, size.nested_absmax, &w->view.nested_absmax);
    take(&at, size.nested_map, &w->view.nested_map);
    take(&at, size.scales, &w->view.scales);
    take(&at, size.zeros, &w->view.zeros);
    return w;
}

/* Between the host's parts and the device's; parts that either has not are left out. */
static enum kernels_status copy_parts(struct kernels_device *device, const struct kernels_weight *w,
                                      const struct kernels_parts_size *size, const struct kernels_parts *parts,
                                      bool to_host)
{
    const weight_view &v = w->view;
    const struct {
        const void *device, *host;
        size_t bytes;
    } all[] = {{v.data, parts->codes, size->codes},
               {v.absmax, parts->absmax, size->absmax},
               {v.absmax_codes, parts->absmax_codes, size->absmax_codes},
               {v.nested_absmax, parts->nested_absmax, size->nested_absmax},
               {v.nested_map, parts->nested_map, size->nested_map},
               {v.scales, parts->scales, size->scales},
               {v.zeros, parts->zeros, size->zeros}};
    enum kernels_status status = device->failure.code == KERNELS_DEVICE_LOST ? KERNELS_DEVICE_LOST : KERNELS_OK;
    if (status == KERNELS_OK && !to_host) status = cuda_stage_begin(device, CUDA_STAGE_COPY, device->stream);
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == KERNELS_OK; i++)
        if (all[i].host && all[i].bytes)
            status = cuda_check(device,
                                cudaMemcpyAsync(to_host ? (void *)all[i].host : (void *)all[i].device,
                                                to_host ? all[i].device : all[i].host, all[i].bytes,
                                                w->on_host ? cudaMemcpyDefault
                                                : to_host  ? cudaMemcpyDeviceToHost
                                                           : cudaMemcpyHostToDevice,
                                                device->stream),
                                "parts");
    if (status == KERNELS_OK && !to_host) status = cuda_stage_end(device, CUDA_STAGE_COPY, device->stream, size->total);
    return status == KERNELS_OK ? cuda_check(device, cudaStreamSynchronize(device->stream), "parts") : status;
}

struct kernels_weight *cuda_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                              const struct kernels_parts *parts, struct kernels_error *error)
{
    uint32_t block_size = parts && parts->block_size ? parts->block_size : LAYOUT_BLOCK;
    struct kernels_parts_size size;
    switch (docket_kernels_parts_size(desc, block_size, &size)) {
    case KERNELS_OK:
        break;
    case KERNELS_UNSUPPORTED:
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: weight [%zu, %zu] %s: blocks of %u: want %s", desc->rows,
                     desc->cols, docket_kernels_format_name(desc->format), block_size,
                     desc->format <= KERNELS_FP4_NESTED ? "a power of two from 32 to 4096" : "64");
        return NULL;
    default:
        kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight: format %d, %zu rows, %zu columns: has no parts",
                     desc ? (int)desc->format : -1, desc ? desc->rows : 0, desc ? desc->cols : 0);
        return NULL;
    }
    if (!parts || !kernels_parts_are_there(&size, parts)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight [%zu, %zu] %s: not all of its parts are there", desc->rows,
                     desc->cols, docket_kernels_format_name(desc->format));
        return NULL;
    }
    if (!kernels_parts_are_finite(&size, parts)) {
        kernels_fail(error, KERNELS_FAILED, "cuda: weight [%zu, %zu]: a scale is NaN or infinite", desc->rows,
                     desc->cols);
        return NULL;
    }
    struct kernels_weight *w = cuda_weight_create(device, desc, block_size, error);
    if (!w) return NULL;
    enum kernels_status status = copy_parts(device, w, &size, parts, false);
    if (status != KERNELS_OK) {
        kernels_fail(error, status, "cuda: weight [%zu, %zu]: %s", desc->rows, desc->cols, device->failure.message);
        cuda_weight_free(device, w);
        return NULL;
    }
    w->view.nested_offset = size.absmax_codes ? parts->nested_offset : 0;
    w->n_written = w->n_elements;
    w->finished = true;
    return w;
}

enum kernels_status cuda_weight_read_parts(struct kernels_device *device, const struct kernels_weight *w,
                                           struct kernels_parts *parts)
{
    struct kernels_parts_size size;
    if (!w || !w->finished || !parts || !docket_kernels_format_has_parts(w->desc.format))
        return cuda_fail(device, KERNELS_BAD_SHAPE, "weight_read_parts: a weight without parts, or not finished");
    sizes_of(&w->desc, 1u << w->view.block_shift, &size);
    parts->nested_offset = w->view.nested_offset;
    parts->block_size = 1u << w->view.block_shift;
    return copy_parts(device, w, &size, parts, true);
}

enum kernels_status cuda_weight_read(struct kernels_device *device, const struct kernels_weight *w, float *out)
{
    if (!w || !w->finished || !out) return cuda_fail(device, KERNELS_BAD_SHAPE, "weight_read: not finished");
    for (size_t at = 0; at < w->n_elements; at += CUDA_PIECE_ELEMENTS) {
        size_t left = w->n_elements - at, n = left < CUDA_PIECE_ELEMENTS ? left : CUDA_PIECE_ELEMENTS;
        float *values =
            (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_SOURCE, CUDA_PIECE_ELEMENTS * sizeof(float));
        if (!values) return device->failure.code;
        cuda_dequantize(w->view, at, n, values, device->stream);
        enum kernels_status status = cuda_check_launch(device, "weight_read");
        if (status == KERNELS_OK)
            status = cuda_check(
                device, cudaMemcpyAsync(out + at, values, n * sizeof *out, cudaMemcpyDeviceToHost, device->stream),
                "weight_read");
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
    cuda_weight_filled(device, w);
    cuda_release(device, w->expanded, w->n_elements * sizeof *w->expanded);
    cuda_weight_memory_free(device, w);
    free(w);
}
