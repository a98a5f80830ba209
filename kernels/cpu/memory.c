/* memory.c: a CPU device's life: its memory and the count of it, buffers, scratch, parallel loops, failures.
 * Knows no operation. The only file of kernels/ that may reach the C library's allocator. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/cpu/device.h"

#define ALIGNMENT 64u
#define HUGE_PAGE ((size_t)2 << 20)

/* Lies in front of all that cpu_allocate gives; its size keeps that aligned. */
struct cpu_block {
    size_t size_bytes; /* with this header */
    struct cpu_block *previous, *next;
    struct cpu_block **list; /* NULL: not in one */
    char rest[ALIGNMENT - 4 * sizeof(void *)];
};

_Static_assert(sizeof(struct cpu_block) == ALIGNMENT, "the header keeps the alignment");

static void *default_allocate(void *context, size_t size_bytes)
{
    void *memory;

    (void)context;
    if (posix_memalign(&memory, size_bytes < HUGE_PAGE ? ALIGNMENT : HUGE_PAGE, size_bytes) != 0) return NULL;
    if (size_bytes >= HUGE_PAGE) (void)madvise(memory, size_bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return memory;
}

static void default_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static void default_parallel_for(void *context, size_t n_items, size_t grain, kernels_task task, void *task_context)
{
    (void)context;
    (void)grain;
    task(task_context, 0, n_items, 0);
}

static size_t round_up(size_t size_bytes)
{
    return (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t cpu_allocated_bytes(size_t size_bytes)
{
    return round_up(size_bytes) + sizeof(struct cpu_block);
}

void *cpu_allocate(struct kernels_device *device, size_t size_bytes)
{
    struct cpu_block *block;
    size_t whole;

    if (size_bytes > SIZE_MAX / 2) return NULL;
    whole = cpu_allocated_bytes(size_bytes);
    if ((block = device->options.allocate(device->options.context, whole)) == NULL) return NULL;
    *block = (struct cpu_block){.size_bytes = whole};
    device->used.used_bytes += whole;
    if (device->used.used_bytes > device->used.peak_bytes) device->used.peak_bytes = device->used.used_bytes;
    return block + 1;
}

static void link_block(struct cpu_block **list, void *memory)
{
    struct cpu_block *block = (struct cpu_block *)memory - 1;

    block->list = list;
    block->next = *list;
    if (*list) (*list)->previous = block;
    *list = block;
}

void cpu_release(struct kernels_device *device, void *memory)
{
    struct cpu_block *block;

    if (memory == NULL) return;
    block = (struct cpu_block *)memory - 1;
    if (block->list) {
        if (block->previous)
            block->previous->next = block->next;
        else
            *block->list = block->next;
        if (block->next) block->next->previous = block->previous;
    }
    device->used.used_bytes -= block->size_bytes;
    device->options.release(device->options.context, block);
}

void *cpu_scratch(struct kernels_device *device, enum cpu_scratch which, size_t size_bytes)
{
    void *bigger;

    if (size_bytes <= device->scratch[which].size_bytes && device->scratch[which].data != NULL)
        return device->scratch[which].data;
    cpu_release(device, device->scratch[which].data); /* first, so that both need not fit */
    device->scratch[which].data = NULL;
    device->scratch[which].size_bytes = 0;
    if ((bigger = cpu_allocate(device, size_bytes)) == NULL) return NULL;
    device->scratch[which].data = bigger;
    device->scratch[which].size_bytes = size_bytes;
    return bigger;
}

struct kernels_device *cpu_device_open(const struct kernels_backend *backend, const struct kernels_options *options,
                                       struct kernels_error *error)
{
    struct kernels_options with = options ? *options : (struct kernels_options){0};
    struct kernels_device *device;

    if ((with.allocate == NULL) != (with.release == NULL)) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "options: allocate and release: want both or neither");
        return NULL;
    }
    if (with.allocate == NULL) with.allocate = default_allocate, with.release = default_release;
    if (with.parallel_for == NULL) with.parallel_for = default_parallel_for, with.n_workers = 1;
    if (with.n_workers == 0) with.n_workers = 1;
    with.cpu_isa = NULL;
    if ((device = with.allocate(with.context, round_up(sizeof *device))) == NULL) {
        kernels_fail(error, KERNELS_NO_MEMORY, "device: no memory for %zu bytes", sizeof *device);
        return NULL;
    }
    memset(device, 0, sizeof *device);
    device->backend = backend;
    device->options = with;
    return device;
}

void cpu_close(struct kernels_device *device)
{
    if (device == NULL) return;
    while (device->batches) cpu_batch_free(device, (struct kernels_batch *)(void *)(device->batches + 1));
    while (device->buffers) cpu_release(device, device->buffers + 1);
    for (size_t i = 0; i < CPU_N_SCRATCH; i++) cpu_release(device, device->scratch[i].data);
    device->options.release(device->options.context, device);
}

void cpu_memory(const struct kernels_device *device, struct kernels_memory *out)
{
    long page = sysconf(_SC_PAGESIZE), pages = sysconf(_SC_PHYS_PAGES), available = sysconf(_SC_AVPHYS_PAGES);

    *out = device->used;
    out->total_bytes = page > 0 && pages > 0 ? (size_t)page * (size_t)pages : 0;
    out->free_bytes = page > 0 && available > 0 ? (size_t)page * (size_t)available : 0;
}

void cpu_parallel(struct kernels_device *device, size_t n_items, size_t grain, kernels_task task, void *context)
{
    if (n_items == 0) return;
    if (grain == 0) grain = 1;
    if (n_items <= grain || device->options.n_workers == 1)
        task(context, 0, n_items, 0);
    else
        device->options.parallel_for(device->options.context, n_items, grain, task, context);
}

void *cpu_buffer_allocate(struct kernels_device *device, size_t size_bytes, struct kernels_error *error)
{
    void *buffer = cpu_allocate(device, size_bytes);

    if (buffer == NULL)
        kernels_fail(error, KERNELS_NO_MEMORY, "buffer: no memory for %zu bytes", size_bytes);
    else
        link_block(&device->buffers, buffer);
    return buffer;
}

void cpu_buffer_free(struct kernels_device *device, void *buffer)
{
    cpu_release(device, buffer);
}

struct kernels_batch *cpu_batch_memory(struct kernels_device *device, size_t size_bytes)
{
    void *memory = cpu_allocate(device, size_bytes);

    if (memory) link_block(&device->batches, memory);
    return memory;
}

enum kernels_status cpu_copy(struct kernels_device *device, void *to, const void *from, size_t size_bytes)
{
    if (size_bytes && (to == NULL || from == NULL))
        return cpu_fail(device, KERNELS_BAD_SHAPE, "copy: an address is NULL");
    if (size_bytes) memcpy(to, from, size_bytes);
    return KERNELS_OK;
}

enum kernels_status cpu_fail(struct kernels_device *device, enum kernels_status status, const char *format, ...)
{
    va_list arguments;

    if (device->failure.code != KERNELS_OK) return status;
    device->failure.code = status;
    va_start(arguments, format);
    vsnprintf(device->failure.message, sizeof device->failure.message, format, arguments);
    va_end(arguments);
    return status;
}

/* There is nothing between a call and its work that could be recorded. */
enum kernels_status cpu_step_begin(struct kernels_device *device, const struct kernels_step *step, bool *done)
{
    (void)device;
    (void)step;
    *done = false;
    return KERNELS_OK;
}

enum kernels_status cpu_step_end(struct kernels_device *device, bool *again)
{
    (void)device;
    *again = false;
    return KERNELS_OK;
}

/* Every call returns when its work is done, so there is never anything to wait for. */
uint64_t cpu_record(struct kernels_device *device)
{
    (void)device;
    return 1;
}

enum kernels_status cpu_wait(struct kernels_device *device, uint64_t mark)
{
    (void)device;
    (void)mark;
    return KERNELS_OK;
}

enum kernels_status cpu_synchronize(struct kernels_device *device, struct kernels_error *error)
{
    enum kernels_status status = device->failure.code;

    if (status != KERNELS_OK && error != NULL) *error = device->failure;
    device->failure = (struct kernels_error){0};
    return status;
}
