/* synthetic_shapes.c: what the config.json of well-known models says about their shapes. */
#include "worker/model/synthetic.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

static const struct shape {
    const char *name, *architecture;
    size_t n_layers, dim, ffn_dim, vocab, n_heads, n_kv_heads, head_size, n_experts, top_k, max_position;
    double rope_theta, rms_eps;
    enum model_qk_norm qk_norm;
    bool does_not_renormalize, is_gemma;
} shapes[] = {
    {"tiny", "MixtralForCausalLM", 2, 128, 192, 512, 4, 2, 32, 4, 2, 4096, 1e4, 1e-5, QK_NORM_NONE, false, false},
    {"tinyllama", "LlamaForCausalLM", 22, 2048, 5632, 32000, 32, 4, 64, 0, 0, 2048, 1e4, 1e-5, QK_NORM_NONE, false,
     false},
    {"llama2-7b", "LlamaForCausalLM", 32, 4096, 11008, 32000, 32, 32, 128, 0, 0, 4096, 1e4, 1e-5, QK_NORM_NONE, false,
     false},
    {"llama3-8b", "LlamaForCausalLM", 32, 4096, 14336, 128256, 32, 8, 128, 0, 0, 8192, 5e5, 1e-5, QK_NORM_NONE, false,
     false},
    {"mistral-7b", "MistralForCausalLM", 32, 4096, 14336, 32000, 32, 8, 128, 0, 0, 32768, 1e6, 1e-5, QK_NORM_NONE,
     false, false},
    {"mixtral-8x7b", "MixtralForCausalLM", 32, 4096, 14336, 32000, 32, 8, 128, 8, 2, 32768, 1e6, 1e-5, QK_NORM_NONE,
     false, false},
    {"mixtral-4-layers", "MixtralForCausalLM", 4, 4096, 14336, 32000, 32, 8, 128, 8, 2, 32768, 1e6, 1e-5, QK_NORM_NONE,
     false, false},
    {"mixtral-8x22b", "MixtralForCausalLM", 56, 6144, 16384, 32768, 48, 8, 128, 8, 2, 65536, 1e6, 1e-5, QK_NORM_NONE,
     false, false},
    {"gemma-2b", "GemmaForCausalLM", 18, 2048, 16384, 256000, 8, 1, 256, 0, 0, 8192, 1e4, 1e-6, QK_NORM_NONE, false,
     true},
    {"gemma-7b", "GemmaForCausalLM", 28, 3072, 24576, 256000, 16, 16, 256, 0, 0, 8192, 1e4, 1e-6, QK_NORM_NONE, false,
     true},
    {"qwen3-30b-a3b", "Qwen3MoeForCausalLM", 48, 2048, 768, 151936, 32, 4, 128, 128, 8, 40960, 1e6, 1e-6, QK_NORM_HEAD,
     false, false},
    {"olmoe-1b-7b", "OlmoeForCausalLM", 16, 2048, 1024, 50304, 16, 16, 128, 64, 8, 4096, 1e4, 1e-5, QK_NORM_WHOLE, true,
     false},
};

void synthetic_names(struct buffer *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) buffer_printf(out, "%s%s", i ? ", " : "", shapes[i].name);
}

static enum status unknown(const char *name, struct error *err)
{
    struct buffer names = {0};
    synthetic_names(&names);
    enum status st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "\"%.60s\" is no shape that is known: want one of %s",
                          name, names.data ? names.data : "those of --help");
    buffer_free(&names);
    return st;
}

enum status synthetic_config(struct model_config *out, const char *name, size_t n_layers, struct error *err)
{
    const struct shape *s = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes) && !s; i++)
        if (strcmp(shapes[i].name, name) == 0) s = &shapes[i];
    if (!s) return unknown(name, err);
    if (n_layers > MODEL_MAX_LAYERS)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%zu layers: at most %d are possible", n_layers,
                    MODEL_MAX_LAYERS);
    *out = (struct model_config){.n_layers = n_layers ? n_layers : s->n_layers,
                                 .dim = s->dim,
                                 .vocab = s->vocab,
                                 .ffn_dim = s->ffn_dim,
                                 .n_heads = s->n_heads,
                                 .n_kv_heads = s->n_kv_heads,
                                 .head_size = s->head_size,
                                 .n_experts = s->n_experts,
                                 .top_k = s->top_k,
                                 .renormalize = !s->does_not_renormalize,
                                 .rope_theta = s->rope_theta,
                                 .rms_eps = s->rms_eps,
                                 .max_position = s->max_position,
                                 .tied_head = s->is_gemma,
                                 .activation = s->is_gemma ? KERNELS_GELU_TANH : KERNELS_SILU,
                                 .qk_norm = s->qk_norm,
                                 .norm_plus_one = s->is_gemma,
                                 .scale_embedding = s->is_gemma,
                                 .bos_id = 1,
                                 .eos_ids = {2},
                                 .n_eos = 1};
    snprintf(out->architecture, sizeof(out->architecture), "%s", s->architecture);
    return DOCKET_OK;
}
