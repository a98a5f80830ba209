/* synthetic.h: models of the shapes of well-known ones with random weights, made in memory: for measuring speed and memory without
 * any file. The numbers are Gaussian and scaled so that activations stay finite; what such a model says means nothing. */
#ifndef DOCKET_MODEL_SYNTHETIC_H
#define DOCKET_MODEL_SYNTHETIC_H

#include "worker/base/buffer.h"
#include "worker/model/device.h"
#include "worker/model/model_config.h"
#include "worker/model/quantization.h"
#include "worker/model/weights.h"

#include <stdatomic.h>

/* "tinyllama", "mixtral-8x7b" …; n_layers 0: as many as the real one has. BAD_CONFIG naming what is known. */
enum status synthetic_config(struct model_config *out, const char *name, size_t n_layers, struct error *err);
/* The known names, separated by ", ". */
void synthetic_names(struct buffer *out);

/* Device bytes of the weights. UNSUPPORTED when the backend has no weights of that format and shape. */
enum status synthetic_predict(size_t *weight_bytes, const struct device *device, const struct model_config *config,
                              const struct quantization *quantization, struct error *err);
/* Quantized parts get random codes directly, what is not quantized is bf16. CANCELLED soon after *stop (may be NULL). On failure
 * nothing is left on the device; else the caller frees with model_weights_free. */
enum status synthetic_weights(struct model_weights *out, const struct device *device, const struct model_config *config,
                              const struct quantization *quantization, const atomic_bool *stop, struct error *err);

/* The same in bf16 as weight files of a checkpoint, without config.json, into a folder that exists. shard_bytes as in checkpoint.h. */
enum status synthetic_write(const char *folder, const struct model_config *config, uint64_t shard_bytes,
                            uint64_t *size_bytes, struct error *err);

#endif
