/* download.c: which files, in which order, and when they count. The bytes are transfer.c's. */
#include "worker/hub/download.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/base/log.h"
#include "worker/hub/cache_write.h"
#include "worker/hub/transfer.h"
#include "worker/model/hub_cache.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define INDEX_BYTES (64 * MIB)
#define DISK_SPARE  (16 * MIB) /* links, lists, folders */

static const struct {
    const char *name, *repository;
} short_names[] = {
    {"tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
    {"mistral-7b", "mistralai/Mistral-7B-v0.1"},
    {"mistral-7b-instruct", "mistralai/Mistral-7B-Instruct-v0.2"},
    {"gemma-2b", "google/gemma-2b"},
    {"llama2-7b", "meta-llama/Llama-2-7b-hf"},
    {"mixtral-8x7b-instruct", "mistralai/Mixtral-8x7B-Instruct-v0.1"},
};

const char *hub_full_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(short_names); i++)
        if (strcasecmp(name, short_names[i].name) == 0) return short_names[i].repository;
    return name;
}

const char *hub_short_name(size_t i)
{
    return i < ARRAY_LENGTH(short_names) ? short_names[i].name : NULL;
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to fetch the model");
}

enum status hub_cache_folder(char **out, const char *hub_cache, const char *hf_home, const char *home,
                             struct error *err)
{
    static const char volume[] = "/runpod-volume";
    struct stat facts;
    if (hub_cache && hub_cache[0])
        *out = str_dup(hub_cache);
    else if (hf_home && hf_home[0])
        *out = path_join(hf_home, "hub");
    else if (stat(volume, &facts) == 0 && S_ISDIR(facts.st_mode))
        *out = str_format("%s/huggingface-cache/hub", volume);
    else if (home && home[0])
        *out = path_join(home, ".cache/huggingface/hub");
    else
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "nowhere to put a model: set HF_HUB_CACHE or HF_HOME");
    return *out ? DOCKET_OK : no_memory(err);
}

struct download {
    const struct hub_fetch *fetch;
    struct hub *hub;
    struct cache_repository cache;
    struct hub_listing listing;
    struct hub_progress progress;
    struct hub_fetched result;
    atomic_ullong network;
    uint64_t before; /* done_bytes and network when the file in work began */
    uint64_t network_before;
};

static void tell(void *context)
{
    struct download *d = context;
    uint64_t network = atomic_load(&d->network), grown = network - d->network_before;
    d->progress.network_bytes = network;
    d->progress.done_bytes = d->before + grown;
    if (d->progress.done_bytes > d->progress.total_bytes) d->progress.done_bytes = d->progress.total_bytes;
    if (d->fetch->progress) d->fetch->progress(d->fetch->context, &d->progress);
}

/* The bytes of the blob, under its lock; another process may have brought them meanwhile. */
static enum status bring_blob(struct download *d, const struct hub_place *place, const char *name, struct error *err)
{
    const struct transfer transfer = {.source = &d->fetch->source,
                                      .cache = &d->cache,
                                      .repository = d->fetch->repository,
                                      .commit = d->listing.commit,
                                      .name = name,
                                      .piece_bytes = d->fetch->piece_bytes,
                                      .n_connections = d->fetch->n_connections,
                                      .bytes = &d->network,
                                      .tick = tell,
                                      .context = d};
    enum status st = DOCKET_OK;
    if (cache_blob_size(&d->cache, place->etag) == place->size_bytes) return DOCKET_OK;
    d->before += transfer_left_over(&d->cache, place->etag, place->size_bytes, d->fetch->piece_bytes);
    for (int tries = 0;; tries++) {
        st = transfer_blob(&transfer, place, err);
        /* Once: a cache on the way may have given bytes of before. */
        if (st != DOCKET_CORRUPT || tries > 0 || (err && err->code != CODE_model_checksum_wrong)) break;
        log_event(LOG_WARN, EVENT_model_fetch_retried, F_STR("file", name), F_U64("failures", 1),
                  F_F64("next_try_seconds", 0), F_ERROR(err));
    }
    if (st == DOCKET_OK) d->result.n_fetched++;
    return st;
}

/* One file of the snapshot, proven and in its place. */
static enum status bring(struct download *d, const char *name, struct error *err)
{
    const struct hub_file *listed = hub_listing_find(&d->listing, name);
    struct hub_place place = {0};
    int lock = -1;
    enum status st = DOCKET_OK;
    d->progress.file = name;
    d->before = d->progress.done_bytes;
    d->network_before = atomic_load(&d->network);
    d->result.n_files++;
    uint64_t size = cache_snapshot_size(&d->cache, d->listing.commit, name), start = d->before;
    if (size != UINT64_MAX && size == listed->size_bytes) goto done;
    if ((st = hub_resolve(d->hub, &place, d->fetch->repository, d->listing.commit, name, err)) != DOCKET_OK) goto done;
    if (listed->size_bytes != UINT64_MAX && place.size_bytes != listed->size_bytes) {
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "%s: the hub lists %llu bytes and then speaks of %llu",
                  name, (unsigned long long)listed->size_bytes, (unsigned long long)place.size_bytes);
        goto done;
    }
    size = place.size_bytes;
    d->progress.waiting = true;
    st = cache_lock(&lock, &d->cache, place.etag, d->fetch->source.stop, &d->progress.waiting, err);
    if (st == DOCKET_OK) st = bring_blob(d, &place, name, err);
    if (st == DOCKET_OK) st = cache_publish(&d->cache, d->listing.commit, name, place.etag, d->fetch->no_links, err);
