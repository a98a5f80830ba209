/* warm_up.c: see warm_up.h. */
#include "worker/model/warm_up.h"

enum { TOKENS = 64 }; /* enough for the kernels of many rows */

static enum status forward(struct transformer *t, size_t first, size_t n, struct error *err)
{
    static const int32_t ids[TOKENS]; /* any will do */
    int32_t positions[TOKENS];
    uint32_t slots[TOKENS];
    const uint32_t last = (uint32_t)n - 1, output = 0;
    float logit;
    for (size_t i = 0; i < n; i++) {
        positions[i] = (int32_t)(first + i);
        slots[i] = (uint32_t)(first + i);
    }
    const struct kernels_sequence sequence = {.n_rows = (uint32_t)n, .own = {0, (uint32_t)(first + n), 0}};
    const struct kernels_batch_desc batch = {n, 1, ids, positions, slots, &sequence};
    enum status st = transformer_forward(t, &batch, &last, 1, NULL, err);
    return st == DOCKET_OK ? transformer_gather_logits(t, &output, ids, 1, &logit, err) : st;
}

enum status warm_up(struct transformer *t, const struct device *device, const struct model_config *config,
                    const struct transformer_limits *limits, struct error *err)
{
    struct kernels_description facts;
    size_t n = TOKENS;
    device->backend->describe(device->handle, &facts);
    if (!facts.is_gpu) return DOCKET_OK;
    if (n > limits->max_rows) n = limits->max_rows;
    if (n + 1 > limits->kv_slots) n = limits->kv_slots ? limits->kv_slots - 1 : 0;
    if (n + 1 > config->max_position) n = config->max_position - 1;
    if (n == 0) return DOCKET_OK;
    enum status st = forward(t, 0, n, err);
    return st == DOCKET_OK ? forward(t, n, 1, err) : st;
}
