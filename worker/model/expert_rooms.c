/* expert_rooms.c: see expert_rooms.h. A room holds one expert: its three weights. */
#include "worker/model/expert_rooms.h"

#include "worker/base/alloc.h"

#include <string.h>

#define MANY 2 /* that many choices an expert: all of them are taken to be needed, and the router is not waited for */

struct room {
    struct kernels_weight *weights[3]; /* gate, up, down */
    size_t layer, expert;              /* SIZE_MAX: empty */
    uint64_t last_used, free_after;    /* turn; mark behind its last use */
    bool held;                         /* by the layer that runs */
};

struct expert_rooms {
    const struct device *device;
    const struct model_config *config;
    const struct model_weights *weights;
    struct room *rooms;
    size_t n_rooms, first_layer;
    const struct kernels_weight **arrays[3]; /* [n_experts] each: what the layer that runs uses */
    int32_t *guess_ids;                      /* on the device [most_rows, top_k] */
    float *guess_weights;
    int32_t *ids; /* on the host, the same size */
    size_t most_rows;
    uint64_t turn;
    size_t layer; /* that runs */
    bool *next;   /* [n_experts]: to be fetched ahead */
    struct expert_rooms_count count;
};

static size_t next_layer(const struct expert_rooms *r, size_t layer)
{
    for (size_t l = layer + 1; l < r->weights->n_layers; l++)
        if (model_config_experts(r->config, l)) return l;
    return SIZE_MAX;
}

static size_t guess_bytes(const struct model_config *config)
{
    return MANY * config->n_experts * config->top_k * sizeof(float);
}

size_t expert_rooms_guess_bytes(const struct model_config *config)
{
    return 2 * guess_bytes(config);
}

enum status expert_rooms_open(struct expert_rooms **out, const struct device *device, const struct model_config *config,
                              const struct model_weights *weights, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct kernels_error detail = {0};
    const struct placement *where = &device->placement;
    if (where->expert_rooms == 0 || where->host_experts == 0) return DOCKET_OK;
    struct expert_rooms *r = mem_zalloc(1, sizeof(*r));
    if (!r) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the rooms of experts");
    *r = (struct expert_rooms){.device = device, .config = config, .weights = weights};
    r->first_layer = where->lower_layers;
    if (r->first_layer < weights->n_layers && !model_config_experts(config, r->first_layer))
        r->first_layer = next_layer(r, r->first_layer);
    r->most_rows = MANY * config->n_experts;
    r->rooms = mem_zalloc(where->expert_rooms, sizeof(*r->rooms));
    r->ids = mem_zalloc(r->most_rows * config->top_k, sizeof(*r->ids));
    r->next = mem_zalloc(config->n_experts, sizeof(*r->next));
    bool good = r->rooms && r->ids && r->next && r->first_layer < weights->n_layers;
    for (int i = 0; i < 3 && good; i++)
        good = (r->arrays[i] = mem_zalloc(config->n_experts, sizeof(*r->arrays[i]))) != NULL;
    if (!good) {
        expert_rooms_close(r);
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the rooms of experts");
    }
    const struct layer_weights *layer = &weights->layers[r->first_layer];
    struct kernels_weight *const like[3] = {layer->gate[0], layer->up[0], layer->down[0]};
    while (r->n_rooms < where->expert_rooms && good) {
        struct room *room = &r->rooms[r->n_rooms++];
        room->layer = SIZE_MAX;
        for (int i = 0; i < 3 && good; i++)
            good = (room->weights[i] = b->weight_like(device->handle, like[i], &detail)) != NULL;
    }
    const size_t bytes = guess_bytes(config);
    if (good) good = (r->guess_ids = b->buffer_allocate(device->handle, bytes, &detail)) != NULL;
    if (good) good = (r->guess_weights = b->buffer_allocate(device->handle, bytes, &detail)) != NULL;
    if (!good) {
        expert_rooms_close(r);
        return device_status(detail.code ? detail.code : KERNELS_NO_MEMORY, &detail, "rooms of experts", err);
    }
    *out = r;
    return DOCKET_OK;
}

void expert_rooms_close(struct expert_rooms *r)
{
    if (!r) return;
    const struct kernels_backend *b = r->device->backend;
    for (size_t i = 0; i < r->n_rooms; i++)
        for (int k = 0; k < 3; k++) b->weight_free(r->device->handle, r->rooms[i].weights[k]);
    if (r->guess_ids) b->buffer_free(r->device->handle, r->guess_ids);
    if (r->guess_weights) b->buffer_free(r->device->handle, r->guess_weights);
    for (int i = 0; i < 3; i++) mem_free(r->arrays[i]);
    mem_free(r->rooms);
    mem_free(r->ids);
    mem_free(r->next);
    mem_free(r);
}

static struct room *find(struct expert_rooms *r, size_t layer, size_t expert)
{
    for (size_t i = 0; i < r->n_rooms; i++)
        if (r->rooms[i].layer == layer && r->rooms[i].expert == expert) return &r->rooms[i];
    return NULL;
}

