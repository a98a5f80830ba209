/* sandbox_layers.c: rlimits, privileges, Landlock and seccomp of a child. Each call is made once and checked; none can be taken back.
 * To change what a child may call: run the tests with the new reader, read which call the kernel refused (SIGSYS, or EPERM under
 * strace), ask whether a reader of bytes needs it, and add it to the list below. */
#include "handlers/documents/sandbox_layers.h"

#include "worker/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_INSTRUCTIONS 4096 /* of a filter: the kernel's BPF_MAXINSNS */

/* Where the path of the one program may lie. ThreadSanitizer has most of it for itself. */
#ifdef __SANITIZE_THREAD__
#define EXEC_PATH_FROM UINT64_C(0x7e8000000000)
#define EXEC_PATH_SPAN UINT64_C(0x3fffffffff)
#else
#define EXEC_PATH_FROM UINT64_C(0x100000000000)
#define EXEC_PATH_SPAN UINT64_C(0x3fffffffffff)
#endif

/* Landlock: numbers of our own, because the headers of the build may be older than the kernel. */
#define LANDLOCK_CREATE   444
#define LANDLOCK_ADD      445
#define LANDLOCK_RESTRICT 446
#define FS_EXECUTE        (UINT64_C(1) << 0)
#define FS_READ_FILE      (UINT64_C(1) << 2)
#define FS_READ_DIR       (UINT64_C(1) << 3)
struct landlock_ruleset {
    uint64_t files, net, scoped;
};
struct landlock_beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static unsigned landlock_abi(void)
{
    long abi = syscall(LANDLOCK_CREATE, NULL, 0, 1);
    return abi > 0 ? (unsigned)abi : 0;
}

static int landlock_rules(unsigned abi)
{
    const struct landlock_ruleset all = {
        .files = (UINT64_C(1) << (abi >= 5   ? 16
                                  : abi >= 3 ? 15
                                  : abi >= 2 ? 14
                                             : 13)) -
                 1,
        .net = 3,   /* bind and connect of TCP, from version 4 */
        .scoped = 3 /* abstract sockets and signals of others, from version 6 */
    };
    size_t known = abi >= 6 ? sizeof(all) : abi >= 4 ? sizeof(all) - 8 : sizeof(all) - 16;
    return (int)syscall(LANDLOCK_CREATE, &all, known, 0);
}

/* What is not there needs no rule. */
static void landlock_allow(int rules, const char *path, uint64_t what)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return;
    struct landlock_beneath beneath = {what, fd};
    if (syscall(LANDLOCK_ADD, rules, 1, &beneath, 0) != 0 && errno == EINVAL) {
        beneath.allowed &= ~FS_READ_DIR; /* a file */
        syscall(LANDLOCK_ADD, rules, 1, &beneath, 0);
    }
    close(fd);
}

/* seccomp */

