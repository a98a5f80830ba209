/* device_state.h: memory, errors and energy of the device that a model runs on: of a GPU as its driver says, else as its backend does;
 * without a GPU, of the process and the machine. Any thread after open. */
#ifndef DOCKET_HANDLERS_DEVICE_STATE_H
#define DOCKET_HANDLERS_DEVICE_STATE_H

#include "worker/model/model.h"
#include "worker/observe/gpu_stats.h"

#include <stdatomic.h>

struct device_state {
    struct kernels_description device;
    struct gpu_facts facts;
    struct gpu_stats *stats;  /* NULL: no GPU, or nothing that tells */
    atomic_ullong most_bytes; /* used at any reading */
};

/* Logs what was found. nvml_library as in gpu_stats_open. */
void device_state_open(struct device_state *state, const struct model *model, const char *nvml_library);
void device_state_close(struct device_state *state); /* {0} is fine */

/* What is used may be everybody's on the card; *peak is the most of it that was seen. */
void device_state_read(struct device_state *state, const struct model *model, struct gpu_reading *out, uint64_t *peak);

#endif
