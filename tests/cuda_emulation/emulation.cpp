/* emulation.cpp: fibers and their schedules. Compiled without a sanitizer: under ThreadSanitizer each CUDA thread is a fiber of its
 * own, and what the scheduler does must not count as that thread's doing. */
#include "tests/cuda_emulation/emulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>
#include <vector>

#ifdef EMULATION_TSAN
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
}
#define TSAN(statement) statement
#else
#define TSAN(statement)
#endif

#ifdef EMULATION_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
}
#define ASAN(statement) statement
#else
#define ASAN(statement)
#endif

/* Saves the callee's registers on the stack that is left, and takes up those on the stack that is entered. */
asm(".text\n"
    ".type emulation_switch, @function\n"
    "emulation_switch:\n"
    "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
    "ret\n");
extern "C" void emulation_switch(void **save, void *load);

namespace emulation
{
namespace
{

constexpr size_t STACK_BYTES = 128 << 10;
constexpr unsigned MAX_COPIES = 64; /* of a thread, under way */
enum state { READY, AT_BARRIER, AT_WARP, DONE };

struct copy_begun {
    void *to;
    const void *from;
    unsigned group;
};

struct fiber {
    copy_begun copies[MAX_COPIES]; /* a ring */
    unsigned n_begun, n_made, n_groups;
    void *stack_pointer;
    char *stack;
    uint3 index;
    enum state state;
    bool has_waited; /* for the kernel in front, or need not */
    void *tsan, *fake_stack;
};

struct warp {
    uint32_t arrived, mask, live;
    int kind;
    size_t size_bytes;
    char in[32][EMULATION_WARP_BYTES], out[32][EMULATION_WARP_BYTES];
    char mark[2]; /* two, by turns: with one, a late lane would acquire what others released at the next meeting */
    unsigned meetings;
};

struct shared_piece {
    const void *key;
    void *memory;
};

/* Who runs the kernels of a stream: one crew for all, but under ThreadSanitizer one for each, or the threads' clocks, stacks and shared
 * arrays would put streams in order that are in none. */
struct crew {
    std::vector<fiber> fibers;
    std::vector<warp> warps;
    [[maybe_unused]] char started, ended, barrier_mark[2];
    [[maybe_unused]] char *arena;
    [[maybe_unused]] void *base; /* a fiber that has seen what all kernels of the stream have that begin early */
    [[maybe_unused]] char base_mark;
};
constexpr unsigned MOST_CREWS = 64;
crew crews[MOST_CREWS], *now = crews;
shared_piece shared[32]; /* no container: what is allocated on a fiber counts as the fiber's doing */
int n_shared;
enum schedule chosen = BY_TURNS, order;
unsigned random_state = 1, seed_now = 1, n_launches;
bool is_set_up, is_early,
    is_unordered; /* the kernel that runs begins early; and the block's threads have seen nothing yet */
uint3 block_now;
dim3 block_dim, grid_dim;
int current, n_live, n_at_barrier;
unsigned barrier_turn;
size_t dynamic_bytes, most_bytes, shared_bytes; /* of shared memory: asked for, the card's, taken so far */
const std::function<void()> *kernel_now;
void *scheduler_stack_pointer;
char dynamic_key;
[[maybe_unused]] void *scheduler_fake_stack, *scheduler_tsan;
[[maybe_unused]] const void *scheduler_bottom;
[[maybe_unused]] size_t scheduler_size;

[[noreturn]] void stop(const char *why)
{
    const fiber &f = now->fibers[(size_t)current];
    fprintf(stderr, "emulation: block (%u, %u, %u) thread (%u, %u): %s\n", block_now.x, block_now.y, block_now.z,
            f.index.x, f.index.y, why);
    abort();
}

unsigned next_random()
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Not memcpy: a sanitizer would see the scheduler's copies as the fiber's own. */
void copy(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = ((const volatile char *)from)[i];
}

#ifdef EMULATION_TSAN
constexpr size_t ARENA_BYTES = 1 << 20; /* an allocation on a fiber would count as that fiber's write */
size_t arena_used;
void *take(size_t n)
{
    void *p = now->arena + arena_used;
    arena_used += (n + 255) & ~(size_t)255;
    if (arena_used > ARENA_BYTES) stop("shared arrays of more than 1 MiB");
    return p;
}
void give_back(void *)
{
    arena_used = 0;
}
#else
void *take(size_t n)
{
    return std::malloc(n); /* exactly: one byte too far is then seen */
}
void give_back(void *memory)
{
    std::free(memory);
}
#endif

void leave(bool for_good)
{
    [[maybe_unused]] fiber &f = now->fibers[(size_t)current];
    (void)for_good;
    ASAN(__sanitizer_start_switch_fiber(for_good ? nullptr : &f.fake_stack, scheduler_bottom, scheduler_size);)
    TSAN(__tsan_switch_to_fiber(scheduler_tsan, 1);)
    emulation_switch(&f.stack_pointer, scheduler_stack_pointer);
    ASAN(__sanitizer_finish_switch_fiber(now->fibers[(size_t)current].fake_stack, nullptr, nullptr);)
}

void fiber_entry()
{
    ASAN(__sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);)
    TSAN(if (!is_unordered) __tsan_acquire(&now->started);)
    (*kernel_now)();
    if (!now->fibers[(size_t)current].has_waited)
        stop("a thread of a kernel that begins early ends before it has waited for the kernel in front");
    TSAN(__tsan_release(&now->ended);)
    fiber &f = now->fibers[(size_t)current];
    if (f.n_made != f.n_begun) stop("a thread ends with copies that it has not waited for");
    f.state = DONE;
    n_live--;
    now->warps[(size_t)current / 32].live &= ~(1u << (current & 31));
    leave(true);
}

void run(int i)
{
    current = i;
    ASAN(__sanitizer_start_switch_fiber(&scheduler_fake_stack, now->fibers[(size_t)i].stack, STACK_BYTES);)
    TSAN(__tsan_switch_to_fiber(now->fibers[(size_t)i].tsan, 1);)
    emulation_switch(&scheduler_stack_pointer, now->fibers[(size_t)i].stack_pointer);
    ASAN(__sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);)
}

