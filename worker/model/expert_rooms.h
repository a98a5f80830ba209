/* expert_rooms.h: experts that lie in the host's memory, copied into rooms on the device for as long as they are used: kept while nobody
 * else needs the room, and fetched ahead for the layer that comes next. One thread. */
#ifndef DOCKET_MODEL_EXPERT_ROOMS_H
#define DOCKET_MODEL_EXPERT_ROOMS_H

#include "worker/model/device.h"
#include "worker/model/model_config.h"
#include "worker/model/weights.h"

struct expert_rooms;

/* As many as the device's placement says; *out stays NULL where it has none. All is borrowed until close. */
/* What an open one takes on the device beside its rooms. */
size_t expert_rooms_guess_bytes(const struct model_config *config);
enum status expert_rooms_open(struct expert_rooms **out, const struct device *device, const struct model_config *config,
                              const struct model_weights *weights, struct error *err);
void expert_rooms_close(struct expert_rooms *rooms);

/* The feed-forward of one layer is about to be queued for the rows of y [n_rows, dim], routed to ids [n_rows, top_k], both on the device:
 * fills in the weights of args. What is queued from now on finds them there. */
enum kernels_status expert_rooms_enter(struct expert_rooms *rooms, size_t layer, const float *y,
                                       struct kernels_expert_ffn *args);
/* It has been queued; its rooms are free behind it, and the next layer's experts are fetched: all of them for many rows, else those that
 * the next router would choose now. */
enum kernels_status expert_rooms_leave(struct expert_rooms *rooms);

struct expert_rooms_count {
    uint64_t used, fetched,
        ahead; /* experts of the host that were used; of these, copied for it; copied before it was known */
};
void expert_rooms_count(const struct expert_rooms *rooms, struct expert_rooms_count *out); /* NULL is fine */

#endif
