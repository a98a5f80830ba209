/* Results packed for the place that a job names: the same bytes each time, whole again when unpacked, and no failing allocation is lost. */
#include "handlers/results.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

static const enum output_packing packings[] = {OUTPUT_PLAIN, OUTPUT_GZIP, OUTPUT_ZSTD};

static struct buffer text_of(size_t length)
{
    struct buffer b = {0};
    for (size_t i = 0; i < length; i++) assert_true(buffer_append_char(&b, (char)('a' + i % 23 * i % 7)));
    return b;
}

static struct buffer unpacked(const struct buffer *packed)
{
    struct buffer out = {0};
    char block[4096];
    la_ssize_t n;
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    assert_int_equal(archive_read_open_memory(a, packed->data, packed->length), ARCHIVE_OK);
    if (archive_read_next_header(a, &entry) == ARCHIVE_OK)
        while ((n = archive_read_data(a, block, sizeof(block))) > 0) buffer_append(&out, block, (size_t)n);
    archive_read_free(a);
    return out;
}

static void what_is_packed_is_whole_again_and_the_same_each_time(void **state)
{
    static const size_t sizes[] = {1, 2, 511, 512, 10240, 70001, 300000};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(packings); k++) {
            struct buffer text = text_of(sizes[i]), once = {0}, again = {0};
            struct error err = {0};
            assert_int_equal(results_pack(&once, text.data, text.length, packings[k], &err), DOCKET_OK);
            assert_int_equal(results_pack(&again, text.data, text.length, packings[k], &err), DOCKET_OK);
            assert_true(once.length == again.length && memcmp(once.data, again.data, once.length) == 0);
            struct buffer back = unpacked(&once);
            if (back.length != text.length || memcmp(back.data, text.data, text.length) != 0)
                fail_msg("%zu bytes, packing %d: %zu came back", sizes[i], (int)packings[k], back.length);
            assert_true(packings[k] == OUTPUT_PLAIN || sizes[i] < 10000 || once.length < text.length / 4);
            buffer_free(&text);
            buffer_free(&once);
            buffer_free(&again);
            buffer_free(&back);
        }
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    struct buffer text = text_of(50000);
    for (size_t k = 0; k < ARRAY_LENGTH(packings); k++)
        for (size_t n = 1;; n++) {
            struct buffer out = {0};
            struct error err = {0};
            mem_fail_at(n, n % 2 == 0);
            enum status st = results_pack(&out, text.data, text.length, packings[k], &err);
            bool done = mem_count() < n;
            mem_fail_at(0, false);
            assert_true(st == DOCKET_OK ? done : st == DOCKET_NO_MEMORY);
            buffer_free(&out);
            if (done) break;
        }
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_is_whole_again_and_the_same_each_time),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
