/* pool.c: parallel loops over a few threads. Pieces are handed out by an atomic counter; the caller works too. */
#include "worker/base/pool.h"

#include "worker/base/alloc.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define MAX_THREADS 64

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    pthread_t threads[MAX_THREADS];
    unsigned n_threads, n_started;
    uint64_t round; /* counts loops; guarded by lock */
    unsigned busy;  /* threads still in this round; guarded by lock */
    bool closing;
    pool_task task;
    void *context;
    size_t n, grain;
    atomic_size_t next;
};

struct member {
    struct pool *pool;
    unsigned index;
};

static void work(struct pool *pool, unsigned worker)
{
    for (;;) {
        size_t begin = atomic_fetch_add(&pool->next, pool->grain);
        if (begin >= pool->n) return;
        size_t end = pool->n - begin < pool->grain ? pool->n : begin + pool->grain;
        pool->task(pool->context, begin, end, worker);
    }
}

static void *run_thread(void *argument)
{
    struct member member = *(struct member *)argument;
    struct pool *pool = member.pool;
    uint64_t seen = 0;
    mem_free(argument);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->closing && pool->round == seen) pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->closing) break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        work(pool, member.index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* CPU time that the control group allows, in whole CPUs rounded up; 0 if there is no limit. */
static unsigned cgroup_cpus(void)
{
    unsigned cpus = 0;
    char quota[32] = "";
    long period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f) return 0;
    if (fscanf(f, "%31s %ld", quota, &period) == 2 && period > 0 && quota[0] >= '0' && quota[0] <= '9') {
        long long used = 0;
        if (sscanf(quota, "%lld", &used) == 1 && used > 0) cpus = (unsigned)((used + period - 1) / period);
    }
    fclose(f);
    return cpus;
}

unsigned pool_available_cpus(void)
{
    cpu_set_t set;
    unsigned n = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) n = (unsigned)CPU_COUNT(&set);
    unsigned quota = cgroup_cpus();
    if (quota && quota < n) n = quota;
    if (n > MAX_THREADS) n = MAX_THREADS;
    return n ? n : 1;
}

enum status pool_open(struct pool **out, unsigned n_threads, struct error *err)
{
    struct pool *pool = mem_zalloc(1, sizeof(*pool));
    if (!pool) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a thread pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->n_threads = n_threads == 0 ? pool_available_cpus() : n_threads > MAX_THREADS ? MAX_THREADS : n_threads;
    for (unsigned i = 1; i < pool->n_threads; i++) {
        struct member *member = mem_alloc(sizeof(*member));
        if (member) *member = (struct member){pool, i};
        if (!member || pthread_create(&pool->threads[pool->n_started], NULL, run_thread, member) != 0) {
            mem_free(member);
            pool_close(pool);
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start thread %u of %u", i + 1, n_threads);
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

void pool_for(struct pool *pool, size_t n, size_t grain, pool_task task, void *context)
{
    if (n == 0) return;
    if (grain == 0) grain = 1;
    if (pool->n_started == 0 || n <= grain) {
        for (size_t begin = 0; begin < n; begin += grain)
            task(context, begin, n - begin < grain ? n : begin + grain, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->n = n;
    pool->grain = grain;
    atomic_store(&pool->next, 0);
    pool->busy = pool->n_started;
    pool->round++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    work(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void pool_close(struct pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_started; i++) pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
}
