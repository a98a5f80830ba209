/* checkpoint.c: a shard is begun with room for its header, filled, and given the header when it is full. Tensors whose size is no
 * multiple of 8 bytes wait in memory for the shard's end, largest elements first: so every tensor lies aligned, as other readers
 * want it, and there is no hole, as the format wants it. */
#include "worker/model/checkpoint.h"

#include "worker/base/alloc.h"
#include "worker/base/checksum.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/model/new_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INDEX_NAME   "model.safetensors.index.json"
#define HEADER_BYTES (256 * KIB) /* room for some 1,500 tensors; then a new shard begins */
#define SHARD_BYTES  UINT64_C(5000000000)
#define TAIL_BYTES   (256 * MIB) /* of tensors that wait; then a new shard begins */
#define MAX_SHARDS   4096        /* as many as the reader takes */
#define MAX_NAME     256

struct checkpoint {
    char *folder;
    uint64_t shard_bytes, total_bytes;
    int fd;
    char *path;            /* of the shard that is open */
    unsigned n_shards;     /* begun */
    size_t first;          /* tensor of this shard */
    uint64_t written;      /* bytes of this shard's data in the file */
    uint64_t header_bytes; /* that its header will take at most */
    struct buffer tail;    /* bytes of the tensors that wait, in order of coming */
    struct checkpoint_tensor *tensors;
    size_t n_tensors, capacity;
    bool open_tensor, waits; /* the last tensor lacks bytes; it goes to the tail */
    uint64_t missing;
    struct checksum checksum;
};

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to write a checkpoint");
}

enum status checkpoint_open(struct checkpoint **out, const char *folder, uint64_t shard_bytes, struct error *err)
{
    struct checkpoint *c = mem_zalloc(1, sizeof(*c));
    if (!c) return no_memory(err);
    c->fd = -1;
    c->shard_bytes = shard_bytes ? shard_bytes : SHARD_BYTES;
    c->folder = str_dup(folder);
    if (!c->folder) {
        checkpoint_close(c);
        return no_memory(err);
    }
    *out = c;
    return DOCKET_OK;
}

void checkpoint_close(struct checkpoint *c)
{
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    for (size_t i = 0; i < c->n_tensors; i++) mem_free(c->tensors[i].name);
    mem_free(c->tensors);
    buffer_free(&c->tail);
    mem_free(c->path);
    mem_free(c->folder);
    mem_free(c);
}

static char *shard_name(unsigned shard, unsigned of)
{
    if (of == 1) return str_dup("model.safetensors");
    return of ? str_format("model-%05u-of-%05u.safetensors", shard + 1, of) : str_format("shard-%05u.part", shard + 1);
}

static char *shard_path(const struct checkpoint *c, unsigned shard, unsigned of)
{
    char *name = shard_name(shard, of), *path = name ? path_join(c->folder, name) : NULL;
    mem_free(name);
    return path;
}

static enum status begin_shard(struct checkpoint *c, struct error *err)
{
    if (c->n_shards == MAX_SHARDS)
        return fail(err, DOCKET_LIMIT, CODE_NONE, "%s: more than %d shards; want larger ones", c->folder, MAX_SHARDS);
    c->path = shard_path(c, c->n_shards, 0);
    if (!c->path) return no_memory(err);
    c->fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (c->fd < 0) return fail(err, DOCKET_IO, CODE_NONE, "%s: cannot create: %s", c->path, strerrordesc_np(errno));
    c->n_shards++;
    c->first = c->n_tensors;
    c->written = 0;
    c->header_bytes = 2;
    if (lseek(c->fd, (off_t)(8 + HEADER_BYTES), SEEK_SET) < 0)
        return fail(err, DOCKET_IO, CODE_NONE, "%s: cannot seek: %s", c->path, strerrordesc_np(errno));
    return DOCKET_OK;
}

/* Those that wait get their places: larger elements first, so that each begins at a multiple of its own size. */
static enum status write_tail(struct checkpoint *c, struct error *err)
{
    uint64_t at = 0;
    enum status st = DOCKET_OK;
    for (size_t width = 8; width > 0 && st == DOCKET_OK; width /= 2) {
        at = 0;
        for (size_t i = c->first; i < c->n_tensors && st == DOCKET_OK; i++) {
            struct checkpoint_tensor *t = &c->tensors[i];
            if (t->size_bytes % 8 == 0) continue;
            if (tensor_dtype_bytes(t->dtype) == width) {
                t->offset = c->written;
                st = file_write_all(c->fd, c->tail.data + at, (size_t)t->size_bytes, c->path, err);
                c->written += t->size_bytes;
            }
            at += t->size_bytes;
        }
    }
    buffer_clear(&c->tail);
    return st;
}

