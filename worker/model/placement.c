/* placement.c: tries the ways of placing a model, from the fastest to the slowest, with exact sums of bytes. */
#include "worker/model/placement.h"

#include "worker/base/alloc.h"
#include "worker/model/engine.h"
#include "worker/model/expert_rooms.h"

#include <stdio.h>

#define LEAST_ROWS   512
#define SOURCE_BYTES (16 * MIB) /* of a piece of a source, at most */

/* Passes and caches to try; a small cache keeps fewer prefixes. Each pass of Mixtral expands its weights to 16 bits, 49 ms of an H200 whatever its rows, of which 2,048 take
 * 66 ms; and copies the experts that lie on the host, 23 GB in 0.5 to 0.9 s at most: 8,192 rows take 0.26 s there, 1.3 s on smaller cards.
 * Larger ones make a single document wait. What the CPU computes is fastest in passes that its caches hold. */
struct size {
    size_t rows;
    bool small_cache;
};
static const struct size passes[] = {{16384, false}, {16384, true}, {8192, false},     {8192, true},
                                     {4096, false},  {4096, true},  {2048, false},     {2048, true},
                                     {1024, false},  {1024, true},  {LEAST_ROWS, true}};
enum { FIRST_OF_WHOLE = 0, FIRST_OF_EXPERTS = 2, FIRST_OF_LAYERS = 6 };

static struct transformer_limits limits_of(const struct placement_wish *w, const struct size *size)
{
    struct transformer_limits l;
    const struct engine_options o = {.max_tokens = w->context,
                                     .max_rows = size->rows,
                                     .kv_slots = size->small_cache ? engine_least_slots(w->context) : 0,
                                     .kv_format = w->kv};
    engine_limits(w->config, &o, &l);
    return l;
}

static uint64_t scratch_of(const struct placement_wish *w, const struct transformer_limits *l)
{
    struct kernels_limits limits;
    transformer_kernels_limits(&limits, w->config, l, w->has_int8);
    size_t scratch = w->device ? w->device->backend->scratch_size(w->device->handle, &limits)
                               : docket_kernels_gpu_scratch_size(&limits, KERNELS_PRODUCTS_AUTO);
    return transformer_activation_size(w->config, l) + transformer_last_batch_size(l) + scratch;
}

static uint64_t kv_bytes(const struct placement_wish *w, const struct transformer_limits *l, size_t n_layers)
{
    return plan_kv_bytes(w->config, w->kv, l, n_layers);
}

/* Its scratch is the engine's. */
static void add_pass_beside(struct placement_choice *c, const struct placement_wish *w)
{
    const struct transformer_limits *l = w->beside;
    enum kv_format kv = 0;
    while (kv_format_kernels(kv) != l->kv_format) kv++;
    const size_t lower = c->place.lower_layers;
    c->kv_bytes += plan_kv_bytes(w->config, kv, l, w->config->n_layers - lower);
    if (lower) c->host_bytes += plan_kv_bytes(w->config, kv, l, lower);
    c->scratch_bytes += transformer_activation_size(w->config, l) + transformer_last_batch_size(l) +
                        docket_kernels_gpu_batch_size(l->max_rows, l->max_sequences);
}

/* What is taken while weights are loaded, before cache and scratch are: two pieces of a source, the scales that wait for the last of a
 * weight, and what is on its way to the host. */
static uint64_t loading_bytes(const struct placement_choice *c, const struct placement_wish *w)
{
    const struct model_config *m = w->config;
    const size_t heads = m->n_heads * m->head_size, widest = m->ffn_dim > heads ? m->ffn_dim : heads;
    const uint64_t most = (uint64_t)m->dim * (m->vocab > widest ? m->vocab : widest);
    return 2 * SOURCE_BYTES + most / 16 + (c->n_host_experts ? w->sizes->expert_bytes : 0) +
           (c->place.embedding_on_host ? w->sizes->parts[PLAN_EMBEDDING].bytes : 0);
}

