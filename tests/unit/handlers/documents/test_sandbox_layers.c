/* What a child of the sandbox tries and cannot do, with every layer and with each left out; the table says which layer it is that holds. */
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"
#include "tests/support/cmocka.h"
#include "tests/support/sandbox_probes.h"
#include "worker/base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED                                                                                                      \
    1 /* their run-time needs terabytes of addresses and files of /proc: no memory limit, no boxed probe */
#else
#define SANITIZED 0
#endif

/* In the place of readers: the document is the name of a probe. */
static enum status run_probe(const struct extract_input *in, struct extract_sink *sink, struct error *err)
{
    const struct probe *probe = probe_find(in->bytes, in->length);
    char text[32];
    if (!probe) return fail(err, DOCKET_INTERNAL, CODE_document_corrupt, "no such probe");
    int result = probe->attempt();
    snprintf(text, sizeof(text), result ? "R %d" : "D", result);
    sink->text(sink, text, strlen(text));
    return DOCKET_OK;
}

static int run_boxed_probe(void)
{
    char name[64];
    ssize_t n = read(STDIN_FILENO, name, sizeof(name));
    const struct probe *probe = n > 0 ? probe_find(name, (size_t)n) : NULL;
    if (!probe) return 1;
    int result = probe->attempt();
    printf(result ? "R %d" : "D", result);
    return 0;
}

static const char *const box_arguments[] = {"probe", "boxed", NULL};
static const char *const box_environment[] = {NULL};
static const struct box boxes[] = {
    {"probe", "/proc/self/exe", box_arguments, box_environment, NULL, 10, GIB},
};
static const struct server_hooks hooks = {run_probe, boxes, ARRAY_LENGTH(boxes), true};

/* What came of it: D done, R refused, K killed for it, S ended by another signal, ? something else. */
struct verdict {
    char letter;
};

static bool take_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct extract_receiver *to = (struct extract_receiver *)sink;
    struct {
        struct extract_receiver receiver;
        struct verdict verdict;
    } *whole = (void *)to;
    if (length) whole->verdict.letter = utf8[0];
    return true;
}

static bool take_type(struct extract_receiver *to, const struct extract_type *type)
{
    (void)to;
    (void)type;
    return true;
}

static bool take_output(void *context, const void *bytes, size_t length)
{
    struct verdict *v = context;
    if (length) v->letter = *(const char *)bytes;
    return true;
}

static char letter_of(enum status st, const struct error *err, char letter)
{
    if (st == DOCKET_OK) return letter;
    return err->code == CODE_document_sandbox_violation ? 'K' : err->code == CODE_document_extract_crashed ? 'S' : '?';
}

static char try_glue(struct sandbox *s, const struct probe *probe)
{
    struct {
        struct extract_receiver receiver;
        struct verdict verdict;
    } to = {.receiver = {.sink = {.text = take_text}, .type = take_type}, .verdict = {'?'}};
    const struct extract_input in = {.bytes = probe->name, .length = strlen(probe->name), .media_type = ""};
    struct error err = {0};
    enum status st = sandbox_extract(s, &in, &to.receiver, &err);
    return letter_of(st, &err, to.verdict.letter);
}

static char try_box(struct sandbox *s, const struct probe *probe)
{
    struct verdict v = {'?'};
    struct error err = {0};
    struct box_run b = {.bytes = probe->name, .length = strlen(probe->name), .output = take_output, .context = &v};
    enum status st = sandbox_run_box(s, &b, &err);
    return letter_of(st, &err, v.letter);
}

#define WITHOUT(layer) (1u << LAYER_##layer)
static const struct {
    const char *name;
    unsigned without;
} servers[] = {
    {"all", 0},
    {"without limits", WITHOUT(LIMITS)},
    {"without no_privileges", WITHOUT(NO_PRIVS)},
    {"without landlock", WITHOUT(LANDLOCK)},
    {"without seccomp", WITHOUT(SECCOMP)},
    {"without exec_once", WITHOUT(EXEC_ONCE)},
    {"without any", WITHOUT(LIMITS) | WITHOUT(NO_PRIVS) | WITHOUT(LANDLOCK) | WITHOUT(SECCOMP) | WITHOUT(EXEC_ONCE)},
};

