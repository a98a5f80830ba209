/* bench_measure.c: rounds of a piece of work, each right behind a short look at what the machine can do at that moment. */
#include "handlers/tools/bench.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SLICE_ROUNDS 1500000 /* of multiply-adds: some milliseconds */
#define READ_BYTES   (512 * MIB)
#define TINY_BYTES   (64 * MIB) /* no cache of two cores holds it */
#define READ_PIECE   MIB
#define READS        3 /* the best of so many: neighbours read too */
#define MOST_ROUNDS  200
#define FIRST_LOOKS  5    /* rounds that are each looked at beside the ceilings; then looks come only so often */
#define LOOK_SECONDS 0.02 /* of work */
#define PRODUCTS_OF  8192 /* rows and columns */
#define COPY_BYTES   (2 * GIB)

struct moment {
    uint64_t wall_ns;
    double processor;
};

static struct moment moment_now(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct moment){clock_now_ns(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

/* Keeps the best. Processor time is that of all threads; the rate is of all of them together. */
static void take_rate(struct bench_rate *best, const struct bench *b, const struct moment *begin, double amount,
                      double *wall_seconds)
{
    struct moment end = moment_now();
    double wall = (double)(end.wall_ns - begin->wall_ns) / 1e9, used = end.processor - begin->processor;
    if (wall > 0 && amount / wall > best->wall) best->wall = amount / wall;
    if (wall_seconds) *wall_seconds = wall;
    if (b->is_gpu || used <= 0) return;
    double rate = amount * (double)pool_threads(b->device->pool) / used;
    if (rate > best->processor) best->processor = rate;
}

/* --- ceilings of a CPU --- */

struct slice {
    enum ceiling ceiling;
    size_t n_rounds;
    const unsigned char *memory;
    atomic_uint_least64_t operations, sum, processor_ns;
};

/* Of this thread alone: short slices end before other threads have stopped to look for work, and that is not counted. */
static uint64_t thread_ns(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void multiply_slice(void *context, size_t begin, size_t end, unsigned worker)
{
    struct slice *s = context;
    uint64_t from = thread_ns();
    (void)worker;
    for (size_t i = begin; i < end; i++) s->operations += (uint64_t)ceiling_multiply(s->ceiling, s->n_rounds);
    s->processor_ns += thread_ns() - from;
}

static void read_slice(void *context, size_t begin, size_t end, unsigned worker)
{
    struct slice *s = context;
    uint64_t from = thread_ns();
    (void)worker;
    s->sum += ceiling_read(s->memory + begin * READ_PIECE, (end - begin) * READ_PIECE);
    s->processor_ns += thread_ns() - from;
}

static void take_slice(struct bench_rate *best, const struct bench *b, const struct slice *s, uint64_t begin_ns,
                       double amount)
{
    double wall = clock_seconds_since(begin_ns), used = (double)s->processor_ns / 1e9;
    if (wall > 0 && amount / wall > best->wall) best->wall = amount / wall;
    double rate = used > 0 ? amount * (double)pool_threads(b->device->pool) / used : 0;
    if (rate > best->processor) best->processor = rate;
}

static void look_at_processor(struct bench *b, struct bench_row *row, bool computes, bool reads)
{
    unsigned n = pool_threads(b->device->pool);
    for (int i = 0; computes && i < N_CEILINGS; i++) {
        struct slice s = {.ceiling = (enum ceiling)i, .n_rounds = b->tiny ? SLICE_ROUNDS / 4 : SLICE_ROUNDS};
        if (!ceiling_can(s.ceiling)) continue;
        uint64_t begin_ns = clock_now_ns();
        pool_for(b->device->pool, n, 1, multiply_slice, &s);
        take_slice(&row->ceilings[i], b, &s, begin_ns, (double)s.operations);
    }
    for (int i = 0; reads && b->memory && i < READS; i++) {
        struct slice s = {.memory = b->memory};
        uint64_t begin_ns = clock_now_ns();
        pool_for(b->device->pool, b->memory_bytes / READ_PIECE, 16, read_slice, &s);
        take_slice(&row->ceilings[BENCH_READ], b, &s, begin_ns, (double)b->memory_bytes);
    }
}

/* --- ceilings of a GPU, where the caller has no better ones: rows copied by the backend, its own product of bf16 --- */

static enum kernels_status copy_rows(const struct bench *b, size_t size_bytes, double *rate)
{
    enum { COLS = 4096, ROUNDS = 4 };
    const struct kernels_backend *t = b->device->backend;
    size_t rows = size_bytes / (COLS * sizeof(float)) + 1;
    float *from = t->buffer_allocate(b->device->handle, rows * COLS * sizeof(float), NULL);
    float *to = t->buffer_allocate(b->device->handle, rows * COLS * sizeof(float), NULL);
    uint32_t *numbers = mem_alloc(rows * sizeof(*numbers));
    enum kernels_status ks = from && to && numbers ? KERNELS_OK : KERNELS_NO_MEMORY;
    for (size_t i = 0; numbers && i < rows; i++) numbers[i] = (uint32_t)i;
    const struct kernels_gather_rows args = {.x = from, .out = to, .n_rows = rows, .cols = COLS, .rows = numbers};
    for (int i = 0; i < ROUNDS && ks == KERNELS_OK; i++) {
        uint64_t begin = clock_now_ns();
        ks = t->gather_rows(b->device->handle, &args);
        if (ks == KERNELS_OK) ks = t->synchronize(b->device->handle, NULL);
        double found = 2.0 * (double)rows * COLS * sizeof(float) / clock_seconds_since(begin);
        if (i > 0 && found > *rate) *rate = found;
    }
    if (from) t->buffer_free(b->device->handle, from);
    if (to) t->buffer_free(b->device->handle, to);
    mem_free(numbers);
    return ks;
}

static struct kernels_weight *square(const struct bench *b, size_t n)
{
    const struct kernels_backend *t = b->device->backend;
    const struct kernels_weight_desc desc = {KERNELS_BF16, n, n};
    const size_t piece = 4096 * 16384u, count = n * n;
    uint16_t *values = mem_zalloc(count < piece ? count : piece, sizeof(*values));
    struct kernels_weight *weight = values ? t->weight_begin(b->device->handle, &desc, NULL) : NULL;
    enum kernels_status ks = KERNELS_OK;
    for (size_t i = 0; values && i < (count < piece ? count : piece); i++) values[i] = (uint16_t)(0x3c00 + i % 256);
    for (size_t at = 0; weight && at < count && ks == KERNELS_OK; at += piece)
        ks = t->weight_write(b->device->handle, weight, KERNELS_BF16, values, count - at < piece ? count - at : piece,
                             NULL);
    if (weight && ks == KERNELS_OK) ks = t->weight_finish(b->device->handle, weight, NULL);
    if (weight) t->synchronize(b->device->handle, NULL);
    if (weight && ks != KERNELS_OK) {
        t->weight_free(b->device->handle, weight);
        weight = NULL;
    }
    mem_free(values);
    return weight;
}

static void multiply_squares(const struct bench *b, size_t n, double *rate)
{
    const struct kernels_backend *t = b->device->backend;
    struct kernels_weight *weight = square(b, n);
    float *x = t->buffer_allocate(b->device->handle, n * n * sizeof(float), NULL);
    float *out = t->buffer_allocate(b->device->handle, n * n * sizeof(float), NULL);
    const struct kernels_linear args = {.x = x, .weight = weight, .out = out, .n_rows = n};
    bool good = weight && x && out;
    for (int i = 0; i < 6 && good; i++) {
        uint64_t begin = clock_now_ns();
        good =
            t->linear(b->device->handle, &args) == KERNELS_OK && t->synchronize(b->device->handle, NULL) == KERNELS_OK;
        double found = 2.0 * (double)n * (double)n * (double)n / clock_seconds_since(begin);
        if (good && i > 0 && found > *rate) *rate = found;
    }
    if (x) t->buffer_free(b->device->handle, x);
    if (out) t->buffer_free(b->device->handle, out);
    if (weight) t->weight_free(b->device->handle, weight);
}

static void look_at_gpu(struct bench *b)
{
    size_t n = b->tiny ? 64 : PRODUCTS_OF, bytes = b->tiny ? MIB : COPY_BYTES;
    double *copy = &b->device_ceilings[0].wall, *products = &b->device_ceilings[1].wall;
    if (b->options.device_copy) *copy = b->options.device_copy(bytes);
    if (b->options.device_products) *products = b->options.device_products(n);
    b->report->products_name = *products > 0 ? "bf16 product of the GPU's own library" : "the backend's bf16 product";
    /* Beside a large model there may be room for a smaller one only. */
    for (; *copy <= 0 && bytes >= MIB; bytes /= 8) copy_rows(b, bytes, copy);
    for (; *products <= 0 && n >= 64; n /= 2) multiply_squares(b, n, products);
}

/* --- rows --- */

void bench_card_memory(struct bench *b, const struct device *device, uint64_t *used_bytes, uint64_t *total_bytes)
{
    struct kernels_description facts;
    struct kernels_memory memory;
    struct gpu_reading now;
    struct error none;
    device->backend->describe(device->handle, &facts);
    if (facts.is_gpu && !b->stats) gpu_stats_open(&b->stats, b->options.nvml_library, facts.bus_id, &none);
    gpu_stats_read(b->stats, &now);
    *used_bytes = now.memory_used_bytes;
    *total_bytes = now.memory_total_bytes;
    if (!facts.is_gpu || *total_bytes != GPU_UNKNOWN) return;
    device->backend->memory(device->handle, &memory); /* without NVML the runtime is asked */
    if (!memory.total_bytes || !memory.free_bytes) return;
    *used_bytes = memory.total_bytes - memory.free_bytes;
    *total_bytes = memory.total_bytes;
}

enum status bench_open(struct bench *b, struct error *err)
{
    struct kernels_description facts;
    b->device->backend->describe(b->device->handle, &facts);
    b->is_gpu = facts.is_gpu;
    b->tiny = b->config->dim < 256;
    snprintf(b->report->device, sizeof(b->report->device), "%s", facts.name);
    snprintf(b->report->variant, sizeof(b->report->variant), "%s", facts.variant);
    snprintf(b->report->arithmetic, sizeof(b->report->arithmetic), "%s", facts.arithmetic);
    b->report->is_gpu = facts.is_gpu;
    b->report->driver_used_bytes = b->report->driver_total_bytes = GPU_UNKNOWN;
    b->report->n_threads = pool_threads(b->device->pool);
    b->report->n_layers = b->config->n_layers;
    b->report->parameters_a_token = bench_parameters_a_token(b->config);
    if (facts.is_gpu) {
        bench_card_memory(b, b->device, &b->report->driver_used_bytes, &b->report->driver_total_bytes);
        look_at_gpu(b);
        return DOCKET_OK;
    }
    b->memory_bytes = b->tiny ? TINY_BYTES : READ_BYTES;
    while (b->memory_bytes > memory_available(NULL) / 8 && b->memory_bytes > 16 * MIB) b->memory_bytes /= 2;
    b->memory = mem_alloc_aligned(b->memory_bytes, 4096);
    if (!b->memory) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for %zu bytes to read", b->memory_bytes);
    memset(b->memory, 1, b->memory_bytes);
    return DOCKET_OK;
}

void bench_close(struct bench *b)
{
    mem_free(b->memory);
    b->memory = NULL;
    gpu_stats_close(b->stats);
    b->stats = NULL;
}

bool bench_stopped(const struct bench *b)
{
    bool stopped = b->options.stop && atomic_load(b->options.stop);
    if (stopped) b->report->interrupted = true;
    return stopped;
}

bool bench_wants(const struct bench *b, const char *step)
{
    size_t length = strlen(step);
    if (bench_stopped(b)) return false;
    if (!b->options.only) return true;
    for (const char *p = b->options.only; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == length && memcmp(p, step, n) == 0) return true;
        p += n;
    }
    return false;
}

int32_t bench_token(const struct bench *b, uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int32_t)((*state >> 33) % b->config->vocab);
}

static struct bench_row *new_row(struct bench *b, const char *step)
{
    if (b->report->n_rows == BENCH_MAX_ROWS) return NULL;
    struct bench_row *row = &b->report->rows[b->report->n_rows++];
    *row = (struct bench_row){0};
    snprintf(row->step, sizeof(row->step), "%s", step);
    return row;
}

static void keep_ceilings(struct bench *b, struct bench_row *row, bool computes, bool reads)
{
    if (b->is_gpu && reads) row->ceilings[BENCH_READ] = b->device_ceilings[0];
    if (b->is_gpu && computes) row->ceilings[BENCH_PRODUCTS] = b->device_ceilings[1];
    for (int i = 0; i < N_BENCH_CEILINGS; i++) {
        struct bench_rate *best = &b->report->ceilings[i], *found = &row->ceilings[i];
        if (found->wall > best->wall) best->wall = found->wall;
        if (found->processor > best->processor) best->processor = found->processor;
    }
}

struct bench_row *bench_measure(struct bench *b, const char *step, const struct bench_work *work, const char *what, ...)
{
    struct error err = {0};
    va_list args;
    if (bench_stopped(b)) return NULL;
    struct bench_row *row = new_row(b, step);
    if (!row) return NULL;
    va_start(args, what);
    vsnprintf(row->what, sizeof(row->what), what, args);
    va_end(args);
    row->unit = work->unit;
    if (b->options.shows_progress) fprintf(stderr, "\r\033[K%s: %s …", step, row->what);
    bool computes = work->operations > 0, reads = work->bytes > 0, warm = false;
    double spent = 0, all = 0, looked_at = 0;
    struct gpu_reading before, after;
    gpu_stats_read(b->stats, &before);
    while (row->n_rounds < MOST_ROUNDS && (row->n_rounds == 0 || spent < b->options.seconds) && !bench_stopped(b)) {
        struct bench_rate rate = {0};
        double amount = 0, wall = 0;
        if (!b->is_gpu && (row->n_rounds < FIRST_LOOKS || spent - looked_at > LOOK_SECONDS)) {
            look_at_processor(b, row, computes, reads);
            looked_at = spent;
        }
        struct moment begin = moment_now();
        enum status st = work->run(work->context, &amount, &err);
        if (st != DOCKET_OK) {
            snprintf(row->problem, sizeof(row->problem), "%s", err.message);
            break;
        }
        take_rate(&rate, b, &begin, amount, &wall);
        spent += wall;
        all += amount;
        /* The first round warms up, unless it is so long that it has done so by itself. */
        if (!warm && wall < b->options.seconds / 3) {
            warm = true;
            continue;
        }
        warm = true;
        row->n_rounds++;
        if (rate.wall > row->rate.wall) {
            row->rate.wall = rate.wall;
            row->seconds = wall;
            row->amount = amount;
            row->operations = work->operations;
            row->bytes = work->bytes;
        }
        if (rate.processor > row->rate.processor) row->rate.processor = rate.processor;
    }
    if (!b->is_gpu && row->n_rounds > 0) look_at_processor(b, row, false, reads);
    if (row->n_rounds == 0 && !row->problem[0]) snprintf(row->problem, sizeof(row->problem), "interrupted");
    if (b->options.shows_progress) fputs("\r\033[K", stderr);
    gpu_stats_read(b->stats, &after);
    double joules = after.energy_joules - before.energy_joules;
    if (isfinite(joules) && joules > 0 && all > 0) row->joules = joules / all;
    keep_ceilings(b, row, computes, reads);
    return row;
}

void bench_impossible(struct bench *b, const char *step, const char *why, ...)
{
    va_list args;
    struct bench_row *row = bench_stopped(b) ? NULL : new_row(b, step);
    if (!row) return;
    va_start(args, why);
    vsnprintf(row->problem, sizeof(row->problem), why, args);
    va_end(args);
}
