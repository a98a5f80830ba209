/* config.json: what is computed is read right, what is not is refused by its name. Rows M1 to M4. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/model/model_config.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *key, *value;
} base[] = {
    {"architectures", "[\"MixtralForCausalLM\"]"},
    {"model_type", "\"mixtral\""},
    {"vocab_size", "32000"},
    {"hidden_size", "4096"},
    {"intermediate_size", "14336"},
    {"num_hidden_layers", "32"},
    {"num_attention_heads", "32"},
    {"num_key_value_heads", "8"},
    {"hidden_act", "\"silu\""},
    {"max_position_embeddings", "32768"},
    {"rms_norm_eps", "1e-05"},
    {"rope_theta", "1000000.0"},
    {"sliding_window", "null"},
    {"num_experts_per_tok", "2"},
    {"num_local_experts", "8"},
    {"bos_token_id", "1"},
    {"eos_token_id", "2"},
    {"tie_word_embeddings", "false"},
    {"torch_dtype", "\"bfloat16\""},
};

/* The base with `key` set to `value` (NULL: left out), or added. */
static void make(struct buffer *out, const char *key, const char *value)
{
    bool done = false;
    buffer_clear(out);
    buffer_append_char(out, '{');
    for (size_t i = 0; i < ARRAY_LENGTH(base); i++) {
        bool mine = key && strcmp(base[i].key, key) == 0;
        const char *text = mine ? value : base[i].value;
        done |= mine;
        if (text) buffer_printf(out, "%s\"%s\":%s", out->length > 1 ? "," : "", base[i].key, text);
    }
    if (key && !done && value) buffer_printf(out, ",\"%s\":%s", key, value);
    buffer_append_char(out, '}');
}

static enum status parse(struct model_config *c, const char *key, const char *value, struct error *err)
{
    struct buffer text = {0};
    make(&text, key, value);
    memset(c, 0x55, sizeof(*c));
    *err = (struct error){0};
    enum status st = model_config_parse(c, text.data, text.length, err);
    buffer_free(&text);
    return st;
}

