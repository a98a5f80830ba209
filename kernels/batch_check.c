/* batch_check.c: refuses a packed batch whose rows, ranges or parents contradict each other. Knows no cache and no device. */
#include "kernels/batch_check.h"

#include "kernels/error.h"

static bool range_wraps(const struct kernels_range *range)
{
    return range->n_slots > UINT32_MAX - range->first_slot || range->first_position > INT32_MAX ||
           range->n_slots > INT32_MAX - range->first_position;
}

static enum kernels_status check_own(const struct kernels_batch_desc *desc, size_t at, struct kernels_error *error)
{
    const struct kernels_sequence *s = &desc->sequences[at];

    if (s->own.n_slots < s->n_rows || (s->parent != NULL && s->own.n_slots != s->n_rows))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "sequences[%zu].own.n_slots: %u do not hold %u new rows%s", at,
                            s->own.n_slots, s->n_rows, s->parent ? " of a tree, and no others" : "");
    for (uint32_t i = 0; i < s->n_rows; i++) {
        uint32_t place = s->own.n_slots - s->n_rows + i;
        size_t row = (size_t)s->first_row + i;
        if (desc->slots[row] != s->own.first_slot + place)
            return kernels_fail(error, KERNELS_BAD_SHAPE, "slots[%zu]: want %u of sequence %zu, got %u", row,
                                s->own.first_slot + place, at, desc->slots[row]);
        if (s->parent == NULL && (uint32_t)desc->positions[row] != s->own.first_position + place)
            return kernels_fail(error, KERNELS_BAD_SHAPE, "positions[%zu]: want %u of sequence %zu, got %d", row,
                                s->own.first_position + place, at, desc->positions[row]);
        if (s->parent != NULL && (s->parent[i] < -1 || s->parent[i] >= (int32_t)i))
            return kernels_fail(error, KERNELS_BAD_SHAPE,
                                "sequences[%zu].parent[%u]: want -1 or an earlier row, got %d", at, i, s->parent[i]);
    }
    return KERNELS_OK;
}

enum kernels_status kernels_check_batch(const struct kernels_batch_desc *desc, size_t max_rows, size_t max_sequences,
                                        size_t *slots_end, size_t *most_visible, struct kernels_error *error)
{
    size_t end = 0, most = 0, next_row = 0;
    enum kernels_status status;

    if (desc == NULL || desc->n_rows > max_rows || desc->n_sequences > max_sequences)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "batch: want at most %zu rows and %zu sequences, got %zu and %zu",
                            max_rows, max_sequences, desc ? desc->n_rows : 0, desc ? desc->n_sequences : 0);
    if (desc->n_rows && (desc->token_ids == NULL || desc->positions == NULL || desc->slots == NULL))
        return kernels_fail(error, KERNELS_BAD_SHAPE, "batch: token_ids, positions or slots missing");
    if (desc->n_sequences && desc->sequences == NULL)
        return kernels_fail(error, KERNELS_BAD_SHAPE, "batch: sequences missing");
    for (size_t row = 0; row < desc->n_rows; row++) {
        if (desc->positions[row] < 0)
            return kernels_fail(error, KERNELS_BAD_SHAPE, "positions[%zu]: want 0 or more, got %d", row,
                                desc->positions[row]);
        if (desc->slots[row] >= end) end = (size_t)desc->slots[row] + 1;
    }
    for (size_t at = 0; at < desc->n_sequences; at++) {
        const struct kernels_sequence *s = &desc->sequences[at];
        size_t visible = s->own.n_slots;

        if (s->first_row < next_row || s->first_row > desc->n_rows || s->n_rows > desc->n_rows - s->first_row)
            return kernels_fail(error, KERNELS_BAD_SHAPE,
                                "sequences[%zu]: rows %u to %zu: want rows of the batch, sequences in order", at,
                                s->first_row, (size_t)s->first_row + s->n_rows);
        next_row = (size_t)s->first_row + s->n_rows;
        if (s->n_shared > KERNELS_MAX_SHARED)
            return kernels_fail(error, KERNELS_BAD_SHAPE, "sequences[%zu].n_shared: want at most %d, got %u", at,
                                KERNELS_MAX_SHARED, s->n_shared);
        for (uint32_t r = 0; r <= s->n_shared; r++) {
            const struct kernels_range *range = r < s->n_shared ? &s->shared[r] : &s->own;
            size_t range_end = (size_t)range->first_slot + range->n_slots;
            if (range_wraps(range))
                return kernels_fail(error, KERNELS_BAD_SHAPE, "sequences[%zu]: a range of %u slots wraps", at,
                                    range->n_slots);
            if (range->n_slots && range_end > end) end = range_end;
            if (r < s->n_shared) visible += range->n_slots;
        }
        if ((status = check_own(desc, at, error)) != KERNELS_OK) return status;
        if (visible > most) most = visible;
    }
    *slots_end = end;
    *most_visible = most;
    return KERNELS_OK;
}

static bool is_torn(const struct kernels_range *range, size_t n_slots)
{
    return range->first_slot < n_slots && (size_t)range->first_slot + range->n_slots > n_slots;
}

size_t kernels_torn_sequence(const struct kernels_sequence *sequences, size_t n_sequences, size_t n_slots)
{
    for (size_t at = 0; at < n_sequences; at++) {
        bool torn = is_torn(&sequences[at].own, n_slots);
        for (uint32_t r = 0; r < sequences[at].n_shared; r++) torn |= is_torn(&sequences[at].shared[r], n_slots);
        if (torn) return at;
    }
    return n_sequences;
}
