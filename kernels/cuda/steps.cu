/* steps.cu: see steps.cuh. Knows of operations only that they queue on the device's stream.
 *
 * A step is run, then captured, then replayed: the first run loads the kernels, allocates scratch and uploads constants, none of which
 * may happen in a capture. A capture that fails is thrown away with all that was queued in it, and the step is run as any pass. */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/library.cuh"
#include "kernels/cuda/steps.cuh"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the step that this thread records: it is captured so that other threads may go on. */
static thread_local struct {
    bool wanted;
    uint64_t n; /* launches */
} early;

/* Code for 9.0 and up waits; what a driver makes of older code for such a device does not. */
bool cuda_begins_early(const void *kernel)
{
    cudaFuncAttributes code = {};
    if (!early.wanted || cudaFuncGetAttributes(&code, kernel) != cudaSuccess || code.ptxVersion < 90) return false;
    early.n++;
    return true;
}

static void step_drop(struct cuda_step *step)
{
    if (step->graph) cudaGraphExecDestroy(step->graph); /* one that still runs is freed behind its end */
    *step = {};
}

void cuda_steps_forget(struct kernels_device *device)
{
    struct cuda_steps *s = &device->steps;
    if (cuda_is_recording(*s)) { /* what is being captured is not kept either; its place is needed until its end */
        cuda_fail(device, KERNELS_FAILED, "memory was given back while a step was recorded");
        return;
    }
    s->mode = CUDA_STEP_NONE;
    s->now = NULL;
    for (struct cuda_step &step : s->all) step_drop(&step);
}

void cuda_steps_close(struct kernels_device *device)
{
    cudaGraph_t graph = NULL;
    if (cuda_is_recording(device->steps)) {
        cudaStreamEndCapture(device->stream, &graph);
        if (graph) cudaGraphDestroy(graph);
        device->steps.mode = CUDA_STEP_NONE;
        early.wanted = false;
    }
    cuda_steps_forget(device);
    free(device->steps.constants.mirror);
    device->steps.constants.mirror = NULL;
}

void cuda_step_is_unfit(struct kernels_device *device)
{
    device->steps.unfit = true;
}

static struct cuda_step_key key_of(const struct kernels_device *device, const struct kernels_step *step,
                                   const attention_plan *plan)
{
    struct cuda_step_key key;
    memset(&key, 0, sizeof key); /* keys are compared byte by byte */
    key.batch = step->batch, key.kv = step->kv, key.name = step->name, key.batch_memory = step->batch->memory;
    key.n_rows = step->batch->n_rows, key.n_sequences = step->batch->n_sequences, key.n_heads = step->n_heads;
    memcpy(&key.plan, plan, sizeof *plan);
    for (int i = 0; i < CUDA_N_SCRATCH; i++) key.scratch[i] = device->scratch[i].data;
    return key;
}

/* That of the key; else, with *is_new, a place for it. */
static struct cuda_step *find_step(struct cuda_steps *s, const struct cuda_step_key *key, bool *is_new)
{
    struct cuda_step *oldest = &s->all[0];
    *is_new = false;
    for (struct cuda_step &step : s->all) {
        if (step.state != CUDA_STEP_EMPTY && memcmp(&step.key, key, sizeof *key) == 0) return &step;
        if (step.used < oldest->used) oldest = &step;
    }
    *is_new = true;
    step_drop(oldest);
    oldest->state = CUDA_STEP_SEEN;
    oldest->ids_below = SIZE_MAX;
    memcpy(&oldest->key, key, sizeof *key);
    return oldest;
}

/* --- constants --- */

/* Begins anew where the memory is another, or is full. */
static void clear_constants(struct kernels_device *device)
{
    auto *c = &device->steps.constants;
    cuda_steps_forget(device);
    c->n = c->used_bytes = 0;
}

