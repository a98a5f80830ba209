/* weights.h: the tensors of one model on a device, by their place in the forward pass. */
#ifndef DOCKET_MODEL_WEIGHTS_H
#define DOCKET_MODEL_WEIGHTS_H

#include "kernels/kernels.h"

#include <stddef.h>

struct layer_weights {
    struct kernels_weight *attention_norm;  /* [1, dim] */
    struct kernels_weight *q, *k, *v;       /* [heads * head_size, dim], [kv_heads * head_size, dim] twice */
    struct kernels_weight *o;               /* [dim, heads * head_size] */
    struct kernels_weight *q_norm, *k_norm; /* [1, head_size] or [1, all heads]; NULL: none */
    struct kernels_weight *q_bias, *k_bias, *v_bias, *o_bias; /* [1, rows of q, k, v, o]; NULL: none */
    struct kernels_weight *ffn_norm;                          /* [1, dim] */
    struct kernels_weight *router;                            /* [experts, dim]; NULL in a dense layer */
    size_t n_experts;                                         /* at least 1 */
    struct kernels_weight **gate, **up;                       /* [experts] of [ffn_dim, dim] */
    struct kernels_weight **down;                             /* [experts] of [dim, ffn_dim] */
};

struct model_weights {
    struct kernels_weight *embedding; /* [vocab, dim] */
    struct kernels_weight *norm;      /* [1, dim] */
    struct kernels_weight *head;      /* [vocab, dim]; the embedding itself when tied */
    struct layer_weights *layers;     /* [n_layers] */
    size_t n_layers;
    bool embedding_is_lower; /* on the device's `lower` */
};

#endif
