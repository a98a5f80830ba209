/* kept_manifest.h: what stands in a kept copy's docket.json: what it was made of, and every tensor with its checksum. */
#ifndef DOCKET_MODEL_KEPT_MANIFEST_H
#define DOCKET_MODEL_KEPT_MANIFEST_H

#include "worker/base/buffer.h"
#include "worker/base/file.h"
#include "worker/model/checkpoint.h"

#define KEPT_MANIFEST_NAME  "docket.json"
#define KEPT_MANIFEST_BYTES (64 * MIB)

/* What a copy is made of. Another value of any of these is another copy. */
struct kept_identity {
    const char *quantization, *revision; /* revision "-": unknown */
    char config_hash[SHA256_HEX_BYTES];
    const struct tensor_files *files; /* of the source: names, sizes, times of change */
};

/* As JSON. */
enum status kept_manifest_write(struct buffer *out, const struct kept_identity *identity, const struct checkpoint *made,
                                struct error *err);

struct kept_source {
    char *name;
    uint64_t size_bytes, changed_ns;
};
/* {0} is valid and freeable. */
struct kept_manifest {
    uint64_t version;
    char *quantization, *revision, *config_hash;
    struct kept_source *sources;
    size_t n_sources;
    struct checkpoint_tensor *tensors; /* without shard and offset */
    size_t n_tensors;
};
/* CORRUPT naming the place. */
enum status kept_manifest_parse(struct kept_manifest *out, const char *text, size_t length, struct error *err);
void kept_manifest_free(struct kept_manifest *m);

/* CORRUPT saying what is different: format, quantization, revision, config.json, a file's size or time of change. */
enum status kept_manifest_matches(const struct kept_manifest *m, const struct kept_identity *identity,
                                  struct error *err);
/* Compares every tensor of the copy's files with the manifest, both ways, and makes their checksums due. CORRUPT naming tensor. */
enum status kept_manifest_expect(const struct kept_manifest *m, struct tensor_files *copy, struct error *err);

#endif
