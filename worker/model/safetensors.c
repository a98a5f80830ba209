/* safetensors.c: the weight files of one snapshot: opened, their headers checked, tensors found by name and read.
 * Files are read, never mapped: a file that shrinks is an error message, not a signal. */
#include "worker/model/safetensors.h"

#include "worker/base/alloc.h"
#include "worker/base/checksum.h"
#include "worker/base/clock.h"
#include "worker/base/direct_read.h"
#include "worker/base/file.h"
#include "worker/base/hash.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"
#include "worker/base/log.h"
#include "worker/model/safetensors_header.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SHARDS    4096
#define INDEX_NAME    "model.safetensors.index.json"
#define SINGLE_NAME   "model.safetensors"
#define INDEX_CEILING (64 * MIB) /* a million tensors with names of 50 bytes */
#define READ_TRIES    3
#define DIRECT_LEAST  (256 * KIB) /* smaller ones have the next of their kind read ahead for them */

/* What a file was when it was opened. */
struct facts {
    uint64_t device, inode, size_bytes;
    struct timespec changed;
};

struct shard {
    char *name;
    int fd; /* its number stays; what it refers to is replaced by reopening */
    int direct_fd;
    enum { UNDECIDED, AS_USUAL, DIRECT } how; /* large pieces are read; guarded by `reopening` */
    struct facts facts;
    struct safetensors_header header; /* its tensors are moved out */
};

struct tensor_files {
    struct model_location location; /* a copy: folder, boundary */
    struct shard *shards;
    size_t n_shards;
    struct tensor_info *tensors;
    size_t n_tensors;
    uint64_t total_bytes;
    uint32_t *buckets; /* open addressing by name: tensor + 1, 0 is free */
    size_t n_buckets;
    pthread_mutex_t reopening;
    struct expected *expected; /* [n_tensors], or NULL: no checksums are known */
    atomic_uint_least64_t direct_bytes;
};

/* The checksum that a tensor must have, and what was read of it so far. */
struct expected {
    struct checksum so_far;
    uint64_t want;
    bool known, verified;
};

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of tensors");
}

static enum status get_facts(struct facts *out, int fd, const char *name, struct error *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return fail(err, DOCKET_IO, CODE_model_read_error, "%s: cannot read its facts: %s", name,
                    strerrordesc_np(errno));
    *out = (struct facts){(uint64_t)facts.st_dev, (uint64_t)facts.st_ino, (uint64_t)facts.st_size, facts.st_mtim};
    return DOCKET_OK;
}

static enum status compare_facts(const struct shard *shard, const struct facts *now, struct error *err)
{
    const struct facts *was = &shard->facts;
    const char *what = was->size_bytes != now->size_bytes                       ? "size"
                       : was->inode != now->inode || was->device != now->device ? "identity"
                       : was->changed.tv_sec != now->changed.tv_sec             ? "time of change"
                       : was->changed.tv_nsec != now->changed.tv_nsec           ? "time of change"
                                                                                : NULL;
    if (!what) return DOCKET_OK;
    return fail(err, DOCKET_CORRUPT, CODE_model_file_changed,
                "%s: changed while the model was being read: its %s (%llu bytes then, %llu now)", shard->name, what,
                (unsigned long long)was->size_bytes, (unsigned long long)now->size_bytes);
}

/* The bucket of the name: either the tensor's or a free one. */
static uint32_t *find_bucket(const struct tensor_files *files, const char *name)
{
    size_t at = hash_bytes(name, strlen(name), 0) & (files->n_buckets - 1);
    while (files->buckets[at] && strcmp(files->tensors[files->buckets[at] - 1].name, name) != 0)
        at = (at + 1) & (files->n_buckets - 1);
    return &files->buckets[at];
}

