/* device.h: what the CPU backends share: the device and its memory, weights, caches and batches as they lie there.
 * Private to kernels/cpu; who uses a backend sees kernels.h alone. */
#ifndef DOCKET_KERNELS_CPU_DEVICE_H
#define DOCKET_KERNELS_CPU_DEVICE_H

#include "kernels/error.h"
#include "kernels/formats/kv.h"
#include "kernels/kernels.h"

struct cpu_isa;  /* isa.h */
struct cpu_core; /* core.h */

extern const struct kernels_backend cpu_reference_backend;
extern const struct kernels_backend cpu_backend;

/* Scratch of the device, grown when an operation needs more than it has; its contents last one operation. */
enum cpu_scratch {
    CPU_SCRATCH_ROWS,    /* activations as the linear core wants them */
    CPU_SCRATCH_HIDDEN,  /* the same of an expert's hidden rows */
    CPU_SCRATCH_RESULTS, /* results before they are added up */
    CPU_SCRATCH_WORKERS, /* one piece a worker */
    CPU_SCRATCH_PLAN,    /* who goes to which expert */
    CPU_N_SCRATCH,
};

struct cpu_block; /* memory.c: header of everything allocated */

struct kernels_device {
    const struct kernels_backend *backend;
    struct kernels_options options; /* callbacks filled in; cpu_isa not kept */
    const struct cpu_isa *isa;      /* NULL in the reference backend */
    const struct cpu_core *core;    /* NULL: all products in f32 */
    struct kernels_memory used;
    struct cpu_block *buffers, *batches; /* freed when the device closes */
    struct {
        void *data;
        size_t size_bytes;
    } scratch[CPU_N_SCRATCH];
    struct kernels_error failure;       /* the first one since the last synchronize */
    const struct cpu_core *failed_core; /* as in struct cpu_choice */
    const char *failed_reason;
};

struct kernels_weight {
    struct kernels_weight_desc desc;
    size_t n_elements, n_written, n_blocks;
    uint32_t block_size;  /* elements that share a scale */
    unsigned block_shift; /* 64 << this is that, where it is not 32 */
    unsigned flags;       /* what was wrong with the source: LOWBIT_… */
    bool finished;
    void *data;            /* canonical: codes, or values in their format */
    float *absmax;         /* [n_blocks], of int8 [rows]; of nested weights only until finish */
    uint8_t *absmax_codes; /* nested */
    float *nested_absmax, *nested_map;
    float nested_offset;
    uint16_t *scales, *zeros; /* q8 to q1 */
    float *waiting;           /* until finish: scales of nested weights, or the row of int8 that is not whole */
    /* In tiles (tile.h) from the beginning: then data and its scales are NULL, but for the nested ones. */
    uint8_t *tiles;
    size_t tile_bytes;   /* of 16 rows */
    unsigned order;      /* enum tile_order */
    bool has_zeros;      /* of q8, q4, q2 */
    uint8_t *map_planes; /* of nested weights: nested_map in planes of bytes */
    struct kernels_source_scale source_scale;
};

/* Elements of a weight in a format of sources; values[0] is element `at` of the weight. */
struct cpu_source {
    enum kernels_format format;
    const void *values;
    const struct kernels_source_scale *scale; /* NULL: 1 */
    size_t at;
};

/* Bits of one code of a format with blocks. */
static inline unsigned cpu_code_bits(enum kernels_format format)
{
    switch (format) {
    case KERNELS_Q8:
        return 8;
    case KERNELS_Q2:
        return 2;
    case KERNELS_Q1:
        return 1;
    default:
        return 4;
    }
}

/* k and v are vectors, in the places that kv_place says. */
struct kernels_kv {
    enum kernels_format format;
    size_t n_layers, n_slots, n_running, n_kv_heads, head_size, vector_bytes;
    void *k, *v;
};

