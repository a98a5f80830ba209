/* Documents through children: what comes back, and what becomes of those that hang, crash, lie or take everything. */
#include "handlers/documents/document.h"
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* no limit of the address space, see sandbox_layers.c */
#else
#define SANITIZED 0
#endif

/* Readers that misbehave; the document is the name of one. */

static void hang(void)
{
    for (volatile unsigned i = 0;; i++) {}
}

static void fall_silent(void)
{
    for (;;) pause();
}

static void crash(void)
{
    __builtin_trap();
}

static size_t deeper(size_t n)
{
    volatile char here[64 * 1024];
    memset((void *)(uintptr_t)here, (int)n, sizeof(here));
    return n == SIZE_MAX ? 0 : deeper(n + 1) + (size_t)here[n % sizeof(here)];
}

static void overflow(void)
{
    if (deeper(0) == 1) _exit(1);
}

static void break_in(void)
{
    (void)!kill(getpid(), SIGSTOP);
}

static void lie(void)
{
    static const char bytes[] = "T\xff\xff\xff\xff";
    (void)!write(STDOUT_FILENO, bytes, sizeof(bytes));
    fall_silent();
}

static void end_early(void)
{
    _exit(0);
}

static void talk(struct extract_sink *sink)
{
    char text[4096];
    memset(text, 'x', sizeof(text));
    while (sink->text(sink, text, sizeof(text))) {}
}

static enum status take_all_memory(struct error *err)
{
    for (size_t i = 0; i < 64; i++) {
        void *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory");
    }
    return DOCKET_OK;
}

/* Shared by all children of a server: the first try of a document is told from the second. */
static volatile unsigned *n_tries;

static bool first_try(void)
{
    return n_tries && (*n_tries)++ % 2 == 0;
}

