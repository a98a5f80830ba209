/* placement.c: the part of the table that says where weights lie, on a CPU: host and device are one. */
#include <string.h>

#include "kernels/cpu/device.h"

void *cpu_host_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    return cpu_buffer_allocate(device, size_bytes, error);
}

enum kernels_status cpu_weights_reserve(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    (void)device;
    (void)size_bytes;
    (void)error;
    return KERNELS_OK;
}

enum kernels_status cpu_weight_to_host(struct kernels_device *device, struct kernels_weight *weight,
                                       struct kernels_error *error)
{
    (void)device;
    if (weight == NULL || (weight->n_written && !weight->finished))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "weight_to_host: a weight that is being written, or none");
    return KERNELS_OK;
}

enum kernels_status cpu_weight_fetch(struct kernels_device *device, struct kernels_weight *to,
                                     const struct kernels_weight *from, uint64_t after)
{
    struct kernels_parts parts;

    (void)after;
    if (to == NULL || from == NULL || !to->finished || !from->finished || to->desc.format != from->desc.format ||
        to->desc.rows != from->desc.rows || to->desc.cols != from->desc.cols || to->block_size != from->block_size)
        return cpu_fail(device, KERNELS_BAD_SHAPE, "weight_fetch: weights that are not laid out alike");
    if (from->tiles) {
        cpu_weight_copy_tiles(to, from);
        return KERNELS_OK;
    }
    if (!docket_kernels_format_has_parts(from->desc.format)) {
        memcpy(to->data, from->data, from->n_elements * (from->desc.format == KERNELS_F32 ? 4 : 2));
        return KERNELS_OK;
    }
    parts = (struct kernels_parts){.codes = to->data,
                                   .absmax = to->absmax,
                                   .absmax_codes = to->absmax_codes,
                                   .nested_absmax = to->nested_absmax,
                                   .nested_map = to->nested_map,
                                   .scales = to->scales,
                                   .zeros = to->zeros};
    enum kernels_status status = cpu_weight_read_parts(device, from, &parts);
    to->nested_offset = parts.nested_offset;
    return status;
}

enum kernels_status cpu_weight_arrived(struct kernels_device *device)
{
    (void)device;
    return KERNELS_OK;
}