#define CALL(name) SCMP_SYS(name)
static const int killed[] = {
    CALL(socket),
    CALL(socketpair),
    CALL(connect),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(accept4),
    CALL(sendto),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(bpf),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(userfaultfd),
    CALL(keyctl),
    CALL(add_key),
    CALL(request_key),
    CALL(mount),
    CALL(umount2),
    CALL(move_mount),
    CALL(open_tree),
    CALL(fsopen),
    CALL(unshare),
    CALL(setns),
    CALL(memfd_create),
    CALL(open_by_handle_at),
    CALL(name_to_handle_at),
    CALL(perf_event_open),
    CALL(execveat),
    CALL(pivot_root),
    CALL(chroot),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(reboot),
    CALL(swapon),
    CALL(swapoff),
    CALL(pidfd_open),
    CALL(pidfd_getfd),
    CALL(pidfd_send_signal),
    CALL(kill),
    CALL(tkill),
    CALL(rt_sigqueueinfo),
    CALL(rt_tgsigqueueinfo),
    CALL(personality),
    CALL(modify_ldt),
    CALL(iopl),
    CALL(ioperm),
    CALL(acct),
    CALL(quotactl),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(adjtimex),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(syslog),
    CALL(vhangup),
    CALL(lookup_dcookie),
    CALL(kcmp),
    CALL(fanotify_init),
    CALL(seccomp),
    CALL(memfd_secret),
    CALL(process_madvise),
    CALL(migrate_pages),
    CALL(move_pages),
    CALL(mbind),
};
/* Known, harmless to ask for, and refused: who asks goes on without. */
static const int refused[] = {
    CALL(open),
    CALL(openat),
    CALL(openat2),
    CALL(creat),
    CALL(stat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(unlink),
    CALL(unlinkat),
    CALL(link),
    CALL(linkat),
    CALL(symlink),
    CALL(symlinkat),
    CALL(mkdir),
    CALL(mkdirat),
    CALL(rmdir),
    CALL(mknod),
    CALL(mknodat),
    CALL(chmod),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(chown),
    CALL(fchown),
    CALL(lchown),
    CALL(fchownat),
    CALL(truncate),
    CALL(ftruncate),
    CALL(fallocate),
    CALL(utime),
    CALL(utimes),
    CALL(utimensat),
    CALL(futimesat),
    CALL(getdents),
    CALL(getdents64),
    CALL(chdir),
    CALL(fchdir),
    CALL(getcwd),
    CALL(statfs),
    CALL(fstatfs),
    CALL(setxattr),
    CALL(getxattr),
    CALL(listxattr),
    CALL(execve),
    CALL(fork),
    CALL(vfork),
    CALL(clone),
    CALL(setrlimit),
    CALL(prlimit64),
    CALL(setuid),
    CALL(setgid),
    CALL(setreuid),
    CALL(setregid),
    CALL(setresuid),
    CALL(setresgid),
    CALL(setgroups),
    CALL(setfsuid),
    CALL(setfsgid),
    CALL(capset),
    CALL(prctl),
    CALL(arch_prctl),
    CALL(ioctl),
    CALL(fcntl),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(pipe),
    CALL(pipe2),
    CALL(setsid),
    CALL(setpgid),
    CALL(setpriority),
    CALL(sched_setscheduler),
    CALL(sched_setaffinity),
    CALL(sched_setattr),
    CALL(ioprio_set),
    CALL(inotify_init1),
    CALL(eventfd2),
    CALL(signalfd4),
    CALL(timerfd_create),
    CALL(epoll_create1),
    CALL(shmget),
    CALL(shmat),
    CALL(semget),
    CALL(msgget),
    CALL(mq_open),
    CALL(tgkill),
    CALL(umask),
    CALL(sysinfo),
    CALL(uname),
    CALL(mlock),
    CALL(mlockall),
    CALL(flock),
    CALL(fsync),
    CALL(sendfile),
    CALL(splice),
    CALL(tee),
    CALL(vmsplice),
    CALL(copy_file_range),
};
static const int always[] = {
    CALL(read),         CALL(write),
    CALL(readv),        CALL(writev),
    CALL(lseek),        CALL(fstat),
    CALL(close),        CALL(munmap),
    CALL(mremap),       CALL(brk),
    CALL(madvise),      CALL(futex),
    CALL(getrandom),    CALL(rt_sigreturn),
    CALL(rt_sigaction), CALL(rt_sigprocmask),
    CALL(sigaltstack),  CALL(clock_gettime),
    CALL(gettimeofday), CALL(time),
    CALL(sched_yield),  CALL(getpid),
    CALL(gettid),       CALL(exit),
    CALL(exit_group),   CALL(restart_syscall),
    CALL(getrusage),    CALL(times),
};
/* A program that starts, loads its libraries and reads its own data. What files there are, Landlock says. */
static const int in_a_box[] = {
    CALL(newfstatat),
    CALL(stat),
    CALL(lstat),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(pread64),
    CALL(execve),
    CALL(arch_prctl),
    CALL(set_tid_address),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(uname),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getppid),
    CALL(sched_getaffinity),
    CALL(getcwd),
    CALL(fcntl),
    CALL(sysinfo),
    CALL(statfs),
    CALL(fstatfs),
    CALL(mmap),
    CALL(mprotect),
    CALL(poll),
    CALL(membarrier),
    CALL(statx),
};

static bool listed(const int *calls, size_t n, int call)
{
    for (size_t i = 0; i < n; i++)
        if (calls[i] == call) return true;
    return false;
}

