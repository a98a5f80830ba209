/* The grammar of QUANTIZATION: what it reads, what it prints, and what it says about mistakes. */
#include "worker/model/quantization.h"

#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <string.h>

static void every_way_to_write_it_prints_the_same_name(void **state)
{
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"none", "none"},
        {"nf4", "nf4"},
        {"NF4,Head=Q8", "nf4,head=q8"},
        {"nf4-plain", "nf4-plain"},
        {"fp4", "fp4"},
        {"fp4-plain", "fp4-plain"},
        {"int8", "int8"},
        {"q8", "q8"},
        {"q4", "q4"},
        {"q2", "q2"},
        {"q1", "q1"},
        {"nf4,attention=nf4,head=none", "nf4"},
        {"nf4,ffn=q2", "q2,attention=nf4"},
        {"nf4,experts=q2", "q2,attention=nf4"},
        {"q2,attention=nf4", "q2,attention=nf4"},
        {"none,embedding=q8", "none,embedding=q8"},
        {"q2,embedding=q8,head=int8,attention=nf4", "q2,attention=nf4,head=int8,embedding=q8"},
        {"nf4,attention=none", "nf4,attention=none"},
        {"nf4-plain,attention=fp4-plain,head=fp4-plain,embedding=fp4-plain",
         "nf4-plain,attention=fp4-plain,head=fp4-plain,embedding=fp4-plain"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct quantization q, again;
        struct error err = {0};
        char name[QUANTIZATION_NAME_BYTES];
        if (quantization_parse(&q, "QUANTIZATION", cases[i].text, &err) != DOCKET_OK) fail_msg("%s", err.message);
        assert_string_equal(quantization_name(&q, name), cases[i].name);
        assert_int_equal(quantization_parse(&again, "QUANTIZATION", name, &err), DOCKET_OK);
        assert_true(quantization_equal(&q, &again));
    }
    (void)state;
}

static void the_longest_name_fits(void **state)
{
    char name[QUANTIZATION_NAME_BYTES];
    const struct quantization q = {{QUANTIZE_NF4_PLAIN, QUANTIZE_FP4_PLAIN, QUANTIZE_NF4_PLAIN, QUANTIZE_NF4_PLAIN}};
    assert_true(strlen(quantization_name(&q, name)) < sizeof(name) - 1);
    struct quantization again;
    assert_int_equal(quantization_parse(&again, "x", name, NULL), DOCKET_OK);
    assert_true(quantization_equal(&q, &again));
    (void)state;
}

static void a_format_alone_means_attention_and_ffn(void **state)
{
    struct quantization q;
    enum kernels_format format = KERNELS_F32;
    assert_int_equal(quantization_parse(&q, "x", "nf4", NULL), DOCKET_OK);
    assert_true(quantization_of(&q, PART_FFN, &format));
    assert_int_equal(format, KERNELS_NF4_NESTED);
    assert_true(quantization_of(&q, PART_ATTENTION, &format));
    assert_false(quantization_of(&q, PART_HEAD, &format));
    assert_false(quantization_of(&q, PART_EMBEDDING, &format));
    assert_false(quantization_is_none(&q));
    assert_true(quantization_is_none(&(struct quantization){0}));
    (void)state;
}

static void formats_are_those_of_the_kernels(void **state)
{
    static const enum kernels_format want[N_WEIGHT_FORMATS] = {
        [QUANTIZE_NF4] = KERNELS_NF4_NESTED, [QUANTIZE_NF4_PLAIN] = KERNELS_NF4, [QUANTIZE_FP4] = KERNELS_FP4_NESTED,
        [QUANTIZE_FP4_PLAIN] = KERNELS_FP4,  [QUANTIZE_INT8] = KERNELS_INT8,     [QUANTIZE_Q8] = KERNELS_Q8,
        [QUANTIZE_Q4] = KERNELS_Q4,          [QUANTIZE_Q2] = KERNELS_Q2,         [QUANTIZE_Q1] = KERNELS_Q1};
    for (unsigned i = 0; i < N_WEIGHT_FORMATS; i++) {
        enum weight_format format;
        enum kernels_format got = KERNELS_N_FORMATS;
        assert_true(weight_format_by_name(weight_format_name((enum weight_format)i), &format));
        assert_int_equal(format, i);
        assert_int_equal(weight_format_kernels(format, &got), i != QUANTIZE_NONE);
        if (i != QUANTIZE_NONE) assert_int_equal(weight_format_of(got), i);
        assert_int_equal(got, i == QUANTIZE_NONE ? KERNELS_N_FORMATS : want[i]);
    }
    for (unsigned i = 0; i < N_KV_FORMATS; i++) {
        enum kv_format format;
        assert_true(kv_format_by_name(kv_format_name((enum kv_format)i), &format));
        assert_int_equal(format, i);
    }
    enum kv_format none;
    assert_false(kv_format_by_name("bf16", &none));
    assert_int_equal(weight_format_of(KERNELS_BF16), QUANTIZE_NONE);
    assert_int_equal(kv_format_kernels(KV_F16), KERNELS_F16);
    assert_int_equal(kv_format_kernels((enum kv_format)0), KERNELS_F16);
    (void)state;
}

static void mistakes_name_the_word_and_what_is_allowed(void **state)
{
    static const char all[] = "want none, nf4, nf4-plain, fp4, fp4-plain, int8, q8, q4, q2 or q1";
    static const struct {
        const char *text, *first, *second;
    } cases[] = {
        {"", "QUANTIZATION=\"\": \"\" is no format", all},
        {"nf5", "\"nf5\" is no format", all},
        {"nf4 ", "\"nf4 \" is no format", all},
        {"nf4,", "\"nf4,\": \"\" stands after a comma", "PART=FORMAT"},
        {"nf4,q2", "\"q2\" stands after a comma", "PART=FORMAT"},
        {",nf4", "\"\" is no format", all},
        {"attention=nf4", "\"attention=nf4\" is no format", all},
        {"nf4,router=q8", "\"router=q8\": want ffn (or experts), attention, head or embedding",
         "QUANTIZATION=\"nf4,router=q8\": "},
        {"nf4,=q8", "\"=q8\": want ffn", ""},
        {"nf4,head=", "\"\" is no format", all},
        {"nf4,head=q3", "\"q3\" is no format", all},
        {"nf4,head=q8,head=q8", "head stands there twice", ""},
        {"nf4,ffn=q8,experts=q2", "ffn stands there twice", ""},
        {"nf4,head=q8=q8", "\"q8=q8\" is no format", all},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = {0};
        struct quantization q = {{QUANTIZE_Q1, QUANTIZE_Q1, QUANTIZE_Q1, QUANTIZE_Q1}}, before = q;
        if (quantization_parse(&q, "QUANTIZATION", cases[i].text, &err) != DOCKET_BAD_CONFIG)
            fail_msg("%s was taken", cases[i].text);
        if (!strstr(err.message, cases[i].first) || !strstr(err.message, cases[i].second))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_true(strncmp(err.message, "QUANTIZATION=\"", 14) == 0);
        assert_true(quantization_equal(&q, &before));
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_write_it_prints_the_same_name),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(a_format_alone_means_attention_and_ffn),
        cmocka_unit_test(formats_are_those_of_the_kernels),
        cmocka_unit_test(mistakes_name_the_word_and_what_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
