/* new_folder.c: temporary name, sync, rename that never replaces. */
#include "worker/model/new_folder.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARK             ".tmp-"
#define STALE_NS         (UINT64_C(86400) * NS_PER_SECOND)
#define MAX_DEPTH        8 /* of folders that are removed */
#define FILE_PERMISSIONS 0644

static enum status io_error(struct error *err, const char *path, const char *what)
{
    return fail(err, DOCKET_IO, CODE_NONE, "%s: %s: %s", path, what, strerrordesc_np(errno));
}

static enum status no_memory(struct error *err, const char *path)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for a name", path);
}

/* Closes fd. */
static enum status empty_folder(int fd, const char *path, unsigned depth, struct error *err)
{
    DIR *open = fdopendir(fd);
    struct dirent *entry;
    enum status st = DOCKET_OK;
    if (!open) {
        st = io_error(err, path, "cannot read the folder");
        close(fd);
        return st;
    }
    while (st == DOCKET_OK && (entry = readdir(open))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) {
            st = io_error(err, path, "cannot remove what is in it");
            break;
        }
        int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0 || depth == MAX_DEPTH) {
            st = io_error(err, path, "cannot remove a folder in it");
            if (inner >= 0) close(inner);
            break;
        }
        st = empty_folder(inner, path, depth + 1, err);
        if (st == DOCKET_OK && unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            st = io_error(err, path, "cannot remove a folder in it");
    }
    closedir(open);
    return st;
}

enum status folder_remove(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? DOCKET_OK : io_error(err, path, "cannot open the folder");
    enum status st = empty_folder(fd, path, 0, err);
    if (st == DOCKET_OK && rmdir(path) != 0 && errno != ENOENT) st = io_error(err, path, "cannot remove the folder");
    return st;
}

/* What is before the last slash, "." without one; the name behind it. */
static char *parent_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash) return str_dup(".");
    return str_dup_n(path, slash == path ? 1 : (size_t)(slash - path));
}

static void remove_stale(const char *parent, const char *name)
{
    DIR *open = opendir(parent);
    struct dirent *entry;
    size_t n = strlen(name);
    while (open && (entry = readdir(open))) {
        struct stat facts;
        if (strncmp(entry->d_name, name, n) != 0 || strncmp(entry->d_name + n, MARK, strlen(MARK)) != 0) continue;
        if (fstatat(dirfd(open), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
        uint64_t changed = (uint64_t)facts.st_mtim.tv_sec * NS_PER_SECOND, now = clock_wall_ns();
        if (!S_ISDIR(facts.st_mode) || changed + STALE_NS > now) continue;
        char *path = path_join(parent, entry->d_name);
        if (path) folder_remove(path, NULL); /* a next one tries again */
        mem_free(path);
    }
    if (open) closedir(open);
}

static enum status make_temporary(struct new_folder *f, struct error *err)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        mem_free(f->path);
        f->path = str_format("%s" MARK "%lx-%llx", f->final, (unsigned long)getpid(),
                             (unsigned long long)clock_wall_ns() + tries);
        if (!f->path) return no_memory(err, f->final);
        if (mkdir(f->path, 0755) == 0) return DOCKET_OK;
        if (errno != EEXIST) break;
    }
    enum status st = io_error(err, f->path, "cannot make the folder");
    mem_free(f->path);
    f->path = NULL;
    return st;
}

enum status new_folder_open(struct new_folder *out, const char *path, struct error *err)
{
    struct new_folder f = {0};
    struct stat facts;
    const char *name = "";
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    f.final = str_dup_n(path, n);
    char *parent = f.final ? parent_of(f.final, &name) : NULL;
    enum status st = DOCKET_OK;
    if (!parent)
        st = no_memory(err, path);
    else if (lstat(f.final, &facts) == 0)
        st = fail(err, DOCKET_REFUSED, CODE_NONE, "%s: is there already; nothing is overwritten", f.final);
    else if (errno != ENOENT)
        st = io_error(err, f.final, "cannot look at it");
    else if (stat(parent, &facts) != 0) /* one that is there may be a link */
        st = file_make_folder(parent, err);
    if (st == DOCKET_OK) remove_stale(parent, name);
    if (st == DOCKET_OK) st = make_temporary(&f, err);
    mem_free(parent);
    if (st == DOCKET_OK)
        *out = f;
    else
        new_folder_close(&f);
    return st;
}

enum status new_folder_put(const struct new_folder *folder, const char *name, const void *bytes, size_t length,
                           struct error *err)
{
    char *path = path_join(folder->path, name);
    if (!path) return no_memory(err, folder->path);
    enum status st = DOCKET_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_PERMISSIONS);
    if (fd < 0)
        st = io_error(err, path, "cannot create");
    else {
        st = file_write_all(fd, bytes, length, path, err);
        if (st == DOCKET_OK && fsync(fd) != 0) st = io_error(err, path, "cannot sync");
        if (close(fd) != 0 && st == DOCKET_OK) st = io_error(err, path, "cannot close");
    }
    mem_free(path);
    return st;
}

/* Some file systems (network ones) do not know RENAME_NOREPLACE; rename replaces an empty folder there, and only that. */
static int rename_without_replacing(const char *from, const char *to)
{
    struct stat facts;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (lstat(to, &facts) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

enum status new_folder_publish(struct new_folder *folder, struct error *err)
{
    const char *name;
    char *parent = parent_of(folder->final, &name);
    enum status st = parent ? file_sync_folder(folder->path, err) : no_memory(err, folder->final);
    if (st == DOCKET_OK && rename_without_replacing(folder->path, folder->final) != 0)
        st = errno == EEXIST || errno == ENOTEMPTY
                 ? fail(err, DOCKET_REFUSED, CODE_NONE, "%s: is there already; nothing is overwritten", folder->final)
                 : io_error(err, folder->final, "cannot rename to it");
    if (st == DOCKET_OK) {
        mem_free(folder->path);
        folder->path = NULL;
        st = file_sync_folder(parent, err);
    }
    mem_free(parent);
    return st;
}

void new_folder_close(struct new_folder *folder)
{
    if (folder->path) folder_remove(folder->path, NULL);
    mem_free(folder->path);
    mem_free(folder->final);
    *folder = (struct new_folder){0};
}
