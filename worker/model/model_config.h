/* model_config.h: config.json as the forward pass needs it. Refuses by name what docket does not compute. */
#ifndef DOCKET_MODEL_MODEL_CONFIG_H
#define DOCKET_MODEL_MODEL_CONFIG_H

#include "kernels/kernels.h"
#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_MAX_EOS 8

struct model_config {
    char architecture[64]; /* "MixtralForCausalLM" */
    size_t n_layers, dim, ffn_dim, vocab;
    size_t n_heads, n_kv_heads, head_size;
    size_t n_experts, top_k; /* 0 experts: a dense feed-forward */
    bool renormalize;        /* top-k weights divided by their sum */
    double rope_theta, rms_eps;
    size_t max_position; /* tokens; from max_position_embeddings */
    uint32_t window;     /* sliding window in tokens, 0: none */
    bool tied_head;      /* the head is the embedding table */
    enum kernels_activation activation;
    int32_t bos_id; /* -1: none */
    int32_t eos_ids[MODEL_MAX_EOS];
    size_t n_eos;
};

/* From the text of config.json, styles of transformers 4 (rope_theta, torch_dtype) and 5 (rope_parameters, dtype). head_dim may be null or
 * absent. Values are checked against each other (rows M1-M4): model_config_unsupported naming key and value. */
enum status model_config_parse(struct model_config *out, const char *json, size_t length, struct error *err);

#endif
