/* quantized_form.h: how a quantized weight lies in a checkpoint: which tensors, under which names, and what config.json says.
 * NF4, FP4 and int8 as bitsandbytes writes them, the others in a form of docket's own (worker/model/README.md). */
#ifndef DOCKET_MODEL_QUANTIZED_FORM_H
#define DOCKET_MODEL_QUANTIZED_FORM_H

#include "worker/base/buffer.h"
#include "worker/model/checkpoint.h"
#include "worker/model/device.h"
#include "worker/model/quantization.h"

/* Changes when a reader of the older form would misread the newer one. */
#define QUANTIZED_FORM_VERSION 1

/* The tensors of one weight called `name` ("….weight"); source_dtype is what it was made of. */
enum status quantized_form_put(struct checkpoint *out, const struct device *device, const char *name,
                               enum tensor_dtype source_dtype, const struct kernels_weight *weight, struct error *err);

/* true if transformers reads a checkpoint in these formats: one format of bitsandbytes for attention and feed-forward. */
bool quantized_form_is_bitsandbytes(const struct quantization *q);
/* The text of config.json with quantization_config put into it. `config` is JSON that has none. */
enum status quantized_form_config(struct buffer *out, const char *config, size_t length, const struct quantization *q,
                                  bool has_router, struct error *err);

#endif