static enum status open_shard(struct tensor_files *files, unsigned index, struct error *err)
{
    struct shard *shard = &files->shards[index];
    unsigned char first[8];
    uint64_t length = 0;
    char *json = NULL;
    enum status st = model_open_file(&shard->fd, &files->location, shard->name, err);
    if (st == DOCKET_OK) st = get_facts(&shard->facts, shard->fd, shard->name, err);
    if (st != DOCKET_OK) return st;
    uint64_t size = shard->facts.size_bytes;
    size_t n_first = size < sizeof(first) ? (size_t)size : sizeof(first);
    st = file_read_at(shard->fd, first, n_first, 0, shard->name, err);
    if (st == DOCKET_OK) st = safetensors_header_length(&length, first, n_first, size, shard->name, err);
    if (st != DOCKET_OK) return st;
    json = mem_alloc((size_t)length);
    if (!json)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory for a header of %llu bytes", shard->name,
                  (unsigned long long)length);
    else
        st = file_read_at(shard->fd, json, (size_t)length, 8, shard->name, err);
    if (st == DOCKET_OK)
        st = safetensors_header_parse(&shard->header, json, (size_t)length, size, index, shard->name, err);
    mem_free(json);
    return st;
}

/* All shards' tensors in one list, and the table of names. */
static enum status join_shards(struct tensor_files *files, struct error *err)
{
    size_t n = 0, buckets = 16;
    for (size_t i = 0; i < files->n_shards; i++) n += files->shards[i].header.n_tensors;
    if (n > SAFETENSORS_MAX_TENSORS)
        return fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, "more than %u tensors in all files",
                    SAFETENSORS_MAX_TENSORS);
    while (buckets < 2 * n) buckets *= 2;
    files->tensors = mem_zalloc(n, sizeof(*files->tensors));
    files->buckets = mem_zalloc(buckets, sizeof(*files->buckets));
    if (!files->tensors || !files->buckets) return no_memory(err);
    files->n_buckets = buckets;
    for (size_t i = 0; i < files->n_shards; i++) {
        struct safetensors_header *header = &files->shards[i].header;
        for (size_t k = 0; k < header->n_tensors; k++) {
            const struct tensor_info *t = &header->tensors[k];
            uint32_t *bucket = find_bucket(files, t->name);
            if (*bucket)
                return fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, "tensor %.200s stands in %s and in %s",
                            t->name, files->shards[files->tensors[*bucket - 1].file].name, files->shards[i].name);
            files->tensors[files->n_tensors++] = *t;
            *bucket = (uint32_t)files->n_tensors;
            files->total_bytes += t->size_bytes; /* cannot wrap: each file's tensors lie inside it */
        }
        mem_free(header->tensors);
        header->tensors = NULL;
    }
    return DOCKET_OK;
}

static enum status invalid_index(struct error *err, const char *what, struct json_span value)
{
    return fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": %s \"%.*s\"", what,
                value.length > 200 ? 200 : (int)value.length, value.text);
}

/* A shard's name as the index may say it: what model_open_file takes, ending in .safetensors. */
static bool good_shard_name(struct json_span name)
{
    static const char tail[] = ".safetensors";
    size_t n = sizeof(tail) - 1;
    if (name.length <= n || name.length > 255 || name.text[0] == '.') return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.text[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!good) return false;
    }
    return memcmp(name.text + name.length - n, tail, n) == 0;
}

static int by_text(const void *a, const void *b)
{
    const struct json_span *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    if (order != 0) return order;
    return x->length < y->length ? -1 : x->length > y->length;
}

