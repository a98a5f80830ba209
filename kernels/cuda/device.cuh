/* device.cuh: what the host side of the CUDA backend shares: the device, how calls are checked, how host arrays get to the device. */
#ifndef DOCKET_KERNELS_CUDA_DEVICE_CUH
#define DOCKET_KERNELS_CUDA_DEVICE_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/experts.cuh"
#include "kernels/cuda/multiply.cuh"
#include "kernels/cuda/placement.cuh"
#include "kernels/cuda/stages.cuh"
#include "kernels/cuda/steps.cuh"
#include "kernels/gpu_scratch.h"
#include "kernels/kernels.h"

#include <launch.cuh>

/* The one exported symbol of libdocket_cuda.so. */
extern "C" __attribute__((visibility("default"))) const struct kernels_backend *docket_cuda_backend(void);

struct cuda_buffer { /* in front of nothing: a list beside the memory */
    void *memory;
    size_t size_bytes;
    struct cuda_buffer *next;
};

struct kernels_device {
    int index;
    cudaStream_t stream;
    struct kernels_description facts;
    struct kernels_memory used;
    struct kernels_error failure; /* the first since the last synchronize; DEVICE_LOST stays */
    struct cuda_buffer *buffers;
    struct {
        void *data;
        size_t size_bytes;
    } scratch[CUDA_N_SCRATCH];
    /* Host arrays go through a pinned ring with a twin on the device; when it is full, the stream is waited for. */
    unsigned char *ring, *ring_twin;
    size_t ring_used;
    uint32_t *wrong; /* on the device: a kernel found an argument that cannot be */
    uint64_t marks;  /* so far; placement.events has the last ones */
    struct cuda_placement placement;
    struct cuda_stages stages;
    int n_multiprocessors;
    cuda_shared_memory room;
    struct { /* attention's plan of the batch that it was last asked for; batch NULL: none */
        const struct kernels_batch *batch;
        struct attention_shape shape;
        struct attention_plan plan;
    } planned;
    struct { /* what the router has sorted already, until another operation than expert_ffn comes; ids NULL: nothing */
        const int32_t *ids;
        size_t n_rows, n_experts, top_k;
    } sorted;
    struct { /* the end of expert_ffn, which waits for a norm that it can be one launch with */
        bool is_there;
        struct combine_args sums;
    } waiting;
    struct cuda_library *library; /* library.cuh; there from open to close */
    struct cuda_steps steps;
};

struct source_flags; /* quantize.cuh */

/* The parts of a weight in one piece of memory, each at a multiple of 256. What is under `filling` is there from begin to finish:
 * scales that will be nested, or the row of int8 that is not whole; the scales of the source; what was wrong with it. */
struct kernels_weight {
    struct kernels_weight_desc desc;
    struct weight_view view;
    size_t n_elements, n_written;
    bool finished;
    void *memory;
    size_t size_bytes;
    bool in_slab, in_transit; /* where memory is from; neither: it is its own */
    bool on_host;             /* memory is the host's */
    void *host;               /* where it goes when it is finished */
    struct {
        uint64_t mark; /* behind its last write */
        float *waiting;
        float *source_scales;
        size_t block_rows, block_cols;
        struct source_flags *flags;
    } filling;
    uint16_t *expanded;   /* library.cu: the 16-bit form, or NULL */
    mutable bool is_seen; /* the second stream knows that it is loaded */
};

struct kernels_kv {
    enum kernels_format format;
    size_t n_layers, size_bytes;
    struct kv_view view;
    void *memory;
};

struct kernels_batch {
    size_t max_rows, max_sequences, n_rows, n_sequences, slots_end;
    int32_t least_id, largest_id;
    struct kernels_sequence *host_sequences; /* as they were set; `parent` is not to be used */
    void *memory;
    size_t size_bytes;
    int32_t *ids, *positions, *parents;
    uint32_t *slots;
    struct kernels_sequence *sequences;
    uint8_t *is_tree;
    unsigned char *host; /* [size_bytes]: the same on the host */
};

