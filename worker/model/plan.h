/* plan.h: the bytes of a model before anything is read: weights by part and format, cache, activations. placement.h says
 * what lies where. Arithmetic on config.json; knows no files and opens no device. */
#ifndef DOCKET_MODEL_PLAN_H
#define DOCKET_MODEL_PLAN_H

#include "worker/model/engine.h"
#include "worker/model/model_config.h"
#include "worker/model/quantization.h"

/* Weights that stay as stored: 16 bits. */
#define PLAN_STORED_BITS 16

enum plan_kind { PLAN_EMBEDDING, PLAN_ATTENTION, PLAN_FFN, PLAN_EXPERTS, PLAN_HEAD, PLAN_REST, N_PLAN_KINDS };
const char *plan_kind_name(enum plan_kind kind); /* "experts"; rest: norms, biases, routers */

struct plan_part {
    uint64_t parameters, bytes; /* bytes in the canonical form of the format */
    enum weight_format format;
};
struct plan_sizes {
    struct plan_part parts[N_PLAN_KINDS]; /* of all layers; a tied head has none, a dense model no experts */
    uint64_t parameters, bytes;
    uint64_t expert_bytes;                      /* of one expert of one layer; 0 without experts */
    uint64_t n_expert_places;                   /* experts of all layers */
    uint64_t layer_bytes;                       /* of the largest layer without its experts */
    uint64_t form_bytes;                        /* of 16-bit forms beside the quantized matrices of all layers */
    uint64_t lower_bytes[MODEL_MAX_LAYERS + 1]; /* of the lowest n layers, experts included */
};
/* LIMIT, model_config_unsupported when a size does not fit 64 bits. */
enum status plan_weights(struct plan_sizes *out, const struct model_config *config,
                         const struct quantization *quantization, struct error *err);

/* Of keys and values, in all layers. */
uint64_t plan_kv_bytes_per_token(const struct model_config *config, enum kv_format format);
/* Of a cache of n_layers of the model's. */
uint64_t plan_kv_bytes(const struct model_config *config, enum kv_format format,
                       const struct transformer_limits *limits, size_t n_layers);

/* What an engine for prompts of that many tokens takes besides the weights. */
struct plan_context {
    size_t context, kv_slots, running_slots;
    uint64_t kv_bytes, activation_bytes;
};
enum status plan_for_context(struct plan_context *out, const struct model_config *config, enum kv_format format,
                             size_t context, struct error *err);

#endif
