/* runtime.cpp: see runtime.h. */
#include "tests/cuda_emulation/runtime.h"
#include "tests/cuda_emulation/streams.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <map>
#include <vector>

using emulation::alone;

namespace
{
long n_calls, fail_at, n_kernels;
cudaError_t fail_with, last_error, sticky, ordered;
long n_ordered;
size_t n_live;
thread_local int device_now;
std::map<const void *, int> allowed; /* dynamic shared memory, of kernels that were allowed more than all have */

/* Of the errors that a test puts in, those that a real device does not recover from. */
bool stays(cudaError_t error)
{
    return error == 214 || (error >= cudaErrorIllegalAddress && error < 720 && error != 701);
}

/* EMULATION_FAIL=FILE: once there is such a file, the next calls fail: it holds the error's number and how many of them (1). */
void look_for_orders()
{
    static const char *const path = std::getenv("EMULATION_FAIL");
    static bool read;
    std::FILE *file = path && !read ? std::fopen(path, "r") : nullptr;
    int error = 0;
    if (!file) return;
    if (std::fscanf(file, "%d %ld", &error, &n_ordered) == 1) n_ordered = 1;
    std::fclose(file);
    ordered = (cudaError_t)error;
    read = true;
}

/* Counts the call; what it is to fail with, if it is. */
cudaError_t turn()
{
    const alone here;
    n_calls++;
    look_for_orders();
    if (n_ordered > 0) {
        n_ordered--;
        if (stays(ordered)) sticky = ordered;
        last_error = ordered;
        return ordered;
    }
    if (sticky != cudaSuccess) return sticky;
    if (fail_at == 0 || --fail_at != 0) return cudaSuccess;
    if (stays(fail_with)) sticky = fail_with;
    last_error = fail_with;
    return fail_with;
}

/* EMULATION_MEMORY=BYTES: cudaMalloc gives no more than that, whatever cudaMemGetInfo says: somebody else has the rest. */
size_t n_device_bytes;
size_t most_device_bytes()
{
    static const char *const text = std::getenv("EMULATION_MEMORY");
    return text ? (size_t)std::strtoull(text, nullptr, 10) : (size_t)-1;
}

/* Not zeroed: what is read before it is written should show. */
cudaError_t take(void **out, size_t size_bytes, enum emulation::place place)
{
    cudaError_t error = turn();
    *out = nullptr;
    if (error == cudaSuccess) error = emulation::unless_capturing();
    if (error != cudaSuccess) return error;
    if (posix_memalign(out, 256, size_bytes ? size_bytes : 1) != 0) { /* aligned as the real one's */
        *out = nullptr;
        return cudaErrorMemoryAllocation;
    }
    std::memset(*out, 0xff, size_bytes);
    emulation::memory_note(*out, size_bytes, place);
    n_live++;
    return cudaSuccess;
}

cudaError_t give_back(void *memory)
{
    if (memory) n_live--;
    if (sticky != cudaSuccess) emulation::discard_all();
    emulation::memory_forget(memory);
    std::free(memory); /* even where it is refused: nobody could give it back later */
    const cudaError_t refused = emulation::unless_capturing(), error = turn();
    return error != cudaSuccess ? error : refused;
}
} // namespace

/* EMULATION_CARDS: README.md. The number of cards; the capability of card number `index`. */
static int cards(int index, int *major, int *minor)
{
    const char *text = getenv("EMULATION_CARDS"), *at = text ? text : "8.0";
    int n = 0, x = 0, y = 0, length = 0;
    while (sscanf(at, "%d.%d%n", &x, &y, &length) == 2) {
        if (n++ == index) *major = x, *minor = y;
        at += length;
        if (*at != ',') break;
        at++;
    }
    return n;
}

/* What the CUDA programming guide says of them. */
struct shared_bytes {
    size_t a_block, a_multiprocessor;
};
static shared_bytes shared_bytes_of_card(void)
{
    int major = 8, minor = 0;
    cards(device_now, &major, &minor);
    if (major == 7) return {64 << 10, 64 << 10};
    if (major == 8 && minor == 0) return {163 << 10, 164 << 10};
    if (major == 9 || major == 10) return {227 << 10, 228 << 10};
    return {99 << 10, 100 << 10};
}

