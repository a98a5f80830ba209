/* load.c: the pipeline from files to weights. Threads read ahead (load_reader.c); the calling thread hands each piece to the backend, which
 * copies and quantizes it, on a GPU while the next is read and handed over. */
#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/load_plan.h"
#include "worker/model/load_reader.h"

#include <stdio.h>
#include <string.h>

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

/* That layer l is computed on. */
static const struct device *device_of(const struct device *device, size_t l)
{
    return l < device->placement.lower_layers ? device->lower : device;
}

void model_weights_free(struct model_weights *w, const struct device *device)
{
    for (size_t l = 0; w->layers && l < w->n_layers; l++) {
        struct layer_weights *layer = &w->layers[l];
        const struct kernels_backend *b = device_of(device, l)->backend;
        struct kernels_device *d = device_of(device, l)->handle;
        struct kernels_weight *single[] = {
            layer->attention_norm, layer->q,      layer->k,      layer->v,      layer->o,
            layer->ffn_norm,       layer->router, layer->q_norm, layer->k_norm, layer->q_bias,
            layer->k_bias,         layer->v_bias, layer->o_bias};
        for (size_t i = 0; b && i < ARRAY_LENGTH(single); i++) b->weight_free(d, single[i]);
        for (size_t e = 0; b && layer->gate && e < 3 * layer->n_experts; e++) b->weight_free(d, layer->gate[e]);
        mem_free(layer->gate);
    }
    mem_free(w->layers);
    if (device->backend) {
        const struct device *first = w->embedding_is_lower ? device->lower : device;
        if (w->head != w->embedding) device->backend->weight_free(device->handle, w->head);
        first->backend->weight_free(first->handle, w->embedding);
        device->backend->weight_free(device->handle, w->norm);
    }
    *w = (struct model_weights){0};
}

/* Whether the slot is one of that layer; *expert is its number, SIZE_MAX for what is no expert's. */
static bool is_of_layer(const struct model_weights *w, size_t l, struct kernels_weight *const *slot, size_t *expert)
{
    const struct layer_weights *layer = &w->layers[l];
    uintptr_t at = (uintptr_t)slot, experts = (uintptr_t)layer->gate;
    *expert = SIZE_MAX;
    if (at >= experts && at < experts + 3 * layer->n_experts * sizeof(*slot)) {
        *expert = (at - experts) / sizeof(*slot) % layer->n_experts;
        return true;
    }
    return at >= (uintptr_t)layer && at < (uintptr_t)(layer + 1);
}

/* Which device each item goes to, as the placement says. */
static void place_items(struct load_plan *plan, const struct device *device)
{
    const struct placement *where = &device->placement;
    struct model_weights *w = plan->weights;
    w->embedding_is_lower = where->lower_layers > 0 && !plan->config->tied_head; /* a tied one is the head too */
    for (size_t i = 0; i < plan->n_items; i++) {
        struct item *item = &plan->items[i];
        size_t expert;
        item->device = item->slot == &w->embedding && w->embedding_is_lower ? device->lower : device;
        item->on_host = item->slot == &w->embedding && where->embedding_on_host && where->lower_layers == 0;
        for (size_t l = 0; l < w->n_layers; l++) {
            if (!is_of_layer(w, l, item->slot, &expert)) continue;
            item->device = device_of(device, l);
            bool in_layer_with_experts = expert != SIZE_MAX && model_config_experts(plan->config, l) > 0;
            item->on_host = l >= where->lower_layers && in_layer_with_experts && expert < where->host_experts;
            break;
        }
    }
}

static enum plan_kind kind_of(const struct load_plan *plan, const struct item *item)
{
    const struct model_weights *w = plan->weights;
    size_t expert;
    if (item->slot == &w->embedding) return PLAN_EMBEDDING;
    if (item->slot == &w->head) return PLAN_HEAD;
    for (size_t l = 0; l < w->n_layers; l++)
        if (is_of_layer(w, l, item->slot, &expert))
            return expert == SIZE_MAX                      ? PLAN_ATTENTION
                   : model_config_experts(plan->config, l) ? PLAN_EXPERTS
                                                           : PLAN_FFN;
    return PLAN_REST;
}

