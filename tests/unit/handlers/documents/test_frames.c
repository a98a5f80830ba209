/* What a reader finds arrives as it was given; what no reader sends is told from it. */
#include "handlers/documents/frames.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Writes down what it is given, as one line a call. */
struct notes {
    struct extract_receiver receiver;
    struct buffer text;
    bool enough;
};

static bool note(struct notes *n, const char *what, const void *bytes, size_t length)
{
    buffer_printf(&n->text, "%s[%.*s]", what, length > 40 ? 0 : (int)length, length > 40 ? "" : (const char *)bytes);
    if (length > 40) buffer_printf(&n->text, "%zu", length);
    return !n->enough;
}

static bool take_type(struct extract_receiver *to, const struct extract_type *type)
{
    struct notes *n = (struct notes *)to;
    buffer_printf(&n->text, "%s|%s|%d ", type->media_type, type->by_name, type->from_content);
    return !n->enough;
}
static bool take_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    return note((struct notes *)sink, "text", utf8, length);
}
static bool take_begin(struct extract_sink *sink, const char *name, size_t length)
{
    return note((struct notes *)sink, name ? "part" : "itself", name, length);
}
static bool take_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    return note((struct notes *)sink, "bytes", bytes, length);
}
static bool take_end(struct extract_sink *sink, const struct error *why)
{
    return note((struct notes *)sink, why ? error_code_name(why->code) : "end", why ? why->message : "",
                why ? strlen(why->message) : 0);
}
static void take_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    buffer_printf(&((struct notes *)sink)->text, "fact %d=%llu ", fact, (unsigned long long)value);
}

static void notes_init(struct notes *n)
{
    *n = (struct notes){.receiver = {.sink = {.text = take_text,
                                              .part_begin = take_begin,
                                              .part_bytes = take_bytes,
                                              .part_end = take_end,
                                              .fact = take_fact},
                                     .type = take_type}};
}

static void everything_arrives_as_it_was_given_in_any_pieces(void **state)
{
    static struct frame_writer w;
    static struct frame_reader r;
    static char bytes[32 * 1024];
    const struct extract_type type = {"text/plain", "application/pdf", true};
    const struct error why = {DOCKET_CORRUPT, CODE_document_corrupt, "bent"};
    struct extract_sink *sink = &w.receiver.sink;
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    frame_writer_init(&w, fds[1]);
    assert_true(w.receiver.type(&w.receiver, &type));
    assert_true(sink->text(sink, "one", 3));
    assert_true(sink->part_begin(sink, "a/b", 3));
    assert_true(sink->part_bytes(sink, "xyz", 3));
    assert_true(sink->part_end(sink, NULL));
    assert_true(sink->part_begin(sink, NULL, 0));
    assert_true(sink->part_end(sink, &why));
    sink->fact(sink, FACT_FOLDERS, UINT64_C(0x0102030405060708));
    assert_true(sink->text(sink, bytes, sizeof(bytes)));
    assert_true(frame_writer_finish(&w, DOCKET_CORRUPT, &why));
    close(fds[1]);
    static char sent[64 * 1024];
    ssize_t length = 0, n;
    while ((n = read(fds[0], sent + length, sizeof(sent) - (size_t)length)) > 0) length += n;
    close(fds[0]);
    for (size_t piece = 1; piece < 4096; piece = piece * 3 + 1) {
        struct notes notes;
        notes_init(&notes);
        frame_reader_init(&r, &notes.receiver);
        for (size_t at = 0; at < (size_t)length; at += piece)
            frame_reader_feed(&r, sent + at, (size_t)length - at < piece ? (size_t)length - at : piece);
        assert_int_equal(r.state, FRAMES_DONE);
        assert_int_equal(r.result, DOCKET_CORRUPT);
        assert_string_equal(r.error.message, "bent");
        char want[256];
        snprintf(want, sizeof(want),
                 "text/plain|application/pdf|1 text[one]part[a/b]bytes[xyz]end[]itself[]document_corrupt[bent]fact "
                 "%d=72623859790382856 text[]32768",
                 FACT_FOLDERS);
        assert_string_equal(notes.text.data, want);
        buffer_free(&notes.text);
    }
}

