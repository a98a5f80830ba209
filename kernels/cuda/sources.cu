/* sources.cu: filling a weight from a source, which goes over in pieces and is quantized on the device. Knows what waits between two
 * writes; quantize.cuh has the arithmetic. */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/quantize.cuh"

#include <stdlib.h>

extern "C" {
#include "kernels/error.h"
#include "kernels/formats/layout.h"
#include "kernels/formats/nf4.h"
}

#define WRITE_STEP 16384u /* elements: whole blocks, and whole nested blocks of them */

static size_t value_bytes(enum kernels_format format)
{
    return format == KERNELS_F32 ? 4 : format == KERNELS_F8_E4M3 ? 1 : 2;
}

static enum kernels_status failed(struct kernels_device *device, struct kernels_error *error)
{
    return kernels_fail(error, device->failure.code, "%s", device->failure.message);
}

void cuda_weight_filled(struct kernels_device *device, struct kernels_weight *w)
{
    cuda_pool_give(device, w->filling.waiting);
    cuda_pool_give(device, w->filling.source_scales);
    cuda_pool_give(device, w->filling.flags);
    w->filling = {};
}

struct kernels_weight *cuda_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                         struct kernels_error *error)
{
    struct kernels_weight *w = cuda_weight_create(device, desc, LAYOUT_BLOCK, error);
    if (!w) return NULL;
    /* The offset of nested scales is their mean, so they wait in f32 until the last one is known; and a row of int8 waits until its last
     * element is. */
    size_t waiting = cuda_is_nested(desc->format)   ? cuda_n_blocks(w) * sizeof(float)
                     : desc->format == KERNELS_INT8 ? desc->cols * sizeof(float)
                                                    : 0;
    w->filling.flags = (struct source_flags *)cuda_pool_take(device, sizeof *w->filling.flags);
    if (w->filling.flags && waiting) w->filling.waiting = (float *)cuda_pool_take(device, waiting);
    if (!w->filling.flags || (waiting && !w->filling.waiting) ||
        cuda_check(device, cudaMemsetAsync(w->filling.flags, 0, sizeof *w->filling.flags, device->stream), "weight") !=
            KERNELS_OK) {
        kernels_fail(error, device->failure.code == KERNELS_OK ? KERNELS_NO_MEMORY : device->failure.code,
                     "cuda: weight [%zu, %zu]: %s", desc->rows, desc->cols, device->failure.message);
        cuda_weight_free(device, w);
        return NULL;
    }
    return w;
}

enum kernels_status cuda_weight_scale(struct kernels_device *device, struct kernels_weight *w,
                                      const struct kernels_source_scale *scale, struct kernels_error *error)
{
    if (!w || w->finished || w->n_written || w->filling.source_scales || !scale || !scale->values)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight: a scale of its source is not possible now");
    size_t rows = w->desc.rows, cols = w->desc.cols;
    size_t block_rows = scale->block_rows && scale->block_rows < rows ? scale->block_rows : rows;
    size_t block_cols = scale->block_cols && scale->block_cols < cols ? scale->block_cols : cols;
    size_t n = ((rows - 1) / block_rows + 1) * ((cols - 1) / block_cols + 1);
    float *values = (float *)cuda_pool_take(device, n * sizeof *values);
    if (!values) return failed(device, error);
    w->filling.source_scales = values;
    w->filling.block_rows = block_rows, w->filling.block_cols = block_cols;
    if (cuda_check(device,
                   cudaMemcpyAsync(values, scale->values, n * sizeof *values, cudaMemcpyHostToDevice, device->stream),
                   "weight_scale") != KERNELS_OK)
        return failed(device, error);
    return KERNELS_OK;
}

