/* memory_sink.c: keeps what a reader gives, and ends the test where a reader breaks the order of calls. */
#include "tests/support/memory_sink.h"

#include <stdlib.h>

static bool on_text(struct extract_sink *sink, const char *utf8, size_t length)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    if (m->open) abort();
    buffer_append(&m->text, utf8, length);
    return !m->most_text || m->text.length < m->most_text;
}

static bool on_part_begin(struct extract_sink *sink, const char *name, size_t name_length)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    if (m->open) abort();
    m->open = true;
    if (m->n_parts < MEMORY_SINK_PARTS) buffer_append(&m->parts[m->n_parts].name, name, name_length);
    m->n_parts++;
    return true;
}

static bool on_part_bytes(struct extract_sink *sink, const void *bytes, size_t length)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    if (!m->open) abort();
    if (m->n_parts <= MEMORY_SINK_PARTS) buffer_append(&m->parts[m->n_parts - 1].bytes, bytes, length);
    return true;
}

static bool on_part_end(struct extract_sink *sink, const struct error *why)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    (void)why;
    if (!m->open) abort();
    m->open = false;
    return true;
}

static void on_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    if (fact >= N_EXTRACT_FACTS) abort();
    m->facts[fact] = value;
}

void memory_sink_init(struct memory_sink *m)
{
    *m = (struct memory_sink){.sink = {on_text, on_part_begin, on_part_bytes, on_part_end, on_fact}};
}

void memory_sink_free(struct memory_sink *m)
{
    for (size_t i = 0; i < MEMORY_SINK_PARTS; i++) {
        buffer_free(&m->parts[i].name);
        buffer_free(&m->parts[i].bytes);
    }
    buffer_free(&m->text);
}
