/* kv_slots.h: which slots of the key/value cache are taken: contiguous ranges, first fit. Knows no tokens. */
#ifndef DOCKET_MODEL_KV_SLOTS_H
#define DOCKET_MODEL_KV_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kv_slots {
    struct kv_gap {
        uint32_t first, n;
    } * gaps; /* free ranges, ascending, never touching */
    size_t n_gaps, capacity, n_free;
};

bool kv_slots_init(struct kv_slots *slots, size_t n_slots, size_t max_ranges); /* false: no memory */
void kv_slots_free(struct kv_slots *slots);
/* At most max_ranges may be taken at a time. false: no gap of that size. */
bool kv_slots_take(struct kv_slots *slots, size_t n, uint32_t *first);
void kv_slots_give(struct kv_slots *slots, uint32_t first, size_t n);

#endif
