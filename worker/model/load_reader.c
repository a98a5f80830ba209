/* load_reader.c: see load_reader.h. Ring slot i holds the chunks whose number is i modulo its size: claimed in order by whichever thread is
 * free, filled in any order, taken in order, and free again once the device has passed a mark behind its use. */
#include "worker/model/load_reader.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <pthread.h>

#define CHUNK_BYTES (8 * MIB) /* large enough for a network volume's rate; a multiple of what weight_write wants */
#define SLOT_BYTES  DIRECT_ROOM(CHUNK_BYTES)
#define N_CHUNKS    8
#define N_READERS   4
#define IN_FLIGHT   4 /* chunks that a GPU may still be copying while the next are placed */

struct load_reader {
    struct load_plan *plan;
    const struct device *device;
    unsigned char *memory, *slots; /* slots: the first whole block of it */
    size_t in_flight;
    pthread_t threads[N_READERS];
    unsigned n_threads;
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    /* All below is guarded by lock. */
    struct chunk ring[N_CHUNKS];
    bool is_filled[N_CHUNKS];
    uint64_t marks[N_CHUNKS];
    size_t n_claimed, n_taken, n_used, n_freed;
    size_t item, segment; /* the next to claim */
    uint64_t at;
    bool stop;
    enum status status;
    struct error error;
    size_t failed_at; /* the first chunk that could not be read */
    unsigned n_reading;
    uint64_t reading_since_ns;
    double seconds;
};

/* The next piece of the plan; false at its end. Under the lock. */
static bool next_piece(struct load_reader *r, struct chunk *out)
{
    const struct load_plan *plan = r->plan;
    while (r->item < plan->n_items) {
        const struct item *item = &plan->items[r->item];
        if (r->segment == item->n_segments) {
            r->item++;
            r->segment = 0;
            continue;
        }
        uint64_t left = item->segments[r->segment].size_bytes - r->at;
        if (left == 0) {
            r->segment++;
            r->at = 0;
            continue;
        }
        *out = (struct chunk){.item = r->item,
                              .segment = r->segment,
                              .length = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES,
                              .at = r->at};
        r->at += out->length;
        return true;
    }
    return false;
}

/* What the chunk of that number is read into. */
static unsigned char *slot(const struct load_reader *r, size_t number)
{
    return r->slots + number % N_CHUNKS * SLOT_BYTES;
}

static void count_reading(struct load_reader *r, int change)
{
    if (r->n_reading == 0) r->reading_since_ns = clock_now_ns();
    r->n_reading += (unsigned)change;
    if (r->n_reading == 0) r->seconds += clock_seconds_since(r->reading_since_ns);
}

static void *run(void *argument)
{
    struct load_reader *r = argument;
    struct error err;
    struct chunk piece;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->n_claimed - r->n_freed == N_CHUNKS && !r->stop) pthread_cond_wait(&r->freed, &r->lock);
        if (r->stop || r->status != DOCKET_OK || !next_piece(r, &piece)) break;
        size_t number = r->n_claimed++;
        struct chunk *chunk = &r->ring[number % N_CHUNKS];
        *chunk = piece;
        count_reading(r, 1);
        pthread_mutex_unlock(&r->lock);
        const struct segment *s = &r->plan->items[piece.item].segments[piece.segment];
        err = (struct error){0};
        enum status st = tensor_read_direct(r->plan->files, s->tensor, s->at + piece.at, slot(r, number), piece.length,
                                            &chunk->bytes, &err);
        pthread_mutex_lock(&r->lock);
        count_reading(r, -1);
        if (st != DOCKET_OK && (r->status == DOCKET_OK || number < r->failed_at)) { /* the earliest is told */
            r->status = st;
            r->error = err;
            r->failed_at = number;
        }
        r->is_filled[number % N_CHUNKS] = st == DOCKET_OK;
        pthread_cond_broadcast(&r->filled);
    }
    pthread_cond_broadcast(&r->filled); /* there may be no more to wait for */
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

