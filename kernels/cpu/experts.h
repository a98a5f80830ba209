/* experts.h: which rows go to which expert, and in what pieces the work of all experts is done: shared by the feed-forward in
 * f32 (moe.c) and that of a core (core_experts.c). */
#ifndef DOCKET_KERNELS_CPU_EXPERTS_H
#define DOCKET_KERNELS_CPU_EXPERTS_H

#include "kernels/cpu/device.h"

/* A pair is a row with one of its experts. */
struct expert_plan {
    const struct cpu_isa *isa;
    const struct kernels_expert_ffn *args;
    size_t k, f, top_k, n_experts;
    size_t panel, row_block; /* outputs and pairs of one item of work */
    float *results;          /* [pairs, k], sorted by expert */
    uint32_t *row_of;        /* [pairs]: row of a sorted pair */
    uint32_t *place_of;      /* [m, t]: where a row's pair is in that order */
    size_t first_pair[KERNELS_MAX_EXPERTS + 1];
    size_t first_item[KERNELS_MAX_EXPERTS + 1]; /* of the stage that runs */
};

/* Pairs [first_pair, first_pair + m) and outputs [first, first + n) of one expert. */
struct expert_item {
    size_t expert, first_pair, m, first, n;
};

/* Sorts the pairs by expert; false without memory. */
bool cpu_experts_plan(struct kernels_device *device, struct expert_plan *plan, const struct kernels_expert_ffn *args,
                      size_t panel, size_t row_block);
/* Items of a stage of n outputs; returns how many. */
size_t cpu_experts_items(struct expert_plan *plan, size_t n);
struct expert_item cpu_experts_find(const struct expert_plan *plan, size_t item, size_t n);
/* Each row adds its experts' results in the order of its ids. */
void cpu_experts_add(struct kernels_device *device, const struct expert_plan *plan);

/* The whole operation through device->core, which takes all of the weights; arguments are checked. */
enum kernels_status cpu_core_expert_ffn(struct kernels_device *device, const struct kernels_expert_ffn *args);

#endif