/* As on a machine that has no time for it; pause() and the like are refused to a child, and would spin. */
static void starve(void)
{
    static uint32_t word;
    for (;;) syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void silent_once(void)
{
    if (first_try()) starve();
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {{"hang", hang},           {"silence", fall_silent},    {"crash", crash},
            {"overflow", overflow},   {"break in", break_in},      {"lie", lie},
            {"end early", end_early}, {"silent once", silent_once}};

static bool is(const struct extract_input *in, const char *name)
{
    return in->length == strlen(name) && memcmp(in->bytes, name, in->length) == 0;
}

static enum status misbehave(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(acts); i++)
        if (is(in, acts[i].name)) acts[i].act();
    if (is(in, "talk")) talk(sink);
    if (is(in, "memory")) return take_all_memory(err);
    if (is(in, "part, then silent once") && first_try()) {
        sink->part_begin(sink, "a.txt", 5);
        static const char zeros[300 * 1024]; /* more than the child keeps back */
        sink->part_bytes(sink, zeros, sizeof(zeros));
        sink->part_end(sink, NULL);
        sink->text(sink, zeros, sizeof(zeros));
        starve();
    }
    if (is(in, "fail")) return fail(err, DOCKET_CORRUPT, CODE_document_corrupt, "bent, \x01 not broken");
    if (is(in, "parts")) {
        sink->text(sink, "before", 6);
        sink->part_begin(sink, "../a.txt", 8);
        sink->part_bytes(sink, "inside", 6);
        sink->part_end(sink, NULL);
        sink->text(sink, " and after", 10);
        return DOCKET_OK;
    }
    sink->text(sink, in->bytes, in->length); /* all others: an echo */
    sink->fact(sink, FACT_PAGES, 3);
    return DOCKET_OK;
}

static const char *const cat_arguments[] = {"cat", NULL};
static const char *const echo_arguments[] = {"echo", "%u", "%u", NULL};
static const char *const word_arguments[] = {"echo", "%s", "n=%u", NULL};
static const char *const yes_arguments[] = {"yes", NULL};
static const char *const loop_arguments[] = {"sh", "-c", "while :; do :; done", NULL};
static const char *const ls_arguments[] = {"ls", "/nowhere", NULL};
static const char *const missing_arguments[] = {"missing", NULL};
static const char *const no_environment[] = {NULL};
enum { CAT, ECHO, YES, LOOP, LS, MISSING, CAT_PASSWD, WORD };
static const char *const passwd_arguments[] = {"cat", "/etc/passwd", NULL};
static const struct box boxes[] = {
    {"cat", "/bin/cat", cat_arguments, no_environment, NULL, 10, GIB},
    {"echo", "/bin/echo", echo_arguments, no_environment, NULL, 10, GIB},
    {"yes", "/usr/bin/yes", yes_arguments, no_environment, NULL, 10, GIB},
    {"loop", "/bin/sh", loop_arguments, no_environment, NULL, 10, GIB},
    {"ls", "/bin/ls", ls_arguments, no_environment, NULL, 10, GIB},
    {"missing", "/nowhere/missing", missing_arguments, no_environment, NULL, 10, GIB},
    {"passwd", "/bin/cat", passwd_arguments, no_environment, NULL, 10, GIB},
    {"word", "/bin/echo", word_arguments, no_environment, NULL, 10, GIB},
};
static const struct server_hooks misbehaving = {misbehave, boxes, ARRAY_LENGTH(boxes), true};
static const struct server_hooks patient = {misbehave, boxes, ARRAY_LENGTH(boxes), false};
/* The readers themselves. */
static const struct server_hooks ordinary = {NULL, NULL, 0, true};

static struct sandbox *open_sandbox(const char *mode, double timeout, double silence)
{
    struct sandbox *s = NULL;
    struct error err = {0};
    const struct sandbox_options options = {.mode = mode, .timeout_seconds = timeout, .silence_seconds = silence};
    assert_int_equal(sandbox_open(&s, &options, &err), DOCKET_OK);
    return s;
}

static struct document_list read_in(struct sandbox *s, const void *bytes, size_t length)
{
    struct document_list list = {0};
    struct error err = {0};
    const struct document_limits limits = {.max_bytes = MIB, .sandbox = s};
    if (documents_from_bytes(&list, "d", "d.txt", bytes, length, &limits, &err) != DOCKET_OK)
        fail_msg("%s", err.message);
    return list;
}

static void check_code(struct sandbox *s, const char *name, enum error_code want, const char *words)
{
    struct document_list list = read_in(s, name, strlen(name));
    const struct error *e = &list.items[list.n - 1].error;
    if (e->code != want || (words && !strstr(e->message, words)))
        fail_msg("%s: %s: %s", name, error_code_name(e->code), e->message);
    document_list_free(&list);
}

static void check_echo(struct sandbox *s)
{
    struct document_list list = read_in(s, "hello", 5);
    assert_int_equal(list.n, 1);
    if (!list.items[0].text) fail_msg("%s", list.items[0].error.message);
    assert_string_equal(list.items[0].text, "hello");
    document_list_free(&list);
}

static void each_way_to_misbehave_is_that_documents_error_and_the_next_one_is_read(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 30);
    static const struct {
        const char *name;
        enum error_code code;
        const char *words;
    } cases[] = {
        {"crash", CODE_document_extract_crashed, "d.txt: its reader crashed (signal"},
        {"break in", CODE_document_sandbox_violation, "tried what no reader has to do"},
        {"lie", CODE_document_sandbox_violation, "said what no reader of ours says"},
        {"end early", CODE_document_extract_crashed, "ended in the middle"},
        {"fail", CODE_document_corrupt, "d.txt: bent, "},
        {"talk", CODE_document_expands_too_far, "more than 3145728 bytes of text"},
        {"overflow", CODE_document_extract_crashed, NULL},
        {"memory", CODE_document_extract_memory, "more memory than allowed"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (SANITIZED && (strcmp(cases[i].name, "memory") == 0 || strcmp(cases[i].name, "overflow") == 0 ||
                          strcmp(cases[i].name, "crash") == 0))
            continue; /* its run-time answers signals itself */
        check_code(s, cases[i].name, cases[i].code, cases[i].words);
        check_echo(s);
    }
    sandbox_close(s);
}

static void who_hangs_or_falls_silent_is_ended(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 0.3);
    check_code(s, "silence", CODE_document_extract_timeout, "nothing came for 0 s");
    sandbox_set_times(s, 0.3, 60);
    check_code(s, "hang", CODE_document_extract_timeout, "not read in 0 s");
    sandbox_set_times(s, 60, 60);
    check_echo(s);
    sandbox_close(s);
}

/* The machine may have been too busy: a child that had no processor time gets a second try, unless something of it was taken already. */
static void who_was_starved_gets_a_second_try(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 4);
    struct document_list list = read_in(s, "silent once", 11);
    assert_int_equal(list.n, 1);
    if (!list.items[0].text) fail_msg("%s", list.items[0].error.message);
    assert_string_equal(list.items[0].text, "silent once");
    document_list_free(&list);

    list = read_in(s, "part, then silent once", 22);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.items[0].error.code, CODE_document_extract_timeout);
    document_list_free(&list);
    sandbox_close(s);
}