#define TYPE "T\x0c\0\0\0\1text/plain\0"
#define DONE "Z\0\0\0\0"
#define B(s) (s), sizeof(s) - 1
static const struct {
    const char *name, *bytes;
    size_t length;
    enum frames_state want;
} cases[] = {
    {"least", B(TYPE DONE), FRAMES_DONE},
    {"nothing", B(""), FRAMES_MORE},
    {"half a head", B("T\x0c\0"), FRAMES_MORE},
    {"half a frame", B("T\x0c\0\0\0\1text"), FRAMES_MORE},
    {"done before the type", B(DONE), FRAMES_BROKEN},
    {"text before the type", B("t\1\0\0\0x"), FRAMES_BROKEN},
    {"a type twice", B(TYPE TYPE), FRAMES_BROKEN},
    {"a type with a line break", B("T\x03\0\0\0\1\n\0"), FRAMES_BROKEN},
    {"a type without end", B("T\x02\0\0\0\1x"), FRAMES_BROKEN},
    {"after the last", B(TYPE DONE "t"), FRAMES_BROKEN},
    {"an unknown kind", B(TYPE "?\0\0\0\0"), FRAMES_BROKEN},
    {"a frame that is too long", B(TYPE "t\1\0\1\0"), FRAMES_BROKEN},
    {"a length of 4 GiB", B(TYPE "t\xff\xff\xff\xff"), FRAMES_BROKEN},
    {"bytes outside of a part", B(TYPE "b\1\0\0\0x"), FRAMES_BROKEN},
    {"an end outside of a part", B(TYPE "e\0\0\0\0"), FRAMES_BROKEN},
    {"a part in a part", B(TYPE "P\1\0\0\0aP\1\0\0\0b"), FRAMES_BROKEN},
    {"text in a part", B(TYPE "P\1\0\0\0at\1\0\0\0b"), FRAMES_BROKEN},
    {"a fact in a part", B(TYPE "P\1\0\0\0af\x09\0\0\0\0\0\0\0\0\0\0\0\0"), FRAMES_BROKEN},
    {"done in a part", B(TYPE "P\1\0\0\0a" DONE), FRAMES_BROKEN},
    {"an error in a part",
     B(TYPE "P\1\0\0\0aX\x12\0\0\0\x0e"
            "document_corrupt\0"),
     FRAMES_DONE},
    {"a fact that is none", B(TYPE "f\x09\0\0\0\x7f\0\0\0\0\0\0\0\0"), FRAMES_BROKEN},
    {"a short fact", B(TYPE "f\x08\0\0\0\0\0\0\0\0\0\0\0"), FRAMES_BROKEN},
    {"an error of a job", B(TYPE "X\x0f\0\0\0\1job_malformed\0"), FRAMES_BROKEN},
    {"an error of fetching", B(TYPE "X\x10\0\0\0\1path_not_found\0"), FRAMES_BROKEN},
    {"an error that is none", B(TYPE "X\x12\0\0\0\0document_corrupt\0"), FRAMES_BROKEN},
    {"a status that is none",
     B(TYPE "X\x12\0\0\0\x7f"
            "document_corrupt\0"),
     FRAMES_BROKEN},
    {"no memory", B(TYPE "X\x02\0\0\0\x08\0"), FRAMES_DONE},
    {"a message that is no UTF-8",
     B(TYPE "X\x13\0\0\0\x0e"
            "document_corrupt\0\xff"),
     FRAMES_BROKEN},
};

static void what_no_reader_sends_is_told_from_it(void **state)
{
    static struct frame_reader r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct notes notes;
        notes_init(&notes);
        frame_reader_init(&r, &notes.receiver);
        enum frames_state got = frame_reader_feed(&r, cases[i].bytes, cases[i].length);
        if (got != cases[i].want) fail_msg("%s: %d", cases[i].name, (int)got);
        buffer_free(&notes.text);
    }
}

static void a_receiver_that_has_enough_gets_nothing_more(void **state)
{
    static struct frame_reader r;
    struct notes notes;
    (void)state;
    notes_init(&notes);
    notes.enough = true;
    frame_reader_init(&r, &notes.receiver);
    assert_int_equal(frame_reader_feed(&r, B(TYPE "t\1\0\0\0x" DONE)), FRAMES_STOPPED);
    assert_string_equal(notes.text.data, "text/plain||1 ");
    assert_int_equal(frame_reader_feed(&r, B(DONE)), FRAMES_STOPPED);
    buffer_free(&notes.text);
}

static void a_writer_whose_pipe_is_closed_stops(void **state)
{
    static struct frame_writer w;
    static char bytes[256 * 1024];
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    frame_writer_init(&w, fds[1]);
    assert_false(w.receiver.sink.text(&w.receiver.sink, bytes, sizeof(bytes)));
    assert_false(frame_writer_finish(&w, DOCKET_OK, NULL));
    close(fds[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives_as_it_was_given_in_any_pieces),
        cmocka_unit_test(what_no_reader_sends_is_told_from_it),
        cmocka_unit_test(a_receiver_that_has_enough_gets_nothing_more),
        cmocka_unit_test(a_writer_whose_pipe_is_closed_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
