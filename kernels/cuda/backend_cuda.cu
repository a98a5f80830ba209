/* backend_cuda.cu: table "cuda": opening a device, memory, checked calls, and waiting. One stream; nothing runs on the default one. */
#include "kernels/cuda/experts.cuh"
#include "kernels/cuda/library.cuh"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>

extern "C" {
#include "kernels/error.h"
}

enum kernels_status cuda_fail(struct kernels_device *device, enum kernels_status status, const char *format, ...)
{
    va_list list;
    if (device->failure.code == KERNELS_DEVICE_LOST ||
        (device->failure.code != KERNELS_OK && status != KERNELS_DEVICE_LOST))
        return status;
    va_start(list, format);
    vsnprintf(device->failure.message, sizeof device->failure.message, format, list);
    va_end(list);
    device->failure.code = status;
    return status;
}

/* What no call of the process will recover from: the context is gone, or the card's memory is. By number, as older runtimes lack names. */
static bool is_sticky(cudaError_t result)
{
    switch ((int)result) {
    case 214: /* ECC error that was not corrected */
    case 220: /* the same on NVLink */
    case 700: /* illegal address */
    case 702: /* launch timeout */
    case 708: /* no context */
    case 709: /* context destroyed */
    case 710: /* assertion */
    case 714: /* hardware stack error */
    case 715: /* illegal instruction */
    case 716: /* misaligned address */
    case 717: /* invalid address space */
    case 718: /* invalid program counter */
    case 719: /* launch failure */
    case 721: /* external device */
    case 999: /* unknown */
        return true;
    default:
        return false;
    }
}

static enum kernels_status status_of(cudaError_t result)
{
    if (result == cudaSuccess) return KERNELS_OK;
    if (result == cudaErrorMemoryAllocation) return KERNELS_NO_MEMORY;
    return is_sticky(result) ? KERNELS_DEVICE_LOST : KERNELS_FAILED;
}

enum kernels_status cuda_check(struct kernels_device *device, cudaError_t result, const char *what)
{
    if (result == cudaSuccess) return KERNELS_OK;
    if (!is_sticky(result)) cudaGetLastError(); /* it is ours now */
    return cuda_fail(device, status_of(result), "%s: %s", what, cudaGetErrorString(result));
}

enum kernels_status cuda_check_launch(struct kernels_device *device, const char *what)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    return cuda_check(device, cudaGetLastError(), what);
}

/* What a step that is recorded cannot have: with it the recording fails, not the step. */
static bool refused_in_step(struct kernels_device *device, const char *what)
{
    if (!cuda_is_recording(device->steps)) return false;
    cuda_fail(device, KERNELS_FAILED, "%s is wanted while a step is recorded", what);
    return true;
}

void *cuda_take(struct kernels_device *device, size_t size_bytes)
{
    void *memory = NULL;
    if (device->failure.code == KERNELS_DEVICE_LOST || refused_in_step(device, "memory")) return NULL;
    if (cuda_check(device, cudaMalloc(&memory, size_bytes ? size_bytes : 1), "cudaMalloc") != KERNELS_OK) return NULL;
    device->used.used_bytes += size_bytes;
    if (device->used.used_bytes > device->used.peak_bytes) device->used.peak_bytes = device->used.used_bytes;
    return memory;
}

enum kernels_status cuda_no_memory(const struct kernels_device *device, struct kernels_error *error, const char *what,
                                   size_t size_bytes)
{
    const bool lost = device->failure.code == KERNELS_DEVICE_LOST;
    return kernels_fail(error, lost ? KERNELS_DEVICE_LOST : KERNELS_NO_MEMORY, "cuda: %zu bytes %s: %s", size_bytes, what,
                        device->failure.message[0] ? device->failure.message : "no memory");
}

void cuda_release(struct kernels_device *device, void *memory, size_t size_bytes)
{
    if (!memory) return;
    cuda_steps_forget(device);
    cuda_check(device, cudaFree(memory), "cudaFree"); /* waits for what uses it */
    device->used.used_bytes -= size_bytes;
}

void *cuda_scratch_at_least(struct kernels_device *device, enum cuda_scratch which, size_t size_bytes)
{
    if (device->scratch[which].size_bytes >= size_bytes && device->scratch[which].data)
        return device->scratch[which].data;
    if (refused_in_step(device, "more scratch")) return NULL;
    cuda_release(device, device->scratch[which].data, device->scratch[which].size_bytes);
    device->scratch[which] = {};
    void *data = cuda_take(device, size_bytes);
    if (data) device->scratch[which] = {data, size_bytes};
    return data;
}