static void mixtral_is_read(void **state)
{
    (void)state;
    struct model_config c;
    struct error err;
    if (parse(&c, NULL, NULL, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_string_equal(c.architecture, "MixtralForCausalLM");
    assert_int_equal(c.n_layers, 32);
    assert_int_equal(c.dim, 4096);
    assert_int_equal(c.ffn_dim, 14336);
    assert_int_equal(c.vocab, 32000);
    assert_int_equal(c.n_heads, 32);
    assert_int_equal(c.n_kv_heads, 8);
    assert_int_equal(c.head_size, 128);
    assert_int_equal(c.n_experts, 8);
    assert_int_equal(c.top_k, 2);
    assert_true(c.renormalize);
    assert_true(c.rope_theta == 1e6 && c.rms_eps == 1e-5);
    assert_int_equal(c.max_position, 32768);
    assert_int_equal(c.window, 0);
    assert_false(c.tied_head);
    assert_int_equal(c.activation, KERNELS_SILU);
    assert_int_equal(c.bos_id, 1);
    assert_int_equal(c.n_eos, 1);
    assert_int_equal(c.eos_ids[0], 2);
}

static void both_styles_of_transformers_say_the_same(void **state)
{
    (void)state;
    static const char five[] =
        "{\"architectures\":[\"MixtralForCausalLM\"],\"attention_dropout\":0.0,\"bos_token_id\":1,\"dtype\":"
        "\"bfloat16\","
        "\"eos_token_id\":[2,7],\"head_dim\":null,\"hidden_act\":\"silu\",\"hidden_size\":64,\"initializer_range\":0."
        "02,"
        "\"intermediate_size\":96,\"max_position_embeddings\":131072,\"model_type\":\"mixtral\",\"num_attention_"
        "heads\":4,"
        "\"num_experts_per_tok\":2,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"num_local_experts\":4,"
        "\"output_router_logits\":false,\"pad_token_id\":null,\"rms_norm_eps\":1e-06,\"rope_parameters\":"
        "{\"rope_theta\":500000.0,\"rope_type\":\"default\"},\"router_aux_loss_coef\":0.001,\"router_jitter_noise\":0."
        "0,"
        "\"sliding_window\":1024,\"tie_word_embeddings\":true,\"transformers_version\":\"5.23.0\",\"use_cache\":true,"
        "\"vocab_size\":32000}";
    struct model_config c;
    struct error err;
    if (model_config_parse(&c, five, strlen(five), &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(c.head_size, 16);
    assert_true(c.rope_theta == 500000.0 && c.rms_eps == 1e-6);
    assert_int_equal(c.window, 1024);
    assert_true(c.tied_head);
    assert_int_equal(c.n_eos, 2);
    assert_int_equal(c.eos_ids[1], 7);
}

static const struct {
    const char *name, *key, *value;
    const char *part; /* of the message; NULL: accepted */
} cases[] = {
    {"m1_no_layers", "num_hidden_layers", "0", "num_hidden_layers"},
    {"m1_negative_layers", "num_hidden_layers", "-1", "got -1"},
    {"m1_a_billion_layers", "num_hidden_layers", "1000000000", "got 1000000000"},
    {"m1_half_a_layer", "num_hidden_layers", "1.5", "got 1.5"},
    {"m1_layers_as_text", "num_hidden_layers", "\"32\"", "got \"32\""},
    {"m1_layers_missing", "num_hidden_layers", NULL, "missing"},
    {"m1_layers_null", "num_hidden_layers", "null", "missing"},
    {"m1_heads_that_do_not_divide", "num_attention_heads", "33", "33 do not divide hidden_size 4096"},
    {"m1_no_heads", "num_attention_heads", "0", "num_attention_heads"},
    {"m1_more_kv_heads_than_heads", "num_key_value_heads", "64", "num_key_value_heads: 64"},
    {"m1_kv_heads_that_do_not_divide", "num_key_value_heads", "5", "num_key_value_heads: 5"},
    {"m1_no_kv_heads", "num_key_value_heads", "0", "num_key_value_heads"},
    {"m1_no_experts", "num_local_experts", "0", "num_local_experts"},
    {"m1_too_many_experts", "num_local_experts", "257", "got 257"},
    {"m1_more_chosen_than_there_are", "num_experts_per_tok", "9", "9 of 8 experts"},
    {"m1_none_chosen", "num_experts_per_tok", "0", "num_experts_per_tok"},
    {"m1_no_vocabulary", "vocab_size", "0", "vocab_size"},
    {"m1_huge_vocabulary", "vocab_size", "4294967297", "vocab_size"},
    {"m1_no_width", "hidden_size", "0", "hidden_size"},
    {"m2_width_beyond_all_models", "hidden_size", "2147483648", "hidden_size"},
    {"m2_width_beyond_2_63", "hidden_size", "9223372036854775808", "hidden_size"},
    {"m1_ffn_beyond_all_models", "intermediate_size", "99999999", "intermediate_size"},
    {"m1_head_too_large", "head_dim", "512", "head_dim"},
    {"m1_odd_head", "head_dim", "127", "head_dim"},
    {"head_of_its_own_size", "head_dim", "64", NULL},
    {"head_null", "head_dim", "null", NULL},
    {"m1_no_positions", "max_position_embeddings", "0", "max_position_embeddings"},
    {"m1_endless_positions", "max_position_embeddings", "1e30", "max_position_embeddings"},
    {"m3_theta_zero", "rope_theta", "0", "rope_theta"},
    {"m3_theta_negative", "rope_theta", "-1", "got -1"},
    {"m3_theta_infinite", "rope_theta", "1e400", "not a finite number"},
    {"m3_theta_so_small_that_a_float_loses_it", "rope_theta", "1e-300", "rope_theta"},
    {"m3_theta_as_text", "rope_theta", "\"1e6\"", "rope_theta"},
    {"theta_absent_is_the_family_s", "rope_theta", NULL, NULL},
    {"m3_eps_zero", "rms_norm_eps", "0", "rms_norm_eps"},
    {"m3_eps_negative", "rms_norm_eps", "-1e-5", "rms_norm_eps"},
    {"m3_eps_large", "rms_norm_eps", "2", "rms_norm_eps"},
    {"m3_other_activation", "hidden_act", "\"gelu\"", "\"gelu\" is not computed"},
    {"m3_activation_of_another_case", "hidden_act", "\"SiLU\"", "is not computed"},
    {"m3_activation_as_number", "hidden_act", "1", "hidden_act"},
    {"linear_scaling", "rope_scaling", "{\"type\":\"linear\",\"factor\":2}", NULL},
    {"m3_linear_scaling_without_factor", "rope_scaling", "{\"type\":\"linear\"}", "rope_scaling.factor: missing"},
    {"m3_linear_scaling_by_nothing", "rope_scaling", "{\"type\":\"linear\",\"factor\":0}", "got 0"},
    {"m3_linear_scaling_with_more", "rope_scaling", "{\"type\":\"linear\",\"factor\":2,\"beta_fast\":1}",
     "beta_fast: unknown key"},
    {"llama3_scaling", "rope_scaling",
     "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
     "\"original_max_position_embeddings\":8192}",
     NULL},
    {"m3_llama3_with_equal_ends", "rope_scaling",
     "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}",
     "want more than low_freq_factor 4, got 4"},
    {"m3_dynamic", "rope_scaling", "{\"type\":\"dynamic\",\"factor\":2}", "\"dynamic\" is not computed"},
    {"m3_longrope", "rope_scaling", "{\"type\":\"longrope\"}", "\"longrope\" is not computed"},
    {"m3_two_kinds", "rope_scaling", "{\"type\":\"linear\",\"rope_type\":\"llama3\",\"factor\":2}", "is not computed"},
    {"m3_yarn", "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4}", "\"yarn\" is not computed"},
    {"m3_scaling_without_kind", "rope_scaling", "{\"factor\":4}", "factor: unknown key"},
    {"m3_scaling_as_text", "rope_scaling", "\"linear\"", "want an object"},
    {"plain_scaling", "rope_scaling", "{\"type\":\"default\"}", NULL},
    {"no_scaling", "rope_scaling", "null", NULL},
    {"m3_llama3_in_parameters", "rope_parameters", "{\"rope_type\":\"llama3\",\"rope_theta\":1000000.0}",
     "rope_parameters.factor: missing"},
    {"m3_parameters_by_layer", "rope_parameters", "{\"full_attention\":{\"rope_theta\":1000000.0}}", "full_attention"},
    {"m3_two_thetas", "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":10000}", "rope_theta: 1e+06, but"},
    {"same_theta_twice", "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":1000000}", NULL},
    {"m3_rotates_in_part", "partial_rotary_factor", "0.5", "partial_rotary_factor: 0.5 is not computed"},
    {"m3_rotates_in_part_inside", "rope_parameters", "{\"rope_theta\":1000000.0,\"partial_rotary_factor\":0.5}",
     "partial_rotary_factor"},
    {"m3_attention_bias", "attention_bias", "true", "attention_bias: true is not computed"},
    {"no_attention_bias", "attention_bias", "false", NULL},
    {"m3_mlp_bias", "mlp_bias", "true", "mlp_bias"},
    {"m3_norm_of_queries", "use_qk_norm", "true", "use_qk_norm"},
    {"m3_soft_cap", "final_logit_softcapping", "30.0", "final_logit_softcapping"},
    {"no_soft_cap", "final_logit_softcapping", "null", NULL},
    {"m3_logit_scale", "logit_scale", "0.0625", "logit_scale"},
    {"m3_weights_not_normalized", "norm_topk_prob", "false", "norm_topk_prob"},
    {"m3_shared_experts", "n_shared_experts", "1", "n_shared_experts"},
    {"m3_dense_layers", "mlp_only_layers", "[0]", "mlp_only_layers"},
    {"no_dense_layers", "mlp_only_layers", "[]", NULL},
    {"quantized_already", "quantization_config", "{\"quant_method\":\"awq\",\"bits\":4}", "(\"awq\") is not read"},
    {"quantized_by_bitsandbytes", "quantization_config", "{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true}",
     NULL},
    {"m3_other_outliers", "quantization_config",
     "{\"quant_method\":\"bitsandbytes\",\"load_in_8bit\":true,\"llm_int8_threshold\":4.0}",
     "llm_int8_threshold: 4 is not computed"},
    {"f8_with_fixed_activations", "quantization_config", "{\"quant_method\":\"fp8\",\"activation_scheme\":\"static\"}",
     "activation_scheme: \"static\""},
    {"f8_tile_of_three", "quantization_config", "{\"quant_method\":\"fp8\",\"weight_block_size\":[1,2,3]}",
     "weight_block_size: want two sizes"},
    {"f8_tile_of_nothing", "quantization_config", "{\"quant_method\":\"fp8\",\"weight_block_size\":[0,128]}",
     "want two sizes, got 0"},
    {"quantized_by_nobody", "quantization_config", "{}", "is not read"},
    {"m3_activation_of_gemma", "hidden_activation", "\"gelu_pytorch_tanh\"", "hidden_activation"},
    {"m3_chunks", "attention_chunk_size", "8192", "attention_chunk_size"},
    {"m3_sees_both_ways", "use_bidirectional_attention", "true", "use_bidirectional_attention"},
    {"tanh", "hidden_act", "\"gelu_pytorch_tanh\"", NULL},
    {"m3_window_zero", "sliding_window", "0", "sliding_window"},
    {"m3_window_negative", "sliding_window", "-4096", "sliding_window"},
    {"window", "sliding_window", "4096", NULL},
    {"tied_as_text", "tie_word_embeddings", "\"yes\"", "tie_word_embeddings"},
    {"other_architecture", "architectures", "[\"GPT2LMHeadModel\"]", "\"GPT2LMHeadModel\" is not computed"},
    {"type_that_belongs_to_another", "architectures", "[\"LlamaForCausalLM\"]", "want \"llama\""},
    {"two_architectures", "architectures", "[\"MixtralForCausalLM\",\"X\"]",
     "architectures: want an array of one name"},
    {"no_architecture", "architectures", NULL, "architectures"},
    {"architecture_as_text", "architectures", "\"MixtralForCausalLM\"", "architectures"},
    {"architecture_empty", "architectures", "[]", "architectures"},
    {"type_of_another_family", "model_type", "\"llama\"", "model_type"},
    {"type_absent", "model_type", NULL, NULL},
    {"m4_code_of_its_own_is_ignored", "auto_map", "{\"AutoModel\":\"modeling.Evil\"}", NULL},
    {"unknown_harmless_key", "something_new", "[1,2,{\"x\":null}]", NULL},
    {"eos_array", "eos_token_id", "[2,3,4]", NULL},
    {"eos_null", "eos_token_id", "null", NULL},
    {"eos_beyond_the_vocabulary", "eos_token_id", "32000", "eos_token_id"},
    {"eos_negative", "eos_token_id", "[2,-1]", "got -1"},
    {"eos_fraction", "eos_token_id", "[2.5]", "got 2.5"},
    {"eos_too_many", "eos_token_id", "[1,2,3,4,5,6,7,8,9]", "more than 8"},
    {"eos_as_text", "eos_token_id", "\"</s>\"", "eos_token_id"},
    {"bos_beyond_the_vocabulary", "bos_token_id", "32000", "bos_token_id"},
    {"bos_negative", "bos_token_id", "-1", "bos_token_id"},
    {"bos_null", "bos_token_id", "null", NULL},
};

static void what_is_not_computed_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct model_config c, untouched;
        struct error err;
        memset(&untouched, 0x55, sizeof(untouched));
        enum status st = parse(&c, cases[i].key, cases[i].value, &err);
        bool good = cases[i].part
                        ? st != DOCKET_OK && strstr(err.message, cases[i].part) != NULL &&
                              err.code == CODE_model_config_unsupported &&
                              strncmp(err.message, "config.json: ", 13) == 0 && memcmp(&c, &untouched, sizeof(c)) == 0
                        : st == DOCKET_OK;
        if (!good) fail_msg("%s: %s: %s", cases[i].name, status_name(st), err.message);
    }
}

static enum status parse_text(struct model_config *c, const char *json, struct error *err)
{
    memset(c, 0x55, sizeof(*c));
    *err = (struct error){0};
    return model_config_parse(c, json, strlen(json), err);
}

#define SIZES                                                                                                          \
    "\"vocab_size\":100,\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":4,\"num_attention_heads\":8"

/* What each family's code does when its config.json does not say it. */
static void families_differ_as_in_transformers(void **state)
{
    (void)state;
    struct model_config c;
    struct error err;
    static const char mistral[] = "{\"architectures\":[\"MistralForCausalLM\"]," SIZES "}";
    assert_int_equal(parse_text(&c, mistral, &err), DOCKET_OK);
    assert_int_equal(c.window, 4096);
    assert_int_equal(c.n_kv_heads, 8);
    assert_true(c.rope_theta == 1e4 && c.rms_eps == 1e-6 && c.n_experts == 0);
    static const char open[] = "{\"architectures\":[\"MistralForCausalLM\"],\"sliding_window\":null," SIZES "}";
    assert_int_equal(parse_text(&c, open, &err), DOCKET_OK);
    assert_int_equal(c.window, 0);

    static const char llama[] = "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":true," SIZES "}";
    assert_int_equal(parse_text(&c, llama, &err), DOCKET_OK);
    assert_int_equal(c.n_kv_heads, 8);
    assert_int_equal(c.max_position, 2048);
    assert_true(c.attention_bias && !c.tied_head && !c.norm_plus_one && c.window == 0);

    static const char gemma[] = "{\"architectures\":[\"GemmaForCausalLM\"],\"num_key_value_heads\":1,"
                                "\"hidden_act\":\"gelu\",\"hidden_activation\":null," SIZES "}";
    assert_int_equal(parse_text(&c, gemma, &err), DOCKET_OK);
    assert_int_equal(c.head_size, 256);
    assert_int_equal(c.activation, KERNELS_GELU_TANH);
    assert_true(c.tied_head && c.norm_plus_one && c.scale_embedding);

    static const char qwen[] = "{\"architectures\":[\"Qwen3MoeForCausalLM\"],\"moe_intermediate_size\":32,"
                               "\"num_experts\":16,\"num_experts_per_tok\":4,\"num_key_value_heads\":2,"
                               "\"mlp_only_layers\":[2],\"decoder_sparse_step\":2,\"sliding_window\":7," SIZES "}";
    assert_int_equal(parse_text(&c, qwen, &err), DOCKET_OK);
    assert_int_equal(c.qk_norm, QK_NORM_HEAD);
    assert_int_equal(c.window, 0); /* use_sliding_window is absent */
    assert_false(c.renormalize);
    for (size_t l = 0; l < 4; l++) {
        assert_int_equal(model_config_experts(&c, l), l == 1 || l == 3 ? 16 : 0);
        assert_int_equal(model_config_ffn_dim(&c, l), l == 1 || l == 3 ? 32 : 96);
    }

    static const char olmoe[] = "{\"architectures\":[\"OlmoeForCausalLM\"],\"num_experts\":64,\"clip_qkv\":8,"
                                "\"num_experts_per_tok\":8,\"norm_topk_prob\":true," SIZES "}";
    assert_int_equal(parse_text(&c, olmoe, &err), DOCKET_OK);
    assert_int_equal(c.qk_norm, QK_NORM_WHOLE);
    assert_true(c.clip_qkv == 8 && c.renormalize && c.n_kv_heads == 8 && c.ffn_dim == 96);
}

/* Keys that one family reads and another must not have. */
static void what_another_family_reads_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json, *part;
    } wrong[] = {
        {"gemma_exact_gelu",
         "{\"architectures\":[\"GemmaForCausalLM\"],\"num_key_value_heads\":1,\"hidden_activation\":\"gelu\"," SIZES
         "}",
         "hidden_activation: \"gelu\" is not computed"},
        {"llama_gelu", "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_act\":\"gelu\"," SIZES "}",
         "hidden_act: \"gelu\""},
        {"llama_window", "{\"architectures\":[\"LlamaForCausalLM\"],\"sliding_window\":7," SIZES "}",
         "sliding_window: 7 is not computed"},
        {"llama_clip", "{\"architectures\":[\"LlamaForCausalLM\"],\"clip_qkv\":7," SIZES "}", "clip_qkv: 7"},
        {"mistral_bias", "{\"architectures\":[\"MistralForCausalLM\"],\"attention_bias\":true," SIZES "}",
         "attention_bias: true"},
        {"mistral_switch",
         "{\"architectures\":[\"MistralForCausalLM\"],\"use_sliding_window\":false,\"sliding_window\":7," SIZES "}",
         "use_sliding_window"},
        {"qwen_layer_beyond",
         "{\"architectures\":[\"Qwen3MoeForCausalLM\"],\"moe_intermediate_size\":32,\"num_experts\":4,"
         "\"num_experts_per_tok\":2,\"num_key_value_heads\":2,\"mlp_only_layers\":[4]," SIZES "}",
         "mlp_only_layers: want layers below 4, got 4"},
        {"qwen_layers_as_number",
         "{\"architectures\":[\"Qwen3MoeForCausalLM\"],\"moe_intermediate_size\":32,\"num_experts\":4,"
         "\"num_experts_per_tok\":2,\"num_key_value_heads\":2,\"mlp_only_layers\":1," SIZES "}",
         "mlp_only_layers: want an array, got 1"},
        {"qwen_without_width",
         "{\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_experts\":4,\"num_experts_per_tok\":2,"
         "\"num_key_value_heads\":2," SIZES "}",
         "moe_intermediate_size"},
        {"two_counts_of_experts",
         "{\"architectures\":[\"OlmoeForCausalLM\"],\"num_experts\":4,\"num_local_experts\":8,"
         "\"num_experts_per_tok\":2," SIZES "}",
         "num_experts: 4, but num_local_experts says 8"},
        {"olmoe_clip_below_zero",
         "{\"architectures\":[\"OlmoeForCausalLM\"],\"num_experts\":4,\"clip_qkv\":-1,\"num_experts_per_tok\":2," SIZES
         "}",
         "clip_qkv"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct model_config c;
        struct error err;
        enum status st = parse_text(&c, wrong[i].json, &err);
        if (st == DOCKET_OK || !strstr(err.message, wrong[i].part))
            fail_msg("%s: %s: %s", wrong[i].name, status_name(st), err.message);
    }
}

