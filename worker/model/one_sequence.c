/* one_sequence.c: see one_sequence.h. */
#include "worker/model/one_sequence.h"

#include <assert.h>

enum { MOST_ASKED = 8 };

enum status one_sequence_forward(struct transformer *t, const int32_t *ids, size_t n, size_t n_before,
                                 size_t first_slot, const int32_t *asked, size_t n_asked, float *logits,
                                 struct error *err)
{
    static const uint32_t outputs[MOST_ASKED]; /* all of the one row that is kept */
    int32_t positions[ONE_SEQUENCE_TOKENS];
    uint32_t slots[ONE_SEQUENCE_TOKENS];
    const uint32_t last = (uint32_t)n - 1;
    assert(n >= 1 && n <= ONE_SEQUENCE_TOKENS && n_asked <= MOST_ASKED);
    for (size_t i = 0; i < n; i++) {
        positions[i] = (int32_t)(n_before + i);
        slots[i] = (uint32_t)(first_slot + n_before + i);
    }
    const struct kernels_sequence sequence = {.n_rows = (uint32_t)n,
                                              .own = {(uint32_t)first_slot, (uint32_t)(n_before + n), 0}};
    const struct kernels_batch_desc batch = {n, 1, ids, positions, slots, &sequence};
    const enum status st = transformer_forward(t, &batch, &last, 1, NULL, err);
    return st == DOCKET_OK ? transformer_gather_logits(t, outputs, asked, n_asked, logits, err) : st;
}