enum status load_sizes(struct plan_sizes *out, bool *has_int8, const struct device *device,
                       const struct model_config *config, struct tensor_files *files,
                       const struct quantization *quantization, struct error *err)
{
    struct model_weights weights = {0};
    struct load_plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    struct plan_sizes sizes = {0};
    bool int8 = false;
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = load_plan_make(&plan);
    for (size_t i = 0; i < plan.n_items && st == DOCKET_OK; i++) {
        const struct item *item = &plan.items[i];
        struct plan_part *part = &sizes.parts[kind_of(&plan, item)];
        size_t bytes = device->backend->weight_size(device->handle, &item->desc);
        if (bytes == 0)
            st = fail(err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported,
                      "%s: the %s backend has no %s weights of this shape", load_item_name(item), device->backend->name,
                      docket_kernels_format_name(item->desc.format));
        else if (__builtin_add_overflow(sizes.bytes, bytes, &sizes.bytes))
            st = fail(err, DOCKET_LIMIT, CODE_model_config_unsupported, "the model's size does not fit in 64 bits");
        else {
            part->bytes += bytes;
            part->parameters += (uint64_t)item->desc.rows * item->desc.cols;
            sizes.parameters += (uint64_t)item->desc.rows * item->desc.cols;
            /* a table that is only looked up in needs no scratch for products */
            int8 |= item->desc.format == KERNELS_INT8 && (item->slot != &weights.embedding || config->tied_head);
            size_t layer, expert;
            for (layer = 0; layer < config->n_layers && !is_of_layer(&weights, layer, item->slot, &expert);) layer++;
            if (layer < config->n_layers) sizes.lower_bytes[layer + 1] += bytes;
            if (layer < config->n_layers && docket_kernels_format_has_parts(item->desc.format))
                sizes.form_bytes += 2 * (uint64_t)item->desc.rows * item->desc.cols;
        }
    }
    for (size_t l = 0; l < config->n_layers; l++) sizes.lower_bytes[l + 1] += sizes.lower_bytes[l];
    for (size_t l = 0; l < config->n_layers; l++) sizes.n_expert_places += model_config_experts(config, l);
    if (sizes.n_expert_places) /* rounded up: all of a kind are alike */
        sizes.expert_bytes = (sizes.parts[PLAN_EXPERTS].bytes + sizes.n_expert_places - 1) / sizes.n_expert_places;
    if (st == DOCKET_OK) {
        *out = sizes;
        if (has_int8) *has_int8 = int8;
    }
    load_plan_free(&plan);
    model_weights_free(&weights, device);
    return st;
}

enum status load_predict(size_t *weight_bytes, const struct device *device, const struct model_config *config,
                         struct tensor_files *files, const struct quantization *quantization, struct error *err)
{
    struct plan_sizes sizes;
    enum status st = load_sizes(&sizes, NULL, device, config, files, quantization, err);
    if (st == DOCKET_OK) *weight_bytes = (size_t)sizes.bytes;
    return st;
}

struct pipeline {
    struct load_plan *plan;
    const struct device *device;
    const struct load_watch *watch;
    struct not_finite not_finite;
    const char *first_not_finite; /* the name of its weight; the plan's */
    unsigned char *memory;        /* where the parts of one item are put together; grows */
    size_t memory_bytes;
    const struct item *unfinished; /* all its values are on their way, but it is not finished yet */
    double seconds;                /* that the device took, or that it was waited for */
};

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

static void describe_item(const struct pipeline *p, const struct item *item, char *out, size_t size)
{
    snprintf(out, size, "%s: %s", tensor_file_name(p->plan->files, item->tensor->file), load_item_name(item));
}

static enum status item_status(const struct pipeline *p, const struct item *item, enum kernels_status ks,
                               const struct kernels_error *detail, struct error *err)
{
    char what[256];
    describe_item(p, item, what, sizeof(what));
    if (ks == KERNELS_FAILED)
        return fail(err, DOCKET_CORRUPT, CODE_model_tensor_invalid, "%s: %s", what, detail->message);
    return device_status(ks, detail, what, err);
}

/* Finishing waits for a weight's last values, so it comes when those of the next are on their way already. */
static enum status finish_earlier(struct pipeline *p, struct error *err)
{
    const struct item *item = p->unfinished;
    struct kernels_error detail = {0};
    if (!item) return DOCKET_OK;
    p->unfinished = NULL;
    return item_status(p, item, item->device->backend->weight_finish(item->device->handle, *item->slot, &detail),
                       &detail, err);
}

