/* load.h: a model's files → weights on the device: reads ahead while the tensor before is being quantized, never maps, and
 * holds no more than its few buffers besides the result. */
#ifndef DOCKET_MODEL_LOAD_H
#define DOCKET_MODEL_LOAD_H

#include "worker/model/device.h"
#include "worker/model/model_config.h"
#include "worker/model/not_finite.h"
#include "worker/model/plan.h"
#include "worker/model/quantization.h"
#include "worker/model/safetensors.h"
#include "worker/model/weights.h"

#include <stdatomic.h>

/* Device bytes of the weights, known before anything is read. Checks that all tensors are there with the right shapes and that
 * none is left over: model_tensor_invalid. */
enum status load_predict(size_t *weight_bytes, const struct device *device, const struct model_config *config,
                         struct tensor_files *files, const struct quantization *quantization, struct error *err);

/* The same by part, each weight as large as the device says. has_int8 may be NULL: whether any weight is. */
enum status load_sizes(struct plan_sizes *out, bool *has_int8, const struct device *device,
                       const struct model_config *config, struct tensor_files *files,
                       const struct quantization *quantization, struct error *err);

struct load_report {
    double seconds;
    double read_seconds;   /* in which any thread read */
    double device_seconds; /* in which pieces were handed to the device, or waited for it: copied and quantized */
    uint64_t bytes_read;
    uint64_t direct_bytes;                  /* of these, past the page cache */
    uint64_t weight_bytes;                  /* on the device */
    struct kernels_stage copied, quantized; /* by a GPU's own clock; model_open fills them in */
    /* Among values that stay as stored: loaded as they are, counted, and said in the log. Quantizing them is refused. */
    struct not_finite not_finite;
};

/* Sees what is loaded, in the order of the files, while it passes: what makes a quantized checkpoint of it. */
struct load_watch {
    void *context;
    bool release; /* weights are freed once they were seen: nothing is kept, and load_weights leaves *out empty */
    /* A weight that was quantized just now, the device it is on, and the name that it has (or would have, were it a tensor of its own). */
    enum status (*quantized)(void *context, const struct device *device, const char *name,
                             const struct kernels_weight *weight, struct error *err);
    /* The next bytes of a tensor that is kept as stored. */
    enum status (*stored)(void *context, const struct tensor_info *tensor, uint64_t at, const void *bytes,
                          size_t length, struct error *err);
};

/* CANCELLED soon after *stop (may be NULL). watch may be NULL; its failure ends the load. Logs progress by shard. On failure nothing is left on the device. */
enum status load_weights(struct model_weights *out, struct load_report *report, const struct device *device,
                         const struct model_config *config, struct tensor_files *files,
                         const struct quantization *quantization, const struct load_watch *watch,
                         const atomic_bool *stop, struct error *err);
/* Empty tables for the layers of that model; model_weights_free also after a failure. */
enum status model_weights_init(struct model_weights *weights, const struct model_config *config, struct error *err);
void model_weights_free(struct model_weights *weights, const struct device *device);

#endif
