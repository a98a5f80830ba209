/* transformer.c: the forward pass. Everything that it allocates, it allocates at open. */
#include "worker/model/transformer.h"

#include "kernels/formats/half.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/model/asked_rows.h"
#include "worker/model/expert_rooms.h"

#include <math.h>
#include <string.h>

#define ALL_LOGITS_ROWS 64
#define GATHER_ITEMS    (64 * KIB)
#define SCRATCH         13

struct transformer {
    const struct device *device;
    const struct model_config *config;
    const struct model_weights *weights;
    struct transformer_limits limits;
    size_t first, end;          /* its layers */
    struct transformer *lower;  /* the layers before them, on the device's `lower`; NULL: none */
    struct expert_rooms *rooms; /* NULL: all experts are where they are used */
    struct kernels_kv *kv;
    struct kernels_batch *batch, *last_batch; /* last_batch: of the last layer, what is kept in `asked` */
    struct asked_rows asked;
    /* On the device, rows x width: x residual stream, y normed, q k v, attention a, outputs of the last layer o, its normed form h. */
    float *x, *y, *q, *k, *v, *a, *o, *h;
    float *route_weights, *logits;
    int32_t *route_ids;
    float *bias, *bias_rows;  /* all biases, layer by layer; one of them for every row */
    float *inverse_frequency; /* [head_size / 2] on the host */
    uint32_t *zeros;          /* [max_rows] on the host: the row that every row gets */
    float embedding_scale;    /* 0: none */
    size_t n_outputs;
    const struct transformer_watch *watch;
    bool steps_off, steps_told; /* steps are not recorded; one could not be, and that was said */
};

/* The scratch arrays, in the order of the pointers below. */
struct scratch {
    void **slot;
    size_t values;
};

/* Of the biases of one layer: q, k, v, o. */
static size_t bias_width(const struct model_config *c)
{
    return (c->n_heads + 2 * c->n_kv_heads) * c->head_size + c->dim;
}

static size_t list_scratch(struct transformer *t, const struct model_config *c, const struct transformer_limits *l,
                           struct scratch out[SCRATCH])
{
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size, top_k = c->n_experts ? c->top_k : 1;
    size_t logits = ALL_LOGITS_ROWS * c->vocab > GATHER_ITEMS ? ALL_LOGITS_ROWS * c->vocab : GATHER_ITEMS;
    if (l->max_outputs == 0) logits = 0; /* lower layers */
    const struct scratch list[] = {
        {(void **)&t->x, l->max_rows * c->dim},
        {(void **)&t->y, l->max_rows * c->dim},
        {(void **)&t->q, l->max_rows * q},
        {(void **)&t->k, l->max_rows * kv},
        {(void **)&t->v, l->max_rows * kv},
        {(void **)&t->a, l->max_rows * q},
        {(void **)&t->o, l->max_outputs * c->dim},
        {(void **)&t->h, l->max_outputs * c->dim},
        {(void **)&t->route_ids, l->max_rows * top_k},
        {(void **)&t->route_weights, l->max_rows * top_k},
        {(void **)&t->logits, logits},
        {(void **)&t->bias, c->n_layers * bias_width(c)},
        {(void **)&t->bias_rows, c->attention_bias ? l->max_rows * (q > c->dim ? q : c->dim) : 0},
    };
    memcpy(out, list, sizeof(list));
    return c->attention_bias ? SCRATCH : SCRATCH - 2;
}

size_t transformer_activation_size(const struct model_config *c, const struct transformer_limits *limits)
{
    struct transformer t;
    struct scratch list[SCRATCH];
    size_t total = 0;
    for (size_t i = list_scratch(&t, c, limits, list); i-- > 0;) total += list[i].values * sizeof(float);
    return total;
}

static struct kernels_kv_shape kv_shape(const struct model_config *c, const struct transformer_limits *limits,
                                        size_t n_layers)
{
    return (struct kernels_kv_shape){.format = limits->kv_format,
                                     .n_layers = n_layers,
                                     .n_slots = limits->kv_slots,
                                     .n_running = limits->running_slots,
                                     .n_kv_heads = c->n_kv_heads,
                                     .head_size = c->head_size};
}

size_t transformer_size(const struct device *device, const struct model_config *c,
                        const struct transformer_limits *limits)
{
    const struct kernels_kv_shape kv = kv_shape(c, limits, c->n_layers);
    return transformer_activation_size(c, limits) + device->backend->kv_size(device->handle, &kv);
}

