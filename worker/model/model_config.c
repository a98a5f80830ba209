/* model_config.c: config.json → the numbers of a forward pass. A family is a row of a table; whatever the family would not
 * compute as its reference does is refused by name. */
#include "worker/model/model_config.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Upper ends that no model comes near; beyond them sizes stop making sense. */
#define MAX_DIM      (1 << 20)
#define MAX_FFN      (1 << 22)
#define MAX_VOCAB    (1 << 22)
#define MAX_HEADS    1024
#define MAX_POSITION (1 << 30)

/* Keys that some families compute and others must not have. */
enum handled {
    ATTENTION_BIAS = 1,
    CLIP_QKV = 2,
    TOP_K_SUM = 4, /* norm_topk_prob */
    DENSE_LAYERS = 8,
    WINDOW = 16,
    WINDOW_SWITCH = 32, /* use_sliding_window must be true for it */
    HIDDEN_ACTIVATION = 64,
};

/* One row a family: what its code in transformers does that its config.json does not say. */
static const struct family {
    const char *architecture, *model_type;
    unsigned handled;
    bool experts;             /* num_local_experts or num_experts, num_experts_per_tok */
    const char *expert_width; /* the key of the experts' size; NULL: intermediate_size */
    bool renormalize;         /* the chosen experts' weights are divided by their sum; TOP_K_SUM: when absent */
    bool tied_head;           /* when tie_word_embeddings is absent */
    bool gelu_is_tanh;        /* "gelu" is an old name of the approximation here */
    bool norm_plus_one, scale_embedding;
    enum model_qk_norm qk_norm;
    double rope_theta;   /* when absent */
    double rms_eps;      /* when absent */
    size_t n_kv_heads;   /* when absent, 0 means num_attention_heads; null always does */
    size_t head_size;    /* when absent; 0: hidden_size / num_attention_heads */
    size_t max_position; /* when absent */
    uint32_t window;     /* when absent; 0: none */
} families[] = {
    {"MixtralForCausalLM", "mixtral", WINDOW, .experts = true, .renormalize = true, .rope_theta = 1e6, .rms_eps = 1e-5,
     .n_kv_heads = 8, .max_position = 131072},
    {"MistralForCausalLM", "mistral", WINDOW, .rope_theta = 1e4, .rms_eps = 1e-6, .n_kv_heads = 8,
     .max_position = 131072, .window = 4096},
    {"LlamaForCausalLM", "llama", ATTENTION_BIAS, .rope_theta = 1e4, .rms_eps = 1e-6, .max_position = 2048},
    {"GemmaForCausalLM", "gemma", ATTENTION_BIAS | HIDDEN_ACTIVATION, .tied_head = true, .gelu_is_tanh = true,
     .norm_plus_one = true, .scale_embedding = true, .rope_theta = 1e4, .rms_eps = 1e-6, .n_kv_heads = 16,
     .head_size = 256, .max_position = 8192},
    {"Qwen3MoeForCausalLM", "qwen3_moe", ATTENTION_BIAS | TOP_K_SUM | DENSE_LAYERS | WINDOW | WINDOW_SWITCH,
     .experts = true, .expert_width = "moe_intermediate_size", .qk_norm = QK_NORM_HEAD, .rope_theta = 1e4,
     .rms_eps = 1e-6, .n_kv_heads = 4, .max_position = 32768, .window = 4096},
    {"OlmoeForCausalLM", "olmoe", ATTENTION_BIAS | CLIP_QKV | TOP_K_SUM, .experts = true, .qk_norm = QK_NORM_WHOLE,
     .rope_theta = 1e4, .rms_eps = 1e-5, .max_position = 4096},
};

/* Keys that would change the arithmetic, and the only value under which they do not. A number stands for itself, also as
 * text of a boolean. */