bool release_warp(int w, int n)
{
    warp &x = now->warps[(size_t)w];
    if (!x.arrived || x.arrived != x.mask) return false;
    copy(x.out, x.in, sizeof x.out);
    x.arrived = 0;
    x.meetings++;
    for (int i = w * 32; i < std::min(n, w * 32 + 32); i++)
        if (now->fibers[(size_t)i].state == AT_WARP) now->fibers[(size_t)i].state = READY;
    return true;
}

void shuffle(std::vector<int> &v)
{
    for (size_t i = v.size(); i > 1; i--) std::swap(v[i - 1], v[next_random() % i]);
}

void prepare_fiber(int i, dim3 block)
{
    fiber &f = now->fibers[(size_t)i];
    unsigned u = (unsigned)i;
    f.state = READY;
    f.has_waited = !is_early;
    f.n_begun = f.n_made = f.n_groups = 0;
    f.index = {u % block.x, u / block.x % block.y, u / (block.x * block.y)};
    void **top = (void **)(f.stack + STACK_BYTES);
    *--top = nullptr; /* as if called: the stack is 16-byte aligned before the return address */
    *--top = (void *)fiber_entry;
    for (int saved = 0; saved < 6; saved++) *--top = nullptr;
    f.stack_pointer = top;
}

bool run_warps(std::vector<int> &ws, int n)
{
    bool progress = false;
    std::vector<int> lanes;
    shuffle(ws);
    for (int w : ws) do {
            lanes.clear();
            for (int i = w * 32; i < std::min(n, w * 32 + 32); i++) lanes.push_back(i);
            shuffle(lanes);
            for (int i : lanes)
                if (now->fibers[(size_t)i].state == READY) {
                    run(i);
                    progress = true;
                }
        } while (release_warp(w, n));
    return progress;
}

bool run_round(int n, int n_warps)
{
    bool progress = false;
    for (int i = 0; i < n; i++)
        if (now->fibers[(size_t)i].state == READY) {
            run(i);
            progress = true;
        }
    for (int w = 0; w < n_warps; w++) progress |= release_warp(w, n);
    return progress;
}

void run_block(dim3 block, int n, int n_warps, std::vector<int> &ws)
{
    n_live = n;
    n_at_barrier = 0;
    shared_bytes = dynamic_bytes;
    for (int w = 0; w < n_warps; w++) {
        now->warps[(size_t)w].arrived = 0;
        now->warps[(size_t)w].live = 0;
    }
    for (int i = 0; i < n; i++) {
        prepare_fiber(i, block);
        now->warps[(size_t)i / 32].live |= 1u << (i & 31);
    }
    TSAN(__tsan_release(&now->started);)
    while (n_live) {
        bool progress = order == GREEDY ? run_warps(ws, n) : run_round(n, n_warps);
        if (n_at_barrier && n_at_barrier == n_live) {
            n_at_barrier = 0;
            barrier_turn++;
            for (int i = 0; i < n; i++)
                if (now->fibers[(size_t)i].state == AT_BARRIER) now->fibers[(size_t)i].state = READY;
            progress = true;
        }
        if (!progress) stop("deadlock: a barrier or warp operation that not all of its threads reach");
    }
    TSAN(__tsan_acquire(&now->ended);)
    for (int i = 0; i < n_shared; i++) give_back(shared[i].memory);
    n_shared = 0;
}

