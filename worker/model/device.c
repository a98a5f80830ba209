/* device.c: opens a backend with docket's memory and threads, and turns its failures into errors. */
#include "worker/model/device.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"

#include <string.h>

static void *device_allocate(void *context, size_t size_bytes)
{
    (void)context;
    return mem_alloc_aligned(size_bytes, 64);
}

static void device_release(void *context, void *memory)
{
    (void)context;
    mem_free(memory);
}

static void device_parallel(void *context, size_t n_items, size_t grain, kernels_task task, void *task_context)
{
    pool_for(context, n_items, grain, task, task_context);
}

enum status device_status(enum kernels_status status, const struct kernels_error *detail, const char *what,
                          struct error *err)
{
    const char *text = detail && detail->message[0] ? detail->message : docket_kernels_status_name(status);
    switch (status) {
    case KERNELS_OK:
        return DOCKET_OK;
    case KERNELS_UNSUPPORTED:
        return fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported, "%s: %s", what, text);
    case KERNELS_NO_MEMORY:
        return fail(err, DOCKET_NO_DEVICE_MEMORY, CODE_inference_out_of_memory, "%s: %s", what, text);
    case KERNELS_DEVICE_LOST:
        return fail(err, DOCKET_DEVICE, CODE_accelerator_lost, "%s: %s", what, text);
    case KERNELS_BAD_SHAPE:
    case KERNELS_FAILED:
        break;
    }
    return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%s: %s", what, text);
}

enum status device_open(struct device *device, const struct device_options *options, struct error *err)
{
    struct device out = {0};
    struct kernels_error detail = {0};
    struct kernels_description facts;
    const char *name = options->backend && strcmp(options->backend, "auto") != 0 ? options->backend : "cpu";
    out.backend = docket_kernels_backend(name);
    if (!out.backend)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "device %s: this program has only cpu and reference", name);
    if (docket_kernels_check_backend(out.backend, &detail) != KERNELS_OK)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "device %s: %s", name, detail.message);
    enum status st = pool_open(&out.pool, options->n_threads, err);
    if (st != DOCKET_OK) return st;
    struct kernels_options open = {.allocate = device_allocate,
                                   .release = device_release,
                                   .parallel_for = device_parallel,
                                   .context = out.pool,
                                   .n_workers = pool_threads(out.pool),
                                   .cpu_isa = options->cpu_isa};
    out.handle = out.backend->open(&open, &detail);
    if (!out.handle) {
        pool_close(out.pool);
        if (detail.code == KERNELS_UNSUPPORTED)
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "device %s: %s", name, detail.message);
        return device_status(detail.code == KERNELS_OK ? KERNELS_FAILED : detail.code, &detail, name, err);
    }
    out.backend->describe(out.handle, &facts);
    log_event(LOG_INFO, EVENT_device_found, F_STR("backend", out.backend->name), F_STR("name", facts.name),
              F_STR("variant", facts.variant), F_U64("threads", pool_threads(out.pool)));
    *device = out;
    return DOCKET_OK;
}

void device_close(struct device *device)
{
    if (device->backend) device->backend->close(device->handle);
    pool_close(device->pool);
    *device = (struct device){0};
}