static const struct neutral {
    const char *key;
    double value;
    bool or_absent_only; /* nothing but null will do */
    unsigned handled;    /* families that have this bit read the key themselves */
} neutrals[] = {
    {"attention_bias", 0, false, ATTENTION_BIAS},
    {"mlp_bias", 0, false, 0},
    {"attention_qkv_bias", 0, false, 0},
    {"qkv_bias", 0, false, 0},
    {"use_bias", 0, false, 0},
    {"bias", 0, false, 0},
    {"use_qk_norm", 0, false, 0},
    {"qk_norm", 0, false, 0},
    {"qk_layernorm", 0, false, 0},
    {"clip_qkv", 0, true, CLIP_QKV},
    {"attn_logit_softcapping", 0, true, 0},
    {"final_logit_softcapping", 0, true, 0},
    {"logit_scale", 1, false, 0},
    {"logits_scaling", 1, false, 0},
    {"embedding_multiplier", 1, false, 0},
    {"residual_multiplier", 1, false, 0},
    {"attention_multiplier", 0, true, 0},
    {"query_pre_attn_scalar", 0, true, 0},
    {"partial_rotary_factor", 1, false, 0},
    {"rotary_pct", 1, false, 0},
    {"rope_interleaved", 0, false, 0},
    {"rope_local_base_freq", 0, true, 0},
    {"no_rope_layers", 0, true, 0},
    {"use_parallel_residual", 0, false, 0},
    {"parallel_attn", 0, false, 0},
    {"alibi", 0, false, 0},
    {"use_bidirectional_attention", 0, false, 0},
    {"add_cross_attention", 0, false, 0},
    {"is_encoder_decoder", 0, false, 0},
    {"hidden_activation", 0, true, HIDDEN_ACTIVATION},
    {"swiglu_limit", 0, true, 0},
    {"n_shared_experts", 0, false, 0},
    {"num_shared_experts", 0, false, 0},
    {"shared_expert_intermediate_size", 0, false, 0},
    {"first_k_dense_replace", 0, false, 0},
    {"decoder_sparse_step", 1, false, DENSE_LAYERS},
    {"mlp_only_layers", 0, true, DENSE_LAYERS},
    {"norm_topk_prob", 1, false, TOP_K_SUM},
    {"routed_scaling_factor", 1, false, 0},
    {"scoring_func", 0, true, 0},
    {"n_group", 1, false, 0},
    {"kv_lora_rank", 0, true, 0},
    {"layer_types", 0, true, 0},
    {"sliding_window", 0, true, WINDOW},
    {"attention_chunk_size", 0, true, 0},
};

struct reader {
    const cJSON *root;
    struct error *err;
};

