/* bench_memory.c: the bytes that the plan predicted beside those that the device counted. */
#include "handlers/tools/bench.h"

#include "worker/model/plan.h"

static void add(struct bench_report *r, const char *what, uint64_t planned, uint64_t found)
{
    if (r->n_memory < sizeof(r->memory) / sizeof(r->memory[0]))
        r->memory[r->n_memory++] = (struct bench_memory){what, planned, found};
}

enum status bench_plan(struct bench_report *report, const struct device *device, const struct model_config *config,
                       const struct quantization *quantization, enum kv_format kv, const struct engine_options *engine,
                       uint64_t weight_bytes, uint64_t weights_found, uint64_t all_found, struct error *err)
{
    struct plan_sizes sizes;
    struct transformer_limits limits;
    enum status st = plan_weights(&sizes, config, quantization, err);
    if (st != DOCKET_OK) return st;
    report->parameters = sizes.parameters;
    engine_limits(config, engine, &limits);
    uint64_t cache = plan_kv_bytes(config, kv, &limits, config->n_layers);
    struct kernels_limits kernels;
    bool has_int8 = false;
    for (int i = 0; i < N_MODEL_PARTS; i++) has_int8 = has_int8 || quantization->part[i] == QUANTIZE_INT8;
    transformer_kernels_limits(&kernels, config, &limits, has_int8);
    struct kernels_description facts;
    device->backend->describe(device->handle, &facts);
    uint64_t scratch = device->backend->scratch_size(device->handle, &kernels);
    if (facts.is_gpu) scratch += transformer_last_batch_size(&limits);
    uint64_t pass = cache + transformer_activation_size(config, &limits) + scratch;
    uint64_t rest = weights_found && all_found > weights_found ? all_found - weights_found : 0; /* 0: not told apart */
    add(report, "weights, canonical form", sizes.bytes, weights_found);
    add(report, "weights, the device's form", weight_bytes, weights_found);
    add(report, "cache, activations, scratch", pass, rest);
    add(report, "all", weight_bytes + transformer_size(device, config, &limits) + scratch, all_found);
    return DOCKET_OK;
}