/* Room in the ring for a copy of the bytes, which are put there; NULL after a failure. */
static unsigned char *pin(struct kernels_device *device, const void *bytes, size_t size_bytes)
{
    size_t taken = (size_bytes + 255) & ~(size_t)255;
    if (device->failure.code == KERNELS_DEVICE_LOST || refused_in_step(device, "a host array")) return NULL;
    if (taken > CUDA_STAGE_BYTES) {
        cuda_fail(device, KERNELS_BAD_SHAPE, "%zu bytes of arguments, at most %zu", size_bytes, CUDA_STAGE_BYTES);
        return NULL;
    }
    if (device->ring_used + taken > CUDA_RING_BYTES) {
        if (cuda_check(device, cudaStreamSynchronize(device->stream), "arguments") != KERNELS_OK) return NULL;
        device->ring_used = 0;
    }
    unsigned char *at = device->ring + device->ring_used;
    memcpy(at, bytes, size_bytes);
    device->ring_used += taken;
    return at;
}

const void *cuda_stage(struct kernels_device *device, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = pin(device, bytes, size_bytes);
    if (!at) return NULL;
    unsigned char *twin = device->ring_twin + (at - device->ring);
    if (cuda_check(device, cudaMemcpyAsync(twin, at, size_bytes, cudaMemcpyHostToDevice, device->stream),
                   "arguments") != KERNELS_OK)
        return NULL;
    return twin;
}

bool cuda_put(struct kernels_device *device, void *to, const void *from, size_t size_bytes)
{
    const unsigned char *bytes = (const unsigned char *)from;
    for (size_t done = 0; done < size_bytes; done += CUDA_STAGE_BYTES) {
        size_t piece = size_bytes - done < CUDA_STAGE_BYTES ? size_bytes - done : CUDA_STAGE_BYTES;
        const unsigned char *at = pin(device, bytes + done, piece);
        if (!at ||
            cuda_check(device,
                       cudaMemcpyAsync((unsigned char *)to + done, at, piece, cudaMemcpyHostToDevice, device->stream),
                       "arguments") != KERNELS_OK)
            return false;
    }
    return true;
}

static void cuda_close(struct kernels_device *device)
{
    if (!device) return;
    cuda_steps_close(device);
    if (device->stream) cudaStreamSynchronize(device->stream);
    cuda_library_close(device);
    while (device->buffers) {
        struct cuda_buffer *next = device->buffers->next;
        cudaFree(device->buffers->memory);
        free(device->buffers);
        device->buffers = next;
    }
    cuda_stages_close(device);
    cuda_placement_close(device);
    for (int i = 0; i < CUDA_N_SCRATCH; i++)
        if (device->scratch[i].data) cudaFree(device->scratch[i].data);
    if (device->ring_twin) cudaFree(device->ring_twin);
    if (device->ring) cudaFreeHost(device->ring);
    if (device->wrong) cudaFree(device->wrong);
    if (device->stream) cudaStreamDestroy(device->stream);
    free(device);
}

/* The runtime says of a machine without a driver that its driver is too old. */
static void fail_without_devices(cudaError_t result, struct kernels_error *error)
{
    int driver = 0, runtime = 0;
    cudaGetLastError(); /* it is ours now */
    if (result != cudaErrorInsufficientDriver) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: %s",
                     result == cudaSuccess ? "no device" : cudaGetErrorString(result));
        return;
    }
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: no NVIDIA driver is installed here");
        return;
    }
    if (cudaRuntimeGetVersion(&runtime) != cudaSuccess) runtime = 0;
    kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: the driver is for CUDA %d.%d, at least %d.%d is needed",
                 driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
}

/* Which cards this library has machine code for; newer ones compile what it has for the last of them. */
#ifndef CUDA_CODE
#define CUDA_CODE "sm_75 and up"
#endif

