/* placement.cuh: where things lie, and how they get there beside the work: two streams for copies, marks, pieces of memory that filling
 * weights borrow, one slab for all weights, memory of the host. */
#ifndef DOCKET_KERNELS_CUDA_PLACEMENT_CUH
#define DOCKET_KERNELS_CUDA_PLACEMENT_CUH

#include "kernels/kernels.h"

#include <launch.cuh>

#define CUDA_MARKS 64 /* marks with an event of their own; older ones wait for a later one */

struct cuda_piece { /* a list beside the memory */
    void *memory;
    size_t size_bytes;
    bool taken;
    struct cuda_piece *next;
};

struct cuda_placement {
    cudaStream_t copies, answers; /* to the device, and back; the device's own stream computes */
    cudaEvent_t events[CUDA_MARKS];
    cudaEvent_t fetched; /* behind the last fetch */
    bool has_fetched;
    /* Pieces of sources on their way: one is filled while the other is quantized. */
    struct {
        void *data;
        size_t size_bytes; /* as large as a piece had to be so far */
        cudaEvent_t copied, used;
        bool in_use;
    } sources[2];
    unsigned next_source;
    struct cuda_piece *pool;   /* of the device, kept from one weight to the next */
    struct cuda_piece *pinned; /* of the host */
    struct {
        unsigned char *memory;
        size_t size_bytes, used_bytes, n_weights;
    } slab;
};

enum kernels_status cuda_placement_open(struct kernels_device *device);
void cuda_placement_close(struct kernels_device *device);
/* Gives back what only loading needs. */
void cuda_placement_trim(struct kernels_device *device);

/* A piece of a source to `to`, or, with NULL, to where it can be quantized from: *at. What is queued next sees it. */
enum kernels_status cuda_source_copy(struct kernels_device *device, const void *from, size_t size_bytes, void *to,
                                     void **at);
/* The piece that was copied last has been read by what is queued so far. */
enum kernels_status cuda_source_used(struct kernels_device *device);
/* Device bytes to the host, behind the mark, beside what was queued after it. Waits. */
enum kernels_status cuda_answer(struct kernels_device *device, uint64_t mark, void *to_host, const void *from,
                                size_t size_bytes);

void *cuda_pool_take(struct kernels_device *device, size_t size_bytes);
void cuda_pool_give(struct kernels_device *device, void *memory); /* NULL is fine */
/* Memory for a weight, and back. */
bool cuda_weight_memory(struct kernels_device *device, struct kernels_weight *weight);
void cuda_weight_memory_free(struct kernels_device *device, struct kernels_weight *weight);
/* A weight that is finished and is to lie on the host goes there. */
enum kernels_status cuda_weight_leave(struct kernels_device *device, struct kernels_weight *weight);

uint64_t cuda_record(struct kernels_device *device);
enum kernels_status cuda_wait(struct kernels_device *device, uint64_t mark);
void *cuda_host_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
void cuda_host_free(struct kernels_device *device, void *memory);
enum kernels_status cuda_weights_reserve(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
enum kernels_status cuda_weight_to_host(struct kernels_device *device, struct kernels_weight *weight,
                                        struct kernels_error *error);
struct kernels_weight *cuda_weight_like(struct kernels_device *device, const struct kernels_weight *weight,
                                        struct kernels_error *error);
enum kernels_status cuda_weight_fetch(struct kernels_device *device, struct kernels_weight *to,
                                      const struct kernels_weight *from, uint64_t after);
enum kernels_status cuda_weight_arrived(struct kernels_device *device);

#endif
