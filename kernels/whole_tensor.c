/* whole_tensor.c: quantizing, dequantizing and multiplying whole tensors without a device of one's own, through the "cpu"
 * table. Knows no arithmetic. */
#include "kernels/error.h"
#include "kernels/kernels.h"

/* A device for one call, and what the call makes on it. */
struct visit {
    const struct kernels_backend *table;
    struct kernels_device *device;
    struct kernels_weight *weight;
};

static enum kernels_status visit_begin(struct visit *v, struct kernels_error *error)
{
    const struct kernels_options exact = {.arithmetic = KERNELS_ARITHMETIC_F32};
    struct kernels_error local = {0};

    *v = (struct visit){.table = docket_kernels_backend("cpu")};
    if ((v->device = v->table->open(&exact, error ? error : &local)) == NULL) return error ? error->code : local.code;
    return KERNELS_OK;
}

static void visit_end(struct visit *v)
{
    if (v->device) v->table->weight_free(v->device, v->weight);
    v->table->close(v->device);
}

static enum kernels_status take_parts(struct visit *v, const struct kernels_weight_desc *desc,
                                      const struct kernels_parts *parts, struct kernels_error *error)
{
    struct kernels_error local = {0};
    enum kernels_status status = visit_begin(v, error);

    if (status != KERNELS_OK) return status;
    if (error == NULL) error = &local;
    v->weight = v->table->weight_from_parts(v->device, desc, parts, error);
    return v->weight ? KERNELS_OK : error->code;
}

enum kernels_status docket_quantize(const struct kernels_weight_desc *desc, const float *values,
                                    struct kernels_parts *parts, struct kernels_error *error)
{
    struct kernels_error local = {0};
    struct kernels_parts_size size;
    enum kernels_status status;
    struct visit v;

    if (error == NULL) error = &local;
    if (docket_kernels_parts_size(desc, 0, &size) != KERNELS_OK || values == NULL || parts == NULL)
        return kernels_fail(error, KERNELS_BAD_SHAPE,
                            "quantize: want values, parts, and the shape of a quantized format");
    if (parts->block_size != 0 && parts->block_size != 64)
        return kernels_fail(error, KERNELS_UNSUPPORTED, "quantize: block_size: want 0 or 64, got %u",
                            parts->block_size);
    if ((size.codes && !parts->codes) || (size.absmax && !parts->absmax) ||
        (size.absmax_codes && !parts->absmax_codes) || (size.nested_absmax && !parts->nested_absmax) ||
        (size.nested_map && !parts->nested_map) || (size.scales && !parts->scales) || (size.zeros && !parts->zeros))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "quantize: not all parts of %s are there",
                            docket_kernels_format_name(desc->format));
    status = visit_begin(&v, error);
    if (status == KERNELS_OK && (v.weight = v.table->weight_begin(v.device, desc, error)) == NULL) status = error->code;
    if (status == KERNELS_OK)
        status = v.table->weight_write(v.device, v.weight, KERNELS_F32, values, desc->rows * desc->cols, error);
    if (status == KERNELS_OK) status = v.table->weight_finish(v.device, v.weight, error);
    if (status == KERNELS_OK) status = v.table->weight_read_parts(v.device, v.weight, parts);
    visit_end(&v);
    return status;
}

enum kernels_status docket_dequantize(const struct kernels_weight_desc *desc, const struct kernels_parts *parts,
                                      float *out, struct kernels_error *error)
{
    enum kernels_status status;
    struct visit v;

    if (out == NULL) return kernels_fail(error, KERNELS_BAD_SHAPE, "dequantize: out missing");
    status = take_parts(&v, desc, parts, error);
    if (status == KERNELS_OK) status = v.table->weight_read(v.device, v.weight, out);
    visit_end(&v);
    return status;
}

enum kernels_status docket_matmul(const struct kernels_weight_desc *desc, const struct kernels_parts *parts,
                                  const float *x, size_t n_rows, float *out, struct kernels_error *error)
{
    enum kernels_status status;
    struct visit v;

    status = take_parts(&v, desc, parts, error);
    if (status == KERNELS_OK) {
        struct kernels_linear args = {.x = x, .weight = v.weight, .out = out, .n_rows = n_rows};
        v.table->linear(v.device, &args);
        status = v.table->synchronize(v.device, error);
    }
    visit_end(&v);
    return status;
}
