/* safetensors.h: the tensors of a model's weight files: headers validated in full before anything is read, one file or many
 * by model.safetensors.index.json. Knows no model; dtypes only by their size. */
#ifndef DOCKET_MODEL_SAFETENSORS_H
#define DOCKET_MODEL_SAFETENSORS_H

#include "worker/base/direct_read.h"
#include "worker/model/hub_cache.h"

#include <stdint.h>

#define TENSOR_MAX_RANK 8

enum tensor_dtype {
    DTYPE_BOOL,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_F8_E4M3,
    DTYPE_F8_E5M2,
    DTYPE_I16,
    DTYPE_U16,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I32,
    DTYPE_U32,
    DTYPE_F32,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_U64,
};
size_t tensor_dtype_bytes(enum tensor_dtype dtype);
const char *tensor_dtype_name(enum tensor_dtype dtype); /* "BF16" */

struct tensor_info {
    const char *name;
    enum tensor_dtype dtype;
    unsigned rank;
    uint64_t shape[TENSOR_MAX_RANK];
    uint64_t n_elements, size_bytes;
    uint64_t offset; /* in its file, from the file's start */
    unsigned file;   /* index */
};

struct tensor_files;

/* Opens and validates all of the snapshot's weight files. Refusals name file, tensor and offset (rows S of the catalogue of
 * hostile input); only .bin files there: UNSUPPORTED saying that safetensors are needed. */
enum status tensor_files_open(struct tensor_files **out, const struct model_location *location, struct error *err);
void tensor_files_close(struct tensor_files *files);

/* One header from memory (tests, fuzzing): `file_bytes` is the size of the whole file, `bytes` its first `length` bytes. */
enum status safetensors_check(const void *bytes, size_t length, uint64_t file_bytes, size_t *n_tensors,
                              struct error *err);

size_t tensor_files_count(const struct tensor_files *files); /* files */
const char *tensor_file_name(const struct tensor_files *files, unsigned file);
uint64_t tensor_files_bytes(const struct tensor_files *files); /* of all tensors */
size_t tensor_count(const struct tensor_files *files);
const struct tensor_info *tensor_at(const struct tensor_files *files, size_t i); /* sorted by file, then offset */
const struct tensor_info *tensor_find(const struct tensor_files *files, const char *name); /* NULL if absent */

/* Reads size_bytes of the tensor from `at` bytes behind its start; any thread. 3 tries with reopen on EIO and ESTALE. Before the
 * first and after the last read of a file its size, mtime and inode are compared (model_file_changed). */
enum status tensor_read(struct tensor_files *files, const struct tensor_info *tensor, uint64_t at, void *to,
                        size_t size_bytes, struct error *err);
/* The same past the page cache, for files that it has not got and that can be read so (base/direct_read.h): into
 * room [DIRECT_ROOM(size_bytes)], aligned to DIRECT_BLOCK; the bytes lie at *bytes in it, aligned to 8. */
enum status tensor_read_direct(struct tensor_files *files, const struct tensor_info *tensor, uint64_t at, void *room,
                               size_t size_bytes, unsigned char **bytes, struct error *err);
uint64_t tensor_files_direct_bytes(struct tensor_files *files); /* that were read so */
/* What the file was at open. */
void tensor_file_facts(const struct tensor_files *files, unsigned file, uint64_t *size_bytes, uint64_t *changed_ns);

/* From now on the bytes of this tensor must have that checksum (base/checksum.h): the tensor_read that brings its last byte is CORRUPT
 * if they have not. Each tensor is then read from its start to its end, by one thread at a time. */
enum status tensor_expect(struct tensor_files *files, const struct tensor_info *tensor, uint64_t checksum,
                          struct error *err);
/* INTERNAL naming a tensor with a checksum that was not read to its end. */
enum status tensor_files_verified(const struct tensor_files *files, struct error *err);
/* Compares every file with what it was at open. */
enum status tensor_files_unchanged(struct tensor_files *files, struct error *err);

#endif