/* The time is a lower bound: after six crashes the server waits 0.2 s before each further start. On a machine where six take more than the
 * ten seconds that they count for, the bound has passed as well. */
static void a_loop_of_crashes_slows_the_server_down_and_ends(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("patient", 60, 60);
    uint64_t start = clock_now_ns();
    for (int i = 0; i < 10; i++) check_code(s, "break in", CODE_document_sandbox_violation, NULL);
    check_echo(s);
    assert_true(clock_seconds_since(start) >= 4 * 0.2);
    sandbox_close(s);
}

static void facts_text_and_parts_arrive(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    struct document_list list = read_in(s, "twelve words", 12);
    assert_int_equal(list.items[0].pages, 3);
    assert_string_equal(list.items[0].media_type, "text/plain");
    document_list_free(&list);
    list = read_in(s, "parts", 5);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.items[0].id, "d");
    assert_string_equal(list.items[0].text, "before and after");
    assert_string_equal(list.items[1].id, "d/a.txt");
    assert_string_equal(list.items[1].text, "inside");
    document_list_free(&list);
    sandbox_close(s);
}

static void wait_until_gone(int pid)
{
    for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++) usleep(10000);
}

static void kill_and_see(int pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void a_server_that_was_killed_is_started_again(void **state)
{
    struct sandbox_facts facts, other;
    struct error err = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    assert_int_equal(sandbox_ready(s, &facts, &err), DOCKET_OK);
    check_echo(s);
    kill_and_see(facts.pid);
    check_echo(s);
    assert_int_equal(sandbox_ready(s, &other, &err), DOCKET_OK);
    assert_int_not_equal(other.pid, facts.pid);
    size_t before = open_files();
    kill_and_see(other.pid);
    check_echo(s);
    assert_int_equal(open_files(), before);
    sandbox_close(s);
}

static void its_twin_that_was_killed_is_started_again(void **state)
{
    struct sandbox_facts facts, other;
    struct error err = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    assert_int_equal(sandbox_ready(s, &facts, &err), DOCKET_OK);
    assert_true(facts.slim_pid > 0);
    size_t before = open_files();
    assert_int_equal(kill(facts.slim_pid, SIGKILL), 0);
    wait_until_gone(facts.slim_pid);
    check_echo(s);
    assert_int_equal(sandbox_ready(s, &other, &err), DOCKET_OK);
    assert_int_not_equal(other.slim_pid, facts.slim_pid);
    assert_int_equal(open_files(), before);
    sandbox_close(s);
}

static void the_server_ends_with_the_program_that_started_it(void **state)
{
    struct sandbox_facts facts;
    struct error err = {0};
    (void)state;
    size_t before = open_files();
    struct sandbox *s = open_sandbox("0", 60, 60);
    assert_int_equal(sandbox_ready(s, &facts, &err), DOCKET_OK);
    sandbox_close(s);
    wait_until_gone(facts.pid);
    wait_until_gone(facts.slim_pid);
    assert_int_not_equal(kill(facts.pid, 0), 0);
    assert_int_not_equal(kill(facts.slim_pid, 0), 0);
    assert_int_equal(open_files(), before);
}

/* Several threads at a time, with some among them that crash. */
struct worker {
    pthread_t thread;
    struct sandbox *s;
    unsigned number;
    size_t good;
};

static void *read_many(void *context)
{
    struct worker *w = context;
    for (unsigned i = 0; i < 40; i++) {
        char text[64];
        struct document_list list = {0};
        struct error err = {0};
        const struct document_limits limits = {.max_bytes = MIB, .sandbox = w->s};
        bool bad = (i + w->number) % 5 == 0;
        snprintf(text, sizeof(text), bad ? "end early" : "thread %u document %u", w->number, i);
        if (documents_from_bytes(&list, "d", "d.txt", text, strlen(text), &limits, &err) == DOCKET_OK && list.n == 1)
            w->good += bad ? list.items[0].error.code == CODE_document_extract_crashed
                           : list.items[0].text && strcmp(list.items[0].text, text) == 0;
        document_list_free(&list);
    }
    return NULL;
}

static void several_threads_get_each_their_own(void **state)
{
    struct worker workers[8];
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    for (unsigned i = 0; i < ARRAY_LENGTH(workers); i++) {
        workers[i] = (struct worker){.s = s, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, read_many, &workers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].good, 40);
    }
    sandbox_close(s);
}

