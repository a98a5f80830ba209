/* Headers of weight files: what is accepted accounts for every byte of the file, and for no other size of it. The first three
 * bytes are how many bytes of data follow the header, the rest is its JSON. */
#include "worker/base/alloc.h"
#include "worker/model/safetensors_header.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensors(const struct safetensors_header *h, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < h->n_tensors; i++) {
        const struct tensor_info *t = &h->tensors[i];
        uint64_t elements = 1;
        for (unsigned k = 0; k < t->rank; k++) elements *= t->shape[k]; /* cannot wrap: it was checked */
        assert(t->name && t->rank <= TENSOR_MAX_RANK && t->n_elements == elements);
        assert(t->size_bytes == elements * tensor_dtype_bytes(t->dtype));
        assert(t->offset == from);
        from += t->size_bytes;
    }
    assert(from == to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors_header header = {0};
    struct error err = {0};
    size_t n = 0;
    safetensors_check(data, size, size, &n, NULL); /* as it is */
    if (size < 3) return 0;
    uint64_t data_bytes = data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16, length = size - 3;
    uint8_t *file = mem_alloc(8 + (size_t)length);
    assert(file);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)(length >> (8 * i));
    memcpy(file + 8, data + 3, (size_t)length);
    uint64_t whole = 8 + length + data_bytes;
    enum status st = safetensors_check(file, 8 + (size_t)length, whole, &n, &err);
    if (st != DOCKET_OK)
        assert(st == DOCKET_CORRUPT || (st == DOCKET_BAD_INPUT && err.code == CODE_model_header_invalid));
    else {
        assert(safetensors_check(file, 8 + (size_t)length, whole + 1, NULL, &err) != DOCKET_OK);
        assert(safetensors_check(file, 8 + (size_t)length, whole - 1, NULL, &err) != DOCKET_OK);
        assert(safetensors_header_parse(&header, (const char *)file + 8, (size_t)length, whole, 0, "f", &err) ==
               DOCKET_OK);
        assert(header.n_tensors == n);
        check_tensors(&header, 8 + length, whole);
        safetensors_header_free(&header);
    }
    mem_free(file);
    return 0;
}