enum status load_reader_open(struct load_reader **out, struct load_plan *plan, const struct device *device,
                             struct error *err)
{
    struct kernels_description facts;
    struct kernels_error detail = {0};
    struct load_reader *r = mem_zalloc(1, sizeof(*r));
    if (!r) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for reading");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->filled, NULL);
    pthread_cond_init(&r->freed, NULL);
    r->plan = plan;
    r->device = device;
    device->backend->describe(device->handle, &facts);
    r->in_flight = facts.is_gpu ? IN_FLIGHT : 0;
    r->memory = device->backend->host_allocate(device->handle, N_CHUNKS * SLOT_BYTES + DIRECT_BLOCK, &detail);
    enum status st = r->memory ? DOCKET_OK
                               : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes of read buffers: %s",
                                      N_CHUNKS * SLOT_BYTES + DIRECT_BLOCK, detail.message);
    if (r->memory) r->slots = r->memory + (DIRECT_BLOCK - (uintptr_t)r->memory % DIRECT_BLOCK) % DIRECT_BLOCK;
    while (st == DOCKET_OK && r->n_threads < N_READERS && pthread_create(&r->threads[r->n_threads], NULL, run, r) == 0)
        r->n_threads++;
    if (st == DOCKET_OK && r->n_threads == 0)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start the reading thread");
    if (st == DOCKET_OK)
        *out = r;
    else
        load_reader_close(r, NULL, NULL);
    return st;
}

/* Waits, without the lock, until the oldest chunk in use is free. Under the lock. */
static enum kernels_status free_oldest(struct load_reader *r)
{
    const struct kernels_backend *b = r->device->backend;
    uint64_t mark = r->marks[r->n_freed % N_CHUNKS];
    pthread_mutex_unlock(&r->lock);
    enum kernels_status ks = b->wait(r->device->handle, mark);
    pthread_mutex_lock(&r->lock);
    r->is_filled[r->n_freed % N_CHUNKS] = false;
    r->n_freed++;
    pthread_cond_broadcast(&r->freed);
    return ks;
}

struct chunk *load_reader_next(struct load_reader *r)
{
    struct chunk *chunk = NULL;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        size_t number = r->n_taken;
        bool failed = r->status != DOCKET_OK && number >= r->failed_at;
        bool claimed = number < r->n_claimed, more = r->item < r->plan->n_items;
        if (failed || (!claimed && !more)) break;
        if (claimed && r->is_filled[number % N_CHUNKS]) {
            chunk = &r->ring[number % N_CHUNKS];
            r->n_taken++;
            break;
        }
        if (r->n_freed < r->n_used)
            free_oldest(r); /* there is time; what it fails with is told at the next write */
        else
            pthread_cond_wait(&r->filled, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return chunk;
}

enum kernels_status load_reader_used(struct load_reader *r)
{
    enum kernels_status ks = KERNELS_OK;
    uint64_t mark = r->device->backend->record(r->device->handle);
    pthread_mutex_lock(&r->lock);
    r->marks[r->n_used++ % N_CHUNKS] = mark;
    while (r->n_used - r->n_freed > r->in_flight && ks == KERNELS_OK) ks = free_oldest(r);
    pthread_mutex_unlock(&r->lock);
    return ks;
}

enum status load_reader_close(struct load_reader *r, double *seconds, struct error *err)
{
    if (!r) return DOCKET_OK;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->n_threads; i++) pthread_join(r->threads[i], NULL);
    const struct kernels_backend *b = r->device->backend;
    if (r->memory) b->wait(r->device->handle, b->record(r->device->handle));
    b->host_free(r->device->handle, r->memory);
    enum status st = r->status;
    if (st != DOCKET_OK && err) *err = r->error;
    if (seconds) *seconds = r->seconds;
    pthread_cond_destroy(&r->freed);
    pthread_cond_destroy(&r->filled);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
    return st;
}
