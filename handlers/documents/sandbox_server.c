/* sandbox_server.c: starts the extract server, starts it again when it is gone, and asks who it is. Knows no document. */
#include "handlers/documents/sandbox_internal.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_SECONDS 60 /* a machine that is busy loading a model may take its time */

static enum status unavailable(struct error *err, const char *what, int number)
{
    return fail(err, DOCKET_UNSUPPORTED, CODE_sandbox_unavailable, "%s: %s", what, strerrordesc_np(number));
}

static int spawn_server(pid_t *pid, int socket, const char *mode)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char program[] = "docket", word[] = SERVER_WORD, given[32], bind_now[] = "LD_BIND_NOW=1"; /* for the slim server */
    char *arguments[] = {program, word, mode ? given : NULL, NULL}, *environment[] = {bind_now, NULL};
    snprintf(given, sizeof(given), "%s", mode ? mode : "");
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int result = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, socket, SERVER_SOCKET);
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, SERVER_SOCKET + 1);
    /* A group of its own: an interrupt at the terminal is the worker's to handle. */
    if (result == 0) result = posix_spawnattr_setpgroup(&attributes, 0);
    if (result == 0) result = posix_spawnattr_setsigmask(&attributes, &none);
    if (result == 0) result = posix_spawnattr_setsigdefault(&attributes, &all);
    if (result == 0)
        result = posix_spawnattr_setflags(&attributes,
                                          POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (result == 0) result = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

static enum status start(struct sandbox *s, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return unavailable(err, "no socket for the extract server", errno);
    if (pair[1] == SERVER_SOCKET) { /* the copy in the child must be another descriptor than the original */
        int moved = fcntl(pair[1], F_DUPFD_CLOEXEC, SERVER_SOCKET + 1);
        close(pair[1]);
        pair[1] = moved;
    }
    int result = pair[1] < 0 ? EMFILE : spawn_server(&s->pid, pair[1], s->options.mode);
    if (pair[1] >= 0) close(pair[1]);
    if (result != 0) {
        close(pair[0]);
        s->pid = 0;
        return unavailable(err, "the extract server cannot be started", result);
    }
    s->socket = pair[0];
    s->ready = false;
    return DOCKET_OK;
}

static void end(struct sandbox *s)
{
    if (s->socket >= 0) close(s->socket); /* at which it ends by itself, and its children with it */
    if (s->slim >= 0) close(s->slim);
    if (s->pid > 0) {
        kill(-s->pid, SIGKILL); /* its group: its twin */
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {}
        while (waitpid(-s->pid, NULL, 0) > 0 || errno == EINTR) {
        } /* the twin is ours now, if nobody else takes orphans */
    }
    s->socket = s->slim = -1;
    s->pid = 0;
    s->ready = false;
}

enum status sandbox_open(struct sandbox **out, const struct sandbox_options *options, struct error *err)
{
    struct sandbox *s = mem_zalloc(1, sizeof(*s));
    if (!s) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the sandbox");
    s->socket = s->slim = -1;
    if (options) s->options = *options;
    if (!(s->options.timeout_seconds > 0)) s->options.timeout_seconds = 60;
    if (!(s->options.silence_seconds > 0)) s->options.silence_seconds = 20;
    pthread_mutex_init(&s->lock, NULL);
    pthread_rwlock_init(&s->alone, NULL);
    start(s, NULL); /* what is wrong is said by whoever needs it, and tried again then */
    *out = s;
    return DOCKET_OK;
}

void sandbox_close(struct sandbox *s)
{
    if (!s) return;
    end(s);
    pthread_rwlock_destroy(&s->alone);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

void sandbox_set_times(struct sandbox *s, double timeout_seconds, double silence_seconds)
{
    if (timeout_seconds > 0) s->options.timeout_seconds = timeout_seconds;
    if (silence_seconds > 0) s->options.silence_seconds = silence_seconds;
}

/* The first message, and the descriptor that may come with it. */
static bool receive_hello(struct sandbox *s, struct hello *hello)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {hello, sizeof(*hello)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s->socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&s->slim, CMSG_DATA(c), sizeof(int));
    return n == (ssize_t)sizeof(*hello) && hello->magic == SERVER_MAGIC;
}

static enum status hear_hello(struct sandbox *s, struct error *err)
{
    struct hello hello;
    struct pollfd p = {.fd = s->socket, .events = POLLIN};
    uint64_t start_ns = clock_now_ns();
    for (;;) {
        int left = HELLO_SECONDS * 1000 - (int)(clock_seconds_since(start_ns) * 1000);
        int n = poll(&p, 1, left > 0 ? left : 0);
        if (n > 0) break;
        if (n == 0) return unavailable(err, "the extract server does not answer", ETIMEDOUT);
        if (errno != EINTR) return unavailable(err, "the extract server", errno);
    }
    if (!receive_hello(s, &hello))
        return fail(err, DOCKET_UNSUPPORTED, CODE_sandbox_unavailable, "the extract server ended while it started");
    s->facts = (struct sandbox_facts){.layers = hello.layers,
                                      .landlock_abi = hello.landlock_abi,
                                      .tested = hello.tested,
                                      .pid = (int)s->pid,
                                      .slim_pid = hello.slim_pid};
    s->ready = true;
    return DOCKET_OK;
}

enum status sandbox_ready(struct sandbox *s, struct sandbox_facts *facts, struct error *err)
{
    pthread_mutex_lock(&s->lock);
    enum status st = s->ready ? DOCKET_OK : s->socket >= 0 ? hear_hello(s, err) : start(s, err);
    if (st == DOCKET_OK && !s->ready) st = hear_hello(s, err);
    if (st == DOCKET_OK)
        *facts = s->facts;
    else
        end(s);
    pthread_mutex_unlock(&s->lock);
    return st;
}

bool sandbox_has_slim(struct sandbox *s)
{
    pthread_mutex_lock(&s->lock);
    bool there = s->ready && s->slim >= 0;
    pthread_mutex_unlock(&s->lock);
    return there;
}

enum status sandbox_send(struct sandbox *s, const struct request *q, const int *fds, int *pid, struct error *err)
{
    union {
        char bytes[CMSG_SPACE(N_REQUEST_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {(void *)(uintptr_t)q, sizeof(*q)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    memset(&control, 0, sizeof(control));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(N_REQUEST_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fds, N_REQUEST_FDS * sizeof(int));
    enum status st = DOCKET_OK;
    pthread_mutex_lock(&s->lock);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (s->socket < 0) st = start(s, err);
        if (st == DOCKET_OK && !s->ready) st = hear_hello(s, err);
        ssize_t n = -1;
        const int to = st == DOCKET_OK && (q->light || q->boxed) && s->slim >= 0 ? s->slim : s->socket;
        while (st == DOCKET_OK && (n = sendmsg(to, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
        if (n == (ssize_t)sizeof(*q)) break;
        int number = errno;
        end(s); /* gone; a new one is tried once */
        if (st == DOCKET_OK && attempt > 0) st = unavailable(err, "the extract server cannot be asked", number);
        if (st != DOCKET_OK && attempt == 0) st = DOCKET_OK;
    }
    if (pid) *pid = (int)s->pid;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Words */

const char *sandbox_layer_name(enum sandbox_layer layer)
{
    static const char *const names[] = {"limits", "no_privileges", "landlock", "seccomp", "exec_once"};
    return names[layer];
}

void sandbox_describe(struct buffer *out, const struct sandbox_facts *facts)
{
    for (int i = 0; i < N_LAYERS; i++) {
        if (!(facts->layers >> i & 1)) continue;
        buffer_printf(out, "%s%s", out->length ? " " : "", sandbox_layer_name((enum sandbox_layer)i));
        if (i == LAYER_LANDLOCK) buffer_printf(out, ":%u", facts->landlock_abi);
    }
    if (out->length == 0) buffer_append_str(out, "none");
}
