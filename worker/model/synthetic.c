/* synthetic.c: fills a model with random numbers. A band of rows is quantized once for each width and format and repeated, from
 * another row each time, so that the largest models are made at the speed of copying. */
#include "worker/model/synthetic.h"

#include "kernels/formats/half.h"
#include "worker/base/alloc.h"
#include "worker/model/checkpoint.h"
#include "worker/model/load.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAND_ROWS ((size_t)256)
#define UNIT_ELEMENTS                                                                                                  \
    ((size_t)16384) /* at whose multiples every part of every format begins anew; weight_write wants them too */
#define STOCKS        24
#define SOURCE_VALUES (64 * UNIT_ELEMENTS)

enum kind { KIND_NORM, KIND_ROUTER, KIND_TABLE, KIND_MATRIX };

struct wanted {
    char name[96]; /* as checkpoints call it */
    struct kernels_weight **slot;
    size_t rows, cols;
    enum kind kind;
    enum model_part part; /* N_MODEL_PARTS: never quantized */
};
typedef enum status (*visitor)(void *context, const struct wanted *wanted, struct error *err);

/* --- which weights there are --- */

struct walk {
    const struct model_config *config;
    struct model_weights *weights;
    visitor visit;
    void *context;
    struct error *err;
};

static enum status see(const struct walk *w, const char *name, struct kernels_weight **slot, size_t rows, size_t cols,
                       enum kind kind, enum model_part part)
{
    struct wanted one = {.slot = slot, .rows = rows, .cols = cols, .kind = kind, .part = part};
    snprintf(one.name, sizeof(one.name), "%s", name);
    return w->visit(w->context, &one, w->err);
}

static enum status walk_attention(const struct walk *w, size_t l)
{
    const struct model_config *c = w->config;
    struct layer_weights *layer = &w->weights->layers[l];
    size_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    bool by_head = c->qk_norm == QK_NORM_HEAD, normed = c->qk_norm != QK_NORM_NONE;
    const struct {
        bool there;
        const char *name;
        struct kernels_weight **slot;
        size_t rows, cols;
    } list[] = {
        {true, "input_layernorm", &layer->attention_norm, 1, c->dim},
        {true, "self_attn.q_proj", &layer->q, q, c->dim},
        {true, "self_attn.k_proj", &layer->k, kv, c->dim},
        {true, "self_attn.v_proj", &layer->v, kv, c->dim},
        {true, "self_attn.o_proj", &layer->o, c->dim, q},
        {normed, "self_attn.q_norm", &layer->q_norm, 1, by_head ? c->head_size : q},
        {normed, "self_attn.k_norm", &layer->k_norm, 1, by_head ? c->head_size : kv},
        {true, "post_attention_layernorm", &layer->ffn_norm, 1, c->dim},
    };
    char name[96];
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(list) && st == DOCKET_OK; i++) {
        bool norm = list[i].rows == 1;
        snprintf(name, sizeof(name), "model.layers.%zu.%s.weight", l, list[i].name);
        if (list[i].there)
            st = see(w, name, list[i].slot, list[i].rows, list[i].cols, norm ? KIND_NORM : KIND_MATRIX,
                     norm ? N_MODEL_PARTS : PART_ATTENTION);
    }
    return st;
}

static enum status walk_feed_forward(const struct walk *w, size_t l)
{
    const struct model_config *c = w->config;
    struct layer_weights *layer = &w->weights->layers[l];
    bool mixtral = strcmp(c->architecture, "MixtralForCausalLM") == 0;
    const char *room = c->n_experts && mixtral ? "block_sparse_moe" : "mlp";
    const char *const names[] = {mixtral && c->n_experts ? "w1" : "gate_proj",
                                 mixtral && c->n_experts ? "w3" : "up_proj",
                                 mixtral && c->n_experts ? "w2" : "down_proj"};
    char name[96];
    enum status st = DOCKET_OK;
    snprintf(name, sizeof(name), "model.layers.%zu.%s.gate.weight", l, room);
    if (c->n_experts) st = see(w, name, &layer->router, c->n_experts, c->dim, KIND_ROUTER, N_MODEL_PARTS);
    for (size_t e = 0; e < layer->n_experts; e++) {
        struct kernels_weight **const slots[] = {&layer->gate[e], &layer->up[e], &layer->down[e]};
        for (size_t i = 0; i < 3 && st == DOCKET_OK; i++) {
            if (c->n_experts)
                snprintf(name, sizeof(name), "model.layers.%zu.%s.experts.%zu.%s.weight", l, room, e, names[i]);
            else
                snprintf(name, sizeof(name), "model.layers.%zu.%s.%s.weight", l, room, names[i]);
            st =
                see(w, name, slots[i], i < 2 ? c->ffn_dim : c->dim, i < 2 ? c->dim : c->ffn_dim, KIND_MATRIX, PART_FFN);
        }
    }
    return st;
}

