/* checkpoint.h: writes the weight files of a checkpoint: safetensors, cut into shards of a size, with their index. Tensors come
 * in any order and any number; nothing needs to be known before. Knows no model and no formats. One thread. */
#ifndef DOCKET_MODEL_CHECKPOINT_H
#define DOCKET_MODEL_CHECKPOINT_H

#include "worker/model/safetensors.h"

struct checkpoint;

/* Into the folder, which exists and is the caller's to remove. shard_bytes 0: 5 GB. */
enum status checkpoint_open(struct checkpoint **out, const char *folder, uint64_t shard_bytes, struct error *err);
/* NULL is fine. Files that were written stay. */
void checkpoint_close(struct checkpoint *c);

/* The next tensor, and its bytes in pieces; it ends when all of them came. name of [!-~] without quote and backslash. */
enum status checkpoint_begin(struct checkpoint *c, const char *name, enum tensor_dtype dtype, unsigned rank,
                             const uint64_t *shape, struct error *err);
enum status checkpoint_append(struct checkpoint *c, const void *bytes, size_t length, struct error *err);
/* Both at once. */
enum status checkpoint_add(struct checkpoint *c, const char *name, enum tensor_dtype dtype, unsigned rank,
                           const uint64_t *shape, const void *bytes, struct error *err);
/* Headers, names, index, all synced. model.safetensors, or model-00001-of-00003.safetensors … and the index. */
enum status checkpoint_finish(struct checkpoint *c, struct error *err);

/* What was written, in order; after finish. */
struct checkpoint_tensor {
    char *name;
    enum tensor_dtype dtype;
    unsigned rank, shard;
    uint64_t shape[TENSOR_MAX_RANK];
    uint64_t offset, size_bytes; /* behind the header */
    uint64_t checksum;           /* of its bytes (base/checksum.h) */
};
size_t checkpoint_n_tensors(const struct checkpoint *c);
const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *c, size_t i);
size_t checkpoint_n_shards(const struct checkpoint *c);
uint64_t checkpoint_bytes(const struct checkpoint *c); /* of all tensors */

#endif
