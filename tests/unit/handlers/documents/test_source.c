/* base64 and paths: what is accepted, what is refused with which code, and that nothing outside of the root is opened. */
#include "handlers/documents/readers.h"
#include "handlers/job_input.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void base64_variants_decode_alike_and_wrong_ones_do_not(void **state)
{
    static const struct {
        const char *name, *text, *want; /* NULL: refused */
    } cases[] = {
        {"empty", "", ""},
        {"space_only", " \n", ""},
        {"one", "eA==", "x"},
        {"one_without_padding", "eA", "x"},
        {"two", "eHk=", "xy"},
        {"two_without_padding", "eHk", "xy"},
        {"three", "eHl6", "xyz"},
        {"standard_alphabet", "+/+/", "\xfb\xff\xbf"},
        {"url_alphabet", "-_-_", "\xfb\xff\xbf"},
        {"lines", "eHl6\r\n eHl6\n", "xyzxyz"},
        {"space_in_padding", "eA= =\n", "x"},
        {"half_padding", "eA=", NULL},
        {"too_much_padding", "eA===", NULL},
        {"padding_after_whole", "eHl6=", NULL},
        {"padding_alone", "=", NULL},
        {"padding_alone_4", "====", NULL},
        {"more_after_padding", "eA==eA==", NULL},
        {"one_character", "e", NULL},
        {"five_characters", "eHl6e", NULL},
        {"bits_left_over", "eB==", NULL},
        {"bits_left_over_2", "eHl=", NULL},
        {"foreign", "eH!6", NULL},
        {"beyond_ascii", "eH\xc3\xa9", NULL},
        {"nul_mark", "eHl6\xff", NULL},
        {"data_url", "data:text/plain;base64,eA==", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer out = {0};
        struct error err = {0};
        enum status st = base64_decode(&out, cases[i].text, strlen(cases[i].text), &err);
        bool right = cases[i].want ? st == DOCKET_OK && out.length == strlen(cases[i].want) &&
                                         memcmp(out.data ? out.data : "", cases[i].want, out.length) == 0
                                   : st == DOCKET_BAD_INPUT && err.code == CODE_content_base64_invalid;
        if (!right) fail_msg("%s: %s, %zu bytes", cases[i].name, err.message, out.length);
        buffer_free(&out);
    }
}

static void base64_of_14_mb_decodes_to_every_byte(void **state)
{
    const size_t n = 14 * 1000 * 1000;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = mem_alloc(n);
    struct buffer out = {0};
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < n; i++) text[i] = alphabet[i * 7 % 64];
    assert_int_equal(base64_decode(&out, text, n, &err), DOCKET_OK);
    assert_int_equal(out.length, n / 4 * 3);
    for (size_t i = 0; i < n / 4; i++) {
        const unsigned char *b = (unsigned char *)out.data + 3 * i;
        assert_int_equal(b[0] << 16 | b[1] << 8 | b[2], (4 * i * 7 % 64) << 18 | ((4 * i + 1) * 7 % 64) << 12 |
                                                            ((4 * i + 2) * 7 % 64) << 6 | (4 * i + 3) * 7 % 64);
    }
    buffer_free(&out);
    mem_free(text);
}

