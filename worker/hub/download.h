/* download.h: one repository at one revision, from the hub into a cache: the files that docket reads and no others. */
#ifndef DOCKET_HUB_DOWNLOAD_H
#define DOCKET_HUB_DOWNLOAD_H

#include "worker/hub/hub.h"

struct hub_progress {
    const char *file;                                /* in work; "" before the first */
    uint64_t done_bytes, total_bytes, network_bytes; /* there, of all; over the network in this run */
    bool waiting;                                    /* for another process that fetches the same file */
};

struct hub_fetch {
    struct hub_source source;
    const char *cache;      /* folder of models--…; made if it is not there */
    const char *repository; /* "org/name" */
    const char *revision;   /* branch, tag, commit; NULL: main */
    size_t piece_bytes;     /* see transfer.h; 0: its default */
    unsigned n_connections;
    bool no_links; /* files are moved into the snapshot, as where a volume has no links */
    void (*progress)(void *context, const struct hub_progress *progress); /* often; or NULL */
    void *context;
};

struct hub_fetched {
    char commit[HUB_COMMIT_BYTES];
    size_t n_files, n_fetched; /* of the snapshot; of these not there before */
    uint64_t bytes, network_bytes;
};

/* What is there already is not asked for again. The snapshot gets its files one by one, each proven, config.json last, then the
 * ref: whoever looks meanwhile finds the old state or the new one. Any number of processes at a time. */
enum status hub_fetch(const struct hub_fetch *fetch, struct hub_fetched *out, struct error *err);

/* Where models are fetched to: hub_cache, else hf_home/hub, else the platform's volume if it is there, else home/.cache/…. The caller
 * frees. BAD_CONFIG if none is known. */
enum status hub_cache_folder(char **out, const char *hub_cache, const char *hf_home, const char *home,
                             struct error *err);
/* "tinyllama" → "TinyLlama/TinyLlama-1.1B-Chat-v1.0"; what is no short name comes back as it is. */
const char *hub_full_name(const char *name);
/* The i-th short name; NULL behind the last. */
const char *hub_short_name(size_t i);

#endif
