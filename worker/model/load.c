/* load.c: the pipeline from files to weights. A reader thread fills a ring of buffers in the order of the files; the calling
 * thread hands each to the backend, which quantizes it with all its threads. */
#include "worker/model/load.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (16 * MIB) /* large enough for a network volume's rate; a multiple of what weight_write wants */
#define N_CHUNKS    4
#define AS_STORED   N_MODEL_PARTS /* the part of what is never quantized */

/* One tensor of the model and where it goes. */
struct item {
    const struct tensor_info *tensor;
    struct kernels_weight **slot;
    struct kernels_weight_desc desc;
};

struct plan {
    struct model_weights *weights;
    struct item *items;
    size_t n_items, capacity;
    const struct model_config *config;
    const struct tensor_files *files;
    const struct quantization *quantization;
    struct error *err;
};

static bool source_format(enum tensor_dtype dtype, enum kernels_format *out)
{
    switch (dtype) {
    case DTYPE_F32:
        *out = KERNELS_F32;
        return true;
    case DTYPE_F16:
        *out = KERNELS_F16;
        return true;
    case DTYPE_BF16:
        *out = KERNELS_BF16;
        return true;
    default:
        return false;
    }
}

/* Adds the tensor of that name; rows 1 with rank 1 is a vector. */
static enum status want(struct plan *plan, struct kernels_weight **slot, size_t rows, size_t cols, unsigned rank,
                        enum model_part part, const char *name)
{
    const struct tensor_info *t = tensor_find(plan->files, name);
    struct item item = {.tensor = t, .slot = slot, .desc = {.rows = rows, .cols = cols}};
    if (!t) return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: the tensor is missing", name);
    const char *file = tensor_file_name(plan->files, t->file);
    bool shape = t->rank == rank && (rank == 1 ? t->shape[0] == cols : t->shape[0] == rows && t->shape[1] == cols);
    if (!shape) {
        char found[96] = "[";
        for (unsigned i = 0; i < t->rank && i < 4; i++)
            snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%llu", i ? ", " : "",
                     (unsigned long long)t->shape[i]);
        return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: %s: want shape [%zu, %zu], found %s%s]",
                    file, name, rows, cols, found, t->rank > 4 ? ", …" : "");
    }
    if (!source_format(t->dtype, &item.desc.format))
        return fail(plan->err, DOCKET_UNSUPPORTED, CODE_model_tensor_invalid,
                    "%s: %s: %s tensors are not read, only F32, F16 and BF16", file, name, tensor_dtype_name(t->dtype));
    if (part != AS_STORED) quantization_of(plan->quantization, part, &item.desc.format);
    if (plan->n_items == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 256;
        struct item *items = mem_resize(plan->items, capacity, sizeof(*items));
        if (!items) return fail(plan->err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of tensors");
        plan->items = items;
        plan->capacity = capacity;
    }
    plan->items[plan->n_items++] = item;
    return DOCKET_OK;
}

static enum status want_layer(struct plan *plan, size_t l)
{
    const struct model_config *c = plan->config;
    struct layer_weights *w = &plan->weights->layers[l];
    size_t dim = c->dim, q_rows = c->n_heads * c->head_size, kv_rows = c->n_kv_heads * c->head_size;
    const struct {
        struct kernels_weight **slot;
        size_t rows, cols;
        unsigned rank;
        enum model_part part;
        const char *name;
    } parts[] = {
        {&w->attention_norm, 1, dim, 1, AS_STORED, "input_layernorm"},
        {&w->q, q_rows, dim, 2, PART_ATTENTION, "self_attn.q_proj"},
        {&w->k, kv_rows, dim, 2, PART_ATTENTION, "self_attn.k_proj"},
        {&w->v, kv_rows, dim, 2, PART_ATTENTION, "self_attn.v_proj"},
        {&w->o, dim, q_rows, 2, PART_ATTENTION, "self_attn.o_proj"},
        {&w->ffn_norm, 1, dim, 1, AS_STORED, "post_attention_layernorm"},
        {&w->router, c->n_experts, dim, 2, AS_STORED, "block_sparse_moe.gate"},
    };
    char name[128];
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(parts) && st == DOCKET_OK; i++) {
        if (parts[i].rows == 0) continue;
        snprintf(name, sizeof(name), "model.layers.%zu.%s.weight", l, parts[i].name);
        st = want(plan, parts[i].slot, parts[i].rows, parts[i].cols, parts[i].rank, parts[i].part, name);
    }
    for (size_t e = 0; e < plan->weights->n_experts && st == DOCKET_OK; e++) {
        struct kernels_weight **slots[3] = {&w->gate[e], &w->down[e], &w->up[e]};
        static const char *const dense[3] = {"gate_proj", "down_proj", "up_proj"};
        for (int i = 0; i < 3 && st == DOCKET_OK; i++) { /* w1 gate, w2 down, w3 up */
            if (c->n_experts)
                snprintf(name, sizeof(name), "model.layers.%zu.block_sparse_moe.experts.%zu.w%d.weight", l, e, i + 1);
            else
                snprintf(name, sizeof(name), "model.layers.%zu.mlp.%s.weight", l, dense[i]);
            st = want(plan, slots[i], i == 1 ? dim : c->ffn_dim, i == 1 ? c->ffn_dim : dim, 2, PART_FFN, name);
        }
    }
    return st;
}