/* Values go straight to the weight. */
static enum status write_chunk(struct pipeline *p, const struct item *item, const struct chunk *chunk,
                               struct error *err)
{
    const struct kernels_backend *b = item->device->backend;
    struct kernels_device *d = item->device->handle;
    struct kernels_error detail = {0};
    enum kernels_format source = KERNELS_F32;
    enum kernels_status ks = KERNELS_OK;
    enum status st = DOCKET_OK;
    load_source_format(item->tensor->dtype, &source);
    if (chunk->at == 0) {
        *item->slot = b->weight_begin(d, &item->desc, &detail);
        if (!*item->slot) return item_status(p, item, detail.code ? detail.code : KERNELS_NO_MEMORY, &detail, err);
        const struct kernels_source_scale scale = {(const float *)(const void *)p->memory, item->scale_rows,
                                                   item->scale_cols};
        if (item->on_host) ks = b->weight_to_host(d, *item->slot, &detail);
        if (ks == KERNELS_OK && item->scaled) ks = b->weight_scale(d, *item->slot, &scale, &detail);
    }
    size_t n = chunk->length / tensor_dtype_bytes(item->tensor->dtype);
    count_not_finite(p, item, chunk, n);
    if (ks == KERNELS_OK) ks = b->weight_write(d, *item->slot, source, chunk->bytes, n, &detail);
    if (ks != KERNELS_OK) return item_status(p, item, ks, &detail, err);
    if (p->unfinished != item) st = finish_earlier(p, err);
    if (st != DOCKET_OK || !is_last(item, chunk)) return st;
    p->unfinished = item;
    /* A watcher wants it now; and the scales of a source lie where the next item's parts will. */
    return p->watch || item->scaled ? finish_earlier(p, err) : DOCKET_OK;
}