static enum status walk(const struct walk *w)
{
    const struct model_config *c = w->config;
    enum status st =
        see(w, "model.embed_tokens.weight", &w->weights->embedding, c->vocab, c->dim, KIND_TABLE, PART_EMBEDDING);
    for (size_t l = 0; l < c->n_layers && st == DOCKET_OK; l++) {
        st = walk_attention(w, l);
        if (st == DOCKET_OK) st = walk_feed_forward(w, l);
    }
    if (st == DOCKET_OK) st = see(w, "model.norm.weight", &w->weights->norm, 1, c->dim, KIND_NORM, N_MODEL_PARTS);
    if (st == DOCKET_OK && !c->tied_head)
        st = see(w, "lm_head.weight", &w->weights->head, c->vocab, c->dim, KIND_MATRIX, PART_HEAD);
    return st;
}

static struct kernels_weight_desc desc_of(const struct wanted *w, const struct quantization *quantization)
{
    struct kernels_weight_desc desc = {.format = KERNELS_BF16, .rows = w->rows, .cols = w->cols};
    if (w->part != N_MODEL_PARTS) quantization_of(quantization, w->part, &desc.format);
    return desc;
}

/* --- how large they are --- */

struct sum {
    const struct device *device;
    const struct quantization *quantization;
    size_t total;
};

static enum status add_size(void *context, const struct wanted *w, struct error *err)
{
    struct sum *s = context;
    struct kernels_weight_desc desc = desc_of(w, s->quantization);
    size_t bytes = s->device->backend->weight_size(s->device->handle, &desc);
    if (bytes == 0)
        return fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported,
                    "%s: the %s backend has no %s weights of this shape", w->name, s->device->backend->name,
                    docket_kernels_format_name(desc.format));
    if (!size_add(s->total, bytes, &s->total))
        return fail(err, DOCKET_LIMIT, CODE_model_config_unsupported, "the model's size does not fit in 64 bits");
    return DOCKET_OK;
}

enum status synthetic_predict(size_t *weight_bytes, const struct device *device, const struct model_config *config,
                              const struct quantization *quantization, struct error *err)
{
    struct model_weights weights = {0};
    struct sum sum = {device, quantization, 0};
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = walk(&(struct walk){config, &weights, add_size, &sum, err});
    if (st == DOCKET_OK) *weight_bytes = sum.total;
    model_weights_free(&weights, device);
    return st;
}

/* --- numbers --- */

static float uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)((*state >> 40) + 1) * 0x1p-24f; /* (0, 1] */
}

/* Gaussian, by pairs. */
static void fill_gaussian(float *out, size_t n, float deviation, uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < n; i += 2) {
        float radius = deviation * sqrtf(-2.0f * logf(uniform(&state))), angle = 6.2831853f * uniform(&state);
        out[i] = radius * cosf(angle);
        if (i + 1 < n) out[i + 1] = radius * sinf(angle);
    }
}

static float deviation_of(const struct wanted *w)
{
    return w->kind == KIND_TABLE ? 1.0f : 1.0f / sqrtf((float)w->cols);
}

/* --- stocks: what weights of one format and width are cut from --- */

struct stock {
    enum kernels_format format; /* KERNELS_BF16: `values` is all there is */
    size_t cols, rows;          /* that it has, the spare band included */
    float deviation;
    uint16_t *values; /* [SOURCE_VALUES] */
    void *memory;
    struct kernels_parts parts;
    struct kernels_parts_size band; /* of BAND_ROWS */
};

struct maker {
    const struct device *device;
    const struct model_config *config;
    const struct quantization *quantization;
    const atomic_bool *stop;
    struct stock stocks[STOCKS];
    size_t n_stocks, n_made;
};

static void stock_free(struct stock *s)
{
    mem_free(s->values);
    mem_free(s->memory);
    *s = (struct stock){0};
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for random numbers");
}

