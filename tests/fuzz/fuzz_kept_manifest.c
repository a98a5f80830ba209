/* docket.json of a kept copy: what is accepted is whole, and what is refused is called corrupt. */
#include "worker/model/kept_manifest.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kept_manifest m = {0};
    struct error err = {0};
    enum status st = kept_manifest_parse(&m, (const char *)data, size, &err);
    if (st != DOCKET_OK) {
        assert(st == DOCKET_CORRUPT && err.status == st && strncmp(err.message, "docket.json", 11) == 0);
        assert(!m.sources && !m.tensors && !m.quantization);
        return 0;
    }
    assert(m.quantization && m.revision && m.config_hash);
    for (size_t i = 0; i < m.n_sources; i++) assert(m.sources[i].name);
    for (size_t i = 0; i < m.n_tensors; i++) {
        assert(m.tensors[i].name && m.tensors[i].rank <= TENSOR_MAX_RANK);
        assert(tensor_dtype_bytes(m.tensors[i].dtype) > 0);
    }
    kept_manifest_free(&m);
    return 0;
}
