/* model.h: a model that is ready to score: found in the cache, checked, loaded and proven, with its tokenizer, template and
 * batch engine. What worker and tools open; knows no documents or labels. */
#ifndef DOCKET_MODEL_MODEL_H
#define DOCKET_MODEL_MODEL_H

#include "worker/model/chat_template.h"
#include "worker/model/engine.h"
#include "worker/model/expand.h"
#include "worker/model/hub_cache.h"
#include "worker/model/load.h"

struct model_options {
    struct hub_options hub;
    struct device_options device;
    struct quantization quantization;
    enum kv_format kv_format;
    bool keep_copy; /* kept_copy.h */
    enum expand_mode expand;
    const char *chat_template; /* name of a format; NULL, "auto": what the model's files hold */
    size_t max_model_len;      /* tokens; 0: what the model was made for, at most 32,768 */
    double memory_utilization; /* of the memory that is free, 0 < u <= 1; 0: 0.90 */
    double safety;             /* engine.h; 0: 0.90 */
    uint64_t memory_budget;    /* of a GPU, instead of that share; 0: none */
    size_t gpu_layers;         /* that a GPU computes; 0: as many as fit */
    size_t logits_tokens;      /* of the longest sequence that model_logits will be asked for; 0: it will not */
};

struct model {
    struct model_location location;
    struct model_config config;
    struct device device;
    struct device lower; /* opened where the CPU computes layers beside a GPU */
    struct model_weights weights;
    struct tokenizer *tokenizer;
    enum chat_template chat;
    struct engine *engine;
    struct load_report load;
    struct expand_report expanded;
    struct quantization quantization;
    char quantization_name[QUANTIZATION_NAME_BYTES];
    enum kv_format kv_format;
    bool from_kept_copy;
    size_t max_model_len;
    size_t layers_on_gpu;
    size_t pass_tokens, kv_slots; /* as a GPU's plan chose them; 0: as engine_limits says */
    size_t budget_bytes;          /* that it may take of its device */
    size_t planned_bytes;         /* weights, key/value cache and activations as predicted before loading */
    char fingerprint[65]; /* SHA-256 over name, revision, formats of weights and cache, config and tokenizer files */
};

/* The cheap half, for the start checks: location, config, tokenizer, headers of all shards; nothing is loaded. */
enum status model_check(const struct model_options *options, struct error *err);
/* Everything. Logs memory_plan, progress, model_loaded. Refuses with the numbers what would not fit. *stop (may be NULL) cancels. On
 * failure nothing stays open. */
enum status model_open(struct model *out, const struct model_options *options, const atomic_bool *stop,
                       struct error *err);
void model_close(struct model *model); /* {0} is fine */

/* Bytes that this process may still take: free memory of the machine or its control group, whichever is less. */
size_t memory_available(size_t *total);
/* Resident bytes of this process now, and the most so far. */
size_t memory_resident(size_t *peak);

/* Logits of every position of one sequence, written [n, vocab] float32 to `sink` in pieces of rows; a forward pass of its own beside the
 * engine's. */
enum status model_logits(struct model *model, const int32_t *ids, size_t n,
                         enum status (*sink)(void *context, const float *logits, size_t n_values), void *context,
                         struct error *err);

#endif
