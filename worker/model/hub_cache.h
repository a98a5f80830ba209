/* hub_cache.h: where a model lies on disk. Knows the Hugging Face cache layout (refs, snapshots, blobs); no network. */
#ifndef DOCKET_MODEL_HUB_CACHE_H
#define DOCKET_MODEL_HUB_CACHE_H

#include "worker/base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct hub_options {
    const char *model;        /* "org/name" or a folder that holds config.json */
    const char *revision;     /* branch, tag or 40 hex; NULL: main */
    const char *hub_cache;    /* HF_HUB_CACHE, or NULL */
    const char *hf_home;      /* HF_HOME, or NULL */
    const char *home;         /* HOME, or NULL */
    const char *runpod_cache; /* NULL: /runpod-volume/huggingface-cache/hub */
};

/* A snapshot that holds config.json. {0} is valid and freeable. */
struct model_location {
    char *folder;   /* where files are opened */
    char *boundary; /* links may lead to anywhere below this folder and no further */
    char *name;     /* as the user said */
    char *revision; /* commit hash if known, else NULL */
};

/* Tried in order: an existing folder; HF_HUB_CACHE; $HF_HOME/hub, then $HF_HOME itself; the platform's cache; ~/.cache/huggingface/hub.
 * Refs are read and checked (40 hex); without a ref the only snapshot is taken, of several the alphabetically first. The
 * name's letter case is matched as it is, then without regard to case. NOT_FOUND, model_file_missing: the message lists
 * where it looked. */
enum status hub_locate(struct model_location *out, const struct hub_options *options, struct error *err);
/* BAD_CONFIG unless it is "name" or "org/name" and a revision as the hub has them; revision may be NULL. */
enum status hub_name_check(const char *repository, const char *revision, struct error *err);
/* Calls `each` with every cache folder that hub_locate would look in, in its order, until one call fails. */
enum status hub_each_cache(const struct hub_options *options,
                           enum status (*each)(void *context, const char *cache, struct error *err), void *context,
                           struct error *err);
void model_location_free(struct model_location *location);

/* Opens folder/name for reading: name must be one path part of [A-Za-z0-9._-]; a link must resolve beneath the boundary; only
 * regular files; never blocks. NOT_FOUND (model_file_missing), REFUSED, IO. */
enum status model_open_file(int *fd, const struct model_location *location, const char *name, struct error *err);
/* The whole file, at most ceiling_bytes. *out is NUL-terminated, the caller frees. */
enum status model_read_file(char **out, size_t *length, const struct model_location *location, const char *name,
                            size_t ceiling_bytes, struct error *err);
bool model_has_file(const struct model_location *location, const char *name);

#endif
