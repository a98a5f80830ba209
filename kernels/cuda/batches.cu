/* batches.cu: caches of keys and values, and packed batches, as they lie on the device. */
#include "kernels/cuda/device.cuh"

#include <stdlib.h>
#include <string.h>

extern "C" {
#include "kernels/batch_check.h"
#include "kernels/error.h"
#include "kernels/formats/kv.h"
}

size_t cuda_kv_size(const struct kernels_device *device, const struct kernels_kv_shape *s)
{
    (void)device;
    const size_t vectors = kv_vectors(s), bytes = 2 * kv_vector_bytes(s->format, s->head_size);
    if (s->head_size == 0 || s->head_size > KERNELS_MAX_HEAD_SIZE || s->n_layers == 0 || bytes == 0) return 0;
    return vectors > SIZE_MAX / bytes ? 0 : vectors * bytes;
}

struct kernels_kv *cuda_kv_create(struct kernels_device *device, const struct kernels_kv_shape *s,
                                  struct kernels_error *error)
{
    const size_t bytes = cuda_kv_size(device, s);
    if (bytes == 0) {
        bool known = kv_vector_bytes(s->format, 1) != 0;
        kernels_fail(error, known ? KERNELS_BAD_SHAPE : KERNELS_UNSUPPORTED,
                     "cuda: cache of %zu layers, %zu and %zu slots, %zu heads of %zu in %s", s->n_layers, s->n_slots,
                     s->n_running, s->n_kv_heads, s->head_size, docket_kernels_format_name(s->format));
        return NULL;
    }
    struct kernels_kv *kv = (struct kernels_kv *)calloc(1, sizeof *kv);
    if (kv) kv->memory = cuda_take(device, bytes);
    if (!kv || !kv->memory ||
        cuda_check(device, cudaMemsetAsync(kv->memory, 0, bytes, device->stream), "cache") != KERNELS_OK) {
        cuda_no_memory(device, error, "for a cache", bytes);
        if (kv) cuda_release(device, kv->memory, bytes);
        free(kv);
        return NULL;
    }
    kv->format = s->format;
    kv->n_layers = s->n_layers;
    kv->size_bytes = bytes;
    kv->view.k = kv->memory;
    kv->view.v = (unsigned char *)kv->memory + bytes / 2;
    kv->view.n_layers = (uint32_t)s->n_layers;
    kv->view.n_slots = (uint32_t)s->n_slots, kv->view.n_running = (uint32_t)s->n_running;
    kv->view.n_kv_heads = (uint32_t)s->n_kv_heads, kv->view.head_size = (uint32_t)s->head_size;
    kv->view.format = s->format, kv->view.vector_bytes = (uint32_t)kv_vector_bytes(s->format, s->head_size);
    return kv;
}

void cuda_kv_free(struct kernels_device *device, struct kernels_kv *kv)
{
    if (!kv) return;
    cuda_release(device, kv->memory, kv->size_bytes);
    free(kv);
}

struct kernels_batch *cuda_batch_create(struct kernels_device *device, size_t max_rows, size_t max_sequences,
                                        struct kernels_error *error)
{
    struct kernels_batch *b = (struct kernels_batch *)calloc(1, sizeof *b);
    size_t at[6], total = gpu_batch_layout(max_rows, max_sequences, at);
    if (b) b->host_sequences = (struct kernels_sequence *)calloc(max_sequences + 1, sizeof *b->host_sequences);
    if (b) b->host = (unsigned char *)calloc(total + 1, 1);
    if (b && b->host && b->host_sequences && max_rows <= INT32_MAX / KERNELS_MAX_TOP_K && max_sequences <= INT32_MAX)
        b->memory = cuda_take(device, total);
    if (!b || !b->memory) {
        cuda_no_memory(device, error, "for a batch", total);
        if (b) free(b->host_sequences), free(b->host);
        free(b);
        return NULL;
    }
    b->max_rows = max_rows, b->max_sequences = max_sequences, b->size_bytes = total;
    return b;
}

/* All parts one behind the other, as many rows and sequences as there are, so that they come in one piece. */
static bool put_parts(struct kernels_device *device, struct kernels_batch *b, const struct kernels_batch_desc *desc)
{
    size_t at[6], total = gpu_batch_layout(desc->n_rows, desc->n_sequences, at);
    unsigned char *const memory = (unsigned char *)b->memory;
    int32_t *const parents = (int32_t *)(b->host + at[2]);
    for (size_t i = 0; i < desc->n_rows; i++) parents[i] = -1;
    for (size_t i = 0; i < desc->n_sequences; i++) {
        const struct kernels_sequence *s = &desc->sequences[i];
        b->host[at[5] + i] = s->parent != NULL;
        if (s->parent) memcpy(parents + s->first_row, s->parent, s->n_rows * sizeof *parents);
    }
    if (desc->n_rows) {
        memcpy(b->host + at[0], desc->token_ids, desc->n_rows * sizeof *b->ids);
        memcpy(b->host + at[1], desc->positions, desc->n_rows * sizeof *b->positions);
        memcpy(b->host + at[3], desc->slots, desc->n_rows * sizeof *b->slots);
    }
    if (desc->n_sequences) memcpy(b->host + at[4], desc->sequences, desc->n_sequences * sizeof *b->sequences);
    b->ids = (int32_t *)(memory + at[0]);
    b->positions = (int32_t *)(memory + at[1]);
    b->parents = (int32_t *)(memory + at[2]);
    b->slots = (uint32_t *)(memory + at[3]);
    b->sequences = (struct kernels_sequence *)(memory + at[4]);
    b->is_tree = memory + at[5];
    return cuda_put(device, memory, b->host, total);
}

enum kernels_status cuda_batch_set(struct kernels_device *device, struct kernels_batch *b,
                                   const struct kernels_batch_desc *desc, struct kernels_error *error)
{
    size_t slots_end = 0, most_visible = 0;
    enum kernels_status status =
        kernels_check_batch(desc, b->max_rows, b->max_sequences, &slots_end, &most_visible, error);
    if (status != KERNELS_OK) return status;
    if (device->planned.batch == b) device->planned.batch = NULL;
    if (desc->n_sequences) memcpy(b->host_sequences, desc->sequences, desc->n_sequences * sizeof *b->host_sequences);
    b->least_id = INT32_MAX, b->largest_id = -1;
    for (size_t i = 0; i < desc->n_rows; i++) {
        if (desc->token_ids[i] < b->least_id) b->least_id = desc->token_ids[i];
        if (desc->token_ids[i] > b->largest_id) b->largest_id = desc->token_ids[i];
    }
    b->n_rows = desc->n_rows, b->n_sequences = desc->n_sequences, b->slots_end = slots_end;
    put_parts(device, b, desc);
    if (device->failure.code == KERNELS_OK) return KERNELS_OK;
    return kernels_fail(error, device->failure.code, "%s", device->failure.message);
}

void cuda_batch_free(struct kernels_device *device, struct kernels_batch *b)
{
    if (!b) return;
    if (device->planned.batch == b) device->planned.batch = NULL;
    cuda_release(device, b->memory, b->size_bytes);
    free(b->host_sequences);
    free(b->host);
    free(b);
}
