/* model_config.h: config.json as the forward pass needs it. Refuses by name what docket does not compute. */
#ifndef DOCKET_MODEL_MODEL_CONFIG_H
#define DOCKET_MODEL_MODEL_CONFIG_H

#include "kernels/kernels.h"
#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_MAX_EOS    8
#define MODEL_MAX_LAYERS 1024

/* Queries and keys are normalized before they are rotated: each head by itself, or all heads of a token as one. */
enum model_qk_norm { QK_NORM_NONE, QK_NORM_HEAD, QK_NORM_WHOLE };

/* How the rotary frequencies theta^(-2i/d) are stretched for long texts. */
enum model_rope { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3 };

/* Checkpoints whose linear weights are quantized in the files. */
enum model_prequantized { PREQUANTIZED_NONE, PREQUANTIZED_BITSANDBYTES, PREQUANTIZED_DOCKET, PREQUANTIZED_F8 };

struct model_config {
    char architecture[64]; /* "MixtralForCausalLM" */
    size_t n_layers, dim, vocab;
    size_t ffn_dim;       /* of each expert, or of the one feed-forward */
    size_t dense_ffn_dim; /* of the layers without experts in a model that has them */
    size_t n_heads, n_kv_heads, head_size;
    size_t n_experts, top_k; /* 0 experts: a dense feed-forward */
    bool renormalize;        /* top-k weights divided by their sum */
    double rope_theta, rms_eps;
    size_t max_position; /* tokens; from max_position_embeddings */
    uint32_t window;     /* sliding window in tokens, 0: none */
    bool tied_head;      /* the head is the embedding table */
    enum kernels_activation activation;
    enum model_qk_norm qk_norm;
    double clip_qkv;      /* queries, keys and values are cut to this magnitude; 0: they are not */
    bool attention_bias;  /* on the q, k, v and o projections */
    bool norm_plus_one;   /* norms multiply by 1 + weight */
    bool scale_embedding; /* by the root of dim, rounded to the table's type */
    enum model_rope rope;
    double rope_factor, rope_low_factor, rope_high_factor, rope_original_positions; /* the last three of ROPE_LLAMA3 */
    uint8_t dense_layers[MODEL_MAX_LAYERS / 8];                                     /* bits: no experts here */
    enum model_prequantized prequantized;
    size_t f8_block_rows, f8_block_cols; /* tile of one scale; 0: the whole height or width */
    int32_t bos_id;                      /* -1: none */
    int32_t eos_ids[MODEL_MAX_EOS];
    size_t n_eos;
};

/* The files hold quantized weights that are taken as they are; of f8 they become values first. */
bool model_config_is_stored_quantized(const struct model_config *config);
/* Experts of one layer; 0: its feed-forward is dense. */
size_t model_config_experts(const struct model_config *config, size_t layer);
/* Of the feed-forward in that layer. */
size_t model_config_ffn_dim(const struct model_config *config, size_t layer);
/* Fills inverse_frequency[head_size / 2]. */
void model_config_frequencies(const struct model_config *config, float *inverse_frequency);

/* From the text of config.json, styles of transformers 4 (rope_theta, torch_dtype) and 5 (rope_parameters, dtype). head_dim may be null or
 * absent. Values are checked against each other (rows M1-M4): model_config_unsupported naming key and value. */
enum status model_config_parse(struct model_config *out, const char *json, size_t length, struct error *err);

#endif
