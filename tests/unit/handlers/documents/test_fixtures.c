/* Files of several programs in several languages: what was put in comes out, every character of it. tests/documents/ has the files and
 * the script that made them. */
#include "handlers/documents/extractors.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_sink.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "tests/documents/fixtures"
#define OOXML  "application/vnd.openxmlformats-officedocument."
#define ODF    "application/vnd.oasis.opendocument."

static const struct {
    const char *extension, *media_type;
} types[] = {
    {".html", "text/html"},
    {".eml", "message/rfc822"},
    {".docx", OOXML "wordprocessingml.document"},
    {".pptx", OOXML "presentationml.presentation"},
    {".xlsx", OOXML "spreadsheetml.sheet"},
    {".ppt", "application/vnd.ms-powerpoint"},
    {".odt", ODF "text"},
    {".ods", ODF "spreadsheet"},
    {".odp", ODF "presentation"},
};

static const char *type_of(const char *name)
{
    const char *extension = strrchr(name, '.');
    for (size_t i = 0; extension && i < ARRAY_LENGTH(types); i++)
        if (strcmp(extension, types[i].extension) == 0) return types[i].media_type;
    return NULL;
}

static void read_file(struct buffer *out, const char *name, const char *ending)
{
    char path[512], block[65536];
    size_t n;
    snprintf(path, sizeof(path), FOLDER "/%s%s", name, ending);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: not there", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0) buffer_append(out, block, n);
    fclose(f);
}

/* Free lines and spaces at a line's end are layout. */
static void squeeze(struct buffer *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->length; i++) {
        char c = b->data[i];
        while (c == '\n' && n > 0 && (b->data[n - 1] == ' ' || b->data[n - 1] == '\t')) n--;
        if (c == '\n' && (n == 0 || b->data[n - 1] == '\n')) continue;
        b->data[n++] = c;
    }
    b->length = n;
    if (b->data) b->data[n] = '\0';
}

static void name_parts(struct memory_sink *m)
{
    for (size_t i = 0; i < m->n_parts && i < MEMORY_SINK_PARTS; i++)
        buffer_printf(&m->text, "[%s]\n", m->parts[i].name.data);
}

static void check_file(const char *name)
{
    struct buffer bytes = {0}, want = {0};
    struct memory_sink m;
    struct error err = {0};
    read_file(&bytes, name, "");
    read_file(&want, name, ".txt");
    memory_sink_init(&m);
    const struct extract_input in = {.bytes = bytes.data, .length = bytes.length, .media_type = type_of(name)};
    enum status st = extractor_for(in.media_type)(&in, &m.sink, &err);
    name_parts(&m);
    squeeze(&m.text);
    squeeze(&want);
    if (st != DOCKET_OK || !m.text.data || strcmp(m.text.data, want.data) != 0)
        fail_msg("%s: %s %s\n---- wanted\n%s---- got\n%s", name, status_name(st), err.message, want.data,
                 m.text.data ? m.text.data : "");
    buffer_free(&bytes);
    buffer_free(&want);
    memory_sink_free(&m);
}

/* Calls `check` for each file; returns how many. */
static size_t each_file(void (*check)(const char *name))
{
    DIR *dir = opendir(FOLDER);
    struct dirent *entry;
    size_t n = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (type_of(entry->d_name)) {
            check(entry->d_name);
            n++;
        }
    closedir(dir);
    return n;
}

static void what_was_put_in_comes_out(void **state)
{
    (void)state;
    assert_true(each_file(check_file) >= 25);
}

static void check_cuts(const char *name)
{
    struct buffer bytes = {0};
    read_file(&bytes, name, "");
    for (size_t part = 0; part < 20; part++) {
        struct memory_sink m;
        struct error err = {0};
        size_t length = bytes.length * part / 20;
        char *exact = mem_dup(bytes.data, length); /* reads beyond it are seen */
        const struct extract_input in = {.bytes = exact, .length = length, .media_type = type_of(name)};
        memory_sink_init(&m);
        enum status st = extractor_for(in.media_type)(&in, &m.sink, &err);
        bool zip = strncmp(in.media_type, "application/", 12) == 0;
        if (zip && st == DOCKET_OK) fail_msg("%s cut at %zu of 20 passes for whole", name, part);
        if (st != DOCKET_OK && (err.code != CODE_document_corrupt || !err.message[0]))
            fail_msg("%s cut at %zu of 20: %s", name, part, err.message);
        memory_sink_free(&m);
        mem_free(exact);
    }
    buffer_free(&bytes);
}

static void cut_files_are_corrupt_or_shorter(void **state)
{
    (void)state;
    each_file(check_cuts);
}

/* In the sandbox nothing can be opened: what libraries need must have been loaded before. */
static void after_preparation_nothing_is_opened(void **state)
{
    (void)state;
    extractors_prepare();
    struct buffer files[64][2] = {0};
    char names[64][128];
    size_t n = 0;
    DIR *dir = opendir(FOLDER);
    for (struct dirent *entry; n < 64 && (entry = readdir(dir));)
        if (type_of(entry->d_name)) {
            snprintf(names[n], sizeof(names[n]), "%s", entry->d_name);
            read_file(&files[n][0], entry->d_name, "");
            read_file(&files[n][1], entry->d_name, ".txt");
            squeeze(&files[n++][1]);
        }
    closedir(dir);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_NOFILE, &none) != 0) _exit(100);
        for (size_t i = 0; i < n; i++) {
            struct memory_sink m;
            struct error err = {0};
            const struct extract_input in = {
                .bytes = files[i][0].data, .length = files[i][0].length, .media_type = type_of(names[i])};
            memory_sink_init(&m);
            enum status st = extractor_for(in.media_type)(&in, &m.sink, &err);
            name_parts(&m);
            squeeze(&m.text);
            if (st != DOCKET_OK || strcmp(m.text.data, files[i][1].data) != 0) _exit((int)i + 1);
        }
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        fail_msg("%s needs a file", WIFEXITED(how) && WEXITSTATUS(how) <= (int)n ? names[WEXITSTATUS(how) - 1] : "(?)");
    for (size_t i = 0; i < n; i++) buffer_free(&files[i][0]), buffer_free(&files[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_comes_out),
        cmocka_unit_test(cut_files_are_corrupt_or_shorter),
        cmocka_unit_test(after_preparation_nothing_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
