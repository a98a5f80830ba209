/* inventory.h: what lies in the hub caches of this machine: which models, which revisions, whole or not, intact or not. */
#ifndef DOCKET_HUB_INVENTORY_H
#define DOCKET_HUB_INVENTORY_H

#include "worker/model/hub_cache.h"

#include <stdatomic.h>
#include <stdint.h>

struct inventory_entry {
    char *cache, *repository;  /* folder of the cache; "org/name" */
    char *commit, *revisions;  /* the snapshot's folder; "main, v1": refs that name it, "" if none does */
    uint64_t bytes;            /* of the snapshot's files */
    uint64_t unfinished_bytes; /* that an interrupted fetch left in this repository */
    size_t n_files;
    char *missing; /* "" when docket can open it; else the first thing that it cannot be opened without */
};

/* {0} is valid and freeable. */
struct inventory {
    struct inventory_entry *entries;
    size_t n;
};
/* Of all caches that hub_locate looks in (options->model and revision do not count), sorted by cache, name and commit. NO_MEMORY. */
enum status inventory_take(struct inventory *out, const struct hub_options *options, struct error *err);
void inventory_free(struct inventory *inventory);

/* Everything about one model that can be checked without loading it: each file against the checksum that its blob is named by,
 * the headers of the weight files, the index. report is called for every file: error NULL: intact; proven false: it is no blob with
 * a name to check against. OK if all is well; else the first problem. CANCELLED when *stop. */
struct verify_file {
    const char *name;
    uint64_t bytes;
    bool proven;
    const struct error *error;
};
enum status inventory_verify(const struct model_location *location,
                             void (*report)(void *context, const struct verify_file *file), void *context,
                             const atomic_bool *stop, struct error *err);

#endif
