/* load.c: the pipeline from files to weights. A reader thread fills a ring of buffers in the order of the files; the calling
 * thread hands each to the backend, which quantizes it with all its threads. */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/load_plan.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES (16 * MIB) /* large enough for a network volume's rate; a multiple of what weight_write wants */
#define N_CHUNKS    4

enum status model_weights_init(struct model_weights *w, const struct model_config *c, struct error *err)
{
    w->n_layers = c->n_layers;
    w->layers = mem_zalloc(c->n_layers, sizeof(*w->layers));
    if (!w->layers) goto no_memory;
    for (size_t l = 0; l < c->n_layers; l++) {
        struct layer_weights *layer = &w->layers[l];
        size_t experts = model_config_experts(c, l);
        layer->n_experts = experts ? experts : 1;
        layer->gate = mem_zalloc(3 * layer->n_experts, sizeof(*layer->gate));
        if (!layer->gate) goto no_memory;
        layer->up = layer->gate + layer->n_experts;
        layer->down = layer->up + layer->n_experts;
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
        struct kernels_weight *single[] = {
            layer->attention_norm, layer->q,      layer->k,      layer->v,      layer->o,
            layer->ffn_norm,       layer->router, layer->q_norm, layer->k_norm, layer->q_bias,
            layer->k_bias,         layer->v_bias, layer->o_bias};
        for (size_t i = 0; b && i < ARRAY_LENGTH(single); i++) b->weight_free(device->handle, single[i]);
        for (size_t e = 0; b && layer->gate && e < 3 * layer->n_experts; e++)
            b->weight_free(device->handle, layer->gate[e]);
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
                         struct tensor_files *files, const struct quantization *quantization, struct error *err)
{
    struct model_weights weights = {0};
    struct load_plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    size_t total = 0;
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = load_plan_make(&plan);
    for (size_t i = 0; i < plan.n_items && st == DOCKET_OK; i++) {
        size_t bytes = device->backend->weight_size(device->handle, &plan.items[i].desc);
        if (bytes == 0)
            st = fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported,
                      "%s: the %s backend has no %s weights of this shape", load_item_name(&plan.items[i]),
                      device->backend->name, docket_kernels_format_name(plan.items[i].desc.format));
        else if (!size_add(total, bytes, &total))
            st = fail(err, DOCKET_LIMIT, CODE_model_config_unsupported, "the model's size does not fit in 64 bits");
    }
    if (st == DOCKET_OK) *weight_bytes = total;
    load_plan_free(&plan);
    model_weights_free(&weights, device);
    return st;
}

/* The ring between reader and quantizer. */
struct chunk {
    unsigned char *bytes;
    size_t item, segment, length;
    uint64_t at; /* bytes behind the segment's start */
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
    struct load_plan *plan;
    const struct device *device;
    const struct load_watch *watch;
    struct not_finite not_finite;
    const char *first_not_finite; /* the name of its weight; the plan's */
    unsigned char *memory;        /* where the parts of one item are put together; grows */
    size_t memory_bytes;
};

