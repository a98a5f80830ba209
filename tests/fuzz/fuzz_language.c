/* Any bytes as a text: a tag or none, the same each time, and never beyond the bytes. */
#include "handlers/documents/language.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char tag[LANGUAGE_BYTES], again[LANGUAGE_BYTES];
    language_of((const char *)data, size, tag);
    language_of((const char *)data, size, again);
    assert(strcmp(tag, again) == 0 && strlen(tag) <= 3);
    return 0;
}
