/* sandbox_layers.h: what a child of the extract server gives up before it sees a byte of a document. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_SANDBOX_LAYERS_H
#define DOCKET_HANDLERS_DOCUMENTS_SANDBOX_LAYERS_H

#include "handlers/documents/sandbox.h"

#include <linux/filter.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LAYERS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LAYERS_SANITIZED 1
#endif
#endif
#ifndef LAYERS_SANITIZED
#define LAYERS_SANITIZED 0
#endif

/* A program that reads a document as a process of its own, for its licence or its size. */
struct box {
    const char *name;
    const char *program; /* absolute */
    const char *const *
        arguments; /* from argv[0] on, NULL at the end; "%u" at the end of one stands for a number, "%s" for the word */
    const char *const *environment; /* NULL at the end */
    const char *const
        *readable; /* folders and files that it may read, NULL at the end; what is not there is left out */
    unsigned cpu_seconds;
    size_t memory_bytes; /* of address space */
};
const struct box *box_find(const char *name, size_t *index); /* boxes.c; NULL: none of that name */
const struct box *box_at(size_t index);
bool box_installed(const char *name);

/* Made once by the server, so that a child has little to do. */
struct layers {
    unsigned without; /* for tests: bits of enum sandbox_layer that are left out */
    unsigned held;
    unsigned abi; /* of Landlock */
    struct sock_fprog glue, tool;
    int glue_rules; /* Landlock: nothing is allowed; -1: none */
};
void layers_prepare(struct layers *l, unsigned without);

struct child_limits {
    size_t memory_bytes;
    unsigned cpu_seconds;
};
/* In the child, which has one thread. No way back. false: a layer that should hold could not be put on. */
bool layers_enter_glue(const struct layers *l, const struct child_limits *limits);
/* Becomes the box's program: returns only when that fails. */
void layers_enter_box(const struct layers *l, const struct box *box, char *const *arguments);

#endif
