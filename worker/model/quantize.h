/* quantize.h: a model → the same model quantized, as a folder that loads without quantizing. Streams: holds one weight and a few
 * buffers at a time, never the model. */
#ifndef DOCKET_MODEL_QUANTIZE_H
#define DOCKET_MODEL_QUANTIZE_H

#include "worker/model/load.h"

struct quantize_options {
    struct hub_options hub;
    struct device_options device;
    struct quantization quantization;
    const char *out;      /* the folder to make */
    uint64_t shard_bytes; /* 0: 5 GB */
};

struct quantize_report {
    size_t n_quantized, n_stored, n_shards; /* weights, tensors kept as stored, files */
    uint64_t read_bytes, written_bytes;     /* of tensors */
    double seconds;
};

/* Weights, config.json with quantization_config, and all small text files of the model: tokenizer, template, card, licence. The
 * folder appears whole or not at all (new_folder.h). REFUSED if it is there; BAD_INPUT if the model is quantized already; IO on
 * a full disk, and nothing is left. CANCELLED soon after *stop. */
enum status quantize_model(struct quantize_report *report, const struct quantize_options *options,
                           const atomic_bool *stop, struct error *err);

/* What turns a load into the weight files of a checkpoint; for the watch of load_weights. */
struct checkpoint_maker {
    struct checkpoint *out;
    const struct tensor_files *files; /* the source */
    size_t n_quantized, n_stored;
};
void checkpoint_maker_watch(struct checkpoint_maker *maker, bool release, struct load_watch *out);

#endif
