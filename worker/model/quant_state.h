/* quant_state.h: the JSON text in which bitsandbytes says how it quantized a tensor in 4 bits, and docket in its own formats. Knows no files and no weights. */
#ifndef DOCKET_MODEL_QUANT_STATE_H
#define DOCKET_MODEL_QUANT_STATE_H

#include "worker/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define QUANT_STATE_MAX_BYTES 4096
#define QUANT_STATE_MAX_RANK  3

struct quant_state {
    bool fp4;          /* else nf4, or */
    unsigned own_bits; /* 8, 4, 2, 1: q8, q4, q2, q1 of docket's own; else 0 */
    bool nested;       /* absmax are 8-bit codes with scales of their own */
    uint32_t block_size, nested_block_size;
    float nested_offset;
    unsigned rank;
    uint64_t shape[QUANT_STATE_MAX_RANK];
    uint64_t n_elements; /* at least 1, below 2^48 */
};

/* CORRUPT or UNSUPPORTED, model_tensor_invalid, naming key and value. */
enum status quant_state_parse(struct quant_state *out, const char *json, size_t length, struct error *err);

#endif