/* Checked by hand: theta 10000, heads of 4: frequencies 1 and 0.01, waves of 6.3 and 628 positions. */
static void rotary_frequencies_are_stretched(void **state)
{
    (void)state;
    float f[2];
    struct model_config c = {.head_size = 4, .rope_theta = 1e4};
    model_config_frequencies(&c, f);
    assert_true(f[0] == 1.0f && f[1] == 0.01f);
    c.rope = ROPE_LINEAR;
    c.rope_factor = 4;
    model_config_frequencies(&c, f);
    assert_true(f[0] == 0.25f && f[1] == 0.0025f);
    c.rope = ROPE_LLAMA3;
    c.rope_low_factor = 1;
    c.rope_high_factor = 4;
    c.rope_original_positions = 314; /* half of the long wave: it is divided whole; 50 short ones: they stay */
    model_config_frequencies(&c, f);
    assert_true(f[0] == 1.0f && f[1] == 0.0025f);
    c.rope_original_positions = 400 * 3.14159265358979; /* two long waves: a third of the way */
    model_config_frequencies(&c, f);
    assert_true(f[0] == 1.0f && f[1] > 0.00499f && f[1] < 0.00501f);
}

static void optional_keys_have_the_values_of_the_family(void **state)
{
    (void)state;
    struct model_config c;
    struct error err;
    assert_int_equal(parse(&c, "num_key_value_heads", NULL, &err), DOCKET_OK);
    assert_int_equal(c.n_kv_heads, 8);
    assert_int_equal(parse(&c, "num_key_value_heads", "null", &err), DOCKET_OK);
    assert_int_equal(c.n_kv_heads, 32);
    assert_int_equal(parse(&c, "rope_theta", NULL, &err), DOCKET_OK);
    assert_true(c.rope_theta == 1e6);
    assert_int_equal(parse(&c, "bos_token_id", "null", &err), DOCKET_OK);
    assert_int_equal(c.bos_id, -1);
    assert_int_equal(parse(&c, "eos_token_id", NULL, &err), DOCKET_OK);
    assert_int_equal(c.n_eos, 0);
    assert_int_equal(parse(&c, "use_sliding_window", "false", &err), DOCKET_OK);
    assert_int_equal(parse(&c, "head_dim", "64", &err), DOCKET_OK);
    assert_int_equal(c.head_size, 64);
}