/* Whether the card can run what is in the library, before anything is launched: the first call that looks a kernel up. */
static enum kernels_status find_kernels(struct kernels_device *device, const struct cudaDeviceProp *facts)
{
    device->room = {facts->sharedMemPerBlockOptin, facts->sharedMemPerMultiprocessor, facts->reservedSharedMemPerBlock};
    cudaError_t result = cuda_allow_code_tiles(device->room);
    switch ((int)result) {
    case 98:  /* invalid device function */
    case 209: /* no kernel image is available for execution on the device */
    case 218: /* invalid PTX */
    case 222: /* PTX newer than the driver */
        cudaGetLastError();
        return cuda_fail(device, KERNELS_UNSUPPORTED,
                         "device %d, %.80s: compute capability %d.%d: this library has no code for it, but for %s: %s",
                         device->index, facts->name, facts->major, facts->minor, CUDA_CODE, cudaGetErrorString(result));
    default:
        return cuda_check(device, result, "cudaFuncSetAttribute");
    }
}

/* The runtime's current device is the thread's, and a device may be used by one thread after another: each call of the table sets it. */
static thread_local int current_device = -1;
static cudaError_t make_current(int index)
{
    cudaError_t result = cudaSetDevice(index);
    current_device = result == cudaSuccess ? index : -1;
    return result;
}

static struct kernels_device *cuda_open(const struct kernels_options *options, struct kernels_error *error)
{
    struct cudaDeviceProp facts;
    int n_devices = 0, index = options ? options->device_index : 0;
    cudaError_t result = cudaGetDeviceCount(&n_devices);
    if (result != cudaSuccess || n_devices == 0) {
        fail_without_devices(result, error);
        return NULL;
    }
    if (index < 0 || index >= n_devices) {
        kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: device %d of %d: they are counted from 0", index, n_devices);
        return NULL;
    }
    struct kernels_device *device = (struct kernels_device *)calloc(1, sizeof *device);
    if (!device) {
        kernels_fail(error, KERNELS_NO_MEMORY, "cuda: no memory");
        return NULL;
    }
    device->index = index;
    device->steps.off = options && options->no_graphs;
    enum kernels_status status = cuda_check(device, make_current(index), "cudaSetDevice");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaGetDeviceProperties(&facts, index), "cudaGetDeviceProperties");
    if (status == KERNELS_OK && facts.major * 10 + facts.minor < 75)
        status =
            cuda_fail(device, KERNELS_UNSUPPORTED, "device %d, %.95s: compute capability %d.%d, at least 7.5 is needed",
                      index, facts.name, facts.major, facts.minor);
    if (status == KERNELS_OK) status = find_kernels(device, &facts);
    if (status == KERNELS_OK)
        status =
            cuda_check(device, cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking), "cudaStreamCreate");
    if (status == KERNELS_OK) status = cuda_placement_open(device);
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaMallocHost((void **)&device->ring, CUDA_RING_BYTES + sizeof *device->wrong),
                            "cudaMallocHost");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaMalloc((void **)&device->ring_twin, CUDA_RING_BYTES), "cudaMalloc");
    if (status == KERNELS_OK)
        status = cuda_check(device, cudaMalloc((void **)&device->wrong, sizeof *device->wrong), "cudaMalloc");
    if (status == KERNELS_OK)
        status =
            cuda_check(device, cudaMemsetAsync(device->wrong, 0, sizeof *device->wrong, device->stream), "cudaMemset");
    if (status == KERNELS_OK) status = cuda_library_open(device, options, facts.major >= 8);
    if (status != KERNELS_OK) {
        kernels_fail(error, status, "cuda: %s", device->failure.message);
        cuda_close(device);
        return NULL;
    }
    snprintf(device->facts.name, sizeof device->facts.name, "%.95s", facts.name);
    snprintf(device->facts.variant, sizeof device->facts.variant, "sm_%d%d", facts.major, facts.minor);
    snprintf(device->facts.arithmetic, sizeof device->facts.arithmetic, "bf16");
    device->facts.is_gpu = true;
    snprintf(device->facts.bus_id, sizeof device->facts.bus_id, "%08x:%02x:%02x.0", (unsigned)facts.pciDomainID,
             (unsigned)facts.pciBusID, (unsigned)facts.pciDeviceID);
    device->n_multiprocessors = facts.multiProcessorCount;
    device->used.total_bytes = facts.totalGlobalMem;
    return device;
}

static void cuda_describe(const struct kernels_device *device, struct kernels_description *out)
{
    *out = device->facts;
    out->copied = device->stages.sums[CUDA_STAGE_COPY];
    out->quantized = device->stages.sums[CUDA_STAGE_QUANTIZE];
    out->steps_recorded = device->steps.n_recorded;
    out->steps_replayed = device->steps.n_replayed;
    out->steps_early = device->steps.n_early;
    snprintf(out->steps_note, sizeof out->steps_note, "%s", device->steps.note);
    cuda_library_describe(device, out->products, sizeof out->products);
}

