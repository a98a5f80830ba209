/* Any bytes as the file of a job's finished items: whole records are found, a torn tail is cut off, and what is kept then is found by
 * the next run. */
#include "worker/base/file.h"
#include "worker/queue/partial.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/tmp/fuzz_partial_XXXXXX";

static void remove_root(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    if (system(command) != 0) perror(command);
}

static struct spool *open_spool(void)
{
    static struct spool *spool;
    struct spool_options options = {.root = root, .worker_id = "w", .interval_seconds = 10};
    if (spool) return spool;
    if (!mkdtemp(root) || spool_open(&spool, &options, NULL) != DOCKET_OK) abort();
    atexit(remove_root);
    return spool;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool *spool = open_spool();
    struct partial *partial;
    struct spool_key key;
    char path[256];
    size_t length = 0;
    spool_key_make(&key, "job", "{}", 2);
    snprintf(path, sizeof(path), "%s/%s-%s", spool_folder(spool, "partial"), key.id, key.input);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
    if (partial_open(&partial, spool, &key, NULL) != DOCKET_OK) abort();
    size_t found = partial_found(partial);
    bool had = partial_find(partial, 7, &length) != NULL;
    assert(partial_keep(partial, 7, "seven", 5));
    partial_close(partial);
    if (partial_open(&partial, spool, &key, NULL) != DOCKET_OK) abort();
    const char *seven = partial_find(partial, 7, &length);
    assert(seven && length == 5 && memcmp(seven, "seven", 5) == 0 && partial_found(partial) == found + !had);
    partial_close(partial);
    return 0;
}
