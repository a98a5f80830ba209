/* emulation.h: CUDA's execution model on one host thread: blocks one after another, a block's threads as fibers, barriers, warp
 * operations, shared arrays of exactly their size. What it cannot show stands in README.md. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_H
#define DOCKET_TESTS_CUDA_EMULATION_H

#include <cstddef>
#include <cstdint>
#include <functional>

#define EMULATION_MAX_THREADS 1024
#define EMULATION_WARP_BYTES  64 /* most that a lane brings to a warp operation */

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
    unsigned x, y, z;
};

namespace emulation
{

/* In which order the threads of a block run. Greedy: a random warp runs until it waits for the whole block, then the next.
 * By turns, the default: three launches greedily, each with another seed, one going round. */
enum schedule { GREEDY, ROUND_ROBIN, BY_TURNS };
void set_schedule(enum schedule schedule, unsigned seed);

uint3 thread_index();
uint3 block_index();
dim3 block_size();
dim3 grid_size();
unsigned lane_index();

/* An array that all threads of the block share, made on first use, filled with 0xff, freed at the block's end. */
void *shared_array(const void *key, size_t size_bytes);
void *dynamic_shared();

/* Whether the environment says that the barrier or the wait at this place is left out (README.md). */
bool left_out(const char *file, int line);
void block_barrier(const char *file, int line);
/* Until then a thread of a kernel that begins early has seen nothing but what was complete when the last kernel began that did not; one
 * that ends without it ends the program. */
void former_wait(const char *file, int line);

/* Every lane of mask brings `mine` and gets all 32 lanes' in `all`. Lanes that disagree about mask or kind stop the program.
 * Of the warp's operations only __syncwarp orders what lanes wrote and read in memory. */
void warp_exchange(uint32_t mask, int kind, const void *mine, size_t size_bytes, void *all, bool orders_memory = false);

/* Copies of 16 bytes that the thread has begun, in groups. copy_take: the next one of the groups that are due when at most n_pending of
 * them may stay; the caller makes the copy. A thread that ends with copies of its own under way ends the program. */
void copy_later(void *to, const void *from);
void copy_close_group();
bool copy_take(unsigned n_pending, void **to, const void **from);

/* most_shared_bytes: of a block, of all kinds; 48 KiB of them may have a size that the kernel knows. stream: its number. early: what begins
 * early, NULL: nothing does. */
void launch(dim3 grid, dim3 block, size_t dynamic_shared_bytes, size_t most_shared_bytes, unsigned stream,
            const void *early, const std::function<void()> &kernel);
unsigned launches_made();
/* For ThreadSanitizer, on the fiber of the stream: what was done on it is complete before the next kernel begins. */
void all_is_complete(unsigned stream);

} // namespace emulation

#endif
