/* transformer.h: one forward pass of a decoder over a packed batch, through the table of operations. Knows the order of the
 * operations; not where weights came from, nor which sequences run. One thread at a time. */
#ifndef DOCKET_MODEL_TRANSFORMER_H
#define DOCKET_MODEL_TRANSFORMER_H

#include "worker/model/device.h"
#include "worker/model/model_config.h"
#include "worker/model/weights.h"

struct transformer;

struct transformer_limits {
    size_t max_rows;      /* tokens of one pass */
    size_t max_sequences; /* of one pass */
    size_t kv_slots;      /* tokens that the cache holds, in all layers */
    size_t running_slots; /* and those of one pass, in the layer that runs: slots kv_slots and on */
    size_t max_outputs;   /* rows of one pass whose hidden state is asked for */
    enum kernels_format kv_format;
};

/* Bytes that transformer_open will take on the device, besides the weights. */
size_t transformer_size(const struct device *device, const struct model_config *config,
                        const struct transformer_limits *limits);
/* What the backend has to know of a pass. */
void transformer_kernels_limits(struct kernels_limits *out, const struct model_config *config,
                                const struct transformer_limits *limits, bool has_int8);
/* Of a GPU, the second batch: the rows of the last layer that are asked for. The first is in the backend's scratch_size. */
size_t transformer_last_batch_size(const struct transformer_limits *limits);
/* Whether any weight that layers [first, end) multiply with is int8: their rows need more scratch. */
bool transformer_has_int8(const struct device *device, const struct model_weights *weights, size_t first, size_t end);
/* Of these, those of activations: what is not the cache. Needs no device. */
size_t transformer_activation_size(const struct model_config *config, const struct transformer_limits *limits);
/* device, config and weights are borrowed until close. */
enum status transformer_open(struct transformer **out, const struct device *device, const struct model_config *config,
                             const struct model_weights *weights, const struct transformer_limits *limits,
                             struct error *err);
void transformer_close(struct transformer *t);
/* Experts that were copied for use; zeros where all are on the device. */
struct expert_rooms_count;
void transformer_experts(const struct transformer *t, struct expert_rooms_count *out);

/* Sees the residual stream x [n_rows, dim] on the device: at point 0 behind the embedding, at 1 + 2 l behind layer l's attention, at
 * 2 + 2 l behind its feed-forward; of the last layer only the rows that are asked for. May download; must not change it. */
struct transformer_watch {
    void *context;
    enum status (*seen)(void *context, size_t point, const float *x, size_t n_rows);
};
/* NULL: nobody looks any more. `watch` is borrowed until then. */
void transformer_set_watch(struct transformer *t, const struct transformer_watch *watch);

/* Passes of which every row is asked for are steps of the backend (kernels.h); off: run as others are. On from the start. */
void transformer_record_steps(struct transformer *t, bool on);

/* Runs the batch and leaves the final-normed hidden states of `rows` [n_outputs] (ascending row numbers of the batch) on the
 * device: [n_outputs, dim], valid until the next pass. Keys and values of the rows below kv_slots are in the cache afterwards. With outputs
 * nobody waits for the device here: what fails there is told by the logits that are fetched next. */
enum status transformer_forward(struct transformer *t, const struct kernels_batch_desc *batch, const uint32_t *rows,
                                size_t n_outputs, const float **hidden, struct error *err);

/* logits[i] of token token_ids[i] at output row output[i] of the pass before, on the host. */
enum status transformer_gather_logits(struct transformer *t, const uint32_t *output, const int32_t *token_ids,
                                      size_t n_items, float *logits, struct error *err);
/* All logits of output rows [first, first + n): [n, vocab] on the host. n is at most 64. */
enum status transformer_all_logits(struct transformer *t, size_t first, size_t n, float *logits, struct error *err);

#endif
