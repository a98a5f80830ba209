/* model_config.c: config.json → the numbers of a forward pass. A family is a row of a table; whatever the family would not
 * compute as its reference does is refused by name. */
#include "worker/model/model_config.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Upper ends that no model comes near; beyond them sizes stop making sense. */
#define MAX_LAYERS   1024
#define MAX_DIM      (1 << 20)
#define MAX_FFN      (1 << 22)
#define MAX_VOCAB    (1 << 22)
#define MAX_HEADS    1024
#define MAX_POSITION (1 << 30)

/* One row a family: what its code in transformers does that its config.json does not say. */
static const struct family {
    const char *architecture, *model_type;
    bool experts;        /* num_local_experts, num_experts_per_tok */
    bool renormalize;    /* the chosen experts' weights are divided by their sum */
    bool tied_head;      /* when tie_word_embeddings is absent */
    double rope_theta;   /* when absent */
    double rms_eps;      /* when absent */
    size_t n_kv_heads;   /* when absent; null means num_attention_heads */
    size_t max_position; /* when absent */
} families[] = {
    {"MixtralForCausalLM", "mixtral", .experts = true, .renormalize = true, .rope_theta = 1e6, .rms_eps = 1e-5,
     .n_kv_heads = 8, .max_position = 131072},
};

/* Keys that would change the arithmetic, and the only value under which they do not. A number stands for itself, also as
 * text of a boolean. */
static const struct neutral {
    const char *key;
    double value;
    bool or_absent_only; /* nothing but null will do */
} neutrals[] = {
    {"attention_bias", 0, false},
    {"mlp_bias", 0, false},
    {"attention_qkv_bias", 0, false},
    {"qkv_bias", 0, false},
    {"use_bias", 0, false},
    {"bias", 0, false},
    {"use_qk_norm", 0, false},
    {"qk_norm", 0, false},
    {"qk_layernorm", 0, false},
    {"clip_qkv", 0, true},
    {"attn_logit_softcapping", 0, true},
    {"final_logit_softcapping", 0, true},
    {"logit_scale", 1, false},
    {"logits_scaling", 1, false},
    {"embedding_multiplier", 1, false},
    {"residual_multiplier", 1, false},
    {"attention_multiplier", 0, true},
    {"query_pre_attn_scalar", 0, true},
    {"partial_rotary_factor", 1, false},
    {"rotary_pct", 1, false},
    {"rope_interleaved", 0, false},
    {"use_parallel_residual", 0, false},
    {"parallel_attn", 0, false},
    {"alibi", 0, false},
    {"n_shared_experts", 0, false},
    {"num_shared_experts", 0, false},
    {"first_k_dense_replace", 0, false},
    {"mlp_only_layers", 0, true},
    {"norm_topk_prob", 1, false},
    {"routed_scaling_factor", 1, false},
    {"scoring_func", 0, true},
    {"n_group", 1, false},
    {"kv_lora_rank", 0, true},
    {"layer_types", 0, true},
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
    *out = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
        if (strcmp(first->valuestring, families[i].architecture) == 0) *out = &families[i];
    json_describe(first, found, sizeof(found));
    if (!*out) return unsupported(r, "$.architectures: %s is not computed, only %s", found, families[0].architecture);
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

static enum status refuse_foreign_keys(const struct reader *r)
{
    char found[128];
    const cJSON *quantization = item(r->root, "quantization_config");
    if (quantization) {
        const cJSON *method = item(quantization, "quant_method");
        json_describe(method ? method : quantization, found, sizeof(found));
        return unsupported(r,
                           "$.quantization_config: a checkpoint that is quantized already (%s) is not read; take the "
                           "original in 16 or 32 bits, docket quantizes it itself",
                           found);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(neutrals); i++) {
        const cJSON *value = item(r->root, neutrals[i].key);
        if (!value || is_neutral(&neutrals[i], value)) continue;
        json_describe(value, found, sizeof(found));
        return unsupported(r, "$.%s: %s is not computed", neutrals[i].key, found);
    }
    return DOCKET_OK;
}

static enum status read_activation(const struct reader *r, struct model_config *c)
{
    char found[128];
    const cJSON *value = item(r->root, "hidden_act");
    if (value && (!cJSON_IsString(value) || strcmp(value->valuestring, "silu") != 0)) {
        json_describe(value, found, sizeof(found));
        return unsupported(r, "$.hidden_act: %s is not computed, only \"silu\"", found);
    }
    c->activation = KERNELS_SILU;
    return DOCKET_OK;
}

/* rope_scaling of transformers 4 and rope_parameters of transformers 5: nothing but the plain kind. */
static enum status check_rope(const struct reader *r, const char *key, double *theta)
{
    static const char *const harmless[] = {"rope_theta", "rope_type", "type", "partial_rotary_factor", NULL};
    static const char *const kinds[] = {"rope_type", "type"};
    char found[128], path[64];
    const cJSON *rope = item(r->root, key);
    if (!rope) return DOCKET_OK;
    if (!cJSON_IsObject(rope)) {
        json_describe(rope, found, sizeof(found));
        return unsupported(r, "$.%s: want an object, got %s", key, found);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        const cJSON *kind = item(rope, kinds[i]);
        if (!kind || (cJSON_IsString(kind) && strcmp(kind->valuestring, "default") == 0)) continue;
        json_describe(kind, found, sizeof(found));
        return unsupported(r, "$.%s.%s: %s is not computed, only \"default\"", key, kinds[i], found);
    }
    snprintf(path, sizeof(path), "$.%s", key);
    const cJSON *partial = item(rope, "partial_rotary_factor");
    if (partial && !(cJSON_IsNumber(partial) && partial->valuedouble == 1)) {
        json_describe(partial, found, sizeof(found));
        return unsupported(r, "%s.partial_rotary_factor: %s is not computed, only 1", path, found);
    }
    enum status st = json_only_keys(rope, path, harmless, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    return read_real(r, rope, path, "rope_theta", 1e15, theta);
}

static enum status read_rope(const struct reader *r, const struct family *family, struct model_config *c)
{
    double outer = 0, inner = 0, scaling = 0;
    enum status st = read_real(r, r->root, "$", "rope_theta", 1e15, &outer);
    if (st == DOCKET_OK) st = check_rope(r, "rope_scaling", &scaling);
    if (st == DOCKET_OK) st = check_rope(r, "rope_parameters", &inner);
    if (st != DOCKET_OK) return st;
    if (inner == 0) inner = scaling;
    if (outer > 0 && inner > 0 && outer != inner)
        return unsupported(r, "$.rope_theta: %g, but rope_parameters say %g", outer, inner);
    c->rope_theta = inner > 0 ? inner : outer > 0 ? outer : family->rope_theta;
    return DOCKET_OK;
}

static enum status read_heads(const struct reader *r, const struct family *family, struct model_config *c)
{
    size_t even = 0;
    enum status st = read_size(r, "num_attention_heads", MAX_HEADS, 0, &c->n_heads);
    if (st != DOCKET_OK) return st;
    bool null = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->root, "num_key_value_heads"));
    st = read_size(r, "num_key_value_heads", MAX_HEADS, null ? c->n_heads : family->n_kv_heads, &c->n_kv_heads);
    if (st != DOCKET_OK) return st;
    bool given = item(r->root, "head_dim") != NULL;
    if (!given && c->dim % c->n_heads != 0)
        return unsupported(r, "$.num_attention_heads: %zu do not divide hidden_size %zu", c->n_heads, c->dim);
    even = c->dim / c->n_heads;
    st = read_size(r, "head_dim", KERNELS_MAX_HEAD_SIZE, even ? even : 1, &c->head_size);
    if (st != DOCKET_OK) return st;
    if (c->head_size > KERNELS_MAX_HEAD_SIZE || c->head_size % 2 != 0)
        return unsupported(r, "$.head_dim: heads of %zu are not computed, only even ones up to %d", c->head_size,
                           KERNELS_MAX_HEAD_SIZE);
    if (c->n_kv_heads > c->n_heads || c->n_heads % c->n_kv_heads != 0)
        return unsupported(r, "$.num_key_value_heads: %zu do not divide num_attention_heads %zu", c->n_kv_heads,
                           c->n_heads);
    return DOCKET_OK;
}

