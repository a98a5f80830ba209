/* cache.c: key/value caches and packed batches of the CPU backends. Knows what is kept, not what attention makes of it. */
#include <string.h>

#include "kernels/batch_check.h"
#include "kernels/cpu/device.h"
#include "kernels/formats/kv.h"

#define MAX_BYTES ((size_t)1 << 46)

/* Bytes of keys or of values, rounded up to a cache line; 0 if the sizes cannot be. */
static size_t half_bytes(const struct kernels_kv_shape *s)
{
    const size_t vectors = kv_vectors(s), bytes = kv_vector_bytes(s->format, s->head_size);

    if (s->head_size == 0 || s->head_size > KERNELS_MAX_HEAD_SIZE || s->head_size % 2 != 0 || bytes == 0) return 0;
    if (s->n_layers == 0 || vectors == 0 || vectors > MAX_BYTES / bytes) return 0;
    return (vectors * bytes + 63) / 64 * 64;
}

static size_t struct_bytes(size_t size)
{
    return (size + 63) / 64 * 64;
}

size_t cpu_kv_size(const struct kernels_device *device, const struct kernels_kv_shape *shape)
{
    size_t half = half_bytes(shape);

    (void)device;
    return half ? cpu_allocated_bytes(struct_bytes(sizeof(struct kernels_kv)) + 2 * half) : 0;
}

struct kernels_kv *cpu_kv_create(struct kernels_device *device, const struct kernels_kv_shape *s,
                                 struct kernels_error *error)
{
    size_t half = half_bytes(s);
    size_t start = struct_bytes(sizeof(struct kernels_kv));
    struct kernels_kv *kv;
    char *base;

    if (half == 0) {
        kernels_fail(error, kv_vector_bytes(s->format, 2) == 0 ? KERNELS_UNSUPPORTED : KERNELS_BAD_SHAPE,
                     "cache %s: %zu layers, %zu and %zu slots, %zu heads of %zu: cannot be",
                     docket_kernels_format_name(s->format), s->n_layers, s->n_slots, s->n_running, s->n_kv_heads,
                     s->head_size);
        return NULL;
    }
    if ((base = cpu_allocate(device, start + 2 * half)) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "cache: no memory for %zu bytes", start + 2 * half);
        return NULL;
    }
    kv = (struct kernels_kv *)(void *)base;
    *kv = (struct kernels_kv){.format = s->format,
                              .n_layers = s->n_layers,
                              .n_slots = s->n_slots,
                              .n_running = s->n_running,
                              .n_kv_heads = s->n_kv_heads,
                              .head_size = s->head_size,
                              .vector_bytes = kv_vector_bytes(s->format, s->head_size),
                              .k = base + start,
                              .v = base + start + half};
    return kv;
}

void cpu_kv_free(struct kernels_device *device, struct kernels_kv *kv)
{
    cpu_release(device, kv);
}

size_t cpu_batch_size(size_t max_rows, size_t max_sequences)
{
    size_t rows = max_rows ? max_rows : 1, sequences = max_sequences ? max_sequences : 1;

    return cpu_allocated_bytes(struct_bytes(sizeof(struct kernels_batch)) +
                               struct_bytes(sequences * sizeof(struct kernels_sequence)) + 5 * struct_bytes(rows * 4));
}

struct kernels_batch *cpu_batch_create(struct kernels_device *device, size_t max_rows, size_t max_sequences,
                                       struct kernels_error *error)
{
    struct kernels_batch *batch;
    size_t rows = max_rows ? max_rows : 1, sequences = max_sequences ? max_sequences : 1, at;
    char *base;

    if (max_rows > INT32_MAX || max_sequences > INT32_MAX) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "batch: %zu rows, %zu sequences: too many", max_rows, max_sequences);
        return NULL;
    }
    at = struct_bytes(sizeof *batch) + struct_bytes(sequences * sizeof(struct kernels_sequence));
    if ((batch = cpu_batch_memory(device, at + 5 * struct_bytes(rows * 4))) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "batch: no memory for %zu rows", max_rows);
        return NULL;
    }
    base = (char *)batch;
    *batch = (struct kernels_batch){.max_rows = max_rows, .max_sequences = max_sequences};
    batch->sequences = (struct kernels_sequence *)(void *)(base + struct_bytes(sizeof *batch));
    batch->token_ids = (int32_t *)(void *)(base + at);
    batch->positions = (int32_t *)(void *)(base + at + struct_bytes(rows * 4));
    batch->parents = (int32_t *)(void *)(base + at + 2 * struct_bytes(rows * 4));
    batch->slots = (uint32_t *)(void *)(base + at + 3 * struct_bytes(rows * 4));
    batch->sequence_of = (uint32_t *)(void *)(base + at + 4 * struct_bytes(rows * 4));
    return batch;
}

enum kernels_status cpu_batch_set(struct kernels_device *device, struct kernels_batch *batch,
                                  const struct kernels_batch_desc *desc, struct kernels_error *error)
{
    enum kernels_status status;
    size_t slots_end, most_visible;

    (void)device;
    if (batch == NULL) return kernels_fail(error, KERNELS_BAD_SHAPE, "batch: is NULL");
    status = kernels_check_batch(desc, batch->max_rows, batch->max_sequences, &slots_end, &most_visible, error);
    if (status != KERNELS_OK) return status;
    batch->n_rows = desc->n_rows;
    batch->n_sequences = desc->n_sequences;
    batch->slots_end = slots_end;
    batch->most_visible = most_visible;
    batch->rotation_half = 0;
    for (size_t row = 0; row < desc->n_rows; row++) {
        batch->token_ids[row] = desc->token_ids[row];
        batch->positions[row] = desc->positions[row];
        batch->slots[row] = desc->slots[row];
        batch->parents[row] = -1;
        batch->sequence_of[row] = UINT32_MAX;
    }
    for (size_t at = 0; at < desc->n_sequences; at++) {
        struct kernels_sequence *s = &batch->sequences[at];
        *s = desc->sequences[at];
        for (uint32_t i = 0; i < s->n_rows; i++) {
            batch->sequence_of[s->first_row + i] = (uint32_t)at;
            if (s->parent) batch->parents[s->first_row + i] = s->parent[i];
        }
        if (s->parent) s->parent = batch->parents + s->first_row; /* ours from here on */
    }
    return KERNELS_OK;
}

void cpu_batch_free(struct kernels_device *device, struct kernels_batch *batch)
{
    if (batch == NULL) return;
    cpu_release(device, batch->rotation);
    cpu_release(device, batch);
}
