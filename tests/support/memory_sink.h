/* memory_sink.h: where a reader's text, parts and facts stay in memory. */
#ifndef DOCKET_TESTS_SUPPORT_MEMORY_SINK_H
#define DOCKET_TESTS_SUPPORT_MEMORY_SINK_H

#include "handlers/documents/extractor.h"
#include "worker/base/buffer.h"

#define MEMORY_SINK_PARTS 64

struct memory_sink {
    struct extract_sink sink; /* first: the readers get its address */
    struct buffer text;
    struct {
        struct buffer name, bytes;
    } parts[MEMORY_SINK_PARTS];
    size_t n_parts; /* all of them, the first few kept */
    bool open;
    size_t most_text; /* more is not wanted; 0: all */
    uint64_t facts[N_EXTRACT_FACTS];
};

void memory_sink_init(struct memory_sink *m);
void memory_sink_free(struct memory_sink *m);

#endif
