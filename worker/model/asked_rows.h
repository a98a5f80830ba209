/* asked_rows.h: the part of a packed batch that the last layer must still attend with: the rows whose hidden state is asked for.
 * Knows batches, no model and no device. */
#ifndef DOCKET_MODEL_ASKED_ROWS_H
#define DOCKET_MODEL_ASKED_ROWS_H

#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>

/* Arrays for one pass, allocated once. {0} is valid and freeable. */
struct asked_rows {
    size_t max_rows, max_sequences;
    struct kernels_batch_desc batch; /* what is kept, a batch of its own; its sequences see the same keys as before */
    uint32_t *rows;                  /* [batch.n_rows]: the row of the whole batch that each of them is */
    uint32_t *outputs;               /* [n_outputs]: where among them each row that is asked for is */
    int32_t *token_ids, *positions;
    uint32_t *slots;
    struct kernels_sequence *sequences;
};

/* Rows of what is kept of a pass of so many. */
static inline size_t asked_rows_most(size_t max_rows)
{
    return max_rows / 2;
}
/* For batches of up to max_rows rows that keep at most half of them. false: no memory. */
bool asked_rows_init(struct asked_rows *a, size_t max_rows, size_t max_sequences, size_t max_outputs);
void asked_rows_free(struct asked_rows *a);
/* Keeps of each sequence its rows from the first to the last that is asked for, and trees whole. false, with nothing of use left,
 * where that is more than half of the rows, or a row that is asked for belongs to no sequence. `rows` ascend; whole->sequences
 * lend their trees. */
bool asked_rows_choose(struct asked_rows *a, const struct kernels_batch_desc *whole, const uint32_t *rows,
                       size_t n_outputs);

#endif
