/* backend.c: the list of backends that are linked in, the check of a table before anyone calls it, and names.
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

const char *docket_kernels_status_name(enum kernels_status status)
{
    static const char *const names[] = {
        [KERNELS_OK] = "ok",
        [KERNELS_BAD_SHAPE] = "bad shape",
        [KERNELS_UNSUPPORTED] = "unsupported",
        [KERNELS_NO_MEMORY] = "no memory",
        [KERNELS_DEVICE_LOST] = "device lost",
        [KERNELS_FAILED] = "failed",
    };

    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

const char *docket_kernels_format_name(enum kernels_format format)
{
    static const char *const names[KERNELS_N_FORMATS] = {
        [KERNELS_F32] = "f32",
        [KERNELS_F16] = "f16",
        [KERNELS_BF16] = "bf16",
        [KERNELS_NF4] = "nf4",
        [KERNELS_NF4_NESTED] = "nf4_nested",
        [KERNELS_FP4] = "fp4",
        [KERNELS_FP4_NESTED] = "fp4_nested",
        [KERNELS_INT8] = "int8",
        [KERNELS_Q8] = "q8",
        [KERNELS_Q4] = "q4",
        [KERNELS_Q2] = "q2",
        [KERNELS_Q1] = "q1",
        [KERNELS_KV_Q8_0] = "kv_q8_0",
        [KERNELS_KV_Q4_0] = "kv_q4_0",
        [KERNELS_F8_E4M3] = "f8_e4m3",
    };

    return (size_t)format < KERNELS_N_FORMATS ? names[format] : "unknown";
}

double docket_kernels_format_bits(enum kernels_format format)
{
    switch (format) {
    case KERNELS_F32:
        return 32;
    case KERNELS_F16:
    case KERNELS_BF16:
        return 16;
    case KERNELS_INT8: /* and its f32 a row, which is nothing beside a row */
    case KERNELS_F8_E4M3:
        return 8;
    case KERNELS_Q8:
    case KERNELS_KV_Q8_0:
        return 8.5;
    case KERNELS_Q4:
    case KERNELS_KV_Q4_0:
        return 4.5;
    case KERNELS_Q2:
        return 2.5;
    case KERNELS_Q1:
        return 1.25;
    case KERNELS_FP4:
    case KERNELS_NF4:
        return 4 + 32.0 / 64;
    case KERNELS_FP4_NESTED:
    case KERNELS_NF4_NESTED:
        return 4 + 8.0 / 64 + 32.0 / (64 * 256);
    default:
        return 0;
    }
}