/* The distinct shard names of the weight map, sorted, become files->shards. */
static enum status list_shards(struct tensor_files *files, struct json_span map, struct error *err)
{
    struct json_cursor c = json_cursor_of(map.text, map.length);
    struct json_span key, *names = NULL;
    size_t n = 0, distinct = 0, capacity = 0;
    enum status st = DOCKET_OK;
    json_cursor_enter(&c);
    while (json_cursor_member(&c, &key)) {
        struct json_span name;
        if (!json_cursor_string(&c, &name)) {
            st = invalid_index(err, "weight_map: want the name of a file for tensor", key);
            goto done;
        }
        if (!good_shard_name(name)) {
            st = invalid_index(err, "weight_map: want one path part of [A-Za-z0-9._-] ending in .safetensors, got",
                               name);
            goto done;
        }
        if (n > 0 && by_text(&names[n - 1], &name) == 0) continue; /* neighbours are mostly equal */
        if (n == capacity) {
            struct json_span *more = mem_resize(names, capacity ? capacity * 2 : 256, sizeof(*names));
            if (!more) {
                st = no_memory(err);
                goto done;
            }
            names = more;
            capacity = capacity ? capacity * 2 : 256;
        }
        names[n++] = name;
    }
    if (n > 0) qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_text(&names[i], &names[distinct - 1]) != 0) names[distinct++] = names[i];
    if (distinct == 0 || distinct > MAX_SHARDS) {
        st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": weight_map: want 1 to %d files, got %zu",
                  MAX_SHARDS, distinct);
        goto done;
    }
    files->shards = mem_zalloc(distinct, sizeof(*files->shards));
    if (!files->shards) {
        st = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < distinct && st == DOCKET_OK; i++) {
        struct shard *shard = &files->shards[files->n_shards++];
        shard->fd = shard->direct_fd = -1;
        shard->name = str_dup_n(names[i].text, names[i].length);
        if (!shard->name) st = no_memory(err);
    }
done:
    mem_free(names);
    return st;
}

/* Complete both ways: every entry of the map stands in its file, every tensor of the files in the map. */
static enum status check_map(const struct tensor_files *files, struct json_span map, struct error *err)
{
    struct json_cursor c = json_cursor_of(map.text, map.length);
    struct json_span key, file;
    struct buffer name = {0};
    enum status st = DOCKET_OK;
    size_t n_listed = 0;
    bool *listed = mem_zalloc(files->n_tensors, sizeof(*listed));
    if (!listed) return no_memory(err);
    json_cursor_enter(&c);
    while (st == DOCKET_OK && json_cursor_member(&c, &key) && json_cursor_string(&c, &file)) {
        buffer_clear(&name);
        if (!buffer_reserve(&name, key.length)) {
            st = no_memory(err);
            break;
        }
        name.data[json_unescape(key, name.data)] = '\0';
        uint32_t at = *find_bucket(files, name.data);
        if (at == 0 || !json_span_is(file, files->shards[files->tensors[at - 1].file].name)) {
            st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid,
                      INDEX_NAME ": tensor %.200s is said to be in %.*s, which does not hold it", name.data,
                      (int)file.length, file.text);
            break;
        }
        listed[at - 1] = true;
        n_listed++;
    }
    for (size_t i = 0; st == DOCKET_OK && n_listed < files->n_tensors && i < files->n_tensors; i++) {
        const struct tensor_info *t = &files->tensors[i];
        if (!listed[i])
            st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, "%s: tensor %.200s is not listed in " INDEX_NAME,
                      files->shards[t->file].name, t->name);
    }
    buffer_free(&name);
    mem_free(listed);
    return st;
}

/* Old tools count tied tensors twice or leave shards out: worth a line, no reason to refuse. */
static void compare_total(const struct tensor_files *files, struct json_span index)
{
    struct json_span metadata, total;
    uint64_t said;
    if (!json_span_find(index, "metadata", &metadata) || !json_span_find(metadata, "total_size", &total)) return;
    struct json_cursor c = json_cursor_of(total.text, total.length);
    if (json_cursor_integer(&c, &said) && said == files->total_bytes) return;
    char text[48];
    snprintf(text, sizeof(text), "%.*s", total.length > 40 ? 40 : (int)total.length, total.text);
    log_event(LOG_WARN, EVENT_config_warning, F_STR("file", INDEX_NAME), F_STR("total_size", text),
              F_U64("found_bytes", files->total_bytes));
}

static enum status open_shards(struct tensor_files *files, struct error *err)
{
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < files->n_shards && st == DOCKET_OK; i++) st = open_shard(files, (unsigned)i, err);
    return st == DOCKET_OK ? join_shards(files, err) : st;
}

