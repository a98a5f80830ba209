/* breadcrumb.c: crumbs are files <job>-<input>-<begun>-<process>; the name alone counts, the text inside names suspects. */
#include "worker/queue/breadcrumb.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/queue/backoff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SILENT_INTERVALS 2.5 /* the queue gives a job to another worker after about three missed beats */
#define DEAD_INTERVALS   5.0
#define DEAD_SUFFIX      ".dead"
#define KEY_BYTES        ((size_t)66) /* "<32 hex>-<32 hex>-" */

struct breadcrumb {
    char *path, *id;
    char name[128];
    int fd;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char process_mark[20]; /* tells this process's crumbs from those of earlier ones with the same worker id */

static void make_mark(void)
{
    snprintf(process_mark, sizeof(process_mark), "%016" PRIx64, backoff_chance());
}

static void key_prefix(const struct spool_key *key, char out[KEY_BYTES + 1])
{
    snprintf(out, KEY_BYTES + 1, "%s-%s-", key->id, key->input);
}

struct search {
    char prefix[KEY_BYTES + 1];
    unsigned count;
    char youngest[128];
    struct buffer *last;
    const struct breadcrumb *mine;
    bool other_runs;
    const char *own_folder;
};

static void read_last(struct search *x, const char *folder, const char *name)
{
    struct buffer text = {.ceiling = 16 * KIB};
    char *path = path_join(folder, name);
    if (path && file_read_all(&text, path, NULL) == DOCKET_OK && text.length > 0) {
        const char *line = memchr(text.data, '\n', text.length); /* the first line is the id */
        size_t skip = line ? (size_t)(line + 1 - text.data) : 0;
        size_t length = text.length - skip;
        while (length && text.data[skip + length - 1] == '\n') length--;
        buffer_clear(x->last);
        buffer_append(x->last, text.data + skip, length);
    }
    mem_free(path);
    buffer_free(&text);
}

/* Calls `each` for every crumb of the job in a folder. */
static void each_crumb(struct search *x, const char *folder,
                       void (*each)(struct search *x, const char *folder, const char *name))
{
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, x->prefix, KEY_BYTES) == 0) each(x, folder, e->d_name);
    closedir(dir);
}

static void count_one(struct search *x, const char *folder, const char *name)
{
    x->count++;
    if (strcmp(name, x->youngest) > 0) { /* the time stands first in the part that differs */
        snprintf(x->youngest, sizeof(x->youngest), "%s", name);
        if (x->last) read_last(x, folder, name);
    }
}

static void count_not_ours(struct search *x, const char *folder, const char *name)
{
    if (!strstr(name, process_mark)) count_one(x, folder, name);
}

static bool marked_dead(const char *name)
{
    size_t n = strlen(name), suffix = sizeof(DEAD_SUFFIX) - 1;
    return n > suffix && strcmp(name + n - suffix, DEAD_SUFFIX) == 0;
}

static void count_marked(struct search *x, const char *folder, const char *name)
{
    if (marked_dead(name)) count_one(x, folder, name);
}

static bool count_dead(void *context, const char *path, bool alive)
{
    each_crumb(context, path, alive ? count_marked : count_one);
    return true;
}

void breadcrumb_mark_dead(struct spool *spool)
{
    const char *folder = spool_folder(spool, "jobs");
    DIR *dir = opendir(folder);
    pthread_once(&once, make_mark);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.' || marked_dead(e->d_name) || strstr(e->d_name, process_mark)) continue;
        char *from = path_join(folder, e->d_name), *to = str_format("%s/%s" DEAD_SUFFIX, folder, e->d_name);
        if (from && to) (void)!rename(from, to);
        mem_free(from);
        mem_free(to);
    }
    closedir(dir);
}

unsigned breadcrumb_count(struct spool *spool, const struct spool_key *key, struct buffer *last)
{
    struct search x = {.last = last};
    pthread_once(&once, make_mark);
    key_prefix(key, x.prefix);
    each_crumb(&x, spool_folder(spool, "jobs"), count_not_ours);
    spool_each_other(spool, "jobs", SILENT_INTERVALS, count_dead, &x);
    return x.count;
}