/* true if it fits; else out->lacking_bytes is the least of all tries. */
static bool fits(struct placement_choice *out, struct placement_choice *c, const struct placement_wish *w)
{
    uint64_t most = out->lacking_bytes;
    if (w->beside) add_pass_beside(c, w);
    if (c->place.expert_rooms) c->scratch_bytes += (w->beside ? 2 : 1) * expert_rooms_guess_bytes(w->config);
    const uint64_t later = c->kv_bytes + c->scratch_bytes, loading = loading_bytes(c, w);
    c->device_bytes = c->own_bytes + c->weight_bytes + c->room_bytes + (later > loading ? later : loading);
    bool device = c->device_bytes <= w->budget_bytes, host = w->host_bytes == 0 || c->host_bytes <= w->host_bytes;
    if (device && host) {
        c->spare_bytes = w->budget_bytes - c->device_bytes;
        c->lacking_bytes = 0;
        *out = *c;
        return true;
    }
    uint64_t lacking = device ? c->host_bytes - w->host_bytes : c->device_bytes - w->budget_bytes;
    if (most == 0 || lacking < most) out->lacking_bytes = lacking;
    return false;
}

static struct placement_choice begin(const struct placement_wish *w, const struct size *size,
                                     struct transformer_limits *l)
{
    *l = limits_of(w, size);
    return (struct placement_choice){.max_rows = l->max_rows,
                                     .kv_slots = l->kv_slots,
                                     .own_bytes = w->own_bytes,
                                     .weight_bytes = w->sizes->bytes,
                                     .kv_bytes = kv_bytes(w, l, w->config->n_layers),
                                     .scratch_bytes = scratch_of(w, l)};
}

static void embedding_leaves(struct placement_choice *c, const struct placement_wish *w)
{
    uint64_t bytes = w->sizes->parts[PLAN_EMBEDDING].bytes;
    c->place.embedding_on_host = true;
    c->weight_bytes -= bytes;
    c->host_bytes += bytes;
    c->pinned_bytes += bytes;
}

/* The fewest experts a layer that have to leave, if any number does: those in use need rooms on the device, for two layers if there is
 * space, so that one can be copied while the other is used, else for one. What is left over are rooms too. */
static bool try_experts(struct placement_choice *out, const struct placement_wish *w, const struct size *size)
{
    const struct plan_sizes *s = w->sizes;
    struct transformer_limits l;
    const uint64_t a_room = w->beside ? 2 * s->expert_bytes : s->expert_bytes; /* each pass has its own */
    size_t layers = 0;
    for (size_t i = 0; i < w->config->n_layers; i++) layers += model_config_experts(w->config, i) > 0;
    if (!layers || !s->expert_bytes) return false;
    for (unsigned double_buffer = 2; double_buffer >= 1; double_buffer--)
        for (size_t h = 1; h <= w->config->n_experts; h++) {
            struct placement_choice c = begin(w, size, &l);
            if (!w->config->tied_head) embedding_leaves(&c, w);
            uint64_t gone = h * layers * s->expert_bytes;
            c.place.host_experts = h;
            c.place.expert_rooms = double_buffer * h < h * layers ? double_buffer * h : h * layers;
            c.n_host_experts = h * layers;
            c.weight_bytes -= gone;
            c.host_bytes += gone;
            c.pinned_bytes += gone;
            c.room_bytes = c.place.expert_rooms * a_room;
            if (!fits(out, &c, w)) continue;
            uint64_t more = out->spare_bytes / a_room, most = out->n_host_experts - out->place.expert_rooms;
            if (more > most) more = most;
            out->place.expert_rooms += (size_t)more;
            out->room_bytes += more * a_room;
            out->device_bytes += more * a_room;
            out->spare_bytes -= more * a_room;
            return true;
        }
    return false;
}