/* The scratch and its mirror are there. */
static bool open_constants(struct kernels_device *device)
{
    auto *c = &device->steps.constants;
    auto *scratch = &device->scratch[CUDA_SCRATCH_CONSTANTS];
    if (scratch->data && c->memory == scratch->data && c->room_bytes == scratch->size_bytes) return c->mirror != NULL;
    if (cuda_is_recording(device->steps)) return false;
    clear_constants(device);
    free(c->mirror);
    c->memory = (unsigned char *)scratch->data;
    c->room_bytes = scratch->data ? scratch->size_bytes : 0;
    c->mirror = c->room_bytes ? (unsigned char *)malloc(c->room_bytes) : NULL;
    return c->mirror != NULL;
}

/* --- steps --- */

static bool may_be_recorded(struct kernels_device *device, const struct kernels_step *step)
{
    const struct kernels_batch *b = step->batch;
    return !device->steps.off && device->failure.code == KERNELS_OK &&
           device->steps.constants.n_resets < CUDA_MOST_RESETS && open_constants(device) && b->n_rows > 0 &&
           b->n_rows <= GPU_STEP_ROWS && b->slots_end <= step->kv->view.n_slots && step->n_heads > 0 &&
           step->n_heads % step->kv->view.n_kv_heads == 0;
}

static void keep_note(struct kernels_device *device)
{
    struct cuda_steps *s = &device->steps;
    if (!s->note[0]) snprintf(s->note, sizeof s->note, "%.95s", device->failure.message);
}

/* A failure that is not the device's end, in the recording alone: the step runs without. Where kernels were to begin early it may be that:
 * it is recorded once more, and no other step so. */
static void give_up(struct kernels_device *device, struct cuda_step *step)
{
    keep_note(device);
    step->state = early.n && !device->steps.unfit ? CUDA_STEP_SEEN : CUDA_STEP_UNFIT;
    if (early.n) device->steps.never_early = true;
    device->failure = {}; /* there was none when it began */
}

static enum kernels_status replay(struct kernels_device *device, struct cuda_step *step)
{
    const enum kernels_status status =
        cuda_check(device, cudaGraphLaunch(step->graph, device->stream), "cudaGraphLaunch");
    if (status == KERNELS_OK) device->steps.n_replayed++;
    return status;
}

enum kernels_status cuda_step_begin(struct kernels_device *device, const struct kernels_step *step, bool *done)
{
    struct cuda_steps *s = &device->steps;
    bool is_new;
    *done = false;
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (s->mode != CUDA_STEP_NONE) return cuda_fail(device, KERNELS_BAD_SHAPE, "step_begin: in a step");
    if (!step->batch || !step->kv) return cuda_fail(device, KERNELS_BAD_SHAPE, "step_begin: batch or cache missing");
    s->now = NULL, s->unfit = false;
    if (!may_be_recorded(device, step)) return KERNELS_OK;
    const attention_shape shape = {(uint32_t)step->n_heads, step->kv->view.n_kv_heads, step->kv->view.head_size,
                                   step->kv->format == KERNELS_F32};
    const attention_plan *plan = cuda_attention_plan(device, step->batch, shape);
    if (!plan) return device->failure.code;
    const struct cuda_step_key key = key_of(device, step, plan);
    struct cuda_step *found = find_step(s, &key, &is_new);
    found->used = ++s->clock;
    if (is_new) {
        s->now = found, s->mode = CUDA_STEP_WATCHED;
        return KERNELS_OK;
    }
    if (found->state == CUDA_STEP_UNFIT || step->batch->least_id < 0 ||
        (size_t)step->batch->largest_id >= found->ids_below)
        return KERNELS_OK;
    if (found->state == CUDA_STEP_READY) {
        *done = true;
        return replay(device, found);
    }
    early = {};
    /* Other threads may go on calling the runtime; this one is told where it must not. */
    if (cuda_check(device, cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal),
                   "cudaStreamBeginCapture") == KERNELS_OK)
        s->now = found, s->mode = CUDA_STEP_RECORDED, early.wanted = !s->never_early;
    else if (device->failure.code == KERNELS_DEVICE_LOST)
        return KERNELS_DEVICE_LOST;
    else
        give_up(device, found);
    return KERNELS_OK;
}

