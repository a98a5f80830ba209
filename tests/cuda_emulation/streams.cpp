/* streams.cpp: see streams.h. Compiled without a sanitizer. Under ThreadSanitizer each stream is a fiber of its own, which takes over what
 * the host had done when it queued the work, and what the events had seen that the stream waits for, and nothing else: a wait that is
 * missing is a race then, in whatever order things happened to be done. */
#include "tests/cuda_emulation/streams.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <sched.h>
#include <vector>

#ifdef EMULATION_TSAN
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void __tsan_read_range(void *address, unsigned long size);
void __tsan_write_range(void *address, unsigned long size);
}
#define TSAN(statement) statement
#else
#define TSAN(statement)
#endif

namespace emulation
{

enum kind { WORK, RECORD, WAIT };
struct command {
    enum kind kind;
    std::function<void()> work;
    std::shared_ptr<struct moment> moment;
    size_t held_bytes;
    [[maybe_unused]] char
        queued; /* ThreadSanitizer's marks: a place for each, as a mark keeps all that it was ever given */
};
struct moment {
    cudaStream_t stream;
    bool is_reached;
    double at;
    [[maybe_unused]] char mark;
};

namespace
{

constexpr size_t MOST_HELD_BYTES = (size_t)256 << 20; /* copies of pageable memory that wait */
constexpr unsigned CALLS_A_PACE = 24;
enum pace { LATE, EARLY, ANYHOW, N_PACES };

std::atomic<unsigned long> holder;
unsigned depth;

std::vector<cudaStream_t> streams;
struct emulated_stream legacy; /* NULL */
struct range {
    size_t size_bytes;
    enum place place;
};
std::map<uintptr_t, range> ranges;
size_t n_held_bytes;
unsigned random_state, n_calls;
bool is_set_up, overlap;

unsigned next_random()
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

void set_up()
{
    const char *how = std::getenv("EMULATION_STREAMS"), *seed = std::getenv("EMULATION_SEED");
    if (is_set_up) return;
    is_set_up = true;
    if (how && std::strcmp(how, "at_once") && std::strcmp(how, "overlap")) {
        std::fprintf(stderr, "emulation: EMULATION_STREAMS is \"%s\"; it has to be overlap or at_once\n", how);
        std::exit(2);
    }
    overlap = !how || !std::strcmp(how, "overlap");
    random_state = (unsigned)(seed ? std::strtoul(seed, nullptr, 10) : 1) * 2654435761u | 1u;
}

double milliseconds()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void run_until(cudaStream_t stream, const struct moment *moment);

/* ThreadSanitizer takes what follows for the stream's doing; returns whose it was before. */
void *become([[maybe_unused]] cudaStream_t stream)
{
#ifdef EMULATION_TSAN
    void *before = __tsan_get_current_fiber();
    if (!stream->fiber) stream->fiber = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(stream->fiber, 1);
    return before;
#else
    return nullptr;
#endif
}

void become_again([[maybe_unused]] void *before)
{
    TSAN(__tsan_switch_to_fiber(before, 1);)
}

/* The first command of the stream. Its memory is given back as the stream's doing, for it was read by it. */
void run_first(cudaStream_t stream)
{
    command *c = stream->queue.front();
    if (c->kind == WAIT && !c->moment->is_reached) run_until(c->moment->stream, c->moment.get());
    stream->queue.pop_front();
    n_held_bytes -= c->held_bytes;
    if (c->kind == RECORD) c->moment->is_reached = true, c->moment->at = milliseconds();
    void *const before = become(stream);
    TSAN(__tsan_acquire(&c->queued);)
    if (c->kind == WORK) c->work();
    TSAN(if (c->kind == WAIT) __tsan_acquire(&c->moment->mark);)
    TSAN(if (c->kind == RECORD) __tsan_release(&c->moment->mark);)
    delete c;
    become_again(before);
}

void run_until(cudaStream_t stream, const struct moment *moment)
{
    while (!stream->queue.empty() && !(moment && moment->is_reached)) run_first(stream);
}

/* As many commands as may be done without another stream's being asked for anything. */
bool advance(cudaStream_t stream, unsigned most)
{
    bool any = false;
    for (; most && !stream->queue.empty(); most--, any = true) {
        const command *c = stream->queue.front();
        if (c->kind == WAIT && !c->moment->is_reached) break;
        run_first(stream);
    }
    return any;
}

/* What a GPU might have done by now. From time to time another stream is in a hurry, and another one late. */
void pass_time()
{
    if (n_calls++ % CALLS_A_PACE == 0)
        for (cudaStream_t stream : streams) stream->pace = overlap ? (int)(next_random() % N_PACES) : EARLY;
    for (bool any = true; any;) {
        any = false;
        for (cudaStream_t stream : streams)
            if (stream->pace != LATE) any |= advance(stream, stream->pace == EARLY ? ~0u : next_random() % 3);
    }
    for (cudaStream_t stream : streams)
        if (n_held_bytes > MOST_HELD_BYTES) run_until(stream, nullptr);
}

cudaStream_t real(cudaStream_t stream)
{
    if (stream) return stream;
    stream_open(&legacy);
    return &legacy;
}

void push(cudaStream_t stream, command *c)
{
    stream->queue.push_back(c);
    n_held_bytes += c->held_bytes;
    TSAN(__tsan_release(&c->queued);)
    pass_time();
}

void drop(cudaStream_t stream)
{
    for (command *c : stream->queue) {
        n_held_bytes -= c->held_bytes;
        if (c->moment) c->moment->is_reached = true;
        delete c;
    }
    stream->queue.clear();
}

/* Streams without a handle stay until they are empty. */
void sweep()
{
    for (size_t i = 0; i < streams.size();) {
        cudaStream_t stream = streams[i];
        if (stream->is_gone && stream->queue.empty()) {
            TSAN(if (stream->fiber) __tsan_destroy_fiber(stream->fiber);)
            streams.erase(streams.begin() + (long)i);
            delete stream;
        } else
            i++;
    }
}

} // namespace

alone::alone()
{
    static thread_local char me;
    unsigned long nobody = 0, mine = (unsigned long)&me;
    while (holder.load() != mine && !holder.compare_exchange_weak(nobody, mine)) {
        nobody = 0;
        sched_yield();
    }
    depth++;
}

alone::~alone()
{
    if (--depth == 0) holder.store(0);
}

void memory_note(void *memory, size_t size_bytes, enum place place)
{
    ranges[(uintptr_t)memory] = {size_bytes, place};
}

void memory_forget(void *memory)
{
    ranges.erase((uintptr_t)memory);
}

bool memory_find(const void *memory, size_t size_bytes, enum place *place)
{
    auto next = ranges.upper_bound((uintptr_t)memory);
    *place = PAGEABLE;
    if (next == ranges.begin()) return true;
    const auto &[begin, found] = *std::prev(next);
    const size_t at = (uintptr_t)memory - begin;
    if (at >= found.size_bytes) return true;
    *place = found.place;
    return size_bytes <= found.size_bytes - at;
}

void stream_open(cudaStream_t stream)
{
    unsigned number = 0;
    for (size_t i = 0; i < streams.size(); i++) {
        if (streams[i] == stream) return;
        if (streams[i]->number == number) number++, i = (size_t)-1;
    }
    set_up();
    stream->number = number;
    stream->pace = overlap ? LATE : EARLY;
    streams.push_back(stream);
}

unsigned stream_number(cudaStream_t stream)
{
    return real(stream)->number;
}

void stream_queue(cudaStream_t stream, std::function<void()> work, size_t held_bytes)
{
    if (stream && stream->capture) return capture_add(stream->capture, std::move(work));
    push(real(stream), new command{WORK, std::move(work), nullptr, held_bytes, 0});
}

void stream_record(cudaStream_t stream, cudaEvent_t event)
{
    event->last = std::make_shared<struct moment>();
    event->last->stream = real(stream);
    push(real(stream), new command{RECORD, nullptr, event->last, 0, 0});
}

void stream_wait(cudaStream_t stream, cudaEvent_t event)
{
    if (event->last) push(real(stream), new command{WAIT, nullptr, event->last, 0, 0});
}

void stream_finish(cudaStream_t stream)
{
    run_until(real(stream), nullptr);
    [[maybe_unused]] void *const host = become(real(stream));
    TSAN(__tsan_release(&real(stream)->done);)
    become_again(host);
    TSAN(__tsan_acquire(&real(stream)->done);)
}

void stream_abandon(cudaStream_t stream)
{
    stream->is_gone = true;
    sweep();
}

void device_finish(int device)
{
    for (cudaStream_t stream : streams)
        if (stream->device == device) stream_finish(stream);
    sweep();
}

/* What was done is over: nobody else will say so. */
void discard_all()
{
    for (cudaStream_t stream : streams) {
        drop(stream);
        stream_finish(stream);
    }
    sweep();
}

void event_finish(cudaEvent_t event)
{
    if (!event->last) return;
    run_until(event->last->stream, event->last.get());
    TSAN(__tsan_acquire(&event->last->mark);)
}

bool event_time(cudaEvent_t event, double *out)
{
    if (!event->last || !event->last->is_reached) return false;
    *out = event->last->at;
    return true;
}

void reads([[maybe_unused]] const void *from, [[maybe_unused]] size_t size_bytes)
{
    TSAN(__tsan_read_range((void *)from, size_bytes);)
}

void writes([[maybe_unused]] void *to, [[maybe_unused]] size_t size_bytes)
{
    TSAN(__tsan_write_range(to, size_bytes);)
}

} // namespace emulation