static void compare_one(struct search *x, const char *folder, const char *name)
{
    (void)folder;
    if (!marked_dead(name) && strcmp(name, x->mine->name) < 0) x->other_runs = true;
}

static bool compare_living(void *context, const char *path, bool alive)
{
    if (alive) each_crumb(context, path, compare_one);
    return true;
}

bool breadcrumb_other_runs(struct spool *spool, const struct spool_key *key, const struct breadcrumb *mine)
{
    struct search x = {.mine = mine};
    if (!mine) return false;
    key_prefix(key, x.prefix);
    spool_each_other(spool, "jobs", SILENT_INTERVALS, compare_living, &x);
    return x.other_runs;
}

struct breadcrumb *breadcrumb_leave(struct spool *spool, const struct spool_key *key, const char *id, struct error *err)
{
    struct breadcrumb *crumb = mem_zalloc(1, sizeof(*crumb));
    char prefix[KEY_BYTES + 1];
    pthread_once(&once, make_mark);
    if (!crumb) goto no_memory;
    crumb->fd = -1;
    key_prefix(key, prefix);
    snprintf(crumb->name, sizeof(crumb->name), "%s%020" PRIu64 "-%s", prefix, clock_wall_ns(), process_mark);
    crumb->path = path_join(spool_folder(spool, "jobs"), crumb->name);
    crumb->id = str_dup(id);
    if (!crumb->path || !crumb->id) goto no_memory;
    crumb->fd = open(crumb->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (crumb->fd < 0) {
        fail(err, DOCKET_IO, CODE_NONE, "%s: cannot create: %s", crumb->path, strerrordesc_np(errno));
        breadcrumb_clear(crumb);
        return NULL;
    }
    breadcrumb_phase(crumb, "taken", "");
    return crumb;
no_memory:
    breadcrumb_clear(crumb);
    fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a breadcrumb");
    return NULL;
}

void breadcrumb_phase(struct breadcrumb *crumb, const char *phase, const char *items)
{
    if (!crumb) return;
    struct buffer text = {0};
    size_t n = strlen(items);
    if (n > BREADCRUMB_ITEMS_BYTES) {
        n = BREADCRUMB_ITEMS_BYTES;
        while (n && ((unsigned char)items[n] & 0xc0) == 0x80) n--; /* not in the middle of a character */
    }
    buffer_printf(&text, "%s\n%s%s%.*s\n", crumb->id, phase, n ? ": " : "", (int)n, items);
    /* In place: a torn text names the wrong suspects at worst, the file's being there is what counts. */
    if (!text.failed && pwrite(crumb->fd, text.data, text.length, 0) == (ssize_t)text.length)
        (void)!ftruncate(crumb->fd, (off_t)text.length);
    buffer_free(&text);
}

void breadcrumb_clear(struct breadcrumb *crumb)
{
    if (!crumb) return;
    if (crumb->fd >= 0) {
        unlink(crumb->path);
        close(crumb->fd);
    }
    mem_free(crumb->path);
    mem_free(crumb->id);
    mem_free(crumb);
}

static void remove_not_ours(struct search *x, const char *folder, const char *name)
{
    (void)x;
    if (strstr(name, process_mark)) return;
    char *path = path_join(folder, name);
    if (path) unlink(path);
    mem_free(path);
}

static void remove_dead(struct search *x, const char *folder, const char *name)
{
    char *from = path_join(folder, name), *to = path_join(x->own_folder, name);
    if (from && to && rename(from, to) == 0) unlink(to); /* the rename claims it: only then is it ours to remove */
    mem_free(from);
    mem_free(to);
}

static bool visit_dead(void *context, const char *path, bool alive)
{
    if (!alive) each_crumb(context, path, remove_dead);
    return true;
}

void breadcrumb_forget(struct spool *spool, const struct spool_key *key)
{
    struct search x = {.own_folder = spool_folder(spool, "jobs")};
    pthread_once(&once, make_mark);
    key_prefix(key, x.prefix);
    each_crumb(&x, x.own_folder, remove_not_ours);
    spool_each_other(spool, "jobs", DEAD_INTERVALS, visit_dead, &x);
}
