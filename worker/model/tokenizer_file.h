/* tokenizer_file.h: which of a model's files holds its tokenizer. */
#ifndef DOCKET_MODEL_TOKENIZER_FILE_H
#define DOCKET_MODEL_TOKENIZER_FILE_H

#include "worker/model/hub_cache.h"
#include "worker/model/tokenizer.h"

/* Opens tokenizer.json or, where there is none, tokenizer.model. `hash` (65 bytes, NULL: not wanted) becomes the SHA-256 of the
 * file. model_file_missing when there is neither. */
enum status tokenizer_open_file(struct tokenizer **out, const struct model_location *location, char *hash,
                                struct error *err);

#endif
