/* warm_up.h: a first pass before anybody waits for one. A driver loads the code of a kernel, and takes memory for it, when it is first used,
 * and a library looks for its algorithms then: that belongs to the start. Knows no requests. */
#ifndef DOCKET_MODEL_WARM_UP_H
#define DOCKET_MODEL_WARM_UP_H

#include "worker/model/transformer.h"

/* A short text and one token behind it, in the first slots of the cache, which nobody uses yet. A CPU needs none. */
enum status warm_up(struct transformer *t, const struct device *device, const struct model_config *config,
                    const struct transformer_limits *limits, struct error *err);

#endif