static bool make_tables(struct transformer *t)
{
    t->inverse_frequency = mem_zalloc(t->config->head_size / 2, sizeof(float));
    t->zeros = mem_zalloc(t->limits.max_rows, sizeof(*t->zeros));
    if (!t->inverse_frequency || !t->zeros) return false;
    model_config_frequencies(t->config, t->inverse_frequency);
    return true;
}

/* Whether this part looks the tokens up: that on whose device the embedding lies. */
static bool embeds(const struct transformer *t)
{
    bool is_lower = t->end < t->config->n_layers;
    return t->weights->embedding_is_lower == is_lower;
}

/* The root of dim, in the type of the table's numbers: transformers multiplies in that. */
static float embedding_scale(const struct transformer *t)
{
    struct kernels_weight_desc desc;
    float root = sqrtf((float)t->config->dim);
    t->device->backend->weight_describe(t->weights->embedding, &desc);
    if (desc.format == KERNELS_F16) return half_f16_to_f32(half_f16_from_f32(root));
    if (desc.format == KERNELS_BF16) return half_bf16_to_f32(half_bf16_from_f32(root));
    return root;
}

/* Biases come as weights of one row; the operations want rows on the device. */
static enum status upload_biases(struct transformer *t, struct error *err)
{
    const struct model_config *c = t->config;
    const struct kernels_backend *b = t->device->backend;
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size, width = bias_width(c);
    enum kernels_status ks = KERNELS_OK;
    if (!c->attention_bias) return DOCKET_OK;
    float *host = mem_alloc(width * sizeof(float));
    if (!host) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the biases of a layer");
    for (size_t l = t->first; l < t->end && ks == KERNELS_OK; l++) {
        const struct layer_weights *w = &t->weights->layers[l];
        ks = b->weight_read(t->device->handle, w->q_bias, host);
        if (ks == KERNELS_OK) ks = b->weight_read(t->device->handle, w->k_bias, host + q);
        if (ks == KERNELS_OK) ks = b->weight_read(t->device->handle, w->v_bias, host + q + kv);
        if (ks == KERNELS_OK) ks = b->weight_read(t->device->handle, w->o_bias, host + q + 2 * kv);
        if (ks == KERNELS_OK)
            ks = b->upload(t->device->handle, t->bias + (l - t->first) * width, host, width * sizeof(float));
        if (ks == KERNELS_OK) ks = b->wait(t->device->handle, b->record(t->device->handle)); /* host is used again */
    }
    mem_free(host);
    return device_status(ks, NULL, "biases", err);
}

static enum status open_lower(struct transformer *t, struct error *err);

/* Layers [first, end), on this device. */
static enum status open_layers(struct transformer **out, const struct device *device, const struct model_config *c,
                               const struct model_weights *weights, const struct transformer_limits *limits,
                               size_t first, size_t end, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct kernels_error detail = {0};
    struct scratch list[SCRATCH];
    struct transformer *t = mem_zalloc(1, sizeof(*t));
    if (!t) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the forward pass");
    t->device = device;
    t->config = c;
    t->weights = weights;
    t->limits = *limits;
    t->first = first;
    t->end = end;
    struct kernels_limits reserve;
    transformer_kernels_limits(&reserve, c, limits, transformer_has_int8(device, weights, first, end));
    enum status st = device_status(b->reserve(device->handle, &reserve, &detail), &detail, "scratch memory", err);
    if (st != DOCKET_OK) goto failed;
    const struct kernels_kv_shape shape = kv_shape(c, limits, end - first);
    t->kv = b->kv_create(device->handle, &shape, &detail);
    t->batch = t->kv ? b->batch_create(device->handle, limits->max_rows, limits->max_sequences, &detail) : NULL;
    if (t->batch && asked_rows_init(&t->asked, limits->max_rows, limits->max_sequences, limits->max_outputs))
        t->last_batch = b->batch_create(device->handle, t->asked.max_rows, limits->max_sequences, &detail);
    bool good = t->last_batch != NULL;
    for (size_t i = 0, n = list_scratch(t, c, limits, list); i < n && good; i++) {
        *list[i].slot = b->buffer_allocate(device->handle, list[i].values * sizeof(float), &detail);
        good = *list[i].slot != NULL;
    }
    if (!good) {
        st = device_status(detail.code ? detail.code : KERNELS_NO_MEMORY, &detail, "key/value cache and activations",
                           err);
        goto failed;
    }
    if (!make_tables(t)) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the rotary table");
        goto failed;
    }
    if ((st = upload_biases(t, err)) != DOCKET_OK) goto failed;
    if (first > 0 && (st = open_lower(t, err)) != DOCKET_OK) goto failed;
    if (c->scale_embedding && embeds(t)) t->embedding_scale = embedding_scale(t);
    if (end == c->n_layers && (st = expert_rooms_open(&t->rooms, device, c, weights, err)) != DOCKET_OK) goto failed;
    *out = t;
    return DOCKET_OK;