/* backend_cuda.cu. Notes the first failure for synchronize; returns status. */
enum kernels_status cuda_fail(struct kernels_device *device, enum kernels_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a call of the runtime. */
enum kernels_status cuda_check(struct kernels_device *device, cudaError_t result, const char *what);
/* What the launches since the last look failed with. */
enum kernels_status cuda_check_launch(struct kernels_device *device, const char *what);
void *cuda_take(struct kernels_device *device, size_t size_bytes);
/* What an allocation that did not come says: of a lost device that, and why. Returns the status. */
enum kernels_status cuda_no_memory(const struct kernels_device *device, struct kernels_error *error, const char *what,
                                   size_t size_bytes);
void cuda_release(struct kernels_device *device, void *memory, size_t size_bytes);
void *cuda_scratch_at_least(struct kernels_device *device, enum cuda_scratch which, size_t size_bytes);
/* A copy of host bytes on the device, good until the next wait; NULL after a failure. At most CUDA_STAGE_BYTES: two that
 * one operation needs then never lie over each other, even where the ring begins anew between them. */
#define CUDA_RING_BYTES  ((size_t)8 << 20)
#define CUDA_STAGE_BYTES (CUDA_RING_BYTES / 4)
const void *cuda_stage(struct kernels_device *device, const void *bytes, size_t size_bytes);
/* Host bytes, as many as there are, to their place on the device, behind what is queued; false after a failure. */
bool cuda_put(struct kernels_device *device, void *to, const void *from, size_t size_bytes);

/* weights.cu */
bool cuda_is_plain(enum kernels_format format);
static inline bool cuda_is_nested(enum kernels_format format)
{
    return format == KERNELS_NF4_NESTED || format == KERNELS_FP4_NESTED;
}
static inline size_t cuda_n_blocks(const struct kernels_weight *w)
{
    return ((w->n_elements - 1) >> w->view.block_shift) + 1;
}
size_t cuda_weight_size(const struct kernels_device *device, const struct kernels_weight_desc *desc);
/* Memory for a weight, its parts not filled; NULL after a failure, which is said. */
struct kernels_weight *cuda_weight_create(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                          uint32_t block_size, struct kernels_error *error);
struct kernels_weight *cuda_weight_from_parts(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                              const struct kernels_parts *parts, struct kernels_error *error);
enum kernels_status cuda_weight_read_parts(struct kernels_device *device, const struct kernels_weight *weight,
                                           struct kernels_parts *parts);
enum kernels_status cuda_weight_read(struct kernels_device *device, const struct kernels_weight *weight, float *out);
void cuda_weight_describe(const struct kernels_weight *weight, struct kernels_weight_desc *out);
void cuda_weight_free(struct kernels_device *device, struct kernels_weight *weight);

/* sources.cu */
struct kernels_weight *cuda_weight_begin(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                         struct kernels_error *error);
enum kernels_status cuda_weight_write(struct kernels_device *device, struct kernels_weight *weight,
                                      enum kernels_format source_format, const void *source, size_t n_elements,
                                      struct kernels_error *error);
enum kernels_status cuda_weight_finish(struct kernels_device *device, struct kernels_weight *weight,
                                       struct kernels_error *error);
enum kernels_status cuda_weight_scale(struct kernels_device *device, struct kernels_weight *weight,
                                      const struct kernels_source_scale *scale, struct kernels_error *error);
/* Gives back what only filling needs. */
void cuda_weight_filled(struct kernels_device *device, struct kernels_weight *weight);

/* batches.cu */
size_t cuda_kv_size(const struct kernels_device *device, const struct kernels_kv_shape *shape);
struct kernels_kv *cuda_kv_create(struct kernels_device *device, const struct kernels_kv_shape *shape,
                                  struct kernels_error *error);
void cuda_kv_free(struct kernels_device *device, struct kernels_kv *kv);
struct kernels_batch *cuda_batch_create(struct kernels_device *device, size_t max_rows, size_t max_sequences,
                                        struct kernels_error *error);
enum kernels_status cuda_batch_set(struct kernels_device *device, struct kernels_batch *batch,
                                   const struct kernels_batch_desc *desc, struct kernels_error *error);
void cuda_batch_free(struct kernels_device *device, struct kernels_batch *batch);

/* attention_plan.cu. The plan of the batch, good until the next one is asked for; NULL after a failure. */
const struct attention_plan *cuda_attention_plan(struct kernels_device *device, const struct kernels_batch *batch,
                                                 const struct attention_shape &shape);

/* operations.cu: arguments checked, kernels queued. */
/* Queues what waits; before every call of the table but rmsnorm. */
void cuda_op_settle(struct kernels_device *device);
enum kernels_status cuda_op_embed(struct kernels_device *device, const struct kernels_embed *args);
enum kernels_status cuda_op_rmsnorm(struct kernels_device *device, const struct kernels_rmsnorm *args);
enum kernels_status cuda_op_linear(struct kernels_device *device, const struct kernels_linear *args);
enum kernels_status cuda_op_rope_kv(struct kernels_device *device, const struct kernels_rope_kv *args);
enum kernels_status cuda_op_attention(struct kernels_device *device, const struct kernels_attention *args);
enum kernels_status cuda_op_route(struct kernels_device *device, const struct kernels_route *args);
enum kernels_status cuda_op_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args);
enum kernels_status cuda_op_add(struct kernels_device *device, float *out, const float *x, size_t n_values);
enum kernels_status cuda_op_gather_rows(struct kernels_device *device, const struct kernels_gather_rows *args);
enum kernels_status cuda_op_gather_logits(struct kernels_device *device, const struct kernels_gather_logits *args);

#endif
