/* What stands in the files of a checkpoint is loaded once, whole and in bounded memory, or refused by name. The files are those of
 * tests/golden/families with a word or a byte changed. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/model/load.h"
#include "worker/model/model.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAMILIES "tests/golden/families/"

static char top[256];

static int set_up(void **state)
{
    (void)state;
    scratch_make(top, sizeof(top));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(top);
    return 0;
}

/* All of the words `from` in the file become `to`, of the same length. */
static void copy_changed(const char *family, const char *name, const char *from, const char *to)
{
    char path[256];
    struct buffer text = {0};
    struct error err = {0};
    size_t n = from ? strlen(from) : 0;
    snprintf(path, sizeof(path), FAMILIES "%s/%s", family, name);
    if (file_read_all(&text, path, &err) != DOCKET_OK) fail_msg("%s", err.message);
    for (size_t at = 0; n && at + n <= text.length; at++)
        if (memcmp(text.data + at, from, n) == 0) memcpy(text.data + at, to, n);
    scratch_write(top, name, text.data, text.length);
    buffer_free(&text);
}

struct checkpoint {
    struct model_config config;
    struct tensor_files *files;
    struct device device;
};

static enum status open_checkpoint(struct checkpoint *c, const char *folder, const char *backend, struct error *err)
{
    struct buffer text = {0};
    struct model_location location = {.folder = (char *)(uintptr_t)folder, .boundary = (char *)(uintptr_t)folder};
    const struct device_options options = {.backend = backend};
    *c = (struct checkpoint){0};
    enum status st = file_read_all(&text, scratch_path(folder, "config.json"), err);
    if (st == DOCKET_OK) st = model_config_parse(&c->config, text.data, text.length, err);
    if (st == DOCKET_OK) st = tensor_files_open(&c->files, &location, err);
    if (st == DOCKET_OK) st = device_open(&c->device, &options, err);
    buffer_free(&text);
    return st;
}

static void close_checkpoint(struct checkpoint *c)
{
    tensor_files_close(c->files);
    device_close(&c->device);
}

/* Opens, predicts and loads; the weights are freed. */
static enum status load(const char *folder, const struct quantization *q, struct load_report *report, struct error *err)
{
    struct checkpoint c;
    struct model_weights weights = {0};
    size_t predicted = 0;
    enum status st = open_checkpoint(&c, folder, "cpu", err);
    if (st == DOCKET_OK) st = load_predict(&predicted, &c.device, &c.config, c.files, q, err);
    if (st == DOCKET_OK) st = load_weights(&weights, report, &c.device, &c.config, c.files, q, NULL, NULL, err);
    if (c.device.backend) model_weights_free(&weights, &c.device);
    close_checkpoint(&c);
    return st;
}

