/* device.c: opens a backend with docket's memory and threads, and turns its failures into errors. */
#include "worker/model/device.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CUDA_LIBRARY "libdocket_cuda.so"

void device_products_by_name(const char *name, enum kernels_products *out)
{
    static const char *const names[] = {[KERNELS_PRODUCTS_AUTO] = "auto",
                                        [KERNELS_PRODUCTS_OWN] = "own",
                                        [KERNELS_PRODUCTS_LIBRARY] = "library",
                                        [KERNELS_PRODUCTS_BY_ROWS] = "by-rows"};
    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) *out = (enum kernels_products)i;
}

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

/* The library beside the program, if it is there; else its bare name, which the loader looks for. */
static void beside_program(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) + sizeof(CUDA_LIBRARY) + 1 < size) {
        snprintf(slash + 1, size - (size_t)(slash + 1 - path), "%s", CUDA_LIBRARY);
        if (access(path, R_OK) == 0) return;
    }
    snprintf(path, size, "%s", CUDA_LIBRARY);
}

/* Never closed: its table and its code stay in use until the process ends. */
static const struct kernels_backend *load_cuda(const char *library, struct error *why)
{
    char path[4096];
    struct kernels_error detail = {0};
    if (!library) beside_program(path, sizeof(path));
    void *handle = dlopen(library ? library : path, RTLD_NOW | RTLD_LOCAL);
    const struct kernels_backend *(*find)(void) = NULL;
    if (handle) *(void **)&find = dlsym(handle, "docket_cuda_backend");
    if (!find) {
        const char *text = dlerror();
        fail(why, DOCKET_DEVICE, CODE_accelerator_lost, "cuda: %s", text ? text : "the library has no backend");
        return NULL;
    }
    const struct kernels_backend *backend = find();
    if (docket_kernels_check_backend(backend, &detail) == KERNELS_OK) return backend;
    fail(why, DOCKET_DEVICE, CODE_accelerator_lost, "%s", detail.message);
    return NULL;
}

/* The words of COMPUTE_DTYPE, in the order of enum kernels_arithmetic, and what results call them. */
static const struct {
    const char *name, *dtype;
} arithmetics[] = {{"auto", NULL}, {"bf16", "bfloat16"}, {"f32", "float32"}, {"int8", "int8"}, {"int16", "int16"}};

static bool arithmetic_by_name(const char *name, enum kernels_arithmetic *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(arithmetics); i++)
        if (strcmp(name ? name : "auto", arithmetics[i].name) == 0) {
            *out = (enum kernels_arithmetic)i;
            return true;
        }
    return false;
}

const char *device_compute_dtype(const struct device *device)
{
    struct kernels_description facts;
    device->backend->describe(device->handle, &facts);
    for (size_t i = 0; i < ARRAY_LENGTH(arithmetics); i++)
        if (strcmp(facts.arithmetic, arithmetics[i].name) == 0) return arithmetics[i].dtype;
    return NULL;
}

static enum status open_with(struct device *out, const struct kernels_backend *backend,
                             const struct device_options *options, struct error *err)
{
    struct kernels_error detail = {0};
    if (docket_kernels_check_backend(backend, &detail) != KERNELS_OK)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "device: %s", detail.message);
    struct kernels_options open = {.allocate = device_allocate,
                                   .release = device_release,
                                   .parallel_for = device_parallel,
                                   .context = out->pool,
                                   .n_workers = pool_threads(out->pool),
                                   .cpu_isa = options->cpu_isa,
                                   .device_index = options->cuda_device,
                                   .products = options->products,
                                   .no_graphs = options->no_graphs};
    if (!arithmetic_by_name(options->compute_dtype, &open.arithmetic))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "compute_dtype: want auto, bf16, int16, int8 or f32, got %s",
                    options->compute_dtype);
    out->backend = backend;
    out->handle = backend->open(&open, &detail);
    if (out->handle) return DOCKET_OK;
    if (strcmp(backend->name, "cuda") == 0)
        return fail(err, DOCKET_DEVICE, CODE_accelerator_lost, "%s", detail.message);
    if (detail.code == KERNELS_UNSUPPORTED)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "device %s: %s", backend->name, detail.message);
    return device_status(detail.code == KERNELS_OK ? KERNELS_FAILED : detail.code, &detail, backend->name, err);
}

static enum status open_cuda(struct device *out, const struct device_options *options, struct error *err)
{
    const struct kernels_backend *backend = load_cuda(options->cuda_library, err);
    return backend ? open_with(out, backend, options, err) : DOCKET_DEVICE;
}

static enum status open_named(struct device *out, const char *name, const struct device_options *options,
                              struct error *err)
{
    const struct kernels_backend *backend = docket_kernels_backend(name);
    if (!backend)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "device %s: this program has cuda, cpu and reference", name);
    return open_with(out, backend, options, err);
}

enum status device_open(struct device *device, const struct device_options *options, struct error *err)
{
    struct device out = {0};
    struct error why = {0};
    struct kernels_description facts = {0};
    const char *name = options->backend ? options->backend : "auto";
    enum status st = pool_open(&out.pool, options->n_threads, err);
    if (st != DOCKET_OK) return st;
    if (strcmp(name, "auto") == 0) {
        st = open_cuda(&out, options, &why);
        if (st != DOCKET_OK) {
            log_event(LOG_INFO, EVENT_backend_fallback, F_STR("backend", "cuda"), F_STR("serves", "cpu"),
                      F_STR("reason", why.message));
            st = open_named(&out, "cpu", options, err);
        }
    } else
        st = strcmp(name, "cuda") == 0 ? open_cuda(&out, options, err) : open_named(&out, name, options, err);
    if (st != DOCKET_OK) {
        pool_close(out.pool);
        return st;
    }
    out.backend->describe(out.handle, &facts);
    log_event(LOG_INFO, EVENT_device_found, F_STR("backend", out.backend->name), F_STR("name", facts.name),
              F_STR("variant", facts.variant), F_STR("arithmetic", facts.arithmetic),
              F_U64("threads", pool_threads(out.pool)),
              F_STR("products", facts.is_gpu ? facts.products : "own kernels"));
    if (facts.passed_over[0])
        log_event(LOG_WARN, EVENT_backend_fallback, F_STR("backend", out.backend->name), F_STR("serves", facts.variant),
                  F_STR("reason", facts.passed_over));
    *device = out;
    return DOCKET_OK;
}

void device_close(struct device *device)
{
    if (device->backend) device->backend->close(device->handle);
    pool_close(device->pool);
    *device = (struct device){0};
}
