/* hub_cache.c: finds a model's snapshot on disk and opens its files, never beyond the folder that belongs to the model.
 * Knows the cache's layout (refs, snapshots, blobs); knows no file format. */
#include "worker/model/hub_cache.h"

#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMMIT_CHARACTERS 40
#define MAX_PART          255 /* bytes of a file name */
#define MAX_REVISION      255

static bool plain_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

/* One path part of [A-Za-z0-9._-] that does not begin with a dot. */
static bool plain_part(const char *text, size_t length)
{
    if (length == 0 || length > MAX_PART || text[0] == '.') return false;
    for (size_t i = 0; i < length; i++)
        if (!plain_character(text[i])) return false;
    return true;
}

static bool is_commit(const char *text, size_t length)
{
    if (length != COMMIT_CHARACTERS) return false;
    for (size_t i = 0; i < length; i++)
        if (!isxdigit((unsigned char)text[i])) return false;
    return true;
}

/* "name" or "org/name", as the hub allows them. */
static bool is_hub_name(const char *model)
{
    const char *slash = strchr(model, '/');
    if (strstr(model, "--") || strstr(model, "..")) return false;
    if (!slash) return plain_part(model, strlen(model));
    return plain_part(model, (size_t)(slash - model)) && plain_part(slash + 1, strlen(slash + 1));
}

/* A branch, tag or "refs/pr/1": plain parts with slashes between. */
static bool is_revision(const char *revision)
{
    if (strlen(revision) > MAX_REVISION) return false;
    for (const char *part = revision;;) {
        size_t n = strcspn(part, "/");
        if (!plain_part(part, n)) return false;
        if (part[n] == '\0') return true;
        part += n + 1;
    }
}

enum status hub_name_check(const char *repository, const char *revision, struct error *err)
{
    if (!is_hub_name(repository))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "model \"%.120s\": want a hub name, org/name", repository);
    if (revision && !is_revision(revision))
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                    "revision \"%.80s\": want a branch, a tag or a commit of 40 hexadecimal digits", revision);
    return DOCKET_OK;
}

static bool folder_exists(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to look for the model");
}

void model_location_free(struct model_location *location)
{
    mem_free(location->folder);
    mem_free(location->boundary);
    mem_free(location->name);
    mem_free(location->revision);
    *location = (struct model_location){0};
}

/* A folder of the user's. If it is a snapshot inside a hub cache, its links lead to the blobs two folders up. */
static enum status take_folder(struct model_location *out, const char *path, struct error *err)
{
    char *real = realpath(path, NULL);
    if (!real)
        return errno == ENOMEM ? no_memory(err)
                               : fail(err, DOCKET_IO, CODE_model_read_error, "%s: %s", path, strerrordesc_np(errno));
    char *parent = strrchr(real, '/'), *before = parent;
    while (before > real && before[-1] != '/') before--;
    bool snapshot = parent > real && before > real + 1 && strncmp(before, "snapshots/", 10) == 0;
    char *repository = before - 1;
    while (snapshot && repository > real && repository[-1] != '/') repository--;
    snapshot = snapshot && strncmp(repository, "models--", 8) == 0;
    out->folder = str_dup(real);
    out->boundary = snapshot ? str_dup_n(real, (size_t)(before - 1 - real)) : str_dup(real);
    if (snapshot && is_commit(parent + 1, strlen(parent + 1))) out->revision = str_dup(parent + 1);
    bool whole =
        out->folder && out->boundary && (out->revision || !snapshot || !is_commit(parent + 1, strlen(parent + 1)));
    free(real); /* made by the C library */
    return whole ? DOCKET_OK : no_memory(err);
}

/* The models--org--name folder in this cache, matched with case, then without; NULL in *out if there is none. */
static enum status find_repository(char **out, const char *cache, const char *model, struct error *err)
{
    struct buffer wanted = {0};
    enum status st = DOCKET_OK;
    char *best = NULL;
    *out = NULL;
    buffer_append_str(&wanted, "models--");
    for (const char *p = model; *p; p++) buffer_append(&wanted, *p == '/' ? "--" : p, *p == '/' ? 2 : 1);
    if (wanted.failed) {
        st = no_memory(err);
        goto done;
    }
    *out = path_join(cache, wanted.data);
    if (!*out) {
        st = no_memory(err);
        goto done;
    }
    if (folder_exists(*out)) goto done;
    mem_free(*out);
    *out = NULL;
    DIR *folder = opendir(cache);
    for (struct dirent *entry; folder && st == DOCKET_OK && (entry = readdir(folder));) {
        if (strcasecmp(entry->d_name, wanted.data) != 0 || (best && strcmp(entry->d_name, best) >= 0)) continue;
        mem_free(best);
        if (!(best = str_dup(entry->d_name))) st = no_memory(err);
    }
    if (folder) closedir(folder);
    if (best && st == DOCKET_OK && !(*out = path_join(cache, best))) st = no_memory(err);
    if (*out && !folder_exists(*out)) {
        mem_free(*out);
        *out = NULL;
    }
done:
    mem_free(best);
    buffer_free(&wanted);
    return st;
}

