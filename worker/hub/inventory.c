/* inventory.c: walks the hub caches. Reads names, sizes, headers and, to verify, all bytes; changes nothing. */
#include "worker/hub/inventory.h"

#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/base/digest.h"
#include "worker/base/file.h"
#include "worker/hub/answers.h"
#include "worker/model/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_REF_BYTES 256
#define MAX_REF_DEPTH 4

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to look through the caches");
}

/* {0} is valid and freeable. */
struct names {
    char **items;
    size_t n;
};

static void names_free(struct names *names)
{
    hub_names_free(names->items, names->n);
    *names = (struct names){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is in the folder, sorted; nothing if it cannot be read. */
static enum status read_names(struct names *out, const char *path, const char *prefix, struct error *err)
{
    enum status st = DOCKET_OK;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && st == DOCKET_OK && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        char **longer = mem_resize(out->items, out->n + 1, sizeof(*longer));
        if (longer) out->items = longer;
        if (!longer || !(longer[out->n] = str_dup(entry->d_name)))
            st = no_memory(err);
        else
            out->n++;
    }
    if (folder) closedir(folder);
    if (out->n > 1) qsort(out->items, out->n, sizeof(*out->items), by_name);
    return st;
}

static void entry_free(struct inventory_entry *e)
{
    mem_free(e->cache);
    mem_free(e->repository);
    mem_free(e->commit);
    mem_free(e->revisions);
    mem_free(e->missing);
    *e = (struct inventory_entry){0};
}

void inventory_free(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n; i++) entry_free(&inventory->entries[i]);
    mem_free(inventory->entries);
    *inventory = (struct inventory){0};
}

/* The refs below folder/prefix that name the commit, "a, b/c". */
static enum status find_refs(struct buffer *out, const char *folder, const char *prefix, const char *commit, int depth,
                             struct error *err)
{
    struct names names = {0};
    char *path = path_join(folder, prefix);
    enum status st = path ? read_names(&names, path, "", err) : no_memory(err);
    for (size_t i = 0; st == DOCKET_OK && i < names.n; i++) {
        char *below = str_format("%s%s%s", prefix, prefix[0] ? "/" : "", names.items[i]);
        char *full = below ? path_join(folder, below) : NULL;
        struct stat facts;
        if (!full) {
            st = no_memory(err);
        } else if (lstat(full, &facts) == 0 && S_ISDIR(facts.st_mode)) {
            if (depth < MAX_REF_DEPTH) st = find_refs(out, folder, below, commit, depth + 1, err);
        } else {
            struct buffer text;
            buffer_init(&text, MAX_REF_BYTES);
            size_t n = strlen(commit);
            enum status read = file_read_all(&text, full, err);
            if (read == DOCKET_NO_MEMORY)
                st = read;
            else if (read == DOCKET_OK && text.length >= n && memcmp(text.data, commit, n) == 0 &&
                     strspn(text.data + n, " \t\r\n") == text.length - n)
                buffer_printf(out, "%s%s", out->length ? ", " : "", below);
            buffer_free(&text);
        }
        mem_free(below);
        mem_free(full);
    }
    names_free(&names);
    mem_free(path);
    return st;
}

/* Why docket could not open the snapshot; "" if nothing speaks against it. Headers are read, weights are not. */
static enum status find_missing(char **out, const struct model_location *location, struct error *err)
{
    struct tensor_files *files = NULL;
    struct error why = {0};
    enum status st = DOCKET_OK;
    if (!model_has_file(location, "config.json"))
        st = fail(&why, DOCKET_NOT_FOUND, CODE_NONE, "config.json: not there");
    else if (!model_has_file(location, "tokenizer.json") && !model_has_file(location, "tokenizer.model"))
        st = fail(&why, DOCKET_NOT_FOUND, CODE_NONE, "tokenizer.json: not there");
    else
        st = tensor_files_open(&files, location, &why);
    tensor_files_close(files);
    if (st == DOCKET_NO_MEMORY) {
        if (err) *err = why;
        return st;
    }
    /* The folder is told elsewhere. */
    size_t n = strlen(location->folder);
    const char *text = st == DOCKET_OK ? "" : why.message;
    if (strncmp(text, location->folder, n) == 0 && text[n] == '/') text += n + 1;
    *out = str_dup(text);
    return *out ? DOCKET_OK : no_memory(err);
}

