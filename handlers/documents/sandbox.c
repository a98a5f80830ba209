/* sandbox.c: one document through one child: hands the bytes over, reads what comes back under a clock, and says in whose name it went
 * wrong. Knows no format. */
#include "handlers/documents/frames.h"
#include "handlers/documents/readers.h"
#include "handlers/documents/sandbox_internal.h"
#include "handlers/documents/sandbox_layers.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 60 /* until the server has a child for it */
#define DEATH_SECONDS 20 /* from the kill to the news of it */
#define ALONE_SECONDS 10 /* for others to finish before a second try */
#define PIECE_BYTES   ((size_t)64 * 1024)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

enum verdict { GOES_ON, ENDED, STOPPED, BROKEN }; /* of whoever gets the output */

struct attempt {
    struct sandbox *s;
    const struct request *request;
    const void *bytes;
    enum verdict (*output)(void *context, const void *bytes, size_t length);
    void *context;
    struct box_run *box; /* or NULL */

    int output_fd, errors_fd, control_fd;
    enum verdict verdict;
    bool started, ended, killed, timed_out, silent;
    struct child_ended end;
    uint64_t started_ns, heard_ns, deadline_ns;
    double wall_seconds;
    double timeout_seconds, silence_seconds;
};

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static enum status no_descriptor(struct error *err, const char *what)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_sandbox_unavailable, "%s: %s", what, strerrordesc_np(errno));
}

/* The bytes in memory that nobody can change any more. */
static int sealed_copy(const void *bytes, size_t length, struct error *err)
{
    int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        no_descriptor(err, "no memory file for a document");
        return -1;
    }
    for (size_t at = 0; at < length;) {
        ssize_t n = pwrite(fd, (const char *)bytes + at, length - at, (off_t)at);
        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR) {
            no_descriptor(err, "no memory for a copy of a document");
            close(fd);
            return -1;
        }
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}

