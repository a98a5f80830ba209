/* The JSON of bitsandbytes' quantized tensors: what is accepted has sizes that can be trusted. */
#include "worker/model/quant_state.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quant_state s;
    struct error err = {0};
    enum status st = quant_state_parse(&s, (const char *)data, size, &err);
    if (st != DOCKET_OK) {
        assert(err.code == CODE_model_tensor_invalid && err.message[0] && err.status == st);
        return 0;
    }
    __int128 n = 1;
    assert(s.rank >= 1 && s.rank <= QUANT_STATE_MAX_RANK);
    for (unsigned i = 0; i < s.rank; i++) n *= (__int128)s.shape[i];
    assert(n == (__int128)s.n_elements && n >= 1 && n < (__int128)1 << 48);
    assert(s.block_size >= 32 && s.block_size <= 4096 && (s.block_size & (s.block_size - 1)) == 0);
    if (s.nested) assert(s.nested_block_size >= 32 && s.nested_block_size <= 4096 && isfinite(s.nested_offset));
    return 0;
}
