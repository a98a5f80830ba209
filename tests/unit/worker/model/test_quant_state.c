#include "worker/model/quant_state.h"

#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char nested[] =
    "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [4, 128, 64], "
    "\"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": 0.02148273587226868}";
static const char plain[] = "{\"quant_type\": \"fp4\", \"blocksize\": 4096, \"dtype\": \"float16\", \"shape\": [3, 5]}";

static void what_the_library_writes_is_read(void **state)
{
    (void)state;
    struct quant_state s;
    struct error err = {0};
    if (quant_state_parse(&s, nested, strlen(nested), &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(!s.fp4 && s.nested && s.block_size == 64 && s.nested_block_size == 256);
    assert_true(s.nested_offset == 0.02148273587226868f);
    assert_true(s.rank == 3 && s.shape[0] == 4 && s.shape[1] == 128 && s.shape[2] == 64);
    assert_int_equal(s.n_elements, 4 * 128 * 64);
    if (quant_state_parse(&s, plain, strlen(plain), &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(s.fp4 && !s.nested && s.block_size == 4096 && s.rank == 2 && s.n_elements == 15);
}

static const struct {
    const char *name, *from, *to, *part;
} cases[] = {
    {"type_unknown", "\"nf4\"", "\"nf5\"",
     "$.quant_type: want \"nf4\", \"fp4\", \"q8\", \"q4\", \"q2\" or \"q1\", got \"nf5\""},
    {"type_as_number", "\"nf4\"", "4", "$.quant_type"},
    {"type_missing", "\"quant_type\"", "\"type\"", "$.quant_type"},
    {"block_no_power", "\"blocksize\": 64", "\"blocksize\": 96", "want a power of two, got 96"},
    {"block_too_small", "\"blocksize\": 64", "\"blocksize\": 16", "got 16"},
    {"block_too_large", "\"blocksize\": 64", "\"blocksize\": 8192", "got 8192"},
    {"block_missing", "\"blocksize\": 64", "\"block\": 64", "blocksize"},
    {"dtype_unknown", "bfloat16", "float64", "$.dtype"},
    {"shape_empty", "[4, 128, 64]", "[]", "$.shape"},
    {"shape_of_four", "[4, 128, 64]", "[1, 4, 128, 64]", "$.shape"},
    {"shape_zero", "[4, 128, 64]", "[0, 64]", "got 0"},
    {"shape_negative", "[4, 128, 64]", "[-4, 64]", "got -4"},
    {"shape_fraction", "[4, 128, 64]", "[4.5, 64]", "got 4.5"},
    {"shape_text", "[4, 128, 64]", "[\"4\"]", "$.shape"},
    {"shape_wraps_64_bits", "[4, 128, 64]", "[68719476736, 68719476736, 16]", "fewer than 2^48"},
    {"shape_beyond_double", "[4, 128, 64]", "[1e300]", "$.shape"},
    {"nested_block_odd", "\"nested_blocksize\": 256", "\"nested_blocksize\": 255", "want a power of two"},
    {"nested_dtype", "\"float32\"", "\"float16\"", "$.nested_dtype"},
    {"offset_missing", "nested_offset", "nested_onset", "nested_offset"},
    {"offset_text", "0.02148273587226868", "\"0\"", "nested_offset"},
    {"offset_infinite", "0.02148273587226868", "1e400", "finite"},
    {"offset_beyond_float", "0.02148273587226868", "1e39", "nested_offset"},
    {"key_twice", "\"dtype\": \"bfloat16\"", "\"blocksize\": 64", "blocksize"},
    {"cut", "\"nested_offset\": 0.02148273587226868}", "", ""},
};

static void anything_else_is_refused_by_key_and_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[500];
        const char *at = strstr(nested, cases[i].from);
        struct quant_state s, untouched;
        struct error err = {0};
        assert_non_null(at);
        int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - nested), nested, cases[i].to,
                         at + strlen(cases[i].from));
        memset(&s, 0x55, sizeof(s));
        untouched = s;
        enum status st = quant_state_parse(&s, text, (size_t)n, &err);
        if ((st != DOCKET_CORRUPT && st != DOCKET_UNSUPPORTED) || err.code != CODE_model_tensor_invalid ||
            err.status != st || !strstr(err.message, cases[i].part))
            fail_msg("%s: %s: %s", cases[i].name, status_name(st), err.message);
        assert_memory_equal(&s, &untouched, sizeof(s));
    }
    struct quant_state s;
    assert_int_equal(quant_state_parse(&s, "[]", 2, NULL), DOCKET_CORRUPT);
}

static enum status parse(void *context, struct error *err)
{
    struct quant_state s = {0};
    (void)context;
    enum status st = quant_state_parse(&s, nested, strlen(nested), err);
    return st == DOCKET_OK && s.n_elements != 4 * 128 * 64 ? DOCKET_INTERNAL : st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    assert_true(torture(parse, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_library_writes_is_read),
        cmocka_unit_test(anything_else_is_refused_by_key_and_value),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