static int by_place(const void *a, const void *b)
{
    const struct tensor_info *x = ((const struct item *)a)->tensor, *y = ((const struct item *)b)->tensor;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Rotary tables that old checkpoints carry are computed, not read. */
static bool may_be_left(const char *name)
{
    size_t n = strlen(name);
    static const char tail[] = "rotary_emb.inv_freq";
    return n >= sizeof(tail) - 1 && strcmp(name + n - (sizeof(tail) - 1), tail) == 0;
}

static enum status none_left_over(struct plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < tensor_count(plan->files); i++) {
        const struct tensor_info *t = tensor_at(plan->files, i);
        if (at < plan->n_items && plan->items[at].tensor == t) {
            at++;
            continue;
        }
        if (plan->config->tied_head && strcmp(t->name, "lm_head.weight") == 0) continue;
        if (may_be_left(t->name)) continue;
        return fail(plan->err, DOCKET_CORRUPT, CODE_model_tensor_invalid,
                    "%s: %s: the model has no place for this tensor", tensor_file_name(plan->files, t->file), t->name);
    }
    return DOCKET_OK;
}

static enum status make_plan(struct plan *plan)
{
    const struct model_config *c = plan->config;
    struct model_weights *w = plan->weights;
    enum status st = want(plan, &w->embedding, c->vocab, c->dim, 2, PART_EMBEDDING, "model.embed_tokens.weight");
    if (st == DOCKET_OK) st = want(plan, &w->norm, 1, c->dim, 1, AS_STORED, "model.norm.weight");
    if (st == DOCKET_OK && !c->tied_head) st = want(plan, &w->head, c->vocab, c->dim, 2, PART_HEAD, "lm_head.weight");
    for (size_t l = 0; l < c->n_layers && st == DOCKET_OK; l++) st = want_layer(plan, l);
    if (st != DOCKET_OK) return st;
    qsort(plan->items, plan->n_items, sizeof(*plan->items), by_place);
    return none_left_over(plan);
}

static enum status make_room(struct model_weights *w, const struct model_config *c, struct error *err)
{
    w->n_layers = c->n_layers;
    w->n_experts = c->n_experts ? c->n_experts : 1;
    w->layers = mem_zalloc(c->n_layers, sizeof(*w->layers));
    if (!w->layers) goto no_memory;
    for (size_t l = 0; l < c->n_layers; l++) {
        struct layer_weights *layer = &w->layers[l];
        layer->gate = mem_zalloc(3 * w->n_experts, sizeof(*layer->gate));
        if (!layer->gate) goto no_memory;
        layer->up = layer->gate + w->n_experts;
        layer->down = layer->up + w->n_experts;
    }
    return DOCKET_OK;
no_memory:
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the tables of %zu layers", c->n_layers);
}

void model_weights_free(struct model_weights *w, const struct device *device)
{
    const struct kernels_backend *b = device->backend;
    for (size_t l = 0; w->layers && l < w->n_layers; l++) {
        struct layer_weights *layer = &w->layers[l];
        struct kernels_weight *single[] = {layer->attention_norm, layer->q,     layer->k, layer->v, layer->o,
                                           layer->ffn_norm,       layer->router};
        for (size_t i = 0; i < ARRAY_LENGTH(single); i++) b->weight_free(device->handle, single[i]);
        for (size_t e = 0; layer->gate && e < 3 * w->n_experts; e++) b->weight_free(device->handle, layer->gate[e]);
        mem_free(layer->gate);
    }
    mem_free(w->layers);
    if (b) {
        if (w->head != w->embedding) b->weight_free(device->handle, w->head);
        b->weight_free(device->handle, w->embedding);
        b->weight_free(device->handle, w->norm);
    }
    *w = (struct model_weights){0};
}

