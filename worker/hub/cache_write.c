/* cache_write.c: the writing half of the hub cache. Nothing appears under its final name before it is whole. */
#include "worker/hub/cache_write.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEFTOVER_SECONDS UINT64_C(86400)
#define POLL_SECONDS     0.1

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the cache's paths");
}

static enum status io_error(struct error *err, const char *path, const char *doing)
{
    int e = errno;
    return fail(err, DOCKET_IO, CODE_NONE, "%s: %s: %s", path, doing, strerrordesc_np(e));
}

/* Like file_make_folder, but a cache is for all who may use the parent, and parents that are links are the user's own choice. */
static enum status make_folder(const char *path, struct error *err)
{
    struct stat facts;
    char *part = str_dup(path);
    if (!part) return no_memory(err);
    enum status st = DOCKET_OK;
    for (char *slash = part + 1; st == DOCKET_OK; slash++) {
        slash += strcspn(slash, "/");
        char end = *slash;
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST && stat(part, &facts) != 0)
            st = io_error(err, part, "cannot make the folder");
        if (end == '\0') break;
        *slash = end;
    }
    if (st == DOCKET_OK && (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode)))
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: not a folder", path);
    mem_free(part);
    return st;
}

void cache_repository_free(struct cache_repository *repository)
{
    mem_free(repository->folder);
    mem_free(repository->locks);
    *repository = (struct cache_repository){0};
}

enum status cache_repository_open(struct cache_repository *out, const char *cache, const char *repository,
                                  struct error *err)
{
    struct cache_repository local = {0};
    const char *slash = strchr(repository, '/');
    int n = slash ? (int)(slash - repository) : 0;
    char *name =
        slash ? str_format("models--%.*s--%s", n, repository, slash + 1) : str_format("models--%s", repository);
    char *blobs = NULL;
    enum status st = DOCKET_OK;
    if (name) {
        local.folder = path_join(cache, name);
        local.locks = str_format("%s/.locks/%s", cache, name);
        blobs = local.folder ? path_join(local.folder, "blobs") : NULL;
    }
    if (!local.locks || !blobs) st = no_memory(err);
    if (st == DOCKET_OK) st = make_folder(blobs, err);
    if (st == DOCKET_OK) st = make_folder(local.locks, err);
    if (st == DOCKET_OK) MOVE(*out, local);
    cache_repository_free(&local);
    mem_free(blobs);
    mem_free(name);
    return st;
}

char *cache_blob_path(const struct cache_repository *repository, const char *etag, const char *suffix)
{
    return str_format("%s/blobs/%s%s", repository->folder, etag, suffix);
}

/* Tries once; *fd is -1 if somebody else has it. Some of those who share the lock remove its file when they are done: a lock on
 * a file that is no longer there is none. */
static enum status try_lock(int *fd, const char *path, struct error *err)
{
    struct stat mine, theirs;
    *fd = -1;
    for (int tries = 0; tries < 100; tries++) {
        int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (opened < 0) return io_error(err, path, "cannot open the lock");
        if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
            int failure = errno;
            close(opened);
            errno = failure;
            return failure == EWOULDBLOCK || failure == EINTR ? DOCKET_OK : io_error(err, path, "cannot lock");
        }
        if (fstat(opened, &mine) == 0 && stat(path, &theirs) == 0 && mine.st_ino == theirs.st_ino) {
            *fd = opened;
            return DOCKET_OK;
        }
        close(opened);
    }
    return DOCKET_OK;
}

enum status cache_lock(int *fd, const struct cache_repository *repository, const char *etag, const atomic_bool *stop,
                       bool *waited, struct error *err)
{
    enum status st = DOCKET_OK;
    char *path = str_format("%s/%s.lock", repository->locks, etag);
    *waited = false;
    if (!path) return no_memory(err);
    while ((st = try_lock(fd, path, err)) == DOCKET_OK && *fd < 0) {
        *waited = true;
        if (!clock_sleep(POLL_SECONDS, stop)) {
            st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped while another process fetches");
            break;
        }
    }
    mem_free(path);
    return st;
}

void cache_unlock(int fd)
{
    if (fd >= 0) close(fd);
}

static uint64_t size_of(char *path)
{
    struct stat facts;
    bool there = path && stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
    mem_free(path);
    return there ? (uint64_t)facts.st_size : UINT64_MAX;
}