/* A letter for each of `servers`: first for a reader of ours, then for a boxed program. '*': depends on the machine. */
static const struct {
    const char *probe, *glue, *box;
} expected[] = {
#include "tests/unit/handlers/documents/sandbox_expected.inc"
};

static struct sandbox *open_without(unsigned without, struct sandbox_facts *facts)
{
    char mode[16];
    struct sandbox *s = NULL;
    struct error err = {0};
    snprintf(mode, sizeof(mode), "%u", without);
    const struct sandbox_options options = {.mode = mode};
    assert_int_equal(sandbox_open(&s, &options, &err), DOCKET_OK);
    if (sandbox_ready(s, facts, &err) != DOCKET_OK) fail_msg("%s", err.message);
    return s;
}

static void every_probe_fails_and_the_table_says_at_which_layer(void **state)
{
    (void)state;
    size_t wrong = 0;
    bool print = getenv("PRINT_PROBES") != NULL;
    static char got[2][ARRAY_LENGTH(expected) + 200][ARRAY_LENGTH(servers) + 1];
    unsigned abi = 0;
    for (size_t k = 0; k < ARRAY_LENGTH(servers); k++) {
        struct sandbox_facts facts;
        struct sandbox *s = open_without(servers[k].without, &facts);
        abi = facts.landlock_abi;
        for (size_t i = 0; i < n_sandbox_probes; i++) {
            got[0][i][k] = try_glue(s, &sandbox_probes[i]);
            got[1][i][k] = SANITIZED ? '*' : try_box(s, &sandbox_probes[i]);
        }
        sandbox_close(s);
    }
    for (size_t i = 0; i < n_sandbox_probes; i++) {
        const char *name = sandbox_probes[i].name;
        if (print) printf("PROBE    {\"%s\", \"%s\", \"%s\"},\n", name, got[0][i], got[1][i]);
        size_t row = 0;
        while (row < ARRAY_LENGTH(expected) && strcmp(expected[row].probe, name) != 0) row++;
        if (row == ARRAY_LENGTH(expected)) {
            print_error("%s: no row in the table\n", name);
            wrong++;
            continue;
        }
        for (size_t k = 0; k < 2 * ARRAY_LENGTH(servers); k++) {
            bool box = k >= ARRAY_LENGTH(servers);
            size_t at = k % ARRAY_LENGTH(servers);
            char want = (box ? expected[row].box : expected[row].glue)[at], is = got[box][i][at];
            bool no_limit = SANITIZED && (strcmp(name, "take_8_gib") == 0 || strcmp(name, "lock_memory") == 0);
            if (no_limit) continue;
            bool younger =
                abi < 6 && at > 0; /* what Landlock holds depends on its version; everything together always holds */
            if (want == is || want == '*' || is == '*' || younger) continue;
            print_error("%s, %s, %s: want %c, got %c\n", name, box ? "boxed" : "a reader", servers[at].name, want, is);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
    assert_true(n_sandbox_probes >= 40);
    assert_int_equal(n_sandbox_probes, ARRAY_LENGTH(expected));
}

static void the_server_says_which_layers_hold(void **state)
{
    struct sandbox_facts facts;
    struct buffer text = {0};
    (void)state;
    struct sandbox *s = open_without(0, &facts);
    assert_true(facts.tested);
    assert_true(facts.layers & WITHOUT(SECCOMP));
    sandbox_describe(&text, &facts);
    assert_non_null(strstr(text.data, "limits no_privileges"));
    assert_non_null(strstr(text.data, "seccomp exec_once"));
    buffer_free(&text);
    sandbox_close(s);
    s = open_without(WITHOUT(SECCOMP), &facts);
    assert_false(facts.tested); /* its child opened the socket */
    assert_false(facts.layers & WITHOUT(SECCOMP));
    sandbox_close(s);
}

int main(int argc, char **argv)
{
    int code;
    if (argc > 1 && strcmp(argv[1], "boxed") == 0) return run_boxed_probe();
    if (argc > 1 && strcmp(argv[1], "started") == 0) return printf("D") == 1 ? 0 : 1;
    if (sandbox_is_server_with(argc, argv, &hooks, &code)) return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_probe_fails_and_the_table_says_at_which_layer),
        cmocka_unit_test(the_server_says_which_layers_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
