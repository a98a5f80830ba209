/* file_list.c: walks folders for the command line. Opens no file. */
#include "handlers/tools/file_list.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/json.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH 64

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of files");
}

/* Names on disk are bytes; in a job they must be UTF-8, and be shown. What is neither is spelled out, so that names stay apart; nobody finds the
 * file by that: its bytes go into the job then. */
static char *clean_name(const char *name)
{
    struct buffer out = {0};
    for (size_t left = strlen(name), n; left; name += n, left -= n) {
        uint32_t c;
        n = utf8_next(name, left, &c);
        if (n && c >= 0x20 && c != 0x7f)
            buffer_append(&out, name, n);
        else
            buffer_printf(&out, "%%%02X", (unsigned char)*name);
        if (!n) n = 1;
    }
    return buffer_take(&out, NULL);
}

static enum status add_item(struct file_list *list, const char *shown, const char *path, struct error *err)
{
    if (list->n == list->capacity) {
        size_t wanted = list->capacity ? 2 * list->capacity : 64;
        struct file_item *items = mem_resize(list->items, wanted, sizeof(*items));
        if (!items) return no_memory(err);
        list->items = items;
        list->capacity = wanted;
    }
    struct file_item item = {.shown = clean_name(shown), .path = clean_name(path), .raw = str_dup(path)};
    if (!item.shown || !item.path || !item.raw) {
        mem_free(item.shown);
        mem_free(item.path);
        mem_free(item.raw);
        return no_memory(err);
    }
    list->items[list->n++] = item;
    return DOCKET_OK;
}

static enum status unreadable(struct file_list *list, const char *shown, int failure)
{
    fprintf(stderr, "docket: %s: %s\n", shown, strerrordesc_np(failure));
    list->n_unreadable++;
    return DOCKET_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status read_names(char ***out, size_t *n, const char *folder, struct error *err)
{
    struct dirent *entry;
    size_t capacity = 0;
    DIR *dir = opendir(folder);
    *out = NULL;
    *n = 0;
    if (!dir) return fail(err, DOCKET_IO, CODE_NONE, "%s", folder);
    enum status st = DOCKET_OK;
    while (st == DOCKET_OK && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.') continue;
        if (*n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            char **more = mem_resize(*out, capacity, sizeof(*more));
            if (!more) {
                st = no_memory(err);
                break;
            }
            *out = more;
        }
        (*out)[*n] = str_dup(entry->d_name);
        if ((*out)[*n])
            ++*n;
        else
            st = no_memory(err);
    }
    closedir(dir);
    if (*n) qsort(*out, *n, sizeof(**out), by_name);
    return st;
}

static enum status walk(struct file_list *list, const char *shown, const char *path, unsigned depth, struct error *err)
{
    struct stat facts;
    char **names;
    size_t n;
    if (depth > MAX_DEPTH) return unreadable(list, shown, ELOOP);
    enum status st = read_names(&names, &n, path, err);
    if (st == DOCKET_IO) st = unreadable(list, shown, errno);
    for (size_t i = 0; i < n; i++) {
        char *inner = st == DOCKET_OK ? path_join(path, names[i]) : NULL;
        char *inner_shown = st == DOCKET_OK ? path_join(shown, names[i]) : NULL;
        if (st == DOCKET_OK && (!inner || !inner_shown)) st = no_memory(err);
        if (st == DOCKET_OK && lstat(inner, &facts) == 0) {
            if (S_ISDIR(facts.st_mode))
                st = walk(list, inner_shown, inner, depth + 1, err);
            else if (S_ISREG(facts.st_mode))
                st = add_item(list, inner_shown, inner, err);
        }
        mem_free(inner);
        mem_free(inner_shown);
        mem_free(names[i]);
    }
    mem_free(names);
    return st;
}

static int by_path(const void *a, const void *b)
{
    const struct file_item *x = *(struct file_item *const *)a, *y = *(struct file_item *const *)b;
    int order = strcmp(x->raw, y->raw);
    return order ? order : (x > y) - (x < y);
}

/* Of equal paths only the first is kept. */
static enum status drop_repeats(struct file_list *list, struct error *err)
{
    struct file_item **sorted = mem_zalloc(list->n + 1, sizeof(struct file_item *));
    size_t n = 0, kept = 0;
    if (!sorted) return no_memory(err);
    for (; n < list->n; n++) sorted[n] = &list->items[n];
    qsort(sorted, n, sizeof(struct file_item *), by_path);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(sorted[i]->raw, sorted[first]->raw) != 0) {
            first = i;
            continue;
        }
        mem_free(sorted[i]->shown); /* an item without a name is removed below */
        sorted[i]->shown = NULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].shown)
            list->items[kept++] = list->items[i];
        else {
            mem_free(list->items[i].path);
            mem_free(list->items[i].raw);
        }
    }
    list->n = kept;
    mem_free(sorted);
    return DOCKET_OK;
}

static enum status add_name(struct file_list *list, const char *name, struct error *err)
{
    struct stat facts;
    char path[PATH_MAX] = "";
    if (strcmp(name, "-") == 0) return add_item(list, name, name, err);
    /* What cannot be resolved stays in the list, with the part that is not there as its path: reading it then says why. */
    if (!realpath(name, path)) {
        if (errno == ENOENT && path[0] == '/') return add_item(list, name, path, err);
        char *whole = name[0] == '/'               ? str_dup(name)
                      : getcwd(path, sizeof(path)) ? path_join(path, name)
                                                   : str_dup("/");
        enum status st = whole ? add_item(list, name, whole, err) : no_memory(err);
        mem_free(whole);
        return st;
    }
    if (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode)) return add_item(list, name, path, err);
    size_t length = strlen(name);
    char *shown = str_dup_n(name, length > 1 && name[length - 1] == '/' ? length - 1 : length);
    enum status st = shown ? walk(list, shown, path, 0, err) : no_memory(err);
    mem_free(shown);
    return st;
}

enum status file_list_make(struct file_list *list, const char *const *names, size_t n, struct error *err)
{
    struct file_list out = {0};
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < n && st == DOCKET_OK; i++) st = add_name(&out, names[i], err);
    if (st == DOCKET_OK) st = drop_repeats(&out, err);
    if (st == DOCKET_OK) MOVE(*list, out);
    file_list_free(&out);
    return st;
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        mem_free(list->items[i].shown);
        mem_free(list->items[i].path);
        mem_free(list->items[i].raw);
    }
    mem_free(list->items);
    *list = (struct file_list){0};
}
