/* quantization.h: the setting that says in which format each part of a model is kept: FORMAT[,PART=FORMAT…]. Knows names and
 * kernels' formats; no files, devices or layers. */
#ifndef DOCKET_MODEL_QUANTIZATION_H
#define DOCKET_MODEL_QUANTIZATION_H

#include "kernels/kernels.h"
#include "worker/base/status.h"

#include <stdbool.h>

enum weight_format {
    QUANTIZE_NONE,      /* as the checkpoint has it */
    QUANTIZE_NF4,       /* scales in 8 bits (double quantization) */
    QUANTIZE_NF4_PLAIN, /* scales in f32 */
    QUANTIZE_FP4,
    QUANTIZE_FP4_PLAIN,
    QUANTIZE_INT8,
    QUANTIZE_Q8,
    QUANTIZE_Q4,
    QUANTIZE_Q2,
    QUANTIZE_Q1,
    N_WEIGHT_FORMATS,
};

/* What can have a format of its own. Norms, biases and the router stay as stored, whatever is asked. */
enum model_part {
    PART_FFN,       /* gate, up and down, of experts as of a dense model; FORMAT alone means this and attention */
    PART_ATTENTION, /* q, k, v and o */
    PART_HEAD,      /* a head that is tied to the embedding is the embedding */
    PART_EMBEDDING,
    N_MODEL_PARTS,
};

/* {0}: nothing is quantized. */
struct quantization {
    enum weight_format part[N_MODEL_PARTS];
};

/* BAD_CONFIG naming `setting`, the word that is wrong, and what is allowed. */
enum status quantization_parse(struct quantization *out, const char *setting, const char *text, struct error *err);

#define QUANTIZATION_NAME_BYTES 96
/* The shortest text that reads back equal, the same for every way to write it: "nf4", "q2,attention=nf4,head=q8". Returns out. */
const char *quantization_name(const struct quantization *q, char out[QUANTIZATION_NAME_BYTES]);
bool quantization_equal(const struct quantization *a, const struct quantization *b);
bool quantization_is_none(const struct quantization *q);

/* The format that the part gets; false: as stored, *out stays. */
bool quantization_of(const struct quantization *q, enum model_part part, enum kernels_format *out);

const char *weight_format_name(enum weight_format format); /* "nf4-plain" */
bool weight_format_by_name(const char *name, enum weight_format *out);
/* false for QUANTIZE_NONE, *out stays. */
bool weight_format_kernels(enum weight_format format, enum kernels_format *out);
enum weight_format weight_format_of(enum kernels_format format); /* QUANTIZE_NONE: f32 and so on */
const char *model_part_name(enum model_part part);               /* "attention" */

/* Of keys and values. {0} is the default. */
enum kv_format { KV_F16, KV_F32, KV_Q8_0, KV_Q4_0, N_KV_FORMATS };
const char *kv_format_name(enum kv_format format); /* "q8_0" */
bool kv_format_by_name(const char *name, enum kv_format *out);
enum kernels_format kv_format_kernels(enum kv_format format);

#endif