failed:
    transformer_close(t);
    return st;
}

static enum status open_lower(struct transformer *t, struct error *err)
{
    struct transformer_limits limits = t->limits;
    limits.max_outputs = 0;
    return open_layers(&t->lower, t->device->lower, t->config, t->weights, &limits, 0, t->first, err);
}

enum status transformer_open(struct transformer **out, const struct device *device, const struct model_config *c,
                             const struct model_weights *weights, const struct transformer_limits *limits,
                             struct error *err)
{
    return open_layers(out, device, c, weights, limits, device->placement.lower_layers, c->n_layers, err);
}

void transformer_experts(const struct transformer *t, struct expert_rooms_count *out)
{
    expert_rooms_count(t->rooms, out);
}

void transformer_close(struct transformer *t)
{
    if (!t) return;
    const struct kernels_backend *b = t->device->backend;
    struct kernels_device *d = t->device->handle;
    struct scratch list[SCRATCH];
    transformer_close(t->lower);
    expert_rooms_close(t->rooms);
    for (size_t i = list_scratch(t, t->config, &t->limits, list); i-- > 0;)
        if (*list[i].slot) b->buffer_free(d, *list[i].slot);
    if (t->last_batch) b->batch_free(d, t->last_batch);
    if (t->batch) b->batch_free(d, t->batch);
    asked_rows_free(&t->asked);
    if (t->kv) b->kv_free(d, t->kv);
    mem_free(t->inverse_frequency);
    mem_free(t->zeros);
    mem_free(t);
}

/* The operations' arguments, short. Each returns the kernels' status. */
static enum kernels_status norm(struct transformer *t, const float *x, const struct kernels_weight *w, float *out,
                                size_t rows, size_t cols)
{
    const struct kernels_rmsnorm args = {.x = x,
                                         .weight = w,
                                         .out = out,
                                         .n_rows = rows,
                                         .cols = cols,
                                         .eps = (float)t->config->rms_eps,
                                         .weight_plus_one = t->config->norm_plus_one};
    return t->device->backend->rmsnorm(t->device->handle, &args);
}

static enum kernels_status linear(struct transformer *t, const float *x, const struct kernels_weight *w, float *out,
                                  size_t rows, bool accumulate)
{
    const struct kernels_linear args = {.x = x,
                                        .weight = w,
                                        .out = out,
                                        .n_rows = rows,
                                        .accumulate = accumulate,
                                        .as_gathered = w == t->weights->head};
    return t->device->backend->linear(t->device->handle, &args);
}

static enum kernels_status gather(struct transformer *t, const float *x, float *out, const uint32_t *rows, size_t n,
                                  size_t cols)
{
    const struct kernels_gather_rows args = {.x = x, .out = out, .n_rows = n, .cols = cols, .rows = rows};
    return t->device->backend->gather_rows(t->device->handle, &args);
}

/* x [rows, cols] += the bias at that place of the layer's. */
static enum kernels_status add_bias(struct transformer *t, float *x, size_t layer, size_t at, size_t rows, size_t cols)
{
    const struct kernels_backend *b = t->device->backend;
    if (!t->config->attention_bias) return KERNELS_OK;
    enum kernels_status ks =
        gather(t, t->bias + (layer - t->first) * bias_width(t->config) + at, t->bias_rows, t->zeros, rows, cols);
    return ks == KERNELS_OK ? b->add(t->device->handle, x, t->bias_rows, rows * cols) : ks;
}

/* What comes between projection and rotation: biases, and norms of heads. */
static enum kernels_status finish_queries(struct transformer *t, size_t layer, size_t rows)
{
    const struct model_config *c = t->config;
    const struct layer_weights *w = &t->weights->layers[layer];
    size_t q = c->n_heads * c->head_size, cols = c->qk_norm == QK_NORM_HEAD ? c->head_size : q;
    enum kernels_status ks = add_bias(t, t->q, layer, 0, rows, q);
    if (ks == KERNELS_OK && w->q_norm) ks = norm(t, t->q, w->q_norm, t->q, rows * (q / cols), cols);
    return ks;
}