enum status load_predict(size_t *weight_bytes, const struct device *device, const struct model_config *config,
                         const struct tensor_files *files, const struct quantization *quantization, struct error *err)
{
    struct model_weights weights = {0};
    struct plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    size_t total = 0;
    enum status st = make_room(&weights, config, err);
    if (st == DOCKET_OK) st = make_plan(&plan);
    for (size_t i = 0; i < plan.n_items && st == DOCKET_OK; i++) {
        size_t bytes = device->backend->weight_size(device->handle, &plan.items[i].desc);
        if (bytes == 0)
            st = fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported,
                      "%s: the %s backend has no %s weights of this shape", plan.items[i].tensor->name,
                      device->backend->name, docket_kernels_format_name(plan.items[i].desc.format));
        else if (!size_add(total, bytes, &total))
            st = fail(err, DOCKET_LIMIT, CODE_model_config_unsupported, "the model's size does not fit in 64 bits");
    }
    if (st == DOCKET_OK) *weight_bytes = total;
    mem_free(plan.items);
    model_weights_free(&weights, device);
    return st;
}

/* The ring between reader and quantizer. */
struct chunk {
    unsigned char *bytes;
    size_t item, length;
    uint64_t at; /* bytes behind the tensor's start */
};

struct pipeline {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct chunk ring[N_CHUNKS];
    size_t n_read, n_used; /* chunks; guarded by lock */
    bool finished;         /* the reader has ended; guarded by lock */
    atomic_bool stop;
    enum status status; /* of the reader; guarded by lock */
    struct error error;
    struct tensor_files *files;
    const struct item *items;
    size_t n_items;
};

static bool read_chunk(struct pipeline *p, size_t item, uint64_t at, size_t length)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_read - p->n_used == N_CHUNKS && !p->stop) pthread_cond_wait(&p->changed, &p->lock);
    struct chunk *chunk = &p->ring[p->n_read % N_CHUNKS];
    pthread_mutex_unlock(&p->lock);
    if (p->stop) return false;
    chunk->item = item;
    chunk->at = at;
    chunk->length = length;
    enum status st = tensor_read(p->files, p->items[item].tensor, at, chunk->bytes, length, &p->error);
    pthread_mutex_lock(&p->lock);
    p->status = st;
    if (st == DOCKET_OK) p->n_read++;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return st == DOCKET_OK;
}

static void *run_reader(void *argument)
{
    struct pipeline *p = argument;
    bool good = true;
    for (size_t i = 0; i < p->n_items && good; i++) {
        uint64_t size = p->items[i].tensor->size_bytes;
        for (uint64_t at = 0; at < size && good; at += CHUNK_BYTES)
            good = read_chunk(p, i, at, size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES);
    }
    pthread_mutex_lock(&p->lock);
    p->finished = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* NULL at the end, or when the reader failed (status says so). */
static struct chunk *next_chunk(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_used == p->n_read && !p->finished) pthread_cond_wait(&p->changed, &p->lock);
    struct chunk *chunk = p->n_used < p->n_read ? &p->ring[p->n_used % N_CHUNKS] : NULL;
    pthread_mutex_unlock(&p->lock);
    return chunk;
}

