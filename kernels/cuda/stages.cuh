/* stages.cuh: how long the two stages of loading take on the device, by its own clock: copying a source to it, and quantizing it there.
 * Pieces are under way while others are, so the host's clock cannot tell. */
#ifndef DOCKET_KERNELS_CUDA_STAGES_CUH
#define DOCKET_KERNELS_CUDA_STAGES_CUH

#include "kernels/kernels.h"

#include <launch.cuh>

#define CUDA_LAPS 16 /* measured at a time in each stage; more than load_reader.c has under way */

enum cuda_stage { CUDA_STAGE_COPY, CUDA_STAGE_QUANTIZE, CUDA_N_STAGES };

struct cuda_stages {
    struct {
        cudaEvent_t begin, end;
        size_t bytes; /* 0: nothing is measured */
    } laps[CUDA_N_STAGES][CUDA_LAPS];
    unsigned next[CUDA_N_STAGES];
    struct kernels_stage sums[CUDA_N_STAGES];
};

/* Around what is queued for so many bytes of a source. */
enum kernels_status cuda_stage_begin(struct kernels_device *device, enum cuda_stage stage, cudaStream_t stream);
enum kernels_status cuda_stage_end(struct kernels_device *device, enum cuda_stage stage, cudaStream_t stream,
                                   size_t source_bytes);
/* Waits for what is measured still, adds it, and gives the events back. */
void cuda_stages_settle(struct kernels_device *device);
/* Gives the events back. */
void cuda_stages_close(struct kernels_device *device);

#endif