/* Of the rows y keys and values, in one call, and their queries in the same one. */
static enum kernels_status project(struct transformer *t, size_t layer, size_t rows, bool queries)
{
    const struct model_config *c = t->config;
    const struct layer_weights *w = &t->weights->layers[layer];
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    size_t cols = c->qk_norm == QK_NORM_HEAD ? c->head_size : kv;
    struct kernels_linear args = {.x = t->y, .weight = w->k, .out = t->k, .n_rows = rows};
    args.beside[args.n_beside++] = (struct kernels_beside){w->v, t->v};
    if (queries) args.beside[args.n_beside++] = (struct kernels_beside){w->q, t->q};
    enum kernels_status ks = t->device->backend->linear(t->device->handle, &args);
    if (ks == KERNELS_OK && queries) ks = finish_queries(t, layer, rows);
    if (ks == KERNELS_OK) ks = add_bias(t, t->k, layer, q, rows, kv);
    if (ks == KERNELS_OK) ks = add_bias(t, t->v, layer, q + kv, rows, kv);
    if (ks == KERNELS_OK && w->k_norm) ks = norm(t, t->k, w->k_norm, t->k, rows * (kv / cols), cols);
    return ks;
}

static enum kernels_status rotate(struct transformer *t, size_t layer, const struct kernels_batch *batch, float *q,
                                  float *k, float *v, size_t n_heads)
{
    const struct model_config *c = t->config;
    const struct kernels_rope_kv rope = {.batch = batch,
                                         .q = q,
                                         .k = k,
                                         .v = v,
                                         .kv = t->kv,
                                         .layer = layer - t->first,
                                         .n_heads = n_heads,
                                         .n_kv_heads = c->n_kv_heads,
                                         .head_size = c->head_size,
                                         .inverse_frequency = t->inverse_frequency,
                                         .clip = (float)c->clip_qkv};
    return t->device->backend->rope_kv(t->device->handle, &rope);
}

static enum kernels_status look_at_keys(struct transformer *t, size_t layer, const struct kernels_batch *batch)
{
    const struct model_config *c = t->config;
    const struct kernels_attention attention = {.batch = batch,
                                                .q = t->q,
                                                .kv = t->kv,
                                                .out = t->a,
                                                .layer = layer - t->first,
                                                .n_heads = c->n_heads,
                                                .n_kv_heads = c->n_kv_heads,
                                                .head_size = c->head_size,
                                                .scale = (float)(1.0 / sqrt((double)c->head_size)),
                                                .window = c->window};
    return t->device->backend->attention(t->device->handle, &attention);
}

static enum kernels_status attend(struct transformer *t, size_t layer, size_t rows)
{
    enum kernels_status ks = norm(t, t->x, t->weights->layers[layer].attention_norm, t->y, rows, t->config->dim);
    if (ks == KERNELS_OK) ks = project(t, layer, rows, true);
    if (ks == KERNELS_OK) ks = rotate(t, layer, t->batch, t->q, t->k, t->v, t->config->n_heads);
    return ks == KERNELS_OK ? look_at_keys(t, layer, t->batch) : ks;
}

/* Of the last layer every row's keys and values go into the cache, but only rows that are asked for look at them: a [asked rows, heads].
 * Those rows' keys are gathered before they turn, and turn with the queries of the smaller batch; the cache gets them twice, the
 * same. Scratch: y's rows that are kept in a, later their keys and values in y. */
