/* placement.cu: see placement.cuh. Knows bytes of weights, not what they mean. */
#include "kernels/cuda/device.cuh"

#include <stdlib.h>

extern "C" {
#include "kernels/error.h"
}

static enum kernels_status make_event(struct kernels_device *device, cudaEvent_t *event)
{
    return cuda_check(device, cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreate");
}

enum kernels_status cuda_placement_open(struct kernels_device *device)
{
    struct cuda_placement *p = &device->placement;
    enum kernels_status status =
        cuda_check(device, cudaStreamCreateWithFlags(&p->copies, cudaStreamNonBlocking), "cudaStreamCreate");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaStreamCreateWithFlags(&p->answers, cudaStreamNonBlocking), "cudaStreamCreate");
    for (int i = 0; i < CUDA_MARKS && status == KERNELS_OK; i++) status = make_event(device, &p->events[i]);
    if (status == KERNELS_OK) status = make_event(device, &p->fetched);
    for (int i = 0; i < 2 && status == KERNELS_OK; i++) {
        status = make_event(device, &p->sources[i].copied);
        if (status == KERNELS_OK) status = make_event(device, &p->sources[i].used);
    }
    return status;
}

static void free_pinned(struct kernels_device *device, struct cuda_piece **at)
{
    struct cuda_piece *gone = *at;
    *at = gone->next;
    device->used.pinned_bytes -= gone->size_bytes;
    if (device->stream) cudaStreamSynchronize(device->stream); /* kernels read weights where they lie */
    if (device->placement.copies) cudaStreamSynchronize(device->placement.copies); /* what is fetched from there */
    cuda_check(device, cudaFreeHost(gone->memory), "cudaFreeHost");
    free(gone);
}

void cuda_placement_close(struct kernels_device *device)
{
    struct cuda_placement *p = &device->placement;
    if (p->copies) cudaStreamSynchronize(p->copies);
    if (p->answers) cudaStreamSynchronize(p->answers);
    for (struct cuda_piece *piece = p->pool; piece; piece = piece->next) piece->taken = false;
    cuda_placement_trim(device);
    while (p->pinned) free_pinned(device, &p->pinned);
    if (p->slab.memory) cudaFree(p->slab.memory);
    for (int i = 0; i < 2; i++) {
        if (p->sources[i].copied) cudaEventDestroy(p->sources[i].copied);
        if (p->sources[i].used) cudaEventDestroy(p->sources[i].used);
    }
    if (p->fetched) cudaEventDestroy(p->fetched);
    for (int i = 0; i < CUDA_MARKS; i++)
        if (p->events[i]) cudaEventDestroy(p->events[i]);
    if (p->answers) cudaStreamDestroy(p->answers);
    if (p->copies) cudaStreamDestroy(p->copies);
}

void cuda_placement_trim(struct kernels_device *device)
{
    struct cuda_placement *p = &device->placement;
    for (struct cuda_piece **at = &p->pool; *at;) {
        struct cuda_piece *piece = *at;
        if (piece->taken) {
            at = &piece->next;
            continue;
        }
        *at = piece->next;
        cuda_release(device, piece->memory, piece->size_bytes);
        free(piece);
    }
    for (int i = 0; i < 2; i++) {
        cuda_release(device, p->sources[i].data, p->sources[i].size_bytes);
        p->sources[i].data = NULL;
        p->sources[i].size_bytes = 0;
        p->sources[i].in_use = false;
    }
}