static const struct {
    const char *name, *family;
    const char *file, *from, *to; /* a change of the same length */
    enum status want;
    const char *part; /* of the message */
} words[] = {
    {"scales_missing", "mixtral_nf4_stacked", "model.safetensors", "0.self_attn.q_proj.weight.absmax\"",
     "0.self_attn.q_proj.weight.absmaX\"", DOCKET_CORRUPT, "0.self_attn.q_proj.weight.absmax: the tensor is missing"},
    {"table_missing", "mixtral_nf4_stacked", "model.safetensors", "gate_up_proj.nested_quant_map",
     "gate_up_proj.nested_quant_maP", DOCKET_CORRUPT, "gate_up_proj.nested_quant_map: the tensor is missing"},
    {"scales_of_another_type", "llama_nf4_written", "model.safetensors", "nested_absmax\":{\"dtype\":\"F32\"",
     "nested_absmax\":{\"dtype\":\"I32\"", DOCKET_CORRUPT, "values of F32, found"},
    {"state_missing", "llama_nf4_written", "model.safetensors", "bitsandbytes__nf4", "bitsandbytes__nf5",
     DOCKET_CORRUPT, "want shape [64, 64], found [2048, 1]"},
    {"block_that_cannot_be", "llama_nf4_written", "model.safetensors", "\"blocksize\": 64", "\"blocksize\": 63",
     DOCKET_CORRUPT, "quant_state.bitsandbytes__nf4: $.blocksize: want a power of two, got 63"},
    {"block_that_is_another", "llama_nf4_written", "model.safetensors", "\"blocksize\": 64", "\"blocksize\": 32",
     DOCKET_CORRUPT, "q_proj.weight.absmax: want 128 values of U8, found 64 of U8"},
    {"type_that_the_name_denies", "llama_nf4_written", "model.safetensors", "\"quant_type\": \"nf4\"",
     "\"quant_type\": \"fp4\"", DOCKET_CORRUPT, "says fp4, the name nf4"},
    {"shape_that_the_model_denies", "llama_nf4_written", "model.safetensors", "\"shape\": [64, 96]",
     "\"shape\": [96, 64]", DOCKET_CORRUPT, "want shape [64, 96], found [96, 64]"},
    {"more_weights_than_bytes", "llama_nf4_written", "model.safetensors", "\"shape\": [64, 96]", "\"shape\": [64, 97]",
     DOCKET_CORRUPT, "want 3104 bytes for 6208 weights of 4 bits, found 3072"},
    {"more_experts_in_the_config", "mixtral_nf4_stacked", "config.json", "\"num_local_experts\": 4",
     "\"num_local_experts\": 5", DOCKET_CORRUPT, "want shape [5, 64], found [4, 64]"},
    {"fewer_layers_in_the_config", "llama_nf4_written", "config.json", "\"num_hidden_layers\": 2",
     "\"num_hidden_layers\": 1", DOCKET_CORRUPT, "the model has no place for this tensor (at byte 17588)"},
    {"quantized_but_not_said", "llama_nf4_written", "config.json", "\"quantization_config\"", "\"quantization_konfig\"",
     DOCKET_CORRUPT, "want shape [64, 64], found [2048, 1]"},
    {"rows_missing", "llama_int8", "model.safetensors", "0.mlp.up_proj.SCB", "0.mlp.up_proj.SCb", DOCKET_CORRUPT,
     "0.mlp.up_proj.SCB: the tensor is missing"},
    {"norm_missing", "qwen3_moe_dense", "model.safetensors", "0.self_attn.q_norm", "0.self_attn.q_morn", DOCKET_CORRUPT,
     "0.self_attn.q_norm.weight: the tensor is missing"},
    {"bias_that_is_no_bias", "llama_linear", "config.json", "\"attention_bias\": true", "\"attention_biaz\": true",
     DOCKET_CORRUPT, "self_attn.k_proj.bias: the model has no place for this tensor"},
    {"integers", "llama_linear", "model.safetensors", "q_proj.weight\":{\"dtype\":\"F32\"",
     "q_proj.weight\":{\"dtype\":\"I32\"", DOCKET_UNSUPPORTED, "I32 tensors are not read, only F32, F16, BF16"},
    {"one_expert_missing", "mixtral_stacked", "model.safetensors", "1.mlp.experts.down_proj", "1.mlp.experts.down_broj",
     DOCKET_CORRUPT, "1.mlp.experts.down_proj: the tensor is missing"},
};

static void what_does_not_fit_is_refused_with_file_tensor_and_offset(void **state)
{
    (void)state;
    const struct quantization as_stored = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        static const char *const files[] = {"config.json", "model.safetensors"};
        struct load_report report = {0};
        struct error err = {0};
        for (size_t k = 0; k < 2; k++) {
            bool mine = strcmp(files[k], words[i].file) == 0;
            copy_changed(words[i].family, files[k], mine ? words[i].from : NULL, mine ? words[i].to : NULL);
        }
        enum status st = load(top, &as_stored, &report, &err);
        bool good = st == words[i].want && strstr(err.message, words[i].part);
        if (st != DOCKET_OK && strstr(words[i].part, "missing") == NULL)
            good = good && strncmp(err.message, "model.safetensors: model.layers.", 32) == 0;
        if (st != DOCKET_OK) good = good && err.code == CODE_model_tensor_invalid;
        if (!good) fail_msg("%s: %s: %s", words[i].name, status_name(st), err.message);
    }
}