static enum kernels_status attend_asked(struct transformer *t, size_t layer, size_t rows)
{
    const struct model_config *c = t->config;
    const struct asked_rows *asked = &t->asked;
    size_t n = asked->batch.n_rows, kv = c->n_kv_heads * c->head_size;
    float *k = t->y, *v = t->y + (n * kv + 63) / 64 * 64;
    enum kernels_status ks = norm(t, t->x, t->weights->layers[layer].attention_norm, t->y, rows, c->dim);
    if (ks == KERNELS_OK) ks = project(t, layer, rows, false);
    if (ks == KERNELS_OK && n > 0) ks = gather(t, t->y, t->a, asked->rows, n, c->dim);
    if (ks == KERNELS_OK && n > 0) ks = linear(t, t->a, t->weights->layers[layer].q, t->q, n, false);
    if (ks == KERNELS_OK && n > 0) ks = finish_queries(t, layer, n);
    if (ks == KERNELS_OK && n > 0) ks = gather(t, t->k, k, asked->rows, n, kv);
    if (ks == KERNELS_OK && n > 0) ks = gather(t, t->v, v, asked->rows, n, kv);
    if (ks == KERNELS_OK)
        ks = rotate(t, layer, t->batch, t->a, t->k, t->v, c->n_kv_heads); /* no queries: a is scratch */
    if (ks == KERNELS_OK && n > 0)
        ks = t->device->backend->batch_set(t->device->handle, t->last_batch, &asked->batch, NULL);
    if (ks == KERNELS_OK && n > 0) ks = rotate(t, layer, t->last_batch, t->q, k, v, c->n_heads);
    if (ks == KERNELS_OK && n > 0) ks = look_at_keys(t, layer, t->last_batch);
    return ks;
}

/* True if the last layer can do with fewer rows, within the scratch that there is. */
static bool choose_asked(struct transformer *t, const struct kernels_batch_desc *batch, const uint32_t *rows,
                         size_t n_outputs)
{
    const struct model_config *c = t->config;
    if (!asked_rows_choose(&t->asked, batch, rows, n_outputs)) return false;
    size_t n = t->asked.batch.n_rows, most = t->limits.max_rows, kv = c->n_kv_heads * c->head_size;
    return n * c->dim <= most * c->n_heads * c->head_size && 2 * n * kv + 63 <= most * c->dim;
}

void transformer_set_watch(struct transformer *t, const struct transformer_watch *watch)
{
    t->watch = watch;
}

static enum kernels_status show(const struct transformer *t, size_t point, const float *x, size_t rows)
{
    if (!t->watch) return KERNELS_OK;
    return t->watch->seen(t->watch->context, point, x, rows) == DOCKET_OK ? KERNELS_OK : KERNELS_FAILED;
}

/* x += o(attention), then x += ffn(norm(x)). */
static enum kernels_status feed_forward(struct transformer *t, size_t layer, float *x, float *y, const float *a,
                                        size_t rows)
{
    const struct model_config *c = t->config;
    const struct kernels_backend *b = t->device->backend;
    const struct layer_weights *w = &t->weights->layers[layer];
    const struct kernels_route route = {.x = y,
                                        .weight = w->router,
                                        .ids = t->route_ids,
                                        .weights = t->route_weights,
                                        .n_rows = rows,
                                        .top_k = c->top_k,
                                        .renormalize = c->renormalize};
    struct kernels_expert_ffn ffn = {.x = y,
                                     .gate = (const struct kernels_weight *const *)w->gate,
                                     .up = (const struct kernels_weight *const *)w->up,
                                     .down = (const struct kernels_weight *const *)w->down,
                                     .n_experts = w->n_experts,
                                     .ids = w->router ? t->route_ids : NULL,
                                     .weights = w->router ? t->route_weights : NULL,
                                     .out = x,
                                     .n_rows = rows,
                                     .top_k = w->router ? c->top_k : 1,
                                     .activation = c->activation};
    enum kernels_status ks = linear(t, a, w->o, x, rows, true);
    if (ks == KERNELS_OK) ks = add_bias(t, x, layer, bias_width(c) - c->dim, rows, c->dim);
    if (ks == KERNELS_OK) ks = show(t, 1 + 2 * layer, x, rows);
    if (ks == KERNELS_OK) ks = norm(t, x, w->ffn_norm, y, rows, c->dim);
    if (ks == KERNELS_OK && w->router) ks = b->route(t->device->handle, &route);
    bool in_rooms = t->rooms && w->router;
    if (ks == KERNELS_OK && in_rooms) ks = expert_rooms_enter(t->rooms, layer, y, &ffn);
    if (ks == KERNELS_OK) ks = b->expert_ffn(t->device->handle, &ffn);
    if (ks == KERNELS_OK && in_rooms) ks = expert_rooms_leave(t->rooms);
    if (ks == KERNELS_OK) ks = show(t, 2 + 2 * layer, x, rows);
    return ks;
}

/* Waits for what was queued, if it is time to; after a failure always, so that the device is whole again for the next pass, where it can
 * be. */
