/* device.h: the one device that a model runs on: opens a backend, turns its failures into errors, proves its arithmetic. */
#ifndef DOCKET_MODEL_DEVICE_H
#define DOCKET_MODEL_DEVICE_H

#include "kernels/kernels.h"
#include "worker/base/pool.h"
#include "worker/base/status.h"

/* What of a model does not lie on its device. {0}: all does. placement.h chooses it. */
struct placement {
    bool embedding_on_host;
    size_t host_experts; /* of each layer, its first ones */
    size_t expert_rooms; /* on the device, for experts of the host that are in use */
    size_t lower_layers; /* the first layers, and the embedding, are computed by the device's `lower` */
};

struct device {
    const struct kernels_backend *backend;
    struct kernels_device *handle;
    struct pool *pool;
    struct device *lower; /* the CPU beside a GPU; NULL: none is needed */
    struct placement placement;
};

struct device_options {
    const char *backend;       /* "auto", "cuda", "cpu" or "reference" */
    const char *cuda_library;  /* file; NULL: libdocket_cuda.so beside the program, else where the loader looks */
    const char *cpu_isa;       /* "auto", "reference", "avx2", "avx512", "avx512_bf16", "avx512_vnni" */
    int cuda_device;           /* which GPU, counted from 0 */
    unsigned n_threads;        /* 0: the CPUs of this process */
    const char *compute_dtype; /* NULL or "auto", "bf16", "f32", "int8", "int16" */
    enum kernels_products products;
    bool no_graphs; /* steps of generation are not recorded */
};

/* "auto", "own", "library", "by-rows"; others leave *out as it is. */
void device_products_by_name(const char *name, enum kernels_products *out);

/* UNSUPPORTED or BAD_CONFIG name what is not there; DEVICE: the GPU that was asked for cannot be opened. "auto" takes the CPU where there
 * is no GPU, and says why. Logs device_found. */
enum status device_open(struct device *device, const struct device_options *options, struct error *err);
void device_close(struct device *device); /* {0} is fine */

/* What products are computed in, as results name it: "float32", "bfloat16", "int8"; NULL where the backend does not say. */
const char *device_compute_dtype(const struct device *device);

/* Known numbers through the linear operation in every format, attention and the router: INTERNAL naming operation, expected and found. */
enum status device_selftest(const struct device *device, struct error *err);

/* The error of a kernels call. Passes KERNELS_OK through; detail may be NULL. */
enum status device_status(enum kernels_status status, const struct kernels_error *detail, const char *what,
                          struct error *err);

#endif