/* The commit in refs/<revision>; *commit is NULL when there is no such ref. */
static enum status read_ref(char **commit, const char *repository, const char *revision, struct error *err)
{
    char text[256];
    size_t length = 0;
    int fd = -1;
    char *path = str_format("%s/refs/%s", repository, revision);
    *commit = NULL;
    if (!path) return no_memory(err);
    struct error inner = {0};
    enum status st = file_open_regular(&fd, path, true, NULL, &inner);
    if (st == DOCKET_NOT_FOUND) {
        mem_free(path);
        return DOCKET_OK;
    }
    for (ssize_t n; st == DOCKET_OK && length < sizeof(text);) {
        n = read(fd, text + length, sizeof(text) - length);
        if (n == 0) break;
        if (n > 0)
            length += (size_t)n;
        else if (errno != EINTR)
            st = fail(&inner, DOCKET_IO, CODE_model_read_error, "%s: %s", path, strerrordesc_np(errno));
    }
    if (fd >= 0) close(fd);
    while (length > 0 && isspace((unsigned char)text[length - 1])) length--; /* as the platform's own examples do */
    if (st != DOCKET_OK) {
        if (err) *err = inner;
    } else if (!is_commit(text, length))
        st = fail(err, DOCKET_REFUSED, CODE_model_file_missing,
                  "%s: want a commit of 40 hexadecimal digits, got %zu bytes \"%.*s\"", path, length,
                  length > 60 ? 60 : (int)length, text);
    else if (!(*commit = str_dup_n(text, length)))
        st = no_memory(err);
    mem_free(path);
    return st;
}

/* Whether something of that name lies in the folder, be it a broken link. Takes no memory: an answer is always the truth. */
static bool folder_holds(const char *folder, const char *name)
{
    struct stat facts;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool there = fd >= 0 && fstatat(fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    if (fd >= 0) close(fd);
    return there;
}

/* Makes `repository`/snapshots/`name` the location; *found is false if it holds no model. */
static enum status take_snapshot(struct model_location *out, const char *repository, const char *name, bool *found,
                                 struct error *err)
{
    struct model_location local = {0};
    *found = false;
    local.folder = str_format("%s/snapshots/%s", repository, name);
    local.boundary = str_dup(repository);
    bool commit = is_commit(name, strlen(name));
    if (commit) local.revision = str_dup(name);
    if (!local.folder || !local.boundary || (commit && !local.revision)) {
        model_location_free(&local);
        return no_memory(err);
    }
    if (!folder_exists(local.folder) || !folder_holds(local.folder, "config.json")) {
        model_location_free(&local);
        return DOCKET_OK;
    }
    *found = true;
    *out = local;
    return DOCKET_OK;
}

/* The alphabetically first snapshot that holds a model. */
static enum status first_snapshot(struct model_location *out, const char *repository, bool *found, struct error *err)
{
    enum status st = DOCKET_OK;
    char *path = path_join(repository, "snapshots"), *last = NULL;
    *found = false;
    if (!path) return no_memory(err);
    while (st == DOCKET_OK && !*found) {
        char *next = NULL; /* the first name behind `last` */
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && st == DOCKET_OK && (entry = readdir(folder));) {
            const char *name = entry->d_name;
            if (!plain_part(name, strlen(name)) || (last && strcmp(name, last) <= 0)) continue;
            if (next && strcmp(name, next) >= 0) continue;
            mem_free(next);
            if (!(next = str_dup(name))) st = no_memory(err);
        }
        if (folder) closedir(folder);
        mem_free(last);
        last = next;
        if (!next) break;
        if (st == DOCKET_OK) st = take_snapshot(out, repository, next, found, err);
    }
    mem_free(last);
    mem_free(path);
    return st;
}

static enum status look_in_cache(struct model_location *out, const char *cache, const struct hub_options *options,
                                 bool *found, struct error *err)
{
    char *repository = NULL, *commit = NULL;
    const char *revision = options->revision ? options->revision : "main";
    bool any = strcmp(revision, "main") == 0; /* a cache without refs: what is there is meant */
    *found = false;
    enum status st = find_repository(&repository, cache, options->model, err);
    if (st != DOCKET_OK || !repository) goto done;
    if (is_commit(revision, strlen(revision))) {
        st = take_snapshot(out, repository, revision, found, err);
        goto done;
    }
    if ((st = read_ref(&commit, repository, revision, err)) != DOCKET_OK) goto done;
    if (commit) st = take_snapshot(out, repository, commit, found, err);
    if (st == DOCKET_OK && !*found && any) st = first_snapshot(out, repository, found, err);
done:
    mem_free(repository);
    mem_free(commit);
    return st;
}