/* Copies the expert into the room that was used longest ago. NULL in *out: all rooms are held. */
static enum kernels_status fetch(struct expert_rooms *r, size_t layer, size_t expert, struct room **out)
{
    const struct kernels_backend *b = r->device->backend;
    const struct layer_weights *w = &r->weights->layers[layer];
    const struct kernels_weight *const from[3] = {w->gate[expert], w->up[expert], w->down[expert]};
    struct room *oldest = NULL;
    enum kernels_status ks = KERNELS_OK;
    for (size_t i = 0; i < r->n_rooms; i++) {
        struct room *room = &r->rooms[i];
        if (!room->held && (!oldest || room->last_used < oldest->last_used)) oldest = room;
    }
    *out = oldest;
    if (!oldest) return KERNELS_OK;
    oldest->layer = SIZE_MAX; /* until all of it is on its way */
    for (int i = 0; i < 3 && ks == KERNELS_OK; i++)
        ks = b->weight_fetch(r->device->handle, oldest->weights[i], from[i], oldest->free_after);
    if (ks != KERNELS_OK) return ks;
    oldest->layer = layer;
    oldest->expert = expert;
    oldest->last_used = r->turn;
    return KERNELS_OK;
}

/* Which experts the rows chose, and those that the next layer's router would choose for them. */
static enum kernels_status ask_routers(struct expert_rooms *r, const float *y, const struct kernels_expert_ffn *args,
                                       size_t next, bool *chosen)
{
    const struct kernels_backend *b = r->device->backend;
    size_t n = args->n_rows * args->top_k, experts = args->n_experts;
    enum kernels_status ks = b->download(r->device->handle, r->ids, args->ids, n * sizeof(*r->ids));
    for (size_t i = 0; i < n && ks == KERNELS_OK; i++)
        if (r->ids[i] >= 0 && (size_t)r->ids[i] < experts) chosen[r->ids[i]] = true;
    if (ks != KERNELS_OK || next == SIZE_MAX) return ks;
    const struct kernels_route guess = {.x = y,
                                        .weight = r->weights->layers[next].router,
                                        .ids = r->guess_ids,
                                        .weights = r->guess_weights,
                                        .n_rows = args->n_rows,
                                        .top_k = args->top_k};
    ks = b->route(r->device->handle, &guess);
    if (ks == KERNELS_OK) ks = b->download(r->device->handle, r->ids, r->guess_ids, n * sizeof(*r->ids));
    for (size_t i = 0; i < n && ks == KERNELS_OK; i++)
        if (r->ids[i] >= 0 && (size_t)r->ids[i] < experts) r->next[r->ids[i]] = true;
    return ks;
}

enum kernels_status expert_rooms_enter(struct expert_rooms *r, size_t layer, const float *y,
                                       struct kernels_expert_ffn *args)
{
    const struct layer_weights *w = &r->weights->layers[layer];
    struct kernels_weight **const all[3] = {w->gate, w->up, w->down};
    bool chosen[KERNELS_MAX_EXPERTS] = {false};
    size_t on_host = r->device->placement.host_experts, next = next_layer(r, layer);
    bool many = args->n_rows * args->top_k >= MANY * w->n_experts;
    enum kernels_status ks = KERNELS_OK;
    memset(r->next, many, r->config->n_experts * sizeof(*r->next));
    memset(chosen, many, sizeof(chosen));
    r->turn++;
    r->layer = layer;
    if (!many) ks = ask_routers(r, y, args, next, chosen);
    for (size_t e = 0; e < w->n_experts; e++)
        for (int i = 0; i < 3; i++) r->arrays[i][e] = all[i][e];
    /* Those that are there are held first, so that no other is fetched over them. */
    for (size_t e = 0; e < on_host; e++) {
        struct room *room = chosen[e] ? find(r, layer, e) : NULL;
        if (room) room->held = true;
    }
    for (size_t e = 0; e < on_host && ks == KERNELS_OK; e++) {
        if (!chosen[e]) continue;
        struct room *room = find(r, layer, e);
        r->count.used++;
        if (!room) {
            ks = fetch(r, layer, e, &room);
            r->count.fetched++;
        }
        if (ks != KERNELS_OK || !room) continue; /* without a room it is read over the bus */
        room->held = true;
        room->last_used = r->turn;
        for (int i = 0; i < 3; i++) r->arrays[i][e] = room->weights[i];
    }
    args->gate = r->arrays[0];
    args->up = r->arrays[1];
    args->down = r->arrays[2];
    return ks == KERNELS_OK ? r->device->backend->weight_arrived(r->device->handle) : ks;
}

enum kernels_status expert_rooms_leave(struct expert_rooms *r)
{
    uint64_t mark = r->device->backend->record(r->device->handle);
    size_t next = next_layer(r, r->layer);
    enum kernels_status ks = KERNELS_OK;
    for (size_t i = 0; i < r->n_rooms; i++)
        if (r->rooms[i].held) {
            r->rooms[i].free_after = mark;
            r->rooms[i].held = false;
        }
    r->turn++;
    for (size_t i = 0; i < r->n_rooms && next != SIZE_MAX; i++) /* what is there already for the next stays */
        if (r->rooms[i].layer == next && r->next[r->rooms[i].expert]) r->rooms[i].last_used = r->turn;
    for (size_t e = 0; next != SIZE_MAX && e < r->device->placement.host_experts && ks == KERNELS_OK; e++) {
        struct room *room;
        if (!r->next[e] || find(r, next, e)) continue;
        ks = fetch(r, next, e, &room);
        r->count.ahead++;
    }
    return ks;
}

void expert_rooms_count(const struct expert_rooms *r, struct expert_rooms_count *out)
{
    *out = r ? r->count : (struct expert_rooms_count){0};
}
