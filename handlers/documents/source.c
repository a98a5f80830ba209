/* source.c: a path beneath DOCUMENT_ROOT → bytes. Follows no link, opens nothing but regular files; knows no formats. */
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool leaves_root(const char *path)
{
    if (path[0] == '/') return true;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) return true;
    }
    return false;
}

/* One part; a link gives ELOOP. */
static int open_part(int folder, const char *part, int flags)
{
    struct stat facts;
    int fd = openat(folder, part, flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !(flags & O_PATH)) return fd;
    int problem = fstat(fd, &facts) != 0 ? errno : S_ISLNK(facts.st_mode) ? ELOOP : 0;
    if (problem == 0) return fd;
    close(fd);
    errno = problem;
    return -1;
}

int source_open_parts(int root_fd, const char *path, int flags)
{
    char part[256];
    int folder = root_fd, next = -1;
    if (leaves_root(path)) {
        errno = EXDEV;
        return -1;
    }
    for (;;) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n >= sizeof(part)) {
            errno = ENAMETOOLONG;
            next = -1;
            break;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        path += n;
        bool last = path[strspn(path, "/")] == '\0';
        next = open_part(folder, n ? part : ".", last ? flags : O_PATH);
        if (next < 0 || last) break;
        if (folder != root_fd) close(folder);
        folder = next;
    }
    int problem = errno;
    if (folder != root_fd) close(folder);
    errno = problem;
    return next;
}

int source_open_beneath(int root_fd, const char *path, int flags)
{
    const struct open_how how = {
        .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC), /* a link as the last part: refused, or seen by O_PATH */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    for (int tries = 0; tries < 8; tries++) {
        long fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
        if (fd >= 0) return (int)fd;
        if (errno == ENOSYS || errno == EPERM) break;     /* an old kernel, or a filter of system calls */
        if (errno != EAGAIN && errno != EINTR) return -1; /* EAGAIN: something was renamed meanwhile */
    }
    return source_open_parts(root_fd, path, flags);
}

static enum status open_failed(struct error *err)
{
    switch (errno) {
    case EXDEV:
        return fail(err, DOCKET_REFUSED, CODE_path_not_allowed, "leaves DOCUMENT_ROOT");
    case ELOOP:
        return fail(err, DOCKET_REFUSED, CODE_path_not_regular_file, "is a link or goes through one");
    case EACCES:
    case EPERM:
        return fail(err, DOCKET_REFUSED, CODE_path_not_allowed, "the worker may not read it");
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return fail(err, DOCKET_NOT_FOUND, CODE_path_not_found, "no such file");
    case ENXIO:
        return fail(err, DOCKET_REFUSED, CODE_path_not_regular_file, "not a regular file");
    default:
        return fail(err, DOCKET_IO, CODE_path_read_failed, "cannot be read: %s", strerrordesc_np(errno));
    }
}

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFLNK:
        return "a link";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

static enum status check_regular(int fd, size_t max_bytes, struct error *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0) return open_failed(err);
    if (!S_ISREG(facts.st_mode))
        return fail(err, DOCKET_REFUSED, CODE_path_not_regular_file, "%s, not a regular file", kind_of(facts.st_mode));
    if ((uint64_t)facts.st_size > max_bytes)
        return fail(err, DOCKET_LIMIT, CODE_document_too_large, "%lld bytes, at most %zu are read",
                    (long long)facts.st_size, max_bytes);
    return DOCKET_OK;
}

static enum status read_whole(struct buffer *out, int fd, size_t max_bytes, struct error *err)
{
    char piece[64 * 1024];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(err, DOCKET_IO, CODE_path_read_failed, "cannot be read: %s", strerrordesc_np(errno));
        if (n == 0) return buffer_check(out, "the file", err);
        if ((size_t)n > max_bytes - out->length)
            return fail(err, DOCKET_LIMIT, CODE_document_too_large, "more than %zu bytes", max_bytes);
        if (!buffer_append(out, piece, (size_t)n)) return buffer_check(out, "the file", err);
    }
}

enum status source_read_path(struct buffer *out, const char *root, const char *path, size_t max_bytes,
                             struct error *err)
{
    int root_fd = -1, fd = -1;
    enum status st;
    if (!root) return fail(err, DOCKET_REFUSED, CODE_path_not_allowed, "paths are refused: no DOCUMENT_ROOT is set");
    if (leaves_root(path)) return fail(err, DOCKET_REFUSED, CODE_path_not_allowed, "leaves DOCUMENT_ROOT");
    root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0) return fail(err, DOCKET_NOT_FOUND, CODE_path_not_found, "DOCUMENT_ROOT cannot be opened");

    /* O_PATH first: to open a device or a pipe already does something. */
    fd = source_open_beneath(root_fd, path, O_PATH);
    st = fd < 0 ? open_failed(err) : check_regular(fd, max_bytes, err);
    if (st != DOCKET_OK) goto done;
    close(fd);
    fd = source_open_beneath(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    st = fd < 0 ? open_failed(err) : check_regular(fd, max_bytes, err);
    if (st == DOCKET_OK) st = read_whole(out, fd, max_bytes, err);
done:
    if (fd >= 0) close(fd);
    close(root_fd);
    return st;
}