static void cuda_memory(const struct kernels_device *device, struct kernels_memory *out)
{
    size_t free_bytes = 0, total = 0;
    *out = device->used;
    if (cudaMemGetInfo(&free_bytes, &total) == cudaSuccess) out->free_bytes = free_bytes, out->total_bytes = total;
}

static size_t cuda_scratch_size(const struct kernels_device *device, const struct kernels_limits *l)
{
    return l ? gpu_scratch_total(l, cuda_library_may_serve(device, l)) : 0;
}

static enum kernels_status cuda_reserve(struct kernels_device *device, const struct kernels_limits *l,
                                        struct kernels_error *error)
{
    size_t wanted[CUDA_N_SCRATCH];
    gpu_scratch_slots(l, cuda_library_may_serve(device, l), wanted);
    cuda_stages_settle(device);
    cuda_placement_trim(device); /* what was being loaded is loaded */
    for (int i = 0; i < CUDA_N_SCRATCH; i++)
        if (wanted[i] && !cuda_scratch_at_least(device, (enum cuda_scratch)i, wanted[i]))
            return cuda_no_memory(device, error, "of scratch", wanted[i]);
    cuda_library_decide(device, l);
    return KERNELS_OK;
}

static void *cuda_buffer_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    struct cuda_buffer *buffer = (struct cuda_buffer *)calloc(1, sizeof *buffer);
    if (buffer) buffer->memory = cuda_take(device, size_bytes);
    if (!buffer || !buffer->memory) {
        free(buffer);
        cuda_no_memory(device, error, "for a buffer", size_bytes);
        return NULL;
    }
    buffer->size_bytes = size_bytes;
    buffer->next = device->buffers;
    device->buffers = buffer;
    return buffer->memory;
}

static void cuda_buffer_free(struct kernels_device *device, void *memory)
{
    for (struct cuda_buffer **at = &device->buffers; memory && *at; at = &(*at)->next)
        if ((*at)->memory == memory) {
            struct cuda_buffer *gone = *at;
            *at = gone->next;
            cuda_release(device, gone->memory, gone->size_bytes);
            free(gone);
            return;
        }
}

static enum kernels_status cuda_upload(struct kernels_device *device, void *to, const void *from, size_t size_bytes)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (size_bytes == 0) return KERNELS_OK;
    enum kernels_status status =
        cuda_check(device, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyHostToDevice, device->stream), "upload");
    return status == KERNELS_OK ? cuda_check(device, cudaStreamSynchronize(device->stream), "upload") : status;
}

static enum kernels_status cuda_download(struct kernels_device *device, void *to, const void *from, size_t size_bytes)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    if (size_bytes == 0) return KERNELS_OK;
    enum kernels_status status =
        cuda_check(device, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToHost, device->stream), "download");
    return status == KERNELS_OK ? cuda_check(device, cudaStreamSynchronize(device->stream), "download") : status;
}

/* Waits for all that was queued; the ring is free then. */
static enum kernels_status wait_for_all(struct kernels_device *device)
{
    if (device->failure.code == KERNELS_DEVICE_LOST) return KERNELS_DEVICE_LOST;
    device->ring_used = 0;
    return cuda_check(device, cudaStreamSynchronize(device->stream), "wait");
}

static enum kernels_status cuda_synchronize(struct kernels_device *device, struct kernels_error *error)
{
    uint32_t *const seen =
        (uint32_t *)(device->ring + CUDA_RING_BYTES); /* pinned: one wait for this and for all else */
    *seen = 0;
    if (device->failure.code != KERNELS_DEVICE_LOST)
        cuda_check(device, cudaMemcpyAsync(seen, device->wrong, sizeof *seen, cudaMemcpyDeviceToHost, device->stream),
                   "synchronize");
    if (wait_for_all(device) == KERNELS_OK && *seen) {
        cuda_fail(device, KERNELS_BAD_SHAPE, "expert_ffn: an id that is no expert");
        cuda_check(device, cudaMemsetAsync(device->wrong, 0, sizeof *seen, device->stream), "cudaMemset");
    }
    enum kernels_status status = device->failure.code;
    if (status != KERNELS_OK && error) *error = device->failure;
    if (status != KERNELS_DEVICE_LOST) device->failure = {};
    return status;
}