uint64_t cache_snapshot_size(const struct cache_repository *repository, const char *commit, const char *name)
{
    return size_of(str_format("%s/snapshots/%s/%s", repository->folder, commit, name));
}

uint64_t cache_blob_size(const struct cache_repository *repository, const char *etag)
{
    return size_of(cache_blob_path(repository, etag, ""));
}

/* Links are impossible here, not just now. */
static bool no_such_thing(int failure)
{
    return failure == EPERM || failure == ENOSYS || failure == EOPNOTSUPP; /* which ENOTSUP is too */
}

enum status cache_publish(const struct cache_repository *repository, const char *commit, const char *name,
                          const char *etag, bool no_links, struct error *err)
{
    enum status st = DOCKET_OK;
    char *folder = str_format("%s/snapshots/%s", repository->folder, commit), *path = NULL, *temporary = NULL;
    char *target = str_format("../../blobs/%s", etag), *blob = cache_blob_path(repository, etag, "");
    if (folder) {
        path = path_join(folder, name);
        temporary = str_format("%s/.%s.%d.docket", folder, name, (int)getpid());
    }
    if (!path || !temporary || !target || !blob) {
        st = no_memory(err);
        goto done;
    }
    if ((st = make_folder(folder, err)) != DOCKET_OK) goto done;
    unlink(temporary);
    if (!no_links && symlink(target, temporary) != 0) {
        if (!no_such_thing(errno)) {
            st = io_error(err, path, "cannot make a link");
            goto done;
        }
        no_links = true;
    }
    if (rename(no_links ? blob : temporary, path) != 0) {
        st = io_error(err, path, "cannot put it in its place");
        unlink(temporary);
    } else {
        st = file_sync_folder(folder, err);
    }
done:
    mem_free(folder);
    mem_free(path);
    mem_free(temporary);
    mem_free(target);
    mem_free(blob);
    return st;
}

enum status cache_write_ref(const struct cache_repository *repository, const char *revision, const char *commit,
                            struct error *err)
{
    char *path = str_format("%s/refs/%s", repository->folder, revision), *folder = path ? str_dup(path) : NULL;
    enum status st = DOCKET_OK;
    if (!folder) {
        st = no_memory(err);
    } else {
        *strrchr(folder, '/') = '\0';
        st = make_folder(folder, err);
    }
    if (st == DOCKET_OK) st = file_publish(path, commit, strlen(commit), err);
    if (st == DOCKET_OK) chmod(path, 0644); /* others read the cache too */
    mem_free(path);
    mem_free(folder);
    return st;
}

static const char unfinished[] = ".docket.incomplete";

/* Bytes of the checksum in the name of an unfinished blob; 0 if it is something else. */
static int unfinished_name(const char *name)
{
    const char *end = strstr(name, unfinished);
    return end && end[sizeof(unfinished) - 1] == '\0' ? (int)(end - name) : 0;
}

uint64_t cache_left_over(const struct cache_repository *repository)
{
    uint64_t bytes = 0;
    char *blobs = path_join(repository->folder, "blobs");
    DIR *folder = blobs ? opendir(blobs) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat facts;
        if (unfinished_name(entry->d_name) > 0 &&
            fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)facts.st_blocks * 512;
    }
    if (folder) closedir(folder);
    mem_free(blobs);
    return bytes;
}

void cache_sweep(const struct cache_repository *repository)
{
    char *blobs = path_join(repository->folder, "blobs");
    DIR *folder = blobs ? opendir(blobs) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat facts;
        char lock[4096], parts[300];
        int fd = -1, n = unfinished_name(entry->d_name);
        if (n == 0) continue;
        if (fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if ((uint64_t)facts.st_mtime + LEFTOVER_SECONDS > clock_wall_ns() / NS_PER_SECOND) continue;
        snprintf(lock, sizeof(lock), "%s/%.*s.lock", repository->locks, n, entry->d_name);
        snprintf(parts, sizeof(parts), "%.*s.docket.parts", n, entry->d_name);
        if (try_lock(&fd, lock, NULL) != DOCKET_OK || fd < 0) continue;
        unlinkat(dirfd(folder), parts, 0);
        unlinkat(dirfd(folder), entry->d_name, 0);
        cache_unlock(fd);
    }
    if (folder) closedir(folder);
    mem_free(blobs);
}