/* A folder with a bit of everything, and a secret beside it. */
struct tree {
    char base[64], root[96];
};

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static void make_tree(struct tree *t)
{
    char path[256];
    strcpy(t->base, "/tmp/docket-source-XXXXXX");
    assert_non_null(mkdtemp(t->base));
    snprintf(t->root, sizeof(t->root), "%s/root", t->base);
    assert_int_equal(mkdir(t->root, 0700), 0);
    put_file(t->base, "secret", "secret");
    put_file(t->root, "letter.txt", "Dear");
    snprintf(path, sizeof(path), "%s/inbox", t->root);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file(path, "deep.txt", "deep");
    snprintf(path, sizeof(path), "%s/link", t->root);
    assert_int_equal(symlink("letter.txt", path), 0);
    snprintf(path, sizeof(path), "%s/out", t->root);
    assert_int_equal(symlink("../secret", path), 0);
    snprintf(path, sizeof(path), "%s/linked", t->root);
    assert_int_equal(symlink("inbox", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", t->root);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", t->root);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void remove_tree(const struct tree *t)
{
    static const char *const names[] = {
        "root/letter.txt", "root/inbox/deep.txt", "root/inbox", "root/link", "root/out", "root/linked",
        "root/pipe",       "root/socket",         "root",       "secret",    ""};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", t->base, names[i]);
        assert_int_equal(remove(path), 0);
    }
}

static const struct {
    const char *name, *path, *want;
    enum error_code code;
    int problem; /* errno of an open without links, 0: opens */
} paths[] = {
    {"plain", "letter.txt", "Dear", CODE_NONE, 0},
    {"in_folder", "inbox/deep.txt", "deep", CODE_NONE, 0},
    {"dots_and_slashes", "./inbox//./deep.txt", "deep", CODE_NONE, 0},
    {"missing", "none.txt", NULL, CODE_path_not_found, ENOENT},
    {"missing_folder", "none/none.txt", NULL, CODE_path_not_found, ENOENT},
    {"file_as_folder", "letter.txt/x", NULL, CODE_path_not_found, ENOTDIR},
    {"up", "../secret", NULL, CODE_path_not_allowed, EXDEV},
    {"up_inside", "inbox/../letter.txt", NULL, CODE_path_not_allowed, -1},
    {"up_at_the_end", "inbox/..", NULL, CODE_path_not_allowed, -1},
    {"absolute", "/etc/passwd", NULL, CODE_path_not_allowed, EXDEV},
    {"own_environment", "/proc/self/environ", NULL, CODE_path_not_allowed, EXDEV},
    {"link", "link", NULL, CODE_path_not_regular_file, ELOOP},
    {"link_out", "out", NULL, CODE_path_not_regular_file, ELOOP},
    {"link_on_the_way", "linked/deep.txt", NULL, CODE_path_not_regular_file, ELOOP},
    {"folder", "inbox", NULL, CODE_path_not_regular_file, 0},
    {"root_itself", ".", NULL, CODE_path_not_regular_file, 0},
    {"empty", "", NULL, CODE_path_not_regular_file, 0},
    {"pipe", "pipe", NULL, CODE_path_not_regular_file, 0},
    {"socket", "socket", NULL, CODE_path_not_regular_file, ENXIO},
    {"backslashes", "..\\secret", NULL, CODE_path_not_found, ENOENT},
};

static void only_regular_files_beneath_the_root_are_read(void **state)
{
    struct tree t;
    (void)state;
    make_tree(&t);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct buffer out = {0};
        struct error err = {0};
        enum status st = source_read_path(&out, t.root, paths[i].path, 1 * MIB, &err);
        if (err.code != paths[i].code || (st == DOCKET_OK) != (paths[i].want != NULL))
            fail_msg("%s: %s %s", paths[i].name, error_code_name(err.code), err.message);
        if (paths[i].want) assert_string_equal(out.data, paths[i].want);
        assert_null(strstr(err.message, t.base));
        buffer_free(&out);
    }
    remove_tree(&t);
}

static void an_old_kernel_opens_the_same_part_by_part(void **state)
{
    struct tree t;
    (void)state;
    make_tree(&t);
    int root = open(t.root, O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        if (paths[i].problem < 0) continue;
        int fd = source_open_parts(root, paths[i].path, O_RDONLY | O_NONBLOCK);
        if (fd >= 0 ? paths[i].problem != 0 : errno != paths[i].problem)
            fail_msg("%s: %d %s", paths[i].name, fd, strerror(errno));
        if (fd >= 0) close(fd);
        fd = source_open_beneath(root, paths[i].path, O_RDONLY | O_NONBLOCK);
        if (fd >= 0 ? paths[i].problem != 0 : errno != paths[i].problem)
            fail_msg("%s by openat2: %d %s", paths[i].name, fd, strerror(errno));
        if (fd >= 0) close(fd);
    }
    close(root);
    remove_tree(&t);
}