enum kernels_status cuda_source_copy(struct kernels_device *device, const void *from, size_t size_bytes, void *to,
                                     void **at)
{
    struct cuda_placement *p = &device->placement;
    auto *source = &p->sources[p->next_source ^= 1];
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (!to && source->size_bytes < size_bytes) {
        cuda_release(device, source->data, source->size_bytes);
        source->data = cuda_take(device, size_bytes);
        source->size_bytes = source->data ? size_bytes : 0;
    }
    *at = to ? to : source->data;
    if (!*at) return device->failure.code;
    enum kernels_status status = KERNELS_OK;
    if (source->in_use) status = cuda_check(device, cudaStreamWaitEvent(p->copies, source->used, 0), "source");
    if (status == KERNELS_OK) status = cuda_stage_begin(device, CUDA_STAGE_COPY, p->copies);
    if (status == KERNELS_OK)
        status =
            cuda_check(device, cudaMemcpyAsync(*at, from, size_bytes, cudaMemcpyHostToDevice, p->copies), "source");
    if (status == KERNELS_OK) status = cuda_stage_end(device, CUDA_STAGE_COPY, p->copies, size_bytes);
    if (status == KERNELS_OK) status = cuda_check(device, cudaEventRecord(source->copied, p->copies), "source");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaStreamWaitEvent(device->stream, source->copied, 0), "source");
    return status;
}

enum kernels_status cuda_source_used(struct kernels_device *device)
{
    auto *source = &device->placement.sources[device->placement.next_source];
    source->in_use = true;
    return cuda_check(device, cudaEventRecord(source->used, device->stream), "source");
}

uint64_t cuda_record(struct kernels_device *device)
{
    uint64_t mark = ++device->marks;
    if (device->failure.code != KERNELS_DEVICE_LOST)
        cuda_check(device, cudaEventRecord(device->placement.events[mark % CUDA_MARKS], device->stream), "record");
    return mark;
}

/* The mark's event, or that of a later one in its place. */
enum kernels_status cuda_wait(struct kernels_device *device, uint64_t mark)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (mark == 0 || mark > device->marks) return cuda_fail(device, KERNELS_BAD_SHAPE, "wait: a mark that is none");
    return cuda_check(device, cudaEventSynchronize(device->placement.events[mark % CUDA_MARKS]), "wait");
}

enum kernels_status cuda_answer(struct kernels_device *device, uint64_t mark, void *to_host, const void *from,
                                size_t size_bytes)
{
    struct cuda_placement *p = &device->placement;
    enum kernels_status status =
        mark ? cuda_check(device, cudaStreamWaitEvent(p->answers, p->events[mark % CUDA_MARKS], 0), "answer")
             : KERNELS_OK;
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaMemcpyAsync(to_host, from, size_bytes, cudaMemcpyDeviceToHost, p->answers),
                            "answer");
    return status == KERNELS_OK ? cuda_check(device, cudaStreamSynchronize(p->answers), "answer") : status;
}

/* The smallest that is free and large enough. */
void *cuda_pool_take(struct kernels_device *device, size_t size_bytes)
{
    struct cuda_piece *best = NULL;
    for (struct cuda_piece *piece = device->placement.pool; piece; piece = piece->next)
        if (!piece->taken && piece->size_bytes >= size_bytes && (!best || piece->size_bytes < best->size_bytes))
            best = piece;
    if (!best) {
        best = (struct cuda_piece *)calloc(1, sizeof *best);
        if (best) best->memory = cuda_take(device, size_bytes);
        if (!best || !best->memory) {
            if (!best) cuda_fail(device, KERNELS_NO_MEMORY, "no memory to note a piece of %zu bytes", size_bytes);
            free(best);
            return NULL;
        }
        best->size_bytes = size_bytes;
        best->next = device->placement.pool;
        device->placement.pool = best;
    }
    best->taken = true;
    return best->memory;
}

void cuda_pool_give(struct kernels_device *device, void *memory)
{
    for (struct cuda_piece *piece = device->placement.pool; memory && piece; piece = piece->next)
        if (piece->memory == memory) piece->taken = false;
}

