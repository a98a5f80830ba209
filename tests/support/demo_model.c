/* demo_model.c: names the model's files and hashes them as tests/oracle/judge.py does. */
#include "tests/support/demo_model.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES  64
#define FILE_BYTES (256 * MIB)

void demo_model_options(struct model_options *out)
{
    *out = (struct model_options){.hub = {.model = "docket/demo-mixtral", .hub_cache = "tests/demo_model/hub"}};
}

static bool counts(const char *name)
{
    size_t n = strlen(name);
    static const char tail[] = ".safetensors";
    return strcmp(name, "config.json") == 0 || (n > strlen(tail) && strcmp(name + n - strlen(tail), tail) == 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the files that count, sorted; the caller frees them. */
static size_t list_files(char **names, const char *folder)
{
    size_t n = 0;
    struct dirent *entry;
    DIR *open = opendir(folder);
    while (open && n < MAX_FILES && (entry = readdir(open)))
        if (counts(entry->d_name)) names[n++] = str_dup(entry->d_name);
    if (open) closedir(open);
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

static enum status make_digest(char out[SHA256_HEX_BYTES], struct error *err)
{
    struct model_options options;
    struct model_location location = {0};
    struct buffer lines = {0};
    char *names[MAX_FILES], hash[SHA256_HEX_BYTES];
    size_t n = 0;
    demo_model_options(&options);
    enum status st = hub_locate(&location, &options.hub, err);
    if (st == DOCKET_OK) n = list_files(names, location.folder);
    for (size_t i = 0; i < n; i++) {
        char *bytes = NULL;
        size_t length = 0;
        if (st == DOCKET_OK) st = model_read_file(&bytes, &length, &location, names[i], FILE_BYTES, err);
        if (st == DOCKET_OK) sha256_hex(bytes, length, hash);
        buffer_printf(&lines, "%s  %s\n", hash, names[i]);
        mem_free(bytes);
        mem_free(names[i]);
    }
    if (st == DOCKET_OK) sha256_hex(lines.data ? lines.data : "", lines.length, out);
    buffer_free(&lines);
    model_location_free(&location);
    return st;
}

bool demo_model_matches(const char *fixture, const char *digest)
{
    char found[SHA256_HEX_BYTES];
    struct error err = {0};
    if (make_digest(found, &err) != DOCKET_OK) {
        fprintf(stderr, "demo model: %s\n", err.message);
        return false;
    }
    if (strncmp(found, digest, 64) == 0) return true;
    fprintf(stderr, "%s: fixtures belong to another model (%.12s…, this one is %.12s…): run tests/golden/remake.sh\n",
            fixture, digest, found);
    return false;
}
