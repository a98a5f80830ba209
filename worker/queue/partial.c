/* partial.c: an append-only file of checksummed records, one an item. */
#include "worker/queue/partial.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC        0x31504b44u /* "DKP1" */
#define HEADER_BYTES ((size_t)16)
#define FILE_LIMIT   (512 * MIB)

struct record {
    const void *bytes;
    uint32_t length;
    bool ours; /* allocated for this record alone */
};

struct partial {
    pthread_mutex_t lock;
    int fd; /* -1: memory alone */
    struct buffer loaded;
    struct record *records; /* by item */
    size_t n_records, n_found;
    void **replaced; /* freed at close: someone may still read them */
    size_t n_replaced;
};

/* 32 bits of SHA-256 over item, length and bytes, in the order of the file. */
static uint32_t checksum(const char *record, size_t length)
{
    char hex[SHA256_HEX_BYTES];
    sha256_hex(record + 8, HEADER_BYTES - 8 + length, hex); /* without magic and the checksum itself */
    hex[8] = '\0';
    return (uint32_t)strtoul(hex, NULL, 16);
}

/* Lays a record out as [magic, check, item, length, bytes]. */
static bool put_record(struct buffer *out, uint32_t item, const void *bytes, size_t length)
{
    uint32_t head[4] = {MAGIC, 0, item, (uint32_t)length};
    size_t start = out->length;
    buffer_append(out, head, sizeof(head));
    if (!buffer_append(out, bytes, length)) return false;
    uint32_t check = checksum(out->data + start, length);
    memcpy(out->data + start + 4, &check, 4);
    return true;
}

static bool grow(struct partial *p, uint32_t item)
{
    if (item < p->n_records) return true;
    size_t n = p->n_records ? p->n_records : 64;
    while (n <= item) n *= 2;
    struct record *longer = mem_resize(p->records, n, sizeof(*longer));
    if (!longer) return false;
    memset(longer + p->n_records, 0, (n - p->n_records) * sizeof(*longer));
    p->records = longer;
    p->n_records = n;
    return true;
}

/* Indexes the whole records in p->loaded; returns how many bytes they take. */
static size_t index_loaded(struct partial *p)
{
    size_t at = 0;
    while (p->loaded.length - at >= HEADER_BYTES) {
        uint32_t head[4];
        memcpy(head, p->loaded.data + at, sizeof(head));
        if (head[0] != MAGIC || head[2] >= PARTIAL_MAX_ITEMS || head[3] > p->loaded.length - at - HEADER_BYTES) break;
        if (checksum(p->loaded.data + at, head[3]) != head[1] || !grow(p, head[2])) break;
        struct record *r = &p->records[head[2]];
        if (!r->bytes) p->n_found++;
        *r = (struct record){p->loaded.data + at + HEADER_BYTES, head[3], false};
        at += HEADER_BYTES + head[3];
    }
    return at;
}

static char *file_path(const char *folder, const struct spool_key *key)
{
    return str_format("%s/%s-%s", folder, key->id, key->input);
}

struct search {
    const struct spool_key *key;
    struct buffer *out;
};

static bool look_in(void *context, const char *folder, bool alive)
{
    struct search *x = context;
    (void)alive;
    char *path = file_path(folder, x->key);
    buffer_clear(x->out);
    bool found = path && file_read_all(x->out, path, NULL) == DOCKET_OK && x->out->length > 0;
    if (!found) buffer_clear(x->out);
    mem_free(path);
    return !found;
}

enum status partial_open(struct partial **out, struct spool *spool, const struct spool_key *key, struct error *err)
{
    struct partial *p = mem_zalloc(1, sizeof(*p));
    if (!p) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for partial results");
    pthread_mutex_init(&p->lock, NULL);
    p->fd = -1;
    buffer_init(&p->loaded, FILE_LIMIT);
    if (!spool) {
        *out = p;
        return DOCKET_OK;
    }
    const char *folder = spool_folder(spool, "partial");
    char *path = file_path(folder, key);
    struct search x = {key, &p->loaded};
    bool own = path && !look_in(&x, folder, true);
    if (!own) spool_each_other(spool, "partial", 0, look_in, &x);
    size_t whole = index_loaded(p);
    if (path) p->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (p->fd >= 0 && own && whole < p->loaded.length && ftruncate(p->fd, (off_t)whole) != 0) {
        close(p->fd); /* what is appended behind a torn record would never be found */
        p->fd = -1;
    }
    if (p->fd >= 0 && !own && whole > 0) file_write_all(p->fd, p->loaded.data, whole, path, NULL);
    mem_free(path);
    *out = p;
    return DOCKET_OK;
}

bool partial_keep(struct partial *p, uint32_t item, const void *bytes, size_t length)
{
    struct buffer record = {0};
    if (item >= PARTIAL_MAX_ITEMS || length > UINT32_MAX - HEADER_BYTES) return false;
    void *copy = mem_dup(bytes, length);
    if (!copy || !put_record(&record, item, bytes, length)) {
        mem_free(copy);
        buffer_free(&record);
        return false;
    }
    pthread_mutex_lock(&p->lock);
    bool kept = grow(p, item);
    if (kept && p->records[item].ours) {
        void **longer = mem_resize(p->replaced, p->n_replaced + 1, sizeof(*longer));
        if (longer) {
            p->replaced = longer;
            longer[p->n_replaced++] = (void *)p->records[item].bytes;
        } else
            kept = false;
    }
    if (kept) {
        p->records[item] = (struct record){copy, (uint32_t)length, true};
        if (p->fd >= 0 && write(p->fd, record.data, record.length) != (ssize_t)record.length) {
            close(p->fd); /* a short write tore the tail: the next run cuts it off; this one goes on in memory */
            p->fd = -1;
        }
    } else
        mem_free(copy);
    pthread_mutex_unlock(&p->lock);
    buffer_free(&record);
    return kept;
}

const void *partial_find(struct partial *p, uint32_t item, size_t *length)
{
    const void *bytes = NULL;
    pthread_mutex_lock(&p->lock);
    if (item < p->n_records && p->records[item].bytes) {
        bytes = p->records[item].bytes;
        if (length) *length = p->records[item].length;
    }
    pthread_mutex_unlock(&p->lock);
    return bytes;
}

size_t partial_found(const struct partial *p)
{
    return p->n_found;
}

void partial_close(struct partial *p)
{
    if (!p) return;
    if (p->fd >= 0) close(p->fd);
    for (size_t i = 0; i < p->n_records; i++)
        if (p->records[i].ours) mem_free((void *)p->records[i].bytes);
    for (size_t i = 0; i < p->n_replaced; i++) mem_free(p->replaced[i]);
    mem_free(p->replaced);
    mem_free(p->records);
    buffer_free(&p->loaded);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void partial_remove(struct spool *spool, const struct spool_key *key)
{
    char *path = file_path(spool_folder(spool, "partial"), key);
    if (path) unlink(path);
    mem_free(path);
}