static enum status unsupported(const struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum status unsupported(const struct reader *r, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fail(r->err, DOCKET_UNSUPPORTED, CODE_model_config_unsupported, "config.json: %s", what);
}

/* The errors of json.h are about jobs; here the same words are about the model. */
static enum status about_config(const struct reader *r, enum status st)
{
    if (st == DOCKET_OK || st == DOCKET_NO_MEMORY || !r->err) return st;
    r->err->code = CODE_model_config_unsupported;
    error_prefix(r->err, "config.json");
    return st;
}

static const cJSON *item(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return value && !cJSON_IsNull(value) ? value : NULL;
}

/* A missing key takes `fallback`; 0 means that it must be there. */
static enum status read_size(const struct reader *r, const char *key, int64_t high, size_t fallback, size_t *out)
{
    int64_t value = 0;
    bool present = true;
    enum status st = json_get_integer(r->root, "$", key, 1, high, &value, fallback ? &present : NULL, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    *out = present ? (size_t)value : fallback;
    return DOCKET_OK;
}

static enum status read_real(const struct reader *r, const cJSON *object, const char *path, const char *key,
                             double high, double *out)
{
    bool present;
    double value = 0;
    enum status st = json_get_number(object, path, key, 0, high, &value, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if (!present) return DOCKET_OK;
    if (!(value > 0) || !((float)value > 0))
        return unsupported(r, "%s.%s: want a positive number, got %g", path, key, value);
    *out = value;
    return DOCKET_OK;
}

static enum status find_family(const struct reader *r, const struct family **out)
{
    const cJSON *list = item(r->root, "architectures"), *first = NULL;
    char found[128];
    if (cJSON_IsArray(list) && cJSON_GetArraySize(list) == 1) first = list->child;
    if (!cJSON_IsString(first)) {
        json_describe(list, found, sizeof(found));
        return unsupported(r, "$.architectures: want an array of one name, got %s", found);
    }
    char known[200] = "";
    *out = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        if (strcmp(first->valuestring, families[i].architecture) == 0) *out = &families[i];
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", families[i].architecture);
    }
    json_describe(first, found, sizeof(found));
    if (!*out) return unsupported(r, "$.architectures: %s is not computed, only %s", found, known);
    const cJSON *type = item(r->root, "model_type");
    if (type && (!cJSON_IsString(type) || strcmp(type->valuestring, (*out)->model_type) != 0)) {
        json_describe(type, found, sizeof(found));
        return unsupported(r, "$.model_type: want \"%s\" with %s, got %s", (*out)->model_type, (*out)->architecture,
                           found);
    }
    return DOCKET_OK;
}

static bool is_neutral(const struct neutral *n, const cJSON *value)
{
    if (n->or_absent_only) return cJSON_IsArray(value) && cJSON_GetArraySize(value) == 0;
    if (cJSON_IsBool(value)) return (cJSON_IsTrue(value) ? 1.0 : 0.0) == n->value;
    return cJSON_IsNumber(value) && value->valuedouble == n->value;
}

static enum status refuse_foreign_keys(const struct reader *r, const struct family *family)
{
    char found[128];
    for (size_t i = 0; i < ARRAY_LENGTH(neutrals); i++) {
        const cJSON *value = item(r->root, neutrals[i].key);
        if (!value || is_neutral(&neutrals[i], value) || (neutrals[i].handled & family->handled)) continue;
        json_describe(value, found, sizeof(found));
        return unsupported(r, "$.%s: %s is not computed", neutrals[i].key, found);
    }
    return DOCKET_OK;
}

/* f8 weights with their scales: computed as what they stand for, activations stay in f32. */
static enum status read_f8(const struct reader *r, const cJSON *quantization, struct model_config *c)
{
    char found[128];
    const cJSON *scheme = item(quantization, "activation_scheme"), *block = item(quantization, "weight_block_size");
    if (scheme && !(cJSON_IsString(scheme) && strcmp(scheme->valuestring, "dynamic") == 0)) {
        json_describe(scheme, found, sizeof(found));
        return unsupported(r, "$.quantization_config.activation_scheme: %s is not computed, only \"dynamic\"", found);
    }
    c->prequantized = PREQUANTIZED_F8;
    if (!block) return DOCKET_OK;
    size_t *sizes[2] = {&c->f8_block_rows, &c->f8_block_cols};
    for (int i = 0; i < 2; i++) {
        const cJSON *one = cJSON_IsArray(block) && cJSON_GetArraySize(block) == 2 ? cJSON_GetArrayItem(block, i) : NULL;
        double n = cJSON_IsNumber(one) ? one->valuedouble : 0;
        if (!(n >= 1 && n <= MAX_FFN) || n != (double)(size_t)n) {
            json_describe(one ? one : block, found, sizeof(found));
            return unsupported(r, "$.quantization_config.weight_block_size: want two sizes, got %s", found);
        }
        *sizes[i] = (size_t)n;
    }
    return DOCKET_OK;
}

/* Only what changes numbers: which tensors are quantized, and how, stands in the weight files. */
static enum status read_quantization(const struct reader *r, struct model_config *c)
{
    char found[128];
    const cJSON *quantization = item(r->root, "quantization_config");
    if (!quantization) return DOCKET_OK;
    const cJSON *method = item(quantization, "quant_method"), *eight = item(quantization, "load_in_8bit");
    if (cJSON_IsString(method) && strcmp(method->valuestring, "fp8") == 0) return read_f8(r, quantization, c);
    if (cJSON_IsString(method) && strcmp(method->valuestring, "docket") == 0) {
        const cJSON *version = item(quantization, "version");
        if (!cJSON_IsNumber(version) || version->valuedouble != 1) {
            json_describe(version, found, sizeof(found));
            return unsupported(r, "$.quantization_config.version: want 1, got %s", found);
        }
        c->prequantized = PREQUANTIZED_DOCKET;
        return DOCKET_OK;
    }
    if (!cJSON_IsString(method) || strcmp(method->valuestring, "bitsandbytes") != 0) {
        json_describe(method ? method : quantization, found, sizeof(found));
        return unsupported(
            r,
            "$.quantization_config: a checkpoint that is quantized in this way (%s) is not read, only "
            "\"bitsandbytes\", \"docket\" and \"fp8\"; take the original in 16 or 32 bits, docket quantizes it itself",
            found);
    }
    const cJSON *threshold = item(quantization, "llm_int8_threshold");
    if (cJSON_IsTrue(eight) && threshold && !(cJSON_IsNumber(threshold) && threshold->valuedouble == 6)) {
        json_describe(threshold, found, sizeof(found));
        return unsupported(r, "$.quantization_config.llm_int8_threshold: %s is not computed, only 6", found);
    }
    c->prequantized = PREQUANTIZED_BITSANDBYTES;
    return DOCKET_OK;
}

static enum status read_activation(const struct reader *r, const struct family *family, struct model_config *c)
{
    static const struct {
        const char *name;
        enum kernels_activation activation;
    } names[] = {
        {"silu", KERNELS_SILU},
        {"swish", KERNELS_SILU},
        {"gelu_pytorch_tanh", KERNELS_GELU_TANH},
    };
    char found[128];
    const char *key = "hidden_activation";
    const cJSON *value = family->handled & HIDDEN_ACTIVATION ? item(r->root, key) : NULL;
    bool old_name = false; /* only hidden_act had the old name; hidden_activation means what it says */
    if (!value) {
        value = item(r->root, key = "hidden_act");
        old_name =
            family->gelu_is_tanh && (!value || (cJSON_IsString(value) && strcmp(value->valuestring, "gelu") == 0));
    }
    if (!value || old_name) {
        c->activation = family->gelu_is_tanh ? KERNELS_GELU_TANH : KERNELS_SILU;
        return DOCKET_OK;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names) && cJSON_IsString(value); i++)
        if (strcmp(value->valuestring, names[i].name) == 0) {
            c->activation = names[i].activation;
            return DOCKET_OK;
        }
    json_describe(value, found, sizeof(found));
    return unsupported(r, "$.%s: %s is not computed, only \"silu\" and \"gelu_pytorch_tanh\"", key, found);
}

static enum status read_stretch(const struct reader *r, const cJSON *rope, const char *path, struct model_config *c)
{
    struct {
        const char *key;
        double *to;
        bool llama3;
    } numbers[] = {
        {"factor", &c->rope_factor, false},
        {"low_freq_factor", &c->rope_low_factor, true},
        {"high_freq_factor", &c->rope_high_factor, true},
        {"original_max_position_embeddings", &c->rope_original_positions, true},
    };
    c->rope_original_positions = (double)c->max_position;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (numbers[i].llama3 && c->rope != ROPE_LLAMA3) continue;
        enum status st = read_real(r, rope, path, numbers[i].key, 1e9, numbers[i].to);
        if (st != DOCKET_OK) return st;
        if (*numbers[i].to == 0) return unsupported(r, "%s.%s: missing", path, numbers[i].key);
    }
    if (c->rope == ROPE_LLAMA3 && !(c->rope_high_factor > c->rope_low_factor))
        return unsupported(r, "%s.high_freq_factor: want more than low_freq_factor %g, got %g", path,
                           c->rope_low_factor, c->rope_high_factor);
    return DOCKET_OK;
}

