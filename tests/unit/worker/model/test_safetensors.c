/* Damaged weight files never load silently: rows S1 to S20 of the catalogue of hostile input. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/base/log.h"
#include "worker/model/safetensors.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Eight bytes of length, the header, then zeros up to data_bytes. */
static struct buffer make_file(const char *json, size_t json_length, size_t data_bytes)
{
    struct buffer b = {0};
    for (int i = 0; i < 8; i++) buffer_append_char(&b, (char)((uint64_t)json_length >> (8 * i)));
    buffer_append(&b, json, json_length);
    for (size_t i = 0; i < data_bytes; i++) buffer_append_char(&b, (char)(i * 7));
    return b;
}

static enum status check(const char *json, size_t data_bytes, size_t *n, struct error *err)
{
    struct buffer b = make_file(json, strlen(json), data_bytes);
    *err = (struct error){0};
    enum status st = safetensors_check(b.data, b.length, b.length, n, err);
    buffer_free(&b);
    return st;
}

#define F32(name, shape, from, to)                                                                                     \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static const struct {
    const char *name, *json;
    size_t data_bytes;
    const char *part; /* of the message; NULL: accepted */
} headers[] = {
    {"one_tensor", "{" F32("a", "[2,3]", 0, 24) "}", 24, NULL},
    {"no_tensors_no_data", "{}", 0, NULL},
    {"order_in_the_header_is_free", "{" F32("b", "[1]", 8, 12) "," F32("a", "[2]", 0, 8) "}", 12, NULL},
    {"s2_white_space_before_and_after", " \n\t{" F32("a", "[1]", 0, 4) "}  \r\n   ", 4, NULL},
    {"s2_another_first_byte", "x{}", 0, "byte 0"},
    {"s2_an_array", "[]", 0, "not a JSON object"},
    {"s2_trailing_bytes", "{}x", 0, "after the end"},
    {"s2_trailing_nul", "{} \x01", 0, "after the end"},
    {"s3_not_utf8", "{\"a\xff\":{}}", 0, "not UTF-8"},
    {"s3_same_tensor_twice", "{" F32("a", "[1]", 0, 4) "," F32("a", "[1]", 4, 8) "}", 8, "stands twice"},
    {"s3_same_tensor_twice_escaped", "{" F32("a", "[1]", 0, 4) "," F32("\\u0061", "[1]", 4, 8) "}", 8, "stands twice"},
    {"s3_dtype_twice", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "stands twice"},
    {"s3_nul_in_a_name", "{" F32("a\\u0000b", "[1]", 0, 4) "}", 4, "\\u0000"},
    {"s3_lone_surrogate", "{" F32("\\ud800", "[1]", 0, 4) "}", 4, "surrogate"},
    {"s5_overlap", "{" F32("a", "[2]", 0, 8) "," F32("b", "[1]", 4, 8) "}", 8, "tensor b: begins at offset"},
    {"s5_same_range", "{" F32("a", "[2]", 0, 8) "," F32("b", "[2]", 0, 8) "}", 8, "inside the tensor before it"},
    {"s5_hole", "{" F32("a", "[1]", 0, 4) "," F32("b", "[1]", 8, 12) "}", 12, "a hole of 4 bytes"},
    {"s5_reversed", "{" F32("a", "[1]", 4, 0) "}", 4, "are reversed"},
    {"s5_not_from_zero", "{" F32("a", "[1]", 4, 8) "}", 8, "a hole of 4 bytes"},
    {"s5_beyond_the_file", "{" F32("a", "[2]", 0, 8) "}", 4, "cut short"},
    {"s6_trailing_bytes", "{" F32("a", "[1]", 0, 4) "}", 8, "4 bytes after the last tensor"},
    {"s6_data_without_tensors", "{}", 1, "1 bytes after the last tensor"},
    {"s7_negative_offset", "{" F32("a", "[1]", -4, 0) "}", 0, "got -4"},
    {"s7_minus_zero", "{" F32("a", "[1]", -0, 4) "}", 4, "got -0"},
    {"s7_fraction", "{" F32("a", "[1.5]", 0, 6) "}", 6, "got 1.5"},
    {"s7_fraction_that_is_whole", "{" F32("a", "[1.0]", 0, 4) "}", 4, "got 1.0"},
    {"s7_exponent", "{" F32("a", "[1e0]", 0, 4) "}", 4, "got 1e0"},
    {"s7_above_2_53", "{" F32("a", "[9007199254740992]", 0, 4) "}", 4, "got 9007199254740992"},
    {"s7_above_2_53_by_one", "{" F32("a", "[0,9007199254740993]", 0, 0) "}", 0, "got 9007199254740993"},
    {"s7_2_64", "{" F32("a", "[18446744073709551616]", 0, 4) "}", 4, "got 18446744073709551616"},
    {"s7_offset_of_twenty_digits", "{" F32("a", "[1]", 0, 99999999999999999999) "}", 4, "got 99999999999999999999"},
    {"s7_string", "{" F32("a", "[\"1\"]", 0, 4) "}", 4, "got \"1\""},
    {"s7_null", "{" F32("a", "[null]", 0, 4) "}", 4, "got null"},
    {"s7_largest_dim_beside_zero", "{" F32("a", "[9007199254740991,0]", 0, 0) "}", 0, NULL},
    {"s8_product_above_2_64", "{" F32("a", "[4294967296,4294967297]", 0, 4) "}", 4, "does not fit"},
    {"s8_product_wraps_to_zero", "{" F32("a", "[4294967296,4294967296]", 0, 0) "}", 0, "does not fit"},
    {"s8_product_wraps_to_zero_with_more", "{" F32("a", "[65536,65536,65536,65536]", 0, 0) "}", 0, "does not fit"},
    {"s8_times_size_wraps", "{" F32("a", "[2147483648,2147483648]", 0, 0) "}", 0, "do not fit"},
    {"s8_times_size_wraps_to_four", "{" F32("a", "[2147483648,2147483648,1]", 0, 4) "}", 4, "do not fit"},
    {"s8_zero_hides_no_overflow", "{" F32("a", "[4294967296,4294967296,0]", 0, 0) "}", 0, "does not fit"},
    {"s9_shape_larger", "{" F32("a", "[3]", 0, 8) "}", 8, "span 8 bytes, the shape in F32 takes 12"},
    {"s9_shape_smaller", "{" F32("a", "[1]", 0, 8) "}", 8, "takes 4"},
    {"s9_empty_shape_with_bytes", "{" F32("a", "[0]", 0, 4) "}", 4, "takes 0"},
    {"s10_unknown_dtype", "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "F31"},
    {"s10_wrong_case", "{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "f32"},
    {"s10_half_bytes", "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "F4"},
    {"s10_six_bits", "{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, "F6_E2M3"},
    {"s10_empty", "{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not known"},
    {"s10_number", "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "want a string"},
    {"s10_escaped", "{\"a\":{\"dtype\":\"F\\u0033\\u0032\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NULL},
    {"s11_scalar", "{" F32("a", "[]", 0, 4) "}", 4, NULL},
    {"s11_dim_zero", "{" F32("a", "[0,7]", 0, 0) "}", 0, NULL},
    {"s11_dim_one", "{" F32("a", "[1,1,1]", 0, 4) "}", 4, NULL},
    {"s11_rank_eight", "{" F32("a", "[1,1,1,1,1,1,1,1]", 0, 4) "}", 4, NULL},
    {"s11_rank_nine", "{" F32("a", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "more than 8 dimensions"},
    {"s11_empty_ones_share_a_place", "{" F32("a", "[0]", 0, 0) "," F32("b", "[0]", 0, 0) "," F32("c", "[1]", 0, 4) "}",
     4, NULL},
    {"s11_empty_one_at_the_end", "{" F32("a", "[1]", 0, 4) "," F32("b", "[0]", 4, 4) "}", 4, NULL},
    {"s11_empty_one_behind_the_end", "{" F32("a", "[1]", 0, 4) "," F32("b", "[0]", 8, 8) "}", 4, "cut short"},
    {"s13_misaligned", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}," F32("b", "[1]", 1, 5) "}", 5,
     NULL},
    {"metadata", "{\"__metadata__\":{\"format\":\"pt\",\"\":\"\"}," F32("a", "[1]", 0, 4) "}", 4, NULL},
    {"metadata_with_a_number", "{\"__metadata__\":{\"format\":1}}", 0, "want a string"},
    {"metadata_as_text", "{\"__metadata__\":\"pt\"}", 0, "want an object"},
    {"metadata_is_not_a_tensor", "{\"__metadata__\":{\"shape\":[1]}}", 0, "want a string"},
    {"tensor_as_number", "{\"a\":1}", 0, "tensor a: want an object"},
    {"tensor_as_null", "{\"a\":null}", 0, "want an object"},
    {"no_dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype is missing"},
    {"no_shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is missing"},
    {"no_offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets is missing"},
    {"one_offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "got 1"},
    {"three_offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "got more"},
    {"offsets_as_object", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{}}}", 4, "want an array"},
    {"shape_as_number", "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "want an array"},
    {"unknown_key", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
     "\"x\" is not known"},
    {"nested_too_deep", "{\"a\":{\"dtype\":\"F32\",\"shape\":[[[1]]],\"data_offsets\":[0,4]}}", 4, "deeper"},
};

static void headers_are_accepted_or_refused_by_the_book(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        struct error err;
        size_t n = 0;
        enum status st = check(headers[i].json, headers[i].data_bytes, &n, &err);
        bool good = headers[i].part
                        ? st != DOCKET_OK && strstr(err.message, headers[i].part) != NULL &&
                              err.code == CODE_model_header_invalid && strncmp(err.message, "header: ", 8) == 0
                        : st == DOCKET_OK;
        if (!good) fail_msg("%s: %s: %s", headers[i].name, status_name(st), err.message);
    }
}

static void s1_the_length_is_checked_before_anything_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t said, file_bytes;
        const char *part;
    } cases[] = {
        {"zero", 0, 8, "header of 0 bytes"},
        {"one", 1, 9, "header of 1 bytes"},
        {"beyond_the_file", 100, 50, "in a file of 50 bytes"},
        {"one_beyond_the_file", 43, 50, "in a file of 50 bytes"},
        {"above_the_limit", 100000001, UINT64_MAX, "at most 100000000"},
        {"2_63", UINT64_C(1) << 63, UINT64_MAX, "at most 100000000"},
        {"2_64_minus_1", UINT64_MAX, UINT64_MAX, "at most 100000000"},
        {"2_64_minus_8", UINT64_MAX - 7, UINT64_MAX, "at most 100000000"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char bytes[50] = {0};
        for (int k = 0; k < 8; k++) bytes[k] = (unsigned char)(cases[i].said >> (8 * k));
        mem_fail_at(1, true); /* nothing may be allocated */
        enum status st = safetensors_check(bytes, sizeof(bytes), cases[i].file_bytes, NULL, &err);
        mem_fail_at(0, false);
        if (st != DOCKET_CORRUPT || !strstr(err.message, cases[i].part)) fail_msg("%s: %s", cases[i].name, err.message);
    }
    for (size_t n = 0; n < 8; n++) {
        assert_int_equal(safetensors_check("\2\0\0\0\0\0\0\0{}", n, n, NULL, &err), DOCKET_CORRUPT);
        assert_non_null(strstr(err.message, "too short"));
    }
    assert_int_equal(safetensors_check("\2\0\0\0\0\0\0\0{}", 8, 8, NULL, &err), DOCKET_CORRUPT);
    assert_int_equal(safetensors_check("\2\0\0\0\0\0\0\0{}", 9, 10, NULL, &err), DOCKET_CORRUPT);
    assert_int_equal(safetensors_check("\2\0\0\0\0\0\0\0{}", 10, 10, NULL, &err), DOCKET_OK);
}

static void s4_ten_million_tensors_are_refused_before_any_list_is_made(void **state)
{
    (void)state;
    struct buffer json = {0};
    struct error err = {0};
    buffer_append_char(&json, '{');
    for (int i = 0; i < 1100000; i++) buffer_printf(&json, "%s\"%x\":{}", i ? "," : "", i);
    buffer_append_char(&json, '}');
    struct buffer b = make_file(json.data, json.length, 0);
    assert_int_not_equal(safetensors_check(b.data, b.length, b.length, NULL, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "more than 1001000 keys"));
    buffer_free(&b);
    buffer_clear(&json);
    buffer_append_char(&json, '{');
    for (int i = 0; i < 1000001; i++) buffer_printf(&json, "%s\"%x\":{}", i ? "," : "", i);
    buffer_append_char(&json, '}');
    b = make_file(json.data, json.length, 0);
    assert_int_not_equal(safetensors_check(b.data, b.length, b.length, NULL, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "more than 1000000 tensors"));
    buffer_free(&b);
    buffer_free(&json);
}

static void every_dtype_has_its_size(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t bytes;
    } dtypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
                  {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                  {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
    for (size_t i = 0; i < ARRAY_LENGTH(dtypes); i++) {
        char json[200];
        struct error err;
        size_t n = 0;
        snprintf(json, sizeof(json), "{\"a\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}",
                 dtypes[i].name, 3 * dtypes[i].bytes);
        if (check(json, 3 * dtypes[i].bytes, &n, &err) != DOCKET_OK) fail_msg("%s: %s", dtypes[i].name, err.message);
        assert_int_equal(n, 1);
        assert_int_equal(tensor_dtype_bytes((enum tensor_dtype)i), dtypes[i].bytes);
        assert_string_equal(tensor_dtype_name((enum tensor_dtype)i), dtypes[i].name);
    }
}

static struct model_location here(void)
{
    return (struct model_location){.folder = top, .boundary = top};
}

static enum status open_here(struct tensor_files **files, struct error *err)
{
    struct model_location l = here();
    *files = NULL;
    *err = (struct error){0};
    return tensor_files_open(files, &l, err);
}

static void write_file(const char *name, const char *json, size_t data_bytes)
{
    struct buffer b = make_file(json, strlen(json), data_bytes);
    scratch_write(top, name, b.data, b.length);
    buffer_free(&b);
}

#define TWO "{" F32("a", "[2,3]", 0, 24) "," F32("b", "[2]", 24, 32) "}"

static void tensors_are_found_and_read(void **state)
{
    (void)state;
    struct tensor_files *files;
    struct error err;
    unsigned char bytes[32];
    write_file("model.safetensors", TWO, 32);
    if (open_here(&files, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tensor_files_count(files), 1);
    assert_int_equal(tensor_files_bytes(files), 32);
    assert_int_equal(tensor_count(files), 2);
    assert_string_equal(tensor_at(files, 0)->name, "a");
    assert_null(tensor_at(files, 2));
    const struct tensor_info *b = tensor_find(files, "b");
    assert_ptr_equal(b, tensor_at(files, 1));
    assert_null(tensor_find(files, "c"));
    assert_int_equal(b->offset, 8 + strlen(TWO) + 24);
    assert_int_equal(b->n_elements, 2);
    assert_int_equal(tensor_read(files, b, 3, bytes, 5, &err), DOCKET_OK);
    for (int i = 0; i < 5; i++) assert_int_equal(bytes[i], (unsigned char)((27 + i) * 7));
    assert_int_equal(tensor_read(files, b, 8, bytes, 0, &err), DOCKET_OK);
    assert_int_equal(tensor_read(files, b, 4, bytes, 5, &err), DOCKET_INTERNAL);
    assert_int_equal(tensor_read(files, b, UINT64_MAX, bytes, 2, &err), DOCKET_INTERNAL);
    assert_int_equal(tensor_files_unchanged(files, &err), DOCKET_OK);
    tensor_files_close(files);
    tensor_files_close(NULL);
}

static void s14_a_file_cut_anywhere_is_refused_at_once(void **state)
{
    (void)state;
    struct buffer whole = make_file(TWO, strlen(TWO), 32);
    for (size_t n = 0; n <= whole.length + 1; n++) {
        struct tensor_files *files;
        struct error err;
        scratch_write(top, "model.safetensors", whole.data, n <= whole.length ? n : whole.length);
        if (n > whole.length) {
            FILE *f = fopen(scratch_path(top, "model.safetensors"), "ab");
            assert_non_null(f);
            fputc(0, f);
            fclose(f);
        }
        enum status st = open_here(&files, &err);
        if ((st == DOCKET_OK) != (n == whole.length)) fail_msg("cut at %zu of %zu: %s", n, whole.length, err.message);
        if (st != DOCKET_OK) {
            assert_non_null(strstr(err.message, "model.safetensors"));
            assert_int_equal(err.code, CODE_model_header_invalid);
        }
        tensor_files_close(files);
    }
    buffer_free(&whole);
}

static void s15_a_file_that_changes_meanwhile_is_noticed(void **state)
{
    (void)state;
    static const char *const ways[] = {"truncated", "appended", "rewritten", "replaced", "removed", "touched"};
    for (size_t way = 0; way < ARRAY_LENGTH(ways); way++) {
        struct tensor_files *files;
        struct error err;
        unsigned char bytes[8];
        const struct timespec times[2] = {{1000, 0}, {1000, 5}};
        const char *path = scratch_path(top, "model.safetensors");
        write_file("model.safetensors", TWO, 32);
        assert_int_equal(open_here(&files, &err), DOCKET_OK);
        assert_int_equal(tensor_read(files, tensor_at(files, 1), 0, bytes, 8, &err), DOCKET_OK);
        if (way == 0) assert_int_equal(truncate(path, 100), 0);
        if (way == 1) assert_int_equal(truncate(path, 1000), 0);
        if (way == 2 || way == 5) assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        if (way == 3) {
            write_file("other", TWO, 32);
            assert_int_equal(rename(scratch_path(top, "other"), path), 0);
        }
        if (way == 4) assert_int_equal(unlink(path), 0);
        if (way != 3 && way != 4) { /* those two leave what is open as it was */
            enum status st = tensor_read(files, tensor_at(files, 1), 0, bytes, 8, &err);
            if (st != DOCKET_CORRUPT || err.code != CODE_model_file_changed)
                fail_msg("%s: %s: %s", ways[way], status_name(st), err.message);
        }
        enum status st = tensor_files_unchanged(files, &err);
        if (st != DOCKET_CORRUPT || err.code != CODE_model_file_changed)
            fail_msg("%s: %s: %s", ways[way], status_name(st), err.message);
        tensor_files_close(files);
        unlink(path);
    }
}

/* The number of the open file whose name ends so. */
static int find_open(const char *name)
{
    for (int fd = 3; fd < 256; fd++) {
        char link[64], target[4096];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        if (n <= 0) continue;
        target[n] = '\0';
        if (strstr(target, name)) return fd;
    }
    return -1;
}

static void s16_a_read_that_fails_is_tried_again_with_the_file_reopened(void **state)
{
    (void)state;
    struct tensor_files *files;
    struct error err;
    unsigned char bytes[8];
    write_file("model.safetensors", TWO, 32);
    assert_int_equal(open_here(&files, &err), DOCKET_OK);
    int fd = find_open("model.safetensors"), folder = open(top, O_RDONLY);
    assert_true(fd >= 0 && folder >= 0);
    assert_int_equal(dup2(folder, fd), fd); /* reading a folder fails with EISDIR */
    if (tensor_read(files, tensor_at(files, 1), 0, bytes, 8, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(bytes[0], (unsigned char)(24 * 7));
    assert_int_equal(dup2(folder, fd), fd);
    unlink(scratch_path(top, "model.safetensors"));
    scratch_folder(top, "model.safetensors");
    enum status st = tensor_read(files, tensor_at(files, 1), 0, bytes, 8, &err);
    assert_int_not_equal(st, DOCKET_OK);
    assert_non_null(strstr(err.message, "tensor b"));
    close(folder);
    tensor_files_close(files);
}

struct racer {
    struct tensor_files *files;
    int fd, unreadable; /* the second: the same file opened for writing alone, so that reads fail and its facts stay */
    bool failed;
};

static void *race(void *argument)
{
    struct racer *r = argument;
    for (int i = 0; i < 200 && !r->failed; i++) {
        unsigned char bytes[24];
        struct error err;
        if (r->unreadable >= 0 && i % 100 == 25) dup2(r->unreadable, r->fd); /* twice: fewer than one read may try */
        r->failed = tensor_read(r->files, tensor_at(r->files, 0), 0, bytes, 24, &err) != DOCKET_OK || bytes[1] != 7;
    }
    return NULL;
}

static void threads_may_read_while_a_file_is_reopened(void **state)
{
    (void)state;
    struct racer racers[4];
    struct tensor_files *files;
    struct error err;
    pthread_t threads[4];
    write_file("model.safetensors", TWO, 32);
    assert_int_equal(open_here(&files, &err), DOCKET_OK);
    int fd = find_open("model.safetensors"), unreadable = open(scratch_path(top, "model.safetensors"), O_WRONLY);
    assert_true(fd >= 0 && unreadable >= 0);
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){files, fd, i == 0 ? unreadable : -1, false};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) assert_false(racers[i].failed);
    close(unreadable);
    tensor_files_close(files);
}

static void write_shards(void)
{
    write_file("model-1.safetensors", "{" F32("a", "[1]", 0, 4) "," F32("b", "[1]", 4, 8) "}", 8);
    write_file("model-2.safetensors", "{" F32("c", "[3]", 0, 12) "}", 12);
}

static void s19_s20_the_index_and_its_shards_must_agree(void **state)
{
    (void)state;
#define MAP(inner) "{\"metadata\":{\"total_size\":20},\"weight_map\":{" inner "}}"
#define AB         "\"a\":\"model-1.safetensors\",\"b\":\"model-1.safetensors\""
    static const struct {
        const char *name, *json, *part;
        enum error_code code;
    } cases[] = {
        {"good", MAP(AB ",\"c\":\"model-2.safetensors\""), NULL, CODE_NONE},
        {"no_metadata", "{\"weight_map\":{" AB ",\"c\":\"model-2.safetensors\"}}", NULL, CODE_NONE},
        {"escaped_names",
         MAP("\"\\u0061\":\"model-1.safetensors\",\"b\":\"model-1.safetensors\",\"c\":\"model-2.safetensors\""), NULL,
         CODE_NONE},
        {"total_size_is_only_said",
         "{\"metadata\":{\"total_size\":7},\"weight_map\":{" AB ",\"c\":\"model-2.safetensors\"}}", NULL, CODE_NONE},
        {"total_size_is_a_fraction",
         "{\"metadata\":{\"total_size\":2.5},\"weight_map\":{" AB ",\"c\":\"model-2.safetensors\"}}", NULL, CODE_NONE},
        {"parent", MAP(AB ",\"c\":\"../model-2.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"absolute", MAP(AB ",\"c\":\"/etc/x.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"folder", MAP(AB ",\"c\":\"x/model-2.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"escaped_slash", MAP(AB ",\"c\":\"x\\/model-2.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"nul", MAP(AB ",\"c\":\"model-2.safetensors\\u0000\""), "\\u0000", CODE_model_index_invalid},
        {"only_the_ending", MAP(AB ",\"c\":\".safetensors\""), "want one path part", CODE_model_index_invalid},
        {"hidden", MAP(AB ",\"c\":\".x.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"pickle", MAP(AB ",\"c\":\"pytorch_model.bin\""), "want one path part", CODE_model_index_invalid},
        {"space", MAP(AB ",\"c\":\"model 2.safetensors\""), "want one path part", CODE_model_index_invalid},
        {"number", MAP(AB ",\"c\":2"), "want the name of a file", CODE_model_index_invalid},
        {"null", MAP(AB ",\"c\":null"), "want the name of a file", CODE_model_index_invalid},
        {"shard_is_missing", MAP(AB ",\"c\":\"model-3.safetensors\""), "not there", CODE_model_file_missing},
        {"tensor_is_missing", MAP(AB ",\"c\":\"model-2.safetensors\",\"d\":\"model-2.safetensors\""), "tensor d",
         CODE_model_index_invalid},
        {"tensor_in_the_other_shard",
         MAP("\"a\":\"model-2.safetensors\",\"b\":\"model-1.safetensors\",\"c\":\"model-2.safetensors\""), "tensor a",
         CODE_model_index_invalid},
        {"tensor_not_listed", MAP("\"a\":\"model-1.safetensors\",\"c\":\"model-2.safetensors\""),
         "tensor b is not listed", CODE_model_index_invalid},
        {"empty_map", MAP(""), "want 1 to", CODE_model_index_invalid},
        {"no_map", "{}", "weight_map: want an object", CODE_model_index_invalid},
        {"map_as_array", "{\"weight_map\":[]}", "weight_map: want an object", CODE_model_index_invalid},
        {"not_an_object", "[]", "weight_map: want an object", CODE_model_index_invalid},
        {"listed_twice", MAP(AB ",\"a\":\"model-1.safetensors\""), "stands twice", CODE_model_index_invalid},
        {"cut", "{\"weight_map\":{", "ends at byte", CODE_model_index_invalid},
        {"empty", "", "ends at byte", CODE_model_index_invalid},
    };
    log_open(&(struct log_options){.level = LOG_OFF, .fd = 2}, NULL);
    write_shards();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct tensor_files *files;
        struct error err;
        scratch_write_text(top, "model.safetensors.index.json", cases[i].json);
        enum status st = open_here(&files, &err);
        bool good = cases[i].part ? st != DOCKET_OK && strstr(err.message, cases[i].part) && err.code == cases[i].code
                                  : st == DOCKET_OK && tensor_count(files) == 3 && tensor_files_bytes(files) == 20;
        if (!good) fail_msg("%s: %s: %s", cases[i].name, status_name(st), err.message);
        if (!cases[i].part)
            assert_string_equal(tensor_file_name(files, tensor_find(files, "c")->file), "model-2.safetensors");
        tensor_files_close(files);
    }
    char json[1000];
    struct tensor_files *files;
    struct error err;
    snprintf(json, sizeof(json), MAP(AB ",\"c\":\"%0300d.safetensors\""), 1);
    scratch_write_text(top, "model.safetensors.index.json", json);
    assert_int_not_equal(open_here(&files, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "want one path part"));
    log_close();
}

static void s20_a_tensor_in_two_shards_is_refused(void **state)
{
    (void)state;
    struct tensor_files *files;
    struct error err;
    write_shards();
    write_file("model-2.safetensors", "{" F32("c", "[1]", 0, 4) "," F32("a", "[1]", 4, 8) "}", 8);
    scratch_write_text(top, "model.safetensors.index.json", MAP(AB ",\"c\":\"model-2.safetensors\""));
    assert_int_not_equal(open_here(&files, &err), DOCKET_OK);
    assert_string_equal(err.message, "tensor a stands in model-1.safetensors and in model-2.safetensors");
}

static void s19_an_empty_or_linked_shard_is_judged_as_any_file(void **state)
{
    (void)state;
    struct tensor_files *files;
    struct error err;
    write_shards();
    scratch_write_text(top, "model.safetensors.index.json", MAP(AB ",\"c\":\"model-2.safetensors\""));
    scratch_write_text(top, "model-2.safetensors", "");
    assert_int_not_equal(open_here(&files, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "model-2.safetensors: 0 bytes: too short"));
    write_file("model-2.safetensors", "{}", 0); /* listed but holds nothing */
    assert_int_not_equal(open_here(&files, &err), DOCKET_OK);
    assert_non_null(strstr(err.message, "tensor c"));
    unlink(scratch_path(top, "model-2.safetensors"));
    scratch_link(top, "model-2.safetensors", "/etc/passwd");
    assert_int_equal(open_here(&files, &err), DOCKET_REFUSED);
}

static void pickles_are_never_opened(void **state)
{
    (void)state;
    struct tensor_files *files;
    struct error err;
    assert_int_equal(open_here(&files, &err), DOCKET_NOT_FOUND);
    assert_int_equal(err.code, CODE_model_file_missing);
    scratch_write_text(top, "pytorch_model.bin", "x");
    assert_int_equal(open_here(&files, &err), DOCKET_UNSUPPORTED);
    assert_non_null(strstr(err.message, "safetensors"));
}

static enum status open_and_read(void *context, struct error *err)
{
    struct tensor_files *files = NULL;
    struct model_location l = here();
    unsigned char bytes[4];
    (void)context;
    enum status st = tensor_files_open(&files, &l, err);
    if (st == DOCKET_OK) st = tensor_read(files, tensor_find(files, "b"), 0, bytes, 4, err);
    if (st == DOCKET_OK) st = tensor_files_unchanged(files, err);
    tensor_files_close(files);
    return st;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    write_shards();
    scratch_write_text(top, "model.safetensors.index.json", MAP(AB ",\"c\":\"model-2.safetensors\""));
    assert_true(torture(open_and_read, NULL) > 20);
    write_file("model.safetensors", TWO, 32);
    assert_true(torture(open_and_read, NULL) > 8);
}

/* P25: bytes of a good header changed at random: either refused, or the tensors lie in the file without hole or overlap. */
static void damaged_headers_never_load_silently(void **state)
{
    (void)state;
    struct buffer whole = make_file(TWO, strlen(TWO), 32);
    uint64_t seed = 4711;
    size_t refused = 0;
    for (int i = 0; i < 20000; i++) {
        char copy[512];
        struct error err;
        size_t n = 0;
        memcpy(copy, whole.data, whole.length);
        for (int k = 0; k <= i % 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            copy[(seed >> 33) % (8 + strlen(TWO))] = (char)(seed >> 56);
        }
        enum status st = safetensors_check(copy, whole.length, whole.length, &n, &err);
        if (st != DOCKET_OK)
            refused++;
        else if (n != 2)
            fail_msg("accepted with %zu tensors", n);
    }
    assert_true(refused > 15000);
    buffer_free(&whole);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(headers_are_accepted_or_refused_by_the_book),
        T(s1_the_length_is_checked_before_anything_is_taken),
        T(s4_ten_million_tensors_are_refused_before_any_list_is_made),
        T(every_dtype_has_its_size),
        T(tensors_are_found_and_read),
        T(s14_a_file_cut_anywhere_is_refused_at_once),
        T(s15_a_file_that_changes_meanwhile_is_noticed),
        T(s16_a_read_that_fails_is_tried_again_with_the_file_reopened),
        T(threads_may_read_while_a_file_is_reopened),
        T(s19_s20_the_index_and_its_shards_must_agree),
        T(s20_a_tensor_in_two_shards_is_refused),
        T(s19_an_empty_or_linked_shard_is_judged_as_any_file),
        T(pickles_are_never_opened),
        T(every_failed_allocation_is_reported),
        T(damaged_headers_never_load_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
