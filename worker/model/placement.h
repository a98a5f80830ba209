/* placement.h: what lies where when a device is too small for a model, and how large its passes and its cache may be. Arithmetic; knows
 * no files and opens no device. */
#ifndef DOCKET_MODEL_PLACEMENT_H
#define DOCKET_MODEL_PLACEMENT_H

#include "worker/model/device.h"
#include "worker/model/plan.h"

/* What a CUDA context, its modules and the backend's ring take on a card, where it cannot be measured. */
#define PLACEMENT_CONTEXT_BYTES ((uint64_t)520 * 1024 * 1024)
#define PLACEMENT_AUTO_LAYERS   SIZE_MAX

struct placement_wish {
    const struct device
        *device; /* that says what its scratch takes; NULL: there is none, docket_kernels_gpu_scratch_size says it */
    const struct model_config *config;
    const struct plan_sizes *sizes;
    enum kv_format kv;
    bool has_int8;         /* among the weights */
    size_t context;        /* tokens */
    size_t gpu_layers;     /* that are to be computed on the GPU; PLACEMENT_AUTO_LAYERS: as many as fit */
    uint64_t budget_bytes; /* of the device, for all of it */
    uint64_t own_bytes;    /* of these, what the driver and the backend take for themselves */
    uint64_t host_bytes;   /* that may be taken of the host's memory; 0: not asked */
    const struct transformer_limits *beside; /* a forward pass beside the engine's, at most as large; NULL: none */
};

/* The device's bytes, which are within the budget, and the host's. */
struct placement_choice {
    struct placement place;
    size_t max_rows, kv_slots;
    uint64_t own_bytes, weight_bytes, room_bytes, kv_bytes, scratch_bytes; /* of the device */
    uint64_t device_bytes,
        spare_bytes;        /* their sum, or what loading takes where that is more; what is left of the budget */
    uint64_t host_bytes;    /* of weights, caches and activations on the host */
    uint64_t pinned_bytes;  /* of these, weights that the GPU copies from */
    size_t n_host_experts;  /* of all layers together */
    uint64_t lacking_bytes; /* if it does not fit: at least that much more */
};

/* In this order, the first that fits: all on the device, or all but the embedding, of which a pass reads a few rows (with passes as large
 * as fit, 16,384 tokens down to 512, and of each with a cache that keeps many prefixes or one context and a quarter); of every layer equally many experts on the host, copied when
 * they are used (passes of 8192 tokens and less); the lower layers, with the embedding, computed by the CPU (of 2048 and less). NO_MEMORY (model_unavailable) with the numbers where none does, BAD_CONFIG for a number
 * of layers that cannot be. */
enum status placement_choose(struct placement_choice *out, const struct placement_wish *wish, struct error *err);

#endif
