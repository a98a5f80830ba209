/* The first byte chooses: a listing, an index, or header lines. What is accepted holds the promises of answers.h. */
#include "worker/base/alloc.h"
#include "worker/hub/answers.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void listing(const char *text, size_t length)
{
    struct hub_listing list = {0};
    struct error err = {0};
    const char *entry = NULL;
    if (hub_listing_parse(&list, text, length, &err) != DOCKET_OK) {
        assert(err.message[0] && list.n_files == 0 && !list.files);
        return;
    }
    assert(hub_is_hex(list.commit, 40));
    for (size_t i = 0; i < list.n_files; i++) {
        const char *name = list.files[i].name;
        assert(name[0] && name[0] != '/' && !strstr(name, "/../") && strncmp(name, "../", 3) != 0 &&
               strcmp(name, "..") != 0);
        assert(!strchr(name, '\n') && !strchr(name, '\\'));
        if (hub_file_is_needed(name)) assert(!strchr(name, '/') && name[0] != '.');
        assert(hub_listing_find(&list, name));
    }
    if (hub_weights_entry(&entry, &list, &err) == DOCKET_OK) assert(hub_listing_find(&list, entry));
    hub_listing_free(&list);
}

static void shards(const char *text, size_t length)
{
    char **names = NULL;
    size_t n = 0;
    struct error err = {0};
    if (hub_index_shards(&names, &n, text, length, &err) != DOCKET_OK) {
        assert(!names && n == 0 && err.message[0]);
        return;
    }
    assert(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert(!strchr(names[i], '/') && names[i][0] != '.' && strlen(names[i]) > 12);
        for (size_t j = 0; j < i; j++) assert(strcmp(names[i], names[j]) != 0);
    }
    hub_names_free(names, n);
}

static void headers(char *text)
{
    struct hub_headers h = {0};
    for (char *line = text, *next; line; line = next) {
        if ((next = strchr(line, '\n'))) *next++ = '\0';
        char *colon = strchr(line, ':');
        if (colon) *colon = '\0';
        hub_headers_add(&h, line, colon ? colon + 1 : "");
        size_t etag = strlen(h.etag);
        assert(etag == 0 || etag == 40 || etag == 64);
        assert(strspn(h.etag, "0123456789abcdef") == etag); /* it becomes the name of a file */
        assert(!h.commit[0] || hub_is_hex(h.commit, 40));
        assert(!h.ranged || (h.range_first <= h.range_last && h.range_last < h.range_total));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    char *text = mem_alloc(size);
    assert(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'l') listing(text, size - 1);
    if (data[0] == 'i') shards(text, size - 1);
    if (data[0] == 'h') headers(text);
    mem_free(text);
    return 0;
}