/* rope_scaling of transformers 4 and rope_parameters of transformers 5. */
static enum status read_rope_object(const struct reader *r, const char *key, struct model_config *c, double *theta)
{
    static const char *const plain[] = {"rope_theta", "rope_type", "type", "partial_rotary_factor", NULL};
    static const char *const linear[] = {"rope_theta", "rope_type", "type", "partial_rotary_factor", "factor", NULL};
    static const char *const llama3[] = {"rope_theta",
                                         "rope_type",
                                         "type",
                                         "factor",
                                         "low_freq_factor",
                                         "high_freq_factor",
                                         "partial_rotary_factor",
                                         "original_max_position_embeddings",
                                         NULL};
    static const struct {
        const char *name;
        const char *const *keys;
    } kinds[] = {
        [ROPE_PLAIN] = {"default", plain}, [ROPE_LINEAR] = {"linear", linear}, [ROPE_LLAMA3] = {"llama3", llama3}};
    static const char *const says[] = {"rope_type", "type"};
    char found[128], path[64];
    size_t kind = ROPE_PLAIN;
    const cJSON *rope = item(r->root, key);
    if (!rope) return DOCKET_OK;
    if (!cJSON_IsObject(rope)) {
        json_describe(rope, found, sizeof(found));
        return unsupported(r, "$.%s: want an object, got %s", key, found);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(says); i++) {
        const cJSON *said = item(rope, says[i]);
        if (!said) continue;
        size_t is = 0;
        while (is < ARRAY_LENGTH(kinds) && !(cJSON_IsString(said) && strcmp(said->valuestring, kinds[is].name) == 0))
            is++;
        if (is == ARRAY_LENGTH(kinds) || (kind != ROPE_PLAIN && kind != is)) {
            json_describe(said, found, sizeof(found));
            return unsupported(r, "$.%s.%s: %s is not computed, only \"default\", \"linear\" and \"llama3\"", key,
                               says[i], found);
        }
        kind = is;
    }
    snprintf(path, sizeof(path), "$.%s", key);
    const cJSON *partial = item(rope, "partial_rotary_factor");
    if (partial && !(cJSON_IsNumber(partial) && partial->valuedouble == 1)) {
        json_describe(partial, found, sizeof(found));
        return unsupported(r, "%s.partial_rotary_factor: %s is not computed, only 1", path, found);
    }
    enum status st = json_only_keys(rope, path, kinds[kind].keys, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if (kind != ROPE_PLAIN) {
        if (c->rope != ROPE_PLAIN) return unsupported(r, "%s: stretches what rope_scaling stretches already", path);
        c->rope = (enum model_rope)kind;
        if ((st = read_stretch(r, rope, path, c)) != DOCKET_OK) return st;
    }
    return read_real(r, rope, path, "rope_theta", 1e15, theta);
}

static enum status read_rope(const struct reader *r, const struct family *family, struct model_config *c)
{
    double outer = 0, inner = 0, scaling = 0;
    enum status st = read_real(r, r->root, "$", "rope_theta", 1e15, &outer);
    if (st == DOCKET_OK) st = read_rope_object(r, "rope_scaling", c, &scaling);
    if (st == DOCKET_OK) st = read_rope_object(r, "rope_parameters", c, &inner);
    if (st != DOCKET_OK) return st;
    if (inner == 0) inner = scaling;
    if (outer > 0 && inner > 0 && outer != inner)
        return unsupported(r, "$.rope_theta: %g, but rope_parameters say %g", outer, inner);
    c->rope_theta = inner > 0 ? inner : outer > 0 ? outer : family->rope_theta;
    return DOCKET_OK;
}

static enum status read_heads(const struct reader *r, const struct family *family, struct model_config *c)
{
    enum status st = read_size(r, "num_attention_heads", MAX_HEADS, 0, &c->n_heads);
    if (st != DOCKET_OK) return st;
    bool null = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->root, "num_key_value_heads"));
    size_t absent = null || !family->n_kv_heads ? c->n_heads : family->n_kv_heads;
    st = read_size(r, "num_key_value_heads", MAX_HEADS, absent, &c->n_kv_heads);
    if (st != DOCKET_OK) return st;
    bool given = item(r->root, "head_dim") != NULL || family->head_size;
    if (!given && c->dim % c->n_heads != 0)
        return unsupported(r, "$.num_attention_heads: %zu do not divide hidden_size %zu", c->n_heads, c->dim);
    size_t even = family->head_size ? family->head_size : c->dim / c->n_heads;
    st = read_size(r, "head_dim", KERNELS_MAX_HEAD_SIZE, even ? even : 1, &c->head_size);
    if (st != DOCKET_OK) return st;
    if (c->head_size > KERNELS_MAX_HEAD_SIZE || c->head_size % 2 != 0)
        return unsupported(r, "$.head_dim: heads of %zu are not computed, only even ones up to %d", c->head_size,
                           KERNELS_MAX_HEAD_SIZE);
    if (c->n_kv_heads == 0 || c->n_kv_heads > c->n_heads || c->n_heads % c->n_kv_heads != 0)
        return unsupported(r, "$.num_key_value_heads: %zu do not divide num_attention_heads %zu", c->n_kv_heads,
                           c->n_heads);
    return DOCKET_OK;
}