namespace emulation
{
/* The same of a call on a stream, which has to be of the thread's device, and in a capture that is whole. */
cudaError_t turn_on(cudaStream_t stream)
{
    cudaError_t error = turn();
    if (error != cudaSuccess || !stream) return error;
    if (stream->device != device_now) return cudaErrorInvalidResourceHandle;
    return stream->capture && capture_is_broken(stream->capture) ? fail_now(cudaErrorStreamCaptureInvalidated)
                                                                 : cudaSuccess;
}

cudaError_t fail_now(cudaError_t error)
{
    return last_error = error;
}

bool card_is_turing()
{
    static const char *const text = std::getenv("EMULATION_CARDS"); /* asked in every product */
    int major = 8, minor = 0;
    if (text) cards(device_now, &major, &minor);
    return major < 8;
}

void fail_call(long n, cudaError_t error)
{
    const alone here;
    if (sticky != cudaSuccess) emulation::discard_all();
    fail_at = n;
    fail_with = error;
    sticky = last_error = cudaSuccess;
    n_calls = 0;
}

cudaError_t count_call()
{
    return turn();
}

void count_live(long difference)
{
    const alone here;
    n_live += (size_t)difference;
}

long calls_made()
{
    return n_calls;
}

/* Outside of a capture nothing begins early: it may, and need not. */
static cudaError_t look_at_attributes(const cudaLaunchConfig_t &config, bool *is_early)
{
    int major = 8, minor = 0;
    *is_early = false;
    cards(device_now, &major, &minor);
    for (unsigned i = 0; i < config.numAttrs; i++) {
        if (config.attrs[i].id != cudaLaunchAttributeProgrammaticStreamSerialization) return cudaErrorInvalidValue;
        if (major < 9) return cudaErrorNotSupported;
        *is_early =
            config.attrs[i].val.programmaticStreamSerializationAllowed && config.stream && config.stream->capture;
    }
    return cudaSuccess;
}

cudaError_t launch_if_healthy(const void *kernel, const cudaLaunchConfig_t &config, const std::function<void()> &run)
{
    const alone here;
    const dim3 grid = config.gridDim, block = config.blockDim;
    const unsigned threads = block.x * block.y * block.z;
    auto more = allowed.find(kernel);
    const size_t most = more == allowed.end() ? 48 << 10 : (size_t)more->second, dynamic = config.dynamicSmemBytes;
    bool is_early = false;
    cudaStream_t const stream = config.stream;
    cudaError_t error = turn_on(stream);
    if (error == cudaSuccess) error = look_at_attributes(config, &is_early);
    if (error == cudaSuccess && (!grid.x || !grid.y || !grid.z || !threads || threads > EMULATION_MAX_THREADS ||
                                 grid.x > 2147483647 || grid.y > 65535 || grid.z > 65535 || dynamic > most))
        error = cudaErrorInvalidValue;
    if (error != cudaSuccess) return last_error = error;
    n_kernels += !stream || !stream->capture;
    stream_queue(stream,
                 [=, card = device_now, most_shared = shared_bytes_of_card().a_block, number = stream_number(stream)] {
                     const int before = device_now;
                     device_now = card;
                     launch(grid, block, dynamic, most_shared, number, is_early ? kernel : nullptr, run);
                     device_now = before;
                 });
    return cudaSuccess;
}
} // namespace emulation

using emulation::fail_now;
using emulation::turn_on;

long emulation_kernels_queued(void)
{
    return n_kernels;
}

void emulation_fail_call(long n, int error)
{
    emulation::fail_call(n, (cudaError_t)error);
}

long emulation_calls_made(void)
{
    return emulation::calls_made();
}

size_t emulation_live_allocations(void)
{
    return n_live;
}

static bool driver_is(const char *state)
{
    const char *driver = getenv("EMULATION_DRIVER");
    return driver && !std::strcmp(driver, state);
}

cudaError_t cudaGetDeviceCount(int *count)
{
    const alone here;
    int x, y;
    cudaError_t error = turn();
    *count = 0;
    if (error != cudaSuccess) return error;
    if (driver_is("none") || driver_is("old")) return last_error = cudaErrorInsufficientDriver;
    *count = cards(-1, &x, &y);
    return *count ? cudaSuccess : last_error = cudaErrorNoDevice;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    const alone here;
    *version = driver_is("none") ? 0 : driver_is("old") ? 11080 : 13000;
    return turn();
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    const alone here;
    *version = 13000;
    return turn();
}

