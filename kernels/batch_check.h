/* batch_check.h: what a packed batch must satisfy before a backend believes it; shared by all backends. */
#ifndef DOCKET_KERNELS_BATCH_CHECK_H
#define DOCKET_KERNELS_BATCH_CHECK_H

#include "kernels/kernels.h"

/* Checks rows, sequences, ranges and parents against each other and the ceilings; the cache is not known yet, so slots are
 * only summed up: on success *slots_end is one past the largest slot that is named, *most_visible the most keys a row sees. */
enum kernels_status kernels_check_batch(const struct kernels_batch_desc *desc, size_t max_rows, size_t max_sequences,
                                        size_t *slots_end, size_t *most_visible, struct kernels_error *error);
/* The first sequence with a range that lies on both sides of slot n_slots; n_sequences: there is none. */
size_t kernels_torn_sequence(const struct kernels_sequence *sequences, size_t n_sequences, size_t n_slots);

#endif