/* The layers without experts: those that mlp_only_layers names, and those that decoder_sparse_step steps over. */
static enum status read_dense_layers(const struct reader *r, struct model_config *c)
{
    size_t step = 1;
    char found[128];
    const cJSON *list = item(r->root, "mlp_only_layers"), *one;
    enum status st = read_size(r, "decoder_sparse_step", MODEL_MAX_LAYERS, 1, &step);
    if (st != DOCKET_OK) return st;
    for (size_t l = 0; l < c->n_layers; l++)
        if ((l + 1) % step != 0) c->dense_layers[l / 8] |= (uint8_t)(1u << l % 8);
    if (list && !cJSON_IsArray(list)) {
        json_describe(list, found, sizeof(found));
        return unsupported(r, "$.mlp_only_layers: want an array, got %s", found);
    }
    cJSON_ArrayForEach(one, list)
    {
        double l = cJSON_IsNumber(one) ? one->valuedouble : -1;
        if (!(l >= 0 && l < (double)c->n_layers) || l != (double)(size_t)l) {
            json_describe(one, found, sizeof(found));
            return unsupported(r, "$.mlp_only_layers: want layers below %zu, got %s", c->n_layers, found);
        }
        c->dense_layers[(size_t)l / 8] |= (uint8_t)(1u << (size_t)l % 8);
    }
    return DOCKET_OK;
}

