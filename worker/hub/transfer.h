/* transfer.h: the bytes of one file over several connections into a file beside its blob, with a list of the pieces that are
 * there, so that a cut or a kill costs a few pieces and not the file. Proves the checksum before the file gets its name. */
#ifndef DOCKET_HUB_TRANSFER_H
#define DOCKET_HUB_TRANSFER_H

#include "worker/hub/cache_write.h"
#include "worker/hub/hub.h"

#define TRANSFER_PIECE_BYTES ((size_t)4 * 1024 * 1024)
#define TRANSFER_CONNECTIONS 8

struct transfer {
    const struct hub_source *source;
    const struct cache_repository *cache;
    const char *repository, *commit, *name;
    size_t piece_bytes;          /* 0: TRANSFER_PIECE_BYTES */
    unsigned n_connections;      /* 0: TRANSFER_CONNECTIONS */
    atomic_ullong *bytes;        /* counts up with every byte that comes over the network */
    void (*tick)(void *context); /* about five times a second, from the calling thread; or NULL */
    void *context;
};

/* The caller holds the blob's lock. On success the blob is there, proven. Otherwise what came so far lies beside it for the next
 * try: model_checksum_wrong (then it does not), hub_*, IO (a full disk), NO_MEMORY, CANCELLED. */
enum status transfer_blob(const struct transfer *transfer, const struct hub_place *place, struct error *err);
/* Bytes of the blob that an earlier try left. */
uint64_t transfer_left_over(const struct cache_repository *cache, const char *etag, uint64_t size_bytes,
                            size_t piece_bytes);

#endif