#define N_PARTS 7

static void list_sizes(const struct kernels_parts_size *s, size_t out[N_PARTS])
{
    const size_t all[N_PARTS] = {s->codes,      s->absmax, s->absmax_codes, s->nested_absmax,
                                 s->nested_map, s->scales, s->zeros};
    memcpy(out, all, sizeof(all));
}

static void point(struct kernels_parts *p, unsigned char *const at[N_PARTS])
{
    p->codes = at[0];
    p->absmax = (float *)(void *)at[1];
    p->absmax_codes = at[2];
    p->nested_absmax = (float *)(void *)at[3];
    p->nested_map = (float *)(void *)at[4];
    p->scales = (uint16_t *)(void *)at[5];
    p->zeros = (uint16_t *)(void *)at[6];
}

/* Room for `times` bands of parts, each part's bands one behind the other. The map of nested scales is there once. */
static void *hold(struct kernels_parts *p, const struct kernels_parts_size *band, size_t times)
{
    size_t sizes[N_PARTS], total = 0;
    unsigned char *at[N_PARTS];
    list_sizes(band, sizes);
    for (size_t i = 0; i < N_PARTS; i++) total += (sizes[i] * (i == 4 ? 1 : times) + 63) / 64 * 64;
    unsigned char *memory = mem_alloc_aligned(total ? total : 64, 64), *free_at = memory;
    for (size_t i = 0; memory && i < N_PARTS; i++) {
        at[i] = free_at;
        free_at += (sizes[i] * (i == 4 ? 1 : times) + 63) / 64 * 64;
    }
    if (memory) point(p, at);
    return memory;
}

/* Quantizes the band and repeats it until `rows` and one band more are there. */
static enum status fill_parts(struct stock *s, struct error *err)
{
    struct kernels_error detail = {0};
    const struct kernels_weight_desc desc = {s->format, BAND_ROWS, s->cols};
    size_t times = s->rows / BAND_ROWS, sizes[N_PARTS];
    enum kernels_status ks = docket_kernels_parts_size(&desc, 0, &s->band);
    float *values = mem_alloc(BAND_ROWS * s->cols * sizeof(float));
    s->memory = ks == KERNELS_OK ? hold(&s->parts, &s->band, times) : NULL;
    if (ks == KERNELS_OK && (!values || !s->memory)) {
        mem_free(values);
        return no_memory(err);
    }
    if (ks == KERNELS_OK) {
        fill_gaussian(values, BAND_ROWS * s->cols, s->deviation, s->cols * 31 + (size_t)s->format);
        ks = docket_quantize(&desc, values, &s->parts, &detail);
    }
    mem_free(values);
    if (ks != KERNELS_OK) return device_status(ks, &detail, "random weights", err);
    unsigned char *const at[N_PARTS] = {s->parts.codes,
                                        (unsigned char *)s->parts.absmax,
                                        s->parts.absmax_codes,
                                        (unsigned char *)s->parts.nested_absmax,
                                        NULL,
                                        (unsigned char *)s->parts.scales,
                                        (unsigned char *)s->parts.zeros};
    list_sizes(&s->band, sizes);
    for (size_t i = 0; i < N_PARTS; i++)
        for (size_t t = 1; t < times && at[i]; t++) memcpy(at[i] + t * sizes[i], at[i], sizes[i]);
    return DOCKET_OK;
}

static enum status fill_values(struct stock *s, struct error *err)
{
    float *values = mem_alloc(SOURCE_VALUES * sizeof(float));
    s->values = mem_zalloc(SOURCE_VALUES, sizeof(*s->values));
    if (!values || !s->values) {
        mem_free(values);
        return no_memory(err);
    }
    fill_gaussian(values, SOURCE_VALUES, s->deviation, s->cols * 31);
    for (size_t i = 0; i < SOURCE_VALUES; i++) s->values[i] = half_bf16_from_f32(values[i]);
    mem_free(values);
    return DOCKET_OK;
}