static enum kernels_status settle(struct transformer *t, enum kernels_status ks, bool wait,
                                  struct kernels_error *detail)
{
    struct kernels_error late = {0};
    if (ks == KERNELS_OK && !wait) return ks;
    enum kernels_status after = t->device->backend->synchronize(t->device->handle, &late);
    if (late.code != KERNELS_OK && (detail->code == KERNELS_OK || after == KERNELS_DEVICE_LOST)) *detail = late;
    return ks == KERNELS_OK || after == KERNELS_DEVICE_LOST ? after : ks;
}

static enum kernels_status embed(struct transformer *t)
{
    const struct kernels_embed args = {
        .table = t->weights->embedding, .batch = t->batch, .out = t->x, .scale = t->embedding_scale};
    return t->device->backend->embed(t->device->handle, &args);
}

/* The layers of the CPU, whose memory is the host's: what they begin with comes from above where the embedding lies there. */
static enum kernels_status run_lower(struct transformer *t, const struct kernels_batch_desc *batch,
                                     struct kernels_error *detail)
{
    struct transformer *low = t->lower;
    const struct kernels_backend *b = low->device->backend;
    size_t bytes = batch->n_rows * t->config->dim * sizeof(float);
    enum kernels_status ks = b->batch_set(low->device->handle, low->batch, batch, detail);
    if (ks == KERNELS_OK && embeds(low)) ks = embed(low);
    if (ks == KERNELS_OK && !embeds(low)) {
        ks = embed(t);
        if (ks == KERNELS_OK) ks = t->device->backend->download(t->device->handle, low->x, t->x, bytes);
    }
    for (size_t l = 0; l < low->end && ks == KERNELS_OK; l++) {
        ks = attend(low, l, batch->n_rows);
        if (ks == KERNELS_OK) ks = feed_forward(low, l, low->x, low->y, low->a, batch->n_rows);
    }
    enum kernels_status after = b->synchronize(low->device->handle, detail);
    if (ks == KERNELS_OK) ks = after;
    return ks == KERNELS_OK ? t->device->backend->upload(t->device->handle, t->x, low->x, bytes) : ks;
}

void transformer_record_steps(struct transformer *t, bool on)
{
    t->steps_off = !on;
}

/* What goes on behind the last layer's attention: rows that are asked for, and only they. */
static enum kernels_status finish_asked(struct transformer *t, size_t layer, const uint32_t *rows, size_t n_outputs,
                                        bool fewer)
{
    const struct model_config *c = t->config;
    enum kernels_status ks = gather(t, t->x, t->o, rows, n_outputs, c->dim);
    if (ks == KERNELS_OK)
        ks = gather(t, t->a, t->q, fewer ? t->asked.outputs : rows, n_outputs, c->n_heads * c->head_size);
    if (ks == KERNELS_OK) ks = feed_forward(t, layer, t->o, t->h, t->q, n_outputs);
    return ks == KERNELS_OK ? norm(t, t->o, t->weights->norm, t->h, n_outputs, c->dim) : ks;
}

/* All that is queued on this device for a pass whose batch is set. all_asked: every row is. */
static enum kernels_status run_layers(struct transformer *t, const struct kernels_batch_desc *batch,
                                      const uint32_t *rows, size_t n_outputs, bool all_asked)
{
    size_t n = batch->n_rows, last = t->config->n_layers - 1;
    enum kernels_status ks = t->lower ? KERNELS_OK : embed(t);
    if (ks == KERNELS_OK) ks = show(t, 2 * t->first, t->x, n);
    for (size_t l = t->first; l < last && ks == KERNELS_OK; l++) {
        ks = attend(t, l, n);
        if (ks == KERNELS_OK) ks = feed_forward(t, l, t->x, t->y, t->a, n);
    }
    if (ks != KERNELS_OK) return ks;
    if (all_asked) {
        ks = attend(t, last, n);
        if (ks == KERNELS_OK) ks = feed_forward(t, last, t->x, t->y, t->a, n);
        return ks == KERNELS_OK ? norm(t, t->x, t->weights->norm, t->h, n, t->config->dim) : ks;
    }
    /* Of the last layer only the rows that are asked for look at keys, and go on behind that. */
    bool fewer = choose_asked(t, batch, rows, n_outputs);
    ks = fewer ? attend_asked(t, last, n) : attend(t, last, n);
    return ks == KERNELS_OK && n_outputs > 0 ? finish_asked(t, last, rows, n_outputs, fewer) : ks;
}

