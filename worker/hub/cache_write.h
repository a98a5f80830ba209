/* cache_write.h: puts files into a hub cache as its own library does: blobs named by their checksum, snapshots of links to them,
 * refs, and a lock for each blob. Knows paths; knows no network. */
#ifndef DOCKET_HUB_CACHE_WRITE_H
#define DOCKET_HUB_CACHE_WRITE_H

#include "worker/base/status.h"

#include <stdatomic.h>

/* The folder of one repository in one cache. {0} is valid and freeable. */
struct cache_repository {
    char *folder; /* …/models--org--name */
    char *locks;  /* …/.locks/models--org--name */
};
/* Makes the folders. repository is a checked hub name. */
enum status cache_repository_open(struct cache_repository *out, const char *cache, const char *repository,
                                  struct error *err);
void cache_repository_free(struct cache_repository *repository);

/* Path of a blob, or of a file beside it: suffix "" or ".docket.incomplete". NULL: no memory. */
char *cache_blob_path(const struct cache_repository *repository, const char *etag, const char *suffix);

/* Takes the blob's lock, as the hub's library does (flock on .locks/…/<etag>.lock), waiting for whoever has it. CANCELLED
 * when *stop (or NULL) became true. *waited says whether somebody had it. */
enum status cache_lock(int *fd, const struct cache_repository *repository, const char *etag, const atomic_bool *stop,
                       bool *waited, struct error *err);
void cache_unlock(int fd);

/* Size of the file that the snapshot has under that name, links followed; UINT64_MAX if there is none. */
uint64_t cache_snapshot_size(const struct cache_repository *repository, const char *commit, const char *name);
uint64_t cache_blob_size(const struct cache_repository *repository, const char *etag);

/* Lets the snapshot's file be the blob: by a relative link, or, without links, by moving it there. Replaces what stood there in one
 * step. */
enum status cache_publish(const struct cache_repository *repository, const char *commit, const char *name,
                          const char *etag, bool no_links, struct error *err);
/* Lets refs/<revision> name the commit. */
enum status cache_write_ref(const struct cache_repository *repository, const char *revision, const char *commit,
                            struct error *err);

/* Bytes on the disk that interrupted fetches hold: they will be part of what is to come. */
uint64_t cache_left_over(const struct cache_repository *repository);
/* Removes what an interrupted fetch left more than a day ago and nobody holds. Failures do not matter. */
void cache_sweep(const struct cache_repository *repository);

#endif