static void text_that_is_no_config_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "[]",     "null",      "{", "{}", "{\"a\":1,\"a\":2}", "\xff", "{\"a\":\"\\ud800\"}",
        "{}{}", "\"{}\"", "{\"a\":01}"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct model_config c;
        struct error err = {0};
        assert_int_not_equal(model_config_parse(&c, texts[i], strlen(texts[i]), &err), DOCKET_OK);
        assert_int_equal(err.code, CODE_model_config_unsupported);
    }
    struct model_config c;
    assert_int_not_equal(model_config_parse(&c, "{}", 2, NULL), DOCKET_OK); /* without an error to fill */
}

static void m2_weights_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    static const char json[] =
        "{\"architectures\":[\"MixtralForCausalLM\"],\"vocab_size\":4194304,\"hidden_size\":1048576,"
        "\"intermediate_size\":4194304,\"num_hidden_layers\":1024,\"num_attention_heads\":1024,\"head_dim\":256,"
        "\"num_local_experts\":256,\"num_experts_per_tok\":2}";
    struct model_config c;
    struct error err;
    assert_int_not_equal(model_config_parse(&c, json, strlen(json), &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "more weights than 64 bits count"));
}

static enum status parse_base(void *context, struct error *err)
{
    const struct buffer *text = context;
    struct model_config c;
    enum status st = model_config_parse(&c, text->data, text->length, err);
    if (st == DOCKET_OK && c.vocab != 32000) st = DOCKET_INTERNAL;
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct buffer text = {0};
    make(&text, NULL, NULL);
    assert_true(torture(parse_base, &text) > 40);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtral_is_read),
        cmocka_unit_test(both_styles_of_transformers_say_the_same),
        cmocka_unit_test(what_is_not_computed_is_refused_by_name),
        cmocka_unit_test(families_differ_as_in_transformers),
        cmocka_unit_test(what_another_family_reads_is_refused),
        cmocka_unit_test(rotary_frequencies_are_stretched),
        cmocka_unit_test(optional_keys_have_the_values_of_the_family),
        cmocka_unit_test(text_that_is_no_config_is_refused),
        cmocka_unit_test(m2_weights_beyond_64_bits_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
