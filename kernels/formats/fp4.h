/* fp4.h: the definition of FP4 as the decision tree of bitsandbytes 0.50 for GPUs has it. Blocks, packing, scales and their
 * nesting are NF4's. Plain C, one thread. */
#ifndef DOCKET_KERNELS_FORMATS_FP4_H
#define DOCKET_KERNELS_FORMATS_FP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/formats/layout.h"

#define FP4_N_THRESHOLDS 7u

extern const float fp4_values[NF4_N_CODES];          /* value of a code: sign in bit 3 */
extern const float fp4_thresholds[FP4_N_THRESHOLDS]; /* of magnitudes: strictly above moves up */

/* As nf4_quantize_f32. */
bool fp4_quantize_f32(const float *source, size_t n_elements, uint8_t *codes, float *absmax);

#endif