/* Elements [begin, begin + n) of the source lie within one row of int8: they wait, and the row is done when it is whole. */
static void wait_for_row(struct kernels_device *device, struct kernels_weight *w, source_view source, size_t begin,
                         size_t n)
{
    size_t at = source.at + begin, cols = w->desc.cols;
    if (n == 0) return;
    source.values = (const uint8_t *)source.values + begin * value_bytes((enum kernels_format)source.format);
    source.at = at;
    cuda_convert(source, n, w->filling.waiting + at % cols, KERNELS_F32, device->stream);
    if ((at + n) % cols) return;
    source_view row = {w->filling.waiting, KERNELS_F32, at / cols * cols, cols, NULL, 0, 0};
    cuda_quantize_int8(row, 1, (int8_t *)w->memory + row.at, (float *)w->view.absmax + at / cols, w->filling.flags,
                       device->stream);
}

static void quantize_rows(struct kernels_device *device, struct kernels_weight *w, const source_view &source, size_t n)
{
    size_t cols = w->desc.cols, open = (cols - source.at % cols) % cols;
    if (open > n) open = n;
    size_t whole = (n - open) / cols, row = (source.at + open) / cols;
    wait_for_row(device, w, source, 0, open);
    source_view rows = source;
    rows.values = (const uint8_t *)source.values + open * value_bytes((enum kernels_format)source.format);
    rows.at = source.at + open;
    cuda_quantize_int8(rows, whole, (int8_t *)w->memory + row * cols, (float *)w->view.absmax + row, w->filling.flags,
                       device->stream);
    wait_for_row(device, w, source, open + whole * cols, n - open - whole * cols);
}

/* A piece that is on the device into its place. */
static void quantize_piece(struct kernels_device *device, struct kernels_weight *w, const source_view &source, size_t n)
{
    uint8_t *codes = (uint8_t *)w->memory;
    size_t block = source.at / LAYOUT_BLOCK;
    switch (w->desc.format) {
    case KERNELS_F32:
    case KERNELS_F16:
    case KERNELS_BF16:
        cuda_convert(source, n, codes + source.at * value_bytes(w->desc.format), w->desc.format, device->stream);
        break;
    case KERNELS_INT8:
        quantize_rows(device, w, source, n);
        break;
    case KERNELS_NF4:
    case KERNELS_NF4_NESTED:
    case KERNELS_FP4:
    case KERNELS_FP4_NESTED:
        cuda_quantize_4bit(source, n, w->desc.format == KERNELS_FP4 || w->desc.format == KERNELS_FP4_NESTED,
                           codes + source.at / 2,
                           (w->filling.waiting ? w->filling.waiting : (float *)w->view.absmax) + block,
                           w->filling.flags, device->stream);
        break;
    default: {
        size_t bits = w->desc.format == KERNELS_Q8 ? 8 : w->desc.format == KERNELS_Q4 ? 4 : 2;
        if (w->desc.format == KERNELS_Q1) bits = 1;
        cuda_quantize_lowbit(
            source, n, w->desc.format, codes + source.at / 8 * bits, (uint16_t *)w->view.scales + block,
            w->view.zeros ? (uint16_t *)w->view.zeros + block : NULL, w->filling.flags, device->stream);
        break;
    }
    }
}

static enum kernels_status write_piece(struct kernels_device *device, struct kernels_weight *w,
                                       enum kernels_format format, const void *from, size_t at, size_t n)
{
    size_t bytes = n * value_bytes(format);
    bool as_it_is = w->desc.format == format && !w->filling.source_scales;
    void *to = NULL;
    enum kernels_status status = cuda_source_copy(
        device, from, bytes, as_it_is ? (unsigned char *)w->memory + at * value_bytes(format) : NULL, &to);
    if (status != KERNELS_OK || as_it_is) return status;
    status = cuda_stage_begin(device, CUDA_STAGE_QUANTIZE, device->stream);
    if (status != KERNELS_OK) return status;
    quantize_piece(device, w,
                   {to, (uint32_t)format, at, w->desc.cols, w->filling.source_scales, w->filling.block_rows,
                    w->filling.block_cols},
                   n);
    status = cuda_check_launch(device, "weight");
    if (status == KERNELS_OK) status = cuda_stage_end(device, CUDA_STAGE_QUANTIZE, device->stream, bytes);
    return status == KERNELS_OK ? cuda_source_used(device) : status;
}

