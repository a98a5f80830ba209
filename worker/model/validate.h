/* validate.h: how exact a format is, in numbers that are never mixed up: the kernel's error (against the same dequantized weights in
 * double: must be rounding), the format's error of weights and of what each layer adds, and that of the cache. */
#ifndef DOCKET_MODEL_VALIDATE_H
#define DOCKET_MODEL_VALIDATE_H

#include "worker/model/model.h"

/* Of products with the weights of this format, over matrices of the model and made ones. */
struct validate_kernel {
    size_t n_matrices, n_values;
    double worst;    /* error as a share of its limit: at most 1 */
    double relative; /* L2 */
};

struct validate_weights {
    double attention, ffn; /* relative L2 of dequantized against original weights */
    size_t n_layers;       /* that were compared; all, or so many that it ends */
};

/* What each layer's attention and feed-forward add to the stream, and the logits, against those of the unquantized model; the error
 * that layers before brought along is in it. */
struct validate_layers {
    size_t n_layers, n_tokens;
    double *attention, *ffn; /* [n_layers], relative L2 */
    double logits;           /* relative L2 */
    double same_first;       /* share of the tokens whose likeliest next token is the same */
};
void validate_layers_free(struct validate_layers *layers);

/* Products of random rows with 3 made matrices; the expected error of Gaussian weights comes along. */
enum status validate_made(struct validate_kernel *kernel, double *gaussian_error, const struct device_options *device,
                          enum weight_format format, struct error *err);
/* Products with matrices of the first and last layer. */
enum status validate_kernels(struct validate_kernel *kernel, const struct model *model, struct error *err);
enum status validate_weights(struct validate_weights *out, const struct model *original, const struct model *quantized,
                             struct error *err);

/* What a model computed for a text, kept on the host. {0} is valid and freeable. */
struct validate_run {
    size_t n_layers, n_tokens, dim, vocab;
    float *streams; /* [2 * n_layers + 1, n_tokens, dim]; the first is what the embedding gave */
    float *logits;  /* [n_tokens, vocab] */
};
enum status validate_run(struct validate_run *out, struct model *model, enum kv_format kv, struct error *err);
void validate_run_free(struct validate_run *run);
enum status validate_compare(struct validate_layers *out, const struct validate_run *original,
                             const struct validate_run *quantized, struct error *err);

/* Relative L2 error that Gaussian weights may have in the format; a format that is worse is computed wrongly. */
double validate_gaussian_limit(enum weight_format format);

#endif
