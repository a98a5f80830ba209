/* Any bytes as a record of the spool, any text as its name: a record that is taken for whole is the one that its name tells of. */
#include "worker/base/alloc.h"
#include "worker/queue/spool_record.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_entry entry = {0}, again = {0};
    struct spool_text text = {0};
    struct buffer bytes = {0};
    struct error err = {0};
    const uint8_t *line = memchr(data, '\n', size);
    size_t name_length = line ? (size_t)(line - data) : size;
    char name[2 * SPOOL_NAME_BYTES] = "";

    if (name_length >= sizeof(name)) return 0;
    memcpy(name, data, name_length);
    if (spool_entry_parse(&entry, name)) {
        again = entry;
        spool_entry_name(&again);
        assert(strcmp(again.name, entry.name) == 0 && strcmp(again.name, name) == 0);
    }
    buffer_init(&bytes, MIB);
    if (line) buffer_append(&bytes, line + 1, size - name_length - 1);
    if (spool_record_read(&text, &bytes, name, &err) == DOCKET_OK) {
        assert(text.body >= bytes.data && text.body + text.body_bytes <= bytes.data + bytes.length);
        assert(strlen(text.id) < bytes.length);
    } else
        assert(err.message[0]);
    buffer_free(&bytes);
    return 0;
}
