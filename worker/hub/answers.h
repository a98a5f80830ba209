/* answers.h: what a hub's answers say: the listing of a repository and the headers of one of its files, checked. Knows bytes and
 * names; opens nothing. */
#ifndef DOCKET_HUB_ANSWERS_H
#define DOCKET_HUB_ANSWERS_H

#include "worker/base/status.h"

#include <stddef.h>

#define HUB_COMMIT_BYTES 41 /* 40 hexadecimal digits and the final NUL */
#define HUB_ETAG_BYTES   65

struct hub_file {
    char *name;
    uint64_t size_bytes; /* as the listing says; UINT64_MAX: it does not */
};

/* {0} is valid and freeable. */
struct hub_listing {
    char commit[HUB_COMMIT_BYTES];
    struct hub_file *files;
    size_t n_files;
};
/* The JSON of /api/models/REPO/revision/REV. Refuses file names that lead out of a folder or hold control characters, and a commit
 * that is none: hub_answer_invalid. */
enum status hub_listing_parse(struct hub_listing *out, const char *json, size_t length, struct error *err);
void hub_listing_free(struct hub_listing *listing);
const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name);

/* Whether docket reads a file of that name: configuration, tokenizer, template. Weights are chosen by hub_weight_files. */
bool hub_file_is_needed(const char *name);
/* Name of the index, or of the one file, that the listing's weights begin with. model_file_missing if there are none in safetensors,
 * saying what is there instead. */
enum status hub_weights_entry(const char **name, const struct hub_listing *listing, struct error *err);
/* The shards of an index, each once, in its order; names are checked: one path part ending in .safetensors. The caller frees the
 * names and the array. */
enum status hub_index_shards(char ***names, size_t *n_names, const char *json, size_t length, struct error *err);
void hub_names_free(char **names, size_t n_names);

/* The headers of an answer about one file. {0} before the first. */
struct hub_headers {
    char etag[HUB_ETAG_BYTES];     /* without quotes and W/; "" if absent or no checksum */
    char commit[HUB_COMMIT_BYTES]; /* X-Repo-Commit */
    bool linked, size_linked; /* etag and size are those of X-Linked-…, which speak of the file and not of the answer */
    bool sized;               /* size_bytes is known */
    uint64_t size_bytes;      /* X-Linked-Size, else Content-Length */
    bool ranged;              /* Content-Range is there and makes sense */
    uint64_t range_first, range_last, range_total;
    char error_code[48]; /* X-Error-Code: "GatedRepo" */
};
/* For http_request.on_header; an empty name empties what was said before. */
void hub_headers_add(void *headers, const char *name, const char *value);

bool hub_is_hex(const char *text, size_t length);

#endif
