/* sandbox_probes.h: things that a document's reader must never be able to do, each tried by its name. */
#ifndef DOCKET_TESTS_SUPPORT_SANDBOX_PROBES_H
#define DOCKET_TESTS_SUPPORT_SANDBOX_PROBES_H

#include <stddef.h>

/* 0: it was done; an errno: refused. Some do not come back. */
struct probe {
    const char *name;
    int (*attempt)(void);
};
extern const struct probe sandbox_probes[];
extern const size_t n_sandbox_probes;

/* The one whose name the bytes are; NULL: none. */
const struct probe *probe_find(const char *name, size_t length);

#endif