#ifdef EMULATION_TSAN
/* A tenth of a second each: the first launches of a kernel, and of the others one of sixteen. */
bool is_judged(const void *kernel)
{
    static std::map<const void *, unsigned> launches;
    const unsigned n = launches[kernel]++;
    return n < 4 || n % 16 == 0;
}

/* Threads, stacks, shared arrays and marks that nobody had before. What they begin with is the base's. */
void begin_unordered(int n)
{
    const size_t stacks = (size_t)n * STACK_BYTES;
    void *const before = __tsan_get_current_fiber(), *const base = now->base;
    now = new crew{};
    now->fibers.resize((size_t)n);
    __tsan_switch_to_fiber(base, 1);
    char *const memory = (char *)mmap(nullptr, stacks + ARENA_BYTES, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    for (int i = 0; i < n; i++) now->fibers[(size_t)i].tsan = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(before, 1);
    for (int i = 0; i < n; i++) now->fibers[(size_t)i].stack = memory + (size_t)i * STACK_BYTES;
    now->arena = memory + stacks;
    is_unordered = true;
}

void end_unordered(crew *usual)
{
    for (fiber &f : now->fibers) __tsan_destroy_fiber(f.tsan);
    munmap(now->fibers[0].stack, now->fibers.size() * STACK_BYTES + ARENA_BYTES);
    delete now;
    now = usual;
}
#endif

[[noreturn]] void bad_setting(const char *name, const char *value, const char *want)
{
    fprintf(stderr, "emulation: %s is \"%s\"; it has to be %s\n", name, value, want);
    exit(2);
}

/* README.md has the list. What the program itself set comes first. */
void set_up()
{
    const char *schedule = getenv("EMULATION_SCHEDULE"), *seed = getenv("EMULATION_SEED");
    char *end;

    if (is_set_up) return;
    is_set_up = true;
    if (schedule && !strcmp(schedule, "greedy"))
        chosen = GREEDY;
    else if (schedule && !strcmp(schedule, "round_robin"))
        chosen = ROUND_ROBIN;
    else if (schedule && strcmp(schedule, "by_turns"))
        bad_setting("EMULATION_SCHEDULE", schedule, "greedy, round_robin or by_turns");
    if (seed) {
        seed_now = (unsigned)strtoul(seed, &end, 10);
        if (end == seed || *end) bad_setting("EMULATION_SEED", seed, "a number");
    }
}

} // namespace

void set_schedule(enum schedule schedule, unsigned seed)
{
    chosen = schedule;
    seed_now = seed;
    is_set_up = true;
}

uint3 thread_index()
{
    return now->fibers[(size_t)current].index;
}

uint3 block_index()
{
    return block_now;
}

dim3 block_size()
{
    return block_dim;
}

dim3 grid_size()
{
    return grid_dim;
}

unsigned lane_index()
{
    return (unsigned)current & 31u;
}

void *shared_array(const void *key, size_t size_bytes)
{
    for (int i = 0; i < n_shared; i++)
        if (shared[i].key == key) return shared[i].memory;
    if (n_shared == (int)(sizeof shared / sizeof shared[0]))
        stop("more shared arrays than the emulation has places for");
    if (key != &dynamic_key) shared_bytes += size_bytes;
    if (shared_bytes - dynamic_bytes > 48 << 10) stop("arrays of more than 48 KiB of shared memory");
    if (shared_bytes > most_bytes) stop("more shared memory than the card has for a block");
    void *memory = take(size_bytes);
    shared[n_shared++] = {key, memory};
    for (size_t i = 0; i < size_bytes; i++) ((volatile unsigned char *)memory)[i] = 0xff;
    return memory;
}

void *dynamic_shared()
{
    return shared_array(&dynamic_key, dynamic_bytes);
}

void block_barrier(const char *file, int line)
{
    if (left_out(file, line)) return;
    [[maybe_unused]] char *mark = &now->barrier_mark[barrier_turn & 1];
    TSAN(__tsan_release(mark);)
    n_at_barrier++;
    now->fibers[(size_t)current].state = AT_BARRIER;
    leave(false);
    TSAN(__tsan_acquire(mark);)
}

void former_wait(const char *file, int line)
{
    if (!is_early) return;
    now->fibers[(size_t)current].has_waited = true;
    if (left_out(file, line)) return;
    TSAN(__tsan_acquire(&now->started);)
}

