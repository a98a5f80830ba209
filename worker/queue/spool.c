/* spool.c: results that the queue has not accepted, kept on disk until it does. Knows bytes, names and folders; knows neither JSON
 * nor HTTP. */
#include "worker/queue/spool.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/queue/spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folder_names[N_SPOOL_FOLDERS] = {"results", "accepted", "rejected", "expired",
                                                          "aside",   "jobs",     "partial",  "undelivered"};

void spool_folder_name(struct buffer *out, const char *worker_id)
{
    char hex[SHA256_HEX_BYTES];
    size_t start = out->length;
    bool dots = strspn(worker_id, ".") == strlen(worker_id);
    for (const unsigned char *p = (const unsigned char *)worker_id; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '-' ||
                     *p == '_' || (*p == '.' && !dots);
        if (plain)
            buffer_append_char(out, (char)*p);
        else
            buffer_printf(out, "%%%02X", *p);
    }
    if (out->length - start <= 200 && out->length > start) return;
    sha256_hex(worker_id, strlen(worker_id), hex);
    out->length = start;
    buffer_append_str(out, hex);
}

char *spool_choose_root(const char *wanted, const char *volume, const char *temporary, bool *ephemeral)
{
    *ephemeral = false;
    if (wanted && wanted[0]) return str_dup(wanted);
    if (volume && access(volume, W_OK | X_OK) == 0) return path_join(volume, "docket/spool");
    *ephemeral = true;
    return path_join(temporary && temporary[0] ? temporary : "/tmp", "docket-spool");
}

const char *spool_folder(const struct spool *s, const char *name)
{
    for (unsigned i = 0; i < N_SPOOL_FOLDERS; i++)
        if (strcmp(folder_names[i], name) == 0) return s->folders[i];
    return NULL;
}

const char *spool_root(const struct spool *s)
{
    return s->root;
}

const char *spool_own_name(const struct spool *s)
{
    return s->own_name;
}