static uint64_t unfinished_bytes(const char *repository)
{
    uint64_t bytes = 0;
    char *path = path_join(repository, "blobs");
    DIR *folder = path ? opendir(path) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat facts;
        size_t n = strlen(entry->d_name);
        if (n > 11 && strcmp(entry->d_name + n - 11, ".incomplete") == 0 &&
            fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)facts.st_blocks * 512;
    }
    if (folder) closedir(folder);
    mem_free(path);
    return bytes;
}

/* "models--org--name" → "org/name". */
static char *repository_name(const char *folder)
{
    const char *name = folder + strlen("models--"), *dashes = strstr(name, "--");
    return dashes ? str_format("%.*s/%s", (int)(dashes - name), name, dashes + 2) : str_dup(name);
}

static enum status add_snapshot(struct inventory *inv, const char *cache, const char *folder_name, const char *commit,
                                struct error *err)
{
    struct inventory_entry e = {
        .cache = str_dup(cache), .repository = repository_name(folder_name), .commit = str_dup(commit)};
    struct model_location location = {.boundary = str_format("%s/%s", cache, folder_name),
                                      .folder = str_format("%s/%s/snapshots/%s", cache, folder_name, commit)};
    struct names files = {0};
    struct buffer refs = {0};
    char *refs_folder = location.boundary ? path_join(location.boundary, "refs") : NULL;
    enum status st = DOCKET_OK;
    if (!e.cache || !e.repository || !e.commit || !location.folder || !refs_folder) st = no_memory(err);
    if (st == DOCKET_OK) st = read_names(&files, location.folder, "", err);
    for (size_t i = 0; st == DOCKET_OK && i < files.n; i++) {
        struct stat facts;
        char *path = path_join(location.folder, files.items[i]);
        if (!path) st = no_memory(err);
        if (path && stat(path, &facts) == 0 && S_ISREG(facts.st_mode)) {
            e.bytes += (uint64_t)facts.st_size;
            e.n_files++;
        }
        mem_free(path);
    }
    if (st == DOCKET_OK) st = find_refs(&refs, refs_folder, "", commit, 0, err);
    if (st == DOCKET_OK && refs.failed) st = no_memory(err);
    if (st == DOCKET_OK && !(e.revisions = buffer_take(&refs, NULL))) st = no_memory(err);
    if (st == DOCKET_OK) st = find_missing(&e.missing, &location, err);
    if (st == DOCKET_OK) {
        e.unfinished_bytes = unfinished_bytes(location.boundary);
        struct inventory_entry *longer = mem_resize(inv->entries, inv->n + 1, sizeof(*longer));
        if (longer) {
            inv->entries = longer;
            MOVE(longer[inv->n], e);
            inv->n++;
        } else {
            st = no_memory(err);
        }
    }
    entry_free(&e);
    model_location_free(&location);
    names_free(&files);
    buffer_free(&refs);
    mem_free(refs_folder);
    return st;
}

/* A repository in which a fetch was interrupted before anything was whole. */
static enum status add_empty(struct inventory *inv, const char *cache, const char *folder_name, struct error *err)
{
    char *path = str_format("%s/%s", cache, folder_name);
    struct inventory_entry e = {.cache = str_dup(cache),
                                .repository = repository_name(folder_name),
                                .commit = str_dup(""),
                                .revisions = str_dup(""),
                                .missing = str_dup("no snapshot")};
    struct inventory_entry *longer = mem_resize(inv->entries, inv->n + 1, sizeof(*longer));
    if (longer) inv->entries = longer;
    enum status st =
        longer && path && e.cache && e.repository && e.commit && e.revisions && e.missing ? DOCKET_OK : no_memory(err);
    if (st == DOCKET_OK) {
        e.unfinished_bytes = unfinished_bytes(path);
        MOVE(longer[inv->n], e);
        inv->n++;
    }
    entry_free(&e);
    mem_free(path);
    return st;
}

