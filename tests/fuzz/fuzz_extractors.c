/* Any bytes through each reader of office documents, web pages and e-mail: it ends with a status that has a message, calls the sink in
 * order and keeps to its limits. */
#include "handlers/documents/extractors.h"
#include "worker/base/alloc.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counter {
    struct extract_sink sink;
    size_t text, parts;
    bool open;
};

static bool on_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct counter *c = (struct counter *)sink;
    assert(!c->open && (utf8 || !length));
    c->text += length;
    return true;
}

static bool on_begin(struct extract_sink *sink, const char *name, size_t length)
{
    struct counter *c = (struct counter *)sink;
    assert(!c->open && name && length < 64 * KIB);
    c->open = true;
    c->parts++;
    return true;
}

static bool on_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    assert(((struct counter *)sink)->open && (bytes || !length));
    return true;
}

static bool on_end(struct extract_sink *sink, const struct error *why)
{
    (void)why;
    assert(((struct counter *)sink)->open);
    ((struct counter *)sink)->open = false;
    return true;
}

static void on_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    (void)sink, (void)value;
    assert(fact < N_EXTRACT_FACTS);
}

/* The first byte chooses the type, the rest is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "text/html",
        "message/rfc822",
        "application/mbox",
        "application/x-ole-storage",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
    };
    struct counter c = {.sink = {on_text, on_begin, on_bytes, on_end, on_fact}};
    struct error err = {0};
    if (size == 0) return 0;
    const struct extract_input in = {.bytes = data + 1,
                                     .length = size - 1,
                                     .media_type = types[data[0] % ARRAY_LENGTH(types)],
                                     .max_characters = 100000,
                                     .max_members = 50,
                                     .max_expanded = 4 * MIB};
    extractors_prepare();
    enum status st = extractor_for(in.media_type)(&in, &c.sink, &err);
    assert(st == DOCKET_OK || (err.status == st && err.message[0]));
    assert(c.text <= 100000 * 4 + 64 * KIB + size && c.parts <= 51);
    return 0;
}