template <auto one, auto other>
constexpr bool is_same_function =
    std::is_same<std::integral_constant<decltype(one), one>, std::integral_constant<decltype(other), other>>::value;

/* What an operation left for the next one: only those that use it are called with it. */
template <auto function> static void settle(struct kernels_device *device)
{
    if (!is_same_function<function, cuda_op_rmsnorm> && !is_same_function<function, cuda_close>) cuda_op_settle(device);
    if (!is_same_function<function, cuda_op_expert_ffn>) device->sorted = {};
}
template <auto function> static void settle(const struct kernels_device *) {}

template <auto function> struct bound;
template <class result, class device_type, class... rest, result (*function)(device_type *, rest...)>
struct bound<function> {
    static result call(device_type *device, rest... arguments)
    {
        if (device && device->index != current_device)
            make_current(device->index); /* else what comes next fails, and says so */
        if (device) settle<function>(device);
        return function(device, arguments...);
    }
};

static struct kernels_backend make_table(void)
{
    struct kernels_backend t = {};
    t.abi = KERNELS_ABI;
    t.size = sizeof t;
    t.name = "cuda";
    t.open = cuda_open;
    t.close = bound<cuda_close>::call;
    t.describe = bound<cuda_describe>::call;
    t.memory = bound<cuda_memory>::call;
    t.reserve = bound<cuda_reserve>::call;
    t.buffer_allocate = bound<cuda_buffer_allocate>::call;
    t.buffer_free = bound<cuda_buffer_free>::call;
    t.upload = bound<cuda_upload>::call;
    t.download = bound<cuda_download>::call;
    t.weight_size = bound<cuda_weight_size>::call;
    t.weight_begin = bound<cuda_weight_begin>::call;
    t.weight_write = bound<cuda_weight_write>::call;
    t.weight_finish = bound<cuda_weight_finish>::call;
    t.weight_scale = bound<cuda_weight_scale>::call;
    t.weight_from_parts = bound<cuda_weight_from_parts>::call;
    t.weight_read_parts = bound<cuda_weight_read_parts>::call;
    t.weight_read = bound<cuda_weight_read>::call;
    t.weight_describe = cuda_weight_describe;
    t.weight_free = bound<cuda_weight_free>::call;
    t.kv_size = bound<cuda_kv_size>::call;
    t.kv_create = bound<cuda_kv_create>::call;
    t.kv_free = bound<cuda_kv_free>::call;
    t.batch_create = bound<cuda_batch_create>::call;
    t.batch_set = bound<cuda_batch_set>::call;
    t.batch_free = bound<cuda_batch_free>::call;
    t.embed = bound<cuda_op_embed>::call;
    t.rmsnorm = bound<cuda_op_rmsnorm>::call;
    t.linear = bound<cuda_op_linear>::call;
    t.rope_kv = bound<cuda_op_rope_kv>::call;
    t.attention = bound<cuda_op_attention>::call;
    t.route = bound<cuda_op_route>::call;
    t.expert_ffn = bound<cuda_op_expert_ffn>::call;
    t.add = bound<cuda_op_add>::call;
    t.gather_rows = bound<cuda_op_gather_rows>::call;
    t.gather_logits = bound<cuda_op_gather_logits>::call;
    t.record = bound<cuda_record>::call;
    t.wait = bound<cuda_wait>::call;
    t.synchronize = bound<cuda_synchronize>::call;
    t.host_allocate = bound<cuda_host_allocate>::call;
    t.host_free = bound<cuda_host_free>::call;
    t.scratch_size = bound<cuda_scratch_size>::call;
    t.weights_reserve = bound<cuda_weights_reserve>::call;
    t.weight_to_host = bound<cuda_weight_to_host>::call;
    t.weight_like = bound<cuda_weight_like>::call;
    t.weight_fetch = bound<cuda_weight_fetch>::call;
    t.weight_arrived = bound<cuda_weight_arrived>::call;
    t.weight_expand = bound<cuda_weight_expand>::call;
    t.step_begin = bound<cuda_step_begin>::call;
    t.step_end = bound<cuda_step_end>::call;
    return t;
}

const struct kernels_backend *docket_cuda_backend(void)
{
    static const struct kernels_backend table = make_table();
    return &table;
}
