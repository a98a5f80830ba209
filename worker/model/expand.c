/* expand.c: which layers get a 16-bit form. Knows no formats: the device says which weights can have one. */
#include "worker/model/expand.h"

#include <string.h>

void expand_mode_by_name(const char *name, enum expand_mode *out)
{
    static const char *const names[] = {[EXPAND_AUTO] = "auto", [EXPAND_ON] = "on", [EXPAND_OFF] = "off"};
    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) *out = (enum expand_mode)i;
}

uint64_t expand_predict(const struct plan_sizes *sizes)
{
    return sizes->form_bytes;
}

static size_t used_bytes(const struct device *device)
{
    struct kernels_memory memory;
    device->backend->memory(device->handle, &memory);
    return memory.used_bytes;
}

static size_t form_bytes(const struct device *device, const struct kernels_weight *weight)
{
    struct kernels_weight_desc desc;
    device->backend->weight_describe(weight, &desc);
    return docket_kernels_format_has_parts(desc.format) ? 2 * desc.rows * desc.cols : 0;
}

/* The matrices of a layer: four of attention, then three an expert. */
static struct kernels_weight *matrix_of(const struct layer_weights *w, size_t i)
{
    struct kernels_weight *const attention[4] = {w->q, w->k, w->v, w->o};
    struct kernels_weight **const all[3] = {w->gate, w->up, w->down};
    return i < 4 ? attention[i] : all[(i - 4) % 3][(i - 4) / 3];
}

static enum kernels_status expand_layer(const struct device *device, const struct layer_weights *w,
                                        struct kernels_error *detail)
{
    enum kernels_status ks = KERNELS_OK;
    for (size_t i = 0; i < 4 + 3 * w->n_experts && ks == KERNELS_OK; i++)
        if (form_bytes(device, matrix_of(w, i)))
            ks = device->backend->weight_expand(device->handle, matrix_of(w, i), detail);
    return ks;
}

static size_t layer_bytes(const struct device *device, const struct layer_weights *w)
{
    size_t bytes = 0;
    for (size_t i = 0; i < 4 + 3 * w->n_experts; i++) bytes += form_bytes(device, matrix_of(w, i));
    return bytes;
}

enum status expand_weights(struct expand_report *out, enum expand_mode mode, const struct device *device,
                           const struct model_weights *weights, size_t budget_bytes, struct error *err)
{
    struct expand_report report = {0};
    const size_t before = used_bytes(device);
    *out = report;
    const size_t first = device->placement.lower_layers; /* those before it are another device's */
    if (mode == EXPAND_ON && first > 0)
        return fail(err, DOCKET_NO_DEVICE_MEMORY, CODE_inference_out_of_memory,
                    "EXPAND: want auto or off, got on: %zu of %zu layers are not on the GPU", first, weights->n_layers);
    for (size_t layer = first; layer < weights->n_layers && mode != EXPAND_OFF; layer++) {
        const struct layer_weights *w = &weights->layers[layer];
        struct kernels_error detail = {0};
        size_t used = used_bytes(device), more = layer_bytes(device, w);
        if (more == 0) continue;
        if (used > budget_bytes || more > budget_bytes - used) {
            if (mode == EXPAND_AUTO) break;
            return fail(err, DOCKET_NO_DEVICE_MEMORY, CODE_inference_out_of_memory,
                        "EXPAND: layer %zu of %zu needs %zu bytes more, %zu of %zu are taken", layer, weights->n_layers,
                        more, used, budget_bytes);
        }
        enum kernels_status ks = expand_layer(device, w, &detail);
        if (ks == KERNELS_OK) {
            report.n_layers++;
            continue;
        }
        /* What could not be had is no failure of the weights; but the device has to say so before it goes on. */
        if (ks == KERNELS_NO_MEMORY) device->backend->synchronize(device->handle, NULL);
        if (mode == EXPAND_AUTO && (ks == KERNELS_NO_MEMORY || ks == KERNELS_UNSUPPORTED)) break;
        if (ks == KERNELS_UNSUPPORTED)
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "EXPAND: want auto or off, got on: layer %zu: %s", layer,
                        detail.message);
        return device_status(ks, &detail, "EXPAND", err);
    }
    report.bytes = used_bytes(device) - before;
    *out = report;
    return DOCKET_OK;
}
