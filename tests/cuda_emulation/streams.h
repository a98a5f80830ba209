/* streams.h: what was queued on streams and when it is done. As on a GPU, the host runs ahead: work waits in its stream until somebody
 * waits for it, or until a seed says so, and streams are in order with one another only where an event says so. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_STREAMS_H
#define DOCKET_TESTS_CUDA_EMULATION_STREAMS_H

#include "tests/cuda_emulation/runtime.h"

#include <deque>
#include <memory>

namespace emulation
{

struct command;
struct moment; /* of a stream: an event was recorded there */

/* Held by every call of the runtime while it changes what several threads share. No sanitizer sees it, so that it orders nothing else. */
struct alone {
    alone();
    ~alone();
};

enum place { PAGEABLE, PINNED, DEVICE };
void memory_note(void *memory, size_t size_bytes, enum place place);
void memory_forget(void *memory);
/* Where the bytes lie; false if they begin in memory of the runtime and reach beyond it. */
bool memory_find(const void *memory, size_t size_bytes, enum place *place);

void stream_open(cudaStream_t stream);       /* a new one */
unsigned stream_number(cudaStream_t stream); /* the smallest that was free: which fibers its kernels run on */
void stream_queue(cudaStream_t stream, std::function<void()> work, size_t held_bytes = 0);
void stream_finish(cudaStream_t stream);
/* graphs.cpp: while a stream is captured, what is queued becomes a node. */
struct capture;
void capture_add(capture *to, std::function<void()> node);
/* 900 if this thread captures, and its capture is broken then. */
cudaError_t unless_capturing();
/* The same where this stream is captured. */
cudaError_t not_in_a_graph(cudaStream_t stream);
bool capture_is_broken(const capture *of);
void capture_drop(cudaStream_t stream);
/* What the stream has queued is done without it; the handle is gone. */
void stream_abandon(cudaStream_t stream);
void device_finish(int device);
/* Of a device that is lost nothing is done any more. */
void discard_all();
void stream_record(cudaStream_t stream, cudaEvent_t event);
void stream_wait(cudaStream_t stream, cudaEvent_t event);
void event_finish(cudaEvent_t event);
/* Milliseconds; false: it was never recorded, or is not reached. */
bool event_time(cudaEvent_t event, double *out);

/* Bytes that work which no sanitizer sees reads or writes on its stream. */
void reads(const void *from, size_t size_bytes);
void writes(void *to, size_t size_bytes);

} // namespace emulation

struct emulated_stream {
    int device;
    std::deque<emulation::command *> queue;
    int pace;
    bool is_gone;
    unsigned number;
    emulation::capture *capture; /* NULL: what is queued is done */
    void *fiber;                 /* ThreadSanitizer's */
    char done;                   /* the host has waited for it: a mark of ThreadSanitizer's */
};

struct emulated_event {
    bool timed;
    std::shared_ptr<emulation::moment> last;
    bool captured; /* last recorded in a capture */
};

#endif