static enum status take_cache(void *context, const char *cache, struct error *err)
{
    struct inventory *inv = context;
    struct names repositories = {0};
    for (size_t i = 0; i < inv->n; i++)
        if (strcmp(inv->entries[i].cache, cache) == 0) return DOCKET_OK; /* two settings may name one folder */
    enum status st = read_names(&repositories, cache, "models--", err);
    for (size_t i = 0; st == DOCKET_OK && i < repositories.n; i++) {
        struct names commits = {0};
        char *path = str_format("%s/%s/snapshots", cache, repositories.items[i]);
        st = path ? read_names(&commits, path, "", err) : no_memory(err);
        for (size_t j = 0; st == DOCKET_OK && j < commits.n; j++)
            st = add_snapshot(inv, cache, repositories.items[i], commits.items[j], err);
        if (st == DOCKET_OK && commits.n == 0) st = add_empty(inv, cache, repositories.items[i], err);
        names_free(&commits);
        mem_free(path);
    }
    names_free(&repositories);
    return st;
}

enum status inventory_take(struct inventory *out, const struct hub_options *options, struct error *err)
{
    struct inventory local = {0};
    enum status st = hub_each_cache(options, take_cache, &local, err);
    if (st == DOCKET_OK) MOVE(*out, local);
    inventory_free(&local);
    return st;
}

/* The checksum that the file is known by: the name of the blob that its link leads to. */
static bool known_sum(char out[DIGEST_HEX_BYTES], const char *path)
{
    char target[512];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0) return false;
    target[n] = '\0';
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    if (!hub_is_hex(name, 40) && !hub_is_hex(name, 64)) return false;
    snprintf(out, DIGEST_HEX_BYTES, "%s", name);
    return true;
}

static enum status verify_one(const struct model_location *location, struct verify_file *file, struct error *err)
{
    char want[DIGEST_HEX_BYTES] = "", got[DIGEST_HEX_BYTES] = "";
    struct stat facts;
    int fd = -1;
    char *path = path_join(location->folder, file->name);
    if (!path) return no_memory(err);
    file->proven = known_sum(want, path);
    enum status st = model_open_file(&fd, location, file->name, err);
    if (st == DOCKET_OK && fstat(fd, &facts) == 0) file->bytes = (uint64_t)facts.st_size;
    if (st == DOCKET_OK && file->proven)
        st = digest_file(fd, strlen(want) == 64 ? DIGEST_SHA256 : DIGEST_GIT_BLOB, file->bytes, file->name, got, err);
    if (st == DOCKET_OK && file->proven && strcmp(want, got) != 0)
        st = fail(err, DOCKET_CORRUPT, CODE_model_checksum_wrong, "%s: its blob is named %s, its bytes have %s",
                  file->name, want, got);
    if (fd >= 0) close(fd);
    mem_free(path);
    return st;
}

enum status inventory_verify(const struct model_location *location,
                             void (*report)(void *context, const struct verify_file *file), void *context,
                             const atomic_bool *stop, struct error *err)
{
    struct names names = {0};
    struct tensor_files *files = NULL;
    struct error first = {0}, why = {0};
    enum status st = read_names(&names, location->folder, "", err), found = DOCKET_OK;
    for (size_t i = 0; st == DOCKET_OK && i < names.n; i++) {
        struct verify_file file = {.name = names.items[i]};
        if (stop && atomic_load(stop)) {
            st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
            break;
        }
        enum status one = verify_one(location, &file, &why);
        file.error = one == DOCKET_OK ? NULL : &why;
        if (one == DOCKET_NO_MEMORY) {
            st = one;
            if (err) *err = why;
            break;
        }
        report(context, &file);
        if (one != DOCKET_OK && found == DOCKET_OK) found = one, first = why;
    }
    if (st == DOCKET_OK &&
        (found = found != DOCKET_OK ? found : tensor_files_open(&files, location, &first)) != DOCKET_OK) {
        st = found;
        if (err) *err = first;
    }
    tensor_files_close(files);
    names_free(&names);
    return st;
}
