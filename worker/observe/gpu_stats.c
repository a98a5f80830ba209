/* gpu_stats.c: NVML by dlopen. Its types are declared here, as its manual gives them, so that nothing of the toolkit is needed to build. */
#include "worker/observe/gpu_stats.h"

#include "worker/base/alloc.h"
#include "worker/base/log.h"

#include <dlfcn.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"

/* NVML's own: nvmlReturn_t is an int with 0 for success, a device a pointer. */
typedef struct nvml_device *nvml_device;
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_utilization {
    unsigned gpu, memory; /* percent */
};
enum { NVML_SUCCESS = 0, NVML_CORRECTED = 0, NVML_UNCORRECTED = 1, NVML_SINCE_RESET = 0 };

struct gpu_stats {
    void *library;
    nvml_device device;
    struct gpu_facts facts;
    atomic_bool complained;
    int (*shutdown)(void);
    const char *(*error_string)(int);
    /* NULL: this NVML has it not. */
    int (*memory)(nvml_device, struct nvml_memory *);
    int (*ecc_errors)(nvml_device, int type, int counter, unsigned long long *);
    int (*energy)(nvml_device, unsigned long long *millijoules);
    int (*utilization)(nvml_device, struct nvml_utilization *);
};

/* A function's address through an object's, which C does not convert. */
static bool find(void *library, const char *name, void *function)
{
    void *at = dlsym(library, name);
    memcpy(function, &at, sizeof(at));
    return at != NULL;
}

static const char *text_of(const struct gpu_stats *s, int code)
{
    const char *text = s->error_string ? s->error_string(code) : NULL;
    return text ? text : "an error without a name";
}

static enum status find_device(struct gpu_stats *s, const char *bus_id, struct error *err)
{
    int (*by_bus)(const char *, nvml_device *);
    int (*by_index)(unsigned, nvml_device *);
    int code = -1;
    if (bus_id && *bus_id && find(s->library, "nvmlDeviceGetHandleByPciBusId_v2", &by_bus))
        code = by_bus(bus_id, &s->device);
    if (code != NVML_SUCCESS) {
        if (!find(s->library, "nvmlDeviceGetHandleByIndex_v2", &by_index))
            return fail(err, DOCKET_UNSUPPORTED, CODE_NONE, "nvml: an older one, without the call for a device");
        code = by_index(0, &s->device);
    }
    return code == NVML_SUCCESS ? DOCKET_OK : fail(err, DOCKET_DEVICE, CODE_NONE, "nvml: device: %s", text_of(s, code));
}

static void read_facts(struct gpu_stats *s)
{
    int (*name)(nvml_device, char *, unsigned);
    int (*driver)(char *, unsigned);
    int (*capability)(nvml_device, int *, int *);
    struct gpu_facts *f = &s->facts;
    if (!find(s->library, "nvmlDeviceGetName", &name) || name(s->device, f->name, sizeof(f->name)) != NVML_SUCCESS)
        f->name[0] = '\0';
    if (!find(s->library, "nvmlSystemGetDriverVersion", &driver) ||
        driver(f->driver, sizeof(f->driver)) != NVML_SUCCESS)
        f->driver[0] = '\0';
    f->name[sizeof(f->name) - 1] = f->driver[sizeof(f->driver) - 1] = '\0';
    if (!find(s->library, "nvmlDeviceGetCudaComputeCapability", &capability) ||
        capability(s->device, &f->capability_major, &f->capability_minor) != NVML_SUCCESS)
        f->capability_major = f->capability_minor = -1;
}

enum status gpu_stats_open(struct gpu_stats **out, const char *library, const char *bus_id, struct error *err)
{
    int (*init)(void);
    struct gpu_stats *s = mem_zalloc(1, sizeof(*s));
    enum status st = DOCKET_OK;
    *out = NULL;
    if (!s) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for nvml");
    s->library = dlopen(library ? library : LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!s->library) {
        const char *text = dlerror();
        st = fail(err, DOCKET_NOT_FOUND, CODE_NONE, "nvml: %s", text ? text : "cannot be opened");
    } else if (!find(s->library, "nvmlInit_v2", &init) || !find(s->library, "nvmlShutdown", &s->shutdown)) {
        s->shutdown = NULL;
        st = fail(err, DOCKET_UNSUPPORTED, CODE_NONE, "nvml: %s is no nvml of this age", library ? library : LIBRARY);
    } else {
        find(s->library, "nvmlErrorString", &s->error_string);
        int code = init();
        if (code != NVML_SUCCESS) {
            s->shutdown = NULL;
            st = fail(err, DOCKET_DEVICE, CODE_NONE, "nvml: %s", text_of(s, code));
        }
    }
    if (st == DOCKET_OK) st = find_device(s, bus_id, err);
    if (st != DOCKET_OK) {
        gpu_stats_close(s);
        return st;
    }
    read_facts(s);
    find(s->library, "nvmlDeviceGetMemoryInfo", &s->memory);
    find(s->library, "nvmlDeviceGetTotalEccErrors", &s->ecc_errors);
    find(s->library, "nvmlDeviceGetTotalEnergyConsumption", &s->energy);
    find(s->library, "nvmlDeviceGetUtilizationRates", &s->utilization);
    *out = s;
    return DOCKET_OK;
}

void gpu_stats_close(struct gpu_stats *s)
{
    if (!s) return;
    if (s->shutdown) s->shutdown();
    if (s->library) dlclose(s->library);
    mem_free(s);
}

void gpu_stats_facts(const struct gpu_stats *s, struct gpu_facts *out)
{
    *out = s ? s->facts : (struct gpu_facts){.capability_major = -1, .capability_minor = -1};
}

static uint64_t errors_of(const struct gpu_stats *s, int type)
{
    unsigned long long n;
    return s->ecc_errors && s->ecc_errors(s->device, type, NVML_SINCE_RESET, &n) == NVML_SUCCESS ? n : GPU_UNKNOWN;
}

void gpu_stats_read(struct gpu_stats *s, struct gpu_reading *out)
{
    struct nvml_memory memory;
    struct nvml_utilization share;
    unsigned long long millijoules;
    *out = (struct gpu_reading){GPU_UNKNOWN, GPU_UNKNOWN, GPU_UNKNOWN, GPU_UNKNOWN, GPU_UNKNOWN, NAN, NAN};
    if (!s) return;
    int code = s->memory ? s->memory(s->device, &memory) : NVML_SUCCESS;
    if (code != NVML_SUCCESS) { /* a card that says nothing of its memory says nothing of the rest */
        if (!atomic_exchange(&s->complained, true))
            log_event(LOG_WARN, EVENT_gpu_stats, F_STR("state", "lost"), F_STR("reason", text_of(s, code)));
        return;
    }
    if (s->memory && memory.used <= memory.total && memory.free <= memory.total) {
        out->memory_total_bytes = memory.total;
        out->memory_used_bytes = memory.used;
        out->memory_free_bytes = memory.free;
    }
    out->ecc_corrected = errors_of(s, NVML_CORRECTED);
    out->ecc_uncorrected = errors_of(s, NVML_UNCORRECTED);
    if (s->energy && s->energy(s->device, &millijoules) == NVML_SUCCESS)
        out->energy_joules = (double)millijoules / 1000;
    if (s->utilization && s->utilization(s->device, &share) == NVML_SUCCESS && share.gpu <= 100)
        out->utilization = (double)share.gpu / 100;
}
