/* tokenizer_file.c: opens the tokenizer of a model that lies on disk. */
#include "worker/model/tokenizer_file.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#define FILE_BYTES (256 * MIB)

enum status tokenizer_open_file(struct tokenizer **out, const struct model_location *location, char *hash,
                                struct error *err)
{
    char *bytes = NULL;
    size_t length = 0;
    bool model = !model_has_file(location, "tokenizer.json") && model_has_file(location, "tokenizer.model");
    enum status st =
        model_read_file(&bytes, &length, location, model ? "tokenizer.model" : "tokenizer.json", FILE_BYTES, err);
    if (st == DOCKET_OK)
        st = model ? tokenizer_open_model(out, bytes, length, err) : tokenizer_open(out, bytes, length, err);
    if (st == DOCKET_OK && hash) sha256_hex(bytes, length, hash);
    mem_free(bytes);
    return st;
}