struct kernels_batch {
    size_t max_rows, max_sequences, n_rows, n_sequences, slots_end, most_visible;
    int32_t *token_ids, *positions, *parents; /* [max_rows]; parents by row, -1 where a sequence has none */
    uint32_t *slots;
    uint32_t *sequence_of; /* [max_rows], UINT32_MAX outside of all */
    struct kernels_sequence *sequences;
    /* Cosines and sines [n_rows, d / 2], kept from one layer to the next. */
    float *rotation;
    size_t rotation_values; /* allocated */
    const float *rotation_of;
    size_t rotation_half; /* 0: not made for this pass */
};

/* memory.c. All sizes below are checked by their callers or here; NULL means no memory. */
struct kernels_device *cpu_device_open(const struct kernels_backend *backend, const struct kernels_options *options,
                                       struct kernels_error *error);
void cpu_close(struct kernels_device *device);
void cpu_memory(const struct kernels_device *device, struct kernels_memory *out);
void *cpu_allocate(struct kernels_device *device, size_t size_bytes);
void cpu_release(struct kernels_device *device, void *memory);
size_t cpu_allocated_bytes(size_t size_bytes); /* what cpu_allocate takes for that many */
void *cpu_scratch(struct kernels_device *device, enum cpu_scratch which, size_t size_bytes);
void cpu_parallel(struct kernels_device *device, size_t n_items, size_t grain, kernels_task task, void *context);
void *cpu_buffer_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
void cpu_buffer_free(struct kernels_device *device, void *buffer);
enum kernels_status cpu_copy(struct kernels_device *device, void *to, const void *from, size_t size_bytes);
uint64_t cpu_record(struct kernels_device *device);
enum kernels_status cpu_wait(struct kernels_device *device, uint64_t mark);
enum kernels_status cpu_synchronize(struct kernels_device *device, struct kernels_error *error);
/* Notes the first failure for synchronize; returns status. */
enum kernels_status cpu_fail(struct kernels_device *device, enum kernels_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* weights.c */
size_t cpu_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc);
/* Memory for a weight, its parts not filled. */
struct kernels_weight *cpu_weight_create(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                         uint32_t block_size, struct kernels_error *error);
/* Between two finished weights of one layout, both in tiles. */
void cpu_weight_copy_tiles(struct kernels_weight *to, const struct kernels_weight *from);
enum kernels_status cpu_weight_read(struct kernels_device *device, const struct kernels_weight *weight, float *out);
void cpu_weight_describe(const struct kernels_weight *weight, struct kernels_weight_desc *out);
void cpu_weight_free(struct kernels_device *device, struct kernels_weight *weight);
/* Elements [first, first + n) as f32. */
void cpu_weight_values(const struct kernels_weight *weight, size_t first, size_t n, float *out);
struct kernels_weight *cpu_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                             const struct kernels_parts *parts, struct kernels_error *error);
enum kernels_status cpu_weight_expand(struct kernels_device *device, struct kernels_weight *weight,
                                      struct kernels_error *error);
enum kernels_status cpu_weight_read_parts(struct kernels_device *device, const struct kernels_weight *weight,
                                          struct kernels_parts *parts);

/* quantize.c */
struct kernels_weight *cpu_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                        struct kernels_error *error);
enum kernels_status cpu_weight_write(struct kernels_device *device, struct kernels_weight *weight,
                                     enum kernels_format source_format, const void *source, size_t n_elements,
                                     struct kernels_error *error);
enum kernels_status cpu_weight_finish(struct kernels_device *device, struct kernels_weight *weight,
                                      struct kernels_error *error);
enum kernels_status cpu_weight_scale(struct kernels_device *device, struct kernels_weight *weight,
                                     const struct kernels_source_scale *scale, struct kernels_error *error);

/* cache.c */
size_t cpu_kv_size(const struct kernels_device *device, const struct kernels_kv_shape *shape);
struct kernels_kv *cpu_kv_create(struct kernels_device *device, const struct kernels_kv_shape *shape,
                                 struct kernels_error *error);