static enum status make_item_memory(struct pipeline *p, const struct item *item, struct error *err)
{
    if (p->memory_bytes >= item->memory_bytes) return DOCKET_OK;
    const struct kernels_backend *b = p->device->backend;
    struct kernels_error detail = {0};
    b->host_free(p->device->handle, p->memory);
    p->memory_bytes = 0;
    p->memory =
        b->host_allocate(p->device->handle, item->memory_bytes, &detail); /* a GPU copies from it at full speed */
    if (!p->memory)
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes of %s: %s", item->memory_bytes,
                    load_item_name(item), detail.message);
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
    enum status st = finish_earlier(p, err);
    if (st == DOCKET_OK) st = tables ? make_tables(tables, item, err) : make_item_memory(p, item, err);
    if (st != DOCKET_OK) return st;
    memcpy((tables ? tables->tables : p->memory) + s->to + chunk->at, chunk->bytes, chunk->length);
    if (!is_last(item, chunk)) return DOCKET_OK;
    st = stored_quantized_place(p->plan, item->device, item, p->memory, err);
    if (st != DOCKET_OK || !item->on_host) return st;
    struct kernels_error detail = {0};
    return item_status(p, item, item->device->backend->weight_to_host(item->device->handle, *item->slot, &detail),
                       &detail, err);
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
        st = watch->quantized(watch->context, item->device, load_item_name(item), *item->slot, err);
    if (last && watch->release) {
        item->device->backend->weight_free(item->device->handle, *item->slot);
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

static enum status run_pipeline(struct pipeline *p, struct load_reader *reader, struct load_report *report,
                                const atomic_bool *stop, struct error *err)
{
    uint64_t start = clock_now_ns(), last_line = start;
    const struct load_plan *plan = p->plan;
    enum status st = DOCKET_OK;
    struct chunk *next;
    while (st == DOCKET_OK && (next = load_reader_next(reader))) {
        const struct chunk chunk = *next; /* its place may be another's once it was used */
        const struct item *item = &plan->items[chunk.item];
        uint64_t begun = clock_now_ns();
        if (stop && atomic_load(stop))
            st = fail(err, DOCKET_CANCELLED, CODE_model_unavailable, "loading was stopped");
        else
            st = place_chunk(p, item, &chunk, err);
        if (st == DOCKET_OK && p->watch) st = show_chunk(p, item, &chunk, err);
        if (st == DOCKET_OK) st = device_status(load_reader_used(reader), NULL, "loading", err);
        if (st != DOCKET_OK) break;
        p->seconds += clock_seconds_since(begun);
        report->bytes_read += chunk.length;
        bool item_done = is_last(item, &chunk), whole = item_done && chunk.item + 1 == plan->n_items;
        bool shard_done = item_done && !whole && plan->items[chunk.item + 1].tensor->file != item->tensor->file;
        if (!whole && (shard_done ? clock_seconds_since(last_line) > 1 : clock_seconds_since(last_line) > 10)) {
            log_progress(plan->files, item->tensor->file, report->bytes_read, start);
            last_line = clock_now_ns();
        }
    }
    uint64_t begun = clock_now_ns();
    if (st == DOCKET_OK) st = finish_earlier(p, err);
    p->seconds += clock_seconds_since(begun);
    report->seconds = clock_seconds_since(start);
    return st;
}

/* Of the first expert on the device, as they are all alike. */
static size_t expert_bytes(const struct load_plan *plan, const struct device *device)
{
    const struct model_weights *w = plan->weights;
    size_t l = device->placement.lower_layers, bytes = 0, expert;
    while (l < w->n_layers && !model_config_experts(plan->config, l)) l++;
    for (size_t i = 0; i < plan->n_items && l < w->n_layers; i++)
        if (is_of_layer(w, l, plan->items[i].slot, &expert) && expert == 0)
            bytes += device->backend->weight_size(device->handle, &plan->items[i].desc);
    return bytes;
}

/* One piece of memory for all that stays on the device. */
static enum status reserve_weights(const struct load_plan *plan, const struct device *device, struct error *err)
{
    struct kernels_error detail = {0};
    size_t total = 0;
    for (size_t i = 0; i < plan->n_items; i++)
        if (plan->items[i].device == device && !plan->items[i].on_host)
            total += device->backend->weight_size(device->handle, &plan->items[i].desc);
    total += device->placement.expert_rooms * expert_bytes(plan, device);
    return device_status(device->backend->weights_reserve(device->handle, total, &detail), &detail, "weights", err);
}

enum status load_weights(struct model_weights *out, struct load_report *report, const struct device *device,
                         const struct model_config *config, struct tensor_files *files,
                         const struct quantization *quantization, const struct load_watch *watch,
                         const atomic_bool *stop, struct error *err)
{
    struct model_weights weights = {0};
    struct load_plan plan = {
        .weights = &weights, .config = config, .files = files, .quantization = quantization, .err = err};
    struct pipeline p = {.plan = &plan, .device = device, .watch = watch};
    struct load_report facts = {0};
    struct load_reader *reader = NULL;
    struct error reading = {0};
    enum status st = model_weights_init(&weights, config, err);
    if (st == DOCKET_OK) st = load_plan_make(&plan);
    if (st == DOCKET_OK) place_items(&plan, device);
    if (st == DOCKET_OK && !(watch && watch->release)) st = reserve_weights(&plan, device, err);
    if (st == DOCKET_OK) st = load_reader_open(&reader, &plan, device, err);
    if (st != DOCKET_OK) goto done;
    st = run_pipeline(&p, reader, &facts, stop, err);
    enum status read = load_reader_close(reader, &facts.read_seconds, &reading);
    facts.device_seconds = p.seconds;
    if (st == DOCKET_OK && read != DOCKET_OK) {
        st = read;
        if (err) *err = reading;
    }
    if (st == DOCKET_OK) st = tensor_files_unchanged(files, err);
    if (st != DOCKET_OK) goto done;
    facts.not_finite = p.not_finite;
    facts.direct_bytes = tensor_files_direct_bytes(files);
    if (p.first_not_finite)
        log_event(LOG_WARN, EVENT_weights_not_finite, F_U64("nan", p.not_finite.n_nan),
                  F_U64("infinite", p.not_finite.n_infinite), F_STR("first", p.first_not_finite));
    if (st == DOCKET_OK && config->tied_head) weights.head = weights.embedding;
    for (size_t i = 0; i < plan.n_items; i++)
        facts.weight_bytes += device->backend->weight_size(device->handle, &plan.items[i].desc);
    *report = facts;
    if (!watch || !watch->release) MOVE(*out, weights);
done:
    device->backend->host_free(device->handle, p.memory);
    load_plan_free(&plan);
    model_weights_free(&weights, device);
    return st;
}