done:
    cache_unlock(lock);
    hub_place_free(&place);
    if (st == DOCKET_OK) {
        d->progress.done_bytes = start + size;
        d->before = d->progress.done_bytes;
        d->network_before = atomic_load(&d->network);
        d->result.bytes += size;
        tell(d);
    }
    return st;
}

/* Bytes that are not here, of the files that are meant by then; an unknown size counts as nothing. */
static enum status check_disk(struct download *d, const char *const *names, size_t n, struct error *err)
{
    uint64_t need = 0, there = file_free_bytes(d->cache.folder), left = cache_left_over(&d->cache);
    for (size_t i = 0; i < n; i++) {
        const struct hub_file *f = hub_listing_find(&d->listing, names[i]);
        if (f->size_bytes == UINT64_MAX) continue;
        d->progress.total_bytes += f->size_bytes;
        if (cache_snapshot_size(&d->cache, d->listing.commit, names[i]) != f->size_bytes) need += f->size_bytes;
    }
    log_event(LOG_INFO, EVENT_model_fetch_started, F_STR("model", d->fetch->repository),
              F_STR("revision", d->listing.commit), F_U64("files", n), F_U64("bytes", d->progress.total_bytes),
              F_U64("missing_bytes", need));
    need -= left < need ? left : need;
    if (need > 0 && there > 0 && need + DISK_SPARE > there)
        return fail(err, DOCKET_IO, CODE_NONE, "%s: %llu bytes are missing and the disk has %llu free", d->cache.folder,
                    (unsigned long long)need, (unsigned long long)there);
    return DOCKET_OK;
}

/* The shards that the fetched index names; each must be listed. */
static enum status read_index(struct download *d, char ***shards, size_t *n_shards, const char *index,
                              struct error *err)
{
    struct buffer text;
    char *path = str_format("%s/snapshots/%s/%s", d->cache.folder, d->listing.commit, index);
    if (!path) return no_memory(err);
    buffer_init(&text, INDEX_BYTES);
    enum status st = file_read_all(&text, path, err);
    if (st == DOCKET_OK) st = hub_index_shards(shards, n_shards, text.data ? text.data : "", text.length, err);
    for (size_t i = 0; st == DOCKET_OK && i < *n_shards; i++)
        if (!hub_listing_find(&d->listing, (*shards)[i]))
            st = fail(err, DOCKET_NOT_FOUND, CODE_model_index_invalid, "%s names %.200s, which the hub does not list",
                      index, (*shards)[i]);
    buffer_free(&text);
    mem_free(path);
    return st;
}

static enum status bring_all(struct download *d, struct error *err)
{
    const char *entry = NULL, **names = NULL;
    char **shards = NULL;
    size_t n_shards = 0, n = 0;
    enum status st = hub_weights_entry(&entry, &d->listing, err);
    if (st == DOCKET_OK && !hub_listing_find(&d->listing, "config.json"))
        st = fail(err, DOCKET_NOT_FOUND, CODE_model_file_missing, "the repository has no config.json");
    if (st != DOCKET_OK) return st;
    bool index = strstr(entry, ".index.") != NULL;
    if (index) {
        if ((st = bring(d, entry, err)) != DOCKET_OK) return st;
        d->progress.done_bytes = 0; /* counted again below */
        d->result.bytes = d->result.n_files = 0;
        if ((st = read_index(d, &shards, &n_shards, entry, err)) != DOCKET_OK) goto done;
    }
    names = mem_zalloc(d->listing.n_files + n_shards + 2, sizeof(*names));
    if (!names) {
        st = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < d->listing.n_files; i++) {
        const char *name = d->listing.files[i].name;
        if (hub_file_is_needed(name) && strcmp(name, "config.json") != 0) names[n++] = name;
    }
    names[n++] = entry;
    for (size_t i = 0; i < n_shards; i++) names[n++] = shards[i];
    names[n++] = "config.json"; /* a snapshot that has it counts as one: last */
    st = check_disk(d, names, n, err);
    for (size_t i = 0; st == DOCKET_OK && i < n; i++) st = bring(d, names[i], err);
done:
    hub_names_free(shards, n_shards);
    mem_free(names);
    return st;
}

enum status hub_fetch(const struct hub_fetch *fetch, struct hub_fetched *out, struct error *err)
{
    struct download d = {.fetch = fetch, .progress = {.file = ""}};
    const char *revision = fetch->revision ? fetch->revision : "main";
    enum status st = hub_name_check(fetch->repository, revision, err);
    if (st != DOCKET_OK) return st;
    if ((st = hub_open(&d.hub, &fetch->source, err)) != DOCKET_OK) goto done;
    if ((st = hub_list(d.hub, &d.listing, fetch->repository, revision, err)) != DOCKET_OK) goto done;
    if ((st = cache_repository_open(&d.cache, fetch->cache, fetch->repository, err)) != DOCKET_OK) goto done;
    cache_sweep(&d.cache);
    if ((st = bring_all(&d, err)) != DOCKET_OK) goto done;
    if (strcasecmp(revision, d.listing.commit) != 0) st = cache_write_ref(&d.cache, revision, d.listing.commit, err);
    memcpy(d.result.commit, d.listing.commit, HUB_COMMIT_BYTES);
    d.result.network_bytes = atomic_load(&d.network);
    if (st == DOCKET_OK) *out = d.result;
done:
    hub_listing_free(&d.listing);
    cache_repository_free(&d.cache);
    hub_close(d.hub);
    return st;
}
