/* kv_slots.c: a sorted list of free ranges. */
#include "worker/model/kv_slots.h"

#include "worker/base/alloc.h"

#include <assert.h>
#include <string.h>

bool kv_slots_init(struct kv_slots *slots, size_t n_slots, size_t max_ranges)
{
    *slots = (struct kv_slots){.capacity = max_ranges + 1, .n_free = n_slots};
    slots->gaps = mem_zalloc(slots->capacity, sizeof(*slots->gaps));
    if (!slots->gaps) return false;
    slots->gaps[0] = (struct kv_gap){0, (uint32_t)n_slots};
    slots->n_gaps = n_slots > 0;
    return true;
}

void kv_slots_free(struct kv_slots *slots)
{
    mem_free(slots->gaps);
    *slots = (struct kv_slots){0};
}

bool kv_slots_take(struct kv_slots *slots, size_t n, uint32_t *first)
{
    for (size_t i = 0; i < slots->n_gaps; i++) {
        struct kv_gap *gap = &slots->gaps[i];
        if (gap->n < n) continue;
        *first = gap->first;
        gap->first += (uint32_t)n;
        gap->n -= (uint32_t)n;
        slots->n_free -= n;
        if (gap->n == 0) memmove(gap, gap + 1, (--slots->n_gaps - i) * sizeof(*gap));
        return true;
    }
    return false;
}

void kv_slots_give(struct kv_slots *slots, uint32_t first, size_t n)
{
    size_t i = 0;
    if (n == 0) return;
    while (i < slots->n_gaps && slots->gaps[i].first < first) i++;
    slots->n_free += n;
    struct kv_gap *before = i > 0 ? &slots->gaps[i - 1] : NULL, *after = i < slots->n_gaps ? &slots->gaps[i] : NULL;
    bool joins_before = before && before->first + before->n == first;
    bool joins_after = after && first + n == after->first;
    if (joins_before && joins_after) {
        before->n += (uint32_t)n + after->n;
        memmove(after, after + 1, (--slots->n_gaps - i) * sizeof(*after));
    } else if (joins_before)
        before->n += (uint32_t)n;
    else if (joins_after) {
        after->first = first;
        after->n += (uint32_t)n;
    } else {
        assert(slots->n_gaps < slots->capacity);
        memmove(&slots->gaps[i + 1], &slots->gaps[i], (slots->n_gaps++ - i) * sizeof(*slots->gaps));
        slots->gaps[i] = (struct kv_gap){first, (uint32_t)n};
    }
}