static const struct {
    const char *name, *family, *tensor;
    size_t at;
    unsigned char bytes[4];
    size_t n_bytes;
    const char *part;
} damages[] = {
    {"scale_nan",
     "llama_int8",
     "model.layers.0.mlp.up_proj.SCB",
     8,
     {0, 0, 0xc0, 0x7f},
     4,
     "value 2: want a finite number"},
    {"order_of_a_gpu", "llama_int8", "model.layers.0.mlp.up_proj.weight_format", 0, {3}, 1, "order 3 of the bytes"},
    {"other_values",
     "llama_nf4_written",
     "model.layers.0.mlp.up_proj.weight.quant_map",
     12,
     {0, 0, 0, 0x3f},
     4,
     "quant_map: value 3: nf4 has -0.39"},
    {"value_nan",
     "llama_nf4_written",
     "model.layers.0.mlp.up_proj.weight.quant_map",
     0,
     {0, 0, 0xc0, 0x7f},
     4,
     "quant_map: value 0"},
    {"map_nan",
     "llama_nf4_written",
     "model.layers.0.mlp.up_proj.weight.nested_quant_map",
     0,
     {0, 0, 0xc0, 0x7f},
     4,
     "nested_quant_map: value 0: want a finite number"},
    {"nested_scale_infinite",
     "llama_nf4_written",
     "model.layers.0.mlp.up_proj.weight.nested_absmax",
     0,
     {0, 0, 0x80, 0x7f},
     4,
     "nested_absmax: value 0: want a finite number, found inf"},
    {"block_scale_nan",
     "llama_fp4_plain",
     "model.layers.0.mlp.up_proj.weight.absmax",
     4,
     {0, 0, 0xc0, 0x7f},
     4,
     "absmax: value 1: want a finite number"},
};

/* Overwrites bytes of a tensor of the copy in the scratch folder. */
static void damage(const char *tensor, size_t at, const unsigned char *bytes, size_t n)
{
    struct checkpoint c;
    struct error err = {0};
    if (open_checkpoint(&c, top, "cpu", &err) != DOCKET_OK) fail_msg("%s", err.message);
    const struct tensor_info *t = tensor_find(c.files, tensor);
    assert_non_null(t);
    int fd = open(scratch_path(top, "model.safetensors"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, n, (off_t)(t->offset + at)), n);
    close(fd);
    close_checkpoint(&c);
}

static void damaged_scales_are_refused(void **state)
{
    (void)state;
    const struct quantization as_stored = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(damages); i++) {
        struct load_report report = {0};
        struct error err = {0};
        copy_changed(damages[i].family, "config.json", NULL, NULL);
        copy_changed(damages[i].family, "model.safetensors", NULL, NULL);
        damage(damages[i].tensor, damages[i].at, damages[i].bytes, damages[i].n_bytes);
        enum status st = load(top, &as_stored, &report, &err);
        if (st == DOCKET_OK || !strstr(err.message, damages[i].part) || err.code != CODE_model_tensor_invalid)
            fail_msg("%s: %s: %s", damages[i].name, status_name(st), err.message);
    }
}

static void s18_values_that_are_no_numbers_load_as_stored_and_are_never_quantized(void **state)
{
    (void)state;
    static const unsigned char nan[4] = {0, 0, 0xc0, 0x7f}, infinity[4] = {0, 0, 0x80, 0x7f};
    const unsigned char *const both[] = {nan, infinity};
    for (size_t i = 0; i < 2; i++) {
        struct quantization q = {0};
        struct load_report report = {0};
        struct error err = {0};
        copy_changed("llama_linear", "config.json", NULL, NULL);
        copy_changed("llama_linear", "model.safetensors", NULL, NULL);
        damage("model.layers.1.self_attn.v_proj.weight", 40, both[i], 4);
        if (load(top, &q, &report, &err) != DOCKET_OK) fail_msg("%s", err.message);
        assert_int_equal(report.not_finite.n_nan, i == 0);
        assert_int_equal(report.not_finite.n_infinite, i == 1);
        assert_int_equal(quantization_parse(&q, "QUANTIZATION", "nf4", &err), DOCKET_OK);
        assert_int_equal(load(top, &q, &report, &err), DOCKET_CORRUPT);
        assert_non_null(strstr(err.message, "model.safetensors: model.layers.1.self_attn.v_proj.weight: "));
    }
}