void cpu_kv_free(struct kernels_device *device, struct kernels_kv *kv);
/* Memory for a batch, known to the device so that closing it frees the batch. */
struct kernels_batch *cpu_batch_memory(struct kernels_device *device, size_t size_bytes);
size_t cpu_batch_size(size_t max_rows, size_t max_sequences); /* that cpu_batch_create takes at once */
struct kernels_batch *cpu_batch_create(struct kernels_device *device, size_t max_rows, size_t max_sequences,
                                       struct kernels_error *error);
enum kernels_status cpu_batch_set(struct kernels_device *device, struct kernels_batch *batch,
                                  const struct kernels_batch_desc *desc, struct kernels_error *error);
void cpu_batch_free(struct kernels_device *device, struct kernels_batch *batch);
/* A key or value: its place in kv->k or kv->v, in bytes. */
static inline size_t cpu_kv_at(const struct kernels_kv *kv, size_t layer, size_t kv_head, size_t slot)
{
    return kv_place(kv->n_layers, kv->n_slots, kv->n_running, kv->n_kv_heads, layer, kv_head, slot) * kv->vector_bytes;
}

/* check.c: KERNELS_BAD_SHAPE or KERNELS_UNSUPPORTED, noted, when arguments cannot be. */
enum kernels_status cpu_check_embed(struct kernels_device *device, const struct kernels_embed *args);
enum kernels_status cpu_check_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args);
enum kernels_status cpu_check_linear(struct kernels_device *device, const struct kernels_linear *args);
enum kernels_status cpu_check_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args);
enum kernels_status cpu_check_attention(struct kernels_device *device, const struct kernels_attention *args);
enum kernels_status cpu_check_route(struct kernels_device *device, const struct kernels_route *args);
enum kernels_status cpu_check_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args);
enum kernels_status cpu_check_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args);
enum kernels_status cpu_check_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args);

/* placement.c: where a CPU's weights lie is where they are used, so that most of it is nothing to do. */
void *cpu_host_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
enum kernels_status cpu_weights_reserve(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
enum kernels_status cpu_weight_to_host(struct kernels_device *device, struct kernels_weight *weight,
                                       struct kernels_error *error);
struct kernels_weight *cpu_weight_like(struct kernels_device *device, const struct kernels_weight *weight,
                                       struct kernels_error *error);
enum kernels_status cpu_weight_fetch(struct kernels_device *device, struct kernels_weight *to,
                                     const struct kernels_weight *from, uint64_t after);
enum kernels_status cpu_weight_arrived(struct kernels_device *device);

enum kernels_status cpu_step_begin(struct kernels_device *device, const struct kernels_step *step, bool *done);
enum kernels_status cpu_step_end(struct kernels_device *device, bool *again);

/* Entries of the table that both CPU backends share. */
#define CPU_SHARED_ENTRIES                                                                                             \
    .buffer_allocate = cpu_buffer_allocate, .buffer_free = cpu_buffer_free, .upload = cpu_copy, .download = cpu_copy,  \
    .weight_size = cpu_weight_size, .weight_begin = cpu_weight_begin, .weight_write = cpu_weight_write,                \
    .weight_finish = cpu_weight_finish, .weight_scale = cpu_weight_scale, .weight_from_parts = cpu_weight_from_parts,  \
    .weight_read_parts = cpu_weight_read_parts, .weight_read = cpu_weight_read, .weight_expand = cpu_weight_expand,    \
    .weight_describe = cpu_weight_describe, .weight_free = cpu_weight_free, .kv_size = cpu_kv_size,                    \
    .kv_create = cpu_kv_create, .kv_free = cpu_kv_free, .batch_create = cpu_batch_create, .batch_set = cpu_batch_set,  \
    .batch_free = cpu_batch_free, .record = cpu_record, .wait = cpu_wait, .synchronize = cpu_synchronize,              \
    .host_allocate = cpu_host_allocate, .host_free = cpu_buffer_free, .weights_reserve = cpu_weights_reserve,          \
    .weight_to_host = cpu_weight_to_host, .weight_like = cpu_weight_like, .weight_fetch = cpu_weight_fetch,            \
    .weight_arrived = cpu_weight_arrived, .step_begin = cpu_step_begin, .step_end = cpu_step_end

#endif