void warp_exchange(uint32_t mask, int kind, const void *mine, size_t size_bytes, void *all,
                   [[maybe_unused]] bool orders_memory)
{
    warp &x = now->warps[(size_t)current / 32];
    uint32_t bit = 1u << (current & 31);
    if (!(mask & bit)) stop("a lane outside of its own mask");
    if (mask & ~x.live) stop("a mask that names a lane which has ended");
    if (size_bytes > EMULATION_WARP_BYTES) stop("a warp operation over too many bytes");
    if (!x.arrived) {
        x.mask = mask;
        x.kind = kind;
        x.size_bytes = size_bytes;
    } else if (x.mask != mask || x.kind != kind || x.size_bytes != size_bytes)
        stop("lanes of a warp that disagree about the operation");
    [[maybe_unused]] char *mark = &x.mark[x.meetings & 1];
    TSAN(if (orders_memory) __tsan_release(mark);)
    copy(x.in[current & 31], mine, size_bytes);
    x.arrived |= bit;
    now->fibers[(size_t)current].state = AT_WARP;
    leave(false);
    TSAN(if (orders_memory) __tsan_acquire(mark);)
    for (size_t i = 0; i < 32; i++)
        copy((char *)all + i * size_bytes, now->warps[(size_t)current / 32].out[i], size_bytes);
}

void copy_later(void *to, const void *from)
{
    fiber &f = now->fibers[(size_t)current];
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16) stop("a copy of 16 bytes at an address that is no multiple of 16");
    if (f.n_begun - f.n_made == MAX_COPIES) stop("more copies under way than the emulation has places for");
    f.copies[f.n_begun++ % MAX_COPIES] = {to, from, f.n_groups};
}

void copy_close_group()
{
    now->fibers[(size_t)current].n_groups++;
}

bool copy_take(unsigned n_pending, void **to, const void **from)
{
    fiber &f = now->fibers[(size_t)current];
    const copy_begun &next = f.copies[f.n_made % MAX_COPIES];
    if (f.n_made == f.n_begun || next.group + n_pending >= f.n_groups) return false;
    *to = next.to;
    *from = next.from;
    f.n_made++;
    return true;
}

unsigned launches_made()
{
    return n_launches;
}

void all_is_complete([[maybe_unused]] unsigned stream)
{
#ifdef EMULATION_TSAN
    if (stream >= MOST_CREWS) abort();
    crew &c = crews[stream];
    void *const before = __tsan_get_current_fiber();
    if (!c.base) c.base = __tsan_create_fiber(0);
    __tsan_release(&c.base_mark);
    __tsan_switch_to_fiber(c.base, 1);
    __tsan_acquire(&c.base_mark);
    __tsan_switch_to_fiber(before, 1);
#endif
}

void launch(dim3 grid, dim3 block, size_t dynamic_shared_bytes, size_t most_shared_bytes,
            [[maybe_unused]] unsigned stream, const void *early, const std::function<void()> &kernel)
{
    int n = (int)(block.x * block.y * block.z), n_warps = (n + 31) / 32;
    std::vector<int> ws((size_t)n_warps);
    set_up();
    kernel_now = &kernel;
    order = chosen != BY_TURNS ? chosen : n_launches % 4 == 3 ? ROUND_ROBIN : GREEDY;
    grid_dim = grid;
    block_dim = block;
    dynamic_bytes = dynamic_shared_bytes;
    most_bytes = most_shared_bytes;
    random_state = (seed_now + n_launches++) * 2654435761u | 1u;
    TSAN(if (stream >= MOST_CREWS) abort(); now = &crews[stream];
         if (!now->arena) now->arena =
             (char *)mmap(nullptr, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         scheduler_tsan = __tsan_get_current_fiber(); __tsan_acquire(&now->ended);)
    is_early = early != nullptr, is_unordered = false;
    if (!is_early) all_is_complete(stream);
    TSAN(if (early && is_judged(early)) begin_unordered(n);)
    while ((int)now->fibers.size() < n) {
        fiber f{};
        f.stack = (char *)mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (f.stack == MAP_FAILED) abort();
        TSAN(f.tsan = __tsan_create_fiber(0);)
        now->fibers.push_back(f);
    }
    if ((int)now->warps.size() < n_warps) now->warps.resize((size_t)n_warps);
    for (int w = 0; w < n_warps; w++) ws[(size_t)w] = w;
    /* Of a kernel that begins early the first block is another each time: the threads of those behind it have waited. */
    const size_t n_blocks = (size_t)grid.x * grid.y * grid.z, first = is_early ? next_random() % n_blocks : 0;
    for (size_t i = 0; i < n_blocks; i++) {
        const size_t at = (first + i) % n_blocks;
        block_now = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
        run_block(block, n, n_warps, ws);
        is_unordered = false;
    }
    TSAN(if (now != &crews[stream]) end_unordered(&crews[stream]);)
}

} // namespace emulation