static enum status read_experts(const struct reader *r, const struct family *family, struct model_config *c)
{
    if (!family->experts) return DOCKET_OK;
    enum status st = read_size(r, "num_local_experts", KERNELS_MAX_EXPERTS, 0, &c->n_experts);
    if (st == DOCKET_OK) st = read_size(r, "num_experts_per_tok", KERNELS_MAX_TOP_K, 0, &c->top_k);
    if (st != DOCKET_OK) return st;
    if (c->top_k > c->n_experts)
        return unsupported(r, "$.num_experts_per_tok: %zu of %zu experts", c->top_k, c->n_experts);
    c->renormalize = family->renormalize;
    return DOCKET_OK;
}

static enum status read_window(const struct reader *r, struct model_config *c)
{
    int64_t window = 0;
    bool present, used = true, said;
    enum status st = json_get_bool(r->root, "$", "use_sliding_window", &used, &said, r->err);
    if (st == DOCKET_OK)
        st = json_get_integer(r->root, "$", "sliding_window", 1, MAX_POSITION, &window, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    c->window = present && used ? (uint32_t)window : 0;
    return DOCKET_OK;
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
    size_t experts = c->n_experts ? c->n_experts : 1, ffn, attention, layer, all, tables;
    bool good = size_mul(3 * experts, c->dim, &ffn) && size_mul(ffn, c->ffn_dim, &ffn) &&
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
    if ((st = refuse_foreign_keys(r)) != DOCKET_OK) return st;
    if ((st = read_size(r, "num_hidden_layers", MAX_LAYERS, 0, &c->n_layers)) != DOCKET_OK) return st;
    if ((st = read_size(r, "hidden_size", MAX_DIM, 0, &c->dim)) != DOCKET_OK) return st;
    if ((st = read_size(r, "intermediate_size", MAX_FFN, 0, &c->ffn_dim)) != DOCKET_OK) return st;
    if ((st = read_size(r, "vocab_size", MAX_VOCAB, 0, &c->vocab)) != DOCKET_OK) return st;
    if ((st = read_heads(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_experts(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_activation(r, c)) != DOCKET_OK) return st;
    if ((st = read_rope(r, family, c)) != DOCKET_OK) return st;
    if ((st = read_real(r, r->root, "$", "rms_norm_eps", 1, &c->rms_eps)) != DOCKET_OK) return st;
    st = read_size(r, "max_position_embeddings", MAX_POSITION, family->max_position, &c->max_position);
    if (st != DOCKET_OK) return st;
    if ((st = read_window(r, c)) != DOCKET_OK) return st;
    st = json_get_bool(r->root, "$", "tie_word_embeddings", &c->tied_head, &present, r->err);
    if (st != DOCKET_OK) return about_config(r, st);
    if ((st = read_ids(r, c)) != DOCKET_OK) return st;
    return check_total(r, c);
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