/* The stock of that kind; grown when it has too few rows. */
static enum status take_stock(struct stock **out, struct maker *m, enum kernels_format format, size_t rows, size_t cols,
                              float deviation, struct error *err)
{
    struct stock *s = NULL;
    size_t need = (rows + BAND_ROWS - 1) / BAND_ROWS * BAND_ROWS + BAND_ROWS;
    for (size_t i = 0; i < m->n_stocks && !s; i++)
        if (m->stocks[i].format == format && m->stocks[i].cols == cols && m->stocks[i].deviation == deviation)
            s = &m->stocks[i];
    if (!s && m->n_stocks == STOCKS)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "more than %d kinds of random weights", STOCKS);
    if (!s) s = &m->stocks[m->n_stocks++];
    *out = s;
    if (s->values || (s->memory && s->rows >= need)) return DOCKET_OK;
    stock_free(s);
    *s = (struct stock){.format = format, .cols = cols, .rows = need, .deviation = deviation};
    enum status st = format == KERNELS_BF16 ? fill_values(s, err) : fill_parts(s, err);
    if (st != DOCKET_OK) stock_free(s);
    return st;
}

/* --- making them --- */

/* In pieces, each from another place of the values. */
static enum status write_values(struct maker *m, const struct stock *s, const struct wanted *w,
                                const struct kernels_weight_desc *desc, struct error *err)
{
    const struct kernels_backend *b = m->device->backend;
    struct kernels_error detail = {0};
    size_t n = w->rows * w->cols, half = SOURCE_VALUES / 2;
    struct kernels_weight *weight = b->weight_begin(m->device->handle, desc, &detail);
    if (!weight) return device_status(detail.code ? detail.code : KERNELS_NO_MEMORY, &detail, w->name, err);
    enum kernels_status ks = KERNELS_OK;
    for (size_t at = 0, step = m->n_made; at < n && ks == KERNELS_OK; at += half, step++)
        ks = b->weight_write(m->device->handle, weight, KERNELS_BF16, s->values + step % 32 * UNIT_ELEMENTS,
                             n - at < half ? n - at : half, &detail);
    if (ks == KERNELS_OK) ks = b->weight_finish(m->device->handle, weight, &detail);
    if (ks == KERNELS_OK)
        *w->slot = weight;
    else
        b->weight_free(m->device->handle, weight);
    return device_status(ks, &detail, w->name, err);
}

/* Norms: 1, or 0 where 1 is added to them. */
static enum status write_norm(struct maker *m, const struct wanted *w, const struct kernels_weight_desc *desc,
                              struct error *err)
{
    struct stock ones = {.values = mem_zalloc(SOURCE_VALUES, sizeof(uint16_t))};
    if (!ones.values) return no_memory(err);
    for (size_t i = 0; i < SOURCE_VALUES; i++)
        ones.values[i] = half_bf16_from_f32(m->config->norm_plus_one ? 0.0f : 1.0f);
    enum status st = write_values(m, &ones, w, desc, err);
    m->device->backend->wait(m->device->handle, m->device->backend->record(m->device->handle));
    mem_free(ones.values);
    return st;
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static enum status place_parts(struct maker *m, const struct stock *s, const struct wanted *w,
                               const struct kernels_weight_desc *desc, struct error *err)
{
    struct kernels_error detail = {0};
    struct kernels_parts p = s->parts;
    size_t unit_rows = UNIT_ELEMENTS / common_divisor(w->cols, UNIT_ELEMENTS), sizes[N_PARTS];
    size_t row = unit_rows < BAND_ROWS ? m->n_made * 7 % (BAND_ROWS / unit_rows) * unit_rows : 0;
    list_sizes(&s->band, sizes);
    unsigned char *at[N_PARTS] = {
        p.codes, (unsigned char *)p.absmax, p.absmax_codes,          (unsigned char *)p.nested_absmax,
        NULL,    (unsigned char *)p.scales, (unsigned char *)p.zeros};
    for (size_t i = 0; i < N_PARTS; i++)
        if (at[i]) at[i] += sizes[i] * row / BAND_ROWS;
    at[4] = (unsigned char *)p.nested_map;
    point(&p, at);
    *w->slot = m->device->backend->weight_from_parts(m->device->handle, desc, &p, &detail);
    if (*w->slot) return DOCKET_OK;
    return device_status(detail.code ? detail.code : KERNELS_NO_MEMORY, &detail, w->name, err);
}

static enum status make(void *context, const struct wanted *w, struct error *err)
{
    struct maker *m = context;
    struct stock *stock = NULL;
    const struct kernels_weight_desc desc = desc_of(w, m->quantization);
    if (m->stop && atomic_load(m->stop)) return fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped at %s", w->name);
    m->n_made++;
    if (w->kind == KIND_NORM) return write_norm(m, w, &desc, err);
    /* Blocks of rows that do not come out even are quantized by the backend. */
    bool whole = docket_kernels_format_has_parts(desc.format) && w->cols % 64 == 0;
    enum status st =
        take_stock(&stock, m, whole ? desc.format : KERNELS_BF16, whole ? w->rows : 0, w->cols, deviation_of(w), err);
    if (st != DOCKET_OK) return st;
    return whole ? place_parts(m, stock, w, &desc, err) : write_values(m, stock, w, &desc, err);
}

enum status synthetic_weights(struct model_weights *out, const struct device *device, const struct model_config *config,
                              const struct quantization *quantization, const atomic_bool *stop, struct error *err)
{
    struct kernels_error detail = {0};
    struct model_weights weights = {0};
    struct maker m = {.device = device, .config = config, .quantization = quantization, .stop = stop};
    const struct kernels_backend *b = device->backend;
    size_t total = 0;
    enum status st = synthetic_predict(&total, device, config, quantization, err);
    if (st == DOCKET_OK) st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) /* in one piece, as loading does: a driver rounds each piece up */
        st = device_status(b->weights_reserve(device->handle, total, &detail), &detail, "random weights", err);
    if (st == DOCKET_OK) st = walk(&(struct walk){config, &weights, make, &m, err});
    enum kernels_status ks = b->synchronize(device->handle, &detail); /* the stocks are sources until here */
    if (st == DOCKET_OK) st = device_status(ks, &detail, "random weights", err);
    if (st == DOCKET_OK && config->tied_head) weights.head = weights.embedding;
    for (size_t i = 0; i < m.n_stocks; i++) stock_free(&m.stocks[i]);
    if (st == DOCKET_OK) MOVE(*out, weights);
    model_weights_free(&weights, device);
    if (st != DOCKET_OK) b->weights_reserve(device->handle, 0, NULL); /* where not one weight was made */
    return st;
}