static bool add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n, bool box)
{
    static const int narrowed[] = {CALL(openat), CALL(open), CALL(prlimit64), CALL(clone), CALL(ioctl)};
    for (size_t i = 0; i < n; i++) {
        bool other =
            action != SCMP_ACT_ALLOW && box &&
            (listed(in_a_box, ARRAY_LENGTH(in_a_box), calls[i]) || listed(narrowed, ARRAY_LENGTH(narrowed), calls[i]));
        int result = other ? 0 : seccomp_rule_add(filter, action, calls[i], 0);
        if (result != 0 && result != -EDOM && result != -EFAULT)
            return false; /* a call that this machine does not have */
    }
    return true;
}

/* Allowed where the masked argument is as wanted; otherwise it is an unknown call. */
static bool narrow(scmp_filter_ctx filter, int call, unsigned argument, uint64_t mask, uint64_t want)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, want)) == 0;
}

static bool add_rules(scmp_filter_ctx f, bool box)
{
    static const uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    bool good = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
                seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
                add_all(f, SCMP_ACT_ALLOW, always, ARRAY_LENGTH(always), box) &&
                add_all(f, SCMP_ACT_KILL_PROCESS, killed, ARRAY_LENGTH(killed), box) &&
                add_all(f, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_LENGTH(refused), box);
    if (!box) /* nothing becomes code */
        return good && narrow(f, CALL(mmap), 2, PROT_EXEC, 0) && narrow(f, CALL(mprotect), 2, PROT_EXEC, 0);
    return good && add_all(f, SCMP_ACT_ALLOW, in_a_box, ARRAY_LENGTH(in_a_box), box) &&
           narrow(f, CALL(openat), 2, writing, O_RDONLY) && narrow(f, CALL(open), 1, writing, O_RDONLY) &&
           narrow(f, CALL(prlimit64), 2, UINT64_MAX, 0) && narrow(f, CALL(clone), 0, CLONE_THREAD, CLONE_THREAD) &&
           seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), CALL(ioctl), 0) == 0;
}

static bool export_filter(struct sock_fprog *out, scmp_filter_ctx filter)
{
    size_t bytes = MAX_INSTRUCTIONS * sizeof(struct sock_filter);
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct sock_filter *code = fd >= 0 ? mem_alloc(bytes) : NULL;
    ssize_t n = -1;
    if (code && seccomp_export_bpf(filter, fd) == 0) n = pread(fd, code, bytes, 0);
    if (fd >= 0) close(fd);
    if (n <= 0 || n % (ssize_t)sizeof(*code) != 0) {
        mem_free(code);
        return false;
    }
    *out = (struct sock_fprog){(unsigned short)((size_t)n / sizeof(*code)), code};
    return true;
}

static bool make_filter(struct sock_fprog *out, bool box)
{
    /* Unknown calls: ENOSYS, at which the C library takes older ways. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    bool made = filter && add_rules(filter, box) && export_filter(out, filter);
    if (filter) seccomp_release(filter);
    return made;
}

static bool kernel_kills_processes(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

void layers_prepare(struct layers *l, unsigned without)
{
    *l = (struct layers){.without = without, .glue_rules = -1};
    l->held = 1u << LAYER_LIMITS | 1u << LAYER_NO_PRIVS;
    l->abi = landlock_abi();
    if (l->abi) l->glue_rules = landlock_rules(l->abi);
    if (l->glue_rules >= 0) {
        fcntl(l->glue_rules, F_SETFD, FD_CLOEXEC);
        l->held |= 1u << LAYER_LANDLOCK;
    }
    if (kernel_kills_processes() && make_filter(&l->glue, false) && make_filter(&l->tool, true))
        l->held |= 1u << LAYER_SECCOMP | 1u << LAYER_EXEC_ONCE;
    l->held &= ~without;
}

/* In the child */

static bool has(const struct layers *l, enum sandbox_layer layer)
{
    return l->held >> layer & 1;
}

static bool limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit now, wanted = {soft, hard};
    if (getrlimit((__rlimit_resource_t)what, &now) != 0) return false;
    if (wanted.rlim_max > now.rlim_max) wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &wanted) == 0;
}