static enum status open_indexed(struct tensor_files *files, struct error *err)
{
    const struct json_limits limits = {.max_bytes = INDEX_CEILING,
                                       .max_depth = 16,
                                       .max_values = 2 * (size_t)SAFETENSORS_MAX_TENSORS,
                                       .max_keys = SAFETENSORS_MAX_TENSORS + 1000};
    struct json_span index = {0}, map;
    char *text = NULL;
    enum status st = model_read_file(&text, &index.length, &files->location, INDEX_NAME, INDEX_CEILING, err);
    if (st != DOCKET_OK) goto done;
    index.text = text;
    if ((st = json_gate(text, index.length, &limits, err)) != DOCKET_OK) {
        if (err && st != DOCKET_NO_MEMORY) err->code = CODE_model_index_invalid;
        error_prefix(err, "%s", INDEX_NAME);
        goto done;
    }
    struct json_cursor c = {0};
    bool there = json_span_find(index, "weight_map", &map);
    if (there) c = json_cursor_of(map.text, map.length);
    if (!there || json_cursor_kind(&c) != JSON_OBJECT) {
        st = fail(err, DOCKET_CORRUPT, CODE_model_index_invalid, INDEX_NAME ": weight_map: want an object");
        goto done;
    }
    if ((st = list_shards(files, map, err)) != DOCKET_OK) goto done;
    if ((st = open_shards(files, err)) != DOCKET_OK) goto done;
    if ((st = check_map(files, map, err)) != DOCKET_OK) goto done;
    compare_total(files, index);
done:
    mem_free(text);
    return st;
}

static enum status open_single(struct tensor_files *files, struct error *err)
{
    files->shards = mem_zalloc(1, sizeof(*files->shards));
    if (!files->shards) return no_memory(err);
    files->n_shards = 1;
    files->shards[0].fd = files->shards[0].direct_fd = -1;
    files->shards[0].name = str_dup(SINGLE_NAME);
    return files->shards[0].name ? open_shards(files, err) : no_memory(err);
}

/* Which other weights lie there, so that the message can say what is missing. */
static enum status refuse_folder(const struct model_location *location, struct error *err)
{
    static const char *const others[] = {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth",
                                         "tf_model.h5", "flax_model.msgpack"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (model_has_file(location, others[i]))
            return fail(err, DOCKET_UNSUPPORTED, CODE_model_file_missing,
                        "%s: only %s there; weights are read from safetensors files, never from pickles",
                        location->folder, others[i]);
    return fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "%s: neither " SINGLE_NAME " nor " INDEX_NAME,
                location->folder);
}

enum status tensor_files_open(struct tensor_files **out, const struct model_location *location, struct error *err)
{
    enum status st;
    struct tensor_files *files = mem_zalloc(1, sizeof(*files));
    if (!files) return no_memory(err);
    pthread_mutex_init(&files->reopening, NULL);
    files->location.folder = str_dup(location->folder);
    files->location.boundary = str_dup(location->boundary);
    if (!files->location.folder || !files->location.boundary)
        st = no_memory(err);
    else if (model_has_file(location, SINGLE_NAME)) /* before an index, as transformers does */
        st = open_single(files, err);
    else if (model_has_file(location, INDEX_NAME))
        st = open_indexed(files, err);
    else
        st = refuse_folder(location, err);
    if (st == DOCKET_OK)
        *out = files;
    else
        tensor_files_close(files);
    return st;
}

void tensor_files_close(struct tensor_files *files)
{
    if (!files) return;
    for (size_t i = 0; i < files->n_shards; i++) {
        struct shard *shard = &files->shards[i];
        if (shard->fd >= 0) close(shard->fd);
        if (shard->direct_fd >= 0) close(shard->direct_fd);
        mem_free(shard->name);
        safetensors_header_free(&shard->header);
    }
    mem_free(files->shards);
    mem_free(files->tensors);
    mem_free(files->buckets);
    mem_free(files->expected);
    model_location_free(&files->location);
    pthread_mutex_destroy(&files->reopening);
    mem_free(files);
}

size_t tensor_files_count(const struct tensor_files *files)
{
    return files->n_shards;
}

const char *tensor_file_name(const struct tensor_files *files, unsigned file)
{
    return file < files->n_shards ? files->shards[file].name : "?";
}

uint64_t tensor_files_bytes(const struct tensor_files *files)
{
    return files->total_bytes;
}