/* What was captured, as something that can be launched; says in device->failure why not. */
static void finish_recording(struct kernels_device *device, struct cuda_step *step)
{
    cudaGraph_t graph = NULL;
    const cudaError_t ended = cudaStreamEndCapture(device->stream, &graph); /* whatever happened before */
    if (device->steps.unfit) cuda_fail(device, KERNELS_FAILED, "the host has a say in it");
    if (cuda_check(device, ended, "cudaStreamEndCapture") == KERNELS_OK && device->failure.code == KERNELS_OK &&
        cuda_check(device, cudaGraphInstantiateWithFlags(&step->graph, graph, 0), "cudaGraphInstantiate") != KERNELS_OK)
        step->graph = NULL;
    if (graph) cuda_check(device, cudaGraphDestroy(graph), "cudaGraphDestroy");
}

enum kernels_status cuda_step_end(struct kernels_device *device, bool *again)
{
    struct cuda_steps *s = &device->steps;
    struct cuda_step *step = s->now;
    const enum cuda_step_mode mode = s->mode;
    *again = false;
    if (mode == CUDA_STEP_WATCHED && (s->unfit || device->failure.code != KERNELS_OK)) {
        step->state = CUDA_STEP_UNFIT;
        if (device->failure.code != KERNELS_OK) step_drop(step); /* for another reason: the next time is the first */
    }
    early.wanted = false;
    if (mode == CUDA_STEP_RECORDED) finish_recording(device, step);
    s->mode = CUDA_STEP_NONE;
    s->now = NULL;
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (mode != CUDA_STEP_RECORDED) return KERNELS_OK;
    if (device->failure.code != KERNELS_OK || !step->graph) {
        if (step->graph) cudaGraphExecDestroy(step->graph);
        step->graph = NULL;
        give_up(device, step);
        *again = true;
        return KERNELS_OK;
    }
    step->state = CUDA_STEP_READY;
    s->n_recorded++;
    s->n_early += early.n != 0;
    return replay(device, step);
}

static uint64_t hash_of(const unsigned char *bytes, size_t size_bytes)
{
    uint64_t hash = size_bytes * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < size_bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size_bytes - i < 8 ? size_bytes - i : 8);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    return hash;
}

const void *cuda_constant(struct kernels_device *device, const void *bytes, size_t size_bytes)
{
    auto *c = &device->steps.constants;
    if (!open_constants(device) || size_bytes > c->room_bytes) {
        cuda_step_is_unfit(device);
        return cuda_stage(device, bytes, size_bytes);
    }
    const uint64_t hash = hash_of((const unsigned char *)bytes, size_bytes);
    for (size_t i = 0; i < c->n; i++)
        if (c->pieces[i].hash == hash && c->pieces[i].size_bytes == size_bytes &&
            memcmp(c->mirror + c->pieces[i].at, bytes, size_bytes) == 0)
            return c->memory + c->pieces[i].at;
    const size_t taken = gpu_round_up(size_bytes);
    if (!cuda_is_recording(device->steps) && (c->n == CUDA_MOST_CONSTANTS || taken > c->room_bytes - c->used_bytes)) {
        c->n_resets++;
        clear_constants(device); /* kernels that read them are queued before what comes in their place */
    }
    if (taken > c->room_bytes - c->used_bytes || c->n == CUDA_MOST_CONSTANTS) {
        cuda_step_is_unfit(device);
        return cuda_stage(device, bytes, size_bytes);
    }
    unsigned char *const at = c->memory + c->used_bytes;
    if (!cuda_put(device, at, bytes, size_bytes)) return NULL;
    memcpy(c->mirror + c->used_bytes, bytes, size_bytes);
    c->pieces[c->n++] = {hash, c->used_bytes, size_bytes};
    c->used_bytes += taken;
    return at;
}
