/* warm_up.c: see warm_up.h. */
#include "worker/model/warm_up.h"

#include "worker/model/one_sequence.h"

enum status warm_up(struct transformer *t, const struct device *device, const struct model_config *config,
                    const struct transformer_limits *limits, struct error *err)
{
    static const int32_t ids[ONE_SEQUENCE_TOKENS]; /* any will do */
    struct kernels_description facts;
    size_t n = ONE_SEQUENCE_TOKENS; /* enough for the kernels of many rows */
    float logit;
    device->backend->describe(device->handle, &facts);
    if (!facts.is_gpu) return DOCKET_OK;
    if (n > limits->max_rows) n = limits->max_rows;
    if (n + 1 > limits->kv_slots) n = limits->kv_slots ? limits->kv_slots - 1 : 0;
    if (n + 1 > config->max_position) n = config->max_position - 1;
    if (n == 0) return DOCKET_OK;
    enum status st = one_sequence_forward(t, ids, n, 0, 0, ids, 1, &logit, err);
    return st == DOCKET_OK ? one_sequence_forward(t, ids, 1, n, 0, ids, 1, &logit, err) : st;
}