static enum status read_experts(const struct reader *r, const struct family *family, struct model_config *c)
{
    enum status st;
    size_t other = 0;
    bool present, renormalize = family->renormalize;
    const char *key = item(r->root, "num_local_experts") ? "num_local_experts" : "num_experts";
    if (!family->experts) return DOCKET_OK;
    if (!item(r->root, key)) key = "num_local_experts";
    st = read_size(r, key, KERNELS_MAX_EXPERTS, 0, &c->n_experts);
    if (st == DOCKET_OK) st = read_size(r, "num_experts", KERNELS_MAX_EXPERTS, c->n_experts, &other);
    if (st == DOCKET_OK) st = read_size(r, "num_experts_per_tok", KERNELS_MAX_TOP_K, 0, &c->top_k);
    if (st != DOCKET_OK) return st;
    if (other != c->n_experts)
        return unsupported(r, "$.num_experts: %zu, but num_local_experts says %zu", other, c->n_experts);
    if (c->top_k > c->n_experts)
        return unsupported(r, "$.num_experts_per_tok: %zu of %zu experts", c->top_k, c->n_experts);
    if (family->handled & TOP_K_SUM) {
        st = json_get_bool(r->root, "$", "norm_topk_prob", &renormalize, &present, r->err);
        if (st != DOCKET_OK) return about_config(r, st);
    }
    c->renormalize = renormalize;
    if (family->expert_width) {
        c->dense_ffn_dim = c->ffn_dim;
        if ((st = read_size(r, family->expert_width, MAX_FFN, 0, &c->ffn_dim)) != DOCKET_OK) return st;
    }
    return family->handled & DENSE_LAYERS ? read_dense_layers(r, c) : DOCKET_OK;
}

