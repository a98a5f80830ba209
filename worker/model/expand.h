/* expand.h: a 16-bit form beside quantized weights, where the device has memory for it and products that use it: those need not expand
 * the weight in every pass. */
#ifndef DOCKET_MODEL_EXPAND_H
#define DOCKET_MODEL_EXPAND_H

#include "worker/model/device.h"
#include "worker/model/plan.h"
#include "worker/model/weights.h"

enum expand_mode {
    EXPAND_AUTO, /* as many layers as there is room for */
    EXPAND_ON,   /* all, or the model is refused */
    EXPAND_OFF,
};
/* "auto", "on", "off"; others leave *out as it is. */
void expand_mode_by_name(const char *name, enum expand_mode *out);

/* Bytes that EXPAND_ON will take: two for each value of the layers' matrices that are not 16 bits already. */
uint64_t expand_predict(const struct plan_sizes *sizes);

struct expand_report {
    size_t n_layers; /* whose weights all have it */
    size_t bytes;
};
/* Layer by layer, the first first, while used memory stays within budget_bytes of the device. EXPAND_ON: BAD_CONFIG where no product
 * uses such a form, NO_DEVICE_MEMORY with the layer where it ends. */
enum status expand_weights(struct expand_report *out, enum expand_mode mode, const struct device *device,
                           const struct model_weights *weights, size_t budget_bytes, struct error *err);

#endif
