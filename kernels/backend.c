/* backend.c: the list of backends that are linked in, the check of a table before anyone calls it.
 * Does not know which backend is fastest, or how one that is opened at run time got here. */
#include <string.h>

#include "kernels/cpu/device.h"
#include "kernels/error.h"
#include "kernels/kernels.h"

const struct kernels_backend *docket_kernels_backend(const char *name)
{
    static const struct kernels_backend *const backends[] = {&cpu_reference_backend, &cpu_backend};

    if (name == NULL) return NULL;
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, name) == 0) return backends[i];
    return NULL;
}

enum kernels_status docket_kernels_check_backend(const struct kernels_backend *backend, struct kernels_error *error)
{
    if (backend == NULL) return kernels_fail(error, KERNELS_UNSUPPORTED, "no such backend");
    if (backend->abi != KERNELS_ABI)
        return kernels_fail(error, KERNELS_UNSUPPORTED, "backend: abi: want %u, got %u", KERNELS_ABI, backend->abi);
    if (backend->size != sizeof *backend)
        return kernels_fail(error, KERNELS_UNSUPPORTED, "backend: size: want %zu, got %u", sizeof *backend,
                            backend->size);
    if (backend->name == NULL) return kernels_fail(error, KERNELS_UNSUPPORTED, "backend: has no name");
    /* What follows the name is functions alone. */
    for (size_t at = offsetof(struct kernels_backend, open); at < sizeof *backend; at += sizeof(void (*)(void))) {
        void (*entry)(void);
        memcpy(&entry, (const char *)backend + at, sizeof entry);
        if (entry == NULL)
            return kernels_fail(error, KERNELS_UNSUPPORTED, "backend %s: entry %zu is empty", backend->name,
                                (at - offsetof(struct kernels_backend, open)) / sizeof entry);
    }
    return KERNELS_OK;
}
