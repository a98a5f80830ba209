/* backend_cpu.c: the table of the fast CPU backend: opens a device with the best inner loops there are, and takes its
 * scratch beforehand. Knows neither instruction sets nor threads. */
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/linear.h"

static struct kernels_device *fast_open(const struct kernels_options *options, struct kernels_error *error)
{
    static const char *const names[] = {"any arithmetic", "bf16", "f32", "int8", "int16"};
    enum kernels_arithmetic arithmetic = options ? options->arithmetic : KERNELS_ARITHMETIC_AUTO;
    const char *name = options && options->cpu_isa ? options->cpu_isa : "auto";
    struct kernels_device *device;
    struct cpu_choice choice;

    if ((unsigned)arithmetic > KERNELS_ARITHMETIC_INT16) {
        kernels_fail(error, KERNELS_BAD_SHAPE, "arithmetic: %d is unknown", (int)arithmetic);
        return NULL;
    }
    if (!cpu_choose(name, arithmetic, &choice)) {
        if (choice.failed && (strcmp(name, "auto") == 0 || strcmp(name, choice.failed->name) == 0))
            kernels_fail(error, KERNELS_UNSUPPORTED, "cpu_isa: %s for %s: the processor shows %s, but %s", name,
                         names[arithmetic], choice.failed->name, choice.reason);
        else
            kernels_fail(error, KERNELS_UNSUPPORTED,
                         "cpu_isa: want auto, reference, avx2, avx512, avx512_bf16, amx_bf16, for int8 avx2, "
                         "avx512_vnni or amx_int8, for int16 avx2, on a processor that has it, got %s for %s",
                         name, names[arithmetic]);
        return NULL;
    }
    if ((device = cpu_device_open(&cpu_backend, options, error)) == NULL) return NULL;
    device->isa = choice.isa;
    device->core = choice.core;
    device->failed_core = choice.failed;
    device->failed_reason = choice.reason;
    return device;
}

static void fast_describe(const struct kernels_device *device, struct kernels_description *out)
{
    *out = (struct kernels_description){0};
    cpu_isa_processor_name(out->name, sizeof out->name);
    snprintf(out->variant, sizeof out->variant, "%s", device->core ? device->core->name : device->isa->name);
    if (device->failed_core)
        snprintf(out->passed_over, sizeof out->passed_over, "%s: %s", device->failed_core->name, device->failed_reason);
    snprintf(out->arithmetic, sizeof out->arithmetic, "%s", device->core ? device->core->arithmetic : "f32");
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* False if the limits cannot be. */
static bool scratch_sizes(const struct kernels_device *device, const struct kernels_limits *limits,
                          size_t sizes[CPU_N_SCRATCH])
{
    size_t top_k, pairs, widest, workers = device->options.n_workers;

    if (limits == NULL || limits->max_rows > INT32_MAX || limits->top_k > KERNELS_MAX_TOP_K ||
        limits->dim > INT32_MAX || limits->ffn_dim > INT32_MAX || limits->n_experts > KERNELS_MAX_EXPERTS ||
        limits->n_heads > 4096 || limits->head_size > KERNELS_MAX_HEAD_SIZE)
        return false;
    top_k = limits->top_k ? limits->top_k : 1;
    pairs = limits->max_rows * top_k;
    widest = larger(limits->dim, limits->n_heads * limits->head_size);
    sizes[CPU_SCRATCH_ROWS] = larger(larger(limits->max_rows * cpu_row_stride(widest, limits->has_int8),
                                            pairs * cpu_row_stride(limits->dim, limits->has_int8)) *
                                         sizeof(float),
                                     workers * cpu_attention_tree_bytes(limits->max_rows));
    sizes[CPU_SCRATCH_HIDDEN] = pairs * cpu_row_stride(limits->ffn_dim, limits->has_int8) * sizeof(float);
    sizes[CPU_SCRATCH_RESULTS] = larger(pairs * limits->dim, limits->max_rows * limits->n_experts) * sizeof(float);
    sizes[CPU_SCRATCH_WORKERS] =
        workers * larger(larger(sizeof(struct cpu_worker), device->core ? sizeof(struct core_worker) : 0),
                         cpu_attention_worker_bytes());
    sizes[CPU_SCRATCH_PLAN] =
        larger(cpu_expert_plan_bytes(limits->max_rows, top_k), cpu_attention_plan_bytes(limits->max_rows));
    return true;
}

static enum kernels_status fast_reserve(struct kernels_device *device, const struct kernels_limits *limits,
                                        struct kernels_error *error)
{
    size_t sizes[CPU_N_SCRATCH];

    if (!scratch_sizes(device, limits, sizes))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "reserve: limits: cannot be");
    for (int i = 0; i < CPU_N_SCRATCH; i++)
        if (cpu_scratch(device, (enum cpu_scratch)i, sizes[i]) == NULL)
            return kernels_fail(error, KERNELS_NO_MEMORY, "reserve: no memory for %zu bytes of scratch", sizes[i]);
    return KERNELS_OK;
}

static size_t fast_scratch_size(const struct kernels_device *device, const struct kernels_limits *limits)
{
    size_t sizes[CPU_N_SCRATCH], all;

    if (!scratch_sizes(device, limits, sizes)) return 0;
    all = cpu_batch_size(limits->max_rows, limits->max_sequences);
    for (int i = 0; i < CPU_N_SCRATCH; i++) all += cpu_allocated_bytes(sizes[i]);
    return all;
}

const struct kernels_backend cpu_backend = {
    .abi = KERNELS_ABI,
    .size = sizeof(struct kernels_backend),
    .name = "cpu",
    .open = fast_open,
    .close = cpu_close,
    .describe = fast_describe,
    .memory = cpu_memory,
    .reserve = fast_reserve,
    .scratch_size = fast_scratch_size,
    CPU_SHARED_ENTRIES,
    .embed = cpu_embed,
    .rmsnorm = cpu_rmsnorm,
    .linear = cpu_linear,
    .rope_kv = cpu_rope_kv,
    .attention = cpu_attention,
    .route = cpu_route,
    .expert_ffn = cpu_expert_ffn,
    .add = cpu_add,
    .gather_rows = cpu_gather_rows,
    .gather_logits = cpu_gather_logits,
};