enum kernels_status cuda_weight_write(struct kernels_device *device, struct kernels_weight *w,
                                      enum kernels_format format, const void *source, size_t n,
                                      struct kernels_error *error)
{
    if (!w || w->finished || (n && !source) || (!cuda_is_plain(format) && format != KERNELS_F8_E4M3))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight: a write of source format %d is not possible now",
                            (int)format);
    if (n > w->n_elements - w->n_written || w->n_written % WRITE_STEP)
        return kernels_fail(error, KERNELS_BAD_SHAPE,
                            "cuda: weight [%zu, %zu]: write of %zu elements at %zu: too many, or an earlier one was no "
                            "multiple of %u",
                            w->desc.rows, w->desc.cols, n, w->n_written, WRITE_STEP);
    for (size_t at = 0; at < n; at += CUDA_PIECE_ELEMENTS) {
        size_t piece = n - at < CUDA_PIECE_ELEMENTS ? n - at : CUDA_PIECE_ELEMENTS;
        if (write_piece(device, w, format, (const unsigned char *)source + at * value_bytes(format), w->n_written + at,
                        piece) != KERNELS_OK)
            return failed(device, error);
    }
    w->n_written += n;
    w->filling.mark = cuda_record(device);
    return device->failure.code == KERNELS_DEVICE_LOST ? failed(device, error) : KERNELS_OK;
}

/* The mean is made by the host in the order of the definition, so that its last bit is the same; it costs 1/16 of the codes' bytes once. */
static enum kernels_status nest(struct kernels_device *device, struct kernels_weight *w)
{
    size_t blocks = cuda_n_blocks(w);
    float *absmax = (float *)malloc(blocks * sizeof *absmax);
    if (!absmax) return cuda_fail(device, KERNELS_NO_MEMORY, "no memory for %zu scales", blocks);
    enum kernels_status status =
        cuda_answer(device, w->filling.mark, absmax, w->filling.waiting, blocks * sizeof *absmax);
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
        cuda_nest(w->filling.waiting, blocks, w->view.nested_offset, w->view.nested_map,
                  (uint8_t *)w->view.absmax_codes, (float *)w->view.nested_absmax, device->stream);
        status = cuda_check_launch(device, "scales");
    }
    free(absmax);
    return status;
}

enum kernels_status cuda_weight_finish(struct kernels_device *device, struct kernels_weight *w,
                                       struct kernels_error *error)
{
    struct source_flags flags = {};
    if (!w || w->finished || w->n_written != w->n_elements)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight: finished with %zu of %zu elements written",
                            w ? w->n_written : 0, w ? w->n_elements : 0);
    enum kernels_status status = cuda_answer(device, w->filling.mark, &flags, w->filling.flags, sizeof flags);
    if (status == KERNELS_OK && flags.not_finite)
        return kernels_fail(error, KERNELS_FAILED, "cuda: weight [%zu, %zu]: its source holds NaN or infinity",
                            w->desc.rows, w->desc.cols);
    if (status == KERNELS_OK && flags.out_of_range)
        return kernels_fail(error, KERNELS_FAILED,
                            "cuda: weight [%zu, %zu]: holds values beyond 65504, too large for %s", w->desc.rows,
                            w->desc.cols, docket_kernels_format_name(w->desc.format));
    if (status == KERNELS_OK && cuda_is_nested(w->desc.format)) status = nest(device, w);
    if (status == KERNELS_OK && w->host) status = cuda_weight_leave(device, w);
    if (status != KERNELS_OK) return failed(device, error);
    cuda_weight_filled(device, w);
    w->finished = true;
    return KERNELS_OK;
}
