/* safetensors_header.h: inside of safetensors.c: one header, checked in full. */
#ifndef DOCKET_MODEL_SAFETENSORS_HEADER_H
#define DOCKET_MODEL_SAFETENSORS_HEADER_H

#include "worker/model/safetensors.h"

#define SAFETENSORS_MAX_HEADER  100000000u /* bytes: the limit of the reference reader */
#define SAFETENSORS_MAX_TENSORS 1000000u

/* Tensors in the order of their offsets; names lie in `names`. {0} is valid and freeable. */
struct safetensors_header {
    struct tensor_info *tensors;
    size_t n_tensors;
    char *names;
};

/* Bytes of JSON behind the first eight, checked against the file's size. `name` is for messages. */
enum status safetensors_header_length(uint64_t *length, const void *first, size_t n_first, uint64_t file_bytes,
                                      const char *name, struct error *err);
/* `file` becomes the tensors' file index. */
enum status safetensors_header_parse(struct safetensors_header *out, const char *json, size_t length,
                                     uint64_t file_bytes, unsigned file, const char *name, struct error *err);
void safetensors_header_free(struct safetensors_header *header);

#endif