/* --- as files --- */

struct writer {
    struct checkpoint *out;
    uint16_t *values; /* [SOURCE_VALUES] Gaussian of deviation 1 / 64: near enough to all widths */
    uint16_t *ones;
    size_t n_written;
};

static enum status write_tensor(void *context, const struct wanted *w, struct error *err)
{
    struct writer *f = context;
    const uint64_t shape[2] = {w->rows, w->cols};
    size_t n = w->rows * w->cols, half = SOURCE_VALUES / 2;
    bool norm = w->kind == KIND_NORM;
    enum status st = checkpoint_begin(f->out, w->name, DTYPE_BF16, norm ? 1 : 2, norm ? &shape[1] : shape, err);
    for (size_t at = 0; at < n && st == DOCKET_OK; at += half) {
        const uint16_t *from = norm ? f->ones : f->values + f->n_written++ % 32 * UNIT_ELEMENTS;
        st = checkpoint_append(f->out, from, (n - at < half ? n - at : half) * sizeof(uint16_t), err);
    }
    return st;
}

enum status synthetic_write(const char *folder, const struct model_config *config, uint64_t shard_bytes,
                            uint64_t *size_bytes, struct error *err)
{
    struct model_weights weights = {0};
    struct stock numbers = {.cols = 1, .deviation = 1.0f / 64}, ones = {.cols = 2, .deviation = 0};
    struct writer f = {0};
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = fill_values(&numbers, err);
    if (st == DOCKET_OK) st = fill_values(&ones, err);
    if (st == DOCKET_OK) st = checkpoint_open(&f.out, folder, shard_bytes, err);
    f.values = numbers.values;
    f.ones = ones.values;
    if (st == DOCKET_OK)
        for (size_t i = 0; i < SOURCE_VALUES; i++) f.ones[i] = half_bf16_from_f32(config->norm_plus_one ? 0.0f : 1.0f);
    if (st == DOCKET_OK) st = walk(&(struct walk){config, &weights, write_tensor, &f, err});
    if (st == DOCKET_OK) st = checkpoint_finish(f.out, err);
    if (st == DOCKET_OK) *size_bytes = checkpoint_bytes(f.out);
    checkpoint_close(f.out);
    stock_free(&numbers);
    stock_free(&ones);
    const struct device nothing = {0};
    model_weights_free(&weights, &nothing);
    return st;
}
