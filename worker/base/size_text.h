/* size_text.h: sizes of memory as people write them: "24GiB", "80 GB", "8192MiB", "1e9". */
#ifndef DOCKET_BASE_SIZE_TEXT_H
#define DOCKET_BASE_SIZE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* false, *out untouched, for what is none. Units of 1000 and of 1024; a bare G or M is of 1024. */
bool size_text_read(uint64_t *out, const char *text);

#endif
