/* file.c: whole-file reads and writes that survive a crash. */
#include "worker/base/file.h"

#include "worker/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum status io_error(struct error *err, const char *path, const char *doing)
{
    int e = errno;
    enum status status = e == ENOENT || e == ENOTDIR               ? DOCKET_NOT_FOUND
                         : e == ELOOP || e == EACCES || e == EPERM ? DOCKET_REFUSED
                                                                   : DOCKET_IO;
    return fail(err, status, CODE_NONE, "%s: %s: %s", path, doing, strerrordesc_np(e));
}

enum status file_open_regular(int *fd, const char *path, bool no_follow, struct stat *facts, struct error *err)
{
    struct stat local;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (no_follow ? O_NOFOLLOW : 0));
    if (opened < 0) return io_error(err, path, "cannot open");
    if (!facts) facts = &local;
    if (fstat(opened, facts) != 0) {
        enum status st = io_error(err, path, "cannot read its facts");
        close(opened);
        return st;
    }
    if (!S_ISREG(facts->st_mode)) {
        close(opened);
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: not a regular file", path);
    }
    *fd = opened;
    return DOCKET_OK;
}

enum status file_read_all(struct buffer *out, const char *path, struct error *err)
{
    struct stat facts;
    int fd = -1;
    enum status st = file_open_regular(&fd, path, false, &facts, err);
    if (st != DOCKET_OK) return st;
    buffer_reserve(out, (size_t)facts.st_size < 64 * MIB ? (size_t)facts.st_size : 64 * MIB);
    while (!out->failed) {
        char piece[64 * 1024];
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n == 0) break;
        if (n < 0) {
            if (errno == EINTR) continue;
            st = io_error(err, path, "cannot read");
            break;
        }
        buffer_append(out, piece, (size_t)n);
    }
    close(fd);
    return st != DOCKET_OK ? st : buffer_check(out, path, err);
}

enum status file_read_at(int fd, void *to, size_t size_bytes, uint64_t offset, const char *name, struct error *err)
{
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t n = pread(fd, (char *)to + done, size_bytes - done, (off_t)(offset + done));
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail(err, DOCKET_IO, CODE_model_read_error, "%s: reading at offset %llu: %s", name,
                        (unsigned long long)(offset + done), strerrordesc_np(errno));
        }
        if (n == 0)
            return fail(err, DOCKET_CORRUPT, CODE_model_file_changed,
                        "%s: the file ends at offset %llu, %zu bytes early", name, (unsigned long long)(offset + done),
                        size_bytes - done);
        done += (size_t)n;
    }
    return DOCKET_OK;
}

enum status file_write_all(int fd, const void *bytes, size_t length, const char *name, struct error *err)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = write(fd, (const char *)bytes + done, length - done);
        if (n < 0) {
            if (errno == EINTR) continue;
            return io_error(err, name, "cannot write");
        }
        done += (size_t)n;
    }
    return DOCKET_OK;
}

enum status file_sync_folder(const char *folder, struct error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return io_error(err, folder, "cannot open the folder");
    enum status st = DOCKET_OK;
    if (fsync(fd) != 0 && errno != EINVAL) st = io_error(err, folder, "cannot sync the folder");
    close(fd);
    return st;
}

enum status file_publish(const char *path, const void *bytes, size_t length, struct error *err)
{
    static atomic_uint serial;
    enum status st;
    int fd = -1;
    char *folder = NULL, *temporary = NULL;
    const char *slash = strrchr(path, '/');
    folder = slash ? str_dup_n(path, slash == path ? 1 : (size_t)(slash - path)) : str_dup(".");
    temporary = str_format("%s.%ld.%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
    if (!folder || !temporary) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to write it", path);
        goto done;
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        st = io_error(err, path, "cannot create");
        goto done;
    }
    if ((st = file_write_all(fd, bytes, length, path, err)) != DOCKET_OK) goto remove;
    if (fsync(fd) != 0) {
        st = io_error(err, path, "cannot sync");
        goto remove;
    }
    if (close(fd) != 0) {
        fd = -1;
        st = io_error(err, path, "cannot close");
        goto remove;
    }
    fd = -1;
    if (rename(temporary, path) != 0) {
        st = io_error(err, path, "cannot rename");
        goto remove;
    }
    st = file_sync_folder(folder, err);
    goto done;
remove:
    unlink(temporary);
done:
    if (fd >= 0) close(fd);
    mem_free(temporary);
    mem_free(folder);
    return st;
}

enum status file_make_folder(const char *path, struct error *err)
{
    struct stat facts;
    char *copy = str_dup(path);
    if (!copy) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to make it", path);
    enum status st = DOCKET_OK;
    for (char *p = copy + 1; st == DOCKET_OK; p++) {
        if (*p != '/' && *p != '\0') continue;
        char was = *p;
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) st = io_error(err, copy, "cannot make the folder");
        *p = was;
        if (was == '\0') break;
    }
    mem_free(copy);
    if (st != DOCKET_OK) return st;
    if (lstat(path, &facts) != 0) return io_error(err, path, "cannot read its facts");
    if (!S_ISDIR(facts.st_mode))
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: not a folder, or a link to one", path);
    return DOCKET_OK;
}

char *path_join(const char *folder, const char *name)
{
    size_t n = strlen(folder);
    return str_format("%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name);
}

uint64_t file_free_bytes(const char *path)
{
    struct statvfs facts;
    return statvfs(path, &facts) == 0 ? (uint64_t)facts.f_bavail * facts.f_frsize : 0;
}

void sha256_hex(const void *bytes, size_t length, char out[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned n = 0;
    EVP_Digest(bytes, length, digest, &n, EVP_sha256(), NULL);
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}