size_t tensor_count(const struct tensor_files *files)
{
    return files->n_tensors;
}

const struct tensor_info *tensor_at(const struct tensor_files *files, size_t i)
{
    return i < files->n_tensors ? &files->tensors[i] : NULL;
}

const struct tensor_info *tensor_find(const struct tensor_files *files, const char *name)
{
    uint32_t at = *find_bucket(files, name);
    return at ? &files->tensors[at - 1] : NULL;
}

/* The file once more by its name; the old number then refers to it, also for threads that are reading now. */
static enum status reopen(struct tensor_files *files, struct shard *shard, struct error *err)
{
    struct facts now = {0};
    int fd = -1;
    enum status st = model_open_file(&fd, &files->location, shard->name, err);
    if (st != DOCKET_OK) return st;
    st = get_facts(&now, fd, shard->name, err);
    if (st == DOCKET_OK) st = compare_facts(shard, &now, err);
    if (st == DOCKET_OK) {
        pthread_mutex_lock(&files->reopening);
        if (dup3(fd, shard->fd, O_CLOEXEC) < 0)
            st = fail(err, DOCKET_IO, CODE_model_read_error, "%s: cannot reopen: %s", shard->name,
                      strerrordesc_np(errno));
        shard->how = AS_USUAL;
        pthread_mutex_unlock(&files->reopening);
    }
    close(fd);
    return st;
}

void tensor_file_facts(const struct tensor_files *files, unsigned file, uint64_t *size_bytes, uint64_t *changed_ns)
{
    const struct facts *f = &files->shards[file].facts;
    *size_bytes = f->size_bytes;
    *changed_ns = (uint64_t)f->changed.tv_sec * NS_PER_SECOND + (uint64_t)f->changed.tv_nsec;
}

enum status tensor_expect(struct tensor_files *files, const struct tensor_info *tensor, uint64_t checksum,
                          struct error *err)
{
    if (!files->expected) files->expected = mem_zalloc(files->n_tensors, sizeof(*files->expected));
    if (!files->expected) return no_memory(err);
    struct expected *e = &files->expected[tensor - files->tensors];
    *e = (struct expected){.want = checksum, .known = true};
    checksum_init(&e->so_far);
    return DOCKET_OK;
}

enum status tensor_files_verified(const struct tensor_files *files, struct error *err)
{
    for (size_t i = 0; files->expected && i < files->n_tensors; i++)
        if (files->expected[i].known && !files->expected[i].verified && files->tensors[i].size_bytes)
            return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%s: was not read from start to end",
                        files->tensors[i].name);
    return DOCKET_OK;
}

static enum status verify(struct tensor_files *files, const struct tensor_info *t, uint64_t at, const void *bytes,
                          size_t n, struct error *err)
{
    struct expected *e = &files->expected[t - files->tensors];
    if (!e->known) return DOCKET_OK;
    if (at == 0) checksum_init(&e->so_far);
    if (at != e->so_far.length_bytes) return DOCKET_OK; /* tensor_files_verified will tell */
    checksum_add(&e->so_far, bytes, n);
    if (e->so_far.length_bytes < t->size_bytes) return DOCKET_OK;
    uint64_t found = checksum_value(&e->so_far);
    e->verified = found == e->want;
    if (e->verified) return DOCKET_OK;
    return fail(err, DOCKET_CORRUPT, CODE_model_tensor_invalid,
                "%s: bytes %llu to %llu have the checksum %016llx, %016llx was written", files->shards[t->file].name,
                (unsigned long long)t->offset, (unsigned long long)(t->offset + t->size_bytes),
                (unsigned long long)found, (unsigned long long)e->want);
}

/* The descriptor that goes past the page cache; -1: the cache has the file, or it cannot be. Decided once a file. */
static int direct_fd(struct tensor_files *files, struct shard *shard)
{
    pthread_mutex_lock(&files->reopening);
    if (shard->how == UNDECIDED) {
        bool cached = direct_is_cached(shard->fd, shard->facts.size_bytes);
        if (!cached) shard->direct_fd = direct_open(shard->fd);
        shard->how = shard->direct_fd >= 0 ? DIRECT : AS_USUAL;
    }
    int fd = shard->how == DIRECT ? shard->direct_fd : -1;
    pthread_mutex_unlock(&files->reopening);
    return fd;
}