void *cuda_host_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    struct cuda_piece *piece = (struct cuda_piece *)calloc(1, sizeof *piece);
    if (!piece || device->failure.code == KERNELS_DEVICE_LOST ||
        cuda_check(device, cudaMallocHost(&piece->memory, size_bytes ? size_bytes : 1), "cudaMallocHost") !=
            KERNELS_OK) {
        free(piece);
        kernels_fail(error, device->failure.code == KERNELS_DEVICE_LOST ? KERNELS_DEVICE_LOST : KERNELS_NO_MEMORY,
                     "cuda: %zu bytes of pinned memory of the host: %s", size_bytes,
                     device->failure.code == KERNELS_OK ? "no memory" : device->failure.message);
        return NULL;
    }
    piece->size_bytes = size_bytes;
    piece->next = device->placement.pinned;
    device->placement.pinned = piece;
    device->used.pinned_bytes += size_bytes;
    return piece->memory;
}

void cuda_host_free(struct kernels_device *device, void *memory)
{
    for (struct cuda_piece **at = &device->placement.pinned; memory && *at; at = &(*at)->next)
        if ((*at)->memory == memory) {
            free_pinned(device, at);
            return;
        }
}

enum kernels_status cuda_weights_reserve(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    auto *slab = &device->placement.slab;
    if (slab->n_weights)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weights_reserve: %zu weights lie in the one before",
                            slab->n_weights);
    cuda_release(device, slab->memory, slab->size_bytes);
    *slab = {};
    if (size_bytes == 0) return KERNELS_OK;
    slab->memory = (unsigned char *)cuda_take(device, size_bytes);
    if (!slab->memory)
        return kernels_fail(error, device->failure.code, "cuda: %zu bytes for the weights: %s", size_bytes,
                            device->failure.message);
    slab->size_bytes = size_bytes;
    return KERNELS_OK;
}

bool cuda_weight_memory(struct kernels_device *device, struct kernels_weight *w)
{
    auto *slab = &device->placement.slab;
    if (slab->memory && w->size_bytes <= slab->size_bytes - slab->used_bytes) {
        w->memory = slab->memory + slab->used_bytes;
        slab->used_bytes += w->size_bytes;
        slab->n_weights++;
        w->in_slab = true;
    } else
        w->memory = cuda_take(device, w->size_bytes);
    return w->memory != NULL;
}

/* Of the slab only what was taken last can be used again before all of it is free. */
void cuda_weight_memory_free(struct kernels_device *device, struct kernels_weight *w)
{
    auto *slab = &device->placement.slab;
    cuda_steps_forget(device);
    if (w->in_transit)
        cuda_pool_give(device, w->memory);
    else if (w->in_slab) {
        /* As cudaFree would: the next weight is copied there on another stream, while this one may still be read or fetched. */
        cudaStreamSynchronize(device->stream);
        cudaStreamSynchronize(device->placement.copies);
        if ((unsigned char *)w->memory + w->size_bytes == slab->memory + slab->used_bytes)
            slab->used_bytes -= w->size_bytes;
        if (--slab->n_weights == 0) {
            cuda_release(device, slab->memory, slab->size_bytes);
            *slab = {};
        }
    } else if (!w->on_host)
        cuda_release(device, w->memory, w->size_bytes);
    cuda_host_free(device, w->on_host ? w->memory : w->host);
    w->memory = w->host = NULL;
    w->in_slab = w->in_transit = w->on_host = false;
}

/* The parts' addresses follow the memory that they lie in. */
static void move_view(struct kernels_weight *w, const void *from, void *to)
{
    const void **const parts[] = {(const void **)&w->view.data,         (const void **)&w->view.absmax,
                                  (const void **)&w->view.absmax_codes, (const void **)&w->view.nested_absmax,
                                  (const void **)&w->view.nested_map,   (const void **)&w->view.scales,
                                  (const void **)&w->view.zeros};
    for (const void **part : parts)
        if (*part) *part = (unsigned char *)to + ((const unsigned char *)*part - (const unsigned char *)from);
}

