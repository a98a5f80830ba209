/* Any bytes as a document: ends in documents with an error or with clean text, unique ids and bounded sizes. */
#include "handlers/documents/document.h"
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_document(const struct document *d)
{
    size_t bad;
    assert(d->id && strncmp(d->id, "c", 1) == 0 && (d->id[1] == '\0' || d->id[1] == '/'));
    assert(utf8_valid(d->id, strlen(d->id), &bad));
    for (const char *p = d->id; *p; p++) assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    assert(!strstr(d->id, "/../") && !strstr(d->id, "//"));
    assert((d->text == NULL) == (d->error.code != CODE_NONE));
    assert(strlen(d->media_type) < sizeof(d->media_type));
    if (!d->text) return;
    assert(d->text_length > 0 && strlen(d->text) == d->text_length && utf8_valid(d->text, d->text_length, &bad));
    for (size_t i = 0; i < d->text_length; i++)
        assert((unsigned char)d->text[i] >= 0x20 || d->text[i] == '\n' || d->text[i] == '\t');
}

/* The first byte chooses the name, the rest is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {NULL, "c.zip", "c.tar", "c.txt.gz", "c.doc", "../c.html"};
    static const struct document_limits limits = {.max_bytes = 1 * MIB, .max_members = 50, .max_expanded = 4 * MIB};
    struct document_list list = {0};
    struct name_set ids = {0};
    struct error err = {0};
    if (size == 0) return 0;
    const char *name = names[data[0] % ARRAY_LENGTH(names)];
    enum status st = documents_from_bytes(&list, "c", name, data + 1, size - 1, &limits, &err);
    assert(st == DOCKET_OK && list.n >= 1);
    for (size_t i = 0; i < list.n; i++) {
        check_document(&list.items[i]);
        if (strcmp(list.items[i].id, "c") == 0) continue; /* the archive itself: last */
        size_t before = ids.n;
        assert(name_set_add(&ids, list.items[i].id) && ids.n == before + 1);
    }
    name_set_free(&ids);
    document_list_free(&list);
    return 0;
}
