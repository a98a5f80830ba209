/* steps.cuh: steps of generation, recorded as CUDA graphs; and host arrays that stay the same, which lie on the device for good.
 *
 * A step that comes a second time with the same key is captured, and from then on one launch. What its kernels were told by value is
 * what the key holds: the numbers of rows and sequences, attention's blocks, where scratch lies. All that changes between steps lies in
 * the batch's memory and in attention's plan, one upload each in front of the graph. */
#ifndef DOCKET_KERNELS_CUDA_STEPS_CUH
#define DOCKET_KERNELS_CUDA_STEPS_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/gpu_scratch.h"
#include "kernels/kernels.h"

#include <launch.cuh>

#define CUDA_MOST_STEPS     8    /* of which the one that was not used for longest goes */
#define CUDA_MOST_CONSTANTS 1024 /* pieces; each layer of a model has one, and there are a few more */
#define CUDA_MOST_RESETS                                                                                               \
    16 /* of constants: then there are more than there is room for, and nothing is recorded any more */

struct cuda_step_key {
    const struct kernels_batch *batch;
    const struct kernels_kv *kv;
    const void *name, *batch_memory;
    size_t n_rows, n_sequences, n_heads;
    attention_plan plan;
    void *scratch[CUDA_N_SCRATCH];
};

enum cuda_step_state {
    CUDA_STEP_EMPTY,
    CUDA_STEP_SEEN,  /* it ran once: its kernels are loaded, its constants there */
    CUDA_STEP_UNFIT, /* the host has a say in it, or recording it failed */
    CUDA_STEP_READY,
};

struct cuda_step {
    enum cuda_step_state state;
    struct cuda_step_key key;
    cudaGraphExec_t graph;
    size_t ids_below; /* token ids of a step that is run from the graph: what embed would refuse */
    uint64_t used;
};

enum cuda_step_mode { CUDA_STEP_NONE, CUDA_STEP_WATCHED, CUDA_STEP_RECORDED };

struct cuda_steps {
    bool off;
    enum cuda_step_mode mode; /* between step_begin and step_end */
    struct cuda_step *now;
    bool unfit; /* something in the step that is watched cannot be recorded */
    struct cuda_step all[CUDA_MOST_STEPS];
    uint64_t clock, n_recorded, n_replayed;
    uint64_t n_early; /* recorded ones whose kernels begin early (early.cuh) */
    bool never_early; /* what was recorded so could not be used */
    char note[96];    /* why the first one could not be recorded */
    struct {
        struct {
            uint64_t hash;
            size_t at, size_bytes;
        } pieces[CUDA_MOST_CONSTANTS];
        size_t n, used_bytes, room_bytes;
        unsigned n_resets;
        unsigned char *memory, *mirror; /* scratch of the device; the same bytes on the host */
    } constants;
};

static inline bool cuda_is_recording(const struct cuda_steps &steps)
{
    return steps.mode == CUDA_STEP_RECORDED;
}

enum kernels_status cuda_step_begin(struct kernels_device *device, const struct kernels_step *step, bool *done);
enum kernels_status cuda_step_end(struct kernels_device *device, bool *again);
/* Whatever was recorded holds addresses: memory is given back, or a weight has changed. */
void cuda_steps_forget(struct kernels_device *device);
void cuda_steps_close(struct kernels_device *device);
/* In the step that is watched the host has a say. */
void cuda_step_is_unfit(struct kernels_device *device);
/* The bytes on the device, for what is queued on its stream; where there is no room, as cuda_stage. NULL after a failure. */
const void *cuda_constant(struct kernels_device *device, const void *bytes, size_t size_bytes);

#endif
