/* extract_server.c: the process that forks a child for each document, and says how it ended. One thread; it holds nothing: no environment, no
 * secret, no descriptor but its socket, no privilege. It never looks at a document. */
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"

#include "handlers/documents/frames.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY        65534
#define MAX_CHILDREN  64
#define N_CRASHES     5 /* in … */
#define CRASH_SECONDS 10
#define CRASH_PAUSE   0.2 /* between the starts that follow */
#define CPU_SECONDS   20

struct child {
    pid_t pid;
    int control;
    bool killed;
};

struct server {
    bool slim;
    struct layers layers;
    const struct server_hooks *hooks;
    struct child children[MAX_CHILDREN];
    size_t n;
    int signals;
    uint64_t crashes_ns[N_CRASHES]; /* of the last ones, as a ring */
    size_t n_crashes;
    uint64_t next_start_ns;
};

/* In the child */

static void close_all(const int *keep, size_t n)
{
    for (size_t i = 0; i < n; i++) fcntl(keep[i], F_SETFD, FD_CLOEXEC); /* those above the standard three */
    unsigned from = 3;
    for (size_t i = 0; i < n; i++) {
        if (keep[i] < 3) continue;
        if ((unsigned)keep[i] > from) close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    close_range(from, ~0u, 0);
}

static bool settle(pid_t server, const int *fds, bool boxed)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server) return false;
    int errors = boxed ? fds[FD_ERRORS] : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (errors < 0 || dup2(fds[FD_INPUT], 0) < 0 || dup2(fds[FD_OUTPUT], 1) < 0 || dup2(errors, 2) < 0) return false;
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static int read_document(const struct server *s, const struct request *q)
{
    static struct frame_writer writer;
    size_t twice;
    const int keep[] = {s->layers.glue_rules};
    struct child_limits limits = {GIB, CPU_SECONDS};
    void *bytes = mmap(NULL, q->length, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (bytes == MAP_FAILED || !size_mul(q->length, 2, &twice) || !size_add(twice, GIB, &limits.memory_bytes))
        return EXIT_NOT_ENTERED;
    close_all(keep, 1);
    if (!layers_enter_glue(&s->layers, &limits)) return EXIT_NOT_ENTERED;
    const struct extract_input in = {.bytes = bytes,
                                     .length = q->length,
                                     .filename = q->has_filename ? q->filename : NULL,
                                     .media_type = "",
                                     .max_characters = q->max_characters,
                                     .max_members = q->max_members,
                                     .max_part_bytes = q->max_part_bytes,
                                     .max_expanded = q->max_expanded};
    struct error err = {0};
    enum status st;
    frame_writer_init(&writer, STDOUT_FILENO);
    if (s->hooks && s->hooks->replace) {
        static const struct extract_type probe = {.media_type = "text/plain", .from_content = true};
        writer.receiver.type(&writer.receiver, &probe);
        st = s->hooks->replace(&in, &writer.receiver.sink, &err);
    } else if (s->slim) {
        bool light = false;
        st = extract_light(&in, &writer.receiver, &light, &err);
        if (!light) return EXIT_NOT_LIGHT;
    } else
        st = extract_document(&in, &writer.receiver, &err);
    frame_writer_finish(&writer, st, &err);
    return 0;
}

static const struct box *box_of(const struct server *s, size_t index)
{
    if (!s->hooks || !s->hooks->boxes) return box_at(index);
    return index < s->hooks->n_boxes ? &s->hooks->boxes[index] : NULL;
}

/* A word that becomes an argument: nothing that could be taken for a switch or a path. */
static bool plain_word(const char *word)
{
    if (*word == '\0') return false;
    for (; *word; word++)
        if (!isalnum((unsigned char)*word) && *word != '_' && *word != '+') return false;
    return true;
}

static int run_box(const struct server *s, const struct request *q)
{
    static char numbers[2][64];
    char *arguments[16] = {NULL};
    size_t n = 0, n_numbers = 0;
    const struct box *box = box_of(s, q->box);
    for (; box && box->arguments[n] && n < ARRAY_LENGTH(arguments) - 1; n++) {
        arguments[n] = (char *)(uintptr_t)box->arguments[n];
        if (strcmp(box->arguments[n], "%s") == 0) {
            if (!plain_word(q->word)) return EXIT_NOT_ENTERED;
            arguments[n] = (char *)(uintptr_t)q->word;
        }
        size_t length = strlen(box->arguments[n]);
        if (length < 2 || strcmp(box->arguments[n] + length - 2, "%u") != 0 || n_numbers == 2) continue;
        snprintf(numbers[n_numbers], sizeof(numbers[0]), "%.*s%u", (int)(length - 2), box->arguments[n],
                 q->numbers[n_numbers]);
        arguments[n] = numbers[n_numbers++];
    }
    close_all(NULL, 0);
    if (!box || access(box->program, X_OK) != 0) return EXIT_NOT_STARTED;
    layers_enter_box(&s->layers, box, arguments);
    return EXIT_NOT_ENTERED;
}

/* In the server */

static void kill_child(struct child *c)
{
    c->killed = true;
    kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
}

static void note_crash(struct server *s)
{
    uint64_t now = clock_now_ns();
    uint64_t *oldest = &s->crashes_ns[s->n_crashes++ % N_CRASHES]; /* about to be overwritten: the fifth from here */
    uint64_t fifth = s->n_crashes > N_CRASHES ? *oldest : 0;
    *oldest = now;
    bool often = fifth && !(s->hooks && s->hooks->hasty) && now - fifth < CRASH_SECONDS * NS_PER_SECOND;
    s->next_start_ns = often ? now + (uint64_t)(CRASH_PAUSE * 1e9) : 0;
}

static void reap(struct server *s)
{
    siginfo_t info;
    struct rusage used;
    int status;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        kill(-info.si_pid, SIGKILL); /* what it left behind; its number is still taken, so nobody else is hit */
        if (wait4(info.si_pid, &status, 0, &used) != info.si_pid) return;
        for (size_t i = 0; i < s->n; i++) {
            struct child *c = &s->children[i];
            if (c->pid != info.si_pid) continue;
            const struct child_ended ended = {.magic = SERVER_MAGIC,
                                              .status = status,
                                              .killed = c->killed,
                                              .cpu_us =
                                                  (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000u +
                                                  (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec),
                                              .peak_kb = (uint64_t)used.ru_maxrss};
            send(c->control, &ended, sizeof(ended), MSG_NOSIGNAL | MSG_DONTWAIT);
            close(c->control);
            if (WIFSIGNALED(status) && !c->killed) note_crash(s);
            s->children[i] = s->children[--s->n];
            break;
        }
    }
}

static void start_child(struct server *s, const struct request *q, const int *fds)
{
    static const struct child_started started = {SERVER_MAGIC};
    const pid_t server = getpid();
    pid_t pid = LAYERS_SANITIZED ? fork() : _Fork(); /* libraries' handlers of forks are gone where the libraries are */
    if (pid == 0) {
        int code = EXIT_NOT_ENTERED;
        if (settle(server, fds, q->boxed)) code = q->boxed ? run_box(s, q) : read_document(s, q);
        _exit(code);
    }
    if (pid < 0) {
        close(fds[FD_CONTROL]); /* the worker sees that nothing came of it */
        return;
    }
    setpgid(pid, pid);
    send(fds[FD_CONTROL], &started, sizeof(started), MSG_NOSIGNAL | MSG_DONTWAIT);
    s->children[s->n++] = (struct child){.pid = pid, .control = fds[FD_CONTROL]};
}

/* false: the worker is gone. */
static bool take_request(struct server *s)
{
    struct request q;
    int fds[N_REQUEST_FDS];
    union {
        char bytes[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control;
    struct iovec part = {&q, sizeof(q)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(SERVER_SOCKET, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    if (n == 0) return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (n != (ssize_t)sizeof(q) || q.magic != SERVER_MAGIC || !c || c->cmsg_type != SCM_RIGHTS ||
        c->cmsg_len != CMSG_LEN(sizeof(fds)))
        return false; /* nobody else has the other end */
    memcpy(fds, CMSG_DATA(c), sizeof(fds));
    q.filename[sizeof(q.filename) - 1] = '\0';
    q.word[sizeof(q.word) - 1] = '\0';
    start_child(s, &q, fds);
    close(fds[FD_INPUT]);
    close(fds[FD_OUTPUT]);
    close(fds[FD_ERRORS]);
    return true;
}

static int pause_ms(const struct server *s)
{
    uint64_t now = clock_now_ns();
    return now < s->next_start_ns ? (int)((s->next_start_ns - now) / NS_PER_MS) + 1 : 0;
}

static void serve(struct server *s)
{
    for (;;) {
        struct pollfd p[2 + MAX_CHILDREN] = {{.fd = s->signals, .events = POLLIN}};
        int pause = pause_ms(s);
        size_t n = s->n;
        p[1] = (struct pollfd){.fd = SERVER_SOCKET, .events = n < MAX_CHILDREN && pause == 0 ? POLLIN : 0};
        for (size_t i = 0; i < n; i++)
            p[2 + i] = (struct pollfd){.fd = s->children[i].killed ? -1 : s->children[i].control, .events = POLLIN};
        if (poll(p, 2 + n, pause > 0 ? pause : -1) < 0 && errno != EINTR) return;
        for (size_t i = 0; i < n; i++)
            if (p[2 + i].revents) kill_child(&s->children[i]);
        if (p[0].revents) {
            struct signalfd_siginfo drained[8];
            if (read(s->signals, drained, sizeof(drained)) > 0) reap(s);
        }
        if (p[1].revents & (POLLHUP | POLLERR)) return;
        if ((p[1].revents & POLLIN) && !take_request(s)) return;
    }
}

/* Nobody, if this is root; and no capability whoever it is. Files that documents' readers need are for all to read. */
static void drop_privileges(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0)
        (void)!setresuid(NOBODY, NOBODY,
                         NOBODY); /* a namespace may not have that number; then the other layers hold alone */
    syscall(SYS_capset, &head, none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* A child of the strictest kind tries to open a file, which must fail, and then a socket, which must end it. */
static bool test_layers(const struct server *s)
{
    int status;
    const struct child_limits limits = {GIB, CPU_SECONDS};
    pid_t pid = fork();
    if (pid == 0) {
        if (!layers_enter_glue(&s->layers, &limits)) _exit(3);
        if (open("/etc/passwd", O_RDONLY) >= 0) _exit(2);
        socket(AF_INET, SOCK_STREAM, 0);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool hear_of_children(struct server *s)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (s->signals >= 0) close(s->signals);
    s->signals = sigprocmask(SIG_BLOCK, &child, NULL) == 0 ? signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    return s->signals >= 0;
}

/* The twin for light work, before this process loads what it will not need. Its socket for the worker; -1: it could not be started. */
static int start_slim(struct server *s, int32_t *slim_pid)
{
    int pair[2];
    const pid_t server = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        s->slim = true;
        if (getppid() != server || dup2(pair[1], SERVER_SOCKET) < 0 || !hear_of_children(s)) _exit(1);
        close(pair[0]);
        close(pair[1]);
        slim_shed_libraries();
        serve(s);
        for (size_t i = 0; i < s->n; i++) kill_child(&s->children[i]);
        _exit(0);
    }
    close(pair[1]);
    *slim_pid = pid > 0 ? pid : 0;
    if (pid > 0) return pair[0];
    close(pair[0]);
    return -1;
}

static bool say_hello(const struct hello *hello, int slim)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)hello, sizeof(*hello)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (slim >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &slim, sizeof(int));
    }
    bool sent = sendmsg(SERVER_SOCKET, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*hello);
    if (slim >= 0) close(slim);
    return sent;
}

static int run_server(const struct server_hooks *hooks, unsigned without)
{
    static struct server s = {.signals = -1};
    signal(SIGPIPE, SIG_IGN);
    clearenv();
    if (!hear_of_children(&s)) return 1;
    s.hooks = hooks;
    drop_privileges();
    layers_prepare(&s.layers, without);
    struct hello hello = {.magic = SERVER_MAGIC, .layers = s.layers.held, .landlock_abi = s.layers.abi};
    int slim = start_slim(&s, &hello.slim_pid);
    extract_prepare();
    hello.tested = test_layers(&s);
    if (!say_hello(&hello, slim)) return 1;
    serve(&s);
    for (size_t i = 0; i < s.n; i++) kill_child(&s.children[i]);
    return 0;
}

bool sandbox_is_server_with(int argc, char **argv, const struct server_hooks *hooks, int *exit_code)
{
    if (argc < 2 || strcmp(argv[1], SERVER_WORD) != 0) return false;
    unsigned without = hooks && argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    *exit_code = run_server(hooks, without);
    return true;
}

bool sandbox_is_server(int argc, char **argv, int *exit_code)
{
    return sandbox_is_server_with(argc, argv, NULL, exit_code);
}