static void release_chunk(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_used++;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static enum status place_chunk(const struct device *device, const struct tensor_files *files, const struct item *item,
                               const struct chunk *chunk, struct error *err)
{
    const struct kernels_backend *b = device->backend;
    struct kernels_error detail = {0};
    enum kernels_format source = KERNELS_F32;
    char what[256];
    source_format(item->tensor->dtype, &source);
    snprintf(what, sizeof(what), "%s: %s", tensor_file_name(files, item->tensor->file), item->tensor->name);
    if (chunk->at == 0) {
        *item->slot = b->weight_begin(device->handle, &item->desc, &detail);
        if (!*item->slot) return device_status(detail.code ? detail.code : KERNELS_FAILED, &detail, what, err);
    }
    size_t n = chunk->length / tensor_dtype_bytes(item->tensor->dtype);
    enum kernels_status ks = b->weight_write(device->handle, *item->slot, source, chunk->bytes, n, &detail);
    bool last = chunk->at + chunk->length == item->tensor->size_bytes;
    if (ks == KERNELS_OK && last) ks = b->weight_finish(device->handle, *item->slot, &detail);
    if (ks == KERNELS_OK) ks = b->wait(device->handle, b->record(device->handle));
    if (ks == KERNELS_FAILED)
        return fail(err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: %s", what, detail.message);
    return device_status(ks, &detail, what, err);
}

static bool is_quantized(const struct item *item)
{
    return item->desc.format > KERNELS_BF16;
}

static enum status show_chunk(const struct load_watch *watch, const struct device *device, const struct item *item,
                              const struct chunk *chunk, struct error *err)
{
    bool last = chunk->at + chunk->length == item->tensor->size_bytes;
    enum status st = DOCKET_OK;
    if (!is_quantized(item))
        st = watch->stored(watch->context, item->tensor, chunk->at, chunk->bytes, chunk->length, err);
    else if (last)
        st = watch->quantized(watch->context, item->tensor->name, *item->slot, err);
    if (last && watch->release) {
        device->backend->weight_free(device->handle, *item->slot);
        *item->slot = NULL;
    }
    return st;
}

static void log_progress(const struct tensor_files *files, unsigned file, uint64_t done, uint64_t start_ns)
{
    double seconds = clock_seconds_since(start_ns);
    log_event(LOG_INFO, EVENT_model_load_progress, F_STR("shard", tensor_file_name(files, file)),
              F_U64("shards_done", file + 1), F_U64("shards", tensor_files_count(files)), F_U64("read_bytes", done),
              F_U64("total_bytes", tensor_files_bytes(files)),
              F_F64("read_gigabytes_per_second", seconds > 0 ? (double)done / 1e9 / seconds : 0));
}

static enum status run_pipeline(struct pipeline *p, struct load_report *report, const struct device *device,
                                const struct load_watch *watch, const atomic_bool *stop, struct error *err)
{
    uint64_t start = clock_now_ns(), last_line = start;
    enum status st = DOCKET_OK;
    struct chunk *chunk;
    while ((chunk = next_chunk(p))) {
        const struct item *item = &p->items[chunk->item];
        if (stop && atomic_load(stop))
            st = fail(err, DOCKET_CANCELLED, CODE_model_unavailable, "loading was stopped");
        else
            st = place_chunk(device, p->files, item, chunk, err);
        if (st == DOCKET_OK && watch) st = show_chunk(watch, device, item, chunk, err);
        if (st != DOCKET_OK) break;
        report->bytes_read += chunk->length;
        bool tensor_done = chunk->at + chunk->length == item->tensor->size_bytes;
        bool shard_done = tensor_done && (chunk->item + 1 == p->n_items ||
                                          p->items[chunk->item + 1].tensor->file != item->tensor->file);
        bool whole = tensor_done && chunk->item + 1 == p->n_items;
        if (!whole && (shard_done ? clock_seconds_since(last_line) > 1 : clock_seconds_since(last_line) > 10)) {
            log_progress(p->files, item->tensor->file, report->bytes_read, start);
            last_line = clock_now_ns();
        }
        release_chunk(p);
    }
    report->seconds = clock_seconds_since(start);
    return st;
}

enum status load_weights(struct model_weights *out, struct load_report *report, const struct device *device,
                         const struct model_config *config, struct tensor_files *files,
                         const struct quantization *quantization, const struct load_watch *watch,
                         const atomic_bool *stop, struct error *err)
{
    struct model_weights weights = {0};
    struct plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    struct pipeline p = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .files = files};
    struct load_report facts = {0};
    pthread_t reader;
    unsigned char *memory = NULL;
    enum status st = make_room(&weights, config, err);
    if (st == DOCKET_OK) st = make_plan(&plan);
    if (st != DOCKET_OK) goto done;
    memory = mem_alloc_aligned(N_CHUNKS * CHUNK_BYTES, 4096);
    if (!memory) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes of read buffers", N_CHUNKS * CHUNK_BYTES);
        goto done;
    }
    for (size_t i = 0; i < N_CHUNKS; i++) p.ring[i].bytes = memory + i * CHUNK_BYTES;
    p.items = plan.items;
    p.n_items = plan.n_items;
    if (pthread_create(&reader, NULL, run_reader, &p) != 0) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start the reading thread");
        goto done;
    }
    st = run_pipeline(&p, &facts, device, watch, stop, err);
    atomic_store(&p.stop, true);
    pthread_mutex_lock(&p.lock);
    pthread_cond_signal(&p.changed);
    pthread_mutex_unlock(&p.lock);
    pthread_join(reader, NULL);
    if (st == DOCKET_OK && p.status != DOCKET_OK) {
        st = p.status;
        if (err) *err = p.error;
    }
    if (st == DOCKET_OK) st = tensor_files_unchanged(files, err);
    if (st != DOCKET_OK) goto done;
    if (config->tied_head) weights.head = weights.embedding;
    for (size_t i = 0; i < plan.n_items; i++)
        facts.weight_bytes += device->backend->weight_size(device->handle, &plan.items[i].desc);
    *report = facts;
    if (!watch || !watch->release) MOVE(*out, weights);
done:
    mem_free(memory);
    mem_free(plan.items);
    model_weights_free(&weights, device);
    return st;
}