cudaError_t cudaSetDevice(int device)
{
    const alone here;
    int x, y;
    cudaError_t error = turn();
    if (error != cudaSuccess) return error;
    if (device < 0 || device >= cards(-1, &x, &y)) return cudaErrorInvalidDevice;
    device_now = device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device)
{
    const alone here;
    cudaError_t error = turn();
    std::memset(out, 0, sizeof *out);
    std::snprintf(out->name, sizeof out->name, device ? "emulated on the host, number %d" : "emulated on the host",
                  device);
    out->totalGlobalMem = (size_t)4 << 30;
    cards(device, &out->major, &out->minor);
    out->sharedMemPerBlockOptin = shared_bytes_of_card().a_block;
    out->sharedMemPerMultiprocessor = shared_bytes_of_card().a_multiprocessor;
    out->reservedSharedMemPerBlock = out->major >= 8 ? 1024 : 0;
    out->multiProcessorCount = 2;
    out->pciBusID = 0x65;
    return error;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    const alone here;
    *total_bytes = (size_t)4 << 30;
    *free_bytes = *total_bytes - n_device_bytes;
    return turn();
}

cudaError_t cudaMalloc(void **out, size_t size_bytes)
{
    const alone here;
    if (n_device_bytes > most_device_bytes() || size_bytes > most_device_bytes() - n_device_bytes) {
        *out = nullptr;
        cudaError_t error = turn();
        return error != cudaSuccess ? error : (last_error = cudaErrorMemoryAllocation);
    }
    cudaError_t error = take(out, size_bytes, emulation::DEVICE);
    if (error == cudaSuccess) n_device_bytes += malloc_usable_size(*out);
    return error;
}

cudaError_t cudaFree(void *memory)
{
    const alone here;
    n_device_bytes -= memory ? malloc_usable_size(memory) : 0;
    if (memory && sticky == cudaSuccess) emulation::device_finish(device_now);
    return give_back(memory);
}

cudaError_t cudaMallocHost(void **out, size_t size_bytes)
{
    const alone here;
    return take(out, size_bytes, emulation::PINNED);
}

/* Waits for nothing: nobody promises that it does. */
cudaError_t cudaFreeHost(void *memory)
{
    const alone here;
    if (memory) std::memset(memory, 0xff, malloc_usable_size(memory));
    return give_back(memory);
}