/* The lowest n layers, and the embedding, are the CPU's. */
static bool try_layers(struct placement_choice *out, const struct placement_wish *w, const struct size *size, size_t n)
{
    const struct plan_sizes *s = w->sizes;
    struct transformer_limits l;
    struct placement_choice c = begin(w, size, &l);
    size_t all = w->config->n_layers;
    uint64_t gone = s->lower_bytes[n];
    c.place.lower_layers = n;
    if (w->config->tied_head) /* the head stays, so it is in both places */
        c.host_bytes += s->parts[PLAN_EMBEDDING].bytes;
    else {
        c.weight_bytes -= s->parts[PLAN_EMBEDDING].bytes;
        c.host_bytes += s->parts[PLAN_EMBEDDING].bytes;
    }
    c.weight_bytes -= gone;
    c.kv_bytes = kv_bytes(w, &l, all - n);
    c.host_bytes += gone + kv_bytes(w, &l, n) + c.scratch_bytes;
    return fits(out, &c, w);
}

static enum status refuse(const struct placement_choice *c, const struct placement_wish *w, struct error *err)
{
    struct transformer_limits l = limits_of(w, &passes[ARRAY_LENGTH(passes) - 1]);
    bool small = w->sizes->bytes < GIB;
    const double unit = small ? (double)MIB : (double)GIB;
    char host[64] = "";
    if (w->host_bytes) snprintf(host, sizeof(host), " and %.2f of the host", (double)w->host_bytes / unit);
    return fail(
        err, DOCKET_NO_MEMORY, CODE_model_unavailable,
        "in %s: weights %.2f, cache of %zu tokens %.2f, scratch for passes of %zu tokens %.2f, the driver's own "
        "%.2f; %.2f may be used of the device%s: at least %.2f are lacking however it is placed",
        small ? "MiB" : "GiB", (double)w->sizes->bytes / unit, l.kv_slots,
        (double)kv_bytes(w, &l, w->config->n_layers) / unit, l.max_rows, (double)scratch_of(w, &l) / unit,
        (double)w->own_bytes / unit, (double)w->budget_bytes / unit, host, (double)c->lacking_bytes / unit);
}

enum status placement_choose(struct placement_choice *out, const struct placement_wish *w, struct error *err)
{
    struct placement_choice best = {0}, c;
    struct transformer_limits l;
    size_t all = w->config->n_layers;
    bool automatic = w->gpu_layers == PLACEMENT_AUTO_LAYERS;
    if (!automatic && (w->gpu_layers == 0 || w->gpu_layers > all))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                    "GPU_LAYERS: %zu: the model has %zu layers; want auto or 1 to %zu (DEVICE=cpu for none)",
                    w->gpu_layers, all, all);
    bool whole = automatic || w->gpu_layers == all;
    for (size_t i = FIRST_OF_WHOLE; i < ARRAY_LENGTH(passes) && whole; i++) {
        c = begin(w, &passes[i], &l);
        if (fits(&best, &c, w)) goto found;
        c = begin(w, &passes[i], &l);
        if (w->config->tied_head) continue; /* a tied table is the head too, which is multiplied with */
        embedding_leaves(&c, w);
        if (fits(&best, &c, w)) goto found;
    }
    for (size_t i = FIRST_OF_EXPERTS; i < ARRAY_LENGTH(passes) && whole; i++)
        if (try_experts(&best, w, &passes[i])) goto found;
    for (size_t n = automatic ? 1 : all - w->gpu_layers; n > 0 && n < all; n++) {
        for (size_t i = FIRST_OF_LAYERS; i < ARRAY_LENGTH(passes); i++)
            if (try_layers(&best, w, &passes[i], n)) goto found;
        if (!automatic) break;
    }
    *out = (struct placement_choice){.lacking_bytes = best.lacking_bytes};
    return refuse(out, w, err);
found:
    *out = best;
    return DOCKET_OK;
}
