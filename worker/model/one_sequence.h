/* one_sequence.h: a pass over a few tokens of one sequence that the worker runs for itself. Knows no requests. */
#ifndef DOCKET_MODEL_ONE_SEQUENCE_H
#define DOCKET_MODEL_ONE_SEQUENCE_H

#include "worker/model/transformer.h"

#define ONE_SEQUENCE_TOKENS 64u

/* n of 1 to ONE_SEQUENCE_TOKENS tokens behind `n_before` others, which are in the cache; the sequence lies in the slots from `first_slot`
 * on. logits: of the tokens `asked` [n_asked], behind the last one. Errors are those of a pass. */
enum status one_sequence_forward(struct transformer *t, const int32_t *ids, size_t n, size_t n_before,
                                 size_t first_slot, const int32_t *asked, size_t n_asked, float *logits,
                                 struct error *err);

#endif
