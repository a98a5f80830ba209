/* The extract server's twin: what it reads itself, what it hands over, and that both read alike. */
#include "handlers/documents/document.h"
#include "handlers/documents/sandbox_protocol.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct opened {
    struct document_limits limits;
    struct sandbox_facts facts;
};

static struct opened open_both(void)
{
    struct opened o = {0};
    struct error err = {0};
    assert_int_equal(sandbox_open(&o.limits.sandbox, NULL, &err), DOCKET_OK);
    if (sandbox_ready(o.limits.sandbox, &o.facts, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_true(o.facts.slim_pid > 0);
    return o;
}

static struct document_list read_text(const struct opened *o, const char *name, const char *bytes, size_t length)
{
    struct document_list list = {0};
    struct error err = {0};
    if (documents_from_bytes(&list, "d", name, bytes, length, &o->limits, &err) != DOCKET_OK)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(list.n, 1);
    return list;
}

/* While the other one stands still. */
static void plain_text_needs_the_twin_alone(void **state)
{
    static const struct {
        const char *name, *text, *media_type;
    } cases[] = {{"a.txt", "Please pay 41 euros.\n", "text/plain"},
                 {NULL, "\xef\xbb\xbfGr\xc3\xbc\xc3\x9f Gott, \xe4\xbd\xa0\xe5\xa5\xbd\n", "text/plain"},
                 {"a.csv", "a,b\n1,2\n", "text/csv"},
                 {"a.md", "# Title\n", "text/markdown"}};
    (void)state;
    struct opened o = open_both();
    assert_int_equal(kill(o.facts.pid, SIGSTOP), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)o.facts.pid, &info, WSTOPPED), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct document_list list = read_text(&o, cases[i].name, cases[i].text, strlen(cases[i].text));
        assert_int_equal(list.items[0].error.code, CODE_NONE);
        assert_string_equal(list.items[0].media_type, cases[i].media_type);
        document_list_free(&list);
    }
    assert_int_equal(kill(o.facts.pid, SIGCONT), 0);
    sandbox_close(o.limits.sandbox);
}

/* What it cannot read, and what only looks like text, is read by the other one, as if nobody had been asked before. */
static void everything_else_is_handed_over(void **state)
{
    static const struct {
        const char *name, *bytes, *media_type, *text;
    } cases[] = {
        {NULL, "From: a@b.example\r\nSubject: Rent\r\nMIME-Version: 1.0\r\n\r\nPlease pay.\r\n", "message/rfc822",
         "Please pay."},
        {NULL, "  <!DOCTYPE html><html><body><p>A page</p></body></html>", "text/html", "A page"},
        {NULL, "words <html><body>no page</body></html>", "text/plain", "words <html>"},
        {"a.txt",
         "Gr\xfc\xdf"
         "e aus M\xfcnchen\n",
         "text/plain", "Gr\xc3\xbc\xc3\x9f"},
        {"a.html", "no mark at all", "text/html", "no mark"},
    };
    (void)state;
    struct opened o = open_both();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct document_list list = read_text(&o, cases[i].name, cases[i].bytes, strlen(cases[i].bytes));
        const struct document *d = &list.items[0];
        if (d->error.code != CODE_NONE || strcmp(d->media_type, cases[i].media_type) != 0 ||
            !strstr(d->text, cases[i].text))
            fail_msg("case %zu: %s, %s, %s", i, d->error.message, d->media_type, d->text ? d->text : "no text");
        document_list_free(&list);
    }
    sandbox_close(o.limits.sandbox);
}

static void refused_texts_are_refused_alike(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum error_code code;
    } cases[] = {{" \n\t", 3, CODE_document_empty},
                 {"\xe2\x80\x8b\xe2\x80\x8b", 6, CODE_document_no_text},
                 {"\1\2\3\4\5\6\1\2\3\4\5\6", 12, CODE_document_type_unsupported}};
    (void)state;
    struct opened o = open_both();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct document_list list = read_text(&o, "a.txt", cases[i].bytes, cases[i].length);
        if (list.items[0].error.code != cases[i].code) fail_msg("case %zu: %s", i, list.items[0].error.message);
        document_list_free(&list);
    }
    sandbox_close(o.limits.sandbox);
}

int main(int argc, char **argv)
{
    int code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_needs_the_twin_alone),
        cmocka_unit_test(everything_else_is_handed_over),
        cmocka_unit_test(refused_texts_are_refused_alike),
    };
    if (sandbox_is_server(argc, argv, &code)) return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