static enum status send_document(struct attempt *a, struct error *err)
{
    int output[2] = {-1, -1}, errors[2] = {-1, -1}, control[2] = {-1, -1};
    enum status st = DOCKET_OK;
    int input = sealed_copy(a->bytes, a->request->length, err);
    if (input < 0) return err->status;
    if (pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
        st = no_descriptor(err, "no pipe for a document");
    else {
        const int fds[N_REQUEST_FDS] = {input, output[1], control[1], errors[1]};
        fcntl(output[0], F_SETFL, O_NONBLOCK);
        fcntl(errors[0], F_SETFL, O_NONBLOCK);
        st = sandbox_send(a->s, a->request, fds, NULL, err);
    }
    close(input);
    close_fd(&output[1]);
    close_fd(&errors[1]);
    close_fd(&control[1]);
    a->output_fd = output[0];
    a->errors_fd = errors[0];
    a->control_fd = control[0];
    return st;
}

static void kill_child(struct attempt *a)
{
    static const char word = 'K';
    if (a->killed) return;
    a->killed = true;
    a->deadline_ns = clock_now_ns() + DEATH_SECONDS * NS_PER_SECOND;
    send(a->control_fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* false: the server is gone. */
static bool hear_control(struct attempt *a)
{
    union {
        struct child_started started;
        struct child_ended ended;
    } said;
    ssize_t n = recv(a->control_fd, &said, sizeof(said), MSG_DONTWAIT);
    if (n < 0 && errno == ECONNRESET) /* it closed with our kill unread; what it said before is still there */
        n = recv(a->control_fd, &said, sizeof(said), MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == (ssize_t)sizeof(said.started) && !a->started) {
        a->started = true;
        a->started_ns = a->heard_ns = clock_now_ns();
        a->deadline_ns = a->started_ns + (uint64_t)(a->timeout_seconds * 1e9);
        return true;
    }
    if (n != (ssize_t)sizeof(said.ended)) return false;
    a->ended = true;
    a->end = said.ended;
    return true;
}

/* false: nothing more comes. What the receiver does with it, reading documents inside for instance, is no time of the child's. */
static bool hear_output(struct attempt *a)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(a->output_fd, piece, sizeof(piece));
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    uint64_t before = clock_now_ns();
    if (a->verdict == GOES_ON) a->verdict = a->output(a->context, piece, (size_t)n);
    a->heard_ns = clock_now_ns();
    if (!a->killed) a->deadline_ns += a->heard_ns - before;
    if (a->verdict == STOPPED || a->verdict == BROKEN) kill_child(a);
    return true;
}

/* The beginning is kept, the rest is swallowed, so that a talkative program is not held up. */
static bool hear_errors(struct attempt *a)
{
    char piece[4096];
    ssize_t n = read(a->errors_fd, piece, sizeof(piece));
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    if (!a->box) return true;
    size_t room = sizeof(a->box->errors) - 1 - a->box->n_errors, m = (size_t)n < room ? (size_t)n : room;
    memcpy(a->box->errors + a->box->n_errors, piece, m);
    a->box->n_errors += m;
    return true;
}

static int poll_ms(const struct attempt *a)
{
    uint64_t now = clock_now_ns(), until = a->deadline_ns;
    if (a->started && !a->killed) {
        uint64_t silence = a->heard_ns + (uint64_t)(a->silence_seconds * 1e9);
        if (silence < until) until = silence;
    }
    if (until <= now) return 0;
    uint64_t ms = (until - now) / NS_PER_MS + 1;
    return ms > 60000 ? 60000 : (int)ms;
}

/* Until the child is dead and its pipe empty. false: the server is gone, or does not do what it is told. */
static bool follow(struct attempt *a)
{
    a->deadline_ns = clock_now_ns() + START_SECONDS * NS_PER_SECOND;
    while (!a->ended || a->output_fd >= 0) {
        struct pollfd p[3] = {{.fd = a->output_fd, .events = POLLIN},
                              {.fd = a->errors_fd, .events = POLLIN},
                              {.fd = a->ended ? -1 : a->control_fd, .events = POLLIN}};
        int wait = poll_ms(a), n = poll(p, 3, wait);
        if (n < 0 && errno != EINTR) return false;
        if (n <= 0) {
            if (n < 0 || poll_ms(a) > 0) continue;
            if (a->killed || !a->started) return a->ended; /* a pipe that someone still holds open is left */
            a->timed_out = true;
            a->silent = clock_now_ns() < a->deadline_ns;
            kill_child(a);
            continue;
        }
        if (p[2].revents && !hear_control(a)) return false;
        if (p[0].revents && !hear_output(a)) close_fd(&a->output_fd);
        if (p[1].revents && !hear_errors(a)) close_fd(&a->errors_fd);
    }
    while (a->errors_fd >= 0 && a->box && hear_errors(a) && errno != EAGAIN) {}
    return true;
}

enum outcome {
    FINE,
    NOT_LIGHT, /* to be asked of the server with all readers */
    WRONG,
    WRONG_PERHAPS,
    LOST
}; /* LOST: the server went away; WRONG_PERHAPS: the machine may be to blame */

static enum outcome say(enum outcome outcome, struct error *err, enum error_code code, const char *what)
{
    fail(err, code == CODE_sandbox_unavailable ? DOCKET_UNSUPPORTED : DOCKET_LIMIT, code, "%s", what);
    return outcome;
}

static enum outcome judge(const struct attempt *a, struct error *err)
{
    int status = a->end.status, signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool starved = (double)a->end.cpu_us / 1e6 < a->wall_seconds / 2;
    char text[96];
    if (a->timed_out) {
        snprintf(text, sizeof(text), a->silent ? "nothing came for %.0f s" : "not read in %.0f s",
                 a->silent ? a->silence_seconds : a->timeout_seconds);
        return say(starved ? WRONG_PERHAPS : WRONG, err, CODE_document_extract_timeout, text);
    }
    if (a->verdict == BROKEN)
        return say(WRONG, err, CODE_document_sandbox_violation, "its reader said what no reader of ours says");
    if (a->verdict != GOES_ON) return FINE;
    if (signal_number == SIGSYS)
        return say(WRONG, err, CODE_document_sandbox_violation, "its reader tried what no reader has to do");
    if (signal_number == SIGXCPU)
        return say(WRONG, err, CODE_document_extract_timeout, "took more processor time than allowed");
    if (signal_number == SIGKILL)
        return say(WRONG_PERHAPS, err, CODE_document_extract_memory,
                   "its reader was ended by the system, as for want of memory");
    if (signal_number != 0) {
        snprintf(text, sizeof(text), "its reader crashed (signal %d)", signal_number);
        return say(WRONG, err, CODE_document_extract_crashed, text);
    }
    if (WEXITSTATUS(status) == EXIT_NOT_LIGHT && a->request->light) return NOT_LIGHT;
    if (WEXITSTATUS(status) == EXIT_NOT_ENTERED)
        return say(WRONG, err, CODE_sandbox_unavailable, "a layer of the sandbox could not be put on");
    if (WEXITSTATUS(status) == EXIT_NOT_STARTED) {
        snprintf(text, sizeof(text), "%.32s, which reads this kind, is not installed",
                 a->box && a->box->box ? a->box->box : "the program");
        return say(WRONG, err, CODE_sandbox_unavailable, text);
    }
    if (a->box) return FINE;
    return say(WRONG, err, CODE_document_extract_crashed, "its reader ended in the middle");
}

static enum outcome try_once(struct attempt *a, struct error *err)
{
    a->output_fd = a->errors_fd = a->control_fd = -1;
    a->verdict = GOES_ON;
    a->started = a->ended = a->killed = a->timed_out = a->silent = false;
    a->end = (struct child_ended){0};
    a->timeout_seconds = a->box && a->box->seconds > 0 ? a->box->seconds : a->s->options.timeout_seconds;
    a->silence_seconds = a->box && a->box->seconds > 0 ? a->box->seconds : a->s->options.silence_seconds;
    if (a->box) a->box->n_errors = 0;
    bool sent = send_document(a, err) == DOCKET_OK, followed = sent && follow(a);
    if (a->started) a->wall_seconds = clock_seconds_since(a->started_ns);
    close_fd(&a->output_fd);
    close_fd(&a->errors_fd);
    close_fd(&a->control_fd); /* the server kills a child whose worker hangs up */
    if (a->box) {
        a->box->errors[a->box->n_errors] = '\0';
        a->box->exit_code = a->ended && WIFEXITED(a->end.status) ? WEXITSTATUS(a->end.status) : -1;
    }
    if (!sent) return WRONG;
    if (!followed) return say(LOST, err, CODE_sandbox_unavailable, "the process that reads documents went away");
    return judge(a, err);
}

/* How many documents this thread is in the middle of: those inside an archive are read while its own child waits. */
static _Thread_local unsigned nesting;

/* A second try, once no others are being read, where the machine may be to blame for the first. */
static enum outcome try_again(struct attempt *a, bool (*again)(void *context), enum outcome first, struct error *err)
{
    struct timespec until;
    if (first != LOST && first != WRONG_PERHAPS) return first;
    if (!again || !again(a->context)) return first;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ALONE_SECONDS;
    bool alone = nesting == 0 && pthread_rwlock_timedwrlock(&a->s->alone, &until) == 0;
    enum outcome outcome = try_once(a, err);
    if (alone) pthread_rwlock_unlock(&a->s->alone);
    return outcome;
}

static enum outcome run(struct attempt *a, bool (*again)(void *context), struct error *err)
{
    bool shared = nesting == 0 && pthread_rwlock_rdlock(&a->s->alone) == 0;
    nesting++;
    enum outcome outcome = try_once(a, err);
    nesting--;
    if (shared) pthread_rwlock_unlock(&a->s->alone);
    return try_again(a, again, outcome, err);
}

/* Readers of ours */

static enum verdict feed_frames(void *context, const void *bytes, size_t length)
{
    switch (frame_reader_feed(context, bytes, length)) {
    case FRAMES_MORE:
        return GOES_ON;
    case FRAMES_DONE:
        return ENDED;
    case FRAMES_STOPPED:
        return STOPPED;
    default:
        return BROKEN;
    }
}

static bool read_again(void *context)
{
    struct frame_reader *frames = context;
    struct extract_receiver *to = frames->to;
    if (frames->n_delivered > 0 && !(to->again && to->again(to))) return false;
    frame_reader_init(frames, to);
    return true;
}

/* Worth asking the slim server: it looks closer, and whoever guesses wrong here pays with a fork. */
static bool looks_light(const struct extract_input *in)
{
    size_t bad, at = 0;
    const char *s = in->bytes, *by_name = sniff_name(in->filename);
    if (sniff_is_pdf(in->bytes, in->length)) return true;
    if (by_name && reader_for(by_name).extract != extract_text) return false;
    while (at < in->length && at < 256 && (s[at] == ' ' || (s[at] >= '\t' && s[at] <= '\r'))) at++;
    if (at == in->length || s[at] == '<' || s[at] == '{' || s[at] == '%') return false; /* pages, RTF, PostScript */
    return !memchr(s, '\0', in->length) && utf8_valid(s, in->length, &bad);
}

enum status sandbox_extract(struct sandbox *s, const struct extract_input *in, struct extract_receiver *to,
                            struct error *err)
{
    struct request q = {.magic = SERVER_MAGIC,
                        .length = in->length,
                        .max_characters = in->max_characters,
                        .max_members = in->max_members,
                        .max_part_bytes = in->max_part_bytes,
                        .max_expanded = in->max_expanded,
                        .has_filename = in->filename != NULL,
                        .light = sandbox_has_slim(s) && looks_light(in)};
    snprintf(q.filename, sizeof(q.filename), "%s", in->filename ? in->filename : "");
    struct frame_reader *frames = mem_alloc(sizeof(*frames));
    if (!frames) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a document");
    frame_reader_init(frames, to);
    struct attempt a = {.s = s, .request = &q, .bytes = in->bytes, .output = feed_frames, .context = frames};
    enum status st = DOCKET_OK;
    enum outcome outcome = run(&a, read_again, err);
    if (outcome == NOT_LIGHT) {
        q.light = 0;
        frame_reader_init(frames, to);
        outcome = run(&a, read_again, err);
    }
    if (outcome != FINE)
        st = err->status;
    else if (frames->state == FRAMES_DONE && frames->result != DOCKET_OK) {
        st = frames->result;
        *err = frames->error;
        if (st == DOCKET_NO_MEMORY) /* the child's limit, not this process's memory */
            st = fail(err, DOCKET_LIMIT, CODE_document_extract_memory, "reading it takes more memory than allowed");
    }
    mem_free(frames);
    return st;
}

/* Boxed programs */

static enum verdict pass_on(void *context, const void *bytes, size_t length)
{
    struct box_run *b = context;
    return b->output(b->context, bytes, length) ? GOES_ON : STOPPED;
}

static bool run_again(void *context)
{
    struct box_run *b = context;
    return b->again && b->again(b->context);
}

enum status sandbox_run_box(struct sandbox *s, struct box_run *b, struct error *err)
{
    struct request q = {
        .magic = SERVER_MAGIC, .boxed = 1, .length = b->length, .numbers = {b->numbers[0], b->numbers[1]}};
    size_t index = b->index;
    if (b->box && !box_find(b->box, &index))
        return fail(err, DOCKET_INTERNAL, CODE_sandbox_unavailable, "%s: no such program", b->box);
    q.box = (uint32_t)index;
    snprintf(q.word, sizeof(q.word), "%s", b->word ? b->word : "");
    struct attempt a = {.s = s, .request = &q, .bytes = b->bytes, .output = pass_on, .context = b, .box = b};
    return run(&a, run_again, err) == FINE ? DOCKET_OK : err->status;
}
