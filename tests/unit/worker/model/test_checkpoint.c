/* What the writer of checkpoints writes, the reader of safetensors reads back: names, shapes, bytes, checksums, aligned. */
#include "worker/model/checkpoint.h"

#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/checksum.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[256];

static int set_up(void **state)
{
    (void)state;
    scratch_make(folder, sizeof(folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static const struct {
    const char *name;
    enum tensor_dtype dtype;
    unsigned rank;
    uint64_t shape[3];
} tensors[] = {
    {"odd.bytes", DTYPE_U8, 1, {13}},  {"a.scalar", DTYPE_U8, 0, {0}},  {"floats", DTYPE_F32, 2, {3, 5}},
    {"halves", DTYPE_F16, 1, {7}},     {"empty", DTYPE_F32, 2, {0, 8}}, {"even", DTYPE_BF16, 2, {16, 64}},
    {"bytes", DTYPE_I8, 2, {33, 3}},   {"wide", DTYPE_I64, 1, {3}},     {"column", DTYPE_U8, 2, {4096, 1}},
    {"deep", DTYPE_F32, 3, {2, 3, 4}}, {"one", DTYPE_F32, 1, {1}},      {"last", DTYPE_U16, 1, {501}},
};

static size_t bytes_of(size_t i)
{
    size_t n = tensor_dtype_bytes(tensors[i].dtype);
    for (unsigned k = 0; k < tensors[i].rank; k++) n *= (size_t)tensors[i].shape[k];
    return n;
}

static void fill(unsigned char *to, size_t i, size_t n)
{
    for (size_t k = 0; k < n; k++) to[k] = (unsigned char)(k * 31 + i * 7 + k / 251);
}

static enum status write_all(const char *where, uint64_t shard_bytes, size_t *n_shards, struct error *err)
{
    struct checkpoint *c = NULL;
    unsigned char bytes[8192];
    enum status st = checkpoint_open(&c, where, shard_bytes, err);
    for (size_t i = 0; i < ARRAY_LENGTH(tensors) && st == DOCKET_OK; i++) {
        size_t n = bytes_of(i);
        fill(bytes, i, n);
        st = checkpoint_begin(c, tensors[i].name, tensors[i].dtype, tensors[i].rank, tensors[i].shape, err);
        for (size_t at = 0; at < n && st == DOCKET_OK; at += 100)
            st = checkpoint_append(c, bytes + at, n - at < 100 ? n - at : 100, err);
    }
    if (st == DOCKET_OK) st = checkpoint_finish(c, err);
    if (st == DOCKET_OK) {
        if (n_shards) *n_shards = checkpoint_n_shards(c);
        assert_int_equal(checkpoint_n_tensors(c), ARRAY_LENGTH(tensors));
        for (size_t i = 0; i < ARRAY_LENGTH(tensors); i++) {
            struct checksum sum;
            size_t n = bytes_of(i);
            fill(bytes, i, n);
            checksum_init(&sum);
            checksum_add(&sum, bytes, n);
            assert_true(checkpoint_tensor_at(c, i)->checksum == checksum_value(&sum));
        }
    }
    checkpoint_close(c);
    return st;
}

static struct model_location here(void)
{
    return (struct model_location){.folder = folder, .boundary = folder, .name = folder};
}

static void check_read_back(void)
{
    const struct model_location location = here();
    struct tensor_files *files = NULL;
    struct error err = {0};
    unsigned char bytes[8192], want[8192];
    if (tensor_files_open(&files, &location, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tensor_count(files), ARRAY_LENGTH(tensors));
    for (size_t i = 0; i < ARRAY_LENGTH(tensors); i++) {
        const struct tensor_info *t = tensor_find(files, tensors[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, tensors[i].dtype);
        assert_int_equal(t->rank, tensors[i].rank);
        assert_memory_equal(t->shape, tensors[i].shape, t->rank * sizeof(*t->shape));
        assert_int_equal(t->offset % tensor_dtype_bytes(t->dtype), 0);
        size_t n = bytes_of(i);
        fill(want, i, n);
        if (tensor_read(files, t, 0, bytes, n, &err) != DOCKET_OK) fail_msg("%s", err.message);
        assert_memory_equal(bytes, want, n);
    }
    tensor_files_close(files);
}

static void one_file_reads_back_aligned(void **state)
{
    struct error err = {0};
    size_t shards;
    if (write_all(folder, 0, &shards, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(shards, 1);
    check_read_back();
    (void)state;
}

static void many_shards_read_back_with_their_index(void **state)
{
    struct error err = {0};
    size_t shards;
    if (write_all(folder, 1000, &shards, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(shards > 2);
    assert_int_equal(access(scratch_path(folder, "model.safetensors"), F_OK), -1);
    check_read_back();
    (void)state;
}

static void a_header_that_is_full_begins_a_new_shard(void **state)
{
    enum { N = 4000 };
    const struct model_location location = here();
    struct checkpoint *c = NULL;
    struct tensor_files *files = NULL;
    struct error err = {0};
    assert_int_equal(checkpoint_open(&c, folder, 0, &err), DOCKET_OK);
    for (uint32_t i = 0; i < N; i++) {
        char name[64];
        uint64_t shape[1] = {1};
        snprintf(name, sizeof(name), "model.layers.%u.block_sparse_moe.experts.w1.weight", i);
        if (checkpoint_add(c, name, DTYPE_U32, 1, shape, &i, &err) != DOCKET_OK) fail_msg("%s", err.message);
    }
    if (checkpoint_finish(c, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(checkpoint_n_shards(c) > 1);
    checkpoint_close(c);
    if (tensor_files_open(&files, &location, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tensor_count(files), N);
    tensor_files_close(files);
    (void)state;
}

static void a_checksum_that_is_due_finds_a_changed_byte(void **state)
{
    const struct model_location location = here();
    struct tensor_files *files = NULL;
    struct error err = {0};
    struct checksum sum;
    unsigned char bytes[8192];
    assert_int_equal(write_all(folder, 0, NULL, &err), DOCKET_OK);
    assert_int_equal(tensor_files_open(&files, &location, &err), DOCKET_OK);
    const struct tensor_info *t = tensor_find(files, "even");
    size_t n = (size_t)t->size_bytes;
    assert_int_equal(tensor_read(files, t, 0, bytes, n, &err), DOCKET_OK);
    checksum_init(&sum);
    checksum_add(&sum, bytes, n);
    assert_int_equal(tensor_expect(files, t, checksum_value(&sum), &err), DOCKET_OK);
    assert_int_equal(tensor_files_verified(files, &err), DOCKET_INTERNAL); /* not read since */
    for (size_t at = 0; at < n; at += 64)
        if (tensor_read(files, t, at, bytes, 64, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(tensor_files_verified(files, &err), DOCKET_OK);
    assert_int_equal(tensor_expect(files, t, checksum_value(&sum) ^ 1, &err), DOCKET_OK);
    assert_int_equal(tensor_read(files, t, 0, bytes, n, &err), DOCKET_CORRUPT);
    assert_non_null(strstr(err.message, "checksum"));
    assert_non_null(strstr(err.message, "even"));
    assert_int_equal(tensor_files_verified(files, &err), DOCKET_INTERNAL);
    tensor_files_close(files);
    (void)state;
}

static void a_full_disk_is_an_error_that_names_the_file(void **state)
{
    struct rlimit was, small;
    struct error err = {0};
    getrlimit(RLIMIT_FSIZE, &was);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = was;
    small.rlim_cur = 262144 + 2000; /* behind the header's room, within the data */
    setrlimit(RLIMIT_FSIZE, &small);
    enum status st = write_all(folder, 0, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, handler);
    assert_int_equal(st, DOCKET_IO);
    assert_non_null(strstr(err.message, folder));
    (void)state;
}

static void names_and_sizes_that_cannot_be_are_refused(void **state)
{
    struct checkpoint *c = NULL;
    struct error err = {0};
    const uint64_t huge[2] = {UINT64_C(1) << 33, UINT64_C(1) << 32}, one[1] = {1};
    assert_int_equal(checkpoint_open(&c, folder, 0, &err), DOCKET_OK);
    assert_int_equal(checkpoint_begin(c, "a b", DTYPE_U8, 1, one, &err), DOCKET_UNSUPPORTED);
    assert_int_equal(checkpoint_begin(c, "a\"b", DTYPE_U8, 1, one, &err), DOCKET_UNSUPPORTED);
    assert_int_equal(checkpoint_begin(c, "", DTYPE_U8, 1, one, &err), DOCKET_UNSUPPORTED);
    assert_int_equal(checkpoint_begin(c, "x", DTYPE_F32, 2, huge, &err), DOCKET_LIMIT);
    assert_int_equal(checkpoint_begin(c, "x", DTYPE_F32, 1, one, &err), DOCKET_OK);
    assert_int_equal(checkpoint_append(c, "12345", 5, &err), DOCKET_INTERNAL);
    assert_int_equal(checkpoint_begin(c, "y", DTYPE_F32, 1, one, &err), DOCKET_INTERNAL);
    assert_int_equal(checkpoint_finish(c, &err), DOCKET_INTERNAL);
    checkpoint_close(c);
    (void)state;
}

static enum status write_in_a_new_folder(void *context, struct error *err)
{
    char own[256];
    (void)context;
    scratch_make(own, sizeof(own));
    enum status st = write_all(own, 1000, NULL, err);
    scratch_remove(own);
    return st;
}

static void every_failed_allocation_is_survived(void **state)
{
    assert_true(torture(write_in_a_new_folder, NULL) > 20);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_file_reads_back_aligned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_shards_read_back_with_their_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_header_that_is_full_begins_a_new_shard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checksum_that_is_due_finds_a_changed_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_an_error_that_names_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_sizes_that_cannot_be_are_refused, set_up, tear_down),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
