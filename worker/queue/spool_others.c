/* spool_others.c: the folders of other workers on the same root: who of them is dead, and what they left. Nothing of theirs is changed
 * but by a rename into our own folder, which only one of several heirs can win. */
#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/queue/spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEAD_INTERVALS 5.0

static double file_seconds(const char *path, bool *there)
{
    struct stat facts;
    *there = stat(path, &facts) == 0;
    return *there ? (double)facts.st_mtim.tv_sec + (double)facts.st_mtim.tv_nsec / 1e9 : 0;
}

/* Seconds since the other worker gave a sign of life, by the file system's clock; a little below 0 when it touched its file after we
 * touched ours. false: no worker's folder. */
static bool silent_seconds(struct spool *s, const char *other, double *seconds)
{
    bool there = false;
    char *owner = path_join(other, "owner");
    double now = file_seconds(s->owner, &there), then = 0;
    if (owner && there) {
        then = file_seconds(owner, &there);
        if (!there) then = file_seconds(other, &there);
    }
    mem_free(owner);
    *seconds = now - then;
    return there;
}

/* Opens the root and calls back with the path of each other worker's folder. */
static void each_folder(struct spool *s, bool (*visit)(struct spool *s, const char *path, double silent, void *context),
                        void *context)
{
    DIR *dir = opendir(s->root);
    if (!dir) return;
    bool more = true;
    for (struct dirent *e; more && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, s->own_name) == 0) continue;
        if (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) continue;
        char *path = path_join(s->root, e->d_name);
        double silent = 0;
        if (path && silent_seconds(s, path, &silent)) more = visit(s, path, silent, context);
        mem_free(path);
    }
    closedir(dir);
}

struct each_other {
    const char *folder;
    double intervals;
    bool (*visit)(void *context, const char *path, bool alive);
    void *context;
};

static bool visit_other(struct spool *s, const char *path, double silent, void *context)
{
    struct each_other *x = context;
    char *folder = path_join(path, x->folder);
    bool more = !folder || x->visit(x->context, folder, silent <= x->intervals * s->interval_seconds);
    mem_free(folder);
    return more;
}

void spool_each_other(struct spool *s, const char *folder, double intervals,
                      bool (*visit)(void *context, const char *path, bool alive), void *context)
{
    struct each_other x = {folder, intervals, visit, context};
    each_folder(s, visit_other, &x);
}

static void clear_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

/* A folder silent for longer than any job lives: everything in it but refused and damaged results is of no use to anyone. */
static void clear_worker(const char *path)
{
    static const char *const useless[] = {"accepted", "jobs", "partial"};
    static const char *const keep_unless_empty[] = {"results", "rejected", "expired", "aside", "undelivered"};
    for (size_t i = 0; i < ARRAY_LENGTH(useless); i++) {
        char *folder = path_join(path, useless[i]);
        if (folder) clear_folder(folder);
        mem_free(folder);
    }
    bool empty = true;
    for (size_t i = 0; i < ARRAY_LENGTH(keep_unless_empty); i++) {
        char *folder = path_join(path, keep_unless_empty[i]);
        if (!folder || (rmdir(folder) != 0 && errno != ENOENT)) empty = false;
        mem_free(folder);
    }
    if (empty) {
        char *owner = path_join(path, "owner");
        if (owner) unlink(owner);
        mem_free(owner);
        rmdir(path);
    }
}

static bool adopt_from(struct spool *s, const char *path, double silent, void *context)
{
    size_t *n_adopted = context;
    if (silent <= DEAD_INTERVALS * s->interval_seconds) return true;
    char *results = path_join(path, "results");
    DIR *dir = results ? opendir(results) : NULL;
    if (dir) {
        for (struct dirent *e; (e = readdir(dir));) {
            if (e->d_name[0] == '.') continue;
            if (!spool_move(results, e->d_name, s->folders[SPOOL_RESULTS], e->d_name))
                continue; /* another heir was faster */
            pthread_mutex_lock(&s->lock);
            size_t before = s->n_found;
            spool_consider(s, e->d_name);
            if (s->n_found > before) {
                s->facts.n_adopted++;
                (*n_adopted)++;
            }
            pthread_mutex_unlock(&s->lock);
        }
        closedir(dir);
    }
    mem_free(results);
    if (silent > s->ttl_seconds) clear_worker(path);
    return true;
}

size_t spool_adopt(struct spool *s)
{
    size_t n = 0;
    spool_touch(s);
    each_folder(s, adopt_from, &n);
    if (n) file_sync_folder(s->folders[SPOOL_RESULTS], NULL);
    return n;
}

struct search {
    char name[72];
    struct buffer *bytes;
    bool found;
};

static bool read_answer(struct search *x, const char *folder)
{
    char *path = path_join(folder, x->name);
    buffer_clear(x->bytes);
    x->bytes->ceiling = SPOOL_RECORD_LIMIT;
    x->found = path && file_read_all(x->bytes, path, NULL) == DOCKET_OK;
    mem_free(path);
    return x->found;
}

static bool look_in(void *context, const char *path, bool alive)
{
    (void)alive;
    return !read_answer(context, path);
}

enum status spool_find_accepted(struct spool *s, const struct spool_key *key, struct buffer *bytes,
                                struct spool_text *text, struct error *err)
{
    struct search x = {.bytes = bytes};
    snprintf(x.name, sizeof(x.name), "%s-%s", key->id, key->input);
    if (!read_answer(&x, s->folders[SPOOL_ACCEPTED])) spool_each_other(s, "accepted", DEAD_INTERVALS, look_in, &x);
    if (!x.found) return fail(err, DOCKET_NOT_FOUND, CODE_NONE, "no stored answer");
    return spool_record_read(text, bytes, x.name, err);
}

struct holder {
    char middle[72];
    bool found;
};

static bool holds(void *context, const char *path, bool alive)
{
    struct holder *x = context;
    DIR *dir = alive ? opendir(path) : NULL;
    if (!dir) return true;
    for (struct dirent *e; !x->found && (e = readdir(dir));) x->found = strstr(e->d_name, x->middle) != NULL;
    closedir(dir);
    return !x->found;
}

bool spool_other_holds(struct spool *s, const struct spool_key *key)
{
    struct holder x = {0};
    snprintf(x.middle, sizeof(x.middle), "-%s-%s-", key->id, key->input);
    spool_each_other(s, "results", DEAD_INTERVALS, holds, &x);
    return x.found;
}