static enum status check_options(const struct hub_options *options, struct error *err)
{
    if (!options->model || !options->model[0])
        return fail(err, DOCKET_BAD_CONFIG, CODE_model_file_missing, "no model is named");
    if (options->revision && !is_revision(options->revision))
        return fail(err, DOCKET_BAD_CONFIG, CODE_model_file_missing,
                    "revision \"%.80s\": want a branch, a tag or a commit of 40 hexadecimal digits", options->revision);
    return DOCKET_OK;
}

enum status hub_each_cache(const struct hub_options *options,
                           enum status (*each)(void *context, const char *cache, struct error *err), void *context,
                           struct error *err)
{
    const char *runpod = options->runpod_cache ? options->runpod_cache : "/runpod-volume/huggingface-cache/hub";
    const struct {
        const char *folder, *below;
    } caches[] = {
        {options->hub_cache, ""},
        {options->hf_home, "/hub"},
        {options->hf_home, ""},
        {runpod, ""},
        {options->home, "/.cache/huggingface/hub"},
    };
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(caches) && st == DOCKET_OK; i++) {
        if (!caches[i].folder || !caches[i].folder[0]) continue;
        char *cache = str_format("%s%s", caches[i].folder, caches[i].below);
        if (!cache) return no_memory(err);
        st = each(context, cache, err);
        mem_free(cache);
    }
    return st;
}

struct search {
    struct model_location *out;
    const struct hub_options *options;
    struct buffer *looked;
    bool *found;
};

static enum status search_cache(void *context, const char *cache, struct error *err)
{
    struct search *s = context;
    if (*s->found) return DOCKET_OK;
    buffer_printf(s->looked, "%s%s", s->looked->length ? ", " : "", cache);
    return look_in_cache(s->out, cache, s->options, s->found, err);
}

static enum status look_in_caches(struct model_location *out, const struct hub_options *options, struct buffer *looked,
                                  bool *found, struct error *err)
{
    struct search search = {out, options, looked, found};
    return hub_each_cache(options, search_cache, &search, err);
}

enum status hub_locate(struct model_location *out, const struct hub_options *options, struct error *err)
{
    struct model_location local = {0};
    struct buffer looked = {0};
    bool found = false, hub_name;
    enum status st = check_options(options, err);
    if (st != DOCKET_OK) return st;
    hub_name = is_hub_name(options->model);
    if (folder_exists(options->model)) {
        found = folder_holds(options->model, "config.json");
        if (found)
            st = take_folder(&local, options->model, err);
        else
            buffer_printf(&looked, "folder %s (no config.json in it)", options->model);
    }
    if (st == DOCKET_OK && !found && hub_name) st = look_in_caches(&local, options, &looked, &found, err);
    if (st != DOCKET_OK) goto done;
    if (!found) {
        if (looked.failed)
            st = no_memory(err);
        else if (!hub_name && looked.length == 0)
            st = fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "model %s: no such folder, and not an org/name",
                      options->model);
        else
            st =
                fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing,
                     "model %s%s%s is not on this machine; looked in %s", options->model,
                     options->revision ? " at revision " : "", options->revision ? options->revision : "", looked.data);
        goto done;
    }
    if (!(local.name = str_dup(options->model))) {
        st = no_memory(err);
        goto done;
    }
    MOVE(*out, local);
done:
    model_location_free(&local);
    buffer_free(&looked);
    return st;
}

/* Where the folder lies below the boundary: "" or "snapshots/<commit>/". */
static const char *below_boundary(const struct model_location *location)
{
    size_t n = strlen(location->boundary);
    while (n > 1 && location->boundary[n - 1] == '/') n--;
    if (strncmp(location->folder, location->boundary, n) != 0) return NULL;
    const char *rest = location->folder + n;
    if (*rest && *rest != '/' && n > 1) return NULL;
    while (*rest == '/') rest++;
    return rest;
}

/* Without openat2, or behind an absolute link: the links are followed on paper, the result must lie below the boundary, and
 * is then walked part by part without following any link, so that nothing can be slipped in between. */