/* Boxed programs */

struct heard {
    size_t n, most;
    char text[64];
};

static bool hear(void *context, const void *bytes, size_t length)
{
    struct heard *h = context;
    size_t room = sizeof(h->text) - 1 - (h->n < sizeof(h->text) - 1 ? h->n : sizeof(h->text) - 1);
    memcpy(h->text + (sizeof(h->text) - 1 - room), bytes, length < room ? length : room);
    h->n += length;
    return !h->most || h->n < h->most;
}

static void a_boxed_program_reads_its_input_and_nothing_else(void **state)
{
    struct error err = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    struct heard h = {0};
    struct box_run b = {.index = CAT, .bytes = "through the box", .length = 15, .output = hear, .context = &h};
    if (sandbox_run_box(s, &b, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_int_equal(b.exit_code, 0);
    assert_string_equal(h.text, "through the box");

    h = (struct heard){0};
    b = (struct box_run){.index = ECHO, .bytes = "x", .length = 1, .numbers = {7, 9}, .output = hear, .context = &h};
    assert_int_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_string_equal(h.text, "7 9\n");

    struct sandbox_facts facts;
    assert_int_equal(sandbox_ready(s, &facts, &err), DOCKET_OK);
    h = (struct heard){0};
    b = (struct box_run){.index = CAT_PASSWD, .bytes = "x", .length = 1, .output = hear, .context = &h};
    assert_int_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    if (facts.landlock_abi) {
        assert_int_equal(h.n, 0);
        assert_int_not_equal(b.exit_code, 0);
        assert_non_null(strstr(b.errors, "passwd"));
    }

    h = (struct heard){0};
    b = (struct box_run){.index = LS, .bytes = "x", .length = 1, .output = hear, .context = &h};
    assert_int_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_int_not_equal(b.exit_code, 0);
    assert_non_null(strstr(b.errors, "nowhere"));
    sandbox_close(s);
}

static void a_word_becomes_an_argument_only_if_it_is_plain(void **state)
{
    static const char *const wrong[] = {"-x", "../eng", "/etc", "a b", "", "eng\n", "$x"};
    struct error err = {0};
    struct heard h = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    struct box_run b = {
        .index = WORD, .bytes = "x", .length = 1, .numbers = {5}, .word = "eng+chi_sim", .output = hear, .context = &h};
    if (sandbox_run_box(s, &b, &err) != DOCKET_OK) fail_msg("%s", err.message);
    assert_string_equal(h.text, "eng+chi_sim n=5\n");
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        b.word = wrong[i];
        if (sandbox_run_box(s, &b, &err) == DOCKET_OK) fail_msg("\"%s\" was passed on", wrong[i]);
        assert_int_equal(err.code, CODE_sandbox_unavailable);
    }
    sandbox_close(s);
}

static void a_run_may_have_a_time_of_its_own(void **state)
{
    struct error err = {0};
    struct heard h = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    struct box_run b = {.index = LOOP, .bytes = "x", .length = 1, .seconds = 0.3, .output = hear, .context = &h};
    assert_int_not_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_int_equal(err.code, CODE_document_extract_timeout);
    sandbox_close(s);
}

static void a_boxed_program_is_ended_when_enough_came_or_nothing_comes(void **state)
{
    struct error err = {0};
    (void)state;
    struct sandbox *s = open_sandbox("0", 60, 60);
    struct heard h = {.most = 10 * MIB};
    struct box_run b = {.index = YES, .bytes = "x", .length = 1, .output = hear, .context = &h};
    assert_int_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_true(h.n >= 10 * MIB && h.n < 11 * MIB);
    b.index = MISSING;
    assert_int_not_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_int_equal(err.code, CODE_sandbox_unavailable);
    sandbox_set_times(s, 60, 0.3);
    b.index = LOOP;
    assert_int_not_equal(sandbox_run_box(s, &b, &err), DOCKET_OK);
    assert_int_equal(err.code, CODE_document_extract_timeout);
    sandbox_close(s);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox("ordinary", 60, 60);
    struct sandbox_facts facts;
    struct error err = {0};
    assert_int_equal(sandbox_ready(s, &facts, &err), DOCKET_OK);
    for (size_t n = 1;; n++) {
        struct document_list list = {0};
        const struct document_limits limits = {.max_bytes = MIB, .sandbox = s};
        mem_fail_at(n, n % 2 == 0);
        enum status st = documents_from_bytes(&list, "d", "d.txt", "some text", 9, &limits, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        assert_true(st == DOCKET_OK ? done && list.n == 1 && list.items[0].text
                                    : st == DOCKET_NO_MEMORY && list.n == 0);
        document_list_free(&list);
        if (done) break;
    }
    sandbox_close(s);
}

/* The readers in the child give what they give in this process. */
static void a_child_reads_as_this_process_does(void **state)
{
    static const struct {
        const char *filename, *bytes;
        size_t length;
    } documents[] = {
#define BYTES(s) (s), sizeof(s) - 1
        {"a.txt", BYTES("plain text\r\nwith \xc3\xbc and \xe2\x80\x8bhidden\a")},
        {"a.md", BYTES("# title")},
        {NULL, BYTES("\xff\xfeG\0\xfc\0\x3d\xd8\x00\xde")},
        {"b.txt", BYTES("Rechnung \x96 gr\xfc\xdf")},
        {"c.txt", BYTES("\x1f\x8b\x08\0\0\0\0\0\0\xff\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\5\0\0\0")},
        {"d.bin", BYTES("\1\2\3\4\0\0\0\0")},
        {"e.zip", BYTES("PK\3\4 broken")},
        {"f", BYTES(" \n ")},
        {"g.png", BYTES("\x89PNG\r\n\x1a\n")},
    };
    (void)state;
    struct sandbox *s = open_sandbox("ordinary", 60, 60);
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) {
        struct document_list here = {0}, there = {0};
        struct error err = {0};
        struct document_limits limits = {.max_bytes = MIB};
        const char *name = documents[i].filename;
        assert_int_equal(documents_from_bytes(&here, "d", name, documents[i].bytes, documents[i].length, &limits, &err),
                         DOCKET_OK);
        limits.sandbox = s;
        assert_int_equal(
            documents_from_bytes(&there, "d", name, documents[i].bytes, documents[i].length, &limits, &err), DOCKET_OK);
        assert_int_equal(here.n, there.n);
        for (size_t k = 0; k < here.n; k++) {
            const struct document *a = &here.items[k], *b = &there.items[k];
            assert_int_equal(a->error.code, b->error.code);
            assert_string_equal(a->error.message, b->error.message);
            assert_string_equal(a->media_type, b->media_type);
            assert_string_equal(a->id, b->id);
            assert_int_equal(a->hidden_characters, b->hidden_characters);
            assert_int_equal(a->control_characters, b->control_characters);
            assert_true(!a->text == !b->text);
            if (a->text) assert_string_equal(a->text, b->text);
        }
        document_list_free(&here);
        document_list_free(&there);
    }
    sandbox_close(s);
}

int main(int argc, char **argv)
{
    int code;
    const char *mode = argc > 2 ? argv[2] : "";
    const struct server_hooks *hooks = strcmp(mode, "ordinary") == 0  ? &ordinary
                                       : strcmp(mode, "patient") == 0 ? &patient
                                                                      : &misbehaving;
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared != MAP_FAILED) n_tries = shared;
    if (sandbox_is_server_with(argc, argv, hooks, &code)) return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_misbehave_is_that_documents_error_and_the_next_one_is_read),
        cmocka_unit_test(who_hangs_or_falls_silent_is_ended),
        cmocka_unit_test(who_was_starved_gets_a_second_try),
        cmocka_unit_test(a_loop_of_crashes_slows_the_server_down_and_ends),
        cmocka_unit_test(facts_text_and_parts_arrive),
        cmocka_unit_test(a_server_that_was_killed_is_started_again),
        cmocka_unit_test(its_twin_that_was_killed_is_started_again),
        cmocka_unit_test(the_server_ends_with_the_program_that_started_it),
        cmocka_unit_test(several_threads_get_each_their_own),
        cmocka_unit_test(a_boxed_program_reads_its_input_and_nothing_else),
        cmocka_unit_test(a_word_becomes_an_argument_only_if_it_is_plain),
        cmocka_unit_test(a_run_may_have_a_time_of_its_own),
        cmocka_unit_test(a_boxed_program_is_ended_when_enough_came_or_nothing_comes),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(a_child_reads_as_this_process_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