static int by_offset(const void *a, const void *b)
{
    const struct checkpoint_tensor *x = *(struct checkpoint_tensor *const *)a,
                                   *y = *(struct checkpoint_tensor *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void put_entry(struct json_writer *w, const struct checkpoint_tensor *t)
{
    json_begin_object(w, t->name);
    json_put_string(w, "dtype", tensor_dtype_name(t->dtype));
    json_begin_array(w, "shape");
    for (unsigned i = 0; i < t->rank; i++) json_put_u64(w, NULL, t->shape[i]);
    json_end_array(w);
    json_begin_array(w, "data_offsets");
    json_put_u64(w, NULL, t->offset);
    json_put_u64(w, NULL, t->offset + t->size_bytes);
    json_end_array(w);
    json_end_object(w);
}

/* Entries stand in the order of the data, which is what simple readers expect. */
static enum status make_header(const struct checkpoint *c, struct buffer *out, struct error *err)
{
    struct json_writer w = {.out = out};
    size_t n = c->n_tensors - c->first;
    struct checkpoint_tensor **order = mem_alloc(n * sizeof(struct checkpoint_tensor *));
    if (!order) return no_memory(err);
    for (size_t i = 0; i < n; i++) order[i] = &c->tensors[c->first + i];
    qsort(order, n, sizeof(struct checkpoint_tensor *), by_offset);
    buffer_init(out, HEADER_BYTES);
    json_begin_object(&w, NULL);
    json_begin_object(&w, "__metadata__");
    json_put_string(&w, "format", "pt"); /* transformers refuses files without it */
    json_end_object(&w);
    for (size_t i = 0; i < n; i++) put_entry(&w, order[i]);
    json_end_object(&w);
    mem_free(order);
    while (!out->failed && out->length < HEADER_BYTES) buffer_append_char(out, ' ');
    return buffer_check(out, c->path, err);
}

static enum status end_shard(struct checkpoint *c, struct error *err)
{
    struct buffer header = {0};
    uint64_t length = HEADER_BYTES;
    enum status st = write_tail(c, err);
    if (st == DOCKET_OK) st = make_header(c, &header, err);
    if (st == DOCKET_OK && lseek(c->fd, 0, SEEK_SET) < 0)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: cannot seek: %s", c->path, strerrordesc_np(errno));
    if (st == DOCKET_OK) st = file_write_all(c->fd, &length, sizeof(length), c->path, err);
    if (st == DOCKET_OK) st = file_write_all(c->fd, header.data, header.length, c->path, err);
    if (st == DOCKET_OK && fsync(c->fd) != 0)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: cannot sync: %s", c->path, strerrordesc_np(errno));
    if (close(c->fd) != 0 && st == DOCKET_OK)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: cannot close: %s", c->path, strerrordesc_np(errno));
    c->fd = -1;
    mem_free(c->path);
    c->path = NULL;
    buffer_free(&header);
    return st;
}

/* Upper limit of what the tensor's entry takes in a header. */
static uint64_t entry_bytes(const char *name, unsigned rank)
{
    return strlen(name) + 96 + 21 * (uint64_t)rank;
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (name[i] < '!' || name[i] > '~' || name[i] == '"' || name[i] == '\\') return false;
    return n > 0 && n <= MAX_NAME;
}

static enum status describe(struct checkpoint_tensor *t, const char *name, enum tensor_dtype dtype, unsigned rank,
                            const uint64_t *shape, struct error *err)
{
    size_t bytes = tensor_dtype_bytes(dtype);
    if (!good_name(name) || rank > TENSOR_MAX_RANK)
        return fail(err, DOCKET_UNSUPPORTED, CODE_model_tensor_invalid,
                    "%.100s: want a name of 1 to %d printable characters and at most %d dimensions", name, MAX_NAME,
                    TENSOR_MAX_RANK);
    *t = (struct checkpoint_tensor){.dtype = dtype, .rank = rank};
    for (unsigned i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        if (shape[i] > SIZE_MAX || !size_mul(bytes, (size_t)shape[i], &bytes))
            return fail(err, DOCKET_LIMIT, CODE_model_tensor_invalid, "%s: more bytes than 64 bits count", name);
    }
    t->size_bytes = bytes;
    return DOCKET_OK;
}

enum status checkpoint_begin(struct checkpoint *c, const char *name, enum tensor_dtype dtype, unsigned rank,
                             const uint64_t *shape, struct error *err)
{
    struct checkpoint_tensor t;
    if (c->open_tensor)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%s begins while %s lacks %llu bytes", name,
                    c->tensors[c->n_tensors - 1].name, (unsigned long long)c->missing);
    enum status st = describe(&t, name, dtype, rank, shape, err);
    if (st != DOCKET_OK) return st;
    uint64_t header = entry_bytes(name, rank), held = c->written + c->tail.length;
    bool full = c->n_tensors > c->first && (held + t.size_bytes > c->shard_bytes || c->tail.length > TAIL_BYTES ||
                                            c->header_bytes + header > HEADER_BYTES - 64);
    if (c->fd >= 0 && full && (st = end_shard(c, err)) != DOCKET_OK) return st;
    if (c->fd < 0 && (st = begin_shard(c, err)) != DOCKET_OK) return st;
    if (c->n_tensors == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 256;
        struct checkpoint_tensor *more = mem_resize(c->tensors, capacity, sizeof(*more));
        if (!more) return no_memory(err);
        c->tensors = more;
        c->capacity = capacity;
    }
    t.name = str_dup(name);
    if (!t.name) return no_memory(err);
    t.shard = c->n_shards - 1;
    t.offset = c->written; /* of one that waits: set when it is written */
    c->tensors[c->n_tensors++] = t;
    c->header_bytes += header;
    c->total_bytes += t.size_bytes;
    c->waits = t.size_bytes % 8 != 0;
    c->missing = t.size_bytes;
    c->open_tensor = true;
    checksum_init(&c->checksum);
    return checkpoint_append(c, "", 0, err); /* an empty one ends here */
}

enum status checkpoint_append(struct checkpoint *c, const void *bytes, size_t length, struct error *err)
{
    if (!c->open_tensor || length > c->missing)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%zu bytes more than the tensor has", length);
    checksum_add(&c->checksum, bytes, length);
    if (c->waits) {
        if (!buffer_append(&c->tail, bytes, length)) return no_memory(err);
    } else {
        enum status st = file_write_all(c->fd, bytes, length, c->path, err);
        if (st != DOCKET_OK) return st;
        c->written += length;
    }
    c->missing -= length;
    if (c->missing == 0) {
        c->tensors[c->n_tensors - 1].checksum = checksum_value(&c->checksum);
        c->open_tensor = false;
    }
    return DOCKET_OK;
}

enum status checkpoint_add(struct checkpoint *c, const char *name, enum tensor_dtype dtype, unsigned rank,
                           const uint64_t *shape, const void *bytes, struct error *err)
{
    enum status st = checkpoint_begin(c, name, dtype, rank, shape, err);
    if (st == DOCKET_OK && c->missing) st = checkpoint_append(c, bytes, (size_t)c->missing, err);
    return st;
}

static enum status write_index(struct checkpoint *c, struct error *err)
{
    struct buffer text = {0};
    struct json_writer w = {.out = &text};
    const struct new_folder folder = {.path = c->folder};
    json_begin_object(&w, NULL);
    json_begin_object(&w, "metadata");
    json_put_u64(&w, "total_size", c->total_bytes);
    json_end_object(&w);
    json_begin_object(&w, "weight_map");
    for (size_t i = 0; i < c->n_tensors; i++) {
        char *name = shard_name(c->tensors[i].shard, c->n_shards);
        if (!name) text.failed = true;
        json_put_string(&w, c->tensors[i].name, name ? name : "");
        mem_free(name);
    }
    json_end_object(&w);
    json_end_object(&w);
    buffer_append_char(&text, '\n');
    enum status st = buffer_check(&text, INDEX_NAME, err);
    if (st == DOCKET_OK) st = new_folder_put(&folder, INDEX_NAME, text.data, text.length, err);
    buffer_free(&text);
    return st;
}

enum status checkpoint_finish(struct checkpoint *c, struct error *err)
{
    enum status st = DOCKET_OK;
    if (c->open_tensor || c->n_tensors == 0)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "a checkpoint ends %s",
                    c->open_tensor ? "inside a tensor" : "without a tensor");
    if (c->fd >= 0) st = end_shard(c, err);
    for (unsigned i = 0; i < c->n_shards && st == DOCKET_OK; i++) {
        char *from = shard_path(c, i, 0), *to = shard_path(c, i, c->n_shards);
        if (!from || !to)
            st = no_memory(err);
        else if (rename(from, to) != 0)
            st = fail(err, DOCKET_IO, CODE_NONE, "%s: cannot rename: %s", to, strerrordesc_np(errno));
        mem_free(from);
        mem_free(to);
    }
    if (st == DOCKET_OK && c->n_shards > 1) st = write_index(c, err);
    if (st == DOCKET_OK) st = file_sync_folder(c->folder, err);
    return st;
}

size_t checkpoint_n_tensors(const struct checkpoint *c)
{
    return c->n_tensors;
}

const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *c, size_t i)
{
    return i < c->n_tensors ? &c->tensors[i] : NULL;
}

size_t checkpoint_n_shards(const struct checkpoint *c)
{
    return c->n_shards;
}

uint64_t checkpoint_bytes(const struct checkpoint *c)
{
    return c->total_bytes;
}