enum kernels_status cuda_weight_leave(struct kernels_device *device, struct kernels_weight *w)
{
    void *host = w->host, *left = w->memory;
    enum kernels_status status = cuda_answer(device, cuda_record(device), host, left, w->size_bytes);
    if (status != KERNELS_OK) return status;
    w->host = NULL;
    cuda_weight_memory_free(device, w);
    w->memory = host;
    w->on_host = true;
    move_view(w, left, host);
    return KERNELS_OK;
}

enum kernels_status cuda_weight_to_host(struct kernels_device *device, struct kernels_weight *w,
                                        struct kernels_error *error)
{
    if (!w || (w->n_written && !w->finished))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight_to_host: a weight that is being written, or none");
    if (w->on_host || w->host) return KERNELS_OK;
    void *host = cuda_host_allocate(device, w->size_bytes, error);
    if (!host) return error ? error->code : KERNELS_NO_MEMORY;
    if (w->finished) {
        w->host = host;
        enum kernels_status status = cuda_weight_leave(device, w);
        return status == KERNELS_OK ? status : kernels_fail(error, status, "cuda: %s", device->failure.message);
    }
    void *const before = w->memory;
    cuda_weight_memory_free(device, w); /* first, so that never both are there */
    void *const transit = cuda_pool_take(device, w->size_bytes);
    if (!transit) { /* left without memory: good for nothing but weight_free */
        cuda_host_free(device, host);
        return kernels_fail(error, device->failure.code, "cuda: weight [%zu, %zu] on its way to the host: %s",
                            w->desc.rows, w->desc.cols, device->failure.message);
    }
    w->memory = transit;
    w->in_transit = true;
    w->host = host;
    move_view(w, before, transit);
    return KERNELS_OK;
}

struct kernels_weight *cuda_weight_like(struct kernels_device *device, const struct kernels_weight *weight,
                                        struct kernels_error *error)
{
    if (!weight || !weight->finished) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight_like: a weight that is not finished, or none");
        return NULL;
    }
    struct kernels_weight *room = cuda_weight_create(device, &weight->desc, 1u << weight->view.block_shift, error);
    if (!room) return NULL;
    room->n_written = room->n_elements;
    room->finished = true;
    return room;
}

enum kernels_status cuda_weight_fetch(struct kernels_device *device, struct kernels_weight *to,
                                      const struct kernels_weight *from, uint64_t after)
{
    struct cuda_placement *p = &device->placement;
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (!to || !from || !to->finished || !from->finished || to->desc.format != from->desc.format ||
        to->desc.rows != from->desc.rows || to->desc.cols != from->desc.cols || to->size_bytes != from->size_bytes ||
        to->view.block_shift != from->view.block_shift || after > device->marks)
        return cuda_fail(device, KERNELS_BAD_SHAPE, "weight_fetch: weights that are not laid out alike");
    cuda_steps_forget(device); /* one may have multiplied with what was there */
    enum kernels_status status = KERNELS_OK;
    if (after) status = cuda_check(device, cudaStreamWaitEvent(p->copies, p->events[after % CUDA_MARKS], 0), "fetch");
    if (status == KERNELS_OK)
        status = cuda_check(
            device, cudaMemcpyAsync(to->memory, from->memory, from->size_bytes, cudaMemcpyDefault, p->copies), "fetch");
    if (status == KERNELS_OK) status = cuda_check(device, cudaEventRecord(p->fetched, p->copies), "fetch");
    if (status != KERNELS_OK) return status;
    to->view.nested_offset = from->view.nested_offset;
    to->is_seen = false; /* by the stream that expands weights */
    p->has_fetched = true;
    return KERNELS_OK;
}

enum kernels_status cuda_weight_arrived(struct kernels_device *device)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (!device->placement.has_fetched) return KERNELS_OK;
    return cuda_check(device, cudaStreamWaitEvent(device->stream, device->placement.fetched, 0), "fetch");
}
