/* sandbox_probes.c: one attempt a function, by raw system calls where the C library would take another way. */
#include "tests/support/sandbox_probes.h"

#include "worker/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE "/tmp/docket-probe"

static int told(long result)
{
    return result >= 0 ? 0 : errno;
}

static int opened(const char *path, int flags)
{
    return told(syscall(SYS_openat, AT_FDCWD, path, flags, 0600));
}

static int open_passwd(void)
{
    return opened("/etc/passwd", O_RDONLY);
}
static int open_passwd_the_old_way(void)
{
    return told(syscall(SYS_open, "/etc/passwd", O_RDONLY, 0));
}
static int open_passwd_by_openat2(void)
{
    uint64_t how[3] = {O_RDONLY, 0, 0};
    return told(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}
static int open_own_maps(void)
{
    return opened("/proc/self/status", O_RDONLY);
}
static int open_parents(const char *which)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", syscall(SYS_getppid), which);
    return opened(path, O_RDONLY);
}
static int open_parents_memory(void)
{
    return open_parents("mem");
}
static int open_parents_environment(void)
{
    return open_parents("environ");
}
static int open_parents_command(void)
{
    return open_parents("cmdline");
}
static int open_temporary_folder(void)
{
    return opened("/tmp", O_RDONLY | O_DIRECTORY);
}
static int open_a_device(void)
{
    return opened("/dev/zero", O_RDONLY);
}
static int create_a_file(void)
{
    int result = opened(SPARE, O_WRONLY | O_CREAT);
    if (result == 0) unlink(SPARE);
    return result;
}
static int create_shared_memory(void)
{
    int result = opened("/dev/shm/docket-probe", O_RDWR | O_CREAT);
    if (result == 0) unlink("/dev/shm/docket-probe");
    return result;
}
static int create_a_nameless_file(void)
{
    return opened("/tmp", O_WRONLY | O_TMPFILE);
}
static int make_a_folder(void)
{
    int result = told(mkdir(SPARE "-folder", 0700));
    if (result == 0) rmdir(SPARE "-folder");
    return result;
}
static int make_a_link(void)
{
    int result = told(symlink("/etc/passwd", SPARE "-link"));
    if (result == 0) unlink(SPARE "-link");
    return result;
}
static int make_a_pipe_file(void)
{
    int result = told(mknod(SPARE "-pipe", S_IFIFO | 0600, 0));
    if (result == 0) unlink(SPARE "-pipe");
    return result;
}
static int change_a_mode(void)
{
    return told(chmod("/etc/passwd", 0666));
}
static int change_an_owner(void)
{
    return told(chown("/etc/passwd", 1, 1));
}
static int move_a_file(void)
{
    return told(rename("/etc/passwd", SPARE));
}
static int shorten_a_file(void)
{
    return told(truncate("/etc/passwd", 0));
}
static int read_a_link(void)
{
    char to[64];
    return told(syscall(SYS_readlink, "/proc/self/exe", to, sizeof(to)));
}
static int connect_inet(void)
{
    return told(socket(AF_INET, SOCK_STREAM, 0));
}
static int send_udp(void)
{
    return told(socket(AF_INET6, SOCK_DGRAM, 0));
}
static int open_mptcp(void)
{
    return told(socket(AF_INET, SOCK_STREAM, 262));
}
static int open_netlink(void)
{
    return told(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int open_unix(void)
{
    return told(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int open_packet(void)
{
    return told(socket(AF_PACKET, SOCK_RAW, 0));
}
static int make_a_socket_pair(void)
{
    int fds[2];
    return told(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

/* In a place of their own, so that success does not end the probe: the new program says that it runs. */
static int start_shell(void)
{
    char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"printf D"}, NULL};
    char *const environment[] = {NULL};
    execve("/bin/sh", arguments, environment);
    return errno;
}
static int start_shell_by_execveat(void)
{
    char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"printf D"}, NULL};
    char *const environment[] = {NULL};
    syscall(SYS_execveat, AT_FDCWD, "/bin/sh", arguments, environment, 0);
    return errno;
}
static int start_itself(void)
{
    char *const arguments[] = {(char[]){"self"}, (char[]){"started"}, NULL};
    char *const environment[] = {NULL};
    execve("/proc/self/exe", arguments, environment);
    return errno;
}
static int reaped(long pid)
{
    if (pid == 0) _exit(0);
    if (pid < 0) return errno;
    waitpid((pid_t)pid, NULL, 0);
    return 0;
}
static int fork_a_child(void)
{
    return reaped(syscall(SYS_fork));
}
static int clone_a_child(void)
{
    return reaped(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}
static int clone3_a_child(void)
{
    uint64_t arguments[8] = {[4] = SIGCHLD};
    return reaped(syscall(SYS_clone3, arguments, sizeof(arguments)));
}
static int signal_parent(void)
{
    return told(kill((pid_t)syscall(SYS_getppid), 0));
}
static int signal_everybody(void)
{
    return told(kill(-1, 0));
}
static int signal_a_thread(void)
{
    long parent = syscall(SYS_getppid);
    return told(syscall(SYS_tgkill, parent, parent, 0));
}
static int stop_itself(void)
{
    return told(kill((pid_t)syscall(SYS_getpid), SIGCONT));
}
static int trace_itself(void)
{
    return told(ptrace(PTRACE_TRACEME, 0, 0, 0));
}
static int read_parents_memory(void)
{
    char here[8];
    struct iovec local = {here, sizeof(here)}, remote = {here, sizeof(here)};
    return told(process_vm_readv((pid_t)syscall(SYS_getppid), &local, 1, &remote, 1, 0));
}
static int make_a_memory_file(void)
{
    return told(syscall(SYS_memfd_create, "probe", 0));
}
static int make_a_namespace(void)
{
    return told(unshare(CLONE_NEWUSER));
}
static int enter_a_namespace(void)
{
    return told(setns(0, 0));
}
static int set_up_io_uring(void)
{
    struct io_uring_params parameters = {0};
    return told(syscall(SYS_io_uring_setup, 1, &parameters));
}
static int watch_page_faults(void)
{
    return told(syscall(SYS_userfaultfd, 1 /* user mode only */));
}
static int load_bpf(void)
{
    return told(syscall(SYS_bpf, 0, NULL, 0));
}
static int count_events(void)
{
    struct perf_event_attr attribute = {.size = sizeof(attribute)};
    return told(syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0));
}
static int read_keys(void)
{
    return told(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
}
static int mount_something(void)
{
    return told(mount("none", "/tmp", "tmpfs", 0, NULL));
}
static int change_root(void)
{
    return told(chroot("/tmp"));
}
static int open_by_handle(void)
{
    uint32_t handle[4] = {8, 1};
    return told(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}
static int get_parents_descriptor(void)
{
    return told(syscall(SYS_pidfd_open, syscall(SYS_getppid), 0));
}
static int start_again(void)
{
    return told(syscall(SYS_reboot, 0, 0, 0, NULL));
}
static int set_the_clock(void)
{
    return told(syscall(SYS_settimeofday, (const void *)1, NULL));
}
static int change_personality(void)
{
    return told(syscall(SYS_personality, 0xffffffff));
}
static int raise_limits(void)
{
    struct rlimit more = {1000, 1000};
    return told(syscall(SYS_setrlimit, RLIMIT_NOFILE, &more));
}
static int raise_limits_by_prlimit(void)
{
    struct rlimit more = {1000, 1000};
    return told(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL));
}
static int allow_core_dumps(void)
{
    struct rlimit core = {1000, 1000};
    return told(syscall(SYS_setrlimit, RLIMIT_CORE, &core));
}
static int become_dumpable(void)
{
    return told(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int become_root(void)
{
    return geteuid() == 0 ? ENOTSUP
                          : told(syscall(SYS_setuid, 0)); /* without rights the number alone is worth nothing */
}
static int take_8_gib(void)
{
    return mmap(NULL, 8 * GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}
static int lock_memory(void)
{
    return told(mlockall(MCL_CURRENT));
}
static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}
static int find_open_descriptors(void)
{
    struct stat facts;
    for (int fd = 3; fd < 1024; fd++)
        if (syscall(SYS_fstat, fd, &facts) == 0) return 0;
    return EBADF;
}
static int share_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (id < 0) return errno;
    shmctl(id, IPC_RMID, NULL);
    return 0;
}
static int open_a_queue(void)
{
    struct mq_attr attribute = {.mq_maxmsg = 1, .mq_msgsize = 8};
    long fd = syscall(SYS_mq_open, "docket-probe", O_RDWR | O_CREAT, 0600, &attribute);
    if (fd < 0) return errno;
    syscall(SYS_mq_unlink, "docket-probe");
    return 0;
}
static int watch_files(void)
{
    return told(syscall(SYS_inotify_init1, 0));
}
static int add_a_filter(void)
{
    uint32_t action = 0;
    return told(syscall(SYS_seccomp, 2 /* which actions there are */, 0, &action));
}
static int write_into_the_document(void)
{
    return told(pwrite(STDIN_FILENO, "x", 1, 0));
}
#if defined(__x86_64__)
static int call_as_i386(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0 : ENOSYS;
}
static int call_as_x32(void)
{
    return told(syscall(0x40000000 | 39));
}
#endif

#define PROBE(name)                                                                                                    \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
const struct probe sandbox_probes[] = {
    PROBE(open_passwd),
    PROBE(open_passwd_the_old_way),
    PROBE(open_passwd_by_openat2),
    PROBE(open_own_maps),
    PROBE(open_parents_memory),
    PROBE(open_parents_environment),
    PROBE(open_parents_command),
    PROBE(open_temporary_folder),
    PROBE(open_a_device),
    PROBE(create_a_file),
    PROBE(create_shared_memory),
    PROBE(create_a_nameless_file),
    PROBE(make_a_folder),
    PROBE(make_a_link),
    PROBE(make_a_pipe_file),
    PROBE(change_a_mode),
    PROBE(change_an_owner),
    PROBE(move_a_file),
    PROBE(shorten_a_file),
    PROBE(read_a_link),
    PROBE(connect_inet),
    PROBE(send_udp),
    PROBE(open_mptcp),
    PROBE(open_netlink),
    PROBE(open_unix),
    PROBE(open_packet),
    PROBE(make_a_socket_pair),
    PROBE(start_shell),
    PROBE(start_shell_by_execveat),
    PROBE(start_itself),
    PROBE(fork_a_child),
    PROBE(clone_a_child),
    PROBE(clone3_a_child),
    PROBE(signal_parent),
    PROBE(signal_everybody),
    PROBE(signal_a_thread),
    PROBE(stop_itself),
    PROBE(trace_itself),
    PROBE(read_parents_memory),
    PROBE(make_a_memory_file),
    PROBE(make_a_namespace),
    PROBE(enter_a_namespace),
    PROBE(set_up_io_uring),
    PROBE(watch_page_faults),
    PROBE(load_bpf),
    PROBE(count_events),
    PROBE(read_keys),
    PROBE(mount_something),
    PROBE(change_root),
    PROBE(open_by_handle),
    PROBE(get_parents_descriptor),
    PROBE(start_again),
    PROBE(set_the_clock),
    PROBE(change_personality),
    PROBE(raise_limits),
    PROBE(raise_limits_by_prlimit),
    PROBE(allow_core_dumps),
    PROBE(become_dumpable),
    PROBE(become_root),
    PROBE(take_8_gib),
    PROBE(lock_memory),
    PROBE(make_code),
    PROBE(find_open_descriptors),
    PROBE(share_memory),
    PROBE(open_a_queue),
    PROBE(watch_files),
    PROBE(add_a_filter),
    PROBE(write_into_the_document),
#if defined(__x86_64__)
    PROBE(call_as_i386),
    PROBE(call_as_x32),
#endif
};
const size_t n_sandbox_probes = ARRAY_LENGTH(sandbox_probes);

const struct probe *probe_find(const char *name, size_t length)
{
    for (size_t i = 0; i < n_sandbox_probes; i++)
        if (strlen(sandbox_probes[i].name) == length && memcmp(sandbox_probes[i].name, name, length) == 0)
            return &sandbox_probes[i];
    return NULL;
}