static enum status read_window(const struct reader *r, const struct family *family, struct model_config *c)
{
    int64_t window = 0;
    bool present, used = !(family->handled & WINDOW_SWITCH), said;
    if (!(family->handled & WINDOW)) return DOCKET_OK;
    enum status st = json_get_bool(r->root, "$", "use_sliding_window", &used, &said, r->err);
    if (st == DOCKET_OK)
        st = json_get_integer(r->root, "$", "sliding_window", 1, MAX_POSITION, &window, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if (present && said && !used && !(family->handled & WINDOW_SWITCH))
        return unsupported(r, "$.use_sliding_window: false, which this family does not read, with sliding_window %lld",
                           (long long)window);
    bool null = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->root, "sliding_window"));
    c->window = !used ? 0 : present ? (uint32_t)window : null ? 0 : family->window;
    return DOCKET_OK;
}

static enum status read_attention(const struct reader *r, const struct family *family, struct model_config *c)
{
    bool present;
    enum status st = DOCKET_OK;
    c->qk_norm = family->qk_norm;
    if (family->handled & ATTENTION_BIAS)
        st = json_get_bool(r->root, "$", "attention_bias", &c->attention_bias, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if (family->handled & CLIP_QKV) st = read_real(r, r->root, "$", "clip_qkv", 1e30, &c->clip_qkv);
    return st;
}

static enum status read_ids(const struct reader *r, struct model_config *c)
{
    int64_t id = -1;
    bool present;
    char found[128];
    enum status st = json_get_integer(r->root, "$", "bos_token_id", 0, (int64_t)c->vocab - 1, &id, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    c->bos_id = present ? (int32_t)id : -1;
    const cJSON *eos = item(r->root, "eos_token_id"), *one = cJSON_IsArray(eos) ? eos->child : eos;
    for (; one; one = cJSON_IsArray(eos) ? one->next : NULL) {
        if (c->n_eos == MODEL_MAX_EOS) return unsupported(r, "$.eos_token_id: more than %d tokens", MODEL_MAX_EOS);
        double number = cJSON_IsNumber(one) ? one->valuedouble : -1;
        if (!(number >= 0 && number < (double)c->vocab) || number != (double)(int32_t)number) {
            json_describe(one, found, sizeof(found));
            return unsupported(r, "$.eos_token_id: want ids below the vocabulary of %zu, got %s", c->vocab, found);
        }
        c->eos_ids[c->n_eos++] = (int32_t)number;
    }
    return DOCKET_OK;
}

/* All weights together must be countable in 63 bits of bytes, at four bytes each. */
static enum status check_total(const struct reader *r, const struct model_config *c)
{
    size_t experts = c->n_experts ? c->n_experts : 1, ffn, dense, attention, layer, all, tables;
    bool good = size_mul(3 * experts, c->dim, &ffn) && size_mul(ffn, c->ffn_dim, &ffn) &&
                size_mul(3 * c->dim, c->dense_ffn_dim, &dense) && size_add(ffn, dense, &ffn) &&
                size_mul(2 * (c->n_heads + c->n_kv_heads) * c->head_size, c->dim, &attention) &&
                size_add(ffn, attention, &layer) && size_mul(layer, c->n_layers, &all) &&
                size_mul(2 * c->vocab, c->dim, &tables) && size_add(all, tables, &all) && all < (size_t)1 << 60;
    if (good) return DOCKET_OK;
    return unsupported(r, "%zu layers of %zu experts of %zu x %zu and %zu tokens are more weights than 64 bits count",
                       c->n_layers, experts, c->dim, c->ffn_dim, c->vocab);
}

static enum status read_all(const struct reader *r, struct model_config *c)
{
    const struct family *family = NULL;
    bool present;
    enum status st = find_family(r, &family);
    if (st != DOCKET_OK) return st;
    snprintf(c->architecture, sizeof(c->architecture), "%s", family->architecture);
    c->tied_head = family->tied_head;
    c->rms_eps = family->rms_eps;
    c->norm_plus_one = family->norm_plus_one;
    c->scale_embedding = family->scale_embedding;
    if ((st = refuse_foreign_keys(r, family)) != DOCKET_OK) return st;
    if ((st = read_quantization(r, c)) != DOCKET_OK) return st;
    if ((st = read_size(r, "num_hidden_layers", MODEL_MAX_LAYERS, 0, &c->n_layers)) != DOCKET_OK) return st;
    if ((st = read_size(r, "hidden_size", MAX_DIM, 0, &c->dim)) != DOCKET_OK) return st;
    if ((st = read_size(r, "intermediate_size", MAX_FFN, 0, &c->ffn_dim)) != DOCKET_OK) return st;
    if ((st = read_size(r, "vocab_size", MAX_VOCAB, 0, &c->vocab)) != DOCKET_OK) return st;
    if ((st = read_heads(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_experts(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_attention(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_activation(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_real(r, r->root, "$", "rms_norm_eps", 1, &c->rms_eps)) != DOCKET_OK) return st;
    st = read_size(r, "max_position_embeddings", MAX_POSITION, family->max_position, &c->max_position);
    if (st != DOCKET_OK) return st;
    if ((st = read_rope(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_window(r, family, c)) != DOCKET_OK) return st;
    st = json_get_bool(r->root, "$", "tie_word_embeddings", &c->tied_head, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if ((st = read_ids(r, c)) != DOCKET_OK) return st;
    return check_total(r, c);
}

bool model_config_is_stored_quantized(const struct model_config *config)
{
    return config->prequantized == PREQUANTIZED_BITSANDBYTES || config->prequantized == PREQUANTIZED_DOCKET;
}

size_t model_config_experts(const struct model_config *c, size_t layer)
{
    return c->dense_layers[layer / 8] >> layer % 8 & 1 ? 0 : c->n_experts;
}

size_t model_config_ffn_dim(const struct model_config *c, size_t layer)
{
    return c->n_experts && model_config_experts(c, layer) == 0 ? c->dense_ffn_dim : c->ffn_dim;
}

/* In double and rounded once, as transformers computes them up to rounding. */
void model_config_frequencies(const struct model_config *c, float *inverse_frequency)
{
    static const double pi = 3.14159265358979323846;
    size_t d = c->head_size;
    for (size_t i = 0; i < d / 2; i++) {
        double f = 1.0 / pow(c->rope_theta, 2.0 * (double)i / (double)d), n_waves, smooth;
        if (c->rope == ROPE_LINEAR) f /= c->rope_factor;
        if (c->rope == ROPE_LLAMA3) { /* long waves are stretched, short ones are not, and those between in part */
            n_waves = c->rope_original_positions * f / (2 * pi);
            smooth = (n_waves - c->rope_low_factor) / (c->rope_high_factor - c->rope_low_factor);
            smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
            f = (1 - smooth) * f / c->rope_factor + smooth * f;
        }
        inverse_frequency[i] = (float)f;
    }
}

enum status model_config_parse(struct model_config *out, const char *json, size_t length, struct error *err)
{
    const struct json_limits limits = {.max_bytes = 4 * MIB};
    struct error inner = {0};
    struct reader r = {.err = &inner};
    struct model_config config = {.bos_id = -1};
    cJSON *root = NULL;
    enum status st = json_parse(&root, json, length, &limits, &inner);
    r.root = root;
    if (st != DOCKET_OK)
        st = about_config(&r, st);
    else if (!cJSON_IsObject(root))
        st = unsupported(&r, "want a JSON object");
    else
        st = read_all(&r, &config);
    cJSON_Delete(root);
    if (st == DOCKET_OK)
        *out = config;
    else if (err)
        *err = inner;
    return st;
}