void spool_touch(struct spool *s)
{
    int fd = open(s->owner, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    futimens(fd, NULL); /* the file system's own now, so that clocks of machines need not agree */
    close(fd);
}

/* Moves a file between folders of ours; the name may change. false: it is gone, or could not be moved. */
bool spool_move(const char *from_folder, const char *from, const char *to_folder, const char *to)
{
    char *a = path_join(from_folder, from), *b = path_join(to_folder, to);
    bool moved = a && b && rename(a, b) == 0;
    mem_free(a);
    mem_free(b);
    return moved;
}

static int by_age(const void *a, const void *b)
{
    const struct spool_entry *x = a, *y = b;
    return x->created_ns != y->created_ns ? (x->created_ns < y->created_ns ? -1 : 1) : strcmp(x->name, y->name);
}

/* Remembers a record for spool_take_found. Lock held. */
static bool add_found(struct spool *s, const struct spool_entry *entry)
{
    if (s->n_found == s->found_capacity) {
        size_t capacity = s->found_capacity ? s->found_capacity * 2 : 256;
        struct spool_entry *longer = mem_resize(s->found, capacity, sizeof(*longer));
        if (!longer) return false;
        s->found = longer;
        s->found_capacity = capacity;
    }
    s->found[s->n_found++] = *entry;
    s->facts.n_waiting++;
    s->facts.bytes_waiting += entry->body_bytes;
    return true;
}

/* A temporary file that a kill left before its rename: a whole record is as good as a renamed one. */
static bool rescue(struct spool *s, const char *name, struct spool_entry *entry)
{
    char final[SPOOL_NAME_BYTES];
    const char *dot = strchr(name, '.'),
               *end = dot ? strchr(dot + 1, '.') : NULL; /* <age>-<keys>-<bytes>.<kind>.<pid>… */
    if (!end || (size_t)(end - name) >= sizeof(final)) return false;
    memcpy(final, name, (size_t)(end - name));
    final[end - name] = '\0';
    if (!spool_entry_parse(entry, final)) return false;
    struct buffer bytes = {0};
    struct spool_text text;
    buffer_init(&bytes, SPOOL_RECORD_LIMIT);
    char *path = path_join(s->folders[SPOOL_RESULTS], name);
    bool whole = path && file_read_all(&bytes, path, NULL) == DOCKET_OK &&
                 spool_record_read(&text, &bytes, name, NULL) == DOCKET_OK &&
                 spool_move(s->folders[SPOOL_RESULTS], name, s->folders[SPOOL_RESULTS], final);
    mem_free(path);
    buffer_free(&bytes);
    if (whole) {
        file_sync_folder(s->folders[SPOOL_RESULTS], NULL);
        s->facts.n_rescued++;
    }
    return whole;
}

/* Takes stock of one name in results/. Lock held. */
void spool_consider(struct spool *s, const char *name)
{
    struct spool_entry entry;
    size_t length = strlen(name);
    bool temporary = length > 4 && strcmp(name + length - 4, ".tmp") == 0;
    if (spool_entry_parse(&entry, name) || (temporary && rescue(s, name, &entry))) {
        add_found(s, &entry);
        return;
    }
    spool_move(s->folders[SPOOL_RESULTS], name, s->folders[SPOOL_ASIDE], name);
    s->facts.n_set_aside++;
}

static enum status list_results(struct spool *s, struct error *err)
{
    DIR *dir = opendir(s->folders[SPOOL_RESULTS]);
    if (!dir)
        return fail(err, DOCKET_IO, CODE_NONE, "%s: cannot list: %s", s->folders[SPOOL_RESULTS],
                    strerrordesc_np(errno));
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') spool_consider(s, e->d_name);
    closedir(dir);
    return DOCKET_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return x->seconds < y->seconds ? -1 : x->seconds > y->seconds;
}

static void list_accepted(struct spool *s)
{
    DIR *dir = opendir(s->folders[SPOOL_ACCEPTED]);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat facts;
        size_t n = strlen(e->d_name);
        if (e->d_name[0] == '.' || n >= sizeof(s->kept->name) ||
            fstatat(dirfd(dir), e->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (s->n_kept == s->keep_accepted) {
            unlinkat(dirfd(dir), e->d_name, 0);
            continue;
        }
        struct kept *k = &s->kept[s->n_kept++];
        memcpy(k->name, e->d_name, n + 1);
        k->bytes = (uint64_t)facts.st_size;
        k->seconds = (double)facts.st_mtime;
        s->kept_bytes += k->bytes;
    }
    closedir(dir);
    if (s->n_kept) qsort(s->kept, s->n_kept, sizeof(*s->kept), by_time);
}

enum status spool_open(struct spool **out, const struct spool_options *o, struct error *err)
{
    enum status st = DOCKET_OK;
    struct buffer name = {0};
    struct spool *s = mem_zalloc(1, sizeof(*s));
    if (!s) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the spool");
    pthread_mutex_init(&s->lock, NULL);
    s->interval_seconds = o->interval_seconds > 0 ? o->interval_seconds : 10;
    s->max_bytes = o->max_bytes ? o->max_bytes : 4 * (uint64_t)GIB;
    s->min_free_bytes = o->min_free_bytes;
    s->keep_accepted = o->keep_accepted ? o->keep_accepted : 1024;
    s->keep_bytes = o->keep_bytes ? o->keep_bytes : 256 * (uint64_t)MIB;
    s->ttl_seconds = o->ttl_seconds > 0 ? o->ttl_seconds : 7 * 86400.0;
    s->kept = mem_zalloc(s->keep_accepted, sizeof(*s->kept));
    s->root = str_dup(o->root);
    spool_folder_name(&name, o->worker_id);
    s->own_name = name.failed ? NULL : buffer_take(&name, NULL);
    s->own = s->root && s->own_name ? path_join(s->root, s->own_name) : NULL;
    s->owner = s->own ? path_join(s->own, "owner") : NULL;
    for (unsigned i = 0; i < N_SPOOL_FOLDERS && s->own; i++) s->folders[i] = path_join(s->own, folder_names[i]);
    if (!s->owner || !s->kept || !s->folders[N_SPOOL_FOLDERS - 1]) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the spool");
        goto failed;
    }
    if ((st = file_make_folder(s->root, err)) != DOCKET_OK || (st = file_make_folder(s->own, err)) != DOCKET_OK)
        goto failed;
    for (unsigned i = 0; i < N_SPOOL_FOLDERS; i++)
        if ((st = file_make_folder(s->folders[i], err)) != DOCKET_OK) goto failed;
    if (access(s->folders[SPOOL_RESULTS], W_OK | X_OK) != 0) {
        st = fail(err, DOCKET_REFUSED, CODE_NONE, "%s: cannot be written: %s", s->folders[SPOOL_RESULTS],
                  strerrordesc_np(errno));
        goto failed;
    }
    spool_touch(s);
    if ((st = list_results(s, err)) != DOCKET_OK) goto failed;
    if (s->n_found) qsort(s->found, s->n_found, sizeof(*s->found), by_age);
    list_accepted(s);
    *out = s;
    return DOCKET_OK;
failed:
    buffer_free(&name);
    spool_close(s);
    return st;
}

void spool_close(struct spool *s)
{
    if (!s) return;
    for (unsigned i = 0; i < N_SPOOL_FOLDERS; i++) mem_free(s->folders[i]);
    mem_free(s->root);
    mem_free(s->own_name);
    mem_free(s->own);
    mem_free(s->owner);
    mem_free(s->found);
    mem_free(s->kept);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct spool_entry *spool_take_found(struct spool *s, size_t *n)
{
    pthread_mutex_lock(&s->lock);
    struct spool_entry *found = s->found;
    *n = s->n_found;
    s->found = NULL;
    s->n_found = s->found_capacity = 0;
    pthread_mutex_unlock(&s->lock);
    if (*n) qsort(found, *n, sizeof(*found), by_age);
    return found;
}

enum status spool_put(struct spool *s, const struct spool_key *key, enum spool_kind kind, const char *id,
                      const void *body, size_t body_bytes, struct spool_entry *out, struct error *err)
{
    struct spool_entry entry = {.key = *key, .kind = kind, .body_bytes = body_bytes};
    struct buffer bytes = {0};
    enum status st;
    pthread_mutex_lock(&s->lock);
    uint64_t now = clock_wall_ns();
    s->last_created_ns = entry.created_ns = now > s->last_created_ns ? now : s->last_created_ns + 1;
    pthread_mutex_unlock(&s->lock);
    spool_entry_name(&entry);
    char *path = path_join(s->folders[SPOOL_RESULTS], entry.name);
    spool_record_write(&bytes, &entry, id, body, body_bytes);
    if (!path || bytes.failed)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to spool a result of %zu bytes", body_bytes);
    else
        st = file_publish(path, bytes.data, bytes.length, err);
    mem_free(path);
    buffer_free(&bytes);
    if (st != DOCKET_OK) return st;
    pthread_mutex_lock(&s->lock);
    s->facts.n_waiting++;
    s->facts.bytes_waiting += body_bytes;
    pthread_mutex_unlock(&s->lock);
    *out = entry;
    return DOCKET_OK;
}

static void forget(struct spool *s, const struct spool_entry *entry)
{
    if (s->facts.n_waiting) s->facts.n_waiting--;
    s->facts.bytes_waiting -= entry->body_bytes < s->facts.bytes_waiting ? entry->body_bytes : s->facts.bytes_waiting;
}

enum status spool_read(struct spool *s, const struct spool_entry *entry, struct buffer *bytes, struct spool_text *text,
                       struct error *err)
{
    char *path = path_join(s->folders[SPOOL_RESULTS], entry->name);
    if (!path) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a result");
    buffer_clear(bytes);
    bytes->ceiling = SPOOL_RECORD_LIMIT;
    enum status st = file_read_all(bytes, path, err);
    if (st == DOCKET_OK) st = spool_record_read(text, bytes, entry->name, err);
    mem_free(path);
    if (st == DOCKET_CORRUPT || st == DOCKET_UNSUPPORTED || st == DOCKET_REFUSED || st == DOCKET_LIMIT) {
        pthread_mutex_lock(&s->lock);
        spool_move(s->folders[SPOOL_RESULTS], entry->name, s->folders[SPOOL_ASIDE], entry->name);
        s->facts.n_set_aside++;
        forget(s, entry);
        pthread_mutex_unlock(&s->lock);
        if (st != DOCKET_UNSUPPORTED) st = DOCKET_CORRUPT;
    } else if (st == DOCKET_NOT_FOUND) {
        pthread_mutex_lock(&s->lock);
        forget(s, entry);
        pthread_mutex_unlock(&s->lock);
    }
    return st;
}

bool spool_exists(struct spool *s, const struct spool_entry *entry)
{
    char *path = path_join(s->folders[SPOOL_RESULTS], entry->name);
    bool gone = path && access(path, F_OK) != 0 && errno == ENOENT;
    mem_free(path);
    return !gone;
}

static void drop_oldest_kept(struct spool *s)
{
    char *path = path_join(s->folders[SPOOL_ACCEPTED], s->kept[0].name);
    if (path) unlink(path);
    mem_free(path);
    s->kept_bytes -= s->kept[0].bytes;
    s->n_kept--;
    memmove(s->kept, s->kept + 1, s->n_kept * sizeof(*s->kept));
}

void spool_accept(struct spool *s, const struct spool_entry *entry)
{
    struct kept k = {.bytes = entry->body_bytes};
    snprintf(k.name, sizeof(k.name), "%s-%s", entry->key.id, entry->key.input);
    pthread_mutex_lock(&s->lock);
    if (entry->kind != SPOOL_FULL) { /* a failure is not kept: whoever delivers the job again wants it tried again */
        char *path = path_join(s->folders[SPOOL_RESULTS], entry->name);
        if (path) unlink(path);
        mem_free(path);
    } else if (spool_move(s->folders[SPOOL_RESULTS], entry->name, s->folders[SPOOL_ACCEPTED], k.name)) {
        for (size_t i = 0; i < s->n_kept; i++)
            if (strcmp(s->kept[i].name, k.name) ==
                0) { /* answered once more: the older file was replaced by the rename */
                s->kept_bytes -= s->kept[i].bytes;
                s->n_kept--;
                memmove(s->kept + i, s->kept + i + 1, (s->n_kept - i) * sizeof(*s->kept));
                break;
            }
        if (s->n_kept == s->keep_accepted) drop_oldest_kept(s);
        s->kept[s->n_kept++] = k;
        s->kept_bytes += k.bytes;
        while (s->kept_bytes > s->keep_bytes && s->n_kept > 0) drop_oldest_kept(s);
    }
    forget(s, entry);
    pthread_mutex_unlock(&s->lock);
}

static void retire(struct spool *s, const struct spool_entry *entry, enum spool_folder_id where)
{
    pthread_mutex_lock(&s->lock);
    spool_move(s->folders[SPOOL_RESULTS], entry->name, s->folders[where], entry->name);
    forget(s, entry);
    pthread_mutex_unlock(&s->lock);
}

void spool_reject(struct spool *s, const struct spool_entry *entry)
{
    retire(s, entry, SPOOL_REJECTED);
}

void spool_expire(struct spool *s, const struct spool_entry *entry)
{
    retire(s, entry, SPOOL_EXPIRED);
}

void spool_facts(struct spool *s, struct spool_facts *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->facts;
    pthread_mutex_unlock(&s->lock);
    out->free_bytes = file_free_bytes(s->own);
}

const char *spool_pressure(struct spool *s)
{
    struct spool_facts facts;
    spool_facts(s, &facts);
    if (facts.bytes_waiting > s->max_bytes) return "the spool is full";
    if (facts.free_bytes < s->min_free_bytes) return "little disk space is left";
    return NULL;
}