/* Says once why a step could not be recorded. */
static void tell_steps(struct transformer *t)
{
    struct kernels_description facts;
    if (t->steps_told) return;
    t->device->backend->describe(t->device->handle, &facts);
    log_event(LOG_WARN, EVENT_step_not_recorded, F_STR("reason", facts.steps_note));
    t->steps_told = true;
}

/* The same as a step: a pass of which every row is asked for, as in generation, and in which the host has no say. */
static enum kernels_status run_step(struct transformer *t, const struct kernels_batch_desc *batch, const uint32_t *rows)
{
    const struct kernels_backend *b = t->device->backend;
    const struct kernels_step step = {.batch = t->batch, .kv = t->kv, .n_heads = t->config->n_heads, .name = t};
    bool done = false, again = false;
    enum kernels_status ks = b->step_begin(t->device->handle, &step, &done);
    if (ks != KERNELS_OK || done) return ks;
    ks = run_layers(t, batch, rows, batch->n_rows, true);
    enum kernels_status ended = b->step_end(t->device->handle, &again);
    if (!again) return ks == KERNELS_OK ? ended : ks;
    tell_steps(t);
    return run_layers(t, batch, rows, batch->n_rows, true);
}

enum status transformer_forward(struct transformer *t, const struct kernels_batch_desc *batch, const uint32_t *rows,
                                size_t n_outputs, const float **hidden, struct error *err)
{
    struct kernels_error detail = {0};
    size_t n = batch->n_rows;
    if (n == 0 || n > t->limits.max_rows || n_outputs > t->limits.max_outputs)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error,
                    "a pass of %zu rows with %zu outputs is beyond its limits", n, n_outputs);
    bool all_asked = n_outputs == n;
    for (size_t i = 0; i < n && all_asked; i++) all_asked = rows[i] == i;
    bool step = all_asked && !t->lower && !t->rooms && !t->watch && !t->steps_off;
    enum kernels_status ks = t->device->backend->batch_set(t->device->handle, t->batch, batch, &detail);
    if (ks == KERNELS_OK && t->lower) ks = run_lower(t, batch, &detail);
    if (ks == KERNELS_OK) ks = step ? run_step(t, batch, rows) : run_layers(t, batch, rows, n_outputs, all_asked);
    /* Where logits follow, they are queued behind the pass without a wait in between, and report what failed in it. */
    ks = settle(t, ks, n_outputs == 0, &detail);
    t->n_outputs = ks == KERNELS_OK ? n_outputs : 0;
    if (hidden) *hidden = t->h;
    return device_status(ks, &detail, "forward pass", err);
}

enum status transformer_gather_logits(struct transformer *t, const uint32_t *output, const int32_t *token_ids,
                                      size_t n_items, float *logits, struct error *err)
{
    const struct kernels_backend *b = t->device->backend;
    struct kernels_error detail = {0};
    enum kernels_status ks = KERNELS_OK;
    for (size_t at = 0; at < n_items && ks == KERNELS_OK; at += GATHER_ITEMS) {
        size_t n = n_items - at < GATHER_ITEMS ? n_items - at : GATHER_ITEMS;
        const struct kernels_gather_logits args = {.x = t->h,
                                                   .head = t->weights->head,
                                                   .out = t->logits,
                                                   .n_items = n,
                                                   .rows = output + at,
                                                   .token_ids = token_ids + at};
        ks = b->gather_logits(t->device->handle, &args);
        if (ks == KERNELS_OK) ks = b->download(t->device->handle, logits + at, t->logits, n * sizeof(float));
    }
    ks = settle(t, ks, true, &detail);
    return device_status(ks, &detail, "label logits", err);
}

enum status transformer_all_logits(struct transformer *t, size_t first, size_t n, float *logits, struct error *err)
{
    const struct kernels_backend *b = t->device->backend;
    size_t vocab = t->config->vocab;
    struct kernels_error detail = {0};
    if (n > ALL_LOGITS_ROWS || first + n > t->n_outputs)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "logits of rows %zu to %zu of %zu", first, first + n,
                    t->n_outputs);
    enum kernels_status ks = linear(t, t->h + first * t->config->dim, t->weights->head, t->logits, n, false);
    if (ks == KERNELS_OK) ks = b->download(t->device->handle, logits, t->logits, n * vocab * sizeof(float));
    ks = settle(t, ks, true, &detail);
    return device_status(ks, &detail, "logits", err);
}