static bool enter_limits(const struct layers *l, const struct child_limits *limits)
{
    if (!has(l, LAYER_LIMITS)) return true;
    /* The sanitizers reserve terabytes of addresses, so that their builds go without that one limit. */
    bool memory = LAYERS_SANITIZED || limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes);
    return memory && limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 1) && limit(RLIMIT_NOFILE, 32, 32) &&
           limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_FSIZE, 0, 0) && limit(RLIMIT_STACK, 8 * MIB, 8 * MIB) &&
           limit(RLIMIT_MEMLOCK, 0, 0) && limit(RLIMIT_MSGQUEUE, 0, 0);
}

static bool enter_no_privileges(const struct layers *l)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    /* Without it a filter could only be put on with rights; so it is part of that layer as well. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    if (!has(l, LAYER_NO_PRIVS)) return true;
    return syscall(SYS_capset, &head, none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool put_filter(const struct sock_fprog *program)
{
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) == 0;
}

bool layers_enter_glue(const struct layers *l, const struct child_limits *limits)
{
    if (!enter_limits(l, limits) || !enter_no_privileges(l)) return false;
    if (has(l, LAYER_LANDLOCK) && syscall(LANDLOCK_RESTRICT, l->glue_rules, 0) != 0) return false;
    if (l->glue_rules >= 0) close(l->glue_rules);
    return !has(l, LAYER_SECCOMP) || put_filter(&l->glue);
}

static bool enter_box_files(const struct layers *l, const struct box *box)
{
    static const char *const loader[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"};
    static const char *const libraries[] = {"/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache"};
    if (!has(l, LAYER_LANDLOCK)) return true;
    int rules = landlock_rules(l->abi);
    if (rules < 0) return false;
    landlock_allow(rules, box->program, FS_EXECUTE | FS_READ_FILE);
    for (size_t i = 0; i < ARRAY_LENGTH(loader); i++) landlock_allow(rules, loader[i], FS_EXECUTE | FS_READ_FILE);
    for (size_t i = 0; i < ARRAY_LENGTH(libraries); i++)
        landlock_allow(rules, libraries[i], FS_READ_FILE | FS_READ_DIR);
    for (size_t i = 0; box->readable && box->readable[i]; i++)
        landlock_allow(rules, box->readable[i], FS_READ_FILE | FS_READ_DIR);
    bool entered = syscall(LANDLOCK_RESTRICT, rules, 0) == 0;
    close(rules);
    return entered;
}

/* The path lies at an address that nobody can guess, and only an execve that points there passes; any other is the last call. The new
 * program starts without that address in its memory: it can start nothing. */
static const char *path_for_one_exec(const char *path)
{
    size_t length = strlen(path) + 1;
    for (int i = 0; i < 16; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) return NULL;
        uintptr_t at = (uintptr_t)(EXEC_PATH_FROM + (random & EXEC_PATH_SPAN) / 4096 * 4096);
        char *page =
            mmap((void *)at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        size_t within = 16 * (size_t)(random >> 56) % (4096 - 256);
        if (page == MAP_FAILED || length > 256) continue;
        return memcpy(page + within, path, length);
    }
    return NULL;
}

static bool allow_one_exec(const char *path)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    const struct scmp_arg_cmp elsewhere = {.arg = 0, .op = SCMP_CMP_NE, .datum_a = (uint64_t)(uintptr_t)path};
    bool good = filter && seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 1, &elsewhere) == 0 &&
                seccomp_load(filter) == 0;
    if (filter) seccomp_release(filter);
    return good;
}

void layers_enter_box(const struct layers *l, const struct box *box, char *const *arguments)
{
    const struct child_limits limits = {box->memory_bytes, box->cpu_seconds};
    const char *path = box->program;
    if (has(l, LAYER_EXEC_ONCE) && !(path = path_for_one_exec(box->program))) return;
    if (!enter_no_privileges(l) || !enter_box_files(l, box)) return;
    if (has(l, LAYER_EXEC_ONCE) && !allow_one_exec(path)) return;
    if (!enter_limits(l, &limits)) return;
    if (has(l, LAYER_SECCOMP) && !put_filter(&l->tool)) return;
    execve(path, arguments, (char *const *)box->environment);
}