static int open_resolved(int boundary, const struct model_location *location, const char *path)
{
    char *full = realpath(path, NULL), *top = NULL;
    int at = -1, failure = errno;
    if (!full) goto done;
    top = realpath(location->boundary, NULL);
    failure = errno;
    if (!top) goto done;
    size_t n = strlen(top);
    if (strcmp(top, "/") == 0) n = 0;
    failure = EXDEV;
    if (strncmp(full, top, n) != 0 || full[n] != '/') goto done;
    at = dup(boundary);
    failure = errno;
    for (char *part = full + n + 1, *next; at >= 0 && part; part = next) {
        next = strchr(part, '/');
        if (next) *next++ = '\0';
        int into =
            openat(at, part, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | (next ? O_DIRECTORY : 0));
        failure = errno;
        close(at);
        at = into;
    }
done:
    free(full); /* made by the C library */
    free(top);
    errno = failure;
    return at;
}

static int open_beneath(const struct model_location *location, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *relative = below_boundary(location);
    int boundary = open(location->boundary, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, failure = errno;
    if (boundary < 0) return -1;
    if (relative) relative = path + (relative - location->folder);
    while (relative && *relative == '/') relative++;
    for (int tries = 0; relative && tries < 8; tries++) { /* EAGAIN: something was renamed meanwhile */
        fd = (int)syscall(SYS_openat2, boundary, relative, &how, sizeof(how));
        failure = errno;
        if (fd >= 0 || failure != EAGAIN) break;
    }
    if (fd < 0 && (!relative || failure == EXDEV || failure == ENOSYS || failure == EPERM || failure == EAGAIN)) {
        fd = open_resolved(boundary, location, path);
        failure = errno;
    }
    close(boundary);
    errno = failure;
    return fd;
}

static enum status refuse_open(const char *path, const struct model_location *location, int failure, struct error *err)
{
    struct stat facts;
    switch (failure) {
    case ENOENT:
    case ENOTDIR:
        if (lstat(path, &facts) == 0)
            return fail(err, DOCKET_REFUSED, CODE_model_file_missing, "%s: a link to a file that is not there", path);
        return fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "%s: not there", path);
    case EXDEV:
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: a link that leads out of %s", path, location->boundary);
    case ELOOP:
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: links that lead in a circle", path);
    case ENXIO:
    case ENODEV:
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: not a regular file", path);
    case EACCES:
    case EPERM:
        return fail(err, DOCKET_REFUSED, CODE_NONE, "%s: %s", path, strerrordesc_np(failure));
    case ENOMEM:
        return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to open it", path);
    default:
        return fail(err, DOCKET_IO, CODE_model_read_error, "%s: cannot open: %s", path, strerrordesc_np(failure));
    }
}

enum status model_open_file(int *fd, const struct model_location *location, const char *name, struct error *err)
{
    struct stat facts;
    if (!plain_part(name, strlen(name)))
        return fail(err, DOCKET_REFUSED, CODE_NONE, "file name \"%.80s\": want one path part of letters, digits, . _ -",
                    name);
    char *path = path_join(location->folder, name);
    if (!path) return no_memory(err);
    enum status st = DOCKET_OK;
    int opened = open_beneath(location, path);
    if (opened < 0)
        st = refuse_open(path, location, errno, err);
    else if (fstat(opened, &facts) != 0)
        st = fail(err, DOCKET_IO, CODE_model_read_error, "%s: cannot read its facts: %s", path, strerrordesc_np(errno));
    else if (!S_ISREG(facts.st_mode))
        st = fail(err, DOCKET_REFUSED, CODE_NONE, "%s: not a regular file", path);
    if (st == DOCKET_OK)
        *fd = opened;
    else if (opened >= 0)
        close(opened);
    mem_free(path);
    return st;
}

enum status model_read_file(char **out, size_t *length, const struct model_location *location, const char *name,
                            size_t ceiling_bytes, struct error *err)
{
    struct stat facts;
    struct buffer text;
    int fd = -1;
    enum status st = model_open_file(&fd, location, name, err);
    if (st != DOCKET_OK) return st;
    buffer_init(&text, ceiling_bytes);
    if (fstat(fd, &facts) == 0 && facts.st_size >= 0) buffer_reserve(&text, (size_t)facts.st_size);
    for (;;) {
        char piece[16 * 1024];
        ssize_t n = text.failed ? 0 : read(fd, piece, sizeof(piece));
        if (n == 0) break;
        if (n > 0)
            buffer_append(&text, piece, (size_t)n);
        else if (errno != EINTR) {
            st = fail(err, DOCKET_IO, CODE_model_read_error, "%s: reading at offset %zu: %s", name, text.length,
                      strerrordesc_np(errno));
            break;
        }
    }
    close(fd);
    if (st == DOCKET_OK) st = buffer_check(&text, name, err);
    if (st == DOCKET_OK) {
        *out = buffer_take(&text, length);
        if (!*out) st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to read it", name);
    }
    buffer_free(&text);
    return st;
}

bool model_has_file(const struct model_location *location, const char *name)
{
    return plain_part(name, strlen(name)) && folder_holds(location->folder, name);
}
