/* stages.cu: see stages.cuh. Events are made when the first piece comes, and are used by turns. */
#include "kernels/cuda/device.cuh"

static enum kernels_status add_lap(struct kernels_device *device, enum cuda_stage stage, unsigned i)
{
    struct cuda_stages *s = &device->stages;
    auto *lap = &s->laps[stage][i];
    float milliseconds = 0;
    if (!lap->bytes) return KERNELS_OK;
    const size_t bytes = lap->bytes;
    lap->bytes = 0;
    enum kernels_status status = cuda_check(device, cudaEventSynchronize(lap->end), "stage");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaEventElapsedTime(&milliseconds, lap->begin, lap->end), "stage");
    if (status != KERNELS_OK) return status;
    s->sums[stage].bytes += bytes;
    s->sums[stage].seconds += (double)milliseconds * 1e-3;
    return KERNELS_OK;
}

enum kernels_status cuda_stage_begin(struct kernels_device *device, enum cuda_stage stage, cudaStream_t stream)
{
    const unsigned i = device->stages.next[stage] % CUDA_LAPS;
    auto *lap = &device->stages.laps[stage][i];
    enum kernels_status status = add_lap(device, stage, i);
    if (status == KERNELS_OK && !lap->begin)
        status = cuda_check(device, cudaEventCreateWithFlags(&lap->begin, cudaEventDefault), "cudaEventCreate");
    if (status == KERNELS_OK && !lap->end)
        status = cuda_check(device, cudaEventCreateWithFlags(&lap->end, cudaEventDefault), "cudaEventCreate");
    return status == KERNELS_OK ? cuda_check(device, cudaEventRecord(lap->begin, stream), "stage") : status;
}

enum kernels_status cuda_stage_end(struct kernels_device *device, enum cuda_stage stage, cudaStream_t stream,
                                   size_t source_bytes)
{
    auto *lap = &device->stages.laps[stage][device->stages.next[stage] % CUDA_LAPS];
    enum kernels_status status = cuda_check(device, cudaEventRecord(lap->end, stream), "stage");
    if (status != KERNELS_OK) return status;
    lap->bytes = source_bytes;
    device->stages.next[stage]++;
    return KERNELS_OK;
}

void cuda_stages_settle(struct kernels_device *device)
{
    for (int stage = 0; stage < CUDA_N_STAGES; stage++)
        for (unsigned i = 0; i < CUDA_LAPS && device->failure.code != KERNELS_DEVICE_LOST; i++)
            add_lap(device, (enum cuda_stage)stage, i);
    cuda_stages_close(device);
}

void cuda_stages_close(struct kernels_device *device)
{
    for (auto &stage : device->stages.laps)
        for (auto &lap : stage) {
            if (lap.begin) cuda_check(device, cudaEventDestroy(lap.begin), "cudaEventDestroy");
            if (lap.end) cuda_check(device, cudaEventDestroy(lap.end), "cudaEventDestroy");
            lap = {};
        }
}