static void without_a_root_paths_are_refused_and_large_files_too(void **state)
{
    struct tree t;
    struct buffer out = {0};
    struct error err = {0};
    char long_name[5000];
    (void)state;
    make_tree(&t);
    source_read_path(&out, NULL, "letter.txt", 1 * MIB, &err);
    assert_int_equal(err.code, CODE_path_not_allowed);
    source_read_path(&out, "/nonexistent/root", "letter.txt", 1 * MIB, &err);
    assert_int_equal(err.code, CODE_path_not_found);
    source_read_path(&out, t.root, "letter.txt", 3, &err);
    assert_int_equal(err.code, CODE_document_too_large);
    assert_int_equal(source_read_path(&out, t.root, "letter.txt", 4, &err), DOCKET_OK);
    memset(long_name, 'a', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    source_read_path(&out, t.root, long_name, 4, &err);
    assert_int_equal(err.code, CODE_path_not_found);
    buffer_free(&out);
    remove_tree(&t);
}

static void every_source_of_a_job_gives_a_document_or_its_error(void **state)
{
    static const char job_json[] =
        "{\"input\":{\"labels\":[\"a\",\"b\"],\"documents\":["
        "{\"id\":\"t\",\"text\":\"%PDF-\\u0000is text\"},{\"id\":\"b\",\"content_base64\":\"aGVs bG8\"},"
        "{\"id\":\"p\",\"path\":\"inbox/deep.txt\"},{\"id\":\"n\"},{\"id\":\"w\",\"content_base64\":\"?\"},"
        "{\"id\":\"o\",\"path\":\"../secret\"},{\"id\":\"e\",\"text\":\"\"},"
        "{\"id\":\"f\",\"text\":\"x\",\"filename\":\"C:\\\\dir\\\\bill.txt\"}]}}";
    static const struct {
        const char *id, *filename, *text;
        enum error_code code;
        const char *detected_by, *message;
    } want[] = {
        {"t", NULL, "%PDF-is text", CODE_NONE, "given", ""},
        {"b", NULL, "hello", CODE_NONE, "content", ""},
        {"p", "deep.txt", "deep", CODE_NONE, "content", ""},
        {"n", NULL, NULL, CODE_document_source_invalid, NULL, "documents[3]: want exactly one of"},
        {"w", NULL, NULL, CODE_content_base64_invalid, NULL, "documents[4].content_base64: not base64 at byte 0"},
        {"o", "secret", NULL, CODE_path_not_allowed, NULL, "documents[5].path: leaves DOCUMENT_ROOT"},
        {"e", NULL, NULL, CODE_document_empty, "given", "e: empty"},
        {"f", "bill.txt", "x", CODE_NONE, "given", ""},
    };
    struct tree t;
    struct job_input job = {0};
    struct document_list list = {0};
    struct error err = {0};
    (void)state;
    make_tree(&t);
    const struct document_limits limits = {.root = t.root};
    assert_int_equal(job_input_parse(&job, job_json, strlen(job_json), &err), DOCKET_OK);
    for (size_t i = 0; i < job.n_documents; i++) {
        assert_int_equal(documents_read(&list, &job, i, &limits, &err), DOCKET_OK);
        assert_int_equal(list.n, i + 1);
        const struct document *d = &list.items[i];
        if (d->error.code != want[i].code || strncmp(d->error.message, want[i].message, strlen(want[i].message)) != 0)
            fail_msg("%s: %s %s", want[i].id, error_code_name(d->error.code), d->error.message);
        assert_string_equal(d->id, want[i].id);
        assert_true(!d->filename == !want[i].filename && (!d->filename || strcmp(d->filename, want[i].filename) == 0));
        assert_true(!d->text == !want[i].text && (!d->text || strcmp(d->text, want[i].text) == 0));
        assert_true(!d->detected_by == !want[i].detected_by);
        if (d->detected_by) assert_string_equal(d->detected_by, want[i].detected_by);
    }
    assert_int_equal(list.items[0].control_characters, 1);
    assert_int_equal(list.items[1].bytes, 5);
    assert_string_equal(list.items[1].sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    for (size_t n = 1;; n++) { /* any allocation may fail */
        size_t before = list.n;
        enum status st = DOCKET_OK;
        mem_fail_at(n, n % 2 == 0);
        for (size_t i = 0; i < job.n_documents && st == DOCKET_OK; i++)
            st = documents_read(&list, &job, i, &limits, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK ? done : st == DOCKET_NO_MEMORY);
        if (done) break;
        while (list.n > before) document_free(&list.items[--list.n]);
    }
    document_list_free(&list);
    job_input_free(&job);
    remove_tree(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_variants_decode_alike_and_wrong_ones_do_not),
        cmocka_unit_test(base64_of_14_mb_decodes_to_every_byte),
        cmocka_unit_test(only_regular_files_beneath_the_root_are_read),
        cmocka_unit_test(an_old_kernel_opens_the_same_part_by_part),
        cmocka_unit_test(without_a_root_paths_are_refused_and_large_files_too),
        cmocka_unit_test(every_source_of_a_job_gives_a_document_or_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