static bool read_chunk(struct pipeline *p, const struct chunk *what)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_read - p->n_used == N_CHUNKS && !p->stop) pthread_cond_wait(&p->changed, &p->lock);
    struct chunk *chunk = &p->ring[p->n_read % N_CHUNKS];
    pthread_mutex_unlock(&p->lock);
    if (p->stop) return false;
    unsigned char *bytes = chunk->bytes;
    *chunk = *what;
    chunk->bytes = bytes;
    const struct segment *s = &p->plan->items[what->item].segments[what->segment];
    enum status st = tensor_read(p->plan->files, s->tensor, s->at + what->at, bytes, what->length, &p->error);
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
    for (size_t i = 0; i < p->plan->n_items && good; i++)
        for (size_t k = 0; k < p->plan->items[i].n_segments && good; k++) {
            uint64_t size = p->plan->items[i].segments[k].size_bytes;
            for (uint64_t at = 0; at < size && good; at += CHUNK_BYTES) {
                const struct chunk chunk = {NULL, i, k, size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES,
                                            at};
                good = read_chunk(p, &chunk);
            }
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

static bool is_last(const struct item *item, const struct chunk *chunk)
{
    return chunk->segment + 1 == item->n_segments &&
           chunk->at + chunk->length == item->segments[chunk->segment].size_bytes;
}

static bool is_quantized(const struct item *item)
{
    return docket_kernels_format_has_parts(item->desc.format);
}

static void count_not_finite(struct pipeline *p, const struct item *item, const struct chunk *chunk, size_t n)
{
    struct not_finite found = {0};
    if (is_quantized(item)) return; /* refused by the backend, by name */
    not_finite_count(&found, item->tensor->dtype, chunk->bytes, n);
    if (found.n_nan + found.n_infinite == 0) return;
    p->not_finite.n_nan += found.n_nan;
    p->not_finite.n_infinite += found.n_infinite;
    if (!p->first_not_finite) p->first_not_finite = load_item_name(item);
}

/* Values go straight to the weight. */
static enum status write_chunk(struct pipeline *p, const struct item *item, const struct chunk *chunk,
                               struct error *err)
{
    const struct kernels_backend *b = p->device->backend;
    struct kernels_device *d = p->device->handle;
    struct kernels_error detail = {0};
    enum kernels_format source = KERNELS_F32;
    enum kernels_status ks = KERNELS_OK;
    char what[256];
    load_source_format(item->tensor->dtype, &source);
    snprintf(what, sizeof(what), "%s: %s", tensor_file_name(p->plan->files, item->tensor->file), load_item_name(item));
    if (chunk->at == 0) {
        *item->slot = b->weight_begin(d, &item->desc, &detail);
        if (!*item->slot) return device_status(detail.code ? detail.code : KERNELS_FAILED, &detail, what, err);
        const struct kernels_source_scale scale = {(const float *)(const void *)p->memory, item->scale_rows,
                                                   item->scale_cols};
        if (item->scaled) ks = b->weight_scale(d, *item->slot, &scale, &detail);
    }
    size_t n = chunk->length / tensor_dtype_bytes(item->tensor->dtype);
    count_not_finite(p, item, chunk, n);
    if (ks == KERNELS_OK) ks = b->weight_write(d, *item->slot, source, chunk->bytes, n, &detail);
    if (ks == KERNELS_OK && is_last(item, chunk)) ks = b->weight_finish(d, *item->slot, &detail);
    if (ks == KERNELS_OK) ks = b->wait(d, b->record(d));
    if (ks == KERNELS_FAILED)
        return fail(err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: %s", what, detail.message);
    return device_status(ks, &detail, what, err);
}

static enum status make_item_memory(struct pipeline *p, const struct item *item, struct error *err)
{
    if (p->memory_bytes >= item->memory_bytes) return DOCKET_OK;
    mem_free(p->memory);
    p->memory_bytes = 0;
    p->memory = mem_alloc_aligned(item->memory_bytes, 64);
    if (!p->memory)
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes of %s", item->memory_bytes,
                    load_item_name(item));
    p->memory_bytes = item->memory_bytes;
    return DOCKET_OK;
}

static enum status make_tables(struct four_bits *f, const struct item *item, struct error *err)
{
    const struct segment *last = &item->segments[item->n_segments - 1];
    if (!f->tables) f->tables = mem_alloc_aligned((last->to + (size_t)last->size_bytes + 63) / 64 * 64, 64);
    return f->tables ? DOCKET_OK
                     : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the tables of %s", load_item_name(item));
}

static enum status place_chunk(struct pipeline *p, const struct item *item, const struct chunk *chunk,
                               struct error *err)
{
    const struct segment *s = &item->segments[chunk->segment];
    struct four_bits *tables = s->goal == TO_TABLES ? &p->plan->four_bits[item->four_bits] : NULL;
    if (s->goal == TO_WEIGHT) return write_chunk(p, item, chunk, err);
    enum status st = tables ? make_tables(tables, item, err) : make_item_memory(p, item, err);
    if (st != DOCKET_OK) return st;
    memcpy((tables ? tables->tables : p->memory) + s->to + chunk->at, chunk->bytes, chunk->length);
    if (!is_last(item, chunk)) return DOCKET_OK;
    return stored_quantized_place(p->plan, p->device, item, p->memory, err);
}

static enum status show_chunk(struct pipeline *p, const struct item *item, const struct chunk *chunk, struct error *err)
{
    const struct load_watch *watch = p->watch;
    const struct segment *s = &item->segments[chunk->segment];
    bool last = is_last(item, chunk);
    enum status st = DOCKET_OK;
    if (item->kind != ITEM_VALUES && !is_quantized(item))
        st = fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported,
                  "%s: is quantized in the checkpoint in a form that is not written again", load_item_name(item));
    else if (!is_quantized(item))
        st = watch->stored(watch->context, s->tensor, s->at + chunk->at, chunk->bytes, chunk->length, err);
    else if (last)
        st = watch->quantized(watch->context, load_item_name(item), *item->slot, err);
    if (last && watch->release) {
        p->device->backend->weight_free(p->device->handle, *item->slot);
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

static enum status run_pipeline(struct pipeline *p, struct load_report *report, const atomic_bool *stop,
                                struct error *err)
{
    uint64_t start = clock_now_ns(), last_line = start;
    const struct load_plan *plan = p->plan;
    enum status st = DOCKET_OK;
    struct chunk *chunk;
    while ((chunk = next_chunk(p))) {
        const struct item *item = &plan->items[chunk->item];
        if (stop && atomic_load(stop))
            st = fail(err, DOCKET_CANCELLED, CODE_model_unavailable, "loading was stopped");
        else
            st = place_chunk(p, item, chunk, err);
        if (st == DOCKET_OK && p->watch) st = show_chunk(p, item, chunk, err);
        if (st != DOCKET_OK) break;
        report->bytes_read += chunk->length;
        bool item_done = is_last(item, chunk), whole = item_done && chunk->item + 1 == plan->n_items;
        bool shard_done = item_done && !whole && plan->items[chunk->item + 1].tensor->file != item->tensor->file;
        if (!whole && (shard_done ? clock_seconds_since(last_line) > 1 : clock_seconds_since(last_line) > 10)) {
            log_progress(plan->files, item->tensor->file, report->bytes_read, start);
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
    struct load_plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    struct pipeline p = {.lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER,
                         .plan = &plan,
                         .device = device,
                         .watch = watch};
    struct load_report facts = {0};
    pthread_t reader;
    unsigned char *memory = NULL;
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = load_plan_make(&plan);
    if (st != DOCKET_OK) goto done;
    memory = mem_alloc_aligned(N_CHUNKS * CHUNK_BYTES, 4096);
    if (!memory) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes of read buffers", N_CHUNKS * CHUNK_BYTES);
        goto done;
    }
    for (size_t i = 0; i < N_CHUNKS; i++) p.ring[i].bytes = memory + i * CHUNK_BYTES;
    if (pthread_create(&reader, NULL, run_reader, &p) != 0) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start the reading thread");
        goto done;
    }
    st = run_pipeline(&p, &facts, stop, err);
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
    facts.not_finite = p.not_finite;
    if (p.first_not_finite)
        log_event(LOG_WARN, EVENT_weights_not_finite, F_U64("nan", p.not_finite.n_nan),
                  F_U64("infinite", p.not_finite.n_infinite), F_STR("first", p.first_not_finite));
    if (config->tied_head) weights.head = weights.embedding;
    for (size_t i = 0; i < plan.n_items; i++)
        facts.weight_bytes += device->backend->weight_size(device->handle, &plan.items[i].desc);
    *report = facts;
    if (!watch || !watch->release) MOVE(*out, weights);
done:
    mem_free(memory);
    mem_free(p.memory);
    load_plan_free(&plan);
    model_weights_free(&weights, device);
    return st;
}