/* What does not come so is read again as usual, which says why it does not come; and so is all that follows. */
static bool read_directly(struct tensor_files *files, struct shard *shard, void *room, size_t n, uint64_t offset,
                          unsigned char **bytes)
{
    int fd = n < DIRECT_LEAST ? -1 : direct_fd(files, shard);
    if (fd < 0) return false;
    bool good = direct_read(fd, room, n, offset, bytes);
    if (good) {
        atomic_fetch_add(&files->direct_bytes, n);
        return true;
    }
    pthread_mutex_lock(&files->reopening);
    shard->how = AS_USUAL;
    pthread_mutex_unlock(&files->reopening);
    return false;
}

/* bytes NULL: to `to`, as usual; else *bytes tells where in `to` they are. */
static enum status read_piece(struct tensor_files *files, const struct tensor_info *tensor, uint64_t at, void *to,
                              size_t size_bytes, unsigned char **bytes, struct error *err)
{
    struct facts now = {0};
    if (at > tensor->size_bytes || size_bytes > tensor->size_bytes - at)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "%s: %zu bytes at %llu asked for, it has %llu",
                    tensor->name, size_bytes, (unsigned long long)at, (unsigned long long)tensor->size_bytes);
    struct shard *shard = &files->shards[tensor->file];
    unsigned char *found = to;
    bool direct = bytes && read_directly(files, shard, to, size_bytes, tensor->offset + at, &found);
    enum status st = DOCKET_OK;
    for (int tries = 1;; tries++) {
        if (tries > 1) st = reopen(files, shard, err);
        if (st == DOCKET_OK && !direct)
            st = file_read_at(shard->fd, to, size_bytes, tensor->offset + at, shard->name, err);
        if (st == DOCKET_OK) st = get_facts(&now, shard->fd, shard->name, err);
        if (st == DOCKET_OK || st == DOCKET_CORRUPT) break;
        if (st != DOCKET_IO || tries == READ_TRIES) break;
        clock_sleep(0.05 * tries, NULL);
    }
    if (st == DOCKET_OK) st = compare_facts(shard, &now, err);
    if (st == DOCKET_OK && files->expected) st = verify(files, tensor, at, found, size_bytes, err);
    if (st != DOCKET_OK) error_prefix(err, "tensor %.100s", tensor->name);
    if (bytes) *bytes = found;
    return st;
}

enum status tensor_read(struct tensor_files *files, const struct tensor_info *tensor, uint64_t at, void *to,
                        size_t size_bytes, struct error *err)
{
    return read_piece(files, tensor, at, to, size_bytes, NULL, err);
}

enum status tensor_read_direct(struct tensor_files *files, const struct tensor_info *tensor, uint64_t at, void *room,
                               size_t size_bytes, unsigned char **bytes, struct error *err)
{
    return read_piece(files, tensor, at, room, size_bytes, bytes, err);
}

uint64_t tensor_files_direct_bytes(struct tensor_files *files)
{
    return atomic_load(&files->direct_bytes);
}

enum status tensor_files_unchanged(struct tensor_files *files, struct error *err)
{
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < files->n_shards && st == DOCKET_OK; i++) {
        struct shard *shard = &files->shards[i];
        struct facts now = {0};
        struct error inner = {0};
        int fd = -1;
        st = model_open_file(&fd, &files->location, shard->name, &inner); /* by name: a replaced file is another file */
        if (st == DOCKET_OK) st = get_facts(&now, fd, shard->name, &inner);
        if (st == DOCKET_OK) st = compare_facts(shard, &now, &inner);
        if (inner.code == CODE_model_file_missing)
            st = fail(&inner, DOCKET_CORRUPT, CODE_model_file_changed, "%s: gone while the model was being read",
                      shard->name);
        if (st != DOCKET_OK && err) *err = inner;
        if (fd >= 0) close(fd);
    }
    return st;
}
