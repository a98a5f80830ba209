/* kept_copy.h: the quantized copy of a model that a worker leaves beside it for the next one (QUANT_CACHE): found, checked, used,
 * made. Lies in .docket/REVISION-QUANTIZATION of the model's folder (of models--org--name in the hub's cache, whose tools pass
 * over it and remove it with the model). A copy that is not exactly what was written, or not of exactly this source, is set
 * aside and made again; what goes wrong with copies costs a warning and time, never the load. */
#ifndef DOCKET_MODEL_KEPT_COPY_H
#define DOCKET_MODEL_KEPT_COPY_H

#include "worker/model/load.h"

struct kept_source_model {
    const struct model_location *location;
    const struct model_config *config;
    const char *config_text;
    size_t config_length;
    struct tensor_files *files;
};

/* As load_weights, from the copy if there is a good one; else from the source, leaving a copy. *hit says which. Logs kept_copy. */
enum status kept_copy_load(struct model_weights *out, struct load_report *report, bool *hit,
                           const struct device *device, const struct kept_source_model *source,
                           const struct quantization *quantization, const atomic_bool *stop, struct error *err);

/* Where the copy lies; the caller frees. NULL: no memory. */
char *kept_copy_path(const struct model_location *location, const struct quantization *quantization);

#endif
