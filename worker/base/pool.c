/* pool.c: parallel loops over a few threads; the caller works too.
 *
 * Each thread begins with a block of pieces of its own and then takes single pieces from the others' blocks, so that one that is held up
 * delays only the piece it is at. A thread enters a loop while that is open and the caller waits only for those inside: threads
 * that sleep, or that the system does not run, need not come for a loop to end. */
#include "worker/base/pool.h"

#include "worker/base/alloc.h"
#include "worker/base/cpus.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS 64
#define MOST_SPINS  4096 /* pauses: some 50 to 150 us, longer than the caller does things alone within a pass */
#define LEAST_SPINS 64

/* The state of the pool in one word: the loop's number, whether it may be entered, how many threads other than the caller are inside. */
#define LOOP    ((uint64_t)1 << 32)
#define OPEN    ((uint64_t)1 << 31)
#define INSIDE  (OPEN - 1)
#define CLOSING (OPEN - 1) /* as many are never inside: the pool ends */

/* Pieces [next, end) are still to be done. Each in a cache line of its own. */
struct block {
    _Alignas(64) atomic_size_t next;
    size_t end;
};

struct pool {
    struct block blocks[MAX_THREADS];
    _Alignas(64) atomic_ullong state;
    /* Of the loop that is open; written only while nobody is inside. */
    pool_task task;
    void *context;
    size_t n, grain;

    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint n_asleep;      /* threads that look at the state under the lock, or sleep */
    atomic_bool caller_asleep; /* the same */
    unsigned n_threads, n_started, most_spins;
    pthread_t threads[MAX_THREADS];
};

struct member {
    struct pool *pool;
    unsigned index;
};

static void pause_a_moment(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* All pieces that nobody has taken, beginning with the thread's own. */
static void work(struct pool *pool, unsigned worker)
{
    for (unsigned i = 0; i < pool->n_threads; i++) {
        struct block *block = &pool->blocks[(worker + i) % pool->n_threads];
        while (atomic_load_explicit(&block->next, memory_order_relaxed) < block->end) {
            size_t piece = atomic_fetch_add_explicit(&block->next, 1, memory_order_relaxed);
            if (piece >= block->end) break;
            size_t begin = piece * pool->grain;
            size_t end = pool->n - begin < pool->grain ? pool->n : begin + pool->grain;
            pool->task(pool->context, begin, end, worker);
        }
    }
}

/* True if this is another loop than `seen`, which may be entered, or the end. */
static bool calls(uint64_t state, uint64_t seen)
{
    return (state & INSIDE) == CLOSING || ((state & OPEN) && state / LOOP != seen);
}

/* Waits for a state that calls: busily at first, for `spins` pauses; then asleep. */
static uint64_t wait_for_call(struct pool *pool, uint64_t seen, unsigned *spins)
{
    uint64_t state;
    for (unsigned i = 0; i < *spins; i++) {
        if (calls(state = atomic_load(&pool->state), seen)) {
            *spins = pool->most_spins;
            return state;
        }
        pause_a_moment();
    }
    if (*spins > LEAST_SPINS) *spins /= 2; /* in vain: less next time */
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (!calls(state = atomic_load(&pool->state), seen)) pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->lock);
    return state;
}

static void leave(struct pool *pool)
{
    uint64_t state = atomic_fetch_sub(&pool->state, 1) - 1;
    if ((state & (OPEN | INSIDE)) != 0 || !atomic_load(&pool->caller_asleep)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

static void *run_thread(void *argument)
{
    struct member member = *(struct member *)argument;
    struct pool *pool = member.pool;
    unsigned spins = pool->most_spins;
    uint64_t seen = 0;
    mem_free(argument);
    for (;;) {
        unsigned long long state = wait_for_call(pool, seen, &spins);
        if ((state & INSIDE) == CLOSING) return NULL;
        if (!atomic_compare_exchange_strong(&pool->state, &state, state + 1)) continue;
        seen = state / LOOP;
        work(pool, member.index);
        leave(pool);
    }
}

static void wake_all(struct pool *pool)
{
    if (atomic_load(&pool->n_asleep) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

enum status pool_open(struct pool **out, unsigned n_threads, struct error *err)
{
    unsigned cpus = cpus_available();
    struct pool *pool = mem_alloc_aligned(sizeof(*pool), 64);
    if (!pool) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a thread pool");
    *pool = (struct pool){.n_threads = n_threads ? n_threads : cpus};
    if (pool->n_threads > MAX_THREADS) pool->n_threads = MAX_THREADS;
    pool->most_spins = pool->n_threads > cpus ? 0 : MOST_SPINS;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (unsigned i = 1; i < pool->n_threads; i++) {
        struct member *member = mem_alloc(sizeof(*member));
        if (member) *member = (struct member){pool, i};
        if (!member || pthread_create(&pool->threads[pool->n_started], NULL, run_thread, member) != 0) {
            mem_free(member);
            enum status st =
                fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start thread %u of %u", i + 1, pool->n_threads);
            pool_close(pool);
            return st;
        }
        pool->n_started++;
    }
    *out = pool;
    return DOCKET_OK;
}

unsigned pool_threads(const struct pool *pool)
{
    return pool->n_threads;
}

/* Nobody is inside when this begins. */
static void open_loop(struct pool *pool, size_t n_pieces)
{
    size_t each = n_pieces / pool->n_threads, more = n_pieces % pool->n_threads;
    for (unsigned i = 0; i < pool->n_threads; i++) {
        size_t first = i * each + (i < more ? i : more);
        atomic_store_explicit(&pool->blocks[i].next, first, memory_order_relaxed);
        pool->blocks[i].end = first + each + (i < more);
    }
    atomic_store(&pool->state, (atomic_load(&pool->state) / LOOP + 1) * LOOP | OPEN);
    wake_all(pool);
}

static void close_loop(struct pool *pool)
{
    uint64_t state = atomic_fetch_and(&pool->state, ~OPEN) & ~OPEN;
    for (unsigned i = 0; (state & INSIDE) != 0 && i < pool->most_spins; i++) {
        pause_a_moment();
        state = atomic_load(&pool->state);
    }
    if ((state & INSIDE) == 0) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_asleep, true);
    while ((atomic_load(&pool->state) & INSIDE) != 0) pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->caller_asleep, false);
    pthread_mutex_unlock(&pool->lock);
}

void pool_for(struct pool *pool, size_t n, size_t grain, pool_task task, void *context)
{
    if (n == 0) return;
    if (grain == 0) grain = 1;
    if (pool->n_started == 0 || n <= grain) {
        for (size_t begin = 0; begin < n; begin += grain)
            task(context, begin, n - begin < grain ? n : begin + grain, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->n = n;
    pool->grain = grain;
    open_loop(pool, n / grain + (n % grain != 0));
    work(pool, 0);
    close_loop(pool);
}

void pool_close(struct pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->state, CLOSING);
    wake_all(pool);
    for (unsigned i = 0; i < pool->n_started; i++) pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
}