/* Pageable memory is read before the call returns and written before it returns; pinned memory when the stream gets there. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const alone here;
    enum emulation::place source, target;
    cudaError_t error = turn_on(stream);
    if (error != cudaSuccess || size_bytes == 0) return error;
    if (!emulation::memory_find(from, size_bytes, &source) || !emulation::memory_find(to, size_bytes, &target) ||
        ((kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) && target != emulation::DEVICE) ||
        ((kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice) && source != emulation::DEVICE) ||
        (kind == cudaMemcpyHostToDevice && source == emulation::DEVICE) ||
        (kind == cudaMemcpyDeviceToHost && target == emulation::DEVICE))
        return last_error = cudaErrorInvalidValue;
    if (source == emulation::PAGEABLE || target == emulation::PAGEABLE) error = emulation::not_in_a_graph(stream);
    if (error != cudaSuccess) return error;
    if (source == emulation::PAGEABLE) {
        const char *bytes = (const char *)from;
        /* Moved: the stream is the last that has it, and gives it back. */
        auto copy = [to, staged = std::make_shared<std::vector<char>>(bytes, bytes + size_bytes)] {
            std::memcpy(to, staged->data(), staged->size());
        };
        emulation::stream_queue(stream, std::move(copy), size_bytes);
    } else
        emulation::stream_queue(stream, [=] { std::memcpy(to, from, size_bytes); });
    if (target == emulation::PAGEABLE) emulation::stream_finish(stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t stream)
{
    const alone here;
    enum emulation::place place;
    cudaError_t error = turn_on(stream);
    if (error != cudaSuccess || size_bytes == 0) return error;
    if (!emulation::memory_find(to, size_bytes, &place) || place == emulation::PAGEABLE)
        return last_error = cudaErrorInvalidValue;
    emulation::stream_queue(stream, [=] { std::memset(to, value, size_bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    const alone here;
    cudaError_t error = turn();
    (void)flags;
    *out = error == cudaSuccess ? new emulated_stream() : nullptr;
    n_live += *out != nullptr;
    if (!*out) return error;
    (*out)->device = device_now;
    emulation::stream_open(*out);
    return error;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority)
{
    (void)priority;
    return cudaStreamCreateWithFlags(out, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    const alone here;
    *least = 0, *greatest = -5;
    return turn();
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    const alone here;
    n_live -= stream != nullptr;
    if (stream) emulation::capture_drop(stream);
    if (sticky != cudaSuccess) emulation::discard_all();
    if (stream) emulation::stream_abandon(stream);
    return turn();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream, const char *file, int line)
{
    const alone here;
    cudaError_t error = turn_on(stream);
    if (error == cudaSuccess) error = emulation::not_in_a_graph(stream);
    if (error == cudaSuccess && !emulation::left_out(file, line)) emulation::stream_finish(stream);
    return error;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    const alone here;
    cudaError_t error = turn();
    *out = error == cudaSuccess ? new emulated_event{!(flags & cudaEventDisableTiming), nullptr, false} : nullptr;
    n_live += *out != nullptr;
    return error;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    const alone here;
    n_live -= event != nullptr;
    delete event;
    return turn();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream, const char *file, int line)
{
    const alone here;
    cudaError_t error = turn_on(stream);
    if (error == cudaSuccess)
        event->captured = stream && stream->capture; /* the graph's: nobody outside waits for it */
    if (error == cudaSuccess && !event->captured && !emulation::left_out(file, line))
        emulation::stream_record(stream, event);
    return error;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end)
{
    const alone here;
    cudaError_t error = turn();
    if (error != cudaSuccess) return error;
    double from, to;
    if (!begin->timed || !end->timed || !begin->last || !end->last) return last_error = cudaErrorInvalidResourceHandle;
    if (!emulation::event_time(begin, &from) || !emulation::event_time(end, &to)) return last_error = cudaErrorNotReady;
    *milliseconds = (float)(to - from);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event, const char *file, int line)
{
    const alone here;
    cudaError_t error = turn();
    if (error == cudaSuccess && event->captured) error = fail_now(cudaErrorCapturedEvent);
    if (error == cudaSuccess && !emulation::left_out(file, line)) emulation::event_finish(event);
    return error;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags, const char *file, int line)
{
    const alone here;
    cudaError_t error = turn_on(stream);
    (void)flags;
    const bool inside = stream && stream->capture;
    if (error == cudaSuccess && inside && !event->captured) error = emulation::not_in_a_graph(stream);
    if (error == cudaSuccess && !inside && event->captured) error = fail_now(cudaErrorCapturedEvent);
    if (error == cudaSuccess && !inside && !emulation::left_out(file, line)) emulation::stream_wait(stream, event);
    return error;
}

/* EMULATION_CODE: README.md. Code for 8.0 runs on 8.6, and not the other way round. */
static bool has_code(void)
{
    const char *at = getenv("EMULATION_CODE");
    int major = 8, minor = 0, x = 0, y = 0, length = 0;
    cards(device_now, &major, &minor);
    while (at && sscanf(at, "%d.%d%n", &x, &y, &length) == 2) {
        if (x == major && y <= minor) return true;
        at += length;
        if (*at != ',') break;
        at++;
    }
    return !at;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute attribute, int value)
{
    const alone here;
    cudaError_t error = turn();
    if (error != cudaSuccess) return error;
    if (!has_code()) return last_error = cudaErrorNoKernelImageForDevice;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        (size_t)value > shared_bytes_of_card().a_block)
        return last_error = cudaErrorInvalidValue;
    allowed[kernel] = value;
    return cudaSuccess;
}

/* Code for another capability than the card's is not thought of. */
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *)
{
    const alone here;
    int major = 8, minor = 0;
    cudaError_t error = turn();
    *out = {};
    if (error != cudaSuccess) return error;
    if (!has_code()) return last_error = cudaErrorNoKernelImageForDevice;
    cards(device_now, &major, &minor);
    out->ptxVersion = 10 * major + minor;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    const alone here;
    cudaError_t error = turn(), last = last_error;
    last_error = cudaSuccess;
    return error != cudaSuccess ? error : last;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorInsufficientDriver:
        return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoKernelImageForDevice:
        return "no kernel image is available for execution on the device";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
        return "operation failed due to a previous error during capture";
    default:
        return "an error that was put in";
    }
}