/* code * SCB / 127, of every row: what the library says its bytes stand for. */
static void eight_bits_stand_for_what_the_library_says(void **state)
{
    (void)state;
    enum { ROWS = 64, COLS = 64 };
    struct checkpoint c;
    struct model_weights weights = {0};
    struct load_report report = {0};
    struct error err = {0};
    const struct quantization as_stored = {0};
    int8_t codes[ROWS * COLS];
    float scales[ROWS], got[ROWS * COLS];
    if (open_checkpoint(&c, FAMILIES "llama_int8", "cpu", &err) != DOCKET_OK) fail_msg("%s", err.message);
    const struct tensor_info *t = tensor_find(c.files, "model.layers.1.self_attn.q_proj.weight");
    const struct tensor_info *scb = tensor_find(c.files, "model.layers.1.self_attn.q_proj.SCB");
    assert_true(t && scb && t->size_bytes == sizeof(codes) && scb->size_bytes == sizeof(scales));
    assert_int_equal(tensor_read(c.files, t, 0, codes, sizeof(codes), &err), DOCKET_OK);
    assert_int_equal(tensor_read(c.files, scb, 0, scales, sizeof(scales), &err), DOCKET_OK);
    if (load_weights(&weights, &report, &c.device, &c.config, c.files, &as_stored, NULL, NULL, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    assert_int_equal(c.device.backend->weight_read(c.device.handle, weights.layers[1].q, got), KERNELS_OK);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        double want = (double)codes[i] * (double)scales[i / COLS] / 127;
        double away = (double)got[i] > want ? (double)got[i] - want : want - (double)got[i];
        if (!(away <= 2e-7 * (double)scales[i / COLS])) fail_msg("value %zu: %g, want %g", i, (double)got[i], want);
    }
    model_weights_free(&weights, &c.device);
    close_checkpoint(&c);
}

/* A setting never quantizes what is quantized, but it may say what is there, and it reaches what is not. */
static void a_setting_must_name_the_format_that_is_stored(void **state)
{
    (void)state;
    static const struct {
        const char *family, *setting;
        bool good;
    } settings[] = {
        {"llama_nf4_written", "none", true},
        {"llama_nf4_written", "nf4", true},
        {"llama_nf4_written", "nf4-plain", true},
        {"llama_nf4_written", "int8", false},
        {"llama_nf4_written", "fp4", false},
        {"llama_int8", "int8", true},
        {"llama_int8", "nf4", false},
        {"llama_fp4_plain", "fp4", true},
        {"llama_nf4_written", "nf4,head=nf4", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        char folder[128];
        struct quantization q;
        struct load_report report = {0};
        struct error err = {0};
        snprintf(folder, sizeof(folder), FAMILIES "%s", settings[i].family);
        assert_int_equal(quantization_parse(&q, "QUANTIZATION", settings[i].setting, &err), DOCKET_OK);
        enum status st = load(folder, &q, &report, &err);
        bool good =
            settings[i].good ? st == DOCKET_OK : st == DOCKET_BAD_CONFIG && strstr(err.message, "is stored in") != NULL;
        if (!good) fail_msg("%s as %s: %s: %s", settings[i].family, settings[i].setting, status_name(st), err.message);
    }
}

/* Bytes that this process has read, from anywhere; 0 where the system does not say. */
static uint64_t bytes_read(void)
{
    char line[64];
    unsigned long long n = 0;
    FILE *f = fopen("/proc/self/io", "re");
    if (!f) return 0;
    if (!fgets(line, sizeof(line), f) || sscanf(line, "rchar: %llu", &n) != 1) n = 0;
    fclose(f);
    return n;
}

static void every_byte_is_read_once(void **state)
{
    (void)state;
    static const char *const families[] = {"llama3",       "mixtral_stacked",   "tinyllama",
                                           "olmoe_groups", "llama_nf4_written", "mixtral_nf4_stacked",
                                           "llama_int8",   "llama_f8_tiles",    "mixtral_nf4"};
    const struct quantization as_stored = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        char folder[128];
        struct checkpoint c;
        struct model_weights weights = {0};
        struct load_report report = {0};
        struct error err = {0};
        uint64_t texts = 0;
        snprintf(folder, sizeof(folder), FAMILIES "%s", families[i]);
        if (open_checkpoint(&c, folder, "cpu", &err) != DOCKET_OK) fail_msg("%s", err.message);
        for (size_t t = 0; t < tensor_count(c.files); t++) {
            const char *name = tensor_at(c.files, t)->name;
            if (strstr(name, "quant_state.") || strstr(name, "weight_format"))
                texts += tensor_at(c.files, t)->size_bytes;
        }
        uint64_t before = bytes_read();
        if (load_weights(&weights, &report, &c.device, &c.config, c.files, &as_stored, NULL, NULL, &err) != DOCKET_OK)
            fail_msg("%s: %s", families[i], err.message);
        uint64_t read = bytes_read() - before;
        assert_int_equal(report.bytes_read + texts, tensor_files_bytes(c.files));
        if (before) assert_in_range(read, tensor_files_bytes(c.files), tensor_files_bytes(c.files) + 4096);
        model_weights_free(&weights, &c.device);
        close_checkpoint(&c);
    }
}

/* Two tables of 192 MiB, of zeros that take no place on the disk. */
static void loading_takes_little_more_than_the_weights(void **state)
{
    (void)state;
    static const char config[] =
        "{\"architectures\":[\"LlamaForCausalLM\"],\"vocab_size\":196608,\"hidden_size\":256,\"intermediate_size\":64,"
        "\"num_hidden_layers\":1,\"num_attention_heads\":4,\"num_key_value_heads\":4}";
    static const struct {
        const char *name;
        unsigned rows, cols;
    } tensors[] = {
        {"lm_head.weight", 196608, 256},
        {"model.embed_tokens.weight", 196608, 256},
        {"model.layers.0.input_layernorm.weight", 0, 256},
        {"model.layers.0.mlp.down_proj.weight", 256, 64},
        {"model.layers.0.mlp.gate_proj.weight", 64, 256},
        {"model.layers.0.mlp.up_proj.weight", 64, 256},
        {"model.layers.0.post_attention_layernorm.weight", 0, 256},
        {"model.layers.0.self_attn.k_proj.weight", 256, 256},
        {"model.layers.0.self_attn.o_proj.weight", 256, 256},
        {"model.layers.0.self_attn.q_proj.weight", 256, 256},
        {"model.layers.0.self_attn.v_proj.weight", 256, 256},
        {"model.norm.weight", 0, 256},
    };
    struct buffer file = {0}, header = {0};
    struct checkpoint c;
    struct model_weights weights = {0};
    struct load_report report = {0};
    struct error err = {0};
    const struct quantization as_stored = {0};
    size_t at = 0, peak = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(tensors); i++) {
        unsigned rows = tensors[i].rows ? tensors[i].rows : 1;
        size_t end = at + (size_t)rows * tensors[i].cols * 4;
        char shape[40];
        snprintf(shape, sizeof(shape), tensors[i].rows ? "%u,%u" : "%.0u%u", tensors[i].rows, tensors[i].cols);
        buffer_printf(&header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "{",
                      tensors[i].name, shape, at, end);
        at = end;
    }
    buffer_append_char(&header, '}');
    for (int i = 0; i < 8; i++) buffer_append_char(&file, (char)(header.length >> (8 * i)));
    buffer_append(&file, header.data, header.length);
    scratch_write(top, "model.safetensors", file.data, file.length);
    scratch_write_text(top, "config.json", config);
    assert_int_equal(truncate(scratch_path(top, "model.safetensors"), (off_t)(file.length + at)), 0);
    buffer_free(&file);
    buffer_free(&header);

    if (open_checkpoint(&c, top, "cpu", &err) != DOCKET_OK) fail_msg("%s", err.message);
    size_t before = memory_resident(NULL);
    if (load_weights(&weights, &report, &c.device, &c.config, c.files, &as_stored, NULL, NULL, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    memory_resident(&peak);
    assert_true(report.weight_bytes >= at);
    printf("%zu MiB of weights, %zu MiB more at the peak\n", at / MIB, (peak - before - at) / MIB);
#if defined(__SANITIZE_THREAD__)
    print_message(
        "[  NOTE    ] a race detector's shadow of all that is touched is resident too: the bound is not looked at\n");
#else
    /* Four buffers of 16 MiB, and what the allocator rounds; a tensor held twice would be 192. */
    assert_true(peak - before < at + 128 * MIB);
#endif
    model_weights_free(&weights, &c.device);
    close_checkpoint(&c);
}

static enum status load_stacked(void *context, struct error *err)
{
    const struct quantization as_stored = {0};
    struct load_report report = {0};
    enum status st = load(context, &as_stored, &report, err);
    return st == DOCKET_NO_DEVICE_MEMORY ? DOCKET_NO_MEMORY : st; /* the device's memory is the same here */
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static char folder[] = FAMILIES "mixtral_nf4_stacked_nested_edges";
    assert_true(torture(load_stacked, folder) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loading_takes_little_more_than_the_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_with_file_tensor_and_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_scales_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(s18_values_that_are_no_numbers_load_as_stored_and_are_never_quantized, set_up,
                                        tear_down),
        cmocka_unit_test(eight_bits_stand_for_what_the_library_says),
        cmocka_unit_test(a_setting_must_name_the_format_that_is_stored),
        cmocka_unit_test(every_byte_is_read_once),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
